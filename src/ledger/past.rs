//! The ledger as it was known at an earlier commit, for every question that it can be asked.
//!
//! A [`View`](super::View) answers single questions as known at a commit. Here the whole ledger is laid behind such a
//! moment: a store that shows of one tenant what its commits up to then had brought, so that everything which asks "now"
//! (lists, plans, findings, reports) is answered as it would have been. What a store keeps of judgements may be younger
//! than the moment, so its head says that they are behind, and the ledger works them out.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::domain::erase::{Erased, Erasure, Fingerprint};
use crate::domain::fact::Vacant;
use crate::domain::finding::{Finding, FindingId, FindingState};
use crate::domain::id::{ChainId, MailboxId, ObjectId, Sequence, SnapshotId, TenantId};
use crate::domain::link::Anchor;
use crate::domain::name::NameKey;
use crate::domain::time::Instant;
use crate::store::{
    Commit, Derived, Description, EndingPlace, Entry, FindingCounts, Hash, Head, Known, LedgerStore, LinkRecord,
    LogNode, NamedPlace, Order, Posting, Proved, RawEntry, Run, SnapshotPlace, SnapshotRecord, Stint, StoreError,
    Subject, Tally, TenantState,
};

use super::chain::Attributor;
use super::{KnownAt, Ledger, LedgerError};

/// How many records are read at a time.
const PAGE: usize = 256;

impl Ledger {
    /// This ledger as one tenant's commits had made it by some time. Other tenants are empty in it, how many objects there
    /// were is not told, and nothing can be written.
    ///
    /// # Errors
    /// If there is no such commit, or the ledger cannot be read.
    pub fn as_known(&self, tenant: TenantId, known_at: KnownAt) -> Result<Self, LedgerError> {
        let view = self.view(tenant, known_at)?;
        let through = view.through();
        let entry = self.store().journal(tenant, through, 1)?.into_iter().find(|entry| entry.sequence == through);
        let recorded = entry.map(|entry| entry.commit.recorded);
        let stint = Stint { proved: Proved::Any, from: Instant::MIN, through: Instant::MIN, after: None };
        let mut past = Past { now: self.clone(), tenant, head: Head::default() };
        past.head.sequence = through;
        past.head.recorded = recorded;
        past.head.hash = view.basis(Instant::MIN).hash;
        past.head.state = TenantState {
            coverage: view.coverage().clone(),
            open_round: view.is_round_open().then(|| recorded.unwrap_or(Instant::MIN)),
            holds: view.open_holds().to_vec(),
            settling: view.settling(),
            mapping: view.mapping_state().clone(),
            backlog: vec![stint],
            ..TenantState::default()
        };
        past.head.state.findings = past.open_findings()?;
        past.head.state.runs = past.runs(tenant, 1)?.first().map_or(0, |run| run.run);
        Ok(Self { is_past: true, ..Self::over(Arc::new(past)) })
    }
}

struct Past {
    now: Ledger,
    tenant: TenantId,
    head: Head,
}

impl Past {
    fn store(&self) -> &dyn LedgerStore {
        self.now.store()
    }

    fn is_shown(&self, tenant: TenantId) -> bool {
        tenant == self.tenant
    }

    fn is_known(&self, sequence: Sequence) -> bool {
        sequence <= self.head.sequence
    }

    /// A snapshot without what was said of it later; `None` if it was recorded later.
    fn snapshot_then(&self, mut record: SnapshotRecord) -> Option<SnapshotRecord> {
        record.receipts.retain(|(sequence, _)| self.is_known(*sequence));
        record.expired = record.expired.filter(|sequence| self.is_known(*sequence));
        self.is_known(record.taken).then_some(record)
    }

    /// A finding without what happened to it later; `None` if it was opened later.
    fn finding_then(&self, mut finding: Finding) -> Option<Finding> {
        finding.steps.retain(|step| self.is_known(step.sequence));
        (!finding.steps.is_empty()).then_some(finding)
    }

