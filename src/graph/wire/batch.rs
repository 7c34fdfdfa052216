//! `$batch`: up to twenty requests in one, answered in any order (graph: concepts/json-batching.md).

use std::collections::BTreeMap;

use serde_json::Value;

/// Most requests that one batch may hold.
pub const BATCH_MAX: usize = 20;

/// The body of `POST /$batch`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct BatchRequest {
    /// The requests; their order means nothing.
    pub requests: Vec<BatchPart>,
}

/// One request of a batch.
#[derive(Clone, PartialEq, Eq, serde::Serialize)]
pub struct BatchPart {
    /// What the answer is matched by.
    pub id: String,
    /// `GET`.
    pub method: &'static str,
    /// Relative to the version's root, for example `/users/…`.
    pub url: String,
}

/// The answer of a batch. The outer status 200 says nothing about the parts.
#[derive(Clone, Debug, PartialEq, serde::Deserialize)]
pub struct BatchResponse {
    /// The answers, in any order.
    pub responses: Vec<BatchAnswer>,
}

/// The answer to one request of a batch.
#[derive(Clone, PartialEq, serde::Deserialize)]
pub struct BatchAnswer {
    /// The request's id.
    pub id: String,
    /// Its HTTP status.
    pub status: u16,
    /// Its headers; some gateways send numbers as values.
    #[serde(default)]
    pub headers: Option<BTreeMap<String, Value>>,
    /// Its body; null for 204.
    #[serde(default)]
    pub body: Option<Value>,
}

impl BatchAnswer {
    /// A header, whatever the letter case of its name.
    pub fn header(&self, name: &str) -> Option<String> {
        let headers = self.headers.as_ref()?;
        let (_, value) = headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }
}

/// The URL can hold a name, so only the id is shown.
impl std::fmt::Debug for BatchPart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BatchPart").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The body can hold names, so only id and status are shown.
impl std::fmt::Debug for BatchAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BatchAnswer").field("id", &self.id).field("status", &self.status).finish_non_exhaustive()
    }
}
