//! The restore guard: may this snapshot's data go to that person?
//!
//! Only proof lets a restore proceed: the snapshot certainly holds one person's data, and the target is that very person,
//! alive. A lineage link is shown and never counts: that two objects are the same human being is for a human being to say.

use std::collections::BTreeSet;

use super::attribution::Attribution;
use super::holder::HolderConfidence;
use super::id::{ChainId, ObjectId, SnapshotId};
use super::link::Link;
use super::timeline::State;

/// Everything that the guard looks at.
#[derive(Debug)]
pub struct Case<'a> {
    /// The chain.
    pub chain: &'a ChainId,
    /// The snapshot.
    pub snapshot: &'a SnapshotId,
    /// It is no longer kept.
    pub expired: bool,
    /// Whose data it holds.
    pub attribution: &'a Attribution,
    /// The people whom the agent's receipts name; more than one if the mailbox changed under the read.
    pub read: &'a BTreeSet<ObjectId>,
    /// Where the snapshot's owner stands; `None` if there is no single owner or it was never seen.
    pub owner: Option<&'a Person>,
    /// To whom.
    pub target: &'a Target,
    /// Where the target stands; `None` if it is not known or was never seen.
    pub taker: Option<&'a Person>,
    /// The lineage links that an operator approved for the owner and the target.
    pub links: &'a [Link],
}

/// Someone as far as the ledger knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Which object.
    pub object: ObjectId,
    /// What it is called now, or was called last.
    pub called: Option<String>,
    /// Where it stands.
    pub state: State,
    /// Whether there is a mailbox to restore to: groups and contacts have none, nor has a user whose licence went.
    pub has_mailbox: bool,
}

/// To whom a snapshot is to be restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// To this object: it was named by its id, or the name given is proved to be its now.
    Object(ObjectId),
    /// To whoever holds a name, or to an object, and nothing proves who or whether that is now.
    Unproven {
        /// A name was given, not an object's id.
        by_name: bool,
        /// The directory was asked for it, or was to be.
        read_live: bool,
        /// Who it is by the newest evidence.
        holder: Option<ObjectId>,
        /// Everyone who claims it.
        claimants: Vec<ObjectId>,
        /// Why it is not proved.
        why: Vec<String>,
    },
}

/// What the guard says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The verdict; only the first proceeds.
    pub verdict: RestoreVerdict,
    /// Why, in short sentences.
    pub reasons: Vec<String>,
}

/// The guard's four verdicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum RestoreVerdict {
    /// The snapshot certainly holds the target's own data.
    SameOwner,
    /// It certainly holds somebody else's.
    DifferentOwner,
    /// It holds the target's data, and the target is not live in the directory or has no mailbox.
    OwnerGone,
    /// The evidence does not prove whose data it holds, or who the target is.
    CannotKnow,
}

/// What a restore does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum RestoreAction {
    /// It goes on.
    Proceed,
    /// It does not.
    Stop,
}

impl RestoreVerdict {
    /// The action that goes with it.
    pub fn action(self) -> RestoreAction {
        if self == Self::SameOwner { RestoreAction::Proceed } else { RestoreAction::Stop }
    }
}

/// Judges a restore.
pub fn guard(case: &Case<'_>) -> Judgement {
    let (verdict, mut reasons) = judge(case);
    let owner = case.attribution.owner;
    if let (Some(owner), Target::Object(target)) = (owner, case.target)
        && owner != *target
    {
        reasons.extend(case.links.iter().filter(|link| is_between(link, owner, *target)).map(say_link));
    }
    Judgement { verdict, reasons }
}

fn judge(case: &Case<'_>) -> (RestoreVerdict, Vec<String>) {
    use RestoreVerdict::{CannotKnow, DifferentOwner, OwnerGone, SameOwner};
    let subject = format!("snapshot {} of chain {}", case.snapshot, case.chain);
    let mut doubts = doubts(case, &subject);
    let (target, owner) = match (case.target, case.attribution.owner) {
        (Target::Object(target), Some(owner)) if doubts.is_empty() => (*target, owner),
        (Target::Unproven { by_name, read_live, why, .. }, _) => {
            doubts.extend(why.iter().cloned());
            let (what, cure) = match by_name {
                true => ("who the target is", "name the target by its object id"),
                false => ("where the target stands", "sync"),
            };
            let read = if *read_live { "" } else { "ask with a live read (--verify), or " };
            doubts.push(format!("so nothing proves {what} now; {read}{cure}"));
            return (CannotKnow, doubts);
        }
        _ => return (CannotKnow, doubts),
    };
    let holds = format!("{subject} holds the data of {}", call(owner, case.owner));
    if target != owner {
        let mut reasons = vec![holds, format!("the target is {}", call(target, case.taker))];
        if let Some(gone) = case.owner.and_then(gone) {
            reasons.push(format!("the owner {gone}, and the target is still another person's mailbox"));
        }
        return (DifferentOwner, reasons);
    }
    match case.owner {
        Some(person) if person.state == State::Active && person.has_mailbox => {
            (SameOwner, vec![holds, "the target is that person".to_owned()])
        }
        Some(person) if person.state == State::Active => {
            let why = "that person has no mailbox to restore to: it has no Exchange licence now, or is no user (a mailbox that \
                       was made a shared one lives on without a licence, which the directory does not tell)";
            (OwnerGone, vec![holds, why.to_owned()])
        }
        Some(person) => {
            let gone = gone(person).unwrap_or("is not live");
            (OwnerGone, vec![holds, format!("that person {gone}, so there is no mailbox to restore to")])
        }
        None => (OwnerGone, vec![holds, "that object was never seen in this tenant's directory".to_owned()]),
    }
}

