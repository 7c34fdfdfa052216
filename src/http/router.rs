//! The whole of it: routes, and the layers around them. From the outside in: the request's id and its line in the log, what
//! catches a panic, how long a request may take, then each route's guard, then the handler.

use std::any::Any;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, Extension, MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use data_encoding::HEXLOWER;
use metrics_exporter_prometheus::PrometheusHandle;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::RequestBodyTimeoutLayer;
use utoipa::openapi::OpenApi;

use super::access::caller::{self, Caller, RequestId};
use super::access::role::Right;
use super::problem::{Code, Problem};
use super::service::{Shared, blocking};
use super::{api, metrics as counts, pages};

/// How long a body may pause before it counts as broken off.
const BODY_PAUSE: std::time::Duration = std::time::Duration::from_secs(30);
/// How much longer a request may take than what its guard has admitted.
const GUARDS_FIRST: std::time::Duration = std::time::Duration::from_secs(2);
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longest id that a caller may give a request.
const REQUEST_ID_MAX: usize = 64;

/// All that the service answers. `counted` renders the metrics.
pub fn router(service: &Shared, counted: Option<PrometheusHandle>) -> Router {
    let (routes, document) = api::routes(service);
    let metrics = Router::new()
        .route("/metrics", get(render_metrics))
        .route_layer(from_fn_with_state(service.clone(), from_here_or_by_token))
        .layer(Extension(counted.map(Arc::new)));
    let open = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/openapi.json", get(document_of))
        .layer(Extension(Arc::new(document)));
    let all = routes.merge(metrics).merge(open).merge(pages::routes(service));
    layered(service, all)
}

/// The layers around all routes.
fn layered(service: &Shared, routes: Router<Shared>) -> Router {
    routes
        .fallback(unknown_route)
        .method_not_allowed_fallback(unknown_method)
        .layer(RequestBodyTimeoutLayer::new(BODY_PAUSE))
        .layer(from_fn_with_state(service.clone(), patient))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(pages::dress))
        .layer(from_fn_with_state(service.clone(), numbered))
        .with_state(service.clone())
}

/// The API's document, as it is committed with the code.
pub fn document(service: &Shared) -> OpenApi {
    api::routes(service).1
}

/// Gives a request its id, counts it, and writes its line into the service's log: no path, because paths hold names.
async fn numbered(State(service): State<Shared>, mut request: Request, next: Next) -> Response {
    let given = request.headers().get(&REQUEST_ID).and_then(|id| id.to_str().ok()).filter(|id| is_plain(id));
    let id = given.map_or_else(|| HEXLOWER.encode(&service.clock.salt()), str::to_owned);
    request.extensions_mut().insert(RequestId(id.clone()));
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str).to_owned();
    let timer = counts::Timer::start();
    let mut response = next.run(request).await;
    let (status, seconds) = (response.status(), timer.elapsed().as_secs_f64());
    let code = response.extensions().get::<Code>().map(|code| code.word());
    tracing::info!(request = id, %method, route, status = status.as_u16(), code, seconds, "answered");
    let route = if route.is_empty() { "none".to_owned() } else { route };
    // What a stranger invents as a method must not become a label.
    let method = if is_standard(&method) { method.to_string() } else { "other".to_owned() };
    metrics::counter!("whowas_http_requests_total", "route" => route.clone(), "method" => method, "status" => status.as_str().to_owned())
        .increment(1);
    metrics::histogram!("whowas_http_request_duration_seconds", "route" => route).record(seconds);
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// The methods of RFC 9110 and RFC 5789.
fn is_standard(method: &Method) -> bool {
    use Method as M;
    let standard = [M::GET, M::HEAD, M::POST, M::PUT, M::DELETE, M::CONNECT, M::OPTIONS, M::TRACE, M::PATCH];
    standard.contains(method)
}

/// A request that takes too long is answered so. An answer that is streamed has begun by then. What is behind a guard is
/// given up there, a little earlier, because its entry in the access log comes before its answer.
async fn patient(State(service): State<Shared>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(service.limits.patience + GUARDS_FIRST, next.run(request)).await {
        Ok(response) => response,
        Err(_) => caller::out_of_time(&service).into_response(),
    }
}

fn panicked(_what: Box<dyn Any + Send + 'static>) -> Response {
    // The message of a panic may hold anything; the hook prints where it was.
    tracing::error!("a handler panicked");
    Problem::new(Code::Internal, "the service failed; its log tells where").into_response()
}

async fn unknown_route() -> Problem {
    Problem::new(Code::UnknownRoute, "there is nothing at this path").with_hint("GET /openapi.json lists the routes")
}

async fn unknown_method() -> Problem {
    Problem::new(Code::MethodNotAllowed, "the route does not know this method")
        .with_hint("GET /openapi.json lists the routes")
}

async fn document_of(Extension(document): Extension<Arc<OpenApi>>) -> Result<Response, Problem> {
    super::place::answer(StatusCode::OK, &*document)
}

/// Ready means that questions are answered and facts are recorded. A directory that cannot be reached is no reason to send
/// agents elsewhere: they would miss the answer that tells them to wait.
async fn ready(State(service): State<Shared>) -> Response {
    let checked = {
        let service = service.clone();
        blocking(move || Ok((service.health)())).await
    };
    let (status, ledger) = match checked {
        Ok(Ok(())) if !service.stop.is_asked() => (StatusCode::OK, "ready"),
        Ok(Ok(())) => (StatusCode::SERVICE_UNAVAILABLE, "stopping"),
        Ok(Err(why)) => {
            tracing::warn!(why, "the ledger cannot be written");
            (StatusCode::SERVICE_UNAVAILABLE, "the ledger cannot be written")
        }
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the ledger does not answer"),
    };
    (status, format!("{ledger}\n")).into_response()
}

/// Who stands on the same machine may read the metrics, unless all who come seem to, behind a proxy.
async fn from_here_or_by_token(State(service): State<Shared>, request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| *peer);
    let is_here = peer.is_some_and(|peer| peer.ip().is_loopback()) && !service.is_behind_proxy;
    if is_here && !request.headers().contains_key(header::AUTHORIZATION) {
        return next.run(request).await;
    }
    caller::by_token(State((service, Right::SeeRuns)), request, next).await
}

async fn render_metrics(
    State(service): State<Shared>,
    Extension(counted): Extension<Option<Arc<PrometheusHandle>>>,
    caller: Option<Extension<Caller>>,
) -> Result<Response, Problem> {
    // The counts are of all tenants, and name them.
    if caller.is_some_and(|Extension(caller)| caller.token.tenants.is_some()) {
        return Err(Problem::new(
            Code::TenantForbidden,
            "the metrics are of all tenants, and the token is not for all",
        ));
    }
    let Some(counted) = counted else {
        return Err(Problem::new(Code::UnknownRoute, "this service counts nothing"));
    };
    blocking(move || {
        counts::look(&service)?;
        Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], counted.render()).into_response())
    })
    .await
}

fn is_plain(id: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !id.is_empty() && id.len() <= REQUEST_ID_MAX && id.bytes().all(plain)
}

#[cfg(test)]
mod tests;
