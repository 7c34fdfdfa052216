//! The store in memory: the simplest honest implementation, which the other one is compared with.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::codec;
use super::log::{completed, pick};
use super::prepare::{head_after, prepare, prepare_raw, prepare_restore};
use super::record::audit::{anchor_key, class_key, link_key};
use super::record::fact::FactV1;
use super::record::journal::{PayloadKind, PayloadV2};
use super::{
    Commit, Derived, Description, EndingPlace, Entry, Hash, Head, Known, LedgerStore, LinkRecord, LogNode, NamedPlace,
    Order, Posting, Proved, RawEntry, Run, SnapshotPlace, SnapshotRecord, StoreError, Subject, Tally, TallyCount,
};
use crate::domain::erase::{Erased, Fingerprint};
use crate::domain::fact::{Addressed, Fact, Snapshot, Vacant};
use crate::domain::finding::{Finding, FindingId};
use crate::domain::id::{ChainId, MailboxId, ObjectId, Sequence, SnapshotId, TenantId};
use crate::domain::link::{Anchor, AnchorKind};
use crate::domain::name::{NameKey, Namespace};
use crate::domain::time::Instant;

/// A ledger in sorted maps. It vanishes with the process.
#[derive(Debug, Default)]
pub struct MemoryStore {
    ledger: RwLock<Ledger>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    // A panic while the lock is held can only come from the allocator, before anything is half written.
    fn read(&self) -> RwLockReadGuard<'_, Ledger> {
        self.ledger.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Ledger> {
        self.ledger.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn of<T: Default>(&self, tenant: TenantId, question: impl FnOnce(&View) -> T) -> Result<T, StoreError> {
        Ok(self.read().views.get(&tenant).map(question).unwrap_or_default())
    }
}

#[derive(Debug, Default)]
struct Ledger {
    journals: BTreeMap<TenantId, Vec<Entry>>,
    /// The bytes of those that came with their hashes, which an older release may have made.
    brought: BTreeMap<(TenantId, Sequence), RawEntry>,
    views: BTreeMap<TenantId, View>,
    rebuilding: bool,
}

/// What is derived for a tenant.
#[derive(Debug, Default)]
struct View {
    head: Head,
    objects: BTreeMap<ObjectId, Vec<Known>>,
    postings: BTreeMap<NameKey, BTreeMap<ObjectId, Posting>>,
    vacancies: BTreeMap<NameKey, Vec<(Sequence, Vacant)>>,
    snapshots: BTreeMap<ChainId, BTreeMap<SnapshotPlace, SnapshotRecord>>,
    places: BTreeMap<(ChainId, SnapshotId), Instant>,
    subjects: BTreeMap<ObjectId, BTreeSet<ChainId>>,
    named: BTreeMap<NameKey, BTreeSet<NamedPlace>>,
    ending: BTreeSet<EndingPlace>,
    tallies: BTreeMap<ChainId, BTreeMap<[u8; 34], Tally>>,
    owned: BTreeMap<ObjectId, BTreeSet<ChainId>>,
    findings: BTreeMap<FindingId, Finding>,
    anchors: BTreeMap<(u8, [u8; 16]), BTreeSet<ObjectId>>,
    mailboxes: BTreeMap<ObjectId, BTreeSet<MailboxId>>,
    links: BTreeMap<ObjectId, BTreeMap<[u8; 16], LinkRecord>>,
    notable: BTreeSet<NameKey>,
    members: BTreeMap<ObjectId, BTreeSet<ObjectId>>,
    erased: BTreeMap<Erased, Fingerprint>,
    tenant: Vec<Known>,
    runs: BTreeMap<u64, Run>,
    log: BTreeMap<Sequence, Vec<Hash>>,
}

impl View {
    fn log_node(&self, tenant: TenantId, node: LogNode) -> Result<Hash, StoreError> {
        pick(tenant, node, node.completed_by().and_then(|at| self.log.get(&at)).map(Vec::as_slice))
    }

