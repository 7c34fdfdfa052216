//! Files and folders of a ledger: written whole, copied, measured and made durable.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::names::{NEW, SCRATCH};
use crate::store::StoreError;

/// Removes a folder and what is in it, if it is there.
pub(in crate::store::sled) fn remove_folder(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

pub(in crate::store::sled) fn copy_below(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    for (name, path) in entries(from)? {
        if fs::metadata(&path)?.is_dir() {
            copy_below(&path, &to.join(name))?;
        } else {
            fs::copy(path, to.join(name))?;
        }
    }
    Ok(())
}

pub(super) fn replace(path: &Path, name: &str, content: &[u8], durable: bool) -> Result<(), StoreError> {
    let failed = |error| io_error(path, &format!("write {name}"), error);
    let new = path.join(format!("{name}{NEW}"));
    let mut file = File::create(&new).map_err(failed)?;
    file.write_all(content).map_err(failed)?;
    if durable {
        file.sync_all().map_err(failed)?;
    }
    fs::rename(&new, path.join(name)).map_err(failed)?;
    if durable { sync_directory(path) } else { Ok(()) }
}

/// Makes the names in a directory durable, and its own name too.
pub(in crate::store::sled) fn sync_directory(path: &Path) -> Result<(), StoreError> {
    // Windows has no such call, and needs none: its file systems write names through their log.
    if cfg!(unix) {
        let sync = |path: &Path| File::open(path).and_then(|directory| directory.sync_all());
        sync(path).map_err(|error| io_error(path, "make the directory durable", error))?;
        if let Some(parent) = path.canonicalize().ok().as_deref().and_then(Path::parent) {
            // A parent that may not be opened is not ours, and was there before.
            let _ = sync(parent);
        }
    }
    Ok(())
}

pub(in crate::store::sled) fn io_error(
    path: &Path,
    step: &str,
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> StoreError {
    StoreError::Io { step: format!("{step} of the ledger {}", path.display()), source: error.into() }
}

/// sled takes a half-written `snap.*.generating` for its newest snapshot and then refuses to open, for ever. Under our lock, and
/// with the engine closed, nobody is writing one, and without it sled recovers from its log.
pub(in crate::store::sled) fn remove_half_snapshots(engine: &Path) -> io::Result<()> {
    for (name, path) in entries(engine)? {
        if name.starts_with("snap.") && name.ends_with(".generating") {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

pub(super) fn entries(path: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    match entries_strict(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        found => found,
    }
}

pub(super) fn entries_strict(path: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    fs::read_dir(path)?
        .map(|entry| entry.map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path())))
        .collect()
}

pub(in crate::store::sled) fn bytes_below(path: &Path) -> io::Result<u64> {
    let mut sum = 0u64;
    for (name, path) in entries(path)? {
        if name.starts_with(SCRATCH) {
            continue;
        }
        let bytes = match fs::metadata(&path) {
            Ok(found) if found.is_dir() => bytes_below(&path)?,
            Ok(found) => found.len(),
            // The engine removes files of its own meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        sum = sum.saturating_add(bytes);
    }
    Ok(sum)
}
