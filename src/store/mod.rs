//! Where a ledger is kept: few high verbs, so that every engine can be native behind them.
//!
//! A store holds, for each tenant, the journal (a hash chain of commits, the only truth) and what is derived from it.
//! [`LedgerStore::append`] writes a commit and its derived changes in one atomic, durable step. Deriving is the
//! ledger's work; a store only keeps what it is given. Both stores pass the suite in `tests/conformance.rs`.

mod advice;
mod audit;
mod codec;
mod forget;
pub mod hash;
mod key;
mod log;
pub mod memory;
pub mod open;
mod prepare;
mod raw;
mod record;
mod residency;
pub mod sled;
#[cfg(test)]
mod testing;
mod veil;

pub use audit::{EndingPlace, LinkRecord, NamedPlace, Tally, TallyClass, TallyCount};
pub use forget::{Instead, Places};
pub use log::LogNode;
pub use prepare::{FACTS_MAX, PAYLOAD_BYTES_MAX};
pub use raw::RawEntry;
pub use residency::Residency;
pub use veil::{ErasureKey, Veil};

use std::collections::BTreeMap;
use std::sync::Arc;

use self::hash::HeaderVersion;
use crate::domain::attribution::{Judgement, Settling};
use crate::domain::coverage::Coverage;
use crate::domain::erase::{Erased, Erasure, Fingerprint};
pub use crate::domain::fact::Known;
use crate::domain::fact::{Addressed, Fact, ObjectKind, Receipt, Snapshot, Vacant};
use crate::domain::finding::{Finding, FindingId, Severity};
use crate::domain::guard::HeldPart;
use crate::domain::holder::HolderConfidence;
use crate::domain::id::{ChainId, MailboxId, ObjectId, Sequence, SnapshotId, TenantId};
use crate::domain::link::Anchor;
use crate::domain::mapping::MappingState;
use crate::domain::name::{NameKey, Namespace};
use crate::domain::time::Instant;

/// SHA-256 of a commit, chained to the one before.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Hash(pub [u8; 32]);

/// What one append brings: facts, and the sync state that must never part from them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// When the ledger learnt it (transaction time). Never earlier than the commit before.
    pub recorded: Instant,
    /// Random; keeps a redacted payload unguessable from its hash.
    pub salt: [u8; 16],
    /// The facts, in the order in which the source gave them.
    pub facts: Vec<Fact>,
    /// The sync cursor from now on, if it changed.
    pub cursor: Option<Cursor>,
    /// The run log's entry, when a sync run ended with this commit.
    pub run: Option<Run>,
}

/// A commit in its place in the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number.
    pub sequence: Sequence,
    /// The hash of the commit before; zeros for the first.
    pub previous: Hash,
    /// `H(previous ‖ header ‖ payload hash)`, see [`hash`].
    pub hash: Hash,
    /// How it is hashed.
    pub version: HeaderVersion,
    /// What it says.
    pub commit: Commit,
    /// The items of it that were forgotten: their places, and SHA-256 of what stands instead.
    pub forgotten: Vec<(u32, [u8; 32])>,
}

/// Where the sync stands with the delta feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The link to ask next, byte for byte as the directory gave it.
    pub link: Link,
    /// The last horizon of the unbroken feed; `None` during its first round.
    pub horizon: Option<Instant>,
    /// Where the feeds of groups and of contacts go on, byte for byte. They prove nothing by silence, so no horizon goes
    /// with them.
    pub beside: BTreeMap<ObjectKind, String>,
}

/// A link of the delta feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// In the middle of a round: its next page.
    Next {
        /// `@odata.nextLink`.
        url: String,
        /// The server's `Date` at the round's first page.
        round_started: Instant,
        /// The delta link with which the round began, from which it can begin again if the directory forgets the page;
        /// `None` for a first round.
        began: Option<String>,
    },
    /// Between rounds: where the next round begins.
    Delta {
        /// `@odata.deltaLink`.
        url: String,
    },
}

