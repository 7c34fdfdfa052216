//! Playing a script: the truth goes its way, and the ledger is told what its sources say.

use std::collections::BTreeMap;
use std::time::Duration;

use whowas::domain::attribution::Settling;
use whowas::domain::fact::{Changed, Fact, Reading, Widths};
use whowas::domain::id::{ChainId, SnapshotId, TenantId};
use whowas::domain::name::{Name, Namespace};
use whowas::domain::verdict::Policy;
use whowas::ledger::{Batch, Ledger, Stamp};
use whowas::store::memory::MemoryStore;

use super::agents::{AgentState, Taken};
use super::dice::Dice;
use super::feed::Feed;
use super::oracle::{Crisp, Oracle};
use super::score::Fault;
use super::script::{Act, START, Script, Step};
use super::tally::Tally;
use super::truth::{DAY, Directory, HOUR, MINUTE, instant, who_is};

/// How often the world goes on for more to happen in it.
const TOP_UPS_MAX: u64 = 3_000;

pub const TENANT: TenantId = TenantId::from_bytes([0x77; 16]);

/// How to play.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Whether the audit log is read.
    pub audits: bool,
    /// Everything is scored after every so many commits, and at the end.
    pub score_every: u64,
    /// Whether to write down what happens.
    pub trace: bool,
}

/// What came of a world.
pub struct Outcome {
    pub tally: Tally,
    /// The first thing that was wrong; the world ends there.
    pub fault: Option<Fault>,
    pub trace: Vec<String>,
}

pub struct Sim<'s> {
    pub script: &'s Script,
    pub options: Options,
    pub ledger: Ledger,
    pub now: i64,
    pub directory: Directory,
    pub feed: Feed,
    pub agents: Vec<AgentState>,
    pub taken: Vec<Taken>,
    pub places: BTreeMap<(ChainId, SnapshotId), usize>,
    pub oracle: Oracle,
    pub crisp: Crisp,
    pub tally: Tally,
    pub fault: Option<Fault>,
    pub trace: Vec<String>,
    /// Settled attributions as they were first seen.
    pub settled: BTreeMap<usize, String>,
    commits: u64,
}

/// Plays a script to its end, or to its first fault.
pub fn play(script: &Script, options: Options) -> Outcome {
    let mut sim = Sim::new(script, options);
    for step in &script.steps {
        sim.step(step);
        if sim.fault.is_some() {
            break;
        }
    }
    sim.top_up();
    if sim.fault.is_none() {
        sim.settle();
    }
    if sim.fault.is_none() {
        sim.score(true);
        sim.count_baselines();
    }
    sim.tally.worlds = 1;
    sim.tally.changes = sim.directory.changes;
    sim.tally.fewest_changes = sim.directory.changes + sim.tally.readings;
    sim.tally.fewest_snapshots = sim.taken.len() as u64;
    sim.tally.snapshots = sim.taken.len() as u64;
    Outcome { tally: sim.tally, fault: sim.fault, trace: sim.trace }
}

impl<'s> Sim<'s> {
    fn new(script: &'s Script, options: Options) -> Self {
        let knobs = &script.knobs;
        let mut dice = Dice::new(script.seed);
        let mut directory = Directory::new(knobs.objects, knobs.names, knobs.crosses, knobs.audit_lag, START);
        for who in 0..knobs.born_early {
            let born = START - dice.between(2 * DAY, 30 * DAY);
            directory.create(who, who, born + i64::from(who), &mut dice);
        }
        Self {
            script,
            options,
            ledger: Ledger::new(MemoryStore::new()),
            now: START,
            feed: Feed::new(knobs.objects),
            agents: script.agents.iter().map(|_| AgentState::default()).collect(),
            taken: Vec::new(),
            places: BTreeMap::new(),
            oracle: Oracle::new(),
            crisp: Crisp::default(),
            directory,
            tally: Tally::default(),
            fault: None,
            trace: Vec::new(),
            settled: BTreeMap::new(),
            commits: 0,
        }
    }

    /// How the answers are dated, as the sync is configured.
    pub fn widths(&self) -> Widths {
        let knobs = &self.script.knobs;
        Widths { lag: micros(knobs.lag), read_lag: micros(knobs.read_lag), ..Widths::default() }
    }

    pub fn settling(&self) -> Settling {
        let knobs = &self.script.knobs;
        let audit_lag = self.options.audits.then_some(micros(knobs.audit_lag));
        Settling { propagation: micros(knobs.propagation), audit_lag }
    }

