//! Ids that look random and are the same in every run with the same seed.

use crate::domain::id::ObjectId;

/// A row of ids, fixed by its seed.
#[derive(Clone, Debug)]
pub(super) struct IdSource {
    seed: u64,
    next: u64,
}

impl IdSource {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, next: 0 }
    }

    pub(super) fn object(&mut self) -> ObjectId {
        ObjectId::from_bytes(self.bytes())
    }

    /// A GUID in its usual spelling, for correlation ids and the like.
    pub(super) fn guid(&mut self) -> String {
        self.object().to_string()
    }

    /// A number below `bound`, or zero if there is none.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next = self.next.wrapping_add(1);
        mix(self.seed, self.next).checked_rem(bound).unwrap_or(0)
    }

    fn bytes(&mut self) -> [u8; 16] {
        self.next = self.next.wrapping_add(1);
        let high = mix(self.seed, self.next);
        let low = mix(high, self.next);
        let bits = (u128::from(high) << 64) | u128::from(low);
        // The version and variant bits of a random (version 4) UUID, for readers that check them.
        let version = (bits & !(0xf << 76)) | (0x4 << 76);
        ((version & !(0x3 << 62)) | (0x2 << 62)).to_be_bytes()
    }
}

/// SplitMix64: a good spread of bits for little code. Nothing here needs to be hard to guess.
pub(super) fn mix(seed: u64, number: u64) -> u64 {
    let mut bits = seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}