/// An entry of the run log.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Run {
    /// The run's number within the tenant, from 1.
    pub run: u64,
    /// Who asked for it.
    pub trigger: Trigger,
    /// What it read.
    pub kind: RunKind,
    /// When it started.
    pub started: Instant,
    /// When it ended.
    pub ended: Option<Instant>,
    /// How it ended.
    pub outcome: Outcome,
    /// Pages read.
    pub pages: u64,
    /// Items read.
    pub seen: u64,
    /// Objects whose names or life changed.
    pub changed: u64,
    /// Objects found removed.
    pub removed: u64,
    /// Objects found live that were known as deleted.
    pub restored: u64,
    /// Facts appended.
    pub facts: u64,
    /// Requests made to the directory, those that were asked again included; a batch is one. Tokens are not counted.
    pub requests: u64,
    /// How long the directory made it wait, in milliseconds.
    pub throttled_ms: u64,
    /// The horizon that it reached.
    pub horizon: Option<Instant>,
    /// What went wrong.
    pub error: Option<String>,
    /// What a run that went well could not see.
    pub note: Option<String>,
}

/// Who asked for a sync run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// The schedule.
    Schedule,
    /// A person or program.
    Demand,
    /// The service's start.
    Startup,
}

/// What a sync run read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum RunKind {
    /// Every object, anew.
    Full,
    /// What changed since the last horizon.
    Delta,
    /// Deleted items and a full listing beside the feed.
    Reconcile,
}

/// How a sync run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It reached its horizon.
    Completed,
    /// An error stopped it; what it had committed stays.
    Failed,
    /// A guard stopped it before it was applied.
    Held,
    /// It was stopped from outside or its process died; what it had committed stays.
    Interrupted,
}

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

/// An object that held a name at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Posting {
    /// The object.
    pub object: ObjectId,
    /// Ever as its user principal name.
    pub upn: bool,
    /// Ever as an SMTP address.
    pub smtp: bool,
}

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

/// What a chain's snapshots are addressed by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// An object id, in the address or in a receipt.
    Object(ObjectId),
    /// A name.
    Name(NameKey),
}

/// The derived changes of one commit. Everything in it follows from the journal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Derived {
    /// Facts to add to an object's record, each object at most once.
    pub objects: Vec<(ObjectId, Vec<Fact>)>,
    /// Names that an object now holds or held, in the namespaces given; earlier ones are kept.
    pub postings: Vec<(NameKey, ObjectId, Namespace)>,
    /// Reads that found nobody.
    pub vacancies: Vec<Vacant>,
    /// Snapshots in their new state.
    pub snapshots: Vec<SnapshotRecord>,
    /// Objects by whose id a chain is addressed or receipted.
    pub subjects: Vec<(ObjectId, ChainId)>,
    /// How many snapshots of a chain are now judged alike; a class without any is dropped.
    pub tallies: Vec<(ChainId, Tally)>,
    /// Chains in which an object certainly owns a snapshot, or no longer does.
    pub owned: Vec<(ObjectId, ChainId, bool)>,
    /// Findings in their new state.
    pub findings: Vec<Finding>,
    /// Anchors that an object has.
    pub anchors: Vec<(Anchor, ObjectId)>,
    /// Links in their new state, once for each end that is an object of the tenant.
    pub links: Vec<(ObjectId, LinkRecord)>,
    /// Names with more than one holder or none any more, or that are so no longer.
    pub notable: Vec<(NameKey, bool)>,
    /// Users who are members of a group that a mapping names, the group first, or are so no longer.
    pub members: Vec<(ObjectId, ObjectId, bool)>,
    /// What was erased, by which key.
    pub erased: Vec<(Erased, Fingerprint)>,
    /// Horizons, blind periods and round beginnings.
    pub tenant: Vec<Fact>,
    /// The run log's entry.
    pub run: Option<Run>,
    /// The tenant's state after the commit.
    pub state: TenantState,
}

/// Which snapshots are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proved {
    /// All of them.
    Any,
    /// Those that are not certainly anybody's.
    Not,
}

/// Which end of a list comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Oldest first.
    Forward,
    /// Newest first.
    Backward,
}

/// A place in a chain's snapshots, which are ordered by `(from, id)`.
pub type SnapshotPlace = (Instant, SnapshotId);

/// The storage of a ledger. All verbs block; answers are of the last acknowledged commit.
pub trait LedgerStore: Send + Sync {
    /// The tenants that have at least one commit in the journal, in order of their ids; also while a rebuild is under way.
    fn tenants(&self) -> Result<Vec<TenantId>, StoreError>;

    /// The newest state of a tenant; the empty head if it has no commit.
    fn head(&self, tenant: TenantId) -> Result<Head, StoreError>;

