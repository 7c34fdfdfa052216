//! The changes of one commit as one batch of records.

use std::collections::BTreeMap;

use super::engine::{Batch, Engine, PIECE_BYTES_MAX, VALUE_BYTES_MAX};
use super::read::{get, log_node, what};
use super::unseen::Unseen;
use crate::domain::fact::{Addressed, Fact};
use crate::domain::id::{MailboxId, ObjectId, Sequence, TenantId};
use crate::domain::link::AnchorKind;
use crate::domain::name::NameKey;
use crate::store::codec::{self, Record, RecordError};
use crate::store::hash::HeaderVersion;
use crate::store::key::Key;
use crate::store::log::completed;
use crate::store::prepare::Prepared;
use crate::store::record::audit::{AnchorV1, FindingV1, LinkRecordV1, TallyV1, anchor_key, class_key, link_key};
use crate::store::record::fact::{FactV1, VacantV1};
use crate::store::record::index::{ErasedV1, LogNodesV1, PlaceV1, PostingV1, PresentV1, VacanciesV1, erased_key};
use crate::store::record::journal::{JournalV1, JournalV2};
use crate::store::record::mapping::MappingStateV1;
use crate::store::record::object::{BlockV1, KnownV1, ObjectV1, PartV1};
use crate::store::record::snapshot::SnapshotRecordV1;
use crate::store::record::tenant::{HeadV1, LoggedRunV1, RunV1};
use crate::store::{Derived, Head, SnapshotRecord, StoreError, TallyCount};

/// What a batch will put and remove, in order of the keys, which is also the order that sled likes best.
pub(super) struct Changes<'a> {
    engine: &'a Engine,
    unseen: &'a Unseen,
    tenant: TenantId,
    records: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
}

impl<'a> Changes<'a> {
    pub(super) fn new(engine: &'a Engine, unseen: &'a Unseen, tenant: TenantId) -> Self {
        Self { engine, unseen, tenant, records: BTreeMap::new() }
    }

    /// Adds the journal's entry.
    pub(super) fn journal(&mut self, prepared: &Prepared) -> Result<(), StoreError> {
        let (tenant, entry) = (self.tenant, &prepared.entry);
        let mut chunks = prepared.payload.chunks(PIECE_BYTES_MAX);
        let header = JournalV1 {
            recorded: entry.commit.recorded.as_micros(),
            salt: entry.commit.salt,
            previous: entry.previous.0,
            payload_hash: prepared.payload_hash.0,
            hash: entry.hash.0,
            payload_bytes: u64::try_from(prepared.payload.len()).unwrap_or(u64::MAX),
            first: chunks.next().unwrap_or_default().to_vec(),
        };
        let key = Key::Journal { tenant, sequence: entry.sequence, chunk: 0 };
        // What an older release hashed as a whole stays as it was.
        let bytes = match entry.version {
            HeaderVersion::Whole => codec::encode(&header),
            HeaderVersion::Each { .. } => codec::encode(&JournalV2(header)),
        };
        let bytes = bytes.map_err(|error| unsound(&key, &error))?;
        self.put_bytes(&key, bytes)?;
        for (chunk, bytes) in (1..).zip(chunks) {
            self.put_bytes(&Key::Journal { tenant, sequence: entry.sequence, chunk }, bytes.to_vec())?;
        }
        Ok(())
    }