    fn open_findings(&self) -> Result<FindingCounts, StoreError> {
        let mut open = FindingCounts::default();
        let mut after = None;
        loop {
            let page = self.findings(self.tenant, after, PAGE)?;
            let Some(last) = page.last() else { return Ok(open) };
            after = Some(last.id);
            for finding in page.iter().filter(|finding| finding.state() == FindingState::Open) {
                *open.of(finding.severity()) += 1;
            }
        }
    }
}

/// Up to `limit` records that were there already, read in pages: `read` takes the last record looked at and how many are
/// wanted, and `then` tells what one was.
fn sieve<R: Clone, T>(
    limit: usize,
    mut read: impl FnMut(Option<&R>, usize) -> Result<Vec<R>, StoreError>,
    mut then: impl FnMut(R) -> Result<Option<T>, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut found = Vec::new();
    let mut last: Option<R> = None;
    while found.len() < limit {
        let wanted = (limit - found.len()).min(PAGE);
        let page = read(last.as_ref(), wanted)?;
        let is_last = page.len() < wanted;
        last = page.last().cloned();
        for record in page {
            found.extend(then(record)?);
        }
        if is_last {
            break;
        }
    }
    Ok(found)
}

fn refused<T>() -> Result<T, StoreError> {
    let why = "the ledger is shown as it was, and what was cannot be changed; leave the time out to write".to_owned();
    Err(StoreError::Unsound { what: "to a past state".to_owned(), why })
}

impl LedgerStore for Past {
    fn tenants(&self) -> Result<Vec<TenantId>, StoreError> {
        Ok(if self.head.sequence == Sequence(0) { Vec::new() } else { vec![self.tenant] })
    }

    fn head(&self, tenant: TenantId) -> Result<Arc<Head>, StoreError> {
        Ok(Arc::new(if self.is_shown(tenant) { self.head.clone() } else { Head::default() }))
    }

    fn append(&self, _: TenantId, _: Sequence, _: Commit, _: Derived) -> Result<Head, StoreError> {
        refused()
    }

    fn object(&self, tenant: TenantId, object: ObjectId) -> Result<Vec<Known>, StoreError> {
        if !self.is_shown(tenant) {
            return Ok(Vec::new());
        }
        let mut facts = self.store().object(tenant, object)?;
        facts.retain(|known| self.is_known(known.sequence));
        Ok(facts)
    }

    fn object_ids(&self, tenant: TenantId, after: Option<ObjectId>, limit: usize) -> Result<Vec<ObjectId>, StoreError> {
        if !self.is_shown(tenant) {
            return Ok(Vec::new());
        }
        let read = |last: Option<&ObjectId>, wanted| self.store().object_ids(tenant, last.copied().or(after), wanted);
        sieve(limit, read, |object| Ok((!self.object(tenant, object)?.is_empty()).then_some(object)))
    }

    fn holders(&self, tenant: TenantId, name: &NameKey) -> Result<Vec<Posting>, StoreError> {
        // Who came to hold the name later has no fact about it before, and so no claim.
        if self.is_shown(tenant) { self.store().holders(tenant, name) } else { Ok(Vec::new()) }
    }

    fn names_from(
        &self,
        tenant: TenantId,
        beginning: &str,
        after: Option<&NameKey>,
        limit: usize,
    ) -> Result<Vec<NameKey>, StoreError> {
        if !self.is_shown(tenant) {
            return Ok(Vec::new());
        }
        let ledger = &self.now;
        let view = ledger.view(tenant, KnownAt::Sequence(self.head.sequence)).map_err(as_stored)?;
        let read = |last: Option<&NameKey>, wanted| self.store().names_from(tenant, beginning, last.or(after), wanted);
        sieve(limit, read, |name| {
            let claims = view.claims(&name, &mut std::collections::BTreeMap::new()).map_err(as_stored)?;
            Ok((!claims.claims().is_empty()).then_some(name))
        })
    }

    fn chains_from(
        &self,
        tenant: TenantId,
        beginning: &str,
        after: Option<&ChainId>,
        limit: usize,
    ) -> Result<Vec<ChainId>, StoreError> {
        if !self.is_shown(tenant) {
            return Ok(Vec::new());
        }
        let read = |last: Option<&ChainId>, wanted| self.store().chains_from(tenant, beginning, last.or(after), wanted);
        sieve(limit, read, |chain| {
            let first = self.snapshots(tenant, &chain, Order::Forward, None, 1)?;
            Ok((!first.is_empty()).then_some(chain))
        })
    }

