//! Traps 4 to 8, 11 and 22: how users come, go and come back, and what an absence proves.

use serde_json::{Value, json};
use whowas::graph::emulator::{NewUser, Quirk, QuirkName};

use super::world::{World, full};
use super::{digits, holders, id, names_ever};

#[test]
fn trap_04_a_deleted_user_s_name_is_free_at_once_and_the_user_can_come_back_under_another() {
    let mut w = World::new();
    let a = w.create("kim");
    w.at("00:00");
    w.poll();
    w.snapshot("cA", "1", a);
    w.at("08:00");
    w.delete(a);
    w.at("09:00");
    w.poll();
    w.at("10:00");
    w.poll();
    assert_eq!(w.who("kim", "09:30")["holder"], Value::Null, "nobody has it, whoever could be restored");
    assert_ne!(holders(&w, "kim", "upn")[0]["until"], Value::Null);

    let b = w.create("kim");
    w.at("11:00");
    w.poll();
    w.ask_live(&["--name", "kim@x.test"]).baseline().of_object(b);
    w.ask_live(&["--name", "kim@x.test", "--chain", "cA"])
        .mismatch()
        .instead(&[(a, "stop", Some("cA")), (b, "full", None)]);

    w.on_day(10, "00:00");
    w.restore(a, Some("kim2"));
    w.at("01:00");
    w.poll();
    w.ask(&["--object", &id(a), "--chain", "cA"])
        .renamed()
        .on("1")
        .has("names.upn", json!("kim2@x.test"))
        .has("old_name_holder", json!(b));
}

#[test]
fn trap_05_the_name_that_the_directory_makes_at_a_deletion_is_none_and_only_the_own_id_is_taken_off_it() {
    let mut w = World::new();
    let b = w.create("bob");
    // Somebody's name may well begin with 32 such digits. They are its own, or another object's, and part of the name.
    let (name, plain) = (format!("{}ann", digits(b)), w.create("cyd"));
    let a = w.create(&name);
    w.at("00:00");
    w.poll();
    w.snapshot("cA", "1", a);
    w.at("08:00");
    w.delete(a);
    w.delete(plain);

    // Delta shows deleted users as plain objects under the name that the directory made; the recycle bin does so always.
    w.quirk(QuirkName::RemovedMissing);
    w.at("10:00");
    w.poll();
    w.ask(&["--object", &id(a), "--chain", "cA"]).frozen().because("soft-deleted").has("names.upn", json!(full(&name)));
    w.at("11:00");
    w.reconcile();
    assert_eq!(names_ever(&w, a, "upn"), [full(&name)], "whole, and no rename to a longer one");
    assert_eq!(names_ever(&w, plain, "upn"), [full("cyd")]);
    assert_eq!(w.status()["objects"], json!({"active": 1, "soft_deleted": 2, "purged": 0}));
}

#[test]
fn trap_06_removed_as_changed_is_a_deletion_that_can_be_undone() {
    let mut w = World::new();
    let a = w.create("ann");
    w.at("00:00");
    w.poll();
    w.snapshot("cA", "1", a);
    w.at("08:00");
    w.delete(a);
    w.at("10:00");
    let run = w.poll();
    assert_eq!((&run["removed"], &run["seen"]), (&json!(1), &json!(1)), "{run}");
    w.ask(&["--object", &id(a), "--chain", "cA"]).frozen().of_object(a).on("1").because("can still come back");
    let until = &holders(&w, "ann", "upn")[0]["until"];
    assert_eq!(until["by"], json!(w.time("10:00:01")), "its names ended with it: {until}");
    w.at("11:00");
    w.restore(a, None);
    w.at("12:00");
    w.poll();
    w.ask(&["--object", &id(a), "--chain", "cA"])
        .continues()
        .of_object(a)
        .on("1")
        .because("gap: the object was deleted");
    // The other reason is for good.
    w.delete(a);
    w.purge(a);
    w.at("13:00");
    w.poll();
    w.ask(&["--object", &id(a), "--chain", "cA"]).frozen().because("gone for good");
}

#[test]
fn trap_07_a_restored_user_is_known_by_the_id_though_no_event_says_so() {
    for quirk in [None, Some(QuirkName::UnannouncedRestore)] {
        let mut w = World::new();
        let a = w.create("mia");
        w.at("00:00");
        w.poll();
        w.snapshot("cA", "1", a);
        w.at("08:00");
        w.delete(a);
        w.at("10:00");
        w.poll();
        w.quirks(quirk.map(Quirk::new));
        w.at("11:00");
        w.restore(a, None);
        w.at("12:00");
        // The feed shows a user like any new one, or says nothing at all; then the full listing has it.
        let run = w.reconcile();
        assert_eq!(run["outcome"], json!("completed"));
        w.ask(&["--object", &id(a), "--chain", "cA"])
            .continues()
            .of_object(a)
            .on("1")
            .because("gap: the object was deleted");
        assert_eq!(w.status()["objects"], json!({"active": 1, "soft_deleted": 0, "purged": 0}), "{quirk:?}");
    }
}

