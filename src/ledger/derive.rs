//! What follows from a batch of facts: pure but for the reads of what is known already.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::coverage::Coverage;
use crate::domain::fact::{Addressed, Fact, Feed, Known, ObjectKind, Receipt, Snapshot};
use crate::domain::id::{ChainId, ObjectId, Sequence, SnapshotId, TenantId};
use crate::domain::name::{NameKey, Namespace};
use crate::domain::timeline::{State, Timeline};
use crate::store::{Commit, Counts, Cursor, Derived, Head, LedgerStore, Run, SnapshotRecord, Subject, TenantState};

use super::{Batch, LedgerError};

/// What an append changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Facts that were new.
    pub facts: u64,
    /// Objects whose names or life changed, new ones included.
    pub changed: u64,
    /// Objects that were live and are not any more.
    pub removed: u64,
    /// Objects that were deleted and are live again.
    pub restored: u64,
}

/// The part of a batch that is new.
pub(super) struct Kept {
    pub facts: Vec<Fact>,
    pub cursor: Option<Cursor>,
    pub run: Option<Run>,
}

/// Splits a batch into what is new and what follows from it.
pub(super) fn derive(
    store: &dyn LedgerStore,
    tenant: TenantId,
    head: &Head,
    batch: Batch,
) -> Result<(Kept, Derived, Summary), LedgerError> {
    let mut work = Work::new(store, tenant, head);
    let mut facts = Vec::with_capacity(batch.facts.len());
    for fact in batch.facts {
        if work.take(&fact)? {
            facts.push(fact);
        }
    }
    let cursor = batch.cursor.filter(|cursor| head.state.cursor.as_ref() != Some(cursor));
    if let Some(cursor) = &cursor {
        work.derived.state.cursor = Some(cursor.clone());
    }
    if let Some(run) = &batch.run {
        work.take_run(run);
    }
    let (derived, mut summary) = work.finish();
    summary.facts = facts.len() as u64;
    Ok((Kept { facts, cursor, run: batch.run }, derived, summary))
}

/// What follows from a commit of the journal, given the derived state before it.
pub(super) fn derive_again(
    store: &dyn LedgerStore,
    tenant: TenantId,
    head: &Head,
    commit: &Commit,
) -> Result<Derived, LedgerError> {
    let mut work = Work::new(store, tenant, head);
    for fact in &commit.facts {
        work.take(fact)?;
    }
    if let Some(cursor) = &commit.cursor {
        work.derived.state.cursor = Some(cursor.clone());
    }
    if let Some(run) = &commit.run {
        work.take_run(run);
    }
    Ok(work.finish().0)
}

struct Work<'a> {
    store: &'a dyn LedgerStore,
    tenant: TenantId,
    sequence: Sequence,
    derived: Derived,
    objects: BTreeMap<ObjectId, ObjectWork>,
    snapshots: BTreeMap<(ChainId, SnapshotId), SnapshotRecord>,
    subjects: BTreeSet<(Subject, ChainId)>,
}

struct ObjectWork {
    known: Vec<Known>,
    new: Vec<Fact>,
    names: BTreeSet<(Namespace, NameKey)>,
}

impl<'a> Work<'a> {
    fn new(store: &'a dyn LedgerStore, tenant: TenantId, head: &Head) -> Self {
        let derived = Derived { state: head.state.clone(), ..Derived::default() };
        Self {
            store,
            tenant,
            sequence: head.sequence.next(),
            derived,
            objects: BTreeMap::new(),
            snapshots: BTreeMap::new(),
            subjects: BTreeSet::new(),
        }
    }

