use std::ffi::OsString;
use std::sync::mpsc;

use proptest::strategy::{Strategy, ValueTree};

use super::opened::is_refused_lock;
use super::*;
use crate::domain::id::{ObjectId, Sequence, TenantId};
use crate::domain::time::Instant;
use crate::store::codec::{self, Record};
use crate::store::key::{Key, Prefix};
use crate::store::sled::directory::{Directory, HalfCommit, copy_below};
use crate::store::sled::read::all;
use crate::store::sled::{LedgerKey, SledOptions, SledStore, chain};
use crate::store::{Hash, Head, LedgerStore, testing};

const OPTIONS: EngineOptions = EngineOptions::TESTED;

#[derive(bincode::Encode, bincode::Decode)]
struct Word(String);

impl Record for Word {
    const VERSION: u8 = 1;
}

/// A write waits for its turn: whoever collects the texts of a large group meanwhile does not find what it brings.
#[test]
fn a_text_that_is_written_after_its_group_was_collected_is_found() {
    let (folder, tenant) = (tempfile::TempDir::new().unwrap(), TenantId::from_bytes([3; 16]));
    let cipher = Arc::new(Cipher::fresh(&LedgerKey::new([1; 32], [2; 32])));
    let engine = Engine::open(folder.path(), OPTIONS, Some(cipher)).unwrap();
    let batch = |names: &[&str]| {
        let mut batch = Batch::default();
        let keys = names.iter().map(|name| Key::Notable { tenant, name: (*name).to_owned() }.encode());
        keys.for_each(|key| batch.insert(key, b"it".to_vec()));
        batch
    };
    let kept = || {
        let (mut count, all) = (0, (Prefix::tenant(tenant).bytes(), Prefix::tenant(tenant).end()));
        engine
            .scan(all, Order::Forward, |_, _| {
                count += 1;
                Ok(ControlFlow::Continue(()))
            })
            .unwrap();
        count
    };
    engine.apply(batch(&["anna@x.test", "berta@x.test", "carl@x.test", "dora@x.test", "emil@x.test"])).unwrap();
    let apply = engine.applying(batch(&["conrad@x.test"]), None).unwrap();
    assert_eq!(kept(), 5);
    engine.write(apply).unwrap();
    assert_eq!(kept(), 6);
}

/// sled's own threads can die while somebody waits for them.
#[test]
fn a_write_that_never_ends_is_given_up_and_the_engine_still_closes() {
    let folder = tempfile::TempDir::new().unwrap();
    let engine = Engine::open(folder.path(), EngineOptions { patience: LOCK_PAUSE, ..OPTIONS }, None).unwrap();
    let (let_go, held) = mpsc::channel::<()>();
    let error = engine.write(move |_| {
        let _ = held.recv();
        Ok(())
    });
    let error = error.unwrap_err();
    assert!(matches!(error, StoreError::Io { .. }), "{error}");
    assert!(engine.get(b"key").unwrap().is_none(), "it is still read");
    drop(engine);
    drop(let_go);
    Engine::open(folder.path(), OPTIONS, None).expect("its files are let go of once the write has ended");
}

/// What is read beforehand is nobody's business but the engine's: whoever commits or closes meanwhile does it all the same.
#[test]
fn what_is_fetched_meanwhile_keeps_nothing_from_being_done() {
    let cipher = || Some(Arc::new(Cipher::fresh(&LedgerKey::new([1; 32], [2; 32]))));
    for cipher in [None, cipher()] {
        let (folder, tenant) = (tempfile::TempDir::new().unwrap(), TenantId::from_bytes([3; 16]));
        let key = |number: u64| Key::Run { tenant, run: number }.encode();
        let engine = Engine::open(folder.path(), OPTIONS, cipher.clone()).unwrap();
        let mut batch = Batch::default();
        (0..1_500).for_each(|number| batch.insert(key(number), vec![7; 300]));
        engine.commit(batch, &key(0), None).unwrap();
        for round in 0..20 {
            // Known ones, and others of which there are no copies that could show it.
            let ranges = (1_500..1_600).map(|number| (key(number), Some(key(number + 1)))).collect();
            engine.fetch_meanwhile((0..1_000).map(key).collect(), ranges);
            let mut batch = Batch::default();
            (0..100).for_each(|number| batch.insert(key(number * 11 + round), vec![8; 300]));
            engine.commit(batch, &key(round), None).unwrap();
        }
        engine.fetch_meanwhile((0..1_500).map(key).collect(), Vec::new());
        engine.close().unwrap();
        let engine = Engine::open(folder.path(), OPTIONS, cipher).unwrap();
        let written: Vec<u64> = (0..20).flat_map(|round| (0..100).map(move |number| number * 11 + round)).collect();
        for number in 0..1_500 {
            let expected = if written.contains(&number) { 8 } else { 7 };
            assert_eq!(engine.get(&key(number)).unwrap().as_deref(), Some([expected; 300].as_slice()), "{number}");
        }
    }
}

