//! Runs of the sync, as the run log has them.

use crate::domain::time::Instant;

/// An entry of the run log.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Run {
    /// The run's number within the tenant, from 1.
    pub run: u64,
    /// Who asked for it.
    pub trigger: Trigger,
    /// What it read.
    pub kind: RunKind,
    /// When it started.
    pub started: Instant,
    /// When it ended.
    pub ended: Option<Instant>,
    /// How it ended.
    pub outcome: Outcome,
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
    /// Requests made to the directory, those that were asked again included; a batch is one. Tokens are not counted.
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

/// Who asked for a sync run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// The schedule.
    Schedule,
    /// A person or program.
    Demand,
    /// The service's start.
    Startup,
}

/// What a sync run read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum RunKind {
    /// Every object, anew.
    Full,
    /// What changed since the last horizon.
    Delta,
    /// Deleted items and a full listing beside the feed.
    Reconcile,
}

/// How a sync run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It reached its horizon.
    Completed,
    /// An error stopped it; what it had committed stays.
    Failed,
    /// A guard stopped it before it was applied.
    Held,
    /// It was stopped from outside or its process died; what it had committed stays.
    Interrupted,
}
