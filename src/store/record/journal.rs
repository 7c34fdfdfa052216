//! A commit in the journal: its payload, whose bytes are hashed, and the header that the payload is checked against.

use bincode::{Decode, Encode};

use super::fact::FactV1;
use super::tenant::{CursorV1, RunV1};
use crate::domain::fact::Fact;
use crate::store::codec::{Record, RecordError};
use crate::store::{Commit, Cursor, Run};

/// What a commit says.
#[derive(Encode, Decode)]
pub(crate) struct PayloadV1 {
    facts: Vec<FactV1>,
    cursor: Option<CursorV1>,
    run: Option<RunV1>,
}

/// Chunk 0 of a journal entry: the header, and the payload as far as it fits, so that a small commit is one value.
/// It has no checksum: its hashes cover every field.
#[derive(Encode, Decode)]
pub(crate) struct JournalV1 {
    pub(crate) recorded: i64,
    pub(crate) salt: [u8; 16],
    pub(crate) previous: [u8; 32],
    /// Kept, so that the chain can be verified when the payload must be removed.
    pub(crate) payload_hash: [u8; 32],
    pub(crate) hash: [u8; 32],
    pub(crate) payload_bytes: u64,
    pub(crate) first: Vec<u8>,
}

/// A payload in the domain's types.
pub(crate) type Said = (Vec<Fact>, Option<Cursor>, Option<Run>);

impl Record for PayloadV1 {
    const VERSION: u8 = 1;
}

impl Record for JournalV1 {
    const VERSION: u8 = 1;
}

impl PayloadV1 {
    pub(crate) fn of(commit: &Commit) -> Self {
        Self {
            facts: commit.facts.iter().map(FactV1::of).collect(),
            cursor: commit.cursor.as_ref().map(CursorV1::of),
            run: commit.run.as_ref().map(RunV1::of),
        }
    }

    pub(crate) fn read(self) -> Result<Said, RecordError> {
        let facts: Result<Vec<Fact>, RecordError> = self.facts.into_iter().map(FactV1::read).collect();
        Ok((facts?, self.cursor.map(CursorV1::read), self.run.map(RunV1::read)))
    }
}
