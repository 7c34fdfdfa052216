//! What mapping rules look at, as facts, and what it comes to for one object.

use std::collections::{BTreeMap, BTreeSet};

use super::attribute::Attribute;
use super::fact::{Fact, Known, Reading, Removed, Seen, Source};
use super::id::ObjectId;
use super::mapping::{MappingApplied, MappingState};
use super::name::Name;
use super::time::Instant;
use super::timeline::Names;

/// Whether an object is protected.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
#[serde(tag = "scope", rename_all = "snake_case")]
pub enum Scope {
    /// There are no rules: everyone is.
    Everyone,
    /// A rule protects it.
    In {
        /// The rule.
        rule: String,
        /// The rule's labels.
        labels: BTreeMap<String, String>,
    },
    /// One of several rules does, and which of them cannot be told with what was read.
    InOne {
        /// What was not read.
        why: String,
    },
    /// No rule does.
    Out {
        /// The first rule that matched and excluded it, if one did.
        excluded_by: Option<String>,
    },
    /// What a rule looks at was not read.
    Unknown {
        /// What was not.
        why: String,
    },
}

impl Scope {
    /// Whether it is certainly protected.
    pub fn is_protected(&self) -> bool {
        matches!(self, Self::Everyone | Self::In { .. } | Self::InOne { .. })
    }

    /// The rule that protects it, if it is known which.
    pub fn rule(&self) -> Option<&str> {
        if let Self::In { rule, .. } = self { Some(rule) } else { None }
    }
}

/// The attributes of a user at an instant: complete as to those named, null included.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Described {
    /// Whose.
    pub object: ObjectId,
    /// When and by whom they were read.
    pub reading: Reading,
    /// What they said.
    pub attributes: BTreeMap<Attribute, Option<String>>,
}

/// A user was found among a group's members, those of groups inside of it included, or no longer.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Grouped {
    /// Which user.
    pub object: ObjectId,
    /// Which group.
    pub group: ObjectId,
    /// The server's `Date` of the listing, less the lag by which a directory may trail: a change before it is in the listing.
    pub at: Instant,
    /// Whether it was listed.
    pub is_member: bool,
}

/// The members of groups were listed: whoever was not listed is no member.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct GroupsListed {
    /// The server's `Date` when the listing began, less the lag by which a directory may trail; or the horizon of the users' feed, if
    /// that is earlier.
    pub at: Instant,
    /// The groups that were listed whole.
    pub listed: Vec<ObjectId>,
    /// The groups that the directory did not list: no permission, or no such group.
    pub refused: Vec<ObjectId>,
}

/// From this commit on the delta feed tells these attributes, because its first request asked for them.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct FeedTells {
    /// All of them.
    pub attributes: BTreeSet<Attribute>,
}

/// As of when each group's members were last listed; `None` if the directory refused it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupsRead(pub BTreeMap<ObjectId, Option<Instant>>);

impl GroupsRead {
    /// Takes a listing in.
    pub fn note(&mut self, listed: &GroupsListed) {
        self.0.extend(listed.listed.iter().map(|group| (*group, Some(listed.at))));
        self.0.extend(listed.refused.iter().map(|group| (*group, None)));
    }
}

impl MappingState {
    /// Takes a fact of this commit in, if it is about the mapping.
    pub fn note(&mut self, sequence: super::id::Sequence, fact: &Fact) {
        match fact {
            Fact::MappingApplied(MappingApplied { mapping, .. }) => {
                self.applied = (!mapping.is_empty()).then_some(sequence);
                let named = mapping.groups();
                // What is no longer read at each sync would look fresh when a later rule names the group again.
                self.groups.0.retain(|group, _| named.contains(group));
            }
            Fact::GroupsListed(listed) => self.groups.note(listed),
            Fact::FeedTells(tells) => self.told.clone_from(&tells.attributes),
            _ => {}
        }
    }

