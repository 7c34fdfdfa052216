//! A small torture of the ledger: kills, faults, power losses, damage. `docs/DURABILITY.md` says what must hold;
//! `cargo run --release --example torture` tries much more.
//!
//! The process that is struck is this same program again, with its job in a variable.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "these are tests"
)]
#![allow(dead_code, reason = "dice are thrown in more ways elsewhere")]

mod common;
#[path = "torture/mod.rs"]
mod tortured;

use tortured::{Options, Program, Table, can_attach, can_trace, play_if_asked, torture};

const NOTHING: Options =
    Options { seed: 1, kills: 0, faults: 0, power: 0, damages: 0, verify_every: 5, keep: None, tells: false };

fn program() -> Program {
    let arguments = ["--exact", "child", "--nocapture", "--test-threads=1"].map(str::to_owned).to_vec();
    Program { path: std::env::current_exe().unwrap(), arguments }
}

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |text| text.parse().unwrap())
}

fn tried(options: &Options) -> Table {
    let table = torture(options, &program());
    eprintln!("{table}");
    assert!(table.is_sound(), "{table}");
    table
}

/// Not a test of its own: what the other process does.
#[test]
fn child() {
    play_if_asked();
}

#[test]
fn nothing_acknowledged_is_lost_by_kills() {
    let table = tried(&Options { kills: number("WHOWAS_KILLS", 25), ..NOTHING });
    assert!(table.rows.iter().all(|row| row.whole == row.trials), "{table}");
}

#[test]
fn after_a_failed_write_nothing_more_is_written_and_everything_is_answered() {
    if !can_trace() {
        common::skip("faults of the disk: strace is not installed; `.ci/install`, or apt-get install strace");
        return;
    }
    if !can_attach() {
        common::skip(
            "pages that cannot be read: strace may not attach to a process that runs; be root, or sysctl kernel.yama.ptrace_scope=0",
        );
    }
    let table = tried(&Options { faults: number("WHOWAS_FAULTS", 20), ..NOTHING });
    assert!(table.rows.iter().any(|row| row.told > 0), "no fault ever showed:\n{table}");
}

#[test]
fn what_was_acknowledged_survives_a_power_loss() {
    if !can_trace() {
        common::skip("power losses: strace is not installed; `.ci/install`, or apt-get install strace");
        return;
    }
    tried(&Options { power: number("WHOWAS_POWER_LOSSES", 12), ..NOTHING });
}

#[test]
fn damage_is_named_and_what_is_proved_comes_back() {
    let table = tried(&Options { damages: number("WHOWAS_DAMAGES", 27), ..NOTHING });
    let told: u64 = table.rows.iter().map(|row| row.told).sum();
    let repaired: u64 = table.rows.iter().map(|row| row.repaired).sum();
    assert!(told > 5 && repaired > 5, "hardly any damage showed:\n{table}");
}

/// All of it again, with what it writes encrypted.
#[test]
fn an_encrypted_ledger_survives_the_same() {
    let variable = tortured::child::ENCRYPTED_VARIABLE;
    if std::env::var_os(variable).is_some() {
        return;
    }
    let mut again = std::process::Command::new(std::env::current_exe().unwrap());
    // What is tried by tracing takes long, and is no different.
    again.args(["--exact", "nothing_acknowledged_is_lost_by_kills", "damage_is_named_and_what_is_proved_comes_back"]);
    let ran = again.args(["--nocapture", "--test-threads=1"]).env(variable, "1").output().unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    eprintln!("{said}");
    assert!(ran.status.success() && String::from_utf8_lossy(&ran.stdout).contains("2 passed"), "{said}");
}
