//! A ledger that is told what a sync, a live read, the audit log and agents would tell it.

use std::time::Duration;

use tempfile::TempDir;
use whowas::clock::Clock;
use whowas::domain::fact::*;
use whowas::domain::id::{MailboxId, ObjectId, TenantId};
use whowas::domain::name::{Name, NameKind, Proxy};
use whowas::domain::time::Instant;
use whowas::domain::verdict::{Ask, Policy, Verdict};
use whowas::ledger::{Appended, Batch, KnownAt, Ledger, SnapshotView, Stamp, Who};
use whowas::service::Desk;
use whowas::store::memory::MemoryStore;
use whowas::store::sled::{SledOptions, SledStore};

pub const TENANT: TenantId = TenantId::from_bytes([0x77; 16]);
pub const A: ObjectId = ObjectId::from_bytes([0xaa; 16]);
pub const B: ObjectId = ObjectId::from_bytes([0xbb; 16]);
pub const C: ObjectId = ObjectId::from_bytes([0xcc; 16]);
pub const M1: MailboxId = MailboxId::from_bytes([1; 16]);
pub const M2: MailboxId = MailboxId::from_bytes([2; 16]);
pub const LAG: Duration = Duration::from_secs(300);

/// A day and a time of day, such as `t(1, "09:30")`; day 0 is the first of January 2026.
pub fn t(day: u64, clock: &str) -> Instant {
    let midnight: Instant = format!("2026-01-01T{clock}:00Z").parse().unwrap();
    midnight.plus(Duration::from_secs(day * 86_400))
}

pub fn name(text: &str) -> Name {
    format!("{text}@x.test").parse().unwrap()
}

/// A person's profile: the first name is the UPN and the primary address, the others are aliases.
pub fn profile(names: &[&str]) -> Profile {
    let proxies = names.iter().enumerate().map(|(place, text)| match place {
        0 => Proxy::Primary(name(text)),
        _ => Proxy::Alias(name(text)),
    });
    Profile { upn: names.first().map(|text| name(text)), proxies: proxies.collect(), ..Profile::default() }
}

pub fn seen(object: ObjectId, profile: Profile) -> impl Fn(Reading) -> Fact {
    move |reading| Fact::Seen(Seen { object, reading, profile: profile.clone() })
}

pub fn is(object: ObjectId, names: &[&str]) -> Box<dyn Fn(Reading) -> Fact> {
    Box::new(seen(object, profile(names)))
}

pub fn gone(object: ObjectId, removal: Removal) -> Box<dyn Fn(Reading) -> Fact> {
    Box::new(move |reading| Fact::Removed(Removed { object, reading, removal, deleted: None, last_upn: None }))
}

pub fn nobody(text: &str) -> Box<dyn Fn(Reading) -> Fact> {
    let name = name(text);
    Box::new(move |reading| Fact::Vacant(Vacant { name: name.clone(), reading }))
}

pub fn by_id(object: ObjectId) -> Ask {
    Ask { object: Some(object), ..Ask::default() }
}

pub fn by_name(text: &str) -> Ask {
    Ask { name: Some(name(text)), ..Ask::default() }
}

pub fn in_chain(chain: &str, ask: Ask) -> Ask {
    Ask { chain: Some(chain.parse().unwrap()), ..ask }
}

/// A policy that accepts a horizon for an ask by name.
pub fn patient() -> Policy {
    Policy { name_max_age: Duration::from_secs(3_600), ..Policy::default() }
}

pub type Told<'a> = &'a [Box<dyn Fn(Reading) -> Fact>];

pub struct Book {
    pub ledger: Ledger,
    horizon: Option<Instant>,
    appends: u8,
    _directory: Option<TempDir>,
}

impl Book {
    pub fn in_memory() -> Self {
        Self { ledger: Ledger::new(MemoryStore::new()), horizon: None, appends: 0, _directory: None }
    }

    pub fn on_disk() -> Self {
        let directory = TempDir::new().unwrap();
        let options =
            SledOptions { create: true, cache_capacity_bytes: 16 << 20, ..SledOptions::new("test", t(0, "00:00")) };
        let store = SledStore::open(directory.path(), options).unwrap();
        Self { ledger: Ledger::new(store), horizon: None, appends: 0, _directory: Some(directory) }
    }

    pub fn tell(&mut self, now: Instant, facts: Vec<Fact>) -> Appended {
        self.appends += 1;
        let stamp = Stamp { now, salt: [self.appends; 16] };
        self.ledger.append(TENANT, Batch { facts, ..Batch::default() }, stamp).unwrap()
    }

    /// A whole round of the delta feed; the first enumerates.
    pub fn poll(&mut self, now: Instant, told: Told<'_>) {
        let mut facts = self.reports(now, told);
        facts.push(self.horizon(now));
        self.tell(now, facts);
    }

    /// One page of a round of which more pages are to come.
    pub fn page(&mut self, now: Instant, started: Instant, told: Told<'_>) {
        let mut facts = vec![Fact::RoundBegan(RoundBegan { started })];
        facts.extend(self.reports(now, told));
        self.tell(now, facts);
    }

    /// Everything is enumerated anew after the token expired.
    pub fn resync(&mut self, now: Instant, told: Told<'_>) {
        self.horizon = None;
        self.poll(now, told);
    }

    pub fn live(&mut self, now: Instant, told: Told<'_>) {
        self.read(now, Source::Live, 30, told);
    }

