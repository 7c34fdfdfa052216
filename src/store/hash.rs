//! The hash of a commit, written so that a stranger can compute it again with any SHA-256.
//!
//! A commit says *items*: its facts in their order, and last what belongs to the sync (cursor and run log's entry). Version 2
//! of the header, which is written today, hashes each by itself, so that one fact of a commit can be shown, or forgotten,
//! without the rest of its page:
//!
//! ```text
//! salt of item i = the first 16 bytes of SHA-256( 0x02 ‖ salt[16] ‖ i[8] )
//! leaf i         = SHA-256( 0x00 ‖ salt of item i ‖ item i )
//! payload hash   = root of the Merkle tree over the leaves, as RFC 6962 section 2.1 has it: node = SHA-256( 0x01 ‖ left ‖ right )
//! commit hash    = SHA-256( previous[32] ‖ 2[1] ‖ tenant[16] ‖ sequence[8] ‖ recorded[8] ‖ items[4] ‖ payload hash[32] )
//! ```
//!
//! Version 1, which is read for ever, hashes the payload as a whole:
//!
//! ```text
//! payload hash = SHA-256( salt[16] ‖ payload )
//! commit hash  = SHA-256( previous[32] ‖ 1[1] ‖ tenant[16] ‖ sequence[8] ‖ recorded[8] ‖ payload hash[32] )
//! ```
//!
//! `i`, `sequence` and `items` (how many there are) are unsigned, `recorded` is signed microseconds since 1970, all big-endian;
//! `previous` is the commit hash of the commit before, and 32 zero bytes for the first. Items are the bytes that
//! `record/journal.rs` encodes.
//!
//! Each item enters with a salt of its own that tells nothing about the others, so what is left of a forgotten fact, or shown
//! beside another one, does not allow guessing at names.

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use sha2::{Digest, Sha256};

use crate::domain::id::{Sequence, TenantId};
use crate::domain::time::Instant;

/// SHA-256 of a commit, chained to the one before.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Hash(pub [u8; 32]);

/// How a commit is hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HeaderVersion {
    /// The payload as a whole.
    Whole,
    /// Each item by itself.
    Each {
        /// How many items there are.
        items: u32,
    },
}

/// What a commit's hash covers besides its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// How it is hashed.
    pub version: HeaderVersion,
    /// The tenant.
    pub tenant: TenantId,
    /// The commit's number.
    pub sequence: Sequence,
    /// When it was recorded.
    pub recorded: Instant,
}

/// The payload hash of version 1.
pub fn payload_hash(salt: &[u8; 16], payload: &[u8]) -> Hash {
    Hash(Sha256::new().chain_update(salt).chain_update(payload).finalize().into())
}

/// The salt of one item of a commit.
pub fn item_salt(salt: &[u8; 16], item: u64) -> [u8; 16] {
    derived_salt(SALT, salt, item)
}

/// A salt for another commit that is written with the same randomness. It does not tell what it was made of, so a commit of which
/// something is forgotten has no salt that another one still has.
pub fn another_salt(salt: &[u8; 16], number: u64) -> [u8; 16] {
    derived_salt(ANOTHER_SALT, salt, number)
}

fn derived_salt(what: u8, salt: &[u8; 16], number: u64) -> [u8; 16] {
    let digest = Sha256::new().chain_update([what]).chain_update(salt).chain_update(number.to_be_bytes()).finalize();
    let mut own = [0; 16];
    own.iter_mut().zip(digest).for_each(|(own, byte)| *own = byte);
    own
}

/// The leaf of one item, with its own salt.
pub fn item_leaf(salt: &[u8; 16], item: &[u8]) -> Hash {
    Hash(Sha256::new().chain_update([LEAF]).chain_update(salt).chain_update(item).finalize().into())
}

/// The root over the leaves of a commit's items, in their order: the payload hash of version 2.
pub fn items_root(leaves: &[Hash]) -> Hash {
    // Subtrees that are complete, the largest first, each with its height; equal ones are joined at once.
    let mut whole: Vec<(u32, Hash)> = Vec::new();
    for leaf in leaves {
        let mut joined = (0, *leaf);
        while let Some((height, left)) = whole.pop_if(|(height, _)| *height == joined.0) {
            joined = (height + 1, node(&left, &joined.1));
        }
        whole.push(joined);
    }
    let joined = whole.into_iter().rev().map(|(_, hash)| hash).reduce(|right, left| node(&left, &right));
    joined.unwrap_or_else(|| Hash(Sha256::new().finalize().into()))
}

