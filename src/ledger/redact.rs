//! Erasing somebody's names: what that means for each commit, and a ledger written anew without them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::domain::erase::{self, Erasure, Masker, Needles, Redacted, Token, anchor_texts, names_said};
use crate::domain::fact::Fact;
use crate::domain::finding::{FindingId, FindingKind, Subject};
use crate::domain::id::{ChainId, ObjectId, Sequence, TenantId};
use crate::domain::link::{Anchor, AnchorKind};
use crate::domain::name::{Name, NameKey};
use crate::store::{Entry, ErasureKey, Instead, LedgerStore, Places, RawEntry, StoreError, Veil};

use super::{Batch, Ledger, LedgerError, Stamp};

/// How many journal entries are read at a time.
const ENTRIES: usize = 64;
/// How many replaced items one fact names, and how many such facts one commit has.
pub(super) const ITEMS_MAX: usize = 20_000;
pub(super) const FACTS_MAX: usize = 4;

/// Whose names are to be erased, and by whose word.
#[derive(Clone, Debug)]
pub struct RedactRequest {
    /// The tenant.
    pub tenant: TenantId,
    /// The objects.
    pub objects: BTreeSet<ObjectId>,
    /// The operator.
    pub by: Option<String>,
    /// Why.
    pub note: Option<String>,
}

/// What erasing means for a ledger.
pub struct Redaction {
    request: RedactRequest,
    key: ErasureKey,
    erasure: Erasure,
    needles: Needles,
    findings: HashMap<FindingId, FindingId>,
    /// Names that stay readable where somebody else is called so, by their pseudonyms, in a spelling if one is known.
    others: BTreeMap<NameKey, Option<Name>>,
    /// The pseudonyms of all that these objects were ever called.
    own: BTreeSet<NameKey>,
    names: BTreeMap<ObjectId, BTreeSet<Token>>,
    texts: BTreeMap<ObjectId, BTreeSet<Token>>,
    /// The mapping's rules that have one of the names in them.
    rules: BTreeSet<String>,
}

/// What was, or would be, erased.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct RedactReport {
    /// Names.
    pub names: u64,
    /// Ids of chains and snapshots and values of anchors that went with them.
    pub texts: u64,
    /// Commits in which something was replaced.
    pub commits: u64,
    /// What was replaced in them.
    pub items: u64,
    /// Names that stay readable where they are somebody else's.
    pub still_readable: Vec<Name>,
    /// Rules of the mapping, in force or before, that have a name in them: what decides who is protected is not changed by an erasure.
    pub rules: Vec<String>,
}

impl Ledger {
    /// Works out what has to go when these objects' names are erased. Nothing is changed.
    ///
    /// # Errors
    /// If an object was never seen, or the ledger cannot be read.
    pub fn plan_redaction(&self, request: RedactRequest, key: ErasureKey) -> Result<Redaction, LedgerError> {
        let tenant = request.tenant;
        for object in &request.objects {
            if self.store().object(tenant, *object)?.is_empty() {
                return Err(LedgerError::NoObject { object: *object });
            }
        }
        let mut erasure = match self.store().erasure(tenant)? {
            Some(erasure) => Erasure::clone(&erasure),
            None => key.erasure(tenant),
        };
        erasure.extend(request.objects.iter().copied().map(erase::Erased::Object));
        let told = self.told_of(tenant, &request.objects)?;
        let mut plan = Redaction {
            request,
            key,
            erasure,
            needles: Needles::default(),
            findings: HashMap::new(),
            others: BTreeMap::new(),
            own: BTreeSet::new(),
            names: BTreeMap::new(),
            texts: BTreeMap::new(),
            rules: BTreeSet::new(),
        };
        plan.add_names(&told);
        plan.add_anchors(&told);
        let first = plan.request.objects.first().copied();
        for key in self.addresses_with(&plan)? {
            plan.add_address(first, key);
        }
        for id in self.ids_with(&plan)? {
            plan.add_id(first, &id);
        }
        plan.rules = self.rules_with(&plan)?;
        for name in told.values().flat_map(|told| &told.names) {
            // It stands under its own key still, or under its pseudonym if somebody else's erasure came first.
            if self.other_holder(&plan, name.key())?.is_some() {
                plan.others.insert(plan.erasure.key(name.key()), Some(name.clone()));
            }
        }
        // What an earlier erasure left readable as somebody else's stays so.
        let before: Vec<Token> = plan.erasure.names().collect();
        for key in before.into_iter().flat_map(|token| [false, true].map(|placeholder| token.as_name(placeholder))) {
            if !plan.others.contains_key(&key)
                && let Some(other) = self.other_holder(&plan, &key)?
            {
                let name = self.spelled(tenant, other, &key)?;
                plan.others.insert(key, name);
            }
        }
        plan.own = told.values().flat_map(|told| &told.names).map(|name| plan.erasure.key(name.key())).collect();
        plan.own.extend(told.into_values().flat_map(|told| told.masked));
        Ok(plan)
    }

