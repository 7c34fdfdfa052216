//! What the directory says: rounds of the delta feed, reconciles, live reads, the audit log, old exports. The facts are
//! those that `whowas::sync` makes of the same answers, in the same commits.

use std::collections::BTreeSet;

use whowas::domain::fact::{
    Blind, Fact, Feed as FeedName, Horizon, Life, Reading, Removal, Removed, RoundBegan, Seen, Source, Vacant,
};
use whowas::domain::id::ObjectId;
use whowas::domain::name::NameKind;
use whowas::domain::time::Instant;
use whowas::domain::timeline::State as Standing;
use whowas::domain::verdict::{Ask, Policy};
use whowas::ledger::KnownAt;

use super::dice::Dice;
use super::script::START;
use super::sim::{Sim, TENANT, micros};
use super::truth::{Phase, SECOND, index_of, instant, name, person, who_is, whole_second};

/// Where the delta feed and the audit log stand.
pub struct Feed {
    /// As of when the feed has shown each object; `None` before the first round.
    token: Option<Vec<i64>>,
    horizon: Option<i64>,
    proven: Option<i64>,
    open: Option<Open>,
    /// Users of so short a life that the feed never shows them.
    shown: BTreeSet<u8>,
    audit_through: Option<i64>,
    sent: usize,
    unsent: Vec<Fact>,
    log: Vec<Fact>,
}

/// A round of which some pages are committed.
struct Open {
    started: i64,
    /// Where the feed stood when it began.
    began: Option<Vec<i64>>,
    pending: Vec<i64>,
    /// The objects of the pages to come.
    pages: Vec<Vec<u8>>,
    reported: BTreeSet<u8>,
    committed: bool,
    why: &'static str,
}

impl Feed {
    pub fn new(objects: u8) -> Self {
        _ = objects;
        Self {
            token: None,
            horizon: None,
            proven: None,
            open: None,
            shown: BTreeSet::new(),
            audit_through: None,
            sent: 0,
            unsent: Vec::new(),
            log: Vec::new(),
        }
    }
}

/// The state that an answer of `date`, given at `now`, shows: that of some instant up to `lag` before.
fn as_of(dice: &mut Dice, date: i64, now: i64, lag: i64) -> i64 {
    match dice.below(5) {
        0 | 1 => now,
        2 => date - lag,
        3 => (date - lag).max(now - dice.between(0, 20 * SECOND)),
        _ => dice.between(date - lag, now),
    }
}

