//! Every kind of finding: what opens it, what closes it, and what opens it again.

use std::time::Duration;

use whowas::domain::attribution::Settling;
use whowas::domain::fact::*;
use whowas::domain::finding::{Finding, FindingId, FindingKind, FindingState, Review, Severity, Subject};
use whowas::domain::id::ObjectId;
use whowas::domain::link::{Anchor, AnchorKind, Link, LinkEnd, Relation};
use whowas::domain::name::NameKind;
use whowas::domain::time::Instant;
use whowas::ledger::{Batch, Ledger, LedgerError, Stamp};
use whowas::service::export::{Begun, export, restore};
use whowas::store::memory::MemoryStore;
use whowas::store::{Commit, Derived};

use crate::harness::*;

on_both_stores!(
    a_plain_chain_has_no_findings,
    two_owners_in_a_chain_are_mixed_until_the_foreign_snapshot_is_no_longer_kept,
    another_foreign_snapshot_opens_a_resolved_finding_again,
    a_mixed_chain_of_which_only_the_foreign_part_is_kept_is_mixed_no_more,
    two_mailboxes_in_a_chain_are_found,
    a_receipt_of_another_object_is_a_mismatch,
    a_receipt_that_saw_two_objects_is_a_mismatch_and_says_nothing_of_attribution,
    a_receipt_of_another_object_than_the_chain_s_is_a_mismatch,
    a_receipt_of_the_start_alone_is_a_mismatch_at_once_where_it_tells_of_another,
    a_receipt_of_the_start_alone_is_no_mismatch_where_it_tells_of_the_chain_s_own_or_nobody_s_chain_it_is,
    as_much_as_before_that_is_somebody_else_s_opens_a_reviewed_finding_again,
    a_mailbox_that_changes_under_one_read_is_a_mismatch,
    an_acknowledged_finding_that_grows_is_open_again,
    a_name_released_only_by_a_read_that_found_nobody_is_notable,
    what_cannot_be_attributed_is_found_once_it_is_settled_and_withdrawn_by_evidence,
    new_terms_judge_everything_by_name_anew,
    a_name_that_nobody_held_is_found,
    assumed_owners_that_differ_are_found,
    an_assumed_owner_is_held_against_the_certain_one_that_is_still_kept,
    a_protected_name_that_passes_on_is_found_and_an_unprotected_one_is_not,
    a_name_becomes_protected_by_its_holder_s_first_snapshot,
    an_address_of_one_that_is_another_s_user_principal_name_is_found,
    an_object_in_two_chains_is_found,
    objects_that_share_an_anchor_are_candidates_until_they_are_linked,
    a_default_that_many_share_is_no_anchor,
    operators_words_are_kept_once_and_unknown_findings_are_refused,
    a_word_on_a_finding_that_no_rule_gives_any_more_keeps_nobody_from_deriving,
    a_link_is_taken_back_once_and_only_if_it_was_there,
);

fn chain_finding(book: &Book, kind: FindingKind, chain: &str) -> Option<Finding> {
    book.ledger.finding(TENANT, FindingId::of(kind, &Subject::Chain(chain.parse().unwrap()))).unwrap()
}

fn state(book: &Book, kind: FindingKind, chain: &str) -> Option<FindingState> {
    chain_finding(book, kind, chain).map(|finding| finding.state())
}

fn about(book: &Book, kind: FindingKind, subject: &Subject) -> Option<FindingState> {
    book.ledger.finding(TENANT, FindingId::of(kind, subject)).unwrap().map(|finding| finding.state())
}

/// The audit log tells of user principal names only.
fn by_upn(text: &str) -> Addressed {
    Addressed::Name(name(text), NameKind::Upn)
}

fn called(text: &str) -> Subject {
    Subject::Name(name(text).key().clone())
}

