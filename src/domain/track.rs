//! Presence of one thing over time: what is proved, what is assumed, and the edges between.
//!
//! A track is built from pieces of evidence, each saying "present" or "absent". A *solid* piece holds at every instant
//! of its span; any other holds at *some* instant of it. Proof comes from solid pieces alone, so that what is proved
//! stays true whatever happened between readings. Periods and their edges are those of the simplest history that agrees
//! with all evidence.

use std::collections::BTreeMap;

use super::fact::Source;
use super::id::{ObjectId, Sequence};
use super::interval::{Edge, Interval, IntervalSet};
use super::reports::Reports;
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
    /// The horizon before the round that reported it. Of two reports of one second the one with the later horizon is newer.
    pub since: Option<Instant>,
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
    /// Last instant at which the state before it is surely so.
    after: Instant,
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
    /// The delta feed's report just before it said the opposite, so the feed itself tells that the state changed.
    is_change: bool,
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
        let runs = runs_of(&items_of(evidence, &held, &absent));
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
        self.runs.last().map(Run::began)
    }

    /// The periods of presence, in order.
    pub fn periods(&self) -> Vec<Period> {
        let nexts = self.runs.iter().skip(1).map(Some).chain([None]);
        let runs = self.runs.iter().zip(nexts).filter(|(run, _)| run.present);
        runs.map(|(run, next)| Period {
            from: run.began(),
            until: next.map(Run::began),
            evidence: run.evidence.clone(),
        })
        .collect()
    }

    /// The evidence of the newest state.
    pub fn last_evidence(&self) -> &[Origin] {
        self.runs.last().map_or(&[], |run| run.evidence.as_slice())
    }
}

impl Run {
    fn began(&self) -> Edge {
        Edge::new(self.after, self.first)
    }
}

impl Item<'_> {
    /// By here its state has surely begun.
    fn first(&self) -> Instant {
        if self.solid { self.span.from() } else { self.span.until() }
    }

    /// Until here its state has surely lasted, once it had begun.
    fn last(&self) -> Instant {
        if self.solid { self.span.last() } else { self.span.from() }
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
        set.iter().map(|span| Item { present, span, solid: true, is_change: false, origin: None }).collect()
    };
    let mut items = proof(held, true);
    items.extend(proof(absent, false));
    let is_disproved =
        |e: &Evidence| e.origin.source == Source::Import && own_proof(!e.present, held, absent).covers(e.span);
    let reports = Reports::of(evidence, held, absent);
    let readings = evidence.iter().filter(|e| !e.solid && !is_disproved(e)).map(|e| (e, reports.change(e)));
    // A proof of the same state says all that a reading says, unless the feed reported the opposite after that proof.
    let (proved, open): (Vec<_>, Vec<_>) = readings.partition(|(e, change)| {
        let said = Interval::new(e.span.from().max(change.unwrap_or(Instant::MIN)), e.span.until()).unwrap_or(e.span);
        own_proof(e.present, held, absent).meets(said)
    });
    let (still_held, still_absent) = (Later::of(&proved, true, held), Later::of(&proved, false, absent));
    items.extend(open.into_iter().map(|(e, change)| {
        let (opposite, still) = if e.present { (absent, &still_absent) } else { (held, &still_held) };
        // What is disproved at an end of the window did not happen there, so a wide reading has its place before, or behind.
        let mut span = opposite.trim(e.span).unwrap_or(e.span);
        if change.is_none() {
            span = still.trim(e, span, opposite).unwrap_or(span);
        }
        Item { present: e.present, span, solid: false, is_change: change.is_some(), origin: Some(&e.origin) }
    }));
    // Where windows are alike the sources tell the order: what trails least is newest, and then the later round's report.
    let age = |item: &Item<'a>| item.origin.map(|origin| (origin.source, origin.since));
    let place = |item: &Item<'a>| (item.span.until(), item.span.from(), age(item), item.present);
    let key = |item: &Item<'a>| (place(item), item.origin.map(origin_key));
    items.sort_by(|a, b| key(a).cmp(&key(b)));
    items.dedup_by(|later, item| {
        let is_same = later.present == item.present && later.span == item.span && later.solid == item.solid;
        item.is_change |= is_same && later.is_change;
        is_same
    });
    let mut items = without_overridden(items);
    for present in [true, false] {
        attach_origins(&mut items, evidence, present);
    }
    items
}

