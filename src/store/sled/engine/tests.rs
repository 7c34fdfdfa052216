use std::ffi::OsString;
use std::sync::mpsc;

use super::opened::is_refused_lock;
use super::*;
use crate::domain::id::TenantId;
use crate::store::key::{Key, Prefix};
use crate::store::sled::LedgerKey;
use crate::store::sled::directory::copy_below;

const OPTIONS: EngineOptions = EngineOptions::TESTED;

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
    let apply = engine.applying(batch(&["conrad@x.test"])).unwrap();
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
        engine.commit(batch, &key(0)).unwrap();
        for round in 0..20 {
            // Known ones, and others of which there are no copies that could show it.
            let ranges = (1_500..1_600).map(|number| (key(number), Some(key(number + 1)))).collect();
            engine.fetch_meanwhile((0..1_000).map(key).collect(), ranges);
            let mut batch = Batch::default();
            (0..100).for_each(|number| batch.insert(key(number * 11 + round), vec![8; 300]));
            engine.commit(batch, &key(round)).unwrap();
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
        fetch(&engine.inner().unwrap(), None, keys, 1, &|| count.fetch_add(1, Ordering::Relaxed) < until);
        count.into_inner()
    };
    assert_eq!(asked(&keys, usize::MAX), 1_000);
    assert_eq!(asked(&keys, 70), 71);
    assert_eq!(asked(&keys[..FETCHED_MIN - 1], usize::MAX), 0, "so few are not worth it");
    let before = engine.asked.load(Ordering::Relaxed);
    engine.flush().unwrap();
    assert!(engine.asked.load(Ordering::Relaxed) > before, "whoever wants anything written ends it");
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
        engine.commit(batch, b"key").unwrap();
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
        engine.commit(batch, b"key").unwrap();
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
    engine.commit(batch, b"key").unwrap();
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
            engine.commit(batch, &[number]).unwrap();
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
