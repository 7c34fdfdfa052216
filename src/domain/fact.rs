//! Facts: immutable things that a source said. The journal holds facts and nothing else.

use std::time::Duration;

use super::attribution::Settling;
use super::domain_change::DomainChanged;
use super::erase::Redacted;
use super::finding::Review;
use super::guard::{Held, HoldEnded, HoldRejected};
use super::id::{ChainId, MailboxId, ObjectId, Sequence, SnapshotId};
use super::interval::Interval;
use super::link::Link;
use super::mapping::MappingApplied;
use super::name::{Name, NameKey, NameKind, Namespace, Proxy};
use super::scope::{Described, FeedTells, Grouped, GroupsListed};
use super::time::Instant;

/// How long an HTTP `Date` may be cut short: it has whole seconds.
pub const DATE_WIDTH: Duration = Duration::from_secs(1);

/// Who said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A page of `/users/delta`, the initial enumeration included.
    Delta,
    /// A full read beside the delta feed: a users listing or the deleted items.
    Reconcile,
    /// A read of one object or name at the moment of a question.
    Live,
    /// The directory's audit log.
    Audit,
    /// A file from elsewhere: an old export.
    Import,
    /// What a backup agent reports of its own work.
    Agent,
    /// A person.
    Operator,
}

/// One thing a source said.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum Fact {
    /// An object's complete profile at an instant.
    Seen(Seen),
    /// An object was found deleted.
    Removed(Removed),
    /// An audit event: one property changed from old to new.
    Changed(Changed),
    /// An audit event: the object was created, deleted or restored.
    Lifecycle(Lifecycle),
    /// A live read found nobody under this user principal name.
    Vacant(Vacant),
    /// A completed feed proves an interval of time.
    Horizon(Horizon),
    /// A round began whose pages are committed one by one.
    RoundBegan(RoundBegan),
    /// A time that no horizon covers, and why.
    Blind(Blind),
    /// A guard held a round: nothing of it was applied.
    Held(Held),
    /// A hold ended.
    HoldEnded(HoldEnded),
    /// An operator finds a held round wrong.
    HoldRejected(HoldRejected),
    /// Many renames of one round were one change of domain.
    DomainChanged(DomainChanged),
    /// A snapshot was taken.
    SnapshotTaken(Snapshot),
    /// What the agent really read for a snapshot.
    Receipt(Receipt),
    /// A snapshot is no longer kept by the backup product.
    SnapshotExpired(SnapshotExpired),
    /// From now on snapshots are attributed by these terms.
    Settling(Settling),
    /// An operator approved a lineage link.
    Linked(Link),
    /// An operator took a lineage link back.
    Unlinked(Link),
    /// An operator has seen a finding.
    Acknowledged(Review),
    /// An operator has dealt with a finding.
    Resolved(Review),
    /// A user's attributes that mapping rules look at.
    Described(Described),
    /// A user was found among a group's members, or no longer.
    Grouped(Grouped),
    /// From now on these rules decide who is protected.
    MappingApplied(MappingApplied),
    /// The members of groups were listed.
    GroupsListed(GroupsListed),
    /// The delta feed tells these attributes.
    FeedTells(FeedTells),
    /// An object's names were erased.
    Redacted(Redacted),
}

/// When a directory answer was read: it shows the state at *some* instant of `[at - lag, at + 1 s)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct Reading {
    /// The server's `Date`.
    pub at: Instant,
    /// How far the answer may trail behind the directory.
    #[serde(rename = "lag_s", serialize_with = "super::time::as_seconds")]
    pub lag: Duration,
    /// Who said it.
    pub source: Source,
    /// Only for the delta feed after its first round: the previous horizon. The feed proves that the object's earlier
    /// state held without change from its previous report through this instant.
    pub unchanged_since: Option<Instant>,
}

impl Reading {
    /// The instants at one of which the state was so.
    pub fn window(&self) -> Interval {
        // The window is at least one second wide, so it is never empty short of the end of time.
        Interval::new(self.at.minus(self.lag), self.at.plus(DATE_WIDTH))
            .or_else(|| Interval::new(self.at.pred(), Instant::MAX))
            .unwrap_or_else(|| unreachable!("an instant before the last one begins an interval"))
    }
}

/// How the directory's answers are to be dated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Widths {
    /// How far the delta feed and listings may trail behind the directory.
    pub lag: Duration,
    /// How far a live read may.
    pub read_lag: Duration,
    /// How far the server's clock and ours may be apart.
    pub max_skew: Duration,
}

impl Widths {
    /// Through when a completed round proves every object that it does not report unchanged. `started` is the server's
    /// `Date` at the round's first page, which may trail behind the directory.
    pub fn horizon(&self, started: Instant) -> Instant {
        started.minus(self.lag)
    }
}

