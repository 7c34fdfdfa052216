//! Every record comes back as it was, and every version keeps its bytes.

use std::collections::BTreeMap;
use std::time::Duration;

use data_encoding::HEXLOWER;
use proptest::prelude::*;

use super::audit::{AnchorV1, FindingV1, LinkRecordV1, TallyV1};
use super::fact::{FactV1, VacantV1};
use super::index::{PlaceV1, PostingV1, PresentV1, VacanciesV1};
use super::journal::{ItemV2, JournalV1, JournalV2, PayloadKind, PayloadV1, PayloadV2};
use super::mapping::MappingStateV1;
use super::object::{BlockV1, KnownV1, ObjectV1, PartV1};
use super::snapshot::SnapshotRecordV1;
use super::tenant::{HeadV1, LoggedRunV1, RunV1};
use crate::domain::attribute::Attribute;
use crate::domain::attribution::{Judgement, Settling};
use crate::domain::coverage::Coverage;
use crate::domain::domain_change::{DomainChanged, SuffixMap};
use crate::domain::erase::{Fingerprint, Instead, Redacted, Token};
use crate::domain::fact::*;
use crate::domain::finding::{Finding, FindingId, FindingKind, FindingState, Review, Step, Subject as About};
use crate::domain::guard::{Held, HeldPart, HoldEnd, HoldEnded, HoldRejected, Impact};
use crate::domain::holder::HolderConfidence;
use crate::domain::id::{MailboxId, ObjectId, Sequence, TenantId};
use crate::domain::link::{Anchor, AnchorKind, Link as Lineage, LinkEnd, Relation};
use crate::domain::mapping::{Condition, Mapping, MappingApplied, MappingState, Rule, Test};
use crate::domain::name::{Name, NameKind, Namespace, Proxy};
use crate::domain::scope::{Described, FeedTells, Grouped, GroupsListed, GroupsRead};
use crate::domain::time::Instant;
use crate::store::codec::{Record, decode, encode};
use crate::store::testing;
use crate::store::{
    Commit, Counts, Cursor, FindingCounts, Hash, Head, Known, Link, LinkRecord, OpenHold, Outcome, Proved, Run,
    RunKind, SnapshotRecord, Stint, Tally, TallyClass, TallyCount, TenantState, Trigger,
};

/// `Debug` beside equality: within the crate it tells spellings, which equality leaves out.
fn same<T: PartialEq + std::fmt::Debug>(a: &T, b: &T) -> Result<(), TestCaseError> {
    prop_assert_eq!(a, b);
    prop_assert_eq!(format!("{a:?}"), format!("{b:?}"));
    Ok(())
}

fn again<R: Record>(record: &R) -> R {
    decode(&encode(record).unwrap()).unwrap()
}

