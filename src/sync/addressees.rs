//! The feeds of groups and of contacts, after each round of the users': an address that passed to one of them must not look
//! free until the next reconcile.
//!
//! What they show is taken as read when the page is dated. They prove nothing by silence: the horizon is that of the users'
//! feed alone, and who is not announced as gone is looked for by the reconcile. Nothing is said here of an application that may
//! not read them; the reconcile and `doctor` say it.

use std::collections::{BTreeMap, HashSet};

use crate::domain::fact::{Fact, Reading, Source};
use crate::domain::id::ObjectId;
use crate::domain::time::Instant;
use crate::graph::delta::DeltaLink;
use crate::graph::error::GraphError;
use crate::graph::facts::addressee_fact;
use crate::graph::wire::LinkUrl;
use crate::graph::wire::addressee::Collection;
use crate::ledger::Batch;
use crate::store::Run;

use super::reconcile::news;
use super::run::{Ticker, with_causes};
use super::{Context, SyncError, refuse_unreadable};

/// Most pages of one feed in one run.
const PAGES_MAX: u64 = 100_000;
/// How often a feed begins anew in one run because the directory has forgotten its link.
const RESTARTS_MAX: u32 = 3;
/// A day, in microseconds.
const DAY: i64 = 86_400_000_000;

/// Reads both feeds from where they stand, and keeps where they go on.
pub(super) async fn follow(context: &Context, ticker: &mut Ticker<'_>) -> Result<(), SyncError> {
    let Some(mut cursor) = context.blocking(|ledger, tenant| ledger.head(tenant)).await?.state.cursor else {
        return Ok(());
    };
    let before = cursor.beside.clone();
    let mut failed = None;
    for collection in Collection::ALL {
        let kept = cursor.beside.get(&collection.kind()).cloned();
        match read(context, collection, kept.clone(), ticker).await {
            Ok(read) if read.is_news || kept.is_none() || is_first_of_its_day(context, &ticker.entry).await? => {
                cursor.beside.insert(collection.kind(), read.link.as_str().to_owned());
            }
            // A link that told nothing can be asked again, and most rounds end so.
            Ok(_) | Err(SyncError::Graph(GraphError::PermissionDenied { .. })) => {}
            // Somebody who leads the token elsewhere is no trouble of one feed.
            Err(SyncError::Graph(error)) if !matches!(error, GraphError::ForeignLink { .. }) => {
                ticker.note(say(collection, &error.into()));
            }
            Err(error @ SyncError::Rejected { .. }) => ticker.note(say(collection, &error)),
            Err(error) => {
                failed = Some(error);
                break;
            }
        }
    }
    // The round has its entry already; this one tells what these requests were, too.
    let is_moved = cursor.beside != before;
    ticker.close(context, Vec::new(), is_moved.then_some(cursor)).await?;
    failed.map_or(Ok(()), Err)
}

fn say(collection: Collection, error: &SyncError) -> String {
    let (all, why) = (collection.segment(), with_causes(error));
    format!("the changes of the {all} could not be read: {why}; the next run reads them")
}

/// What a feed gave.
struct Read {
    /// Where it goes on.
    link: LinkUrl,
    /// Anything was on its pages.
    is_news: bool,
}

/// Reads a feed to its end and applies it page by page: a run that ends before the link is kept reads the same pages again, and
/// finds nothing new on them. No guard looks at groups and contacts; it counts users.
async fn read(
    context: &Context,
    collection: Collection,
    kept: Option<String>,
    ticker: &mut Ticker<'_>,
) -> Result<Read, SyncError> {
    let asked = crate::graph::error::Asked::AddresseesDelta(collection);
    let (mut link, mut is_news) = (kept, false);
    let (mut pages, mut restarts, mut followed) = (0, 0, HashSet::new());
    loop {
        let page = context.client.addressees_delta_page(collection, link.as_deref());
        let page = match ticker.unless_stopped(page).await? {
            // The directory has forgotten the link: everything is enumerated anew.
            Err(GraphError::Expired { .. } | GraphError::PageExpired { .. })
                if link.is_some() && restarts < RESTARTS_MAX =>
            {
                restarts += 1;
                link = None;
                followed.clear();
                continue;
            }
            page => page?,
        };
        context.check_skew(page.at)?;
        refuse_unreadable(&page.rejected)?;
        pages += 1;
        // Most rounds find nothing here; their pages are those of the users.
        if !page.items.is_empty() {
            ticker.page(page.items.len());
            is_news = true;
        }
        let reading = reading(context, page.at);
        let facts = last_of_each(page.items.iter().map(|item| addressee_fact(item, reading)));
        let appended = context.append(Batch { facts: news(context, facts).await?, ..Batch::default() }).await?;
        ticker.committed(&appended.summary);
        match page.link {
            DeltaLink::Next(_) if pages >= PAGES_MAX => return Err(GraphError::TooManyPages { asked, pages }.into()),
            DeltaLink::Next(next) => {
                let next = next.as_str().to_owned();
                if !followed.insert(next.clone()) {
                    return Err(GraphError::LinkLoop { asked, pages }.into());
                }
                link = Some(next);
            }
            DeltaLink::Delta(link) => return Ok(Read { link, is_news }),
        }
    }
}

/// The last fact of each object: what a page tells of one more than once is as new as the page, and the last of it counts.
fn last_of_each(facts: impl Iterator<Item = Fact>) -> Vec<Fact> {
    let mut last: BTreeMap<Option<ObjectId>, Fact> = BTreeMap::new();
    last.extend(facts.map(|fact| (fact.object(), fact)));
    last.into_values().collect()
}

/// Whether no run before it is of the same day: then a link is kept even if it tells nothing new, because the directory
/// forgets old ones after a week (graph: concepts/delta-query-overview.md).
async fn is_first_of_its_day(context: &Context, run: &Run) -> Result<bool, SyncError> {
    let (number, started) = (run.run, run.started);
    let day = |at: Instant| at.as_micros().div_euclid(DAY);
    let runs = context.blocking(|ledger, tenant| Ok(ledger.store().runs(tenant, 4)?)).await?;
    Ok(runs.iter().find(|before| before.run < number).is_none_or(|before| day(before.started) != day(started)))
}

fn reading(context: &Context, at: Instant) -> Reading {
    Reading { at, lag: context.widths.lag, source: Source::Reconcile, unchanged_since: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fact::{Profile, Seen};

    #[test]
    fn of_several_reports_of_one_object_on_a_page_the_last_counts() {
        let seen = |object: u8, mail: &str| {
            let profile = Profile { mail: Some(mail.parse().unwrap()), ..Profile::default() };
            let reading = Reading {
                at: Instant::MIN,
                lag: std::time::Duration::ZERO,
                source: Source::Reconcile,
                unchanged_since: None,
            };
            Fact::Seen(Seen { object: ObjectId::from_bytes([object; 16]), reading, profile })
        };
        let page = [seen(1, "a@x.test"), seen(1, "b@x.test"), seen(2, "c@x.test"), seen(1, "a@x.test")];
        assert_eq!(last_of_each(page.into_iter()), [seen(1, "a@x.test"), seen(2, "c@x.test")]);
    }
}
