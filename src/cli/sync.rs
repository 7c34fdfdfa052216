//! `sync`: one run now, with its progress on a terminal and beside the lock for whoever asks.

mod there;

use indicatif::ProgressBar;
use serde_json::json;

use super::args::SyncOptions;
use super::error::{CliError, Exit};
use super::open::{App, runtime};
use super::output::{self, word_of};
use super::source::Remote;
use crate::domain::id::TenantId;
use crate::ledger::LedgerError;
use crate::service::runs::{RunAnswer, RunOutcome};
use crate::service::status::HoldStatus;
use crate::store::{Holder, RunKind, StoreError, Syncing, Trigger};
use crate::sync::{self, Flight, Progress, Stop, Wanted};

pub fn sync(app: &App, options: &SyncOptions) -> Result<Exit, CliError> {
    match Remote::of(app)? {
        Some(remote) => there::sync(app, &remote, options),
        None => here(app, options),
    }
}

fn here(app: &App, options: &SyncOptions) -> Result<Exit, CliError> {
    let id = app.configured()?.id;
    // A configuration that cannot sign in leaves no ledger behind.
    let client = app.client()?;
    let opened = match app.open_to_sync(id) {
        Err(CliError::Ledger(LedgerError::Store(StoreError::Held { holder, .. }))) if holder.syncs(id) => {
            return already_running(app, id, &holder);
        }
        other => other?,
    };
    let mut context = app.context(&opened.ledger, client)?;
    context.guard.announced.extend(options.announce.iter().cloned());
    if let Some(run) = options.reject {
        let hold = runtime()?.block_on(sync::reject(&context, run))?;
        return rejected(app, &HoldStatus::from(&hold));
    }
    let bar = bar(app);
    let tell = |progress: Progress| {
        let Progress { run, kind, pages, seen, .. } = progress;
        show(&bar, run, Some(kind), pages, seen);
        // Whoever finds the ledger held is told less if this fails; the sync itself is none the worse.
        let _untold = opened.store.set_syncing(syncing(id, json!(progress)));
    };
    let _untold = opened.store.set_syncing(syncing(id, json!({"started": app.clock.now(), "pages": 0, "seen": 0})));
    let wanted = Wanted { full: options.full, reconcile: options.reconcile, trigger: Trigger::Demand };
    let stop = Stop::default();
    let done = runtime()?.block_on(async {
        stop_on_signal(stop.clone());
        match options.accept {
            Some(held) => sync::accept(&context, held, &stop, &tell).await,
            None => sync::run(&context, wanted, &stop, &tell).await,
        }
    });
    bar.finish_and_clear();
    ended(app, &RunAnswer::from(done?))
}

/// Prints a run that ended and did not fail.
fn ended(app: &App, run: &RunAnswer) -> Result<Exit, CliError> {
    output::answer(&app.global, run, || say(run))?;
    if run.outcome == RunOutcome::Held {
        output::complain(&format!("run {} is {}", run.run, run.error.as_deref().unwrap_or("held")));
        return Ok(Exit::Partly);
    }
    Ok(Exit::Done)
}

/// Prints a held run that was found wrong.
fn rejected(app: &App, hold: &HoldStatus) -> Result<Exit, CliError> {
    output::answer(&app.global, hold, || {
        let run = hold.run;
        format!("run {run} is rejected; it stays held until the directory changes back or somebody accepts it\n")
    })?;
    Ok(Exit::Done)
}

fn syncing(tenant: TenantId, progress: serde_json::Value) -> Vec<Syncing> {
    vec![Syncing { tenant, progress: Some(progress) }]
}

fn bar(app: &App) -> ProgressBar {
    output::progress(&app.global, "{spinner} {msg} [{elapsed}]")
}

fn show(bar: &ProgressBar, run: u64, kind: Option<RunKind>, pages: u64, seen: u64) {
    let kind = kind.as_ref().map(word_of).unwrap_or_default();
    bar.set_message(format!("{kind} run {run}: {pages} pages, {seen} items"));
    bar.tick();
}

fn already_running(app: &App, tenant: TenantId, holder: &Holder) -> Result<Exit, CliError> {
    output::complain(&format!("a sync of tenant {tenant} is already running: {holder}"));
    // A run like any other, of which the holder tells what it knows. A service tells what it was begun by; whoever syncs and tells nothing
    // was asked to.
    let flight = Flight { trigger: Trigger::Demand, since: holder.since, progress: None };
    let mut running = json!(RunAnswer::from(flight));
    let told = holder.progress_of(tenant).and_then(|told| told.as_object()).cloned().unwrap_or_default();
    if let Some(fields) = running.as_object_mut() {
        fields.extend(told);
        for (key, value) in [
            ("outcome", json!("running")),
            ("tenant", json!(tenant)),
            ("pid", json!(holder.pid)),
            ("since", json!(holder.since)),
        ] {
            fields.insert(key.to_owned(), value);
        }
    }
    if app.global.output != super::args::Output::Human {
        output::answer(&app.global, &running, String::new)?;
    }
    Ok(Exit::Running)
}

/// The first interrupt or termination ends the run at once, with its entry in the run log; the second one ends the
/// program.
pub fn stop_on_signal(stop: Stop) {
    // Before anything else is said or done, so that no signal ends the program by itself any more.
    let Ok(mut signals) = Signals::listen() else { return };
    tokio::spawn(async move {
        signals.next().await;
        stop.ask();
        let signal = signals.next().await;
        std::process::exit(128 + signal);
    });
}

/// The signals that ask a program to stop.
#[cfg(unix)]
pub(super) struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    pub fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// The number of the next signal.
    pub async fn next(&mut self) -> i32 {
        tokio::select! {
            _ = self.interrupt.recv() => 2,
            _ = self.terminate.recv() => 15,
        }
    }
}

/// The signals that ask a program to stop.
#[cfg(not(unix))]
pub(super) struct Signals;

#[cfg(not(unix))]
impl Signals {
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self)
    }

    pub async fn next(&mut self) -> i32 {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        2
    }
}

/// A run for people.
pub fn say(run: &RunAnswer) -> String {
    let horizon = run.horizon.map_or_else(|| "none".to_owned(), |horizon| horizon.to_string());
    format!(
        "run {} ({}): {} — {} pages, {} seen, {} changed, {} removed, {} restored, {} facts in {} requests; horizon {horizon}{}\n",
        run.run,
        run.kind.as_ref().map(word_of).unwrap_or_default(),
        word_of(&run.outcome),
        run.pages,
        run.seen,
        run.changed,
        run.removed,
        run.restored,
        run.facts,
        run.requests,
        if run.throttled_ms > 0 { format!("; throttled for {} ms", run.throttled_ms) } else { String::new() },
    ) + &run.note.as_ref().map(|note| format!("  note: {note}\n")).unwrap_or_default()
}
