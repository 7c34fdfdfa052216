//! Rounds that change too much at once are held: S2, S19, S20 of the acceptance, and what operators do about it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use whowas::domain::domain_change::DomainChanged;
use whowas::domain::fact::Fact;
use whowas::domain::guard::{Guard, Limits};
use whowas::domain::id::{ObjectId, TenantId};
use whowas::graph::emulator::{EmulatorOptions, NameChange, NewUser, Quirk, QuirkName};
use whowas::store::sled::{SledOptions, SledStore};
use whowas::store::{LedgerStore, Link, Outcome, Run, RunKind, Trigger};
use whowas::sync::{self, Context, Stop, Wanted};

use super::world::{World, full};

/// This many live users, each with a chain, after a first sync at midnight. A tenth of them is four.
const USERS: usize = 40;

fn company(domain: &str) -> (World, Vec<ObjectId>) {
    let mut w = World::new();
    let all: Vec<ObjectId> = (0..USERS)
        .map(|n| w.directory(|directory| directory.create_user(NewUser::mailbox(&format!("u{n}@{domain}")))).unwrap())
        .collect();
    w.at("00:00");
    w.poll();
    for n in [0, 1, USERS - 1] {
        w.snapshot(&format!("c{n}"), "1", all[n]);
    }
    (w, all)
}

fn open(w: &World) -> SledStore {
    SledStore::open(w.ledger(), SledOptions::new("test", w.now())).unwrap()
}

fn tenant() -> TenantId {
    EmulatorOptions::TENANT.to_string().parse().unwrap()
}

fn tenant_facts(w: &World) -> Vec<Fact> {
    let store = open(w);
    let head = store.head(tenant()).unwrap();
    store.tenant_facts(tenant(), head.sequence).unwrap().into_iter().map(|known| known.fact).collect()
}

/// A sync that the guard holds.
#[track_caller]
fn held(w: &World, arguments: &[&str], why: &str) -> Value {
    let ran = w.run(arguments);
    ran.failed(1, &[why, "held by the guard", "--accept"]);
    let run = ran.ended(1);
    assert_eq!(run["outcome"], json!("held"), "{run}");
    run
}

#[test]
fn s19_hybrid_scope_slip() {
    let (mut w, all) = company("x.test");
    w.configure("name_max_age = \"1d\"");
    w.at("08:00");
    for user in &all[..12] {
        w.delete(*user);
    }
    w.at("10:00");
    let run = held(&w, &["sync"], "12 removals (the guard allows 10 % of 40 objects)");
    assert_eq!((&run["run"], &run["kind"], &run["facts"]), (&json!(2), &json!("delta"), &json!(0)), "{run}");
    let status = w.status();
    assert_eq!(status["objects"], json!({"active": 40, "soft_deleted": 0, "purged": 0}), "the last good state stays");
    assert_eq!(status["half_round"], json!(false));
    assert_eq!((&status["held"][0]["run"], &status["held"][0]["objects"]), (&json!(2), &json!(12)), "{status:#}");
    assert_eq!(status["held"][0]["impact"]["removals"], json!(12));
    assert!(w.say(&["status"]).stdout.contains("HELD: run 2"));

    // Whoever is named is to be asked about again, with or without a live read.
    let named = all[0].to_string();
    for ask in [
        w.ask(&["--object", &named, "--chain", "c0"]),
        w.ask(&["--chain", "c0"]),
        w.ask(&["--name", "u0@x.test", "--chain", "c0"]),
        w.ask(&["--name", "u0@x.test"]),
        w.ask_live(&["--name", "u0@x.test", "--chain", "c0"]),
    ] {
        ask.refresh().because("a guard holds run 2: 12 removals");
    }
    // All others by name only with a live read, although the last horizon is young enough; by id as ever.
    w.ask(&["--name", "u39@x.test", "--chain", "c39"]).refresh().because("a guard holds run 2");
    w.at("10:10");
    w.ask_live(&["--name", "u39@x.test", "--chain", "c39"]).continues().of_object(all[39]);
    w.ask(&["--object", &all[39].to_string(), "--chain", "c39"]).continues();
    let basis = w.status()["sequence"].to_string();

    // It is still so an hour later: held like before, and not told again. Live reads of those who are named do not make
    // the round any smaller.
    for user in &all[..12] {
        w.ask_live(&["--object", &user.to_string()]).refresh();
    }
    w.at("11:00");
    let before = tenant_facts(&w).len();
    let run = held(&w, &["sync"], "12 removals");
    assert_eq!(run["run"], json!(3));
    assert_eq!(tenant_facts(&w).len(), before);
    assert_eq!(w.status()["held"][0]["run"], json!(2));

    w.on_day(1, "08:00");
    for user in &all[..12] {
        w.restore(*user, None);
    }
    w.at("10:00");
    let run = w.poll();
    assert_eq!((&run["outcome"], &run["removed"]), (&json!("completed"), &json!(0)), "{run}");
    assert_eq!(w.status()["held"], json!([]));
    assert_eq!(w.status()["objects"]["active"], json!(40), "nothing is lost");
    w.ask(&["--object", &named, "--chain", "c0"]).continues().of_object(all[0]).on("1");
    w.ask(&["--name", "u39@x.test", "--chain", "c39"]).continues();
    // What was answered then is answered again.
    w.ask(&["--object", &named, "--chain", "c0", "--basis", &basis]).refresh().because("a guard holds run 2");
    w.verify();
    w.run(&["rebuild"]).done();
    w.verify();
}

