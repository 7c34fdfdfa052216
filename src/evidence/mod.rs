//! Evidence that is checked without the ledger: signed checkpoints of a tenant's log, and proofs as small text files.
//!
//! `docs/EVIDENCE.md` writes the formats down so that a stranger can check them; `tests/evidence/verify.py` is such a
//! stranger. Nothing here reads a ledger, a clock or a network: what is checked is what stands in the texts.

pub mod checkpoint;
pub mod cut;
pub mod derive;
pub mod key;
pub mod proof;
pub mod verify;
