//! The baseline: the table that a backup product would keep in SQLite, asked by prepared statements.
//!
//! It answers the same questions with crisp instants: who holds a name is a row with `valid_from` and `valid_to`. It keeps
//! no journal, no hashes, no evidence and no confidence, so it does less; that is what the ratio is about.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};
use whowas::domain::fact::{Addressed, Fact};
use whowas::domain::verdict::Outcome;
use whowas::ledger::Batch;

use super::World;

const SCHEMA: &str = "
    CREATE TABLE object (object BLOB PRIMARY KEY, seen INTEGER NOT NULL, created INTEGER, live INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE held (object BLOB NOT NULL, kind INTEGER NOT NULL, name TEXT NOT NULL, valid_from INTEGER NOT NULL, valid_to INTEGER);
    CREATE INDEX held_by_name ON held (name, valid_from);
    CREATE INDEX held_by_object ON held (object, kind);
    CREATE TABLE snapshot (chain TEXT NOT NULL, taken INTEGER NOT NULL, id TEXT NOT NULL, until INTEGER NOT NULL, object BLOB NOT NULL, PRIMARY KEY (chain, taken, id)) WITHOUT ROWID;
    CREATE INDEX snapshot_by_object ON snapshot (object, until);
";
pub const FIRST: &str = "SELECT object FROM snapshot WHERE chain = ?1 ORDER BY taken LIMIT 1";
pub const NEWEST: &str = "SELECT id, until, object FROM snapshot WHERE chain = ?1 ORDER BY taken DESC LIMIT 1";
pub const CHAIN_OF: &str = "SELECT chain FROM snapshot WHERE object = ?1 ORDER BY until DESC LIMIT 1";
pub const OBJECT: &str = "SELECT live, seen FROM object WHERE object = ?1";
pub const NAMES: &str = "SELECT kind, name, valid_from, valid_to FROM held WHERE object = ?1";
const WHO: &str =
    "SELECT DISTINCT object FROM held WHERE name = ?1 AND valid_from <= ?2 AND (valid_to IS NULL OR valid_to > ?2)";
pub const HOLDERS: &str = "SELECT object, max(valid_from) FROM held WHERE name = ?1 AND valid_from <= ?2 AND (valid_to IS NULL OR valid_to > ?2) GROUP BY object";
const UPN: i64 = 0;
const PRIMARY: i64 = 1;
const ALIAS: i64 = 2;
const WEEK: i64 = 7 * 24 * super::HOUR;

pub struct Sql(Connection);

impl Sql {
    /// Opens or creates the table. Commits are as durable as the ledger's: WAL, synced at every commit. Like the ledger's
    /// directory the file belongs to one process, which spares SQLite the locks around each read.
    pub fn open(path: &Path, cache_capacity_bytes: u64) -> Self {
        let connection = Connection::open(path).unwrap();
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE").unwrap();
        connection.pragma_update(None, "journal_mode", "WAL").unwrap();
        connection.pragma_update(None, "synchronous", "FULL").unwrap();
        let kib = i64::try_from(cache_capacity_bytes / 1024).unwrap();
        connection.pragma_update(None, "cache_size", -kib).unwrap();
        let there: i64 = connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0)).unwrap();
        if there == 0 {
            connection.execute_batch(SCHEMA).unwrap();
        }
        Self(connection)
    }

    pub fn load(&mut self, world: &World) {
        world.commits(|batch, _| self.append(&batch));
    }

    /// One durable transaction for a page: closes names that are gone and opens new ones.
    pub fn append(&mut self, batch: &Batch) {
        let transaction = self.0.transaction().unwrap();
        {
            let mut known = transaction
                .prepare_cached("SELECT rowid, kind, name FROM held WHERE object = ?1 AND valid_to IS NULL")
                .unwrap();
            let mut close = transaction.prepare_cached("UPDATE held SET valid_to = ?2 WHERE rowid = ?1").unwrap();
            let mut open = transaction.prepare_cached("INSERT INTO held VALUES (?1, ?2, ?3, ?4, NULL)").unwrap();
            let mut object = transaction
                .prepare_cached(
                    "INSERT INTO object VALUES (?1, ?2, ?3, 1) ON CONFLICT DO UPDATE SET seen = excluded.seen",
                )
                .unwrap();
            let mut snapshot = transaction.prepare_cached("INSERT INTO snapshot VALUES (?1, ?2, ?3, ?4, ?5)").unwrap();
            for fact in &batch.facts {
                match fact {
                    Fact::Seen(seen) => {
                        let (id, at) = (seen.object.as_bytes().as_slice(), seen.reading.at.as_micros());
                        object.execute(params![id, at, seen.profile.created.map(|at| at.as_micros())]).unwrap();
                        let primary = seen.profile.primary().map(|name| name.key().as_str());
                        let mut now: Vec<(i64, &str)> = Vec::new();
                        now.extend(seen.profile.upn.iter().map(|upn| (UPN, upn.key().as_str())));
                        now.extend(seen.profile.smtp().into_iter().map(|name| {
                            let name = name.key().as_str();
                            (if Some(name) == primary { PRIMARY } else { ALIAS }, name)
                        }));
                        let before: Vec<(i64, i64, String)> = known
                            .query_map([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
                            .unwrap()
                            .map(Result::unwrap)
                            .collect();
                        for (row, _, _) in before.iter().filter(|(_, kind, name)| !now.contains(&(*kind, name))) {
                            close.execute(params![row, at]).unwrap();
                        }
                        let held = |kind, name| before.iter().any(|(_, k, n)| *k == kind && n == name);
                        for (kind, name) in now.iter().filter(|(kind, name)| !held(*kind, *name)) {
                            open.execute(params![id, kind, name, at]).unwrap();
                        }
                    }
                    Fact::SnapshotTaken(taken) => {
                        let Addressed::Object(id) = &taken.addressed else { panic!("these worlds address by id") };
                        let (chain, from) = (taken.chain.as_str(), taken.from.as_micros());
                        let until = taken.until.as_micros();
                        snapshot
                            .execute(params![chain, from, taken.id.as_str(), until, id.as_bytes().as_slice()])
                            .unwrap();
                    }
                    _ => {}
                }
            }
        }
        transaction.commit().unwrap();
    }

    /// May the agent append to this chain, and on what? The chain's owner must be the object, alive and seen of late; its
    /// names at the last snapshot are compared with those of now.
    pub fn check(&self, chain: &str, object: &[u8], now: i64) -> (Outcome, String) {
        let owner: Option<Vec<u8>> =
            self.0.prepare_cached(FIRST).unwrap().query_row([chain], |row| row.get(0)).optional().unwrap();
        if owner.as_deref() != Some(object) {
            return (if owner.is_some() { Outcome::Mismatch } else { Outcome::Baseline }, String::new());
        }
        let newest = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        let (base, until, _): (String, i64, Vec<u8>) =
            self.0.prepare_cached(NEWEST).unwrap().query_row([chain], newest).unwrap();
        let state = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let (live, seen): (bool, i64) = self.0.prepare_cached(OBJECT).unwrap().query_row([object], state).unwrap();
        if let Some(outcome) = stale(live, seen, now) {
            return (outcome, base);
        }
        let mut names = self.0.prepare_cached(NAMES).unwrap();
        let mut rows = names.query([object]).unwrap();
        let mut found = Names::default();
        while let Some(row) = rows.next().unwrap() {
            let (kind, from, to): (i64, i64, Option<i64>) =
                (row.get(0).unwrap(), row.get(2).unwrap(), row.get(3).unwrap());
            found.take(kind, from, to, until, || row.get(1).unwrap());
        }
        (found.outcome(), base)
    }

    /// The same without a chain: the object's newest one is looked for first.
    pub fn check_object(&self, object: &[u8], now: i64) -> (Outcome, String) {
        let chain: Option<String> =
            self.0.prepare_cached(CHAIN_OF).unwrap().query_row([object], |row| row.get(0)).optional().unwrap();
        match chain {
            Some(chain) => self.check(&chain, object, now),
            None => (Outcome::Baseline, String::new()),
        }
    }

    /// The same by a name: who holds it is looked up first. One that somebody got after what the last round proves may be
    /// somebody else's by now.
    pub fn check_name(&self, name: &str, now: i64, horizon: i64) -> (Outcome, String) {
        let mut statement = self.0.prepare_cached(HOLDERS).unwrap();
        let holders: Vec<(Vec<u8>, i64)> = statement
            .query_map(params![name, now], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        match holders.as_slice() {
            [(object, since)] => {
                let (outcome, base) = self.check_object(object, now);
                (if *since > horizon { Outcome::Refresh } else { outcome }, base)
            }
            [] => (Outcome::Unknown, String::new()),
            _ => (Outcome::Ambiguous, String::new()),
        }
    }

    /// The connection, to copy what it holds.
    pub fn connection(&self) -> &Connection {
        &self.0
    }

    /// Who held a name at an instant.
    pub fn who(&self, name: &str, at: i64) -> Vec<Vec<u8>> {
        let mut statement = self.0.prepare_cached(WHO).unwrap();
        statement.query_map(params![name, at], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    /// Puts the write-ahead log into the table, so that the file is all there is.
    pub fn settle(&self) {
        self.0.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    }
}

/// The UPN and the primary address of an object at its last snapshot and now.
#[derive(Default)]
pub struct Names {
    then: [Option<String>; 2],
    today: [Option<String>; 2],
}

impl Names {
    pub fn take(&mut self, kind: i64, from: i64, to: Option<i64>, until: i64, name: impl FnOnce() -> String) {
        let Some(slot) = [UPN, PRIMARY].iter().position(|wanted| *wanted == kind) else { return };
        let name = name();
        if from <= until && to.is_none_or(|to| to > until) {
            self.then[slot] = Some(name.clone());
        }
        if to.is_none() {
            self.today[slot] = Some(name);
        }
    }

    pub fn outcome(&self) -> Outcome {
        if self.then == self.today { Outcome::Continue } else { Outcome::Renamed }
    }
}

/// Why an object must not be backed up now, whatever its names are.
pub fn stale(live: bool, seen: i64, now: i64) -> Option<Outcome> {
    match live {
        false => Some(Outcome::Frozen),
        true => (now - seen > WEEK).then_some(Outcome::Refresh),
    }
}
