//! The ledger's directory: what is in it, and who may open it.
//!
//! | entry | what |
//! | --- | --- |
//! | `format` | the format's version, in digits, and `encrypted` if the ledger is; written last when a ledger is created or upgraded |
//! | `rules` | the number of the rules by which all that is derived was derived, in digits; older releases wrote none |
//! | `lock` | locked by the process that has the ledger open; never removed |
//! | `holder.json` | who that is and how far it is |
//! | `commits` | how many commits were acknowledged at least, and which was the newest, against which the engine's own recovery is checked |
//! | `rebuild` | there while what is derived from the journal is incomplete; may name a commit that failed and of which half may be there |
//! | `restore` | there while the ledger is being brought back from an export |
//! | `engine.new/` | a compacted engine; means nothing until `compacted` is there, and is removed at the next opening |
//! | `compacted` | there while `engine.new/` takes the place of `engine/`, which the next opening completes; see `swap.rs` |
//! | `engine.old/` | the engine before, while it is being removed |
//! | `repairs.jsonl` | the reports of repairs that nobody was told of yet |
//! | `repair` | there while a repair puts a new engine in the place of a damaged one |
//! | `engine/` | sled's own files; in an encrypted ledger `cipher` and `cipher.copy` besides, the wrapped data key, in this and every other engine |
//! | `engine.repaired/` | a new engine that a repair is filling; worth nothing unless `repair` is there |
//! | `engine.damaged-N/` | an engine that a repair has put aside, as it was found |
//! | `scratch-*` | a store for a moment's use; leftovers are removed at the next opening |

mod files;
mod format;
mod lock;
mod names;
mod note;
mod quiet;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use self::files::{entries, replace};
use self::format::{read_format, read_said, write_format};
use self::lock::wait_for_lock;
use self::names::{
    COMMITS, DAMAGED, FORMAT_FILE, HOLDER, LOCK, NEW, REBUILD, REPAIR, REPAIRED, REPAIRS, RESTORE, RULES_FILE,
    check_is_ours,
};
use super::swap;
use crate::domain::id::{Sequence, TenantId};
use crate::private;
use crate::store::{Hash, Holder, RULES, StoreError};

pub(super) use self::files::{bytes_below, copy_below, io_error, remove_folder, remove_half_snapshots, sync_directory};
pub use self::format::FORMAT;
pub(super) use self::format::say_encrypted;
pub(super) use self::names::{CIPHER, CIPHER_COPY, COMPACTED, ENGINE, ENGINE_NEW, ENGINE_OLD, SCRATCH};
pub(super) use self::note::{Note, Noted};
pub(super) use self::quiet::Quiet;

/// A ledger's directory, locked for as long as this lives.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    _lock: File,
}

impl Directory {
    /// Locks the directory. Nothing in a directory that is no ledger is touched.
    pub(super) fn lock(path: &Path, create: bool) -> Result<Self, StoreError> {
        if create && !path.is_file() {
            private::make_folder(path).map_err(|error| io_error(path, "create the directory", error))?;
        }
        check_is_ours(path, create)?;
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.join(LOCK))
            .map_err(|error| io_error(path, "open the lock file", error))?;
        wait_for_lock(path, || file.try_lock())?;
        let directory = Self { path: path.to_owned(), _lock: file };
        swap::finish(path, &mut |_| Ok(()))?;
        directory.remove_leftovers()?;
        Ok(directory)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn engine(&self) -> PathBuf {
        self.path.join(ENGINE)
    }

    /// Whether the engine is in the directory itself. What a link leads to would stay where it is when another one takes its place.
    pub(super) fn check_engine_is_here(&self) -> Result<(), StoreError> {
        let found = fs::symlink_metadata(self.engine()).map_err(|error| self.io_error("look at the engine", error))?;
        if found.is_symlink() {
            let what = format!("write the ledger {} anew", self.shown());
            let why = "its engine is a link, and the files that it leads to would stay: move them to where the link is";
            return Err(StoreError::Io { step: what, source: why.into() });
        }
        Ok(())
    }

    /// Where a compaction writes.
    pub(super) fn new_engine(&self) -> PathBuf {
        self.path.join(ENGINE_NEW)
    }

    /// From now on the new engine is the one that counts.
    pub(super) fn mark_compacted(&self) -> Result<(), StoreError> {
        self.replace(COMPACTED, b"engine.new takes the place of engine\n", true)
    }

