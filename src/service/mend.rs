//! From a damaged ledger to one that holds what is still proved, with everything derived from that.

use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use crate::ledger::{Ledger, LedgerError, Restated, Stamp};
use crate::store::sled::{
    RepairHow, RepairOutcome, RepairReport, SledCopy, SledOptions, SledStore, is_half_restored, repair,
};
use crate::store::{ErasureKey, StoreError};

/// A ledger that is to be mended.
#[derive(Debug)]
pub struct Mend<'a> {
    /// Its directory.
    pub path: &'a Path,
    /// How it is opened.
    pub options: SledOptions,
    /// What may be done to it.
    pub how: RepairHow,
    /// The key by which erased names are recognised, if there is one.
    pub erasure_key: Option<ErasureKey>,
    /// The time and the randomness of the commit that names erasures anew, should one be needed.
    pub stamp: Stamp,
}

/// What is being done, and what is counted meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The engine's files are read: bytes.
    Read,
    /// What is derived is compared with what the journal gives: facts.
    Compare,
    /// Everything is derived anew: facts.
    Derive,
}

/// What was found, and what was done about it. [`Self::is_told`] is to be called when somebody has read it.
#[derive(Clone, Debug, Serialize)]
pub struct Mended {
    /// Of the journal.
    #[serde(flatten)]
    pub report: RepairReport,
    /// Of erasures whose record was lost.
    pub erasures: Restated,
    /// An export was being brought back into it. That is to go on.
    pub half_restored: bool,
    #[serde(skip)]
    store: Option<Arc<SledStore>>,
}

impl Mended {
    /// Somebody was told. Until then, what a repair came to is told by the next one as well.
    ///
    /// # Errors
    /// If the reports that were kept cannot be removed.
    pub fn is_told(&self) -> Result<(), StoreError> {
        self.store.as_ref().map_or(Ok(()), |store| store.repairs_are_told())
    }
}

/// Mends a ledger: brings back the commits that are proved, takes a new engine also where the old one can be read but is stale, derives
/// everything anew where that is needed, and names again what stands erased if the record of that was lost.
///
/// Where the commits that are brought back come from is the engine's own files. Another source, such as an export, would be a second way
/// into the same report.
///
/// # Errors
/// As [`repair`], and if the mended ledger cannot be opened or derived. It is then mended by another call.
pub fn mend(mend: &Mend<'_>, progress: &mut dyn FnMut(Step, u64)) -> Result<Mended, LedgerError> {
    let Mend { path, options, how, .. } = mend;
    let mut report = repair(path, options, *how, |bytes| progress(Step::Read, bytes))?;
    let compared = match report.outcome {
        RepairOutcome::Sound => compare(mend, progress)?,
        RepairOutcome::Repairable | RepairOutcome::Repaired => Compared::NotThere,
    };
    let sound = match compared {
        Compared::Same(opened) => Some(opened),
        Compared::NotThere => None,
        Compared::Stale => {
            report = repair(path, options, RepairHow { stale: true, ..*how }, |bytes| progress(Step::Read, bytes))?;
            None
        }
    };
    let half_restored = is_half_restored(path);
    if how.dry_run {
        return Ok(Mended { report, erasures: Restated::default(), half_restored, store: None });
    }
    let (store, erasures) = derive(mend, sound, progress)?;
    Ok(Mended { report, erasures, half_restored, store: Some(store) })
}

/// What a comparison of everything derived with the journal came to.
enum Compared {
    /// It is what the journal gives.
    Same(Opened),
    /// It is something else, although both can be read.
    Stale,
    /// It is to be derived anew anyway.
    NotThere,
}

struct Opened {
    store: Arc<SledStore>,
    ledger: Ledger,
    /// It is a copy, which is to go when the others are dropped.
    _copy: Option<SledCopy>,
}

fn open(mend: &Mend<'_>, rebuild: bool) -> Result<Opened, StoreError> {
    let restore = is_half_restored(mend.path);
    let options = SledOptions { create: false, rebuild, restore, ..mend.options.clone() };
    if mend.how.dry_run {
        // Opening writes, and may make the ledger one of a newer format.
        let copy = SledCopy::open(mend.path, &options)?;
        let (store, key) = (copy.store(), mend.erasure_key.clone());
        return Ok(Opened { ledger: Ledger::with_key(store.clone(), key), store, _copy: Some(copy) });
    }
    // Some short command may have come in between, or somebody who is just opening or closing it.
    let is_held = |error: &StoreError| matches!(error, StoreError::Held { .. } | StoreError::HeldBySomeone { .. });
    let store = Arc::new(SledStore::open_patiently(mend.path, &options, is_held)?);
    Ok(Opened { ledger: Ledger::with_key(store.clone(), mend.erasure_key.clone()), store, _copy: None })
}

fn compare(mend: &Mend<'_>, progress: &mut dyn FnMut(Step, u64)) -> Result<Compared, LedgerError> {
    let opened = match open(mend, false) {
        Err(StoreError::NeedsRebuild { .. }) => return Ok(Compared::NotThere),
        opened => opened?,
    };
    // What other rules gave is no fault of the engine's.
    if opened.store.has_other_rules() {
        return Ok(Compared::Same(opened));
    }
    // What an export says of erasures comes at its end, and until then it is derived as if there were none.
    if is_half_restored(mend.path) {
        return Ok(Compared::Same(opened));
    }
    match opened.ledger.verify(|facts| progress(Step::Compare, facts)) {
        Err(LedgerError::Store(StoreError::Damaged { .. })) => Ok(Compared::Stale),
        // What was erased and named by nobody is no matter of the engine's.
        Ok(report) if report.differing > report.unsound => Ok(Compared::Stale),
        Ok(_) => Ok(Compared::Same(opened)),
        Err(error) => Err(error),
    }
}

/// Derives everything anew if a repair asks for it, this one or one that was interrupted; and names again what was erased if the record
/// of that is among what was lost.
fn derive(
    mend: &Mend<'_>,
    sound: Option<Opened>,
    progress: &mut dyn FnMut(Step, u64),
) -> Result<(Arc<SledStore>, Restated), LedgerError> {
    let Opened { store, ledger, .. } = match sound {
        Some(opened) => opened,
        None => open(mend, true)?,
    };
    if store.must_be_derived() {
        ledger.rebuild(|facts| progress(Step::Derive, facts))?;
    }
    // The rest of an export would not follow on commits of our own.
    if is_half_restored(mend.path) {
        return Ok((store, Restated::default()));
    }
    let restated = ledger.restate_erasures(mend.erasure_key.as_ref(), mend.stamp)?;
    if restated.named {
        ledger.rebuild(|facts| progress(Step::Derive, facts))?;
    }
    Ok((store, restated))
}
