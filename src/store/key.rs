//! The layout of the keys of an ordered byte store.
//!
//! Every key is the tenant's sixteen bytes, one byte for the kind of record, and then the fields below. Numbers are
//! big-endian, instants have their sign bit flipped, and texts (names' keys, chain and snapshot ids, none of which can
//! contain a control character) end in `0x00`; so the order of the bytes is the order of the fields, and no key is the
//! beginning of another.
//!
//! | kind | record | fields |
//! | --- | --- | --- |
//! | `01` | journal | sequence (8), chunk (2): chunk 0 is the header with the first bytes of the payload |
//! | `02` | head | – |
//! | `03` | object | object (16), part (2): part 0 has the newest facts, parts 1, 2, … the older ones, oldest first |
//! | `04` | posting | name, object (16) |
//! | `05` | vacancies | name, sequence (8) |
//! | `06` | snapshot | chain, from (8), snapshot |
//! | `07` | place of a snapshot | chain, snapshot |
//! | `08` | chain by object | object (16), chain |
//! | `09` | snapshot by name | name, chain, until (8), snapshot |
//! | `0a` | tenant fact | sequence (8), index (2) |
//! | `0b` | run | number (8) |
//! | `0c` | snapshot by its end, if addressed by a name | until (8), chain, snapshot |
//! | `0d` | tally | chain, class: confidence (1), flags (1), owner (16), mailbox (16) |
//! | `0e` | chain by owner | object (16), chain |
//! | `0f` | finding | id (16) |
//! | `10` | object by anchor | kind (1), first 16 bytes of the value's SHA-256, object (16) |
//! | `11` | mailbox by object | object (16), mailbox (16) |
//! | `12` | link | object (16), first 16 bytes of the SHA-256 of its ends and relation |
//! | `13` | notable name | name |
//! | `14` | snapshot by its end, if addressed by a name and not certainly anybody's | until (8), chain, snapshot |
//! | `15` | member of a group that a mapping names | group (16), object (16) |
//! | `16` | state of the mapping | – |
//! | `17` | nodes of the Merkle log that a commit completed | sequence (8) |
//! | `18` | what was erased | object, name or text (1), object or token (16) |
//!
//! The journal has the lowest kind, so a tenant's derived records are one range.

use crate::domain::id::{ChainId, ObjectId, Sequence, SnapshotId, TenantId};
use crate::domain::time::Instant;

/// What a field of a key is, for whoever must not show all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    /// So many bytes that are nobody's name: an id of the directory, a number, an instant.
    Plain(usize),
    /// A text with its end.
    Text,
    /// So many bytes of a digest from which a name could be guessed.
    Digest(usize),
}

/// The bytes before the fields: the tenant and the kind.
pub(crate) const FIELDS_AT: usize = 17;

/// The fields of a kind of keys.
pub(crate) fn fields(kind: u8) -> &'static [Field] {
    use Field::{Digest, Plain, Text};
    match kind {
        JOURNAL | TENANT_FACT => &[Plain(10)],
        OBJECT => &[Plain(18)],
        POSTING => &[Text, Plain(16)],
        VACANCY => &[Text, Plain(8)],
        SNAPSHOT => &[Text, Plain(8), Text],
        SNAPSHOT_PLACE => &[Text, Text],
        OBJECT_CHAIN | OWNED => &[Plain(16), Text],
        NAME_SNAPSHOT => &[Text, Text, Plain(8), Text],
        RUN | LOG_NODES => &[Plain(8)],
        ENDING | UNPROVED => &[Plain(8), Text, Text],
        TALLY => &[Text, Plain(34)],
        FINDING => &[Digest(16)],
        ANCHOR => &[Plain(1), Digest(16), Plain(16)],
        // What a link's digest is of are ids of the directory.
        MAILBOX | LINK | MEMBER => &[Plain(32)],
        NOTABLE => &[Text],
        // Whatever is erased by its name stands under a keyed digest already.
        ERASED => &[Plain(17)],
        _ => &[],
    }
}

