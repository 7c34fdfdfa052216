//! Objects that a full enumeration did not show: asked for one by one, because absence from a list proves little.

use std::collections::{BTreeSet, HashSet};

use crate::domain::fact::{Fact, Known, Life, ObjectKind, Reading, Removal, Removed, Seen, Source};
use crate::domain::id::ObjectId;
use crate::domain::time::Instant;
use crate::domain::timeline::State;
use crate::graph::client::{ADDRESSEE_IDS_MAX, UserKey};
use crate::graph::error::{Asked, GraphError};
use crate::graph::facts::{self as graph, addressee_fact, deleted_fact};
use crate::graph::page::Page;
use crate::graph::wire::addressee::{Collection, WireAddressee};
use crate::ledger::KnownAt;

use super::listing::Listing;
use super::{Context, SyncError, refuse_unreadable};

/// How many object ids are read from the ledger at a time.
const IDS: usize = 1_000;
/// How many objects one request can ask for.
const BATCH: usize = 20;

/// An object that no enumeration has shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Missing {
    object: ObjectId,
    /// When the ledger's last word of its being in the recycle bin is from, if that is where it is known to be.
    binned: Option<Instant>,
}

impl Missing {
    /// An object of which nothing is known that its absence could add to.
    fn of(object: ObjectId) -> Self {
        Self { object, binned: None }
    }
}

/// The objects known as live or soft-deleted that no page of the full round since `started` has shown, committed or not:
/// `shown` has those on pages that are not.
///
/// Only a full round's own pages count: another round may have been read in the very second in which this one began.
pub(super) async fn missing_since(
    context: &Context,
    started: Instant,
    shown: HashSet<ObjectId>,
) -> Result<Vec<Missing>, SyncError> {
    missing(context, ObjectKind::User, move |object, facts| {
        shown.contains(&object)
            || facts.iter().any(|known| match &known.fact {
                Fact::Seen(Seen { reading, .. }) | Fact::Removed(Removed { reading, .. }) => {
                    reading.source == Source::Delta && reading.unchanged_since.is_none() && reading.at >= started
                }
                _ => false,
            })
    })
    .await
}

/// The objects of a kind known as live or soft-deleted that are not among those shown.
pub(super) async fn missing_from(
    context: &Context,
    kind: ObjectKind,
    shown: HashSet<ObjectId>,
) -> Result<Vec<Missing>, SyncError> {
    missing(context, kind, move |object, _| shown.contains(&object)).await
}

/// What the directory says of each of these groups or contacts now: live after all, or not found.
pub(super) async fn read_absent_addressees(
    context: &Context,
    collection: Collection,
    missing: &[Missing],
) -> Result<Vec<Fact>, SyncError> {
    let objects: Vec<ObjectId> = missing.iter().map(|missing| missing.object).collect();
    Ok(read_addressees(context, collection, &objects, Source::Reconcile).await?.1)
}

/// Reads groups or contacts by their ids. Gives the latest date of the answers, too.
pub(super) async fn read_addressees(
    context: &Context,
    collection: Collection,
    objects: &[ObjectId],
    source: Source,
) -> Result<(Option<Instant>, Vec<Fact>), SyncError> {
    let (mut latest, mut facts) = (None, Vec::with_capacity(objects.len()));
    for chunk in objects.chunks(ADDRESSEE_IDS_MAX) {
        let page = whole(context, collection, context.client.addressees_by_id(collection, chunk).await?).await?;
        context.check_skew(page.at)?;
        refuse_unreadable(&page.rejected)?;
        latest = latest.max(Some(page.at));
        let reading = Reading { source, ..reading(context, page.at) };
        facts.extend(chunk.iter().map(|object| match page.items.iter().find(|found| found.id == *object) {
            Some(found) => addressee_fact(found, reading),
            None => Fact::Removed(Removed {
                object: *object,
                reading,
                removal: Removal::NotFound,
                deleted: None,
                last_upn: None,
            }),
        }));
    }
    Ok((latest, facts))
}

/// All of an answer that the directory may give in several pages, as the first of them.
pub(super) async fn whole(
    context: &Context,
    collection: Collection,
    mut page: Page<WireAddressee>,
) -> Result<Page<WireAddressee>, GraphError> {
    let mut listing = Listing::default();
    while let Some(link) = page.next.take() {
        listing.follow(Asked::Addressees(collection), link)?;
        let more = context.client.addressees_page(collection, listing.link()).await?;
        page.items.extend(more.items);
        page.rejected.extend(more.rejected);
        page.next = more.next;
    }
    Ok(page)
}

