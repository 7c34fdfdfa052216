//! What was played and what was found.

use std::collections::BTreeMap;
use std::fmt;

#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub tenants: u64,
    pub changes: u64,
    /// Instants at which every tenant was to be read.
    pub slots: u64,
    /// Completed rounds, as the run logs of the disturbed ledgers have them.
    pub completed: u64,
    /// Runs that failed or were cut short, by the same.
    pub failed: u64,
    /// Processes started.
    pub processes: u64,
    /// Processes that SIGKILL ended.
    pub kills: u64,
    /// Of them, the service.
    pub services_killed: u64,
    /// Syncs on demand while another one was running.
    pub raced: u64,
    /// Those refused because that one was of the same tenant: told by whom it is held and since when.
    pub refused: u64,
    /// Those refused because it was of another tenant of the same ledger.
    pub waited_in_vain: u64,
    /// How often each fault has shown.
    pub faults: BTreeMap<&'static str, u64>,
    pub objects: u64,
    pub names: u64,
    /// Edges like the twin's, and wider ones, and ones that a reading at another instant made narrower.
    pub edges: [u64; 3],
    /// Names with a gap that never was, of which the ledger does not claim that it had any length.
    pub phantoms: u64,
    /// Holds that nobody looked at while they lasted.
    pub unseen: u64,
    /// Instants proved in the disturbed ledgers and in the twin, as spans of one name.
    pub proved: u64,
    pub false_claims: u64,
    pub foreign_requests: u64,
    pub foreign_tokens: u64,
    /// What is wrong.
    pub problems: Vec<String>,
}

impl Tally {
    pub fn problem(&mut self, what: String) {
        self.problems.push(what);
    }

    pub fn add(&mut self, other: Self) {
        let sum = |mine: &mut u64, theirs: u64| *mine += theirs;
        sum(&mut self.completed, other.completed);
        sum(&mut self.failed, other.failed);
        sum(&mut self.processes, other.processes);
        sum(&mut self.kills, other.kills);
        sum(&mut self.services_killed, other.services_killed);
        sum(&mut self.raced, other.raced);
        sum(&mut self.refused, other.refused);
        sum(&mut self.waited_in_vain, other.waited_in_vain);
        for (fault, often) in other.faults {
            *self.faults.entry(fault).or_default() += often;
        }
        self.problems.extend(other.problems);
    }

    /// Whether all that must hold holds.
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty() && self.false_claims == 0 && self.foreign_requests == 0 && self.foreign_tokens == 0
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [equal, wider, narrower] = self.edges;
        let faults: Vec<String> = self.faults.iter().map(|(fault, often)| format!("{fault} {often}")).collect();
        let rows: [(&str, String); 16] = [
            ("tenants", self.tenants.to_string()),
            ("changes of the directories", self.changes.to_string()),
            ("instants at which each was to be read", self.slots.to_string()),
            ("runs completed / failed or cut short", format!("{} / {}", self.completed, self.failed)),
            (
                "processes / ended by SIGKILL, services among them",
                format!("{} / {}, {}", self.processes, self.kills, self.services_killed),
            ),
            ("syncs on demand while another ran", self.raced.to_string()),
            (
                "refused: same tenant / another tenant of the ledger",
                format!("{} / {}", self.refused, self.waited_in_vain),
            ),
            ("faults shown", format!("{}: {}", self.faults.values().sum::<u64>(), faults.join(", "))),
            ("objects / names compared", format!("{} / {}", self.objects, self.names)),
            ("edges like the twin's / wider / narrower", format!("{equal} / {wider} / {narrower}")),
            ("holds between two readings, seen by nobody", self.unseen.to_string()),
            ("names with a gap that never was, of no certain length", self.phantoms.to_string()),
            ("tracks whose proofs were checked", self.proved.to_string()),
            ("false claims", self.false_claims.to_string()),
            (
                "requests to the foreign host / with a token",
                format!("{} / {}", self.foreign_requests, self.foreign_tokens),
            ),
            ("problems", self.problems.len().to_string()),
        ];
        writeln!(f, "|  |  |\n| --- | --- |")?;
        rows.iter().try_for_each(|(what, value)| writeln!(f, "| {what} | {value} |"))?;
        self.problems.iter().take(20).try_for_each(|problem| writeln!(f, "PROBLEM: {problem}"))
    }
}
