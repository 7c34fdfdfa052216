use std::fs;
use std::time::Duration;

use tempfile::TempDir;

use super::super::{InspectionKeys, LedgerKey};
use super::*;
use crate::domain::fact::{Fact, Profile, Reading, Seen, Source};
use crate::domain::id::{ObjectId, Sequence, TenantId};
use crate::domain::time::Instant;
use crate::store::{Commit, Derived, Head, LedgerStore};

const TENANT: TenantId = TenantId::from_bytes([0x33; 16]);
const COMMITS: u64 = 12;
const USERS: u64 = 40;

fn options() -> SledOptions {
    let now = Instant::from_micros(1_700_000_000_000_000);
    SledOptions { create: true, cache_capacity_bytes: 16 << 20, ..SledOptions::new("compact", now) }
}

/// Forty users, reported anew by each commit, so that a good part of the engine's file is stale.
fn filled() -> TempDir {
    filled_with(COMMITS, USERS)
}

fn filled_with(commits: u64, users: u64) -> TempDir {
    let folder = TempDir::new().unwrap();
    let store = SledStore::open(folder.path(), options()).unwrap();
    for nth in 1..=commits {
        let at = Instant::from_micros(i64::try_from(nth).unwrap());
        let reading = Reading { at, lag: Duration::from_secs(300), source: Source::Delta, unchanged_since: None };
        let facts: Vec<_> = (0..users)
            .map(|user| {
                let object = ObjectId::from_bytes(u128::from(user).to_be_bytes());
                let upn = Some(format!("user{user}.{nth}@contoso.example").parse().unwrap());
                (object, Fact::Seen(Seen { object, reading, profile: Profile { upn, ..Profile::default() } }))
            })
            .collect();
        let objects = facts.iter().map(|(object, fact)| (*object, vec![fact.clone()])).collect();
        let facts = facts.into_iter().map(|(_, fact)| fact).collect();
        let commit = Commit { recorded: at, salt: [7; 16], facts, cursor: None, run: None };
        store.append(TENANT, Sequence(nth - 1), commit, Derived { objects, ..Derived::default() }).unwrap();
    }
    folder
}

type Content = (Arc<Head>, Vec<crate::store::Entry>, Vec<(Vec<u8>, Vec<u8>)>);

fn content(store: &SledStore) -> Content {
    let mut records = Vec::new();
    store.each_derived(&mut |key, value| records.push((key.to_vec(), value.to_vec()))).unwrap();
    (store.head(TENANT).unwrap(), store.journal(TENANT, Sequence(1), usize::MAX).unwrap(), records)
}

fn entries(folder: &TempDir) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "holder.json")
        .collect();
    names.sort();
    names
}

#[test]
fn a_compacted_ledger_has_the_same_records_and_goes_on() {
    let folder = filled();
    let store = SledStore::open(folder.path(), options()).unwrap();
    let before = content(&store);
    assert_eq!(before.1.len() as u64, COMMITS);
    let (mut written, mut compared) = (0, 0);
    let done = store
        .compact(&mut |step| match step {
            CompactStep::Written(records) => written = records,
            CompactStep::Compared(records) => compared = records,
        })
        .unwrap();
    assert_eq!(written, done.records);
    assert_eq!(done.records, before.2.len() as u64 + COMMITS);
    assert!(compared <= done.records);
    assert_eq!(entries(&folder), ["commits", "engine", "format", "lock", "rules"]);
    let store = SledStore::open(folder.path(), options()).unwrap();
    assert_eq!(content(&store), before);
    let recorded = Instant::from_micros(1_000);
    let commit = Commit { recorded, salt: [8; 16], facts: Vec::new(), cursor: None, run: None };
    let head = store.append(TENANT, Sequence(COMMITS), commit, Derived::default()).unwrap();
    assert_eq!(head.sequence, Sequence(COMMITS + 1));
}

#[test]
fn a_ledger_with_much_that_is_stale_takes_less_space() {
    let folder = filled_with(30, 500);
    let store = SledStore::open(folder.path(), options()).unwrap();
    let done = store.compact(&mut |_| ()).unwrap();
    // How much less depends on when sled's threads ran, and a few segments of half a megabyte are always in use.
    assert!(done.bytes_after * 5 < done.bytes_before * 4, "{done:?}");
}

