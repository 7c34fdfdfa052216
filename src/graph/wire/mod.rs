//! What Graph and its neighbours send, as they send it: distinct from the domain's types and from the stored ones.
//!
//! Every item of a list is read on its own and refused with a reason if it is not what the list should hold: Graph was
//! seen to answer 200 with an error object in place of a user, and its documents show items without an id.

pub mod addressee;
pub mod audit;
pub mod batch;
pub mod failure;
pub mod other;
pub mod token;
pub mod user;

use std::fmt;

use serde_json::{Map, Value};

use crate::domain::id::ObjectId;

/// An item of a list that is not what the list should hold. It is reported, never dropped silently.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("item {place} is refused: {why}", place = Place(*.index, *.id))]
pub struct Rejected {
    /// Its place on the page, from 0.
    pub index: usize,
    /// Its object id, if it has one.
    pub id: Option<ObjectId>,
    /// Why.
    pub why: Rejection,
}

/// Why an item was refused. Names never stand in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Not a JSON object.
    #[error("it is no JSON object")]
    NoObject,
    /// An error object stands in place of the item, inside a 200.
    #[error("it is an error object ({code}) in place of an item")]
    ErrorObject {
        /// The error's code.
        code: String,
    },
    /// Without `id` nothing identifies it; an id is never invented.
    #[error("it has no id")]
    NoId,
    /// `id` is not a GUID.
    #[error("its id is not a GUID")]
    BadId,
    /// Another kind of object.
    #[error("it is a {found}, not a user")]
    OtherType {
        /// `@odata.type` without `#microsoft.graph.`, or what its collection or properties tell.
        found: String,
    },
    /// A property has another JSON type than it should.
    #[error("its {property} has an unexpected JSON type")]
    BadProperty {
        /// Which property.
        property: &'static str,
    },
    /// `@removed` with a reason other than `changed` and `deleted`.
    #[error("its @removed has no known reason")]
    UnknownRemoval,
    /// An audit event that says no activity.
    #[error("it names no activity")]
    NoActivity,
}

/// A link that Graph gave out, kept byte for byte. It carries a token, so `Debug` conceals it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct LinkUrl(String);

impl LinkUrl {
    /// The link as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The link as it was given.
    pub fn into_string(self) -> String {
        self.0
    }
}

impl From<String> for LinkUrl {
    fn from(link: String) -> Self {
        Self(link)
    }
}

impl From<&str> for LinkUrl {
    fn from(link: &str) -> Self {
        Self(link.to_owned())
    }
}

impl fmt::Debug for LinkUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkUrl(…)")
    }
}

struct Place(usize, Option<ObjectId>);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            Some(id) => write!(f, "{} (object {id})", self.0),
            None => write!(f, "{}", self.0),
        }
    }
}

/// A text property: absent and null are both `None`.
pub(crate) fn text(item: &Map<String, Value>, property: &'static str) -> Result<Option<String>, Rejection> {
    match item.get(property) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Rejection::BadProperty { property }),
    }
}

/// What is wrong with a JSON text, without quoting it: serde's own words for a wrong type repeat the value.
pub(crate) fn json_fault(error: &serde_json::Error) -> String {
    match error.classify() {
        serde_json::error::Category::Data => {
            format!("unexpected JSON type at line {} column {}", error.line(), error.column())
        }
        _ => error.to_string(),
    }
}
