//! The scenarios of the acceptance list, told to a ledger as the directory would have told them.

use whowas::domain::fact::*;
use whowas::domain::holder::HolderConfidence;
use whowas::domain::id::{ObjectId, Sequence};
use whowas::domain::interval::Edge;
use whowas::domain::name::NameKind;
use whowas::domain::timeline::State;
use whowas::domain::track::Confidence;
use whowas::domain::verdict::{Action, Ask, Outcome, Policy};
use whowas::ledger::KnownAt;

use crate::harness::*;

on_both_stores!(
    s1_marriage,
    s3_the_weak_window,
    s5_leaver_purge_namesake,
    s6_namesake_while_the_leaver_is_in_the_bin,
    s7_oops_undelete,
    s10_swap,
    s11_rotation_over_pages,
    s12_there_and_back,
    s13_excursion_with_a_tenant,
    s14_upn_and_address_point_to_two_people,
    s15_alias_handed_over,
    s18_leaver_becomes_shared_and_a_namesake_arrives,
    s21_quarantine_placeholder,
    s22_token_expired_over_a_reuse,
    s30_reuse_during_the_run,
    s31_clock_trouble,
);

fn outcome(book: &Book, day: u64, clock: &str, ask: Ask) -> Outcome {
    book.check(t(day, clock), ask).outcome
}

fn s1_marriage(book: &mut Book) {
    book.poll(t(0, "09:00"), &[is(A, &["ann.lee"])]);
    book.snapshot("cA", "1", t(0, "09:10"), Addressed::Object(A));
    assert_eq!(outcome(book, 0, "11:00", in_chain("cA", by_name("ann.lee"))), Outcome::Refresh);
    book.live(t(0, "11:00"), &[nobody("ann.lee"), is(A, &["ann.roy", "ann.lee"])]);
    let verdict = book.check(t(0, "11:00"), in_chain("cA", by_name("ann.lee")));
    assert_eq!((verdict.outcome, target(&verdict)), (Outcome::Renamed, (Some(A), Some("1"))));
    book.poll(t(0, "12:00"), &[is(A, &["ann.roy", "ann.lee"])]);
    book.live(t(0, "13:00"), &[is(A, &["ann.roy", "ann.lee"])]);
    assert_eq!(outcome(book, 0, "13:00", in_chain("cA", by_name("ann.roy"))), Outcome::Renamed);
    assert_eq!(outcome(book, 0, "13:00", in_chain("cA", by_id(A))), Outcome::Renamed);
    book.snapshot("cA", "2", t(0, "13:01"), Addressed::Object(A));
    assert_eq!(outcome(book, 1, "09:00", in_chain("cA", by_id(A))), Outcome::Continue);
}

fn s3_the_weak_window(book: &mut Book) {
    book.poll(t(0, "00:00"), &[is(A, &["sam"])]);
    book.snapshot("cA", "1", t(0, "00:10"), Addressed::Object(A));
    book.snapshot("cA", "2", t(0, "05:00"), named("sam"));
    assert_eq!(outcome(book, 0, "10:00", in_chain("cA", by_name("sam"))), Outcome::Refresh);
    book.live(t(0, "10:00"), &[is(B, &["sam"]), is(A, &["sam.old"])]);
    let verdict = book.check(t(0, "10:00"), in_chain("cA", by_name("sam")));
    assert_eq!((verdict.outcome, verdict.object), (Outcome::Mismatch, Some(A)));
    let instead: Vec<_> = verdict.instead.iter().map(|i| (i.object, i.action)).collect();
    assert_eq!(instead, [(A, Action::Incremental), (B, Action::Full)]);
    assert!(says(&verdict, "now sam.old@x.test"), "{:?}", verdict.reasons);
    assert_eq!(outcome(book, 0, "10:00", by_id(B)), Outcome::Baseline);
    let by_id = book.check(t(0, "10:05"), in_chain("cA", by_id(A)));
    assert_eq!((by_id.outcome, target(&by_id)), (Outcome::Renamed, (Some(A), Some("1"))));
    book.poll(t(1, "00:00"), &[is(A, &["sam.old"]), is(B, &["sam"])]);
    let claims = book.ledger.name_history(TENANT, name("sam").key(), KnownAt::Now, t(1, "00:00")).unwrap().claims;
    let edge = |object: ObjectId| {
        let claim = claims.iter().find(|claim| claim.object == object).unwrap();
        let period = claim.track.periods().remove(0);
        if object == A { period.until.unwrap() } else { period.from }
    };
    let window = Edge::new(t(0, "00:00").minus(LAG), t(0, "10:01"));
    assert!(window.covers(edge(A)) && window.covers(edge(B)), "{:?} {:?}", edge(A), edge(B));
    let attribution = book.attribution("cA", "2").attribution;
    assert_eq!((attribution.confidence, attribution.owner), (HolderConfidence::Ambiguous, None));
    let candidates: Vec<ObjectId> = attribution.candidates.iter().map(|candidate| candidate.object).collect();
    assert_eq!(candidates, [A, B]);
}

