//! The ledger: the one writer, and the questions that are asked of it.
//!
//! [`Ledger::append`] takes facts, drops those already known, derives what follows from the rest and gives both to the
//! store in one step. Every question is answered as known at a commit, so that an answer can be replayed from its basis.

mod assess;
mod chain;
mod check;
mod derive;
mod erase;
mod findings;
mod forgetting;
mod hold;
mod log;
mod past;
mod query;
mod rebuild;
mod redact;
mod restate;
mod scope;
mod view;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::attribution::Settling;
use crate::domain::fact::Fact;
use crate::domain::finding::FindingId;
use crate::domain::id::{ChainId, ObjectId, Sequence, SnapshotId, TenantId};
use crate::domain::name::NameKey;
use crate::domain::time::Instant;
use crate::store::{Commit, Cursor, Entry, ErasureKey, Head, LedgerStore, Run, StoreError, Veil, another_salt};

pub use assess::Assessment;
pub use check::Checked;
pub use derive::Summary;
pub use hold::Hold;
pub use log::TreeHead;
pub use query::{NameHistory, ObjectHistory, SnapshotView, Who};
pub use rebuild::{Difference, VerifyReport};
pub use redact::{RedactReport, RedactRequest, Redaction};
pub use restate::Restated;
pub use scope::{Move, ReadAhead, ScopeChange, ScopePeriod};
pub use view::{Basis, KnownAt, View};

/// A ledger over some store. Cheap to clone; all clones share one writer.
#[derive(Clone)]
pub struct Ledger {
    store: Arc<dyn LedgerStore>,
    writer: Arc<Mutex<()>>,
    is_past: bool,
}

/// What one append brings.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// The facts.
    pub facts: Vec<Fact>,
    /// The sync cursor from now on, if it changes.
    pub cursor: Option<Cursor>,
    /// The run log's entry, if a run ends with this append.
    pub run: Option<Run>,
    /// The terms by which snapshots are attributed from now on; `None` leaves them as they are.
    pub settling: Option<Settling>,
}

/// What an append did.
#[derive(Clone, Debug)]
pub struct Appended {
    /// The head after it.
    pub head: Head,
    /// What it changed.
    pub summary: Summary,
}

/// Time and randomness of one append, given by the caller.
#[derive(Clone, Copy, Debug)]
pub struct Stamp {
    /// The ledger's time.
    pub now: Instant,
    /// Sixteen random bytes.
    pub salt: [u8; 16],
}

impl Stamp {
    /// One for another commit of the same moment, by its number among them.
    fn another(self, number: u64) -> Self {
        Self { salt: another_salt(&self.salt, number), ..self }
    }
}

/// Why the ledger could not do as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A snapshot id was used before for something else.
    #[error(
        "record snapshot {snapshot} of chain {chain}: the ledger has it with other data ({difference}); use another snapshot id"
    )]
    SnapshotConflict {
        /// The chain.
        chain: ChainId,
        /// The snapshot.
        snapshot: SnapshotId,
        /// What differs.
        difference: &'static str,
    },
    /// A receipt or expiry for a snapshot that was never recorded.
    #[error(
        "find snapshot {snapshot} of chain {chain}: the ledger does not have it; `whowas snapshot list --chain` shows what it has, and `snapshot add` records one"
    )]
    NoSnapshot {
        /// The chain.
        chain: ChainId,
        /// The snapshot.
        snapshot: SnapshotId,
    },
    /// A snapshot that ends before it begins.
    #[error("record snapshot {snapshot} of chain {chain}: it ends before it begins")]
    SnapshotBackward {
        /// The chain.
        chain: ChainId,
        /// The snapshot.
        snapshot: SnapshotId,
    },
    /// A snapshot that ends after the present. Its times are wrong, so it would be held against the wrong evidence.
    #[error(
        "record snapshot {snapshot} of chain {chain}: it ends at {until}, which lies after the present, {now}; set the clock right that is \
         wrong, the agent's or this one, or check the offset"
    )]
    SnapshotAhead {
        /// The chain.
        chain: ChainId,
        /// The snapshot.
        snapshot: SnapshotId,
        /// Its last instant.
        until: Instant,
        /// The ledger's time.
        now: Instant,
    },
    /// An object that was never seen.
    #[error("erase object {object}: the ledger has never seen it; `whowas who NAME` tells who a name is")]
    NoObject {
        /// The object.
        object: ObjectId,
    },
    /// A word on a finding that was never opened.
    #[error("find finding {finding}: the ledger does not have it; `whowas findings` lists them")]
    NoFinding {
        /// The finding.
        finding: FindingId,
    },
    /// A word on a finding that new evidence has withdrawn.
    #[error("note on finding {finding}: new evidence has withdrawn it, so there is nothing left to do")]
    FindingWithdrawn {
        /// The finding.
        finding: FindingId,
    },
    /// A link to be taken back that is not there.
    #[error(
        "take back the link of object {object}: there is none in force to that object with that relation; `whowas history {object}` shows its links"
    )]
    NoLink {
        /// The earlier object.
        object: ObjectId,
    },
    /// A link between an object and itself.
    #[error("link object {object}: an object cannot be linked to itself")]
    LinkToSelf {
        /// The object.
        object: ObjectId,
    },
    /// A question about a commit that does not exist.
    #[error("look at commit {asked} of tenant {tenant}: the newest is {newest}")]
    NoSuchCommit {
        /// The tenant.
        tenant: TenantId,
        /// The commit asked for.
        asked: Sequence,
        /// The newest one.
        newest: Sequence,
    },
}

