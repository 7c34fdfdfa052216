//! Power losses: only what was synced is sure to be there.

use std::fs;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::check::{Found, Must, check};
use super::child::{Job, JobKind, Program, path_text, run_for};
use super::dice::Dice;
use super::disk::{Disk, Mood};
use super::kills::unjustified;
use super::place;
use super::table::Row;
use super::trace::{Event, events};
use super::truth::{Heads, Truth};
use super::{Options, script::TENANTS};

/// How often the power goes in the course of one run of the process.
const LOSSES: u64 = 12;
const STEPS: u64 = 24;
const PATIENCE: Duration = Duration::from_secs(120);
const CALLS: &str = "trace=openat,write,pwrite64,ftruncate,fsync,fdatasync,rename,unlink,mkdir";

pub fn power(options: &Options, program: &Program) -> Row {
    let mut row = Row::new("power loss");
    let mut dice = Dice::new(options.seed ^ 0x9033);
    let mut truth = Truth::new(options.seed);
    let mut losses = 0;
    let mut base: Option<(TempDir, Heads)> = None;
    while losses < options.power {
        let directory = TempDir::new().unwrap();
        // strace shows paths as the kernel has them.
        let root = directory.path().canonicalize().unwrap();
        let place = root.join("ledger");
        let before = match base.take().filter(|_| dice.chance(60)) {
            Some((old, heads)) => {
                place::copy(old.path(), &place);
                heads
            }
            None => {
                fs::create_dir(&place).unwrap();
                [0; TENANTS]
            }
        };
        let start = Disk::of(&place);
        let log = root.join("log");
        let job =
            Job { directory: place.clone(), seed: options.seed, steps: 1 + dice.below(STEPS), kind: JobKind::Append };
        let plain = program.command(&job);
        let mut traced = Command::new("strace");
        traced.args(["-f", "-qq", "-y", "-xx", "-s", "1100000", "-e", CALLS, "-o", &path_text(&log)]);
        traced.arg(plain.get_program()).args(plain.get_args());
        traced.envs(plain.get_envs().filter_map(|(key, value)| Some((key, value?))));
        run_for(traced, PATIENCE);
        let happened = events(&String::from_utf8_lossy(&fs::read(&log).unwrap()), &place);
        assert!(happened.iter().any(|event| matches!(event, Event::SyncEnds { .. })), "the trace tells of no sync");
        for nth in 0..LOSSES.min(options.power - losses) {
            let mood = dice.pick(&[Mood::Drops, Mood::Keeps, Mood::Tears]);
            // The last one comes when all is done.
            let at = if nth == 0 { happened.len() } else { dice.index(happened.len() + 1) };
            let (left, acknowledged) = lose(&start, &happened[..at], before, mood, &mut dice);
            let verify = losses % options.verify_every.max(1) == 0;
            let found = check(left.path(), &mut truth, Must { acknowledged, more: 1, verify });
            let trial = format!("loss {losses} after {at} of {} calls, {mood:?}", happened.len());
            row.trials += 1;
            row.count(&trial, &unjustified(found.clone()));
            match found {
                Found::Whole(heads) => {
                    if heads.iter().sum::<u64>() < 150 {
                        base = Some((left, heads));
                    }
                }
                _ => {
                    let (left, _) = lose(&start, &happened[..at], before, mood, &mut dice);
                    place::keep(options, left.path(), &trial);
                }
            }
            losses += 1;
        }
        if options.tells {
            eprintln!("{losses} power losses");
        }
    }
    row
}

fn lose(start: &Disk, happened: &[Event], before: Heads, mood: Mood, dice: &mut Dice) -> (TempDir, Heads) {
    let mut disk = start.clone();
    let mut acknowledged = before;
    for event in happened {
        disk.apply(event);
        if let Event::Said(line) = event
            && let Some((tenant, head)) = line.strip_prefix("acknowledged ").and_then(|rest| rest.split_once(' '))
        {
            acknowledged[tenant.parse::<usize>().unwrap()] = head.parse().unwrap();
        }
    }
    let left = TempDir::new().unwrap();
    disk.after_power_loss(left.path(), mood, dice);
    (left, acknowledged)
}
