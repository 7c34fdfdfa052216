//! Names that passed from one object to another, and names that may be about to: the *hot* ones, for which an ask always
//! needs a live read.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::people::{People, PersonPart};
use super::{Desk, cursor};
use crate::domain::holder::NameView;
use crate::domain::id::ObjectId;
use crate::domain::interval::Edge;
use crate::domain::name::{Name, NameKey, NameKind, Namespace};
use crate::domain::time::Instant;
use crate::ledger::{Basis, KnownAt, LedgerError};

/// How many names are read at a time.
const PAGE: usize = 256;

/// A page of names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct ReuseList {
    /// The names, by their comparison keys.
    pub items: Vec<ReusePart>,
    /// Where the next page begins.
    pub cursor: Option<String>,
    /// What the answer rests on.
    pub basis: Basis,
}

/// A name that had more than one holder, or was released lately.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct ReusePart {
    /// The name, as it was seen last.
    pub name: String,
    /// Whether an ask by it always needs a live read.
    pub hot: bool,
    /// Why it is hot.
    pub why: Vec<String>,
    /// Until when it is hot; `null` is for good.
    pub hot_until: Option<Instant>,
    /// How many objects ever held it.
    pub holders_ever: usize,
    /// Who held it, in order of time.
    pub holders: Vec<ReuseHolder>,
}

/// One period in which someone held a name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct ReuseHolder {
    /// Who.
    #[serde(flatten)]
    pub person: PersonPart,
    /// As what.
    pub kind: Namespace,
    /// The spelling seen last.
    pub spelling: String,
    /// When it began.
    pub from: Edge,
    /// When it ended.
    pub until: Option<Edge>,
}

/// Up to `limit` names, from a cursor on.
pub fn reuse(desk: &Desk, cursor: Option<&Cursor>, limit: usize) -> Result<ReuseList, LedgerError> {
    let view = desk.ledger.view(desk.tenant, KnownAt::Now)?;
    let mut people = People::new(&view);
    let now = desk.clock.now();
    let mut after = cursor.map(|cursor| cursor.0.clone());
    let mut items = Vec::new();
    loop {
        let page = desk.ledger.notable_names(desk.tenant, after.as_ref(), PAGE)?;
        if page.is_empty() {
            return Ok(ReuseList { items, cursor: None, basis: view.basis(now) });
        }
        for key in page {
            if items.len() == limit {
                let cursor = after.map(|key| Cursor(key).to_string());
                return Ok(ReuseList { items, cursor, basis: view.basis(now) });
            }
            let claims = view.claims(&key, &mut BTreeMap::new())?;
            items.extend(part(desk, &mut people, &claims, now)?);
            after = Some(key);
        }
    }
}

/// A place in the list; opaque to whoever hands it back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(NameKey);

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        cursor::write(f, self.0.as_str())
    }
}

impl std::str::FromStr for Cursor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || cursor::REFUSAL.to_owned();
        let name: Name = cursor::read(text).and_then(|text| text.parse().ok()).ok_or_else(refuse)?;
        Ok(Self(name.key().clone()))
    }
}

/// A name's line; `None` if it had one holder and was released long ago.
fn part(
    desk: &Desk,
    people: &mut People<'_, '_>,
    claims: &NameView,
    now: Instant,
) -> Result<Option<ReusePart>, LedgerError> {
    let window = desk.policy.hot_window;
    let mut holders = Vec::new();
    let mut ends: Vec<Option<Instant>> = Vec::new();
    for claim in claims.claims() {
        for period in claim.track.periods() {
            ends.extend(period.until.map(Edge::by));
            let person = people.person(claim.object)?;
            let unseen =
                || PersonPart { object: claim.object, called: None, state: crate::domain::timeline::State::Unknown };
            holders.push(ReuseHolder {
                person: person.unwrap_or_else(unseen),
                kind: claim.namespace,
                spelling: claim.spelling.clone(),
                from: period.from,
                until: period.until,
            });
        }
    }
    holders.sort_by_key(|holder| (holder.from.by(), holder.from.after(), holder.kind, holder.person.object));
    let ever: BTreeSet<ObjectId> = holders.iter().map(|holder| holder.person.object).collect();
    let hot = claims.is_hot(NameKind::Any, now, window);
    if ever.len() < 2 && !hot {
        return Ok(None);
    }
    let mut why = Vec::new();
    if ever.len() > 1 {
        why.push(format!("{} objects have held it", ever.len()));
    }
    // An end that nothing bounds may lie in the future, so it never grows cold.
    let is_open = ends.contains(&None);
    let released = ends.iter().flatten().max().copied();
    match released {
        _ if is_open => why.push("it was released at an unknown time".to_owned()),
        Some(by) if by >= now.minus(window) => why.push(format!("it was released by {by}")),
        _ => {}
    }
    let hot_until = released.filter(|_| ever.len() < 2 && !is_open).map(|by| by.plus(window));
    let name = holders.last().map_or_else(|| claims.key().as_str().to_owned(), |holder| holder.spelling.clone());
    Ok(Some(ReusePart { name, hot, why, hot_until, holders_ever: ever.len(), holders }))
}
