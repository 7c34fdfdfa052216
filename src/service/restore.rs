//! The restore guard.

use std::collections::BTreeSet;

use serde::Serialize;

use super::Desk;
use super::check::{self, CheckAnswer};
use super::parts::NamesPart;
use super::people::{HoldPart, People, PersonPart};
use super::snapshot::{self, SnapshotAnswer};
use crate::domain::id::{ChainId, ObjectId, SnapshotId};
use crate::domain::link::Link;
use crate::domain::name::{Name, NameKind};
use crate::domain::restore::{self, Case, RestoreAction, RestoreVerdict, Target};
use crate::domain::timeline::State;
use crate::domain::verdict::{Ask, Outcome};
use crate::ledger::{Basis, KnownAt, LedgerError};
use crate::sync::{Context, SyncError};

/// What is to be restored, and to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreRequest {
    /// The chain.
    pub chain: ChainId,
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// To whom.
    pub to: Recipient,
}

/// To whom, as it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipient {
    /// To this object.
    Object(ObjectId),
    /// To whoever holds this name.
    Name(Name, NameKind),
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RestoreAnswer {
    /// The verdict.
    pub verdict: RestoreVerdict,
    /// What to do.
    pub action: RestoreAction,
    /// The snapshot, and whose data it holds.
    pub snapshot: SnapshotAnswer,
    /// Whose data it certainly holds, if it is one's.
    pub owner: Option<PartyPart>,
    /// To whom.
    pub target: TargetPart,
    /// Why.
    pub reasons: Vec<String>,
    /// What the answer rests on.
    pub basis: Basis,
}

/// One of the two people.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PartyPart {
    /// Who.
    #[serde(flatten)]
    pub person: PersonPart,
    /// The user principal names and sender addresses held, with the edges between which they began and ended.
    pub held: Vec<HoldPart>,
}

/// To whom.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TargetPart {
    /// The name asked, if it was one.
    pub name: Option<Name>,
    /// Who it is; `null` if nothing proves it.
    pub object: Option<ObjectId>,
    /// What it is called now, or was called last.
    pub names: Option<NamesPart>,
    /// Where it stands.
    pub state: Option<State>,
    /// The user principal names and sender addresses held.
    pub held: Vec<HoldPart>,
    /// Who may hold the name, where nothing proves who does.
    pub claimants: Vec<PersonPart>,
}

/// Judges a restore by what the ledger holds.
pub fn restore_check(desk: &Desk, request: &RestoreRequest) -> Result<RestoreAnswer, LedgerError> {
    let answer = match &request.to {
        Recipient::Name(..) => Some(check::check(desk, &ask(&request.to), KnownAt::Now)?),
        // An id cannot be redirected, so no ask is needed to know who it is.
        Recipient::Object(_) => None,
    };
    judge(desk, request, answer.as_ref())
}

/// Reads the directory first, then judges.
pub async fn restore_check_live(
    desk: &Desk,
    context: &Context,
    request: &RestoreRequest,
) -> Result<RestoreAnswer, SyncError> {
    let answer = check::check_live(desk, context, &ask(&request.to)).await?;
    let (desk, request) = (desk.clone(), request.clone());
    // The ledger blocks.
    Ok(tokio::task::spawn_blocking(move || judge(&desk, &request, Some(&answer))).await??)
}

fn ask(to: &Recipient) -> Ask {
    match to {
        Recipient::Object(object) => Ask { object: Some(*object), ..Ask::default() },
        Recipient::Name(name, kind) => Ask { name: Some(name.clone()), kind: *kind, ..Ask::default() },
    }
}

