//! The store on disk, in the embedded engine sled.
//!
//! One tree holds everything under the keys of `key.rs`. A commit is one batch (journal, derived records, head), then
//! `flush`, then `fdatasync`, then the acknowledgement: measured, one batch on one tree is atomic under kills where several
//! trees are not, and `flush` alone loses acknowledged commits in a power cut. No value exceeds 64 KiB.
//!
//! Readers do not wait for the sync of a commit under way, so what is in the engine may be ahead of what is acknowledged;
//! every verb therefore leaves out what a commit after the acknowledged head brought. The indexes of names and chains
//! carry no commit: they may already point to an object or a chain of which nothing more is told yet.

mod audit;
mod carve;
mod changes;
mod cipher;
mod compact;
mod directory;
mod encrypt;
mod engine;
mod inspect;
mod opening;
mod ordered;
mod prove;
mod read;
mod readable;
mod repair;
mod resident;
mod search;
mod shelf;
mod swap;
mod unseen;
mod upgrade;
mod writer;

use std::collections::HashMap;
use std::fmt;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossbeam_utils::sync::ShardedLock;

use self::changes::Changes;
use self::cipher::Cipher;
use self::directory::{Directory, Note, Noted, SCRATCH};
use self::engine::{Engine, EngineOptions, Range};
use self::opening::{check_heads, commits_lost, count_commits, find_cipher, lost, open_engine, try_on_copy};
use self::read::{all, damaged, get, scan};
use self::unseen::Unseen;
use super::key::{Key, Prefix};
use super::prepare::{Prepared, head_after, prepare, prepare_raw, prepare_restore};
use super::record::audit::{FindingV1, TallyV1};
use super::record::fact::FactV1;
use super::record::index::{ErasedV1, PlaceV1, PostingV1, VacanciesV1, erased_of};
use super::record::mapping::MappingStateV1;
use super::record::snapshot::SnapshotRecordV1;
use super::record::tenant::{HeadV1, LoggedRunV1};
use super::{
    Commit, Derived, Description, EndingPlace, Entry, Hash, Head, Holder, Known, LedgerStore, LinkRecord, LogNode,
    NamedPlace, Order, Posting, Proved, RawEntry, Residency, Run, SnapshotPlace, SnapshotRecord, StoreError, Subject,
    Syncing, Tally,
};
use crate::domain::erase::{Erased, Fingerprint};
use crate::domain::fact::Vacant;
use crate::domain::finding::{Finding, FindingId};
use crate::domain::id::{ChainId, MailboxId, ObjectId, Sequence, SnapshotId, TenantId};
use crate::domain::link::Anchor;
use crate::domain::name::NameKey;
use crate::domain::time::Instant;

pub use self::cipher::{KeyId, LedgerKey};
pub use self::compact::{CompactStep, Compaction};
pub use self::directory::FORMAT;
pub use self::inspect::{Inspection, InspectionKeys, inspect};
pub use self::repair::{LostCommits, RepairHow, RepairOutcome, RepairReport, TenantRepair, repair};

/// How much sled may keep in memory unless told otherwise. It takes about twice as much.
pub const CACHE_CAPACITY_BYTES: u64 = 128 << 20;
/// How much sled keeps in memory unless told otherwise where most is answered from copies.
pub const SERVING_CACHE_CAPACITY_BYTES: u64 = 8 << 20;
/// How much copies of records may take in a service unless told otherwise: enough for a million users with three names each.
pub const RESIDENT_BYTES: u64 = 384 << 20;
/// How much space must be left on the disk for a commit to be begun.
pub const FREE_BYTES_MIN: u64 = 64 << 20;
/// How long a write is waited for unless told otherwise.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// How to open a [`SledStore`].
#[derive(Clone, Debug)]
pub struct SledOptions {
    /// How much sled may keep in memory.
    pub cache_capacity_bytes: u64,
    /// The command that opens it, told to whoever finds it held.
    pub command: String,
    /// Whether to create a ledger where there is none.
    pub create: bool,
    /// The time, told to whoever finds it held.
    pub now: Instant,
    /// How much space must be left on the disk for a commit to be begun.
    pub free_bytes_min: u64,
    /// Whether to open it even if a rebuild was interrupted, in order to rebuild it.
    pub rebuild: bool,
    /// Whether it is opened to be brought back from an export: it must be empty, or have been opened so before.
    pub restore: bool,
    /// The tenant that it is opened to sync, told to whoever finds it held.
    pub tenant: Option<TenantId>,
    /// Where questions about it are answered meanwhile, told to whoever finds it held.
    pub url: Option<String>,
    /// How long a write is waited for before it counts as failed. A disk that is merely slow must not be taken for a dead one.
    pub patience: Duration,
    /// The key of an encrypted ledger; a new ledger is encrypted if it is there.
    pub key: Option<LedgerKey>,
}

