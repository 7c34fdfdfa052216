//! The fields of one line, whichever form it came in, and how each is read.

use std::str::FromStr;

use crate::domain::time::Instant;

/// A field that a line may have.
#[derive(Debug)]
pub(super) struct Key {
    /// Its name.
    pub name: &'static str,
    /// Whether it may hold several values.
    pub is_list: bool,
}

impl Key {
    /// A field of one value.
    pub const fn text(name: &'static str) -> Self {
        Self { name, is_list: false }
    }

    /// A field of several values.
    pub const fn list(name: &'static str) -> Self {
        Self { name, is_list: true }
    }
}

/// What stands in a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    /// It is there and says that there is nothing: JSON's null, an empty cell.
    Nothing,
    /// One text.
    Text(String),
    /// Several.
    List(Vec<String>),
}

/// One line's fields.
#[derive(Debug)]
pub(super) struct Row {
    keys: &'static [Key],
    cells: Vec<Option<Cell>>,
}

impl Row {
    pub fn new(keys: &'static [Key]) -> Self {
        Self { keys, cells: keys.iter().map(|_| None).collect() }
    }

    /// Puts a value in; false if there is one already.
    pub fn put(&mut self, index: usize, cell: Cell) -> bool {
        match self.cells.get_mut(index) {
            Some(place @ None) => {
                *place = Some(cell);
                true
            }
            _ => false,
        }
    }

    /// Whether the line has the field, be it empty.
    pub fn is_told(&self, name: &str) -> bool {
        self.cell(name).is_some()
    }

    /// The text of a field, unless it is missing or empty.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.cell(name) {
            Some(Cell::Text(text)) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    /// A field's text as a value of its kind.
    pub fn parsed<T: FromStr<Err: std::fmt::Display>>(&self, name: &str) -> Result<Option<T>, String> {
        let parsed = self.text(name).map(str::parse).transpose();
        parsed.map_err(|error| format!("{name}: {error}"))
    }

    /// A field that must be there.
    pub fn needed<T: FromStr<Err: std::fmt::Display>>(&self, name: &str) -> Result<T, String> {
        self.parsed(name)?.ok_or_else(|| self.missing(name))
    }

    /// A time.
    pub fn time(&self, name: &str) -> Result<Option<Instant>, String> {
        self.text(name).map(|text| time(text).map_err(|why| format!("{name}: {why}"))).transpose()
    }

    /// A time that must be there.
    pub fn needed_time(&self, name: &str) -> Result<Instant, String> {
        self.time(name)?.ok_or_else(|| self.missing(name))
    }

    /// The texts of a list, or of one text that holds several.
    pub fn list(&self, name: &str) -> Result<Vec<String>, String> {
        match self.cell(name) {
            None | Some(Cell::Nothing) => Ok(Vec::new()),
            Some(Cell::List(texts)) => match texts.iter().find(|text| holds_several(text)) {
                Some(several) => Err(format!("{name}: {:?} is several addresses", shown(several))),
                None => Ok(texts.clone()),
            },
            Some(Cell::Text(text)) => addresses(text).map_err(|why| format!("{name}: {why}")),
        }
    }

    fn missing(&self, name: &str) -> String {
        let state = if self.is_told(name) { "empty" } else { "missing" };
        format!("{name} is {state}; a line needs it")
    }

    fn cell(&self, name: &str) -> Option<&Cell> {
        let index = self.keys.iter().position(|key| key.name == name)?;
        self.cells.get(index)?.as_ref()
    }
}

/// The known name most like this one, if any is.
pub(super) fn nearest(keys: &[Key], given: &str) -> Option<&'static str> {
    let given = given.to_ascii_lowercase();
    let scored = keys.iter().map(|key| (strsim::jaro_winkler(&given, key.name), key.name));
    scored.filter(|(score, _)| *score > 0.7).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, name)| name)
}

/// What is shown of a text that is refused.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(60).collect()
}

/// Whole instants only: without an offset nobody knows which one is meant, and a wrong guess would shift proofs by hours.
fn time(text: &str) -> Result<Instant, String> {
    const HOW: &str = "write it as RFC 3339, for example 2026-03-01T09:30:00Z or 2026-03-01T10:30:00+01:00";
    let given = shown(text);
    let Ok(at) = text.parse::<Instant>() else {
        return Err(match text.trim() {
            date if date.len() <= 10 && date.contains(['-', '/', '.']) && !date.contains(':') => {
                format!("{given:?} is a date without a time of day; {HOW}")
            }
            naive if Instant::parse_lenient(naive).is_ok() => {
                format!("{given:?} has no offset, so it is not known which instant it is; {HOW}")
            }
            _ => format!("{given:?} is no time; {HOW}"),
        });
    };
    if at.as_micros() <= 0 {
        return Err(format!("{given:?} lies before 1970, which stands for \"never\" in some products; {HOW}"));
    }
    Ok(at)
}

