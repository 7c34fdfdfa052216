//! How a ledger on disk is opened.

use std::time::Duration;

use super::cipher::LedgerKey;
use super::engine::EngineOptions;
use crate::domain::id::TenantId;
use crate::domain::time::Instant;

/// How much sled may keep in memory unless told otherwise. It takes about twice as much.
pub const CACHE_CAPACITY_BYTES: u64 = 128 << 20;
/// How much sled keeps in memory unless told otherwise where most is answered from copies.
pub const SERVING_CACHE_CAPACITY_BYTES: u64 = 8 << 20;
/// How much copies of records may take in a service unless told otherwise: enough for a million users with three names each.
pub const RESIDENT_BYTES: u64 = 384 << 20;
/// How much space must be left on the disk for a commit to be begun.
pub const FREE_BYTES_MIN: u64 = 64 << 20;
/// How long a write is waited for unless told otherwise.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// How many bytes of keys and values must be written for a closing to prepare the next opening. Their log is several times as large,
/// and read in a fraction of a second.
const READY_AFTER_BYTES: usize = 32 << 20;

/// How to open a [`SledStore`](super::SledStore).
#[derive(Clone, Debug)]
pub struct SledOptions {
    /// How much sled may keep in memory.
    pub cache_capacity_bytes: u64,
    /// The command that opens it, told to whoever finds it held.
    pub command: String,
    /// Whether to create a ledger where there is none.
    pub create: bool,
    /// The time, told to whoever finds it held.
    pub now: Instant,
    /// How much space must be left on the disk for a commit to be begun.
    pub free_bytes_min: u64,
    /// Whether to open it even if a rebuild was interrupted, in order to rebuild it.
    pub rebuild: bool,
    /// Whether it is opened to be brought back from an export: it must be empty, or have been opened so before.
    pub restore: bool,
    /// The tenant that it is opened to sync, told to whoever finds it held.
    pub tenant: Option<TenantId>,
    /// Where questions about it are answered meanwhile, told to whoever finds it held.
    pub url: Option<String>,
    /// How long a write is waited for before it counts as failed. A disk that is merely slow must not be taken for a dead one.
    pub patience: Duration,
    /// The key of an encrypted ledger; a new ledger is encrypted if it is there.
    pub key: Option<LedgerKey>,
}

impl SledOptions {
    /// The usual options for a command.
    pub fn new(command: &str, now: Instant) -> Self {
        Self {
            cache_capacity_bytes: CACHE_CAPACITY_BYTES,
            command: command.to_owned(),
            create: false,
            now,
            free_bytes_min: FREE_BYTES_MIN,
            rebuild: false,
            restore: false,
            tenant: None,
            url: None,
            patience: PATIENCE,
            key: None,
        }
    }

    pub(super) fn engine(&self) -> EngineOptions {
        EngineOptions {
            cache_capacity_bytes: self.cache_capacity_bytes,
            patience: self.patience,
            fills: false,
            is_read: false,
            ready_after_bytes: READY_AFTER_BYTES,
        }
    }
}
