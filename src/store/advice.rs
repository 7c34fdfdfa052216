//! What a person can do about a store that fails.

use super::StoreError;

impl StoreError {
    /// What to do, where it follows from the error alone.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Held { holder, .. } if holder.command == "serve" => Some(
                "the service reads a tenant just now and lets the ledger go when it is done: ask again in a moment",
            ),
            Self::Held { .. } => Some("wait until it is done, or ask the service with --server URL if one is running"),
            Self::DiskFull { .. } => Some("free some space or move the ledger to a larger disk"),
            Self::Damaged { .. } => Some(
                "`whowas rebuild` mends derived records and goes on without lost commits; all else needs a backup of the ledger",
            ),
            _ => None,
        }
    }
}
