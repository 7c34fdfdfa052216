//! How long the delta feed proves each reading of an object unchanged, by what its other readings and events leave of that.

use super::coverage::Coverage;
use super::fact::{Fact, Feed, Known, Life, Lifecycle, Profile, Reading, Seen, Source};
use super::interval::Interval;
use super::time::Instant;

/// An object's readings, prepared once so that each finds in logarithmic time what the others make of it.
pub(super) struct Readings<'a> {
    /// Every reading, in order of time.
    bounds: Vec<Bound<'a>>,
    /// The delta feed's reports, in order of time.
    reports: Vec<Report<'a>>,
    /// When a source other than the feed found the object gone, or tells that it went, in order of time.
    losses: Vec<Instant>,
}

impl<'a> Readings<'a> {
    /// `facts` in their canonical order.
    pub(super) fn of(facts: &'a [Known]) -> Self {
        let said: Vec<Said<'a>> = facts.iter().filter_map(|known| Said::of(&known.fact)).collect();
        let mut bounds: Vec<Bound<'a>> = Vec::with_capacity(said.len());
        let mut reports: Vec<Report<'a>> = Vec::new();
        let mut losses = Vec::new();
        let (mut beside, mut instant) = (Limits::NONE, Instant::MIN);
        for one in &said {
            if one.at != instant {
                (beside, instant) = (Limits::NONE, one.at);
            }
            bounds.push(Bound { seen: one.seen, at: one.at, beside, after: Limits::NONE });
            beside = beside.and(one.limits);
            match one.reading.filter(|reading| reading.source == Source::Delta) {
                Some(reading) => {
                    let profile = one.seen.map(|seen| &seen.profile);
                    let before = reports.last().filter(|before| profile.is_some() && before.profile == profile);
                    let same_from = before.map_or(reports.len(), |before| before.same_from);
                    let (from, until) = (reading.window().from(), reading.window().until());
                    reports.push(Report { at: reading.at, from, until, profile, same_from });
                }
                None if one.is_loss => losses.push(one.at),
                None => {}
            }
        }
        let mut after = Limits::NONE;
        for (bound, one) in bounds.iter_mut().zip(&said).rev() {
            bound.after = after;
            after = after.and(one.limits);
        }
        Self { bounds, reports, losses }
    }

    /// How long after a reading the delta feed proves the profile unchanged: from the reading's end through the horizon
    /// before the object's next report, within one unbroken stretch.
    pub(super) fn continuity(&self, seen: &Seen, coverage: &Coverage) -> Option<Interval> {
        if seen.reading.source == Source::Import {
            return None;
        }
        let window = seen.reading.window();
        let stretch = coverage.stretch_from(Feed::Delta, window.from())?;
        if seen.reading.source != Source::Delta && !self.is_followed(seen.reading.at, stretch.from) {
            return None;
        }
        let limits = self.limits(seen)?;
        if limits.anew.is_some_and(|anew| stretch.through >= anew) || self.is_unordered(seen, window) {
            return None;
        }
        // A report may show its object as it was before a loss within the report's own window. If the object came back
        // unannounced, the feed has nothing more to say about it.
        if seen.reading.source == Source::Delta && self.is_lost(window.from(), seen.reading.at) {
            return None;
        }
        Interval::closed(window.until(), stretch.through.min(limits.through))
    }

    /// The bounds that all other readings of this one's instant or later set.
    fn limits(&self, seen: &Seen) -> Option<Limits> {
        let start = self.bounds.partition_point(|bound| bound.at < seen.reading.at);
        let is_own = |bound: &&Bound<'_>| bound.seen.is_some_and(|other| std::ptr::eq(other, seen));
        self.bounds.iter().skip(start).find(is_own).map(|own| own.beside.and(own.after))
    }

    /// Whether the feed, since it began, had last reported the object live by then, and nobody has found it gone since. One
    /// that it has not shown, or has shown as gone, may live and be deleted without a word: a life between two rounds leaves
    /// no trace in the feed.
    ///
    /// A feed that is started anew begins a lag before its first page. A report of the one before it may be dated within that
    /// lag, but its window then reaches back to before the beginning.
    fn is_followed(&self, at: Instant, began: Instant) -> bool {
        let count = self.reports.partition_point(|report| report.at <= at);
        let last = count.checked_sub(1).and_then(|last| self.reports.get(last));
        last.is_some_and(|report| report.from >= began && report.profile.is_some() && !self.is_lost(report.from, at))
    }

