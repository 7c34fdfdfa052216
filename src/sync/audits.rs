//! The audit log beside the rounds: the only source that tells when a name changed.
//!
//! It is read after every round that was applied, from where it was last read whole through what the round has shown. It
//! stops there so that it never tells of a change that no guard has seen. The log speaks late, so the last `audit_lag` of it
//! is read again each time, until it can have nothing more to add; only what lies before counts as read whole, and proves
//! that an object without an event did not change. That it cannot be read is noted in the run and fails nothing: edges then
//! stay as wide as the polls leave them.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::domain::fact::{Fact, Feed, Horizon};
use crate::domain::time::Instant;
use crate::graph::audits::facts;
use crate::graph::client::AuditFilter;
use crate::graph::error::GraphError;
use crate::graph::wire::LinkUrl;
use crate::ledger::Batch;

use super::run::{Ticker, with_causes};
use super::stage::Stage;
use super::{Context, SyncError};

/// How long the directory keeps its log at least (entra-docs: monitoring-health/reference-reports-data-retention.md).
const KEPT: Duration = Duration::from_secs(7 * 86_400);
/// How often a listing begins anew because its page token expired.
const RESTARTS_MAX: u32 = 3;
/// How many pages of 999 events one run reads at most: the directory allows five requests in ten seconds, and a log that is
/// mostly the noise of a synchronised tenant must not keep the next round waiting for hours.
const PAGES_MAX: u64 = 400;

/// Reads the log after a round that has proved the directory through `shown`, and closes the run's entry anew.
pub(super) async fn read(
    context: &Context,
    audit_lag: Duration,
    shown: Instant,
    ticker: &mut Ticker<'_>,
) -> Result<(), SyncError> {
    let horizons = match reading(context, audit_lag, shown, ticker).await {
        Ok(horizons) => horizons,
        Err(Unread::Failed(error @ SyncError::Ledger(_))) => return Err(error),
        Err(unread) => {
            ticker.entry.note = Some(say(&unread));
            Vec::new()
        }
    };
    ticker.close(context, horizons.into_iter().map(Fact::Horizon).collect(), None).await
}

/// Why the log was not read to its end.
enum Unread {
    Failed(SyncError),
    /// It tells of more changes than the guard lets pass, which no round has shown.
    Guarded(String),
    TooLong,
}

