//! A ledger in memory, its keys, and what is asked of both.

use std::time::Duration;

use tempfile::TempDir;
use whowas::clock::Clock;
use whowas::domain::fact::{Fact, Feed, Horizon};
use whowas::domain::id::{Sequence, TenantId};
use whowas::domain::time::Instant;
use whowas::domain::verdict::Policy;
use whowas::keyring::Keyring;
use whowas::ledger::{Batch, Ledger, Stamp};
use whowas::service::Desk;
use whowas::service::evidence::{checkpoint, prove_consistency};
use whowas::store::memory::MemoryStore;

pub const TENANT: TenantId = TenantId::from_bytes([7; 16]);
const BEGAN: Instant = Instant::from_micros(1_772_600_000_000_000);

/// A tenant's ledger.
pub struct Place {
    pub desk: Desk,
    folder: TempDir,
}

impl Place {
    pub fn new() -> Self {
        let (ledger, policy) = (Ledger::new(MemoryStore::new()), Policy::default());
        let desk = Desk { ledger, tenant: TENANT, policy, clock: Clock::new(Some(BEGAN)) };
        Self { desk, folder: tempfile::tempdir().unwrap() }
    }

    /// One with a history: a commit for each number, which it tells of.
    pub fn with(history: &[u32]) -> Self {
        let place = Self::new();
        place.go_on(history);
        place
    }

    pub fn keys(&self) -> Keyring {
        Keyring::in_folder(self.folder.path().join("keys"), Clock::default())
    }

    pub fn go_on(&self, history: &[u32]) {
        for number in history {
            let now = BEGAN.plus(Duration::from_secs(self.size()));
            let through = now.plus(Duration::from_millis(u64::from(*number)));
            let facts = vec![Fact::Horizon(Horizon { feed: Feed::Delta, from: now, through })];
            let stamp = Stamp { now, salt: [3; 16] };
            self.desk.ledger.append(TENANT, Batch { facts, ..Batch::default() }, stamp).unwrap();
        }
    }

    pub fn size(&self) -> u64 {
        self.desk.ledger.head(TENANT).unwrap().sequence.0
    }

    /// The signed checkpoint after a commit.
    pub fn checkpoint(&self, at: u64) -> String {
        checkpoint(&self.desk, &self.keys(), Some(Sequence(at))).unwrap().note.unwrap()
    }

    /// The verifier key.
    pub fn key(&self) -> String {
        checkpoint(&self.desk, &self.keys(), None).unwrap().key.unwrap()
    }

    pub fn prove_consistency(&self, older: u64, newer: u64) -> String {
        prove_consistency(&self.desk, &self.keys(), Sequence(older), Some(Sequence(newer))).unwrap().proof
    }

    /// The same history from its beginning on, under another tenant's store, with the keys of this one.
    pub fn take_keys_of(&self, other: &Self) {
        let (from, to) = (other.folder.path().join("keys"), self.folder.path().join("keys"));
        std::fs::rename(&from, &to).unwrap();
    }
}
