//! The feeds of groups and of contacts, after each round of the users': an address that passed to one of them must not look
//! free until the next reconcile.
//!
//! What they show is taken as read when the page is dated. They prove nothing by silence: the horizon is that of the users'
//! feed alone, and who is not announced as gone is looked for by the reconcile. Nothing is said here of an application that may
//! not read them; the reconcile and `doctor` say it.

use crate::domain::fact::{Fact, Reading, Source};
use crate::domain::time::Instant;
use crate::graph::delta::DeltaLink;
use crate::graph::error::GraphError;
use crate::graph::facts::addressee_fact;
use crate::graph::wire::LinkUrl;
use crate::graph::wire::addressee::Collection;
use crate::ledger::Batch;
use crate::store::Run;

use super::guard::Breach;
use super::reconcile::news;
use super::run::{Ticker, with_causes};
use super::stage::{Ended, Stage};
use super::{Context, SyncError, refuse_unreadable};

/// Most pages of one feed in one run.
const PAGES_MAX: u64 = 100_000;
/// A day, in microseconds.
const DAY: i64 = 86_400_000_000;

/// Reads both feeds from where they stand, and keeps where they go on.
pub(super) async fn follow(context: &Context, ticker: &mut Ticker<'_>) -> Result<(), SyncError> {
    let Some(mut cursor) = context.blocking(|ledger, tenant| ledger.head(tenant)).await?.state.cursor else {
        return Ok(());
    };
    let before = cursor.beside.clone();
    for collection in Collection::ALL {
        let kept = cursor.beside.get(&collection.kind()).cloned();
        let link = match read(context, collection, kept.clone(), ticker).await {
            Ok(read) if read.is_news || kept.is_none() || is_first_of_its_day(context, &ticker.entry).await? => {
                Some(read.link.as_str().to_owned())
            }
            // A link that told nothing can be asked again, and most rounds end so.
            Ok(_) => continue,
            Err(Ended::Failed(SyncError::Graph(GraphError::PermissionDenied { .. }))) => continue,
            // Somebody who leads the token elsewhere is no trouble of one feed.
            Err(Ended::Failed(error @ SyncError::Graph(GraphError::ForeignLink { .. }))) => return Err(error),
            Err(Ended::Failed(error @ (SyncError::Graph(_) | SyncError::Rejected { .. }))) => {
                // The next run begins the feed anew if its link is lost, else it goes on there.
                let is_lost = matches!(error, SyncError::Graph(GraphError::Expired { .. }));
                ticker.note(format!(
                    "the changes of the {} could not be read: {}; the next run reads them",
                    collection.segment(),
                    with_causes(&error)
                ));
                kept.filter(|_| !is_lost)
            }
            Err(Ended::Held(Breach { why, .. })) => {
                ticker.note(format!(
                    "the changes of the {} were not applied: they show {why}; the reconcile reads them anew and holds them \
                     for a person to look at",
                    collection.segment()
                ));
                kept
            }
            Err(Ended::Failed(error)) => return Err(error),
        };
        match link {
            Some(link) => cursor.beside.insert(collection.kind(), link),
            None => cursor.beside.remove(&collection.kind()),
        };
    }
    // The round has its entry already; this one tells what these requests were, too.
    let is_moved = cursor.beside != before;
    ticker.close(context, Vec::new(), is_moved.then_some(cursor)).await
}

/// What a feed gave.
struct Read {
    /// Where it goes on.
    link: LinkUrl,
    /// Anything was on its pages.
    is_news: bool,
}

/// Reads a feed to its end. Its first enumeration is applied page by page, as that of the users is; what changes later is
/// looked at by the guard before anything of it is applied.
async fn read(
    context: &Context,
    collection: Collection,
    kept: Option<String>,
    ticker: &mut Ticker<'_>,
) -> Result<Read, Ended> {
    let active = context.blocking(|ledger, tenant| ledger.head(tenant)).await?.state.counts.active;
    let mut stage = Stage::new(active, None);
    let (mut is_first, mut link, mut is_news) = (kept.is_none(), kept, false);
    let mut pages = 0;
    loop {
        let asked = context.client.addressees_delta_page(collection, link.as_deref());
        let page = match ticker.unless_stopped(asked).await? {
            // The directory has forgotten the link: everything is enumerated anew.
            Err(GraphError::Expired { .. } | GraphError::PageExpired { .. }) if link.is_some() && pages < PAGES_MAX => {
                pages += 1;
                (is_first, link) = (true, None);
                stage.clear();
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
        }
        is_news |= !page.items.is_empty();
        let reading = reading(context, page.at);
        let facts: Vec<Fact> = page.items.iter().map(|item| addressee_fact(item, reading)).collect();
        let batch = Batch { facts: news(context, facts).await?, ..Batch::default() };
        if is_first {
            let appended = context.append(batch).await?;
            ticker.committed(&appended.summary);
        } else if let Some(breach) = stage.push(context, batch, ticker).await? {
            return Err(Ended::Held(breach));
        }
        match page.link {
            DeltaLink::Next(_) if pages >= PAGES_MAX => {
                let asked = crate::graph::error::Asked::AddresseesDelta(collection);
                return Err(Ended::from(GraphError::TooManyPages { asked, pages }));
            }
            DeltaLink::Next(next) => link = Some(next.as_str().to_owned()),
            DeltaLink::Delta(link) => {
                if let Some(breach) = stage.examine(context, &[]).await? {
                    return Err(Ended::Held(breach));
                }
                if stage.must_read_again(ticker) {
                    // More than fits in memory passed the guard; the enumeration anew applies it page by page.
                    return Box::pin(read(context, collection, None, ticker)).await;
                }
                stage.commit(context, ticker).await?;
                return Ok(Read { link, is_news });
            }
        }
    }
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
