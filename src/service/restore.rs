//! The restore guard.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Desk;
use super::check::{self, CheckAnswer};
use super::parts::{NamesPart, shell};
use super::people::{HoldPart, People, PersonPart};
use super::snapshot::{self, SnapshotAnswer};
use crate::domain::holder::Holder;
use crate::domain::id::{ChainId, ObjectId, SnapshotId};
use crate::domain::link::Link;
use crate::domain::name::{Name, NameKind};
use crate::domain::restore::{self, Case, RestoreAction, RestoreVerdict, Target};
use crate::domain::time::Instant;
use crate::domain::timeline::{State, Timeline};
use crate::domain::verdict::{Ask, Outcome, Policy};
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct PartyPart {
    /// Who.
    #[serde(flatten)]
    pub person: PersonPart,
    /// The user principal names and sender addresses held, with the edges between which they began and ended.
    pub held: Vec<HoldPart>,
}

/// To whom.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
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
    // An id cannot be redirected, but whether the object still lives, and whether a guard holds what would change it, is
    // for the verdict to say, as for a backup.
    let answer = check::check(desk, &ask(&request.to), KnownAt::Now)?;
    judge(desk, request, &answer, false)
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
    Ok(tokio::task::spawn_blocking(move || judge(&desk, &request, &answer, true)).await??)
}

fn ask(to: &Recipient) -> Ask {
    match to {
        Recipient::Object(object) => Ask { object: Some(*object), ..Ask::default() },
        Recipient::Name(name, kind) => Ask { name: Some(name.clone()), kind: *kind, ..Ask::default() },
    }
}

fn judge(
    desk: &Desk,
    request: &RestoreRequest,
    asked: &CheckAnswer,
    read_live: bool,
) -> Result<RestoreAnswer, LedgerError> {
    let RestoreRequest { chain, snapshot: id, to } = request;
    let missing = || LedgerError::NoSnapshot { chain: chain.clone(), snapshot: id.clone() };
    let found = desk.ledger.snapshot(desk.tenant, chain, id, desk.policy.settling)?.ok_or_else(missing)?;
    let view = desk.ledger.view(desk.tenant, KnownAt::Now)?;
    let mut people = People::new(&view);
    let target = target(&mut people, to, asked, &desk.policy, read_live)?;
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
        owner: known(&mut people, known_owner.as_ref())?.as_ref(),
        target: &target,
        taker: known(&mut people, known_taker.as_ref())?.as_ref(),
        links: &links,
    });
    if let Some(at) = asked.evidence.proved_at.filter(|_| asked.evidence.live && !read_live && taker.is_some())
        && matches!(to, Recipient::Name(..))
    {
        let why = format!("who holds the target's name was read at {at}, for an earlier ask; --verify reads it now");
        judgement.reasons.push(why);
    }
    if let Some(since) = asked.evidence.unproven_since.filter(|_| taker.is_some()) {
        let why = format!("who holds the target's name is proved only through {since}, which the policy accepts");
        judgement.reasons.push(why);
    }
    if judgement.verdict.action() == RestoreAction::Proceed {
        judgement.reasons.extend(strangers(desk, chain, owner)?);
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
        basis: view.basis(asked.basis.clock),
    })
}

/// What is to be said of a restore because others' data is kept in the chain, or may be. What a snapshot was built on the ledger
/// is not told.
fn strangers(desk: &Desk, chain: &ChainId, owner: Option<ObjectId>) -> Result<Option<String>, LedgerError> {
    let tallies = desk.ledger.chain_tallies(desk.tenant, chain)?;
    let kept = tallies.iter().filter(|tally| tally.count.kept > 0).map(|tally| tally.class.judgement);
    let foreign: Vec<_> = kept.filter(|judgement| judgement.likely_owner() != owner).collect();
    if foreign.is_empty() {
        return Ok(None);
    }
    let holds = match foreign.iter().any(|judgement| judgement.certain_owner().is_some()) {
        true => "holds the data of more than one person",
        false => "has snapshots that may hold another person's data",
    };
    Ok(Some(format!(
        "chain {chain} {holds}: restore only what this snapshot read itself, and nothing that it builds on; `whowas plan {}` \
         tells what else is in the chain",
        shell(chain.as_str())
    )))
}

