//! The findings, the worst and newest first, with filters.

use askama::Template;

use super::{Frame, PageError};
use crate::domain::finding::{FindingKind, FindingState, Severity};
use crate::report::links::Links;
use crate::report::text::{cut, sentence, word};
use crate::report::when::At;
use crate::service::Desk;
use crate::service::findings::{self, Cursor, Filter, FindingAnswer};

/// How many findings a page lists.
const PAGE: usize = 50;

#[derive(Template)]
#[template(path = "ui/findings.html")]
struct Page<'a> {
    frame: &'a Frame,
    kinds: Vec<Choice>,
    severities: Vec<Choice>,
    states: Vec<Choice>,
    open: Vec<(String, u64, String)>,
    items: Vec<Line>,
    is_filtered: bool,
    all: String,
    more: Option<String>,
}

/// A line of a filter.
struct Choice {
    value: String,
    text: String,
    chosen: bool,
}

/// A finding's line.
pub struct Line {
    /// How bad it is.
    pub severity: String,
    /// What was found.
    pub kind: String,
    /// Its page.
    pub href: String,
    /// Where it stands.
    pub state: String,
    /// One sentence.
    pub summary: String,
    /// The page of what it is about.
    pub about: Option<(String, String)>,
    /// When it was opened.
    pub opened: At,
}

/// The findings that a filter takes, from a cursor on.
///
/// # Errors
/// If the ledger cannot be read.
pub fn page(frame: &Frame, desk: &Desk, filter: &Filter, cursor: Option<&Cursor>) -> Result<String, PageError> {
    let pages = frame.pages();
    let list = findings::findings(desk, filter, cursor, PAGE)?;
    let chosen =
        |key: &str| frame.about.iter().find(|(known, _)| *known == key).map_or("", |(_, value)| value.as_str());
    let (kind, severity, state) = (chosen("kind"), chosen("severity"), chosen("state"));
    let to = |cursor: &str| {
        pages.to("findings", &[("kind", kind), ("severity", severity), ("state", state), ("cursor", cursor)])
    };
    let page = Page {
        frame,
        kinds: choices(FindingKind::ALL.iter().map(|kind| (key(kind), word(kind))), kind, "every kind"),
        severities: choices(
            [Severity::Critical, Severity::Warning, Severity::Notice].iter().map(|one| (key(one), word(one))),
            severity,
            "every severity",
        ),
        states: choices(
            [FindingState::Open, FindingState::Acknowledged, FindingState::Resolved, FindingState::Withdrawn]
                .iter()
                .map(|one| (key(one), word(one))),
            state,
            "all but withdrawn",
        ),
        open: [
            (Severity::Critical, list.open.critical),
            (Severity::Warning, list.open.warning),
            (Severity::Notice, list.open.notice),
        ]
        .map(|(severity, count)| {
            (word(&severity), count, pages.to("findings", &[("severity", &key(&severity)), ("state", "open")]))
        })
        .into(),
        items: list.items.iter().map(|item| line(item, &pages)).collect(),
        is_filtered: !(kind.is_empty() && severity.is_empty() && state.is_empty()),
        all: pages.to("findings", &[]),
        more: list.cursor.as_deref().map(to),
    };
    Ok(page.render()?)
}

/// The line of a finding.
pub fn line(item: &FindingAnswer, pages: &dyn Links) -> Line {
    let about = match (&item.chain, &item.name, item.objects.as_slice()) {
        (Some(chain), ..) => Some((format!("chain {}", cut(chain.as_str(), 60)), pages.chain(chain))),
        (None, Some(name), _) => Some((cut(name, 80), pages.name(name))),
        (None, None, [object]) => Some((object.to_string(), pages.person(*object))),
        _ => None,
    };
    Line {
        severity: word(&item.severity),
        kind: word(&item.kind),
        href: pages.finding(item.id),
        state: word(&item.state),
        summary: sentence(&item.summary),
        about,
        opened: At(item.opened.time),
    }
}

fn key<T: serde::Serialize>(value: &T) -> String {
    word(value).replace(' ', "_")
}

fn choices(all: impl Iterator<Item = (String, String)>, chosen: &str, none: &str) -> Vec<Choice> {
    let first = Choice { value: String::new(), text: none.to_owned(), chosen: chosen.is_empty() };
    let rest = all.map(|(value, text)| Choice { chosen: value == chosen, value, text });
    std::iter::once(first).chain(rest).collect()
}