proptest! {
    #[test]
    fn what_is_kept_for_the_auditor_comes_back((_, derived) in testing::commits()) {
        for (_, tally) in derived.tallies {
            same(&again(&TallyV1::of(&tally)).read(), &tally)?;
        }
        for finding in derived.findings {
            same(&again(&FindingV1::of(&finding)).read(finding.id).unwrap(), &finding)?;
        }
        for (anchor, _) in derived.anchors {
            same(&again(&AnchorV1::of(&anchor)).read(), &anchor)?;
        }
        for (_, record) in derived.links {
            same(&again(&LinkRecordV1::of(&record)).read(), &record)?;
        }
    }

    #[test]
    fn facts_come_back(fact in testing::facts()) {
        same(&again(&FactV1::of(&fact)).read().unwrap(), &fact)?;
    }

    #[test]
    fn facts_of_an_object_come_back_without_its_id(fact in testing::objects().prop_flat_map(testing::object_facts)) {
        let object = fact.object().unwrap();
        let stored = ObjectV1 { parts: 3, facts: vec![KnownV1::of(object, Sequence(9), &fact).unwrap()] };
        let read = again(&stored).facts.remove(0).read(object).unwrap();
        same(&read, &Known { sequence: Sequence(9), fact })?;
    }

    #[test]
    fn payloads_heads_runs_and_snapshots_come_back((commit, derived) in testing::commits()) {
        let whole = PayloadKind::Whole.open(&commit.salt, &encode(&PayloadV1::of(&commit)).unwrap()).unwrap();
        let items = PayloadV2::of(&commit).unwrap();
        let read = PayloadKind::Items.open(&commit.salt, &encode(&items).unwrap()).unwrap();
        prop_assert_eq!((read.0, read.1), (items.root(&commit.salt), items.version()));
        same(&whole.2, &read.2)?;
        same(&read.2, &(commit.facts, commit.cursor, commit.run))?;
        let recorded = Some(commit.recorded);
        let head = Head { sequence: Sequence(3), hash: Hash([9; 32]), recorded, state: derived.state };
        let mut read = again(&HeadV1::of(&head)).read().unwrap();
        // It is a record of its own.
        read.state.mapping = again(&MappingStateV1::of(&head.state.mapping)).read().unwrap();
        same(&read, &head)?;
        if let Some(run) = derived.run {
            same(&again(&LoggedRunV1 { sequence: 4, run: RunV1::of(&run) }).run.read(), &run)?;
        }
        for record in derived.snapshots {
            let Snapshot { chain, id, from, .. } = record.snapshot.clone();
            same(&again(&SnapshotRecordV1::of(&record)).read(chain, id, from).unwrap(), &record)?;
        }
        for vacant in derived.vacancies {
            let read = again(&VacanciesV1(vec![VacantV1::of(&vacant)])).0.remove(0).read().unwrap();
            same(&read, &vacant)?;
        }
    }

    #[test]
    fn decoding_any_bytes_never_panics(mut bytes in prop::collection::vec(any::<u8>(), 1..60)) {
        bytes[0] = 2;
        let _ = PayloadKind::Items.open(&[0; 16], &bytes);
        bytes[0] = 1;
        let _ = PayloadKind::Whole.open(&[0; 16], &bytes);
        let _ = decode::<ObjectV1>(&bytes);
        let _ = decode::<HeadV1>(&bytes);
        let _ = decode::<JournalV1>(&bytes);
    }
}

