//! Presence of one thing over time: what is proved, what is assumed, and the edges between.
//!
//! A track is built from pieces of evidence, each saying "present" or "absent". A *solid* piece holds at every instant
//! of its span; any other holds at *some* instant of it. Proof comes from solid pieces alone, so that what is proved
//! stays true whatever happened between readings. Periods and their edges are those of the simplest history that agrees
//! with all evidence.

use super::fact::Source;
use super::id::{ObjectId, Sequence};
use super::interval::{Edge, Interval, IntervalSet};
use super::time::Instant;

/// One thing that the evidence says about a presence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// Present or absent.
    pub present: bool,
    /// When.
    pub span: Interval,
    /// True at every instant of the span, not just at some.
    pub solid: bool,
    /// Where it comes from.
    pub origin: Origin,
}

/// The fact behind a piece of evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The commit that brought it.
    pub sequence: Sequence,
    /// Who said it.
    pub source: Source,
    /// When it was observed or happened.
    pub at: Instant,
    /// The audit event's id, where there is one.
    pub event: Option<String>,
    /// The other object whose hold of the name excludes this one's.
    pub rival: Option<ObjectId>,
}

/// How sure it is that something was present over an interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Confidence {
    /// Proved absent at every instant.
    Impossible,
    /// Absent at both ends as far as known; nothing says otherwise.
    Unlikely,
    /// It may have been.
    Possible,
    /// The same at both ends, or carried forward from the last evidence; nothing proves the time between.
    Assumed,
    /// Proved present at every instant.
    Certain,
}

/// One stretch of presence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Period {
    /// When it began.
    pub from: Edge,
    /// When it ended; `None` while nothing says that it did.
    pub until: Option<Edge>,
    /// What shows it, in order of time.
    pub evidence: Vec<Origin>,
}

/// A presence over time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track {
    held: IntervalSet,
    absent: IntervalSet,
    contested: IntervalSet,
    runs: Vec<Run>,
}

/// Consecutive evidence of one state, and the instants between which the state is known at both ends.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Run {
    present: bool,
    /// First instant at which the state is surely so.
    first: Instant,
    /// Last instant at which the state is surely so.
    last: Instant,
    evidence: Vec<Origin>,
}

#[derive(Clone, Copy)]
struct Item<'a> {
    present: bool,
    span: Interval,
    solid: bool,
    origin: Option<&'a Origin>,
}

impl Track {
    /// The track of this evidence, in any order and with any repetition.
    pub fn of(evidence: &[Evidence]) -> Self {
        let solid = |present| -> IntervalSet {
            evidence.iter().filter(|e| e.solid && e.present == present).map(|e| e.span).collect()
        };
        let (said_held, said_absent) = (solid(true), solid(false));
        let mut contested = said_held.and(&said_absent);
        // A reading that lies wholly inside the opposite proof contradicts it. Neither is believed there, both are kept. A
        // file from elsewhere may be stale or misdated, so it is not believed against a proof, and the proof stands.
        for reading in evidence.iter().filter(|e| !e.solid && e.origin.source != Source::Import) {
            let (own, opposite) = if reading.present { (&said_held, &said_absent) } else { (&said_absent, &said_held) };
            if opposite.covers(reading.span) && !own.meets(reading.span) {
                contested.insert(reading.span);
            }
        }
        let (held, absent) = match contested.is_empty() {
            true => (said_held, said_absent),
            false => (said_held.minus(&contested), said_absent.minus(&contested)),
        };
        let runs = runs_of(items_of(evidence, &held, &absent));
        Self { held, absent, contested, runs }
    }

    /// The instants at which presence is proved.
    pub fn held(&self) -> &IntervalSet {
        &self.held
    }

    /// The instants at which absence is proved.
    pub fn absent(&self) -> &IntervalSet {
        &self.absent
    }

    /// The instants about which facts contradict each other.
    pub fn contested(&self) -> &IntervalSet {
        &self.contested
    }

    /// How sure it is that presence lasted over all of the interval. `Impossible` means: at no instant of it.
    pub fn confidence(&self, interval: Interval) -> Confidence {
        if self.held.covers(interval) {
            return Confidence::Certain;
        }
        if self.absent.covers(interval) {
            return Confidence::Impossible;
        }
        let inside = |run: &Run, open_start: bool, open_end: bool| {
            (open_start || run.first <= interval.from()) && (open_end || interval.last() <= run.last)
        };
        let count = self.runs.len();
        let within = self.runs.iter().enumerate().find(|(index, run)| {
            // What was absent when first looked for is taken as absent before; presence is not carried backward.
            inside(run, *index == 0 && !run.present, index + 1 == count)
        });
        match within {
            Some((_, run)) if run.present => Confidence::Assumed,
            Some(_) => Confidence::Unlikely,
            None => Confidence::Possible,
        }
    }

    /// Whether the newest evidence says present, carried forward to now.
    pub fn is_present_last(&self) -> bool {
        self.runs.last().is_some_and(|run| run.present)
    }

    /// Whether anything ever showed it present.
    pub fn was_ever_present(&self) -> bool {
        self.runs.iter().any(|run| run.present)
    }

    /// The edge at which the newest state began.
    pub fn last_edge(&self) -> Option<Edge> {
        let (last, before) = self.runs.split_last()?;
        Some(Edge::new(before.last().map_or(Instant::MIN, |run| run.last), last.first))
    }

