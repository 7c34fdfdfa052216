//! The mapping: rules that decide who is protected, and what a rule may look at.
//!
//! The first rule, in order of priority, whose `match` holds and whose `exclude` does not, decides and gives its labels.
//! Without any rule everyone is protected. Texts compare without case, folded as names are.
//!
//! What has not been read yet is neither so nor not so: a condition that rests on it is unknown, and so is the scope unless
//! the rest decides without it. An object is never protected, nor left alone, by a guess.

use std::collections::{BTreeMap, BTreeSet};

use super::attribute::Attribute;
use super::erase;
use super::id::{ObjectId, Sequence};
use super::name::{fold, fold_domain};
use super::scope::{GroupsRead, Scope, Traits};

/// Rules in order of priority. Empty: everyone is protected.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Mapping {
    rules: Vec<Rule>,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Rule {
    /// Its name, by which verdicts speak of it.
    pub name: String,
    /// Whom it means.
    pub matches: Condition,
    /// Whom of them it leaves to the rules after it.
    pub exclude: Option<Condition>,
    /// What it says of them: profile, region, quota.
    pub labels: BTreeMap<String, String>,
}

/// What a rule asks of a user.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// Nothing.
    Any,
    /// That it is a member of this group, be it through other groups.
    Group(ObjectId),
    /// That its user principal name is of this domain; its primary address, if it has no user principal name.
    Domain(String),
    /// That its `userType` is so.
    UserType(Test),
    /// That an attribute is so.
    Attribute(Attribute, Test),
    /// That the other does not hold.
    Not(Box<Condition>),
    /// That one of them holds.
    AnyOf(Vec<Condition>),
    /// That all of them hold.
    AllOf(Vec<Condition>),
}

/// How a text is to be. A value that is not set meets none of them.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Test {
    /// Equal to this.
    Equals(String),
    /// Equal to one of these.
    In(Vec<String>),
    /// Beginning with this.
    Prefix(String),
}

/// Most rules of a mapping.
pub const RULES_MAX: usize = 200;
/// Most conditions of a mapping, those inside of others included.
pub const CONDITIONS_MAX: usize = 2_000;
/// How deep conditions may stand inside one another.
pub const DEPTH_MAX: usize = 16;
/// Most groups that the rules may name: the members of each are listed at every sync.
pub const GROUPS_MAX: usize = 100;
/// Most bytes of all texts of a mapping, so that it stays one small record.
pub const TEXT_BYTES_MAX: usize = 24 * 1024;

/// Why rules are no mapping.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MappingError {
    /// A rule without a name.
    #[error("rule {0} has no name")]
    NoName(usize),
    /// A text with a control character.
    #[error("rule {0:?} has a text with a control character in it")]
    Control(String),
    /// Two rules of one name.
    #[error("two rules are called {0:?}; a verdict names the rule, so give each a name of its own")]
    SameName(String),
    /// Too much of something.
    #[error("it has {found} {what}, and at most {limit} are allowed")]
    TooMuch {
        /// Of what.
        what: &'static str,
        /// How much there is.
        found: usize,
        /// How much may be.
        limit: usize,
    },
}

impl Mapping {
    /// A mapping of these rules, given in order of priority.
    ///
    /// # Errors
    /// If a name is missing or used twice, or a limit is exceeded.
    pub fn new(rules: Vec<Rule>) -> Result<Self, MappingError> {
        let mut names = BTreeSet::new();
        let mut measure = Measure::default();
        for (place, rule) in (1..).zip(&rules) {
            if rule.name.trim().is_empty() {
                return Err(MappingError::NoName(place));
            }
            if !names.insert(fold(&rule.name)) {
                return Err(MappingError::SameName(rule.name.clone()));
            }
            measure.rule(rule);
            if measure.has_control {
                return Err(MappingError::Control(rule.name.chars().filter(|c| !c.is_control()).collect()));
            }
        }
        let mapping = Self { rules };
        for (what, found, limit) in [
            ("rules", mapping.rules.len(), RULES_MAX),
            ("conditions", measure.conditions, CONDITIONS_MAX),
            ("levels of conditions inside one another", measure.depth, DEPTH_MAX),
            ("groups", mapping.groups().len(), GROUPS_MAX),
            ("bytes of text", measure.text_bytes, TEXT_BYTES_MAX),
        ] {
            if found > limit {
                return Err(MappingError::TooMuch { what, found, limit });
            }
        }
        Ok(mapping)
    }

