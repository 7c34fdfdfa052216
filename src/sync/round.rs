//! One round of the delta feed: page by page, each with its cursor in one commit.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::domain::attribute::Attribute;
use crate::domain::fact::{Blind, Fact, Feed, Horizon, ObjectKind, Reading, RoundBegan, Source, Widths};
use crate::domain::guard::HeldPart;
use crate::domain::scope::FeedTells;
use crate::domain::time::Instant;
use crate::graph::client::{DeltaPage, DeltaRequest};
use crate::graph::delta::{Round, Step};
use crate::graph::error::GraphError;
use crate::graph::facts;
use crate::graph::wire::LinkUrl;
use crate::ledger::Batch;
use crate::store::{Cursor, Head, Link, RunKind};

use super::run::Ticker;
use super::stage::Stage;
use super::{Context, SyncError, absent, guard, refuse_unreadable, scope};

/// How often a round begins anew, within one run, because the directory no longer knows its tokens.
const RESTARTS_MAX: u32 = 3;
/// How often, and how long each time, a full round waits for the directory's clock, which has whole seconds.
const WAITS_MAX: u32 = 3;
const WAIT: Duration = Duration::from_millis(1_100);
/// How old a round may be that is gone on with. Its pages are dated as wide as the round is old, so an old one is begun anew.
const RESUMED_WITHIN: Duration = Duration::from_secs(15 * 60);

/// What the next round will read.
pub(super) fn kind(head: &Head, full: bool) -> RunKind {
    let unbroken = head.state.cursor.as_ref().is_some_and(|cursor| cursor.horizon.is_some());
    if unbroken && !full && !is_anew_under_way(head) { RunKind::Delta } else { RunKind::Full }
}

/// Where a round stands.
struct Standing {
    request: DeltaRequest,
    /// The link with which the round began; `None` for a first round.
    began: Option<String>,
    /// The server's date at the round's first page, once it was read.
    started: Option<Instant>,
    /// The horizon of the unbroken feed before this round.
    horizon: Option<Instant>,
    /// The attributes that the feed tells, because its first request selected them.
    told: BTreeSet<Attribute>,
    /// Where the feeds beside this one stand, which is kept.
    beside: BTreeMap<ObjectKind, String>,
    machine: Round,
}

/// Where a reading of a round begins.
struct Origin {
    request: DeltaRequest,
    began: Option<String>,
    started: Option<Instant>,
    horizon: Option<Instant>,
    told: BTreeSet<Attribute>,
    beside: BTreeMap<ObjectKind, String>,
}

