//! Every outcome and every rule of the verdict.

use std::time::Duration;

use whowas::domain::coverage::Coverage;
use whowas::domain::fact::*;
use whowas::domain::holder::HolderConfidence;
use whowas::domain::id::{ObjectId, Sequence, TenantId};
use whowas::domain::interval::Edge;
use whowas::domain::name::NameKind;
use whowas::domain::time::Instant;
use whowas::domain::timeline::{Role, State, Timeline};
use whowas::domain::verdict::{Action, Ask, ChangeKind, Outcome, Policy};
use whowas::ledger::{Batch, KnownAt, Stamp};

use crate::harness::*;

on_both_stores!(
    an_unchanged_object_continues_on_its_newest_snapshot,
    a_renamed_object_is_renamed_with_both_names_and_the_edge,
    an_object_without_a_chain_gets_a_baseline,
    a_chain_never_seen_is_a_baseline_for_the_object_asked,
    a_chain_of_another_tenant_is_a_mismatch_whatever_names_are_equal,
    a_chain_of_another_tenant_is_not_known_before_it_was,
    another_mailbox_of_the_same_object_needs_a_new_chain,
    a_mailbox_that_changed_under_an_older_read_lets_nothing_go_on,
    a_mailbox_not_given_is_said_to_be_unverified,
    a_chain_of_another_object_is_a_mismatch_with_a_way_out_for_each,
    a_mismatch_never_offers_to_append_where_nothing_is_left_to_build_on,
    a_name_and_an_id_that_disagree_are_told_apart_from_the_chain_s_owner,
    a_deleted_or_purged_or_lost_object_freezes_its_chain,
    a_group_starts_no_user_s_chain,
    two_claimants_are_ambiguous_and_both_are_listed,
    a_chain_that_nothing_attributes_is_ambiguous_and_lists_who_it_may_be,
    what_was_never_seen_is_unknown,
    an_ask_by_name_needs_a_live_read_by_default,
    a_live_read_of_a_minute_ago_proves_nothing,
    a_live_read_counts_even_inside_what_is_proved_already,
    a_fresh_horizon_is_enough_where_the_policy_says_so_and_the_answer_tells_since_when,
    a_hot_name_always_needs_the_live_read,
    half_a_round_proves_no_name,
    an_object_not_seen_for_a_week_needs_a_read,
    a_name_that_nobody_holds_follows_the_chain_s_object,
    that_nobody_holds_a_name_does_not_prove_that_its_former_holder_lives,
    a_name_held_only_as_an_alias_is_held,
    the_old_name_s_new_holder_is_named,
    a_mixed_chain_goes_on_from_its_last_good_snapshot_and_says_so,
    expired_snapshots_are_no_base_but_still_tell_the_owner,
    early_snapshots_of_unknown_owner_are_named_in_every_verdict,
    a_receipt_decides_over_the_address,
    a_receipt_that_saw_two_objects_attributes_nothing,
    a_wrong_clock_is_reported_and_not_believed,
    a_failed_live_read_is_told,
    what_an_event_tells_is_not_proved_over_by_a_feed_that_passed_it_over,
    a_file_from_elsewhere_shows_nobody_alive,
    a_file_from_elsewhere_renames_nobody_whom_the_directory_told_of,
    a_mail_that_is_no_address_of_its_object_shuts_nobody_out,
    a_file_tells_of_life_where_nothing_but_events_does,
    live_reads_before_a_round_do_not_make_it_smaller,
    a_change_of_case_is_no_rename_but_updates_the_label,
    a_change_of_aliases_is_no_rename,
    a_deleted_object_s_mangled_name_is_no_rename,
    a_quarantine_placeholder_is_no_rename,
    a_name_proved_in_one_namespace_is_only_assumed_while_another_may_hold_it_in_the_other,
    an_edge_is_as_wide_as_the_readings_that_date_it,
    a_snapshot_whose_owner_is_only_assumed_is_no_base,
    a_silent_feed_proves_nothing_of_an_object_once_found_deleted,
    the_state_before_the_first_commit_has_the_empty_hash,
    telling_the_same_twice_makes_no_commit,
    a_clock_that_runs_behind_lets_nothing_through,
    a_live_read_shows_in_an_answer_by_id_too,
    an_id_given_with_a_name_that_two_claim_is_ambiguous,
    a_snapshot_that_does_not_tell_its_mailbox_does_not_hide_a_new_one,
    a_new_mailbox_asked_for_by_a_released_name_says_what_is_open,
    an_address_that_nobody_is_known_to_hold_is_never_proved_free,
);

/// A is sam since yesterday, with one snapshot by id this morning.
fn sam(book: &mut Book) {
    book.poll(t(0, "09:00"), &[is(A, &["sam"])]);
    book.poll(t(1, "09:00"), &[]);
    book.snapshot("cA", "1", t(1, "09:30"), Addressed::Object(A));
}

fn an_unchanged_object_continues_on_its_newest_snapshot(book: &mut Book) {
    sam(book);
    book.snapshot("cA", "2", t(1, "10:00"), Addressed::Object(A));
    for ask in [by_id(A), in_chain("cA", by_id(A)), in_chain("cA", Ask::default())] {
        let verdict = book.check(t(1, "11:00"), ask);
        assert_eq!(verdict.outcome, Outcome::Continue, "{verdict:?}");
        assert_eq!(target(&verdict), (Some(A), Some("2")));
        assert_eq!(verdict.chain.unwrap().as_str(), "cA");
    }
}

fn a_renamed_object_is_renamed_with_both_names_and_the_edge(book: &mut Book) {
    sam(book);
    book.poll(t(1, "12:00"), &[is(A, &["sam.roy", "sam"])]);
    let verdict = book.check(t(1, "12:01"), by_id(A));
    assert_eq!(verdict.outcome, Outcome::Renamed);
    assert_eq!(target(&verdict), (Some(A), Some("1")));
    let change = verdict.changes.iter().find(|change| change.kind == ChangeKind::Upn).unwrap();
    assert_eq!((change.from.clone(), change.to.clone()), (Some(name("sam")), Some(name("sam.roy"))));
    assert!(change.edge.after() >= Some(t(1, "08:55")) && change.edge.by() <= Some(t(1, "12:01")), "{change:?}");
}

fn an_object_without_a_chain_gets_a_baseline(book: &mut Book) {
    book.poll(t(0, "09:00"), &[is(A, &["sam"])]);
    let verdict = book.check(t(0, "10:00"), by_id(A));
    assert_eq!((verdict.outcome, target(&verdict)), (Outcome::Baseline, (Some(A), None)));
    assert_eq!(verdict.outcome.action(), Action::Full);
}

