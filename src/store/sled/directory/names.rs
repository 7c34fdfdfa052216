//! What the entries of a ledger's directory are called, and whether a directory is one.

use std::io;
use std::path::Path;

use super::files::{entries_strict, io_error};
use crate::store::StoreError;

/// Whether the directory is a ledger's, or may become one.
pub(super) fn check_is_ours(path: &Path, create: bool) -> Result<(), StoreError> {
    let no = |why: &str| Err(StoreError::NotALedger { path: path.display().to_string(), why: why.to_owned() });
    let found = match entries_strict(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return no("there is no such directory"),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => return no("it is a file, not a directory"),
        Err(error) => return Err(io_error(path, "list the directory", error)),
    };
    if found.iter().any(|(name, _)| name == FORMAT_FILE) {
        return Ok(());
    }
    if !found.iter().all(|(name, _)| is_our_name(name)) {
        return no("it has other files in it and no format file, so it is no ledger");
    }
    if found.is_empty() && !create {
        return no("it is empty, so there is no ledger in it yet");
    }
    Ok(())
}

fn is_our_name(name: &str) -> bool {
    let name = name.strip_suffix(NEW).unwrap_or(name);
    [
        FORMAT_FILE,
        RULES_FILE,
        LOCK,
        HOLDER,
        COMMITS,
        REBUILD,
        RESTORE,
        REPAIR,
        REPAIRS,
        ENGINE,
        ENGINE_OLD,
        COMPACTED,
        REPAIRED,
    ]
    .contains(&name)
        || name.starts_with(SCRATCH)
        || name.starts_with(DAMAGED)
}

/// The name of a scratch store's directory begins so.
pub(in crate::store::sled) const SCRATCH: &str = "scratch-";

pub(super) const FORMAT_FILE: &str = "format";
pub(super) const RULES_FILE: &str = "rules";
pub(super) const LOCK: &str = "lock";
pub(super) const HOLDER: &str = "holder.json";
pub(super) const COMMITS: &str = "commits";
pub(super) const REBUILD: &str = "rebuild";
pub(super) const RESTORE: &str = "restore";
/// Names that only `swap.rs` uses besides.
pub(in crate::store::sled) const ENGINE: &str = "engine";
pub(in crate::store::sled) const ENGINE_NEW: &str = "engine.new";
pub(in crate::store::sled) const ENGINE_OLD: &str = "engine.old";
pub(in crate::store::sled) const COMPACTED: &str = "compacted";
/// The wrapped data key in an engine's folder.
pub(in crate::store::sled) const CIPHER: &str = "cipher";
pub(in crate::store::sled) const CIPHER_COPY: &str = "cipher.copy";
pub(super) const ENCRYPTED: &str = " encrypted";
pub(super) const REPAIR: &str = "repair";
pub(super) const REPAIRS: &str = "repairs.jsonl";
pub(super) const REPAIRED: &str = "engine.repaired";
pub(super) const DAMAGED: &str = "engine.damaged-";
pub(super) const NEW: &str = ".new";
