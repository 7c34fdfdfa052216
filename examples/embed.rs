//! A backup agent with a ledger of its own: no service, no network.
//!
//! `cargo run --example embed --no-default-features`
//!
//! The story: Alice's mailbox is backed up, Alice is renamed, and a newcomer gets her old name. The agent tells the ledger
//! what it reads of the directory and which snapshots it takes, and asks before each run.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::time::Duration;

use whowas::domain::fact::{Addressed, Fact, Feed, Horizon, Profile, Reading, Seen, Snapshot, Source};
use whowas::domain::id::{ObjectId, TenantId};
use whowas::domain::name::{Name, NameKind, Proxy};
use whowas::domain::time::Instant;
use whowas::domain::verdict::{Ask, Policy};
use whowas::ledger::{Batch, KnownAt, Ledger, Stamp};
use whowas::store::sled::{SledOptions, SledStore};

/// How far what the directory answers may trail behind what it knows.
const LAG: Duration = Duration::from_secs(300);

fn main() -> Result<(), Box<dyn Error>> {
    let tenant: TenantId = "b0f2a1c4-0000-4000-8000-000000000001".parse()?;
    let alice: ObjectId = "7e06b566-15f3-4013-8bf8-79874d52e68a".parse()?;
    let newcomer: ObjectId = "0d1c6a3e-58f4-4c1b-9d2e-7a5f0c9b8e11".parse()?;

    // The ledger is a directory. One process at a time holds it; another one is told who does.
    let directory = tempfile::tempdir()?;
    let options = SledOptions { create: true, ..SledOptions::new("embed", time("2026-03-01T00:00:00Z")?) };
    let ledger = Ledger::new(SledStore::open(directory.path(), options)?);

    // A first round of the directory's delta feed: every user, and a horizon that says through when nothing was missed.
    let first = time("2026-03-01T06:00:00Z")?;
    let facts = vec![seen(alice, "alice@contoso.com", first, None)?, horizon(first, first)];
    ledger.append(tenant, Batch { facts, ..Batch::default() }, stamp(first))?;

    // A second round that reports nobody is worth an append: its horizon proves that all was unchanged until then.
    let second = time("2026-03-01T18:00:00Z")?;
    ledger.append(tenant, Batch { facts: vec![horizon(first, second)], ..Batch::default() }, stamp(second))?;

    // Before the first backup: is there a chain for Alice's mailbox? The answer carries the object id to open.
    let ask = Ask { object: Some(alice), ..Ask::default() };
    say(&ledger, tenant, "may I back up Alice?", &ask, time("2026-03-01T22:00:00Z")?)?;

    // It was taken, by object id. An agent that can only open by name records that name: `Addressed::Name`.
    let taken = Snapshot {
        chain: "exo/alice".parse()?,
        id: "rp-0001".parse()?,
        from: time("2026-03-01T22:00:10Z")?,
        until: time("2026-03-01T22:04:00Z")?,
        addressed: Addressed::Object(alice),
        mailbox: None,
    };
    let batch = Batch { facts: vec![Fact::SnapshotTaken(taken)], ..Batch::default() };
    ledger.append(tenant, batch, stamp(time("2026-03-01T22:04:01Z")?))?;

    // The third round reports two users: Alice has a new name, and a newcomer has her old one.
    let third = time("2026-03-02T06:00:00Z")?;
    let facts = vec![
        seen(alice, "alice.moreau@contoso.com", third, Some(second))?,
        seen(newcomer, "alice@contoso.com", third, Some(second))?,
        horizon(second, third),
    ];
    let appended = ledger.append(tenant, Batch { facts, ..Batch::default() }, stamp(third))?;
    println!("the third round changed {} objects\n", appended.summary.changed);

    // By object id the chain simply goes on. By the old name it does not: that mailbox is somebody else's now.
    let now = time("2026-03-02T22:00:00Z")?;
    let chain = Some("exo/alice".parse()?);
    let by_id = Ask { chain: chain.clone(), object: Some(alice), ..Ask::default() };
    say(&ledger, tenant, "may I go on with the chain, opening by object id?", &by_id, now)?;
    let by_name = Ask { chain, name: Some("alice@contoso.com".parse()?), ..Ask::default() };
    say(&ledger, tenant, "may I go on with the chain, opening alice@contoso.com?", &by_name, now)?;

    // The auditor's question. At noon it was Alice, for certain. In the night the name passed to the newcomer at some time
    // between two rounds, and the ledger does not pretend to know when; an event of the audit log would tell.
    let name: Name = "Alice@Contoso.com".parse()?;
    for at in ["2026-03-01T12:00:00Z", "2026-03-02T03:00:00Z"] {
        let who = ledger.who(tenant, &name, NameKind::Any, Some(time(at)?), KnownAt::Now, now)?;
        println!("who was {} at {at}? {:?}", name.spelling(), who.standing.confidence);
        for candidate in &who.standing.candidates {
            println!("  {} ({:?})", candidate.object, candidate.confidence);
        }
    }
    Ok(())
}

fn say(ledger: &Ledger, tenant: TenantId, question: &str, ask: &Ask, now: Instant) -> Result<(), Box<dyn Error>> {
    let checked = ledger.check(tenant, ask, &Policy::default(), now, KnownAt::Now, None)?;
    let verdict = checked.verdict;
    println!("{question}");
    println!("  {:?}: {:?}", verdict.outcome, verdict.outcome.action());
    if let Some(base) = &verdict.base {
        println!("  build on {base}");
    }
    for reason in &verdict.reasons {
        println!("  because {reason}");
    }
    for instead in &verdict.instead {
        println!("  instead, for {}: {:?}", instead.object, instead.action);
    }
    // With the same basis the same question gives the same answer, also years later.
    println!("  as known at commit {}\n", checked.basis.sequence);
    Ok(())
}

/// A user as the delta feed shows it. `since` is the horizon before, through which the user's earlier state is proved.
fn seen(object: ObjectId, upn: &str, at: Instant, since: Option<Instant>) -> Result<Fact, Box<dyn Error>> {
    let name: Name = upn.parse()?;
    let reading = Reading { at, lag: LAG, source: Source::Delta, unchanged_since: since.map(|since| since.minus(LAG)) };
    let profile = Profile {
        upn: Some(name.clone()),
        mail: Some(name.clone()),
        proxies: vec![Proxy::Primary(name)],
        ..Profile::default()
    };
    Ok(Fact::Seen(Seen { object, reading, profile }))
}

/// A completed round: nothing was missed through its start less the directory's lag.
fn horizon(from: Instant, round: Instant) -> Fact {
    Fact::Horizon(Horizon { feed: Feed::Delta, from: from.minus(LAG), through: round.minus(LAG) })
}

/// The ledger has no clock and no randomness of its own: an agent gives it the time and sixteen random bytes.
fn stamp(now: Instant) -> Stamp {
    Stamp { now, salt: uuid::Uuid::new_v4().into_bytes() }
}

fn time(text: &str) -> Result<Instant, Box<dyn Error>> {
    Ok(text.parse()?)
}