fn a_chain_never_seen_is_a_baseline_for_the_object_asked(book: &mut Book) {
    sam(book);
    book.live(t(1, "10:00"), &[is(A, &["sam"])]);
    for ask in [by_id(A), by_name("sam")] {
        let verdict = book.check(t(1, "10:00"), in_chain("new", ask));
        assert_eq!((verdict.outcome, target(&verdict)), (Outcome::Baseline, (Some(A), None)));
    }
    let alone = book.check(t(1, "10:00"), in_chain("new", Ask::default()));
    assert_eq!(alone.outcome, Outcome::Unknown);
}

/// A tenant beside the one that the book is about, where `sam` is object C.
const NEIGHBOUR: TenantId = TenantId::from_bytes([0x88; 16]);

fn neighbour(book: &Book) {
    let at = t(0, "07:00");
    let reading = Reading { at, lag: LAG, source: Source::Delta, unchanged_since: None };
    let taken = Snapshot {
        chain: "cN".parse().unwrap(),
        id: "1".parse().unwrap(),
        from: at,
        until: at,
        addressed: Addressed::Object(C),
        mailbox: None,
    };
    let facts = vec![is(C, &["sam"])(reading), Fact::SnapshotTaken(taken)];
    let batch = Batch { facts, ..Batch::default() };
    book.ledger.append(NEIGHBOUR, batch, Stamp { now: at, salt: [0x55; 16] }).unwrap();
}

fn a_chain_of_another_tenant_is_a_mismatch_whatever_names_are_equal(book: &mut Book) {
    neighbour(book);
    book.poll(t(0, "09:00"), &[is(A, &["sam"]), is(B, &["max"])]);
    book.snapshot("cB", "1", t(0, "09:30"), Addressed::Object(B));
    let now = t(0, "10:00");
    book.live(now, &[is(A, &["sam"]), is(B, &["max"])]);
    for ask in [by_id(A), by_name("sam")] {
        let verdict = book.check(now, in_chain("cN", ask));
        assert_eq!((verdict.outcome, verdict.outcome.action()), (Outcome::Mismatch, Action::Stop));
        assert_eq!(target(&verdict), (Some(A), None));
        assert!(says(&verdict, &format!("chain cN belongs to tenant {NEIGHBOUR}")), "{:?}", verdict.reasons);
        let instead: Vec<_> = verdict.instead.iter().map(|way| (way.object, way.action, way.chain.clone())).collect();
        assert_eq!(instead, [(A, Action::Full, None)]);
    }
    // Who has a chain goes on in that one.
    let verdict = book.check(now, in_chain("cN", by_id(B)));
    let instead: Vec<_> = verdict.instead.iter().map(|way| (way.object, way.action, way.chain.clone())).collect();
    assert_eq!(verdict.outcome, Outcome::Mismatch);
    assert_eq!(instead, [(B, Action::Incremental, Some("cB".parse().unwrap()))]);
    // The neighbour's own object is unknown here, and offers no way out.
    let verdict = book.check(now, in_chain("cN", by_id(C)));
    assert_eq!((verdict.outcome, verdict.instead.len()), (Outcome::Mismatch, 0));
    assert!(says(&verdict, "was never seen in this tenant"));
    // Neither does the chain alone.
    let verdict = book.check(now, in_chain("cN", Ask::default()));
    assert_eq!((verdict.outcome, target(&verdict), verdict.instead.len()), (Outcome::Mismatch, (None, None), 0));
    // The neighbour itself goes on, and a chain that both have is each one's own.
    let own = book.ledger.check(NEIGHBOUR, &in_chain("cN", by_id(C)), &Policy::default(), now, KnownAt::Now, None);
    assert_eq!(own.unwrap().verdict.outcome, Outcome::Continue);
    book.snapshot("cN", "1", t(0, "10:10"), Addressed::Object(A));
    assert_eq!(book.check(t(0, "10:30"), in_chain("cN", by_id(A))).outcome, Outcome::Continue);
}

fn a_chain_of_another_tenant_is_not_known_before_it_was(book: &mut Book) {
    book.poll(t(0, "06:00"), &[is(A, &["sam"])]);
    let through = book.ledger.head(TENANT).unwrap().sequence;
    neighbour(book);
    let ask = in_chain("cN", by_id(A));
    let check = |now, known_at| book.ledger.check(TENANT, &ask, &Policy::default(), now, known_at, None).unwrap();
    assert_eq!(check(t(0, "08:00"), KnownAt::Now).verdict.outcome, Outcome::Mismatch);
    for known_at in [KnownAt::Time(t(0, "06:30")), KnownAt::Sequence(through)] {
        assert_eq!(check(t(0, "06:30"), known_at).verdict.outcome, Outcome::Baseline, "{known_at:?}");
    }
}

fn another_mailbox_of_the_same_object_needs_a_new_chain(book: &mut Book) {
    book.poll(t(0, "09:00"), &[is(A, &["sam"])]);
    book.snapshot_of("cA", "1", t(0, "10:00"), Addressed::Object(A), Some(M1));
    let same = book.check(t(0, "11:00"), Ask { mailbox: Some(M1), ..by_id(A) });
    assert_eq!((same.outcome, same.evidence.mailbox_verified), (Outcome::Continue, true));
    let other = book.check(t(0, "11:00"), Ask { mailbox: Some(M2), ..by_id(A) });
    assert_eq!((other.outcome, other.outcome.action()), (Outcome::MailboxReplaced, Action::Full));
}

fn a_mailbox_that_changed_under_an_older_read_lets_nothing_go_on(book: &mut Book) {
    book.poll(t(0, "09:00"), &[is(A, &["sam"])]);
    book.poll(t(1, "09:00"), &[]);
    book.snapshot("cA", "1", t(1, "09:05"), Addressed::Object(A));
    let ask = in_chain("cA", Ask { mailbox: Some(M2), ..by_id(A) });
    assert_eq!(book.check(t(1, "09:20"), ask.clone()).outcome, Outcome::Continue);
    book.snapshot_of("cA", "2", t(1, "09:30"), Addressed::Object(A), Some(M2));
    let (chain, snapshot) = ("cA".parse().unwrap(), "1".parse().unwrap());
    let (mailbox, mailbox_end) = (Some(M1), Some(M2));
    let receipt = Receipt { chain, snapshot, object: A, mailbox, object_end: Some(A), mailbox_end };
    book.tell(t(1, "10:00"), vec![Fact::Receipt(receipt)]);

    let (now, basis) = (t(1, "10:00"), book.ledger.head(TENANT).unwrap().sequence);
    let given = book.check(now, ask.clone());
    assert_eq!((given.outcome, target(&given)), (Outcome::MailboxReplaced, (Some(A), None)), "{:?}", given.reasons);
    // It is replayed when there is more in the chain.
    book.snapshot_of("cA", "3", t(1, "10:30"), Addressed::Object(A), Some(M2));
    let again = book.ledger.check(TENANT, &ask, &Policy::default(), now, KnownAt::Sequence(basis), None).unwrap();
    assert_eq!(format!("{:?}", again.verdict), format!("{given:?}"));
}

