//! `serve`: answers over HTTP and keeps every configured tenant current until it is stopped.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::Semaphore;
use tracing::Level;

use super::args::{Global, Output, ServeOptions};
use super::copies::{self, Copying};
use super::error::{CliError, Exit};
use super::log;
use super::open::{App, Opened, runtime};
use super::output;
use super::sync::{say, stop_on_signal};
use crate::config::TenantConfig;
use crate::domain::id::TenantId;
use crate::http::access::caller::Pace;
use crate::http::access::folder_of;
use crate::http::access::log::AccessLog;
use crate::http::access::tokens::Tokens;
use crate::http::server::Place;
use crate::http::service::{Directories, Limits, Service, Shared};
use crate::http::streams::Streams;
use crate::http::{metrics, router, systemd};
use crate::service::directory;
use crate::service::runs::RunAnswer;
use crate::store::sled::SledStore;
use crate::store::{Run, Syncing};
use crate::sync::{Event, Flight, Flights, Keeper, Kept, Stop, is_whole, with_causes};

/// How many arrays of asks are answered at once, and as many journals given out: in all, and for one token.
const STREAMS: (usize, usize) = (16, 4);
/// How long one more waits for another one to end.
const STREAM_WAIT: Duration = Duration::from_secs(20);
/// How often what was written to the access log is brought to the disk.
const LOG_SYNC: Duration = Duration::from_secs(1);
/// How often others are told at most how far runs are.
const TELL: Duration = Duration::from_millis(100);

pub fn serve(app: App, options: &ServeOptions) -> Result<Exit, CliError> {
    if app.global.now.is_some() && !options.rehearsal {
        return Err(CliError::usage("serve: --now stands still, so nothing would ever be due; leave it out"));
    }
    let kept = if options.no_schedule { Vec::new() } else { kept(&app)? };
    let folder = app.config.file.as_deref().and_then(std::path::Path::parent);
    let place = Place::take(&app.config.server, options.listen.as_deref(), options.rehearsal, folder)?;
    let url = place.url();
    let opened = app.open_to_serve(url.clone())?;
    let access = folder_of(&app.ledger_path()?);
    let access_log = AccessLog::open(&access, app.clock).map_err(CliError::io(format!("open {}", access.display())))?;
    let default = Limits::default();
    let limits = Limits {
        per_second: app.config.server.requests_per_second.unwrap_or(default.per_second),
        burst: app.config.server.burst.unwrap_or(default.burst),
        ..default
    };
    let keys = app.keys()?;
    let Opened { ledger, store } = opened;
    let (stop, clock, global) = (Stop::default(), app.clock, app.global.clone());
    let health = {
        let store = Arc::clone(&store);
        move || store.is_writable().map_err(|error| with_causes(&error))
    };
    let resident = {
        let store = Arc::clone(&store);
        move || store.residency()
    };
    let config = Arc::new(app.config);
    let flights = Flights::default();
    let ended = {
        let (config, global, flights) = (Arc::clone(&config), global.clone(), flights.clone());
        move |tenant: TenantId, run: &Run| {
            flights.forget_unlogged(tenant);
            let called = config.label_of(tenant);
            metrics::ran(&called, run);
            told_of(&global, tenant, &called, run);
        }
    };
    let service: Shared = Arc::new(Service {
        ledger,
        config,
        clock,
        tokens: Tokens::in_folder(access),
        access_log,
        keys,
        flights,
        stop: stop.clone(),
        on_demand: Arc::new(Semaphore::new(options.at_once.max(1))),
        has_schedule: !options.no_schedule,
        is_rehearsal: options.rehearsal,
        is_behind_proxy: place.is_behind_proxy,
        is_encrypted: place.has_tls() || place.is_behind_proxy,
        health: Box::new(health),
        resident: Box::new(resident),
        ended: Box::new(ended),
        streams: Streams::new(STREAMS.0, STREAMS.1, STREAM_WAIT),
        journals: Streams::new(STREAMS.0, STREAMS.1, STREAM_WAIT),
        pace: Pace::of(&limits),
        limits,
        directories: Directories::default(),
    });
    if service.tokens.all()?.is_empty() {
        output::note("nobody may ask yet: `whowas token add --role admin` gives out a token, also while this runs");
    }
    let keeper = keeper(&service, options.at_once);
    let counted = metrics::install();
    metrics::begin(&service);
    let router = router::router(&service, counted.clone());
    runtime()?.block_on(async {
        stop_on_signal(stop.clone());
        let keeping = tokio::spawn(keeper.keep(kept));
        let logging = tokio::spawn(keep_log(service.access_log.clone()));
        let counting = tokio::spawn(metrics::keep(counted.clone()));
        let watching = tokio::spawn(systemd::keep(Arc::clone(&service)));
        let telling = tokio::spawn(tell_others(service.flights.clone(), Arc::clone(&store)));
        output::note(&format!("listening on {url}"));
        let copying = Copying::begin(&store, copies::bytes_max(&service.config.ledger));
        systemd::ready(&url);
        let ending = {
            let stop = stop.clone();
            async move {
                stop.asked().await;
                systemd::stopping();
            }
        };
        let served = place.serve(router, ending).await;
        // Whatever ended the service, the runs end too, each with its entry in the run log.
        stop.ask();
        let kept = keeping.await;
        let ended = service.on_demand.acquire_many(u32::try_from(options.at_once.max(1)).unwrap_or(u32::MAX)).await;
        drop(ended);
        logging.abort();
        counting.abort();
        telling.abort();
        watching.abort();
        service.access_log.sync().map_err(CliError::io("bring the access log to the disk"))?;
        drop(copying);
        served?;
        kept.map_err(|error| CliError::failed("keep the tenants current", &error))
    })?;
    Ok(Exit::Done)
}