#[test]
fn an_operator_accepts_what_is_right() {
    let (mut w, all) = company("x.test");
    for user in &all[..12] {
        w.delete(*user);
    }
    w.at("10:00");
    held(&w, &["sync"], "12 removals");
    held(&w, &["sync"], "12 removals");
    w.run(&["sync", "--accept", "7"]).failed(1, &["find run 7", "held is run 2"]);
    w.run(&["sync", "--accept", "1"]).failed(1, &["find run 1"]);
    // Either run that found it may be named.
    let run = w.run(&["sync", "--accept", "3"]).done();
    assert_eq!((&run["outcome"], &run["removed"]), (&json!("completed"), &json!(12)), "{run}");
    assert_eq!(w.status()["held"], json!([]));
    w.ask(&["--object", &all[0].to_string(), "--chain", "c0"]).frozen();
    w.ask(&["--object", &all[39].to_string(), "--chain", "c39"]).continues();
    w.run(&["sync", "--accept", "2"]).failed(1, &["nothing is held"]);
    w.verify();
}

#[test]
fn an_operator_rejects_what_is_wrong_and_the_hold_stays() {
    let (mut w, all) = company("x.test");
    for user in &all[..12] {
        w.delete(*user);
    }
    w.at("10:00");
    held(&w, &["sync"], "12 removals");
    let said = w.run(&["sync", "--reject", "2"]).done();
    assert_eq!((&said["run"], &said["rejected"]), (&json!(2), &json!("2026-03-02T10:00:00Z")), "{said}");
    assert_eq!(w.status()["held"][0]["rejected"], json!("2026-03-02T10:00:00Z"));
    w.at("11:00");
    held(&w, &["sync"], "12 removals");
    w.ask(&["--object", &all[0].to_string(), "--chain", "c0"]).refresh();
    // More of it is told anew, under its own run.
    w.delete(all[20]);
    w.at("12:00");
    held(&w, &["sync"], "13 removals");
    assert_eq!(w.status()["held"][0]["run"], json!(4));
    w.run(&["sync", "--reject", "2"]).failed(1, &["held is run 4"]);
    w.verify();
}

#[test]
fn s20_broken_anchor() {
    let (mut w, all) = company("x.test");
    let mut new = Vec::new();
    for (n, user) in all[..8].iter().enumerate() {
        w.delete(*user);
        new.push(w.create(&format!("u{n}")));
    }
    w.at("10:00");
    held(&w, &["sync"], "8 new objects under the names of others");
    w.ask(&["--name", "u0@x.test", "--chain", "c0"]).refresh().because("a guard holds run 2");
    w.ask(&["--object", &new[0].to_string()]).refresh().because("a guard holds run 2");
    w.run(&["sync", "--accept", "2"]).done();
    w.ask(&["--name", "u0@x.test", "--chain", "c0"])
        .mismatch()
        .instead(&[(all[0], "stop", Some("c0")), (new[0], "full", None)]);

    // In two polls: the first removes, the second brings the newcomers.
    let (mut w, all) = company("x.test");
    w.configure("guard = { removals = 1000, takeovers = 5, percent = 50 }");
    for user in &all[..8] {
        w.delete(*user);
    }
    w.at("10:00");
    assert_eq!(w.poll()["removed"], json!(8));
    for n in 0..8 {
        w.create(&format!("u{n}"));
    }
    w.at("11:00");
    held(&w, &["sync"], "8 new objects under the names of others (the guard allows 5)");
    w.ask(&["--name", "u0@x.test", "--chain", "c0"]).refresh().because("a guard holds run 3");
    w.verify();
}

