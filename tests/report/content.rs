//! Contents to report on.

use std::time::Duration;

use whowas::domain::fact::Source;
use whowas::domain::finding::{FindingId, FindingKind, FindingState, Severity, Subject};
use whowas::domain::holder::HolderConfidence;
use whowas::domain::id::{ObjectId, Sequence};
use whowas::domain::interval::Edge;
use whowas::domain::name::{Name, NameKind};
use whowas::domain::time::Instant;
use whowas::domain::timeline::{Role, State};
use whowas::report::Report;
use whowas::report::content::*;

pub fn object(byte: u8) -> ObjectId {
    ObjectId::from_bytes([byte; 16])
}

/// An instant of 2 March 2026 plus days, `1 08:00`, or of that day, `08:00`.
pub fn at(text: &str) -> Instant {
    let (day, clock) = text.split_once(' ').unwrap_or(("0", text));
    let (hours, minutes) = clock.split_once(':').unwrap();
    let minutes =
        day.parse::<u64>().unwrap() * 1_440 + hours.parse::<u64>().unwrap() * 60 + minutes.parse::<u64>().unwrap();
    Instant::from_micros(1_772_409_600_000_000).plus(Duration::from_secs(minutes * 60))
}

pub fn edge(after: &str, by: &str) -> Edge {
    Edge::new(at(after), at(by))
}

pub fn name(kind: Role, name: &str, from: Edge, until: Option<Edge>) -> NameRow {
    let evidence = [(Source::Delta, 3, None), (Source::Audit, 7, Some("Directory_4711_event".to_owned()))];
    let evidence = evidence.into_iter().map(|(source, sequence, reference)| EvidenceRow {
        source,
        at: from.by().unwrap_or(Instant::from_micros(0)),
        sequence: Sequence(sequence),
        reference,
    });
    let key = name.parse::<Name>().map_or_else(|_| name.to_lowercase(), |name| name.key().as_str().to_owned());
    NameRow { kind, name: key, spelling: name.to_owned(), from, until, contested: false, evidence: evidence.collect() }
}

pub fn person(object: ObjectId, label: &str, names: Vec<NameRow>) -> ObjectRow {
    ObjectRow {
        object,
        label: Some(label.to_owned()),
        state: State::Active,
        created: None,
        names,
        states: vec![StateRow { state: State::Active, from: Edge::new(Instant::MIN, at("00:00")), until: None }],
        mailboxes: Vec::new(),
        chains: Vec::new(),
    }
}

pub fn snapshot(id: &str, from: Instant, owner: ObjectId) -> SnapshotRow {
    SnapshotRow {
        snapshot: id.parse().unwrap(),
        from,
        until: from.plus(Duration::from_secs(1_200)),
        addressed: AddressedRow::Object { object: owner },
        mailbox: None,
        owner: Some(owner),
        confidence: HolderConfidence::Certain,
        settled: true,
        candidates: vec![owner],
        owner_name: Some("sam@x.test".to_owned()),
        receipt: None,
        expired: false,
    }
}

/// One that may be anyone's of these.
pub fn unclear(id: &str, from: Instant, candidates: &[ObjectId]) -> SnapshotRow {
    SnapshotRow {
        addressed: AddressedRow::Name {
            name: "sam@x.test".to_owned(),
            key: "sam@x.test".to_owned(),
            kind: NameKind::Any,
        },
        owner: None,
        confidence: HolderConfidence::Ambiguous,
        settled: false,
        candidates: candidates.to_vec(),
        owner_name: None,
        ..snapshot(id, from, object(0))
    }
}

pub fn basis() -> BasisRow {
    BasisRow {
        tenant: "b0f2a1c4-0000-4000-8000-000000000001".parse().unwrap(),
        alias: Some("contoso".to_owned()),
        sequence: Sequence(42),
        hash: "00ff".repeat(16),
        clock: at("3 12:00"),
        version: "1.2.3".to_owned(),
        propagation_s: 900,
        audit_lag_s: Some(43_200),
    }
}

pub fn empty(subject: Topic) -> Report {
    Report {
        subject,
        objects: Vec::new(),
        chains: Vec::new(),
        blind: Vec::new(),
        findings: Vec::new(),
        plans: Vec::new(),
        summary: None,
        left_out: Vec::new(),
        basis: basis(),
    }
}