/// The tenants that are read by themselves.
fn kept(app: &App) -> Result<Vec<Kept>, CliError> {
    // One tenant is named, or all of them are meant.
    let chosen = app.global.tenant.as_deref().map(|_| app.configured()).transpose()?;
    let tenants = &app.config.tenants;
    let is_meant = |(place, tenant): &(usize, &TenantConfig)| {
        // One that stands there twice is read once: everywhere its first entry counts.
        let is_first = tenants.iter().position(|first| first.id == tenant.id) == Some(*place);
        is_first && chosen.is_none_or(|chosen| chosen.id == tenant.id)
    };
    let meant: Vec<&TenantConfig> = tenants.iter().enumerate().filter(is_meant).map(|(_, tenant)| tenant).collect();
    if meant.is_empty() {
        let error = app.configured().err();
        return Err(error
            .unwrap_or_else(|| CliError::usage("no tenant is meant"))
            .with_advice("--no-schedule answers questions about a ledger without reading any directory"));
    }
    // A configuration that cannot sign in anywhere is an error now and not a line in a log at night.
    for tenant in &meant {
        directory::client(tenant, app.clock)?;
    }
    Ok(meant.into_iter().map(|tenant| Kept { tenant: tenant.id, rhythm: tenant.rhythm() }).collect())
}

fn keeper(service: &Shared, at_once: usize) -> Keeper {
    let open = {
        let service = Arc::clone(service);
        move |tenant: TenantId| {
            // The client is made anew for each run, and so reads a secret that was changed.
            let configured = service.configured(tenant).ok_or_else(|| format!("tenant {tenant} is not configured"))?;
            let client = directory::client(configured, service.clock).map_err(|error| CliError::from(error).text())?;
            directory::context(configured, &service.ledger, client, service.clock)
                .map_err(|error| CliError::from(error).text())
        }
    };
    let tell = {
        let service = Arc::clone(service);
        move |tenant: TenantId, event: Event<'_>| {
            let name = service.config.label_of(tenant);
            match event {
                Event::Ended(run) => (service.ended)(tenant, run),
                Event::Failed { error, is_logged } => {
                    let why = error.with_hint();
                    log::say(Level::WARN, &format!("{name}: failed to {why}"));
                    if !is_logged {
                        metrics::left_no_entry(&service, tenant, service.clock.now(), why);
                    }
                }
                Event::NotBegun(why) => {
                    log::say(Level::WARN, &format!("{name}: {why}"));
                    metrics::left_no_entry(&service, tenant, service.clock.now(), why.to_owned());
                }
                Event::Next(at) => tracing::info!(%tenant, %at, "next run"),
            }
        }
    };
    let (clock, flights, stop) = (service.clock, service.flights.clone(), service.stop.clone());
    Keeper { at_once, clock, open: Arc::new(open), tell: Arc::new(tell), flights, stop }
}

/// Tells whoever finds the ledger held which tenants are being read, by schedule or on demand, and how far that is.
async fn tell_others(flights: Flights, store: Arc<SledStore>) {
    let mut changes = flights.changes();
    while changes.changed().await.is_ok() {
        let syncing =
            flights.all().into_iter().map(|(tenant, flight)| Syncing { tenant, progress: Some(told(flight)) });
        let (syncing, store) = (syncing.collect(), Arc::clone(&store));
        // Whoever finds it held is told less if this fails; the service is none the worse.
        let _untold = tokio::task::spawn_blocking(move || store.set_syncing(syncing)).await;
        tokio::time::sleep(TELL).await;
    }
}

fn told(flight: Flight) -> serde_json::Value {
    let mut told =
        flight.progress.map_or_else(|| json!({"started": flight.since, "pages": 0, "seen": 0}), |at| json!(at));
    if let Some(fields) = told.as_object_mut() {
        fields.insert("trigger".to_owned(), json!(flight.trigger));
    }
    told
}

async fn keep_log(log: AccessLog) {
    loop {
        tokio::time::sleep(LOG_SYNC).await;
        let log = log.clone();
        if let Ok(Err(error)) = tokio::task::spawn_blocking(move || log.sync()).await {
            tracing::error!(%error, "the access log does not reach the disk");
        }
    }
}

/// Prints a run that ended. To people those that failed are told with what to do, as soon as they have failed.
fn told_of(global: &Global, tenant: TenantId, name: &str, run: &Run) {
    if global.output != Output::Human {
        if let Err(error) = output::text(&json!({"tenant": tenant, "run": run}).to_string()) {
            log::say(Level::ERROR, &format!("{name}: {}", error.text()));
        }
    } else if is_whole(run) {
        output::note(&format!("{name}: {}", say(&RunAnswer::from(run.clone())).trim_end()));
    }
}