fn a_mailbox_not_given_is_said_to_be_unverified(book: &mut Book) {
    sam(book);
    let verdict = book.check(t(1, "10:00"), by_id(A));
    assert!(!verdict.evidence.mailbox_verified && says(&verdict, "mailbox instance was not verified"));
}

fn a_chain_of_another_object_is_a_mismatch_with_a_way_out_for_each(book: &mut Book) {
    sam(book);
    book.poll(t(1, "12:00"), &[is(B, &["pat"])]);
    for ask in [by_id(B), by_name("pat")] {
        let verdict = book.check(t(1, "12:05"), in_chain("cA", ask));
        assert_eq!((verdict.outcome, verdict.outcome.action()), (Outcome::Mismatch, Action::Stop));
        assert_eq!(verdict.object, Some(A), "a mismatch is about the chain's object");
        let instead: Vec<_> = verdict.instead.iter().map(|i| (i.object, i.action, i.chain.is_some())).collect();
        assert_eq!(instead, [(A, Action::Incremental, true), (B, Action::Full, false)]);
    }
    book.snapshot("cB", "1", t(1, "12:10"), Addressed::Object(B));
    let verdict = book.check(t(1, "13:00"), in_chain("cA", by_id(B)));
    let chain = verdict.instead.iter().find(|instead| instead.object == B).and_then(|i| i.chain.clone());
    assert_eq!(chain.unwrap().as_str(), "cB");
    book.poll(t(1, "14:00"), &[gone(A, Removal::Soft)]);
    let verdict = book.check(t(1, "14:01"), in_chain("cA", by_id(B)));
    assert_eq!(verdict.instead.first().map(|instead| instead.action), Some(Action::Stop), "A does not live");
}

fn a_mismatch_never_offers_to_append_where_nothing_is_left_to_build_on(book: &mut Book) {
    sam(book);
    book.poll(t(1, "12:00"), &[is(B, &["pat"])]);
    book.expire(t(1, "12:01"), "cA", "1");
    let verdict = book.check(t(1, "12:05"), in_chain("cA", by_id(B)));
    let first = verdict.instead.first().map(|instead| (instead.object, instead.action, instead.chain.clone()));
    assert_eq!(first, Some((A, Action::Full, None)));
}

fn a_name_and_an_id_that_disagree_are_told_apart_from_the_chain_s_owner(book: &mut Book) {
    sam(book);
    book.poll(t(1, "12:00"), &[is(B, &["pat"]), is(C, &["max"])]);
    book.snapshot("cC", "1", t(1, "12:10"), Addressed::Object(C));
    // The chain is A's, the id B's and the name C's.
    let ask = in_chain("cA", Ask { object: Some(B), ..by_name("max") });
    let verdict = book.check(t(1, "12:30"), ask);
    assert_eq!((verdict.outcome, verdict.object), (Outcome::Mismatch, Some(A)));
    assert!(says(&verdict, &format!("chain cA belongs to object {A}")), "{:?}", verdict.reasons);
    assert!(!says(&verdict, &format!("chain cA belongs to object {B}")));
    let instead: Vec<_> = verdict.instead.iter().map(|i| (i.object, i.action)).collect();
    assert_eq!(instead, [(A, Action::Incremental), (B, Action::Full), (C, Action::Incremental)]);
    // The chain and the name are A's, the id is B's.
    let verdict = book.check(t(1, "12:30"), in_chain("cA", Ask { object: Some(B), ..by_name("sam") }));
    assert_eq!((verdict.outcome, verdict.object), (Outcome::Mismatch, Some(A)));
    assert!(!says(&verdict, &format!("chain cA belongs to object {B}")));
}

fn a_deleted_or_purged_or_lost_object_freezes_its_chain(book: &mut Book) {
    for (removal, word) in
        [(Removal::NotFound, "not in the directory"), (Removal::Soft, "soft-deleted"), (Removal::Purged, "for good")]
    {
        let day = 1 + removal as u64 * 3;
        let object = ObjectId::from_bytes([day as u8; 16]);
        let chain = format!("c{day}");
        let told = format!("kim{day}");
        book.poll(t(day, "09:00"), &[is(object, &[&told])]);
        book.snapshot(&chain, "1", t(day, "09:30"), Addressed::Object(object));
        book.reconcile(t(day, "12:00"), &[gone(object, removal)]);
        for ask in [by_id(object), in_chain(&chain, by_name(&told)), in_chain(&chain, Ask::default())] {
            let verdict = book.check(t(day, "12:01"), ask);
            assert_eq!((verdict.outcome, verdict.outcome.action()), (Outcome::Frozen, Action::Stop));
            assert!(says(&verdict, word), "{:?}", verdict.reasons);
        }
    }
}

fn a_group_starts_no_user_s_chain(book: &mut Book) {
    sam(book);
    let group = Profile { kind: ObjectKind::Group, upn: None, ..profile(&["sam"]) };
    book.poll(t(1, "12:00"), &[gone(A, Removal::Soft), Box::new(seen(B, group.clone()))]);
    book.live(t(1, "12:30"), &[Box::new(seen(B, group)), gone(A, Removal::NotFound)]);
    let verdict = book.check(t(1, "12:30"), in_chain("cA", by_name("sam")));
    assert_eq!(verdict.outcome, Outcome::Mismatch);
    assert!(verdict.instead.iter().all(|instead| instead.action == Action::Stop), "{:?}", verdict.instead);
    assert_eq!(book.check(t(1, "12:30"), by_name("sam")).outcome, Outcome::Frozen);
    assert_eq!(book.check(t(1, "12:30"), by_id(B)).outcome, Outcome::Frozen);
}

fn two_claimants_are_ambiguous_and_both_are_listed(book: &mut Book) {
    let named_info = Profile { upn: Some(name("info")), ..profile(&["bea"]) };
    book.poll(t(0, "09:00"), &[is(A, &["ann", "info"]), Box::new(seen(B, named_info))]);
    let verdict = book.check(t(0, "09:10"), by_name("info"));
    assert_eq!((verdict.outcome, verdict.object), (Outcome::Ambiguous, None));
    let candidates: Vec<ObjectId> = verdict.candidates.iter().map(|candidate| candidate.object).collect();
    assert_eq!(candidates, [A, B]);
}

fn a_chain_that_nothing_attributes_is_ambiguous_and_lists_who_it_may_be(book: &mut Book) {
    book.poll(t(0, "09:00"), &[is(A, &["sam"])]);
    book.snapshot("cX", "1", t(0, "12:00"), named("sam"));
    book.poll(t(0, "18:00"), &[is(A, &["sam.old"]), is(B, &["sam"])]);
    for ask in [by_id(A), by_id(B), Ask::default()] {
        let verdict = book.check(t(0, "18:01"), in_chain("cX", ask));
        assert_eq!(verdict.outcome, Outcome::Ambiguous, "{:?}", verdict.reasons);
        let candidates: Vec<ObjectId> = verdict.candidates.iter().map(|candidate| candidate.object).collect();
        assert_eq!(candidates, [A, B]);
        assert!(says(&verdict, "unattributable"));
        assert!(says(&verdict, "--kind smtp or upn, or with receipts"), "{:?}", verdict.reasons);
    }
    // Where the kind was told there is nothing to hint at.
    book.snapshot("cY", "1", t(0, "12:00"), Addressed::Name(name("sam"), NameKind::Smtp));
    let verdict = book.check(t(0, "18:01"), in_chain("cY", by_id(A)));
    assert_eq!((verdict.outcome, says(&verdict, "--kind")), (Outcome::Ambiguous, false), "{:?}", verdict.reasons);
}

