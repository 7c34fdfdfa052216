//! Measures a ledger of many users and prints its figures and, last, one table of budgets, each beside a baseline of the same run:
//! `cargo build --release --bin whowas --example measure && target/release/examples/measure --users 1000000`.
//!
//! Each part runs in a process of its own, so that one part's memory does not count as another's. The questions are put in
//! rounds, to the ledger, to the engine alone and to SQLite in turn, so that a busy machine slows all three alike.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a tool may stop at the first surprise"
)]
#![expect(clippy::print_stderr, reason = "progress goes to stderr")]

#[path = "measure/batch.rs"]
mod batch;
#[path = "measure/beside.rs"]
mod beside;
#[path = "measure/budgets.rs"]
mod budgets;
#[path = "measure/first.rs"]
mod first;
#[path = "measure/growth.rs"]
mod growth;
#[path = "measure/postgres.rs"]
mod postgres;
#[path = "measure/running.rs"]
mod running;
#[path = "measure/statements.rs"]
mod statements;
#[path = "../benches/world/mod.rs"]
mod world;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::io::{BufRead, BufReader};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant as Clock;

use whowas::domain::name::{Name, NameKind};
use whowas::domain::verdict::{Ask, Outcome, Policy};
use whowas::ledger::{KnownAt, Ledger};
use whowas::store::sled::{
    CACHE_CAPACITY_BYTES, LedgerKey, RESIDENT_BYTES, SERVING_CACHE_CAPACITY_BYTES, SledOptions, SledStore,
};

use budgets::{Figures, figure};
use world::raw::{Read, Recording};
use world::sql::Sql;
use world::{TENANT, World, ask_by_chain, ask_by_object, name_now, raw, stamp};

/// As in the program, and for the engine alone as well.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Questions a round.
const ASKS: usize = 20_000;
const ROUNDS: usize = 5;
const PAGES: u64 = 40;
/// The phases in their order. Most leave something for those after them.
const PHASES: [&str; 9] = ["load", "load-sqlite", "open", "batch", "ask", "first", "beside", "delta", "compact"];
/// A first sync beside the engine's batches, which is short while the users are few: so many times, up to so many users.
const FIRST_SYNCS: usize = 3;
const FIRST_SYNCS_USERS_MAX: u64 = 100_000;

struct Settings {
    users: u64,
    dir: PathBuf,
    binary: PathBuf,
    cache_capacity_bytes: u64,
    encrypted: bool,
    phase: Option<String>,
}

fn main() {
    let settings = settings();
    let world = World::new(settings.users);
    match settings.phase.as_deref() {
        None => measure(&settings),
        Some("load") => load(&settings, world),
        Some("load-sqlite") => load_sqlite(&settings, world),
        Some("open") => open(&settings, world),
        Some("ask") => ask(&settings, world),
        Some("batch") => batch::run(&settings, world),
        Some("first-sync") => first::sync(&settings, world),
        Some("first-open") => first::open_killed(&settings),
        Some("first-engine") => first::engine(&settings, world),
        Some("beside") => beside::run(&settings, world),
        Some("delta") => growth::delta(&settings, world),
        Some("compact") => growth::compact(&settings, world),
        Some(other) => panic!("no phase {other}"),
    }
}

fn settings() -> Settings {
    let own = std::env::current_exe().unwrap();
    let mut settings = Settings {
        users: 10_000,
        binary: own.ancestors().nth(2).map(|folder| folder.join("whowas")).unwrap_or_default(),
        dir: std::env::temp_dir().join(format!("whowas-measure-{}", std::process::id())),
        cache_capacity_bytes: CACHE_CAPACITY_BYTES,
        encrypted: false,
        phase: None,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().unwrap_or_else(|| panic!("{name} needs a value"));
        match name.as_str() {
            "--users" => settings.users = value.replace('_', "").parse().expect("a number of users"),
            "--dir" => settings.dir = value.into(),
            "--binary" => settings.binary = std::path::absolute(value).unwrap(),
            "--cache-mb" => settings.cache_capacity_bytes = value.parse::<u64>().expect("a number of MB") << 20,
            "--encrypted" => settings.encrypted = value.parse().expect("true or false"),
            "--phase" => settings.phase = Some(value),
            _ => panic!("usage: measure [--users N] [--dir EMPTY] [--cache-mb N] [--binary WHOWAS] [--encrypted true]"),
        }
    }
    settings
}

