//! A service to test against: an empty ledger in memory, nobody configured, and a folder for its tokens and its access log.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::access::caller::Pace;
use super::access::log::AccessLog;
use super::access::tokens::Tokens;
use super::service::{Directories, Limits, Service, Shared};
use super::streams::Streams;
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::time::Instant;
use crate::keyring::Keyring;
use crate::ledger::Ledger;
use crate::store::Residency;
use crate::store::memory::MemoryStore;
use crate::sync::{Flights, Stop};

/// What time it is there.
pub const NOW: Instant = Instant::from_micros(1_772_600_000_000_000);

/// The service.
pub fn service(folder: &Path, limits: Limits) -> Shared {
    let clock = Clock::new(Some(NOW));
    Arc::new(Service {
        ledger: Ledger::new(MemoryStore::new()),
        config: Arc::new(Config::default()),
        clock,
        tokens: Tokens::in_folder(folder.to_owned()),
        access_log: AccessLog::open(folder, clock).unwrap(),
        keys: Keyring::in_folder(folder.join("keys"), clock),
        flights: Flights::default(),
        stop: Stop::default(),
        on_demand: Arc::new(Semaphore::new(1)),
        has_schedule: false,
        is_rehearsal: false,
        is_behind_proxy: false,
        is_encrypted: false,
        health: Box::new(|| Ok(())),
        resident: Box::new(Residency::default),
        ended: Box::new(|_, _| ()),
        streams: Streams::new(1, 1, Duration::ZERO),
        journals: Streams::new(1, 1, Duration::ZERO),
        pace: Pace::of(&limits),
        limits,
        directories: Directories::default(),
    })
}
