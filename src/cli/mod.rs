//! The command line. Data goes to standard output, everything else to standard error; exit codes are those of the outer
//! contract, mapped in `error.rs` and nowhere else.

mod args;
mod ask;
mod batch;
mod demo;
mod doctor;
mod emulate;
mod error;
mod findings;
mod import;
mod init;
mod integrity;
mod lanes;
mod link;
mod mapping;
mod open;
mod output;
mod people;
mod plan;
mod report;
mod reuse;
mod scenario;
mod serve;
mod snapshots;
mod status;
mod sync;
mod token;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::clock::Clock;
use args::{Args, Command};
use error::Exit;
use open::App;

/// Runs the program.
pub fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // Help and version are no failures; clap prints them to standard output and all else to standard error.
            let _unprinted = error.print();
            return if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
    };
    start_log(args.global.verbose, args.global.quiet);
    match run(args) {
        Ok(exit) => exit.into(),
        Err(error) => {
            error.print();
            error.exit().into()
        }
    }
}

fn run(args: Args) -> Result<Exit, error::CliError> {
    let Args { global, command } = args;
    match command {
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Args::command(), "whowas", &mut std::io::stdout());
            return Ok(Exit::Done);
        }
        Command::Init { ref file } => return init::init(file),
        Command::Emulate(options) => return emulate::emulate(&options, Clock::new(global.now)),
        Command::Demo(options) => return demo::demo(&options, &global),
        Command::Scenario(action) => return scenario::scenario(&action, &global),
        Command::Doctor => return doctor::doctor(global),
        _ => {}
    }
    let app = App::new(global)?;
    match command {
        Command::Sync(options) => sync::sync(&app, &options),
        Command::Serve(options) => serve::serve(app, &options),
        Command::Token(action) => token::token(&app, action),
        Command::Status => status::status(&app),
        Command::Check(options) => ask::check(&app, &options),
        Command::Who(options) => ask::who(&app, &options),
        Command::History(options) => ask::history(&app, &options),
        Command::Snapshot(action) => snapshots::snapshot(&app, action),
        Command::Findings(options) => findings::findings(&app, &options),
        Command::Finding(action) => findings::finding(&app, action),
        Command::Reuse(options) => reuse::reuse(&app, &options),
        Command::Link(action) => link::link(&app, action),
        Command::Mapping(action) => mapping::mapping(&app, &action),
        Command::Plan { chain } => plan::plan(&app, &chain),
        Command::RestoreCheck(options) => plan::restore_check(&app, options),
        Command::Import(options) => import::run(&app, &options),
        Command::Report(options) => report::report(&app, &options),
        Command::Verify => integrity::verify(&app),
        Command::Rebuild => integrity::rebuild(&app),
        Command::Completions { .. }
        | Command::Init { .. }
        | Command::Doctor
        | Command::Emulate(_)
        | Command::Demo(_)
        | Command::Scenario(_) => Ok(Exit::Done),
    }
}

fn start_log(verbose: u8, quiet: bool) {
    let level = match (quiet, verbose) {
        (true, _) => "error",
        (false, 0) => "warn",
        (false, 1) => "whowas=info,warn",
        (false, _) => "whowas=debug,info",
    };
    let filter = tracing_subscriber::EnvFilter::new(level);
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(output::is_drawn())
        .with_target(false)
        .init();
}
