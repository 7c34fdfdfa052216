//! The overview: each tenant's currency, what is held or not covered, its findings, and a sync now with its progress.

use askama::Template;

use super::runs::{Line, line};
use super::{Frame, PageError};
use crate::domain::finding::Severity;
use crate::domain::time::Instant;
use crate::ledger::KnownAt;
use crate::report::text::{count, cut, span, word};
use crate::report::when::At;
use crate::service::Desk;
use crate::service::findings::{Filter, findings};
use crate::service::report::blind;
use crate::service::runs::RunOutcome;
use crate::service::status::{HoldStatus, TenantStatus};

/// How many blind periods and findings an overview names.
const NAMED: usize = 5;

#[derive(Template)]
#[template(path = "ui/tenants.html")]
struct Tenants<'a> {
    frame: &'a Frame,
    cards: Vec<Card>,
}

#[derive(Template)]
#[template(path = "ui/tenant.html")]
struct Tenant<'a> {
    frame: &'a Frame,
    card: Card,
    worst: Vec<super::findings::Line>,
    reused: String,
    rules: String,
}

#[derive(Template)]
#[template(path = "ui/progress.html")]
struct Alone {
    progress: Progress,
}

/// A tenant's state on one screen.
struct Card {
    label: String,
    id: String,
    href: String,
    is_new: bool,
    is_past: bool,
    last: Option<Line>,
    last_ago: String,
    next: Option<At>,
    next_in: String,
    horizon: Option<At>,
    horizon_ago: String,
    objects: [(&'static str, u64); 4],
    findings: Vec<Finding>,
    held: Vec<Held>,
    blind: Vec<Gap>,
    blind_more: String,
    half_round: bool,
    progress: Progress,
}

struct Finding {
    severity: String,
    count: u64,
    href: String,
}

/// A time between two syncs that do not join: from, until, and why.
pub type Gap = (At, At, String);

/// A round that a guard holds.
pub struct Held {
    /// The run's number.
    pub run: u64,
    /// What of it.
    pub part: String,
    /// Since when.
    pub since: At,
    /// Why.
    pub why: String,
    /// How much it would change.
    pub impact: String,
    /// When it was found wrong.
    pub rejected: Option<At>,
}

/// How far a run is, or how the last one ended.
struct Progress {
    tenant: String,
    running: Option<Line>,
    last: Option<Line>,
    /// A run that failed and stands in no run log, and why.
    unlogged: Option<(At, String)>,
    said: String,
    may_sync: bool,
    form_token: String,
}

/// The page of several tenants.
///
/// # Errors
/// If it cannot be laid out.
pub fn tenants(frame: &Frame, all: &[TenantStatus], now: Instant) -> Result<String, PageError> {
    Ok(Tenants { frame, cards: all.iter().map(|status| card(frame, status, now)).collect() }.render()?)
}

/// The page of one tenant.
///
/// # Errors
/// If the ledger cannot be read.
pub fn tenant(frame: &Frame, desk: &Desk, status: &TenantStatus) -> Result<String, PageError> {
    let now = desk.clock.now();
    let pages = frame.pages();
    let open = Filter { states: vec![crate::domain::finding::FindingState::Open], ..Filter::default() };
    let worst = findings(desk, &open, None, NAMED)?;
    let reused = crate::service::reuse::reuse(desk, None, 100)?.items.len();
    let rules = crate::service::mapping::in_force(desk, KnownAt::Now)?.mapping;
    let mut blind = gaps(desk)?;
    blind.reverse();
    let blind_more = match blind.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!("and {more} earlier"),
    };
    blind.truncate(NAMED);
    let page = Tenant {
        frame,
        card: Card { blind, blind_more, ..card(frame, status, now) },
        worst: worst.items.iter().map(|item| super::findings::line(item, &pages)).collect(),
        reused: match reused {
            0 => "No name has passed from hand to hand or was released lately.".to_owned(),
            100.. => "100 names or more passed from hand to hand or were released lately.".to_owned(),
            number => format!("{} passed from hand to hand or were released lately.", count(number, "name", "names")),
        },
        rules: match rules.rules().len() {
            0 => "There are no rules: everyone is protected.".to_owned(),
            number => format!("{} in force.", count(number, "rule is", "rules are")),
        },
    };
    Ok(page.render()?)
}

/// How far a tenant's sync is, for a page that asks again and again.
///
/// # Errors
/// If it cannot be laid out.
pub fn progress(frame: &Frame, status: &TenantStatus) -> Result<String, PageError> {
    let last = status.last_sync.as_ref().map(line);
    Ok(Alone { progress: Progress { last, ..progress_of(frame, status) } }.render()?)
}

/// The times between two syncs that do not join, as the report has them.
///
/// # Errors
/// If the ledger cannot be read.
pub fn gaps(desk: &Desk) -> Result<Vec<Gap>, PageError> {
    let rows = blind(desk, desk.clock.now())?.into_iter();
    Ok(rows.filter_map(|row| Some((At(row.from?), At(row.until?), cut(&row.why, 300)))).collect())
}

/// The line of what is held.
pub fn held(hold: &HoldStatus) -> Held {
    let impact = hold.impact;
    Held {
        run: hold.run,
        part: word(&hold.part),
        since: At(hold.since),
        why: cut(&hold.why, 400),
        impact: format!(
            "{} gone, {} renamed, {} under another's old name, of {} live objects",
            impact.removals, impact.renames, impact.takeovers, impact.active
        ),
        rejected: hold.rejected.map(At),
    }
}

fn card(frame: &Frame, status: &TenantStatus, now: Instant) -> Card {
    let id = status.tenant.to_string();
    let to = |severity: &str| {
        super::links::Pages::of(status.tenant, &frame.when, &frame.shown)
            .to("findings", &[("severity", severity), ("state", "open")])
    };
    let counts = [
        (Severity::Critical, status.findings.critical),
        (Severity::Warning, status.findings.warning),
        (Severity::Notice, status.findings.notice),
    ];
    let is_past = frame.when.known.is_some();
    let objects = status.objects.active + status.objects.soft_deleted + status.objects.purged;
    Card {
        label: status.alias.as_deref().map_or_else(|| id.clone(), |alias| cut(alias, 60)),
        href: super::links::Pages::of(status.tenant, &frame.when, &frame.shown).to("", &[]),
        // A run that failed leaves a commit too. How many objects were known earlier is not told.
        is_new: !is_past && status.horizon.is_none() && objects == 0,
        is_past,
        last: status.last_sync.as_ref().map(line),
        last_ago: status.last_sync.as_ref().map(|run| ago(run.ended.unwrap_or(run.started), now)).unwrap_or_default(),
        next: status.next_sync.map(At),
        next_in: status
            .next_sync
            .map(|at| if at <= now { "due".to_owned() } else { format!("in {}", length(at.since(now).as_secs())) })
            .unwrap_or_default(),
        horizon: status.horizon.map(At),
        horizon_ago: status.horizon.map(|at| ago(at, now)).unwrap_or_default(),
        objects: [
            ("Live objects", status.objects.active),
            ("Deleted, can come back", status.objects.soft_deleted),
            ("Gone for good", status.objects.purged),
            ("Snapshots", status.snapshots),
        ],
        findings: counts
            .map(|(severity, count)| Finding { href: to(&word(&severity)), severity: word(&severity), count })
            .into(),
        held: status.held.iter().map(held).collect(),
        blind: Vec::new(),
        blind_more: String::new(),
        half_round: status.half_round,
        progress: progress_of(frame, status),
        id,
    }
}

fn progress_of(frame: &Frame, status: &TenantStatus) -> Progress {
    let running = status.running.as_ref().filter(|run| run.outcome == RunOutcome::Running);
    let said = match running {
        Some(run) => format!(
            "{} and {} so far",
            count(usize::try_from(run.pages).unwrap_or(usize::MAX), "page", "pages"),
            count(usize::try_from(run.seen).unwrap_or(usize::MAX), "object", "objects")
        ),
        None => String::new(),
    };
    Progress {
        tenant: status.tenant.to_string(),
        running: running.map(line),
        // The page around it tells of the last one. A part that comes in later has to.
        last: None,
        unlogged: status
            .unlogged
            .as_ref()
            .filter(|_| frame.when.known.is_none())
            .map(|unlogged| (At(unlogged.at), cut(&unlogged.why, 600))),
        said,
        may_sync: frame.visitor.may_sync && frame.when.known.is_none(),
        form_token: frame.visitor.form_token.clone(),
    }
}

fn ago(at: Instant, now: Instant) -> String {
    if at > now { "just now".to_owned() } else { format!("{} ago", length(now.since(at).as_secs())) }
}

/// A length of time in its largest unit, for people.
fn length(seconds: u64) -> String {
    match seconds {
        0..=89 => span(seconds.max(1)),
        90..=5_399 => format!("{} min", seconds / 60),
        5_400..=172_799 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}