/// The kinds of all findings that are open, and what the head counts of them.
fn open(book: &Book) -> Vec<FindingKind> {
    let findings = book.ledger.findings(TENANT, None, 999).unwrap();
    let mut open: Vec<FindingKind> =
        findings.iter().filter(|finding| finding.state() == FindingState::Open).map(|finding| finding.kind).collect();
    open.sort_unstable();
    let counts = book.ledger.head(TENANT).unwrap().state.findings;
    let of = |severity| open.iter().filter(|kind| kind.severity() == severity).count() as u64;
    assert_eq!(counts.critical, of(Severity::Critical));
    assert_eq!((counts.warning, counts.notice), (of(Severity::Warning), of(Severity::Notice)));
    open
}

fn resolve(book: &mut Book, now: Instant, kind: FindingKind, chain: &str) {
    let finding = FindingId::of(kind, &Subject::Chain(chain.parse().unwrap()));
    book.tell(now, vec![Fact::Resolved(Review { finding, at: now, by: Some("ops".into()), note: None })]);
}

/// A is sam and then sam.old; B is sam from some time of the second day on.
fn two_sams(book: &mut Book) {
    book.poll(t(0, "09:00"), &[is(A, &["sam"])]);
    book.poll(t(1, "09:00"), &[]);
    book.snapshot("cA", "40", t(1, "08:00"), Addressed::Object(A));
    book.poll(t(2, "09:00"), &[is(A, &["sam.old"]), is(B, &["sam"])]);
}

fn a_plain_chain_has_no_findings(book: &mut Book) {
    book.poll(t(0, "09:00"), &[is(A, &["sam"])]);
    for (day, id) in [(1, "1"), (2, "2")] {
        book.snapshot("cA", id, t(day, "08:00"), named("sam"));
        book.poll(t(day, "09:00"), &[]);
    }
    assert_eq!(open(book), []);
    assert_eq!(book.ledger.findings(TENANT, None, 9).unwrap(), []);
    assert_eq!(book.ledger.owned_chains(TENANT, A).unwrap().len(), 1);
}

fn two_owners_in_a_chain_are_mixed_until_the_foreign_snapshot_is_no_longer_kept(book: &mut Book) {
    two_sams(book);
    book.snapshot("cA", "41", t(2, "10:00"), Addressed::Object(B));
    let finding = chain_finding(book, FindingKind::MixedChain, "cA").unwrap();
    assert_eq!((finding.state(), finding.weight, finding.severity()), (FindingState::Open, 1, Severity::Critical));
    assert_eq!(finding.steps.first().unwrap().time, t(2, "10:10"));
    book.expire(t(3, "09:00"), "cA", "41");
    let finding = chain_finding(book, FindingKind::MixedChain, "cA").unwrap();
    assert_eq!(finding.state(), FindingState::Resolved);
    assert!(finding.steps.last().unwrap().note.as_ref().unwrap().contains("still kept"));
}

fn another_foreign_snapshot_opens_a_resolved_finding_again(book: &mut Book) {
    two_sams(book);
    book.snapshot("cA", "41", t(2, "10:00"), Addressed::Object(B));
    resolve(book, t(2, "11:00"), FindingKind::MixedChain, "cA");
    book.snapshot("cA", "42", t(2, "12:00"), Addressed::Object(A));
    assert_eq!(state(book, FindingKind::MixedChain, "cA"), Some(FindingState::Resolved));
    book.snapshot("cA", "43", t(2, "13:00"), Addressed::Object(B));
    assert_eq!(state(book, FindingKind::MixedChain, "cA"), Some(FindingState::Open));
    assert_eq!(chain_finding(book, FindingKind::MixedChain, "cA").unwrap().steps.len(), 3);
}

fn a_mixed_chain_of_which_only_the_foreign_part_is_kept_is_mixed_no_more(book: &mut Book) {
    two_sams(book);
    book.snapshot("cA", "41", t(2, "10:00"), Addressed::Object(B));
    book.expire(t(3, "09:00"), "cA", "40");
    assert_eq!(state(book, FindingKind::MixedChain, "cA"), Some(FindingState::Resolved));
}