fn s5_leaver_purge_namesake(book: &mut Book) {
    book.poll(t(0, "08:00"), &[is(A, &["kim"])]);
    book.snapshot("cA", "1", t(0, "08:10"), Addressed::Object(A));
    book.poll(t(0, "09:00"), &[gone(A, Removal::Soft)]);
    assert_eq!(outcome(book, 5, "09:00", in_chain("cA", by_name("kim"))), Outcome::Frozen);
    book.poll(t(30, "09:00"), &[gone(A, Removal::Purged)]);
    let verdict = book.check(t(31, "09:00"), in_chain("cA", by_name("kim")));
    assert!(verdict.outcome == Outcome::Frozen && says(&verdict, "for good"));
    book.poll(t(90, "09:00"), &[Box::new(seen(B, Profile { created: Some(t(90, "08:00")), ..profile(&["kim"]) }))]);
    assert_eq!(outcome(book, 90, "09:01", by_name("kim")), Outcome::Refresh);
    book.live(t(90, "09:01"), &[is(B, &["kim"]), gone(A, Removal::NotFound)]);
    let verdict = book.check(t(90, "09:01"), in_chain("cA", by_name("kim")));
    assert_eq!((verdict.outcome, verdict.object), (Outcome::Mismatch, Some(A)));
    assert_eq!(verdict.instead.first().map(|instead| instead.action), Some(Action::Stop));
    assert_eq!(outcome(book, 90, "09:01", by_name("kim")), Outcome::Baseline);
    let claims = book.ledger.name_history(TENANT, name("kim").key(), KnownAt::Now, t(90, "10:00")).unwrap().claims;
    let kims: Vec<(ObjectId, bool)> = claims
        .iter()
        .filter(|claim| claim.namespace == whowas::domain::name::Namespace::Upn)
        .map(|claim| (claim.object, claim.track.is_present_last()))
        .collect();
    assert_eq!(kims, [(A, false), (B, true)]);
}

fn s6_namesake_while_the_leaver_is_in_the_bin(book: &mut Book) {
    book.poll(t(0, "08:00"), &[is(A, &["kim"])]);
    book.snapshot("cA", "1", t(0, "08:10"), Addressed::Object(A));
    book.poll(t(0, "09:00"), &[gone(A, Removal::Soft)]);
    book.poll(t(5, "09:00"), &[is(B, &["kim"])]);
    book.live(t(5, "10:00"), &[is(B, &["kim"]), gone(A, Removal::Soft)]);
    let verdict = book.check(t(5, "10:00"), by_name("kim"));
    assert_eq!((verdict.outcome, verdict.object), (Outcome::Baseline, Some(B)));
    book.poll(t(10, "09:00"), &[is(A, &["kim2"])]);
    let verdict = book.check(t(10, "10:00"), in_chain("cA", by_id(A)));
    assert_eq!((verdict.outcome, target(&verdict)), (Outcome::Renamed, (Some(A), Some("1"))));
    book.live(t(10, "10:00"), &[is(B, &["kim"])]);
    assert_eq!(outcome(book, 10, "10:00", in_chain("cA", by_name("kim"))), Outcome::Mismatch);
}

