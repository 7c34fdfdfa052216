//! `check --basis` and `check --replay`: an answer follows from its basis, so it can be had again, and must be the same.

use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::error::{CliError, Exit};
use super::evidence::read;
use super::open::{App, How};
use super::output::{self, word_of};
use super::source::{Asking, Judge, source};
use crate::domain::erase::DOMAIN;
use crate::domain::id::Sequence;
use crate::domain::time::Instant;
use crate::domain::verdict::Ask;
use crate::service::check::CheckAnswer;
use crate::store::Hash;

/// Longest file with saved answers that is read, in bytes.
const BYTES_MAX: usize = 256 << 20;
/// How many answers that differ are named before the rest is only counted.
const NAMED_MAX: usize = 100;

/// A basis as it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct GivenBasis {
    /// The commit.
    pub sequence: Sequence,
    /// What its hash has to be.
    #[serde(default)]
    pub hash: Option<Hash>,
    /// As of when it is judged.
    #[serde(default)]
    pub clock: Option<Instant>,
}

impl GivenBasis {
    /// Reads a commit's number, `SEQ@CLOCK`, JSON, or a file with JSON. A clock that is given beside must not contradict it.
    pub fn read(text: &str, clock: Option<Instant>) -> Result<Self, CliError> {
        let no = |why: &dyn std::fmt::Display| CliError::usage(format!("--basis: {why}"));
        let given = match text.split_once('@') {
            Some((sequence, at)) if is_number(sequence) => {
                let clock = Some(at.parse().map_err(|error| no(&error))?);
                Self { clock, ..Self::numbered(sequence).map_err(|error| no(&error))? }
            }
            None if is_number(text) => Self::numbered(text).map_err(|error| no(&error))?,
            _ if text.trim_start().starts_with('{') => Self::of_json(text).map_err(|error| no(&error))?,
            _ if Path::new(text).is_file() => {
                Self::of_json(&read(Path::new(text), BYTES_MAX)?).map_err(|error| no(&format!("{text}: {error}")))?
            }
            _ => return Err(no(&format!("{text:?} is no commit, no SEQ@CLOCK, no JSON and no file"))),
        };
        match (given.clock, clock) {
            (Some(told), Some(other)) if told != other => {
                Err(CliError::usage(format!("--basis-clock: the basis itself tells another clock, {told}")))
            }
            (told, other) => Ok(Self { clock: told.or(other), ..given }),
        }
    }

    fn numbered(text: &str) -> Result<Self, std::num::ParseIntError> {
        Ok(Self { sequence: Sequence(text.parse()?), hash: None, clock: None })
    }

    /// A basis, or an answer that has one.
    fn of_json(text: &str) -> Result<Self, serde_json::Error> {
        let mut value: Value = serde_json::from_str(text)?;
        let inner = value.get_mut("basis").map(Value::take);
        serde_json::from_value(inner.unwrap_or(value))
    }

    fn must_be(&self, answer: &CheckAnswer) -> Result<(), CliError> {
        match self.hash {
            Some(hash) if hash != answer.basis.hash => Err(CliError::Missing(format!(
                "commit {} of tenant {} has the hash {}, and the basis names {hash}: it is of another ledger, or the \
                 ledger's history was written anew",
                self.sequence, answer.tenant, answer.basis.hash
            ))),
            _ => Ok(()),
        }
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Judges by a basis, and sees to it that the ledger has that basis.
pub struct ByBasis<'s> {
    pub judge: Box<dyn Judge + 's>,
    pub basis: GivenBasis,
}

impl Judge for ByBasis<'_> {
    fn judge(&self, asks: &[Ask]) -> Result<Vec<CheckAnswer>, CliError> {
        let answers = self.judge.judge(asks)?;
        answers.iter().try_for_each(|answer| self.basis.must_be(answer))?;
        Ok(answers)
    }

    fn together(&self) -> usize {
        self.judge.together()
    }
}

