//! What an opening does before anything is answered: which cipher, whether the engine may be let at its files, and whether all
//! that was acknowledged is there.

use std::sync::Arc;

use super::carve::Carved;
use super::cipher::{self, Cipher, cipher_of, remove_wrapped};
use super::directory::{Directory, HalfCommit, Note, Noted, bytes_below, copy_below, io_error, remove_half_snapshots};
use super::engine::{self, Engine, EngineOptions};
use super::read::{self, damaged, get};
use super::readable::End;
use super::{SledOptions, Vanishing};
use crate::store::StoreError;
use crate::store::key::Key;
use crate::store::record::tenant::HeadV1;

/// How the ledger's records are encrypted: by the wrapped key in it, or in a new one by the key that is given.
pub(super) fn find_cipher(
    directory: &Directory,
    format: Option<u32>,
    options: &SledOptions,
) -> Result<Option<Arc<Cipher>>, StoreError> {
    let path = directory.engine();
    let is_new = format.is_none() && !engine::exists(&path);
    if !is_new {
        if let Some(cipher) = cipher_of(&path, &directory.shown(), options.key.as_ref())? {
            // A disk that takes nothing must not keep anyone from reading.
            let _ = cipher.mend(&path);
            return Ok(Some(cipher));
        }
        if directory.is_encrypted()? {
            return Err(cipher::missing(&path));
        }
    }
    match &options.key {
        // Its creation was interrupted, if it was begun at all.
        Some(key) if format.is_none() => Ok(Some(Arc::new(Cipher::fresh(key)))),
        Some(_) => Err(StoreError::NotEncrypted { path: directory.shown() }),
        None => Ok(None),
    }
}

/// sled takes a hole in its log for the end of it, and overwrites what stands behind. So a log with a hole is opened as a copy
/// first, and if that shows that something acknowledged would be lost, the files stay as they are for a repair. So is a small
/// one that ends raggedly, as most do whose file was used before: of what is damaged in the last message all before it is left.
pub(super) fn try_on_copy(
    directory: &Directory,
    note: Option<Note>,
    options: &SledOptions,
    cipher: Option<Arc<Cipher>>,
) -> Result<(), StoreError> {
    let engine = directory.engine();
    let end = engine::read_first(&engine)?;
    if end == End::Clean {
        return Ok(());
    }
    let failed = |error| io_error(&engine, "copy the engine's files, whose log has a hole,", error);
    let bytes = bytes_below(&engine).map_err(failed)?;
    if !end.wants_copy(bytes) {
        return Ok(());
    }
    // A full disk must not keep anyone from reading.
    if directory.free_bytes()? < bytes.saturating_add(options.free_bytes_min) {
        return Ok(());
    }
    let copy = directory.scratch_path("opening");
    let _vanishing = Vanishing(copy.clone());
    copy_below(&engine, &copy).and_then(|()| remove_half_snapshots(&copy)).map_err(failed)?;
    // All of it was just read, in order to be copied.
    let trial = EngineOptions { is_read: true, ..options.engine() };
    let tried = Engine::open(&copy, trial, cipher).and_then(|engine| count_commits(&engine));
    let left = "; the engine's files are left as they are";
    match tried {
        Ok(commits) => match lost(note, commits) {
            0 => Ok(()),
            lost => Err(commits_lost(directory, commits, lost, left)),
        },
        // A creation that was interrupted is begun anew.
        Err(StoreError::Damaged { .. }) if directory.format()?.is_none() && is_mere_beginning(directory)? => Ok(()),
        Err(StoreError::Damaged { why, .. }) => {
            let what = format!("the engine's files in {}", engine.display());
            Err(StoreError::Damaged { what, why: why + left })
        }
        Err(error) => Err(error),
    }
}

/// How many acknowledged commits are not there.
fn lost(note: Option<Note>, commits: u64) -> u64 {
    note.map_or(0, |note| note.count).saturating_sub(commits)
}

fn commits_lost(directory: &Directory, commits: u64, lost: u64, left: &str) -> StoreError {
    let what = format!("the newest commits of the ledger {}", directory.shown());
    let why = format!(
        "{lost} of {} that were acknowledged are gone; restore a backup, or see by `whowas repair --dry-run` what can be \
         brought back{left}",
        commits.saturating_add(lost)
    );
    StoreError::Damaged { what, why }
}

