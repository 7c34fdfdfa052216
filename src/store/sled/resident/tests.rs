use bincode::{Decode, Encode};
use proptest::prelude::*;

use super::*;
use crate::domain::id::Sequence;
use crate::domain::time::Instant as Time;
use crate::store::codec::Record;
use crate::store::key::Key;
use crate::store::key::tests::keys;
use crate::store::sled::cipher::Cipher;
use crate::store::sled::engine::{Batch, EngineOptions};
use crate::store::sled::{LedgerKey, SledOptions, SledStore, read};
use crate::store::{Derived, LedgerStore, Proved, testing};

const OPTIONS: EngineOptions = EngineOptions::TESTED;
const PLENTY: u64 = 1 << 30;

#[derive(Clone, Debug, PartialEq, Encode, Decode)]
struct Word(String);

impl Record for Word {
    const VERSION: u8 = 1;
}

/// What happens to an engine.
#[derive(Clone, Debug)]
enum Step {
    Write(Vec<(Key, Option<String>)>),
    /// Changes or removes records that were written before.
    Again(Vec<(prop::sample::Index, Option<String>)>),
    /// Removes all of a kind of a tenant.
    Remove(Key),
    Begin(u64),
    Fill,
    FillAll,
}

/// Keys of few tenants, objects and names, so that they often meet.
fn crowded() -> impl Strategy<Value = Key> {
    (keys(), 0..2_u8, any::<bool>()).prop_map(|(key, tenant, same)| {
        let mut encoded = key.encode();
        encoded[..16].fill(tenant * 255);
        if same && matches!(encoded[16], key::OBJECT | key::OBJECT_CHAIN) {
            encoded[17..32].fill(7);
        }
        Key::decode(&encoded).unwrap()
    })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let record = (crowded(), prop::option::weighted(0.8, "[a-z]{0,40}"));
    let step = prop_oneof![
        8 => prop::collection::vec(record, 0..80).prop_map(Step::Write),
        4 => prop::collection::vec((any::<prop::sample::Index>(), prop::option::of("[a-z]{0,40}")), 1..20).prop_map(Step::Again),
        1 => crowded().prop_map(Step::Remove),
        2 => prop_oneof![Just(PLENTY), 0_u64..20_000].prop_map(Step::Begin),
        3 => Just(Step::Fill),
        3 => Just(Step::FillAll),
    ];
    prop::collection::vec(step, 1..25)
}

struct Engines(Vec<(Engine, tempfile::TempDir)>);

impl Engines {
    /// One that is plain, and one that is encrypted.
    fn new() -> Self {
        let ciphers = [None, Some(std::sync::Arc::new(Cipher::fresh(&LedgerKey::new([1; 32], [2; 32]))))];
        let opened = ciphers.into_iter().map(|cipher| {
            let folder = tempfile::TempDir::new().unwrap();
            (Engine::open(folder.path(), OPTIONS, cipher).unwrap(), folder)
        });
        Self(opened.collect())
    }

    fn each(&self) -> impl Iterator<Item = &Engine> {
        self.0.iter().map(|(engine, _)| engine)
    }
}

fn step(engine: &Engine, step: &Step) {
    match step {
        Step::Write(records) => {
            let mut batch = Batch::default();
            for (key, word) in records {
                let encoded = key.encode();
                match word {
                    Some(word) => {
                        let sealed = codec::seal(&encoded, &Word(word.clone())).unwrap();
                        batch.insert(encoded, sealed);
                    }
                    None => batch.remove(encoded),
                }
            }
            engine.apply(batch).unwrap();
        }
        Step::Remove(key) => {
            let kind = Prefix::kind(key.encode().first_chunk().unwrap());
            engine.remove_kinds(&read::all(kind)).unwrap();
        }
        Step::Begin(bytes) => engine.resident().begin(*bytes),
        Step::Fill => drop(engine.resident().fill(engine).unwrap()),
        Step::FillAll => while engine.resident().fill(engine).unwrap() {},
        // Whoever knows what was written before makes a write of it.
        Step::Again(_) => {}
    }
}

