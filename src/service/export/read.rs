//! An export, read line by line: nothing of a line is believed before its sum and its place were checked.

use std::io::{BufRead, Read};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::line::{CommitIn, End, FORMAT, Header, Kind, Sum};
use super::{ExportError, Newest, Parts, parts};
use crate::domain::id::{Sequence, TenantId};
use crate::store::{Hash, RawEntry};

/// The longest line that is read. A payload has at most 16 MiB, and its facts are told once more for people.
const LINE_BYTES_MAX: u64 = 512 << 20;

/// A line that is not what an export has there.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct Fault {
    /// Its number, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub why: String,
}

/// A line.
pub(super) enum Line {
    Commit(TenantId, RawEntry),
    End,
}

/// The lines of an export.
pub(super) struct Lines<R> {
    from: R,
    /// Bytes and lines read in full, all of them good.
    pub(super) bytes: u64,
    pub(super) lines: u64,
    pub(super) sum: Sum,
    pub(super) parts: Parts,
    pub(super) commits: u64,
    /// Whether nothing stands behind a faulty line: then it may be half a line that a crash has left.
    pub(super) is_last: bool,
    /// Whether it lacks its end as well.
    pub(super) is_torn: bool,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(from: R) -> Self {
        Self {
            from,
            bytes: 0,
            lines: 0,
            sum: Sum::default(),
            parts: Parts::new(),
            commits: 0,
            is_last: false,
            is_torn: false,
        }
    }

    /// The first line.
    pub(super) fn header(&mut self) -> Result<Header, ExportError> {
        let Some(line) = self.line()? else {
            return Err(self.fault("the file is empty; it is no export"));
        };
        let first: Result<First, _> = serde_json::from_slice(&line);
        if let Ok(First { line: Kind::Header, format }) = first
            && format > FORMAT
        {
            let why = format!("the export has format {format}, and this release reads {FORMAT}; upgrade whowas");
            return Err(self.fault(&why));
        }
        self.check(&line)?;
        let header: Header = self.parse(&line)?;
        match header.line {
            Kind::Header => Ok(header),
            _ => Err(self.fault("it is no header; this is no export, or its beginning is missing")),
        }
    }

    /// The next line; `None` at the end of the file.
    pub(super) fn next(&mut self) -> Result<Option<Line>, ExportError> {
        let Some(line) = self.line()? else { return Ok(None) };
        self.check(&line)?;
        let Of { line: kind } = self.parse(&line)?;
        match kind {
            Kind::Header => Err(self.fault("a second header; two exports were put together")),
            Kind::End => {
                let end: End = self.parse(&line)?;
                self.end(&end)?;
                Ok(Some(Line::End))
            }
            Kind::Commit => {
                let commit: CommitIn = self.parse(&line)?;
                let tenant = commit.tenant;
                let raw = commit.raw().map_err(|why| self.fault(&why))?;
                self.follow(tenant, &raw)?;
                Ok(Some(Line::Commit(tenant, raw)))
            }
        }
    }

    /// Counts a line as read: the file is good up to here.
    pub(super) fn take(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    /// A fault of the line read last, or of the first where there is none.
    pub(super) fn fault(&self, why: &str) -> ExportError {
        ExportError::Fault(Fault { line: self.lines.max(1), why: why.to_owned() })
    }

    fn line(&mut self) -> Result<Option<Vec<u8>>, ExportError> {
        let failed = |source| ExportError::Io { step: "read the export", source };
        let mut line = Vec::new();
        self.from.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line).map_err(failed)?;
        if line.is_empty() {
            return Ok(None);
        }
        self.lines += 1;
        self.is_last = self.from.fill_buf().map_err(failed)?.is_empty();
        if line.pop() != Some(b'\n') {
            self.is_torn = true;
            return Err(self.fault(match self.is_last {
                true => "it is cut short",
                false => "it is longer than any line of an export",
            }));
        }
        Ok(Some(line))
    }

    fn check(&mut self, line: &[u8]) -> Result<(), ExportError> {
        let checked = self.sum.check(line);
        checked.map_err(|why| self.fault(why))?;
        self.take(line.len() + 1);
        Ok(())
    }

    fn parse<T: DeserializeOwned>(&self, line: &[u8]) -> Result<T, ExportError> {
        // The place is told, and not the text: it may hold names.
        serde_json::from_slice(line).map_err(|error| {
            self.fault(&format!("it is no line of an export: {:?} at column {}", error.classify(), error.column()))
        })
    }

    /// The commits of a tenant are numbered without gaps, each with the hash of the one before.
    fn follow(&mut self, tenant: TenantId, raw: &RawEntry) -> Result<(), ExportError> {
        let before = self.parts.get(&tenant).copied();
        let before = before.unwrap_or(Newest { sequence: Sequence(0), hash: Hash::default() });
        if raw.sequence != before.sequence.next() {
            let next = before.sequence.next();
            return Err(self.fault(&format!("commit {} of tenant {tenant} stands where {next} should", raw.sequence)));
        }
        if raw.previous != before.hash {
            let why = format!("commit {} of tenant {tenant} does not follow on the one before it", raw.sequence);
            return Err(self.fault(&why));
        }
        self.parts.insert(tenant, Newest { sequence: raw.sequence, hash: raw.hash });
        self.commits += 1;
        Ok(())
    }

    fn end(&self, end: &End) -> Result<(), ExportError> {
        if end.commits != self.commits || end.tenants != parts(&self.parts) {
            let why = format!("the end tells of {} commits, and {} stand before it", end.commits, self.commits);
            return Err(self.fault(&why));
        }
        match self.is_last {
            true => Ok(()),
            false => Err(self.fault("something follows the end")),
        }
    }
}

#[derive(Deserialize)]
struct First {
    line: Kind,
    format: u32,
}

#[derive(Deserialize)]
struct Of {
    line: Kind,
}
