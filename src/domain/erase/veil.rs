//! What was erased from a tenant, and how names and ids are looked at through that.

use std::collections::{BTreeSet, HashSet};

use super::{Erased, Fingerprint, Redacted, Token, stands_for, token_of};
use crate::domain::fact::{Addressed, Fact, Profile, Snapshot};
use crate::domain::id::{ChainId, ObjectId, SnapshotId};
use crate::domain::link::{Anchor, AnchorKind};
use crate::domain::name::{Name, NameKey, Proxy};
use crate::domain::verdict::Ask;

/// Makes the tokens of one tenant with one key.
pub trait Tokens: Send + Sync {
    /// The token of a name.
    fn name(&self, key: &NameKey) -> Token;
    /// The token of a chain's or snapshot's id.
    fn text(&self, text: &str) -> Token;
    /// The token of an anchor's value. It is another one, because an employee's number may well be the id of somebody's snapshot.
    fn anchor(&self, value: &str) -> Token;
    /// A digest of something of which parts may be erased later, so that nobody without the key can guess at it.
    fn sealed(&self, digest: &[u8; 32]) -> [u8; 32];
    /// Which key it has.
    fn fingerprint(&self) -> Fingerprint;
    /// Another one that makes the same.
    fn another(&self) -> Box<dyn Tokens>;
}

impl Clone for Box<dyn Tokens> {
    fn clone(&self) -> Self {
        self.as_ref().another()
    }
}

/// What was erased from a tenant.
#[derive(Clone)]
pub struct Erasure {
    objects: BTreeSet<ObjectId>,
    names: HashSet<Token>,
    texts: HashSet<Token>,
    tokens: Box<dyn Tokens>,
}

impl Erasure {
    /// Nothing yet, with the tokens of a tenant.
    pub fn new(tokens: impl Tokens + 'static) -> Self {
        Self { objects: BTreeSet::new(), names: HashSet::new(), texts: HashSet::new(), tokens: Box::new(tokens) }
    }

    /// Adds what was erased.
    pub fn extend(&mut self, marks: impl IntoIterator<Item = Erased>) {
        for mark in marks {
            match mark {
                Erased::Object(object) => drop(self.objects.insert(object)),
                Erased::Name(token) => drop(self.names.insert(token)),
                Erased::Text(token) => drop(self.texts.insert(token)),
            }
        }
    }

    /// Adds what a fact says was erased.
    pub fn note(&mut self, redacted: &Redacted) {
        self.extend(redacted.marks());
    }

    /// The tokens.
    pub fn tokens(&self) -> &dyn Tokens {
        self.tokens.as_ref()
    }

    /// Whether an object was erased.
    pub fn has(&self, object: ObjectId) -> bool {
        self.objects.contains(&object)
    }