fn what_was_never_seen_is_unknown(book: &mut Book) {
    book.poll(t(0, "09:00"), &[is(A, &["sam"])]);
    for ask in [by_id(B), by_name("nobody"), in_chain("none", Ask::default()), Ask::default()] {
        let verdict = book.check(t(0, "09:01"), ask);
        assert_eq!((verdict.outcome, verdict.outcome.action()), (Outcome::Unknown, Action::Stop));
        assert!(!verdict.reasons.is_empty());
    }
}

fn an_ask_by_name_needs_a_live_read_by_default(book: &mut Book) {
    sam(book);
    let verdict = book.check(t(1, "10:00"), by_name("sam"));
    assert_eq!(verdict.outcome, Outcome::Refresh);
    assert!(says(&verdict, "--verify"));
    book.live(t(1, "10:00"), &[is(A, &["sam"])]);
    let verdict = book.check(t(1, "10:00"), by_name("sam"));
    assert_eq!((verdict.outcome, target(&verdict)), (Outcome::Continue, (Some(A), Some("1"))));
    assert!(verdict.evidence.live && verdict.evidence.proved_at == Some(t(1, "10:00")));
}

fn a_live_read_of_a_minute_ago_proves_nothing(book: &mut Book) {
    sam(book);
    book.live(t(1, "10:00"), &[is(A, &["sam"])]);
    assert_eq!(book.check(t(1, "10:01"), by_name("sam")).outcome, Outcome::Refresh);
    // One whose date lies far ahead of our clock is no better.
    assert_eq!(book.check(t(1, "09:50"), by_name("sam")).outcome, Outcome::Refresh);
    assert_eq!(book.check(t(1, "09:56"), by_name("sam")).outcome, Outcome::Refresh, "its age cannot be told");
    assert_eq!(book.check(t(1, "10:00"), by_name("sam")).outcome, Outcome::Continue);
}

/// With a directory lag below the width of a live read, the newest horizon lies inside the read's window, and the read
/// told the track nothing new. It was then not taken as a proof, and the ask by name was answered `refresh` for ever.
fn a_live_read_counts_even_inside_what_is_proved_already(book: &mut Book) {
    sam(book);
    let through = t(1, "10:00");
    book.tell(through, vec![Fact::Horizon(Horizon { feed: Feed::Delta, from: t(1, "08:55"), through })]);
    book.live(through, &[is(A, &["sam"])]);
    let verdict = book.check(through, by_name("sam"));
    assert_eq!((verdict.outcome, verdict.evidence.live), (Outcome::Continue, true), "{:?}", verdict.reasons);
}

fn a_fresh_horizon_is_enough_where_the_policy_says_so_and_the_answer_tells_since_when(book: &mut Book) {
    sam(book);
    let verdict = book.check_by(&patient(), t(1, "09:30"), by_name("sam"));
    assert_eq!((verdict.outcome, target(&verdict)), (Outcome::Continue, (Some(A), Some("1"))));
    assert_eq!(verdict.evidence.unproven_since, Some(t(1, "08:55")));
    assert!(!verdict.evidence.live);
    let late = book.check_by(&patient(), t(1, "10:00"), by_name("sam"));
    assert_eq!(late.outcome, Outcome::Refresh, "the horizon is older than an hour");
}

fn a_hot_name_always_needs_the_live_read(book: &mut Book) {
    sam(book);
    book.poll(t(1, "12:00"), &[is(A, &["sam.old"]), is(B, &["sam"])]);
    book.poll(t(1, "12:30"), &[]);
    // sam had two holders; sam.old has one and is not hot.
    let verdict = book.check_by(&patient(), t(1, "12:40"), by_name("sam"));
    assert_eq!(verdict.outcome, Outcome::Refresh);
    assert!(says(&verdict, "more than one holder"));
    assert_eq!(book.check_by(&patient(), t(1, "12:40"), by_name("sam.old")).outcome, Outcome::Renamed);
}

fn half_a_round_proves_no_name(book: &mut Book) {
    sam(book);
    book.page(t(1, "09:40"), t(1, "09:40"), &[is(B, &["pat"])]);
    let verdict = book.check_by(&patient(), t(1, "09:41"), by_name("sam"));
    assert_eq!(verdict.outcome, Outcome::Refresh);
    assert!(says(&verdict, "half committed"));
    book.live(t(1, "09:42"), &[is(A, &["sam"])]);
    assert_eq!(book.check(t(1, "09:42"), by_name("sam")).outcome, Outcome::Continue, "a live read proves it anyway");
    book.poll(t(1, "09:45"), &[]);
    assert_eq!(book.check_by(&patient(), t(1, "09:46"), by_name("sam")).outcome, Outcome::Continue);
}

fn an_object_not_seen_for_a_week_needs_a_read(book: &mut Book) {
    sam(book);
    assert_eq!(book.check(t(8, "08:00"), by_id(A)).outcome, Outcome::Continue);
    let verdict = book.check(t(8, "09:10"), by_id(A));
    assert_eq!((verdict.outcome, verdict.outcome.action()), (Outcome::Refresh, Action::Refresh));
    book.live(t(8, "09:11"), &[is(A, &["sam"])]);
    assert_eq!(book.check(t(8, "09:12"), by_id(A)).outcome, Outcome::Continue);
}

fn a_name_that_nobody_holds_follows_the_chain_s_object(book: &mut Book) {
    sam(book);
    book.poll(t(1, "12:00"), &[is(A, &["sam.old"])]);
    let ask = in_chain("cA", by_name("sam"));
    assert_eq!(book.check(t(1, "12:10"), ask.clone()).outcome, Outcome::Refresh);
    book.live(t(1, "12:20"), &[nobody("sam"), is(A, &["sam.old"])]);
    let verdict = book.check(t(1, "12:20"), ask);
    assert_eq!((verdict.outcome, target(&verdict)), (Outcome::Renamed, (Some(A), Some("1"))));
    assert!(verdict.evidence.live && says(&verdict, "nobody holds sam@x.test now"));
    let without = book.check(t(1, "12:20"), by_name("sam"));
    assert_eq!(without.outcome, Outcome::Unknown, "no chain says whom it is about");
}

