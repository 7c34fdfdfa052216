//! What stands beside the engine of the commits that were acknowledged, against which the engine's own recovery is checked.

use sha2::{Digest, Sha256};

use crate::domain::id::{Sequence, TenantId};
use crate::store::Hash;

/// What is noted beside the engine of the acknowledged commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store::sled) struct Note {
    /// How many there were at least, of all tenants.
    pub(in crate::store::sled) count: u64,
    /// One of them, mostly the newest; older releases noted none.
    pub(in crate::store::sled) newest: Option<Noted>,
}

/// A commit that was acknowledged. With its hash an engine of another ledger, or of another course of this one, is told from
/// ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store::sled) struct Noted {
    pub(in crate::store::sled) tenant: TenantId,
    pub(in crate::store::sled) sequence: Sequence,
    pub(in crate::store::sled) hash: Hash,
    /// The hash of the tenant's first commit: where the one noted is gone, it still tells whether the rest is ours.
    pub(in crate::store::sled) first: Option<Hash>,
}

impl Note {
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = (u128::from(self.count) << 64 | u128::from(!self.count)).to_be_bytes().to_vec();
        if let Some(Noted { tenant, sequence, hash, first }) = &self.newest {
            bytes.extend_from_slice(tenant.as_bytes());
            bytes.extend_from_slice(&sequence.0.to_be_bytes());
            bytes.extend_from_slice(&hash.0);
            bytes.extend(first.iter().flat_map(|first| first.0));
            let sum: [u8; 32] = Sha256::digest(&bytes).into();
            bytes.extend_from_slice(sum.split_at(NOTE_SUM_BYTES).0);
        }
        bytes
    }

    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (number, rest) = bytes.split_first_chunk::<16>()?;
        let number = u128::from_be_bytes(*number);
        let count = u64::try_from(number >> 64).ok()?;
        if u64::try_from(number & u128::from(u64::MAX)).ok()? != !count {
            return None;
        }
        if rest.is_empty() {
            return Some(Self { count, newest: None });
        }
        let (tenant, rest) = rest.split_first_chunk::<16>()?;
        let (sequence, rest) = rest.split_first_chunk::<8>()?;
        let (hash, rest) = rest.split_first_chunk::<32>()?;
        let newest = Noted {
            tenant: TenantId::from_bytes(*tenant),
            sequence: Sequence(u64::from_be_bytes(*sequence)),
            hash: Hash(*hash),
            first: rest.split_first_chunk::<32>().map(|(first, _)| Hash(*first)),
        };
        let note = Self { count, newest: Some(newest) };
        (note.bytes() == bytes).then_some(note)
    }
}

const NOTE_SUM_BYTES: usize = 4;
