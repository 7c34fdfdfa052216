//! Imports through the service: what they may claim, that order does not matter, that nothing is half applied.
#![cfg(feature = "graph")]
#![expect(clippy::unwrap_used, reason = "the helpers of a test fail it")]

use std::io::Cursor;
use std::ops::ControlFlow;

use proptest::prelude::*;
use serde_json::{Value, json};
use whowas::clock::Clock;
use whowas::domain::fact::*;
use whowas::domain::id::{ObjectId, TenantId};
use whowas::domain::name::NameKind;
use whowas::domain::time::Instant;
use whowas::domain::verdict::Policy;
use whowas::import::What;
use whowas::ledger::{Batch, KnownAt, Ledger, Stamp};
use whowas::service::Desk;
use whowas::service::history::{of_name, of_object};
use whowas::service::import::{How, Imported, LINES_A_COMMIT, import};
use whowas::service::snapshot::show;
use whowas::store::memory::MemoryStore;

const A: &str = "7e06b566-15f3-4013-8bf8-79874d52e68a";
const B: &str = "7e06b566-15f3-4013-8bf8-79874d52e68b";
const LAG: std::time::Duration = std::time::Duration::from_secs(300);

fn at(text: &str) -> Instant {
    text.parse().unwrap()
}

fn desk() -> Desk {
    let tenant: TenantId = "b0f2a1c4-0000-4000-8000-000000000001".parse().unwrap();
    let clock = Clock::new(Some(at("2026-06-01T00:00:00Z")));
    Desk { ledger: Ledger::new(MemoryStore::new()), tenant, policy: Policy::default(), clock }
}

fn import_all(desk: &Desk, what: What, text: &str, skip_bad: bool) -> Imported {
    import(desk, what, &mut Cursor::new(text.as_bytes().to_vec()), skip_bad, &mut |_| ControlFlow::Continue(()))
        .unwrap()
}

#[track_caller]
fn added(desk: &Desk, what: What, text: &str) -> u64 {
    let imported = import_all(desk, what, text, false);
    assert!(imported.rejected.is_empty(), "{imported:?}");
    imported.added
}

fn snapshot(chain: &str, id: &str, hour: u32, name: &str) -> String {
    let time = format!("2026-03-01T{hour:02}:00:00Z");
    json!({"chain": chain, "snapshot": id, "from": time, "until": time, "name": format!("{name}@x.test")}).to_string()
}

fn profile(day: &str, object: &str, name: &str) -> String {
    let name = format!("{name}@x.test");
    json!({"observed_at": format!("{day}T00:00:00Z"), "object": object, "upn": name, "mail": name,
        "proxies": [format!("SMTP:{name}")]})
    .to_string()
}

fn rename(time: &str, object: &str, old: &str, new: &str) -> String {
    let value = |name: &str| format!("[\"{name}@x.test\"]");
    json!({"id": format!("{object}/{time}"), "activityDisplayName": "Update user", "result": "success",
        "activityDateTime": time, "loggedByService": "Core Directory", "targetResources": [{"id": object, "type": "User",
        "modifiedProperties": [{"displayName": "UserPrincipalName", "oldValue": value(old), "newValue": value(new)}]}]})
    .to_string()
}

/// Confidence and holder of a name at a time.
fn who(desk: &Desk, name: &str, time: &str) -> (String, Option<ObjectId>) {
    who_as(desk, name, NameKind::Any, time)
}

fn who_as(desk: &Desk, name: &str, kind: NameKind, time: &str) -> (String, Option<ObjectId>) {
    let name = format!("{name}@x.test").parse().unwrap();
    let (now, time) = (desk.clock.now(), Some(at(time)));
    let who = desk.ledger.who(desk.tenant, &name, kind, time, KnownAt::Now, now).unwrap();
    (json!(who.standing.confidence).as_str().unwrap().to_owned(), who.standing.holder)
}

fn held(word: &str, object: &str) -> (String, Option<ObjectId>) {
    (word.to_owned(), Some(object.parse().unwrap()))
}

