//! The smallest requests that show whether sign-in, Graph and each permission work, for whoever looks for a fault.

use reqwest::Client;
use url::Url;

use super::{GraphClient, innermost};
use crate::domain::time::Instant;
use crate::graph::cloud::host_of;
use crate::graph::error::{Asked, GraphError};
use crate::graph::urls;
use crate::graph::wire::addressee::Collection;

/// What a host says to somebody without a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// The HTTP status.
    pub status: u16,
    /// Its `Date`: whole seconds. Whatever stands between may have left it out.
    pub at: Option<Instant>,
}

/// What an application may be permitted to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readable {
    /// The users' delta feed.
    Users,
    /// The recycle bin.
    DeletedUsers,
    /// The groups or the contacts.
    Addressees(Collection),
    /// The audit log.
    Audits,
}

impl GraphClient {
    /// Asks the sign-in for what it tells everybody of the tenant. A tenant that it does not know is
    /// [`GraphError::TokenRefused`]; any other answer shows that it can be reached.
    pub async fn greet_login(&self) -> Result<Greeting, GraphError> {
        let sign_in = self.tokens.sign_in();
        let mut url = self.endpoints.login().clone();
        url.set_path(&format!("/{}/v2.0/.well-known/openid-configuration", sign_in.tenant));
        let (greeting, body) = greet(&self.http, url).await?;
        match GraphError::of_token_refusal(&sign_in.client_id, &body) {
            Some(refused) if greeting.status >= 400 => Err(refused),
            _ => Ok(greeting),
        }
    }

    /// Asks Graph for anything, without a token: it refuses, and so shows that it can be reached.
    pub async fn greet_graph(&self) -> Result<Greeting, GraphError> {
        greet(&self.http, self.url("/organization")?).await.map(|(greeting, _)| greeting)
    }

    /// Gets a token and keeps it.
    pub async fn sign_in(&self) -> Result<(), GraphError> {
        self.tokens.get().await.map(|_| ())
    }

    /// Reads as little of it as can be asked for. The answer's items are not looked at.
    pub async fn may_read(&self, what: Readable) -> Result<(), GraphError> {
        let (asked, path) = match what {
            Readable::Users => (Asked::UsersDelta, urls::delta_from_now(&self.selected)),
            Readable::DeletedUsers => (Asked::DeletedUsers, urls::one_deleted_user()),
            Readable::Addressees(collection) => (Asked::Addressees(collection), urls::one_addressee(collection)),
            Readable::Audits => (Asked::Audits, urls::one_audit()),
        };
        self.get(&asked, self.url(&path)?).await.map(|_| ())
    }
}

/// How much of a greeting is read, in bytes.
const GREETING_BYTES_MAX: usize = 64 << 10;

async fn greet(http: &Client, url: Url) -> Result<(Greeting, Vec<u8>), GraphError> {
    let host = host_of(&url);
    let broken = |error: reqwest::Error| GraphError::Unreachable {
        host: host.clone(),
        asked: "a first answer".to_owned(),
        source: innermost(&error.without_url()).into(),
    };
    let mut response = http.get(url).send().await.map_err(broken)?;
    let date = response.headers().get("date").and_then(|date| date.to_str().ok());
    let at = date.and_then(|date| chrono::DateTime::parse_from_rfc2822(date.trim()).ok());
    let greeting = Greeting { status: response.status().as_u16(), at: at.map(|at| Instant::from(at.to_utc())) };
    let mut body = Vec::new();
    while body.len() < GREETING_BYTES_MAX {
        match response.chunk().await.map_err(broken)? {
            Some(chunk) => body.extend_from_slice(&chunk),
            None => break,
        }
    }
    Ok((greeting, body))
}
