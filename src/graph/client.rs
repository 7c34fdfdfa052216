//! The client: Graph's verbs that the ledger needs, on one connection pool.
//!
//! It only reads. The token goes to the configured Graph and nowhere else: redirects are not followed, links are pinned
//! to the configured origin before they are asked. Nothing here logs a name, a token, a link or a body.

mod probe;

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use backon::Retryable;
use reqwest::{Certificate, Client, Method, redirect};
use secrecy::ExposeSecret;
use serde_json::Value;
use url::Url;

pub use self::probe::{Greeting, Readable};
use super::auth::{Proof, SignIn, Tokens, innermost};
use super::cloud::{Endpoints, host_of};
pub use super::delta::{DeltaPage, DeltaRequest};
use super::error::{Asked, GraphError};
use super::page::{BODY_BYTES_MAX, Page, addressees_page, audits_page, users_page};
use super::retry::{RetryPolicy, is_retryable, retry_after, too_long};
use super::urls::{self, Selected};
pub use super::urls::{AuditFilter, UserKey};
use super::wire::addressee::{Collection, WireAddressee};
use super::wire::audit::WireAudit;
use super::wire::batch::{BATCH_MAX, BatchAnswer, BatchPart, BatchRequest, BatchResponse};
use super::wire::failure::WireError;
use super::wire::user::WireUser;
use super::wire::{LinkUrl, json_fault};
use crate::domain::attribute::Attribute;
use crate::domain::id::ObjectId;
use crate::domain::time::Instant;

/// How many groups or contacts one request can ask for by id.
pub const ADDRESSEE_IDS_MAX: usize = 15;

/// How the client behaves. The defaults suit a real tenant.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// Repeats and waits.
    pub retry: RetryPolicy,
    /// Time to connect.
    pub connect_timeout: Duration,
    /// Time for one whole answer.
    pub total_timeout: Duration,
    /// A PEM file with further root certificates, beside the system's.
    pub ca_file: Option<PathBuf>,
    /// Largest answer that is read, in bytes.
    pub body_bytes_max: usize,
}

/// An answer with the server's `Date`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dated<T> {
    /// The server's `Date`: whole seconds.
    pub at: Instant,
    /// The answer.
    pub value: T,
}

/// Reads one tenant's directory.
pub struct GraphClient {
    endpoints: Endpoints,
    http: Client,
    tokens: Tokens,
    retry: RetryPolicy,
    body_bytes_max: usize,
    throttled_ms: AtomicU64,
    requests: AtomicU64,
    attributes: BTreeSet<Attribute>,
    selected: Selected,
}

/// An answer that is not to be repeated.
struct Answer {
    status: u16,
    date: Option<String>,
    location: Option<String>,
    body: Vec<u8>,
}

/// An attempt that may be repeated if `again`.
struct Failed {
    error: GraphError,
    again: bool,
    /// Whether the server asked for patience; the wait then counts as throttled time.
    throttled: bool,
    retry_after: Option<Duration>,
}

/// What is sent.
#[derive(Clone)]
struct Sent<'a> {
    asked: &'a Asked,
    url: Url,
    batch: Option<&'a BatchRequest>,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            retry: RetryPolicy::default(),
            connect_timeout: Duration::from_secs(20),
            total_timeout: Duration::from_secs(300),
            ca_file: None,
            body_bytes_max: BODY_BYTES_MAX,
        }
    }
}

impl GraphClient {
    /// A client for one tenant. Nothing is sent yet.
    pub fn new(endpoints: Endpoints, sign_in: SignIn, options: ClientOptions) -> Result<Self, GraphError> {
        let http = http_client(&endpoints, &options, Way::AsConfigured)?;
        let sign_in_http = match sign_in.proof {
            Proof::ManagedIdentity => http_client(&endpoints, &options, Way::Direct)?,
            _ => http.clone(),
        };
        let tokens = Tokens::new(sign_in, endpoints.clone(), options.retry, sign_in_http)?;
        let ClientOptions { retry, body_bytes_max, .. } = options;
        let (throttled_ms, requests, attributes) = (AtomicU64::new(0), AtomicU64::new(0), BTreeSet::new());
        let selected = Selected::with(&attributes);
        Ok(Self { endpoints, http, tokens, retry, body_bytes_max, throttled_ms, requests, attributes, selected })
    }

