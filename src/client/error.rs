//! Why a service did not answer what was asked.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::service::runs::RunAnswer;

/// Any cause.
type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why there is no answer. No message holds a token, a name in a URL, or a body.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The URL is none of a service.
    #[error("use the service's URL: {why}")]
    Address {
        /// What is wrong with it.
        why: String,
    },
    /// The token cannot be sent.
    #[error("use the token: {0}")]
    Token(&'static str),
    /// The file with root certificates cannot be used.
    #[error("read the certificates in {}", .file.display())]
    Certificates {
        /// Which file.
        file: PathBuf,
        /// Why.
        source: Cause,
    },
    /// The client or a request could not be made.
    #[error("make the request")]
    Setup {
        /// Why.
        source: Cause,
    },
    /// Something is called so that it cannot stand in a URL.
    #[error("ask about {name:?}: it cannot stand in a URL, so ask where the ledger is")]
    Unaskable {
        /// What it is called.
        name: String,
    },
    /// Nobody is there, or the connection broke.
    #[error("reach the service at {origin}")]
    Unreachable {
        /// Where it was looked for.
        origin: String,
        /// Why.
        source: Cause,
    },
    /// It took too long.
    #[error("get an answer from {origin} within {} s", .patience.as_secs_f32())]
    Unanswered {
        /// Who was asked.
        origin: String,
        /// How long it had.
        patience: Duration,
    },
    /// The answer ended before its end.
    #[error("read the answer of {origin} to its end: it broke off")]
    BrokenOff {
        /// Who was asked.
        origin: String,
        /// Why, if that is known.
        source: Option<Cause>,
    },
    /// Whoever answers is no service of whowas, or one of another kind.
    #[error("understand what answers at {origin}: {why}")]
    NotOurs {
        /// Who was asked.
        origin: String,
        /// What is odd about the answer.
        why: String,
    },
    /// The service said no.
    #[error("{0}")]
    Refused(Box<Problem>),
}

/// A failure as the service tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// A word on which programs may rely, such as `unknown_snapshot`. A newer service may have words that this client does not
    /// know.
    pub code: String,
    /// What happened, where.
    pub detail: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// What is under way, where that stands in the way.
    pub running: Option<Value>,
    /// After how long to try again.
    pub retry_after: Option<Duration>,
    /// Under which id the service's log has it.
    pub request: Option<String>,
}

impl ClientError {
    /// What the service said, if it said no.
    pub fn problem(&self) -> Option<&Problem> {
        if let Self::Refused(problem) = self { Some(problem) } else { None }
    }

    /// Whether the service said no with this word.
    pub fn is(&self, code: &str) -> bool {
        self.problem().is_some_and(|problem| problem.code == code)
    }

    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Refused(problem) => return problem.hint.clone(),
            Self::Unreachable { source, .. } if is_no_tls(source.as_ref()) => {
                "what answers there speaks no TLS; `whowas serve` without tls_cert is asked by http://, and only on its own machine"
            }
            Self::Unreachable { .. } => "is `whowas serve` running there, and does no firewall stand in between?",
            Self::Unanswered { .. } => "the service, or the directory behind it, is slow; ask again, or fewer at once",
            Self::BrokenOff { .. } => "ask again; the service's log may tell why it broke off",
            Self::NotOurs { .. } => "is the URL that of `whowas serve`, in about the same version as this program?",
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

/// Whether the other side answered a TLS greeting with something else.
fn is_no_tls(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut causes = std::iter::successors(Some(error), |error| error.source());
    causes.any(|cause| cause.to_string().contains("InvalidContentType"))
}

impl Problem {
    /// The run that is under way.
    pub fn running(&self) -> Option<RunAnswer> {
        self.running.as_ref().and_then(|running| serde_json::from_value(running.clone()).ok())
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.request {
            Some(request) => write!(f, "{} ({}, request {request})", self.detail, self.code),
            None => write!(f, "{} ({})", self.detail, self.code),
        }
    }
}