fn that_nobody_holds_a_name_does_not_prove_that_its_former_holder_lives(book: &mut Book) {
    sam(book);
    book.poll(t(1, "12:00"), &[is(A, &["sam.old"])]);
    // Ten days later only the name is read.
    book.live(t(11, "12:00"), &[nobody("sam")]);
    let policy = Policy { id_max_age: Duration::from_secs(86_400), ..Policy::default() };
    let verdict = book.check_by(&policy, t(11, "12:00"), in_chain("cA", by_name("sam")));
    assert_eq!(verdict.outcome, Outcome::Refresh, "{:?}", verdict.reasons);
}

fn a_name_held_only_as_an_alias_is_held(book: &mut Book) {
    book.poll(t(0, "09:00"), &[is(A, &["ann", "sales"])]);
    book.snapshot("cA", "1", t(0, "09:30"), Addressed::Object(A));
    book.live(t(0, "10:00"), &[is(A, &["ann", "sales"]), nobody("sales")]);
    let verdict = book.check(t(0, "10:00"), in_chain("cA", by_name("sales")));
    assert_eq!((verdict.outcome, target(&verdict)), (Outcome::Continue, (Some(A), Some("1"))));
}

fn the_old_name_s_new_holder_is_named(book: &mut Book) {
    sam(book);
    book.poll(t(1, "12:00"), &[is(A, &["sam.old"]), is(B, &["sam"])]);
    let verdict = book.check(t(1, "12:10"), by_id(A));
    assert_eq!((verdict.outcome, verdict.old_name_holder), (Outcome::Renamed, Some(B)));
    assert!(says(&verdict, &format!("the old name now belongs to object {B}")));
}

fn a_mixed_chain_goes_on_from_its_last_good_snapshot_and_says_so(book: &mut Book) {
    sam(book);
    book.poll(t(1, "12:00"), &[is(B, &["pat"])]);
    book.snapshot("cA", "2", t(1, "13:00"), Addressed::Object(B));
    let verdict = book.check(t(1, "14:00"), by_id(A));
    assert_eq!((verdict.outcome, target(&verdict)), (Outcome::Continue, (Some(A), Some("1"))));
    assert!(says(&verdict, "mixed_chain: snapshot 2"), "{:?}", verdict.reasons);
    assert_eq!(book.check(t(1, "14:00"), in_chain("cA", by_id(B))).outcome, Outcome::Mismatch);
}

fn expired_snapshots_are_no_base_but_still_tell_the_owner(book: &mut Book) {
    sam(book);
    book.snapshot("cA", "2", t(1, "10:00"), Addressed::Object(A));
    book.expire(t(1, "10:30"), "cA", "2");
    assert_eq!(target(&book.check(t(1, "11:00"), by_id(A))), (Some(A), Some("1")));
    book.expire(t(1, "11:30"), "cA", "1");
    let verdict = book.check(t(1, "12:00"), in_chain("cA", by_id(A)));
    assert_eq!((verdict.outcome, target(&verdict)), (Outcome::Baseline, (Some(A), None)));
    assert!(says(&verdict, "keeps no snapshot to build on"));
    book.poll(t(1, "12:10"), &[is(B, &["pat"])]);
    assert_eq!(book.check(t(1, "12:11"), in_chain("cA", by_id(B))).outcome, Outcome::Mismatch);
}

fn early_snapshots_of_unknown_owner_are_named_in_every_verdict(book: &mut Book) {
    book.snapshot("cA", "0", t(0, "06:00"), named("sam"));
    sam(book);
    for verdict in [book.check(t(1, "10:00"), by_id(A)), book.check(t(1, "10:00"), in_chain("cA", by_name("sam")))] {
        assert!(says(&verdict, "unattributable: 1 snapshot(s) of chain cA, such as 0"), "{:?}", verdict.reasons);
    }
}

fn a_receipt_decides_over_the_address(book: &mut Book) {
    sam(book);
    book.snapshot("cA", "2", t(1, "10:00"), named("sam"));
    book.receipt(t(1, "10:20"), "cA", "2", B, Some(B));
    let view = book.attribution("cA", "2");
    assert_eq!((view.attribution.owner, view.attribution.settled), (Some(B), true));
    assert_eq!(target(&book.check(t(1, "11:00"), by_id(A))), (Some(A), Some("1")));
}

fn a_receipt_that_saw_two_objects_attributes_nothing(book: &mut Book) {
    sam(book);
    book.snapshot("cA", "2", t(1, "10:00"), Addressed::Object(A));
    book.receipt(t(1, "10:20"), "cA", "2", A, Some(B));
    let view = book.attribution("cA", "2");
    assert_eq!((view.attribution.confidence, view.attribution.owner), (HolderConfidence::Ambiguous, None));
    let verdict = book.check(t(1, "11:00"), by_id(A));
    assert_eq!(target(&verdict), (Some(A), Some("1")));
    assert!(says(&verdict, "unattributable"));
}

fn a_wrong_clock_is_reported_and_not_believed(book: &mut Book) {
    sam(book);
    let ask = Ask { at: Some(t(1, "13:00")), ..by_id(A) };
    let verdict = book.check(t(1, "10:00"), ask);
    assert_eq!(verdict.outcome, Outcome::Continue);
    assert!(says(&verdict, "10800 s ahead of"), "{:?}", verdict.reasons);
    assert!(!says(&book.check(t(1, "10:00"), Ask { at: Some(t(1, "10:04")), ..by_id(A) }), "clock"));
}

/// The feed reported nothing of somebody who left a name and came back to it; only the audit log, read from a file, tells.
fn what_an_event_tells_is_not_proved_over_by_a_feed_that_passed_it_over(book: &mut Book) {
    book.poll(t(0, "08:00"), &[is(A, &["lou"])]);
    book.poll(t(0, "18:00"), &[]);
    let at = |book: &Book, at| book.who("lou", NameKind::Upn, at, KnownAt::Now).standing;
    assert_eq!(at(book, t(0, "12:00")).confidence, HolderConfidence::Certain);
    book.audit_rename(t(0, "18:01"), t(0, "09:00"), A, "lou", "lou.away");
    book.audit_rename(t(0, "18:01"), t(0, "17:00"), A, "lou.away", "lou");
    let before = at(book, t(0, "08:30"));
    assert_eq!((before.confidence, before.holder), (HolderConfidence::Certain, Some(A)));
    assert_ne!(at(book, t(0, "12:00")).confidence, HolderConfidence::Certain);
}

/// That somebody was created is no reading of the directory.
fn a_file_tells_of_life_where_nothing_but_events_does(book: &mut Book) {
    book.audit_life(t(9, "10:00"), t(0, "01:00"), A, Life::Created, Some("sam"));
    book.import(t(9, "10:00"), t(5, "01:00"), &[is(A, &["sam"])]);
    let verdict = book.check(t(9, "10:00"), by_id(A));
    assert_eq!(verdict.outcome, Outcome::Refresh, "{:?}", verdict.reasons);
}

