//! Mapping rules against an evaluator without any cleverness, and what the ledger keeps of what they look at.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop at the first surprise")]
#![allow(dead_code, reason = "the generators serve several tests")]

#[path = "../src/store/testing.rs"]
mod testing;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use whowas::domain::attribute::Attribute;
use whowas::domain::fact::Fact;
use whowas::domain::id::{ObjectId, Sequence, TenantId};
use whowas::domain::mapping::{Condition, Mapping, MappingApplied, Test};
use whowas::domain::name::Name;
use whowas::domain::scope::{GroupsRead, Scope, Traits};
use whowas::domain::time::Instant;
use whowas::ledger::{Batch, KnownAt, Ledger, ReadAhead, Stamp};
use whowas::store::memory::MemoryStore;

const TENANT: TenantId = TenantId::from_bytes([7; 16]);

/// What the directory really says of a user: everything that a rule of the generators can ask for.
#[derive(Clone, Debug)]
struct Truth {
    upn: Name,
    user_type: Option<String>,
    attributes: BTreeMap<Attribute, Option<String>>,
    groups: BTreeSet<ObjectId>,
}

fn truths() -> impl Strategy<Value = Truth> {
    let texts = || prop::option::of(prop::sample::select(vec!["Sales", "sales", "guest", "ẞ", "ANNA"]));
    let all: Vec<Attribute> = Attribute::all().collect();
    let count = all.len();
    (
        testing::names(),
        texts(),
        prop::collection::vec(texts(), count),
        prop::collection::btree_set(testing::objects(), 0..4),
    )
        .prop_map(move |(upn, user_type, values, groups)| Truth {
            upn,
            user_type: user_type.map(str::to_owned),
            attributes: all.iter().copied().zip(values.into_iter().map(|value| value.map(str::to_owned))).collect(),
            groups,
        })
}

/// Two-valued, recursive, and folding by the plainest means that suit the generators' texts.
fn holds(condition: &Condition, truth: &Truth) -> bool {
    let fold = |text: &str| text.to_lowercase().replace('ẞ', "ß");
    let meets = |test: &Test, value: Option<&str>| {
        value.is_some_and(|value| match test {
            Test::Equals(text) => fold(text) == fold(value),
            Test::In(texts) => texts.iter().any(|text| fold(text) == fold(value)),
            Test::Prefix(text) => fold(value).starts_with(&fold(text)),
        })
    };
    match condition {
        Condition::Any => true,
        Condition::Group(group) => truth.groups.contains(group),
        Condition::Domain(domain) => {
            let puny = |text: &str| fold(text).replace("bücher", "xn--bcher-kva");
            truth.upn.spelling().rsplit_once('@').is_some_and(|(_, own)| puny(own) == puny(domain))
        }
        Condition::UserType(test) => meets(test, truth.user_type.as_deref()),
        Condition::Attribute(attribute, test) => {
            let unset = (attribute.to_string() == "onPremisesSyncEnabled").then_some("false");
            meets(test, truth.attributes.get(attribute).and_then(Option::as_deref).or(unset))
        }
        Condition::Not(inner) => !holds(inner, truth),
        Condition::AnyOf(all) => all.iter().any(|inner| holds(inner, truth)),
        Condition::AllOf(all) => all.iter().all(|inner| holds(inner, truth)),
    }
}

fn decides<'m>(mapping: &'m Mapping, truth: &Truth) -> Option<&'m str> {
    let of = |condition: &Option<Condition>| condition.as_ref().is_some_and(|condition| holds(condition, truth));
    let found = mapping.rules().iter().find(|rule| holds(&rule.matches, truth) && !of(&rule.exclude));
    found.map(|rule| rule.name.as_str())
}

/// As much of the truth as was read.
fn known(truth: &Truth, attributes: &BTreeSet<Attribute>, groups: &BTreeSet<ObjectId>) -> (Traits, GroupsRead) {
    let at = Instant::from_micros(1);
    let traits = Traits {
        is_read: true,
        upn: Some(truth.upn.clone()),
        primary: None,
        user_type: truth.user_type.clone(),
        attributes: truth
            .attributes
            .clone()
            .into_iter()
            .filter(|(attribute, _)| attributes.contains(attribute))
            .collect(),
        groups: truth.groups.iter().map(|group| (*group, (at, true))).collect(),
        alive_since: Some(at),
    };
    (traits, GroupsRead(groups.iter().map(|group| (*group, Some(at))).collect()))
}

