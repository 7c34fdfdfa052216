//! Names, ids and words without what was erased, with a key that anybody could guess.

use std::collections::HashMap;
use std::time::Duration;

use super::*;
use crate::domain::fact::{
    Addressed, Blind, Changed, Fact, Profile, Property, Reading, Seen, Snapshot, Source, Vacant,
};
use crate::domain::link::{Anchor, AnchorKind};
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
    fn anchor(&self, value: &str) -> Token {
        digest(&format!("a{value}"))
    }
    fn sealed(&self, digest: &[u8; 32]) -> [u8; 32] {
        *digest
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
    erasure.extend([Erased::Object(ANN), Erased::Text(Plain.anchor("7")), Erased::Text(Plain.text("box ann@x.test"))]);
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
    // Later only whole words are recognised, by their tokens.
    let (needles, findings) = (Needles::default(), HashMap::new());
    let masker = Masker { erasure: &erasure, needles: &needles, findings: &findings, is_others: &|_| false };
    let later = |text: &str| {
        let mut text = text.to_owned();
        masker.text(&mut text);
        text
    };
    assert_eq!(later("see Ann@x.test, please"), format!("see {pseudonym}, please"));
    let around = [
        ("was ", "’s."),
        ("“", "”"),
        ("*", "*"),
        ("'", "'!"),
        ("SMTP:", "; ANN"),
        ("", ""),
        ("(", "). Then bob@x.test"),
    ];
    for (before, after) in around {
        assert_eq!(later(&format!("{before}ANN@x.test{after}")), format!("{before}{pseudonym}{after}"));
    }
    let mangled = NameKey::mark_of(BOB);
    assert_eq!(later(&format!("{mangled}ann@x.test")), format!("{mangled}{pseudonym}"));
    assert_eq!(said(&format!("{mangled}ann@x.test")), format!("{mangled}{pseudonym}"));
    assert_eq!(later("ann@x.test ann@x.test,ann@x.test"), format!("{pseudonym} {pseudonym},{pseudonym}"));
    for without in
        ["joann@x.test", "mary-ann@x.test", "jo_ann@x.test", "ann@x.test.uk", "ann@x.testing", "", "@", "ann"]
    {
        assert_eq!(later(without), without);
    }
}

/// An apostrophe belongs to a name as it does to a text.
#[test]
fn a_name_with_an_apostrophe_is_a_word() {
    let erasure = erasure(&["o'brien@x.test"]);
    let pseudonym = erasure.key(name("o'brien@x.test").key());
    let (needles, findings) = (Needles::default(), HashMap::new());
    let masker = Masker { erasure: &erasure, needles: &needles, findings: &findings, is_others: &|_| false };
    for (before, after) in [("", ""), ("was ", ", once"), ("'", "'"), ("\"", "\"")] {
        let mut text = format!("{before}O'Brien@x.test{after}");
        masker.text(&mut text);
        assert_eq!(text, format!("{before}{pseudonym}{after}"));
    }
    for without in ["brien@x.test", "d'o'brien@x.test"] {
        let mut text = without.to_owned();
        masker.text(&mut text);
        assert_eq!(text, without);
    }
}

#[test]
fn everything_that_could_be_a_name_is_tried_around_each_sign_and_the_longest_first() {
    let around = |text: &str| {
        let texts =
            |names: Vec<(_, Name)>| names.iter().map(|(_, name)| name.spelling().to_owned()).collect::<Vec<_>>();
        names_around(text).into_iter().map(texts).collect::<Vec<_>>()
    };
    assert_eq!(around("Ann@x.test"), [["Ann@x.test", "Ann@x"]]);
    assert_eq!(
        around("box-ann@x.test-2"),
        [["box-ann@x.test-2", "box-ann@x.test", "box-ann@x", "ann@x.test-2", "ann@x.test", "ann@x"]]
    );
    let mangled = format!("{}ann@x", "0aF1".repeat(8));
    assert_eq!(around(&mangled), [[mangled.as_str(), "ann@x"]]);
    assert!(around("of Ann Lee@x.test")[0].contains(&"of Ann Lee@x.test".to_owned()));
    assert!(around("o'neil#EXT#@x.test")[0].contains(&"o'neil#EXT#@x.test".to_owned()));
    assert!(!around("joann@x.test")[0].contains(&"ann@x.test".to_owned()));
    assert_eq!(around("a@x b@y").len(), 2);
    for none in ["", "@", "ann@", "ann", "@@"] {
        assert_eq!(around(none), Vec::<Vec<String>>::new(), "{none}");
    }
}

#[test]
fn an_erased_number_is_nobodys_snapshot() {
    let erasure = erasure(&[]);
    let anchor = |value: &str| erasure.anchor(&Anchor { kind: AnchorKind::EmployeeId, value: value.to_owned() }).value;
    assert_ne!(anchor("7"), "7");
    assert_eq!(anchor(&anchor("7")), anchor("7"));
    let (id, chain) = ("7".parse().unwrap(), "7".parse().unwrap());
    assert_eq!((erasure.snapshot(&id), erasure.chain(&chain)), (id, chain));
    assert!(erasure.is_new_text("7") && !erasure.is_new_anchor("7"));
    // A ledger of before has the tokens of ids for anchors.
    let mut before = Erasure::new(Plain);
    before.extend([Erased::Text(Plain.text("8"))]);
    assert!(!before.is_new_anchor("8"));
}