/// A key in parts. Names stand as the text of their [`NameKey`](crate::domain::name::NameKey).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    Journal { tenant: TenantId, sequence: Sequence, chunk: u16 },
    Head { tenant: TenantId },
    Object { tenant: TenantId, object: ObjectId, part: u16 },
    Posting { tenant: TenantId, name: String, object: ObjectId },
    Vacancy { tenant: TenantId, name: String, sequence: Sequence },
    Snapshot { tenant: TenantId, chain: ChainId, from: Instant, id: SnapshotId },
    SnapshotPlace { tenant: TenantId, chain: ChainId, id: SnapshotId },
    ObjectChain { tenant: TenantId, object: ObjectId, chain: ChainId },
    NameSnapshot { tenant: TenantId, name: String, chain: ChainId, until: Instant, id: SnapshotId },
    TenantFact { tenant: TenantId, sequence: Sequence, index: u16 },
    Run { tenant: TenantId, run: u64 },
    Ending { tenant: TenantId, until: Instant, chain: ChainId, id: SnapshotId },
    Tally { tenant: TenantId, chain: ChainId, class: [u8; 34] },
    Owned { tenant: TenantId, object: ObjectId, chain: ChainId },
    Finding { tenant: TenantId, id: [u8; 16] },
    Anchor { tenant: TenantId, kind: u8, value: [u8; 16], object: ObjectId },
    Mailbox { tenant: TenantId, object: ObjectId, mailbox: [u8; 16] },
    Link { tenant: TenantId, object: ObjectId, id: [u8; 16] },
    Notable { tenant: TenantId, name: String },
    Unproved { tenant: TenantId, until: Instant, chain: ChainId, id: SnapshotId },
    Member { tenant: TenantId, group: ObjectId, object: ObjectId },
    Mapping { tenant: TenantId },
    LogNodes { tenant: TenantId, sequence: Sequence },
    Erased { tenant: TenantId, what: u8, id: [u8; 16] },
}

