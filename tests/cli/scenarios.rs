//! The scenarios of the acceptance that the program can be asked today, by their numbers there. "poll" is a completed
//! sync, "ask" the agent's question before an incremental.

use serde_json::{Value, json};
use whowas::domain::id::ObjectId;
use whowas::graph::emulator::{NewUser, Quirk, QuirkName};

use super::world::{World, finished, full, wait_until};

fn id(object: ObjectId) -> String {
    object.to_string()
}

#[test]
fn s1_marriage() {
    let mut w = World::new();
    let a = w.create("ann.lee");
    w.at("09:00");
    w.poll();
    w.snapshot("cA", "1", a);
    w.at("10:00");
    w.rename_keeping_alias(a, "ann.roy");

    w.at("11:00");
    w.ask(&["--name", "ann.lee@x.test", "--chain", "cA"]).refresh().because("(--verify)");
    let seen = w.edge("08:55", "11:00:01");
    w.ask_live(&["--name", "ann.lee@x.test", "--chain", "cA"])
        .renamed()
        .of_object(a)
        .on("1")
        .upn_change("ann.lee", "ann.roy", seen.clone())
        .has("old_name_holder", Value::Null)
        .has("evidence.live", json!(true))
        .has("names.aliases", json!(["ann.lee@x.test"]));

    w.at("12:00");
    w.poll();
    w.at("13:00");
    w.ask_live(&["--name", "ann.roy@x.test", "--chain", "cA"]).renamed().of_object(a).on("1");
    w.ask(&["--object", &id(a), "--chain", "cA"]).renamed().of_object(a).on("1").upn_change("ann.lee", "ann.roy", seen);
    w.snapshot("cA", "2", a);

    w.on_day(1, "12:00");
    w.poll();
    w.ask(&["--object", &id(a), "--chain", "cA"]).continues().of_object(a).on("2").has("changes", json!([]));
    w.ask_live(&["--name", "ann.roy@x.test", "--chain", "cA"]).continues().on("2");
}

#[test]
fn s3_the_seeds_weak_window() {
    let mut w = World::new();
    let a = w.create("sam");
    w.at("00:00");
    w.poll();
    w.snapshot("cA", "40", a);
    w.at("08:00");
    w.rename(a, "sam.old");
    w.at("09:00");
    let b = w.create("sam");

    w.at("10:00");
    w.ask(&["--name", "sam@x.test", "--chain", "cA"]).refresh();
    w.snapshot_by_name("cN", "1", "sam");
    w.ask_live(&["--name", "sam@x.test", "--chain", "cA"])
        .mismatch()
        .of_object(a)
        .because(&format!("sam@x.test belongs to object {b}"))
        .because("now sam.old@x.test")
        .instead(&[(a, "incremental", Some("cA")), (b, "full", None)])
        .has("evidence.live", json!(true));
    w.ask(&["--object", &id(b)]).baseline().of_object(b).has("base", Value::Null).has("chain", Value::Null);
    w.at("10:05");
    w.ask(&["--object", &id(a), "--chain", "cA"])
        .renamed()
        .of_object(a)
        .on("40")
        .has("old_name_holder", json!(b))
        .has("names.upn", json!("sam.old@x.test"));

    w.at("24:00");
    w.poll();
    // Sharpened by the live read of 10:00, and by the newcomer's creation at 09:00.
    let history = w.history("sam@x.test");
    let upns: Vec<&Value> =
        history["holders"].as_array().unwrap().iter().filter(|holder| holder["kind"] == "upn").collect();
    assert_eq!(upns.len(), 2, "{history:#}");
    assert_eq!(upns[0]["object"], json!(a));
    assert_eq!(upns[1]["object"], json!(b));
    assert_eq!(upns[0]["until"], json!({"after": "2026-03-01T23:55:00Z", "by": "2026-03-02T10:00:01Z"}));
    // Present from its creation on at the earliest, so absent until the microsecond before.
    assert_eq!(upns[1]["from"], json!({"after": "2026-03-02T08:59:59.999999Z", "by": "2026-03-02T10:00:01Z"}));
    assert_eq!(upns[1]["until"], Value::Null);

    // What was taken by name in the window cannot be attributed to either.
    let listed = w.run(&["snapshot", "list", "--name", "sam@x.test"]).done();
    assert_eq!(listed["items"][0]["attribution"]["owner"], Value::Null, "{listed:#}");
}

