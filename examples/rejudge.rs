//! What a small commit costs in a large catalogue: `cargo run --release --example rejudge -- --small 10000 --large 1000000`.
//! `--cache MIB` is what the engine of each may keep in memory, as `cache_mib` in `whowas.toml`.
//!
//! Two ledgers, one of each size, hold as many users as snapshots, every snapshot addressed by a name, so that each could
//! have to be judged anew. Then the same commit is made in turn to both: ten users get new names, a horizon follows, and the
//! ten users' snapshots are judged anew. The two take turns, so that a busy machine slows both alike.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a tool may stop at the first surprise"
)]
#![expect(clippy::print_stderr, reason = "progress goes to stderr")]

#[path = "../benches/world/mod.rs"]
mod world;

use std::path::Path;
use std::time::{Duration, Instant as Clock};

use whowas::domain::fact::{Addressed, Fact, Feed, Horizon, Reading, Seen, Snapshot, Source};
use whowas::domain::name::NameKind;
use whowas::domain::time::Instant;
use whowas::ledger::{Batch, Ledger};
use whowas::store::sled::{CACHE_CAPACITY_BYTES, SledOptions, SledStore};

use world::{HOUR, TENANT, World, stamp};

const LAG: Duration = Duration::from_secs(300);
const CHANGED: u64 = 10;
const COMMITS: u64 = 60;

fn main() {
    let (mut small, mut large, mut cache) = (10_000, 1_000_000, CACHE_CAPACITY_BYTES >> 20);
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().and_then(|value| value.replace('_', "").parse().ok());
        match (name.as_str(), value) {
            ("--small", Some(users)) => small = users,
            ("--large", Some(users)) => large = users,
            ("--cache", Some(mib)) => cache = mib,
            _ => panic!("usage: rejudge [--small USERS] [--large USERS] [--cache MIB]"),
        }
    }
    let folder = std::env::temp_dir().join(format!("whowas-rejudge-{}", std::process::id()));
    let sizes = [small, large];
    let ledgers = sizes.map(|users| load(&folder.join(users.to_string()), users, cache));
    let mut times = [Vec::new(), Vec::new()];
    let mut judged = [(0, 0); 2];
    for nth in 0..COMMITS {
        for (which, ledger) in ledgers.iter().enumerate() {
            let batch = change(sizes[which], nth);
            let start = Clock::now();
            ledger.append(TENANT, batch, stamp(round(nth), nth)).unwrap();
            times[which].push(start.elapsed().as_secs_f64() * 1e3);
            let (looked_at, otherwise) = judged_by(ledger);
            judged[which] = (judged[which].0 + looked_at, judged[which].1 + otherwise);
        }
    }
    println!(
        "a commit that changes {CHANGED} users and whose horizon follows, {COMMITS} of them, in turn, with a cache of {cache} MiB\n"
    );
    println!(
        "| users and snapshots | ms p50 | ms p90 | snapshots judged anew | of them otherwise |\n| --- | --- | --- | --- | --- |"
    );
    let medians = times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        (times[times.len() / 2], times[times.len() * 9 / 10])
    });
    for ((users, (p50, p90)), (anew, otherwise)) in sizes.iter().zip(&medians).zip(judged) {
        println!("| {users} | {p50:.2} | {p90:.2} | {anew} | {otherwise} |");
    }
    println!("\nratio of the p50: {:.2}", medians[1].0 / medians[0].0);
    drop(ledgers);
    std::fs::remove_dir_all(&folder).unwrap();
}

