//! `check --batch`: JSON lines in, a line each out, in order.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;

use serde_json::json;

use super::error::{CliError, Exit};
use super::output;
use super::source::Judge;
use crate::domain::verdict::Ask;
use crate::import::lines::{Line, read_line};
use crate::service::check::CheckRequest;

/// Longest line, in bytes. A longer one is refused like any bad line, without being held in memory.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// How much is read ahead, in bytes.
const AHEAD_BYTES: usize = 256 * 1024;

/// Answers the lines of a file, or of standard input.
pub fn check_file(judge: &dyn Judge, file: &Path) -> Result<Exit, CliError> {
    let mut checker = Checker { judge, waiting: Vec::new(), bad: 0 };
    let mut out = BufWriter::new(std::io::stdout().lock());
    if file == Path::new("-") {
        checker.check(&mut BufReader::with_capacity(AHEAD_BYTES, std::io::stdin().lock()), &mut out)?;
    } else {
        let opened = File::open(file).map_err(CliError::io(format!("read {}", file.display())))?;
        checker.check(&mut BufReader::with_capacity(AHEAD_BYTES, opened), &mut out)?;
    }
    Ok(if checker.bad == 0 { Exit::Done } else { Exit::Partly })
}

/// Answers every line. A line that is no ask is answered with its number and what is wrong with it, and the exit code
/// then says that not every line had a verdict. Whoever waits for an answer before asking on gets it: nothing is held back
/// while the next line is not there yet.
struct Checker<'a> {
    judge: &'a dyn Judge,
    /// Lines that are read and not answered yet.
    waiting: Vec<Result<Ask, (u64, String)>>,
    bad: u64,
}

impl Checker<'_> {
    fn check<R: Read>(&mut self, lines: &mut BufReader<R>, out: &mut dyn Write) -> Result<(), CliError> {
        let mut number = 0u64;
        let mut line = Vec::new();
        loop {
            let is_idle = !lines.buffer().contains(&b'\n');
            let is_full = self.waiting.len() >= self.judge.together();
            if (is_idle || is_full) && !self.answer(out)? {
                return Ok(());
            }
            if is_idle && !is_written(out.flush())? {
                return Ok(());
            }
            let kind = read_line(lines, LINE_BYTES_MAX, &mut line).map_err(CliError::io("read the asks"))?;
            number += 1;
            let asked = match (kind, std::str::from_utf8(&line)) {
                (Line::End, _) => {
                    self.answer(out)?;
                    return is_written(out.flush()).map(drop);
                }
                (Line::TooLong, _) => Err(format!("the line is longer than {LINE_BYTES_MAX} bytes")),
                (_, Err(_)) => Err("the line is not UTF-8 text".to_owned()),
                (_, Ok(text)) if text.trim().is_empty() => continue,
                (_, Ok(text)) => read_ask(text),
            };
            self.waiting.push(asked.map_err(|why| (number, why)));
        }
    }

    /// Answers what waits. False if nobody reads the answers any more.
    fn answer(&mut self, out: &mut dyn Write) -> Result<bool, CliError> {
        let waiting = std::mem::take(&mut self.waiting);
        let asks: Vec<Ask> = waiting.iter().flatten().cloned().collect();
        let answers = self.judge.judge(&asks)?;
        let mut answers = answers.iter();
        for asked in &waiting {
            let text = match asked {
                Ok(_) => serde_json::to_string(&answers.next()),
                Err((number, why)) => {
                    self.bad += 1;
                    output::complain(&format!("line {number}: {why}"));
                    serde_json::to_string(&json!({"line": number, "error": why}))
                }
            };
            let text = text.map_err(|error| CliError::io("write an answer as JSON")(error.into()))?;
            if !is_written(writeln!(out, "{text}"))? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn read_ask(text: &str) -> Result<Ask, String> {
    let request: CheckRequest = serde_json::from_str(text).map_err(|error| {
        format!("it is no ask ({error}); an ask is like {{\"chain\": \"c1\", \"name\": \"ann@contoso.com\"}}")
    })?;
    let is_empty = request.chain.is_none() && request.name.is_none() && request.object.is_none();
    if is_empty { Err("give a chain, a name or an object".to_owned()) } else { Ok(request.into()) }
}

/// Whether somebody still reads. A reader that has gone away, as `head` does, is no failure.
fn is_written(result: std::io::Result<()>) -> Result<bool, CliError> {
    match result {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(CliError::io("write an answer")(error)),
    }
}
