//! Backup agents: what they ask, what they open, whose data they really write, and what they report.

use std::collections::BTreeSet;
use std::time::Duration;

use whowas::domain::fact::{Addressed, Fact, Receipt, Snapshot, SnapshotExpired};
use whowas::domain::id::{ChainId, ObjectId, SnapshotId};
use whowas::domain::interval::{Interval, IntervalSet};
use whowas::domain::name::NameKind;
use whowas::domain::verdict::{Action, Ask, Policy};
use whowas::ledger::KnownAt;

use super::dice::Dice;
use super::score::{Fault, Wrong};
use super::script::{Receipts, Style};
use super::sim::{Sim, TENANT};
use super::truth::{Phase, SECOND, index_of, instant, name, person, who_is, whole_second};

/// What an agent has on its mind.
#[derive(Default)]
pub struct AgentState {
    /// Its chain's number: a full begins a new chain.
    chain: u32,
    snapshots: u32,
    may: Option<Permission>,
    /// Snapshots that it will report later.
    queue: Vec<Fact>,
}

/// What the last verdict allowed.
struct Permission {
    at: i64,
    object: u8,
    chain: ChainId,
}

/// A snapshot that was really taken.
#[derive(Clone, Debug)]
pub struct Taken {
    pub chain: ChainId,
    pub id: SnapshotId,
    pub from: i64,
    pub until: i64,
    /// By which name, if by name.
    pub name: Option<(u8, NameKind)>,
    /// Whose data it holds.
    pub owners: BTreeSet<u8>,
    pub receipt: Option<(u8, Option<u8>)>,
    pub told: bool,
}