impl Default for Widths {
    fn default() -> Self {
        Self { lag: Duration::from_secs(300), read_lag: Duration::from_secs(30), max_skew: Duration::from_secs(300) }
    }
}

/// An object's complete profile: a name that is not in it was not held.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Seen {
    /// Whose profile.
    pub object: ObjectId,
    /// When and by whom it was read.
    pub reading: Reading,
    /// What it said.
    pub profile: Profile,
}

/// What kind of directory object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum ObjectKind {
    /// A user: a person, a shared mailbox, a room, a guest.
    #[default]
    User,
    /// A group.
    Group,
    /// A mail contact.
    Contact,
}

/// The properties of a directory object that matter for identity.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Profile {
    /// User, group or contact.
    pub kind: ObjectKind,
    /// `userPrincipalName`. Local and social accounts have none.
    pub upn: Option<Name>,
    /// `mail`.
    pub mail: Option<Name>,
    /// `proxyAddresses`.
    pub proxies: Vec<Proxy>,
    /// `createdDateTime`: whole seconds, null for some old objects.
    pub created: Option<Instant>,
    /// `userType`: `Member`, `Guest` or null.
    pub user_type: Option<String>,
    /// `employeeId`, an anchor for lineage; never a ground for identity.
    pub employee_id: Option<String>,
    /// `onPremisesImmutableId`, case-sensitive, an anchor for lineage.
    pub immutable_id: Option<String>,
    /// The state of the Exchange licence; `None` where the source does not tell it.
    pub mailbox: Option<MailboxState>,
}

/// The state of an object's right to a mailbox, as its Exchange licence has it. A later one is worth more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum MailboxState {
    /// There is no Exchange licence, and no trace of one. A shared mailbox needs none.
    Unlicensed,
    /// The licence was taken away: the mailbox goes with it, and is kept for 30 days.
    Deleted,
    /// Nobody can sign in to the service; the data stays.
    LockedOut,
    /// The licence lapsed; the mailbox cannot be used, its data stays.
    Suspended,
    /// The licence is about to lapse.
    Warning,
    /// There is a licence.
    Enabled,
}

impl MailboxState {
    /// Whether a mailbox goes with it.
    pub fn is_licensed(self) -> bool {
        self > Self::Deleted
    }
}

impl Profile {
    /// The user principal name, unless it is the mangled one of a deleted object.
    pub fn upn_of(&self, object: ObjectId) -> Option<&Name> {
        self.upn.as_ref().filter(|upn| upn.unmangled(object).is_none())
    }

    /// The primary SMTP address: the `SMTP:` entry, else `mail`.
    pub fn primary(&self) -> Option<&Name> {
        self.proxies
            .iter()
            .find_map(|proxy| if let Proxy::Primary(name) = proxy { Some(name) } else { None })
            .or(self.mail.as_ref())
    }

    /// Every SMTP address: `mail` and the SMTP entries of `proxyAddresses`, each key once.
    pub fn smtp(&self) -> Vec<&Name> {
        let mut names: Vec<&Name> = self.mail.iter().chain(self.proxies.iter().filter_map(Proxy::smtp)).collect();
        names.sort();
        names.dedup();
        names
    }
}

impl Seen {
    /// The SMTP addresses that the object holds: each of them opens its mailbox, and that of nobody else.
    ///
    /// The directory keeps the entries of `proxyAddresses` apart, and `mail` not: it may be somebody else's address (graph:
    /// api-reference/v1.0/resources/user.md). So `mail` alone is a label. A file from elsewhere has often nothing but `mail`, and proves
    /// nothing.
    pub fn addresses(&self) -> Vec<&Name> {
        let mut names = self.profile.smtp();
        names.retain(|name| self.has_address(name.key()));
        names
    }

    /// Whether this is one of [`Self::addresses`].
    pub fn has_address(&self, key: &NameKey) -> bool {
        let is_mail = || self.profile.mail.as_ref().is_some_and(|mail| mail.key() == key);
        self.profile.proxies.iter().filter_map(Proxy::smtp).any(|own| own.key() == key)
            || self.reading.source == Source::Import && is_mail()
    }

    /// The primary SMTP address, if the object holds it.
    pub fn primary(&self) -> Option<&Name> {
        self.profile.primary().filter(|primary| self.has_address(primary.key()))
    }
}

/// How an object was found gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Removal {
    /// Soft-deleted: it can come back.
    Soft,
    /// Gone for good.
    Purged,
    /// A live read answered 404: soft-deleted, purged or not yet replicated.
    NotFound,
}

/// An object was found deleted. Deleting releases all of its names.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Removed {
    /// Which object.
    pub object: ObjectId,
    /// When and by whom it was found so.
    pub reading: Reading,
    /// How.
    pub removal: Removal,
    /// `deletedDateTime`: whole seconds.
    pub deleted: Option<Instant>,
    /// The user principal name just before the deletion, without the object id that the directory puts in front.
    pub last_upn: Option<Name>,
}

