//! Reading a scenario file. `docs/SCENARIO-FORMAT.md` is the grammar; unknown words are never passed over.

use std::path::Path;
use std::time::Duration;

use crate::config::Config;
use crate::domain::name::Name;
use crate::domain::time::Instant;

use super::clauses::{self, Kind};
use super::known::Known;
use super::script::{Crowd, Newcomer, Script, Step, TenantPart};
use super::verbs;
use super::when::Calendar;
use super::words::{ParseError, Words};

/// Lines a file may have.
const LINES_MAX: usize = 100_000;
/// Midnight of day 0 where the file does not say: 2026-03-02, a Monday.
const START: Instant = Instant::from_micros(1_772_409_600_000_000);
/// Users on a delta page where the file does not say.
const PAGE_SIZE: usize = 200;
/// What begins a line of the head.
const HEAD: &[&str] = &["title", "start", "tenant", "config", "page-size", "cast", "crowd", "chains", "mailboxes"];

/// Reads the text of a scenario file.
///
/// # Errors
/// The first thing that is wrong, with its place.
pub fn parse(text: &str) -> Result<Script, ParseError> {
    let mut reader = Reader::new();
    for (number, line) in text.lines().enumerate() {
        if number >= LINES_MAX {
            let why = format!("a scenario has at most {LINES_MAX} lines");
            return Err(ParseError { line: number + 1, column: 1, why });
        }
        let words = Words::cut(number + 1, line)?;
        if !words.is_done() {
            reader.line(words)?;
        }
    }
    reader.finish()
}

struct Reader {
    script: Script,
    known: Known,
    calendar: Calendar,
    titled: bool,
    /// How the answer of the last step is shaped, for lines that go on with its expectations.
    last: Option<Kind>,
}

impl Reader {
    fn new() -> Self {
        let script = Script {
            title: String::new(),
            tenants: Vec::new(),
            mailboxes: Vec::new(),
            start: START,
            steps: Vec::new(),
        };
        Self { script, known: Known::default(), calendar: Calendar::new(START), titled: false, last: None }
    }

    fn line(&mut self, mut words: Words) -> Result<(), ParseError> {
        if words.is("=>") {
            return self.more_expectations(words);
        }
        if let Some(head) = words.peek().and_then(|word| HEAD.iter().find(|head| **head == word).copied()) {
            if !self.script.steps.is_empty() {
                let why = format!("`{head}` belongs to the head of the file, before the first dated line");
                return Err(words.error_at(words.column(), why));
            }
            words.take(head);
            self.head(head, &mut words)?;
            return words.done();
        }
        self.step(words)
    }

    fn head(&mut self, head: &str, words: &mut Words) -> Result<(), ParseError> {
        match head {
            "title" => {
                self.titled = true;
                self.script.title = words.rest();
            }
            "start" => {
                let column = words.column();
                let date = words.word("a date such as 2026-03-02")?;
                let midnight = format!("{}T00:00:00Z", date.text).parse::<Instant>();
                self.script.start = midnight.map_err(|_| {
                    words.error_at(column, format!("expected a date such as 2026-03-02, found `{}`", date.text))
                })?;
                self.calendar = Calendar::new(self.script.start);
            }
            "tenant" => {
                let name = self.known.new_tenant(words)?;
                self.script.tenants.push(tenant(&name));
            }
            "config" => {
                let column = words.column();
                let key = words.word("a key of whowas.toml")?.text;
                words.need("=")?;
                let value = words.rest();
                let before = self.tenant().settings.clone();
                let settings = format!("{before}{}\n", toml_line(&key, &value));
                let text = format!("[[tenant]]\nid = \"00000000-0000-0000-0000-000000000000\"\n{settings}");
                Config::parse(&text, Path::new("config")).map_err(|error| words.error_at(column, say(&error)))?;
                self.tenant().settings = settings;
            }
            "page-size" => {
                let column = words.column();
                let size = words.number("the users on a page")?;
                self.tenant().page_size = usize::try_from(size)
                    .ok()
                    .filter(|size| *size > 0)
                    .ok_or_else(|| words.error_at(column, "a page has at least one user".to_owned()))?;
            }
            "cast" => {
                let symbol = self.known.new_object(words)?;
                words.need("=")?;
                let newcomer = verbs::newcomer(words, symbol)?;
                self.tenant().cast.push(newcomer);
            }
            "crowd" => {
                let crowd = verbs::crowd(words, &mut self.known)?;
                self.tenant().crowds.push(crowd);
            }
            "chains" => {
                while !words.is_done() {
                    self.known.new_chain(words)?;
                }
            }
            _ => {
                while !words.is_done() {
                    let symbol = self.known.new_mailbox(words)?;
                    self.script.mailboxes.push(symbol);
                }
            }
        }
        Ok(())
    }

