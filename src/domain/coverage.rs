//! What time the completed feeds cover, as merged stretches.

use super::fact::{Feed, Horizon};
use super::interval::{Interval, IntervalSet};
use super::time::Instant;

/// The stretches of time over which each feed was read without a gap. Pure sum of the horizons known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    delta: Vec<Stretch>,
    audit: Vec<Stretch>,
}

/// An unbroken run of horizons: nothing in `(from, through]` was missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stretch {
    /// Where the first horizon of the run began.
    pub from: Instant,
    /// Where the last one ended.
    pub through: Instant,
}

impl Coverage {
    /// The coverage of these horizons, in any order.
    pub fn of<'a>(horizons: impl IntoIterator<Item = &'a Horizon>) -> Self {
        let mut coverage = Self::default();
        for horizon in horizons {
            coverage.add(horizon);
        }
        coverage
    }

    /// The coverage made of these stretches, as a store keeps them.
    pub fn from_stretches(delta: Vec<Stretch>, audit: Vec<Stretch>) -> Self {
        Self { delta, audit }
    }

    /// Adds one more horizon.
    pub fn add(&mut self, horizon: &Horizon) {
        let stretches = match horizon.feed {
            Feed::Delta => &mut self.delta,
            Feed::Audit => &mut self.audit,
        };
        let mut merged = Stretch { from: horizon.from.min(horizon.through), through: horizon.through };
        // Stretches join where one begins at or before the instant at which the other ends.
        stretches.retain(|stretch| {
            let apart = stretch.through < merged.from || merged.through < stretch.from;
            if !apart {
                merged.from = merged.from.min(stretch.from);
                merged.through = merged.through.max(stretch.through);
            }
            apart
        });
        let place = stretches.partition_point(|stretch| stretch.from < merged.from);
        stretches.insert(place, merged);
    }

    /// The stretches of one feed, in order.
    pub fn stretches(&self, feed: Feed) -> &[Stretch] {
        match feed {
            Feed::Delta => &self.delta,
            Feed::Audit => &self.audit,
        }
    }

    /// The latest instant that the delta feed proves.
    pub fn horizon(&self) -> Option<Instant> {
        self.delta.last().map(|stretch| stretch.through)
    }

    /// The stretch of a feed whose proof has begun at or before the instant and that reaches the farthest.
    pub fn stretch_from(&self, feed: Feed, at: Instant) -> Option<Stretch> {
        self.stretches(feed).iter().rev().find(|stretch| stretch.from <= at).copied()
    }

    /// Whether the delta feed covers all of the interval.
    pub fn covers(&self, interval: Interval) -> bool {
        let set: IntervalSet =
            self.delta.iter().filter_map(|stretch| Interval::closed(stretch.from, stretch.through)).collect();
        set.covers(interval)
    }

    /// The gaps between the stretches of the delta feed.
    pub fn gaps(&self) -> Vec<(Instant, Instant)> {
        self.delta.iter().zip(self.delta.iter().skip(1)).map(|(a, b)| (a.through, b.from)).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn horizon(from: i64, through: i64) -> Horizon {
        Horizon { feed: Feed::Delta, from: Instant::from_micros(from), through: Instant::from_micros(through) }
    }

    #[test]
    fn rounds_join_and_an_outage_leaves_a_gap() {
        let coverage =
            Coverage::of(&[horizon(0, 0), horizon(0, 10), horizon(10, 20), horizon(50, 50), horizon(50, 60)]);
        assert_eq!(coverage.gaps(), vec![(Instant::from_micros(20), Instant::from_micros(50))]);
        assert_eq!(coverage.horizon(), Some(Instant::from_micros(60)));
    }

    proptest! {
        #[test]
        fn the_order_of_horizons_does_not_matter(mut rounds in prop::collection::vec((0i64..50, 0i64..8), 0..12), turn in 0usize..12) {
            let ordered: Vec<Horizon> = rounds.iter().map(|(from, width)| horizon(*from, from + width)).collect();
            if !rounds.is_empty() { let n = turn % rounds.len(); rounds.rotate_left(n); rounds.reverse(); }
            let shuffled: Vec<Horizon> = rounds.iter().map(|(from, width)| horizon(*from, from + width)).collect();
            prop_assert_eq!(Coverage::of(&ordered), Coverage::of(&shuffled));
        }
    }
}