#[test]
fn s5_leaver_purge_namesake() {
    let mut w = World::new();
    let a = w.create("kim");
    w.at("00:00");
    w.poll();
    w.snapshot("cA", "1", a);
    w.at("10:00");
    w.delete(a);
    for day in [1, 15, 29] {
        w.on_day(day, "12:00");
        w.poll();
        w.ask(&["--name", "kim@x.test", "--chain", "cA"]).frozen().of_object(a).on("1").because("soft-deleted");
    }
    w.on_day(31, "12:00");
    w.poll();
    w.ask(&["--name", "kim@x.test", "--chain", "cA"]).frozen().of_object(a).because("gone for good");
    w.ask(&["--object", &id(a), "--chain", "cA"]).frozen().of_object(a).because("gone for good");

    w.on_day(90, "09:00");
    let b = w.create("kim");
    w.on_day(90, "12:00");
    w.poll();
    w.ask(&["--name", "kim@x.test", "--chain", "cA"])
        .mismatch()
        .of_object(a)
        .instead(&[(a, "stop", Some("cA")), (b, "full", None)]);
    w.ask(&["--name", "kim@x.test"]).refresh();
    w.ask_live(&["--name", "kim@x.test"]).baseline().of_object(b).has("chain", Value::Null);
    let history = w.history("kim@x.test");
    let holders: Vec<&Value> =
        history["holders"].as_array().unwrap().iter().filter(|holder| holder["kind"] == "upn").collect();
    assert_eq!((&holders[0]["object"], &holders[1]["object"]), (&json!(a), &json!(b)));
    assert_eq!(holders[1]["until"], Value::Null);
    assert_eq!(w.status()["objects"], json!({"active": 1, "soft_deleted": 0, "purged": 1}));
}

#[test]
fn s6_namesake_while_the_leaver_is_in_the_bin() {
    let mut w = World::new();
    let a = w.create("kim");
    w.at("00:00");
    w.poll();
    w.snapshot("cA", "1", a);
    w.at("10:00");
    w.delete(a);
    w.on_day(5, "09:00");
    let b = w.create("kim");
    w.on_day(5, "12:00");
    w.poll();
    w.ask_live(&["--name", "kim@x.test"]).baseline().of_object(b);

    w.on_day(10, "09:00");
    w.restore(a, Some("kim2"));
    w.on_day(10, "12:00");
    w.poll();
    w.ask(&["--object", &id(a), "--chain", "cA"])
        .renamed()
        .of_object(a)
        .on("1")
        .has("names.upn", json!("kim2@x.test"))
        .has("old_name_holder", json!(b))
        .because("gap");
    w.ask(&["--name", "kim@x.test", "--chain", "cA"])
        .mismatch()
        .instead(&[(a, "incremental", Some("cA")), (b, "full", None)]);
}

#[test]
fn s7_oops_undelete() {
    let mut w = World::new();
    let a = w.create("mia");
    w.at("00:00");
    w.poll();
    w.snapshot("cA", "1", a);
    w.at("10:00");
    w.delete(a);
    w.on_day(1, "10:00");
    w.poll();
    w.ask(&["--object", &id(a), "--chain", "cA"]).frozen().of_object(a);

    w.quirk(QuirkName::UnannouncedRestore);
    w.on_day(2, "10:00");
    w.restore(a, None);
    w.on_day(2, "12:00");
    w.poll();
    w.ask(&["--object", &id(a), "--chain", "cA"]).frozen();
    let run = w.reconcile();
    assert_eq!(
        (&run["kind"], &run["outcome"], &run["restored"]),
        (&json!("reconcile"), &json!("completed"), &json!(1))
    );
    w.on_day(3, "10:00");
    w.ask(&["--object", &id(a), "--chain", "cA"])
        .continues()
        .of_object(a)
        .on("1")
        .because("gap: the object was deleted");
    assert_eq!(w.status()["objects"], json!({"active": 1, "soft_deleted": 0, "purged": 0}));
}

#[test]
fn s10_swap() {
    let quirks = [None, Some(QuirkName::Duplicates), Some(QuirkName::ShuffledOrder)];
    for (turn, quirk) in quirks.into_iter().enumerate() {
        for page_size in [200, 1] {
            let mut w = World::paged(page_size);
            let (a, b) = (w.create("pat"), w.create("max"));
            w.at("00:00");
            w.poll();
            w.snapshot("cA", "1", a);
            w.snapshot("cB", "1", b);
            w.at("08:00");
            let mut swap = [(a, "max"), (b, "pat")];
            if turn == 1 {
                swap.reverse();
            }
            w.rename_at_once(&swap);
            w.quirks(quirk.map(Quirk::new));
            w.at("10:00");
            w.poll();
            w.ask(&["--name", "pat@x.test", "--chain", "cA"])
                .mismatch()
                .of_object(a)
                .instead(&[(a, "incremental", Some("cA")), (b, "incremental", Some("cB"))]);
            let edge = json!({"after": "2026-03-01T23:55:00Z", "by": "2026-03-02T10:00:01Z"});
            w.ask(&["--object", &id(a), "--chain", "cA"])
                .renamed()
                .of_object(a)
                .on("1")
                .upn_change("pat", "max", edge.clone())
                .has("old_name_holder", json!(b));
            w.ask(&["--object", &id(b), "--chain", "cB"])
                .renamed()
                .upn_change("max", "pat", edge)
                .has("old_name_holder", json!(a));
            w.verify();
        }
    }
}

