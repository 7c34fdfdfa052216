//! How people are called on a screen: by name where they have one, and by as little of the id as tells them apart.

use std::collections::BTreeSet;

use crate::domain::id::ObjectId;
use crate::domain::interval::Edge;
use crate::service::people::{HoldPart, PersonPart};

use super::output::{edge, word_of};

/// The fewest digits of an id that are shown.
const DIGITS_MIN: usize = 8;

/// The people of one answer.
pub struct Called<'a> {
    people: Vec<&'a PersonPart>,
    digits: usize,
}

impl<'a> Called<'a> {
    /// These people, and the objects that the answer names beside them.
    pub fn of(people: impl IntoIterator<Item = &'a PersonPart>, others: impl IntoIterator<Item = ObjectId>) -> Self {
        let people: Vec<&PersonPart> = people.into_iter().collect();
        let ids = people.iter().map(|person| person.object).chain(others).collect::<BTreeSet<_>>();
        let texts: Vec<String> = ids.iter().map(ToString::to_string).collect();
        let is_clear = |digits: &usize| {
            let heads: BTreeSet<String> = texts.iter().map(|text| text.chars().take(*digits).collect()).collect();
            heads.len() == texts.len()
        };
        Self { people, digits: (DIGITS_MIN..36).find(is_clear).unwrap_or(36) }
    }

    /// Someone in a few words: `sam@x.test [7e06b566]`.
    pub fn call(&self, object: ObjectId) -> String {
        // Whoever was never seen is not in the legend, so the full id stands here.
        let Some(person) = self.people.iter().find(|person| person.object == object) else {
            return format!("object {object}");
        };
        let short: String = object.to_string().chars().take(self.digits).collect();
        format!("{} [{short}]", person.called.as_deref().unwrap_or("(no name)"))
    }

    /// A reason with each full id of someone known replaced by what they are called.
    pub fn reword(&self, reason: &str) -> String {
        self.people.iter().fold(reason.to_owned(), |text, person| {
            let called = self.call(person.object);
            text.replace(&format!("object {}", person.object), &called)
        })
    }

    /// A sentence that names people with their full ids in brackets, with the short ones.
    pub fn reword_called(&self, sentence: &str) -> String {
        self.people.iter().fold(sentence.to_owned(), |text, person| match &person.called {
            Some(called) => text.replace(&format!("{called} (object {})", person.object), &self.call(person.object)),
            None => text,
        })
    }

    /// Who is who, with full ids.
    pub fn legend(&self) -> String {
        let mut lines = String::new();
        for person in &self.people {
            let called = person.called.as_deref().unwrap_or("(no name)");
            lines.push_str(&format!("    {called}: object {} ({})\n", person.object, word_of(&person.state)));
        }
        lines
    }
}

/// The names that someone held, a line each; what was held alike as user principal name and as address is one line.
pub fn holds(held: &[HoldPart]) -> String {
    let mut lines: Vec<(&HoldPart, Vec<String>)> = Vec::new();
    for hold in held {
        let is_alike = |known: &HoldPart| (&known.name, known.from, known.until) == (&hold.name, hold.from, hold.until);
        let kind = word_of(&hold.kind);
        match lines.iter_mut().find(|(known, _)| is_alike(known)) {
            Some((_, kinds)) => kinds.push(kind),
            None => lines.push((hold, vec![kind])),
        }
    }
    let say = |(hold, kinds): (&HoldPart, Vec<String>)| {
        format!("    {} ({}): {}\n", hold.name, kinds.join(", "), span(hold.from, hold.until))
    };
    lines.into_iter().map(say).collect()
}

/// When something began and ended, in words.
pub fn span(from: Edge, until: Option<Edge>) -> String {
    let until = until.map_or_else(|| "still held".to_owned(), |until| format!("ended {}", edge(until)));
    format!("began {}, {until}", edge(from))
}
