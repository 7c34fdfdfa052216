//! Loads a running service and prints one table: `cargo build --release && cargo run --release --example load -- --users 1000000`.
//!
//! It makes a ledger of that many users, starts the program's `serve` on it as a process, and asks by 64 connections: single
//! checks by object id and by chain, and arrays of a thousand. Beside it a do-nothing axum route in a process of its own is asked
//! in the same way, so that what HTTP and the client cost is visible. In the end it goes on with a mix of them for `--minutes`,
//! and prints how much memory the service has each half minute. Last it kills the service with SIGKILL while all connections tell
//! it of snapshots, starts it again, and looks for every snapshot that was acknowledged. All processes share the machine's cores.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::indexing_slicing,
    reason = "a tool may stop at the first surprise"
)]

#[path = "measure/running.rs"]
mod running;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant as Moment};

use serde_json::{Value, json};
use whowas::domain::fact::{Addressed, Fact, Feed, Horizon, Profile, Reading, Seen, Snapshot, Source};
use whowas::domain::id::{ObjectId, TenantId};
use whowas::domain::name::Proxy;
use whowas::domain::time::Instant;
use whowas::ledger::{Batch, Ledger, Stamp};
use whowas::store::sled::{SledOptions, SledStore};

use running::Running;

/// The body of the nth request.
type Body = Arc<dyn Fn(u64) -> Value + Send + Sync>;

const TENANT: TenantId = TenantId::from_bytes([7; 16]);
const CONNECTIONS: usize = 64;
const TOGETHER: usize = 1_000;
/// Users in one commit.
const COMMIT: u64 = 20_000;
/// One user in so many has a chain with snapshots.
const BACKED_UP: u64 = 10;

struct Settings {
    users: u64,
    seconds: u64,
    minutes: u64,
    dir: PathBuf,
    binary: PathBuf,
}

fn main() {
    if std::env::args().nth(1).as_deref() == Some("--nothing") {
        return nothing();
    }
    let settings = settings();
    let _ = std::fs::remove_dir_all(&settings.dir);
    std::fs::create_dir_all(&settings.dir).unwrap();
    let begun = Moment::now();
    let now = fill(&settings);
    println!(
        "{} users, every {BACKED_UP}th with a chain: filled in {:.0} s",
        settings.users,
        begun.elapsed().as_secs_f64()
    );
    std::fs::write(
        settings.dir.join("whowas.toml"),
        format!(
            "[ledger]\npath = \"ledger\"\n[server]\nrequests_per_second = 1000000\nburst = 1000000\n[[tenant]]\nid = \"{TENANT}\"\nalias = \"load\"\nid_max_age = \"30d\"\n"
        ),
    )
    .unwrap();
    let token = token(&settings);
    let serve = || {
        let begun = Moment::now();
        let words = ["--now", &now.to_string(), "serve", "--no-schedule", "--rehearsal", "--listen", "127.0.0.1:0"];
        let served = Running::start(program(&settings).args(words));
        println!(
            "ready {:.2} s after its start, {} MiB resident",
            begun.elapsed().as_secs_f64(),
            served.resident_mib()
        );
        served
    };
    let served = serve();
    let idle = Running::start(Command::new(std::env::current_exe().unwrap()).arg("--nothing"));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    println!("| {CONNECTIONS} connections, {} s each | requests/s | answers/s | p50 ms | p99 ms |", settings.seconds);
    println!("| --- | --- | --- | --- | --- |");
    let lasts = Duration::from_secs(settings.seconds);
    let users = settings.users;
    let one = move |number: u64| json!({"object": object(spread(number, users))});
    let chain = move |number: u64| {
        let user = spread(number, users / BACKED_UP) * BACKED_UP;
        json!({"chain": format!("c{user}"), "object": object(user)})
    };
    let many = move |number: u64| {
        Value::Array((0..TOGETHER as u64).map(|place| one(number * TOGETHER as u64 + place)).collect())
    };
    let checks = format!("{}/v1/tenants/load/checks", served.url);
    let asks: [(&str, String, Body, usize); 4] = [
        ("a route that does nothing", format!("{}/v1/nothing", idle.url), Arc::new(one), 1),
        ("check by object id", checks.clone(), Arc::new(one), 1),
        ("check by chain and object id", checks.clone(), Arc::new(chain), 1),
        ("1,000 checks in one request", checks.clone(), Arc::new(many), TOGETHER),
    ];
    for (what, url, body, answers) in &asks {
        let measured = runtime.block_on(load(url, &token, body, lasts));
        println!(
            "| {what} | {:.0} | {:.0} | {:.2} | {:.2} |",
            measured.per_second,
            measured.per_second * *answers as f64,
            measured.p50,
            measured.p99
        );
    }
    if settings.minutes > 0 {
        println!("\n| minute | requests/s | resident MiB |\n| --- | --- | --- |");
        for half in 0..settings.minutes * 2 {
            let (what, url, body, _) = &asks[1 + usize::try_from(half % 3).unwrap()];
            let measured = runtime.block_on(load(url, &token, body, Duration::from_secs(30)));
            println!(
                "| {:.1} ({what}) | {:.0} | {} |",
                (half + 1) as f64 / 2.0,
                measured.per_second,
                served.resident_mib()
            );
        }
    }
    drop(idle);
    let told = runtime.block_on(async {
        let tasks: Vec<_> =
            (0..CONNECTIONS).map(|task| tokio::spawn(tell(served.url.clone(), token.clone(), task))).collect();
        tokio::time::sleep(lasts).await;
        // Its drop is a SIGKILL.
        drop(served);
        let mut told = Vec::new();
        for task in tasks {
            told.push(task.await.unwrap());
        }
        told
    });
    println!(
        "\nkilled while {CONNECTIONS} connections told of snapshots: {} were acknowledged",
        told.iter().sum::<u64>()
    );
    let served = serve();
    let lost = runtime.block_on(lost(&served.url, &token, &told));
    println!("acknowledged and lost: {lost}");
    assert_eq!(lost, 0);
    drop(served);
    std::fs::remove_dir_all(&settings.dir).unwrap();
}

