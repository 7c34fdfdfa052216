//! Finds the JSON objects in a stream, byte by byte: one a line, printed over several lines, in lists, or in the pages that
//! Graph returns (`{"value": […]}`, also several one after another). It holds one object at a time; what it gives out
//! is still to be parsed.
//!
//! Between objects at the top a broken one spoils only itself: the search goes on in the next line. Inside a list or a page
//! nobody can tell where the next object begins, so a broken structure ends the reading there, and is told.

use std::io::{self, BufRead};
use std::mem;

/// Deepest nesting within an object.
const DEPTH_MAX: usize = 100;
/// Deepest nesting of lists and pages around objects.
const OUTER_MAX: usize = 8;
/// The keys under which pages hold their events: Graph's, and that of files written by Azure's diagnostic settings.
const PAGE_KEYS: [&[u8]; 2] = [b"value", b"records"];

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// An object; its bytes are in [`Splitter::item`].
    Item {
        /// The line on which it begins.
        line: u64,
    },
    /// Something that is none.
    Fault {
        /// The line on which it begins.
        line: u64,
        /// What is wrong.
        why: String,
    },
}

/// Finds objects.
pub(crate) struct Splitter {
    bytes_max: usize,
    /// Whether objects with a list under a page's key stand for what is in the list.
    has_pages: bool,
    line: u64,
    is_line_start: bool,
    state: State,
    outer: Vec<Outer>,
    item: Vec<u8>,
    is_too_long: bool,
    begun: u64,
    scan: Scan,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Between objects.
    Between,
    /// Inside one.
    Inside,
    /// What follows the list of a page, up to the page's end.
    Rest,
    /// Up to the end of the line.
    Skip,
    /// Nothing more is read.
    Ended,
}

/// What stands around objects.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outer {
    List { line: u64 },
    Page { line: u64 },
}

/// Where in an object's structure the search is.
#[derive(Default)]
struct Scan {
    open: Vec<u8>,
    in_string: bool,
    is_escaped: bool,
    /// The newest byte outside strings that is no space; `"` for a string.
    before: u8,
    /// Where in the item the newest string of the outermost level lies.
    key: (usize, usize),
}

/// What a byte means to the structure.
enum Step {
    On,
    Closed,
    Fault(&'static str),
}

impl Splitter {
    pub fn new(bytes_max: usize, has_pages: bool) -> Self {
        Self {
            bytes_max,
            has_pages,
            line: 1,
            is_line_start: true,
            state: State::Between,
            outer: Vec::new(),
            item: Vec::new(),
            is_too_long: false,
            begun: 1,
            scan: Scan::default(),
        }
    }

    /// The bytes of the object found last.
    pub fn item(&self) -> &[u8] {
        &self.item
    }

    /// The next object or fault; `None` at the end.
    pub fn next(&mut self, input: &mut dyn BufRead) -> io::Result<Option<Piece>> {
        loop {
            let chunk = input.fill_buf()?;
            if chunk.is_empty() || self.state == State::Ended {
                return Ok(self.at_end());
            }
            let mut found = None;
            let mut used = 0;
            for byte in chunk {
                used += 1;
                found = self.take(*byte);
                if *byte == b'\n' {
                    self.line += 1;
                    self.is_line_start = true;
                } else if !byte.is_ascii_whitespace() {
                    self.is_line_start = false;
                }
                if found.is_some() {
                    break;
                }
            }
            input.consume(used);
            if found.is_some() {
                return Ok(found);
            }
        }
    }

    fn take(&mut self, byte: u8) -> Option<Piece> {
        match self.state {
            State::Between => self.between(byte),
            State::Inside => self.inside(byte),
            State::Rest => self.rest(byte),
            State::Skip => {
                if byte == b'\n' {
                    self.state = State::Between;
                }
                None
            }
            State::Ended => None,
        }
    }

    fn between(&mut self, byte: u8) -> Option<Piece> {
        match (byte, self.outer.last()) {
            (b'{', _) => {
                self.begin();
                None
            }
            (b'[', _) if self.outer.len() < OUTER_MAX => {
                self.outer.push(Outer::List { line: self.line });
                None
            }
            (b']', Some(Outer::List { .. })) => {
                self.outer.pop();
                if matches!(self.outer.last(), Some(Outer::Page { .. })) {
                    self.state = State::Rest;
                    self.scan = Scan { open: vec![b'{'], before: b']', ..Scan::default() };
                }
                None
            }
            (b',', Some(Outer::List { .. })) => None,
            (space, _) if space.is_ascii_whitespace() => None,
            _ => Some(self.broken(self.line, "it is no JSON object")),
        }
    }