/// Thirty move, three of them with a digit because the name was taken; seven stay.
fn move_domain(w: &World, all: &[ObjectId]) {
    let changes: Vec<NameChange> = all[..30]
        .iter()
        .enumerate()
        .map(|(n, id)| {
            let upn = if n < 3 { full(&format!("u{n}.2")) } else { full(&format!("u{n}")) };
            NameChange { id: *id, upn, mail_follows: true, keep_alias: true }
        })
        .collect();
    w.directory(|directory| directory.set_many(&changes)).unwrap();
    for user in &all[30..33] {
        w.delete(*user);
    }
}

fn domain_changes(w: &World) -> Vec<DomainChanged> {
    let facts = tenant_facts(w).into_iter();
    facts.filter_map(|fact| if let Fact::DomainChanged(changed) = fact { Some(changed) } else { None }).collect()
}

#[test]
fn s2_company_domain_change() {
    // Nobody announced it.
    let (mut w, all) = company("old.test");
    move_domain(&w, &all);
    w.at("10:00");
    held(&w, &["sync"], "30 renames");
    w.ask(&["--object", &all[0].to_string(), "--chain", "c0"]).refresh().because("a guard holds run 2");
    assert_eq!(domain_changes(&w), []);
    w.run(&["sync", "--announce", "x.test=old.test"]).failed(1, &["30 renames"]);
    w.run(&["sync", "--announce", "old.test"]).failed(2, &["old.example=new.example"]);

    // Announced, only the exceptions count, and the hold ends.
    let run = w.run(&["sync", "--announce", "old.test=x.test"]).done();
    assert_eq!(run["outcome"], json!("completed"), "{run}");
    assert_eq!(w.status()["held"], json!([]));
    for n in [0, 1] {
        w.ask(&["--object", &all[n].to_string(), "--chain", &format!("c{n}")]).renamed().of_object(all[n]).on("1");
    }
    w.ask(&["--object", &all[39].to_string(), "--chain", "c39"]).continues();
    let changes = domain_changes(&w);
    let [change] = changes.as_slice() else { panic!("{changes:?}") };
    assert_eq!((change.renamed, change.exceptions, change.stragglers), (30, 3, 7), "{change:?}");
    let some = |ids: &[ObjectId]| ids.iter().copied().collect::<BTreeSet<_>>();
    assert_eq!(some(&change.named_exceptions), some(&all[..3]));
    assert_eq!(some(&change.named_stragglers), some(&all[33..]));
    w.verify();

    // Announced in the configuration, it never stops.
    let (mut w, all) = company("old.test");
    w.configure("announce = [\"old.test=x.test\"]");
    move_domain(&w, &all);
    w.at("10:00");
    assert_eq!(w.poll()["outcome"], json!("completed"));
    assert_eq!(domain_changes(&w).len(), 1);
}

#[test]
fn what_a_resync_finds_missing_is_counted_before_it_is_applied() {
    let (mut w, all) = company("x.test");
    for user in &all[..12] {
        w.delete(*user);
        w.purge(*user);
    }
    w.on_day(9, "10:00");
    w.quirks([Quirk::new(QuirkName::DeltaTokenExpired)]);
    let run = held(&w, &["sync"], "12 removals");
    assert_eq!((&run["kind"], &run["facts"]), (&json!("full"), &json!(0)), "{run}");
    let status = w.status();
    assert_eq!((&status["objects"]["active"], &status["blind"]), (&json!(40), &json!([])), "{status:#}");
    w.ask(&["--object", &all[0].to_string(), "--chain", "c0"]).refresh().because("a guard holds run 2");
    let run = w.run(&["sync", "--accept", "2"]).done();
    assert_eq!((&run["kind"], &run["removed"]), (&json!("full"), &json!(12)), "{run}");
    assert_eq!(w.status()["blind"].as_array().unwrap().len(), 1);
    w.verify();
}

#[test]
fn what_a_reconcile_finds_missing_is_counted_before_it_is_applied() {
    let (mut w, all) = company("x.test");
    w.quirk(QuirkName::DeletionsUnannounced);
    for user in &all[..12] {
        w.delete(*user);
    }
    w.at("10:00");
    let run = held(&w, &["sync", "--reconcile"], "12 removals");
    assert_eq!((&run["kind"], &run["run"]), (&json!("reconcile"), &json!(3)), "{run}");
    assert_eq!(w.status()["objects"]["active"], json!(40));
    // A round of the feed that passes does not end what the reconcile found.
    w.at("11:00");
    assert_eq!(w.poll()["outcome"], json!("completed"));
    assert_eq!(w.status()["held"][0]["part"], json!("reconcile"));
    w.ask(&["--object", &all[0].to_string(), "--chain", "c0"]).refresh().because("a guard holds run 3");
    let run = w.run(&["sync", "--accept", "3"]).done();
    assert_eq!((&run["kind"], &run["removed"]), (&json!("reconcile"), &json!(12)), "{run}");
    assert_eq!(w.status()["held"], json!([]));
    w.verify();
}