/// Under the beginning of each proof of one state, how new the newest reading is that shows that the state lasted.
struct Later(BTreeMap<Instant, Age>);

/// How new a reading is: the end of its window, and among equal ones its source.
type Age = (Instant, Source);

impl Later {
    /// Of the readings that say nothing more than a proof does, those that began while it held. A wider one may be about a time
    /// before it, and a file from elsewhere is no witness.
    fn of(proved: &[(&Evidence, Option<Instant>)], present: bool, proofs: &IntervalSet) -> Self {
        let mut newest: BTreeMap<Instant, Age> = BTreeMap::new();
        let alike = proved.iter().filter(|(e, _)| e.present == present && e.origin.source != Source::Import);
        for (proof, age) in alike.filter_map(|(e, _)| Some((proofs.part_at(e.span.from())?, age(e)))) {
            newest.entry(proof.from()).and_modify(|known| *known = age.max(*known)).or_insert(age);
        }
        Self(newest)
    }

    /// What is left of a window before the last proof of the opposite in it, if a newer reading shows that the proved state
    /// lasted: every answer trails, so a proof always ends before the readings that it was made of.
    fn trim(&self, reading: &Evidence, span: Interval, opposite: &IntervalSet) -> Option<Interval> {
        let proof = opposite.part_ending_in(span)?;
        let is_newer = self.0.get(&proof.from()).is_some_and(|newest| *newest > age(reading));
        if is_newer { Interval::new(span.from(), proof.from()) } else { None }
    }
}