    fn vacancies(&self, tenant: TenantId, name: &NameKey) -> Result<Vec<(Sequence, Vacant)>, StoreError> {
        if !self.is_shown(tenant) {
            return Ok(Vec::new());
        }
        let mut vacancies = self.store().vacancies(tenant, name)?;
        vacancies.retain(|(sequence, _)| self.is_known(*sequence));
        Ok(vacancies)
    }

    fn snapshot(
        &self,
        tenant: TenantId,
        chain: &ChainId,
        id: &SnapshotId,
    ) -> Result<Option<SnapshotRecord>, StoreError> {
        if !self.is_shown(tenant) {
            return Ok(None);
        }
        Ok(self.store().snapshot(tenant, chain, id)?.and_then(|record| self.snapshot_then(record)))
    }

    fn snapshots(
        &self,
        tenant: TenantId,
        chain: &ChainId,
        order: Order,
        after: Option<&SnapshotPlace>,
        limit: usize,
    ) -> Result<Vec<SnapshotRecord>, StoreError> {
        if !self.is_shown(tenant) {
            return Ok(Vec::new());
        }
        let read = |last: Option<&SnapshotRecord>, wanted| {
            let place = last.map(|record| (record.snapshot.from, record.snapshot.id.clone()));
            self.store().snapshots(tenant, chain, order, place.as_ref().or(after), wanted)
        };
        sieve(limit, read, |record| Ok(self.snapshot_then(record)))
    }

    fn chains(&self, tenant: TenantId, subject: &Subject) -> Result<Vec<ChainId>, StoreError> {
        if !self.is_shown(tenant) {
            return Ok(Vec::new());
        }
        let mut chains = Vec::new();
        for chain in self.store().chains(tenant, subject)? {
            let mut after: Option<SnapshotPlace> = None;
            loop {
                let page = self.snapshots(tenant, &chain, Order::Forward, after.as_ref(), PAGE)?;
                let Some(last) = page.last() else { break };
                after = Some((last.snapshot.from, last.snapshot.id.clone()));
                if page.iter().any(|record| record.is_about(subject)) {
                    chains.push(chain);
                    break;
                }
            }
        }
        Ok(chains)
    }

    fn snapshots_named(
        &self,
        tenant: TenantId,
        name: &NameKey,
        after: Option<&NamedPlace>,
        limit: usize,
    ) -> Result<Vec<SnapshotRecord>, StoreError> {
        if !self.is_shown(tenant) {
            return Ok(Vec::new());
        }
        let read = |last: Option<&SnapshotRecord>, wanted| {
            let place = last.map(|record| {
                let snapshot = record.snapshot.clone();
                (snapshot.chain, snapshot.until, snapshot.id)
            });
            self.store().snapshots_named(tenant, name, place.as_ref().or(after), wanted)
        };
        sieve(limit, read, |record| Ok(self.snapshot_then(record)))
    }

    fn snapshots_ending(
        &self,
        tenant: TenantId,
        _: Proved,
        from: Instant,
        through: Instant,
        after: Option<&EndingPlace>,
        limit: usize,
    ) -> Result<Vec<SnapshotRecord>, StoreError> {
        if !self.is_shown(tenant) {
            return Ok(Vec::new());
        }
        let read = |last: Option<&SnapshotRecord>, wanted| {
            let place = last.map(|record| {
                let snapshot = record.snapshot.clone();
                (snapshot.until, snapshot.chain, snapshot.id)
            });
            // What is proved by now may not have been.
            self.store().snapshots_ending(tenant, Proved::Any, from, through, place.as_ref().or(after), wanted)
        };
        sieve(limit, read, |record| Ok(self.snapshot_then(record)))
    }

    fn tallies(&self, _: TenantId, _: &ChainId) -> Result<Vec<Tally>, StoreError> {
        // How many were judged how is kept for the newest commit alone.
        Ok(Vec::new())
    }