impl Key {
    /// The key's bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Journal { tenant, sequence, chunk } => {
                Prefix::of(*tenant, JOURNAL).number(sequence.0).short(*chunk).bytes()
            }
            Self::Head { tenant } => Prefix::of(*tenant, HEAD).bytes(),
            Self::Object { tenant, object, part } => {
                Prefix::of(*tenant, OBJECT).id(object.as_bytes()).short(*part).bytes()
            }
            Self::Posting { tenant, name, object } => {
                Prefix::of(*tenant, POSTING).text(name).id(object.as_bytes()).bytes()
            }
            Self::Vacancy { tenant, name, sequence } => {
                Prefix::of(*tenant, VACANCY).text(name).number(sequence.0).bytes()
            }
            Self::Snapshot { tenant, chain, from, id } => {
                Prefix::of(*tenant, SNAPSHOT).text(chain.as_str()).time(*from).text(id.as_str()).bytes()
            }
            Self::SnapshotPlace { tenant, chain, id } => {
                Prefix::of(*tenant, SNAPSHOT_PLACE).text(chain.as_str()).text(id.as_str()).bytes()
            }
            Self::ObjectChain { tenant, object, chain } => {
                Prefix::of(*tenant, OBJECT_CHAIN).id(object.as_bytes()).text(chain.as_str()).bytes()
            }
            Self::NameSnapshot { tenant, name, chain, until, id } => Prefix::of(*tenant, NAME_SNAPSHOT)
                .text(name)
                .text(chain.as_str())
                .time(*until)
                .text(id.as_str())
                .bytes(),
            Self::TenantFact { tenant, sequence, index } => {
                Prefix::of(*tenant, TENANT_FACT).number(sequence.0).short(*index).bytes()
            }
            Self::Run { tenant, run } => Prefix::of(*tenant, RUN).number(*run).bytes(),
            Self::Ending { tenant, until, chain, id } => {
                Prefix::of(*tenant, ENDING).time(*until).text(chain.as_str()).text(id.as_str()).bytes()
            }
            Self::Tally { tenant, chain, class } => Prefix::of(*tenant, TALLY).text(chain.as_str()).raw(class).bytes(),
            Self::Owned { tenant, object, chain } => {
                Prefix::of(*tenant, OWNED).id(object.as_bytes()).text(chain.as_str()).bytes()
            }
            Self::Finding { tenant, id } => Prefix::of(*tenant, FINDING).id(id).bytes(),
            Self::Anchor { tenant, kind, value, object } => {
                Prefix::of(*tenant, ANCHOR).raw(&[*kind]).id(value).id(object.as_bytes()).bytes()
            }
            Self::Mailbox { tenant, object, mailbox } => {
                Prefix::of(*tenant, MAILBOX).id(object.as_bytes()).id(mailbox).bytes()
            }
            Self::Link { tenant, object, id } => Prefix::of(*tenant, LINK).id(object.as_bytes()).id(id).bytes(),
            Self::Notable { tenant, name } => Prefix::of(*tenant, NOTABLE).text(name).bytes(),
            Self::Unproved { tenant, until, chain, id } => {
                Prefix::of(*tenant, UNPROVED).time(*until).text(chain.as_str()).text(id.as_str()).bytes()
            }
            Self::Member { tenant, group, object } => {
                Prefix::of(*tenant, MEMBER).id(group.as_bytes()).id(object.as_bytes()).bytes()
            }
            Self::Mapping { tenant } => Prefix::of(*tenant, MAPPING).bytes(),
            Self::LogNodes { tenant, sequence } => Prefix::of(*tenant, LOG_NODES).number(sequence.0).bytes(),
            Self::Erased { tenant, what, id } => Prefix::of(*tenant, ERASED).raw(&[*what]).id(id).bytes(),
        }
    }

    /// The tenant whose record it is.
    pub(crate) fn tenant(&self) -> TenantId {
        match self {
            Self::Journal { tenant, .. }
            | Self::Head { tenant }
            | Self::Object { tenant, .. }
            | Self::Posting { tenant, .. }
            | Self::Vacancy { tenant, .. }
            | Self::Snapshot { tenant, .. }
            | Self::SnapshotPlace { tenant, .. }
            | Self::ObjectChain { tenant, .. }
            | Self::NameSnapshot { tenant, .. }
            | Self::TenantFact { tenant, .. }
            | Self::Run { tenant, .. }
            | Self::Ending { tenant, .. }
            | Self::Tally { tenant, .. }
            | Self::Owned { tenant, .. }
            | Self::Finding { tenant, .. }
            | Self::Anchor { tenant, .. }
            | Self::Mailbox { tenant, .. }
            | Self::Link { tenant, .. }
            | Self::Notable { tenant, .. }
            | Self::Unproved { tenant, .. }
            | Self::Member { tenant, .. }
            | Self::Mapping { tenant }
            | Self::LogNodes { tenant, .. }
            | Self::Erased { tenant, .. } => *tenant,
        }
    }

    /// Reads a key back; `None` if the bytes are none.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut rest = Rest(bytes);
        let tenant = TenantId::from_bytes(rest.chunk()?);
        let [kind] = rest.chunk()?;
        let key = match kind {
            JOURNAL => Self::Journal { tenant, sequence: Sequence(rest.number()?), chunk: rest.short()? },
            HEAD => Self::Head { tenant },
            OBJECT => Self::Object { tenant, object: ObjectId::from_bytes(rest.chunk()?), part: rest.short()? },
            POSTING => {
                Self::Posting { tenant, name: rest.text()?.to_owned(), object: ObjectId::from_bytes(rest.chunk()?) }
            }
            VACANCY => Self::Vacancy { tenant, name: rest.text()?.to_owned(), sequence: Sequence(rest.number()?) },
            SNAPSHOT => Self::Snapshot {
                tenant,
                chain: rest.text()?.parse().ok()?,
                from: rest.time()?,
                id: rest.text()?.parse().ok()?,
            },
            SNAPSHOT_PLACE => {
                Self::SnapshotPlace { tenant, chain: rest.text()?.parse().ok()?, id: rest.text()?.parse().ok()? }
            }
            OBJECT_CHAIN => Self::ObjectChain {
                tenant,
                object: ObjectId::from_bytes(rest.chunk()?),
                chain: rest.text()?.parse().ok()?,
            },
            NAME_SNAPSHOT => Self::NameSnapshot {
                tenant,
                name: rest.text()?.to_owned(),
                chain: rest.text()?.parse().ok()?,
                until: rest.time()?,
                id: rest.text()?.parse().ok()?,
            },
            TENANT_FACT => Self::TenantFact { tenant, sequence: Sequence(rest.number()?), index: rest.short()? },
            RUN => Self::Run { tenant, run: rest.number()? },
            ENDING => Self::Ending {
                tenant,
                until: rest.time()?,
                chain: rest.text()?.parse().ok()?,
                id: rest.text()?.parse().ok()?,
            },
            TALLY => Self::Tally { tenant, chain: rest.text()?.parse().ok()?, class: rest.chunk()? },
            OWNED => {
                Self::Owned { tenant, object: ObjectId::from_bytes(rest.chunk()?), chain: rest.text()?.parse().ok()? }
            }
            FINDING => Self::Finding { tenant, id: rest.chunk()? },
            ANCHOR => {
                let [kind] = rest.chunk()?;
                Self::Anchor { tenant, kind, value: rest.chunk()?, object: ObjectId::from_bytes(rest.chunk()?) }
            }
            MAILBOX => Self::Mailbox { tenant, object: ObjectId::from_bytes(rest.chunk()?), mailbox: rest.chunk()? },
            LINK => Self::Link { tenant, object: ObjectId::from_bytes(rest.chunk()?), id: rest.chunk()? },
            NOTABLE => Self::Notable { tenant, name: rest.text()?.to_owned() },
            UNPROVED => Self::Unproved {
                tenant,
                until: rest.time()?,
                chain: rest.text()?.parse().ok()?,
                id: rest.text()?.parse().ok()?,
            },
            MEMBER => Self::Member {
                tenant,
                group: ObjectId::from_bytes(rest.chunk()?),
                object: ObjectId::from_bytes(rest.chunk()?),
            },
            MAPPING => Self::Mapping { tenant },
            LOG_NODES => Self::LogNodes { tenant, sequence: Sequence(rest.number()?) },
            ERASED => {
                let [what] = rest.chunk()?;
                Self::Erased { tenant, what, id: rest.chunk()? }
            }
            _ => return None,
        };
        rest.0.is_empty().then_some(key)
    }
}