/// Who the target is, as the verdict on it says: an agent may write to whom a backup may be read from.
fn target(
    people: &mut People<'_, '_>,
    to: &Recipient,
    asked: &CheckAnswer,
    policy: &Policy,
    read_live: bool,
) -> Result<Target, LedgerError> {
    let mut why = asked.reasons.clone();
    let (by_name, proved) = match to {
        // An object that was never seen is nobody else either, and what freezes or stops a backup moves no id.
        Recipient::Object(object) => (false, Some(*object).filter(|_| asked.verdict != Outcome::Refresh)),
        Recipient::Name(name, kind) => {
            let stands = match asked.verdict {
                Outcome::Continue
                | Outcome::Renamed
                | Outcome::Baseline
                | Outcome::MailboxReplaced
                | Outcome::Frozen => true,
                Outcome::Mismatch | Outcome::Ambiguous | Outcome::Refresh | Outcome::Unknown => false,
            };
            let proved = match asked.object.filter(|_| stands) {
                Some(object) if is_proved(people, object, name, *kind, asked)? => Some(object),
                Some(object) => {
                    why.push(format!("nothing proves that {name} is a name of object {object} now"));
                    None
                }
                None => None,
            };
            (true, proved)
        }
    };
    let proved = match proved {
        Some(object) => match why_unproven(people, object, asked, policy, read_live)? {
            Some(reason) => {
                why.push(reason);
                None
            }
            None => Some(object),
        },
        None => None,
    };
    Ok(match proved {
        Some(object) => Target::Object(object),
        None => {
            let several = asked.candidates.iter().map(|candidate| candidate.object);
            Target::Unproven {
                by_name,
                read_live,
                holder: asked.object,
                claimants: asked.object.into_iter().chain(several).collect::<BTreeSet<_>>().into_iter().collect(),
                why,
            }
        }
    })
}

/// Why nothing proves that somebody lives whose backup is frozen by the mapping alone: such a verdict holds however old the evidence is,
/// and whether or not a live read could be made.
fn why_unproven(
    people: &mut People<'_, '_>,
    object: ObjectId,
    asked: &CheckAnswer,
    policy: &Policy,
    read_live: bool,
) -> Result<Option<String>, LedgerError> {
    let timeline = people.timeline(object)?.filter(|timeline| timeline.state() == State::Active);
    let Some(timeline) = timeline.filter(|_| asked.verdict == Outcome::Frozen) else { return Ok(None) };
    let (now, seen) = (asked.basis.clock, timeline.last_seen_alive());
    let is_recent = |at: Instant| now.since(at) <= policy.id_max_age && at.since(now) <= policy.max_skew;
    let proves = match read_live {
        true => timeline.last_live_read().is_some_and(|at| policy.is_live(at, now)),
        false => seen.is_some_and(is_recent),
    };
    let last = seen.map_or_else(|| "never".to_owned(), |at| at.to_string());
    Ok((!proves).then(|| format!("nothing proves that object {object} still lives (last: {last})")))
}

/// Whether the verdict proves, at the time of the ask, that the name asked is this object's. The name of someone who is
/// gone is also theirs while nobody has it, which is proved as well; nothing is restored to them.
fn is_proved(
    people: &mut People<'_, '_>,
    object: ObjectId,
    name: &Name,
    kind: NameKind,
    asked: &CheckAnswer,
) -> Result<bool, LedgerError> {
    if !asked.evidence.live && asked.evidence.unproven_since.is_none() {
        return Ok(false);
    }
    let is_gone = people.timeline(object)?.is_some_and(|timeline| timeline.state() != State::Active);
    Ok(match people.claims(name)?.holder(kind) {
        Holder::One(holder) => holder == object,
        Holder::Nobody => is_gone,
        Holder::Several(_) | Holder::NeverSeen => false,
    })
}

fn known(people: &mut People<'_, '_>, person: Option<&PersonPart>) -> Result<Option<restore::Person>, LedgerError> {
    let Some(PersonPart { object, called, state }) = person else { return Ok(None) };
    let has_mailbox = people.timeline(*object)?.is_some_and(Timeline::has_mailbox);
    Ok(Some(restore::Person { object: *object, called: called.clone(), state: *state, has_mailbox }))
}