/// What is read where copies may be, and by the engine alone.
fn both(engine: &Engine, range: &Range, order: Order, limit: usize) -> [Vec<(Key, Word)>; 2] {
    let (mut here, mut there) = (Vec::new(), Vec::new());
    let go_on = |count: usize| if count < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) };
    read::scan(engine, range.clone(), order, |key, word| {
        here.push((key, word));
        Ok(go_on(here.len()))
    })
    .unwrap();
    engine
        .scan(range.clone(), order, |key, sealed| {
            there.push((Key::decode(key).unwrap(), codec::unseal(key, sealed).unwrap()));
            Ok(go_on(there.len()))
        })
        .unwrap();
    [here, there]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Whatever is copied, forgotten or too large, it is as if there were no copies.
    #[test]
    fn copies_are_never_stale(steps in steps(), asked in prop::collection::vec((crowded(), 0_usize..40, 1_usize..300), 30)) {
        let engines = Engines::new();
        for engine in engines.each() {
            let mut written: Vec<Key> = Vec::new();
            for one in &steps {
                match one {
                    Step::Again(_) if written.is_empty() => {}
                    Step::Again(records) => {
                        let again = records.iter().map(|(nth, word)| (nth.get(&written).clone(), word.clone()));
                        let again: Vec<_> = again.collect();
                        written.extend(again.iter().map(|(key, _)| key.clone()));
                        step(engine, &Step::Write(again));
                    }
                    one => step(engine, one),
                }
                if let Step::Write(records) = one {
                    written.extend(records.iter().map(|(key, _)| key.clone()));
                }
                let residency = engine.resident().residency();
                prop_assert!(residency.bytes <= PLENTY);
                for key in written.iter().rev().take(40).chain(asked.iter().map(|(key, ..)| key)) {
                    let encoded = key.encode();
                    let alone = engine.get(&encoded).unwrap().map(|sealed| codec::unseal::<Word>(&encoded, &sealed).unwrap());
                    prop_assert_eq!(read::get::<Word>(engine, key).unwrap(), alone);
                }
                for (key, beginning, limit) in &asked {
                    let encoded = key.encode();
                    let beginning = (17 + beginning).min(encoded.len());
                    let prefix = Prefix::of_bytes(encoded[..beginning].to_vec());
                    let [_, first] = both(engine, &read::all(prefix.clone()), Order::Forward, 1);
                    prop_assert!(first.is_empty() || !engine.resident().lacks(&read::all(prefix.clone())));
                    for order in [Order::Forward, Order::Backward] {
                        let all = read::all(prefix.clone());
                        let [here, there] = both(engine, &all, order, *limit);
                        prop_assert_eq!(here, there);
                        let [here, there] = both(engine, &(encoded.clone(), all.1), order, *limit);
                        prop_assert_eq!(here, there);
                    }
                }
            }
        }
    }
}

fn filled(engine: &Engine, bytes: u64) -> Residency {
    engine.resident().begin(bytes);
    while engine.resident().fill(engine).unwrap() {}
    engine.resident().residency()
}

fn object(number: u16) -> Key {
    let tenant = TenantId::from_bytes([3; 16]);
    let mut id = [5; 16];
    id[..2].copy_from_slice(&number.to_be_bytes());
    Key::Object { tenant, object: crate::domain::id::ObjectId::from_bytes(id), part: 0 }
}

fn run(number: u64) -> Key {
    Key::Run { tenant: TenantId::from_bytes([3; 16]), run: number }
}

fn chain(number: u16) -> Key {
    let tenant = TenantId::from_bytes([3; 16]);
    Key::Snapshot {
        tenant,
        chain: format!("chain-{number:05}").parse().unwrap(),
        from: crate::domain::time::Instant::from_micros(1),
        id: "s".parse().unwrap(),
    }
}