/// Runs every part in a process of its own and prints what they found.
fn measure(settings: &Settings) {
    std::fs::create_dir_all(&settings.dir).unwrap();
    let mut found = Found::default();
    for phase in PHASES {
        if phase == "first" {
            let times = if settings.users <= FIRST_SYNCS_USERS_MAX { FIRST_SYNCS } else { 1 };
            for part in ["first-sync", "first-open", "first-engine"].repeat(times) {
                run(settings, part, &mut found);
            }
        } else {
            run(settings, phase, &mut found);
        }
    }
    std::fs::remove_dir_all(&settings.dir).unwrap();
    print(settings, &found.told);
    budgets::print(&found.figures);
}

/// What the phases told.
#[derive(Default)]
struct Found {
    told: BTreeMap<String, String>,
    figures: Figures,
}

/// Runs one part in a process of its own, and kills it if it wants that.
fn run(settings: &Settings, phase: &str, found: &mut Found) {
    eprintln!("{phase} …");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--users", &settings.users.to_string(), "--phase", phase])
        .args(["--cache-mb", &(settings.cache_capacity_bytes >> 20).to_string()])
        .args(["--encrypted", &settings.encrypted.to_string()])
        .arg("--binary")
        .arg(&settings.binary)
        .arg("--dir")
        .arg(&settings.dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut killed = false;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        if line == first::KILL {
            child.kill().unwrap();
            killed = true;
            break;
        }
        let (name, value) = line.split_once('=').unwrap();
        if !found.figures.take(name, value) {
            found.told.insert(name.to_owned(), value.to_owned());
        }
    }
    let ended = child.wait().unwrap();
    assert!(killed || ended.success(), "{phase} failed");
}

fn print(settings: &Settings, found: &BTreeMap<String, String>) {
    let get = |name: &str| found.get(name).map_or("not measured", String::as_str);
    println!("{} users, cache {} MB\n", settings.users, settings.cache_capacity_bytes >> 20);
    println!("| | whowas | SQLite |\n| --- | --- | --- |");
    for (label, name) in [
        ("load, users/s, each page durable", "load users/s"),
        ("bytes on disk a user, after the load", "disk after load"),
        ("bytes on disk a user, opened again and closed", "disk after reopen"),
        ("bytes of keys and values a user", "raw bytes"),
        ("resident after the load, bytes a user", "resident after load"),
        ("resident after opening and 20,000 checks, bytes a user", "resident after asks"),
        ("open, first time after the load, s", "first open"),
        ("open, clean stop, s", "open"),
        ("append of a page of 200 changed users, ms p50", "append"),
    ] {
        println!("| {label} | {} | {} |", get(name), get(&format!("sqlite {name}")));
    }
    println!("\nµs p50 / p99; the ratios are of the p50, in brackets of the means\n");
    println!("| | whowas | the engine's reads alone | ratio | SQLite | ratio | reads of the engine |");
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for question in ["check by chain and object", "check by object", "who by name"] {
        let cell = |part: &str| get(&format!("{question}, {part}")).to_owned();
        println!(
            "| {question} | {} | {} | {} | {} | {} | {} |",
            cell("ledger"),
            cell("engine"),
            cell("to engine"),
            cell("sqlite"),
            cell("to sqlite"),
            cell("reads")
        );
    }
}

