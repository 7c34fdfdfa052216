//! Damage to the files at rest: whatever it is, it is named, or harmless; and what is proved comes back.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use whowas::ledger::{Ledger, LedgerError, Stamp};
use whowas::service::mend::{Mend, mend as repaired};
use whowas::store::StoreError;
use whowas::store::sled::{RepairHow, RepairOutcome, SledStore, is_hanging, repair};

use super::check::{Found, Must, check};
use super::child::{Job, JobKind, Program, kill_after, one_line, options as store_options, run_for};
use super::dice::Dice;
use super::place;
use super::script::{self, TENANTS};
use super::table::Row;
use super::truth::{Heads, Truth};
use super::{Options, check};

const PATIENCE: Duration = Duration::from_secs(120);

/// Ledgers that damage is done to.
struct Originals {
    /// As it was some commits before.
    older: (TempDir, Heads),
    /// Closed well.
    closed: (TempDir, Heads),
    /// Killed while it was written.
    killed: (TempDir, Heads),
    /// Another ledger.
    other: TempDir,
}

pub fn damages(options: &Options, program: &Program) -> Vec<Row> {
    let mut rows: Vec<Row> = KINDS.iter().map(|kind| Row::new(&format!("damage: {kind}"))).collect();
    let mut dice = Dice::new(options.seed ^ 0xda3a);
    let mut truth = Truth::new(options.seed);
    let originals = make(options, program);
    for nth in 0..options.damages {
        let kind = usize::try_from(nth).unwrap() % KINDS.len();
        let (original, heads) = match dice.chance(50) {
            true => &originals.closed,
            false => &originals.killed,
        };
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("ledger");
        place::copy(original.path(), &path);
        let what = match kind {
            LIVE => live_copy(options, program, &path, *heads),
            _ => damage(&mut dice, kind, &path, &originals).map(|what| (what, *heads)),
        };
        let Some((what, heads)) = what else { continue };
        let kept = options.keep.as_ref().map(|_| place::copied(&path));
        let trial = format!("{nth}: {what}");
        let row = &mut rows[kind];
        row.trials += 1;
        // Whoever copies a ledger while it is written may get more than was acknowledged when the copying began; and what was killed
        // may have one commit more than was acknowledged, which nothing has noted.
        let more = if kind == LIVE { 1_000 } else { 1 };
        let found = check(&path, &mut truth, Must { acknowledged: heads, more, verify: true });
        row.count(&trial, &found);
        if is_hanging() {
            // It was given up and told; but nothing more can be tried in this process.
            row.notes.push(format!(
                "{trial}: the engine hangs, so the {} trials after it were not made",
                options.damages - nth - 1
            ));
            break;
        }
        // What was opened and refused, not a copy of before: who finds the damage must not make it worse.
        if let Found::Told(_) = found {
            mend(row, &trial, &path, &mut truth, heads, more);
        }
        if let Some(kept) = kept.filter(|_| !row.is_sound()) {
            place::keep(options, kept.path(), &trial);
        }
        if options.tells && nth % 50 == 49 {
            eprintln!("{} damages", nth + 1);
        }
    }
    rows.retain(|row| row.trials > 0);
    rows
}

const KINDS: [&str; 9] = [
    "flipped bit",
    "bytes overwritten",
    "page zeroed",
    "tail cut off",
    "file missing",
    "older file put back",
    "file of another ledger",
    "copied while written",
    "tail of garbage",
];
const LIVE: usize = 7;

fn make(options: &Options, program: &Program) -> Originals {
    let run = |path: &Path, seed, steps, before| {
        let job = Job { directory: path.to_owned(), seed, steps, kind: JobKind::Append };
        run_for(program.command(&job), PATIENCE).acknowledged(before)
    };
    let none: Heads = [0; TENANTS];
    let older = TempDir::new().unwrap();
    let heads = run(older.path(), options.seed, 70, none);
    let closed = place::copied(older.path());
    let closed_heads = run(closed.path(), options.seed, 70, heads);
    let killed = place::copied(older.path());
    let job = Job { directory: killed.path().to_owned(), seed: options.seed, steps: 1_000, kind: JobKind::Append };
    let said = kill_after(program.command(&job), true, Duration::from_millis(700));
    let killed_heads = said.acknowledged(heads);
    let other = TempDir::new().unwrap();
    run(other.path(), options.seed ^ 1, 300, none);
    // It is looked at once, on a copy.
    let mut truth = Truth::new(options.seed);
    let must = Must { acknowledged: killed_heads, more: 1, verify: false };
    let found = check(place::copied(killed.path()).path(), &mut truth, must);
    let Found::Whole(_) = found else { panic!("{found:?}") };
    Originals { older: (older, heads), closed: (closed, closed_heads), killed: (killed, killed_heads), other }
}

/// Most of the damage is done where most of the bytes are.
fn victim(dice: &mut Dice, path: &Path) -> PathBuf {
    let files = place::files(path);
    if dice.chance(60) {
        return PathBuf::from("engine/db");
    }
    files[dice.index(files.len())].clone()
}

