//! What an auditor asks: the repair plan, the restore guard, findings, reuse and lineage links.

use serde_json::{Value, json};
use whowas::domain::id::ObjectId;
use whowas::graph::emulator::NewUser;

use super::world::{Ran, World, full, ran};

fn id(object: ObjectId) -> String {
    object.to_string()
}

/// S3 and its damage: A is renamed, B takes the name, and snapshot 41 of A's chain is taken by name while B has it.
struct Damage {
    w: World,
    a: ObjectId,
    b: ObjectId,
}

fn damage() -> Damage {
    let mut w = World::new();
    let a = w.create("sam");
    w.at("00:00");
    w.poll();
    w.snapshot("cA", "39", a);
    w.at("00:30");
    w.snapshot("cA", "40", a);
    w.at("08:00");
    w.rename(a, "sam.old");
    w.at("09:00");
    let b = w.create("sam");
    w.at("10:00");
    w.snapshot_by_name("cA", "41", "sam");
    w.on_day(1, "00:00");
    w.poll();
    Damage { w, a, b }
}

/// The other tool tells whose mailbox it really read.
fn receipt(w: &World, snapshot: &str, object: ObjectId, end: ObjectId) {
    let (object, end) = (id(object), id(end));
    let of = ["snapshot", "receipt", "--chain", "cA", "--snapshot", snapshot];
    w.run(&[&of[..], &["--object", &object, "--object-end", &end]].concat()).done();
}

#[track_caller]
fn plan(w: &World, chain: &str) -> Value {
    w.run(&["plan", chain]).done()
}

/// Object, confidence, snapshots and deed of each segment.
fn segments(plan: &Value) -> Value {
    let parts = plan["segments"].as_array().unwrap().iter();
    json!(
        parts
            .map(|part| json!([part["object"], part["confidence"], part["snapshots"], part["do"]]))
            .collect::<Vec<_>>()
    )
}

/// Object, action, chain and base of each next step.
fn next(plan: &Value) -> Value {
    let parts = plan["next"].as_array().unwrap().iter();
    json!(parts.map(|part| json!([part["object"], part["action"], part["chain"], part["base"]])).collect::<Vec<_>>())
}

#[track_caller]
fn restore(w: &World, snapshot: &str, to: &str, more: &[&str]) -> (Ran, Value) {
    let ask = ["restore-check", "--chain", "cA", "--snapshot", snapshot, "--to", to];
    let ran = w.run(&[&ask[..], more].concat());
    let answer: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:#?}"));
    let code = if answer["action"] == "proceed" { 0 } else { 20 };
    assert_eq!((ran.code, answer["action"] == "proceed"), (code, answer["verdict"] == "same_owner"), "{answer:#}");
    assert!(!answer["reasons"].as_array().unwrap().is_empty(), "{answer:#}");
    (ran, answer)
}

#[track_caller]
fn because(answer: &Value, words: &str) {
    let said = answer["reasons"].as_array().unwrap().iter().any(|reason| reason.as_str().unwrap().contains(words));
    assert!(said, "{words:?} is not among the reasons of {answer:#}");
}

#[test]
fn s4_the_damage_was_done_and_the_plan_mends_it() {
    let Damage { w, a, b } = damage();
    // Before the other tool tells, the poll alone leaves both possible.
    let before = plan(&w, "cA");
    assert_eq!(before["segments"][1]["confidence"], "ambiguous", "{before:#}");
    assert_eq!(before["segments"][1]["do"], "quarantine");

    receipt(&w, "41", b, b);
    let plan = plan(&w, "cA");
    assert_eq!(
        segments(&plan),
        json!([[a, "certain", ["39", "40"], "keep"], [b, "certain", ["41"], "quarantine"]]),
        "{plan:#}"
    );
    assert_eq!(next(&plan), json!([[a, "incremental", "cA", "40"], [b, "full", null, null]]), "{plan:#}");
    assert_eq!((&plan["needed"], &plan["segments"][1]["to_chain"]), (&json!(true), &Value::Null));
    because(&plan, "must build on snapshot 40");
    // The verdict on the chain says the same.
    w.ask(&["--chain", "cA", "--object", &id(a)]).renamed().on("40").because("mixed_chain");
    w.ask(&["--object", &id(b)]).baseline();

    let said = w.say(&["plan", "cA"]);
    for words in ["repair needed", "quarantine 41: sam@x.test [", "incremental in chain cA, built on snapshot 40"] {
        assert!(said.stdout.contains(words), "{words:?} is not in {}", said.stdout);
    }
    assert!(said.stdout.contains(&format!("sam.old@x.test: object {a} (active)")), "{}", said.stdout);
}

#[test]
fn a_clean_chain_needs_no_plan_and_an_unknown_one_has_none() {
    let mut w = World::new();
    let a = w.create("ann");
    w.at("00:00");
    w.poll();
    w.snapshot("cA", "1", a);
    w.at("01:00");
    w.snapshot("cA", "2", a);
    let plan = plan(&w, "cA");
    assert_eq!(segments(&plan), json!([[a, "certain", ["1", "2"], "keep"]]));
    assert_eq!(next(&plan), json!([[a, "incremental", "cA", "2"]]));
    because(&plan, "nothing is to be done");
    assert!(w.say(&["plan", "cA"]).stdout.starts_with("chain cA: nothing to do\n"));
    w.run(&["plan", "cX"]).failed(1, &["chain cX has no snapshots"]);
}

