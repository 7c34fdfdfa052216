//! The Graph client against small scripted servers on loopback, down to the bytes on the wire.
#![cfg(feature = "graph")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "this is a test")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant as Clock};

use serde_json::{Value, json};
use whowas::graph::auth::{Proof, SignIn};
use whowas::graph::client::{AuditFilter, ClientOptions, DeltaRequest, GraphClient, UserKey};
use whowas::graph::cloud::{Cloud, Endpoints};
use whowas::graph::delta::DeltaLink;
use whowas::graph::error::GraphError;
use whowas::graph::retry::RetryPolicy;

const TENANT: &str = "b0f2a1c4-0000-4000-8000-000000000001";
const ANN: &str = "87d349ed-44d7-43e1-9a83-5f2406dee5bd";
const DATE: &str = "Mon, 02 Mar 2026 10:00:00 GMT";

/// A request as it came over the wire.
#[derive(Clone, Debug)]
struct Seen {
    method: String,
    path: String,
    head: String,
    body: String,
}

/// A server whose every answer is written by the test, byte for byte; each connection serves one request.
struct Server {
    url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    /// `answer` gets the request and how many Graph requests came before it. Token requests are answered by themselves
    /// with `token-1`, `token-2`, …, unless it answers them.
    fn start(answer: impl Fn(&Seen, usize, &str) -> Option<Vec<u8>> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let (log, own, answer) = (Arc::clone(&seen), url.clone(), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (log, own, answer) = (Arc::clone(&log), own.clone(), Arc::clone(&answer));
                std::thread::spawn(move || {
                    let mut stream = stream.unwrap();
                    let Some(request) = read_request(&mut stream) else { return };
                    let (graph, tokens) = {
                        let mut log = log.lock().unwrap();
                        let before = (count(&log, false), count(&log, true));
                        log.push(request.clone());
                        before
                    };
                    let bytes = answer(&request, graph, &own).unwrap_or_else(|| {
                        let token = format!("token-{}", tokens + 1);
                        ok(json!({"token_type": "Bearer", "expires_in": 3599, "access_token": token}))
                    });
                    stream.write_all(&bytes).ok();
                });
            }
        });
        Self { url, seen }
    }

    /// One that answers every Graph request alike.
    fn always(bytes: Vec<u8>) -> Self {
        Self::start(move |request, _, _| (!is_token(request)).then(|| bytes.clone()))
    }

    fn graph_requests(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().iter().filter(|request| !is_token(request)).cloned().collect()
    }

    fn token_requests(&self) -> usize {
        count(&self.seen.lock().unwrap(), true)
    }

    fn client(&self) -> GraphClient {
        self.client_with(options())
    }

    fn client_with(&self, options: ClientOptions) -> GraphClient {
        client(&self.url, &self.url, options)
    }
}

fn options() -> ClientOptions {
    let retry = RetryPolicy { attempts: 3, base: Duration::from_millis(5), cap: Duration::from_millis(2_000) };
    ClientOptions { retry, ..ClientOptions::default() }
}

fn client(graph: &str, login: &str, options: ClientOptions) -> GraphClient {
    let endpoints = Endpoints::new(Cloud::Global, Some(graph), Some(login)).unwrap();
    let sign_in =
        SignIn { tenant: TENANT.parse().unwrap(), client_id: "app-1".into(), proof: Proof::Secret("s3cret".into()) };
    GraphClient::new(endpoints, sign_in, options).unwrap()
}

fn is_token(request: &Seen) -> bool {
    request.path.ends_with("/oauth2/v2.0/token")
}

fn count(log: &[Seen], token: bool) -> usize {
    log.iter().filter(|request| is_token(request) == token).count()
}

