//! Reading records back, each checked before it is believed.

use std::ops::ControlFlow;

use super::engine::{Engine, Range};
use crate::domain::finding::FindingId;
use crate::domain::id::{ObjectId, Sequence, TenantId};
use crate::domain::time::Instant;
use crate::store::codec::{self, Record, RecordError};
use crate::store::key::{Key, Prefix};
use crate::store::log::pick;
use crate::store::record::index::LogNodesV1;
use crate::store::record::journal::{JournalV1, PayloadKind};
use crate::store::record::object::{BlockV1, ObjectV1, PartV1};
use crate::store::{Entry, Hash, Known, LogNode, Order, RawEntry, StoreError};

/// The sealed record under a key.
pub(super) fn get<R: Record>(engine: &Engine, key: &Key) -> Result<Option<R>, StoreError> {
    let encoded = key.encode();
    if let Some(found) = engine.resident().get(&encoded, codec::decode) {
        return found.map_err(|error| damaged(key, error.to_string()));
    }
    unsealed(engine, key, &encoded)
}

/// The sealed record under a key, by the engine alone.
pub(super) fn get_stored<R: Record>(engine: &Engine, key: &Key) -> Result<Option<R>, StoreError> {
    unsealed(engine, key, &key.encode())
}

fn unsealed<R: Record>(engine: &Engine, key: &Key, encoded: &[u8]) -> Result<Option<R>, StoreError> {
    let Some(bytes) = engine.get(encoded)? else { return Ok(None) };
    codec::unseal(encoded, &bytes).map(Some).map_err(|error| damaged(key, error.to_string()))
}

/// The sealed records of a range, with their keys.
pub(super) fn scan<R: Record>(
    engine: &Engine,
    range: Range,
    order: Order,
    mut each: impl FnMut(Key, R) -> Result<ControlFlow<()>, StoreError>,
) -> Result<(), StoreError> {
    let mut each = |encoded: &[u8], record: Result<R, RecordError>| {
        let key = decode_key(encoded)?;
        let record = record.map_err(|error| damaged(&key, error.to_string()))?;
        each(key, record)
    };
    let resident = engine.resident();
    let left = resident.scan(range, order, |encoded, record| each(encoded, record.and_then(codec::decode)))?;
    let Some(left) = left else { return Ok(()) };
    engine.scan(left, order, |encoded, bytes| each(encoded, codec::unseal(encoded, bytes)))
}

/// All keys with a prefix.
pub(super) fn all(prefix: Prefix) -> Range {
    (prefix.clone().bytes(), prefix.end())
}

/// Every fact about an object, oldest first: a single read unless it has overflow parts.
pub(super) fn object(engine: &Engine, tenant: TenantId, object: ObjectId) -> Result<Vec<Known>, StoreError> {
    let key = Key::Object { tenant, object, part: 0 };
    let Some(record) = get::<ObjectV1>(engine, &key)? else { return Ok(Vec::new()) };
    let bad = |error: RecordError| damaged(&key, error.to_string());
    let mut facts = Vec::new();
    let mut block = Vec::new();
    for part in 1..=record.parts {
        let missing = || damaged(&key, format!("its part {part} is missing"));
        let part: PartV1 = get(engine, &Key::Object { tenant, object, part })?.ok_or_else(missing)?;
        block.extend_from_slice(&part.piece);
        if !part.goes_on {
            facts.extend(codec::decode::<BlockV1>(&block).map_err(bad)?.0);
            block.clear();
        }
    }
    if !block.is_empty() {
        return Err(damaged(&key, "its last part goes on, and none follows".to_owned()));
    }
    facts.extend(record.facts);
    facts.into_iter().map(|known| known.read(object)).collect::<Result<_, _>>().map_err(bad)
}

