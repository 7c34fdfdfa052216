//! What is so: every object's state at every instant, and the audit log that the directory writes of it.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use whowas::domain::fact::{Changed, Fact, Life, Lifecycle, Profile, Property};
use whowas::domain::id::ObjectId;
use whowas::domain::interval::{Interval, IntervalSet};
use whowas::domain::name::{Name, NameKey, NameKind, Namespace, Proxy};
use whowas::domain::time::Instant;

use super::dice::Dice;

pub const SECOND: i64 = 1_000_000;
pub const MINUTE: i64 = 60 * SECOND;
pub const HOUR: i64 = 60 * MINUTE;
pub const DAY: i64 = 24 * HOUR;
pub const NAMES_MAX: usize = 128;

pub fn person(who: u8) -> ObjectId {
    ObjectId::from_bytes([who + 1; 16])
}

pub fn who_is(object: ObjectId) -> u8 {
    object.as_bytes()[0] - 1
}

pub fn instant(micros: i64) -> Instant {
    Instant::from_micros(micros)
}

/// Two domains share the prefixes: name 2p is p in the old domain, 2p + 1 in the new one. Two spellings each.
pub fn name(index: u8, spelling: usize) -> &'static Name {
    static NAMES: OnceLock<Vec<[Name; 2]>> = OnceLock::new();
    let names = NAMES.get_or_init(|| {
        let spell = |index: usize, prefix: &str| {
            let domain = if index.is_multiple_of(2) { "old.test" } else { "x.test" };
            format!("{prefix}{}@{domain}", index / 2).parse().unwrap()
        };
        (0..NAMES_MAX).map(|index| [spell(index, "n"), spell(index, "N")]).collect()
    });
    &names[usize::from(index)][spelling % 2]
}

pub fn key(index: u8) -> &'static NameKey {
    name(index, 0).key()
}

pub fn index_of(name: &NameKey) -> Option<u8> {
    let (prefix, domain) = name.as_str().strip_prefix('n')?.split_once('@')?;
    Some(prefix.parse::<u8>().ok()? * 2 + u8::from(domain == "x.test"))
}

pub fn whole_second(at: i64) -> i64 {
    at.div_euclid(SECOND) * SECOND
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Unborn,
    Live,
    Binned,
    Purged,
}

/// An object at an instant. In the recycle bin it keeps the names it had, but holds none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    pub phase: Phase,
    pub upn: u8,
    /// The first one is primary.
    pub smtp: Vec<u8>,
    pub deleted: i64,
}

impl State {
    pub fn holds(&self, space: Namespace, name: u8) -> bool {
        self.phase == Phase::Live
            && match space {
                Namespace::Upn => self.upn == name,
                Namespace::Smtp => self.smtp.contains(&name),
            }
    }
}

/// An event of the audit log, and when the log shows it.
#[derive(Clone, Debug)]
pub struct Event {
    pub visible: i64,
    pub facts: Vec<Fact>,
}

pub struct Directory {
    states: Vec<Vec<(i64, State)>>,
    pub created: Vec<Option<i64>>,
    /// Whether the directory tells when this object was created; it does not for very old ones.
    tells_created: Vec<bool>,
    /// Changes that the delta feed does not announce.
    pub silent: BTreeSet<(u8, i64)>,
    pub log: Vec<Event>,
    /// Times without a licence: no mailbox opens.
    gaps: Vec<(u8, i64, i64)>,
    names: u8,
    /// Whether a name may be one object's UPN and another's address.
    crosses: bool,
    audit_lag: i64,
    log_from: i64,
    pub changes: u64,
    events: u64,
}

impl Directory {
    pub fn new(objects: u8, names: u8, crosses: bool, audit_lag: i64, log_from: i64) -> Self {
        let unborn = State { phase: Phase::Unborn, upn: 0, smtp: Vec::new(), deleted: 0 };
        Self {
            states: (0..objects).map(|_| vec![(i64::MIN, unborn.clone())]).collect(),
            created: vec![None; usize::from(objects)],
            tells_created: vec![false; usize::from(objects)],
            silent: BTreeSet::new(),
            log: Vec::new(),
            gaps: Vec::new(),
            names,
            crosses,
            audit_lag,
            log_from,
            changes: 0,
            events: 0,
        }
    }

    pub fn objects(&self) -> u8 {
        u8::try_from(self.states.len()).unwrap()
    }

    pub fn names(&self) -> u8 {
        self.names
    }

    pub fn at(&self, who: u8, time: i64) -> &State {
        let states = &self.states[usize::from(who)];
        &states[states.partition_point(|(since, _)| *since <= time) - 1].1
    }

