//! Whatever facts come in whatever commits, the ledger on disk is the one in memory, before and after it is opened again; what is
//! derived follows from the journal; and one commit of all facts gives the same answers as many.

use std::time::Duration;

use whowas::domain::fact::{
    Addressed, Fact, Feed, Horizon, Life, Lifecycle, Profile, Reading, Receipt, Removal, Removed, RoundBegan, Seen,
    Snapshot, SnapshotExpired, Source, Vacant,
};
use whowas::domain::id::{MailboxId, ObjectId, TenantId};
use whowas::domain::name::{Name, NameKind, Proxy};
use whowas::domain::time::Instant;
use whowas::domain::verdict::{Ask, Policy};
use whowas::ledger::{Batch, KnownAt, Ledger, Stamp};
use whowas::store::memory::MemoryStore;
use whowas::store::sled::{SledOptions, SledStore};

const TENANT: TenantId = TenantId::from_bytes([7; 16]);
/// More would only repeat what fewer tell.
const STEPS_MAX: usize = 60;

pub fn run(data: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder for the ledger");
    let open = || {
        let options = SledOptions { create: true, cache_capacity_bytes: 1 << 20, ..SledOptions::new("fuzz", at(0)) };
        Ledger::new(SledStore::open(folder.path(), options).expect("the ledger opens"))
    };
    let (memory, mut disk) = (Ledger::new(MemoryStore::new()), open());
    let mut waiting = Vec::new();
    let mut all = Vec::new();
    for (step, bytes) in data.chunks_exact(4).take(STEPS_MAX).enumerate() {
        let [kind, who, what, when] = [bytes[0], bytes[1], bytes[2], bytes[3]];
        match kind % 16 {
            14 => {
                drop(disk);
                disk = open();
                same(&memory, &disk);
            }
            15 => {
                append(&memory, &disk, std::mem::take(&mut waiting), step, &mut all);
            }
            _ => waiting.push(fact(kind % 16, who, what, when)),
        }
    }
    append(&memory, &disk, waiting, STEPS_MAX, &mut all);
    drop(disk);
    let disk = open();
    same(&memory, &disk);
    for ledger in [&memory, &disk] {
        let report = ledger.verify(|_| ()).expect("the journal is whole");
        assert_eq!(report.differing, 0, "{report:?}");
    }
    // What a source says is told once; in which commits does not matter for whose mail it is.
    let together = Ledger::new(MemoryStore::new());
    let batch = Batch { facts: all, ..Batch::default() };
    let stamp = Stamp { now: at(300), salt: [3; 16] };
    together.append(TENANT, batch, stamp).expect("all of it was accepted before");
    for name in 0..4 {
        for when in [0, 100, 255] {
            let who = |ledger: &Ledger| {
                let who = ledger
                    .who(TENANT, &self::name(name), NameKind::Any, Some(at(when)), KnownAt::Now, at(300))
                    .expect("it is read");
                let periods = who.standing.candidates.iter().map(|candidate| {
                    let held = candidate.held.iter().map(|(kind, period)| (*kind, period.from, period.until));
                    (candidate.object, candidate.confidence, held.collect::<Vec<_>>())
                });
                // In which commit the evidence came differs, of course.
                format!("{:?} {:?} {:?}", who.standing.confidence, who.standing.holder, periods.collect::<Vec<_>>())
            };
            assert_eq!(who(&memory), who(&together), "name {name} at {when}");
        }
    }
}

/// Appends to both; what one refuses the other refuses as well, and then nothing of it is kept.
fn append(memory: &Ledger, disk: &Ledger, facts: Vec<Fact>, step: usize, all: &mut Vec<Fact>) {
    let stamp = Stamp { now: at(300), salt: [u8::try_from(step).unwrap_or(0); 16] };
    let to = |ledger: &Ledger| {
        let batch = Batch { facts: facts.clone(), ..Batch::default() };
        ledger.append(TENANT, batch, stamp).map(|appended| appended.head).map_err(|error| error.to_string())
    };
    let (one, other) = (to(memory), to(disk));
    assert_eq!(one, other);
    if one.is_ok() {
        all.extend(facts);
    }
}

