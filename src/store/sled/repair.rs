//! Bringing back what the journal still proves after damage.
//!
//! The damaged engine is only ever read, by [`super::carve`], and never opened again by sled, which writes when it recovers.
//! What its files prove goes into a new engine, made durable beside the old one; then the old one is moved aside and the new
//! one takes its place. A kill in between leaves the mark `repair`, and the next `repair` goes on from there. What is derived
//! is derived anew by the rebuild that follows.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use super::carve::Carved;
use super::cipher::{Cipher, cipher_of, missing};
use super::directory::{Directory, Note, Noted, io_error, remove_folder, sync_directory};
use super::engine::{self, Batch, Engine, persist_files};
use super::prove::{Proved, prove};
use super::read::decode_key;
use super::{SledOptions, SledStore, Vanishing};
use crate::domain::id::{Sequence, TenantId};
use crate::domain::time::Instant;
use crate::store::key::Key;
use crate::store::{Hash, LedgerStore, StoreError};

/// How a ledger is repaired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RepairHow {
    /// Only tell what would be done.
    pub dry_run: bool,
    /// Put a new engine in place even if a copy of the old one seems sound.
    pub force: bool,
    /// What is derived is not what the journal gives. Pages of the engine are stale among others then, and may fit together too badly
    /// to be written, however well they are read; so a new engine is put in place.
    pub stale: bool,
}

/// What a repair found and did.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct RepairReport {
    /// What was done, or would be.
    pub outcome: RepairOutcome,
    /// Why the engine cannot be used as it is.
    pub damage: Option<String>,
    /// Where the damaged engine was put.
    pub moved_to: Option<String>,
    /// Commits that were proved and kept, of all tenants.
    pub commits: u64,
    /// How many were acknowledged at least, as far as that is noted.
    pub acknowledged: Option<u64>,
    /// Commits that cannot be brought back, of all tenants, as far as there is any trace of them; those of earlier repairs too.
    pub lost: u64,
    /// The reports of earlier repairs that nobody was told of, because what comes after a repair failed or was interrupted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Value>,
    /// Each tenant of which there is any trace.
    pub tenants: Vec<TenantRepair>,
}

/// What a repair came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RepairOutcome {
    /// Nothing was to be done: every commit can be read as it is.
    Sound,
    /// A new engine would be put in place; nothing was changed.
    Repairable,
    /// A new engine is in place, and what is derived must be derived anew.
    Repaired,
}

/// What became of a tenant's journal.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct TenantRepair {
    /// The tenant.
    pub tenant: TenantId,
    /// The newest commit that is proved; all before it are too.
    pub commits: Sequence,
    /// Its hash. The hashes of an older checkpoint beyond it show the loss.
    pub hash: Hash,
    /// When it was recorded.
    pub recorded: Option<Instant>,
    /// What cannot be brought back.
    pub lost: Option<LostCommits>,
}

/// Commits that cannot be brought back.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct LostCommits {
    /// The first.
    pub from: Sequence,
    /// The last of which there is any trace.
    pub through: Sequence,
    /// They were recorded at this time or later.
    pub after: Option<Instant>,
    /// The last was recorded at this time, where that is known.
    pub until: Option<Instant>,
    /// Those that are whole by themselves; their place in the chain cannot be proved without the ones before.
    pub stranded: Vec<Sequence>,
}

