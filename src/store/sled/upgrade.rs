//! What a ledger of an earlier format lacks is added from its journal when it is opened, or before the first commit after that.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::directory::{Directory, FORMAT};
use super::engine::{Batch, Engine};
use super::read::{all, damaged, decode_key, newest_journaled, tenants};
use crate::domain::id::{Sequence, TenantId};
use crate::store::codec;
use crate::store::key::{Key, Prefix};
use crate::store::log::completed;
use crate::store::record::index::LogNodesV1;
use crate::store::record::journal::JournalV1;
use crate::store::{Hash, LogNode, Order, StoreError};

/// How many records are written in one batch.
const WRITTEN_AT_ONCE: usize = 1_000;

/// Gives every tenant that has none its Merkle log, which makes the ledger one of the newest format. What was interrupted is
/// done again from the start, with the same records.
///
/// A damaged journal is no reason not to open the ledger: it stays as it is, and what needs the log says that it is missing.
pub(super) fn add_logs(engine: &Engine, directory: &Directory, format: Option<u32>) -> Result<(), StoreError> {
    let mut lacking = Vec::new();
    for (tenant, _) in tenants(engine)? {
        let sequence = newest_journaled(engine, tenant)?;
        // The newest commit's nodes are written last. They may be there without those of the commits before: an earlier release took
        // commits before it had added the log, and every other commit needs none of the older nodes.
        let lacks = |sequence| Ok(engine.get(&Key::LogNodes { tenant, sequence }.encode())?.is_none());
        if sequence > Sequence(0) && (lacks(sequence)? || lacks(Sequence(1))?) {
            lacking.push(tenant);
        }
    }
    if lacking.is_empty() {
        return Ok(());
    }
    if format != Some(FORMAT) {
        // Before the first record that an older release does not know.
        directory.write_format()?;
    }
    for tenant in lacking {
        match add_log(engine, tenant) {
            // The others have theirs to get.
            Err(StoreError::Damaged { .. }) => {}
            added => added?,
        }
    }
    engine.persist()
}

/// Writes the nodes of all commits, oldest first.
fn add_log(engine: &Engine, tenant: TenantId) -> Result<(), StoreError> {
    // The newest complete node of each level is all that a later one can be built on.
    let mut newest: BTreeMap<u8, Hash> = BTreeMap::new();
    let (mut batch, mut count, mut witness) = (Batch::default(), 0, Vec::new());
    engine.scan(all(Prefix::journal(tenant)), Order::Forward, |encoded, bytes| {
        let key = decode_key(encoded)?;
        let Key::Journal { sequence, chunk: 0, .. } = key else { return Ok(ControlFlow::Continue(())) };
        let (header, _) = JournalV1::read(bytes).map_err(|error| damaged(&key, error.to_string()))?;
        let left = |node: LogNode| newest.get(&node.level).copied().ok_or_else(|| node.missing(tenant));
        let nodes = completed(sequence, &Hash(header.hash), left)?;
        newest.extend((0..).zip(nodes.iter().copied()));
        let (key, record) = (Key::LogNodes { tenant, sequence }, LogNodesV1(nodes.iter().map(|node| node.0).collect()));
        let sealed = codec::seal(&key.encode(), &record).map_err(|error| damaged(&key, error.to_string()))?;
        witness = key.encode();
        batch.insert(witness.clone(), sealed);
        count += 1;
        if count == WRITTEN_AT_ONCE {
            count = 0;
            // With the newest node and the oldest there, those between are not looked for at the next opening.
            engine.commit(std::mem::take(&mut batch), &witness, None)?;
        }
        Ok(ControlFlow::Continue(()))
    })?;
    if count > 0 { engine.commit(batch, &witness, None) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