    fn apply(&mut self, tenant: TenantId, head: Head, derived: Derived) -> Result<(), StoreError> {
        let sequence = head.sequence;
        let nodes = completed(sequence, &head.hash, |node| self.log_node(tenant, node))?;
        self.log.insert(sequence, nodes);
        self.head = head;
        let known = |fact: Fact| Known { sequence, fact };
        for (object, facts) in derived.objects {
            self.objects.entry(object).or_default().extend(facts.into_iter().map(known));
        }
        for (name, object, namespace) in derived.postings {
            let holders = self.postings.entry(name).or_default();
            let posting = holders.entry(object).or_insert(Posting { object, upn: false, smtp: false });
            match namespace {
                Namespace::Upn => posting.upn = true,
                Namespace::Smtp => posting.smtp = true,
            }
        }
        for vacant in derived.vacancies {
            self.vacancies.entry(vacant.name.key().clone()).or_default().push((sequence, vacant));
        }
        for record in derived.snapshots {
            self.put_snapshot(record);
        }
        for (object, chain) in derived.subjects {
            self.subjects.entry(object).or_default().insert(chain);
        }
        self.tenant.extend(derived.tenant.into_iter().map(known));
        self.runs.extend(derived.run.map(|run| (run.run, run)));
        for (chain, tally) in derived.tallies {
            let classes = self.tallies.entry(chain).or_default();
            match tally.count == TallyCount::default() {
                true => drop(classes.remove(&class_key(&tally.class))),
                false => drop(classes.insert(class_key(&tally.class), tally)),
            }
        }
        for (object, chain, owns) in derived.owned {
            let chains = self.owned.entry(object).or_default();
            if owns {
                chains.insert(chain)
            } else {
                chains.remove(&chain)
            };
        }
        for (group, object, is_member) in derived.members {
            let members = self.members.entry(group).or_default();
            if is_member {
                members.insert(object)
            } else {
                members.remove(&object)
            };
        }
        self.findings.extend(derived.findings.into_iter().map(|finding| (finding.id, finding)));
        for (anchor, object) in derived.anchors {
            self.anchors.entry(anchor_key(&anchor)).or_default().insert(object);
            if let (AnchorKind::Mailbox, Ok(mailbox)) = (anchor.kind, anchor.value.parse()) {
                self.mailboxes.entry(object).or_default().insert(mailbox);
            }
        }
        for (object, record) in derived.links {
            self.links.entry(object).or_default().insert(link_key(&record.link), record);
        }
        self.erased.extend(derived.erased);
        for (name, is_notable) in derived.notable {
            if is_notable {
                self.notable.insert(name)
            } else {
                self.notable.remove(&name)
            };
        }
        Ok(())
    }

    fn put_snapshot(&mut self, record: SnapshotRecord) {
        let (chain, id, from) = (&record.snapshot.chain, &record.snapshot.id, record.snapshot.from);
        let chained = self.snapshots.entry(chain.clone()).or_default();
        let earlier = self.places.insert((chain.clone(), id.clone()), from);
        let earlier = earlier.and_then(|earlier| chained.remove(&(earlier, id.clone())));
        if let Some(Snapshot { chain, id, until, addressed: Addressed::Name(name, _), .. }) =
            earlier.map(|earlier| earlier.snapshot)
        {
            self.ending.remove(&(until, chain.clone(), id.clone()));
            self.named.entry(name.key().clone()).or_default().remove(&(chain, until, id));
        }
        if let Addressed::Name(name, _) = &record.snapshot.addressed {
            let until = record.snapshot.until;
            self.ending.insert((until, chain.clone(), id.clone()));
            self.named.entry(name.key().clone()).or_default().insert((chain.clone(), until, id.clone()));
        }
        chained.insert((from, id.clone()), record);
    }

    fn snapshot(&self, chain: &ChainId, id: &SnapshotId) -> Option<SnapshotRecord> {
        let from = self.places.get(&(chain.clone(), id.clone()))?;
        self.snapshots.get(chain)?.get(&(*from, id.clone())).cloned()
    }

