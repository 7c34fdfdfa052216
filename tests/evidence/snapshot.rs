//! Whose data a snapshot holds, shown to somebody who has only the file.

use std::time::Duration;

use proptest::prelude::*;
use whowas::domain::attribution::Settling;
use whowas::domain::fact::{Addressed, Fact, Feed, Horizon, Profile, Reading, Receipt, Seen, Snapshot, Source, Vacant};
use whowas::domain::id::{ObjectId, Sequence};
use whowas::domain::name::{Name, NameKind, Proxy};
use whowas::domain::time::Instant;
use whowas::evidence::derive::attributed;
use whowas::evidence::proof::{Claim, Proof};
use whowas::evidence::verify::{Refuted, Trust, verify};
use whowas::ledger::{Batch, Stamp};
use whowas::service::evidence::prove_snapshot;

use super::consistency::flips;
use super::place::{Place, TENANT};
use super::python;

/// Minutes after the beginning of the story.
fn at(minutes: u64) -> Instant {
    Instant::from_micros(1_772_600_000_000_000).plus(Duration::from_secs(minutes * 60))
}

fn object(n: u8) -> ObjectId {
    ObjectId::from_bytes([n; 16])
}

fn name(text: &str) -> Name {
    format!("{text}@x.test").parse().unwrap()
}

fn seen(n: u8, names: &[&str], minutes: u64, since: Option<u64>) -> Fact {
    let reading = Reading {
        at: at(minutes),
        lag: Duration::from_secs(300),
        source: Source::Delta,
        unchanged_since: since.map(at),
    };
    let proxies = names.iter().map(|text| Proxy::Alias(name(text))).collect();
    let upn = names.first().map(|text| name(text));
    let profile = Profile { mail: upn.clone(), upn, proxies, ..Profile::default() };
    Fact::Seen(Seen { object: object(n), reading, profile })
}

fn horizon(from: u64, through: u64) -> Fact {
    Fact::Horizon(Horizon { feed: Feed::Delta, from: at(from), through: at(through) })
}

fn taken(id: &str, addressed: Addressed, from: u64, until: u64) -> Fact {
    let (chain, id) = ("cA ü".parse().unwrap(), id.parse().unwrap());
    Fact::SnapshotTaken(Snapshot { chain, id, from: at(from), until: at(until), addressed, mailbox: None })
}

fn by_name(text: &str) -> Addressed {
    Addressed::Name(name(text), NameKind::Any)
}

fn receipt(id: &str, n: u8, end: Option<u8>) -> Fact {
    let (chain, snapshot) = ("cA ü".parse().unwrap(), id.parse().unwrap());
    let object_end = end.map(object);
    Fact::Receipt(Receipt { chain, snapshot, object: object(n), mailbox: None, object_end, mailbox_end: None })
}

fn append(place: &Place, minutes: u64, facts: Vec<Fact>) {
    let salt = [minutes as u8; 16];
    let stamp = Stamp { now: at(minutes), salt };
    place.desk.ledger.append(TENANT, Batch { facts, ..Batch::default() }, stamp).unwrap();
}

/// A round every ten minutes, from minute 10 on; each proves everything up to five minutes before it.
fn rounds(place: &Place, from: u64, through: u64) {
    for minutes in (from..=through).step_by(10) {
        append(place, minutes, vec![horizon(minutes.saturating_sub(15).max(5), minutes - 5)]);
    }
}

/// Ann's name passes to Eve between two rounds; all had snapshots by it. Strangers stand on the same pages.
fn story() -> Place {
    let place = Place::new();
    let strangers = (10..40).map(|n| seen(n, &[&format!("s{n}")], 10, None));
    append(&place, 9, strangers.chain([seen(1, &["ann"], 10, None)]).collect());
    rounds(&place, 10, 390);
    append(&place, 395, vec![taken("1", by_name("ann"), 100, 101), taken("o", Addressed::Object(object(1)), 100, 101)]);
    append(&place, 399, vec![seen(1, &["ann.lee"], 400, Some(385)), seen(2, &["ann"], 400, Some(385))]);
    rounds(&place, 400, 590);
    append(&place, 600, vec![taken("2", by_name("ann"), 500, 501), taken("3", by_name("ann"), 395, 396)]);
    append(&place, 601, vec![receipt("3", 2, Some(2)), receipt("2", 2, None)]);
    place
}