#[test]
fn the_plan_of_a_dead_owner_s_chain_takes_nothing_more() {
    let Damage { mut w, a, b } = damage();
    receipt(&w, "41", b, b);
    w.delete(a);
    w.at("02:00");
    w.poll();
    let plan = plan(&w, "cA");
    assert_eq!(next(&plan), json!([[a, "stop", "cA", null], [b, "full", null, null]]), "{plan:#}");
    w.ask(&["--chain", "cA", "--object", &id(a)]).frozen();
}

#[test]
fn plan_and_verdict_name_the_same_base_and_the_plan_warns_of_what_it_may_stand_on() {
    let Damage { mut w, a, b } = damage();
    receipt(&w, "41", b, b);
    w.at("01:00");
    w.snapshot("cA", "42", a);
    let mixed = plan(&w, "cA");
    assert_eq!(
        segments(&mixed),
        json!([
            [a, "certain", ["39", "40"], "keep"],
            [b, "certain", ["41"], "quarantine"],
            [a, "certain", ["42"], "keep"]
        ])
    );
    assert_eq!(next(&mixed)[0], json!([a, "incremental", "cA", "42"]), "{mixed:#}");
    assert_eq!(mixed["next"][0]["safe_base"], "40");
    because(&mixed, "then build on 40 instead");
    w.ask(&["--chain", "cA", "--object", &id(a)]).on("42");
    // B's own chain is where B goes on, and that too is what the verdict says.
    w.snapshot("cB", "1", b);
    assert_eq!(next(&plan(&w, "cA"))[1], json!([b, "incremental", "cB", "1"]));
    w.ask(&["--object", &id(b)]).continues().on("1").has("chain", json!("cB"));
    // What the backup product has thrown away needs nothing more.
    w.run(&["snapshot", "expire", "--chain", "cA", "--snapshot", "41"]).done();
    let mended = plan(&w, "cA");
    assert_eq!(segments(&mended), json!([[a, "certain", ["39", "40", "42"], "keep"]]), "{mended:#}");
    assert_eq!(mended["needed"], false);
}

#[test]
fn another_mailbox_of_the_same_person_goes_to_a_chain_of_its_own() {
    let mut w = World::new();
    let a = w.create("ann");
    w.at("00:00");
    w.poll();
    let object = id(a);
    for (snapshot, clock, mailbox) in [("1", "01:00", "a"), ("2", "02:00", "b"), ("3", "03:00", "b")] {
        let at = w.time(clock).to_string();
        let mailbox = format!("5f0c9b8e-0000-4c1b-9d2e-7a5f0c9b8e1{mailbox}");
        let key = ["snapshot", "add", "--chain", "cA", "--snapshot", snapshot, "--object", &object];
        w.run(&[&key[..], &["--from", &at, "--until", &at, "--mailbox", &mailbox]].concat()).done();
    }
    let plan = plan(&w, "cA");
    assert_eq!(segments(&plan), json!([[a, "certain", ["1"], "keep"], [a, "certain", ["2", "3"], "relabel"]]));
    assert_eq!((next(&plan), &plan["segments"][1]["to_chain"]), (json!([[a, "full", null, null]]), &Value::Null));
    let finding = the_finding(&w, "mailbox_changed");
    assert_eq!((&finding["snapshots"], &finding["severity"]), (&json!(["2", "3"]), &json!("critical")), "{finding:#}");
    assert!(finding["summary"].as_str().unwrap().contains("holds 2 different mailboxes: from snapshot 2 on"));
    // A person in two chains is told with where backups go on.
    let at = w.time("04:00").to_string();
    let key = ["snapshot", "add", "--chain", "cA2", "--snapshot", "1", "--object", &object];
    w.run(&[&key[..], &["--from", &at, "--until", &at]].concat()).done();
    let split = the_finding(&w, "split_owner");
    assert!(
        split["summary"].as_str().unwrap().ends_with("is in 2 chains: cA and cA2; backups go on in cA2"),
        "{split:#}"
    );
}

#[test]
fn plan_and_verdict_agree_that_nothing_goes_on_over_a_change_of_mailbox() {
    let mut w = World::new();
    let (a, b) = (w.create("ann"), w.create("bob"));
    w.at("00:00");
    w.poll();
    let mailbox = |letter: &str| format!("5f0c9b8e-0000-4c1b-9d2e-7a5f0c9b8e1{letter}");
    let add = |chain: &str, snapshot: &str, clock: &str, letter: Option<&str>| {
        let (at, object, mailbox) = (w.time(clock).to_string(), id(a), letter.map(mailbox));
        let mut all = vec!["snapshot", "add", "--chain", chain, "--snapshot", snapshot, "--object", &object];
        all.extend(["--from", &at, "--until", &at]);
        all.extend(mailbox.iter().flat_map(|mailbox| ["--mailbox", mailbox.as_str()]));
        w.run(&all).done();
    };
    let full = |chain: &str, more: &[&str]| {
        let verdict = w.run(&[&["check", "--chain", chain, "--object", &id(a)], more].concat()).ended(10);
        assert_eq!((&verdict["verdict"], &verdict["base"]), (&json!("mailbox_replaced"), &Value::Null), "{verdict:#}");
        because(&verdict, "mailbox_changed: chain");
        because(&verdict, &mailbox("a"));
        because(&verdict, &mailbox("b"));
        assert_eq!(next(&plan(&w, chain)), json!([[a, "full", null, null]]), "{chain}");
    };
    add("cA", "1", "01:00", Some("a"));
    w.run(&["check", "--chain", "cA", "--object", &id(a)]).ended(0);
    add("cA", "2", "02:00", Some("b"));
    add("cA", "3", "03:00", None);
    for more in [&[][..], &["--mailbox", &mailbox("b")], &["--mailbox", &mailbox("a")]] {
        full("cA", more);
    }
    // It is no better where the first mailbox comes back, or where the snapshots of one of them have expired.
    for (snapshot, clock, letter) in [("1", "01:00", "a"), ("2", "02:00", "b"), ("3", "03:00", "a")] {
        add("cB", snapshot, clock, Some(letter));
    }
    full("cB", &["--mailbox", &mailbox("a")]);
    w.run(&["snapshot", "expire", "--chain", "cA", "--snapshot", "1"]).done();
    full("cA", &["--mailbox", &mailbox("b")]);
    // Whoever is sent to the chain's owner instead is not told to append either.
    let mixed = w.run(&["check", "--chain", "cB", "--object", &id(b)]).ended(20);
    assert_eq!(mixed["instead"][0], json!({"object": a, "action": "full", "chain": null}), "{mixed:#}");
}

