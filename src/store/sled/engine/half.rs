//! Half of a batch: what sled leaves behind when it cannot apply all of one.
//!
//! It puts one record after the other into its pages, and what it has done when it cannot read one of them stays done, and reaches the
//! disk a moment later.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ::sled::IVec;

use super::opened::Inner;
use crate::store::StoreError;
use crate::store::sled::directory::HalfMark;

/// Whether half of a batch is there.
#[derive(Default)]
pub(super) struct Half {
    /// How often it came and went: it is there when that is odd.
    changes: AtomicUsize,
    /// It is in memory alone, because sled failed to write.
    is_unwritten: AtomicBool,
}

impl Half {
    pub(super) fn is_there(&self) -> bool {
        !self.changes().is_multiple_of(2)
    }

    /// What is the same before and after whatever saw nothing of a half.
    pub(super) fn changes(&self) -> usize {
        self.changes.load(Ordering::Acquire)
    }

    /// A batch failed, and what there is of it is not taken back. Nothing is written or read after it.
    pub(super) fn comes(&self) {
        self.changes.fetch_or(1, Ordering::AcqRel);
    }

    /// Whether what is read now may be of a batch that is only in memory.
    pub(super) fn is_unwritten(&self) -> bool {
        self.is_unwritten.load(Ordering::Acquire)
    }

    /// It was opened again.
    pub(super) fn is_left_out(&self) {
        self.is_unwritten.store(false, Ordering::Release);
    }

    /// Puts back onto the disk what the keys of a batch that failed had before. Whoever is killed meanwhile, or cannot put back all of it,
    /// leaves the mark, because of which the next opening removes what there is.
    pub(super) fn take_back(&self, inner: &Inner, before: Vec<(IVec, Option<IVec>)>, mark: Option<&HalfMark>) {
        // Then it writes nothing more, and opened again it leaves out what was not written whole.
        if inner.has_failed() {
            return self.is_unwritten.store(true, Ordering::Release);
        }
        self.comes();
        let marked = mark.and_then(|mark| mark.set().ok());
        if put_back(inner, before).is_ok() {
            self.changes.fetch_add(1, Ordering::AcqRel);
            if let Some((mark, before)) = mark.zip(marked) {
                // A mark too many costs a rebuild, which finds nothing of the commit.
                let _ = mark.clear(&before);
            }
        } else if let (Some(mark), None) = (mark, marked) {
            // The disk may take it now.
            let _ = mark.set();
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
