//! A ledger leaves as a file and comes back with the same hashes and the same derived bytes; and nothing that happens to
//! the file on the way goes unnoticed.
#![cfg(feature = "graph")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "these are tests")]

#[path = "../../src/store/testing.rs"]
#[allow(dead_code, reason = "other tests use the rest of it")]
mod testing;

mod formats;

use std::io::{self, BufReader, Read};

use proptest::prelude::*;
use tempfile::TempDir;
use whowas::domain::fact::Fact;
use whowas::domain::id::{Sequence, TenantId};
use whowas::domain::time::Instant;
use whowas::ledger::{Batch, Ledger, Stamp};
use whowas::service::export::{Begun, ExportError, Exported, Restored, export, look, restore};
use whowas::store::memory::MemoryStore;
use whowas::store::sled::{InspectionKeys, SledOptions, SledStore};
use whowas::store::{LedgerStore, StoreError};

const ONE: TenantId = TenantId::from_bytes([1; 16]);
const TWO: TenantId = TenantId::from_bytes([2; 16]);
const NOW: Instant = Instant::from_micros(1_800_000_000_000_000);

type Records = Vec<(Vec<u8>, Vec<u8>)>;

fn add(ledger: &Ledger, tenant: TenantId, nth: u8, facts: Vec<Fact>) {
    let now = Instant::from_micros(1_790_000_000_000_000 + i64::from(nth));
    let batch = Batch { facts, ..Batch::default() };
    // Some batches contradict what is recorded and are refused whole, which is as good as none here.
    let _refused = ledger.append(tenant, batch, Stamp { now, salt: [nth; 16] });
}

fn ledger(batches: &[(bool, Vec<Fact>)]) -> Ledger {
    let ledger = Ledger::new(MemoryStore::new());
    fill(&ledger, batches);
    ledger
}

fn fill(ledger: &Ledger, batches: &[(bool, Vec<Fact>)]) {
    for (nth, (first, facts)) in (0u8..).zip(batches) {
        add(ledger, if *first { ONE } else { TWO }, nth, facts.clone());
    }
}

fn written(ledger: &Ledger, begun: Begun) -> (Vec<u8>, Exported) {
    let mut out = Vec::new();
    let exported = export(ledger, None, begun, NOW, &mut out, &mut |_| ()).unwrap();
    (out, exported)
}

fn text(ledger: &Ledger) -> Vec<u8> {
    written(ledger, Begun::default()).0
}

fn brought(text: &[u8]) -> (Ledger, Result<Restored, ExportError>) {
    let ledger = Ledger::new(MemoryStore::new());
    let restored = restore(&ledger, text, false, &mut |_| ());
    (ledger, restored)
}

fn derived(ledger: &Ledger) -> Records {
    let mut records = Vec::new();
    ledger.store().each_derived(&mut |key, value| records.push((key.to_vec(), value.to_vec()))).unwrap();
    records
}

fn assert_same(one: &Ledger, other: &Ledger) {
    assert_eq!(one.tenants().unwrap(), other.tenants().unwrap());
    for tenant in one.tenants().unwrap() {
        assert_eq!(one.head(tenant).unwrap(), other.head(tenant).unwrap());
        let journal = |ledger: &Ledger| ledger.store().journal(tenant, Sequence(1), usize::MAX).unwrap();
        assert_eq!(journal(one), journal(other));
    }
    assert_eq!(derived(one), derived(other));
}

fn batches() -> impl Strategy<Value = Vec<(bool, Vec<Fact>)>> {
    let facts = prop::collection::vec(testing::facts(), 1..5);
    prop::collection::vec((prop::bool::weighted(0.7), facts), 1..8)
}

/// Three commits of two tenants, small enough to look at every byte of their export.
fn small() -> Ledger {
    let seen = |upn: &str, micros| {
        let at = Instant::from_micros(micros);
        let lag = std::time::Duration::from_secs(300);
        let source = whowas::domain::fact::Source::Delta;
        let reading = whowas::domain::fact::Reading { at, lag, source, unchanged_since: None };
        let profile = whowas::domain::fact::Profile { upn: Some(upn.parse().unwrap()), ..Default::default() };
        let object = whowas::domain::id::ObjectId::from_bytes([7; 16]);
        vec![Fact::Seen(whowas::domain::fact::Seen { object, reading, profile })]
    };
    let ledger = ledger(&[(true, seen("ann@x.test", 1)), (true, seen("bea@x.test", 2)), (false, seen("c@y.test", 3))]);
    assert_eq!(ledger.head(ONE).unwrap().sequence, Sequence(2));
    ledger
}

