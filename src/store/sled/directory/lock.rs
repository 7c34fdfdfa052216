//! Who holds a ledger.

use std::fs::{self, File, TryLockError};
use std::path::Path;
use std::time::Duration;

use super::files::io_error;
use super::names::{HOLDER, LOCK};
use crate::store::{Holder, StoreError};

/// A command that is just ending, or a program that this process is just starting, holds the lock for a moment longer.
pub(super) fn wait_for_lock(path: &Path, lock: impl Fn() -> Result<(), TryLockError>) -> Result<(), StoreError> {
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
    // Whoever writes keeps everybody away. Where others may still look, somebody is only looking, and the note is of who wrote last.
    if File::open(path.join(LOCK)).is_ok_and(|file| file.try_lock_shared().is_ok()) {
        return StoreError::HeldBySomeone { path: shown, why: "somebody takes a copy of it".to_owned() };
    }
    let read =
        || -> Result<Holder, Box<dyn std::error::Error>> { Ok(serde_json::from_slice(&fs::read(path.join(HOLDER))?)?) };
    match read() {
        Ok(holder) => StoreError::Held { path: shown, holder: Box::new(holder) },
        Err(error) => StoreError::HeldBySomeone { path: shown, why: error.to_string() },
    }
}

const LOCK_ATTEMPTS: u32 = 10;
const LOCK_PAUSE: Duration = Duration::from_millis(25);
