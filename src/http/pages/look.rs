//! The pages to look at, and how a failure looks.

use std::path::Path;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::form::Form;
use super::frame::{Asked, TIMES, Who, frame, frame_of_all};
use super::visit::Visit;
use super::{html, to};
use crate::config;
use crate::domain::finding::{FindingId, FindingKind, FindingState, Severity};
use crate::domain::id::{ChainId, ObjectId};
use crate::domain::name::Name;
use crate::http::access::caller::{Caller, RequestId};
use crate::http::access::log::Looks;
use crate::http::api;
use crate::http::place::{self, Filled, Query, Tenant};
use crate::http::problem::{Code, Problem, ProblemBody};
use crate::http::service::{Shared, blocking};
use crate::ledger::{KnownAt, ReadAhead};
use crate::report;
use crate::service::findings::{self, Filter};
use crate::service::report::{self as gather, NoReport, Of};
use crate::service::{Desk, mapping as rules, reuse as reused, runs as log, snapshot};
use crate::ui::links::Thing;
use crate::ui::{self, Frame, PageError};

impl FromRequestParts<Shared> for Who {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &Shared) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, service).await?;
        let visit = Visit::from_request_parts(parts, service).await?;
        let request = parts.extensions.get::<RequestId>().cloned().unwrap_or_else(|| RequestId(String::new()));
        Ok(Self { caller, visit, request })
    }
}

/// All tenants; where there is one only, its page.
pub async fn overview(State(service): State<Shared>, who: Who, Filled(query): Filled) -> Result<Response, Problem> {
    query.only(&[])?;
    let (frame, status) = blocking(move || {
        let status = api::status::of(&service, &who.caller)?;
        Ok((frame_of_all(&service, &who)?, (status, who.caller.clock.now())))
    })
    .await?;
    if let [only] = frame.tenants.as_slice() {
        return to(&format!("/t/{}", only.id));
    }
    let text = ui::overview::tenants(&frame, &status.0.tenants, status.1).map_err(problem)?;
    Ok(html(StatusCode::OK, text))
}

/// One tenant.
pub async fn tenant(
    State(service): State<Shared>,
    tenant: Tenant,
    who: Who,
    Filled(query): Filled,
) -> Result<Response, Problem> {
    let status = status_at(service.clone(), &tenant);
    show(service, tenant, who, &query, &[], "", Vec::new(), move |frame, desk| {
        ui::overview::tenant(frame, desk, &status(desk)?).map_err(problem)
    })
    .await
}

/// How far the tenant's sync is: a part of its page.
pub async fn progress(
    State(service): State<Shared>,
    tenant: Tenant,
    who: Who,
    Filled(query): Filled,
) -> Result<Response, Problem> {
    let status = status_at(service.clone(), &tenant);
    show(service, tenant, who, &query, &[], "", Vec::new(), move |frame, desk| {
        ui::overview::progress(frame, &status(desk)?).map_err(problem)
    })
    .await
}

/// The state of a tenant as a page's desk knows it.
fn status_at(
    service: Shared,
    tenant: &Tenant,
) -> impl Fn(&Desk) -> Result<crate::service::status::TenantStatus, Problem> + Send + 'static {
    let id = tenant.desk.tenant;
    move |desk| {
        let configured: Vec<_> = service.all_configured().into_iter().filter(|one| one.tenant == id).collect();
        let now = desk.clock.now();
        let found = crate::service::status::status(&desk.ledger, &configured, &service.flights, now)?;
        let mut found = found.tenants.into_iter().find(|status| status.tenant == id);
        // What goes on now, and what is due, is no part of what was known earlier.
        let is_past = desk.ledger.is_past();
        if let Some(status) = found.as_mut().filter(|_| is_past || !service.has_schedule) {
            status.next_sync = None;
        }
        if let Some(status) = found.as_mut().filter(|_| is_past) {
            status.running = None;
        }
        // A tenant that is neither configured nor had a commit by then.
        found.ok_or_else(|| Problem::new(Code::UnknownTenant, "nothing was known of the tenant then"))
    }
}