fn fault(restored: Result<Restored, ExportError>) -> (u64, String) {
    match restored {
        Err(ExportError::Fault(fault)) => (fault.line, fault.why),
        other => unreachable!("{other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn what_is_exported_and_restored_is_the_same_ledger(batches in batches()) {
        let source = ledger(&batches);
        let (text, exported) = written(&source, Begun::default());
        let (ledger, restored) = brought(&text);
        let restored = restored.unwrap();
        prop_assert_eq!((restored.commits, &restored.tenants), (exported.commits, &exported.tenants));
        assert_same(&source, &ledger);
        prop_assert_eq!(ledger.verify(|_| ()).unwrap().differing, 0);
    }

    #[test]
    fn an_export_that_is_gone_on_with_is_the_one_made_at_once(batches in batches(), at in 0usize..8, cut in 0usize..10_000) {
        // One tenant only: those of several are in the order in which they were written.
        let batches: Vec<_> = batches.into_iter().map(|(_, facts)| (true, facts)).collect();
        let source = ledger(&batches[..at.min(batches.len())]);
        if source.tenants().unwrap().is_empty() {
            return Ok(());
        }
        let (mut file, _) = written(&source, Begun::default());
        file.truncate(file.len().saturating_sub(cut % (file.len() + 1)));
        let begun = look(&*file, None).unwrap();
        begun.check_belongs(&source).unwrap();
        for (nth, (_, facts)) in (0u8..).zip(&batches).skip(at) {
            add(&source, ONE, nth, facts.clone());
        }
        file.truncate(usize::try_from(begun.bytes).unwrap());
        file.extend(written(&source, begun).0);
        prop_assert_eq!(file, text(&source));
    }
}

#[test]
fn an_export_cut_off_at_any_byte_is_not_restored_whole_and_can_be_gone_on_with() {
    let source = small();
    let whole = text(&source);
    for cut in 0..whole.len() {
        let (_, restored) = brought(&whole[..cut]);
        assert!(restored.is_err(), "cut at {cut}");
        let begun = look(&whole[..cut], None).unwrap();
        begun.check_belongs(&source).unwrap();
        assert!(!begun.was_whole, "cut at {cut}");
        let mut file = whole[..usize::try_from(begun.bytes).unwrap()].to_vec();
        file.extend(written(&source, begun).0);
        assert_eq!(file, whole, "cut at {cut}");
    }
    let begun = look(&*whole, None).unwrap();
    assert!(begun.was_whole);
    assert_eq!(brought(&whole).1.unwrap().commits, 3);
}

#[test]
fn every_flipped_bit_of_an_export_is_refused() {
    let whole = text(&small());
    let mut lines = std::collections::BTreeSet::new();
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << bit;
            let (_, restored) = brought(&damaged);
            lines.insert(fault(restored).0);
        }
    }
    // Each of the five lines has been told of as the faulty one.
    assert_eq!(lines.into_iter().collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
}

#[test]
fn lines_that_are_missing_doubled_or_in_another_order_are_refused_where_it_begins() {
    let whole = text(&small());
    let lines: Vec<&[u8]> = whole.split_inclusive(|byte| *byte == b'\n').collect();
    let of = |order: &[usize]| order.iter().flat_map(|nth| lines[*nth].to_vec()).collect::<Vec<u8>>();
    for (order, line) in [
        (vec![0, 2, 3, 4], 2),
        (vec![0, 1, 1, 2, 3, 4], 3),
        (vec![0, 2, 1, 3, 4], 2),
        (vec![0, 1, 3, 4], 3),
        (vec![0, 1, 2, 4], 4),
        (vec![1, 2, 3, 4], 1),
        (vec![0, 1, 2, 3], 5),
        (vec![0, 1, 2, 3, 4, 0], 5),
        (vec![0, 1, 2, 3, 4, 4], 5),
    ] {
        let (_, restored) = brought(&of(&order));
        assert_eq!(fault(restored).0, line, "{order:?}");
    }
    let (_, restored) = brought(b"");
    assert!(fault(restored).1.contains("empty"));
}