    /// Appends a commit after `expected` together with its derived changes: all or nothing, and on disk when it returns.
    /// The facts of an object's record must be about that object, and the receipts of a snapshot about that snapshot.
    fn append(
        &self,
        tenant: TenantId,
        expected: Sequence,
        commit: Commit,
        derived: Derived,
    ) -> Result<Head, StoreError>;

    /// Says that these objects and names are about to be looked at, so that a store on a disk may read them together.
    fn foresee(&self, _: TenantId, _: &[ObjectId], _: &[NameKey]) {}

    /// Every fact about an object, oldest commit first; empty if it was never seen.
    fn object(&self, tenant: TenantId, object: ObjectId) -> Result<Vec<Known>, StoreError>;

    /// Up to `limit` objects beyond `after` of which any fact is known, in order of their ids.
    fn object_ids(&self, tenant: TenantId, after: Option<ObjectId>, limit: usize) -> Result<Vec<ObjectId>, StoreError>;

    /// The objects that ever held a name, in order of their ids.
    fn holders(&self, tenant: TenantId, name: &NameKey) -> Result<Vec<Posting>, StoreError>;

    /// Up to `limit` names beyond `after` that anybody ever held and whose keys begin with a text, in order of their keys.
    fn names_from(
        &self,
        tenant: TenantId,
        beginning: &str,
        after: Option<&NameKey>,
        limit: usize,
    ) -> Result<Vec<NameKey>, StoreError>;

    /// Up to `limit` chains beyond `after` that have a snapshot and whose ids begin with a text, in order of their ids.
    fn chains_from(
        &self,
        tenant: TenantId,
        beginning: &str,
        after: Option<&ChainId>,
        limit: usize,
    ) -> Result<Vec<ChainId>, StoreError>;

    /// The reads that found nobody under a name, oldest commit first.
    fn vacancies(&self, tenant: TenantId, name: &NameKey) -> Result<Vec<(Sequence, Vacant)>, StoreError>;

    /// One snapshot.
    fn snapshot(
        &self,
        tenant: TenantId,
        chain: &ChainId,
        id: &SnapshotId,
    ) -> Result<Option<SnapshotRecord>, StoreError>;

    /// Up to `limit` snapshots of a chain beyond `after` in the given order.
    fn snapshots(
        &self,
        tenant: TenantId,
        chain: &ChainId,
        order: Order,
        after: Option<&SnapshotPlace>,
        limit: usize,
    ) -> Result<Vec<SnapshotRecord>, StoreError>;

    /// The chains with a snapshot addressed by this object or name, in order of their ids.
    fn chains(&self, tenant: TenantId, subject: &Subject) -> Result<Vec<ChainId>, StoreError>;

    /// Up to `limit` snapshots that were addressed by a name, beyond `after`, in order of `(chain, until, id)`.
    fn snapshots_named(
        &self,
        tenant: TenantId,
        name: &NameKey,
        after: Option<&NamedPlace>,
        limit: usize,
    ) -> Result<Vec<SnapshotRecord>, StoreError>;

    /// Up to `limit` snapshots that were addressed by any name and ended at `from` or later and at `through` at the latest,
    /// beyond `after`, in order of `(until, chain, id)`.
    fn snapshots_ending(
        &self,
        tenant: TenantId,
        proved: Proved,
        from: Instant,
        through: Instant,
        after: Option<&EndingPlace>,
        limit: usize,
    ) -> Result<Vec<SnapshotRecord>, StoreError>;

    /// How many of a chain's snapshots are judged how, in order of the classes; none is empty.
    fn tallies(&self, tenant: TenantId, chain: &ChainId) -> Result<Vec<Tally>, StoreError>;

    /// The chains in which an object certainly owns a snapshot, in order of their ids.
    fn owned(&self, tenant: TenantId, object: ObjectId) -> Result<Vec<ChainId>, StoreError>;

    /// One finding.
    fn finding(&self, tenant: TenantId, id: FindingId) -> Result<Option<Finding>, StoreError>;

    /// Up to `limit` findings beyond `after`, in order of their ids.
    fn findings(&self, tenant: TenantId, after: Option<FindingId>, limit: usize) -> Result<Vec<Finding>, StoreError>;

    /// The objects with an anchor, in order of their ids.
    fn anchored(&self, tenant: TenantId, anchor: &Anchor) -> Result<Vec<ObjectId>, StoreError>;

