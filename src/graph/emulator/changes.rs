//! The change log behind delta queries: every state an object was ever in, in the order of the changes.
//!
//! Nothing is ever rewritten, so a page of an old round can be worked out again at any time, and a round can be told as
//! of an earlier instant, which is how replication lag is emulated.

use std::collections::HashMap;
use std::sync::Arc;

use super::entity::{Entity, Fields};
use crate::domain::id::ObjectId;
use crate::domain::time::Instant;

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Created,
    Updated,
    Deleted,
    Restored,
    Purged,
}

/// One change and the state it left.
#[derive(Clone, Debug)]
pub(super) struct Entry<T> {
    pub(super) at: Instant,
    pub(super) change: Change,
    pub(super) fields: Fields,
    pub(super) state: Arc<T>,
    /// The position of the same object's change before this one.
    pub(super) previous: Option<usize>,
    /// The position of the same object's change after this one.
    pub(super) next: Option<usize>,
}

/// The changes of all objects of one kind.
#[derive(Clone, Debug)]
pub(super) struct ChangeLog<T> {
    entries: Vec<Entry<T>>,
    latest: HashMap<ObjectId, usize>,
}

impl<T: Entity> ChangeLog<T> {
    pub(super) fn new() -> Self {
        Self { entries: Vec::new(), latest: HashMap::new() }
    }

    /// Adds a change. Times never run backwards, because the directory's clock does not.
    pub(super) fn push(&mut self, at: Instant, change: Change, state: Arc<T>) {
        let position = self.entries.len();
        let previous = self.latest.insert(state.id(), position);
        let before = previous.and_then(|previous| self.entries.get_mut(previous));
        let fields = match before {
            Some(before) => {
                before.next = Some(position);
                state.differences(&before.state)
            }
            None => state.ever_set(),
        };
        self.entries.push(Entry { at, change, fields, state, previous, next: None });
    }

    pub(super) fn get(&self, position: usize) -> Option<&Entry<T>> {
        self.entries.get(position)
    }

    /// When an object last changed.
    pub(super) fn changed_at(&self, id: ObjectId) -> Option<Instant> {
        self.latest.get(&id).and_then(|position| self.get(*position)).map(|entry| entry.at)
    }

    /// How many changes had happened by `instant`.
    pub(super) fn length_at(&self, instant: Instant) -> usize {
        self.entries.partition_point(|entry| entry.at <= instant)
    }
}
