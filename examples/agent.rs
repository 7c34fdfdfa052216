//! A backup agent that asks whowas before every run: `cargo build && cargo run --example agent`.
//!
//! The agent itself is in `examples/agent/`; `docs/AGENT.md` tells why it does what it does. Here it is let loose on two
//! people, one of whom loses her name to a newcomer: an emulated Microsoft Graph holds their mail, `whowas serve` runs beside
//! it, and in the end every message in every chain is held against what each mailbox really got.
//!
//! `--binary FILE` names the program to start, `--keep FOLDER` leaves what the agent wrote in a folder to look at.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program of the command line")]

#[path = "agent/mod.rs"]
mod agent;
#[path = "agent/stage.rs"]
mod stage;

use std::path::PathBuf;
use std::process::ExitCode;

use agent::story;
use agent::trouble::Trouble;
use stage::Stage;

fn main() -> ExitCode {
    let (binary, keep) = match arguments() {
        Ok(arguments) => arguments,
        Err(why) => {
            eprintln!("{why}\nusage: agent [--binary FILE] [--keep FOLDER]");
            return ExitCode::from(2);
        }
    };
    match tell(binary, keep) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("somebody's mail is not where it belongs");
            ExitCode::FAILURE
        }
        Err(trouble) => {
            eprintln!("failed: {trouble}");
            ExitCode::FAILURE
        }
    }
}

fn tell(binary: PathBuf, keep: Option<PathBuf>) -> Result<bool, Trouble> {
    let stage = Stage::set(binary, keep)?;
    let ending = stage.play()?;
    println!("{}", ending.told.trim_end());
    Ok(ending.strayed == 0 && ending.missing == 0 && story::is_as_expected(&ending))
}

fn arguments() -> Result<(PathBuf, Option<PathBuf>), String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    // The program lies beside the folder of the examples.
    let mut binary = own.ancestors().nth(2).map(|folder| folder.join("whowas")).unwrap_or_default();
    let mut keep = None;
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words.next().ok_or_else(|| format!("{word} wants a value"))?;
        match word.as_str() {
            "--binary" => binary = value.into(),
            "--keep" => keep = Some(value.into()),
            _ => return Err(format!("{word} is unknown")),
        }
    }
    let missing = |_| format!("{} is missing: run cargo build first", binary.display());
    Ok((binary.canonicalize().map_err(missing)?, keep))
}
