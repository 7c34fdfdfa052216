//! Whose data a snapshot holds.

use std::collections::BTreeSet;
use std::time::Duration;

use super::coverage::Coverage;
use super::fact::{Addressed, Receipt, Snapshot};
use super::holder::{Candidate, HolderConfidence, NameView};
use super::id::ObjectId;
use super::interval::Interval;
use super::track::Confidence;

/// Whose data a snapshot holds, and how sure that is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribution {
    /// Whose, if it is one.
    pub owner: Option<ObjectId>,
    /// How sure.
    pub confidence: HolderConfidence,
    /// No configured source is still expected to speak about it.
    pub settled: bool,
    /// Everyone whom the evidence allows.
    pub candidates: Vec<Candidate>,
}

/// How long sources may still speak about a snapshot after it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settling {
    /// How long after a rename in Entra the old name may still open the old mailbox in Exchange.
    pub propagation: Duration,
    /// How late the audit log may still speak; `None` where audits are off.
    pub audit_lag: Option<Duration>,
}

/// Attributes a snapshot. `view` is of the name it was addressed by and may be `None` if it was addressed by object id.
/// `receipts` are what the agent really read; they decide over everything else.
pub fn attribute(
    snapshot: &Snapshot,
    receipts: &[Receipt],
    view: Option<&NameView>,
    coverage: &Coverage,
    settling: Settling,
) -> Attribution {
    let read: BTreeSet<ObjectId> =
        receipts.iter().flat_map(|receipt| [Some(receipt.object), receipt.object_end]).flatten().collect();
    if !read.is_empty() {
        return of_objects(&read);
    }
    match (&snapshot.addressed, view) {
        (Addressed::Object(object), _) => of_objects(&BTreeSet::from([*object])),
        (Addressed::Name(_, kind), Some(view)) => {
            // For a while after a rename a name still opens the mailbox of whoever held it before.
            let interval = Interval::closed(snapshot.from.minus(settling.propagation), snapshot.until);
            let Some(interval) = interval else { return unknown() };
            let standing = view.standing(interval, *kind, coverage);
            let wait = settling.propagation.saturating_add(settling.audit_lag.unwrap_or_default());
            let settled = coverage.horizon().is_some_and(|horizon| horizon >= snapshot.until.plus(wait));
            let (owner, confidence) = (standing.holder, standing.confidence);
            Attribution { owner, confidence, settled, candidates: standing.candidates }
        }
        (Addressed::Name(..), None) => unknown(),
    }
}

/// Whether the object certainly owns the snapshot.
pub fn is_certainly(attribution: &Attribution, object: ObjectId) -> bool {
    attribution.confidence == HolderConfidence::Certain && attribution.owner == Some(object)
}

fn of_objects(objects: &BTreeSet<ObjectId>) -> Attribution {
    let confidence = if objects.len() == 1 { Confidence::Certain } else { Confidence::Possible };
    let candidates = objects.iter().map(|object| Candidate { object: *object, confidence, held: Vec::new() }).collect();
    let owner = objects.first().copied().filter(|_| objects.len() == 1);
    let confidence = if owner.is_some() { HolderConfidence::Certain } else { HolderConfidence::Ambiguous };
    Attribution { owner, confidence, settled: true, candidates }
}

fn unknown() -> Attribution {
    Attribution { owner: None, confidence: HolderConfidence::Unknown, settled: false, candidates: Vec::new() }
}