fn words(keys: impl Iterator<Item = Key>) -> Step {
    Step::Write(keys.map(|key| (key, Some("a word of some length".to_owned()))).collect())
}

#[test]
fn what_is_not_there_is_known_only_by_what_is_whole() {
    let engines = Engines::new();
    for engine in engines.each() {
        let in_all = |key: Key| read::all(Prefix::of_bytes(key.encode()));
        step(engine, &words((0..900).map(object)));
        engine.resident().begin(PLENTY);
        assert!(engine.resident().fill(engine).unwrap(), "there is more to copy");
        assert!(!engine.resident().lacks(&in_all(object(1_000))));
        filled(engine, PLENTY);
        assert!(engine.resident().lacks(&in_all(object(1_000))));
        assert!(!engine.resident().lacks(&in_all(object(899))));
        assert!(!engine.resident().lacks(&in_all(run(1))), "no copies are made of such");
    }
}

/// A change that breaks off may have taken a record away and not put it back.
#[test]
fn after_a_panic_in_the_midst_of_a_change_the_engine_answers() {
    let engines = Engines::new();
    for engine in engines.each() {
        step(engine, &words((0..900).map(object)));
        filled(engine, PLENTY);
        let resident = engine.resident();
        std::thread::scope(|scope| {
            let (changes, changed) = std::sync::mpsc::channel();
            let writer = scope.spawn(move || {
                let mut shelves = resident.shelves_mut();
                shelves.groups.iter_mut().for_each(|group| group.shelves.clear());
                changes.send(()).unwrap();
                // Whoever asks now waits for the change.
                std::thread::sleep(std::time::Duration::from_millis(100));
                panic!("in the midst of it");
            });
            changed.recv().unwrap();
            let readers: Vec<_> =
                (0..8).map(|nth| scope.spawn(move || read::get::<Word>(engine, &object(nth)))).collect();
            for reader in readers {
                assert!(reader.join().unwrap().unwrap().is_some());
            }
            writer.join().unwrap_err();
        });
        assert!(!resident.residency().names);
        assert!(read::get::<Word>(engine, &object(7)).unwrap().is_some());
        assert!(!resident.lacks(&read::all(Prefix::of_bytes(object(1_000).encode()))));
        step(engine, &words((900..950).map(object)));
        assert!(read::get::<Word>(engine, &object(949)).unwrap().is_some());
        assert!(!resident.fill(engine).unwrap(), "nothing is copied any more");
        assert_eq!(resident.shelves_mut().bytes(), 0, "and nothing takes memory");
    }
}

/// What is free in the memory of copies is no reason to go without them.
#[test]
fn what_has_room_without_what_is_free_stays() {
    let engines = Engines::new();
    for engine in engines.each() {
        step(engine, &words((0..6_000).map(object)));
        let all = filled(engine, PLENTY).bytes;
        // So little is free then that it is kept for what comes.
        step(engine, &Step::Write((3_000..3_500).map(|number| (object(number), None)).collect()));
        let kept = engine.resident().residency().bytes;
        assert!(kept > all * 97 / 100, "{kept} of {all}");
        engine.resident().shelves_mut().bytes_max = all as usize * 95 / 100;
        // A part of it a time.
        (0..20).for_each(|_| step(engine, &words([object(1)].into_iter())));
        let now = engine.resident().residency();
        assert!(now.names && now.bytes <= all * 95 / 100, "{now:?} of {all}");
        assert!(read::get::<Word>(engine, &object(5_999)).unwrap().is_some());
        engine.resident().shelves_mut().bytes_max = all as usize * 80 / 100;
        (0..20).for_each(|_| step(engine, &words([object(1)].into_iter())));
        assert!(engine.resident().residency().too_large, "there are limits to it");
    }
}

