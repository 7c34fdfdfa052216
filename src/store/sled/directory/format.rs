//! The file that makes a directory a ledger: which format it has, and whether it is encrypted.

use std::fs;
use std::io;
use std::path::Path;

use super::files::{io_error, replace};
use super::names::{CIPHER, CIPHER_COPY, ENCRYPTED, ENGINE, FORMAT_FILE};
use crate::store::StoreError;

/// The newest format that this release reads, and the one it writes.
///
/// | format | brought |
/// | --- | --- |
/// | 1 | the first |
/// | 2 | each fact of a commit is hashed by itself, and what format 1 wrote stays as it is; the Merkle log over the commits, which a ledger of format 1 is given when it is opened, or before its next commit |
pub const FORMAT: u32 = 2;

/// Says in the format file whether the engine is encrypted, where a switch of engines has changed that.
pub(in crate::store::sled) fn say_encrypted(path: &Path) -> Result<(), StoreError> {
    match read_said(path)? {
        Some(said) if said.is_encrypted != has_cipher(path) => write_format(path, said.format),
        _ => Ok(()),
    }
}

fn has_cipher(path: &Path) -> bool {
    [CIPHER, CIPHER_COPY].into_iter().any(|name| path.join(ENGINE).join(name).exists())
}

pub(super) fn write_format(path: &Path, format: u32) -> Result<(), StoreError> {
    // A release that knows nothing of encryption refuses this one.
    let word = if has_cipher(path) { ENCRYPTED } else { "" };
    replace(path, FORMAT_FILE, format!("{format}{word}\n").as_bytes(), true)
}

/// What a format file says.
pub(super) struct Said {
    pub(super) format: u32,
    pub(super) is_encrypted: bool,
}

pub(super) fn read_format(path: &Path) -> Result<Option<u32>, StoreError> {
    Ok(read_said(path)?.map(|said| said.format))
}

pub(super) fn read_said(path: &Path) -> Result<Option<Said>, StoreError> {
    let text = match fs::read(path.join(FORMAT_FILE)) {
        Ok(text) => String::from_utf8_lossy(&text).into_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_error(path, "read the format file", error)),
    };
    let shown = path.display().to_string();
    let (number, is_encrypted) = match text.trim().strip_suffix(ENCRYPTED) {
        Some(number) => (number, true),
        None => (text.trim(), false),
    };
    let Ok(found) = number.parse::<u32>() else {
        return Err(StoreError::NotALedger { path: shown, why: "its format file holds no version number".to_owned() });
    };
    if found == 0 {
        return Err(StoreError::NotALedger {
            path: shown,
            why: "its format file names a version that never was".to_owned(),
        });
    }
    if found > FORMAT {
        return Err(StoreError::NewerFormat { path: shown, found, known: FORMAT });
    }
    Ok(Some(Said { format: found, is_encrypted }))
}