#[test]
fn trap_08_absence_is_no_deletion_and_a_full_round_no_history() {
    let mut w = World::new();
    let a = w.create("ann");
    w.at("00:00");
    w.poll();
    w.snapshot("cA", "1", a);
    w.at("01:00");
    w.poll();
    w.ask(&["--object", &id(a), "--chain", "cA"]).continues();

    // A newcomer is known from a live read, and the full round comes from a replica that does not know it yet.
    w.at("09:59");
    let b = w.create("bob");
    w.ask_live(&["--name", "bob@x.test"]).baseline().of_object(b);
    w.snapshot("cB", "1", b);
    w.at("10:00");
    w.quirks([
        Quirk::new(QuirkName::ReplicationLag).seconds(120.0).path("/users/delta"),
        Quirk::new(QuirkName::DeltaTokenExpired).times(1),
    ]);
    let run = w.poll();
    assert_eq!((&run["kind"], &run["removed"]), (&json!("full"), &json!(0)), "{run}");
    w.ask(&["--object", &id(b), "--chain", "cB"]).continues().of_object(b);
    assert_eq!(w.status()["objects"]["active"], json!(2));
    // What came and went before the full round is not in it, and the ledger says since when it cannot know.
    assert_eq!(w.status()["blind"][0]["from"], json!(w.time("00:55")), "{:#}", w.status());
    assert_eq!(w.who("ann", "05:00")["confidence"], json!("assumed"));
}

#[test]
fn trap_11_a_life_between_two_rounds_is_found_in_the_audit_log_and_in_the_recycle_bin() {
    for audits in [true, false] {
        let mut w = World::new();
        w.configure(&format!("audits = {audits}"));
        w.create("ann");
        w.at("00:00");
        w.poll();
        w.quirk(QuirkName::ShortLivedInvisible);
        w.at("08:00");
        let c = w.create("tmp");
        w.at("08:30");
        w.snapshot_by_name("cN", "1", "tmp");
        w.at("09:00");
        w.rename(c, "tmp2");
        w.at("09:30");
        w.delete(c);
        w.at("10:00");
        w.poll();
        if audits {
            let held = holders(&w, "tmp", "upn");
            assert_eq!(held.len(), 1, "{held:#?}");
            assert_eq!((&held[0]["object"], &held[0]["from"]["by"]), (&json!(c), &json!(w.time("08:00"))), "{held:#?}");
            assert_eq!(held[0]["until"]["by"], json!(w.time("09:00")), "{held:#?}");
        } else {
            assert_eq!(w.run(&["history", &id(c)]).code, 1, "no round of the feed has a trace of it");
            w.reconcile();
            assert_eq!(names_ever(&w, c, "upn"), [full("tmp2")], "the bin tells the last name");
        }
        w.ask(&["--object", &id(c)]).frozen().because("soft-deleted");
    }
}

#[test]
fn trap_22_not_found_is_not_gone() {
    let mut w = World::new();
    let (a, c) = (w.create("ann"), w.create("cyd"));
    let shared = NewUser { licensed: false, ..NewUser::mailbox(&full("box")) };
    let shared = w.directory(|directory| directory.create_user(shared)).unwrap();
    w.at("00:00");
    w.poll();
    w.snapshot("cA", "1", a);
    w.snapshot("cC", "1", c);
    // Soft-deleted: the user itself answers 404, and the recycle bin has it.
    w.at("08:00");
    w.delete(a);
    w.at("08:10");
    w.ask_live(&["--object", &id(a), "--chain", "cA"]).frozen().on("1").because("can still come back");
    // Never licensed is no reason to take a mailbox for missing.
    w.ask_live(&["--object", &id(shared)]).baseline();

    // The feed has told of a newcomer and of a rename, and the replica asked next knows neither of the two, live or deleted.
    w.at("09:59:30");
    let b = w.create("bob");
    w.rename(c, "cyd.lee");
    w.at("10:00");
    w.poll();
    w.quirk(QuirkName::ReplicaTrails);
    w.ask(&["--object", &id(b)]).baseline();
    w.ask_live(&["--object", &id(b)]).frozen().because("neither live nor deleted");
    w.ask_live(&["--object", &id(c), "--chain", "cC"]).frozen().on("1").because("neither live nor deleted");
    assert_eq!(w.status()["objects"]["purged"], json!(0), "nobody is gone for good");
    // Some minutes later all is as it was, and the chain goes on.
    w.at("10:05");
    w.ask_live(&["--object", &id(b)]).baseline().of_object(b);
    w.ask_live(&["--object", &id(c), "--chain", "cC"]).renamed().of_object(c).on("1");
}