/// Reads one round to its end.
pub(super) async fn round(
    context: &Context,
    full: bool,
    mut stage: Stage,
    ticker: &mut Ticker<'_>,
) -> Result<(), SyncError> {
    let head = context.blocking(|ledger, tenant| ledger.head(tenant)).await?;
    let before = head.state.coverage.horizon();
    let mut standing = Standing::resume(context, &head, full);
    // Where a second reading begins.
    let mut origin = standing.origin();
    let (mut restarts, mut waits) = (0, 0);
    let mut why_blind = full.then_some(match scope::lacks_attributes(context, &head.state.mapping) {
        true => "the mapping looks at attributes that the feed did not tell",
        false => "a full sync was asked for",
    });
    loop {
        let page = match ticker.unless_stopped(context.client.delta_page(&standing.request)).await? {
            Ok(page) => page,
            Err(error) if restarts < RESTARTS_MAX && standing.can_restart(&error) => {
                restarts += 1;
                if standing.has_lost_feed(&error) {
                    why_blind = Some("the sync token had expired");
                    ticker.entry.kind = RunKind::Full;
                }
                standing = standing.restart(context, &error);
                origin = standing.origin();
                stage.clear();
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        context.check_skew(page.at)?;
        if let Some((before, through)) = standing.touches(before, page.at, context.widths) {
            // Its horizon would join what was proven before, as if nothing could have happened in between.
            if waits == WAITS_MAX {
                return Err(SyncError::TooSoon { before, through });
            }
            waits += 1;
            ticker.unless_stopped(tokio::time::sleep(WAIT)).await?;
            standing = Standing::first(context, standing.beside);
            origin = standing.origin();
            continue;
        }
        refuse_unreadable(&page.rejected)?;
        let (page, settled) = ticker.unless_stopped(settle(context, page)).await??;
        let page = match take(context, &mut standing, page, settled, ticker)? {
            Taken::Page(page) => *page,
            Taken::Last(closing) => {
                let ending = Ending { before, why_blind, stage: &mut stage };
                if finish(context, &standing, closing, ending, ticker).await? == Finished::Looked {
                    standing = Standing::at(origin);
                    origin = standing.origin();
                    continue;
                }
                return Ok(());
            }
        };
        // Before the first horizon nothing is known that could be lost, and the enumeration may be long.
        if before.is_none() {
            let appended = context.append(page).await?;
            ticker.committed(&appended.summary);
        } else if let Some(breach) = stage.push(context, page, ticker).await? {
            return guard::hold(context, HeldPart::Round, breach, ticker).await;
        }
    }
}

/// Whether a round began too long ago to be gone on with. The very first enumeration never does: before its end nothing else
/// is read, and a large one that is struck again and again would never come to an end.
fn is_old(context: &Context, head: &Head, began: Instant) -> bool {
    head.state.coverage.horizon().is_some() && context.clock.now().distance(began) > RESUMED_WITHIN
}

/// Whether a full round that is one page was left while its absences were being committed. The cursor still leads on from the feed
/// before it, which what is committed of the round has ended.
fn is_anew_under_way(head: &Head) -> bool {
    let is_at_end = head.state.cursor.as_ref().is_some_and(|cursor| matches!(cursor.link, Link::Delta { .. }));
    is_at_end && head.state.open_round.is_some()
}

/// The page without what it contradicts itself in, and what the directory says of it when it is asked. A user that is on it both plain
/// and as removed was removed at some time of the page's, whatever came after.
async fn settle(context: &Context, mut page: DeltaPage) -> Result<(DeltaPage, Vec<Fact>), SyncError> {
    let disputed = facts::disputed(&page.items);
    page.items.retain(|user| !disputed.contains(&user.id) || facts::is_removed(user));
    let settled = absent::read_disputed(context, &disputed).await?;
    Ok((page, settled))
}

/// Takes a page in, and what it was settled by.
fn take(
    context: &Context,
    standing: &mut Standing,
    page: DeltaPage,
    settled: Vec<Fact>,
    ticker: &mut Ticker<'_>,
) -> Result<Taken, SyncError> {
    let at = page.at;
    ticker.page(page.items.len());
    let is_first = standing.started.is_none();
    let started = *standing.started.get_or_insert(at);
    let accepted = standing.machine.take(page)?;
    // A directory may show the whole of a round as it was at the round's first page, and a round that a later process goes on
    // with may have begun long ago.
    let lag = context.widths.lag.saturating_add(at.since(started));
    let reading = Reading { at, lag, source: Source::Delta, unchanged_since: standing.horizon };
    let mut facts: Vec<Fact> =
        accepted.fresh.iter().flat_map(|user| facts::facts(user, reading, &standing.told)).collect();
    facts.extend(settled);
    if standing.request == DeltaRequest::First {
        facts.insert(0, Fact::FeedTells(FeedTells { attributes: standing.told.clone() }));
    }
    match accepted.step {
        Step::Follow(link) => {
            if is_first {
                facts.insert(0, Fact::RoundBegan(RoundBegan { started }));
            }
            let url = link.as_str().to_owned();
            let link_kept = Link::Next { url, round_started: started, began: standing.began.clone() };
            let beside = standing.beside.clone();
            let cursor = Some(Cursor { link: link_kept, horizon: standing.horizon, beside });
            standing.request = DeltaRequest::Link(link);
            Ok(Taken::Page(Box::new(Batch { facts, cursor, ..Batch::default() })))
        }
        Step::Done(link) => Ok(Taken::Last(Closing { link, facts, started, reading, is_only: is_first })),
    }
}

/// What a page is to its round.
enum Taken {
    /// One with more to come, and its cursor.
    Page(Box<Batch>),
    /// The last one.
    Last(Closing),
}

/// What the end of a round needs beside its last page.
struct Ending<'a> {
    /// The horizon before the round.
    before: Option<Instant>,
    why_blind: Option<&'a str>,
    stage: &'a mut Stage,
}

/// What the end of a round's pages was.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Finished {
    /// The run has its entry in the run log.
    Ended,
    /// All pages were looked at, and not all of them kept; nothing is committed, and the round is to be read again.
    Looked,
}