fn load(settings: &Settings, world: World) {
    let before = resident();
    let ledger = Ledger::new(store(settings));
    let start = Clock::now();
    let commits = world.load(&ledger);
    let seconds = start.elapsed().as_secs_f64();
    tell("load users/s", format!("{:.0} ({commits} commits)", world.users as f64 / seconds));
    tell_resident("resident after load", before, world);
    let mut bytes = 0;
    ledger.store().each_derived(&mut |key, value| bytes += key.len() + value.len()).unwrap();
    drop(ledger);
    // The engine alone must open it for the first time too.
    raw::copy(&settings.dir.join("ledger"), &settings.dir.join("unopened"));
    tell("disk after load", per_user(bytes_below(&settings.dir.join("ledger")), world));
    tell("raw bytes", format!("{} derived", per_user(bytes as u64, world)));
}

fn load_sqlite(settings: &Settings, world: World) {
    let before = resident();
    let mut sql = Sql::open(&settings.dir.join("sqlite"), settings.cache_capacity_bytes);
    let start = Clock::now();
    sql.load(&world);
    tell("sqlite load users/s", format!("{:.0}", world.users as f64 / start.elapsed().as_secs_f64()));
    tell_resident("sqlite resident after load", before, world);
    if let Some(bytes) = resident() {
        figure("sqlite resident", (bytes >> 20) as f64);
    }
    sql.settle();
    drop(sql);
    let bytes = std::fs::metadata(settings.dir.join("sqlite")).unwrap().len();
    tell("sqlite disk after load", per_user(bytes, world));
}

fn open(settings: &Settings, world: World) {
    let before = resident();
    for name in ["first open", "open"] {
        let start = Clock::now();
        let store = store(settings);
        figure(name, seconds(start));
        tell(name, format!("{:.2}", seconds(start)));
        if name == "open" {
            let ledger = Ledger::new(store);
            for user in world.asked(ASKS, 1) {
                check(&ledger, &ask_by_chain(user));
            }
            tell_resident("resident after asks", before, world);
        }
    }
    let unopened = settings.dir.join("unopened");
    for name in ["engine first open", "engine open"] {
        let start = Clock::now();
        let engine = raw::open(&unopened, settings.cache_capacity_bytes);
        figure(name, seconds(start));
        drop(engine);
    }
    std::fs::remove_dir_all(&unopened).unwrap();
    tell("disk after reopen", per_user(bytes_below(&settings.dir.join("ledger")), world));
    let start = Clock::now();
    let sql = Sql::open(&settings.dir.join("sqlite"), settings.cache_capacity_bytes);
    tell("sqlite open", format!("{:.3}", start.elapsed().as_secs_f64()));
    drop(sql);
}

fn ask(settings: &Settings, world: World) {
    let copy = settings.dir.join("copy");
    raw::copy(&settings.dir.join("ledger"), &copy);
    if settings.encrypted {
        // The engine alone is asked for the records as they would be without a key.
        std::fs::copy(settings.dir.join("ledger/format"), copy.join("format")).unwrap();
        store_in(settings, &copy).decrypt(&mut |_| ()).unwrap();
    }
    // Every round asks for other users, so nothing is answered twice while it is still at hand.
    let count = ASKS * ROUNDS;
    let by_chain: Vec<Ask> = world.asked(count, 2).into_iter().map(ask_by_chain).collect();
    let by_object: Vec<Ask> = world.asked(count, 3).into_iter().map(ask_by_object).collect();
    let names: Vec<Name> = world.anyone(count, 4).into_iter().map(name_now).collect();

    let (recording, notes) = Recording::new(store(settings));
    notes.record(true);
    let recorded = Ledger::new(recording);
    let reads = |ask: &dyn Fn()| {
        ask();
        notes.take()
    };
    let chain_reads: Vec<_> = by_chain.iter().map(|ask| reads(&|| drop(check(&recorded, ask)))).collect();
    let object_reads: Vec<_> = by_object.iter().map(|ask| reads(&|| drop(check(&recorded, ask)))).collect();
    let name_reads: Vec<_> = names.iter().map(|name| reads(&|| _ = who(&recorded, name))).collect();
    drop(recorded);

    let ledger = Ledger::new(store(settings));
    let engine = raw::open(&copy, settings.cache_capacity_bytes);
    let mut sql = Sql::open(&settings.dir.join("sqlite"), settings.cache_capacity_bytes);
    let now = World::now().as_micros();
    compare(
        "check by chain and object",
        &chain_reads,
        &engine,
        |nth| judged(check(&ledger, &by_chain[nth])),
        |nth| {
            let ask = &by_chain[nth];
            sql.check(ask.chain.as_ref().unwrap().as_str(), ask.object.unwrap().as_bytes(), now)
        },
    );
    compare(
        "check by object",
        &object_reads,
        &engine,
        |nth| judged(check(&ledger, &by_object[nth])),
        |nth| sql.check_object(by_object[nth].object.unwrap().as_bytes(), now),
    );
    compare(
        "who by name",
        &name_reads,
        &engine,
        |nth| who(&ledger, &names[nth]).into_iter().map(|id| id.as_bytes().to_vec()).collect::<Vec<_>>(),
        |nth| sql.who(names[nth].key().as_str(), now),
    );
    append(&ledger, &mut sql, world);
    drop(engine);
    std::fs::remove_dir_all(&copy).unwrap();
}

