//! A backup, a reuse and an audit, asked over HTTP alone: every route answers, and says what the command line says.

use reqwest::Method;
use serde_json::{Value, json};

use super::served::{Served, T, token};
use super::world::{World, wait_until};

/// Ann had a name that now is Bob's; the same chain was read by that name from both.
struct Place {
    world: World,
    served: Served,
    admin: String,
    ann: String,
    bob: String,
}

impl Place {
    fn new() -> Self {
        let mut world = World::new();
        world.at("8:00");
        let (ann, cat) = (world.create("sam"), world.create("cat"));
        let served = Served::of(&world);
        let admin = token(&world, "admin", &["--label", "tests"]);
        let place = Self { world, served, admin, ann: ann.to_string(), bob: String::new() };
        place.sync(&json!({}), "08:00");
        let mut place = place;
        place.world.at("8:30");
        place.sync(&json!({}), "8:30");
        place.world.at("9:00");
        place.world.rename(ann, "ann");
        let bob = place.world.create("sam");
        place.bob = bob.to_string();
        place.sync(&json!({"reconcile": true}), "9:00");
        assert_ne!(cat, bob);
        place
    }

    fn now(&self, clock: &str) -> String {
        self.world.time(clock).to_string()
    }

    fn get(&self, path: &str) -> Value {
        let now = self.world.now().to_string();
        self.served.ask_at(Some(&now), Method::GET, path, Some(&self.admin), None).with(200)
    }

    fn post(&self, path: &str, body: &Value) -> super::served::Answer {
        let now = self.world.now().to_string();
        self.served.ask_at(Some(&now), Method::POST, path, Some(&self.admin), Some(body))
    }

    /// A sync on demand, waited for to its end.
    fn sync(&self, body: &Value, clock: &str) -> Value {
        let now = self.now(clock);
        let path = format!("{T}/syncs");
        let begun = self.served.ask_at(Some(&now), Method::POST, &path, Some(&self.admin), Some(body));
        let run = begun.with(202);
        assert_eq!(run["trigger"], "demand", "{run}");
        let place = begun.headers["location"].to_str().unwrap().to_owned();
        let mut newest = Value::Null;
        wait_until("the run ends", || {
            let status = self.get("/v1/status");
            newest = self.get(&place);
            status["tenants"][0]["running"].is_null() && newest["outcome"] != "running"
        });
        assert_eq!(newest["outcome"], "completed", "{newest}");
        newest
    }

    fn snapshot(&self, id: &str, from: &str, until: &str) -> Value {
        let (from, until) = (self.now(from), self.now(until));
        json!({"chain": "sam@x.test", "snapshot": id, "from": from, "until": until, "name": "sam@x.test"})
    }
}