fn s7_oops_undelete(book: &mut Book) {
    book.poll(t(0, "08:00"), &[is(A, &["ann"])]);
    book.snapshot("cA", "1", t(0, "08:10"), Addressed::Object(A));
    book.poll(t(1, "08:00"), &[gone(A, Removal::Soft)]);
    assert_eq!(outcome(book, 1, "09:00", by_id(A)), Outcome::Frozen);
    // Restored on day 2; the delta feed does not tell, the reconcile finds it.
    book.poll(t(2, "12:00"), &[]);
    assert_eq!(outcome(book, 2, "13:00", by_id(A)), Outcome::Frozen);
    book.reconcile(t(3, "08:00"), &[is(A, &["ann"])]);
    let verdict = book.check(t(3, "09:00"), in_chain("cA", by_id(A)));
    assert_eq!((verdict.outcome, target(&verdict)), (Outcome::Continue, (Some(A), Some("1"))));
    assert!(says(&verdict, "gap: the object was deleted"), "{:?}", verdict.reasons);
}

fn s10_swap(book: &mut Book) {
    book.poll(t(0, "08:00"), &[is(A, &["pat"]), is(B, &["max"])]);
    book.snapshot("cA", "1", t(0, "08:10"), Addressed::Object(A));
    book.poll(t(0, "12:00"), &[is(B, &["pat"]), is(A, &["max"]), is(B, &["pat"])]);
    let holder = |text| book.ledger.who(TENANT, &name(text), NameKind::Any, None, KnownAt::Now, t(0, "12:01")).unwrap();
    assert_eq!((holder("pat").standing.holder, holder("max").standing.holder), (Some(B), Some(A)));
    book.live(t(0, "12:30"), &[is(B, &["pat"]), is(A, &["max"])]);
    assert_eq!(outcome(book, 0, "12:30", in_chain("cA", by_name("pat"))), Outcome::Mismatch);
    let verdict = book.check(t(0, "12:30"), in_chain("cA", by_id(A)));
    assert_eq!((verdict.outcome, verdict.old_name_holder), (Outcome::Renamed, Some(B)));
}

fn s11_rotation_over_pages(book: &mut Book) {
    book.poll(t(0, "08:00"), &[is(A, &["n1"]), is(B, &["n2"]), is(C, &["n3"])]);
    for (chain, object) in [("cA", A), ("cB", B), ("cC", C)] {
        book.snapshot(chain, "1", t(0, "08:10"), Addressed::Object(object));
    }
    let started = t(0, "12:00");
    book.page(started, started, &[is(A, &["n2"])]);
    book.page(started, started, &[is(B, &["n3"])]);
    for (text, chain) in [("n1", "cA"), ("n2", "cB"), ("n3", "cC"), ("n2", "cA"), ("n3", "cB"), ("n1", "cC")] {
        for policy in [Policy::default(), patient()] {
            let verdict = book.check_by(&policy, t(0, "12:01"), in_chain(chain, by_name(text)));
            assert_eq!(verdict.outcome, Outcome::Refresh, "{text} {chain}: {:?}", verdict.reasons);
        }
    }
    // After the restart the old token tells all three pages again.
    book.page(started, started, &[is(A, &["n2"])]);
    book.page(started, started, &[is(B, &["n3"])]);
    book.poll(started, &[is(C, &["n1"])]);
    let mut uncrashed = Book::in_memory();
    uncrashed.poll(t(0, "08:00"), &[is(A, &["n1"]), is(B, &["n2"]), is(C, &["n3"])]);
    uncrashed.poll(started, &[is(A, &["n2"]), is(B, &["n3"]), is(C, &["n1"])]);
    for (text, holder) in [("n1", C), ("n2", A), ("n3", B)] {
        let standing = |book: &Book| {
            let who = book.ledger.who(TENANT, &name(text), NameKind::Any, None, KnownAt::Now, t(0, "12:02"));
            who.unwrap().standing
        };
        let (ours, theirs) = (standing(book), standing(&uncrashed));
        assert_eq!((ours.confidence, ours.holder), (theirs.confidence, theirs.holder));
        assert_eq!(ours.holder, Some(holder));
    }
}

