//! Looking at a ledger that is not opened.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::copy_ledger;
use super::files::{bytes_below, entries_strict, io_error};
use super::format::read_format;
use super::lock::wait_for_lock;
use super::names::{LOCK, REBUILD, RESTORE, check_is_ours};
use crate::store::StoreError;

/// A ledger that nobody writes for as long as this lives, and in which nothing is changed by it.
#[derive(Debug)]
pub(in crate::store::sled) struct Quiet {
    path: PathBuf,
    _lock: Option<File>,
}

impl Quiet {
    /// Keeps writers away; others may look at the same time. `None` if there is no ledger yet.
    pub(in crate::store::sled) fn keep(path: &Path) -> Result<Option<Self>, StoreError> {
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

    pub(in crate::store::sled) fn is_rebuilding(&self) -> bool {
        self.path.join(REBUILD).exists()
    }

    pub(in crate::store::sled) fn is_restoring(&self) -> bool {
        self.path.join(RESTORE).exists()
    }

    /// Bytes of what a copy needs.
    pub(in crate::store::sled) fn bytes(&self) -> Result<u64, StoreError> {
        bytes_below(&self.path).map_err(|error| io_error(&self.path, "measure", error))
    }

    /// Copies what opening the ledger needs into an existing directory.
    pub(in crate::store::sled) fn copy_to(&self, to: &Path) -> Result<(), StoreError> {
        copy_ledger(&self.path, to)
    }
}
