//! The disturbed ledger against the truth and against its undisturbed twin.
//!
//! Every period of a name must be one that was, with both its edges around the true instants; a period may be missing, or two
//! may look like one, only where no completed round looked in between. And nothing that either ledger proves may be false.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use whowas::domain::fact::Widths;
use whowas::domain::id::{ObjectId, TenantId};
use whowas::domain::interval::{Edge, IntervalSet};
use whowas::domain::name::NameKey;
use whowas::domain::time::Instant;
use whowas::domain::timeline::{Role, State};
use whowas::domain::track::{Period, Track};
use whowas::ledger::{KnownAt, Ledger};
use whowas::store::{Outcome, Run, RunKind};

use super::tally::Tally;
use super::truth::{Hold, Truth, instants};

/// How many entries of a run log are looked at: more than any soak leaves.
const RUNS: usize = 100_000;
/// How far a run's own clock may be from the directory's, where both go by real time.
const SKEW: Duration = Duration::from_secs(3);

/// Names of one object, with the periods that a ledger gives them.
type Periods = BTreeMap<(Role, NameKey), Vec<Period>>;

/// One tenant in both ledgers.
pub struct Pair<'a> {
    pub alias: &'a str,
    pub tenant: TenantId,
    pub disturbed: &'a Ledger,
    pub twin: &'a Ledger,
    pub truth: &'a Truth,
}

impl Pair<'_> {
    pub fn compare(&self, now: Instant, tally: &mut Tally) {
        let (mine, theirs) = (Looks::of(self.disturbed, self.tenant), Looks::of(self.twin, self.tenant));
        tally.completed += mine.completed;
        tally.failed += mine.failed;
        let mut keys: BTreeSet<NameKey> = BTreeSet::new();
        for (id, holds) in &self.truth.names {
            let disturbed = self.object(self.disturbed, *id, now);
            let twin = self.object(self.twin, *id, now);
            tally.objects += 1;
            tally.names += holds.len() as u64;
            for (whose, looks, found) in [("disturbed", &mine, &disturbed), ("twin", &theirs, &twin)] {
                self.check_state(whose, looks, *id, found.as_ref().map(|(state, _)| *state), tally);
                let nothing = Periods::new();
                let periods = found.as_ref().map_or(&nothing, |(_, periods)| periods);
                for name in holds.keys().chain(periods.keys()).collect::<BTreeSet<_>>() {
                    let (true_ones, said) = (holds.get(name), periods.get(name));
                    let (true_ones, said) =
                        (true_ones.map_or(&[][..], Vec::as_slice), said.map_or(&[][..], Vec::as_slice));
                    let fitting = matched(true_ones, said, looks).or_else(|why| {
                        let fits = joined(said).find_map(|joined| matched(true_ones, &joined, looks).ok());
                        fits.inspect(|_| tally.phantoms += 1).ok_or(why)
                    });
                    match fitting {
                        Ok(unseen) if whose == "disturbed" => tally.unseen += unseen,
                        Ok(_) => {}
                        Err(why) => {
                            let (role, key) = name;
                            tally.problem(format!("{} {id} {role:?} {}, {whose}: {why}", self.alias, key.as_str()));
                        }
                    }
                }
            }
            if let (Some((_, disturbed)), Some((_, twin))) = (disturbed, twin) {
                count_edges(&disturbed, &twin, tally);
            }
            keys.extend(holds.keys().map(|(_, key)| key.clone()));
        }
        for (whose, ledger) in [("disturbed", self.disturbed), ("twin", self.twin)] {
            self.check_counts(whose, ledger, tally);
            self.check_proofs(whose, ledger, &keys, tally);
        }
    }

    fn object(&self, ledger: &Ledger, id: ObjectId, now: Instant) -> Option<(State, Periods)> {
        let settling = ledger.view(self.tenant, KnownAt::Now).unwrap().settling();
        let history = ledger.object_history(self.tenant, id, settling, KnownAt::Now, now).unwrap()?;
        let mut periods = Periods::new();
        for (role, name, period) in history.periods {
            periods.entry((role, name.key().clone())).or_default().push(period);
        }
        Some((history.state, periods))
    }

    fn check_state(&self, whose: &str, looks: &Looks, id: ObjectId, found: Option<State>, tally: &mut Tally) {
        let truth = self.truth.states[&id];
        let fits = match found {
            // Somebody who came and went for good between two readings leaves no trace.
            None => {
                truth == State::Purged && self.truth.lives[&id].iter().all(|life| !looks.saw(life.from, life.until))
            }
            // That somebody is gone for good is not always told; that they are gone is.
            Some(State::Unknown) => truth == State::Purged,
            Some(state) => state == truth,
        };
        if !fits {
            tally.problem(format!("{} {id}, {whose}: it is {truth:?} and said to be {found:?}", self.alias));
        }
    }

    /// That no object is in a ledger that never was in the directory.
    fn check_counts(&self, whose: &str, ledger: &Ledger, tally: &mut Tally) {
        let counts = ledger.head(self.tenant).unwrap().state.counts;
        let of = |state| self.truth.states.values().filter(|found| **found == state).count() as u64;
        if (counts.active, counts.soft_deleted) != (of(State::Active), of(State::SoftDeleted)) {
            tally.problem(format!("{}, {whose}: {counts:?} counted", self.alias));
        }
    }

    /// What is proved must be so: of each object by its own facts, and of each name by everybody's.
    fn check_proofs(&self, whose: &str, ledger: &Ledger, keys: &BTreeSet<NameKey>, tally: &mut Tally) {
        let view = ledger.view(self.tenant, KnownAt::Now).unwrap();
        let nothing = BTreeMap::new();
        let mut timelines = BTreeMap::new();
        for key in keys {
            for claim in view.claims(key, &mut timelines).unwrap().claims() {
                let role = Role::of(claim.namespace);
                let holds = self.truth.names.get(&claim.object).unwrap_or(&nothing).get(&(role, key.clone()));
                let what = format!("{} {} {role:?} {}, {whose}", self.alias, claim.object, key.as_str());
                proved(&what, &claim.track, holds.map_or(&[], Vec::as_slice), tally);
            }
        }
        for (id, timeline) in &timelines {
            let what = format!("{} {id}, {whose}", self.alias);
            proved(&what, timeline.life(), self.truth.lives.get(id).map_or(&[], Vec::as_slice), tally);
            for ((role, key), holds) in self.truth.names.get(id).unwrap_or(&nothing) {
                if let Some(track) = timeline.track(*role, key) {
                    proved(&format!("{what} {role:?} {}", key.as_str()), &track, holds, tally);
                }
            }
        }
    }
}