#[test]
fn s11_rotation_over_pages_with_a_kill_between_them() {
    let begin = || {
        let mut w = World::paged(1);
        let all = [w.create("n1"), w.create("n2"), w.create("n3")];
        w.at("00:00");
        w.poll();
        for (object, chain) in all.into_iter().zip(["cA", "cB", "cC"]) {
            w.snapshot(chain, "1", object);
        }
        w.at("08:00");
        w.rename_at_once(&[(all[0], "n2"), (all[1], "n3"), (all[2], "n1")]);
        w.at("10:00");
        (w, all)
    };

    let (w, all) = begin();
    w.quirks([Quirk::new(QuirkName::SlowBody).path("/users/delta").every(3).times(1).seconds(60.0)]);
    let mut killed = w.start(&["sync"]);
    wait_until("two pages are read", || pages_so_far(&w) == Some(2));
    killed.kill().unwrap();
    let left = killed.wait_with_output().unwrap();
    assert_eq!(left.status.code(), None, "a kill leaves no exit code: {left:?}");
    w.no_quirks();

    assert_eq!(w.status()["half_round"], json!(false), "nothing is applied before the guard has seen all of it");
    for (name, chain) in ["n1@x.test", "n2@x.test", "n3@x.test"].into_iter().zip(["cA", "cB", "cC"]) {
        w.ask(&["--name", name, "--chain", chain]).refresh();
        w.ask(&["--name", name]).refresh();
    }
    w.verify();
    let run = w.poll();
    assert_eq!((&run["outcome"], &run["pages"]), (&json!("completed"), &json!(3)), "from the old token: {run}");

    let (twin, same) = begin();
    assert_eq!(all, same);
    assert_eq!(twin.poll()["pages"], json!(3));
    for name in ["n1@x.test", "n2@x.test", "n3@x.test"] {
        assert_eq!(timeless(w.history(name)), timeless(twin.history(name)));
    }
    for object in all {
        assert_eq!(timeless(w.history(&id(object))), timeless(twin.history(&id(object))));
    }
    w.ask(&["--name", "n1@x.test", "--chain", "cA"])
        .mismatch()
        .instead(&[(all[0], "incremental", Some("cA")), (all[2], "incremental", Some("cC"))]);
    w.ask(&["--object", &id(all[0]), "--chain", "cA"]).renamed().on("1").has("old_name_holder", json!(all[2]));
    w.verify();
}

#[test]
fn a_first_enumeration_killed_between_pages_goes_on_where_it_was() {
    let mut w = World::paged(1);
    for name in ["n1", "n2", "n3"] {
        w.create(name);
    }
    w.at("00:00");
    w.quirks([Quirk::new(QuirkName::SlowBody).path("/users/delta").every(3).times(1).seconds(60.0)]);
    let mut killed = w.start(&["sync"]);
    wait_until("two pages are committed", || pages_so_far(&w) == Some(2));
    killed.kill().unwrap();
    killed.wait().unwrap();
    w.no_quirks();
    assert_eq!(w.status()["half_round"], json!(true));
    w.ask(&["--name", "n1@x.test"]).refresh().because("half committed");
    w.verify();
    let run = w.poll();
    assert_eq!((&run["outcome"], &run["pages"]), (&json!("completed"), &json!(1)), "it goes on at page three: {run}");
    assert_eq!(w.status()["half_round"], json!(false));
    w.verify();
}

/// What the running sync says beside the lock of how far it is.
fn pages_so_far(w: &World) -> Option<u64> {
    let text = std::fs::read_to_string(w.ledger().join("holder.json")).ok()?;
    serde_json::from_str::<Value>(&text).ok()?.pointer("/progress/pages")?.as_u64()
}

/// A history without the numbers of commits, which a crash may change.
fn timeless(mut history: Value) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields.remove("sequence");
                fields.remove("basis");
                fields.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    strip(&mut history);
    history
}

