//! A commit in the journal: its payload, whose bytes are hashed, and the header that the payload is checked against.

use bincode::{Decode, Encode};
use sha2::{Digest, Sha256};

use super::fact::FactV1;
use super::tenant::{CursorV1, RunV1};
use crate::domain::fact::Fact;
use crate::store::codec::{Record, RecordError, decode, encode};
use crate::store::hash::{HeaderVersion, item_leaf, item_salt, items_root, payload_hash};
use crate::store::{Commit, Cursor, Hash, Run};

/// What a commit says, as one piece. Written by format 1.
#[derive(Encode, Decode)]
pub(crate) struct PayloadV1 {
    facts: Vec<FactV1>,
    cursor: Option<CursorV1>,
    run: Option<RunV1>,
}

/// What a commit says, in items that are hashed each by itself: the facts, and last what belongs to the sync.
#[derive(Encode, Decode)]
pub(crate) struct PayloadV2 {
    pub(crate) items: Vec<ItemV2>,
}

/// One item of a commit, in the bytes of a record of its own.
#[derive(Encode, Decode)]
pub(crate) enum ItemV2 {
    /// Its salt follows from the commit's.
    Said(Vec<u8>),
    /// With its own salt, because the commit's was forgotten together with another item.
    Apart([u8; 16], Vec<u8>),
    /// The leaf of an item that was forgotten, and what stands instead of it.
    Forgotten([u8; 32], Vec<u8>),
}

/// What belongs to the sync.
#[derive(Encode, Decode)]
pub(crate) struct SyncStateV1 {
    cursor: Option<CursorV1>,
    run: Option<RunV1>,
}

/// Chunk 0 of a journal entry: the header, and the payload as far as it fits, so that a small commit is one value.
/// It has no checksum: its hashes cover every field.
#[derive(Encode, Decode)]
pub(crate) struct JournalV1 {
    pub(crate) recorded: i64,
    pub(crate) salt: [u8; 16],
    pub(crate) previous: [u8; 32],
    /// Kept, so that the chain can be verified when the payload must be removed.
    pub(crate) payload_hash: [u8; 32],
    pub(crate) hash: [u8; 32],
    pub(crate) payload_bytes: u64,
    pub(crate) first: Vec<u8>,
}

/// The same fields, of a payload of version 2.
#[derive(Encode, Decode)]
pub(crate) struct JournalV2(pub(crate) JournalV1);

/// A payload in the domain's types.
pub(crate) type Said = (Vec<Fact>, Option<Cursor>, Option<Run>);

/// What stands instead of the items that were forgotten: their places, and its digests.
pub(crate) type Forgotten = Vec<(u32, [u8; 32])>;

impl Record for PayloadV1 {
    const VERSION: u8 = 1;
}

impl Record for PayloadV2 {
    const VERSION: u8 = 2;
}

impl Record for SyncStateV1 {
    const VERSION: u8 = 1;
}

impl Record for JournalV1 {
    const VERSION: u8 = 1;
}

impl Record for JournalV2 {
    const VERSION: u8 = 2;
}

/// The payload that is written today, and the items in it.
impl PayloadV2 {
    pub(crate) fn of(commit: &Commit) -> Result<Self, RecordError> {
        let sync =
            SyncStateV1 { cursor: commit.cursor.as_ref().map(CursorV1::of), run: commit.run.as_ref().map(RunV1::of) };
        let facts = commit.facts.iter().map(|fact| encode(&FactV1::of(fact)));
        let items = facts.chain([encode(&sync)]).map(|item| item.map(ItemV2::Said));
        Ok(Self { items: items.collect::<Result<_, _>>()? })
    }

    pub(crate) fn version(&self) -> HeaderVersion {
        HeaderVersion::Each { items: u32::try_from(self.items.len()).unwrap_or(u32::MAX) }
    }

    /// The leaves of the items, in their order.
    pub(crate) fn leaves(&self, salt: &[u8; 16]) -> Vec<Hash> {
        (0..).zip(&self.items).map(|(place, item)| item.leaf(salt, place)).collect()
    }

    /// The payload hash.
    pub(crate) fn root(&self, salt: &[u8; 16]) -> Hash {
        items_root(&self.leaves(salt))
    }

