//! An open sled, each call of which is caught, and what making it durable needs.

use std::any::Any;
use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use ::sled::Db;

use super::{CONFIG_FILE, DATA_FILE, EngineOptions, LOCK_ATTEMPTS, LOCK_PAUSE, PAGES_FOLDER, read_first};
use crate::store::StoreError;
use crate::store::sled::directory::{bytes_below, copy_below, io_error, remove_half_snapshots, sync_directory};
use crate::store::sled::writer::none_hangs;
use crate::store::sled::{FREE_BYTES_MIN, Vanishing};

/// sled, and what making it durable needs.
pub(super) struct Inner {
    pub(super) db: Db,
    config: ::sled::Config,
    file: File,
    path: PathBuf,
    /// Files of single pages that are on the disk by now.
    synced: Mutex<HashSet<OsString>>,
    // Dropped last: the folder of a copy.
    _vanishing: Option<Vanishing>,
}

impl Inner {
    pub(super) fn open(path: &Path, options: EngineOptions) -> Result<Self, StoreError> {
        // `mode` is left alone: 0.34.7 accepts it and then never looks at it. The periodic flusher stays on; it does no
        // harm beside our own syncs.
        let config = ::sled::Config::new().path(path).cache_capacity(options.cache_capacity_bytes);
        let config = if options.fills { config.flush_every_ms(Some(FILLING_FLUSH_MS)) } else { config };
        if !none_hangs(LOCK_PAUSE * LOCK_ATTEMPTS) {
            let why = "an engine that this process opened before hangs, and would make this one hang: end the process and start it anew";
            return Err(io_error(path, "open the engine", io::Error::other(why)));
        }
        if !options.is_read {
            read_first(path)?;
        }
        let what = || format!("the engine's files in {}", path.display());
        let mut attempts = 0;
        let db = loop {
            attempts += 1;
            match catch_unwind(AssertUnwindSafe(|| config.open())) {
                Ok(Ok(db)) => break db,
                // Whoever holds sled's own lock while we hold ours is one of its threads that has not quite ended.
                Ok(Err(::sled::Error::Io(error))) if is_refused_lock(&error) && attempts < LOCK_ATTEMPTS => {
                    thread::sleep(LOCK_PAUSE);
                }
                Ok(Err(error)) => return Err(failed(what(), error)),
                Err(panic) => return Err(panicked(what(), &*panic)),
            }
        };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(path.join(DATA_FILE))
            .map_err(|error| io_error(path, "open the engine's file", error))?;
        Ok(Self { db, config, file, path: path.to_owned(), synced: Mutex::default(), _vanishing: None })
    }

    /// Opens it for reading, after it failed. A log that does not end cleanly is opened as a copy, because sled overwrites what stands behind
    /// a place that cannot be read; but where no copy can be made, a full disk must not keep anyone from reading.
    pub(super) fn open_after_failure(path: &Path, options: EngineOptions) -> Result<Self, StoreError> {
        let options = EngineOptions { is_read: true, ..options };
        let is_to_be_copied = read_first(path)?.wants_copy(bytes_of(path)?);
        if is_to_be_copied && let Ok(copied) = copied(path) {
            return Self::open_copied(copied, options);
        }
        Self::open(path, options).or_else(|_| Self::open_copied(copied(path)?, options))
    }

    /// Opens a copy, which goes with it.
    fn open_copied((engine, vanishing): (PathBuf, Vanishing), options: EngineOptions) -> Result<Self, StoreError> {
        let options = EngineOptions { is_read: false, ..options };
        Ok(Self { _vanishing: Some(vanishing), ..Self::open(&engine, options)? })
    }

    /// What its file is told by, unless it is a copy of the engine's.
    pub(super) fn own_file(&self) -> Option<fs::Metadata> {
        self._vanishing.is_none().then(|| self.file.metadata().ok()).flatten()
    }

    pub(super) fn apply(&self, batch: ::sled::Batch) -> Result<(), StoreError> {
        self.guarded(|| self.db.apply_batch(batch))
    }

    /// Whether a write of sled's own has failed. After that it writes no more, and cannot always read.
    pub(super) fn has_failed(&self) -> bool {
        self.config.global_error().is_err()
    }