/// What a process leaves that dies right after each step.
#[test]
fn a_compaction_that_ends_after_any_step_leaves_a_whole_ledger() {
    let mut steps = Vec::new();
    for stop_after in 0.. {
        let folder = filled();
        let store = SledStore::open(folder.path(), options()).unwrap();
        let before = content(&store);
        let mut nth = 0;
        let died = store.compact_in_steps(&mut |_| (), &mut |step| {
            nth += 1;
            if nth <= stop_after {
                return Ok(());
            }
            steps.push((step.to_owned(), entries(&folder)));
            Err(StoreError::Stopped { path: String::new(), why: "the power went".to_owned() })
        });
        if died.is_ok() {
            break;
        }
        // Whoever looks changes nothing, and sees a whole ledger in it all the same.
        let (left, workspace) = (entries(&folder), TempDir::new().unwrap());
        let seen =
            super::super::inspect(folder.path(), workspace.path(), Instant::from_micros(0), InspectionKeys::default())
                .unwrap();
        assert!(
            matches!(&seen, super::super::Inspection::Whole { tenants, .. }
            if *tenants == [(TENANT, Sequence(COMMITS))]),
            "{seen:?}"
        );
        assert_eq!(entries(&folder), left);
        let store = SledStore::open(folder.path(), options()).unwrap();
        assert_eq!(content(&store), before, "after {:?}", steps.last());
        assert_eq!(entries(&folder), ["commits", "engine", "format", "lock", "rules"], "after {:?}", steps.last());
    }
    let died_after: Vec<_> = steps.iter().map(|(step, _)| step.as_str()).collect();
    assert_eq!(
        died_after,
        [
            "the new engine is written",
            "the new engine is on the disk",
            "the new engine is marked",
            "the old engine is set aside",
            "the new engine is in its place",
            "the old engine is removed",
        ]
    );
    let there = |nth: usize, name: &str| steps[nth].1.iter().any(|entry| entry == name);
    assert!(there(0, "engine.new") && there(3, "engine.old") && !there(3, "engine"), "{steps:?}");
}

#[test]
fn a_new_engine_that_lacks_a_record_is_not_taken() {
    let folder = filled();
    let store = SledStore::open(folder.path(), options()).unwrap();
    let before = content(&store);
    let new = store.directory.new_engine();
    let mut spoilt = false;
    // The record goes while the new engine is closed between writing and comparing.
    let refused = store.compact_in_steps(&mut |_| (), &mut |step| {
        if step == "the new engine is written" {
            let db = ::sled::open(&new).unwrap();
            let (key, _) = db.iter().next().unwrap().unwrap();
            db.remove(key).unwrap();
            spoilt = true;
        }
        Ok(())
    });
    assert!(spoilt);
    assert!(matches!(&refused, Err(StoreError::Damaged { what, .. }) if what.contains("compacted")), "{refused:?}");
    let store = SledStore::open(folder.path(), options()).unwrap();
    assert_eq!(content(&store), before);
}

#[test]
fn a_second_copy_that_does_not_fit_is_not_begun() {
    let folder = filled();
    let store = SledStore::open(folder.path(), SledOptions { free_bytes_min: u64::MAX / 2, ..options() }).unwrap();
    let refused = store.compact(&mut |_| ()).unwrap_err().to_string();
    assert!(refused.contains("make room") && refused.contains("nothing was changed"), "{refused}");
    assert_eq!(entries(&folder), ["commits", "engine", "format", "lock", "rules"]);
}

