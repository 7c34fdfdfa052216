//! Whose data a snapshot holds, derived from nothing but the facts that are given: by whoever makes a proof, and anew by
//! whoever checks it.

use std::collections::BTreeMap;

use super::proof::Claim;
use crate::domain::attribution::{Attribution, Settling, attribute};
use crate::domain::coverage::Coverage;
use crate::domain::fact::{Addressed, Fact, Known, Receipt, Snapshot, Vacant};
use crate::domain::holder::{Candidate, HolderConfidence, NameView};
use crate::domain::id::{ChainId, ObjectId, Sequence, SnapshotId};
use crate::domain::timeline::Timeline;
use crate::domain::track::Confidence;

/// A snapshot, and whose data it holds by some facts.
#[derive(Clone, Debug)]
pub struct Attributed {
    /// The snapshot.
    pub snapshot: Snapshot,
    /// Whose data it holds.
    pub attribution: Attribution,
}

/// Attributes a snapshot by these facts, which stand in the order of their commits. `None` if the snapshot is not among them.
pub fn attributed(chain: &ChainId, id: &SnapshotId, facts: &[Known]) -> Option<Attributed> {
    let mut snapshot: Option<Snapshot> = None;
    let mut receipts: Vec<Receipt> = Vec::new();
    let mut settling = Settling::default();
    let mut coverage = Coverage::default();
    let mut objects: BTreeMap<ObjectId, Vec<Known>> = BTreeMap::new();
    let mut vacancies: Vec<(Sequence, Vacant)> = Vec::new();
    for known in facts {
        match &known.fact {
            // The first one counts; a ledger takes no other.
            Fact::SnapshotTaken(taken) if taken.chain == *chain && taken.id == *id => {
                snapshot.get_or_insert_with(|| taken.clone());
            }
            Fact::Receipt(receipt) if receipt.chain == *chain && receipt.snapshot == *id => {
                receipts.push(receipt.clone());
            }
            Fact::Settling(terms) => settling = *terms,
            Fact::Horizon(horizon) => coverage.add(horizon),
            Fact::Vacant(vacant) => vacancies.push((known.sequence, vacant.clone())),
            fact => {
                if let Some(object) = fact.object() {
                    objects.entry(object).or_default().push(known.clone());
                }
            }
        }
    }
    let snapshot = snapshot?;
    let view = match &snapshot.addressed {
        Addressed::Object(_) => None,
        Addressed::Name(name, _) => {
            let timelines: Vec<Timeline> =
                objects.into_iter().map(|(object, facts)| Timeline::of(object, facts, &coverage)).collect();
            vacancies.retain(|(_, vacant)| vacant.name.key() == name.key());
            Some(NameView::of(name.key(), &timelines, &vacancies))
        }
    };
    let attribution = attribute(&snapshot, &receipts, view.as_ref(), &coverage, settling);
    Some(Attributed { snapshot, attribution })
}

impl Claim {
    /// What an attribution comes to.
    pub fn of(attribution: &Attribution) -> Self {
        let candidate = |candidate: &Candidate| (candidate.object, sure(candidate.confidence).to_owned());
        Self {
            owner: attribution.owner,
            confidence: match attribution.confidence {
                HolderConfidence::Certain => "certain",
                HolderConfidence::Assumed => "assumed",
                HolderConfidence::Ambiguous => "ambiguous",
                HolderConfidence::Nobody => "nobody",
                HolderConfidence::Unknown => "unknown",
            }
            .to_owned(),
            settled: attribution.settled,
            candidates: attribution.candidates.iter().map(candidate).collect(),
        }
    }
}

fn sure(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Certain => "certain",
        Confidence::Assumed => "assumed",
        Confidence::Possible | Confidence::Unlikely => "possible",
        Confidence::Impossible => "impossible",
    }
}