    pub(crate) fn forgotten(&self) -> Forgotten {
        let of = |(place, item): (u32, &ItemV2)| match item {
            ItemV2::Forgotten(_, instead) => Some((place, Sha256::digest(instead).into())),
            ItemV2::Said(_) | ItemV2::Apart(..) => None,
        };
        (0..).zip(&self.items).filter_map(of).collect()
    }

    pub(crate) fn read(self) -> Result<Said, RecordError> {
        let mut items = self.items;
        let last = items.pop().ok_or(RecordError::Empty)?;
        let facts: Result<Vec<Fact>, RecordError> =
            items.iter().map(|item| decode::<FactV1>(item.bytes()).and_then(FactV1::read)).collect();
        let SyncStateV1 { cursor, run } = decode(last.bytes())?;
        Ok((facts?, cursor.map(CursorV1::read), run.map(RunV1::read)))
    }
}

impl SyncStateV1 {
    /// What it says in words.
    pub(crate) fn texts(&mut self) -> impl Iterator<Item = &mut String> {
        self.run.iter_mut().flat_map(RunV1::texts)
    }
}

impl ItemV2 {
    /// What it says, or what stands instead.
    pub(crate) fn bytes(&self) -> &[u8] {
        let (Self::Said(bytes) | Self::Apart(_, bytes) | Self::Forgotten(_, bytes)) = self;
        bytes
    }

    /// Its leaf at a place in a commit with this salt.
    pub(crate) fn leaf(&self, salt: &[u8; 16], place: u64) -> Hash {
        match self {
            Self::Said(bytes) => item_leaf(&item_salt(salt, place), bytes),
            Self::Apart(own, bytes) => item_leaf(own, bytes),
            Self::Forgotten(leaf, _) => Hash(*leaf),
        }
    }
}

impl JournalV1 {
    /// Reads chunk 0 in any version, and how its payload is to be read.
    pub(crate) fn read(bytes: &[u8]) -> Result<(Self, PayloadKind), RecordError> {
        match bytes.first() {
            Some(&JournalV2::VERSION) => decode(bytes).map(|JournalV2(journal)| (journal, PayloadKind::Items)),
            _ => decode(bytes).map(|journal| (journal, PayloadKind::Whole)),
        }
    }
}

/// How a payload is to be read.
#[derive(Clone, Copy)]
pub(crate) enum PayloadKind {
    Whole,
    Items,
}

impl PayloadKind {
    /// The kind under a header of this version.
    pub(crate) fn of_version(version: u8) -> Option<Self> {
        [Self::Whole, Self::Items].into_iter().find(|kind| kind.version() == version)
    }

    /// The number of the header's version.
    pub(crate) fn version(self) -> u8 {
        match self {
            Self::Whole => 1,
            Self::Items => 2,
        }
    }

    /// How many of its items are forgotten; none if it cannot be read.
    pub(crate) fn forgotten(self, payload: &[u8]) -> usize {
        let items = match self {
            Self::Whole => Vec::new(),
            Self::Items => decode(payload).map_or_else(|_| Vec::new(), |payload: PayloadV2| payload.items),
        };
        items.iter().filter(|item| matches!(item, ItemV2::Forgotten(..))).count()
    }

    /// The payload's hash, how its header is hashed, what it says, and what of that was forgotten.
    pub(crate) fn open(
        self,
        salt: &[u8; 16],
        payload: &[u8],
    ) -> Result<(Hash, HeaderVersion, Said, Forgotten), RecordError> {
        match self {
            Self::Whole => {
                let hash = payload_hash(salt, payload);
                let PayloadV1 { facts, cursor, run } = decode(payload)?;
                let facts: Result<Vec<Fact>, RecordError> = facts.into_iter().map(FactV1::read).collect();
                Ok((hash, HeaderVersion::Whole, (facts?, cursor.map(CursorV1::read), run.map(RunV1::read)), Vec::new()))
            }
            Self::Items => {
                let payload: PayloadV2 = decode(payload)?;
                let forgotten = payload.forgotten();
                Ok((payload.root(salt), payload.version(), payload.read()?, forgotten))
            }
        }
    }
}

#[cfg(test)]
impl PayloadV1 {
    pub(crate) fn of(commit: &Commit) -> Self {
        Self {
            facts: commit.facts.iter().map(FactV1::of).collect(),
            cursor: commit.cursor.as_ref().map(CursorV1::of),
            run: commit.run.as_ref().map(RunV1::of),
        }
    }
}
