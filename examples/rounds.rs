//! Measures the sync against the emulated directory and prints one table:
//! `cargo run --release --example rounds -- --users 100000`.
//!
//! The first sync is timed beside a client that reads the same pages from the same emulator and throws them away, so that the
//! ledger's share is visible; then delta rounds of ten changes each, beside the same client's. The emulator runs in this
//! process, on threads of its own, and shares the machine's cores with the client.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a tool may stop at the first surprise"
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant as Clock};

use tokio::runtime::Runtime;
use whowas::config::Config;
use whowas::domain::attribution::Settling;
use whowas::domain::fact::Widths;
use whowas::domain::guard::Guard;
use whowas::domain::id::{ObjectId, TenantId};
use whowas::graph::client::{DeltaRequest, GraphClient};
use whowas::graph::delta::DeltaLink;
use whowas::graph::emulator::{Directory, Emulator, EmulatorOptions, NewUser};
use whowas::ledger::Ledger;
use whowas::service::moments;
use whowas::store::sled::{SledOptions, SledStore};
use whowas::store::{Outcome, Trigger};
use whowas::sync::{self, Context, Stop, Wanted};

/// Delta rounds of ten changes.
const ROUNDS: usize = 9;
/// Changes in each.
const CHANGES: usize = 10;

struct Settings {
    users: usize,
    dir: PathBuf,
    page_size: usize,
}

/// A directory, and the way to it.
struct Tenant {
    emulator: Emulator,
    users: Vec<ObjectId>,
    runtime: Runtime,
    dir: PathBuf,
}

fn main() {
    let settings = settings();
    let _ = std::fs::remove_dir_all(&settings.dir);
    std::fs::create_dir_all(&settings.dir).unwrap();
    let (mut tenant, filled) = Tenant::of(&settings);
    println!("{} users, {} on a page; the directory was filled in {:.1} s", settings.users, settings.page_size, filled);

    // Each is run once to warm up what is shared: the emulator's copy of the users, the connections, the allocator.
    let thrown = tenant.client();
    let (mut link, _) = tenant.throw_away(&thrown, None);
    let (_, throwing) = tenant.throw_away(&thrown, None);
    let context = tenant.context();
    let (facts, first) = tenant.sync(&context);
    assert!(facts >= settings.users as u64, "{facts} facts");
    let per_second = |took: Duration| settings.users as f64 / took.as_secs_f64();
    println!("| first sync | seconds | users/s |");
    println!("| --- | --- | --- |");
    println!("| pages read and thrown away | {:.2} | {:.0} |", throwing.as_secs_f64(), per_second(throwing));
    println!("| pages read into the ledger | {:.2} | {:.0} |", first.as_secs_f64(), per_second(first));
    println!("| ratio | {:.2} | |", first.as_secs_f64() / throwing.as_secs_f64());

    let (mut throwing, mut syncing) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        tenant.change(round);
        let context = tenant.later(&context);
        let (next, took) = tenant.throw_away(&thrown, Some(link));
        link = next;
        throwing.push(took);
        let (facts, took) = tenant.sync(&context);
        assert!(facts >= CHANGES as u64, "{facts} facts");
        syncing.push(took);
    }
    let median = |times: &mut Vec<Duration>| {
        times.sort();
        times.get(times.len() / 2).copied().unwrap().as_secs_f64() * 1_000.0
    };
    let (throwing, syncing) = (median(&mut throwing), median(&mut syncing));
    println!("| delta round of {CHANGES} renames, median of {ROUNDS} | ms |");
    println!("| --- | --- |");
    println!("| pages read and thrown away | {throwing:.2} |");
    println!("| the sync: users, groups, contacts, guard, journal | {syncing:.2} |");
    std::fs::remove_dir_all(&tenant.dir).unwrap();
}

