//! The log: what is said on standard error, as lines for people or as JSON for whatever collects it.

use std::io::Write;
use std::sync::OnceLock;

use serde_json::json;
use tracing::Level;
use tracing_subscriber::EnvFilter;

use super::args::{Global, LogFormat};
use super::output;
use crate::clock::Clock;

/// What the flags want: the format, and whether nothing but errors is said. It is set once, when the program starts; before that, lines are
/// for people.
static WANTED: OnceLock<(LogFormat, bool)> = OnceLock::new();

/// Starts the log as the flags want it.
pub fn start(global: &Global) {
    let level = match (global.quiet, global.verbose) {
        (true, _) => "error",
        (false, 0) => "warn",
        (false, 1) => "whowas=info,warn",
        (false, _) => "whowas=debug,info",
    };
    let log = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(level))
        .with_writer(std::io::stderr)
        .with_ansi(output::is_drawn())
        // There is nowhere left to complain if standard error is gone or full, and whoever tries dies of it.
        .log_internal_errors(false)
        .with_target(false);
    match WANTED.get_or_init(|| (global.log, global.quiet)).0 {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().flatten_event(true).with_current_span(false).with_span_list(false).init(),
    }
}

/// Says something whatever the level of the log, unless nothing but errors is wanted: as it stands to people, else as an event like all
/// others.
pub fn say(level: Level, text: &str) {
    let (format, quiet) = WANTED.get().copied().unwrap_or_default();
    if quiet && level != Level::ERROR {
        return;
    }
    let line = match format {
        LogFormat::Json => {
            let now = Clock::new(None).now().to_string();
            json!({"timestamp": now, "level": level.as_str(), "message": text}).to_string()
        }
        LogFormat::Text => output::readable(text),
    };
    // There is nowhere left to complain if standard error is gone.
    let _unprinted = writeln!(std::io::stderr().lock(), "{line}");
}
