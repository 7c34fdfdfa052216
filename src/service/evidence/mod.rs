//! What auditors hold a ledger to: signed checkpoints of its log, and proofs that are checked without it.

#[cfg(feature = "evidence")]
mod make;
#[cfg(feature = "evidence")]
mod snapshot;

use serde::{Deserialize, Serialize};

use crate::domain::id::{Sequence, TenantId};
use crate::domain::time::Instant;
use crate::store::Hash;

#[cfg(feature = "evidence")]
pub use make::{EvidenceError, checkpoint, prove_consistency};
#[cfg(feature = "evidence")]
pub use snapshot::prove_snapshot;

/// A proof that is checked without the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct ProofAnswer {
    /// The tenant.
    pub tenant: TenantId,
    /// The commit whose checkpoint everything in it is traced to.
    pub sequence: Sequence,
    /// The proof, as `docs/EVIDENCE.md` writes it down. `whowas verify-proof` checks it.
    pub proof: String,
}

/// Where a tenant's log stands. Whoever keeps it notices a history that was written anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct CheckpointAnswer {
    /// The tenant.
    pub tenant: TenantId,
    /// The newest commit, or the one asked for.
    pub sequence: Sequence,
    /// Its hash, which follows from all before it.
    pub hash: Hash,
    /// When it was recorded.
    pub recorded: Option<Instant>,
    /// How many commits the log has.
    #[serde(default)]
    pub size: Sequence,
    /// The root of the Merkle tree over them.
    #[serde(default)]
    pub root: Hash,
    /// The signed checkpoint, as C2SP's tlog-checkpoint has it; `null` if there is no commit yet.
    #[serde(default)]
    pub note: Option<String>,
    /// The key that verifies it. Take it from somewhere else too, or it proves little.
    #[serde(default)]
    pub key: Option<String>,
}