    /// The same client, which asks for these attributes too, wherever it asks for live users.
    #[must_use]
    pub fn selecting(self, attributes: BTreeSet<Attribute>) -> Self {
        Self { selected: Selected::with(&attributes), attributes, ..self }
    }

    /// The attributes that it asks for beside the profile.
    pub fn attributes(&self) -> &BTreeSet<Attribute> {
        &self.attributes
    }

    /// The origins that it talks to.
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// Milliseconds spent so far in waiting because Graph asked for it.
    pub fn throttled_ms(&self) -> u64 {
        self.throttled_ms.load(Ordering::Relaxed)
    }

    /// Requests made to Graph so far, those that were asked again included; a batch is one. Tokens are not counted.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// A page of the delta feed. A lost token is [`GraphError::Expired`].
    pub async fn delta_page(&self, request: &DeltaRequest) -> Result<DeltaPage, GraphError> {
        let asked = Asked::UsersDelta;
        let url = match request {
            DeltaRequest::First => self.url(&urls::delta(&self.selected))?,
            DeltaRequest::Link(link) => self.endpoints.own(link.as_str())?,
        };
        let of_link = |error: GraphError| match request {
            DeltaRequest::First => error,
            DeltaRequest::Link(_) => error.of_delta_link(),
        };
        let answer = self.get(&asked, url).await.map_err(of_link)?;
        let at = answer.date(&asked)?;
        DeltaPage::parse(&self.endpoints, at, &answer.body)
    }

    /// A page of the feed of groups or contacts, from its link on; from the beginning without one. A lost token is
    /// [`GraphError::Expired`].
    pub async fn addressees_delta_page(
        &self,
        collection: Collection,
        link: Option<&str>,
    ) -> Result<DeltaPage<WireAddressee>, GraphError> {
        let asked = Asked::AddresseesDelta(collection);
        let answer = self.page(&asked, urls::addressees_delta(collection), link).await;
        let answer = answer.map_err(|error| if link.is_some() { error.of_delta_link() } else { error })?;
        DeltaPage::parse_addressees(&self.endpoints, collection, answer.date(&asked)?, &answer.body)
    }

    /// A page of the full listing of live users, 999 a page. `next` is the link of the page before. An expired link is
    /// [`GraphError::PageExpired`]: begin again.
    pub async fn users_page(&self, next: Option<&str>) -> Result<Page<WireUser>, GraphError> {
        self.page_of_users(Asked::Users, urls::users(&self.selected), next).await
    }

    /// A page of the soft-deleted users, 999 a page.
    pub async fn deleted_users_page(&self, next: Option<&str>) -> Result<Page<WireUser>, GraphError> {
        self.page_of_users(Asked::DeletedUsers, urls::deleted_users(), next).await
    }

    /// One live user. `None` is Graph's own 404: soft-deleted, purged, not yet replicated, or never there.
    pub async fn user(&self, key: UserKey<'_>) -> Result<Dated<Option<WireUser>>, GraphError> {
        let asked = asked_for(key);
        let answer = self.send(&asked, self.url(&urls::user(key, &self.selected))?).await?;
        self.one_user(&asked, key, &answer)
    }

    /// One soft-deleted user. `None`: live, purged or never there.
    pub async fn deleted_user(&self, id: ObjectId) -> Result<Dated<Option<WireUser>>, GraphError> {
        let asked = Asked::DeletedUser(id);
        let answer = self.send(&asked, self.url(&urls::deleted_user(id))?).await?;
        self.one_user(&asked, UserKey::Id(id), &answer)
    }