#[test]
fn fetching_ends_when_it_is_not_to_go_on() {
    let folder = tempfile::TempDir::new().unwrap();
    let engine = Engine::open(folder.path(), OPTIONS, None).unwrap();
    let keys: Vec<[u8; 4]> = (0..1_000_u32).map(u32::to_be_bytes).collect();
    let keys: Vec<&[u8]> = keys.iter().map(<[u8; 4]>::as_slice).collect();
    let asked = |keys: &[&[u8]], until: usize| {
        let count = AtomicUsize::new(0);
        let goes_on = || count.fetch_add(1, Ordering::Relaxed) < until;
        let read = fetch(&engine.inner().unwrap(), None, keys, 1, &goes_on).unwrap();
        (read.len(), count.load(Ordering::Relaxed))
    };
    assert_eq!(asked(&keys, usize::MAX), (1_000, 1_000));
    assert_eq!(asked(&keys, 70), (70, 71));
    let before = engine.asked.load(Ordering::Relaxed);
    engine.flush().unwrap();
    assert!(engine.asked.load(Ordering::Relaxed) > before, "whoever wants anything written ends it");
}

/// Waits until the writing thread has done what it was given, and does not end it.
fn awaited(engine: &Engine) {
    engine.writer.wait_for(|| (), engine.options.patience).unwrap();
}

#[test]
fn what_is_known_is_fetched_meanwhile_and_what_copies_show_to_be_missing() {
    let (folder, tenant) = (tempfile::TempDir::new().unwrap(), TenantId::from_bytes([3; 16]));
    let posting = |number: u8| Key::Posting {
        tenant,
        name: format!("user{number}@x.test"),
        object: ObjectId::from_bytes([number; 16]),
    };
    let engine = Engine::open(folder.path(), OPTIONS, None).unwrap();
    let mut batch = Batch::default();
    for number in 0..40 {
        let key = posting(number).encode();
        batch.insert(key.clone(), codec::seal(&key, &Word("it".to_owned())).unwrap());
    }
    engine.commit(batch, &posting(0).encode(), None).unwrap();
    let keys = |count: u64| -> Vec<Vec<u8>> { (0..count).map(|run| Key::Run { tenant, run }.encode()).collect() };
    let fetched = || engine.fetched.swap(0, Ordering::Relaxed);
    let ranges = |numbers: std::ops::Range<u8>| -> Vec<Range> {
        numbers.map(|number| all(Prefix::postings(tenant, &format!("user{number}@x.test")))).collect()
    };
    let names = || ranges(0..100);
    engine.fetch_meanwhile(keys(100), names());
    awaited(&engine);
    assert_eq!(fetched(), 100, "without copies nobody knows which names there are");

    engine.resident().begin(1 << 20);
    while engine.resident().fill(&engine).unwrap() {}
    engine.fetch_meanwhile(keys(100), names());
    awaited(&engine);
    assert_eq!(fetched(), 100 + 60, "forty names are in the copies, and are not written");

    engine.fetch_meanwhile(keys(FETCHED_MIN as u64 - 1), Vec::new());
    awaited(&engine);
    assert_eq!(fetched(), 0, "so few are not worth it");

    // The thread is busy, and before it comes to the reading somebody wants something else of it.
    let (let_go, held) = mpsc::channel::<()>();
    engine.writer.leave(move || {
        let _ = held.recv();
    });
    engine.fetch_meanwhile(keys(1_000), names());
    engine.end_fetching();
    drop(let_go);
    awaited(&engine);
    assert_eq!(fetched(), 0);
}

/// A batch that cannot be applied whole, because a page of it cannot be read.
struct Unreadable {
    folder: tempfile::TempDir,
    whole: Vec<u8>,
}