#[test]
fn two_exports_give_assumed_between_and_never_more() {
    let desk = desk();
    added(&desk, What::Profiles, &profile("2026-01-01", A, "ann"));
    added(&desk, What::Profiles, &profile("2026-03-01", A, "ann"));
    assert_eq!(who(&desk, "ann", "2026-02-01T00:00:00Z"), held("assumed", A));
    // A third one shows another name, and another holder of this one.
    let third = [profile("2026-05-01", A, "ann.old"), profile("2026-05-01", B, "ann")].join("\n");
    added(&desk, What::Profiles, &third);
    assert_eq!(who(&desk, "ann", "2026-02-01T00:00:00Z"), held("assumed", A));
    assert_eq!(who(&desk, "ann", "2026-04-01T00:00:00Z").0, "ambiguous");
    assert_eq!(who(&desk, "ann", "2026-05-02T00:00:00Z"), held("assumed", B));
}

/// The delta feed proves that A holds `ann` all March.
fn proved(desk: &Desk) {
    let names = ["SMTP:ann@x.test"].map(|entry| whowas::domain::name::Proxy::parse(entry).unwrap()).to_vec();
    let upn = Some("ann@x.test".parse().unwrap());
    let reading = Reading { at: at("2026-03-01T00:00:00Z"), lag: LAG, source: Source::Delta, unchanged_since: None };
    let profile = Profile { upn, proxies: names, ..Profile::default() };
    let (from, through) = (at("2026-02-28T23:55:00Z"), at("2026-04-01T00:00:00Z"));
    let facts = vec![
        Fact::Seen(Seen { object: A.parse().unwrap(), reading, profile }),
        Fact::Horizon(Horizon { feed: Feed::Delta, from, through: from }),
        Fact::Horizon(Horizon { feed: Feed::Delta, from, through }),
    ];
    let stamp = Stamp { now: desk.clock.now(), salt: [1; 16] };
    desk.ledger.append(desk.tenant, Batch { facts, ..Batch::default() }, stamp).unwrap();
}

#[test]
fn a_catalogue_of_addresses_is_certain_of_an_alias_where_names_of_any_kind_are_not() {
    let desk = desk();
    let proxies = ["SMTP:ann@x.test", "smtp:sales@x.test"]
        .map(|entry| whowas::domain::name::Proxy::parse(entry).unwrap())
        .to_vec();
    let reading = Reading { at: at("2026-03-01T00:00:00Z"), lag: LAG, source: Source::Delta, unchanged_since: None };
    let profile = Profile { upn: Some("ann@x.test".parse().unwrap()), proxies, ..Profile::default() };
    let (from, through) = (at("2026-02-28T23:55:00Z"), at("2026-04-01T00:00:00Z"));
    let facts = vec![
        Fact::Seen(Seen { object: A.parse().unwrap(), reading, profile }),
        Fact::Horizon(Horizon { feed: Feed::Delta, from, through: from }),
        Fact::Horizon(Horizon { feed: Feed::Delta, from, through }),
    ];
    let stamp = Stamp { now: desk.clock.now(), salt: [1; 16] };
    desk.ledger.append(desk.tenant, Batch { facts, ..Batch::default() }, stamp).unwrap();
    for (chain, kind, confidence) in
        [("any", NameKind::Any, "assumed"), ("smtp", NameKind::Smtp, "certain"), ("said", NameKind::Upn, "certain")]
    {
        let mut line = snapshot(chain, "1", 10, "sales").replace("2026-03-01", "2026-03-10");
        if chain == "said" {
            // What a line says itself counts.
            line = line.replace('}', ",\"kind\":\"smtp\"}");
        }
        let how = How { kind, ..How::default() };
        let mut file = Cursor::new(line.into_bytes());
        let imported = import(&desk, What::Snapshots, &mut file, how, &mut |_| ControlFlow::Continue(())).unwrap();
        assert_eq!(imported.added, 1, "{imported:?}");
        let shown = json!(show(&desk, chain.parse().unwrap(), "1".parse().unwrap()).unwrap());
        let text = shown.to_string();
        assert!(text.contains(&format!("\"confidence\":\"{confidence}\"")), "{chain}: {shown:#}");
    }
}

