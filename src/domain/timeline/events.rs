//! What audit events and deletion records say about one name, and what a log without holes adds to it.

use std::collections::BTreeSet;

use super::Role;
use super::canonical::instant_of;
use crate::domain::coverage::Coverage;
use crate::domain::fact::{
    Changed, DATE_WIDTH, Fact, Feed, Known, Life, Lifecycle, Property, Reading, Removed, Source,
};
use crate::domain::id::Sequence;
use crate::domain::interval::Interval;
use crate::domain::name::{Name, NameKey};
use crate::domain::time::Instant;
use crate::domain::track::{Evidence, Origin};

/// What audit events and deletion records say about one name exactly at their instants.
pub(super) fn evidence_from_events(role: Role, key: &NameKey, facts: &[Known]) -> Vec<Evidence> {
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

/// What an audit log without holes adds to evidence about a user principal name: between two of the object's events
/// its UPN did not change, so each piece of evidence holds from the event before it to the event after it.
pub(super) fn audited<'a>(
    evidence: impl Iterator<Item = &'a Evidence>,
    events: &UpnEvents,
    coverage: &Coverage,
) -> Vec<Evidence> {
    let UpnEvents { at: events, within } = events;
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
            // What is said of an instant within which one happened may be from before it or from after it.
            if from < stretch.from
                || until > stretch.through.succ()
                || within.iter().any(|span| span.from() < until && from < span.until())
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

/// When audit events may have changed the user principal name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct UpnEvents {
    /// The instants that facts tell.
    at: BTreeSet<Instant>,
    /// The spans of those of which the instant is not known.
    within: Vec<Interval>,
}

pub(super) fn upn_events(facts: &[Known]) -> UpnEvents {
    let told = |known: &Known| match &known.fact {
        Fact::Changed(changed) if changed.property != Property::UserPrincipalName => None,
        fact => event_of(fact).map(|(_, at)| at),
    };
    let spans = facts.iter().filter_map(|known| {
        told(known)?;
        let (id, end) = event_of(&known.fact)?;
        Interval::new(began(facts, id, end)?, end)
    });
    UpnEvents { at: facts.iter().filter_map(told).collect(), within: spans.collect() }
}

/// When an event began that is told to be over at this instant, if it is told by two facts: all that is known is that it happened between.
pub(super) fn began(facts: &[Known], event: &str, end: Instant) -> Option<Instant> {
    let begin = end.minus(DATE_WIDTH);
    // They are in the order of their instants.
    let of_then = facts.iter().skip(facts.partition_point(|known| instant_of(&known.fact) < begin));
    let mut of_then = of_then.take_while(|known| instant_of(&known.fact) == begin);
    of_then.any(|known| event_of(&known.fact) == Some((event, begin))).then_some(begin)
}

fn event_of(fact: &Fact) -> Option<(&str, Instant)> {
    match fact {
        Fact::Changed(changed) => Some((&changed.event, changed.at)),
        Fact::Lifecycle(lifecycle) => Some((&lifecycle.event, lifecycle.at)),
        _ => None,
    }
}

/// The events of the object's life, in order of time.
pub(super) fn lifecycles(facts: &[Known]) -> Vec<&Lifecycle> {
    let lives = facts.iter();
    lives.filter_map(|known| if let Fact::Lifecycle(life) = &known.fact { Some(life) } else { None }).collect()
}

pub(super) fn audit_through(coverage: &Coverage, at: Instant) -> Option<Instant> {
    coverage.stretch_from(Feed::Audit, at).map(|stretch| stretch.through).filter(|through| *through >= at)
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

fn point(present: bool, at: Instant, origin: Origin) -> Option<Evidence> {
    Interval::closed(at, at).map(|span| Evidence { present, span, solid: true, origin })
}

pub(super) fn origin(sequence: Sequence, source: Source, at: Instant, event: Option<&str>) -> Origin {
    Origin { sequence, source, at, since: None, event: event.map(str::to_owned), rival: None }
}

pub(super) fn read(sequence: Sequence, reading: &Reading) -> Origin {
    Origin { since: reading.unchanged_since, ..origin(sequence, reading.source, reading.at, None) }
}
