//! An answer before it becomes bytes, and Graph's error envelope.

use serde_json::{Value, json};

use super::refusal::Refusal;

/// What every body says it is.
pub(super) const JSON: &str = "application/json;odata.metadata=minimal;odata.streaming=true;charset=utf-8";

/// Status, headers and JSON body.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Option<Value>,
}

impl Answer {
    pub(super) fn ok(body: Value) -> Self {
        Self::with_status(200, body)
    }

    pub(super) fn with_status(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), body: Some(body) }
    }

    pub(super) fn no_content() -> Self {
        Self { status: 204, headers: Vec::new(), body: None }
    }

    /// An error envelope; `innerError` is filled in when the answer leaves.
    pub(super) fn error(status: u16, code: &str, message: &str) -> Self {
        Self::with_status(status, json!({ "error": { "code": code, "message": message } }))
    }

    pub(super) fn bad_request(message: &str) -> Self {
        Self::error(400, "Request_BadRequest", message)
    }

    pub(super) fn unsupported_query(message: &str) -> Self {
        Self::error(400, "Request_UnsupportedQuery", message)
    }

    /// What a live read says of anything that is not live: it does not tell whether it ever was.
    pub(super) fn not_found(key: &str) -> Self {
        let message = format!(
            "Resource '{key}' does not exist or one of its queried reference-property objects are not present."
        );
        Self::error(404, "Request_ResourceNotFound", &message)
    }

    #[must_use]
    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::ObjectConflict { property } => {
                let message = format!("Another object with the same value for property {property} already exists.");
                let detail = json!({ "code": "ObjectConflict", "message": message, "target": property });
                let error = json!({ "code": "Request_BadRequest", "message": message, "details": [detail] });
                Self::with_status(400, json!({ "error": error }))
            }
            Refusal::NotFound(id) | Refusal::NotDeleted(id) => Self::not_found(&id.to_string()),
            Refusal::UnknownUser(who) => Self::not_found(&who),
            Refusal::NoMailbox(_) => {
                let message = "The mailbox is either inactive, soft-deleted, or is hosted on-premise.";
                Self::error(404, "MailboxNotEnabledForRESTAPI", message)
            }
            Refusal::NoMessage(_) => {
                Self::error(404, "ErrorItemNotFound", "The specified object was not found in the store.")
            }
            Refusal::InvalidValue { property, .. } => {
                let message = format!("Invalid value specified for property '{property}' of resource 'User'.");
                let detail = json!({ "code": "InvalidValue", "message": message, "target": property });
                let error = json!({ "code": "Request_BadRequest", "message": message, "details": [detail] });
                Self::with_status(400, json!({ "error": error }))
            }
            Refusal::ClockBack { .. } => Self::bad_request(&refusal.to_string()),
        }
    }
}
