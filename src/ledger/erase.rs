//! What comes to be known of somebody whose names were erased: it is written without them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::domain::erase::{Erasure, Masker, Needles, Redacted, address_said, anchor_texts, names_said};
use crate::domain::fact::Fact;
use crate::domain::id::{ChainId, ObjectId, SnapshotId, TenantId};
use crate::domain::link::{Anchor, AnchorKind};
use crate::domain::name::{Name, NameKey};
use crate::domain::time::Instant;
use crate::domain::verdict::Ask;
use crate::store::Subject;

use super::{Batch, Ledger, LedgerError};

impl Ledger {
    /// Whether an object's names were erased.
    ///
    /// # Errors
    /// If the ledger cannot be read.
    pub fn is_erased(&self, tenant: TenantId, object: ObjectId) -> Result<bool, LedgerError> {
        Ok(self.store().erasure(tenant)?.is_some_and(|erasure| erasure.has(object)))
    }

    /// Whether anything was erased from any tenant.
    ///
    /// # Errors
    /// If the ledger cannot be read.
    pub fn has_erasures(&self) -> Result<bool, LedgerError> {
        for tenant in self.tenants()? {
            if !self.store().erased(tenant)?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The name with the key by which the ledger knows it, which is another one than its own if it was erased.
    ///
    /// # Errors
    /// If the ledger cannot be read.
    pub fn known_name(&self, tenant: TenantId, name: &Name) -> Result<Name, LedgerError> {
        Ok(self.store().erasure(tenant)?.map_or_else(|| name.clone(), |erasure| erasure.name(name)))
    }

    /// The id under which the ledger knows a chain, which is another one if it had an erased name in it.
    ///
    /// # Errors
    /// If the ledger cannot be read.
    pub fn known_chain(&self, tenant: TenantId, chain: &ChainId) -> Result<ChainId, LedgerError> {
        Ok(self.store().erasure(tenant)?.map_or_else(|| chain.clone(), |erasure| erasure.chain(chain)))
    }

    /// The id under which the ledger knows a snapshot, which is another one if it had an erased name in it.
    ///
    /// # Errors
    /// If the ledger cannot be read.
    pub fn known_snapshot(&self, tenant: TenantId, snapshot: &SnapshotId) -> Result<SnapshotId, LedgerError> {
        Ok(self.store().erasure(tenant)?.map_or_else(|| snapshot.clone(), |erasure| erasure.snapshot(snapshot)))
    }

    /// An ask as it is looked up.
    pub(super) fn known_ask(&self, tenant: TenantId, ask: &Ask) -> Result<Ask, LedgerError> {
        Ok(self.store().erasure(tenant)?.map_or_else(|| ask.clone(), |erasure| erasure.ask(ask)))
    }

    /// These facts as they may be written. Names that somebody erased has got since are erased with them, which the facts that
    /// come first say.
    pub(super) fn masked(&self, tenant: TenantId, mut batch: Batch, at: Instant) -> Result<Batch, LedgerError> {
        let Some(erasure) = self.store().erasure(tenant)? else { return Ok(batch) };
        let mut erasure = Erasure::clone(&erasure);
        let news = self.new_names(tenant, &erasure, &batch.facts, at)?;
        news.iter().for_each(|redacted| erasure.note(redacted));
        let others = self.others(tenant, &erasure, &batch.facts)?;
        let masker = Masker {
            erasure: &erasure,
            needles: &Needles::default(),
            findings: &HashMap::new(),
            is_others: &|key| others.contains(key),
        };
        let facts = std::mem::take(&mut batch.facts).into_iter().map(|fact| masker.mask(fact));
        batch.facts = news.iter().cloned().map(Fact::Redacted).chain(facts).collect();
        if let Some(run) = &mut batch.run {
            [&mut run.error, &mut run.note].into_iter().flatten().for_each(|text| masker.text(text));
        }
        Ok(batch)
    }

    /// What has to be erased besides, because the facts say it of somebody erased. What others are known by already stays
    /// readable, until the object is erased again: nothing that is kept under it may move.
    fn new_names(
        &self,
        tenant: TenantId,
        erasure: &Erasure,
        facts: &[Fact],
        at: Instant,
    ) -> Result<Vec<Redacted>, LedgerError> {
        let mut news: BTreeMap<ObjectId, (BTreeSet<NameKey>, BTreeSet<Anchor>)> = BTreeMap::new();
        for fact in facts {
            let Some(object) = fact.object().filter(|object| erasure.has(*object)) else { continue };
            let names = names_said(fact).into_iter().map(|name| name.key().clone());
            let names = names.filter(|key| !erasure.is_pseudonym(key.as_str()) && erasure.erased(key).is_none());
            let (keys, anchors) = news.entry(object).or_default();
            keys.extend(names);
            if let Fact::Seen(seen) = fact {
                let is_new = |text: &&str| erasure.is_new_anchor(text);
                for text in anchor_texts(&seen.profile).filter(is_new) {
                    let of = |kind| Anchor { kind, value: text.to_owned() };
                    anchors.extend([AnchorKind::ImmutableId, AnchorKind::EmployeeId].map(of));
                }
            }
        }
        let mut redacted = Vec::new();
        for (object, (keys, anchors)) in news {
            let tokens = erasure.tokens();
            let (mut names, mut texts) = (Vec::new(), BTreeSet::new());
            for key in keys {
                if !self.is_in_use(tenant, &key)? {
                    names.push(tokens.name(&key));
                }
            }
            for anchor in &anchors {
                let both = [AnchorKind::ImmutableId, AnchorKind::EmployeeId];
                let used = both.map(|kind| Anchor { kind, value: anchor.value.clone() });
                let used = used.iter().map(|anchor| self.store().anchored(tenant, anchor));
                if used.collect::<Result<Vec<_>, _>>()?.iter().all(Vec::is_empty) {
                    texts.insert(tokens.anchor(&anchor.value));
                }
            }
            let texts: Vec<_> = texts.into_iter().collect();
            if !names.is_empty() || !texts.is_empty() {
                let key = tokens.fingerprint();
                redacted.push(Redacted { object, at, by: None, note: None, key, names, texts, items: Vec::new() });
            }
        }
        Ok(redacted)
    }

    /// Whether anything is kept under a name.
    fn is_in_use(&self, tenant: TenantId, key: &NameKey) -> Result<bool, LedgerError> {
        let store = self.store();
        Ok(!store.holders(tenant, key)?.is_empty()
            || !store.vacancies(tenant, key)?.is_empty()
            || !store.chains(tenant, &Subject::Name(key.clone()))?.is_empty())
    }

    /// Of the erased names by which something in these facts was opened, those that somebody else has or had.
    fn others(&self, tenant: TenantId, erasure: &Erasure, facts: &[Fact]) -> Result<BTreeSet<NameKey>, LedgerError> {
        let mut others = BTreeSet::new();
        for fact in facts {
            let Some(name) = address_said(fact) else { continue };
            let Some(key) = erasure.erased(name.key()) else { continue };
            if self.store().holders(tenant, &key)?.iter().any(|posting| !erasure.has(posting.object)) {
                others.insert(key);
            }
        }
        Ok(others)
    }
}