#[test]
fn a_name_that_passed_on_is_caught_over_http_and_the_auditor_sees_all_of_it() {
    let mut place = Place::new();
    place.world.at("9:30");
    place.sync(&json!({}), "9:30");

    // The agent records what its old product has; the array is taken as a whole.
    let batch = json!([place.snapshot("1", "8:20", "8:21"), place.snapshot("2", "9:16", "9:17")]);
    let added = place.post(&format!("{T}/snapshots"), &batch).with(200);
    assert_eq!(added.as_array().unwrap().len(), 2);
    let again = place.post(&format!("{T}/snapshots"), &batch[0]).with(200);
    assert_eq!(again, added[0]);
    let mut other = place.snapshot("2", "9:16", "9:18");
    place.post(&format!("{T}/snapshots"), &other).problem(409, "snapshot_conflict");
    other["snapshot"] = json!("3");
    other["until"] = json!("yesterday");
    let refused = place.post(&format!("{T}/snapshots"), &json!([batch[0], other])).problem(400, "invalid_body");
    assert!(refused["detail"].as_str().unwrap().contains("snapshot 1 of the array"), "{refused}");
    other["until"] = json!("2099-01-01T00:00:00Z");
    let refused = place.post(&format!("{T}/snapshots"), &json!([batch[0], other])).problem(400, "invalid_body");
    assert!(refused["detail"].as_str().unwrap().contains("lies after the present"), "{refused}");
    place.post(&format!("{T}/snapshots"), &json!({"chain": "c"})).problem(400, "invalid_body");
    assert_eq!(place.get(&format!("{T}/snapshots?chain=sam@x.test"))["items"].as_array().unwrap().len(), 2);

    // By name, by id, many at once.
    let asked = json!({"chain": "sam@x.test", "name": "sam@x.test"});
    let verdict = place.post(&format!("{T}/checks?verify=true"), &asked).with(200);
    assert_eq!((&verdict["verdict"], &verdict["action"]), (&json!("mismatch"), &json!("stop")), "{verdict}");
    let several = json!([{"object": place.ann}, {"object": place.bob}, {"name": "nobody@x.test"}, {"what": 1}, asked]);
    let verdicts = place.post(&format!("{T}/checks"), &several).with(200);
    assert_eq!(verdicts[0]["object"], json!(place.ann));
    assert_eq!(verdicts[1]["verdict"], "baseline");
    assert_eq!(verdicts[2]["verdict"], "unknown");
    assert_eq!(verdicts[3]["index"], 3);
    // The read of a moment ago still counts as made now.
    assert_eq!(verdicts[4]["verdict"], "mismatch");
    assert_eq!(place.post(&format!("{T}/checks"), &json!([])).with(200), json!([]));
    let basis = &verdict["basis"]["sequence"];
    let replayed = place.post(&format!("{T}/checks?basis={basis}"), &json!({"object": place.bob})).with(200);
    assert_eq!(&replayed["basis"]["sequence"], basis);
    place.post(&format!("{T}/checks?basis=99999"), &asked).problem(404, "unknown_commit");
    place.post(&format!("{T}/checks?basis=1&verify=true"), &asked).problem(400, "invalid_parameter");
    place.post(&format!("{T}/checks"), &json!({})).problem(400, "invalid_body");

    // What the auditor sees.
    let who = place.get(&format!("{T}/names/SAM@x.test?at={}&kind=upn", place.now("8:22")));
    assert_eq!((&who["holder"], &who["confidence"]), (&json!(place.ann), &json!("certain")), "{who}");
    let history = place.get(&format!("{T}/names/sam@x.test/history"));
    let holders = history["holders"].as_array().unwrap();
    assert!([&place.ann, &place.bob].iter().all(|id| holders.iter().any(|holder| holder["object"] == **id)));
    assert_eq!(place.get(&format!("{T}/objects/{}", place.ann))["state"], "active");
    let reuse = place.get(&format!("{T}/reuse?limit=1"));
    assert_eq!(reuse["items"][0]["name"], "sam@x.test", "{reuse}");
    let findings = place.get(&format!("{T}/findings?severity=critical&state=open"));
    let finding = &findings["items"][0];
    assert_eq!(finding["kind"], "mixed_chain", "{findings}");
    let id = finding["id"].as_str().unwrap();
    let path = format!("{T}/findings/{id}");
    let seen = place.post(&format!("{path}/acknowledge"), &json!({"note": "looking"})).with(200);
    assert_eq!(seen["state"], "acknowledged");
    assert!(seen["history"][1]["by"].as_str().unwrap().starts_with("tests (token "), "{seen}");
    assert_eq!(place.post(&format!("{path}/resolve"), &json!({"by": "Eve"})).with(200)["state"], "resolved");
    assert_eq!(place.get(&path)["state"], "resolved");
    let plan = place.get(&format!("{T}/chains/sam@x.test/plan"));
    assert_eq!(plan["segments"].as_array().unwrap().len(), 2, "{plan}");

    // A restore to the wrong person is stopped, and a receipt decides over the name.
    let restore = |to: &str| json!({"chain": "sam@x.test", "snapshot": "1", "to": to});
    let verdict = place.post(&format!("{T}/restore-checks"), &restore(&place.bob)).with(200);
    assert_eq!((&verdict["verdict"], &verdict["action"]), (&json!("different_owner"), &json!("stop")));
    let verdict = place.post(&format!("{T}/restore-checks?verify=true"), &restore(&place.ann)).with(200);
    assert_eq!(verdict["action"], "proceed", "{verdict}");
    let path = format!("{T}/snapshots/sam@x.test/2");
    let receipt = json!({"object": place.bob, "object_end": place.bob});
    let received = place.post(&format!("{path}/receipt"), &receipt).with(200);
    assert_eq!(received["attribution"]["owner"], json!(place.bob));
    assert_eq!(place.get(&path), received);
    let expired = place.served.ask(Method::DELETE, &path, Some(&place.admin), None).with(200);
    assert_eq!(expired["expired"], true);

    // The journal leads to the checkpoint, hash by hash.
    let journal = place.served.ask(Method::GET, &format!("{T}/journal?from=1"), Some(&place.admin), None);
    let entries: Vec<Value> = journal.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(entries.len() > 5);
    assert!(entries.windows(2).all(|pair| pair[0]["hash"] == pair[1]["previous"]));
    let checkpoint = place.get(&format!("{T}/checkpoint"));
    assert_eq!(checkpoint["hash"], entries.last().unwrap()["hash"]);
    assert!(journal.text.contains("\"fact\":\"snapshot_taken\"") && !journal.text.contains("deltatoken"));

    // And who asked is known, by the name asked about too.
    let looks = place.get("/v1/access?name=SAM@X.test&limit=1000");
    let looks = looks["items"].as_array().unwrap();
    assert!(looks.iter().any(|look| look["route"] == "/v1/tenants/{t}/names/{name}"), "{looks:?}");
    assert!(looks.iter().any(|look| look["route"] == "/v1/tenants/{t}/checks"), "{looks:?}");
    let runs = place.get(&format!("{T}/syncs?limit=1"));
    let next = runs["cursor"].as_str().unwrap();
    assert_ne!(place.get(&format!("{T}/syncs?limit=1&cursor={next}"))["items"], runs["items"]);

    // Nothing of it is in the service's own log.
    let now = place.get("/v1/status");
    let (code, said) = place.served.stop();
    assert_eq!(code, Some(0), "{said}");
    for secret in [place.admin.as_str(), "sam@x.test", "nobody@x.test", "ann@x.test"] {
        assert!(!said.contains(secret), "{secret} in {said}");
    }
    let mut status = place.world.run(&["status"]).done();
    // What is due is for those who keep a schedule.
    status["tenants"][0]["next_sync"] = Value::Null;
    status["ledger"]["bytes"] = now["ledger"]["bytes"].clone();
    assert_eq!(status, now);
    place.world.verify();
}

