//! Mapping rules as they are stored, and what is derived for a tenant of what they look at.

use std::collections::{BTreeMap, BTreeSet};

use bincode::{Decode, Encode};

use super::fact::{instant, read_attribute};
use crate::domain::attribute::Attribute;
use crate::domain::id::{ObjectId, Sequence};
use crate::domain::mapping::{Condition, DEPTH_MAX, Mapping, MappingState, Rule, Test};
use crate::domain::scope::GroupsRead;
use crate::domain::time::Instant;
use crate::store::codec::{Record, RecordError};

/// Rules in order of priority.
#[derive(Encode, Decode)]
pub(crate) struct MappingV1(Vec<RuleV1>);

#[derive(Encode, Decode)]
struct RuleV1 {
    name: String,
    matches: Vec<StepV1>,
    exclude: Option<Vec<StepV1>>,
    labels: Vec<(String, String)>,
}

/// A condition is kept as the steps of a stack machine, inner conditions first: a record that is damaged can then not make a
/// reader descend without end.
#[derive(Encode, Decode)]
enum StepV1 {
    Any,
    Group([u8; 16]),
    Domain(String),
    UserType(TestV1),
    Attribute(u8, TestV1),
    Not,
    /// Of so many conditions before it.
    AnyOf(u64),
    AllOf(u64),
}

#[derive(Encode, Decode)]
enum TestV1 {
    Equals(String),
    In(Vec<String>),
    Prefix(String),
}

/// What is derived for a tenant. It is there only where something was applied or read for a mapping.
#[derive(Encode, Decode)]
pub(crate) struct MappingStateV1 {
    applied: Option<u64>,
    groups: Vec<([u8; 16], Option<i64>)>,
    told: Vec<u8>,
}

impl Record for MappingStateV1 {
    const VERSION: u8 = 1;
}

impl MappingV1 {
    pub(crate) fn of(mapping: &Mapping) -> Self {
        Self(mapping.rules().iter().map(RuleV1::of).collect())
    }

    pub(crate) fn read(self) -> Result<Mapping, RecordError> {
        let rules: Result<Vec<Rule>, RecordError> = self.0.into_iter().map(RuleV1::read).collect();
        Mapping::new(rules?).map_err(|_| RecordError::Text("mapping"))
    }
}

impl RuleV1 {
    fn of(rule: &Rule) -> Self {
        let steps = |condition: &Condition| {
            let mut steps = Vec::new();
            put(condition, &mut steps);
            steps
        };
        Self {
            name: rule.name.clone(),
            matches: steps(&rule.matches),
            exclude: rule.exclude.as_ref().map(steps),
            labels: rule.labels.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
        }
    }

    fn read(self) -> Result<Rule, RecordError> {
        Ok(Rule {
            name: self.name,
            matches: condition(self.matches)?,
            exclude: self.exclude.map(condition).transpose()?,
            labels: self.labels.into_iter().collect(),
        })
    }
}

fn put(condition: &Condition, steps: &mut Vec<StepV1>) {
    let count = |all: &[Condition]| u64::try_from(all.len()).unwrap_or(u64::MAX);
    let step = match condition {
        Condition::Any => StepV1::Any,
        Condition::Group(group) => StepV1::Group(*group.as_bytes()),
        Condition::Domain(domain) => StepV1::Domain(domain.clone()),
        Condition::UserType(test) => StepV1::UserType(TestV1::of(test)),
        Condition::Attribute(attribute, test) => StepV1::Attribute(attribute.number(), TestV1::of(test)),
        Condition::Not(inner) => {
            put(inner, steps);
            StepV1::Not
        }
        Condition::AnyOf(all) | Condition::AllOf(all) => {
            all.iter().for_each(|inner| put(inner, steps));
            if matches!(condition, Condition::AnyOf(_)) { StepV1::AnyOf(count(all)) } else { StepV1::AllOf(count(all)) }
        }
    };
    steps.push(step);
}

fn condition(steps: Vec<StepV1>) -> Result<Condition, RecordError> {
    const BROKEN: RecordError = RecordError::Text("condition");
    // Each with how deep it is, so that nothing deeper than a mapping may be is ever built, walked or dropped.
    let mut stack: Vec<(Condition, usize)> = Vec::new();
    let take = |stack: &mut Vec<(Condition, usize)>, count: u64| {
        let count = usize::try_from(count).map_err(|_| BROKEN)?;
        let rest = stack.len().checked_sub(count).ok_or(BROKEN)?;
        let taken = stack.split_off(rest);
        let depth = taken.iter().map(|(_, depth)| *depth).max().unwrap_or(0);
        Ok::<_, RecordError>((taken.into_iter().map(|(inner, _)| inner).collect::<Vec<_>>(), depth + 1))
    };
    for step in steps {
        let made = match step {
            StepV1::Any => (Condition::Any, 1),
            StepV1::Group(group) => (Condition::Group(ObjectId::from_bytes(group)), 1),
            StepV1::Domain(domain) => (Condition::Domain(domain), 1),
            StepV1::UserType(test) => (Condition::UserType(test.read()), 1),
            StepV1::Attribute(number, test) => (Condition::Attribute(read_attribute(number)?, test.read()), 1),
            StepV1::Not => {
                let (inner, depth) = stack.pop().ok_or(BROKEN)?;
                (Condition::Not(Box::new(inner)), depth + 1)
            }
            StepV1::AnyOf(count) => {
                let (all, depth) = take(&mut stack, count)?;
                (Condition::AnyOf(all), depth)
            }
            StepV1::AllOf(count) => {
                let (all, depth) = take(&mut stack, count)?;
                (Condition::AllOf(all), depth)
            }
        };
        if made.1 > DEPTH_MAX {
            return Err(BROKEN);
        }
        stack.push(made);
    }
    match (stack.pop(), stack.pop()) {
        (Some((condition, _)), None) => Ok(condition),
        _ => Err(BROKEN),
    }
}

impl TestV1 {
    fn of(test: &Test) -> Self {
        match test {
            Test::Equals(text) => Self::Equals(text.clone()),
            Test::In(texts) => Self::In(texts.clone()),
            Test::Prefix(text) => Self::Prefix(text.clone()),
        }
    }

    fn read(self) -> Test {
        match self {
            Self::Equals(text) => Test::Equals(text),
            Self::In(texts) => Test::In(texts),
            Self::Prefix(text) => Test::Prefix(text),
        }
    }
}

impl MappingStateV1 {
    pub(crate) fn of(state: &MappingState) -> Self {
        let groups = state.groups.0.iter();
        Self {
            applied: state.applied.map(|sequence| sequence.0),
            groups: groups.map(|(group, read)| (*group.as_bytes(), read.map(Instant::as_micros))).collect(),
            told: state.told.iter().map(|attribute| attribute.number()).collect(),
        }
    }

    pub(crate) fn read(self) -> Result<MappingState, RecordError> {
        let groups = self.groups.into_iter();
        let groups = groups.map(|(group, read)| (ObjectId::from_bytes(group), read.map(instant)));
        Ok(MappingState {
            applied: self.applied.map(Sequence),
            groups: GroupsRead(groups.collect::<BTreeMap<_, _>>()),
            told: read_attributes(&self.told)?,
        })
    }
}

/// Attributes by their numbers.
pub(super) fn read_attributes(numbers: &[u8]) -> Result<BTreeSet<Attribute>, RecordError> {
    numbers.iter().map(|number| read_attribute(*number)).collect()
}