#[test]
fn s12_there_and_back() {
    // Nothing happened and no round reported A: certain.
    let mut w = World::new();
    let a = w.create("lou");
    w.at("08:00");
    w.poll();
    w.at("18:00");
    w.poll();
    let who = w.who("lou", "12:00");
    assert_eq!((&who["holder"], &who["confidence"]), (&json!(a), &json!("certain")), "{who:#}");

    // A round reported A again with the same values: something may have happened.
    let mut w = World::new();
    let a = w.create("lou");
    w.at("08:00");
    w.poll();
    w.quirk(QuirkName::Replay);
    w.at("18:00");
    w.poll();
    let who = w.who("lou", "12:00");
    assert_eq!((&who["holder"], &who["confidence"]), (&json!(a), &json!("assumed")), "{who:#}");

    // And so it did here; the ledger must not be surer.
    let mut w = World::new();
    let a = w.create("lou");
    w.at("08:00");
    w.poll();
    w.at("09:00");
    w.rename(a, "lou2");
    w.at("12:00");
    w.snapshot("cA", "1", a);
    w.snapshot_by_name("cN", "1", "lou");
    w.at("17:00");
    w.rename(a, "lou");
    w.at("18:00");
    w.poll();
    let who = w.who("lou", "12:00");
    assert_eq!((&who["holder"], &who["confidence"]), (&json!(a), &json!("assumed")), "{who:#}");
    let taken = w.run(&["snapshot", "show", "--chain", "cA", "--snapshot", "1"]).done();
    assert_eq!(taken["attribution"]["confidence"], json!("certain"));
    let taken = w.run(&["snapshot", "show", "--chain", "cN", "--snapshot", "1"]).done();
    assert_eq!(taken["attribution"]["confidence"], json!("assumed"));
    w.ask(&["--object", &id(a), "--chain", "cA"]).continues().on("1");
}

#[test]
fn s14_upn_and_address_point_to_two_people() {
    let mut w = World::new();
    let a = w.create("info");
    w.at("00:00");
    w.poll();
    w.snapshot("cA", "1", a);
    w.quirk(QuirkName::SmtpNotUnique);
    w.at("08:00");
    w.rename_keeping_alias(a, "ada");
    let new = NewUser {
        mail: Some(full("bob")),
        proxies: vec!["SMTP:bob@x.test".to_owned()],
        ..NewUser::mailbox(&full("info"))
    };
    let b = w.directory(|directory| directory.create_user(new)).unwrap();
    w.at("10:00");
    w.poll();
    w.ask_live(&["--name", "info@x.test", "--kind", "upn"]).baseline().of_object(b);
    w.at("11:00");
    w.ask_live(&["--name", "info@x.test", "--kind", "smtp", "--chain", "cA"]).renamed().of_object(a).on("1");
    let answer = w.ask_live(&["--name", "info@x.test", "--chain", "cA"]).ambiguous();
    let mut found: Vec<&str> =
        answer.json["candidates"].as_array().unwrap().iter().map(|one| one["object"].as_str().unwrap()).collect();
    let (first, second) = (id(a), id(b));
    let mut both = [first.as_str(), second.as_str()];
    found.sort_unstable();
    both.sort_unstable();
    assert_eq!(found, both);
    w.ask(&["--name", "info@x.test"]).ambiguous();

    // Both hold the address as well. The newest evidence speaks for B, and nobody appends on that.
    let addresses = ["SMTP:bob@x.test".to_owned(), "smtp:info@x.test".to_owned()];
    w.directory(|directory| directory.set_addresses(b, Some("bob@x.test"), &addresses)).unwrap();
    w.at("12:00");
    w.poll();
    let taken = "which took it after 2026-03-02T11:55:00Z and by 2026-03-02T12:00:01Z";
    w.ask(&["--name", "info@x.test", "--kind", "smtp", "--chain", "cA"])
        .mismatch()
        .because(taken)
        .instead(&[(a, "incremental", Some("cA")), (b, "full", None)]);
    w.at("13:00");
    let live = w.ask_live(&["--name", "info@x.test", "--kind", "smtp", "--chain", "cA"]);
    assert_eq!(live.json["action"], json!("stop"), "{:#}", live.json);
    w.verify();
}

#[test]
fn s18_leaver_becomes_shared_namesake_arrives() {
    let mut w = World::new();
    let a = w.create("joy");
    w.at("00:00");
    w.poll();
    w.snapshot("cA", "1", a);
    w.at("08:00");
    w.rename(a, "joy.former");
    w.directory(|directory| directory.edit(a, |user| user.enabled = false)).unwrap();
    w.at("09:00");
    let b = w.create("joy");
    w.at("10:00");
    w.poll();
    w.ask(&["--object", &id(a), "--chain", "cA"]).renamed().of_object(a).on("1").has("old_name_holder", json!(b));
    w.ask(&["--name", "joy@x.test", "--chain", "cA"])
        .mismatch()
        .instead(&[(a, "incremental", Some("cA")), (b, "full", None)]);
    w.ask(&["--name", "joy@x.test"]).refresh().because("only a live read");
    w.ask_live(&["--name", "joy@x.test"]).baseline().of_object(b);
}