/// What is forgotten, or stands apart, enters the hash as it did before.
#[test]
fn an_item_that_is_forgotten_leaves_the_hash_of_its_commit() {
    let facts = vec![seen(), Fact::RoundBegan(RoundBegan { started: at(1) }), seen()];
    let commit = Commit { recorded: at(1), salt: [5; 16], facts, cursor: None, run: None };
    let mut items = PayloadV2::of(&commit).unwrap();
    let root = items.root(&commit.salt);
    for (place, item) in (0..).zip(&mut items.items) {
        let bytes = item.bytes().to_vec();
        *item = match place {
            1 => ItemV2::Forgotten(item.leaf(&commit.salt, place).0, bytes),
            _ => ItemV2::Apart(crate::store::hash::item_salt(&commit.salt, place), bytes),
        };
    }
    let forgotten = PayloadKind::Items.open(&[0; 16], &encode(&items).unwrap()).unwrap();
    assert_eq!((forgotten.0, forgotten.2.0), (root, commit.facts));
    // What stands apart still counts.
    items.items.swap(0, 2);
    assert_ne!(items.root(&[0; 16]), root);
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn at(micros: i64) -> Instant {
    Instant::from_micros(micros)
}

const OBJECT: ObjectId = ObjectId::from_bytes([0xab; 16]);

fn reading() -> Reading {
    Reading { at: at(1), lag: Duration::from_secs(300), source: Source::Delta, unchanged_since: Some(at(-1)) }
}

fn seen() -> Fact {
    let upn = name("Ann@x.test");
    Fact::Seen(Seen {
        object: OBJECT,
        reading: reading(),
        profile: Profile {
            kind: ObjectKind::User,
            upn: Some(upn.clone()),
            mail: Some(upn.clone()),
            proxies: vec![Proxy::Primary(upn), Proxy::Alias(name("a@x")), Proxy::Other("SIP:a".into())],
            created: Some(at(2)),
            user_type: Some("Guest".into()),
            employee_id: None,
            immutable_id: Some("Q==".into()),
            mailbox: Some(MailboxState::Enabled),
        },
    })
}

fn taken() -> Snapshot {
    Snapshot {
        chain: "c".parse().unwrap(),
        id: "s".parse().unwrap(),
        from: at(1),
        until: at(2),
        addressed: Addressed::Name(name("a@x"), NameKind::Upn),
        mailbox: None,
    }
}

fn receipt() -> Receipt {
    let (chain, snapshot) = ("c".parse().unwrap(), "s".parse().unwrap());
    Receipt { chain, snapshot, object: OBJECT, mailbox: None, object_end: Some(OBJECT), mailbox_end: None }
}

fn run() -> Run {
    Run {
        run: 1,
        trigger: Trigger::Demand,
        kind: RunKind::Delta,
        started: at(1),
        ended: Some(at(2)),
        outcome: Outcome::Completed,
        pages: 3,
        seen: 4,
        changed: 5,
        removed: 6,
        restored: 7,
        facts: 8,
        requests: 9,
        throttled_ms: 300,
        horizon: None,
        error: Some("e".into()),
        note: None,
    }
}

fn cursor() -> Cursor {
    let beside = [(ObjectKind::Group, "g".into())].into_iter().collect();
    let link = Link::Next { url: "u".into(), round_started: at(3), began: Some("d".into()) };
    Cursor { link, horizon: Some(at(4)), beside }
}

/// A change here is a change of the format: give the record a new version instead.
#[test]
fn golden_facts_of_version_1() {
    let facts = [
        seen(),
        Fact::Removed(Removed {
            object: OBJECT,
            reading: reading(),
            removal: Removal::Purged,
            deleted: None,
            last_upn: Some(name("a@x")),
        }),
        Fact::Changed(Changed {
            object: OBJECT,
            at: at(1),
            event: "e".into(),
            property: Property::ProxyAddresses,
            old: None,
            new: Some(vec![name("a@x")]),
        }),
        Fact::Lifecycle(Lifecycle { object: OBJECT, at: at(1), event: "e".into(), life: Life::Restored, upn: None }),
        Fact::Vacant(Vacant { name: name("a@x"), reading: reading() }),
        Fact::Horizon(Horizon { feed: Feed::Audit, from: at(1), through: at(2) }),
        Fact::RoundBegan(RoundBegan { started: at(1) }),
        Fact::Blind(Blind { from: at(1), until: at(2), why: "w".into() }),
        Fact::SnapshotTaken(taken()),
        Fact::Receipt(receipt()),
        Fact::SnapshotExpired(SnapshotExpired { chain: "c".parse().unwrap(), snapshot: "s".parse().unwrap() }),
        Fact::Settling(settling()),
        Fact::Linked(lineage()),
        Fact::Unlinked(lineage()),
        Fact::Acknowledged(Review { finding: FindingId::from_bytes([1; 16]), at: at(2), by: None, note: None }),
        Fact::Resolved(Review {
            finding: FindingId::from_bytes([1; 16]),
            at: at(2),
            by: Some("op".into()),
            note: Some("n".into()),
        }),
        Fact::Held(Held {
            run: 1,
            part: HeldPart::Reconcile,
            at: at(2),
            impact: Impact { removals: 3, renames: 4, takeovers: 5, active: 6 },
            why: "w".into(),
            chunk: 7,
            complete: true,
            objects: vec![OBJECT],
        }),
        Fact::HoldEnded(HoldEnded { run: 1, at: at(2), how: HoldEnd::Accepted }),
        Fact::HoldRejected(HoldRejected { run: 1, at: at(2) }),
        Fact::DomainChanged(DomainChanged {
            run: 1,
            at: at(2),
            map: SuffixMap { from: "a".into(), to: "b".into() },
            renamed: 3,
            exceptions: 4,
            stragglers: 5,
            named_exceptions: vec![OBJECT],
            named_stragglers: Vec::new(),
        }),
        Fact::Described(Described {
            object: OBJECT,
            reading: reading(),
            attributes: [(attribute("department"), Some("d".into())), (attribute("extensionAttribute2"), None)].into(),
        }),
        Fact::Grouped(Grouped { object: OBJECT, group: GROUP, at: at(2), is_member: true }),
        Fact::MappingApplied(MappingApplied { at: at(2), mapping: mapping() }),
        Fact::GroupsListed(GroupsListed { at: at(2), listed: vec![GROUP], refused: vec![OBJECT] }),
        Fact::FeedTells(FeedTells { attributes: [attribute("department")].into() }),
        Fact::Redacted(Redacted {
            object: OBJECT,
            at: at(2),
            by: Some("n".into()),
            note: None,
            key: Fingerprint([1; 8]),
            names: vec![Token([2; 16])],
            texts: Vec::new(),
            items: vec![Instead { sequence: Sequence(300), place: 1, digest: [3; 32] }],
        }),
    ];
    let golden: Vec<String> = facts.iter().map(|fact| HEXLOWER.encode(&encode(&FactV1::of(fact)).unwrap())).collect();
    assert_eq!(golden, GOLDEN_FACTS);
}

/// A change here is a change of the format: give the record a new version instead.
#[test]
fn golden_records_of_version_1() {
    let commit = Commit {
        recorded: at(1),
        salt: [1; 16],
        facts: vec![Fact::RoundBegan(RoundBegan { started: at(1) })],
        cursor: Some(cursor()),
        run: Some(run()),
    };
    let journal = JournalV1 {
        recorded: 1,
        salt: [1; 16],
        previous: [2; 32],
        payload_hash: [3; 32],
        hash: [4; 32],
        payload_bytes: 5,
        first: vec![6],
    };
    let known = || vec![KnownV1::of(OBJECT, Sequence(300), &seen()).unwrap()];
    let state = TenantState {
        coverage: Coverage::of(&[Horizon { feed: Feed::Delta, from: at(1), through: at(2) }]),
        cursor: Some(Cursor { link: Link::Delta { url: "d".into() }, horizon: None, beside: BTreeMap::new() }),
        open_round: Some(at(5)),
        holds: vec![OpenHold { run: 4, part: HeldPart::Reconcile }],
        runs: 6,
        counts: Counts { active: 7, soft_deleted: 8, purged: 9, snapshots: 10, named: 11 },
        settling: settling(),
        findings: FindingCounts { critical: 12, warning: 13, notice: 14 },
        backlog: vec![Stint {
            proved: Proved::Not,
            from: at(1),
            through: at(2),
            after: Some((at(3), "c".parse().unwrap(), "s".parse().unwrap())),
        }],
        mapping: mapping_state(),
    };
    let head = Head { sequence: Sequence(300), hash: Hash([4; 32]), recorded: Some(at(1)), state };
    let snapshot = SnapshotRecord {
        snapshot: taken(),
        taken: Sequence(1),
        receipts: vec![(Sequence(2), receipt())],
        expired: Some(Sequence(3)),
        judgement: judgement(),
        judged: Sequence(4),
    };
    let class = TallyClass { judgement: judgement(), mailbox: Some(MailboxId::from_bytes([0xcd; 16])) };
    let tally = Tally { class, count: TallyCount { all: 2, kept: 1 }, changed: Sequence(3) };
    let finding = |subject| {
        let (by, note) = (Some("op".into()), Some("n".into()));
        let steps = vec![Step { state: FindingState::Resolved, sequence: Sequence(2), time: at(3), by, note }];
        Finding { id: FindingId::from_bytes([1; 16]), kind: FindingKind::LinkCandidate, subject, weight: 5, steps }
    };
    let anchor = || Anchor { kind: AnchorKind::EmployeeId, value: "47".into() };
    let links = LinkRecord { link: lineage(), steps: vec![(Sequence(1), true), (Sequence(2), false)] };
    let vacant = Vacant { name: name("a@x"), reading: reading() };
    let golden = [
        ("payload", encode(&PayloadV1::of(&commit))),
        ("journal", encode(&journal)),
        ("payload of items", PayloadV2::of(&commit).and_then(|payload| encode(&payload))),
        (
            "items apart",
            encode(&PayloadV2 { items: vec![ItemV2::Apart([1; 16], vec![2]), ItemV2::Forgotten([3; 32], vec![4])] }),
        ),
        ("journal of items", encode(&JournalV2(JournalV1 { first: vec![6], ..journal }))),
        ("object", encode(&ObjectV1 { parts: 2, facts: known() })),
        ("part", encode(&PartV1 { goes_on: true, piece: vec![1, 2] })),
        ("block", encode(&BlockV1(known()))),
        ("posting", encode(&PostingV1::of(Namespace::Smtp))),
        ("vacancies", encode(&VacanciesV1(vec![VacantV1::of(&vacant)]))),
        ("place", encode(&PlaceV1::of(at(-1)))),
        ("present", encode(&PresentV1)),
        ("snapshot", encode(&SnapshotRecordV1::of(&snapshot))),
        ("head", encode(&HeadV1::of(&head))),
        ("run", encode(&LoggedRunV1 { sequence: 9, run: RunV1::of(&run()) })),
        ("tally", encode(&TallyV1::of(&tally))),
        ("finding of a chain", encode(&FindingV1::of(&finding(About::Chain("c".parse().unwrap()))))),
        ("finding of a name", encode(&FindingV1::of(&finding(About::Name(name("A@x").key().clone()))))),
        ("finding of an object", encode(&FindingV1::of(&finding(About::Object(OBJECT))))),
        ("finding of an anchor", encode(&FindingV1::of(&finding(About::Anchor(anchor()))))),
        ("finding of a run", encode(&FindingV1::of(&finding(About::Run(7))))),
        ("anchor", encode(&AnchorV1::of(&anchor()))),
        ("link", encode(&LinkRecordV1::of(&links))),
        ("mapping", encode(&MappingStateV1::of(&mapping_state()))),
    ]
    .map(|(record, bytes)| format!("{record} {}", HEXLOWER.encode(&bytes.unwrap())));
    assert_eq!(golden, GOLDEN_RECORDS);
}

const GROUP: ObjectId = ObjectId::from_bytes([0x11; 16]);

fn attribute(name: &str) -> Attribute {
    name.parse().unwrap()
}

fn mapping() -> Mapping {
    let all = vec![
        Condition::Group(GROUP),
        Condition::Attribute(attribute("department"), Test::In(vec!["a".into(), "b".into()])),
        Condition::Not(Box::new(Condition::UserType(Test::Equals("g".into())))),
    ];
    let exclude = Condition::AnyOf(vec![Condition::Any, Condition::Domain("x".into())]);
    let labels = [("k".to_owned(), "v".to_owned())].into();
    let prefix = Condition::Attribute(attribute("city"), Test::Prefix("p".into()));
    Mapping::new(vec![
        Rule { name: "r".into(), matches: Condition::AllOf(all), exclude: Some(exclude), labels },
        Rule { name: "s".into(), matches: prefix, exclude: None, labels: BTreeMap::new() },
    ])
    .unwrap()
}

fn mapping_state() -> MappingState {
    let groups = GroupsRead([(GROUP, Some(at(3))), (OBJECT, None)].into());
    MappingState { applied: Some(Sequence(300)), groups, told: [attribute("department")].into() }
}

/// A condition of a damaged record is refused, however it is broken.
#[test]
fn broken_conditions_are_refused() {
    let bytes = encode(&FactV1::of(&Fact::MappingApplied(MappingApplied { at: at(2), mapping: mapping() }))).unwrap();
    for place in 0..bytes.len() {
        for value in [0, 1, 5, 7, 200] {
            let mut damaged = bytes.clone();
            damaged[place] = value;
            // Whatever it says now, it is read or refused, and never followed without end.
            let _ = decode::<FactV1>(&damaged).map(FactV1::read);
        }
    }
    let deep: Condition = (0..40).fold(Condition::Any, |inner, _| Condition::Not(Box::new(inner)));
    assert!(
        Mapping::new(vec![Rule { name: "r".into(), matches: deep, exclude: None, labels: BTreeMap::new() }]).is_err()
    );
}

fn settling() -> Settling {
    Settling { propagation: Duration::from_secs(15), audit_lag: Some(Duration::from_secs(16)) }
}

fn judgement() -> Judgement {
    let confidence = HolderConfidence::Ambiguous;
    Judgement { object: Some(OBJECT), confidence, settled: true, receipted: false, disputed: true }
}

fn lineage() -> Lineage {
    let to = LinkEnd { tenant: Some(TenantId::from_bytes([0xee; 16])), object: OBJECT };
    Lineage { from: OBJECT, to, relation: Relation::MergedInto, note: Some("n".into()), by: None }
}

/// The sizes that the disk usage of a large tenant follows from.
#[test]
fn a_typical_user_is_small() {
    let upn = name("firstname.lastname@contoso.example");
    let fact = Fact::Seen(Seen {
        object: OBJECT,
        reading: Reading { unchanged_since: None, at: at(1_700_000_000_000_000), ..reading() },
        profile: Profile {
            upn: Some(upn.clone()),
            mail: Some(upn.clone()),
            proxies: vec![Proxy::Primary(upn), Proxy::Alias(name("flastname@contoso.onmicrosoft.com"))],
            created: Some(at(1_600_000_000_000_000)),
            user_type: Some("Member".into()),
            ..Profile::default()
        },
    });
    let record = ObjectV1 { parts: 0, facts: vec![KnownV1::of(OBJECT, Sequence(1), &fact).unwrap()] };
    let bytes = encode(&record).unwrap().len();
    assert!(bytes <= 110, "{bytes}");
}

const GOLDEN_FACTS: [&str; 26] = [
    "0100abababababababababababababababab0002fb2c010000010100010a416e6e40782e74657374010300030361407804055349503a61010402000103513d3d0105",
    "0100abababababababababababababababab0102fb2c010000010101000103614078",
    "0100abababababababababababababababab020201650100010103614078",
    "0100abababababababababababababababab030201650300",
    "01010361407802fb2c0100000101",
    "0102010204",
    "010302",
    "010402040177",
    "0105016301730204010361407800",
    "010601630173abababababababababababababababab0001abababababababababababababababab00",
    "010701630173",
    "01080f00011000",
    "0109abababababababababababababababab01eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeabababababababababababababababab0201016e00",
    "010aabababababababababababababababab01eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeabababababababababababababababab0201016e00",
    "010b01010101010101010101010101010101040000",
    "010c010101010101010101010101010101010401026f7001016e",
    "010d010104030405060177070101abababababababababababababababab",
    "010e010401",
    "010f0104",
    "011001040161016203040501abababababababababababababababab00",
    "0100abababababababababababababababab0402fb2c010000010102040101646600",
    "0100abababababababababababababababab05111111111111111111111111111111110401",
    "011104020172050111111111111111111111111111111111040401020161016203000167050703010300020178060201016b017601730104010201700000",
    "011204011111111111111111111111111111111101abababababababababababababababab",
    "01130104",
    "0114abababababababababababababababab0401016e00010101010101010101020202020202020202020202020202020001fb2c01010303030303030303030303030303030303030303030303030303030303030303",
];

const GOLDEN_RECORDS: [&str; 24] = [
    "payload 010103020100017506010164010801010167010101010201040003040506070809fb2c010001016500",
    "journal 010201010101010101010101010101010101020202020202020202020202020202020202020202020202020202020202020203030303030303030303030303030303030303030303030303030303030303030404040404040404040404040404040404040404040404040404040404040404050106",
    "payload of items 020200030103020026010100017506010164010801010167010101010201040003040506070809fb2c010001016500",
    "items apart 0202010101010101010101010101010101010101020203030303030303030303030303030303030303030303030303030303030303030104",
    "journal of items 020201010101010101010101010101010101020202020202020202020202020202020202020202020202020202020202020203030303030303030303030303030303030303030303030303030303030303030404040404040404040404040404040404040404040404040404040404040404050106",
    "object 010201fb2c010002fb2c010000010100010a416e6e40782e74657374010300030361407804055349503a61010402000103513d3d0105",
    "part 0101020102",
    "block 0101fb2c010002fb2c010000010100010a416e6e40782e74657374010300030361407804055349503a61010402000103513d3d0105",
    "posting 0101",
    "vacancies 01010361407802fb2c0100000101",
    "place 0101",
    "present 01",
    "snapshot 0104010361407800010102abababababababababababababababab0001abababababababababababababababab00010301abababababababababababababababab0201000104",
    "head 01fb2c010404040404040404040404040404040404040404040404040404040404040404010201020400010101640000010a010401060708090a0b0f000110000c0d0e01010204010601630173",
    "run 01090101010201040003040506070809fb2c010001016500",
    "tally 0102010301abababababababababababababababab0201000101cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
    "finding of a chain 010a000163050102020601026f7001016e",
    "finding of a name 010a0103614078050102020601026f7001016e",
    "finding of an object 010a02abababababababababababababababab050102020601026f7001016e",
    "finding of an anchor 010a0302023437050102020601026f7001016e",
    "finding of a run 010a0407050102020601026f7001016e",
    "anchor 0102023437",
    "link 01abababababababababababababababab01eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeabababababababababababababababab0201016e000201010200",
    "mapping 0101fb2c0102111111111111111111111111111111110106abababababababababababababababab000104",
];