    /// A name as one of its holders spells it.
    fn spelled(&self, tenant: TenantId, object: ObjectId, key: &NameKey) -> Result<Option<Name>, LedgerError> {
        let facts = self.store().object(tenant, object)?;
        let mut said = facts.iter().flat_map(|known| names_said(&known.fact));
        Ok(said.find(|name| name.key() == key))
    }

    /// What these objects were ever called, in every spelling, and their anchors.
    fn told_of(&self, tenant: TenantId, objects: &BTreeSet<ObjectId>) -> Result<BTreeMap<ObjectId, Told>, LedgerError> {
        let mut told: BTreeMap<ObjectId, Told> = objects.iter().map(|object| (*object, Told::default())).collect();
        each_fact(self.store(), tenant, |fact| {
            let Some(told) = fact.object().and_then(|object| told.get_mut(&object)) else { return };
            for name in &names_said(fact) {
                if erase::stands_for(name.spelling()).is_some() {
                    told.masked.insert(name.key().clone());
                    continue;
                }
                // Its own key, whatever it is compared by.
                told.names.extend(name.spelling().parse::<Name>());
                told.spellings.insert(name.spelling().to_owned());
            }
            if let Fact::Seen(seen) = fact {
                told.anchors.extend(anchor_texts(&seen.profile).map(str::to_owned));
            }
        })?;
        Ok(told)
    }

    /// What snapshots were addressed by and what nobody had, where that is none of the names and tells one: as the directory writes it
    /// after a deletion, with the object's id in front, or with `SMTP:` there. What somebody else is called is that person's.
    fn addresses_with(&self, plan: &Redaction) -> Result<BTreeSet<NameKey>, LedgerError> {
        let (mut suspect, mut last) = (BTreeSet::new(), String::new());
        each_fact(self.store(), plan.request.tenant, |fact| {
            let Some(name) = erase::address_said(fact) else { return };
            // One chain's snapshots mostly stand together.
            if name.spelling() == last {
                return;
            }
            last = name.spelling().to_owned();
            if plan.erasure.key(name.key()) == *name.key() && plan.may_tell(&last) {
                suspect.insert(name.clone());
            }
        })?;
        let mut keys = BTreeSet::new();
        for name in suspect.into_iter().filter(|name| erase::stands_for(name.key().as_str()).is_none()) {
            if self.other_holder(plan, name.key())?.is_none() && self.tells(plan, name.spelling())? {
                keys.insert(name.key().clone());
            }
        }
        Ok(keys)
    }

    /// The ids of chains and snapshots that tell one of the names, or one that was erased before and is nobody else's.
    fn ids_with(&self, plan: &Redaction) -> Result<BTreeSet<String>, LedgerError> {
        let (mut suspect, mut last) = (BTreeSet::new(), String::new());
        each_fact(self.store(), plan.request.tenant, |fact| {
            let Some((chain, snapshot)) = erase::ids_said(fact) else { return };
            // One chain's snapshots mostly stand together.
            if chain.as_str() != last {
                last = chain.as_str().to_owned();
                suspect.extend(plan.may_tell(&last).then(|| last.clone()));
            }
            suspect.extend(Some(snapshot.as_str()).filter(|id| plan.may_tell(id)).map(str::to_owned));
        })?;
        let mut ids = BTreeSet::new();
        for id in suspect {
            if self.tells(plan, &id)? {
                ids.insert(id);
            }
        }
        Ok(ids)
    }