    fn owned(&self, tenant: TenantId, object: ObjectId) -> Result<Vec<ChainId>, StoreError> {
        if !self.is_shown(tenant) {
            return Ok(Vec::new());
        }
        let view = self.now.view(tenant, KnownAt::Sequence(self.head.sequence)).map_err(as_stored)?;
        let mut attributor = Attributor::new(&view, view.settling());
        let mut owned = Vec::new();
        let chains: BTreeSet<ChainId> = {
            let timeline = view.timeline(object).map_err(as_stored)?;
            let names: Vec<Subject> = timeline.names_ever().map(|(_, key, _)| Subject::Name(key.clone())).collect();
            let subjects = names.into_iter().chain([Subject::Object(object)]);
            let found = subjects.map(|subject| self.chains(tenant, &subject)).collect::<Result<Vec<_>, _>>()?;
            found.into_iter().flatten().collect()
        };
        for chain in chains {
            let mut after = None;
            loop {
                let page = attributor.page(&chain, Order::Forward, &mut after, PAGE).map_err(as_stored)?;
                if page.is_empty() {
                    break;
                }
                if page.iter().flatten().any(|(_, judgement)| judgement.certain_owner() == Some(object)) {
                    owned.push(chain);
                    break;
                }
            }
        }
        Ok(owned)
    }

    fn finding(&self, tenant: TenantId, id: FindingId) -> Result<Option<Finding>, StoreError> {
        if !self.is_shown(tenant) {
            return Ok(None);
        }
        Ok(self.store().finding(tenant, id)?.and_then(|finding| self.finding_then(finding)))
    }

    fn findings(&self, tenant: TenantId, after: Option<FindingId>, limit: usize) -> Result<Vec<Finding>, StoreError> {
        if !self.is_shown(tenant) {
            return Ok(Vec::new());
        }
        let read = |last: Option<&Finding>, wanted| {
            self.store().findings(tenant, last.map(|finding| finding.id).or(after), wanted)
        };
        sieve(limit, read, |finding| Ok(self.finding_then(finding)))
    }

    fn anchored(&self, tenant: TenantId, anchor: &Anchor) -> Result<Vec<ObjectId>, StoreError> {
        if !self.is_shown(tenant) {
            return Ok(Vec::new());
        }
        let mut objects = Vec::new();
        for object in self.store().anchored(tenant, anchor)? {
            if !self.object(tenant, object)?.is_empty() {
                objects.push(object);
            }
        }
        Ok(objects)
    }

    fn mailboxes(&self, tenant: TenantId, object: ObjectId) -> Result<Vec<MailboxId>, StoreError> {
        if !self.is_shown(tenant) {
            return Ok(Vec::new());
        }
        let named = self.store().mailboxes(tenant, object)?;
        if named.is_empty() {
            return Ok(named);
        }
        // Which commit brought one is not kept, and the snapshots that name them tell.
        let mut then = BTreeSet::new();
        for chain in self.chains(tenant, &Subject::Object(object))? {
            let mut after: Option<SnapshotPlace> = None;
            loop {
                let page = self.snapshots(tenant, &chain, Order::Forward, after.as_ref(), PAGE)?;
                let Some(last) = page.last() else { break };
                after = Some((last.snapshot.from, last.snapshot.id.clone()));
                then.extend(page.iter().flat_map(|record| record.mailboxes_of(object)));
            }
        }
        Ok(named.into_iter().filter(|mailbox| then.contains(mailbox)).collect())
    }

    fn links(&self, tenant: TenantId, object: ObjectId) -> Result<Vec<LinkRecord>, StoreError> {
        if !self.is_shown(tenant) {
            return Ok(Vec::new());
        }
        let mut links = self.store().links(tenant, object)?;
        links.iter_mut().for_each(|link| link.steps.retain(|(sequence, _)| self.is_known(*sequence)));
        links.retain(|link| !link.steps.is_empty());
        Ok(links)
    }

    fn notable(&self, tenant: TenantId, after: Option<&NameKey>, limit: usize) -> Result<Vec<NameKey>, StoreError> {
        // A name that was notable once has had two holders or lost its only one, and stays in the list but for the rare
        // case that its only holder took it back; who asks looks at the holders of each.
        if self.is_shown(tenant) { self.store().notable(tenant, after, limit) } else { Ok(Vec::new()) }
    }