fn s12_there_and_back(book: &mut Book) {
    book.poll(t(0, "08:00"), &[is(A, &["lou"])]);
    book.poll(t(0, "18:00"), &[]);
    book.poll(t(0, "18:10"), &[]);
    book.snapshot("cA", "1", t(0, "12:00"), Addressed::Object(A));
    let noon = t(0, "12:00");
    assert_eq!(book.who("lou", NameKind::Upn, noon, KnownAt::Now).standing.confidence, HolderConfidence::Certain);
    // Had a round reported A with equal values, the time before would only be assumed.
    let mut reported = Book::in_memory();
    reported.poll(t(0, "08:00"), &[is(A, &["lou"])]);
    reported.poll(t(0, "18:00"), &[is(A, &["lou"])]);
    assert_eq!(reported.who("lou", NameKind::Upn, noon, KnownAt::Now).standing.confidence, HolderConfidence::Assumed);
    reported.snapshot("cA", "1", noon, Addressed::Object(A));
    reported.audit_rename(t(1, "08:00"), t(0, "09:00"), A, "lou", "lou2");
    reported.audit_rename(t(1, "08:00"), t(0, "17:00"), A, "lou2", "lou");
    let excursion = reported.who("lou2", NameKind::Upn, noon, KnownAt::Now).standing;
    assert_eq!((excursion.confidence, excursion.holder), (HolderConfidence::Assumed, Some(A)));
    assert_eq!(reported.who("lou", NameKind::Upn, noon, KnownAt::Now).standing.holder, None);
    let claims = reported.ledger.name_history(TENANT, name("lou2").key(), KnownAt::Now, noon).unwrap().claims;
    let period = claims.first().unwrap().track.periods().remove(0);
    assert_eq!((period.from.as_point(), period.until.unwrap().as_point()), (Some(t(0, "09:00")), Some(t(0, "17:00"))));
    assert_eq!(reported.attribution("cA", "1").attribution.owner, Some(A));
    // The snapshot was taken while A was lou2, as is known now.
    let verdict = reported.check(t(1, "09:00"), by_id(A));
    assert_eq!((verdict.outcome, target(&verdict)), (Outcome::Renamed, (Some(A), Some("1"))));
}

fn s13_excursion_with_a_tenant(book: &mut Book) {
    book.poll(t(0, "08:00"), &[is(A, &["lou"])]);
    book.snapshot("cA", "1", t(0, "08:30"), Addressed::Object(A));
    book.snapshot("cA", "2", t(0, "12:00"), named("lou"));
    book.snapshot("cA", "3", t(0, "12:30"), Addressed::Object(A));
    book.poll(t(0, "18:00"), &[is(A, &["lou"])]);
    let before = book.attribution("cA", "2").attribution;
    assert_eq!((before.confidence, before.owner), (HolderConfidence::Assumed, Some(A)));
    let learnt = t(1, "08:00");
    book.audit_rename(learnt, t(0, "09:00"), A, "lou", "lou2");
    book.audit_rename(learnt, t(0, "17:00"), A, "lou2", "lou");
    book.audit_life(learnt, t(0, "10:00"), B, Life::Created, Some("lou"));
    book.audit_life(learnt, t(0, "16:00"), B, Life::Deleted, Some("lou"));
    book.audit_life(learnt, t(0, "16:01"), B, Life::Purged, None);
    let (from, through) = (t(0, "00:00"), t(0, "20:00"));
    book.tell(learnt, vec![Fact::Horizon(Horizon { feed: Feed::Audit, from, through })]);
    let upn = book.who("lou", NameKind::Upn, t(0, "12:00"), KnownAt::Now).standing;
    assert_eq!((upn.confidence, upn.holder), (HolderConfidence::Certain, Some(B)));
    let after = book.attribution("cA", "2").attribution;
    assert_ne!(after.owner, Some(A), "the snapshot by name is no longer A's: {after:?}");
    let by_id = book.attribution("cA", "3").attribution;
    assert_eq!((by_id.confidence, by_id.owner), (HolderConfidence::Certain, Some(A)));
    assert_eq!(target(&book.check(t(1, "09:00"), in_chain("cA", crate::harness::by_id(A)))), (Some(A), Some("3")));
}

