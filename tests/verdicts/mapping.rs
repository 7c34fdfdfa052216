//! Who is protected, and what an agent is told of whoever is not.

use std::collections::BTreeMap;

use whowas::domain::fact::{Addressed, Fact, Profile, Reading, Source};
use whowas::domain::id::ObjectId;
use whowas::domain::mapping::{Condition, Mapping, MappingApplied, Rule, Test};
use whowas::domain::scope::{Described, Grouped, GroupsListed, Scope};
use whowas::domain::time::Instant;
use whowas::domain::verdict::{Action, Ask, Outcome, Policy};
use whowas::ledger::{KnownAt, ReadAhead};

use crate::harness::*;

const GROUP: ObjectId = ObjectId::from_bytes([0x99; 16]);

fn rule(name: &str, matches: Condition) -> Rule {
    let labels = [("profile".to_owned(), format!("{name} profile"))].into();
    Rule { name: name.to_owned(), matches, exclude: None, labels }
}

fn apply(book: &mut Book, at: Instant, rules: Vec<Rule>) {
    let mapping = Mapping::new(rules).unwrap();
    book.tell(at, vec![Fact::MappingApplied(MappingApplied { at, mapping })]);
}

fn sales() -> Condition {
    Condition::Attribute("department".parse().unwrap(), Test::Equals("Sales".to_owned()))
}

fn works_in(object: ObjectId, department: Option<&str>) -> Box<dyn Fn(Reading) -> Fact> {
    let attributes: BTreeMap<_, _> = [("department".parse().unwrap(), department.map(str::to_owned))].into();
    Box::new(move |reading| Fact::Described(Described { object, reading, attributes: attributes.clone() }))
}

fn listed(book: &mut Book, at: Instant, members: &[(ObjectId, bool)], refused: bool) {
    let word = |(object, is_member): &(ObjectId, bool)| {
        Fact::Grouped(Grouped { object: *object, group: GROUP, at, is_member: *is_member })
    };
    let (listed, not) = if refused { (vec![], vec![GROUP]) } else { (vec![GROUP], vec![]) };
    let listing = Fact::GroupsListed(GroupsListed { at, listed, refused: not });
    book.tell(at, members.iter().map(word).chain([listing]).collect());
}

/// Ann is in Sales, Bob is in HR; both have a chain. Since day 1 Sales is protected.
fn company(book: &mut Book) {
    book.poll(t(0, "00:00"), &[is(A, &["ann"]), works_in(A, Some("SALES")), is(B, &["bob"]), works_in(B, Some("HR"))]);
    book.snapshot("cA", "1", t(0, "10:00"), Addressed::Object(A));
    book.snapshot("cB", "1", t(0, "10:00"), Addressed::Object(B));
    apply(book, t(1, "00:00"), vec![rule("sales", sales())]);
}

fn ask(chain: &str, object: ObjectId) -> Ask {
    in_chain(chain, by_id(object))
}

fn whoever_a_rule_protects_goes_on_with_its_name_and_labels(book: &mut Book) {
    company(book);
    for asked in [ask("cA", A), by_id(A), in_chain("cA", Ask::default())] {
        let verdict = book.check(t(1, "01:00"), asked);
        assert_eq!((verdict.outcome, verdict.mapping.as_deref()), (Outcome::Continue, Some("sales")), "{verdict:?}");
        assert_eq!(verdict.labels.get("profile").map(String::as_str), Some("sales profile"));
    }
    book.poll(t(1, "02:00"), &[is(C, &["cat"]), works_in(C, Some("Sales"))]);
    let verdict = book.check(t(1, "03:00"), by_id(C));
    assert_eq!((verdict.outcome, verdict.mapping.as_deref()), (Outcome::Baseline, Some("sales")));
}

