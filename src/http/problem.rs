//! Failures as RFC 9457 problem documents, each with a code that stays. The one place where an error becomes an HTTP status.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use crate::ledger::LedgerError;
use crate::service::evidence::EvidenceError;
use crate::service::parts::word_of;
use crate::store::StoreError;
use crate::sync::{SyncError, with_causes};

/// The media type of a problem document.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// What went wrong, as a word on which programs may rely.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// There is no token, or it is not known.
    Unauthenticated,
    /// The token's time is over.
    TokenExpired,
    /// The token was taken back.
    TokenRevoked,
    /// The token's role may not do this.
    RoleForbidden,
    /// The token is not for this tenant.
    TenantForbidden,
    /// The request did not come from a page of this service.
    CrossSite,
    /// There is no such route.
    UnknownRoute,
    /// The route does not know this method.
    MethodNotAllowed,
    /// The ledger has no such tenant.
    UnknownTenant,
    /// The ledger has no such object.
    UnknownObject,
    /// The ledger has no such chain.
    UnknownChain,
    /// The ledger has no such snapshot.
    UnknownSnapshot,
    /// The ledger has no such finding.
    UnknownFinding,
    /// The run log has no such run.
    UnknownRun,
    /// The ledger has no such commit.
    UnknownCommit,
    /// A parameter in the path or the query cannot be read.
    InvalidParameter,
    /// The body cannot be read.
    InvalidBody,
    /// The body is of another media type.
    UnsupportedMediaType,
    /// The body is too large.
    BodyTooLarge,
    /// Nobody waits so long for a request or an answer.
    Timeout,
    /// The snapshot's id was used before for something else.
    SnapshotConflict,
    /// A sync of this tenant is running.
    SyncRunning,
    /// No such run is held.
    NotHeld,
    /// New evidence has withdrawn the finding.
    FindingWithdrawn,
    /// The tenant is not configured here, so its directory cannot be read.
    NotConfigured,
    /// A fact of an older commit cannot be shown singly.
    NotProvable,
    /// Too many requests.
    RateLimited,
    /// The directory could not be read.
    DirectoryUnreachable,
    /// The ledger cannot be written.
    LedgerUnavailable,
    /// The log of who asked what cannot be written, so nothing is shown.
    AccessLogUnavailable,
    /// The service is about to end.
    Stopping,
    /// A fault of ours.
    Internal,
}

/// A failure on its way out.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The code.
    pub code: Code,
    /// What, where.
    pub detail: String,
    /// What to do.
    pub hint: Option<String>,
    /// The run that is under way, in an answer that it stands in the way.
    pub running: Option<Box<serde_json::Value>>,
    /// After how many seconds to try again.
    pub retry_after: Option<u64>,
}

/// A problem as it is written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// `urn:whowas:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The code in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// The code.
    pub code: Code,
    /// What happened, where.
    pub detail: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The run that is under way, where one stands in the way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub running: Option<serde_json::Value>,
}