    /// The rules, in order of priority.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Whether there is none, so that everyone is protected.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The groups that the rules name.
    pub fn groups(&self) -> BTreeSet<ObjectId> {
        let mut groups = BTreeSet::new();
        self.each(&mut |condition| {
            groups.extend(if let Condition::Group(group) = condition { Some(*group) } else { None })
        });
        groups
    }

    /// The attributes that the rules name.
    pub fn attributes(&self) -> BTreeSet<Attribute> {
        let mut attributes = BTreeSet::new();
        self.each(&mut |condition| {
            attributes.extend(if let Condition::Attribute(attribute, _) = condition { Some(*attribute) } else { None });
        });
        attributes
    }

    /// Whether the rules protect an object of which so much is known.
    pub fn scope(&self, object: &Traits, groups: &GroupsRead) -> Scope {
        if self.rules.is_empty() {
            return Scope::Everyone;
        }
        if !object.is_read {
            return Scope::Unknown { why: "the directory was not read for it yet".to_owned() };
        }
        let facts = Known { object, groups };
        let (mut excluded_by, mut undecided) = (None, None);
        for rule in &self.rules {
            let matches = facts.holds(&rule.matches);
            let excluded = match (&matches, &rule.exclude) {
                (Truth::No, _) | (_, None) => Truth::No,
                (_, Some(exclude)) => facts.holds(exclude),
            };
            match (matches, excluded) {
                (Truth::Yes, Truth::No) => {
                    return match undecided {
                        None => Scope::In { rule: rule.name.clone(), labels: rule.labels.clone() },
                        // That rule or this one: it is protected either way, by whose labels is not known.
                        Some(why) => Scope::InOne { why },
                    };
                }
                (Truth::No, _) => {}
                // Whether or not it matches, it is excluded.
                (Truth::Yes | Truth::Unknown(_), Truth::Yes) => {
                    excluded_by.get_or_insert_with(|| rule.name.clone());
                }
                (Truth::Unknown(why), _) | (_, Truth::Unknown(why)) => {
                    undecided.get_or_insert_with(|| format!("rule {:?} cannot be decided: {why}", rule.name));
                }
            }
        }
        undecided.map_or(Scope::Out { excluded_by }, |why| Scope::Unknown { why })
    }

    fn each(&self, look: &mut dyn FnMut(&Condition)) {
        self.rules.iter().for_each(|rule| rule.each(look));
    }
}

impl Rule {
    /// Everything that is written in it: its name, its labels, and what its conditions compare with.
    pub fn texts(&self) -> Vec<&str> {
        let mut texts = vec![self.name.as_str()];
        texts.extend(self.labels.iter().flat_map(|(key, value)| [key.as_str(), value.as_str()]));
        let conditions = [Some(&self.matches), self.exclude.as_ref()];
        conditions.into_iter().flatten().for_each(|condition| condition.texts(&mut texts));
        texts
    }

    fn each(&self, look: &mut dyn FnMut(&Condition)) {
        self.matches.each(look);
        if let Some(exclude) = &self.exclude {
            exclude.each(look);
        }
    }
}

impl Condition {
    fn texts<'a>(&'a self, texts: &mut Vec<&'a str>) {
        match self {
            Self::Any | Self::Group(_) => {}
            Self::Domain(text) => texts.push(text),
            Self::UserType(test) | Self::Attribute(_, test) => texts.extend(test.texts().iter().map(String::as_str)),
            Self::Not(inner) => inner.texts(texts),
            Self::AnyOf(all) | Self::AllOf(all) => all.iter().for_each(|inner| inner.texts(texts)),
        }
    }

    fn each(&self, look: &mut dyn FnMut(&Self)) {
        look(self);
        match self {
            Self::Not(inner) => inner.each(look),
            Self::AnyOf(all) | Self::AllOf(all) => all.iter().for_each(|inner| inner.each(look)),
            _ => {}
        }
    }
}

impl Test {
    /// The texts that it compares with.
    pub fn texts(&self) -> &[String] {
        match self {
            Self::Equals(text) | Self::Prefix(text) => std::slice::from_ref(text),
            Self::In(texts) => texts,
        }
    }

    fn meets(&self, value: &str) -> bool {
        let value = fold(value);
        match self {
            Self::Equals(text) => value == fold(text),
            Self::In(texts) => texts.iter().any(|text| value == fold(text)),
            Self::Prefix(text) => value.starts_with(&fold(text)),
        }
    }
}

/// What a condition comes to.
enum Truth {
    Yes,
    No,
    /// Why it cannot be told.
    Unknown(String),
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
}

/// What is known of one object.
struct Known<'a> {
    object: &'a Traits,
    groups: &'a GroupsRead,
}

