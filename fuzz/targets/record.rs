//! No bytes under any key make the store's reader panic or claim memory without bound. A record is taken as it is, and once
//! more with the checksum that it should have, so that what is behind the checksum is reached too.
//!
//! The first byte is the key's length.

use sha2::{Digest, Sha256};
use whowas::store::check_record;

pub fn run(data: &[u8]) {
    let Some((length, rest)) = data.split_first() else { return };
    let Some((key, value)) = rest.split_at_checked(usize::from(*length)) else { return };
    let _ = check_record(key, value);
    let sum = Sha256::new().chain_update(key).chain_update(value).finalize();
    let sealed: Vec<u8> = value.iter().chain(sum.iter().take(4)).copied().collect();
    let _ = check_record(key, &sealed);
}