/// What begins as somebody types.
pub async fn search(
    State(service): State<Shared>,
    tenant: Tenant,
    who: Who,
    headers: HeaderMap,
    Filled(query): Filled,
) -> Result<Response, Problem> {
    let text = query.read::<String>("q")?.unwrap_or_default();
    if let Ok(name) = text.parse::<Name>() {
        tenant.looks.name(&name);
    }
    let is_part = headers.contains_key("hx-request");
    let about = vec![("q", text.clone())];
    show(service, tenant, who, &query, &["q"], "search", about, move |frame, desk| {
        ui::search::page(frame, desk, &text, is_part).map_err(problem)
    })
    .await
}

/// Who held a name.
pub async fn name(
    State(service): State<Shared>,
    tenant: Tenant,
    who: Who,
    Filled(query): Filled,
) -> Result<Response, Problem> {
    let name: Name = needed(&query, "name")?;
    tenant.looks.name(&name);
    let about = vec![("name", name.spelling().to_owned())];
    show(service, tenant, who, &query, &["name"], "name", about, move |frame, desk| {
        ui::name::page(frame, desk, &name).map_err(problem)
    })
    .await
}

/// A person, or another object.
pub async fn person(
    State(service): State<Shared>,
    tenant: Tenant,
    who: Who,
    Filled(query): Filled,
) -> Result<Response, Problem> {
    let object: ObjectId = needed(&query, "id")?;
    tenant.looks.object(object);
    let about = vec![("id", object.to_string())];
    show(service, tenant, who, &query, &["id"], "person", about, move |frame, desk| {
        ui::person::page(frame, desk, object).map_err(|error| missing(Code::UnknownObject, error))
    })
    .await
}

/// A chain.
pub async fn chain(
    State(service): State<Shared>,
    tenant: Tenant,
    who: Who,
    Filled(query): Filled,
) -> Result<Response, Problem> {
    let chain: ChainId = needed(&query, "id")?;
    let cursor = query.read::<snapshot::Cursor>("cursor")?;
    tenant.looks.chain(&chain);
    let about = vec![("id", chain.to_string())];
    show(service, tenant, who, &query, &["id", "cursor"], "chain", about, move |frame, desk| {
        ui::chain::page(frame, desk, &chain, cursor.as_ref()).map_err(|error| missing(Code::UnknownChain, error))
    })
    .await
}

/// The findings.
pub async fn findings(
    State(service): State<Shared>,
    tenant: Tenant,
    who: Who,
    Filled(query): Filled,
) -> Result<Response, Problem> {
    let kind = word::<FindingKind>(&query, "kind")?;
    let severity = word::<Severity>(&query, "severity")?;
    let state = word::<FindingState>(&query, "state")?;
    let cursor = query.read::<findings::Cursor>("cursor")?;
    let mut about = Vec::new();
    for key in ["kind", "severity", "state"] {
        about.extend(query.read::<String>(key)?.map(|value| (key, value)));
    }
    let filter = Filter { kind, severity, states: state.into_iter().collect() };
    let known = ["kind", "severity", "state", "cursor"];
    show(service, tenant, who, &query, &known, "findings", about, move |frame, desk| {
        ui::findings::page(frame, desk, &filter, cursor.as_ref()).map_err(problem)
    })
    .await
}