impl Unreadable {
    const KEYS: std::ops::Range<u8> = 1..200;

    fn value(number: u8) -> Vec<u8> {
        vec![number; 3_000]
    }

    fn new() -> Self {
        let folder = tempfile::TempDir::new().unwrap();
        let engine = Engine::open(folder.path(), OPTIONS, None).unwrap();
        for number in Self::KEYS {
            let mut batch = Batch::default();
            batch.insert(vec![number], Self::value(number));
            engine.commit(batch, &[number], None).unwrap();
        }
        engine.close().unwrap();
        let whole = fs::read(folder.path().join(DATA_FILE)).unwrap();
        Self { folder, whole }
    }

    /// Opens it without any page of it in memory, and then damages one, wherever it stands or stood.
    fn open(&self) -> Engine {
        let engine = Engine::open(self.folder.path(), OPTIONS, None).unwrap();
        self.change(|byte, whole| *byte = whole ^ 0x40);
        engine
    }

    /// Changes what stood there of one page, as long as nothing else does.
    fn change(&self, change: impl Fn(&mut u8, u8)) {
        let db = self.folder.path().join(DATA_FILE);
        let mut bytes = fs::read(&db).unwrap();
        let value = Self::value(100);
        let places = self.whole.windows(value.len()).enumerate().filter(|(_, bytes)| *bytes == value);
        for (place, _) in places {
            if bytes[place + 1..place + value.len()] == value[1..] {
                change(&mut bytes[place], self.whole[place]);
            }
        }
        io::Write::write_all(&mut fs::OpenOptions::new().write(true).open(&db).unwrap(), &bytes).unwrap();
    }

    fn batch() -> Batch {
        let mut batch = Batch::default();
        for number in Self::KEYS {
            match number % 3 {
                0 => batch.remove(vec![number]),
                _ => batch.insert(vec![number], b"new".to_vec()),
            }
        }
        (0..50).for_each(|number| batch.insert(vec![number, 1], b"new".to_vec()));
        batch
    }

    /// How many keys are not as they were, once the disk can be read again.
    fn changed(self, engine: Engine) -> usize {
        self.change(|byte, whole| *byte = whole);
        drop(engine);
        let engine = Engine::open(self.folder.path(), OPTIONS, None).unwrap();
        let before: Vec<(Vec<u8>, Vec<u8>)> = Self::KEYS.map(|number| (vec![number], Self::value(number))).collect();
        let mut found = Vec::new();
        engine
            .scan_stored((Vec::new(), None), Order::Forward, |key, value| {
                found.push((key.to_vec(), value.to_vec()));
                Ok(ControlFlow::Continue(()))
            })
            .unwrap();
        let lost = before.iter().filter(|record| !found.contains(record)).count();
        lost + found.iter().filter(|record| !before.contains(record)).count()
    }
}

/// sled applies a batch one record after the other, in any order, and what it has done when it fails stays.
#[test]
fn of_a_commit_that_cannot_be_read_nothing_is_done() {
    let half = |_| {
        let place = Unreadable::new();
        let engine = place.open();
        engine.apply(Unreadable::batch()).unwrap_err();
        assert!(engine.half.is_there());
        place.changed(engine) > 0
    };
    assert!((0..20).any(half), "this is what the engine does by itself; if it does not, nothing is shown here");
    for _ in 0..5 {
        let place = Unreadable::new();
        let engine = place.open();
        engine.commit(Unreadable::batch(), b"key", None).unwrap_err();
        assert!(engine.broken().is_some() && !engine.half.is_there());
        assert_eq!(engine.get(&[5]).unwrap().as_deref(), Some(Unreadable::value(5).as_slice()), "it is read");
        assert_eq!(place.changed(engine), 0);
    }
}

