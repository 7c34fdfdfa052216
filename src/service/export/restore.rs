//! A ledger brought back from an export.

use std::collections::BTreeMap;
use std::io::BufRead;

use serde::Serialize;

use super::read::{Fault, Line, Lines};
use super::{ExportError, TenantPart, parts};
use crate::domain::id::TenantId;
use crate::ledger::{Ledger, LedgerError};
use crate::store::StoreError;

/// What was brought back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Restored {
    /// Commits in the ledger now.
    pub commits: u64,
    /// Those of them that were brought back now; the rest was there from a restore that was interrupted.
    pub added: u64,
    /// Facts in those.
    pub facts: u64,
    /// The tenants.
    pub tenants: Vec<TenantPart>,
    /// Where the export is damaged, if it is and what stands before that was asked for.
    pub damaged: Option<Fault>,
}

/// Appends every commit of an export to a ledger that is empty, or has the beginning of it already. Each commit's hashes
/// are computed anew, and what follows from it is derived anew. `told` hears of each commit.
///
/// With `until_damage` a fault of the file is no error: what stands before it is kept, and so is what an interrupted restore of the
/// same file brought back beyond it.
///
/// # Errors
/// The first fault, with its line; what stands before it is in the ledger, and can be gone on from.
pub fn restore(
    ledger: &Ledger,
    from: impl BufRead,
    until_damage: bool,
    told: &mut dyn FnMut(u64),
) -> Result<Restored, ExportError> {
    let mut lines = Lines::new(from);
    lines.header()?;
    let mut done = Restored { commits: 0, added: 0, facts: 0, tenants: Vec::new(), damaged: None };
    match take_all(ledger, &mut lines, &mut done, told) {
        Ok(()) => check_is_all(ledger, &lines)?,
        Err(ExportError::Fault(fault)) if until_damage => {
            check_is_begun(ledger, &lines)?;
            done.damaged = Some(fault);
        }
        Err(error) => return Err(error),
    }
    done.tenants = in_ledger(ledger)?;
    done.commits = done.tenants.iter().map(|part| part.commits).sum();
    Ok(done)
}

fn take_all<R: BufRead>(
    ledger: &Ledger,
    lines: &mut Lines<R>,
    done: &mut Restored,
    told: &mut dyn FnMut(u64),
) -> Result<(), ExportError> {
    let mut heads = BTreeMap::new();
    loop {
        let (tenant, raw) = match lines.next()? {
            Some(Line::Commit(tenant, raw)) => (tenant, raw),
            Some(Line::End) => return Ok(()),
            None => {
                let why = "the file ends here without its end line, so it was cut off or never completed";
                return Err(ExportError::Fault(Fault { line: lines.lines + 1, why: why.to_owned() }));
            }
        };
        let head = match heads.get(&tenant) {
            Some(head) => *head,
            None => {
                let head = ledger.head(tenant)?;
                (head.sequence, head.hash)
            }
        };
        heads.insert(tenant, head);
        if raw.sequence <= head.0 {
            if raw.sequence == head.0 && raw.hash != head.1 {
                return Err(foreign(tenant, "has another commit there"));
            }
            continue;
        }
        let entry = raw.open(tenant).map_err(|error| unsound(lines, error.into()))?;
        ledger.append_raw(tenant, &raw, &entry).map_err(|error| misplaced(lines, error))?;
        heads.insert(tenant, (raw.sequence, raw.hash));
        done.added += 1;
        done.facts += entry.commit.facts.len() as u64;
        told(done.added);
    }
}

/// Hashes that are wrong are the file's fault.
fn unsound<R: BufRead>(lines: &Lines<R>, error: LedgerError) -> ExportError {
    match error {
        LedgerError::Store(StoreError::Damaged { what, why }) => lines.fault(&format!("{what}: {why}")),
        error => error.into(),
    }
}

/// A commit that cannot follow is too; what is damaged in the ledger is not.
fn misplaced<R: BufRead>(lines: &Lines<R>, error: LedgerError) -> ExportError {
    match error {
        LedgerError::Store(StoreError::Unsound { what, why }) => lines.fault(&format!("{what}: {why}")),
        error => error.into(),
    }
}

/// A ledger that has more than the file has is not one that the file was being brought back into.
fn check_is_all<R: BufRead>(ledger: &Ledger, lines: &Lines<R>) -> Result<(), ExportError> {
    let told = parts(&lines.parts);
    match in_ledger(ledger)?.into_iter().find(|part| !told.contains(part)) {
        Some(part) => Err(foreign(part.tenant, "goes on beyond it")),
        None => Ok(()),
    }
}

/// What stands before the damage may end before the ledger does. It still has to show, for every tenant, that the ledger began as the
/// file does: else half of another export would be taken for all of this one.
fn check_is_begun<R: BufRead>(ledger: &Ledger, lines: &Lines<R>) -> Result<(), ExportError> {
    for part in in_ledger(ledger)? {
        let Some(last) = lines.parts.get(&part.tenant) else {
            return Err(unshown(part.tenant));
        };
        // Where the file is ahead, the ledger's last commit was compared on the way, or came from it.
        if last.sequence.0 > part.commits {
            continue;
        }
        let there = ledger.store().raw_journal(part.tenant, last.sequence, 1).map_err(LedgerError::from)?;
        if there.first().map(|raw| raw.hash) != Some(last.hash) {
            return Err(foreign(part.tenant, "has another commit there"));
        }
    }
    Ok(())
}

fn unshown(tenant: TenantId) -> ExportError {
    ExportError::Foreign(format!(
        "restore tenant {tenant}: no commit of it stands before the damage, so nothing shows that the restore that was begun in this \
         ledger was of this export; restore into a new directory"
    ))
}

fn foreign(tenant: TenantId, how: &str) -> ExportError {
    ExportError::Foreign(format!(
        "restore tenant {tenant}: the restore that was begun in this ledger was of another export, for the ledger {how}; \
         restore into a new directory"
    ))
}

fn in_ledger(ledger: &Ledger) -> Result<Vec<TenantPart>, LedgerError> {
    let tenants = ledger.tenants()?.into_iter();
    tenants
        .map(|tenant| ledger.head(tenant).map(|head| TenantPart { tenant, commits: head.sequence.0, hash: head.hash }))
        .collect()
}
