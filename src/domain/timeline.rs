//! One object's timeline: a pure function of its facts and of what time the feeds cover.
//!
//! An object may have had dozens of names, and most questions are about one. So the facts are kept, and what they say about
//! a name is worked out when that name is asked for.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::coverage::Coverage;
use super::fact::{
    Changed, DATE_WIDTH, Fact, Feed, Known, Life, Lifecycle, MailboxState, ObjectKind, Profile, Property, Reading,
    Removal, Removed, Source,
};
use super::id::{ObjectId, Sequence};
use super::interval::{Edge, Interval};
use super::name::{Name, NameKey, Namespace};
use super::readings::Readings;
use super::time::Instant;
use super::track::{Evidence, Origin, Track};

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
    /// The instants at which an audit event may have changed the user principal name.
    upn_events: BTreeSet<Instant>,
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

/// The names that one fact shows, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Label {
    at: Instant,
    names: Names,
}

/// What one fact says of how the object is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Loss {
    removal: Removal,
    /// When it was observed or happened.
    at: Instant,
    /// It was not so before an instant that is not earlier than this one, as far as the fact tells.
    after: Instant,
    /// It was so here at the latest.
    by: Instant,
}

/// A statement about all of an object's names at once: its profile, or that it is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Moment {
    /// The place of the fact that has the profile; `None` if the object is gone.
    profile: Option<usize>,
    span: Interval,
    solid: bool,
    /// The profile lacks what the object is known to have, so nothing is built on what it does not show.
    partial: bool,
    origin: Origin,
}