/// Repairs the ledger in a directory. `progress` is given the bytes of the engine's files that were walked.
///
/// After [`RepairOutcome::Repaired`] the ledger is to be opened in order to rebuild it.
///
/// # Errors
/// Somebody has it open, the disk fails or is too full, or nothing of it can be brought back. The damaged files are then still
/// where they were.
pub fn repair(
    path: &Path,
    options: &SledOptions,
    how: RepairHow,
    mut progress: impl FnMut(u64),
) -> Result<RepairReport, StoreError> {
    let directory = Directory::lock(path, false)?;
    // Nothing of a newer format is touched.
    readable_format(&directory)?;
    if directory.is_repairing()? {
        finish_switch(&directory, how)?;
    }
    let format = readable_format(&directory)?;
    let cipher = find_cipher(&directory, options)?;
    let note = directory.commits();
    let carved = Carved::of(&directory.engine(), cipher.clone(), &mut progress)?;
    let tenants = carved.pieces.keys().chain(carved.heads.keys()).copied();
    let mut tenants: Vec<TenantId> =
        tenants.chain(note.and_then(|note| note.newest).map(|noted| noted.tenant)).collect();
    tenants.sort_unstable();
    tenants.dedup();
    let proved = tenants.into_iter().map(|tenant| prove(&carved, tenant, note, &mut |_| ()));
    let mut proved: Vec<Proved> = proved.collect::<Result<_, _>>()?;
    proved.retain(|proved| proved.newest > Sequence(0));
    let mut report = report(&carved, &proved, note);
    let earlier = untold(&directory)?;
    report.damage = match format {
        None => Some("its format file is missing or cannot be read".to_owned()),
        Some(_) => damage(&directory, options, &proved, how)?,
    };
    if report.damage.is_none() && !how.force {
        report.outcome = RepairOutcome::Sound;
        return Ok(told(report, earlier));
    }
    if report.commits == 0 {
        let what = format!("the ledger {}", directory.shown());
        let why =
            "its engine's files hold no commit that proves itself, so nothing can be brought back; restore a backup";
        return Err(StoreError::Damaged { what, why: why.to_owned() });
    }
    if let Some(error) = other_course(&directory, &proved, note).filter(|_| !how.force) {
        return Err(error);
    }
    if how.dry_run {
        return Ok(told(report, earlier));
    }
    write_engine(&directory, options, (&carved, cipher), &proved)?;
    let aside = directory.damaged();
    report.moved_to = Some(aside.display().to_string());
    report.outcome = RepairOutcome::Repaired;
    switch(&directory, &aside, &report)?;
    Ok(told(report, earlier))
}