#[test]
fn an_export_never_takes_a_proof_away() {
    let desk = desk();
    proved(&desk);
    assert_eq!(who(&desk, "ann", "2026-03-15T00:00:00Z"), held("certain", A));
    let gone = json!({"observed_at": "2026-03-15T00:00:00Z", "object": A, "upn": "ann@x.test",
        "deleted": "2026-03-10T00:00:00Z"});
    let late = json!({"observed_at": "2026-03-20T00:00:00Z", "object": A, "upn": "ann@x.test", "mail": null,
        "proxies": ["smtp:ann@x.test"], "created": "2026-03-18T00:00:00Z"});
    // It says that A had another name, that A was deleted, that A did not exist yet: all of it against the feed.
    for line in [profile("2026-03-15", A, "other"), gone.to_string(), late.to_string()] {
        assert_eq!(added(&desk, What::Profiles, &line), 1);
        for time in ["2026-03-05T00:00:00Z", "2026-03-12T00:00:00Z", "2026-03-15T00:00:00Z", "2026-03-25T00:00:00Z"] {
            assert_eq!(who(&desk, "ann", time), held("certain", A), "{time} after {line}");
        }
    }
    // That another one held it is a claim in two namespaces, and yet no proof against the proof.
    added(&desk, What::Profiles, &profile("2026-03-15", B, "ann"));
    let standing = who(&desk, "ann", "2026-03-15T00:00:00Z");
    assert_eq!(standing.1, Some(A.parse().unwrap()), "{standing:?}");
}

#[test]
fn what_an_export_calls_created_and_deleted_bounds_names_and_proves_nothing() {
    let desk = desk();
    let lines = [
        json!({"observed_at": "2026-03-01T00:00:00Z", "object": A, "upn": "ann@x.test", "mail": null, "proxies": [],
            "created": "2026-01-10T00:00:00Z"}),
        json!({"observed_at": "2026-05-01T00:00:00Z", "object": A, "upn": "ann@x.test",
            "deleted": "2026-04-10T00:00:00Z"}),
    ];
    added(&desk, What::Profiles, &format!("{}\n{}", lines[0], lines[1]));
    let answer = of_object(&desk, A.parse().unwrap(), KnownAt::Now).unwrap();
    let answer = json!(answer);
    let upn = answer["names"].as_array().unwrap().iter().find(|name| name["kind"] == "upn").unwrap();
    assert_eq!(upn["from"]["after"], json!("2026-01-09T23:59:59.999999Z"), "{upn:#}");
    assert_eq!(upn["until"]["by"], json!("2026-04-10T00:00:02Z"), "{upn:#}");
    assert_eq!(answer["state"], json!("soft_deleted"));
    assert_ne!(who(&desk, "ann", "2026-01-05T00:00:00Z").0, "certain");
    assert_eq!(who(&desk, "ann", "2026-03-05T00:00:00Z"), held("assumed", A));
}

