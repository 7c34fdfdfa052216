//! The log: what is said on standard error, as lines for people or as JSON for whatever collects it.

use std::io::Write;
use std::sync::OnceLock;

use serde_json::json;
use tracing::Level;
use tracing_subscriber::EnvFilter;

use super::args::{Global, LogFormat};
use super::output;
use crate::clock::Clock;

/// What the flags want. It is set once, when the program starts; before that, lines are for people.
static FORMAT: OnceLock<LogFormat> = OnceLock::new();

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
        .with_target(false);
    match *FORMAT.get_or_init(|| global.log) {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().flatten_event(true).with_current_span(false).with_span_list(false).init(),
    }
}

/// Says something whatever the level of the log: as it stands to people, else as an event like all others.
pub fn say(level: Level, text: &str) {
    let line = match FORMAT.get() {
        Some(LogFormat::Json) => {
            let now = Clock::new(None).now().to_string();
            json!({"timestamp": now, "level": level.as_str(), "message": text}).to_string()
        }
        _ => output::readable(text),
    };
    // There is nowhere left to complain if standard error is gone.
    let _unprinted = writeln!(std::io::stderr().lock(), "{line}");
}
