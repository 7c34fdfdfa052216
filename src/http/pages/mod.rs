//! The auditor's pages over HTTP: signing in, the routes with the right that each needs, and the look of failures.
//!
//! What a page shows and how is in [`crate::ui`]. Here a page is a desk, a frame around it, and headers.

mod form;
mod frame;
mod look;
mod review;
mod session;
mod sign_in;
mod sync;
#[cfg(test)]
mod tests;
mod visit;

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};

use super::access::role::Right;
use super::problem::{Code, Problem};
use super::service::Shared;
use crate::ui::assets;

pub use look::dress;
use session::Sessions;

/// Every page with the right that it needs. Only who may look at people may sign in, so every page needs a session, and
/// some of them more than that.
fn guarded() -> [(&'static str, Right, MethodRouter<Shared>); 16] {
    [
        ("/", Right::SeePeople, get(look::overview)),
        ("/t/{t}", Right::SeePeople, get(look::tenant)),
        ("/t/{t}/progress", Right::SeePeople, get(look::progress)),
        ("/t/{t}/search", Right::SeePeople, get(look::search)),
        ("/t/{t}/name", Right::SeePeople, get(look::name)),
        ("/t/{t}/person", Right::SeePeople, get(look::person)),
        ("/t/{t}/chain", Right::SeePeople, get(look::chain)),
        ("/t/{t}/findings", Right::SeePeople, get(look::findings)),
        ("/t/{t}/finding", Right::SeePeople, get(look::finding)),
        ("/t/{t}/finding/acknowledge", Right::Review, post(review::acknowledge)),
        ("/t/{t}/finding/resolve", Right::Review, post(review::resolve)),
        ("/t/{t}/reuse", Right::SeePeople, get(look::reuse)),
        ("/t/{t}/mapping", Right::SeePeople, get(look::mapping).post(look::preview)),
        ("/t/{t}/runs", Right::SeePeople, get(look::runs)),
        ("/t/{t}/report", Right::SeePeople, get(look::report)),
        ("/t/{t}/sync", Right::Sync, post(sync::begin)),
    ]
}

/// The pages.
pub fn routes(service: &Shared) -> Router<Shared> {
    routes_with(service, &Sessions::default())
}

fn routes_with(service: &Shared, sessions: &Sessions) -> Router<Shared> {
    let mut router = Router::new()
        .route("/sign-in", get(sign_in::ask).post(sign_in::enter))
        .route("/sign-out", post(sign_in::leave))
        .route("/assets/{hash}/{name}", get(asset));
    for (path, right, handler) in guarded() {
        let state = (service.clone(), sessions.clone(), right);
        router = router.route(path, handler.route_layer(from_fn_with_state(state, visit::by_session)));
    }
    router.layer(axum::Extension(sessions.clone()))
}

/// A file that belongs to the pages. Its address has its content's hash, so it never changes.
async fn asset(Path((hash, name)): Path<(String, String)>) -> Result<Response, Problem> {
    let found = assets::at(&format!("/assets/{hash}/{name}"));
    let asset = found.ok_or_else(|| Problem::new(Code::UnknownRoute, "there is no such file in this release"))?;
    let headers = [
        (header::CONTENT_TYPE, asset.media_type),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'"),
    ];
    Ok((headers, asset.content.clone()).into_response())
}

/// What a page may load and do. Nothing comes from elsewhere, and nothing in a page's text is run.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// A page as it is sent.
fn html(status: StatusCode, text: String) -> Response {
    let mut response = (status, text).into_response();
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::CACHE_CONTROL, "no-store"),
        // The same address answers a part of a page to htmx.
        (header::VARY, "HX-Request"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Sends a browser on.
fn to(place: &str) -> Result<Response, Problem> {
    let place = HeaderValue::from_str(place).map_err(|error| Problem::internal(&error))?;
    let mut response = StatusCode::SEE_OTHER.into_response();
    response.headers_mut().insert(header::LOCATION, place);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
