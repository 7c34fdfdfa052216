//! A commit laid open: its items, each with what its leaf is made of, so that some of them can be shown without the rest.

use super::codec::{RecordError, decode, encode};
use super::hash::{Header, HeaderVersion, commit_hash, item_leaf, item_salt, items_root};
use super::record::fact::FactV1;
use super::record::journal::PayloadV2;
use super::{Entry, Hash};
use crate::domain::fact::Fact;
use crate::domain::id::TenantId;

/// A commit whose items can be shown singly.
#[derive(Clone, Debug)]
pub struct OpenCommit {
    salt: [u8; 16],
    items: Vec<Vec<u8>>,
    leaves: Vec<Hash>,
}

/// One item of a commit: its bytes, and the salt that its leaf is made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its place in the commit, from 0.
    pub place: u32,
    /// Its own salt.
    pub salt: [u8; 16],
    /// What it says, as `record/fact.rs` encodes it.
    pub bytes: Vec<u8>,
}

/// Why the facts of a commit cannot be shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotOpen {
    /// Its payload is hashed as a whole.
    #[error(
        "it was written by an earlier release, which hashed a commit as a whole, so no fact of it can be shown alone"
    )]
    Whole,
    /// A fact of it was forgotten.
    #[error("a fact of it was forgotten, and with it the salt by which the others could be shown")]
    Forgotten,
    /// It cannot be encoded.
    #[error("it cannot be encoded: {0}")]
    Unsound(String),
}

/// Bytes that are no fact.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are no fact that this release reads: {0}")]
pub struct NoFact(String);

impl OpenCommit {
    /// Lays a commit open.
    ///
    /// # Errors
    /// If its facts cannot be shown singly.
    pub fn of(tenant: TenantId, entry: &Entry) -> Result<Self, CannotOpen> {
        let HeaderVersion::Each { .. } = entry.version else { return Err(CannotOpen::Whole) };
        let unsound = |error: RecordError| CannotOpen::Unsound(error.to_string());
        let payload = PayloadV2::of(&entry.commit).map_err(unsound)?;
        let salt = entry.commit.salt;
        let leaves = payload.leaves(&salt);
        let items = payload.items.iter().map(|item| item.bytes().to_vec()).collect();
        let header =
            Header { version: entry.version, tenant, sequence: entry.sequence, recorded: entry.commit.recorded };
        // What was forgotten is not what was hashed, and the salt of the others went with it.
        match commit_hash(&entry.previous, &header, &items_root(&leaves)) == entry.hash {
            true => Ok(Self { salt, items, leaves }),
            false => Err(CannotOpen::Forgotten),
        }
    }

    /// The place of a fact.
    pub fn place_of(&self, fact: &Fact) -> Option<u32> {
        // By their bytes: facts also count as equal if they spell a name differently.
        let wanted = encode(&FactV1::of(fact)).ok()?;
        // The last item is not a fact.
        let (_, facts) = self.items.split_last()?;
        facts.iter().position(|item| *item == wanted).and_then(|place| u32::try_from(place).ok())
    }

    /// The item at a place.
    pub fn item(&self, place: u32) -> Option<Item> {
        let bytes = self.items.get(usize::try_from(place).ok()?)?.clone();
        Some(Item { place, salt: item_salt(&self.salt, u64::from(place)), bytes })
    }

    /// The leaves of all items.
    pub fn leaves(&self) -> &[Hash] {
        &self.leaves
    }
}

impl Item {
    /// Its leaf.
    pub fn leaf(&self) -> Hash {
        item_leaf(&self.salt, &self.bytes)
    }

    /// The fact that it says.
    ///
    /// # Errors
    /// If it says none.
    pub fn fact(&self) -> Result<Fact, NoFact> {
        let read = decode::<FactV1>(&self.bytes).and_then(FactV1::read);
        read.map_err(|error| NoFact(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fact::RoundBegan;
    use crate::domain::id::Sequence;
    use crate::domain::time::Instant;
    use crate::store::memory::MemoryStore;
    use crate::store::{Commit, Derived, LedgerStore};

    const TENANT: TenantId = TenantId::from_bytes([0x11; 16]);

    fn entry() -> Entry {
        let began = |micros| Fact::RoundBegan(RoundBegan { started: Instant::from_micros(micros) });
        let facts = vec![began(1), began(2), began(3)];
        let commit = Commit { recorded: Instant::from_micros(9), salt: [5; 16], facts, cursor: None, run: None };
        let store = MemoryStore::new();
        store.append(TENANT, Sequence(0), commit, Derived::default()).unwrap();
        store.journal(TENANT, Sequence(1), 1).unwrap().remove(0)
    }

    #[test]
    fn each_fact_of_a_commit_is_found_and_read_back() {
        let entry = entry();
        let open = OpenCommit::of(TENANT, &entry).unwrap();
        assert_eq!(open.leaves().len(), 4);
        for (place, fact) in (0..).zip(&entry.commit.facts) {
            assert_eq!(open.place_of(fact), Some(place));
            let item = open.item(place).unwrap();
            assert_eq!(item.fact().as_ref(), Ok(fact));
            assert_eq!(item.leaf(), open.leaves()[place as usize]);
        }
        assert_eq!(open.item(4), None);
        assert!(open.item(3).unwrap().fact().is_err(), "what belongs to the sync is no fact");
    }

    #[test]
    fn what_is_not_what_was_hashed_cannot_be_shown() {
        let mut changed = entry();
        changed.commit.facts.pop();
        assert_eq!(OpenCommit::of(TENANT, &changed).unwrap_err(), CannotOpen::Forgotten);
        let whole = Entry { version: HeaderVersion::Whole, ..entry() };
        assert_eq!(OpenCommit::of(TENANT, &whole).unwrap_err(), CannotOpen::Whole);
    }
}