/// The beginning that a range of keys has in common.
#[derive(Clone)]
pub(crate) struct Prefix(Vec<u8>);

impl Prefix {
    /// All of a tenant's journal.
    pub(crate) fn journal(tenant: TenantId) -> Self {
        Self::of(tenant, JOURNAL)
    }

    /// The first key behind an object's record and its parts; without an object the first of all objects.
    pub(crate) fn objects_beyond(tenant: TenantId, object: Option<ObjectId>) -> Self {
        match object {
            Some(object) => Self::of(tenant, OBJECT).id(object.as_bytes()).short(u16::MAX),
            None => Self::objects(tenant),
        }
    }

    /// All objects.
    pub(crate) fn objects(tenant: TenantId) -> Self {
        Self::of(tenant, OBJECT)
    }

    /// All holders of a name.
    pub(crate) fn postings(tenant: TenantId, name: &str) -> Self {
        Self::of(tenant, POSTING).text(name)
    }

    /// All holders of all names that begin with a text.
    pub(crate) fn postings_from(tenant: TenantId, beginning: &str) -> Self {
        Self::of(tenant, POSTING).raw(beginning.as_bytes())
    }

    /// All snapshots of all chains whose ids begin with a text.
    pub(crate) fn snapshots_from(tenant: TenantId, beginning: &str) -> Self {
        Self::of(tenant, SNAPSHOT).raw(beginning.as_bytes())
    }

    /// All vacancies of a name.
    pub(crate) fn vacancies(tenant: TenantId, name: &str) -> Self {
        Self::of(tenant, VACANCY).text(name)
    }

    /// All snapshots of a chain, in order of their time.
    pub(crate) fn snapshots(tenant: TenantId, chain: &ChainId) -> Self {
        Self::of(tenant, SNAPSHOT).text(chain.as_str())
    }