    /// How many bytes are free on the disk.
    pub(super) fn free_bytes(&self) -> Result<u64, StoreError> {
        fs4::available_space(&self.path).map_err(|error| self.io_error("measure the free space", error))
    }

    /// Whether so many bytes are free on the disk, for a compaction.
    pub(super) fn check_room(&self, needed: u64) -> Result<(), StoreError> {
        let free = self.free_bytes()?;
        if free < needed {
            return Err(StoreError::NoRoom { path: self.shown(), free, needed });
        }
        Ok(())
    }

    /// The format's version; `None` if the ledger has not been created in full.
    pub(super) fn format(&self) -> Result<Option<u32>, StoreError> {
        read_format(&self.path)
    }

    /// Completes the creation: from now on this is a ledger.
    pub(super) fn write_format(&self) -> Result<(), StoreError> {
        write_format(&self.path, FORMAT)
    }

    /// Whether what is derived was derived by the rules of this release.
    pub(super) fn has_our_rules(&self) -> Result<bool, StoreError> {
        Ok(self.read(RULES_FILE)?.trim().parse() == Ok(RULES))
    }

    /// All that is derived is derived by the rules of this release.
    pub(super) fn write_rules(&self) -> Result<(), StoreError> {
        self.replace(RULES_FILE, format!("{RULES}\n").as_bytes(), true)
    }

    /// Whether the format file says that the ledger is encrypted.
    pub(super) fn is_encrypted(&self) -> Result<bool, StoreError> {
        Ok(read_said(&self.path)?.is_some_and(|said| said.is_encrypted))
    }

    pub(super) fn write_holder(&self, holder: &Holder) -> Result<(), StoreError> {
        let text = serde_json::to_vec_pretty(holder).map_err(|error| self.io_error("write holder.json", error))?;
        // After a crash nobody holds the ledger, so this file need not survive one.
        self.replace(HOLDER, &text, false)
    }

    pub(super) fn remove_holder(&self) {
        // The lock tells whether the ledger is held; a stale file only waits for the next holder.
        let _ = fs::remove_file(self.path.join(HOLDER));
    }

    pub(super) fn is_rebuilding(&self) -> Result<bool, StoreError> {
        self.has(REBUILD)
    }

    /// A rebuild is to be done.
    pub(super) fn mark_rebuilding(&self) -> Result<(), StoreError> {
        self.replace(REBUILD, TO_REBUILD, true)
    }

    /// What is to say, if need be, that half of a commit may be there.
    pub(super) fn half_mark(&self, tenant: TenantId, sequence: Sequence, hash: Hash) -> HalfMark {
        HalfMark { path: self.path.clone(), half: HalfCommit { tenant, sequence, hash } }
    }

    /// The commit that failed and of which half may be there, if the mark names one.
    pub(super) fn half(&self) -> Result<Option<HalfCommit>, StoreError> {
        Ok(self.read(REBUILD)?.lines().find_map(HalfCommit::read))
    }

    /// A rebuild is being done.
    pub(super) fn mark_rebuilding_begun(&self) -> Result<(), StoreError> {
        self.replace(REBUILD, REBUILD_BEGUN, true)
    }

    pub(super) fn has_begun_rebuilding(&self) -> Result<bool, StoreError> {
        Ok(self.read(REBUILD)?.as_bytes().starts_with(REBUILD_BEGUN))
    }

    pub(super) fn clear_rebuilding(&self) -> Result<(), StoreError> {
        self.remove(REBUILD)
    }

    pub(super) fn is_restoring(&self) -> Result<bool, StoreError> {
        self.has(RESTORE)
    }

    pub(super) fn mark_restoring(&self) -> Result<(), StoreError> {
        self.replace(RESTORE, b"run `whowas restore FILE`\n", true)
    }

    pub(super) fn clear_restoring(&self) -> Result<(), StoreError> {
        self.remove(RESTORE)
    }

    /// Whether a repair was interrupted while it put a new engine in place.
    pub(super) fn is_repairing(&self) -> Result<bool, StoreError> {
        self.has(REPAIR)
    }

    /// A new engine takes the place of the damaged one from now on. The report of that, a line of JSON, is in the mark: what was lost is
    /// nowhere else once the new engine is in place.
    pub(super) fn mark_repairing(&self, report: &str) -> Result<(), StoreError> {
        self.replace(REPAIR, format!("{TO_REPAIR}{report}\n").as_bytes(), true)
    }

