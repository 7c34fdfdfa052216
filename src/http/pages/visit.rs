//! Who visits: the session of the cookie, the token behind it, and whether a request that changes something came from a page
//! of ours.

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum_extra::extract::cookie::CookieJar;

use super::session::{Session, Sessions};
use crate::http::access::caller::{self, Caller};
use crate::http::access::role::Right;
use crate::http::problem::{Code, Problem};
use crate::http::service::{Shared, blocking};

/// A visit: the session that it belongs to.
#[derive(Clone, Debug)]
pub struct Visit(pub Session);

impl<S: Send + Sync> FromRequestParts<S> for Visit {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        // Every page is guarded; one that is not has nobody to show anything to.
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| Problem::new(Code::Unauthenticated, "nobody has signed in"))
    }
}

/// Lets a visitor pass whose session is good and whose token has the right, and writes the visit into the log.
pub async fn by_session(
    State((service, sessions, right)): State<(Shared, Sessions, Right)>,
    mut request: Request,
    next: Next,
) -> Response {
    let (session, caller) = match visitor(&service, &sessions, request.headers()).await {
        Ok(None) => return ask_to_sign_in(&request),
        Ok(Some((session, caller))) => (Some(session), Ok(caller)),
        Err(problem) => (None, Err(problem)),
    };
    let caller = caller.and_then(|caller| ours(request.method(), request.headers()).map(|()| caller));
    if let Some(session) = session {
        request.extensions_mut().insert(Visit(session));
    }
    caller::admit(&service, caller, right, request, next).await
}

/// The session and the caller of a cookie. `None` if there is no session, or its token is refused by now, which ends it.
async fn visitor(
    service: &Shared,
    sessions: &Sessions,
    headers: &HeaderMap,
) -> Result<Option<(Session, Caller)>, Problem> {
    let Some(cookie) = cookie_of(service, headers) else { return Ok(None) };
    let Some(session) = sessions.find(&cookie, tokio::time::Instant::now()) else { return Ok(None) };
    let (asked, token, now) = (service.clone(), session.token.clone(), service.clock.now());
    let found = blocking(move || asked.tokens.by_id(&token, now).map_err(|error| Problem::internal(&error))).await?;
    match found {
        Err(_refused) => {
            sessions.end_all_of(&session.token);
            Ok(None)
        }
        // No page is for anybody else, whatever else the token may do.
        Ok(token) if !token.role.has(Right::SeePeople) => {
            sessions.end_all_of(&session.token);
            Ok(None)
        }
        Ok(token) => {
            let caller = Caller { token, clock: service.clock_of(headers)?, looks: service.access_log.looks() };
            Ok(Some((session, caller)))
        }
    }
}

/// What the session's cookie is called. Where what is sent is encrypted, browsers take it from us alone.
pub fn cookie_name(service: &Shared) -> &'static str {
    if service.is_encrypted { "__Host-whowas" } else { "whowas" }
}

/// The session's cookie in a request.
pub fn cookie_of(service: &Shared, headers: &HeaderMap) -> Option<String> {
    CookieJar::from_headers(headers).get(cookie_name(service)).map(|cookie| cookie.value().to_owned())
}

/// Refuses a request that changes something unless a page of ours sent it. Browsers tell; what tells nothing is refused.
///
/// # Errors
/// If it came from elsewhere.
pub fn ours(method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    if method.is_safe() {
        return Ok(());
    }
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let is_ours = match (text("sec-fetch-site"), text(header::ORIGIN.as_str())) {
        (Some(site), _) => site == "same-origin",
        (None, Some(origin)) => {
            let authority = origin.split_once("://").map(|(_, authority)| authority);
            authority.is_some() && authority == text(header::HOST.as_str())
        }
        (None, None) => false,
    };
    if is_ours { Ok(()) } else { Err(elsewhere()) }
}

/// The problem that a request came from elsewhere.
pub fn elsewhere() -> Problem {
    Problem::new(Code::CrossSite, "the form was not sent from a page of this service, so nothing was done")
        .with_hint("open the page here and send the form from there")
}

/// A page that was wanted is shown after signing in; what changes something is not done later.
fn ask_to_sign_in(request: &Request) -> Response {
    if !request.method().is_safe() {
        let problem = Problem::new(Code::Unauthenticated, "the session is over, so nothing was done");
        return problem.with_hint("sign in and send the form again").into_response();
    }
    let wanted = request.uri().path_and_query().map_or("/", |wanted| wanted.as_str());
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("next", wanted).finish();
    // A part of a page cannot be a page to sign in on.
    if request.headers().contains_key("hx-request") {
        let mut response = StatusCode::UNAUTHORIZED.into_response();
        response.headers_mut().insert("hx-redirect", HeaderValue::from_static("/sign-in"));
        return response;
    }
    super::to(&format!("/sign-in?{query}")).unwrap_or_else(IntoResponse::into_response)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(headers: &[(&'static str, &'static str)]) -> bool {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)));
        ours(&Method::POST, &headers.collect()).is_ok()
    }

    #[test]
    fn only_a_page_of_ours_changes_something() {
        assert!(sent(&[("sec-fetch-site", "same-origin"), ("origin", "https://w.test"), ("host", "w.test")]));
        assert!(sent(&[("origin", "http://127.0.0.1:8787"), ("host", "127.0.0.1:8787")]));
        assert!(!sent(&[("sec-fetch-site", "cross-site"), ("origin", "https://w.test"), ("host", "w.test")]));
        assert!(!sent(&[("sec-fetch-site", "same-site")]));
        assert!(!sent(&[("sec-fetch-site", "none")]));
        assert!(!sent(&[("origin", "https://evil.test"), ("host", "w.test")]));
        assert!(!sent(&[("origin", "null"), ("host", "w.test")]));
        assert!(!sent(&[("origin", "https://w.test.evil.test"), ("host", "w.test")]));
        assert!(!sent(&[("host", "w.test")]));
        assert!(ours(&Method::GET, &HeaderMap::new()).is_ok());
    }
}
