//! The engine reads behind a question, and the same reads on the engine alone.
//!
//! [`Recording`] is a store that notes what the ledger asks of it. The notes are then replayed on a sled tree with the
//! same records: keys ready encoded, values neither checked nor decoded. That is the least that any ledger on this engine
//! could take for the same reads.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use whowas::domain::erase::{Erased, Fingerprint};
use whowas::domain::fact::Vacant;
use whowas::domain::finding::{Finding, FindingId};
use whowas::domain::id::{ChainId, MailboxId, ObjectId, Sequence, SnapshotId, TenantId};
use whowas::domain::link::Anchor;
use whowas::domain::name::NameKey;
use whowas::domain::time::Instant;
use whowas::store::{
    Commit, Derived, Description, EndingPlace, Entry, Hash, Head, Known, LedgerStore, LinkRecord, LogNode, NamedPlace,
    Order, Posting, Proved, RawEntry, Run, SnapshotPlace, SnapshotRecord, StoreError, Subject, Tally,
};

use super::TENANT;

/// One read of the engine, ready to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// A point get.
    Get(Vec<u8>),
    /// A seek to the first or last records of a range, as many as the number says.
    Seek(Vec<u8>, Vec<u8>, Order, usize),
}

/// What the ledger asked of its store, while it is to be noted.
#[derive(Clone, Default)]
pub struct Notes {
    on: Arc<AtomicBool>,
    reads: Arc<Mutex<Vec<Read>>>,
}

impl Notes {
    /// Begins or ends the noting. While it is off, it costs the question nothing that could be measured.
    pub fn record(&self, on: bool) {
        self.on.store(on, Ordering::Relaxed);
    }

    /// Takes what was noted since the last time.
    pub fn take(&self) -> Vec<Read> {
        std::mem::take(&mut *self.reads.lock().unwrap())
    }

    fn note(&self, read: impl FnOnce() -> Read) {
        if self.on.load(Ordering::Relaxed) {
            self.reads.lock().unwrap().push(read());
        }
    }
}

/// A store that notes the reads made through it.
pub struct Recording<S> {
    store: S,
    notes: Notes,
}

impl<S: LedgerStore> Recording<S> {
    pub fn new(store: S) -> (Self, Notes) {
        let notes = Notes::default();
        (Self { store, notes: notes.clone() }, notes)
    }
}

/// The key layout of `src/store/key.rs`, written down once more because the crate keeps it to itself.
fn key(kind: u8, fields: &[&[u8]]) -> Vec<u8> {
    [TENANT.as_bytes().as_slice(), &[kind], &fields.concat()].concat()
}

fn all(prefix: Vec<u8>) -> Read {
    first(prefix, Order::Forward, usize::MAX)
}

fn first(prefix: Vec<u8>, order: Order, limit: usize) -> Read {
    let mut end = prefix.clone();
    while end.last() == Some(&255) {
        end.pop();
    }
    *end.last_mut().unwrap() += 1;
    Read::Seek(prefix, end, order, limit)
}

/// Makes the reads and returns how many bytes they found.
pub fn replay(db: &sled::Db, reads: &[Read]) -> usize {
    let mut bytes = 0;
    for read in reads {
        match read {
            Read::Get(key) => bytes += db.get(key).unwrap().map_or(0, |value| value.len()),
            Read::Seek(from, until, order, limit) => {
                let mut range = db.range(from.as_slice()..until.as_slice());
                for _ in 0..*limit {
                    let next = match order {
                        Order::Forward => range.next(),
                        Order::Backward => range.next_back(),
                    };
                    let Some(found) = next else { break };
                    let (key, value) = found.unwrap();
                    bytes += key.len() + value.len();
                }
            }
        }
    }
    bytes
}

/// Opens the engine of a ledger directory, or of a copy of one, without the ledger.
pub fn open(ledger: &Path, cache_capacity_bytes: u64) -> sled::Db {
    sled::Config::new().path(ledger.join("engine")).cache_capacity(cache_capacity_bytes).open().unwrap()
}

