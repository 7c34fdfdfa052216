//! What may be expected of each kind of answer.

use std::collections::BTreeSet;

use super::expect::{Check, Row, Test, Want};
use super::known::Known;
use super::parse::name;
use super::verbs::{RELATIONS, snapshot_id};
use super::when::Calendar;
use super::words::{ParseError, Words};
use crate::domain::finding::FindingKind;
use crate::domain::time::Instant;

/// How an answer is shaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing is answered; it can only be refused.
    Done,
    Check,
    Tally,
    Who,
    Snapshot,
    Run,
    NameHistory,
    ObjectHistory,
    Status,
    Findings,
    Plan,
    Restore,
    Reuse,
    Links,
    Import,
}

/// The verdicts.
const VERDICTS: &[&str] =
    &["continue", "renamed", "baseline", "mailbox_replaced", "mismatch", "frozen", "ambiguous", "refresh", "unknown"];
const ACTIONS: &[&str] = &["incremental", "full", "stop", "refresh"];
const CONFIDENCES: &[&str] = &["certain", "assumed", "ambiguous", "nobody", "unknown"];
const SEVERITIES: &[&str] = &["critical", "warning", "notice"];
const STATES: &[&str] = &["open", "acknowledged", "resolved", "withdrawn"];
const LIVES: &[&str] = &["active", "soft_deleted", "purged", "unknown"];
const STRENGTHS: &[&str] = &["strong", "medium", "weak"];
const RESTORES: &[&str] = &["same_owner", "different_owner", "owner_gone", "cannot_know"];

/// Reads one expectation, up to a comma or the end of the line.
pub(super) fn clause(
    words: &mut Words,
    kind: Kind,
    known: &Known,
    calendar: &Calendar,
) -> Result<Vec<Check>, ParseError> {
    let (begin, line) = (words.column(), words.line);
    let mut reader = Reader { words, known, calendar };
    let tests = if reader.words.take("refused") {
        vec![Test::Refused(reader.words.quoted("words of the refusal")?)]
    } else {
        reader.tests(kind)?
    };
    let text = words.said(begin, words.column());
    Ok(tests.into_iter().map(|test| Check { text: text.clone(), line, test }).collect())
}

struct Reader<'a> {
    words: &'a mut Words,
    known: &'a Known,
    calendar: &'a Calendar,
}

