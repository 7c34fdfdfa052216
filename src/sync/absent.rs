//! Objects that a full enumeration did not show: asked for one by one, because absence from a list proves little.

use std::collections::HashSet;

use crate::domain::fact::{Fact, Reading, Removal, Removed, Source};
use crate::domain::id::ObjectId;
use crate::domain::time::Instant;
use crate::domain::timeline::State;
use crate::graph::client::UserKey;
use crate::graph::facts::{deleted_fact, fact};
use crate::ledger::KnownAt;

use super::{Context, SyncError};

/// How many object ids are read from the ledger at a time.
const IDS: usize = 1_000;
/// How many objects one request can ask for.
const BATCH: usize = 20;

/// The objects known as live that no delta page since `started` has shown, nor these facts.
pub(super) async fn missing_since(
    context: &Context,
    started: Instant,
    last_page: &[Fact],
) -> Result<Vec<ObjectId>, SyncError> {
    let shown: HashSet<ObjectId> = last_page.iter().filter_map(Fact::object).collect();
    missing(context, move |object, facts| {
        shown.contains(&object)
            || facts.iter().any(|known| match &known.fact {
                Fact::Seen(seen) => seen.reading.source == Source::Delta && seen.reading.at >= started,
                _ => false,
            })
    })
    .await
}

/// The objects known as live that are not among those shown.
pub(super) async fn missing_from(context: &Context, shown: HashSet<ObjectId>) -> Result<Vec<ObjectId>, SyncError> {
    missing(context, move |object, _| shown.contains(&object)).await
}

/// What the directory says of each of these objects now: live after all, in the recycle bin, or not found.
pub(super) async fn read_absent(context: &Context, objects: &[ObjectId]) -> Result<Vec<Fact>, SyncError> {
    let mut facts = Vec::with_capacity(objects.len());
    for chunk in objects.chunks(BATCH) {
        let keys: Vec<UserKey<'_>> = chunk.iter().map(|object| UserKey::Id(*object)).collect();
        let answers = context.client.batch_users(&keys).await?;
        for (object, answer) in chunk.iter().zip(answers) {
            let answer = answer?;
            context.check_skew(answer.at)?;
            facts.push(match answer.value {
                Some(user) => fact(&user, reading(context, answer.at)),
                None => read_deleted(context, *object, Source::Reconcile).await?,
            });
        }
    }
    Ok(facts)
}

/// What the recycle bin says of an object that is not live.
pub(super) async fn read_deleted(context: &Context, object: ObjectId, source: Source) -> Result<Fact, SyncError> {
    let answer = context.client.deleted_user(object).await?;
    context.check_skew(answer.at)?;
    let reading = Reading { source, ..reading(context, answer.at) };
    Ok(match answer.value {
        Some(user) => deleted_fact(&user, reading),
        None => Fact::Removed(Removed { object, reading, removal: Removal::NotFound, deleted: None, last_upn: None }),
    })
}

fn reading(context: &Context, at: Instant) -> Reading {
    // These are reads of single objects, so they trail no further than a live read.
    Reading { at, lag: context.widths.read_lag, source: Source::Reconcile, unchanged_since: None }
}

async fn missing(
    context: &Context,
    is_shown: impl Fn(ObjectId, &[crate::domain::fact::Known]) -> bool + Send + 'static,
) -> Result<Vec<ObjectId>, SyncError> {
    context
        .blocking(move |ledger, tenant| {
            let view = ledger.view(tenant, KnownAt::Now)?;
            let mut missing = Vec::new();
            let mut after = None;
            loop {
                let ids = ledger.store().object_ids(tenant, after, IDS)?;
                let Some(last) = ids.last() else { return Ok(missing) };
                after = Some(*last);
                for object in ids {
                    if !is_shown(object, &view.facts(object)?) && view.timeline(object)?.state() == State::Active {
                        missing.push(object);
                    }
                }
            }
        })
        .await
}
