//! Erasures whose own record was lost with the end of a journal: what still stands there is named anew.
//!
//! Without that nobody would know any more that these objects were erased: their names would be written in full again by the next
//! sync, and no check would ever hold.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::erase::{
    Instead, Redacted, Token, address_said, anchor_texts, ids_said, names_said, stands_for, token_of,
};
use crate::domain::fact::Fact;
use crate::domain::id::{ObjectId, TenantId};
use crate::store::{Entry, ErasureKey};

use super::forgetting::{Forgetting, Place};
use super::redact::{FACTS_MAX, ITEMS_MAX, each_entry};
use super::{Batch, Ledger, LedgerError, Stamp};

/// What was found of erasures whose own record was lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Restated {
    /// Items of the journal that were forgotten, and that no fact names as they stand.
    pub items: u64,
    /// The objects that were erased, by these items.
    pub objects: u64,
    /// Facts name them now. Only the key of erased names is wanted for that.
    pub named: bool,
}

impl Ledger {
    /// How many items of the journal were forgotten that no fact names as they stand, because the record of their erasure was lost.
    /// Without the key those that a fact does name may be among them.
    ///
    /// # Errors
    /// If the ledger cannot be read.
    pub fn unnamed_items(&self, key: Option<&ErasureKey>) -> Result<u64, LedgerError> {
        let mut items = 0;
        for tenant in self.tenants()? {
            items += self.unnamed(tenant, key)?.len() as u64;
        }
        Ok(items)
    }

    fn unnamed(&self, tenant: TenantId, key: Option<&ErasureKey>) -> Result<BTreeMap<Place, [u8; 32]>, LedgerError> {
        let erasure = key.map(|key| key.erasure(tenant));
        let mut forgetting = Forgetting::new(erasure.as_ref());
        each_entry(self.store(), tenant, |entry| forgetting.look_at(entry))?;
        Ok(forgetting.unnamed())
    }

    /// Names what was forgotten and is named by no fact, with the objects, names and texts that it shows to have been erased. If it
    /// named any, everything is to be derived anew, because whoever else has such a name is known by another key now.
    ///
    /// # Errors
    /// If the ledger cannot be read or written.
    pub fn restate_erasures(&self, key: Option<&ErasureKey>, stamp: Stamp) -> Result<Restated, LedgerError> {
        let mut restated = Restated::default();
        for tenant in self.tenants()? {
            let lost = self.unnamed(tenant, key)?;
            if lost.is_empty() {
                continue;
            }
            let mut told = Told::default();
            each_entry(self.store(), tenant, |entry| told.look_at(entry, &lost))?;
            restated.items += lost.len() as u64;
            restated.objects += told.objects.len() as u64;
            let Some(key) = key else { continue };
            // From the first of these facts on, erased names are known by other keys than what is derived has.
            self.store().announce_rebuild()?;
            for (number, facts) in (0..).zip(told.facts(&lost, key, stamp).chunks(FACTS_MAX)) {
                let facts = facts.iter().cloned().map(Fact::Redacted).collect();
                self.append(tenant, Batch { facts, ..Batch::default() }, stamp.another(number))?;
            }
        }
        restated.named = restated.items > 0 && key.is_some();
        Ok(restated)
    }
}

/// What forgotten items show to have been erased.
#[derive(Default)]
struct Told {
    objects: BTreeMap<ObjectId, Tokens>,
    /// Of what is about no object.
    loose: Tokens,
}

#[derive(Clone, Default)]
struct Tokens {
    names: BTreeSet<Token>,
    texts: BTreeSet<Token>,
}

impl Told {
    fn look_at(&mut self, entry: &Entry, lost: &BTreeMap<Place, [u8; 32]>) {
        for (place, fact) in (0..).zip(&entry.commit.facts) {
            if !lost.contains_key(&(entry.sequence, place)) {
                continue;
            }
            // Of somebody else only an anchor is forgotten that both have: whose own names stand there was not erased.
            let mut tokens = Tokens::default();
            tokens.look_at(fact);
            let of = match fact.object().filter(|_| has_lost_a_name(fact)) {
                Some(object) => self.objects.entry(object).or_default(),
                None => &mut self.loose,
            };
            of.names.extend(tokens.names);
            of.texts.extend(tokens.texts);
        }
    }

    fn facts(mut self, lost: &BTreeMap<Place, [u8; 32]>, key: &ErasureKey, stamp: Stamp) -> Vec<Redacted> {
        let items: Vec<Instead> = lost
            .iter()
            .map(|((sequence, place), digest)| Instead { sequence: *sequence, place: *place, digest: *digest })
            .collect();
        // A chain or an address may have been erased before anything else told of its person; then it is nobody's.
        let first = self.objects.keys().next().copied().unwrap_or(ObjectId::from_bytes([0; 16]));
        let loose = std::mem::take(&mut self.loose);
        let of_first = self.objects.entry(first).or_default();
        of_first.names.extend(loose.names);
        of_first.texts.extend(loose.texts);
        let of = |object: ObjectId, Tokens { names, texts }: Tokens, items: &[Instead]| Redacted {
            object,
            at: stamp.now,
            by: None,
            note: Some(NOTE.to_owned()),
            key: key.fingerprint(),
            names: names.into_iter().collect(),
            texts: texts.into_iter().collect(),
            items: items.to_vec(),
        };
        let mut facts: Vec<Redacted> =
            self.objects.into_iter().map(|(object, tokens)| of(object, tokens, &[])).collect();
        facts.extend(items.chunks(ITEMS_MAX).map(|items| of(first, Tokens::default(), items)));
        facts
    }
}

/// What auditors read of it.
const NOTE: &str = "the record of this erasure was lost; it is named anew by what stands in the journal";

/// Whether a pseudonym stands where a name of the fact's object was.
fn has_lost_a_name(fact: &Fact) -> bool {
    names_said(fact).iter().any(|name| stands_for(name.spelling()).is_some())
}

impl Tokens {
    fn look_at(&mut self, fact: &Fact) {
        self.names.extend(names_said(fact).iter().filter_map(|name| stands_for(name.spelling())));
        self.names.extend(address_said(fact).and_then(|name| stands_for(name.spelling())));
        if let Fact::Seen(seen) = fact {
            self.texts.extend(anchor_texts(&seen.profile).filter_map(token_of));
        }
        let ids = ids_said(fact).map(|(chain, snapshot)| [chain.as_str(), snapshot.as_str()]);
        self.texts.extend(ids.into_iter().flatten().filter_map(token_of));
    }
}