#[test]
fn a_restore_proceeds_only_to_the_snapshot_s_own_person() {
    let Damage { mut w, a, b } = damage();
    receipt(&w, "41", b, b);
    let (_, answer) = restore(&w, "40", &id(a), &[]);
    assert_eq!(answer["verdict"], "same_owner", "{answer:#}");
    assert_eq!(answer["target"]["names"]["upn"], "sam.old@x.test");
    assert_eq!(answer["snapshot"]["attribution"]["owner"], json!(a));

    // The name on the label is another person's now.
    let (_, answer) = restore(&w, "40", &id(b), &[]);
    assert_eq!(answer["verdict"], "different_owner", "{answer:#}");
    because(&answer, &format!("holds the data of sam.old@x.test (object {a})"));
    because(&answer, &format!("the target is sam@x.test (object {b})"));
    let held = |part: &Value| -> Vec<Value> {
        let all = part["held"].as_array().unwrap().iter();
        all.filter(|hold| hold["kind"] == "upn")
            .map(|hold| json!([hold["name"], hold["until"] == Value::Null]))
            .collect()
    };
    assert_eq!(held(&answer["owner"]), [json!(["sam@x.test", false]), json!(["sam.old@x.test", true])], "{answer:#}");
    assert_eq!(held(&answer["target"]), [json!(["sam@x.test", true])]);
    assert!(answer["target"]["held"][0]["from"]["by"].is_string(), "with dates: {answer:#}");

    let (_, answer) = restore(&w, "41", &id(a), &[]);
    assert_eq!((&answer["verdict"], &answer["owner"]["object"]), (&json!("different_owner"), &json!(b)));

    // What it read is this person's, but it may be an increment on the other one's.
    let (_, answer) = restore(&w, "41", &id(b), &[]);
    assert_eq!(answer["verdict"], "same_owner", "{answer:#}");
    because(&answer, "restore only what this snapshot read itself");

    // By name it needs proof of who holds it now, and the name had two holders.
    let (_, answer) = restore(&w, "40", &full("sam"), &[]);
    assert_eq!(answer["verdict"], "cannot_know", "{answer:#}");
    because(&answer, "--verify");
    w.at("01:00");
    let (_, answer) = restore(&w, "40", &full("sam"), &["--verify"]);
    assert_eq!((&answer["verdict"], &answer["target"]["object"]), (&json!("different_owner"), &json!(b)), "{answer:#}");
    let (_, answer) = restore(&w, "40", &full("sam.old"), &["--verify"]);
    assert_eq!(answer["verdict"], "same_owner", "{answer:#}");
    assert!(!answer.to_string().contains("for an earlier ask"), "{answer:#}");
    // The same read still counts, but it is said to be that.
    let (_, answer) = restore(&w, "40", &full("sam.old"), &[]);
    assert_eq!(answer["verdict"], "same_owner", "{answer:#}");
    because(&answer, "for an earlier ask; --verify reads it now");

    let said = w.say(&["restore-check", "--chain", "cA", "--snapshot", "40", "--to", &id(b)]);
    assert_eq!(said.code, 20);
    assert!(said.stdout.starts_with("different_owner → stop   snapshot 40 of chain cA"), "{}", said.stdout);
}

#[test]
fn a_restore_stops_where_nobody_can_know() {
    let Damage { w, a, b } = damage();
    let (_, answer) = restore(&w, "41", &id(b), &[]);
    assert_eq!(answer["verdict"], "cannot_know", "{answer:#}");
    because(&answer, "more than one answer");
    because(&answer, &id(a));
    because(&answer, &id(b));
    receipt(&w, "41", a, b);
    let (_, answer) = restore(&w, "41", &id(b), &[]);
    assert_eq!(answer["verdict"], "cannot_know", "{answer:#}");
    because(&answer, "a person must take it apart");
    w.run(&["snapshot", "expire", "--chain", "cA", "--snapshot", "39"]).done();
    let (_, answer) = restore(&w, "39", &id(a), &[]);
    because(&answer, "has expired");
    let (_, answer) = restore(&w, "40", &full("never.seen"), &["--verify"]);
    assert_eq!(answer["verdict"], "cannot_know", "{answer:#}");
    w.run(&["restore-check", "--chain", "cA", "--snapshot", "99", "--to", &id(a)]).failed(1, &["99", "cA"]);
}

