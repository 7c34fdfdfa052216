//! The one place that calls bincode, so that another implementation of its layout can take over.
//!
//! A record is a version byte and the fields in bincode's standard layout (little-endian, variable-length integers), with
//! nothing after them. A *sealed* record, which is what everything derived is stored as, ends in a checksum of four
//! bytes: the first of `SHA-256(key ‖ version ‖ fields)`. SHA-256, because the journal's hashes need it anyway and it
//! costs under a microsecond; four bytes, because they guard against decay, not against a forger, whom the hash chain
//! stops. The key is hashed too, so that a sound value under the wrong key is found as well. bincode by itself notices
//! about one flipped bit in six.

use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use bincode::{Decode, Encode};
use sha2::{Digest, Sha256};

/// A stored structure of one version. When version 2 comes, `decode` is asked for the version found, and version 1
/// keeps its type and its golden test.
pub(crate) trait Record: Encode + Decode<()> {
    /// The byte that stands first.
    const VERSION: u8;
}

/// The record's bytes.
pub(crate) fn encode<R: Record>(record: &R) -> Result<Vec<u8>, RecordError> {
    let mut bytes = vec![R::VERSION];
    bincode::encode_into_std_write(record, &mut bytes, LAYOUT)
        .map_err(|error| RecordError::Encode(error.to_string()))?;
    Ok(bytes)
}

/// Reads a record that takes up all of the bytes.
pub(crate) fn decode<R: Record>(bytes: &[u8]) -> Result<R, RecordError> {
    let (version, fields) = bytes.split_first().ok_or(RecordError::Empty)?;
    if *version != R::VERSION {
        return Err(RecordError::Version { found: *version, known: R::VERSION });
    }
    let (record, read) =
        bincode::decode_from_slice(fields, LAYOUT).map_err(|error| RecordError::Fields(error.to_string()))?;
    match fields.len().saturating_sub(read) {
        0 => Ok(record),
        left => Err(RecordError::Trailing(left)),
    }
}

/// The record's bytes with the checksum that binds them to their key.
pub(crate) fn seal<R: Record>(key: &[u8], record: &R) -> Result<Vec<u8>, RecordError> {
    let mut bytes = encode(record)?;
    let sum = checksum(key, &bytes);
    bytes.extend_from_slice(&sum);
    Ok(bytes)
}

/// Reads a sealed record after checking that it is what was written under this key.
pub(crate) fn unseal<R: Record>(key: &[u8], bytes: &[u8]) -> Result<R, RecordError> {
    decode(check_seal(key, bytes)?)
}

/// The record in a sealed one, after checking that it is what was written under this key.
pub(crate) fn check_seal<'a>(key: &[u8], bytes: &'a [u8]) -> Result<&'a [u8], RecordError> {
    let (record, sum) = bytes.split_last_chunk::<CHECKSUM_BYTES>().ok_or(RecordError::Empty)?;
    if *sum == checksum(key, record) { Ok(record) } else { Err(RecordError::Checksum) }
}

/// Why bytes are no record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RecordError {
    #[error("it is empty")]
    Empty,
    #[error("its version is {found}, and this release reads {known}")]
    Version { found: u8, known: u8 },
    #[error("its fields cannot be read: {0}")]
    Fields(String),
    #[error("{0} bytes follow its end")]
    Trailing(usize),
    #[error("its checksum differs")]
    Checksum,
    // The text itself is left out: it may be somebody's name.
    #[error("a text in it is no {0}")]
    Text(&'static str),
    #[error("it cannot be encoded: {0}")]
    Encode(String),
}

/// What decoding may claim in memory. Far above what an accepted commit can need; see `PAYLOAD_BYTES_MAX`.
const DECODE_BYTES_MAX: usize = 1 << 29;
const LAYOUT: Configuration<LittleEndian, Varint, Limit<DECODE_BYTES_MAX>> =
    bincode::config::standard().with_limit::<DECODE_BYTES_MAX>();
/// How many bytes a seal has.
pub(crate) const CHECKSUM_BYTES: usize = 4;

fn checksum(key: &[u8], record: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let digest: [u8; 32] = Sha256::new().chain_update(key).chain_update(record).finalize().into();
    let [a, b, c, d, ..] = digest;
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Encode, Decode)]
    struct Pair(u64, String);

    impl Record for Pair {
        const VERSION: u8 = 1;
    }

    fn pair() -> Pair {
        Pair(300, "ann".into())
    }

    #[test]
    fn every_flipped_bit_of_a_sealed_record_is_noticed() {
        let sealed = seal(b"key", &pair()).unwrap();
        assert_eq!(unseal::<Pair>(b"key", &sealed), Ok(pair()));
        for bit in 0..sealed.len() * 8 {
            let mut damaged = sealed.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(unseal::<Pair>(b"key", &damaged), Err(RecordError::Checksum), "bit {bit}");
        }
    }

    #[test]
    fn a_sound_record_under_another_key_is_refused() {
        let sealed = seal(b"key", &pair()).unwrap();
        assert_eq!(unseal::<Pair>(b"kex", &sealed), Err(RecordError::Checksum));
    }

    #[test]
    fn other_versions_short_and_long_records_are_refused() {
        let bytes = encode(&pair()).unwrap();
        assert_eq!(decode::<Pair>(&[]), Err(RecordError::Empty));
        assert_eq!(decode::<Pair>(&[2]), Err(RecordError::Version { found: 2, known: 1 }));
        assert!(matches!(decode::<Pair>(&bytes[..bytes.len() - 1]), Err(RecordError::Fields(_))));
        let longer = [bytes.as_slice(), b"x"].concat();
        assert_eq!(decode::<Pair>(&longer), Err(RecordError::Trailing(1)));
    }

    #[test]
    fn a_length_beyond_the_limit_is_refused_before_anything_is_allocated() {
        let huge = [1, 0, 253, 0, 0, 0, 0, 0, 0, 0, 1];
        assert!(matches!(decode::<Pair>(&huge), Err(RecordError::Fields(_))));
    }
}
