//! A hostile soak: directories that change all day and misbehave in every way we know, a product that is killed and raced,
//! and an undisturbed twin that follows the same history. `docs/SOAK.md` says what must hold at the end.

mod compare;
#[path = "../world/dice.rs"]
mod dice;
mod faults;
mod foreign;
mod history;
mod place;
mod product;
mod tally;
mod truth;
mod twin;

use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant as Moment};

use tokio::runtime::Runtime;
use whowas::clock::Clock;
use whowas::domain::time::Instant;

use compare::Pair;
use dice::Dice;
use foreign::Foreign;
use history::History;
use place::Place;
use product::Product;
pub use tally::Tally;
use twin::Twin;

/// How far apart the simulated instants are at which every tenant is read, in seconds.
const STEP: (i64, i64) = (30 * 60, 90 * 60);
/// How often the directories' clocks are set while the service reads them, in real time.
const BEAT: Duration = Duration::from_millis(500);
/// How far apart the simulated instants are at which the twin alone reads, in microseconds: so that several changes lie within
/// the time that an answer may trail behind, and some within one second.
const DENSE: (i64, i64) = (200_000, 20_000_000);
/// How long nothing happens before the last round, in simulated time: longer than any answer may trail behind.
const CALM: Duration = Duration::from_secs(10 * 60);
/// The chance that a directory changes at a beat, in percent.
const CHANGES: u64 = 15;

/// What is played.
#[derive(Clone, Debug)]
pub struct Options {
    pub seed: u64,
    pub tenants: usize,
    /// Tenants that share a ledger.
    pub together: usize,
    /// Users of each at the beginning.
    pub users: usize,
    /// Simulated time, in which single syncs read the tenants.
    pub hours: u64,
    /// Simulated instants after it, seconds apart, at which the twin alone does.
    pub beats: u64,
    /// Real time after that, in which the service does.
    pub served: Duration,
    /// The program.
    pub binary: PathBuf,
    /// Whether progress is told on standard error.
    pub tells: bool,
}

/// Plays it to its end.
pub fn play(options: &Options) -> Tally {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut soak = {
        let _inside = runtime.enter();
        Soak::new(options)
    };
    soak.simulated(&runtime);
    soak.dense(&runtime);
    soak.served(&runtime);
    soak.settled(&runtime)
}

struct Soak<'a> {
    options: &'a Options,
    dice: Dice,
    foreign: Foreign,
    places: Vec<Place>,
    histories: Vec<History>,
    products: Vec<Product>,
    twin: Twin,
    start: Instant,
    tally: Tally,
    /// The ledgers; gone with it.
    _folder: tempfile::TempDir,
}

impl<'a> Soak<'a> {
    fn new(options: &'a Options) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // The simulated time ends now, so that the service can go on from there by the real clock.
        let dense = Duration::from_micros(options.beats * DENSE.1.unsigned_abs());
        let start = present().minus(dense).minus(Duration::from_secs(options.hours * 3_600));
        let places: Vec<Place> =
            (0..options.tenants).map(|number| Place::new(number, options.users, options.seed, start)).collect();
        let mut dice = Dice::new(options.seed);
        let histories = places.iter().map(|place| History::of(place, dice.next(), start)).collect();
        let ledgers = places.chunks(options.together).enumerate();
        let products = ledgers
            .map(|(number, places)| Product::new(&options.binary, folder.path().join(number.to_string()), places))
            .collect();
        let tally = Tally { tenants: options.tenants as u64, ..Tally::default() };
        let (foreign, twin) = (Foreign::listen(), Twin::new(&places));
        Self { options, dice, foreign, places, histories, products, twin, start, tally, _folder: folder }
    }

    /// A day in which every now and then all tenants are read by syncs that are told what time it is.
    fn simulated(&mut self, runtime: &Runtime) {
        let end = self.start.plus(Duration::from_secs(self.options.hours * 3_600));
        let mut now = self.start;
        while now < end {
            now = now.plus(Duration::from_secs(self.dice.between(STEP.0, STEP.1).unsigned_abs())).min(end);
            for (place, history) in self.places.iter().zip(&mut self.histories) {
                history.pass(place, now);
                place.set_now(now);
            }
            runtime.block_on(self.twin.read(now, false));
            self.each(|product, places, dice, foreign| product.slot(places, now, dice, foreign));
            self.tally.slots += 1;
            if self.options.tells {
                eprintln!("{} of {} hours", now.since(self.start).as_secs() / 3_600, self.options.hours);
            }
        }
    }

