//! A ledger's folder, and folders and files beside it, that are their owner's alone.

use std::fs::DirBuilder;
#[cfg(feature = "evidence")]
use std::fs::OpenOptions;
use std::path::Path;
#[cfg(feature = "evidence")]
use std::path::PathBuf;

/// The folder that belongs to the ledger in this directory: it has the ledger's own name, and an ending.
#[cfg(feature = "evidence")]
pub fn folder_beside(ledger: &Path, ending: &str) -> PathBuf {
    let beside = |ledger: &Path| {
        let mut name = ledger.file_name().unwrap_or(std::ffi::OsStr::new("ledger")).to_owned();
        name.push(ending);
        ledger.with_file_name(name)
    };
    // The name of `.` is that of the folder it leads to; but what was once made inside of it stays where it is.
    match ledger.file_name().is_none().then(|| ledger.canonicalize().ok()).flatten() {
        Some(found) if !beside(ledger).exists() => beside(&found),
        _ => beside(ledger),
    }
}

/// Makes the folder, for its owner alone.
pub fn make_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(folder)
}

/// How a file is opened to be written: made readable for its owner alone.
#[cfg(feature = "evidence")]
pub fn file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options
}
