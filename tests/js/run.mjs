// Runs the tests with a certificate of their own: Microsoft's client sends its token to `https` alone, and node reads
// whom to trust only when it starts.
//
//     node tests/js/run.mjs [BINARY]
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const binary = resolve(process.argv[2] ?? join(here, "../../target/debug/whowas"));
if (!existsSync(binary)) {
    console.error(`${binary} is missing: cargo build`);
    process.exit(2);
}
const folder = mkdtempSync(join(tmpdir(), "whowas-js-"));
try {
    const tls = join(folder, "tls.pem");
    // The key before the certificate, in one file.
    const made = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
    const named = ["-subj", "/CN=whowas emulator", "-addext", "subjectAltName=IP:127.0.0.1"];
    execFileSync("openssl", [...made, ...named, "-keyout", tls, "-out", join(folder, "certificate.pem")], { stdio: "pipe" });
    execFileSync("sh", ["-c", `cat "$1/certificate.pem" >> "$1/tls.pem"`, "sh", folder]);
    const env = { ...process.env, EMULATOR: binary, EMULATOR_TLS: tls, NODE_EXTRA_CA_CERTS: join(folder, "certificate.pem") };
    const test = spawnSync(process.execPath, ["--test", join(here, "graph-client.test.mjs")], { env, stdio: "inherit" });
    process.exitCode = test.status ?? 1;
} finally {
    rmSync(folder, { recursive: true });
}
