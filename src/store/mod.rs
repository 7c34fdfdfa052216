//! Where a ledger is kept: few high verbs, so that every engine can be native behind them.
//!
//! A store holds, for each tenant, the journal (a hash chain of commits, the only truth) and what is derived from it.
//! [`LedgerStore::append`] writes a commit and its derived changes in one atomic, durable step. Deriving is the
//! ledger's work; a store only keeps what it is given. Both stores pass the suite in `tests/conformance.rs`.

mod advice;
mod audit;
mod codec;
mod error;
mod forget;
pub mod hash;
mod head;
mod holder;
mod key;
mod log;
pub mod memory;
pub mod open;
mod prepare;
mod raw;
mod record;
mod residency;
mod run;
pub mod sled;
mod snapshot;
#[cfg(test)]
mod testing;
mod veil;

pub use audit::{EndingPlace, LinkRecord, NamedPlace, Tally, TallyClass, TallyCount};
pub use error::StoreError;
pub use forget::{Instead, Places};
pub use hash::{Hash, NoHash, another_salt};
pub use head::{Counts, FindingCounts, Head, OpenHold, Stint, TenantState};
pub use holder::{Holder, Syncing};
pub use log::LogNode;
pub use prepare::{FACTS_MAX, PAYLOAD_BYTES_MAX};
pub use raw::RawEntry;
pub use residency::Residency;
pub use run::{Outcome, Run, RunKind, Trigger};
pub use snapshot::{SnapshotPlace, SnapshotRecord};
pub use veil::{ErasureKey, Veil};

use std::collections::BTreeMap;
use std::sync::Arc;

use self::hash::HeaderVersion;
use crate::domain::erase::{Erased, Erasure, Fingerprint};
pub use crate::domain::fact::Known;
use crate::domain::fact::{Fact, ObjectKind, Vacant};
use crate::domain::finding::{Finding, FindingId};
use crate::domain::id::{ChainId, MailboxId, ObjectId, Sequence, SnapshotId, TenantId};
use crate::domain::link::Anchor;
use crate::domain::name::{NameKey, Namespace};
use crate::domain::time::Instant;

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

/// What a chain's snapshots are addressed by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// An object id, in the address or in a receipt.
    Object(ObjectId),
    /// A name.
    Name(NameKey),
}

/// The number of the rules by which what is derived follows from the journal. Whoever changes what the same journal gives raises it:
/// by what a ledger has from other rules nobody is answered, until everything in it is derived anew. `tests/ledger_properties/rules.rs`
/// notices if it was forgotten.
pub const RULES: u32 = 1;

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

/// The storage of a ledger. All verbs block; answers are of the last acknowledged commit.
pub trait LedgerStore: Send + Sync {
    /// The tenants that have at least one commit in the journal, in order of their ids; also while a rebuild is under way.
    fn tenants(&self) -> Result<Vec<TenantId>, StoreError>;

    /// The newest state of a tenant; the empty head if it has no commit.
    fn head(&self, tenant: TenantId) -> Result<Arc<Head>, StoreError>;

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

    /// Notes for whoever opens it later that everything is to be derived anew, because of what is appended next. Until that is done
    /// nobody is answered after a crash.
    fn announce_rebuild(&self) -> Result<(), StoreError>;

    /// Drops everything derived, heads included, so that a rebuild can put it back. Until every tenant's entries are
    /// restored and `sync` was called, `append` answers [`StoreError::NeedsRebuild`]; `tenants` and `journal` answer in
    /// full, every other verb from what is restored.
    ///
    /// # Errors
    /// Also if there is no room for what is to be put back, or a commit of the journal cannot be read; nothing is dropped then.
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
