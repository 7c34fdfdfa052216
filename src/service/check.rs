//! The verdict before an incremental.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::parts::{CandidatePart, NamesPart};
use super::{Desk, parallel};
use crate::domain::id::{ChainId, MailboxId, ObjectId, SnapshotId};
use crate::domain::name::{Name, NameKind};
use crate::domain::time::Instant;
use crate::domain::verdict::{Action, Ask, Change, Freshness, Instead, Outcome, Verdict};
use crate::ledger::{Basis, Checked, KnownAt, LedgerError};
use crate::sync::{Context, SyncError, read_live};

/// How long an ask, and all that share its reads, wait for the directory: less than a live read counts as made now, so that
/// those who were answered first need not ask again. A sync has more patience with a directory that throttles.
const LIVE_PATIENCE: Duration = Duration::from_secs(25);

/// One ask, as a batch line has it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct CheckRequest {
    /// The chain to append to.
    pub chain: Option<ChainId>,
    /// The name to open.
    pub name: Option<Name>,
    /// Which namespaces it is meant in.
    pub kind: NameKind,
    /// The object to open.
    pub object: Option<ObjectId>,
    /// The mailbox instance.
    pub mailbox: Option<MailboxId>,
    /// The time by the agent's clock.
    pub at: Option<Instant>,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct CheckAnswer {
    /// The outcome.
    pub verdict: Outcome,
    /// What to do.
    pub action: Action,
    /// The tenant.
    pub tenant: crate::domain::id::TenantId,
    /// The chain judged.
    pub chain: Option<ChainId>,
    /// What was asked.
    pub asked: Asked,
    /// The object judged.
    pub object: Option<ObjectId>,
    /// What to open: a path below Graph's root that no rename can redirect.
    pub open: Option<String>,
    /// The snapshot to build on.
    pub base: Option<SnapshotId>,
    /// The object's names.
    pub names: Option<NamesPart>,
    /// What changed.
    pub changes: Vec<Change>,
    /// Who holds the old name.
    pub old_name_holder: Option<ObjectId>,
    /// What to do instead.
    pub instead: Vec<Instead>,
    /// Whom the evidence allows.
    pub candidates: Vec<CandidatePart>,
    /// How fresh it is.
    pub evidence: Freshness,
    /// The mapping rule that protects the object.
    pub mapping: Option<String>,
    /// The rule's labels.
    pub labels: BTreeMap<String, String>,
    /// Why.
    pub reasons: Vec<String>,
    /// What the answer rests on.
    pub basis: Basis,
}

/// What was asked, said back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct Asked {
    /// The chain.
    #[serde(default)]
    pub chain: Option<ChainId>,
    /// The name.
    pub name: Option<Name>,
    /// Which namespaces.
    pub kind: NameKind,
    /// The object.
    pub object: Option<ObjectId>,
    /// The mailbox.
    pub mailbox: Option<MailboxId>,
    /// The time by the agent's clock, else the ledger's.
    pub at: Instant,
}

impl From<CheckRequest> for Ask {
    fn from(request: CheckRequest) -> Self {
        let CheckRequest { chain, name, kind, object, mailbox, at } = request;
        Self { chain, name, kind, object, mailbox, at }
    }
}

impl From<Ask> for CheckRequest {
    fn from(ask: Ask) -> Self {
        let Ask { chain, name, kind, object, mailbox, at } = ask;
        Self { chain, name, kind, object, mailbox, at }
    }
}

impl From<&Asked> for Ask {
    fn from(asked: &Asked) -> Self {
        let Asked { chain, name, kind, object, mailbox, at } = asked.clone();
        Self { chain, name, kind, object, mailbox, at: Some(at) }
    }
}

/// Judges an ask by what the ledger holds.
pub fn check(desk: &Desk, ask: &Ask, known_at: KnownAt) -> Result<CheckAnswer, LedgerError> {
    let checked = desk.ledger.check(desk.tenant, ask, &desk.policy, desk.clock.now(), known_at, None)?;
    Ok(answer(desk, ask, checked))
}

/// Judges many asks by what the ledger holds, on all processors. The answers stand in the order of the asks.
pub fn check_together(desk: &Desk, asks: &[Ask], known_at: KnownAt) -> Result<Vec<CheckAnswer>, LedgerError> {
    parallel::each(asks, |ask| check(desk, ask, known_at))
}

/// Reads the directory first, then judges. If the directory cannot be read the verdict says so; only a ledger that fails
/// is an error.
pub async fn check_live(desk: &Desk, context: &Context, ask: &Ask) -> Result<CheckAnswer, SyncError> {
    let mut answers = check_live_together(desk, context, std::slice::from_ref(ask)).await?;
    // There is an answer for each ask.
    answers.pop().ok_or(SyncError::Stopped)
}

/// The same for many asks whose live reads share their requests. The answers stand in the order of the asks.
pub async fn check_live_together(desk: &Desk, context: &Context, asks: &[Ask]) -> Result<Vec<CheckAnswer>, SyncError> {
    let reads = read_live(context, asks, &desk.policy, LIVE_PATIENCE).await?;
    let mut answers = Vec::with_capacity(asks.len());
    for (ask, read) in asks.iter().zip(reads) {
        let (failure, now) = match read {
            // The ask is judged by the server's clock, which dates what was read.
            Ok(read) => (None, read.now()),
            Err(error) => (Some(say(&error)), desk.clock.now()),
        };
        answers.push(judge(desk, ask, now, failure).await?);
    }
    Ok(answers)
}

/// Judges beside the asynchronous threads, because the ledger blocks.
async fn judge(desk: &Desk, ask: &Ask, now: Instant, failure: Option<String>) -> Result<CheckAnswer, SyncError> {
    let (desk, ask) = (desk.clone(), ask.clone());
    let judged = tokio::task::spawn_blocking(move || {
        let known_at = KnownAt::Now;
        let checked = desk.ledger.check(desk.tenant, &ask, &desk.policy, now, known_at, failure.as_deref())?;
        Ok::<_, LedgerError>(answer(&desk, &ask, checked))
    });
    Ok(judged.await??)
}

fn answer(desk: &Desk, ask: &Ask, checked: Checked) -> CheckAnswer {
    let Checked { verdict, basis } = checked;
    let Verdict {
        outcome,
        chain,
        object,
        base,
        names,
        changes,
        old_name_holder,
        instead,
        candidates,
        evidence,
        mapping,
        labels,
        reasons,
    } = verdict;
    // A mismatch has no single object to open; everything else leads to the object by its id.
    let open = object.filter(|_| outcome != Outcome::Mismatch).map(|object| format!("/users/{object}"));
    CheckAnswer {
        verdict: outcome,
        action: outcome.action(),
        tenant: desk.tenant,
        chain,
        asked: Asked {
            chain: ask.chain.clone(),
            name: ask.name.clone(),
            kind: ask.kind,
            object: ask.object,
            mailbox: ask.mailbox,
            at: ask.at.unwrap_or(basis.clock),
        },
        object,
        open,
        base,
        names: names.map(NamesPart::from),
        changes,
        old_name_holder,
        instead,
        candidates: candidates.iter().map(CandidatePart::from).collect(),
        evidence,
        mapping,
        labels,
        reasons,
        basis,
    }
}

fn say(error: &SyncError) -> String {
    match error.hint() {
        Some(hint) => format!("{error}; {hint}"),
        None => error.to_string(),
    }
}