fn s14_upn_and_address_point_to_two_people(book: &mut Book) {
    let bea = Profile { upn: Some(name("info")), ..profile(&["bea"]) };
    book.poll(t(0, "09:00"), &[is(A, &["ann", "info"]), Box::new(seen(B, bea.clone()))]);
    book.live(t(0, "09:30"), &[Box::new(seen(B, bea)), is(A, &["ann", "info"])]);
    let ask = |kind| Ask { kind, ..by_name("info") };
    let at = |kind| book.check(t(0, "09:30"), ask(kind));
    assert_eq!((at(NameKind::Upn).outcome, at(NameKind::Upn).object), (Outcome::Baseline, Some(B)));
    assert_eq!((at(NameKind::Smtp).outcome, at(NameKind::Smtp).object), (Outcome::Baseline, Some(A)));
    let any = at(NameKind::Any);
    let candidates: Vec<ObjectId> = any.candidates.iter().map(|candidate| candidate.object).collect();
    assert_eq!((any.outcome, candidates), (Outcome::Ambiguous, vec![A, B]));
    assert!(any.candidates.iter().all(|candidate| candidate.confidence == Confidence::Possible));
}

fn s15_alias_handed_over(book: &mut Book) {
    book.poll(t(0, "09:00"), &[is(A, &["ann", "sales"]), is(B, &["bea"])]);
    book.snapshot("cA", "1", t(1, "09:00"), Addressed::Object(A));
    book.snapshot("cB", "1", t(1, "09:00"), Addressed::Object(B));
    book.poll(t(59, "09:00"), &[]);
    book.poll(t(60, "09:00"), &[is(A, &["ann"])]);
    book.poll(t(119, "09:00"), &[]);
    book.poll(t(120, "09:00"), &[is(B, &["bea", "sales"])]);
    book.poll(t(150, "09:00"), &[]);
    let who = |day| {
        let standing = book.who("sales", NameKind::Smtp, t(day, "12:00"), KnownAt::Now).standing;
        (standing.confidence, standing.holder)
    };
    assert_eq!(who(30), (HolderConfidence::Certain, Some(A)));
    assert_eq!(who(90), (HolderConfidence::Nobody, None));
    assert_eq!(who(140), (HolderConfidence::Certain, Some(B)));
    for (chain, object) in [("cA", A), ("cB", B)] {
        assert_eq!(outcome(book, 150, "10:00", in_chain(chain, by_id(object))), Outcome::Continue);
    }
}

fn s18_leaver_becomes_shared_and_a_namesake_arrives(book: &mut Book) {
    book.poll(t(0, "09:00"), &[is(A, &["joy"])]);
    book.snapshot("cA", "1", t(0, "09:10"), Addressed::Object(A));
    book.poll(t(3, "09:00"), &[is(A, &["joy.former"]), is(B, &["joy"])]);
    book.live(t(3, "10:00"), &[is(A, &["joy.former"]), is(B, &["joy"])]);
    assert_eq!(outcome(book, 3, "10:00", in_chain("cA", by_id(A))), Outcome::Renamed);
    assert_eq!(outcome(book, 3, "10:00", in_chain("cA", by_name("joy"))), Outcome::Mismatch);
    let verdict = book.check(t(3, "10:00"), by_name("joy"));
    assert_eq!((verdict.outcome, verdict.object), (Outcome::Baseline, Some(B)));
}

fn s21_quarantine_placeholder(book: &mut Book) {
    let held = Profile { upn: Some("tom+4711@x.onmicrosoft.com".parse().unwrap()), ..Profile::default() };
    book.poll(t(0, "09:00"), &[is(A, &["tom"]), Box::new(seen(B, held))]);
    book.snapshot("cA", "1", t(0, "09:10"), Addressed::Object(A));
    book.snapshot("cB", "1", t(0, "09:10"), Addressed::Object(B));
    assert_eq!(outcome(book, 0, "09:30", by_id(B)), Outcome::Continue);
    assert_eq!(outcome(book, 0, "10:30", in_chain("cA", by_name("tom"))), Outcome::Refresh);
    book.poll(t(0, "11:00"), &[is(A, &["tom.old"]), is(B, &["tom"])]);
    assert_eq!(outcome(book, 0, "11:01", in_chain("cA", by_name("tom"))), Outcome::Mismatch);
    assert_eq!(outcome(book, 0, "11:01", by_id(B)), Outcome::Renamed);
}

