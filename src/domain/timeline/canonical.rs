//! The order of an object's facts, which does not depend on the order in which they came.

use std::cmp::Ordering;

use crate::domain::fact::{Fact, Known, Reading};
use crate::domain::id::ObjectId;
use crate::domain::time::Instant;

/// The object's facts in an order of their own, each once. The commit that brought a fact first is kept.
pub(super) fn canonical(object: ObjectId, mut facts: Vec<Known>) -> Vec<Known> {
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

/// The instant by which a fact has its place in that order.
pub(super) fn instant_of(fact: &Fact) -> Instant {
    match fact {
        Fact::Seen(seen) => seen.reading.at,
        Fact::Removed(removed) => removed.reading.at,
        Fact::Changed(changed) => changed.at,
        Fact::Lifecycle(lifecycle) => lifecycle.at,
        _ => Instant::MIN,
    }
}
