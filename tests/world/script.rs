//! What happens in a world: a list of dated steps, made from a seed alone.

use whowas::domain::name::NameKind;

use super::dice::Dice;
use super::truth::{DAY, HOUR, MINUTE, NAMES_MAX, SECOND};

pub const START: i64 = 1_790_000_000 * SECOND;

/// A world to play.
#[derive(Clone, Debug)]
pub struct Script {
    pub seed: u64,
    pub knobs: Knobs,
    pub agents: Vec<Plan>,
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug)]
pub struct Knobs {
    pub objects: u8,
    pub names: u8,
    pub born_early: u8,
    pub crosses: bool,
    pub lag: i64,
    pub read_lag: i64,
    pub propagation: i64,
    pub audit_lag: i64,
}

/// One step. It throws dice of its own.
#[derive(Clone, Debug)]
pub struct Step {
    pub at: i64,
    pub dice: u64,
    pub act: Act,
}

#[derive(Clone, Debug)]
pub enum Act {
    Create {
        who: u8,
        name: u8,
    },
    Rename {
        who: u8,
        to: u8,
        keep: bool,
    },
    RenameBack {
        who: u8,
    },
    Inherit {
        who: u8,
        of: u8,
    },
    Rotate(Vec<u8>),
    Address {
        who: u8,
        name: u8,
    },
    HandOver {
        from: u8,
        to: u8,
    },
    Delete {
        who: u8,
    },
    Restore {
        who: u8,
        silent: bool,
    },
    Purge {
        who: u8,
    },
    LoseLicence {
        who: u8,
        for_: i64,
    },
    ChangeDomain,
    /// A round of the delta feed. It goes on where the one before was cut short.
    Poll {
        pages: u8,
        crash: bool,
    },
    /// Nothing came of it: throttled, or the network was down.
    LostPoll,
    /// The token has expired, or a full sync is asked for.
    Resync {
        pages: u8,
    },
    Reconcile,
    /// The audit log is read; in part only, if it fails on the way.
    Audits {
        whole: bool,
    },
    /// An export of so long ago is imported.
    Import {
        ago: i64,
    },
    Ask {
        agent: u8,
    },
    Read {
        agent: u8,
        for_: i64,
    },
    /// The agent's catalogue is imported.
    Catalogue {
        agent: u8,
    },
    Expire {
        agent: u8,
    },
}

