//! Measures an import: `cargo run --release --example catalogue -- --lines 1000000`.
//!
//! It makes a catalogue of so many snapshot lines, imports it into a fresh ledger through the service, as `whowas import
//! snapshots` does, and inserts the same rows into SQLite: lines parsed likewise, transactions of as many rows as the
//! ledger's commits, each one durable. SQLite checks nothing but its primary key and keeps no journal and no hashes.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a tool may stop at the first surprise"
)]

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant as Clock};

use rusqlite::{Connection, params};
use whowas::domain::id::TenantId;
use whowas::domain::time::Instant;
use whowas::domain::verdict::Policy;
use whowas::import::What;
use whowas::ledger::Ledger;
use whowas::service::Desk;
use whowas::service::import::{LINES_A_COMMIT, import};
use whowas::store::sled::{SledOptions, SledStore};

const TENANT: TenantId = TenantId::from_bytes([0x5c; 16]);
const START: Instant = Instant::from_micros(1_790_000_000_000_000);
/// Restore points a chain.
const A_CHAIN: u64 = 30;

fn main() {
    let (lines, dir) = settings();
    std::fs::create_dir_all(&dir).unwrap();
    let file = dir.join("catalogue.jsonl");
    let bytes = write_catalogue(&file, lines);
    let ledger = import_all(&file, &dir.join("ledger"), lines);
    let sqlite = insert_all(&file, &dir.join("rows.sqlite"), lines);
    std::fs::remove_dir_all(&dir).unwrap();
    println!("{lines} lines, {} MB, {LINES_A_COMMIT} lines a commit", bytes / 1_000_000);
    println!("{:<30} {:>12} {:>14}", "", "seconds", "lines/s");
    for (what, took) in [("whowas, checked and appended", ledger), ("SQLite, inserted", sqlite)] {
        println!("{what:<30} {:>12.2} {:>14.0}", took.as_secs_f64(), rate(lines, took));
    }
    println!("SQLite is {:.1} times as fast", ledger.as_secs_f64() / sqlite.as_secs_f64());
}

fn settings() -> (u64, PathBuf) {
    let mut lines = 20_000;
    let mut dir = std::env::temp_dir().join(format!("whowas-catalogue-{}", std::process::id()));
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().unwrap_or_else(|| panic!("{name} needs a value"));
        match name.as_str() {
            "--lines" => lines = value.replace('_', "").parse().expect("a number of lines"),
            "--dir" => dir = PathBuf::from(value).join("whowas-catalogue"),
            _ => panic!("usage: catalogue [--lines N] [--dir FOLDER]"),
        }
    }
    (lines, dir)
}

#[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 52 bits")]
fn rate(lines: u64, took: Duration) -> f64 {
    lines as f64 / took.as_secs_f64()
}

/// Daily restore points of many mailboxes, opened by name, as a product's catalogue lists them: day by day.
fn write_catalogue(file: &Path, lines: u64) -> u64 {
    let mut out = BufWriter::new(File::create(file).unwrap());
    let chains = lines.div_ceil(A_CHAIN);
    for line in 0..lines {
        let (day, chain) = (line / chains, line % chains);
        let from = START.plus(Duration::from_secs(day * 86_400 + chain % 20_000));
        let until = from.plus(Duration::from_secs(90));
        writeln!(
            out,
            r#"{{"chain":"exo/{chain:07}","snapshot":"rp-{day:04}","from":"{from}","until":"{until}","name":"user{chain:07}@contoso.com","mailbox":null}}"#
        )
        .unwrap();
    }
    out.flush().unwrap();
    std::fs::metadata(file).unwrap().len()
}

fn import_all(file: &Path, ledger: &Path, lines: u64) -> Duration {
    let now = START.plus(Duration::from_secs(400 * 86_400));
    let mut options = SledOptions::new("import", now);
    options.create = true;
    let ledger = Ledger::new(SledStore::open(ledger, options).unwrap());
    let clock = whowas::clock::Clock::new(Some(now));
    let desk = Desk { ledger, tenant: TENANT, policy: Policy::default(), clock };
    let began = Clock::now();
    let mut file = File::open(file).unwrap();
    let imported = import(&desk, What::Snapshots, &mut file, false, &mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(imported.added, lines, "{imported:?}");
    began.elapsed()
}

fn insert_all(file: &Path, database: &Path, lines: u64) -> Duration {
    let mut connection = Connection::open(database).unwrap();
    connection.pragma_update(None, "journal_mode", "WAL").unwrap();
    connection.pragma_update(None, "synchronous", "FULL").unwrap();
    connection
        .execute_batch(
            "CREATE TABLE snapshot (chain TEXT NOT NULL, id TEXT NOT NULL, taken INTEGER NOT NULL, until INTEGER NOT NULL,
             name TEXT NOT NULL, PRIMARY KEY (chain, taken, id)) WITHOUT ROWID;
             CREATE INDEX snapshot_by_name ON snapshot (name, chain);",
        )
        .unwrap();
    let began = Clock::now();
    let mut rows = BufReader::new(File::open(file).unwrap()).lines().peekable();
    while rows.peek().is_some() {
        let transaction = connection.transaction().unwrap();
        {
            let mut insert = transaction.prepare_cached("INSERT INTO snapshot VALUES (?1, ?2, ?3, ?4, ?5)").unwrap();
            for row in rows.by_ref().take(LINES_A_COMMIT) {
                let row: serde_json::Value = serde_json::from_str(&row.unwrap()).unwrap();
                let text = |name: &str| row.get(name).unwrap().as_str().unwrap();
                let time = |name: &str| text(name).parse::<Instant>().unwrap().as_micros();
                insert
                    .execute(params![text("chain"), text("snapshot"), time("from"), time("until"), text("name")])
                    .unwrap();
            }
        }
        transaction.commit().unwrap();
    }
    let took = began.elapsed();
    let there: u64 = connection.query_row("SELECT count(*) FROM snapshot", [], |row| row.get(0)).unwrap();
    assert_eq!(there, lines);
    took
}
