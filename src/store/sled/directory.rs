//! The ledger's directory: what is in it, and who may open it.
//!
//! | entry | what |
//! | --- | --- |
//! | `format` | the format's version, in digits, and `encrypted` if the ledger is; written last when a ledger is created or upgraded |
//! | `lock` | locked by the process that has the ledger open; never removed |
//! | `holder.json` | who that is and how far it is |
//! | `commits` | how many commits were acknowledged at least, and which was the newest, against which the engine's own recovery is checked |
//! | `rebuild` | there while what is derived from the journal is incomplete |
//! | `restore` | there while the ledger is being brought back from an export |
//! | `engine.new/` | a compacted engine; means nothing until `compacted` is there, and is removed at the next opening |
//! | `compacted` | there while `engine.new/` takes the place of `engine/`, which the next opening completes; see `swap.rs` |
//! | `engine.old/` | the engine before, while it is being removed |
//! | `repair` | there while a repair puts a new engine in the place of a damaged one |
//! | `engine/` | sled's own files; in an encrypted ledger `cipher` and `cipher.copy` besides, the wrapped data key, in this and every other engine |
//! | `engine.repaired/` | a new engine that a repair is filling; worth nothing unless `repair` is there |
//! | `engine.damaged-N/` | an engine that a repair has put aside, as it was found |
//! | `scratch-*` | a store for a moment's use; leftovers are removed at the next opening |

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::swap;
use crate::domain::id::{Sequence, TenantId};
use crate::private;
use crate::store::{Hash, Holder, StoreError};

/// The newest format that this release reads, and the one it writes.
///
/// | format | brought |
/// | --- | --- |
/// | 1 | the first |
/// | 2 | each fact of a commit is hashed by itself, and what format 1 wrote stays as it is; the Merkle log over the commits, which a ledger of format 1 is given when it is opened |
pub const FORMAT: u32 = 2;

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

    /// A rebuild is being done.
    pub(super) fn mark_rebuilding_begun(&self) -> Result<(), StoreError> {
        self.replace(REBUILD, REBUILD_BEGUN, true)
    }

    pub(super) fn has_begun_rebuilding(&self) -> Result<bool, StoreError> {
        let place = self.path.join(REBUILD);
        match fs::read(&place) {
            Ok(said) => Ok(said == REBUILD_BEGUN),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(io_error(&place, "read the mark", error)),
        }
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

    pub(super) fn mark_repairing(&self) -> Result<(), StoreError> {
        self.replace(REPAIR, b"run `whowas repair`\n", true)
    }

    pub(super) fn clear_repairing(&self) -> Result<(), StoreError> {
        self.remove(REPAIR)
    }

    /// Keeps the report of a repair, a line of JSON, until somebody was told: what it lost is nowhere else once a new engine is in place.
    /// One of the same place for the damaged files is replaced, because that repair died before it had begun to switch.
    pub(super) fn note_repair(&self, report: &str, is_same: impl Fn(&str) -> bool) -> Result<(), StoreError> {
        let earlier = self.repairs()?;
        let lines = earlier.lines().filter(|line| !is_same(line)).chain(std::iter::once(report));
        let text: String = lines.map(|line| format!("{line}\n")).collect();
        self.replace(REPAIRS, text.as_bytes(), true)
    }

    /// The reports of repairs that nobody was told of.
    pub(super) fn repairs(&self) -> Result<String, StoreError> {
        match fs::read(self.path.join(REPAIRS)) {
            Ok(text) => Ok(String::from_utf8_lossy(&text).into_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
            Err(error) => Err(self.io_error("read the reports of earlier repairs", error)),
        }
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

    fn has(&self, name: &str) -> Result<bool, StoreError> {
        self.path.join(name).try_exists().map_err(|error| self.io_error(&format!("look for the mark {name}"), error))
    }

    fn remove(&self, name: &str) -> Result<(), StoreError> {
        match fs::remove_file(self.path.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(self.io_error(&format!("remove {name}"), error))
            }
            _ => sync_directory(&self.path),
        }
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

impl Drop for Directory {
    fn drop(&mut self) {
        // The lock itself goes after this, with the field.
        self.remove_holder();
    }
}

/// What is noted beside the engine of the acknowledged commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Note {
    /// How many there were at least, of all tenants.
    pub(super) count: u64,
    /// One of them, mostly the newest; older releases noted none.
    pub(super) newest: Option<Noted>,
}

/// A commit that was acknowledged. With its hash an engine of another ledger, or of another course of this one, is told from
/// ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Noted {
    pub(super) tenant: TenantId,
    pub(super) sequence: Sequence,
    pub(super) hash: Hash,
    /// The hash of the tenant's first commit: where the one noted is gone, it still tells whether the rest is ours.
    pub(super) first: Option<Hash>,
}

impl Note {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = (u128::from(self.count) << 64 | u128::from(!self.count)).to_be_bytes().to_vec();
        if let Some(Noted { tenant, sequence, hash, first }) = &self.newest {
            bytes.extend_from_slice(tenant.as_bytes());
            bytes.extend_from_slice(&sequence.0.to_be_bytes());
            bytes.extend_from_slice(&hash.0);
            bytes.extend(first.iter().flat_map(|first| first.0));
            let sum: [u8; 32] = Sha256::digest(&bytes).into();
            bytes.extend_from_slice(sum.split_at(NOTE_SUM_BYTES).0);
        }
        bytes
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (number, rest) = bytes.split_first_chunk::<16>()?;
        let number = u128::from_be_bytes(*number);
        let count = u64::try_from(number >> 64).ok()?;
        if u64::try_from(number & u128::from(u64::MAX)).ok()? != !count {
            return None;
        }
        if rest.is_empty() {
            return Some(Self { count, newest: None });
        }
        let (tenant, rest) = rest.split_first_chunk::<16>()?;
        let (sequence, rest) = rest.split_first_chunk::<8>()?;
        let (hash, rest) = rest.split_first_chunk::<32>()?;
        let newest = Noted {
            tenant: TenantId::from_bytes(*tenant),
            sequence: Sequence(u64::from_be_bytes(*sequence)),
            hash: Hash(*hash),
            first: rest.split_first_chunk::<32>().map(|(first, _)| Hash(*first)),
        };
        let note = Self { count, newest: Some(newest) };
        (note.bytes() == bytes).then_some(note)
    }
}