    /// A page of the groups or the contacts, 999 a page.
    pub async fn addressees_page(
        &self,
        collection: Collection,
        next: Option<&str>,
    ) -> Result<Page<WireAddressee>, GraphError> {
        self.page_of_addressees(collection, urls::addressees(collection), next).await
    }

    /// A page of the users who are members of a group, be it through other groups, with nothing but their ids. Members that
    /// are no users are among the rejected.
    pub async fn members_page(&self, group: ObjectId, next: Option<&str>) -> Result<Page<WireUser>, GraphError> {
        self.page_of_users(Asked::Members(group), urls::members(group), next).await
    }

    /// Those of these groups or contacts that live, at most [`ADDRESSEE_IDS_MAX`] of them.
    pub async fn addressees_by_id(
        &self,
        collection: Collection,
        ids: &[ObjectId],
    ) -> Result<Page<WireAddressee>, GraphError> {
        self.page_of_addressees(collection, urls::addressees_by_id(collection, ids), None).await
    }

    /// The groups or contacts that hold an address; by the directory's rules at most one.
    pub async fn addressees_by_address(
        &self,
        collection: Collection,
        address: &str,
    ) -> Result<Page<WireAddressee>, GraphError> {
        self.page_of_addressees(collection, urls::addressees_by_address(collection, address), None).await
    }

    /// A page of the audit log: the first one of a filter, or the one behind a link, which carries its filter on.
    pub async fn audits_page(&self, filter: &AuditFilter, next: Option<&str>) -> Result<Page<WireAudit>, GraphError> {
        let asked = Asked::Audits;
        let answer = self.page(&asked, urls::audits(filter), next).await?;
        let page = audits_page(&self.endpoints, &asked, answer.date(&asked)?, &answer.body)?;
        unlooped(asked, next, page)
    }

