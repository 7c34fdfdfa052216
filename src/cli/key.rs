//! The key of an encrypted ledger: where it is found, and how it is written.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use data_encoding::HEXLOWER_PERMISSIVE;
use zeroize::Zeroizing;

use super::error::CliError;
use super::open::App;
use crate::store::sled::LedgerKey;

/// The variable that holds the key itself.
const VARIABLE: &str = "WHOWAS_LEDGER_KEY";
/// Longest text that is taken for a key, in bytes.
const BYTES_MAX: u64 = 4096;

impl App {
    /// The ledger's key, if one is given.
    ///
    /// # Errors
    /// If what is given is no key, or cannot be read.
    pub fn ledger_key(&self) -> Result<Option<LedgerKey>, CliError> {
        if let Some(file) = self.key_file() {
            return self.key_in(&file).map(Some);
        }
        let Some(text) = std::env::var_os(VARIABLE) else { return Ok(None) };
        let text = Zeroizing::new(text.to_string_lossy().into_owned());
        self.key_of(&text, VARIABLE).map(Some)
    }

    /// The file that the key is read from: the one that is asked for, or else, unless the variable has the key, the configured one.
    pub fn key_file(&self) -> Option<PathBuf> {
        let configured = || {
            let file = self.config.ledger.key_file.as_ref().filter(|_| std::env::var_os(VARIABLE).is_none())?;
            let base = self.config.file.as_deref().and_then(Path::parent);
            Some(base.map_or_else(|| file.clone(), |base| base.join(file)))
        };
        self.global.key_file.clone().or_else(configured)
    }

    /// The key in a file.
    pub fn key_in(&self, file: &PathBuf) -> Result<LedgerKey, CliError> {
        let shown = format!("the key file {}", file.display());
        let failed = |error: std::io::Error| CliError::usage(format!("{shown} cannot be read: {error}"));
        if fs::metadata(file).map_err(failed)?.len() > BYTES_MAX {
            return Err(no_key(&shown));
        }
        let text = Zeroizing::new(fs::read(file).map_err(failed)?);
        let text = std::str::from_utf8(&text).map_err(|_| no_key(&shown))?;
        self.key_of(text, &shown)
    }

    fn key_of(&self, text: &str, place: &str) -> Result<LedgerKey, CliError> {
        let bytes = parse(text.trim()).ok_or_else(|| no_key(place))?;
        let fresh = Zeroizing::new(self.clock.secret().map_err(CliError::io("get random bytes for a data key"))?);
        Ok(LedgerKey::new(*bytes, *fresh))
    }
}

/// Says what is wrong with a key file that other users of the machine can read or change.
pub fn exposure(file: &Path) -> Option<String> {
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(file).ok()?.permissions());
        (mode & 0o077 != 0).then(|| {
            let (shown, mode) = (file.display(), mode & 0o777);
            format!("the key file {shown} has mode {mode:o}, so others can read or change it; `chmod 600` it")
        })
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        None
    }
}

fn no_key(place: &str) -> CliError {
    CliError::usage(format!(
        "{place} holds no key: it has to be 32 random bytes as 64 hexadecimal digits or in base64, as `openssl rand -hex 32` \
         makes them"
    ))
}

fn parse(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let mut key = Zeroizing::new([0; 32]);
    // In base64, 64 digits would be 48 bytes, so no text is both.
    let digits = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok().filter(|bytes| bytes.len() == 32);
    let in_base64 = || STANDARD.decode(text).or_else(|_| STANDARD_NO_PAD.decode(text)).ok();
    let bytes = Zeroizing::new(digits.or_else(in_base64)?);
    // Nobody's random bytes are all alike.
    key.copy_from_slice(bytes.first_chunk::<32>().filter(|_| bytes.len() == 32)?);
    Some(key)
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;

    use super::*;

    #[test]
    fn a_key_is_written_in_hexadecimal_digits_or_in_base64() {
        let bytes: [u8; 32] = std::array::from_fn(|nth| nth as u8 * 7);
        let hex = HEXLOWER.encode(&bytes);
        for text in [hex.clone(), hex.to_uppercase(), STANDARD.encode(bytes), STANDARD_NO_PAD.encode(bytes)] {
            assert_eq!(*parse(&text).unwrap(), bytes, "{text}");
        }
        for text in ["", "abc", &hex[1..], &STANDARD.encode([7; 31]), &STANDARD.encode([7; 33]), "pass phrase"] {
            assert!(parse(text).is_none(), "{text}");
        }
    }
}