/// What earlier repairs came to, if nobody was told.
fn untold(directory: &Directory) -> Result<Vec<Value>, StoreError> {
    Ok(directory.repairs()?.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
}

/// The report as somebody is told: of everything that was lost since the last one.
fn told(report: RepairReport, earlier: Vec<Value>) -> RepairReport {
    let lost = earlier.iter().filter_map(|said| said.get(LOST)?.as_u64()).fold(report.lost, u64::saturating_add);
    RepairReport { lost, earlier, ..report }
}

/// How a report calls what is looked for in it.
const LOST: &str = "lost";
const COMMITS: &str = "commits";

/// The format's version, if it can be read. One that cannot is no newer one.
fn readable_format(directory: &Directory) -> Result<Option<u32>, StoreError> {
    match directory.format() {
        Err(StoreError::NotALedger { .. }) => Ok(None),
        format => format,
    }
}

/// How the records are encrypted. A key that is missing or wrong is no damage.
fn find_cipher(directory: &Directory, options: &SledOptions) -> Result<Option<Arc<Cipher>>, StoreError> {
    let engine = directory.engine();
    if let Some(cipher) = cipher_of(&engine, &directory.shown(), options.key.as_ref())? {
        return Ok(Some(cipher));
    }
    match (directory.is_encrypted().unwrap_or(false), engine.exists(), &options.key) {
        (true, true, _) => Err(missing(&engine)),
        (false, _, Some(_)) => Err(StoreError::NotEncrypted { path: directory.shown() }),
        _ => Ok(None),
    }
}

/// The engine of another ledger, or of another course of this one, proves itself as well; but not what was acknowledged here.
fn other_course(directory: &Directory, proved: &[Proved], note: Option<Note>) -> Option<StoreError> {
    let Noted { tenant, sequence, hash, first } = note?.newest?;
    let chain = &proved.iter().find(|proved| proved.tenant == tenant)?.chain;
    let at = |number: u64| chain.get(usize::try_from(number.checked_sub(1)?).ok()?);
    // Where the chain ends before the commit noted, as one does that was cut off, its first commit tells.
    let (number, is_ours) = match at(sequence.0) {
        Some(there) => (sequence, there.hash == hash),
        None => (Sequence(1), at(1).zip(first).is_none_or(|(there, first)| there.hash == first)),
    };
    (!is_ours).then(|| StoreError::Damaged {
        what: format!("the ledger {}", directory.shown()),
        why: format!(
            "its engine's files are those of another ledger: commit {number} of tenant {tenant} is not the one that was \
             acknowledged here; put the right ones back, or take these by `whowas repair --force`"
        ),
    })
}

fn report(carved: &Carved, proved: &[Proved], note: Option<Note>) -> RepairReport {
    let tenants: Vec<TenantRepair> = proved.iter().map(|proved| tenant_report(carved, proved)).collect();
    let commits = tenants.iter().fold(0u64, |sum, tenant| sum.saturating_add(tenant.commits.0));
    let traced =
        tenants.iter().filter_map(|tenant| Some(tenant.lost.as_ref()?.through.0.saturating_sub(tenant.commits.0)));
    let traced = traced.fold(0u64, u64::saturating_add);
    let acknowledged = note.map(|note| note.count);
    let lost = acknowledged.unwrap_or(0).saturating_sub(commits).max(traced);
    RepairReport {
        outcome: RepairOutcome::Repairable,
        damage: None,
        moved_to: None,
        commits,
        acknowledged,
        lost,
        earlier: Vec::new(),
        tenants,
    }
}

fn tenant_report(carved: &Carved, proved: &Proved) -> TenantRepair {
    let last = proved.chain.last();
    let commits = Sequence(proved.chain.len() as u64);
    let recorded = last.map(|commit| commit.recorded);
    let lost = (proved.newest > commits).then(|| {
        let mut stranded: Vec<Sequence> = proved.stranded.iter().map(|(sequence, _)| *sequence).collect();
        stranded.retain(|sequence| *sequence > commits);
        stranded.dedup();
        let whole = proved.stranded.iter().find(|(sequence, _)| *sequence == proved.newest);
        let head = carved.heads.get(&proved.tenant).filter(|(sequence, _)| *sequence == proved.newest);
        LostCommits {
            from: commits.next(),
            through: proved.newest,
            after: recorded,
            until: whole.map(|(_, commit)| commit.recorded).or_else(|| head.and_then(|(_, recorded)| *recorded)),
            stranded,
        }
    });
    let hash = last.map_or_else(Hash::default, |commit| commit.hash);
    TenantRepair { tenant: proved.tenant, commits, hash, recorded, lost }
}

/// Why the engine cannot be used as it is, if it cannot. A copy of it is opened, never itself: opening writes.
fn damage(
    directory: &Directory,
    options: &SledOptions,
    proved: &[Proved],
    how: RepairHow,
) -> Result<Option<String>, StoreError> {
    if !engine::exists(&directory.engine()) {
        return Ok(Some("its engine's files are missing".to_owned()));
    }
    if how.force {
        return Ok(None);
    }
    if how.stale {
        return Ok(Some("what is derived in it is not what its journal gives".to_owned()));
    }
    if directory.has_begun_rebuilding()? {
        // It may have failed because of that, or taken all memory; nobody is left to say so.
        return Ok(Some("deriving everything anew in it was begun and not completed".to_owned()));
    }
    let workspace = copied(directory, options)?;
    let copy = workspace.0.clone();
    let options = SledOptions { create: false, rebuild: directory.is_rebuilding()?, ..options.clone() };
    let looked = SledStore::open(&copy, options).and_then(|store| look(&store, proved));
    drop(workspace);
    match looked {
        Ok(()) => Ok(None),
        Err(error @ (StoreError::Damaged { .. } | StoreError::Io { .. })) => {
            // What is said of the copy is so of the ledger.
            Ok(Some(super::chain(&error).replace(&copy.display().to_string(), &directory.shown())))
        }
        Err(error) => Err(error),
    }
}

/// Copies what opening the ledger needs, for as long as this lives.
fn copied(directory: &Directory, options: &SledOptions) -> Result<Vanishing, StoreError> {
    check_room(directory, options)?;
    let copy = directory.scratch_path("repair");
    let workspace = Vanishing(copy.clone());
    fs::create_dir(&copy).map_err(|error| io_error(&copy, "create the workspace", error))?;
    directory.copy_to(&copy)?;
    Ok(workspace)
}

/// A copy of a ledger, for whoever may not change it: opening writes. The ledger itself is locked, and the copy gone when this is dropped.
#[derive(Debug)]
pub struct SledCopy {
    // Dropped in this order.
    store: Arc<SledStore>,
    _workspace: Vanishing,
    _directory: Directory,
}

impl SledCopy {
    /// Copies the ledger in a directory, within it, and opens the copy.
    ///
    /// # Errors
    /// If there is no room for a copy, and as [`SledStore::open`].
    pub fn open(path: &Path, options: &SledOptions) -> Result<Self, StoreError> {
        let directory = Directory::lock(path, false)?;
        let workspace = copied(&directory, options)?;
        // Whether it is half restored stands beside what is copied.
        let options = SledOptions { create: false, restore: false, ..options.clone() };
        let mut store = SledStore::open(&workspace.0, options)?;
        store.engine.give_up();
        Ok(Self { store: Arc::new(store), _workspace: workspace, _directory: directory })
    }

    /// The copy.
    pub fn store(&self) -> Arc<SledStore> {
        Arc::clone(&self.store)
    }
}

/// Reads every record and every commit, and compares with what the files prove.
fn look(store: &SledStore, proved: &[Proved]) -> Result<(), StoreError> {
    store.engine.each_record(|key, _| decode_key(&key).map(drop))?;
    for proved in proved {
        let mut next = Sequence(1);
        let mut last = Hash::default();
        loop {
            let entries = store.journal(proved.tenant, next, ENTRIES)?;
            let Some(entry) = entries.last() else { break };
            (next, last) = (entry.sequence.next(), entry.hash);
        }
        if next.0 != proved.chain.len() as u64 + 1 || proved.chain.last().is_some_and(|commit| commit.hash != last) {
            let what = format!("the journal of tenant {}", proved.tenant);
            let why = format!("the engine shows {} commits, and its files hold {}", next.0 - 1, proved.chain.len());
            return Err(StoreError::Damaged { what, why });
        }
    }
    Ok(())
}

const ENTRIES: usize = 64;

fn check_room(directory: &Directory, options: &SledOptions) -> Result<(), StoreError> {
    let free = directory.free_bytes()?;
    let needed = directory.bytes()?.saturating_add(options.free_bytes_min);
    match free < needed {
        true => Err(StoreError::DiskFull { path: directory.shown(), free, needed }),
        false => Ok(()),
    }
}

/// Writes what is proved into a new engine and makes it durable.
fn write_engine(
    directory: &Directory,
    options: &SledOptions,
    (carved, cipher): (&Carved, Option<Arc<Cipher>>),
    proved: &[Proved],
) -> Result<(), StoreError> {
    check_room(directory, options)?;
    let path = directory.repaired();
    remove_leftover(&path)?;
    cipher.iter().try_for_each(|cipher| cipher.place(&path))?;
    let engine = Engine::open(&path, options.engine(), cipher)?;
    for proved in proved {
        for (number, commit) in (1..).zip(&proved.chain) {
            let mut batch = Batch::default();
            for (chunk, place) in (0..).zip(&commit.pieces) {
                let key = Key::Journal { tenant: proved.tenant, sequence: Sequence(number), chunk };
                batch.insert(key.encode(), carved.read(&key, place)?);
            }
            engine.apply(batch)?;
        }
    }
    engine.persist_creation()?;
    // Closing writes as well.
    engine.close()?;
    persist_files(&path)
}

/// Puts the new engine in the place of the damaged one. Each step is on the disk before the next.
fn switch(directory: &Directory, aside: &Path, report: &RepairReport) -> Result<(), StoreError> {
    let text = serde_json::to_string(report)
        .map_err(|error| io_error(directory.path(), "note the repair", std::io::Error::from(error)))?;
    directory.mark_repairing(&text)?;
    if directory.engine().exists() {
        rename(&directory.engine(), aside)?;
        sync_directory(directory.path())?;
    }
    rename(&directory.repaired(), &directory.engine())?;
    sync_directory(directory.path())?;
    settle(directory, report.commits)
}

/// What is noted beside the engine, after the switch: the report as well, which is told by the repair that comes to its end.
fn settle(directory: &Directory, commits: u64) -> Result<(), StoreError> {
    directory.forget_commits()?;
    directory.note_commits(&Note { count: commits, newest: None });
    directory.mark_rebuilding()?;
    directory.write_format()?;
    let report = directory.repairing()?;
    if !report.is_empty() {
        directory.keep_repair(&report)?;
    }
    directory.clear_repairing()
}

/// Goes on where a repair died between its first and its last step.
fn finish_switch(directory: &Directory, how: RepairHow) -> Result<(), StoreError> {
    let (there, new) = (directory.engine().exists(), directory.repaired().exists());
    if how.dry_run {
        let what = format!("the ledger {}", directory.shown());
        let why = "a repair was interrupted, and must be completed first; run `whowas repair`".to_owned();
        return Err(StoreError::Damaged { what, why });
    }
    let said: Option<Value> = serde_json::from_str(&directory.repairing()?).ok();
    let commits = said.and_then(|said| said.get(COMMITS)?.as_u64()).unwrap_or(0);
    match (there, new) {
        // Before the first rename: all is still to be done. Without the mark, what was written so far is a leftover.
        (true, true) => {
            directory.clear_repairing()?;
            remove_leftover(&directory.repaired())
        }
        // Between the renames: the new one was whole before the first.
        (false, true) => {
            rename(&directory.repaired(), &directory.engine())?;
            sync_directory(directory.path())?;
            settle(directory, commits)
        }
        _ => settle(directory, commits),
    }
}

fn rename(from: &Path, to: &Path) -> Result<(), StoreError> {
    fs::rename(from, to).map_err(|error| io_error(from, "move the engine's files", error))
}

fn remove_leftover(path: &Path) -> Result<(), StoreError> {
    remove_folder(path).map_err(|error| io_error(path, "remove what an interrupted repair left", error))
}