fn prove(place: &Place, id: &str, older: Option<u64>) -> String {
    let (chain, id) = ("cA ü".parse().unwrap(), id.parse().unwrap());
    prove_snapshot(&place.desk, &place.keys(), &chain, &id, older.map(Sequence)).unwrap().proof
}

fn trusting(place: &Place) -> Trust {
    Trust { key: Some(place.key()), kept: None }
}

#[test]
fn an_auditor_sees_whose_mail_each_snapshot_holds_and_why() {
    let place = story();
    for (id, owner, settled, commits) in [("1", 1, true, 20), ("2", 2, true, 20), ("3", 2, true, 2), ("o", 1, true, 1)]
    {
        let proof = prove(&place, id, None);
        let shown = verify(&proof, &trusting(&place)).unwrap().snapshot.unwrap();
        let claim = &shown.attribution;
        assert_eq!((claim.owner, claim.confidence.as_str()), (Some(object(owner)), "certain"), "{id}: {claim:?}");
        assert_eq!(claim.settled, settled, "{id}");
        // Nobody else's facts are shown, and no more horizons than it takes.
        assert!(shown.commits <= commits, "{id}: {}", shown.commits);
        assert!(!proof.contains("733132"), "{id}: the stranger s12 is named");
    }
}

#[test]
fn a_proof_of_a_snapshot_continues_a_checkpoint_that_was_kept() {
    let place = story();
    let (kept, proof) = (place.checkpoint(7), prove(&place, "2", Some(7)));
    let trust = Trust { kept: Some(kept), ..trusting(&place) };
    assert_eq!(verify(&proof, &trust).unwrap().kept, Some(true));
    let refuted = verify(&prove(&place, "2", Some(8)), &trust).unwrap_err();
    assert!(matches!(refuted, Refuted::NotConnected { .. }), "{refuted}");
}

#[test]
fn every_flipped_bit_of_a_snapshots_proof_fails_it() {
    let place = Place::new();
    append(&place, 1, vec![seen(1, &["ann"], 10, None), seen(9, &["zoe"], 10, None)]);
    append(&place, 2, vec![horizon(5, 5)]);
    append(&place, 3, vec![horizon(5, 60), horizon(60, 70), taken("1", by_name("ann"), 30, 31)]);
    let (proof, trust) = (prove(&place, "1", Some(1)), trusting(&place));
    assert_eq!(verify(&proof, &trust).unwrap().snapshot.unwrap().attribution.owner, Some(object(1)));
    for flipped in flips(&proof) {
        assert!(verify(&flipped, &trust).is_err(), "{flipped}");
    }
    let Some(python) = python::find() else { return };
    let said = python.accepts(&proof, &["--key", &place.key()]);
    assert!(said.contains("facts shown"), "{said}");
}

#[test]
fn what_a_forger_may_try_is_told_apart() {
    let place = story();
    let (proof, trust) = (Proof::parse(&prove(&place, "1", None)).unwrap(), trusting(&place));
    let refuted = |change: &dyn Fn(&mut Proof)| {
        let mut changed = proof.clone();
        change(&mut changed);
        verify(&changed.text(), &trust).unwrap_err()
    };
    let part = |proof: &mut Proof| proof.snapshot.take().unwrap();
    let claims = refuted(&|proof| proof.snapshot.as_mut().unwrap().claim.owner = Some(object(2)));
    assert!(matches!(claims, Refuted::Misattributed { .. }), "{claims}");
    let other = refuted(&|proof| proof.snapshot.as_mut().unwrap().snapshot = "2".parse().unwrap());
    assert!(matches!(other, Refuted::NoSnapshot), "{other}");
    // A fact that was changed, moved, left out, or brought by another commit.
    let fact = refuted(&|proof| *proof.snapshot.as_mut().unwrap().commits[0].shown[0].bytes.last_mut().unwrap() ^= 1);
    assert!(matches!(fact, Refuted::NotInLog | Refuted::Commit { .. }), "{fact}");
    let moved = refuted(&|proof| proof.snapshot.as_mut().unwrap().commits[0].shown[0].place -= 1);
    assert!(matches!(moved, Refuted::NotInLog), "{moved}");
    let left_out = refuted(&|proof| drop(proof.snapshot.as_mut().unwrap().commits.remove(1)));
    assert!(matches!(left_out, Refuted::NotInLog), "{left_out}");
    let later = refuted(&|proof| proof.snapshot.as_mut().unwrap().commits[0].recorded += 1);
    assert!(matches!(later, Refuted::NotInLog), "{later}");
    let swapped = refuted(&|proof| {
        let mut taken = part(proof);
        taken.commits.swap(0, 1);
        proof.snapshot = Some(taken);
    });
    assert!(matches!(swapped, Refuted::NotInLog), "{swapped}");
}