#[test]
fn a_restore_to_someone_who_is_gone_says_so() {
    let mut w = World::new();
    let a = w.create("kim");
    w.at("00:00");
    w.poll();
    w.snapshot("cA", "1", a);
    w.at("10:00");
    w.delete(a);
    w.on_day(1, "00:00");
    w.poll();
    let (_, answer) = restore(&w, "1", &id(a), &[]);
    assert_eq!(answer["verdict"], "owner_gone", "{answer:#}");
    because(&answer, "can still come back");
    let (_, answer) = restore(&w, "1", &full("kim"), &["--verify"]);
    assert_eq!(answer["verdict"], "owner_gone", "{answer:#}");
    // A namesake is another person, whoever is gone.
    let b = w.create("kim");
    w.at("01:00");
    w.poll();
    let (_, answer) = restore(&w, "1", &full("kim"), &["--verify"]);
    assert_eq!((&answer["verdict"], &answer["target"]["object"]), (&json!("different_owner"), &json!(b)), "{answer:#}");
    because(&answer, "soft-deleted");
}

#[test]
fn a_live_read_that_fails_lets_no_restore_proceed() {
    let mut w = World::new();
    let a = w.create("ann");
    w.at("00:00");
    w.poll();
    w.snapshot("cA", "1", a);
    w.at("01:00");
    w.configure("max_skew = \"1s\"");
    let later = w.now().plus(std::time::Duration::from_secs(60));
    w.pretend(later);
    let (_, answer) = restore(&w, "1", &id(a), &["--verify"]);
    assert_eq!(answer["verdict"], "cannot_know", "{answer:#}");
    because(&answer, "the live read failed");
}

#[test]
fn a_restore_by_name_goes_nowhere_unless_the_name_is_proved_to_be_that_person_s_now() {
    let mut w = World::new();
    let a = w.create("ann");
    w.at("00:00");
    w.poll();
    w.snapshot("cA", "1", a);
    w.at("08:00");
    w.rename(a, "ann.old");
    w.license(a, false);
    w.at("10:00");
    w.poll();
    w.at("10:30");
    let b = w.create("ann");
    w.at("11:00");
    // The ledger knows only the former holder, who has no mailbox; the directory knows better.
    let (_, answer) = restore(&w, "1", &full("ann"), &[]);
    assert_eq!((&answer["verdict"], &answer["target"]["object"]), (&json!("cannot_know"), &Value::Null), "{answer:#}");
    because(&answer, "--verify");
    because(&answer, "nothing proves that ann@x.test is a name of object");
    let (_, answer) = restore(&w, "1", &full("ann"), &["--verify"]);
    assert_eq!((&answer["verdict"], &answer["target"]["object"]), (&json!("different_owner"), &json!(b)), "{answer:#}");
    // Nor does a read that finds nobody under the name make it the former holder's.
    w.rename(b, "bob");
    w.at("12:00");
    w.poll();
    w.at("12:01");
    let (_, answer) = restore(&w, "1", &full("ann"), &["--verify"]);
    assert_eq!((&answer["verdict"], &answer["target"]["object"]), (&json!("cannot_know"), &Value::Null), "{answer:#}");
}

#[test]
fn a_restore_to_someone_without_a_mailbox_stops() {
    let mut w = World::new();
    let a = w.create("ann");
    w.at("00:00");
    w.poll();
    w.snapshot("cA", "1", a);
    w.at("10:00");
    w.license(a, false);
    w.poll();
    w.at("11:00");
    let to = [(id(a), vec![]), (id(a), vec!["--verify"]), (full("ann"), vec!["--verify"])];
    for (to, more) in to {
        let (_, answer) = restore(&w, "1", &to, &more);
        assert_eq!((&answer["verdict"], &answer["target"]["object"]), (&json!("owner_gone"), &json!(a)), "{answer:#}");
        because(&answer, "has no mailbox to restore to");
    }
}

#[test]
fn a_restore_to_an_id_needs_a_fresh_proof_that_it_lives() {
    let mut w = World::new();
    let a = w.create("ann");
    w.at("00:00");
    w.poll();
    w.snapshot("cA", "1", a);
    w.on_day(6, "00:00");
    let (_, answer) = restore(&w, "1", &id(a), &[]);
    assert_eq!(answer["verdict"], "same_owner", "{answer:#}");
    w.at("01:00");
    w.delete(a);
    w.on_day(60, "10:00");
    let (_, answer) = restore(&w, "1", &id(a), &[]);
    assert_eq!(answer["verdict"], "cannot_know", "{answer:#}");
    because(&answer, "nothing proves where the target stands now");
    because(&answer, "still lives");
}

// ---- findings

#[track_caller]
fn findings(w: &World, more: &[&str]) -> Vec<Value> {
    let list = w.run(&[&["findings"], more].concat()).done();
    list["items"].as_array().unwrap().clone()
}

#[track_caller]
fn the_finding(w: &World, kind: &str) -> Value {
    let found = findings(w, &["--kind", kind]);
    assert_eq!(found.len(), 1, "{found:#?}");
    found[0].clone()
}