/// A ledger that nobody writes for as long as this lives, and in which nothing is changed by it.
#[derive(Debug)]
pub(super) struct Quiet {
    path: PathBuf,
    _lock: Option<File>,
}

impl Quiet {
    /// Keeps writers away; others may look at the same time. `None` if there is no ledger yet.
    pub(super) fn keep(path: &Path) -> Result<Option<Self>, StoreError> {
        if entries_strict(path).map_or_else(|error| error.kind() == io::ErrorKind::NotFound, |found| found.is_empty()) {
            return Ok(None);
        }
        check_is_ours(path, false)?;
        let lock = match File::open(path.join(LOCK)) {
            Ok(file) => {
                wait_for_lock(path, || file.try_lock_shared())?;
                Some(file)
            }
            // A copy from a backup may lack it; then nobody has it open either.
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(io_error(path, "open the lock file", error)),
        };
        let quiet = Self { path: path.to_owned(), _lock: lock };
        // An interrupted creation left no commit.
        Ok(read_format(path)?.map(|_| quiet))
    }

    pub(super) fn is_rebuilding(&self) -> bool {
        self.path.join(REBUILD).exists()
    }

    pub(super) fn is_restoring(&self) -> bool {
        self.path.join(RESTORE).exists()
    }

    /// Bytes of what a copy needs.
    pub(super) fn bytes(&self) -> Result<u64, StoreError> {
        bytes_below(&self.path).map_err(|error| io_error(&self.path, "measure", error))
    }

    /// Copies what opening the ledger needs into an existing directory.
    pub(super) fn copy_to(&self, to: &Path) -> Result<(), StoreError> {
        copy_ledger(&self.path, to)
    }
}

