//! Rules, one by one. `tests/mapping_properties.rs` holds them against an evaluator without any cleverness.

use super::*;
use crate::domain::fact::{Fact, Known as KnownFact, Profile, Reading, Removal, Removed, Seen, Source};
use crate::domain::scope::{Described, Grouped};
use crate::domain::time::Instant;
use crate::domain::timeline::Names;

const USER: ObjectId = ObjectId::from_bytes([1; 16]);
const GROUP: ObjectId = ObjectId::from_bytes([9; 16]);

fn at(seconds: i64) -> Instant {
    Instant::from_micros(seconds * 1_000_000)
}

fn attribute(name: &str) -> Attribute {
    name.parse().unwrap()
}

fn is(name: &str, test: Test) -> Condition {
    Condition::Attribute(attribute(name), test)
}

fn equals(text: &str) -> Test {
    Test::Equals(text.to_owned())
}

/// A user of Sales, in the group, known since second 10; the group was listed at second 20.
fn ann() -> Traits {
    Traits {
        is_read: true,
        upn: Some("Ann@Contoso.com".parse().unwrap()),
        primary: Some("ann@mail.test".parse().unwrap()),
        user_type: Some("Member".to_owned()),
        attributes: [
            (attribute("department"), Some("Sales EMEA".to_owned())),
            (attribute("city"), None),
            (attribute("onPremisesSyncEnabled"), None),
            (attribute("accountEnabled"), Some("true".to_owned())),
        ]
        .into(),
        groups: [(GROUP, (at(20), true))].into(),
        alive_since: Some(at(10)),
    }
}

fn listed() -> GroupsRead {
    GroupsRead([(GROUP, Some(at(20)))].into())
}

fn rule(name: &str, matches: Condition, exclude: Option<Condition>) -> Rule {
    Rule { name: name.to_owned(), matches, exclude, labels: [("of".to_owned(), name.to_owned())].into() }
}

fn scope(rules: Vec<Rule>, of: &Traits) -> Scope {
    Mapping::new(rules).unwrap().scope(of, &listed())
}

#[test]
fn what_each_condition_means() {
    let domain = |text: &str| Condition::Domain(text.to_owned());
    let not = |inner| Condition::Not(Box::new(inner));
    let unknown = || is("jobTitle", equals("x"));
    let (yes, no) = (|| Condition::Any, || Condition::Not(Box::new(Condition::Any)));
    for (condition, holds) in [
        (Condition::Any, Some(true)),
        (Condition::Group(GROUP), Some(true)),
        (Condition::Group(USER), None),
        (domain("CONTOSO.COM"), Some(true)),
        // The user principal name decides, and what ends alike is another domain.
        (domain("mail.test"), Some(false)),
        (domain("so.com"), Some(false)),
        (Condition::UserType(equals("member")), Some(true)),
        (Condition::UserType(equals("Guest")), Some(false)),
        (is("department", equals("SALES emea")), Some(true)),
        (is("department", equals("Sales")), Some(false)),
        (is("department", Test::Prefix("sales".to_owned())), Some(true)),
        (is("department", Test::In(vec!["HR".to_owned(), "sales emea".to_owned()])), Some(true)),
        (is("city", equals("Rome")), Some(false)),
        (not(is("city", equals("Rome"))), Some(true)),
        (is("onPremisesSyncEnabled", equals("false")), Some(true)),
        (is("accountEnabled", equals("True")), Some(true)),
        (unknown(), None),
        (not(unknown()), None),
        // What is known may decide without the rest.
        (Condition::AnyOf(vec![unknown(), yes()]), Some(true)),
        (Condition::AnyOf(vec![no(), unknown()]), None),
        (Condition::AllOf(vec![unknown(), no()]), Some(false)),
        (Condition::AllOf(vec![yes(), unknown()]), None),
        (Condition::AllOf(vec![yes(), Condition::AnyOf(vec![no(), yes()])]), Some(true)),
    ] {
        let found = match scope(vec![rule("r", condition.clone(), None)], &ann()) {
            Scope::In { .. } => Some(true),
            Scope::Out { .. } => Some(false),
            Scope::Unknown { .. } => None,
            Scope::Everyone | Scope::InOne { .. } => panic!(),
        };
        assert_eq!(found, holds, "{condition:?}");
    }
}

#[test]
fn without_a_user_principal_name_the_primary_address_has_the_domain() {
    let local = Traits { upn: None, ..ann() };
    let rules = vec![rule("r", Condition::Domain("mail.test".to_owned()), None)];
    assert_eq!(scope(rules, &local).rule(), Some("r"));
}

