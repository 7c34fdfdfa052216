//! A store looked at through what was erased from it.
//!
//! What stands in the journal is in the spelling that it was said in; the key by which a name is compared is worked out when
//! it is read. Here the key of an erased name becomes its pseudonym, in everything that is read, and in everything that is
//! asked for. So the layers above work with the pseudonym and never need to know.
//!
//! What was erased is read once for each tenant, and anew when more is erased. A tenant from whom nothing was erased costs a
//! look at what is remembered, and nothing else.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError};

use crossbeam_utils::sync::ShardedLock;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::{
    Commit, Derived, Description, EndingPlace, Entry, Hash, Head, Known, LedgerStore, LinkRecord, LogNode, NamedPlace,
    Order, Posting, Proved, RawEntry, Run, SnapshotPlace, SnapshotRecord, StoreError, Subject, Tally,
};
use crate::domain::erase::{Erased, Erasure, Fingerprint, Token, Tokens};
use crate::domain::fact::{Fact, Vacant};
use crate::domain::finding::{Finding, FindingId};
use crate::domain::id::{ChainId, MailboxId, ObjectId, Sequence, SnapshotId, TenantId};
use crate::domain::link::Anchor;
use crate::domain::name::{Name, NameKey};
use crate::domain::time::Instant;

/// The key by which erased names are recognised.
#[derive(Clone)]
pub struct ErasureKey([u8; 32]);

impl ErasureKey {
    /// The key with these bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// What tells it from other keys.
    pub fn fingerprint(&self) -> Fingerprint {
        let digest: [u8; 32] = Sha256::new().chain_update(b"whowas erasure key").chain_update(self.0).finalize().into();
        let [a, b, c, d, e, f, g, h, ..] = digest;
        Fingerprint([a, b, c, d, e, f, g, h])
    }

    /// Nothing erased yet from a tenant, by this key.
    pub fn erasure(&self, tenant: TenantId) -> Erasure {
        // A key shorter than a block is the same as one with zeros behind it.
        let mut block = [0; 64];
        block.iter_mut().zip(self.0).for_each(|(own, byte)| *own = byte);
        let mac = Hmac::<Sha256>::new(&block.into()).chain_update(tenant.as_bytes());
        Erasure::new(Keyed { mac, fingerprint: self.fingerprint() })
    }
}

/// It is a secret.
impl fmt::Debug for ErasureKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ErasureKey({})", self.fingerprint())
    }
}

#[derive(Clone)]
struct Keyed {
    mac: Hmac<Sha256>,
    fingerprint: Fingerprint,
}

impl Keyed {
    fn digest(&self, what: u8, bytes: &[u8]) -> [u8; 32] {
        self.mac.clone().chain_update([what]).chain_update(bytes).finalize().into_bytes().into()
    }

    fn token(&self, what: u8, text: &str) -> Token {
        let digest = self.digest(what, text.as_bytes());
        let mut token = [0; 16];
        token.iter_mut().zip(digest).for_each(|(own, byte)| *own = byte);
        Token(token)
    }
}

impl Tokens for Keyed {
    fn name(&self, key: &NameKey) -> Token {
        self.token(b'n', key.as_str())
    }

    fn text(&self, text: &str) -> Token {
        self.token(b't', text)
    }

    fn anchor(&self, value: &str) -> Token {
        self.token(b'a', value)
    }

    fn sealed(&self, digest: &[u8; 32]) -> [u8; 32] {
        self.digest(b'i', digest)
    }

    fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    fn another(&self) -> Box<dyn Tokens> {
        Box::new(self.clone())
    }
}

/// A store looked at through what was erased from it.
pub struct Veil {
    store: Arc<dyn LedgerStore>,
    key: Option<ErasureKey>,
    seen: ShardedLock<Seen>,
    /// What was erased stays as it was given, because what is in the store is only being put there.
    is_fixed: bool,
}

/// What is remembered of tenants.
#[derive(Default)]
struct Seen {
    /// Counts the times that something was forgotten, so that nobody remembers what was read before it.
    forgotten: u64,
    erasures: HashMap<TenantId, Option<Arc<Erasure>>>,
}

impl Veil {
    /// Looks at a store, with the key if there is one.
    pub fn new(store: Arc<dyn LedgerStore>, key: Option<ErasureKey>) -> Self {
        Self { store, key, seen: ShardedLock::default(), is_fixed: false }
    }

    /// Looks at a store that is only being filled, as if this had been erased from one tenant already.
    pub fn over(
        store: Arc<dyn LedgerStore>,
        key: ErasureKey,
        erasures: HashMap<TenantId, Option<Arc<Erasure>>>,
    ) -> Self {
        Self { store, key: Some(key), seen: ShardedLock::new(Seen { forgotten: 0, erasures }), is_fixed: true }
    }

