//! `link add | remove | candidates`.

use std::fmt::Write as _;

use super::args::{LinkAction, LinkOptions};
use super::error::{CliError, Exit};
use super::findings::login;
use super::open::{App, How};
use super::output::{self, word_of};
use super::people::Called;
use crate::domain::id::{ObjectId, TenantId};
use crate::domain::link::{Link, LinkEnd, Relation};
use crate::service::link::{self, CandidateList, LinkAnswer, LinkError, LinkPart};

pub fn link(app: &App, action: LinkAction) -> Result<Exit, CliError> {
    let opened = app.open("link", How::Existing)?;
    let desk = app.desk(&opened.ledger)?;
    let set = |options: LinkOptions, on| -> Result<Exit, CliError> {
        let wanted = link_of(app, options)?;
        let answer = link::set(&desk, wanted, on).map_err(|error| match error {
            LinkError::Ledger(error) => CliError::Ledger(error),
            other => CliError::Missing(format!("failed to {other}")),
        })?;
        output::answer(&app.global, &answer, || say(&answer))?;
        Ok(Exit::Done)
    };
    match action {
        LinkAction::Add(options) => set(options, true),
        LinkAction::Remove(options) => set(options, false),
        LinkAction::Candidates { object, limit, cursor } => {
            let cursor = cursor.as_deref().map(str::parse).transpose().map_err(CliError::Usage)?;
            let found = link::candidates(&desk, object, cursor, limit.max(1))?;
            output::list(&app.global, &found.items, &found, found.cursor.as_deref(), || {
                say_candidates(&found, desk.tenant)
            })?;
            Ok(Exit::Done)
        }
    }
}

/// A link in words, with full ids.
pub fn sentence(link: &LinkPart) -> String {
    sentence_of(link, |object| format!("object {object}"))
}

/// Reads a relation as it is typed.
pub fn parse_relation(text: &str) -> Result<Relation, String> {
    Relation::ALL.into_iter().find(|relation| relation.word() == text).ok_or_else(|| {
        let words: Vec<&str> = Relation::ALL.into_iter().map(Relation::word).collect();
        format!("there are these relations: {}", words.join(", "))
    })
}

fn link_of(app: &App, options: LinkOptions) -> Result<Link, CliError> {
    let LinkOptions { from, to, to_tenant, relation, note, by } = options;
    let tenant = to_tenant
        .map(|named| match app.config.tenant(Some(&named)) {
            Ok(Some(tenant)) => Ok(tenant.id),
            _ => named.parse().map_err(|_| {
                CliError::usage(format!("--to-tenant: {named:?} is neither a tenant's id nor a configured alias"))
            }),
        })
        .transpose()?;
    Ok(Link { from, to: LinkEnd { tenant, object: to }, relation, note, by: by.or_else(login) })
}

fn sentence_of(part: &LinkPart, call: impl Fn(ObjectId) -> String) -> String {
    let LinkPart { from, to, relation, ref by, ref note, .. } = *part;
    let link = Link { from, to, relation, by: None, note: None };
    let by = by.as_deref().map(|by| format!(", by {by}")).unwrap_or_default();
    let note = note.as_deref().map(|note| format!(": {note}")).unwrap_or_default();
    format!("{}{by}{note}", link.sentence(call))
}

fn say(answer: &LinkAnswer) -> String {
    let called = Called::of(&answer.people, [answer.link.from, answer.link.to.object]);
    let what = match (answer.link.in_force, answer.changed) {
        (true, true) => "linked",
        (true, false) => "linked already",
        (false, true) => "link taken back",
        (false, false) => "link taken back already",
    };
    let mut text = format!("{what}: {}\n", sentence_of(&answer.link, |object| called.call(object)));
    text.push_str(&called.legend());
    text.push_str("  no verdict and no snapshot's owner changes by it\n");
    text
}

fn say_candidates(found: &CandidateList, own: TenantId) -> String {
    let mut text = String::new();
    for candidate in &found.items {
        let people = [&candidate.from.person, &candidate.to.person];
        let called = Called::of(people, []);
        // A link is kept in the tenant of the earlier object, from which the later one may be abroad.
        let abroad = candidate.to.tenant.or(candidate.from.tenant.map(|_| own));
        let to = abroad.map(|tenant| format!(" --to-tenant {tenant}")).unwrap_or_default();
        let from = candidate.from.tenant.map(|tenant| format!("--tenant {tenant} ")).unwrap_or_default();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{:<6} {}", word_of(&candidate.strength), called.reword_called(&candidate.why));
        let _ = writeln!(
            text,
            "       if it is so: whowas {from}link add --from {} --to {}{to} --as {}",
            candidate.from.person.object,
            candidate.to.person.object,
            candidate.relation.word()
        );
    }
    if found.items.is_empty() {
        text.push_str(
            "no candidates: no two unlinked objects share a mailbox GUID, an immutable id or an employee id\n",
        );
    }
    if let Some(cursor) = &found.cursor {
        let _ = writeln!(text, "more: --cursor {cursor}");
    }
    text
}
