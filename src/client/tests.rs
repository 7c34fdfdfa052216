//! The client against small services that misbehave.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at the first surprise")]

use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response as Answer};
use futures_util::StreamExt;
use serde_json::{Value, json};

use super::split::{Layout, Split};
use super::*;
use crate::service::check::CheckRequest;

const TOKEN: &str = "whowas_secret0123456789";

/// A service that answers the nth request, from 1, so.
async fn serve<F, R>(answer: F) -> (Client, Arc<AtomicUsize>)
where
    F: Fn(usize, HeaderMap) -> R + Clone + Send + Sync + 'static,
    R: IntoResponse + 'static,
{
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let router = Router::new().fallback(move |headers: HeaderMap| {
        let answer = answer(count.fetch_add(1, Ordering::SeqCst) + 1, headers).into_response();
        std::future::ready(answer)
    });
    (at(&listen(router).await), asked)
}

async fn listen(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, router).into_future());
    url
}

fn at(url: &str) -> Client {
    let second = Duration::from_secs(1);
    let options = ClientOptions { answer_timeout: second, patience: 3 * second, ..ClientOptions::default() };
    Client::new(url, TOKEN, options).unwrap()
}

fn problem(status: u16, more: Value) -> Answer {
    let mut body = json!({"type": "urn:whowas:problem:x", "title": "X", "status": status, "detail": "it is so"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let status = StatusCode::from_u16(status).unwrap();
    let headers = [("content-type", "application/problem+json"), ("x-request-id", "r-1")];
    (status, headers, body.to_string()).into_response()
}

fn later(status: u16, after: &str) -> Answer {
    let mut answer = problem(status, json!({"code": "rate_limited"}));
    answer.headers_mut().insert("retry-after", after.parse().unwrap());
    answer
}

fn json_of(body: &Value) -> Answer {
    ([("content-type", "application/json")], body.to_string()).into_response()
}

fn good() -> Answer {
    json_of(&json!({"tenants": [], "ledger": {"store": "sled", "format": 1, "bytes": 7}, "newer": true}))
}

fn not_ours(error: &ClientError, words: &str) {
    let text = error.to_string();
    assert!(matches!(error, ClientError::NotOurs { .. }) && text.contains(words), "{words:?} is not in {text}");
}

#[tokio::test]
async fn a_service_that_asks_for_patience_is_asked_again() {
    for status in [429, 503] {
        let (client, asked) = serve(move |n, _| if n < 3 { later(status, "0") } else { good() }).await;
        assert_eq!(client.status().await.unwrap().ledger.bytes, 7);
        assert_eq!(asked.load(Ordering::SeqCst), 3);
    }
    let (client, asked) = serve(|n, _| if n < 2 { later(429, "1") } else { good() }).await;
    let began = tokio::time::Instant::now();
    client.status().await.unwrap();
    assert!(began.elapsed() >= Duration::from_secs(1) && asked.load(Ordering::SeqCst) == 2);
}

#[tokio::test]
async fn patience_has_its_bounds() {
    for (status, after, requests) in [(429, "0", 5), (429, "3600", 1), (503, "2", 2), (429, "soon", 1), (500, "0", 1)] {
        let (client, asked) = serve(move |_, _| later(status, after)).await;
        let error = client.status().await.unwrap_err();
        assert_eq!(error.problem().unwrap().status, status);
        assert_eq!(asked.load(Ordering::SeqCst), requests, "{status} {after}");
    }
    let (client, asked) = serve(|_, _| problem(503, json!({"code": "stopping"}))).await;
    assert!(client.status().await.unwrap_err().is("stopping"));
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_sync_is_begun_once_and_what_is_harmless_is_repeated() {
    let (client, asked) = serve(|_, _| later(429, "0")).await;
    let tenant = client.tenant("x");
    tenant.sync(&SyncWanted::default()).await.unwrap_err();
    assert_eq!(asked.swap(0, Ordering::SeqCst), 1);
    tenant.expire(&"c".parse().unwrap(), &"s".parse().unwrap()).await.unwrap_err();
    assert_eq!(asked.swap(0, Ordering::SeqCst), 5);
    tenant.check_all(&[CheckRequest::default()], &Asking::default()).await.unwrap_err();
    assert_eq!(asked.load(Ordering::SeqCst), 5);
}

#[tokio::test]
async fn what_the_service_refuses_is_told_with_its_code_and_its_request() {
    for (status, code) in [
        (400, "invalid_parameter"),
        (401, "token_revoked"),
        (403, "tenant_forbidden"),
        (404, "unknown_object"),
        (409, "sync_running"),
        (500, "internal"),
        (502, "directory_unreachable"),
        (418, "a_word_of_next_year"),
    ] {
        let running = json!({"run": 3, "trigger": "demand"});
        let more = json!({"code": code, "hint": "do\u{1b}[31m this", "running": running});
        let (client, _) = serve(move |_, _| problem(status, more.clone())).await;
        let error = client.status().await.unwrap_err();
        assert!(error.is(code) && error.to_string() == format!("it is so ({code}, request r-1)"), "{error}");
        let problem = error.problem().unwrap();
        assert_eq!((problem.status, problem.hint.as_deref()), (status, Some("do[31m this")));
        assert_eq!(problem.running.as_ref(), Some(&running));
        assert_eq!(problem.running(), None, "it lacks most of a run");
    }
}

#[tokio::test]
async fn whoever_else_answers_is_told_apart() {
    let html = || ([("content-type", "text/html; charset=utf-8")], "<html>").into_response();
    let (client, _) = serve(move |_, _| html()).await;
    not_ours(&client.status().await.unwrap_err(), "text/html");
    let (client, _) = serve(move |_, _| (StatusCode::BAD_GATEWAY, html()).into_response()).await;
    not_ours(&client.status().await.unwrap_err(), "502 with text/html");
    let (client, _) = serve(|_, _| StatusCode::NOT_FOUND).await;
    not_ours(&client.status().await.unwrap_err(), "404 with no media type");
    let (client, _) = serve(|_, _| json_of(&json!({"secret": "someone@x.test"}))).await;
    let error = client.status().await.unwrap_err();
    not_ours(&error, "missing field `tenants`");
    assert!(!error.to_string().contains("someone"), "{error}");
    let (client, _) = serve(|_, _| ([("content-type", "application/json")], "{\"a\"")).await;
    not_ours(&client.status().await.unwrap_err(), "no JSON");
    let (client, _) = serve(|_, _| problem(404, json!({}))).await;
    not_ours(&client.status().await.unwrap_err(), "has no code");
    let (client, asked) = serve(|_, _| (StatusCode::FOUND, [("location", "/elsewhere")])).await;
    not_ours(&client.status().await.unwrap_err(), "redirects (302)");
    assert_eq!(asked.load(Ordering::SeqCst), 1, "the token is not carried on");
    let (client, _) = serve(|_, _| json_of(&json!([{"index": 0, "error": "x"}]))).await;
    let error = client.tenant("x").check_all(&[], &Asking::default()).await.unwrap_err();
    not_ours(&error, "0 asks have 1 answers");
}

/// A service that sends these bytes and closes, or holds the connection for a while.
fn raw(sent: &'static str, holds: Duration) -> Client {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = [0; 4_096];
            let _some = stream.read(&mut head).unwrap();
            stream.write_all(sent.as_bytes()).unwrap();
            std::thread::sleep(holds);
        }
    });
    at(&url)
}