    fn through(&self, tenant: TenantId) -> Result<Option<Arc<Erasure>>, StoreError> {
        let seen = self.seen.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(erasure) = seen.erasures.get(&tenant) {
            return Ok(erasure.clone());
        }
        if self.is_fixed {
            return Ok(None);
        }
        let forgotten = seen.forgotten;
        drop(seen);
        let erasure = self.made_of(tenant, self.store.erased(tenant)?)?;
        let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
        if seen.forgotten == forgotten {
            seen.erasures.insert(tenant, erasure.clone());
        }
        Ok(erasure)
    }

    fn made_of(
        &self,
        tenant: TenantId,
        erased: Vec<(Erased, Fingerprint)>,
    ) -> Result<Option<Arc<Erasure>>, StoreError> {
        let Some((_, wanted)) = erased.first().copied() else { return Ok(None) };
        let own = self.key.as_ref().map(ErasureKey::fingerprint);
        let wanted = erased.iter().map(|(_, key)| *key).find(|key| Some(*key) != own).unwrap_or(wanted);
        let key = self.key.as_ref().filter(|_| own == Some(wanted)).ok_or_else(|| {
            let found = own.map_or_else(
                || "there is no such key".to_owned(),
                |own| format!("the key there is another one, {own}"),
            );
            StoreError::NoErasureKey { tenant, wanted, found }
        })?;
        let mut erasure = key.erasure(tenant);
        erasure.extend(erased.into_iter().map(|(erased, _)| erased));
        Ok(Some(Arc::new(erasure)))
    }

    fn forget(&self, tenant: TenantId) {
        if self.is_fixed {
            return;
        }
        let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
        seen.forgotten = seen.forgotten.wrapping_add(1);
        seen.erasures.remove(&tenant);
    }

    /// Reads from the journal what was erased from every tenant, for as long as the records of it are gone.
    fn keep_from_journal(&self) -> Result<(), StoreError> {
        for tenant in self.store.tenants()? {
            let (mut erased, mut next) = (Vec::new(), Sequence(1));
            loop {
                let entries = self.store.journal(tenant, next, ENTRIES)?;
                let Some(last) = entries.last() else { break };
                next = last.sequence.next();
                for fact in entries.iter().flat_map(|entry| &entry.commit.facts) {
                    if let Fact::Redacted(redacted) = fact {
                        erased.extend(redacted.marks().map(|mark| (mark, redacted.key)));
                    }
                }
            }
            let erasure = self.made_of(tenant, erased)?;
            let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
            seen.erasures.insert(tenant, erasure);
        }
        Ok(())
    }

    fn key_of(&self, tenant: TenantId, name: &NameKey) -> Result<NameKey, StoreError> {
        Ok(self.through(tenant)?.map_or_else(|| name.clone(), |erasure| erasure.key(name)))
    }

    fn chain_of(&self, tenant: TenantId, chain: &ChainId) -> Result<ChainId, StoreError> {
        Ok(self.through(tenant)?.map_or_else(|| chain.clone(), |erasure| erasure.chain(chain)))
    }

    fn records(&self, tenant: TenantId, mut records: Vec<SnapshotRecord>) -> Result<Vec<SnapshotRecord>, StoreError> {
        if let Some(erasure) = self.through(tenant)? {
            records.iter_mut().for_each(|record| erasure.taken(&mut record.snapshot));
        }
        Ok(records)
    }

    fn facts(&self, tenant: TenantId, facts: Vec<Known>) -> Result<Vec<Known>, StoreError> {
        let Some(erasure) = self.through(tenant)? else { return Ok(facts) };
        let seen = |known: Known| Known { sequence: known.sequence, fact: erasure.fact(known.fact) };
        Ok(facts.into_iter().map(seen).collect())
    }
}

/// How many journal entries are read at a time.
const ENTRIES: usize = 64;

impl LedgerStore for Veil {
    fn tenants(&self) -> Result<Vec<TenantId>, StoreError> {
        self.store.tenants()
    }

    fn head(&self, tenant: TenantId) -> Result<Arc<Head>, StoreError> {
        self.store.head(tenant)
    }

    fn append(
        &self,
        tenant: TenantId,
        expected: Sequence,
        commit: Commit,
        derived: Derived,
    ) -> Result<Head, StoreError> {
        let more = !derived.erased.is_empty();
        let head = self.store.append(tenant, expected, commit, derived);
        if more {
            // Even if it failed nobody knows what of it is there.
            self.forget(tenant);
        }
        head
    }

    fn foresee(&self, tenant: TenantId, objects: &[ObjectId], names: &[NameKey]) {
        // What is about to be written has the keys that it is compared by already.
        self.store.foresee(tenant, objects, names);
    }

