//! The whole journal as one file of JSON lines, and a ledger brought back from it with the same hashes. `docs/EXPORT.md` tells
//! the format so that a stranger can read and check it.

mod line;
mod read;
mod restore;
mod resume;
mod write;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::domain::id::{Sequence, TenantId};
use crate::ledger::LedgerError;
use crate::store::Hash;

pub use line::{BEGINNING, FORMAT};
pub use read::Fault;
pub use restore::{Restored, restore};
pub use resume::{Begun, look};
pub use write::{Exported, export};

/// How far a file, or a ledger, is with one tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Newest {
    pub(crate) sequence: Sequence,
    pub(crate) hash: Hash,
}

/// What an export has of a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct TenantPart {
    /// Whose.
    pub tenant: TenantId,
    /// How many commits: all of them from the first on.
    pub commits: u64,
    /// The hash of the last one, which stands for all before it.
    pub hash: Hash,
}

/// The tenants of a file, each with its last commit.
pub(crate) type Parts = BTreeMap<TenantId, Newest>;

/// Why an export or a restore could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The file could not be read or written.
    #[error("{step}")]
    Io {
        /// What was being done.
        step: &'static str,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// A line of the file is not what an export has there.
    #[error("{0}")]
    Fault(Fault),
    /// The file and the ledger do not belong together.
    #[error("{0}")]
    Foreign(String),
    /// The tenant asked for has nothing to export.
    #[error("export tenant {0}: the ledger has no commit of it; `whowas status` shows its tenants")]
    NoTenant(TenantId),
}

pub(crate) fn parts(newest: &Parts) -> Vec<TenantPart> {
    newest
        .iter()
        .map(|(tenant, last)| TenantPart { tenant: *tenant, commits: last.sequence.0, hash: last.hash })
        .collect()
}