impl Code {
    /// The status and the title.
    pub fn meaning(self) -> (StatusCode, &'static str) {
        match self {
            Self::Unauthenticated => (StatusCode::UNAUTHORIZED, "A token is needed"),
            Self::TokenExpired => (StatusCode::UNAUTHORIZED, "The token has expired"),
            Self::TokenRevoked => (StatusCode::UNAUTHORIZED, "The token was revoked"),
            Self::RoleForbidden => (StatusCode::FORBIDDEN, "The token's role may not do this"),
            Self::TenantForbidden => (StatusCode::FORBIDDEN, "The token is not for this tenant"),
            Self::CrossSite => (StatusCode::FORBIDDEN, "The request came from elsewhere"),
            Self::UnknownRoute => (StatusCode::NOT_FOUND, "There is no such route"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "The route does not know this method"),
            Self::UnknownTenant => (StatusCode::NOT_FOUND, "There is no such tenant"),
            Self::UnknownObject => (StatusCode::NOT_FOUND, "There is no such object"),
            Self::UnknownChain => (StatusCode::NOT_FOUND, "There is no such chain"),
            Self::UnknownSnapshot => (StatusCode::NOT_FOUND, "There is no such snapshot"),
            Self::UnknownFinding => (StatusCode::NOT_FOUND, "There is no such finding"),
            Self::UnknownRun => (StatusCode::NOT_FOUND, "There is no such run"),
            Self::UnknownCommit => (StatusCode::NOT_FOUND, "There is no such commit"),
            Self::InvalidParameter => (StatusCode::BAD_REQUEST, "A parameter cannot be read"),
            Self::InvalidBody => (StatusCode::BAD_REQUEST, "The body cannot be read"),
            Self::UnsupportedMediaType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "The body is of another media type"),
            Self::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "The body is too large"),
            Self::Timeout => (StatusCode::REQUEST_TIMEOUT, "It took too long"),
            Self::SnapshotConflict => (StatusCode::CONFLICT, "The snapshot is recorded with other data"),
            Self::SyncRunning => (StatusCode::CONFLICT, "A sync of this tenant is running"),
            Self::NotHeld => (StatusCode::CONFLICT, "No such run is held"),
            Self::FindingWithdrawn => (StatusCode::CONFLICT, "The finding was withdrawn"),
            Self::NotConfigured => (StatusCode::CONFLICT, "The tenant is not configured"),
            Self::NotProvable => (StatusCode::CONFLICT, "A fact cannot be shown"),
            Self::RateLimited => (StatusCode::TOO_MANY_REQUESTS, "Too many requests"),
            Self::DirectoryUnreachable => (StatusCode::BAD_GATEWAY, "The directory could not be read"),
            Self::LedgerUnavailable => (StatusCode::SERVICE_UNAVAILABLE, "The ledger cannot be written"),
            Self::AccessLogUnavailable => (StatusCode::SERVICE_UNAVAILABLE, "The access log cannot be written"),
            Self::Stopping => (StatusCode::SERVICE_UNAVAILABLE, "The service is about to end"),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "A fault of the service"),
        }
    }

    /// The code as it is written.
    pub fn word(self) -> String {
        word_of(&self)
    }
}

impl Problem {
    /// A problem of this kind.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), hint: None, running: None, retry_after: None }
    }

    /// The same with what to do about it.
    #[must_use]
    pub fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// A parameter that cannot be read.
    pub fn parameter(name: &str, why: impl std::fmt::Display) -> Self {
        Self::new(Code::InvalidParameter, format!("{name}: {why}"))
    }

    /// A fault of ours. What it was goes to the log and not to whoever asked.
    pub fn internal(error: &dyn std::error::Error) -> Self {
        tracing::error!(error = %with_causes(error), "a request failed");
        Self::new(Code::Internal, "the service failed; its log tells why, under the request's id")
    }

    /// The document.
    pub fn body(&self) -> ProblemBody {
        let (status, title) = self.code.meaning();
        ProblemBody {
            kind: format!("urn:whowas:problem:{}", self.code.word()),
            title: title.to_owned(),
            status: status.as_u16(),
            code: self.code,
            detail: self.detail.clone(),
            hint: self.hint.clone(),
            running: self.running.as_deref().cloned(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, _) = self.code.meaning();
        let body = serde_json::to_vec(&self.body()).unwrap_or_default();
        let mut response = (status, [(header::CONTENT_TYPE, MEDIA_TYPE)], body).into_response();
        let headers = response.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"whowas\""));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        // Whoever looks at answers on their way out sees what it was.
        response.extensions_mut().insert(self.code);
        response
    }
}