    /// The tenant that the head speaks of.
    fn tenant(&mut self) -> &mut TenantPart {
        if self.script.tenants.is_empty() {
            self.known.tenants.push("T".to_owned());
            self.script.tenants.push(tenant("T"));
        }
        let last = self.script.tenants.len().saturating_sub(1);
        // There is one, and the last of them is within bounds.
        self.script.tenants.get_mut(last).unwrap_or_else(|| unreachable!("a tenant was just put there"))
    }

    fn step(&mut self, mut words: Words) -> Result<(), ParseError> {
        let _first = self.tenant();
        let column = words.column();
        let at = self.calendar.line(&mut words)?;
        if words.is_done() {
            self.last = None;
            return Ok(());
        }
        let Some(at) = at else {
            let why = "expected a time such as 09:00 before the first thing that happens on a day".to_owned();
            return Err(words.error_at(column, why));
        };
        if self.script.steps.last().is_some_and(|before| before.at > at) {
            let why = format!("{at} lies before the line above; a scenario goes forward in time");
            return Err(words.error_at(column, why));
        }
        let tenant = self.known.take_tenant(&mut words)?;
        let (begin, end) = (words.column(), words.column_of("=>"));
        let (verb, kind) = verbs::verb(&mut words, &mut self.known, &self.calendar)?;
        let step = Step { line: words.line, text: words.said(begin, end), at, tenant, verb, checks: Vec::new() };
        self.script.steps.push(step);
        self.last = Some(kind);
        if words.is_done() {
            return Ok(());
        }
        if !words.is("=>") {
            return Err(words.expected("`=>` and what is expected, or the end of the line", &[]));
        }
        self.more_expectations(words)
    }

    fn more_expectations(&mut self, mut words: Words) -> Result<(), ParseError> {
        let column = words.column();
        let (Some(kind), Some(step)) = (self.last, self.script.steps.last_mut()) else {
            return Err(words.error_at(column, "there is no question above this expectation".to_owned()));
        };
        words.need("=>")?;
        loop {
            step.checks.extend(clauses::clause(&mut words, kind, &self.known, &self.calendar)?);
            if words.is_done() {
                return Ok(());
            }
            if !words.take(",") {
                return Err(words.expected("`,` and a further expectation, or the end of the line", &[]));
            }
        }
    }

    fn finish(self) -> Result<Script, ParseError> {
        if !self.titled {
            return Err(ParseError { line: 1, column: 1, why: "expected a line `title …`".to_owned() });
        }
        let silent = self.script.steps.iter().find(|step| step.checks.is_empty() && step.verb.is_question());
        if let Some(step) = silent {
            let why = format!("`{}` is a question; write `=>` and what is expected after it", step.text);
            return Err(ParseError { line: step.line, column: 1, why });
        }
        Ok(self.script)
    }
}

fn tenant(name: &str) -> TenantPart {
    TenantPart {
        name: name.to_owned(),
        settings: String::new(),
        page_size: PAGE_SIZE,
        cast: Vec::<Newcomer>::new(),
        crowds: Vec::<Crowd>::new(),
    }
}

/// A line of TOML. People write `lag = 5m`; TOML wants a text in quotes.
fn toml_line(key: &str, value: &str) -> String {
    let line = format!("{key} = {value}");
    if line.parse::<toml::Table>().is_ok() { line } else { format!("{key} = {value:?}") }
}

fn say(error: &crate::config::ConfigError) -> String {
    let text = error.to_string();
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    // Only the last line says what is wrong; those before draw the place in a file that nobody wrote.
    lines.last().map_or_else(|| text.clone(), |last| last.trim_start_matches("read config: ").to_owned())
}

/// A length of time as in `whowas.toml`.
pub(super) fn span(words: &mut Words, what: &str) -> Result<Duration, ParseError> {
    words.parsed(what, |text| text.parse::<crate::config::Span>().map(|span| span.0))
}

/// A name: a user principal name or an address.
pub(super) fn name(words: &mut Words, what: &str) -> Result<Name, ParseError> {
    words.parsed(what, |text| {
        if !text.contains('@') {
            return Err(format!("`{text}` has no @"));
        }
        text.parse::<Name>().map_err(|error| error.to_string())
    })
}
