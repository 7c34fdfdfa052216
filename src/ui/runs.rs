//! The syncs: what is held, what is under way, and the run log.

use askama::Template;

use super::overview::{Gap, Held, gaps, held};
use super::{Frame, PageError};
use crate::domain::time::Instant;
use crate::report::text::{cut, span, word};
use crate::report::when::{At, AtAfter};
use crate::service::Desk;
use crate::service::runs::{RunAnswer, RunList, RunOutcome};
use crate::service::status::TenantStatus;
use crate::store::Trigger;

#[derive(Template)]
#[template(path = "ui/runs.html")]
struct Page<'a> {
    frame: &'a Frame,
    held: Vec<Held>,
    blind: Vec<Gap>,
    has_horizon: bool,
    items: Vec<Line>,
    more: Option<String>,
}

/// A run's line.
pub struct Line {
    /// Its number.
    pub run: String,
    /// What it read, and who asked for it.
    pub kind: String,
    /// When it started.
    pub started: At,
    /// When it ended.
    pub ended: Option<AtAfter>,
    /// How long it took.
    pub took: String,
    /// How it ended, as a class.
    pub class: &'static str,
    /// How it ended.
    pub outcome: String,
    /// What it read and brought.
    pub counts: [u64; 6],
    /// How long the directory made it wait.
    pub waited: String,
    /// What it proved through.
    pub horizon: Option<At>,
    /// What went wrong, or could not be seen.
    pub note: String,
}

/// A page of the run log.
///
/// # Errors
/// If the ledger cannot be read.
pub fn page(
    frame: &Frame,
    desk: &Desk,
    status: &TenantStatus,
    list: &RunList,
    is_first: bool,
) -> Result<String, PageError> {
    let pages = frame.pages();
    let under_way = status.running.iter().filter(|_| is_first).map(line);
    let page = Page {
        frame,
        held: if is_first { status.held.iter().map(held).collect() } else { Vec::new() },
        blind: gaps(desk)?,
        has_horizon: status.horizon.is_some(),
        items: under_way.chain(list.items.iter().map(line)).collect(),
        more: list.cursor.as_deref().map(|cursor| pages.to("runs", &[("cursor", cursor)])),
    };
    Ok(page.render()?)
}

/// The line of a run.
pub fn line(run: &RunAnswer) -> Line {
    let RunAnswer { pages, seen, changed, removed, restored, facts, .. } = *run;
    Line {
        run: if run.run == 0 { "…".to_owned() } else { run.run.to_string() },
        kind: format!(
            "{}, {}",
            run.kind.as_ref().map_or_else(|| "not settled yet".to_owned(), word),
            match run.trigger {
                Trigger::Schedule => "by schedule",
                Trigger::Demand => "on demand",
                Trigger::Startup => "at the start",
            }
        ),
        started: At(run.started),
        ended: run.ended.map(|ended| AtAfter(run.started, ended)),
        took: run.ended.map(|ended| took(run.started, ended)).unwrap_or_default(),
        class: match run.outcome {
            RunOutcome::Completed => "fine",
            RunOutcome::Running => "running",
            RunOutcome::Failed | RunOutcome::Held => "bad",
            RunOutcome::Interrupted => "warn",
        },
        outcome: word(&run.outcome),
        counts: [pages, seen, changed, removed, restored, facts],
        waited: if run.throttled_ms == 0 {
            String::new()
        } else {
            format!("waited {} ms for the directory", run.throttled_ms)
        },
        horizon: run.horizon.map(At),
        note: run.error.as_ref().or(run.note.as_ref()).map(|note| cut(note, 600)).unwrap_or_default(),
    }
}

fn took(from: Instant, until: Instant) -> String {
    match until.since(from) {
        short if short.as_secs() == 0 => format!("{} ms", short.as_millis()),
        long => span(long.as_secs()),
    }
}