/// A page that was read may be gone from memory when its turn comes, and not to be read again.
#[test]
fn half_of_a_batch_is_not_read_and_is_taken_back() {
    let before: Vec<(IVec, Option<IVec>)> = (Unreadable::batch().0.into_iter())
        .map(|(key, _)| match key.as_slice() {
            [number] => (key.as_slice().into(), Some(Unreadable::value(*number).into())),
            _ => (key.into(), None),
        })
        .collect();
    for is_readable_again in [false, true, false, true, false, true] {
        let ledger = tempfile::TempDir::new().unwrap();
        let directory = Directory::lock(&ledger.path().join("ledger"), true).unwrap();
        let (tenant, sequence, hash) = (TenantId::from_bytes([3; 16]), Sequence(7), Hash([9; 32]));
        let mark = directory.half_mark(tenant, sequence, hash);
        let place = Unreadable::new();
        let engine = place.open();
        engine.apply(Unreadable::batch()).unwrap_err();
        let error = engine.get(&[5]).unwrap_err();
        assert!(chain(&error).contains("rebuild"), "{error}");
        if is_readable_again {
            place.change(|byte, whole| *byte = whole);
        }
        engine.half.take_back(&engine.inner().unwrap(), before.clone(), Some(&mark));
        assert_eq!(directory.is_rebuilding().unwrap(), !is_readable_again);
        let left = (!is_readable_again).then_some(HalfCommit { tenant, sequence, hash });
        assert_eq!(directory.half().unwrap(), left);
        match engine.get(&[5]) {
            Ok(value) => {
                assert_eq!((value.as_deref(), is_readable_again), (Some(Unreadable::value(5).as_slice()), true))
            }
            Err(_) => assert!(!is_readable_again, "what could not be put back may be anything"),
        }
        assert_eq!(engine.reopened.load(Ordering::Relaxed), 0);
        assert_eq!(place.changed(engine), 0, "what can be put back is");
    }
}

/// A commit whose pages could be read, and one of them not once more.
#[test]
fn a_commit_that_fails_in_the_midst_of_it_is_taken_back_by_itself() {
    for _ in 0..5 {
        let place = Unreadable::new();
        let engine = place.open();
        let undoing = Undoing {
            before: Box::new(|_, keys| {
                let had = |key: &IVec| match key.as_ref() {
                    [number] => Some(Unreadable::value(*number).into()),
                    _ => None,
                };
                Ok(keys.iter().map(had).collect())
            }),
            mark: None,
        };
        engine.write(engine.applying(Unreadable::batch(), Some(undoing)).unwrap()).unwrap_err();
        assert!(engine.half.is_there(), "of one page nobody knows");
        assert_eq!(place.changed(engine), 0);
    }
}

/// What cannot be taken back is left to the opening for a rebuild, which nothing is written before. A mark that has nothing to do with what is
/// there, as one may be left in a copy, removes nothing.
#[test]
fn half_of_a_commit_that_stays_is_removed_before_everything_is_derived_anew() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (tenant, folder) = (TenantId::from_bytes([3; 16]), tempfile::TempDir::new().unwrap());
    let path = folder.path().join("ledger");
    let options = SledOptions { create: true, ..SledOptions::new("test", Instant::from_micros(0)) };
    let for_a_rebuild = SledOptions { rebuild: true, ..options.clone() };
    let store = SledStore::open(&path, options.clone()).unwrap();
    let mut heads = vec![Head::default()];
    for _ in 0..3 {
        let (commit, derived) = testing::commits().new_tree(&mut runner).unwrap().current();
        let expected = heads.last().unwrap().sequence;
        heads.push(store.append(tenant, expected, commit, derived).unwrap());
    }
    // Of the fourth commit there is a piece, and of what it should have changed nothing.
    let piece = Key::Journal { tenant, sequence: Sequence(4), chunk: 1 }.encode();
    let mut batch = Batch::default();
    batch.insert(piece.clone(), b"half of it".to_vec());
    store.engine.apply(batch).unwrap();
    store.directory.half_mark(tenant, Sequence(4), Hash([9; 32])).set().unwrap();
    drop(store);
    let error = SledStore::open(&path, options.clone()).unwrap_err();
    assert!(matches!(error, StoreError::NeedsRebuild { .. }), "{error}");
    let journal = |store: &SledStore| -> Vec<Hash> {
        store.journal(tenant, Sequence(1), 9).unwrap().iter().map(|entry| entry.hash).collect()
    };
    let all: Vec<Hash> = heads.iter().skip(1).map(|head| head.hash).collect();
    let store = SledStore::open(&path, for_a_rebuild.clone()).unwrap();
    assert!(store.engine.get(&piece).unwrap().is_none());
    assert_eq!(journal(&store), all);
    assert!(store.directory.is_rebuilding().unwrap() && store.directory.half().unwrap().is_none());

    let others = [(2, heads[2].hash), (3, Hash([9; 32])), (3, heads[3].hash), (7, Hash([9; 32]))];
    others.into_iter().fold(store, |store, (sequence, hash)| {
        store.directory.half_mark(tenant, Sequence(sequence), hash).set().unwrap();
        drop(store);
        let store = SledStore::open(&path, for_a_rebuild.clone()).unwrap();
        assert_eq!(journal(&store), all, "{sequence}");
        store
    });
}