/// Where does somebody's mail lie? Also in a chain of somebody else; and what was known of it is what is told of the past.
#[test]
fn s4_a_history_lists_the_snapshots_that_hold_somebody_s_data_in_whosever_chain_and_of_the_past_as_it_was_known() {
    let Damage { w, a, b } = damage();
    let held = |object: ObjectId, known_at: &[&str]| -> Value {
        let told = w.run(&[&["history", &id(object)], known_at].concat()).done();
        json!(told["snapshots"].as_array().unwrap().iter().map(|snapshot| &snapshot["snapshot"]).collect::<Vec<_>>())
    };
    let before = w.status()["sequence"].to_string();
    assert_eq!((held(a, &[]), held(b, &[])), (json!(["39", "40"]), json!([])));
    receipt(&w, "41", b, b);
    assert_eq!((held(a, &[]), held(b, &[])), (json!(["39", "40"]), json!(["41"])));
    assert_eq!(w.history(&id(b))["chains"], json!([]), "the chain is not B's");
    let then = ["--known-at", &before];
    assert_eq!((held(a, &then), held(b, &then)), (json!(["39", "40"]), json!([])));
}

#[test]
fn s4_the_finding_is_listed_explained_and_taken_through_its_states() {
    let Damage { mut w, a, b } = damage();
    receipt(&w, "41", b, b);
    let mixed = the_finding(&w, "mixed_chain");
    assert_eq!(
        (&mixed["severity"], &mixed["state"], &mixed["chain"]),
        (&json!("critical"), &json!("open"), &json!("cA"))
    );
    assert_eq!((&mixed["snapshots"], &mixed["name"]), (&json!(["41"]), &Value::Null), "{mixed:#}");
    let mut both = [id(a), id(b)];
    both.sort();
    assert_eq!(mixed["objects"], json!(both));
    assert_eq!(
        mixed["summary"],
        format!(
            "chain cA is the backup of sam.old@x.test (object {a}), but 1 snapshot, such as 41, holds the data of \
             sam@x.test (object {b})"
        )
    );
    assert_eq!(mixed["evidence"]["owner"], json!(a));
    assert_eq!(mixed["history"].as_array().unwrap().len(), 1);
    assert_eq!(mixed["opened"]["sequence"], mixed["history"][0]["sequence"]);
    // The worst comes first, and what was reused is told too.
    let all = findings(&w, &[]);
    assert_eq!(all[0]["severity"], "critical", "{all:#?}");
    assert!(all.iter().any(|finding| finding["kind"] == "name_reused" && finding["name"] == "sam@x.test"), "{all:#?}");
    assert!(all.iter().any(|finding| finding["kind"] == "receipt_mismatch"), "{all:#?}");
    for finding in &all {
        assert!(finding["summary"].as_str().unwrap().len() > 20, "{finding:#}");
    }
    assert!(findings(&w, &["--severity", "critical"]).iter().all(|finding| finding["severity"] == "critical"));
    let open = &w.status()["findings"];
    assert!(open["critical"].as_u64().unwrap() >= 1, "{open:#}");

    let number = mixed["id"].as_str().unwrap().to_owned();
    assert_eq!(w.run(&["findings", "--fail-on", "critical"]).code, 40);
    w.at("01:00");
    let acked = w.run(&["finding", "ack", &number, "--by", "pat", "--note", "ticket 7"]).done();
    assert_eq!(acked["state"], "acknowledged", "{acked:#}");
    assert_eq!((&acked["history"][1]["by"], &acked["history"][1]["note"]), (&json!("pat"), &json!("ticket 7")));
    // The same word again adds nothing; who is at the keyboard is taken from the environment.
    let again = w.run(&["finding", "ack", &number, "--by", "pat", "--note", "ticket 7"]).done();
    assert_eq!(again["history"], acked["history"]);
    let mut command = w.command("json", &["finding", "resolve", &number]);
    let resolved: Value = serde_json::from_slice(&command.env("USER", "kim").output().unwrap().stdout).unwrap();
    assert_eq!(
        (&resolved["state"], &resolved["history"][2]["by"]),
        (&json!("resolved"), &json!("kim")),
        "{resolved:#}"
    );
    assert!(findings(&w, &["--state", "open"]).iter().all(|finding| finding["id"] != *number));
    assert!(findings(&w, &[]).iter().any(|finding| finding["id"] == *number), "resolved ones are listed");
    // An acknowledgement does not undo that.
    let acked = w.run(&["finding", "ack", &number, "--by", "pat"]);
    assert_eq!((acked.done()["state"].clone(), acked.stderr.as_str()), (json!("resolved"), ""));
    let noted = w.run(&["finding", "ack", &number, "--by", "pat", "--note", "ticket 8"]);
    assert!(noted.stderr.contains("the note was not kept"), "{noted:#?}");
    assert_eq!(w.run(&["findings", "--kind", "mixed_chain", "--fail-on", "critical"]).code, 0);

    // More of it opens it again.
    w.at("02:00");
    w.snapshot("cA", "42", b);
    let reopened = w.run(&["finding", "show", &number]).done();
    assert_eq!((&reopened["state"], &reopened["snapshots"]), (&json!("open"), &json!(["41", "42"])), "{reopened:#}");
    assert_eq!(reopened["history"].as_array().unwrap().len(), 4);
    assert_eq!(w.run(&["findings", "--fail-on", "warning"]).code, 40);
    w.verify();

    let said = w.say(&["findings"]).stdout;
    assert!(said.starts_with("critical "), "{said}");
    assert!(said.contains("chain cA is the backup of sam.old@x.test ["), "{said}");
    let said = w.say(&["finding", "show", &number]).stdout;
    for words in ["snapshots: 41, 42", "by pat: ticket 7", "by the ledger", "next: whowas plan cA\n"] {
        assert!(said.contains(words), "{words:?} is not in {said}");
    }
}