fn read_request(stream: &mut TcpStream) -> Option<Seen> {
    let (mut bytes, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut chunk).ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&chunk[..read]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let header = |name: &str| {
            let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with(name))?;
            line.split_once(": ").map(|(_, value)| value.to_owned())
        };
        if body.len() < header("content-length:").map_or(0, |length| length.parse().unwrap()) {
            continue;
        }
        let mut words = head.split(' ').map(str::to_owned);
        let (method, path) = (words.next()?, words.next()?);
        return Some(Seen { method, path, head: head.to_owned(), body: body.to_owned() });
    }
}

fn http(status: &str, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    format!("{head}\r\n{body}").into_bytes()
}

fn ok(body: Value) -> Vec<u8> {
    http("200 OK", &[("Date", DATE)], &body.to_string())
}

fn refusal(status: &str, code: &str, headers: &[(&str, &str)]) -> Vec<u8> {
    let body = json!({"error": {"code": code, "message": "about ann@x.test"}}).to_string();
    http(status, &[&[("Date", DATE)], headers].concat(), &body)
}

fn last_page(own: &str) -> Vec<u8> {
    ok(json!({"value": [{"id": ANN, "userPrincipalName": "ann@x.test"}],
        "@odata.deltaLink": format!("{own}/v1.0/users/delta?$deltatoken=d")}))
}

#[tokio::test]
async fn a_page_carries_the_servers_date_and_its_link_and_the_request_the_token_and_the_selection() {
    let server = Server::start(|request, _, own| (!is_token(request)).then(|| last_page(own)));
    let page = server.client().delta_page(&DeltaRequest::First).await.unwrap();
    assert_eq!(page.at, "2026-03-02T10:00:00Z".parse().unwrap());
    assert_eq!(page.items[0].id, ANN.parse().unwrap());
    assert_eq!(page.link, DeltaLink::Delta(format!("{}/v1.0/users/delta?$deltatoken=d", server.url).into()));
    let requests = server.graph_requests();
    assert!(requests[0].path.starts_with("/v1.0/users/delta?$select=id,userPrincipalName,mail,"), "{requests:?}");
    let head = requests[0].head.to_ascii_lowercase();
    assert!(head.contains("authorization: bearer token-1"), "{head}");
    assert!(head.contains("user-agent: whowas/") && head.contains("accept-encoding: gzip"), "{head}");
    assert!(!head.contains("prefer:"), "minimal answers would leave out what is unchanged: {head}");
    let token = server.seen.lock().unwrap()[0].clone();
    assert_eq!(token.path, format!("/{TENANT}/oauth2/v2.0/token"));
    assert!(token.body.contains("client_secret=s3cret") && token.body.contains("%2F.default"), "{}", token.body);
}

#[tokio::test]
async fn links_are_sent_as_they_came_and_one_token_serves_many_requests() {
    let server = Server::start(|request, _, own| (!is_token(request)).then(|| last_page(own)));
    let client = server.client();
    let path = "/v1.0/users/microsoft.graph.delta()?$SkipToken=a%2fb+c~_-.%20d";
    for _ in 0..2 {
        client.delta_page(&DeltaRequest::Link(format!("{}{path}", server.url).into())).await.unwrap();
    }
    assert!(server.graph_requests().iter().all(|request| request.path == path), "{:?}", server.graph_requests());
    assert_eq!(server.token_requests(), 1);
}

#[tokio::test]
async fn a_429_is_waited_out_as_long_as_its_fraction_says_and_counted() {
    let server = Server::start(|request, before, own| {
        (!is_token(request)).then(|| match before {
            0 => refusal("429 Too Many Requests", "TooManyRequests", &[("Retry-After", "0.328")]),
            _ => last_page(own),
        })
    });
    let client = server.client();
    let began = Clock::now();
    client.delta_page(&DeltaRequest::First).await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(328), "{:?}", began.elapsed());
    assert_eq!((client.throttled_ms(), server.graph_requests().len()), (328, 2));
}

