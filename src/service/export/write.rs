//! Writing an export.

use std::io::Write;

use serde::Serialize;

use super::line::{CommitOut, End, FORMAT, Header, Kind};
use super::{Begun, ExportError, Newest, TenantPart, parts};
use crate::domain::id::{Sequence, TenantId};
use crate::domain::time::Instant;
use crate::ledger::{Ledger, LedgerError};

/// How many commits are in memory at a time: a few pages of the directory, or one as large as they come.
const ENTRIES: usize = 4;

/// What was exported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Exported {
    /// Commits in the file.
    pub commits: u64,
    /// Those of them that were added now.
    pub added: u64,
    /// The tenants in it.
    pub tenants: Vec<TenantPart>,
    /// The sum of the last line, which stands for the whole file.
    pub sum: String,
}

/// Writes what `begun` lacks, and the end. `told` hears of each commit.
///
/// # Errors
/// If the ledger cannot be read, or the lines not be written. What was written stays good, and can be gone on with.
pub fn export(
    ledger: &Ledger,
    wanted: Option<TenantId>,
    mut begun: Begun,
    now: Instant,
    out: &mut dyn Write,
    told: &mut dyn FnMut(u64),
) -> Result<Exported, ExportError> {
    let tenants = ledger.tenants()?;
    if let Some(stranger) = wanted.filter(|wanted| !tenants.contains(wanted)) {
        return Err(ExportError::NoTenant(stranger));
    }
    let tenants: Vec<_> = tenants.into_iter().filter(|tenant| wanted.is_none_or(|wanted| wanted == *tenant)).collect();
    if begun.is_new() {
        let release = env!("CARGO_PKG_VERSION").to_owned();
        let exported = now.to_string();
        let header =
            Header { line: Kind::Header, format: FORMAT, release, exported, tenant: wanted, tenants: tenants.clone() };
        put(out, begun.sum.seal(&header))?;
    }
    let mut added = 0;
    for tenant in tenants {
        let mut next = begun.parts.get(&tenant).map_or(Sequence(1), |last| last.sequence.next());
        loop {
            let entries = ledger.store().raw_journal(tenant, next, ENTRIES).map_err(LedgerError::from)?;
            if entries.is_empty() {
                break;
            }
            for raw in entries {
                let entry = raw.open(tenant).map_err(LedgerError::from)?;
                put(out, begun.sum.seal(&CommitOut::of(tenant, &raw, &entry)))?;
                begun.parts.insert(tenant, Newest { sequence: raw.sequence, hash: raw.hash });
                (begun.commits, added) = (begun.commits + 1, added + 1);
                next = raw.sequence.next();
                told(added);
            }
        }
    }
    let tenants = parts(&begun.parts);
    put(out, begun.sum.seal(&End { line: Kind::End, commits: begun.commits, tenants: tenants.clone() }))?;
    out.flush().map_err(unwritten)?;
    Ok(Exported { commits: begun.commits, added, tenants, sum: begun.sum.text() })
}

fn put(out: &mut dyn Write, line: std::io::Result<Vec<u8>>) -> Result<(), ExportError> {
    line.and_then(|line| out.write_all(&line)).map_err(unwritten)
}

fn unwritten(source: std::io::Error) -> ExportError {
    ExportError::Io { step: "write the export", source }
}