    fn each(&self, each: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), StoreError> {
        let mut tell = |key: &str, value: &[u8]| each(key.as_bytes(), value);
        tell("head", format!("{:?}", self.head).as_bytes());
        for (object, facts) in &self.objects {
            tell(&format!("object {object}"), &stored(facts)?);
        }
        for (name, holders) in &self.postings {
            tell(&format!("postings {name}"), format!("{holders:?}").as_bytes());
        }
        for (name, vacancies) in &self.vacancies {
            let facts: Vec<Known> = vacancies
                .iter()
                .map(|(sequence, vacant)| Known { sequence: *sequence, fact: Fact::Vacant(vacant.clone()) })
                .collect();
            tell(&format!("vacancies {name}"), &stored(&facts)?);
        }
        for record in self.snapshots.values().flat_map(BTreeMap::values) {
            let key = format!("snapshot {} {}", record.snapshot.chain, record.snapshot.id);
            let taken = Known { sequence: record.taken, fact: Fact::SnapshotTaken(record.snapshot.clone()) };
            let mut value = stored(&[taken])?;
            let rest = (&record.receipts, &record.expired, &record.judgement, &record.judged);
            value.extend_from_slice(format!("{rest:?}").as_bytes());
            tell(&key, &value);
        }
        for (object, chains) in &self.subjects {
            tell(&format!("chains of {object}"), format!("{chains:?}").as_bytes());
        }
        for (name, places) in self.named.iter().filter(|(_, places)| !places.is_empty()) {
            tell(&format!("named {name}"), format!("{places:?}").as_bytes());
        }
        tell("ending", format!("{:?}", self.ending).as_bytes());
        for (chain, classes) in self.tallies.iter().filter(|(_, classes)| !classes.is_empty()) {
            tell(&format!("tallies of {chain}"), format!("{classes:?}").as_bytes());
        }
        for (object, chains) in self.owned.iter().filter(|(_, chains)| !chains.is_empty()) {
            tell(&format!("owned by {object}"), format!("{chains:?}").as_bytes());
        }
        for (id, finding) in &self.findings {
            tell(&format!("finding {id}"), format!("{finding:?}").as_bytes());
        }
        tell("anchors", format!("{:?} {:?}", self.anchors, self.mailboxes).as_bytes());
        for (object, links) in &self.links {
            tell(&format!("links of {object}"), format!("{links:?}").as_bytes());
        }
        for name in &self.notable {
            tell(&format!("notable {name}"), &[]);
        }
        for (group, members) in self.members.iter().filter(|(_, members)| !members.is_empty()) {
            tell(&format!("members of {group}"), format!("{members:?}").as_bytes());
        }
        for (sequence, nodes) in &self.log {
            tell(&format!("log {sequence}"), format!("{nodes:?}").as_bytes());
        }
        if !self.erased.is_empty() {
            tell("erased", format!("{:?}", self.erased).as_bytes());
        }
        tell("tenant", &stored(&self.tenant)?);
        tell("runs", format!("{:?}", self.runs).as_bytes());
        Ok(())
    }
}

/// An entry down to its bytes, which follow from what it says.
fn raw(tenant: TenantId, entry: Entry) -> Result<RawEntry, StoreError> {
    let Entry { sequence, previous, hash, commit, .. } = entry;
    let items = PayloadV2::of(&commit).and_then(|items| codec::encode(&items).map(|payload| (items, payload)));
    let (items, payload) = items.map_err(|error| StoreError::Unsound {
        what: format!("commit {sequence} of tenant {tenant}"),
        why: error.to_string(),
    })?;
    let (salt, recorded) = (commit.salt, commit.recorded);
    let (payload_hash, version) = (items.root(&salt), PayloadKind::Items.version());
    Ok(RawEntry { sequence, previous, hash, version, recorded, salt, payload_hash, payload })
}

/// Facts in bytes that tell their spellings, which `Debug` conceals.
fn stored(facts: &[Known]) -> Result<Vec<u8>, StoreError> {
    let mut bytes = Vec::new();
    for known in facts {
        let fact = codec::encode(&FactV1::of(&known.fact))
            .map_err(|error| StoreError::Unsound { what: "a fact".to_owned(), why: error.to_string() })?;
        bytes.extend_from_slice(&known.sequence.0.to_be_bytes());
        bytes.extend_from_slice(&fact);
    }
    Ok(bytes)
}

impl LedgerStore for MemoryStore {
    fn tenants(&self) -> Result<Vec<TenantId>, StoreError> {
        Ok(self.read().journals.keys().copied().collect())
    }