fn load(path: &Path, users: u64, cache_mib: u64) -> Ledger {
    std::fs::create_dir_all(path).unwrap();
    let cache_capacity_bytes = cache_mib << 20;
    let options = SledOptions { create: true, cache_capacity_bytes, ..SledOptions::new("rejudge", World::now()) };
    let ledger = Ledger::new(SledStore::open(path, options).unwrap());
    let start = Clock::now();
    let mut commits = 0;
    let mut append = |facts: Vec<Fact>| {
        ledger.append(TENANT, Batch { facts, ..Batch::default() }, stamp(World::first_round(), commits)).unwrap();
        commits += 1;
    };
    let all: Vec<u64> = (0..users).collect();
    for page in all.chunks(999) {
        append(page.iter().map(|user| seen(*user, World::first_round(), None, false)).collect());
    }
    let through = World::first_round().minus(LAG);
    append(vec![Fact::Horizon(Horizon { feed: Feed::Delta, from: through, through })]);
    eprintln!("{users} users loaded in {:.0} s", start.elapsed().as_secs_f64());
    for page in all.chunks(2_000) {
        append(page.iter().map(|user| Fact::SnapshotTaken(snapshot(*user))).collect());
    }
    eprintln!("their snapshots by {:.0} s", start.elapsed().as_secs_f64());
    // This one settles every snapshot.
    append(vec![Fact::Horizon(Horizon { feed: Feed::Delta, from: through, through: horizon(0) })]);
    eprintln!("and settled by {:.0} s", start.elapsed().as_secs_f64());
    ledger
}

fn seen(user: u64, at: Instant, unchanged_since: Option<Instant>, renamed: bool) -> Fact {
    let reading = Reading { at, lag: LAG, source: Source::Delta, unchanged_since };
    Fact::Seen(Seen { object: World::object(user), reading, profile: World::profile(user, renamed) })
}

/// A snapshot by name within the first day, between the first round and the one that settles it.
fn snapshot(user: u64) -> Snapshot {
    let from = Instant::from_micros(World::first_round().as_micros() + HOUR + (user % 72_000) as i64 * 1_000_000);
    let addressed = Addressed::Name(World::upn(user, false).parse().unwrap(), NameKind::Any);
    let until = from.plus(Duration::from_secs(600));
    Snapshot { chain: World::chain(user), id: "rp-1".parse().unwrap(), from, until, addressed, mailbox: None }
}

/// When the nth small round is read.
fn round(nth: u64) -> Instant {
    Instant::from_micros(World::second_round().as_micros() + (nth as i64 + 1) * HOUR)
}

/// What the round before the nth small one proves.
fn horizon(nth: u64) -> Instant {
    Instant::from_micros(World::second_round().as_micros() + nth as i64 * HOUR).minus(LAG)
}

fn change(users: u64, nth: u64) -> Batch {
    let (from, through) = (horizon(nth), horizon(nth + 1));
    let changed = (0..CHANGED).map(|user| world::mix(nth * CHANGED + user) % users);
    let mut facts: Vec<Fact> = changed.map(|user| seen(user, round(nth), Some(from), true)).collect();
    facts.push(Fact::Horizon(Horizon { feed: Feed::Delta, from, through }));
    Batch { facts, ..Batch::default() }
}

/// How many snapshots the newest commit had to judge anew, and how many of them came out otherwise.
fn judged_by(ledger: &Ledger) -> (usize, usize) {
    let head = ledger.head(TENANT).unwrap();
    let entry = ledger.store().journal(TENANT, head.sequence, 1).unwrap().remove(0);
    let changed = entry.commit.facts.iter().filter_map(Fact::object);
    let names = changed.flat_map(|object| {
        let facts = ledger.store().object(TENANT, object).unwrap();
        facts.iter().flat_map(|known| known.fact.names()).map(|(_, name)| name.key().clone()).collect::<Vec<_>>()
    });
    let names: std::collections::BTreeSet<_> = names.collect();
    let snapshots = names.iter().flat_map(|name| ledger.store().snapshots_named(TENANT, name, None, 99).unwrap());
    let found = snapshots.collect::<Vec<_>>();
    assert!(!found.is_empty(), "the commit touches snapshots");
    (found.len(), found.iter().filter(|record| record.judged == head.sequence).count())
}
