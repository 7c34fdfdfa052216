//! `emulate`: the Graph emulator alone, until it is interrupted.

use std::net::TcpListener;

use super::args::EmulateOptions;
use super::error::{CliError, Exit};
use super::open::runtime;
use super::output;
use crate::clock::Clock;
use crate::graph::emulator::{self, Directory, Emulator, EmulatorOptions, Quirks};

/// The domain of the users it begins with.
const DOMAIN: &str = "x.test";

pub fn emulate(options: &EmulateOptions, clock: Clock) -> Result<Exit, CliError> {
    let listener = TcpListener::bind(&options.listen).map_err(CliError::io(format!("listen on {}", options.listen)))?;
    let start = clock.now();
    let mut directory = Directory::new("contoso.onmicrosoft.com", start, 1);
    directory.seed_users(options.users, DOMAIN).map_err(|error| CliError::usage(error.to_string()))?;
    let names: Vec<&str> = options.quirk.iter().map(String::as_str).collect();
    let quirks = Quirks::named(&names).map_err(|error| CliError::usage(error.to_string()))?;
    let ticking = emulator::Clock::Ticking { from: start, base: std::time::Instant::now() };
    let clock = if options.frozen { emulator::Clock::Frozen(start) } else { ticking };
    runtime()?.block_on(async {
        let defaults = EmulatorOptions::default();
        let (tenant, client_id, secret) =
            (defaults.tenant.clone(), defaults.client_id.clone(), defaults.secret.clone());
        let started = Emulator::start(EmulatorOptions {
            listen: Some(listener),
            page_size: options.page_size.max(1),
            quirks,
            directory,
            clock: Some(clock),
            ..defaults
        });
        let emulator = started.map_err(CliError::io("start the emulator"))?;
        let url = emulator.url();
        output::note(&format!(
            "emulating Microsoft Graph at {url} with {} users of {DOMAIN}; a whowas.toml for it:\n\n\
             [[tenant]]\nid = \"{tenant}\"\nalias = \"emulated\"\nclient_id = \"{client_id}\"\n\
             credential = {{ secret_env = \"WHOWAS_SECRET\" }}    # export WHOWAS_SECRET={secret}\n\
             graph_url = \"{url}\"\nlogin_url = \"{url}\"\n\n\
             control: {url}/_emulator/clock, /_emulator/act, /_emulator/quirks, /_emulator/requests; stop with ctrl-c",
            options.users
        ));
        output::text(&url)?;
        tokio::signal::ctrl_c().await.map_err(CliError::io("wait for the interrupt"))?;
        emulator.stop().await;
        Ok(Exit::Done)
    })
}
