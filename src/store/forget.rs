//! A commit of the journal without what was erased: what stands in it is replaced, its hashes stay.

use sha2::{Digest, Sha256};

use super::codec::{RecordError, decode, encode};
use super::hash::item_salt;
use super::record::fact::FactV1;
use super::record::journal::{ItemV2, PayloadKind, PayloadV2, SyncStateV1};
use super::{RawEntry, StoreError};
use crate::domain::fact::Fact;
use crate::domain::id::TenantId;

/// What is written instead of what a commit says.
pub struct Instead<'a> {
    /// Instead of a fact.
    pub fact: &'a dyn Fn(Fact) -> Fact,
    /// Instead of what a run's entry says in words.
    pub text: &'a dyn Fn(&mut String),
}

/// The places in a commit that say something else now, and SHA-256 of that.
pub type Places = Vec<(u32, [u8; 32])>;

impl RawEntry {
    /// The commit with what is to be written instead, and where it differs; `None` if nothing of it does. The leaves of what
    /// is replaced stay, everything else keeps the salt that it was hashed with, and the commit's own salt, from which all of
    /// them follow, is gone.
    ///
    /// # Errors
    /// If the commit is hashed as a whole and would have to change, or cannot be read.
    pub fn forget(&self, tenant: TenantId, instead: &Instead<'_>) -> Result<Option<(Self, Places)>, StoreError> {
        let what = || format!("commit {} of tenant {tenant}", self.sequence);
        let damaged = |error: RecordError| StoreError::Damaged { what: what(), why: error.to_string() };
        // Nothing is made of a commit that is not what its hashes say.
        let entry = self.open(tenant)?;
        if self.version == PayloadKind::Whole.version() {
            let said = PayloadV2::of(&entry.commit).map_err(damaged)?;
            let differs = said.items.iter().enumerate().map(|(place, item)| {
                let is_last = place + 1 == said.items.len();
                Ok(replaced(item.bytes(), is_last, instead)? != item.bytes())
            });
            let differs = differs.collect::<Result<Vec<bool>, RecordError>>().map_err(damaged)?;
            return match differs.contains(&true) {
                true => Err(StoreError::CannotForget { tenant, sequence: self.sequence }),
                false => Ok(None),
            };
        }
        let PayloadV2 { items } = decode(&self.payload).map_err(damaged)?;
        let count = items.len();
        let (mut changed, mut places) = (Vec::with_capacity(count), Vec::new());
        for (place, item) in (0u32..).zip(items) {
            let is_last = usize::try_from(place).is_ok_and(|place| place + 1 == count);
            let bytes = replaced(item.bytes(), is_last, instead).map_err(damaged)?;
            if bytes != item.bytes() {
                places.push((place, Sha256::digest(&bytes).into()));
                changed.push(ItemV2::Forgotten(item.leaf(&self.salt, u64::from(place)).0, bytes));
                continue;
            }
            changed.push(match item {
                ItemV2::Said(bytes) => ItemV2::Apart(item_salt(&self.salt, u64::from(place)), bytes),
                other => other,
            });
        }
        if places.is_empty() {
            return Ok(None);
        }
        let payload = encode(&PayloadV2 { items: changed }).map_err(damaged)?;
        let forgotten = Self { salt: [0; 16], payload, ..self.clone() };
        forgotten.open(tenant)?;
        Ok(Some((forgotten, places)))
    }
}

fn replaced(item: &[u8], is_last: bool, instead: &Instead<'_>) -> Result<Vec<u8>, RecordError> {
    if !is_last {
        let fact = decode::<FactV1>(item)?.read()?;
        return encode(&FactV1::of(&(instead.fact)(fact)));
    }
    let mut sync: SyncStateV1 = decode(item)?;
    sync.texts().for_each(instead.text);
    encode(&sync)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fact::{Blind, RoundBegan};
    use crate::domain::id::Sequence;
    use crate::domain::time::Instant;
    use crate::store::memory::MemoryStore;
    use crate::store::{Commit, Derived, Entry, LedgerStore};

    const TENANT: TenantId = TenantId::from_bytes([0x11; 16]);

    fn at(micros: i64) -> Instant {
        Instant::from_micros(micros)
    }

    fn raw() -> RawEntry {
        let blind = Fact::Blind(Blind { from: at(1), until: at(2), why: "ann@x.test".into() });
        let began = |micros| Fact::RoundBegan(RoundBegan { started: at(micros) });
        let facts = vec![began(1), blind, began(2)];
        let commit = Commit { recorded: at(9), salt: [5; 16], facts, cursor: None, run: None };
        let store = MemoryStore::new();
        store.append(TENANT, Sequence(0), commit, Derived::default()).unwrap();
        store.raw_journal(TENANT, Sequence(1), 1).unwrap().remove(0)
    }

    fn blank(text: &str) -> impl Fn(Fact) -> Fact + '_ {
        move |fact| match fact {
            Fact::Blind(blind) => Fact::Blind(Blind { why: text.to_owned(), ..blind }),
            other => other,
        }
    }

    #[test]
    fn a_commit_without_one_of_its_facts_keeps_its_hash_and_no_salt_to_guess_with() {
        let raw = raw();
        let (forgotten, places) =
            raw.forget(TENANT, &Instead { fact: &blank("gone"), text: &|_| () }).unwrap().unwrap();
        assert_eq!(places.iter().map(|(place, _)| *place).collect::<Vec<_>>(), [1]);
        let Entry { hash, commit, forgotten: listed, .. } = forgotten.open(TENANT).unwrap();
        assert_eq!((hash, &listed), (raw.hash, &places));
        assert_eq!(commit.salt, [0; 16]);
        assert!(matches!(&commit.facts[1], Fact::Blind(blind) if blind.why == "gone"));
        assert!(!forgotten.payload.windows(10).any(|bytes| bytes == b"ann@x.test"));
        let own = item_salt(&raw.salt, 1);
        assert!(!forgotten.payload.windows(16).any(|bytes| bytes == own || bytes == raw.salt));
        // It can be forgotten again, and what is the same already is left alone.
        assert!(forgotten.forget(TENANT, &Instead { fact: &blank("gone"), text: &|_| () }).unwrap().is_none());
        let (again, _) = forgotten.forget(TENANT, &Instead { fact: &blank(""), text: &|_| () }).unwrap().unwrap();
        assert_eq!(again.open(TENANT).unwrap().hash, raw.hash);
    }

    #[test]
    fn a_commit_in_which_nothing_differs_is_left_alone() {
        assert!(raw().forget(TENANT, &Instead { fact: &|fact| fact, text: &|_| () }).unwrap().is_none());
    }
}