fn two_mailboxes_in_a_chain_are_found(book: &mut Book) {
    book.poll(t(0, "09:00"), &[is(A, &["sam"])]);
    book.snapshot_of("cA", "1", t(1, "08:00"), Addressed::Object(A), Some(M1));
    book.snapshot("cA", "2", t(2, "08:00"), Addressed::Object(A));
    assert_eq!(open(book), []);
    book.snapshot_of("cA", "3", t(3, "08:00"), Addressed::Object(A), Some(M2));
    assert_eq!(open(book), [FindingKind::MailboxChanged]);
}

fn a_receipt_of_another_object_is_a_mismatch(book: &mut Book) {
    two_sams(book);
    book.receipt(t(2, "09:30"), "cA", "40", B, Some(B));
    assert_eq!(state(book, FindingKind::ReceiptMismatch, "cA"), Some(FindingState::Open));
    assert_eq!(book.attribution("cA", "40").attribution.owner, Some(B));
}

fn a_receipt_that_saw_two_objects_is_a_mismatch_and_says_nothing_of_attribution(book: &mut Book) {
    two_sams(book);
    book.receipt(t(2, "09:30"), "cA", "40", A, Some(B));
    assert_eq!(state(book, FindingKind::ReceiptMismatch, "cA"), Some(FindingState::Open));
    assert_eq!(state(book, FindingKind::Unattributable, "cA"), None);
}

fn a_receipt_of_another_object_than_the_chain_s_is_a_mismatch(book: &mut Book) {
    two_sams(book);
    book.snapshot("cA", "41", t(2, "10:00"), named("sam"));
    book.receipt(t(2, "10:20"), "cA", "41", B, Some(B));
    assert_eq!(open(book), [FindingKind::MixedChain, FindingKind::ReceiptMismatch, FindingKind::NameReused]);
}

/// The name passed on while the agent ran, and no sync has told so yet.
fn a_receipt_of_the_start_alone_is_a_mismatch_at_once_where_it_tells_of_another(book: &mut Book) {
    book.poll(t(0, "09:00"), &[is(A, &["sam"])]);
    book.snapshot("cA", "40", t(0, "09:10"), Addressed::Object(A));
    book.snapshot("cA", "41", t(0, "10:10"), named("sam"));
    book.receipt(t(0, "10:20"), "cA", "41", B, None);
    let mismatch = |book: &Book| state(book, FindingKind::ReceiptMismatch, "cA");
    assert_eq!(mismatch(book), Some(FindingState::Open));
    let at = t(0, "10:30");
    resolve(book, at, FindingKind::ReceiptMismatch, "cA");
    // What else comes to be known of it is no more of the same.
    book.poll(t(0, "11:00"), &[is(A, &["sam.old"]), is(B, &["sam"])]);
    assert!(book.attribution("cA", "41").attribution.settled);
    assert_eq!(mismatch(book), Some(FindingState::Resolved));
    assert_eq!(state(book, FindingKind::Unattributable, "cA"), Some(FindingState::Open));
    book.receipt(t(0, "12:00"), "cA", "41", B, Some(B));
    assert_eq!(book.attribution("cA", "41").attribution.owner, Some(B));
    assert_eq!(state(book, FindingKind::MixedChain, "cA"), Some(FindingState::Open));
    assert_eq!(book.ledger.verify(|_| ()).unwrap().differing, 0);
}

