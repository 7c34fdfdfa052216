//! The history of a name or of an object.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Desk;
use super::link::{LinkPart, links_of};
use super::parts::{EvidencePart, NamesPart, evidence_of};
use crate::domain::fact::{Addressed, Snapshot};
use crate::domain::holder::HolderConfidence;
use crate::domain::id::{ChainId, MailboxId, ObjectId, Sequence};
use crate::domain::interval::Edge;
use crate::domain::name::{Name, Namespace};
use crate::domain::scope::Scope;
use crate::domain::time::Instant;
use crate::domain::timeline::{Role, State};
use crate::ledger::{Basis, KnownAt, LedgerError, ScopePeriod, SnapshotView};
use crate::store::{SnapshotRecord, Subject};

/// Everyone who ever held a name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct NameAnswer {
    /// The name.
    pub name: Name,
    /// Its holders, in order of time.
    pub holders: Vec<HolderPart>,
    /// What the answer rests on.
    pub basis: Basis,
}

/// One period in which an object held a name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct HolderPart {
    /// Which object.
    pub object: ObjectId,
    /// As what.
    pub kind: Namespace,
    /// The spelling seen last.
    pub spelling: String,
    /// When it began.
    pub from: Edge,
    /// When it ended.
    pub until: Option<Edge>,
    /// Whether facts about the hold contradict each other.
    pub contested: bool,
    /// What shows it.
    pub evidence: Vec<EvidencePart>,
}

/// One object over time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct ObjectAnswer {
    /// Which object.
    pub object: ObjectId,
    /// Where it stands.
    pub state: State,
    /// When it was created.
    pub created: Option<Instant>,
    /// Its names now, or the last it had.
    pub now: NamesPart,
    /// Every name it ever had.
    pub names: Vec<NamePart>,
    /// Its states.
    pub states: Vec<StatePart>,
    /// The mailbox instances that its snapshots name.
    pub mailboxes: Vec<MailboxId>,
    /// Its chains. Snapshots of others may hold its data too.
    pub chains: Vec<ChainId>,
    /// The snapshots that hold its data, or are taken to, in whosever chain, by chain; at most 1,000.
    pub snapshots: Vec<SnapshotPart>,
    /// Its lineage links.
    pub links: Vec<LinkPart>,
    /// Whether the mapping protected it, and since when; empty if no rules were ever applied.
    pub scopes: Vec<ScopePart>,
    /// What the answer rests on.
    pub basis: Basis,
}

/// One period in which an object had a name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct NamePart {
    /// `upn`, `smtp`, or `primary` for the address it sends from.
    pub kind: Role,
    /// The comparison key.
    pub name: String,
    /// The spelling seen last.
    pub spelling: String,
    /// When it began.
    pub from: Edge,
    /// When it ended.
    pub until: Option<Edge>,
    /// What shows it.
    pub evidence: Vec<EvidencePart>,
}

/// One period of an object's life.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct StatePart {
    /// Which state.
    pub state: State,
    /// When it began.
    pub from: Edge,
    /// When it ended.
    pub until: Option<Edge>,
}

/// A snapshot that holds the object's data, or is taken to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct SnapshotPart {
    /// The chain.
    pub chain: ChainId,
    /// The snapshot.
    pub snapshot: crate::domain::id::SnapshotId,
    /// Its first instant.
    pub from: Instant,
    /// Its last.
    pub until: Instant,
    /// How sure it is that the data is the object's: `certain`, or `assumed` where nothing proves it.
    #[serde(default = "not_told")]
    #[cfg_attr(feature = "http", schema(required = true))]
    pub confidence: HolderConfidence,
}

/// A service that does not tell how sure it is proves nothing.
fn not_told() -> HolderConfidence {
    HolderConfidence::Assumed
}

/// Whether the mapping protected an object, from a commit on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScopePart {
    /// How it is.
    #[serde(flatten)]
    pub scope: Scope,
    /// The commit since which it is so.
    pub sequence: Sequence,
    /// When that was recorded.
    pub since: Instant,
}

impl From<SnapshotView> for SnapshotPart {
    fn from(view: SnapshotView) -> Self {
        let (Snapshot { chain, id, from, until, .. }, confidence) = (view.record.snapshot, view.attribution.confidence);
        Self { chain, snapshot: id, from, until, confidence }
    }
}

impl From<ScopePeriod> for ScopePart {
    fn from(period: ScopePeriod) -> Self {
        let ScopePeriod { sequence, since, scope } = period;
        Self { scope, sequence, since }
    }
}

/// How many of an object's snapshots are listed; the rest is in `snapshot list`.
const SNAPSHOTS_MAX: usize = 1_000;
/// How many are read at a time.
const PAGE: usize = 256;