    /// Adds everything derived from a commit, and the head after it.
    pub(super) fn derived(&mut self, head: &Head, derived: &Derived) -> Result<(), StoreError> {
        let (tenant, sequence) = (self.tenant, head.sequence);
        self.put(&Key::Head { tenant }, &HeadV1::of(head))?;
        match head.state.mapping.is_empty() {
            true => drop(self.records.insert(Key::Mapping { tenant }.encode(), None)),
            false => self.put(&Key::Mapping { tenant }, &MappingStateV1::of(&head.state.mapping))?,
        }
        for (object, facts) in &derived.objects {
            self.object(sequence, *object, facts)?;
        }
        self.postings(derived)?;
        self.vacancies(sequence, derived)?;
        let newest: BTreeMap<_, _> =
            derived.snapshots.iter().map(|record| ((&record.snapshot.chain, &record.snapshot.id), record)).collect();
        for record in newest.into_values() {
            self.snapshot(record)?;
        }
        for (object, chain) in &derived.subjects {
            self.put(&Key::ObjectChain { tenant, object: *object, chain: chain.clone() }, &PresentV1)?;
        }
        self.log_nodes(head)?;
        self.audit(derived)?;
        for (index, fact) in (0..).zip(&derived.tenant) {
            self.put(&Key::TenantFact { tenant, sequence, index }, &FactV1::of(fact))?;
        }
        if let Some(run) = &derived.run {
            let record = LoggedRunV1 { sequence: sequence.0, run: RunV1::of(run) };
            self.put(&Key::Run { tenant, run: run.run }, &record)?;
        }
        Ok(())
    }

    /// Adds the nodes of the Merkle log that a commit completes.
    pub(super) fn log_nodes(&mut self, head: &Head) -> Result<(), StoreError> {
        let (tenant, sequence) = (self.tenant, head.sequence);
        let nodes = completed(sequence, &head.hash, |node| log_node(self.engine, tenant, node))?;
        let record = LogNodesV1(nodes.iter().map(|node| node.0).collect());
        self.put(&Key::LogNodes { tenant, sequence }, &record)
    }

