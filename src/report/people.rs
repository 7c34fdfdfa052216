//! The people of a report: a letter and a colour for each, always the same for the same content.

use std::collections::BTreeMap;

use super::content::{ObjectRow, Report};
use super::text::{cut, short};
use crate::domain::id::ObjectId;
use crate::domain::time::Instant;

/// How many colours there are. Beyond them colours come again; letters do not.
pub const COLOURS: usize = 7;

/// The people of a report, in order.
#[derive(Clone, Debug, Default)]
pub struct People {
    order: Vec<ObjectId>,
    places: BTreeMap<ObjectId, Person>,
}

/// How a person is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Whose.
    pub object: ObjectId,
    /// The place in the order, from 0.
    pub place: usize,
    /// `A`, `B`, …, `Z`, `AA`, …
    pub letter: String,
    /// The class that carries the colour.
    pub class: String,
    /// The newest name, or the first digits of the id.
    pub label: String,
}

impl People {
    /// Everyone whom the report names: first those whose data the chains hold, in order of their snapshots, then the
    /// holders of names in order of time.
    pub fn of(report: &Report) -> Self {
        let mut people = Self::default();
        for row in report.snapshots() {
            people.add(report, row.owner);
        }
        let mut rows: Vec<&ObjectRow> = report.objects.iter().collect();
        rows.sort_by_key(|row| (begun(row), row.object));
        for row in rows {
            people.add(report, Some(row.object));
        }
        for row in report.snapshots() {
            row.candidates.iter().for_each(|object| people.add(report, Some(*object)));
        }
        people
    }

    /// How an object is shown; `None` if the report does not know it.
    pub fn get(&self, object: ObjectId) -> Option<&Person> {
        self.places.get(&object)
    }

    /// Everyone, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Person> {
        self.order.iter().filter_map(|object| self.places.get(object))
    }

    /// A person in a sentence: `sam@x.test (A)`.
    pub fn called(&self, object: ObjectId) -> String {
        match self.get(object) {
            Some(person) => format!("{} ({})", person.label, person.letter),
            None => format!("object {}", short(object)),
        }
    }

    /// The letter of an object, `?` if the report does not know it.
    pub fn letter(&self, object: ObjectId) -> &str {
        self.get(object).map_or("?", |person| &person.letter)
    }

    fn add(&mut self, report: &Report, object: Option<ObjectId>) {
        let Some(object) = object.filter(|object| !self.places.contains_key(object)) else { return };
        let place = self.order.len();
        let label = report.object(object).and_then(|row| row.label.clone());
        let label = label.map_or_else(|| format!("object {}", short(object)), |label| cut(&label, 64));
        let class = format!("p{}", place % COLOURS);
        self.order.push(object);
        self.places.insert(object, Person { object, place, letter: letter(place), class, label });
    }
}

/// When an object's first name began, as far as known.
fn begun(row: &ObjectRow) -> Instant {
    let begins = row.names.iter().filter_map(|name| name.from.by());
    begins.min().unwrap_or(Instant::MAX)
}

/// `A` to `Z`, then `AA`, `AB`, …
fn letter(place: usize) -> String {
    let mut letters = Vec::new();
    let mut rest = place;
    loop {
        letters.push(char::from(b'A' + u8::try_from(rest % 26).unwrap_or(0)));
        if rest < 26 {
            break;
        }
        rest = rest / 26 - 1;
    }
    letters.iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::letter;

    #[test]
    fn letters_go_on_after_z() {
        let letters: Vec<String> = [0, 1, 25, 26, 27, 51, 52, 701, 702].map(letter).into();
        assert_eq!(letters, ["A", "B", "Z", "AA", "AB", "AZ", "BA", "ZZ", "AAA"]);
    }
}
