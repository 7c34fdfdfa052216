//! The order in which the delta feed reported the states of one presence.
//!
//! Each report of the feed is newer than the one before it, however far both trail behind the directory. That tells apart what
//! their windows, which overlap for minutes, do not.

use super::fact::Source;
use super::interval::{Interval, IntervalSet};
use super::time::Instant;
use super::track::Evidence;

/// What the feed reported, in its own order.
pub(super) struct Reports(Vec<(Place, Change)>);

/// The place of a report in the feed: when it was read, and the horizon before its round.
type Place = (Instant, Option<Instant>);

/// What a report is to the one before it, if that said the opposite.
type Change = Option<After>;

/// From when on the state is looked for that a changed report shows: where the one before it has its place in the simplest
/// history.
pub(super) type After = Instant;

impl Reports {
    /// The reports among the evidence, where this much is proved.
    pub(super) fn of(evidence: &[Evidence], held: &IntervalSet, absent: &IntervalSet) -> Self {
        let mut said: Vec<(Place, &Evidence)> = evidence.iter().filter_map(|e| Some((place(e)?, e))).collect();
        said.sort_by_key(|(place, e)| (*place, e.span.from(), e.span.until()));
        let mut reports = Vec::new();
        let (mut after, mut last) = (Instant::MIN, None);
        for one in said.chunk_by(|a, b| a.0 == b.0) {
            let Some((place, first)) = one.first() else { continue };
            // What says both at once tells no order.
            let is_clear = one.iter().all(|(_, other)| other.present == first.present);
            let is_change = is_clear && last == Some(!first.present);
            reports.push((*place, is_change.then_some(after)));
            if is_clear {
                let from = after.max(first.span.from());
                let (proofs, opposite) = if first.present { (held, absent) } else { (absent, held) };
                let rest = Interval::new(from, first.span.until());
                // The first proof that it can stand for is the one that it stands for. Where there is none, a change stands behind
                // what proves the opposite within its window, as it does in the order of all evidence.
                let shown = rest.and_then(|rest| proofs.first_in(rest));
                let behind = || rest.filter(|_| is_change).and_then(|rest| opposite.part_ending_in(rest));
                after = shown.or_else(|| behind().map(Interval::until)).unwrap_or(from);
                last = Some(first.present);
            }
        }
        Self(reports)
    }

    /// What this piece of evidence is to the report before it.
    pub(super) fn change(&self, evidence: &Evidence) -> Change {
        let place = place(evidence)?;
        let index = self.0.binary_search_by_key(&place, |(place, _)| *place).ok()?;
        self.0.get(index).and_then(|(_, change)| *change)
    }
}

fn place(evidence: &Evidence) -> Option<Place> {
    let origin = &evidence.origin;
    let is_report = !evidence.solid && origin.source == Source::Delta && origin.rival.is_none();
    is_report.then_some((origin.at, origin.since))
}
