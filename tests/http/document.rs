//! The OpenAPI document is the committed one, and no route is without it.

use std::fs;
use std::path::Path;

use reqwest::Method;
use serde_json::{Value, json};

use super::served::{Served, T, token};
use super::world::World;

/// The routes that answer whoever asks, or lead to pages, and are told in CONTRACT.md instead.
const OUTSIDE: [&str; 4] = ["/healthz", "/readyz", "/metrics", "/openapi.json"];

#[test]
fn the_document_is_the_committed_one() {
    let world = World::new();
    let served = Served::of(&world);
    let document = served.ask(Method::GET, "/openapi.json", None, None).with(200);
    let text = serde_json::to_string_pretty(&document).unwrap() + "\n";
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json");
    if std::env::var_os("WHOWAS_BLESS").is_some() {
        fs::write(&file, &text).unwrap();
    }
    let committed = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        committed == text,
        "docs/openapi.json is not what the service says of itself; WHOWAS_BLESS=1 cargo test --test http document writes it anew"
    );
    assert_eq!(document["openapi"], "3.1.0");
}

#[test]
fn every_route_of_the_contract_is_there() {
    let document: Value = serde_json::from_str(
        &fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json")).unwrap(),
    )
    .unwrap();
    let t = "/v1/tenants/{t}";
    let routes = [
        ("post", format!("{t}/checks")),
        ("get", format!("{t}/names/{{name}}")),
        ("get", format!("{t}/names/{{name}}/history")),
        ("get", format!("{t}/objects/{{id}}")),
        ("post", format!("{t}/snapshots")),
        ("get", format!("{t}/snapshots")),
        ("get", format!("{t}/snapshots/{{chain}}/{{snapshot}}")),
        ("delete", format!("{t}/snapshots/{{chain}}/{{snapshot}}")),
        ("post", format!("{t}/snapshots/{{chain}}/{{snapshot}}/receipt")),
        ("get", format!("{t}/findings")),
        ("get", format!("{t}/findings/{{id}}")),
        ("post", format!("{t}/findings/{{id}}/acknowledge")),
        ("post", format!("{t}/findings/{{id}}/resolve")),
        ("get", format!("{t}/chains/{{c}}/plan")),
        ("post", format!("{t}/restore-checks")),
        ("get", format!("{t}/reuse")),
        ("post", format!("{t}/syncs")),
        ("get", format!("{t}/syncs")),
        ("get", format!("{t}/syncs/{{run}}")),
        ("get", "/v1/status".to_owned()),
        ("get", format!("{t}/journal")),
        ("get", format!("{t}/checkpoint")),
    ];
    for (method, path) in routes {
        let operation = &document["paths"][&path][method];
        assert!(operation["x-whowas-roles"].as_array().is_some_and(|roles| !roles.is_empty()), "{method} {path}");
        assert!(operation["operationId"].is_string() && operation["summary"].is_string(), "{method} {path}");
    }
}

#[test]
fn a_body_is_needed_where_the_document_says_so_and_nowhere_else() {
    let mut world = World::new();
    world.at("8:00");
    world.create("ann");
    world.poll();
    let served = Served::of(&world);
    let admin = token(&world, "admin", &[]);
    let document = served.ask(Method::GET, "/openapi.json", None, None).with(200);
    let mut free = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let Some(body) = item["post"].get("requestBody") else { continue };
        let is_needed = body["required"] == true;
        let id = "00000000000000000000000000000000";
        let place = path.replace("{t}", "x").replace("{id}", id).replace("{chain}", "c").replace("{snapshot}", "1");
        let ask = |kind: Option<&str>, body: &'static str| {
            let mut request = served.client.post(format!("{}{place}", served.url)).bearer_auth(&admin).body(body);
            if let Some(kind) = kind {
                request = request.header("content-type", kind);
            }
            let answer = served.send(request);
            (answer.status.as_u16(), answer.json()["code"].as_str().unwrap_or_default().to_owned())
        };
        assert_eq!(ask(Some("text/plain"), "{}"), (415, "unsupported_media_type".to_owned()), "{path}");
        for kind in [None, Some("application/json"), Some("application/x-www-form-urlencoded")] {
            let (status, code) = ask(kind, "");
            let is_refused = [400, 415].contains(&status);
            assert_eq!(is_refused, is_needed, "{path} without a body, as {kind:?}: {status} {code}");
        }
        assert_eq!(ask(Some("application/json"), "{").0, 400, "{path}");
        if !is_needed {
            free.push(path.rsplit('/').next().unwrap());
        }
    }
    assert_eq!(free, ["acknowledge", "resolve", "syncs"]);
}

#[test]
fn ids_are_as_long_as_the_document_says_and_no_longer() {
    let mut world = World::new();
    world.at("8:00");
    world.poll();
    let served = Served::of(&world);
    let agent = token(&world, "agent", &[]);
    let document = served.ask(Method::GET, "/openapi.json", None, None).with(200);
    for (schema, field) in [("ChainId", "chain"), ("SnapshotId", "snapshot")] {
        let longest = document["components"]["schemas"][schema]["maxLength"].as_u64().unwrap() as usize;
        let record = |length: usize| {
            let (from, until) = (world.time("7:00"), world.time("7:01"));
            let mut body = json!({"chain": "c", "snapshot": "1", "from": from, "until": until, "name": "ann@x.test"});
            body[field] = json!("a".repeat(length));
            let now = world.now().to_string();
            served.ask_at(Some(&now), Method::POST, &format!("{T}/snapshots"), Some(&agent), Some(&body))
        };
        record(longest).with(200);
        record(longest + 1).problem(400, "invalid_body");
    }
}

/// A route that is registered without `routes!` would have neither a right nor a place in the document.
#[test]
fn no_route_is_registered_beside_the_document() {
    let http = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http");
    let mut seen = Vec::new();
    for file in
        fs::read_dir(http.join("api")).unwrap().map(|entry| entry.unwrap().path()).chain([http.join("router.rs")])
    {
        let text = fs::read_to_string(&file).unwrap();
        for (at, _) in text.match_indices(".route(\"") {
            let path = text[at + 8..].split('"').next().unwrap().to_owned();
            assert!(OUTSIDE.contains(&path.as_str()), "{} registers {path} without `routes!`", file.display());
            seen.push(path);
        }
        // The API's own table guards each of its routes.
        if file.ends_with("api/mod.rs") {
            let (all, guarded) = (text.matches("routes!(").count(), text.matches(".routes(guarded(routes!(").count());
            assert_eq!(all, guarded, "a route in {} is not guarded", file.display());
            assert!(all > 20);
        }
    }
    seen.sort();
    assert_eq!(seen, {
        let mut all = OUTSIDE.map(str::to_owned);
        all.sort();
        all
    });
    assert_eq!(T, "/v1/tenants/x");
}
