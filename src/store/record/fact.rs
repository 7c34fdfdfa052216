//! Facts as they are stored.

use std::time::Duration;

use bincode::{Decode, Encode};

use super::mapping::{MappingV1, read_attributes};
use super::name::{MailV1, ProxyV1, name, object, spelling};
use crate::domain::attribute::Attribute;
use crate::domain::attribution::Settling;
use crate::domain::domain_change::{DomainChanged, SuffixMap};
use crate::domain::erase::{Fingerprint, Instead, Redacted, Token};
use crate::domain::fact::{
    Addressed, Blind, Changed, Fact, Feed, Horizon, Life, Lifecycle, MailboxState, ObjectKind, Profile, Property,
    Reading, Receipt, Removal, Removed, RoundBegan, Seen, Snapshot, SnapshotExpired, Source, Vacant,
};
use crate::domain::finding::{FindingId, Review};
use crate::domain::guard::{Held, HeldPart, HoldEnd, HoldEnded, HoldRejected, Impact};
use crate::domain::id::{ChainId, MailboxId, ObjectId, Sequence, SnapshotId, TenantId};
use crate::domain::link::{Link, LinkEnd, Relation};
use crate::domain::mapping::MappingApplied;
use crate::domain::name::{Name, NameKind, Proxy};
use crate::domain::scope::{Described, FeedTells, Grouped, GroupsListed};
use crate::domain::time::Instant;
use crate::store::codec::{Record, RecordError};

/// Any fact.
#[derive(Encode, Decode)]
pub(crate) enum FactV1 {
    Object([u8; 16], ObjectFactV1),
    Vacant(VacantV1),
    Horizon { feed: FeedV1, from: i64, through: i64 },
    RoundBegan(i64),
    Blind { from: i64, until: i64, why: String },
    SnapshotTaken(Box<SnapshotV1>),
    Receipt { chain: String, snapshot: String, read: ReadV1 },
    SnapshotExpired { chain: String, snapshot: String },
    Settling(SettlingV1),
    Linked(LinkV1),
    Unlinked(LinkV1),
    Acknowledged(ReviewV1),
    Resolved(ReviewV1),
    Held(HeldV1),
    HoldEnded { run: u64, at: i64, how: HoldEndV1 },
    HoldRejected { run: u64, at: i64 },
    DomainChanged(DomainChangedV1),
    MappingApplied { at: i64, mapping: MappingV1 },
    GroupsListed { at: i64, listed: Vec<[u8; 16]>, refused: Vec<[u8; 16]> },
    FeedTells(Vec<u8>),
    Redacted(Box<RedactedV1>),
}

/// A fact about one object, without the object's id: an object's record has it in its key.
#[derive(Encode, Decode)]
pub(crate) enum ObjectFactV1 {
    Seen(ReadingV1, Box<ProfileV1>),
    Removed {
        reading: ReadingV1,
        removal: RemovalV1,
        deleted: Option<i64>,
        last_upn: Option<String>,
    },
    Changed {
        at: i64,
        event: String,
        property: PropertyV1,
        old: Option<Vec<String>>,
        new: Option<Vec<String>>,
    },
    Lifecycle {
        at: i64,
        event: String,
        life: LifeV1,
        upn: Option<String>,
    },
    /// The attributes by their numbers.
    Described {
        reading: ReadingV1,
        attributes: Vec<(u8, Option<String>)>,
    },
    Grouped {
        group: [u8; 16],
        at: i64,
        is_member: bool,
    },
}

#[derive(Encode, Decode)]
pub(crate) struct ReadingV1 {
    at: i64,
    lag: Duration,
    source: SourceV1,
    unchanged_since: Option<i64>,
}

#[derive(Encode, Decode)]
pub(crate) struct ProfileV1 {
    kind: ObjectKindV1,
    upn: Option<String>,
    mail: MailV1,
    proxies: Vec<ProxyV1>,
    created: Option<i64>,
    user_type: UserTypeV1,
    employee_id: Option<String>,
    immutable_id: Option<String>,
    mailbox: Option<MailboxStateV1>,
}

