use proptest::prelude::*;

use super::*;
use crate::store::key::Key;
use crate::store::key::tests::keys;
use crate::store::sled::LedgerKey;
use crate::store::sled::engine::{Batch, EngineOptions, Range};

const OPTIONS: EngineOptions = EngineOptions::TESTED;

type Records = Vec<(Vec<u8>, Vec<u8>)>;

/// A plain and an encrypted engine with the same records.
struct Twins {
    plain: Engine,
    encrypted: Engine,
    _folders: [tempfile::TempDir; 2],
}

impl Twins {
    fn new() -> Self {
        let folders = [tempfile::TempDir::new().unwrap(), tempfile::TempDir::new().unwrap()];
        let cipher = Arc::new(Cipher::fresh(&LedgerKey::new([1; 32], [2; 32])));
        let plain = Engine::open(folders[0].path(), OPTIONS, None).unwrap();
        let encrypted = Engine::open(folders[1].path(), OPTIONS, Some(cipher)).unwrap();
        Self { plain, encrypted, _folders: folders }
    }

    fn put(&self, keys: &[Vec<u8>]) {
        for engine in [&self.plain, &self.encrypted] {
            let mut batch = Batch::default();
            keys.iter().for_each(|key| batch.insert(key.clone(), [b"of ", key.as_slice()].concat()));
            engine.apply(batch).unwrap();
        }
    }

    fn remove(&self, keys: &[Vec<u8>]) {
        for engine in [&self.plain, &self.encrypted] {
            let mut batch = Batch::default();
            keys.iter().for_each(|key| batch.remove(key.clone()));
            engine.apply(batch).unwrap();
        }
    }

    fn agree_on(&self, range: &Range, order: Order, limit: usize) -> Result<(), TestCaseError> {
        let [plain, encrypted] = [&self.plain, &self.encrypted].map(|engine| read(engine, range, order, limit));
        prop_assert_eq!(&encrypted, &plain, "{:?} {:?} at most {}", range, order, limit);
        for (key, value) in plain {
            let got = self.encrypted.get(&key).unwrap();
            prop_assert_eq!(got.as_deref(), Some(value.as_slice()));
        }
        Ok(())
    }
}

fn read(engine: &Engine, range: &Range, order: Order, limit: usize) -> Records {
    let mut records = Vec::new();
    let each = |key: &[u8], value: &[u8]| {
        records.push((key.to_vec(), value.to_vec()));
        Ok(if records.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    };
    engine.scan(range.clone(), order, each).unwrap();
    records
}

/// Keys that have much in common: two tenants, and few texts and numbers.
fn crowded() -> impl Strategy<Value = Vec<u8>> {
    (keys(), 0..2u8, any::<bool>(), 0..3u8).prop_map(|(key, tenant, same, few)| {
        let mut key = key.encode();
        key[..16].fill(tenant * 255);
        // Instants and numbers before a text that are alike make a group.
        if same && matches!(key[16], 0x0c | 0x14) {
            key[17..25].fill(few);
        }
        if same && key[16] == 0x0f {
            key[17..31].fill(few);
        }
        key
    })
}

/// Places at keys, just behind them, and at the beginnings of their fields and behind all of those.
fn bound(keys: &[Vec<u8>], (nth, cut, how): (usize, usize, u8)) -> Vec<u8> {
    let Some(key) = keys.get(nth % keys.len().max(1)) else { return Vec::new() };
    match how {
        0 => key.clone(),
        1 => [key.as_slice(), &[0]].concat(),
        2 => key[..cut % (key.len() + 1)].to_vec(),
        _ => successor(&key[..cut % (key.len() + 1)]).unwrap_or_default(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn encrypted_records_are_read_in_the_order_of_their_true_keys(
        first in prop::collection::vec(crowded(), 1..70),
        later in prop::collection::vec(crowded(), 0..12),
        gone in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        bounds in prop::collection::vec(((any::<usize>(), any::<usize>(), 0..4u8), (any::<usize>(), any::<usize>(), 0..5u8), any::<bool>(), 1..9usize), 40),
    ) {
        let twins = Twins::new();
        twins.put(&first);
        let mut known = first.clone();
        for (nth, (from, until, forward, limit)) in bounds.into_iter().enumerate() {
            if nth == 20 {
                // Texts are kept by now.
                twins.put(&later);
                twins.remove(&gone.iter().map(|gone| gone.get(&first).clone()).collect::<Vec<_>>());
                known.extend(later.iter().cloned());
            }
            let end = (until.2 < 4).then(|| bound(&known, until));
            let order = if forward { Order::Forward } else { Order::Backward };
            let limit = if limit == 8 { usize::MAX } else { limit };
            twins.agree_on(&(bound(&known, from), end), order, limit)?;
        }
        twins.agree_on(&(Vec::new(), None), Order::Forward, usize::MAX)?;
        twins.agree_on(&(Vec::new(), None), Order::Backward, usize::MAX)?;
    }
}

#[test]
fn every_record_is_given_once_in_the_engines_own_order_and_whole_kinds_are_removed() {
    let twins = Twins::new();
    let tenant = crate::domain::id::TenantId::from_bytes([7; 16]);
    let keys: Vec<_> = (0..50).map(|nth| Key::Notable { tenant, name: format!("name{nth}@x.test") }.encode()).collect();
    twins.put(&keys);
    let mut found = Vec::new();
    let each = |key, _| {
        found.push(key);
        Ok(())
    };
    twins.encrypted.each_record(each).unwrap();
    assert_ne!(found, keys, "the engine's order tells nothing of the names");
    found.sort();
    let mut sorted = keys.clone();
    sorted.sort();
    assert_eq!(found, sorted);
    let kind = keys[0][..FIELDS_AT].to_vec();
    twins.encrypted.remove_kinds(&(kind.clone(), successor(&kind))).unwrap();
    assert!(twins.encrypted.is_empty().unwrap());
}

#[test]
fn a_name_that_came_after_the_others_were_collected_is_found_among_them() {
    let twins = Twins::new();
    let tenant = crate::domain::id::TenantId::from_bytes([7; 16]);
    let key = |nth: u32| Key::Notable { tenant, name: format!("name{nth:03}@x.test") }.encode();
    let all = (key(0)[..FIELDS_AT].to_vec(), successor(&key(0)[..FIELDS_AT]));
    twins.put(&[2, 4, 6, 8, 10].map(key));
    for nth in [5, 1, 11, 7] {
        twins.agree_on(&all, Order::Forward, usize::MAX).unwrap();
        twins.put(&[key(nth)]);
        twins.agree_on(&all, Order::Forward, usize::MAX).unwrap();
        twins.agree_on(&(key(4), Some(key(9))), Order::Backward, usize::MAX).unwrap();
    }
    twins.remove(&[key(5)]);
    twins.agree_on(&all, Order::Backward, usize::MAX).unwrap();
}
