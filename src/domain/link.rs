//! Lineage: two objects that are the same person, or the same mailbox, one after the other.
//!
//! A link never changes whose data a snapshot holds and never lets a chain go on. It only lets people look at two objects
//! side by side. Candidates come from *anchors* alone, never from a name: a namesake is the one mistake that this must not
//! make.

use super::id::{ObjectId, TenantId};

/// A value that goes along with a person or a mailbox rather than with a directory object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Anchor {
    /// Which.
    pub kind: AnchorKind,
    /// Its value, exactly as the source gave it: an immutable id is base64, where case matters.
    pub value: String,
}

/// The anchors there are, the strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AnchorKind {
    /// The mailbox instance (`ExchangeGuid`) that snapshots or receipts name.
    Mailbox,
    /// `onPremisesImmutableId`.
    ImmutableId,
    /// `employeeId`.
    EmployeeId,
}

/// More objects than this with one anchor are no lineage: the value is a default, or stands for something else.
pub const ANCHORED_MAX: usize = 16;

/// One end of a link: an object, perhaps of another tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct LinkEnd {
    /// Its tenant; `None` is the ledger's own.
    pub tenant: Option<TenantId>,
    /// The object.
    pub object: ObjectId,
}

/// What an earlier object is to a later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Relation {
    /// The same person has a new object (rehire, accident).
    RecreatedAs,
    /// The mailbox moved to another tenant.
    MigratedTo,
    /// The content went into another mailbox that lived beside it.
    MergedInto,
    /// The later object's mailbox was recovered from the earlier one's inactive mailbox.
    RecoveredFrom,
}

/// What an operator approved, or took back.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Link {
    /// The earlier object, in the ledger's tenant.
    pub from: ObjectId,
    /// The later one.
    pub to: LinkEnd,
    /// What the earlier one is to the later one.
    pub relation: Relation,
    /// Why, in the operator's words.
    pub note: Option<String>,
    /// The operator.
    pub by: Option<String>,
}