    /// All chains addressed by an object.
    pub(crate) fn object_chains(tenant: TenantId, object: ObjectId) -> Self {
        Self::of(tenant, OBJECT_CHAIN).id(object.as_bytes())
    }

    /// All snapshots addressed by a name.
    pub(crate) fn name_snapshots(tenant: TenantId, name: &str) -> Self {
        Self::of(tenant, NAME_SNAPSHOT).text(name)
    }

    /// All snapshots of one chain addressed by a name.
    pub(crate) fn name_chain_snapshots(tenant: TenantId, name: &str, chain: &ChainId) -> Self {
        Self::of(tenant, NAME_SNAPSHOT).text(name).text(chain.as_str())
    }

    /// All snapshots addressed by a name, from the first that ended at an instant.
    pub(crate) fn ending(tenant: TenantId, from: Instant) -> Self {
        Self::of(tenant, ENDING).time(from)
    }

    /// The same, of those that are not certainly anybody's.
    pub(crate) fn unproved(tenant: TenantId, from: Instant) -> Self {
        Self::of(tenant, UNPROVED).time(from)
    }

    /// All tallies of a chain.
    pub(crate) fn tallies(tenant: TenantId, chain: &ChainId) -> Self {
        Self::of(tenant, TALLY).text(chain.as_str())
    }

    /// All chains that an object owns.
    pub(crate) fn owned(tenant: TenantId, object: ObjectId) -> Self {
        Self::of(tenant, OWNED).id(object.as_bytes())
    }

    /// All that was erased.
    pub(crate) fn erased(tenant: TenantId) -> Self {
        Self::of(tenant, ERASED)
    }

    /// All findings.
    pub(crate) fn findings(tenant: TenantId) -> Self {
        Self::of(tenant, FINDING)
    }

    /// All objects with an anchor.
    pub(crate) fn anchored(tenant: TenantId, kind: u8, value: &[u8; 16]) -> Self {
        Self::of(tenant, ANCHOR).raw(&[kind]).id(value)
    }

    /// All mailboxes of an object.
    pub(crate) fn mailboxes(tenant: TenantId, object: ObjectId) -> Self {
        Self::of(tenant, MAILBOX).id(object.as_bytes())
    }

    /// All links of an object.
    pub(crate) fn links(tenant: TenantId, object: ObjectId) -> Self {
        Self::of(tenant, LINK).id(object.as_bytes())
    }

    /// All notable names.
    pub(crate) fn notable(tenant: TenantId) -> Self {
        Self::of(tenant, NOTABLE)
    }

    /// All members of a group.
    pub(crate) fn members(tenant: TenantId, group: ObjectId) -> Self {
        Self::of(tenant, MEMBER).id(group.as_bytes())
    }

    /// All facts about a tenant as a whole.
    pub(crate) fn tenant_facts(tenant: TenantId) -> Self {
        Self::of(tenant, TENANT_FACT)
    }

    /// All of the run log.
    pub(crate) fn runs(tenant: TenantId) -> Self {
        Self::of(tenant, RUN)
    }

    /// The first key that a tenant's derived records can have.
    pub(crate) fn derived(tenant: TenantId) -> Self {
        Self::of(tenant, HEAD)
    }

    /// What begins with these bytes.
    #[cfg(test)]
    pub(crate) fn of_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Everything of one kind of a tenant.
    pub(crate) fn kind(beginning: &[u8; FIELDS_AT]) -> Self {
        Self(beginning.to_vec())
    }

    /// Everything of a tenant.
    pub(crate) fn tenant(tenant: TenantId) -> Self {
        Self(tenant.as_bytes().to_vec())
    }

    /// The bytes.
    pub(crate) fn bytes(self) -> Vec<u8> {
        self.0
    }

    /// The first bytes after every key with this beginning; `None` if there are none.
    pub(crate) fn end(mut self) -> Option<Vec<u8>> {
        while let Some(last) = self.0.pop() {
            if let Some(next) = last.checked_add(1) {
                self.0.push(next);
                return Some(self.0);
            }
        }
        None
    }