    pub fn now(&self, who: u8) -> &State {
        &self.states[usize::from(who)].last().unwrap().1
    }

    /// The changes of an object in `(after, by]`, without those that the feed keeps silent about.
    pub fn is_announced(&self, who: u8, after: i64, by: i64) -> bool {
        let states = &self.states[usize::from(who)];
        let start = states.partition_point(|(since, _)| *since <= after);
        states[start..]
            .iter()
            .take_while(|(since, _)| *since <= by)
            .any(|(since, _)| !self.silent.contains(&(who, *since)))
    }

    pub fn holder(&self, space: Namespace, name: u8, time: i64) -> Option<u8> {
        (0..self.objects()).find(|who| self.at(*who, time).holds(space, name))
    }

    fn holder_now(&self, space: Namespace, name: u8) -> Option<u8> {
        (0..self.objects()).find(|who| self.now(*who).holds(space, name))
    }

    /// Everyone who held the name in one of the namespaces at some instant of `[from, until]`.
    pub fn holders(&self, kind: NameKind, name: u8, from: i64, until: i64) -> BTreeSet<u8> {
        let meets = |who: &u8| {
            let states = &self.states[usize::from(*who)];
            let ends = states.iter().skip(1).map(|(since, _)| *since).chain([i64::MAX]);
            states.iter().zip(ends).any(|((since, state), end)| {
                *since <= until && end > from && kind.namespaces().iter().any(|space| state.holds(*space, name))
            })
        };
        (0..self.objects()).filter(meets).collect()
    }

    /// The instants up to `now` at which the object held the name.
    pub fn held(&self, who: u8, now: i64, holds: impl Fn(&State) -> bool) -> IntervalSet {
        let states = &self.states[usize::from(who)];
        let ends = states.iter().skip(1).map(|(since, _)| *since).chain([now + 1]);
        states
            .iter()
            .zip(ends)
            .filter(|((_, state), _)| holds(state))
            .filter_map(|((since, _), end)| Interval::new(instant(*since), instant(end)))
            .collect()
    }

    pub fn is_licensed(&self, who: u8, time: i64) -> bool {
        !self.gaps.iter().any(|(object, from, until)| *object == who && *from <= time && time < *until)
    }

    /// The mailbox that a name opens at an instant of the directory: the UPN's holder, else the address's.
    pub fn opens(&self, kind: NameKind, name: u8, time: i64) -> Option<u8> {
        kind.namespaces().iter().find_map(|space| self.holder(*space, name, time))
    }

    fn is_free(&self, name: u8, but: u8) -> bool {
        let free = |space| self.holder_now(space, name).is_none_or(|who| who == but);
        free(Namespace::Upn) && (self.crosses || free(Namespace::Smtp))
    }

    fn free_name(&self, wanted: u8, but: u8) -> Option<u8> {
        (0..self.names).map(|step| (wanted + step) % self.names).find(|name| self.is_free(*name, but))
    }

    fn set(&mut self, who: u8, now: i64, state: State) {
        self.changes += 1;
        self.states[usize::from(who)].push((now, state));
    }

    pub fn profile(&self, who: u8, state: &State) -> Profile {
        let spelling = usize::from(who);
        let mut proxies: Vec<Proxy> = Vec::with_capacity(state.smtp.len());
        for (place, smtp) in state.smtp.iter().enumerate() {
            let smtp = name(*smtp, spelling).clone();
            proxies.push(if place == 0 { Proxy::Primary(smtp) } else { Proxy::Alias(smtp) });
        }
        let created = self.created[usize::from(who)].filter(|_| self.tells_created[usize::from(who)]);
        Profile {
            upn: Some(name(state.upn, spelling).clone()),
            mail: state.smtp.first().map(|smtp| name(*smtp, spelling).clone()),
            proxies,
            created: created.map(|at| instant(whole_second(at))),
            ..Profile::default()
        }
    }

    pub fn create(&mut self, who: u8, wanted: u8, now: i64, dice: &mut Dice) -> bool {
        if self.now(who).phase != Phase::Unborn {
            return false;
        }
        let Some(upn) = self.wish(wanted, who, dice) else { return false };
        let smtp = self.holder_now(Namespace::Smtp, upn).is_none().then_some(upn).into_iter().collect();
        self.created[usize::from(who)] = Some(now);
        self.tells_created[usize::from(who)] = dice.chance(80);
        self.set(who, now, State { phase: Phase::Live, upn, smtp, deleted: 0 });
        let told = dice.chance(85).then_some(upn);
        self.lived(who, now, Life::Created, told, dice);
        true
    }

