//! Plays random worlds against the ledger and prints how it did: `cargo run --release --example worlds -- --seeds 10000`.
//!
//! `--first SEED` begins elsewhere, `--threads N` uses so many threads, and `--seed SEED --trace` replays one world and
//! prints what happened in it. `--every N` scores after every N commits, `--go-on` does not stop at the first wrong world. A world in which something is wrong is shrunk and printed. `docs/WORLDS.md` says more.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a tool may stop at the first surprise"
)]
#![expect(clippy::print_stderr, reason = "progress goes to stderr")]

#[path = "../tests/world/mod.rs"]
mod world;

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant as Clock;

use world::score::Fault;
use world::shrink::shrink;
use world::{Options, Script, Tally, play};

/// How many lines of a shrunk world are printed.
const LINES_MAX: usize = 120;
/// How often everything is scored: after so many commits.
const SCORE_EVERY: u64 = 60;

struct Arguments {
    seeds: u64,
    first: u64,
    seed: Option<u64>,
    trace: bool,
    threads: usize,
    go_on: bool,
    every: u64,
}

fn main() -> ExitCode {
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(why) => {
            eprintln!(
                "{why}\nusage: worlds [--seeds N] [--first SEED] [--seed SEED [--trace]] [--threads N] [--every COMMITS] [--go-on]"
            );
            return ExitCode::from(2);
        }
    };
    match arguments.seed {
        Some(seed) => one(seed, arguments.trace, arguments.every),
        None => many(&arguments),
    }
}

fn arguments() -> Result<Arguments, String> {
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let mut found =
        Arguments { seeds: 200, first: 0, seed: None, trace: false, threads, go_on: false, every: SCORE_EVERY };
    let mut given = std::env::args().skip(1);
    while let Some(flag) = given.next() {
        let mut number = || -> Result<u64, String> {
            let text = given.next().ok_or_else(|| format!("{flag} needs a number"))?;
            text.parse().map_err(|_| format!("{flag} needs a number, not {text:?}"))
        };
        match flag.as_str() {
            "--seeds" => found.seeds = number()?,
            "--first" => found.first = number()?,
            "--seed" => found.seed = Some(number()?),
            "--threads" => found.threads = usize::try_from(number()?).map_err(|error| error.to_string())?.max(1),
            "--every" => found.every = number()?.max(1),
            "--trace" => found.trace = true,
            "--go-on" => found.go_on = true,
            _ => return Err(format!("{flag} is no option")),
        }
    }
    Ok(found)
}

/// Replays one world, with audits and without.
fn one(seed: u64, trace: bool, every: u64) -> ExitCode {
    let script = Script::of(seed);
    println!("world {seed}: {:?}", script.knobs);
    for (number, plan) in script.agents.iter().enumerate() {
        println!("agent {number}: {plan:?}");
    }
    let mut code = ExitCode::SUCCESS;
    for audits in [true, false] {
        let outcome = play(&script, Options { audits, score_every: every, trace });
        println!("{} audits:", if audits { "with" } else { "without" });
        outcome.trace.iter().for_each(|line| println!("{line}"));
        if let Some(fault) = outcome.fault {
            println!("WRONG {fault}");
            if !trace {
                explain(seed, audits, &fault);
            }
            code = ExitCode::FAILURE;
        } else {
            print!("{}", Tally::table(&[("this world", &outcome.tally)]));
        }
    }
    code
}

fn many(arguments: &Arguments) -> ExitCode {
    let begun = Clock::now();
    let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let sums = Mutex::new([Tally::default(), Tally::default()]);
    let faults: Mutex<Vec<(u64, bool, Fault)>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..arguments.threads {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let nth = next.fetch_add(1, Ordering::Relaxed);
                    if nth >= arguments.seeds {
                        return;
                    }
                    let script = Script::of(arguments.first + nth);
                    for audits in [true, false] {
                        let outcome = play(&script, Options { audits, score_every: arguments.every, trace: false });
                        sums.lock().unwrap()[usize::from(!audits)].add(&outcome.tally);
                        if let Some(fault) = outcome.fault {
                            eprintln!("world {}: {fault}", script.seed);
                            faults.lock().unwrap().push((script.seed, audits, fault));
                            stop.store(!arguments.go_on, Ordering::Relaxed);
                            break;
                        }
                    }
                    if (nth + 1).is_multiple_of(500) {
                        eprintln!("{} worlds, {:.0} s", nth + 1, begun.elapsed().as_secs_f64());
                    }
                }
            });
        }
    });
    let sums = sums.into_inner().unwrap();
    print!("{}", Tally::table(&[("with audits", &sums[0]), ("without", &sums[1])]));
    println!("{} worlds in {:.1} s on {} threads", sums[0].worlds, begun.elapsed().as_secs_f64(), arguments.threads);
    let mut faults = faults.into_inner().unwrap();
    faults.sort_by_key(|(seed, ..)| *seed);
    println!("wrong: {}", faults.len());
    for wrong in faults.iter().map(|(.., fault)| fault.wrong).collect::<std::collections::BTreeSet<_>>() {
        let seeds: Vec<u64> = faults.iter().filter(|(.., f)| f.wrong == wrong).map(|(seed, ..)| *seed).collect();
        println!("  {wrong:?}: {} worlds, such as {:?}", seeds.len(), &seeds[..seeds.len().min(8)]);
    }
    let Some((seed, audits, fault)) = faults.first() else { return ExitCode::SUCCESS };
    explain(*seed, *audits, fault);
    ExitCode::FAILURE
}

/// Makes a wrong world small and prints it.
fn explain(seed: u64, audits: bool, fault: &Fault) {
    println!("world {seed} ({} audits) is wrong: {fault}", if audits { "with" } else { "without" });
    let options = Options { audits, score_every: 1, trace: false };
    // Scoring seldom is fast while the world is large; scoring after every commit finds the smallest.
    let rough = shrink(&Script::of(seed), Options { score_every: SCORE_EVERY, ..options }, fault.wrong);
    let small = shrink(&rough, options, fault.wrong);
    let outcome = play(&small, Options { trace: true, ..options });
    println!("shrunk to {} steps ({:?}):", small.steps.len(), small.knobs);
    let skipped = outcome.trace.len().saturating_sub(LINES_MAX);
    outcome.trace.iter().skip(skipped).for_each(|line| println!("  {line}"));
    println!("replay it: cargo run --example worlds -- --seed {seed} --trace");
}
