//! Soundness of timelines against worlds whose truth is known: random people, random polls, random audit logs.
//!
//! The oracle is the truth itself, kept as a list of states, and asked instant by instant. What the ledger's core calls
//! certain must be true, and what it calls impossible must be false, whatever the polls happened to see.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at the first surprise")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use whowas::domain::attribution::{Settling, attribute};
use whowas::domain::coverage::Coverage;
use whowas::domain::fact::*;
use whowas::domain::holder::{HolderConfidence, NameView};
use whowas::domain::id::{ObjectId, Sequence};
use whowas::domain::interval::{Edge, Interval};
use whowas::domain::name::{Name, NameKey, NameKind, Namespace, Proxy};
use whowas::domain::time::Instant;
use whowas::domain::timeline::{Role, State, Timeline};
use whowas::domain::track::Confidence;

const PEOPLE: u8 = 3;
const NAMES: u8 = 4;
const MINUTE: i64 = 60_000_000;
const LAG: Duration = Duration::from_secs(300);
const READ_LAG: Duration = Duration::from_secs(30);

#[derive(Clone, Debug)]
enum Act {
    Create(u8, u8),
    Rename {
        who: u8,
        to: u8,
        keep: bool,
    },
    Swap(u8, u8),
    Delete(u8),
    Restore {
        who: u8,
        announced: bool,
    },
    Purge(u8),
    /// A delta round; each object's page trails by so many seconds, at most the lag. `again` is reported without a change.
    Poll {
        trail: [u16; PEOPLE as usize],
        again: u8,
    },
    /// The token expired: everything is enumerated anew, and the time between is blind.
    Resync {
        trail: [u16; PEOPLE as usize],
    },
    /// A live read of one object, trailing by so many seconds.
    Live(u8, u8),
    /// The deleted items are listed.
    Bin,
    /// The audit log is read: all of it, or only some events and no horizon.
    Audits {
        all: bool,
        pick: u16,
    },
}

fn acts() -> impl Strategy<Value = Vec<(i64, Act)>> {
    let who = 0..PEOPLE;
    let trail = || prop::array::uniform3(0u16..300);
    let act = prop_oneof![
        3 => (who.clone(), 0..NAMES).prop_map(|(who, name)| Act::Create(who, name)),
        4 => (who.clone(), 0..NAMES, any::<bool>()).prop_map(|(who, to, keep)| Act::Rename { who, to, keep }),
        1 => (who.clone(), who.clone()).prop_map(|(a, b)| Act::Swap(a, b)),
        2 => who.clone().prop_map(Act::Delete),
        2 => (who.clone(), any::<bool>()).prop_map(|(who, announced)| Act::Restore { who, announced }),
        1 => who.clone().prop_map(Act::Purge),
        6 => (trail(), 0..PEOPLE * 2).prop_map(|(trail, again)| Act::Poll { trail, again }),
        1 => trail().prop_map(|trail| Act::Resync { trail }),
        2 => (who, 0u8..30).prop_map(|(who, trail)| Act::Live(who, trail)),
        1 => Just(Act::Bin),
        1 => (any::<bool>(), any::<u16>()).prop_map(|(all, pick)| Act::Audits { all, pick }),
    ];
    prop::collection::vec((1i64..30, act), 1..40)
}

fn person(who: u8) -> ObjectId {
    ObjectId::from_bytes([who + 1; 16])
}

