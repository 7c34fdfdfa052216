use std::fs;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::store::key::tests::keys;
use crate::store::sled::directory::{CIPHER, CIPHER_COPY};

fn key(nth: u8) -> LedgerKey {
    LedgerKey::new([nth; 32], [nth + 100; 32])
}

fn placed(nth: u8) -> TempDir {
    let folder = TempDir::new().unwrap();
    Cipher::fresh(&key(nth)).place(folder.path()).unwrap();
    folder
}

fn open(folder: &TempDir, key: Option<&LedgerKey>) -> Result<Option<Arc<Cipher>>, StoreError> {
    cipher_of(folder.path(), "ledger", key)
}

proptest! {
    #[test]
    fn a_record_comes_back_and_shows_no_text(plain in keys(), value in prop::collection::vec(any::<u8>(), 0..40)) {
        let plain = plain.encode();
        let cipher = Cipher::fresh(&key(1));
        let (stored, sealed) = cipher.seal(&plain, &value).unwrap();
        prop_assert_eq!(&stored, &cipher.key(&plain));
        prop_assert_eq!(cipher.open(&stored, &sealed).unwrap(), (plain.clone(), value.clone()));
        prop_assert_eq!(cipher.value(&plain, &stored, &sealed).unwrap(), value);
        // What is visible in it is as long as the fields that hide nothing, and a token for each other.
        let bytes = |field: &Field| if let Field::Plain(bytes) = field { *bytes } else { TOKEN_BYTES };
        prop_assert_eq!(stored.len(), FIELDS_AT + fields_of(&stored).iter().map(bytes).sum::<usize>());
        let other = Cipher::fresh(&key(2));
        prop_assert!(other.open(&stored, &sealed).is_err());
    }
}

fn posting(name: &str) -> Vec<u8> {
    let tenant = crate::domain::id::TenantId::from_bytes([7; 16]);
    Key::Posting { tenant, name: name.to_owned(), object: crate::domain::id::ObjectId::from_bytes([3; 16]) }.encode()
}

#[test]
fn every_flipped_bit_of_a_record_is_damage_that_names_it() {
    let cipher = Cipher::fresh(&key(1));
    let plain = posting("ann@x.test");
    let (stored, sealed) = cipher.seal(&plain, b"value").unwrap();
    for bit in 0..sealed.len() * 8 {
        let mut damaged = sealed.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let error = cipher.open(&stored, &damaged).unwrap_err();
        assert!(matches!(error, StoreError::Damaged { .. }), "bit {bit}: {error}");
        let error = cipher.value(&plain, &stored, &damaged).unwrap_err().to_string();
        assert!(error.contains("posting of a name of object 03030303") && !error.contains("ann@"), "{error}");
    }
    for short in 0..sealed.len() {
        assert!(cipher.open(&stored, &sealed[..short]).is_err(), "{short} bytes");
    }
}

#[test]
fn a_value_in_the_place_of_another_is_damage() {
    let cipher = Cipher::fresh(&key(1));
    let (ann, of_ann) = cipher.seal(&posting("ann@x.test"), b"value").unwrap();
    let (bob, of_bob) = cipher.seal(&posting("bob@x.test"), b"value").unwrap();
    assert!(cipher.open(&ann, &of_bob).is_err() && cipher.open(&bob, &of_ann).is_err());
}

#[test]
fn the_same_text_elsewhere_has_another_token() {
    let cipher = Cipher::fresh(&key(1));
    let tenant = crate::domain::id::TenantId::from_bytes([7; 16]);
    let notable = Key::Notable { tenant, name: "ann@x.test".to_owned() }.encode();
    let [stored, other] = [posting("ann@x.test"), notable].map(|key| cipher.key(&key)[FIELDS_AT..][..16].to_vec());
    assert_ne!(stored, other);
}

#[test]
fn a_wrapped_key_opens_with_its_own_key_alone() {
    let folder = placed(1);
    let sealed = Cipher::fresh(&key(1)).seal(b"a key of no kind..", b"value").unwrap();
    let cipher = open(&folder, Some(&key(1))).unwrap().unwrap();
    assert_eq!(cipher.open(&sealed.0, &sealed.1).unwrap().1, b"value");
    assert_eq!(cipher.key_id(), key(1).id());
    let missing = open(&folder, None).err().unwrap();
    assert!(matches!(missing, StoreError::NoKey { .. }), "{missing}");
    let wrong = open(&folder, Some(&key(2))).err().unwrap();
    assert!(matches!(wrong, StoreError::WrongKey { .. }), "{wrong}");
    let (wanted, found) = (key(1).id().to_string(), key(2).id().to_string());
    assert!(wrong.to_string().contains(&wanted) && wrong.to_string().contains(&found), "{wrong}");
    assert!(open(&TempDir::new().unwrap(), Some(&key(1))).unwrap().is_none());
}

