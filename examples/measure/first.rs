//! A first sync's pages put into the ledger, and the same keys and values put into the engine alone, each page durable
//! before the next; and opening what a kill at the end of it left.

use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant as Clock;

use whowas::domain::id::TenantId;
use whowas::ledger::Ledger;

use crate::budgets::figure;
use crate::world::{TENANT, World, raw, stamp};
use crate::{Settings, seconds, store_in};

/// The last line of a process that wants to be killed now.
pub const KILL: &str = "kill=now";

fn ledger_dir(settings: &Settings) -> PathBuf {
    settings.dir.join("first")
}

/// What the pages are read from afterwards.
pub fn copy_dir(settings: &Settings) -> PathBuf {
    settings.dir.join("first-copy")
}

/// Puts the pages into a new ledger, and then waits to be killed with the ledger open.
pub fn sync(settings: &Settings, world: World) {
    for old in [ledger_dir(settings), copy_dir(settings)] {
        let _ = std::fs::remove_dir_all(old);
    }
    let ledger = Ledger::new(store_in(settings, &ledger_dir(settings)));
    let (mut commits, mut took) = (0, 0.0);
    world.first_pages(|batch, now| {
        let start = Clock::now();
        ledger.append(TENANT, batch, stamp(now, commits)).unwrap();
        took += seconds(start);
        commits += 1;
    });
    figure("first sync", world.users as f64 / took);
    println!("{KILL}");
    std::io::stdout().flush().unwrap();
    loop {
        std::thread::park();
    }
}

/// Opens what the kill left, by the ledger and by the engine alone.
pub fn open_killed(settings: &Settings) {
    raw::copy(&ledger_dir(settings), &copy_dir(settings));
    let start = Clock::now();
    let store = store_in(settings, &ledger_dir(settings));
    figure("killed open", seconds(start));
    drop(store);
    let start = Clock::now();
    let engine = raw::open(&copy_dir(settings), settings.cache_capacity_bytes);
    figure("engine killed open", seconds(start));
    drop(engine);
}

/// Puts the same keys and values, page by page, into the engine alone.
pub fn engine(settings: &Settings, world: World) {
    let pages = pages(settings, world);
    let dir = settings.dir.join("engine-alone");
    let alone = Alone::create(&dir, settings.cache_capacity_bytes);
    let mut took = 0.0;
    for page in pages {
        let batch = batch(&page, TENANT);
        let start = Clock::now();
        alone.commit(batch);
        took += seconds(start);
    }
    figure("engine batches", world.users as f64 / took);
    drop(alone);
    std::fs::remove_dir_all(&dir).unwrap();
    std::fs::remove_dir_all(ledger_dir(settings)).unwrap();
}

/// The engine with what a durable batch needs: it is applied, flushed, and its file synced, as the ledger does it.
pub struct Alone {
    db: sled::Db,
    file: std::fs::File,
}

impl Alone {
    fn create(dir: &Path, cache_capacity_bytes: u64) -> Self {
        std::fs::create_dir_all(dir).unwrap();
        Self::open(dir, cache_capacity_bytes)
    }

    pub fn open(dir: &Path, cache_capacity_bytes: u64) -> Self {
        let db = raw::open(dir, cache_capacity_bytes);
        let file = std::fs::File::options().read(true).write(true).open(dir.join("engine").join("db")).unwrap();
        Self { db, file }
    }

    pub fn commit(&self, batch: sled::Batch) {
        self.db.apply_batch(batch).unwrap();
        self.db.flush().unwrap();
        self.file.sync_data().unwrap();
    }

    pub fn db(&self) -> &sled::Db {
        &self.db
    }
}

/// What the ledger wrote for one page: keys without their tenant, and values.
pub type Page = Vec<(Vec<u8>, sled::IVec)>;

/// The same under the keys of a tenant.
pub fn batch(page: &Page, tenant: TenantId) -> sled::Batch {
    let mut batch = sled::Batch::default();
    for (rest, value) in page {
        batch.insert([tenant.as_bytes().as_slice(), rest].concat(), value.clone());
    }
    batch
}

/// What the ledger wrote for each page of the first sync.
pub fn pages(settings: &Settings, world: World) -> Vec<Page> {
    let places: HashMap<[u8; 16], usize> =
        (0..world.users).map(|user| (*World::object(user).as_bytes(), World::first_page_of(user))).collect();
    let last = World::first_page_of(world.users - 1);
    let mut pages = vec![Page::new(); last + 1];
    let mut elsewhere = 0_u64;
    let db = raw::open(&copy_dir(settings), settings.cache_capacity_bytes);
    for record in db.iter() {
        let (key, value) = record.unwrap();
        let Some(rest) = key.strip_prefix(TENANT.as_bytes()) else { continue };
        let by_sequence = || Some(u64::from_be_bytes(rest.get(1..9)?.try_into().ok()?) as usize - 1);
        let by_object = |bytes: Option<&[u8]>| places.get(bytes?).copied();
        let page = match rest.first() {
            // The journal, facts of the tenant, nodes of the log.
            Some(0x01 | 0x0a | 0x17) => by_sequence(),
            Some(0x03) => by_object(rest.get(1..17)),
            Some(0x04) => by_object(rest.get(rest.len().saturating_sub(16)..)),
            // The head is written anew by each page.
            Some(0x02) => {
                pages.iter_mut().for_each(|page| page.push((rest.to_vec(), value.clone())));
                continue;
            }
            _ => None,
        };
        elsewhere += u64::from(page.is_none());
        pages[page.unwrap_or(last).min(last)].push((rest.to_vec(), value));
    }
    assert!(elsewhere * 100 <= world.users, "{elsewhere} records belong to no page that is known here");
    pages
}
