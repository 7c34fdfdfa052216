//! What auditors and operators are told: a plan, a restore guard, a report and a finding's sentence say what is known, and no more.

use whowas::domain::fact::*;
use whowas::domain::finding::{FindingId, FindingKind, FindingState, Subject};
use whowas::domain::guard::{Held, HeldPart, HoldEnd, HoldEnded, Impact};
use whowas::domain::holder::HolderConfidence;
use whowas::domain::id::ObjectId;
use whowas::domain::mapping::{Condition, Mapping, MappingApplied, Rule, Test};
use whowas::domain::name::NameKind;
use whowas::domain::plan::NextAction;
use whowas::domain::restore::{RestoreAction, RestoreVerdict};
use whowas::domain::scope::Described;
use whowas::domain::time::Instant;
use whowas::ledger::KnownAt;
use whowas::report::content::{Report, SnapshotRow};
use whowas::service::findings::{self, FindingAnswer};
use whowas::service::history;
use whowas::service::plan::{self, PlanAnswer};
use whowas::service::report::{self, Of};
use whowas::service::restore::{self, Recipient, RestoreRequest};

use crate::harness::*;

fn finding(book: &Book, now: Instant, kind: FindingKind, subject: &Subject) -> FindingAnswer {
    findings::found(&book.desk(now), FindingId::of(kind, subject)).unwrap().unwrap()
}

fn of_chain(book: &Book, now: Instant, kind: FindingKind, chain: &str) -> FindingAnswer {
    finding(book, now, kind, &Subject::Chain(chain.parse().unwrap()))
}

fn of_name(book: &Book, now: Instant, kind: FindingKind, text: &str) -> String {
    finding(book, now, kind, &Subject::Name(name(text).key().clone())).summary
}

fn planned(book: &Book, now: Instant, chain: &str) -> PlanAnswer {
    plan::plan(&book.desk(now), &chain.parse().unwrap()).unwrap().unwrap()
}

fn reported(book: &Book, now: Instant, of: &Of) -> Report {
    report::report(&book.desk(now), of, None).unwrap()
}

fn row(report: &Report, id: &str) -> SnapshotRow {
    report.snapshots().find(|row| row.snapshot.as_str() == id).unwrap().clone()
}

fn upn(text: &str) -> Addressed {
    Addressed::Name(name(text), NameKind::Upn)
}

/// A user with this user principal name and these addresses.
fn seen_as(object: ObjectId, upn: &str, addresses: &[&str]) -> Box<dyn Fn(Reading) -> Fact> {
    Box::new(seen(object, Profile { upn: Some(name(upn)), ..profile(addresses) }))
}

/// A's chain, in which the last snapshot is B's; B has another chain if it is named.
fn mixed(book: &mut Book, other: Option<&str>) {
    book.poll(t(0, "00:00"), &[is(A, &["ann"]), is(B, &["bob"])]);
    book.snapshot("cA", "1", t(0, "10:00"), Addressed::Object(A));
    book.snapshot("cA", "2", t(0, "11:00"), Addressed::Object(A));
    book.receipt(t(0, "11:20"), "cA", "2", B, Some(B));
    if let Some(other) = other {
        book.snapshot(other, "7", t(0, "12:00"), Addressed::Object(B));
    }
    book.poll(t(0, "13:00"), &[]);
}

fn next_of(plan: &PlanAnswer, object: ObjectId) -> (NextAction, Option<&str>, Option<&str>) {
    let next = plan.next.iter().find(|next| next.object == object).unwrap();
    (next.action, next.chain.as_ref().map(|chain| chain.as_str()), next.base.as_ref().map(|base| base.as_str()))
}

fn works_in(object: ObjectId, department: &str) -> Box<dyn Fn(Reading) -> Fact> {
    let attributes: std::collections::BTreeMap<_, _> =
        [("department".parse().unwrap(), Some(department.to_owned()))].into();
    Box::new(move |reading| Fact::Described(Described { object, reading, attributes: attributes.clone() }))
}

fn held(book: &mut Book, at: Instant, object: ObjectId) {
    let impact = Impact { removals: 1, renames: 2, takeovers: 0, active: 30 };
    let why = "2 renames".to_owned();
    let objects = vec![object];
    book.tell(
        at,
        vec![Fact::Held(Held { run: 7, part: HeldPart::Round, at, impact, why, chunk: 0, complete: true, objects })],
    );
}