#[derive(Encode, Decode)]
pub(crate) struct VacantV1 {
    name: String,
    reading: ReadingV1,
}

#[derive(Encode, Decode)]
pub(crate) struct SnapshotV1 {
    chain: String,
    id: String,
    from: i64,
    until: i64,
    addressed: AddressedV1,
    mailbox: Option<[u8; 16]>,
}

/// What a receipt says was read.
#[derive(Encode, Decode)]
pub(crate) struct ReadV1 {
    object: [u8; 16],
    mailbox: Option<[u8; 16]>,
    object_end: Option<[u8; 16]>,
    mailbox_end: Option<[u8; 16]>,
}

#[derive(Encode, Decode)]
pub(crate) enum AddressedV1 {
    Any(String),
    Upn(String),
    Smtp(String),
    Object([u8; 16]),
}

#[derive(Encode, Decode)]
pub(crate) struct SettlingV1 {
    propagation: Duration,
    audit_lag: Option<Duration>,
}

#[derive(Encode, Decode)]
pub(crate) struct LinkV1 {
    from: [u8; 16],
    to_tenant: Option<[u8; 16]>,
    to: [u8; 16],
    relation: RelationV1,
    note: Option<String>,
    by: Option<String>,
}

#[derive(Encode, Decode)]
pub(crate) struct HeldV1 {
    run: u64,
    part: HeldPartV1,
    at: i64,
    removals: u64,
    renames: u64,
    takeovers: u64,
    active: u64,
    why: String,
    chunk: u16,
    complete: bool,
    objects: Vec<[u8; 16]>,
}

#[derive(Encode, Decode)]
pub(crate) struct DomainChangedV1 {
    run: u64,
    at: i64,
    from: String,
    to: String,
    renamed: u64,
    exceptions: u64,
    stragglers: u64,
    named_exceptions: Vec<[u8; 16]>,
    named_stragglers: Vec<[u8; 16]>,
}

#[derive(Encode, Decode)]
pub(crate) struct RedactedV1 {
    object: [u8; 16],
    at: i64,
    by: Option<String>,
    note: Option<String>,
    key: [u8; 8],
    names: Vec<[u8; 16]>,
    texts: Vec<[u8; 16]>,
    /// The commit, the place in it, and the digest of what stands there.
    items: Vec<(u64, u32, [u8; 32])>,
}

#[derive(Encode, Decode)]
pub(crate) struct ReviewV1 {
    finding: [u8; 16],
    at: i64,
    by: Option<String>,
    note: Option<String>,
}

#[derive(Encode, Decode)]
enum UserTypeV1 {
    None,
    Member,
    Guest,
    Other(String),
}

macro_rules! mirrored {
    ($stored:ident = $domain:ident { $($variant:ident),+ }) => {
        #[derive(Encode, Decode)]
        pub(crate) enum $stored { $($variant),+ }

        impl From<$domain> for $stored {
            fn from(value: $domain) -> Self {
                match value { $($domain::$variant => Self::$variant),+ }
            }
        }

        impl From<$stored> for $domain {
            fn from(value: $stored) -> Self {
                match value { $($stored::$variant => Self::$variant),+ }
            }
        }
    };
}
pub(super) use mirrored;

mirrored!(SourceV1 = Source { Delta, Reconcile, Live, Audit, Import, Agent, Operator });
mirrored!(ObjectKindV1 = ObjectKind { User, Group, Contact });
mirrored!(MailboxStateV1 = MailboxState { Unlicensed, Deleted, LockedOut, Suspended, Warning, Enabled });
mirrored!(RemovalV1 = Removal { Soft, Purged, NotFound });
mirrored!(PropertyV1 = Property { UserPrincipalName, ProxyAddresses });
mirrored!(LifeV1 = Life { Created, Deleted, Purged, Restored });
mirrored!(FeedV1 = Feed { Delta, Audit });
mirrored!(HeldPartV1 = HeldPart { Round, Reconcile });
mirrored!(HoldEndV1 = HoldEnd { Passed, Accepted });
mirrored!(RelationV1 = Relation { RecreatedAs, MigratedTo, MergedInto, RecoveredFrom });