/// Puts a question in rounds to the ledger, to the engine alone and to SQLite, and checks that both answer alike.
fn compare<T: PartialEq + std::fmt::Debug>(
    question: &str,
    reads: &[Vec<Read>],
    engine: &sled::Db,
    ledger: impl Fn(usize) -> T,
    sql: impl Fn(usize) -> T,
) {
    let mut parts: [Vec<Times>; 3] = Default::default();
    for round in 0..ROUNDS {
        let asks = round * ASKS..(round + 1) * ASKS;
        parts[0].push(Times::of(asks.clone(), |nth| _ = black_box(ledger(nth))));
        parts[1].push(Times::of(asks.clone(), |nth| _ = black_box(raw::replay(engine, &reads[nth]))));
        parts[2].push(Times::of(asks, |nth| _ = black_box(sql(nth))));
    }
    for (nth, reads) in reads.iter().enumerate() {
        assert_eq!(ledger(nth), sql(nth), "{question} {nth}");
        assert!(raw::replay(engine, reads) > 0, "{question} {nth}");
    }
    let [ours, raw, sqlite] = parts.map(|rounds| Times::median(&rounds));
    for (part, times) in [("ledger", &ours), ("engine", &raw), ("sqlite", &sqlite)] {
        figure(&format!("{question}, {part}"), times.p50);
        tell(&format!("{question}, {part}"), format!("{:.1} / {:.1}", times.p50, times.p99));
    }
    for (part, times) in [("to engine", &raw), ("to sqlite", &sqlite)] {
        let (of_p50, of_mean) = (ours.p50 / times.p50, ours.mean / times.mean);
        tell(&format!("{question}, {part}"), format!("{of_p50:.2} ({of_mean:.2})"));
    }
    let gets = reads.iter().flatten().filter(|read| matches!(read, Read::Get(_))).count();
    let seeks = reads.iter().map(Vec::len).sum::<usize>() - gets;
    let mean = |count: usize| count as f64 / reads.len() as f64;
    tell(&format!("{question}, reads"), format!("{:.1} gets, {:.1} seeks", mean(gets), mean(seeks)));
}

fn append(ledger: &Ledger, sql: &mut Sql, world: World) {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for page in 0..PAGES {
        let users = world.anyone(200, 100 + page);
        let batch = || World::changed_page(users.iter().copied(), page);
        let (mine, other) = (batch(), batch());
        let start = Clock::now();
        ledger.append(TENANT, mine, stamp(World::now(), page)).unwrap();
        ours.push(start.elapsed().as_secs_f64() * 1e3);
        let start = Clock::now();
        sql.append(&other);
        theirs.push(start.elapsed().as_secs_f64() * 1e3);
    }
    for (name, mut times) in [("append", ours), ("sqlite append", theirs)] {
        times.sort_by(f64::total_cmp);
        tell(name, format!("{:.1} (p90 {:.1})", times[times.len() / 2], times[times.len() * 9 / 10]));
    }
}

