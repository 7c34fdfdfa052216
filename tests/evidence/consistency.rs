//! That a log continues what it was.

use proptest::prelude::*;
use whowas::evidence::verify::{Refuted, Trust, verify};

use super::place::Place;
use super::python;

fn holding(key: &str, kept: &str) -> Trust {
    Trust { key: Some(key.to_owned()), kept: Some(kept.to_owned()) }
}

/// Every text that one flipped bit makes of a text, as far as it still is text.
pub fn flips(text: &str) -> impl Iterator<Item = String> {
    let bytes = text.as_bytes().to_vec();
    (0..bytes.len() * 8).filter_map(move |bit| {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        String::from_utf8(flipped).ok()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn every_log_is_shown_to_continue_each_of_its_beginnings(
        history in prop::collection::vec(0u32..9, 1..70),
        a in any::<prop::sample::Index>(),
        b in any::<prop::sample::Index>(),
    ) {
        let place = Place::with(&history);
        let (a, b) = (a.index(history.len()) as u64 + 1, b.index(history.len()) as u64 + 1);
        let (older, newer) = (a.min(b), a.max(b));
        let proof = place.prove_consistency(older, newer);
        let trust = holding(&place.key(), &place.checkpoint(older));
        let verified = verify(&proof, &trust).unwrap();
        prop_assert_eq!((verified.checkpoint.size.0, verified.older.unwrap().size.0), (newer, older));
        prop_assert!(verified.key_is_trusted && verified.kept == Some(true));
        prop_assert!(verify(&proof, &holding(&place.key(), &place.checkpoint(newer))).is_ok());
    }

    /// Whoever kept a checkpoint of a history notices when there is another one, wherever they part.
    #[test]
    fn a_rewritten_history_is_noticed(
        common in prop::collection::vec(0u32..9, 0..20),
        ours in prop::collection::vec(0u32..9, 1..20),
        theirs in prop::collection::vec(10u32..19, 1..40),
    ) {
        let honest = Place::with(&[common.clone(), ours].concat());
        let key = honest.key();
        let kept = honest.checkpoint(honest.size());
        let inside = honest.prove_consistency(1, honest.size());
        let forger = Place::with(&[common, theirs].concat());
        let size = honest.size();
        forger.take_keys_of(&honest);
        prop_assert_eq!(forger.key(), key.clone());
        for older in [1, size.min(forger.size())] {
            let proof = forger.prove_consistency(older, forger.size());
            let refuted = verify(&proof, &holding(&key, &kept)).unwrap_err();
            let seen = matches!(refuted, Refuted::TwoHistories { .. } | Refuted::NotConnected { .. });
            prop_assert!(seen, "{}", refuted);
        }
        // The kept checkpoint put in place of the forger's own is no beginning of the forger's log.
        if forger.size() > size {
            let proof = forger.prove_consistency(size, forger.size());
            let quoted = |note: &str| note.lines().map(|line| format!("| {line}").trim_end().to_owned() + "\n").collect::<String>();
            let spliced = proof.replace(&quoted(&forger.checkpoint(size)), &quoted(&kept));
            prop_assert_ne!(&spliced, &proof);
            let refuted = verify(&spliced, &holding(&key, &kept)).unwrap_err();
            prop_assert!(matches!(refuted, Refuted::Rewritten { .. }), "{}", refuted);
        }
        prop_assert!(verify(&inside, &holding(&key, &kept)).is_ok());
    }
}

#[test]
fn every_flipped_bit_of_a_proof_fails_it() {
    let place = Place::with(&[1, 2, 3, 4, 5, 6]);
    let key = Trust { key: Some(place.key()), kept: None };
    for (older, newer) in [(3, 6), (6, 6)] {
        let proof = place.prove_consistency(older, newer);
        verify(&proof, &key).unwrap();
        for flipped in flips(&proof) {
            assert!(verify(&flipped, &key).is_err(), "{flipped}");
            assert!(verify(&flipped, &Trust::default()).is_err(), "without a key: {flipped}");
        }
    }
}

#[test]
fn what_is_cut_off_added_or_put_elsewhere_fails_a_proof() {
    let place = Place::with(&[1, 2, 3, 4, 5, 6, 7]);
    let proof = place.prove_consistency(3, 7);
    let trust = Trust { key: Some(place.key()), kept: None };
    let lines: Vec<&str> = proof.split_inclusive('\n').collect();
    for left_out in 0..lines.len() {
        let mut fewer = lines.clone();
        fewer.remove(left_out);
        assert!(verify(&fewer.concat(), &trust).is_err(), "without line {left_out}");
        let mut twice = lines.clone();
        twice.insert(left_out, lines[left_out]);
        assert!(verify(&twice.concat(), &trust).is_err(), "line {left_out} twice");
        if left_out > 0 && lines[left_out] != lines[left_out - 1] {
            let mut swapped = lines.clone();
            swapped.swap(left_out, left_out - 1);
            assert!(verify(&swapped.concat(), &trust).is_err(), "line {left_out} before the one before");
        }
    }
    for changed in [proof.replace('\n', "\r\n"), format!("{proof}\n"), format!(" {proof}"), proof.to_uppercase()] {
        assert!(verify(&changed, &trust).is_err());
    }
    assert!(verify("", &trust).is_err());
}

#[test]
fn another_key_and_a_checkpoint_of_something_else_are_told_apart() {
    let (place, other) = (Place::with(&[1, 2, 3]), Place::with(&[1, 2, 3]));
    let proof = place.prove_consistency(2, 3);
    let refuted = |trust: &Trust| verify(&proof, trust).unwrap_err();
    assert!(matches!(refuted(&Trust { key: Some(other.key()), kept: None }), Refuted::OtherKey { .. }));
    assert!(matches!(refuted(&Trust { key: Some("nonsense".to_owned()), kept: None }), Refuted::OtherKey { .. }));
    let foreign = Trust { key: None, kept: Some(other.checkpoint(2)) };
    assert!(matches!(refuted(&foreign), Refuted::Checkpoint { .. }));
    let unconnected = holding(&place.key(), &place.checkpoint(1));
    assert!(matches!(refuted(&unconnected), Refuted::NotConnected { .. }));
    // Without a key of one's own it says so.
    assert!(!verify(&proof, &Trust::default()).unwrap().key_is_trusted);
}

#[test]
fn the_second_verifier_says_the_same() {
    let Some(python) = python::find() else { return };
    let place = Place::with(&(0..40).collect::<Vec<u32>>());
    let (key, kept) = (place.key(), place.checkpoint(13));
    for (older, newer) in [(1, 1), (1, 2), (2, 3), (3, 4), (7, 8), (8, 13), (13, 40), (32, 40), (39, 40), (40, 40)] {
        let proof = place.prove_consistency(older, newer);
        python.accepts(&proof, &["--key", &key]);
        if [older, newer].contains(&13) {
            python.accepts_with_kept(&proof, &kept);
        } else {
            python.refuses_with_kept(&proof, &kept);
        }
    }
    let other = Place::with(&(0..40).rev().collect::<Vec<u32>>());
    python.refuses(&place.prove_consistency(1, 2), &["--key", &other.key()]);
    python.flips(&place.prove_consistency(3, 6), 13);
    // A path of another log's.
    let (right, wrong) = (place.prove_consistency(13, 40), place.prove_consistency(12, 40));
    let path =
        |proof: &str| proof.lines().filter(|line| line.starts_with("consistency")).collect::<Vec<_>>().join("\n");
    python.refuses(&right.replace(&path(&right), &path(&wrong)), &[]);
}
