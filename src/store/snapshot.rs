//! A snapshot, with all that was said about it and what follows from that.

use super::{Subject, TallyClass};
use crate::domain::attribution::Judgement;
use crate::domain::fact::{Addressed, Receipt, Snapshot};
use crate::domain::holder::HolderConfidence;
use crate::domain::id::{MailboxId, ObjectId, Sequence, SnapshotId};
use crate::domain::time::Instant;

/// A snapshot with all that was said about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotRecord {
    /// The snapshot.
    pub snapshot: Snapshot,
    /// The commit that recorded it.
    pub taken: Sequence,
    /// What the agent really read, newest last, each with its commit.
    pub receipts: Vec<(Sequence, Receipt)>,
    /// The commit that said it is no longer kept.
    pub expired: Option<Sequence>,
    /// Whose data it holds, as of the newest commit and by the tenant's terms.
    pub judgement: Judgement,
    /// The commit that changed the judgement last.
    pub judged: Sequence,
}

impl SnapshotRecord {
    /// The mailbox instance that it was read from, as its newest receipt that tells one has it, else as it was recorded.
    pub fn mailbox(&self) -> Option<MailboxId> {
        let receipts = self.receipts.iter().rev().map(|(_, receipt)| receipt);
        let read = receipts.map(|receipt| receipt.mailbox_end.or(receipt.mailbox)).find(Option::is_some).flatten();
        read.or(self.snapshot.mailbox)
    }

    /// Whether it was addressed by a name and is not certainly anybody's.
    pub fn is_unproved(&self) -> bool {
        let is_named = matches!(self.snapshot.addressed, Addressed::Name(..));
        is_named && self.judgement.confidence != HolderConfidence::Certain
    }

    /// Whether it was addressed so, or receipted for the object.
    pub fn is_about(&self, subject: &Subject) -> bool {
        match (subject, &self.snapshot.addressed) {
            (Subject::Object(object), Addressed::Object(addressed)) if object == addressed => true,
            (Subject::Object(object), _) => self
                .receipts
                .iter()
                .any(|(_, receipt)| receipt.object == *object || receipt.object_end == Some(*object)),
            (Subject::Name(key), Addressed::Name(name, _)) => key == name.key(),
            (Subject::Name(_), Addressed::Object(_)) => false,
        }
    }

    /// The mailbox instances from which this object was read, as it says itself and its receipts say.
    pub fn mailboxes_of(&self, object: ObjectId) -> Vec<MailboxId> {
        let own = (self.snapshot.addressed == Addressed::Object(object)).then_some(self.snapshot.mailbox).flatten();
        let receipted = self.receipts.iter().flat_map(|(_, receipt)| {
            let begun = (receipt.object == object).then_some(receipt.mailbox).flatten();
            let ended = (receipt.object_end == Some(object)).then_some(receipt.mailbox_end).flatten();
            [begun, ended].into_iter().flatten()
        });
        own.into_iter().chain(receipted).collect()
    }

    /// With what other snapshots of its chain it is counted.
    pub fn class(&self) -> TallyClass {
        TallyClass { judgement: self.judgement, mailbox: self.mailbox() }
    }
}

/// A place in a chain's snapshots, which are ordered by `(from, id)`.
pub type SnapshotPlace = (Instant, SnapshotId);