#[tokio::test]
async fn an_answer_that_breaks_off_or_does_not_come_is_no_answer() {
    const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{\"tenants\":";
    let long = Duration::from_secs(5);
    let broken = raw(HEAD, Duration::ZERO).status().await.unwrap_err();
    assert!(matches!(broken, ClientError::BrokenOff { .. }), "{broken}");
    let pausing = raw(HEAD, long).status().await.unwrap_err();
    assert!(matches!(pausing, ClientError::Unanswered { .. }), "{pausing}");
    let silent = raw("", long).status().await.unwrap_err();
    assert!(matches!(silent, ClientError::Unanswered { .. }), "{silent}");
    let gone = raw("", Duration::ZERO).status().await.unwrap_err();
    assert!(matches!(gone, ClientError::Unreachable { .. }), "{gone}");
    let other = raw("SSH-2.0-OpenSSH\r\n", Duration::ZERO).status().await.unwrap_err();
    assert!(matches!(other, ClientError::Unreachable { .. }), "{other}");
    let plain = at(&raw("HTTP/1.1 400 Bad Request\r\n\r\n", Duration::ZERO).origin().replace("http:", "https:"));
    let plain = plain.status().await.unwrap_err();
    assert!(plain.hint().unwrap().contains("speaks no TLS"), "{plain:?}");
    // Nobody listens on a port that was just free.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let name = "someone@x.test".parse().unwrap();
    let client = at(&format!("http://{free}"));
    let error = client.tenant("x").name_history(&name, crate::ledger::KnownAt::Now).await.unwrap_err();
    assert!(matches!(error, ClientError::Unreachable { .. }), "{error}");
    assert!(!format!("{error:?}").contains("someone"), "{error:?}");
}

#[tokio::test]
async fn an_answer_is_read_up_to_its_bound() {
    let (mut client, _) = serve(|_, _| json_of(&json!({"a": "x".repeat(10_000)}))).await;
    client.options.body_bytes_max = 1_000;
    not_ours(&client.status().await.unwrap_err(), "longer than 1000 bytes");
}

#[tokio::test]
async fn the_token_and_the_time_are_sent_and_the_token_is_never_shown() {
    let (client, _) = serve(|_, headers: HeaderMap| {
        let told = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("none").to_owned();
        let detail = format!("{} at {}", told("authorization"), told("x-whowas-now"));
        problem(403, json!({"code": "role_forbidden", "detail": detail}))
    })
    .await;
    let asked = async |now: Option<&str>| {
        let now = now.map(|now| now.parse().unwrap());
        let options = ClientOptions { now, ..client.options.clone() };
        let client = Client::new(client.origin(), &format!(" {TOKEN}\n"), options).unwrap();
        assert!(!format!("{client:?}").contains("secret"), "{client:?}");
        client.status().await.unwrap_err().problem().unwrap().detail.clone()
    };
    assert_eq!(asked(None).await, format!("Bearer {TOKEN} at none"));
    assert_eq!(asked(Some("2026-03-02T10:00:00Z")).await, format!("Bearer {TOKEN} at 2026-03-02T10:00:00Z"));
    for bad in ["", "  ", "two\nlines", "nul\0"] {
        let error = Client::new("http://127.0.0.1:1", bad, ClientOptions::default()).unwrap_err();
        assert!(matches!(error, ClientError::Token(_)) && !error.to_string().contains("two"), "{error}");
    }
    let options = ClientOptions { ca_file: Some("Cargo.toml".into()), ..ClientOptions::default() };
    let error = Client::new("https://w.example", TOKEN, options).unwrap_err();
    assert!(matches!(error, ClientError::Certificates { .. }), "{error}");
}

/// Answers each ask of an array as soon as it is there, with a text of some length.
async fn echo(request: Request) -> Answer {
    let mut split = Split::new(Layout::Array, 10_000);
    let (mut is_first, mut count) = (true, 0);
    let answers = request.into_body().into_data_stream().map(move |bytes| {
        let bytes = bytes.unwrap();
        let mut rest = &bytes[..];
        let mut text = String::new();
        while !rest.is_empty() {
            let (used, item) = split.take(rest).unwrap();
            rest = &rest[used..];
            if let Some(item) = item {
                let ask: Value = serde_json::from_slice(&item).unwrap();
                let error = format!("{}{}", ask["chain"].as_str().unwrap(), " ".repeat(200));
                text += if is_first { "[" } else { "," };
                text += &json!({ "index": count, "error": error }).to_string();
                count += 1;
                is_first = false;
            }
        }
        if split.is_whole() {
            text += if is_first { "[]" } else { "]" };
        }
        Ok::<_, std::convert::Infallible>(Bytes::from(text))
    });
    ([("content-type", "application/json")], Body::from_stream(answers)).into_response()
}

/// An id of so many bytes that no pair of sockets holds all of them.
fn long(number: usize) -> String {
    format!("c{number:0>240}")
}

#[tokio::test]
async fn any_number_of_asks_is_answered_in_order_and_only_as_fast_as_the_answers_are_read() {
    let client = at(&listen(Router::new().fallback(echo)).await);
    let drawn = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&drawn);
    let asks = (0..100_000).map(move |number| {
        count.fetch_add(1, Ordering::SeqCst);
        CheckRequest { chain: Some(long(number).parse().unwrap()), ..CheckRequest::default() }
    });
    let tenant = client.tenant("x");
    let mut answers = tenant.checks(asks, &Asking::default()).await.unwrap();
    // Whoever does not read is not answered for ever: what is under way is what sockets hold.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(drawn.load(Ordering::SeqCst) < 90_000, "{drawn:?} asks were drawn before an answer was read");
    let mut read = 0;
    while let Some(answer) = answers.next().await.unwrap() {
        let Answered::Refused { index, error } = answer else { panic!("{answer:?}") };
        assert_eq!((index, error.trim_end()), (read, long(read).as_str()));
        read += 1;
    }
    assert_eq!((read, answers.next().await.unwrap()), (100_000, None));
    let mut none = tenant.checks(Vec::new(), &Asking::default()).await.unwrap();
    assert_eq!(none.next().await.unwrap(), None);
}

#[tokio::test]
async fn a_streamed_answer_that_ends_early_is_not_taken_for_whole() {
    let (client, _) = serve(|_, _| ([("content-type", "application/json")], "[{\"index\":0,\"error\":\"a\"},")).await;
    let tenant = client.tenant("x");
    let mut answers = tenant.checks(vec![CheckRequest::default()], &Asking::default()).await.unwrap();
    assert!(answers.next().await.unwrap().is_some());
    assert!(matches!(answers.next().await, Err(ClientError::BrokenOff { .. })));
    assert!(matches!(answers.next().await, Ok(None)), "it is told once");
    let (client, asked) = serve(|_, _| later(429, "0")).await;
    let refused = client.tenant("x").checks(vec![CheckRequest::default()], &Asking::default()).await.err().unwrap();
    assert!(refused.is("rate_limited") && asked.load(Ordering::SeqCst) == 1, "{refused}");
    let lines = "{\"sequence\":1}\n";
    let (client, _) = serve(move |_, _| ([("content-type", "application/x-ndjson")], lines)).await;
    let tenant = client.tenant("x");
    let error = tenant.journal(None).await.unwrap().next().await.unwrap_err();
    not_ours(&error, "missing field");
}
