//! Directories for a moment, and copies of them.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::Options;

pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    // Somebody may be opening it, and has a copy of the engine there for a moment.
    let Ok(entries) = fs::read_dir(from) else { return };
    for entry in entries.flatten() {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => copy(&from, &to),
            // The engine may remove a file of its own meanwhile.
            _ => drop(fs::copy(from, to)),
        }
    }
}

pub fn copied(from: &Path) -> TempDir {
    let to = TempDir::new().unwrap();
    copy(from, to.path());
    to
}

/// Keeps a directory that did not hold, for whoever looks for the reason.
pub fn keep(options: &Options, path: &Path, trial: &str) {
    if let Some(folder) = &options.keep {
        copy(path, &folder.join(trial.replace(['/', ' '], "-")));
    }
}

/// All files below a directory, by their paths within it.
pub fn files(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root.join(&folder)).unwrap().map(Result::unwrap) {
            let path = folder.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}
