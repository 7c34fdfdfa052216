//! The ledger's directory: what is in it, and who may open it.
//!
//! | entry | what |
//! | --- | --- |
//! | `format` | the format's version, in digits; written last when a ledger is created |
//! | `lock` | locked by the process that has the ledger open; never removed |
//! | `holder.json` | who that is and how far it is |
//! | `commits` | how many commits were acknowledged at least, against which the engine's own recovery is checked |
//! | `rebuild` | there while what is derived from the journal is incomplete |
//! | `engine/` | sled's own files |
//! | `scratch-*` | a store for a moment's use; leftovers are removed at the next opening |

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::store::{Holder, StoreError};

/// The newest format that this release reads, and the one it writes.
pub const FORMAT: u32 = 1;

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
            fs::create_dir_all(path).map_err(|error| io_error(path, "create the directory", error))?;
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
        directory.remove_leftovers()?;
        Ok(directory)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn engine(&self) -> PathBuf {
        self.path.join(ENGINE)
    }

    /// The format's version; `None` if the ledger has not been created in full.
    pub(super) fn format(&self) -> Result<Option<u32>, StoreError> {
        read_format(&self.path)
    }

    /// Completes the creation: from now on this is a ledger.
    pub(super) fn write_format(&self) -> Result<(), StoreError> {
        self.replace(FORMAT_FILE, format!("{FORMAT}\n").as_bytes(), true)
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
        self.path.join(REBUILD).try_exists().map_err(|error| self.io_error("look for the rebuild mark", error))
    }

    pub(super) fn mark_rebuilding(&self) -> Result<(), StoreError> {
        self.replace(REBUILD, b"run `whowas rebuild`\n", true)
    }

    pub(super) fn clear_rebuilding(&self) -> Result<(), StoreError> {
        match fs::remove_file(self.path.join(REBUILD)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(self.io_error("remove the rebuild mark", error))
            }
            _ => sync_directory(&self.path),
        }
    }

    /// How many commits were acknowledged at least; `None` if that is not known.
    pub(super) fn commits(&self) -> Option<u64> {
        let bytes: [u8; 16] = fs::read(self.path.join(COMMITS)).ok()?.try_into().ok()?;
        let number = u128::from_be_bytes(bytes);
        let (count, check) = (u64::try_from(number >> 64).ok()?, u64::try_from(number & u128::from(u64::MAX)).ok()?);
        (count == !check).then_some(count)
    }

    /// Notes an acknowledged commit: the number and its complement in one write, never synced. sled takes a damaged log
    /// for one that ends there, so after a flipped bit it opens in silence without the newest commits; only something
    /// kept apart from it can tell. The note is written after the commit is on the disk, so it never claims too much, and
    /// one that is lost only weakens this check.
    pub(super) fn note_commits(&self, count: u64) {
        let bytes = (u128::from(count) << 64 | u128::from(!count)).to_be_bytes();
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(self.path.join(COMMITS));
        let _ = file.and_then(|mut file| file.write_all(&bytes));
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

    /// sled takes a half-written `snap.*.generating` for its newest snapshot and then refuses to open, for ever. Under
    /// our lock nobody is writing one, and without it sled recovers from its log.
    fn remove_leftovers(&self) -> Result<(), StoreError> {
        let failed = |error| self.io_error("remove what an interrupted process left", error);
        for (name, path) in entries(&self.engine()).map_err(failed)? {
            if name.starts_with("snap.") && name.ends_with(".generating") {
                fs::remove_file(path).map_err(failed)?;
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
        let failed = |error| self.io_error(&format!("write {name}"), error);
        let new = self.path.join(format!("{name}{NEW}"));
        let mut file = File::create(&new).map_err(failed)?;
        file.write_all(content).map_err(failed)?;
        if durable {
            file.sync_all().map_err(failed)?;
        }
        fs::rename(&new, self.path.join(name)).map_err(failed)?;
        if durable { sync_directory(&self.path) } else { Ok(()) }
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // The lock itself goes after this, with the field.
        self.remove_holder();
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

    /// Bytes of what a copy needs.
    pub(super) fn bytes(&self) -> Result<u64, StoreError> {
        bytes_below(&self.path).map_err(|error| io_error(&self.path, "measure", error))
    }

    /// Copies what opening the ledger needs into an existing directory.
    pub(super) fn copy_to(&self, to: &Path) -> Result<(), StoreError> {
        let failed = |error| io_error(&self.path, "copy", error);
        for name in [FORMAT_FILE, COMMITS] {
            match fs::copy(self.path.join(name), to.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
                _ => {}
            }
        }
        copy_below(&self.path.join(ENGINE), &to.join(ENGINE)).map_err(failed)
    }
}

fn copy_below(from: &Path, to: &Path) -> io::Result<()> {
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

fn read_format(path: &Path) -> Result<Option<u32>, StoreError> {
    let text = match fs::read_to_string(path.join(FORMAT_FILE)) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_error(path, "read the format file", error)),
    };
    let shown = path.display().to_string();
    let Ok(found) = text.trim().parse::<u32>() else {
        return Err(StoreError::NotALedger { path: shown, why: "its format file holds no version number".to_owned() });
    };
    if found > FORMAT {
        return Err(StoreError::NewerFormat { path: shown, found, known: FORMAT });
    }
    Ok(Some(found))
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
const REBUILD: &str = "rebuild";
const ENGINE: &str = "engine";
const NEW: &str = ".new";

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
    [FORMAT_FILE, LOCK, HOLDER, COMMITS, REBUILD, ENGINE].contains(&name) || name.starts_with(SCRATCH)
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

fn bytes_below(path: &Path) -> io::Result<u64> {
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
