//! The repair plan of a chain.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Desk;
use super::findings::{self, FindingAnswer};
use super::people::{People, PersonPart};
use crate::domain::finding::{FindingId, FindingKind, Subject};
use crate::domain::holder::HolderConfidence;
use crate::domain::id::{ChainId, MailboxId, ObjectId, SnapshotId};
use crate::domain::plan::{self, Deed, NextAction, Person, Piece};
use crate::domain::time::Instant;
use crate::domain::verdict::{Ask, Outcome};
use crate::ledger::{Basis, KnownAt, LedgerError, SnapshotView};

/// How many snapshots are read at a time.
const PAGE: usize = 256;

/// The plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct PlanAnswer {
    /// Of which chain.
    pub chain: ChainId,
    /// Whose chain it is.
    pub owner: Option<ObjectId>,
    /// Whether something is to be done.
    pub needed: bool,
    /// The kept snapshots, in order; consecutive ones of one judgement together.
    pub segments: Vec<SegmentPart>,
    /// How each person's backup goes on.
    pub next: Vec<NextPart>,
    /// The people named.
    pub people: Vec<PersonPart>,
    /// Why.
    pub reasons: Vec<String>,
    /// What the answer rests on.
    pub basis: Basis,
}

/// Consecutive snapshots of one judgement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct SegmentPart {
    /// Whose data, if it is one's.
    pub object: Option<ObjectId>,
    /// How sure.
    pub confidence: HolderConfidence,
    /// No source is still expected to speak about them.
    pub settled: bool,
    /// Whom the evidence allows, where it allows several.
    pub candidates: BTreeSet<ObjectId>,
    /// The mailbox instance, where the chain has several.
    pub mailbox: Option<MailboxId>,
    /// The snapshots.
    pub snapshots: Vec<SnapshotId>,
    /// What to do with them.
    #[serde(rename = "do")]
    pub deed: Deed,
    /// To which chain; always `null`, for what is relabelled goes to a new one.
    pub to_chain: Option<ChainId>,
    /// Why.
    pub why: String,
}

/// How someone's backup goes on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct NextPart {
    /// Whose.
    pub object: ObjectId,
    /// What.
    pub action: NextAction,
    /// In which chain; `null` is a new one, or none.
    pub chain: Option<ChainId>,
    /// On which snapshot.
    pub base: Option<SnapshotId>,
    /// On which one if `base` is an increment on what is set aside.
    pub safe_base: Option<SnapshotId>,
}

/// The repair plan of a chain; `None` if it has no snapshots.
pub fn plan(desk: &Desk, chain: &ChainId) -> Result<Option<PlanAnswer>, LedgerError> {
    // Its findings, and the verdicts on its people, go by the id under which the ledger knows it.
    let chain = &desk.ledger.known_chain(desk.tenant, chain)?;
    let pieces = pieces(desk, chain)?;
    if pieces.is_empty() {
        return Ok(None);
    }
    let now = desk.clock.now();
    let view = desk.ledger.view(desk.tenant, KnownAt::Now)?;
    // What is shown as it was known is judged as of then: by today's clock all of its evidence may be too old.
    let recorded = if desk.ledger.is_past() { desk.ledger.head(desk.tenant)?.recorded } else { None };
    let then = recorded.unwrap_or(now);
    let mut people = People::new(&view);
    let involved = plan::people(&pieces);
    let mut known = BTreeMap::new();
    for object in &involved {
        known.insert(*object, person(desk, &mut people, *object, chain, then)?);
    }
    let mut plan = plan::plan(chain, &pieces, &known);
    let mismatch = FindingId::of(FindingKind::ReceiptMismatch, &Subject::Chain(chain.clone()));
    let mismatch = findings::found(desk, mismatch)?.filter(FindingAnswer::is_pending);
    // A chain that holds one person's mail may still hold it instead of another's.
    if let Some(advice) = mismatch.as_ref().and_then(findings::advice) {
        // That nothing is to be done would be wrong then.
        plan.reasons.retain(|reason| !reason.starts_with("it is not mixed"));
        plan.reasons.push(advice);
    }
    Ok(Some(PlanAnswer {
        chain: chain.clone(),
        owner: plan.owner,
        needed: plan.needed,
        segments: plan.segments.into_iter().map(SegmentPart::from).collect(),
        next: plan.next.into_iter().map(NextPart::from).collect(),
        people: people.all(involved)?,
        reasons: plan.reasons,
        basis: view.basis(now),
    }))
}

fn pieces(desk: &Desk, chain: &ChainId) -> Result<Vec<Piece>, LedgerError> {
    let mut pieces = Vec::new();
    let mut after = None;
    loop {
        let page = desk.ledger.snapshots(desk.tenant, chain, after.as_ref(), PAGE, desk.policy.settling)?;
        let Some(last) = page.last() else { return Ok(pieces) };
        after = Some((last.record.snapshot.from, last.record.snapshot.id.clone()));
        pieces.extend(page.into_iter().map(piece));
    }
}

fn piece(view: SnapshotView) -> Piece {
    let SnapshotView { record, attribution, .. } = view;
    let receipts = || record.receipts.iter().map(|(_, receipt)| receipt);
    let mailboxes = record.snapshot.read_from(receipts()).into_iter().collect();
    let read: BTreeSet<ObjectId> =
        receipts().flat_map(|receipt| [Some(receipt.object), receipt.object_end]).flatten().collect();
    Piece {
        owner: attribution.owner,
        confidence: attribution.confidence,
        settled: attribution.settled,
        candidates: attribution.candidates.iter().map(|candidate| candidate.object).collect(),
        mailboxes,
        two_people: read.len() > 1,
        expired: record.expired.is_some(),
        snapshot: record.snapshot.id,
    }
}

fn person(
    desk: &Desk,
    people: &mut People<'_, '_>,
    object: ObjectId,
    planned: &ChainId,
    now: Instant,
) -> Result<Person, LedgerError> {
    let Some(timeline) = people.timeline(object)? else {
        let verdict = Outcome::Unknown;
        return Ok(Person { life: None, has_mailbox: true, chain: None, verdict, why: String::new() });
    };
    let life = Some(timeline.state());
    let has_mailbox = timeline.has_mailbox();
    // The verdict on the object alone names its most recent chain, and tells whether anything is to be backed up, so plan and
    // verdict say the same.
    let ask = Ask { object: Some(object), ..Ask::default() };
    let verdict = desk.ledger.check(desk.tenant, &ask, &desk.policy, now, KnownAt::Now, None)?.verdict;
    let chain = verdict.chain.zip(verdict.base).filter(|(chain, _)| chain != planned);
    // What a verdict rests on comes first, what else is to be known after it.
    let why = verdict.reasons.into_iter().next().unwrap_or_default();
    Ok(Person { life, has_mailbox, chain, verdict: verdict.outcome, why })
}

impl From<plan::Segment> for SegmentPart {
    fn from(segment: plan::Segment) -> Self {
        let plan::Segment { object, confidence, settled, candidates, mailbox, snapshots, deed, why } = segment;
        Self { object, confidence, settled, candidates, mailbox, snapshots, deed, to_chain: None, why }
    }
}

impl From<plan::Next> for NextPart {
    fn from(next: plan::Next) -> Self {
        let plan::Next { object, action, chain, base, safe_base } = next;
        Self { object, action, chain, base, safe_base }
    }
}
