//! The run log, and the run under way.

use serde::{Deserialize, Serialize};

use super::Desk;
use crate::domain::time::Instant;
use crate::ledger::LedgerError;
use crate::store::{Outcome, Run, RunKind, Trigger};
use crate::sync::Flight;

/// How many entries of the run log are read at a time.
const PAGE: usize = 500;

/// A run: one of the log, or the one under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct RunAnswer {
    /// The run's number within the tenant, from 1; 0 if it has none yet.
    pub run: u64,
    /// Who asked for it.
    pub trigger: Trigger,
    /// What it reads or read; `null` if that is not settled yet.
    pub kind: Option<RunKind>,
    /// When it started.
    pub started: Instant,
    /// When it ended.
    pub ended: Option<Instant>,
    /// How it ended, or that it is running.
    pub outcome: RunOutcome,
    /// Pages read.
    pub pages: u64,
    /// Items read.
    pub seen: u64,
    /// Objects whose names or life changed.
    pub changed: u64,
    /// Objects found removed.
    pub removed: u64,
    /// Objects found live that were known as deleted.
    pub restored: u64,
    /// Facts appended.
    pub facts: u64,
    /// Requests made to the directory.
    pub requests: u64,
    /// How long the directory made it wait, in milliseconds.
    pub throttled_ms: u64,
    /// The horizon that it reached.
    pub horizon: Option<Instant>,
    /// What went wrong.
    pub error: Option<String>,
    /// What a run that went well could not see.
    pub note: Option<String>,
}

/// How a run ended, if it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    /// It is under way.
    Running,
    /// It reached its horizon.
    Completed,
    /// An error stopped it; what it had committed stays.
    Failed,
    /// A guard stopped it before it was applied.
    Held,
    /// It was stopped from outside or its process died; what it had committed stays.
    Interrupted,
}

/// A page of the run log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct RunList {
    /// The runs, newest first.
    pub items: Vec<RunAnswer>,
    /// Where the next page begins.
    pub cursor: Option<String>,
}

/// Up to `limit` runs that ended, the newest first, beyond the run that a cursor names.
///
/// # Errors
/// If the ledger cannot be read.
pub fn list(desk: &Desk, before: Option<u64>, limit: usize) -> Result<RunList, LedgerError> {
    let mut wanted = PAGE;
    loop {
        let runs = desk.ledger.store().runs(desk.tenant, wanted)?;
        let is_all = runs.len() < wanted;
        let mut items: Vec<RunAnswer> =
            runs.into_iter().filter(|run| before.is_none_or(|before| run.run < before)).map(RunAnswer::from).collect();
        if items.len() > limit || is_all {
            let is_more = items.len() > limit;
            items.truncate(limit);
            let cursor = items.last().filter(|_| is_more).map(|run| run.run.to_string());
            return Ok(RunList { items, cursor });
        }
        wanted = wanted.saturating_mul(2);
    }
}

/// The run with this number.
///
/// # Errors
/// If the ledger cannot be read.
pub fn show(desk: &Desk, number: u64) -> Result<Option<RunAnswer>, LedgerError> {
    let before = number.checked_add(1);
    Ok(list(desk, before, 1)?.items.into_iter().find(|run| run.run == number))
}

impl From<Run> for RunAnswer {
    fn from(run: Run) -> Self {
        let Run {
            run,
            trigger,
            kind,
            started,
            ended,
            outcome,
            pages,
            seen,
            changed,
            removed,
            restored,
            facts,
            requests,
            throttled_ms,
            horizon,
            error,
            note,
        } = run;
        let outcome = match outcome {
            Outcome::Completed => RunOutcome::Completed,
            Outcome::Failed => RunOutcome::Failed,
            Outcome::Held => RunOutcome::Held,
            Outcome::Interrupted => RunOutcome::Interrupted,
        };
        Self {
            run,
            trigger,
            kind: Some(kind),
            started,
            ended,
            outcome,
            pages,
            seen,
            changed,
            removed,
            restored,
            facts,
            requests,
            throttled_ms,
            horizon,
            error,
            note,
        }
    }
}

impl From<Flight> for RunAnswer {
    fn from(flight: Flight) -> Self {
        let Flight { trigger, since, progress } = flight;
        Self {
            run: progress.map_or(0, |progress| progress.run),
            trigger,
            kind: progress.map(|progress| progress.kind),
            started: progress.map_or(since, |progress| progress.started),
            ended: None,
            outcome: RunOutcome::Running,
            pages: progress.map_or(0, |progress| progress.pages),
            seen: progress.map_or(0, |progress| progress.seen),
            changed: 0,
            removed: 0,
            restored: 0,
            facts: 0,
            requests: 0,
            throttled_ms: 0,
            horizon: None,
            error: None,
            note: None,
        }
    }
}