    /// The periods of presence, in order.
    pub fn periods(&self) -> Vec<Period> {
        self.runs
            .iter()
            .enumerate()
            .filter(|(_, run)| run.present)
            .map(|(index, run)| {
                let before = index.checked_sub(1).and_then(|previous| self.runs.get(previous));
                let after = self.runs.get(index + 1);
                Period {
                    from: Edge::new(before.map_or(Instant::MIN, |previous| previous.last), run.first),
                    until: after.map(|next| Edge::new(run.last, next.first)),
                    evidence: run.evidence.clone(),
                }
            })
            .collect()
    }

    /// The evidence of the newest state.
    pub fn last_evidence(&self) -> &[Origin] {
        self.runs.last().map_or(&[], |run| run.evidence.as_slice())
    }
}

impl Evidence {
    /// What this piece, about one object's hold of a name, says about any other object's hold in the same namespace:
    /// a name has one holder, so a hold excludes all others; an absence says nothing about them.
    pub fn as_rival(&self, holder: ObjectId) -> Option<Self> {
        self.present.then(|| Self {
            present: false,
            origin: Origin { rival: Some(holder), ..self.origin.clone() },
            ..self.clone()
        })
    }
}

/// The evidence in order of time, without readings that say nothing more.
fn items_of<'a>(evidence: &'a [Evidence], held: &IntervalSet, absent: &IntervalSet) -> Vec<Item<'a>> {
    let proof = |set: &IntervalSet, present| -> Vec<Item<'a>> {
        set.iter().map(|span| Item { present, span, solid: true, origin: None }).collect()
    };
    let mut items = proof(held, true);
    items.extend(proof(absent, false));
    let is_disproved =
        |e: &Evidence| e.origin.source == Source::Import && own_proof(!e.present, held, absent).covers(e.span);
    let readings =
        evidence.iter().filter(|e| !e.solid && !own_proof(e.present, held, absent).meets(e.span) && !is_disproved(e));
    items.extend(readings.map(|e| {
        // What is disproved at an end of the window did not happen there, so a wide reading has its place before, or behind.
        let span = own_proof(!e.present, held, absent).trim(e.span).unwrap_or(e.span);
        Item { present: e.present, span, solid: false, origin: Some(&e.origin) }
    }));
    let place = |item: &Item<'a>| (item.span.until(), item.span.from(), item.present, item.origin.map(origin_key));
    items.sort_by(|a, b| place(a).cmp(&place(b)));
    items.dedup_by(|a, b| a.present == b.present && a.span == b.span && a.solid == b.solid);
    let mut items = without_overridden(items);
    for present in [true, false] {
        attach_origins(&mut items, evidence, present);
    }
    items
}

fn own_proof<'a>(present: bool, held: &'a IntervalSet, absent: &'a IntervalSet) -> &'a IntervalSet {
    if present { held } else { absent }
}

fn origin_key(origin: &Origin) -> (Sequence, Instant, Source, Option<&str>) {
    (origin.sequence, origin.at, origin.source, origin.event.as_deref())
}

/// Gives each proved stretch of one state the first origin among the pieces that prove it.
fn attach_origins<'a>(items: &mut [Item<'a>], evidence: &'a [Evidence], present: bool) {
    let is_proof = |item: &Item<'a>| item.solid && item.present == present;
    // Proved stretches of one state lie apart, so in order of their ends they are in order of their starts too.
    let mut proofs: Vec<(Interval, Option<&'a Origin>)> =
        items.iter().filter(|item| is_proof(item)).map(|item| (item.span, None)).collect();
    for piece in evidence.iter().filter(|e| e.solid && e.present == present) {
        let start = proofs.partition_point(|(span, _)| span.until() <= piece.span.from());
        let met = proofs.iter_mut().skip(start).take_while(|(span, _)| span.from() < piece.span.until());
        for (_, first) in met {
            if first.is_none_or(|known| origin_key(&piece.origin) < origin_key(known)) {
                *first = Some(&piece.origin);
            }
        }
    }
    for (item, (_, first)) in items.iter_mut().filter(|item| is_proof(item)).zip(proofs) {
        item.origin = first;
    }
}

/// An exact reading inside a wider one overrides it: where a wide reading has a narrower one of the opposite state inside
/// its window and only repeats the state before that one, it was stale. Otherwise it is newer, and stays.
fn without_overridden(items: Vec<Item<'_>>) -> Vec<Item<'_>> {
    let mut kept: Vec<Item<'_>> = Vec::with_capacity(items.len());
    for item in items {
        // They stand in order of their ends, and what ends before this window begins does not lie inside it.
        let start = kept.partition_point(|k| k.span.until() <= item.span.from());
        let inner = (!item.solid)
            .then(|| {
                let inside =
                    |k: &Item<'_>| k.present != item.present && item.span.covers(k.span) && k.span != item.span;
                kept.iter().skip(start).rposition(inside).map(|index| start + index)
            })
            .flatten();
        let stale = inner.is_some_and(|index| {
            kept.iter().take(index).rev().find(|k| !item.span.covers(k.span)).is_some_and(|k| k.present == item.present)
        });
        if !stale {
            kept.push(item);
        }
    }
    kept
}

fn runs_of(items: Vec<Item<'_>>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for item in items {
        let (first, last) =
            if item.solid { (item.span.from(), item.span.last()) } else { (item.span.until(), item.span.from()) };
        match runs.last_mut() {
            Some(run) if run.present == item.present => {
                run.first = run.first.min(first);
                run.last = run.last.max(last);
                run.evidence.extend(item.origin.cloned());
            }
            _ => runs.push(Run {
                present: item.present,
                first,
                last,
                evidence: item.origin.into_iter().cloned().collect(),
            }),
        }
    }
    runs
}
