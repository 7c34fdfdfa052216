//! Roles, and what each of them may do.

use serde::{Deserialize, Serialize};

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A backup agent: verdicts, snapshots, receipts, restore checks.
    Agent,
    /// A scheduler: starts syncs and looks at them.
    Sync,
    /// An auditor: reads everything, and acknowledges and resolves findings.
    Auditor,
    /// All of it.
    Admin,
}

/// What a route is about. Every route needs exactly one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// Ask for verdicts and restore checks by what the ledger holds.
    Ask,
    /// Have the directory read for a verdict, which is recorded.
    ReadLive,
    /// Look at snapshots and repair plans.
    SeeSnapshots,
    /// Record snapshots, receipts and expiries.
    Record,
    /// Look at people: names, objects, findings, reuse, the journal.
    SeePeople,
    /// Acknowledge and resolve findings.
    Review,
    /// Start a sync, and accept or reject a held one.
    Sync,
    /// Look at runs, status, metrics and the checkpoint.
    SeeRuns,
    /// Read the log of who asked what.
    SeeAccess,
}

impl Role {
    /// All roles, in the order in which they are told.
    pub const ALL: [Self; 4] = [Self::Agent, Self::Sync, Self::Auditor, Self::Admin];

    /// Whether the role has the right.
    pub fn has(self, right: Right) -> bool {
        match (self, right) {
            (Self::Admin, _) | (_, Right::SeeRuns) => true,
            (Self::Agent, right) => {
                matches!(right, Right::Ask | Right::ReadLive | Right::SeeSnapshots | Right::Record)
            }
            (Self::Sync, right) => right == Right::Sync,
            (Self::Auditor, right) => {
                matches!(right, Right::Ask | Right::SeeSnapshots | Right::SeePeople | Right::Review | Right::SeeAccess)
            }
        }
    }

    /// The role's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Sync => "sync",
            Self::Auditor => "auditor",
            Self::Admin => "admin",
        }
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

impl std::str::FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words = || Self::ALL.map(Self::word).join(", ");
        Self::ALL
            .into_iter()
            .find(|role| role.word() == text)
            .ok_or_else(|| format!("{text:?} is no role; roles are {}", words()))
    }
}