pub(super) fn open_engine(
    directory: &Directory,
    format: Option<u32>,
    options: &SledOptions,
    cipher: Option<Arc<Cipher>>,
) -> Result<Engine, StoreError> {
    let path = directory.engine();
    let there = engine::exists(&path);
    match format {
        Some(_) if !there => {
            let what = format!("the engine's files in {}", path.display());
            return Err(StoreError::Damaged { what, why: "they are missing".to_owned() });
        }
        None if !there && !options.create => {
            return Err(directory.not_a_ledger("there is no ledger in it yet"));
        }
        _ => {}
    }
    let open = || {
        if format.is_none() {
            match &cipher {
                Some(cipher) => cipher.place(&path)?,
                None => remove_wrapped(&path)?,
            }
        }
        Engine::open(&path, EngineOptions { is_read: true, ..options.engine() }, cipher.clone())
    };
    let engine = match open() {
        Err(StoreError::Damaged { .. } | StoreError::Io { .. })
            if format.is_none() && is_mere_beginning(directory)? =>
        {
            std::fs::remove_dir_all(&path).map_err(|error| io_error(&path, "remove an unfinished engine", error))?;
            open()?
        }
        opened => opened?,
    };
    if format.is_none() {
        // A creation that was interrupted left nothing in the engine. Anything else lost its format file.
        if !engine.is_empty()? {
            return Err(directory.not_a_ledger("its format file is missing, so its version is unknown"));
        }
        engine.persist_creation()?;
        directory.write_rules()?;
        directory.write_format()?;
    }
    Ok(engine)
}

/// One seek a tenant: commits are numbered without gaps.
pub(super) fn count_commits(engine: &Engine) -> Result<u64, StoreError> {
    let tenants = read::tenants(engine)?.into_iter();
    tenants.map(|(tenant, _)| read::newest_journaled(engine, tenant).map(|newest| newest.0)).sum()
}

/// Checks that as many commits are there as were acknowledged, and the one that was noted among them.
pub(super) fn check_commits(
    engine: &Engine,
    directory: &Directory,
    note: Option<Note>,
    commits: u64,
) -> Result<(), StoreError> {
    let lost = lost(note, commits);
    if lost > 0 {
        return Err(commits_lost(directory, commits, lost, ""));
    }
    if let Some(Noted { tenant, sequence, hash, .. }) = note.and_then(|note| note.newest) {
        let key = Key::Journal { tenant, sequence, chunk: 0 };
        if read::hash_of(engine, tenant, sequence)? != Some(hash) {
            let why = "it was acknowledged, and the journal has another in its place or none".to_owned();
            return Err(damaged(&key, why));
        }
        engine.swear_by(&key.encode());
    }
    Ok(())
}

/// Removes what there is of a commit that failed, unless it is another one: a mark may have come from an older copy of the ledger.
pub(super) fn remove_half(engine: &Engine, half: HalfCommit, note: Option<Note>) -> Result<(), StoreError> {
    let HalfCommit { tenant, sequence, hash } = half;
    let newest = read::newest_journaled(engine, tenant)?;
    let is_other = read::hash_of(engine, tenant, sequence)?.is_some_and(|found| found != hash);
    let is_acknowledged = newest >= sequence && lost(note, count_commits(engine)?.saturating_sub(1)) > 0;
    // Nothing was written after it.
    if newest > sequence || is_other || is_acknowledged {
        return Ok(());
    }
    let first = Key::Journal { tenant, sequence, chunk: 0 }.encode();
    engine.remove_kinds(&(first, Some(Key::Journal { tenant, sequence: sequence.next(), chunk: 0 }.encode())))?;
    engine.persist()
}

/// Checks by a few seeks a tenant what an append relies on: that the head is that of the newest commit in the journal. `verify` checks
/// the rest.
pub(super) fn check_heads(engine: &Engine) -> Result<(), StoreError> {
    for (tenant, has_journal) in read::tenants(engine)? {
        let key = Key::Head { tenant };
        let head = get::<HeadV1>(engine, &key)?.map(HeadV1::read).transpose();
        let head = head.map_err(|error| damaged(&key, error.to_string()))?.unwrap_or_default();
        let newest = read::newest_journaled(engine, tenant)?;
        let hash = read::hash_of(engine, tenant, newest)?;
        if !has_journal || head.sequence != newest || hash != Some(head.hash) {
            let why = format!("it is at commit {}, and the journal ends with another at {newest}", head.sequence);
            return Err(damaged(&key, why));
        }
    }
    Ok(())
}

/// Whether the engine's files are what a creation left that a kill or a power cut ended: sled makes them in several steps, and
/// cannot read what is between. Nobody was ever told of a commit in them, and there is none.
fn is_mere_beginning(directory: &Directory) -> Result<bool, StoreError> {
    let carved = Carved::of(&directory.engine(), None, &mut |_| ())?;
    Ok(!directory.has_note() && carved.pieces.is_empty() && carved.heads.is_empty())
}