    pub(super) fn persist(&self) -> Result<(), StoreError> {
        self.guarded(|| self.db.flush())?;
        let failed = |error| io_error(&self.path, "make the engine's file durable", error);
        // Before the file that points to them.
        self.persist_pages().map_err(failed)?;
        self.file.sync_data().map_err(failed)
    }

    /// Puts the files of single pages on the disk. sled never does, and writes one for each page that grows too large; with
    /// values as small as ours that is rare, so there is mostly nothing but an empty folder to look at.
    fn persist_pages(&self) -> io::Result<()> {
        let folder = self.path.join(PAGES_FOLDER);
        let mut synced = self.synced.lock().unwrap_or_else(PoisonError::into_inner);
        let mut there = HashSet::new();
        let mut is_new = false;
        for entry in fs::read_dir(&folder)? {
            let name = entry?.file_name();
            if !synced.contains(&name) {
                match File::open(folder.join(&name)) {
                    Ok(file) => file.sync_all()?,
                    // sled has given it up meanwhile.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    Err(error) => return Err(error),
                }
                is_new = true;
            }
            there.insert(name);
        }
        if is_new && cfg!(unix) {
            File::open(&folder)?.sync_all()?;
        }
        *synced = there;
        Ok(())
    }

    pub(super) fn persist_creation(&self) -> Result<(), StoreError> {
        self.persist()?;
        let failed = |error| io_error(&self.path, "make the engine's files durable", error);
        self.file.sync_all().map_err(failed)?;
        for name in [CONFIG_FILE, DATA_FILE] {
            File::open(self.path.join(name)).and_then(|file| file.sync_all()).map_err(failed)?;
        }
        sync_directory(&self.path)
    }

    pub(super) fn guarded<T>(&self, call: impl FnOnce() -> ::sled::Result<T>) -> Result<T, StoreError> {
        let what = || format!("the engine's files in {}", self.path.display());
        match catch_unwind(AssertUnwindSafe(call)) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(failed(what(), error)),
            Err(panic) => Err(panicked(what(), &*panic)),
        }
    }
}

fn bytes_of(path: &Path) -> Result<u64, StoreError> {
    bytes_below(path).map_err(|error| io_error(path, "measure the engine's files", error))
}

/// Copies an engine into the folder for temporary files, where nobody else may read it.
fn copied(path: &Path) -> Result<(PathBuf, Vanishing), StoreError> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let failed = |error| io_error(path, "copy the engine's files", error);
    let (bytes, free) = (bytes_of(path)?, fs4::available_space(std::env::temp_dir()).map_err(failed)?);
    if bytes > COPY_BYTES_MAX || bytes.saturating_add(FREE_BYTES_MIN) > free {
        return Err(failed(io::ErrorKind::StorageFull.into()));
    }
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("whowas-reading-{}-{number}", std::process::id()));
    make_private(&folder).map_err(failed)?;
    let vanishing = Vanishing(folder.clone());
    let copy = folder.join("engine");
    copy_below(path, &copy).and_then(|()| remove_half_snapshots(&copy)).map_err(failed)?;
    Ok((copy, vanishing))
}

/// Makes a folder that nobody else may look into.
fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Whether sled did not get its own lock. It wraps the reason in a text. The lock itself must not be asked instead: it may
/// have become free since.
pub(super) fn is_refused_lock(error: &io::Error) -> bool {
    error.to_string().starts_with("could not acquire lock")
}

fn failed(what: String, error: ::sled::Error) -> StoreError {
    match error {
        ::sled::Error::Corruption { .. } => StoreError::Damaged { what, why: error.to_string() },
        error => StoreError::Io { step: format!("use {what}"), source: Box::new(error) },
    }
}

fn panicked(what: String, panic: &(dyn Any + Send)) -> StoreError {
    let said = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    let why = format!("the engine gave up on them: {}", said.unwrap_or("it did not say why"));
    StoreError::Damaged { what, why }
}

/// The largest engine that is copied in order to be read, in bytes.
const COPY_BYTES_MAX: u64 = 512 << 20;
/// How often the background thread comes while an engine is filled.
const FILLING_FLUSH_MS: u64 = 10;