impl Record for FactV1 {
    const VERSION: u8 = 1;
}

impl FactV1 {
    pub(crate) fn of(fact: &Fact) -> Self {
        if let Some((object, fact)) = ObjectFactV1::of(fact) {
            return Self::Object(*object.as_bytes(), fact);
        }
        match fact {
            Fact::Vacant(vacant) => Self::Vacant(VacantV1::of(vacant)),
            Fact::Horizon(Horizon { feed, from, through }) => {
                Self::Horizon { feed: (*feed).into(), from: from.as_micros(), through: through.as_micros() }
            }
            Fact::RoundBegan(RoundBegan { started }) => Self::RoundBegan(started.as_micros()),
            Fact::Blind(Blind { from, until, why }) => {
                Self::Blind { from: from.as_micros(), until: until.as_micros(), why: why.clone() }
            }
            Fact::SnapshotTaken(snapshot) => Self::SnapshotTaken(Box::new(SnapshotV1::of(snapshot))),
            Fact::Receipt(receipt) => Self::Receipt {
                chain: receipt.chain.to_string(),
                snapshot: receipt.snapshot.to_string(),
                read: ReadV1::of(receipt),
            },
            Fact::SnapshotExpired(SnapshotExpired { chain, snapshot }) => {
                Self::SnapshotExpired { chain: chain.to_string(), snapshot: snapshot.to_string() }
            }
            Fact::Settling(settling) => Self::Settling(SettlingV1::of(*settling)),
            Fact::Linked(link) => Self::Linked(LinkV1::of(link)),
            Fact::Unlinked(link) => Self::Unlinked(LinkV1::of(link)),
            Fact::Acknowledged(review) => Self::Acknowledged(ReviewV1::of(review)),
            Fact::Resolved(review) => Self::Resolved(ReviewV1::of(review)),
            Fact::Held(held) => Self::Held(HeldV1::of(held)),
            Fact::HoldEnded(HoldEnded { run, at, how }) => {
                Self::HoldEnded { run: *run, at: at.as_micros(), how: (*how).into() }
            }
            Fact::HoldRejected(HoldRejected { run, at }) => Self::HoldRejected { run: *run, at: at.as_micros() },
            Fact::DomainChanged(changed) => Self::DomainChanged(DomainChangedV1::of(changed)),
            Fact::MappingApplied(MappingApplied { at, mapping }) => {
                Self::MappingApplied { at: at.as_micros(), mapping: MappingV1::of(mapping) }
            }
            Fact::GroupsListed(GroupsListed { at, listed, refused }) => {
                Self::GroupsListed { at: at.as_micros(), listed: ids(listed), refused: ids(refused) }
            }
            Fact::FeedTells(FeedTells { attributes }) => {
                Self::FeedTells(attributes.iter().map(|attribute| attribute.number()).collect())
            }
            Fact::Redacted(redacted) => Self::Redacted(Box::new(RedactedV1::of(redacted))),
            Fact::Seen(_)
            | Fact::Removed(_)
            | Fact::Changed(_)
            | Fact::Lifecycle(_)
            | Fact::Described(_)
            | Fact::Grouped(_) => {
                unreachable!("facts about an object were taken above")
            }
        }
    }

