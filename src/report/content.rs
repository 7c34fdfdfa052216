//! What a report says, before it is drawn or written.

use serde::Serialize;

use crate::domain::fact::Source;
use crate::domain::finding::{FindingId, FindingKind, FindingState, Severity};
use crate::domain::holder::HolderConfidence;
use crate::domain::id::{ChainId, MailboxId, ObjectId, Sequence, SnapshotId, TenantId};
use crate::domain::interval::Edge;
use crate::domain::name::{Name, NameKind};
use crate::domain::time::Instant;
use crate::domain::timeline::{Role, State};

/// A whole report.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// About what.
    pub subject: Topic,
    /// Everyone involved, in no particular order.
    pub objects: Vec<ObjectRow>,
    /// The chains, each with its snapshots in order of time.
    pub chains: Vec<ChainRows>,
    /// The times that nothing covers.
    pub blind: Vec<BlindRow>,
    /// What must be looked at, worst first.
    pub findings: Vec<FindingRow>,
    /// How to repair the chains that need it.
    pub plans: Vec<PlanRows>,
    /// The tenant as a whole, in a report about it.
    pub summary: Option<SummaryRows>,
    /// What was left out because there was too much of it, each in a sentence.
    pub left_out: Vec<String>,
    /// What the report rests on.
    pub basis: BasisRow,
}

/// What a report is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", content = "id", rename_all = "snake_case")]
pub enum Topic {
    /// A chain and its snapshots.
    Chain(ChainId),
    /// An object: its names, states, mailboxes and chains.
    Object(ObjectId),
    /// A name: everyone who ever held it, and the chains addressed by it. It is spelled as it was asked for, and has the key by
    /// which the ledger knows it.
    Name(Name),
    /// The whole tenant.
    Tenant(TenantId),
}

/// An object over time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ObjectRow {
    /// Which object.
    pub object: ObjectId,
    /// Its name now, or the last it had.
    pub label: Option<String>,
    /// Where it stands.
    pub state: State,
    /// When it was created.
    pub created: Option<Instant>,
    /// Its names.
    pub names: Vec<NameRow>,
    /// Its states.
    pub states: Vec<StateRow>,
    /// The mailbox instances that its snapshots name.
    pub mailboxes: Vec<MailboxId>,
    /// The chains that it owns.
    pub chains: Vec<ChainId>,
}

/// A period in which an object had a name.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NameRow {
    /// As what.
    pub kind: Role,
    /// The comparison key.
    pub name: String,
    /// The spelling seen last.
    pub spelling: String,
    /// When it began.
    pub from: Edge,
    /// When it ended.
    pub until: Option<Edge>,
    /// Whether facts about the hold contradict each other.
    pub contested: bool,
    /// What shows it.
    pub evidence: Vec<EvidenceRow>,
}

/// The fact behind a statement.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EvidenceRow {
    /// Who said it.
    pub source: Source,
    /// When it was observed or happened.
    pub at: Instant,
    /// The commit that brought it.
    pub sequence: Sequence,
    /// The audit event's id, or the other object whose hold shows it.
    #[serde(rename = "ref")]
    pub reference: Option<String>,
}

/// A period of an object's life.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StateRow {
    /// Which state.
    pub state: State,
    /// When it began.
    pub from: Edge,
    /// When it ended.
    pub until: Option<Edge>,
}

/// A chain and its snapshots.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChainRows {
    /// Which chain.
    pub chain: ChainId,
    /// Its snapshots in order of time.
    pub snapshots: Vec<SnapshotRow>,
}

/// A snapshot and whose data it holds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SnapshotRow {
    /// Its id within the chain.
    pub snapshot: SnapshotId,
    /// Its first instant.
    pub from: Instant,
    /// Its last.
    pub until: Instant,
    /// How its mailbox was opened.
    pub addressed: AddressedRow,
    /// The mailbox instance.
    pub mailbox: Option<MailboxId>,
    /// Whose data, if it is one's.
    pub owner: Option<ObjectId>,
    /// How sure.
    pub confidence: HolderConfidence,
    /// No configured source is still expected to speak.
    pub settled: bool,
    /// Whom the evidence allows.
    pub candidates: Vec<ObjectId>,
    /// The owner's user principal name at that time, if the evidence allows a single one.
    pub owner_name: Option<String>,
    /// What the agent really read.
    pub receipt: Option<ReceiptRow>,
    /// Whether the backup product no longer keeps it.
    pub expired: bool,
}

/// How a mailbox was opened.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum AddressedRow {
    /// By name.
    Name {
        /// The name.
        name: String,
        /// What it is compared by, which an erased name's spelling does not tell.
        #[serde(skip)]
        key: String,
        /// Which namespaces.
        kind: NameKind,
    },
    /// By object id.
    Object {
        /// The object.
        object: ObjectId,
    },
}

/// What the agent really read.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReceiptRow {
    /// The object at the start.
    pub object: ObjectId,
    /// The mailbox at the start.
    pub mailbox: Option<MailboxId>,
    /// The object at the end.
    pub object_end: Option<ObjectId>,
    /// The mailbox at the end.
    pub mailbox_end: Option<MailboxId>,
}

/// A time that no horizon covers; a side that is missing is unbounded.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BlindRow {
    /// Its first instant.
    pub from: Option<Instant>,
    /// Its last.
    pub until: Option<Instant>,
    /// Why.
    pub why: String,
}

