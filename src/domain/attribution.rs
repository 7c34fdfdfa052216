//! Whose data a snapshot holds.

use std::collections::BTreeSet;
use std::time::Duration;

use super::coverage::Coverage;
use super::fact::{Addressed, Receipt, Snapshot};
use super::holder::{Candidate, HolderConfidence, NameView, Standing};
use super::id::{MailboxId, ObjectId};
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

/// An attribution in few words, as it is kept beside each snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Judgement {
    /// The owner, if it is one. Where that is open, the one object that receipts say was read, at least to begin with; so nobody takes
    /// it for the owner, there are [`Self::certain_owner`], [`Self::likely_owner`] and [`Self::read`].
    pub object: Option<ObjectId>,
    /// How sure.
    pub confidence: HolderConfidence,
    /// No configured source is still expected to speak about it.
    pub settled: bool,
    /// A receipt tells what was read.
    pub receipted: bool,
    /// What was read is not one object or mailbox instance, or not the one that was to be read.
    pub disputed: bool,
}

/// What is told of what a snapshot was read from.
pub struct Told {
    /// The objects that receipts name.
    pub objects: BTreeSet<ObjectId>,
    /// The mailbox instances that receipts and the snapshot itself name.
    pub mailboxes: BTreeSet<MailboxId>,
}

impl Told {
    /// By a snapshot and its receipts.
    pub fn of<'r>(snapshot: &Snapshot, receipts: impl IntoIterator<Item = &'r Receipt> + Clone) -> Self {
        let told = receipts.clone().into_iter().flat_map(|receipt| [receipt.mailbox, receipt.mailbox_end]).flatten();
        Self { objects: objects_read(receipts), mailboxes: told.chain(snapshot.mailbox).collect() }
    }
}

/// Against whom an assumed owner of a chain's snapshots is held, by those who certainly own some of what is kept: whoever alone does, as
/// the chain's owner may not any more, or else the chain's owner.
pub fn held_against(bound: Option<ObjectId>, kept: &BTreeSet<ObjectId>) -> Option<ObjectId> {
    kept.first().copied().filter(|_| kept.len() == 1).or(bound)
}

impl Judgement {
    /// An attribution with what the snapshot's receipts say of themselves.
    pub fn of(snapshot: &Snapshot, receipts: &[Receipt], attribution: &Attribution) -> Self {
        let Told { objects: read, mailboxes } = Told::of(snapshot, receipts);
        let other_object = match &snapshot.addressed {
            Addressed::Object(object) => read.iter().any(|found| found != object),
            Addressed::Name(..) => read.len() > 1,
        };
        let disputed = other_object || mailboxes.len() > 1;
        let is_one_read = read.len() == 1;
        Self {
            object: attribution.owner.or_else(|| read.first().copied().filter(|_| is_one_read)),
            confidence: attribution.confidence,
            settled: attribution.settled,
            receipted: !receipts.is_empty(),
            disputed,
        }
    }

    /// The owner, if it is certain.
    pub fn certain_owner(self) -> Option<ObjectId> {
        self.object.filter(|_| self.confidence == HolderConfidence::Certain)
    }

    /// The owner, if it is certain or assumed.
    pub fn likely_owner(self) -> Option<ObjectId> {
        self.object.filter(|_| matches!(self.confidence, HolderConfidence::Certain | HolderConfidence::Assumed))
    }

    /// The one object that receipts say was read. Where there is an owner as well, it is that.
    pub fn read(self) -> Option<ObjectId> {
        self.object.filter(|_| self.receipted && !self.disputed)
    }
}

/// How long sources may still speak about a snapshot after it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Settling {
    /// How long after a rename in Entra the old name may still open the old mailbox in Exchange.
    #[serde(rename = "propagation_s", serialize_with = "super::time::as_seconds")]
    pub propagation: Duration,
    /// How late the audit log may still speak; `None` where audits are off.
    #[serde(rename = "audit_lag_s", serialize_with = "super::time::as_seconds_or_none")]
    pub audit_lag: Option<Duration>,
}

impl Default for Settling {
    fn default() -> Self {
        Self { propagation: Duration::from_secs(15 * 60), audit_lag: None }
    }
}

impl Settling {
    /// How long after a snapshot's end a horizon must reach for every source to have spoken.
    pub fn wait(self) -> Duration {
        self.propagation.saturating_add(self.audit_lag.unwrap_or_default())
    }
}

/// Attributes a snapshot. `view` is of the name it was addressed by and may be `None` if it was addressed by object id.
/// `receipts` are what the agent really read; those that tell both ends of the read decide over everything else. One that
/// tells only the start is joined with what the name says, for a name may lead elsewhere before the read ends.
pub fn attribute(
    snapshot: &Snapshot,
    receipts: &[Receipt],
    view: Option<&NameView>,
    coverage: &Coverage,
    settling: Settling,
) -> Attribution {
    let read = objects_read(receipts);
    let is_whole = receipts.iter().any(|receipt| receipt.object_end.is_some());
    if !read.is_empty() && (is_whole || matches!(snapshot.addressed, Addressed::Object(_))) {
        return of_objects(&read);
    }
    match (&snapshot.addressed, view) {
        (Addressed::Object(object), _) => of_objects(&BTreeSet::from([*object])),
        (Addressed::Name(_, kind), view) => {
            // For a while after a rename a name still opens the mailbox of whoever held it before.
            let interval = Interval::closed(snapshot.from.minus(settling.propagation), snapshot.until);
            let standing = view.zip(interval).map(|(view, interval)| view.standing(interval, *kind, coverage));
            let settled = coverage.horizon().is_some_and(|horizon| horizon >= snapshot.until.plus(settling.wait()));
            match (read.is_empty(), standing) {
                (true, None) => unknown(),
                (true, Some(Standing { confidence, holder, candidates })) => {
                    Attribution { owner: holder, confidence, settled, candidates }
                }
                (false, standing) => joined(&read, standing, settled),
            }
        }
    }
}

