use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::super::directory::copy_below;
use super::super::{SledOptions, SledStore};
use super::*;
use crate::domain::fact::{Blind, Fact};
use crate::domain::time::Instant;
use crate::store::{Commit, Derived, LedgerStore};

const NOW: Instant = Instant::from_micros(1_800_000_000_000_000);

/// A ledger of format 1 with two tenants, of ten commits and of one.
fn old() -> TempDir {
    let folder = TempDir::new().unwrap();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/formats/1/ledger");
    copy_below(&from, &at(&folder)).unwrap();
    folder
}

fn at(folder: &TempDir) -> PathBuf {
    folder.path().join("ledger")
}

fn options() -> SledOptions {
    SledOptions { cache_capacity_bytes: 16 << 20, free_bytes_min: 0, ..SledOptions::new("test", NOW) }
}

fn full() -> SledOptions {
    SledOptions { free_bytes_min: u64::MAX / 2, ..options() }
}

fn go_on(store: &SledStore, tenant: TenantId) -> Result<(), StoreError> {
    let head = store.head(tenant)?.sequence;
    let facts = vec![Fact::Blind(Blind { from: NOW, until: NOW, why: format!("pause {head}") })];
    let commit = Commit { recorded: NOW, salt: [7; 16], facts, cursor: None, run: None };
    store.append(tenant, head, commit, Derived::default()).map(drop)
}

fn derived(store: &SledStore) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut records = Vec::new();
    store.each_derived(&mut |key, value| records.push((key.to_vec(), value.to_vec()))).unwrap();
    records
}

fn forget_nodes(store: &SledStore, tenant: TenantId, commits: u64) {
    let mut batch = Batch::default();
    (1..=commits).for_each(|nth| batch.remove(Key::LogNodes { tenant, sequence: Sequence(nth) }.encode()));
    store.engine.apply(batch).unwrap();
    store.engine.persist().unwrap();
}

#[test]
fn a_ledger_that_was_opened_on_a_full_disk_has_its_log_before_it_goes_on() {
    let (folder, other) = (old(), old());
    let whole = SledStore::open(at(&folder), options()).unwrap();
    let mut store = SledStore::open(at(&other), full()).unwrap();
    let all: Vec<TenantId> = tenants(&store.engine).unwrap().into_iter().map(|(tenant, _)| tenant).collect();
    assert_eq!(all.len(), 2);
    assert!(matches!(go_on(&store, all[0]), Err(StoreError::DiskFull { .. })));
    assert_eq!(store.directory.format().unwrap(), Some(1), "nothing is written to a full disk");
    // Room is made while it is open.
    store.options.free_bytes_min = 0;
    for _ in 0..3 {
        go_on(&whole, all[0]).unwrap();
        go_on(&store, all[0]).unwrap();
    }
    assert_eq!(derived(&store), derived(&whole));
    assert_eq!(store.directory.format().unwrap(), Some(FORMAT));
}

/// Earlier releases let commits follow without the log.
#[test]
fn a_log_that_lacks_its_beginning_is_added_when_the_ledger_is_opened() {
    let folder = old();
    let store = SledStore::open(at(&folder), options()).unwrap();
    let tenant = tenants(&store.engine).unwrap()[0].0;
    go_on(&store, tenant).unwrap();
    let whole = derived(&store);
    forget_nodes(&store, tenant, 10);
    assert!(go_on(&store, tenant).is_err(), "commit 12 needs a node of commit 10");
    drop(store);
    let store = SledStore::open(at(&folder), options()).unwrap();
    assert_eq!(derived(&store), whole);
    go_on(&store, tenant).unwrap();
}

#[test]
fn a_damaged_journal_of_one_tenant_leaves_the_others_theirs() {
    let folder = old();
    let store = SledStore::open(at(&folder), full()).unwrap();
    let all = tenants(&store.engine).unwrap();
    let (damaged, sound) = (all[0].0, all[1].0);
    let mut batch = Batch::default();
    batch.insert(Key::Journal { tenant: damaged, sequence: Sequence(3), chunk: 0 }.encode(), vec![0xff; 9]);
    store.engine.apply(batch).unwrap();
    store.engine.persist().unwrap();
    drop(store);
    let store = SledStore::open(at(&folder), options()).unwrap();
    let node = LogNode { level: 0, number: 0 };
    assert!(store.log_nodes(sound, &[node]).is_ok());
    assert!(store.log_nodes(damaged, &[node]).is_err());
}
