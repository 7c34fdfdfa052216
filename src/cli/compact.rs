//! `compact`.

use super::error::{CliError, Exit};
use super::open::{App, How};
use super::output;
use crate::store::sled::CompactStep;

pub fn compact(app: &App) -> Result<Exit, CliError> {
    let opened = app.open("compact", How::Journal)?;
    let store = opened.into_store()?;
    let path = store.path().display().to_string();
    let bar = output::progress(&app.global, "{spinner} {pos} records {msg} [{elapsed}]");
    let done = store.compact(&mut |step| {
        let (records, what) = match step {
            CompactStep::Written(records) => (records, "written"),
            CompactStep::Compared(records) => (records, "compared"),
        };
        bar.set_message(what);
        bar.set_position(records);
    });
    bar.finish_and_clear();
    let done = done?;
    output::answer(&app.global, &done, || {
        format!(
            "compacted {path}: {} bytes before, {} after; {} records of {} bytes, all compared",
            done.bytes_before, done.bytes_after, done.records, done.record_bytes
        )
    })?;
    Ok(Exit::Done)
}