/// The same of a ledger that is encrypted, encrypted anew, and decrypted.
#[test]
fn an_encryption_that_ends_after_any_step_leaves_a_whole_ledger_and_its_key() {
    let keys = [1u8, 2].map(|nth| LedgerKey::new([nth; 32], [nth + 100; 32]));
    let ways = [(None, Some(&keys[0])), (Some(&keys[0]), Some(&keys[1])), (Some(&keys[0]), None)];
    for (from, to) in ways {
        let (mut was, mut became) = (0, 0);
        for stop_after in 0.. {
            let folder = filled();
            let with = |key: Option<&LedgerKey>| SledOptions { key: key.cloned(), ..options() };
            let before = content(&SledStore::open(folder.path(), options()).unwrap());
            if let Some(key) = from {
                SledStore::open(folder.path(), options()).unwrap().encrypt(key, &mut |_| ()).unwrap();
            }
            let store = SledStore::open(folder.path(), with(from)).unwrap();
            let mut nth = 0;
            let cipher = to.map(|key| Arc::new(Cipher::fresh(key)));
            let died = store.rewritten_from(None, cipher, &mut |_| (), &mut |_| {
                nth += 1;
                match nth <= stop_after {
                    true => Ok(()),
                    false => Err(StoreError::Stopped { path: String::new(), why: "the power went".to_owned() }),
                }
            });
            // Whoever only looks needs the key of the engine that counts.
            let look = |key: Option<&LedgerKey>| {
                let workspace = TempDir::new().unwrap();
                let now = Instant::from_micros(0);
                super::super::inspect(
                    folder.path(),
                    workspace.path(),
                    now,
                    InspectionKeys { ledger: key.cloned(), erasure: None },
                )
                .is_ok()
            };
            let is_marked = folder.path().join("compacted").exists() || died.is_ok();
            assert_eq!((look(from), look(to)), (!is_marked, is_marked), "{died:?}");
            // One key opens it, the other does not.
            let opened = match SledStore::open(folder.path(), with(to)) {
                Ok(store) => {
                    became += 1;
                    assert!(SledStore::open(folder.path(), with(from)).is_err());
                    store
                }
                Err(_) => {
                    was += 1;
                    SledStore::open(folder.path(), with(from)).unwrap()
                }
            };
            assert_eq!(content(&opened), before);
            drop(opened);
            assert_eq!(entries(&folder), ["commits", "engine", "format", "lock", "rules"]);
            let format = fs::read_to_string(folder.path().join("format")).unwrap();
            assert_eq!(format.contains("encrypted"), folder.path().join("engine/cipher").exists());
            if died.is_ok() {
                break;
            }
        }
        assert!(was > 1 && became > 3, "{was} {became}");
    }
}

#[test]
fn a_change_of_keys_that_was_interrupted_leaves_nothing() {
    let folder = filled();
    let keys = [1u8, 2].map(|nth| LedgerKey::new([nth; 32], [nth + 100; 32]));
    let with = |nth: usize| SledOptions { key: Some(keys[nth].clone()), ..options() };
    SledStore::open(folder.path(), options()).unwrap().encrypt(&keys[0], &mut |_| ()).unwrap();
    let new = folder.path().join("engine/cipher.new");
    fs::write(&new, "whowas ciph").unwrap();
    SledStore::open(folder.path(), with(0)).unwrap().change_key(&keys[1]).unwrap();
    assert!(!new.exists());
    fs::write(&new, "whowas ciph").unwrap();
    let store = SledStore::open(folder.path(), with(1)).unwrap();
    assert!(!new.exists());
    assert_eq!(store.key_id(), Some(keys[1].id()));
    // The data key is to be a new one.
    let refused = store.encrypt(&keys[0], &mut |_| ()).unwrap_err().to_string();
    assert!(refused.contains("new data key"), "{refused}");
}

/// Its creation died after the key was there, or before; it begins again, with whatever key is given then.
#[test]
fn a_creation_that_was_interrupted_is_begun_again_with_the_key_that_is_given() {
    let folder = TempDir::new().unwrap();
    let key = |nth: u8| LedgerKey::new([nth; 32], [nth + 100; 32]);
    Cipher::fresh(&key(1)).place(&folder.path().join("engine")).unwrap();
    let with = |key: Option<LedgerKey>| SledOptions { key, ..options() };
    let store = SledStore::open(folder.path(), with(Some(key(2)))).unwrap();
    assert_eq!(store.key_id(), Some(key(2).id()));
    drop(store);
    assert!(matches!(SledStore::open(folder.path(), with(None)), Err(StoreError::NoKey { .. })));
    let folder = TempDir::new().unwrap();
    Cipher::fresh(&key(1)).place(&folder.path().join("engine")).unwrap();
    assert_eq!(SledStore::open(folder.path(), with(None)).unwrap().key_id(), None);
    assert_eq!(fs::read_to_string(folder.path().join("format")).unwrap(), "2\n");
}