struct Measured {
    per_second: f64,
    p50: f64,
    p99: f64,
}

/// Asks by all connections at once for so long; of arrays a token has only a few under way, and the others wait their turn. Every answer is read to its end and must be a 200.
async fn load(url: &str, token: &str, body: &Body, lasts: Duration) -> Measured {
    let next = Arc::new(AtomicU64::new(0));
    let begun = Moment::now();
    let tasks: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            // A client each, so that there are as many connections as there are askers.
            let client = reqwest::Client::builder().no_proxy().http1_only().build().unwrap();
            let (url, token, body, next) = (url.to_owned(), token.to_owned(), Arc::clone(body), Arc::clone(&next));
            tokio::spawn(async move {
                let mut times = Vec::new();
                while begun.elapsed() < lasts {
                    let asked = body(next.fetch_add(1, Ordering::Relaxed));
                    let started = Moment::now();
                    let answer = client.post(&url).bearer_auth(&token).json(&asked).send().await.unwrap();
                    assert_eq!(answer.status(), 200);
                    let text = answer.bytes().await.unwrap();
                    times.push(started.elapsed());
                    assert!(!text.is_empty());
                }
                times
            })
        })
        .collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.unwrap());
    }
    let took = begun.elapsed().as_secs_f64();
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1_000.0;
    Measured { per_second: times.len() as f64 / took, p50: at(0.5), p99: at(0.99) }
}

/// Tells of one snapshot after the other until the service is gone; how many were acknowledged.
async fn tell(url: String, token: String, task: usize) -> u64 {
    let client = reqwest::Client::builder().no_proxy().http1_only().build().unwrap();
    for number in 0.. {
        let body = json!({
            "chain": format!("k{task}"), "snapshot": number.to_string(), "from": "2026-03-02T08:00:00Z",
            "until": "2026-03-02T08:10:00Z", "object": object(task as u64),
        });
        let sent = client.post(format!("{url}/v1/tenants/load/snapshots")).bearer_auth(&token).json(&body).send().await;
        match sent {
            Ok(answer) => assert_eq!(answer.status(), 200),
            Err(_) => return number,
        }
    }
    unreachable!("the service was killed")
}

/// How many of the acknowledged snapshots the service does not know.
async fn lost(url: &str, token: &str, told: &[u64]) -> u64 {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut lost = 0;
    for (task, count) in told.iter().enumerate() {
        for number in 0..*count {
            let place = format!("{url}/v1/tenants/load/snapshots/k{task}/{number}");
            let answer = client.get(place).bearer_auth(token).send().await.unwrap();
            lost += u64::from(answer.status() != 200);
        }
    }
    lost
}