/// Both answer alike.
fn same(memory: &Ledger, disk: &Ledger) {
    let told = |ledger: &Ledger| {
        let mut told = vec![format!("{:?}", ledger.head(TENANT).expect("a head"))];
        for name in 0..4 {
            for chain in [None, Some("c0".parse().expect("a chain")), Some("c1".parse().expect("a chain"))] {
                let ask = Ask { chain, name: Some(self::name(name)), ..Ask::default() };
                let checked = ledger.check(TENANT, &ask, &Policy::default(), at(280), KnownAt::Now, None);
                told.push(format!("{:?}", checked.map_err(|error| error.to_string())));
            }
        }
        told.push(format!("{:?}", ledger.findings(TENANT, None, 99).expect("findings")));
        told
    };
    assert_eq!(told(memory), told(disk));
}

fn fact(kind: u8, who: u8, what: u8, when: u8) -> Fact {
    let object = ObjectId::from_bytes([who % 4 + 1; 16]);
    let when_at = at(u64::from(when));
    let sources = [Source::Delta, Source::Live, Source::Reconcile];
    let source = sources[usize::from(who / 4) % sources.len()];
    let lag = Duration::from_secs(u64::from(what / 16) * 60);
    let unchanged_since = (what & 8 != 0).then(|| at(u64::from(when / 2)));
    let reading = Reading { at: when_at, lag, source, unchanged_since };
    let own = Some(name(what));
    let chain = || format!("c{}", what % 2).parse().expect("a chain");
    let id = || format!("s{}", who / 4 % 4).parse().expect("a snapshot");
    let mailbox = (what & 4 != 0).then(|| MailboxId::from_bytes([who % 4 + 9; 16]));
    match kind {
        0..=3 => {
            let proxies = match what & 4 {
                0 => Vec::new(),
                _ => vec![Proxy::Primary(name(what)), Proxy::Alias(name(what / 4))],
            };
            Fact::Seen(Seen { object, reading, profile: Profile { upn: own, proxies, ..Profile::default() } })
        }
        4 => {
            let removal = [Removal::Soft, Removal::Purged, Removal::NotFound][usize::from(what) % 3];
            Fact::Removed(Removed {
                object,
                reading,
                removal,
                deleted: None,
                last_upn: (what & 2 != 0).then(|| name(what)),
            })
        }
        5 => {
            let life = [Life::Created, Life::Deleted, Life::Purged, Life::Restored][usize::from(what / 4) % 4];
            let event = format!("{who}-{what}-{when}");
            Fact::Lifecycle(Lifecycle { object, at: when_at, event, life, upn: own })
        }
        6 => Fact::Vacant(Vacant { name: name(what), reading: Reading { source: Source::Live, ..reading } }),
        7 | 8 => {
            let through = when_at;
            let from = at(u64::from(when.saturating_sub(what)));
            Fact::Horizon(Horizon { feed: Feed::Delta, from, through })
        }
        9 => Fact::RoundBegan(RoundBegan { started: when_at }),
        10 | 11 => {
            let addressed = match what & 8 {
                0 => Addressed::Name(name(what), [NameKind::Any, NameKind::Upn, NameKind::Smtp][usize::from(what) % 3]),
                _ => Addressed::Object(object),
            };
            let until = when_at.plus(Duration::from_secs(u64::from(what)));
            Fact::SnapshotTaken(Snapshot { chain: chain(), id: id(), from: when_at, until, addressed, mailbox })
        }
        12 => Fact::Receipt(Receipt {
            chain: chain(),
            snapshot: id(),
            object,
            mailbox,
            object_end: None,
            mailbox_end: None,
        }),
        _ => Fact::SnapshotExpired(SnapshotExpired { chain: chain(), snapshot: id() }),
    }
}

fn name(nth: u8) -> Name {
    ["ann@x.test", "Bob@x.test", "ann@y.test", "b\u{fc}cher@x.test"][usize::from(nth) % 4].parse().expect("a name")
}

/// Minutes after some instant.
fn at(minutes: u64) -> Instant {
    Instant::from_micros(1_772_409_600_000_000).plus(Duration::from_secs(minutes * 60))
}
