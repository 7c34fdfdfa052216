//! One object's timeline: a pure function of its facts and of what time the feeds cover.
//!
//! An object may have had dozens of names, and most questions are about one. So the facts are kept, and what they say about
//! a name is worked out when that name is asked for.

mod canonical;
mod events;
mod labels;
mod moments;

use std::collections::BTreeMap;
use std::time::Duration;

use self::canonical::canonical;
use self::events::{UpnEvents, audited, evidence_from_events, upn_events};
use self::labels::{Label, Loss, created, has, kind, labels, licence, live_read, names_in, removals};
use self::moments::{Believed, Moment, life_evidence, mailbox_evidence, moments, seen_at};
use super::coverage::Coverage;
use super::fact::{Known, MailboxState, ObjectKind, Removal, Source};
use super::id::ObjectId;
use super::interval::{Edge, Interval};
use super::name::{Name, NameKey, Namespace};
use super::time::Instant;
use super::track::{Evidence, Track};

/// What a name is to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "http", schema(as = NameRole))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Its user principal name.
    Upn,
    /// One of its SMTP addresses, primary or alias.
    Smtp,
    /// The SMTP address it sends from.
    Primary,
}

/// Where an object stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "http", schema(as = ObjectState))]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Live.
    Active,
    /// Deleted; it can come back.
    SoftDeleted,
    /// Gone for good.
    Purged,
    /// Not found in the directory, and nothing says why.
    Unknown,
}

/// A stretch of an object's life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatePeriod {
    /// Which state.
    pub state: State,
    /// When it began.
    pub from: Edge,
    /// When it ended.
    pub until: Option<Edge>,
}

/// An object's names at some time, as labels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// The user principal name.
    pub upn: Option<Name>,
    /// The primary SMTP address.
    pub mail: Option<Name>,
    /// The other SMTP addresses.
    pub aliases: Vec<Name>,
}

/// A time without a licence for a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// When the licence went.
    pub lost: Edge,
    /// When there was one again.
    pub back: Edge,
}

impl Gap {
    /// How long it was at most.
    pub fn longest(self) -> Duration {
        let (from, until) = (self.lost.after().unwrap_or(Instant::MIN), self.back.by().unwrap_or(Instant::MAX));
        until.since(from)
    }
}

/// All evidence about one object's hold of one name in one role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presence {
    /// The spelling seen last.
    pub spelling: Name,
    /// What is known about it.
    pub evidence: Vec<Evidence>,
}

/// One object's timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeline {
    object: ObjectId,
    /// In their canonical order.
    facts: Vec<Known>,
    /// What they say about all names at once.
    moments: Vec<Moment>,
    /// Every name that a fact shows, as it was spelt last.
    names: BTreeMap<(Role, NameKey), Name>,
    /// When an audit event may have changed the user principal name.
    upn_events: UpnEvents,
    coverage: Coverage,
    life: Track,
    mailbox: Track,
    licence: Option<MailboxState>,
    removals: Vec<Loss>,
    labels: Vec<Label>,
    kind: ObjectKind,
    created: Option<Instant>,
    live_read: Option<Instant>,
}

impl Timeline {
    /// The timeline of these facts about `object`; facts about others are passed over. Order and repetition do not matter.
    pub fn of(object: ObjectId, facts: Vec<Known>, coverage: &Coverage) -> Self {
        let facts = canonical(object, facts);
        let names = names_in(&facts);
        let moments = moments(&facts, coverage, !names.is_empty());
        let believed = Believed::of(&facts);
        Self {
            object,
            life: Track::of(&life_evidence(&moments, believed)),
            mailbox: Track::of(&mailbox_evidence(&moments, &facts)),
            licence: licence(&facts, believed),
            removals: removals(&facts),
            labels: labels(&facts, believed),
            kind: kind(&facts, believed),
            created: created(&facts),
            live_read: live_read(&facts),
            upn_events: upn_events(&facts),
            coverage: coverage.clone(),
            facts,
            moments,
            names,
        }
    }

    /// Whose timeline.
    pub fn object(&self) -> ObjectId {
        self.object
    }

    /// User, group or contact.
    pub fn kind(&self) -> ObjectKind {
        self.kind
    }

    /// When the object was created, where a source says so.
    pub fn created(&self) -> Option<Instant> {
        self.created
    }