#[test]
fn damage_before_the_last_line_is_not_gone_on_with() {
    let mut damaged = text(&small());
    let second = damaged.iter().position(|byte| *byte == b'\n').unwrap() + 30;
    damaged[second] ^= 1;
    assert!(matches!(look(&*damaged, None), Err(ExportError::Fault(fault)) if fault.line == 2));
}

#[test]
fn the_good_beginning_of_a_damaged_export_is_kept_if_asked_for() {
    let source = small();
    let mut damaged = text(&source);
    let ends: Vec<usize> = damaged.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at).collect();
    damaged[ends[1] + 40] ^= 4;
    let ledger = Ledger::new(MemoryStore::new());
    let restored = restore(&ledger, &*damaged, true, &mut |_| ()).unwrap();
    assert_eq!((restored.commits, restored.damaged.unwrap().line), (1, 3));
    assert_eq!(ledger.head(ONE).unwrap().hash, source.store().journal(ONE, Sequence(1), 1).unwrap()[0].hash);
    assert_eq!(ledger.verify(|_| ()).unwrap().differing, 0);
}

/// A file that cannot be read beyond some byte.
struct Breaks<'a>(&'a [u8]);

impl Read for Breaks<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.0.read(into)? {
            0 => Err(io::Error::other("the disk is gone")),
            read => Ok(read),
        }
    }
}

#[test]
fn an_interrupted_restore_goes_on() {
    let source = small();
    let whole = text(&source);
    for cut in (0..whole.len()).step_by(37) {
        let ledger = Ledger::new(MemoryStore::new());
        let broken = restore(&ledger, BufReader::new(Breaks(&whole[..cut])), true, &mut |_| ());
        // A disk that fails is no damage of the file: nothing is kept for good because of it.
        assert!(matches!(broken, Err(ExportError::Io { .. })), "{broken:?}");
        let there: u64 = [ONE, TWO].map(|tenant| ledger.head(tenant).unwrap().sequence.0).iter().sum();
        let restored = restore(&ledger, &*whole, false, &mut |_| ()).unwrap();
        assert_eq!((restored.commits, restored.added), (3, 3 - there));
        assert_same(&source, &ledger);
    }
}

#[test]
fn an_export_of_another_ledger_is_neither_gone_on_with_nor_restored_on_top() {
    let (source, other) = (small(), Ledger::new(MemoryStore::new()));
    add(&other, ONE, 200, vec![Fact::Blind(whowas::domain::fact::Blind { from: NOW, until: NOW, why: "x".into() })]);
    let begun = look(&*text(&source), None).unwrap();
    let refused = begun.check_belongs(&other).unwrap_err();
    assert!(matches!(&refused, ExportError::Foreign(why) if why.contains("commit 2")), "{refused}");
    // The first commit of the other one stands where the export's should.
    let refused = restore(&other, &*text(&source), false, &mut |_| ());
    assert!(matches!(refused, Err(ExportError::Foreign(_))), "{refused:?}");
    // A ledger that has more than the file has.
    let (longer, shorter) = (small(), text(&source));
    add(&longer, TWO, 201, vec![Fact::Blind(whowas::domain::fact::Blind { from: NOW, until: NOW, why: "x".into() })]);
    let refused = restore(&longer, &*shorter, false, &mut |_| ());
    assert!(matches!(refused, Err(ExportError::Foreign(_))), "{refused:?}");
}

