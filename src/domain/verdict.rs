//! The answer to "may I append to this chain?": its words and its parts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::attribution::Settling;
use super::holder::Candidate;
use super::id::{ChainId, MailboxId, ObjectId, SnapshotId};
use super::interval::Edge;
use super::name::{Name, NameKind};
use super::time::Instant;
use super::timeline::Names;

/// What an agent asks before an incremental: chain, name and object in any combination.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ask {
    /// The chain it would append to.
    pub chain: Option<ChainId>,
    /// The name it would open.
    pub name: Option<Name>,
    /// Which namespaces the name is meant in.
    pub kind: NameKind,
    /// The object it would open.
    pub object: Option<ObjectId>,
    /// The mailbox instance, if it knows it.
    pub mailbox: Option<MailboxId>,
    /// The time by the agent's own clock. The ask is judged at the ledger's time; a difference is reported.
    pub at: Option<Instant>,
}

/// How old evidence may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// An ask by name accepts a horizon this old; zero means that only a live read will do.
    pub name_max_age: Duration,
    /// An ask by object id accepts a proof of life this old.
    pub id_max_age: Duration,
    /// A live read counts as made now for this long: the width of a live read.
    pub live_max_age: Duration,
    /// A name released within this time always needs the live read.
    pub hot_window: Duration,
    /// A mailbox whose licence went survives so long; whether one comes back after it is not sure.
    pub mailbox_grace: Duration,
    /// Clocks that differ by more are reported.
    pub max_skew: Duration,
    /// How long sources may still speak about a snapshot.
    pub settling: Settling,
    /// Whether a reason may say which other tenant a chain belongs to. Not to somebody who may not know of that tenant.
    pub names_tenants: bool,
}

impl Policy {
    /// Whether a live read of that time counts as made now. One that lies ahead of the clock does not: how old it really is
    /// cannot be told. (An ask that makes a live read is judged at the time of that read.)
    pub fn is_live(&self, at: Instant, now: Instant) -> bool {
        at <= now && now.since(at) <= self.live_max_age
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            name_max_age: Duration::ZERO,
            id_max_age: Duration::from_secs(7 * 86_400),
            live_max_age: Duration::from_secs(30),
            hot_window: Duration::from_secs(90 * 86_400),
            mailbox_grace: Duration::from_secs(30 * 86_400),
            max_skew: Duration::from_secs(300),
            settling: Settling::default(),
            names_tenants: true,
        }
    }
}

/// The nine outcomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "http", schema(as = Verdict))]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The chain's object is active, same mailbox, same names.
    Continue,
    /// Same object and mailbox; a name changed since the chain's last snapshot.
    Renamed,
    /// The object has no chain yet.
    Baseline,
    /// Same object, another mailbox instance.
    MailboxReplaced,
    /// What was asked belongs to a different object than the chain.
    Mismatch,
    /// The object is deleted or out of scope.
    Frozen,
    /// The evidence allows more than one object.
    Ambiguous,
    /// The evidence is older than the policy allows.
    Refresh,
    /// Never seen.
    Unknown,
}

/// What the agent is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Append an incremental.
    Incremental,
    /// Take a full into a new chain.
    Full,
    /// Do nothing.
    Stop,
    /// Read the directory and ask again.
    Refresh,
}

impl Outcome {
    /// The action that goes with an outcome.
    pub fn action(self) -> Action {
        match self {
            Self::Continue | Self::Renamed => Action::Incremental,
            Self::Baseline | Self::MailboxReplaced => Action::Full,
            Self::Mismatch | Self::Frozen | Self::Ambiguous | Self::Unknown => Action::Stop,
            Self::Refresh => Action::Refresh,
        }
    }
}

/// The verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The outcome; its action follows from it.
    pub outcome: Outcome,
    /// The chain judged: the one asked, or the object's most recent.
    pub chain: Option<ChainId>,
    /// The object judged; for a mismatch the chain's.
    pub object: Option<ObjectId>,
    /// The snapshot on which an incremental must build.
    pub base: Option<SnapshotId>,
    /// The object's names by the newest evidence.
    pub names: Option<Names>,
    /// What names changed since the chain's last snapshot.
    pub changes: Vec<Change>,
    /// Who holds a changed name now, if somebody else does.
    pub old_name_holder: Option<ObjectId>,
    /// What to do for each object instead of the incremental asked for.
    pub instead: Vec<Instead>,
    /// The objects that the evidence allows.
    pub candidates: Vec<Candidate>,
    /// How fresh the evidence is.
    pub evidence: Freshness,
    /// The mapping rule that protects the object.
    pub mapping: Option<String>,
    /// The rule's labels.
    pub labels: BTreeMap<String, String>,
    /// Why, in short sentences.
    pub reasons: Vec<String>,
}

/// One name that changed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct Change {
    /// `upn` or `mail`.
    pub kind: ChangeKind,
    /// The name before.
    pub from: Option<Name>,
    /// The name now.
    pub to: Option<Name>,
    /// When.
    pub edge: Edge,
}

/// Which name changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// The user principal name.
    Upn,
    /// The primary SMTP address.
    Mail,
}

/// What to do for one object.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct Instead {
    /// Which object.
    pub object: ObjectId,
    /// What.
    pub action: Action,
    /// In which chain; `null` is a new one.
    pub chain: Option<ChainId>,
}

/// How fresh the evidence behind a verdict is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct Freshness {
    /// The instant at which what was asked is last proved.
    pub proved_at: Option<Instant>,
    /// The newest horizon.
    pub horizon: Option<Instant>,
    /// The policy accepted evidence that ends here.
    pub unproven_since: Option<Instant>,
    /// Judged on a read of the directory made for the ask.
    pub live: bool,
    /// The mailbox instance given is the chain's.
    pub mailbox_verified: bool,
}

/// What is known of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainCase {
    /// Its id.
    pub id: ChainId,
    /// Whether it has snapshots.
    pub has_snapshots: bool,
    /// The owner of its first certainly attributed snapshot.
    pub bound: Option<ObjectId>,
    /// The last snapshot that certainly holds the bound object's data.
    pub base: Option<Base>,
    /// Objects other than the bound one whose data it certainly holds, with a snapshot each.
    pub others: Vec<(ObjectId, SnapshotId)>,
    /// Snapshots that could not be attributed.
    pub unattributed: Vec<SnapshotId>,
    /// Everyone whose data those may hold.
    pub candidates: BTreeSet<ObjectId>,
    /// The mailbox instances that the bound object's snapshots tell, the expired ones among them, in the order in which they
    /// were told first.
    pub mailboxes: Vec<MailboxId>,
    /// Kept snapshots were addressed by a name of any kind; not told of a chain that is certainly one object's throughout.
    pub by_any_name: bool,
}

impl ChainCase {
    /// Whether the bound object's snapshots tell more than one mailbox instance. What an instance reports is relative to
    /// itself, so no incremental goes on over a change of it, not even back to one that was there before.
    pub fn has_several_mailboxes(&self) -> bool {
        self.mailboxes.len() > 1
    }
}

/// The most recent chain of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastChain {
    /// Its id.
    pub id: ChainId,
    /// Whether an incremental may go on in it.
    pub goes_on: bool,
}

/// The snapshot to build on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// Its id.
    pub id: SnapshotId,
    /// Its last instant.
    pub until: Instant,
    /// The mailbox instance read, if it is known.
    pub mailbox: Option<MailboxId>,
}