    /// Whether an id, or another short text, that may tell one of the names does. A longer name in it that somebody else has or had is
    /// that person's, as `mary-ann@x.test` is where `ann@x.test` is erased.
    fn tells(&self, plan: &Redaction, id: &str) -> Result<bool, LedgerError> {
        let mut rest: Vec<char> = id.chars().collect();
        for names in erase::names_around(id) {
            for (place, name) in names {
                if plan.is_own_now(name.key()) {
                    return Ok(true);
                }
                let key = plan.erasure.key(name.key());
                if self.other_holder(plan, &key)?.is_some() {
                    rest.get_mut(place).into_iter().flatten().for_each(|letter| *letter = ' ');
                    break;
                }
                if key != *name.key() {
                    return Ok(true);
                }
            }
        }
        Ok(plan.needles.occur_in(&rest.into_iter().collect::<String>()))
    }

    /// The rules of the mapping, as they are or were in force, in which one of the names stands.
    fn rules_with(&self, plan: &Redaction) -> Result<BTreeSet<String>, LedgerError> {
        let (mut suspect, mut rules) = (BTreeSet::new(), BTreeSet::new());
        each_fact(self.store(), plan.request.tenant, |fact| {
            let Fact::MappingApplied(applied) = fact else { return };
            for rule in applied.mapping.rules() {
                let texts = rule.texts().into_iter().filter(|text| plan.may_tell(text));
                suspect.extend(texts.map(|text| (rule.name.clone(), text.to_owned())));
            }
        })?;
        for (rule, text) in suspect {
            if self.tells(plan, &text)? {
                rules.insert(rule);
            }
        }
        Ok(rules)
    }

    /// Who else is or was called so, and keeps the name.
    fn other_holder(&self, plan: &Redaction, key: &NameKey) -> Result<Option<ObjectId>, LedgerError> {
        let mut held = self.store().holders(plan.request.tenant, key)?.into_iter().map(|posting| posting.object);
        Ok(held.find(|object| !plan.erasure.has(*object)))
    }

    /// What erasing would replace. Nothing is changed.
    ///
    /// # Errors
    /// If a commit is too old to be changed in part, or the ledger cannot be read.
    pub fn preview_redaction(&self, plan: &Redaction) -> Result<RedactReport, LedgerError> {
        let mut report = plan.report();
        each_raw(self.store(), plan.request.tenant, |raw| {
            if let Some((_, places)) = plan.forget(raw)? {
                report.commits += 1;
                report.items += places.len() as u64;
            }
            Ok(())
        })?;
        Ok(report)
    }

    /// Writes all of this ledger into an empty store, without the names, and with the facts that say what was erased. What
    /// was written is checked as `verify` does it.
    ///
    /// # Errors
    /// If a commit is too old to be changed in part, a store fails, or what was written does not hold.
    pub fn redact_into(
        &self,
        plan: &Redaction,
        into: Arc<dyn LedgerStore>,
        stamp: Stamp,
        mut progress: impl FnMut(u64),
    ) -> Result<RedactReport, LedgerError> {
        let own = plan.request.tenant;
        let mut erasures = HashMap::new();
        for tenant in self.tenants()? {
            let erasure = match tenant == own {
                true => Some(Arc::new(plan.erasure.clone())),
                false => self.store().erasure(tenant)?,
            };
            erasures.insert(tenant, erasure);
        }
        let new = Self::over(Arc::new(Veil::over(into, plan.key.clone(), erasures)));
        let (mut report, mut items) = (plan.report(), Vec::new());
        let sealed = |digest| plan.erasure.tokens().sealed(&digest);
        for tenant in self.tenants()? {
            each_raw(self.store(), tenant, |raw| {
                let forgotten = if tenant == own { plan.forget(raw)? } else { None };
                let kept = forgotten.as_ref().map_or(raw, |(forgotten, _)| forgotten);
                let entry = kept.open(tenant)?;
                new.append_raw(tenant, kept, &entry)?;
                if let Some((_, places)) = forgotten {
                    report.commits += 1;
                    report.items += places.len() as u64;
                    let sequence = raw.sequence;
                    let instead = |(place, digest)| erase::Instead { sequence, place, digest: sealed(digest) };
                    items.extend(places.into_iter().map(instead));
                }
                progress(entry.commit.facts.len() as u64);
                Ok(())
            })?;
        }
        let said = plan.facts(&items, stamp);
        for (number, facts) in (0..).zip(said.chunks(FACTS_MAX)) {
            let facts = facts.iter().cloned().map(Fact::Redacted).collect();
            new.append(own, Batch { facts, ..Batch::default() }, stamp.another(number))?;
        }
        let checked = new.verify(|_| ())?;
        if checked.differing > 0 {
            let why = format!("{} records of it are not what its journal gives", checked.differing);
            return Err(StoreError::Unsound { what: "the ledger without the names".to_owned(), why }.into());
        }
        Ok(report)
    }
}

