//! What is held open and left so: connections, bodies, requests whose client hung up. Nobody else waits for long, and nothing
//! of it is missing in the access log.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use super::served::{Served, T, token};
use super::world::World;

fn world() -> World {
    let mut world = World::new();
    world.at("8:00");
    world.create("ann");
    world.poll();
    world
}

fn connect(served: &Served) -> TcpStream {
    TcpStream::connect(served.address()).unwrap()
}

#[test]
fn arrays_that_trickle_in_keep_no_other_token_waiting_and_are_broken_off() {
    let world = world();
    let served = Served::of(&world);
    let (slow, other) = (token(&world, "agent", &[]), token(&world, "agent", &[]));
    let mut held: Vec<TcpStream> = (0..16)
        .map(|_| {
            let mut socket = connect(&served);
            let head = format!(
                "POST {T}/checks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {slow}\r\nContent-Type: application/json\r\n\
                 Transfer-Encoding: chunked\r\n\r\n1\r\n[\r\n"
            );
            socket.write_all(head.as_bytes()).unwrap();
            socket
        })
        .collect();
    // Each is let in or refused.
    let begun: Vec<bool> = held
        .iter_mut()
        .map(|socket| {
            socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
            let mut begin = [0; 12];
            socket.read_exact(&mut begin).unwrap();
            match &begin {
                b"HTTP/1.1 200" => true,
                b"HTTP/1.1 429" => false,
                other => panic!("{}", String::from_utf8_lossy(other)),
            }
        })
        .collect();
    assert_eq!(begun.iter().filter(|begun| **begun).count(), 4);
    let asks = json!([{"name": "ann@x.test"}]);
    served.ask(Method::POST, &format!("{T}/checks"), Some(&other), Some(&asks)).with(200);
    // Spaces keep none of them alive.
    let since = Instant::now();
    for (socket, _) in held.iter_mut().zip(&begun).filter(|(_, begun)| **begun) {
        socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        loop {
            assert!(since.elapsed() < Duration::from_secs(60), "an array that trickles in is waited for");
            let mut more = [0; 4096];
            match socket.read(&mut more) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    // It may be closed by now, which the next read tells.
                    let _closed = socket.write_all(b"1\r\n \r\n");
                }
                Err(_) => break,
            }
        }
    }
    served.ask(Method::POST, &format!("{T}/checks"), Some(&slow), Some(&asks)).with(200);
}

#[test]
fn the_verdicts_of_an_array_take_no_longer_together_than_the_array_itself() {
    let world = world();
    let served = Served::of(&world);
    let agent = token(&world, "agent", &[]);
    let asks: Value = (0..400).map(|number| json!({"chain": format!("c-{number}"), "name": "ann@x.test"})).collect();
    let began = Instant::now();
    served.ask(Method::POST, &format!("{T}/checks"), Some(&agent), Some(&asks)).with(200);
    let took = began.elapsed().as_secs_f64();
    let told = served.ask(Method::GET, "/metrics", None, None).text;
    let value = |name: &str| -> f64 {
        let line = told.lines().find_map(|line| line.strip_prefix(&format!("{name}{{live=\"false\"}} "))).unwrap();
        line.parse().unwrap()
    };
    assert_eq!(value("whowas_check_duration_seconds_count"), 400.0);
    let sum = value("whowas_check_duration_seconds_sum");
    assert!(sum <= took, "{sum} s of verdicts in {took} s");
    assert!(told.contains("# HELP whowas_check_duration_seconds How long verdicts took."), "{told}");
}
