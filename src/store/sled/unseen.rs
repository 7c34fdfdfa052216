//! What tenants that were empty a moment ago surely do not hold yet, so that a first enumeration need not look for it.
//!
//! A first enumeration brings an object and its names once each, and of every one the store would be asked whether it is known: a
//! scan a name, which costs the engine more than the writing. A Bloom filter (B. H. Bloom, "Space/time trade-offs in hash coding
//! with allowable errors", 1970) of all that was written since the tenant was empty says "surely not" for nearly all of them. What
//! it does not say that of is looked up.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{PoisonError, RwLock};

use crate::domain::id::{ObjectId, TenantId};
use crate::domain::name::NameKey;
use crate::store::{Derived, Head};

/// The filters of the tenants whose first enumeration is going on in this process.
#[derive(Debug, Default)]
pub(super) struct Unseen(RwLock<HashMap<TenantId, Filter>>);

impl Unseen {
    /// Notes what is about to be written to a tenant; from the first commit on, or not at all. To be called before any reader
    /// can know of the commit.
    pub(super) fn note(&self, tenant: TenantId, before: &Head, derived: &Derived) {
        let mut filters = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if derived.state.coverage.horizon().is_some() {
            // The first enumeration is over, and what comes from now on is mostly known.
            filters.remove(&tenant);
            return;
        }
        if before.sequence.0 == 0 && filters.len() < FILTERS_MAX {
            filters.insert(tenant, Filter::default());
        }
        let Some(filter) = filters.get_mut(&tenant) else { return };
        derived.objects.iter().for_each(|(object, _)| filter.insert(object.as_bytes()));
        for (name, object, _) in &derived.postings {
            filter.insert(name.as_str().as_bytes());
            filter.insert(object.as_bytes());
        }
    }

    /// Whether a tenant surely has no record of an object, nor one of a name that it held.
    pub(super) fn lacks_object(&self, tenant: TenantId, object: ObjectId) -> bool {
        self.lacks(tenant, object.as_bytes())
    }

    /// Whether nobody of a tenant surely ever held a name.
    pub(super) fn lacks_name(&self, tenant: TenantId, name: &NameKey) -> bool {
        self.lacks(tenant, name.as_str().as_bytes())
    }

    fn lacks(&self, tenant: TenantId, key: &[u8]) -> bool {
        let filters = self.0.read().unwrap_or_else(PoisonError::into_inner);
        filters.get(&tenant).is_some_and(|filter| !filter.may_have(key))
    }

    /// Says nothing any more, because records are changed by other ways than commits.
    pub(super) fn forget(&self) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// How many tenants are kept track of at once: each takes 8 MiB.
const FILTERS_MAX: usize = 8;
/// At a million users with three names each that is sixteen bits a key, so one key in some five hundred is looked up in vain.
const BITS: u64 = 1 << 26;
const WORD_BITS: u64 = 64;
const PROBES: u64 = 4;

#[derive(Debug)]
struct Filter {
    words: Vec<u64>,
    /// Seeded by chance, so that nobody can choose names that are all alike to it.
    hasher: RandomState,
}

impl Default for Filter {
    fn default() -> Self {
        Self { words: vec![0; usize::try_from(BITS / WORD_BITS).unwrap_or(usize::MAX)], hasher: RandomState::new() }
    }
}

impl Filter {
    fn insert(&mut self, key: &[u8]) {
        for (word, bit) in self.places(key) {
            if let Some(word) = self.words.get_mut(word) {
                *word |= bit;
            }
        }
    }

    fn may_have(&self, key: &[u8]) -> bool {
        self.places(key).into_iter().all(|(word, bit)| self.words.get(word).is_none_or(|word| word & bit != 0))
    }

    /// The words and bits of a key, from two halves of one hash (A. Kirsch, M. Mitzenmacher, "Less hashing, same performance",
    /// 2006).
    fn places(&self, key: &[u8]) -> [(usize, u64); PROBES as usize] {
        let hash = self.hasher.hash_one(key);
        let (first, step) = (hash & 0xffff_ffff, (hash >> 32) | 1);
        std::array::from_fn(|probe| {
            let bit = first.wrapping_add(step.wrapping_mul(probe as u64)) % BITS;
            (usize::try_from(bit / WORD_BITS).unwrap_or(usize::MAX), 1 << (bit % WORD_BITS))
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::coverage::Coverage;
    use crate::domain::fact::{Feed, Horizon};
    use crate::domain::id::Sequence;
    use crate::domain::name::Namespace;
    use crate::domain::time::Instant;

    const TENANT: TenantId = TenantId::from_bytes([7; 16]);

    fn name(number: u64) -> NameKey {
        format!("user{number}@contoso.example").parse::<crate::domain::name::Name>().unwrap().key().clone()
    }

    fn object(number: u8) -> ObjectId {
        ObjectId::from_bytes([number; 16])
    }

    fn holding(numbers: impl IntoIterator<Item = u64>) -> Derived {
        let posting = |number| (name(number), object(1), Namespace::Upn);
        Derived { postings: numbers.into_iter().map(posting).collect(), ..Derived::default() }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

        #[test]
        fn what_was_written_is_never_missed(written in prop::collection::vec(0_u64..1_000_000, 0..200)) {
            let unseen = Unseen::default();
            unseen.note(TENANT, &Head::default(), &holding(written.iter().copied()));
            for number in written {
                prop_assert!(!unseen.lacks_name(TENANT, &name(number)));
            }
        }
    }

    #[test]
    fn what_was_not_written_is_mostly_told() {
        let unseen = Unseen::default();
        let derived = Derived { objects: vec![(object(1), Vec::new())], ..holding(0..1_000) };
        unseen.note(TENANT, &Head::default(), &derived);
        assert!(!unseen.lacks_object(TENANT, object(1)));
        assert!(unseen.lacks_object(TENANT, object(2)));
        let told = (1_000..2_000).filter(|number| unseen.lacks_name(TENANT, &name(*number))).count();
        assert!(told > 990, "{told}");
    }

    /// Only who saw the first commit knows all of them.
    #[test]
    fn nothing_is_told_of_a_tenant_that_had_commits_nor_after_its_first_enumeration_nor_of_others() {
        let unseen = Unseen::default();
        unseen.note(TENANT, &Head { sequence: Sequence(3), ..Head::default() }, &holding(0..3));
        assert!(!unseen.lacks_name(TENANT, &name(9)));
        unseen.note(TENANT, &Head::default(), &holding(0..3));
        assert!(unseen.lacks_name(TENANT, &name(9)));
        assert!(!unseen.lacks_name(TenantId::from_bytes([8; 16]), &name(9)));
        let mut last = holding(3..6);
        let (from, through) = (Instant::from_micros(1), Instant::from_micros(2));
        last.state.coverage = Coverage::default();
        last.state.coverage.add(&Horizon { feed: Feed::Delta, from, through });
        unseen.note(TENANT, &Head { sequence: Sequence(1), ..Head::default() }, &last);
        assert!(!unseen.lacks_name(TENANT, &name(9)));
        unseen.note(TENANT, &Head::default(), &holding(0..3));
        unseen.forget();
        assert!(!unseen.lacks_name(TENANT, &name(9)));
    }
}