fn proved(what: &str, track: &Track, holds: &[Hold], tally: &mut Tally) {
    let truth: IntervalSet = instants(holds);
    tally.proved += 1;
    let (held, absent) = (track.held().minus(&truth), track.absent().and(&truth));
    if !held.is_empty() || !absent.is_empty() {
        tally.false_claims += 1;
        tally.problem(format!(
            "{what}: proved although false: held {held:?}, absent {absent:?}; the truth is {holds:?}"
        ));
    }
}

/// When a ledger looked at its directory.
struct Looks {
    at: Vec<(Instant, Instant)>,
    completed: u64,
    failed: u64,
}

impl Looks {
    fn of(ledger: &Ledger, tenant: TenantId) -> Self {
        let (runs, widths) = (ledger.store().runs(tenant, RUNS).unwrap(), Widths::default());
        let is_whole = |run: &&Run| run.outcome == Outcome::Completed;
        let rounds = runs.iter().filter(is_whole).filter(|run| run.kind != RunKind::Reconcile);
        // A round that was gone on with shows the directory as it was when the round began, which its horizon tells.
        let began = |run: &Run| run.horizon.map_or(run.started, |horizon| run.started.min(horizon.plus(widths.lag)));
        let at = rounds.map(|run| (began(run), run.ended.unwrap_or(run.started))).collect();
        let completed = runs.iter().filter(is_whole).count() as u64;
        Self { at, completed, failed: runs.len() as u64 - completed }
    }