#[tokio::test]
async fn a_date_as_retry_after_counts_from_the_answers_own_date() {
    let server = Server::start(|request, before, own| {
        (!is_token(request)).then(|| match before {
            0 => refusal("503 Busy", "serviceNotAvailable", &[("Retry-After", "Mon, 02 Mar 2026 10:00:01 GMT")]),
            _ => last_page(own),
        })
    });
    let client = server.client();
    client.delta_page(&DeltaRequest::First).await.unwrap();
    assert_eq!(client.throttled_ms(), 1_000);
}

#[tokio::test]
async fn a_wait_too_long_to_sit_out_is_not_cut_short_but_told() {
    let server = Server::always(refusal("429 Too Many Requests", "TooManyRequests", &[("Retry-After", "86400")]));
    let error = server.client().users_page(None).await.unwrap_err();
    assert!(matches!(error, GraphError::Throttled { attempts: 1, .. }), "{error}");
    assert!(error.to_string().contains("86400 s") && error.hint().contains("86400 s"), "{error}");
    assert_eq!(server.graph_requests().len(), 1);
}

#[tokio::test]
async fn throttling_without_end_ends_after_the_attempts_and_our_cap_does_not_cut_the_servers_wait() {
    let server = Server::always(refusal("429 Too Many Requests", "TooManyRequests", &[("Retry-After", "0.2")]));
    let mut options = options();
    options.retry.cap = Duration::from_millis(50);
    let client = server.client_with(options);
    let error = client.users_page(None).await.unwrap_err();
    assert!(matches!(error, GraphError::Throttled { attempts: 3, .. }), "{error}");
    assert_eq!((server.graph_requests().len(), client.throttled_ms()), (3, 400));
}

#[tokio::test]
async fn a_connection_that_breaks_in_mid_body_is_asked_again() {
    let server = Server::start(|request, before, own| {
        (!is_token(request)).then(|| match before {
            0 => {
                let mut bytes = last_page(own);
                bytes.truncate(bytes.len() - 20);
                bytes
            }
            _ => last_page(own),
        })
    });
    assert_eq!(server.client().delta_page(&DeltaRequest::First).await.unwrap().items.len(), 1);
    assert_eq!(server.graph_requests().len(), 2);
}

#[tokio::test]
async fn only_passing_failures_are_asked_again() {
    for (status, requests) in [("500 Oops", 3), ("502 Bad", 3), ("504 Slow", 3), ("400 No", 1), ("501 Never", 1)] {
        let server = Server::always(refusal(status, "some", &[]));
        let error = server.client().users_page(None).await.unwrap_err();
        assert_eq!(server.graph_requests().len(), requests, "{status}");
        assert!(!error.to_string().contains("ann"), "the message of Graph is not repeated: {error}");
    }
}

#[tokio::test]
async fn a_foreign_link_is_an_error_and_its_host_gets_no_request() {
    let foreign = Server::always(ok(json!({"value": []})));
    let link = format!("{}/v1.0/users/delta?$skiptoken=x", foreign.url);
    let to = link.clone();
    let server = Server::start(move |request, _, _| {
        (!is_token(request)).then(|| ok(json!({"value": [], "@odata.nextLink": to})))
    });
    let client = server.client();
    for error in [
        client.delta_page(&DeltaRequest::First).await.unwrap_err(),
        client.users_page(None).await.unwrap_err(),
        client.deleted_users_page(None).await.unwrap_err(),
        client.audits_page(&AuditFilter::default(), None).await.unwrap_err(),
        client.delta_page(&DeltaRequest::Link(link.as_str().into())).await.unwrap_err(),
        client.users_page(Some(&link)).await.unwrap_err(),
    ] {
        assert!(matches!(error, GraphError::ForeignLink { .. }), "{error}");
    }
    assert_eq!((server.graph_requests().len(), foreign.seen.lock().unwrap().len()), (4, 0));
}

