// A service on a ledger with something to see on every page, and the directories behind it.
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Waits for a line of a stream that matches, and gives the match. */
function line(stream, pattern, what) {
    return new Promise((found, failed) => {
        let text = "";
        const timer = setTimeout(() => failed(new Error(`${what} said nothing within a minute: ${text}`)), 60_000);
        const over = (result, value) => {
            clearTimeout(timer);
            result(value);
        };
        stream.on("data", (piece) => {
            text += piece;
            const match = pattern.exec(text);
            if (match) over(found, match);
        });
        stream.on("end", () => over(failed, new Error(`${what} ended: ${text}`)));
    });
}

/** Starts it all. `tell` and `whowas` are the two programs. */
export async function start(tell, whowas) {
    const folder = mkdtempSync(join(tmpdir(), "whowas-pages-"));
    const story = spawn(tell, [folder], { stdio: ["pipe", "pipe", "inherit"] });
    const told = JSON.parse((await line(story.stdout, /^(\{.*\})\n/m, "the story"))[1]);
    const global = ["--config", join(folder, "whowas.toml"), "--now", told.now];
    const token = (role, ...more) => {
        const words = [...global, "--output", "json", "token", "add", "--role", role, "--label", `a test's ${role}`, ...more];
        return JSON.parse(execFileSync(whowas, words, { encoding: "utf8" }));
    };
    const tokens = { admin: token("admin"), auditor: token("auditor"), agent: token("agent") };
    tokens.narrow = token("auditor", "--tenant", told.tenants.newco);
    const service = spawn(whowas, [...global, "serve", "--no-schedule", "--rehearsal", "--listen", "127.0.0.1:0"], {
        stdio: ["ignore", "ignore", "pipe"],
    });
    const url = (await line(service.stderr, /listening on (\S+)/, "the service"))[1];
    const stop = async () => {
        service.kill("SIGTERM");
        await new Promise((ended) => service.on("exit", ended));
        story.stdin.end();
        await new Promise((ended) => story.on("exit", ended));
        rmSync(folder, { recursive: true });
    };
    const revoke = (id) => execFileSync(whowas, [...global, "token", "revoke", id], { stdio: "pipe" });
    return { url, told, tokens, revoke, stop };
}
