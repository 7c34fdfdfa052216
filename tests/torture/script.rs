//! What is appended: each step of each tenant is one commit, and follows from the seed and its number alone.

use std::collections::BTreeMap;
use std::time::Duration;

use whowas::domain::fact::{
    Addressed, Fact, Feed, Horizon, Profile, Reading, Receipt, Removal, Removed, Seen, Snapshot, Source,
};
use whowas::domain::id::{ChainId, ObjectId, SnapshotId, TenantId};
use whowas::domain::name::{Name, NameKind, Proxy};
use whowas::domain::time::Instant;
use whowas::ledger::{Batch, Stamp};
use whowas::store::{Cursor, Link, Outcome, Run, RunKind, Trigger};

use super::dice::Dice;

pub const TENANTS: usize = 3;
/// People whose names come and go, and the names that they share.
pub const PEOPLE: u64 = 24;
pub const NAMES: u64 = 30;

const LAG: Duration = Duration::from_secs(300);
/// How many steps make a round: a few people, snapshots, a page or receipts, the horizon.
const ROUND: u64 = 4;
/// Every so many rounds bring a large page.
const LARGE: u64 = 5;

pub fn tenant(number: usize) -> TenantId {
    TenantId::from_bytes([0x40 + u8::try_from(number).unwrap(); 16])
}

pub fn object(tenant: usize, person: u64) -> ObjectId {
    ObjectId::from_bytes((u128::from(person) << 64 | (tenant as u128 + 1)).to_be_bytes())
}

pub fn name(number: u64) -> Name {
    format!("Name{number}@contoso.example").parse().unwrap()
}

/// Chains of two tenants have no id in common: whether another tenant has one is told in a verdict.
pub fn chain(tenant: usize, person: u64) -> ChainId {
    format!("chain/{tenant}.{person}").parse().unwrap()
}

fn snapshot_id(step: u64, nth: u64) -> SnapshotId {
    format!("s{step}.{nth}").parse().unwrap()
}

/// When a step happens.
pub fn time(step: u64) -> Instant {
    Instant::from_micros(1_700_000_000_000_000).plus(Duration::from_secs(step * 600))
}

/// A tenant's step; the first is 0 and makes commit 1.
pub fn step(seed: u64, tenant: usize, step: u64) -> (Batch, Stamp) {
    let mut dice = Dice::new(seed ^ (step << 8) ^ ((tenant as u64) << 56));
    let _ = dice.next();
    let round = step / ROUND;
    let since = (round > 0).then(|| time(round * ROUND - 1).minus(LAG));
    let mut batch = Batch::default();
    match step % ROUND {
        0 => batch.facts = some_people(&mut dice, tenant, step, since, 6),
        1 => batch.facts = (0..=dice.below(3)).map(|nth| snapshot(&mut dice, tenant, step, nth)).collect(),
        2 if round % LARGE == LARGE - 1 => batch.facts = page(tenant, step, since),
        2 => {
            batch.facts = some_people(&mut dice, tenant, step, since, 2);
            batch.facts.push(receipt(&mut dice, tenant, step - 1));
        }
        _ => {
            let through = time(step).minus(LAG);
            batch.facts = vec![Fact::Horizon(Horizon { feed: Feed::Delta, from: since.unwrap_or(through), through })];
            batch.cursor = Some(Cursor {
                link: Link::Delta { url: format!("https://graph.invalid/delta?token={step}") },
                horizon: Some(through),
                beside: BTreeMap::new(),
            });
            batch.run = Some(run(round + 1, step));
        }
    }
    let mut salt = [0; 16];
    salt[..8].copy_from_slice(&dice.next().to_be_bytes());
    (batch, Stamp { now: time(step), salt })
}

fn reading(step: u64, since: Option<Instant>) -> Reading {
    Reading { at: time(step), lag: LAG, source: Source::Delta, unchanged_since: since }
}

fn some_people(dice: &mut Dice, tenant: usize, step: u64, since: Option<Instant>, most: u64) -> Vec<Fact> {
    let count = 1 + dice.below(most);
    let first = dice.below(PEOPLE);
    let mut facts: Vec<Fact> = (0..count)
        .map(|nth| {
            let named = name(dice.below(NAMES));
            let person = (first + nth) % PEOPLE;
            seen(object(tenant, person), step, since, named)
        })
        .collect();
    if dice.chance(15) {
        let removal = dice.pick(&[Removal::Soft, Removal::Purged]);
        let object = object(tenant, (first + count) % PEOPLE);
        facts.push(Fact::Removed(Removed {
            object,
            reading: reading(step, since),
            removal,
            deleted: None,
            last_upn: None,
        }));
    }
    facts
}

/// More than one of the engine's pages can hold.
fn page(tenant: usize, step: u64, since: Option<Instant>) -> Vec<Fact> {
    let someone = |nth: u64| {
        let named: Name = format!("Somebody.{nth}.Of.Round{step}@contoso.example").parse().unwrap();
        seen(object(tenant, 1_000 + step * 1_000 + nth), step, since, named)
    };
    (0..700).map(someone).collect()
}

fn seen(object: ObjectId, step: u64, since: Option<Instant>, named: Name) -> Fact {
    let profile = Profile {
        upn: Some(named.clone()),
        mail: Some(named.clone()),
        proxies: vec![Proxy::Primary(named)],
        ..Profile::default()
    };
    Fact::Seen(Seen { object, reading: reading(step, since), profile })
}

fn snapshot(dice: &mut Dice, tenant: usize, step: u64, nth: u64) -> Fact {
    // The first one's chain follows from the step, for the receipt that comes after it.
    let person = if nth == 0 { step % PEOPLE } else { dice.below(PEOPLE) };
    let addressed = match dice.chance(60) {
        true => Addressed::Name(name(dice.below(NAMES)), NameKind::Any),
        false => Addressed::Object(object(tenant, person)),
    };
    let from = time(step).plus(Duration::from_secs(nth * 30));
    let until = from.plus(Duration::from_secs(20));
    Fact::SnapshotTaken(Snapshot {
        chain: chain(tenant, person),
        id: snapshot_id(step, nth),
        from,
        until,
        addressed,
        mailbox: None,
    })
}

/// What the agent read for the first snapshot of a step.
fn receipt(dice: &mut Dice, tenant: usize, of: u64) -> Fact {
    Fact::Receipt(Receipt {
        chain: chain(tenant, of % PEOPLE),
        snapshot: snapshot_id(of, 0),
        object: object(tenant, dice.below(PEOPLE)),
        mailbox: None,
        object_end: None,
        mailbox_end: None,
    })
}

fn run(number: u64, step: u64) -> Run {
    Run {
        run: number,
        trigger: Trigger::Schedule,
        kind: RunKind::Delta,
        started: time(step),
        ended: Some(time(step)),
        outcome: Outcome::Completed,
        pages: 1,
        seen: step,
        changed: 1,
        removed: 0,
        restored: 0,
        facts: step,
        requests: 2,
        throttled_ms: 0,
        horizon: Some(time(step).minus(LAG)),
        error: None,
        note: None,
    }
}
