//! The store in memory: the simplest honest implementation, which the other one is compared with.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::codec;
use super::prepare::{head_after, prepare, prepare_restore};
use super::record::fact::FactV1;
use super::{
    Commit, Derived, Entry, Head, Known, LedgerStore, Order, Posting, Run, SnapshotPlace, SnapshotRecord, StoreError,
    Subject,
};
use crate::domain::fact::{Fact, Vacant};
use crate::domain::id::{ChainId, ObjectId, Sequence, SnapshotId, TenantId};
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
    subjects: BTreeMap<Subject, BTreeSet<ChainId>>,
    tenant: Vec<Known>,
    runs: BTreeMap<u64, Run>,
}

impl View {
    fn apply(&mut self, head: Head, derived: Derived) {
        let sequence = head.sequence;
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
        for (subject, chain) in derived.subjects {
            self.subjects.entry(subject).or_default().insert(chain);
        }
        self.tenant.extend(derived.tenant.into_iter().map(known));
        self.runs.extend(derived.run.map(|run| (run.run, run)));
    }

    fn put_snapshot(&mut self, record: SnapshotRecord) {
        let (chain, id, from) = (&record.snapshot.chain, &record.snapshot.id, record.snapshot.from);
        let chained = self.snapshots.entry(chain.clone()).or_default();
        if let Some(earlier) = self.places.insert((chain.clone(), id.clone()), from) {
            chained.remove(&(earlier, id.clone()));
        }
        chained.insert((from, id.clone()), record);
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
            value.extend_from_slice(format!("{:?} {:?}", record.receipts, record.expired).as_bytes());
            tell(&key, &value);
        }
        for (subject, chains) in &self.subjects {
            let key = match subject {
                Subject::Object(object) => format!("chains of {object}"),
                Subject::Name(name) => format!("chains of {name}"),
            };
            tell(&key, format!("{chains:?}").as_bytes());
        }
        tell("tenant", &stored(&self.tenant)?);
        tell("runs", format!("{:?}", self.runs).as_bytes());
        Ok(())
    }
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

    fn head(&self, tenant: TenantId) -> Result<Head, StoreError> {
        self.of(tenant, |view| view.head.clone())
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
        ledger.journals.entry(tenant).or_default().push(entry);
        ledger.views.entry(tenant).or_default().apply(head.clone(), derived);
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

    fn vacancies(&self, tenant: TenantId, name: &NameKey) -> Result<Vec<(Sequence, Vacant)>, StoreError> {
        self.of(tenant, |view| view.vacancies.get(name).cloned().unwrap_or_default())
    }

    fn snapshot(
        &self,
        tenant: TenantId,
        chain: &ChainId,
        id: &SnapshotId,
    ) -> Result<Option<SnapshotRecord>, StoreError> {
        self.of(tenant, |view| {
            let from = view.places.get(&(chain.clone(), id.clone()))?;
            view.snapshots.get(chain)?.get(&(*from, id.clone())).cloned()
        })
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
        self.of(tenant, |view| view.subjects.get(subject).into_iter().flatten().cloned().collect())
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
        view.apply(head_after(entry, &derived), derived);
        Ok(())
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

    fn describe(&self) -> (&'static str, u32) {
        ("memory", 1)
    }
}

const PATH: &str = "in memory";
