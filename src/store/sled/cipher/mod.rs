//! Encryption at rest: what the engine is given in the place of records.
//!
//! A value becomes a nonce (24 bytes) and its XChaCha20-Poly1305 text, with the key that it is stored under as associated
//! data, so that none can be put in another's place. The nonce is a keyed digest of both: nothing random is needed to write, and
//! the one thing this cipher does not forgive, a nonce used twice, comes only with the same record. What it shows is that a
//! record is what it once was.
//!
//! In a key each text, and each digest that a name could be guessed from, becomes the first sixteen bytes of a keyed digest of
//! the key up to there; the true key stands before the value. Whoever looks for one record, or for all under one text, finds
//! them as before; the order of texts is put back by `ordered.rs`.
//!
//! All of this is done under the *data key*, which stands in the engine's folder, wrapped by the key that the operator keeps
//! (`wrap.rs`).

mod wrap;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use data_encoding::HEXLOWER;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

pub(super) use self::wrap::{Wrapped, missing, remove as remove_wrapped};
use super::read::what;
use crate::store::StoreError;
use crate::store::key::{FIELDS_AT, Field, Key, fields};

/// The key that an operator keeps, and 32 random bytes that become the data key of what is encrypted anew with it.
#[derive(Clone)]
pub struct LedgerKey {
    bytes: Zeroizing<[u8; 32]>,
    fresh: Zeroizing<[u8; 32]>,
}

/// By what a key is told from another without being known.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyId([u8; 8]);

impl LedgerKey {
    /// A key, and as many fresh random bytes, which must not have been used before.
    pub fn new(bytes: [u8; 32], fresh: [u8; 32]) -> Self {
        Self { bytes: Zeroizing::new(bytes), fresh: Zeroizing::new(fresh) }
    }

    /// By what it is told from another.
    pub fn id(&self) -> KeyId {
        let [a, b, c, d, e, f, g, h, ..] = digest(&keyed(&self.bytes), &[b"whowas key id"]);
        KeyId([a, b, c, d, e, f, g, h])
    }
}

impl fmt::Debug for LedgerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LedgerKey({})", self.id())
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", HEXLOWER.encode_display(&self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

/// How an engine's records are encrypted.
pub(super) struct Cipher {
    wrapped: Wrapped,
    values: XChaCha20Poly1305,
    nonces: Hmac<Sha256>,
    texts: Hmac<Sha256>,
}

impl Cipher {
    /// A new one, whose data key is the fresh bytes of this key.
    pub(super) fn fresh(key: &LedgerKey) -> Self {
        Self::of(&key.fresh, Wrapped::of(key, &key.fresh))
    }

    fn of(data_key: &[u8; 32], wrapped: Wrapped) -> Self {
        let data_key = keyed(data_key);
        let part = |label: &[u8]| Zeroizing::new(digest(&data_key, &[label]));
        Self {
            wrapped,
            values: XChaCha20Poly1305::new((&*part(b"whowas values")).into()),
            nonces: keyed(&part(b"whowas nonces")),
            texts: keyed(&part(b"whowas texts")),
        }
    }

    /// What the operator's key is told by.
    pub(super) fn key_id(&self) -> KeyId {
        self.wrapped.id
    }

