// Microsoft's own Graph client against the emulator: what the emulator says must be what that client expects of Graph,
// not what ours does.
import assert from "node:assert/strict";
import { test } from "node:test";

import { BatchRequestContent, BatchResponseContent, GraphError } from "@microsoft/microsoft-graph-client";

import { emulator } from "./emulator.mjs";

const SELECT = ["id", "userPrincipalName", "mail", "proxyAddresses"];
const NOBODY = "11111111-1111-4111-8111-111111111111";
const DELETED = "/directory/deletedItems/microsoft.graph.user";

const upns = (items) => items.map(({ userPrincipalName }) => userPrincipalName).sort();
const ids = (items) => items.map(({ id }) => id).sort();

/** The error that a request ends with, which is the client's own. */
async function refused(request) {
    const error = await request.then(
        (answer) => assert.fail(`it was answered: ${JSON.stringify(answer)}`),
        (error) => error,
    );
    assert.ok(error instanceof GraphError, String(error));
    return error;
}

test("a delta round over several pages ends with a link, and the next round tells exactly what changed", async (test) => {
    const graph = await emulator(test, "--users", "100", "--page-size", "30");
    const delta = async (request) => graph.walk(await request.get());
    const first = await delta(graph.client.api("/users/delta").select(SELECT));
    const asked = await graph.requests();
    assert.equal(asked.length, 4, "a hundred users are four pages of thirty");
    assert.ok(asked.every(({ had_token }) => had_token));
    assert.ok(first.deltaLink.startsWith(`${graph.url}/v1.0/users/delta?$deltatoken=`), first.deltaLink);
    assert.equal(new Set(ids(first.items)).size, 100);
    for (const item of first.items) {
        assert.deepEqual(Object.keys(item).sort(), [...SELECT].sort());
    }

    const [renamed, deleted, purged, restored] = first.items;
    await graph.act({ act: "rename", user: renamed.id, upn: "new.name@x.test" });
    await graph.act({ act: "delete", user: deleted.id });
    for (const act of ["delete", "purge"]) await graph.act({ act, user: purged.id });
    for (const act of ["delete", "restore"]) await graph.act({ act, user: restored.id });
    const created = await graph.act({ act: "create", upn: "new.colleague@x.test" });
    const second = await delta(graph.client.api(first.deltaLink));
    const told = new Map(second.items.map((item) => [item.id, item]));
    assert.deepEqual([...told.keys()].sort(), [renamed.id, deleted.id, purged.id, restored.id, created].sort());
    assert.equal(told.get(renamed.id).userPrincipalName, "new.name@x.test");
    assert.ok(told.get(renamed.id).proxyAddresses.includes(`smtp:${renamed.mail}`), "the old address stays as an alias");
    assert.deepEqual(told.get(deleted.id), { id: deleted.id, "@removed": { reason: "changed" } });
    assert.deepEqual(told.get(purged.id), { id: purged.id, "@removed": { reason: "deleted" } });
    assert.equal(told.get(restored.id).userPrincipalName, restored.userPrincipalName);
    assert.equal(told.get(created).mail, "new.colleague@x.test");

    const third = await delta(graph.client.api(second.deltaLink));
    assert.deepEqual(third.items, []);
    await graph.act({ act: "delete", user: renamed.id });
    const again = await delta(graph.client.api(first.deltaLink));
    assert.deepEqual(again.items.find(({ id }) => id === renamed.id)["@removed"], { reason: "changed" }, "an older link is still good");
});

test("the client's iterator goes on over empty pages, and from now on means from now on", async (test) => {
    const graph = await emulator(test, "--users", "50", "--page-size", "20");
    await graph.quirks("empty_pages");
    const all = await graph.walk(await graph.client.api("/users/delta").select("id").get());
    assert.equal(all.items.length, 50);
    assert.ok((await graph.requests()).length > 3);
    const latest = await graph.client.api("/users/delta").select("id").query({ $deltatoken: "latest" }).get();
    assert.deepEqual((await graph.walk(latest)).items, []);
});

