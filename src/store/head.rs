//! The newest state of a tenant.

use super::{Cursor, EndingPlace, Hash, Proved};
use crate::domain::attribution::Settling;
use crate::domain::coverage::Coverage;
use crate::domain::finding::Severity;
use crate::domain::guard::HeldPart;
use crate::domain::id::Sequence;
use crate::domain::mapping::MappingState;
use crate::domain::time::Instant;

/// The newest state of a tenant, in one small record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The newest commit's number; 0 before the first.
    pub sequence: Sequence,
    /// Its hash; zeros before the first.
    pub hash: Hash,
    /// When it was recorded.
    pub recorded: Option<Instant>,
    /// The derived part.
    pub state: TenantState,
}

/// What is derived for a tenant as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TenantState {
    /// What time the feeds cover.
    pub coverage: Coverage,
    /// The sync cursor.
    pub cursor: Option<Cursor>,
    /// The start of a round of which only some pages are committed.
    pub open_round: Option<Instant>,
    /// What a guard holds; at most one round and one reconcile.
    pub holds: Vec<OpenHold>,
    /// How many runs the log has; the newest run's number.
    pub runs: u64,
    /// How many objects and snapshots there are.
    pub counts: Counts,
    /// The terms by which snapshots are attributed.
    pub settling: Settling,
    /// How many findings are open.
    pub findings: FindingCounts,
    /// Snapshots still to be judged anew, in the order of the work. While there are any, the judgements stored may be older
    /// than the evidence.
    pub backlog: Vec<Stint>,
    /// What is known of the mapping and of what its rules look at.
    pub mapping: MappingState,
}

/// A stretch of the snapshots addressed by a name, in order of their ends, that is to be judged anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stint {
    /// Which of them.
    pub proved: Proved,
    /// The first end.
    pub from: Instant,
    /// The last end.
    pub through: Instant,
    /// The place up to which the work is done.
    pub after: Option<EndingPlace>,
}

/// A round that a guard holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenHold {
    /// The run that was held.
    pub run: u64,
    /// What of it.
    pub part: HeldPart,
}

/// How many there are, by the facts about each object alone. What only a horizon adds to them (that someone deleted did not
/// come back by then) is not counted, or every horizon would have to look at every object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Live objects.
    pub active: u64,
    /// Objects that can come back.
    pub soft_deleted: u64,
    /// Objects gone for good.
    pub purged: u64,
    /// Snapshots recorded, expired ones included.
    pub snapshots: u64,
    /// Those of them that were addressed by a name.
    #[serde(skip)]
    pub named: u64,
}

/// How many findings are open, by how bad they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct FindingCounts {
    /// Critical ones.
    pub critical: u64,
    /// Warnings.
    pub warning: u64,
    /// Notices.
    pub notice: u64,
}

impl FindingCounts {
    /// The counter of a severity.
    pub fn of(&mut self, severity: Severity) -> &mut u64 {
        match severity {
            Severity::Critical => &mut self.critical,
            Severity::Warning => &mut self.warning,
            Severity::Notice => &mut self.notice,
        }
    }
}
