//! Everything derived follows from the journal: dropping it and deriving it anew gives the same bytes.

use std::borrow::Cow;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use data_encoding::HEXLOWER;

use crate::domain::id::{Sequence, TenantId};
use crate::store::{Entry, Hash, LedgerStore, RawEntry, StoreError};

use super::forgetting::Forgetting;
use super::{Ledger, LedgerError, derive};

/// How many journal entries are read at a time.
const ENTRIES: usize = 64;
/// How many differing records are named before the rest is only counted.
const DIFFERENCES_NAMED: usize = 20;

/// What `verify` found.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct VerifyReport {
    /// Tenants looked at.
    pub tenants: u64,
    /// Commits whose payload and place in the hash chain were checked.
    pub commits: u64,
    /// Facts in them.
    pub facts: u64,
    /// What was forgotten of them, where something else stands now.
    pub forgotten: u64,
    /// Derived records compared.
    pub records: u64,
    /// Derived records that differ from what the journal gives, the first of them named.
    pub differences: Vec<Difference>,
    /// How many of those that differ are items that were forgotten and are not named as they stand, or the other way round.
    pub unsound: u64,
    /// How many differ in all.
    pub differing: u64,
}

/// A derived record that is not what the journal gives, or something in the journal that stands for nothing.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Difference {
    /// The record's key, in hexadecimal, or the place in the journal.
    pub key: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl VerifyReport {
    fn differ(&mut self, key: String, why: &'static str) {
        self.differing += 1;
        if self.differences.len() < DIFFERENCES_NAMED {
            self.differences.push(Difference { key, why });
        }
    }
}

impl Ledger {
    /// Drops everything derived and derives it anew from the journal. Returns the number of commits replayed. Safe to
    /// repeat after a crash: the journal is never touched.
    pub fn rebuild(&self, mut progress: impl FnMut(u64)) -> Result<u64, LedgerError> {
        self.store().drop_derived()?;
        // Only now are all tenants shown, also one whose head was lost: heads are derived too.
        let tenants = self.store().tenants()?;
        let mut commits = 0;
        for tenant in tenants {
            replay(self.store(), self.store(), tenant, |entry| {
                commits += 1;
                progress(entry.commit.facts.len() as u64);
            })?;
        }
        self.store().sync()?;
        Ok(commits)
    }

    /// Appends a commit that has its hash already, from an export, and derives what follows from it. `entry` is what it opens as.
    ///
    /// # Errors
    /// If it does not follow on the head, or the store fails.
    pub fn append_raw(&self, tenant: TenantId, raw: &RawEntry, entry: &Entry) -> Result<(), LedgerError> {
        let _writing = self.writing();
        let head = self.store().head(tenant)?;
        // What does not follow on the head is refused before anything is derived from it.
        raw.check_follows(tenant, &head)?;
        // It was opened from its bytes, so names that were erased have their own keys in it, and not yet their pseudonyms.
        let commit = match self.store().erasure(tenant)? {
            Some(erasure) => {
                let mut commit = entry.commit.clone();
                commit.facts = commit.facts.into_iter().map(|fact| erasure.fact(fact)).collect();
                Cow::Owned(commit)
            }
            None => Cow::Borrowed(&entry.commit),
        };
        let derived = derive::derive_again(self.store(), tenant, &head, &commit)?;
        self.store().append_raw(tenant, raw, derived)?;
        Ok(())
    }

    /// Checks every hash of the journal and compares every derived record with what the journal gives.
    pub fn verify(&self, mut progress: impl FnMut(u64)) -> Result<VerifyReport, LedgerError> {
        let scratch = self.store().scratch()?;
        let mut report = VerifyReport::default();
        for tenant in self.store().tenants()? {
            report.tenants += 1;
            let erasure = self.store().erasure(tenant)?;
            let mut forgetting = Forgetting::new(erasure.as_deref());
            replay(self.store(), scratch.as_ref(), tenant, |entry| {
                report.commits += 1;
                let facts = entry.commit.facts.len() as u64;
                report.facts += facts;
                forgetting.look_at(entry);
                progress(facts);
            })?;
            report.forgotten += forgetting.items();
            for (what, why) in forgetting.unsound() {
                report.unsound += 1;
                report.differ(format!("{what} of tenant {tenant}"), why);
            }
        }
        compare(self.store(), scratch.as_ref(), &mut report)?;
        Ok(report)
    }
}

/// Derives a tenant's journal anew into a store.
fn replay(
    journal: &dyn LedgerStore,
    into: &dyn LedgerStore,
    tenant: TenantId,
    mut each: impl FnMut(&Entry),
) -> Result<(), LedgerError> {
    let mut next = Sequence(1);
    let mut previous = Hash::default();
    loop {
        let entries = journal.journal(tenant, next, ENTRIES)?;
        if entries.is_empty() {
            return Ok(());
        }
        for entry in entries {
            if entry.sequence != next || entry.previous != previous {
                return Err(broken_chain(tenant, next).into());
            }
            let head = into.head(tenant)?;
            let derived = derive::derive_again(into, tenant, &head, &entry.commit)?;
            into.restore_derived(tenant, &entry, derived)?;
            each(&entry);
            previous = entry.hash;
            next = next.next();
        }
    }
}

fn broken_chain(tenant: TenantId, sequence: Sequence) -> StoreError {
    StoreError::Damaged {
        what: format!("commit {sequence} of tenant {tenant}"),
        why: "it does not follow the commit before it in the hash chain".to_owned(),
    }
}

type Record = (Vec<u8>, Vec<u8>);

/// Walks the derived records of both stores side by side, in bounded memory.
fn compare(ours: &dyn LedgerStore, derived: &dyn LedgerStore, report: &mut VerifyReport) -> Result<(), LedgerError> {
    thread::scope(|scope| {
        let (left_tx, left) = sync_channel(1024);
        let (right_tx, right) = sync_channel(1024);
        let readers =
            [scope.spawn(move || send_all(ours, &left_tx)), scope.spawn(move || send_all(derived, &right_tx))];
        merge(&left, &right, report);
        for reader in readers {
            match reader.join() {
                Ok(done) => done?,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok(())
    })
}

fn send_all(store: &dyn LedgerStore, to: &SyncSender<Record>) -> Result<(), StoreError> {
    // The other side hangs up only when it has stopped listening, and then the rest is not wanted.
    store.each_derived(&mut |key, value| drop(to.send((key.to_vec(), value.to_vec()))))
}

fn merge(left: &Receiver<Record>, right: &Receiver<Record>, report: &mut VerifyReport) {
    let mut add = |key: &[u8], why| {
        report.differ(HEXLOWER.encode(key), why);
    };
    let (mut ours, mut derived) = (left.recv().ok(), right.recv().ok());
    let mut records = 0;
    loop {
        match (&ours, &derived) {
            (None, None) => break,
            (Some((a, _)), Some((b, _))) if a == b => {
                if ours != derived {
                    add(a, "it differs from what the journal gives");
                }
                (ours, derived) = (left.recv().ok(), right.recv().ok());
            }
            (Some((a, _)), Some((b, _))) if a < b => {
                add(a, "the journal does not give it");
                ours = left.recv().ok();
            }
            (Some((a, _)), None) => {
                add(a, "the journal does not give it");
                ours = left.recv().ok();
            }
            (_, Some((b, _))) => {
                add(b, "it is missing");
                derived = right.recv().ok();
            }
        }
        records += 1;
    }
    report.records = records;
}