fn age(reading: &Evidence) -> Age {
    (reading.span.until(), reading.origin.source)
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
/// its window and only repeats the state before that one, it was stale. Otherwise it is newer, and stays; so does what the
/// feed reports after having reported the opposite, because by then it knew what the exact one says. Two that begin
/// together, as what was created just before them makes them, are as wide, and the one that ends later is newer. Of two that end
/// together the narrower one stands behind. Where a third one says behind it what the wider one says, the wider one may be as
/// new as that, and says nothing of the time before.
fn without_overridden(items: Vec<Item<'_>>) -> Vec<Item<'_>> {
    let mut kept: Vec<Item<'_>> = Vec::with_capacity(items.len());
    let mut rest = items.into_iter();
    while let Some(item) = rest.next() {
        let is_opposite = |next: &&Item<'_>| next.present != item.present && item.span.from() < next.span.from();
        let mut together = rest.as_slice().iter().take_while(|next| next.span.until() == item.span.until());
        let repeats = kept.last().is_some_and(|before| before.present) == item.present;
        if !item.solid && repeats && together.find(is_opposite).is_some() && together.any(|next| !is_opposite(&next)) {
            continue;
        }
        let is_inside = |k: &Item<'_>| item.span.covers(k.span) && item.span.from() < k.span.from();
        // They stand in order of their ends, and what ends before this window begins does not lie inside it.
        let start = kept.partition_point(|k| k.span.until() <= item.span.from());
        let inner = (!item.solid && !item.is_change)
            .then(|| {
                let inside = |k: &Item<'_>| k.present != item.present && is_inside(k);
                kept.iter().skip(start).rposition(inside).map(|index| start + index)
            })
            .flatten();
        let stale = inner.is_some_and(|index| {
            kept.iter().take(index).rev().find(|k| !is_inside(k)).is_some_and(|k| k.present == item.present)
        });
        if !stale {
            kept.push(item);
        }
    }
    kept
}

/// Consecutive items of one state as runs.
fn runs_of(items: &[Item<'_>]) -> Vec<Run> {
    let stretches: Vec<&[Item<'_>]> = items.chunk_by(|a, b| a.present == b.present).collect();
    let before = std::iter::once(None).chain(stretches.iter().map(Some));
    let is_last = (1..=stretches.len()).map(|count| count == stretches.len());
    let runs = stretches.iter().zip(before).zip(is_last).filter_map(|((stretch, before), is_last)| {
        let (first, last) = (stretch.iter().map(Item::first).min()?, stretch.iter().map(Item::last).max()?);
        // Readings so wide that evidence of the opposite lies inside of all of them stand behind it, as the newer ones. If
        // the opposite follows as well they may just as simply lie before it, so the edge reaches back over it.
        let is_before = |item: &&Item<'_>| is_last || item.last() <= last;
        let after = before.and_then(|before| before.iter().filter(is_before).map(Item::last).max());
        let evidence = stretch.iter().filter_map(|item| item.origin.cloned()).collect();
        Some(Run { present: stretch.first()?.present, after: after.unwrap_or(Instant::MIN), first, last, evidence })
    });
    runs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stretch of time in minutes, at every instant (`solid`) or at some instant of which it was so.
    fn said(present: bool, from: i64, until: i64, solid: bool) -> Evidence {
        let (sequence, source, at) = (Sequence(1), Source::Reconcile, minute(until));
        let origin = Origin { sequence, source, at, since: None, event: None, rival: None };
        Evidence { present, span: Interval::new(minute(from), minute(until)).unwrap(), solid, origin }
    }

    fn proved(present: bool, from: i64, until: i64) -> Evidence {
        said(present, from, until, true)
    }

    fn read(present: bool, from: i64, until: i64) -> Evidence {
        said(present, from, until, false)
    }

    fn minute(minute: i64) -> Instant {
        Instant::from_micros(minute * 60_000_000)
    }

    fn last_before(at: i64) -> Instant {
        minute(at).pred()
    }

    /// The periods in the order in which they were: no edge begins or ends before the one before it.
    fn edges(evidence: &[Evidence]) -> Vec<(Edge, Option<Edge>)> {
        let periods = Track::of(evidence).periods();
        let edges: Vec<Edge> = periods.iter().flat_map(|period| [Some(period.from), period.until]).flatten().collect();
        let is_in_order = |pair: &[Edge]| pair[0].after() <= pair[1].after() && pair[0].by() <= pair[1].by();
        assert!(edges.windows(2).all(is_in_order), "{edges:?}");
        periods.into_iter().map(|period| (period.from, period.until)).collect()
    }

    /// A round that was struck and gone on with much later shows a user who was deleted meanwhile; the bin, looked at after
    /// the round, tells when.
    #[test]
    fn a_wide_reading_lies_before_the_deletion_that_is_proved_through_its_end() {
        let evidence = [proved(false, -9_000, 0), read(true, 60, 160), proved(false, 103, 200), read(false, 200, 206)];
        let held = (Edge::new(last_before(0), minute(103)), Some(Edge::new(minute(60), minute(103))));
        assert_eq!(edges(&evidence), [held]);
    }

    /// Nobody had the name, says a wide reading; then somebody is proved to have it, through the end of its window.
    #[test]
    fn a_wide_reading_of_absence_lies_before_the_return_that_is_proved_through_its_end() {
        let evidence = [read(true, 0, 6), read(false, 60, 160), proved(true, 103, 200)];
        let before = (Edge::new(Instant::MIN, minute(6)), Some(Edge::new(minute(0), minute(103))));
        assert_eq!(edges(&evidence), [before, (Edge::new(minute(60), minute(103)), None)]);
    }

    #[test]
    fn a_wide_reading_of_absence_lies_behind_the_hold_that_is_proved_from_its_beginning() {
        let evidence = [proved(true, 0, 103), read(false, 60, 160), read(true, 200, 206)];
        let before = (Edge::new(Instant::MIN, minute(0)), Some(Edge::new(last_before(103), minute(160))));
        assert_eq!(edges(&evidence), [before, (Edge::new(minute(103), minute(206)), None)]);
    }

    /// The audit log tells of the deletion and the bin of its second, so for less than a second behind the event nothing is
    /// proved. The reading may be from there, and is much more likely from before.
    #[test]
    fn an_edge_reaches_over_a_proof_inside_of_a_wide_reading_if_nothing_tells_their_order() {
        let mut evidence = vec![proved(false, -9_000, 0), read(true, 60, 160), proved(false, 103, 104)];
        let newer = (Edge::new(last_before(104), minute(160)), None);
        assert_eq!(edges(&evidence), [newer], "as far as known it came back");
        evidence.push(proved(false, 105, 200));
        let either = (Edge::new(last_before(0), minute(105)), Some(Edge::new(minute(60), minute(105))));
        assert_eq!(edges(&evidence), [either]);
        evidence.push(read(true, 104, 105));
        let again = (Edge::new(last_before(104), minute(105)), Some(Edge::new(minute(104), minute(105))));
        assert_eq!(edges(&evidence), [again], "a reading from there tells the order");
    }

    /// The same where a first enumeration is gone on with: a page shows who was there when it began, and another one, read
    /// before it, who is in the bin by now.
    #[test]
    fn an_edge_reaches_over_a_reading_inside_of_a_wide_one_if_nothing_tells_their_order() {
        let evidence = [proved(true, -9_000, 0), read(false, 60, 160), read(true, 103, 108), read(true, 155, 161)];
        let before = (Edge::new(Instant::MIN, minute(-9_000)), Some(Edge::new(last_before(0), minute(160))));
        assert_eq!(edges(&evidence), [before, (Edge::new(minute(60), minute(161)), None)]);
    }

    /// Two rounds that follow each other within a second date what they show alike.
    #[test]
    fn of_two_reports_of_one_second_the_later_round_s_is_the_newer() {
        for newer in [true, false] {
            let report = |present, since| {
                let reading = read(present, 60, 66);
                Evidence { origin: Origin { since: Some(minute(since)), ..reading.origin }, ..reading }
            };
            let mut evidence = [report(newer, 59), report(!newer, 58)];
            for _ in 0..2 {
                assert_eq!(Track::of(&evidence).is_present_last(), newer);
                evidence.reverse();
            }
        }
    }

    /// An exact reading, or a proof, of absence lies inside the window of what the feed reports next. A report of presence is as
    /// old as the one before it if that said the same, and newer than the absence if the feed had reported the absence.
    #[test]
    fn what_the_feed_reports_after_the_opposite_is_newer_than_that() {
        let report = |present, at| {
            let reading = read(present, at - 5, at);
            Evidence { origin: Origin { source: Source::Delta, ..reading.origin }, ..reading }
        };
        for absence in [proved(false, 101, 102), read(false, 101, 103)] {
            let stale = [report(true, 99), absence.clone(), report(true, 104)];
            assert!(!Track::of(&stale).is_present_last());
            let back = [report(true, 99), report(false, 103), absence.clone(), report(true, 104)];
            assert!(Track::of(&back).is_present_last());
        }
        // A proof of presence lies in the last window too, and before the absence that the feed reported in between.
        let around = [proved(true, 99, 100), proved(false, 101, 102)];
        let reports = [report(true, 99), report(false, 103), report(true, 104)];
        assert!(Track::of(&[&around[..], &reports].concat()).is_present_last());
        // What another object's hold excludes is no report about this one.
        let rival = Origin { rival: Some(ObjectId::from_bytes([1; 16])), ..report(false, 103).origin };
        let of_another = Evidence { origin: rival, ..report(false, 103) };
        assert!(
            !Track::of(&[report(true, 99), of_another, proved(false, 101, 102), report(true, 104)]).is_present_last()
        );
    }

    /// Restored, with the instant from the audit log; the feed shows it, and then that it has another name. The proof that the name
    /// was not there just before the return lies in the windows of both reports, and before the first of them.
    #[test]
    fn what_the_feed_reports_after_a_return_is_not_what_was_proved_before_it() {
        let report = |present, at| {
            let reading = read(present, at - 5, at);
            Evidence { origin: Origin { source: Source::Delta, ..reading.origin }, ..reading }
        };
        let gone = [report(true, 0), report(false, 10), proved(false, 8, 90), proved(false, 98, 99)];
        let evidence = [&gone[..], &[report(true, 100), report(false, 101)]].concat();
        let again = (Edge::new(last_before(90), minute(100)), Some(Edge::new(minute(95), minute(101))));
        assert_eq!(edges(&evidence)[1..], [again]);
    }

    /// A first enumeration that was struck is gone on with hours later and shows, as it was when it began, somebody who is in the bin
    /// by then. The bin, read in the same minute, trails as far as any answer, so its proof ends before the page was read.
    #[test]
    fn a_wide_reading_lies_before_the_deletion_that_a_newer_reading_shows_unchanged() {
        let page = read(true, 20, 566);
        let page = Evidence { origin: Origin { source: Source::Delta, ..page.origin }, ..page };
        let evidence = [proved(false, -9_000, 0), page, proved(false, 275, 561), read(false, 560, 566)];
        let held = (Edge::new(last_before(0), minute(275)), Some(Edge::new(minute(20), minute(275))));
        assert_eq!(edges(&evidence), [held]);
    }

    /// Deleted in the second in which the feed was read: its report that they are gone, and the bin's word of the name that they
    /// had just before, end together.
    #[test]
    fn a_wide_reading_tells_nothing_of_the_time_before_a_narrow_one_that_ends_with_it() {
        let gone = [read(false, 60, 106), read(true, 103, 106), read(false, 104, 106)];
        let held = |after| (Edge::new(after, minute(106)), Some(Edge::new(minute(103), minute(106))));
        assert_eq!(edges(&gone), [held(Instant::MIN)]);
        assert_eq!(edges(&[&[read(false, -10, 0)], &gone[..]].concat()), [held(minute(-10))]);
    }

    /// The bin tells the name that somebody had within the second of the deletion: that is all there is between the last proof and
    /// the first, and makes the end of the name as sharp as it is.
    #[test]
    fn the_last_word_of_a_name_keeps_the_end_of_it_sharp() {
        let gone = [proved(true, -100, 0), read(true, 103, 106), read(false, 104, 106), proved(false, 106, 200)];
        let held = (Edge::new(last_before(-100), minute(-100)), Some(Edge::new(minute(103), minute(106))));
        assert_eq!(edges(&gone)[0].1, held.1);
        let evidence = [read(true, 62, 105), read(true, 60, 106), read(false, 103, 106), read(true, 61, 110)];
        assert!(!Track::of(&evidence).is_present_last());
    }

    /// Deleted and restored, with the instants from the audit log, while the feed trails: its report from before the restore lies
    /// before it, and the exact live read is newer than what the feed shows behind that.
    #[test]
    fn a_report_that_a_proof_contradicts_moves_nothing_behind_a_live_read() {
        let by = |source, present, from, until| {
            let reading = read(present, from, until);
            Evidence { origin: Origin { source, ..reading.origin }, ..reading }
        };
        for held in [true, false] {
            let evidence = [
                proved(held, 0, 94),
                by(Source::Delta, held, 95, 105),
                proved(!held, 96, 100),
                by(Source::Live, held, 104, 106),
                by(Source::Delta, !held, 97, 107),
            ];
            assert_eq!(Track::of(&evidence).is_present_last(), held);
        }
    }

    /// What shows that a proof lasted must have begun while it held: not a file from elsewhere that says so of a whole day, nor a
    /// page as wide as the one that is to be placed.
    #[test]
    fn a_wide_reading_is_not_placed_by_one_as_wide() {
        let by = |source, present, from, until| {
            let reading = read(present, from, until);
            Evidence { origin: Origin { source, ..reading.origin }, ..reading }
        };
        let known = [proved(false, -9_000, 0), by(Source::Delta, true, 20, 566), proved(false, 275, 400)];
        for other in [by(Source::Import, false, 1, 1_441), by(Source::Import, false, 300, 1_741), read(false, 1, 600)] {
            let track = Track::of(&[&known[..], &[other]].concat());
            assert_eq!(track.last_edge().map(Edge::by), Some(Some(minute(566))));
        }
    }

    /// The feed shows somebody who was created half a minute ago, and a live read of the same second does not: so both can be
    /// about that half a minute only, and the live read trails less.
    #[test]
    fn a_live_read_is_newer_than_a_report_of_the_same_window() {
        let by = |present, source, since| {
            let reading = read(present, 60, 66);
            Evidence { origin: Origin { source, since, ..reading.origin }, ..reading }
        };
        for present in [true, false] {
            let evidence = [by(present, Source::Live, None), by(!present, Source::Delta, Some(minute(58)))];
            assert_eq!(Track::of(&evidence).is_present_last(), present);
        }
    }

    /// Where a proof is contradicted it disproves nothing, so the reading may be about an instant there.
    #[test]
    fn a_contested_proof_takes_nothing_from_a_window() {
        let track = Track::of(&[read(true, 60, 160), proved(false, 103, 200), proved(true, 150, 170)]);
        assert_eq!(track.contested().iter().collect::<Vec<_>>(), [Interval::new(minute(150), minute(170)).unwrap()]);
        assert_eq!(track.periods()[0].from.by(), Some(minute(160)));
    }

    /// A file from elsewhere is not believed where a proof says otherwise, and may be right beside it.
    #[test]
    fn an_import_is_believed_where_no_proof_says_otherwise() {
        let import = |from, until| {
            let reading = read(true, from, until);
            Evidence { origin: Origin { source: Source::Import, ..reading.origin }, ..reading }
        };
        let proof = proved(false, 103, 200);
        let held = (Edge::new(Instant::MIN, minute(103)), Some(Edge::new(minute(60), minute(103))));
        assert_eq!(edges(&[import(60, 160), proof.clone()]), [held]);
        assert_eq!(edges(&[import(110, 160), proof]), []);
    }
}
