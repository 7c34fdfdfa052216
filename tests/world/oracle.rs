//! What the facts told could show, worked out from the facts alone and without the ledger's own rules of timelines: a slow
//! and simple twin that knows less, so that the ledger must know at least as much.

use std::collections::{BTreeMap, BTreeSet};

use whowas::domain::fact::{Fact, Feed, Life, Property, Reading, Removal, Seen, Source};
use whowas::domain::id::ObjectId;
use whowas::domain::interval::{Interval, IntervalSet};
use whowas::domain::name::{NameKind, Namespace};
use whowas::domain::time::Instant;

use super::truth::{index_of, who_is};

/// What is said of one object's hold of one name.
#[derive(Default)]
struct Said {
    /// It was held at every instant here.
    held: IntervalSet,
    /// It was held at some instant of each of these.
    held_within: Vec<Interval>,
    /// It was not held at any instant here.
    absent: IntervalSet,
    /// It was not held at some instant of each of these.
    absent_within: Vec<Interval>,
}

/// A report of the delta feed that nothing has replaced yet.
struct Report {
    window: Interval,
    names: BTreeSet<(Namespace, u8)>,
    /// No other report of another state may be newer.
    alone: bool,
    /// It is of a round that enumerates everything.
    fresh: bool,
}

/// What rounds without a word prove of a report that stands alone: its names were held from the end of its window on.
struct Silence {
    window: Interval,
    names: Names,
    through: Instant,
}

/// Names in a namespace each, by their numbers.
type Names = BTreeSet<(Namespace, u8)>;

pub struct Oracle {
    said: BTreeMap<(u8, Namespace, u8), Said>,
    /// What is said of all names of an object at once.
    gone: BTreeMap<u8, Said>,
    reports: BTreeMap<u8, Report>,
    silences: BTreeMap<u8, Vec<Silence>>,
    /// When a source other than the feed found an object gone, or tells that it went.
    losses: BTreeMap<u8, BTreeSet<Instant>>,
    /// Who was reported since the last horizon.
    round: BTreeSet<u8>,
    /// Every facts' names by object, so that a profile without them says so.
    known: BTreeMap<u8, Names>,
    profiles: Vec<(u8, Interval, Names)>,
}

impl Oracle {
    pub fn new() -> Self {
        Self {
            said: BTreeMap::new(),
            gone: BTreeMap::new(),
            reports: BTreeMap::new(),
            silences: BTreeMap::new(),
            losses: BTreeMap::new(),
            round: BTreeSet::new(),
            known: BTreeMap::new(),
            profiles: Vec::new(),
        }
    }

