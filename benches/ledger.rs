//! A user's questions, put to the ledger, to the engine alone and to SQLite in one run.
//!
//! `WHOWAS_BENCH_USERS=10000,1000000 cargo bench` names the sizes; without it 10,000 users, since loading a million takes
//! minutes. `examples/measure.rs` gives what criterion does not: load speed, bytes and percentiles.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a bench may stop at the first surprise"
)]

mod world;

use std::hint::black_box;
use std::time::Duration;

use criterion::{
    BatchSize, BenchmarkGroup, BenchmarkId, Criterion, criterion_group, criterion_main, measurement::WallTime,
};
use whowas::domain::name::{Name, NameKind};
use whowas::domain::verdict::{Ask, Policy};
use whowas::ledger::{KnownAt, Ledger};
use whowas::store::LedgerStore;
use whowas::store::sled::{CACHE_CAPACITY_BYTES, SledOptions, SledStore};

use world::raw::{self, Read, Recording};
use world::sql::Sql;
use world::{TENANT, World, ask_by_chain, ask_by_object, name_now, stamp};

/// Different users asked for, in a random order, again and again.
const ASKED: usize = 8_192;

fn questions(criterion: &mut Criterion) {
    for users in sizes() {
        let tenant = Loaded::new(users);
        may_i_append_to_this_chain(criterion, &tenant);
        may_i_back_up_this_object(criterion, &tenant);
        who_is_this_name(criterion, &tenant);
        take_in_a_page_of_200_changed_users(criterion, tenant);
    }
}

fn may_i_append_to_this_chain(criterion: &mut Criterion, tenant: &Loaded) {
    let asks: Vec<Ask> = tenant.world.asked(ASKED, 2).into_iter().map(ask_by_chain).collect();
    let mut group = group(criterion, "may I append to this chain", tenant);
    checks(&mut group, tenant, &asks);
    in_turn(&mut group, tenant, "sqlite", asks.len(), |nth| {
        let (chain, object) = (asks[nth].chain.as_ref().unwrap(), asks[nth].object.unwrap());
        _ = black_box(tenant.sql.check(chain.as_str(), object.as_bytes(), World::now().as_micros()));
    });
}

fn may_i_back_up_this_object(criterion: &mut Criterion, tenant: &Loaded) {
    let asks: Vec<Ask> = tenant.world.asked(ASKED, 3).into_iter().map(ask_by_object).collect();
    let mut group = group(criterion, "may I back up this object", tenant);
    checks(&mut group, tenant, &asks);
    in_turn(&mut group, tenant, "sqlite", asks.len(), |nth| {
        let object = asks[nth].object.unwrap();
        _ = black_box(tenant.sql.check_object(object.as_bytes(), World::now().as_micros()));
    });
}

fn who_is_this_name(criterion: &mut Criterion, tenant: &Loaded) {
    let names: Vec<Name> = tenant.world.anyone(ASKED, 4).into_iter().map(name_now).collect();
    let who = |name: &Name| {
        tenant.ledger.who(TENANT, name, NameKind::Any, None, KnownAt::Now, World::now()).unwrap().standing.holder
    };
    let reads = tenant.reads(&names, |name| _ = who(name));
    let mut group = group(criterion, "who is this name", tenant);
    in_turn(&mut group, tenant, "whowas", names.len(), |nth| _ = black_box(who(&names[nth])));
    in_turn(&mut group, tenant, "engine reads", names.len(), |nth| {
        _ = black_box(raw::replay(&tenant.engine, &reads[nth]));
    });
    in_turn(&mut group, tenant, "sqlite", names.len(), |nth| {
        _ = black_box(tenant.sql.who(names[nth].key().as_str(), World::now().as_micros()));
    });
}

