//! Why a store cannot do as asked.

use super::Holder;
use crate::domain::erase::Fingerprint;
use crate::domain::id::{Sequence, TenantId};

/// Why a store could not do as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another commit came first.
    #[error("append commit {expected} of tenant {tenant}: the ledger has moved on to commit {found}")]
    Conflict {
        /// The tenant.
        tenant: TenantId,
        /// The head that the caller had read.
        expected: Sequence,
        /// The head there is.
        found: Sequence,
    },
    /// Another process has the ledger open.
    #[error("open the ledger {path}: it is held by {holder}")]
    Held {
        /// The ledger's directory.
        path: String,
        /// Who: process id, command, since when, and how far it is.
        holder: Box<Holder>,
    },
    /// Another process has the ledger open, and who it is cannot be told.
    #[error("open the ledger {path}: another process holds it, and its holder.json does not tell which ({why})")]
    HeldBySomeone {
        /// The ledger's directory.
        path: String,
        /// Why the holder's file could not be read.
        why: String,
    },
    /// The derived records are gone or only partly rebuilt; the journal is whole.
    #[error(
        "open the ledger {path}: a rebuild of what is derived from its journal has not been completed; run `whowas rebuild`"
    )]
    NeedsRebuild {
        /// The ledger's directory.
        path: String,
    },
    /// What is derived follows by other rules than those of this release; the journal is whole.
    #[error(
        "open the ledger {path}: what is derived from its journal was derived by another release, and this one judges some of it \
         otherwise; run `whowas rebuild` once, which derives it anew (the journal is whole)"
    )]
    OtherRules {
        /// The ledger's directory.
        path: String,
    },
    /// Only a part of an export is in it.
    #[error(
        "open the ledger {path}: a restore into it has not been completed; run `whowas restore FILE` again with the same export, or remove the directory"
    )]
    HalfRestored {
        /// The ledger's directory.
        path: String,
    },
    /// A ledger with commits of its own cannot take in an export.
    #[error("restore into the ledger {path}: it has {commits} commits of its own; name a new directory with --ledger")]
    NotEmpty {
        /// The ledger's directory.
        path: String,
        /// How many.
        commits: u64,
    },
    /// The caller's records contradict one another or what is stored. Nothing was written.
    #[error("write {what}: {why}")]
    Unsound {
        /// What was to be written.
        what: String,
        /// The contradiction.
        why: String,
    },
    /// The ledger was written by a newer release.
    #[error(
        "open the ledger {path}: its format {found} is newer than {known}, the newest that this release reads; upgrade whowas"
    )]
    NewerFormat {
        /// The ledger's directory.
        path: String,
        /// The version found.
        found: u32,
        /// The newest version known here.
        known: u32,
    },
    /// The directory is no ledger.
    #[error("open the ledger {path}: {why}")]
    NotALedger {
        /// The directory.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// A commit in which something would have to be replaced is hashed as a whole.
    #[error(
        "forget something of commit {sequence} of tenant {tenant}: it was written by an earlier release, which hashed a commit as a whole, so nothing of it can be replaced without breaking the chain; nothing was changed. Begin a new ledger for what must be erased, and keep the old one apart"
    )]
    CannotForget {
        /// The tenant.
        tenant: TenantId,
        /// The commit.
        sequence: Sequence,
    },
    /// Names were erased, and without the key nobody can tell which.
    #[error("look at tenant {tenant}: names were erased from it with the key {wanted}, and {found}")]
    NoErasureKey {
        /// The tenant.
        tenant: TenantId,
        /// The fingerprint of the key.
        wanted: Fingerprint,
        /// What there is instead.
        found: String,
    },
    /// The ledger is encrypted.
    #[error("open the ledger {path}: it is encrypted with the key {wanted}, and no key is given; nothing was changed")]
    NoKey {
        /// The ledger's directory.
        path: String,
        /// By what the key is told.
        wanted: String,
    },
    /// The ledger is encrypted with another key.
    #[error(
        "open the ledger {path}: it is encrypted with the key {wanted}, and the key given is {found}; nothing was changed"
    )]
    WrongKey {
        /// The ledger's directory.
        path: String,
        /// By what the key is told.
        wanted: String,
        /// By what the one given is told.
        found: String,
    },
    /// A key is given for a ledger that is not encrypted.
    #[error("open the ledger {path}: a key is given, and the ledger is not encrypted; nothing was changed")]
    NotEncrypted {
        /// The ledger's directory.
        path: String,
    },
    /// Without the data key nothing in the ledger can be read.
    #[error("open the wrapped key {path}: {why}; nothing was changed")]
    WrappedKey {
        /// The file.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// Stored bytes are not what was written.
    #[error("read {what}: the stored bytes are damaged ({why})")]
    Damaged {
        /// Which record.
        what: String,
        /// How it shows.
        why: String,
    },
    /// There is no room left.
    #[error(
        "write to the ledger {path}: the disk has {free} bytes left and {needed} are kept free; make room and try again, nothing was lost"
    )]
    DiskFull {
        /// The ledger's directory.
        path: String,
        /// Bytes left.
        free: u64,
        /// Bytes wanted.
        needed: u64,
    },
    /// A second copy of the ledger does not fit beside it.
    #[error(
        "compact the ledger {path}: it is written anew beside itself, which needs {needed} bytes, and the disk has {free} left; make room and try again, nothing was changed"
    )]
    NoRoom {
        /// The ledger's directory.
        path: String,
        /// Bytes left.
        free: u64,
        /// Bytes wanted.
        needed: u64,
    },
    /// A write failed before; nothing more is written through this handle.
    #[error(
        "write to the ledger {path}: an earlier write failed ({why}), so nothing more is written until it is opened again; what was acknowledged is safe"
    )]
    Stopped {
        /// The ledger's directory.
        path: String,
        /// The first failure.
        why: String,
    },
    /// A value too large for the engine's safe size.
    #[error("write {what}: it has {bytes} bytes and at most {limit} are allowed")]
    TooLarge {
        /// Which record.
        what: String,
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The operating system or the engine failed.
    #[error("{step}")]
    Io {
        /// What was being done.
        step: String,
        /// Why it failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