impl SledOptions {
    /// The usual options for a command.
    pub fn new(command: &str, now: Instant) -> Self {
        Self {
            cache_capacity_bytes: CACHE_CAPACITY_BYTES,
            command: command.to_owned(),
            create: false,
            now,
            free_bytes_min: FREE_BYTES_MIN,
            rebuild: false,
            restore: false,
            tenant: None,
            url: None,
            patience: PATIENCE,
            key: None,
        }
    }

    fn engine(&self) -> EngineOptions {
        EngineOptions {
            cache_capacity_bytes: self.cache_capacity_bytes,
            patience: self.patience,
            fills: false,
            is_read: false,
        }
    }
}

/// A ledger in a directory, held by this process until it is dropped.
pub struct SledStore {
    // Fields are dropped in this order: the engine is closed before the lock is given up, and both before a scratch
    // directory is removed.
    engine: Engine,
    directory: Directory,
    options: SledOptions,
    /// Heads that are acknowledged, and nothing newer.
    heads: ShardedLock<HashMap<TenantId, Arc<Head>>>,
    /// What the tenants that are being enumerated for the first time do not have.
    unseen: Unseen,
    /// Held by the one writer; says why nothing more is written.
    stopped: Mutex<Option<String>>,
    rebuilding: AtomicBool,
    /// Whether an older release could still read it.
    is_old: AtomicBool,
    /// Acknowledged commits of all tenants, and how many of those noted before are gone.
    commits: AtomicU64,
    lost: AtomicU64,
    _vanishing: Option<Vanishing>,
}

/// Whether the engine hangs in a write of this process that was given up. Until it ends no ledger can be opened here.
pub fn is_hanging() -> bool {
    !writer::none_hangs(Duration::ZERO)
}

impl SledStore {
    /// Opens the ledger in a directory.
    pub fn open(path: impl AsRef<Path>, options: SledOptions) -> Result<Self, StoreError> {
        Self::open_in(path.as_ref(), options, None, None)
    }

    /// Tells whoever finds the ledger held how far the work on it is.
    pub fn set_syncing(&self, syncing: Vec<Syncing>) -> Result<(), StoreError> {
        self.directory.write_holder(&holder(&self.options, syncing))
    }

    /// Whether derived records are missing because a rebuild is under way or was interrupted.
    pub fn needs_rebuild(&self) -> bool {
        self.rebuilding.load(Ordering::Acquire)
    }

    /// Ends the restore for which it was opened: from now on this is a ledger like any other.
    pub fn end_restore(&self) -> Result<(), StoreError> {
        self.directory.clear_restoring()
    }

    /// How many acknowledged commits the engine came back without. A completed rebuild accepts the loss.
    pub fn commits_lost(&self) -> u64 {
        self.lost.load(Ordering::Acquire)
    }

    /// Whether a commit could be begun now.
    ///
    /// # Errors
    /// Why not: an earlier write failed, or the disk is full.
    pub fn is_writable(&self) -> Result<(), StoreError> {
        // Somebody who is writing just now is proof enough.
        if let Ok(stopped) = self.stopped.try_lock()
            && let Some(why) = stopped.as_ref()
        {
            return Err(StoreError::Stopped { path: self.directory.shown(), why: why.clone() });
        }
        if let Some(why) = self.engine.broken() {
            return Err(StoreError::Stopped { path: self.directory.shown(), why });
        }
        self.check_space()
    }

    /// Begins to keep copies in memory of the records that questions read most, of so many bytes at most; whatever would need
    /// more is read from the engine. [`Self::fill_resident`] makes them.
    pub fn keep_resident(&self, bytes_max: u64) {
        self.engine.resident().begin(bytes_max);
    }

    /// Makes some more of the copies, for some milliseconds while writers wait. Says whether there is more to do.
    ///
    /// # Errors
    /// A record that cannot be read. No copies are kept then, and everything is read from the engine as before.
    pub fn fill_resident(&self) -> Result<bool, StoreError> {
        self.engine.resident().fill(&self.engine)
    }

    /// What is in memory of the records that questions read most.
    pub fn residency(&self) -> Residency {
        self.engine.resident().residency()
    }