fn a_receipt_of_the_start_alone_is_no_mismatch_where_it_tells_of_the_chain_s_own_or_nobody_s_chain_it_is(
    book: &mut Book,
) {
    two_sams(book);
    // B has the name, and yet it still opened A's mailbox.
    book.snapshot("cA", "41", t(2, "10:00"), named("sam"));
    book.receipt(t(2, "10:20"), "cA", "41", A, None);
    // Nobody knows whose this one is.
    book.snapshot("cB", "1", t(1, "20:00"), named("sam"));
    book.receipt(t(2, "10:20"), "cB", "1", B, None);
    for chain in ["cA", "cB"] {
        assert_eq!(state(book, FindingKind::ReceiptMismatch, chain), None, "{chain}");
    }
    // Now it is A's.
    book.snapshot("cB", "0", t(0, "09:10"), Addressed::Object(A));
    assert_eq!(state(book, FindingKind::ReceiptMismatch, "cB"), Some(FindingState::Open));
}

fn as_much_as_before_that_is_somebody_else_s_opens_a_reviewed_finding_again(book: &mut Book) {
    let sam_is = |book: &mut Book, who: ObjectId, days: &[(u64, &str)]| {
        for (day, clock) in days {
            let other = |object| if object == C { "carl" } else { "bob" };
            let called = |object| is(object, &[if object == who { "sam" } else { other(object) }]);
            book.import(t(21, "10:00"), t(*day, clock), &[called(B), called(C)]);
        }
    };
    book.snapshot("cA", "1", t(0, "08:00"), Addressed::Object(A));
    book.snapshot("cA", "5", t(2, "08:00"), named("sam"));
    book.poll(t(21, "09:00"), &[is(A, &["ann"]), is(B, &["bob"]), is(C, &["carl"])]);
    let is_at = |book: &Book, kind| {
        let finding = chain_finding(book, kind, "cA");
        finding.map(|finding| (finding.state(), finding.weight))
    };
    let owner = |book: &Book| book.attribution("cA", "5").attribution.owner;
    sam_is(book, B, &[(1, "09:00"), (3, "09:00")]);
    assert_eq!((owner(book), is_at(book, FindingKind::Unattributable)), (Some(B), Some((FindingState::Open, 1))));
    resolve(book, t(21, "11:00"), FindingKind::Unattributable, "cA");
    sam_is(book, C, &[(2, "07:00"), (2, "09:00")]);
    assert_eq!((owner(book), is_at(book, FindingKind::Unattributable)), (Some(C), Some((FindingState::Open, 1))));

    // An agent says so, and then another.
    book.receipt(t(21, "12:00"), "cA", "5", B, Some(B));
    resolve(book, t(21, "13:00"), FindingKind::ReceiptMismatch, "cA");
    book.receipt(t(21, "14:00"), "cA", "5", C, Some(C));
    assert_eq!(is_at(book, FindingKind::ReceiptMismatch), Some((FindingState::Open, 1)));
    resolve(book, t(21, "15:00"), FindingKind::ReceiptMismatch, "cA");
    // What is told once more is nothing new.
    book.receipt(t(21, "16:00"), "cA", "5", C, None);
    assert_eq!(is_at(book, FindingKind::ReceiptMismatch), Some((FindingState::Resolved, 1)));
    assert_eq!(book.ledger.verify(|_| ()).unwrap().differing, 0);
}

fn a_mailbox_that_changes_under_one_read_is_a_mismatch(book: &mut Book) {
    book.poll(t(0, "09:00"), &[is(A, &["sam"])]);
    book.snapshot_of("c1", "1", t(1, "08:00"), Addressed::Object(A), Some(M1));
    book.snapshot("c2", "1", t(1, "08:00"), Addressed::Object(A));
    let receipt = |chain: &str, mailbox, mailbox_end| {
        let (chain, snapshot) = (chain.parse().unwrap(), "1".parse().unwrap());
        Fact::Receipt(Receipt { chain, snapshot, object: A, mailbox, object_end: Some(A), mailbox_end })
    };
    // Another mailbox than the one recorded; two mailboxes in one read.
    book.tell(t(1, "09:00"), vec![receipt("c1", Some(M2), None), receipt("c2", Some(M1), Some(M2))]);
    for chain in ["c1", "c2"] {
        assert_eq!(state(book, FindingKind::ReceiptMismatch, chain), Some(FindingState::Open), "{chain}");
    }
}