/// It may be an old copy, whatever time it bears.
fn a_file_from_elsewhere_shows_nobody_alive(book: &mut Book) {
    sam(book);
    book.import(t(12, "10:00"), t(12, "09:00"), &[is(A, &["sam"]), is(C, &["cat"])]);
    for object in [A, C] {
        let verdict = book.check(t(12, "10:00"), by_id(object));
        assert_eq!(verdict.outcome, Outcome::Refresh, "{:?}", verdict.reasons);
        assert!(says(&verdict, "nothing proves that object"), "{:?}", verdict.reasons);
    }
    book.poll(t(13, "10:00"), &[gone(A, Removal::Soft)]);
    assert_eq!(book.check(t(13, "10:00"), by_id(A)).outcome, Outcome::Frozen);
    book.import(t(14, "10:00"), t(14, "09:00"), &[is(A, &["sam"])]);
    assert_eq!(book.check(t(14, "10:00"), by_id(A)).outcome, Outcome::Frozen);
}

/// A file of last year bears a date of last week.
fn a_file_from_elsewhere_renames_nobody_whom_the_directory_told_of(book: &mut Book) {
    book.poll(t(0, "08:00"), &[is(A, &["ann"])]);
    for day in 1..=4 {
        book.poll(t(day, "08:00"), &[]);
    }
    book.snapshot("cA", "40", t(4, "08:00"), Addressed::Object(A));
    let group = Profile { kind: ObjectKind::Group, mailbox: Some(MailboxState::Deleted), ..profile(&["old"]) };
    book.import(t(6, "10:00"), t(5, "12:00"), &[Box::new(seen(A, group))]);
    let verdict = book.check(t(6, "10:00"), in_chain("cA", by_id(A)));
    assert_eq!(verdict.outcome, Outcome::Continue, "{:?}", verdict.reasons);
    assert_eq!(verdict.names.and_then(|names| names.upn), Some(name("ann")));
    // What it says of the time before the directory was read is all that there is.
    book.import(t(6, "10:00"), t(0, "01:00"), &[is(A, &["born"])]);
    let view = book.ledger.view(TENANT, KnownAt::Now).unwrap();
    assert_eq!(view.timeline(A).unwrap().names_at(t(0, "02:00")).upn, Some(name("born")));
}

/// The directory does not keep `mail` apart: an administrator's account often has that of its owner.
fn a_mail_that_is_no_address_of_its_object_shuts_nobody_out(book: &mut Book) {
    let admin = Profile { upn: Some(name("adm")), mail: Some(name("bo")), ..Profile::default() };
    book.poll(t(0, "08:00"), &[Box::new(seen(C, admin)), is(B, &["bob", "bo"]), is(A, &["ann"])]);
    book.poll(t(0, "09:00"), &[]);
    let who = |book: &Book, at| book.who("bo", NameKind::Smtp, at, KnownAt::Now).standing;
    assert_eq!(
        (who(book, t(0, "08:30")).confidence, who(book, t(0, "08:30")).holder),
        (HolderConfidence::Certain, Some(B))
    );
    // It passes from one to the other, and the one who only has it as a label is not touched.
    book.poll(t(0, "13:00"), &[is(B, &["bob"]), is(A, &["ann", "bo"])]);
    book.poll(t(0, "15:00"), &[]);
    assert_ne!(who(book, t(0, "11:00")).holder, Some(C));
    assert_eq!(
        (who(book, t(0, "14:00")).confidence, who(book, t(0, "14:00")).holder),
        (HolderConfidence::Certain, Some(A))
    );
}

/// Those who left the sync scope were asked for one by one before the round that tells of it.
fn live_reads_before_a_round_do_not_make_it_smaller(book: &mut Book) {
    sam(book);
    book.poll(t(1, "12:00"), &[]);
    book.live(t(1, "12:30"), &[gone(A, Removal::NotFound), is(B, &["sam"])]);
    let reading = Reading { at: t(1, "13:00"), lag: LAG, source: Source::Delta, unchanged_since: Some(t(1, "11:55")) };
    let impact = book
        .ledger
        .assess(TENANT, &[gone(A, Removal::Soft)(reading), is(B, &["sam"])(reading)], &[])
        .unwrap()
        .impact(1);
    assert_eq!((impact.removals, impact.takeovers), (1, 1), "{impact:?}");
}

fn a_failed_live_read_is_told(book: &mut Book) {
    sam(book);
    let checked = book.ledger.check(
        TENANT,
        &by_name("sam"),
        &Policy::default(),
        t(1, "10:00"),
        KnownAt::Now,
        Some("connection refused"),
    );
    let verdict = checked.unwrap().verdict;
    assert_eq!(verdict.outcome, Outcome::Refresh);
    assert!(says(&verdict, "connection refused"));
}

fn a_change_of_case_is_no_rename_but_updates_the_label(book: &mut Book) {
    sam(book);
    book.poll(t(1, "12:00"), &[is(A, &["Sam"])]);
    let verdict = book.check(t(1, "12:10"), by_id(A));
    assert_eq!(verdict.outcome, Outcome::Continue, "{:?}", verdict.changes);
    assert_eq!(verdict.names.unwrap().upn.unwrap().spelling(), "Sam@x.test");
}

fn a_change_of_aliases_is_no_rename(book: &mut Book) {
    sam(book);
    book.poll(t(1, "12:00"), &[is(A, &["sam", "sales"])]);
    assert_eq!(book.check(t(1, "12:10"), by_id(A)).outcome, Outcome::Continue);
    book.poll(t(1, "13:00"), &[is(A, &["sam"])]);
    assert_eq!(book.check(t(1, "13:10"), by_id(A)).outcome, Outcome::Continue);
}

fn a_deleted_object_s_mangled_name_is_no_rename(book: &mut Book) {
    sam(book);
    let mangled: whowas::domain::name::Name = format!("{}sam@x.test", A.to_string().replace('-', "")).parse().unwrap();
    let (at, property) = (t(1, "10:00"), Property::UserPrincipalName);
    let (old, new) = (Some(vec![name("sam")]), Some(vec![mangled.clone()]));
    book.tell(at, vec![Fact::Changed(Changed { object: A, at, event: "e".to_owned(), property, old, new })]);
    assert_eq!(book.check(t(1, "10:01"), by_id(A)).outcome, Outcome::Continue);
    book.reconcile(t(1, "11:00"), &[Box::new(seen(A, Profile { upn: Some(mangled), ..profile(&["sam"]) }))]);
    let verdict = book.check(t(1, "11:01"), by_id(A));
    assert_eq!(verdict.outcome, Outcome::Continue, "{:?}", verdict.reasons);
    let holders = book.ledger.store().holders(TENANT, name("sam").key()).unwrap();
    assert_eq!(holders.len(), 1);
}

fn a_quarantine_placeholder_is_no_rename(book: &mut Book) {
    sam(book);
    let placeholder = "sam+4711@x.onmicrosoft.com".parse().unwrap();
    book.poll(t(1, "12:00"), &[Box::new(seen(A, Profile { upn: Some(placeholder), ..profile(&["sam"]) }))]);
    let verdict = book.check(t(1, "12:10"), by_id(A));
    assert_eq!(verdict.outcome, Outcome::Continue, "{:?}", verdict.changes);
}

