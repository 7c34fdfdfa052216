//! Who has a ledger open, as it is told to whoever else wants it.

use crate::domain::id::TenantId;
use crate::domain::time::Instant;

/// Who holds a ledger. Written beside the lock by its holder, read by whoever finds the lock taken.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Holder {
    /// The process id.
    pub pid: u32,
    /// The command that it runs, for example `sync`.
    pub command: String,
    /// Since when.
    pub since: Instant,
    /// The tenant it is syncing, if it is.
    pub tenant: Option<TenantId>,
    /// How far it is, in words and figures.
    pub progress: Option<serde_json::Value>,
    /// The others that it is syncing, if they are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Syncing>,
    /// Where it answers questions about the ledger, if it does.
    #[serde(default)]
    pub url: Option<String>,
}

/// A sync that a ledger's holder is making.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Syncing {
    /// Whose directory it reads.
    pub tenant: TenantId,
    /// How far it is, in words and figures.
    pub progress: Option<serde_json::Value>,
}

impl Holder {
    /// Whether the holder is syncing this tenant.
    pub fn syncs(&self, tenant: TenantId) -> bool {
        self.tenant == Some(tenant) || self.others.iter().any(|other| other.tenant == tenant)
    }

    /// How far the sync of this tenant is, as far as the holder tells.
    pub fn progress_of(&self, tenant: TenantId) -> Option<&serde_json::Value> {
        if self.tenant == Some(tenant) {
            return self.progress.as_ref();
        }
        self.others.iter().find(|other| other.tenant == tenant)?.progress.as_ref()
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "process {} (`whowas {}`) since {}", self.pid, self.command, self.since)?;
        match (self.others.len(), &self.progress) {
            (0, Some(progress)) => write!(f, ", at {progress}"),
            (0, None) => Ok(()),
            (others, _) => write!(f, ", syncing {} tenants", others + 1),
        }
    }
}
