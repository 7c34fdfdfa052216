//! What comes to be known of somebody whose names were erased: it is written without them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::domain::erase::{Erasure, Masker, Needles, Redacted, anchor_texts, ids_said, names_said};
use crate::domain::fact::{Addressed, Fact};
use crate::domain::id::{ChainId, ObjectId, TenantId};
use crate::domain::link::{Anchor, AnchorKind};
use crate::domain::name::{Name, NameKey};
use crate::domain::time::Instant;
use crate::domain::verdict::Ask;
use crate::store::{Order, Subject};

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

    /// What has to be erased besides, because the facts say it of somebody erased, or call a chain or a snapshot by an erased name.
    /// What others are known by already stays readable, until the object is erased again: nothing that is kept under it may move.
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
                let is_new = |text: &&str| erasure.is_new_text(text);
                for text in anchor_texts(&seen.profile).filter(is_new) {
                    let of = |kind| Anchor { kind, value: text.to_owned() };
                    anchors.extend([AnchorKind::ImmutableId, AnchorKind::EmployeeId].map(of));
                }
            }
        }
        // An id with a name in it is nobody's in particular.
        let mut ids = self.ids_with_erased(tenant, erasure, facts)?;
        if let Some(first) = erasure.objects().next().filter(|_| !ids.is_empty()) {
            news.entry(first).or_default();
        }
        let mut redacted = Vec::new();
        for (object, (keys, anchors)) in news {
            let tokens = erasure.tokens();
            let (mut names, mut texts) = (Vec::new(), BTreeSet::new());
            texts.extend(std::mem::take(&mut ids).iter().map(|id| tokens.text(id)));
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
                    texts.insert(tokens.text(&anchor.value));
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

    /// The ids of chains and snapshots in these facts in which an erased name stands that nobody else has or had. One under which
    /// something is kept already stays, until the object is erased again.
    fn ids_with_erased(
        &self,
        tenant: TenantId,
        erasure: &Erasure,
        facts: &[Fact],
    ) -> Result<BTreeSet<String>, LedgerError> {
        let mut ids = BTreeSet::new();
        for (chain, snapshot) in facts.iter().filter_map(ids_said) {
            let store = self.store();
            if self.tells_erased(tenant, erasure, chain.as_str())?
                && store.snapshots(tenant, chain, Order::Forward, None, 1)?.is_empty()
            {
                ids.insert(chain.as_str().to_owned());
            }
            if self.tells_erased(tenant, erasure, snapshot.as_str())?
                && store.snapshot(tenant, chain, snapshot)?.is_none()
            {
                ids.insert(snapshot.as_str().to_owned());
            }
        }
        Ok(ids)
    }

    /// Whether an id tells an erased name that is not somebody else's as well.
    pub(super) fn tells_erased(&self, tenant: TenantId, erasure: &Erasure, id: &str) -> Result<bool, LedgerError> {
        for key in erasure.names_in(id) {
            if self.other_holder(tenant, erasure, &key)?.is_none() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Who has or had a name and was not erased.
    pub(super) fn other_holder(
        &self,
        tenant: TenantId,
        erasure: &Erasure,
        key: &NameKey,
    ) -> Result<Option<ObjectId>, LedgerError> {
        let mut held = self.store().holders(tenant, key)?.into_iter().map(|posting| posting.object);
        Ok(held.find(|object| !erasure.has(*object)))
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
            let name = match fact {
                Fact::Vacant(vacant) => &vacant.name,
                Fact::SnapshotTaken(snapshot) => match &snapshot.addressed {
                    Addressed::Name(name, _) => name,
                    Addressed::Object(_) => continue,
                },
                _ => continue,
            };
            let Some(key) = erasure.erased(name.key()) else { continue };
            if self.other_holder(tenant, erasure, &key)?.is_some() {
                others.insert(key);
            }
        }
        Ok(others)
    }
}