/// A property that an audit event can tell of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Property {
    /// `UserPrincipalName`.
    UserPrincipalName,
    /// `ProxyAddresses`: the SMTP entries.
    ProxyAddresses,
}

impl Property {
    /// The namespace that its values belong to.
    pub fn namespace(self) -> Namespace {
        match self {
            Self::UserPrincipalName => Namespace::Upn,
            Self::ProxyAddresses => Namespace::Smtp,
        }
    }
}

/// An audit event `Update user`. `None` means that the event did not tell the value; an empty list that it was empty.
///
/// An event of the Office 365 form that is dated with a whole second gives two, with its one id: what was before it at the beginning of
/// that second, and what was after it [`DATE_WIDTH`] later. One of them is a [`Lifecycle`] if it was one.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Changed {
    /// Whose property.
    pub object: ObjectId,
    /// When, to the microsecond.
    pub at: Instant,
    /// The event's id in the audit log.
    pub event: String,
    /// Which property.
    pub property: Property,
    /// The values just before.
    pub old: Option<Vec<Name>>,
    /// The values just after.
    pub new: Option<Vec<Name>>,
}

/// What happened to an object's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Life {
    /// `Add user`: before it the object did not exist.
    Created,
    /// `Delete user`.
    Deleted,
    /// `Hard Delete user`.
    Purged,
    /// `Restore user`.
    Restored,
}

/// An audit event about an object's life.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Lifecycle {
    /// Whose life.
    pub object: ObjectId,
    /// When, to the microsecond.
    pub at: Instant,
    /// The event's id in the audit log.
    pub event: String,
    /// What happened.
    pub life: Life,
    /// At a creation the UPN given then, at a deletion the one held just before; only where the event tells it.
    pub upn: Option<Name>,
}

/// A live read by user principal name answered 404.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Vacant {
    /// The name asked for.
    pub name: Name,
    /// When.
    pub reading: Reading,
}

/// Which feed a horizon speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Feed {
    /// `/users/delta`: every object not reported is unchanged.
    Delta,
    /// The directory's audit log, read past its own lag without holes: every UPN change and every deletion or restore is known.
    Audit,
}

/// A completed feed proves `(from, through]`. The delta feed's first round has `from` equal to `through`:
/// it starts the proof and covers nothing yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
pub struct Horizon {
    /// Which feed.
    pub feed: Feed,
    /// The previous horizon of the same unbroken feed.
    pub from: Instant,
    /// The instant through which nothing was missed.
    pub through: Instant,
}

/// A round's first page was committed and more are to come: until its horizon the state is half a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
pub struct RoundBegan {
    /// The server's `Date` at the round's first page.
    pub started: Instant,
}

/// A time not covered by any horizon.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Blind {
    /// The last horizon before it.
    pub from: Instant,
    /// The first horizon after it.
    pub until: Instant,
    /// Why, in a few words.
    pub why: String,
}

/// By what a snapshot's mailbox was opened.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Addressed {
    /// By a name, which the service resolved at that time.
    Name(Name, NameKind),
    /// By the object id, which cannot be redirected.
    Object(ObjectId),
}

/// One restore point: which chain, when it was taken, how its mailbox was opened.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Snapshot {
    /// The chain it belongs to.
    pub chain: ChainId,
    /// Its id within the chain.
    pub id: SnapshotId,
    /// The first instant of the read.
    pub from: Instant,
    /// The last instant of the read.
    pub until: Instant,
    /// How the mailbox was opened.
    pub addressed: Addressed,
    /// The mailbox instance, if the agent knew it.
    pub mailbox: Option<MailboxId>,
}

impl Snapshot {
    /// In what another record of the same snapshot differs from this one; `None` if it says the same.
    pub fn difference(&self, other: &Self) -> Option<&'static str> {
        if self.addressed != other.addressed {
            Some("another name or object")
        } else if (self.from, self.until) != (other.from, other.until) {
            Some("other times")
        } else if self.mailbox != other.mailbox {
            Some("another mailbox")
        } else {
            None
        }
    }

    /// The mailbox instances that it was read from, in the order in which they were told; several if the mailbox changed
    /// under the read. What the agent really read stands above what it meant to read.
    pub fn read_from<'r>(&self, receipts: impl IntoIterator<Item = &'r Receipt>) -> Vec<MailboxId> {
        let mut read: Vec<MailboxId> = Vec::new();
        for mailbox in receipts.into_iter().flat_map(|receipt| [receipt.mailbox, receipt.mailbox_end]).flatten() {
            if !read.contains(&mailbox) {
                read.push(mailbox);
            }
        }
        if read.is_empty() { self.mailbox.into_iter().collect() } else { read }
    }
}

