//! Requests as nobody sends them in good faith: all are refused, soon, and the service lives on.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use super::served::{Served, T, token};
use super::world::World;

struct Place {
    served: Served,
    world: World,
    admin: String,
}

impl Place {
    fn new() -> Self {
        let mut world = World::new();
        world.at("8:00");
        world.create("ann");
        world.poll();
        let served = Served::of(&world);
        let admin = token(&world, "admin", &[]);
        Self { served, world, admin }
    }

    /// What is answered to these bytes, up to the end of the connection or half a minute.
    fn raw(&self, bytes: &[u8]) -> String {
        let mut socket = TcpStream::connect(self.served.address()).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        // A service that has heard enough may close while we are still sending.
        let _closed = socket.write_all(bytes);
        let mut answer = Vec::new();
        let mut chunk = [0; 4096];
        while let Ok(read @ 1..) = socket.read(&mut chunk) {
            answer.extend_from_slice(&chunk[..read]);
            if answer.len() > 1 << 20 {
                break;
            }
        }
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn get(&self, path: &str, headers: &str) -> String {
        let token = &self.admin;
        self.raw(
            format!(
                "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n{headers}\r\n"
            )
            .as_bytes(),
        )
    }
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0)
}

#[test]
fn tricks_with_paths_lead_nowhere() {
    let place = Place::new();
    assert_eq!(status(&place.get("/v1/status", "")), 200);
    for path in [
        "/v1/tenants/x/../../status",
        "/v1/tenants/%2e%2e/status",
        "/v1/tenants/x%2fobjects/reuse",
        "//v1/status",
        "/v1//status",
        "/v1/status/",
        "/V1/STATUS",
        "/v1/tenants/x/names/",
        "/v1/tenants/x/names/%00",
        "/v1/tenants/x/names/%ff",
        "/v1/tenants/x/objects/..%2f..%2fetc%2fpasswd",
        "/v1/tenants/x/snapshots/c/1/receipt/../..",
        "/v1/tenants/x/findings/zzzz",
        "/v1/tenants/%20/reuse",
        "/v1/tenants/x/reuse?cursor=%ff",
        "/v1/tenants/x/reuse?limit=-1",
        "/v1/tenants/x/reuse?limit=1&limit=2",
        "/v1/tenants/x/reuse?lmit=1",
        "/v1/tenants/x/journal?from=x",
    ] {
        let answer = place.get(path, "");
        assert!([400, 404, 405].contains(&status(&answer)), "{path}: {answer}");
        assert!(answer.contains("application/problem+json"), "{path}: {answer}");
    }
    // A name may hold what a path may not.
    assert_eq!(status(&place.get("/v1/tenants/x/names/o%2Fb%3Fq%23%20%25@x.test", "")), 200);
}

