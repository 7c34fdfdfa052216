//! What is true of a directory: who held which name from when until when. Only the directory's own acts are asked.

use std::collections::{BTreeMap, BTreeSet};

use whowas::domain::id::ObjectId;
use whowas::domain::interval::{Interval, IntervalSet};
use whowas::domain::name::{Name, NameKey, Proxy};
use whowas::domain::time::Instant;
use whowas::domain::timeline::{Role, State};
use whowas::graph::emulator::User;

/// A stretch of time, open if it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    pub from: Instant,
    pub until: Option<Instant>,
}

#[derive(Clone, Debug, Default)]
pub struct Truth {
    pub names: BTreeMap<ObjectId, BTreeMap<(Role, NameKey), Vec<Hold>>>,
    pub lives: BTreeMap<ObjectId, Vec<Hold>>,
    pub states: BTreeMap<ObjectId, State>,
}

impl Truth {
    /// From this instant on an object is so; `None` if it does not live.
    pub fn note(&mut self, at: Instant, id: ObjectId, user: Option<&User>, state: State) {
        self.states.insert(id, state);
        change(self.lives.entry(id).or_default(), user.is_some(), at);
        let held: BTreeSet<(Role, NameKey)> = user.map(names).into_iter().flatten().collect();
        let names = self.names.entry(id).or_default();
        for name in &held {
            names.entry(name.clone()).or_default();
        }
        for (name, holds) in names {
            change(holds, held.contains(name), at);
        }
    }

    /// Names that somebody held and nobody holds.
    pub fn released(&self) -> Vec<NameKey> {
        let mut free: BTreeMap<&NameKey, bool> = BTreeMap::new();
        for ((_, key), holds) in self.names.values().flatten() {
            *free.entry(key).or_insert(true) &= holds.last().is_none_or(|last| last.until.is_some());
        }
        free.into_iter().filter(|(_, is_free)| *is_free).map(|(key, _)| key.clone()).collect()
    }
}

/// The instants of some holds.
pub fn instants(holds: &[Hold]) -> IntervalSet {
    holds.iter().filter_map(|hold| Interval::new(hold.from, hold.until.unwrap_or(Instant::MAX))).collect()
}

fn change(holds: &mut Vec<Hold>, is_so: bool, at: Instant) {
    let open = holds.last_mut().filter(|last| last.until.is_none());
    match (open, is_so) {
        (Some(last), false) => {
            last.until = Some(at);
            // What began and ended in one instant never was.
            if last.from == at {
                holds.pop();
            }
        }
        (None, true) => match holds.last_mut().filter(|last| last.until == Some(at)) {
            Some(last) => last.until = None,
            None => holds.push(Hold { from: at, until: None }),
        },
        _ => {}
    }
}

fn names(user: &User) -> Vec<(Role, NameKey)> {
    let key = |name: &Name| name.key().clone();
    let mut all = vec![(Role::Upn, key(&user.upn.parse().unwrap()))];
    for proxy in &user.proxies {
        if let Some(name) = Proxy::parse(proxy).unwrap().smtp() {
            all.push((Role::Smtp, key(name)));
            if proxy.starts_with("SMTP:") {
                all.push((Role::Primary, key(name)));
            }
        }
    }
    all
}
