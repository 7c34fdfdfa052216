//! Guards: a round that changes too much at once is held for a person to look at, before anything of it is applied.
//!
//! What a directory says is usually right, and sometimes it is a slip: an organisational unit that left the scope of
//! synchronisation, an anchor that broke and made everybody anew. Applied, such a round would free thousands of names.

use std::collections::BTreeSet;

use super::domain_change::SuffixMap;
use super::id::ObjectId;
use super::time::Instant;

/// How much one round may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Objects that live no more.
    pub removals: u64,
    /// Objects under another name.
    pub renames: u64,
    /// New objects under the name of another one.
    pub takeovers: u64,
    /// Each of these as a share of the live objects, in percent; asked only where there are at least
    /// [`SHARE_OBJECTS_MIN`].
    pub percent: u64,
}

impl Limits {
    /// Limits that nothing exceeds.
    pub const OFF: Self = Self { removals: u64::MAX, renames: u64::MAX, takeovers: u64::MAX, percent: u64::MAX };
}

/// A share says nothing about a handful of objects.
pub const SHARE_OBJECTS_MIN: u64 = 20;

impl Default for Limits {
    fn default() -> Self {
        Self { removals: 500, renames: 1_000, takeovers: 50, percent: 10 }
    }
}

/// When a round is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    /// How much a round may change.
    pub limits: Limits,
    /// Renames by these maps were announced and do not count.
    pub announced: Vec<SuffixMap>,
    /// Most items of a round that are kept in memory. A larger round is read twice, in parts of this size whose changes are
    /// added up: first to look at all of it, and if it may pass, to apply it.
    pub staged_max: usize,
}

impl Default for Guard {
    fn default() -> Self {
        Self { limits: Limits::default(), announced: Vec::new(), staged_max: 50_000 }
    }
}

/// How much a round would change, and how much there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "http", schema(as = HeldImpact))]
pub struct Impact {
    /// Objects that would live no more.
    pub removals: u64,
    /// Objects under another name, without the announced renames.
    pub renames: u64,
    /// New objects under the name of another one.
    pub takeovers: u64,
    /// Live objects before the round.
    pub active: u64,
}

impl Impact {
    /// How many changes the round would bring that the guard looks at.
    pub fn total(&self) -> u64 {
        self.removals.saturating_add(self.renames).saturating_add(self.takeovers)
    }
}

impl Limits {
    /// Why a round of this impact is held; `None` lets it pass.
    pub fn breach(&self, impact: &Impact) -> Option<String> {
        let share = impact.active.saturating_mul(self.percent) / 100;
        let is_asked = impact.active >= SHARE_OBJECTS_MIN;
        let kinds = [
            (impact.removals, self.removals, "removals"),
            (impact.renames, self.renames, "renames"),
            (impact.takeovers, self.takeovers, "new objects under the names of others"),
        ];
        let over: Vec<String> = kinds
            .into_iter()
            .filter_map(|(count, limit, what)| {
                if count > limit {
                    return Some(format!("{count} {what} (the guard allows {limit})"));
                }
                let is_over = is_asked && count > share;
                is_over.then(|| {
                    format!("{count} {what} (the guard allows {} % of {} objects)", self.percent, impact.active)
                })
            })
            .collect();
        (!over.is_empty()).then(|| over.join(", "))
    }
}

/// Which part of a sync run is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "http", schema(as = HeldRun))]
#[serde(rename_all = "snake_case")]
pub enum HeldPart {
    /// A round of the delta feed, or a full one.
    Round,
    /// The reconcile.
    Reconcile,
}

/// Most objects in one fact, so that no record grows beyond 64 KiB.
pub const HELD_OBJECTS_MAX: usize = 3_000;

/// A round was held. One with many objects takes several facts, all of the same commit.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Held {
    /// The run's number.
    pub run: u64,
    /// What of it.
    pub part: HeldPart,
    /// When.
    pub at: Instant,
    /// How much it would have changed.
    pub impact: Impact,
    /// Why it was held, in words.
    pub why: String,
    /// Which of the facts of this hold it is, from 0.
    pub chunk: u16,
    /// Whether every object that the round would change is named in one of them.
    pub complete: bool,
    /// Objects that the round would change, in order of their ids.
    pub objects: Vec<ObjectId>,
}