#[test]
fn every_changed_byte_of_a_wrapped_key_is_told() {
    let folder = placed(1);
    let path = folder.path().join(CIPHER);
    fs::remove_file(folder.path().join(CIPHER_COPY)).unwrap();
    let sound = fs::read(&path).unwrap();
    for place in 0..sound.len() {
        let mut damaged = sound.clone();
        damaged[place] ^= 1;
        fs::write(&path, &damaged).unwrap();
        let error = open(&folder, Some(&key(1))).err().unwrap();
        assert!(matches!(error, StoreError::WrappedKey { .. }), "byte {place}: {error}");
    }
    for length in 0..sound.len() {
        fs::write(&path, &sound[..length]).unwrap();
        let error = open(&folder, Some(&key(1))).err().unwrap();
        assert!(matches!(error, StoreError::WrappedKey { .. }), "{length} bytes: {error}");
    }
    fs::write(&path, String::from_utf8(sound).unwrap().replace("cipher 1", "cipher 2")).unwrap();
    let error = open(&folder, Some(&key(1))).err().unwrap().to_string();
    assert!(error.contains("version is 2") && error.contains("upgrade"), "{error}");
}

#[test]
fn another_key_opens_the_same_data_key_once_it_wraps_it() {
    let folder = placed(1);
    let before = open(&folder, Some(&key(1))).unwrap().unwrap();
    let wrapped = Wrapped::read(folder.path()).unwrap().unwrap();
    let again = wrapped.for_key(folder.path(), &key(1), &key(2)).unwrap();
    again.write(folder.path()).unwrap();
    let after = open(&folder, Some(&key(2))).unwrap().unwrap();
    assert!(after.is_same(&before));
    assert!(matches!(open(&folder, Some(&key(1))).err().unwrap(), StoreError::WrongKey { .. }));
    assert!(wrapped.for_key(folder.path(), &key(3), &key(2)).is_err(), "only the key that opens it");
}

/// Whoever is told that it failed may throw the new key away.
#[test]
fn a_change_of_keys_that_fails_anywhere_leaves_the_old_key() {
    for blocked in [CIPHER_COPY, CIPHER] {
        let folder = placed(1);
        let wrapped = Wrapped::read(folder.path()).unwrap().unwrap();
        let changed = wrapped.for_key(folder.path(), &key(1), &key(2)).unwrap();
        // A folder stands where the new file would be written.
        let obstacle = folder.path().join(format!("{blocked}.new"));
        fs::create_dir(&obstacle).unwrap();
        assert!(changed.write(folder.path()).is_err(), "{blocked}");
        fs::remove_dir(&obstacle).unwrap();
        let cipher = open(&folder, Some(&key(1))).unwrap().unwrap();
        assert!(matches!(open(&folder, Some(&key(2))), Err(StoreError::WrongKey { .. })), "{blocked}");
        // Opening the ledger does this.
        cipher.mend(folder.path()).unwrap();
        fs::remove_file(folder.path().join(CIPHER)).unwrap();
        assert!(open(&folder, Some(&key(1))).is_ok(), "{blocked}");
    }
}

#[test]
fn nothing_of_a_key_is_printed() {
    let shown = format!("{:?}", LedgerKey::new([0xab; 32], [0xcd; 32]));
    assert!(!shown.contains("abab") && !shown.contains("cdcd") && !shown.contains("171, 171"), "{shown}");
}

#[test]
fn a_copy_steps_in_for_a_wrapped_key_that_is_damaged_or_gone() {
    let folder = placed(1);
    let [first, copy] = [CIPHER, CIPHER_COPY].map(|name| folder.path().join(name));
    let sound = fs::read(&first).unwrap();
    let harms: [&dyn Fn(&Path); 3] =
        [&|path| fs::write(path, "whowas ciph").unwrap(), &|path| fs::remove_file(path).unwrap(), &|path| {
            fs::write(path, [sound.as_slice(), b"x"].concat()).unwrap();
        }];
    for (harmed, harm) in [&first, &copy].into_iter().flat_map(|path| harms.map(|harm| (path, harm))) {
        harm(harmed);
        let cipher = open(&folder, Some(&key(1))).unwrap().unwrap();
        cipher.mend(folder.path()).unwrap();
        assert_eq!((fs::read(&first).unwrap(), fs::read(&copy).unwrap()), (sound.clone(), sound.clone()));
    }
    // Both are sound and differ: the first counts, and the copy becomes the same.
    let changed = Wrapped::read(folder.path()).unwrap().unwrap().for_key(folder.path(), &key(1), &key(2)).unwrap();
    changed.write(folder.path()).unwrap();
    fs::write(&copy, &sound).unwrap();
    assert!(open(&folder, Some(&key(1))).is_err());
    open(&folder, Some(&key(2))).unwrap().unwrap().mend(folder.path()).unwrap();
    assert_ne!(fs::read(&copy).unwrap(), sound);
    // Both are harmed.
    harms[0](&first);
    harms[0](&copy);
    assert!(matches!(open(&folder, Some(&key(2))), Err(StoreError::WrappedKey { .. })));
}