    /// The ledger's directory.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Opens it; one that is made inside of another encrypts as that one does.
    fn open_in(
        path: &Path,
        options: SledOptions,
        vanishing: Option<Vanishing>,
        cipher: Option<Arc<Cipher>>,
    ) -> Result<Self, StoreError> {
        let directory = Directory::lock(path, options.create)?;
        let format = directory.format()?;
        let begun = options.tenant.map(|tenant| Syncing { tenant, progress: None }).into_iter().collect();
        // A full disk must not keep anyone from reading, so a holder that cannot be written is only not told.
        if directory.write_holder(&holder(&options, begun)).is_err() {
            directory.remove_holder();
        }
        if directory.is_repairing()? {
            let what = format!("the ledger {}", directory.shown());
            let why = "a repair was interrupted; run `whowas repair` again".to_owned();
            return Err(StoreError::Damaged { what, why });
        }
        let rebuilding = directory.is_rebuilding()?;
        if rebuilding && !options.rebuild {
            return Err(StoreError::NeedsRebuild { path: directory.shown() });
        }
        let restoring = directory.is_restoring()?;
        if restoring && !options.restore {
            return Err(StoreError::HalfRestored { path: directory.shown() });
        }
        let cipher = match (cipher, vanishing.is_some()) {
            (None, false) => find_cipher(&directory, format, &options)?,
            (cipher, _) => cipher,
        };
        let note = directory.commits();
        try_on_copy(&directory, note, &options, cipher.clone())?;
        let engine = open_engine(&directory, format, &options, cipher)?;
        let commits = count_commits(&engine)?;
        let lost = lost(note, commits);
        if lost > 0 && !options.rebuild {
            return Err(commits_lost(&directory, commits, lost, ""));
        }
        if options.restore && !restoring {
            if commits > 0 {
                return Err(StoreError::NotEmpty { path: directory.shown(), commits });
            }
            // It is on the disk before the first commit is, so that no part of an export is ever taken for all of it.
            directory.mark_restoring()?;
        }
        if !options.rebuild {
            check_heads(&engine, note)?;
        }
        // A rebuild writes the log with everything else that is derived; and a full disk must not keep anyone from reading.
        if !rebuilding && directory.free_bytes().is_ok_and(|free| free >= options.free_bytes_min) {
            upgrade::add_logs(&engine, &directory, format)?;
        }
        let is_old = directory.format()?.is_some_and(|format| format < FORMAT);
        Ok(Self {
            engine,
            directory,
            options,
            heads: ShardedLock::default(),
            unseen: Unseen::default(),
            stopped: Mutex::default(),
            rebuilding: AtomicBool::new(rebuilding || lost > 0),
            is_old: AtomicBool::new(is_old),
            commits: AtomicU64::new(commits),
            lost: AtomicU64::new(lost),
            _vanishing: vanishing,
        })
    }