    pub fn policy(&self) -> Policy {
        let live_max_age = micros(self.script.knobs.read_lag);
        Policy { settling: self.settling(), live_max_age, ..Policy::default() }
    }

    pub fn note(&mut self, line: impl FnOnce() -> String) {
        if self.options.trace {
            let line = format!("{} {}", instant(self.now), line());
            self.trace.push(line);
        }
    }

    pub fn fail(&mut self, fault: Fault) {
        if self.fault.is_none() {
            self.note(|| format!("WRONG {fault}"));
            self.fault = Some(fault);
        }
    }

    /// One append, as the sync or an agent makes it.
    pub fn tell(&mut self, facts: Vec<Fact>) {
        if facts.is_empty() {
            return;
        }
        for fact in &facts {
            self.note(|| format!("    told {}", say(fact)));
            self.oracle.take(fact);
            self.crisp.take(fact);
        }
        self.tally.facts += facts.len() as u64;
        self.commits += 1;
        let stamp = Stamp { now: instant(self.now), salt: [7; 16] };
        self.ledger
            .append(TENANT, Batch { facts, settling: Some(self.settling()), ..Batch::default() }, stamp)
            .unwrap();
        if self.commits.is_multiple_of(self.options.score_every) {
            self.score(false);
        }
    }

    fn step(&mut self, step: &Step) {
        // A step of several answers may have taken some seconds.
        self.now = step.at.max(self.now + 1);
        let mut dice = Dice::new(step.dice);
        self.note(|| format!("{:?}", step.act));
        let before = self.directory.changes;
        self.act(&step.act, &mut dice);
        if step.act.is_of_directory() && self.directory.changes == before {
            self.note(|| "    (could not happen)".to_owned());
            self.change_something(&mut dice);
        }
    }

    /// Where people or mailboxes ran out early, the world goes on until enough has happened, or nothing can any more.
    fn top_up(&mut self) {
        let mut dice = Dice::new(self.script.seed ^ 0x90_06);
        let agents = u64::try_from(self.agents.len()).unwrap();
        for turn in 0..TOP_UPS_MAX {
            let enough = self.directory.changes + self.tally.readings >= 210 && self.taken.len() >= 105;
            if enough || self.fault.is_some() {
                return;
            }
            let agent = u8::try_from(turn % agents).unwrap();
            let act = match turn % 12 {
                0 => Act::Poll { pages: 1, crash: false },
                // Somebody gets a name that an agent opens.
                3 | 7 => {
                    let who = u8::try_from(dice.below(u64::from(self.script.knobs.objects))).unwrap();
                    Act::Rename { who, to: self.script.agents[usize::from(agent)].name, keep: true }
                }
                _ => Act::Read { agent, for_: MINUTE },
            };
            let at = self.now + dice.between(MINUTE, 20 * MINUTE);
            // Who asks before it reads must ask anew each time.
            if matches!(act, Act::Read { .. }) && self.script.agents[usize::from(agent)].asks() {
                self.step(&Step { at: at - MINUTE / 2, dice: dice.next(), act: Act::Ask { agent } });
            }
            self.step(&Step { at, dice: dice.next(), act });
        }
    }

    /// Something else happens instead, so that no world stands still: somebody gets another name, comes back, or is hired.
    fn change_something(&mut self, dice: &mut Dice) {
        let (before, now) = (self.directory.changes, self.now);
        let knobs = &self.script.knobs;
        let (first, name) = (dice.below(u64::from(knobs.objects)), dice.below(u64::from(knobs.names)));
        for turn in 0..u64::from(knobs.objects) {
            let who = u8::try_from((first + turn) % u64::from(knobs.objects)).unwrap();
            let name = u8::try_from((name + turn) % u64::from(knobs.names)).unwrap();
            let act = match dice.below(6) {
                0 => Act::Restore { who, silent: dice.chance(50) },
                1 => Act::Create { who, name },
                2 => Act::Address { who, name },
                _ => Act::Rename { who, to: name, keep: dice.chance(40) },
            };
            self.act(&act, dice);
            if self.directory.changes > before {
                self.note(|| format!("    at {} instead: {act:?}", instant(now)));
                return;
            }
        }
    }

