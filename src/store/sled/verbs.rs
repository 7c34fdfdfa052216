//! What every store can do, by the one on disk: each verb answers as of the acknowledged head.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::changes::Changes;
use super::directory::{FORMAT, Note};
use super::engine::Range;
use super::read::{self, all, damaged, get, get_stored, scan};
use super::{SledStore, audit, derived_of, search};
use crate::domain::erase::{Erased, Fingerprint};
use crate::domain::fact::Vacant;
use crate::domain::finding::{Finding, FindingId};
use crate::domain::id::{ChainId, MailboxId, ObjectId, Sequence, SnapshotId, TenantId};
use crate::domain::link::Anchor;
use crate::domain::name::NameKey;
use crate::domain::time::Instant;
use crate::store::key::{Key, Prefix};
use crate::store::prepare::{head_after, prepare, prepare_raw, prepare_restore};
use crate::store::record::audit::{FindingV1, TallyV1};
use crate::store::record::fact::FactV1;
use crate::store::record::index::{ErasedV1, PlaceV1, PostingV1, VacanciesV1, erased_of};
use crate::store::record::snapshot::SnapshotRecordV1;
use crate::store::record::tenant::LoggedRunV1;
use crate::store::{
    Commit, Derived, Description, EndingPlace, Entry, Hash, Head, Known, LedgerStore, LinkRecord, LogNode, NamedPlace,
    Order, Posting, Proved, RawEntry, Run, SnapshotPlace, SnapshotRecord, StoreError, Subject, Tally,
};

impl LedgerStore for SledStore {
    fn tenants(&self) -> Result<Vec<TenantId>, StoreError> {
        let mut tenants = Vec::new();
        for (tenant, _) in read::tenants(&self.engine)?.into_iter().filter(|(_, begun)| *begun) {
            if self.journal_end(tenant)? > Sequence(0) {
                tenants.push(tenant);
            }
        }
        Ok(tenants)
    }

    fn head(&self, tenant: TenantId) -> Result<Arc<Head>, StoreError> {
        self.acknowledged(tenant)
    }

    fn append(
        &self,
        tenant: TenantId,
        expected: Sequence,
        commit: Commit,
        derived: Derived,
    ) -> Result<Head, StoreError> {
        self.write(tenant, derived, |before, derived| prepare(tenant, before, expected, commit, derived))
    }

    fn foresee(&self, tenant: TenantId, objects: &[ObjectId], names: &[NameKey]) {
        let objects = objects.iter().filter(|object| !self.unseen.lacks_object(tenant, **object));
        let mut keys: Vec<Vec<u8>> =
            objects.map(|object| Key::Object { tenant, object: *object, part: 0 }.encode()).collect();
        let names = names.iter().filter(|name| !self.unseen.lacks_name(tenant, name));
        let postings = names.map(|name| all(Prefix::postings(tenant, name.as_str())));
        // Copies answer in its place, but objects will be written, and names that nobody had.
        if self.residency().names {
            return self.engine.fetch_meanwhile(keys, postings.collect());
        }
        keys.extend(postings.map(|(start, _)| start));
        self.engine.fetch(&keys.iter().map(Vec::as_slice).collect::<Vec<_>>());
    }

    fn object(&self, tenant: TenantId, object: ObjectId) -> Result<Vec<Known>, StoreError> {
        let newest = self.newest(tenant)?;
        if self.unseen.lacks_object(tenant, object) {
            return Ok(Vec::new());
        }
        let mut facts = read::object(&self.engine, tenant, object)?;
        facts.retain(|known| known.sequence <= newest);
        Ok(facts)
    }

    fn object_ids(&self, tenant: TenantId, after: Option<ObjectId>, limit: usize) -> Result<Vec<ObjectId>, StoreError> {
        read::object_ids(&self.engine, tenant, after, limit)
    }