impl Tenant {
    fn of(settings: &Settings) -> (Self, f64) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let begun = Clock::now();
        let default = EmulatorOptions::default();
        let mut directory = Directory::new("x.onmicrosoft.com", default.directory.now(), 1);
        let create = |n: usize| directory.create_user(NewUser::mailbox(&format!("user{n}@x.test"))).unwrap();
        let users: Vec<ObjectId> = (0..settings.users).map(create).collect();
        let emulator = {
            let _inside = runtime.enter();
            Emulator::start(EmulatorOptions { directory, page_size: settings.page_size, ..default }).unwrap()
        };
        emulator.with(|directory| directory.set_now(directory.now().plus(Duration::from_secs(3_600)))).unwrap();
        (Self { emulator, users, runtime, dir: settings.dir.clone() }, begun.elapsed().as_secs_f64())
    }

    fn client(&self) -> GraphClient {
        let url = self.emulator.url();
        let text = format!(
            "[ledger]\npath = \"ledger\"\n[[tenant]]\nid = \"{}\"\nclient_id = \"{}\"\ncredential = {{ secret_env = \"S\" }}\n\
             graph_url = \"{url}\"\nlogin_url = \"{url}\"\n",
            EmulatorOptions::TENANT,
            EmulatorOptions::CLIENT_ID,
        );
        let file = self.dir.join("whowas.toml");
        std::fs::write(&file, text).unwrap();
        let config = Config::read(&file).unwrap();
        let tenant = config.tenants.first().unwrap();
        tenant.client(|_| Some(EmulatorOptions::SECRET.to_owned()), moments(self.clock())).unwrap()
    }

    fn clock(&self) -> whowas::clock::Clock {
        whowas::clock::Clock::new(Some(self.emulator.with(|directory| directory.now())))
    }

    fn context(&self) -> Context {
        let tenant: TenantId = EmulatorOptions::TENANT.parse().unwrap();
        let options = SledOptions { create: true, ..SledOptions::new("rounds", self.clock().now()) };
        let store = SledStore::open(ledger(&self.dir), options).unwrap();
        Context {
            ledger: Ledger::new(store),
            tenant,
            client: Arc::new(self.client()),
            widths: Widths::default(),
            settling: Settling::default(),
            guard: Guard::default(),
            mapping: None,
            clock: self.clock(),
        }
    }

    /// A quarter of an hour later.
    fn later(&self, context: &Context) -> Context {
        self.emulator.with(|directory| directory.set_now(directory.now().plus(Duration::from_secs(900)))).unwrap();
        Context { clock: self.clock(), ..context.clone() }
    }

    /// Ten users get other names, others in each round.
    fn change(&mut self, round: usize) {
        let all = self.users.len();
        for n in 0..CHANGES {
            let place = (round * CHANGES + n) * (all / (ROUNDS * CHANGES)).max(1) % all;
            let user = *self.users.get(place).unwrap();
            let upn = format!("renamed{round}-{n}@x.test");

            self.emulator.with(|directory| directory.rename(user, &upn, true)).unwrap();
        }
    }

    /// Reads a round and keeps nothing but where the next one begins.
    fn throw_away(&self, client: &GraphClient, from: Option<DeltaRequest>) -> (DeltaRequest, Duration) {
        let begun = Clock::now();
        let mut request = from.unwrap_or(DeltaRequest::First);
        let end = self.runtime.block_on(async {
            loop {
                match client.delta_page(&request).await.unwrap().link {
                    DeltaLink::Next(link) => request = DeltaRequest::Link(link),
                    DeltaLink::Delta(link) => return DeltaRequest::Link(link),
                }
            }
        });
        (end, begun.elapsed())
    }

    /// A sync, and how many facts it brought.
    fn sync(&self, context: &Context) -> (u64, Duration) {
        let wanted = Wanted { full: false, reconcile: false, trigger: Trigger::Demand };
        let begun = Clock::now();
        let run = self.runtime.block_on(sync::run(context, wanted, &Stop::default(), &|_| {})).unwrap();
        let took = begun.elapsed();
        assert_eq!(run.outcome, Outcome::Completed, "{run:?}");
        (run.facts, took)
    }
}

fn ledger(dir: &Path) -> PathBuf {
    dir.join("ledger")
}

fn settings() -> Settings {
    let mut settings = Settings { users: 100_000, dir: std::env::temp_dir().join("whowas-rounds"), page_size: 200 };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().expect("each option has a value");
        match name.as_str() {
            "--users" => settings.users = value.parse().unwrap(),
            "--page-size" => settings.page_size = value.parse().unwrap(),
            "--dir" => settings.dir = value.into(),
            other => panic!("no option {other}; there are --users, --page-size and --dir"),
        }
    }
    settings
}