    pub(crate) fn read(self) -> Result<Fact, RecordError> {
        Ok(match self {
            Self::Object(id, fact) => fact.read(object(id))?,
            Self::Vacant(vacant) => Fact::Vacant(vacant.read()?),
            Self::Horizon { feed, from, through } => {
                Fact::Horizon(Horizon { feed: feed.into(), from: instant(from), through: instant(through) })
            }
            Self::RoundBegan(started) => Fact::RoundBegan(RoundBegan { started: instant(started) }),
            Self::Blind { from, until, why } => Fact::Blind(Blind { from: instant(from), until: instant(until), why }),
            Self::SnapshotTaken(snapshot) => Fact::SnapshotTaken(snapshot.read()?),
            Self::Receipt { chain, snapshot, read } => {
                Fact::Receipt(read.read(text(&chain, "chain id")?, text(&snapshot, "snapshot id")?))
            }
            Self::SnapshotExpired { chain, snapshot } => Fact::SnapshotExpired(SnapshotExpired {
                chain: text(&chain, "chain id")?,
                snapshot: text(&snapshot, "snapshot id")?,
            }),
            Self::Settling(settling) => Fact::Settling(settling.read()),
            Self::Linked(link) => Fact::Linked(link.read()),
            Self::Unlinked(link) => Fact::Unlinked(link.read()),
            Self::Acknowledged(review) => Fact::Acknowledged(review.read()),
            Self::Resolved(review) => Fact::Resolved(review.read()),
            Self::Held(held) => Fact::Held(held.read()),
            Self::HoldEnded { run, at, how } => Fact::HoldEnded(HoldEnded { run, at: instant(at), how: how.into() }),
            Self::HoldRejected { run, at } => Fact::HoldRejected(HoldRejected { run, at: instant(at) }),
            Self::DomainChanged(changed) => Fact::DomainChanged(changed.read()),
            Self::MappingApplied { at, mapping } => {
                Fact::MappingApplied(MappingApplied { at: instant(at), mapping: mapping.read()? })
            }
            Self::GroupsListed { at, listed, refused } => Fact::GroupsListed(GroupsListed {
                at: instant(at),
                listed: listed.into_iter().map(object).collect(),
                refused: refused.into_iter().map(object).collect(),
            }),
            Self::FeedTells(numbers) => Fact::FeedTells(FeedTells { attributes: read_attributes(&numbers)? }),
            Self::Redacted(redacted) => Fact::Redacted(redacted.read()),
        })
    }
}

impl ObjectFactV1 {
    /// The object that the fact is about and the rest of the fact; `None` if it is not about one object.
    pub(crate) fn of(fact: &Fact) -> Option<(ObjectId, Self)> {
        match fact {
            Fact::Seen(Seen { object, reading, profile }) => {
                Some((*object, Self::Seen(ReadingV1::of(reading), Box::new(ProfileV1::of(profile)))))
            }
            Fact::Removed(Removed { object, reading, removal, deleted, last_upn }) => Some((
                *object,
                Self::Removed {
                    reading: ReadingV1::of(reading),
                    removal: (*removal).into(),
                    deleted: deleted.map(Instant::as_micros),
                    last_upn: last_upn.as_ref().map(spelling),
                },
            )),
            Fact::Changed(Changed { object, at, event, property, old, new }) => Some((
                *object,
                Self::Changed {
                    at: at.as_micros(),
                    event: event.clone(),
                    property: (*property).into(),
                    old: old.as_deref().map(spellings),
                    new: new.as_deref().map(spellings),
                },
            )),
            Fact::Lifecycle(Lifecycle { object, at, event, life, upn }) => Some((
                *object,
                Self::Lifecycle {
                    at: at.as_micros(),
                    event: event.clone(),
                    life: (*life).into(),
                    upn: upn.as_ref().map(spelling),
                },
            )),
            Fact::Described(Described { object, reading, attributes }) => Some((
                *object,
                Self::Described {
                    reading: ReadingV1::of(reading),
                    attributes: attributes.iter().map(|(key, value)| (key.number(), value.clone())).collect(),
                },
            )),
            Fact::Grouped(Grouped { object, group, at, is_member }) => {
                Some((*object, Self::Grouped { group: *group.as_bytes(), at: at.as_micros(), is_member: *is_member }))
            }
            _ => None,
        }
    }

