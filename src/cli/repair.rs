//! `repair`: from a damaged ledger to one that holds what is still proved.

use std::fmt::Write as _;

use super::args::RepairOptions;
use super::error::{CliError, Exit};
use super::open::{App, How, Opened};
use super::output;
use crate::domain::id::Sequence;
use crate::ledger::{Restated, Stamp};
use crate::service::mend::{Mend, Mended, Step, mend};
use crate::store::sled::{LostCommits, RepairHow, RepairOutcome, TenantRepair};

pub fn repair(app: &App, options: &RepairOptions) -> Result<Exit, CliError> {
    let path = app.existing_path(How::Existing)?;
    let bar = |step| {
        let template = match step {
            Step::Read => "{spinner} {bytes} of the engine's files read [{elapsed}]",
            Step::Compare => "{spinner} {pos} facts compared [{elapsed}]",
            Step::Derive => "{spinner} {pos} facts replayed [{elapsed}]",
        };
        output::progress(&app.global, template)
    };
    let mut shown = (Step::Read, bar(Step::Read));
    let wanted = Mend {
        path: &path,
        options: app.store_options("repair")?,
        how: RepairHow { dry_run: options.dry_run, force: options.force, stale: false },
        erasure_key: app.erasure_key()?,
        stamp: stamp(app),
    };
    let mended = mend(&wanted, &mut |step, more| {
        if shown.0 != step {
            shown.1.finish_and_clear();
            shown = (step, bar(step));
        }
        shown.1.inc(more);
    });
    shown.1.finish_and_clear();
    let mended = mended?;
    output::answer(&app.global, &mended, || text(&mended))?;
    mended.is_told()?;
    Ok(match mended.report.outcome {
        RepairOutcome::Repairable => Exit::Found,
        RepairOutcome::Sound | RepairOutcome::Repaired => Exit::Done,
    })
}

/// Names again what was erased if the record of that was lost.
pub(super) fn restate(app: &App, opened: &Opened) -> Result<Restated, CliError> {
    Ok(opened.ledger.restate_erasures(app.erasure_key()?.as_ref(), stamp(app))?)
}

fn stamp(app: &App) -> Stamp {
    Stamp { now: app.clock.now(), salt: app.clock.salt() }
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

fn text(Mended { report, erasures, half_restored, .. }: &Mended) -> String {
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
    for earlier in &report.earlier {
        let figure = |name: &str| earlier.get(name).map_or_else(|| "?".to_owned(), ToString::to_string);
        let _ = writeln!(
            text,
            "an earlier repair, of which nobody was told because what came after it was not completed, brought back {} commits of at least {} \
             and lost {}; the damaged files of then are in {}",
            figure("commits"),
            figure("acknowledged"),
            figure("lost"),
            figure("moved_to")
        );
    }
    text.push_str(&erasures_text(erasures));
    if *half_restored {
        text.push_str("an export was being brought back into it: run `whowas restore FILE` again, and it goes on\n");
    }
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