impl Known<'_> {
    fn holds(&self, condition: &Condition) -> Truth {
        match condition {
            Condition::Any => Truth::Yes,
            Condition::Group(group) => self.is_member(*group),
            Condition::Domain(domain) => {
                let name = self.object.upn.as_ref().or(self.object.primary.as_ref());
                if name.is_some_and(|name| erase::stands_for(name.spelling()).is_some()) {
                    return Truth::Unknown("the name was erased, and its domain with it".to_owned());
                }
                let own = name.and_then(|name| name.spelling().rsplit_once('@')).map(|(_, own)| fold_domain(own));
                (own == Some(fold_domain(domain))).into()
            }
            Condition::UserType(test) => self.object.user_type.as_deref().is_some_and(|kind| test.meets(kind)).into(),
            Condition::Attribute(attribute, test) => match self.object.attributes.get(attribute) {
                None => Truth::Unknown(format!("{attribute} was not read yet; sync")),
                Some(Some(value)) if erase::stands_in(value) => {
                    Truth::Unknown(format!("{attribute} has a name in it that was erased"))
                }
                Some(value) => value.as_deref().or(attribute.unset()).is_some_and(|value| test.meets(value)).into(),
            },
            Condition::Not(inner) => match self.holds(inner) {
                Truth::Yes => Truth::No,
                Truth::No => Truth::Yes,
                unknown @ Truth::Unknown(_) => unknown,
            },
            Condition::AnyOf(all) => self.first_of(all, true),
            Condition::AllOf(all) => self.first_of(all, false),
        }
    }

    /// Whether one of them comes out so, else whether one cannot be told.
    fn first_of(&self, all: &[Condition], wanted: bool) -> Truth {
        let mut rest = Truth::from(!wanted);
        for condition in all {
            match (self.holds(condition), wanted) {
                (Truth::Yes, true) => return Truth::Yes,
                (Truth::No, false) => return Truth::No,
                (unknown @ Truth::Unknown(_), _) if !matches!(rest, Truth::Unknown(_)) => rest = unknown,
                _ => {}
            }
        }
        rest
    }

    fn is_member(&self, group: ObjectId) -> Truth {
        let read = match self.groups.0.get(&group) {
            None => return Truth::Unknown(format!("the members of group {group} were not read yet; sync")),
            Some(None) => {
                return Truth::Unknown(format!(
                    "the members of group {group} could not be read: the application lacks the permission \
                     (GroupMember.Read.All), or there is no such group"
                ));
            }
            Some(Some(read)) => *read,
        };
        match self.object.groups.get(&group) {
            Some((_, true)) => Truth::Yes,
            // A listing from before the object was there says nothing of it.
            told if self.object.alive_since.is_none_or(|since| since <= told.map_or(read, |(at, _)| read.max(*at))) => {
                Truth::No
            }
            _ => Truth::Unknown(format!("the members of group {group} were read before it was there; sync")),
        }
    }
}

/// How large rules are.
#[derive(Default)]
struct Measure {
    conditions: usize,
    depth: usize,
    text_bytes: usize,
    has_control: bool,
}

impl Measure {
    fn rule(&mut self, rule: &Rule) {
        rule.texts().into_iter().for_each(|text| self.text(text));
        self.condition(&rule.matches, 1);
        if let Some(exclude) = &rule.exclude {
            self.condition(exclude, 1);
        }
    }

    fn condition(&mut self, condition: &Condition, depth: usize) {
        self.conditions += 1;
        self.depth = self.depth.max(depth);
        match condition {
            Condition::Not(inner) => self.condition(inner, depth + 1),
            Condition::AnyOf(all) | Condition::AllOf(all) => {
                all.iter().for_each(|inner| self.condition(inner, depth + 1));
            }
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        // Its length stands before it, so that many empty texts are no way around the limit.
        self.text_bytes += text.len() + 2;
        self.has_control |= text.chars().any(char::is_control);
    }
}

/// Rules were applied: from this commit on they decide who is protected.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct MappingApplied {
    /// When.
    pub at: super::time::Instant,
    /// The rules; empty protects everyone.
    pub mapping: Mapping,
}

/// What is known, tenant-wide, of the mapping and of what its rules look at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MappingState {
    /// The commit that brought the rules in force; `None`: everyone is protected.
    pub applied: Option<Sequence>,
    /// Which groups' members were read, and when last.
    pub groups: GroupsRead,
    /// The attributes that the delta feed tells, because its first request asked for them.
    pub told: BTreeSet<Attribute>,
}

#[cfg(test)]
#[path = "mapping/tests.rs"]
mod tests;
