//! The audit log beside the rounds: the only source that tells when a name changed.
//!
//! It is read after every round that was applied, from where it was last read whole through what the round has shown. It
//! stops there so that it never tells of a change that no guard has seen. The log speaks late, so the last `audit_lag` of it
//! is read again each time, until it can have nothing more to add; only what lies before counts as read whole, and proves
//! that an object without an event did not change. That it cannot be read is noted in the run and fails nothing: edges then
//! stay as wide as the polls leave them.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::domain::coverage::Stretch;
use crate::domain::fact::{Fact, Feed, Horizon};
use crate::domain::time::Instant;
use crate::graph::audits::{facts, may_hide};
use crate::graph::client::AuditFilter;
use crate::graph::error::{Asked, GraphError};
use crate::ledger::Batch;

use super::guard::Breach;
use super::listing::Listing;
use super::run::{Ticker, with_causes};
use super::stage::{Ended, Stage};
use super::{Context, SyncError};

/// How long the directory keeps its log at least, less a day to be sure (entra-docs:
/// monitoring-health/reference-reports-data-retention.md says seven days or thirty).
const KEPT: Duration = Duration::from_secs(6 * 86_400);
/// How seldom the proof begins anew where the log cannot be read whole, so that its stretches stay few.
const ANEW_AFTER: Duration = Duration::from_secs(86_400);
/// How many pages of 999 events one run reads at most: the directory allows five requests in ten seconds, and a log that is
/// mostly the noise of a synchronised tenant must not keep the next round waiting for hours.
const PAGES_MAX: u64 = 400;
/// How many entries of the run log are searched for the run that began a proof.
const RUNS: usize = 200;

/// Reads the log after a round that has proved the directory through `shown`, and closes the run's entry anew.
pub(super) async fn read(
    context: &Context,
    audit_lag: Duration,
    shown: Instant,
    ticker: &mut Ticker<'_>,
) -> Result<(), SyncError> {
    let horizons = match reading(context, audit_lag, shown, ticker).await {
        Ok(horizons) => horizons,
        Err(Ended::Failed(error @ (SyncError::Ledger(_) | SyncError::Stopped | SyncError::Skew { .. }))) => {
            return Err(error);
        }
        Err(ended) => {
            ticker.note(say(&ended));
            Vec::new()
        }
    };
    ticker.close(context, horizons.into_iter().map(Fact::Horizon).collect(), None).await
}

/// Why the log was not read to its end.
fn say(ended: &Ended) -> String {
    match ended {
        Ended::Failed(SyncError::Graph(GraphError::PermissionDenied { .. })) => {
            "the audit log could not be read: it needs the permissions AuditLog.Read.All and Directory.Read.All, and a \
             tenant with Entra ID P1 or P2; names change between two polls without an instant"
                .to_owned()
        }
        Ended::Failed(error) => {
            format!(
                "the audit log could not be read: {}; the next run reads it from the same place",
                with_causes(error)
            )
        }
        Ended::Held(Breach { why, .. }) => format!(
            "the audit log was not applied any further: it shows {why}, which the users' feed does not; run `whowas sync --reconcile`"
        ),
    }
}

/// What is known of the log once it was read.
#[derive(Default)]
struct Reading {
    /// The server's dates at the first page and at the last.
    begun: Option<Instant>,
    ended: Option<Instant>,
    /// The instants of events that may have said something which cannot be read.
    holes: BTreeSet<Instant>,
    /// There was one whose instant cannot be read either.
    is_undated: bool,
    pages: u64,
    /// There was more than one run reads.
    is_too_long: bool,
}

/// Reads the log and appends its facts. Returns what of it is now read whole.
async fn reading(
    context: &Context,
    audit_lag: Duration,
    shown: Instant,
    ticker: &mut Ticker<'_>,
) -> Result<Vec<Horizon>, Ended> {
    let head = context.blocking(|ledger, tenant| ledger.head(tenant)).await?;
    let last = head.state.coverage.stretches(Feed::Audit).last().copied();
    let whole = last.map(|stretch| stretch.through);
    let of = |since, until| AuditFilter { since, until: Some(until), core_directory: true, ..AuditFilter::default() };
    let late = match last {
        Some(Stretch { from, through }) if from == through => Some(unread_before(context, through, audit_lag).await?),
        _ => None,
    };
    // Before that nothing more can be proved, so one reading is enough for both, however long it is.
    let may_go_on = whole.is_some_and(|whole| whole.plus(audit_lag) < context.clock.now());
    let since = if may_go_on { whole } else { late.or(whole) };
    let mut stage = Stage::new(head.state.counts.active, None);
    let reading = loop {
        let reading = list(context, &of(since, shown), PAGES_MAX, &mut stage, ticker).await?;
        if let (true, Some(late), Some(whole)) = (may_go_on, late, whole) {
            // It proves nothing, so it may not take pages from what does.
            let pages = PAGES_MAX.saturating_sub(reading.pages).max(1);
            list(context, &of(Some(late), whole.min(shown)), pages, &mut stage, ticker).await?;
        }
        if let Some(breach) = stage.examine(context, &[]).await? {
            return Err(Ended::Held(breach));
        }
        if !stage.must_read_again(ticker) {
            break reading;
        }
    };
    stage.commit(context, ticker).await?;
    if reading.is_too_long {
        ticker.note(
            format!(
                "the audit log is too long to be read whole: after {PAGES_MAX} pages it was left; what was read is kept, and \
                 proves nothing of objects without an event"
            ),
        );
    }
    Ok(proof(whole, audit_lag, shown, &reading))
}