#[test]
fn a_plan_orders_no_backup_of_whom_the_mapping_leaves_out() {
    for other in [None, Some("cB")] {
        let mut book = Book::in_memory();
        mixed(&mut book, other);
        assert_ne!(next_of(&planned(&book, t(0, "13:00"), "cA"), B).0, NextAction::Stop);
        book.poll(t(0, "13:30"), &[works_in(A, "Sales"), works_in(B, "HR")]);
        let exclude = Some(Condition::Attribute("department".parse().unwrap(), Test::Equals("HR".to_owned())));
        let rule = Rule { name: "staff".to_owned(), matches: Condition::Any, exclude, labels: [].into() };
        let mapping = Mapping::new(vec![rule]).unwrap();
        book.tell(t(0, "14:00"), vec![Fact::MappingApplied(MappingApplied { at: t(0, "14:00"), mapping })]);
        let plan = planned(&book, t(0, "15:00"), "cA");
        assert_eq!(next_of(&plan, B), (NextAction::Stop, other, None), "{plan:#?}");
        assert_eq!(next_of(&plan, A), (NextAction::Incremental, Some("cA"), Some("1")));
        assert!(plan.reasons.iter().any(|why| why.contains("rule \"staff\" excludes it")), "{plan:#?}");
        let report = reported(&book, t(0, "15:00"), &Of::Chain("cA".parse().unwrap()));
        let advice = whowas::report::headline(&report).advice;
        assert!(!advice.iter().any(|line| line.contains("bob") && line.contains("full")), "{advice:#?}");
    }
}

#[test]
fn a_plan_orders_no_backup_of_whom_a_guard_s_round_would_change() {
    let mut book = Book::in_memory();
    mixed(&mut book, None);
    held(&mut book, t(0, "14:00"), B);
    let plan = planned(&book, t(0, "15:00"), "cA");
    assert_eq!(next_of(&plan, B), (NextAction::Stop, None, None), "{plan:#?}");
    assert_eq!(next_of(&plan, A), (NextAction::Incremental, Some("cA"), Some("1")));
    assert!(
        plan.reasons.iter().any(|why| why.contains("a guard holds run 7") && why.contains("ask first")),
        "{plan:#?}"
    );
}

/// Nobody is told to go on by evidence that is too old for a verdict; but what was known in time was known.
#[test]
fn a_plan_on_old_evidence_says_to_ask_first_and_one_of_an_earlier_time_does_not() {
    let mut book = Book::in_memory();
    mixed(&mut book, None);
    let then = book.ledger.head(TENANT).unwrap().sequence;
    book.tell(t(20, "10:00"), vec![Fact::RoundBegan(RoundBegan { started: t(20, "10:00") })]);
    let plan = planned(&book, t(20, "15:00"), "cA");
    assert_eq!(next_of(&plan, A), (NextAction::Stop, Some("cA"), None), "{plan:#?}");
    let why = |words: &str| plan.reasons.iter().any(|why| why.contains(words));
    assert!(why("still lives (last: 2026-01-01T12:55:00") && why("ask first"), "{:#?}", plan.reasons);
    let ledger = book.ledger.as_known(TENANT, KnownAt::Sequence(then)).unwrap();
    let desk = whowas::service::Desk { ledger, ..book.desk(t(20, "15:00")) };
    let plan = plan::plan(&desk, &"cA".parse().unwrap()).unwrap().unwrap();
    assert_eq!(next_of(&plan, A), (NextAction::Incremental, Some("cA"), Some("1")), "{plan:#?}");
    assert_eq!(next_of(&plan, B), (NextAction::Full, None, None));
}

/// S14: who keeps as an alias what was the user principal name is not the one to whom it passed.
#[test]
fn a_name_passes_to_whoever_has_it_in_the_namespace_in_which_it_passed() {
    let mut book = Book::in_memory();
    book.poll(t(0, "09:00"), &[is(A, &["info"])]);
    book.snapshot("cA", "1", t(0, "10:00"), Addressed::Object(A));
    book.poll(t(1, "09:00"), &[is(A, &["ann", "info"]), seen_as(B, "info", &["bob"])]);
    let said = of_name(&book, t(1, "10:00"), FindingKind::NameReused, "info");
    assert!(said.contains(&format!("passed from ann@x.test (object {A}) to info@x.test (object {B})")), "{said}");
    let said = of_name(&book, t(1, "10:00"), FindingKind::AddressCollision, "info");
    let is =
        format!("is the user principal name of info@x.test (object {B}) and an address of ann@x.test (object {A})");
    assert!(said.contains(&is), "{said}");
    // Both go on for a while; then the alias goes, and then the name.
    book.poll(t(1, "12:00"), &[]);
    book.poll(t(2, "09:00"), &[is_only(A, "ann")]);
    let said = of_name(&book, t(2, "10:00"), FindingKind::AddressCollision, "info");
    assert!(said.contains("was the user principal name of info@x.test"), "{said}");
    book.poll(t(3, "09:00"), &[is_only(B, "bob")]);
    let said = of_name(&book, t(3, "10:00"), FindingKind::NameReused, "info");
    assert!(said.ends_with("and is free now"), "{said}");
}