#[test]
fn the_first_rule_that_matches_and_does_not_exclude_decides() {
    let yes = || Condition::Any;
    let no = || Condition::Not(Box::new(Condition::Any));
    let unknown = || is("jobTitle", equals("x"));
    let of = |rules: Vec<(Condition, Option<Condition>)>| {
        let rules =
            rules.into_iter().zip(["a", "b", "c"]).map(|((matches, exclude), name)| rule(name, matches, exclude));
        match scope(rules.collect(), &ann()) {
            Scope::In { rule, labels } => {
                assert_eq!(labels["of"], rule);
                rule
            }
            Scope::Out { excluded_by: Some(rule) } => format!("excluded by {rule}"),
            Scope::Out { excluded_by: None } => "out".to_owned(),
            Scope::Unknown { why } => why,
            Scope::InOne { why } => format!("protected, but {why}"),
            Scope::Everyone => "everyone".to_owned(),
        }
    };
    assert_eq!(of(vec![]), "everyone");
    assert_eq!(of(vec![(no(), None), (yes(), None), (yes(), None)]), "b");
    assert_eq!(of(vec![(yes(), Some(yes())), (yes(), Some(no()))]), "b");
    assert_eq!(of(vec![(yes(), Some(yes())), (yes(), Some(yes())), (no(), None)]), "excluded by a");
    assert_eq!(of(vec![(no(), Some(yes()))]), "out");
    // A rule that cannot be decided leaves open what those after it would say, but not what those before it said.
    assert_eq!(of(vec![(yes(), None), (unknown(), None)]), "a");
    let said = "rule \"a\" cannot be decided: jobTitle was not read yet; sync";
    assert_eq!(of(vec![(unknown(), None), (no(), None)]), said);
    assert_eq!(of(vec![(yes(), Some(unknown())), (no(), None)]), said);
    assert_eq!(of(vec![(unknown(), None), (unknown(), Some(no()))]), said);
    // Somebody protects it whichever way that comes out; whose labels it has is not known.
    assert_eq!(of(vec![(unknown(), None), (yes(), None)]), format!("protected, but {said}"));
    assert_eq!(of(vec![(yes(), Some(unknown())), (no(), None), (yes(), None)]), format!("protected, but {said}"));
    assert_eq!(of(vec![(no(), Some(unknown())), (yes(), None)]), "b");
    // It would be excluded whichever way it comes out.
    assert_eq!(of(vec![(unknown(), Some(yes())), (yes(), None)]), "b");
}

#[test]
fn whoever_was_not_listed_is_no_member_only_if_it_was_there_to_be_listed() {
    let mapping = Mapping::new(vec![rule("r", Condition::Group(GROUP), None)]).unwrap();
    let known = |is_member: Option<bool>, told: i64, alive: i64, read: Option<Option<i64>>| {
        let groups = is_member.map(|is_member| (GROUP, (at(told), is_member)));
        let traits = Traits { groups: groups.into_iter().collect(), alive_since: Some(at(alive)), ..ann() };
        let read = GroupsRead(read.map(|read| (GROUP, read.map(at))).into_iter().collect());
        match mapping.scope(&traits, &read) {
            Scope::Unknown { why } => why,
            Scope::In { .. } => "in".to_owned(),
            _ => "out".to_owned(),
        }
    };
    assert_eq!(known(Some(true), 20, 10, Some(Some(30))), "in");
    assert_eq!(known(Some(false), 20, 10, Some(Some(30))), "out");
    assert_eq!(known(None, 0, 10, Some(Some(20))), "out");
    assert_eq!(known(None, 0, 20, Some(Some(20))), "out");
    assert!(known(None, 0, 21, Some(Some(20))).contains("before it was there"));
    // It was found out of the group while it was deleted, and has come back since.
    assert!(known(Some(false), 20, 25, Some(Some(20))).contains("before it was there"));
    assert!(known(None, 0, 10, None).contains("were not read yet"));
    for member in [Some(true), None] {
        assert!(
            known(member, 5, 10, Some(None)).contains("GroupMember.Read.All"),
            "what is refused is not known any more"
        );
    }
}

#[test]
fn what_nobody_read_decides_nothing_but_an_empty_mapping() {
    let nobody = Traits::default();
    assert_eq!(scope(vec![], &nobody), Scope::Everyone);
    assert!(matches!(scope(vec![rule("r", Condition::Any, None)], &nobody), Scope::Unknown { .. }));
}

