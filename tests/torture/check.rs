//! Looking at a directory after something happened to it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use whowas::domain::id::Sequence;
use whowas::ledger::{Ledger, LedgerError};
use whowas::store::sled::{SledOptions, SledStore};
use whowas::store::{Hash, StoreError};

use super::child::{one_line, options};
use super::script::{self, TENANTS};
use super::truth::{self, Heads, Truth};

/// What became of a ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Everything that was acknowledged is there and right; this far it is.
    Whole(Heads),
    /// It says that it is damaged, and why.
    Told(String),
    /// Acknowledged commits are missing, and it does not say so.
    Lost(String),
    /// It says something that is not so.
    Wrong(String),
    /// It panicked, or failed with nothing that helps anybody.
    Broken(String),
}

/// What must hold.
#[derive(Clone, Copy, Debug)]
pub struct Must {
    pub acknowledged: Heads,
    /// How many commits more there may be in all.
    pub more: u64,
    /// Whether everything derived is compared with the journal, and every hash checked.
    pub verify: bool,
}

/// Opens a ledger and compares it with the truth.
pub fn check(path: &Path, truth: &mut Truth, must: Must) -> Found {
    let looked = catch_unwind(AssertUnwindSafe(|| look(path, truth, must)));
    looked.unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().cloned();
        let said = said.or_else(|| panic.downcast_ref::<&str>().map(|said| (*said).to_owned()));
        Found::Broken(format!("panicked: {}", said.unwrap_or_default()))
    })
}

fn look(path: &Path, truth: &mut Truth, must: Must) -> Found {
    let store = match SledStore::open(path, options("torture")) {
        // Whoever was killed while it derived everything anew left that to be done.
        Err(StoreError::NeedsRebuild { .. }) => return look_rebuilt(path, truth, must),
        Err(error) => return told(&error.into()),
        Ok(store) => store,
    };
    compare(&Ledger::new(store), truth, must)
}

fn look_rebuilt(path: &Path, truth: &mut Truth, must: Must) -> Found {
    match rebuild(path) {
        Ok(ledger) => compare(&ledger, truth, must),
        Err(error) => told(&error),
    }
}

/// Derives everything anew.
pub fn rebuild(path: &Path) -> Result<Ledger, LedgerError> {
    let store = SledStore::open(path, SledOptions { rebuild: true, ..options("torture") })?;
    let ledger = Ledger::new(store);
    ledger.rebuild(|_| ())?;
    Ok(ledger)
}

fn told(error: &LedgerError) -> Found {
    let text = one_line(error);
    let LedgerError::Store(error) = error else { return Found::Broken(text) };
    match error {
        StoreError::Damaged { .. } | StoreError::NewerFormat { .. } | StoreError::NotALedger { .. } => {
            Found::Told(text)
        }
        // An engine that says what it found, wrapped.
        StoreError::Io { .. } => Found::Told(text),
        _ => Found::Broken(text),
    }
}

pub fn compare(ledger: &Ledger, truth: &mut Truth, must: Must) -> Found {
    match differences(ledger, truth, must) {
        Err(error) => told(&error),
        Ok(Found::Whole(heads)) if must.verify => match ledger.verify(|_| ()) {
            Err(error) => told(&error),
            Ok(report) if report.differing > 0 => {
                Found::Told(format!("verify: {} derived records differ", report.differing))
            }
            Ok(report) if report.commits != heads.iter().sum::<u64>() => {
                Found::Lost(format!("verify saw {} commits of {heads:?}", report.commits))
            }
            Ok(_) => Found::Whole(heads),
        },
        Ok(found @ (Found::Lost(_) | Found::Wrong(_))) if must.verify => match ledger.verify(|_| ()) {
            // Verify is what must notice.
            Err(error) => told(&error),
            Ok(report) if report.differing > 0 => Found::Told(format!("verify: {} records differ", report.differing)),
            Ok(_) => found,
        },
        Ok(found) => found,
    }
}

fn differences(ledger: &Ledger, truth: &mut Truth, must: Must) -> Result<Found, LedgerError> {
    let mut heads: Heads = [0; TENANTS];
    let mut wrong = None;
    for (tenant, acknowledged) in must.acknowledged.iter().enumerate() {
        let id = script::tenant(tenant);
        let head = ledger.head(id)?;
        heads[tenant] = head.sequence.0;
        if head.sequence.0 > acknowledged + must.more {
            return Ok(Found::Wrong(format!("tenant {tenant} is at {}, {must:?}", head.sequence)));
        }
        let state = truth.after(tenant, head.sequence.0);
        if state.hash != head.hash {
            return Ok(Found::Wrong(format!("tenant {tenant} has another commit {}", head.sequence)));
        }
        if truth::answers(ledger, tenant)? != state.answers {
            wrong = Some(format!("tenant {tenant} answers otherwise at commit {}", head.sequence));
        }
        let from = if must.verify { 1 } else { head.sequence.0.saturating_sub(TAIL).max(1) };
        let mut last = None;
        for entry in ledger.store().journal(id, Sequence(from), usize::MAX)? {
            if entry.hash != truth.after(tenant, entry.sequence.0).hash {
                wrong = Some(format!("tenant {tenant} has another commit {}", entry.sequence));
            }
            last = Some(entry.hash);
        }
        if last.unwrap_or(Hash::default()) != head.hash {
            wrong = Some(format!("tenant {tenant} has a head that is not its newest commit's"));
        }
    }
    if heads.iter().zip(&must.acknowledged).any(|(found, acknowledged)| found < acknowledged) {
        return Ok(Found::Lost(format!("{:?} acknowledged, {heads:?} found", must.acknowledged)));
    }
    let (found, acknowledged): (u64, u64) = (heads.iter().sum(), must.acknowledged.iter().sum());
    if found > acknowledged + must.more {
        wrong = Some(format!("{:?} acknowledged, {heads:?} found", must.acknowledged));
    }
    Ok(wrong.map_or(Found::Whole(heads), Found::Wrong))
}

/// How many of the newest commits are read every time.
const TAIL: u64 = 12;