    pub fn take(&mut self, fact: &Fact) {
        match fact {
            Fact::Seen(seen) => self.take_seen(seen),
            Fact::Removed(removed) => {
                let who = who_is(removed.object);
                let window = removed.reading.window();
                let gone = self.gone.entry(who).or_default();
                gone.absent_within.push(window);
                if removed.removal == Removal::Purged {
                    gone.absent.extend(&Interval::new(window.until(), Instant::MAX).into_iter().collect());
                }
                // Once gone, only a new report says anything, and one whose window reaches into this one's may be older.
                self.reports.remove(&who);
                if removed.reading.source == Source::Delta {
                    self.round.insert(who);
                    let fresh = removed.reading.unchanged_since.is_none();
                    self.reports.insert(who, Report { window, names: BTreeSet::new(), alone: true, fresh });
                } else if removed.reading.source != Source::Import {
                    self.lose(who, window.from(), removed.reading.at);
                }
            }
            Fact::Changed(changed) => {
                let space = match changed.property {
                    Property::UserPrincipalName => Namespace::Upn,
                    Property::ProxyAddresses => Namespace::Smtp,
                };
                for (values, at) in [(&changed.old, changed.at.pred()), (&changed.new, changed.at)] {
                    let names = values.iter().flatten().filter_map(|name| index_of(name.key()));
                    for name in names.collect::<Vec<_>>() {
                        self.hold_at(changed.object, space, name, at);
                    }
                }
            }
            Fact::Lifecycle(life) => {
                let who = who_is(life.object);
                let span = match life.life {
                    Life::Created => Interval::new(Instant::MIN, life.at),
                    Life::Purged => Interval::new(life.at, Instant::MAX),
                    Life::Deleted => Interval::closed(life.at, life.at),
                    Life::Restored => Interval::closed(life.at.pred(), life.at.pred()),
                };
                let gone = self.gone.entry(who).or_default();
                span.into_iter().for_each(|span| gone.absent.insert(span));
                if matches!(life.life, Life::Deleted | Life::Purged) {
                    self.reports.remove(&who);
                    self.lose(who, life.at, life.at);
                }
                let at = if life.life == Life::Created { life.at } else { life.at.pred() };
                if let Some(name) = life.upn.as_ref().and_then(|upn| index_of(upn.key())) {
                    self.hold_at(life.object, Namespace::Upn, name, at);
                }
            }
            Fact::Horizon(horizon) if horizon.feed == Feed::Delta => {
                // A feed that begins anew does not follow whom only an enumeration that was given up had shown.
                if horizon.from == horizon.through {
                    self.reports.retain(|_, report| report.window.from() >= horizon.from);
                }
                self.close(horizon.through);
            }
            // What was reported before is not followed through the time that nobody saw. The reports of the full round that
            // found this out stand: they come before it in the journal, and a later report must be held against them.
            Fact::Blind(_) => {
                let round = &self.round;
                self.reports.retain(|who, report| report.fresh && round.contains(who));
            }
            _ => {}
        }
    }

    /// The object was gone at some instant from `from` through `at`. What the feed showed before may have been replaced, and
    /// a return may never be announced.
    fn lose(&mut self, who: u8, from: Instant, at: Instant) {
        self.losses.entry(who).or_default().insert(at);
        let silences = self.silences.entry(who).or_default();
        silences.retain(|silence| at < silence.window.from() || silence.window.until() < from);
        for silence in silences.iter_mut().filter(|silence| silence.window.until() < from) {
            silence.through = silence.through.min(from.pred());
        }
    }

    fn hold_at(&mut self, object: ObjectId, space: Namespace, name: u8, at: Instant) {
        if let Some(point) = Interval::closed(at, at) {
            self.said.entry((who_is(object), space, name)).or_default().held.insert(point);
        }
    }

    fn take_seen(&mut self, seen: &Seen) {
        let who = who_is(seen.object);
        let Reading { source, unchanged_since, .. } = seen.reading;
        let window = seen.reading.window();
        let mut names: BTreeSet<(Namespace, u8)> = BTreeSet::new();
        names.extend(seen.profile.upn.iter().filter_map(|upn| Some((Namespace::Upn, index_of(upn.key())?))));
        names.extend(seen.profile.smtp().into_iter().filter_map(|smtp| Some((Namespace::Smtp, index_of(smtp.key())?))));
        for (space, name) in &names {
            self.said.entry((who, *space, *name)).or_default().held_within.push(window);
        }
        self.known.entry(who).or_default().extend(names.iter().copied());
        self.profiles.push((who, window, names.clone()));
        if let Some(before) = seen.profile.created.and_then(|created| Interval::new(Instant::MIN, created)) {
            self.gone.entry(who).or_default().absent.insert(before);
        }
        if source != Source::Delta {
            return;
        }
        self.round.insert(who);
        let before = self.reports.remove(&who);
        let crossed = |before: &Report| before.window.meets(window) && (before.names != names || !before.alone);
        let lost =
            self.losses.get(&who).is_some_and(|losses| losses.range(window.from()..=window.until()).next().is_some());
        let alone = !lost && !before.as_ref().is_some_and(crossed);
        self.reports.insert(who, Report { window, names, alone, fresh: unchanged_since.is_none() });
    }