    pub(crate) fn read(self, object: ObjectId) -> Result<Fact, RecordError> {
        Ok(match self {
            Self::Seen(reading, profile) => {
                Fact::Seen(Seen { object, reading: reading.read(), profile: profile.read()? })
            }
            Self::Removed { reading, removal, deleted, last_upn } => Fact::Removed(Removed {
                object,
                reading: reading.read(),
                removal: removal.into(),
                deleted: deleted.map(instant),
                last_upn: last_upn.as_deref().map(name).transpose()?,
            }),
            Self::Changed { at, event, property, old, new } => Fact::Changed(Changed {
                object,
                at: instant(at),
                event,
                property: property.into(),
                old: old.as_deref().map(names).transpose()?,
                new: new.as_deref().map(names).transpose()?,
            }),
            Self::Lifecycle { at, event, life, upn } => Fact::Lifecycle(Lifecycle {
                object,
                at: instant(at),
                event,
                life: life.into(),
                upn: upn.as_deref().map(name).transpose()?,
            }),
            Self::Described { reading, attributes } => Fact::Described(Described {
                object,
                reading: reading.read(),
                attributes: attributes
                    .into_iter()
                    .map(|(number, value)| Ok((read_attribute(number)?, value)))
                    .collect::<Result<_, RecordError>>()?,
            }),
            Self::Grouped { group, at, is_member } => {
                Fact::Grouped(Grouped { object, group: ObjectId::from_bytes(group), at: instant(at), is_member })
            }
        })
    }
}

impl ReadingV1 {
    fn of(reading: &Reading) -> Self {
        Self {
            at: reading.at.as_micros(),
            lag: reading.lag,
            source: reading.source.into(),
            unchanged_since: reading.unchanged_since.map(Instant::as_micros),
        }
    }

    fn read(self) -> Reading {
        Reading {
            at: instant(self.at),
            lag: self.lag,
            source: self.source.into(),
            unchanged_since: self.unchanged_since.map(instant),
        }
    }
}

impl ProfileV1 {
    fn of(profile: &Profile) -> Self {
        let upn = profile.upn.as_ref();
        Self {
            kind: profile.kind.into(),
            upn: upn.map(spelling),
            mail: MailV1::of(profile.mail.as_ref(), upn),
            proxies: profile.proxies.iter().map(|proxy| ProxyV1::of(proxy, upn)).collect(),
            created: profile.created.map(Instant::as_micros),
            user_type: UserTypeV1::of(profile.user_type.as_deref()),
            employee_id: profile.employee_id.clone(),
            immutable_id: profile.immutable_id.clone(),
            mailbox: profile.mailbox.map(Into::into),
        }
    }

    fn read(self) -> Result<Profile, RecordError> {
        let upn = self.upn.as_deref().map(name).transpose()?;
        let proxies: Result<Vec<Proxy>, RecordError> =
            self.proxies.into_iter().map(|proxy| proxy.read(upn.as_ref())).collect();
        Ok(Profile {
            kind: self.kind.into(),
            mail: self.mail.read(upn.as_ref())?,
            proxies: proxies?,
            upn,
            created: self.created.map(instant),
            user_type: self.user_type.read(),
            employee_id: self.employee_id,
            immutable_id: self.immutable_id,
            mailbox: self.mailbox.map(Into::into),
        })
    }
}

impl UserTypeV1 {
    fn of(text: Option<&str>) -> Self {
        match text {
            None => Self::None,
            Some("Member") => Self::Member,
            Some("Guest") => Self::Guest,
            Some(other) => Self::Other(other.to_owned()),
        }
    }

    fn read(self) -> Option<String> {
        match self {
            Self::None => None,
            Self::Member => Some("Member".to_owned()),
            Self::Guest => Some("Guest".to_owned()),
            Self::Other(text) => Some(text),
        }
    }
}