fn judge(desk: &Desk, request: &RestoreRequest, asked: Option<&CheckAnswer>) -> Result<RestoreAnswer, LedgerError> {
    let RestoreRequest { chain, snapshot: id, to } = request;
    let missing = || LedgerError::NoSnapshot { chain: chain.clone(), snapshot: id.clone() };
    let found = desk.ledger.snapshot(desk.tenant, chain, id, desk.policy.settling)?.ok_or_else(missing)?;
    let view = desk.ledger.view(desk.tenant, KnownAt::Now)?;
    let mut people = People::new(&view);
    let target = target(to, asked);
    let owner = found.attribution.owner;
    let (taker, claimants) = match &target {
        Target::Object(object) => (Some(*object), Vec::new()),
        Target::Unproven { claimants, .. } => (None, claimants.clone()),
    };
    let known_owner = owner.map(|object| people.person(object)).transpose()?.flatten();
    let known_taker = taker.map(|object| people.person(object)).transpose()?.flatten();
    let receipts = found.record.receipts.iter().map(|(_, receipt)| receipt);
    let read: BTreeSet<ObjectId> =
        receipts.flat_map(|receipt| [Some(receipt.object), receipt.object_end]).flatten().collect();
    let links = match owner {
        Some(owner) => desk.ledger.links(desk.tenant, owner)?,
        None => Vec::new(),
    };
    let links: Vec<Link> =
        links.into_iter().filter(|record| record.is_on(view.through())).map(|record| record.link).collect();
    let mut judgement = restore::guard(&Case {
        chain,
        snapshot: id,
        expired: found.record.expired.is_some(),
        attribution: &found.attribution,
        read: &read,
        owner: known_owner.as_ref().map(known).as_ref(),
        target: &target,
        taker: known_taker.as_ref().map(known).as_ref(),
        links: &links,
    });
    if let Some(since) = asked.and_then(|answer| answer.evidence.unproven_since).filter(|_| taker.is_some()) {
        let why = format!("who holds the target's name is proved only through {since}, which the policy accepts");
        judgement.reasons.push(why);
    }
    let held = |people: &mut People<'_, '_>, object: Option<ObjectId>| match object {
        Some(object) => people.holds(object),
        None => Ok(Vec::new()),
    };
    let owner = match known_owner {
        Some(person) => Some(PartyPart { held: held(&mut people, Some(person.object))?, person }),
        None => None,
    };
    let names = match taker {
        Some(object) => people.timeline(object)?.map(|timeline| timeline.names().into()),
        None => None,
    };
    let name = if let Recipient::Name(name, _) = to { Some(name.clone()) } else { None };
    Ok(RestoreAnswer {
        verdict: judgement.verdict,
        action: judgement.verdict.action(),
        snapshot: snapshot::show(desk, chain.clone(), id.clone())?,
        owner,
        target: TargetPart {
            name,
            object: taker,
            names,
            state: known_taker.map(|person| person.state),
            held: held(&mut people, taker)?,
            claimants: people.all(claimants)?,
        },
        reasons: judgement.reasons,
        // An ask with a live read is judged at the time of that read.
        basis: view.basis(asked.map_or_else(|| desk.clock.now(), |answer| answer.basis.clock)),
    })
}

/// Who the target is, as the verdict on it says: an agent may write to whom a backup may be read from.
fn target(to: &Recipient, asked: Option<&CheckAnswer>) -> Target {
    match (to, asked) {
        (Recipient::Object(object), None) => Target::Object(*object),
        (Recipient::Object(object), Some(answer)) if answer.verdict != Outcome::Refresh => Target::Object(*object),
        (_, Some(answer)) => proved(answer),
        (Recipient::Name(..), None) => Target::Unproven { holder: None, claimants: Vec::new(), why: Vec::new() },
    }
}

fn proved(answer: &CheckAnswer) -> Target {
    let stands = match answer.verdict {
        Outcome::Continue | Outcome::Renamed | Outcome::Baseline | Outcome::MailboxReplaced | Outcome::Frozen => true,
        Outcome::Mismatch | Outcome::Ambiguous | Outcome::Refresh | Outcome::Unknown => false,
    };
    match answer.object.filter(|_| stands) {
        Some(object) => Target::Object(object),
        None => {
            let several = answer.candidates.iter().map(|candidate| candidate.object);
            Target::Unproven {
                holder: answer.object,
                claimants: answer.object.into_iter().chain(several).collect::<BTreeSet<_>>().into_iter().collect(),
                why: answer.reasons.clone(),
            }
        }
    }
}

fn known(person: &PersonPart) -> restore::Person {
    restore::Person { object: person.object, called: person.called.clone(), state: person.state }
}
