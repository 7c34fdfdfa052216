//! `status`.

use std::fmt::Write as _;

use super::error::{CliError, Exit};
use super::open::{App, How};
use super::output::{self, word_of};
use super::source::source;
use crate::domain::id::TenantId;
use crate::service::status::{StatusAnswer, TenantStatus};

pub fn status(app: &App) -> Result<Exit, CliError> {
    let mut answer = source(app, "status", How::Existing)?.status()?;
    if let Some(wanted) = &app.global.tenant {
        keep_only(&mut answer, wanted)?;
    }
    output::answer(&app.global, &answer, || say(&answer))?;
    Ok(Exit::Done)
}

/// Leaves of all tenants the one that was asked for.
fn keep_only(answer: &mut StatusAnswer, wanted: &str) -> Result<(), CliError> {
    let all: Vec<String> = answer.tenants.iter().map(TenantStatus::label).collect();
    let is_meant = |tenant: &TenantStatus| {
        tenant.alias.as_deref() == Some(wanted) || tenant.tenant.to_string().eq_ignore_ascii_case(wanted)
    };
    answer.tenants.retain(is_meant);
    // One of which nothing is known yet is no slip of the pen.
    if answer.tenants.is_empty() && wanted.parse::<TenantId>().is_err() {
        return Err(CliError::usage(format!("--tenant {wanted}: there is none called so; known: {}", all.join(", "))));
    }
    Ok(())
}

fn say(answer: &StatusAnswer) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    for tenant in &answer.tenants {
        let alias = tenant.alias.as_deref().map(|alias| format!(" ({alias})")).unwrap_or_default();
        let _ = writeln!(text, "tenant {}{alias}", tenant.tenant);
        match &tenant.last_sync {
            Some(run) => {
                let ended = run.ended.map_or_else(|| "not ended".to_owned(), |ended| format!("ended {ended}"));
                let _ = writeln!(
                    text,
                    "  last sync: run {} ({}), {}, started {}, {ended}, {} pages, {} seen, {} changed",
                    run.run,
                    run.kind.as_ref().map_or_else(String::new, word_of),
                    word_of(&run.outcome),
                    run.started,
                    run.pages,
                    run.seen,
                    run.changed
                );
                if let Some(error) = &run.error {
                    let _ = writeln!(text, "    {error}");
                }
            }
            None => text.push_str("  never synced; run `whowas sync`\n"),
        }
        if let Some(unlogged) = &tenant.unlogged {
            let _ = writeln!(text, "  a sync failed at {} and is not in the run log: {}", unlogged.at, unlogged.why);
        }
        if let Some(next) = tenant.next_sync {
            let _ = writeln!(text, "  next sync: due {next}, if `whowas serve` runs");
        }
        let horizon = tenant.horizon.map_or_else(|| "none yet".to_owned(), |horizon| horizon.to_string());
        let _ = writeln!(text, "  horizon: {horizon}; commit {}", tenant.sequence);
        if tenant.half_round {
            text.push_str("  a round is only half committed: run `whowas sync` to finish it\n");
        }
        for held in &tenant.held {
            let rejected = held.rejected.map(|at| format!(", rejected at {at}")).unwrap_or_default();
            let _ = writeln!(
                text,
                "  HELD: run {} since {}: {}; {} objects named{rejected}; `whowas sync --accept {}` lets it pass",
                held.run, held.since, held.why, held.objects, held.run
            );
        }
        for blind in &tenant.blind {
            let _ = writeln!(text, "  blind from {} until {}: {}", blind.from, blind.until, blind.why);
        }
        let counts = &tenant.objects;
        let _ = writeln!(
            text,
            "  objects: {} active, {} soft-deleted, {} purged; snapshots: {}",
            counts.active, counts.soft_deleted, counts.purged, tenant.snapshots
        );
        let open = &tenant.findings;
        if open.critical + open.warning + open.notice > 0 {
            let _ = writeln!(
                text,
                "  open findings: {} critical, {} warning, {} notice; see `whowas findings`",
                open.critical, open.warning, open.notice
            );
        }
    }
    let ledger = &answer.ledger;
    let sealed = if ledger.encrypted { ", encrypted" } else { "" };
    let _ = writeln!(text, "ledger: {} format {}, {} bytes{sealed}", ledger.store, ledger.format, ledger.bytes);
    text
}
