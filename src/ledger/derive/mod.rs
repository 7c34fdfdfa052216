//! What follows from a batch of facts: pure but for the reads of what is known already.
//!
//! First the facts are taken in one by one, and those known already are dropped. Then, in this order: what became of the
//! objects (`objects`), whose data the snapshots hold that the facts can touch (`judging`), and what an auditor must look
//! at (`weighing`). Nothing looks at what a commit cannot touch.

mod judging;
mod objects;
mod reviews;
mod weighing;

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::attribution::Judgement;
use crate::domain::erase::Redacted;
use crate::domain::fact::{Addressed, Fact, Feed, Horizon, Known, Receipt, Snapshot};
use crate::domain::finding::{Finding, FindingId, FindingKind, FindingState};
use crate::domain::holder::HolderConfidence;
use crate::domain::id::{ChainId, MailboxId, ObjectId, Sequence, SnapshotId, TenantId};
use crate::domain::link::Anchor;
use crate::domain::name::{NameKey, Namespace};
use crate::domain::scope;
use crate::domain::time::Instant;
use crate::store::{
    Commit, Cursor, Derived, Head, LedgerStore, LinkRecord, Run, SnapshotRecord, Subject, TallyClass, TenantState,
};

use super::chain::Attributor;
use super::findings::mailbox_anchor;
use super::view::{Pending, View};
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
    recorded: Instant,
) -> Result<(Kept, Derived, Summary), LedgerError> {
    let mut work = Work::new(store, tenant, head, recorded);
    let mut facts = Vec::with_capacity(batch.facts.len());
    let settling = batch.settling.filter(|settling| *settling != head.state.settling).map(Fact::Settling);
    for fact in settling.into_iter().chain(batch.facts) {
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
    let (derived, mut summary) = work.finish()?;
    // What the ledger itself had to erase first is nothing that was told.
    let is_told = |fact: &&Fact| !matches!(fact, Fact::Redacted(Redacted { by: None, .. }));
    summary.facts = facts.iter().filter(is_told).count() as u64;
    Ok((Kept { facts, cursor, run: batch.run }, derived, summary))
}

/// What follows from a commit of the journal, given the derived state before it.
pub(super) fn derive_again(
    store: &dyn LedgerStore,
    tenant: TenantId,
    head: &Head,
    commit: &Commit,
) -> Result<Derived, LedgerError> {
    let mut work = Work { is_replay: true, ..Work::new(store, tenant, head, commit.recorded) };
    for fact in &commit.facts {
        work.take(fact)?;
    }
    if let Some(cursor) = &commit.cursor {
        work.derived.state.cursor = Some(cursor.clone());
    }
    if let Some(run) = &commit.run {
        work.take_run(run);
    }
    Ok(work.finish()?.0)
}

struct Work<'a> {
    store: &'a dyn LedgerStore,
    tenant: TenantId,
    sequence: Sequence,
    recorded: Instant,
    /// The facts are those of a commit that the journal has.
    is_replay: bool,
    before: TenantState,
    derived: Derived,
    objects: BTreeMap<ObjectId, ObjectWork>,
    snapshots: BTreeMap<(ChainId, SnapshotId), SnapshotWork>,
    subjects: BTreeSet<(ObjectId, ChainId)>,
    /// Names by which a snapshot was addressed anew.
    addressed: BTreeSet<NameKey>,
    horizons: Vec<Horizon>,
    /// Findings about sync runs, with how much there is and how much of it is still to be dealt with.
    runs: BTreeMap<(FindingKind, u64), (u64, u64)>,
    anchors: BTreeSet<(Anchor, ObjectId)>,
    links: BTreeMap<ObjectId, Vec<LinkRecord>>,
    linked: BTreeSet<ObjectId>,
    findings: BTreeMap<FindingId, FindingWork>,
}

struct ObjectWork {
    known: Vec<Known>,
    new: Vec<Fact>,
    names: BTreeSet<(Namespace, NameKey)>,
    /// Names that it did not have before this commit.
    new_names: BTreeSet<NameKey>,
}

struct SnapshotWork {
    record: SnapshotRecord,
    /// How it was counted before this commit, and whether it was kept; `None` if it is new.
    before: Option<(TallyClass, bool)>,
    /// Something of this commit is about it.
    touched: bool,
}

struct FindingWork {
    finding: Finding,
    /// Its state before this commit; `None` if it is new.
    before: Option<FindingState>,
    touched: bool,
}

