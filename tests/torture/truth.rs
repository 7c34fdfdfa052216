//! What must be there: a twin in memory that is fed the same steps, and remembers what it answered after each.

use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use whowas::domain::name::NameKind;
use whowas::domain::verdict::{Ask, Policy};
use whowas::ledger::{KnownAt, Ledger, LedgerError};
use whowas::store::Hash;
use whowas::store::memory::MemoryStore;

use super::script::{self, TENANTS};

/// How far each tenant is: how many steps, which is also its newest commit.
pub type Heads = [u64; TENANTS];

/// A tenant after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    pub hash: Hash,
    pub answers: Answers,
}

pub struct Truth {
    pub seed: u64,
    twin: Ledger,
    states: [Vec<State>; TENANTS],
}

impl Truth {
    pub fn new(seed: u64) -> Self {
        let twin = Ledger::new(MemoryStore::new());
        let none = |tenant| vec![State { hash: Hash::default(), answers: answers(&twin, tenant).unwrap() }];
        let states = std::array::from_fn(none);
        Self { seed, twin, states }
    }

    /// A tenant after as many steps.
    pub fn after(&mut self, tenant: usize, steps: u64) -> State {
        let states = &mut self.states[tenant];
        while (states.len() as u64) <= steps {
            let step = states.len() as u64 - 1;
            let (batch, stamp) = script::step(self.seed, tenant, step);
            let head = self.twin.append(script::tenant(tenant), batch, stamp).unwrap().head;
            assert_eq!(head.sequence.0, step + 1, "a step is one commit");
            states.push(State { hash: head.hash, answers: answers(&self.twin, tenant).unwrap() });
        }
        states[usize::try_from(steps).unwrap()]
    }
}

/// What a ledger says to a few questions about a tenant, as numbers: of the head, of names, of chains, of findings.
pub type Answers = [u64; 4];

pub fn answers(ledger: &Ledger, tenant: usize) -> Result<Answers, LedgerError> {
    let id = script::tenant(tenant);
    let head = ledger.head(id)?;
    let now = script::time(head.sequence.0 + 1);
    let (mut who_said, mut check_said) = (String::new(), String::new());
    for number in (0..script::NAMES).step_by(3) {
        let name = script::name(number);
        for at in [None, Some(script::time(head.sequence.0 / 2))] {
            let who = ledger.who(id, &name, NameKind::Any, at, KnownAt::Now, now)?;
            let _ = write!(who_said, "{who:?}");
        }
        let person = number % script::PEOPLE;
        let ask = Ask { chain: Some(script::chain(tenant, person)), name: Some(name), ..Ask::default() };
        let by_id = Ask { name: None, object: Some(script::object(tenant, person)), ..ask.clone() };
        for ask in [ask, by_id] {
            let checked = ledger.check(id, &ask, &Policy::default(), now, KnownAt::Now, None)?;
            let _ = write!(check_said, "{checked:?}");
        }
    }
    // Without their weights, which carry no commit: they may be those of one that is just being written, or could not be.
    let findings = ledger.findings(id, None, 50)?;
    let findings: Vec<_> =
        findings.into_iter().map(|finding| (finding.id, finding.kind, finding.subject, finding.steps)).collect();
    let findings = format!("{findings:?}");
    Ok([format!("{head:?}"), who_said, check_said, findings].map(|said| {
        let mut hasher = DefaultHasher::new();
        said.hash(&mut hasher);
        hasher.finish()
    }))
}
