//! Tries what a ledger survives: `cargo run --release --example torture`.
//!
//! `--kills N`, `--faults N`, `--power N` and `--damages N` say how often, `--seed SEED` what is written and how it is struck
//! (where in its work a killed process is struck is up to the machine), `--verify-every N` after how many trials everything is
//! compared, `--keep FOLDER` where directories that did not hold are left. Faults and power losses need strace. The exit code is
//! 1 if anything acknowledged was lost, anything was answered wrong, or anything broke. `docs/DURABILITY.md` says more.

#![cfg_attr(not(target_os = "linux"), allow(unused))]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a tool may stop at the first surprise"
)]
#![expect(clippy::print_stderr, reason = "progress goes to stderr")]
#![allow(dead_code, reason = "dice are thrown in more ways elsewhere")]

#[path = "../tests/torture/mod.rs"]
mod tortured;

use std::process::ExitCode;
use std::time::Instant;

use tortured::{Options, Program, can_trace, play_if_asked, torture};

/// The bytes that copies of a small ledger may take at one time, and some to spare.
const ROOM: u64 = 256 << 20;

fn main() -> ExitCode {
    if play_if_asked() {
        return ExitCode::SUCCESS;
    }
    let options = match arguments() {
        Ok(options) => options,
        Err(why) => {
            eprintln!(
                "{why}\nusage: torture [--seed SEED] [--kills N] [--faults N] [--power N] [--damages N] [--verify-every N] \
                 [--keep FOLDER]"
            );
            return ExitCode::from(2);
        }
    };
    if options.faults + options.power > 0 && !can_trace() {
        eprintln!("faults and power losses need strace; install it, or say --faults 0 --power 0");
        return ExitCode::from(2);
    }
    // On a full disk every trial would end as a fault of the disk does, and say nothing about what was to be tried.
    let folder = std::env::temp_dir();
    let free = fs4::available_space(&folder).unwrap();
    if free < ROOM {
        eprintln!(
            "{} has {} MiB left, and the trials need {}; make room, or set TMPDIR",
            folder.display(),
            free >> 20,
            ROOM >> 20
        );
        return ExitCode::from(2);
    }
    let began = Instant::now();
    // The engine panics on some damaged files, which is caught and told; the panics themselves are no news.
    std::panic::set_hook(Box::new(|_| {}));
    let program = Program { path: std::env::current_exe().unwrap(), arguments: Vec::new() };
    let table = torture(&options, &program);
    println!("seed {}, {} s\n\n{table}", options.seed, began.elapsed().as_secs());
    ExitCode::from(u8::from(!table.is_sound()))
}

fn arguments() -> Result<Options, String> {
    let mut options =
        Options { seed: 1, kills: 200, faults: 50, power: 50, damages: 100, verify_every: 10, keep: None, tells: true };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
        if name == "--keep" {
            options.keep = Some(value.into());
            continue;
        }
        let number = value.replace('_', "").parse().map_err(|_| format!("{name} needs a number"))?;
        *match name.as_str() {
            "--seed" => &mut options.seed,
            "--kills" => &mut options.kills,
            "--faults" => &mut options.faults,
            "--power" => &mut options.power,
            "--damages" => &mut options.damages,
            "--verify-every" => &mut options.verify_every,
            _ => return Err(format!("{name} is not known")),
        } = number;
    }
    Ok(options)
}