    /// A round ends: who was not reported in it has not changed through its horizon.
    fn close(&mut self, through: Instant) {
        let round = std::mem::take(&mut self.round);
        for (who, report) in &self.reports {
            if round.contains(who) || !report.alone {
                continue;
            }
            let silences = self.silences.entry(*who).or_default();
            match silences.last_mut().filter(|last| last.window == report.window && last.names == report.names) {
                Some(last) => last.through = through,
                None => silences.push(Silence { window: report.window, names: report.names.clone(), through }),
            }
        }
    }

    /// When the object certainly held the name.
    fn held(&self, who: u8, space: Namespace, name: u8) -> IntervalSet {
        let mut held = self.said.get(&(who, space, name)).map(|said| said.held.clone()).unwrap_or_default();
        let silences = self.silences.get(&who).into_iter().flatten();
        for silence in silences.filter(|silence| silence.names.contains(&(space, name))) {
            held.extend(&Interval::closed(silence.window.until(), silence.through).into_iter().collect());
        }
        held
    }

    /// Whether the facts prove by themselves that the object held the name throughout.
    pub fn proves(&self, who: u8, space: Namespace, name: u8, span: Interval) -> bool {
        self.held(who, space, name).covers(span)
    }

    /// Who, by the facts, certainly held the name throughout.
    pub fn proven_holder(&self, space: Namespace, name: u8, span: Interval) -> Option<u8> {
        let mut proven =
            self.said.keys().filter(|(who, s, n)| *s == space && *n == name && self.proves(*who, *s, *n, span));
        proven.next().map(|(who, ..)| *who)
    }

    /// Whether there is a history, consistent with all facts, in which the object held the name at every instant of the span
    /// in one of the namespaces.
    pub fn allows(&self, who: u8, kind: NameKind, name: u8, span: Interval) -> bool {
        kind.namespaces().iter().any(|space| self.is_whole(who, *space, name, span))
    }

    fn is_whole(&self, who: u8, space: Namespace, name: u8, span: Interval) -> bool {
        let broken = |set: &IntervalSet| set.meets(span);
        let holed = |windows: &[Interval]| windows.iter().any(|window| span.covers(*window));
        let gone = self.gone.get(&who).is_some_and(|gone| broken(&gone.absent) || holed(&gone.absent_within));
        let without = self
            .profiles
            .iter()
            .any(|(of, window, names)| *of == who && span.covers(*window) && !names.contains(&(space, name)));
        // Another one's hold is this one's absence.
        let rivals = self.said.iter().filter(|((of, s, n), _)| *of != who && *s == space && *n == name);
        let taken =
            rivals.into_iter().any(|((of, ..), said)| broken(&self.held(*of, space, name)) || holed(&said.held_within));
        !gone && !without && !taken
    }
}

/// What a product would believe that keeps crisp instants: everything changes at the instant of the poll that shows it.
#[derive(Default)]
pub struct Crisp {
    shown: BTreeMap<u8, Vec<(i64, Names)>>,
}

impl Crisp {
    pub fn take(&mut self, fact: &Fact) {
        let (object, reading, names) = match fact {
            Fact::Seen(seen) if seen.reading.source == Source::Delta => {
                let names = fact.names().into_iter().filter_map(|(space, name)| Some((space, index_of(name.key())?)));
                (seen.object, seen.reading, names.collect())
            }
            Fact::Removed(removed) => (removed.object, removed.reading, BTreeSet::new()),
            _ => return,
        };
        self.shown.entry(who_is(object)).or_default().push((reading.at.as_micros(), names));
    }

    /// Who held the name at an instant, with all polls known.
    pub fn holder(&self, kind: NameKind, name: u8, at: i64) -> Option<u8> {
        kind.namespaces().iter().find_map(|space| {
            let holds = |shown: &Vec<(i64, BTreeSet<(Namespace, u8)>)>| {
                let last = shown.iter().rev().find(|(since, _)| *since <= at)?;
                last.1.contains(&(*space, name)).then_some(last.0)
            };
            let holders = self.shown.iter().filter_map(|(who, shown)| Some((holds(shown)?, *who)));
            holders.max().map(|(_, who)| who)
        })
    }
}