#[tokio::test]
async fn a_redirect_is_refused_and_its_host_gets_no_request() {
    let foreign = Server::always(ok(json!({"value": []})));
    let location = format!("{}/v1.0/users", foreign.url);
    let server = Server::always(http("302 Found", &[("Date", DATE), ("Location", &location)], ""));
    let error = server.client().users_page(None).await.unwrap_err();
    assert!(matches!(&error, GraphError::Refused { refusal, .. } if refusal.status == 302), "{error}");
    assert_eq!(foreign.seen.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn an_error_object_in_a_200_and_a_missing_date_are_errors() {
    let server = Server::always(ok(json!({"error": {"code": "UnknownError", "message": "m"}})));
    let error = server.client().users_page(None).await.unwrap_err();
    assert!(matches!(&error, GraphError::ErrorInside { code, .. } if code == "UnknownError"), "{error}");

    let server = Server::always(http("200 OK", &[], r#"{"value":[]}"#));
    let error = server.client().users_page(None).await.unwrap_err();
    assert_eq!(error.to_string(), "read the users listing: the answer is malformed: it has no Date header");
}

#[tokio::test]
async fn a_410_is_expired_with_its_location_only_if_that_is_this_graph() {
    let server = Server::start(|request, before, own| {
        let host = if before == 0 { own } else { "https://evil.test" };
        let location = format!("{host}/v1.0/users/delta?$deltatoken=");
        (!is_token(request)).then(|| refusal("410 Gone", "SyncStateNotFound", &[("Location", &location)]))
    });
    let client = server.client();
    let expired = async || match client.delta_page(&DeltaRequest::First).await {
        Err(GraphError::Expired { location, .. }) => location.map(|link| link.as_str().to_owned()),
        other => panic!("{other:?}"),
    };
    assert_eq!(expired().await, Some(format!("{}/v1.0/users/delta?$deltatoken=", server.url)));
    assert_eq!(expired().await, None);
}

#[tokio::test]
async fn an_answer_beyond_the_bound_is_given_up() {
    let server = Server::always(ok(json!({"value": ["x".repeat(5_000)]})));
    let error = server.client_with(ClientOptions { body_bytes_max: 4_000, ..options() }).users_page(None).await;
    assert!(matches!(error, Err(GraphError::TooLarge { limit: 4_000, .. })), "{error:?}");
    assert_eq!(server.graph_requests().len(), 1);
}

#[tokio::test]
async fn a_listing_that_links_to_itself_is_a_loop() {
    let server = Server::start(|request, _, own| {
        (!is_token(request)).then(|| ok(json!({"value": [], "@odata.nextLink": format!("{own}/v1.0/users?$t=1")})))
    });
    let client = server.client();
    let next = client.users_page(None).await.unwrap().next.unwrap();
    let error = client.users_page(Some(next.as_str())).await.unwrap_err();
    assert!(matches!(error, GraphError::LinkLoop { .. }), "{error}");
}

#[tokio::test]
async fn a_wrong_secret_says_which_code_and_what_to_do_and_never_the_secret() {
    // With line breaks inside the text, as real ones have, which the library's own reader cannot take.
    let body = json!({"error": "invalid_client", "error_codes": [7_000_215],
        "error_description": "AADSTS7000215: Invalid client secret provided for s3cret.\r\nTrace ID: x"});
    let body = body.to_string();
    let server = Server::start(move |_, _, _| Some(http("401 Unauthorized", &[("Date", DATE)], &body)));
    let error = server.client().users_page(None).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "sign in to tenant as application app-1: Entra refused with AADSTS7000215 (invalid_client)"
    );
    assert!(error.hint().contains("Certificates & secrets"), "{}", error.hint());
    assert!(!format!("{error:?}").contains("s3cret"));
    assert_eq!((server.token_requests(), server.graph_requests().len(), error.is_transient()), (1, 0, false));
}

#[tokio::test]
async fn a_sign_in_that_is_not_entra_is_named() {
    let server = Server::start(|_, _, _| Some(http("403 Forbidden", &[("Date", DATE)], "<html>proxy</html>")));
    let error = server.client().users_page(None).await.unwrap_err();
    assert!(matches!(error, GraphError::TokenUnreadable { .. }), "{error}");
    assert!(error.hint().contains("login_url"), "{}", error.hint());

    let server = Server::start(|_, _, _| Some(http("503 Busy", &[("Date", DATE)], "<html>busy</html>")));
    let error = server.client().users_page(None).await.unwrap_err();
    assert!(error.is_transient(), "a gateway's 503 passes: {error}");
    assert_eq!(server.token_requests(), 3);
}

#[tokio::test]
async fn an_unreachable_host_is_named_with_its_cause() {
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let server = Server::always(Vec::new());
    let graph_down = client(&closed, &server.url, options()).users_page(None).await.unwrap_err();
    let login_down = client(&server.url, &closed, options()).users_page(None).await.unwrap_err();
    for error in [graph_down, login_down] {
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(error.to_string().contains(&closed) && error.is_transient(), "{error}");
        assert!(cause.to_lowercase().contains("refused"), "{cause}");
    }
}

#[tokio::test]
async fn a_token_that_graph_no_longer_takes_is_renewed_once() {
    let server = Server::start(|request, _, own| {
        if is_token(request) {
            return None;
        }
        let fresh = request.head.to_ascii_lowercase().contains("bearer token-2");
        Some(if fresh { last_page(own) } else { refusal("401 Unauthorized", "InvalidAuthenticationToken", &[]) })
    });
    let client = server.client();
    client.delta_page(&DeltaRequest::First).await.unwrap();
    assert_eq!((server.token_requests(), server.graph_requests().len()), (2, 2));

    let server = Server::always(refusal("401 Unauthorized", "InvalidAuthenticationToken", &[]));
    let error = server.client().users_page(None).await.unwrap_err();
    assert!(matches!(error, GraphError::Unauthorized { .. }), "{error}");
    assert_eq!(server.graph_requests().len(), 2, "once, not for ever");
}

#[tokio::test]
async fn a_user_is_found_by_id_and_by_any_name_and_an_absent_one_is_none_with_a_date() {
    let server = Server::start(|request, before, _| {
        (!is_token(request)).then(|| match before {
            0..=3 => ok(json!({"id": ANN, "userPrincipalName": "ann@x.test"})),
            4 => refusal("404 Not Found", "Request_ResourceNotFound", &[]),
            5 => http("404 Not Found", &[("Date", DATE)], "<html>no such page</html>"),
            _ => ok(json!({"id": "00000000-0000-4000-8000-000000000009"})),
        })
    });
    let client = server.client();
    let id = UserKey::Id(ANN.parse().unwrap());
    for key in [id, UserKey::Upn("ann@x.test"), UserKey::Upn("a_y#EXT#@x.test"), UserKey::Upn("$o'x@y")] {
        assert_eq!(client.user(key).await.unwrap().value.unwrap().id, ANN.parse().unwrap());
    }
    let absent = client.user(UserKey::Upn("gone@x.test")).await.unwrap();
    assert_eq!((absent.at, absent.value), ("2026-03-02T10:00:00Z".parse().unwrap(), None));
    let error = client.user(UserKey::Upn("gone@x.test")).await.unwrap_err();
    assert!(matches!(error, GraphError::NotFound { .. }), "a proxy's 404 does not prove a name vacant: {error}");
    assert!(!error.to_string().contains("gone"), "{error}");
    let error = client.user(id).await.unwrap_err();
    assert!(matches!(error, GraphError::Malformed { .. }), "another object than asked for: {error}");
    let paths: Vec<String> = server.graph_requests().iter().map(|request| request.path.clone()).collect();
    assert!(paths[2].starts_with("/v1.0/users/a_y%23EXT%23@x.test?"), "{paths:?}");
    assert!(paths[3].starts_with("/v1.0/users('$o''x@y')?"), "{paths:?}");
}

/// Answers a batch in reverse order; `part` says each part's answer.
fn batch(request: &Seen, part: impl Fn(&str) -> Value) -> Vec<u8> {
    let asked: Value = serde_json::from_str(&request.body).unwrap();
    let answers = asked["requests"].as_array().unwrap().iter().rev().map(|asked| {
        let mut answer = part(asked["url"].as_str().unwrap());
        answer["id"] = asked["id"].clone();
        answer
    });
    ok(json!({"responses": answers.collect::<Vec<Value>>()}))
}

fn id(number: usize) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

#[tokio::test]
async fn a_batch_is_cut_to_twenty_matched_by_id_and_its_throttled_parts_are_repeated() {
    let server = Server::start(|request, before, _| {
        (!is_token(request)).then(|| {
            batch(request, |url| {
                let id = url.strip_prefix("/users/").unwrap().split('?').next().unwrap();
                let number: usize = id[24..].parse().unwrap();
                match number {
                    3 if before == 0 => json!({"status": 429, "headers": {"retry-after": 0.25}, "body": null}),
                    4 => json!({"status": 404, "body": {"error": {"code": "Request_ResourceNotFound"}}}),
                    5 => json!({"status": 403, "body": {"error": {"code": "Authorization_RequestDenied"}}}),
                    _ => json!({"status": 200, "body": {"id": id}}),
                }
            })
        })
    });
    let client = server.client();
    let keys: Vec<UserKey<'_>> = (0..25).map(|number| UserKey::Id(id(number).parse().unwrap())).collect();
    let began = Clock::now();
    let results = client.batch_users(&keys).await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(250), "its own Retry-After is waited out");
    assert_eq!(client.throttled_ms(), 250);
    assert_eq!(results.len(), 25);
    for (number, result) in results.iter().enumerate() {
        match (number, result) {
            (4, Ok(dated)) => assert_eq!(dated.value, None),
            (5, Err(GraphError::PermissionDenied { .. })) => {}
            (_, Ok(dated)) => assert_eq!(dated.value.as_ref().unwrap().id, id(number).parse().unwrap()),
            other => panic!("{other:?}"),
        }
    }
    let sizes: Vec<usize> = server
        .graph_requests()
        .iter()
        .map(|request| {
            assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/v1.0/$batch"));
            serde_json::from_str::<Value>(&request.body).unwrap()["requests"].as_array().unwrap().len()
        })
        .collect();
    assert_eq!(sizes, [20, 1, 5]);
}

#[tokio::test]
async fn a_batch_part_throttled_without_end_fails_alone_and_a_stray_answer_voids_the_batch() {
    let server = Server::start(|request, _, _| {
        (!is_token(request)).then(|| {
            batch(request, |url| match url.contains(ANN) {
                true => json!({"status": 429, "body": {"error": {"code": "TooManyRequests"}}}),
                false => json!({"status": 200, "body": {"id": id(1)}}),
            })
        })
    });
    let keys = [UserKey::Id(ANN.parse().unwrap()), UserKey::Id(id(1).parse().unwrap())];
    let results = server.client().batch_users(&keys).await.unwrap();
    assert!(matches!(&results[0], Err(GraphError::Throttled { attempts: 3, .. })), "{:?}", results[0]);
    assert!(results[1].is_ok());
    assert_eq!(server.graph_requests().len(), 3);

    for responses in [
        json!([{"id": "0", "status": 200, "body": {"id": ANN}}, {"id": "9", "status": 200}]),
        json!([{"id": "0", "status": 200, "body": {"id": ANN}}, {"id": "0", "status": 404}]),
    ] {
        let server = Server::always(ok(json!({"responses": responses})));
        let error = server.client().batch_users(&keys[..1]).await.unwrap_err();
        assert!(matches!(error, GraphError::Malformed { .. }), "{error}");
    }
    let server = Server::always(ok(json!({"responses": []})));
    assert!(matches!(server.client().batch_users(&keys[..1]).await.unwrap()[0], Err(GraphError::Malformed { .. })));
}

#[tokio::test]
async fn audits_are_asked_by_time_and_target_and_deleted_users_with_the_cast() {
    let server = Server::start(|request, _, _| {
        (!is_token(request)).then(|| {
            ok(json!({"value": [{"id": "e", "activityDisplayName": "Update user"}, {"error": {"code": "X"}}]}))
        })
    });
    let client = server.client();
    let filter = AuditFilter {
        since: Some("2026-03-01T00:00:00Z".parse().unwrap()),
        target: Some(ANN.parse().unwrap()),
        ..AuditFilter::default()
    };
    let page = client.audits_page(&filter, None).await.unwrap();
    assert_eq!((page.items.len(), page.rejected.len()), (1, 1));
    client.deleted_users_page(None).await.unwrap();
    client.deleted_user(ANN.parse().unwrap()).await.unwrap_err();
    let paths: Vec<String> = server.graph_requests().iter().map(|request| request.path.clone()).collect();
    assert_eq!(
        paths[0],
        format!(
            "/v1.0/auditLogs/directoryAudits?$top=999&$filter=activityDateTime%20ge%202026-03-01T00:00:00Z%20and%20\
             targetResources/any(t:%20t/id%20eq%20%27{ANN}%27)"
        )
    );
    assert!(paths[1].starts_with("/v1.0/directory/deletedItems/microsoft.graph.user?$select="), "{paths:?}");
    assert!(paths[2].starts_with(&format!("/v1.0/directory/deletedItems/microsoft.graph.user/{ANN}?$select=")));
    assert!(paths[1..].iter().all(|path| path.contains(",deletedDateTime")), "{paths:?}");
}

fn federated(url: &str, file: &std::path::Path) -> Result<GraphClient, GraphError> {
    let endpoints = Endpoints::new(Cloud::Global, Some(url), Some(url)).unwrap();
    let proof = Proof::FederatedTokenFile(file.to_owned());
    GraphClient::new(endpoints, SignIn { tenant: TENANT.parse().unwrap(), client_id: "app-1".into(), proof }, options())
}

#[tokio::test]
async fn a_federated_token_signs_in_and_no_secret_is_sent() {
    let server = Server::always(ok(json!({"value": []})));
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "head.claims.signature").unwrap();
    let client = federated(&server.url, file.path()).unwrap();
    client.users_page(None).await.unwrap();
    let seen = server.seen.lock().unwrap().clone();
    let token = seen.iter().find(|request| is_token(request)).unwrap();
    assert!(token.body.contains("client_assertion=head.claims.signature"), "{}", token.body);
    assert!(
        token.body.contains("client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer")
    );
    assert!(token.body.contains("client_id=app-1") && !token.body.contains("client_secret"), "{}", token.body);
    let graph = seen.iter().find(|request| !is_token(request)).unwrap();
    assert!(!graph.head.contains("claims"), "the assertion stays with the sign-in");
}

#[tokio::test]
async fn a_federated_token_file_that_is_missing_is_named() {
    let error = federated("http://127.0.0.1:9", std::path::Path::new("/nowhere/token")).unwrap_err();
    assert!(error.to_string().contains("federated_token_file /nowhere/token"), "{error}");
}

#[test]
fn a_missing_or_empty_ca_file_is_named() {
    let empty = tempfile::NamedTempFile::new().unwrap();
    for path in [empty.path().to_owned(), "/nowhere/ca.pem".into()] {
        let endpoints = Endpoints::new(Cloud::Global, None, None).unwrap();
        let sign_in =
            SignIn { tenant: TENANT.parse().unwrap(), client_id: "app-1".into(), proof: Proof::Secret("s".into()) };
        let options = ClientOptions { ca_file: Some(path.clone()), ..ClientOptions::default() };
        let error = GraphClient::new(endpoints, sign_in, options).unwrap_err();
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    }
}
