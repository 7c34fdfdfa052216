#![allow(warnings, clippy::all)]
#[path = "../benches/world/mod.rs"]
mod world;
use std::time::{Duration, Instant as Clock};
use whowas::domain::verdict::{Ask, Policy};
use whowas::ledger::{KnownAt, Ledger};
use whowas::service::Desk;
use whowas::service::check::{check, check_together};
use whowas::store::sled::*;
use world::{TENANT, World, ask_by_chain, ask_by_name};
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;
fn main() {
    let dir = std::env::args().nth(1).unwrap();
    let kinds = std::env::args().nth(2).unwrap();
    let passes: usize = std::env::args().nth(3).unwrap().parse().unwrap();
    let world = World::new(1_000_000);
    let options =
        SledOptions { cache_capacity_bytes: SERVING_CACHE_CAPACITY_BYTES, ..SledOptions::new("probe", World::now()) };
    let store = SledStore::open(std::path::Path::new(&dir), options).unwrap();
    store.keep_resident(RESIDENT_BYTES);
    while store.fill_resident().unwrap() {}
    let desk = Desk {
        ledger: Ledger::new(store),
        tenant: TENANT,
        policy: Policy { name_max_age: Duration::from_secs(7200), ..Policy::default() },
        clock: whowas::clock::Clock::new(Some(World::now())),
    };
    for (kind, seed, ask) in [("chain", 12, ask_by_chain as fn(u64) -> Ask), ("name", 13, ask_by_name)] {
        if !kinds.contains(kind) {
            continue;
        }
        let asks: Vec<Ask> = world.asked(20_000, seed).into_iter().map(ask).collect();
        let mut one = Vec::new();
        let mut two = Vec::new();
        for _ in 0..passes {
            let b = Clock::now();
            for ask in &asks {
                std::hint::black_box(check(&desk, ask, KnownAt::Now).unwrap());
            }
            one.push(b.elapsed().as_secs_f64() / 20_000. * 1e6);
            let b = Clock::now();
            for batch in asks.chunks(1000) {
                std::hint::black_box(check_together(&desk, batch, KnownAt::Now).unwrap());
            }
            two.push(b.elapsed().as_secs_f64() / 20_000. * 1e6);
        }
        one.sort_by(f64::total_cmp);
        two.sort_by(f64::total_cmp);
        println!(
            "{kind}: one thread min {:.2} median {:.2}; together min {:.2} median {:.2} us",
            one[0],
            one[passes / 2],
            two[0],
            two[passes / 2]
        );
    }
}