    /// Takes a fact in; false if it was known already.
    fn take(&mut self, fact: &Fact) -> Result<bool, LedgerError> {
        if let Some(object) = fact.object() {
            return self.take_object(object, fact);
        }
        match fact {
            Fact::Vacant(vacant) => {
                let key = vacant.name.key();
                let before = self.store.vacancies(self.tenant, key)?;
                let known = before.iter().map(|(_, vacant)| vacant).chain(&self.derived.vacancies).any(|v| v == vacant);
                if !known {
                    self.derived.vacancies.push(vacant.clone());
                }
                Ok(!known)
            }
            Fact::SnapshotTaken(snapshot) => self.take_snapshot(snapshot),
            Fact::Receipt(receipt) => self.take_receipt(receipt),
            Fact::SnapshotExpired(expired) => {
                let sequence = self.sequence;
                let record = self.recorded(&expired.chain, &expired.snapshot)?;
                let new = record.expired.is_none();
                record.expired = record.expired.or(Some(sequence));
                Ok(new)
            }
            Fact::Blind(_) => {
                let known = self.store.tenant_facts(self.tenant, self.sequence)?;
                let is_new = !known.iter().any(|known| known.fact == *fact) && !self.derived.tenant.contains(fact);
                if is_new {
                    self.derived.tenant.push(fact.clone());
                }
                Ok(is_new)
            }
            _ => Ok(self.take_tenant(fact)),
        }
    }

    fn take_object(&mut self, object: ObjectId, fact: &Fact) -> Result<bool, LedgerError> {
        let work = match self.objects.entry(object) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => {
                let known = self.store.object(self.tenant, object)?;
                let names = known.iter().flat_map(|known| owned_names(&known.fact)).collect();
                entry.insert(ObjectWork { known, new: Vec::new(), names })
            }
        };
        if work.known.iter().any(|known| known.fact == *fact) || work.new.contains(fact) {
            return Ok(false);
        }
        work.new.push(fact.clone());
        for (namespace, key) in owned_names(fact) {
            if work.names.insert((namespace, key.clone())) {
                self.derived.postings.push((key, object, namespace));
            }
        }
        Ok(true)
    }

    fn take_tenant(&mut self, fact: &Fact) -> bool {
        let state = &mut self.derived.state;
        super::hold::note(&mut state.holds, fact);
        match fact {
            Fact::Horizon(horizon) => {
                let before = state.coverage.clone();
                state.coverage.add(horizon);
                let ends_round = horizon.feed == Feed::Delta && state.open_round.take().is_some();
                if state.coverage == before && !ends_round {
                    return false;
                }
            }
            Fact::RoundBegan(round) => {
                let before = state.open_round.replace(round.started);
                if before == Some(round.started) {
                    return false;
                }
            }
            _ => {}
        }
        self.derived.tenant.push(fact.clone());
        true
    }

    fn take_snapshot(&mut self, snapshot: &Snapshot) -> Result<bool, LedgerError> {
        let (chain, id) = (snapshot.chain.clone(), snapshot.id.clone());
        if snapshot.until < snapshot.from {
            return Err(LedgerError::SnapshotBackward { chain, snapshot: id });
        }
        if let Some(record) = self.look_up(&chain, &id)? {
            return match difference(&record.snapshot, snapshot) {
                None => Ok(false),
                Some(difference) => Err(LedgerError::SnapshotConflict { chain, snapshot: id, difference }),
            };
        }
        let subject = match &snapshot.addressed {
            Addressed::Object(object) => Subject::Object(*object),
            Addressed::Name(name, _) => Subject::Name(name.key().clone()),
        };
        self.add_subject(subject, &chain)?;
        let record =
            SnapshotRecord { snapshot: snapshot.clone(), taken: self.sequence, receipts: Vec::new(), expired: None };
        self.snapshots.insert((chain, id), record);
        self.derived.state.counts.snapshots += 1;
        Ok(true)
    }

    fn take_receipt(&mut self, receipt: &Receipt) -> Result<bool, LedgerError> {
        let sequence = self.sequence;
        let record = self.recorded(&receipt.chain, &receipt.snapshot)?;
        if record.receipts.iter().any(|(_, known)| known == receipt) {
            return Ok(false);
        }
        record.receipts.push((sequence, receipt.clone()));
        for object in [Some(receipt.object), receipt.object_end].into_iter().flatten() {
            self.add_subject(Subject::Object(object), &receipt.chain)?;
        }
        Ok(true)
    }

    fn take_run(&mut self, run: &Run) {
        self.derived.state.runs = self.derived.state.runs.max(run.run);
        self.derived.run = Some(run.clone());
    }

    fn look_up(&mut self, chain: &ChainId, id: &SnapshotId) -> Result<Option<&mut SnapshotRecord>, LedgerError> {
        let place = (chain.clone(), id.clone());
        if !self.snapshots.contains_key(&place)
            && let Some(record) = self.store.snapshot(self.tenant, chain, id)?
        {
            self.snapshots.insert(place.clone(), record);
        }
        Ok(self.snapshots.get_mut(&place))
    }

    fn recorded(&mut self, chain: &ChainId, id: &SnapshotId) -> Result<&mut SnapshotRecord, LedgerError> {
        let missing = || LedgerError::NoSnapshot { chain: chain.clone(), snapshot: id.clone() };
        self.look_up(chain, id)?.ok_or_else(missing)
    }

    fn add_subject(&mut self, subject: Subject, chain: &ChainId) -> Result<(), LedgerError> {
        if !self.store.chains(self.tenant, &subject)?.contains(chain) {
            self.subjects.insert((subject, chain.clone()));
        }
        Ok(())
    }

    fn finish(mut self) -> (Derived, Summary) {
        let mut summary = Summary::default();
        let sequence = self.sequence;
        for (object, work) in self.objects.into_iter().filter(|(_, work)| !work.new.is_empty()) {
            let before = Timeline::of(object, &work.known, &Coverage::default());
            let mut facts = work.known;
            facts.extend(work.new.iter().map(|fact| Known { sequence, fact: fact.clone() }));
            let after = Timeline::of(object, &facts, &Coverage::default());
            count(&mut summary, &mut self.derived.state, &before, &after);
            self.derived.objects.push((object, work.new));
        }
        // Looking a record up does not change it; only those with news of this commit are written.
        self.derived.snapshots = self
            .snapshots
            .into_values()
            .filter(|record| {
                record.taken == sequence
                    || record.expired == Some(sequence)
                    || record.receipts.iter().any(|(at, _)| *at == sequence)
            })
            .collect();
        self.derived.subjects = self.subjects.into_iter().collect();
        (self.derived, summary)
    }
}

