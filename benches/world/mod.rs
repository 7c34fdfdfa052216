//! A tenant of many users, loaded as the sync loads one, and the same questions put to the engine alone and to SQLite.
//!
//! Used by the benches and, by path, by `examples/measure.rs`. Everything follows from the user's number, so nothing of
//! the world need be kept in memory.

#![allow(dead_code, reason = "each program that includes this uses a part of it")]

pub mod raw;
pub mod sql;

use std::collections::BTreeMap;
use std::time::Duration;

use whowas::domain::fact::{Addressed, Fact, Feed, Horizon, Profile, Reading, RoundBegan, Seen, Snapshot, Source};
use whowas::domain::id::{ChainId, ObjectId, TenantId};
use whowas::domain::name::{Name, Proxy};
use whowas::domain::time::Instant;
use whowas::domain::verdict::Ask;
use whowas::ledger::{Batch, Ledger, Stamp};
use whowas::store::{Cursor, Link};

pub const TENANT: TenantId = TenantId::from_bytes([0x5c; 16]);
pub const HOUR: i64 = 3_600_000_000;
const START: i64 = 1_790_000_000_000_000;
const LAG: Duration = Duration::from_secs(300);
/// Chains are kept for at most so many users.
const CHAINS_MAX: u64 = 100_000;
const SNAPSHOTS_A_COMMIT: usize = 500;
/// Users on a page of a first round, and on one of a later round.
const FULL_PAGE: u64 = 999;
const DELTA_PAGE: usize = 200;

/// A tenant: a first round, two snapshots a chain, and a delta round in which one user of ten has a new name.
#[derive(Clone, Copy, Debug)]
pub struct World {
    pub users: u64,
}

impl World {
    pub fn new(users: u64) -> Self {
        Self { users }
    }

    pub fn chains(&self) -> u64 {
        self.users.min(CHAINS_MAX)
    }

    pub fn is_renamed(user: u64) -> bool {
        user % 10 == 3
    }

    /// Ids are as random as the directory's, so pages do not come in the order of the keys.
    pub fn object(user: u64) -> ObjectId {
        let high = mix(user.wrapping_mul(2)) & !0xf000 | 0x4000;
        let low = mix(user.wrapping_mul(2) + 1) >> 2 | 1 << 63;
        ObjectId::from_bytes((u128::from(high) << 64 | u128::from(low)).to_be_bytes())
    }

    pub fn chain(user: u64) -> ChainId {
        format!("exo/{}", Self::object(user)).parse().unwrap()
    }

    pub fn snapshot_id(nth: u64) -> String {
        format!("rp-{nth:04}")
    }

    /// When a chain's snapshots were taken: both after the first round and before the second.
    pub fn snapshot_time(user: u64, nth: u64) -> (Instant, Instant) {
        let from =
            START + HOUR * i64::try_from(2 + 24 * nth).unwrap() + i64::try_from(user % 3600).unwrap() * 1_000_000;
        (Instant::from_micros(from), Instant::from_micros(from + 90_000_000))
    }