/// The object and mailbox that the agent really read, at the start and at the end of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Receipt {
    /// The chain.
    pub chain: ChainId,
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// The object read at the start.
    pub object: ObjectId,
    /// The mailbox read at the start.
    pub mailbox: Option<MailboxId>,
    /// The object read at the end.
    pub object_end: Option<ObjectId>,
    /// The mailbox read at the end.
    pub mailbox_end: Option<MailboxId>,
}

/// The backup product no longer keeps a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct SnapshotExpired {
    /// The chain.
    pub chain: ChainId,
    /// The snapshot.
    pub snapshot: SnapshotId,
}

/// A fact and the commit that brought it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// The commit.
    pub sequence: Sequence,
    /// The fact.
    pub fact: Fact,
}

impl Fact {
    /// The directory object that the fact is about, if it is about one object: its names, its life, or what mapping rules
    /// look at.
    pub fn object(&self) -> Option<ObjectId> {
        match self {
            Self::Seen(seen) => Some(seen.object),
            Self::Removed(removed) => Some(removed.object),
            Self::Changed(changed) => Some(changed.object),
            Self::Lifecycle(lifecycle) => Some(lifecycle.object),
            Self::Described(described) => Some(described.object),
            Self::Grouped(grouped) => Some(grouped.object),
            _ => None,
        }
    }

    /// Whether it says nothing of names or life, only what mapping rules look at.
    pub fn is_about_scope(&self) -> bool {
        matches!(self, Self::Described(_) | Self::Grouped(_))
    }

    /// Every name that the fact says its object held at some time, in no order, possibly repeated.
    pub fn names(&self) -> Vec<(Namespace, &Name)> {
        match self {
            Self::Seen(seen) => seen
                .profile
                .upn_of(seen.object)
                .map(|upn| (Namespace::Upn, upn))
                .into_iter()
                .chain(seen.addresses().into_iter().map(|name| (Namespace::Smtp, name)))
                .collect(),
            Self::Removed(removed) => removed.last_upn.iter().map(|upn| (Namespace::Upn, upn)).collect(),
            Self::Changed(changed) => changed
                .old
                .iter()
                .chain(&changed.new)
                .flatten()
                .map(|name| (changed.property.namespace(), name))
                .filter(|(_, name)| name.unmangled(changed.object).is_none())
                .collect(),
            Self::Lifecycle(lifecycle) => lifecycle.upn.iter().map(|upn| (Namespace::Upn, upn)).collect(),
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_records_of_one_snapshot_differ_in_what_they_were_told_and_in_nothing_else() {
        let at = |text: &str| text.parse::<Instant>().unwrap();
        let mailbox = |byte| Some(MailboxId::from_bytes([byte; 16]));
        let known = Snapshot {
            chain: "cA".parse().unwrap(),
            id: "1".parse().unwrap(),
            from: at("2026-03-01T08:00:00Z"),
            until: at("2026-03-01T09:00:00Z"),
            addressed: Addressed::Object(ObjectId::from_bytes([1; 16])),
            mailbox: mailbox(1),
        };
        let addressed = Addressed::Object(ObjectId::from_bytes([2; 16]));
        let others = [
            (known.clone(), None),
            (Snapshot { addressed, ..known.clone() }, Some("another name or object")),
            (Snapshot { until: at("2026-03-01T09:00:01Z"), ..known.clone() }, Some("other times")),
            (Snapshot { mailbox: mailbox(2), ..known.clone() }, Some("another mailbox")),
            (Snapshot { mailbox: None, ..known.clone() }, Some("another mailbox")),
        ];
        for (other, difference) in others {
            assert_eq!(known.difference(&other), difference, "{other:?}");
        }
    }

    #[test]
    fn what_the_agent_read_stands_above_what_it_meant_to_read() {
        let [one, two, three] = [1, 2, 3].map(|byte| MailboxId::from_bytes([byte; 16]));
        let at = "2026-03-01T08:00:00Z".parse().unwrap();
        let object = ObjectId::from_bytes([1; 16]);
        let (chain, id): (ChainId, SnapshotId) = ("cA".parse().unwrap(), "1".parse().unwrap());
        let receipt = |mailbox, mailbox_end| {
            let (chain, snapshot) = (chain.clone(), id.clone());
            Receipt { chain, snapshot, object, mailbox, object_end: None, mailbox_end }
        };
        let addressed = Addressed::Object(object);
        let (chain, id) = (chain.clone(), id.clone());
        let snapshot = Snapshot { chain, id, from: at, until: at, addressed, mailbox: Some(one) };
        assert_eq!(snapshot.read_from(&[]), [one]);
        assert_eq!(snapshot.read_from(&[receipt(None, None)]), [one]);
        assert_eq!(snapshot.read_from(&[receipt(Some(three), Some(two)), receipt(Some(two), None)]), [three, two]);
    }
}
