//! Random tenants with perfect knowledge, and a ledger that must never be certain of what is false. `docs/WORLDS.md` says
//! what is modelled and how it is scored.
//!
//! `WHOWAS_WORLDS=2000 cargo test --test worlds` plays more worlds. `cargo run --release --example worlds` prints the table.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

mod world;

#[path = "world/found.rs"]
mod found;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use world::{Options, Script, Tally, play};

/// Worlds that once showed a wrong answer.
const RECORDED: &[u64] = &[4_705];

fn count() -> u64 {
    std::env::var("WHOWAS_WORLDS").map_or(150, |worlds| worlds.parse().unwrap())
}

/// Plays the worlds of these seeds on all processors.
fn played(seeds: &[u64], audits: bool) -> Tally {
    let (next, sum) = (AtomicU64::new(0), Mutex::new(Tally::default()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while let Some(seed) = seeds.get(usize::try_from(next.fetch_add(1, Ordering::Relaxed)).unwrap()) {
                    let options = Options { audits, score_every: 40, trace: false };
                    let outcome = play(&Script::of(*seed), options);
                    if let Some(fault) = outcome.fault {
                        panic!("world {seed}, audits {audits}: {fault}\nreplay it: cargo run --example worlds -- --seed {seed} --trace");
                    }
                    sum.lock().unwrap().add(&outcome.tally);
                }
            });
        }
    });
    sum.into_inner().unwrap()
}

#[test]
fn no_world_makes_the_ledger_certain_of_what_is_false() {
    let seeds: Vec<u64> = RECORDED.iter().copied().chain(0..count()).collect();
    let (with, without) = (played(&seeds, true), played(&seeds, false));
    let table = Tally::table(&[("with audits", &with), ("without", &without)]);
    for tally in [&with, &without] {
        assert!(
            tally.fewest_changes >= 200 && tally.fewest_snapshots >= 100,
            "too little happens in some world:\n{table}"
        );
        assert!(
            tally.certain > 0 && tally.mixed_found_critical > 0 && tally.allowed > 0,
            "nothing is proved:\n{table}"
        );
        assert!(tally.keyed_by_name_worlds * 2 > tally.worlds, "the baseline hardly mixes:\n{table}");
        assert!(tally.crisp_worlds * 2 > tally.worlds, "the crisp baseline is hardly wrong:\n{table}");
        assert_eq!(tally.unsettled, 0, "{table}");
    }
    assert!(with.certain > without.certain, "audits tell nothing:\n{table}");
}

#[test]
fn a_world_is_the_same_each_time_it_is_played() {
    let options = Options { audits: true, score_every: 40, trace: true };
    let (first, second) = (play(&Script::of(7), options), play(&Script::of(7), options));
    assert!(first.trace.len() > 500);
    assert!(first.trace == second.trace);
}