/// The last page of a round.
struct Closing {
    link: LinkUrl,
    facts: Vec<Fact>,
    started: Instant,
    /// How the page was read. The round's other pages are no newer.
    reading: Reading,
    /// It is the round's first page as well.
    is_only: bool,
}

/// The closing commit: the last page, the horizon, the cursor for the next round and the entry in the run log.
async fn finish(
    context: &Context,
    standing: &Standing,
    closing: Closing,
    ending: Ending<'_>,
    ticker: &mut Ticker<'_>,
) -> Result<Finished, SyncError> {
    let Closing { link, mut facts, started, reading, is_only } = closing;
    let Ending { before, why_blind, stage } = ending;
    let through = context.widths.horizon(started);
    // A horizon never moves back, or it would prove less than it did.
    let through = standing.horizon.map_or(through, |horizon| horizon.max(through));
    if let (None, Some(before)) = (standing.horizon, before) {
        // Enumerating anew shows only what is; what has gone must be found by looking for what is missing.
        let shown = stage.objects().chain(facts.iter().filter_map(Fact::object)).collect();
        let missing = absent::missing_since(context, started, shown).await?;
        let found = ticker.unless_stopped(absent::read_absent(context, &missing, true)).await??;
        // That the round did not show somebody is committed with what became of them: a round that is gone on with asks no more.
        let absences = found.chunks((context.commit_facts() / 2).max(1)).map(|found| {
            let not_shown = found.iter().filter_map(|fact| absent::not_shown(fact, reading));
            not_shown.chain(found.iter().cloned()).collect::<Vec<_>>()
        });
        let absences: Vec<Vec<Fact>> = absences.collect();
        match absences.as_slice() {
            [few] if is_only => facts.extend(few.iter().cloned()),
            several => {
                // A page before them has said so, unless there was none. They must not be taken for the old feed's.
                if is_only && !several.is_empty() {
                    stage.add(context, &[Fact::RoundBegan(RoundBegan { started })]);
                }
                several.iter().for_each(|part| stage.add(context, part));
            }
        }
        let why = why_blind.unwrap_or("the feed was started anew").to_owned();
        facts.push(Fact::Blind(Blind { from: before, until: through, why }));
    }
    if before.is_some() {
        if let Some(breach) = stage.examine(context, &facts).await? {
            guard::hold(context, HeldPart::Round, breach, ticker).await?;
            return Ok(Finished::Ended);
        }
        if stage.must_read_again(ticker) {
            return Ok(Finished::Looked);
        }
        stage.commit(context, ticker).await?;
        facts.extend(guard::moves(context, ticker.entry.run, stage.assessment()).await?);
        facts.extend(guard::endings(context, HeldPart::Round, ticker.entry.kind, stage.is_accepted()).await?);
    }
    facts.push(Fact::Horizon(Horizon { feed: Feed::Delta, from: standing.horizon.unwrap_or(through), through }));
    ticker.entry.horizon = Some(through);
    let (link, beside) = (Link::Delta { url: link.as_str().to_owned() }, standing.beside.clone());
    let cursor = Some(Cursor { link, horizon: Some(through), beside });
    ticker.close(context, facts, cursor).await?;
    Ok(Finished::Ended)
}

impl Standing {
    /// Where the ledger's cursor says that the next page is.
    fn resume(context: &Context, head: &Head, full: bool) -> Self {
        let told = head.state.mapping.told.clone();
        let Some(cursor) = head.state.cursor.clone() else { return Self::first(context, BTreeMap::new()) };
        let Cursor { link, horizon, beside } = cursor;
        match link {
            // The feeds beside it are begun anew as well: whoever asks for all of it wants what was kept of them to count for nothing.
            _ if full || is_anew_under_way(head) => Self::first(context, BTreeMap::new()),
            Link::Delta { url } => Self::beginning(url, horizon, told, beside),
            // What its later pages show could be a state from before something that was read of an object since.
            Link::Next { round_started, began, .. } if is_old(context, head, round_started) => match began {
                Some(url) => Self::beginning(url, horizon, told, beside),
                None => Self::first(context, beside),
            },
            Link::Next { url, round_started, began } => {
                let (request, started) = (DeltaRequest::Link(LinkUrl::from(url)), Some(round_started));
                Self::at(Origin { request, began, started, horizon, told, beside })
            }
        }
    }