    /// Some time in which much happens between two readings that are seconds apart, as it does where the service reads, but by
    /// the seed alone. The other ledger is told of it all at once, later.
    fn dense(&mut self, runtime: &Runtime) {
        let mut now = self.start.plus(Duration::from_secs(self.options.hours * 3_600));
        for beat in 1..=self.options.beats {
            now = now.plus(Duration::from_micros(self.dice.between(DENSE.0, DENSE.1).unsigned_abs()));
            for (place, history) in self.places.iter().zip(&mut self.histories) {
                place.set_now(now);
                if self.dice.chance(CHANGES) {
                    history.happen(place, now);
                }
            }
            runtime.block_on(self.twin.read(now, false));
            if self.options.tells && beat.is_multiple_of(500) {
                eprintln!("{beat} of {} beats", self.options.beats);
            }
        }
    }

    /// The service reads the tenants by the real clock, which the directories' clocks are made to follow.
    fn served(&mut self, runtime: &Runtime) {
        let (span, began) = (self.options.served, Moment::now());
        if span.is_zero() {
            return;
        }
        let seed = self.dice.next();
        let (places, foreign, products) = (&self.places, &self.foreign, &self.products);
        let chunks = places.chunks(self.options.together);
        let tallies = std::thread::scope(|scope| {
            let serving: Vec<_> = (1..)
                .zip(products.iter().zip(chunks))
                .map(|(number, (product, places))| {
                    scope.spawn(move || product.serve(places, span, &mut Dice::new(seed ^ number), foreign))
                })
                .collect();
            while began.elapsed() < span {
                let now = Clock::default().now();
                for (place, history) in places.iter().zip(&mut self.histories) {
                    place.set_now(now);
                    if self.dice.chance(CHANGES) {
                        history.happen(place, now);
                    }
                }
                runtime.block_on(self.twin.read(now, false));
                sleep(BEAT);
            }
            serving.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        tallies.into_iter().for_each(|tally| self.tally.add(tally));
    }

    /// Everything is calm: a last round with a reconcile, and then the comparison.
    fn settled(mut self, runtime: &Runtime) -> Tally {
        // What was read in the calm is newer than whatever trailed behind before, and says of a bin that is empty that it is.
        let now = Clock::default().now().plus(CALM);
        self.places.iter().for_each(|place| place.set_now(now));
        runtime.block_on(self.twin.read(now, true));
        self.each(|product, places, _, _| product.settle(places, now));
        let mut tally = self.tally;
        let ledgers = self.products.iter().zip(self.places.chunks(self.options.together));
        let mut histories = self.histories.iter();
        for (product, places) in ledgers {
            let disturbed = product.open(now);
            for (place, history) in places.iter().zip(&mut histories) {
                tally.changes += history.changes;
                let pair = Pair {
                    alias: &place.alias,
                    tenant: place.id,
                    disturbed: &disturbed,
                    twin: &self.twin.ledger,
                    truth: &history.truth,
                };
                pair.compare(now, &mut tally);
            }
        }
        (tally.foreign_requests, tally.foreign_tokens) = self.foreign.seen();
        tally
    }

    /// Does something with every ledger at once.
    fn each(&mut self, act: impl Fn(&Product, &[Place], &mut Dice, &Foreign) -> Tally + Sync) {
        let seed = self.dice.next();
        let (act, foreign) = (&act, &self.foreign);
        let ledgers = (1..).zip(self.products.iter().zip(self.places.chunks(self.options.together)));
        let tallies = std::thread::scope(|scope| {
            let threads: Vec<_> = ledgers
                .map(|(number, (product, places))| {
                    scope.spawn(move || act(product, places, &mut Dice::new(seed ^ number), foreign))
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        tallies.into_iter().for_each(|tally| self.tally.add(tally));
    }
}

fn present() -> Instant {
    Instant::from_micros(Clock::default().now().as_micros() / 1_000_000 * 1_000_000)
}
