//! What a store keeps for the auditor beside the journal: counts of a chain's snapshots, lineage links.

use crate::domain::attribution::Judgement;
use crate::domain::id::{ChainId, MailboxId, Sequence, SnapshotId};
use crate::domain::link::Link;
use crate::domain::time::Instant;

/// How many of a chain's snapshots are judged alike. The sum over a chain is the chain's length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tally {
    /// What they have in common.
    pub class: TallyClass,
    /// How many there are.
    pub count: TallyCount,
    /// The commit that changed the number last.
    pub changed: Sequence,
}

/// What snapshots that are counted together have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TallyClass {
    /// Whose they are, and how sure that is.
    pub judgement: Judgement,
    /// The mailbox instance that they were read from, as far as they tell.
    pub mailbox: Option<MailboxId>,
}

/// A number of snapshots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TallyCount {
    /// All that were recorded.
    pub all: u64,
    /// Those that the backup product still keeps.
    pub kept: u64,
}

/// A lineage link and what operators did to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkRecord {
    /// The link, in the words of the newest approval.
    pub link: Link,
    /// Approvals and undoings by their commits, oldest first.
    pub steps: Vec<(Sequence, bool)>,
}

impl LinkRecord {
    /// Whether the link was in force as known at a commit.
    pub fn is_on(&self, through: Sequence) -> bool {
        self.steps.iter().rev().find(|(at, _)| *at <= through).is_some_and(|(_, on)| *on)
    }
}

/// A place among the snapshots that were addressed by one name, which are ordered by `(chain, until, id)`.
pub type NamedPlace = (ChainId, Instant, SnapshotId);

/// A place among all snapshots that were addressed by a name, which are ordered by `(until, chain, id)`.
pub type EndingPlace = (Instant, ChainId, SnapshotId);
