//! The journal as JSON lines: every commit with its facts and the hash that chains it to the one before.

use serde::Serialize;

use super::Desk;
use crate::domain::fact::Fact;
use crate::domain::id::Sequence;
use crate::domain::time::Instant;
use crate::ledger::LedgerError;
use crate::store::{Entry, Hash};

use super::runs::RunAnswer;

/// One commit. The sync's cursor is left out: its links are keys to the directory.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct EntryAnswer {
    /// Its number.
    pub sequence: Sequence,
    /// The hash of the commit before; zeros for the first.
    pub previous: Hash,
    /// Its own hash.
    pub hash: Hash,
    /// When it was recorded.
    pub recorded: Instant,
    /// Its facts, each with its kind under `fact`.
    #[cfg_attr(feature = "http", schema(value_type = Vec<Object>))]
    pub facts: Vec<Fact>,
    /// The run log's entry, if a run ended with it.
    pub run: Option<RunAnswer>,
    /// The places of those facts, from 0, that stand instead of what was erased; their number is that of the run's if that was.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub erased: Vec<u32>,
}

/// Up to `limit` commits from `from` on and not beyond `newest`, one a line, and the number of the one after them.
///
/// # Errors
/// If the ledger cannot be read.
pub fn lines(desk: &Desk, from: Sequence, newest: Sequence, limit: usize) -> Result<(Vec<u8>, Sequence), LedgerError> {
    let entries = desk.ledger.store().journal(desk.tenant, from, limit)?;
    let mut text = Vec::new();
    let mut next = newest.next();
    for entry in entries.into_iter().filter(|entry| entry.sequence <= newest) {
        next = entry.sequence.next();
        // What serialises to JSON in memory cannot fail to; an answer that lacks a line would break its chain of hashes.
        if serde_json::to_writer(&mut text, &EntryAnswer::from(entry)).is_ok() {
            text.push(b'\n');
        }
    }
    Ok((text, next))
}

impl From<Entry> for EntryAnswer {
    fn from(entry: Entry) -> Self {
        let Entry { sequence, previous, hash, commit, version: _, forgotten } = entry;
        let (recorded, facts, run) = (commit.recorded, commit.facts, commit.run.map(RunAnswer::from));
        let erased = forgotten.into_iter().map(|(place, _)| place).collect();
        Self { sequence, previous, hash, recorded, facts, run, erased }
    }
}
