//! The ledger as known at a commit.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::domain::attribution::Settling;
use crate::domain::coverage::Coverage;
use crate::domain::fact::{Fact, Feed, Known, Vacant};
use crate::domain::holder::NameView;
use crate::domain::id::{ObjectId, Sequence, TenantId};
use crate::domain::mapping::MappingState;
use crate::domain::name::NameKey;
use crate::domain::time::Instant;
use crate::domain::timeline::Timeline;
use crate::store::{Hash, Head, LedgerStore, OpenHold, TenantState};

use super::{Ledger, LedgerError};

/// As known when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KnownAt {
    /// By everything the ledger holds.
    #[default]
    Now,
    /// By the commits up to and including this one.
    Sequence(Sequence),
    /// By the commits recorded up to and including this instant.
    Time(Instant),
}

/// Text that tells no commit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither a commit's number nor a time such as 2026-03-01T09:30:00Z")]
pub struct NoKnownAt(String);

/// A commit's number, or a time.
impl std::str::FromStr for KnownAt {
    type Err = NoKnownAt;

    fn from_str(text: &str) -> Result<Self, NoKnownAt> {
        let by_time = || text.parse().map(Self::Time);
        text.parse()
            .map(|number| Self::Sequence(Sequence(number)))
            .or_else(|_| by_time())
            .map_err(|_| NoKnownAt(text.chars().take(60).collect()))
    }
}

/// What an answer rests on; with it the answer can be replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct Basis {
    /// The newest commit looked at.
    pub sequence: Sequence,
    /// Its hash.
    pub hash: Hash,
    /// The time at which it was judged.
    pub clock: Instant,
}

/// One tenant as known at a commit. What it reads does not change while others append.
pub struct View<'a> {
    store: &'a dyn LedgerStore,
    tenant: TenantId,
    /// The newest commit looked at, and of what is derived for the tenant whatever an answer rests on.
    head: Arc<Head>,
    round_open: bool,
    /// The judgements stored may be older than the evidence.
    is_behind: bool,
    pending: Option<&'a Pending>,
}

/// What a commit that is about to be written adds to the store.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// Every fact about the objects that it touches, those known before included.
    pub objects: BTreeMap<ObjectId, Vec<Known>>,
    /// Objects under names that they did not have before.
    pub holders: BTreeMap<NameKey, BTreeSet<ObjectId>>,
    /// Reads that found nobody.
    pub vacancies: BTreeMap<NameKey, Vec<(Sequence, Vacant)>>,
}

impl Ledger {
    /// The tenant as known at some time.
    pub fn view(&self, tenant: TenantId, known_at: KnownAt) -> Result<View<'_>, LedgerError> {
        let head = self.store().head(tenant)?;
        let through = match known_at {
            KnownAt::Now => head.sequence,
            KnownAt::Sequence(asked) if asked > head.sequence => {
                return Err(LedgerError::NoSuchCommit { tenant, asked, newest: head.sequence });
            }
            KnownAt::Sequence(asked) => asked,
            KnownAt::Time(time) => newest_recorded_by(self.store(), tenant, head.sequence, time)?,
        };
        let (store, is_behind, pending) = (self.store(), !head.state.backlog.is_empty(), None);
        if through == head.sequence {
            let round_open = head.state.open_round.is_some();
            return Ok(View { store, tenant, head, round_open, is_behind, pending });
        }
        let facts = store.tenant_facts(tenant, through)?;
        let (coverage, round_open, settling) = tenant_state(&facts);
        let holds = super::hold::open_after(&facts);
        let mut mapping = MappingState::default();
        facts.iter().for_each(|known| mapping.note(known.sequence, &known.fact));
        let hash = self.entry(tenant, through)?.map(|entry| entry.hash).unwrap_or_default();
        let state = TenantState { coverage, settling, holds, mapping, ..TenantState::default() };
        let head = Arc::new(Head { sequence: through, hash, recorded: None, state });
        Ok(View { store, tenant, head, round_open, is_behind, pending })
    }
}

impl<'a> View<'a> {
    /// The tenant as it will be known once a commit is written.
    pub(super) fn ahead(
        store: &'a dyn LedgerStore,
        tenant: TenantId,
        through: Sequence,
        state: &TenantState,
        pending: &'a Pending,
    ) -> Self {
        let (settling, round_open) = (state.settling, state.open_round.is_some());
        let (coverage, holds, mapping) = (state.coverage.clone(), state.holds.clone(), state.mapping.clone());
        let state = TenantState { coverage, settling, holds, mapping, ..TenantState::default() };
        let head = Arc::new(Head { sequence: through, hash: Hash::default(), recorded: None, state });
        Self { store, tenant, head, round_open, is_behind: true, pending: Some(pending) }
    }

    /// The terms by which the stored judgements of snapshots were made.
    pub fn settling(&self) -> Settling {
        self.head.state.settling
    }

