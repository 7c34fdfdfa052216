//! Half-open intervals of time, sets of them, and edges.

use super::time::Instant;

/// Instants from `from` up to, not including, `until`. Never empty. `Instant::MIN` and `MAX` mean "unbounded".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Interval {
    from: Instant,
    until: Instant,
}

impl Interval {
    /// The interval `[from, until)`, or `None` if it would be empty.
    pub fn new(from: Instant, until: Instant) -> Option<Self> {
        (from < until).then_some(Self { from, until })
    }

    /// The interval `[first, last]`, both included, or `None` if it would be empty.
    pub fn closed(first: Instant, last: Instant) -> Option<Self> {
        Self::new(first, last.succ())
    }

    /// First instant inside.
    pub fn from(self) -> Instant {
        self.from
    }

    /// First instant after it.
    pub fn until(self) -> Instant {
        self.until
    }

    /// Last instant inside.
    pub fn last(self) -> Instant {
        self.until.pred()
    }

    /// Whether the instant lies inside.
    pub fn contains(self, at: Instant) -> bool {
        self.from <= at && at < self.until
    }

    /// Whether all of `other` lies inside.
    pub fn covers(self, other: Self) -> bool {
        self.from <= other.from && other.until <= self.until
    }

    /// Whether the two share an instant.
    pub fn meets(self, other: Self) -> bool {
        self.from < other.until && other.from < self.until
    }
}

/// A set of instants as sorted, disjoint, non-touching intervals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IntervalSet(Vec<Interval>);

impl IntervalSet {
    /// The empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether it holds no instant.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The parts, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Interval> + '_ {
        self.0.iter().copied()
    }

    /// Adds an interval; parts that touch become one.
    pub fn insert(&mut self, new: Interval) {
        let start = self.0.partition_point(|part| part.until < new.from);
        let end = self.0.partition_point(|part| part.from <= new.until);
        let merged = self
            .0
            .drain(start..end)
            .fold(new, |sum, part| Interval { from: sum.from.min(part.from), until: sum.until.max(part.until) });
        self.0.insert(start, merged);
        debug_assert!(self.is_sound());
    }

    /// Adds all of another set.
    pub fn extend(&mut self, other: &Self) {
        for part in other.iter() {
            self.insert(part);
        }
    }

    /// Takes an interval away.
    pub fn remove(&mut self, gone: Interval) {
        let parts = std::mem::take(&mut self.0);
        for part in parts {
            if !part.meets(gone) {
                self.0.push(part);
                continue;
            }
            self.0.extend(Interval::new(part.from, gone.from.min(part.until)));
            self.0.extend(Interval::new(gone.until.max(part.from), part.until));
        }
        debug_assert!(self.is_sound());
    }

    /// The first instant of an interval that is in this set.
    pub fn first_in(&self, interval: Interval) -> Option<Instant> {
        let next = self.0.partition_point(|part| part.until <= interval.from);
        let part = self.0.get(next).filter(|part| part.meets(interval))?;
        Some(part.from.max(interval.from))
    }

    /// The last part of this set that ends within an interval, with more of the interval behind it.
    pub fn part_ending_in(&self, interval: Interval) -> Option<Interval> {
        let next = self.0.partition_point(|part| part.until < interval.until);
        self.0.get(next.checked_sub(1)?).copied().filter(|part| part.until > interval.from)
    }

    /// What is left of an interval between the parts of this set that cover its ends; `None` if that is nothing.
    pub fn trim(&self, interval: Interval) -> Option<Interval> {
        let from = self.part_at(interval.from).map_or(interval.from, |part| part.until);
        let until = self.part_at(interval.last()).map_or(interval.until, |part| part.from);
        Interval::new(from, until)
    }

    /// The instants of this set that are not in the other.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        let mut rest = Vec::with_capacity(self.0.len());
        let mut gone = other.0.iter().peekable();
        for part in &self.0 {
            let mut from = part.from;
            while gone.next_if(|gone| gone.until <= from).is_some() {}
            while let Some(hole) = gone.peek().filter(|gone| gone.from < part.until) {
                rest.extend(Interval::new(from, hole.from));
                from = hole.until;
                // A hole that reaches beyond this part may begin the next one too.
                if hole.until > part.until {
                    break;
                }
                gone.next();
            }
            rest.extend(Interval::new(from, part.until));
        }
        let rest = Self(rest);
        debug_assert!(rest.is_sound());
        rest
    }

    /// The instants in both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let mut both = Vec::new();
        let (mut left, mut right) = (self.0.iter().peekable(), other.0.iter().peekable());
        while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
            both.extend(Interval::new(a.from.max(b.from), a.until.min(b.until)));
            if a.until <= b.until {
                left.next();
            } else {
                right.next();
            }
        }
        let both = Self(both);
        debug_assert!(both.is_sound());
        both
    }

    /// Whether the instant is in the set.
    pub fn contains(&self, at: Instant) -> bool {
        self.part_at(at).is_some()
    }

    /// Whether all of the interval is in the set.
    pub fn covers(&self, interval: Interval) -> bool {
        let next = self.0.partition_point(|part| part.until <= interval.from);
        self.0.get(next).is_some_and(|part| part.covers(interval))
    }

    /// Whether some instant of the interval is in the set.
    pub fn meets(&self, interval: Interval) -> bool {
        let next = self.0.partition_point(|part| part.until <= interval.from);
        self.0.get(next).is_some_and(|part| part.meets(interval))
    }

    /// The part that an instant lies in.
    pub fn part_at(&self, at: Instant) -> Option<Interval> {
        let next = self.0.partition_point(|part| part.until <= at);
        self.0.get(next).copied().filter(|part| part.contains(at))
    }

    fn is_sound(&self) -> bool {
        self.0.iter().all(|part| part.from < part.until)
            && self.0.iter().zip(self.0.iter().skip(1)).all(|(a, b)| a.until < b.from)
    }
}