/// Since when events from before the beginning of a proof may not have been read yet. The reading that began it asked for no more than its
/// round had shown, and the log speaks late: until its lag has passed and the proof goes on, they are asked for each time.
async fn unread_before(context: &Context, began: Instant, audit_lag: Duration) -> Result<Instant, SyncError> {
    let runs = context.blocking(|ledger, tenant| Ok(ledger.store().runs(tenant, RUNS)?)).await?;
    let shown = runs.iter().filter(|run| run.started <= began).find_map(|run| run.horizon);
    Ok(shown.unwrap_or(began).min(began).minus(audit_lag))
}

/// What is read whole now, beyond what was before.
fn proof(whole: Option<Instant>, audit_lag: Duration, shown: Instant, reading: &Reading) -> Vec<Horizon> {
    let (Some(begun), Some(ended)) = (reading.begun, reading.ended) else { return Vec::new() };
    let is_broken = |whole: Instant| reading.is_too_long || reading.is_undated || whole.plus(KEPT) <= ended;
    match whole {
        Some(whole) if !is_broken(whole) => {
            let through = begun.minus(audit_lag).min(shown.pred());
            if through <= whole { Vec::new() } else { stretches(whole, through, &reading.holes) }
        }
        Some(whole) if begun < whole.plus(ANEW_AFTER) => Vec::new(),
        // The directory may not have logged anything before somebody asked for its log, and may have forgotten what it did.
        // What is proved begins now, and reaches beyond this instant only once the log can have nothing more to add.
        _ => vec![Horizon { feed: Feed::Audit, from: begun, through: begun }],
    }
}

/// Lists the events into the stage, page by page.
async fn list(
    context: &Context,
    filter: &AuditFilter,
    pages_max: u64,
    stage: &mut Stage,
    ticker: &mut Ticker<'_>,
) -> Result<Reading, Ended> {
    let mut reading = Reading::default();
    let mut listing = Listing::default();
    loop {
        let answer = ticker.unless_stopped(context.client.audits_page(filter, listing.link())).await?;
        let Some(page) = listing.take(answer)? else { continue };
        context.check_skew(page.at)?;
        ticker.page(page.items.len());
        reading.begun.get_or_insert(page.at);
        reading.ended = Some(page.at);
        reading.pages += 1;
        reading.is_undated |= !page.rejected.is_empty();
        for event in &page.items {
            if may_hide(event) {
                match event.at {
                    Some(at) => drop(reading.holes.insert(at)),
                    None => reading.is_undated = true,
                }
            }
        }
        let facts = facts(&page.items).facts;
        if let Some(breach) = stage.push(context, Batch { facts, ..Batch::default() }, ticker).await? {
            return Err(Ended::Held(breach));
        }
        match page.next {
            Some(link) if reading.pages < pages_max => listing.follow(Asked::Audits, link)?,
            more => {
                reading.is_too_long = more.is_some();
                return Ok(reading);
            }
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
    fn proof_begins_with_the_first_reading_and_breaks_where_the_log_may_have_been_forgotten() {
        let day = |days: i64| at(days * 86_400_000_000);
        let lag = Duration::from_secs(3_600);
        let read = |days| Reading { begun: Some(day(days)), ended: Some(day(days)), ..Reading::default() };
        let anew = |days| vec![Horizon { feed: Feed::Audit, from: day(days), through: day(days) }];
        assert_eq!(proof(None, lag, day(10), &read(10)), anew(10), "nothing before it");
        let within = Some(day(10).minus(Duration::from_secs(1_800)));
        assert_eq!(proof(within, lag, day(10), &read(10)), [], "the log may still speak");
        let goes_on = proof(Some(day(8)), lag, day(10), &read(10));
        assert_eq!(goes_on, [Horizon { feed: Feed::Audit, from: day(8), through: day(10).minus(lag) }]);
        assert_eq!(proof(Some(day(4)), lag, day(10), &read(10)), anew(10), "it may have forgotten");
        let slow = Reading { ended: Some(day(14)), ..read(10) };
        assert_eq!(proof(Some(day(8)), lag, day(10), &slow), anew(10), "it may have forgotten while it was read");
        for broken in [Reading { is_undated: true, ..read(10) }, Reading { is_too_long: true, ..read(10) }] {
            assert_eq!(proof(Some(day(8)), lag, day(10), &broken), anew(10));
            assert_eq!(proof(within, lag, day(10), &broken), [], "not with every run");
        }
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