/// B's user principal name was read but never proved gone, while the address is proved A's.
fn a_name_proved_in_one_namespace_is_only_assumed_while_another_may_hold_it_in_the_other(book: &mut Book) {
    let as_upn = |upn: &str| Profile { upn: Some(name(upn)), ..Profile::default() };
    book.import(t(0, "05:00"), t(0, "01:00"), &[Box::new(seen(B, as_upn("info")))]);
    book.import(t(0, "05:00"), t(0, "02:00"), &[Box::new(seen(B, as_upn("bea")))]);
    book.poll(t(0, "09:00"), &[is(A, &["ann", "info"])]);
    book.poll(t(0, "18:00"), &[]);
    let smtp = book.who("info", NameKind::Smtp, t(0, "12:00"), KnownAt::Now).standing;
    assert_eq!((smtp.confidence, smtp.holder), (HolderConfidence::Certain, Some(A)));
    let any = book.who("info", NameKind::Any, t(0, "12:00"), KnownAt::Now).standing;
    assert_eq!((any.confidence, any.holder), (HolderConfidence::Assumed, Some(A)));
}

/// A page may trail by the lag and its date is cut to whole seconds, so the change may lie that far outside the dates.
fn an_edge_is_as_wide_as_the_readings_that_date_it(book: &mut Book) {
    book.poll(t(0, "09:00"), &[is(A, &["sam"])]);
    book.poll(t(0, "12:00"), &[is(A, &["sam.old"])]);
    book.live(t(0, "15:00"), &[is(A, &["sam.old"])]);
    book.live(t(0, "15:10"), &[is(A, &["sam.new"])]);
    let end_of = |text: &str| {
        let claims = book.ledger.name_history(TENANT, name(text).key(), KnownAt::Now, t(0, "16:00")).unwrap().claims;
        claims.first().unwrap().track.periods().remove(0).until.unwrap()
    };
    let second = Duration::from_secs(1);
    assert_eq!(end_of("sam"), Edge::new(t(0, "08:55"), t(0, "12:00").plus(second)));
    let read_lag = Duration::from_secs(30);
    assert_eq!(end_of("sam.old"), Edge::new(t(0, "15:00").minus(read_lag), t(0, "15:10").plus(second)));
}

fn a_snapshot_whose_owner_is_only_assumed_is_no_base(book: &mut Book) {
    sam(book);
    book.snapshot("cA", "2", t(1, "12:00"), named("sam"));
    // Reported again with equal values: something happened in between.
    book.poll(t(1, "18:00"), &[is(A, &["sam"])]);
    let attribution = book.attribution("cA", "2").attribution;
    assert_eq!((attribution.confidence, attribution.owner), (HolderConfidence::Assumed, Some(A)));
    let verdict = book.check(t(1, "18:01"), by_id(A));
    assert_eq!((verdict.outcome, target(&verdict)), (Outcome::Continue, (Some(A), Some("1"))));
    assert!(says(&verdict, "unattributable: 1 snapshot(s) of chain cA, such as 2"), "{:?}", verdict.reasons);
}

/// Deleted, restored and deleted again between two rounds: the feed may tell nothing of it.
fn a_silent_feed_proves_nothing_of_an_object_once_found_deleted(book: &mut Book) {
    book.poll(t(0, "09:00"), &[is(A, &["sam"])]);
    book.poll(t(0, "09:30"), &[]);
    book.reconcile(t(0, "10:00"), &[gone(A, Removal::Soft)]);
    book.poll(t(0, "12:00"), &[]);
    let confidence = |clock| book.who("sam", NameKind::Upn, t(0, clock), KnownAt::Now).standing.confidence;
    assert_eq!(confidence("09:20"), HolderConfidence::Certain);
    assert_ne!(confidence("10:30"), HolderConfidence::Certain);
    assert_eq!(book.check(t(0, "12:01"), by_id(A)).outcome, Outcome::Frozen);
}

fn the_state_before_the_first_commit_has_the_empty_hash(book: &mut Book) {
    sam(book);
    let before = book.who("sam", NameKind::Any, t(0, "12:00"), KnownAt::Time(t(0, "08:00")));
    assert_eq!((before.basis.sequence.0, before.basis.hash), (0, whowas::store::Hash::default()));
    assert_eq!(before.standing.confidence, HolderConfidence::Unknown);
}

fn telling_the_same_twice_makes_no_commit(book: &mut Book) {
    let reading = Reading { at: t(0, "09:00"), lag: LAG, source: Source::Delta, unchanged_since: None };
    let through = t(0, "08:55");
    let chain = || "c".parse().unwrap();
    let (from, until) = (t(0, "09:00"), t(0, "09:10"));
    let facts = vec![
        is(A, &["sam"])(reading),
        gone(B, Removal::Soft)(reading),
        nobody("pat")(reading),
        Fact::Blind(Blind { from: t(0, "00:00"), until: through, why: "outage".to_owned() }),
        Fact::Horizon(Horizon { feed: Feed::Delta, from: through, through }),
        Fact::SnapshotTaken(Snapshot {
            chain: chain(),
            id: "1".parse().unwrap(),
            from,
            until,
            addressed: named("sam"),
            mailbox: None,
        }),
        Fact::Receipt(Receipt {
            chain: chain(),
            snapshot: "1".parse().unwrap(),
            object: A,
            mailbox: None,
            object_end: None,
            mailbox_end: None,
        }),
        Fact::SnapshotExpired(SnapshotExpired { chain: chain(), snapshot: "1".parse().unwrap() }),
    ];
    let twice: Vec<Fact> = facts.iter().chain(&facts).cloned().collect();
    let first = book.tell(t(0, "09:00"), twice);
    assert_eq!((first.head.sequence.0, first.summary.facts), (1, 8));
    for fact in facts {
        let again = book.tell(t(0, "10:00"), vec![fact.clone()]);
        assert_eq!((again.head.sequence.0, again.summary.facts), (1, 0), "{fact:?}");
    }
}

fn a_clock_that_runs_behind_lets_nothing_through(book: &mut Book) {
    sam(book);
    book.poll(t(3, "09:00"), &[]);
    for ask in [by_id(A), by_name("sam")] {
        let verdict = book.check_by(&patient(), t(1, "09:00"), ask);
        assert_eq!(verdict.outcome, Outcome::Refresh);
        assert!(says(&verdict, "lies ahead of this clock"), "{:?}", verdict.reasons);
    }
}

fn a_live_read_shows_in_an_answer_by_id_too(book: &mut Book) {
    sam(book);
    assert!(!book.check(t(1, "10:00"), by_id(A)).evidence.live);
    book.live(t(1, "10:00"), &[is(A, &["sam"])]);
    assert!(book.check(t(1, "10:00"), by_id(A)).evidence.live);
    assert!(!book.check(t(1, "10:05"), by_id(A)).evidence.live);
}