    pub fn reconcile(&mut self, now: Instant, told: Told<'_>) {
        self.read(now, Source::Reconcile, 300, told);
    }

    pub fn import(&mut self, now: Instant, at: Instant, told: Told<'_>) {
        let reading = Reading { at, lag: Duration::ZERO, source: Source::Import, unchanged_since: None };
        self.tell(now, told.iter().map(|fact| fact(reading)).collect());
    }

    pub fn audit_rename(&mut self, now: Instant, at: Instant, object: ObjectId, old: &str, new: &str) {
        let event = format!("{old} to {new}");
        let (old, new) = (Some(vec![name(old)]), Some(vec![name(new)]));
        let property = Property::UserPrincipalName;
        self.tell(now, vec![Fact::Changed(Changed { object, at, event, property, old, new })]);
    }

    pub fn audit_life(&mut self, now: Instant, at: Instant, object: ObjectId, life: Life, upn: Option<&str>) {
        let event = format!("{life:?}");
        self.tell(now, vec![Fact::Lifecycle(Lifecycle { object, at, event, life, upn: upn.map(name) })]);
    }

    /// A snapshot of ten minutes from this instant on.
    pub fn snapshot(&mut self, chain: &str, id: &str, from: Instant, addressed: Addressed) {
        self.snapshot_of(chain, id, from, addressed, None);
    }

    pub fn snapshot_of(
        &mut self,
        chain: &str,
        id: &str,
        from: Instant,
        addressed: Addressed,
        mailbox: Option<MailboxId>,
    ) {
        let until = from.plus(Duration::from_secs(600));
        let (chain, id) = (chain.parse().unwrap(), id.parse().unwrap());
        self.tell(until, vec![Fact::SnapshotTaken(Snapshot { chain, id, from, until, addressed, mailbox })]);
    }

    pub fn receipt(&mut self, now: Instant, chain: &str, snapshot: &str, start: ObjectId, end: Option<ObjectId>) {
        let (chain, snapshot) = (chain.parse().unwrap(), snapshot.parse().unwrap());
        let receipt = Receipt { chain, snapshot, object: start, mailbox: None, object_end: end, mailbox_end: None };
        self.tell(now, vec![Fact::Receipt(receipt)]);
    }

    pub fn expire(&mut self, now: Instant, chain: &str, snapshot: &str) {
        let (chain, snapshot) = (chain.parse().unwrap(), snapshot.parse().unwrap());
        self.tell(now, vec![Fact::SnapshotExpired(SnapshotExpired { chain, snapshot })]);
    }

    /// Where the use-cases are asked.
    pub fn desk(&self, now: Instant) -> Desk {
        Desk { ledger: self.ledger.clone(), tenant: TENANT, policy: Policy::default(), clock: Clock::new(Some(now)) }
    }

    pub fn check(&self, now: Instant, ask: Ask) -> Verdict {
        self.check_by(&Policy::default(), now, ask)
    }

    pub fn check_by(&self, policy: &Policy, now: Instant, ask: Ask) -> Verdict {
        self.ledger.check(TENANT, &ask, policy, now, KnownAt::Now, None).unwrap().verdict
    }

    pub fn who(&self, text: &str, kind: NameKind, at: Instant, known_at: KnownAt) -> Who {
        self.ledger.who(TENANT, &name(text), kind, Some(at), known_at, at).unwrap()
    }

    pub fn attribution(&self, chain: &str, snapshot: &str) -> SnapshotView {
        let (chain, snapshot) = (chain.parse().unwrap(), snapshot.parse().unwrap());
        self.ledger.snapshot(TENANT, &chain, &snapshot, Policy::default().settling).unwrap().unwrap()
    }

    fn reports(&self, now: Instant, told: Told<'_>) -> Vec<Fact> {
        let reading = Reading { at: now, lag: LAG, source: Source::Delta, unchanged_since: self.horizon };
        told.iter().map(|fact| fact(reading)).collect()
    }

    fn horizon(&mut self, now: Instant) -> Fact {
        let through = now.minus(LAG);
        let from = self.horizon.replace(through).unwrap_or(through);
        Fact::Horizon(Horizon { feed: Feed::Delta, from, through })
    }

    fn read(&mut self, now: Instant, source: Source, lag_secs: u64, told: Told<'_>) {
        let reading = Reading { at: now, lag: Duration::from_secs(lag_secs), source, unchanged_since: None };
        self.tell(now, told.iter().map(|fact| fact(reading)).collect());
    }
}

pub fn named(text: &str) -> Addressed {
    Addressed::Name(name(text), NameKind::Any)
}

/// What a verdict says about where to write: object and base.
pub fn target(verdict: &Verdict) -> (Option<ObjectId>, Option<&str>) {
    (verdict.object, verdict.base.as_ref().map(|base| base.as_str()))
}

pub fn says(verdict: &Verdict, part: &str) -> bool {
    verdict.reasons.iter().any(|reason| reason.contains(part))
}

/// Tests each sentence on the ledger in memory and on the one on disk.
macro_rules! on_both_stores {
    ($($sentence:ident),+ $(,)?) => {
        mod memory {
            $(#[test] fn $sentence() { super::$sentence(&mut crate::harness::Book::in_memory()); })+
        }
        mod sled {
            $(#[test] fn $sentence() { super::$sentence(&mut crate::harness::Book::on_disk()); })+
        }
    };
}
pub(crate) use on_both_stores;
