//! Looking at a ledger without changing anything in its directory, for whoever looks for a fault.
//!
//! Opening the engine writes: it recovers, and leaves a snapshot of its own. So a copy is opened, and the ledger itself is
//! only kept from being written while it is copied.

use std::path::Path;
use std::sync::Arc;

use super::directory::{Quiet, io_error};
use super::{FREE_BYTES_MIN, LedgerKey, LedgerStore, SledOptions, SledStore};
use crate::domain::erase::{names_said, stands_for};
use crate::domain::id::{ObjectId, Sequence, TenantId};
use crate::domain::time::Instant;
use crate::store::{ErasureKey, StoreError, Veil};

/// What a directory holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inspection {
    /// No ledger yet.
    Nothing,
    /// A ledger that opens, whose newest commits are whole.
    Whole {
        /// Its size in bytes.
        bytes: u64,
        /// Its tenants, each with its newest commit.
        tenants: Vec<(TenantId, Sequence)>,
        /// Objects whose names were erased and that have one again that can be read, because something was kept under it before.
        readable: Vec<ObjectId>,
    },
    /// A ledger that is too large to be copied, so its commits were not looked at.
    TooLarge {
        /// Its size in bytes.
        bytes: u64,
    },
}

/// The keys that a ledger may need, as far as they are there.
#[derive(Clone, Default)]
pub struct InspectionKeys {
    /// That of an encrypted ledger.
    pub ledger: Option<LedgerKey>,
    /// That of a ledger from which names were erased.
    pub erasure: Option<ErasureKey>,
}

/// The largest ledger that is copied, in bytes. While it is copied nobody can write to it.
const COPY_BYTES_MAX: u64 = 512 << 20;
/// How much the engine may keep in memory while the copy is looked at.
const CACHE_BYTES: u64 = 16 << 20;

/// Looks at the ledger in `path` by way of a copy in `workspace`, an empty directory. The errors are those of opening it, with
/// the copy's path in place of its own where the copy is what failed.
pub fn inspect(path: &Path, workspace: &Path, now: Instant, keys: InspectionKeys) -> Result<Inspection, StoreError> {
    let Some(quiet) = Quiet::keep(path)? else { return Ok(Inspection::Nothing) };
    if quiet.is_restoring() {
        return Err(StoreError::HalfRestored { path: path.display().to_string() });
    }
    if quiet.is_rebuilding() {
        return Err(StoreError::NeedsRebuild { path: path.display().to_string() });
    }
    let bytes = quiet.bytes()?;
    let free = fs4::available_space(workspace).map_err(|error| io_error(workspace, "measure the space", error))?;
    if bytes > COPY_BYTES_MAX || bytes.saturating_add(FREE_BYTES_MIN) > free {
        return Ok(Inspection::TooLarge { bytes });
    }
    quiet.copy_to(workspace)?;
    drop(quiet);
    let options =
        SledOptions { cache_capacity_bytes: CACHE_BYTES, key: keys.ledger, ..SledOptions::new("doctor", now) };
    let store = Arc::new(SledStore::open(workspace, options)?);
    if store.has_other_rules() {
        return Err(StoreError::OtherRules { path: path.display().to_string() });
    }
    let veil = Veil::new(store.clone(), keys.erasure);
    let (mut tenants, mut readable) = (Vec::new(), Vec::new());
    for tenant in store.tenants()? {
        let head = store.head(tenant)?;
        let newest = Sequence(head.sequence.0.saturating_sub(1).max(1));
        // Reading a commit checks its hash, and the head must be that of the last one.
        let entries = store.journal(tenant, newest, 2)?;
        if entries.last().map(|entry| (entry.sequence, entry.hash)) != Some((head.sequence, head.hash)) {
            return Err(StoreError::Damaged {
                what: format!("commit {} of tenant {tenant}", head.sequence),
                why: "it is not the one that the head names".to_owned(),
            });
        }
        // Without the key by which erased names are recognised nothing of the tenant is answered.
        for object in veil.erasure(tenant)?.iter().flat_map(|erasure| erasure.objects()) {
            let facts = veil.object(tenant, object)?;
            let mut said = facts.iter().flat_map(|known| names_said(&known.fact));
            readable.extend(said.any(|name| stands_for(name.spelling()).is_none()).then_some(object));
        }
        tenants.push((tenant, head.sequence));
    }
    Ok(Inspection::Whole { bytes, tenants, readable })
}