/// How an agent works.
#[derive(Clone, Debug)]
pub struct Plan {
    pub style: Style,
    pub who: u8,
    pub name: u8,
    pub kind: NameKind,
    pub receipts: Receipts,
    /// It reports its snapshots long after it took them.
    pub late: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// By object id, never asking.
    Id,
    /// By object id, asking.
    IdAsking,
    /// By name, never asking: what the ledger must find out later.
    Name,
    /// Looks the name up in the directory and opens by the id found, in one chain whoever that is.
    Lookup,
    /// Asks by name with a live read, and opens the id that the answer names.
    NameAsking,
    /// Asks by name with a live read, and opens the name all the same.
    NameAskingOpensName,
    /// Asks by name under a policy that accepts an hour's age, and opens the id that the answer names.
    NameAskingStale,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receipts {
    None,
    Start,
    Both,
    Sometimes,
}

impl Plan {
    /// Whether it asks the ledger before it reads.
    pub fn asks(&self) -> bool {
        !matches!(self.style, Style::Id | Style::Name | Style::Lookup)
    }
}

impl Act {
    pub fn is_of_directory(&self) -> bool {
        matches!(
            self,
            Self::Create { .. }
                | Self::Rename { .. }
                | Self::RenameBack { .. }
                | Self::Inherit { .. }
                | Self::Rotate(_)
                | Self::Address { .. }
                | Self::HandOver { .. }
                | Self::Delete { .. }
                | Self::Restore { .. }
                | Self::Purge { .. }
                | Self::LoseLicence { .. }
                | Self::ChangeDomain
        )
    }
}

impl Script {
    pub fn of(seed: u64) -> Self {
        let mut dice = Dice::new(seed ^ 0x77_6f72_6c64);
        let objects = u8::try_from(if dice.chance(60) { dice.between(5, 12) } else { dice.between(13, 40) }).unwrap();
        let names = (i64::from(objects) + dice.between(2, 8)).min(NAMES_MAX as i64);
        let knobs = Knobs {
            objects,
            names: u8::try_from(names).unwrap(),
            born_early: objects * 2 / 3,
            crosses: dice.chance(40),
            lag: dice.pick(&[60, 300, 300, 600]) * SECOND,
            read_lag: dice.pick(&[5, 30, 30]) * SECOND,
            propagation: dice.pick(&[5, 15, 15, 30]) * MINUTE,
            audit_lag: dice.pick(&[1, 12]) * HOUR,
        };
        let agents = (0..dice.between(4, 12)).map(|_| plan(&mut dice, &knobs)).collect::<Vec<_>>();
        let mut maker = Maker { days: dice.between(3, 12), dice, knobs: knobs.clone(), steps: Vec::new() };
        let polls = maker.polls();
        let changes = maker.changes(&polls);
        maker.sources(&changes);
        maker.agents(&agents, &changes);
        let mut steps = maker.steps;
        steps.sort_by_key(|step| step.at);
        // No two steps at one instant.
        for place in 1..steps.len() {
            steps[place].at = steps[place].at.max(steps[place - 1].at + 1);
        }
        Self { seed, knobs, agents, steps }
    }
}

fn plan(dice: &mut Dice, knobs: &Knobs) -> Plan {
    use Style::{Id, IdAsking, Lookup, Name, NameAsking, NameAskingOpensName, NameAskingStale};
    let style = dice.pick(&[
        Name,
        Name,
        Name,
        Name,
        Id,
        IdAsking,
        Lookup,
        NameAsking,
        NameAsking,
        NameAskingOpensName,
        NameAskingStale,
    ]);
    let receipts = dice.pick(&[
        Receipts::None,
        Receipts::None,
        Receipts::None,
        Receipts::Start,
        Receipts::Both,
        Receipts::Sometimes,
    ]);
    Plan {
        style,
        who: u8::try_from(dice.below(u64::from(knobs.born_early))).unwrap(),
        name: u8::try_from(dice.below(u64::from(knobs.names))).unwrap(),
        kind: dice.pick(&[NameKind::Any, NameKind::Upn, NameKind::Smtp]),
        receipts,
        late: dice.chance(20),
    }
}

struct Maker {
    dice: Dice,
    days: i64,
    knobs: Knobs,
    steps: Vec<Step>,
}

impl Maker {
    fn add(&mut self, at: i64, act: Act) {
        let dice = self.dice.next();
        self.steps.push(Step { at, dice, act });
    }

    fn who(&mut self) -> u8 {
        u8::try_from(self.dice.below(u64::from(self.knobs.objects))).unwrap()
    }

    fn name(&mut self) -> u8 {
        u8::try_from(self.dice.below(u64::from(self.knobs.names))).unwrap()
    }

    fn any_time(&mut self) -> i64 {
        START + self.dice.between(0, self.days * DAY)
    }

    /// Near one of these times, on either side, by seconds to a lag or so; or at any time.
    fn near(&mut self, times: &[i64], reach: i64) -> i64 {
        if times.is_empty() || self.dice.chance(35) {
            return self.any_time();
        }
        let at = self.dice.pick(times);
        let reach = if self.dice.chance(40) { 40 * SECOND } else { reach };
        at + self.dice.between(-reach, reach)
    }

    /// Polls at irregular intervals: minutes, hours, an outage now and then.
    fn polls(&mut self) -> Vec<i64> {
        let mut times = Vec::new();
        let mut at = START + self.dice.between(0, 2 * HOUR);
        let usual = self.dice.pick(&[30 * MINUTE, HOUR, 3 * HOUR, 8 * HOUR]);
        while at < START + self.days * DAY && times.len() < 90 {
            times.push(at);
            let pages = u8::try_from(self.dice.between(1, 3)).unwrap();
            let act = match self.dice.below(20) {
                0 => Act::LostPoll,
                1 => Act::Resync { pages },
                2 | 3 => Act::Poll { pages: pages + 1, crash: true },
                _ => Act::Poll { pages, crash: false },
            };
            self.add(at, act);
            let gap = match self.dice.below(12) {
                0 => self.dice.between(20 * SECOND, 3 * MINUTE),
                1 => self.dice.between(5 * usual, 12 * usual),
                _ => self.dice.between(usual / 2, usual * 3 / 2),
            };
            at += gap;
        }
        times
    }