/// The addresses in one cell, separated by `;`, `|`, or a comma without a space. X400 and X500 addresses hold such marks
/// themselves: what follows them and is no address of its own belongs to them.
fn addresses(text: &str) -> Result<Vec<String>, String> {
    let mut found: Vec<String> = Vec::new();
    let mut rest = text;
    let mut mark = "";
    while !rest.is_empty() {
        let next = rest.char_indices().find(|(place, letter)| match letter {
            ';' | '|' => true,
            ',' => !rest.get(place + 1..).is_some_and(|after| after.starts_with(' ')),
            _ => false,
        });
        let end = next.map_or(rest.len(), |(place, _)| place);
        let part = rest.get(..end).unwrap_or_default();
        let follows = rest.get(end..end + 1).unwrap_or_default();
        rest = rest.get(end + follows.len()..).unwrap_or_default();
        let is_own = part.contains('@') || part.contains(':');
        match found.last_mut() {
            _ if part.trim().is_empty() => {}
            _ if is_own => found.push(part.trim().to_owned()),
            Some(before) if is_other(before) => {
                before.push_str(mark);
                before.push_str(part);
            }
            _ => return Err(format!("{:?} is no address", shown(part))),
        }
        mark = follows;
    }
    match found.iter().find(|entry| holds_several(entry)) {
        Some(several) => Err(format!("{:?} is several addresses; put ; between them", shown(several))),
        None => Ok(found),
    }
}

/// Whether what would be one SMTP address is several, with other marks between them. A quoted local part may hold anything.
fn holds_several(entry: &str) -> bool {
    !is_other(entry) && !entry.contains('"') && entry.matches('@').count() > 1
}

/// An address with a prefix other than SMTP's.
fn is_other(entry: &str) -> bool {
    entry.split_once(':').is_some_and(|(prefix, _)| !prefix.eq_ignore_ascii_case("smtp"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_needs_a_day_an_hour_and_an_offset() {
        assert_eq!(time("2026-03-01T10:30:00+01:00").unwrap(), "2026-03-01T09:30:00Z".parse().unwrap());
        for (text, said) in [
            ("2026-03-01", "is a date without a time of day"),
            ("01.03.2026", "is a date without a time of day"),
            ("3/1/2026", "is a date without a time of day"),
            ("2026-03-01T10:30:00", "has no offset"),
            ("2026-03-01 10:30:00", "has no offset"),
            ("0001-01-01T00:00:00Z", "before 1970"),
            ("yesterday", "is no time"),
            ("2026-02-30T00:00:00Z", "is no time"),
        ] {
            let why = time(text).unwrap_err();
            assert!(why.contains(said) && why.contains("RFC 3339"), "{text}: {why}");
        }
    }

    #[test]
    fn one_cell_holds_several_addresses_and_x400_stays_whole() {
        for (cell, expected) in [
            ("SMTP:a@x;smtp:b@x", vec!["SMTP:a@x", "smtp:b@x"]),
            ("SMTP:a@x|smtp:b@x|", vec!["SMTP:a@x", "smtp:b@x"]),
            ("SMTP:a@x,b@x", vec!["SMTP:a@x", "b@x"]),
            ("smtp:a@x;X400:C=US;A= ;P=Org;S=Ann;smtp:b@x", vec!["smtp:a@x", "X400:C=US;A= ;P=Org;S=Ann", "smtp:b@x"]),
            ("X500:/o=Org, Inc/cn=a", vec!["X500:/o=Org, Inc/cn=a"]),
            ("", vec![]),
            (" ; ", vec![]),
        ] {
            assert_eq!(addresses(cell).unwrap(), expected, "{cell}");
        }
        assert!(addresses("smtp:a@x;ann").is_err());
        for several in ["SMTP:ann@x.test, smtp:b@x.test", "SMTP:ann@x.test smtp:b@x.test", "ann@x.test+b@x.test"] {
            assert!(addresses(several).unwrap_err().contains("several addresses"), "{several}");
        }
        assert!(addresses("none").is_err());
    }
}