fn an_acknowledged_finding_that_grows_is_open_again(book: &mut Book) {
    two_sams(book);
    book.snapshot("cA", "41", t(2, "10:00"), Addressed::Object(B));
    let finding = FindingId::of(FindingKind::MixedChain, &Subject::Chain("cA".parse().unwrap()));
    let at = t(2, "11:00");
    book.tell(at, vec![Fact::Acknowledged(Review { finding, at, by: Some("ops".into()), note: None })]);
    assert_eq!(state(book, FindingKind::MixedChain, "cA"), Some(FindingState::Acknowledged));
    book.snapshot("cA", "42", t(2, "12:00"), Addressed::Object(C));
    assert_eq!(state(book, FindingKind::MixedChain, "cA"), Some(FindingState::Open));
}

fn a_name_released_only_by_a_read_that_found_nobody_is_notable(book: &mut Book) {
    let upn_only = Profile { upn: Some(name("sam")), ..Profile::default() };
    book.poll(t(0, "09:00"), &[Box::new(seen(A, upn_only))]);
    assert_eq!(book.ledger.notable_names(TENANT, None, 9).unwrap(), []);
    book.live(t(1, "09:00"), &[nobody("sam")]);
    assert_eq!(book.ledger.notable_names(TENANT, None, 9).unwrap(), [name("sam").key().clone()]);
}

fn what_cannot_be_attributed_is_found_once_it_is_settled_and_withdrawn_by_evidence(book: &mut Book) {
    two_sams(book);
    // Taken in the weak window: A may still have been sam, or B already.
    book.snapshot("cA", "41", t(1, "20:00"), by_upn("sam"));
    assert_eq!(state(book, FindingKind::Unattributable, "cA"), Some(FindingState::Open));
    book.audit_rename(t(3, "09:00"), t(2, "06:00"), A, "sam", "sam.old");
    assert_eq!(state(book, FindingKind::Unattributable, "cA"), Some(FindingState::Withdrawn));
    assert_eq!(book.attribution("cA", "41").attribution.owner, Some(A));
    // What lies beyond the horizon may still become clear.
    book.snapshot("cA", "42", t(3, "10:00"), by_upn("sam"));
    assert_eq!(state(book, FindingKind::Unattributable, "cA"), Some(FindingState::Withdrawn));
}

fn new_terms_judge_everything_by_name_anew(book: &mut Book) {
    two_sams(book);
    book.poll(t(3, "09:00"), &[]);
    book.snapshot("cA", "41", t(2, "09:20"), by_upn("sam"));
    let owner = |book: &Book| {
        let (chain, id) = ("cA".parse().unwrap(), "41".parse().unwrap());
        book.ledger.store().snapshot(TENANT, &chain, &id).unwrap().unwrap().judgement
    };
    let strict = owner(book);
    assert_eq!(strict.certain_owner(), Some(B));
    // With an hour of propagation, A's mailbox may still have answered at 09:20.
    let settling = Some(Settling { propagation: Duration::from_secs(3_600), audit_lag: None });
    let stamp = Stamp { now: t(3, "10:00"), salt: [1; 16] };
    let batch = Batch { settling, ..Batch::default() };
    let appended = book.ledger.append(TENANT, batch.clone(), stamp).unwrap();
    assert_eq!(owner(book).certain_owner(), None);
    let again = book.ledger.append(TENANT, batch, stamp).unwrap();
    assert_eq!(again.head.sequence, appended.head.sequence);
}

fn a_name_that_nobody_held_is_found(book: &mut Book) {
    book.poll(t(0, "09:00"), &[is(A, &["sam"])]);
    book.poll(t(1, "09:00"), &[is(A, &["sam.old"])]);
    book.snapshot("cA", "1", t(2, "08:00"), named("sam"));
    assert_eq!(open(book), []);
    book.poll(t(2, "09:00"), &[]);
    assert_eq!(open(book), [FindingKind::NobodyHeldName]);
}

