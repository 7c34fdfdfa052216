//! Writes the ledger anew in as little space as it needs, and leaves nothing of the old files.
//!
//! sled appends, and gives space back only where more than half of a segment is stale. Records put in in the order of
//! their keys leave little that is stale; but each split of a leaf writes its whole parent again, and only sled's own
//! background thread frees what that left. So the writing stops for a moment after every thousand records, for the
//! thread to keep up: measured, the file then has 1.4 times the bytes of the records, and 2.8 times without.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::cipher::Cipher;
use super::directory::Directory;
use super::engine::{Batch, Engine, EngineOptions};
use super::swap;
use super::{SledOptions, SledStore};
use crate::store::StoreError;

/// What a compaction did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Compaction {
    /// Records written anew.
    pub records: u64,
    /// Bytes of their keys and values.
    pub record_bytes: u64,
    /// Bytes of the ledger's files before.
    pub bytes_before: u64,
    /// Bytes of them after.
    pub bytes_after: u64,
}

/// How far a compaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompactStep {
    /// So many records are written.
    Written(u64),
    /// So many of them are read back and compared.
    Compared(u64),
}

impl SledStore {
    /// Writes all records into a new engine, compares them with the old one's, and puts it in the old one's place. The
    /// ledger is closed by it. A process that dies meanwhile leaves the ledger as it was, or compacted.
    ///
    /// # Errors
    /// If there is no room for a second copy, or the files cannot be read or written. The ledger is then as it was, or
    /// compacted by its next opening.
    pub fn compact(self, told: &mut dyn FnMut(CompactStep)) -> Result<Compaction, StoreError> {
        self.compact_in_steps(told, &mut |_| Ok(()))
    }

    /// An empty store inside of this ledger's directory, to be filled with what is to take its place. It vanishes if nothing
    /// is made of it.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn draft(&self) -> Result<Self, StoreError> {
        self.beside()
    }

    /// Puts what was written into a draft in the place of all that is in this ledger, of which no file is left. Both are closed
    /// by it. A process that dies meanwhile leaves the one or the other.
    ///
    /// # Errors
    /// If there is no room, or the files cannot be read or written. The ledger is then as it was.
    pub fn replace_with(self, draft: Self, told: &mut dyn FnMut(CompactStep)) -> Result<Compaction, StoreError> {
        drop(draft.writer()?);
        draft.engine.persist()?;
        let cipher = self.engine.cipher().cloned();
        self.rewritten_from(Some(draft), cipher, told, &mut |_| Ok(()))
    }

    /// Engines that repairs have put aside in this ledger's directory: nothing that is done to the ledger reaches them.
    ///
    /// # Errors
    /// If the directory cannot be read.
    pub fn set_aside(&self) -> Result<Vec<PathBuf>, StoreError> {
        self.directory.set_aside()
    }

    fn compact_in_steps(
        self,
        told: &mut dyn FnMut(CompactStep),
        after: &mut dyn FnMut(&str) -> Result<(), StoreError>,
    ) -> Result<Compaction, StoreError> {
        let cipher = self.engine.cipher().cloned();
        self.rewritten_from(None, cipher, told, after)
    }

    /// Writes this ledger anew, or a draft in its place, with its records encrypted so.
    pub(super) fn rewritten_from(
        self,
        draft: Option<Self>,
        cipher: Option<Arc<Cipher>>,
        told: &mut dyn FnMut(CompactStep),
        after: &mut dyn FnMut(&str) -> Result<(), StoreError>,
    ) -> Result<Compaction, StoreError> {
        drop(self.writer()?);
        self.directory.check_engine_is_here()?;
        let Self { mut engine, directory, options, .. } = self;
        engine.give_up();
        let bytes_before = directory.bytes()?;
        directory.check_room(bytes_before.saturating_add(options.free_bytes_min))?;
        let new = directory.new_engine();
        let from = draft.as_ref().map_or(&engine, |draft| &draft.engine);
        let written = write_anew((from, cipher), &directory, &options, told, after);
        drop(draft);
        if written.is_err() {
            // What cannot be removed now is removed at the next opening.
            let _ = std::fs::remove_dir_all(&new);
        }
        let digest = written?;
        // Its threads know their files by path, and would go on in the new engine's.
        engine.close()?;
        directory.mark_compacted()?;
        after("the new engine is marked")?;
        swap::finish(directory.path(), after)?;
        let bytes_after = directory.bytes()?;
        Ok(Compaction { records: digest.records, record_bytes: digest.bytes, bytes_before, bytes_after })
    }
}