#[test]
fn nothing_is_half_applied_and_skip_bad_takes_what_is_good_in_any_order() {
    let mut lines = [
        snapshot("cA", "1", 8, "ann"),
        snapshot("cA", "2", 9, "ann"),
        snapshot("cA", "2", 9, "ANN"),
        snapshot("cA", "3", 10, "ann"),
        snapshot("cA", "3", 10, "bob"),
        "{\"chain\":7".to_owned(),
        snapshot("cB", "1", 8, "bob"),
    ];
    for _ in 0..lines.len() {
        lines.rotate_left(1);
        let desk = desk();
        let text = lines.join("\n");
        let refused = import_all(&desk, What::Snapshots, &text, false);
        assert_eq!((refused.added, refused.rejected_count, refused.applied), (0, 3, false), "{refused:?}");
        let numbers: Vec<u64> = refused.rejected.iter().map(|rejected| rejected.line).collect();
        assert!(numbers.is_sorted(), "{numbers:?}");
        for rejected in &refused.rejected {
            let line = &lines[usize::try_from(rejected.line).unwrap() - 1];
            assert!(line.contains("\"3\"") || line.contains(":7"), "{rejected:?} is {line}");
        }
        assert_eq!(desk.ledger.head(desk.tenant).unwrap().sequence.0, 0);
        let skipped = import_all(&desk, What::Snapshots, &text, true);
        assert_eq!((skipped.added, skipped.same, skipped.rejected_count, skipped.commits), (3, 1, 3, 1), "{skipped:?}");
        let again = import_all(&desk, What::Snapshots, &text, true);
        assert_eq!((again.added, again.same, again.rejected_count, again.commits), (0, 4, 3, 0), "{again:?}");
        // The ledger decides from now on about what it has.
        let other = import_all(&desk, What::Snapshots, &snapshot("cA", "1", 8, "zoe"), true);
        assert_eq!((other.added, other.rejected.len()), (0, 1));
        assert!(other.rejected[0].why.contains("in the ledger with another name"), "{other:?}");
        let mixed = [snapshot("cA", "1", 8, "zoe"), snapshot("cA", "1", 8, "ann")].join("\n");
        assert_eq!(import_all(&desk, What::Snapshots, &mixed, false).rejected.len(), 1);
    }
}

#[test]
fn only_a_thousand_bad_lines_are_named_and_all_are_counted() {
    let text = format!("{}\n{}", "bad\n".repeat(1_500), snapshot("c", "1", 8, "ann"));
    let text = text.replacen("bad", &snapshot("c", "0", 8, "ann"), 1);
    let imported = import_all(&desk(), What::Snapshots, &text, false);
    assert_eq!((imported.rejected.len(), imported.rejected_count), (1_000, 1_499));
    assert_eq!((imported.rejected[0].line, imported.rejected[999].line), (2, 1_001));
}