fn assumed_owners_that_differ_are_found(book: &mut Book) {
    // Two old exports; nothing proves the time between them.
    for (day, who, other) in [(0, "ann", "bob"), (2, "ann", "bob"), (5, "bob", "ann"), (7, "bob", "ann")] {
        book.import(t(20, "09:00"), t(day, "09:00"), &[is(A, &[who]), is(B, &[other])]);
    }
    book.snapshot("c", "1", t(1, "08:00"), named("ann"));
    book.snapshot("c", "2", t(6, "08:00"), named("ann"));
    assert_eq!(open(book), [FindingKind::NameReused]);
    book.poll(t(21, "09:00"), &[is(A, &["bob"]), is(B, &["ann"])]);
    assert_eq!(open(book), [FindingKind::Unattributable, FindingKind::NameReused]);
}

fn an_assumed_owner_is_held_against_the_certain_one_that_is_still_kept(book: &mut Book) {
    for day in [0, 2] {
        book.import(t(20, "09:00"), t(day, "09:00"), &[is(A, &["ann"]), is(B, &["bob"])]);
    }
    book.poll(t(20, "09:00"), &[is(A, &["bob"]), is(B, &["ann"])]);
    book.snapshot("c", "0", t(0, "08:00"), Addressed::Object(A));
    book.snapshot("c", "1", t(1, "08:00"), named("ann"));
    book.snapshot("c", "2", t(20, "10:00"), Addressed::Object(B));
    book.poll(t(21, "09:00"), &[]);
    assert_eq!(state(book, FindingKind::MixedChain, "c"), Some(FindingState::Open));
    assert_eq!(state(book, FindingKind::Unattributable, "c"), None);
    // What is left is certainly B's, and very likely A's.
    book.expire(t(21, "09:30"), "c", "0");
    assert_eq!(state(book, FindingKind::MixedChain, "c"), Some(FindingState::Resolved));
    assert_eq!(state(book, FindingKind::Unattributable, "c"), Some(FindingState::Open));
    book.expire(t(21, "09:40"), "c", "1");
    assert_eq!(state(book, FindingKind::Unattributable, "c"), Some(FindingState::Resolved));
}

fn a_protected_name_that_passes_on_is_found_and_an_unprotected_one_is_not(book: &mut Book) {
    two_sams(book);
    assert_eq!(about(book, FindingKind::NameReused, &called("sam")), Some(FindingState::Open));
    book.poll(t(3, "09:00"), &[is(C, &["kim"])]);
    book.poll(t(4, "09:00"), &[is(C, &["kim.old"]), is(ObjectId::from_bytes([0xdd; 16]), &["kim"])]);
    assert_eq!(about(book, FindingKind::NameReused, &called("kim")), None);
    let notable = book.ledger.notable_names(TENANT, None, 9).unwrap();
    assert_eq!(notable, [name("kim").key().clone(), name("sam").key().clone()]);
    book.snapshot("cK", "1", t(4, "10:00"), named("kim"));
    assert_eq!(about(book, FindingKind::NameReused, &called("kim")), Some(FindingState::Open));
}

fn a_name_becomes_protected_by_its_holder_s_first_snapshot(book: &mut Book) {
    book.poll(t(0, "09:00"), &[is(A, &["sam"])]);
    book.poll(t(1, "09:00"), &[is(A, &["sam.old"]), is(B, &["sam"])]);
    assert_eq!(open(book), []);
    book.snapshot("cA", "1", t(1, "10:00"), Addressed::Object(A));
    assert_eq!(open(book), [FindingKind::NameReused]);
}

fn an_address_of_one_that_is_another_s_user_principal_name_is_found(book: &mut Book) {
    book.poll(t(0, "09:00"), &[is(A, &["info"])]);
    book.poll(t(1, "09:00"), &[is(A, &["ann", "info"]), seen_as(B, "info", "bob")]);
    assert_eq!(about(book, FindingKind::AddressCollision, &called("info")), Some(FindingState::Open));
    assert_eq!(about(book, FindingKind::AddressCollision, &called("ann")), None);
}

