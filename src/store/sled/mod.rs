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
mod options;
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
mod verbs;
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
use self::engine::{Engine, Range};
use self::opening::{check_commits, check_heads, count_commits, find_cipher, open_engine, remove_half, try_on_copy};
use self::read::{damaged, get};
use self::unseen::Unseen;
use super::key::{Key, Prefix};
use super::prepare::{Prepared, head_after};
use super::record::mapping::MappingStateV1;
use super::record::tenant::HeadV1;
use super::{Derived, Hash, Head, Holder, LedgerStore, Order, Residency, StoreError, Syncing};
use crate::domain::id::{Sequence, TenantId};

pub use self::cipher::{KeyId, LedgerKey};
pub use self::compact::{CompactStep, Compaction};
pub use self::directory::{FORMAT, is_half_restored};
pub use self::inspect::{Inspection, InspectionKeys, inspect};
pub use self::options::{
    CACHE_CAPACITY_BYTES, FREE_BYTES_MIN, PATIENCE, RESIDENT_BYTES, SERVING_CACHE_CAPACITY_BYTES, SledOptions,
};
pub use self::repair::{LostCommits, RepairHow, RepairOutcome, RepairReport, SledCopy, TenantRepair, repair};

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
    /// Whether some of what is derived may follow by other rules than this release's.
    other_rules: AtomicBool,
    /// Whether an older release could still read it.
    is_old: AtomicBool,
    /// Acknowledged commits of all tenants.
    commits: AtomicU64,
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

    /// The same, tried again for five seconds while it is held by somebody of whom the error says that it is soon over.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_patiently(
        path: impl AsRef<Path>,
        options: &SledOptions,
        is_soon_over: impl Fn(&StoreError) -> bool,
    ) -> Result<Self, StoreError> {
        for _ in 0..25 {
            match Self::open(path.as_ref(), options.clone()) {
                Err(error) if is_soon_over(&error) => std::thread::sleep(Duration::from_millis(200)),
                opened => return opened,
            }
        }
        Self::open(path, options.clone())
    }

    /// Tells whoever finds the ledger held how far the work on it is.
    pub fn set_syncing(&self, syncing: Vec<Syncing>) -> Result<(), StoreError> {
        self.directory.write_holder(&holder(&self.options, syncing))
    }

    /// Whether derived records are missing because a rebuild is under way or was interrupted.
    pub fn needs_rebuild(&self) -> bool {
        self.rebuilding.load(Ordering::Acquire)
    }

    /// Whether another release derived what is derived, by other rules than this one's. Nobody should be answered by that, nor add to it,
    /// before a rebuild; the journal is as good as ever.
    pub fn has_other_rules(&self) -> bool {
        self.other_rules.load(Ordering::Acquire)
    }

    /// Whether everything derived is to be derived anew before anything else.
    pub fn must_be_derived(&self) -> bool {
        self.needs_rebuild() || self.has_other_rules()
    }

    /// Whether there is the report of a repair that nobody was told of, because what comes after a repair failed.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn has_untold_repair(&self) -> Result<bool, StoreError> {
        Ok(!self.directory.repairs()?.is_empty())
    }

    /// Somebody has been told what earlier repairs came to.
    ///
    /// # Errors
    /// If the file cannot be removed.
    pub fn repairs_are_told(&self) -> Result<(), StoreError> {
        if self.has_untold_repair()? { self.directory.forget_repairs() } else { Ok(()) }
    }

    /// Ends the restore for which it was opened: from now on this is a ledger like any other.
    pub fn end_restore(&self) -> Result<(), StoreError> {
        self.directory.clear_restoring()
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
        // First of all it is to be whole; what is derived can be derived anew by whoever goes on with that.
        let restoring = directory.is_restoring()?;
        if restoring && !options.restore {
            return Err(StoreError::HalfRestored { path: directory.shown() });
        }
        let rebuilding = directory.is_rebuilding()?;
        if rebuilding && !options.rebuild {
            return Err(StoreError::NeedsRebuild { path: directory.shown() });
        }
        let cipher = match (cipher, vanishing.is_some()) {
            (None, false) => find_cipher(&directory, format, &options)?,
            (cipher, _) => cipher,
        };
        let note = directory.commits();
        try_on_copy(&directory, note, &options, cipher.clone())?;
        let engine = open_engine(&directory, format, &options, cipher)?;
        // Whoever had it open before may have come so far only now.
        if directory.is_rebuilding()? && !options.rebuild {
            return Err(StoreError::NeedsRebuild { path: directory.shown() });
        }
        if let Some(half) = directory.half()? {
            remove_half(&engine, half, note)?;
            directory.mark_rebuilding()?;
        }
        let commits = count_commits(&engine)?;
        // Deriving everything anew brings none of them back, and what a repair could bring back must not be written over.
        check_commits(&engine, &directory, note, commits)?;
        if options.restore && !restoring {
            if commits > 0 {
                return Err(StoreError::NotEmpty { path: directory.shown(), commits });
            }
            // It is on the disk before the first commit is, so that no part of an export is ever taken for all of it.
            directory.mark_restoring()?;
        }
        if !options.rebuild || options.restore && !rebuilding {
            check_heads(&engine)?;
        }
        // A rebuild writes the log with everything else that is derived; and a full disk must not keep anyone from reading: then the first
        // commit does it.
        if !rebuilding && directory.free_bytes().is_ok_and(|free| free >= options.free_bytes_min) {
            upgrade::add_logs(&engine, &directory, format)?;
        }
        let mut other_rules = !directory.has_our_rules()?;
        if other_rules && commits == 0 {
            directory.write_rules()?;
            other_rules = false;
        }
        let is_old = directory.format()?.is_some_and(|format| format < FORMAT);
        Ok(Self {
            engine,
            directory,
            options,
            heads: ShardedLock::default(),
            unseen: Unseen::default(),
            stopped: Mutex::default(),
            rebuilding: AtomicBool::new(rebuilding),
            other_rules: AtomicBool::new(other_rules),
            is_old: AtomicBool::new(is_old),
            commits: AtomicU64::new(commits),
            _vanishing: vanishing,
        })
    }

    /// The acknowledged head. A head that is read from the engine never replaces one that an append has put here.
    fn acknowledged(&self, tenant: TenantId) -> Result<Arc<Head>, StoreError> {
        if let Some(head) = self.heads.read().unwrap_or_else(PoisonError::into_inner).get(&tenant) {
            return Ok(Arc::clone(head));
        }
        let read = || {
            let stored: Option<HeadV1> = get(&self.engine, &Key::Head { tenant })?;
            stored.map(HeadV1::read).transpose().map_err(|error| damaged(&Key::Head { tenant }, error.to_string()))
        };
        let mut found = read()?;
        // A tenant that seems empty would get its first commit written over the one in its journal.
        if found.is_none() && !self.needs_rebuild() && read::newest_journaled(&self.engine, tenant)? > Sequence(0) {
            // Unless it came between the two readings.
            found = read()?;
            if found.is_none() {
                return Err(damaged(&Key::Head { tenant }, "it is missing, and the journal is not empty".to_owned()));
            }
        }
        let Some(mut head) = found else { return Ok(Arc::default()) };
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

    /// Gives a ledger of an earlier format what it lacks, which its opening has left undone if the disk was full: a commit builds on
    /// what those before it should have left.
    fn add_what_is_lacking(&self, stopped: &mut Option<String>) -> Result<(), StoreError> {
        if !self.is_old.load(Ordering::Acquire) {
            return Ok(());
        }
        self.check_space()?;
        let added = self.directory.format().and_then(|old| upgrade::add_logs(&self.engine, &self.directory, old));
        Self::or_stop_if_broken(stopped, added)
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
        self.check_space_for(0)
    }

    /// Whether so many bytes can be written and what must stay free is free still.
    fn check_space_for(&self, bytes: u64) -> Result<(), StoreError> {
        let free = self.directory.free_bytes()?;
        let needed = self.options.free_bytes_min.saturating_add(bytes);
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
        self.add_what_is_lacking(&mut stopped)?;
        let head = head_after(&prepared.entry, &derived);
        let mut changes = Changes::new(&self.engine, &self.unseen, tenant);
        let planned = changes.journal(&prepared).and_then(|()| changes.derived(&head, &derived));
        Self::or_stop_if_broken(&mut stopped, planned)?;
        self.check_space()?;
        Self::or_stop(&mut stopped, self.leave_old_format())?;
        self.pin(tenant, &before);
        self.unseen.note(tenant, &before, &derived);
        let journaled = Key::Journal { tenant, sequence: head.sequence, chunk: 0 };
        let mark = self.directory.half_mark(tenant, head.sequence, head.hash);
        let written = self.engine.commit(changes.into_batch(), &journaled.encode(), Some(mark));
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
        let mut store = Self::open_in(&path, options, Some(Vanishing(path.clone())), self.engine.cipher().cloned())?;
        store.engine.give_up();
        Ok(store)
    }

    /// Whether everything derived can be put back once it is dropped: every commit can be read and follows on the one before it, and
    /// there is room. Without that a ledger that answers would become one that answers nothing.
    fn check_can_be_derived(&self) -> Result<(), StoreError> {
        let tenants = read::tenants(&self.engine)?;
        let mut bytes: u64 = 0;
        for (tenant, _) in &tenants {
            self.engine.scan_stored(derived_of(*tenant), Order::Forward, |key, value| {
                bytes = bytes.saturating_add((key.len() + value.len()) as u64);
                Ok(ControlFlow::Continue(()))
            })?;
        }
        // What is dropped is not given back before the rest is written.
        self.check_space_for(bytes)?;
        for (tenant, _) in tenants {
            let (mut next, mut previous) = (Sequence(1), Hash::default());
            loop {
                let entries = read::journal(&self.engine, tenant, next, Sequence(u64::MAX), CHECKED_AT_ONCE)?;
                let Some(first) = entries.first() else { break };
                if first.previous != previous {
                    let key = Key::Journal { tenant, sequence: next, chunk: 0 };
                    return Err(damaged(&key, "it does not follow on the commit before".to_owned()));
                }
                if let Some(last) = entries.last() {
                    (next, previous) = (last.sequence.next(), last.hash);
                }
            }
        }
        Ok(())
    }

    fn remove_derived(&self, tenant: TenantId) -> Result<(), StoreError> {
        self.engine.remove_kinds(&derived_of(tenant))
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

impl fmt::Debug for SledStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SledStore").field("path", &self.path()).finish_non_exhaustive()
    }
}

/// Removes a scratch store's directory.
#[derive(Debug)]
struct Vanishing(PathBuf);

impl Drop for Vanishing {
    fn drop(&mut self) {
        // What stays is removed at the next opening of the ledger.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// How many commits are checked at a time before everything is derived anew.
const CHECKED_AT_ONCE: usize = 64;

/// Where everything derived of a tenant stands.
fn derived_of(tenant: TenantId) -> Range {
    (Prefix::derived(tenant).bytes(), Prefix::tenant(tenant).end())
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