fn objects_read<'r>(receipts: impl IntoIterator<Item = &'r Receipt>) -> BTreeSet<ObjectId> {
    receipts.into_iter().flat_map(|receipt| [Some(receipt.object), receipt.object_end]).flatten().collect()
}

/// What a name's standing and receipts of the read's start say together.
fn joined(read: &BTreeSet<ObjectId>, standing: Option<Standing>, settled: bool) -> Attribution {
    let one = read.first().copied().filter(|_| read.len() == 1);
    let (told, mut candidates) = match standing {
        Some(standing) => (standing.confidence, standing.candidates),
        None => (HolderConfidence::Unknown, Vec::new()),
    };
    let is_alone = candidates.iter().all(|candidate| Some(candidate.object) == one);
    let confidence = match (one, told) {
        (Some(_), HolderConfidence::Unknown) if is_alone => HolderConfidence::Assumed,
        // Nobody is known to have held the name, and yet it opened somebody's mailbox.
        (Some(_), HolderConfidence::Nobody) | (None, _) => HolderConfidence::Ambiguous,
        (Some(_), told) if is_alone => told,
        (Some(_), _) => HolderConfidence::Ambiguous,
    };
    let level = if confidence == HolderConfidence::Assumed { Confidence::Assumed } else { Confidence::Possible };
    for object in read {
        if !candidates.iter().any(|candidate| candidate.object == *object) {
            candidates.push(Candidate { object: *object, confidence: level, held: Vec::new() });
        }
    }
    candidates.sort_by_key(|candidate| candidate.object);
    let is_one = matches!(confidence, HolderConfidence::Certain | HolderConfidence::Assumed);
    Attribution { owner: one.filter(|_| is_one), confidence, settled, candidates }
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

#[cfg(test)]
mod tests {
    use super::*;

    const PROPAGATION: Settling = Settling { propagation: Duration::from_secs(900), audit_lag: None };

    fn object(byte: u8) -> ObjectId {
        ObjectId::from_bytes([byte; 16])
    }

    fn standing(confidence: HolderConfidence, holder: Option<u8>, candidates: &[u8]) -> Standing {
        let candidates = candidates.iter().map(|byte| Candidate {
            object: object(*byte),
            confidence: Confidence::Possible,
            held: Vec::new(),
        });
        Standing { confidence, holder: holder.map(object), candidates: candidates.collect() }
    }

    #[test]
    fn a_receipt_of_the_start_is_joined_with_what_the_name_says() {
        use HolderConfidence::{Ambiguous, Assumed, Certain, Nobody, Unknown};
        let cases = [
            (standing(Certain, Some(1), &[1]), Certain, Some(1), vec![1]),
            (standing(Assumed, Some(1), &[1]), Assumed, Some(1), vec![1]),
            (standing(Certain, Some(2), &[2]), Ambiguous, None, vec![1, 2]),
            (standing(Assumed, Some(1), &[1, 2]), Ambiguous, None, vec![1, 2]),
            (standing(Ambiguous, None, &[1]), Ambiguous, None, vec![1]),
            (standing(Nobody, None, &[]), Ambiguous, None, vec![1]),
            (standing(Unknown, None, &[]), Assumed, Some(1), vec![1]),
        ];
        for (standing, confidence, owner, candidates) in cases {
            let found = joined(&BTreeSet::from([object(1)]), Some(standing.clone()), true);
            assert_eq!((found.confidence, found.owner), (confidence, owner.map(object)), "{standing:?}");
            let named: Vec<ObjectId> = found.candidates.iter().map(|candidate| candidate.object).collect();
            assert_eq!(named, candidates.into_iter().map(object).collect::<Vec<_>>(), "{standing:?}");
        }
    }

    #[test]
    fn a_receipt_of_the_start_alone_is_certain_only_where_nothing_can_redirect_the_read() {
        let at = "2026-03-01T08:00:00Z".parse().unwrap();
        let name = Addressed::Name("ann@x.test".parse().unwrap(), crate::domain::name::NameKind::Any);
        let confidence = |addressed, object_end| {
            let (chain, id) = ("c".parse().unwrap(), "1".parse().unwrap());
            let snapshot = Snapshot { chain, id, from: at, until: at, addressed, mailbox: None };
            let (chain, id) = (snapshot.chain.clone(), snapshot.id.clone());
            let (object, mailbox) = (object(1), None);
            let receipt = Receipt { chain, snapshot: id, object, mailbox, object_end, mailbox_end: None };
            attribute(&snapshot, &[receipt], None, &Coverage::default(), PROPAGATION).confidence
        };
        assert_eq!(confidence(name.clone(), None), HolderConfidence::Assumed);
        assert_eq!(confidence(name.clone(), Some(object(1))), HolderConfidence::Certain);
        assert_eq!(confidence(name, Some(object(2))), HolderConfidence::Ambiguous);
        assert_eq!(confidence(Addressed::Object(object(1)), None), HolderConfidence::Certain);
    }
}
