//! Why the directory refuses an act.

use crate::domain::id::ObjectId;
use crate::domain::time::Instant;

/// An act that the directory refuses, leaving everything as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A live object holds the name already.
    #[error("another object with the same value for property {property} already exists")]
    ObjectConflict {
        /// The Graph property that clashes: `userPrincipalName` or `proxyAddresses`.
        property: &'static str,
    },
    /// No live object has this id.
    #[error("object {0} does not exist")]
    NotFound(ObjectId),
    /// No live user is known by this id or user principal name.
    #[error("no user is known by {0:?}")]
    UnknownUser(String),
    /// No deleted user has this id.
    #[error("object {0} is not among the deleted items")]
    NotDeleted(ObjectId),
    /// The user has no mailbox: no licence with an Exchange plan.
    #[error("user {0} has no mailbox")]
    NoMailbox(ObjectId),
    /// The mailbox has no such message.
    #[error("the mailbox has no message {0:?}")]
    NoMessage(String),
    /// A value is malformed.
    #[error("invalid value specified for property {property}: {given:?}")]
    InvalidValue {
        /// The Graph property.
        property: &'static str,
        /// What was given.
        given: String,
    },
    /// The clock was to be set back; the directory's log runs forward only.
    #[error("the clock stands at {now} and cannot go back to {asked}")]
    ClockBack {
        /// Where the clock stands.
        now: Instant,
        /// Where it was to be set.
        asked: Instant,
    },
}
