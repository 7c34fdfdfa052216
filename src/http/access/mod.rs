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
    crate::private::folder_beside(ledger, ".access")
}
