//! Encrypting a ledger that is there, changing its keys, and the way back.
//!
//! A new key of the operator's wraps the same data key, and one file is switched. A new data key, or none, means that every
//! record is written anew, as a compaction does it; until the new engine is whole and read back the ledger is what it was.

use std::sync::Arc;

use super::SledStore;
use super::cipher::{Cipher, KeyId, LedgerKey, Wrapped, missing};
use super::compact::{CompactStep, Compaction};
use crate::store::StoreError;

impl SledStore {
    /// By what the key is told that the ledger is encrypted with; `None` if it is not encrypted.
    pub fn key_id(&self) -> Option<KeyId> {
        self.engine.cipher().map(|cipher| cipher.key_id())
    }

    /// Writes the whole ledger anew, encrypted with a new data key under this key, and leaves nothing of the old files. The
    /// ledger is closed by it. A process that dies meanwhile leaves the ledger as it was, or encrypted.
    ///
    /// # Errors
    /// If there is no room for a second copy, or the files cannot be read or written. The ledger is then as it was.
    pub fn encrypt(self, key: &LedgerKey, told: &mut dyn FnMut(CompactStep)) -> Result<Compaction, StoreError> {
        let cipher = Cipher::fresh(key);
        if self.engine.cipher().is_some_and(|old| old.is_same(&cipher)) {
            let why = "its fresh bytes are those of the present one".to_owned();
            return Err(StoreError::Unsound { what: "a new data key".to_owned(), why });
        }
        self.rewritten_from(None, Some(Arc::new(cipher)), told, &mut |_| Ok(()))
    }

    /// Writes the whole ledger anew as it is without encryption.
    ///
    /// # Errors
    /// As [`Self::encrypt`].
    pub fn decrypt(self, told: &mut dyn FnMut(CompactStep)) -> Result<Compaction, StoreError> {
        self.rewritten_from(None, None, told, &mut |_| Ok(()))
    }

    /// From now on this key opens the ledger, and the one that it was opened with does not. Its records stay as they are.
    ///
    /// # Errors
    /// If the ledger is not encrypted, or the file of the wrapped key cannot be read or written.
    pub fn change_key(&self, new: &LedgerKey) -> Result<(), StoreError> {
        let path = self.directory.engine();
        let Some(old) = &self.options.key else {
            return Err(StoreError::NotEncrypted { path: self.directory.shown() });
        };
        let wrapped = Wrapped::read(&path)?.ok_or_else(|| missing(&path))?;
        wrapped.for_key(&path, old, new)?.write(&path)
    }
}
