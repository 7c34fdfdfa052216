//! CSV, as spreadsheets and scripts write it: a header line; commas, semicolons or tabs; quoted fields; any line ends.

use std::io::{self, BufRead};

use super::ROW_BYTES_MAX;
use super::fields::{Cell, Key, Row, nearest, shown};
use super::lines::{Line, read_line};

/// Over how many lines one row may be spread. A quote that is never closed would otherwise swallow the file.
const ROW_LINES_MAX: u64 = 100;

/// Reads the rows of a table.
pub(super) struct Table {
    keys: &'static [Key],
    line: u64,
    header: Option<Header>,
    is_over: bool,
    record: Vec<u8>,
    fields: Vec<Field>,
    /// Columns that mean nothing here.
    pub unknown: Vec<String>,
}

struct Header {
    delimiter: u8,
    /// Which key each column is.
    columns: Vec<Option<usize>>,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Field {
    bytes: Vec<u8>,
    is_quoted: bool,
}

/// Where a row stopped.
#[derive(Debug, PartialEq, Eq)]
enum Stop {
    /// Inside quotes: the row goes on in the next line.
    Open,
    /// At what is no CSV.
    Fault(String),
}

/// A row's first line, how many bytes it has, and its fields or what is wrong with it.
type Told = (u64, usize, Result<Row, String>);

impl Table {
    pub fn new(keys: &'static [Key]) -> Self {
        let (record, fields, unknown) = (Vec::new(), Vec::new(), Vec::new());
        Self { keys, line: 0, header: None, is_over: false, record, fields, unknown }
    }

    /// The next row; `None` at the end.
    pub fn next(&mut self, input: &mut dyn BufRead) -> io::Result<Option<Told>> {
        if self.header.is_none() && !self.is_over {
            match self.read_header(input)? {
                Ok(header) => self.header = Some(header),
                Err(why) => {
                    self.is_over = true;
                    return Ok(Some((self.line.max(1), 0, Err(why))));
                }
            }
        }
        let Some(header) = &self.header else { return Ok(None) };
        let (delimiter, width) = (header.delimiter, header.columns.len());
        loop {
            let Some((line, parsed)) = self.record(input, delimiter)? else { return Ok(None) };
            if let Err(why) = parsed {
                return Ok(Some((line, self.record.len(), Err(why))));
            }
            // Spreadsheets leave rows of nothing but separators behind.
            if self.fields.iter().all(|field| field.bytes.is_empty()) {
                continue;
            }
            let row = if self.fields.len() == width { self.row() } else { Err(self.uneven(width)) };
            return Ok(Some((line, self.record.len(), row)));
        }
    }

    fn read_header(&mut self, input: &mut dyn BufRead) -> io::Result<Result<Header, String>> {
        let mut delimiter = None;
        loop {
            match read_line(input, ROW_BYTES_MAX, &mut self.record)? {
                Line::End => return Ok(Err("the table has no header line".to_owned())),
                Line::TooLong => {
                    self.line += 1;
                    return Ok(Err(format!("the header line is longer than {ROW_BYTES_MAX} bytes; is this a table?")));
                }
                Line::Whole => self.line += 1,
            }
            match self.record.trim_ascii() {
                [] => {}
                // Excel's own way to say which separator follows.
                [b's' | b'S', b'e' | b'E', b'p' | b'P', b'=', mark] if delimiter.is_none() => delimiter = Some(*mark),
                _ => break,
            }
        }
        let delimiter = delimiter.unwrap_or_else(|| likely_delimiter(&self.record));
        Ok(match parse(&self.record, delimiter, &mut self.fields) {
            Ok(()) => self.columns().map(|columns| Header { delimiter, columns }),
            Err(Stop::Open) => Err("the header line has a quote that is not closed; mend it".to_owned()),
            Err(Stop::Fault(why)) => Err(format!("the header line: {why}")),
        })
    }

    fn columns(&mut self) -> Result<Vec<Option<usize>>, String> {
        let mut columns = Vec::new();
        for field in &self.fields {
            let name = std::str::from_utf8(&field.bytes).map_err(|_| NOT_TEXT.to_owned())?.trim();
            let index = self.keys.iter().position(|key| key.name.eq_ignore_ascii_case(name));
            if index.is_some() && columns.contains(&index) {
                return Err(format!("the header has the column {name} twice; keep one"));
            }
            if index.is_none() {
                self.unknown.push(match nearest(self.keys, name) {
                    Some(meant) => format!("{} (did you mean {meant}?)", shown(name)),
                    None => format!("{:?}", shown(name)),
                });
            }
            columns.push(index);
        }
        let has = |name: &str| {
            let index = self.keys.iter().position(|key| key.name == name);
            index.is_none() || columns.contains(&index)
        };
        let needed = ["chain", "snapshot", "from", "until", "observed_at"];
        let mut missing: Vec<&str> = needed.into_iter().filter(|name| !has(name)).collect();
        if !has("object") && !self.keys.iter().any(|key| key.name == "name") {
            missing.push("object");
        } else if !has("object") && !has("name") {
            missing.push("name or object");
        }
        if missing.is_empty() {
            return Ok(columns);
        }
        let known: Vec<&str> = self.keys.iter().map(|key| key.name).collect();
        Err(format!(
            "the header line lacks {}; name the columns {} in its first line, or give JSON lines",
            missing.join(", "),
            known.join(", ")
        ))
    }

