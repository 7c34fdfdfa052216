//! What facts tell of an object besides the evidence for its names: the last of each, as labels.

use std::collections::BTreeMap;

use super::events::began;
use super::moments::Believed;
use super::{Names, Role};
use crate::domain::fact::{
    Changed, Fact, Known, Life, Lifecycle, MailboxState, ObjectKind, Property, Removal, Seen, Source,
};
use crate::domain::name::{Name, NameKey};
use crate::domain::time::Instant;

/// The names that one fact shows, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Label {
    pub(super) at: Instant,
    pub(super) names: Names,
}

/// What one fact says of how the object is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Loss {
    pub(super) removal: Removal,
    /// When it was observed or happened.
    pub(super) at: Instant,
    /// It was not so before an instant that is not earlier than this one, as far as the fact tells.
    pub(super) after: Instant,
    /// It was so here at the latest.
    pub(super) by: Instant,
}

pub(super) fn labels(facts: &[Known], believed: Believed) -> Vec<Label> {
    let mut labels: Vec<Label> = Vec::new();
    for known in facts {
        match &known.fact {
            Fact::Seen(seen) if believed.is(seen.reading.source, seen.reading.at) => {
                let mail = seen.profile.primary().cloned();
                let aliases = seen.addresses().into_iter().filter(|name| Some(*name) != mail.as_ref()).cloned();
                // A mangled name is no new name: the label stays the one that it was made from.
                let upn =
                    seen.profile.upn.as_ref().map(|upn| upn.unmangled(seen.object).unwrap_or_else(|| upn.clone()));
                let names = Names { upn, aliases: aliases.collect(), mail };
                labels.push(Label { at: seen.reading.at, names });
            }
            Fact::Changed(Changed { property: Property::UserPrincipalName, new: Some(new), at, object, .. }) => {
                let mut names = labels.last().map(|label| label.names.clone()).unwrap_or_default();
                if let Some(upn) = new.first().filter(|upn| upn.unmangled(*object).is_none()) {
                    names.upn = Some(upn.clone());
                    labels.push(Label { at: *at, names });
                }
            }
            _ => {}
        }
    }
    labels
}

pub(super) fn removals(facts: &[Known]) -> Vec<Loss> {
    let event = |removal, lost: &Lifecycle| {
        let at = lost.at;
        let after = began(facts, &lost.event, at).unwrap_or(at).pred();
        Loss { removal, at, after, by: at }
    };
    facts
        .iter()
        .filter_map(|known| match &known.fact {
            Fact::Removed(removed) => {
                let (window, at) = (removed.reading.window(), removed.reading.at);
                // A purge is for good, so a reading does not tell since when.
                let after = if removed.removal == Removal::Purged { Instant::MIN } else { window.from() };
                Some(Loss { removal: removed.removal, at, after, by: window.until() })
            }
            Fact::Lifecycle(lifecycle) if lifecycle.life == Life::Deleted => Some(event(Removal::Soft, lifecycle)),
            Fact::Lifecycle(lifecycle) if lifecycle.life == Life::Purged => Some(event(Removal::Purged, lifecycle)),
            _ => None,
        })
        .collect()
}

pub(super) fn names_in(facts: &[Known]) -> BTreeMap<(Role, NameKey), Name> {
    let mut names = BTreeMap::new();
    for known in facts {
        for (namespace, name) in known.fact.names() {
            names.insert((Role::of(namespace), name.key().clone()), name.clone());
        }
        if let Fact::Seen(seen) = &known.fact
            && let Some(primary) = seen.primary()
        {
            names.insert((Role::Primary, primary.key().clone()), primary.clone());
        }
    }
    names
}

pub(super) fn has(seen: &Seen, role: Role, key: &NameKey) -> bool {
    match role {
        Role::Upn => seen.profile.upn_of(seen.object).is_some_and(|upn| upn.key() == key),
        Role::Smtp => seen.has_address(key),
        Role::Primary => seen.primary().is_some_and(|primary| primary.key() == key),
    }
}

pub(super) fn licence(facts: &[Known], believed: Believed) -> Option<MailboxState> {
    newest_first(facts, believed).find_map(|seen| seen.profile.mailbox)
}

pub(super) fn kind(facts: &[Known], believed: Believed) -> ObjectKind {
    newest_first(facts, believed).next().map(|seen| seen.profile.kind).unwrap_or_default()
}

/// What was seen of the object and is believed, the newest first.
fn newest_first(facts: &[Known], believed: Believed) -> impl Iterator<Item = &Seen> {
    let seen =
        facts.iter().rev().filter_map(|known| if let Fact::Seen(seen) = &known.fact { Some(seen) } else { None });
    seen.filter(move |seen| believed.is(seen.reading.source, seen.reading.at))
}

pub(super) fn live_read(facts: &[Known]) -> Option<Instant> {
    let live = facts.iter().filter_map(|known| match &known.fact {
        Fact::Seen(seen) if seen.reading.source == Source::Live => Some(seen.reading.at),
        _ => None,
    });
    live.max()
}

pub(super) fn created(facts: &[Known]) -> Option<Instant> {
    facts
        .iter()
        .filter_map(|known| match &known.fact {
            Fact::Seen(seen) => seen.profile.created,
            Fact::Lifecycle(lifecycle) if lifecycle.life == Life::Created => Some(lifecycle.at),
            _ => None,
        })
        .min()
}