    pub fn rename(&mut self, who: u8, wanted: u8, keep: bool, now: i64, dice: &mut Dice) -> bool {
        if self.now(who).phase != Phase::Live {
            return false;
        }
        let Some(to) = self.wish(wanted, who, dice).filter(|to| *to != self.now(who).upn) else { return false };
        self.move_to(who, to, keep, now, dice);
        true
    }

    /// Everyone takes the next one's UPN, the last one the first one's, at one instant.
    pub fn rotate(&mut self, people: &[u8], now: i64, dice: &mut Dice) -> bool {
        let distinct: BTreeSet<u8> = people.iter().copied().collect();
        if distinct.len() != people.len() || people.iter().any(|who| self.now(*who).phase != Phase::Live) {
            return false;
        }
        let before: Vec<State> = people.iter().map(|who| self.now(*who).clone()).collect();
        let keep = dice.chance(40);
        for (place, who) in people.iter().enumerate() {
            let (old, next) = (&before[place], &before[(place + 1) % before.len()]);
            // Addresses either stay where they are, or go along with the UPN.
            let smtp = if keep { old.smtp.clone() } else { next.smtp.clone() };
            if self.crosses || !keep {
                self.become_(*who, State { upn: next.upn, smtp, ..old.clone() }, now, dice);
            }
        }
        true
    }

    pub fn rename_back(&mut self, who: u8, now: i64, dice: &mut Dice) -> bool {
        let states = &self.states[usize::from(who)];
        let upn = self.now(who).upn;
        let Some(old) =
            states.iter().rev().map(|(_, state)| state).find(|state| state.phase == Phase::Live && state.upn != upn)
        else {
            return false;
        };
        let old = old.upn;
        self.rename(who, old, false, now, dice)
    }

    /// Takes a name that the other one had and has no more.
    pub fn inherit(&mut self, who: u8, of: u8, now: i64, dice: &mut Dice) -> bool {
        let states = &self.states[usize::from(of)];
        let upn = self.now(of).upn;
        let gone = self.now(of).phase != Phase::Live;
        let old = states
            .iter()
            .rev()
            .map(|(_, state)| state)
            .find(|state| state.phase == Phase::Live && (gone || state.upn != upn));
        let Some(old) = old.map(|state| state.upn).filter(|old| self.is_free(*old, who)) else { return false };
        if self.now(who).phase == Phase::Unborn {
            self.create(who, old, now, dice)
        } else {
            self.rename(who, old, dice.chance(40), now, dice)
        }
    }

    /// Takes an address, or drops it.
    pub fn address(&mut self, who: u8, name: u8, now: i64, dice: &mut Dice) -> bool {
        let mut state = self.now(who).clone();
        if state.phase != Phase::Live {
            return false;
        }
        if let Some(place) = state.smtp.iter().position(|smtp| *smtp == name) {
            state.smtp.remove(place);
        } else {
            let upn_of_other = self.holder_now(Namespace::Upn, name).is_some_and(|holder| holder != who);
            if self.holder_now(Namespace::Smtp, name).is_some() || (upn_of_other && !self.crosses) {
                return false;
            }
            let place = if dice.chance(25) { 0 } else { state.smtp.len() };
            state.smtp.insert(place, name);
        }
        self.become_(who, state, now, dice);
        true
    }

    /// An address goes from one to another at one instant.
    pub fn hand_over(&mut self, from: u8, to: u8, now: i64, dice: &mut Dice) -> bool {
        let (mut giver, mut taker) = (self.now(from).clone(), self.now(to).clone());
        if from == to || giver.phase != Phase::Live || taker.phase != Phase::Live || giver.smtp.is_empty() {
            return false;
        }
        let place = dice.index(giver.smtp.len());
        if giver.smtp[place] == giver.upn && !self.crosses {
            return false;
        }
        let name = giver.smtp.remove(place);
        taker.smtp.push(name);
        self.become_(from, giver, now, dice);
        self.become_(to, taker, now, dice);
        true
    }

    pub fn delete(&mut self, who: u8, now: i64, dice: &mut Dice) -> bool {
        let state = self.now(who).clone();
        if state.phase != Phase::Live {
            return false;
        }
        let upn = state.upn;
        self.set(who, now, State { phase: Phase::Binned, deleted: now, ..state });
        let told = dice.chance(85).then_some(upn);
        self.lived(who, now, Life::Deleted, told, dice);
        true
    }

