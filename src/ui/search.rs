//! What was found of what was typed. The list alone is sent while somebody types.

use askama::Template;

use super::{Frame, PageError};
use crate::report::links::Links;
use crate::report::text::{count, cut, word};
use crate::service::Desk;
use crate::service::search;

/// How many of each kind are shown.
const SHOWN: usize = 20;

#[derive(Template)]
#[template(path = "ui/search.html")]
struct Page<'a> {
    frame: &'a Frame,
    asked: String,
    found: Found,
}

#[derive(Template)]
#[template(path = "ui/found.html")]
struct Alone {
    found: Found,
}

struct Found {
    asked: String,
    said: String,
    names: Vec<Hit>,
    objects: Vec<Hit>,
    chains: Vec<Hit>,
    snapshots: Vec<Hit>,
}

struct Hit {
    text: String,
    href: String,
    note: String,
}

/// The page of a search; `is_part` gives the list alone.
///
/// # Errors
/// If the ledger cannot be read.
pub fn page(frame: &Frame, desk: &Desk, text: &str, is_part: bool) -> Result<String, PageError> {
    let pages = frame.pages();
    let answer = search::search(desk, text, SHOWN)?;
    let names = answer.names.iter().map(|found| Hit {
        text: cut(&found.name, 200),
        href: pages.name(&found.name),
        note: match (&found.holder, found.holders_ever) {
            (Some(holder), 1) => format!("held by {}", called(holder.called.as_deref(), &holder.object.to_string())),
            (Some(holder), ever) => {
                let who = called(holder.called.as_deref(), &holder.object.to_string());
                format!("held by {who}; {} ever", count(ever, "holder", "holders"))
            }
            (None, ever) => format!("free or not known now; {} ever", count(ever, "holder", "holders")),
        },
    });
    let objects = answer.objects.iter().map(|found| Hit {
        text: called(found.called.as_deref(), "without a name"),
        href: pages.person(found.object),
        note: format!("{} · {}", found.object, word(&found.state)),
    });
    let chains = answer.chains.iter().map(|found| Hit {
        text: cut(found.chain.as_str(), 200),
        href: pages.chain(&found.chain),
        note: match (found.snapshots, found.owners) {
            (Some(snapshots), Some(owners)) => {
                let snapshots = count(usize::try_from(snapshots).unwrap_or(usize::MAX), "snapshot", "snapshots");
                match owners {
                    0 => format!("{snapshots}, none certainly anybody's"),
                    1 => snapshots,
                    several => format!("{snapshots} of {several} people"),
                }
            }
            _ => String::new(),
        },
    });
    let snapshots = answer.snapshots.iter().map(|found| Hit {
        text: cut(found.snapshot.as_str(), 200),
        href: pages.chain(&found.chain),
        note: format!("in chain {}", cut(found.chain.as_str(), 200)),
    });
    let (names, objects, chains, snapshots): (Vec<_>, Vec<_>, Vec<_>, Vec<_>) =
        (names.collect(), objects.collect(), chains.collect(), snapshots.collect());
    let number = names.len() + objects.len() + chains.len() + snapshots.len();
    let asked = cut(text.trim(), 200);
    let said = match (asked.is_empty(), number) {
        (true, _) => String::new(),
        (false, 0) => "Nothing begins so.".to_owned(),
        (false, _) if answer.more => format!("The first {number}; type more to see fewer."),
        (false, number) => format!("{} found.", count(number, "thing", "things")),
    };
    let found = Found { asked: asked.clone(), said, names, objects, chains, snapshots };
    Ok(if is_part { Alone { found }.render()? } else { Page { frame, asked, found }.render()? })
}

fn called(name: Option<&str>, otherwise: &str) -> String {
    name.map_or_else(|| otherwise.to_owned(), |name| cut(name, 120))
}
