//! Reading answers: the good ones as what they are, the others as problems, and whatever is neither as such.

use std::time::Duration;

use reqwest::Response;
use reqwest::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ClientError, Problem, wait_of};
use crate::domain::id::{Sequence, TenantId};
use crate::domain::time::Instant;
use crate::service::check::CheckAnswer;
use crate::service::runs::RunAnswer;
use crate::store::Hash;

/// Longest problem that is read, in bytes, and how much of its texts is kept.
const PROBLEM_BYTES_MAX: usize = 1 << 20;
const TEXT_CHARS_MAX: usize = 4_000;

/// The answer to one of many asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Answered {
    /// The verdict.
    Verdict(Box<CheckAnswer>),
    /// The service could not read the ask.
    Refused {
        /// Its place among the asks, from 0.
        index: usize,
        /// What is wrong with it.
        error: String,
    },
}

/// One commit of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JournalEntry {
    /// Its number.
    pub sequence: Sequence,
    /// The hash of the commit before.
    pub previous: Hash,
    /// Its own hash.
    pub hash: Hash,
    /// When it was recorded.
    pub recorded: Instant,
    /// Its facts, as they are told.
    pub facts: Vec<Value>,
    /// The run that ended with it.
    pub run: Option<RunAnswer>,
}

/// A page of the log of who asked what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AccessPage {
    /// The requests, newest first.
    pub items: Vec<AccessEntry>,
    /// Where the next page begins.
    pub cursor: Option<String>,
}

/// One request in the log of who asked what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AccessEntry {
    /// When.
    pub at: Instant,
    /// The request's id.
    pub request: String,
    /// The token's id; `null` if the request had no good one.
    pub token: Option<String>,
    /// The token's role.
    pub role: Option<String>,
    /// The tenant asked about.
    pub tenant: Option<TenantId>,
    /// The method.
    pub method: String,
    /// The route, without what stood in its places.
    pub route: String,
    /// The status of the answer.
    pub status: u16,
    /// Whom and what it was about.
    pub subjects: Vec<String>,
    /// How many more it was about than are named.
    #[serde(default)]
    pub more: u64,
}

/// How answers are read.
#[derive(Clone, Copy)]
pub(super) struct Read<'a> {
    pub origin: &'a str,
    pub bytes_max: usize,
    pub patience: Duration,
}

impl Read<'_> {
    /// A whole JSON answer.
    pub async fn json<T: DeserializeOwned>(self, response: Response) -> Result<T, ClientError> {
        self.must_be(&response, "application/json")?;
        let body = self.body(response, self.bytes_max).await?;
        serde_json::from_slice(&body).map_err(|error| self.misread(&error))
    }

    /// Refuses an answer of another media type.
    pub fn must_be(self, response: &Response, wanted: &str) -> Result<(), ClientError> {
        match essence(response) {
            Some(found) if found == wanted => Ok(()),
            found => Err(self.odd(format!("it answers with {}, not {wanted}", shown(found.as_deref())))),
        }
    }

    /// What a bad answer says.
    pub async fn refusal(self, response: Response) -> ClientError {
        let status = response.status().as_u16();
        let kind = essence(&response);
        if (300..400).contains(&status) {
            return self.odd(format!("it redirects ({status}), which is not followed; give the URL that it leads to"));
        }
        if kind.as_deref() != Some("application/problem+json") {
            return self.odd(format!("it answers {status} with {}", shown(kind.as_deref())));
        }
        let (request, retry_after) = (request_id(&response), wait_of(&response));
        let body = match self.body(response, PROBLEM_BYTES_MAX).await {
            Ok(body) => body,
            Err(error) => return error,
        };
        match serde_json::from_slice::<Written>(&body) {
            Ok(Written { code, detail, hint, running }) => ClientError::Refused(Box::new(Problem {
                status,
                code: plain(&code),
                detail: plain(&detail),
                hint: hint.as_deref().map(plain),
                running,
                retry_after,
                request,
            })),
            Err(_) => self.odd(format!("it answers {status} with a problem that has no code")),
        }
    }

    /// Why no answer came.
    pub fn unreached(self, error: reqwest::Error) -> ClientError {
        let origin = self.origin.to_owned();
        if error.is_timeout() && !error.is_connect() {
            return ClientError::Unanswered { origin, patience: self.patience };
        }
        // The URL holds names.
        ClientError::Unreachable { origin, source: error.without_url().into() }
    }

    /// Why an answer that had begun did not come to its end.
    pub fn broken(self, error: reqwest::Error) -> ClientError {
        let origin = self.origin.to_owned();
        if error.is_timeout() {
            return ClientError::Unanswered { origin, patience: self.patience };
        }
        ClientError::BrokenOff { origin, source: Some(error.without_url().into()) }
    }

    /// What is no such JSON, without quoting it.
    pub fn misread(self, error: &serde_json::Error) -> ClientError {
        let text = error.to_string();
        let what = match error.classify() {
            serde_json::error::Category::Data => text.split(" at line ").next().unwrap_or_default().to_owned(),
            _ => "it is no JSON".to_owned(),
        };
        self.odd(format!("its answer cannot be read: {}", plain(&what)))
    }

    /// An answer that is none of ours.
    pub fn odd(self, why: String) -> ClientError {
        ClientError::NotOurs { origin: self.origin.to_owned(), why }
    }

    async fn body(self, mut response: Response, longest: usize) -> Result<Vec<u8>, ClientError> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.broken(error))? {
            if body.len() + chunk.len() > longest {
                return Err(self.odd(format!("its answer is longer than {longest} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

/// The id under which the service's log has a request.
pub(super) fn request_id(response: &Response) -> Option<String> {
    response.headers().get("x-request-id")?.to_str().ok().map(plain)
}

/// A problem as it is written; a newer service may write more.
#[derive(Deserialize)]
struct Written {
    code: String,
    #[serde(default)]
    detail: String,
    #[serde(default)]
    hint: Option<String>,
    #[serde(default)]
    running: Option<Value>,
}

fn essence(response: &Response) -> Option<String> {
    let kind = response.headers().get(CONTENT_TYPE)?.to_str().ok()?;
    Some(kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

fn shown(kind: Option<&str>) -> String {
    kind.map_or_else(|| "no media type".to_owned(), plain)
}

/// Text from elsewhere as it may go to a terminal: of bounded length, and without what a terminal would act on.
fn plain(text: &str) -> String {
    let keep = |letter: &char| !letter.is_control();
    text.chars().filter(keep).take(TEXT_CHARS_MAX).collect()
}