/// What is told of one object.
#[derive(Default)]
struct Told {
    names: BTreeSet<Name>,
    spellings: BTreeSet<String>,
    /// The pseudonyms of those that were erased before.
    masked: BTreeSet<NameKey>,
    anchors: BTreeSet<String>,
}

impl Redaction {
    fn add_names(&mut self, told: &BTreeMap<ObjectId, Told>) {
        let mut spelled = Vec::new();
        for (object, told) in told {
            let tokens: BTreeSet<Token> =
                told.names.iter().map(|name| self.erasure.tokens().name(name.key())).collect();
            self.erasure.extend(tokens.iter().copied().map(erase::Erased::Name));
            self.names.insert(*object, tokens);
            let spellings = told.spellings.iter().filter_map(|text| Some((text.as_str(), text.parse::<Name>().ok()?)));
            spelled.extend(spellings);
        }
        self.needles = Needles::new(spelled.iter().map(|(spelling, name)| (*spelling, name.key())));
        for name in told.values().flat_map(|told| &told.names) {
            let (old, new) = (name.key().clone(), self.erasure.key(name.key()));
            self.rename(&Subject::Name(old), &Subject::Name(new));
        }
    }

    fn add_anchors(&mut self, told: &BTreeMap<ObjectId, Told>) {
        for (object, told) in told {
            for value in told.anchors.iter().filter(|value| self.erasure.is_new_anchor(value)).collect::<Vec<_>>() {
                self.add_text(*object, self.erasure.tokens().anchor(value));
                for kind in [AnchorKind::ImmutableId, AnchorKind::EmployeeId] {
                    let old = Anchor { kind, value: value.clone() };
                    let new = self.erasure.anchor(&old);
                    self.rename(&Subject::Anchor(old), &Subject::Anchor(new));
                }
            }
        }
    }

    fn add_address(&mut self, first: Option<ObjectId>, old: NameKey) {
        let Some(first) = first else { return };
        let token = self.erasure.tokens().name(&old);
        self.erasure.extend([erase::Erased::Name(token)]);
        self.names.entry(first).or_default().insert(token);
        let new = self.erasure.key(&old);
        self.rename(&Subject::Name(old), &Subject::Name(new));
    }

    fn add_id(&mut self, first: Option<ObjectId>, id: &str) {
        let Some(first) = first.filter(|_| self.erasure.is_new_text(id)) else { return };
        self.add_text(first, self.erasure.tokens().text(id));
        if let Ok(old) = id.parse::<ChainId>() {
            let new = self.erasure.chain(&old);
            self.rename(&Subject::Chain(old), &Subject::Chain(new));
        }
    }

    fn add_text(&mut self, object: ObjectId, token: Token) {
        self.erasure.extend([erase::Erased::Text(token)]);
        self.texts.entry(object).or_default().insert(token);
    }

    /// Whether an id, or another short text, has something in it that is one of the names, or was one that was erased before; whoever else
    /// has it.
    fn may_tell(&self, id: &str) -> bool {
        let is_erased = |(_, name): &(_, Name)| self.erasure.erased(name.key()).is_some();
        self.needles.occur_in(id) || id.contains('@') && erase::names_around(id).iter().flatten().any(is_erased)
    }