/// sled takes a half-written `snap.*.generating` for its newest snapshot and then refuses to open, for ever. Under our lock, and
/// with the engine closed, nobody is writing one, and without it sled recovers from its log.
pub(super) fn remove_half_snapshots(engine: &Path) -> io::Result<()> {
    for (name, path) in entries(engine)? {
        if name.starts_with("snap.") && name.ends_with(".generating") {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

fn copy_ledger(from: &Path, to: &Path) -> Result<(), StoreError> {
    let failed = |error| io_error(from, "copy", error);
    for name in [FORMAT_FILE, COMMITS, REBUILD] {
        match fs::copy(from.join(name), to.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
    }
    copy_below(&swap::whole_engine(from), &to.join(ENGINE)).map_err(failed)?;
    // In the middle of a switch the file still says what the old engine was.
    say_encrypted(to)
}

/// Removes a folder and what is in it, if it is there.
pub(super) fn remove_folder(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

pub(super) fn copy_below(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    for (name, path) in entries(from)? {
        if fs::metadata(&path)?.is_dir() {
            copy_below(&path, &to.join(name))?;
        } else {
            fs::copy(path, to.join(name))?;
        }
    }
    Ok(())
}

/// Says in the format file whether the engine is encrypted, where a switch of engines has changed that.
pub(super) fn say_encrypted(path: &Path) -> Result<(), StoreError> {
    match read_said(path)? {
        Some(said) if said.is_encrypted != has_cipher(path) => write_format(path, said.format),
        _ => Ok(()),
    }
}

fn has_cipher(path: &Path) -> bool {
    [CIPHER, CIPHER_COPY].into_iter().any(|name| path.join(ENGINE).join(name).exists())
}

fn write_format(path: &Path, format: u32) -> Result<(), StoreError> {
    // A release that knows nothing of encryption refuses this one.
    let word = if has_cipher(path) { ENCRYPTED } else { "" };
    replace(path, FORMAT_FILE, format!("{format}{word}\n").as_bytes(), true)
}

fn replace(path: &Path, name: &str, content: &[u8], durable: bool) -> Result<(), StoreError> {
    let failed = |error| io_error(path, &format!("write {name}"), error);
    let new = path.join(format!("{name}{NEW}"));
    let mut file = File::create(&new).map_err(failed)?;
    file.write_all(content).map_err(failed)?;
    if durable {
        file.sync_all().map_err(failed)?;
    }
    fs::rename(&new, path.join(name)).map_err(failed)?;
    if durable { sync_directory(path) } else { Ok(()) }
}

/// What a format file says.
struct Said {
    format: u32,
    is_encrypted: bool,
}

fn read_format(path: &Path) -> Result<Option<u32>, StoreError> {
    Ok(read_said(path)?.map(|said| said.format))
}

fn read_said(path: &Path) -> Result<Option<Said>, StoreError> {
    let text = match fs::read(path.join(FORMAT_FILE)) {
        Ok(text) => String::from_utf8_lossy(&text).into_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_error(path, "read the format file", error)),
    };
    let shown = path.display().to_string();
    let (number, is_encrypted) = match text.trim().strip_suffix(ENCRYPTED) {
        Some(number) => (number, true),
        None => (text.trim(), false),
    };
    let Ok(found) = number.parse::<u32>() else {
        return Err(StoreError::NotALedger { path: shown, why: "its format file holds no version number".to_owned() });
    };
    if found == 0 {
        return Err(StoreError::NotALedger {
            path: shown,
            why: "its format file names a version that never was".to_owned(),
        });
    }
    if found > FORMAT {
        return Err(StoreError::NewerFormat { path: shown, found, known: FORMAT });
    }
    Ok(Some(Said { format: found, is_encrypted }))
}

/// Makes the names in a directory durable, and its own name too.
pub(super) fn sync_directory(path: &Path) -> Result<(), StoreError> {
    // Windows has no such call, and needs none: its file systems write names through their log.
    if cfg!(unix) {
        let sync = |path: &Path| File::open(path).and_then(|directory| directory.sync_all());
        sync(path).map_err(|error| io_error(path, "make the directory durable", error))?;
        if let Some(parent) = path.canonicalize().ok().as_deref().and_then(Path::parent) {
            // A parent that may not be opened is not ours, and was there before.
            let _ = sync(parent);
        }
    }
    Ok(())
}

pub(super) fn io_error(
    path: &Path,
    step: &str,
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> StoreError {
    StoreError::Io { step: format!("{step} of the ledger {}", path.display()), source: error.into() }
}

/// The name of a scratch store's directory begins so.
pub(super) const SCRATCH: &str = "scratch-";

const LOCK_ATTEMPTS: u32 = 10;
const LOCK_PAUSE: Duration = Duration::from_millis(25);
const FORMAT_FILE: &str = "format";
const LOCK: &str = "lock";
const HOLDER: &str = "holder.json";
const COMMITS: &str = "commits";
const TO_REBUILD: &[u8] = b"run `whowas rebuild`\n";
const REBUILD_BEGUN: &[u8] = b"a rebuild was begun; run `whowas rebuild`, and `whowas repair` if that fails\n";
const REBUILD: &str = "rebuild";
const RESTORE: &str = "restore";
/// Names that only `swap.rs` uses besides.
pub(super) const ENGINE: &str = "engine";
pub(super) const ENGINE_NEW: &str = "engine.new";
pub(super) const ENGINE_OLD: &str = "engine.old";
pub(super) const COMPACTED: &str = "compacted";
/// The wrapped data key in an engine's folder.
pub(super) const CIPHER: &str = "cipher";
pub(super) const CIPHER_COPY: &str = "cipher.copy";
const ENCRYPTED: &str = " encrypted";
const REPAIR: &str = "repair";
const REPAIRS: &str = "repairs.jsonl";
const REPAIRED: &str = "engine.repaired";
const DAMAGED: &str = "engine.damaged-";
const NEW: &str = ".new";
const NOTE_SUM_BYTES: usize = 4;

fn check_is_ours(path: &Path, create: bool) -> Result<(), StoreError> {
    let no = |why: &str| Err(StoreError::NotALedger { path: path.display().to_string(), why: why.to_owned() });
    let found = match entries_strict(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return no("there is no such directory"),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => return no("it is a file, not a directory"),
        Err(error) => return Err(io_error(path, "list the directory", error)),
    };
    if found.iter().any(|(name, _)| name == FORMAT_FILE) {
        return Ok(());
    }
    if !found.iter().all(|(name, _)| is_our_name(name)) {
        return no("it has other files in it and no format file, so it is no ledger");
    }
    if found.is_empty() && !create {
        return no("it is empty, so there is no ledger in it yet");
    }
    Ok(())
}

fn is_our_name(name: &str) -> bool {
    let name = name.strip_suffix(NEW).unwrap_or(name);
    [FORMAT_FILE, LOCK, HOLDER, COMMITS, REBUILD, RESTORE, REPAIR, ENGINE, ENGINE_OLD, COMPACTED, REPAIRED]
        .contains(&name)
        || name.starts_with(SCRATCH)
        || name.starts_with(DAMAGED)
}

/// A command that is just ending, or a program that this process is just starting, holds the lock for a moment longer.
fn wait_for_lock(path: &Path, lock: impl Fn() -> Result<(), TryLockError>) -> Result<(), StoreError> {
    for attempt in 0..LOCK_ATTEMPTS {
        if attempt > 0 {
            std::thread::sleep(LOCK_PAUSE);
        }
        match lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(io_error(path, "lock", error)),
        }
    }
    Err(held(path))
}

fn held(path: &Path) -> StoreError {
    let shown = path.display().to_string();
    let read =
        || -> Result<Holder, Box<dyn std::error::Error>> { Ok(serde_json::from_slice(&fs::read(path.join(HOLDER))?)?) };
    match read() {
        Ok(holder) => StoreError::Held { path: shown, holder: Box::new(holder) },
        Err(error) => StoreError::HeldBySomeone { path: shown, why: error.to_string() },
    }
}

fn entries(path: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    match entries_strict(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        found => found,
    }
}

fn entries_strict(path: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    fs::read_dir(path)?
        .map(|entry| entry.map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path())))
        .collect()
}

pub(super) fn bytes_below(path: &Path) -> io::Result<u64> {
    let mut sum = 0u64;
    for (name, path) in entries(path)? {
        if name.starts_with(SCRATCH) {
            continue;
        }
        let bytes = match fs::metadata(&path) {
            Ok(found) if found.is_dir() => bytes_below(&path)?,
            Ok(found) => found.len(),
            // The engine removes files of its own meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        sum = sum.saturating_add(bytes);
    }
    Ok(sum)
}