#[test]
fn what_is_worth_least_is_left_out_when_there_is_too_much() {
    let engines = Engines::new();
    for engine in engines.each() {
        step(engine, &words((0..3_000).map(object)));
        step(engine, &words((0..3_000).map(chain)));
        let all = filled(engine, PLENTY);
        assert!(all.names && all.chains && all.snapshots && !all.too_large && !all.filling, "{all:?}");
        let half = filled(engine, all.bytes * 2 / 3);
        assert!(half.names && half.chains && !half.snapshots && half.too_large && !half.filling, "{half:?}");
        assert!(half.bytes > 0 && half.bytes < all.bytes);
        let none = filled(engine, all.bytes / 10);
        assert_eq!(none, Residency { too_large: true, ..Residency::default() });

        // What grows too large later goes as well.
        assert!(filled(engine, all.bytes + 20_000).snapshots);
        step(engine, &words((3_000..6_000).map(chain)));
        let after = engine.resident().residency();
        assert!(after.names && after.chains && !after.snapshots && after.too_large, "{after:?}");
        assert_eq!(read::get(engine, &chain(5_999)).unwrap(), Some(Word("a word of some length".to_owned())));
    }
}

#[test]
fn what_is_whole_is_read_without_the_engine_and_the_rest_with_it() {
    let engines = Engines::new();
    for engine in engines.each() {
        step(engine, &words((0..40).map(object)));
        step(engine, &words((0..40).map(run)));
        let resident = engine.resident();
        let asked = |key: &Key| resident.get(&key.encode(), codec::decode::<Word>);
        assert!(asked(&object(7)).is_none(), "nothing was begun");
        resident.begin(PLENTY);
        assert!(asked(&object(7)).is_none(), "it is not whole");
        while resident.fill(engine).unwrap() {}
        assert!(asked(&object(7)).unwrap().unwrap().is_some());
        assert!(asked(&object(99)).unwrap().unwrap().is_none(), "there is no such record");
        assert!(asked(&run(7)).is_none(), "such records are not kept");
        step(engine, &Step::Remove(object(7)));
        assert!(asked(&object(8)).is_none(), "nobody trusts what was overturned");
        assert_eq!(resident.residency(), Residency::default());
    }
}

/// What a failed write left in the engine must not be copied, though it may be read there.
#[test]
fn nothing_is_copied_after_a_failed_write() {
    let engines = Engines::new();
    for engine in engines.each() {
        step(engine, &words((0..2 * COPIED_AT_ONCE as u16).map(object)));
        step(engine, &words((0..40).map(chain)));
        engine.resident().begin(PLENTY);
        assert!(engine.resident().fill(engine).unwrap(), "there is more to do");
        let failed = StoreError::Damaged { what: "it".to_owned(), why: "fails".to_owned() };
        engine.resident().writing(Records::new(), || Err(failed)).unwrap_err();
        assert!(!engine.resident().fill(engine).unwrap());
        assert_eq!(engine.resident().residency(), Residency::default());
        assert!(read::get::<Word>(engine, &object(1)).unwrap().is_some());
    }
}