    /// Whether this erasure erases a name.
    fn is_own_now(&self, key: &NameKey) -> bool {
        let token = self.erasure.tokens().name(key);
        self.names.values().any(|names| names.contains(&token))
    }

    /// A finding's id follows from what it is about, so whoever knows the name could tell it from the id.
    fn rename(&mut self, old: &Subject, new: &Subject) {
        let ids = FindingKind::ALL.into_iter().map(|kind| (FindingId::of(kind, old), FindingId::of(kind, new)));
        self.findings.extend(ids);
    }

    fn forget(&self, raw: &RawEntry) -> Result<Option<(RawEntry, Places)>, LedgerError> {
        let is_others = |key: &NameKey| self.others.contains_key(key);
        let masker = self.masker(&is_others);
        let instead = Instead { fact: &|fact| masker.mask(fact), text: &|text| masker.text(text) };
        Ok(raw.forget(self.request.tenant, &instead)?)
    }

    fn masker<'a>(&'a self, is_others: &'a dyn Fn(&NameKey) -> bool) -> Masker<'a> {
        Masker { erasure: &self.erasure, needles: &self.needles, findings: &self.findings, is_others }
    }

    fn report(&self) -> RedactReport {
        let count =
            |sets: &BTreeMap<ObjectId, BTreeSet<Token>>| sets.values().flatten().collect::<BTreeSet<_>>().len() as u64;
        RedactReport {
            names: count(&self.names),
            texts: count(&self.texts),
            still_readable: self.own.iter().filter_map(|key| self.others.get(key).cloned().flatten()).collect(),
            rules: self.rules.iter().cloned().collect(),
            ..RedactReport::default()
        }
    }

    /// The facts that say what was erased.
    fn facts(&self, items: &[erase::Instead], stamp: Stamp) -> Vec<Redacted> {
        let RedactRequest { objects, by, note, .. } = &self.request;
        let key = self.key.fingerprint();
        let masker = self.masker(&|_| false);
        let said = |text: &Option<String>| {
            let mut text = text.clone();
            text.iter_mut().for_each(|text| masker.text(text));
            text
        };
        let (by, note) = (said(by), said(note));
        let of = |object: ObjectId, items: &[erase::Instead]| {
            let tokens = |sets: &BTreeMap<ObjectId, BTreeSet<Token>>| {
                sets.get(&object).into_iter().flatten().copied().collect::<Vec<_>>()
            };
            let (names, texts) = (tokens(&self.names), tokens(&self.texts));
            Redacted {
                object,
                at: stamp.now,
                by: by.clone(),
                note: note.clone(),
                key,
                names,
                texts,
                items: items.to_vec(),
            }
        };
        let mut facts: Vec<Redacted> = objects.iter().map(|object| of(*object, &[])).collect();
        if let Some(first) = objects.first() {
            let more = items.chunks(ITEMS_MAX).map(|items| Redacted {
                names: Vec::new(),
                texts: Vec::new(),
                ..of(*first, items)
            });
            facts.extend(more);
        }
        facts
    }
}

pub(super) fn each_entry(
    store: &dyn LedgerStore,
    tenant: TenantId,
    mut each: impl FnMut(&Entry),
) -> Result<(), LedgerError> {
    let mut next = Sequence(1);
    loop {
        let entries = store.journal(tenant, next, ENTRIES)?;
        let Some(last) = entries.last() else { return Ok(()) };
        next = last.sequence.next();
        entries.iter().for_each(&mut each);
    }
}

fn each_fact(store: &dyn LedgerStore, tenant: TenantId, mut each: impl FnMut(&Fact)) -> Result<(), LedgerError> {
    each_entry(store, tenant, |entry| entry.commit.facts.iter().for_each(&mut each))
}

fn each_raw(
    store: &dyn LedgerStore,
    tenant: TenantId,
    mut each: impl FnMut(&RawEntry) -> Result<(), LedgerError>,
) -> Result<(), LedgerError> {
    let mut next = Sequence(1);
    loop {
        let entries = store.raw_journal(tenant, next, ENTRIES)?;
        let Some(last) = entries.last() else { return Ok(()) };
        next = last.sequence.next();
        entries.iter().try_for_each(&mut each)?;
    }
}