/// Asks again what saved answers were asked, by their bases.
pub fn replay(app: &App, file: &Path, max_age: Option<Duration>) -> Result<Exit, CliError> {
    let saved = saved_answers(file)?;
    let source = source(app, "check", How::Existing)?;
    let (mut same, mut different, mut names_erased) = (0usize, Vec::new(), false);
    for (place, saved) in (1usize..).zip(&saved) {
        let bad = |error: serde_json::Error| {
            CliError::usage(format!("--replay: answer {place} of {} is none of `check`: {error}", file.display()))
        };
        let before: CheckAnswer = serde_json::from_value(saved.clone()).map_err(bad)?;
        let mut ask = Ask::from(&before.asked);
        // What earlier releases saved does not tell which chain was asked, only which was judged.
        let tells_chain = saved.get("asked").is_some_and(|asked| asked.get("chain").is_some());
        if !tells_chain {
            ask.chain.clone_from(&before.chain);
        }
        let (basis, basis_clock) = (Some(before.basis.sequence), Some(before.basis.clock));
        let judge = source.judge(Asking { verify: false, max_age, basis, basis_clock })?;
        let now = judge.judge(std::slice::from_ref(&ask))?.pop();
        let now = now.ok_or_else(|| CliError::Missing("the ask was not answered".to_owned()))?;
        let mut again = serde_json::to_value(&now).map_err(bad)?;
        if !tells_chain && let Some(asked) = again.get_mut("asked").and_then(Value::as_object_mut) {
            asked.remove("chain");
        }
        let differs = differences(saved, &again);
        if differs.is_empty() {
            same += 1;
        } else {
            names_erased |= tells_erased(&again) && !tells_erased(saved);
            different.push((place, differs, now));
        }
    }
    let told = different.iter().take(NAMED_MAX);
    let told: Vec<Value> =
        told.map(|(place, differs, now)| json!({"answer": place, "differs": differs, "now": now})).collect();
    let report = json!({"answers": saved.len(), "same": same, "different": different.len(), "names_erased": names_erased, "which": told});
    output::answer(&app.global, &report, || {
        let mut text = format!("{} saved answers, {same} the same again, {} not\n", saved.len(), different.len());
        for (place, differs, now) in different.iter().take(NAMED_MAX) {
            let now = format!("{} → {}", word_of(&now.verdict), word_of(&now.action));
            text.push_str(&format!("  answer {place} differs in {}; it is now {now}\n", differs.join(", ")));
        }
        if names_erased {
            text.push_str("  names were erased from the ledger since; the answers have pseudonyms in their place\n");
        }
        if !different.is_empty() {
            text.push_str("  what was asked with --max-age, or by other settings, is to be replayed with the same\n");
        }
        text
    })?;
    Ok(if different.is_empty() { Exit::Done } else { Exit::Partly })
}

/// The answers of a file: one, an array, or one a line.
fn saved_answers(file: &Path) -> Result<Vec<Value>, CliError> {
    let text = read(file, BYTES_MAX)?;
    let mut answers = Vec::new();
    for value in serde_json::Deserializer::from_str(&text).into_iter() {
        match value.map_err(|error| CliError::usage(format!("--replay: {} is no JSON: {error}", file.display())))? {
            Value::Array(several) => answers.extend(several),
            one => answers.push(one),
        }
    }
    if answers.is_empty() {
        return Err(CliError::usage(format!("--replay: {} has no answer in it", file.display())));
    }
    Ok(answers)
}

/// Whether pseudonyms of erased names stand in an answer.
fn tells_erased(answer: &Value) -> bool {
    answer.to_string().contains(&format!("@{DOMAIN}"))
}

/// The fields in which two answers differ.
fn differences(before: &Value, now: &Value) -> Vec<String> {
    let (Some(old), Some(new)) = (before.as_object(), now.as_object()) else { return vec!["everything".to_owned()] };
    let fields: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    fields.into_iter().filter(|field| old.get(*field) != new.get(*field)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_basis_is_read_in_all_its_spellings() {
        let clock = Some("2026-03-01T08:00:00.5Z".parse().unwrap());
        let hash = Hash([0xab; 32]);
        let read = |text: &str| GivenBasis::read(text, None).unwrap();
        assert_eq!(read("42"), GivenBasis { sequence: Sequence(42), hash: None, clock: None });
        assert_eq!(read("42@2026-03-01T08:00:00.5Z"), GivenBasis { sequence: Sequence(42), hash: None, clock });
        let json = format!(r#"{{"sequence":42,"hash":"{}","clock":"2026-03-01T08:00:00.5Z"}}"#, hash);
        let whole = GivenBasis { sequence: Sequence(42), hash: Some(hash), clock };
        assert_eq!(read(&json), whole);
        assert_eq!(read(&format!(r#"{{"verdict":"continue","basis":{json}}}"#)), whole);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("42@x.json");
        std::fs::write(&file, &json).unwrap();
        assert_eq!(read(file.to_str().unwrap()), whole);
        assert_eq!(GivenBasis::read("42", clock).unwrap().clock, clock);
        assert_eq!(GivenBasis::read(&json, clock).unwrap(), whole);
    }

    #[test]
    fn what_is_no_basis_is_refused() {
        for text in ["", "x", "-1", "42@", "42@noon", "{}", "{\"sequence\":\"a\"}", "99999999999999999999999"] {
            assert!(GivenBasis::read(text, None).is_err(), "{text}");
        }
        let other = Some("2026-03-01T09:00:00Z".parse().unwrap());
        assert!(GivenBasis::read("42@2026-03-01T08:00:00Z", other).is_err());
    }

    #[test]
    fn answers_differ_in_the_fields_that_differ() {
        let value = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        let before = value(r#"{"a":1,"b":{"c":[1,2]},"d":null}"#);
        assert!(differences(&before, &before).is_empty());
        assert_eq!(differences(&before, &value(r#"{"a":2,"b":{"c":[2,1]},"e":1,"d":null}"#)), ["a", "b", "e"]);
        assert_eq!(differences(&before, &value("[]")), ["everything"]);
    }
}
