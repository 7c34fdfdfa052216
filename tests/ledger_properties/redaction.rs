//! Erasing names: nothing of them is left, everything else is answered as before, and the world goes on.

use std::sync::Arc;

use super::*;
use whowas::ledger::RedactRequest;
use whowas::store::ErasureKey;

fn key() -> ErasureKey {
    ErasureKey::new([7; 32])
}

/// What comes of erasing these people: the ledger written anew.
fn erased(ledger: &Ledger, people: &BTreeSet<u8>, now: Instant) -> Ledger {
    let objects = people.iter().map(|who| person(*who)).collect();
    let request = RedactRequest { tenant: TENANT, objects, by: None, note: Some("asked by Name0@X.test.".into()) };
    let plan = ledger.plan_redaction(request, key()).unwrap();
    let foreseen = ledger.preview_redaction(&plan).unwrap();
    let into = Arc::new(MemoryStore::new());
    let done = ledger.redact_into(&plan, into.clone(), Stamp { now, salt: [3; 16] }, |_| ()).unwrap();
    assert_eq!(done, foreseen);
    Ledger::with_key(into, Some(key()))
}

/// Everything that is decided, without what names are spelled like.
fn decisions(ledger: &Ledger, now: Instant) -> Vec<String> {
    let mut lines = Vec::new();
    for ask in asks() {
        let verdict = check(ledger, &ask, &Policy::default(), now, KnownAt::Now).verdict;
        let said = (verdict.outcome, verdict.chain, verdict.object, verdict.base, verdict.old_name_holder);
        lines.push(format!("{ask:?} {said:?} {:?} {:?}", verdict.candidates, verdict.evidence));
    }
    for text in 0..NAMES {
        for at in [None, Some(now.minus(Duration::from_secs(1_800)))] {
            let standing = ledger.who(TENANT, &name(text), NameKind::Any, at, KnownAt::Now, now).unwrap().standing;
            lines.push(format!("{text} {standing:?}"));
        }
    }
    lines
}

/// Every byte that a ledger keeps: derived records, and the payloads of its journal.
fn everything(ledger: &Ledger) -> Vec<u8> {
    let mut bytes: Vec<u8> = derived_bytes(ledger).into_iter().flat_map(|(key, value)| [key, value].concat()).collect();
    let raw = ledger.store().raw_journal(TENANT, Sequence(1), 9_999).unwrap();
    bytes.extend(raw.into_iter().flat_map(|raw| raw.payload));
    bytes.make_ascii_lowercase();
    bytes
}

fn occurs(bytes: &[u8], text: u8) -> bool {
    let name = format!("name{text}@x.test");
    bytes.windows(name.len()).any(|window| window == name.as_bytes())
}

/// A chain and a snapshot that somebody calls by a name.
fn late(text: u8) -> (ChainId, SnapshotId) {
    (format!("box-Name{text}@x.test").parse().unwrap(), format!("name{text}@X.test/late").parse().unwrap())
}

/// A name that nobody has, with one in it.
fn alias(text: u8) -> String {
    format!("SMTP:Name{text}@x.test")
}

/// A snapshot addressed by that, without a name in its ids.
fn by_alias(text: u8, now: Instant) -> Fact {
    let (chain, id) = (format!("alias-{text}").parse().unwrap(), "s".parse().unwrap());
    let addressed = Addressed::Name(alias(text).parse().unwrap(), NameKind::Any);
    Fact::SnapshotTaken(Snapshot { chain, id, from: now, until: now, addressed, mailbox: None })
}

/// Those of the people whom the ledger has seen.
fn seen(ledger: &Ledger, people: &BTreeSet<u8>) -> BTreeSet<u8> {
    let is_seen = |who: &&u8| !ledger.store().object(TENANT, person(**who)).unwrap().is_empty();
    people.iter().filter(is_seen).copied().collect()
}