fn whoever_no_rule_protects_is_frozen_and_keeps_the_chain(book: &mut Book) {
    company(book);
    for asked in [ask("cB", B), by_id(B), in_chain("cB", Ask::default())] {
        let verdict = book.check(t(1, "01:00"), asked);
        assert_eq!((verdict.outcome, target(&verdict)), (Outcome::Frozen, (Some(B), Some("1"))), "{verdict:?}");
        assert!(says(&verdict, "out of the mapping's scope: no rule matches it; keep the chain"), "{verdict:?}");
        assert_eq!((verdict.mapping, verdict.labels.len()), (None, 0));
    }
    book.live(t(1, "02:00"), &[is(B, &["bob"])]);
    assert_eq!(book.check(t(1, "02:00"), in_chain("cB", by_name("bob"))).outcome, Outcome::Frozen);
    // Nor does anybody begin one.
    book.poll(t(1, "03:00"), &[is(C, &["cat"]), works_in(C, None)]);
    assert_eq!(book.check(t(1, "04:00"), by_id(C)).outcome, Outcome::Frozen);
    // A mismatch sends nobody there either.
    let verdict = book.check(t(1, "04:00"), in_chain("cA", by_id(B)));
    let told: Vec<_> = verdict.instead.iter().map(|part| (part.object, part.action)).collect();
    assert_eq!((verdict.outcome, told), (Outcome::Mismatch, vec![(A, Action::Incremental), (B, Action::Stop)]));
}

fn the_rule_that_excludes_is_named(book: &mut Book) {
    company(book);
    let exclude = Some(Condition::Domain("X.TEST".to_owned()));
    apply(book, t(1, "01:00"), vec![Rule { exclude, ..rule("staff", Condition::Any) }]);
    let verdict = book.check(t(1, "02:00"), ask("cA", A));
    assert_eq!(verdict.outcome, Outcome::Frozen);
    assert!(says(&verdict, "rule \"staff\" excludes it and no rule after that matches"), "{verdict:?}");
}

fn what_was_not_read_is_asked_for_and_neither_frozen_nor_protected(book: &mut Book) {
    book.poll(t(0, "00:00"), &[is(A, &["ann"]), is(B, &["bob"]), works_in(B, Some("Sales"))]);
    book.snapshot("cA", "1", t(0, "10:00"), Addressed::Object(A));
    apply(book, t(1, "00:00"), vec![rule("sales", sales())]);
    for asked in [ask("cA", A), by_id(A)] {
        let verdict = book.check(t(1, "01:00"), asked);
        assert_eq!(verdict.outcome, Outcome::Refresh, "{verdict:?}");
        assert!(says(&verdict, "not known: rule \"sales\" cannot be decided: department was not read yet"));
    }
    assert_eq!(book.check(t(1, "01:00"), by_id(B)).outcome, Outcome::Baseline);
    let verdict = book.check(t(1, "01:00"), in_chain("cA", by_id(B)));
    assert_eq!(
        verdict.instead.first().unwrap().action,
        Action::Stop,
        "nobody is sent to what is not known to be protected"
    );
    book.live(t(1, "02:00"), &[is(A, &["ann"]), works_in(A, Some("Sales"))]);
    assert_eq!(book.check(t(1, "02:00"), ask("cA", A)).outcome, Outcome::Continue);
    book.poll(t(1, "03:00"), &[is(A, &["ann"]), works_in(A, None)]);
    assert_eq!(book.check(t(1, "04:00"), ask("cA", A)).outcome, Outcome::Frozen);
}

fn a_group_counts_only_once_its_members_were_listed(book: &mut Book) {
    book.poll(t(0, "00:00"), &[is(A, &["ann"]), is(B, &["bob"])]);
    apply(book, t(0, "01:00"), vec![rule("staff", Condition::Group(GROUP))]);
    let outcomes = |book: &Book, now| [A, B].map(|object| book.check(now, by_id(object)).outcome);
    assert_eq!(outcomes(book, t(0, "02:00")), [Outcome::Refresh, Outcome::Refresh]);
    listed(book, t(0, "03:00"), &[(A, true)], false);
    assert_eq!(outcomes(book, t(0, "04:00")), [Outcome::Baseline, Outcome::Frozen]);
    // Whoever came later has not been looked for.
    book.poll(t(0, "05:00"), &[is(C, &["cat"])]);
    let verdict = book.check(t(0, "06:00"), by_id(C));
    assert_eq!(verdict.outcome, Outcome::Refresh);
    assert!(says(&verdict, "were read before it was there"), "{verdict:?}");
    listed(book, t(0, "07:00"), &[(A, false), (B, true)], false);
    assert_eq!(outcomes(book, t(0, "08:00")), [Outcome::Frozen, Outcome::Baseline]);
    assert_eq!(book.check(t(0, "08:00"), by_id(C)).outcome, Outcome::Frozen);
    // No permission any more: nobody is left alone for that.
    listed(book, t(0, "09:00"), &[], true);
    assert_eq!(outcomes(book, t(0, "10:00")), [Outcome::Refresh, Outcome::Refresh]);
    assert!(says(&book.check(t(0, "10:00"), by_id(B)), "GroupMember.Read.All"));
}