/// The damage: A was sam and became sam.old; B became sam; another tool wrote B's mail into A's chain as snapshot 41, and
/// snapshot 40 was read by name while nobody can tell whose it was.
pub fn damaged() -> Report {
    let (a, b) = (object(0xaa), object(0xbb));
    let released = edge("08:00", "10:00");
    let old = person(
        a,
        "sam.old@x.test",
        vec![
            name(Role::Upn, "sam@x.test", Edge::new(Instant::MIN, at("00:00")), Some(released)),
            name(Role::Smtp, "sam@x.test", Edge::new(Instant::MIN, at("00:00")), Some(released)),
            name(Role::Upn, "sam.old@x.test", released, None),
            name(Role::Smtp, "sam.old@x.test", Edge::point(at("08:30")), None),
        ],
    );
    let new = person(b, "sam@x.test", vec![name(Role::Upn, "sam@x.test", edge("09:00", "10:00"), None)]);
    let mut snapshots: Vec<SnapshotRow> = (0..39u64)
        .map(|n| snapshot(&(n + 1).to_string(), at("0 00:20").plus(Duration::from_secs(n * 600)), a))
        .collect();
    snapshots[3].expired = true;
    snapshots.push(unclear("40", at("09:20"), &[a, b]));
    snapshots.push(SnapshotRow {
        receipt: Some(ReceiptRow { object: b, mailbox: None, object_end: Some(b), mailbox_end: None }),
        ..snapshot("41", at("11:00"), b)
    });
    snapshots.push(snapshot("42", at("1 11:00"), a));
    let chain: whowas::domain::id::ChainId = "cA".parse().unwrap();
    let opened = StepRow { sequence: Sequence(40), time: at("12:00"), by: None, note: None };
    Report {
        objects: vec![new, old],
        chains: vec![ChainRows { chain: chain.clone(), snapshots }],
        blind: vec![
            BlindRow { from: None, until: Some(at("00:00")), why: "before the first sync".to_owned() },
            BlindRow { from: Some(at("1 00:00")), until: Some(at("1 08:00")), why: "the token expired".to_owned() },
        ],
        findings: vec![FindingRow {
            id: FindingId::of(FindingKind::MixedChain, &Subject::Chain(chain.clone())),
            kind: FindingKind::MixedChain,
            severity: Severity::Critical,
            state: FindingState::Acknowledged,
            subject: "chain cA".to_owned(),
            summary: "Chain cA holds data of two objects.".to_owned(),
            opened: opened.clone(),
            changed: StepRow {
                sequence: Sequence(41),
                time: at("13:00"),
                by: Some("carol".to_owned()),
                note: Some("ticket 7".to_owned()),
            },
        }],
        plans: vec![PlanRows {
            chain: chain.clone(),
            segments: vec![
                SegmentRow {
                    object: Some(a),
                    confidence: "certain".to_owned(),
                    snapshots: vec!["1".parse().unwrap(), "39".parse().unwrap()],
                    act: "keep".to_owned(),
                    to_chain: None,
                },
                SegmentRow {
                    object: Some(b),
                    confidence: "certain".to_owned(),
                    snapshots: vec!["41".parse().unwrap()],
                    act: "quarantine".to_owned(),
                    to_chain: None,
                },
            ],
            next: vec![
                NextRow {
                    object: a,
                    action: "incremental".to_owned(),
                    chain: Some(chain.clone()),
                    base: Some("42".parse().unwrap()),
                    safe_base: Some("39".parse().unwrap()),
                },
                NextRow { object: b, action: "full".to_owned(), chain: None, base: None, safe_base: None },
            ],
            reasons: vec!["snapshot 41 was read from B's mailbox, as its receipt says".to_owned()],
        }],
        ..empty(Topic::Chain(chain))
    }
}

/// A name over ten years: three holders, the first of whom was deleted; a chain of two years of nights.
pub fn decade() -> Report {
    let (a, b, c) = (object(0x11), object(0x22), object(0x33));
    let day = |days: u64| Instant::from_micros(1_457_000_000_000_000).plus(Duration::from_secs(days * 86_400));
    let sharp = |days| Edge::point(day(days));
    let wide = |from, until| Edge::new(day(from), day(until));
    let mut leaver = person(a, "kim@x.test", vec![name(Role::Upn, "kim@x.test", sharp(0), Some(sharp(900)))]);
    leaver.state = State::Purged;
    leaver.states = vec![
        StateRow { state: State::Active, from: sharp(0), until: Some(sharp(900)) },
        StateRow { state: State::SoftDeleted, from: sharp(900), until: Some(sharp(930)) },
        StateRow { state: State::Purged, from: sharp(930), until: None },
    ];
    let second = person(
        b,
        "kim.smith@x.test",
        vec![
            name(Role::Upn, "kim@x.test", wide(1_000, 1_100), Some(wide(2_400, 2_700))),
            name(Role::Upn, "kim.smith@x.test", wide(2_400, 2_700), None),
            name(Role::Smtp, "info@x.test", sharp(1_400), Some(sharp(1_500))),
        ],
    );
    let third = person(c, "kim@x.test", vec![name(Role::Smtp, "kim@x.test", wide(2_500, 2_800), None)]);
    let mut nights: Vec<SnapshotRow> = (0..730).map(|n| snapshot(&format!("n{n}"), day(2_000 + n), b)).collect();
    nights[710] = snapshot("n710", day(2_710), c);
    for (night, row) in nights.iter_mut().enumerate().skip(500).take(60) {
        *row = SnapshotRow {
            confidence: HolderConfidence::Assumed,
            ..snapshot(&format!("n{night}"), day(2_000 + night as u64), b)
        };
    }
    let mut report = empty(Topic::Name("kim@x.test".parse().unwrap()));
    report.objects = vec![leaver, second, third];
    report.chains = vec![ChainRows { chain: "nightly/kim".parse().unwrap(), snapshots: nights }];
    report.basis.clock = day(3_600);
    report
}
