//! A delta round of a hundred changes in this ledger and in one of ten thousand users, in turn; and the ledger compacted.

use std::time::Instant as Clock;

use whowas::ledger::Ledger;

use crate::budgets::figure;
use crate::world::{TENANT, World, stamp};
use crate::{Settings, bytes_below, serving_in, store};

const SMALL: u64 = 10_000;
const ROUNDS: u64 = 60;
const CHANGES: usize = 100;

pub fn delta(settings: &Settings, world: World) {
    let dir = settings.dir.join("small");
    let small = (Ledger::new(serving_in(settings, &dir)), World::new(SMALL), "delta small");
    small.1.load(&small.0);
    let large = (Ledger::new(serving_in(settings, &settings.dir.join("ledger"))), world, "delta");
    let mut times: [Vec<f64>; 2] = Default::default();
    for nth in 0..ROUNDS {
        for ((ledger, world, _), times) in [&small, &large].into_iter().zip(&mut times) {
            let users = world.anyone(CHANGES, 1_000 + nth);
            let (batch, now) = World::delta_round(users.into_iter(), nth);
            let start = Clock::now();
            ledger.append(TENANT, batch, stamp(now, 1_000_000 + nth)).unwrap();
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    for ((_, _, name), mut times) in [small, large].into_iter().zip(times) {
        times.sort_by(f64::total_cmp);
        figure(name, times[times.len() / 2]);
    }
    std::fs::remove_dir_all(&dir).unwrap();
}

pub fn compact(settings: &Settings, world: World) {
    let done = store(settings).compact(&mut |_| {}).unwrap();
    let users = world.users as f64;
    figure("compacted", bytes_below(&settings.dir.join("ledger")) as f64 / users);
    figure("record bytes", done.record_bytes as f64 / users);
    eprintln!("compacted: {done:?}");
}