impl FromIterator<Interval> for IntervalSet {
    fn from_iter<I: IntoIterator<Item = Interval>>(parts: I) -> Self {
        let mut parts: Vec<Interval> = parts.into_iter().collect();
        parts.sort_unstable();
        // In order, parts that touch are neighbours.
        parts.dedup_by(|next, sum| {
            let touch = next.from <= sum.until;
            if touch {
                sum.until = sum.until.max(next.until);
            }
            touch
        });
        Self(parts)
    }
}

/// When something began or ended: it happened in `(after, by]`. `after` is the last instant at which the old state is
/// known, `by` the first at which the new one is. `Instant::MIN`/`MAX` mean that the side is unbounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Edge {
    after: Instant,
    by: Instant,
}

impl Edge {
    /// An edge between the last instant of the old state and the first of the new. If they cross, which only
    /// contradictory facts cause, the edge is the smallest that holds both.
    pub fn new(after: Instant, by: Instant) -> Self {
        if after < by { Self { after, by } } else { Self { after: by.pred(), by: after.succ() } }
    }

    /// An edge known to the instant.
    pub fn point(at: Instant) -> Self {
        Self { after: at.pred(), by: at }
    }

    /// The last instant of the old state, if bounded.
    pub fn after(self) -> Option<Instant> {
        (self.after > Instant::MIN).then_some(self.after)
    }

    /// The first instant of the new state, if bounded.
    pub fn by(self) -> Option<Instant> {
        (self.by < Instant::MAX).then_some(self.by)
    }

    /// The instant itself, where it is known.
    pub fn as_point(self) -> Option<Instant> {
        (self.after.succ() == self.by && self.after > Instant::MIN).then_some(self.by)
    }

    /// Whether the edge may have happened at this instant.
    pub fn contains(self, at: Instant) -> bool {
        self.after < at && at <= self.by
    }

    /// Whether all of `other` lies inside this edge.
    pub fn covers(self, other: Self) -> bool {
        self.after <= other.after && other.by <= self.by
    }
}

#[derive(serde::Serialize, serde::Deserialize)]
struct EdgeShape {
    after: Option<Instant>,
    by: Option<Instant>,
}

