//! No body makes a route of the service fail: what is wrong with it is told as a problem, and an answer is whole JSON.
//!
//! The first byte chooses the route.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use tokio::sync::Semaphore;
use tower::ServiceExt;
use whowas::clock::Clock;
use whowas::config::Config;
use whowas::domain::fact::{Addressed, Fact, Feed, Horizon, Profile, Reading, Seen, Snapshot, Source};
use whowas::domain::id::{ObjectId, TenantId};
use whowas::domain::time::Instant;
use whowas::http::access::caller::Pace;
use whowas::http::access::log::AccessLog;
use whowas::http::access::role::Role;
use whowas::http::access::tokens::{Tokens, Wanted};
use whowas::http::router::router;
use whowas::http::service::{Directories, Limits, Service};
use whowas::http::streams::Streams;
use whowas::keyring::Keyring;
use whowas::ledger::{Batch, Ledger, Stamp};
use whowas::store::memory::MemoryStore;
use whowas::sync::{Flights, Stop};

const ROUTES: &[(&str, &str)] = &[
    ("POST", "checks"),
    ("POST", "snapshots"),
    ("POST", "snapshots/c/1/receipt"),
    ("POST", "restore-checks"),
    ("POST", "findings/00000000000000000000000000000000/acknowledge"),
    ("POST", "syncs"),
];

struct Place {
    router: Router,
    token: String,
    runtime: tokio::runtime::Runtime,
    _folder: tempfile::TempDir,
}

pub fn run(data: &[u8]) {
    static PLACE: OnceLock<Place> = OnceLock::new();
    let place = PLACE.get_or_init(place);
    let Some((route, body)) = data.split_first() else { return };
    let (method, path) = ROUTES[usize::from(*route) % ROUTES.len()];
    let request = Request::builder()
        .method(method)
        .uri(format!("/v1/tenants/{TENANT}/{path}"))
        .header("authorization", format!("Bearer {}", place.token))
        .header("content-type", "application/json")
        .body(Body::from(body.to_vec()))
        .expect("a request of these parts is sound");
    place.runtime.block_on(async {
        let answer = place.router.clone().oneshot(request).await.expect("a router is always ready");
        let status = answer.status().as_u16();
        assert!(status < 500, "{method} {path} was answered with {status}");
        // An array that ends in the middle is answered as far as it goes, and then broken off.
        if let Ok(answer) = answer.into_body().collect().await {
            let answer = answer.to_bytes();
            let is_json = serde_json::from_slice::<serde_json::Value>(&answer).is_ok();
            assert!(is_json, "{method} {path}: {status} {}", String::from_utf8_lossy(&answer));
        }
    });
}

const TENANT: TenantId = TenantId::from_bytes([7; 16]);

fn place() -> Place {
    let folder = tempfile::tempdir().expect("a folder for the tokens");
    let now = Instant::from_micros(1_772_600_000_000_000);
    let clock = Clock::new(Some(now));
    let limits = Limits { per_second: 1_000_000, burst: 1_000_000, ..Limits::default() };
    let tokens = Tokens::in_folder(folder.path().to_owned());
    let wanted = Wanted { label: None, role: Role::Admin, tenants: None, lasts: None };
    let (_, token) = tokens.add(wanted, clock).expect("a token");
    let service = Arc::new(Service {
        ledger: filled(now),
        config: Arc::new(Config::default()),
        clock,
        tokens,
        access_log: AccessLog::open(folder.path(), clock).expect("an access log"),
        keys: Keyring::in_folder(folder.path().join("keys"), clock),
        flights: Flights::default(),
        stop: Stop::default(),
        on_demand: Arc::new(Semaphore::new(1)),
        has_schedule: false,
        is_rehearsal: false,
        is_behind_proxy: false,
        is_encrypted: false,
        health: Box::new(|| Ok(())),
        resident: Box::new(whowas::store::Residency::default),
        ended: Box::new(|_, _| ()),
        streams: Streams::new(4, 4, Duration::from_secs(20)),
        journals: Streams::new(4, 4, Duration::from_secs(20)),
        pace: Pace::of(&limits),
        limits,
        directories: Directories::default(),
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    Place { router: router(&service, None), token, runtime: runtime.expect("a runtime"), _folder: folder }
}

/// Somebody with a chain.
fn filled(now: Instant) -> Ledger {
    let ledger = Ledger::new(MemoryStore::new());
    let object = ObjectId::from_bytes([1; 16]);
    let reading = Reading { at: now, lag: Duration::ZERO, source: Source::Delta, unchanged_since: None };
    let profile = Profile { upn: "ann@x.test".parse().ok(), ..Profile::default() };
    let (chain, id) = ("c".parse().expect("a chain"), "1".parse().expect("a snapshot"));
    let taken = Snapshot { chain, id, from: now, until: now, addressed: Addressed::Object(object), mailbox: None };
    let facts = vec![
        Fact::Seen(Seen { object, reading, profile }),
        Fact::Horizon(Horizon { feed: Feed::Delta, from: now, through: now }),
        Fact::SnapshotTaken(taken),
    ];
    let batch = Batch { facts, ..Batch::default() };
    ledger.append(TENANT, batch, Stamp { now, salt: [1; 16] }).expect("sound facts");
    ledger
}