    fn object(&self, tenant: TenantId, object: ObjectId) -> Result<Vec<Known>, StoreError> {
        self.facts(tenant, self.store.object(tenant, object)?)
    }

    fn object_ids(&self, tenant: TenantId, after: Option<ObjectId>, limit: usize) -> Result<Vec<ObjectId>, StoreError> {
        self.store.object_ids(tenant, after, limit)
    }

    fn holders(&self, tenant: TenantId, name: &NameKey) -> Result<Vec<Posting>, StoreError> {
        self.store.holders(tenant, &self.key_of(tenant, name)?)
    }

    fn names_from(
        &self,
        tenant: TenantId,
        beginning: &str,
        after: Option<&NameKey>,
        limit: usize,
    ) -> Result<Vec<NameKey>, StoreError> {
        // Of an erased name only the whole can be recognised.
        let whole = beginning.parse::<Name>().ok().map(|name| self.key_of(tenant, name.key())).transpose()?;
        let erased =
            whole.filter(|key| key.as_str() != beginning && crate::domain::erase::stands_for(key.as_str()).is_some());
        let beginning = erased.as_ref().map_or(beginning, NameKey::as_str);
        self.store.names_from(tenant, beginning, after, limit)
    }

    fn chains_from(
        &self,
        tenant: TenantId,
        beginning: &str,
        after: Option<&ChainId>,
        limit: usize,
    ) -> Result<Vec<ChainId>, StoreError> {
        let whole = beginning.parse::<ChainId>().ok().map(|id| self.chain_of(tenant, &id)).transpose()?;
        let beginning = whole.as_ref().map_or(beginning, ChainId::as_str);
        self.store.chains_from(tenant, beginning, after, limit)
    }

    fn vacancies(&self, tenant: TenantId, name: &NameKey) -> Result<Vec<(Sequence, Vacant)>, StoreError> {
        let mut vacancies = self.store.vacancies(tenant, &self.key_of(tenant, name)?)?;
        if let Some(erasure) = self.through(tenant)? {
            vacancies.iter_mut().for_each(|(_, vacant)| vacant.name = erasure.name(&vacant.name));
        }
        Ok(vacancies)
    }

    fn snapshot(
        &self,
        tenant: TenantId,
        chain: &ChainId,
        id: &SnapshotId,
    ) -> Result<Option<SnapshotRecord>, StoreError> {
        let Some(erasure) = self.through(tenant)? else { return self.store.snapshot(tenant, chain, id) };
        let mut record = self.store.snapshot(tenant, &erasure.chain(chain), &erasure.snapshot(id))?;
        record.iter_mut().for_each(|record| erasure.taken(&mut record.snapshot));
        Ok(record)
    }

    fn snapshots(
        &self,
        tenant: TenantId,
        chain: &ChainId,
        order: Order,
        after: Option<&SnapshotPlace>,
        limit: usize,
    ) -> Result<Vec<SnapshotRecord>, StoreError> {
        let chain = self.chain_of(tenant, chain)?;
        self.records(tenant, self.store.snapshots(tenant, &chain, order, after, limit)?)
    }

    fn chains(&self, tenant: TenantId, subject: &Subject) -> Result<Vec<ChainId>, StoreError> {
        match subject {
            Subject::Object(_) => self.store.chains(tenant, subject),
            Subject::Name(name) => self.store.chains(tenant, &Subject::Name(self.key_of(tenant, name)?)),
        }
    }

    fn snapshots_named(
        &self,
        tenant: TenantId,
        name: &NameKey,
        after: Option<&NamedPlace>,
        limit: usize,
    ) -> Result<Vec<SnapshotRecord>, StoreError> {
        let name = self.key_of(tenant, name)?;
        self.records(tenant, self.store.snapshots_named(tenant, &name, after, limit)?)
    }

    fn snapshots_ending(
        &self,
        tenant: TenantId,
        proved: Proved,
        from: Instant,
        through: Instant,
        after: Option<&EndingPlace>,
        limit: usize,
    ) -> Result<Vec<SnapshotRecord>, StoreError> {
        self.records(tenant, self.store.snapshots_ending(tenant, proved, from, through, after, limit)?)
    }

    fn tallies(&self, tenant: TenantId, chain: &ChainId) -> Result<Vec<Tally>, StoreError> {
        self.store.tallies(tenant, &self.chain_of(tenant, chain)?)
    }

    fn owned(&self, tenant: TenantId, object: ObjectId) -> Result<Vec<ChainId>, StoreError> {
        self.store.owned(tenant, object)
    }

    fn finding(&self, tenant: TenantId, id: FindingId) -> Result<Option<Finding>, StoreError> {
        self.store.finding(tenant, id)
    }