    fn of(tenant: TenantId, kind: u8) -> Self {
        let mut bytes = Vec::with_capacity(64);
        bytes.extend_from_slice(tenant.as_bytes());
        bytes.push(kind);
        Self(bytes)
    }

    fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    fn id(mut self, id: &[u8; 16]) -> Self {
        self.0.extend_from_slice(id);
        self
    }

    fn number(mut self, number: u64) -> Self {
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }

    fn short(mut self, number: u16) -> Self {
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }

    fn time(self, at: Instant) -> Self {
        self.number(at.as_micros().cast_unsigned() ^ SIGN)
    }

    fn text(mut self, text: &str) -> Self {
        debug_assert!(!text.contains('\0'), "names and text ids have no control characters");
        self.0.extend_from_slice(text.as_bytes());
        self.0.push(0);
        self
    }
}

struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn chunk<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (chunk, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*chunk)
    }

    fn number(&mut self) -> Option<u64> {
        self.chunk().map(u64::from_be_bytes)
    }

    fn short(&mut self) -> Option<u16> {
        self.chunk().map(u16::from_be_bytes)
    }

    fn time(&mut self) -> Option<Instant> {
        self.number().map(|number| Instant::from_micros((number ^ SIGN).cast_signed()))
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = self.0.iter().position(|byte| *byte == 0)?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest.split_first()?.1;
        std::str::from_utf8(text).ok()
    }
}

