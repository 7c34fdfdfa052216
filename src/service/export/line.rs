//! One line of an export: a JSON object that ends in `sum`.
//!
//! ```text
//! sum = SHA-256( sum of the line before[32] ‖ the line up to, and without, `,"sum":` )
//! ```
//!
//! Before the first line it is 32 zero bytes. So each line guards itself and its place: none can be changed, moved, taken
//! out or put in without the next one telling.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::TenantPart;
use crate::domain::fact::Fact;
use crate::domain::id::{Sequence, TenantId};
use crate::domain::time::Instant;
use crate::service::runs::RunAnswer;
use crate::store::{Entry, Hash, RawEntry};

/// The format that this release writes, and the newest that it reads.
pub const FORMAT: u32 = 1;

/// What stands first in every export.
pub const BEGINNING: &[u8] = b"{\"line\":\"header\"";

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Header {
    pub(super) line: Kind,
    pub(super) format: u32,
    pub(super) release: String,
    pub(super) exported: String,
    /// The only tenant asked for; `null` for all.
    pub(super) tenant: Option<TenantId>,
    /// Those there were.
    pub(super) tenants: Vec<TenantId>,
}

/// The last line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct End {
    pub(super) line: Kind,
    pub(super) commits: u64,
    pub(super) tenants: Vec<TenantPart>,
}

/// A commit as it is written.
#[derive(Serialize)]
pub(super) struct CommitOut<'a> {
    line: Kind,
    tenant: TenantId,
    sequence: Sequence,
    recorded: Instant,
    micros: i64,
    previous: Hash,
    hash: Hash,
    version: u8,
    salt: String,
    payload_hash: Hash,
    payload: String,
    facts: &'a [Fact],
    run: Option<RunAnswer>,
}

/// A commit as it is read: what is there for people is left out, the payload has it all.
#[derive(Deserialize)]
pub(super) struct CommitIn {
    pub(super) tenant: TenantId,
    sequence: Sequence,
    micros: i64,
    previous: Hash,
    hash: Hash,
    version: u8,
    salt: String,
    payload_hash: Hash,
    payload: String,
}

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    Header,
    Commit,
    End,
}

impl<'a> CommitOut<'a> {
    pub(super) fn of(tenant: TenantId, raw: &RawEntry, entry: &'a Entry) -> Self {
        Self {
            line: Kind::Commit,
            tenant,
            sequence: raw.sequence,
            recorded: raw.recorded,
            micros: raw.recorded.as_micros(),
            previous: raw.previous,
            hash: raw.hash,
            version: raw.version,
            salt: STANDARD.encode(raw.salt),
            payload_hash: raw.payload_hash,
            payload: STANDARD.encode(&raw.payload),
            facts: &entry.commit.facts,
            run: entry.commit.run.clone().map(RunAnswer::from),
        }
    }
}

impl CommitIn {
    /// The commit, with none of its hashes checked yet.
    pub(super) fn raw(self) -> Result<RawEntry, String> {
        let salt = STANDARD.decode(&self.salt).ok().and_then(|salt| salt.try_into().ok());
        let payload = STANDARD.decode(&self.payload).map_err(|error| format!("its payload is no base64: {error}"))?;
        Ok(RawEntry {
            sequence: self.sequence,
            previous: self.previous,
            hash: self.hash,
            version: self.version,
            recorded: Instant::from_micros(self.micros),
            salt: salt.ok_or("its salt is not sixteen bytes in base64")?,
            payload_hash: self.payload_hash,
            payload,
        })
    }
}

/// The sum of the line before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum(Hash);

impl Sum {
    /// A line with its sum, and its end.
    pub(super) fn seal<T: Serialize>(&mut self, line: &T) -> std::io::Result<Vec<u8>> {
        let mut text = serde_json::to_vec(line)?;
        // The closing brace comes after the sum.
        text.pop();
        self.0 = self.next(&text);
        text.extend_from_slice(format!("{MARK}{}{CLOSE}\n", self.0).as_bytes());
        Ok(text)
    }

    /// Checks a line without its end.
    pub(super) fn check(&mut self, line: &[u8]) -> Result<(), &'static str> {
        let body = line.len().checked_sub(MARK.len() + DIGITS + CLOSE.len()).map(|at| line.split_at(at));
        let (body, tail) = body.ok_or("it is too short to have a sum")?;
        let next = self.next(body);
        if tail != format!("{MARK}{next}{CLOSE}").as_bytes() {
            return Err("its sum does not fit its content and the lines before it");
        }
        self.0 = next;
        Ok(())
    }

    /// The sum in digits.
    pub(super) fn text(self) -> String {
        self.0.to_string()
    }

    fn next(self, body: &[u8]) -> Hash {
        Hash(Sha256::new().chain_update(self.0.0).chain_update(body).finalize().into())
    }
}

const MARK: &str = ",\"sum\":\"";
const CLOSE: &str = "\"}";
const DIGITS: usize = 64;
