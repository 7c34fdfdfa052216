//! Names, ids and words without what was erased, with a key that anybody could guess.

use std::collections::HashMap;
use std::time::Duration;

use super::*;
use crate::domain::fact::{
    Addressed, Blind, Changed, Fact, Profile, Property, Reading, Seen, Snapshot, Source, Vacant,
};
use crate::domain::name::{Name, NameKind, Proxy};

struct Plain;

fn digest(text: &str) -> Token {
    let mut bytes = [0u8; 16];
    for (place, byte) in text.bytes().enumerate() {
        bytes[place % 16] = bytes[place % 16].wrapping_mul(31) ^ byte;
    }
    Token(bytes)
}

impl Tokens for Plain {
    fn name(&self, key: &NameKey) -> Token {
        digest(&format!("n{}", key.as_str()))
    }
    fn text(&self, text: &str) -> Token {
        digest(&format!("t{text}"))
    }
    fn fingerprint(&self) -> Fingerprint {
        Fingerprint([0; 8])
    }
    fn another(&self) -> Box<dyn Tokens> {
        Box::new(Self)
    }
}

const ANN: ObjectId = ObjectId::from_bytes([0xaa; 16]);
const BOB: ObjectId = ObjectId::from_bytes([0xbb; 16]);

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn at(micros: i64) -> Instant {
    Instant::from_micros(micros)
}

fn reading() -> Reading {
    Reading { at: at(1), lag: Duration::ZERO, source: Source::Delta, unchanged_since: None }
}

fn seen(object: ObjectId, upn: &str) -> Fact {
    let proxies = vec![Proxy::Primary(name(upn)), Proxy::Other("X500:/o=Org/cn=Ann".into())];
    let profile = Profile { upn: Some(name(upn)), proxies, employee_id: Some("7".into()), ..Profile::default() };
    Fact::Seen(Seen { object, reading: reading(), profile })
}

/// Ann was erased, who was called so.
fn erasure(names: &[&str]) -> Erasure {
    let mut erasure = Erasure::new(Plain);
    erasure.extend([Erased::Object(ANN), Erased::Text(Plain.text("7")), Erased::Text(Plain.text("box ann@x.test"))]);
    erasure.extend(names.iter().map(|text| Erased::Name(Plain.name(name(text).key()))));
    erasure
}

fn masked(erasure: &Erasure, fact: Fact, is_others: bool) -> Fact {
    let needles = Needles::new([("Ann@x.test", name("ann@x.test").key())]);
    let others = |_: &NameKey| is_others;
    Masker { erasure, needles: &needles, findings: &HashMap::new(), is_others: &others }.mask(fact)
}

fn json(fact: &Fact) -> String {
    serde_json::to_string(fact).unwrap().to_lowercase()
}

#[test]
fn what_stands_for_a_name_is_a_name_that_stands_for_itself() {
    let erasure = erasure(&["ann@x.test"]);
    let key = erasure.key(name("ANN@x.test").key());
    let pseudonym = name(key.as_str());
    assert_eq!(pseudonym.key(), &key);
    assert_eq!(stands_for(key.as_str()), Some(Plain.name(name("ann@x.test").key())));
    assert_eq!(erasure.key(&key), key);
    assert_eq!(erasure.erased(name("bob@x.test").key()), None);
    for no in
        ["erased-12@erased.invalid", "erased-0123456789ABCDEF0123456789ABCDEF@erased.invalid", "ann@erased.invalid"]
    {
        assert_eq!(stands_for(no), None, "{no}");
    }
}

#[test]
fn a_placeholder_stays_one_and_a_mangled_name_is_unmangled_to_its_pseudonym() {
    let erasure = erasure(&["tom+4711@contoso.onmicrosoft.com", "ann@x.test"]);
    let key = erasure.key(name("tom+4711@contoso.onmicrosoft.com").key());
    assert!(name(key.as_str()).is_quarantine_placeholder());
    let plain = erasure.key(name("ann@x.test").key());
    for object in [ANN, BOB] {
        let mangled = format!("{}ann@x.test", NameKey::mark_of(object));
        let Fact::Seen(seen) = masked(&erasure, seen(object, &mangled), false) else { unreachable!() };
        let upn = seen.profile.upn.unwrap();
        assert_eq!(upn.unmangled(object).unwrap().key(), &plain);
        assert_eq!(upn.spelling().contains("ann@"), object == BOB);
    }
}

#[test]
fn a_profile_of_the_erased_tells_nothing_and_one_of_another_keeps_its_spelling() {
    let erasure = erasure(&["ann@x.test"]);
    let own = masked(&erasure, seen(ANN, "Ann@X.test"), false);
    assert!(!json(&own).contains("ann") && !json(&own).contains("\"7\""), "{}", json(&own));
    assert_eq!(masked(&erasure, own.clone(), false), own);
    let other = masked(&erasure, seen(BOB, "Ann@X.test"), false);
    let Fact::Seen(other) = other else { unreachable!() };
    let (upn, key) = (other.profile.upn.unwrap(), erasure.key(name("ann@x.test").key()));
    assert_eq!((upn.spelling(), upn.key()), ("Ann@X.test", &key));
    assert_eq!(other.profile.proxies.len(), 2);
}