    /// The report that the mark of a repair holds; empty if there is none.
    pub(super) fn repairing(&self) -> Result<String, StoreError> {
        let text = self.read(REPAIR)?;
        Ok(text.strip_prefix(TO_REPAIR).unwrap_or_default().trim_end().to_owned())
    }

    pub(super) fn clear_repairing(&self) -> Result<(), StoreError> {
        self.remove(REPAIR)
    }

    /// Keeps the report of a repair until somebody was told; one that is kept already is not kept twice.
    pub(super) fn keep_repair(&self, report: &str) -> Result<(), StoreError> {
        let kept = self.repairs()?;
        if kept.lines().any(|line| line == report) {
            return Ok(());
        }
        self.replace(REPAIRS, format!("{kept}{report}\n").as_bytes(), true)
    }

    /// The reports of repairs that nobody was told of, each a line of JSON.
    pub(super) fn repairs(&self) -> Result<String, StoreError> {
        self.read(REPAIRS)
    }

    pub(super) fn forget_repairs(&self) -> Result<(), StoreError> {
        self.remove(REPAIRS)
    }

    /// Copies what opening the ledger needs into an existing directory.
    pub(super) fn copy_to(&self, to: &Path) -> Result<(), StoreError> {
        copy_ledger(&self.path, to)
    }

    /// A place for a moment's use that the next opening removes if nobody else does.
    pub(super) fn scratch_path(&self, what: &str) -> PathBuf {
        self.path.join(format!("{SCRATCH}{what}-{}", std::process::id()))
    }

    /// Where a repair puts the new engine together.
    pub(super) fn repaired(&self) -> PathBuf {
        self.path.join(REPAIRED)
    }

    /// The first free place for a damaged engine.
    pub(super) fn damaged(&self) -> PathBuf {
        let places = (1u32..).map(|number| self.path.join(format!("{DAMAGED}{number}")));
        places.into_iter().find(|place| !place.exists()).unwrap_or_else(|| self.path.join(DAMAGED))
    }

    /// Engines that repairs have put aside.
    pub(super) fn set_aside(&self) -> Result<Vec<PathBuf>, StoreError> {
        let failed = |error| self.io_error("look for engines that were put aside", error);
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_name().as_encoded_bytes().starts_with(DAMAGED.as_bytes()) {
                found.push(entry.path());
            }
        }
        found.sort();
        Ok(found)
    }

    /// What stands in a file; nothing if there is none.
    fn read(&self, name: &str) -> Result<String, StoreError> {
        read(&self.path, name)
    }

    fn has(&self, name: &str) -> Result<bool, StoreError> {
        self.path.join(name).try_exists().map_err(|error| self.io_error(&format!("look for the mark {name}"), error))
    }

    fn remove(&self, name: &str) -> Result<(), StoreError> {
        remove(&self.path, name)
    }

    /// What is noted of the acknowledged commits; `None` if nothing is, or it cannot be read.
    pub(super) fn commits(&self) -> Option<Note> {
        Note::read(&fs::read(self.path.join(COMMITS)).ok()?)
    }

    /// Whether anything was ever noted of acknowledged commits, readable or not.
    pub(super) fn has_note(&self) -> bool {
        self.path.join(COMMITS).exists()
    }

    /// Notes an acknowledged commit in one write, never synced. sled takes a damaged log for one that ends there, so after a
    /// flipped bit it opens in silence without the newest commits; only something kept apart from it can tell. The note is
    /// written after the commit is on the disk, so it never claims too much, and one that is lost only weakens this check.
    pub(super) fn note_commits(&self, note: &Note) {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(self.path.join(COMMITS));
        let _ = file.and_then(|mut file| file.write_all(&note.bytes()));
    }

    /// Takes the note back, before something that it contradicts.
    pub(super) fn forget_commits(&self) -> Result<(), StoreError> {
        self.remove(COMMITS)
    }

    /// Bytes of all files below the directory, scratch stores apart.
    pub(super) fn bytes(&self) -> Result<u64, StoreError> {
        bytes_below(&self.path).map_err(|error| self.io_error("measure", error))
    }

    pub(super) fn shown(&self) -> String {
        self.path.display().to_string()
    }

    pub(super) fn not_a_ledger(&self, why: &str) -> StoreError {
        StoreError::NotALedger { path: self.shown(), why: why.to_owned() }
    }

    fn io_error(&self, step: &str, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
        io_error(&self.path, step, error)
    }

    fn remove_leftovers(&self) -> Result<(), StoreError> {
        let failed = |error| self.io_error("remove what an interrupted process left", error);
        remove_half_snapshots(&self.engine()).map_err(failed)?;
        // A change of keys that was interrupted before it counted.
        for name in [CIPHER, CIPHER_COPY] {
            match fs::remove_file(self.engine().join(format!("{name}{NEW}"))) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
                _ => {}
            }
        }
        // Of a repair that did not come to the switch. It holds all of the journal, of which something may have been erased since.
        if !self.is_repairing()? {
            remove_folder(&self.repaired()).map_err(failed)?;
        }
        for (name, path) in entries(&self.path).map_err(failed)? {
            if name.starts_with(SCRATCH) {
                fs::remove_dir_all(path).map_err(failed)?;
            }
        }
        Ok(())
    }

    fn replace(&self, name: &str, content: &[u8], durable: bool) -> Result<(), StoreError> {
        replace(&self.path, name, content, durable)
    }
}

