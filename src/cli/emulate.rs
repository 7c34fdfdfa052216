//! `emulate`: the Graph emulator alone, until it is interrupted.

use std::net::TcpListener;
use std::path::Path;

use super::args::EmulateOptions;
use super::error::{CliError, Exit};
use super::open::runtime;
use super::output;
use crate::clock::Clock;
use crate::config::ConfigError;
use crate::domain::time::Instant;
use crate::graph::certificate::certificates;
use crate::graph::emulator::{self, Directory, Emulator, EmulatorOptions, Quirk, Quirks};
use crate::scenario::{self, Aftermath};

/// The domain of the users it begins with.
const DOMAIN: &str = "x.test";

pub fn emulate(options: &EmulateOptions, clock: Clock) -> Result<Exit, CliError> {
    let listener = TcpListener::bind(&options.listen).map_err(CliError::io(format!("listen on {}", options.listen)))?;
    let Beginning { directory, quirks, page_size, who } = match &options.scenario {
        Some(file) => after(file)?,
        None => seeded(options.users, clock.now())?,
    };
    // A pretended time later than what the directory begins with is waited for; an earlier one has passed.
    let start = clock.fixed.map_or(directory.now(), |pretended| pretended.max(directory.now()));
    let certificates = match &options.certificate {
        Some(file) => certificates(file).map_err(ConfigError::from)?,
        None => Vec::new(),
    };
    let names: Vec<&str> = options.quirk.iter().map(String::as_str).collect();
    let named = Quirks::named(&names).map_err(|error| CliError::usage(error.to_string()))?;
    let quirks = Quirks::of(quirks.into_iter().chain(named.active().iter().cloned()));
    let ticking = emulator::Clock::Ticking { from: start, base: std::time::Instant::now() };
    let clock = if options.frozen { emulator::Clock::Frozen(start) } else { ticking };
    runtime()?.block_on(async {
        let defaults = EmulatorOptions::default();
        let (tenant, client_id, secret) =
            (defaults.tenant.clone(), defaults.client_id.clone(), defaults.secret.clone());
        let started = Emulator::start(EmulatorOptions {
            listen: Some(listener),
            tls: options.tls.clone(),
            page_size: options.page_size.unwrap_or(page_size).max(1),
            quirks,
            certificates,
            directory,
            clock: Some(clock),
            ..defaults
        });
        let emulator = started.map_err(CliError::io("start the emulator"))?;
        let url = emulator.url();
        output::note(&format!(
            "emulating Microsoft Graph at {url} with {who}; a whowas.toml for it:\n\n\
             [[tenant]]\nid = \"{tenant}\"\nalias = \"emulated\"\nclient_id = \"{client_id}\"\n\
             credential = {{ secret_env = \"WHOWAS_SECRET\" }}    # export WHOWAS_SECRET={secret}\n\
             graph_url = \"{url}\"\nlogin_url = \"{url}\"\n\n\
             control: {url}/_emulator/clock, /_emulator/act, /_emulator/quirks, /_emulator/requests (docs/EMULATOR.md); stop with ctrl-c"
        ));
        output::text(&url)?;
        tokio::signal::ctrl_c().await.map_err(CliError::io("wait for the interrupt"))?;
        emulator.stop().await;
        Ok(Exit::Done)
    })
}

/// What the emulator begins with.
struct Beginning {
    directory: Directory,
    quirks: Vec<Quirk>,
    page_size: usize,
    /// In words.
    who: String,
}

fn seeded(users: usize, start: Instant) -> Result<Beginning, CliError> {
    let mut directory = Directory::new("contoso.onmicrosoft.com", start, 1);
    directory.seed_users(users, DOMAIN).map_err(|error| CliError::usage(error.to_string()))?;
    let who = format!("{users} users of {DOMAIN}");
    Ok(Beginning { directory, quirks: Vec::new(), page_size: EmulatorOptions::default().page_size, who })
}

fn after(file: &Path) -> Result<Beginning, CliError> {
    let script = super::scenario::read(file)?;
    let failed = |error| CliError::failed(format!("begin with {}", file.display()), &error);
    let Aftermath { directory, quirks, page_size } = scenario::aftermath(&script).map_err(failed)?;
    let who = format!("the directory of \"{}\" at its end, {}", script.title, directory.now());
    Ok(Beginning { directory, quirks, page_size, who })
}
