//! What was forgotten of a journal: each item of it must be named by the fact that erased it, with what stands there now.

use std::collections::BTreeMap;

use crate::domain::erase::Erasure;
use crate::domain::fact::Fact;
use crate::domain::id::Sequence;
use crate::store::Entry;

/// A commit, and the place of an item in it.
pub(super) type Place = (Sequence, u32);

/// What was forgotten, and what facts say stands there, as far as a journal was walked.
pub(super) struct Forgetting<'a> {
    erasure: Option<&'a Erasure>,
    found: BTreeMap<Place, Found>,
    said: BTreeMap<Place, [u8; 32]>,
}

/// What stands in the place of something forgotten.
#[derive(Clone, Copy)]
struct Found {
    /// As it is named today; `None` without the key.
    sealed: Option<[u8; 32]>,
    /// As older ledgers named it.
    plain: [u8; 32],
}

impl Found {
    fn is_said(&self, said: &[u8; 32]) -> bool {
        self.sealed.as_ref() == Some(said) || self.plain == *said
    }
}

impl<'a> Forgetting<'a> {
    /// With the key of what was erased, if there is one.
    pub fn new(erasure: Option<&'a Erasure>) -> Self {
        Self { erasure, found: BTreeMap::new(), said: BTreeMap::new() }
    }

    /// Takes the next entry in.
    pub fn look_at(&mut self, entry: &Entry) {
        let found =
            |plain: [u8; 32]| Found { sealed: self.erasure.map(|erasure| erasure.tokens().sealed(&plain)), plain };
        self.found.extend(entry.forgotten.iter().map(|(place, digest)| ((entry.sequence, *place), found(*digest))));
        for fact in &entry.commit.facts {
            // What was erased twice stands as the newer fact says.
            if let Fact::Redacted(redacted) = fact {
                self.said.extend(redacted.items.iter().map(|item| ((item.sequence, item.place), item.digest)));
            }
        }
    }

    /// How many items were forgotten.
    pub fn items(&self) -> u64 {
        self.found.len() as u64
    }

    /// What was forgotten and is not named as it stands there, once the whole journal was walked, with how it is to be named.
    pub fn unnamed(&self) -> BTreeMap<Place, [u8; 32]> {
        let found =
            self.found.iter().filter(|(place, found)| !self.said.get(place).is_some_and(|said| found.is_said(said)));
        found.map(|(place, found)| (*place, found.sealed.unwrap_or(found.plain))).collect()
    }

    /// Where the two disagree, once the whole journal was walked.
    pub fn unsound(&self) -> impl Iterator<Item = (String, &'static str)> + '_ {
        let unnamed = self.found.iter().filter_map(|(place, found)| match self.said.get(place) {
            None => Some((place, "it was forgotten, and no fact says so")),
            Some(said) if !found.is_said(said) => {
                Some((place, "it was forgotten, and what stands there is not what the fact says"))
            }
            Some(_) => None,
        });
        let kept = self.said.keys().filter(|place| !self.found.contains_key(place));
        let kept = kept.map(|place| (place, "a fact says that it was forgotten, and it was not"));
        unnamed.chain(kept).map(|((sequence, place), why)| (format!("item {place} of commit {sequence}"), why))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::erase::{Fingerprint, Instead, Redacted};
    use crate::domain::id::{ObjectId, TenantId};
    use crate::domain::time::Instant;
    use crate::store::{Commit, Derived, ErasureKey, LedgerStore, memory::MemoryStore};

    const TENANT: TenantId = TenantId::from_bytes([7; 16]);

    #[test]
    fn what_stands_there_now_is_named_by_the_key_or_as_older_ledgers_did() {
        let erasure = ErasureKey::new([5; 32]).erasure(TENANT);
        let plain = [9; 32];
        let sealed = erasure.tokens().sealed(&plain);
        assert_ne!(sealed, plain, "whoever has the ledger alone could guess at it");
        assert_ne!(sealed, ErasureKey::new([5; 32]).erasure(TenantId::from_bytes([8; 16])).tokens().sealed(&plain));
        let cases = [(plain, true, true), (sealed, true, true), (sealed, false, false), ([8; 32], true, false)];
        for (digest, has_key, holds) in cases {
            let items = vec![Instead { sequence: Sequence(1), place: 0, digest }];
            let redacted = Redacted {
                object: ObjectId::from_bytes([1; 16]),
                at: Instant::MIN,
                by: None,
                note: None,
                key: Fingerprint([0; 8]),
                names: Vec::new(),
                texts: Vec::new(),
                items,
            };
            let store = MemoryStore::new();
            let facts = vec![Fact::Redacted(redacted)];
            let commit = Commit { recorded: Instant::MIN, salt: [0; 16], facts, cursor: None, run: None };
            store.append(TENANT, Sequence(0), commit, Derived::default()).unwrap();
            let mut entry = store.journal(TENANT, Sequence(1), 1).unwrap().remove(0);
            entry.forgotten = vec![(0, plain)];
            let mut forgetting = Forgetting::new(has_key.then_some(&erasure));
            forgetting.look_at(&entry);
            assert_eq!(forgetting.unsound().next().is_none(), holds, "{digest:?}");
            assert_eq!(forgetting.unnamed().is_empty(), holds);
        }
    }
}