/// What the directory says of each of these objects now: live after all, in the recycle bin, purged or not found.
///
/// What was in the recycle bin and is nowhere any more was purged, if the enumeration that missed it
/// `proves_purges`. A bin that the directory may not have shown to every reader yet proves nothing.
pub(super) async fn read_absent(
    context: &Context,
    missing: &[Missing],
    proves_purges: bool,
) -> Result<Vec<Fact>, SyncError> {
    let mut facts = Vec::with_capacity(missing.len());
    for chunk in missing.chunks(BATCH) {
        let keys: Vec<UserKey<'_>> = chunk.iter().map(|missing| UserKey::Id(missing.object)).collect();
        let answers = context.client.batch_users(&keys).await?;
        for (Missing { object, binned }, answer) in chunk.iter().zip(answers) {
            let answer = answer?;
            context.check_skew(answer.at)?;
            let mut found = match answer.value {
                Some(user) => graph::facts(&user, reading(context, answer.at), context.client.attributes()),
                None => vec![read_deleted(context, *object, Source::Reconcile, answer.at).await?.1],
            };
            let was_binned = binned.is_some_and(|binned| binned.plus(context.widths.lag) <= answer.at);
            if let Some(Fact::Removed(removed)) = found.first_mut()
                && removed.removal == Removal::NotFound
                && proves_purges
                && was_binned
            {
                removed.removal = Removal::Purged;
            }
            facts.extend(found);
        }
    }
    Ok(facts)
}

/// What the directory says by itself of objects that a page showed both as live and as removed. That it finds an object nowhere adds
/// nothing to its removal.
pub(super) async fn read_disputed(context: &Context, objects: &BTreeSet<ObjectId>) -> Result<Vec<Fact>, SyncError> {
    let disputed: Vec<Missing> = objects.iter().copied().map(Missing::of).collect();
    let mut found = read_absent(context, &disputed, false).await?;
    found.retain(|fact| !matches!(fact, Fact::Removed(removed) if removed.removal == Removal::NotFound));
    Ok(found)
}

/// What a full round says of an object that its pages did not show, and that was found to be gone: that the feed knows of that.
/// What the feed shows of it from then on is newer.
pub(super) fn not_shown(found: &Fact, reading: Reading) -> Option<Fact> {
    let Fact::Removed(Removed { object, .. }) = found else { return None };
    let (removal, deleted, last_upn) = (Removal::NotFound, None, None);
    Some(Fact::Removed(Removed { object: *object, reading, removal, deleted, last_upn }))
}

/// What the recycle bin says of an object that was not live at `since`, and when.
///
/// An object that is in neither place was gone at the first of the two answers or at the second: it may have come back between
/// them. So the reading is as much wider as they are apart.
pub(super) async fn read_deleted(
    context: &Context,
    object: ObjectId,
    source: Source,
    since: Instant,
) -> Result<(Instant, Fact), SyncError> {
    let answer = context.client.deleted_user(object).await?;
    context.check_skew(answer.at)?;
    let mut reading = Reading { source, ..reading(context, answer.at) };
    if answer.value.is_none() {
        reading.lag = reading.lag.saturating_add(answer.at.since(since));
    }
    let fact = match answer.value {
        Some(user) => deleted_fact(&user, reading),
        None => Fact::Removed(Removed { object, reading, removal: Removal::NotFound, deleted: None, last_upn: None }),
    };
    Ok((answer.at, fact))
}

fn reading(context: &Context, at: Instant) -> Reading {
    // These are reads of single objects, so they trail no further than a live read.
    Reading { at, lag: context.widths.read_lag, source: Source::Reconcile, unchanged_since: None }
}

async fn missing(
    context: &Context,
    kind: ObjectKind,
    is_shown: impl Fn(ObjectId, &[Known]) -> bool + Send + 'static,
) -> Result<Vec<Missing>, SyncError> {
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
                    let facts = view.facts(object)?;
                    if is_shown(object, &facts) {
                        continue;
                    }
                    let timeline = view.timeline(object)?;
                    if timeline.kind() != kind {
                        continue;
                    }
                    match timeline.state() {
                        State::Active => missing.push(Missing { object, binned: None }),
                        State::SoftDeleted => missing.push(Missing { object, binned: last_binned(&facts) }),
                        State::Purged | State::Unknown => {}
                    }
                }
            }
        })
        .await
}

/// When an object was last said to be in the recycle bin.
fn last_binned(facts: &[Known]) -> Option<Instant> {
    let told = |known: &Known| match &known.fact {
        Fact::Removed(removed) if removed.removal == Removal::Soft => Some(removed.reading.at),
        Fact::Lifecycle(lifecycle) if lifecycle.life == Life::Deleted => Some(lifecycle.at),
        _ => None,
    };
    facts.iter().filter_map(told).max()
}