/// The hash of a commit.
pub fn commit_hash(previous: &Hash, header: &Header, payload: &Hash) -> Hash {
    let (version, items) = match header.version {
        HeaderVersion::Whole => (1, None),
        HeaderVersion::Each { items } => (2, Some(items.to_be_bytes())),
    };
    let digest = Sha256::new()
        .chain_update(previous.0)
        .chain_update([version])
        .chain_update(header.tenant.as_bytes())
        .chain_update(header.sequence.0.to_be_bytes())
        .chain_update(header.recorded.as_micros().to_be_bytes())
        .chain_update(items.as_ref().map_or(&[][..], |items| items))
        .chain_update(payload.0)
        .finalize();
    Hash(digest.into())
}

const LEAF: u8 = 0;
const NODE: u8 = 1;
const SALT: u8 = 2;
const ANOTHER_SALT: u8 = 3;

fn node(left: &Hash, right: &Hash) -> Hash {
    Hash(Sha256::new().chain_update([NODE]).chain_update(left.0).chain_update(right.0).finalize().into())
}

impl std::fmt::Display for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", HEXLOWER.encode_display(&self.0))
    }
}

impl std::fmt::Debug for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Hash({self})")
    }
}

/// Text that is no hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no hash, which has 64 hexadecimal digits")]
pub struct NoHash;

impl std::str::FromStr for Hash {
    type Err = NoHash;

    fn from_str(text: &str) -> Result<Self, NoHash> {
        let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or(NoHash)
    }
}

impl<'de> serde::Deserialize<'de> for Hash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <String as serde::Deserialize>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl serde::Serialize for Hash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(version: HeaderVersion) -> Header {
        Header {
            version,
            tenant: TenantId::from_bytes([0x11; 16]),
            sequence: Sequence(7),
            recorded: Instant::from_micros(1_700_000_000_000_000),
        }
    }

    /// Computed outside of this program, with `xxd -r -p | sha256sum`.
    #[test]
    fn golden_hash_of_a_commit_of_version_1() {
        let payload = payload_hash(&[0xaa; 16], b"payload");
        assert_eq!(payload.to_string(), "f2dfad985a45d387b7b6bf5066d649027f6c01e4e91cce54f73467429b191439");
        let hash = commit_hash(&Hash([0x22; 32]), &header(HeaderVersion::Whole), &payload);
        assert_eq!(hash.to_string(), "f8ea4c24490a9d8d24e2cd1609d8c5dd2e5872b87cffed14a6e58947a4e92815");
    }

    /// Computed outside of this program, with Python's hashlib and the recursive definition of RFC 6962.
    #[test]
    fn golden_hash_of_a_commit_of_version_2() {
        let items: [&[u8]; 3] = [b"one", b"two", b"three"];
        let leaves: Vec<Hash> =
            (0..).zip(items).map(|(place, item)| item_leaf(&item_salt(&[0xaa; 16], place), item)).collect();
        let payload = items_root(&leaves);
        assert_eq!(payload.to_string(), "445c51f6d40e92ecb60e53ffcdfdc1195c77391f843cb076b535ded0602d64c5");
        let hash = commit_hash(&Hash([0x22; 32]), &header(HeaderVersion::Each { items: 3 }), &payload);
        assert_eq!(hash.to_string(), "2ba5353d3be3a0ff945ad9aa9f3399f7d7cc11760a45038404de55294b812776");
    }

    #[test]
    fn a_hash_is_read_as_it_is_written_and_from_nothing_else() {
        let hash = Hash([0x0f; 32]);
        let text = hash.to_string();
        assert_eq!(text, "0f".repeat(32));
        assert_eq!(text.parse(), Ok(hash));
        assert_eq!(text.to_uppercase().parse(), Ok(hash));
        // A sign is no digit, though a number may begin with one.
        for wrong in ["", "0f", &text[1..], &format!("{text}0f"), &text.replacen("0f", "+f", 1), &"\u{e9}".repeat(32)] {
            assert_eq!(wrong.parse::<Hash>(), Err(NoHash), "{wrong}");
        }
    }

    /// As RFC 6962 defines it: the left part is the largest power of two below the number of leaves.
    fn defined(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => Hash(Sha256::digest([]).into()),
            [leaf] => *leaf,
            _ => {
                let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
                node(&defined(left), &defined(right))
            }
        }
    }

    #[test]
    fn the_root_is_the_one_that_rfc_6962_defines() {
        let leaves: Vec<Hash> = (0..100).map(|byte| Hash([byte; 32])).collect();
        for count in 0..leaves.len() {
            assert_eq!(items_root(&leaves[..count]), defined(&leaves[..count]), "{count} leaves");
        }
    }
}
