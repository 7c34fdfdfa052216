//! Findings: what an auditor or operator must look at.
//!
//! A finding's id follows from its kind and subject alone, so the same trouble found again, in another order or by a
//! rebuild, is the same finding.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use super::id::{ChainId, ObjectId, Sequence};
use super::link::Anchor;
use super::name::NameKey;
use super::time::Instant;

/// A finding's id: the first sixteen bytes of `SHA-256` over its kind and subject, printed as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FindingId([u8; 16]);

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// Snapshots of one chain belong to different objects.
    MixedChain,
    /// Different mailbox instances in one chain.
    MailboxChanged,
    /// What an agent really read is not what it was to read.
    ReceiptMismatch,
    /// Snapshots that cannot be attributed, or whose assumed owners differ within a chain.
    Unattributable,
    /// A snapshot was taken by a name that nobody held.
    NobodyHeldName,
    /// A protected name passed to another object.
    NameReused,
    /// One object's user principal name is another's SMTP address.
    AddressCollision,
    /// One object in several chains.
    SplitOwner,
    /// A guard stopped a sync.
    MassChange,
    /// Many renames by one suffix.
    DomainChange,
    /// Another object looks like the same person.
    LinkCandidate,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know.
    Notice,
    /// Needs a look.
    Warning,
    /// Somebody's data is, or is about to be, where it does not belong.
    Critical,
}

/// Where a finding stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum FindingState {
    /// Nobody has looked at it.
    Open,
    /// Somebody has.
    Acknowledged,
    /// It was dealt with.
    Resolved,
    /// New evidence says that it never was so.
    Withdrawn,
}

/// What a finding is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A chain.
    Chain(ChainId),
    /// A name.
    Name(NameKey),
    /// An object.
    Object(ObjectId),
    /// Objects that share an anchor.
    Anchor(Anchor),
    /// A sync run, by its number.
    Run(u64),
}

/// A finding and its history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its id.
    pub id: FindingId,
    /// What was found.
    pub kind: FindingKind,
    /// About what.
    pub subject: Subject,
    /// How much of it there is (offending snapshots, holders, objects): more of it opens an acknowledged or
    /// resolved finding again.
    pub weight: u64,
    /// What happened to it, oldest first; never empty, the first opens it.
    pub steps: Vec<Step>,
}

/// One change of a finding's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The state from then on.
    pub state: FindingState,
    /// The commit that brought it.
    pub sequence: Sequence,
    /// When the ledger learnt it.
    pub time: Instant,
    /// Who; `None` is the ledger itself.
    pub by: Option<String>,
    /// Why.
    pub note: Option<String>,
}

/// An operator's word on a finding.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Review {
    /// Which finding.
    pub finding: FindingId,
    /// When it was given, so that the same word can be given again later.
    pub at: Instant,
    /// Who.
    pub by: Option<String>,
    /// Why.
    pub note: Option<String>,
}

impl FindingKind {
    /// All kinds, in the order in which they are listed.
    pub const ALL: [Self; 11] = [
        Self::MixedChain,
        Self::MailboxChanged,
        Self::ReceiptMismatch,
        Self::Unattributable,
        Self::NobodyHeldName,
        Self::NameReused,
        Self::AddressCollision,
        Self::SplitOwner,
        Self::MassChange,
        Self::DomainChange,
        Self::LinkCandidate,
    ];

    /// How bad it is.
    pub fn severity(self) -> Severity {
        match self {
            Self::MixedChain | Self::MailboxChanged | Self::ReceiptMismatch => Severity::Critical,
            Self::Unattributable
            | Self::NobodyHeldName
            | Self::NameReused
            | Self::AddressCollision
            | Self::MassChange => Severity::Warning,
            Self::SplitOwner | Self::DomainChange | Self::LinkCandidate => Severity::Notice,
        }
    }

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::MixedChain => "mixed_chain",
            Self::MailboxChanged => "mailbox_changed",
            Self::ReceiptMismatch => "receipt_mismatch",
            Self::Unattributable => "unattributable",
            Self::NobodyHeldName => "nobody_held_name",
            Self::NameReused => "name_reused",
            Self::AddressCollision => "address_collision",
            Self::SplitOwner => "split_owner",
            Self::MassChange => "mass_change",
            Self::DomainChange => "domain_change",
            Self::LinkCandidate => "link_candidate",
        }
    }
}

impl Finding {
    /// Where it stands.
    pub fn state(&self) -> FindingState {
        self.steps.last().map_or(FindingState::Open, |step| step.state)
    }

    /// How bad it is.
    pub fn severity(&self) -> Severity {
        self.kind.severity()
    }
}

impl FindingId {
    /// The id of the finding of this kind about this subject.
    pub fn of(kind: FindingKind, subject: &Subject) -> Self {
        let mut hash = Sha256::new();
        let mut part = |bytes: &[u8]| {
            // Each part is preceded by its length, so that no two lists of parts have the same bytes.
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        };
        part(kind.word().as_bytes());
        match subject {
            Subject::Chain(chain) => {
                part(b"chain");
                part(chain.as_str().as_bytes());
            }
            Subject::Name(name) => {
                part(b"name");
                part(name.as_str().as_bytes());
            }
            Subject::Object(object) => {
                part(b"object");
                part(object.as_bytes());
            }
            Subject::Anchor(anchor) => {
                part(b"anchor");
                part(&[anchor.kind as u8]);
                part(anchor.value.as_bytes());
            }
            Subject::Run(run) => {
                part(b"run");
                part(&run.to_be_bytes());
            }
        }
        let digest: [u8; 32] = hash.finalize().into();
        let mut id = [0; 16];
        id.copy_from_slice(digest.split_at(16).0);
        Self(id)
    }

    /// The id with these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The sixteen bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// Text that is no finding's id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no finding's id, which has 32 hexadecimal digits; `whowas findings` lists them")]
pub struct NoFindingId(String);

impl FromStr for FindingId {
    type Err = NoFindingId;

    fn from_str(text: &str) -> Result<Self, NoFindingId> {
        let refuse = || NoFindingId(text.chars().take(64).collect());
        if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(refuse());
        }
        u128::from_str_radix(text, 16).map(|number| Self(number.to_be_bytes())).map_err(|_| refuse())
    }
}

impl fmt::Display for FindingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for FindingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FindingId({self})")
    }
}

impl serde::Serialize for FindingId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for FindingId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <String as serde::Deserialize>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_follows_from_kind_and_subject_and_reads_back() {
        let chain = Subject::Chain("c1".parse().unwrap());
        let id = FindingId::of(FindingKind::MixedChain, &chain);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id, FindingId::of(FindingKind::MixedChain, &chain));
        let others = [
            FindingId::of(FindingKind::Unattributable, &chain),
            FindingId::of(FindingKind::MixedChain, &Subject::Chain("c2".parse().unwrap())),
            FindingId::of(
                FindingKind::MixedChain,
                &Subject::Name("c1@x.test".parse::<super::super::name::Name>().unwrap().key().clone()),
            ),
        ];
        assert!(!others.contains(&id));
        // The id is part of the outer contract: operators keep it in tickets.
        assert_eq!(id.to_string(), "972b8c6b7f98a70ffa903210b94fc81a");
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in ["", "xyz", "0123", &"0".repeat(33), &"+".repeat(32)] {
            assert!(text.parse::<FindingId>().is_err(), "{text}");
        }
    }
}