impl Sim<'_> {
    pub fn chain(&self, agent: u8) -> ChainId {
        format!("c{agent}.{}", self.agents[usize::from(agent)].chain).parse().unwrap()
    }

    pub fn ask(&mut self, agent: u8, dice: &mut Dice) {
        let plan = &self.script.agents[usize::from(agent)];
        self.agents[usize::from(agent)].may = None;
        let chain = dice.chance(85).then(|| self.chain(agent));
        let by_id = plan.style == Style::IdAsking;
        let ask = Ask {
            chain,
            name: (!by_id).then(|| name(plan.name, 0).clone()),
            kind: plan.kind,
            object: by_id.then(|| person(plan.who)),
            ..Ask::default()
        };
        let stale = plan.style == Style::NameAskingStale;
        let policy = match stale {
            true => Policy { name_max_age: Duration::from_secs(3_600), ..self.policy() },
            false => self.policy(),
        };
        let live = !stale && (!by_id || dice.chance(30));
        let date = if live { self.read_live(&ask, &policy, dice) } else { self.now };
        if self.fault.is_some() {
            return;
        }
        let checked = self.ledger.check(TENANT, &ask, &policy, instant(date), KnownAt::Now, None).unwrap();
        let verdict = checked.verdict;
        self.note(|| {
            let of = verdict.object.map(who_is);
            let (name, chain, object) = (ask.name.as_ref(), ask.chain.as_ref(), ask.object.map(who_is));
            let asked = format!("{} {:?} of chain {} object {object:?}", show(name), ask.kind, show(chain));
            format!("    asked {asked}, live {live}: {:?} {of:?} base {}", verdict.outcome, show(verdict.base.as_ref()))
        });
        self.tally.asks += 1;
        let action = verdict.outcome.action();
        if !matches!(action, Action::Incremental | Action::Full) {
            return;
        }
        self.tally.allowed += 1;
        let wrong =
            self.wrongly_allowed(&ask, action, verdict.object, verdict.chain.clone().zip(verdict.base.clone()), date);
        if let Some(why) = wrong {
            if by_id || live {
                self.fail(Fault {
                    wrong: Wrong::Verdict,
                    what: format!("{why}: {:?} of {:?}: {:?}", verdict.outcome, verdict.object, verdict.reasons),
                });
                return;
            }
            self.tally.stale_verdicts_wrong += 1;
        }
        let Some(object) = verdict.object else { return };
        if action == Action::Full {
            self.agents[usize::from(agent)].chain += 1;
        }
        let chain = verdict.chain.filter(|_| action == Action::Incremental).unwrap_or_else(|| self.chain(agent));
        self.agents[usize::from(agent)].may = Some(Permission { at: self.now, object: who_is(object), chain });
    }

    /// Why writing what the verdict allows would put one person's data where another's belongs, if it would.
    fn wrongly_allowed(
        &self,
        ask: &Ask,
        action: Action,
        object: Option<ObjectId>,
        place: Option<(ChainId, SnapshotId)>,
        date: i64,
    ) -> Option<String> {
        let Some(object) = object else { return Some("no object to open".to_owned()) };
        let who = who_is(object);
        if ask.object.is_some_and(|asked| asked != object) {
            return Some("another object than the one asked for".to_owned());
        }
        if action == Action::Incremental {
            let place = place.as_ref().and_then(|place| self.places.get(place));
            let Some(base) = place.map(|place| &self.taken[*place]) else {
                return Some("an incremental on nothing".to_owned());
            };
            if base.owners != BTreeSet::from([who]) {
                return Some(format!(
                    "builds on {} of {}, which holds the data of {:?}",
                    base.id, base.chain, base.owners
                ));
            }
        }
        let asked = ask.name.as_ref()?;
        // A live read counts as made now for a while, and may itself trail behind.
        let from = date - 2 * self.script.knobs.read_lag;
        let index = index_of(asked.key()).unwrap();
        let held = self.directory.holders(ask.kind, index, from, self.now).contains(&who);
        // No read of the directory finds who took an address, so an incremental of the chain's own object by its id is right
        // though somebody unseen holds the address.
        let kind = if ask.kind == NameKind::Any && action == Action::Incremental { NameKind::Upn } else { ask.kind };
        let holders = self.directory.holders(kind, index, from, self.now);
        match action {
            // A name that nobody holds any more may still say which chain is meant.
            Action::Incremental if held || self.was_free(kind, index, from) => None,
            Action::Full if held => None,
            _ => Some(format!("{asked} was held by {holders:?}")),
        }
    }

    /// Whether there was an instant, from that one on, at which nobody held the name. A read within its width may have met it.
    fn was_free(&self, kind: NameKind, index: u8, from: i64) -> bool {
        let mut held = IntervalSet::new();
        for who in 0..self.script.knobs.objects {
            held.extend(
                &self
                    .directory
                    .held(who, self.now, |state| kind.namespaces().iter().any(|space| state.holds(*space, index))),
            );
        }
        !Interval::closed(instant(from), instant(self.now)).is_some_and(|window| held.covers(window))
    }

    /// Takes a snapshot that ends now.
    pub fn read(&mut self, agent: u8, for_: i64, dice: &mut Dice) {
        let plan = self.script.agents[usize::from(agent)].clone();
        let mut from = self.now - for_;
        let may = self.agents[usize::from(agent)].may.take();
        let by_id = |who: u8| (None, Some(who));
        let mut chain = self.chain(agent);
        let (by_name, object) = match plan.style {
            Style::Id => by_id(plan.who),
            Style::Name => (Some((plan.name, plan.kind)), None),
            Style::Lookup => {
                let seen_at = from - dice.between(0, self.script.knobs.read_lag);
                match self.directory.opens(plan.kind, plan.name, seen_at) {
                    Some(who) => by_id(who),
                    None => return,
                }
            }
            Style::IdAsking | Style::NameAsking | Style::NameAskingStale | Style::NameAskingOpensName => {
                let Some(may) = may else { return };
                from = from.max(may.at);
                chain = may.chain;
                if plan.style == Style::NameAskingOpensName {
                    (Some((plan.name, plan.kind)), None)
                } else {
                    by_id(may.object)
                }
            }
        };
        let Some(read) = self.open(by_name, object, from, dice) else {
            self.note(|| "    no mailbox opened".to_owned());
            return;
        };
        let (until, first, last) = read;
        let receipt = match plan.receipts {
            Receipts::None => None,
            Receipts::Start => Some((first, None)),
            Receipts::Both => Some((first, Some(last))),
            Receipts::Sometimes => dice.chance(40).then(|| (first, dice.chance(60).then_some(last))),
        };
        let state = &mut self.agents[usize::from(agent)];
        state.snapshots += 1;
        let id: SnapshotId = format!("a{agent}s{}", state.snapshots).parse().unwrap();
        // Some agents write down whole seconds: a span that holds the true one.
        let (from, until) = match dice.chance(50) {
            true => (whole_second(from), whole_second(until - 1) + SECOND),
            false => (from, until),
        };
        let taken = Taken {
            chain: chain.clone(),
            id: id.clone(),
            from,
            until,
            name: by_name,
            owners: BTreeSet::from([first, last]),
            receipt,
            told: !plan.late,
        };
        self.note(|| format!("    wrote {taken:?}"));
        self.places.insert((chain.clone(), id.clone()), self.taken.len());
        self.taken.push(taken);
        let addressed = match (by_name, object) {
            (Some((index, kind)), _) => Addressed::Name(name(index, dice.index(2)).clone(), kind),
            (None, object) => Addressed::Object(person(object.unwrap_or(first))),
        };
        let snapshot = Snapshot {
            chain: chain.clone(),
            id: id.clone(),
            from: instant(from),
            until: instant(until),
            addressed,
            mailbox: None,
        };
        let mut facts = vec![Fact::SnapshotTaken(snapshot)];
        facts.extend(receipt.map(|(first, last)| {
            let (object, object_end) = (person(first), last.map(person));
            Fact::Receipt(Receipt { chain, snapshot: id, object, mailbox: None, object_end, mailbox_end: None })
        }));
        self.now = self.now.max(until);
        if plan.late {
            self.agents[usize::from(agent)].queue.extend(facts);
        } else if dice.chance(50) {
            self.tell(facts);
        } else {
            for fact in facts {
                self.tell(vec![fact]);
            }
        }
    }

    /// When the read ended, and whose mailbox was open at its start and at its end. A name is resolved at the start and at
    /// most once again on the way; each time it opens, at random, what it meant at some instant of the last `propagation`.
    fn open(
        &self,
        by_name: Option<(u8, NameKind)>,
        object: Option<u8>,
        from: i64,
        dice: &mut Dice,
    ) -> Option<(i64, u8, u8)> {
        let now = self.now;
        let mut resolve = |at: i64| {
            let meant = match dice.below(4) {
                0 | 1 => at,
                2 => at - self.script.knobs.propagation,
                _ => dice.between(at - self.script.knobs.propagation, at),
            };
            let found = match (by_name, object) {
                (Some((index, kind)), _) => self.directory.opens(kind, index, meant),
                (None, who) => who.filter(|who| self.directory.at(*who, meant).phase == Phase::Live),
            };
            found.filter(|who| self.directory.is_licensed(*who, at))
        };
        let first = resolve(from)?;
        if by_name.is_none() || now - from < 2 {
            return Some((now, first, first));
        }
        let again = from + 1 + (now - from) / 2;
        match resolve(again) {
            Some(last) => Some((now, first, last)),
            // The mailbox is gone: what was read until then is what there is.
            None => Some((again, first, first)),
        }
    }

    pub fn catalogue(&mut self, agent: u8) {
        let facts = std::mem::take(&mut self.agents[usize::from(agent)].queue);
        if facts.is_empty() {
            return;
        }
        for fact in &facts {
            if let Fact::SnapshotTaken(snapshot) = fact {
                let place = self.places[&(snapshot.chain.clone(), snapshot.id.clone())];
                self.taken[place].told = true;
            }
        }
        self.tell(facts);
    }

    pub fn expire(&mut self, agent: u8, dice: &mut Dice) {
        let chain = self.chain(agent);
        let own: Vec<SnapshotId> = self
            .taken
            .iter()
            .filter(|taken| taken.chain == chain && taken.told)
            .map(|taken| taken.id.clone())
            .collect();
        if !own.is_empty() {
            let snapshot = own[dice.index(own.len())].clone();
            self.tell(vec![Fact::SnapshotExpired(SnapshotExpired { chain, snapshot })]);
        }
    }
}

fn show(what: Option<&impl ToString>) -> String {
    what.map_or_else(|| "-".to_owned(), ToString::to_string)
}