/// Objects beyond one, in order of their ids. Only keys are read.
pub(super) fn object_ids(
    engine: &Engine,
    tenant: TenantId,
    after: Option<ObjectId>,
    limit: usize,
) -> Result<Vec<ObjectId>, StoreError> {
    let mut ids = Vec::new();
    if limit == 0 {
        return Ok(ids);
    }
    let range = (Prefix::objects_beyond(tenant, after).bytes(), Prefix::objects(tenant).end());
    engine.scan(range, Order::Forward, |encoded, _| {
        if let Key::Object { object, part: 0, .. } = decode_key(encoded)? {
            ids.push(object);
        }
        Ok(if ids.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })?;
    Ok(ids)
}

/// Entries of the journal from a sequence on, through `last` at most, each checked against its hashes and its neighbour.
pub(super) fn journal(
    engine: &Engine,
    tenant: TenantId,
    from: Sequence,
    last: Sequence,
    limit: usize,
) -> Result<Vec<Entry>, StoreError> {
    raw_journal(engine, tenant, from, last, limit)?.iter().map(|raw| raw.open(tenant)).collect()
}

/// The same down to their bytes; only their places in the chain are checked.
pub(super) fn raw_journal(
    engine: &Engine,
    tenant: TenantId,
    from: Sequence,
    last: Sequence,
    limit: usize,
) -> Result<Vec<RawEntry>, StoreError> {
    let from = from.max(Sequence(1));
    let start = Key::Journal { tenant, sequence: from, chunk: 0 };
    let mut entries: Vec<RawEntry> = Vec::new();
    let mut open: Option<Pieces> = None;
    let mut expected = from;
    if limit == 0 {
        return Ok(entries);
    }
    engine.scan((start.encode(), Prefix::journal(tenant).end()), Order::Forward, |encoded, bytes| {
        let key = decode_key(encoded)?;
        let Key::Journal { sequence, chunk, .. } = key else {
            return Err(damaged(&key, "it stands in the journal's range".to_owned()));
        };
        if sequence > last {
            return Ok(ControlFlow::Break(()));
        }
        if chunk > 0 {
            let pieces = open.as_mut().filter(|pieces| pieces.sequence == sequence && pieces.next == chunk);
            let pieces = pieces.ok_or_else(|| damaged(&key, format!("its chunk {chunk} has none before it")))?;
            pieces.payload.extend_from_slice(bytes);
            pieces.next = pieces.next.saturating_add(1);
            return Ok(ControlFlow::Continue(()));
        }
        if let Some(pieces) = open.take() {
            push(&mut entries, pieces.raw(tenant)?, tenant)?;
            if entries.len() >= limit {
                return Ok(ControlFlow::Break(()));
            }
        }
        if sequence != expected {
            return Err(damaged(&Key::Journal { tenant, sequence: expected, chunk: 0 }, "it is missing".to_owned()));
        }
        expected = sequence.next();
        let (header, kind) = JournalV1::read(bytes).map_err(|error| damaged(&key, error.to_string()))?;
        let payload = header.first.clone();
        open = Some(Pieces { sequence, next: 1, header, kind, payload });
        Ok(ControlFlow::Continue(()))
    })?;
    if let Some(pieces) = open.filter(|_| entries.len() < limit) {
        push(&mut entries, pieces.raw(tenant)?, tenant)?;
    }
    Ok(entries)
}

/// A node of the Merkle log, from the record of the commit that completed it.
pub(super) fn log_node(engine: &Engine, tenant: TenantId, node: LogNode) -> Result<Hash, StoreError> {
    let sequence = node.completed_by().ok_or_else(|| node.missing(tenant))?;
    let record: Option<LogNodesV1> = get(engine, &Key::LogNodes { tenant, sequence })?;
    let kept: Option<Vec<Hash>> = record.map(|LogNodesV1(nodes)| nodes.into_iter().map(Hash).collect());
    pick(tenant, node, kept.as_deref())
}

/// The newest number in the journal, whole or not.
pub(super) fn newest_journaled(engine: &Engine, tenant: TenantId) -> Result<Sequence, StoreError> {
    let mut newest = Sequence(0);
    engine.scan(all(Prefix::journal(tenant)), Order::Backward, |encoded, _| {
        if let Key::Journal { sequence, .. } = decode_key(encoded)? {
            newest = sequence;
        }
        Ok(ControlFlow::Break(()))
    })?;
    Ok(newest)
}

/// The hash of a commit as its header has it, unchecked; `None` if there is no such commit.
pub(super) fn hash_of(engine: &Engine, tenant: TenantId, sequence: Sequence) -> Result<Option<Hash>, StoreError> {
    let key = Key::Journal { tenant, sequence, chunk: 0 };
    let Some(bytes) = engine.get(&key.encode())? else { return Ok(None) };
    let (header, _) = JournalV1::read(&bytes).map_err(|error| damaged(&key, error.to_string()))?;
    Ok(Some(Hash(header.hash)))
}

/// Every tenant that has any record, and whether its journal has begun.
pub(super) fn tenants(engine: &Engine) -> Result<Vec<(TenantId, bool)>, StoreError> {
    let mut found = Vec::new();
    let mut start = Some(Vec::new());
    while let Some(from) = start.take() {
        // One seek a tenant: from the first key of one to the first key after all of its own.
        engine.scan((from, None), Order::Forward, |encoded, _| {
            let key = decode_key(encoded)?;
            let tenant = key.tenant();
            found.push((tenant, matches!(key, Key::Journal { .. })));
            start = Prefix::tenant(tenant).end();
            Ok(ControlFlow::Break(()))
        })?;
    }
    Ok(found)
}

/// What a record is, for messages, which logs have too; without the names and the ids of chains and snapshots in its key, which are, or may
/// have in them, personal data.
pub(super) fn what(key: &Key) -> String {
    let tenant = key.tenant();
    match key {
        Key::Journal { sequence, .. } => format!("commit {sequence} of tenant {tenant}"),
        Key::Head { .. } => format!("head of tenant {tenant}"),
        Key::Object { object, .. } => format!("record of object {object} of tenant {tenant}"),
        Key::Posting { object, .. } => format!("posting of a name of object {object} of tenant {tenant}"),
        Key::Vacancy { sequence, .. } => format!("vacancy of a name from commit {sequence} of tenant {tenant}"),
        Key::Snapshot { from, .. } => format!("a snapshot of a chain of tenant {tenant} that begins at {from}"),
        Key::SnapshotPlace { .. } => format!("place of a snapshot in a chain of tenant {tenant}"),
        Key::ObjectChain { object, .. } => format!("a chain by object {object} of tenant {tenant}"),
        Key::NameSnapshot { until, .. } => {
            format!("a snapshot of a chain by a name of tenant {tenant} that ends at {until}")
        }
        Key::TenantFact { sequence, .. } => format!("fact from commit {sequence} about tenant {tenant}"),
        Key::Run { run, .. } => format!("run {run} of tenant {tenant}"),
        Key::Ending { until, .. } | Key::Unproved { until, .. } => {
            format!("end of a snapshot of a chain of tenant {tenant} at {until}")
        }
        Key::Tally { .. } => format!("tally of a chain of tenant {tenant}"),
        Key::Owned { object, .. } => format!("a chain by owner {object} of tenant {tenant}"),
        Key::Finding { id, .. } => format!("finding {} of tenant {tenant}", FindingId::from_bytes(*id)),
        Key::Anchor { object, .. } => format!("anchor of object {object} of tenant {tenant}"),
        Key::Mailbox { object, .. } => format!("mailbox of object {object} of tenant {tenant}"),
        Key::Link { object, .. } => format!("link of object {object} of tenant {tenant}"),
        Key::Notable { .. } => format!("notable name of tenant {tenant}"),
        Key::Member { group, object, .. } => {
            format!("membership of object {object} in group {group} of tenant {tenant}")
        }
        Key::Mapping { .. } => format!("state of the mapping of tenant {tenant}"),
        Key::Erased { .. } => format!("mark of something erased of tenant {tenant}"),
        Key::LogNodes { sequence, .. } => format!("nodes of the Merkle log from commit {sequence} of tenant {tenant}"),
    }
}

pub(super) fn damaged(key: &Key, why: String) -> StoreError {
    StoreError::Damaged { what: what(key), why }
}

pub(super) fn decode_key(encoded: &[u8]) -> Result<Key, StoreError> {
    Key::decode(encoded).ok_or_else(|| {
        let what = format!("a record under a key of {} bytes", encoded.len());
        StoreError::Damaged { what, why: "its key is none of this format".to_owned() }
    })
}

/// A journal entry while its chunks are read.
pub(super) struct Pieces {
    pub(super) sequence: Sequence,
    pub(super) next: u16,
    pub(super) header: JournalV1,
    pub(super) kind: PayloadKind,
    pub(super) payload: Vec<u8>,
}

impl Pieces {
    pub(super) fn entry(self, tenant: TenantId) -> Result<Entry, StoreError> {
        self.raw(tenant)?.open(tenant)
    }

    fn raw(self, tenant: TenantId) -> Result<RawEntry, StoreError> {
        let Self { sequence, header, kind, payload, .. } = self;
        if u64::try_from(payload.len()).ok() != Some(header.payload_bytes) {
            let key = Key::Journal { tenant, sequence, chunk: 0 };
            return Err(damaged(&key, "its payload is cut short".to_owned()));
        }
        Ok(RawEntry {
            sequence,
            previous: Hash(header.previous),
            hash: Hash(header.hash),
            version: kind.version(),
            recorded: Instant::from_micros(header.recorded),
            salt: header.salt,
            payload_hash: Hash(header.payload_hash),
            payload,
        })
    }
}

fn push(entries: &mut Vec<RawEntry>, entry: RawEntry, tenant: TenantId) -> Result<(), StoreError> {
    let before = match entries.last() {
        Some(before) => Some(before.hash),
        // The first commit follows on nothing.
        None => (entry.sequence == Sequence(1)).then(Hash::default),
    };
    if before.is_some_and(|before| before != entry.previous) {
        let key = Key::Journal { tenant, sequence: entry.sequence, chunk: 0 };
        return Err(damaged(&key, "it does not follow on the commit before".to_owned()));
    }
    entries.push(entry);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::ObjectId;

    #[test]
    fn what_a_record_is_tells_no_name_and_no_id_that_may_have_one_in_it() {
        let (tenant, object) = (TenantId::from_bytes([1; 16]), ObjectId::from_bytes([2; 16]));
        let (at, sequence, name) = (Instant::from_micros(0), Sequence(3), || "ann@x.test".to_owned());
        let (chain, id) = (|| "ann@x.test".parse().unwrap(), || "ann@x.test/1".parse().unwrap());
        for key in [
            Key::Posting { tenant, name: name(), object },
            Key::Vacancy { tenant, name: name(), sequence },
            Key::Snapshot { tenant, chain: chain(), from: at, id: id() },
            Key::SnapshotPlace { tenant, chain: chain(), id: id() },
            Key::ObjectChain { tenant, object, chain: chain() },
            Key::NameSnapshot { tenant, name: name(), chain: chain(), until: at, id: id() },
            Key::Ending { tenant, until: at, chain: chain(), id: id() },
            Key::Unproved { tenant, until: at, chain: chain(), id: id() },
            Key::Tally { tenant, chain: chain(), class: [0; 34] },
            Key::Owned { tenant, object, chain: chain() },
            Key::Notable { tenant, name: name() },
        ] {
            let said = what(&key);
            assert!(!said.contains("ann") && said.contains(&tenant.to_string()), "{said}");
        }
    }
}