    /// Reads one row, over several lines if a quoted field is.
    fn record(&mut self, input: &mut dyn BufRead, delimiter: u8) -> io::Result<Option<(u64, Result<(), String>)>> {
        self.record.clear();
        let first = self.line + 1;
        let mut line = Vec::new();
        loop {
            let kind = read_line(input, ROW_BYTES_MAX, &mut line)?;
            if kind == Line::End {
                let unclosed = "a quote opened in it is never closed; mend it".to_owned();
                return Ok((self.line >= first).then_some((first, Err(unclosed))));
            }
            self.line += 1;
            if !self.record.is_empty() {
                self.record.push(b'\n');
            }
            self.record.append(&mut line);
            if kind == Line::TooLong || self.record.len() > ROW_BYTES_MAX {
                return Ok(Some((first, Err(format!("it is longer than {ROW_BYTES_MAX} bytes")))));
            }
            match parse(&self.record, delimiter, &mut self.fields) {
                Ok(()) => return Ok(Some((first, Ok(())))),
                Err(Stop::Fault(why)) => return Ok(Some((first, Err(why)))),
                Err(Stop::Open) if self.line - first >= ROW_LINES_MAX => {
                    let why = format!("a quote opened in it is not closed within {ROW_LINES_MAX} lines; mend it");
                    return Ok(Some((first, Err(why))));
                }
                Err(Stop::Open) => {}
            }
        }
    }

    fn row(&mut self) -> Result<Row, String> {
        let mut row = Row::new(self.keys);
        let columns = self.header.as_ref().map_or(&[][..], |header| header.columns.as_slice());
        for (field, index) in self.fields.iter().zip(columns) {
            let Some(index) = *index else { continue };
            let text = std::str::from_utf8(&field.bytes).map_err(|_| NOT_TEXT.to_owned())?;
            let text = if field.is_quoted { text } else { text.trim() };
            let cell = if text.is_empty() { Cell::Nothing } else { Cell::Text(text.to_owned()) };
            row.put(index, cell);
        }
        Ok(row)
    }

    fn uneven(&self, width: usize) -> String {
        let has = self.fields.len();
        format!("it has {has} fields where the header has {width}; quote a field that holds the separator")
    }
}

const NOT_TEXT: &str = "it is not UTF-8 text; save the file as UTF-8";

/// The separator that stands most often in the header line, outside quotes.
fn likely_delimiter(header: &[u8]) -> u8 {
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0)];
    let mut is_quoted = false;
    for byte in header {
        is_quoted ^= *byte == b'"';
        for (mark, count) in counts.iter_mut().filter(|_| !is_quoted) {
            *count += usize::from(mark == byte);
        }
    }
    // Of equals the first one counts.
    counts.iter().rev().max_by_key(|(_, count)| *count).map_or(b',', |(mark, _)| *mark)
}

/// Splits a row into its fields. A quote opens only at a field's beginning, and doubled it stands for itself.
fn parse(record: &[u8], delimiter: u8, fields: &mut Vec<Field>) -> Result<(), Stop> {
    fields.clear();
    let record = record.strip_suffix(b"\r").unwrap_or(record);
    let mut bytes = record.iter().copied().peekable();
    loop {
        let mut field = Field::default();
        if bytes.next_if_eq(&b'"').is_some() {
            field.is_quoted = true;
            loop {
                match bytes.next() {
                    None => return Err(Stop::Open),
                    Some(b'"') if bytes.next_if_eq(&b'"').is_none() => break,
                    Some(byte) => field.bytes.push(byte),
                }
            }
            while delimiter != b' ' && bytes.next_if_eq(&b' ').is_some() {}
            if bytes.peek().is_some_and(|byte| *byte != delimiter) {
                let place = fields.len() + 1;
                return Err(Stop::Fault(format!(
                    "field {place} goes on after its closing quote; double a quote that stands for itself"
                )));
            }
        } else {
            while let Some(byte) = bytes.next_if(|byte| *byte != delimiter) {
                field.bytes.push(byte);
            }
        }
        fields.push(field);
        if bytes.next().is_none() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(record: &str, delimiter: u8) -> Result<Vec<String>, Stop> {
        let mut fields = Vec::new();
        parse(record.as_bytes(), delimiter, &mut fields)?;
        Ok(fields.into_iter().map(|field| String::from_utf8(field.bytes).unwrap()).collect())
    }

    #[test]
    fn fields_are_split_and_quotes_read() {
        for (record, expected) in [
            ("a,b,c\r", vec!["a", "b", "c"]),
            ("", vec![""]),
            (",", vec!["", ""]),
            ("\"a,b\",\"say \"\"hi\"\"\",\"\"", vec!["a,b", "say \"hi\"", ""]),
            ("O\"Brien,x", vec!["O\"Brien", "x"]),
            ("\"a\" ,b", vec!["a", "b"]),
            ("\"two\nlines\",b", vec!["two\nlines", "b"]),
        ] {
            assert_eq!(split(record, b',').unwrap(), expected, "{record:?}");
        }
        assert_eq!(split("a;\"b;c\";d", b';').unwrap(), ["a", "b;c", "d"]);
        assert_eq!(split("\"a", b','), Err(Stop::Open));
        assert!(matches!(split("\"a\"b,c", b','), Err(Stop::Fault(_))));
    }

    #[test]
    fn the_separator_is_told_by_the_header() {
        assert_eq!(likely_delimiter(b"chain;snapshot;from"), b';');
        assert_eq!(likely_delimiter(b"chain\tsnapshot"), b'\t');
        assert_eq!(likely_delimiter(b"chain,snapshot"), b',');
        assert_eq!(likely_delimiter(b"\"a;b;c\",d"), b',');
        assert_eq!(likely_delimiter(b"chain"), b',');
    }
}