    fn head(&self, tenant: TenantId) -> Result<Arc<Head>, StoreError> {
        self.of(tenant, |view| Arc::new(view.head.clone()))
    }

    fn append(
        &self,
        tenant: TenantId,
        expected: Sequence,
        commit: Commit,
        derived: Derived,
    ) -> Result<Head, StoreError> {
        let mut ledger = self.write();
        if ledger.rebuilding {
            return Err(StoreError::NeedsRebuild { path: PATH.to_owned() });
        }
        let before = ledger.views.get(&tenant).map(|view| view.head.clone()).unwrap_or_default();
        let entry = prepare(tenant, &before, expected, commit, &derived)?.entry;
        let head = head_after(&entry, &derived);
        ledger.views.entry(tenant).or_default().apply(tenant, head.clone(), derived)?;
        ledger.journals.entry(tenant).or_default().push(entry);
        Ok(head)
    }

    fn object(&self, tenant: TenantId, object: ObjectId) -> Result<Vec<Known>, StoreError> {
        self.of(tenant, |view| view.objects.get(&object).cloned().unwrap_or_default())
    }

    fn object_ids(&self, tenant: TenantId, after: Option<ObjectId>, limit: usize) -> Result<Vec<ObjectId>, StoreError> {
        let beyond = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.of(tenant, |view| view.objects.range((beyond, Bound::Unbounded)).take(limit).map(|(id, _)| *id).collect())
    }

    fn holders(&self, tenant: TenantId, name: &NameKey) -> Result<Vec<Posting>, StoreError> {
        self.of(tenant, |view| view.postings.get(name).into_iter().flat_map(BTreeMap::values).copied().collect())
    }

    fn names_from(
        &self,
        tenant: TenantId,
        beginning: &str,
        after: Option<&NameKey>,
        limit: usize,
    ) -> Result<Vec<NameKey>, StoreError> {
        self.of(tenant, |view| {
            let held = view.postings.iter().filter(|(_, holders)| !holders.is_empty()).map(|(name, _)| name);
            let wanted = held.filter(|name| name.as_str().starts_with(beginning));
            wanted.filter(|name| after.is_none_or(|after| *name > after)).take(limit).cloned().collect()
        })
    }

    fn chains_from(
        &self,
        tenant: TenantId,
        beginning: &str,
        after: Option<&ChainId>,
        limit: usize,
    ) -> Result<Vec<ChainId>, StoreError> {
        self.of(tenant, |view| {
            let kept = view.snapshots.iter().filter(|(_, records)| !records.is_empty()).map(|(chain, _)| chain);
            let wanted = kept.filter(|chain| chain.as_str().starts_with(beginning));
            wanted.filter(|chain| after.is_none_or(|after| *chain > after)).take(limit).cloned().collect()
        })
    }

    fn vacancies(&self, tenant: TenantId, name: &NameKey) -> Result<Vec<(Sequence, Vacant)>, StoreError> {
        self.of(tenant, |view| view.vacancies.get(name).cloned().unwrap_or_default())
    }

    fn snapshot(
        &self,
        tenant: TenantId,
        chain: &ChainId,
        id: &SnapshotId,
    ) -> Result<Option<SnapshotRecord>, StoreError> {
        self.of(tenant, |view| view.snapshot(chain, id))
    }

    fn snapshots(
        &self,
        tenant: TenantId,
        chain: &ChainId,
        order: Order,
        after: Option<&SnapshotPlace>,
        limit: usize,
    ) -> Result<Vec<SnapshotRecord>, StoreError> {
        self.of(tenant, |view| {
            let all = view.snapshots.get(chain).into_iter().flatten();
            match order {
                Order::Forward => all
                    .filter(|(place, _)| after.is_none_or(|after| *place > after))
                    .map(|(_, record)| record.clone())
                    .take(limit)
                    .collect(),
                Order::Backward => {
                    let chained: Vec<_> = all.filter(|(place, _)| after.is_none_or(|after| *place < after)).collect();
                    chained.into_iter().rev().map(|(_, record)| record.clone()).take(limit).collect()
                }
            }
        })
    }

