//! A run that a service makes: begun, watched and told as one that is made here.

use std::thread;
use std::time::Duration;

use super::{bar, ended, rejected, show};
use crate::cli::args::{Output, SyncOptions};
use crate::cli::error::{CliError, Exit};
use crate::cli::open::App;
use crate::cli::output;
use crate::cli::source::Remote;
use crate::client::{Problem, SyncWanted};
use crate::service::runs::{RunAnswer, RunOutcome};
use crate::store::RunKind;

/// How long apart the service is asked how far it is: a short run is told soon, a long one is not asked about all the time.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

pub fn sync(app: &App, remote: &Remote<'_>, options: &SyncOptions) -> Result<Exit, CliError> {
    if let Some(run) = options.reject {
        return rejected(app, &remote.reject(run)?);
    }
    let SyncOptions { full, reconcile, accept, ref announce, .. } = *options;
    let announce = announce.iter().map(ToString::to_string).collect();
    let begun = match remote.sync(&SyncWanted { full, reconcile, accept, announce })? {
        Ok(begun) => begun,
        Err(problem) => return already_running(app, remote.tenant()?, &problem),
    };
    let run = watch(app, remote, begun)?;
    if reconcile && run.outcome == RunOutcome::Completed && run.kind != Some(RunKind::Reconcile) {
        // The reconcile is a run of its own, which follows at once; nobody else's can come in between.
        let run = watch(app, remote, remote.run(run.run + 1)?)?;
        return ended(app, &run);
    }
    ended(app, &run)
}

/// Waits until a run is over. One that went wrong is a failure, as it is here.
fn watch(app: &App, remote: &Remote<'_>, begun: RunAnswer) -> Result<RunAnswer, CliError> {
    let bar = bar(app);
    let (mut run, mut pause) = (begun, PAUSES.0);
    while run.outcome == RunOutcome::Running {
        show(&bar, run.run, run.kind, run.pages, run.seen);
        thread::sleep(pause);
        pause = (pause * 2).min(PAUSES.1);
        let number = run.run;
        run = remote.run(number).inspect_err(|_| {
            output::complain(&format!("run {number} was begun and may go on; `whowas status` tells how it ended"));
        })?;
    }
    bar.finish_and_clear();
    match run.outcome {
        RunOutcome::Failed | RunOutcome::Interrupted => {
            let why = run.error.unwrap_or_else(|| "go on with the run: it was interrupted".to_owned());
            Err(CliError::Failed(why))
        }
        RunOutcome::Completed | RunOutcome::Held | RunOutcome::Running => Ok(run),
    }
}

fn already_running(app: &App, tenant: &str, problem: &Problem) -> Result<Exit, CliError> {
    output::complain(&format!("a sync of tenant {tenant} is already running: {}", problem.detail));
    if let Some(running) = problem.running.as_ref().filter(|_| app.global.output != Output::Human) {
        output::answer(&app.global, running, String::new)?;
    }
    Ok(Exit::Running)
}