impl Timeline {
    /// The timeline of these facts about `object`; facts about others are passed over. Order and repetition do not matter.
    pub fn of(object: ObjectId, facts: Vec<Known>, coverage: &Coverage) -> Self {
        let facts = canonical(object, facts);
        let names = names_in(&facts);
        let moments = moments(&facts, coverage, !names.is_empty());
        Self {
            object,
            life: Track::of(&life_evidence(&moments)),
            mailbox: Track::of(&mailbox_evidence(&moments, &facts)),
            licence: licence(&facts),
            removals: removals(&facts),
            labels: labels(&facts),
            kind: kind(&facts),
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

    /// The newest instant at which a source showed the object alive.
    pub fn last_seen_alive(&self) -> Option<Instant> {
        if !self.life.is_present_last() {
            return None;
        }
        let read = self.life.last_evidence().iter().map(|origin| origin.at).max();
        let proved = self.life.held().iter().next_back().map(Interval::last);
        read.max(proved)
    }

    /// The newest live read that showed the object alive.
    pub fn last_live_read(&self) -> Option<Instant> {
        self.live_read.filter(|_| self.life.is_present_last())
    }

    fn evidence_from_moments(&self, role: Role, key: &NameKey) -> Vec<Evidence> {
        let shows = |fact: usize| profile_of(&self.facts, fact).is_some_and(|p| has(p, self.object, role, key));
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

impl Moment {
    fn evidence(&self, present: bool) -> Evidence {
        Evidence { present, span: self.span, solid: self.solid, origin: self.origin.clone() }
    }
}

/// The profile that the fact at a place has.
fn profile_of(facts: &[Known], place: usize) -> Option<&Profile> {
    match &facts.get(place)?.fact {
        Fact::Seen(seen) => Some(&seen.profile),
        _ => None,
    }
}

/// The object's facts in an order of their own, each once. The commit that brought a fact first is kept.
fn canonical(object: ObjectId, mut facts: Vec<Known>) -> Vec<Known> {
    facts.retain(|known| known.fact.object() == Some(object) && !known.fact.is_about_scope());
    // The order must not depend on the commits that brought the facts; the sequence only decides which of several equal
    // facts is kept.
    facts.sort_by(|a, b| canonical_order(&a.fact, &b.fact).then(a.sequence.cmp(&b.sequence)));
    facts.dedup_by(|later, first| later.fact == first.fact);
    facts
}

fn canonical_order(a: &Fact, b: &Fact) -> Ordering {
    let age = |fact| reading_of(fact).map(|reading| (reading.source, reading.unchanged_since));
    let place = |fact| (instant_of(fact), rank(fact), age(fact));
    place(a).cmp(&place(b)).then_with(|| {
        if a == b { Ordering::Equal } else { format!("{:?}", Canonical(a)).cmp(&format!("{:?}", Canonical(b))) }
    })
}

/// Prints a fact with its names, for ordering only.
struct Canonical<'a>(&'a Fact);

impl std::fmt::Debug for Canonical<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (namespace, name) in self.0.names() {
            write!(f, "{namespace}:{}:{};", name.key(), name.spelling())?;
        }
        write!(f, "{:?}", self.0)
    }
}

fn rank(fact: &Fact) -> u8 {
    match fact {
        Fact::Lifecycle(_) => 0,
        Fact::Changed(_) => 1,
        Fact::Removed(_) => 2,
        _ => 3,
    }
}

fn reading_of(fact: &Fact) -> Option<&Reading> {
    match fact {
        Fact::Seen(seen) => Some(&seen.reading),
        Fact::Removed(removed) => Some(&removed.reading),
        _ => None,
    }
}

fn instant_of(fact: &Fact) -> Instant {
    match fact {
        Fact::Seen(seen) => seen.reading.at,
        Fact::Removed(removed) => removed.reading.at,
        Fact::Changed(changed) => changed.at,
        Fact::Lifecycle(lifecycle) => lifecycle.at,
        _ => Instant::MIN,
    }
}

fn names_in(facts: &[Known]) -> BTreeMap<(Role, NameKey), Name> {
    let mut names = BTreeMap::new();
    for known in facts {
        for (namespace, name) in known.fact.names() {
            names.insert((Role::of(namespace), name.key().clone()), name.clone());
        }
        if let Fact::Seen(seen) = &known.fact
            && let Some(primary) = seen.profile.primary()
        {
            names.insert((Role::Primary, primary.key().clone()), primary.clone());
        }
    }
    names
}

fn has(profile: &Profile, object: ObjectId, role: Role, key: &NameKey) -> bool {
    match role {
        Role::Upn => profile.upn_of(object).is_some_and(|upn| upn.key() == key),
        Role::Smtp => {
            profile.mail.iter().any(|mail| mail.key() == key)
                || profile.proxies.iter().any(|proxy| proxy.smtp().is_some_and(|name| name.key() == key))
        }
        Role::Primary => profile.primary().is_some_and(|primary| primary.key() == key),
    }
}

fn moments(facts: &[Known], coverage: &Coverage, is_named: bool) -> Vec<Moment> {
    let readings = Readings::of(facts);
    let (lives, born) = (lifecycles(facts), born(facts));
    let mut moments = Vec::new();
    for (place, known) in facts.iter().enumerate() {
        match &known.fact {
            Fact::Seen(seen) => {
                let origin = read(known.sequence, &seen.reading);
                // A profile without any name, of an object that has names, is an incomplete answer as likely as a release of
                // them all. It counts as one reading and proves nothing beyond.
                let partial = is_named && is_nameless(&seen.profile);
                let push = |moments: &mut Vec<_>, profile: Option<usize>, span, solid| {
                    let partial = partial && profile.is_some();
                    moments.push(Moment { profile, span, solid, partial, origin: origin.clone() });
                };
                push(&mut moments, Some(place), window_of(&seen.reading, born), false);
                if let Some(span) = readings.continuity(seen, coverage).filter(|_| !partial) {
                    push(&mut moments, Some(place), span, true);
                }
                // A file from elsewhere may call another time "created", so its word bounds the start and proves nothing.
                let is_proof = seen.reading.source != Source::Import;
                let since = |created: Instant| if is_proof { Instant::MIN } else { created.pred() };
                let before = seen.profile.created.and_then(|created| Interval::new(since(created), created));
                if let Some(before) = before {
                    push(&mut moments, None, before, is_proof);
                }
            }
            Fact::Removed(removed) => moments.extend(gone(known.sequence, removed, born)),
            Fact::Lifecycle(lifecycle) => moments.extend(lived(known.sequence, lifecycle, &lives, coverage)),
            _ => {}
        }
    }
    moments
}

fn is_nameless(profile: &Profile) -> bool {
    profile.upn.is_none() && profile.mail.is_none() && profile.proxies.iter().all(|proxy| proxy.smtp().is_none())
}

/// The instants at one of which somebody who had been created by then was seen so, or in the bin: not before that.
fn window_of(reading: &Reading, born: Instant) -> Interval {
    let window = reading.window();
    let since = Interval::new(window.from().max(born), window.until());
    since.filter(|_| reading.source != Source::Import).unwrap_or(window)
}

fn gone(sequence: Sequence, removed: &Removed, born: Instant) -> Vec<Moment> {
    let window = match removed.removal {
        Removal::Soft => window_of(&removed.reading, born),
        Removal::Purged | Removal::NotFound => removed.reading.window(),
    };
    let origin = read(sequence, &removed.reading);
    let moment = |span, solid| Moment { profile: None, span, solid, partial: false, origin: origin.clone() };
    let mut moments = vec![moment(window, false)];
    if removed.reading.source == Source::Import {
        // What a file from elsewhere says is one reading at its deletion time and one at its own, and no proof.
        let deleted = removed.deleted.and_then(|at| Interval::new(at, at.plus(DATE_WIDTH).plus(DATE_WIDTH)));
        moments.extend(deleted.map(|span| moment(span, false)));
        return moments;
    }
    // The deletion time is still the same at the reading, so the object stayed deleted from then to the reading.
    if let Some(deleted) = removed.deleted {
        let from = deleted.plus(DATE_WIDTH);
        // It was deleted within that second. A reading of the same second may be from before its end.
        moments.extend(Interval::new(deleted, from).map(|span| moment(span, false)));
        moments.extend(Interval::closed(from, window.from()).map(|span| moment(span, true)));
    }
    // The feed says itself that an object is gone for good. That an object was found neither live nor in the bin only makes it
    // likely: it may have been restored between the two reads.
    if removed.removal == Removal::Purged && removed.reading.source == Source::Delta {
        moments.extend(Interval::new(window.until(), Instant::MAX).map(|span| moment(span, true)));
    }
    moments
}

fn lived(sequence: Sequence, lifecycle: &Lifecycle, lives: &[&Lifecycle], coverage: &Coverage) -> Option<Moment> {
    let at = lifecycle.at;
    let span = match lifecycle.life {
        Life::Created => Interval::new(Instant::MIN, at),
        Life::Purged => Interval::new(at, Instant::MAX),
        Life::Restored => Interval::closed(at.pred(), at.pred()),
        Life::Deleted => {
            let next = lives.partition_point(|other| other.at <= at);
            let next = lives.get(next).map(|other| other.at.pred());
            let through = audit_through(coverage, at).unwrap_or(at);
            Interval::closed(at, next.unwrap_or(through).min(through).max(at))
        }
    };
    let origin = origin(sequence, Source::Audit, at, Some(lifecycle.event.as_str()));
    span.map(|span| Moment { profile: None, span, solid: true, partial: false, origin })
}

/// The events of the object's life, in order of time.
fn lifecycles(facts: &[Known]) -> Vec<&Lifecycle> {
    let lives = facts.iter();
    lives.filter_map(|known| if let Fact::Lifecycle(life) = &known.fact { Some(life) } else { None }).collect()
}

/// The instants at which an audit event may have changed the user principal name.
fn upn_events(facts: &[Known]) -> BTreeSet<Instant> {
    let at = |known: &Known| match &known.fact {
        Fact::Lifecycle(lifecycle) => Some(lifecycle.at),
        Fact::Changed(changed) if changed.property == Property::UserPrincipalName => Some(changed.at),
        _ => None,
    };
    facts.iter().filter_map(at).collect()
}

fn audit_through(coverage: &Coverage, at: Instant) -> Option<Instant> {
    coverage.stretch_from(Feed::Audit, at).map(|stretch| stretch.through).filter(|through| *through >= at)
}

/// What audit events and deletion records say about one name exactly at their instants.
fn evidence_from_events(role: Role, key: &NameKey, facts: &[Known]) -> Vec<Evidence> {
    let mut evidence = Vec::new();
    for known in facts {
        match &known.fact {
            Fact::Changed(changed) if Role::of(changed.property.namespace()) == role => {
                evidence.extend(changed_evidence(known.sequence, changed, key));
            }
            Fact::Lifecycle(lifecycle) if role == Role::Upn => {
                let Some(upn) = &lifecycle.upn else { continue };
                let at = match lifecycle.life {
                    Life::Created => lifecycle.at,
                    _ => lifecycle.at.pred(),
                };
                let origin = origin(known.sequence, Source::Audit, lifecycle.at, Some(lifecycle.event.as_str()));
                evidence.extend(point(upn.key() == key, at, origin));
            }
            Fact::Removed(Removed { deleted: Some(deleted), last_upn: Some(upn), reading, .. })
                if role == Role::Upn =>
            {
                // The deletion time has whole seconds, and the name was held just before some instant of that second.
                let origin = read(known.sequence, reading);
                let span = Interval::new(deleted.pred(), deleted.plus(DATE_WIDTH));
                let present = upn.key() == key;
                evidence.extend(span.map(|span| Evidence { present, span, solid: false, origin }));
            }
            _ => {}
        }
    }
    evidence
}

fn changed_evidence(sequence: Sequence, changed: &Changed, key: &NameKey) -> Vec<Evidence> {
    let origin = origin(sequence, Source::Audit, changed.at, Some(changed.event.as_str()));
    let side = |values: &Option<Vec<Name>>, at| {
        values.as_ref().and_then(|values| {
            // A mangled name is the mark of a deletion, which has an event of its own; it says nothing about names.
            let mangled = values.iter().any(|name| name.unmangled(changed.object).is_some());
            let present = values.iter().any(|name| name.key() == key);
            if mangled { None } else { point(present, at, origin.clone()) }
        })
    };
    side(&changed.old, changed.at.pred()).into_iter().chain(side(&changed.new, changed.at)).collect()
}

/// What an audit log without holes adds to evidence about a user principal name: between two of the object's events
/// its UPN did not change, so each piece of evidence holds from the event before it to the event after it.
fn audited<'a>(
    evidence: impl Iterator<Item = &'a Evidence>,
    events: &BTreeSet<Instant>,
    coverage: &Coverage,
) -> Vec<Evidence> {
    evidence
        .filter(|piece| {
            piece.origin.source != Source::Import
                && piece.span.from() > Instant::MIN
                && piece.span.until() < Instant::MAX
        })
        .filter_map(|piece| {
            let stretch = coverage.stretch_from(Feed::Audit, piece.span.last())?;
            // A solid piece may begin before the log does; its first instant within the log is as good.
            let from = piece.span.from().max(if piece.solid { stretch.from } else { Instant::MIN });
            let until = if piece.solid { from.succ() } else { piece.span.until() };
            // An event inside a reading's window tells more exactly what the reading could mean.
            if from < stretch.from
                || until > stretch.through.succ()
                || events.range(from.succ()..until).next().is_some()
            {
                return None;
            }
            let before = events.range(..=from).next_back().copied().unwrap_or(Instant::MIN);
            let after = events.range(until..).next().map_or(Instant::MAX, |next| next.pred());
            let span = Interval::closed(before.max(stretch.from), after.min(stretch.through))?;
            Some(Evidence { span, solid: true, ..piece.clone() })
        })
        .collect()
}