/// A mark that asked for a rebuild before asks for it afterwards.
#[test]
fn a_mark_says_again_what_it_said_before() {
    let ledger = tempfile::TempDir::new().unwrap();
    let directory = Directory::lock(&ledger.path().join("ledger"), true).unwrap();
    let mark = directory.half_mark(TenantId::from_bytes([3; 16]), Sequence(7), Hash([9; 32]));
    for is_begun in [false, true] {
        directory.mark_rebuilding().unwrap();
        if is_begun {
            directory.mark_rebuilding_begun().unwrap();
        }
        let before = mark.set().unwrap();
        assert!(directory.half().unwrap().is_some());
        assert_eq!(directory.has_begun_rebuilding().unwrap(), is_begun);
        mark.clear(&before).unwrap();
        assert!(directory.is_rebuilding().unwrap() && directory.half().unwrap().is_none());
    }
    directory.clear_rebuilding().unwrap();
    let before = mark.set().unwrap();
    mark.clear(&before).unwrap();
    assert!(!directory.is_rebuilding().unwrap());
}

/// A disk that cannot be read in one place is read in the others, and the engine is not opened again, which would write.
#[test]
fn what_cannot_be_read_is_no_reason_to_open_the_engine_again() {
    let folder = tempfile::TempDir::new().unwrap();
    let engine = Engine::open(folder.path(), OPTIONS, None).unwrap();
    let failing = |times: usize| {
        let mut left = times;
        engine.read(move |inner| {
            left = left.saturating_sub(1);
            inner.guarded(|| if left == 0 { Ok(()) } else { Err(io::Error::other("once more").into()) })
        })
    };
    failing(2).unwrap();
    failing(3).unwrap_err();
    assert_eq!(engine.reopened.load(Ordering::Relaxed), 0);
    assert!(engine.broken().is_some(), "it is not written any more all the same");
}

/// Copies are filled while nobody writes, so whoever writes waits for them; and they must not wait for it if they cannot be read.
#[test]
fn copies_that_cannot_be_read_hold_up_no_write() {
    let folder = tempfile::TempDir::new().unwrap();
    let engine = Engine::open(folder.path(), OPTIONS, None).unwrap();
    let turn = engine.resident().turn();
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut batch = Batch::default();
            batch.insert(b"key".to_vec(), b"value".to_vec());
            engine.commit(batch, b"key", None)
        });
        // It waits for its turn, as for whoever fills copies, who meets a place that cannot be read.
        thread::sleep(LOCK_PAUSE * 2);
        let unreadable: Result<(), _> =
            engine.read(|inner| inner.guarded(|| Err(io::Error::other("it cannot be read").into())));
        unreadable.unwrap_err();
        assert!(!writer.is_finished(), "it waited for the one who waits for it, until he was given up");
        drop(turn);
        writer.join().unwrap().unwrap();
    });
}

/// The names of the notes of where pages stand.
fn notes(path: &Path) -> Vec<OsString> {
    let names = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name());
    let mut notes: Vec<_> = names.filter(|name| name.to_string_lossy().starts_with("snap.")).collect();
    notes.sort();
    notes
}

#[test]
fn after_much_was_written_the_closing_notes_where_it_stands() {
    for (bytes, is_noted) in [(9_999, false), (10_000, true)] {
        let folder = tempfile::TempDir::new().unwrap();
        let options = EngineOptions { ready_after_bytes: 10_000, ..OPTIONS };
        drop(Engine::open(folder.path(), options, None).unwrap());
        let engine = Engine::open(folder.path(), options, None).unwrap();
        let before = notes(folder.path());
        let mut batch = Batch::default();
        batch.insert(b"key".to_vec(), vec![7; bytes - 3]);
        engine.commit(batch, b"key", None).unwrap();
        engine.close().unwrap();
        let after = notes(folder.path());
        assert_eq!(after != before, is_noted, "{bytes}: {before:?}, {after:?}");
        let engine = Engine::open(folder.path(), options, None).unwrap();
        assert_eq!(engine.get(b"key").unwrap().unwrap().len(), bytes - 3);
    }
}

