//! A reader of one tenant while another tenant is synced for the first time into the same ledger; and the same reads of the
//! engine alone beside the same pages.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant as Clock};

use whowas::domain::id::TenantId;
use whowas::domain::verdict::Ask;
use whowas::ledger::Ledger;

use crate::budgets::figure;
use crate::first::{self, Alone};
use crate::world::raw::{self, Read, Recording};
use crate::world::{World, ask_by_chain, stamp};
use crate::{ASKS, Settings, check, seconds, serving_in, store};

/// How long the reader is alone, and at least how long the other tenants are synced beside it.
const LASTS: Duration = Duration::from_secs(20);

pub fn run(settings: &Settings, world: World) {
    let (original, copy) = (settings.dir.join("ledger"), settings.dir.join("beside"));
    let asks: Vec<Ask> = world.asked(ASKS, 21).into_iter().map(ask_by_chain).collect();
    let reads = reads(settings, &asks);

    raw::copy_directory(&original, &copy);
    let ledger = Ledger::new(serving_in(settings, &copy));
    let read = |nth: usize| drop(std::hint::black_box(check(&ledger, &asks[nth % ASKS])));
    let sync = |tenant: TenantId, is_late: &dyn Fn() -> bool| {
        let mut pages = 0;
        world.first_pages(|batch, now| {
            if !is_late() {
                ledger.append(tenant, batch, stamp(now, pages)).unwrap();
                pages += 1;
            }
        });
        pages
    };
    tell("", read, sync);
    drop(ledger);
    std::fs::remove_dir_all(&copy).unwrap();

    raw::copy(&original, &copy);
    let pages = first::pages(settings, world);
    let alone = Alone::open(&copy, settings.cache_capacity_bytes);
    let read = |nth: usize| _ = std::hint::black_box(raw::replay(alone.db(), &reads[nth % ASKS]));
    let sync = |tenant: TenantId, is_late: &dyn Fn() -> bool| {
        let on_time = pages.iter().take_while(|_| !is_late());
        on_time.map(|page| alone.commit(first::batch(page, tenant))).count() as u64
    };
    tell("engine ", read, sync);
    drop(alone);
    std::fs::remove_dir_all(&copy).unwrap();
}

/// What each ask reads of the engine.
fn reads(settings: &Settings, asks: &[Ask]) -> Vec<Vec<Read>> {
    let (recording, notes) = Recording::new(store(settings));
    notes.record(true);
    let recorded = Ledger::new(recording);
    let read = |ask| {
        drop(check(&recorded, ask));
        notes.take()
    };
    asks.iter().map(read).collect()
}

/// Times the reader alone and beside the syncs of as many new tenants as fit into the time.
fn tell(whose: &str, read: impl Fn(usize) + Sync, sync: impl Fn(TenantId, &dyn Fn() -> bool) -> u64) {
    // Nobody asks a ledger that was opened just now.
    (0..ASKS).for_each(&read);
    let stop = AtomicBool::new(false);
    let quiet = {
        let begun = Clock::now();
        Tail::of(&read, &|| begun.elapsed() < LASTS)
    };
    let beside = std::thread::scope(|scope| {
        let reader = scope.spawn(|| Tail::of(&read, &|| !stop.load(Ordering::Relaxed)));
        let (begun, mut pages, mut tenant) = (Clock::now(), 0, 0_u128);
        // One that is large is broken off at three times the time.
        let is_late = || begun.elapsed() > LASTS * 3;
        while begun.elapsed() < LASTS {
            tenant += 1;
            pages += sync(TenantId::from_bytes(tenant.to_be_bytes()), &is_late);
        }
        eprintln!("{whose}beside: {:.1} pages/s", pages as f64 / seconds(begun));
        stop.store(true, Ordering::Relaxed);
        reader.join().unwrap()
    });
    for (when, tail) in [("quiet", quiet), ("beside", beside)] {
        eprintln!("{whose}{when}: {} asks, {tail:?}", tail.asks);
        let parts =
            [("mean", tail.mean), ("p50", tail.p50), ("p99", tail.p99), ("p99.9", tail.p999), ("worst", tail.worst)];
        for (part, value) in parts {
            figure(&format!("{whose}{when} {part}"), value);
        }
    }
}

/// Times of asks put one directly after the other, in microseconds.
#[derive(Debug)]
struct Tail {
    asks: usize,
    /// Shows what the percentiles hide: one stalled ask may last as long as a thousand others.
    mean: f64,
    p50: f64,
    p99: f64,
    p999: f64,
    worst: f64,
}

impl Tail {
    fn of(read: &dyn Fn(usize), goes_on: &dyn Fn() -> bool) -> Self {
        let mut times = Vec::new();
        while goes_on() {
            let start = Clock::now();
            read(times.len());
            times.push(start.elapsed().as_nanos() as f64 / 1e3);
        }
        times.sort_by(f64::total_cmp);
        let mean = times.iter().sum::<f64>() / times.len() as f64;
        let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
        Self { asks: times.len(), mean, p50: at(0.5), p99: at(0.99), p999: at(0.999), worst: at(1.0) }
    }
}