/// The feed passed deletions over. What it tells next says nothing of them.
#[test]
fn what_everything_read_anew_has_shown_is_not_ended_by_a_round_of_the_feed() {
    let (mut w, all) = company("x.test");
    w.quirk(QuirkName::DeletionsUnannounced);
    for user in &all[..12] {
        w.delete(*user);
    }
    w.at("10:00");
    let run = held(&w, &["sync", "--full"], "12 removals");
    assert_eq!((&run["kind"], &run["run"]), (&json!("full"), &json!(2)), "{run}");
    for clock in ["11:00", "11:15"] {
        w.at(clock);
        assert_eq!(w.poll()["outcome"], json!("completed"));
        assert_eq!(w.status()["held"][0]["run"], json!(2));
        w.ask(&["--object", &all[0].to_string(), "--chain", "c0"]).refresh().because("a guard holds run 2");
    }
    w.at("11:30");
    let run = w.run(&["sync", "--accept", "2"]).done();
    assert_eq!((&run["kind"], &run["removed"]), (&json!("full"), &json!(12)), "{run}");
    assert_eq!(w.status()["held"], json!([]));
    w.verify();
}

/// People of an old export who left long ago are nobody whom the directory removes.
#[test]
fn a_reconcile_is_not_held_for_people_whom_only_a_file_showed() {
    let (mut w, _) = company("x.test");
    let line = |nth: u32| {
        let object = format!("{nth:08x}-0000-4000-8000-000000000000");
        json!({"object": object, "observed_at": "2026-01-05T08:00:00Z", "upn": format!("left{nth}@x.test"), "mail": format!("left{nth}@x.test")})
    };
    let lines: Vec<String> = (1..=20).map(|nth| line(nth).to_string()).collect();
    std::fs::write(w.file("old.jsonl"), lines.join("\n")).unwrap();
    assert_eq!(w.run(&["import", "profiles", "old.jsonl"]).done()["added"], json!(20));
    w.at("10:00");
    assert_eq!(w.reconcile()["outcome"], json!("completed"));
    assert_eq!(w.status()["held"], json!([]));
    w.verify();
}

/// The library's sync with so many renames or removals allowed, and hardly any memory: four items of two pages are a part.
fn sparing(w: &World, limit: u64) -> Context {
    let limits = Limits { removals: limit, renames: limit, percent: 100, ..Limits::default() };
    Context { guard: Guard { limits, staged_max: 3, ..Guard::default() }, ..w.context() }
}

fn sync_now(context: &Context, full: bool, reconcile: bool, tell: &(dyn Fn(sync::Progress) + Send + Sync)) -> Run {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let wanted = Wanted { full, reconcile, trigger: Trigger::Demand };
    runtime.block_on(sync::run(context, wanted, &Stop::default(), tell)).unwrap()
}

/// Two items on a page, after a first sync.
fn company_by_pages() -> (World, Vec<ObjectId>) {
    let mut w = World::paged(2);
    let create = |n: usize| w.directory(|directory| directory.create_user(NewUser::mailbox(&format!("u{n}@x.test"))));
    let all: Vec<ObjectId> = (0..USERS).map(|n| create(n).unwrap()).collect();
    w.at("00:00");
    w.poll();
    (w, all)
}

#[test]
fn a_round_beyond_memory_is_counted_across_its_parts() {
    let (mut w, all) = company("x.test");
    w.at("08:00");
    for user in &all[..12] {
        w.delete(*user);
    }
    w.at("10:00");
    let first = sparing(&w, 5);
    let held = sync_now(&first, true, false, &|_| {});
    assert_eq!(held.outcome, Outcome::Held, "{held:?}");
    let head = first.ledger.head(tenant()).unwrap();
    assert_eq!(head.state.counts.active, 40, "nobody is removed");
    drop(first);
    let second = sparing(&w, 12);
    let passed = sync_now(&second, true, false, &|_| {});
    assert_eq!((passed.outcome, passed.removed), (Outcome::Completed, 12), "{passed:?}");
    assert!(second.ledger.holds(tenant()).unwrap().is_empty());
}