    pub(super) fn into_batch(self) -> Batch {
        let mut batch = Batch::default();
        for (key, value) in self.records {
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        batch
    }

    /// Part 0 takes the new facts while it stays small. When it would grow too large, what it holds moves to overflow
    /// parts that are never written again, so an object with a long history costs no more to write than a new one.
    fn object(&mut self, sequence: Sequence, object: ObjectId, facts: &[Fact]) -> Result<(), StoreError> {
        let key = Key::Object { tenant: self.tenant, object, part: 0 };
        let before = self.before(object, &key)?;
        let mut record: ObjectV1 = before.unwrap_or(ObjectV1 { parts: 0, facts: Vec::new() });
        let older = record.facts.len();
        record.facts.extend(facts.iter().filter_map(|fact| KnownV1::of(object, sequence, fact)));
        if self.put_if_small(&key, &record)? {
            return Ok(());
        }
        let newer = record.facts.split_off(older);
        let parts = self.overflow(object, record.parts, record.facts)?;
        let record = ObjectV1 { parts, facts: newer };
        if self.put_if_small(&key, &record)? {
            return Ok(());
        }
        let parts = self.overflow(object, parts, record.facts)?;
        self.put(&key, &ObjectV1 { parts, facts: Vec::new() })
    }

    /// What stands under a key of an object.
    fn before<R: Record>(&self, object: ObjectId, key: &Key) -> Result<Option<R>, StoreError> {
        let is_new = self.unseen.lacks_object(self.tenant, object);
        debug_assert!(!is_new || get::<R>(self.engine, key)?.is_none(), "{key:?} is there already");
        if is_new { Ok(None) } else { get(self.engine, key) }
    }

    fn put_if_small(&mut self, key: &Key, record: &ObjectV1) -> Result<bool, StoreError> {
        let encoded = key.encode();
        let bytes = codec::seal(&encoded, record).map_err(|error| unsound(key, &error))?;
        let small = bytes.len() <= OBJECT_BYTES_MAX;
        if small {
            self.records.insert(encoded, Some(bytes));
        }
        Ok(small)
    }

    fn overflow(&mut self, object: ObjectId, parts: u16, facts: Vec<KnownV1>) -> Result<u16, StoreError> {
        if facts.is_empty() {
            return Ok(parts);
        }
        let tenant = self.tenant;
        let block = codec::encode(&BlockV1(facts))
            .map_err(|error| unsound(&Key::Object { tenant, object, part: 0 }, &error))?;
        let pieces = block.chunks(CHUNK_BYTES_MAX);
        let count = pieces.len();
        let mut part = parts;
        for (nth, piece) in (1..).zip(pieces) {
            part = part.checked_add(1).ok_or_else(|| StoreError::TooLarge {
                what: what(&Key::Object { tenant, object, part: 0 }),
                bytes: usize::from(parts).saturating_mul(CHUNK_BYTES_MAX),
                limit: usize::from(u16::MAX).saturating_mul(CHUNK_BYTES_MAX),
            })?;
            self.put(&Key::Object { tenant, object, part }, &PartV1 { goes_on: nth < count, piece: piece.to_vec() })?;
        }
        Ok(part)
    }

    fn postings(&mut self, derived: &Derived) -> Result<(), StoreError> {
        let mut merged: BTreeMap<(&NameKey, ObjectId), PostingV1> = BTreeMap::new();
        for (name, object, namespace) in &derived.postings {
            let held = PostingV1::of(*namespace);
            merged.entry((name, *object)).and_modify(|before| *before = before.and(held)).or_insert(held);
        }
        for ((name, object), held) in merged {
            let key = Key::Posting { tenant: self.tenant, name: name.as_str().to_owned(), object };
            let before: Option<PostingV1> = self.before(object, &key)?;
            let after = before.map_or(held, |before| before.and(held));
            if before != Some(after) {
                self.put(&key, &after)?;
            }
        }
        Ok(())
    }

    fn vacancies(&mut self, sequence: Sequence, derived: &Derived) -> Result<(), StoreError> {
        let mut merged: BTreeMap<&NameKey, Vec<VacantV1>> = BTreeMap::new();
        for vacant in &derived.vacancies {
            merged.entry(vacant.name.key()).or_default().push(VacantV1::of(vacant));
        }
        for (name, vacancies) in merged {
            let key = Key::Vacancy { tenant: self.tenant, name: name.as_str().to_owned(), sequence };
            self.put(&key, &VacanciesV1(vacancies))?;
        }
        Ok(())
    }

    fn snapshot(&mut self, record: &SnapshotRecord) -> Result<(), StoreError> {
        let tenant = self.tenant;
        let (chain, id, from) = (&record.snapshot.chain, &record.snapshot.id, record.snapshot.from);
        let place = Key::SnapshotPlace { tenant, chain: chain.clone(), id: id.clone() };
        let key = |from| Key::Snapshot { tenant, chain: chain.clone(), from, id: id.clone() };
        if let Some(before) = get::<PlaceV1>(self.engine, &place)?.map(PlaceV1::read) {
            // What it was before may stand elsewhere in the indexes.
            let old = get::<SnapshotRecordV1>(self.engine, &key(before))?;
            let old = old.map(|old| old.read(chain.clone(), id.clone(), before)).transpose();
            if let Some(old) = old.map_err(|error| unsound(&key(before), &error))? {
                self.records.extend(self.indexes(&old).iter().map(|gone| (gone.encode(), None)));
            }
            if before != from {
                self.records.insert(key(before).encode(), None);
            }
        }
        self.put(&place, &PlaceV1::of(from))?;
        for index in self.indexes(record) {
            self.put(&index, &PlaceV1::of(from))?;
        }
        self.put(&key(from), &SnapshotRecordV1::of(record))
    }

    /// Where a snapshot is found by its name and by its end. By object id it is found through its chain.
    fn indexes(&self, record: &SnapshotRecord) -> Vec<Key> {
        let tenant = self.tenant;
        let Addressed::Name(name, _) = &record.snapshot.addressed else { return Vec::new() };
        let (chain, until, id) = (record.snapshot.chain.clone(), record.snapshot.until, record.snapshot.id.clone());
        let name = name.key().as_str().to_owned();
        let unproved =
            record.is_unproved().then(|| Key::Unproved { tenant, until, chain: chain.clone(), id: id.clone() });
        let mut keys = vec![
            Key::NameSnapshot { tenant, name, chain: chain.clone(), until, id: id.clone() },
            Key::Ending { tenant, until, chain, id },
        ];
        keys.extend(unproved);
        keys
    }

    /// What is kept for the auditor.
    fn audit(&mut self, derived: &Derived) -> Result<(), StoreError> {
        let tenant = self.tenant;
        for (chain, tally) in &derived.tallies {
            let key = Key::Tally { tenant, chain: chain.clone(), class: class_key(&tally.class) };
            match tally.count == TallyCount::default() {
                true => drop(self.records.insert(key.encode(), None)),
                false => self.put(&key, &TallyV1::of(tally))?,
            }
        }
        for (object, chain, owns) in &derived.owned {
            self.put_if(*owns, &Key::Owned { tenant, object: *object, chain: chain.clone() })?;
        }
        for finding in &derived.findings {
            self.put(&Key::Finding { tenant, id: *finding.id.as_bytes() }, &FindingV1::of(finding))?;
        }
        for (anchor, object) in &derived.anchors {
            let (kind, value) = anchor_key(anchor);
            self.put(&Key::Anchor { tenant, kind, value, object: *object }, &AnchorV1::of(anchor))?;
            if let (AnchorKind::Mailbox, Ok(mailbox)) = (anchor.kind, anchor.value.parse::<MailboxId>()) {
                self.put(&Key::Mailbox { tenant, object: *object, mailbox: *mailbox.as_bytes() }, &PresentV1)?;
            }
        }
        for (object, record) in &derived.links {
            let key = Key::Link { tenant, object: *object, id: link_key(&record.link) };
            self.put(&key, &LinkRecordV1::of(record))?;
        }
        for (group, object, is_member) in &derived.members {
            self.put_if(*is_member, &Key::Member { tenant, group: *group, object: *object })?;
        }
        for (erased, key) in &derived.erased {
            let (what, id) = erased_key(*erased);
            self.put(&Key::Erased { tenant, what, id }, &ErasedV1(key.0))?;
        }
        for (name, is_notable) in &derived.notable {
            self.put_if(*is_notable, &Key::Notable { tenant, name: name.as_str().to_owned() })?;
        }
        Ok(())
    }

    /// A record that says everything by being there.
    fn put_if(&mut self, present: bool, key: &Key) -> Result<(), StoreError> {
        if present {
            return self.put(key, &PresentV1);
        }
        self.records.insert(key.encode(), None);
        Ok(())
    }

    fn put<R: Record>(&mut self, key: &Key, record: &R) -> Result<(), StoreError> {
        let bytes = codec::seal(&key.encode(), record).map_err(|error| unsound(key, &error))?;
        self.put_bytes(key, bytes)
    }

    fn put_bytes(&mut self, key: &Key, bytes: Vec<u8>) -> Result<(), StoreError> {
        if bytes.len() > VALUE_BYTES_MAX {
            return Err(StoreError::TooLarge { what: what(key), bytes: bytes.len(), limit: VALUE_BYTES_MAX });
        }
        self.records.insert(key.encode(), Some(bytes));
        Ok(())
    }
}

/// Largest piece of old facts in one value. They come in blocks of 16 KiB, so it hardly ever matters; it is kept because what
/// is derived must have the same bytes in every release.
const CHUNK_BYTES_MAX: usize = 48 * 1024;
/// Largest part 0 of an object. A user's profile has about 150 bytes, so this is some hundred changes.
const OBJECT_BYTES_MAX: usize = 16 * 1024;

fn unsound(key: &Key, error: &RecordError) -> StoreError {
    StoreError::Unsound { what: what(key), why: error.to_string() }
}