fn seen_as(object: ObjectId, upn: &str, mail: &str) -> Box<dyn Fn(Reading) -> Fact> {
    let profile = Profile { upn: Some(name(upn)), ..profile(&[mail]) };
    Box::new(seen(object, profile))
}

fn an_object_in_two_chains_is_found(book: &mut Book) {
    book.poll(t(0, "09:00"), &[is(A, &["sam"])]);
    book.snapshot("c1", "1", t(1, "08:00"), Addressed::Object(A));
    assert_eq!(open(book), []);
    book.snapshot("c2", "1", t(1, "09:00"), Addressed::Object(A));
    assert_eq!(open(book), [FindingKind::SplitOwner]);
    assert_eq!(book.ledger.owned_chains(TENANT, A).unwrap().len(), 2);
}

fn employed(object: ObjectId, upn: &str, number: &str) -> Box<dyn Fn(Reading) -> Fact> {
    Box::new(seen(object, Profile { employee_id: Some(number.to_owned()), ..profile(&[upn]) }))
}

fn recreated() -> Link {
    let to = LinkEnd { tenant: None, object: B };
    Link { from: A, to, relation: Relation::RecreatedAs, note: None, by: Some("ops".into()) }
}

fn objects_that_share_an_anchor_are_candidates_until_they_are_linked(book: &mut Book) {
    book.poll(t(0, "09:00"), &[employed(A, "raj", "4711")]);
    book.poll(t(1, "09:00"), &[gone(A, Removal::Soft), employed(B, "raj", "4711"), employed(C, "kim", "  ")]);
    let anchor = Anchor { kind: AnchorKind::EmployeeId, value: "4711".into() };
    let candidates = |book: &Book| about(book, FindingKind::LinkCandidate, &Subject::Anchor(anchor.clone()));
    assert_eq!(candidates(book), Some(FindingState::Open));
    assert_eq!(book.ledger.shared_anchors(TENANT, A).unwrap(), [(anchor.clone(), vec![A, B])]);
    let before = book.attribution_of_raj();
    book.tell(t(2, "09:00"), vec![Fact::Linked(recreated())]);
    assert_eq!(candidates(book), Some(FindingState::Resolved));
    assert_eq!(book.ledger.links(TENANT, B).unwrap().len(), 1);
    assert_eq!(book.attribution_of_raj(), before);
    book.tell(t(3, "09:00"), vec![Fact::Unlinked(recreated())]);
    let record = book.ledger.links(TENANT, A).unwrap().remove(0);
    let newest = book.ledger.head(TENANT).unwrap().sequence;
    assert!(!record.is_on(newest) && record.steps.len() == 2);
    // The objects still share the anchor, so the question is open again.
    assert_eq!(candidates(book), Some(FindingState::Open));
}

impl Book {
    fn attribution_of_raj(&self) -> String {
        format!("{:?}", self.who("raj", NameKind::Any, t(1, "12:00"), whowas::ledger::KnownAt::Now).standing)
    }
}

fn a_default_that_many_share_is_no_anchor(book: &mut Book) {
    let people: Vec<_> =
        (1..=17).map(|n| employed(ObjectId::from_bytes([n; 16]), &format!("user{n}"), "0000")).collect();
    book.poll(t(0, "09:00"), &people);
    assert_eq!(open(book), []);
}