/// A finding.
pub async fn finding(
    State(service): State<Shared>,
    tenant: Tenant,
    who: Who,
    Filled(query): Filled,
) -> Result<Response, Problem> {
    let id: FindingId = needed(&query, "id")?;
    let said = match query.read::<String>("said")?.as_deref() {
        None => None,
        Some("acknowledged") => Some((Some(FindingState::Acknowledged), "It is acknowledged.")),
        Some("resolved") => Some((Some(FindingState::Resolved), "It is resolved.")),
        Some("changed") => Some((None, "It has changed since you looked, so nothing was done.")),
        Some(_) => return Err(Problem::parameter("said", "it is acknowledged, resolved or changed")),
    };
    let seen = query.read::<u64>("seen")?;
    tenant.looks.finding(id);
    let about = vec![("id", id.to_string())];
    show(service, tenant, who, &query, &["id", "said", "seen"], "finding", about, move |frame, desk| {
        let found = findings::show(desk, id).map_err(api::findings::problem)?;
        // An address outlives what was done from it: the finding may stand elsewhere by now.
        let is_so = |state: Option<FindingState>| match state {
            Some(state) => state == found.state,
            None => seen.is_some_and(|seen| found.newest().0 > seen),
        };
        let said = said.filter(|(state, _)| is_so(*state)).map(|(_, line)| line.to_owned());
        let frame = Frame { said, ..frame.clone() };
        ui::finding::page(&frame, desk, &found).map_err(problem)
    })
    .await
}

/// Names that passed from hand to hand.
pub async fn reuse(
    State(service): State<Shared>,
    tenant: Tenant,
    who: Who,
    Filled(query): Filled,
) -> Result<Response, Problem> {
    let cursor = query.read::<reused::Cursor>("cursor")?;
    show(service, tenant, who, &query, &["cursor"], "reuse", Vec::new(), move |frame, desk| {
        ui::reuse::page(frame, desk, cursor.as_ref()).map_err(problem)
    })
    .await
}

/// The run log.
pub async fn runs(
    State(service): State<Shared>,
    tenant: Tenant,
    who: Who,
    Filled(query): Filled,
) -> Result<Response, Problem> {
    let before = query.read::<u64>("cursor")?;
    let status = status_at(service.clone(), &tenant);
    show(service, tenant, who, &query, &["cursor"], "runs", Vec::new(), move |frame, desk| {
        let list = log::list(desk, before, 50)?;
        ui::runs::page(frame, desk, &status(desk)?, &list, before.is_none()).map_err(problem)
    })
    .await
}

/// Who is protected.
pub async fn mapping(
    State(service): State<Shared>,
    tenant: Tenant,
    who: Who,
    Filled(query): Filled,
) -> Result<Response, Problem> {
    show(service, tenant, who, &query, &[], "mapping", Vec::new(), move |frame, desk| {
        let in_force = rules::in_force(desk, KnownAt::Now)?;
        let (since, rules) = (in_force.since.map(|since| since.0), written(&in_force.mapping));
        ui::mapping::page(frame, ui::mapping::Shown { since, rules, wrong: None, answer: None }).map_err(problem)
    })
    .await
}

/// What other rules would change. Nothing is written.
pub async fn preview(
    State(service): State<Shared>,
    tenant: Tenant,
    who: Who,
    Filled(query): Filled,
    form: Form,
) -> Result<Response, Problem> {
    let text = form.text("rules").to_owned();
    let percent = service.configured(tenant.desk.tenant).map(config::TenantConfig::guard);
    let percent = percent.unwrap_or_default().limits.percent;
    show(service, tenant, who, &query, &[], "mapping", Vec::new(), move |frame, desk| {
        let since = rules::in_force(desk, KnownAt::Now)?.since.map(|since| since.0);
        let read = if text.is_empty() {
            Ok(crate::domain::mapping::Mapping::default())
        } else {
            config::rules_in(&text, Path::new("the field"), desk.tenant)
        };
        let (wrong, answer) = match read {
            Err(error) => (Some(crate::sync::with_causes(&error)), None),
            Ok(mapping) => (None, Some(rules::preview(desk, &mapping, &ReadAhead::default(), percent)?)),
        };
        ui::mapping::page(frame, ui::mapping::Shown { since, rules: text, wrong, answer }).map_err(problem)
    })
    .await
}

/// Rules as the configuration has them.
fn written(mapping: &crate::domain::mapping::Mapping) -> String {
    let tables = config::tables_of(mapping).into_iter().map(toml::Value::Table).collect::<Vec<_>>();
    if tables.is_empty() {
        return String::new();
    }
    toml::Table::from_iter([("mapping".to_owned(), toml::Value::Array(tables))]).to_string()
}