#[test]
fn s21_quarantine_placeholder() {
    let mut w = World::new();
    let a = w.create("tom");
    w.at("00:00");
    w.poll();
    w.snapshot("cA", "1", a);
    w.at("09:30");
    let b = w.directory(|directory| directory.create_user_conflicting(NewUser::mailbox(&full("tom")))).unwrap();
    let placeholder = w.directory(|directory| directory.user(b).unwrap().upn.clone());
    assert!(placeholder.starts_with("tom+") && placeholder.ends_with("@x.onmicrosoft.com"), "{placeholder}");
    w.at("09:45");
    w.poll();
    w.ask(&["--object", &id(b)]).baseline().of_object(b);
    w.snapshot("cB", "1", b);
    w.ask(&["--object", &id(b), "--chain", "cB"]).continues().has("changes", json!([]));
    w.ask(&["--object", &id(a), "--chain", "cA"]).continues().has("changes", json!([]));

    w.at("10:10");
    w.rename(a, "thomas");
    w.at("11:10");
    assert_eq!(w.directory(|directory| directory.user(b).unwrap().upn.clone()), "tom@x.test");
    w.ask(&["--name", "tom@x.test", "--chain", "cA"]).refresh();
    w.at("12:00");
    w.poll();
    w.ask(&["--name", "tom@x.test", "--chain", "cA"])
        .mismatch()
        .of_object(a)
        .instead(&[(a, "incremental", Some("cA")), (b, "incremental", Some("cB"))]);
    let edge = w.edge("09:40", "12:00:01");
    w.ask(&["--object", &id(b), "--chain", "cB"]).renamed().upn_change(&placeholder, "tom", edge);
    w.ask(&["--object", &id(a), "--chain", "cA"]).renamed().has("old_name_holder", json!(b));
}

#[test]
fn s31_clock_trouble() {
    let mut w = World::new();
    let a = w.create("eva");
    w.at("10:00");
    w.poll();
    w.snapshot("cA", "1", a);
    let ahead = w.time("13:00").to_string();
    w.ask(&["--object", &id(a), "--chain", "cA", "--at", &ahead])
        .continues()
        .on("1")
        .because("10800 s ahead of")
        .has("asked.at", json!(ahead))
        .has("basis.clock", json!(w.now()));
    let behind = w.time("07:00").to_string();
    w.ask(&["--object", &id(a), "--chain", "cA", "--at", &behind]).continues().because("10800 s behind");

    // What is learnt later about earlier does not rewrite what was known.
    let sequence = w.status()["sequence"].to_string();
    let asked = ["who", "eva@x.test", "--at", &w.time("10:30").to_string()].map(str::to_owned);
    let ask = |w: &World, more: &[&str]| {
        let all: Vec<&str> = asked.iter().map(String::as_str).chain(more.iter().copied()).collect();
        w.run(&all).done()
    };
    w.at("11:00");
    let known_then = ask(&w, &[]);
    assert_eq!(known_then["holder"], json!(a), "{known_then:#}");
    w.rename(a, "eva.new");
    let b = w.create("eva");
    w.at("12:00");
    w.poll();
    let known_now = ask(&w, &[]);
    for known_at in [sequence.as_str(), "2026-03-02T11:30:00Z"] {
        let replayed = ask(&w, &["--known-at", known_at]);
        for field in ["holder", "confidence", "candidates", "at"] {
            assert_eq!(replayed[field], known_then[field], "{field} as known at {known_at}");
        }
    }
    assert_ne!(known_now["candidates"], known_then["candidates"], "{known_now:#}");
    assert_eq!(w.history(&id(b))["state"], json!("active"));
}