fn a_deleted_user_is_frozen_for_that_and_a_group_that_was_dropped_must_be_listed_again(book: &mut Book) {
    company(book);
    book.poll(t(2, "00:00"), &[gone(B, whowas::domain::fact::Removal::Soft)]);
    assert!(says(&book.check(t(2, "01:00"), ask("cB", B)), "soft-deleted"));
    apply(book, t(2, "02:00"), vec![rule("staff", Condition::Group(GROUP))]);
    listed(book, t(2, "03:00"), &[(A, true)], false);
    apply(book, t(2, "04:00"), vec![]);
    assert_eq!(book.check(t(2, "05:00"), ask("cA", A)).mapping, None, "without rules everyone is protected");
    apply(book, t(2, "06:00"), vec![rule("staff", Condition::Group(GROUP))]);
    assert_eq!(book.check(t(2, "07:00"), ask("cA", A)).outcome, Outcome::Refresh);
}

fn a_file_from_elsewhere_and_the_audit_log_decide_nothing(book: &mut Book) {
    apply(book, t(0, "00:00"), vec![rule("all", Condition::Any)]);
    let guest = Profile { user_type: Some("Guest".to_owned()), ..profile(&["ann"]) };
    book.import(t(0, "01:00"), t(0, "00:30"), &[Box::new(seen(A, guest))]);
    let view = book.ledger.view(TENANT, KnownAt::Now).unwrap();
    let scopes = view.scopes(&view.mapping().unwrap(), [&view.timeline(A).unwrap()]).unwrap();
    assert!(matches!(scopes.get(&A), Some(Scope::Unknown { .. })), "{scopes:?}");
}

fn an_earlier_answer_is_replayed_with_the_rules_of_its_time(book: &mut Book) {
    company(book);
    let now = t(1, "01:00");
    let check = |book: &Book, known_at| {
        [ask("cA", A), ask("cB", B)].map(|ask| {
            let checked = book.ledger.check(TENANT, &ask, &Policy::default(), now, known_at, None).unwrap();
            (format!("{checked:?}"), checked.basis.sequence)
        })
    };
    let before = check(book, KnownAt::Now);
    let basis = KnownAt::Sequence(before[0].1);
    apply(book, t(1, "02:00"), vec![rule("hr", Condition::Not(Box::new(sales())))]);
    book.poll(t(1, "03:00"), &[is(A, &["ann"]), works_in(A, Some("HR"))]);
    listed(book, t(1, "04:00"), &[(A, true)], true);
    assert_eq!(check(book, basis), before);
    assert_ne!(check(book, KnownAt::Now)[1].0, before[1].0);
}

fn the_history_tells_since_when_whom_which_rule_protected(book: &mut Book) {
    company(book);
    listed(book, t(1, "01:00"), &[(B, true)], false);
    listed(book, t(1, "02:00"), &[], false);
    book.poll(t(1, "03:00"), &[is(A, &["ann"]), works_in(A, Some("HR"))]);
    apply(book, t(1, "04:00"), vec![rule("hr", Condition::Not(Box::new(sales()))), rule("rest", Condition::Any)]);
    let told = |object| -> Vec<(Instant, String)> {
        let view = book.ledger.view(TENANT, KnownAt::Now).unwrap();
        let history = view.scope_history(object).unwrap();
        history
            .into_iter()
            .map(|period| {
                let what = match period.scope {
                    Scope::Everyone => "everyone".to_owned(),
                    Scope::In { rule, .. } => rule,
                    Scope::Out { .. } => "out".to_owned(),
                    Scope::Unknown { why } | Scope::InOne { why } => why,
                };
                (period.since, what)
            })
            .collect()
    };
    let expect = |all: &[(Instant, &str)]| all.iter().map(|(at, what)| (*at, (*what).to_owned())).collect::<Vec<_>>();
    let first = t(0, "00:00");
    let start = t(1, "00:00");
    assert_eq!(
        told(A),
        expect(&[(first, "everyone"), (start, "sales"), (t(1, "03:00"), "out"), (t(1, "04:00"), "hr")])
    );
    assert_eq!(told(B), expect(&[(first, "everyone"), (start, "out"), (t(1, "04:00"), "hr")]));
}