/// A report to take away.
pub async fn report(
    State(service): State<Shared>,
    tenant: Tenant,
    who: Who,
    Filled(query): Filled,
) -> Result<Response, Problem> {
    query.only(&["format", "chain", "object", "name", "at", "known_at"])?;
    let asked = Asked::of(&query)?;
    let format: String = needed(&query, "format")?;
    let (chain, object, name) =
        (query.read::<ChainId>("chain")?, query.read::<ObjectId>("object")?, query.read::<Name>("name")?);
    chain.iter().for_each(|chain| tenant.looks.chain(chain));
    object.iter().for_each(|object| tenant.looks.object(*object));
    name.iter().for_each(|name| tenant.looks.name(name));
    let of = match (chain, object, name) {
        (Some(chain), None, None) => Of::Chain(chain),
        (None, Some(object), None) => Of::Object(object),
        (None, None, Some(name)) => Of::Name(name),
        (None, None, None) => Of::Tenant,
        _ => return Err(Problem::parameter("chain", "give one of chain, object and name, or none for the tenant")),
    };
    let media_type = match format.as_str() {
        "html" => "text/html; charset=utf-8",
        "csv" => "text/csv; charset=utf-8",
        "json" => "application/json",
        _ => return Err(Problem::parameter("format", "it is html, csv or json")),
    };
    let what = match &of {
        Of::Chain(_) => "chain",
        Of::Object(_) => "person",
        Of::Name(_) => "name",
        Of::Tenant => "tenant",
    };
    let file = format!("attachment; filename=\"whowas-{what}.{format}\"");
    let Tenant { desk, looks, .. } = tenant;
    let bytes = blocking(move || {
        let (frame, desk) = frame(&service, &who, desk, asked, "report", Vec::new())?;
        let alias = frame.tenant.and_then(|tab| tab.alias);
        let content = gather::report(&desk, &of, alias).map_err(|error| match error {
            NoReport::Ledger(error) => error.into(),
            NoReport::Missing(why) => Problem::new(Code::UnknownObject, why),
        })?;
        content.objects.iter().for_each(|row| looks.object(row.object));
        content.chains.iter().for_each(|rows| looks.chain(&rows.chain));
        let bytes = match format.as_str() {
            "html" => report::html(&content).map(String::into_bytes),
            "csv" => report::csv(&content),
            _ => report::json(&content).map(String::into_bytes),
        };
        bytes.map_err(|error| Problem::internal(&error))
    })
    .await?;
    let mut response = ([(header::CONTENT_TYPE, media_type)], bytes).into_response();
    let headers = response.headers_mut();
    let file = HeaderValue::from_str(&file).map_err(|error| Problem::internal(&error))?;
    headers.insert(header::CONTENT_DISPOSITION, file);
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    // The file has a style of its own; opened from here it runs and loads nothing.
    let policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox";
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    Ok(response)
}

