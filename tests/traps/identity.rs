//! Traps 1 to 3 and 26: what identifies a person's data, and what only seems to.

use std::time::Duration;

use serde_json::{Value, json};
use whowas::graph::emulator::{Quirk, QuirkName};

use super::world::World;
use super::{attribution, holders, id};

#[test]
fn trap_01_a_name_is_no_key_only_the_object_id_is() {
    let mut w = World::new();
    let a = w.create("ann");
    w.at("00:00");
    w.poll();
    w.snapshot("cA", "1", a);
    w.at("08:00");
    w.rename(a, "ann.lee");
    w.at("09:00");
    let b = w.create("ann");
    w.at("10:00");
    w.poll();

    let held: Vec<Value> = holders(&w, "ann", "upn").iter().map(|holder| holder["object"].clone()).collect();
    assert_eq!(held, [json!(a), json!(b)], "one name is two people's, one after the other");
    // The chain is the first one's, under whatever name, and never the second one's, under whatever name.
    w.ask(&["--object", &id(a), "--chain", "cA"]).renamed().of_object(a).on("1");
    w.ask(&["--object", &id(b), "--chain", "cA"]).mismatch().of_object(a);
    w.ask_live(&["--name", "ann@x.test", "--chain", "cA"])
        .mismatch()
        .of_object(a)
        .instead(&[(a, "incremental", Some("cA")), (b, "full", None)]);
}

#[test]
fn trap_02_what_is_to_be_opened_does_not_follow_the_name_to_its_next_owner() {
    let mut w = World::new();
    let a = w.create("ann");
    w.at("00:00");
    w.poll();
    w.snapshot("cA", "1", a);
    let before = w.requests().len();
    let verdict = w.ask_live(&["--name", "ann@x.test", "--chain", "cA"]).continues();
    let open = verdict.json["open"].as_str().unwrap().to_owned();

    // Between the answer and the backup the name passes on. As Graph does, the directory takes a key for an object id, or
    // for whoever holds the name at this moment.
    w.rename(a, "ann.lee");
    let b = w.create("ann");
    let key = open.strip_prefix("/users/").unwrap();
    assert_eq!(w.directory(|directory| directory.find(key)), Ok(a), "{open}");
    assert_eq!(w.directory(|directory| directory.find("ann@x.test")), Ok(b), "by name it would be the newcomer");

    // Only the question who holds a name is put to the directory with the name; all else is read by id.
    w.at("01:00");
    w.reconcile();
    w.ask_live(&["--object", &id(a), "--chain", "cA"]).renamed();
    let by_name = w.requests().into_iter().skip(before).filter(|request| request.target.contains("ann@x.test")).count();
    assert_eq!(by_name, 0, "the one live read by name went in a batch, and nothing else names anybody");
}

#[test]
fn trap_03_the_same_name_after_a_resync_is_not_the_same_person_in_between() {
    let mut w = World::new();
    let (a, e, g) = (w.create("ann"), w.create("eve"), w.create("bob"));
    w.at("00:00");
    w.poll();
    w.snapshot("cA", "1", a);
    w.snapshot("cE", "1", e);
    // Nobody reads the directory for days. Meanwhile one name goes to another person and comes back, and another one stays
    // with somebody new.
    w.on_day(1, "00:00");
    w.rename(a, "ann.lee");
    let guest = w.create("ann");
    w.delete(e);
    w.purge(e);
    let f = w.create("eve");
    w.on_day(2, "00:00");
    w.snapshot_by_name("cN", "1", "ann");
    w.on_day(3, "00:00");
    w.delete(guest);
    w.purge(guest);
    w.rename(a, "ann");

    w.on_day(9, "00:00");
    w.quirks([Quirk::new(QuirkName::DeltaTokenExpired).times(1)]);
    assert_eq!(w.poll()["kind"], json!("full"));
    w.at("02:00");
    w.poll();
    let (owner, confidence) = attribution(&w, "cN", "1");
    assert_ne!(confidence, json!("certain"), "the name matches at both ends, and was another's in between: {owner}");
    w.ask(&["--object", &id(a), "--chain", "cA"]).continues().on("1");
    w.ask(&["--name", "eve@x.test", "--chain", "cE"])
        .mismatch()
        .of_object(e)
        .instead(&[(e, "stop", Some("cE")), (f, "full", None)]);

    // Another product's catalogue from before the ledger's first look: the name is the same, the person need not be.
    let then = w.time("00:00").minus(Duration::from_secs(9 * 86_400 + 43_200));
    let line = json!({"chain": "cOld", "snapshot": "1", "from": then, "until": then, "name": "bob@x.test"});
    std::fs::write(w.file("catalogue"), line.to_string()).unwrap();
    w.run(&["import", "snapshots", w.file("catalogue").to_str().unwrap()]).done();
    let (owner, confidence) = attribution(&w, "cOld", "1");
    assert_ne!(confidence, json!("certain"), "{owner}");
    assert_ne!(w.ask(&["--object", &id(g), "--chain", "cOld"]).json["action"], json!("incremental"));
}

#[test]
fn trap_26_a_mailbox_is_not_one_with_its_object_for_life() {
    let mut w = World::new();
    let (a, b) = (w.create("ann"), w.create("bob"));
    w.at("00:00");
    w.poll();
    let (old, new) = ("00000000-0000-4000-8000-0000000000a1", "00000000-0000-4000-8000-0000000000a2");
    let add = |w: &World, chain: &str, object: &str, mailbox: &str| {
        let now = w.now().to_string();
        let of = ["snapshot", "add", "--chain", chain, "--snapshot", "1", "--from", &now, "--until", &now];
        w.run(&[&of[..], &["--object", object, "--mailbox", mailbox]].concat()).done();
    };
    add(&w, "cA", &id(a), old);

    // The same object with another, empty mailbox: an incremental would record everything as deleted.
    w.at("01:00");
    let ask = |mailbox| {
        ["--object".to_owned(), id(a), "--chain".to_owned(), "cA".to_owned(), "--mailbox".to_owned(), mailbox]
    };
    let with = |w: &World, mailbox: &str| {
        let all = ask(mailbox.to_owned());
        w.ask(&all.iter().map(String::as_str).collect::<Vec<_>>())
    };
    with(&w, new).replaced().of_object(a).has("base", Value::Null);
    with(&w, old).continues().on("1").has("evidence.mailbox_verified", json!(true));

    // The old mailbox hangs on another object: both are shown side by side, and neither chain takes the other's data.
    add(&w, "cB", &id(b), old);
    let found = w.run(&["link", "candidates", "--object", &id(b)]).done();
    assert_eq!(found["items"][0]["anchor"], json!({"kind": "mailbox", "value": old}), "{found:#}");
    w.ask(&["--object", &id(b), "--chain", "cA", "--mailbox", old]).mismatch().of_object(a);

    // A licence that was away for longer than a mailbox lives leaves open which mailbox it is.
    w.license(a, false);
    w.at("02:00");
    w.poll();
    w.on_day(60, "00:00");
    w.license(a, true);
    w.at("01:00");
    w.poll();
    w.ask(&["--object", &id(a), "--chain", "cA"]).refresh().because("longer than the 30 days");
    with(&w, new).replaced();
}
