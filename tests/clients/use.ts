// Uses the types that openapi-typescript makes of the service's document, with openapi-fetch, as a backup agent's author would.
//
// Takes from the environment: WHOWAS_URL, WHOWAS_TOKEN (an admin's), WHOWAS_AGENT_TOKEN, and WHOWAS_OBJECT, a user's id.
import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

type Snapshot = components["schemas"]["SnapshotRequest"];

const TENANT = "emulated";
const UNKNOWN = "00000000-0000-4000-8000-00000000dead";

function needed(name: string): string {
    const value = process.env[name];
    assert(value, `${name} is not set`);
    return value;
}

function clientWith(token: string) {
    return createClient<paths>({ baseUrl: needed("WHOWAS_URL"), headers: { Authorization: `Bearer ${token}` } });
}

const client = clientWith(needed("WHOWAS_TOKEN"));
const someone = needed("WHOWAS_OBJECT");

const status = await client.GET("/v1/status");
assert.deepEqual(status.data?.tenants.map((tenant) => tenant.alias), [TENANT]);
assert.equal(status.data?.tenants[0]?.objects.active, 30);

const params = { path: { t: TENANT } };
const ask = { object: someone, chain: "ts/1" };
const one = await client.POST("/v1/tenants/{t}/checks", { params, body: ask });
assert(one.data && "verdict" in one.data);
assert.deepEqual([one.data.verdict, one.data.action, one.data.open], ["baseline", "full", `/users/${someone}`]);

// Several in one request are answered in their order.
const several = await client.POST("/v1/tenants/{t}/checks", { params, body: [ask, { object: UNKNOWN }] });
assert(Array.isArray(several.data));
assert.deepEqual(several.data.map((answer) => ("verdict" in answer ? answer.verdict : answer.error)), ["baseline", "unknown"]);

const taken = "2026-03-02T10:00:00Z";
const snapshot: Snapshot = { chain: "ts/1", snapshot: "rp 1", from: taken, until: taken, object: someone };
const added = await client.POST("/v1/tenants/{t}/snapshots", { params, body: snapshot });
assert(added.data && "snapshot" in added.data, JSON.stringify(added.error));
const key = { t: TENANT, chain: "ts/1", snapshot: "rp 1" };
const shown = await client.GET("/v1/tenants/{t}/snapshots/{chain}/{snapshot}", { params: { path: key } });
assert.deepEqual(shown.data, added.data);
assert.deepEqual([shown.data?.attribution.owner, shown.data?.from], [someone, taken]);

// What is refused is told as a problem with its code.
const missing = await client.GET("/v1/tenants/{t}/snapshots/{chain}/{snapshot}", {
    params: { path: { ...key, snapshot: "none" } },
});
assert.deepEqual([missing.response.status, missing.error?.code], [404, "unknown_snapshot"]);
const agent = clientWith(needed("WHOWAS_AGENT_TOKEN"));
const refused = await agent.GET("/v1/tenants/{t}/names/{name}", {
    params: { path: { t: TENANT, name: "user00001@x.test" } },
});
assert.deepEqual([refused.response.status, refused.error?.code], [403, "role_forbidden"]);
const unknown = await clientWith("whowas_nobody").GET("/v1/status");
assert.deepEqual([unknown.response.status, unknown.error?.code], [401, "unauthenticated"]);
console.log("typescript: asked, recorded, looked at, refused");
