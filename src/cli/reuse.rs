//! `reuse`.

use std::fmt::Write as _;

use super::args::ReuseOptions;
use super::error::{CliError, Exit};
use super::open::{App, How};
use super::output::{self, word_of};
use super::people::{Called, span};
use super::source::source;
use crate::service::reuse::{ReuseHolder, ReuseList};

pub fn reuse(app: &App, options: &ReuseOptions) -> Result<Exit, CliError> {
    let source = source(app, "reuse", How::Existing)?;
    let cursor = options.cursor.as_deref().map(str::parse).transpose().map_err(CliError::Usage)?;
    let found = source.reuse(cursor, options.limit.max(1))?;
    output::list(&app.global, &found.items, &found, found.cursor.as_deref(), || say(&found))?;
    Ok(Exit::Done)
}

fn say(found: &ReuseList) -> String {
    let mut text = String::new();
    for name in &found.items {
        let hot = match (name.hot, name.hot_until) {
            (false, _) => String::new(),
            (true, None) => " — hot for good".to_owned(),
            (true, Some(until)) => format!(" — hot until {until}"),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}{hot}: {}", name.name, name.why.join("; "));
        let called = Called::of(name.holders.iter().map(|holder| &holder.person), []);
        // What was held alike as user principal name and as address is one line.
        let mut lines: Vec<(&ReuseHolder, Vec<String>)> = Vec::new();
        for holder in &name.holders {
            let alike = |known: &ReuseHolder| (known.person.object, known.from, known.until);
            match lines.iter_mut().find(|(known, _)| alike(known) == alike(holder)) {
                Some((_, kinds)) => kinds.push(holder.kind.to_string()),
                None => lines.push((holder, vec![holder.kind.to_string()])),
            }
        }
        for (holder, kinds) in lines {
            let _ = writeln!(
                text,
                "  {} ({}), as {}: {}",
                called.call(holder.person.object),
                word_of(&holder.person.state),
                kinds.join(" and "),
                span(holder.from, holder.until)
            );
        }
    }
    if found.items.is_empty() {
        text.push_str("no name had more than one holder, and none was released lately\n");
    }
    if let Some(cursor) = &found.cursor {
        let _ = writeln!(text, "more: --cursor {cursor}");
    }
    text
}
