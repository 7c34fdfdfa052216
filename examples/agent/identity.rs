//! What the agent wants from whowas: four questions. `service.rs` asks them over HTTP; tests ask in other ways, too, so that
//! every one of them can fail once.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use whowas::domain::id::{MailboxId, ObjectId};
use whowas::domain::restore::{RestoreAction, RestoreVerdict};
use whowas::domain::time::Instant;
use whowas::domain::verdict::{Action, Outcome};

use super::trouble::Trouble;

/// Whose mail is this, and may I go on?
#[async_trait]
pub trait Identity: Send + Sync {
    /// Asks for the verdict; with `verify` the directory is read first.
    async fn check(&self, ask: &Ask, verify: bool) -> Result<Answer, Trouble>;
    /// Records a snapshot. The same one again changes nothing.
    async fn record(&self, taken: &Taken) -> Result<(), Trouble>;
    /// Says what was really read. The same again changes nothing.
    async fn receipt(&self, chain: &str, snapshot: &str, read: &Read) -> Result<(), Trouble>;
    /// Asks whether a snapshot may be restored to an object.
    async fn may_restore(&self, chain: &str, snapshot: &str, to: ObjectId) -> Result<Permit, Trouble>;
}

/// The ask. A name stands in it only when a mailbox is enrolled; from then on the object id is what the agent knows.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Ask {
    /// The chain to append to, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chain: Option<String>,
    /// The name to enrol.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The object to open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectId>,
    /// The mailbox that Graph shows for it now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mailbox: Option<MailboxId>,
    /// The time by the agent's clock, so that a wrong one is noticed.
    pub at: Option<Instant>,
}

/// As much of the answer as an agent needs.
#[derive(Clone, Debug, Deserialize)]
pub struct Answer {
    /// The verdict, for the log.
    pub verdict: Outcome,
    /// What to do.
    pub action: Action,
    /// Whom it is about.
    pub object: Option<ObjectId>,
    /// What to open, below Graph's root: `/users/{object id}`.
    pub open: Option<String>,
    /// The snapshot that an incremental must build on.
    pub base: Option<String>,
    /// Why, in short sentences.
    #[serde(default)]
    pub reasons: Vec<String>,
}

/// A snapshot that lies on the disk. It was opened by object id, and so it is recorded.
#[derive(Clone, Debug, Serialize)]
pub struct Taken {
    pub chain: String,
    pub snapshot: String,
    pub from: Instant,
    pub until: Instant,
    pub object: ObjectId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mailbox: Option<MailboxId>,
}

/// What was read, as Graph said at the start and at the end.
#[derive(Clone, Debug, Serialize)]
pub struct Read {
    pub object: ObjectId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mailbox: Option<MailboxId>,
    pub object_end: ObjectId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mailbox_end: Option<MailboxId>,
}

/// Whether a restore may proceed.
#[derive(Clone, Debug, Deserialize)]
pub struct Permit {
    pub verdict: RestoreVerdict,
    pub action: RestoreAction,
    #[serde(default)]
    pub reasons: Vec<String>,
}
