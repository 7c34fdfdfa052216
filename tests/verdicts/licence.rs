//! A mailbox comes and goes with its licence.

use whowas::domain::fact::{Addressed, MailboxState, Profile, Reading};
use whowas::domain::id::MailboxId;
use whowas::domain::verdict::{Action, Ask, Outcome};
use whowas::domain::{fact::Fact, time::Instant};

use crate::harness::*;

/// One user whose source tells of the licence.
fn with(state: MailboxState) -> Box<dyn Fn(Reading) -> Fact> {
    Box::new(seen(A, Profile { mailbox: Some(state), ..profile(&["ann"]) }))
}

/// Enabled from day 0 on, gone from day 1 to this day.
fn away_until(book: &mut Book, back: u64, mailbox: Option<MailboxId>) {
    book.poll(t(0, "00:00"), &[with(MailboxState::Enabled)]);
    book.snapshot_of("cA", "1", t(0, "10:00"), Addressed::Object(A), mailbox);
    book.poll(t(1, "00:00"), &[with(MailboxState::Deleted)]);
    if back > 1 {
        book.poll(t(back, "00:00"), &[with(MailboxState::Enabled)]);
    }
}

fn knowing(mailbox: MailboxId) -> Ask {
    in_chain("cA", Ask { mailbox: Some(mailbox), ..by_id(A) })
}

fn ask() -> Ask {
    in_chain("cA", by_id(A))
}

fn soon(day: u64) -> Instant {
    t(day, "01:00")
}

fn a_licence_that_went_freezes_the_chain_and_says_since_when(book: &mut Book) {
    away_until(book, 0, Some(M1));
    for ask in [ask(), knowing(M1), by_id(A), in_chain("cA", Ask::default())] {
        let verdict = book.check(soon(1), ask);
        assert_eq!((verdict.outcome, target(&verdict).1), (Outcome::Frozen, Some("1")), "{verdict:?}");
        assert!(says(&verdict, "after 2025-12-31T23:55:00Z and by 2026-01-02T00:00:01Z"), "{verdict:?}");
    }
    book.live(t(1, "02:00"), &[with(MailboxState::Deleted)]);
    assert_eq!(book.check(t(1, "02:00"), in_chain("cA", by_name("ann"))).outcome, Outcome::Frozen);
}

fn a_short_gap_goes_on_and_is_noted(book: &mut Book) {
    away_until(book, 20, Some(M1));
    for ask in [ask(), knowing(M1)] {
        let verdict = book.check(soon(20), ask);
        assert_eq!((verdict.outcome, target(&verdict).1), (Outcome::Continue, Some("1")), "{verdict:?}");
        assert!(says(&verdict, "gap: the Exchange licence went"), "{verdict:?}");
    }
    assert_eq!(book.check(soon(20), knowing(M2)).outcome, Outcome::MailboxReplaced);
}

fn a_long_gap_needs_the_mailbox_id(book: &mut Book) {
    away_until(book, 60, Some(M1));
    let verdict = book.check(soon(60), knowing(M2));
    assert_eq!((verdict.outcome, target(&verdict)), (Outcome::MailboxReplaced, (Some(A), None)));
    let verdict = book.check(soon(60), knowing(M1));
    assert_eq!((verdict.outcome, verdict.evidence.mailbox_verified), (Outcome::Continue, true));
    assert!(says(&verdict, "gap: the Exchange licence went"));
    let verdict = book.check(soon(60), ask());
    assert_eq!(verdict.outcome, Outcome::Refresh);
    assert!(says(&verdict, "longer than the 30 days") && says(&verdict, "mailbox id"), "{verdict:?}");
}

