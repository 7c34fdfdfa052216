//! Who may ask what: tokens, roles, and the log of who did.
//!
//! All of it lies in a folder beside the ledger, `<ledger>.access/`, so that tokens can be given out and revoked while a service
//! holds the ledger, and so that the ledger itself holds nothing but what it proves.
//!
//! | file | what |
//! | --- | --- |
//! | `tokens.json` | the tokens, each as the SHA-256 of its text |
//! | `lock` | held while `tokens.json` is being changed |
//! | `digest.key` | 32 random bytes, with which names are digested for the log |
//! | `log/YYYY-MM-DD.jsonl` | who asked what, a line a request |

pub mod caller;
pub mod log;
pub mod role;
pub mod tokens;

use std::path::{Path, PathBuf};

/// The folder that belongs to the ledger in this directory.
pub fn folder_of(ledger: &Path) -> PathBuf {
    let mut name = ledger.file_name().unwrap_or(std::ffi::OsStr::new("ledger")).to_owned();
    name.push(".access");
    ledger.with_file_name(name)
}

/// Makes the folder, for its owner alone.
fn make(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(folder)
}

/// How files in the folder are opened to be written: readable for their owner alone.
fn private() -> std::fs::OpenOptions {
    let mut options = std::fs::OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options
}