    fn chains(&self, tenant: TenantId, subject: &Subject) -> Result<Vec<ChainId>, StoreError> {
        self.of(tenant, |view| match subject {
            Subject::Object(object) => view.subjects.get(object).into_iter().flatten().cloned().collect(),
            Subject::Name(name) => {
                let places = view.named.get(name).into_iter().flatten();
                let chains: BTreeSet<&ChainId> = places.map(|(chain, ..)| chain).collect();
                chains.into_iter().cloned().collect()
            }
        })
    }

    fn snapshots_named(
        &self,
        tenant: TenantId,
        name: &NameKey,
        after: Option<&NamedPlace>,
        limit: usize,
    ) -> Result<Vec<SnapshotRecord>, StoreError> {
        self.of(tenant, |view| {
            let places = view.named.get(name).into_iter().flatten().filter(|place| after.is_none_or(|a| *place > a));
            places.filter_map(|(chain, _, id)| view.snapshot(chain, id)).take(limit).collect()
        })
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
        self.of(tenant, |view| {
            let places = view.ending.iter().filter(|(until, ..)| from <= *until && *until <= through);
            let places = places.filter(|place| after.is_none_or(|after| *place > after));
            let records = places.filter_map(|(_, chain, id)| view.snapshot(chain, id));
            records.filter(|record| proved == Proved::Any || record.is_unproved()).take(limit).collect()
        })
    }

    fn tallies(&self, tenant: TenantId, chain: &ChainId) -> Result<Vec<Tally>, StoreError> {
        self.of(tenant, |view| view.tallies.get(chain).into_iter().flat_map(BTreeMap::values).copied().collect())
    }

    fn members(&self, tenant: TenantId, group: ObjectId) -> Result<Vec<ObjectId>, StoreError> {
        self.of(tenant, |view| view.members.get(&group).into_iter().flatten().copied().collect())
    }

    fn owned(&self, tenant: TenantId, object: ObjectId) -> Result<Vec<ChainId>, StoreError> {
        self.of(tenant, |view| view.owned.get(&object).into_iter().flatten().cloned().collect())
    }

    fn finding(&self, tenant: TenantId, id: FindingId) -> Result<Option<Finding>, StoreError> {
        self.of(tenant, |view| view.findings.get(&id).cloned())
    }

    fn findings(&self, tenant: TenantId, after: Option<FindingId>, limit: usize) -> Result<Vec<Finding>, StoreError> {
        let beyond = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.of(tenant, |view| {
            view.findings.range((beyond, Bound::Unbounded)).take(limit).map(|(_, finding)| finding.clone()).collect()
        })
    }

    fn anchored(&self, tenant: TenantId, anchor: &Anchor) -> Result<Vec<ObjectId>, StoreError> {
        let key = anchor_key(anchor);
        self.of(tenant, |view| view.anchors.get(&key).into_iter().flatten().copied().collect())
    }

    fn mailboxes(&self, tenant: TenantId, object: ObjectId) -> Result<Vec<MailboxId>, StoreError> {
        self.of(tenant, |view| view.mailboxes.get(&object).into_iter().flatten().copied().collect())
    }

    fn links(&self, tenant: TenantId, object: ObjectId) -> Result<Vec<LinkRecord>, StoreError> {
        self.of(tenant, |view| view.links.get(&object).into_iter().flat_map(BTreeMap::values).cloned().collect())
    }

    fn notable(&self, tenant: TenantId, after: Option<&NameKey>, limit: usize) -> Result<Vec<NameKey>, StoreError> {
        let beyond = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.of(tenant, |view| view.notable.range((beyond, Bound::Unbounded)).take(limit).cloned().collect())
    }

    fn erased(&self, tenant: TenantId) -> Result<Vec<(Erased, Fingerprint)>, StoreError> {
        self.of(tenant, |view| view.erased.iter().map(|(erased, key)| (*erased, *key)).collect())
    }

    fn tenant_facts(&self, tenant: TenantId, through: Sequence) -> Result<Vec<Known>, StoreError> {
        self.of(tenant, |view| view.tenant.iter().filter(|known| known.sequence <= through).cloned().collect())
    }