    fn act(&mut self, act: &Act, dice: &mut Dice) {
        let now = self.now;
        let directory = &mut self.directory;
        match act {
            Act::Create { who, name } => drop(directory.create(*who, *name, now, dice)),
            Act::Rename { who, to, keep } => drop(directory.rename(*who, *to, *keep, now, dice)),
            Act::RenameBack { who } => drop(directory.rename_back(*who, now, dice)),
            Act::Inherit { who, of } => drop(directory.inherit(*who, *of, now, dice)),
            Act::Rotate(people) => drop(directory.rotate(people, now, dice)),
            Act::Address { who, name } => drop(directory.address(*who, *name, now, dice)),
            Act::HandOver { from, to } => drop(directory.hand_over(*from, *to, now, dice)),
            Act::Delete { who } => drop(directory.delete(*who, now, dice)),
            Act::Restore { who, silent } => drop(directory.restore(*who, *silent, now, dice)),
            Act::Purge { who } => drop(directory.purge(*who, now, dice)),
            Act::LoseLicence { who, for_ } => directory.lose_licence(*who, now, now + for_),
            Act::ChangeDomain => drop(directory.change_domain(now, dice)),
            Act::Poll { pages, crash } => self.poll(*pages, *crash, dice),
            Act::LostPoll => {}
            Act::Resync { pages } => self.resync(*pages, dice),
            Act::Reconcile => self.reconcile(dice),
            Act::Audits { whole } => self.read_audits(*whole, dice),
            Act::Import { ago } => self.import(*ago, dice),
            Act::Ask { agent } => self.ask(*agent, dice),
            Act::Read { agent, for_ } => {
                // Where one agent finds nothing to open, the next one reads.
                let (before, agents) = (self.taken.len(), u8::try_from(self.agents.len()).unwrap());
                for turn in 0..agents {
                    if self.taken.len() == before {
                        self.read((agent + turn) % agents, *for_, dice);
                    }
                }
            }
            Act::Catalogue { agent } => self.catalogue(*agent),
            Act::Expire { agent } => self.expire(*agent, dice),
        }
    }

    /// Time passes until every source has spoken.
    fn settle(&mut self) {
        let mut dice = Dice::new(self.script.seed ^ 0xe4d);
        let knobs = &self.script.knobs;
        let wait = knobs.lag + knobs.propagation + knobs.audit_lag;
        // What a full round or a crash left behind is read too, so there are a few rounds.
        for round in 0..4 {
            self.now += HOUR + if round == 0 { wait } else { 0 };
            self.note(|| "settling".to_owned());
            if round == 1 {
                self.reconcile(&mut dice);
            }
            self.read_audits(true, &mut dice);
            self.now += 1;
            self.poll(1, false, &mut dice);
        }
        for agent in 0..self.script.agents.len() {
            self.catalogue(u8::try_from(agent).unwrap());
        }
    }
}

pub fn micros(span: i64) -> Duration {
    Duration::from_micros(u64::try_from(span).unwrap())
}

/// A fact in one short line.
fn say(fact: &Fact) -> String {
    let reading = |reading: &Reading| {
        let since = reading.unchanged_since.map(|since| format!(", unchanged since {since}")).unwrap_or_default();
        format!("{:?} at {} lag {} s{since}", reading.source, reading.at, reading.lag.as_secs())
    };
    let names = |names: &[(Namespace, &Name)]| {
        names.iter().map(|(space, name)| format!("{space:?} {name}")).collect::<Vec<_>>().join(", ")
    };
    let who = fact.object().map(who_is).unwrap_or_default();
    match fact {
        Fact::Seen(seen) => {
            let created = seen.profile.created.map(|at| format!(", created {at}")).unwrap_or_default();
            format!("{who} seen as {} ({}{created})", names(&fact.names()), reading(&seen.reading))
        }
        Fact::Removed(removed) => {
            let deleted = removed.deleted.map(|at| format!(", deleted {at}")).unwrap_or_default();
            let read = reading(&removed.reading);
            format!("{who} gone: {:?} {} ({read}{deleted})", removed.removal, names(&fact.names()))
        }
        Fact::Changed(Changed { at, property, old, new, .. }) => {
            let list = |names: &Option<Vec<Name>>| match names {
                Some(names) => names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
                None => "?".to_owned(),
            };
            format!("{who} audited at {at}: {property:?} from {} to {}", list(old), list(new))
        }
        Fact::Lifecycle(life) => format!("{who} audited at {}: {:?} {}", life.at, life.life, names(&fact.names())),
        Fact::Vacant(vacant) => format!("nobody under {} ({})", vacant.name, reading(&vacant.reading)),
        other => format!("{other:?}"),
    }
}
