//! The command line. Data goes to standard output, everything else to standard error; exit codes are those of the outer
//! contract, mapped in `error.rs` and nowhere else.

mod args;
mod ask;
mod batch;
mod compact;
mod copies;
mod demo;
mod doctor;
mod emulate;
mod encrypt;
mod error;
mod evidence;
mod export;
mod findings;
mod import;
mod init;
mod integrity;
mod key;
mod lanes;
mod link;
mod log;
mod man;
mod mapping;
mod open;
mod output;
mod people;
mod plan;
mod redact;
mod repair;
mod replay;
mod report;
mod restore;
mod reuse;
mod scenario;
mod serve;
mod snapshots;
mod source;
mod status;
mod sync;
mod token;

use std::path::Path;
use std::process::ExitCode;

use clap::parser::ValueSource;
use clap::{CommandFactory, FromArgMatches};

use crate::clock::Clock;
use crate::config::FILE_NAME;
use args::{Args, Command};
use error::Exit;
use open::App;

/// Runs the program.
pub fn main() -> ExitCode {
    let parsed = Args::command().try_get_matches().and_then(|given| {
        let args = Args::from_arg_matches(&given)?;
        Ok((args, given.value_source("server") == Some(ValueSource::CommandLine)))
    });
    let (args, is_server_said) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => {
            // Help and version are no failures; clap prints them to standard output and all else to standard error.
            let _unprinted = error.print();
            return if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
    };
    log::start(&args.global);
    let alone = works_alone(&args.command);
    match run(args, is_server_said) {
        Ok(exit) => exit.into(),
        Err(error) => {
            let error = match alone {
                Some(name) => error.on_the_ledger(name),
                None => error,
            };
            error.print();
            error.exit().into()
        }
    }
}

fn run(args: Args, is_server_said: bool) -> Result<Exit, error::CliError> {
    let Args { mut global, command } = args;
    if let Some(name) = works_nowhere(&command).filter(|_| global.server.is_some()) {
        // A variable that is set for other commands is no word on this one.
        if is_server_said {
            return Err(error::CliError::usage(format!("--server: `{name}` asks no service; leave it out")));
        }
        global.server = None;
    }
    if global.server.is_some()
        && let Some(why) = not_asked(&command)
    {
        return Err(error::CliError::usage(why));
    }
    match command {
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), "whowas", &mut script);
            output::text(&String::from_utf8_lossy(&script))?;
            return Ok(Exit::Done);
        }
        Command::Man { ref dir } => return man::man(dir.as_deref()),
        Command::Init { ref file } => {
            let named = file.as_deref().or(global.config.as_deref());
            return init::init(named.unwrap_or(Path::new(FILE_NAME)));
        }
        Command::Emulate(options) => return emulate::emulate(&options, Clock::new(global.now)),
        Command::Demo(options) => return demo::demo(&options),
        Command::Scenario(action) => return scenario::scenario(&action, &global),
        Command::Doctor => return doctor::doctor(global),
        Command::VerifyProof(options) => return evidence::verify_proof(&options, &global),
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
        Command::Export(options) => export::export(&app, &options),
        Command::Restore(options) => restore::restore(&app, &options),
        Command::Compact => compact::compact(&app),
        Command::Redact(options) => redact::redact(&app, &options),
        Command::Encrypt(options) => encrypt::encrypt(&app, &options),
        Command::Decrypt => encrypt::decrypt(&app),
        Command::Repair(options) => repair::repair(&app, &options),
        Command::Checkpoint(options) => evidence::checkpoint(&app, &options),
        Command::Prove(action) => evidence::prove(&app, &action),
        Command::Completions { .. }
        | Command::Man { .. }
        | Command::Init { .. }
        | Command::Doctor
        | Command::VerifyProof(_)
        | Command::Emulate(_)
        | Command::Demo(_)
        | Command::Scenario(_) => Ok(Exit::Done),
    }
}

/// Why a command asks no service, if it does not.
fn not_asked(command: &Command) -> Option<String> {
    if let Command::Export(_) = command {
        return Some(export::WHY_NOT_A_SERVICE.to_owned());
    }
    let aside = "and without --server or WHOWAS_SERVER";
    if let Some(name) = works_alone(command) {
        return Some(format!(
            "--server: `{name}` works on the ledger itself: stop the service, run it where the ledger is, {aside}"
        ));
    }
    let name = match command {
        Command::Token(_) => "token",
        Command::Doctor => "doctor",
        Command::Serve(_) => {
            return Some("--server: `serve` is the service itself; leave out --server and WHOWAS_SERVER".to_owned());
        }
        _ => return None,
    };
    Some(format!(
        "--server: `{name}` works on the files beside the ledger: run it where the service runs, which goes on meanwhile, {aside}"
    ))
}

/// The name of a command that opens the ledger and that no service does.
fn works_alone(command: &Command) -> Option<&'static str> {
    Some(match command {
        Command::Import(_) => "import",
        Command::Report(_) => "report",
        Command::Mapping(_) => "mapping",
        Command::Link(_) => "link",
        Command::Export(_) => "export",
        Command::Restore(_) => "restore",
        Command::Compact => "compact",
        Command::Redact(_) => "redact",
        Command::Encrypt(_) => "encrypt",
        Command::Decrypt => "decrypt",
        Command::Verify => "verify",
        Command::Rebuild => "rebuild",
        Command::Repair(_) => "repair",
        Command::Sync(_)
        | Command::Status
        | Command::Check(_)
        | Command::Who(_)
        | Command::History(_)
        | Command::Snapshot(_)
        | Command::Findings(_)
        | Command::Finding(_)
        | Command::Reuse(_)
        | Command::Plan { .. }
        | Command::RestoreCheck(_)
        | Command::Checkpoint(_)
        | Command::Prove(_)
        | Command::Completions { .. }
        | Command::Man { .. }
        | Command::Token(_)
        | Command::Doctor
        | Command::Serve(_)
        | Command::VerifyProof(_)
        | Command::Demo(_)
        | Command::Init { .. }
        | Command::Scenario(_)
        | Command::Emulate(_) => return None,
    })
}

/// The name of a command that has nothing to do with any ledger or service that is there already.
fn works_nowhere(command: &Command) -> Option<&'static str> {
    match command {
        Command::VerifyProof(_) => Some("verify-proof"),
        Command::Demo(_) => Some("demo"),
        Command::Init { .. } => Some("init"),
        Command::Scenario(_) => Some("scenario"),
        Command::Emulate(_) => Some("emulate"),
        _ => None,
    }
}
