//! Making checkpoints and proofs.

use super::{CheckpointAnswer, ProofAnswer};
use crate::domain::id::{ChainId, Sequence, SnapshotId, TenantId};
use crate::evidence::checkpoint::Checkpoint;
use crate::evidence::key::{self, NoKey};
use crate::evidence::proof::{Older, Proof};
use crate::keyring::{Keyring, KeyringError};
use crate::ledger::{LedgerError, TreeHead};
use crate::service::Desk;

/// Why there is no evidence.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The key's file.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// The key itself.
    #[error("use the key of tenant {tenant}'s checkpoints: {why}")]
    Key {
        /// Whose.
        tenant: TenantId,
        /// What is wrong with it.
        why: NoKey,
    },
    /// It could not be signed.
    #[error("sign a checkpoint of tenant {tenant}: {why}")]
    Unsigned {
        /// Whose.
        tenant: TenantId,
        /// Why not.
        why: String,
    },
    /// A fact cannot be shown.
    #[error("show the facts of commit {commit}: {why}")]
    Hidden {
        /// The commit.
        commit: Sequence,
        /// Why not.
        why: String,
    },
    /// A proof that was made does not hold.
    #[error(
        "prove whose data snapshot {snapshot} of chain {chain} holds: {why}; `whowas verify` looks at the whole ledger"
    )]
    Unprovable {
        /// The chain.
        chain: ChainId,
        /// The snapshot.
        snapshot: SnapshotId,
        /// What does not hold.
        why: String,
    },
    /// There is nothing to sign.
    #[error("sign a checkpoint of tenant {tenant}: there is no commit yet; `whowas sync` makes the first")]
    Empty {
        /// Whose.
        tenant: TenantId,
    },
}

/// Where the log stands, or stood after a commit. The key is made if there is none yet.
///
/// # Errors
/// If there is no such commit, or the ledger or the key cannot be read.
pub fn checkpoint(desk: &Desk, keys: &Keyring, at: Option<Sequence>) -> Result<CheckpointAnswer, EvidenceError> {
    let tenant = desk.tenant;
    let stand = desk.ledger.tree_head(tenant, at)?;
    let TreeHead { sequence, root, hash, recorded } = stand;
    let size = sequence;
    let signed = recorded.map(|_| sign(tenant, keys, stand)).transpose()?;
    let (note, key) = signed.map(|Signed { note, key }| (note, key)).unzip();
    Ok(CheckpointAnswer { tenant, sequence, hash, recorded, size, root, note, key })
}

/// That the log continues what it was after an older commit.
///
/// # Errors
/// If there is no such commit, or the ledger or the key cannot be read.
pub fn prove_consistency(
    desk: &Desk,
    keys: &Keyring,
    older: Sequence,
    at: Option<Sequence>,
) -> Result<ProofAnswer, EvidenceError> {
    let newest = match at {
        Some(at) => at,
        None => desk.ledger.head(desk.tenant)?.sequence,
    };
    let Signed { note, key } = signed(desk, keys, newest)?;
    let older = Some(older_part(desk, keys, older, newest)?);
    let proof = Proof { key, checkpoint: note, older, snapshot: None }.text();
    Ok(ProofAnswer { tenant: desk.tenant, sequence: newest, proof })
}

/// An older checkpoint, and what shows that a newer one continues it.
pub(super) fn older_part(
    desk: &Desk,
    keys: &Keyring,
    older: Sequence,
    newer: Sequence,
) -> Result<Older, EvidenceError> {
    let path = desk.ledger.prove_consistency(desk.tenant, older, newer)?;
    Ok(Older { checkpoint: signed(desk, keys, older)?.note, path })
}

/// A signed checkpoint, and the key that verifies it.
pub(super) struct Signed {
    pub note: String,
    pub key: String,
}

/// Signs the checkpoint of a commit. The key is made if there is none yet.
pub(super) fn signed(desk: &Desk, keys: &Keyring, at: Sequence) -> Result<Signed, EvidenceError> {
    sign(desk.tenant, keys, desk.ledger.tree_head(desk.tenant, Some(at))?)
}

fn sign(tenant: TenantId, keys: &Keyring, stand: TreeHead) -> Result<Signed, EvidenceError> {
    let recorded = stand.recorded.ok_or(EvidenceError::Empty { tenant })?;
    let checkpoint = Checkpoint { tenant, size: stand.sequence, root: stand.root, commit: stand.hash, recorded };
    let no_key = |why| EvidenceError::Key { tenant, why };
    let name = format!("checkpoint-{tenant}");
    let is_new = keys.read(&name)?.is_none();
    let text = keys.text(&name, |secret| key::signer_text(&key::origin(tenant), secret))?;
    if is_new {
        tracing::warn!(
            %tenant,
            "there was no key to sign this tenant's checkpoints, so one was made: keep a copy of the ledger's keys apart from it, and if auditors \
             hold checkpoints already, put the key back that signed those"
        );
    }
    let signer = key::signer(tenant, &text).map_err(no_key)?;
    let key = key::verifier_text(&text).map_err(no_key)?;
    keys.publish(&name, &key)?;
    let note = checkpoint.sign(&signer);
    let note = note.map_err(|error| EvidenceError::Unsigned { tenant, why: error.to_string() })?;
    Ok(Signed { note, key })
}
