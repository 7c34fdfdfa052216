//! Soaks the program in everything that goes wrong: `cargo build --release && cargo run --release --example soak`.
//!
//! `--seed SEED` replays what happens in the directories, how they misbehave, and when whom is struck; where in its work a
//! process is struck is up to the machine. `--tenants N`, `--hours H`, `--beats N`, `--served SECONDS`, `--users N` and `--together N` make
//! it larger or smaller, `--binary FILE` names the program.
//! `docs/SOAK.md` says more.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a tool may stop at the first surprise"
)]
#![expect(clippy::print_stderr, reason = "progress goes to stderr")]
// What the simulator needs of what they share.
#![allow(dead_code, reason = "dice are thrown in more ways elsewhere")]

#[path = "../tests/soak/mod.rs"]
mod soak;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use soak::{Options, play};

fn main() -> ExitCode {
    let options = match arguments() {
        Ok(options) => options,
        Err(why) => {
            eprintln!(
                "{why}\nusage: soak [--seed SEED] [--tenants N] [--hours H] [--beats N] [--served SECONDS] [--users N] [--together N] [--binary FILE]"
            );
            return ExitCode::from(2);
        }
    };
    let began = Instant::now();
    let tally = play(&options);
    println!("seed {}, {} s\n\n{tally}", options.seed, began.elapsed().as_secs());
    ExitCode::from(u8::from(!tally.is_sound()))
}

fn arguments() -> Result<Options, String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    // The program lies beside the folder of the examples.
    let binary = own.ancestors().nth(2).map(|folder| folder.join("whowas")).unwrap_or_default();
    let mut options = Options {
        seed: 1,
        tenants: 50,
        together: 10,
        users: 100,
        hours: 24,
        beats: 120,
        served: Duration::from_secs(40),
        binary,
        tells: true,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words.next().ok_or_else(|| format!("{word} wants a value"))?;
        let number = || value.parse::<u64>().map_err(|error| format!("{word} {value}: {error}"));
        let count = || number().and_then(|number| usize::try_from(number.max(1)).map_err(|error| error.to_string()));
        match word.as_str() {
            "--seed" => options.seed = number()?,
            "--tenants" => options.tenants = count()?,
            "--together" => options.together = count()?,
            "--users" => options.users = count()?,
            "--hours" => options.hours = number()?,
            "--beats" => options.beats = number()?,
            "--served" => options.served = Duration::from_secs(number()?),
            "--binary" => options.binary = value.into(),
            _ => return Err(format!("{word} is unknown")),
        }
    }
    // The processes run elsewhere.
    let missing = |_| format!("{} is missing: cargo build, with --release as here", options.binary.display());
    options.binary = options.binary.canonicalize().map_err(missing)?;
    Ok(options)
}
