//! Recording snapshots and looking at them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::parts::CandidatePart;
use super::{Desk, cursor};
use crate::domain::fact::{Addressed, Fact, Receipt, Snapshot, SnapshotExpired};
use crate::domain::holder::HolderConfidence;
use crate::domain::id::{ChainId, MailboxId, ObjectId, SnapshotId};
use crate::domain::name::{Name, NameKind};
use crate::domain::time::Instant;
use crate::import::SKEW_MAX;
use crate::ledger::{Batch, LedgerError, SnapshotView, Stamp};
use crate::store::{SnapshotPlace, Subject};

/// A snapshot and whose data it holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct SnapshotAnswer {
    /// The chain.
    pub chain: ChainId,
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// Its first instant.
    pub from: Instant,
    /// Its last.
    pub until: Instant,
    /// How its mailbox was opened.
    pub addressed: AddressedPart,
    /// The mailbox instance.
    pub mailbox: Option<MailboxId>,
    /// What the agent really read.
    pub receipt: Option<ReceiptPart>,
    /// Whose data.
    pub attribution: AttributionPart,
    /// Whether the backup product no longer keeps it.
    pub expired: bool,
}

/// How a mailbox was opened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
#[serde(untagged)]
pub enum AddressedPart {
    /// By name.
    Name {
        /// The name.
        name: Name,
        /// Which namespaces.
        kind: NameKind,
    },
    /// By object id.
    Object {
        /// The object.
        object: ObjectId,
    },
}

/// What the agent really read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct ReceiptPart {
    /// The object at the start.
    pub object: ObjectId,
    /// The mailbox at the start.
    pub mailbox: Option<MailboxId>,
    /// The object at the end.
    pub object_end: Option<ObjectId>,
    /// The mailbox at the end.
    pub mailbox_end: Option<MailboxId>,
}

/// Whose data a snapshot holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct AttributionPart {
    /// Whose, if it is one.
    pub owner: Option<ObjectId>,
    /// How sure.
    pub confidence: HolderConfidence,
    /// No configured source is still expected to speak.
    pub settled: bool,
    /// Whom the evidence allows.
    pub candidates: Vec<CandidatePart>,
}

/// A page of snapshots.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct SnapshotList {
    /// The snapshots, by chain and time.
    pub items: Vec<SnapshotAnswer>,
    /// Where the next page begins.
    pub cursor: Option<String>,
}

/// Which snapshots are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A chain's.
    Chain(ChainId),
    /// Those addressed by an object id or receipted for it.
    Object(ObjectId),
    /// Those addressed by a name.
    Name(Name),
}

/// Records a snapshot. The same one again changes nothing.
///
/// # Errors
/// It is refused if it ends before it begins, or after the present: opened by name, by more than the policy's `max_skew` or five minutes;
/// by id, by more than a day.
pub fn add(desk: &Desk, snapshot: Snapshot) -> Result<SnapshotAnswer, LedgerError> {
    let (chain, id) = (snapshot.chain.clone(), snapshot.id.clone());
    refuse_ahead(desk, std::slice::from_ref(&snapshot))?;
    record(desk, vec![Fact::SnapshotTaken(snapshot)])?;
    found(desk, chain, id)
}

/// Records several snapshots together, or none of them.
///
/// # Errors
/// As for one.
pub fn add_all(desk: &Desk, snapshots: Vec<Snapshot>) -> Result<Vec<SnapshotAnswer>, LedgerError> {
    refuse_ahead(desk, &snapshots)?;
    let keys: Vec<(ChainId, SnapshotId)> =
        snapshots.iter().map(|snapshot| (snapshot.chain.clone(), snapshot.id.clone())).collect();
    record(desk, snapshots.into_iter().map(Fact::SnapshotTaken).collect())?;
    keys.into_iter().map(|(chain, id)| found(desk, chain, id)).collect()
}

/// Records what the agent really read.
pub fn receipt(desk: &Desk, receipt: Receipt) -> Result<SnapshotAnswer, LedgerError> {
    let (chain, id) = (receipt.chain.clone(), receipt.snapshot.clone());
    record(desk, vec![Fact::Receipt(receipt)])?;
    found(desk, chain, id)
}

/// Records that a snapshot is no longer kept.
pub fn expire(desk: &Desk, chain: ChainId, snapshot: SnapshotId) -> Result<SnapshotAnswer, LedgerError> {
    record(desk, vec![Fact::SnapshotExpired(SnapshotExpired { chain: chain.clone(), snapshot: snapshot.clone() })])?;
    found(desk, chain, snapshot)
}

/// One snapshot; an error if there is none.
pub fn show(desk: &Desk, chain: ChainId, snapshot: SnapshotId) -> Result<SnapshotAnswer, LedgerError> {
    found(desk, chain, snapshot)
}

