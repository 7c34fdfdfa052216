//! Why a configuration cannot be used.

use std::fmt;
use std::path::PathBuf;

use crate::domain::id::TenantId;
use crate::graph::error::GraphError;

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("read {file}")]
    Unreadable {
        /// Which file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not valid.
    #[error("read {file}: {why}")]
    Invalid {
        /// Which file.
        file: PathBuf,
        /// What is wrong, and where.
        why: String,
    },
    /// A key that nothing reads.
    #[error("read {file}: unknown key {key:?}{nearest}")]
    UnknownKey {
        /// Which file.
        file: PathBuf,
        /// The key, with the tables around it.
        key: String,
        /// What may have been meant.
        nearest: Nearest,
    },
    /// No tenant, or no single one, is meant.
    #[error("choose a tenant: {why}")]
    Tenant {
        /// What is wrong.
        why: String,
    },
    /// The credential cannot be used.
    #[error("sign in to tenant {tenant}: {why}")]
    Credential {
        /// Which tenant.
        tenant: TenantId,
        /// What is wrong, and what to do.
        why: String,
    },
    /// The endpoints or the client cannot be used.
    #[error(transparent)]
    Graph(#[from] GraphError),
}

/// What may have been meant, as the end of a sentence; nothing if that cannot be told.
#[derive(Debug)]
pub struct Nearest(Option<String>);

impl Nearest {
    /// A key that is known, and stands in the wrong table.
    pub(super) fn elsewhere(key: &str, table: &str) -> Self {
        Self(Some(match table {
            "" => format!("{key:?} belongs at the top of the file, in no table"),
            "ledger" | "server" => format!("{key:?} belongs into [{table}]"),
            "tenant" => format!("{key:?} belongs into a [[tenant]]"),
            _ => format!("{key:?} belongs into {table} = {{ … }} of a [[tenant]]"),
        }))
    }
}

impl fmt::Display for Nearest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(meant) => write!(f, "; {meant}"),
            None => Ok(()),
        }
    }
}

pub(super) fn nearest(key: &str, known: &[&str]) -> Nearest {
    let scored = known.iter().map(|known| (strsim::jaro_winkler(key, known), *known));
    let best = scored.filter(|(score, _)| *score > 0.7).max_by(|a, b| a.0.total_cmp(&b.0));
    Nearest(best.map(|(_, known)| format!("did you mean {known:?}?")))
}
