//! A finding's page: what it is, what shows it, who is involved, and what was said of it.

use askama::Template;
use serde_json::Value;

use super::findings::{Line, line};
use super::subject::Subject;
use super::{Frame, PageError};
use crate::domain::finding::FindingState;
use crate::report::links::Links;
use crate::report::page::rows::Who;
use crate::report::people::People;
use crate::report::text::{count, cut, sentence, shown, word};
use crate::report::when::At;
use crate::service::Desk;
use crate::service::findings::{self, FindingAnswer};
use crate::service::report::{self, NoReport, Of};

/// How many snapshots a page names.
const SNAPSHOTS_MAX: usize = 60;

#[derive(Template)]
#[template(path = "ui/finding.html")]
struct Page<'a> {
    frame: &'a Frame,
    id: String,
    line: Line,
    tone: &'static str,
    sentence: String,
    advice: Option<String>,
    subject: Option<Subject>,
    people: Vec<(Who, String)>,
    snapshots: Vec<String>,
    snapshots_note: String,
    evidence: Vec<(String, String)>,
    history: Vec<StepLine>,
    may_acknowledge: bool,
    may_resolve: bool,
    is_withdrawn: bool,
    newest: u64,
    action: String,
}

struct StepLine {
    state: String,
    at: At,
    sequence: u64,
    by: String,
    note: String,
}

/// The page of a finding.
///
/// # Errors
/// If the ledger cannot be read.
pub fn page(frame: &Frame, desk: &Desk, finding: &FindingAnswer) -> Result<String, PageError> {
    let pages = frame.pages();
    let of = match (&finding.chain, &finding.name, finding.objects.as_slice()) {
        (Some(chain), ..) => Some((Of::Chain(chain.clone()), ("chain", chain.to_string()))),
        (None, Some(name), _) => name.parse().ok().map(|parsed| (Of::Name(parsed), ("name", name.clone()))),
        (None, None, [object]) => Some((Of::Object(*object), ("object", object.to_string()))),
        _ => None,
    };
    let alias = frame.tenant.as_ref().and_then(|tab| tab.alias.clone());
    let gathered = match of {
        None => None,
        Some((of, about)) => match report::report(desk, &of, alias) {
            Ok(report) => Some((report, about)),
            // A chain may have been told of in another way than by its snapshots.
            Err(NoReport::Missing(_)) => None,
            Err(error) => return Err(error.into()),
        },
    };
    let letters = gathered.as_ref().map(|(report, _)| People::of(report)).unwrap_or_default();
    let subject = gathered
        .map(|(report, (key, value))| Subject::of(&report, &letters, &pages, &[(key, value.as_str())]))
        .transpose()?;
    let people = finding.people.iter().map(|person| {
        let place = letters.get(person.object);
        let who = Who {
            letter: place.map_or_else(|| "·".to_owned(), |place| place.letter.clone()),
            class: place.map_or_else(|| "whose".to_owned(), |place| place.class.clone()),
            label: person.called.as_deref().map_or_else(|| "without a name".to_owned(), |called| cut(called, 120)),
            id: person.object.to_string(),
            href: pages.person(person.object),
        };
        (who, word(&person.state))
    });
    let may_review = frame.visitor.may_review && frame.when.known.is_none();
    let named = finding.snapshots.iter().take(SNAPSHOTS_MAX).map(|id| cut(id.as_str(), 60));
    let page = Page {
        frame,
        id: finding.id.to_string(),
        tone: match finding.severity {
            crate::domain::finding::Severity::Critical => "critical",
            _ => "warning",
        },
        sentence: sentence(&finding.summary),
        line: line(finding, &pages),
        advice: findings::advice(finding).filter(|_| finding.is_pending()).map(|advice| sentence(&advice)),
        subject,
        people: people.collect(),
        snapshots: named.collect(),
        snapshots_note: match finding.snapshots.len().saturating_sub(SNAPSHOTS_MAX) {
            0 => String::new(),
            more => format!("and {}", count(more, "more", "more")),
        },
        evidence: finding.evidence.iter().map(|(key, value)| (key.replace('_', " "), say(value))).collect(),
        history: finding
            .history
            .iter()
            .map(|step| StepLine {
                state: word(&step.state),
                at: At(step.time),
                sequence: step.sequence.0,
                by: step.by.as_deref().map_or_else(|| "the ledger".to_owned(), |by| cut(by, 80)),
                note: step.note.as_deref().map_or_else(String::new, |note| cut(note, 500)),
            })
            .collect(),
        may_acknowledge: may_review && finding.state == FindingState::Open,
        may_resolve: may_review && matches!(finding.state, FindingState::Open | FindingState::Acknowledged),
        newest: finding.newest().0,
        is_withdrawn: finding.state == FindingState::Withdrawn,
        action: format!("{}/finding", pages.now("", &[])),
    };
    Ok(page.render()?)
}

/// A piece of evidence on one line, for people.
fn say(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => cut(text, 300),
        Value::Array(all) if all.is_empty() => "none".to_owned(),
        Value::Array(all) => cut(&all.iter().map(say).collect::<Vec<_>>().join("; "), 3_000),
        Value::Object(all) => all
            .iter()
            .map(|(key, value)| format!("{} {}", shown(key).replace('_', " "), say(value)))
            .collect::<Vec<_>>()
            .join(", "),
        other => other.to_string(),
    }
}