    pub fn restore(&mut self, who: u8, silent: bool, now: i64, dice: &mut Dice) -> bool {
        let mut state = self.now(who).clone();
        if state.phase != Phase::Binned {
            return false;
        }
        let Some(upn) = self.free_name(state.upn, who) else { return false };
        state.smtp.retain(|smtp| {
            self.holder_now(Namespace::Smtp, *smtp).is_none()
                && (self.crosses || self.holder_now(Namespace::Upn, *smtp).is_none())
        });
        self.set(who, now, State { phase: Phase::Live, upn, deleted: 0, ..state });
        if silent {
            self.silent.insert((who, now));
        }
        self.lived(who, now, Life::Restored, None, dice);
        true
    }

    pub fn purge(&mut self, who: u8, now: i64, dice: &mut Dice) -> bool {
        let state = self.now(who).clone();
        if state.phase != Phase::Binned {
            return false;
        }
        self.set(who, now, State { phase: Phase::Purged, ..state });
        self.lived(who, now, Life::Purged, None, dice);
        true
    }

    /// The company moves from the old domain to the new one; who cannot, stays.
    pub fn change_domain(&mut self, now: i64, dice: &mut Dice) -> bool {
        let mut any = false;
        let keep = dice.chance(70);
        for who in 0..self.objects() {
            let upn = self.now(who).upn;
            if self.now(who).phase == Phase::Live
                && upn.is_multiple_of(2)
                && upn + 1 < self.names
                && self.is_free(upn + 1, who)
                && dice.chance(90)
            {
                self.move_to(who, upn + 1, keep, now, dice);
                any = true;
            }
        }
        any
    }

    pub fn lose_licence(&mut self, who: u8, from: i64, until: i64) {
        self.gaps.push((who, from, until));
    }

    /// The name wanted, or for most wishes the next free one.
    fn wish(&self, wanted: u8, who: u8, dice: &mut Dice) -> Option<u8> {
        let wanted = wanted % self.names;
        if dice.chance(70) { self.free_name(wanted, who) } else { Some(wanted).filter(|name| self.is_free(*name, who)) }
    }

    fn move_to(&mut self, who: u8, to: u8, keep: bool, now: i64, dice: &mut Dice) {
        let mut state = self.now(who).clone();
        let old = std::mem::replace(&mut state.upn, to);
        state.smtp.retain(|smtp| *smtp != to && (keep || *smtp != old));
        if self.holder_now(Namespace::Smtp, to).is_none_or(|holder| holder == who) {
            state.smtp.insert(0, to);
        }
        self.become_(who, state, now, dice);
    }

    fn become_(&mut self, who: u8, new: State, now: i64, dice: &mut Dice) {
        let old = self.now(who).clone();
        let spelled = |names: &[u8]| names.iter().map(|n| name(*n, usize::from(who)).clone()).collect::<Vec<_>>();
        let mut facts = Vec::new();
        let event = self.event_id();
        let mut changed = |property, old: &[u8], new: &[u8], dice: &mut Dice| {
            let (old, new) = (dice.chance(85).then(|| spelled(old)), dice.chance(85).then(|| spelled(new)));
            let event = event.clone();
            facts.push(Fact::Changed(Changed { object: person(who), at: instant(now), event, property, old, new }));
        };
        if old.upn != new.upn {
            changed(Property::UserPrincipalName, &[old.upn], &[new.upn], dice);
        }
        // Address changes made in Exchange are not in the directory's log.
        if old.smtp != new.smtp && dice.chance(50) {
            changed(Property::ProxyAddresses, &old.smtp, &new.smtp, dice);
        }
        self.log_event(facts, now, dice);
        self.set(who, now, new);
    }

    fn lived(&mut self, who: u8, now: i64, life: Life, upn: Option<u8>, dice: &mut Dice) {
        let upn = upn.map(|upn| name(upn, usize::from(who)).clone());
        let event = self.event_id();
        let fact = Lifecycle { object: person(who), at: instant(now), event, life, upn };
        self.log_event(vec![Fact::Lifecycle(fact)], now, dice);
    }

    fn event_id(&mut self) -> String {
        self.events += 1;
        format!("e{}", self.events)
    }

    fn log_event(&mut self, facts: Vec<Fact>, now: i64, dice: &mut Dice) {
        let delay = match dice.below(4) {
            0 => 0,
            1 => self.audit_lag,
            2 => dice.between(0, 15 * MINUTE),
            _ => dice.between(0, self.audit_lag),
        };
        if !facts.is_empty() && now >= self.log_from {
            self.log.push(Event { visible: now + delay.min(self.audit_lag), facts });
        }
    }
}