impl Sim<'_> {
    pub fn poll(&mut self, pages: u8, crash: bool, dice: &mut Dice) {
        self.tally.readings += 1;
        if self.feed.open.is_some() && dice.chance(20) {
            // The page token has expired: the round begins anew where it began.
            let open = self.feed.open.take();
            self.feed.token = open.and_then(|open| open.began);
        }
        if self.feed.open.is_none() {
            self.begin(self.feed.token.clone(), pages, "the feed was started anew", dice);
        }
        self.go_on(crash, dice);
    }

    pub fn resync(&mut self, pages: u8, dice: &mut Dice) {
        self.tally.readings += 1;
        let through = self.horizon_of(whole_second(self.now));
        if self.feed.proven.is_some_and(|before| through <= before) {
            // The sync waits for the directory's clock, or gives up.
            return;
        }
        self.feed.horizon = None;
        self.begin(None, pages, "the sync token had expired", dice);
        self.go_on(false, dice);
    }

    fn horizon_of(&self, started: i64) -> i64 {
        self.widths().horizon(instant(started)).as_micros()
    }

    fn begin(&mut self, token: Option<Vec<i64>>, pages: u8, why: &'static str, dice: &mut Dice) {
        let objects = self.directory.objects();
        let count = usize::from(pages.max(1));
        let mut list = vec![Vec::new(); count];
        let mut order: Vec<u8> = (0..objects).collect();
        dice.shuffle(&mut order);
        for who in order {
            let page = dice.index(count);
            list[page].push(who);
            // Sometimes an object stands on two pages of one round.
            if dice.chance(5) {
                list[dice.index(count)].push(who);
            }
        }
        list.reverse();
        let pending = token.clone().unwrap_or_else(|| vec![i64::MIN; usize::from(objects)]);
        if token.is_none() {
            self.feed.horizon = None;
            self.feed.shown.clear();
        }
        let started = whole_second(self.now);
        self.feed.open = Some(Open {
            started,
            began: token,
            pending,
            pages: list,
            reported: BTreeSet::new(),
            committed: false,
            why,
        });
    }

    fn go_on(&mut self, crash: bool, dice: &mut Dice) {
        let Some(mut open) = self.feed.open.take() else { return };
        while let Some(page) = open.pages.pop() {
            let before = (open.pending.clone(), open.reported.clone());
            let mut facts = self.page(&mut open, &page, dice);
            if open.pages.is_empty() && !crash {
                self.finish(open, facts, dice);
                return;
            }
            if crash && (open.pages.is_empty() || dice.chance(50)) {
                // The process dies before the page is committed. It is read again, later; what nothing is known of begins
                // anew.
                (open.pending, open.reported) = before;
                open.pages.push(page);
                self.feed.open = Some(open).filter(|open| open.committed);
                return;
            }
            if !open.committed {
                facts.insert(0, Fact::RoundBegan(RoundBegan { started: instant(open.started) }));
            }
            open.committed = true;
            self.tell(facts);
            if crash {
                self.feed.open = Some(open);
                return;
            }
            self.now += dice.between(1, 20) * SECOND / 10;
        }
    }

    fn page(&mut self, open: &mut Open, page: &[u8], dice: &mut Dice) -> Vec<Fact> {
        let (now, date, lag) = (self.now, whole_second(self.now), self.script.knobs.lag);
        let unchanged_since = self.feed.horizon.map(instant);
        let reading = Reading { at: instant(date), lag: micros(lag), source: Source::Delta, unchanged_since };
        let mut facts = Vec::new();
        for who in page {
            let place = usize::from(*who);
            let seen_at = as_of(dice, date, now, lag);
            let first = open.began.is_none();
            let changed = !first && self.directory.is_announced(*who, open.pending[place], seen_at);
            let state = self.directory.at(*who, seen_at).clone();
            // Only what the feed has shown before can come again.
            let again = dice.chance(4) && state.phase == Phase::Live && self.feed.shown.contains(who);
            let was = self.directory.at(*who, open.pending[place]).phase;
            let never_shown = state.phase != Phase::Live && !self.feed.shown.contains(who) && dice.chance(60);
            let told = match state.phase {
                Phase::Unborn => false,
                Phase::Live => first || changed || again,
                // The purge of what the feed has shown to be in the bin is not always announced.
                Phase::Purged if was == Phase::Binned => changed && dice.chance(60),
                _ => changed && !never_shown,
            };
            if !first {
                open.pending[place] = open.pending[place].max(seen_at);
            } else if told || !open.reported.contains(who) {
                // Who went away after an earlier page of this round had shown them is announced by the next one.
                open.pending[place] = seen_at;
            }
            if told {
                self.feed.shown.insert(*who);
                open.reported.insert(*who);
                let marked = !dice.chance(15);
                facts.push(self.fact(*who, seen_at, reading, marked));
            }
        }
        facts
    }

    fn finish(&mut self, open: Open, mut facts: Vec<Fact>, dice: &mut Dice) {
        let through = self.horizon_of(open.started);
        let through = self.feed.horizon.map_or(through, |horizon| horizon.max(through));
        if let (None, Some(before)) = (self.feed.horizon, self.feed.proven) {
            let missing = self.missing(|object, known| {
                open.reported.contains(&who_is(object)) || {
                    known.iter().any(|fact| match fact {
                        Fact::Seen(Seen { reading, .. }) | Fact::Removed(Removed { reading, .. }) => {
                            reading.source == Source::Delta
                                && reading.unchanged_since.is_none()
                                && reading.at >= instant(open.started)
                        }
                        _ => false,
                    })
                }
            });
            let absent = self.read_absent(&missing, dice);
            facts.extend(absent);
            let (from, until) = (instant(before), instant(through));
            facts.push(Fact::Blind(Blind { from, until, why: open.why.to_owned() }));
        }
        let from = self.feed.horizon.unwrap_or(through);
        facts.push(Fact::Horizon(Horizon { feed: FeedName::Delta, from: instant(from), through: instant(through) }));
        self.feed.horizon = Some(through);
        self.feed.proven = self.feed.proven.max(Some(through));
        self.feed.token = Some(open.pending);
        self.tell(facts);
    }

    /// What an answer about an object says, as `graph::facts::fact` reads it.
    fn fact(&self, who: u8, seen_at: i64, reading: Reading, marked: bool) -> Fact {
        let (object, state) = (person(who), self.directory.at(who, seen_at));
        match state.phase {
            Phase::Live => {
                let profile = self.directory.profile(who, state);
                Fact::Seen(Seen { object, reading, profile })
            }
            Phase::Purged => {
                Fact::Removed(Removed { object, reading, removal: Removal::Purged, deleted: None, last_upn: None })
            }
            _ if marked => {
                Fact::Removed(Removed { object, reading, removal: Removal::Soft, deleted: None, last_upn: None })
            }
            // Some deleted users come without the mark, but with a mangled name and the time.
            _ => self.binned(who, seen_at, reading),
        }
    }

    fn binned(&self, who: u8, seen_at: i64, reading: Reading) -> Fact {
        let state = self.directory.at(who, seen_at);
        Fact::Removed(Removed {
            object: person(who),
            reading,
            removal: Removal::Soft,
            deleted: Some(instant(whole_second(state.deleted))),
            last_upn: Some(name(state.upn, usize::from(who)).clone()),
        })
    }

    /// Both listings, and then what neither shows, one by one.
    pub fn reconcile(&mut self, dice: &mut Dice) {
        self.tally.readings += 1;
        let lag = self.script.knobs.lag;
        let mut shown = BTreeSet::new();
        for listing in [Phase::Binned, Phase::Live] {
            let (now, date) = (self.now, whole_second(self.now));
            let reading =
                Reading { at: instant(date), lag: micros(lag), source: Source::Reconcile, unchanged_since: None };
            let mut facts = Vec::new();
            for who in 0..self.directory.objects() {
                let seen_at = as_of(dice, date, now, lag);
                if self.directory.at(who, seen_at).phase != listing {
                    continue;
                }
                shown.insert(person(who));
                let fact = match listing {
                    Phase::Live => self.fact(who, seen_at, reading, true),
                    _ => self.binned(who, seen_at, reading),
                };
                if self.is_news(&fact) {
                    facts.push(fact);
                }
            }
            self.tell(facts);
            self.now += dice.between(1, 30) * SECOND / 10;
        }
        let missing = self.missing(|object, _| shown.contains(&object));
        let facts = self.read_absent(&missing, dice);
        self.tell(facts);
    }

    /// As `sync::reconcile` passes over what the ledger knows.
    fn is_news(&self, fact: &Fact) -> bool {
        let view = self.ledger.view(TENANT, KnownAt::Now).unwrap();
        let object = fact.object().unwrap();
        let (known, state) = (view.facts(object).unwrap(), view.timeline(object).unwrap().state());
        match fact {
            Fact::Seen(seen) => {
                let newest = known.iter().rev().find_map(|known| match &known.fact {
                    Fact::Seen(seen) => Some(&seen.profile),
                    _ => None,
                });
                state != Standing::Active || newest != Some(&seen.profile)
            }
            Fact::Removed(removed) => {
                let same = known.iter().any(|known| {
                    matches!(&known.fact, Fact::Removed(before) if before.deleted == removed.deleted && before.deleted.is_some())
                });
                state != Standing::SoftDeleted || !same
            }
            _ => true,
        }
    }

    /// The objects known as live or soft-deleted that were not shown, each with the ledger's last word of its being in the
    /// bin, as `sync::absent` finds them.
    fn missing(&self, is_shown: impl Fn(ObjectId, &[Fact]) -> bool) -> Vec<(u8, Option<Instant>)> {
        let view = self.ledger.view(TENANT, KnownAt::Now).unwrap();
        let ids = self.ledger.store().object_ids(TENANT, None, 1_000).unwrap();
        let mut missing = Vec::new();
        for object in ids {
            let facts: Vec<Fact> = view.facts(object).unwrap().into_iter().map(|known| known.fact).collect();
            if is_shown(object, &facts) {
                continue;
            }
            let binned = facts.iter().filter_map(|fact| match fact {
                Fact::Removed(removed) if removed.removal == Removal::Soft => Some(removed.reading.at),
                Fact::Lifecycle(lifecycle) if lifecycle.life == Life::Deleted => Some(lifecycle.at),
                _ => None,
            });
            match view.timeline(object).unwrap().state() {
                Standing::Active => missing.push((who_is(object), None)),
                Standing::SoftDeleted => missing.push((who_is(object), binned.max())),
                Standing::Purged | Standing::Unknown => {}
            }
        }
        missing
    }

    fn read_absent(&mut self, missing: &[(u8, Option<Instant>)], dice: &mut Dice) -> Vec<Fact> {
        let widths = self.widths();
        let mut facts = Vec::new();
        for (who, binned) in missing {
            let date = whole_second(self.now);
            let mut fact = self.read_one(*who, Source::Reconcile, dice);
            let was_binned = binned.is_some_and(|binned| binned.plus(widths.lag) <= instant(date));
            if let Fact::Removed(removed) = &mut fact
                && removed.removal == Removal::NotFound
                && was_binned
            {
                removed.removal = Removal::Purged;
            }
            facts.push(fact);
        }
        facts
    }

    /// A read of one object by its id, and of the bin if it is not found.
    fn read_one(&mut self, who: u8, source: Source, dice: &mut Dice) -> Fact {
        let (now, lag) = (self.now, self.script.knobs.read_lag);
        let date = whole_second(now);
        let reading = Reading { at: instant(date), lag: micros(lag), source, unchanged_since: None };
        let seen_at = as_of(dice, date, now, lag);
        if self.directory.at(who, seen_at).phase == Phase::Live {
            return self.fact(who, seen_at, reading, true);
        }
        let seen_at = as_of(dice, date, now, lag);
        if self.directory.at(who, seen_at).phase == Phase::Binned {
            return self.binned(who, seen_at, reading);
        }
        Fact::Removed(Removed {
            object: person(who),
            reading,
            removal: Removal::NotFound,
            deleted: None,
            last_upn: None,
        })
    }

    /// The live read for an ask. Returns the server's date.
    pub fn read_live(&mut self, ask: &Ask, policy: &Policy, dice: &mut Dice) -> i64 {
        self.tally.readings += 1;
        let objects = self.ledger.objects_to_read(TENANT, ask, policy).unwrap();
        let (now, lag) = (self.now, self.script.knobs.read_lag);
        let date = whole_second(now);
        let reading = Reading { at: instant(date), lag: micros(lag), source: Source::Live, unchanged_since: None };
        let mut facts = Vec::new();
        if let Some(asked) = ask.name.as_ref().filter(|_| ask.kind != NameKind::Smtp) {
            let seen_at = as_of(dice, date, now, lag);
            let index = index_of(asked.key()).unwrap();
            facts.push(match self.directory.opens(NameKind::Upn, index, seen_at) {
                Some(who) => self.fact(who, seen_at, reading, true),
                None => Fact::Vacant(Vacant { name: asked.clone(), reading }),
            });
        }
        for object in objects {
            facts.push(self.read_one(who_is(object), Source::Live, dice));
        }
        self.tell(facts);
        date
    }

    /// The audit log, as far as it shows events by now: late, out of order, some of them again. Only a whole reading says
    /// through when nothing is missing.
    pub fn read_audits(&mut self, whole: bool, dice: &mut Dice) {
        if !self.options.audits {
            return;
        }
        self.tally.readings += 1;
        let now = self.now;
        let (visible, hidden): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.directory.log).into_iter().partition(|event| event.visible <= now);
        // What stays keeps its number in the log by its event id, which it already has.
        self.directory.log = hidden;
        self.feed.unsent.extend(visible.into_iter().flat_map(|event| event.facts));
        let mut facts = Vec::new();
        let mut rest = Vec::new();
        for fact in std::mem::take(&mut self.feed.unsent) {
            if whole || dice.chance(50) {
                self.feed.log.push(fact.clone());
                facts.push(fact);
            } else {
                rest.push(fact);
            }
        }
        self.feed.unsent = rest;
        for _ in 0..self.feed.log.len().min(4) {
            facts.push(self.feed.log[dice.index(self.feed.log.len())].clone());
        }
        dice.shuffle(&mut facts);
        let half = facts.len() / 2;
        let last = if facts.len() > 8 { facts.split_off(half) } else { std::mem::take(&mut facts) };
        self.tell(facts);
        let mut last = last;
        let through = now - self.script.knobs.audit_lag;
        if whole && through > self.feed.audit_through.unwrap_or(START) {
            let from = self.feed.audit_through.unwrap_or(START);
            let (from, through) = (instant(from), instant(through));
            last.push(Fact::Horizon(Horizon { feed: FeedName::Audit, from, through }));
            self.feed.audit_through = Some(through.as_micros());
        }
        self.tell(last);
    }

    /// An export made so long ago is imported now.
    pub fn import(&mut self, ago: i64, dice: &mut Dice) {
        let then = self.now - ago;
        let date = whole_second(then);
        let lag = self.script.knobs.lag;
        let reading = Reading { at: instant(date), lag: micros(lag), source: Source::Import, unchanged_since: None };
        let mut facts = Vec::new();
        for who in 0..self.directory.objects() {
            let seen_at = as_of(dice, date, then, lag);
            if self.directory.at(who, seen_at).phase == Phase::Live && !dice.chance(10) {
                facts.push(self.fact(who, seen_at, reading, true));
            }
        }
        self.tell(facts);
    }
}
