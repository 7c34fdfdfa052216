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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct LinkEnd {
    /// Its tenant; `None` is the ledger's own.
    pub tenant: Option<TenantId>,
    /// The object.
    pub object: ObjectId,
}

/// What an earlier object is to a later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
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
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
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

/// How much a shared anchor says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Strength {
    /// The mailbox itself is the same.
    Strong,
    /// The same account of another directory stood behind both.
    Medium,
    /// A number that people type in: it is copied, reused and mistyped.
    Weak,
}

impl AnchorKind {
    /// How much it says that two objects share it.
    pub fn strength(self) -> Strength {
        match self {
            Self::Mailbox => Strength::Strong,
            Self::ImmutableId => Strength::Medium,
            Self::EmployeeId => Strength::Weak,
        }
    }
}

impl Relation {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::RecreatedAs, Self::MigratedTo, Self::MergedInto, Self::RecoveredFrom];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::RecreatedAs => "recreated-as",
            Self::MigratedTo => "migrated-to",
            Self::MergedInto => "merged-into",
            Self::RecoveredFrom => "recovered-from",
        }
    }

    /// What two objects that share an anchor most likely are to each other; an operator decides.
    pub fn likely(anchor: AnchorKind, other_tenant: bool, both_live: bool) -> Self {
        match (anchor, other_tenant, both_live) {
            (AnchorKind::Mailbox, true, _) => Self::MigratedTo,
            (AnchorKind::Mailbox, false, _) => Self::RecoveredFrom,
            (_, _, true) => Self::MergedInto,
            (_, _, false) => Self::RecreatedAs,
        }
    }
}

impl Link {
    /// The link in words: which object is what to which. `call` says how an object is called.
    pub fn sentence(&self, call: impl Fn(ObjectId) -> String) -> String {
        let tenant = self.to.tenant.map(|tenant| format!(" of tenant {tenant}")).unwrap_or_default();
        let (from, to) = (call(self.from), format!("{}{tenant}", call(self.to.object)));
        match self.relation {
            Relation::RecreatedAs => format!("{from} was recreated as {to}"),
            Relation::MigratedTo => format!("{from} migrated to {to}"),
            Relation::MergedInto => format!("{from} was merged into {to}"),
            Relation::RecoveredFrom => format!("{to} was recovered from {from}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_says_which_object_became_which() {
        let (a, b) = (ObjectId::from_bytes([1; 16]), ObjectId::from_bytes([2; 16]));
        let call = |object| if object == a { "A".to_owned() } else { "B".to_owned() };
        let said = Relation::ALL.map(|relation| {
            let to = LinkEnd { tenant: None, object: b };
            Link { from: a, to, relation, note: None, by: None }.sentence(call)
        });
        assert_eq!(said, ["A was recreated as B", "A migrated to B", "A was merged into B", "B was recovered from A"]);
    }

    #[test]
    fn words_are_those_of_the_json() {
        for relation in Relation::ALL {
            assert_eq!(serde_json::to_value(relation).unwrap(), relation.word());
        }
    }

    #[test]
    fn the_stronger_anchor_comes_first_and_names_alone_are_none() {
        let strengths =
            [AnchorKind::Mailbox, AnchorKind::ImmutableId, AnchorKind::EmployeeId].map(AnchorKind::strength);
        assert_eq!(strengths, [Strength::Strong, Strength::Medium, Strength::Weak]);
        assert_eq!(Relation::likely(AnchorKind::Mailbox, true, false), Relation::MigratedTo);
        assert_eq!(Relation::likely(AnchorKind::EmployeeId, false, false), Relation::RecreatedAs);
    }
}
