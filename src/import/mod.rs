//! Files from elsewhere become facts: another product's catalogue of snapshots, old exports of profiles, saved audit logs.
//!
//! A [`Reader`] gives one [`Entry`] after another and holds no more than one in memory: lines, table rows and profiles up to
//! [`ROW_BYTES_MAX`], audit events up to [`EVENT_BYTES_MAX`]. What is too long or cannot be read is told with its line and
//! why, and the reading goes on behind it. Nothing here knows the ledger.

mod audits;
mod fields;
mod json;
pub mod lines;
mod profiles;
mod snapshots;
pub(crate) mod split;
mod table;

use std::io::{self, BufRead, BufReader, Read};

use crate::domain::fact::Fact;
use crate::domain::name::NameKind;
use crate::domain::time::Instant;
pub use crate::graph::audits::Why;

pub use profiles::{PROFILE_WIDTH, SKEW_MAX};

use fields::{Key, Row};
use split::{Piece, Splitter};
use table::Table;

/// Longest line or row of snapshots and profiles, in bytes.
pub const ROW_BYTES_MAX: usize = 64 * 1024;
/// Longest audit event, in bytes.
pub const EVENT_BYTES_MAX: usize = 1024 * 1024;

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Another product's snapshots.
    Snapshots,
    /// Profiles of directory objects, from an old export.
    Profiles,
    /// Events of the directory's audit log, as Graph returns them.
    Audits,
}

/// One line, row or event of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The line on which it begins, from 1.
    pub line: u64,
    /// How many bytes it has.
    pub bytes: usize,
    /// What it says.
    pub said: Said,
}

/// What an entry says.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// Facts, at least one.
    Facts(Vec<Fact>),
    /// An audit event that says nothing about names or life.
    Nothing(Why),
    /// It cannot be read: what is wrong, where in it, and what to do.
    Fault(String),
}

/// Reads a file's entries.
pub struct Reader<R> {
    input: BufReader<Counted<R>>,
    what: What,
    now: Instant,
    kind: NameKind,
    form: Form,
    notes: Notes,
}

enum Form {
    /// JSON: values one a line, in lists, in pages as Graph returns them, printed over several lines or not.
    Json(Splitter),
    /// A table with a header line.
    Table(Table),
    /// No text in which anything could be found.
    Unreadable(&'static str),
    /// All was said.
    Ended,
}

/// What is worth telling once about a file that was read all the same.
#[derive(Clone, Debug, Default)]
struct Notes {
    unknown_columns: Vec<String>,
    without_proxies: u64,
    /// Rows over several lines, and the first of them.
    spread: Option<(u64, u64)>,
}

impl<R: Read> Reader<R> {
    /// A reader from the file's first byte on. What form it has is told by its content. `now` is the time after which
    /// nothing can have been observed.
    pub fn open(what: What, input: R, now: Instant) -> io::Result<Self> {
        let mut input = BufReader::with_capacity(64 * 1024, Counted { inner: input, count: 0 });
        let form = form(what, &mut input)?;
        Ok(Self { input, what, now, kind: NameKind::Any, form, notes: Notes::default() })
    }

    /// What the names of snapshots are meant as, where a line does not say it.
    #[must_use]
    pub fn with_kind(self, kind: NameKind) -> Self {
        Self { kind, ..self }
    }

    /// The next entry; `None` at the end.
    pub fn next_entry(&mut self) -> io::Result<Option<Entry>> {
        let terms = Terms { what: self.what, now: self.now, kind: self.kind };
        let (line, bytes, said) = match &mut self.form {
            Form::Ended => return Ok(None),
            Form::Unreadable(why) => {
                let why = (*why).to_owned();
                self.form = Form::Ended;
                (1, 0, Said::Fault(why))
            }
            Form::Json(splitter) => match splitter.next(&mut self.input)? {
                None => return Ok(None),
                Some(Piece::Fault { line, why }) => (line, 0, Said::Fault(why)),
                Some(Piece::Item { line }) => {
                    let item = splitter.item();
                    (line, item.len(), said_in_json(terms, item, &mut self.notes))
                }
            },
            Form::Table(table) => match table.next(&mut self.input)? {
                None => return Ok(None),
                Some((line, bytes, row)) => {
                    self.notes.unknown_columns.clone_from(&table.unknown);
                    self.notes.spread = table.spread;
                    let told = row.and_then(|row| fact_of(terms, &row, &mut self.notes));
                    (line, bytes, told.map_or_else(Said::Fault, |fact| Said::Facts(vec![fact])))
                }
            },
        };
        Ok(Some(Entry { line, bytes, said }))
    }