fn point(present: bool, at: Instant, origin: Origin) -> Option<Evidence> {
    Interval::closed(at, at).map(|span| Evidence { present, span, solid: true, origin })
}

fn origin(sequence: Sequence, source: Source, at: Instant, event: Option<&str>) -> Origin {
    Origin { sequence, source, at, since: None, event: event.map(str::to_owned), rival: None }
}

fn read(sequence: Sequence, reading: &Reading) -> Origin {
    Origin { since: reading.unchanged_since, ..origin(sequence, reading.source, reading.at, None) }
}

fn life_evidence(moments: &[Moment]) -> Vec<Evidence> {
    moments.iter().map(|moment| moment.evidence(moment.profile.is_some())).collect()
}

/// What tells of the licence: every complete profile that does. Being deleted says nothing about it.
fn mailbox_evidence(moments: &[Moment], facts: &[Known]) -> Vec<Evidence> {
    let complete = moments.iter().filter(|moment| !moment.partial);
    complete
        .filter_map(|moment| {
            let licence = profile_of(facts, moment.profile?)?.mailbox?;
            Some(moment.evidence(licence.is_licensed()))
        })
        .collect()
}

fn licence(facts: &[Known]) -> Option<MailboxState> {
    let told = |known: &Known| if let Fact::Seen(seen) = &known.fact { seen.profile.mailbox } else { None };
    facts.iter().rev().find_map(told)
}

