//! `repair`: from a damaged ledger to one that holds what is still proved.

use std::fmt::Write as _;

use super::args::RepairOptions;
use super::error::{CliError, Exit};
use super::open::{App, How};
use super::output;
use crate::domain::id::Sequence;
use crate::store::sled::{LostCommits, RepairHow, RepairOutcome, RepairReport, TenantRepair, repair as mend};

/// Where the commits that are brought back come from is the engine's own files. Another source, such as an export, would be
/// a second way into the same report.
pub fn repair(app: &App, options: &RepairOptions) -> Result<Exit, CliError> {
    let path = app.existing_path(How::Existing)?;
    let how = RepairHow { dry_run: options.dry_run, force: options.force };
    let bar = output::progress(&app.global, "{spinner} {bytes} of the engine's files read [{elapsed}]");
    let report = mend(&path, &app.store_options("repair")?, how, |bytes| bar.inc(bytes));
    bar.finish_and_clear();
    let report = report?;
    if !options.dry_run {
        derive(app)?;
    }
    output::answer(&app.global, &report, || text(&report))?;
    Ok(match report.outcome {
        RepairOutcome::Repairable => Exit::Found,
        RepairOutcome::Sound | RepairOutcome::Repaired => Exit::Done,
    })
}

/// Derives everything anew if a repair asks for it, this one or one that was interrupted.
fn derive(app: &App) -> Result<(), CliError> {
    let opened = app.open("repair", How::Rebuild)?;
    if opened.store.needs_rebuild() {
        let bar = output::progress(&app.global, "{spinner} {pos} facts replayed [{elapsed}]");
        let commits = opened.ledger.rebuild(|facts| bar.inc(facts));
        bar.finish_and_clear();
        commits?;
    }
    Ok(())
}

fn text(report: &RepairReport) -> String {
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