/// What keeps the guard from knowing whose data the snapshot holds.
fn doubts(case: &Case<'_>, subject: &str) -> Vec<String> {
    let mut doubts = Vec::new();
    if case.expired {
        doubts.push(format!("{subject} has expired: the backup product no longer keeps it"));
    }
    if case.read.len() > 1 {
        let people: Vec<String> = case.read.iter().map(|object| format!("object {object}")).collect();
        doubts.push(format!(
            "{subject} was read from {}: it holds the data of both, and a person must take it apart",
            people.join(" and ")
        ));
        return doubts;
    }
    let candidates: Vec<String> =
        case.attribution.candidates.iter().map(|candidate| format!("object {}", candidate.object)).collect();
    let candidates = if candidates.is_empty() { String::new() } else { format!(" ({})", candidates.join(" or ")) };
    match case.attribution.confidence {
        HolderConfidence::Certain => {}
        HolderConfidence::Assumed => {
            doubts.push(format!("{subject} is only taken to hold this person's data{candidates}; nothing proves it"));
        }
        HolderConfidence::Ambiguous => {
            doubts.push(format!("the evidence allows more than one answer to whose data {subject} holds{candidates}"));
        }
        HolderConfidence::Nobody => {
            doubts.push(format!("nobody is known to have held the name by which {subject} was taken"));
        }
        HolderConfidence::Unknown => {
            doubts.push(format!("nothing is known of the name by which {subject} was taken, at that time"));
        }
    }
    if !doubts.is_empty() && !case.attribution.settled {
        doubts.push("it is provisional: sync, and ask again".to_owned());
    }
    doubts
}

fn call(object: ObjectId, person: Option<&Person>) -> String {
    let Some(person) = person else { return format!("object {object}, which was never seen in this tenant") };
    let called = person.called.as_deref().unwrap_or("without a name");
    match gone(person) {
        None => format!("{called} (object {object})"),
        Some(gone) => format!("object {object}, which {gone} (last {called})"),
    }
}

fn gone(person: &Person) -> Option<&'static str> {
    match person.state {
        State::Active => None,
        State::SoftDeleted => Some("is soft-deleted and can still come back"),
        State::Purged => Some("is gone for good"),
        State::Unknown => Some("is not in the directory, neither live nor deleted"),
    }
}

/// Whether the link joins the two, whichever is the earlier one.
fn is_between(link: &Link, one: ObjectId, other: ObjectId) -> bool {
    link.to.tenant.is_none() && [(one, other), (other, one)].contains(&(link.from, link.to.object))
}

