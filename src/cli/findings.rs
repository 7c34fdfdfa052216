//! `findings` and `finding show | ack | resolve`.

use std::fmt::Write as _;

use super::args::{FindingAction, FindingReview, FindingsOptions};
use super::error::{CliError, Exit};
use super::open::{App, How};
use super::output::{self, word_of};
use super::people::Called;
use super::source::source;
use crate::domain::finding::{FindingId, FindingState, Severity};
use crate::service::findings::{self, Filter, FindingAnswer, FindingList, StepPart, Word};
use crate::service::parts::shell;

/// How many of a finding's snapshots are listed for people before the rest is only counted.
const SNAPSHOTS_SHOWN: usize = 12;
/// The variables in which systems keep the login name.
const LOGIN: [&str; 3] = ["USER", "LOGNAME", "USERNAME"];

pub fn findings(app: &App, options: &FindingsOptions) -> Result<Exit, CliError> {
    let source = source(app, "findings", How::Existing)?;
    let cursor = options.cursor.as_deref().map(str::parse).transpose().map_err(CliError::Usage)?;
    let states = options.state.iter().map(|state| FindingState::from(*state)).collect();
    let severity = options.severity.map(Severity::from);
    let filter = Filter { kind: options.kind, severity, states };
    let found = source.findings(&filter, cursor, options.limit.max(1))?;
    output::list(&app.global, &found.items, &found, found.cursor.as_deref(), || say_list(&found))?;
    match options.fail_on {
        // What somebody has acknowledged raises no alarm again.
        Some(severity) if findings::at_least(found.open, severity.into()) > 0 => Ok(Exit::Found),
        _ => Ok(Exit::Done),
    }
}

pub fn finding(app: &App, action: FindingAction) -> Result<Exit, CliError> {
    let source = source(app, "finding", How::Existing)?;
    let say_word = |review: FindingReview, word| {
        let FindingReview { id, note, by } = review;
        let named = by.filter(|by| !by.trim().is_empty()).or_else(login);
        // A word that nobody stands behind is worth nothing to whoever reads it later.
        let by = named.ok_or_else(|| CliError::usage("finding: nothing tells who says so; give --by WHO"))?;
        let has_note = note.is_some();
        let answer = source.review(id, word, by, note)?;
        if has_note && word == Word::Acknowledge && answer.state == FindingState::Resolved {
            output::complain(&format!(
                "finding {id} is resolved already, which an acknowledgement does not change; the note was not kept (`finding \
                 resolve` keeps one)"
            ));
        }
        Ok::<_, CliError>(answer)
    };
    let answer = match action {
        FindingAction::Show { id } => source.finding(id),
        FindingAction::Ack(review) => say_word(review, Word::Acknowledge),
        FindingAction::Resolve(review) => say_word(review, Word::Resolve),
    }?;
    output::answer(&app.global, &answer, || say(&answer))?;
    Ok(Exit::Done)
}

/// Who is at the keyboard, as far as the environment or the system tells.
pub fn login() -> Option<String> {
    let told = LOGIN.iter().find_map(|name| std::env::var(name).ok().filter(|login| !login.trim().is_empty()));
    told.or_else(user)
}

/// The number of the system's user, where nobody logged in, as in a container.
fn user() -> Option<String> {
    #[cfg(unix)]
    {
        let this = std::fs::metadata("/proc/self").ok()?;
        Some(format!("user {}", std::os::unix::fs::MetadataExt::uid(&this)))
    }
    #[cfg(not(unix))]
    None
}

/// Reads a finding's id as it is typed.
pub fn parse_id(text: &str) -> Result<FindingId, String> {
    text.parse().map_err(|error: crate::domain::finding::NoFindingId| error.to_string())
}

fn say_list(found: &FindingList) -> String {
    let mut text = String::new();
    for finding in &found.items {
        let state =
            if finding.state == FindingState::Open { String::new() } else { format!(" ({})", word_of(&finding.state)) };
        let called = Called::of(&finding.people, finding.objects.iter().copied());
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{:<8} {}{state}", word_of(&finding.severity), finding.kind.word());
        let _ = writeln!(text, "         {}", called.reword_called(&finding.summary));
        let _ = writeln!(text, "         {}  since {}", finding.id, finding.opened.time);
    }
    if found.items.is_empty() {
        text.push_str("no findings\n");
    }
    let open = found.open;
    let _ = writeln!(text, "open: {} critical, {} warning, {} notice", open.critical, open.warning, open.notice);
    if let Some(cursor) = &found.cursor {
        let _ = writeln!(text, "more: --cursor {cursor}");
    }
    text
}

/// A finding in words.
pub fn say(finding: &FindingAnswer) -> String {
    let called = Called::of(&finding.people, finding.objects.iter().copied());
    let mut text = format!(
        "{} {} ({})   {}\n  {}\n",
        word_of(&finding.severity),
        finding.kind.word(),
        word_of(&finding.state),
        finding.id,
        called.reword_called(&finding.summary)
    );
    if !finding.snapshots.is_empty() {
        let shown: Vec<&str> = finding.snapshots.iter().take(SNAPSHOTS_SHOWN).map(|id| id.as_str()).collect();
        let more = finding.snapshots.len().saturating_sub(SNAPSHOTS_SHOWN);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  snapshots: {}{more}", shown.join(", "));
    }
    if !finding.people.is_empty() {
        text.push_str("  people\n");
        text.push_str(&called.legend());
    }
    text.push_str("  history\n");
    for step in &finding.history {
        let by = step.by.as_deref().unwrap_or(if is_word(step) { "nobody named" } else { "the ledger" });
        let note = step.note.as_deref().map(|note| format!(": {note}")).unwrap_or_default();
        let _ = writeln!(text, "    {} {} by {by}{note} (commit {})", step.time, word_of(&step.state), step.sequence);
    }
    if let Some(advice) = findings::advice(finding).filter(|_| finding.is_pending()) {
        let _ = writeln!(text, "  to do: {}", called.reword_called(&advice));
    }
    if let Some(chain) = &finding.chain
        && finding.severity == Severity::Critical
    {
        let _ = writeln!(text, "  next: whowas plan {}", shell(chain.as_str()));
    }
    text
}

/// Whether a step without a name was somebody's word. The ledger never acknowledges, and says why it resolves.
fn is_word(step: &StepPart) -> bool {
    match step.state {
        FindingState::Acknowledged => true,
        FindingState::Resolved => step.note.is_none(),
        FindingState::Open | FindingState::Withdrawn => false,
    }
}