const JOURNAL: u8 = 0x01;
const HEAD: u8 = 0x02;
pub(crate) const OBJECT: u8 = 0x03;
pub(crate) const POSTING: u8 = 0x04;
pub(crate) const VACANCY: u8 = 0x05;
pub(crate) const SNAPSHOT: u8 = 0x06;
pub(crate) const SNAPSHOT_PLACE: u8 = 0x07;
pub(crate) const OBJECT_CHAIN: u8 = 0x08;
pub(crate) const NAME_SNAPSHOT: u8 = 0x09;
const TENANT_FACT: u8 = 0x0a;
const RUN: u8 = 0x0b;
const ENDING: u8 = 0x0c;
pub(crate) const TALLY: u8 = 0x0d;
const OWNED: u8 = 0x0e;
const FINDING: u8 = 0x0f;
const ANCHOR: u8 = 0x10;
const MAILBOX: u8 = 0x11;
const LINK: u8 = 0x12;
const NOTABLE: u8 = 0x13;
const UNPROVED: u8 = 0x14;
const MEMBER: u8 = 0x15;
const MAPPING: u8 = 0x16;
const LOG_NODES: u8 = 0x17;
const ERASED: u8 = 0x18;
const SIGN: u64 = 1 << 63;

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts() -> impl Strategy<Value = String> {
        // Short texts over few letters, so that one is often the beginning of another.
        prop_oneof!["[ab]{1,4}", "[a-c @.]{1,8}".prop_filter("not blank", |text| !text.trim().is_empty()), "é{1,3}"]
    }

    /// Keys of all kinds.
    pub(crate) fn keys() -> impl Strategy<Value = Key> {
        let tenant = prop_oneof![Just([0u8; 16]), Just([255; 16]), any::<[u8; 16]>()].prop_map(TenantId::from_bytes);
        let object = prop_oneof![Just([0u8; 16]), any::<[u8; 16]>()].prop_map(ObjectId::from_bytes);
        let at = prop_oneof![Just(i64::MIN), Just(-1), Just(0), Just(i64::MAX), any::<i64>()];
        let number = prop_oneof![0u64..3, any::<u64>()];
        (0..24, tenant, object, texts(), texts(), at, number, any::<u16>()).prop_map(
            |(kind, tenant, object, a, b, at, number, short)| {
                let (name, sequence, from) = (a.clone(), Sequence(number), Instant::from_micros(at));
                let (chain, id) = (a.parse().unwrap(), b.parse().unwrap());
                match kind {
                    0 => Key::Journal { tenant, sequence, chunk: short },
                    1 => Key::Head { tenant },
                    2 => Key::Object { tenant, object, part: short },
                    3 => Key::Posting { tenant, name, object },
                    4 => Key::Vacancy { tenant, name, sequence },
                    5 => Key::Snapshot { tenant, chain, from, id },
                    6 => Key::SnapshotPlace { tenant, chain, id },
                    7 => Key::ObjectChain { tenant, object, chain },
                    8 => Key::NameSnapshot { tenant, name, chain: b.parse().unwrap(), until: from, id },
                    9 => Key::TenantFact { tenant, sequence, index: short },
                    10 => Key::Run { tenant, run: number },
                    11 => Key::Ending { tenant, until: from, chain, id },
                    12 => Key::Tally { tenant, chain, class: [short as u8; 34] },
                    13 => Key::Owned { tenant, object, chain },
                    14 => Key::Finding { tenant, id: *object.as_bytes() },
                    15 => Key::Anchor { tenant, kind: short as u8, value: [number as u8; 16], object },
                    16 => Key::Mailbox { tenant, object, mailbox: [short as u8; 16] },
                    17 => Key::Link { tenant, object, id: [short as u8; 16] },
                    18 => Key::Notable { tenant, name },
                    19 => Key::Unproved { tenant, until: from, chain, id },
                    20 => Key::Member { tenant, group: ObjectId::from_bytes([number as u8; 16]), object },
                    21 => Key::Mapping { tenant },
                    22 => Key::LogNodes { tenant, sequence },
                    _ => Key::Erased { tenant, what: short as u8, id: [number as u8; 16] },
                }
            },
        )
    }

    /// What orders keys, written independently: the tenant, the kind by its place in the enum, the fields.
    fn same_tenant(key: Key) -> Key {
        let mut bytes = key.encode();
        bytes[..16].fill(7);
        Key::decode(&bytes).unwrap()
    }

    proptest! {
        #[test]
        fn every_key_has_the_fields_of_its_kind(key in keys()) {
            let bytes = key.encode();
            let mut rest = &bytes[FIELDS_AT..];
            for field in fields(bytes[FIELDS_AT - 1]) {
                let length = match field {
                    Field::Plain(length) | Field::Digest(length) => *length,
                    Field::Text => rest.iter().position(|byte| *byte == 0).unwrap() + 1,
                };
                rest = &rest[length..];
            }
            prop_assert!(rest.is_empty(), "{key:?}: {rest:?}");
        }

        #[test]
        fn a_key_reads_back_as_it_was(key in keys()) {
            prop_assert_eq!(Key::decode(&key.encode()), Some(key));
        }

        #[test]
        fn the_order_of_bytes_is_the_order_of_fields(a in keys(), b in keys()) {
            // The enum's own order has the kind before the tenant, so both keys are put into one tenant.
            let (a, b) = (same_tenant(a), same_tenant(b));
            prop_assert_eq!(a.encode().cmp(&b.encode()), a.cmp(&b));
        }

        #[test]
        fn no_key_is_the_beginning_of_another(a in keys(), b in keys()) {
            let (a, b) = (same_tenant(a), same_tenant(b));
            prop_assert_eq!(b.encode().starts_with(&a.encode()), a == b);
        }

        #[test]
        fn decoding_any_bytes_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = Key::decode(&bytes);
        }
    }

    #[test]
    fn golden_snapshot_key() {
        let key = Key::Snapshot {
            tenant: TenantId::from_bytes([0x11; 16]),
            chain: "c1".parse().unwrap(),
            from: Instant::from_micros(1),
            id: "s9".parse().unwrap(),
        };
        let expected = [&[0x11; 16][..], &[6], b"c1\0", &[0x80, 0, 0, 0, 0, 0, 0, 1], b"s9\0"].concat();
        assert_eq!(key.encode(), expected);
    }

    #[test]
    fn the_end_of_a_prefix_is_after_all_its_keys_even_at_the_last_tenant() {
        assert_eq!(Prefix(vec![1, 255]).end(), Some(vec![2]));
        assert_eq!(Prefix::tenant(TenantId::from_bytes([255; 16])).end(), None);
    }
}