fn name(index: u8) -> Name {
    format!("Name{index}@x.test").parse().unwrap()
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Truth {
    Unborn,
    Live { upn: u8, aliases: BTreeSet<u8> },
    Deleted { upn: u8, aliases: BTreeSet<u8>, at: i64 },
    Purged,
}

impl Truth {
    fn holds(&self, namespace: Namespace, name: u8) -> bool {
        match self {
            Self::Live { upn, aliases } => *upn == name || (namespace == Namespace::Smtp && aliases.contains(&name)),
            _ => false,
        }
    }
}

/// The world: what really was, and what the sources said of it.
struct World {
    now: i64,
    truth: Vec<Vec<(i64, Truth)>>,
    created: Vec<Option<i64>>,
    /// Instants of changes that the delta feed will never announce.
    silent: BTreeSet<(u8, i64)>,
    facts: Vec<Fact>,
    events: Vec<(i64, Fact)>,
    audited: usize,
    audit_from: i64,
    horizon: Option<i64>,
    reported: [i64; PEOPLE as usize],
}

impl World {
    fn play(acts: &[(i64, Act)]) -> Self {
        let mut world = Self {
            now: 1_000 * MINUTE,
            truth: (0..PEOPLE).map(|_| vec![(i64::MIN, Truth::Unborn)]).collect(),
            created: vec![None; PEOPLE as usize],
            silent: BTreeSet::new(),
            facts: Vec::new(),
            events: Vec::new(),
            audited: 0,
            audit_from: 1_000 * MINUTE,
            horizon: None,
            reported: [i64::MIN; PEOPLE as usize],
        };
        for (wait, act) in acts {
            world.now += wait * MINUTE;
            world.act(act);
        }
        world
    }

    fn at(&self, who: u8, time: i64) -> &Truth {
        let states = &self.truth[usize::from(who)];
        &states[states.partition_point(|(since, _)| *since <= time) - 1].1
    }

    fn current(&self, who: u8) -> Truth {
        self.at(who, self.now).clone()
    }

    fn is_free(&self, name: u8) -> bool {
        (0..PEOPLE).all(|who| !self.at(who, self.now).holds(Namespace::Smtp, name))
    }

    fn set(&mut self, who: u8, truth: Truth) {
        self.truth[usize::from(who)].push((self.now, truth));
    }

    fn event(&mut self, fact: Fact) {
        self.events.push((self.now, fact));
    }

    fn lifecycle(&mut self, who: u8, life: Life, upn: Option<u8>) {
        let (at, event) = (Instant::from_micros(self.now), format!("e{}", self.events.len()));
        self.event(Fact::Lifecycle(Lifecycle { object: person(who), at, event, life, upn: upn.map(name) }));
    }

    fn renamed(&mut self, who: u8, old: u8, new: u8) {
        let (at, event) = (Instant::from_micros(self.now), format!("e{}", self.events.len()));
        let (old, new) = (Some(vec![name(old)]), Some(vec![name(new)]));
        let property = Property::UserPrincipalName;
        self.event(Fact::Changed(Changed { object: person(who), at, event, property, old, new }));
    }

    fn act(&mut self, act: &Act) {
        match act {
            Act::Create(who, new) => {
                if self.current(*who) == Truth::Unborn && self.is_free(*new) {
                    self.created[usize::from(*who)] = Some(self.now);
                    self.set(*who, Truth::Live { upn: *new, aliases: BTreeSet::new() });
                    self.lifecycle(*who, Life::Created, Some(*new));
                }
            }
            Act::Rename { who, to, keep } => {
                if let Truth::Live { upn, mut aliases } = self.current(*who) {
                    let own = aliases.remove(to);
                    if upn != *to && (own || self.is_free(*to)) {
                        if *keep {
                            aliases.insert(upn);
                        }
                        self.set(*who, Truth::Live { upn: *to, aliases });
                        self.renamed(*who, upn, *to);
                    }
                }
            }
            Act::Swap(a, b) => {
                if let (Truth::Live { upn: x, aliases: xs }, Truth::Live { upn: y, aliases: ys }) =
                    (self.current(*a), self.current(*b))
                    && a != b
                {
                    self.set(*a, Truth::Live { upn: y, aliases: xs });
                    self.set(*b, Truth::Live { upn: x, aliases: ys });
                    self.renamed(*a, x, y);
                    self.renamed(*b, y, x);
                }
            }
            Act::Delete(who) => {
                if let Truth::Live { upn, aliases } = self.current(*who) {
                    self.set(*who, Truth::Deleted { upn, aliases, at: self.now });
                    self.lifecycle(*who, Life::Deleted, Some(upn));
                }
            }
            Act::Restore { who, announced } => {
                if let Truth::Deleted { upn, aliases, .. } = self.current(*who) {
                    let aliases: BTreeSet<u8> = aliases.into_iter().filter(|alias| self.is_free(*alias)).collect();
                    let back = if self.is_free(upn) { Some(upn) } else { (0..NAMES).find(|n| self.is_free(*n)) };
                    let Some(back) = back else { return };
                    if !announced {
                        self.silent.insert((*who, self.now));
                    }
                    self.set(
                        *who,
                        Truth::Live { upn: back, aliases: aliases.into_iter().filter(|a| *a != back).collect() },
                    );
                    self.lifecycle(*who, Life::Restored, None);
                }
            }
            Act::Purge(who) => {
                if let Truth::Deleted { .. } = self.current(*who) {
                    self.set(*who, Truth::Purged);
                    self.lifecycle(*who, Life::Purged, None);
                }
            }
            Act::Poll { trail, again } => self.poll(trail, Some(*again)),
            Act::Resync { trail } => self.poll(trail, None),
            Act::Live(who, trail) => self.live(*who, i64::from(*trail) * 1_000_000),
            Act::Bin => self.bin(),
            Act::Audits { all, pick } => self.audits(*all, *pick),
        }
    }

    fn reading(&self, source: Source, lag: Duration, unchanged_since: Option<i64>) -> Reading {
        let at = Instant::from_micros(self.now);
        Reading { at, lag, source, unchanged_since: unchanged_since.map(Instant::from_micros) }
    }

    fn poll(&mut self, trail: &[u16; PEOPLE as usize], again: Option<u8>) {
        let before = self.horizon.filter(|_| again.is_some());
        let horizon = self.now - i64::try_from(LAG.as_micros()).unwrap();
        for who in 0..PEOPLE {
            let shown_at =
                (self.now - i64::from(trail[usize::from(who)]) * 1_000_000).max(self.reported[usize::from(who)]);
            let reported = self.reported[usize::from(who)];
            let changed = self.truth[usize::from(who)]
                .iter()
                .any(|(since, _)| *since > reported && *since <= shown_at && !self.silent.contains(&(who, *since)));
            self.reported[usize::from(who)] = shown_at;
            let shown = self.at(who, shown_at).clone();
            let first = before.is_none();
            // A round of its own reports what changed; the first round reports all that live; a replay reports anything live.
            let live = matches!(shown, Truth::Live { .. });
            if (!first && changed) || (first && live) || (again == Some(who) && live) {
                let reading = self.reading(Source::Delta, LAG, before);
                self.report(who, &shown, reading, false);
            }
        }
        let from = before.unwrap_or(horizon);
        self.facts.push(Fact::Horizon(Horizon {
            feed: Feed::Delta,
            from: Instant::from_micros(from),
            through: Instant::from_micros(horizon.max(from)),
        }));
        self.horizon = Some(horizon.max(from));
    }

    fn report(&mut self, who: u8, shown: &Truth, reading: Reading, with_times: bool) {
        let object = person(who);
        let gone = |removal, deleted, last_upn| Removed { object, reading, removal, deleted, last_upn };
        match shown {
            Truth::Live { upn, aliases } => {
                let proxies =
                    std::iter::once(Proxy::Primary(name(*upn))).chain(aliases.iter().map(|a| Proxy::Alias(name(*a))));
                let created = self.created[usize::from(who)].map(|at| Instant::from_micros(at / 1_000_000 * 1_000_000));
                let profile =
                    Profile { upn: Some(name(*upn)), proxies: proxies.collect(), created, ..Profile::default() };
                self.facts.push(Fact::Seen(Seen { object, reading, profile }));
            }
            Truth::Deleted { upn, at, .. } => {
                let deleted = with_times.then(|| Instant::from_micros(*at));
                let fact = gone(Removal::Soft, deleted, with_times.then(|| name(*upn)));
                self.facts.push(Fact::Removed(fact));
            }
            Truth::Purged => self.facts.push(Fact::Removed(gone(Removal::Purged, None, None))),
            Truth::Unborn => {}
        }
    }

    fn live(&mut self, who: u8, trail: i64) {
        let shown = self.at(who, self.now - trail).clone();
        let reading = self.reading(Source::Live, READ_LAG, None);
        match shown {
            Truth::Live { .. } => self.report(who, &shown, reading, false),
            _ => self.facts.push(Fact::Removed(Removed {
                object: person(who),
                reading,
                removal: Removal::NotFound,
                deleted: None,
                last_upn: None,
            })),
        }
    }

    fn bin(&mut self) {
        for who in 0..PEOPLE {
            let shown = self.current(who);
            if matches!(shown, Truth::Deleted { .. }) {
                let reading = self.reading(Source::Reconcile, LAG, None);
                self.report(who, &shown, reading, true);
            }
        }
    }

    fn audits(&mut self, all: bool, pick: u16) {
        let fresh = self.events[self.audited..].to_vec();
        for (index, (_, fact)) in fresh.iter().enumerate() {
            if all || pick >> (index % 16) & 1 == 1 {
                self.facts.push(fact.clone());
            }
        }
        if all {
            self.audited = self.events.len();
            self.facts.push(Fact::Horizon(Horizon {
                feed: Feed::Audit,
                from: Instant::from_micros(self.audit_from),
                through: Instant::from_micros(self.now),
            }));
            self.audit_from = self.now;
        }
    }
}

fn known(facts: &[Fact]) -> Vec<Known> {
    (1..).zip(facts).map(|(sequence, fact)| Known { sequence: Sequence(sequence), fact: fact.clone() }).collect()
}

fn coverage(facts: &[Fact]) -> Coverage {
    Coverage::of(facts.iter().filter_map(|fact| if let Fact::Horizon(horizon) = fact { Some(horizon) } else { None }))
}

fn timelines(facts: &[Fact]) -> BTreeMap<u8, Timeline> {
    let (known, coverage) = (known(facts), coverage(facts));
    (0..PEOPLE).map(|who| (who, Timeline::of(person(who), known.clone(), &coverage))).collect()
}

fn key(index: u8) -> NameKey {
    name(index).key().clone()
}

/// Instants worth asking about: around every change and every reading, and between them.
fn probes(world: &World) -> Vec<Instant> {
    let changes = world.truth.iter().flatten().map(|(since, _)| *since).filter(|since| *since > i64::MIN);
    let mut probes: Vec<i64> = changes.flat_map(|at| [at - 1, at, at + MINUTE / 2]).collect();
    probes.extend((0..8).map(|step| 1_000 * MINUTE + (world.now - 1_000 * MINUTE) * step / 7));
    probes.sort_unstable();
    probes.dedup();
    probes.into_iter().map(Instant::from_micros).collect()
}

fn held_throughout(world: &World, who: u8, namespace: Namespace, name: u8, interval: Interval) -> bool {
    states_in(world, who, interval).all(|truth| truth.holds(namespace, name))
}

fn held_sometime(world: &World, who: u8, namespace: Namespace, name: u8, interval: Interval) -> bool {
    states_in(world, who, interval).any(|truth| truth.holds(namespace, name))
}

fn states_in(world: &World, who: u8, interval: Interval) -> impl Iterator<Item = &Truth> {
    let states = &world.truth[usize::from(who)];
    let (from, until) = (interval.from().as_micros(), interval.until().as_micros());
    let ends = states.iter().skip(1).map(|(since, _)| *since).chain([i64::MAX]);
    states.iter().zip(ends).filter(move |((since, _), end)| *since < until && from < *end).map(|((_, truth), _)| truth)
}

fn check_soundness(world: &World) -> Result<(), TestCaseError> {
    let timelines = timelines(&world.facts);
    let coverage = coverage(&world.facts);
    let probes = probes(world);
    for index in 0..NAMES {
        let view = NameView::of(&key(index), timelines.values(), &[]);
        let spans: Vec<Interval> = probes
            .iter()
            .zip(probes.iter().skip(1).chain(probes.iter().skip(4)))
            .filter_map(|(a, b)| Interval::closed(*a, *b))
            .chain(probes.iter().filter_map(|a| Interval::closed(*a, *a)))
            .collect();
        for span in spans {
            for claim in view.claims() {
                let who = claim.object.as_bytes()[0] - 1;
                match claim.track.confidence(span) {
                    Confidence::Certain => prop_assert!(
                        held_throughout(world, who, claim.namespace, index, span),
                        "certain but false: person {who} {:?} name {index} over {span:?}",
                        claim.namespace
                    ),
                    Confidence::Impossible => prop_assert!(
                        !held_sometime(world, who, claim.namespace, index, span),
                        "impossible but true: person {who} {:?} name {index} over {span:?}",
                        claim.namespace
                    ),
                    _ => {}
                }
            }
            for kind in [NameKind::Upn, NameKind::Smtp, NameKind::Any] {
                let standing = view.standing(span, kind, &coverage);
                if standing.confidence == HolderConfidence::Certain {
                    let who = standing.holder.unwrap().as_bytes()[0] - 1;
                    let really = kind.namespaces().iter().any(|space| held_throughout(world, who, *space, index, span));
                    prop_assert!(really, "certain holder but false: person {who} {kind:?} name {index} over {span:?}");
                }
            }
            check_attribution(world, &view, &coverage, index, span)?;
        }
    }
    Ok(())
}

/// A snapshot by name reads whoever held the name at some instant from `propagation` before its start to its end.
fn check_attribution(
    world: &World,
    view: &NameView,
    coverage: &Coverage,
    index: u8,
    span: Interval,
) -> Result<(), TestCaseError> {
    let settling = Settling { propagation: Duration::from_secs(900), audit_lag: None };
    let snapshot = Snapshot {
        chain: "c".parse().unwrap(),
        id: "1".parse().unwrap(),
        from: span.from(),
        until: span.last(),
        addressed: Addressed::Name(name(index), NameKind::Smtp),
        mailbox: None,
    };
    let attribution = attribute(&snapshot, &[], Some(view), coverage, settling);
    if attribution.confidence == HolderConfidence::Certain {
        let owner = attribution.owner.unwrap().as_bytes()[0] - 1;
        let reach = Interval::closed(span.from().minus(settling.propagation), span.last()).unwrap();
        for who in (0..PEOPLE).filter(|who| *who != owner) {
            prop_assert!(
                !held_sometime(world, who, Namespace::Smtp, index, reach),
                "attributed to {owner} for certain, but {who} held name {index} within {reach:?}"
            );
        }
    }
    Ok(())
}

/// What a timeline says, without the commits that brought it.
fn said(timelines: &BTreeMap<u8, Timeline>) -> Vec<String> {
    let mut lines = Vec::new();
    for (who, timeline) in timelines {
        lines.push(format!(
            "{who} {:?} {:?} {:?} {:?}",
            timeline.state(),
            timeline.states(),
            timeline.created(),
            timeline.names()
        ));
        for (role, key, _) in timeline.names_ever() {
            let track = timeline.track(role, key).unwrap();
            let edges: Vec<(Edge, Option<Edge>)> =
                track.periods().iter().map(|period| (period.from, period.until)).collect();
            lines.push(format!("{who} {role:?} {} {:?} {:?} {edges:?}", key.as_str(), track.held(), track.absent()));
        }
    }
    lines
}

fn edges_of(timelines: &BTreeMap<u8, Timeline>, index: u8, who: u8) -> (Vec<Edge>, Vec<Edge>) {
    let view = NameView::of(&key(index), timelines.values(), &[]);
    let periods = view
        .claims()
        .iter()
        .filter(|claim| claim.object == person(who) && claim.namespace == Namespace::Upn)
        .flat_map(|claim| claim.track.periods());
    periods.map(|period| (period.from, period.until)).fold((Vec::new(), Vec::new()), |(mut from, mut until), (a, b)| {
        from.push(a);
        until.extend(b);
        (from, until)
    })
}

/// How many random worlds each property plays.
fn worlds() -> u32 {
    std::env::var("WHOWAS_WORLDS").map_or(3_000, |worlds| worlds.parse().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: worlds(), ..ProptestConfig::default() })]

    #[test]
    fn certain_is_never_false_and_impossible_is_never_true(acts in acts()) {
        check_soundness(&World::play(&acts))?;
    }

    #[test]
    fn order_batches_and_repetition_of_facts_do_not_matter(acts in acts(), seed in any::<u64>(), repeats in 0usize..6) {
        let world = World::play(&acts);
        let mut shuffled = world.facts.clone();
        let count = shuffled.len();
        for step in 0..repeats.min(count) {
            shuffled.push(world.facts[(seed as usize + step * 7) % count].clone());
        }
        // A fixed permutation from the seed: a linear congruence is random enough to mix batches and sources.
        let mut state = seed | 1;
        for place in (1..shuffled.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            shuffled.swap(place, (state >> 33) as usize % (place + 1));
        }
        prop_assert_eq!(said(&timelines(&shuffled)), said(&timelines(&world.facts)));
    }

    #[test]
    fn proof_only_grows_as_facts_arrive(acts in acts()) {
        let world = World::play(&acts);
        let mut before = timelines(&[]);
        for end in 1..=world.facts.len() {
            // A round's reports and its horizon belong together: a horizon alone would claim that nothing was reported.
            let cut_in_round = world.facts.get(end).is_some() && !matches!(world.facts[end - 1], Fact::Horizon(_));
            if cut_in_round { continue; }
            let after = timelines(&world.facts[..end]);
            for (who, old) in &before {
                for (role, key, _) in old.names_ever().filter(|(role, ..)| *role != Role::Primary) {
                    let (old, new) = (old.track(role, key).unwrap(), after[who].track(role, key).unwrap());
                    prop_assert!(old.held().minus(new.held()).is_empty(), "proof of presence was lost: {role:?} {}", key.as_str());
                    prop_assert!(old.absent().minus(new.absent()).is_empty(), "proof of absence was lost: {role:?} {}", key.as_str());
                }
            }
            before = after;
        }
    }

    #[test]
    fn edges_hold_a_true_change_and_only_narrow(acts in acts()) {
        // Changes at least as far apart as a reading is wide: within one reading's width no source can tell their order.
        let acts: Vec<(i64, Act)> = acts.into_iter().map(|(wait, act)| (wait + 6, act)).collect();
        let world = World::play(&acts);
        let rounds: Vec<usize> = (1..=world.facts.len())
            .filter(|end| *end == world.facts.len() || matches!(world.facts[end - 1], Fact::Horizon(_)))
            .collect();
        let mut before: Option<BTreeMap<u8, Timeline>> = None;
        for end in rounds {
            let after = timelines(&world.facts[..end]);
            for index in 0..NAMES {
                for who in 0..PEOPLE {
                    let (starts, ends) = edges_of(&after, index, who);
                    for (edges, starting) in [(&starts, true), (&ends, false)] {
                        for edge in edges {
                            prop_assert!(has_change(&world, who, index, *edge, starting), "person {who} name {index}: no change in {edge:?}");
                        }
                    }
                    let Some(before) = &before else { continue };
                    let (old_starts, old_ends) = edges_of(before, index, who);
                    for (old, new) in [(old_starts, &starts), (old_ends, &ends)] {
                        for edge in old {
                            prop_assert!(new.iter().any(|new| edge.covers(*new)), "person {who} name {index}: {edge:?} became {new:?}");
                        }
                    }
                }
            }
            before = Some(after);
        }
    }
}