    pub fn upn(user: u64, renamed: bool) -> String {
        let pick = |list: &[&'static str], salt| list[(mix(user ^ salt) % list.len() as u64) as usize];
        let last = pick(&LAST, if renamed { 0x5eed } else { 0x1a57 });
        // The number is spread, so that the order of names is not the order of pages either.
        let number = mix(user) % 1_000_000 * 10 + u64::from(renamed);
        format!("{}.{last}{number}.{user}@contoso.com", pick(&FIRST, 0xf1a5))
    }

    pub fn profile(user: u64, renamed: bool) -> Profile {
        let upn = Self::upn(user, renamed);
        let name: Name = upn.parse().unwrap();
        let nick: Name = format!("u{user}@contoso.onmicrosoft.com").parse().unwrap();
        let mut proxies = vec![Proxy::Primary(name.clone()), Proxy::Alias(nick)];
        if renamed {
            proxies.push(Proxy::Alias(Self::upn(user, false).parse().unwrap()));
        }
        Profile {
            upn: Some(name.clone()),
            mail: Some(name),
            proxies,
            created: Some(Instant::from_micros(START - HOUR * 24 * i64::try_from(1 + user % 3000).unwrap())),
            user_type: Some("Member".to_owned()),
            ..Profile::default()
        }
    }

    pub fn first_round() -> Instant {
        Instant::from_micros(START)
    }

    pub fn second_round() -> Instant {
        Instant::from_micros(START + 50 * HOUR)
    }

    /// How far the second round reaches.
    pub fn horizon() -> Instant {
        Self::second_round().minus(LAG)
    }

    /// When the questions are asked: within the hour after the second round.
    pub fn now() -> Instant {
        Instant::from_micros(START + 51 * HOUR)
    }

    fn seen(user: u64, at: Instant, unchanged_since: Option<Instant>, renamed: bool) -> Fact {
        Fact::Seen(Seen {
            object: Self::object(user),
            reading: Reading { at, lag: LAG, source: Source::Delta, unchanged_since },
            profile: Self::profile(user, renamed),
        })
    }

    pub fn snapshot(user: u64, nth: u64) -> Snapshot {
        let (from, until) = Self::snapshot_time(user, nth);
        Snapshot {
            chain: Self::chain(user),
            id: Self::snapshot_id(nth).parse().unwrap(),
            from,
            until,
            addressed: Addressed::Object(Self::object(user)),
            mailbox: None,
        }
    }

    /// A page of changed users after the second round, as the delta feed brings it.
    pub fn changed_page(users: impl Iterator<Item = u64>, nth: u64) -> Batch {
        let at = Instant::from_micros(START + 51 * HOUR + i64::try_from(nth).unwrap() * 1_000_000);
        let since = Some(Self::second_round().minus(LAG));
        let facts = users.map(|user| Self::seen(user, at, since, true)).collect();
        Batch { facts, cursor: Some(cursor(&format!("later-{nth}"), at, since)), ..Batch::default() }
    }

    /// The pages of the first round in order, with their time.
    pub fn first_pages(&self, mut each: impl FnMut(Batch, Instant)) {
        let first = Self::first_round();
        let from = first.minus(LAG);
        let mut next = 0;
        while next < self.users {
            let end = self.users.min(next + FULL_PAGE);
            let mut facts = Vec::new();
            if next == 0 {
                facts.push(Fact::RoundBegan(RoundBegan { started: first }));
            }
            facts.extend((next..end).map(|user| Self::seen(user, first, None, false)));
            if end == self.users {
                facts.push(Fact::Horizon(Horizon { feed: Feed::Delta, from, through: from }));
            }
            each(
                Batch { facts, cursor: Some(cursor(&format!("full-{next}"), first, None)), ..Batch::default() },
                first,
            );
            next = end;
        }
    }

    /// The page of the first round that a user stands on.
    pub fn first_page_of(user: u64) -> usize {
        (user / FULL_PAGE) as usize
    }

    /// A whole delta round after the second: its beginning, one page of changed users, and how far it reaches.
    pub fn delta_round(users: impl Iterator<Item = u64>, nth: u64) -> (Batch, Instant) {
        let hours = 51 + i64::try_from(nth).unwrap();
        let (before, at) =
            (Instant::from_micros(START + (hours - 1) * HOUR), Instant::from_micros(START + hours * HOUR));
        let (from, through) = (before.minus(LAG), at.minus(LAG));
        let mut facts = vec![Fact::RoundBegan(RoundBegan { started: at })];
        facts.extend(users.map(|user| Self::seen(user, at, Some(from), true)));
        facts.push(Fact::Horizon(Horizon { feed: Feed::Delta, from, through }));
        (Batch { facts, cursor: Some(cursor(&format!("round-{nth}"), at, Some(from))), ..Batch::default() }, at)
    }

    /// Every commit of the world in order, with its time.
    pub fn commits(&self, mut each: impl FnMut(Batch, Instant)) {
        self.first_pages(&mut each);
        let (first, second) = (Self::first_round(), Self::second_round());
        let (from, through) = (first.minus(LAG), second.minus(LAG));
        for nth in 0..2 {
            let taken: Vec<u64> = (0..self.chains()).collect();
            for users in taken.chunks(SNAPSHOTS_A_COMMIT) {
                let facts = users.iter().map(|user| Fact::SnapshotTaken(Self::snapshot(*user, nth))).collect();
                each(Batch { facts, ..Batch::default() }, Self::snapshot_time(0, nth).1);
            }
        }
        let renamed: Vec<u64> = (0..self.users).filter(|user| Self::is_renamed(*user)).collect();
        let pages = renamed.chunks(DELTA_PAGE).count();
        for (page, users) in renamed.chunks(DELTA_PAGE).enumerate() {
            let mut facts = Vec::new();
            if page == 0 {
                facts.push(Fact::RoundBegan(RoundBegan { started: second }));
            }
            facts.extend(users.iter().map(|user| Self::seen(*user, second, Some(from), true)));
            if page + 1 == pages {
                facts.push(Fact::Horizon(Horizon { feed: Feed::Delta, from, through }));
            }
            let cursor = Some(cursor(&format!("delta-{page}"), second, Some(from)));
            each(Batch { facts, cursor, ..Batch::default() }, second);
        }
    }

    /// Loads the world into a ledger, each commit durable. Returns the number of commits.
    pub fn load(&self, ledger: &Ledger) -> u64 {
        let mut commits = 0;
        self.commits(|batch, now| {
            ledger.append(TENANT, batch, stamp(now, commits)).unwrap();
            commits += 1;
        });
        commits
    }

    /// Users that have a chain, in a random order that is the same in every run.
    pub fn asked(&self, count: usize, seed: u64) -> Vec<u64> {
        (0..count as u64).map(|nth| mix(seed.wrapping_mul(0x9e37) ^ nth) % self.chains()).collect()
    }

    /// Any users, in a random order that is the same in every run.
    pub fn anyone(&self, count: usize, seed: u64) -> Vec<u64> {
        (0..count as u64).map(|nth| mix(seed.wrapping_mul(0x9e37) ^ nth) % self.users).collect()
    }
}

/// "May I append to this chain?" by the chain and the object id that the agent is going to open.
pub fn ask_by_chain(user: u64) -> Ask {
    Ask { chain: Some(World::chain(user)), object: Some(World::object(user)), ..Ask::default() }
}

/// The same by the object id alone: the chain is to be found.
pub fn ask_by_object(user: u64) -> Ask {
    Ask { object: Some(World::object(user)), ..Ask::default() }
}

/// The same by the name it has now.
pub fn ask_by_name(user: u64) -> Ask {
    Ask { name: Some(name_now(user)), ..Ask::default() }
}

/// The name a user has now.
pub fn name_now(user: u64) -> Name {
    World::upn(user, World::is_renamed(user)).parse().unwrap()
}

pub fn stamp(now: Instant, nth: u64) -> Stamp {
    let salt = (u128::from(mix(nth)) << 64 | u128::from(mix(!nth))).to_be_bytes();
    Stamp { now, salt }
}

/// Links of the delta feed are long: some hundred random letters.
fn cursor(token: &str, round_started: Instant, horizon: Option<Instant>) -> Cursor {
    let url = format!("https://graph.microsoft.com/v1.0/users/delta?$skiptoken={token}-{}", "x".repeat(400));
    Cursor { link: Link::Next { url, round_started, began: None }, horizon, beside: BTreeMap::new() }
}

/// splitmix64: a fixed permutation of the numbers that looks random.
pub fn mix(number: u64) -> u64 {
    let a = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let b = (a ^ a >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let c = (b ^ b >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    c ^ c >> 31
}

const FIRST: [&str; 16] = [
    "ann", "bob", "carla", "dmitri", "elena", "femi", "grace", "hiro", "ines", "jonas", "kim", "lucia", "mateo",
    "nora", "omar", "priya",
];
const LAST: [&str; 16] = [
    "abbott", "baker", "castillo", "dahl", "eriksen", "fischer", "garcia", "hansen", "ivanova", "jensen", "kowalski",
    "larsen", "moreau", "nakamura", "okafor", "petersen",
];