impl Reader<'_> {
    fn tests(&mut self, kind: Kind) -> Result<Vec<Test>, ParseError> {
        match kind {
            Kind::Done => Err(self.words.expected("`refused` and words in quotes", &["refused"])),
            Kind::Check => self.check(),
            Kind::Tally => self.tally(),
            Kind::Who => self.who(),
            Kind::Snapshot => self.snapshot(),
            Kind::Run => self.run(),
            Kind::NameHistory => self.name_history(),
            Kind::ObjectHistory => self.object_history(),
            Kind::Status => self.status(),
            Kind::Findings => self.findings(),
            Kind::Plan => self.plan(),
            Kind::Restore => self.restore(),
            Kind::Reuse => self.reuse(),
            Kind::Links => self.links(),
            Kind::Import => self.import(),
        }
    }

    /// Reads one of the words of a list, and a word that leads an expectation of its own.
    fn lead(&mut self, what: &str, plain: &[&'static str], leads: &[&'static str]) -> Result<&'static str, ParseError> {
        let all: Vec<&'static str> = plain.iter().chain(leads).copied().collect();
        self.words.choice(what, &all)
    }

    fn check(&mut self) -> Result<Vec<Test>, ParseError> {
        let leads = [
            "action",
            "object",
            "open",
            "chain",
            "base",
            "upn",
            "mail",
            "alias",
            "change",
            "no-change",
            "old-name-holder",
            "instead",
            "candidates",
            "says",
            "says-not",
            "live",
            "not-live",
            "mailbox-verified",
            "mailbox-unverified",
            "proved",
            "unproven-since",
            "mapping",
            "label",
        ];
        let lead = self.lead("a verdict or another part of the answer", VERDICTS, &leads)?;
        Ok(vec![match lead {
            "action" => Test::Is("/action", word(self.words.choice("an action", ACTIONS)?)),
            "object" => Test::Is("/object", self.object_or_none()?),
            "open" => match self.object_or_none()? {
                Want::Object(symbol) => Test::Is("/open", Want::Open(symbol)),
                other => Test::Is("/open", other),
            },
            "chain" => Test::Is("/chain", self.chain_or_none()?),
            "base" => Test::Is("/base", self.snapshot_or_none()?),
            "upn" => Test::Is("/names/upn", self.name_or_none()?),
            "mail" => Test::Is("/names/mail", self.name_or_none()?),
            "alias" => Test::Has("/names/aliases", vec![("", self.name_or_none()?)]),
            "change" => Test::Has("/changes", self.change()?),
            "no-change" => Test::Empty("/changes"),
            "old-name-holder" => Test::Is("/old_name_holder", self.object_or_none()?),
            "instead" => Test::HasOnly("/instead", self.object_action_chain()?),
            "candidates" => Test::Is("/candidates", self.objects()?),
            "says" => Test::Says("/reasons", self.words.quoted("words of a reason")?),
            "says-not" => Test::SaysNot("/reasons", self.words.quoted("words of a reason")?),
            "live" | "not-live" => Test::Is("/evidence/live", Want::Flag(lead == "live")),
            "mailbox-verified" | "mailbox-unverified" => {
                Test::Is("/evidence/mailbox_verified", Want::Flag(lead == "mailbox-verified"))
            }
            "proved" => Test::Is("/evidence/proved_at", self.time_or_none()?),
            "unproven-since" => Test::Is("/evidence/unproven_since", self.time_or_none()?),
            "mapping" => Test::Is("/mapping", self.word_or_none("a mapping rule")?),
            "label" => {
                let key = self.words.word("a label")?.text;
                let value = self.words.word("its value")?.text;
                Test::Says("/labels", format!("{key} {value}"))
            }
            verdict => Test::Is("/verdict", word(verdict)),
        }])
    }

    fn change(&mut self) -> Result<Row, ParseError> {
        let kind = self.words.choice("which name changed", &["upn", "mail"])?;
        let from = self.name_or_none()?;
        self.words.need("->")?;
        let mut row = vec![("/kind", word(kind)), ("/from", from), ("/to", self.name_or_none()?)];
        if let Some(edge) = self.edge()? {
            row.push(("/edge", edge));
        }
        Ok(row)
    }

    fn object_action_chain(&mut self) -> Result<Row, ParseError> {
        let object = self.known.object(self.words)?;
        let action = self.words.choice("an action", ACTIONS)?;
        let chain = if self.known.is_chain(self.words) { self.chain_or_none()? } else { Want::Nothing };
        let mut row = vec![("/object", Want::Object(object)), ("/action", word(action)), ("/chain", chain)];
        if self.words.take("base") {
            row.push(("/base", self.snapshot_or_none()?));
        }
        Ok(row)
    }

    fn tally(&mut self) -> Result<Vec<Test>, ParseError> {
        if self.words.take("says") {
            return Ok(vec![Test::Says("/reasons", self.words.quoted("words of a reason")?)]);
        }
        let count = self.words.number("how many")?;
        let verdict = self.words.choice("a verdict", VERDICTS)?;
        Ok(vec![Test::HasOnly("/verdicts", vec![("/verdict", word(verdict)), ("/count", Want::Number(count))])])
    }

    fn who(&mut self) -> Result<Vec<Test>, ParseError> {
        let lead = self.lead("a confidence or who", CONFIDENCES, &["holder", "candidates"])?;
        match lead {
            "holder" => Ok(vec![Test::Is("/holder", self.object_or_none()?)]),
            "candidates" => Ok(vec![Test::Is("/candidates", self.objects()?)]),
            confidence => self.confident("/confidence", confidence, "/holder"),
        }
    }

    /// `certain A` in one go, or the confidence alone.
    fn confident(
        &mut self,
        place: &'static str,
        confidence: &'static str,
        owner: &'static str,
    ) -> Result<Vec<Test>, ParseError> {
        let mut tests = vec![Test::Is(place, word(confidence))];
        if matches!(confidence, "certain" | "assumed") {
            tests.push(Test::Is(owner, Want::Object(self.known.object(self.words)?)));
        } else {
            tests.push(Test::Is(owner, Want::Nothing));
        }
        Ok(tests)
    }

    fn snapshot(&mut self) -> Result<Vec<Test>, ParseError> {
        let leads = ["settled", "provisional", "candidates", "expired", "kept", "mailbox"];
        let lead = self.lead("whose data, or another part of the answer", CONFIDENCES, &leads)?;
        Ok(vec![match lead {
            "settled" | "provisional" => Test::Is("/attribution/settled", Want::Flag(lead == "settled")),
            "candidates" => Test::Is("/attribution/candidates", self.objects()?),
            "expired" | "kept" => Test::Is("/expired", Want::Flag(lead == "expired")),
            "mailbox" => Test::Is("/mailbox", Want::Mailbox(self.known.mailbox(self.words)?)),
            confidence => return self.confident("/attribution/confidence", confidence, "/attribution/owner"),
        }])
    }

    fn run(&mut self) -> Result<Vec<Test>, ParseError> {
        let outcomes = ["completed", "failed", "held", "interrupted", "delta", "full", "reconcile"];
        let counts = ["pages", "seen", "changed", "removed", "restored", "says"];
        let lead = self.lead("how the run ended, or a count", &outcomes, &counts)?;
        Ok(vec![match lead {
            "pages" => Test::Is("/pages", self.count()?),
            "seen" => Test::Is("/seen", self.count()?),
            "changed" => Test::Is("/changed", self.count()?),
            "removed" => Test::Is("/removed", self.count()?),
            "restored" => Test::Is("/restored", self.count()?),
            "says" => Test::Says("/error", self.words.quoted("words of the run's error")?),
            "delta" | "full" | "reconcile" => Test::Is("/kind", word(lead)),
            outcome => Test::Is("/outcome", word(outcome)),
        }])
    }

    fn name_history(&mut self) -> Result<Vec<Test>, ParseError> {
        let lead = self.words.choice("who held the name", &["held", "holders", "not-held"])?;
        if lead == "holders" {
            let mut symbols = Vec::new();
            while self.known.is_object(self.words) {
                symbols.push(self.known.object(self.words)?);
            }
            let none = symbols.is_empty() && self.words.take("none");
            return match symbols.is_empty() && !none {
                true => Err(self.words.expected("objects of the cast, or `none`", &[])),
                false => Ok(vec![Test::Is("/holders", Want::Objects(symbols.into_iter().collect()))]),
            };
        }
        let mut row = vec![("/object", Want::Object(self.known.object(self.words)?))];
        if let Some(kind) = self.words.take_if(|word| matches!(word, "upn" | "smtp")) {
            row.push(("/kind", Want::Word(kind)));
        }
        if self.words.take("spelled") {
            row.push(("/spelling", Want::Word(name(self.words, "a spelling")?.spelling().to_owned())));
        }
        self.span(&mut row)?;
        Ok(vec![if lead == "held" { Test::Has("/holders", row) } else { Test::HasNot("/holders", row) }])
    }

    fn object_history(&mut self) -> Result<Vec<Test>, ParseError> {
        let leads = ["held", "not-held", "was", "upn", "mail", "mailbox", "chains", "link", "no-link"];
        let lead = self.lead("the object's state, or what it held", LIVES, &leads)?;
        Ok(vec![match lead {
            "held" | "not-held" => {
                let mut row = vec![("/spelling", Want::Word(name(self.words, "a name")?.spelling().to_owned()))];
                if let Some(kind) = self.words.take_if(|word| matches!(word, "upn" | "smtp" | "primary")) {
                    row.push(("/kind", Want::Word(kind)));
                }
                self.span(&mut row)?;
                if lead == "held" { Test::Has("/names", row) } else { Test::HasNot("/names", row) }
            }
            "was" => {
                let mut row = vec![("/state", word(self.words.choice("a state", LIVES)?))];
                self.span(&mut row)?;
                Test::Has("/states", row)
            }
            "upn" => Test::Is("/now/upn", self.name_or_none()?),
            "mail" => Test::Is("/now/mail", self.name_or_none()?),
            "mailbox" => Test::Has("/mailboxes", vec![("", Want::Mailbox(self.known.mailbox(self.words)?))]),
            "chains" => {
                let mut chains = Vec::new();
                while self.known.is_chain(self.words) {
                    chains.push(self.known.chain(self.words)?.as_str().to_owned());
                }
                Test::Is("/chains", Want::Words(chains))
            }
            "link" => {
                let from = Want::Object(self.known.object(self.words)?);
                let relation = word(self.words.choice("a relation", RELATIONS)?);
                let to = Want::Object(self.known.object(self.words)?);
                let tenant = self.tenant_or_own()?;
                Test::Has(
                    "/links",
                    vec![("/from", from), ("/as", relation), ("/to/object", to), ("/to/tenant", tenant)],
                )
            }
            "no-link" => Test::Empty("/links"),
            state => Test::Is("/state", word(state)),
        }])
    }

    /// `from EDGE until EDGE`, `until now` for what has not ended; each part may be left out.
    fn span(&mut self, row: &mut Row) -> Result<(), ParseError> {
        if self.words.take("from") {
            row.push(("/from", self.need_edge()?));
        }
        if self.words.take("until") {
            let until = if self.words.take("now") { Want::Nothing } else { self.need_edge()? };
            row.push(("/until", until));
        }
        Ok(())
    }

    fn status(&mut self) -> Result<Vec<Test>, ParseError> {
        let known = [
            "active",
            "soft-deleted",
            "purged",
            "snapshots",
            "critical",
            "warning",
            "notice",
            "half-round",
            "whole-round",
            "blind",
            "no-blind",
            "horizon",
        ];
        let lead = self.words.choice("a part of the status", &known)?;
        Ok(vec![match lead {
            "active" => Test::Is("/objects/active", self.count()?),
            "soft-deleted" => Test::Is("/objects/soft_deleted", self.count()?),
            "purged" => Test::Is("/objects/purged", self.count()?),
            "snapshots" => Test::Is("/snapshots", self.count()?),
            "critical" => Test::Is("/findings/critical", self.count()?),
            "warning" => Test::Is("/findings/warning", self.count()?),
            "notice" => Test::Is("/findings/notice", self.count()?),
            "half-round" | "whole-round" => Test::Is("/half_round", Want::Flag(lead == "half-round")),
            "blind" => {
                self.words.need("from")?;
                let from = Want::Time(self.calendar.when(self.words)?);
                self.words.need("until")?;
                let until = Want::Time(self.calendar.when(self.words)?);
                Test::Has("/blind", vec![("/from", from), ("/until", until)])
            }
            "no-blind" => Test::Empty("/blind"),
            _ => Test::Is("/horizon", self.time_or_none()?),
        }])
    }

    fn findings(&mut self) -> Result<Vec<Test>, ParseError> {
        if self.words.take("none") {
            return Ok(vec![Test::Empty("/items")]);
        }
        let absent = self.words.take("no");
        let only = !absent && self.words.take("only");
        let kinds: Vec<&'static str> = FindingKind::ALL.iter().map(|kind| kind.word()).collect();
        let mut row = vec![("/kind", word(self.words.choice("a kind of finding, `only`, `no` or `none`", &kinds)?))];
        loop {
            if self.words.take("chain") {
                row.push(("/chain", self.chain_or_none()?));
            } else if self.words.take("name") {
                row.push(("/name", self.name_or_none()?));
            } else if self.words.take("objects") {
                row.push(("/objects", self.objects()?));
            } else if self.words.take("snapshots") {
                let mut ids = Vec::new();
                while !self.words.is_done() && !self.words.is(",") {
                    ids.push(snapshot_id(self.words)?.as_str().to_owned());
                }
                row.push(("/snapshots", Want::Words(ids)));
            } else if self.words.take("says") {
                row.push(("/summary", Want::Contains(self.words.quoted("words of the summary")?)));
            } else if let Some(state) = self.words.take_if(|word| STATES.contains(&word)) {
                row.push(("/state", Want::Word(state)));
            } else if let Some(severity) = self.words.take_if(|word| SEVERITIES.contains(&word)) {
                row.push(("/severity", Want::Word(severity)));
            } else if self.words.is_done() || self.words.is(",") {
                break;
            } else {
                let keys = ["chain", "name", "objects", "snapshots", "says"];
                let keys: Vec<&str> = keys.iter().chain(STATES).chain(SEVERITIES).copied().collect();
                return Err(self.words.expected("something about the finding", &keys));
            }
        }
        Ok(vec![match (absent, only) {
            (true, _) => Test::HasNot("/items", row),
            (_, true) => Test::HasOnly("/items", row),
            _ => Test::Has("/items", row),
        }])
    }

    fn plan(&mut self) -> Result<Vec<Test>, ParseError> {
        let lead = self.words.choice("a part of the plan", &["segment", "next", "says", "nothing-to-do"])?;
        Ok(vec![match lead {
            "segment" => {
                let object = self.object_or_none()?;
                let mut row = vec![("/object", object)];
                if let Some(confidence) = self.words.take_if(|word| CONFIDENCES.contains(&word)) {
                    row.push(("/confidence", Want::Word(confidence)));
                }
                row.push(("/do", word(self.words.choice("what to do", &["keep", "quarantine", "relabel"])?)));
                let mut ids = Vec::new();
                while !(self.words.is_done() || self.words.is(",") || self.words.is("to")) {
                    ids.push(snapshot_id(self.words)?.as_str().to_owned());
                }
                row.push(("/snapshots", Want::Words(ids)));
                if self.words.take("to") {
                    row.push(("/to_chain", self.chain_or_none()?));
                }
                Test::HasOnly("/segments", row)
            }
            "next" => Test::HasOnly("/next", self.object_action_chain()?),
            "says" => Test::Says("/reasons", self.words.quoted("words of a reason")?),
            _ => Test::Empty("/segments"),
        }])
    }

    fn restore(&mut self) -> Result<Vec<Test>, ParseError> {
        let lead = self.lead("the restore guard's verdict", RESTORES, &["action", "target", "says"])?;
        Ok(vec![match lead {
            "action" => Test::Is("/action", word(self.words.choice("an action", &["proceed", "stop"])?)),
            "target" => Test::Is("/target/object", self.object_or_none()?),
            "says" => Test::Says("/reasons", self.words.quoted("words of a reason")?),
            verdict => Test::Is("/verdict", word(verdict)),
        }])
    }

    fn reuse(&mut self) -> Result<Vec<Test>, ParseError> {
        if self.words.take("none") {
            return Ok(vec![Test::Empty("/items")]);
        }
        let absent = self.words.take("no");
        self.words.need("name")?;
        let mut row = vec![("/name", self.name_or_none()?)];
        if self.words.take("objects") {
            row.push(("/holders", self.objects()?));
        }
        Ok(vec![if absent { Test::HasNot("/items", row) } else { Test::Has("/items", row) }])
    }

    fn links(&mut self) -> Result<Vec<Test>, ParseError> {
        if self.words.take("none") {
            return Ok(vec![Test::Empty("/items")]);
        }
        if self.words.peek().is_some_and(|word| word.starts_with(|letter: char| letter.is_ascii_digit())) {
            let count = self.words.number("how many candidates")?;
            self.words.need("candidates")?;
            return Ok(vec![Test::Count("/items", count)]);
        }
        let absent = self.words.take("no");
        self.words.need("candidate")?;
        let from = Want::Object(self.known.object(self.words)?);
        let from_tenant = self.tenant_or_own()?;
        let relation = word(self.words.choice("a relation", RELATIONS)?);
        let to = Want::Object(self.known.object(self.words)?);
        let to_tenant = self.tenant_or_own()?;
        let mut row = vec![("/from/object", from), ("/from/tenant", from_tenant)];
        row.extend([("/as", relation), ("/to/object", to), ("/to/tenant", to_tenant)]);
        if let Some(strength) = self.words.take_if(|word| STRENGTHS.contains(&word)) {
            row.push(("/strength", Want::Word(strength)));
        }
        if self.words.take("by") {
            let anchor = self.words.choice("an anchor", &["mailbox", "immutable_id", "employee_id"])?;
            row.push(("/anchor/kind", word(anchor)));
        }
        Ok(vec![if absent { Test::HasNot("/items", row) } else { Test::Has("/items", row) }])
    }

    fn import(&mut self) -> Result<Vec<Test>, ParseError> {
        let lead = self.words.choice("a count", &["added", "same", "rejected"])?;
        Ok(vec![match lead {
            "added" => Test::Is("/added", self.count()?),
            "same" => Test::Is("/same", self.count()?),
            _ => match self.words.number("how many")? {
                0 => Test::Empty("/rejected"),
                _ => return Err(self.words.expected("`0`; rejected lines are told by `says`", &[])),
            },
        }])
    }

    /// `in T2` for an object of another tenant; without it the asked tenant's own.
    fn tenant_or_own(&mut self) -> Result<Want, ParseError> {
        if self.words.take("in") { Ok(Want::Tenant(self.known.tenant(self.words)?.1)) } else { Ok(Want::Nothing) }
    }

    fn count(&mut self) -> Result<Want, ParseError> {
        self.words.number("how many").map(Want::Number)
    }

    fn object_or_none(&mut self) -> Result<Want, ParseError> {
        if self.words.take("none") { Ok(Want::Nothing) } else { self.known.object(self.words).map(Want::Object) }
    }

    /// Objects up to the end of the expectation; `none` is the empty list.
    fn objects(&mut self) -> Result<Want, ParseError> {
        let mut symbols = BTreeSet::new();
        if self.words.take("none") {
            return Ok(Want::Objects(symbols));
        }
        symbols.insert(self.known.object(self.words)?);
        while self.known.is_object(self.words) {
            symbols.insert(self.known.object(self.words)?);
        }
        Ok(Want::Objects(symbols))
    }

    fn chain_or_none(&mut self) -> Result<Want, ParseError> {
        if self.words.take("none") {
            return Ok(Want::Nothing);
        }
        self.known.chain(self.words).map(|chain| Want::Word(chain.as_str().to_owned()))
    }

    fn snapshot_or_none(&mut self) -> Result<Want, ParseError> {
        if self.words.take("none") {
            return Ok(Want::Nothing);
        }
        snapshot_id(self.words).map(|id| Want::Word(id.as_str().to_owned()))
    }

    fn name_or_none(&mut self) -> Result<Want, ParseError> {
        if self.words.take("none") {
            return Ok(Want::Nothing);
        }
        name(self.words, "a name or `none`").map(|name| Want::Word(name.spelling().to_owned()))
    }

    fn word_or_none(&mut self, what: &str) -> Result<Want, ParseError> {
        let text = self.words.word(what)?.text;
        Ok(if text == "none" { Want::Nothing } else { Want::Word(text) })
    }

    fn time_or_none(&mut self) -> Result<Want, ParseError> {
        if self.words.take("none") { Ok(Want::Nothing) } else { self.calendar.when(self.words).map(Want::Time) }
    }

    fn need_edge(&mut self) -> Result<Want, ParseError> {
        match self.edge()? {
            Some(edge) => Ok(edge),
            None => {
                Err(self.words.expected("when: `at T`, `after T by T`, `after T` or `by T`", &["at", "after", "by"]))
            }
        }
    }

    /// `at T`, `after T by T`, `after T` or `by T`.
    fn edge(&mut self) -> Result<Option<Want>, ParseError> {
        if self.words.take("at") {
            let at = Some(self.calendar.when(self.words)?);
            return Ok(Some(Want::Edge(at, at)));
        }
        let mut bound = |word: &str| -> Result<Option<Instant>, ParseError> {
            if self.words.take(word) { self.calendar.when(self.words).map(Some) } else { Ok(None) }
        };
        let (after, by) = (bound("after")?, bound("by")?);
        Ok((after.is_some() || by.is_some()).then_some(Want::Edge(after, by)))
    }
}

fn word(word: &str) -> Want {
    Want::Word(word.to_owned())
}