#[test]
fn s32_two_sync_jobs() {
    let mut w = World::paged(2);
    let a = w.create("ida");
    for n in 0..5 {
        w.create(&format!("other{n}"));
    }
    w.at("00:00");
    w.quirks([Quirk::new(QuirkName::SlowBody).path("/users/delta").every(3).times(1).seconds(4.0)]);
    let first = w.start(&["sync"]);
    let pid = first.id();
    wait_until("two pages are committed", || pages_so_far(&w) == Some(2));

    let second = w.run(&["sync"]);
    second.failed(75, &["already running", &format!("process {pid}"), "2026-03-02T00:00:00Z", "\"pages\":2"]);
    let running: Value = serde_json::from_str(&second.stdout).unwrap();
    for (field, expected) in [
        ("pages", json!(2)),
        ("seen", json!(4)),
        ("pid", json!(pid)),
        ("kind", json!("full")),
        ("outcome", json!("running")),
        ("started", json!("2026-03-02T00:00:00Z")),
        ("ended", Value::Null),
    ] {
        assert_eq!(running[field], expected, "{field} of {running:#}");
    }
    for field in ["run", "changed", "removed", "restored", "facts", "throttled_ms"] {
        assert!(running[field].is_u64(), "{field} of {running:#}");
    }
    let check = w.run(&["check", "--object", &id(a)]);
    check.failed(1, &[&format!("process {pid}"), "sync", "\"pages\":2", "wait until it is done"]);
    assert_eq!(check.stdout, "");

    assert_eq!(finished(first.wait_with_output().unwrap()).done()["outcome"], json!("completed"));
    w.ask(&["--object", &id(a)]).baseline();
    assert_eq!(w.poll()["kind"], json!("delta"));
}

#[test]
fn s16_licence_gap_short() {
    let mut w = World::new();
    let a = w.create("ann");
    let shared = w
        .directory(|directory| directory.create_user(NewUser { licensed: false, ..NewUser::mailbox(&full("box")) }))
        .unwrap();
    w.at("00:00");
    w.poll();
    w.snapshot("cA", "1", a);
    w.snapshot("cS", "1", shared);
    w.at("10:00");
    w.license(a, false);
    for day in [1, 10, 19] {
        w.on_day(day, "12:00");
        w.poll();
        w.ask(&["--object", &id(a), "--chain", "cA"]).frozen().of_object(a).on("1").because("licence went after");
        w.ask(&["--object", &id(shared), "--chain", "cS"]).continues();
    }
    w.reconcile();
    w.ask_live(&["--name", "ann@x.test", "--chain", "cA"]).frozen().of_object(a).because("has no mailbox");
    w.on_day(20, "10:00");
    w.license(a, true);
    w.on_day(21, "12:00");
    w.poll();
    w.ask(&["--object", &id(a), "--chain", "cA"]).continues().of_object(a).on("1").because("gap: the Exchange licence");
    // Never having had a licence is told by the listing only, and is no news.
    let run = w.reconcile();
    assert_eq!(run["facts"], json!(0), "{run}");
    w.verify();
}

#[test]
fn s17_licence_gap_long() {
    let mut w = World::new();
    let a = w.create("ann");
    w.at("00:00");
    w.poll();
    let (old, new) = ("00000000-0000-4000-8000-0000000000a1", "00000000-0000-4000-8000-0000000000a2");
    let now = w.now().to_string();
    let object = id(a);
    w.run(&[
        "snapshot",
        "add",
        "--chain",
        "cA",
        "--snapshot",
        "1",
        "--from",
        &now,
        "--until",
        &now,
        "--object",
        &object,
        "--mailbox",
        old,
    ])
    .done();
    w.at("10:00");
    w.license(a, false);
    w.on_day(1, "00:00");
    w.poll();
    w.on_day(60, "10:00");
    w.license(a, true);
    w.at("12:00");
    w.poll();
    let ask = ["--object", &object, "--chain", "cA"];
    let with = |mailbox| ["--object", object.as_str(), "--chain", "cA", "--mailbox", mailbox];
    w.ask(&with(new)).replaced().of_object(a).has("base", Value::Null);
    w.ask(&with(old)).continues().on("1").because("gap: the Exchange licence");
    w.ask(&ask).refresh().because("longer than the 30 days");
    w.ask_live(&ask).replaced().of_object(a).because("suspected").has("base", Value::Null);
    w.verify();

    // Nothing tells that the licence was away.
    let mut w = World::new();
    let a = w.create("ann");
    w.at("00:00");
    w.poll();
    w.snapshot("cA", "1", a);
    w.license(a, false);
    w.on_day(60, "10:00");
    w.license(a, true);
    w.at("12:00");
    w.poll();
    w.ask(&["--object", &id(a), "--chain", "cA"]).continues().on("1").because("not verified");
}