fn is_only(object: ObjectId, text: &str) -> Box<dyn Fn(Reading) -> Fact> {
    is(object, &[text])
}

/// Two old exports with nothing between them: A was ann and B was bob, and nothing proves the time between.
fn two_exports(book: &mut Book) {
    for day in [0, 4] {
        book.import(t(20, "09:00"), t(day, "09:00"), &[is(A, &["ann"]), is(B, &["bob"])]);
    }
}

#[test]
fn a_finding_about_what_cannot_be_attributed_lists_the_assumed_snapshots_of_others() {
    for is_ambiguous in [false, true] {
        let mut book = Book::in_memory();
        two_exports(&mut book);
        book.snapshot("cA", "a", t(0, "08:00"), Addressed::Object(A));
        book.snapshot("cA", "own", t(1, "08:00"), named("ann"));
        for (place, id) in ["b1", "b2", "b3"].into_iter().enumerate() {
            book.snapshot(
                "cA",
                id,
                t(2 + place as u64 / 2, "08:00").plus(std::time::Duration::from_secs(place as u64)),
                named("bob"),
            );
        }
        if is_ambiguous {
            // Between the last export and the first sync bob passed to A, nobody knows when.
            book.snapshot("cA", "open", t(10, "08:00"), named("bob"));
        }
        book.poll(t(20, "10:00"), &[is(A, &["bob"]), is(B, &["bert"])]);
        book.poll(t(21, "10:00"), &[]);
        let found = of_chain(&book, t(21, "11:00"), FindingKind::Unattributable, "cA");
        let mut listed: Vec<&str> = found.snapshots.iter().map(|id| id.as_str()).collect();
        listed.sort_unstable();
        let expected: &[&str] = if is_ambiguous { &["b1", "b2", "b3", "open"] } else { &["b1", "b2", "b3"] };
        assert_eq!((listed.as_slice(), found.weight), (expected, expected.len() as u64), "{found:#?}");
        let of_bob = format!(
            "nothing proves whose data 3 snapshots of chain cA hold, and they seem to be of bert@x.test (object {B})"
        );
        assert!(found.summary.contains(&of_bob), "{}", found.summary);
        assert_eq!(found.summary.contains("nobody can tell whose data 1 snapshot, such as open,"), is_ambiguous);
    }
}

#[test]
fn a_snapshot_of_two_mailboxes_is_listed_with_both() {
    let mut book = Book::in_memory();
    book.poll(t(0, "00:00"), &[is(A, &["ann"])]);
    book.snapshot_of("cA", "1", t(0, "10:00"), Addressed::Object(A), Some(M1));
    let (chain, snapshot) = ("cA".parse().unwrap(), "1".parse().unwrap());
    let receipt = Receipt { chain, snapshot, object: A, mailbox: Some(M2), object_end: Some(A), mailbox_end: Some(M2) };
    book.tell(t(0, "11:00"), vec![Fact::Receipt(receipt)]);
    let found = of_chain(&book, t(0, "12:00"), FindingKind::ReceiptMismatch, "cA");
    assert_eq!((found.snapshots.len(), found.objects.as_slice()), (1, [A].as_slice()), "{found:#?}");
    let (m1, m2) = (M1.to_string(), M2.to_string());
    assert!(found.summary.contains(&m1) && found.summary.contains(&m2), "{}", found.summary);
    let advice = findings::advice(&found).unwrap();
    assert!(advice.contains(&m1) && advice.contains(&m2) && !advice.contains("alone"), "{advice}");
}

#[test]
fn a_mailbox_is_listed_under_whom_it_was_read_from() {
    let mut book = Book::in_memory();
    book.poll(t(0, "00:00"), &[is(A, &["ann"]), is(B, &["bob"])]);
    book.snapshot_of("cA", "1", t(0, "10:00"), Addressed::Object(A), Some(M1));
    let (chain, snapshot) = ("cA".parse().unwrap(), "1".parse().unwrap());
    let receipt = Receipt { chain, snapshot, object: B, mailbox: Some(M2), object_end: Some(B), mailbox_end: Some(M2) };
    book.tell(t(0, "11:00"), vec![Fact::Receipt(receipt)]);
    book.snapshot_of("cN", "1", t(0, "11:00"), upn("ann"), Some(M1));
    book.poll(t(0, "12:00"), &[]);
    let told = |object| history::of_object(&book.desk(t(0, "13:00")), object, KnownAt::Now).unwrap().unwrap().mailboxes;
    assert_eq!((told(A), told(B)), (vec![M1], vec![M2]));
    let report = reported(&book, t(0, "13:00"), &Of::Chain("cA".parse().unwrap()));
    assert_eq!(report.object(B).unwrap().mailboxes, [M2]);
}