impl Ledger {
    /// A ledger over this store.
    pub fn new(store: impl LedgerStore + 'static) -> Self {
        Self::shared(Arc::new(store))
    }

    /// A ledger over a store that somebody else also looks at.
    pub fn shared(store: Arc<dyn LedgerStore>) -> Self {
        Self::with_key(store, None)
    }

    /// The same with the key by which names that were erased from it are recognised.
    pub fn with_key(store: Arc<dyn LedgerStore>, key: Option<ErasureKey>) -> Self {
        Self::over(Arc::new(Veil::new(store, key)))
    }

    /// A ledger over a store that is looked at as it is.
    fn over(store: Arc<dyn LedgerStore>) -> Self {
        Self { store, writer: Arc::default(), is_past: false }
    }

    /// Whether it shows what was known at an earlier commit. How many objects and snapshots there were is not told then.
    pub fn is_past(&self) -> bool {
        self.is_past
    }

    /// The store underneath.
    pub fn store(&self) -> &dyn LedgerStore {
        self.store.as_ref()
    }

    /// The tenants that have a commit.
    pub fn tenants(&self) -> Result<Vec<TenantId>, LedgerError> {
        Ok(self.store.tenants()?)
    }

    /// The newest state of a tenant.
    pub fn head(&self, tenant: TenantId) -> Result<Head, LedgerError> {
        Ok(Arc::unwrap_or_clone(self.store.head(tenant)?))
    }

    /// The one writer's turn. The guard protects no data of its own, so a panic of another writer leaves nothing half done.
    fn writing(&self) -> MutexGuard<'_, ()> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One commit of the journal, if there is one of that number.
    pub fn entry(&self, tenant: TenantId, sequence: Sequence) -> Result<Option<Entry>, LedgerError> {
        let entry = self.store.journal(tenant, sequence, 1)?.into_iter().next();
        Ok(entry.filter(|entry| entry.sequence == sequence))
    }

    /// What appending these facts would change. Nothing is kept.
    pub fn preview(&self, tenant: TenantId, facts: Vec<Fact>) -> Result<Summary, LedgerError> {
        let head = self.store.head(tenant)?;
        let recorded = head.recorded.unwrap_or(Instant::MIN);
        let batch = self.masked(tenant, Batch { facts, ..Batch::default() }, recorded)?;
        let (_, _, summary) = derive::derive(self.store(), tenant, &head, batch, recorded)?;
        Ok(summary)
    }

    /// Appends facts, durably and all or nothing. Facts already known are dropped; if nothing is left, no commit is made.
    ///
    /// # Errors
    /// A snapshot that contradicts a recorded one, a receipt for an unknown one, or the store's failure. Nothing of the
    /// batch is then kept.
    pub fn append(&self, tenant: TenantId, batch: Batch, stamp: Stamp) -> Result<Appended, LedgerError> {
        let _writing = self.writing();
        let head = self.store.head(tenant)?;
        // Transaction time never runs backwards, or "as known at" would lose its meaning.
        let recorded = head.recorded.map_or(stamp.now, |before| before.max(stamp.now));
        let batch = self.masked(tenant, batch, recorded)?;
        self.foresee(tenant, &batch.facts);
        let (facts, derived, summary) = derive::derive(self.store(), tenant, &head, batch, recorded)?;
        let derive::Kept { facts, cursor, run } = facts;
        let is_news = !facts.is_empty() || cursor.is_some() || run.is_some();
        let mut head = match is_news {
            true => {
                let commit = Commit { recorded, salt: stamp.salt, facts, cursor, run };
                self.store.append(tenant, head.sequence, commit, derived)?
            }
            false => Arc::unwrap_or_clone(head),
        };
        // What one commit left to be judged anew is done in commits without facts, each bounded; after a crash by whoever
        // appends next.
        while !head.state.backlog.is_empty() {
            let (_, derived, _) = derive::derive(self.store(), tenant, &head, Batch::default(), recorded)?;
            let (facts, cursor, run) = (Vec::new(), None, None);
            let Stamp { salt, .. } = stamp.another(head.sequence.0);
            let commit = Commit { recorded, salt, facts, cursor, run };
            head = self.store.append(tenant, head.sequence, commit, derived)?;
        }
        Ok(Appended { head, summary })
    }

