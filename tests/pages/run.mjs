// Walks every page of the auditor's in a browser: light, dark, narrow, without script, and by keyboard. Anything that a page
// says on the console, anything that its policy blocks, anything serious that axe finds, and any page that scrolls sideways
// fails the run. The pictures are left in target/pages/, to be looked at.
//
//     node tests/pages/run.mjs [WHOWAS [STORY]]
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { start } from "./service.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const root = join(here, "../..");
const whowas = resolve(process.argv[2] ?? join(root, "target/debug/whowas"));
const story = resolve(process.argv[3] ?? join(root, "target/debug/examples/auditor"));
for (const program of [whowas, story]) {
    if (!existsSync(program)) {
        console.error(`${program} is missing: cargo build && cargo build --example auditor`);
        process.exit(2);
    }
}
const pictures = join(root, "target/pages");
rmSync(pictures, { recursive: true, force: true });
mkdirSync(pictures, { recursive: true });
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const faults = [];
let checked = 0;

function check(is_so, what) {
    checked += 1;
    if (!is_so) {
        faults.push(what);
        console.error(`FAULT ${what}`);
    }
}

const service = await start(story, whowas);
const { told, tokens, url } = service;
const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
        "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync",
    ],
});

/** A browser of its own, that tells of everything that goes wrong in it. */
async function visit(name, options) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
    const page = await context.newPage();
    const said = (what) => {
        // What a refusal's status is called on the console is no fault of the page.
        if (!/status of 4\d\d/.test(what)) check(false, `${name}: ${page.url()} ${what}`);
    };
    page.on("console", (message) => ["error", "warning"].includes(message.type()) && said(message.text()));
    page.on("pageerror", (error) => said(String(error)));
    page.on("request", (request) => check(request.url().startsWith(url), `${name}: a page loads ${request.url()}`));
    return { context, page };
}

/** Whether something comes to be seen. A machine may be slow: what is not there yet is waited for. */
function seen(locator) {
    return locator.first().waitFor({ state: "visible", timeout: 15_000 }).then(() => true, () => false);
}

/** What the run log says of the newest run, once it tells of so many runs on demand. */
async function newest_run(page, demanded) {
    const rows = page.locator("table.runs tbody tr");
    for (let turn = 0; turn < 60; turn += 1) {
        await page.goto(`${url}${contoso}/runs`);
        const under_way = await rows.filter({ hasText: "running" }).count();
        if (under_way === 0 && (await rows.filter({ hasText: "on demand" }).count()) >= demanded) break;
        await page.waitForTimeout(500);
    }
    return rows.first().innerText();
}

async function sign_in(page, token) {
    await page.goto(`${url}/`);
    await page.getByLabel("Token").fill(token);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.waitForURL((place) => !place.pathname.startsWith("/sign-in"));
}

const contoso = `/t/${told.tenants.contoso}`;
const hostile = encodeURIComponent("<b>\"quoted\"</b> 'chain' \u202ereversed");
const PAGES = {
    overview: "/",
    tenant: contoso,
    held: `/t/${told.tenants.fabrikam}`,
    empty: `/t/${told.tenants.newco}`,
    search: `${contoso}/search?q=sam`,
    nothing: `${contoso}/search?q=zzz`,
    name: `${contoso}/name?name=sam.hill%40contoso.com`,
    "name-then": `${contoso}/name?name=sam.hill%40contoso.com&at=2026-03-18+08%3A30`,
    person: `${contoso}/person?id=${told.sam}`,
    leaver: `${contoso}/person?id=${told.leaver}&at=2026-03-05`,
    chain: `${contoso}/chain?id=mailbox-0042`,
    "chain-past": `${contoso}/chain?id=mailbox-0042&known_at=2026-03-18+12%3A00&at=2026-03-18+11%3A00`,
    "chain-fine": `${contoso}/chain?id=mailbox-0107`,
    "chain-hostile": `${contoso}/chain?id=${hostile}`,
    findings: `${contoso}/findings`,
    "findings-none": `${contoso}/findings?kind=domain_change`,
    finding: `${contoso}/finding?id=${told.findings[0]}`,
    reuse: `${contoso}/reuse`,
    mapping: `${contoso}/mapping`,
    runs: `/t/${told.tenants.fabrikam}/runs`,
    missing: `${contoso}/chain?id=no-such-chain`,
    nowhere: "/no/such/page",
    unreadable: `${contoso}/name?name=sam.hill%40contoso.com&known_at=yesterday`,
};

