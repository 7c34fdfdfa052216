//! What is held open and left so: connections, bodies, requests whose client hung up. Nobody else waits for long, and nothing
//! of it is missing in the access log.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use super::served::{Served, T, token};
use super::world::{World, wait_until};

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

/// The same command with so many files that it may open.
fn with_files(command: &Command, files: usize) -> Command {
    let mut limited = Command::new("sh");
    limited.arg("-c").arg(format!("ulimit -n {files}; exec \"$0\" \"$@\"")).arg(command.get_program());
    limited.args(command.get_args());
    limited.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    if let Some(folder) = command.get_current_dir() {
        limited.current_dir(folder);
    }
    limited
}

#[test]
fn connections_without_a_request_are_closed_and_leave_files_for_those_with_one() {
    let world = world();
    let options = ["-v", "serve", "--listen", "127.0.0.1:0", "--no-schedule", "--rehearsal"];
    let served = Served::start(with_files(&world.command("json", &options), 96));
    let agent = token(&world, "agent", &[]);
    // Nothing, half of what HTTP/2 begins with, and all of it.
    let beginnings: [&[u8]; 3] = [b"", b"PRI * HT", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"];
    let mut silent: Vec<TcpStream> = (0..150)
        .map(|number| {
            let mut socket = connect(&served);
            socket.write_all(beginnings[number % 3]).unwrap();
            socket
        })
        .collect();
    served.ask(Method::GET, "/v1/status", Some(&agent), None).with(200);
    for socket in &mut silent {
        socket.set_read_timeout(Some(Duration::from_secs(75))).unwrap();
        // What is no HTTP may be hung up on, or told so first.
        let ended = socket.read_to_end(&mut Vec::new());
        let is_open = ended.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
        assert!(!is_open, "a connection without a request stays open");
    }
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
fn whatever_is_recorded_stands_in_the_access_log_though_the_client_hung_up() {
    let world = world();
    let served = Served::of(&world);
    let agent = token(&world, "agent", &[]);
    let (now, from, until) = (world.now(), world.time("7:00"), world.time("7:01"));
    for number in 0..60 {
        let body =
            json!({"chain": "c", "snapshot": number.to_string(), "from": from, "until": until, "name": "ann@x.test"});
        let body = body.to_string();
        let mut socket = connect(&served);
        let request = format!(
            "POST {T}/snapshots HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {agent}\r\nX-Whowas-Now: {now}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        socket.write_all(request.as_bytes()).unwrap();
        std::thread::sleep(Duration::from_millis(number % 6));
    }
    let recorded = || {
        let path = format!("{T}/snapshots?chain=c&limit=1000");
        let listed = served.ask_at(Some(&now.to_string()), Method::GET, &path, Some(&agent), None).with(200);
        listed["items"].as_array().unwrap().len()
    };
    let logged = || {
        let days = std::fs::read_dir(world.file("ledger.access/log")).unwrap();
        let lines: String = days.map(|day| std::fs::read_to_string(day.unwrap().path()).unwrap()).collect();
        let is_one = |line: &&str| {
            let entry: Value = serde_json::from_str(line).unwrap();
            entry["method"] == "POST" && entry["status"] == 200
        };
        lines.lines().filter(is_one).count()
    };
    wait_until("some are recorded", || recorded() > 0);
    // What is under way when its client hangs up takes a moment.
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(recorded(), logged());
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
    // They are judged on all processors.
    let processors = std::thread::available_parallelism().unwrap().get() as f64;
    assert!(sum <= took * processors, "{sum} s of verdicts in {took} s on {processors}");
    assert!(told.contains("# HELP whowas_check_duration_seconds How long verdicts took."), "{told}");
}