    /// Whether what the store keeps of judgements and counts may be used, as far as it is not younger than the view: not for
    /// a commit that is not written yet, nor while snapshots are still to be judged anew.
    pub(super) fn has_judgements(&self) -> bool {
        self.pending.is_none() && !self.is_behind
    }

    /// What an answer from this view rests on.
    pub fn basis(&self, clock: Instant) -> Basis {
        Basis { sequence: self.head.sequence, hash: self.head.hash, clock }
    }

    /// What time the feeds cover.
    pub fn coverage(&self) -> &Coverage {
        &self.head.state.coverage
    }

    /// Whether only some pages of a round are committed.
    pub fn is_round_open(&self) -> bool {
        self.round_open
    }

    /// The rounds that a guard holds.
    pub fn open_holds(&self) -> &[OpenHold] {
        &self.head.state.holds
    }

    /// What is known of the mapping and of what its rules look at.
    pub fn mapping_state(&self) -> &MappingState {
        &self.head.state.mapping
    }

    /// The newest commit looked at.
    pub fn through(&self) -> Sequence {
        self.head.sequence
    }

    /// The store underneath.
    pub fn store(&self) -> &'a dyn LedgerStore {
        self.store
    }

    /// The tenant.
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// The facts about an object.
    pub fn facts(&self, object: ObjectId) -> Result<Vec<Known>, LedgerError> {
        if let Some(facts) = self.pending.and_then(|pending| pending.objects.get(&object)) {
            return Ok(facts.clone());
        }
        let mut facts = self.store.object(self.tenant, object)?;
        facts.retain(|known| known.sequence <= self.through());
        Ok(facts)
    }

    /// An object's timeline; empty if it was never seen.
    pub fn timeline(&self, object: ObjectId) -> Result<Timeline, LedgerError> {
        Ok(Timeline::of(object, self.facts(object)?, self.coverage()))
    }

    /// Puts the timelines of these objects into a map, unless they are there.
    pub fn load(
        &self,
        objects: impl IntoIterator<Item = ObjectId>,
        into: &mut BTreeMap<ObjectId, Timeline>,
    ) -> Result<(), LedgerError> {
        for object in objects {
            if let Entry::Vacant(place) = into.entry(object) {
                place.insert(self.timeline(object)?);
            }
        }
        Ok(())
    }

    /// The reads that found nobody under a name.
    pub fn vacancies(&self, key: &NameKey) -> Result<Vec<(Sequence, Vacant)>, LedgerError> {
        let mut vacancies = self.store.vacancies(self.tenant, key)?;
        vacancies.retain(|(sequence, _)| *sequence <= self.through());
        vacancies.extend(self.pending.and_then(|pending| pending.vacancies.get(key)).into_iter().flatten().cloned());
        Ok(vacancies)
    }

    /// The objects that ever held a name.
    pub fn holders(&self, key: &NameKey) -> Result<BTreeSet<ObjectId>, LedgerError> {
        let mut holders: BTreeSet<ObjectId> =
            self.store.holders(self.tenant, key)?.iter().map(|posting| posting.object).collect();
        holders.extend(self.pending.and_then(|pending| pending.holders.get(key)).into_iter().flatten());
        Ok(holders)
    }

    /// All claims to a name. The timelines of the claimants are left in the map.
    pub fn claims(&self, key: &NameKey, timelines: &mut BTreeMap<ObjectId, Timeline>) -> Result<NameView, LedgerError> {
        let key = &self.store.erasure(self.tenant)?.map_or_else(|| key.clone(), |erasure| erasure.key(key));
        let holders = self.holders(key)?;
        self.load(holders.iter().copied(), timelines)?;
        let vacancies = self.vacancies(key)?;
        Ok(NameView::of(key, holders.iter().filter_map(|object| timelines.get(object)), &vacancies))
    }
}

/// The coverage, whether a round is open, and the terms of attribution after these facts.
fn tenant_state(facts: &[Known]) -> (Coverage, bool, Settling) {
    let mut settling = Settling::default();
    let mut coverage = Coverage::default();
    let mut round_open = false;
    for known in facts {
        match &known.fact {
            Fact::Horizon(horizon) => {
                coverage.add(horizon);
                round_open &= horizon.feed != Feed::Delta;
            }
            Fact::RoundBegan(_) => round_open = true,
            Fact::Settling(terms) => settling = *terms,
            _ => {}
        }
    }
    (coverage, round_open, settling)
}

/// The newest commit recorded at or before a time. Recording times never run backwards, so halving finds it.
fn newest_recorded_by(
    store: &dyn LedgerStore,
    tenant: TenantId,
    newest: Sequence,
    time: Instant,
) -> Result<Sequence, LedgerError> {
    let (mut low, mut high) = (0, newest.0);
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        let entry = store.journal(tenant, Sequence(middle), 1)?.into_iter().next();
        if entry.is_some_and(|entry| entry.commit.recorded <= time) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    Ok(Sequence(low))
}