/** What some pages say, and no more than that. */
const SAID = {
    leaver: ["it was certainly called jo.park@contoso.com."],
    "name-then": ["How it was at"],
    "chain-past": ["which seems to hold the mail of", "No sync covers that time"],
    held: ["the sync token had expired"],
    empty: ["Nothing is covered: no sync has gone through."],
};

/** Looks at a page in every way that does not depend on what it says. */
async function look(page, name, way, { with_axe = true } = {}) {
    await page.evaluate(() => document.fonts?.ready);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    check(wide <= 0, `${way} ${name} scrolls sideways by ${wide}`);
    check((await page.locator("h1").count()) === 1, `${way} ${name} has one heading`);
    check((await page.locator("main").count()) === 1, `${way} ${name} has one main part`);
    const text = await page.content();
    check(!/\son\w+=|\sstyle=|javascript:/i.test(text.replace(/<script src[^>]*>/g, "")), `${way} ${name} has no code in its text`);
    check(!(await page.locator("body").innerText()).includes("\u202e"), `${way} ${name} turns no text around`);
    if (with_axe) {
        // It comes in over the debugging protocol, which no policy of the page binds.
        const protocol = await page.context().newCDPSession(page);
        await protocol.send("Runtime.evaluate", { expression: axe });
        await protocol.detach();
        const found = await page.evaluate(() => globalThis.axe.run({ resultTypes: ["violations"] }));
        const serious = found.violations.filter((one) => ["serious", "critical"].includes(one.impact));
        check(serious.length === 0, `${way} ${name}: ${serious.map((one) => `${one.id} ${one.nodes[0].html.slice(0, 160)}`).join("; ")}`);
    }
    await page.screenshot({ path: join(pictures, `${name}-${way}.png`), fullPage: true });
}

const WAYS = {
    light: { colorScheme: "light" },
    dark: { colorScheme: "dark" },
    narrow: { colorScheme: "light", viewport: { width: 400, height: 800 } },
};
for (const [way, options] of Object.entries(WAYS)) {
    const { context, page } = await visit(way, options);
    await page.goto(`${url}/`);
    await look(page, "sign-in", way);
    await sign_in(page, tokens.admin.token);
    for (const [name, path] of Object.entries(PAGES)) {
        const response = await page.goto(url + path);
        const policy = response.headers()["content-security-policy"] ?? "";
        check(policy.startsWith("default-src 'none'; style-src 'self';"), `${way} ${name} has a policy`);
        check(response.headers()["cache-control"] === "no-store", `${way} ${name} is not kept`);
        const wrong = ["missing", "nowhere", "unreadable"].includes(name);
        check(wrong === response.status() >= 400, `${way} ${name} answers ${response.status()}`);
        for (const said of SAID[name] ?? []) check(await seen(page.getByText(said)), `${way} ${name} says ${said}`);
        await look(page, name, way);
    }
    await context.close();
}

// Without script every page says the same, and forms work.
{
    const { context, page } = await visit("plain", { javaScriptEnabled: false });
    await sign_in(page, tokens.admin.token);
    for (const [name, path] of Object.entries(PAGES)) {
        await page.goto(url + path);
        check((await page.locator("main h1").innerText()).length > 3, `plain ${name} has a heading`);
    }
    await page.goto(`${url}${contoso}`);
    await page.locator("#find").fill("sam.hill");
    await page.getByRole("button", { name: "Search" }).click();
    check(await seen(page.getByRole("link", { name: "sam.hill-jones@contoso.com" })), "plain: search finds a name");
    await page.goto(`${url}${contoso}/mapping`);
    await page.locator("#rules").fill('[[mapping]]\nname = "sales"\nmatch = { domain = "nowhere.test" }\n');
    await page.getByRole("button", { name: "What would change?" }).click();
    check(await seen(page.getByText("would leave")), "plain: a preview tells who would leave");
    await page.screenshot({ path: join(pictures, "mapping-preview-plain.png"), fullPage: true });
    await page.locator("#rules").fill("[[mapping]\nname = 7");
    await page.getByRole("button", { name: "What would change?" }).click();
    check(await seen(page.getByRole("alert")), "plain: rules that cannot be read are said to be so");
    await page.screenshot({ path: join(pictures, "mapping-wrong-plain.png"), fullPage: true });
    await page.goto(url + PAGES.finding);
    await page.locator("#seen").fill("ticket <b>4711</b>");
    await page.getByRole("button", { name: "Acknowledge" }).click();
    check(await seen(page.getByText("It is acknowledged.")), "plain: a finding is acknowledged");
    check(await seen(page.getByText("ticket <b>4711</b>")), "plain: the note is text");
    check(await seen(page.getByText("a test's admin (token")), "plain: it is said who did");
    await page.screenshot({ path: join(pictures, "finding-acknowledged-plain.png"), fullPage: true });
    const stale = await page.context().newPage();
    await stale.goto(url + PAGES.finding);
    await page.locator("#done").fill("set aside");
    await page.getByRole("button", { name: "Resolve" }).click();
    check(await seen(page.getByText("It is resolved.")), "plain: a finding is resolved");
    await stale.getByRole("button", { name: "Resolve" }).click();
    check(await seen(stale.getByText("It has changed since you looked, so nothing was done.")), "plain: nobody resolves what has changed");
    await stale.close();
    await page.goto(`${url}${contoso}`);
    await page.getByRole("button", { name: "Sync now" }).click();
    check(/on demand.*completed/s.test(await newest_run(page, 1)), "plain: a sync was made");
    await context.close();
}