/// Copies the engine's files of a ledger that is closed. sled must never be given a copy of one in use.
pub fn copy(ledger: &Path, to: &Path) {
    copy_directory(&ledger.join("engine"), &to.join("engine"));
}

/// Copies a directory of files that nobody has open.
pub fn copy_directory(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.metadata().unwrap().is_dir() {
            copy_directory(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

impl<S: LedgerStore> LedgerStore for Recording<S> {
    fn object(&self, tenant: TenantId, object: ObjectId) -> Result<Vec<Known>, StoreError> {
        self.notes.note(|| Read::Get(key(3, &[object.as_bytes(), &[0, 0]])));
        self.store.object(tenant, object)
    }

    fn holders(&self, tenant: TenantId, name: &NameKey) -> Result<Vec<Posting>, StoreError> {
        self.notes.note(|| all(key(4, &[name.as_str().as_bytes(), &[0]])));
        self.store.holders(tenant, name)
    }

    // Searching is not measured, so what it reads is not noted.
    fn names_from(
        &self,
        tenant: TenantId,
        beginning: &str,
        after: Option<&NameKey>,
        limit: usize,
    ) -> Result<Vec<NameKey>, StoreError> {
        self.store.names_from(tenant, beginning, after, limit)
    }

    fn chains_from(
        &self,
        tenant: TenantId,
        beginning: &str,
        after: Option<&ChainId>,
        limit: usize,
    ) -> Result<Vec<ChainId>, StoreError> {
        self.store.chains_from(tenant, beginning, after, limit)
    }

    fn vacancies(&self, tenant: TenantId, name: &NameKey) -> Result<Vec<(Sequence, Vacant)>, StoreError> {
        self.notes.note(|| all(key(5, &[name.as_str().as_bytes(), &[0]])));
        self.store.vacancies(tenant, name)
    }

    fn snapshots(
        &self,
        tenant: TenantId,
        chain: &ChainId,
        order: Order,
        after: Option<&SnapshotPlace>,
        limit: usize,
    ) -> Result<Vec<SnapshotRecord>, StoreError> {
        assert!(after.is_none(), "in these worlds the first snapshot of either end is enough");
        self.notes.note(|| first(key(6, &[chain.as_str().as_bytes(), &[0]]), order, limit));
        self.store.snapshots(tenant, chain, order, after, limit)
    }

    fn chains(&self, tenant: TenantId, subject: &Subject) -> Result<Vec<ChainId>, StoreError> {
        self.notes.note(|| {
            all(match subject {
                Subject::Object(object) => key(8, &[object.as_bytes()]),
                // Where no snapshot is addressed by the name, this is the one seek there is.
                Subject::Name(name) => key(9, &[name.as_str().as_bytes(), &[0]]),
            })
        });
        self.store.chains(tenant, subject)
    }

    fn tallies(&self, tenant: TenantId, chain: &ChainId) -> Result<Vec<Tally>, StoreError> {
        self.notes.note(|| all(key(0x0d, &[chain.as_str().as_bytes(), &[0]])));
        self.store.tallies(tenant, chain)
    }

    // The head is kept in memory, so reading it is no read of the engine. The rest is not used by the questions.

    fn head(&self, tenant: TenantId) -> Result<Arc<Head>, StoreError> {
        self.store.head(tenant)
    }

    fn tenants(&self) -> Result<Vec<TenantId>, StoreError> {
        self.store.tenants()
    }

    fn append(
        &self,
        tenant: TenantId,
        expected: Sequence,
        commit: Commit,
        derived: Derived,
    ) -> Result<Head, StoreError> {
        self.store.append(tenant, expected, commit, derived)
    }

    fn object_ids(&self, tenant: TenantId, after: Option<ObjectId>, limit: usize) -> Result<Vec<ObjectId>, StoreError> {
        self.store.object_ids(tenant, after, limit)
    }

    fn snapshot(
        &self,
        tenant: TenantId,
        chain: &ChainId,
        id: &SnapshotId,
    ) -> Result<Option<SnapshotRecord>, StoreError> {
        self.store.snapshot(tenant, chain, id)
    }

    fn snapshots_named(
        &self,
        tenant: TenantId,
        name: &NameKey,
        after: Option<&NamedPlace>,
        limit: usize,
    ) -> Result<Vec<SnapshotRecord>, StoreError> {
        self.store.snapshots_named(tenant, name, after, limit)
    }

    fn snapshots_ending(
        &self,
        tenant: TenantId,
        proved: Proved,
        from: Instant,
        through: Instant,
        after: Option<&EndingPlace>,
        limit: usize,
    ) -> Result<Vec<SnapshotRecord>, StoreError> {
        self.store.snapshots_ending(tenant, proved, from, through, after, limit)
    }

    fn members(&self, tenant: TenantId, group: ObjectId) -> Result<Vec<ObjectId>, StoreError> {
        self.store.members(tenant, group)
    }

    fn owned(&self, tenant: TenantId, object: ObjectId) -> Result<Vec<ChainId>, StoreError> {
        self.store.owned(tenant, object)
    }

    fn finding(&self, tenant: TenantId, id: FindingId) -> Result<Option<Finding>, StoreError> {
        self.store.finding(tenant, id)
    }

    fn findings(&self, tenant: TenantId, after: Option<FindingId>, limit: usize) -> Result<Vec<Finding>, StoreError> {
        self.store.findings(tenant, after, limit)
    }

    fn anchored(&self, tenant: TenantId, anchor: &Anchor) -> Result<Vec<ObjectId>, StoreError> {
        self.store.anchored(tenant, anchor)
    }

    fn mailboxes(&self, tenant: TenantId, object: ObjectId) -> Result<Vec<MailboxId>, StoreError> {
        self.store.mailboxes(tenant, object)
    }

    fn links(&self, tenant: TenantId, object: ObjectId) -> Result<Vec<LinkRecord>, StoreError> {
        self.store.links(tenant, object)
    }

    fn notable(&self, tenant: TenantId, after: Option<&NameKey>, limit: usize) -> Result<Vec<NameKey>, StoreError> {
        self.store.notable(tenant, after, limit)
    }

    fn erased(&self, tenant: TenantId) -> Result<Vec<(Erased, Fingerprint)>, StoreError> {
        self.store.erased(tenant)
    }

    fn tenant_facts(&self, tenant: TenantId, through: Sequence) -> Result<Vec<Known>, StoreError> {
        self.store.tenant_facts(tenant, through)
    }

    fn runs(&self, tenant: TenantId, limit: usize) -> Result<Vec<Run>, StoreError> {
        self.store.runs(tenant, limit)
    }

    fn journal(&self, tenant: TenantId, from: Sequence, limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.store.journal(tenant, from, limit)
    }

    fn raw_journal(&self, tenant: TenantId, from: Sequence, limit: usize) -> Result<Vec<RawEntry>, StoreError> {
        self.store.raw_journal(tenant, from, limit)
    }

    fn append_raw(&self, tenant: TenantId, raw: &RawEntry, derived: Derived) -> Result<Head, StoreError> {
        self.store.append_raw(tenant, raw, derived)
    }

    fn log_nodes(&self, tenant: TenantId, nodes: &[LogNode]) -> Result<Vec<Hash>, StoreError> {
        self.store.log_nodes(tenant, nodes)
    }

    fn announce_rebuild(&self) -> Result<(), StoreError> {
        self.store.announce_rebuild()
    }

    fn drop_derived(&self) -> Result<(), StoreError> {
        self.store.drop_derived()
    }

    fn restore_derived(&self, tenant: TenantId, entry: &Entry, derived: Derived) -> Result<(), StoreError> {
        self.store.restore_derived(tenant, entry, derived)
    }

    fn sync(&self) -> Result<(), StoreError> {
        self.store.sync()
    }

    fn each_derived(&self, each: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), StoreError> {
        self.store.each_derived(each)
    }

    fn scratch(&self) -> Result<Box<dyn LedgerStore>, StoreError> {
        self.store.scratch()
    }

    fn bytes(&self) -> Result<u64, StoreError> {
        self.store.bytes()
    }

    fn describe(&self) -> Description {
        self.store.describe()
    }
}