    /// The mailbox instances that snapshots and receipts name for an object, in order.
    fn mailboxes(&self, tenant: TenantId, object: ObjectId) -> Result<Vec<MailboxId>, StoreError>;

    /// The links of an object, those taken back included.
    fn links(&self, tenant: TenantId, object: ObjectId) -> Result<Vec<LinkRecord>, StoreError>;

    /// Up to `limit` names beyond `after` that had more than one holder or have none any more, in order of their keys.
    fn notable(&self, tenant: TenantId, after: Option<&NameKey>, limit: usize) -> Result<Vec<NameKey>, StoreError>;

    /// The members of a group that a mapping names, in order of their ids.
    fn members(&self, tenant: TenantId, group: ObjectId) -> Result<Vec<ObjectId>, StoreError>;

    /// What was erased, by which key, in order: objects, names, other texts.
    fn erased(&self, tenant: TenantId) -> Result<Vec<(Erased, Fingerprint)>, StoreError>;

    /// What was erased as it is looked through by whoever asks; `None` if nothing was, or the store looks at it as it is
    /// kept. The [`Veil`] is what looks through it.
    fn erasure(&self, _: TenantId) -> Result<Option<Arc<Erasure>>, StoreError> {
        Ok(None)
    }

    /// Horizons, blind periods and round beginnings up to and including a commit, oldest first.
    fn tenant_facts(&self, tenant: TenantId, through: Sequence) -> Result<Vec<Known>, StoreError>;

    /// Up to `limit` entries of the run log, newest first.
    fn runs(&self, tenant: TenantId, limit: usize) -> Result<Vec<Run>, StoreError>;

    /// Up to `limit` journal entries from `from` on. Each payload is checked against its own hash.
    fn journal(&self, tenant: TenantId, from: Sequence, limit: usize) -> Result<Vec<Entry>, StoreError>;

    /// Up to `limit` journal entries from `from` on, down to the bytes that their hashes cover. Whoever uses one opens it
    /// first, which checks them.
    fn raw_journal(&self, tenant: TenantId, from: Sequence, limit: usize) -> Result<Vec<RawEntry>, StoreError>;

    /// Appends a commit that has its hash already, from another ledger, together with its derived changes: all or nothing,
    /// and on disk when it returns. Every hash is computed anew, and it must follow on the head.
    fn append_raw(&self, tenant: TenantId, raw: &RawEntry, derived: Derived) -> Result<Head, StoreError>;

    /// Nodes of the tenant's Merkle log, in the order in which they are asked for. Each must be complete at the newest commit.
    fn log_nodes(&self, tenant: TenantId, nodes: &[LogNode]) -> Result<Vec<Hash>, StoreError>;

    /// Drops everything derived, heads included, so that a rebuild can put it back. Until every tenant's entries are
    /// restored and `sync` was called, `append` answers [`StoreError::NeedsRebuild`]; `tenants` and `journal` answer in
    /// full, every other verb from what is restored.
    fn drop_derived(&self) -> Result<(), StoreError>;

    /// Puts back the derived changes of one journal entry. Entries come in order, from 1, for each tenant.
    fn restore_derived(&self, tenant: TenantId, entry: &Entry, derived: Derived) -> Result<(), StoreError>;

    /// Makes what `restore_derived` wrote durable, and ends the rebuild if every tenant's newest entry is restored.
    fn sync(&self) -> Result<(), StoreError>;

    /// Every derived record in its stored bytes, in order of its keys, given to `each`. Two stores of one kind that
    /// were derived from one journal give the same sequence.
    fn each_derived(&self, each: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), StoreError>;

    /// An empty store of the same kind, for a moment's use: it vanishes when dropped.
    fn scratch(&self) -> Result<Box<dyn LedgerStore>, StoreError>;

    /// Bytes on disk or in memory.
    fn bytes(&self) -> Result<u64, StoreError>;

    /// What kind of store, and its format version.
    fn describe(&self) -> Description;
}

/// What a store is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Description {
    /// Its kind, one word.
    pub store: &'static str,
    /// The version of its format.
    pub format: u32,
    /// Whether what it keeps is encrypted.
    pub encrypted: bool,
}

