//! What is written instead of a fact that tells an erased name.

use std::collections::HashMap;

use super::needles::words_replaced;
use super::{Erasure, Needles};
use crate::domain::fact::{Addressed, Fact, Profile};
use crate::domain::finding::{FindingId, Review};
use crate::domain::id::{ChainId, ObjectId, SnapshotId};
use crate::domain::link::Link;
use crate::domain::name::{Name, NameKey, Proxy};

/// Writes facts without the names that were erased.
///
/// - What is said about an erased object has the pseudonyms instead of names, in their spelling too, tokens instead of anchors, and
///   none of the entries of `proxyAddresses` that are no mail addresses (X500 addresses and the like have names in them).
/// - What another object is called stays as it is: it is *its* name.
/// - Reads that found nobody, snapshots' addresses, ids of chains and snapshots, and what people wrote, lose it.
pub struct Masker<'a> {
    /// What was erased.
    pub erasure: &'a Erasure,
    /// The names in their spellings, where they are known: when they are erased. Later only their tokens are.
    pub needles: &'a Needles,
    /// Findings that have another id now, because it follows from what they are about.
    pub findings: &'a HashMap<FindingId, FindingId>,
    /// Whether a name, by the key it is compared by, is readable anyway because somebody else has or had it.
    pub is_others: &'a dyn Fn(&NameKey) -> bool,
}

impl Masker<'_> {
    /// What is written instead of a fact; the same if it tells nothing that was erased.
    pub fn mask(&self, fact: Fact) -> Fact {
        let mut fact = self.erasure.fact(fact);
        if let Some(object) = fact.object().filter(|object| self.erasure.has(*object)) {
            self.own(object, &mut fact);
            return fact;
        }
        match &mut fact {
            Fact::Vacant(vacant) => self.addressed(&mut vacant.name),
            Fact::SnapshotTaken(snapshot) => {
                if let Addressed::Name(name, _) = &mut snapshot.addressed {
                    self.addressed(name);
                }
            }
            Fact::Blind(blind) => self.text(&mut blind.why),
            Fact::Held(held) => self.text(&mut held.why),
            Fact::Linked(link) | Fact::Unlinked(link) => {
                let Link { note, by, .. } = link;
                self.said([note, by]);
            }
            Fact::Acknowledged(review) | Fact::Resolved(review) => {
                let Review { finding, note, by, .. } = review;
                self.said([note, by]);
                *finding = self.findings.get(finding).copied().unwrap_or(*finding);
            }
            Fact::Redacted(redacted) => self.said([&mut redacted.note, &mut redacted.by]),
            _ => {}
        }
        fact
    }

    /// A text without erased names.
    pub fn text(&self, text: &mut String) {
        if let Some(instead) = self.needles.replaced(text, self.erasure) {
            *text = instead;
        }
        if let Some(instead) = words_replaced(text, self.erasure) {
            *text = instead;
        }
    }

    fn said<const N: usize>(&self, texts: [&mut Option<String>; N]) {
        texts.into_iter().flatten().for_each(|text| self.text(text));
    }

    /// The name that something was addressed by.
    fn addressed(&self, name: &mut Name) {
        if self.erasure.is_pseudonym(name.key().as_str()) && !(self.is_others)(name.key()) {
            *name = Name::standing_for(name.key().clone());
        }
    }

    /// A fact about an erased object.
    fn own(&self, object: ObjectId, fact: &mut Fact) {
        match fact {
            Fact::Seen(seen) => self.profile(object, &mut seen.profile),
            Fact::Removed(removed) => removed.last_upn.iter_mut().for_each(|name| self.name(object, name)),
            Fact::Changed(changed) => {
                changed.old.iter_mut().chain(&mut changed.new).flatten().for_each(|name| self.name(object, name));
            }
            Fact::Lifecycle(lifecycle) => lifecycle.upn.iter_mut().for_each(|name| self.name(object, name)),
            Fact::Described(described) => {
                described.attributes.values_mut().flatten().for_each(|value| self.text(value));
            }
            _ => {}
        }
    }

    /// A name of an erased object is its pseudonym in spelling too. One that was not erased is that of somebody else as well.
    fn name(&self, object: ObjectId, name: &mut Name) {
        let key = name.key().as_str();
        let plain = key.strip_prefix(&NameKey::mark_of(object)).unwrap_or(key);
        if self.erasure.is_pseudonym(plain) {
            *name = Name::standing_for(name.key().clone());
        }
    }

    fn profile(&self, object: ObjectId, profile: &mut Profile) {
        profile.proxies.retain(|proxy| proxy.smtp().is_some());
        let proxies = profile.proxies.iter_mut().filter_map(|proxy| match proxy {
            Proxy::Primary(name) | Proxy::Alias(name) => Some(name),
            Proxy::Other(_) => None,
        });
        profile.upn.iter_mut().chain(&mut profile.mail).chain(proxies).for_each(|name| self.name(object, name));
    }
}

/// Every name that stands in a fact about an object, its mangled one without the object's id; for erasing them.
pub fn names_said(fact: &Fact) -> Vec<Name> {
    let Some(object) = fact.object() else { return Vec::new() };
    let mut names: Vec<Name> = fact.names().into_iter().map(|(_, name)| name.clone()).collect();
    let mut mangled = |name: &Name| names.extend(name.unmangled(object));
    match fact {
        Fact::Seen(seen) => seen.profile.upn.iter().for_each(&mut mangled),
        Fact::Changed(changed) => changed.old.iter().chain(&changed.new).flatten().for_each(&mut mangled),
        _ => {}
    }
    names
}

/// The ids of the chain and the snapshot that a fact is about.
pub fn ids_said(fact: &Fact) -> Option<(&ChainId, &SnapshotId)> {
    match fact {
        Fact::SnapshotTaken(snapshot) => Some((&snapshot.chain, &snapshot.id)),
        Fact::Receipt(receipt) => Some((&receipt.chain, &receipt.snapshot)),
        Fact::SnapshotExpired(expired) => Some((&expired.chain, &expired.snapshot)),
        _ => None,
    }
}

/// The name by which a fact speaks of something, whoever is called so: that of a snapshot's mailbox, or one that nobody had.
pub fn address_said(fact: &Fact) -> Option<&Name> {
    match fact {
        Fact::Vacant(vacant) => Some(&vacant.name),
        Fact::SnapshotTaken(snapshot) => match &snapshot.addressed {
            Addressed::Name(name, _) => Some(name),
            Addressed::Object(_) => None,
        },
        _ => None,
    }
}

/// The anchors that a profile tells, as texts to be erased.
pub fn anchor_texts(profile: &Profile) -> impl Iterator<Item = &str> {
    let values = [&profile.employee_id, &profile.immutable_id].into_iter().flatten();
    values.map(|value| value.trim()).filter(|value| !value.is_empty())
}