    /// Tells the store whom these facts are about, and what they are called by them.
    fn foresee(&self, tenant: TenantId, facts: &[Fact]) {
        let objects: BTreeSet<ObjectId> = facts.iter().filter_map(Fact::object).collect();
        let names: BTreeSet<&NameKey> = facts.iter().flat_map(Fact::names).map(|(_, name)| name.key()).collect();
        let (objects, names) =
            (objects.into_iter().collect::<Vec<_>>(), names.into_iter().cloned().collect::<Vec<_>>());
        self.store.foresee(tenant, &objects, &names);
    }
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger").field("store", &self.store.describe()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fact::{Addressed, Feed, Horizon, Profile, Reading, Seen, Snapshot, Source};
    use crate::domain::finding::FindingState;
    use crate::domain::name::{Name, NameKind};
    use crate::store::memory::MemoryStore;

    const TENANT: TenantId = TenantId::from_bytes([7; 16]);

    /// In tests a commit looks at three snapshots only.
    #[test]
    fn a_horizon_that_concerns_many_snapshots_is_done_in_several_commits() {
        let ledger = Ledger::new(MemoryStore::new());
        let at =
            |hours: u64| Instant::from_micros(1_800_000_000_000_000).plus(std::time::Duration::from_secs(hours * 3600));
        let append = |now, facts| {
            let batch = Batch { facts, ..Batch::default() };
            ledger.append(TENANT, batch, Stamp { now, salt: [1; 16] }).unwrap()
        };
        let name: Name = "ann@x.test".parse().unwrap();
        let taken = |nth: u64| {
            let (chain, id) = (format!("c{}", nth % 4).parse().unwrap(), format!("s{nth}").parse().unwrap());
            let addressed = Addressed::Name(name.clone(), NameKind::Upn);
            Fact::SnapshotTaken(Snapshot { chain, id, from: at(nth), until: at(nth), addressed, mailbox: None })
        };
        append(at(20), (0..11).map(taken).collect());
        let reading =
            Reading { at: at(21), lag: std::time::Duration::ZERO, source: Source::Delta, unchanged_since: None };
        let profile = Profile { upn: Some(name.clone()), ..Profile::default() };
        let object = ObjectId::from_bytes([1; 16]);
        let horizon = Horizon { feed: Feed::Delta, from: at(21), through: at(21) };
        let before = append(at(21), vec![Fact::Seen(Seen { object, reading, profile })]).head.sequence;
        let head = append(at(21), vec![Fact::Horizon(horizon)]).head;
        assert_eq!(head.sequence.0 - before.0, 11u64.div_ceil(3));
        // What is forgotten of the first could be guessed by a salt that another one keeps.
        let made = ledger.store().journal(TENANT, before.next(), 99).unwrap();
        let salts: BTreeSet<[u8; 16]> = made.iter().map(|entry| entry.commit.salt).collect();
        assert_eq!(salts.len(), made.len());
        assert_eq!(head.state.backlog, []);
        for chain in (0..4).map(|nth| format!("c{nth}").parse().unwrap()) {
            let kept = ledger.store().snapshots(TENANT, &chain, crate::store::Order::Forward, None, 99).unwrap();
            assert!(kept.iter().all(|record| record.judgement.settled), "{kept:?}");
        }
        // Nobody knows who had the name before the first sync.
        let findings = ledger.findings(TENANT, None, 99).unwrap();
        assert_eq!(findings.iter().filter(|finding| finding.state() == FindingState::Open).count(), 4);
        assert_eq!(ledger.verify(|_| ()).unwrap().differing, 0);
        // Nothing is left, so nothing is committed.
        assert_eq!(append(at(22), Vec::new()).head.sequence, head.sequence);
    }
}
