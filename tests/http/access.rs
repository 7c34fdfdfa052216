//! Nobody gets through who should not: every route of the document with every wrong token.

use reqwest::Method;
use serde_json::{Value, json};

use super::served::{Served, token};
use super::world::World;

/// A tenant that the other one's tokens are not for.
const OTHER: &str = "11111111-2222-4333-8444-555555555555";

struct Route {
    method: Method,
    path: String,
    roles: Vec<String>,
}

/// The routes of the document, with something in every place.
fn routes(served: &Served) -> Vec<Route> {
    let document = served.ask(Method::GET, "/openapi.json", None, None).with(200);
    let mut routes = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let mut filled = path.replace("{t}", "x");
            for (place, value) in [
                ("{name}", "ann@x.test"),
                ("{id}", "00000000000000000000000000000000"),
                ("{chain}", "c"),
                ("{snapshot}", "1"),
                ("{c}", "c"),
                ("{run}", "1"),
            ] {
                filled = filled.replace(place, value);
            }
            let roles = operation["x-whowas-roles"].as_array().unwrap();
            let roles = roles.iter().map(|role| role.as_str().unwrap().to_owned()).collect();
            routes.push(Route { method: method.to_uppercase().parse().unwrap(), path: filled, roles });
        }
    }
    assert!(routes.len() > 20);
    routes
}

#[test]
fn every_route_refuses_every_wrong_token_and_lets_every_right_one_in() {
    let mut world = World::new();
    world.at("8:00");
    world.create("ann");
    world.poll();
    let served = Served::of(&world);
    let all = ["agent", "sync", "auditor", "admin"].map(|role| (role, token(&world, role, &[])));
    let own = ["agent", "sync", "auditor", "admin"].map(|role| (role, token(&world, role, &["--tenant", "x"])));
    let other = ["agent", "sync", "auditor", "admin"].map(|role| (role, token(&world, role, &["--tenant", OTHER])));
    let revoked = token(&world, "admin", &[]);
    let id = {
        let listed = world.run(&["token", "list"]).done();
        listed["items"].as_array().unwrap().last().unwrap()["id"].as_str().unwrap().to_owned()
    };
    // It was good until now.
    served.ask(Method::GET, "/v1/status", Some(&revoked), None).with(200);
    world.run(&["token", "revoke", &id]).done();
    let expired = token(&world, "admin", &["--lasts", "0s"]);
    for Route { method, path, roles } in routes(&served) {
        let ask = |token: Option<&str>| {
            let body = (method == Method::POST).then(|| json!({}));
            served.ask(method.clone(), &path, token, body.as_ref())
        };
        let what = format!("{method} {path}");
        ask(None).problem(401, "unauthenticated");
        ask(Some("whowas_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")).problem(401, "unauthenticated");
        ask(Some(&revoked)).problem(401, "token_revoked");
        ask(Some(&expired)).problem(401, "token_expired");
        for (role, token) in &all {
            let answer = ask(Some(token));
            if roles.iter().any(|allowed| allowed == role) {
                assert!(![401, 403].contains(&answer.status.as_u16()), "{what} as {role}: {}", answer.text);
                assert!(answer.status.as_u16() < 500, "{what} as {role}: {}", answer.text);
            } else {
                answer.problem(403, "role_forbidden");
            }
        }
        for (role, token) in other.iter().filter(|(role, _)| roles.iter().any(|allowed| allowed == role)) {
            let answer = ask(Some(token));
            if path.starts_with("/v1/tenants/") {
                let problem = answer.problem(403, "tenant_forbidden");
                assert!(!problem.to_string().contains("0e1d6a3e"), "{what} as {role}: {problem}");
            } else {
                // What is about all tenants shows nothing of the others.
                let text = answer.with(200).to_string();
                assert!(!text.contains("0e1d6a3e"), "{what} as {role}: {text}");
            }
        }
        for (role, token) in own.iter().filter(|(role, _)| roles.iter().any(|allowed| allowed == role)) {
            let answer = ask(Some(token));
            assert!(![401, 403].contains(&answer.status.as_u16()), "{what} as {role}: {}", answer.text);
        }
    }
    // A tenant that is not there looks the same to those who are not for it.
    let (_, stranger) = &other[2];
    let there = served.ask(Method::GET, "/v1/tenants/x/reuse", Some(stranger), None).problem(403, "tenant_forbidden");
    let gone = served.ask(Method::GET, "/v1/tenants/y/reuse", Some(stranger), None).problem(403, "tenant_forbidden");
    assert_eq!(there["detail"].as_str().unwrap().replace("\"x\"", "\"y\""), gone["detail"].as_str().unwrap());
    served.ask(Method::GET, "/v1/tenants/y/reuse", Some(&all[2].1), None).problem(404, "unknown_tenant");
    // The metrics name all tenants, so whoever may ask about some only does not see them.
    served.ask(Method::GET, "/metrics", Some(&own[2].1), None).problem(403, "tenant_forbidden");
    assert_eq!(served.ask(Method::GET, "/metrics", Some(&all[0].1), None).status, 200);
    let counted = served.ask(Method::GET, "/metrics", None, None).text;
    let denied =
        counted.lines().find(|line| line.starts_with("whowas_access_denied_total{reason=\"tenant_forbidden\"}"));
    assert!(denied.is_some_and(|line| !line.ends_with(" 0")), "{denied:?}");
    // All of it stands in the log, with whose token it was and without what it was.
    let log: Vec<Value> = std::fs::read_dir(world.file("ledger.access/log"))
        .unwrap()
        .flat_map(|day| {
            let text = std::fs::read_to_string(day.unwrap().path()).unwrap();
            text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect::<Vec<_>>()
        })
        .collect();
    assert!(log.iter().any(|entry| entry["status"] == 401 && entry["token"].is_null()));
    assert!(log.iter().any(|entry| entry["status"] == 403 && entry["role"] == "agent"));
    let text = serde_json::to_string(&log).unwrap();
    assert!(!text.contains("ann@x.test") && !text.contains("whowas_"), "the log tells too much");
}

#[test]
fn a_token_makes_no_more_requests_than_it_may_and_others_are_none_the_worse() {
    let mut world = World::new();
    world.at("8:00");
    let config = std::fs::read_to_string(world.file("whowas.toml")).unwrap();
    std::fs::write(world.file("whowas.toml"), format!("[server]\nrequests_per_second = 1\nburst = 3\n{config}"))
        .unwrap();
    let served = Served::of(&world);
    let (eager, calm) = (token(&world, "auditor", &[]), token(&world, "auditor", &[]));
    let ask = |token: &str| served.ask(Method::GET, "/v1/status", Some(token), None);
    (0..3).for_each(|_| drop(ask(&eager).with(200)));
    let refused = (0..3).map(|_| ask(&eager)).find(|answer| answer.status == 429).unwrap();
    refused.problem(429, "rate_limited");
    assert!(refused.headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap() >= 1);
    ask(&calm).with(200);
}
