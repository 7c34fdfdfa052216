//! The data key in an engine's folder, wrapped by the operator's key.
//!
//! It is the file `cipher`, three lines of text: `whowas cipher 1 KEY-ID`, then nonce and wrapped key in hexadecimal digits, then
//! the beginning of the SHA-256 of both lines, which tells a damaged file from a wrong key. It stands in the engine's own folder,
//! so that wherever an engine is moved its key goes along, and a switch of engines is a switch of keys. As nothing can be read
//! without it, it stands there twice; `cipher` counts, and `cipher.copy` steps in where that is damaged or gone.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{KeyId, LedgerKey, NONCE_BYTES, digest, keyed};
use crate::store::StoreError;
use crate::store::sled::directory::{CIPHER, CIPHER_COPY, io_error, sync_directory};

/// A data key that only the operator's key opens.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::store::sled) struct Wrapped {
    pub(super) id: KeyId,
    sealed: Vec<u8>,
}

impl Wrapped {
    pub(super) fn of(key: &LedgerKey, data_key: &[u8; 32]) -> Self {
        let (id, cipher) = (key.id(), cipher(key));
        let nonce = digest(&keyed(&key.bytes), &[b"whowas wrap nonce", data_key]);
        let nonce = nonce.first_chunk::<NONCE_BYTES>().copied().unwrap_or_default();
        // So few bytes always can be.
        let sealed = cipher.encrypt(&XNonce::from(nonce), Payload { msg: data_key, aad: head(id).as_bytes() });
        Self { id, sealed: [nonce.as_slice(), &sealed.unwrap_or_default()].concat() }
    }

    /// The same data key for another key of the operator's.
    pub(in crate::store::sled) fn for_key(
        &self,
        engine: &Path,
        old: &LedgerKey,
        new: &LedgerKey,
    ) -> Result<Self, StoreError> {
        Ok(Self::of(new, &*self.open(engine, old)?))
    }

    pub(super) fn open(&self, engine: &Path, key: &LedgerKey) -> Result<Zeroizing<[u8; 32]>, StoreError> {
        let head = head(self.id);
        let opened = self.sealed.split_first_chunk::<NONCE_BYTES>().and_then(|(nonce, sealed)| {
            let payload = Payload { msg: sealed, aad: head.as_bytes() };
            let text = Zeroizing::new(cipher(key).decrypt(&XNonce::from(*nonce), payload).ok()?);
            text.first_chunk::<32>().filter(|_| text.len() == 32).map(|data_key| Zeroizing::new(*data_key))
        });
        opened.ok_or_else(|| broken(engine, "it does not open with the key that it names"))
    }

    /// What stands in an engine's folder; `None` if there is none, and its records are as they are.
    pub(in crate::store::sled) fn read(engine: &Path) -> Result<Option<Self>, StoreError> {
        match Self::read_file(engine, CIPHER) {
            Ok(Some(wrapped)) => Ok(Some(wrapped)),
            first => match Self::read_file(engine, CIPHER_COPY) {
                Ok(Some(copy)) => Ok(Some(copy)),
                _ => first,
            },
        }
    }

    fn read_file(engine: &Path, name: &str) -> Result<Option<Self>, StoreError> {
        let text = match fs::read(engine.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => text.map_err(|error| io_error(engine, "read the wrapped key", error))?,
        };
        let text = String::from_utf8_lossy(&text);
        match text.strip_prefix(BEGINNING).and_then(|rest| rest.split_once(' ')) {
            Some((VERSION, _)) => {}
            Some((version, _)) if version.parse::<u32>().is_ok() => {
                let why = format!("its version is {version}, and this release reads {VERSION}; upgrade whowas");
                return Err(broken(engine, &why));
            }
            _ => return Err(broken(engine, "it is none")),
        }
        Self::parse(&text).map(Some).ok_or_else(|| broken(engine, "its bytes are damaged"))
    }

    /// Writes it into an engine's folder, whole or not at all, and makes the folder if need be. The file that counts comes last:
    /// whatever fails before that, the key that opened the ledger opens it still, and the next opening puts the copy back.
    pub(in crate::store::sled) fn write(&self, engine: &Path) -> Result<(), StoreError> {
        let failed = |error| io_error(engine, "write the wrapped key", error);
        fs::create_dir_all(engine).map_err(failed)?;
        for name in [CIPHER_COPY, CIPHER] {
            let new = engine.join(format!("{name}.new"));
            let mut file = File::create(&new).map_err(failed)?;
            file.write_all(self.text().as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
            fs::rename(&new, engine.join(name)).map_err(failed)?;
            sync_directory(engine)?;
        }
        Ok(())
    }

    /// Puts both files in order if one of them is not as it should be.
    pub(in crate::store::sled) fn mend(&self, engine: &Path) -> Result<(), StoreError> {
        let is_sound = |name| fs::read(engine.join(name)).is_ok_and(|bytes| bytes == self.text().as_bytes());
        if [CIPHER, CIPHER_COPY].into_iter().all(is_sound) { Ok(()) } else { self.write(engine) }
    }

    fn text(&self) -> String {
        let lines = format!("{}\n{}\n", head(self.id), HEXLOWER.encode(&self.sealed));
        let sum: [u8; 32] = Sha256::digest(lines.as_bytes()).into();
        format!("{lines}{}\n", HEXLOWER.encode(sum.split_at(SUM_BYTES).0))
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let id = HEXLOWER.decode(lines.next()?.rsplit_once(' ')?.1.as_bytes()).ok()?;
        let wrapped = Self { id: KeyId(id.try_into().ok()?), sealed: HEXLOWER.decode(lines.next()?.as_bytes()).ok()? };
        (wrapped.text() == text).then_some(wrapped)
    }
}

/// Removes what a creation left that was interrupted.
pub(in crate::store::sled) fn remove(engine: &Path) -> Result<(), StoreError> {
    for name in [CIPHER, CIPHER_COPY] {
        match fs::remove_file(engine.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(io_error(engine, "remove the wrapped key", error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// An encrypted engine has none.
pub(in crate::store::sled) fn missing(engine: &Path) -> StoreError {
    broken(engine, "it is missing")
}

const BEGINNING: &str = "whowas cipher ";
const VERSION: &str = "1";
const SUM_BYTES: usize = 8;

fn head(id: KeyId) -> String {
    format!("{BEGINNING}{VERSION} {id}")
}

fn cipher(key: &LedgerKey) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new((&*Zeroizing::new(digest(&keyed(&key.bytes), &[b"whowas wrap"]))).into())
}

fn broken(engine: &Path, why: &str) -> StoreError {
    StoreError::WrappedKey { path: engine.join(CIPHER).display().to_string(), why: why.to_owned() }
}
