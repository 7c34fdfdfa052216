//! A name's page: who held it when, and how we know.

use askama::Template;

use super::subject::Subject;
use super::then::Then;
use super::{Frame, PageError};
use crate::domain::holder::HolderConfidence;
use crate::domain::name::{Name, NameKind};
use crate::ledger::KnownAt;
use crate::report::content::EvidenceRow;
use crate::report::links::Links;
use crate::report::page::rows::{self, Who};
use crate::report::people::People;
use crate::report::text::cut;
use crate::report::when::{Edged, Ended};
use crate::service::Desk;
use crate::service::history;
use crate::service::parts::CandidateConfidence;
use crate::service::report::{self, Of};
use crate::service::who;

#[derive(Template)]
#[template(path = "ui/name.html")]
struct Page<'a> {
    frame: &'a Frame,
    name: String,
    subject: Subject,
    then: Option<String>,
    holders: Vec<HolderLine>,
    chains: Vec<(String, String)>,
}

struct HolderLine {
    who: Who,
    kind: String,
    spelling: String,
    from: Edged,
    until: Ended,
    contested: bool,
    evidence: Vec<String>,
}

/// The page of a name.
///
/// # Errors
/// If it was never seen, or the ledger cannot be read.
pub fn page(frame: &Frame, desk: &Desk, name: &Name) -> Result<String, PageError> {
    let pages = frame.pages();
    let alias = frame.tenant.as_ref().and_then(|tab| tab.alias.clone());
    let report = report::report(desk, &Of::Name(name.clone()), alias)?;
    let people = People::of(&report);
    let subject = Subject::of(&report, &people, &pages, &[("name", name.spelling())])?;
    let told = history::of_name(desk, name, KnownAt::Now)?;
    let holders = told.holders.iter().map(|part| {
        let facts = part.evidence.iter().map(|part| EvidenceRow {
            source: part.source,
            at: part.at,
            sequence: part.sequence,
            reference: part.reference.clone(),
        });
        HolderLine {
            who: rows::who(part.object, None, &people, &pages),
            kind: part.kind.to_string(),
            spelling: cut(&part.spelling, 300),
            from: Edged(part.from),
            until: Ended(part.until),
            contested: part.contested,
            evidence: rows::evidence(&facts.collect::<Vec<_>>()),
        }
    });
    let page = Page {
        frame,
        name: cut(name.spelling(), 300),
        then: then(frame, desk, name, &people)?,
        holders: holders.collect(),
        chains: report.chains.iter().map(|rows| (cut(rows.chain.as_str(), 120), pages.chain(&rows.chain))).collect(),
        subject,
    };
    Ok(page.render()?)
}

fn then(frame: &Frame, desk: &Desk, name: &Name, people: &People) -> Result<Option<String>, PageError> {
    let Some(then) = Then::of(frame, desk)? else { return Ok(None) };
    let who = who::who(desk, name, NameKind::Any, Some(then.at), KnownAt::Now)?;
    let called: Vec<String> = who.candidates.iter().map(|part| people.called(part.object)).collect();
    let any = |confidence| who.candidates.iter().any(|part| part.confidence == confidence);
    let what = match (who.holder, who.confidence) {
        (Some(holder), HolderConfidence::Certain) => format!("it was certainly held by {}.", people.called(holder)),
        (Some(holder), _) => format!("it seems to have been held by {}.", people.called(holder)),
        (None, HolderConfidence::Nobody) => "nobody is known to have held it.".to_owned(),
        (None, _) if called.is_empty() => "it is not known who held it.".to_owned(),
        (None, _) if called.len() == 1 => format!("it may have been held by {}; nothing proves it.", called.join("")),
        (None, _) if any(CandidateConfidence::Certain) => {
            format!("it was held by one of {}; which one cannot be known.", called.join(", "))
        }
        (None, _) if any(CandidateConfidence::Assumed) => {
            format!("it seems to have been held by one of {}; which one cannot be known.", called.join(", "))
        }
        (None, _) => format!("it may have been held by {}, or by nobody.", called.join(" or ")),
    };
    Ok(Some(then.say(&what)))
}