// What a stranger sees within five seconds: who is mixed, where, and what to do, on the first screen.
{
    const { context, page } = await visit("first screen", { viewport: { width: 1280, height: 860 } });
    await sign_in(page, tokens.auditor.token);
    await page.goto(url + PAGES.chain);
    const fits = async (locator) => {
        const box = await locator.first().boundingBox();
        return box !== null && box.y + box.height <= 860;
    };
    check(await fits(page.getByRole("heading", { name: /holds the mail of two people/ })), "the first screen says that two people are mixed");
    check(await fits(page.getByText(/Quarantine snapshots 18–21/)), "the first screen says what to do");
    check(await fits(page.locator(".stretches li.foreign")), "the first screen shows where");
    check((await page.locator(".stretches li").count()) === 4, "the chain has four stretches");
    await page.screenshot({ path: join(pictures, "chain-first-screen.png") });
    await page.setViewportSize({ width: 1280, height: 1088 });
    await page.screenshot({ path: join(pictures, "chain-readme.png") });
    // The auditor may review, and may not start a sync.
    await page.goto(`${url}${contoso}`);
    check((await page.getByRole("button", { name: "Sync now" }).count()) === 0, "an auditor is offered no sync");
    // Links keep the time that is looked at.
    await page.goto(url + PAGES["chain-past"]);
    check(await seen(page.getByText("You are looking at the past:")), "the past is said to be the past");
    await page.getByRole("link", { name: "Findings" }).first().click();
    await page.waitForURL(/findings/);
    check(page.url().includes("known_at="), "a link keeps the time");
    check((await page.getByRole("cell", { name: "mixed chain" }).or(page.getByRole("rowheader", { name: "mixed chain" })).count()) === 0, "what was found later was not found then");
    await page.getByRole("link", { name: "Back to now" }).click();
    await page.waitForURL((place) => !place.search.includes("known_at="));
    check((await page.getByRole("cell", { name: "mixed chain" }).or(page.getByRole("rowheader", { name: "mixed chain" })).count()) > 0, "now it is");
    for (const [format, type] of [["html", "text/html"], ["csv", "text/csv"], ["json", "application/json"]]) {
        const answer = await page.request.get(`${url}${contoso}/report?format=${format}&chain=mailbox-0042`);
        check(answer.ok() && answer.headers()["content-type"].startsWith(type), `the report as ${format}`);
        check(answer.headers()["content-disposition"].startsWith("attachment"), `the report as ${format} is a file`);
    }
    await context.close();
}

// By keyboard alone: sign in, search, open the chain, reach its table.
{
    const { context, page } = await visit("keyboard", {});
    await page.goto(`${url}${contoso}`);
    // A browser gives the focus that a page asks for when it first draws it, which may be after it has loaded it.
    await page.waitForFunction(() => document.activeElement.matches("input[name=token]"));
    await page.keyboard.type(tokens.auditor.token);
    await page.keyboard.press("Enter");
    await page.waitForURL(`${url}${contoso}`);
    await page.keyboard.press("Tab");
    check((await page.evaluate(() => document.activeElement.textContent)) === "Skip to the content", "keyboard: the first stop skips");
    const tab_to = async (test, most = 60) => {
        for (let step = 0; step < most; step += 1) {
            if (await page.evaluate(test)) return true;
            await page.keyboard.press("Tab");
        }
        return false;
    };
    check(await tab_to(() => document.activeElement.id === "find"), "keyboard: the search is reached");
    await page.keyboard.type("mailbox-0042");
    await page.keyboard.press("Enter");
    await page.waitForURL(/search/);
    check(await tab_to(() => document.activeElement.textContent === "mailbox-0042"), "keyboard: the chain is reached");
    await page.keyboard.press("Enter");
    await page.waitForURL(/chain\?/);
    check(await tab_to(() => document.activeElement.matches(".wide") && getComputedStyle(document.activeElement).outlineStyle !== "none"), "keyboard: the drawing is reached, and it shows");
    await context.close();
}