#[test]
fn commits_are_bounded_and_a_stopped_import_is_completed_by_the_next() {
    let desk = desk();
    let count = LINES_A_COMMIT as u64 * 3 + 10;
    let text: Vec<String> = (0..count).map(|i| snapshot("c", &i.to_string(), 8, "ann")).collect();
    let text = text.join("\n");
    let mut file = Cursor::new(text.clone().into_bytes());
    let stop_at = |wanted: (bool, u64)| {
        move |progress: whowas::service::import::Progress| {
            if (progress.is_writing, progress.lines) == wanted {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        }
    };
    let stopped = import(&desk, What::Snapshots, &mut file, false, &mut stop_at((false, 3_000))).unwrap();
    assert_eq!((stopped.stopped, stopped.applied, stopped.added), (true, false, 0));
    let stopped = import(&desk, What::Snapshots, &mut file, false, &mut stop_at((true, 3_000))).unwrap();
    assert_eq!((stopped.stopped, stopped.applied, stopped.added), (true, true, 3_000));
    let rest = import_all(&desk, What::Snapshots, &text, false);
    assert_eq!((rest.added, rest.same), (count - 3_000, 3_000));
    for entry in desk.ledger.store().journal(desk.tenant, whowas::domain::id::Sequence(1), 100).unwrap() {
        assert!(entry.commit.facts.len() <= LINES_A_COMMIT);
    }
}

#[test]
fn events_count_once_and_say_why_they_are_ignored() {
    let desk = desk();
    let failed = rename("2026-03-01T09:00:00Z", A, "lou", "lou2").replace("success", "failure");
    let event = rename("2026-03-01T09:00:00Z", A, "lou", "lou2");
    let text = [failed.clone(), event.clone(), event.clone()].join("\n");
    let imported = import_all(&desk, What::Audits, &text, false);
    assert_eq!((imported.added, imported.same, imported.ignored, imported.lines), (1, 1, 1, 3), "{imported:?}");
    assert!(imported.ignored_because.keys().next().unwrap().contains("the act failed"));
    let again = import_all(&desk, What::Audits, &text, false);
    assert_eq!((again.added, again.same, again.commits), (0, 2, 0), "{again:?}");
    let gone = json!({"id": "d", "activityDisplayName": "Delete user", "result": "success",
        "activityDateTime": "2026-03-02T00:00:00Z", "targetResources": [{"id": A, "type": "User",
        "userPrincipalName": "7e06b56615f340138bf879874d52e68alou2@x.test"}]});
    assert_eq!(added(&desk, What::Audits, &gone.to_string()), 1);
    // Events of user principal names prove nothing of addresses.
    assert_eq!(who(&desk, "lou2", "2026-03-01T23:59:59.999999Z"), held("assumed", A));
    assert_eq!(who_as(&desk, "lou2", NameKind::Upn, "2026-03-01T23:59:59.999999Z"), held("certain", A));
}

/// Every answer about these names, objects and snapshots, without what tells the order of commits.
fn answers(desk: &Desk) -> Value {
    let mut all = Vec::new();
    for object in [A, B] {
        all.push(json!(of_object(desk, object.parse().unwrap(), KnownAt::Now).unwrap()));
    }
    for name in ["ann", "bob", "lou"] {
        let name = format!("{name}@x.test").parse().unwrap();
        all.push(json!(of_name(desk, &name, KnownAt::Now).unwrap()));
    }
    for hour in ["2026-01-20", "2026-02-15", "2026-03-01", "2026-04-01"] {
        for name in ["ann", "bob", "lou"] {
            all.push(json!(format!("{:?}", who(desk, name, &format!("{hour}T12:00:00Z")))));
        }
    }
    for id in ["1", "2"] {
        all.push(json!(show(desk, "cA".parse().unwrap(), id.parse().unwrap()).unwrap()));
    }
    let mut all = json!(all);
    forget(&mut all);
    all
}

fn forget(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.remove("basis");
            fields.remove("sequence");
            fields.values_mut().for_each(forget);
        }
        Value::Array(items) => items.iter_mut().for_each(forget),
        _ => {}
    }
}

fn files() -> Vec<(What, String)> {
    vec![
        (What::Profiles, profile("2026-01-10", A, "ann")),
        (What::Profiles, profile("2026-02-10", A, "ann")),
        (What::Profiles, profile("2026-03-10", A, "bob")),
        (What::Profiles, profile("2026-03-10", B, "ann")),
        (What::Profiles, profile("2026-03-20", B, "lou")),
        (
            What::Profiles,
            json!({"observed_at": "2026-05-01T00:00:00Z", "object": A, "upn": "bob@x.test",
                "deleted": "2026-04-20T00:00:00Z"})
            .to_string(),
        ),
        (What::Audits, rename("2026-02-20T10:00:00Z", A, "ann", "bob")),
        (What::Audits, rename("2026-03-15T10:00:00Z", B, "ann", "lou")),
        (What::Snapshots, snapshot("cA", "1", 8, "ann")),
        (What::Snapshots, snapshot("cA", "2", 12, "bob")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn lines_and_files_in_any_order_give_the_same_answers(
        order in Just((0..files().len()).collect::<Vec<usize>>()).prop_shuffle(),
        together in any::<bool>(),
    ) {
        let files = files();
        let expected = desk();
        for (what, line) in &files {
            added(&expected, *what, line);
        }
        let found = desk();
        if together {
            for kind in [What::Audits, What::Snapshots, What::Profiles] {
                let lines: Vec<&str> =
                    order.iter().filter(|i| files[**i].0 == kind).map(|i| files[*i].1.as_str()).collect();
                added(&found, kind, &lines.join("\n"));
            }
        } else {
            for index in order {
                added(&found, files[index].0, &files[index].1);
            }
        }
        prop_assert_eq!(answers(&found), answers(&expected));
    }
}
