//! `serve`: keeps every configured tenant current until it is stopped.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use serde_json::json;

use super::args::{Global, Output, ServeOptions};
use super::error::{CliError, Exit};
use super::open::{App, Opened, client, context, runtime};
use super::output;
use super::sync::{say, stop_on_signal};
use crate::domain::id::TenantId;
use crate::sync::{Event, Keeper, Kept, Progress, Ready, Stop, with_causes};

pub fn serve(app: App, options: &ServeOptions) -> Result<Exit, CliError> {
    if app.global.now.is_some() {
        return Err(CliError::usage("serve: --now stands still, so nothing would ever be due; leave it out"));
    }
    // One tenant is named, or all of them are meant.
    let chosen = app.global.tenant.as_deref().map(|_| app.configured()).transpose()?;
    let kept: Vec<Kept> = app
        .config
        .tenants
        .iter()
        .enumerate()
        // One that stands there twice is read once: everywhere its first entry counts.
        .filter(|(place, tenant)| app.config.tenants.iter().position(|first| first.id == tenant.id) == Some(*place))
        .filter(|(_, tenant)| chosen.is_none_or(|chosen| chosen.id == tenant.id))
        .map(|(_, tenant)| Kept { tenant: tenant.id, rhythm: tenant.rhythm() })
        .collect();
    if kept.is_empty() {
        app.configured()?;
    }
    // A configuration that cannot sign in anywhere is an error now and not a line in a log at night.
    for tenant in app.config.tenants.iter().filter(|tenant| kept.iter().any(|kept| kept.tenant == tenant.id)) {
        client(tenant, app.clock)?;
    }
    let stop = Stop::default();
    let (clock, global) = (app.clock, app.global.clone());
    let names: Vec<(TenantId, String)> = app.config.tenants.iter().map(|tenant| (tenant.id, tenant.label())).collect();
    let tell = move |tenant: TenantId, event: Event<'_>| {
        let name = names.iter().find(|(id, _)| *id == tenant).map_or("", |(_, name)| name);
        report(&global, tenant, name, &event);
    };
    let opener = Opener { app: Arc::new(app), shared: Mutex::default() };
    let keeper = Keeper {
        at_once: options.at_once,
        clock,
        open: Arc::new(move |tenant| opener.open(tenant).map_err(|error| error.text())),
        tell: Arc::new(tell),
        stop: stop.clone(),
    };
    runtime()?.block_on(async {
        stop_on_signal(stop);
        keeper.keep(kept).await;
    });
    Ok(Exit::Done)
}

fn report(global: &Global, tenant: TenantId, name: &str, event: &Event<'_>) {
    let is_quiet = global.quiet;
    match event {
        Event::Ran(run) => {
            if global.output == Output::Human {
                if !is_quiet {
                    output::note(&format!("{name}: {}", say(run).trim_end()));
                }
            } else if let Err(error) = output::text(&json!({"tenant": tenant, "run": run}).to_string()) {
                output::note(&format!("{name}: {}", error.text()));
            }
        }
        Event::Failed(error) => {
            let hint = error.hint().map(|hint| format!("\n  hint: {hint}")).unwrap_or_default();
            output::note(&format!("{name}: failed to {}{hint}", with_causes(*error)));
        }
        Event::NotBegun(why) => output::note(&format!("{name}: {why}")),
        Event::Next(at) => tracing::info!(%tenant, %at, "next run"),
    }
}

/// Opens the ledger while at least one tenant is being read, so that other commands can ask in between.
struct Opener {
    app: Arc<App>,
    shared: Mutex<Weak<Opened>>,
}

impl Opener {
    fn open(&self, tenant: TenantId) -> Result<Ready, CliError> {
        let opened = {
            let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
            match shared.upgrade() {
                Some(opened) => opened,
                None => {
                    let opened = Arc::new(self.app.open_to_serve(tenant)?);
                    *shared = Arc::downgrade(&opened);
                    opened
                }
            }
        };
        let configured = self.app.config.tenants.iter().find(|configured| configured.id == tenant);
        let configured = configured.ok_or_else(|| CliError::usage(format!("tenant {tenant} is not configured")))?;
        // The client is made anew for each run, and so reads a secret that was changed.
        let context = context(configured, &opened.ledger, client(configured, self.app.clock)?, self.app.clock)?;
        let tell = move |progress: Progress| {
            let _untold = opened.store.set_progress(Some(tenant), Some(json!(progress)));
        };
        Ok(Ready { context, tell: Box::new(tell) })
    }
}