/// Why a hold ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldEnd {
    /// A later round was no longer beyond the limits: the directory changed back.
    Passed,
    /// An operator let it pass.
    Accepted,
}

/// A hold ended; the same commit ends a round that was applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct HoldEnded {
    /// The run that was held.
    pub run: u64,
    /// When it ended.
    pub at: Instant,
    /// Why.
    pub how: HoldEnd,
}

/// An operator says that a held round is wrong. The hold stays until the directory changes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct HoldRejected {
    /// The run that is held.
    pub run: u64,
    /// When it was said.
    pub at: Instant,
}

/// A hold under which an ask is judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standstill {
    /// The run that is held.
    pub run: u64,
    /// Why.
    pub why: String,
    /// The objects that it names.
    pub objects: BTreeSet<ObjectId>,
    /// Whether they are all there are; otherwise any object may be meant.
    pub complete: bool,
}

impl Standstill {
    /// Whether an object is, or may be, among those that the held round would change.
    pub fn names(&self, object: ObjectId) -> bool {
        !self.complete || self.objects.contains(&object)
    }

    /// What an operator can do about it.
    pub fn say(&self) -> String {
        let Self { run, why, .. } = self;
        format!(
            "a guard holds run {run}: {why}; `whowas sync --accept {run}` lets it pass, and a sync ends the hold once the \
             directory has changed back"
        )
    }
}

/// The facts that record a hold.
pub fn held_facts(base: &Held, objects: &BTreeSet<ObjectId>) -> Vec<Held> {
    /// With more than this a record of them would burden every later question.
    const OBJECTS_MAX: usize = 300_000;
    let complete = objects.len() <= OBJECTS_MAX;
    let named: Vec<ObjectId> = objects.iter().take(OBJECTS_MAX).copied().collect();
    let chunks =
        if named.is_empty() { vec![Vec::new()] } else { named.chunks(HELD_OBJECTS_MAX).map(<[_]>::to_vec).collect() };
    let numbered = chunks.into_iter().zip(0..);
    numbered.map(|(objects, chunk)| Held { chunk, complete, objects, ..base.clone() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_is_held_beyond_the_number_or_the_share_and_not_at_it() {
        let limits = Limits { removals: 5, renames: 100, takeovers: 2, percent: 10 };
        let impact = |removals, renames, takeovers, active| Impact { removals, renames, takeovers, active };
        for (impact, held) in [
            (impact(5, 0, 0, 1_000), false),
            (impact(6, 0, 0, 1_000), true),
            (impact(0, 100, 0, 1_000), false),
            (impact(0, 101, 0, 5_000), true),
            (impact(0, 0, 3, 5_000), true),
            (impact(0, 2, 0, 20), false),
            (impact(0, 3, 0, 20), true),
            // Fewer than twenty objects have no share. No limit is exceeded where there is none.
            (impact(5, 19, 2, 19), false),
        ] {
            assert_eq!(limits.breach(&impact).is_some(), held, "{impact:?}");
            assert_eq!(Limits::OFF.breach(&impact), None, "{impact:?}");
        }
        let why = limits.breach(&impact(6, 0, 3, 1_000)).unwrap();
        assert_eq!(
            why,
            "6 removals (the guard allows 5), 3 new objects under the names of others (the guard allows 2)"
        );
    }

    #[test]
    fn many_objects_take_several_facts_and_none_is_lost() {
        let objects: BTreeSet<ObjectId> =
            (0..7_000_u128).map(|number| ObjectId::from_bytes(number.to_be_bytes())).collect();
        let base = Held {
            run: 7,
            part: HeldPart::Round,
            at: Instant::from_micros(1),
            impact: Impact::default(),
            why: "w".to_owned(),
            chunk: 0,
            complete: true,
            objects: Vec::new(),
        };
        let facts = held_facts(&base, &objects);
        let sizes: Vec<(u16, usize)> = facts.iter().map(|fact| (fact.chunk, fact.objects.len())).collect();
        assert_eq!(sizes, [(0, 3_000), (1, 3_000), (2, 1_000)]);
        assert_eq!(facts.into_iter().flat_map(|fact| fact.objects).collect::<BTreeSet<_>>(), objects);
        assert_eq!(held_facts(&base, &BTreeSet::new()).len(), 1, "a hold that names nobody is still told");
    }
}
