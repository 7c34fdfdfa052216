//! Copies in memory of the records that questions read most, made while the service answers already.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tracing::Level;

use super::log;
use crate::config::LedgerConfig;
use crate::store::Residency;
use crate::store::sled::{CACHE_CAPACITY_BYTES, RESIDENT_BYTES, SERVING_CACHE_CAPACITY_BYTES, SledStore};
use crate::sync::with_causes;

/// How long writers are let before after each few milliseconds of copying.
const PAUSE: Duration = Duration::from_micros(100);
/// How long the end of the copying is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// How many bytes copies may take, by the configuration.
pub fn bytes_max(config: &LedgerConfig) -> u64 {
    config.resident_mib.map_or(RESIDENT_BYTES, |mib| mib.saturating_mul(1 << 20))
}

/// How much the engine of a service keeps in memory unless told otherwise: less where copies answer.
pub fn cache_capacity_bytes(config: &LedgerConfig) -> u64 {
    if bytes_max(config) == 0 { CACHE_CAPACITY_BYTES } else { SERVING_CACHE_CAPACITY_BYTES }
}

/// The copying, until this is dropped.
pub struct Copying {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Copying {
    /// Begins it. Without a thread there are no copies, and the engine answers.
    pub fn begin(store: &Arc<SledStore>, bytes_max: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        if bytes_max == 0 {
            return Self { stop, thread: None };
        }
        let (store, asked) = (Arc::downgrade(store), Arc::clone(&stop));
        let thread = thread::Builder::new().name("copies".to_owned()).spawn(move || {
            // Whoever writes is waited for, which the service must not.
            store.upgrade().inspect(|store| store.keep_resident(bytes_max));
            copy(&store, &asked);
        });
        if let Err(error) = &thread {
            log::say(Level::WARN, &format!("no copies are made in memory: failed to start a thread: {error}"));
        }
        Self { stop, thread: thread.ok() }
    }
}

impl Drop for Copying {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        let Some(thread) = self.thread.take() else { return };
        // Whoever waits for an engine that hangs is left behind.
        let begun = Instant::now();
        while !thread.is_finished() && begun.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

fn copy(store: &Weak<SledStore>, stop: &AtomicBool) {
    let begun = Instant::now();
    while let Some(store) = store.upgrade().filter(|_| !stop.load(Ordering::Acquire)) {
        match store.fill_resident() {
            Ok(true) => {}
            Ok(false) => return tell(&store.residency(), begun.elapsed()),
            Err(error) => {
                let why = with_causes(&error);
                let text =
                    format!("no copies are kept in memory, so answers take longer: {why}; `whowas verify` tells more");
                return log::say(Level::WARN, &text);
            }
        }
        drop(store);
        thread::sleep(PAUSE);
    }
}

fn tell(residency: &Residency, took: Duration) {
    let Residency { bytes, names, chains, snapshots, too_large, .. } = *residency;
    let seconds = took.as_secs_f64();
    let is_all = names && chains && snapshots;
    if is_all || too_large {
        tracing::info!(bytes, names, chains, snapshots, seconds, "copied into memory what questions read most");
    }
    let what = match (names, chains) {
        (true, true) => "snapshots",
        (true, false) => "chains and snapshots",
        (false, _) => "names, chains and snapshots",
    };
    if too_large {
        let text = format!(
            "the records of {what} do not fit into [ledger] resident_mib, so they are read from the storage engine; raise it, \
             or raise cache_mib"
        );
        log::say(Level::WARN, &text);
    } else if !is_all {
        let text = format!(
            "the records of {what} were not copied into memory, because a write failed meanwhile, so they are read from the storage \
             engine; they are copied when the service is started again"
        );
        log::say(Level::WARN, &text);
    }
}