    /// Whether nothing is known and nothing applied.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What is known of one object that a rule can ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traits {
    /// Whether the directory itself was ever read for it; a file from elsewhere does not count.
    pub is_read: bool,
    /// `userPrincipalName`.
    pub upn: Option<Name>,
    /// The primary address.
    pub primary: Option<Name>,
    /// `userType`.
    pub user_type: Option<String>,
    /// The attributes that were read; those that are not in it are not known.
    pub attributes: BTreeMap<Attribute, Option<String>>,
    /// The newest word on each group.
    pub groups: BTreeMap<ObjectId, (Instant, bool)>,
    /// Since when it lives without having been found gone, as far as was read; its creation, if it never was.
    pub alive_since: Option<Instant>,
}

impl Traits {
    /// What these facts say of their object, whose names are these. Later readings count more; of one instant, the one that
    /// was recorded later.
    pub fn of(names: &Names, facts: &[Known]) -> Self {
        let mut traits = Self { upn: names.upn.clone(), primary: names.mail.clone(), ..Self::default() };
        let mut was_gone = false;
        let mut in_time: Vec<&Known> = facts.iter().collect();
        in_time.sort_by_key(|known| (instant_of(&known.fact), known.sequence));
        for known in in_time {
            match &known.fact {
                Fact::Seen(Seen { reading, profile, .. }) if is_directory(reading.source) => {
                    traits.is_read = true;
                    traits.user_type.clone_from(&profile.user_type);
                    // Whoever is read for the first time was there since its creation; whoever came back, since that was seen.
                    let created = profile.created.filter(|created| *created < reading.at && !was_gone);
                    traits.alive_since.get_or_insert(created.unwrap_or(reading.at));
                }
                Fact::Removed(Removed { reading, .. }) if is_directory(reading.source) => {
                    (traits.alive_since, was_gone) = (None, true);
                }
                Fact::Described(described) => {
                    traits.attributes.extend(described.attributes.iter().map(|(key, value)| (*key, value.clone())));
                }
                Fact::Grouped(Grouped { group, at, is_member, .. }) => {
                    traits.groups.insert(*group, (*at, *is_member));
                }
                _ => {}
            }
        }
        traits
    }
}

/// Whether these facts of the object say already what this one says of its scope. Facts about anything else are always news.
pub fn is_said_already<'a>(fact: &Fact, facts: impl Iterator<Item = &'a Fact>) -> bool {
    match fact {
        Fact::Described(described) => {
            let known: Vec<&Described> =
                facts.filter_map(|fact| if let Fact::Described(known) = fact { Some(known) } else { None }).collect();
            described.attributes.iter().all(|(attribute, value)| {
                let told = known.iter().filter(|known| known.attributes.contains_key(attribute));
                let newest = told.max_by_key(|known| known.reading.at);
                newest.is_some_and(|newest| {
                    newest.reading.at <= described.reading.at && newest.attributes.get(attribute) == Some(value)
                })
            })
        }
        Fact::Grouped(grouped) => newest_word(grouped.group, facts)
            .is_some_and(|(at, is_member)| at <= grouped.at && is_member == grouped.is_member),
        _ => false,
    }
}

/// The newest word on an object and a group.
pub fn newest_word<'a>(group: ObjectId, facts: impl Iterator<Item = &'a Fact>) -> Option<(Instant, bool)> {
    facts
        .filter_map(|fact| match fact {
            Fact::Grouped(known) if known.group == group => Some((known.at, known.is_member)),
            _ => None,
        })
        .max_by_key(|(at, _)| *at)
}

fn instant_of(fact: &Fact) -> Instant {
    match fact {
        Fact::Seen(seen) => seen.reading.at,
        Fact::Removed(removed) => removed.reading.at,
        Fact::Described(described) => described.reading.at,
        Fact::Grouped(grouped) => grouped.at,
        _ => Instant::MIN,
    }
}

fn is_directory(source: Source) -> bool {
    matches!(source, Source::Delta | Source::Reconcile | Source::Live)
}