    fn findings(&self, tenant: TenantId, after: Option<FindingId>, limit: usize) -> Result<Vec<Finding>, StoreError> {
        self.store.findings(tenant, after, limit)
    }

    fn anchored(&self, tenant: TenantId, anchor: &Anchor) -> Result<Vec<ObjectId>, StoreError> {
        match self.through(tenant)? {
            Some(erasure) => self.store.anchored(tenant, &erasure.anchor(anchor)),
            None => self.store.anchored(tenant, anchor),
        }
    }

    fn mailboxes(&self, tenant: TenantId, object: ObjectId) -> Result<Vec<MailboxId>, StoreError> {
        self.store.mailboxes(tenant, object)
    }

    fn links(&self, tenant: TenantId, object: ObjectId) -> Result<Vec<LinkRecord>, StoreError> {
        self.store.links(tenant, object)
    }

    fn notable(&self, tenant: TenantId, after: Option<&NameKey>, limit: usize) -> Result<Vec<NameKey>, StoreError> {
        let after = after.map(|after| self.key_of(tenant, after)).transpose()?;
        self.store.notable(tenant, after.as_ref(), limit)
    }

    fn members(&self, tenant: TenantId, group: ObjectId) -> Result<Vec<ObjectId>, StoreError> {
        self.store.members(tenant, group)
    }

    fn erased(&self, tenant: TenantId) -> Result<Vec<(Erased, Fingerprint)>, StoreError> {
        self.store.erased(tenant)
    }

    fn erasure(&self, tenant: TenantId) -> Result<Option<Arc<Erasure>>, StoreError> {
        self.through(tenant)
    }

    fn tenant_facts(&self, tenant: TenantId, through: Sequence) -> Result<Vec<Known>, StoreError> {
        self.store.tenant_facts(tenant, through)
    }

    fn runs(&self, tenant: TenantId, limit: usize) -> Result<Vec<Run>, StoreError> {
        self.store.runs(tenant, limit)
    }

    fn journal(&self, tenant: TenantId, from: Sequence, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let mut entries = self.store.journal(tenant, from, limit)?;
        if let Some(erasure) = self.through(tenant)? {
            for entry in &mut entries {
                let facts = std::mem::take(&mut entry.commit.facts);
                entry.commit.facts = facts.into_iter().map(|fact| erasure.fact(fact)).collect();
            }
        }
        Ok(entries)
    }

    fn raw_journal(&self, tenant: TenantId, from: Sequence, limit: usize) -> Result<Vec<RawEntry>, StoreError> {
        self.store.raw_journal(tenant, from, limit)
    }

    fn append_raw(&self, tenant: TenantId, raw: &RawEntry, derived: Derived) -> Result<Head, StoreError> {
        let more = !derived.erased.is_empty();
        let head = self.store.append_raw(tenant, raw, derived);
        if more {
            self.forget(tenant);
        }
        head
    }

    fn log_nodes(&self, tenant: TenantId, nodes: &[LogNode]) -> Result<Vec<Hash>, StoreError> {
        self.store.log_nodes(tenant, nodes)
    }

    fn announce_rebuild(&self) -> Result<(), StoreError> {
        self.store.announce_rebuild()
    }

    fn drop_derived(&self) -> Result<(), StoreError> {
        // Without its key nothing is dropped. Other than that it does not matter what the old records are like, or whether they
        // can be read.
        for tenant in self.store.tenants().unwrap_or_default() {
            if let Err(error @ StoreError::NoErasureKey { .. }) = self.through(tenant) {
                return Err(error);
            }
        }
        self.store.drop_derived()?;
        // Only now all of the journal can be read whatever became of the heads.
        self.keep_from_journal()
    }

    fn restore_derived(&self, tenant: TenantId, entry: &Entry, derived: Derived) -> Result<(), StoreError> {
        self.store.restore_derived(tenant, entry, derived)
    }

    fn sync(&self) -> Result<(), StoreError> {
        self.store.sync()
    }

    fn each_derived(&self, each: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), StoreError> {
        self.store.each_derived(each)
    }

    /// What is derived anew in it is derived as it would be here.
    fn scratch(&self) -> Result<Box<dyn LedgerStore>, StoreError> {
        let mut erasures = HashMap::new();
        for tenant in self.store.tenants()? {
            erasures.insert(tenant, self.through(tenant)?);
        }
        let (store, key) = (Arc::from(self.store.scratch()?), self.key.clone());
        Ok(Box::new(Self { store, key, seen: ShardedLock::new(Seen { forgotten: 0, erasures }), is_fixed: true }))
    }

    fn bytes(&self) -> Result<u64, StoreError> {
        self.store.bytes()
    }

    fn describe(&self) -> Description {
        self.store.describe()
    }
}