#[test]
fn one_sync_at_a_time_and_who_comes_second_is_told_of_the_first() {
    let mut world = World::new();
    world.at("8:00");
    for number in 0..30 {
        world.create(&format!("user{number}"));
    }
    world.quirks([whowas::graph::emulator::Quirk::new(whowas::graph::emulator::QuirkName::SlowBody)]);
    let served = Served::of(&world);
    let sync = token(&world, "sync", &[]);
    let ask = || served.ask(Method::POST, &format!("{T}/syncs"), Some(&sync), Some(&json!({})));
    let first = ask().with(202);
    assert_eq!((&first["run"], &first["outcome"]), (&json!(1), &json!("running")));
    let second = ask().problem(409, "sync_running");
    assert_eq!(second["running"]["run"], 1, "{second}");
    world.no_quirks();
    let path = format!("{T}/syncs/1");
    wait_until("it is done", || served.ask(Method::GET, &path, Some(&sync), None).with(200)["outcome"] == "completed");
    served.ask(Method::GET, &format!("{T}/syncs/77"), Some(&sync), None).problem(404, "unknown_run");
    let accept = json!({"accept": 1});
    served.ask(Method::POST, &format!("{T}/syncs"), Some(&sync), Some(&accept)).problem(409, "not_held");
    let both = json!({"accept": 1, "full": true});
    served.ask(Method::POST, &format!("{T}/syncs"), Some(&sync), Some(&both)).problem(400, "invalid_body");
}

#[test]
fn a_held_round_is_seen_and_accepted_over_http() {
    let mut world = World::new();
    world.configure("guard = { removals = 2 }");
    world.at("8:00");
    let ids: Vec<_> = (0..30).map(|number| world.create(&format!("user{number}"))).collect();
    world.poll();
    world.at("9:00");
    ids.iter().take(10).for_each(|id| world.delete(*id));
    let served = Served::of(&world);
    let admin = token(&world, "admin", &[]);
    let post = |body: Value| served.ask(Method::POST, &format!("{T}/syncs"), Some(&admin), Some(&body));
    let run = post(json!({})).with(202)["run"].clone();
    let status = || served.ask(Method::GET, "/v1/status", Some(&admin), None).with(200)["tenants"][0].clone();
    wait_until("it is held", || status()["held"][0]["run"] == run);
    assert_eq!(post(json!({"reject": run})).with(200)["run"], run);
    wait_until("nothing runs", || status()["running"].is_null());
    post(json!({"accept": run})).with(202);
    wait_until("it is let pass", || status()["held"] == json!([]) && status()["objects"]["active"] == 20);
}