    /// Whether no fact speaks of the object.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.removals.is_empty() && self.names.is_empty()
    }

    /// Every name that the object ever held, with its role and the spelling seen last.
    pub fn names_ever(&self) -> impl Iterator<Item = (Role, &NameKey, &Name)> {
        self.names.iter().map(|((role, key), spelling)| (*role, key, spelling))
    }

    /// Whether a fact shows the object with this name in this role.
    pub fn ever_had(&self, role: Role, key: &NameKey) -> bool {
        self.names.contains_key(&(role, key.clone()))
    }

    /// The evidence about one name in one role.
    pub fn presence(&self, role: Role, key: &NameKey) -> Option<Presence> {
        let spelling = self.names.get(&(role, key.clone()))?.clone();
        let mut evidence = self.evidence_from_moments(role, key);
        let events = evidence_from_events(role, key, &self.facts);
        let continued = if role == Role::Upn {
            let complete = self.moments.iter().zip(&evidence).filter(|(moment, _)| !moment.partial);
            audited(complete.map(|(_, piece)| piece).chain(&events), &self.upn_events, &self.coverage)
        } else {
            Vec::new()
        };
        evidence.extend(events);
        evidence.extend(continued);
        Some(Presence { spelling, evidence })
    }

    /// The track of one name in one role, by this object's own facts.
    pub fn track(&self, role: Role, key: &NameKey) -> Option<Track> {
        self.presence(role, key).map(|presence| Track::of(&presence.evidence))
    }

    /// Being alive, over time.
    pub fn life(&self) -> &Track {
        &self.life
    }

    /// Having a licence for a mailbox, over time. It has no evidence if no source ever told of licences.
    pub fn mailbox(&self) -> &Track {
        &self.mailbox
    }

    /// The licence as the newest source that told of it showed it.
    pub fn licence(&self) -> Option<MailboxState> {
        self.licence
    }

    /// When the licence for the mailbox went, if there was one and is none any more. An object that never had one lost
    /// nothing: a shared mailbox needs none.
    pub fn mailbox_lost(&self) -> Option<Edge> {
        self.mailbox.periods().last().and_then(|period| period.until)
    }

    /// Whether there is a mailbox, as far as the directory tells: groups and contacts have none, nor has a user whose licence
    /// went.
    pub fn has_mailbox(&self) -> bool {
        self.kind() == ObjectKind::User && self.mailbox_lost().is_none()
    }

    /// The times without a licence between two with one.
    pub fn mailbox_gaps(&self) -> Vec<Gap> {
        let periods = self.mailbox.periods();
        let pairs = periods.iter().zip(periods.iter().skip(1));
        pairs.filter_map(|(before, after)| Some(Gap { lost: before.until?, back: after.from })).collect()
    }

    /// Where the object stands by the newest evidence.
    pub fn state(&self) -> State {
        if self.life.is_present_last() {
            return State::Active;
        }
        self.removal_after(Instant::MIN)
    }

    /// The states of the object's life, in order.
    pub fn states(&self) -> Vec<StatePeriod> {
        let periods = self.life.periods();
        let mut states = Vec::new();
        for (index, period) in periods.iter().enumerate() {
            states.push(StatePeriod { state: State::Active, from: period.from, until: period.until });
            if let Some(ended) = period.until {
                let next = periods.get(index + 1).map(|next| next.from);
                self.push_absence(&mut states, ended, next);
            }
        }
        if periods.is_empty() && !self.removals.is_empty() {
            let from = self.life.last_edge().unwrap_or(Edge::new(Instant::MIN, Instant::MAX));
            self.push_absence(&mut states, from, None);
        }
        states
    }

    /// The names by the newest evidence. Those of a deleted object are the last it had.
    pub fn names(&self) -> Names {
        self.labels.last().map(|label| label.names.clone()).unwrap_or_default()
    }

    /// The names as the newest evidence up to an instant shows them; before the first evidence, the first.
    pub fn names_at(&self, at: Instant) -> Names {
        let known = self.labels.partition_point(|label| label.at <= at);
        self.labels.get(known.saturating_sub(1)).map(|label| label.names.clone()).unwrap_or_default()
    }

    /// The newest instant at which a source showed the object alive. A file from elsewhere may be older than it says.
    pub fn last_seen_alive(&self) -> Option<Instant> {
        if !self.life.is_present_last() {
            return None;
        }
        let own = self.life.last_evidence().iter().filter(|origin| origin.source != Source::Import);
        let read = own.map(|origin| origin.at).max();
        let proved = self.life.held().iter().next_back().map(Interval::last);
        read.max(proved)
    }

    /// The newest live read that showed the object alive.
    pub fn last_live_read(&self) -> Option<Instant> {
        self.live_read.filter(|_| self.life.is_present_last())
    }

    fn evidence_from_moments(&self, role: Role, key: &NameKey) -> Vec<Evidence> {
        let shows = |fact: usize| seen_at(&self.facts, fact).is_some_and(|seen| has(seen, role, key));
        let evidence = self.moments.iter().map(|moment| moment.evidence(moment.profile.is_some_and(shows)));
        evidence.collect()
    }

    fn removal_after(&self, at: Instant) -> State {
        strongest(self.removals.iter().filter(|loss| loss.at >= at).map(|loss| loss.removal))
    }

    /// The states after a period of life. A purge follows the soft deletion, so it has an edge of its own where both are
    /// known.
    fn push_absence(&self, states: &mut Vec<StatePeriod>, from: Edge, until: Option<Edge>) {
        let first = from.after().unwrap_or(Instant::MIN);
        let last = until.and_then(Edge::by).unwrap_or(Instant::MAX);
        let within = || self.removals.iter().filter(|loss| first <= loss.at && loss.at <= last);
        let purged = within().filter(|loss| loss.removal == Removal::Purged).min_by_key(|loss| loss.by);
        let purge = purged.and_then(|purged| {
            let soft = within().filter(|loss| loss.removal == Removal::Soft && loss.at < purged.at);
            let after = soft.map(|loss| loss.after).max()?.max(first).max(purged.after);
            (after < purged.by).then(|| Edge::new(after, purged.by))
        });
        match purge {
            Some(purge) => {
                states.push(StatePeriod { state: State::SoftDeleted, from, until: Some(purge) });
                states.push(StatePeriod { state: State::Purged, from: purge, until });
            }
            None => {
                let state = strongest(within().map(|loss| loss.removal));
                states.push(StatePeriod { state, from, until });
            }
        }
    }
}

impl Role {
    /// The role that a hold in this namespace plays.
    pub fn of(namespace: Namespace) -> Self {
        match namespace {
            Namespace::Upn => Self::Upn,
            Namespace::Smtp => Self::Smtp,
        }
    }
}

fn strongest(removals: impl Iterator<Item = Removal>) -> State {
    removals.fold(State::Unknown, |state, removal| match (state, removal) {
        (State::Purged, _) | (_, Removal::Purged) => State::Purged,
        (State::SoftDeleted, _) | (_, Removal::Soft) => State::SoftDeleted,
        (state, Removal::NotFound) => state,
    })
}
