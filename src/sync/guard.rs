//! Holding a round that changes too much, and what ends the hold.

use std::collections::BTreeSet;

use crate::domain::domain_change::{DomainChanged, NAMED_MAX, domain_changes};
use crate::domain::fact::Fact;
use crate::domain::guard::{Held, HeldPart, HoldEnd, HoldEnded, HoldRejected, Impact, held_facts};
use crate::domain::id::ObjectId;
use crate::ledger::{Assessment, Batch, Hold};
use crate::store::{Outcome, Run, RunKind};

use super::run::Ticker;
use super::{Context, SyncError};

/// How many entries of the run log are searched for a run that was held.
const RUNS: usize = 1_000;

/// A round that changes too much.
pub(super) struct Breach {
    pub why: String,
    pub impact: Impact,
    pub objects: BTreeSet<ObjectId>,
    /// Items of the round that were committed before it showed that it changes too much.
    pub applied: usize,
}

/// Ends a run as held: nothing more of its round is applied, and the ledger says what it would have changed. A hold that is no
/// news is not told again.
pub(super) async fn hold(
    context: &Context,
    part: HeldPart,
    breach: Breach,
    ticker: &mut Ticker<'_>,
) -> Result<(), SyncError> {
    let Breach { why, impact, objects, applied } = breach;
    let run = ticker.entry.run;
    let before = open(context).await?.into_iter().find(|hold| hold.part == part);
    // How many live beside them changes with every live read, and is no news about what is held.
    let same = before
        .filter(|hold| Impact { active: impact.active, ..hold.impact } == impact && hold.standstill.objects == objects);
    let (held, facts) = match same {
        Some(hold) => (hold.standstill.run, Vec::new()),
        None => {
            let at = context.clock.now();
            let (chunk, complete, objects_of) = (0, true, Vec::new());
            let base = Held { run, part, at, impact, why: why.clone(), chunk, complete, objects: objects_of };
            (run, held_facts(&base, &objects).into_iter().map(Fact::Held).collect())
        }
    };
    // Only a round that is read twice can have grown in between.
    let applied = match applied {
        0 => "nothing of what was read was applied".to_owned(),
        _ => format!("it grew while it was read: {applied} items were applied before, and nothing since"),
    };
    let error = format!(
        "held by the guard: {why}; {applied}; look at it, then `whowas sync --accept {held}` lets it pass, \
         or `--reject {held}` says that it is wrong"
    );
    let entry = ticker.ended(context, Outcome::Held, Some(error));
    context.append(Batch { facts, run: Some(entry.clone()), ..Batch::default() }).await?;
    ticker.entry = entry;
    Ok(())
}

/// The facts with which a part of a run that is applied ends what was held of it. What everything read anew has shown is not ended by
/// changes that the feed tells since, which need not be of it.
pub(super) async fn endings(
    context: &Context,
    part: HeldPart,
    kind: RunKind,
    accepted: bool,
) -> Result<Vec<Fact>, SyncError> {
    let how = if accepted { HoldEnd::Accepted } else { HoldEnd::Passed };
    let at = context.clock.now();
    let held: Vec<Hold> = open(context).await?.into_iter().filter(|hold| hold.part == part).collect();
    let mut whole = BTreeSet::new();
    if !held.is_empty() && !accepted && kind == RunKind::Delta {
        let logged = context.blocking(|ledger, tenant| Ok(ledger.store().runs(tenant, RUNS)?)).await?;
        whole.extend(logged.iter().filter(|entry| entry.kind == RunKind::Full).map(|entry| entry.run));
    }
    let held = held.into_iter().filter(|hold| !whole.contains(&hold.standstill.run));
    Ok(held.map(|hold| Fact::HoldEnded(HoldEnded { run: hold.standstill.run, at, how })).collect())
}

/// The facts of the domain changes that a round brings.
pub(super) async fn moves(context: &Context, run: u64, assessment: &Assessment) -> Result<Vec<Fact>, SyncError> {
    let at = context.clock.now();
    let mut facts = Vec::new();
    for change in domain_changes(&assessment.renamed) {
        let renamed = assessment.renamed.iter().map(|rename| rename.object);
        let gone: BTreeSet<ObjectId> = renamed.chain(assessment.removed.iter().copied()).collect();
        let map = change.map.clone();
        let (stragglers, named_stragglers) =
            context.blocking(move |ledger, tenant| ledger.left_behind(tenant, &map, &gone, NAMED_MAX)).await?;
        facts.push(Fact::DomainChanged(DomainChanged {
            run,
            at,
            map: change.map,
            renamed: (change.moved.len() + change.exceptions.len()) as u64,
            exceptions: change.exceptions.len() as u64,
            stragglers,
            named_exceptions: change.exceptions.into_iter().take(NAMED_MAX).collect(),
            named_stragglers,
        }));
    }
    Ok(facts)
}

/// What is held under this number, and how to read it again. Any run that found the same hold may be named.
pub(super) async fn find(context: &Context, run: u64) -> Result<(Hold, bool), SyncError> {
    let holds = open(context).await?;
    let logged = context.blocking(move |ledger, tenant| Ok(ledger.store().runs(tenant, RUNS)?)).await?;
    let logged = logged.into_iter().find(|entry| entry.run == run && entry.outcome == Outcome::Held);
    let part = logged.as_ref().map(part_of);
    let open: Vec<u64> = holds.iter().map(|hold| hold.standstill.run).collect();
    // An old hold is still found when the run log has grown beyond what is searched.
    let is_meant = |hold: &Hold| hold.standstill.run == run || part == Some(hold.part) && hold.standstill.run < run;
    let found = holds.into_iter().find(is_meant);
    let hold = found.ok_or(SyncError::NotHeld { run, open })?;
    Ok((hold, logged.is_some_and(|entry| entry.kind == RunKind::Full)))
}

/// Records that an operator finds a held round wrong. The hold stays: until a later round is no longer beyond the limits,
/// because the directory has changed back, or until somebody accepts it after all.
///
/// # Errors
/// If no such run is held, or the ledger cannot be written.
pub async fn reject(context: &Context, run: u64) -> Result<Hold, SyncError> {
    let (mut hold, _) = find(context, run).await?;
    let rejected = HoldRejected { run: hold.standstill.run, at: context.clock.now() };
    context.append(Batch { facts: vec![Fact::HoldRejected(rejected)], ..Batch::default() }).await?;
    hold.rejected = Some(rejected.at);
    Ok(hold)
}

async fn open(context: &Context) -> Result<Vec<Hold>, SyncError> {
    context.blocking(|ledger, tenant| ledger.holds(tenant)).await
}

fn part_of(run: &Run) -> HeldPart {
    if run.kind == RunKind::Reconcile { HeldPart::Reconcile } else { HeldPart::Round }
}
