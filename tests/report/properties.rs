//! What holds for any content.

use proptest::prelude::*;
use whowas::domain::holder::HolderConfidence;
use whowas::domain::interval::Edge;
use whowas::domain::time::Instant;
use whowas::domain::timeline::{Role, State};
use whowas::report::{self, content::*};

use super::content::{at, empty, name, object, person, snapshot};
use super::xml;

/// Instants that crowd together, lie far apart, or are no instants at all.
fn instant() -> impl Strategy<Value = Instant> {
    prop_oneof![
        6 => (0u64..3_000).prop_map(|minutes| at("00:00").plus(std::time::Duration::from_secs(minutes * 60))),
        2 => any::<i64>().prop_map(Instant::from_micros),
        1 => Just(Instant::MIN),
        1 => Just(Instant::MIN.succ()),
        1 => Just(Instant::MAX),
        1 => Just(Instant::MAX.pred()),
        1 => Just(at("00:00")),
    ]
}

fn edge() -> impl Strategy<Value = Edge> {
    prop_oneof![(instant(), instant()).prop_map(|(a, b)| Edge::new(a, b)), instant().prop_map(Edge::point)]
}

fn names() -> impl Strategy<Value = Vec<NameRow>> {
    let role = prop_oneof![Just(Role::Upn), Just(Role::Smtp), Just(Role::Primary)];
    let spelling = prop_oneof![Just("sam@x.test".to_owned()), "[a-c]{1,3}@x\\.test", "\\PC{0,20}", ".{0,6}"];
    let one = (role, spelling, edge(), proptest::option::of(edge()));
    prop::collection::vec(one.prop_map(|(kind, spelling, from, until)| name(kind, &spelling, from, until)), 0..9)
}

fn people() -> impl Strategy<Value = Vec<ObjectRow>> {
    let state = prop_oneof![Just(State::Active), Just(State::SoftDeleted), Just(State::Purged), Just(State::Unknown)];
    let states = prop::collection::vec((state, edge(), proptest::option::of(edge())), 0..4);
    let one = (names(), states, proptest::option::of(".{0,12}"));
    prop::collection::vec(one, 0..5).prop_map(|people| {
        let people = people.into_iter().enumerate().map(|(index, (names, states, label))| {
            let states = states.into_iter().map(|(state, from, until)| StateRow { state, from, until });
            ObjectRow { states: states.collect(), label, ..person(object(index as u8), "", names) }
        });
        people.collect()
    })
}

fn row() -> impl Strategy<Value = SnapshotRow> {
    let candidates = prop::collection::vec(0u8..6, 0..4);
    (instant(), instant(), 0u8..8, 0u8..6, candidates, any::<[bool; 2]>()).prop_map(
        |(from, until, kind, owner, candidates, [expired, settled])| {
            let row = snapshot("s", from, object(owner));
            let candidates = candidates.into_iter().map(object).collect();
            let (owner, confidence) = match kind {
                0 => (None, HolderConfidence::Nobody),
                1 => (None, HolderConfidence::Unknown),
                2 | 3 => (None, HolderConfidence::Ambiguous),
                4 => (row.owner, HolderConfidence::Assumed),
                _ => (row.owner, HolderConfidence::Certain),
            };
            SnapshotRow { until, owner, confidence, candidates, expired, settled, ..row }
        },
    )
}

fn content() -> impl Strategy<Value = Report> {
    let blind = (proptest::option::of(instant()), proptest::option::of(instant()));
    let chains = prop::collection::vec(prop::collection::vec(row(), 0..40), 0..4);
    (people(), chains, prop::collection::vec(blind, 0..3), 0u8..4, instant()).prop_map(
        |(objects, chains, blind, subject, clock)| {
            let mut report = empty(match subject {
                0 => Topic::Chain("c0".parse().unwrap()),
                1 => Topic::Object(object(1)),
                2 => Topic::Name("sam@x.test".parse().unwrap()),
                _ => Topic::Tenant("b0f2a1c4-0000-4000-8000-000000000001".parse().unwrap()),
            });
            report.basis.clock = clock;
            report.objects = objects;
            let chains = chains.into_iter().enumerate();
            report.chains = chains
                .map(|(index, snapshots)| ChainRows { chain: format!("c{index}").parse().unwrap(), snapshots })
                .collect();
            let blind = blind.into_iter().map(|(from, until)| BlindRow { from, until, why: "why".to_owned() });
            report.blind = blind.collect();
            report
        },
    )
}

fn foreign(report: &Report) -> usize {
    report.chains.iter().map(|chain| chain.snapshots.iter().filter(|row| chain.is_foreign(row)).count()).sum()
}

/// Every number in the picture lies within it.
fn within(svg: &str) -> Result<(), TestCaseError> {
    prop_assert!(!svg.contains("NaN") && !svg.contains("inf\""));
    for (tag, attributes) in xml::tags(svg).map_err(TestCaseError::fail)? {
        for (name, value) in attributes {
            if matches!(name.as_str(), "x" | "width" | "height") {
                let number: f64 = value.parse().map_err(|_| TestCaseError::fail(format!("{tag} {name}={value}")))?;
                prop_assert!((0.0..=20_000.0).contains(&number), "{} {}={}", tag, name, value);
                prop_assert!(name != "x" || number <= 1_120.0, "{} x={}", tag, value);
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn any_content_gives_a_whole_report(content in content()) {
        let html = report::html(&content).unwrap();
        xml::tags(&html).map_err(TestCaseError::fail)?;
        report::csv(&content).unwrap();
        report::json(&content).unwrap();
        let svg = report::svg(&content).unwrap();
        within(&svg)?;
        prop_assert!(!report::headline(&content).sentence.is_empty());
        prop_assert_eq!(html.matches("default-src 'none'").count(), 1);
    }

    #[test]
    fn every_foreign_snapshot_has_its_own_mark(content in content()) {
        let bounded = |row: &SnapshotRow| [row.from, row.until].iter().all(|at| *at != Instant::MIN && *at != Instant::MAX);
        prop_assume!(content.snapshots().all(bounded));
        prop_assert_eq!(report::svg(&content).unwrap().matches("mark foreign").count(), foreign(&content));
    }

    #[test]
    fn one_foreign_snapshot_among_thousands_is_never_hidden(count in 1_000usize..5_000, foreign in any::<prop::sample::Index>(), step in 0u64..90_000) {
        let place = 1 + foreign.index(count - 1);
        let owner = |index| if index == place { object(2) } else { object(1) };
        let time = |index: usize| at("00:00").plus(std::time::Duration::from_secs(step * index as u64));
        let rows = (0..count).map(|index| snapshot(&index.to_string(), time(index), owner(index)));
        let mut content = empty(Topic::Chain("c".parse().unwrap()));
        content.chains = vec![ChainRows { chain: "c".parse().unwrap(), snapshots: rows.collect() }];
        let svg = report::svg(&content).unwrap();
        prop_assert_eq!(svg.matches("mark foreign").count(), 1);
        let title = format!("<title>Snapshot {place}, ");
        prop_assert!(svg.contains(&title));
        let runs = svg.matches("class=\"mark").count();
        prop_assert!(runs < 600, "{} marks", runs);
        let html = report::html(&content).unwrap();
        let row = format!("<bdi>{place}</bdi>");
        prop_assert!(html.contains(&row));
    }
}