/// `{"after": T|null, "by": T|null}`; a point has both equal.
impl serde::Serialize for Edge {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let shape = match self.as_point() {
            Some(at) => EdgeShape { after: Some(at), by: Some(at) },
            None => EdgeShape { after: self.after(), by: self.by() },
        };
        shape.serialize(serializer)
    }
}

impl<'de> serde::Deserialize<'de> for Edge {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let EdgeShape { after, by } = EdgeShape::deserialize(deserializer)?;
        match (after, by) {
            (Some(after), Some(by)) if after == by => Ok(Self::point(by)),
            (Some(after), Some(by)) if by < after => Err(serde::de::Error::custom("an edge ends before it begins")),
            _ => Ok(Self::new(after.unwrap_or(Instant::MIN), by.unwrap_or(Instant::MAX))),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(micros: i64) -> Instant {
        Instant::from_micros(micros)
    }

    fn bits(set: &IntervalSet) -> Vec<bool> {
        (0..40).map(|i| set.contains(at(i))).collect()
    }

    fn some_interval() -> impl Strategy<Value = Interval> {
        (0i64..39, 1i64..12).prop_map(|(from, width)| Interval::new(at(from), at((from + width).min(40))).unwrap())
    }

    proptest! {
        #[test]
        fn sets_agree_with_an_array_of_bits(steps in prop::collection::vec((any::<bool>(), some_interval()), 0..20), probe in some_interval()) {
            let mut set = IntervalSet::new();
            let mut dense = vec![false; 40];
            for (add, interval) in steps {
                if add { set.insert(interval) } else { set.remove(interval) }
                for (i, bit) in dense.iter_mut().enumerate() {
                    if interval.contains(at(i as i64)) { *bit = add; }
                }
            }
            prop_assert_eq!(bits(&set), dense.clone());
            let inside: Vec<bool> = (0..40).filter(|i| probe.contains(at(*i))).map(|i| dense[i as usize]).collect();
            prop_assert_eq!(set.covers(probe), inside.iter().all(|b| *b));
            prop_assert_eq!(set.meets(probe), inside.iter().any(|b| *b));
            let first = (0..40).find(|i| probe.contains(at(*i)) && dense[*i as usize]).map(at);
            prop_assert_eq!(set.first_in(probe), first);
            let ends = (0..40).filter(|i| dense[*i as usize] && !dense.get(*i as usize + 1).copied().unwrap_or_default());
            let behind = ends.map(|i| at(i + 1)).filter(|end| probe.from() < *end && *end < probe.until()).max();
            prop_assert_eq!(set.part_ending_in(probe).map(Interval::until), behind);
            let open: Vec<i64> = (0..40).filter(|i| probe.contains(at(*i)) && !dense[*i as usize]).collect();
            let trimmed = open.first().zip(open.last()).and_then(|(first, last)| Interval::closed(at(*first), at(*last)));
            prop_assert_eq!(set.trim(probe), trimmed);
        }

        #[test]
        fn minus_and_and_agree_with_their_definitions(a in prop::collection::vec(some_interval(), 0..6), b in prop::collection::vec(some_interval(), 0..6)) {
            let (a, b): (IntervalSet, IntervalSet) = (a.into_iter().collect(), b.into_iter().collect());
            let expected_minus: Vec<bool> = bits(&a).iter().zip(bits(&b)).map(|(x, y)| *x && !y).collect();
            let expected_and: Vec<bool> = bits(&a).iter().zip(bits(&b)).map(|(x, y)| *x && y).collect();
            prop_assert_eq!(bits(&a.minus(&b)), expected_minus);
            prop_assert_eq!(bits(&a.and(&b)), expected_and);
        }
    }

    #[test]
    fn a_point_prints_both_ends_equal_and_an_open_edge_prints_null() {
        let t: Instant = "2026-03-01T08:00:00Z".parse().unwrap();
        assert_eq!(
            serde_json::to_string(&Edge::point(t)).unwrap(),
            r#"{"after":"2026-03-01T08:00:00Z","by":"2026-03-01T08:00:00Z"}"#
        );
        assert_eq!(
            serde_json::to_string(&Edge::new(Instant::MIN, t)).unwrap(),
            r#"{"after":null,"by":"2026-03-01T08:00:00Z"}"#
        );
    }
}