#[test]
fn no_part_of_a_round_beyond_memory_passes_before_all_of_it_may() {
    let (mut w, all) = company_by_pages();
    w.at("08:00");
    for (n, user) in all[..12].iter().enumerate() {
        w.rename(*user, &format!("r{n}"));
    }
    w.at("10:00");
    let context = sparing(&w, 5);
    for _ in 0..4 {
        let run = sync_now(&context, false, false, &|_| {});
        assert_eq!((run.outcome, run.facts), (Outcome::Held, 0), "{run:?}");
        assert!(run.error.as_deref().unwrap().contains("nothing of what was read was applied"), "{run:?}");
        assert!(!matches!(context.ledger.head(tenant()).unwrap().state.cursor.unwrap().link, Link::Next { .. }));
    }
    drop(context);
    let context = sparing(&w, 12);
    let run = sync_now(&context, false, false, &|_| {});
    assert_eq!((run.outcome, run.changed), (Outcome::Completed, 12), "{run:?}");
    assert!(run.note.as_deref().unwrap().contains("once to be applied"), "{run:?}");
    assert!(context.ledger.holds(tenant()).unwrap().is_empty());
}

#[test]
fn no_part_of_a_reconcile_beyond_memory_passes_before_all_of_it_may() {
    let (mut w, all) = company_by_pages();
    w.quirk(QuirkName::DeletionsUnannounced);
    w.at("08:00");
    for user in &all[..12] {
        w.delete(*user);
    }
    w.at("10:00");
    let context = sparing(&w, 5);
    for _ in 0..3 {
        let run = sync_now(&context, false, true, &|_| {});
        assert_eq!((run.kind, run.outcome, run.facts), (RunKind::Reconcile, Outcome::Held, 0), "{run:?}");
    }
    drop(context);
    let context = sparing(&w, 12);
    let run = sync_now(&context, false, true, &|_| {});
    assert_eq!((run.outcome, run.removed), (Outcome::Completed, 12), "{run:?}");
}

#[test]
fn what_is_added_between_the_two_readings_is_counted_and_the_message_tells_what_was_applied() {
    let (mut w, all) = company_by_pages();
    w.at("08:00");
    for (n, user) in all[..5].iter().enumerate() {
        w.rename(*user, &format!("r{n}"));
    }
    w.at("10:00");
    let context = sparing(&w, 5);
    let added = AtomicBool::new(false);
    let world = std::sync::Mutex::new(&mut w);
    let run = sync_now(&context, false, false, &|progress| {
        // The directory has made up its mind about the first reading, which has three pages, with the first of them.
        if progress.pages >= 2 && !added.swap(true, Ordering::SeqCst) {
            let world = world.lock().unwrap();
            for (n, user) in all[5..12].iter().enumerate() {
                world.rename(*user, &format!("s{n}"));
            }
        }
    });
    assert_eq!(run.outcome, Outcome::Held, "{run:?}");
    let said = run.error.as_deref().unwrap();
    assert!(said.contains("it grew while it was read: 4 items were applied before"), "{said}");
    assert_eq!(run.changed, 4, "{run:?}");
    let again = sync_now(&context, false, false, &|_| {});
    assert_eq!((again.outcome, again.facts), (Outcome::Held, 0), "{again:?}");
    assert!(again.error.as_deref().unwrap().contains("8 renames (the guard allows 5)"), "{again:?}");
}

#[test]
fn an_operator_accepts_what_was_held_and_not_whatever_comes() {
    let (mut w, all) = company("x.test");
    for user in &all[..12] {
        w.delete(*user);
    }
    w.at("10:00");
    held(&w, &["sync"], "12 removals");
    for user in &all[12..17] {
        w.delete(*user);
    }
    w.at("11:00");
    held(&w, &["sync", "--accept", "2"], "more than what was held as run 2, namely 5 removals (the guard allows 10 %");
    assert_eq!(w.status()["objects"]["active"], json!(40), "nobody is removed");
    assert_eq!((&w.status()["held"][0]["run"], &w.status()["held"][0]["objects"]), (&json!(3), &json!(17)));
    // As many, but others.
    for user in &all[..5] {
        w.restore(*user, None);
    }
    for user in &all[20..25] {
        w.delete(*user);
    }
    w.at("12:00");
    held(&w, &["sync", "--accept", "3"], "more than what was held as run 3, namely 5 removals");
    // A little more than what was looked at passes, as it would by itself.
    w.delete(all[30]);
    w.at("13:00");
    let run = w.run(&["sync", "--accept", "4"]).done();
    assert_eq!((&run["outcome"], &run["removed"]), (&json!("completed"), &json!(18)), "{run}");
    assert_eq!(w.status()["held"], json!([]));
    w.verify();
}