    /// Some hundred beginnings of changes, of which most bring two or three, many close to a poll.
    fn changes(&mut self, polls: &[i64]) -> Vec<i64> {
        let reach = self.knobs.lag * 2;
        let mut times = Vec::new();
        for _ in 0..self.dice.between(105, 125) {
            let at = self.near(polls, reach);
            times.push(at);
            let (who, other, name) = (self.who(), self.who(), self.name());
            let soon = at
                + if self.dice.chance(50) {
                    self.dice.between(SECOND, 20 * MINUTE)
                } else {
                    self.dice.between(MINUTE, 8 * HOUR)
                };
            let keep = self.dice.chance(40);
            match self.dice.below(26) {
                0..=4 => self.add(at, Act::Rename { who, to: name, keep }),
                5..=7 => {
                    self.add(at, Act::Rename { who, to: name, keep });
                    self.add(soon, Act::Inherit { who: other, of: who });
                }
                8 | 9 => {
                    self.add(at, Act::Rename { who, to: name, keep });
                    if self.dice.chance(50) {
                        self.add(at + (soon - at) / 3, Act::Inherit { who: other, of: who });
                        self.add(at + (soon - at) / 2, Act::RenameBack { who: other });
                    }
                    self.add(soon, Act::RenameBack { who });
                }
                10 => self.add(at, Act::Rotate(vec![who, other])),
                11 => {
                    let third = self.who();
                    self.add(at, Act::Rotate(vec![who, other, third]));
                }
                12 => {
                    self.add(at, Act::Rotate(vec![who, other]));
                    self.add(soon, Act::Rotate(vec![who, other]));
                }
                13 | 14 => {
                    self.add(at, Act::Delete { who });
                    self.add(soon, Act::Inherit { who: other, of: who });
                }
                15 => {
                    let silent = self.dice.chance(50);
                    self.add(at, Act::Delete { who });
                    self.add(soon, Act::Restore { who, silent });
                }
                16 => self.add(at, Act::Restore { who, silent: keep }),
                17 => self.add(at, Act::Purge { who }),
                18 => self.add(at, Act::Create { who, name }),
                19 => {
                    self.add(at, Act::Create { who, name });
                    self.add(soon, Act::Delete { who });
                }
                20 | 21 => self.add(at, Act::Address { who, name }),
                22 => self.add(at, Act::HandOver { from: who, to: other }),
                23 => {
                    self.add(at, Act::Address { who, name });
                    self.add(soon, Act::HandOver { from: who, to: other });
                }
                24 => self.add(at, Act::LoseLicence { who, for_: soon - at }),
                _ => {
                    if self.dice.chance(15) {
                        self.add(at, Act::ChangeDomain);
                    } else {
                        self.add(at, Act::Restore { who, silent: true });
                    }
                }
            }
        }
        times
    }

    fn sources(&mut self, changes: &[i64]) {
        for _ in 0..self.dice.between(3, 10) {
            let at = self.near(changes, 3 * MINUTE);
            self.add(at, Act::Reconcile);
        }
        for _ in 0..self.dice.between(6, 24) {
            let (at, whole) = (self.any_time(), self.dice.chance(75));
            self.add(at, Act::Audits { whole });
        }
        for _ in 0..self.dice.below(3) {
            let (at, ago) = (self.any_time(), self.dice.between(HOUR, 4 * DAY));
            self.add(at, Act::Import { ago });
        }
    }

    /// At least a hundred snapshots, many close to a change.
    fn agents(&mut self, plans: &[Plan], changes: &[i64]) {
        let reach = self.knobs.propagation * 2;
        let count = self.dice.between(115, 150);
        for turn in 0..count {
            let agent = u8::try_from(usize::try_from(turn).unwrap() % plans.len()).unwrap();
            let at = self.near(changes, reach);
            let for_ = if self.dice.chance(60) {
                self.dice.between(SECOND, 3 * MINUTE)
            } else {
                self.dice.between(MINUTE, HOUR)
            };
            if plans[usize::from(agent)].asks() {
                self.add(at - for_, Act::Ask { agent });
            }
            self.add(at, Act::Read { agent, for_ });
            if self.dice.chance(5) {
                let at = self.any_time();
                self.add(at, Act::Expire { agent });
            }
        }
        for (agent, plan) in plans.iter().enumerate() {
            if plan.late {
                let (agent, at) = (u8::try_from(agent).unwrap(), self.any_time());
                self.add(at, Act::Catalogue { agent });
            }
        }
    }
}