/// How many records are written before sled's background thread is waited for.
const RECORDS_AT_ONCE: usize = 1_000;
/// How many bytes are.
const BYTES_AT_ONCE: usize = 256 * 1024;
/// How long it is waited for.
const PAUSE: Duration = Duration::from_millis(15);
/// How often a word is said on how far the comparing is.
const RECORDS_A_WORD: u64 = 1_000;

fn write_anew(
    (engine, cipher): (&Engine, Option<Arc<Cipher>>),
    directory: &Directory,
    options: &SledOptions,
    told: &mut dyn FnMut(CompactStep),
    after: &mut dyn FnMut(&str) -> Result<(), StoreError>,
) -> Result<Totals, StoreError> {
    let path = directory.new_engine();
    cipher.iter().try_for_each(|cipher| cipher.place(&path))?;
    // It is opened anew below.
    let filling = EngineOptions { fills: true, ready_after_bytes: usize::MAX, ..options.engine() };
    let new = Engine::open(&path, filling, cipher.clone())?;
    let written = fill(engine, &new, &mut |records| {
        told(CompactStep::Written(records));
        directory.check_room(options.free_bytes_min)
    })?;
    new.close()?;
    after("the new engine is written")?;
    // What is compared is what an opening will find, not what this process still remembers.
    let new = Engine::open(&path, options.engine(), cipher)?;
    let found = read_back(&new, &mut |records| told(CompactStep::Compared(records)))?;
    new.close()?;
    if found != written {
        return Err(differing(&path, &written, &found));
    }
    super::engine::persist_files(&path)?;
    after("the new engine is on the disk")?;
    Ok(written)
}

fn fill(old: &Engine, new: &Engine, each: &mut dyn FnMut(u64) -> Result<(), StoreError>) -> Result<Totals, StoreError> {
    let mut totals = Totals::default();
    let (mut batch, mut records, mut bytes) = (Batch::default(), 0, 0);
    old.each_record(|key, value| {
        totals.take(&key, &value);
        (records, bytes) = (records + 1, bytes + key.len() + value.len());
        batch.insert(key, value);
        if records >= RECORDS_AT_ONCE || bytes >= BYTES_AT_ONCE {
            new.apply(std::mem::take(&mut batch))?;
            new.flush()?;
            std::thread::sleep(PAUSE);
            (records, bytes) = (0, 0);
            each(totals.records)?;
        }
        Ok(())
    })?;
    new.apply(batch)?;
    new.persist_creation()?;
    each(totals.records)?;
    Ok(totals)
}

fn read_back(engine: &Engine, each: &mut dyn FnMut(u64)) -> Result<Totals, StoreError> {
    let mut totals = Totals::default();
    engine.each_record(|key, value| {
        totals.take(&key, &value);
        if totals.records % RECORDS_A_WORD == 0 {
            each(totals.records);
        }
        Ok(())
    })?;
    Ok(totals)
}

fn differing(path: &Path, written: &Totals, found: &Totals) -> StoreError {
    StoreError::Damaged {
        what: format!("the compacted engine's files in {}", path.display()),
        why: format!("of {} records written, {} came back, and not the same ones", written.records, found.records),
    }
}

/// What was seen of records: how many, how large, and the sum of their hashes, each with its lengths so that no part can pass
/// into the next. A sum, because an encrypted engine has them in another order than a plain one.
#[derive(Debug, Default, PartialEq, Eq)]
struct Totals {
    records: u64,
    bytes: u64,
    hashes: [u64; 4],
}

impl Totals {
    fn take(&mut self, key: &[u8], value: &[u8]) {
        self.records += 1;
        let mut hash = Sha256::new();
        for part in [key, value] {
            let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
            self.bytes = self.bytes.saturating_add(length);
            hash.update(length.to_be_bytes());
            hash.update(part);
        }
        let hash: [u8; 32] = hash.finalize().into();
        let (words, _) = hash.as_chunks::<8>();
        for (sum, word) in self.hashes.iter_mut().zip(words) {
            *sum = sum.wrapping_add(u64::from_be_bytes(*word));
        }
    }
}

#[cfg(test)]
mod tests;