/// Everyone who ever held a name.
pub fn of_name(desk: &Desk, name: &Name, known_at: KnownAt) -> Result<NameAnswer, LedgerError> {
    let history = desk.ledger.name_history(desk.tenant, name.key(), known_at, desk.clock.now())?;
    let mut holders: Vec<HolderPart> = Vec::new();
    for claim in &history.claims {
        holders.extend(claim.track.periods().into_iter().map(|period| HolderPart {
            object: claim.object,
            kind: claim.namespace,
            spelling: claim.spelling.clone(),
            from: period.from,
            until: period.until,
            contested: !claim.track.contested().is_empty(),
            evidence: evidence_of(&period),
        }));
    }
    holders.sort_by_key(|holder| (holder.from.by(), holder.from.after(), holder.kind, holder.object));
    Ok(NameAnswer { name: name.clone(), holders, basis: history.basis })
}

/// One object over time; `None` if it was never seen.
pub fn of_object(desk: &Desk, object: ObjectId, known_at: KnownAt) -> Result<Option<ObjectAnswer>, LedgerError> {
    let settling = desk.policy.settling;
    let now = desk.clock.now();
    let Some(history) = desk.ledger.object_history(desk.tenant, object, settling, known_at, now)? else {
        return Ok(None);
    };
    let names = history.periods.iter().map(|(role, name, period)| NamePart {
        kind: *role,
        name: name.key().to_string(),
        spelling: name.spelling().to_owned(),
        from: period.from,
        until: period.until,
        evidence: evidence_of(period),
    });
    // What is asked about the past is judged by what was known then, receipts and all.
    let then = match known_at {
        KnownAt::Now => desk.clone(),
        _ => Desk { ledger: desk.ledger.as_known(desk.tenant, known_at)?, ..desk.clone() },
    };
    // Its data may lie wherever somebody opened it, or a name that it had once, and said so.
    let called = history.periods.iter().map(|(_, name, _)| Subject::Name(name.key().clone()));
    let subjects: BTreeSet<Subject> = called.chain([Subject::Object(object)]).collect();
    let mut chains: BTreeSet<ChainId> = history.chains.iter().cloned().collect();
    for subject in &subjects {
        chains.extend(then.ledger.chains_addressed(then.tenant, subject)?);
    }
    let snapshots = owned_snapshots(&then, &chains, object)?;
    let mailboxes: BTreeSet<MailboxId> = snapshots.iter().flat_map(|view| mailboxes_of(&view.record, object)).collect();
    Ok(Some(ObjectAnswer {
        object,
        state: history.state,
        created: history.created,
        now: history.names.clone().into(),
        names: names.collect(),
        states: history
            .states
            .iter()
            .map(|period| StatePart { state: period.state, from: period.from, until: period.until })
            .collect(),
        mailboxes: mailboxes.into_iter().collect(),
        chains: history.chains,
        snapshots: snapshots.into_iter().map(SnapshotPart::from).collect(),
        links: links_of(&then, object, history.basis.sequence)?,
        scopes: history.scopes.into_iter().map(ScopePart::from).collect(),
        basis: history.basis,
    }))
}

/// The mailbox instances of its owner that a snapshot tells. What it was to be read from is the owner's if it was the owner's id or
/// name that was opened; where the agent says that it read somebody else, only that tells the owner's.
fn mailboxes_of(record: &SnapshotRecord, owner: ObjectId) -> Vec<MailboxId> {
    let is_named = matches!(record.snapshot.addressed, Addressed::Name(..));
    let named = record.snapshot.mailbox.filter(|_| is_named && record.receipts.is_empty());
    record.mailboxes_of(owner).into_iter().chain(named).collect()
}

/// The first snapshots of these chains that hold the object's data, or are taken to.
fn owned_snapshots(
    desk: &Desk,
    chains: &BTreeSet<ChainId>,
    object: ObjectId,
) -> Result<Vec<SnapshotView>, LedgerError> {
    let mut owned = Vec::new();
    for chain in chains {
        let mut after = None;
        loop {
            let settling = desk.policy.settling;
            let page = desk.ledger.snapshots(desk.tenant, chain, after.as_ref(), PAGE, settling)?;
            let Some(last) = page.last() else { break };
            after = Some((last.record.snapshot.from, last.record.snapshot.id.clone()));
            owned.extend(page.into_iter().filter(|found| found.attribution.owner == Some(object)));
            if owned.len() >= SNAPSHOTS_MAX {
                owned.truncate(SNAPSHOTS_MAX);
                return Ok(owned);
            }
        }
    }
    Ok(owned)
}