    /// Whether a source other than the feed found the object gone, or tells that it went, at some instant from `from`
    /// through `at`.
    fn is_lost(&self, from: Instant, at: Instant) -> bool {
        let next = self.losses.partition_point(|loss| *loss < from);
        self.losses.get(next).is_some_and(|loss| *loss <= at)
    }

    /// Whether an earlier report of another state has a window that reaches into this reading's, so that it is unknown
    /// which of the two states came last.
    fn is_unordered(&self, seen: &Seen, window: Interval) -> bool {
        let start = self.reports.partition_point(|report| report.until <= window.from());
        let end = self.reports.partition_point(|report| report.at < seen.reading.at);
        let last = end.checked_sub(1).filter(|last| start <= *last).and_then(|last| self.reports.get(last));
        last.is_some_and(|report| report.profile != Some(&seen.profile) || report.same_from > start)
    }
}

/// What the readings beside and after one reading set as bounds.
struct Bound<'a> {
    seen: Option<&'a Seen>,
    at: Instant,
    /// By the readings of the same instant that stand before this one.
    beside: Limits,
    /// By all readings and events that stand after this one.
    after: Limits,
}

/// Until when earlier readings may prove something.
#[derive(Clone, Copy)]
struct Limits {
    /// Through here at most.
    through: Instant,
    /// Not at all, if their stretch reaches here.
    anew: Option<Instant>,
}

/// A reading of the object, or an event that tells of a change or of its end.
struct Said<'a> {
    at: Instant,
    reading: Option<&'a Reading>,
    seen: Option<&'a Seen>,
    /// The object was found gone, or went.
    is_loss: bool,
    /// Until when it lets earlier readings prove something.
    limits: Limits,
}

/// A report of the delta feed.
struct Report<'a> {
    at: Instant,
    from: Instant,
    until: Instant,
    /// `None` if it reports the object gone.
    profile: Option<&'a Profile>,
    /// The place of the first report since which all were the same.
    same_from: usize,
}

impl Limits {
    const NONE: Self = Self { through: Instant::MAX, anew: None };

    fn of(reading: &Reading, is_loss: bool) -> Self {
        let mut limits = Self::NONE;
        if is_loss {
            // Nothing but a new reading proves anything about an object once it was found deleted.
            limits.through = reading.window().from();
        }
        if reading.source == Source::Delta {
            match reading.unchanged_since {
                Some(unchanged) => limits.through = limits.through.min(unchanged),
                // A first round reports everything, changed or not, so within its own stretch it leaves nothing proved
                // before it. A stretch that ended earlier keeps its proof: its horizon lies before such a report's window.
                None => limits.anew = Some(reading.window().from()),
            }
        }
        limits
    }

    fn and(self, other: Self) -> Self {
        let anew = match (self.anew, other.anew) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        Self { through: self.through.min(other.through), anew }
    }
}

impl<'a> Said<'a> {
    fn of(fact: &'a Fact) -> Option<Self> {
        // A file from elsewhere takes nothing from what the feed proves by itself.
        let of = |reading: &'a Reading, seen: Option<&'a Seen>| {
            let is_loss = seen.is_none() && reading.source != Source::Import;
            Self { at: reading.at, reading: Some(reading), seen, is_loss, limits: Limits::of(reading, is_loss) }
        };
        match fact {
            Fact::Seen(seen) => Some(of(&seen.reading, Some(seen))),
            Fact::Removed(removed) => Some(of(&removed.reading, None)),
            Fact::Lifecycle(Lifecycle { at, life: Life::Deleted | Life::Purged, .. }) => {
                let limits = Limits { through: at.pred(), anew: None };
                Some(Self { at: *at, reading: None, seen: None, is_loss: true, limits })
            }
            // The feed reports what changed, and nothing before that is then proved beyond it. Where it did not, as of somebody who came
            // back to what he was called before, the event is all that tells of it.
            Fact::Changed(changed) if changed.old.is_none() || changed.old != changed.new => {
                let limits = Limits { through: changed.at.pred(), anew: None };
                Some(Self { at: changed.at, reading: None, seen: None, is_loss: false, limits })
            }
            _ => None,
        }
    }
}