    fn begin(&mut self) {
        self.item.clear();
        self.item.push(b'{');
        self.is_too_long = false;
        self.begun = self.line;
        self.scan = Scan { open: vec![b'{'], before: b'{', ..Scan::default() };
        self.state = State::Inside;
    }

    fn inside(&mut self, byte: u8) -> Option<Piece> {
        if self.is_page(byte) {
            if self.outer.len() + 2 > OUTER_MAX {
                return Some(self.broken(self.begun, "its lists are nested too deeply"));
            }
            self.outer.push(Outer::Page { line: self.begun });
            self.outer.push(Outer::List { line: self.line });
            self.item.clear();
            self.state = State::Between;
            return None;
        }
        // A new object at the beginning of a line, where none may stand, means that the one before was cut short.
        let is_new = byte == b'{' && self.is_line_start && self.outer.is_empty() && !self.scan.may_open();
        if is_new && !self.scan.in_string {
            let line = mem::replace(&mut self.begun, self.line);
            self.begin();
            return Some(Piece::Fault {
                line,
                why: "it is cut short: another object begins before its end".to_owned(),
            });
        }
        if self.item.len() < self.bytes_max {
            self.item.push(byte);
        } else {
            self.is_too_long = true;
        }
        match self.scan.step(byte, self.item.len()) {
            Step::On => None,
            Step::Fault(why) => Some(self.broken_at(byte, self.begun, why)),
            Step::Closed => {
                self.state = State::Between;
                let line = self.begun;
                if self.is_too_long {
                    let why = format!("it is longer than {} bytes", self.bytes_max);
                    return Some(Piece::Fault { line, why });
                }
                Some(Piece::Item { line })
            }
        }
    }

    /// Whether this byte opens the list of a page.
    fn is_page(&self, byte: u8) -> bool {
        let (from, to) = self.scan.key;
        self.has_pages
            && byte == b'['
            && !self.scan.in_string
            && self.scan.open.len() == 1
            && self.scan.before == b':'
            && !self.is_too_long
            && self.item.get(from..to).is_some_and(|key| PAGE_KEYS.contains(&key))
    }

    fn rest(&mut self, byte: u8) -> Option<Piece> {
        match self.scan.step(byte, 0) {
            Step::On => None,
            Step::Fault(why) => Some(self.broken(self.line, why)),
            Step::Closed => {
                self.outer.pop();
                self.state = State::Between;
                None
            }
        }
    }

    /// A fault at a byte that may itself end the line.
    fn broken_at(&mut self, byte: u8, line: u64, why: &str) -> Piece {
        let piece = self.broken(line, why);
        if byte == b'\n' && self.state == State::Skip {
            self.state = State::Between;
        }
        piece
    }

    fn broken(&mut self, line: u64, why: &str) -> Piece {
        if let Some(Outer::List { line: around } | Outer::Page { line: around }) = self.outer.first() {
            self.state = State::Ended;
            let why = format!("{why}; nothing after it in the list that begins on line {around} was read");
            self.outer.clear();
            return Piece::Fault { line, why };
        }
        self.state = State::Skip;
        Piece::Fault { line, why: why.to_owned() }
    }

    fn at_end(&mut self) -> Option<Piece> {
        let state = mem::replace(&mut self.state, State::Ended);
        let outer = mem::take(&mut self.outer);
        let (line, what) = match (state, outer.last()) {
            (State::Ended, _) => return None,
            (State::Inside, _) => (self.begun, "object"),
            (_, Some(Outer::Page { line } | Outer::List { line })) => (*line, "list"),
            _ => return None,
        };
        let why = format!("the file ends inside the {what} that begins here; it was cut short, get it anew");
        Some(Piece::Fault { line, why })
    }
}

impl Scan {
    /// Whether an object or a list may begin here.
    fn may_open(&self) -> bool {
        match self.open.last() {
            Some(b'{') => self.before == b':',
            _ => matches!(self.before, b'[' | b','),
        }
    }