#[test]
fn later_readings_count_more_and_files_from_elsewhere_nothing() {
    let reading =
        |second, source| Reading { at: at(second), lag: std::time::Duration::ZERO, source, unchanged_since: None };
    let seen = |second, source, kind: &str| {
        let profile = Profile { user_type: Some(kind.to_owned()), ..Profile::default() };
        Fact::Seen(Seen { object: USER, reading: reading(second, source), profile })
    };
    let described = |second, name: &str, value: Option<&str>| {
        let attributes = [(attribute(name), value.map(str::to_owned))].into();
        Fact::Described(Described { object: USER, reading: reading(second, Source::Delta), attributes })
    };
    let grouped = |second, is_member| Fact::Grouped(Grouped { object: USER, group: GROUP, at: at(second), is_member });
    let removed = |second| {
        let reading = reading(second, Source::Delta);
        Fact::Removed(Removed { object: USER, reading, removal: Removal::Soft, deleted: None, last_upn: None })
    };
    let mut facts = vec![
        seen(1, Source::Delta, "Member"),
        described(1, "department", Some("HR")),
        described(1, "city", Some("Rome")),
        grouped(2, true),
        removed(3),
        grouped(4, false),
        seen(5, Source::Live, "Guest"),
        described(5, "department", None),
        seen(9, Source::Import, "Member"),
    ];
    for turn in 0..facts.len() {
        facts.rotate_left(1);
        let known: Vec<KnownFact> =
            (1..).zip(&facts).map(|(n, fact)| KnownFact { sequence: Sequence(n), fact: fact.clone() }).collect();
        let traits = Traits::of(&Names::default(), &known);
        assert_eq!(traits.user_type.as_deref(), Some("Guest"), "{turn}");
        assert_eq!(traits.attributes[&attribute("department")], None);
        assert_eq!(traits.attributes[&attribute("city")].as_deref(), Some("Rome"));
        assert_eq!((traits.groups[&GROUP], traits.alive_since), ((at(4), false), Some(at(5))));
    }
    let imported = [KnownFact { sequence: Sequence(1), fact: seen(9, Source::Import, "Member") }];
    assert!(!Traits::of(&Names::default(), &imported).is_read);
}

#[test]
fn what_is_too_much_or_nameless_is_no_mapping() {
    let some = |count: usize| (0..count).map(|n| rule(&format!("r{n}"), Condition::Any, None)).collect::<Vec<_>>();
    assert!(Mapping::new(some(RULES_MAX)).is_ok());
    let too_much = |rules| match Mapping::new(rules) {
        Err(MappingError::TooMuch { what, .. }) => what,
        other => panic!("{other:?}"),
    };
    assert_eq!(too_much(some(RULES_MAX + 1)), "rules");
    assert_eq!(too_much(vec![rule("r", Condition::AnyOf(vec![Condition::Any; CONDITIONS_MAX]), None)]), "conditions");
    let long = Condition::Domain("x".repeat(TEXT_BYTES_MAX));
    assert_eq!(too_much(vec![rule("r", long, None)]), "bytes of text");
    let group = |n: usize| Condition::Group(ObjectId::from_bytes((n as u128).to_be_bytes()));
    assert_eq!(too_much(vec![rule("r", Condition::AnyOf((0..=GROUPS_MAX).map(group).collect()), None)]), "groups");
    assert_eq!(Mapping::new(vec![rule(" ", Condition::Any, None)]), Err(MappingError::NoName(1)));
    let twice = vec![rule("Staff", Condition::Any, None), rule("STAFF", Condition::Any, None)];
    assert_eq!(Mapping::new(twice), Err(MappingError::SameName("STAFF".to_owned())));
    assert_eq!(Mapping::new(vec![rule("a\nb", Condition::Any, None)]), Err(MappingError::Control("ab".to_owned())));
}

/// What was erased from a value may be what a rule looks for in it.
#[test]
fn a_value_with_an_erased_name_in_it_meets_no_test_and_misses_none() {
    let erased = |before: &str, after: &str| {
        let mut ann = ann();
        let value = format!("{before}erased-{}@erased.invalid{after}", "0f".repeat(16));
        ann.attributes.insert(attribute("department"), Some(value));
        ann
    };
    let (same, begins) = (equals("ann@x.test"), Test::Prefix("ann@".to_owned()));
    for of in [erased("", ""), erased("mail of ", ", Sales")] {
        for test in [&same, &begins] {
            let condition = is("department", test.clone());
            let unknown = |scope: Scope| matches!(scope, Scope::Unknown { why } if why.contains("erased"));
            assert!(unknown(scope(vec![rule("r", condition.clone(), None)], &of)));
            assert!(unknown(scope(vec![rule("r", Condition::Any, Some(condition))], &of)));
        }
    }
    let mut of = ann();
    for no in ["erased-0f@erased.invalid", "erased-", "erased.invalid", "ann@erased.invalid"] {
        of.attributes.insert(attribute("department"), Some(no.to_owned()));
        let rules = vec![rule("r", is("department", same.clone()), None)];
        assert_eq!(scope(rules, &of), Scope::Out { excluded_by: None }, "{no}");
    }
}