fn without_the_id_a_live_read_leaves_a_suspicion_and_the_old_chain_alone(book: &mut Book) {
    away_until(book, 60, Some(M1));
    book.live(soon(60), &[with(MailboxState::Enabled)]);
    let verdict = book.check(soon(60), ask());
    assert_eq!((verdict.outcome, target(&verdict)), (Outcome::MailboxReplaced, (Some(A), None)));
    assert_eq!(verdict.outcome.action(), Action::Full);
    assert!(says(&verdict, "suspected") && says(&verdict, "keep chain cA"), "{verdict:?}");
    // The new chain was begun after the gap, and goes on.
    book.snapshot_of("cA2", "1", t(60, "02:00"), Addressed::Object(A), Some(M2));
    let verdict = book.check(t(60, "03:00"), by_id(A));
    assert_eq!((verdict.outcome, verdict.chain), (Outcome::Continue, Some("cA2".parse().unwrap())));
}

fn a_chain_that_never_knew_its_mailbox_is_not_verified_by_any_id(book: &mut Book) {
    away_until(book, 60, None);
    assert_eq!(book.check(soon(60), knowing(M1)).outcome, Outcome::Refresh);
}

fn an_unknown_gap_goes_on_unverified(book: &mut Book) {
    book.poll(t(0, "00:00"), &[with(MailboxState::Enabled)]);
    book.snapshot_of("cA", "1", t(0, "10:00"), Addressed::Object(A), Some(M1));
    book.poll(t(60, "00:00"), &[with(MailboxState::Enabled)]);
    let verdict = book.check(soon(60), ask());
    assert_eq!(verdict.outcome, Outcome::Continue);
    assert!(says(&verdict, "not verified"), "{verdict:?}");
}

fn who_never_had_a_licence_lost_none(book: &mut Book) {
    let shared = Profile { mailbox: Some(MailboxState::Unlicensed), ..profile(&["ann"]) };
    book.poll(t(0, "00:00"), &[Box::new(seen(A, shared)), is(B, &["bob"])]);
    book.snapshot("cA", "1", t(0, "10:00"), Addressed::Object(A));
    assert_eq!(book.check(t(1, "00:00"), ask()).outcome, Outcome::Continue);
    assert_eq!(book.check(t(1, "00:00"), by_id(B)).outcome, Outcome::Baseline);
}

fn a_source_that_does_not_tell_takes_no_licence_away(book: &mut Book) {
    book.poll(t(0, "00:00"), &[with(MailboxState::Enabled)]);
    book.snapshot("cA", "1", t(0, "10:00"), Addressed::Object(A));
    book.poll(t(1, "00:00"), &[is(A, &["ann"])]);
    assert_eq!(book.check(soon(1), ask()).outcome, Outcome::Continue);
    book.poll(t(2, "00:00"), &[with(MailboxState::Suspended)]);
    let verdict = book.check(soon(2), ask());
    assert_eq!(verdict.outcome, Outcome::Continue);
    assert!(says(&verdict, "suspended"), "{verdict:?}");
}

fn a_mismatch_sends_nobody_to_a_mailbox_without_a_licence(book: &mut Book) {
    away_until(book, 0, Some(M1));
    book.poll(t(2, "00:00"), &[is(B, &["bob"])]);
    let verdict = book.check(soon(2), in_chain("cA", by_id(B)));
    assert_eq!(verdict.outcome, Outcome::Mismatch);
    let told: Vec<_> = verdict.instead.iter().map(|part| (part.object, part.action)).collect();
    assert_eq!(told, [(A, Action::Stop), (B, Action::Full)]);
}

on_both_stores!(
    a_licence_that_went_freezes_the_chain_and_says_since_when,
    a_short_gap_goes_on_and_is_noted,
    a_long_gap_needs_the_mailbox_id,
    without_the_id_a_live_read_leaves_a_suspicion_and_the_old_chain_alone,
    a_chain_that_never_knew_its_mailbox_is_not_verified_by_any_id,
    an_unknown_gap_goes_on_unverified,
    who_never_had_a_licence_lost_none,
    a_source_that_does_not_tell_takes_no_licence_away,
    a_mismatch_sends_nobody_to_a_mailbox_without_a_licence,
);