impl VacantV1 {
    pub(crate) fn of(vacant: &Vacant) -> Self {
        Self { name: spelling(&vacant.name), reading: ReadingV1::of(&vacant.reading) }
    }

    pub(crate) fn read(self) -> Result<Vacant, RecordError> {
        Ok(Vacant { name: name(&self.name)?, reading: self.reading.read() })
    }
}

impl SnapshotV1 {
    fn of(snapshot: &Snapshot) -> Self {
        Self {
            chain: snapshot.chain.to_string(),
            id: snapshot.id.to_string(),
            from: snapshot.from.as_micros(),
            until: snapshot.until.as_micros(),
            addressed: AddressedV1::of(&snapshot.addressed),
            mailbox: snapshot.mailbox.map(|id| *id.as_bytes()),
        }
    }

    fn read(self) -> Result<Snapshot, RecordError> {
        Ok(Snapshot {
            chain: text(&self.chain, "chain id")?,
            id: text(&self.id, "snapshot id")?,
            from: instant(self.from),
            until: instant(self.until),
            addressed: self.addressed.read()?,
            mailbox: self.mailbox.map(MailboxId::from_bytes),
        })
    }
}

impl AddressedV1 {
    pub(crate) fn of(addressed: &Addressed) -> Self {
        match addressed {
            Addressed::Name(name, NameKind::Any) => Self::Any(spelling(name)),
            Addressed::Name(name, NameKind::Upn) => Self::Upn(spelling(name)),
            Addressed::Name(name, NameKind::Smtp) => Self::Smtp(spelling(name)),
            Addressed::Object(object) => Self::Object(*object.as_bytes()),
        }
    }

    pub(crate) fn read(self) -> Result<Addressed, RecordError> {
        Ok(match self {
            Self::Any(text) => Addressed::Name(name(&text)?, NameKind::Any),
            Self::Upn(text) => Addressed::Name(name(&text)?, NameKind::Upn),
            Self::Smtp(text) => Addressed::Name(name(&text)?, NameKind::Smtp),
            Self::Object(id) => Addressed::Object(object(id)),
        })
    }
}

impl ReadV1 {
    pub(crate) fn of(receipt: &Receipt) -> Self {
        Self {
            object: *receipt.object.as_bytes(),
            mailbox: receipt.mailbox.map(|id| *id.as_bytes()),
            object_end: receipt.object_end.map(|id| *id.as_bytes()),
            mailbox_end: receipt.mailbox_end.map(|id| *id.as_bytes()),
        }
    }

    pub(crate) fn read(self, chain: ChainId, snapshot: SnapshotId) -> Receipt {
        Receipt {
            chain,
            snapshot,
            object: object(self.object),
            mailbox: self.mailbox.map(MailboxId::from_bytes),
            object_end: self.object_end.map(object),
            mailbox_end: self.mailbox_end.map(MailboxId::from_bytes),
        }
    }
}

impl SettlingV1 {
    pub(crate) fn of(settling: Settling) -> Self {
        Self { propagation: settling.propagation, audit_lag: settling.audit_lag }
    }

    pub(crate) fn read(self) -> Settling {
        Settling { propagation: self.propagation, audit_lag: self.audit_lag }
    }
}

impl LinkV1 {
    pub(crate) fn of(link: &Link) -> Self {
        Self {
            from: *link.from.as_bytes(),
            to_tenant: link.to.tenant.map(|tenant| *tenant.as_bytes()),
            to: *link.to.object.as_bytes(),
            relation: link.relation.into(),
            note: link.note.clone(),
            by: link.by.clone(),
        }
    }

    pub(crate) fn read(self) -> Link {
        let tenant = self.to_tenant.map(TenantId::from_bytes);
        Link {
            from: object(self.from),
            to: LinkEnd { tenant, object: object(self.to) },
            relation: self.relation.into(),
            note: self.note,
            by: self.by,
        }
    }
}