    fn runs(&self, tenant: TenantId, limit: usize) -> Result<Vec<Run>, StoreError> {
        self.of(tenant, |view| view.runs.values().rev().take(limit).cloned().collect())
    }

    fn journal(&self, tenant: TenantId, from: Sequence, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let ledger = self.read();
        // Commits are numbered from 1 without gaps.
        let before = usize::try_from(from.0.saturating_sub(1)).unwrap_or(usize::MAX);
        let entries = ledger.journals.get(&tenant).into_iter().flatten();
        Ok(entries.skip(before).take(limit).cloned().collect())
    }

    fn raw_journal(&self, tenant: TenantId, from: Sequence, limit: usize) -> Result<Vec<RawEntry>, StoreError> {
        let entries = self.journal(tenant, from, limit)?;
        let ledger = self.read();
        let raw = |entry: Entry| match ledger.brought.get(&(tenant, entry.sequence)) {
            Some(raw) => Ok(raw.clone()),
            None => raw(tenant, entry),
        };
        entries.into_iter().map(raw).collect()
    }

    fn append_raw(&self, tenant: TenantId, raw: &RawEntry, derived: Derived) -> Result<Head, StoreError> {
        let mut ledger = self.write();
        if ledger.rebuilding {
            return Err(StoreError::NeedsRebuild { path: PATH.to_owned() });
        }
        let before = ledger.views.get(&tenant).map(|view| view.head.clone()).unwrap_or_default();
        let entry = prepare_raw(tenant, &before, raw, &derived)?.entry;
        let head = head_after(&entry, &derived);
        ledger.views.entry(tenant).or_default().apply(tenant, head.clone(), derived)?;
        ledger.brought.insert((tenant, raw.sequence), raw.clone());
        ledger.journals.entry(tenant).or_default().push(entry);
        Ok(head)
    }

    fn log_nodes(&self, tenant: TenantId, nodes: &[LogNode]) -> Result<Vec<Hash>, StoreError> {
        let (ledger, empty) = (self.read(), View::default());
        let view = ledger.views.get(&tenant).unwrap_or(&empty);
        nodes.iter().map(|node| view.log_node(tenant, *node)).collect()
    }

    fn announce_rebuild(&self) -> Result<(), StoreError> {
        // Nothing of it is there for anybody later.
        Ok(())
    }

    fn drop_derived(&self) -> Result<(), StoreError> {
        let mut ledger = self.write();
        ledger.views.clear();
        ledger.rebuilding = true;
        Ok(())
    }

    fn restore_derived(&self, tenant: TenantId, entry: &Entry, derived: Derived) -> Result<(), StoreError> {
        let mut ledger = self.write();
        let view = ledger.views.entry(tenant).or_default();
        prepare_restore(tenant, &view.head, entry, &derived)?;
        view.apply(tenant, head_after(entry, &derived), derived)
    }

    fn sync(&self) -> Result<(), StoreError> {
        let mut ledger = self.write();
        let newest = |tenant: &TenantId| ledger.views.get(tenant).map(|view| view.head.sequence);
        let whole = ledger
            .journals
            .iter()
            .all(|(tenant, entries)| entries.last().map(|entry| entry.sequence) == newest(tenant));
        ledger.rebuilding &= !whole;
        Ok(())
    }

    fn each_derived(&self, each: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), StoreError> {
        for (tenant, view) in &self.read().views {
            view.each(&mut |key, value| each(&[tenant.as_bytes(), key].concat(), value))?;
        }
        Ok(())
    }

    fn scratch(&self) -> Result<Box<dyn LedgerStore>, StoreError> {
        Ok(Box::new(Self::new()))
    }

    fn bytes(&self) -> Result<u64, StoreError> {
        // An estimate by the payloads, which nothing else depends on.
        let ledger = self.read();
        let facts: usize = ledger.journals.values().flatten().map(|entry| entry.commit.facts.len()).sum();
        Ok(u64::try_from(facts.saturating_mul(2 * size_of::<Fact>())).unwrap_or(u64::MAX))
    }

    fn describe(&self) -> Description {
        Description { store: "memory", format: 1, encrypted: false }
    }
}

const PATH: &str = "in memory";