    /// How many bytes of the file were taken in.
    pub fn bytes(&self) -> u64 {
        self.input.get_ref().count
    }

    /// What is worth telling once about the file.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if !self.notes.unknown_columns.is_empty() {
            let known: Vec<&str> = keys(self.what).iter().map(|key| key.name).collect();
            notes.push(format!(
                "columns that mean nothing here were passed over: {} (known: {})",
                self.notes.unknown_columns.join(", "),
                known.join(", ")
            ));
        }
        if let Some((count, line)) = self.notes.spread {
            notes.push(format!(
                "{count} rows are spread over several lines by a quoted field, the first one from line {line} on; if that is \
                 not meant, a quote is missing there"
            ));
        }
        if self.notes.without_proxies > 0 {
            notes.push(format!(
                "{} profiles do not tell their proxies and count as holding no alias; if the export just left them out, \
                 add them",
                self.notes.without_proxies
            ));
        }
        notes
    }
}

/// Counts what is read through it.
struct Counted<R> {
    inner: R,
    count: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(into)?;
        self.count = self.count.saturating_add(read as u64);
        Ok(read)
    }
}

/// Tells the form by the first bytes, and steps over a byte order mark.
fn form<R: Read>(what: What, input: &mut BufReader<R>) -> io::Result<Form> {
    let start = input.fill_buf()?;
    if start.starts_with(&[0xff, 0xfe]) || start.starts_with(&[0xfe, 0xff]) {
        return Ok(Form::Unreadable("the file is UTF-16; save it as UTF-8"));
    }
    if start.contains(&0) {
        return Ok(Form::Unreadable("the file is no text: it holds zero bytes; give JSON lines or CSV in UTF-8"));
    }
    let mark: &[u8] = if start.starts_with(&[0xef, 0xbb, 0xbf]) { &[0xef, 0xbb, 0xbf] } else { &[] };
    let first = start.iter().skip(mark.len()).copied().find(|byte| !byte.is_ascii_whitespace());
    let length = mark.len();
    input.consume(length);
    let bytes_max = if what == What::Audits { EVENT_BYTES_MAX } else { ROW_BYTES_MAX };
    Ok(match (first, what) {
        (Some(b'{' | b'['), _) | (None, _) => Form::Json(Splitter::new(bytes_max, what == What::Audits)),
        (Some(_), What::Audits) => {
            Form::Unreadable("audit events are JSON, as Graph returns them; the file begins with something else")
        }
        (Some(_), _) => Form::Table(Table::new(keys(what))),
    })
}

fn keys(what: What) -> &'static [Key] {
    match what {
        What::Snapshots => snapshots::KEYS,
        What::Profiles => profiles::KEYS,
        What::Audits => &[],
    }
}

/// How lines are read.
#[derive(Clone, Copy)]
struct Terms {
    what: What,
    now: Instant,
    kind: NameKind,
}

fn said_in_json(terms: Terms, item: &[u8], notes: &mut Notes) -> Said {
    if terms.what == What::Audits {
        return audits::said(item, terms.now);
    }
    let told = json::row(item, keys(terms.what)).and_then(|row| fact_of(terms, &row, notes));
    told.map_or_else(Said::Fault, |fact| Said::Facts(vec![fact]))
}

fn fact_of(terms: Terms, row: &Row, notes: &mut Notes) -> Result<Fact, String> {
    let Terms { what, now, kind } = terms;
    match what {
        What::Profiles => {
            let fact = profiles::fact(row, now)?;
            notes.without_proxies += u64::from(!row.is_told("proxies") && matches!(fact, Fact::Seen(_)));
            Ok(fact)
        }
        What::Snapshots | What::Audits => snapshots::fact(row, now, kind),
    }
}

#[cfg(test)]
mod tests;