#[test]
fn an_event_of_the_erased_tells_neither_the_old_name_nor_the_new() {
    let (old, new) = (Some(vec![name("ann@x.test")]), Some(vec![name("Ann.Lee@x.test")]));
    let (event, property) = ("e".to_owned(), Property::UserPrincipalName);
    let fact = Fact::Changed(Changed { object: ANN, at: at(1), event, property, old, new });
    let told = json(&masked(&erasure(&["ann@x.test", "ann.lee@x.test"]), fact, false));
    assert!(!told.contains("ann") && told.matches("erased-").count() == 2, "{told}");
}

#[test]
fn what_was_opened_by_the_name_tells_it_only_if_somebody_else_has_it() {
    let erasure = erasure(&["ann@x.test"]);
    let vacant = || Fact::Vacant(Vacant { name: name("Ann@x.test"), reading: reading() });
    let addressed = Addressed::Name(name("ann@x.test"), NameKind::Any);
    let (chain, id) = ("box ann@x.test".parse().unwrap(), "s1".parse().unwrap());
    let taken = || Fact::SnapshotTaken(Snapshot { chain, id, from: at(1), until: at(2), addressed, mailbox: None });
    assert!(!json(&masked(&erasure, vacant(), false)).contains("ann@"));
    assert!(json(&masked(&erasure, vacant(), true)).contains("ann@"));
    let told = json(&masked(&erasure, taken(), false));
    assert!(!told.contains("ann@") && told.contains("\"s1\""), "{told}");
}

#[test]
fn words_lose_the_name_and_other_names_that_look_like_it_stay() {
    let erasure = erasure(&["ann@x.test"]);
    let said = |why: &str| {
        let fact = masked(&erasure, Fact::Blind(Blind { from: at(1), until: at(2), why: why.to_owned() }), false);
        let Fact::Blind(blind) = fact else { unreachable!() };
        blind.why
    };
    let pseudonym = erasure.key(name("ann@x.test").key());
    for with in ["ann@x.test", "ask ANN@X.TEST.", "<Ann@x.test>", "box-ann@x.test-2", "a,ann@x.test;b"] {
        let left = said(with);
        assert!(left.contains(pseudonym.as_str()) && !left.to_lowercase().contains("ann@"), "{with}: {left}");
    }
    for without in ["joann@x.test", "jo.ann@x.test", "ann@x.testing", "ann@y.test", ""] {
        assert_eq!(said(without), without);
    }
}

#[test]
fn names_are_found_by_their_tokens_when_their_spelling_is_forgotten() {
    let erasure = erasure(&["ann@x.test", "o'neil#ext#@x.test", "ann lee@x.test"]);
    let (needles, findings) = (Needles::default(), HashMap::new());
    let masker = Masker { erasure: &erasure, needles: &needles, findings: &findings, is_others: &|_| false };
    let masked = |text: &str| {
        let mut text = text.to_owned();
        masker.text(&mut text);
        text
    };
    let of = |text: &str| erasure.key(name(text).key());
    let ann = of("ann@x.test");
    for (with, instead) in [
        ("see Ann@x.test, please", format!("see {ann}, please")),
        ("box-ann@X.test-2", format!("box-{ann}-2")),
        ("'ann@x.test'. (.ann@x.test_1)", format!("'{ann}'. (.{ann}_1)")),
        ("ann@x.test@ann@x.test", format!("{ann}@{ann}")),
        ("a@b ann@x.test c@d", format!("a@b {ann} c@d")),
        ("of o'neil#EXT#@x.test", format!("of {}", of("o'neil#ext#@x.test"))),
    ] {
        assert_eq!(masked(with), instead);
        assert!(!erasure.names_in(with).is_empty());
        assert_eq!(masked(&instead), instead);
        assert_eq!(erasure.names_in(&instead), []);
    }
    for without in
        ["joann@x.test", "jo.ann@x.test", "d'ann@x.test", "ann@x.testing", "ann@y.test", "@", "ann@", "@x.test", ""]
    {
        assert_eq!(masked(without), without);
        assert_eq!(erasure.names_in(without), []);
    }
    // A name with a space in it is found where nothing else stands, and an id that was erased tells nothing any more.
    assert_eq!(erasure.names_in("Ann Lee@x.test"), [of("ann lee@x.test")]);
    assert_eq!(erasure.names_in("box ann@x.test"), []);
    let long = "@-".repeat(3_000);
    assert_eq!(masked(&long), long);
}