    fn members(&self, _: TenantId, _: ObjectId) -> Result<Vec<ObjectId>, StoreError> {
        // The index serves the next sync alone, and there is none in the past.
        Ok(Vec::new())
    }

    fn erased(&self, tenant: TenantId) -> Result<Vec<(Erased, Fingerprint)>, StoreError> {
        // What was erased is erased from the past as well.
        if self.is_shown(tenant) { self.store().erased(tenant) } else { Ok(Vec::new()) }
    }

    fn erasure(&self, tenant: TenantId) -> Result<Option<Arc<Erasure>>, StoreError> {
        if self.is_shown(tenant) { self.store().erasure(tenant) } else { Ok(None) }
    }

    fn tenant_facts(&self, tenant: TenantId, through: Sequence) -> Result<Vec<Known>, StoreError> {
        if !self.is_shown(tenant) {
            return Ok(Vec::new());
        }
        self.store().tenant_facts(tenant, through.min(self.head.sequence))
    }

    fn runs(&self, tenant: TenantId, limit: usize) -> Result<Vec<Run>, StoreError> {
        let Some(recorded) = self.head.recorded.filter(|_| self.is_shown(tenant)) else { return Ok(Vec::new()) };
        // The log is read from its newest end, and cannot be entered in the middle.
        let mut wanted = limit.max(1);
        loop {
            let mut runs = self.store().runs(tenant, wanted)?;
            let is_all = runs.len() < wanted;
            runs.retain(|run| run.ended.unwrap_or(run.started) <= recorded);
            if is_all || runs.len() >= limit {
                runs.truncate(limit);
                return Ok(runs);
            }
            wanted = wanted.saturating_mul(2);
        }
    }

    fn journal(&self, tenant: TenantId, from: Sequence, limit: usize) -> Result<Vec<Entry>, StoreError> {
        if !self.is_shown(tenant) {
            return Ok(Vec::new());
        }
        let mut entries = self.store().journal(tenant, from, limit)?;
        entries.retain(|entry| self.is_known(entry.sequence));
        Ok(entries)
    }

    fn raw_journal(&self, tenant: TenantId, from: Sequence, limit: usize) -> Result<Vec<RawEntry>, StoreError> {
        if !self.is_shown(tenant) {
            return Ok(Vec::new());
        }
        let mut entries = self.store().raw_journal(tenant, from, limit)?;
        entries.retain(|entry| self.is_known(entry.sequence));
        Ok(entries)
    }

    fn append_raw(&self, _: TenantId, _: &RawEntry, _: Derived) -> Result<Head, StoreError> {
        refused()
    }

    fn log_nodes(&self, tenant: TenantId, nodes: &[LogNode]) -> Result<Vec<Hash>, StoreError> {
        let is_known = |node: &LogNode| node.completed_by().is_some_and(|at| self.is_known(at));
        match nodes.iter().find(|node| !self.is_shown(tenant) || !is_known(node)) {
            Some(unknown) => Err(unknown.missing(tenant)),
            None => self.store().log_nodes(tenant, nodes),
        }
    }

    fn announce_rebuild(&self) -> Result<(), StoreError> {
        refused()
    }

    fn drop_derived(&self) -> Result<(), StoreError> {
        refused()
    }

    fn restore_derived(&self, _: TenantId, _: &Entry, _: Derived) -> Result<(), StoreError> {
        refused()
    }

    fn sync(&self) -> Result<(), StoreError> {
        refused()
    }

    fn each_derived(&self, _: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), StoreError> {
        refused()
    }

    fn scratch(&self) -> Result<Box<dyn LedgerStore>, StoreError> {
        self.store().scratch()
    }

    fn bytes(&self) -> Result<u64, StoreError> {
        self.store().bytes()
    }

    fn describe(&self) -> Description {
        self.store().describe()
    }
}

fn as_stored(error: LedgerError) -> StoreError {
    match error {
        LedgerError::Store(error) => error,
        other => StoreError::Unsound { what: "a past state".to_owned(), why: other.to_string() },
    }
}