    /// Whether a completed round surely read the directory while something was so.
    fn saw(&self, from: Instant, until: Option<Instant>) -> bool {
        let until = until.unwrap_or(Instant::MAX);
        self.at.iter().any(|(started, ended)| from <= started.minus(SKEW) && ended.plus(SKEW) < until)
    }
}

/// Finds for each period the holds that it stands for, in their order: one, or several between which nobody looked. Gives the
/// number of holds and gaps that nobody saw.
fn matched(holds: &[Hold], periods: &[Period], looks: &Looks) -> Result<u64, String> {
    let (mut at, mut unseen) = (0, 0);
    let is_seen = |hold: &Hold| looks.saw(hold.from, hold.until);
    let is_gap_seen = |pair: &[Hold]| looks.saw(pair[0].until.unwrap(), Some(pair[1].from));
    for period in periods {
        let ends = |hold: &Hold| match (period.until, hold.until) {
            (None, None) => true,
            (Some(edge), Some(until)) => edge.contains(until),
            _ => false,
        };
        let lasts = (at..holds.len()).filter(|place| ends(&holds[*place]));
        // An edge without a lower bound fits every earlier hold; the nearest is tried first.
        let mut pairs = lasts.flat_map(|last| (at..=last).rev().map(move |first| (first, last)));
        let fits = pairs.find(|(first, last)| {
            period.from.contains(holds[*first].from)
                && !holds[at..*first].iter().any(is_seen)
                && !holds[*first..=*last].windows(2).any(is_gap_seen)
        });
        let (_, last) = fits.ok_or_else(|| {
            let (from, until) = (period.from, period.until);
            let said: Vec<_> = periods.iter().map(|period| (period.from, period.until)).collect();
            format!("no hold from number {at} on fits the period from {from:?} until {until:?}; the truth is {holds:?}; all periods are {said:?}")
        })?;
        unseen += (last - at) as u64;
        at = last + 1;
    }
    if let Some(missing) = holds[at..].iter().find(|hold| is_seen(hold)) {
        return Err(format!("{missing:?} was looked at and is missing"));
    }
    Ok(unseen + (holds.len() - at) as u64)
}

/// The same periods, with two taken for one between which perhaps nothing lies: the end of the one and the beginning of the other
/// may be the same instant.
fn joined(periods: &[Period]) -> impl Iterator<Item = Vec<Period>> {
    let may_be_one = |pair: &[Period]| pair[0].until.is_some_and(|until| overlap(until, pair[1].from));
    let places = (0..periods.len().saturating_sub(1)).filter(move |place| may_be_one(&periods[*place..=place + 1]));
    places.map(|place| {
        let mut all = periods.to_vec();
        all[place].until = all.remove(place + 1).until;
        all
    })
}

fn overlap(one: Edge, other: Edge) -> bool {
    let begin = |edge: Edge| edge.after().unwrap_or(Instant::MIN);
    let end = |edge: Edge| edge.by().unwrap_or(Instant::MAX);
    begin(one) <= end(other) && begin(other) <= end(one)
}

/// Where both ledgers have the same periods of a name, how their edges compare.
fn count_edges(disturbed: &Periods, twin: &Periods, tally: &mut Tally) {
    for (name, mine) in disturbed {
        let Some(theirs) = twin.get(name).filter(|theirs| theirs.len() == mine.len()) else { continue };
        for (mine, theirs) in mine.iter().zip(theirs) {
            let edges = [(Some(mine.from), Some(theirs.from)), (mine.until, theirs.until)];
            for (mine, theirs) in edges.into_iter().filter_map(|(mine, theirs)| Some((mine?, theirs?))) {
                tally.edges[breadth(mine, theirs)] += 1;
            }
        }
    }
}

fn breadth(mine: Edge, theirs: Edge) -> usize {
    match (mine == theirs, mine.covers(theirs)) {
        (true, _) => 0,
        (false, true) => 1,
        (false, false) => 2,
    }
}