/// S3 without a poll between rename and reuse: at noon A may be sam.old already and B sam.
#[test]
fn an_owner_is_given_no_name_that_may_be_anothers_by_then() {
    let mut book = Book::in_memory();
    book.poll(t(0, "00:10"), &[is(A, &["sam"])]);
    book.snapshot("cA", "1", t(0, "00:10"), Addressed::Object(A));
    book.snapshot("cA", "2", t(0, "12:00"), Addressed::Object(A));
    book.poll(t(1, "00:00"), &[is(A, &["sam.old"]), is(B, &["sam"])]);
    book.snapshot("cA", "3", t(1, "01:00"), Addressed::Object(A));
    book.poll(t(1, "02:00"), &[]);
    let report = reported(&book, t(1, "03:00"), &Of::Chain("cA".parse().unwrap()));
    let called = |id| row(&report, id).owner_name;
    assert_eq!((called("2"), called("3").as_deref()), (None, Some("sam.old@x.test")));
    assert!(whowas::report::html(&report).is_ok() && whowas::report::csv(&report).is_ok());
}

#[test]
fn a_history_tells_which_snapshots_are_only_assumed() {
    let mut book = Book::in_memory();
    two_exports(&mut book);
    book.snapshot("cA", "1", t(0, "08:00"), Addressed::Object(A));
    book.snapshot("cA", "2", t(1, "08:00"), named("ann"));
    book.poll(t(21, "10:00"), &[is(A, &["ann"]), is(B, &["bob"])]);
    let told = history::of_object(&book.desk(t(21, "11:00")), A, KnownAt::Now).unwrap().unwrap();
    let sure: Vec<HolderConfidence> = told.snapshots.iter().map(|part| part.confidence).collect();
    assert_eq!(sure, [HolderConfidence::Certain, HolderConfidence::Assumed]);
}

#[test]
fn a_restore_is_warned_of_what_else_may_be_in_the_chain() {
    for foreign in ["bob", "nobody-ever"] {
        let mut book = Book::in_memory();
        two_exports(&mut book);
        book.poll(t(20, "10:00"), &[is(A, &["ann"]), is(B, &["bert"])]);
        book.snapshot("cA", "40", t(0, "08:00"), Addressed::Object(A));
        let asked = |book: &Book| {
            let (chain, snapshot) = ("cA".parse().unwrap(), "40".parse().unwrap());
            let request = RestoreRequest { chain, snapshot, to: Recipient::Object(A) };
            restore::restore_check(&book.desk(t(20, "11:00")), &request).unwrap()
        };
        let warns = |reasons: &[String]| reasons.iter().any(|why| why.contains("nothing that it builds on"));
        assert!(!warns(&asked(&book).reasons), "nothing else is in it");
        book.snapshot("cA", "41", t(1, "08:00"), named(foreign));
        assert_eq!(book.attribution("cA", "41").attribution.owner, (foreign == "bob").then_some(B));
        let answer = asked(&book);
        assert_eq!((answer.verdict, answer.action), (RestoreVerdict::SameOwner, RestoreAction::Proceed));
        assert!(warns(&answer.reasons), "{:#?}", answer.reasons);
        assert!(
            answer.reasons.iter().any(|why| why.contains("may hold another person's data")),
            "{:#?}",
            answer.reasons
        );
        book.expire(t(20, "11:00"), "cA", "41");
        assert!(!warns(&asked(&book).reasons), "what is not kept is built on by nobody");
    }
}

#[test]
fn a_hold_is_told_as_it_was_known() {
    let mut book = Book::in_memory();
    book.poll(t(0, "00:00"), &[is(A, &["ann"])]);
    held(&mut book, t(0, "10:00"), A);
    let then = book.ledger.head(TENANT).unwrap().sequence;
    let subject = Subject::Run(7);
    let told = |book: &Book| finding(book, t(0, "12:00"), FindingKind::MassChange, &subject);
    assert!(told(&book).summary.contains("it would bring 3 changes at once"), "{}", told(&book).summary);
    book.tell(t(0, "11:00"), vec![Fact::HoldEnded(HoldEnded { run: 7, at: t(0, "11:00"), how: HoldEnd::Accepted })]);
    assert!(told(&book).summary.contains("does not any more"), "{}", told(&book).summary);
    let ledger = book.ledger.as_known(TENANT, KnownAt::Sequence(then)).unwrap();
    let desk = whowas::service::Desk { ledger, ..book.desk(t(0, "12:00")) };
    let past = findings::found(&desk, FindingId::of(FindingKind::MassChange, &subject)).unwrap().unwrap();
    assert_eq!(past.state, FindingState::Open);
    assert!(past.summary.contains("a guard holds") && past.summary.contains("3 changes at once"), "{}", past.summary);
}