// With script: what is typed is found as it is typed, and a sync tells how far it is.
{
    const { context, page } = await visit("script", {});
    await sign_in(page, tokens.admin.token);
    await page.goto(`${url}${contoso}/search`);
    await page.locator("#q").pressSequentially("kim", { delay: 30 });
    await page.getByRole("link", { name: "kim.berg@contoso.com" }).first().waitFor({ timeout: 5_000 });
    check(!page.url().includes("q="), "script: the page stayed where it was");
    await page.locator("#q").fill("<script>alert(1)</script>");
    await page.getByText("Nothing begins so.").waitFor({ timeout: 5_000 });
    await page.goto(`${url}${contoso}`);
    await page.getByRole("button", { name: "Sync now" }).click();
    // The page tells of the run until it is over, and then offers another one, without anybody loading it anew.
    await page.getByRole("button", { name: "Sync now" }).waitFor({ timeout: 30_000 });
    check(/on demand.*completed/s.test(await newest_run(page, 2)), "script: the sync was made");
    await context.close();
}

// Who may not: agents, tokens of another tenant, forms from elsewhere, cookies that were given up, tokens that were revoked.
{
    const { context, page } = await visit("refused", {});
    await page.goto(`${url}/`);
    for (const [token, said] of [[tokens.agent.token, "auditors and administrators"], ["whowas_no-such-token", "not known"]]) {
        await page.getByLabel("Token").fill(token);
        await page.getByRole("button", { name: "Sign in" }).click();
        check(await seen(page.getByRole("alert").getByText(said)), `refused: ${said}`);
    }
    await page.screenshot({ path: join(pictures, "sign-in-refused.png") });
    await sign_in(page, tokens.narrow.token);
    check(page.url().endsWith(`/t/${told.tenants.newco}`), "refused: a token of one tenant sees that one");
    check((await page.goto(`${url}${contoso}`)).status() === 403, "refused: another tenant");
    await look(page, "forbidden", "light");
    const cookie = (await context.cookies())[0];
    check(cookie.httpOnly && cookie.sameSite === "Lax" && cookie.path === "/", "the cookie is closed to others");
    const newco = `${url}/t/${told.tenants.newco}`;
    const post = (form, headers) => fetch(`${url}${contoso}/sync`, {
        method: "POST", redirect: "manual", body: new URLSearchParams(form),
        headers: { cookie: `${cookie.name}=${cookie.value}`, ...headers },
    });
    check((await post({ form: "0" }, { "sec-fetch-site": "cross-site" })).status === 403, "refused: a form from elsewhere");
    check((await post({ form: "0" }, {})).status === 403, "refused: a form that tells not where it is from");
    await page.goto(newco);
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.waitForURL(/sign-in/);
    const replayed = await fetch(newco, { redirect: "manual", headers: { cookie: `${cookie.name}=${cookie.value}` } });
    check(replayed.status === 303 && replayed.headers.get("location").startsWith("/sign-in"), "refused: a cookie that was given up");
    await sign_in(page, tokens.narrow.token);
    service.revoke(tokens.narrow.id);
    await page.goto(newco);
    check(page.url().includes("/sign-in"), "refused: a revoked token's session");
    await context.close();
}

// The judges are judged: a page that breaks its policy, and one that nobody can read, would be noticed.
{
    const context = await browser.newContext();
    const page = await context.newPage();
    const noticed = [];
    page.on("console", (message) => noticed.push(message.text()));
    await page.goto(`${url}/sign-in`);
    await page.evaluate(() => {
        document.body.insertAdjacentHTML("beforeend", '<p style="color:red">x</p><img src="https://elsewhere.invalid/x.png">');
        const script = document.createElement("script");
        script.textContent = "globalThis.was_run = true";
        document.body.append(script);
    });
    await page.waitForTimeout(200);
    for (const directive of ["style-src", "img-src", "script-src"]) {
        check(noticed.some((text) => text.includes(directive)), `the judges: ${directive} is held`);
    }
    check(!(await page.evaluate(() => globalThis.was_run)), "the judges: no script in a page's text is run");
    const protocol = await context.newCDPSession(page);
    await protocol.send("Runtime.evaluate", { expression: axe });
    const found = await page.evaluate(() => globalThis.axe.run());
    check(found.violations.some((one) => one.id === "image-alt" && one.impact === "critical"), "the judges: axe finds what is wrong");
    await context.close();
}

await browser.close();
await service.stop();
console.log(`${checked} checks, ${faults.length} faults; pictures in ${pictures}`);
process.exitCode = faults.length === 0 ? 0 : 1;