fn people() -> impl Strategy<Value = BTreeSet<u8>> {
    prop::collection::btree_set(0..PEOPLE, 1..=usize::from(PEOPLE))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn what_is_erased_is_gone_and_everything_is_decided_as_before(
        acts in acts(), people in people(), later in acts(), again in people(),
    ) {
        let mut world = World::play(&acts);
        let people = seen(&world.ledger, &people);
        prop_assume!(!people.is_empty());
        let now = world.clock();
        let before = decisions(&world.ledger, now);
        let heads = world.ledger.store().journal(TENANT, Sequence(1), 9_999).unwrap();
        let postings = |ledger: &Ledger, text: u8| ledger.store().holders(TENANT, name(text).key()).unwrap();
        let others: BTreeSet<u8> = (0..NAMES).filter(|text| {
            postings(&world.ledger, *text).iter().any(|held| !people.iter().any(|who| person(*who) == held.object))
        }).collect();
        let own: BTreeSet<u8> = (0..NAMES).filter(|text| !postings(&world.ledger, *text).is_empty()).collect();
        world.ledger = erased(&world.ledger, &people, now);

        prop_assert_eq!(decisions(&world.ledger, now), before);
        let bytes = everything(&world.ledger);
        for text in own.difference(&others) {
            prop_assert!(!occurs(&bytes, *text), "name {}", text);
        }
        // Every commit has the hash that it had.
        let hashes: Vec<_> = world.ledger.store().journal(TENANT, Sequence(1), heads.len()).unwrap();
        for (old, new) in heads.iter().zip(&hashes) {
            prop_assert_eq!((old.sequence, old.hash), (new.sequence, new.hash));
        }
        let whole = derived_bytes(&world.ledger);
        world.ledger.rebuild(|_| ()).unwrap();
        prop_assert_eq!(derived_bytes(&world.ledger), whole);

        // The world goes on, and whoever takes the names is told apart as ever.
        for (wait, act) in &later {
            world.step(*wait, act);
        }
        prop_assert!(world.wrong.is_empty(), "{:#?}", world.wrong);
        let wrong = kept_wrongly(&world.ledger);
        prop_assert!(wrong.is_empty(), "{:#?}", wrong);
        let report = world.ledger.verify(|_| ()).unwrap();
        prop_assert_eq!(report.differing, 0, "{:?}", report);

        // And it can be asked for again.
        let again = seen(&world.ledger, &again);
        if !again.is_empty() {
            let now = world.clock();
            let taken = |text: u8| {
                let (chain, id) = late(text);
                // Of nobody who is asked about below, because answers name chains.
                let addressed = Addressed::Object(person(200));
                Fact::SnapshotTaken(Snapshot { chain, id, from: now, until: now, addressed, mailbox: None })
            };
            let facts = (0..NAMES).map(taken).chain((0..NAMES).map(|text| by_alias(text, now))).collect();
            let batch = Batch { facts, ..Batch::default() };
            world.ledger.append(TENANT, batch, Stamp { now, salt: [4; 16] }).unwrap();
            let before = decisions(&world.ledger, now);
            world.ledger = erased(&world.ledger, &again, now);
            prop_assert_eq!(decisions(&world.ledger, now), before);
            // Ids that came since and have an erased name in them are known by what stands for it, unless somebody else is called so.
            let erasure = world.ledger.store().erasure(TENANT).unwrap().unwrap();
            let bytes = everything(&world.ledger);
            for text in 0..NAMES {
                let (chain, id) = late(text);
                prop_assert!(world.ledger.store().snapshot(TENANT, &chain, &id).unwrap().is_some());
                let is_gone = erasure.erased(name(text).key()).is_some()
                    && postings(&world.ledger, text).iter().all(|held| erasure.has(held.object));
                let alias = alias(text);
                for id in [chain.as_str(), id.as_str(), alias.as_str()] {
                    let id = id.to_lowercase();
                    let is_written = bytes.windows(id.len()).any(|window| window == id.as_bytes());
                    prop_assert!(!(is_gone && is_written), "{}", id);
                    prop_assert!(is_written || erasure.erased(name(text).key()).is_some(), "{}", id);
                }
            }
            prop_assert_eq!(world.ledger.verify(|_| ()).unwrap().differing, 0);
        }
        let all = again.union(&people).copied().collect::<BTreeSet<u8>>();
        if all.len() == usize::from(PEOPLE) && again.len() == all.len() {
            let bytes = everything(&world.ledger);
            for text in (0..NAMES).filter(|text| !postings(&world.ledger, *text).is_empty()) {
                prop_assert!(!occurs(&bytes, text), "name {}", text);
            }
        }
    }
}
