//! What every release so far has left: a ledger and an export of each format, kept under `tests/data/formats/`, must be
//! opened, verified, restored, gone on with and exported again by this one.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;
use whowas::domain::fact::{Blind, Fact};
use whowas::domain::id::{Sequence, TenantId};
use whowas::ledger::Ledger;
use whowas::service::export::{Begun, restore};
use whowas::store::hash::HeaderVersion;
use whowas::store::sled::{FORMAT, SledOptions, SledStore};
use whowas::store::{LedgerStore, StoreError};

use super::{NOW, add, assert_same, brought, written};

fn formats() -> Vec<(u32, PathBuf)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/formats");
    let mut found: Vec<(u32, PathBuf)> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().to_str().unwrap().parse().unwrap(), entry.path()))
        .collect();
    found.sort();
    found
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(|entry| entry.unwrap()) {
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to.join(entry.file_name())),
            false => drop(fs::copy(entry.path(), to.join(entry.file_name())).unwrap()),
        }
    }
}

fn options() -> SledOptions {
    SledOptions { cache_capacity_bytes: 16 << 20, ..SledOptions::new("test", NOW) }
}

fn format_of(ledger: &Path) -> u32 {
    fs::read_to_string(ledger.join("format")).unwrap().trim().parse().unwrap()
}

#[test]
fn every_format_so_far_has_a_ledger_and_an_export() {
    let found: Vec<u32> = formats().into_iter().map(|(format, _)| format).collect();
    assert_eq!(found, (1..=FORMAT).collect::<Vec<_>>());
    for (format, folder) in formats() {
        assert_eq!(format_of(&folder.join("ledger")), format);
    }
}

#[test]
fn ledgers_and_exports_of_every_format_are_read_verified_and_brought_back() {
    for (format, folder) in formats() {
        let at = TempDir::new().unwrap();
        copy(&folder.join("ledger"), at.path());
        let ledger = Ledger::new(SledStore::open(at.path(), options()).unwrap());
        let report = ledger.verify(|_| ()).unwrap();
        assert_eq!((report.differing, report.tenants), (0, 2), "format {format}: {report:?}");
        let export = fs::read(folder.join("export.jsonl")).unwrap();
        let place = TempDir::new().unwrap();
        let restoring = SledOptions { create: true, restore: true, ..options() };
        let restored = Ledger::new(SledStore::open(place.path(), restoring).unwrap());
        let told = restore(&restored, &*export, false, &mut |_| ()).unwrap();
        assert_eq!((told.added, told.commits), (report.commits, report.commits), "format {format}");
        // Both are kept by one engine, so also what is derived has the same bytes.
        assert_same(&ledger, &restored);
        drop(ledger);
        assert_eq!(format_of(at.path()), FORMAT, "what format {format} lacked was added when it was opened");
    }
}

/// What an upgrade is: opening and going on. An older release is refused from then on, and no commit of before is touched.
#[test]
fn a_ledger_of_every_format_goes_on_in_the_newest_one_and_keeps_its_hashes() {
    for (format, folder) in formats() {
        let at = TempDir::new().unwrap();
        copy(&folder.join("ledger"), at.path());
        let store = Arc::new(SledStore::open(at.path(), options()).unwrap());
        let ledger = Ledger::shared(store.clone());
        let tenant: TenantId = ledger.tenants().unwrap()[0];
        let before = store.journal(tenant, Sequence(1), usize::MAX).unwrap();
        add(&ledger, tenant, 250, vec![Fact::Blind(Blind { from: NOW, until: NOW, why: "a pause".into() })]);
        let after = store.journal(tenant, Sequence(1), usize::MAX).unwrap();
        assert_eq!((&after[..before.len()], after.len()), (&before[..], before.len() + 1), "format {format}");
        let is_old = |version| version == HeaderVersion::Whole;
        assert_eq!(before.iter().any(|entry| is_old(entry.version)), format == 1);
        assert!(!is_old(after.last().unwrap().version));
        assert_eq!(format_of(at.path()), FORMAT);
        // Commits of both ways of hashing leave in one file, and come back as they are.
        let (text, _) = written(&ledger, Begun::default());
        let (restored, told) = brought(&text);
        assert_eq!(told.unwrap().tenants.iter().map(|part| part.commits).max(), Some(after.len() as u64));
        assert_eq!(restored.head(tenant).unwrap(), ledger.head(tenant).unwrap());
        assert_eq!(written(&restored, Begun::default()).0, text);
        assert_eq!(ledger.verify(|_| ()).unwrap().differing, 0);
        drop(ledger);
        Arc::into_inner(store).unwrap().compact(&mut |_| ()).unwrap();
        let ledger = Ledger::new(SledStore::open(at.path(), options()).unwrap());
        assert_eq!(written(&ledger, Begun::default()).0, text, "format {format}");
    }
}

#[test]
fn a_ledger_of_a_format_to_come_is_refused() {
    let at = TempDir::new().unwrap();
    copy(&formats()[0].1.join("ledger"), at.path());
    fs::write(at.path().join("format"), format!("{}\n", FORMAT + 1)).unwrap();
    let refused = SledStore::open(at.path(), options()).unwrap_err();
    assert!(matches!(refused, StoreError::NewerFormat { .. }), "{refused}");
    assert!(refused.to_string().contains("upgrade whowas"), "{refused}");
}
