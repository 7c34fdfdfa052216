//! What facts say about all of an object's names at once.

use super::events::{audit_through, lifecycles, origin, read};
use crate::domain::coverage::Coverage;
use crate::domain::fact::{DATE_WIDTH, Fact, Known, Life, Lifecycle, Profile, Reading, Removal, Removed, Seen, Source};
use crate::domain::id::Sequence;
use crate::domain::interval::Interval;
use crate::domain::readings::Readings;
use crate::domain::time::Instant;
use crate::domain::track::{Evidence, Origin};

/// A statement about all of an object's names at once: its profile, or that it is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    /// The place of the fact that has the profile; `None` if the object is gone.
    pub(super) profile: Option<usize>,
    pub(super) span: Interval,
    pub(super) solid: bool,
    /// The profile lacks what the object is known to have, so nothing is built on what it does not show.
    pub(super) partial: bool,
    pub(super) origin: Origin,
}

impl Moment {
    pub(super) fn evidence(&self, present: bool) -> Evidence {
        Evidence { present, span: self.span, solid: self.solid, origin: self.origin.clone() }
    }
}

pub(super) fn moments(facts: &[Known], coverage: &Coverage, is_named: bool) -> Vec<Moment> {
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

/// What the fact at a place saw.
pub(super) fn seen_at(facts: &[Known], place: usize) -> Option<&Seen> {
    match &facts.get(place)?.fact {
        Fact::Seen(seen) => Some(seen),
        _ => None,
    }
}

/// Since when a file from elsewhere tells nothing more of how the object is, whatever time it bears: once the directory itself was read, it
/// may be an old copy.
#[derive(Clone, Copy)]
pub(super) struct Believed {
    /// When the directory was first read of the object.
    first: Option<Instant>,
}

impl Believed {
    pub(super) fn of(facts: &[Known]) -> Self {
        let read = facts.iter().filter_map(|known| match &known.fact {
            Fact::Seen(Seen { reading, .. }) | Fact::Removed(Removed { reading, .. }) => Some(reading),
            _ => None,
        });
        let own = read.filter(|reading| matches!(reading.source, Source::Delta | Source::Live | Source::Reconcile));
        Self { first: own.map(|reading| reading.at).min() }
    }

    /// Whether what a source said of an instant tells how the object is.
    pub(super) fn is(self, source: Source, at: Instant) -> bool {
        source != Source::Import || self.first.is_none_or(|first| at < first)
    }
}

/// What tells of the object's life.
pub(super) fn life_evidence(moments: &[Moment], believed: Believed) -> Vec<Evidence> {
    let telling = moments.iter().filter(|moment| believed.is(moment.origin.source, moment.origin.at));
    telling.map(|moment| moment.evidence(moment.profile.is_some())).collect()
}

/// What tells of the licence: every complete profile that does. Being deleted says nothing about it.
pub(super) fn mailbox_evidence(moments: &[Moment], facts: &[Known]) -> Vec<Evidence> {
    let complete = moments.iter().filter(|moment| !moment.partial);
    complete
        .filter_map(|moment| {
            let licence = seen_at(facts, moment.profile?)?.profile.mailbox?;
            Some(moment.evidence(licence.is_licensed()))
        })
        .collect()
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

/// Before here the object was not, as far as a source proves it.
pub(super) fn born(facts: &[Known]) -> Instant {
    let proved = facts.iter().filter_map(|known| match &known.fact {
        Fact::Seen(seen) if seen.reading.source != Source::Import => seen.profile.created,
        Fact::Lifecycle(lifecycle) if lifecycle.life == Life::Created => Some(lifecycle.at),
        _ => None,
    });
    proved.max().unwrap_or(Instant::MIN)
}