/// Up to `limit` snapshots, from a cursor on.
pub fn list(desk: &Desk, wanted: &Wanted, cursor: Option<&Cursor>, limit: usize) -> Result<SnapshotList, LedgerError> {
    let (chains, subject) = match wanted {
        Wanted::Chain(chain) => (vec![desk.ledger.known_chain(desk.tenant, chain)?], None),
        Wanted::Object(object) => addressed(desk, Subject::Object(*object))?,
        Wanted::Name(name) => addressed(desk, Subject::Name(desk.ledger.known_name(desk.tenant, name)?.key().clone()))?,
    };
    let is_wanted = |view: &SnapshotView| subject.as_ref().is_none_or(|subject| view.record.is_about(subject));
    let mut items = Vec::new();
    for chain in chains.into_iter().filter(|chain| cursor.is_none_or(|cursor| *chain >= cursor.chain)) {
        let mut after = cursor.filter(|cursor| cursor.chain == chain).map(|cursor| cursor.place.clone());
        loop {
            let page = desk.ledger.snapshots(desk.tenant, &chain, after.as_ref(), 256, desk.policy.settling)?;
            let Some(last) = page.last() else { break };
            after = Some((last.record.snapshot.from, last.record.snapshot.id.clone()));
            for view in page.into_iter().filter(is_wanted) {
                let place = (view.record.snapshot.from, view.record.snapshot.id.clone());
                items.push(answer(view));
                if items.len() == limit {
                    let cursor = Cursor { chain, place };
                    return Ok(SnapshotList { items, cursor: Some(cursor.to_string()) });
                }
            }
        }
    }
    Ok(SnapshotList { items, cursor: None })
}

/// A place in a list; opaque to whoever hands it back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    chain: ChainId,
    place: SnapshotPlace,
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = format!("{}\n{}\n{}", self.chain, self.place.0.as_micros(), self.place.1);
        cursor::write(f, &text)
    }
}

impl std::str::FromStr for Cursor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || cursor::REFUSAL.to_owned();
        let text = cursor::read(text).ok_or_else(refuse)?;
        let mut parts = text.split('\n');
        let mut next = || parts.next().ok_or_else(refuse);
        let (chain, from, id) = (next()?, next()?, next()?);
        Ok(Self {
            chain: chain.parse().map_err(|_| refuse())?,
            place: (Instant::from_micros(from.parse().map_err(|_| refuse())?), id.parse().map_err(|_| refuse())?),
        })
    }
}

/// Nobody tells of a read before its end. Who seems to has a clock that runs ahead, and a name that was opened would be looked up
/// at a time at which it may have passed to somebody else. Whose data was read by id does not depend on the time; but a base that lies
/// far ahead would hide whatever happens to the mailbox until then.
fn refuse_ahead(desk: &Desk, snapshots: &[Snapshot]) -> Result<(), LedgerError> {
    let now = desk.clock.now();
    if snapshots.iter().all(|snapshot| snapshot.until <= now) {
        return Ok(());
    }
    // Our own clock may have been put back since the last commit.
    let newest = desk.ledger.store().head(desk.tenant)?.recorded;
    let present = newest.map_or(now, |recorded| recorded.max(now));
    for Snapshot { chain, id, until, addressed, .. } in snapshots {
        let ahead = match addressed {
            Addressed::Name(..) => desk.policy.max_skew.min(SKEW_MAX),
            Addressed::Object(_) => AHEAD_BY_ID_MAX,
        };
        // What is recorded already changes nothing.
        if *until > present.plus(ahead) && desk.ledger.snapshot(desk.tenant, chain, id, desk.policy.settling)?.is_none()
        {
            return Err(LedgerError::SnapshotAhead { chain: chain.clone(), snapshot: id.clone(), until: *until, now });
        }
    }
    Ok(())
}

/// How far ahead a snapshot by id may end: an hour that was read in the wrong zone hides no change of the mailbox, which takes weeks.
const AHEAD_BY_ID_MAX: Duration = Duration::from_secs(86_400);

fn record(desk: &Desk, facts: Vec<Fact>) -> Result<(), LedgerError> {
    let stamp = Stamp { now: desk.clock.now(), salt: desk.clock.salt() };
    let settling = Some(desk.policy.settling);
    desk.ledger.append(desk.tenant, Batch { facts, settling, ..Batch::default() }, stamp)?;
    Ok(())
}

fn found(desk: &Desk, chain: ChainId, snapshot: SnapshotId) -> Result<SnapshotAnswer, LedgerError> {
    match desk.ledger.snapshot(desk.tenant, &chain, &snapshot, desk.policy.settling)? {
        Some(view) => Ok(answer(view)),
        None => Err(LedgerError::NoSnapshot { chain, snapshot }),
    }
}

/// The chains with a snapshot that was addressed so, and what is wanted of them.
fn addressed(desk: &Desk, subject: Subject) -> Result<(Vec<ChainId>, Option<Subject>), LedgerError> {
    Ok((desk.ledger.chains_addressed(desk.tenant, &subject)?, Some(subject)))
}

fn answer(view: SnapshotView) -> SnapshotAnswer {
    let SnapshotView { record, receipt, attribution } = view;
    let snapshot = record.snapshot;
    SnapshotAnswer {
        chain: snapshot.chain,
        snapshot: snapshot.id,
        from: snapshot.from,
        until: snapshot.until,
        addressed: match snapshot.addressed {
            Addressed::Name(name, kind) => AddressedPart::Name { name, kind },
            Addressed::Object(object) => AddressedPart::Object { object },
        },
        mailbox: snapshot.mailbox,
        receipt: receipt.map(|receipt| ReceiptPart {
            object: receipt.object,
            mailbox: receipt.mailbox,
            object_end: receipt.object_end,
            mailbox_end: receipt.mailbox_end,
        }),
        attribution: AttributionPart {
            owner: attribution.owner,
            confidence: attribution.confidence,
            settled: attribution.settled,
            candidates: attribution.candidates.iter().map(CandidatePart::from).collect(),
        },
        expired: record.expired.is_some(),
    }
}