#[test]
fn a_mixed_chain_is_its_owner_s_even_when_nothing_of_the_owner_is_kept() {
    let mut w = World::new();
    let people: Vec<ObjectId> = ["ann", "bob", "cid"].into_iter().map(|name| w.create(name)).collect();
    w.at("00:00");
    w.poll();
    for (place, clock) in ["01:00", "02:00", "03:00"].into_iter().enumerate() {
        w.at(clock);
        w.snapshot("cA", &(place + 1).to_string(), people[place]);
    }
    w.run(&["snapshot", "expire", "--chain", "cA", "--snapshot", "1"]).done();
    let finding = the_finding(&w, "mixed_chain");
    assert_eq!(finding["evidence"]["owner"], json!(people[0]), "{finding:#}");
    assert_eq!(finding["snapshots"], json!(["2", "3"]), "{finding:#}");
    let said = finding["summary"].as_str().unwrap();
    assert!(said.starts_with("chain cA is the backup of ann@x.test"), "{said}");
    assert_eq!(plan(&w, "cA")["owner"], json!(people[0]));
}

#[test]
fn an_operator_s_word_needs_a_name() {
    let Damage { w, b, .. } = damage();
    receipt(&w, "41", b, b);
    let number = the_finding(&w, "mixed_chain")["id"].as_str().unwrap().to_owned();
    // In a container nobody has logged in; the system still knows by whom the program is run.
    let mut command = w.command("json", &["finding", "ack", &number, "--by", " "]);
    for name in ["USER", "LOGNAME", "USERNAME"] {
        command.env_remove(name);
    }
    let ran = ran(&mut command);
    if !cfg!(target_os = "linux") {
        return ran.failed(2, &["--by"]);
    }
    let history = ran.done()["history"].clone();
    let by = history.as_array().unwrap().last().unwrap()["by"].as_str().unwrap().to_owned();
    assert!(by.strip_prefix("user ").is_some_and(|number| number.parse::<u32>().is_ok()), "{history}");
    assert_eq!(the_finding(&w, "mixed_chain")["state"], "acknowledged");
}

#[test]
fn the_list_of_findings_goes_on_where_a_page_ended() {
    let Damage { w, b, .. } = damage();
    receipt(&w, "41", b, b);
    let all = findings(&w, &[]);
    assert!(all.len() > 2, "{all:#?}");
    let mut paged = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let mut ask = vec!["findings", "--limit", "1"];
        ask.extend(cursor.iter().flat_map(|cursor| ["--cursor", cursor]));
        let page = w.run(&ask).done();
        let lines = ran(&mut w.command("jsonl", &ask));
        assert_eq!(lines.stdout.lines().count(), 1);
        match page["cursor"].as_str() {
            // Lines have no place for it.
            Some(cursor) => assert!(lines.stderr.contains(&format!("--cursor {cursor}")), "{lines:?}"),
            None => assert_eq!(lines.stderr, ""),
        }
        paged.extend(page["items"].as_array().unwrap().clone());
        match page["cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    assert_eq!(paged, all);
    let lines = super::world::finished(w.command("jsonl", &["findings"]).output().unwrap()).stdout;
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, all);
    w.run(&["findings", "--cursor", "zzz"]).failed(2, &["no cursor"]);
    w.run(&["findings", "--kind", "mixed"]).failed(2, &["mixed_chain"]);
    w.run(&["finding", "show", "xyz"]).failed(2, &["32 hexadecimal digits"]);
    w.run(&["finding", "show", &"0".repeat(32)]).failed(1, &["failed to find finding", "whowas findings"]);
}

#[test]
fn a_finding_that_new_evidence_withdraws_takes_no_word() {
    let Damage { w, a, .. } = damage();
    // The poll alone leaves snapshot 41 to either of the two.
    let doubt = the_finding(&w, "unattributable");
    assert_eq!((&doubt["severity"], &doubt["snapshots"]), (&json!("warning"), &json!(["41"])), "{doubt:#}");
    assert!(
        doubt["summary"]
            .as_str()
            .unwrap()
            .starts_with("nobody can tell whose data 1 snapshot, such as 41, of chain cA")
    );
    receipt(&w, "41", a, a);
    let number = doubt["id"].as_str().unwrap();
    assert_eq!(w.run(&["finding", "show", number]).done()["state"], "withdrawn");
    assert!(findings(&w, &["--kind", "unattributable"]).is_empty(), "withdrawn ones are not listed");
    assert_eq!(findings(&w, &["--kind", "unattributable", "--state", "withdrawn"]).len(), 1);
    for word in ["ack", "resolve"] {
        w.run(&["finding", word, number, "--by", "pat"]).failed(1, &["withdrawn", "opens by itself"]);
    }
}

// ---- reuse