/// Something that must be looked at.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FindingRow {
    /// Its id.
    pub id: FindingId,
    /// What was found.
    pub kind: FindingKind,
    /// How bad it is.
    pub severity: Severity,
    /// Where it stands.
    pub state: FindingState,
    /// About what.
    pub subject: String,
    /// One sentence.
    pub summary: String,
    /// When it was opened.
    pub opened: StepRow,
    /// What happened to it last.
    pub changed: StepRow,
}

/// A change of a finding's state.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepRow {
    /// The commit that brought it.
    pub sequence: Sequence,
    /// When the ledger learnt it.
    pub time: Instant,
    /// Who; `None` is the ledger itself.
    pub by: Option<String>,
    /// Why.
    pub note: Option<String>,
}

/// The repair plan of a chain.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlanRows {
    /// Which chain.
    pub chain: ChainId,
    /// Its parts, in order of time.
    pub segments: Vec<SegmentRow>,
    /// What comes next for each object.
    pub next: Vec<NextRow>,
    /// Why.
    pub reasons: Vec<String>,
}

/// Consecutive snapshots that belong together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SegmentRow {
    /// Whose, if it is one's.
    pub object: Option<ObjectId>,
    /// How sure.
    pub confidence: String,
    /// The snapshots.
    pub snapshots: Vec<SnapshotId>,
    /// `keep`, `quarantine` or `relabel`.
    #[serde(rename = "do")]
    pub act: String,
    /// Where relabelled snapshots go.
    pub to_chain: Option<ChainId>,
}

/// The next backup of an object.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NextRow {
    /// Which object.
    pub object: ObjectId,
    /// `incremental`, `full` or `stop`.
    pub action: String,
    /// The chain; `None` is a new one.
    pub chain: Option<ChainId>,
    /// The snapshot to build on.
    pub base: Option<SnapshotId>,
    /// The one to build on if `base` is an increment on what is set aside.
    pub safe_base: Option<SnapshotId>,
}

/// A tenant as a whole.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SummaryRows {
    /// How much there is; `None` where that is not known, as of an earlier time.
    #[serde(flatten)]
    pub counts: Option<CountRows>,
    /// The instant through which the feed proves everything.
    pub horizon: Option<Instant>,
    /// The names with more than one holder, and those released lately.
    pub names: Vec<NotableRow>,
    /// The last syncs, newest first.
    pub syncs: Vec<SyncRow>,
}

/// How much there is in a tenant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CountRows {
    /// How many objects are live.
    pub active: u64,
    /// How many are in the recycle bin.
    pub soft_deleted: u64,
    /// How many are gone for good.
    pub purged: u64,
    /// How many snapshots are recorded.
    pub snapshots: u64,
}

/// A name that must not be trusted alone.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NotableRow {
    /// The name.
    pub name: String,
    /// Everyone who ever held it, in order of time.
    pub holders: Vec<ObjectId>,
    /// Whether it was released a short while ago or passed from hand to hand.
    pub hot: bool,
}

/// A run of the sync.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SyncRow {
    /// Its number.
    pub run: u64,
    /// What it read.
    pub kind: String,
    /// When it started.
    pub started: Instant,
    /// When it ended.
    pub ended: Option<Instant>,
    /// How it ended.
    pub outcome: String,
    /// What went wrong.
    pub error: Option<String>,
}

/// What a report rests on; with it the report can be made again.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BasisRow {
    /// The tenant.
    pub tenant: TenantId,
    /// Its short name.
    pub alias: Option<String>,
    /// The newest commit looked at.
    pub sequence: Sequence,
    /// Its hash.
    pub hash: String,
    /// The time at which it was judged.
    pub clock: Instant,
    /// The version of whowas.
    pub version: String,
    /// How long after a rename in Entra the old name may still open the old mailbox, in seconds.
    pub propagation_s: u64,
    /// How late the audit log may still speak, in seconds; `None` where audits are off.
    pub audit_lag_s: Option<u64>,
}

impl Report {
    /// The row of an object.
    pub fn object(&self, object: ObjectId) -> Option<&ObjectRow> {
        self.objects.iter().find(|row| row.object == object)
    }

    /// Every snapshot of every chain.
    pub fn snapshots(&self) -> impl Iterator<Item = &SnapshotRow> {
        self.chains.iter().flat_map(|chain| &chain.snapshots)
    }
}

impl ChainRows {
    /// Whose chain it is: the owner of its first certain snapshot, else of the first that is assumed to be someone's.
    pub fn owner(&self) -> Option<ObjectId> {
        let first = |confidence| {
            let mut rows = self.snapshots.iter().filter(|row| row.confidence == confidence);
            rows.find_map(|row| row.owner)
        };
        first(HolderConfidence::Certain).or_else(|| first(HolderConfidence::Assumed))
    }

    /// Whether a snapshot proves whose chain it is.
    pub fn is_bound(&self) -> bool {
        self.snapshots.iter().any(|row| row.confidence == HolderConfidence::Certain && row.owner.is_some())
    }

    /// Whether a snapshot holds data of someone other than the chain's owner.
    pub fn is_foreign(&self, row: &SnapshotRow) -> bool {
        row.owner.is_some() && row.owner != self.owner()
    }
}
