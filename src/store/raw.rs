//! A commit down to the bytes that its hash covers, so that it can leave a ledger and come back as the same one.

use super::PAYLOAD_BYTES_MAX;
use super::hash::{Header, commit_hash};
use super::record::journal::PayloadKind;
use super::{Commit, Entry, Hash, Head, StoreError};
use crate::domain::id::{Sequence, TenantId};
use crate::domain::time::Instant;

/// A commit as the journal keeps it.
#[derive(Clone, PartialEq, Eq)]
pub struct RawEntry {
    /// Its number.
    pub sequence: Sequence,
    /// The hash of the commit before; zeros for the first.
    pub previous: Hash,
    /// Its own hash.
    pub hash: Hash,
    /// Which layout of the header the hash covers.
    pub version: u8,
    /// When it was recorded.
    pub recorded: Instant,
    /// The salt of the payload's hash.
    pub salt: [u8; 16],
    /// The payload's hash.
    pub payload_hash: Hash,
    /// The facts, the cursor and the run, encoded.
    pub payload: Vec<u8>,
}

impl RawEntry {
    /// The entry that it is, once every hash in it was computed anew and is the one that it names.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], which names the commit and what is wrong with it.
    pub fn open(&self, tenant: TenantId) -> Result<Entry, StoreError> {
        let Self { sequence, previous, hash, version, recorded, salt, .. } = *self;
        let bad = |why: String| StoreError::Damaged { what: format!("commit {sequence} of tenant {tenant}"), why };
        let Some(kind) = PayloadKind::of_version(version) else {
            return Err(bad(format!("its header has version {version}, which this release does not know")));
        };
        let read = kind.open(&salt, &self.payload);
        let (payload_hash, version, (facts, cursor, run), forgotten) = read.map_err(|error| bad(error.to_string()))?;
        if payload_hash != self.payload_hash {
            return Err(bad("its payload does not have its hash".to_owned()));
        }
        if commit_hash(&previous, &Header { version, tenant, sequence, recorded }, &payload_hash) != hash {
            return Err(bad("it does not have its hash".to_owned()));
        }
        let commit = Commit { recorded, salt, facts, cursor, run };
        Ok(Entry { sequence, previous, hash, version, commit, forgotten })
    }

    /// Whether it can be the next commit after a head.
    ///
    /// # Errors
    /// [`StoreError::Unsound`] if it cannot.
    pub fn check_follows(&self, tenant: TenantId, head: &Head) -> Result<(), StoreError> {
        let unsound = |why: String| {
            Err(StoreError::Unsound { what: format!("commit {} of tenant {tenant}", self.sequence), why })
        };
        if self.payload.len() > RAW_BYTES_MAX {
            return unsound(format!(
                "its payload has {} bytes, and at most {RAW_BYTES_MAX} are taken",
                self.payload.len()
            ));
        }
        if self.sequence != head.sequence.next() {
            return unsound(format!("commit {} comes next", head.sequence.next()));
        }
        if self.previous != head.hash {
            return unsound(format!("it does not follow on commit {} of this ledger", head.sequence));
        }
        match head.recorded.filter(|newest| self.recorded < *newest) {
            Some(newest) => unsound(format!("it is recorded at {}, before the one before at {newest}", self.recorded)),
            None => Ok(()),
        }
    }
}

/// Largest payload that is taken from elsewhere. What was forgotten in a payload, and what stands beside that, has salts of its
/// own, so it may have grown since it was written.
const RAW_BYTES_MAX: usize = 2 * PAYLOAD_BYTES_MAX;

/// The payload stays out: it holds names.
impl std::fmt::Debug for RawEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RawEntry").field("sequence", &self.sequence).field("hash", &self.hash).finish_non_exhaustive()
    }
}
