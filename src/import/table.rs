//! CSV, as spreadsheets and scripts write it: a header line; commas, semicolons or tabs; quoted fields; lines that end in a line
//! feed, with or without a carriage return before it.
//!
//! What a stray quote spoils is one line: if a row over several lines turns out to be none, only its first line is a fault, and
//! the reading goes on with the second. That costs no more than reading twice: a line that opens a quote and leaves it open
//! has an odd number of quotes, and so it ends any row that it is looked at for.

use std::collections::VecDeque;
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
    /// Lines that were read ahead for a row which was none.
    ahead: VecDeque<(Line, Vec<u8>)>,
    splitter: Splitter,
    /// How many rows are spread over several lines, and the first such line.
    pub spread: Option<(u64, u64)>,
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

/// A row as it stands in the file.
struct Record {
    /// Its first line.
    line: u64,
    bytes: usize,
    parsed: Result<(), String>,
}

/// A row's first line, how many bytes it has, and its fields or what is wrong with it.
type Told = (u64, usize, Result<Row, String>);

impl Table {
    pub fn new(keys: &'static [Key]) -> Self {
        let (ahead, splitter, unknown) = (VecDeque::new(), Splitter::default(), Vec::new());
        Self { keys, line: 0, header: None, is_over: false, ahead, splitter, spread: None, unknown }
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
            let Some(Record { line, bytes, parsed }) = self.record(input, delimiter, width)? else { return Ok(None) };
            if let Err(why) = parsed {
                return Ok(Some((line, bytes, Err(why))));
            }
            // Spreadsheets leave rows of nothing but separators behind.
            if self.splitter.fields.iter().all(|field| field.bytes.is_empty()) {
                continue;
            }
            return Ok(Some((line, bytes, self.row())));
        }
    }

    fn read_header(&mut self, input: &mut dyn BufRead) -> io::Result<Result<Header, String>> {
        let mut delimiter = None;
        let mut text = Vec::new();
        loop {
            let kind = read_line(input, ROW_BYTES_MAX, &mut text)?;
            self.line += u64::from(kind != Line::End);
            // Outside quotes, too, a carriage return stands at a line's end only.
            if kind != Line::End && text.trim_ascii().contains(&b'\r') {
                return Ok(Err(LONE_RETURNS.to_owned()));
            }
            match kind {
                Line::End => return Ok(Err("the table has no header line".to_owned())),
                Line::TooLong => {
                    return Ok(Err(format!("the header line is longer than {ROW_BYTES_MAX} bytes; is this a table?")));
                }
                Line::Whole => {}
            }
            match text.trim_ascii() {
                [] => {}
                // Excel's own way to say which separator follows.
                [b's' | b'S', b'e' | b'E', b'p' | b'P', b'=', mark] if delimiter.is_none() => delimiter = Some(*mark),
                _ => break,
            }
        }
        let delimiter = delimiter.unwrap_or_else(|| likely_delimiter(&text));
        Ok(match self.splitter.first(&text, delimiter) {
            Ok(()) => self.columns().map(|columns| Header { delimiter, columns }),
            Err(Stop::Open) => Err("the header line has a quote that is not closed; mend it".to_owned()),
            Err(Stop::Fault(why)) => Err(format!("the header line: {why}")),
        })
    }

    fn columns(&mut self) -> Result<Vec<Option<usize>>, String> {
        let mut columns = Vec::new();
        for field in &self.splitter.fields {
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

    fn line(&mut self, input: &mut dyn BufRead) -> io::Result<(Line, Vec<u8>)> {
        if let Some(read) = self.ahead.pop_front() {
            return Ok(read);
        }
        let mut text = Vec::new();
        let kind = read_line(input, ROW_BYTES_MAX, &mut text)?;
        Ok((kind, text))
    }

    /// Reads one row, over several lines if a quoted field is. The fields of one that can be read are in the splitter.
    fn record(&mut self, input: &mut dyn BufRead, delimiter: u8, width: usize) -> io::Result<Option<Record>> {
        let line = self.line + 1;
        let (kind, first) = self.line(input)?;
        if kind == Line::End {
            return Ok(None);
        }
        self.line = line;
        let mut bytes = first.len();
        let long = || Err(format!("it is longer than {ROW_BYTES_MAX} bytes"));
        if kind == Line::TooLong {
            return Ok(Some(Record { line, bytes, parsed: long() }));
        }
        let mut parsed = self.splitter.first(&first, delimiter);
        let mut others = Vec::new();
        while parsed == Err(Stop::Open) {
            let (kind, text) = self.line(input)?;
            if kind == Line::End {
                return Ok(Some(self.stray(line, first.len(), others, "never closed")));
            }
            bytes += text.len() + 1;
            if kind == Line::Whole && bytes <= ROW_BYTES_MAX && (others.len() as u64) < ROW_LINES_MAX {
                parsed = self.splitter.further(&text, delimiter);
                others.push((kind, text));
            } else {
                others.push((kind, text));
                let why = format!("not closed within {ROW_LINES_MAX} lines and {ROW_BYTES_MAX} bytes");
                return Ok(Some(self.stray(line, first.len(), others, &why)));
            }
        }
        let has = self.splitter.fields.len();
        let is_blank = self.splitter.fields.iter().all(|field| field.bytes.is_empty());
        let parsed = match parsed {
            Ok(()) if has == width || is_blank => Ok(()),
            Ok(()) => {
                Err(format!("it has {has} fields where the header has {width}; quote a field that holds the separator"))
            }
            Err(Stop::Open) => return Ok(Some(self.stray(line, first.len(), others, "never closed"))),
            Err(Stop::Fault(why)) => Err(why),
        };
        if !others.is_empty() && (parsed.is_err() || self.has_broken_value()) {
            let through = line + others.len() as u64;
            let why = format!("closed on line {through} only, and what is between is no row");
            return Ok(Some(self.stray(line, first.len(), others, &why)));
        }
        if !others.is_empty() {
            let (count, _) = self.spread.get_or_insert((0, line));
            *count += 1;
        }
        self.line += others.len() as u64;
        Ok(Some(Record { line, bytes, parsed }))
    }

    /// Whether a value that is meant for us, other than a list, holds a line break. None ever does.
    fn has_broken_value(&self) -> bool {
        let columns = self.header.as_ref().map_or(&[][..], |header| header.columns.as_slice());
        let is_single = |index: &usize| self.keys.get(*index).is_some_and(|key| !key.is_list);
        let mut values = self.splitter.fields.iter().zip(columns);
        values.any(|(field, index)| index.as_ref().is_some_and(is_single) && field.bytes.contains(&b'\n'))
    }

    /// A line with a stray quote. The lines that were read ahead for it are read by themselves.
    fn stray(&mut self, line: u64, bytes: usize, others: Vec<(Line, Vec<u8>)>, why: &str) -> Record {
        for other in others.into_iter().rev() {
            self.ahead.push_front(other);
        }
        let parsed =
            Err(format!("a quote opened in it is {why}; mend it (the lines after it were read by themselves)"));
        Record { line, bytes, parsed }
    }

    fn row(&mut self) -> Result<Row, String> {
        let mut row = Row::new(self.keys);
        let columns = self.header.as_ref().map_or(&[][..], |header| header.columns.as_slice());
        for (field, index) in self.splitter.fields.iter().zip(columns) {
            let Some(index) = *index else { continue };
            let text = std::str::from_utf8(&field.bytes).map_err(|_| NOT_TEXT.to_owned())?;
            let text = if field.is_quoted { text } else { text.trim() };
            let cell = if text.is_empty() { Cell::Nothing } else { Cell::Text(text.to_owned()) };
            row.put(index, cell);
        }
        Ok(row)
    }
}

const NOT_TEXT: &str = "it is not UTF-8 text; save the file as UTF-8";
const LONE_RETURNS: &str = "the lines end in a carriage return alone, as on very old Macintoshes, or the header line has one in \
                            its middle; save the file with line feeds (LF or CR LF)";

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

/// Splits a row into its fields, line by line. A quote opens only at a field's beginning, and doubled it stands for itself.
#[derive(Default)]
struct Splitter {
    fields: Vec<Field>,
    /// The field in whose quotes the lines so far ended.
    open: Option<Field>,
}

impl Splitter {
    /// Splits a row's first line.
    fn first(&mut self, line: &[u8], delimiter: u8) -> Result<(), Stop> {
        self.fields.clear();
        self.open = None;
        self.split(line, delimiter)
    }

    /// Splits the next line of a row that was left open.
    fn further(&mut self, line: &[u8], delimiter: u8) -> Result<(), Stop> {
        if let Some(field) = &mut self.open {
            field.bytes.push(b'\n');
        }
        self.split(line, delimiter)
    }

    fn split(&mut self, line: &[u8], delimiter: u8) -> Result<(), Stop> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let mut bytes = line.iter().copied().peekable();
        loop {
            let mut field = self.open.take().unwrap_or_default();
            if field.is_quoted || bytes.next_if_eq(&b'"').is_some() {
                field.is_quoted = true;
                loop {
                    match bytes.next() {
                        None => {
                            self.open = Some(field);
                            return Err(Stop::Open);
                        }
                        Some(b'"') if bytes.next_if_eq(&b'"').is_none() => break,
                        Some(byte) => field.bytes.push(byte),
                    }
                }
                while delimiter != b' ' && bytes.next_if_eq(&b' ').is_some() {}
                if bytes.peek().is_some_and(|byte| *byte != delimiter) {
                    let place = self.fields.len() + 1;
                    return Err(Stop::Fault(format!(
                        "field {place} goes on after its closing quote; double a quote that stands for itself"
                    )));
                }
            } else {
                while let Some(byte) = bytes.next_if(|byte| *byte != delimiter) {
                    field.bytes.push(byte);
                }
            }
            self.fields.push(field);
            if bytes.next().is_none() {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(record: &str, delimiter: u8) -> Result<Vec<String>, Stop> {
        let mut splitter = Splitter::default();
        let mut lines = record.split('\n');
        let mut done = splitter.first(lines.next().unwrap().as_bytes(), delimiter);
        for line in lines {
            assert_eq!(done, Err(Stop::Open));
            done = splitter.further(line.as_bytes(), delimiter);
        }
        done?;
        Ok(splitter.fields.into_iter().map(|field| String::from_utf8(field.bytes).unwrap()).collect())
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