test("listings come in pages of the size asked for", async (test) => {
    const graph = await emulator(test, "--users", "70");
    const users = await graph.walk(await graph.client.api("/users").select(SELECT).top(25).get());
    assert.equal(new Set(ids(users.items)).size, 70);
    assert.equal((await graph.requests()).length, 3);
    const gone = users.items.slice(0, 5).map(({ id }) => id);
    for (const user of gone) await graph.act({ act: "delete", user });
    const deleted = await graph.walk(await graph.client.api(DELETED).select([...SELECT, "deletedDateTime"]).top(2).get());
    assert.deepEqual(ids(deleted.items), [...gone].sort());
    for (const { id, userPrincipalName, deletedDateTime } of deleted.items) {
        assert.ok(userPrincipalName.startsWith(id.replaceAll("-", "")), "the name is rewritten when somebody is deleted");
        assert.match(deletedDateTime, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    }
    assert.equal((await refused(graph.client.api("/users").top(1000).get())).statusCode, 400);
});

test("a batch answers each part by its id, in whatever order, and throttles each by itself", async (test) => {
    const graph = await emulator(test, "--users", "10");
    const { value } = await graph.client.api("/users").select("id").top(3).get();
    const [live, busy, deleted] = value.map(({ id }) => id);
    await graph.act({ act: "delete", user: deleted });
    await graph.quirks({ name: "throttle", path: busy, seconds: 7 });
    const part = (id, path) => ({ id, request: new Request(graph.url + path) });
    const wanted = { live: `/users/${live}`, busy: `/users/${busy}`, nobody: `/users/${NOBODY}`, gone: `/users/${deleted}`, bin: `${DELETED}/${deleted}` };
    const content = new BatchRequestContent(Object.entries(wanted).map(([id, path]) => part(id, path)));
    const answers = new BatchResponseContent(await graph.client.api("/$batch").post(await content.getContent()));
    const status = Object.fromEntries(Object.keys(wanted).map((id) => [id, answers.getResponseById(id).status]));
    assert.deepEqual(status, { live: 200, busy: 429, nobody: 404, gone: 404, bin: 200 });
    assert.equal((await answers.getResponseById("live").json()).id, live);
    assert.equal(answers.getResponseById("busy").headers.get("Retry-After"), "7");
    assert.equal((await answers.getResponseById("gone").json()).error.code, "Request_ResourceNotFound");
    assert.equal((await answers.getResponseById("bin").json()).id, deleted);
});

for (const { name, style, seconds, atLeast } of [
    { name: "throttle", style: "seconds", seconds: 2, atLeast: 2 },
    { name: "throttle", style: "fraction", seconds: 1.5, atLeast: 1.5 },
    // A date has whole seconds, and the client rounds what is left of them.
    { name: "throttle", style: "date", seconds: 3, atLeast: 1.9 },
    { name: "unavailable", style: "seconds", seconds: 1, atLeast: 1 },
    { name: "unavailable", style: "date", seconds: 3, atLeast: 1.9 },
]) {
    test(`the client waits as it is told and then gets through: ${name}, ${style}`, async (test) => {
        const graph = await emulator(test, "--users", "5");
        await graph.client.api("/users").top(1).get();
        await graph.requests();
        await graph.quirks({ name, style, seconds, times: 1 });
        const began = performance.now();
        const { value } = await graph.client.api("/users").get();
        const took = (performance.now() - began) / 1000;
        assert.equal(value.length, 5);
        const status = name === "throttle" ? 429 : 503;
        assert.deepEqual((await graph.requests()).map(({ status }) => status), [status, 200]);
        assert.ok(took > atLeast - 0.02 && took < seconds + 3, `it took ${took} s`);
    });
}

test("who is throttled for ever is told so", async (test) => {
    const graph = await emulator(test, "--users", "5");
    await graph.quirks({ name: "throttle", seconds: 0 });
    const error = await refused(graph.client.api("/users").get());
    assert.deepEqual([error.statusCode, error.code], [429, "TooManyRequests"]);
    assert.equal((await graph.requests()).length, 4, "once, and three times again");
});

test("an expired delta link shows as such, and its Location begins anew", async (test) => {
    const graph = await emulator(test, "--users", "50", "--page-size", "20");
    const { deltaLink } = await graph.walk(await graph.client.api("/users/delta").select(SELECT).get());
    await graph.quirks("delta_token_expired");
    const gone = await refused(graph.client.api(deltaLink).get());
    assert.deepEqual([gone.statusCode, gone.code], [410, "SyncStateNotFound"]);
    const location = gone.headers.get("Location");
    assert.ok(location.startsWith(`${graph.url}/v1.0/users/delta?`), location);
    const anew = await graph.walk(await graph.client.api(location).get());
    assert.equal(anew.items.length, 50);
    assert.deepEqual((await graph.walk(await graph.client.api(anew.deltaLink).get())).items, []);

    await graph.quirks({ name: "delta_token_expired", style: "bad_request" });
    const bad = await refused(graph.client.api(deltaLink).get());
    assert.deepEqual([bad.statusCode, bad.code], [400, "syncStateNotFound"]);

    await graph.quirks("page_token_expired");
    const first = await graph.client.api("/users").top(20).get();
    const expired = await refused(graph.walk(first));
    assert.deepEqual([expired.statusCode, expired.code], [400, "Directory_ExpiredPageToken"]);
});

test("filters and keys are read as the client escapes them", async (test) => {
    const graph = await emulator(test, "--users", "20");
    const guest = "ann_y.test#EXT#@contoso.onmicrosoft.com";
    for (const upn of ["o'hara@x.test", "ann+tag@x.test", guest]) await graph.act({ act: "create", upn });
    await graph.act({ act: "set_addresses", user: "o'hara@x.test", mail: "o'hara@x.test", proxies: ["SMTP:o'hara@x.test", "smtp:alias@x.test"] });
    const group = await graph.act({ act: "create_group", display_name: "Sales", mail: "sales@x.test" });
    const quoted = (text) => `'${encodeURIComponent(text.replaceAll("'", "''"))}'`;
    const find = async (set, filter) =>
        (await graph.client.api(set).header("ConsistencyLevel", "eventual").select(SELECT).filter(filter).get()).value;

    for (const upn of ["o'hara@x.test", "ann+tag@x.test", guest]) {
        assert.deepEqual(upns(await find("/users", `userPrincipalName eq ${quoted(upn)}`)), [upn]);
        assert.equal((await graph.client.api(`/users/${encodeURIComponent(upn)}`).get()).userPrincipalName, upn);
    }
    assert.deepEqual(await find("/users", `userPrincipalName eq ${quoted("nobody@x.test")}`), []);
    assert.equal((await find("/users", `mail eq ${quoted("o'hara@x.test")}`)).length, 1);
    for (const filter of [
        `proxyAddresses/any(p:p eq ${quoted("smtp:alias@x.test")})`,
        `proxyAddresses/any(address:address eq ${quoted("SMTP:o'hara@x.test")})`,
        `proxyAddresses/any(x: x eq ${quoted("smtp:alias@x.test")}) or proxyAddresses/any(x: x eq ${quoted("SMTP:alias@x.test")})`,
    ]) {
        assert.deepEqual(upns(await find("/users", filter)), ["o'hara@x.test"], filter);
    }
    const groups = await graph.client.api("/groups").select("id,mail").filter(`proxyAddresses/any(p:p eq ${quoted("smtp:sales@x.test")})`).get();
    assert.deepEqual(ids(groups.value), [group]);
    const error = await refused(graph.client.api("/users").filter("nose eq 'x'").get());
    assert.equal(error.statusCode, 400);
});

test("errors have the shape that the client takes apart", async (test) => {
    const graph = await emulator(test, "--users", "5");
    const missing = await refused(graph.client.api(`/users/${NOBODY}`).get());
    assert.deepEqual([missing.statusCode, missing.code], [404, "Request_ResourceNotFound"]);
    assert.match(missing.message, new RegExp(NOBODY));
    assert.match(missing.requestId, /^[0-9a-f-]{36}$/);
    assert.ok(Math.abs(missing.date - Date.now()) < 2 * 86_400_000, `${missing.date}`);
    assert.equal(JSON.parse(missing.body).innerError["request-id"], missing.requestId);

    const taken = { accountEnabled: true, displayName: "Ann", mailNickname: "ann", userPrincipalName: "ann.lee@x.test" };
    const created = await graph.client.api("/users").post(taken);
    assert.equal(created.userPrincipalName, "ann.lee@x.test");
    const conflict = await refused(graph.client.api("/users").post(taken));
    assert.deepEqual([conflict.statusCode, conflict.code], [400, "Request_BadRequest"]);
    assert.equal(JSON.parse(conflict.body).details[0].code, "ObjectConflict");
    assert.equal(await graph.client.api(`/users/${created.id}`).delete(), undefined);

    await graph.quirks({ name: "unauthorized", times: 1 });
    assert.equal((await refused(graph.client.api("/users").get())).code, "InvalidAuthenticationToken");
    await graph.quirks({ name: "forbidden", times: 1 });
    assert.equal((await refused(graph.client.api("/users").get())).code, "Authorization_RequestDenied");
});

test("the client keeps its token from a host that it was not told of", async (test) => {
    const graph = await emulator(test, "--users", "5");
    const error = await refused(graph.clientFor(new Set(["graph.example"])).api("/users").get());
    assert.deepEqual([error.statusCode, error.code], [401, "InvalidAuthenticationToken"]);
    assert.deepEqual((await graph.requests()).map(({ had_token }) => had_token), [false]);
});