fn say_link(link: &Link) -> String {
    let who = link.by.as_deref().map_or_else(|| "an operator".to_owned(), |by| format!("operator {by}"));
    let what = link.sentence(|object| format!("object {object}"));
    format!("{who} linked the two: {what}; a link shows where to look and never lets a restore proceed")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::holder::Candidate;
    use super::super::link::{LinkEnd, Relation};
    use super::super::track::Confidence;
    use super::*;

    const A: ObjectId = ObjectId::from_bytes([0xaa; 16]);
    const B: ObjectId = ObjectId::from_bytes([0xbb; 16]);

    struct Setting {
        expired: bool,
        confidence: HolderConfidence,
        read: BTreeSet<ObjectId>,
        owner_state: Option<State>,
        has_mailbox: bool,
        target: Target,
        links: Vec<Link>,
    }

    /// The clean case: A's certain snapshot, A alive, back to A.
    fn clean() -> Setting {
        Setting {
            expired: false,
            confidence: HolderConfidence::Certain,
            read: BTreeSet::new(),
            owner_state: Some(State::Active),
            has_mailbox: true,
            target: Target::Object(A),
            links: Vec::new(),
        }
    }

    fn person(object: ObjectId, state: State) -> Person {
        Person { object, called: Some("sam@x.test".to_owned()), state, has_mailbox: true }
    }

    fn guarded(setting: &Setting) -> Judgement {
        let is_one = matches!(setting.confidence, HolderConfidence::Certain | HolderConfidence::Assumed);
        let candidates = [A, B].into_iter().take(if is_one { 1 } else { 2 });
        let attribution = Attribution {
            owner: is_one.then_some(A),
            confidence: setting.confidence,
            settled: true,
            candidates: candidates
                .map(|object| Candidate { object, confidence: Confidence::Possible, held: Vec::new() })
                .collect(),
        };
        let owner = setting.owner_state.map(|state| Person { has_mailbox: setting.has_mailbox, ..person(A, state) });
        let taker = match setting.target {
            Target::Object(A) => owner.clone(),
            _ => Some(person(B, State::Active)),
        };
        guard(&Case {
            chain: &"cA".parse().unwrap(),
            snapshot: &"41".parse().unwrap(),
            expired: setting.expired,
            attribution: &attribution,
            read: &setting.read,
            owner: owner.as_ref(),
            target: &setting.target,
            taker: taker.as_ref(),
            links: &setting.links,
        })
    }

    fn unproven() -> Target {
        unproven_as(true)
    }

    fn unproven_as(by_name: bool) -> Target {
        Target::Unproven {
            by_name,
            read_live: false,
            holder: Some(A),
            claimants: vec![A],
            why: vec!["it is old".to_owned()],
        }
    }

    #[rstest]
    #[case::clean(clean(), RestoreVerdict::SameOwner, "the target is that person")]
    #[case::another_person(
        Setting { target: Target::Object(B), ..clean() }, RestoreVerdict::DifferentOwner, "the target is sam@x.test"
    )]
    #[case::another_person_while_the_owner_is_gone(
        Setting { target: Target::Object(B), owner_state: Some(State::Purged), ..clean() },
        RestoreVerdict::DifferentOwner, "gone for good"
    )]
    #[case::deleted(
        Setting { owner_state: Some(State::SoftDeleted), ..clean() }, RestoreVerdict::OwnerGone, "can still come back"
    )]
    #[case::purged(Setting { owner_state: Some(State::Purged), ..clean() }, RestoreVerdict::OwnerGone, "gone for good")]
    #[case::nowhere(Setting { owner_state: Some(State::Unknown), ..clean() }, RestoreVerdict::OwnerGone, "neither")]
    #[case::never_seen(Setting { owner_state: None, ..clean() }, RestoreVerdict::OwnerGone, "never seen")]
    #[case::no_mailbox(
        Setting { has_mailbox: false, ..clean() }, RestoreVerdict::OwnerGone, "has no mailbox to restore to"
    )]
    #[case::unproven_id(
        Setting { target: unproven_as(false), ..clean() }, RestoreVerdict::CannotKnow, "where the target stands"
    )]
    #[case::expired(Setting { expired: true, ..clean() }, RestoreVerdict::CannotKnow, "has expired")]
    #[case::assumed(
        Setting { confidence: HolderConfidence::Assumed, ..clean() }, RestoreVerdict::CannotKnow, "nothing proves it"
    )]
    #[case::ambiguous(
        Setting { confidence: HolderConfidence::Ambiguous, ..clean() }, RestoreVerdict::CannotKnow, "more than one answer"
    )]
    #[case::nobody(Setting { confidence: HolderConfidence::Nobody, ..clean() }, RestoreVerdict::CannotKnow, "nobody")]
    #[case::unknown(Setting { confidence: HolderConfidence::Unknown, ..clean() }, RestoreVerdict::CannotKnow, "nothing is")]
    #[case::two_people(
        Setting { confidence: HolderConfidence::Ambiguous, read: BTreeSet::from([A, B]), ..clean() },
        RestoreVerdict::CannotKnow, "a person must take it apart"
    )]
    #[case::unproven(Setting { target: unproven(), ..clean() }, RestoreVerdict::CannotKnow, "ask with a live read")]
    fn the_guard(#[case] setting: Setting, #[case] verdict: RestoreVerdict, #[case] words: &str) {
        let judged = guarded(&setting);
        assert_eq!(judged.verdict, verdict, "{judged:#?}");
        assert!(judged.reasons.iter().any(|reason| reason.contains(words)), "{words:?} is not in {judged:#?}");
        let proceeds = verdict.action() == RestoreAction::Proceed;
        assert_eq!(proceeds, verdict == RestoreVerdict::SameOwner);
    }

    #[test]
    fn a_link_is_named_and_still_stops() {
        let end = |object| LinkEnd { tenant: None, object };
        let link =
            |from, to| Link { from, to, relation: Relation::RecreatedAs, note: None, by: Some("pat".to_owned()) };
        for linked in [link(A, end(B)), link(B, end(A))] {
            let judged = guarded(&Setting { target: Target::Object(B), links: vec![linked], ..clean() });
            assert_eq!(judged.verdict, RestoreVerdict::DifferentOwner);
            assert!(judged.reasons.iter().any(|reason| reason.contains("operator pat linked")), "{judged:#?}");
        }
        // A link to somebody else, or to a namesake's id in another tenant, is not about these two.
        let elsewhere = LinkEnd { tenant: Some(super::super::id::TenantId::from_bytes([1; 16])), object: B };
        let judged = guarded(&Setting { target: Target::Object(B), links: vec![link(A, elsewhere)], ..clean() });
        assert!(!judged.reasons.iter().any(|reason| reason.contains("linked")), "{judged:#?}");
    }
}
