// The emulator as a process, and Microsoft's client as an honest user points it there: another base address, and the one
// host that may see the token.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

import { Client, PageIterator } from "@microsoft/microsoft-graph-client";

// As `whowas emulate` prints them.
const TENANT = "0e1d6a3e-58f4-4c1b-9d2e-7a5f0c9b8e11";
const CLIENT_ID = "c11e0001-58f4-4c1b-9d2e-7a5f0c9b8e11";
const SECRET = "emulator-secret";

/** Starts an emulator for this one test, which ends with it. */
export async function emulator(test, ...options) {
    const secure = ["--listen", "127.0.0.1:0", "--tls", process.env.EMULATOR_TLS];
    const child = spawn(process.env.EMULATOR, ["emulate", "-q", ...secure, ...options], { stdio: ["ignore", "pipe", "pipe"] });
    let said = "";
    child.stderr.on("data", (bytes) => (said += bytes));
    test.after(async () => {
        if (child.exitCode === null) {
            child.kill("SIGINT");
            await once(child, "exit");
        }
    });
    const gone = once(child, "exit").then(([code]) => {
        throw new Error(`the emulator ended with ${code}: ${said}`);
    });
    gone.catch(() => {});
    const [url] = await Promise.race([once(createInterface(child.stdout), "line"), gone]);
    return new Emulator(url);
}

class Emulator {
    constructor(url) {
        this.url = url;
        this.client = this.clientFor(new Set([new URL(url).hostname]));
    }

    /** Microsoft's client with its own chain of middleware, retries included. */
    clientFor(customHosts) {
        return Client.initWithMiddleware({ baseUrl: this.url, customHosts, authProvider: new ClientCredentials(this.url) });
    }

    /** Asks the control routes, which want no token. */
    async control(route, body) {
        const sent = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
        const answer = await fetch(`${this.url}/_emulator/${route}`, sent);
        const said = await answer.json();
        if (!answer.ok) throw new Error(JSON.stringify(said));
        return said;
    }

    /** Changes the directory; the id of the object concerned. */
    async act(act) {
        return (await this.control("act", act)).id;
    }

    /** From now on it misbehaves so, and in no other way. */
    async quirks(...quirks) {
        await this.control("quirks", quirks);
    }

    /** The requests of Graph that were answered since the last call. */
    async requests() {
        const { last } = await this.control("requests");
        const since = this.seen ?? 0;
        this.seen = last.length;
        return last.slice(since).filter(({ target }) => !target.includes("/oauth2/"));
    }

    /** Walks from a first page to the last, as the client's documents tell; all items, and the delta link if there is one. */
    async walk(first) {
        const items = [];
        const pages = new PageIterator(this.client, first, (item) => items.push(item) > 0);
        await pages.iterate();
        if (!pages.isComplete()) throw new Error("the iterator stopped before the end");
        return { items, deltaLink: pages.getDeltaLink() };
    }
}

/** Client credentials, asked of the emulator's own token endpoint as any confidential client asks Entra. */
class ClientCredentials {
    constructor(url) {
        this.url = url;
    }

    async getAccessToken() {
        this.token ??= this.ask();
        return this.token;
    }

    async ask() {
        const form = { grant_type: "client_credentials", client_id: CLIENT_ID, client_secret: SECRET };
        const body = new URLSearchParams({ ...form, scope: "https://graph.microsoft.com/.default" });
        const answer = await fetch(`${this.url}/${TENANT}/oauth2/v2.0/token`, { method: "POST", body });
        const said = await answer.json();
        if (!answer.ok) throw new Error(said.error_description);
        return said.access_token;
    }
}