fn operators_words_are_kept_once_and_unknown_findings_are_refused(book: &mut Book) {
    two_sams(book);
    let review = |finding, note: &str| Review { finding, at: t(2, "12:00"), by: None, note: Some(note.to_owned()) };
    let nothing = FindingId::of(FindingKind::MixedChain, &Subject::Chain("cA".parse().unwrap()));
    let append = |book: &Book, fact| {
        let stamp = Stamp { now: t(2, "12:00"), salt: [9; 16] };
        book.ledger.append(TENANT, Batch { facts: vec![fact], ..Batch::default() }, stamp)
    };
    let refused = append(book, Fact::Acknowledged(review(nothing, "x"))).unwrap_err();
    assert!(matches!(refused, LedgerError::NoFinding { finding } if finding == nothing), "{refused}");
    let reused = FindingId::of(FindingKind::NameReused, &called("sam"));
    let once = append(book, Fact::Acknowledged(review(reused, "seen"))).unwrap();
    let twice = append(book, Fact::Acknowledged(review(reused, "seen"))).unwrap();
    assert_eq!(once.head, twice.head);
    assert_eq!(about(book, FindingKind::NameReused, &called("sam")), Some(FindingState::Acknowledged));
    assert_eq!(open(book), []);
}

/// As an earlier release may have left it, by whose rules there was such a finding.
fn a_word_on_a_finding_that_no_rule_gives_any_more_keeps_nobody_from_deriving(book: &mut Book) {
    two_sams(book);
    let finding = FindingId::of(FindingKind::MixedChain, &Subject::Chain("cA".parse().unwrap()));
    let word = || Review { finding, at: t(2, "12:00"), by: Some("ops".to_owned()), note: None };
    let head = book.ledger.head(TENANT).unwrap();
    let (facts, recorded) = (vec![Fact::Acknowledged(word()), Fact::Resolved(word())], t(2, "12:00"));
    let commit = Commit { recorded, salt: [8; 16], facts, cursor: None, run: None };
    let derived = Derived { state: head.state, ..Derived::default() };
    book.ledger.store().append(TENANT, head.sequence, commit, derived).unwrap();

    let before = open(book);
    assert_eq!(book.ledger.verify(|_| ()).unwrap().differing, 0);
    assert_eq!(book.ledger.rebuild(|_| ()).unwrap(), head.sequence.next().0);
    assert_eq!(open(book), before);
    assert_eq!(book.ledger.verify(|_| ()).unwrap().differing, 0);
    // Who says so anew is told that there is none.
    let stamp = Stamp { now: t(2, "13:00"), salt: [9; 16] };
    let batch = Batch { facts: vec![Fact::Resolved(word())], ..Batch::default() };
    let refused = book.ledger.append(TENANT, batch, stamp).unwrap_err();
    assert!(matches!(refused, LedgerError::NoFinding { .. }), "{refused}");

    let mut file = Vec::new();
    export(&book.ledger, None, Begun::default(), t(3, "09:00"), &mut file, &mut |_| ()).unwrap();
    let copy = Ledger::new(MemoryStore::new());
    restore(&copy, &*file, false, &mut |_| ()).unwrap();
    assert_eq!(copy.head(TENANT).unwrap(), book.ledger.head(TENANT).unwrap());
    assert_eq!(copy.verify(|_| ()).unwrap().differing, 0);
}

fn a_link_is_taken_back_once_and_only_if_it_was_there(book: &mut Book) {
    two_sams(book);
    let append = |book: &Book, fact| {
        let stamp = Stamp { now: t(2, "12:00"), salt: [9; 16] };
        book.ledger.append(TENANT, Batch { facts: vec![fact], ..Batch::default() }, stamp)
    };
    let refused = append(book, Fact::Unlinked(recreated())).unwrap_err();
    assert!(matches!(refused, LedgerError::NoLink { .. }), "{refused}");
    let to_self = Link { from: B, ..recreated() };
    let refused = append(book, Fact::Linked(to_self)).unwrap_err();
    assert!(matches!(refused, LedgerError::LinkToSelf { .. }), "{refused}");
    append(book, Fact::Linked(recreated())).unwrap();
    let once = append(book, Fact::Unlinked(recreated())).unwrap();
    let twice = append(book, Fact::Unlinked(recreated())).unwrap();
    assert_eq!(once.head, twice.head);
}