fn removals(facts: &[Known]) -> Vec<Loss> {
    let event = |removal, at: Instant| Loss { removal, at, after: at.pred(), by: at };
    facts
        .iter()
        .filter_map(|known| match &known.fact {
            Fact::Removed(removed) => {
                let (window, at) = (removed.reading.window(), removed.reading.at);
                // A purge is for good, so a reading does not tell since when.
                let after = if removed.removal == Removal::Purged { Instant::MIN } else { window.from() };
                Some(Loss { removal: removed.removal, at, after, by: window.until() })
            }
            Fact::Lifecycle(lifecycle) if lifecycle.life == Life::Deleted => Some(event(Removal::Soft, lifecycle.at)),
            Fact::Lifecycle(lifecycle) if lifecycle.life == Life::Purged => Some(event(Removal::Purged, lifecycle.at)),
            _ => None,
        })
        .collect()
}

fn labels(facts: &[Known]) -> Vec<Label> {
    let mut labels: Vec<Label> = Vec::new();
    for known in facts {
        match &known.fact {
            Fact::Seen(seen) => {
                let mail = seen.profile.primary().cloned();
                let aliases = seen.profile.smtp().into_iter().filter(|name| Some(*name) != mail.as_ref()).cloned();
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

fn kind(facts: &[Known]) -> ObjectKind {
    facts
        .iter()
        .rev()
        .find_map(|known| if let Fact::Seen(seen) = &known.fact { Some(seen.profile.kind) } else { None })
        .unwrap_or_default()
}

fn live_read(facts: &[Known]) -> Option<Instant> {
    let live = facts.iter().filter_map(|known| match &known.fact {
        Fact::Seen(seen) if seen.reading.source == Source::Live => Some(seen.reading.at),
        _ => None,
    });
    live.max()
}

/// Before here the object was not, as far as a source proves it.
fn born(facts: &[Known]) -> Instant {
    let proved = facts.iter().filter_map(|known| match &known.fact {
        Fact::Seen(seen) if seen.reading.source != Source::Import => seen.profile.created,
        Fact::Lifecycle(lifecycle) if lifecycle.life == Life::Created => Some(lifecycle.at),
        _ => None,
    });
    proved.max().unwrap_or(Instant::MIN)
}

fn created(facts: &[Known]) -> Option<Instant> {
    facts
        .iter()
        .filter_map(|known| match &known.fact {
            Fact::Seen(seen) => seen.profile.created,
            Fact::Lifecycle(lifecycle) if lifecycle.life == Life::Created => Some(lifecycle.at),
            _ => None,
        })
        .min()
}
