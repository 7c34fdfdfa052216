//! Looking for what begins with a text, one seek for each name or chain found, however much stands under it.

use std::ops::ControlFlow;

use super::engine::Engine;
use super::read::decode_key;
use crate::domain::id::{ChainId, TenantId};
use crate::domain::name::NameKey;
use crate::store::key::{Key, Prefix};
use crate::store::{Order, StoreError};

/// The names that begin with a text.
pub(super) fn names(
    engine: &Engine,
    tenant: TenantId,
    beginning: &str,
    after: Option<&NameKey>,
    limit: usize,
) -> Result<Vec<NameKey>, StoreError> {
    let range = Prefix::postings_from(tenant, beginning);
    let beyond = |name: &NameKey| Prefix::postings(tenant, name.as_str());
    seek(engine, range, after.map(beyond), limit, |key| match key {
        Key::Posting { name, .. } => Some((NameKey::from_text(&name), Prefix::postings(tenant, &name))),
        _ => None,
    })
}

/// The chains whose ids begin with a text.
pub(super) fn chains(
    engine: &Engine,
    tenant: TenantId,
    beginning: &str,
    after: Option<&ChainId>,
    limit: usize,
) -> Result<Vec<ChainId>, StoreError> {
    let range = Prefix::snapshots_from(tenant, beginning);
    let beyond = |chain: &ChainId| Prefix::snapshots(tenant, chain);
    seek(engine, range, after.map(beyond), limit, |key| match key {
        Key::Snapshot { chain, .. } => Some((chain.clone(), Prefix::snapshots(tenant, &chain))),
        _ => None,
    })
}

/// One thing from each group of keys: what `read` makes of a group's first key, and the beginning that the group has.
fn seek<T>(
    engine: &Engine,
    range: Prefix,
    beyond: Option<Prefix>,
    limit: usize,
    read: impl Fn(Key) -> Option<(T, Prefix)>,
) -> Result<Vec<T>, StoreError> {
    let mut found = Vec::new();
    let first = range.clone().bytes();
    let end = range.end();
    let mut start = match beyond {
        // The end of a group is nothing only where no key can follow it.
        Some(beyond) => beyond.end().map(|beyond| beyond.max(first)),
        None => Some(first),
    };
    while let Some(from) = start.take().filter(|from| found.len() < limit && end.as_ref().is_none_or(|end| from < end))
    {
        engine.scan((from, end.clone()), Order::Forward, |encoded, _| {
            if let Some((thing, group)) = read(decode_key(encoded)?) {
                found.push(thing);
                start = group.end();
            }
            Ok(ControlFlow::Break(()))
        })?;
    }
    Ok(found)
}