#[test]
fn what_took_the_place_of_an_engine_is_left_alone_when_it_is_closed() {
    let folder = tempfile::TempDir::new().unwrap();
    let (place, away) = (folder.path().join("engine"), folder.path().join("away"));
    let options = EngineOptions { ready_after_bytes: 0, ..OPTIONS };
    for is_copied in [false, true] {
        let engine = Engine::open(&place, options, None).unwrap();
        let mut batch = Batch::default();
        batch.insert(b"key".to_vec(), b"value".to_vec());
        engine.commit(batch, b"key", None).unwrap();
        fs::rename(&place, &away).unwrap();
        if is_copied {
            copy_below(&away, &place).unwrap();
        }
        let before = is_copied.then(|| notes(&place));
        // Whose file it looks for in vain is said.
        assert_eq!(engine.close().is_ok(), is_copied);
        assert_eq!(place.exists().then(|| notes(&place)), before);
        let _ = fs::remove_dir_all(&place);
        fs::remove_dir_all(&away).unwrap();
    }
}

#[test]
fn an_engine_that_failed_is_closed_as_it_is() {
    let folder = tempfile::TempDir::new().unwrap();
    let options = EngineOptions { ready_after_bytes: 0, ..OPTIONS };
    drop(Engine::open(folder.path(), EngineOptions { ready_after_bytes: usize::MAX, ..options }, None).unwrap());
    let engine = Engine::open(folder.path(), options, None).unwrap();
    let before = notes(folder.path());
    let mut batch = Batch::default();
    batch.insert(b"key".to_vec(), b"value".to_vec());
    engine.commit(batch, b"key", None).unwrap();
    let full = io::Error::from(io::ErrorKind::StorageFull);
    engine.note_broken(&io_error(folder.path(), "write", full));
    engine.close().unwrap();
    assert_eq!(notes(folder.path()), before);
}

#[test]
fn an_engine_whose_last_holder_is_just_ending_is_waited_for() {
    let folder = tempfile::TempDir::new().unwrap();
    drop(Engine::open(folder.path(), OPTIONS, None).unwrap());
    let held = File::open(folder.path().join(DATA_FILE)).unwrap();
    // sled's own threads may hold it for a moment longer.
    held.lock().unwrap();
    // It is refused with the very text by which the wait goes on.
    let refused = ::sled::Config::new().path(folder.path()).open().unwrap_err();
    assert!(matches!(&refused, ::sled::Error::Io(error) if is_refused_lock(error)), "{refused}");
    let ending = thread::spawn(move || {
        thread::sleep(LOCK_PAUSE * 5);
        drop(held);
    });
    Engine::open(folder.path(), OPTIONS, None).unwrap();
    ending.join().unwrap();
}

/// After a failure it is opened again for reading. A log that is damaged meanwhile comes back without its end, and what stands there is
/// left for a repair.
#[test]
fn an_engine_that_comes_back_without_what_was_acknowledged_is_not_read() {
    let value = |number: u8| vec![number; 3_000];
    for is_damaged in [false, true] {
        let folder = tempfile::TempDir::new().unwrap();
        let engine = Engine::open(folder.path(), OPTIONS, None).unwrap();
        for number in 1..100 {
            let mut batch = Batch::default();
            batch.insert(vec![number], value(number));
            engine.commit(batch, &[number], None).unwrap();
        }
        let db = folder.path().join(DATA_FILE);
        let holds = |number: u8| fs::read(&db).unwrap().windows(3_000).any(|bytes| bytes == value(number));
        assert!(holds(1) && holds(99));
        if is_damaged {
            let mut bytes = fs::read(&db).unwrap();
            let place = bytes.windows(3_000).position(|bytes| bytes == value(50)).unwrap();
            *bytes.get_mut(place).unwrap() ^= 0x40;
            fs::write(&db, bytes).unwrap();
        }
        let refused = io_error(folder.path(), "write", io::Error::from(io::ErrorKind::StorageFull));
        engine.note_broken(&refused);
        let failed = Arc::as_ptr(&engine.inner().unwrap());
        assert_eq!(engine.open_again(refused, failed).is_err(), is_damaged);
        assert_eq!(engine.get(&[99]).is_err(), is_damaged);
        drop(engine);
        assert!(holds(99), "what stands behind the damage was written over");
    }
}
