//! What a person can do about a store that fails.

use super::StoreError;

impl StoreError {
    /// Where the service that holds the ledger answers, if it is one that does.
    pub fn service(&self) -> Option<&str> {
        match self {
            Self::Held { holder, .. } => holder.url.as_deref(),
            _ => None,
        }
    }

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
                "copy the ledger's directory first; `whowas repair --dry-run` tells what the journal still proves, and `whowas \
                 repair` brings it back; what it cannot, `whowas restore` brings from a backup; if only derived records differ, \
                 `whowas rebuild` mends them, and `whowas repair` if that fails"
            }
            Self::NoKey { .. } => {
                "name the file of its key with --key-file or [ledger] key_file, or put the key into WHOWAS_LEDGER_KEY"
            }
            Self::NoErasureKey { .. } => {
                "put `erasure.key` of the ledger's keys (`[ledger] keys`) back from a backup; a copy of a ledger at COPY looks for its own \
                 in COPY.keys, so put a copy of the key there"
            }
            Self::WrongKey { .. } => {
                "give the key that belongs to it: --key-file counts before WHOWAS_LEDGER_KEY, and both before [ledger] key_file"
            }
            Self::NotEncrypted { .. } => {
                "`whowas encrypt` encrypts it with that key; or leave out --key-file, WHOWAS_LEDGER_KEY and [ledger] key_file"
            }
            Self::WrappedKey { .. } => {
                "put that file back from a backup of the ledger: without it nothing in the ledger can be read; an export is not \
                 encrypted, and `whowas restore` brings a ledger back from it"
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }
}
