//! What a person can do about a store that fails.

use super::StoreError;

impl StoreError {
    /// What to do, where it follows from the error alone.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Held { holder, .. } => {
                return Some(match &holder.url {
                    Some(url) => format!(
                        "ask the service that holds it: --server {url}, with a token of `whowas token add` in WHOWAS_TOKEN"
                    ),
                    None => "wait until it is done, or stop it".to_owned(),
                });
            }
            Self::DiskFull { .. } => "free some space or move the ledger to a larger disk",
            Self::Damaged { .. } => {
                "`whowas rebuild` mends derived records and goes on without lost commits; all else needs a backup of the ledger"
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }
}