    /// Many single users, twenty a request. The answers stand in the order of the keys, each with its own error: parts
    /// that Graph throttles are repeated by themselves after their own `Retry-After`. The outer error is that of a
    /// whole request.
    pub async fn batch_users(
        &self,
        keys: &[UserKey<'_>],
    ) -> Result<Vec<Result<Dated<Option<WireUser>>, GraphError>>, GraphError> {
        let mut results = Vec::with_capacity(keys.len());
        for chunk in keys.chunks(BATCH_MAX) {
            results.extend(self.batch_chunk(chunk).await?);
        }
        Ok(results)
    }

    async fn page_of_users(
        &self,
        asked: Asked,
        first: String,
        next: Option<&str>,
    ) -> Result<Page<WireUser>, GraphError> {
        let answer = self.page(&asked, first, next).await?;
        let page = users_page(&self.endpoints, &asked, answer.date(&asked)?, &answer.body)?;
        unlooped(asked, next, page)
    }

    async fn page_of_addressees(
        &self,
        collection: Collection,
        first: String,
        next: Option<&str>,
    ) -> Result<Page<WireAddressee>, GraphError> {
        let asked = Asked::Addressees(collection);
        let answer = self.page(&asked, first, next).await?;
        let page = addressees_page(&self.endpoints, &asked, collection, answer.date(&asked)?, &answer.body)?;
        unlooped(asked, next, page)
    }

    async fn page(&self, asked: &Asked, first: String, link: Option<&str>) -> Result<Answer, GraphError> {
        let url = match link {
            Some(link) => self.endpoints.own(link)?,
            None => self.url(&first)?,
        };
        self.get(asked, url).await
    }

    fn one_user(
        &self,
        asked: &Asked,
        key: UserKey<'_>,
        answer: &Answer,
    ) -> Result<Dated<Option<WireUser>>, GraphError> {
        if answer.status == 200 {
            let item: Value = serde_json::from_slice(&answer.body)
                .map_err(|error| GraphError::Malformed { asked: asked.clone(), why: json_fault(&error) })?;
            return Ok(Dated { at: answer.date(asked)?, value: Some(read_user(asked, key, &item)?) });
        }
        let error = self.refused(asked, answer);
        if error.is_absence() { Ok(Dated { at: answer.date(asked)?, value: None }) } else { Err(error) }
    }

    /// Asks a request, and gives back a 200 or the error that any other answer means.
    async fn get(&self, asked: &Asked, url: Url) -> Result<Answer, GraphError> {
        let answer = self.send(asked, url).await?;
        if answer.status == 200 { Ok(answer) } else { Err(self.refused(asked, &answer)) }
    }

    async fn send(&self, asked: &Asked, url: Url) -> Result<Answer, GraphError> {
        self.send_any(&Sent { asked, url, batch: None }).await
    }

    /// Asks with a token. A 401 in the middle of a run means that the token is void before its time: one fresh one is tried.
    async fn send_any(&self, sent: &Sent<'_>) -> Result<Answer, GraphError> {
        let answer = self.send_patiently(sent).await?;
        if answer.status != 401 {
            return Ok(answer);
        }
        tracing::debug!(asked = %sent.asked, "token refused by Graph, signing in again");
        self.tokens.forget()?;
        self.send_patiently(sent).await
    }

    async fn send_patiently(&self, sent: &Sent<'_>) -> Result<Answer, GraphError> {
        let attempts = AtomicU64::new(0);
        let attempt = || async {
            let made = attempts.fetch_add(1, Ordering::Relaxed) + 1;
            self.attempt(sent, u32::try_from(made).unwrap_or(u32::MAX)).await
        };
        attempt
            .retry(self.retry.backoff())
            .when(|failed: &Failed| failed.again)
            .adjust(|failed, backoff| backoff.map(|backoff| self.retry.wait(failed.retry_after, backoff)))
            .notify(|failed, wait| self.note_wait(sent.asked, failed, wait))
            .await
            .map_err(|failed| failed.error)
    }

    fn note_wait(&self, asked: &Asked, failed: &Failed, wait: Duration) {
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        if failed.throttled {
            self.throttled_ms.fetch_add(wait_ms, Ordering::Relaxed);
        }
        tracing::debug!(%asked, wait_ms, error = %failed.error, "will ask again");
    }

    async fn attempt(&self, sent: &Sent<'_>, attempts: u32) -> Result<Answer, Failed> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let token = self.tokens.get().await.map_err(Failed::finally)?;
        let method = if sent.batch.is_some() { Method::POST } else { Method::GET };
        let mut request = self.http.request(method, sent.url.clone()).bearer_auth(token.expose_secret());
        if let Some(batch) = sent.batch {
            request = request.json(batch);
        }
        let broken = |error: reqwest::Error| Failed {
            error: GraphError::Unreachable {
                host: host_of(&sent.url),
                asked: sent.asked.to_string(),
                source: innermost(&error.without_url()).into(),
            },
            again: true,
            throttled: false,
            retry_after: None,
        };
        let mut response = request.send().await.map_err(broken)?;
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (date, location, after) = (header("date"), header("location"), header("retry-after"));
        let mut answer = Answer { status: response.status().as_u16(), date, location, body: Vec::new() };
        while let Some(chunk) = response.chunk().await.map_err(broken)? {
            if answer.body.len() + chunk.len() > self.body_bytes_max {
                let limit = self.body_bytes_max;
                return Err(Failed::finally(GraphError::TooLarge { asked: sent.asked.clone(), limit }));
            }
            answer.body.extend_from_slice(&chunk);
        }
        if is_retryable(answer.status) {
            let error = GraphError::of_answer(sent.asked.clone(), answer.status, &answer.body, None, attempts);
            let retry_after = after.and_then(|after| retry_after(&after, answer.date.as_deref()));
            if let Some(wait) = too_long(retry_after) {
                return Err(Failed::finally(error.postponed(wait)));
            }
            let throttled = matches!(answer.status, 429 | 503);
            return Err(Failed { error, again: true, throttled, retry_after });
        }
        Ok(answer)
    }

    fn refused(&self, asked: &Asked, answer: &Answer) -> GraphError {
        // A location that leads elsewhere is of no use: the resync then begins with our own first request.
        let location = answer.location.as_deref().filter(|link| self.endpoints.own(link).is_ok()).map(LinkUrl::from);
        GraphError::of_answer(asked.clone(), answer.status, &answer.body, location, 1)
    }

    fn url(&self, path: &str) -> Result<Url, GraphError> {
        self.endpoints.own(&format!("{}v1.0{path}", self.endpoints.graph()))
    }

    async fn batch_chunk(
        &self,
        keys: &[UserKey<'_>],
    ) -> Result<Vec<Result<Dated<Option<WireUser>>, GraphError>>, GraphError> {
        let mut results: HashMap<usize, Result<Dated<Option<WireUser>>, GraphError>> = HashMap::new();
        let mut waiting: Vec<(usize, UserKey<'_>)> = keys.iter().copied().enumerate().collect();
        let mut backoff = backon::BackoffBuilder::build(self.retry.backoff());
        let mut attempts = 0;
        while !waiting.is_empty() {
            attempts += 1;
            let (at, mut answers) = self.batch_once(&waiting).await?;
            let pause = backoff.next();
            let (mut again, mut retry_at) = (Vec::new(), None);
            for (place, key) in waiting {
                let asked = asked_for(key);
                let Some(answer) = answers.remove(&place.to_string()) else {
                    let why = "the batch has no answer to it".to_owned();
                    results.insert(place, Err(GraphError::Malformed { asked, why }));
                    continue;
                };
                let after = answer.header("retry-after").and_then(|after| retry_after(&after, None));
                let after = after.filter(|_| is_retryable(answer.status));
                if let Some(wait) = too_long(after) {
                    let part = read_part(asked, key, at, &answer, attempts);
                    results.insert(place, part.map_err(|error| error.postponed(wait)));
                } else if is_retryable(answer.status) && pause.is_some() {
                    retry_at = retry_at.max(after);
                    again.push((place, key));
                } else {
                    results.insert(place, read_part(asked, key, at, &answer, attempts));
                }
            }
            waiting = again;
            if let (false, Some(pause)) = (waiting.is_empty(), pause) {
                let wait = self.retry.wait(retry_at, pause);
                self.throttled_ms.fetch_add(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
                tokio::time::sleep(wait).await;
            }
        }
        Ok((0..keys.len()).filter_map(|place| results.remove(&place)).collect())
    }

    /// One batch request: its date and its answers by id. An answer to nothing, or a second one, voids the batch.
    async fn batch_once(
        &self,
        waiting: &[(usize, UserKey<'_>)],
    ) -> Result<(Instant, HashMap<String, BatchAnswer>), GraphError> {
        let asked = Asked::Batch;
        let part = |(place, key): &(usize, UserKey<'_>)| BatchPart {
            id: place.to_string(),
            method: "GET",
            url: urls::user(*key, &self.selected),
        };
        let batch = BatchRequest { requests: waiting.iter().map(part).collect() };
        let answer = self.send_any(&Sent { asked: &asked, url: self.url("/$batch")?, batch: Some(&batch) }).await?;
        if answer.status != 200 {
            return Err(self.refused(&asked, &answer));
        }
        let malformed = |why: String| GraphError::Malformed { asked: asked.clone(), why };
        let parsed: BatchResponse =
            serde_json::from_slice(&answer.body).map_err(|error| malformed(json_fault(&error)))?;
        let mut answers = HashMap::new();
        for part in parsed.responses {
            if !waiting.iter().any(|(place, _)| place.to_string() == part.id) {
                return Err(malformed("it answers a request that was not asked".to_owned()));
            }
            if answers.insert(part.id.clone(), part).is_some() {
                return Err(malformed("it answers one request twice".to_owned()));
            }
        }
        Ok((answer.date(&asked)?, answers))
    }
}

impl Answer {
    /// The server's `Date`. An answer without one cannot be placed in time and is refused.
    fn date(&self, asked: &Asked) -> Result<Instant, GraphError> {
        let malformed = |why: &str| GraphError::Malformed { asked: asked.clone(), why: why.to_owned() };
        let date = self.date.as_deref().ok_or_else(|| malformed("it has no Date header"))?;
        let parsed = chrono::DateTime::parse_from_rfc2822(date.trim());
        parsed.map(|at| Instant::from(at.to_utc())).map_err(|_| malformed("its Date header is no date"))
    }
}

impl Failed {
    fn finally(error: GraphError) -> Self {
        Self { error, again: false, throttled: false, retry_after: None }
    }
}

impl fmt::Debug for GraphClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GraphClient").field("endpoints", &self.endpoints).finish_non_exhaustive()
    }
}

/// A page that links to itself would be read for ever. Longer loops are the caller's to bound, by its count of pages.
fn unlooped<T>(asked: Asked, link: Option<&str>, page: Page<T>) -> Result<Page<T>, GraphError> {
    match &page.next {
        Some(next) if Some(next.as_str()) == link => Err(GraphError::LinkLoop { asked, pages: 1 }),
        _ => Ok(page),
    }
}

fn asked_for(key: UserKey<'_>) -> Asked {
    match key {
        UserKey::Id(id) => Asked::User(id),
        UserKey::Upn(_) => Asked::UserByName,
    }
}

/// Reads a single user and checks that it is the one asked for.
fn read_user(asked: &Asked, key: UserKey<'_>, item: &Value) -> Result<WireUser, GraphError> {
    let user = WireUser::read(0, item)
        .map_err(|refusal| GraphError::Malformed { asked: asked.clone(), why: refusal.why.to_string() })?;
    match key {
        UserKey::Id(id) if id != user.id => {
            Err(GraphError::Malformed { asked: asked.clone(), why: format!("it is about another object, {}", user.id) })
        }
        _ => Ok(user),
    }
}

fn read_part(
    asked: Asked,
    key: UserKey<'_>,
    at: Instant,
    answer: &BatchAnswer,
    attempts: u32,
) -> Result<Dated<Option<WireUser>>, GraphError> {
    let body = answer.body.as_ref();
    if answer.status == 200 {
        return Ok(Dated { at, value: Some(read_user(&asked, key, body.unwrap_or(&Value::Null))?) });
    }
    let error = body.and_then(WireError::of_value).unwrap_or_default();
    let error = GraphError::of_failure(asked, answer.status, error, None, attempts);
    if error.is_absence() { Ok(Dated { at, value: None }) } else { Err(error) }
}

/// Whether a proxy may stand between.
enum Way {
    /// As the environment says (`HTTPS_PROXY`, `NO_PROXY`).
    AsConfigured,
    /// Never: the endpoint belongs to this machine.
    Direct,
}

fn http_client(endpoints: &Endpoints, options: &ClientOptions, way: Way) -> Result<Client, GraphError> {
    let mut builder = Client::builder()
        .user_agent(concat!("whowas/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        // Repeats are ours: the built-in ones know neither back-off nor Retry-After.
        .retry(reqwest::retry::never())
        .referer(false)
        .gzip(true)
        .connect_timeout(options.connect_timeout)
        .timeout(options.total_timeout);
    if endpoints.is_local() || matches!(way, Way::Direct) {
        // What goes to this machine in plain text must not pass through a proxy.
        builder = builder.no_proxy();
    }
    if let Some(path) = &options.ca_file {
        builder = builder.tls_certs_merge(read_certificates(path)?);
    }
    builder.build().map_err(|error| GraphError::NoClient { step: "set up TLS".to_owned(), source: error.into() })
}

fn read_certificates(path: &std::path::Path) -> Result<Vec<Certificate>, GraphError> {
    let failed = |source| GraphError::NoClient { step: format!("read ca_file {}", path.display()), source };
    let pem = std::fs::read(path).map_err(|error| failed(error.into()))?;
    let certificates = Certificate::from_pem_bundle(&pem).map_err(|error| failed(error.into()))?;
    if certificates.is_empty() {
        return Err(failed("it holds no PEM certificate".into()));
    }
    Ok(certificates)
}
