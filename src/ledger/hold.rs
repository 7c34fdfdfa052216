//! What a guard holds, as the journal has it.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::fact::{Fact, Known};
use crate::domain::guard::{HeldPart, Impact, Standstill};
use crate::domain::id::{Sequence, TenantId};
use crate::domain::time::Instant;
use crate::store::OpenHold;

use super::{KnownAt, Ledger, LedgerError, View};

/// A round that is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// What of the run is held.
    pub part: HeldPart,
    /// The commit that brought it.
    pub sequence: Sequence,
    /// Since when.
    pub at: Instant,
    /// How much it would change.
    pub impact: Impact,
    /// When an operator found it wrong, if one did.
    pub rejected: Option<Instant>,
    /// What asks are judged by.
    pub standstill: Standstill,
}

impl Ledger {
    /// What is held now.
    pub fn holds(&self, tenant: TenantId) -> Result<Vec<Hold>, LedgerError> {
        self.view(tenant, KnownAt::Now)?.holds()
    }
}

impl View<'_> {
    /// What is held.
    pub fn holds(&self) -> Result<Vec<Hold>, LedgerError> {
        let open = self.open_holds();
        if open.is_empty() {
            return Ok(Vec::new());
        }
        let facts = self.store().tenant_facts(self.tenant(), self.through())?;
        let mut holds: BTreeMap<u64, Hold> = BTreeMap::new();
        for known in &facts {
            match &known.fact {
                Fact::Held(held) if open.iter().any(|open| open.run == held.run) => {
                    let hold = holds.entry(held.run).or_insert_with(|| Hold {
                        part: held.part,
                        sequence: known.sequence,
                        at: held.at,
                        impact: held.impact,
                        rejected: None,
                        standstill: Standstill {
                            run: held.run,
                            why: held.why.clone(),
                            objects: BTreeSet::new(),
                            complete: held.complete,
                        },
                    });
                    hold.standstill.objects.extend(&held.objects);
                }
                Fact::HoldRejected(rejected) => {
                    if let Some(hold) = holds.get_mut(&rejected.run) {
                        hold.rejected = Some(rejected.at);
                    }
                }
                _ => {}
            }
        }
        Ok(holds.into_values().collect())
    }
}

/// What is open after these facts.
pub(super) fn open_after(facts: &[Known]) -> Vec<OpenHold> {
    let mut open = Vec::new();
    for known in facts {
        note(&mut open, &known.fact);
    }
    open
}

/// Opens or ends a hold, if the fact does so. At most one of each part is open: the newest.
pub(super) fn note(open: &mut Vec<OpenHold>, fact: &Fact) {
    match fact {
        Fact::Held(held) if !open.iter().any(|open| open.run == held.run) => {
            open.retain(|open| open.part != held.part);
            open.push(OpenHold { run: held.run, part: held.part });
        }
        Fact::HoldEnded(ended) => open.retain(|open| open.run != ended.run),
        _ => {}
    }
}