    /// Takes a byte; `place` is how many bytes of the item there are with it.
    fn step(&mut self, byte: u8, place: usize) -> Step {
        if self.in_string {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' => self.is_escaped = true,
                b'"' => {
                    self.in_string = false;
                    self.key.1 = place.saturating_sub(1);
                }
                b'\n' => return Step::Fault("a text in it is not closed by the end of the line"),
                _ => {}
            }
            return Step::On;
        }
        match byte {
            b'"' => {
                self.in_string = true;
                self.key.0 = place;
            }
            b'{' | b'[' if !self.may_open() => {
                return Step::Fault("it is no valid JSON: a bracket opens where none may");
            }
            b'{' | b'[' if self.open.len() >= DEPTH_MAX => return Step::Fault("it is nested too deeply"),
            b'{' | b'[' => self.open.push(byte),
            b'}' | b']' => {
                let opened = self.open.pop();
                if opened != Some(if byte == b'}' { b'{' } else { b'[' }) {
                    return Step::Fault("it is no valid JSON: its brackets do not match");
                }
                if self.open.is_empty() {
                    return Step::Closed;
                }
            }
            _ => {}
        }
        if !byte.is_ascii_whitespace() {
            self.before = byte;
        }
        Step::On
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found, in buffers of every small size alike.
    fn found(text: &str, has_pages: bool) -> Vec<Result<(u64, String), (u64, String)>> {
        let read = |capacity| {
            let mut input = io::BufReader::with_capacity(capacity, text.as_bytes());
            let mut splitter = Splitter::new(40, has_pages);
            let mut all = Vec::new();
            while let Some(piece) = splitter.next(&mut input).unwrap() {
                all.push(match piece {
                    Piece::Item { line } => Ok((line, String::from_utf8(splitter.item().to_vec()).unwrap())),
                    Piece::Fault { line, why } => Err((line, why)),
                });
            }
            all
        };
        let whole = read(1_000);
        for capacity in 1..8 {
            assert_eq!(read(capacity), whole, "{capacity}");
        }
        whole
    }

    fn items(text: &str, has_pages: bool) -> Vec<(u64, String)> {
        found(text, has_pages).into_iter().map(|piece| piece.unwrap_or_else(|fault| panic!("{fault:?}"))).collect()
    }

    fn ok(line: u64, text: &str) -> Result<(u64, String), (u64, String)> {
        Ok((line, text.to_owned()))
    }

    #[test]
    fn objects_are_found_one_a_line_spread_over_lines_and_in_lists() {
        let one = |line, text: &str| (line, text.to_owned());
        assert_eq!(items("{\"a\":1}\n\n{\"b\":\"}{\"}\r\n", false), [one(1, "{\"a\":1}"), one(3, "{\"b\":\"}{\"}")]);
        assert_eq!(items(" {\n \"a\": [\n{}]\n}\n{}", false), [one(1, "{\n \"a\": [\n{}]\n}"), one(5, "{}")]);
        assert_eq!(items("[{\"a\":1},\n{\"b\":\"\\\"]\"}]", false), [one(1, "{\"a\":1}"), one(2, "{\"b\":\"\\\"]\"}")]);
        assert_eq!(items("[]{}[ ]", true), [one(1, "{}")]);
        assert_eq!(items("", true), []);
    }

    #[test]
    fn pages_give_what_is_in_their_lists() {
        let page =
            "{\"@c\":\"x\",\"value\":[{\"a\":1},\n{\"value\":2}],\"n\":\"]}\",\"m\":[{}]}\n{\"records\": [ ]}{\"c\":3}";
        let lines: Vec<u64> = items(page, true).iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [1, 2, 3]);
        // A list of pages; and where pages are not known, the page is the object.
        assert_eq!(items("[{\"value\":[{}]},{\"value\":[{},{}]}]", true).len(), 3);
        assert_eq!(items("{\"value\":[{}]}", false).len(), 1);
        // Only a key of the outermost level makes a page.
        assert_eq!(items("{\"x\":\"value\",\"y\":[{}]}", true).len(), 1);
        assert_eq!(items("{\"x\":{\"value\":[{}]}}", true).len(), 1);
    }

    #[test]
    fn a_broken_object_at_the_top_spoils_only_itself() {
        let after = ok(2, "{\"b\":2}");
        for broken in
            ["{\"a\":1", "{\"a\":1,", "{\"a\":\"1}", "{\"a\":[1}", "hello", "}", "\"text\"", "{\"a\":1]", "{{"]
        {
            let all = found(&format!("{broken}\n{{\"b\":2}}\n"), false);
            assert_eq!((all.len(), all[0].as_ref().unwrap_err().0, &all[1]), (2, 1, &after), "{broken}: {all:?}");
        }
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(50));
        let all = found(&format!("{long}\n{{\"b\":2}}"), false);
        assert_eq!((&all[0], &all[1]), (&Err((1, "it is longer than 40 bytes".to_owned())), &after));
    }

    #[test]
    fn a_list_or_page_that_breaks_off_is_told() {
        for cut in ["[{}", "[{},", "{\"value\":[{}", "{\"value\":[{}]", "{\"value\":[{},{", "[{}, 7, {}]", "[{}}"] {
            let all = found(cut, true);
            assert_eq!((all.len(), all[0].is_ok(), all[1].is_err()), (2, true, true), "{cut}: {all:?}");
        }
        assert_eq!(found(&"[".repeat(100), true).len(), 1);
        assert_eq!(found(&"{\"a\":".repeat(200), true).len(), 1);
    }
}
