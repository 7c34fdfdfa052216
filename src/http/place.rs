//! The tenant that a request is about, and parameters that are read with a word on what is wrong with them.

use std::collections::BTreeMap;
use std::str::FromStr;

use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;

use super::access::caller::Caller;
use super::access::log::Looks;
use super::problem::{Code, Problem};
use super::service::{Shared, blocking};
use crate::ledger::KnownAt;
use crate::service::Desk;

/// How many items a page of a list has if nothing is said, and at most.
pub const PAGE: (usize, usize) = (100, 1_000);

/// The tenant of the path, once it is known that the caller may ask about it.
#[derive(Clone)]
pub struct Tenant {
    /// The desk at which it is asked about.
    pub desk: Desk,
    /// Whoever asks.
    pub caller: Caller,
    /// Collects what the request is about.
    pub looks: Looks,
}

impl FromRequestParts<Shared> for Tenant {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &Shared) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, service).await?;
        let places = Path::<BTreeMap<String, String>>::from_request_parts(parts, service).await;
        let Path(places) = places.map_err(|error| Problem::parameter("the path", error.body_text()))?;
        let named = places.get("t").cloned().unwrap_or_default();
        let (lookup, text) = (service.clone(), named.clone());
        let known = blocking(move || Ok(lookup.tenant(&text)?)).await?;
        // Whoever may ask about some tenants only does not learn which others there are.
        let Some(tenant) = known.filter(|tenant| caller.token.reaches(*tenant)) else {
            let named: String = named.chars().take(64).collect();
            return Err(match &caller.token.tenants {
                None => Problem::new(Code::UnknownTenant, format!("tenant {named:?} is not known here"))
                    .with_hint("GET /v1/status lists the tenants"),
                Some(_) => {
                    let problem = Problem::new(Code::TenantForbidden, format!("the token is not for tenant {named:?}"));
                    metrics::counter!("whowas_access_denied_total", "reason" => problem.code.word()).increment(1);
                    problem
                }
            });
        };
        caller.looks.tenant(tenant);
        let looks = caller.looks.clone();
        let mut desk = service.desk(tenant, caller.clock);
        desk.policy.names_tenants = caller.token.tenants.is_none();
        Ok(Self { desk, caller, looks })
    }
}

/// The places of the path, each read as what it should be.
#[derive(Clone, Debug)]
pub struct Places(BTreeMap<String, String>);

impl<S: Send + Sync> FromRequestParts<S> for Places {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let places = Path::<BTreeMap<String, String>>::from_request_parts(parts, state).await;
        places.map(|Path(places)| Self(places)).map_err(|error| Problem::parameter("the path", error.body_text()))
    }
}

impl Places {
    /// What stands in this place.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read<T: FromStr<Err: std::fmt::Display>>(&self, name: &str) -> Result<T, Problem> {
        let text = self.0.get(name).map_or("", String::as_str);
        text.parse().map_err(|error| Problem::parameter(name, error))
    }
}

/// The parameters of the query. A key that the route does not know, or one that stands twice, is refused: a misspelled one
/// would be ignored in silence, and the answer would be to another question.
#[derive(Clone, Debug)]
pub struct Query(BTreeMap<String, String>);

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let mut found = BTreeMap::new();
        let text = parts.uri.query().unwrap_or_default();
        for (key, value) in url::form_urlencoded::parse(text.as_bytes()) {
            if value.contains(char::REPLACEMENT_CHARACTER) {
                return Err(Problem::parameter(&key, "it is not UTF-8 text"));
            }
            if found.insert(key.to_string(), value.into_owned()).is_some() {
                return Err(Problem::parameter(&key, "it stands in the query twice"));
            }
        }
        Ok(Self(found))
    }
}

impl Query {
    /// Refuses keys other than these.
    ///
    /// # Errors
    /// If there is one.
    pub fn only(&self, known: &[&str]) -> Result<(), Problem> {
        match self.0.keys().find(|key| !known.contains(&key.as_str())) {
            None => Ok(()),
            Some(key) => {
                let key: String = key.chars().take(64).collect();
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                Err(Problem::parameter(&key, format!("the route does not know it; it knows {known}")))
            }
        }
    }