fn damage(dice: &mut Dice, kind: usize, path: &Path, originals: &Originals) -> Option<String> {
    let file = victim(dice, path);
    let shown = file.display().to_string();
    let place = path.join(&file);
    let mut bytes = fs::read(&place).unwrap();
    let mut at = dice.index(bytes.len().max(1));
    // Most of a small ledger's file is empty: half of the time it is struck where something stands.
    if dice.chance(70)
        && let Some(next) = bytes.iter().skip(at).position(|byte| *byte != 0)
    {
        at += next;
    }
    let mut what = format!("{} of {shown} at {at} of {}", KINDS[kind], bytes.len());
    match kind {
        0 => *bytes.get_mut(at)? ^= 1 << dice.below(8),
        1 => {
            let count = 1 + dice.index(64);
            bytes.iter_mut().skip(at).take(count).for_each(|byte| *byte = dice.next().to_le_bytes()[0]);
        }
        2 => {
            let page = at / 4096 * 4096;
            bytes.iter_mut().skip(page).take(4096).for_each(|byte| *byte = 0);
        }
        3 => bytes.truncate(at),
        4 => {
            fs::remove_file(&place).unwrap();
            return Some(what);
        }
        5 | 6 => {
            let from = if kind == 5 { originals.older.0.path() } else { originals.other.path() };
            // Snapshots of the engine have other names each time.
            let theirs = place::files(from).into_iter().find(|theirs| alike(theirs) == alike(&file))?;
            what = format!("{} ({shown})", KINDS[kind]);
            if theirs != file {
                fs::remove_file(&place).unwrap();
            }
            fs::copy(from.join(&theirs), path.join(&theirs)).unwrap();
            return Some(what);
        }
        _ => (0..1 + dice.index(2_000)).for_each(|_| bytes.push(dice.next().to_le_bytes()[0])),
    }
    fs::write(&place, bytes).unwrap();
    Some(what)
}

fn alike(path: &Path) -> String {
    let text = path.display().to_string();
    text.split_once("snap.").map_or(text.clone(), |(before, _)| format!("{before}snap"))
}

/// Copies the directory while somebody writes; what was acknowledged before the copy began must be there, or missed.
fn live_copy(options: &Options, program: &Program, path: &Path, heads: Heads) -> Option<(String, Heads)> {
    let job = Job { directory: path.to_owned(), seed: options.seed, steps: 100_000, kind: JobKind::Append };
    let mut copies = Vec::new();
    let said = std::thread::scope(|scope| {
        let copying = scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(150));
            place::copied(path)
        });
        let said = kill_after(program.command(&job), true, Duration::from_millis(500));
        copies.push(copying.join().unwrap());
        said
    });
    let _ = said;
    let copy = copies.pop()?;
    fs::remove_dir_all(path).unwrap();
    place::copy(copy.path(), path);
    Some(("copied while it was written".to_owned(), heads))
}

/// Whether an error says that there is nothing to bring back.
fn is_hopeless(error: &StoreError) -> bool {
    matches!(error, StoreError::NewerFormat { .. } | StoreError::Damaged { .. } | StoreError::NotALedger { .. })
}

/// Repairs what was told to be damaged, and compares.
fn mend(row: &mut Row, trial: &str, path: &Path, truth: &mut Truth, heads: Heads, more: u64) {
    let wanted = Mend {
        path,
        options: store_options("repair"),
        how: RepairHow::default(),
        erasure_key: None,
        stamp: Stamp { now: script::time(0), salt: [0; 16] },
    };
    let mended = catch_unwind(AssertUnwindSafe(|| repaired(&wanted, &mut |_, _| ())));
    let report = match mended {
        Ok(Ok(mended)) => mended.report,
        Ok(Err(error)) => {
            // A newer format, or no commit left at all: then there is nothing to be done, and it says so without doing anything as well.
            let only_looked = RepairHow { dry_run: true, ..RepairHow::default() };
            let hopeless = repair(path, &wanted.options, only_looked, |_| ()).err();
            let LedgerError::Store(said) = &error else { unreachable!("a repair fails in the store: {error}") };
            if !is_hopeless(said) || !hopeless.is_some_and(|error| is_hopeless(&error)) || path.join("repair").exists()
            {
                return row.fault(trial, "broken", &format!("repair: {}", one_line(&error)), |row| &mut row.broken);
            }
            if row.notes.is_empty() {
                row.notes.push(format!("{trial}: {}", one_line(&error)));
            }
            return;
        }
        Err(_) => return row.fault(trial, "broken", "repair panicked", |row| &mut row.broken),
    };
    let all: u64 = heads.iter().sum();
    let ledger = match SledStore::open(path, store_options("torture")) {
        Ok(store) => Ledger::new(store),
        Err(error) => {
            let why = format!("the repaired ledger ({report:?}) does not open: {}", one_line(&error));
            return row.fault(trial, "broken", &why, |row| &mut row.broken);
        }
    };
    let now: Heads = std::array::from_fn(|tenant| ledger.head(script::tenant(tenant)).unwrap().sequence.0);
    let back: u64 = now.iter().sum();
    let fewer = std::array::from_fn(|tenant| now[tenant].min(heads[tenant]));
    let found = check::compare(&ledger, truth, Must { acknowledged: fewer, more, verify: true });
    match found {
        Found::Whole(_) => row.repaired += 1,
        Found::Told(why) | Found::Lost(why) | Found::Wrong(why) | Found::Broken(why) => {
            row.fault(trial, "wrong", &format!("after repair: {why}"), |row| &mut row.wrong);
        }
    }
    row.commits.0 += back.min(all);
    row.commits.1 += all;
    if back < all && report.lost < all - back {
        let why = format!("repair brought back {back} of {all}, and says that {} are lost", report.lost);
        row.fault(trial, "lost", &why, |row| &mut row.lost);
    }
    if report.outcome == RepairOutcome::Repairable {
        row.fault(trial, "broken", "repair did nothing", |row| &mut row.broken);
    }
}
