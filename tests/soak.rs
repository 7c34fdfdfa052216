//! A small hostile soak: kills, races and faults of every kind, and a twin without any. `docs/SOAK.md` says what must hold;
//! `cargo run --release --example soak` plays the large one.
#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test may stop at the first surprise"
)]
#![allow(dead_code, reason = "dice are thrown in more ways elsewhere")]

#[path = "soak/mod.rs"]
mod soak;

use std::time::Duration;

use soak::{Options, play};

#[test]
fn kills_races_and_faults_leave_the_timelines_as_they_are_without() {
    let options = Options {
        seed: 1,
        tenants: 4,
        together: 2,
        users: 40,
        hours: 8,
        beats: 100,
        served: Duration::from_secs(6),
        binary: env!("CARGO_BIN_EXE_whowas").into(),
        tells: false,
    };
    let tally = play(&options);
    assert!(tally.is_sound(), "{tally}");
    assert!(tally.kills > 0 && tally.raced > 0 && tally.completed > 30, "too little happened:\n{tally}");
}
