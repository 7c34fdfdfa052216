//! Expectations, and how an answer is held against them.
//!
//! An answer is the JSON that the product gives to everyone. An expectation names a place in it and what must stand there,
//! in the words of the file; objects and mailboxes have the file's names.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use crate::domain::time::Instant;

/// One expectation of a question's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// As the file says it.
    pub text: String,
    /// The line where it stands.
    pub line: usize,
    /// What must hold.
    pub test: Test,
}

/// What must hold of an answer. Places are JSON pointers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// This stands there.
    Is(&'static str, Want),
    /// A list, or its one text, has these words in an entry.
    Says(&'static str, String),
    /// It has them in none.
    SaysNot(&'static str, String),
    /// A list has such an entry.
    Has(&'static str, Row),
    /// Such an entry, and besides those named so the list has no others.
    HasOnly(&'static str, Row),
    /// A list has no such entry.
    HasNot(&'static str, Row),
    /// A list has so many entries.
    Count(&'static str, u64),
    /// A list is empty.
    Empty(&'static str),
    /// It was refused with these words.
    Refused(String),
}

/// What must stand in an entry of a list: places within it.
pub type Row = Vec<(&'static str, Want)>;

/// A value that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Want {
    /// `null`.
    Nothing,
    /// A text or a word.
    Word(String),
    /// An object by the file's name.
    Object(String),
    /// A mailbox by the file's name.
    Mailbox(String),
    /// A tenant by the file's name.
    Tenant(String),
    /// The path that opens an object.
    Open(String),
    /// Exactly these objects, in any order; entries may carry them as `object`.
    Objects(BTreeSet<String>),
    /// Exactly these texts, in this order.
    Words(Vec<String>),
    /// A number.
    Number(u64),
    /// Yes or no.
    Flag(bool),
    /// An instant.
    Time(Instant),
    /// When something began or ended.
    Edge(Option<Instant>, Option<Instant>),
    /// A text with these words in it.
    Contains(String),
}

/// The file's names of objects and mailboxes, both ways.
#[derive(Clone, Debug, Default)]
pub struct Names {
    ids: BTreeMap<String, String>,
    symbols: BTreeMap<String, String>,
}

/// An answer, or the words with which it was refused.
pub type Answer = Result<Value, String>;

impl Names {
    /// Gives an id a name.
    pub fn learn(&mut self, symbol: &str, id: String) {
        self.symbols.insert(id.clone(), symbol.to_owned());
        self.ids.insert(symbol.to_owned(), id);
    }

    /// Gives a tenant a name, which an object may have as well.
    pub fn learn_tenant(&mut self, name: &str, id: String) {
        self.symbols.insert(id.clone(), name.to_owned());
        self.ids.insert(tenant_key(name), id);
    }

    /// The id of a name.
    pub fn id(&self, symbol: &str) -> Option<&str> {
        self.ids.get(symbol).map(String::as_str)
    }

    /// The text with the file's names in place of ids.
    pub fn spoken(&self, text: &str) -> String {
        let mut rest = text;
        let mut said = String::with_capacity(text.len());
        while let Some(first) = rest.chars().next() {
            // An id is 36 ASCII characters; a window that falls within a character is none.
            let known = rest.split_at_checked(36).and_then(|(window, tail)| Some((self.symbols.get(window)?, tail)));
            match known {
                Some((symbol, tail)) => {
                    said.push_str(symbol);
                    rest = tail;
                }
                None => {
                    said.push(first);
                    rest = rest.get(first.len_utf8()..).unwrap_or_default();
                }
            }
        }
        said
    }
}

impl Check {
    /// What is there instead, if it is not what is expected. `all` are the question's expectations.
    pub fn differs(&self, answer: &Answer, all: &[Self], names: &Names) -> Option<String> {
        let value = match (answer, &self.test) {
            (Err(why), Test::Refused(words)) => {
                return (!names.spoken(why).contains(words)).then(|| format!("refused \"{}\"", names.spoken(why)));
            }
            (Err(why), _) => return Some(format!("refused \"{}\"", names.spoken(why))),
            (Ok(_), Test::Refused(_)) => return Some("it was not refused".to_owned()),
            (Ok(value), _) => value,
        };
        let nothing = Value::Null;
        let at = |place: &str| value.pointer(place).unwrap_or(&nothing);
        match &self.test {
            Test::Is(place, want) => {
                let found = at(place);
                (!want.fits(found, names)).then(|| show(found, names))
            }
            Test::Says(place, words) => (!is_said(at(place), words, names)).then(|| show(at(place), names)),
            Test::SaysNot(place, words) => is_said(at(place), words, names).then(|| show(at(place), names)),
            Test::Has(place, row) => {
                (!rows(at(place)).any(|entry| fits(entry, row, names))).then(|| show(at(place), names))
            }
            Test::HasNot(place, row) => {
                rows(at(place)).any(|entry| fits(entry, row, names)).then(|| show(at(place), names))
            }
            Test::HasOnly(place, row) => {
                let named: Vec<&Row> = all.iter().filter_map(|check| check.test.only(place)).collect();
                let others = rows(at(place)).any(|entry| !named.iter().any(|row| fits(entry, row, names)));
                let here = rows(at(place)).any(|entry| fits(entry, row, names));
                (!here || others || rows(at(place)).count() != named.len()).then(|| show(at(place), names))
            }
            Test::Count(place, count) => {
                let found = rows(at(place)).count();
                (found as u64 != *count).then(|| found.to_string())
            }
            Test::Empty(place) => (rows(at(place)).next().is_some()).then(|| show(at(place), names)),
            Test::Refused(_) => None,
        }
    }
}

impl Test {
    fn only(&self, wanted: &str) -> Option<&Row> {
        match self {
            Self::HasOnly(place, row) if *place == wanted => Some(row),
            _ => None,
        }
    }
}

impl Want {
    fn fits(&self, found: &Value, names: &Names) -> bool {
        let is_text = |wanted: &str| found.as_str() == Some(wanted);
        match self {
            Self::Nothing => found.is_null(),
            Self::Word(word) => is_text(word),
            Self::Object(symbol) | Self::Mailbox(symbol) => names.id(symbol).is_some_and(is_text),
            Self::Tenant(name) => names.id(&tenant_key(name)).is_some_and(is_text),
            Self::Open(symbol) => names.id(symbol).is_some_and(|id| is_text(&format!("/users/{id}"))),
            Self::Objects(symbols) => {
                let found: Option<BTreeSet<&str>> =
                    rows(found).map(|entry| entry.get("object").unwrap_or(entry).as_str()).collect();
                let wanted: Option<BTreeSet<&str>> = symbols.iter().map(|symbol| names.id(symbol)).collect();
                found.is_some() && found == wanted
            }
            Self::Words(words) => {
                let found: Option<Vec<&str>> = rows(found).map(Value::as_str).collect();
                found.is_some_and(|found| found.iter().eq(words.iter()))
            }
            Self::Number(number) => found.as_u64() == Some(*number),
            Self::Flag(flag) => found.as_bool() == Some(*flag),
            Self::Time(at) => instant(found) == Some(*at),
            Self::Edge(after, by) => {
                let bound = |key: &str| found.get(key).filter(|bound| !bound.is_null()).map(instant);
                found.is_object() && bound("after") == after.map(Some) && bound("by") == by.map(Some)
            }
            Self::Contains(words) => found.as_str().is_some_and(|text| names.spoken(text).contains(words)),
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A value in the words of the file.
pub fn show(value: &Value, names: &Names) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => names.spoken(text),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) => items.iter().map(|item| show(item, names)).collect::<Vec<_>>().join("; "),
        Value::Object(fields) if fields.len() == 2 && fields.contains_key("after") && fields.contains_key("by") => {
            let bound = |key: &str| fields.get(key).and_then(Value::as_str);
            match (bound("after"), bound("by")) {
                (Some(after), Some(by)) if after == by => format!("at {after}"),
                (after, by) => {
                    let after = after.map(|at| format!("after {at}"));
                    let by = by.map(|at| format!("by {at}"));
                    let both: Vec<String> = [after, by].into_iter().flatten().collect();
                    if both.is_empty() { "at an unknown time".to_owned() } else { both.join(" ") }
                }
            }
        }
        Value::Object(fields) => fields
            .iter()
            // What nobody can name in an expectation only hides the rest.
            .filter(|(key, value)| !value.is_null() && !matches!(key.as_str(), "evidence" | "basis" | "held"))
            .map(|(key, value)| format!("{key} {}", show(value, names)))
            .collect::<Vec<_>>()
            .join(" "),
        other => other.to_string(),
    }
}

/// No object or mailbox of a file has a name with a colon.
fn tenant_key(name: &str) -> String {
    format!("tenant:{name}")
}

fn rows(list: &Value) -> std::slice::Iter<'_, Value> {
    list.as_array().map(Vec::as_slice).unwrap_or_default().iter()
}

fn fits(entry: &Value, row: &Row, names: &Names) -> bool {
    let nothing = Value::Null;
    row.iter().all(|(place, want)| want.fits(entry.pointer(place).unwrap_or(&nothing), names))
}

fn is_said(value: &Value, words: &str, names: &Names) -> bool {
    match value {
        Value::String(text) => names.spoken(text).contains(words),
        Value::Array(items) => items.iter().any(|item| is_said(item, words, names)),
        Value::Object(fields) => fields.iter().any(|(key, value)| {
            let whole = value.as_str().map(|text| format!("{key} {}", names.spoken(text)));
            whole.is_some_and(|whole| whole.contains(words)) || is_said(value, words, names)
        }),
        _ => false,
    }
}

fn instant(value: &Value) -> Option<Instant> {
    value.as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const A: &str = "00000000-0000-4000-8000-00000000000a";
    const B: &str = "00000000-0000-4000-8000-00000000000b";

    fn names() -> Names {
        let mut names = Names::default();
        names.learn("A", A.to_owned());
        names.learn("B", B.to_owned());
        names
    }

    fn differs(test: Test, answer: Value) -> Option<String> {
        let check = Check { text: String::new(), line: 1, test };
        check.differs(&Ok(answer), std::slice::from_ref(&check), &names())
    }

    #[test]
    fn ids_are_spoken_by_the_names_of_the_file_wherever_they_stand() {
        assert_eq!(names().spoken(&format!("from {A} to {B}!")), "from A to B!");
        assert_eq!(
            names().spoken(&format!("ßéß {A}, ünd so weiter und so fort, länger als eine Kennung")).split(',').next(),
            Some("ßéß A")
        );
        assert_eq!(names().spoken("short"), "short");
    }

    #[test]
    fn a_value_fits_or_what_is_there_is_told() {
        let answer =
            json!({"object": A, "open": format!("/users/{A}"), "edge": {"after": null, "by": "2026-03-02T10:00:00Z"}});
        assert_eq!(differs(Test::Is("/object", Want::Object("A".into())), answer.clone()), None);
        assert_eq!(differs(Test::Is("/object", Want::Object("B".into())), answer.clone()), Some("A".into()));
        assert_eq!(differs(Test::Is("/object", Want::Object("C".into())), answer.clone()), Some("A".into()));
        assert_eq!(differs(Test::Is("/open", Want::Open("A".into())), answer.clone()), None);
        let by = "2026-03-02T10:00:00Z".parse().ok();
        assert_eq!(differs(Test::Is("/edge", Want::Edge(None, by)), answer.clone()), None);
        let differing = differs(Test::Is("/edge", Want::Edge(by, by)), answer.clone());
        assert_eq!(differing, Some("by 2026-03-02T10:00:00Z".into()));
        assert_eq!(differs(Test::Is("/nowhere", Want::Nothing), answer), None);
    }

    #[test]
    fn a_list_that_is_named_in_full_may_have_nothing_else() {
        let answer = json!({"instead": [{"object": A, "action": "incremental"}, {"object": B, "action": "full"}]});
        let row = |symbol: &str, action: &str| -> Row {
            vec![("/object", Want::Object(symbol.into())), ("/action", Want::Word(action.into()))]
        };
        let only = |symbol: &str, action: &str| Check {
            text: String::new(),
            line: 1,
            test: Test::HasOnly("/instead", row(symbol, action)),
        };
        let both = [only("A", "incremental"), only("B", "full")];
        assert!(both.iter().all(|check| check.differs(&Ok(answer.clone()), &both, &names()).is_none()));
        let one = [only("A", "incremental")];
        assert!(one[0].differs(&Ok(answer.clone()), &one, &names()).is_some());
        assert_eq!(differs(Test::Has("/instead", row("B", "full")), answer.clone()), None);
        assert!(differs(Test::HasNot("/instead", row("B", "full")), answer).is_some());
    }

    #[test]
    fn a_refusal_meets_only_the_expectation_of_one() {
        let check = |test| Check { text: String::new(), line: 1, test };
        let refused: Answer = Err(format!("object {A} is busy"));
        let expected = check(Test::Refused("object A".into()));
        assert_eq!(expected.differs(&refused, &[], &names()), None);
        assert!(expected.differs(&Ok(json!({})), &[], &names()).is_some());
        assert!(check(Test::Empty("/x")).differs(&refused, &[], &names()).is_some());
    }
}
