//! Traps 9, 10, 12 and 23: what the delta feed tells, in which order, and where a crash leaves it.

use std::time::Duration;

use serde_json::{Value, json};
use whowas::graph::emulator::{NewUser, Quirk, QuirkName};

use super::world::{World, finished, full, wait_until};
use super::{attribution, holders, id};

/// How far the feed may trail behind the directory.
const LAG: Duration = Duration::from_secs(300);

#[test]
fn trap_09_the_new_owner_of_a_name_may_come_before_the_one_who_lost_it() {
    for quirk in [QuirkName::FirstChangeLate, QuirkName::ShuffledOrder] {
        let mut w = World::new();
        let a = w.create("sam");
        w.at("00:00");
        w.poll();
        w.snapshot("cA", "1", a);
        w.at("09:30");
        w.snapshot_by_name("cA", "2", "sam");
        w.at("09:58");
        w.rename(a, "sam.old");
        let b = w.create("sam");
        w.at("09:59");
        w.snapshot_by_name("cN", "1", "sam");
        w.quirk(quirk);
        w.at("10:00");
        let run = w.poll();
        let late = quirk == QuirkName::FirstChangeLate;
        assert_eq!(run["seen"], json!(if late { 1 } else { 2 }), "{quirk:?}: {run}");
        // By what was told so far two ids hold the name. That is the alarm: nobody appends by that name.
        w.ask(&["--name", "sam@x.test", "--chain", "cA"])
            .mismatch()
            .of_object(a)
            .instead(&[(a, "incremental", Some("cA")), (b, "full", None)]);
        w.no_quirks();
        w.at("11:00");
        w.poll();
        w.ask(&["--object", &id(a), "--chain", "cA"]).renamed().has("old_name_holder", json!(b));
        let held: Vec<Value> = holders(&w, "sam", "upn").iter().map(|holder| holder["object"].clone()).collect();
        assert_eq!(held, [json!(a), json!(b)], "{quirk:?}");
        // A round that said nothing of the loser proves the name until the lag before it; one that did proves less.
        assert_eq!(attribution(&w, "cA", "2").1, json!(if late { "certain" } else { "ambiguous" }), "{quirk:?}");
        assert_eq!(attribution(&w, "cN", "1").0, Value::Null, "what was read while it passed is nobody's for sure");
    }
}

#[test]
fn trap_10_when_it_was_seen_is_not_when_it_happened() {
    for audits in [false, true] {
        let mut w = World::new();
        w.configure(&format!("audits = {audits}"));
        let a = w.create("ann");
        w.at("00:00");
        w.poll();
        w.snapshot("cA", "1", a);
        w.at("08:00");
        w.rename(a, "ann.lee");
        w.at("08:30");
        w.snapshot_by_name("cN", "1", "ann.lee");
        w.at("10:00");
        w.poll();
        let until = &holders(&w, "ann", "upn")[0]["until"];
        // After the last round that did not show it and by the first that did, and no instant; the audit log alone tells it.
        let (after, by) =
            if audits { (w.time("08:00"), w.time("08:00")) } else { (w.time("00:00").minus(LAG), w.time("10:00:01")) };
        assert_eq!(until, &json!({"after": after, "by": by}), "audits = {audits}");
        let (owner, _) = attribution(&w, "cN", "1");
        assert_eq!(owner, if audits { json!(a) } else { Value::Null }, "a snapshot of 08:30 under the new name");
        // What was known before is still known to have been known.
        let before = w
            .run(&[
                "who",
                "ann@x.test",
                "--at",
                &w.time("09:00").to_string(),
                "--known-at",
                &w.time("09:30").to_string(),
            ])
            .done();
        assert_eq!(before["holder"], json!(a), "{before:#}");
    }
}