proptest! {
    #[test]
    fn with_everything_read_the_plain_evaluator_agrees(mapping in testing::mappings(), truth in truths()) {
        let (traits, groups) = known(&truth, &mapping.attributes(), &mapping.groups());
        match mapping.scope(&traits, &groups) {
            Scope::Everyone => prop_assert!(mapping.is_empty()),
            Scope::In { rule, .. } => prop_assert_eq!(Some(rule.as_str()), decides(&mapping, &truth)),
            Scope::Out { .. } => prop_assert_eq!(None, decides(&mapping, &truth)),
            Scope::Unknown { why } | Scope::InOne { why } => prop_assert!(false, "{}", why),
        }
    }

    /// Whatever the rest turns out to be, what was decided without it stays.
    #[test]
    fn what_is_decided_with_half_of_it_read_is_never_false(
        mapping in testing::mappings(),
        truth in truths(),
        attributes in testing::attributes(),
        groups in prop::collection::btree_set(testing::objects(), 0..4),
    ) {
        let (traits, read) = known(&truth, &attributes, &groups);
        match mapping.scope(&traits, &read) {
            Scope::In { rule, .. } => prop_assert_eq!(Some(rule.as_str()), decides(&mapping, &truth)),
            Scope::Out { .. } => prop_assert_eq!(None, decides(&mapping, &truth)),
            Scope::InOne { .. } => prop_assert!(decides(&mapping, &truth).is_some()),
            Scope::Everyone | Scope::Unknown { .. } => {}
        }
    }

    /// In whatever pieces facts come: the members kept are those of the newest words, a rebuild gives the same bytes, a scope
    /// at a commit stays what it was, and the history ends in what is so now.
    #[test]
    fn what_is_kept_follows_from_the_facts(
        pieces in prop::collection::vec(
            prop::collection::vec(prop_oneof![3 => testing::objects().prop_flat_map(testing::object_facts), 2 => testing::tenant_facts()], 1..5),
            1..8,
        )
    ) {
        let ledger = Ledger::new(MemoryStore::new());
        let mut before: Vec<(Sequence, Vec<Scope>)> = Vec::new();
        for (turn, facts) in pieces.into_iter().enumerate() {
            // Rules come in commits of their own, as they do in the program.
            let (rules, facts): (Vec<Fact>, Vec<Fact>) =
                facts.into_iter().partition(|fact| matches!(fact, Fact::MappingApplied(MappingApplied { .. })));
            for batch in std::iter::once(facts).chain(rules.into_iter().map(|fact| vec![fact])) {
                let stamp = Stamp { now: Instant::from_micros(turn as i64), salt: [turn as u8; 16] };
                let head = ledger.append(TENANT, Batch { facts: batch, ..Batch::default() }, stamp).unwrap().head;
                before.push((head.sequence, scopes(&ledger, KnownAt::Sequence(head.sequence))));
            }
        }
        for n in 0..4 {
            let group = ObjectId::from_bytes([n; 16]);
            let members = (0..4).map(|n| ObjectId::from_bytes([n; 16])).filter(|object| {
                let facts = ledger.store().object(TENANT, *object).unwrap();
                let words = facts.iter().filter_map(|known| match &known.fact {
                    Fact::Grouped(word) if word.group == group => Some(word),
                    _ => None,
                });
                words.max_by_key(|word| word.at).is_some_and(|word| word.is_member)
            });
            prop_assert_eq!(ledger.store().members(TENANT, group).unwrap(), members.collect::<Vec<_>>());
        }
        for (sequence, scopes_then) in before {
            prop_assert_eq!(scopes(&ledger, KnownAt::Sequence(sequence)), scopes_then);
        }
        let now = scopes(&ledger, KnownAt::Now);
        let view = ledger.view(TENANT, KnownAt::Now).unwrap();
        for (n, scope) in (0..4).zip(now) {
            let object = ObjectId::from_bytes([n; 16]);
            if let Some(last) = view.scope_history(object).unwrap().last()
                && !view.facts(object).unwrap().is_empty()
            {
                let told = |scope: &Scope| match scope { Scope::Unknown { .. } => None, known => Some(known.clone()) };
                prop_assert_eq!(told(&last.scope), told(&scope));
            }
        }
        // The same rules change nothing.
        let change = ledger.scope_change(TENANT, &ledger.mapping(TENANT).unwrap(), &ReadAhead::default()).unwrap();
        prop_assert!(change.enter.is_empty() && change.leave.is_empty(), "{:?}", change);
        prop_assert_eq!(ledger.verify(|_| ()).unwrap().differing, 0);
    }
}

fn scopes(ledger: &Ledger, known_at: KnownAt) -> Vec<Scope> {
    let view = ledger.view(TENANT, known_at).unwrap();
    let all = (0..4).map(|n| {
        let timeline = view.timeline(ObjectId::from_bytes([n; 16])).unwrap();
        view.scopes(&view.mapping().unwrap(), [&timeline]).unwrap().into_values().next().unwrap_or(Scope::Everyone)
    });
    all.collect()
}