    fn holders(&self, tenant: TenantId, name: &NameKey) -> Result<Vec<Posting>, StoreError> {
        let mut postings = Vec::new();
        if self.unseen.lacks_name(tenant, name) {
            return Ok(postings);
        }
        let range = all(Prefix::postings(tenant, name.as_str()));
        scan(&self.engine, range, Order::Forward, |key, held: PostingV1| {
            if let Key::Posting { object, .. } = key {
                postings.push(held.read(object));
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(postings)
    }

    fn names_from(
        &self,
        tenant: TenantId,
        beginning: &str,
        after: Option<&NameKey>,
        limit: usize,
    ) -> Result<Vec<NameKey>, StoreError> {
        search::names(&self.engine, tenant, beginning, after, limit)
    }

    fn chains_from(
        &self,
        tenant: TenantId,
        beginning: &str,
        after: Option<&ChainId>,
        limit: usize,
    ) -> Result<Vec<ChainId>, StoreError> {
        search::chains(&self.engine, tenant, beginning, after, limit)
    }

    fn vacancies(&self, tenant: TenantId, name: &NameKey) -> Result<Vec<(Sequence, Vacant)>, StoreError> {
        let newest = self.newest(tenant)?;
        let mut vacancies = Vec::new();
        let range = all(Prefix::vacancies(tenant, name.as_str()));
        scan(&self.engine, range, Order::Forward, |key, record: VacanciesV1| {
            if let Key::Vacancy { sequence, .. } = key
                && sequence <= newest
            {
                for vacant in record.0 {
                    let vacant = vacant.read().map_err(|error| damaged(&key, error.to_string()))?;
                    vacancies.push((sequence, vacant));
                }
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(vacancies)
    }

    fn snapshot(
        &self,
        tenant: TenantId,
        chain: &ChainId,
        id: &SnapshotId,
    ) -> Result<Option<SnapshotRecord>, StoreError> {
        let newest = self.newest(tenant)?;
        let place = Key::SnapshotPlace { tenant, chain: chain.clone(), id: id.clone() };
        let mut tried = None;
        while let Some(from) = get::<PlaceV1>(&self.engine, &place)?.map(PlaceV1::read) {
            let key = Key::Snapshot { tenant, chain: chain.clone(), from, id: id.clone() };
            if let Some(record) = get::<SnapshotRecordV1>(&self.engine, &key)? {
                let record = record.read(chain.clone(), id.clone(), from);
                return Ok(as_of(record.map_err(|error| damaged(&key, error.to_string()))?, newest));
            }
            // Between the two reads an append may have moved it; it is missing only if its place stays the same.
            if tried.replace(from) == Some(from) {
                return Err(damaged(&key, "it is missing".to_owned()));
            }
        }
        Ok(None)
    }

    fn snapshots(
        &self,
        tenant: TenantId,
        chain: &ChainId,
        order: Order,
        after: Option<&SnapshotPlace>,
        limit: usize,
    ) -> Result<Vec<SnapshotRecord>, StoreError> {
        let mut found = Vec::new();
        if limit == 0 {
            return Ok(found);
        }
        let newest = self.newest(tenant)?;
        let (mut start, mut end) = all(Prefix::snapshots(tenant, chain));
        if let Some((from, id)) = after {
            let place = Key::Snapshot { tenant, chain: chain.clone(), from: *from, id: id.clone() }.encode();
            match order {
                // No key is the beginning of another, so the place with one more byte is just after it.
                Order::Forward => start = [place.as_slice(), &[0]].concat(),
                Order::Backward => end = Some(place),
            }
        }
        scan(&self.engine, (start, end), order, |key, record: SnapshotRecordV1| {
            if let Key::Snapshot { chain, from, id, .. } = key.clone() {
                let record = record.read(chain, id, from).map_err(|error| damaged(&key, error.to_string()))?;
                found.extend(as_of(record, newest));
            }
            Ok(if found.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        Ok(found)
    }

    fn chains(&self, tenant: TenantId, subject: &Subject) -> Result<Vec<ChainId>, StoreError> {
        match subject {
            Subject::Object(object) => audit::chains_of(&self.engine, Prefix::object_chains(tenant, *object)),
            Subject::Name(name) => audit::chains_named(&self.engine, tenant, name),
        }
    }

    fn snapshots_named(
        &self,
        tenant: TenantId,
        name: &NameKey,
        after: Option<&NamedPlace>,
        limit: usize,
    ) -> Result<Vec<SnapshotRecord>, StoreError> {
        let (mut start, end) = all(Prefix::name_snapshots(tenant, name.as_str()));
        if let Some((chain, until, id)) = after.cloned() {
            start = Key::NameSnapshot { tenant, name: name.as_str().to_owned(), chain, until, id }.encode();
            start.push(0);
        }
        self.indexed((start, end), limit, self.newest(tenant)?)
    }

    fn snapshots_ending(
        &self,
        tenant: TenantId,
        proved: Proved,
        from: Instant,
        through: Instant,
        after: Option<&EndingPlace>,
        limit: usize,
    ) -> Result<Vec<SnapshotRecord>, StoreError> {
        let prefix = match proved {
            Proved::Any => Prefix::ending,
            Proved::Not => Prefix::unproved,
        };
        let mut start = prefix(tenant, from).bytes();
        if let Some((until, chain, id)) = after.cloned() {
            start = match proved {
                Proved::Any => Key::Ending { tenant, until, chain, id }.encode(),
                Proved::Not => Key::Unproved { tenant, until, chain, id }.encode(),
            };
            start.push(0);
        }
        let range = (start, prefix(tenant, through).end());
        self.indexed(range, limit, self.newest(tenant)?)
    }

    fn tallies(&self, tenant: TenantId, chain: &ChainId) -> Result<Vec<Tally>, StoreError> {
        let mut tallies = Vec::new();
        scan(&self.engine, all(Prefix::tallies(tenant, chain)), Order::Forward, |_, record: TallyV1| {
            tallies.push(record.read());
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(tallies)
    }

    fn members(&self, tenant: TenantId, group: ObjectId) -> Result<Vec<ObjectId>, StoreError> {
        audit::members_of(&self.engine, tenant, group)
    }

    fn owned(&self, tenant: TenantId, object: ObjectId) -> Result<Vec<ChainId>, StoreError> {
        audit::chains_of(&self.engine, Prefix::owned(tenant, object))
    }

    fn finding(&self, tenant: TenantId, id: FindingId) -> Result<Option<Finding>, StoreError> {
        let newest = self.newest(tenant)?;
        let key = Key::Finding { tenant, id: *id.as_bytes() };
        let finding = get::<FindingV1>(&self.engine, &key)?.map(|record| record.read(id)).transpose();
        Ok(audit::finding_as_of(finding.map_err(|error| damaged(&key, error.to_string()))?, newest))
    }

    fn findings(&self, tenant: TenantId, after: Option<FindingId>, limit: usize) -> Result<Vec<Finding>, StoreError> {
        audit::findings(&self.engine, tenant, after, limit, self.newest(tenant)?)
    }

    fn anchored(&self, tenant: TenantId, anchor: &Anchor) -> Result<Vec<ObjectId>, StoreError> {
        audit::anchored(&self.engine, tenant, anchor)
    }

    fn mailboxes(&self, tenant: TenantId, object: ObjectId) -> Result<Vec<MailboxId>, StoreError> {
        audit::mailboxes(&self.engine, tenant, object)
    }

    fn links(&self, tenant: TenantId, object: ObjectId) -> Result<Vec<LinkRecord>, StoreError> {
        audit::links(&self.engine, tenant, object, self.newest(tenant)?)
    }

    fn notable(&self, tenant: TenantId, after: Option<&NameKey>, limit: usize) -> Result<Vec<NameKey>, StoreError> {
        audit::notable(&self.engine, tenant, after, limit)
    }

    fn erased(&self, tenant: TenantId) -> Result<Vec<(Erased, Fingerprint)>, StoreError> {
        // It carries no commit. One that is not acknowledged yet hides a name a moment early.
        let mut found = Vec::new();
        scan(&self.engine, all(Prefix::erased(tenant)), Order::Forward, |key, ErasedV1(by)| {
            let Key::Erased { what, id, .. } = key else { return Ok(ControlFlow::Break(())) };
            let erased = erased_of(what, id).ok_or_else(|| damaged(&key, "it is of no known kind".to_owned()))?;
            found.push((erased, Fingerprint(by)));
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    fn tenant_facts(&self, tenant: TenantId, through: Sequence) -> Result<Vec<Known>, StoreError> {
        let through = through.min(self.newest(tenant)?);
        let mut facts = Vec::new();
        scan(&self.engine, all(Prefix::tenant_facts(tenant)), Order::Forward, |key, record: FactV1| {
            let Key::TenantFact { sequence, .. } = key else { return Ok(ControlFlow::Break(())) };
            if sequence > through {
                return Ok(ControlFlow::Break(()));
            }
            let fact = record.read().map_err(|error| damaged(&key, error.to_string()))?;
            facts.push(Known { sequence, fact });
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(facts)
    }

    fn runs(&self, tenant: TenantId, limit: usize) -> Result<Vec<Run>, StoreError> {
        let mut runs = Vec::new();
        if limit == 0 {
            return Ok(runs);
        }
        let newest = self.newest(tenant)?;
        scan(&self.engine, all(Prefix::runs(tenant)), Order::Backward, |_, record: LoggedRunV1| {
            if Sequence(record.sequence) <= newest {
                runs.push(record.run.read());
            }
            Ok(if runs.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        Ok(runs)
    }

    fn journal(&self, tenant: TenantId, from: Sequence, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let last = self.journal_end(tenant)?;
        let entries = read::journal(&self.engine, tenant, from, last, limit)?;
        self.check_all_came(tenant, from, last, limit, entries.len())?;
        Ok(entries)
    }

    fn raw_journal(&self, tenant: TenantId, from: Sequence, limit: usize) -> Result<Vec<RawEntry>, StoreError> {
        let last = self.journal_end(tenant)?;
        let entries = read::raw_journal(&self.engine, tenant, from, last, limit)?;
        self.check_all_came(tenant, from, last, limit, entries.len())?;
        Ok(entries)
    }

    fn append_raw(&self, tenant: TenantId, raw: &RawEntry, derived: Derived) -> Result<Head, StoreError> {
        self.write(tenant, derived, |before, derived| prepare_raw(tenant, before, raw, derived))
    }

    fn log_nodes(&self, tenant: TenantId, nodes: &[LogNode]) -> Result<Vec<Hash>, StoreError> {
        let newest = self.newest(tenant)?;
        let read = |node: &LogNode| match node.completed_by() {
            Some(at) if at <= newest => read::log_node(&self.engine, tenant, *node),
            _ => Err(node.missing(tenant)),
        };
        nodes.iter().map(read).collect()
    }

    fn announce_rebuild(&self) -> Result<(), StoreError> {
        self.directory.mark_rebuilding()
    }

    fn drop_derived(&self) -> Result<(), StoreError> {
        let mut stopped = self.writer()?;
        Self::or_stop_if_broken(&mut stopped, self.check_can_be_derived())?;
        // The mark is on the disk before the first record goes, so that no crash can leave half of them unnoticed.
        self.directory.mark_rebuilding_begun()?;
        self.rebuilding.store(true, Ordering::Release);
        self.unseen.forget();
        let removed = read::tenants(&self.engine)
            .and_then(|tenants| tenants.into_iter().try_for_each(|(tenant, _)| self.remove_derived(tenant)))
            .and_then(|()| self.engine.persist());
        self.forget_heads();
        Self::or_stop(&mut stopped, removed)
    }

    fn restore_derived(&self, tenant: TenantId, entry: &Entry, derived: Derived) -> Result<(), StoreError> {
        let mut stopped = self.writer()?;
        prepare_restore(tenant, &*self.acknowledged(tenant)?, entry, &derived)?;
        let head = head_after(entry, &derived);
        self.unseen.forget();
        let mut changes = Changes::new(&self.engine, &self.unseen, tenant);
        Self::or_stop_if_broken(&mut stopped, changes.derived(&head, &derived))?;
        self.check_space()?;
        Self::or_stop(&mut stopped, self.leave_old_format())?;
        Self::or_stop(&mut stopped, self.engine.apply(changes.into_batch()))?;
        self.pin(tenant, &Arc::new(head));
        Ok(())
    }

    fn sync(&self) -> Result<(), StoreError> {
        let mut stopped = self.writer()?;
        Self::or_stop(&mut stopped, self.engine.persist())?;
        if self.needs_rebuild() && self.is_whole()? {
            // What was noted may name none.
            self.directory.forget_commits()?;
            self.directory
                .note_commits(&Note { count: self.commits.load(Ordering::Acquire), newest: self.some_newest()? });
            self.directory.write_rules()?;
            self.other_rules.store(false, Ordering::Release);
            self.directory.clear_rebuilding()?;
            self.rebuilding.store(false, Ordering::Release);
        }
        Ok(())
    }

    fn each_derived(&self, each: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), StoreError> {
        for (tenant, _) in read::tenants(&self.engine)? {
            self.engine.scan(derived_of(tenant), Order::Forward, |key, value| {
                each(key, value);
                Ok(ControlFlow::Continue(()))
            })?;
        }
        Ok(())
    }

    fn scratch(&self) -> Result<Box<dyn LedgerStore>, StoreError> {
        Ok(Box::new(self.beside()?))
    }

    fn bytes(&self) -> Result<u64, StoreError> {
        self.directory.bytes()
    }

    fn describe(&self) -> Description {
        Description { store: "sled", format: FORMAT, encrypted: self.key_id().is_some() }
    }
}

impl SledStore {
    /// The snapshots that an index leads to.
    fn indexed(&self, range: Range, limit: usize, newest: Sequence) -> Result<Vec<SnapshotRecord>, StoreError> {
        let mut found = Vec::new();
        if limit == 0 {
            return Ok(found);
        }
        scan(&self.engine, range, Order::Forward, |key, place: PlaceV1| {
            let (from, is_named) = (place.read(), matches!(key, Key::NameSnapshot { .. }));
            if let Key::NameSnapshot { tenant, chain, id, .. }
            | Key::Ending { tenant, chain, id, .. }
            | Key::Unproved { tenant, chain, id, .. } = key
            {
                let key = Key::Snapshot { tenant, chain: chain.clone(), from, id: id.clone() };
                // Only names lead to snapshots out of the copies; what is in the engine may not have come to these yet.
                let read = if is_named { get } else { get_stored };
                let record: Option<SnapshotRecordV1> = read(&self.engine, &key)?;
                let record = record.ok_or_else(|| damaged(&key, "an index names it, and it is missing".to_owned()))?;
                let record = record.read(chain, id, from).map_err(|error| damaged(&key, error.to_string()))?;
                found.extend(as_of(record, newest));
            }
            Ok(if found.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        Ok(found)
    }
}

/// A snapshot's record as it was after a commit; `None` if it was not yet taken.
fn as_of(mut record: SnapshotRecord, newest: Sequence) -> Option<SnapshotRecord> {
    record.receipts.retain(|(sequence, _)| *sequence <= newest);
    record.expired = record.expired.filter(|sequence| *sequence <= newest);
    (record.taken <= newest).then_some(record)
}