#[test]
fn s27_address_moves_to_a_group() {
    let mut w = World::new();
    let a = w.create("tax");
    w.at("00:00");
    w.poll();
    w.snapshot("cA", "1", a);
    w.at("08:00");
    w.delete(a);
    w.purge(a);
    w.at("09:00");
    let group = w.directory(|directory| directory.create_group("Tax", Some("Tax@x.test"))).unwrap();

    // A live read by name looks among the groups, where no user is found.
    w.at("10:00");
    w.ask_live(&["--name", "tax@x.test", "--chain", "cA"])
        .mismatch()
        .of_object(a)
        .because("now a group")
        .instead(&[(a, "stop", Some("cA")), (group, "stop", None)]);
    w.ask(&["--chain", "cA"]).frozen().of_object(a);
    w.ask_live(&["--name", "tax@x.test"]).frozen().because("is a group");
    w.ask(&["--object", &id(group)]).frozen();
    w.ask_live(&["--object", &id(group)]).frozen().because("is a group");
    w.ask_live(&["--name", "tax@x.test", "--kind", "smtp", "--chain", "cA"]).mismatch();
    assert_eq!(w.status()["objects"], json!({"active": 0, "soft_deleted": 0, "purged": 0}), "a group is nobody");

    // Without a live read a reconcile finds it out, and once the group is gone the address is nobody's.
    let mut w = World::new();
    let a = w.create("tax");
    w.at("00:00");
    w.poll();
    w.snapshot("cA", "1", a);
    w.delete(a);
    let group = w.directory(|directory| directory.create_group("Tax", Some("tax@x.test"))).unwrap();
    w.at("10:00");
    let run = w.reconcile();
    assert_eq!((&run["note"], &run["outcome"]), (&Value::Null, &json!("completed")), "{run}");
    w.ask(&["--name", "tax@x.test", "--chain", "cA"])
        .mismatch()
        .because("now a group")
        .instead(&[(a, "stop", Some("cA")), (group, "stop", None)]);
    assert_eq!(w.reconcile()["facts"], json!(0), "a group that stays the same is no news");
    w.at("12:00");
    w.directory(|directory| directory.delete_group(group)).unwrap();
    w.reconcile();
    w.at("13:00");
    let history = w.history("tax@x.test");
    let held = history["holders"].as_array().unwrap().iter().find(|holder| holder["object"] == json!(group)).unwrap();
    assert_ne!(held["until"], Value::Null, "{history:#}");
    w.ask(&["--name", "tax@x.test", "--chain", "cA"]).frozen().of_object(a);
    w.verify();
}

#[test]
fn groups_that_may_not_be_read_are_named_and_stop_nothing() {
    let mut w = World::new();
    let a = w.create("ann");
    w.at("00:00");
    w.poll();
    w.directory(|directory| directory.create_group("Tax", Some("tax@x.test"))).unwrap();
    w.quirk(QuirkName::GroupsForbidden);
    w.at("10:00");
    let run = w.reconcile();
    assert_eq!(run["outcome"], json!("completed"), "{run}");
    assert!(run["note"].as_str().unwrap().contains("GroupMember.Read.All"), "{run}");
    w.ask_live(&["--name", "tax@x.test"]).unknown();
    w.ask_live(&["--name", "ann@x.test"]).baseline().of_object(a);
    w.no_quirks();
    w.reconcile();
    // A full resync does not take a group for a user who is missing.
    w.at("12:00");
    w.run(&["sync", "--full"]).done();
    w.ask(&["--name", "tax@x.test"]).refresh();
    w.ask_live(&["--name", "tax@x.test"]).frozen().because("is a group");
}

#[test]
fn an_address_that_passed_to_a_contact_is_held() {
    let mut w = World::new();
    let a = w.create("tax");
    w.at("00:00");
    w.poll();
    w.snapshot("cA", "1", a);
    w.at("08:00");
    w.delete(a);
    let contact = w.directory(|directory| directory.create_contact("Tax office", "Tax@x.test")).unwrap();

    // A live read by name looks among the contacts, where neither a user nor a group is found.
    w.at("10:00");
    w.ask_live(&["--name", "tax@x.test", "--chain", "cA"])
        .mismatch()
        .because("now a contact")
        .instead(&[(a, "stop", Some("cA")), (contact, "stop", None)]);
    w.ask_live(&["--object", &id(contact)]).frozen().because("is a contact");

    // A reconcile finds it too, and that it is gone.
    let run = w.reconcile();
    assert_eq!((&run["note"], &run["outcome"]), (&Value::Null, &json!("completed")), "{run}");
    assert_eq!(w.reconcile()["facts"], json!(0), "a contact that stays the same is no news");
    w.at("12:00");
    w.directory(|directory| directory.delete_contact(contact)).unwrap();
    w.reconcile();
    w.at("13:00");
    let history = w.history("tax@x.test");
    let held = history["holders"].as_array().unwrap().iter().find(|held| held["object"] == json!(contact)).unwrap();
    assert_ne!(held["until"], Value::Null, "{history:#}");

    // Without the permission that is said, and nothing else stops.
    w.quirks([QuirkName::ContactsForbidden, QuirkName::GroupsForbidden].map(Quirk::new));
    let run = w.reconcile();
    assert_eq!(run["outcome"], json!("completed"), "{run}");
    let note = run["note"].as_str().unwrap();
    assert!(note.contains("OrgContact.Read.All") && note.contains("GroupMember.Read.All"), "{note}");
    w.ask_live(&["--name", "tax@x.test", "--chain", "cA"]).frozen().of_object(a);
    w.verify();
}