    /// The acknowledged head. A head that is read from the engine never replaces one that an append has put here.
    fn acknowledged(&self, tenant: TenantId) -> Result<Arc<Head>, StoreError> {
        if let Some(head) = self.heads.read().unwrap_or_else(PoisonError::into_inner).get(&tenant) {
            return Ok(Arc::clone(head));
        }
        let stored: Option<HeadV1> = get(&self.engine, &Key::Head { tenant })?;
        let stored = stored.map(HeadV1::read).transpose();
        let Some(mut head) = stored.map_err(|error| damaged(&Key::Head { tenant }, error.to_string()))? else {
            // A tenant that seems empty would get its first commit written over the one in its journal.
            if !self.needs_rebuild() && read::newest_journaled(&self.engine, tenant)? > Sequence(0) {
                return Err(damaged(&Key::Head { tenant }, "it is missing, and the journal is not empty".to_owned()));
            }
            return Ok(Arc::default());
        };
        // It stands beside the head, so that a tenant without a mapping has nothing of it.
        if let Some(mapping) = get::<MappingStateV1>(&self.engine, &Key::Mapping { tenant })? {
            let mapping = mapping.read();
            head.state.mapping = mapping.map_err(|error| damaged(&Key::Mapping { tenant }, error.to_string()))?;
        }
        let mut heads = self.heads.write().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(heads.entry(tenant).or_insert_with(|| Arc::new(head))))
    }

    /// The newest acknowledged commit.
    fn newest(&self, tenant: TenantId) -> Result<Sequence, StoreError> {
        if let Some(head) = self.heads.read().unwrap_or_else(PoisonError::into_inner).get(&tenant) {
            return Ok(head.sequence);
        }
        Ok(self.acknowledged(tenant)?.sequence)
    }

    /// Pins what readers see while a write is under way.
    fn pin(&self, tenant: TenantId, head: &Arc<Head>) {
        self.heads.write().unwrap_or_else(PoisonError::into_inner).insert(tenant, Arc::clone(head));
    }

    fn forget_heads(&self) {
        self.heads.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The one writer's turn; refused after a failed write.
    fn writer(&self) -> Result<MutexGuard<'_, Option<String>>, StoreError> {
        let stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        match stopped.clone().or_else(|| self.engine.broken()) {
            Some(why) => Err(StoreError::Stopped { path: self.directory.shown(), why }),
            None => Ok(stopped),
        }
    }

    /// After a failed write nobody knows what is on the disk, so nothing may follow it until the log is read again.
    fn or_stop<T>(stopped: &mut Option<String>, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
        outcome.inspect_err(|error| *stopped = Some(chain(error)))
    }

    /// The engine writes in the background too. If that failed, its next read is what tells, and the engine is of no more
    /// use for writing; a damaged or an oversized record, however, concerns only those who need it.
    fn or_stop_if_broken<T>(stopped: &mut Option<String>, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
        match outcome {
            Err(error @ StoreError::Io { .. }) => Self::or_stop(stopped, Err(error)),
            outcome => outcome,
        }
    }

    /// Says that older releases cannot read the ledger, before the first record that they do not know.
    fn leave_old_format(&self) -> Result<(), StoreError> {
        if self.is_old.load(Ordering::Acquire) {
            self.directory.write_format()?;
            self.is_old.store(false, Ordering::Release);
        }
        Ok(())
    }

    fn check_space(&self) -> Result<(), StoreError> {
        let free = self.directory.free_bytes()?;
        let needed = self.options.free_bytes_min;
        if free < needed {
            return Err(StoreError::DiskFull { path: self.directory.shown(), free, needed });
        }
        Ok(())
    }

    /// How far the journal may be read.
    fn journal_end(&self, tenant: TenantId) -> Result<Sequence, StoreError> {
        // Heads are derived: during a rebuild there are none, or old ones, while all of the journal is acknowledged.
        if self.needs_rebuild() { Ok(Sequence(u64::MAX)) } else { Ok(self.newest(tenant)?) }
    }

    /// Commits are numbered without gaps, so fewer than asked for means that the last of them is the newest.
    fn check_all_came(
        &self,
        tenant: TenantId,
        from: Sequence,
        last: Sequence,
        limit: usize,
        came: usize,
    ) -> Result<(), StoreError> {
        let next = Sequence(from.0.max(1).saturating_add(u64::try_from(came).unwrap_or(u64::MAX)));
        if came < limit && next <= last && !self.needs_rebuild() {
            return Err(damaged(&Key::Journal { tenant, sequence: next, chunk: 0 }, "it is missing".to_owned()));
        }
        Ok(())
    }

    /// Writes a commit and its derived changes in one step, and puts them on the disk.
    fn write(
        &self,
        tenant: TenantId,
        derived: Derived,
        prepare: impl FnOnce(&Head, &Derived) -> Result<Prepared, StoreError>,
    ) -> Result<Head, StoreError> {
        let mut stopped = self.writer()?;
        if self.needs_rebuild() {
            return Err(StoreError::NeedsRebuild { path: self.directory.shown() });
        }
        let before = Self::or_stop_if_broken(&mut stopped, self.acknowledged(tenant))?;
        let newest = Self::or_stop_if_broken(&mut stopped, read::newest_journaled(&self.engine, tenant))?;
        if newest != before.sequence {
            let why = format!("it is at commit {}, and the journal at {newest}", before.sequence);
            return Err(damaged(&Key::Head { tenant }, why));
        }
        let prepared = prepare(&before, &derived)?;
        let head = head_after(&prepared.entry, &derived);
        let mut changes = Changes::new(&self.engine, &self.unseen, tenant);
        let planned = changes.journal(&prepared).and_then(|()| changes.derived(&head, &derived));
        Self::or_stop_if_broken(&mut stopped, planned)?;
        self.check_space()?;
        Self::or_stop(&mut stopped, self.leave_old_format())?;
        self.pin(tenant, &before);
        self.unseen.note(tenant, &before, &derived);
        let written = self.engine.commit(changes.into_batch());
        Self::or_stop(&mut stopped, written)?;
        let count = self.commits.fetch_add(1, Ordering::AcqRel).saturating_add(1);
        self.directory.note_commits(&Note { count, newest: Some(self.noted(tenant, &head)) });
        self.pin(tenant, &Arc::new(head.clone()));
        Ok(head)
    }

    /// An empty store for a moment's use.
    fn beside(&self) -> Result<Self, StoreError> {
        // Inside the ledger's own directory it has the same disk, and the next opening removes what a crash leaves.
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = self.directory.path().join(format!("{SCRATCH}{}-{number}", std::process::id()));
        let options = SledOptions { create: true, rebuild: false, restore: false, ..self.options.clone() };
        Self::open_in(&path, options, Some(Vanishing(path.clone())), self.engine.cipher().cloned())
    }

    fn remove_derived(&self, tenant: TenantId) -> Result<(), StoreError> {
        self.engine.remove_kinds(&(Prefix::derived(tenant).bytes(), Prefix::tenant(tenant).end()))
    }

    /// What is noted of a tenant's newest commit.
    fn noted(&self, tenant: TenantId, head: &Head) -> Noted {
        // The commit is on the disk, whatever becomes of this reading; without it the note only tells less.
        let first = read::hash_of(&self.engine, tenant, Sequence(1)).ok().flatten();
        Noted { tenant, sequence: head.sequence, hash: head.hash, first }
    }

    /// The newest commit of some tenant: without one, the engine of another ledger could take this one's place unnoticed.
    fn some_newest(&self) -> Result<Option<Noted>, StoreError> {
        let mut newest = None;
        for (tenant, _) in read::tenants(&self.engine)? {
            let head = self.acknowledged(tenant)?;
            newest = (head.sequence > Sequence(0)).then(|| self.noted(tenant, &head)).or(newest);
        }
        Ok(newest)
    }

    fn is_whole(&self) -> Result<bool, StoreError> {
        for (tenant, _) in read::tenants(&self.engine)? {
            if read::newest_journaled(&self.engine, tenant)? != self.newest(tenant)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl LedgerStore for SledStore {
    fn tenants(&self) -> Result<Vec<TenantId>, StoreError> {
        let mut tenants = Vec::new();
        for (tenant, _) in read::tenants(&self.engine)?.into_iter().filter(|(_, begun)| *begun) {
            if self.journal_end(tenant)? > Sequence(0) {
                tenants.push(tenant);
            }
        }
        Ok(tenants)
    }

    fn head(&self, tenant: TenantId) -> Result<Head, StoreError> {
        Ok(Head::clone(&*self.acknowledged(tenant)?))
    }

    fn append(
        &self,
        tenant: TenantId,
        expected: Sequence,
        commit: Commit,
        derived: Derived,
    ) -> Result<Head, StoreError> {
        self.write(tenant, derived, |before, derived| prepare(tenant, before, expected, commit, derived))
    }

    fn foresee(&self, tenant: TenantId, objects: &[ObjectId], names: &[NameKey]) {
        if self.residency().names {
            return;
        }
        let objects = objects.iter().filter(|object| !self.unseen.lacks_object(tenant, **object));
        let names = names.iter().filter(|name| !self.unseen.lacks_name(tenant, name));
        let mut keys: Vec<Vec<u8>> =
            objects.map(|object| Key::Object { tenant, object: *object, part: 0 }.encode()).collect();
        keys.extend(names.map(|name| Prefix::postings(tenant, name.as_str()).bytes()));
        self.engine.fetch(keys.iter().map(Vec::as_slice).collect());
    }

    fn object(&self, tenant: TenantId, object: ObjectId) -> Result<Vec<Known>, StoreError> {
        let newest = self.newest(tenant)?;
        if self.unseen.lacks_object(tenant, object) {
            return Ok(Vec::new());
        }
        let mut facts = read::object(&self.engine, tenant, object)?;
        facts.retain(|known| known.sequence <= newest);
        Ok(facts)
    }

    fn object_ids(&self, tenant: TenantId, after: Option<ObjectId>, limit: usize) -> Result<Vec<ObjectId>, StoreError> {
        read::object_ids(&self.engine, tenant, after, limit)
    }

    fn holders(&self, tenant: TenantId, name: &NameKey) -> Result<Vec<Posting>, StoreError> {
        let mut postings = Vec::new();
        if self.unseen.lacks_name(tenant, name) {
            return Ok(postings);
        }
        let range = all(Prefix::postings(tenant, name.as_str()));
        scan(&self.engine, range, Order::Forward, |key, held: PostingV1| {
            if let Key::Posting { object, .. } = key {
                postings.push(held.read(object));
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(postings)
    }

    fn names_from(
        &self,
        tenant: TenantId,
        beginning: &str,
        after: Option<&NameKey>,
        limit: usize,
    ) -> Result<Vec<NameKey>, StoreError> {
        search::names(&self.engine, tenant, beginning, after, limit)
    }

    fn chains_from(
        &self,
        tenant: TenantId,
        beginning: &str,
        after: Option<&ChainId>,
        limit: usize,
    ) -> Result<Vec<ChainId>, StoreError> {
        search::chains(&self.engine, tenant, beginning, after, limit)
    }

    fn vacancies(&self, tenant: TenantId, name: &NameKey) -> Result<Vec<(Sequence, Vacant)>, StoreError> {
        let newest = self.newest(tenant)?;
        let mut vacancies = Vec::new();
        let range = all(Prefix::vacancies(tenant, name.as_str()));
        scan(&self.engine, range, Order::Forward, |key, record: VacanciesV1| {
            if let Key::Vacancy { sequence, .. } = key
                && sequence <= newest
            {
                for vacant in record.0 {
                    let vacant = vacant.read().map_err(|error| damaged(&key, error.to_string()))?;
                    vacancies.push((sequence, vacant));
                }
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(vacancies)
    }

    fn snapshot(
        &self,
        tenant: TenantId,
        chain: &ChainId,
        id: &SnapshotId,
    ) -> Result<Option<SnapshotRecord>, StoreError> {
        let newest = self.newest(tenant)?;
        let place = Key::SnapshotPlace { tenant, chain: chain.clone(), id: id.clone() };
        let mut tried = None;
        while let Some(from) = get::<PlaceV1>(&self.engine, &place)?.map(PlaceV1::read) {
            let key = Key::Snapshot { tenant, chain: chain.clone(), from, id: id.clone() };
            if let Some(record) = get::<SnapshotRecordV1>(&self.engine, &key)? {
                let record = record.read(chain.clone(), id.clone(), from);
                return Ok(as_of(record.map_err(|error| damaged(&key, error.to_string()))?, newest));
            }
            // Between the two reads an append may have moved it; it is missing only if its place stays the same.
            if tried.replace(from) == Some(from) {
                return Err(damaged(&key, "it is missing".to_owned()));
            }
        }
        Ok(None)
    }

    fn snapshots(
        &self,
        tenant: TenantId,
        chain: &ChainId,
        order: Order,
        after: Option<&SnapshotPlace>,
        limit: usize,
    ) -> Result<Vec<SnapshotRecord>, StoreError> {
        let mut found = Vec::new();
        if limit == 0 {
            return Ok(found);
        }
        let newest = self.newest(tenant)?;
        let (mut start, mut end) = all(Prefix::snapshots(tenant, chain));
        if let Some((from, id)) = after {
            let place = Key::Snapshot { tenant, chain: chain.clone(), from: *from, id: id.clone() }.encode();
            match order {
                // No key is the beginning of another, so the place with one more byte is just after it.
                Order::Forward => start = [place.as_slice(), &[0]].concat(),
                Order::Backward => end = Some(place),
            }
        }
        scan(&self.engine, (start, end), order, |key, record: SnapshotRecordV1| {
            if let Key::Snapshot { chain, from, id, .. } = key.clone() {
                let record = record.read(chain, id, from).map_err(|error| damaged(&key, error.to_string()))?;
                found.extend(as_of(record, newest));
            }
            Ok(if found.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        Ok(found)
    }

    fn chains(&self, tenant: TenantId, subject: &Subject) -> Result<Vec<ChainId>, StoreError> {
        match subject {
            Subject::Object(object) => audit::chains_of(&self.engine, Prefix::object_chains(tenant, *object)),
            Subject::Name(name) => audit::chains_named(&self.engine, tenant, name),
        }
    }

    fn snapshots_named(
        &self,
        tenant: TenantId,
        name: &NameKey,
        after: Option<&NamedPlace>,
        limit: usize,
    ) -> Result<Vec<SnapshotRecord>, StoreError> {
        let (mut start, end) = all(Prefix::name_snapshots(tenant, name.as_str()));
        if let Some((chain, until, id)) = after.cloned() {
            start = Key::NameSnapshot { tenant, name: name.as_str().to_owned(), chain, until, id }.encode();
            start.push(0);
        }
        self.indexed((start, end), limit, self.newest(tenant)?)
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
        let prefix = match proved {
            Proved::Any => Prefix::ending,
            Proved::Not => Prefix::unproved,
        };
        let mut start = prefix(tenant, from).bytes();
        if let Some((until, chain, id)) = after.cloned() {
            start = match proved {
                Proved::Any => Key::Ending { tenant, until, chain, id }.encode(),
                Proved::Not => Key::Unproved { tenant, until, chain, id }.encode(),
            };
            start.push(0);
        }
        let range = (start, prefix(tenant, through).end());
        self.indexed(range, limit, self.newest(tenant)?)
    }

    fn tallies(&self, tenant: TenantId, chain: &ChainId) -> Result<Vec<Tally>, StoreError> {
        let mut tallies = Vec::new();
        scan(&self.engine, all(Prefix::tallies(tenant, chain)), Order::Forward, |_, record: TallyV1| {
            tallies.push(record.read());
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(tallies)
    }

    fn members(&self, tenant: TenantId, group: ObjectId) -> Result<Vec<ObjectId>, StoreError> {
        audit::members_of(&self.engine, tenant, group)
    }

    fn owned(&self, tenant: TenantId, object: ObjectId) -> Result<Vec<ChainId>, StoreError> {
        audit::chains_of(&self.engine, Prefix::owned(tenant, object))
    }

    fn finding(&self, tenant: TenantId, id: FindingId) -> Result<Option<Finding>, StoreError> {
        let newest = self.newest(tenant)?;
        let key = Key::Finding { tenant, id: *id.as_bytes() };
        let finding = get::<FindingV1>(&self.engine, &key)?.map(|record| record.read(id)).transpose();
        Ok(audit::finding_as_of(finding.map_err(|error| damaged(&key, error.to_string()))?, newest))
    }

    fn findings(&self, tenant: TenantId, after: Option<FindingId>, limit: usize) -> Result<Vec<Finding>, StoreError> {
        audit::findings(&self.engine, tenant, after, limit, self.newest(tenant)?)
    }

    fn anchored(&self, tenant: TenantId, anchor: &Anchor) -> Result<Vec<ObjectId>, StoreError> {
        audit::anchored(&self.engine, tenant, anchor)
    }

    fn mailboxes(&self, tenant: TenantId, object: ObjectId) -> Result<Vec<MailboxId>, StoreError> {
        audit::mailboxes(&self.engine, tenant, object)
    }

    fn links(&self, tenant: TenantId, object: ObjectId) -> Result<Vec<LinkRecord>, StoreError> {
        audit::links(&self.engine, tenant, object, self.newest(tenant)?)
    }

    fn notable(&self, tenant: TenantId, after: Option<&NameKey>, limit: usize) -> Result<Vec<NameKey>, StoreError> {
        audit::notable(&self.engine, tenant, after, limit)
    }

    fn erased(&self, tenant: TenantId) -> Result<Vec<(Erased, Fingerprint)>, StoreError> {
        // It carries no commit. One that is not acknowledged yet hides a name a moment early.
        let mut found = Vec::new();
        scan(&self.engine, all(Prefix::erased(tenant)), Order::Forward, |key, ErasedV1(by)| {
            let Key::Erased { what, id, .. } = key else { return Ok(ControlFlow::Break(())) };
            let erased = erased_of(what, id).ok_or_else(|| damaged(&key, "it is of no known kind".to_owned()))?;
            found.push((erased, Fingerprint(by)));
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    fn tenant_facts(&self, tenant: TenantId, through: Sequence) -> Result<Vec<Known>, StoreError> {
        let through = through.min(self.newest(tenant)?);
        let mut facts = Vec::new();
        scan(&self.engine, all(Prefix::tenant_facts(tenant)), Order::Forward, |key, record: FactV1| {
            let Key::TenantFact { sequence, .. } = key else { return Ok(ControlFlow::Break(())) };
            if sequence > through {
                return Ok(ControlFlow::Break(()));
            }
            let fact = record.read().map_err(|error| damaged(&key, error.to_string()))?;
            facts.push(Known { sequence, fact });
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(facts)
    }

    fn runs(&self, tenant: TenantId, limit: usize) -> Result<Vec<Run>, StoreError> {
        let mut runs = Vec::new();
        if limit == 0 {
            return Ok(runs);
        }
        let newest = self.newest(tenant)?;
        scan(&self.engine, all(Prefix::runs(tenant)), Order::Backward, |_, record: LoggedRunV1| {
            if Sequence(record.sequence) <= newest {
                runs.push(record.run.read());
            }
            Ok(if runs.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        Ok(runs)
    }

    fn journal(&self, tenant: TenantId, from: Sequence, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let last = self.journal_end(tenant)?;
        let entries = read::journal(&self.engine, tenant, from, last, limit)?;
        self.check_all_came(tenant, from, last, limit, entries.len())?;
        Ok(entries)
    }

    fn raw_journal(&self, tenant: TenantId, from: Sequence, limit: usize) -> Result<Vec<RawEntry>, StoreError> {
        let last = self.journal_end(tenant)?;
        let entries = read::raw_journal(&self.engine, tenant, from, last, limit)?;
        self.check_all_came(tenant, from, last, limit, entries.len())?;
        Ok(entries)
    }

    fn append_raw(&self, tenant: TenantId, raw: &RawEntry, derived: Derived) -> Result<Head, StoreError> {
        self.write(tenant, derived, |before, derived| prepare_raw(tenant, before, raw, derived))
    }

    fn log_nodes(&self, tenant: TenantId, nodes: &[LogNode]) -> Result<Vec<Hash>, StoreError> {
        let newest = self.newest(tenant)?;
        let read = |node: &LogNode| match node.completed_by() {
            Some(at) if at <= newest => read::log_node(&self.engine, tenant, *node),
            _ => Err(node.missing(tenant)),
        };
        nodes.iter().map(read).collect()
    }

    fn drop_derived(&self) -> Result<(), StoreError> {
        let mut stopped = self.writer()?;
        // The mark is on the disk before the first record goes, so that no crash can leave half of them unnoticed.
        self.directory.mark_rebuilding()?;
        self.rebuilding.store(true, Ordering::Release);
        self.unseen.forget();
        let removed = read::tenants(&self.engine)
            .and_then(|tenants| tenants.into_iter().try_for_each(|(tenant, _)| self.remove_derived(tenant)))
            .and_then(|()| self.engine.persist());
        self.forget_heads();
        Self::or_stop(&mut stopped, removed)
    }

    fn restore_derived(&self, tenant: TenantId, entry: &Entry, derived: Derived) -> Result<(), StoreError> {
        let mut stopped = self.writer()?;
        prepare_restore(tenant, &*self.acknowledged(tenant)?, entry, &derived)?;
        let head = head_after(entry, &derived);
        self.unseen.forget();
        let mut changes = Changes::new(&self.engine, &self.unseen, tenant);
        Self::or_stop_if_broken(&mut stopped, changes.derived(&head, &derived))?;
        self.check_space()?;
        Self::or_stop(&mut stopped, self.leave_old_format())?;
        Self::or_stop(&mut stopped, self.engine.apply(changes.into_batch()))?;
        self.pin(tenant, &Arc::new(head));
        Ok(())
    }

    fn sync(&self) -> Result<(), StoreError> {
        let mut stopped = self.writer()?;
        Self::or_stop(&mut stopped, self.engine.persist())?;
        if self.needs_rebuild() && self.is_whole()? {
            // What was noted may be of commits that are given up with this.
            self.directory.forget_commits()?;
            self.directory
                .note_commits(&Note { count: self.commits.load(Ordering::Acquire), newest: self.some_newest()? });
            self.lost.store(0, Ordering::Release);
            self.directory.clear_rebuilding()?;
            self.rebuilding.store(false, Ordering::Release);
        }
        Ok(())
    }

    fn each_derived(&self, each: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), StoreError> {
        for (tenant, _) in read::tenants(&self.engine)? {
            let range = (Prefix::derived(tenant).bytes(), Prefix::tenant(tenant).end());
            self.engine.scan(range, Order::Forward, |key, value| {
                each(key, value);
                Ok(ControlFlow::Continue(()))
            })?;
        }
        Ok(())
    }

    fn scratch(&self) -> Result<Box<dyn LedgerStore>, StoreError> {
        Ok(Box::new(self.beside()?))
    }

    fn bytes(&self) -> Result<u64, StoreError> {
        self.directory.bytes()
    }

    fn describe(&self) -> Description {
        Description { store: "sled", format: FORMAT, encrypted: self.key_id().is_some() }
    }
}

impl SledStore {
    /// The snapshots that an index leads to.
    fn indexed(&self, range: Range, limit: usize, newest: Sequence) -> Result<Vec<SnapshotRecord>, StoreError> {
        let mut found = Vec::new();
        if limit == 0 {
            return Ok(found);
        }
        scan(&self.engine, range, Order::Forward, |key, place: PlaceV1| {
            let from = place.read();
            if let Key::NameSnapshot { tenant, chain, id, .. }
            | Key::Ending { tenant, chain, id, .. }
            | Key::Unproved { tenant, chain, id, .. } = key
            {
                let key = Key::Snapshot { tenant, chain: chain.clone(), from, id: id.clone() };
                let record = get::<SnapshotRecordV1>(&self.engine, &key)?;
                let record = record.ok_or_else(|| damaged(&key, "an index names it, and it is missing".to_owned()))?;
                let record = record.read(chain, id, from).map_err(|error| damaged(&key, error.to_string()))?;
                found.extend(as_of(record, newest));
            }
            Ok(if found.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        Ok(found)
    }
}

impl fmt::Debug for SledStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SledStore").field("path", &self.path()).finish_non_exhaustive()
    }
}

/// A snapshot's record as it was after a commit; `None` if it was not yet taken.
fn as_of(mut record: SnapshotRecord, newest: Sequence) -> Option<SnapshotRecord> {
    record.receipts.retain(|(sequence, _)| *sequence <= newest);
    record.expired = record.expired.filter(|sequence| *sequence <= newest);
    (record.taken <= newest).then_some(record)
}

/// Removes a scratch store's directory.
struct Vanishing(PathBuf);

impl Drop for Vanishing {
    fn drop(&mut self) {
        // What stays is removed at the next opening of the ledger.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn holder(options: &SledOptions, syncing: Vec<Syncing>) -> Holder {
    let (command, since, url) = (options.command.clone(), options.now, options.url.clone());
    let mut syncing = syncing.into_iter();
    let (tenant, progress) = syncing.next().map_or((None, None), |first| (Some(first.tenant), first.progress));
    Holder { pid: std::process::id(), command, since, tenant, progress, others: syncing.collect(), url }
}

fn chain(error: &StoreError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}