impl<'a> Work<'a> {
    fn new(store: &'a dyn LedgerStore, tenant: TenantId, head: &Head, recorded: Instant) -> Self {
        let derived = Derived { state: head.state.clone(), ..Derived::default() };
        Self {
            store,
            tenant,
            sequence: head.sequence.next(),
            recorded,
            is_replay: false,
            before: head.state.clone(),
            derived,
            objects: BTreeMap::new(),
            snapshots: BTreeMap::new(),
            subjects: BTreeSet::new(),
            addressed: BTreeSet::new(),
            horizons: Vec::new(),
            runs: BTreeMap::new(),
            anchors: BTreeSet::new(),
            links: BTreeMap::new(),
            linked: BTreeSet::new(),
            findings: BTreeMap::new(),
        }
    }

    /// Draws the conclusions.
    fn finish(mut self) -> Result<(Derived, Summary), LedgerError> {
        let mut pending = Pending::default();
        for vacant in &self.derived.vacancies {
            let reads = pending.vacancies.entry(vacant.name.key().clone()).or_default();
            reads.push((self.sequence, vacant.clone()));
        }
        let (summary, turned) = self.finish_objects(&mut pending)?;
        // Both look at the same names and people, which are worked out once.
        let state = self.derived.state.clone();
        let view = View::ahead(self.store, self.tenant, self.sequence, &state, &pending);
        let mut attributor = Attributor::new(&view, state.settling);
        let chains = self.finish_snapshots(&pending, &mut attributor)?;
        self.finish_findings(&view, &mut attributor, &chains, &turned)?;
        Ok((self.derived, summary))
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
                let work = self.recorded(&expired.chain, &expired.snapshot)?;
                let new = work.record.expired.is_none();
                work.record.expired = work.record.expired.or(Some(sequence));
                work.touched |= new;
                Ok(new)
            }
            Fact::Acknowledged(review) => self.take_review(review, FindingState::Acknowledged),
            Fact::Resolved(review) => self.take_review(review, FindingState::Resolved),
            Fact::Linked(link) => self.take_link(link, true),
            Fact::Unlinked(link) => self.take_link(link, false),
            Fact::Settling(settling) => {
                let is_new = self.derived.state.settling != *settling;
                if is_new {
                    self.derived.state.settling = *settling;
                    self.derived.tenant.push(fact.clone());
                }
                Ok(is_new)
            }
            Fact::Blind(_) => {
                let known = self.store.tenant_facts(self.tenant, self.sequence)?;
                let is_new = !known.iter().any(|known| known.fact == *fact) && !self.derived.tenant.contains(fact);
                if is_new {
                    self.derived.tenant.push(fact.clone());
                }
                Ok(is_new)
            }
            Fact::Redacted(redacted) => {
                self.derived.erased.extend(redacted.marks().map(|mark| (mark, redacted.key)));
                Ok(true)
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
                entry.insert(ObjectWork { known, new: Vec::new(), names, new_names: BTreeSet::new() })
            }
        };
        if work.known.iter().any(|known| known.fact == *fact) || work.new.contains(fact) {
            return Ok(false);
        }
        if fact.is_about_scope() {
            let facts = || work.known.iter().map(|known| &known.fact).chain(&work.new);
            if scope::is_said_already(fact, facts()) {
                return Ok(false);
            }
            if let Fact::Grouped(grouped) = fact
                && scope::newest_word(grouped.group, facts()).is_none_or(|(at, _)| at <= grouped.at)
            {
                self.derived.members.push((grouped.group, object, grouped.is_member));
            }
        }
        work.new.push(fact.clone());
        for (namespace, key) in owned_names(fact) {
            let is_new = Namespace::BOTH.into_iter().all(|space| !work.names.contains(&(space, key.clone())));
            if work.names.insert((namespace, key.clone())) {
                if is_new {
                    work.new_names.insert(key.clone());
                }
                self.derived.postings.push((key, object, namespace));
            }
        }
        Ok(true)
    }

    fn take_tenant(&mut self, fact: &Fact) -> bool {
        let state = &mut self.derived.state;
        super::hold::note(&mut state.holds, fact);
        let mapping = state.mapping.clone();
        state.mapping.note(self.sequence, fact);
        match fact {
            Fact::Horizon(horizon) => {
                let before = state.coverage.clone();
                state.coverage.add(horizon);
                let ends_round = horizon.feed == Feed::Delta && state.open_round.take().is_some();
                if state.coverage == before && !ends_round {
                    return false;
                }
                self.horizons.push(*horizon);
            }
            Fact::RoundBegan(round) => {
                let before = state.open_round.replace(round.started);
                if before == Some(round.started) {
                    return false;
                }
            }
            Fact::Held(held) => {
                let much = held.impact.total().max(1);
                // A hold takes the place of an older one of the same part.
                for old in self.before.holds.iter().filter(|old| old.part == held.part && old.run != held.run) {
                    self.runs.insert((FindingKind::MassChange, old.run), (1, 0));
                }
                self.runs.insert((FindingKind::MassChange, held.run), (much, much));
            }
            Fact::HoldEnded(ended) => {
                self.runs.insert((FindingKind::MassChange, ended.run), (1, 0));
            }
            Fact::DomainChanged(change) => {
                // One run may bring several maps; they are one finding.
                let (all, open) = self.runs.entry((FindingKind::DomainChange, change.run)).or_default();
                *all = all.saturating_add(change.renamed);
                *open = *all;
            }
            // What changes nothing is no news; rules are compared by whoever applies them.
            Fact::GroupsListed(_) | Fact::FeedTells(_) if state.mapping == mapping => return false,
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
        if let Some(work) = self.look_up(&chain, &id)? {
            return match work.record.snapshot.difference(snapshot) {
                None => Ok(false),
                Some(difference) => Err(LedgerError::SnapshotConflict { chain, snapshot: id, difference }),
            };
        }
        match &snapshot.addressed {
            Addressed::Object(object) => {
                self.add_subject(*object, &chain)?;
                self.add_mailbox(*object, snapshot.mailbox)?;
            }
            Addressed::Name(name, _) => {
                self.addressed.insert(name.key().clone());
                self.derived.state.counts.named += 1;
            }
        }
        let record = SnapshotRecord {
            snapshot: snapshot.clone(),
            taken: self.sequence,
            receipts: Vec::new(),
            expired: None,
            judgement: UNJUDGED,
            judged: self.sequence,
        };
        self.snapshots.insert((chain, id), SnapshotWork { record, before: None, touched: true });
        self.derived.state.counts.snapshots += 1;
        Ok(true)
    }

    fn take_receipt(&mut self, receipt: &Receipt) -> Result<bool, LedgerError> {
        let sequence = self.sequence;
        let work = self.recorded(&receipt.chain, &receipt.snapshot)?;
        if work.record.receipts.iter().any(|(_, known)| known == receipt) {
            return Ok(false);
        }
        work.record.receipts.push((sequence, receipt.clone()));
        work.touched = true;
        self.add_subject(receipt.object, &receipt.chain)?;
        self.add_mailbox(receipt.object, receipt.mailbox)?;
        if let Some(object) = receipt.object_end {
            self.add_subject(object, &receipt.chain)?;
            self.add_mailbox(object, receipt.mailbox_end)?;
        }
        Ok(true)
    }

    fn take_run(&mut self, run: &Run) {
        self.derived.state.runs = self.derived.state.runs.max(run.run);
        self.derived.run = Some(run.clone());
    }

    fn look_up(&mut self, chain: &ChainId, id: &SnapshotId) -> Result<Option<&mut SnapshotWork>, LedgerError> {
        let place = (chain.clone(), id.clone());
        if !self.snapshots.contains_key(&place)
            && let Some(record) = self.store.snapshot(self.tenant, chain, id)?
        {
            self.snapshots.insert(place.clone(), SnapshotWork::of(record));
        }
        Ok(self.snapshots.get_mut(&place))
    }

    fn recorded(&mut self, chain: &ChainId, id: &SnapshotId) -> Result<&mut SnapshotWork, LedgerError> {
        let missing = || LedgerError::NoSnapshot { chain: chain.clone(), snapshot: id.clone() };
        self.look_up(chain, id)?.ok_or_else(missing)
    }

    fn add_subject(&mut self, object: ObjectId, chain: &ChainId) -> Result<(), LedgerError> {
        let subject = (object, chain.clone());
        if !self.subjects.contains(&subject)
            && !self.store.chains(self.tenant, &Subject::Object(object))?.contains(chain)
        {
            self.subjects.insert(subject);
        }
        Ok(())
    }

    /// A mailbox instance that an object was read from is an anchor of it.
    fn add_mailbox(&mut self, object: ObjectId, mailbox: Option<MailboxId>) -> Result<(), LedgerError> {
        let Some(mailbox) = mailbox else { return Ok(()) };
        if !self.store.mailboxes(self.tenant, object)?.contains(&mailbox) {
            self.anchors.insert((mailbox_anchor(&mailbox), object));
        }
        Ok(())
    }
}

impl SnapshotWork {
    fn of(record: SnapshotRecord) -> Self {
        let before = Some((record.class(), record.expired.is_none()));
        Self { record, before, touched: false }
    }
}

/// What a snapshot is before it is first judged, which is in the commit that brings it.
const UNJUDGED: Judgement = Judgement {
    object: None,
    confidence: HolderConfidence::Unknown,
    settled: false,
    receipted: false,
    disputed: false,
};

fn owned_names(fact: &Fact) -> impl Iterator<Item = (Namespace, NameKey)> + '_ {
    fact.names().into_iter().map(|(namespace, name)| (namespace, name.key().clone()))
}