#[test]
fn names_with_two_holders_are_hot_for_good_and_released_ones_for_a_while() {
    let mut w = World::new();
    let (a, c) = (w.create("sam"), w.create("eve"));
    w.at("00:00");
    w.poll();
    w.at("01:00");
    w.rename(a, "sam.old");
    w.rename(c, "eve.roy");
    w.at("02:00");
    w.poll();
    w.at("03:00");
    let b = w.create("sam");
    w.at("04:00");
    w.poll();
    let list = w.run(&["reuse"]).done();
    let items = list["items"].as_array().unwrap();
    let names: Vec<&str> = items.iter().map(|item| item["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["eve@x.test", "sam@x.test"], "{list:#}");
    assert_eq!((&items[0]["hot"], &items[0]["holders_ever"]), (&json!(true), &json!(1)));
    assert!(items[0]["hot_until"].is_string(), "{list:#}");
    assert_eq!(
        (&items[1]["hot"], &items[1]["hot_until"], &items[1]["holders_ever"]),
        (&json!(true), &Value::Null, &json!(2))
    );
    let upns = items[1]["holders"].as_array().unwrap().iter().filter(|holder| holder["kind"] == "upn");
    let upns: Vec<&Value> = upns.collect();
    assert_eq!((&upns[0]["object"], &upns[1]["object"]), (&json!(a), &json!(b)), "{list:#}");
    assert_eq!((upns[0]["until"].is_object(), &upns[1]["until"]), (true, &Value::Null));
    let first = w.run(&["reuse", "--limit", "1"]).done();
    let cursor = first["cursor"].as_str().unwrap().to_owned();
    let second = w.run(&["reuse", "--limit", "1", "--cursor", &cursor]).done();
    assert_eq!((&second["items"][0]["name"], second["cursor"].is_null()), (&json!("sam@x.test"), true), "{second:#}");

    // Long after, the name that nobody took is cold.
    w.on_day(120, "00:00");
    w.poll();
    let list = w.run(&["reuse"]).done();
    assert_eq!(list["items"].as_array().unwrap().len(), 1, "{list:#}");
    let said = w.say(&["reuse"]).stdout;
    assert!(said.contains("sam@x.test — hot for good: 2 objects have held it"), "{said}");
}

// ---- lineage

fn with_employee(w: &World, name: &str, number: &str) -> ObjectId {
    let new = NewUser { employee_id: Some(number.to_owned()), ..NewUser::mailbox(&full(name)) };
    w.directory(|directory| directory.create_user(new)).unwrap()
}

#[track_caller]
fn candidates(w: &World, more: &[&str]) -> Vec<Value> {
    let list = w.run(&[&["link", "candidates"], more].concat()).done();
    list["items"].as_array().unwrap().clone()
}

#[test]
fn s8_the_same_person_recreated_is_a_candidate_and_a_link_changes_no_verdict() {
    let mut w = World::new();
    let a = with_employee(&w, "raj", "4711");
    w.at("00:00");
    w.poll();
    w.snapshot("cA", "1", a);
    w.at("10:00");
    w.delete(a);
    w.on_day(3, "09:00");
    let b = with_employee(&w, "raj", "4711");
    w.on_day(3, "12:00");
    w.poll();
    w.ask(&["--name", "raj@x.test", "--chain", "cA"]).mismatch();

    let found = candidates(&w, &["--object", &id(b)]);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!((&found[0]["from"]["object"], &found[0]["to"]["object"]), (&json!(a), &json!(b)));
    assert_eq!(
        (&found[0]["as"], &found[0]["strength"], &found[0]["anchor"]),
        (&json!("recreated-as"), &json!("weak"), &json!({"kind": "employee_id", "value": "4711"}))
    );
    assert_eq!(candidates(&w, &[]), found);
    let notice = the_finding(&w, "link_candidate");
    assert!(notice["summary"].as_str().unwrap().contains("have the same employee id"), "{notice:#}");
    let before = (w.history(&id(a)), candidates(&w, &[]));

    let (from, to) = (id(a), id(b));
    let of = ["--from", &from, "--to", &to, "--as", "recreated-as", "--by", "pat", "--note", "same person"];
    let linked = w.run(&[&["link", "add"], &of[..]].concat()).done();
    assert_eq!((&linked["in_force"], &linked["changed"]), (&json!(true), &json!(true)), "{linked:#}");
    assert_eq!(w.run(&[&["link", "add"], &of[..]].concat()).done()["changed"], false);
    assert!(candidates(&w, &[]).is_empty());
    assert_eq!(w.run(&["finding", "show", notice["id"].as_str().unwrap()]).done()["state"], "resolved");
    for object in [&from, &to] {
        let links = w.history(object)["links"].clone();
        assert_eq!(
            (&links[0]["from"], &links[0]["to"]["object"], &links[0]["as"]),
            (&json!(a), &json!(b), &json!("recreated-as"))
        );
    }
    assert!(w.say(&["history", &from]).stdout.contains("was recreated as"));
    // Neither a verdict nor a restore follows it.
    w.ask(&["--object", &to]).baseline();
    w.ask(&["--name", "raj@x.test", "--chain", "cA"]).mismatch();
    let (_, answer) = restore(&w, "1", &to, &[]);
    assert_eq!(answer["verdict"], "different_owner", "{answer:#}");
    because(&answer, "operator pat linked the two");

    let undone = w.run(&[&["link", "remove"], &of[..6]].concat()).done();
    assert_eq!((&undone["in_force"], undone["history"].as_array().unwrap().len()), (&json!(false), 2), "{undone:#}");
    let (history, found) = before;
    assert_eq!(candidates(&w, &[]), found);
    assert_eq!((&w.history(&from)["links"], &w.history(&from)["names"]), (&history["links"], &history["names"]));
    w.verify();
}

#[test]
fn s9_a_namesake_with_another_employee_id_is_no_candidate() {
    let mut w = World::new();
    let a = with_employee(&w, "kim", "1");
    w.at("00:00");
    w.poll();
    w.delete(a);
    w.purge(a);
    w.on_day(40, "00:00");
    w.reconcile();
    let b = with_employee(&w, "kim", "2");
    w.on_day(41, "00:00");
    w.poll();
    assert!(candidates(&w, &[]).is_empty());
    assert!(candidates(&w, &["--object", &id(b)]).is_empty());
    let list = w.run(&["reuse"]).done();
    assert_eq!(list["items"][0]["name"], "kim@x.test", "{list:#}");
    w.ask(&["--object", &id(b)]).baseline();
}

#[test]
fn s25_a_merged_account_is_linked_and_nothing_else_changes() {
    let mut w = World::new();
    let (a, b) = (w.create("amy"), w.create("amy.k"));
    w.at("00:00");
    w.poll();
    w.snapshot("cA", "1", a);
    w.snapshot("cB", "1", b);
    w.at("10:00");
    w.delete(b);
    w.at("12:00");
    w.poll();
    w.run(&["link", "add", "--from", &id(b), "--to", &id(a), "--as", "merged-into"]).done();
    w.ask(&["--object", &id(b), "--chain", "cB"]).frozen();
    w.ask(&["--object", &id(a), "--chain", "cA"]).continues();
}

#[test]
fn s26_a_recovered_mailbox_is_a_strong_candidate() {
    let mut w = World::new();
    let a = w.create("kim");
    let mailbox = "5f0c9b8e-1111-4c1b-9d2e-7a5f0c9b8e11";
    w.at("00:00");
    w.poll();
    let now = w.now().to_string();
    let take = |chain: &str, object: ObjectId, at: &str| {
        let object = id(object);
        let key = ["snapshot", "add", "--chain", chain, "--snapshot", "1", "--object", &object];
        w.run(&[&key[..], &["--from", at, "--until", at, "--mailbox", mailbox]].concat()).done();
    };
    take("cA", a, &now);
    w.delete(a);
    w.at("10:00");
    let b = w.create("kim.new");
    w.at("12:00");
    w.poll();
    let now = w.now().to_string();
    let object = id(b);
    let key = ["snapshot", "add", "--chain", "cB", "--snapshot", "1", "--object", &object];
    w.run(&[&key[..], &["--from", &now, "--until", &now, "--mailbox", mailbox]].concat()).done();
    let found = candidates(&w, &["--object", &id(b)]);
    assert_eq!((&found[0]["strength"], &found[0]["as"]), (&json!("strong"), &json!("recovered-from")), "{found:#?}");
    assert_eq!(found[0]["anchor"], json!({"kind": "mailbox", "value": mailbox}));
    assert_eq!((&found[0]["from"]["object"], &found[0]["to"]["object"]), (&json!(a), &json!(b)));
}

#[test]
fn s23_a_mailbox_that_moved_to_another_tenant_is_found_there() {
    let mut w = World::new();
    let a = w.create("ann");
    let mailbox = "5f0c9b8e-2222-4c1b-9d2e-7a5f0c9b8e11";
    w.at("00:00");
    w.poll();
    let now = w.now().to_string();
    let object = id(a);
    let take = |more: &[&str], object: &str| {
        let key = ["snapshot", "add", "--chain", "c", "--snapshot", "1", "--object", object];
        w.run(&[more, &key[..], &["--from", &now, "--until", &now, "--mailbox", mailbox]].concat()).done();
    };
    take(&[], &object);
    // Of the other tenant nothing but a snapshot is known.
    let more = second_tenant(&w);
    let other = "0a2f0000-0000-4000-8000-00000000000b";
    take(&["--tenant", &more], other);
    let found = candidates(&w, &["--object", &object, "--tenant", "x"]);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!((&found[0]["strength"], &found[0]["as"]), (&json!("strong"), &json!("migrated-to")));
    assert_eq!((&found[0]["from"]["tenant"], &found[0]["from"]["object"]), (&json!(more), &json!(other)));
    assert_eq!((&found[0]["to"]["tenant"], &found[0]["to"]["object"]), (&Value::Null, &json!(a)));
}

/// Configures a second tenant and gives its id.
fn second_tenant(w: &World) -> String {
    let tenant = "0a2f0000-0000-4000-8000-0000000000ff";
    let mut text = std::fs::read_to_string(w.file("whowas.toml")).unwrap();
    text.push_str(&format!("\n[[tenant]]\nid = \"{tenant}\"\nalias = \"y\"\n"));
    std::fs::write(w.file("whowas.toml"), text).unwrap();
    tenant.to_owned()
}

#[test]
fn a_link_that_cannot_be_is_refused_with_what_to_do() {
    let mut w = World::new();
    let (a, b) = (w.create("ann"), w.create("bob"));
    w.at("00:00");
    w.poll();
    let (a, b) = (id(a), id(b));
    let stranger = "0a2f0000-0000-4000-8000-00000000000b";
    w.run(&["link", "add", "--from", &a, "--to", stranger, "--as", "merged-into"]).failed(1, &["never seen", stranger]);
    w.run(&["link", "add", "--from", &a, "--to", &a, "--as", "merged-into"]).failed(1, &["itself"]);
    w.run(&["link", "remove", "--from", &a, "--to", &b, "--as", "merged-into"]).failed(1, &["there is none in force"]);
    w.run(&["link", "add", "--from", &a, "--to", &b, "--as", "same-as"]).failed(2, &["recreated-as"]);
    assert!(w.say(&["link", "candidates"]).stdout.starts_with("no candidates"));
}