impl From<LedgerError> for Problem {
    fn from(error: LedgerError) -> Self {
        let code = match &error {
            LedgerError::SnapshotConflict { .. } => Code::SnapshotConflict,
            LedgerError::NoSnapshot { .. } => Code::UnknownSnapshot,
            LedgerError::SnapshotBackward { .. }
            | LedgerError::SnapshotAhead { .. }
            | LedgerError::LinkToSelf { .. } => Code::InvalidBody,
            LedgerError::NoFinding { .. } => Code::UnknownFinding,
            LedgerError::FindingWithdrawn { .. } => Code::FindingWithdrawn,
            LedgerError::NoSuchCommit { .. } => Code::UnknownCommit,
            LedgerError::Store(error) => return store(error),
            // What only the command line does.
            LedgerError::NoLink { .. } | LedgerError::NoObject { .. } => return Self::internal(&error),
        };
        Self::new(code, error.to_string())
    }
}

impl From<EvidenceError> for Problem {
    fn from(error: EvidenceError) -> Self {
        match error {
            EvidenceError::Ledger(error) => error.into(),
            EvidenceError::Hidden { .. } => Self::new(Code::NotProvable, error.to_string()),
            EvidenceError::Empty { .. } => Self::new(Code::UnknownCommit, error.to_string()),
            // These speak of the place of the keys, which is the operator's to know.
            error => {
                tracing::error!(error = %with_causes(&error), "evidence cannot be made");
                let detail = "the service cannot use the key with which it signs checkpoints";
                Self::new(Code::Internal, detail).with_hint("tell the operator; the service's log says more")
            }
        }
    }
}

fn store(error: &StoreError) -> Problem {
    match error {
        StoreError::DiskFull { .. } | StoreError::Stopped { .. } | StoreError::NeedsRebuild { .. } => {
            // These speak of the ledger's path and of the disk, which is the operator's to know.
            tracing::error!(error = %with_causes(error), "the ledger cannot be written");
            let detail = match error {
                StoreError::DiskFull { .. } => "there is no room left on the ledger's disk; nothing was recorded",
                _ => "the ledger has stopped writing after a failure; nothing was recorded, and questions are answered",
            };
            let problem = Problem::new(Code::LedgerUnavailable, detail);
            Problem { retry_after: Some(30), ..problem.with_hint("tell the operator; the service's log says more") }
        }
        StoreError::TooLarge { .. } => Problem::new(Code::InvalidBody, error.to_string()),
        _ => Problem::internal(error),
    }
}

impl From<SyncError> for Problem {
    fn from(error: SyncError) -> Self {
        let hint = error.hint();
        let problem = match error {
            SyncError::Ledger(error) => return error.into(),
            SyncError::NotHeld { .. } => Self::new(Code::NotHeld, error.to_string()),
            SyncError::Stopped => Self::new(Code::Stopping, "the service is about to end; ask again"),
            SyncError::Thread(_) => Self::internal(&error),
            _ => Self::new(Code::DirectoryUnreachable, with_causes(&error)),
        };
        Self { hint: problem.hint.or(hint), ..problem }
    }
}

impl From<tokio::task::JoinError> for Problem {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::internal(&error)
    }
}

/// Tells in the document how an operation fails.
pub fn describe(operation: &mut utoipa::openapi::path::Operation) {
    use utoipa::openapi::{ContentBuilder, Ref, ResponseBuilder};
    let shown = || ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    let problem = ResponseBuilder::new()
        .description("What went wrong, as RFC 9457 has it; `code` is a word on which programs may rely")
        .content(MEDIA_TYPE, shown())
        .build();
    for status in ["400", "401", "403", "404", "408", "409", "413", "415", "429", "500", "502", "503"] {
        operation.responses.responses.entry(status.to_owned()).or_insert_with(|| problem.clone().into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_problem_is_written_as_the_rfc_wants_it() {
        let problem = Problem { retry_after: Some(7), ..Problem::new(Code::RateLimited, "slower").with_hint("wait") };
        let response = problem.into_response();
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()["content-type"], MEDIA_TYPE);
        assert_eq!(response.headers()["retry-after"], "7");
        let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["type"], "urn:whowas:problem:rate_limited");
        assert_eq!((&body["status"], &body["code"]), (&429.into(), &"rate_limited".into()));
        assert_eq!((&body["detail"], &body["hint"]), (&"slower".into(), &"wait".into()));
    }
}
