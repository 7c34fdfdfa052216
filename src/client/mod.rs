//! A typed client of `whowas serve`: one method a route, the same answers as the command line prints.
//!
//! The token goes to the service and nowhere else: redirects are not followed, and plain http is spoken to this machine
//! only. A request that can be made twice is made again, a few times and not for ever, when the service asks for that.
//!
//! ```no_run
//! use whowas::client::{Client, ClientOptions};
//! use whowas::service::check::CheckRequest;
//!
//! # async fn ask() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::new("https://whowas.example:8787", &std::env::var("WHOWAS_TOKEN")?, ClientOptions::default())?;
//! let ask = CheckRequest { name: Some("ann@contoso.com".parse()?), ..CheckRequest::default() };
//! let answer = client.tenant("contoso").check(&ask, &Default::default()).await?;
//! println!("{:?}: open {:?}", answer.action, answer.open);
//! # Ok(())
//! # }
//! ```

mod address;
mod answer;
mod error;
mod items;
mod routes;
mod split;
#[cfg(all(test, feature = "emulator"))]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderValue, RETRY_AFTER};
use reqwest::{Certificate, Method, RequestBuilder, Response, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

use address::Address;
use answer::Read;

pub use crate::service::evidence::CheckpointAnswer as Checkpoint;
pub use answer::{AccessEntry, AccessPage, Answered, JournalEntry};
pub use error::{ClientError, Problem};
pub use items::Items;
pub use routes::{Asking, SyncWanted, Tenant};

use crate::domain::time::Instant;

/// How often a request is made before it counts as failed, the first attempt included.
const ATTEMPTS_MAX: u32 = 5;

/// How the client behaves. The defaults suit a person or an agent who waits.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// Time to connect.
    pub connect_timeout: Duration,
    /// Time for one whole answer, and for each pause within one that is streamed.
    pub answer_timeout: Duration,
    /// How long it may wait in all because the service asks for it, before a request counts as failed.
    pub patience: Duration,
    /// Largest answer that is read, in bytes; of a streamed one, each item.
    pub body_bytes_max: usize,
    /// A PEM file with further root certificates, beside the system's.
    pub ca_file: Option<PathBuf>,
    /// What time it is, for a service that was started with `--rehearsal`.
    pub now: Option<Instant>,
}

/// Asks one service.
#[derive(Clone)]
pub struct Client {
    address: Address,
    http: reqwest::Client,
    authorization: HeaderValue,
    options: ClientOptions,
}

/// Whether a request may be made twice.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Repeat {
    /// The second time changes nothing.
    Harmless,
    /// Never.
    No,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            // The service gives up on a request before that, and tells why.
            answer_timeout: Duration::from_secs(90),
            patience: Duration::from_secs(60),
            body_bytes_max: 64 << 20,
            ca_file: None,
            now: None,
        }
    }
}

impl Client {
    /// A client of the service at `url`, with what `whowas token add` printed. Nothing is sent yet.
    ///
    /// # Errors
    /// If the URL or the token cannot be used, or the certificates cannot be read.
    pub fn new(url: &str, token: &str, options: ClientOptions) -> Result<Self, ClientError> {
        let address = Address::parse(url)?;
        let token = SecretString::from(token.trim());
        if token.expose_secret().is_empty() {
            return Err(ClientError::Token("it is empty"));
        }
        let bearer = SecretString::from(format!("Bearer {}", token.expose_secret()));
        let mut authorization = HeaderValue::from_str(bearer.expose_secret())
            .map_err(|_| ClientError::Token("it has characters that no token has"))?;
        authorization.set_sensitive(true);
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("whowas/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            // Repeats are ours: the built-in ones do not know which requests may be repeated.
            .retry(reqwest::retry::never())
            .referer(false)
            .gzip(true)
            .connect_timeout(options.connect_timeout)
            .read_timeout(options.answer_timeout);
        // Of many asks in one request the service takes in no more than it can answer. While it takes none, the system would count
        // what waits to be sent as lost, and end the connection after half a minute.
        #[cfg(target_os = "linux")]
        {
            builder = builder.tcp_user_timeout(None);
        }
        if address.is_here() {
            // What goes to this machine in plain text must not pass through a proxy.
            builder = builder.no_proxy();
        }
        if let Some(file) = &options.ca_file {
            builder = builder.tls_certs_merge(certificates(file)?);
        }
        let http = builder.build().map_err(|source| ClientError::Setup { source: source.into() })?;
        Ok(Self { address, http, authorization, options })
    }

    /// Scheme, host and port: what may be shown of where it asks.
    pub fn origin(&self) -> &str {
        self.address.origin()
    }

    /// The routes of one tenant, by its id or the service's alias for it.
    pub fn tenant(&self, tenant: impl Into<String>) -> Tenant<'_> {
        Tenant::new(self, tenant.into())
    }