/// Durable on disk when it returns, as SQLite's is. The pages differ, so the ledger grows a little while it is measured.
fn take_in_a_page_of_200_changed_users(criterion: &mut Criterion, mut tenant: Loaded) {
    let mut group = group(criterion, "take in a page of 200 changed users", &tenant);
    let users = tenant.world.users;
    let world = tenant.world;
    let page = |nth: u64| World::changed_page(world.anyone(200, 100 + nth).into_iter(), nth);
    let mut nth = 0;
    let mut next = || {
        nth += 1;
        (nth, page(nth))
    };
    group.bench_function(BenchmarkId::new("whowas", users), |bencher| {
        bencher.iter_batched(
            &mut next,
            |(nth, batch)| tenant.ledger.append(TENANT, batch, stamp(World::now(), nth)).unwrap(),
            BatchSize::PerIteration,
        );
    });
    group.bench_function(BenchmarkId::new("sqlite", users), |bencher| {
        bencher.iter_batched(&mut next, |(_, batch)| tenant.sql.append(&batch), BatchSize::PerIteration);
    });
}

fn checks(group: &mut BenchmarkGroup<'_, WallTime>, tenant: &Loaded, asks: &[Ask]) {
    let policy = Policy::default();
    let check = |ask: &Ask| {
        let checked = tenant.ledger.check(TENANT, ask, &policy, World::now(), KnownAt::Now, None);
        checked.unwrap().verdict
    };
    let reads = tenant.reads(asks, |ask| _ = check(ask));
    in_turn(group, tenant, "whowas", asks.len(), |nth| _ = black_box(check(&asks[nth])));
    in_turn(group, tenant, "engine reads", asks.len(), |nth| {
        _ = black_box(raw::replay(&tenant.engine, &reads[nth]));
    });
}

fn in_turn(
    group: &mut BenchmarkGroup<'_, WallTime>,
    tenant: &Loaded,
    what: &str,
    count: usize,
    question: impl Fn(usize),
) {
    let mut nth = 0;
    group.bench_function(BenchmarkId::new(what, tenant.world.users), |bencher| {
        bencher.iter(|| {
            nth = (nth + 1) % count;
            question(nth);
        });
    });
}

fn group<'a>(criterion: &'a mut Criterion, name: &str, tenant: &Loaded) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(name);
    if tenant.world.users > 100_000 {
        group.sample_size(20);
    }
    group.measurement_time(Duration::from_secs(4));
    group
}

fn sizes() -> Vec<u64> {
    match std::env::var("WHOWAS_BENCH_USERS") {
        Ok(text) => text.split(',').map(|size| size.trim().replace('_', "").parse().unwrap()).collect(),
        Err(_) => vec![10_000],
    }
}

/// One tenant three times over: in a ledger, in a copy of its engine's files, and in SQLite.
struct Loaded {
    world: World,
    ledger: Ledger,
    notes: raw::Notes,
    engine: sled::Db,
    sql: Sql,
    _directory: tempfile::TempDir,
}

impl Loaded {
    fn new(users: u64) -> Self {
        let world = World::new(users);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let open = || {
            let options = SledOptions { create: true, ..SledOptions::new("bench", World::now()) };
            SledStore::open(path.join("ledger"), options).unwrap()
        };
        let ledger = Ledger::new(open());
        world.load(&ledger);
        drop(ledger);
        raw::copy(&path.join("ledger"), &path.join("copy"));
        let (store, notes) = Recording::new(open());
        let mut sql = Sql::open(&path.join("sqlite"), CACHE_CAPACITY_BYTES);
        sql.load(&world);
        sql.settle();
        let engine = raw::open(&path.join("copy"), CACHE_CAPACITY_BYTES);
        assert_eq!(store.describe().store, "sled");
        Self { world, ledger: Ledger::new(store), notes, engine, sql, _directory: directory }
    }

    /// The reads of the engine that each question makes.
    fn reads<T>(&self, questions: &[T], ask: impl Fn(&T)) -> Vec<Vec<Read>> {
        self.notes.record(true);
        let reads = questions
            .iter()
            .map(|question| {
                ask(question);
                self.notes.take()
            })
            .collect();
        self.notes.record(false);
        reads
    }
}

criterion_group!(benches, questions);
criterion_main!(benches);
