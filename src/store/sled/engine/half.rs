//! Half of a batch: what sled leaves behind when it cannot apply all of one.
//!
//! It puts one record after the other into its pages, and what it has done when it cannot read one of them stays done, and reaches the
//! disk a moment later.

use std::sync::atomic::{AtomicBool, Ordering};

use ::sled::IVec;

use super::opened::Inner;
use crate::store::StoreError;
use crate::store::sled::directory::HalfMark;

/// Whether half of a batch is there.
#[derive(Default)]
pub(super) struct Half(AtomicBool);

impl Half {
    pub(super) fn is_there(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// A batch failed; nothing is written after it, and nothing read while half of it is there.
    pub(super) fn comes(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub(super) fn is_gone(&self) {
        self.0.store(false, Ordering::Release);
    }

    /// Puts back onto the disk what the keys of a batch that failed had before. Whoever is killed meanwhile, or cannot put back all of it,
    /// leaves the mark, because of which the next opening removes what there is.
    pub(super) fn take_back(&self, inner: &Inner, before: Vec<(IVec, Option<IVec>)>, mark: Option<&HalfMark>) {
        self.comes();
        // Then it writes nothing more, and leaves out what was not written whole when it is opened again.
        if inner.has_failed() {
            return;
        }
        let is_marked = mark.is_some_and(|mark| mark.set().is_ok());
        if put_back(inner, before).is_ok() {
            self.is_gone();
            if let Some(mark) = mark.filter(|_| is_marked) {
                // With a mark too many nothing is lost.
                let _ = mark.clear();
            }
        }
    }
}

fn put_back(inner: &Inner, before: Vec<(IVec, Option<IVec>)>) -> Result<(), StoreError> {
    let put_one = |(key, value): (IVec, Option<IVec>)| {
        inner.guarded(|| match value {
            Some(value) => inner.db.insert(key, value).map(drop),
            None => inner.db.remove(key).map(drop),
        })
    };
    // Whatever becomes of one, the others are put back.
    let all = before.into_iter().map(put_one).fold(Ok(()), Result::and);
    inner.persist().and(all)
}