fn s22_token_expired_over_a_reuse(book: &mut Book) {
    book.poll(t(0, "09:00"), &[is(A, &["eve"])]);
    book.snapshot("cA", "1", t(0, "09:10"), Addressed::Object(A));
    book.snapshot("cA", "2", t(4, "09:00"), named("eve"));
    assert_eq!(outcome(book, 8, "09:00", in_chain("cA", by_name("eve"))), Outcome::Refresh);
    assert_eq!(outcome(book, 8, "09:00", in_chain("cA", by_id(A))), Outcome::Refresh);
    let created = t(5, "07:00");
    let eve = || seen(B, Profile { created: Some(created), ..profile(&["eve"]) });
    book.resync(t(9, "09:00"), &[Box::new(eve()), gone(A, Removal::NotFound)]);
    let attribution = book.attribution("cA", "2").attribution;
    assert_ne!(attribution.confidence, HolderConfidence::Certain, "{attribution:?}");
    let history = |object| {
        let settling = Policy::default().settling;
        book.ledger.object_history(TENANT, object, settling, KnownAt::Now, t(9, "10:00")).unwrap().unwrap()
    };
    let end = history(A).periods.first().and_then(|(_, _, period)| period.until).unwrap();
    assert!(Edge::new(t(0, "08:54"), t(9, "09:01")).covers(end), "{end:?}");
    let start = history(B).periods.first().map(|(_, _, period)| period.from).unwrap();
    assert!(Edge::new(created.pred().pred(), t(9, "09:01")).covers(start), "{start:?}");
    assert_eq!(history(A).state, State::Unknown);
    book.live(t(9, "10:00"), &[Box::new(eve()), gone(A, Removal::NotFound)]);
    assert_eq!(outcome(book, 9, "10:00", in_chain("cA", by_name("eve"))), Outcome::Mismatch);
}

fn s30_reuse_during_the_run(book: &mut Book) {
    book.poll(t(0, "09:00"), &[is(A, &["sam"])]);
    book.snapshot("cA", "40", t(0, "09:10"), Addressed::Object(A));
    book.live(t(0, "10:00"), &[is(A, &["sam"])]);
    assert_eq!(outcome(book, 0, "10:00", in_chain("cA", by_name("sam"))), Outcome::Continue);
    // Renamed at 10:02, B took the name at 10:03, and the agent went by the name.
    book.snapshot("cA", "41", t(0, "10:01"), named("sam"));
    book.receipt(t(0, "10:20"), "cA", "41", B, Some(B));
    book.live(t(0, "10:30"), &[is(A, &["sam.old"]), is(B, &["sam"])]);
    let verdict = book.check(t(0, "10:30"), in_chain("cA", by_id(A)));
    assert_eq!((verdict.outcome, target(&verdict)), (Outcome::Renamed, (Some(A), Some("40"))));
    assert!(says(&verdict, &format!("mixed_chain: snapshot 41 of chain cA holds data of object {B}")));
    assert_eq!(outcome(book, 0, "10:30", in_chain("cA", by_name("sam"))), Outcome::Mismatch);
    // Had it gone by the id, all would be well.
    book.snapshot("cA", "42", t(0, "10:40"), Addressed::Object(A));
    book.receipt(t(0, "10:55"), "cA", "42", A, Some(A));
    assert_eq!(target(&book.check(t(0, "11:00"), in_chain("cA", by_id(A)))), (Some(A), Some("42")));
}

fn s31_clock_trouble(book: &mut Book) {
    book.poll(t(0, "09:00"), &[is(A, &["sam"])]);
    book.snapshot("cA", "1", t(0, "09:10"), Addressed::Object(A));
    let ask = Ask { at: Some(t(0, "13:00")), ..in_chain("cA", by_id(A)) };
    let known_then = KnownAt::Sequence(Sequence(2));
    let then = book.ledger.check(TENANT, &ask, &Policy::default(), t(0, "10:00"), known_then, None).unwrap();
    assert!(then.verdict.outcome == Outcome::Continue && says(&then.verdict, "ahead of the ledger's"));
    // A correction that is learnt later does not rewrite what was known.
    book.import(t(3, "09:00"), t(0, "08:59"), &[is(A, &["sam.first"])]);
    book.audit_rename(t(3, "09:00"), t(0, "09:30"), A, "sam", "sam.late");
    let again = book.ledger.check(TENANT, &ask, &Policy::default(), t(0, "10:00"), known_then, None).unwrap();
    assert_eq!(again, then);
}
