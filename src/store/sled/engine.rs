//! sled behind a few guarded calls.
//!
//! sled 0.34 panics on some damaged files where it should return an error, so every call into it is caught; and its
//! `flush` is `sync_file_range` on Linux, which survives the death of the process but not a power cut, so
//! [`Engine::persist`] adds an `fdatasync` of the file.

use std::any::Any;
use std::fs::{File, OpenOptions};
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ::sled::{Batch, Db, IVec};

use super::directory::{io_error, sync_directory};
use crate::store::{Order, StoreError};

/// Largest value ever given to sled. Above about 300 KB it writes values to files of their own that are never synced.
pub(super) const VALUE_BYTES_MAX: usize = 64 * 1024;

pub(super) struct Engine {
    db: Db,
    file: File,
    path: PathBuf,
}

/// Keys from the first on and before the second; to the end if that is `None`.
pub(super) type Range = (Vec<u8>, Option<Vec<u8>>);

impl Engine {
    /// Opens sled in a directory, recovering it if its last process died.
    pub(super) fn open(path: &Path, cache_capacity_bytes: u64) -> Result<Self, StoreError> {
        // `mode` is left alone: 0.34.7 accepts it and then never looks at it. The periodic flusher stays on; it does no
        // harm beside our own syncs.
        let config = ::sled::Config::new().path(path).cache_capacity(cache_capacity_bytes);
        let what = || format!("the engine's files in {}", path.display());
        let mut attempts = 0;
        let db = loop {
            attempts += 1;
            match catch_unwind(AssertUnwindSafe(|| config.open())) {
                Ok(Ok(db)) => break db,
                // Whoever holds sled's own lock while we hold ours is one of its threads that has not quite ended.
                Ok(Err(::sled::Error::Io(error))) if is_refused_lock(&error) && attempts < LOCK_ATTEMPTS => {
                    std::thread::sleep(LOCK_PAUSE);
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
        Ok(Self { db, file, path: path.to_owned() })
    }

    pub(super) fn get(&self, key: &[u8]) -> Result<Option<IVec>, StoreError> {
        self.guarded(|| self.db.get(key))
    }

    /// Gives the records of a range to `each` until it breaks off.
    pub(super) fn scan(
        &self,
        (start, end): Range,
        order: Order,
        mut each: impl FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, StoreError>,
    ) -> Result<(), StoreError> {
        if end.as_ref().is_some_and(|end| *end <= start) {
            return Ok(());
        }
        let mut records = match end {
            Some(end) => self.db.range(start..end),
            None => self.db.range(start..),
        };
        loop {
            let next = self.guarded(|| {
                match order {
                    Order::Forward => records.next(),
                    Order::Backward => records.next_back(),
                }
                .transpose()
            })?;
            let Some((key, value)) = next else { return Ok(()) };
            if each(&key, &value)?.is_break() {
                return Ok(());
            }
        }
    }

    /// Applies a batch whole or not at all. It is durable after [`Self::persist`].
    pub(super) fn apply(&self, batch: Batch) -> Result<(), StoreError> {
        self.guarded(|| self.db.apply_batch(batch))
    }

    /// Puts everything applied on the disk.
    pub(super) fn persist(&self) -> Result<(), StoreError> {
        self.guarded(|| self.db.flush())?;
        self.file.sync_data().map_err(|error| io_error(&self.path, "make the engine's file durable", error))
    }

    /// Puts the engine's newly created files on the disk, names included.
    pub(super) fn persist_creation(&self) -> Result<(), StoreError> {
        self.persist()?;
        self.file.sync_all().map_err(|error| io_error(&self.path, "make the engine's file durable", error))?;
        for name in [CONFIG_FILE, DATA_FILE] {
            let synced = File::open(self.path.join(name)).and_then(|file| file.sync_all());
            synced.map_err(|error| io_error(&self.path, "make the engine's files durable", error))?;
        }
        sync_directory(&self.path)
    }

    pub(super) fn is_empty(&self) -> Result<bool, StoreError> {
        self.guarded(|| self.db.iter().next().transpose()).map(|first| first.is_none())
    }

    fn guarded<T>(&self, call: impl FnOnce() -> ::sled::Result<T>) -> Result<T, StoreError> {
        let what = || format!("the engine's files in {}", self.path.display());
        match catch_unwind(AssertUnwindSafe(call)) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(failed(what(), error)),
            Err(panic) => Err(panicked(what(), &*panic)),
        }
    }
}

/// Whether the engine's file is there.
pub(super) fn exists(path: &Path) -> bool {
    path.join(DATA_FILE).is_file()
}

const LOCK_ATTEMPTS: u32 = 500;
const LOCK_PAUSE: Duration = Duration::from_millis(20);
const DATA_FILE: &str = "db";
const CONFIG_FILE: &str = "conf";

/// Whether sled did not get its own lock. It wraps the reason in a text. The lock itself must not be asked instead: it may
/// have become free since.
fn is_refused_lock(error: &std::io::Error) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_whose_last_holder_is_just_ending_is_waited_for() {
        let folder = tempfile::TempDir::new().unwrap();
        drop(Engine::open(folder.path(), 1 << 20).unwrap());
        let held = File::open(folder.path().join(DATA_FILE)).unwrap();
        // sled's own threads may hold it for a moment longer.
        held.lock().unwrap();
        // It is refused with the very text by which the wait goes on.
        let refused = ::sled::Config::new().path(folder.path()).open().unwrap_err();
        assert!(matches!(&refused, ::sled::Error::Io(error) if is_refused_lock(error)), "{refused}");
        let ending = std::thread::spawn(move || {
            std::thread::sleep(LOCK_PAUSE * 5);
            drop(held);
        });
        Engine::open(folder.path(), 1 << 20).unwrap();
        ending.join().unwrap();
    }
}
