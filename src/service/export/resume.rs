//! An export that is there already: what it has, and where it can be gone on with.

use std::io::BufRead;

use super::line::{BEGINNING, Sum};
use super::read::{Fault, Line, Lines};
use super::{ExportError, Parts};
use crate::domain::fact::Fact;
use crate::domain::id::{Sequence, TenantId};
use crate::ledger::{Ledger, LedgerError};

/// What an export has already.
#[derive(Clone, Debug, Default)]
pub struct Begun {
    pub(super) sum: Sum,
    pub(super) parts: Parts,
    pub(super) commits: u64,
    /// Whether it had its end.
    pub was_whole: bool,
    /// Up to here the file stays; what follows, an end or half a line, makes way.
    pub bytes: u64,
}

impl Begun {
    /// Whether there is nothing yet, not even a header.
    pub fn is_new(&self) -> bool {
        self.bytes == 0
    }

    /// Whether all that it has is in this ledger too, and none of it was erased since: then the ledger goes on where it ends.
    ///
    /// # Errors
    /// [`ExportError::Foreign`] if it is not.
    pub fn check_belongs(&self, ledger: &Ledger) -> Result<(), ExportError> {
        for (tenant, last) in &self.parts {
            let entries = ledger.store().raw_journal(*tenant, last.sequence, 1).map_err(LedgerError::from)?;
            if entries.first().map(|entry| entry.hash) != Some(last.hash) {
                let why = match entries.is_empty() {
                    true => "which this ledger does not have",
                    false => "which is another one in this ledger",
                };
                return Err(ExportError::Foreign(format!(
                    "go on with the export: it ends with commit {} of tenant {tenant}, {why}; export into a new file",
                    last.sequence
                )));
            }
            refuse_erased_since(ledger, *tenant, last.sequence)?;
        }
        Ok(())
    }
}

/// What was erased since an export was begun stands in it still, and would be brought back by it.
fn refuse_erased_since(ledger: &Ledger, tenant: TenantId, last: Sequence) -> Result<(), ExportError> {
    let mut next = last.next();
    loop {
        let entries = ledger.store().raw_journal(tenant, next, ENTRIES).map_err(LedgerError::from)?;
        let Some(newest) = entries.last() else { return Ok(()) };
        next = newest.sequence.next();
        for raw in &entries {
            let entry = raw.open(tenant).map_err(LedgerError::from)?;
            // Only what was replaced stood in the file.
            let replaces = |fact: &Fact| matches!(fact, Fact::Redacted(redacted) if redacted.items.iter().any(|item| item.sequence <= last));
            if entry.commit.facts.iter().any(replaces) {
                return Err(ExportError::Foreign(format!(
                    "go on with the export: names were erased in commit {} of tenant {tenant}, and the file has them still; export \
                     into a new file, and destroy this one",
                    raw.sequence
                )));
            }
        }
    }
}

/// How many commits are in memory at a time.
const ENTRIES: usize = 4;

/// Reads an export through, with all its sums. A last line that is torn, as a crash leaves one, counts as not there.
///
/// # Errors
/// If it is no export, is damaged before its last line, or is one of another choice of tenants.
pub fn look(mut from: impl BufRead, wanted: Option<TenantId>) -> Result<Begun, ExportError> {
    let begins = from.fill_buf().map_err(|source| ExportError::Io { step: "read the export", source })?;
    if !is_beginning(begins) {
        let why = "it does not begin as an export does".to_owned();
        return Err(ExportError::Fault(Fault { line: 1, why }));
    }
    let mut lines = Lines::new(from);
    let header = match lines.header() {
        Ok(header) => header,
        // Not even the header was written in full. It makes way, so the file must not be somebody else's: a minified JSON file or a
        // key without a line feed is a torn first line too.
        Err(ExportError::Fault(_)) if lines.lines == 0 || (lines.is_last && lines.is_torn) => {
            return Ok(Begun::default());
        }
        Err(error) => return Err(error),
    };
    if header.tenant != wanted {
        let of =
            |tenant: Option<TenantId>| tenant.map_or("all tenants".to_owned(), |tenant| format!("tenant {tenant}"));
        let (was, is) = (of(header.tenant), of(wanted));
        return Err(ExportError::Foreign(format!("go on with the export: it is one of {was}, and {is} was asked for")));
    }
    let (was_whole, sum, bytes) = loop {
        // An end makes way for what was committed since, so the place before it is the one to go on from.
        let (sum, bytes) = (lines.sum, lines.bytes);
        match lines.next() {
            Ok(Some(Line::Commit(..))) => {}
            Ok(Some(Line::End)) => break (true, sum, bytes),
            Ok(None) => break (false, sum, bytes),
            Err(ExportError::Fault(_)) if lines.is_last => break (false, sum, bytes),
            Err(error) => return Err(error),
        }
    };
    Ok(Begun { sum, parts: lines.parts, commits: lines.commits, was_whole, bytes })
}

/// Whether an export that was cut off somewhere may begin with this: nothing, or as far as it goes what stands first in each.
fn is_beginning(begins: &[u8]) -> bool {
    begins.starts_with(BEGINNING) || BEGINNING.starts_with(begins)
}
