//! The frame of a visit's page, and the desk at which it is asked.

use std::str::FromStr;

use super::visit::Visit;
use crate::domain::id::TenantId;
use crate::domain::time::Instant;
use crate::http::access::caller::{Caller, RequestId};
use crate::http::access::role::Right;
use crate::http::place::Query;
use crate::http::problem::Problem;
use crate::http::service::Service;
use crate::ledger::{KnownAt, LedgerError};
use crate::report::text::time;
use crate::service::Desk;
use crate::ui::frame::{Frame, Known, Tab, Visitor, When, instant, known_at};
use crate::ui::links::Shown;

/// What every page knows.
pub const TIMES: [&str; 2] = ["at", "known_at"];

/// The times of a query.
#[derive(Clone, Debug)]
pub struct Asked {
    at: Option<Instant>,
    known: Option<(String, KnownAt)>,
}

struct At(Instant);

struct KnownText(String, KnownAt);

impl FromStr for At {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        instant(text, false).map(Self)
    }
}

impl FromStr for KnownText {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        known_at(text).map(|known| Self(text.trim().to_owned(), known))
    }
}

impl Asked {
    /// The times that a query asks about.
    ///
    /// # Errors
    /// If one cannot be read.
    pub fn of(query: &Query) -> Result<Self, Problem> {
        let at = query.read::<At>("at")?.map(|At(at)| at);
        let known = query.read::<KnownText>("known_at")?.map(|KnownText(text, known)| (text, known));
        Ok(Self { at, known })
    }
}

/// Who visits, with which request.
#[derive(Clone, Debug)]
pub struct Who {
    /// The caller.
    pub caller: Caller,
    /// The session.
    pub visit: Visit,
    /// The request.
    pub request: RequestId,
}

/// The frame of a page, and its desk laid behind the time that is asked about. It may block.
///
/// # Errors
/// If the ledger cannot be read, or has no such commit.
pub fn frame(
    service: &Service,
    who: &Who,
    mut desk: Desk,
    asked: Asked,
    page: &'static str,
    about: Vec<(&'static str, String)>,
) -> Result<(Frame, Desk), Problem> {
    let tenants = tabs(service, &who.caller)?;
    let tenant = tenants.iter().find(|tab| tab.id == desk.tenant).cloned();
    let known = match asked.known {
        None => None,
        Some((text, known_at)) => {
            let newest = desk.ledger.head(desk.tenant)?.sequence;
            let past = desk.ledger.as_known(desk.tenant, known_at)?;
            let head = past.head(desk.tenant)?;
            let is_past = head.sequence < newest;
            if is_past {
                desk.ledger = past;
            }
            let recorded = head.recorded.map_or_else(String::new, |at| format!(", recorded {} UTC", time(at)));
            let said = match head.sequence.0 {
                0 => "before the first commit: nothing was known".to_owned(),
                number => format!("with commit {number}{recorded}"),
            };
            // What was known with the newest commit is what is known now, whatever time was asked about.
            is_past.then_some(Known { asked: text, said })
        }
    };
    let when = When { at: asked.at, known };
    let visitor = visitor(who);
    let request = who.request.0.clone();
    Ok((Frame { visitor, tenants, tenant, when, page, about, said: None, request, shown: Shown::default() }, desk))
}

/// The frame of the page of all tenants. It may block.
///
/// # Errors
/// If the ledger cannot be read.
pub fn frame_of_all(service: &Service, who: &Who) -> Result<Frame, Problem> {
    Ok(Frame {
        visitor: visitor(who),
        tenants: tabs(service, &who.caller)?,
        tenant: None,
        when: When::default(),
        page: "tenants",
        about: Vec::new(),
        said: None,
        request: who.request.0.clone(),
        shown: Shown::default(),
    })
}

fn visitor(who: &Who) -> Visitor {
    let token = &who.caller.token;
    Visitor {
        called: token.label.clone().unwrap_or_else(|| format!("token {}", token.id)),
        role: token.role.word(),
        may_review: token.role.has(Right::Review),
        may_sync: token.role.has(Right::Sync),
        form_token: who.visit.0.form.clone(),
    }
}

/// The tenants that a caller may look at, those that are configured first, in their order.
fn tabs(service: &Service, caller: &Caller) -> Result<Vec<Tab>, LedgerError> {
    let mut ids: Vec<TenantId> = service.all_configured().iter().map(|configured| configured.tenant).collect();
    for id in service.ledger.tenants()? {
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    let tab = |id: TenantId| {
        let alias = service.configured(id).and_then(|configured| configured.alias.clone());
        Tab { id, label: alias.clone().unwrap_or_else(|| id.to_string()), alias }
    };
    Ok(ids.into_iter().filter(|id| caller.token.reaches(*id)).map(tab).collect())
}