/// A page: its frame and desk as of the time asked about, then its text.
#[expect(clippy::too_many_arguments, reason = "each says one thing about the page, and every page says all of them")]
async fn show(
    service: Shared,
    tenant: Tenant,
    who: Who,
    query: &Query,
    known: &[&str],
    page: &'static str,
    about: Vec<(&'static str, String)>,
    write: impl FnOnce(&Frame, &Desk) -> Result<String, Problem> + Send + 'static,
) -> Result<Response, Problem> {
    query.only(&[known, &TIMES].concat())?;
    let asked = Asked::of(query)?;
    let Tenant { desk, looks, .. } = tenant;
    let text = blocking(move || {
        let (frame, desk) = frame(&service, &who, desk, asked, page, about)?;
        let text = write(&frame, &desk)?;
        for thing in frame.shown.take() {
            note(&looks, thing);
        }
        Ok(text)
    })
    .await?;
    Ok(html(StatusCode::OK, text))
}

/// Whatever a page shows was looked at.
fn note(looks: &Looks, thing: Thing) {
    match thing {
        Thing::Object(object) => looks.object(object),
        Thing::Chain(chain) => looks.chain(&chain),
        // What cannot be read as a name was shown as one all the same; the objects beside it are noted.
        Thing::Name(name) => name.parse().iter().for_each(|name| looks.name(name)),
    }
}

fn needed<T: std::str::FromStr<Err: std::fmt::Display>>(query: &Query, name: &str) -> Result<T, Problem> {
    query.read(name)?.ok_or_else(|| Problem::parameter(name, "it is missing"))
}

/// A word of the contract, such as a severity. What serde says of another one is for programs.
fn word<T: serde::de::DeserializeOwned>(query: &Query, name: &str) -> Result<Option<T>, Problem> {
    place::word(query, name).map_err(|_| Problem::parameter(name, "there is no such word"))
}

/// Why a page cannot be shown.
pub fn problem(error: PageError) -> Problem {
    missing(Code::UnknownObject, error)
}

fn missing(code: Code, error: PageError) -> Problem {
    match error {
        PageError::Missing(why) => Problem::new(code, why),
        PageError::Ledger(error) => error.into(),
        PageError::Template(error) => Problem::internal(&error),
        PageError::Report(error) => Problem::internal(&error),
    }
}

/// Gives a failure the look of a page where a person looks: outside the API, with a browser.
pub async fn dress(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let is_api = ["/v1", "/metrics", "/healthz", "/readyz", "/openapi.json", "/assets"]
        .iter()
        .any(|root| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')));
    let accepts = request.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let is_page = !is_api && accepts.contains("text/html");
    let id = request.extensions().get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default();
    let as_now = as_now(&request);
    let response = next.run(request).await;
    let code = response.extensions().get::<Code>().copied();
    match code {
        Some(code) if is_page => dressed(response, code, &id, as_now).await,
        _ => response,
    }
}

/// The same page as known now, if a request asks about what was known earlier.
fn as_now(request: &Request) -> Option<String> {
    let query = request.uri().query().filter(|_| request.method().is_safe())?;
    let (known, kept): (Vec<_>, Vec<_>) =
        url::form_urlencoded::parse(query.as_bytes()).partition(|(key, _)| key == "known_at");
    known.iter().find(|(_, value)| !value.is_empty())?;
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(kept).finish();
    let path = request.uri().path();
    Some(if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") })
}

async fn dressed(response: Response, code: Code, id: &str, as_now: Option<String>) -> Response {
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, 64 * 1024).await.unwrap_or_default();
    let told: Option<ProblemBody> = serde_json::from_slice(&body).ok();
    let (detail, hint) = told.map_or_else(Default::default, |told| (told.detail, told.hint));
    let (_, title) = code.meaning();
    // What was not known then may be known now, so nothing is said of now.
    let is_unknown = matches!(code, Code::UnknownObject | Code::UnknownChain | Code::UnknownFinding);
    let as_now = as_now.filter(|_| is_unknown);
    let (title, detail) = match as_now {
        Some(_) => ("It was not known then", format!("as known then: {detail}")),
        None => (title, detail),
    };
    // What the API's hint says is for programs.
    let hint = match code {
        Code::UnknownRoute => Some("The overview has links to every page.".to_owned()),
        Code::UnknownTenant => None,
        Code::Unauthenticated | Code::TokenExpired | Code::TokenRevoked => Some("Sign in again.".to_owned()),
        _ => hint,
    };
    let failure = ui::failure::Failure {
        status: parts.status.as_u16(),
        title,
        detail: &detail,
        hint: hint.as_deref(),
        as_now: as_now.as_deref(),
        request: id,
    };
    let mut page = match ui::failure::page(&failure) {
        Ok(text) => html(parts.status, text),
        Err(_) => return parts.status.into_response(),
    };
    if let Some(seconds) = parts.headers.get(header::RETRY_AFTER) {
        page.headers_mut().insert(header::RETRY_AFTER, seconds.clone());
    }
    page.extensions_mut().insert(code);
    page
}
