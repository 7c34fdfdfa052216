//! No file makes `restore` panic. What it takes in is a sound ledger, and what is wrong has a line of the file.
//!
//! The file is taken as it is, and once more with the sums that its lines should have, so that what is behind them is reached too.

use sha2::{Digest, Sha256};
use whowas::ledger::Ledger;
use whowas::service::export::{ExportError, restore};
use whowas::store::memory::MemoryStore;

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    take(text);
    take(&sealed(text));
}

fn take(text: &str) {
    let ledger = Ledger::new(MemoryStore::new());
    let told = match restore(&ledger, text.as_bytes(), true, &mut |_| ()) {
        Ok(done) => done.damaged.map(|fault| fault.line),
        Err(ExportError::Fault(fault)) => Some(fault.line),
        Err(_) => None,
    };
    let lines = text.lines().count() as u64;
    assert!(told.is_none_or(|line| (1..=lines + 1).contains(&line)), "{told:?} of {lines}");
    let verified = ledger.verify(|_| ());
    assert!(verified.as_ref().is_ok_and(|found| found.differing == 0), "{verified:?}");
}

/// Every line with its sum (`docs/EXPORT.md`).
fn sealed(text: &str) -> String {
    let (mut sum, mut all) = ([0u8; 32], String::new());
    for line in text.lines() {
        let said = line.rfind(",\"sum\":\"").and_then(|end| line.get(..end)).unwrap_or(line);
        sum = Sha256::new().chain_update(sum).chain_update(said).finalize().into();
        let digits: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
        all.push_str(&format!("{said},\"sum\":\"{digits}\"}}\n"));
    }
    all
}