    /// Asks with a body or without one, and reads the answer.
    async fn ask<T: DeserializeOwned>(&self, asked: Asked<'_>, repeat: Repeat) -> Result<T, ClientError> {
        let response = self.send(&asked, repeat).await?;
        self.reading().json(response).await
    }

    /// The same for an answer that is read item by item.
    async fn stream(&self, asked: Asked<'_>) -> Result<Response, ClientError> {
        self.send(&Asked { is_streamed: true, ..asked }, Repeat::Harmless).await
    }

    /// Sends a request, again if it may be and the service asks for that, and gives the answer if it is a good one.
    async fn send(&self, asked: &Asked<'_>, repeat: Repeat) -> Result<Response, ClientError> {
        let url = self.address.url(&asked.path, &asked.query)?;
        let mut patience = self.options.patience;
        let mut attempt = 1;
        loop {
            let mut request = self.request(asked.method.clone(), url.clone());
            if let Some(body) = &asked.body {
                request = request.header(reqwest::header::CONTENT_TYPE, "application/json").body(body.clone());
            }
            if !asked.is_streamed {
                request = request.timeout(self.options.answer_timeout);
            }
            let response = request.send().await.map_err(|error| self.reading().unreached(error))?;
            if response.status().is_success() {
                return Ok(response);
            }
            let wait = wait_of(&response).filter(|wait| {
                repeat == Repeat::Harmless && matches!(response.status().as_u16(), 429 | 503) && *wait <= patience
            });
            match wait {
                Some(wait) if attempt < ATTEMPTS_MAX => {
                    attempt += 1;
                    patience -= wait;
                    tokio::time::sleep(wait).await;
                }
                _ => return Err(self.reading().refusal(response).await),
            }
        }
    }

    fn request(&self, method: Method, url: Url) -> RequestBuilder {
        let request = self.http.request(method, url).header(AUTHORIZATION, self.authorization.clone());
        match self.options.now {
            Some(now) => request.header("x-whowas-now", now.to_string()),
            None => request,
        }
    }

    fn reading(&self) -> Read<'_> {
        Read { origin: self.origin(), bytes_max: self.options.body_bytes_max, patience: self.options.answer_timeout }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("origin", &self.origin()).finish_non_exhaustive()
    }
}

/// A request as a route makes it.
struct Asked<'a> {
    method: Method,
    path: Vec<&'a str>,
    query: Vec<(&'static str, String)>,
    body: Option<Vec<u8>>,
    is_streamed: bool,
}

impl<'a> Asked<'a> {
    fn new(method: Method, path: Vec<&'a str>) -> Self {
        Self { method, path, query: Vec::new(), body: None, is_streamed: false }
    }

    fn get(path: Vec<&'a str>) -> Self {
        Self::new(Method::GET, path)
    }

    fn post<T: Serialize>(path: Vec<&'a str>, body: &T) -> Result<Self, ClientError> {
        let body = serde_json::to_vec(body).map_err(|source| ClientError::Setup { source: source.into() })?;
        Ok(Self { body: Some(body), ..Self::new(Method::POST, path) })
    }

    /// The same with a parameter, if there is one.
    fn with(mut self, name: &'static str, value: Option<impl ToString>) -> Self {
        self.query.extend(value.map(|value| (name, value.to_string())));
        self
    }
}

/// How long the service asks to wait, in whole seconds as it writes them.
fn wait_of(response: &Response) -> Option<Duration> {
    let text = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

fn certificates(file: &Path) -> Result<Vec<Certificate>, ClientError> {
    let failed = |source| ClientError::Certificates { file: file.to_owned(), source };
    let pem = std::fs::read(file).map_err(|error| failed(error.into()))?;
    let certificates = Certificate::from_pem_bundle(&pem).map_err(|error| failed(error.into()))?;
    if certificates.is_empty() {
        return Err(failed("it holds no PEM certificate".into()));
    }
    Ok(certificates)
}