/// Why a store could not do as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another commit came first.
    #[error("append commit {expected} of tenant {tenant}: the ledger has moved on to commit {found}")]
    Conflict {
        /// The tenant.
        tenant: TenantId,
        /// The head that the caller had read.
        expected: Sequence,
        /// The head there is.
        found: Sequence,
    },
    /// Another process has the ledger open.
    #[error("open the ledger {path}: it is held by {holder}")]
    Held {
        /// The ledger's directory.
        path: String,
        /// Who: process id, command, since when, and how far it is.
        holder: Box<Holder>,
    },
    /// Another process has the ledger open, and who it is cannot be told.
    #[error("open the ledger {path}: another process holds it, and its holder.json does not tell which ({why})")]
    HeldBySomeone {
        /// The ledger's directory.
        path: String,
        /// Why the holder's file could not be read.
        why: String,
    },
    /// The derived records are gone or only partly rebuilt; the journal is whole.
    #[error(
        "open the ledger {path}: a rebuild of what is derived from its journal has not been completed; run `whowas rebuild`"
    )]
    NeedsRebuild {
        /// The ledger's directory.
        path: String,
    },
    /// Only a part of an export is in it.
    #[error(
        "open the ledger {path}: a restore into it has not been completed; run `whowas restore FILE` again with the same export, or remove the directory"
    )]
    HalfRestored {
        /// The ledger's directory.
        path: String,
    },
    /// A ledger with commits of its own cannot take in an export.
    #[error("restore into the ledger {path}: it has {commits} commits of its own; name a new directory with --ledger")]
    NotEmpty {
        /// The ledger's directory.
        path: String,
        /// How many.
        commits: u64,
    },
    /// The caller's records contradict one another or what is stored. Nothing was written.
    #[error("write {what}: {why}")]
    Unsound {
        /// What was to be written.
        what: String,
        /// The contradiction.
        why: String,
    },
    /// The ledger was written by a newer release.
    #[error(
        "open the ledger {path}: its format {found} is newer than {known}, the newest that this release reads; upgrade whowas"
    )]
    NewerFormat {
        /// The ledger's directory.
        path: String,
        /// The version found.
        found: u32,
        /// The newest version known here.
        known: u32,
    },
    /// The directory is no ledger.
    #[error("open the ledger {path}: {why}")]
    NotALedger {
        /// The directory.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// A commit in which something would have to be replaced is hashed as a whole.
    #[error(
        "forget something of commit {sequence} of tenant {tenant}: it was written by an earlier release, which hashed a commit as a whole, so nothing of it can be replaced without breaking the chain; nothing was changed. Begin a new ledger for what must be erased, and keep the old one apart"
    )]
    CannotForget {
        /// The tenant.
        tenant: TenantId,
        /// The commit.
        sequence: Sequence,
    },
    /// Names were erased, and without the key nobody can tell which.
    #[error("look at tenant {tenant}: names were erased from it with the key {wanted}, and {found}")]
    NoErasureKey {
        /// The tenant.
        tenant: TenantId,
        /// The fingerprint of the key.
        wanted: Fingerprint,
        /// What there is instead.
        found: String,
    },
    /// The ledger is encrypted.
    #[error("open the ledger {path}: it is encrypted with the key {wanted}, and no key is given; nothing was changed")]
    NoKey {
        /// The ledger's directory.
        path: String,
        /// By what the key is told.
        wanted: String,
    },
    /// The ledger is encrypted with another key.
    #[error(
        "open the ledger {path}: it is encrypted with the key {wanted}, and the key given is {found}; nothing was changed"
    )]
    WrongKey {
        /// The ledger's directory.
        path: String,
        /// By what the key is told.
        wanted: String,
        /// By what the one given is told.
        found: String,
    },
    /// A key is given for a ledger that is not encrypted.
    #[error("open the ledger {path}: a key is given, and the ledger is not encrypted; nothing was changed")]
    NotEncrypted {
        /// The ledger's directory.
        path: String,
    },
    /// Without the data key nothing in the ledger can be read.
    #[error("open the wrapped key {path}: {why}; nothing was changed")]
    WrappedKey {
        /// The file.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// Stored bytes are not what was written.
    #[error("read {what}: the stored bytes are damaged ({why}); run `whowas verify`")]
    Damaged {
        /// Which record.
        what: String,
        /// How it shows.
        why: String,
    },
    /// There is no room left.
    #[error(
        "write to the ledger {path}: the disk has {free} bytes left and {needed} are kept free; make room and try again, nothing was lost"
    )]
    DiskFull {
        /// The ledger's directory.
        path: String,
        /// Bytes left.
        free: u64,
        /// Bytes wanted.
        needed: u64,
    },
    /// A second copy of the ledger does not fit beside it.
    #[error(
        "compact the ledger {path}: it is written anew beside itself, which needs {needed} bytes, and the disk has {free} left; make room and try again, nothing was changed"
    )]
    NoRoom {
        /// The ledger's directory.
        path: String,
        /// Bytes left.
        free: u64,
        /// Bytes wanted.
        needed: u64,
    },
    /// A write failed before; nothing more is written through this handle.
    #[error(
        "write to the ledger {path}: an earlier write failed ({why}), so nothing more is written until it is opened again; what was acknowledged is safe"
    )]
    Stopped {
        /// The ledger's directory.
        path: String,
        /// The first failure.
        why: String,
    },
    /// A value too large for the engine's safe size.
    #[error("write {what}: it has {bytes} bytes and at most {limit} are allowed")]
    TooLarge {
        /// Which record.
        what: String,
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The operating system or the engine failed.
    #[error("{step}")]
    Io {
        /// What was being done.
        step: String,
        /// Why it failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Who holds a ledger. Written beside the lock by its holder, read by whoever finds the lock taken.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Holder {
    /// The process id.
    pub pid: u32,
    /// The command that it runs, for example `sync`.
    pub command: String,
    /// Since when.
    pub since: Instant,
    /// The tenant it is syncing, if it is.
    pub tenant: Option<TenantId>,
    /// How far it is, in words and figures.
    pub progress: Option<serde_json::Value>,
    /// The others that it is syncing, if they are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Syncing>,
    /// Where it answers questions about the ledger, if it does.
    #[serde(default)]
    pub url: Option<String>,
}

/// A sync that a ledger's holder is making.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Syncing {
    /// Whose directory it reads.
    pub tenant: TenantId,
    /// How far it is, in words and figures.
    pub progress: Option<serde_json::Value>,
}

