//! `check --batch`: JSON lines in, a line each out, in order.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;

use serde_json::json;

use super::error::{CliError, Exit};
use super::open::runtime;
use super::output;
use crate::import::lines::{Line, read_line};
use crate::ledger::KnownAt;
use crate::service::Desk;
use crate::service::check::{CheckRequest, check, check_live};
use crate::sync::Context;

/// Longest line, in bytes. A longer one is refused like any bad line, without being held in memory.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// Answers the lines of a file, or of standard input.
pub fn check_file(desk: &Desk, context: Option<&Context>, known_at: KnownAt, file: &Path) -> Result<Exit, CliError> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    let bad = if file == Path::new("-") {
        check_batch(desk, context, known_at, &mut BufReader::new(std::io::stdin().lock()), &mut out)?
    } else {
        let opened = File::open(file).map_err(CliError::io(format!("read {}", file.display())))?;
        check_batch(desk, context, known_at, &mut BufReader::new(opened), &mut out)?
    };
    Ok(if bad == 0 { Exit::Done } else { Exit::Partly })
}

/// Answers every line. A line that is no ask is answered with its number and what is wrong with it, and the exit code
/// then says that not every line had a verdict. Whoever waits for an answer before asking on gets it: nothing is held back
/// while the next line is not there yet.
fn check_batch<R: Read>(
    desk: &Desk,
    context: Option<&Context>,
    known_at: KnownAt,
    lines: &mut BufReader<R>,
    out: &mut dyn Write,
) -> Result<u64, CliError> {
    let runtime = context.map(|_| runtime()).transpose()?;
    let (mut number, mut bad) = (0u64, 0u64);
    let mut line = Vec::new();
    loop {
        if !lines.buffer().contains(&b'\n') && !is_written(out.flush())? {
            return Ok(bad);
        }
        let kind = read_line(lines, LINE_BYTES_MAX, &mut line).map_err(CliError::io("read the asks"))?;
        if kind == Line::End {
            return Ok(bad);
        }
        number += 1;
        let asked = match (kind, std::str::from_utf8(&line)) {
            (Line::TooLong, _) => Err(format!("the line is longer than {LINE_BYTES_MAX} bytes")),
            (_, Err(_)) => Err("the line is not UTF-8 text".to_owned()),
            (_, Ok(text)) if text.trim().is_empty() => continue,
            (_, Ok(text)) => serde_json::from_str::<CheckRequest>(text).map_err(|error| error.to_string()),
        };
        let asked = asked.and_then(|request| {
            let empty = request.chain.is_none() && request.name.is_none() && request.object.is_none();
            if empty { Err("give a chain, a name or an object".to_owned()) } else { Ok(request) }
        });
        let answer = match asked {
            Ok(request) => {
                let ask = request.into();
                let answer = match (&runtime, context) {
                    (Some(runtime), Some(context)) => runtime.block_on(check_live(desk, context, &ask))?,
                    _ => check(desk, &ask, known_at)?,
                };
                serde_json::to_string(&answer)
            }
            Err(why) => {
                bad += 1;
                output::note(&format!("line {number}: {why}"));
                serde_json::to_string(&json!({"line": number, "error": why}))
            }
        };
        let answer = answer.map_err(|error| CliError::io("write an answer as JSON")(error.into()))?;
        if !is_written(writeln!(out, "{answer}"))? {
            return Ok(bad);
        }
    }
}

/// Whether somebody still reads. A reader that has gone away, as `head` does, is no failure.
fn is_written(result: std::io::Result<()>) -> Result<bool, CliError> {
    match result {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(CliError::io("write an answer")(error)),
    }
}
