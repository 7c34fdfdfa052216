//! The hash of a commit, written so that a stranger can compute it again with any SHA-256.
//!
//! ```text
//! payload hash = SHA-256( salt[16] ‖ payload )
//! commit hash  = SHA-256( previous[32] ‖ version[1] ‖ tenant[16] ‖ sequence[8] ‖ recorded[8] ‖ payload hash[32] )
//! ```
//!
//! `version` is 1; `sequence` is unsigned and `recorded` is signed microseconds since 1970, both big-endian; `previous` is
//! the commit hash of the commit before, and 32 zero bytes for the first. `payload` are the bytes of the commit's facts,
//! cursor and run as `record/journal.rs` encodes them.
//!
//! The payload enters by its own salted hash, so a payload that must be forgotten can be removed together with its salt:
//! the chain stays verifiable, and what is left does not allow guessing at the names.

use sha2::{Digest, Sha256};

use super::Hash;
use crate::domain::id::{Sequence, TenantId};
use crate::domain::time::Instant;

/// The version of the header below.
pub const HEADER_VERSION: u8 = 1;

/// What a commit's hash covers besides its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The tenant.
    pub tenant: TenantId,
    /// The commit's number.
    pub sequence: Sequence,
    /// When it was recorded.
    pub recorded: Instant,
}

/// `H(salt ‖ payload)`.
pub fn payload_hash(salt: &[u8; 16], payload: &[u8]) -> Hash {
    Hash(Sha256::new().chain_update(salt).chain_update(payload).finalize().into())
}

/// `H(previous ‖ header ‖ payload hash)`.
pub fn commit_hash(previous: &Hash, header: &Header, payload: &Hash) -> Hash {
    let digest = Sha256::new()
        .chain_update(previous.0)
        .chain_update([HEADER_VERSION])
        .chain_update(header.tenant.as_bytes())
        .chain_update(header.sequence.0.to_be_bytes())
        .chain_update(header.recorded.as_micros().to_be_bytes())
        .chain_update(payload.0)
        .finalize();
    Hash(digest.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed outside of this program, with `xxd -r -p | sha256sum`.
    #[test]
    fn golden_hash_of_a_commit() {
        let payload = payload_hash(&[0xaa; 16], b"payload");
        assert_eq!(payload.to_string(), "f2dfad985a45d387b7b6bf5066d649027f6c01e4e91cce54f73467429b191439");
        let header = Header {
            tenant: TenantId::from_bytes([0x11; 16]),
            sequence: Sequence(7),
            recorded: Instant::from_micros(1_700_000_000_000_000),
        };
        let hash = commit_hash(&Hash([0x22; 32]), &header, &payload);
        assert_eq!(hash.to_string(), "f8ea4c24490a9d8d24e2cd1609d8c5dd2e5872b87cffed14a6e58947a4e92815");
    }
}
