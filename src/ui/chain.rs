//! A chain's page: whose mail it holds, where another's begins, and what to do.

use askama::Template;

use super::links::Pages;
use super::subject::Subject;
use super::then::Then;
use super::{Frame, PageError};
use crate::domain::holder::HolderConfidence;
use crate::domain::id::ChainId;
use crate::report::content::ChainRows;
use crate::report::page::rows::{self, ChainTable};
use crate::report::people::People;
use crate::report::text::cut;
use crate::service::Desk;
use crate::service::report::{self, Of};
use crate::service::snapshot::{self, Cursor, Wanted};

/// How many snapshots a page lists.
const PAGE: usize = 200;

#[derive(Template)]
#[template(path = "ui/chain.html")]
struct Page<'a> {
    frame: &'a Frame,
    chain: String,
    subject: Subject,
    then: Option<String>,
    table: ChainTable,
    is_first: bool,
    first: String,
    more: Option<String>,
}

/// The page of a chain, its snapshots from a cursor on.
///
/// # Errors
/// If the chain has no snapshots, or the ledger cannot be read.
pub fn page(frame: &Frame, desk: &Desk, chain: &ChainId, cursor: Option<&Cursor>) -> Result<String, PageError> {
    let pages = frame.pages();
    let chain = &desk.ledger.known_chain(desk.tenant, chain)?;
    let alias = frame.tenant.as_ref().and_then(|tab| tab.alias.clone());
    let report = report::report(desk, &Of::Chain(chain.clone()), alias)?;
    let people = People::of(&report);
    let about = [("chain", chain.as_str())];
    let missing = || PageError::Missing(format!("chain {chain} has no snapshots in this tenant"));
    let rows = report.chains.iter().find(|rows| rows.chain == *chain).ok_or_else(missing)?;
    let listed = snapshot::list(desk, &Wanted::Chain(chain.clone()), cursor, PAGE)?;
    let wanted: std::collections::BTreeSet<_> = listed.items.iter().map(|item| &item.snapshot).collect();
    let lines = rows.snapshots.iter().filter(|row| wanted.contains(&row.snapshot));
    let table = ChainTable {
        name: cut(chain.as_str(), 300),
        note: rows::note(rows, &people),
        rows: lines.map(|row| rows::snapshot(rows, row, &people, &pages)).collect(),
    };
    let own = |cursor: &str| pages.to("chain", &[("id", chain.as_str()), ("cursor", cursor)]);
    let page = Page {
        frame,
        chain: cut(chain.as_str(), 300),
        then: Then::of(frame, desk)?.map(|at| then(&at, rows, &people)),
        subject: Subject::of(&report, &people, &pages, &about)?,
        table,
        is_first: cursor.is_none(),
        first: Pages::to(&pages, "chain", &[("id", chain.as_str())]),
        more: listed.cursor.as_deref().map(own),
    };
    Ok(page.render()?)
}

/// The snapshot that a restore to the instant that is asked about would take.
fn then(then: &Then, rows: &ChainRows, people: &People) -> String {
    let Some(row) = rows.snapshots.iter().rev().find(|row| row.until <= then.at) else {
        return then.say("the chain had no finished snapshot.");
    };
    let id = cut(row.snapshot.as_str(), 80);
    let whose = match (row.owner, row.confidence) {
        (Some(owner), HolderConfidence::Certain) => format!("certainly holds the mail of {}", people.called(owner)),
        (Some(owner), _) => format!("seems to hold the mail of {}", people.called(owner)),
        (None, _) => "cannot be attributed".to_owned(),
    };
    let kept = if row.expired { "; it is no longer kept" } else { "" };
    then.say(&format!("the newest finished snapshot was {id}, which {whose}{kept}."))
}