/// A commit that failed, and was never acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HalfCommit {
    pub(super) tenant: TenantId,
    pub(super) sequence: Sequence,
    /// By which it is told from a later commit of the same number.
    pub(super) hash: Hash,
}

impl HalfCommit {
    fn read(line: &str) -> Option<Self> {
        let mut words = line.strip_prefix(HALF)?.split(' ');
        Some(Self {
            sequence: Sequence(words.next()?.parse().ok()?),
            tenant: words.next()?.parse().ok()?,
            hash: words.next()?.parse().ok()?,
        })
    }
}

/// Says that half of a commit may be there: a rebuild is to be done, and before that whatever there is of it is to go.
pub(super) struct HalfMark {
    path: PathBuf,
    half: HalfCommit,
}

impl HalfMark {
    /// Gives what the mark said before, which is nothing if there was none.
    pub(super) fn set(&self) -> Result<String, StoreError> {
        let HalfCommit { tenant, sequence, hash } = self.half;
        let before = read(&self.path, REBUILD)?;
        let half = format!("{HALF}{sequence} {tenant} {hash}\n");
        let rest = if before.is_empty() { TO_REBUILD } else { before.as_bytes() };
        replace(&self.path, REBUILD, &[rest, half.as_bytes()].concat(), true)?;
        Ok(before)
    }

    /// Nothing of it is there; the mark says again what it said before.
    pub(super) fn clear(&self, before: &str) -> Result<(), StoreError> {
        match before {
            "" => remove(&self.path, REBUILD),
            before => replace(&self.path, REBUILD, before.as_bytes(), true),
        }
    }
}

/// Whether a directory holds a ledger that is being brought back from an export, or was when that ended early.
pub fn is_half_restored(path: &Path) -> bool {
    path.join(RESTORE).exists()
}

impl Drop for Directory {
    fn drop(&mut self) {
        // The lock itself goes after this, with the field.
        self.remove_holder();
    }
}

fn read(directory: &Path, name: &str) -> Result<String, StoreError> {
    match fs::read(directory.join(name)) {
        Ok(text) => Ok(String::from_utf8_lossy(&text).into_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(io_error(directory, &format!("read {name}"), error)),
    }
}

fn remove(directory: &Path, name: &str) -> Result<(), StoreError> {
    match fs::remove_file(directory.join(name)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(io_error(directory, &format!("remove {name}"), error))
        }
        _ => sync_directory(directory),
    }
}

fn copy_ledger(from: &Path, to: &Path) -> Result<(), StoreError> {
    let failed = |error| io_error(from, "copy", error);
    for name in [FORMAT_FILE, RULES_FILE, COMMITS, REBUILD] {
        match fs::copy(from.join(name), to.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
    }
    copy_below(&swap::whole_engine(from), &to.join(ENGINE)).map_err(failed)?;
    // In the middle of a switch the file still says what the old engine was. Else it is right, also where the wrapped key is missing.
    if from.join(COMPACTED).exists() { say_encrypted(to) } else { Ok(()) }
}

const TO_REPAIR: &str = "run `whowas repair`\n";
const TO_REBUILD: &[u8] = b"run `whowas rebuild`\n";
const HALF: &str = "half of a commit may be there: ";
const REBUILD_BEGUN: &[u8] = b"a rebuild was begun; run `whowas rebuild`, and `whowas repair` if that fails\n";
