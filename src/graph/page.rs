//! One page of a collection, from the bytes of an answer. Pure.

use serde_json::Value;

use super::cloud::Endpoints;
use super::error::{Asked, GraphError};
use super::wire::addressee::{Collection, WireAddressee};
use super::wire::audit::WireAudit;
use super::wire::failure::WireError;
use super::wire::user::{WireUser, foreign_collection};
use super::wire::{LinkUrl, Rejected, Rejection, json_fault};
use crate::domain::time::Instant;

/// Largest answer that is read, in bytes.
pub const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A page of a plain listing.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    /// The server's `Date`.
    pub at: Instant,
    /// What the page holds, in its order.
    pub items: Vec<T>,
    /// Items that are not what the list should hold.
    pub rejected: Vec<Rejected>,
    /// Where the next page is; `None` on the last one.
    pub next: Option<LinkUrl>,
}

/// A page before its items are read.
#[derive(Debug)]
pub(crate) struct RawPage {
    pub items: Vec<Value>,
    pub next: Option<LinkUrl>,
    pub delta: Option<LinkUrl>,
    context: Option<String>,
}

#[derive(serde::Deserialize)]
struct WirePage {
    #[serde(rename = "@odata.context")]
    context: Option<String>,
    #[serde(rename = "@odata.nextLink")]
    next_link: Option<String>,
    #[serde(rename = "@odata.deltaLink")]
    delta_link: Option<String>,
    value: Option<Vec<Value>>,
    error: Option<Value>,
}

impl RawPage {
    /// Parses the body of a 200. An error object in it, or no `value`, is an error and never an empty page.
    pub fn parse(asked: &Asked, body: &[u8]) -> Result<Self, GraphError> {
        let malformed = |why: String| GraphError::Malformed { asked: asked.clone(), why };
        let page: WirePage = serde_json::from_slice(body).map_err(|error| malformed(json_fault(&error)))?;
        if let Some(error) = &page.error {
            return Err(GraphError::of_failure(asked.clone(), 200, WireError::of_object(error), None, 1));
        }
        Ok(Self {
            items: page.value.ok_or_else(|| malformed("it has no \"value\"".to_owned()))?,
            next: page.next_link.map(LinkUrl::from),
            delta: page.delta_link.map(LinkUrl::from),
            context: page.context,
        })
    }

    /// Reads every item; what is refused is kept with its reason.
    pub(super) fn read<T>(&self, read: impl Fn(usize, &Value) -> Result<T, Rejected>) -> (Vec<T>, Vec<Rejected>) {
        let (mut items, mut rejected) = (Vec::new(), Vec::new());
        for (index, item) in self.items.iter().enumerate() {
            match read(index, item) {
                Ok(item) => items.push(item),
                Err(refusal) => rejected.push(refusal),
            }
        }
        (items, rejected)
    }

    /// Reads every item as a user.
    pub fn read_users(&self) -> (Vec<WireUser>, Vec<Rejected>) {
        self.read(|index, item| {
            let foreign = self.context.as_deref().and_then(foreign_collection);
            let foreign = foreign.map(|found| Rejected { index, id: None, why: Rejection::OtherType { found } });
            foreign.map_or_else(|| WireUser::read(index, item), Err)
        })
    }
}

/// Reads a page of users from the body of a 200 that was dated `at`. Its link is checked to lead to this very Graph.
pub fn users_page(
    endpoints: &Endpoints,
    asked: &Asked,
    at: Instant,
    body: &[u8],
) -> Result<Page<WireUser>, GraphError> {
    let page = RawPage::parse(asked, body)?;
    let (items, rejected) = page.read_users();
    Page { at, items, rejected, next: page.next }.pinned(endpoints)
}

/// Reads a page of groups or contacts, likewise.
pub fn addressees_page(
    endpoints: &Endpoints,
    asked: &Asked,
    collection: Collection,
    at: Instant,
    body: &[u8],
) -> Result<Page<WireAddressee>, GraphError> {
    let page = RawPage::parse(asked, body)?;
    let (items, rejected) = page.read(|index, item| WireAddressee::read(collection, index, item));
    Page { at, items, rejected, next: page.next }.pinned(endpoints)
}

/// Reads a page of the audit log, likewise.
pub fn audits_page(
    endpoints: &Endpoints,
    asked: &Asked,
    at: Instant,
    body: &[u8],
) -> Result<Page<WireAudit>, GraphError> {
    let page = RawPage::parse(asked, body)?;
    let (items, rejected) = page.read(WireAudit::read);
    Page { at, items, rejected, next: page.next }.pinned(endpoints)
}

impl<T> Page<T> {
    /// The same page with each item made into something else, given the page's date.
    pub fn map<U>(self, into: impl Fn(Instant, &T) -> U) -> Page<U> {
        let Self { at, items, rejected, next } = self;
        Page { at, items: items.iter().map(|item| into(at, item)).collect(), rejected, next }
    }

    fn pinned(self, endpoints: &Endpoints) -> Result<Self, GraphError> {
        if let Some(next) = &self.next {
            endpoints.own(next.as_str())?;
        }
        Ok(self)
    }
}
