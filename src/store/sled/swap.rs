//! Puts a new engine in the place of the old one, so that a process that dies at any instant leaves one whole engine.
//!
//! The new one is written beside the old one, as `engine.new`, and means nothing until the mark `compacted` is on the disk.
//! From then on it is the engine, whatever else has happened: every opening of the ledger first does what is left to do.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::directory::{
    COMPACTED, ENGINE, ENGINE_NEW, ENGINE_OLD, io_error, remove_folder, say_encrypted, sync_directory,
};
use crate::store::StoreError;

/// Does what is left of a switch that has its mark, and removes what is left of one that never got it. `after` is told each
/// step done; what it refuses ends the work there, as the death of the process would.
pub(super) fn finish(path: &Path, after: &mut dyn FnMut(&str) -> Result<(), StoreError>) -> Result<(), StoreError> {
    let (engine, new, old) = (path.join(ENGINE), path.join(ENGINE_NEW), path.join(ENGINE_OLD));
    let failed = |error| io_error(path, "put the compacted engine in its place", error);
    if !is_marked(path)? {
        return remove_folder(&new).map_err(failed);
    }
    if exists(&new).map_err(failed)? {
        if exists(&engine).map_err(failed)? {
            fs::rename(&engine, &old).map_err(failed)?;
            sync_directory(path)?;
            after("the old engine is set aside")?;
        }
        fs::rename(&new, &engine).map_err(failed)?;
        sync_directory(path)?;
        after("the new engine is in its place")?;
    }
    // Whoever moved the new one away by hand is not to lose the old one as well.
    if exists(&engine).map_err(failed)? {
        remove_folder(&old).map_err(failed)?;
        sync_directory(path)?;
        after("the old engine is removed")?;
        say_encrypted(path)?;
        fs::remove_file(path.join(COMPACTED)).map_err(failed)?;
        sync_directory(path)?;
    }
    Ok(())
}

/// Where the whole engine is just now, for whoever must change nothing.
pub(super) fn whole_engine(path: &Path) -> PathBuf {
    let new = path.join(ENGINE_NEW);
    if path.join(COMPACTED).exists() && new.exists() { new } else { path.join(ENGINE) }
}

fn is_marked(path: &Path) -> Result<bool, StoreError> {
    exists(&path.join(COMPACTED)).map_err(|error| io_error(path, "look for the mark of a compaction", error))
}

fn exists(path: &Path) -> io::Result<bool> {
    path.try_exists()
}