fn check(ledger: &Ledger, ask: &Ask) -> whowas::domain::verdict::Verdict {
    ledger.check(TENANT, ask, &Policy::default(), World::now(), KnownAt::Now, None).unwrap().verdict
}

fn judged(verdict: whowas::domain::verdict::Verdict) -> (Outcome, String) {
    (verdict.outcome, verdict.base.map(|base| base.to_string()).unwrap_or_default())
}

fn who(ledger: &Ledger, name: &Name) -> Option<whowas::domain::id::ObjectId> {
    ledger.who(TENANT, name, NameKind::Any, None, KnownAt::Now, World::now()).unwrap().standing.holder
}

fn store(settings: &Settings) -> SledStore {
    store_in(settings, &settings.dir.join("ledger"))
}

fn store_in(settings: &Settings, dir: &Path) -> SledStore {
    store_with(settings, dir, settings.cache_capacity_bytes)
}

/// What a service may keep in memory of a ledger, and so whoever is compared with one.
const SERVING_BYTES: u64 = RESIDENT_BYTES + SERVING_CACHE_CAPACITY_BYTES;

/// The ledger as a service has it once what it copies into memory is there.
fn serving_in(settings: &Settings, dir: &Path) -> SledStore {
    let store = store_with(settings, dir, SERVING_CACHE_CAPACITY_BYTES);
    let start = Clock::now();
    store.keep_resident(RESIDENT_BYTES);
    while store.fill_resident().unwrap() {}
    eprintln!(
        "copied in {:.2} s: {:?}, {} MB resident",
        seconds(start),
        store.residency(),
        resident().unwrap_or(0) >> 20
    );
    store
}

fn store_with(settings: &Settings, dir: &Path, cache_capacity_bytes: u64) -> SledStore {
    let options = SledOptions {
        cache_capacity_bytes,
        create: true,
        key: settings.encrypted.then(|| LedgerKey::new([1; 32], [2; 32])),
        ..SledOptions::new("measure", World::now())
    };
    SledStore::open(dir, options).unwrap()
}

/// Times of one round, in microseconds.
#[derive(Clone, Copy)]
struct Times {
    p50: f64,
    p99: f64,
    mean: f64,
}

impl Times {
    fn of(asks: Range<usize>, ask: impl Fn(usize)) -> Self {
        let count = asks.len();
        let mut times: Vec<f64> = asks
            .map(|nth| {
                let start = Clock::now();
                ask(nth);
                start.elapsed().as_nanos() as f64 / 1e3
            })
            .collect();
        times.sort_by(f64::total_cmp);
        let mean = times.iter().sum::<f64>() / count as f64;
        Self { p50: times[count / 2], p99: times[count * 99 / 100], mean }
    }

    fn median(rounds: &[Self]) -> Self {
        let middle = |part: fn(&Self) -> f64| {
            let mut values: Vec<f64> = rounds.iter().map(part).collect();
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        Self { p50: middle(|t| t.p50), p99: middle(|t| t.p99), mean: middle(|t| t.mean) }
    }
}

fn seconds(since: Clock) -> f64 {
    since.elapsed().as_secs_f64()
}

fn tell(name: &str, value: String) {
    println!("{name}={value}");
}

fn tell_resident(name: &str, before: Option<u64>, world: World) {
    if let (Some(before), Some(after)) = (before, resident()) {
        tell(name, format!("{} ({} MB)", per_user(after.saturating_sub(before), world), after >> 20));
    }
}

fn per_user(bytes: u64, world: World) -> String {
    format!("{:.0}", bytes as f64 / world.users as f64)
}

/// Resident bytes of this process; only Linux tells.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib << 10)
}

fn bytes_below(path: &Path) -> u64 {
    std::fs::read_dir(path)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let meta = entry.metadata().unwrap();
            if meta.is_dir() { bytes_below(&entry.path()) } else { meta.len() }
        })
        .sum()
}
