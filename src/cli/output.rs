//! Printing: answers to standard output, everything else to standard error.

use std::io::{IsTerminal, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use tracing::Level;

use super::args::{Global, Output};
use super::error::CliError;
use super::log;
use crate::domain::interval::Edge;
use crate::report::text::shown;

pub use crate::service::parts::word_of;

/// Prints an answer as the flags want it; `human` gives the text for people.
pub fn answer<T: Serialize>(global: &Global, answer: &T, human: impl FnOnce() -> String) -> Result<(), CliError> {
    match global.output {
        Output::Human => text(&readable(&human())),
        Output::Json => text(&serde_json::to_string_pretty(answer).map_err(unprintable)?),
        Output::Jsonl => text(&serde_json::to_string(answer).map_err(unprintable)?),
    }
}

/// The same of what is read by a program: its text for people is printed as it is.
pub fn exact<T: Serialize>(global: &Global, answer: &T, human: &str) -> Result<(), CliError> {
    match global.output {
        Output::Human => text(human),
        Output::Json | Output::Jsonl => self::answer(global, answer, String::new),
    }
}

/// Prints a list: as JSON lines an item a line, else as one answer. The cursor is where the next part of it begins.
pub fn list<T: Serialize, L: Serialize>(
    global: &Global,
    items: &[T],
    whole: &L,
    cursor: Option<&str>,
    human: impl FnOnce() -> String,
) -> Result<(), CliError> {
    if global.output != Output::Jsonl {
        return answer(global, whole, human);
    }
    items.iter().try_for_each(|item| text(&serde_json::to_string(item).map_err(unprintable)?))?;
    if let Some(cursor) = cursor {
        // The lines have no place for it, and whoever reads them is not to take them for all there is.
        note(&format!("there are more: --cursor {cursor}"));
    }
    Ok(())
}

/// Prints lines to standard output. A reader that has gone away, as `head` does, is no failure.
pub fn text(text: &str) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    let newline = if text.ends_with('\n') || text.is_empty() { "" } else { "\n" };
    match write!(out, "{text}{newline}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(CliError::io("write the answer")),
    }
}

/// Lines as a person may safely read them: an id or a note may have characters in it that turn or hide the text around them, or
/// that a terminal takes for commands.
pub fn readable(text: &str) -> String {
    text.split_inclusive(['\n', '\t'])
        .map(|piece| {
            let words = piece.trim_end_matches(['\n', '\t']);
            shown(words).into_owned() + piece.get(words.len()..).unwrap_or_default()
        })
        .collect()
}

/// Says on standard error why something did not go as it was meant to.
pub fn complain(text: &str) {
    log::say(Level::ERROR, text);
}

/// Says something on standard error, unless nothing but errors is wanted there.
pub fn note(text: &str) {
    log::say(Level::INFO, text);
}

/// Whether standard error may have colours and moving lines.
pub fn is_drawn() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// A progress line on standard error; it draws only on a terminal.
pub fn progress(global: &Global, template: &str) -> ProgressBar {
    let drawn = is_drawn() && !global.quiet;
    let bar = ProgressBar::with_draw_target(
        None,
        if drawn { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() },
    );
    // A template that does not parse is a mistake of ours that a plain line survives.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

/// An edge in words.
pub fn edge(edge: Edge) -> String {
    let text = |bound: Option<crate::domain::time::Instant>| bound.map_or_else(|| "…".to_owned(), |at| at.to_string());
    match edge.as_point() {
        Some(at) => format!("at {at}"),
        None => format!("in ({}, {}]", text(edge.after()), text(edge.by())),
    }
}

fn unprintable(error: serde_json::Error) -> CliError {
    CliError::io("write the answer as JSON")(error.into())
}

#[cfg(test)]
mod tests {
    use super::readable;

    #[test]
    fn lines_stay_and_what_turns_or_hides_text_is_spelled_out() {
        assert_eq!(readable("a\n\tb: шалом\n\nc"), "a\n\tb: шалом\n\nc");
        assert_eq!(readable("chain \u{202e}cA\u{1b}[2J\r\n"), "chain ⟨U+202E⟩cA⟨U+001B⟩[2J⟨U+000D⟩\n");
    }
}