#[test]
fn the_second_verifier_traces_the_same_facts() {
    let Some(python) = python::find() else { return };
    let place = story();
    for id in ["1", "2", "3", "o"] {
        let proof = prove(&place, id, Some(5));
        python.accepts(&proof, &["--key", &place.key()]);
        let part = Proof::parse(&proof).unwrap().snapshot.unwrap();
        let mut changed = Proof::parse(&proof).unwrap();
        changed.snapshot.as_mut().unwrap().commits[0].shown[0].salt[0] ^= 1;
        python.refuses(&changed.text(), &[]);
        let mut changed = Proof::parse(&proof).unwrap();
        changed.snapshot.as_mut().unwrap().commits[0].recorded += 1;
        python.refuses(&changed.text(), &[]);
        assert!(!part.commits.is_empty());
    }
}

#[test]
fn what_is_not_there_is_not_proved_and_its_snapshot_is_named() {
    let place = story();
    let (chain, id) = ("cA ü".parse().unwrap(), "9".parse().unwrap());
    let error = prove_snapshot(&place.desk, &place.keys(), &chain, &id, None).unwrap_err();
    assert!(error.to_string().contains("snapshot 9 of chain cA ü"), "{error}");
}

/// Whatever is known, in whatever order it came: what the ledger says of a snapshot is what its proof shows.
fn histories() -> impl Strategy<Value = Vec<Vec<Fact>>> {
    let names = || prop::sample::subsequence(vec!["ann", "bob", "eve"], 0..3);
    let fact = prop_oneof![
        4 => (1u8..4, names(), 0u64..60, prop::option::of(0u64..60)).prop_map(|(n, names, minutes, since)| {
            seen(n, &names, minutes, since.filter(|since| *since < minutes))
        }),
        4 => (0u64..60, 0u64..60).prop_map(|(a, b)| horizon(a.min(b), a.max(b))),
        1 => (0u64..60).prop_map(|minutes| {
            let (lag, source) = (Duration::from_secs(30), Source::Live);
            let reading = Reading { at: at(minutes), lag, source, unchanged_since: None };
            Fact::Vacant(Vacant { name: name("ann"), reading })
        }),
        1 => (0u64..20).prop_map(|minutes| {
            Fact::Settling(Settling { propagation: Duration::from_secs(60 * minutes), audit_lag: None })
        }),
    ];
    prop::collection::vec(prop::collection::vec(fact, 1..5), 1..14)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn a_proof_shows_what_the_ledger_says(
        history in histories(),
        from in 0u64..60,
        kind in prop::sample::select(vec![NameKind::Any, NameKind::Upn, NameKind::Smtp]),
        receipted in prop::option::of((1u8..4, prop::option::of(1u8..4))),
    ) {
        let place = Place::new();
        let settling = Settling { propagation: Duration::from_secs(120), audit_lag: None };
        append(&place, 0, vec![Fact::Settling(settling), taken("1", Addressed::Name(name("ann"), kind), from, from + 1)]);
        for (minutes, facts) in (1..).zip(history) {
            append(&place, minutes, facts);
        }
        if let Some((start, end)) = receipted {
            append(&place, 99, vec![receipt("1", start, end)]);
        }
        let verified = verify(&prove(&place, "1", Some(1)), &trusting(&place)).unwrap();
        let (chain, id) = ("cA ü".parse().unwrap(), "1".parse().unwrap());
        let view = place.desk.ledger.view(TENANT, whowas::ledger::KnownAt::Now).unwrap();
        let own = place.desk.ledger.snapshot(TENANT, &chain, &id, view.settling()).unwrap().unwrap();
        prop_assert_eq!(verified.snapshot.unwrap().attribution, Claim::of(&own.attribution));
        prop_assert!(attributed(&chain, &id, &[]).is_none());
    }
}
