//! `repair`: from a damaged ledger to one that holds what is still proved.

use std::fmt::Write as _;

use serde::Serialize;

use super::args::RepairOptions;
use super::error::{CliError, Exit};
use super::open::{App, How, Opened};
use super::output;
use crate::domain::id::Sequence;
use crate::ledger::{LedgerError, Restated, Stamp};
use crate::store::StoreError;
use crate::store::sled::{LostCommits, RepairHow, RepairOutcome, RepairReport, TenantRepair, repair as mend};

/// Where the commits that are brought back come from is the engine's own files. Another source, such as an export, would be
/// a second way into the same report.
pub fn repair(app: &App, options: &RepairOptions) -> Result<Exit, CliError> {
    let path = app.existing_path(How::Existing)?;
    let mend = |how: RepairHow| {
        let bar = output::progress(&app.global, "{spinner} {bytes} of the engine's files read [{elapsed}]");
        let report = mend(&path, &app.store_options("repair")?, how, |bytes| bar.inc(bytes));
        bar.finish_and_clear();
        Ok::<_, CliError>(report?)
    };
    let how = RepairHow { dry_run: options.dry_run, force: options.force, stale: false };
    let mut report = mend(how)?;
    if report.outcome == RepairOutcome::Sound && is_stale(app)? {
        report = mend(RepairHow { stale: true, ..how })?;
    }
    let erasures = if options.dry_run { Restated::default() } else { derive(app)? };
    let answer = Answer { report, erasures };
    output::answer(&app.global, &answer, || text(&answer))?;
    Ok(match answer.report.outcome {
        RepairOutcome::Repairable => Exit::Found,
        RepairOutcome::Sound | RepairOutcome::Repaired => Exit::Done,
    })
}

/// Whether what is derived is something else than what the journal gives, although both can be read.
fn is_stale(app: &App) -> Result<bool, CliError> {
    // What is to be derived anew is not there to be looked at.
    let opened = match app.open("repair", How::Existing) {
        Err(CliError::Ledger(LedgerError::Store(StoreError::NeedsRebuild { .. }))) => return Ok(false),
        opened => opened?,
    };
    let bar = output::progress(&app.global, "{spinner} {pos} facts compared [{elapsed}]");
    let verified = opened.ledger.verify(|facts| bar.inc(facts));
    bar.finish_and_clear();
    let verified = match verified {
        Err(LedgerError::Store(StoreError::Damaged { .. })) => return Ok(true),
        verified => verified?,
    };
    Ok(verified.differing > verified.unsound)
}

#[derive(Serialize)]
struct Answer {
    #[serde(flatten)]
    report: RepairReport,
    erasures: Restated,
}

/// Derives everything anew if a repair asks for it, this one or one that was interrupted; and names again what was erased if the
/// record of that is among what was lost.
fn derive(app: &App) -> Result<Restated, CliError> {
    let opened = app.open("repair", How::Rebuild)?;
    let rebuild = || {
        let bar = output::progress(&app.global, "{spinner} {pos} facts replayed [{elapsed}]");
        let commits = opened.ledger.rebuild(|facts| bar.inc(facts));
        bar.finish_and_clear();
        commits.map(drop)
    };
    if opened.store.needs_rebuild() {
        rebuild()?;
    }
    let restated = restate(app, &opened)?;
    if restated.named {
        rebuild()?;
    }
    Ok(restated)
}

/// Names again what was erased if the record of that was lost.
pub(super) fn restate(app: &App, opened: &Opened) -> Result<Restated, CliError> {
    let stamp = Stamp { now: app.clock.now(), salt: app.clock.salt() };
    Ok(opened.ledger.restate_erasures(app.erasure_key()?.as_ref(), stamp)?)
}

/// What is said of that.
pub(super) fn erasures_text(restated: &Restated) -> String {
    let Restated { items, objects, named } = restated;
    match (items, named) {
        (0, _) => String::new(),
        (_, true) => format!(
            "the record of erasures was lost: {items} facts of {objects} people stay erased, and are named anew; run `whowas redact` again \
             for whoever was erased in what is missing\n"
        ),
        (_, false) => format!(
            "the record of erasures was lost, and without `erasure.key` in the ledger's keys ([ledger] keys) the {items} facts of {objects} \
             people that stay erased cannot be named anew: put the key back and run `whowas repair` BEFORE the next sync, or their names \
             are written again\n"
        ),
    }
}

fn text(Answer { report, erasures }: &Answer) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    if let Some(damage) = &report.damage {
        let _ = writeln!(text, "damaged: {damage}");
    }
    let _ = match report.outcome {
        RepairOutcome::Sound => writeln!(
            text,
            "the journal is whole: {} commits; nothing was changed (`whowas verify` compares what is derived with it)",
            report.commits
        ),
        RepairOutcome::Repairable => {
            writeln!(
                text,
                "{} commits can be brought back; nothing was changed, `whowas repair` does it",
                report.commits
            )
        }
        RepairOutcome::Repaired => {
            writeln!(text, "{} commits are brought back, and everything is derived from them anew", report.commits)
        }
    };
    report.tenants.iter().for_each(|tenant| text.push_str(&tenant_text(tenant)));
    text.push_str(&erasures_text(erasures));
    if report.lost > 0 {
        let _ = writeln!(
            text,
            "{} commits cannot be brought back: restore a backup that has them, or go on without; what the directory still \
             says comes back with `whowas sync --full --reconcile`, snapshots that were recorded in them do not",
            report.lost
        );
        text.push_str(
            "whoever keeps a checkpoint beyond the commits above will find it unanswered: the hash chain ends before it\n",
        );
    } else if report.outcome != RepairOutcome::Sound {
        text.push_str("no commit is known to be lost\n");
    }
    if let Some(moved) = &report.moved_to {
        let _ = writeln!(text, "the damaged files are in {moved}; remove them when you need them no longer");
    }
    text
}

fn tenant_text(tenant: &TenantRepair) -> String {
    let mut text = match tenant.commits {
        Sequence(0) => format!("  tenant {}: no commit is proved\n", tenant.tenant),
        commits => {
            let recorded = tenant.recorded.map(|at| format!(", recorded {at}")).unwrap_or_default();
            format!("  tenant {}: commits 1 to {commits}{recorded}, hash {}\n", tenant.tenant, tenant.hash)
        }
    };
    if let Some(lost) = &tenant.lost {
        text.push_str(&lost_text(lost));
    }
    text
}

fn lost_text(lost: &LostCommits) -> String {
    let after = lost.after.map(|at| format!(" after {at}")).unwrap_or_default();
    let until = match lost.until {
        Some(at) => format!(", the last at {at}"),
        None => ", the last at an unknown time".to_owned(),
    };
    let mut text = format!("    lost: commits {} to {}, recorded{after}{until}\n", lost.from, lost.through);
    if !lost.stranded.is_empty() {
        let numbers: Vec<String> = lost.stranded.iter().take(STRANDED_NAMED).map(ToString::to_string).collect();
        let more = match lost.stranded.len().checked_sub(STRANDED_NAMED) {
            Some(more) if more > 0 => format!(" and {more} more"),
            _ => String::new(),
        };
        let numbers = numbers.join(", ");
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "    of these {numbers}{more} are whole by themselves, but the chain to them is broken, so they prove nothing"
        );
    }
    text
}

/// How many stranded commits are named before the rest is only counted.
const STRANDED_NAMED: usize = 20;
