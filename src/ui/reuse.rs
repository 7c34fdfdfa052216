//! Names that passed from hand to hand, and names that may be about to.

use askama::Template;

use super::{Frame, PageError};
use crate::report::links::Links;
use crate::report::text::{cut, shown};
use crate::report::when::{At, Edged, Ended};
use crate::service::Desk;
use crate::service::reuse::{self, Cursor};

/// How many names a page lists.
const PAGE: usize = 50;

#[derive(Template)]
#[template(path = "ui/reuse.html")]
struct Page<'a> {
    frame: &'a Frame,
    items: Vec<Item>,
    more: Option<String>,
}

struct Item {
    name: String,
    href: String,
    hot: bool,
    why: String,
    hot_until: Option<At>,
    holders: Vec<Held>,
}

struct Held {
    called: String,
    href: String,
    kind: String,
    from: Edged,
    until: Ended,
}

/// The names, from a cursor on.
///
/// # Errors
/// If the ledger cannot be read.
pub fn page(frame: &Frame, desk: &Desk, cursor: Option<&Cursor>) -> Result<String, PageError> {
    let pages = frame.pages();
    let list = reuse::reuse(desk, cursor, PAGE)?;
    let items = list.items.iter().map(|item| Item {
        name: cut(&item.name, 200),
        href: pages.name(&item.name),
        hot: item.hot,
        why: shown(&item.why.join("; ")).into_owned(),
        hot_until: item.hot_until.map(At),
        holders: item
            .holders
            .iter()
            .map(|holder| Held {
                called: holder
                    .person
                    .called
                    .as_deref()
                    .map_or_else(|| holder.person.object.to_string(), |name| cut(name, 120)),
                href: pages.person(holder.person.object),
                kind: holder.kind.to_string(),
                from: Edged(holder.from),
                until: Ended(holder.until),
            })
            .collect(),
    });
    let more = list.cursor.as_deref().map(|cursor| pages.to("reuse", &[("cursor", cursor)]));
    Ok(Page { frame, items: items.collect(), more }.render()?)
}
