//! A person's page: names, states, mailboxes, chains, protection and links.

use askama::Template;

use super::subject::Subject;
use super::then::Then;
use super::{Frame, PageError};
use crate::domain::id::ObjectId;
use crate::domain::scope::Scope;
use crate::domain::track::Confidence;
use crate::ledger::KnownAt;
use crate::report::links::Links;
use crate::report::page::rows::PersonTable;
use crate::report::people::People;
use crate::report::text::{cut, word};
use crate::report::when::{At, Edged, Ended};
use crate::service::Desk;
use crate::service::history;
use crate::service::link::LinkPart;
use crate::service::report::{self, Of};
use crate::service::who;

#[derive(Template)]
#[template(path = "ui/person.html")]
struct Page<'a> {
    frame: &'a Frame,
    title: String,
    object: String,
    subject: Subject,
    then: Option<String>,
    person: Option<PersonTable>,
    states: Vec<StateLine>,
    mailboxes: Vec<String>,
    chains: Vec<(String, String)>,
    scopes: Vec<ScopeLine>,
    links: Vec<LinkLine>,
}

struct StateLine {
    state: String,
    from: Edged,
    until: Ended,
}

struct ScopeLine {
    scope: String,
    since: At,
    sequence: u64,
}

struct LinkLine {
    what: String,
    other: String,
    href: String,
    note: String,
}

/// The page of an object.
///
/// # Errors
/// If it was never seen, or the ledger cannot be read.
pub fn page(frame: &Frame, desk: &Desk, object: ObjectId) -> Result<String, PageError> {
    let pages = frame.pages();
    let alias = frame.tenant.as_ref().and_then(|tab| tab.alias.clone());
    let report = report::report(desk, &Of::Object(object), alias)?;
    let people = People::of(&report);
    let id = object.to_string();
    let subject = Subject::of(&report, &people, &pages, &[("object", &id)])?;
    let missing = || PageError::Missing(format!("object {object} was never seen in this tenant"));
    let told = history::of_object(desk, object, KnownAt::Now)?.ok_or_else(missing)?;
    let row = report.object(object).ok_or_else(missing)?;
    let page = Page {
        frame,
        title: row.label.as_deref().map_or_else(|| format!("object {object}"), |label| cut(label, 120)),
        then: then(frame, desk, object)?,
        person: subject_table(&subject, &id),
        states: row
            .states
            .iter()
            .map(|part| StateLine { state: word(&part.state), from: Edged(part.from), until: Ended(part.until) })
            .collect(),
        mailboxes: row.mailboxes.iter().map(ToString::to_string).collect(),
        chains: report.chains.iter().map(|rows| (cut(rows.chain.as_str(), 120), pages.chain(&rows.chain))).collect(),
        scopes: told
            .scopes
            .iter()
            .map(|part| ScopeLine { scope: scope(&part.scope), since: At(part.since), sequence: part.sequence.0 })
            .collect(),
        links: told.links.iter().filter(|link| link.in_force).map(|link| line(link, object, &pages)).collect(),
        object: id,
        subject,
    };
    Ok(page.render()?)
}

fn subject_table(subject: &Subject, id: &str) -> Option<PersonTable> {
    subject.people.iter().find(|table| table.id == id).cloned()
}

fn line(link: &LinkPart, own: ObjectId, pages: &dyn Links) -> LinkLine {
    let is_earlier = link.from == own;
    let other = if is_earlier { link.to.object } else { link.from };
    let is_elsewhere = is_earlier && link.to.tenant.is_some();
    let by = link.by.as_ref().map(|by| format!(" by {}", cut(by, 60))).unwrap_or_default();
    let note = link.note.as_ref().map(|note| format!(": {}", cut(note, 200))).unwrap_or_default();
    LinkLine {
        what: match (is_earlier, word(&link.relation).replace('-', " ")) {
            (true, relation) => relation,
            (false, relation) => format!("an earlier object, {relation} this one:"),
        },
        other: other.to_string(),
        href: if is_elsewhere { String::new() } else { pages.person(other) },
        note: format!("approved{by}{note}"),
    }
}

/// What someone was called at the instant that is asked about.
fn then(frame: &Frame, desk: &Desk, object: ObjectId) -> Result<Option<String>, PageError> {
    let Some(then) = Then::of(frame, desk)? else { return Ok(None) };
    let called = who::called(desk, object, then.at)?;
    let of = |wanted: &[Confidence]| {
        let names = called.iter().filter(|(_, confidence)| wanted.contains(confidence));
        names.map(|(name, _)| cut(name.spelling(), 120)).collect::<Vec<String>>()
    };
    let (certain, assumed, possible) =
        (of(&[Confidence::Certain]), of(&[Confidence::Assumed]), of(&[Confidence::Possible]));
    let unlikely = of(&[Confidence::Unlikely]);
    let what = match (certain.as_slice(), assumed.as_slice(), possible.as_slice()) {
        ([], [], []) if unlikely.is_empty() => "no user principal name of this object is known.".to_owned(),
        ([], [], []) => format!("it may have been called {}, though nothing speaks for it.", unlikely.join(" or ")),
        ([], [], possible) => format!("it may have been called {}; nothing proves it.", possible.join(" or ")),
        ([], assumed, []) => format!("it seems to have been called {}.", assumed.join(" or ")),
        ([], assumed, possible) => {
            format!(
                "it seems to have been called {}; it may have been {}.",
                assumed.join(" or "),
                possible.join(" or ")
            )
        }
        (certain, ..) => format!("it was certainly called {}.", certain.join(" and ")),
    };
    Ok(Some(then.say(&what)))
}

/// A scope in a few words.
pub fn scope(scope: &Scope) -> String {
    match scope {
        Scope::Everyone => "protected: there are no rules".to_owned(),
        Scope::In { rule, .. } => format!("protected by rule “{}”", cut(rule, 80)),
        Scope::InOne { why } => format!("protected, by which rule is not known: {}", cut(why, 200)),
        Scope::Out { excluded_by: Some(rule) } => format!("excluded by rule “{}”", cut(rule, 80)),
        Scope::Out { excluded_by: None } => "not protected: no rule matches".to_owned(),
        Scope::Unknown { why } => format!("not known: {}", cut(why, 200)),
    }
}
