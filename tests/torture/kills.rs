//! Kills at any instant: while the ledger is made, opened, written, rebuilt or closed.

use std::time::Duration;

use tempfile::TempDir;

use super::check::{Found, Must, check};
use super::child::{Job, JobKind, Program, kill_after};
use super::dice::Dice;
use super::place;
use super::table::Row;
use super::truth::{Heads, Truth};
use super::{Options, script::TENANTS};

/// After how many commits a directory is left for a new one.
const COMMITS_MAX: u64 = 220;

pub fn kills(options: &Options, program: &Program) -> Row {
    let mut row = Row::new("kill");
    let mut dice = Dice::new(options.seed);
    let mut truth = Truth::new(options.seed);
    let mut place: Option<(TempDir, Heads)> = None;
    for kill in 0..options.kills {
        let (directory, before) = match place.take() {
            Some((directory, heads)) if heads.iter().sum::<u64>() < COMMITS_MAX && !dice.chance(4) => {
                (directory, heads)
            }
            _ => (TempDir::new().unwrap(), [0; TENANTS]),
        };
        let path = directory.path().join("ledger");
        let kind = if path.exists() && dice.chance(8) { JobKind::Rebuild } else { JobKind::Append };
        let job = Job { directory: path.clone(), seed: options.seed, steps: dice.below(60) + 1, kind };
        let since_open = dice.chance(60);
        let most = dice.pick(&[3_000, 20_000, 60_000, 120_000]);
        let pause = Duration::from_micros(dice.below(most));
        let said = kill_after(program.command(&job), since_open, pause);
        let acknowledged = said.acknowledged(before);
        let verify = kill % options.verify_every.max(1) == 0;
        let found = check(&path, &mut truth, Must { acknowledged, more: 1, verify });
        let trial = format!("kill {kill} after {pause:?}");
        row.trials += 1;
        row.count(&trial, &unjustified(found.clone()));
        match found {
            Found::Whole(heads) => {
                row.commits.0 += heads.iter().sum::<u64>() - before.iter().sum::<u64>();
                place = Some((directory, heads));
            }
            _ => place::keep(options, &path, &trial),
        }
        if options.tells && kill % 250 == 249 {
            eprintln!("{} kills", kill + 1);
        }
    }
    // Here it is how many commits came to be.
    row.notes.push(format!("kill: {} commits came to be in it", row.commits.0));
    row.commits = (0, 0);
    row
}

/// A ledger that nothing damaged must open.
pub fn unjustified(found: Found) -> Found {
    match found {
        Found::Told(why) => Found::Broken(format!("refused without a reason: {why}")),
        other => other,
    }
}