#[test]
fn trap_12_what_an_absent_property_means_depends_on_what_was_asked_for() {
    for quirk in [None, Some(QuirkName::ClearedLeftOut)] {
        let mut w = World::new();
        let a = w.create("ann");
        let b = w.directory(|directory| directory.create_user(NewUser::bare(&full("bob")))).unwrap();
        w.at("00:00");
        w.poll();
        w.snapshot("cA", "1", a);
        // The first round leaves out what is empty: nothing is not unknown.
        w.ask_live(&["--name", "bob@x.test", "--kind", "smtp"]).unknown();
        w.quirks(quirk.map(Quirk::new));

        // Only addresses change. The answer repeats the rest, and nobody loses a name over it.
        w.at("08:00");
        let proxies = ["SMTP:ann@x.test".to_owned(), "smtp:annie@x.test".to_owned()];
        w.directory(|directory| directory.set_addresses(a, Some("ann@x.test"), &proxies)).unwrap();
        w.directory(|directory| directory.set_addresses(b, Some("bob@x.test"), &["SMTP:bob@x.test".to_owned()]))
            .unwrap();
        w.at("10:00");
        w.poll();
        w.at("11:00");
        w.poll();
        let who = w.run(&["who", "ann@x.test", "--kind", "upn", "--at", &w.time("10:30").to_string()]).done();
        assert_eq!(who["holder"], json!(a), "{who:#}");
        w.ask(&["--object", &id(a), "--chain", "cA"])
            .continues()
            .has("names.upn", json!("ann@x.test"))
            .has("names.aliases", json!(["annie@x.test"]));

        // And all addresses are cleared, with a null or without a word.
        w.directory(|directory| directory.set_addresses(a, None, &[])).unwrap();
        w.at("12:00");
        w.poll();
        w.ask(&["--object", &id(a), "--chain", "cA"])
            .renamed()
            .has("names.upn", json!("ann@x.test"))
            .has("names.mail", Value::Null)
            .has("names.aliases", json!([]));
        assert_ne!(holders(&w, "ann", "smtp")[0]["until"], Value::Null, "{quirk:?}");
    }
}

#[test]
fn trap_23_a_crash_neither_loses_a_page_nor_the_link_before_it() {
    let mut w = World::paged(1);
    let all: Vec<_> = (0..4).map(|n| w.create(&format!("u{n}"))).collect();
    // Killed in the middle of the very first round, it goes on where it was.
    w.quirks([Quirk::new(QuirkName::SlowBody).path("/users/delta").every(3).times(1).seconds(60.0)]);
    w.at("00:00");
    killed_after_two_pages(&w);
    w.no_quirks();
    let run = w.poll();
    assert_eq!((&run["outcome"], &run["pages"]), (&json!("completed"), &json!(2)), "{run}");
    assert_eq!(w.status()["objects"]["active"], json!(4), "every page is there");
    for object in &all {
        w.ask(&["--object", &id(*object)]).baseline();
    }

    // Killed in the middle of a later one, it begins that round again with the link of the one before.
    w.at("08:00");
    for (n, object) in all.iter().enumerate() {
        w.rename(*object, &format!("v{n}"));
    }
    w.quirks([Quirk::new(QuirkName::SlowBody).path("/users/delta").every(3).times(1).seconds(60.0)]);
    w.at("10:00");
    killed_after_two_pages(&w);
    w.no_quirks();
    let run = w.poll();
    assert_eq!((&run["kind"], &run["pages"]), (&json!("delta"), &json!(4)), "{run}");
    for (n, object) in all.iter().enumerate() {
        w.ask(&["--object", &id(*object)]).baseline().has("names.upn", json!(full(&format!("v{n}"))));
    }
    assert_eq!(w.status()["blind"], json!([]), "nothing has to be read in full");
    w.verify();
}

fn killed_after_two_pages(w: &World) {
    let mut running = w.start(&["sync"]);
    wait_until("two pages are read", || pages_so_far(w) == Some(2));
    running.kill().unwrap();
    let killed = finished(running.wait_with_output().unwrap());
    assert_eq!(killed.stdout, "", "{killed:?}");
}

/// What the running sync says beside the lock of how far it is.
fn pages_so_far(w: &World) -> Option<u64> {
    let text = std::fs::read_to_string(w.ledger().join("holder.json")).ok()?;
    serde_json::from_str::<Value>(&text).ok()?.pointer("/progress/pages")?.as_u64()
}