#[test]
fn the_good_beginning_of_another_export_does_not_complete_an_interrupted_restore() {
    let blind = |why: &str| vec![Fact::Blind(whowas::domain::fact::Blind { from: NOW, until: NOW, why: why.into() })];
    let longer = |tenant, why: &str| {
        let ledger = Ledger::new(MemoryStore::new());
        (1..=4).for_each(|nth| add(&ledger, tenant, nth, blind(&format!("{why} {nth}"))));
        ledger
    };
    let lines = |ledger: &Ledger| -> Vec<Vec<u8>> {
        text(ledger).split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
    };
    let begun = || {
        let ledger = Ledger::new(MemoryStore::new());
        let half = lines(&longer(ONE, "one"))[..4].concat();
        assert!(restore(&ledger, &*half, false, &mut |_| ()).is_err());
        assert_eq!(ledger.head(ONE).unwrap().sequence, Sequence(3));
        ledger
    };
    let cut = |of: &Ledger, lines_left: usize| lines(of)[..lines_left].concat();
    // The file ends before the ledger's last commit, and has another history, or none of this tenant.
    for (other, left) in
        [(longer(ONE, "other"), 2), (longer(ONE, "other"), 3), (longer(ONE, "other"), 1), (longer(TWO, "two"), 4)]
    {
        let ledger = begun();
        let refused = restore(&ledger, &*cut(&other, left), true, &mut |_| ());
        assert!(matches!(refused, Err(ExportError::Foreign(_))), "{left} lines: {refused:?}");
    }
    // Its own, cut off before the ledger's end, at it and beyond it: all that is there stays.
    for (left, commits, added) in [(2, 3, 0), (3, 3, 0), (4, 3, 0), (5, 4, 1)] {
        let ledger = begun();
        let restored = restore(&ledger, &*cut(&longer(ONE, "one"), left), true, &mut |_| ()).unwrap();
        assert_eq!((restored.commits, restored.added), (commits, added), "{left} lines");
    }
}

#[test]
fn one_tenant_alone_is_exported_and_gone_on_with_as_such() {
    let source = small();
    let mut out = Vec::new();
    let exported = export(&source, Some(TWO), Begun::default(), NOW, &mut out, &mut |_| ()).unwrap();
    assert_eq!(exported.tenants.iter().map(|part| part.tenant).collect::<Vec<_>>(), [TWO]);
    let (ledger, restored) = brought(&out);
    assert_eq!(restored.unwrap().commits, 1);
    assert_eq!(ledger.tenants().unwrap(), [TWO]);
    assert!(matches!(look(&*out, None), Err(ExportError::Foreign(_))));
    assert!(look(&*out, Some(TWO)).is_ok());
    let stranger = TenantId::from_bytes([3; 16]);
    let refused = export(&source, Some(stranger), Begun::default(), NOW, &mut Vec::new(), &mut |_| ());
    assert!(matches!(refused, Err(ExportError::NoTenant(tenant)) if tenant == stranger));
}

#[test]
fn a_newer_format_is_refused_with_a_word_on_it() {
    let whole = String::from_utf8(text(&small())).unwrap();
    let (_, restored) = brought(whole.replacen("\"format\":1", "\"format\":2", 1).as_bytes());
    let (line, why) = fault(restored);
    assert_eq!(line, 1);
    assert!(why.contains("format 2") && why.contains("upgrade whowas"), "{why}");
}

#[test]
fn on_disk_a_restore_that_was_not_completed_is_no_ledger_yet() {
    let folder = TempDir::new().unwrap();
    let options = |restore| SledOptions {
        create: true,
        restore,
        cache_capacity_bytes: 16 << 20,
        ..SledOptions::new("restore", NOW)
    };
    let source = small();
    let whole = text(&source);
    let store = SledStore::open(folder.path(), options(true)).unwrap();
    let ledger = Ledger::new(store);
    assert!(restore(&ledger, &whole[..whole.len() - 300], false, &mut |_| ()).is_err());
    drop(ledger);
    let refused = SledStore::open(folder.path(), options(false)).unwrap_err();
    assert!(matches!(refused, StoreError::HalfRestored { .. }), "{refused}");
    let workspace = TempDir::new().unwrap();
    let seen = whowas::store::sled::inspect(folder.path(), workspace.path(), NOW, InspectionKeys::default());
    assert!(matches!(seen, Err(StoreError::HalfRestored { .. })), "{seen:?}");
    let store = std::sync::Arc::new(SledStore::open(folder.path(), options(true)).unwrap());
    let ledger = Ledger::shared(store.clone());
    restore(&ledger, &*whole, false, &mut |_| ()).unwrap();
    store.end_restore().unwrap();
    drop((ledger, store));
    let store = SledStore::open(folder.path(), options(false)).unwrap();
    for tenant in [ONE, TWO] {
        assert_eq!(*store.head(tenant).unwrap(), source.head(tenant).unwrap());
    }
    drop(store);
    let refused = SledStore::open(folder.path(), options(true)).unwrap_err();
    assert!(matches!(refused, StoreError::NotEmpty { commits: 3, .. }), "{refused}");
}