    fn at(origin: Origin) -> Self {
        let Origin { request, began, started, horizon, told, beside } = origin;
        let machine = Round::new(&request);
        Self { request, began, started, horizon, told, beside, machine }
    }

    /// Where it stands, so that the pages from here on can be read once more.
    fn origin(&self) -> Origin {
        let Self { request, began, started, horizon, told, beside, machine: _ } = self;
        let (request, began, told, beside) = (request.clone(), began.clone(), told.clone(), beside.clone());
        Origin { request, began, started: *started, horizon: *horizon, told, beside }
    }

    fn first(context: &Context, beside: BTreeMap<ObjectKind, String>) -> Self {
        let told = context.client.attributes().clone();
        Self::at(Origin { request: DeltaRequest::First, began: None, started: None, horizon: None, told, beside })
    }

    fn beginning(
        url: String,
        horizon: Option<Instant>,
        told: BTreeSet<Attribute>,
        beside: BTreeMap<ObjectKind, String>,
    ) -> Self {
        let request = DeltaRequest::Link(LinkUrl::from(url.clone()));
        Self::at(Origin { request, began: Some(url), started: None, horizon, told, beside })
    }

    /// For a full round: the horizon before it and its own, if its own is not later.
    fn touches(&self, before: Option<Instant>, at: Instant, widths: Widths) -> Option<(Instant, Instant)> {
        let through = widths.horizon(self.started.unwrap_or(at));
        let before = before.filter(|before| self.horizon.is_none() && through <= *before)?;
        Some((before, through))
    }

    /// Whether this failure is met by beginning anew: the token is lost, and it is not the very first request.
    fn can_restart(&self, error: &GraphError) -> bool {
        let lost = matches!(error, GraphError::Expired { .. } | GraphError::PageExpired { .. });
        lost && self.request != DeltaRequest::First
    }

    /// Whether the failure leaves no link from which the feed would go on: the directory said that it has forgotten the round's, or it was
    /// that very link that it did not take.
    fn has_lost_feed(&self, error: &GraphError) -> bool {
        let asked = match &self.request {
            DeltaRequest::First => None,
            DeltaRequest::Link(link) => Some(link.as_str()),
        };
        matches!(error, GraphError::Expired { .. }) || (asked.is_some() && asked == self.began.as_deref())
    }

    /// The round begun anew: from the link that began it if only a page was lost, else as a first round.
    fn restart(self, context: &Context, error: &GraphError) -> Self {
        let is_lost = self.has_lost_feed(error);
        match self.began.filter(|_| !is_lost) {
            Some(began) => Self::beginning(began, self.horizon, self.told, self.beside),
            None => Self::first(context, self.beside),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::error::{Asked, Refusal};

    #[test]
    fn a_link_that_is_refused_as_a_page_is_lost_and_a_page_after_it_is_not() {
        let refusal = Refusal { status: 400, code: "Directory_ExpiredPageToken".to_owned(), request_id: None };
        let error = GraphError::PageExpired { asked: Asked::UsersDelta, refusal };
        let url = "https://graph.test/v1.0/users/delta?$deltatoken=a".to_owned();
        let mut standing = Standing::beginning(url, Some(Instant::MIN), BTreeSet::new(), BTreeMap::new());
        assert!(standing.can_restart(&error) && standing.has_lost_feed(&error), "from there it would be refused again");
        let page = "https://graph.test/v1.0/users/delta?$skiptoken=b".to_owned();
        standing.request = DeltaRequest::Link(LinkUrl::from(page));
        assert!(standing.can_restart(&error) && !standing.has_lost_feed(&error), "the round begins from its link");
        standing.began = None;
        assert!(!standing.has_lost_feed(&error), "a first round had none");
    }
}