#[test]
fn heads_and_bodies_that_are_too_large_too_slow_or_not_to_be_trusted_are_refused() {
    let place = Place::new();
    let bomb = |count: usize, size: usize| -> String {
        (0..count).map(|number| format!("X-{number}: {}\r\n", "a".repeat(size))).collect()
    };
    assert!([0, 400, 431].contains(&status(&place.get("/v1/status", &bomb(500, 1)))));
    assert!([0, 400, 431].contains(&status(&place.get("/v1/status", &bomb(10, 20_000)))));
    let long = format!("/v1/tenants/x/names/{}", "a".repeat(70_000));
    assert!([0, 400, 414, 431].contains(&status(&place.get(&long, ""))));
    // Two tokens, or none that can be told, are none.
    assert_eq!(status(&place.get("/v1/status", "Authorization: Bearer whowas_x\r\n")), 401);
    assert_eq!(
        status(
            &place.raw(b"GET /v1/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Basic eDp5\r\n\r\n")
        ),
        401
    );
    assert_eq!(
        status(&place.raw(b"GET /v1/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\nCookie: session=admin\r\n\r\n")),
        401
    );
    // Two lengths are a way to smuggle a second request in.
    let smuggled = format!(
        "POST {T}/checks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n",
        place.admin
    );
    let answer = place.raw(smuggled.as_bytes());
    assert!(!answer.contains("\"tenants\""), "{answer}");
    assert!([0, 400].contains(&status(&place.raw(b"GET /v1/status HTTP/1.1\r\nHost: x\r\nA\nb: c\r\n\r\n"))));
    assert!([0, 400].contains(&status(&place.raw(&[0xff; 4096]))));
    // A method that nobody knows.
    let answer = place.raw(b"SEARCH /v1/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert_eq!(status(&answer), 405, "{answer}");
    let metrics = place.served.ask(Method::GET, "/metrics", Some(&place.admin), None).text;
    assert!(
        metrics.contains("method=\"other\"") && !metrics.contains("SEARCH"),
        "what strangers invent fills the memory"
    );
    // Bodies.
    let post = |path: &str, kind: &str, body: String| {
        let request = place.served.client.post(format!("{}{path}", place.served.url)).bearer_auth(&place.admin);
        place.served.send(request.header("content-type", kind).body(body))
    };
    let path = format!("{T}/snapshots");
    post(&path, "text/plain", "{}".to_owned()).problem(415, "unsupported_media_type");
    post(&path, "application/json", "{".to_owned()).problem(400, "invalid_body");
    post(&path, "application/json", "[".repeat(100_000)).problem(400, "invalid_body");
    post(&path, "application/json", format!("\"{}\"", "a".repeat(3 << 20))).problem(413, "body_too_large");
    let checks = format!("{T}/checks");
    post(&checks, "application/json", String::new()).problem(400, "invalid_body");
    post(&checks, "application/json", "null".to_owned()).problem(400, "invalid_body");
    post(&checks, "application/json", format!("{{\"name\":\"{}\"}}", "a".repeat(70_000)))
        .problem(413, "body_too_large");
    let deep = post(&checks, "application/json", "[".repeat(100_000));
    assert!(deep.status == 200 && deep.json().as_array().is_some(), "{}", deep.text);
    // Whatever an element is, the others keep their places.
    let ask = r#"{"chain":"c"}"#;
    let mixed = format!("[[],{ask},null,[{ask},{ask}],\"x\",{ask}]");
    let answers = post(&checks, "application/json", mixed).json();
    let is_fault: Vec<bool> = answers.as_array().unwrap().iter().map(|answer| answer["error"].is_string()).collect();
    assert_eq!(is_fault, [true, false, true, true, true, false], "{answers}");
    for (place, answer) in answers.as_array().unwrap().iter().enumerate().filter(|(place, _)| is_fault[*place]) {
        assert_eq!(answer["index"], json!(place));
    }
    let refused =
        place.served.ask(Method::POST, &checks, Some(&place.admin), Some(&json!({"name": "ann@x.test", "sort": 1})));
    let problem = refused.problem(400, "invalid_body");
    assert!(!problem.to_string().contains("ann@x.test"), "{problem}");
    // It lives, and nothing of it was a panic or left a name behind.
    place.served.ask(Method::GET, "/readyz", None, None);
    let (code, said) = place.served.stop();
    assert_eq!(code, Some(0));
    assert!(!said.contains("panicked") && !said.contains(&place.admin) && !said.contains("ann@x.test"), "{said}");
    place.world.verify();
}

#[test]
fn a_head_or_a_body_that_never_ends_is_given_up_and_keeps_nobody_else_waiting() {
    let place = Place::new();
    let mut slow: Vec<TcpStream> = (0..50)
        .map(|_| {
            let mut socket = TcpStream::connect(place.served.address()).unwrap();
            socket.write_all(b"GET /v1/status HTTP/1.1\r\nHost: x\r\n").unwrap();
            socket
        })
        .collect();
    let mut body = TcpStream::connect(place.served.address()).unwrap();
    let head = format!(
        "POST {T}/snapshots HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{{",
        place.admin
    );
    body.write_all(head.as_bytes()).unwrap();
    place.served.ask(Method::GET, "/v1/status", Some(&place.admin), None).with(200);
    // Each of them is told, or hung up on, in the end.
    for socket in slow.iter_mut().chain([&mut body]) {
        socket.set_read_timeout(Some(Duration::from_secs(75))).unwrap();
        let mut answer = String::new();
        let ended = socket.read_to_string(&mut answer);
        assert!(ended.is_ok(), "{ended:?} {answer}");
        assert!(answer.is_empty() || [400, 408].contains(&status(&answer)), "{answer}");
    }
}

#[test]
fn only_a_rehearsal_takes_the_time_from_a_request() {
    let mut world = World::new();
    world.at("8:00");
    let served = Served::of(&world);
    let admin = token(&world, "admin", &[]);
    let at = |text: &str| served.ask_at(Some(text), Method::GET, "/v1/status", Some(&admin), None);
    at("2026-03-02T09:00:00Z").with(200);
    at("nine").problem(400, "invalid_parameter");
    let (code, _) = served.stop();
    assert_eq!(code, Some(0));
    // By the real clock.
    let mut command = super::world::bare(world.file("whowas.toml").parent().unwrap());
    command.env(super::world::SECRET, "s").args(["-v", "serve", "--no-schedule", "--listen", "127.0.0.1:0"]);
    let served = Served::start(command);
    let refused = served.ask_at(Some("2026-03-02T09:00:00Z"), Method::GET, "/v1/status", Some(&admin), None);
    refused.problem(400, "invalid_parameter");
}