/// Whether the person really began (or stopped) holding the name within the edge.
fn has_change(world: &World, who: u8, index: u8, edge: Edge, starting: bool) -> bool {
    let states = &world.truth[usize::from(who)];
    states.windows(2).any(|pair| {
        let (old, new) = (pair[0].1.holds(Namespace::Upn, index), pair[1].1.holds(Namespace::Upn, index));
        (old, new) == (!starting, starting) && edge.contains(Instant::from_micros(pair[1].0))
    })
}

#[test]
fn a_world_in_which_nothing_is_certain_would_prove_nothing() {
    let acts = [
        (1, Act::Create(0, 0)),
        (1, Act::Poll { trail: [0; 3], again: 9 }),
        (20, Act::Poll { trail: [0; 3], again: 9 }),
        (1, Act::Rename { who: 0, to: 1, keep: false }),
        (20, Act::Poll { trail: [0; 3], again: 9 }),
        (20, Act::Poll { trail: [0; 3], again: 9 }),
    ];
    let world = World::play(&acts);
    let timelines = timelines(&world.facts);
    let track = timelines[&0].track(Role::Upn, &key(0)).unwrap();
    assert_eq!(timelines[&0].state(), State::Active);
    assert!(!track.held().is_empty() && !track.absent().is_empty());
    let minute = |m: i64| Instant::from_micros((1_000 + m) * MINUTE);
    let at = |m| track.confidence(Interval::closed(minute(m), minute(m)).unwrap());
    assert_eq!((at(10), at(20), at(50)), (Confidence::Certain, Confidence::Possible, Confidence::Impossible));
}