    /// A parameter, if it is given.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read<T: FromStr<Err: std::fmt::Display>>(&self, name: &str) -> Result<Option<T>, Problem> {
        self.0.get(name).map(|text| text.parse().map_err(|error| Problem::parameter(name, error))).transpose()
    }

    /// `true` or `false`, which is the default.
    ///
    /// # Errors
    /// If it is something else.
    pub fn flag(&self, name: &str) -> Result<bool, Problem> {
        Ok(self.read(name)?.unwrap_or(false))
    }

    /// `known_at`: a commit's number or a time.
    ///
    /// # Errors
    /// If it is neither.
    pub fn known_at(&self) -> Result<KnownAt, Problem> {
        let Some(text) = self.read::<String>("known_at")? else { return Ok(KnownAt::Now) };
        text.parse().map_err(|error| Problem::parameter("known_at", error))
    }

    /// `limit`: how many items a page has.
    ///
    /// # Errors
    /// If it is no number from 1.
    pub fn limit(&self) -> Result<usize, Problem> {
        match self.read::<usize>("limit")? {
            None => Ok(PAGE.0),
            Some(limit) if limit == 0 || limit > PAGE.1 => {
                Err(Problem::parameter("limit", format!("it is to be from 1 to {}", PAGE.1)))
            }
            Some(limit) => Ok(limit),
        }
    }
}

/// The parameters of a query that a form sent: its empty fields stand in it too, and say nothing.
#[derive(Clone, Debug)]
pub struct Filled(pub Query);

impl<S: Send + Sync> FromRequestParts<S> for Filled {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Query(mut found) = Query::from_request_parts(parts, state).await?;
        found.retain(|_, text| !text.is_empty());
        Ok(Self(Query(found)))
    }
}

/// A parameter that is one of a few words, as JSON has them.
///
/// # Errors
/// If it is none of them.
pub fn word<T: DeserializeOwned>(query: &Query, name: &str) -> Result<Option<T>, Problem> {
    let text = query.read::<String>(name)?;
    text.map(|text| {
        serde_json::from_value(serde_json::Value::String(text)).map_err(|error| Problem::parameter(name, error))
    })
    .transpose()
}

/// A JSON body.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Shared> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, service: &Shared) -> Result<Self, Problem> {
        must_be_json(request.headers())?;
        let body = axum::body::to_bytes(request.into_body(), service.limits.body_bytes).await;
        let body = body.map_err(|error| unreadable(&error, service.limits.body_bytes))?;
        serde_json::from_slice(&body).map(Self).map_err(|error| invalid(&error))
    }
}

/// A JSON body that may be left out, which asks for nothing special.
pub struct JsonIfAny<T>(pub T);

impl<T: DeserializeOwned + Default> FromRequest<Shared> for JsonIfAny<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, service: &Shared) -> Result<Self, Problem> {
        // Some clients name a type though they send nothing, so the type counts only where there is something of it.
        if let Err(other) = must_be_json(request.headers()) {
            let nothing = axum::body::to_bytes(request.into_body(), 0).await;
            return nothing.map(|_| Self(T::default())).map_err(|_| other);
        }
        let body = axum::body::to_bytes(request.into_body(), service.limits.body_bytes).await;
        let body = body.map_err(|error| unreadable(&error, service.limits.body_bytes))?;
        if body.is_empty() {
            return Ok(Self(T::default()));
        }
        serde_json::from_slice(&body).map(Self).map_err(|error| invalid(&error))
    }
}

/// Refuses a body of another media type.
///
/// # Errors
/// If it is one.
pub fn must_be_json(headers: &HeaderMap) -> Result<(), Problem> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence == "application/json" {
        return Ok(());
    }
    let problem = Problem::new(Code::UnsupportedMediaType, "the body is to be application/json");
    Err(problem.with_hint("send the header Content-Type: application/json"))
}

/// What is wrong with a body that did not come in whole.
pub fn unreadable(error: &axum::Error, longest: usize) -> Problem {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        if error.is::<http_body_util::LengthLimitError>() {
            return Problem::new(Code::BodyTooLarge, format!("the body is longer than {longest} bytes"));
        }
        cause = error.source();
    }
    Problem::new(Code::InvalidBody, "the body did not come in whole")
}

/// What is wrong with a body that is no such JSON, without quoting it: it may hold names.
pub fn invalid(error: &serde_json::Error) -> Problem {
    let place = format!("line {}, column {}", error.line(), error.column());
    let text = error.to_string();
    let what = match error.classify() {
        serde_json::error::Category::Data => text.split(" at line ").next().unwrap_or_default().to_owned(),
        _ => "it is no valid JSON".to_owned(),
    };
    Problem::new(Code::InvalidBody, format!("{what} ({place})"))
}

/// A status with a JSON answer.
pub fn answer<T: serde::Serialize>(status: StatusCode, answer: &T) -> Result<axum::response::Response, Problem> {
    use axum::response::IntoResponse;
    let body = serde_json::to_vec(answer).map_err(|error| Problem::internal(&error))?;
    Ok((status, [(header::CONTENT_TYPE, "application/json")], body).into_response())
}