impl<E: Into<SyncError>> From<E> for Unread {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

fn say(unread: &Unread) -> String {
    match unread {
        Unread::Failed(SyncError::Graph(GraphError::PermissionDenied { .. })) => {
            "the audit log could not be read: it needs the permissions AuditLog.Read.All and Directory.Read.All, and a \
             tenant with Entra ID P1 or P2; names change between two polls without an instant"
                .to_owned()
        }
        Unread::Failed(error) => {
            format!(
                "the audit log could not be read: {}; the next run reads it from the same place",
                with_causes(error)
            )
        }
        Unread::Guarded(why) => format!(
            "the audit log was not applied: it shows {why}, which the users' feed does not; run `whowas sync --reconcile`"
        ),
        Unread::TooLong => format!(
            "the audit log is too long to be read whole: after {PAGES_MAX} pages it was left; what was read is kept, and \
             proves nothing of objects without an event"
        ),
    }
}

/// What is known of the log once it was read.
#[derive(Default)]
struct Reading {
    /// The server's date at the first page.
    begun: Option<Instant>,
    /// The instants of events that may have said something which cannot be read.
    holes: BTreeSet<Instant>,
    /// There was one whose instant cannot be read either.
    is_undated: bool,
    pages: u64,
}

/// Reads the log and appends its facts. Returns what of it is now read whole.
async fn reading(
    context: &Context,
    audit_lag: Duration,
    shown: Instant,
    ticker: &mut Ticker<'_>,
) -> Result<Vec<Horizon>, Unread> {
    let head = context.blocking(|ledger, tenant| ledger.head(tenant)).await?;
    let whole = head.state.coverage.stretches(Feed::Audit).last().map(|stretch| stretch.through);
    // What the directory may have forgotten meanwhile can never be read whole again.
    let whole = whole.filter(|whole| whole.plus(KEPT) > shown);
    let filter = AuditFilter { since: whole, until: Some(shown), core_directory: true, ..AuditFilter::default() };
    let mut stage = Stage::new(head.state.counts.active, None);
    let reading = loop {
        let reading = list(context, &filter, &mut stage, ticker).await?;
        if let Some(breach) = stage.examine(context, &[]).await? {
            return Err(Unread::Guarded(breach.why));
        }
        if !stage.must_read_again(ticker) {
            break reading;
        }
    };
    stage.commit(context, ticker).await?;
    let Some(begun) = reading.begun else { return Ok(Vec::new()) };
    if reading.pages >= PAGES_MAX {
        return Err(Unread::TooLong);
    }
    let through = begun.minus(audit_lag).min(shown);
    if whole.is_some_and(|whole| through <= whole) {
        return Ok(Vec::new());
    }
    // How far back the log reaches at the first reading, nobody says.
    let from = whole.filter(|_| !reading.is_undated).unwrap_or(through);
    Ok(stretches(from, through, &reading.holes))
}

/// Lists the events into the stage, page by page.
async fn list(
    context: &Context,
    filter: &AuditFilter,
    stage: &mut Stage,
    ticker: &mut Ticker<'_>,
) -> Result<Reading, Unread> {
    let mut reading = Reading::default();
    let mut next: Option<LinkUrl> = None;
    let mut restarts = 0;
    loop {
        let link = next.as_ref().map(LinkUrl::as_str);
        let page = match ticker.unless_stopped(context.client.audits_page(filter, link)).await? {
            Ok(page) => page,
            Err(GraphError::PageExpired { .. }) if next.is_some() && restarts < RESTARTS_MAX => {
                restarts += 1;
                next = None;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        context.check_skew(page.at)?;
        ticker.page(page.items.len());
        reading.begun.get_or_insert(page.at);
        reading.pages += 1;
        reading.is_undated |= !page.rejected.is_empty();
        for event in &page.items {
            let told = facts([event]);
            if told.ignored.iter().any(|ignored| ignored.why.is_hole()) {
                match event.at {
                    Some(at) => drop(reading.holes.insert(at)),
                    None => reading.is_undated = true,
                }
            }
        }
        let facts = facts(&page.items).facts;
        if let Some(breach) = stage.push(context, Batch { facts, ..Batch::default() }, ticker).await? {
            return Err(Unread::Guarded(breach.why));
        }
        match page.next {
            Some(link) if reading.pages < PAGES_MAX => next = Some(link),
            _ => return Ok(reading),
        }
    }
}

/// What was read whole after `from` and through `through`, but for the instants of events that cannot be read.
fn stretches(from: Instant, through: Instant, holes: &BTreeSet<Instant>) -> Vec<Horizon> {
    let mut stretches = Vec::new();
    let mut start = from;
    for hole in holes.iter().copied().filter(|hole| from < *hole && *hole <= through) {
        if start < hole.pred() {
            stretches.push(Horizon { feed: Feed::Audit, from: start, through: hole.pred() });
        }
        start = hole;
    }
    stretches.push(Horizon { feed: Feed::Audit, from: start, through });
    stretches
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::coverage::Coverage;

    fn at(micros: i64) -> Instant {
        Instant::from_micros(micros)
    }

    #[test]
    fn an_event_that_cannot_be_read_leaves_a_hole_of_its_own_instant() {
        for (holes, covered) in [
            (vec![], vec![(10, 90)]),
            (vec![50], vec![(10, 49), (50, 90)]),
            (vec![10, 11, 90, 95], vec![(11, 89), (90, 90)]),
        ] {
            let holes: BTreeSet<Instant> = holes.into_iter().map(at).collect();
            let coverage = Coverage::of(&stretches(at(10), at(90), &holes));
            let found: Vec<_> = coverage.stretches(Feed::Audit).iter().map(|s| (s.from, s.through)).collect();
            assert_eq!(found, covered.into_iter().map(|(from, through)| (at(from), at(through))).collect::<Vec<_>>());
        }
    }
}