fn count(summary: &mut Summary, state: &mut TenantState, before: &Timeline, after: &Timeline) {
    let old = (!before.is_empty()).then(|| before.state());
    let new = after.state();
    // Groups hold addresses, but nobody's mail is backed up from them: they are not among the counts.
    if old != Some(new) && after.kind() == ObjectKind::User {
        for (state_now, step_up) in [(old, false), (Some(new), true)] {
            if let Some(counter) = state_now.and_then(|state_now| counter(&mut state.counts, state_now)) {
                *counter = if step_up { counter.saturating_add(1) } else { counter.saturating_sub(1) };
            }
        }
    }
    summary.changed += u64::from(old != Some(new) || before.names() != after.names());
    summary.removed += u64::from(old == Some(State::Active) && new != State::Active);
    summary.restored += u64::from(old.is_some_and(|old| old != State::Active) && new == State::Active);
}

fn counter(counts: &mut Counts, state: State) -> Option<&mut u64> {
    match state {
        State::Active => Some(&mut counts.active),
        State::SoftDeleted => Some(&mut counts.soft_deleted),
        State::Purged => Some(&mut counts.purged),
        State::Unknown => None,
    }
}

fn owned_names(fact: &Fact) -> impl Iterator<Item = (Namespace, NameKey)> + '_ {
    fact.names().into_iter().map(|(namespace, name)| (namespace, name.key().clone()))
}

fn difference(known: &Snapshot, new: &Snapshot) -> Option<&'static str> {
    if known.addressed != new.addressed {
        Some("another name or object")
    } else if (known.from, known.until) != (new.from, new.until) {
        Some("other times")
    } else if known.mailbox != new.mailbox {
        Some("another mailbox")
    } else {
        None
    }
}