fn a_preview_tells_who_enters_and_leaves_and_freezes_and_writes_nothing(book: &mut Book) {
    company(book);
    book.poll(t(1, "01:00"), &[is(C, &["cat"]), works_in(C, Some("Sales"))]);
    let before = book.ledger.head(TENANT).unwrap().sequence;
    let rules = Mapping::new(vec![
        rule("hr", Condition::Not(Box::new(sales()))),
        rule("guests", Condition::UserType(Test::Equals("Guest".to_owned()))),
    ]);
    let change = book.ledger.scope_change(TENANT, &rules.unwrap(), &ReadAhead::default()).unwrap();
    let ids = |all: &[whowas::ledger::Move]| all.iter().map(|moved| moved.object).collect::<Vec<_>>();
    assert_eq!((ids(&change.enter), ids(&change.leave)), (vec![B], vec![A, C]));
    assert_eq!(change.freeze().map(|moved| moved.object).collect::<Vec<_>>(), [A]);
    assert_eq!((change.users, change.out, change.protected_with_chains), (3, 2, 1));
    assert_eq!(change.rules, [("hr".to_owned(), 1), ("guests".to_owned(), 0)]);
    assert!(change.breach(99).unwrap().contains("1 of 1 protected users"));
    assert_eq!(change.breach(100), None);
    // What was read ahead counts as if it were known.
    let group = Mapping::new(vec![rule("staff", Condition::Group(GROUP))]).unwrap();
    let unread = book.ledger.scope_change(TENANT, &group, &ReadAhead::default()).unwrap();
    assert_eq!((unread.unknown.len(), unread.leave.len()), (3, 0));
    let listing = GroupsListed { at: t(1, "02:00"), listed: vec![GROUP], refused: vec![] };
    let mut ahead = ReadAhead::default();
    ahead.groups.note(&listing);
    let member = Fact::Grouped(Grouped { object: A, group: GROUP, at: t(1, "02:00"), is_member: true });
    ahead.facts.insert(A, vec![member]);
    let read = book.ledger.scope_change(TENANT, &group, &ahead).unwrap();
    assert_eq!((read.unknown.len(), ids(&read.leave), read.freeze().count()), (0, vec![C], 0));
    assert_eq!(book.ledger.head(TENANT).unwrap().sequence, before);
}

fn attributes_that_say_nothing_new_are_not_kept(book: &mut Book) {
    company(book);
    let at = book.ledger.head(TENANT).unwrap().sequence;
    let told = |second: u64, department: &str| {
        let at = t(1, "01:00").plus(std::time::Duration::from_secs(second));
        let reading = Reading { at, lag: LAG, source: Source::Live, unchanged_since: None };
        works_in(A, Some(department))(reading)
    };
    let same = book.tell(t(1, "01:00"), vec![told(0, "SALES"), told(1, "SALES")]);
    assert_eq!((same.head.sequence, same.summary.facts), (at, 0));
    let other = book.tell(t(1, "02:00"), vec![told(2, "HR"), told(3, "SALES"), told(3, "SALES")]);
    assert_eq!((other.summary.facts, other.summary.changed), (2, 0));
    assert_eq!(book.check(t(1, "03:00"), ask("cA", A)).outcome, Outcome::Continue);
    assert_eq!(book.ledger.verify(|_| ()).unwrap().differing, 0);
}

on_both_stores!(
    whoever_a_rule_protects_goes_on_with_its_name_and_labels,
    whoever_no_rule_protects_is_frozen_and_keeps_the_chain,
    the_rule_that_excludes_is_named,
    what_was_not_read_is_asked_for_and_neither_frozen_nor_protected,
    a_group_counts_only_once_its_members_were_listed,
    a_deleted_user_is_frozen_for_that_and_a_group_that_was_dropped_must_be_listed_again,
    a_file_from_elsewhere_and_the_audit_log_decide_nothing,
    an_earlier_answer_is_replayed_with_the_rules_of_its_time,
    the_history_tells_since_when_whom_which_rule_protected,
    a_preview_tells_who_enters_and_leaves_and_freezes_and_writes_nothing,
    attributes_that_say_nothing_new_are_not_kept,
);
