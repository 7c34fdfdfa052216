//! What is derived from one journal, held against what these rules gave when they got their number.

use std::fs;
use std::path::PathBuf;

use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use sha2::{Digest, Sha256};
use whowas::service::export::{Begun, export, restore};
use whowas::store::RULES;
use whowas::store::hash::Hash;

use super::*;

fn kept(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/data/rules", name].iter().collect()
}

/// The export of a world in which everything happens that the worlds of this file know.
fn eventful() -> Vec<u8> {
    let mut runner = TestRunner::deterministic();
    let acts: Vec<(i64, Act)> = (0..12).flat_map(|_| acts().new_tree(&mut runner).unwrap().current()).collect();
    let world = World::play(&acts);
    let mut text = Vec::new();
    export(&world.ledger, None, Begun::default(), world.clock(), &mut text, &mut |_| ()).unwrap();
    text
}

/// A ledger of other rules is answered from by nobody until it is rebuilt, but only if these have another number.
#[test]
fn whoever_changes_what_is_derived_raises_the_number_of_the_rules() {
    if std::env::var_os("WHOWAS_BLESS").is_some() && !kept("journal.jsonl").exists() {
        fs::create_dir_all(kept("")).unwrap();
        fs::write(kept("journal.jsonl"), eventful()).unwrap();
    }
    let ledger = Ledger::new(MemoryStore::new());
    restore(&ledger, &*fs::read(kept("journal.jsonl")).unwrap(), false, &mut |_| ()).unwrap();
    let records = derived_bytes(&ledger);
    assert!(records.len() > 100, "hardly anything is derived: {} records", records.len());
    let mut hash = Sha256::new();
    for part in records.iter().flat_map(|(key, value)| [key, value]) {
        hash.update(u64::try_from(part.len()).unwrap().to_be_bytes());
        hash.update(part);
    }
    let derived = Hash(hash.finalize().into()).to_string();
    // Each number has one line, so that a number that is out cannot come to mean other rules.
    let numbers = fs::read_to_string(kept("derived")).unwrap_or_default();
    let known = numbers.lines().find_map(|line| line.strip_prefix(&format!("{RULES} ")));
    assert_eq!(
        known,
        Some(derived.as_str()),
        "the same journal gives other records than the rules of this number ever gave: raise store::RULES, and add a line with \
         the new number and this hash to tests/data/rules/derived"
    );
}