fn an_id_given_with_a_name_that_two_claim_is_ambiguous(book: &mut Book) {
    let bea = Profile { upn: Some(name("info")), ..profile(&["bea"]) };
    book.poll(t(0, "09:00"), &[is(A, &["ann", "info"]), Box::new(seen(B, bea))]);
    let ask = |text: &str| Ask { object: Some(A), ..by_name(text) };
    assert_eq!(book.check(t(0, "09:30"), ask("info")).outcome, Outcome::Ambiguous);
    let unknown = book.check(t(0, "09:30"), ask("nobody.ever"));
    assert_eq!(unknown.outcome, Outcome::Baseline, "the id decides");
    assert!(says(&unknown, "open it by id only"));
}

fn a_snapshot_that_does_not_tell_its_mailbox_does_not_hide_a_new_one(book: &mut Book) {
    book.poll(t(0, "09:00"), &[is(A, &["sam"])]);
    book.snapshot_of("cA", "1", t(0, "10:00"), Addressed::Object(A), Some(M1));
    book.snapshot_of("cA", "2", t(0, "11:00"), Addressed::Object(A), None);
    let other = book.check(t(0, "12:00"), Ask { mailbox: Some(M2), ..by_id(A) });
    assert_eq!((other.outcome, other.base), (Outcome::MailboxReplaced, None));
}

fn a_new_mailbox_asked_for_by_a_released_name_says_what_is_open(book: &mut Book) {
    book.poll(t(0, "09:00"), &[is(A, &["old"])]);
    book.snapshot_of("cA", "1", t(0, "10:00"), Addressed::Object(A), Some(M1));
    book.poll(t(1, "09:00"), &[is(A, &["ann"])]);
    book.live(t(1, "10:00"), &[is(A, &["ann"]), nobody("old")]);
    for kind in [NameKind::Any, NameKind::Upn] {
        let ask = in_chain("cA", Ask { mailbox: Some(M2), kind, ..by_name("old") });
        let verdict = book.check(t(1, "10:00"), ask);
        assert_eq!((verdict.outcome, verdict.object, &verdict.base), (Outcome::MailboxReplaced, Some(A), &None));
        assert!(says(&verdict, "nobody holds old@x.test now"), "{:?}", verdict.reasons);
        // Somebody new may have it as an address, which no live read finds.
        let is_open = says(&verdict, "no live read can show");
        assert_eq!(is_open, kind == NameKind::Any, "{:?}", verdict.reasons);
    }
}

fn an_address_that_nobody_is_known_to_hold_is_never_proved_free(book: &mut Book) {
    book.poll(t(0, "09:00"), &[is(A, &["ann", "old"])]);
    book.snapshot("cA", "1", t(0, "10:00"), Addressed::Object(A));
    book.poll(t(1, "09:00"), &[is(A, &["ann"])]);
    let ask = in_chain("cA", Ask { kind: NameKind::Smtp, ..by_name("old") });
    assert_eq!(book.check(t(1, "10:00"), ask.clone()).outcome, Outcome::Refresh);
    book.live(t(1, "10:00"), &[is(A, &["ann"])]);
    // Somebody whom the ledger has never seen may have it: Graph finds nobody by an address.
    let verdict = book.check(t(1, "10:00"), ask);
    assert_eq!(verdict.outcome, Outcome::Refresh);
    assert!(says(&verdict, "no live read can show who took an address"), "{:?}", verdict.reasons);
}

fn timeline(facts: &[Fact]) -> Timeline {
    let horizons = facts.iter().filter_map(|fact| if let Fact::Horizon(horizon) = fact { Some(horizon) } else { None });
    let coverage = Coverage::of(horizons);
    let known: Vec<Known> =
        (1..).zip(facts).map(|(sequence, fact)| Known { sequence: Sequence(sequence), fact: fact.clone() }).collect();
    Timeline::of(A, known, &coverage)
}

fn reading(at: Instant, source: Source, unchanged_since: Option<Instant>) -> Reading {
    Reading { at, lag: LAG, source, unchanged_since }
}

#[test]
fn a_purge_is_dated_by_itself_and_not_by_the_deletion_before_it() {
    let facts = [
        is(A, &["sam"])(reading(t(0, "09:00"), Source::Delta, None)),
        gone(A, Removal::Soft)(reading(t(1, "09:00"), Source::Delta, None)),
        gone(A, Removal::Soft)(reading(t(9, "09:00"), Source::Reconcile, None)),
        gone(A, Removal::Purged)(reading(t(31, "09:00"), Source::Delta, None)),
    ];
    let states = timeline(&facts).states();
    let found: Vec<State> = states.iter().map(|period| period.state).collect();
    assert_eq!(found, [State::Active, State::SoftDeleted, State::Purged]);
    assert_eq!(states[2].from, Edge::new(t(9, "08:55"), t(31, "09:00").plus(DATE_WIDTH)));
    assert_eq!((states[1].until, states[2].until), (Some(states[2].from), None));
}

/// Whoever was seen had been created by then, so what a report shows a minute later is no state from before that.
#[test]
fn what_a_new_user_loses_within_the_width_of_a_reading_is_lost() {
    let born = |names| Profile { created: Some(t(0, "09:00")), ..profile(names) };
    let report = |clock, profile| seen(A, profile)(reading(t(0, clock), Source::Delta, None));
    let renamed = timeline(&[report("09:01", born(&["new"])), report("09:03", born(&["newer"]))]);
    let track = renamed.track(Role::Upn, name("new").key()).unwrap();
    let until = track.periods().first().and_then(|period| period.until);
    assert_eq!(until, Some(Edge::new(t(0, "09:00"), t(0, "09:03").plus(DATE_WIDTH))));
    let deleted = gone(A, Removal::Soft)(reading(t(0, "09:03"), Source::Delta, None));
    assert_eq!(timeline(&[report("09:01", born(&["new"])), deleted]).state(), State::SoftDeleted);
}

#[test]
fn a_report_without_any_name_proves_no_release() {
    let horizon = |from, through| Fact::Horizon(Horizon { feed: Feed::Delta, from, through });
    let (first, second) = (t(0, "08:55"), t(0, "09:55"));
    let facts = [
        is(A, &["sam"])(reading(t(0, "09:00"), Source::Delta, None)),
        horizon(first, first),
        is(A, &[])(reading(t(0, "10:00"), Source::Delta, Some(first))),
        horizon(first, second),
        horizon(second, t(0, "12:55")),
    ];
    let Fact::Seen(nameless) = &facts[2] else { panic!() };
    assert_eq!((&nameless.profile.upn, &nameless.profile.mail), (&None, &None));
    let track = timeline(&facts).track(Role::Upn, name("sam").key()).unwrap();
    assert!(track.absent().is_empty(), "{:?}", track.absent());
}