/// Reads a stored record, its key and value as the engine has them, in full.
///
/// # Errors
/// What is wrong with the key, the checksum or the fields.
pub fn check_record(key: &[u8], value: &[u8]) -> Result<(), StoreError> {
    let damaged = |what: String, why: &dyn std::fmt::Display| StoreError::Damaged { what, why: why.to_string() };
    let Some(known) = key::Key::decode(key) else {
        return Err(damaged(format!("a record under a key of {} bytes", key.len()), &"its key is none of this format"));
    };
    record::any::check(&known, value).map_err(|error| damaged(format!("a record of tenant {}", known.tenant()), &error))
}

impl Holder {
    /// Whether the holder is syncing this tenant.
    pub fn syncs(&self, tenant: TenantId) -> bool {
        self.tenant == Some(tenant) || self.others.iter().any(|other| other.tenant == tenant)
    }

    /// How far the sync of this tenant is, as far as the holder tells.
    pub fn progress_of(&self, tenant: TenantId) -> Option<&serde_json::Value> {
        if self.tenant == Some(tenant) {
            return self.progress.as_ref();
        }
        self.others.iter().find(|other| other.tenant == tenant)?.progress.as_ref()
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "process {} (`whowas {}`) since {}", self.pid, self.command, self.since)?;
        match (self.others.len(), &self.progress) {
            (0, Some(progress)) => write!(f, ", at {progress}"),
            (0, None) => Ok(()),
            (others, _) => write!(f, ", syncing {} tenants", others + 1),
        }
    }
}

impl std::fmt::Display for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Hash({self})")
    }
}

/// Text that is no hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no hash, which has 64 hexadecimal digits")]
pub struct NoHash;

impl std::str::FromStr for Hash {
    type Err = NoHash;

    fn from_str(text: &str) -> Result<Self, NoHash> {
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return Err(NoHash);
        }
        for (byte, place) in bytes.iter_mut().zip((0..64).step_by(2)) {
            let digits = text.get(place..place + 2).ok_or(NoHash)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| NoHash)?;
        }
        Ok(Self(bytes))
    }
}

impl<'de> serde::Deserialize<'de> for Hash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <String as serde::Deserialize>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl serde::Serialize for Hash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