/// The process of the route that does nothing.
fn nothing() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        eprintln!("listening on http://{}", listener.local_addr().unwrap());
        let route = axum::routing::post(async |_body: axum::body::Bytes| "{}");
        axum::serve(listener, axum::Router::new().route("/v1/nothing", route)).await.unwrap();
    });
}

/// A ledger in which every user was seen and a horizon has passed. What time it is then.
fn fill(settings: &Settings) -> Instant {
    let start: Instant = "2026-03-02T08:00:00Z".parse().unwrap();
    let lag = Duration::from_secs(300);
    let options = SledOptions { create: true, ..SledOptions::new("load", start) };
    let ledger = Ledger::new(SledStore::open(settings.dir.join("ledger"), options).unwrap());
    let append = |facts: Vec<Fact>, now| {
        ledger.append(TENANT, Batch { facts, ..Batch::default() }, Stamp { now, salt: [3; 16] }).unwrap();
    };
    for first in (0..settings.users).step_by(COMMIT as usize) {
        let users = first..(first + COMMIT).min(settings.users);
        let seen = |user: u64| {
            let name = |kind: &str| format!("{kind}{user}@load.test").parse().unwrap();
            let profile = Profile {
                upn: Some(name("user")),
                mail: Some(name("user")),
                proxies: vec![Proxy::Primary(name("user")), Proxy::Alias(name("alias"))],
                ..Profile::default()
            };
            let reading = Reading { at: start, lag, source: Source::Delta, unchanged_since: None };
            Fact::Seen(Seen { object: object(user), reading, profile })
        };
        append(users.map(seen).collect(), start);
    }
    let through = start.minus(lag);
    append(vec![Fact::Horizon(Horizon { feed: Feed::Delta, from: through, through })], start);
    let later = start.plus(Duration::from_secs(3_600));
    append(vec![Fact::Horizon(Horizon { feed: Feed::Delta, from: through, through: later.minus(lag) })], later);
    let backed_up: Vec<u64> = (0..settings.users).step_by(BACKED_UP as usize).collect();
    for chunk in backed_up.chunks(COMMIT as usize) {
        let taken = |user: &u64| {
            let (chain, id) = (format!("c{user}").parse().unwrap(), "1".parse().unwrap());
            let addressed = Addressed::Object(object(*user));
            Fact::SnapshotTaken(Snapshot { chain, id, from: start, until: start, addressed, mailbox: None })
        };
        append(chunk.iter().map(taken).collect(), later);
    }
    later
}

fn object(user: u64) -> ObjectId {
    // Ids of a real directory are random, and so spread over the keys.
    let mixed = (u128::from(user) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    ObjectId::from_bytes(mixed.to_be_bytes())
}

fn spread(number: u64, of: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % of.max(1)
}

fn program(settings: &Settings) -> Command {
    let mut command = Command::new(&settings.binary);
    command.current_dir(&settings.dir);
    command
}

fn token(settings: &Settings) -> String {
    let added = program(settings).args(["--output", "json", "token", "add", "--role", "agent"]).output().unwrap();
    let added: Value = serde_json::from_slice(&added.stdout).unwrap();
    added["token"].as_str().unwrap().to_owned()
}

fn settings() -> Settings {
    let own = std::env::current_exe().unwrap();
    let beside = |folder: Option<&Path>| folder.map(|folder| folder.join("whowas")).unwrap_or_default();
    let mut settings = Settings {
        users: 100_000,
        seconds: 10,
        minutes: 0,
        dir: std::env::temp_dir().join("whowas-load"),
        binary: beside(own.ancestors().nth(2)),
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words.next().unwrap_or_default();
        match word.as_str() {
            "--users" => settings.users = value.parse().unwrap(),
            "--seconds" => settings.seconds = value.parse().unwrap(),
            "--minutes" => settings.minutes = value.parse().unwrap(),
            "--dir" => settings.dir = value.into(),
            "--binary" => settings.binary = value.into(),
            _ => {
                eprintln!("usage: load [--users N] [--seconds S] [--minutes M] [--dir DIR] [--binary FILE]");
                std::process::exit(2);
            }
        }
    }
    settings
}