impl HeldV1 {
    fn of(held: &Held) -> Self {
        let Impact { removals, renames, takeovers, active } = held.impact;
        Self {
            run: held.run,
            part: held.part.into(),
            at: held.at.as_micros(),
            removals,
            renames,
            takeovers,
            active,
            why: held.why.clone(),
            chunk: held.chunk,
            complete: held.complete,
            objects: ids(&held.objects),
        }
    }

    fn read(self) -> Held {
        let Self { removals, renames, takeovers, active, .. } = self;
        Held {
            run: self.run,
            part: self.part.into(),
            at: instant(self.at),
            impact: Impact { removals, renames, takeovers, active },
            why: self.why,
            chunk: self.chunk,
            complete: self.complete,
            objects: self.objects.into_iter().map(object).collect(),
        }
    }
}

impl DomainChangedV1 {
    fn of(changed: &DomainChanged) -> Self {
        Self {
            run: changed.run,
            at: changed.at.as_micros(),
            from: changed.map.from.clone(),
            to: changed.map.to.clone(),
            renamed: changed.renamed,
            exceptions: changed.exceptions,
            stragglers: changed.stragglers,
            named_exceptions: ids(&changed.named_exceptions),
            named_stragglers: ids(&changed.named_stragglers),
        }
    }

    fn read(self) -> DomainChanged {
        DomainChanged {
            run: self.run,
            at: instant(self.at),
            map: SuffixMap { from: self.from, to: self.to },
            renamed: self.renamed,
            exceptions: self.exceptions,
            stragglers: self.stragglers,
            named_exceptions: self.named_exceptions.into_iter().map(object).collect(),
            named_stragglers: self.named_stragglers.into_iter().map(object).collect(),
        }
    }
}

fn ids(objects: &[ObjectId]) -> Vec<[u8; 16]> {
    objects.iter().map(|object| *object.as_bytes()).collect()
}

impl RedactedV1 {
    fn of(redacted: &Redacted) -> Self {
        let Redacted { object, at, by, note, key, names, texts, items } = redacted;
        Self {
            object: *object.as_bytes(),
            at: at.as_micros(),
            by: by.clone(),
            note: note.clone(),
            key: key.0,
            names: names.iter().map(|token| token.0).collect(),
            texts: texts.iter().map(|token| token.0).collect(),
            items: items.iter().map(|item| (item.sequence.0, item.place, item.digest)).collect(),
        }
    }

    fn read(self) -> Redacted {
        let Self { object: id, at, by, note, key, names, texts, items } = self;
        let items = items.into_iter();
        Redacted {
            object: object(id),
            at: instant(at),
            by,
            note,
            key: Fingerprint(key),
            names: names.into_iter().map(Token).collect(),
            texts: texts.into_iter().map(Token).collect(),
            items: items
                .map(|(sequence, place, digest)| Instead { sequence: Sequence(sequence), place, digest })
                .collect(),
        }
    }
}

impl ReviewV1 {
    fn of(review: &Review) -> Self {
        Self {
            finding: *review.finding.as_bytes(),
            at: review.at.as_micros(),
            by: review.by.clone(),
            note: review.note.clone(),
        }
    }

    fn read(self) -> Review {
        Review { finding: FindingId::from_bytes(self.finding), at: instant(self.at), by: self.by, note: self.note }
    }
}

pub(super) fn read_attribute(number: u8) -> Result<Attribute, RecordError> {
    Attribute::from_number(number).ok_or(RecordError::Text("attribute"))
}

pub(super) fn instant(micros: i64) -> Instant {
    Instant::from_micros(micros)
}

fn text<T: std::str::FromStr>(text: &str, what: &'static str) -> Result<T, RecordError> {
    text.parse().map_err(|_| RecordError::Text(what))
}

fn spellings(names: &[Name]) -> Vec<String> {
    names.iter().map(spelling).collect()
}

fn names(spellings: &[String]) -> Result<Vec<Name>, RecordError> {
    spellings.iter().map(|spelling| name(spelling)).collect()
}