    /// The objects that were erased, in order of their ids.
    pub fn objects(&self) -> impl Iterator<Item = ObjectId> + '_ {
        self.objects.iter().copied()
    }

    /// The names that were erased, in no order.
    pub fn names(&self) -> impl Iterator<Item = Token> + '_ {
        self.names.iter().copied()
    }

    /// What a name is compared by: its pseudonym if it was erased, else its own key.
    pub fn key(&self, key: &NameKey) -> NameKey {
        self.erased(key).unwrap_or_else(|| key.clone())
    }

    /// The pseudonym of a name, if it was erased.
    pub fn erased(&self, key: &NameKey) -> Option<NameKey> {
        if self.names.is_empty() || self.is_pseudonym(key.as_str()) {
            return None;
        }
        let token = self.tokens.name(key);
        self.names.contains(&token).then(|| token.as_name(is_placeholder(key)))
    }

    /// Whether a name's key is the pseudonym of one that was erased.
    pub fn is_pseudonym(&self, key: &str) -> bool {
        stands_for(key).is_some_and(|token| self.names.contains(&token))
    }

    /// The name in its spelling, with the key that it is compared by.
    pub fn name(&self, name: &Name) -> Name {
        self.erased(name.key()).map_or_else(|| name.clone(), |key| name.known_as(key))
    }

    /// Whether an id is neither erased nor stands for one that was.
    pub fn is_new_text(&self, text: &str) -> bool {
        !self.is_pseudonym_of_text(text) && self.text_token(text).is_none()
    }

    /// Whether an anchor's value is neither erased nor stands for one that was.
    pub fn is_new_anchor(&self, value: &str) -> bool {
        !self.is_pseudonym_of_text(value) && self.anchor_token(value).is_none()
    }

    /// The chain that an id means.
    pub fn chain(&self, id: &ChainId) -> ChainId {
        self.text_token(id.as_str()).map_or_else(|| id.clone(), ChainId::standing_for)
    }

    /// The snapshot that an id means.
    pub fn snapshot(&self, id: &SnapshotId) -> SnapshotId {
        self.text_token(id.as_str()).map_or_else(|| id.clone(), SnapshotId::standing_for)
    }

    /// The anchor by which objects are compared.
    pub fn anchor(&self, anchor: &Anchor) -> Anchor {
        let value = match anchor.kind {
            AnchorKind::Mailbox => None,
            AnchorKind::ImmutableId | AnchorKind::EmployeeId => self.anchor_token(anchor.value.trim()),
        };
        Anchor { kind: anchor.kind, value: value.map_or_else(|| anchor.value.clone(), Token::as_text) }
    }

    /// An ask as it is looked up.
    pub fn ask(&self, ask: &Ask) -> Ask {
        Ask {
            name: ask.name.as_ref().map(|name| self.name(name)),
            chain: ask.chain.as_ref().map(|chain| self.chain(chain)),
            ..ask.clone()
        }
    }

    /// A fact as it is compared: every name by its key, in the spelling that it has; ids and anchors by what stands for them.
    pub fn fact(&self, mut fact: Fact) -> Fact {
        match &mut fact {
            Fact::Seen(seen) => self.profile(seen.object, &mut seen.profile),
            Fact::Removed(removed) => self.optional(&mut removed.last_upn),
            Fact::Changed(changed) => {
                let object = changed.object;
                for name in changed.old.iter_mut().chain(&mut changed.new).flatten() {
                    *name = self.owned(object, name);
                }
            }
            Fact::Lifecycle(lifecycle) => self.optional(&mut lifecycle.upn),
            Fact::Vacant(vacant) => vacant.name = self.name(&vacant.name),
            Fact::SnapshotTaken(snapshot) => self.taken(snapshot),
            Fact::Receipt(receipt) => {
                receipt.chain = self.chain(&receipt.chain);
                receipt.snapshot = self.snapshot(&receipt.snapshot);
            }
            Fact::SnapshotExpired(expired) => {
                expired.chain = self.chain(&expired.chain);
                expired.snapshot = self.snapshot(&expired.snapshot);
            }
            _ => {}
        }
        fact
    }

    /// A snapshot as it is compared.
    pub fn taken(&self, snapshot: &mut Snapshot) {
        snapshot.chain = self.chain(&snapshot.chain);
        snapshot.id = self.snapshot(&snapshot.id);
        if let Addressed::Name(name, _) = &mut snapshot.addressed {
            *name = self.name(name);
        }
    }

    /// A name of an object, which the directory may have put the object's id in front of.
    pub(super) fn owned(&self, object: ObjectId, name: &Name) -> Name {
        let Some(plain) = name.unmangled(object) else { return self.name(name) };
        match self.erased(plain.key()) {
            Some(key) => name.known_as(key.mangled(object)),
            None => name.clone(),
        }
    }

    fn text_token(&self, text: &str) -> Option<Token> {
        if self.texts.is_empty() || self.is_pseudonym_of_text(text) {
            return None;
        }
        Some(self.tokens.text(text)).filter(|token| self.texts.contains(token))
    }

    /// Ledgers of before anchors had tokens of their own have those of ids.
    fn anchor_token(&self, value: &str) -> Option<Token> {
        if self.texts.is_empty() || self.is_pseudonym_of_text(value) {
            return None;
        }
        [self.tokens.anchor(value), self.tokens.text(value)].into_iter().find(|token| self.texts.contains(token))
    }

    fn is_pseudonym_of_text(&self, text: &str) -> bool {
        token_of(text).is_some_and(|token| self.texts.contains(&token))
    }

    fn optional(&self, name: &mut Option<Name>) {
        if let Some(name) = name {
            *name = self.name(name);
        }
    }

    fn profile(&self, object: ObjectId, profile: &mut Profile) {
        if let Some(upn) = &mut profile.upn {
            *upn = self.owned(object, upn);
        }
        self.optional(&mut profile.mail);
        for proxy in &mut profile.proxies {
            match proxy {
                Proxy::Primary(name) | Proxy::Alias(name) => *name = self.name(name),
                Proxy::Other(_) => {}
            }
        }
        for value in [&mut profile.employee_id, &mut profile.immutable_id].into_iter().flatten() {
            if let Some(token) = self.anchor_token(value.trim()) {
                *value = token.as_text();
            }
        }
    }
}

pub(super) fn is_placeholder(key: &NameKey) -> bool {
    Name::standing_for(key.clone()).is_quarantine_placeholder()
}

impl std::fmt::Debug for Erasure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let counts = (self.objects.len(), self.names.len(), self.texts.len());
        f.debug_tuple("Erasure").field(&counts).finish()
    }
}
