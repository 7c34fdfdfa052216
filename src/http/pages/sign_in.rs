//! Signing in with a token, and out.

use axum::Extension;
use axum::extract::{FromRequest, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use data_encoding::HEXLOWER;

use super::form::{Form, fields};
use super::session::Sessions;
use super::visit::{Visit, cookie_name, cookie_of, ours};
use super::{html, to};
use crate::http::access::caller::{self, RequestId, refused};
use crate::http::access::log::Entry;
use crate::http::access::role::Right;
use crate::http::access::tokens::Token;
use crate::http::place::Filled;
use crate::http::problem::Problem;
use crate::http::service::{Shared, blocking};
use crate::ui;

/// Longest form of somebody who has not signed in yet, in bytes.
const FORM_BYTES_MAX: usize = 16 * 1024;

/// The page on which a token is given.
pub async fn ask(
    State(service): State<Shared>,
    Extension(RequestId(request)): Extension<RequestId>,
    Filled(query): Filled,
) -> Result<Response, Problem> {
    query.only(&["next"])?;
    let next = query.read::<String>("next")?.unwrap_or_default();
    page(&service, StatusCode::OK, None, &next, &request)
}

/// Begins a session with the token that was given.
pub async fn enter(
    State(service): State<Shared>,
    Extension(sessions): Extension<Sessions>,
    Extension(RequestId(id)): Extension<RequestId>,
    request: Request,
) -> Result<Response, Problem> {
    let headers = request.headers().clone();
    ours(request.method(), &headers)?;
    let fields = fields(request, FORM_BYTES_MAX).await?;
    let text = fields.get("token").map(|text| text.trim().to_owned()).unwrap_or_default();
    let next = fields.get("next").cloned().unwrap_or_default();
    let found = {
        let (service, now) = (service.clone(), service.clock.now());
        blocking(move || service.tokens.find(&text, now).map_err(|error| Problem::internal(&error))).await?
    };
    let token = match found {
        Ok(token) if token.role.has(Right::SeePeople) => token,
        Ok(token) => {
            log(&service, &id, Some(&token), StatusCode::FORBIDDEN)?;
            let wrong = format!("The token's role is {}; these pages are for auditors and administrators.", token.role);
            return page(&service, StatusCode::FORBIDDEN, Some(&wrong), &next, &id);
        }
        Err(why) => {
            if service.pace.logs_stranger() {
                log(&service, &id, None, StatusCode::UNAUTHORIZED)?;
            }
            let wrong = format!("{}.", capital(&refused(why).detail));
            return page(&service, StatusCode::UNAUTHORIZED, Some(&wrong), &next, &id);
        }
    };
    log(&service, &id, Some(&token), StatusCode::SEE_OTHER)?;
    if let Some(before) = cookie_of(&service, &headers) {
        sessions.end(&before);
    }
    let draw = || service.clock.secret().map_err(|error| Problem::internal(&error));
    let (secret, form) = (draw()?, draw()?);
    sessions.begin(secret, form, token.id, tokio::time::Instant::now());
    with_cookie(to(within(&next))?, &cookie(&service, &HEXLOWER.encode(&secret), ""))
}

/// Ends the session. Whoever kept its cookie has nothing.
pub async fn leave(
    State(service): State<Shared>,
    Extension(sessions): Extension<Sessions>,
    mut request: Request,
) -> Result<Response, Problem> {
    ours(request.method(), request.headers())?;
    if let Some(value) = cookie_of(&service, request.headers()) {
        if let Some(session) = sessions.find(&value, tokio::time::Instant::now()) {
            request.extensions_mut().insert(Visit(session));
            let _sent = Form::from_request(request, &service).await?;
        }
        sessions.end(&value);
    }
    with_cookie(to("/sign-in")?, &cookie(&service, "", "; Max-Age=0"))
}

fn page(
    service: &Shared,
    status: StatusCode,
    wrong: Option<&str>,
    next: &str,
    request: &str,
) -> Result<Response, Problem> {
    let text = ui::sign_in::page(wrong, within(next), service.is_encrypted, request);
    Ok(html(status, text.map_err(super::look::problem)?))
}

/// The page to go to: one of ours, or the overview. What begins with two strokes, or with a stroke and a backslash, is a
/// place elsewhere for browsers.
fn within(next: &str) -> &str {
    let is_ours = next.starts_with('/') && !next.starts_with("//") && !next.contains('\\');
    let is_plain = next.len() <= 4_000 && next.bytes().all(|byte| byte.is_ascii_graphic());
    if is_ours && is_plain { next } else { "/" }
}

/// The cookie is for this service alone, is not shown to scripts, and is sent from elsewhere with a link that is followed
/// alone: whoever comes from a ticket is still signed in. A link changes nothing, and forms prove where they are from.
fn cookie(service: &Shared, value: &str, more: &str) -> String {
    let secure = if service.is_encrypted { "; Secure" } else { "" };
    format!("{}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{more}", cookie_name(service))
}

fn with_cookie(mut response: Response, cookie: &str) -> Result<Response, Problem> {
    let mut value = HeaderValue::from_str(cookie).map_err(|error| Problem::internal(&error))?;
    value.set_sensitive(true);
    response.headers_mut().insert(header::SET_COOKIE, value);
    Ok(response)
}

/// Who signed in, or tried to, stands in the log of who asked what.
fn log(service: &Shared, request: &str, token: Option<&Token>, status: StatusCode) -> Result<(), Problem> {
    let entry = Entry {
        at: service.clock.now(),
        request: request.to_owned(),
        token: token.map(|token| token.id.clone()),
        role: token.map(|token| token.role),
        tenant: None,
        method: "POST".to_owned(),
        route: "/sign-in".to_owned(),
        status: status.as_u16(),
        subjects: Vec::new(),
        more: 0,
    };
    caller::write(service, &entry)
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}", first.to_uppercase(), letters.as_str()))
}

#[cfg(test)]
mod tests {
    use super::within;

    #[test]
    fn nobody_is_sent_elsewhere_after_signing_in() {
        for ours in ["/", "/t/x/chain?id=%2F%2Fa", "/sign-in"] {
            assert_eq!(within(ours), ours);
        }
        for elsewhere in ["", "//evil.test", "/\\evil.test", "https://evil.test", "evil", "/a\nb", "/a b", "\\\\evil"] {
            assert_eq!(within(elsewhere), "/", "{elsewhere:?}");
        }
    }
}
