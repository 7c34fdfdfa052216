//! Half of a batch: what sled leaves behind when it cannot apply all of one.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use ::sled::IVec;

/// Keys as sled has them, and what they had before.
type Before = Vec<(IVec, Option<IVec>)>;

/// Whether half of a batch is there, and what takes it back.
#[derive(Default)]
pub(super) struct Half {
    is_there: AtomicBool,
    before: Mutex<Before>,
}

impl Half {
    pub(super) fn is_there(&self) -> bool {
        self.is_there.load(Ordering::Acquire)
    }

    /// A batch failed; nothing is written after it.
    pub(super) fn note(&self, before: impl Iterator<Item = (IVec, Option<IVec>)>) {
        // First, because others read meanwhile.
        self.is_there.store(true, Ordering::Release);
        *self.before.lock().unwrap_or_else(PoisonError::into_inner) = before.collect();
    }

    /// What its keys had before.
    pub(super) fn before(&self) -> Before {
        std::mem::take(&mut *self.before.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn is_gone(&self) {
        self.is_there.store(false, Ordering::Release);
    }
}