    /// Whether both encrypt alike.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        digest(&self.texts, &[]) == digest(&other.texts, &[])
    }

    /// Puts the wrapped data key into the folder of an engine that is to be made there.
    pub(super) fn place(&self, engine: &Path) -> Result<(), StoreError> {
        self.wrapped.write(engine)
    }

    /// Puts the files of the wrapped key in order.
    pub(super) fn mend(&self, engine: &Path) -> Result<(), StoreError> {
        self.wrapped.mend(engine)
    }

    /// The key under which a record is stored.
    pub(super) fn key(&self, plain: &[u8]) -> Vec<u8> {
        let mut stored = Vec::with_capacity(plain.len() + TOKEN_BYTES * 2);
        let mut at = FIELDS_AT.min(plain.len());
        stored.extend_from_slice(plain.get(..at).unwrap_or_default());
        for field in fields_of(plain) {
            // What is no whole key is no record's, and is only looked for.
            let Some(end) = field_end(plain, at, *field) else { break };
            match field {
                Field::Plain(_) => stored.extend_from_slice(plain.get(at..end).unwrap_or_default()),
                Field::Text | Field::Digest(_) => {
                    stored.extend_from_slice(&self.token(plain.get(..end).unwrap_or_default()));
                }
            }
            at = end;
        }
        stored.extend_from_slice(plain.get(at..).unwrap_or_default());
        stored
    }

    /// What stands in the place of the last field of this beginning of a key.
    pub(super) fn token(&self, plain: &[u8]) -> [u8; TOKEN_BYTES] {
        let whole = digest(&self.texts, &[plain]);
        let mut token = [0; TOKEN_BYTES];
        token.copy_from_slice(whole.split_at(TOKEN_BYTES).0);
        token
    }

    /// A record as it is stored.
    pub(super) fn seal(&self, plain: &[u8], value: &[u8]) -> Result<(Vec<u8>, Vec<u8>), StoreError> {
        let stored = self.key(plain);
        let mut text = Vec::with_capacity(plain.len() + value.len() + 2);
        if hides(plain) {
            let rest = plain.get(FIELDS_AT..).unwrap_or_default();
            text.extend_from_slice(&u16::try_from(rest.len()).unwrap_or(u16::MAX).to_be_bytes());
            text.extend_from_slice(rest);
        }
        text.extend_from_slice(value);
        let length = u64::try_from(stored.len()).unwrap_or(u64::MAX).to_be_bytes();
        let nonce = digest(&self.nonces, &[&length, &stored, &text]);
        let nonce = nonce.first_chunk::<NONCE_BYTES>().copied().unwrap_or_default();
        let sealed = self.values.encrypt(&XNonce::from(nonce), Payload { msg: &text, aad: &stored });
        let sealed = sealed.map_err(|_| StoreError::TooLarge {
            what: described(plain),
            bytes: value.len(),
            limit: super::engine::VALUE_BYTES_MAX,
        })?;
        Ok((stored, [nonce.as_slice(), &sealed].concat()))
    }

    /// The value of a record whose key is known.
    pub(super) fn value(&self, plain: &[u8], stored: &[u8], sealed: &[u8]) -> Result<Vec<u8>, StoreError> {
        match self.unseal(stored, sealed) {
            Some((found, value)) if found == plain => Ok(value),
            _ => Err(damaged(plain)),
        }
    }

    /// The true key and the value of a record.
    pub(super) fn open(&self, stored: &[u8], sealed: &[u8]) -> Result<(Vec<u8>, Vec<u8>), StoreError> {
        self.unseal(stored, sealed).ok_or_else(|| damaged(stored))
    }

    fn unseal(&self, stored: &[u8], sealed: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>()?;
        let text = self.values.decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: stored }).ok()?;
        if !hides(stored) {
            return Some((stored.to_vec(), text));
        }
        let (length, rest) = text.split_first_chunk::<2>()?;
        let (fields, value) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        Some(([stored.get(..FIELDS_AT)?, fields].concat(), value.to_vec()))
    }
}

/// The fields of a key, as its kind has them.
pub(super) fn fields_of(key: &[u8]) -> &'static [Field] {
    key.get(FIELDS_AT - 1).map_or(&[], |kind| fields(*kind))
}

/// Where a field of a true key ends that begins at a place; `None` if it is not whole.
pub(super) fn field_end(plain: &[u8], at: usize, field: Field) -> Option<usize> {
    let rest = plain.get(at..)?;
    let bytes = match field {
        Field::Plain(bytes) | Field::Digest(bytes) => bytes,
        Field::Text => rest.iter().position(|byte| *byte == 0)?.checked_add(1)?,
    };
    (bytes <= rest.len()).then_some(at + bytes)
}

/// Opens the data key in an engine's folder, if there is one.
pub(super) fn cipher_of(
    engine: &Path,
    ledger: &str,
    key: Option<&LedgerKey>,
) -> Result<Option<Arc<Cipher>>, StoreError> {
    let Some(wrapped) = Wrapped::read(engine)? else { return Ok(None) };
    let path = ledger.to_owned();
    match key {
        None => Err(StoreError::NoKey { path, wanted: wrapped.id.to_string() }),
        Some(key) if key.id() != wrapped.id => {
            Err(StoreError::WrongKey { path, wanted: wrapped.id.to_string(), found: key.id().to_string() })
        }
        Some(key) => {
            let data_key = wrapped.open(engine, key)?;
            Ok(Some(Arc::new(Cipher::of(&data_key, wrapped))))
        }
    }
}

/// How many bytes stand in the place of a text.
pub(super) const TOKEN_BYTES: usize = 16;
const NONCE_BYTES: usize = 24;

fn hides(key: &[u8]) -> bool {
    fields_of(key).iter().any(|field| !matches!(field, Field::Plain(_)))
}

fn damaged(key: &[u8]) -> StoreError {
    let why = "it cannot be decrypted: it is not what was written under this key".to_owned();
    StoreError::Damaged { what: described(key), why }
}

/// What a record is, as far as its key tells.
fn described(key: &[u8]) -> String {
    match Key::decode(key) {
        Some(key) => what(&key),
        None => match (key.first_chunk::<16>(), key.get(FIELDS_AT - 1)) {
            (Some(tenant), Some(kind)) => {
                let tenant = crate::domain::id::TenantId::from_bytes(*tenant);
                format!("a record of kind {kind:02x} of tenant {tenant}")
            }
            _ => format!("a record under a key of {} bytes", key.len()),
        },
    }
}

fn keyed(key: &[u8; 32]) -> Hmac<Sha256> {
    // A key shorter than a block is the same as one with zeros behind it.
    let mut block = Zeroizing::new([0; 64]);
    block.iter_mut().zip(key).for_each(|(own, byte)| *own = *byte);
    <Hmac<Sha256> as KeyInit>::new((&*block).into())
}

fn digest(keyed: &Hmac<Sha256>, parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = keyed.clone();
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests;