/// The engine has a commit a moment before the copies do. What stands in no copy then leads to records that no copy has yet.
#[test]
fn what_only_the_engine_leads_to_is_read_there() {
    use proptest::strategy::ValueTree;

    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (tenant, folder) = (TenantId::from_bytes([3; 16]), tempfile::TempDir::new().unwrap());
    let (first, last) = (Time::from_micros(i64::MIN), Time::from_micros(i64::MAX));
    let options = SledOptions { create: true, ..SledOptions::new("test", Time::from_micros(0)) };
    let store = SledStore::open(folder.path().join("ledger"), options).unwrap();
    let (commit, snapshot) = std::iter::repeat_with(|| testing::commits().new_tree(&mut runner).unwrap().current())
        .find_map(|(commit, derived)| Some((commit, derived.snapshots.into_iter().find(|kept| kept.is_unproved())?)))
        .unwrap();
    let derived = Derived { snapshots: vec![snapshot], ..Derived::default() };
    store.append(tenant, Sequence(0), commit, derived).unwrap();
    filled(&store.engine, PLENTY);

    let mut lagging = Records::new();
    let kind = Prefix::kind(chain(0).encode().first_chunk().unwrap());
    store
        .engine
        .scan(read::all(kind), Order::Forward, |key, _| {
            lagging.push((key.to_vec(), None));
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
    assert_eq!(lagging.len(), 1);
    store.engine.resident().shelves_mut().put(&lagging);
    for proved in [Proved::Any, Proved::Not] {
        assert_eq!(store.snapshots_ending(tenant, proved, first, last, None, 9).unwrap().len(), 1);
    }
}

/// A write that fails leaves the copies as they were, which is what is acknowledged.
#[test]
fn a_failed_write_is_not_copied() {
    let engines = Engines::new();
    for engine in engines.each() {
        step(engine, &words((0..40).map(object)));
        filled(engine, PLENTY);
        let sealed = codec::seal(&object(99).encode(), &Word("new".to_owned())).unwrap();
        let failed = StoreError::Damaged { what: "it".to_owned(), why: "fails".to_owned() };
        let records = vec![(object(99).encode(), Some(sealed)), (object(1).encode(), None)];
        engine.resident().writing(records, || Err(failed)).unwrap_err();
        assert_eq!(read::get::<Word>(engine, &object(99)).unwrap(), None);
        assert!(read::get::<Word>(engine, &object(1)).unwrap().is_some());
    }
}

#[test]
fn a_damaged_record_is_not_copied_and_ends_the_copying() {
    let engines = Engines::new();
    let engine = engines.each().next().unwrap();
    step(engine, &words((0..40).map(object)));
    let mut batch = Batch::default();
    batch.insert(object(41).encode(), b"not what was sealed".to_vec());
    engine.apply(batch).unwrap();
    engine.resident().begin(PLENTY);
    let error = engine.resident().fill(engine).unwrap_err();
    assert!(error.to_string().contains("checksum"), "{error}");
    assert_eq!(engine.resident().residency(), Residency::default());
    assert!(!engine.resident().fill(engine).unwrap(), "there is nothing more to do");
    assert!(read::get::<Word>(engine, &object(1)).unwrap().is_some(), "the rest is read as before");
    read::get::<Word>(engine, &object(41)).unwrap_err();
}

#[test]
fn memory_that_decays_is_noticed() {
    let key = object(1).encode();
    let sealed = codec::seal(&key, &Word("someone".to_owned())).unwrap();
    let records = checksummed(vec![(key.clone(), Some(sealed))]);
    let record = records[0].1.clone().unwrap();
    assert!(checked(&key, &record).is_ok());
    assert!(checked(&object(2).encode(), &record).is_err(), "it is another one's");
    for bit in 0..record.len() * 8 {
        let mut decayed = record.clone();
        decayed[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(checked(&key, &decayed), Err(RecordError::Checksum), "bit {bit}");
    }
}

/// Readers see each batch whole or not at all, while copies are made and records written.
#[test]
fn readers_see_no_half_of_a_batch() {
    let engines = Engines::new();
    let engine = engines.each().next().unwrap();
    let write = |round: u32| {
        let keys = (0..200).step_by(50).map(object);
        step(engine, &Step::Write(keys.map(|key| (key, Some(format!("{round:08}")))).collect()));
    };
    write(0);
    filled(engine, PLENTY);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| (1..200).for_each(write));
        let mut seen = 0;
        while !writer.is_finished() {
            let mut found = Gathered::default();
            let range = read::all(Prefix::kind(object(0).encode().first_chunk().unwrap()));
            assert_eq!(engine.resident().gather(&range, Order::Forward, 10, &mut found), Some(true));
            let words: Vec<Vec<u8>> = found.iter().map(|(_, record)| record[..record.len() - 4].to_vec()).collect();
            assert_eq!(words.len(), 4);
            assert!(words.windows(2).all(|pair| pair[0] == pair[1]), "{words:?}");
            seen += 1;
        }
        assert!(seen > 0);
    });
}
