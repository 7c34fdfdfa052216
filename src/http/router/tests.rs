//! Whatever becomes of a request, it stands in the access log.

use std::time::Duration;

use axum::body::Body;
use tokio::sync::Notify;
use tower::ServiceExt;

use super::*;
use crate::http::access::role::Role;
use crate::http::access::tokens::Wanted;
use crate::http::service::Limits;
use crate::http::trial;

/// A service with one guarded route, and a request of it.
async fn guarded<F: Future<Output = &'static str> + Send + 'static>(
    patience: Duration,
    handler: impl Fn() -> F + Clone + Send + Sync + 'static,
    ask: impl AsyncFnOnce(Router, Request),
) -> Vec<u16> {
    let folder = tempfile::tempdir().unwrap();
    let service = trial::service(folder.path(), Limits { patience, ..Limits::default() });
    let wanted = Wanted { label: None, role: Role::Admin, tenants: None, lasts: None };
    let (_, text) = service.tokens.add(wanted, service.clock).unwrap();
    let guard = from_fn_with_state((service.clone(), Right::Ask), caller::by_token);
    let router = layered(&service, Router::new().route("/x", get(handler).route_layer(guard)));
    let request = Request::get("/x").header("authorization", format!("Bearer {text}")).body(Body::empty()).unwrap();
    ask(router, request).await;
    for _ in 0..100 {
        let (found, _) = service.access_log.read(None, 10, |_| true).unwrap();
        if !found.is_empty() {
            return found.into_iter().map(|entry| entry.status).collect();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Vec::new()
}

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_request_stands_in_the_access_log_though_its_client_hung_up() {
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let handler = {
        let (begun, go_on) = (Arc::clone(&begun), Arc::clone(&go_on));
        move || {
            let (begun, go_on) = (Arc::clone(&begun), Arc::clone(&go_on));
            async move {
                begun.notify_one();
                go_on.notified().await;
                "done"
            }
        }
    };
    let statuses = guarded(MINUTE, handler, async |router, request| {
        tokio::select! {
            _ = router.oneshot(request) => {}
            () = begun.notified() => {}
        }
        go_on.notify_one();
    });
    assert_eq!(statuses.await, [200]);
}

#[tokio::test]
async fn a_request_stands_in_the_access_log_though_it_took_too_long() {
    let handler = async || {
        tokio::time::sleep(MINUTE).await;
        "late"
    };
    let statuses = guarded(Duration::from_millis(20), handler, async |router, request| {
        assert_eq!(router.oneshot(request).await.unwrap().status(), 408);
    });
    assert_eq!(statuses.await, [408]);
}

#[tokio::test]
async fn a_request_stands_in_the_access_log_though_its_handler_panicked() {
    let handler = async || -> &'static str { panic!("a trial") };
    let statuses = guarded(MINUTE, handler, async |router, request| {
        assert_eq!(router.oneshot(request).await.unwrap().status(), 500);
    });
    assert_eq!(statuses.await, [500]);
}