/// A user keeps the name as user principal name only, and its address passes to a group.
#[test]
fn an_address_that_passed_to_a_group_is_found_beside_a_user_principal_name() {
    let mut w = World::new();
    let a = w.create("tax");
    w.at("00:00");
    w.poll();
    w.snapshot("cA", "1", a);
    w.at("08:00");
    w.directory(|directory| {
        directory.edit(a, |user| {
            user.mail = Some("ann@x.test".to_owned());
            user.proxies = vec!["SMTP:ann@x.test".to_owned()];
        })
    })
    .unwrap();
    w.directory(|directory| directory.create_group("Tax", Some("tax@x.test"))).unwrap();
    w.at("10:00");
    w.ask_live(&["--name", "tax@x.test", "--chain", "cA"]).ambiguous();
    w.ask_live(&["--name", "tax@x.test", "--kind", "upn", "--chain", "cA"]).renamed().of_object(a);
}

#[test]
fn s22_token_expired_over_a_reuse() {
    let mut w = World::new();
    let a = w.create("eve");
    w.at("10:00");
    w.poll();
    w.snapshot("cA", "1", a);
    w.on_day(3, "09:00");
    w.delete(a);
    w.purge(a);
    w.on_day(4, "09:00");
    let b = w.create("eve");

    // The sync is down; agents go on asking, and one backs up by name all the same.
    w.on_day(5, "10:00");
    w.ask(&["--name", "eve@x.test", "--chain", "cA"]).refresh().of_object(a);
    w.ask(&["--name", "eve@x.test"]).refresh();
    w.snapshot_by_name("cN", "1", "eve");
    w.on_day(8, "10:00");
    w.ask(&["--object", &id(a), "--chain", "cA"]).refresh().because("still lives");

    w.on_day(9, "10:00");
    w.quirks([Quirk::new(QuirkName::DeltaTokenExpired).times(1)]);
    let run = w.poll();
    assert_eq!((&run["kind"], &run["outcome"]), (&json!("full"), &json!("completed")), "{run}");
    let blind = &w.status()["blind"];
    assert_eq!(blind.as_array().unwrap().len(), 1, "{blind:#}");
    assert_eq!(
        (&blind[0]["from"], &blind[0]["until"]),
        (&json!("2026-03-02T09:55:00Z"), &json!("2026-03-11T09:55:00Z")),
        "{blind:#}"
    );
    assert!(blind[0]["why"].as_str().unwrap().contains("token had expired"), "{blind:#}");

    w.ask(&["--name", "eve@x.test", "--chain", "cA"])
        .mismatch()
        .of_object(a)
        .instead(&[(a, "stop", Some("cA")), (b, "full", None)]);
    w.ask_live(&["--name", "eve@x.test", "--chain", "cA"]).mismatch();
    w.ask(&["--object", &id(a), "--chain", "cA"]).frozen().of_object(a).on("1");
    let history = w.history("eve@x.test");
    let held = |object: ObjectId| {
        let all = history["holders"].as_array().unwrap().iter();
        all.into_iter().find(|held| held["object"] == json!(object) && held["kind"] == "upn").unwrap().clone()
    };
    // A's end lies in the blind period, before B was created; B's start after it was created.
    let (created, until) = ("2026-03-06T08:59:59.999999Z", held(a)["until"].clone());
    assert_eq!(until["after"], json!("2026-03-02T09:55:00Z"), "{history:#}");
    assert_eq!(held(b)["from"]["after"], json!(created), "{history:#}");
    assert_eq!(held(b)["until"], Value::Null);
    let taken = w.run(&["snapshot", "show", "--chain", "cN", "--snapshot", "1"]).done();
    assert_eq!(taken["attribution"]["owner"], Value::Null, "cannot know: {taken:#}");
    assert_ne!(taken["attribution"]["confidence"], json!("certain"));
    assert_ne!(w.who("eve", "10:00")["confidence"], json!("nobody"));
    w.verify();
}
