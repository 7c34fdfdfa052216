//! `verify` and `rebuild`.

use std::fmt::Write as _;

use serde_json::json;

use super::error::{CliError, Exit};
use super::open::{App, How};
use super::output;

pub fn verify(app: &App) -> Result<Exit, CliError> {
    let opened = app.open("verify", How::Journal)?;
    let bar = output::progress(&app.global, "{spinner} {pos} facts checked [{elapsed}]");
    let report = opened.ledger.verify(|facts| bar.inc(facts));
    bar.finish_and_clear();
    let report = report?;
    output::answer(&app.global, &report, || {
        let mut text = format!(
            "{} tenants, {} commits, {} facts, {} derived records checked\n",
            report.tenants, report.commits, report.facts, report.records
        );
        for difference in &report.differences {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "  record {}: {}", difference.key, difference.why);
        }
        text.push_str(match report.differing {
            0 => "everything holds\n",
            differing if differing == report.unsound => {
                "what was erased and what says so differ; where the record of an erasure was lost with the newest commits, `whowas repair` \
                 names anew what stays erased\n"
            }
            _ => "derived records differ from the journal; `whowas rebuild` derives them anew\n",
        });
        text
    })?;
    Ok(if report.differing == 0 { Exit::Done } else { Exit::Found })
}

pub fn rebuild(app: &App) -> Result<Exit, CliError> {
    let opened = app.open("rebuild", How::Rebuild)?;
    let bar = output::progress(&app.global, "{spinner} {pos} facts replayed [{elapsed}]");
    let commits = opened.ledger.rebuild(|facts| bar.inc(facts));
    bar.finish_and_clear();
    let commits = commits?;
    if opened.store.has_untold_repair()? {
        output::complain(
            "a repair before this was not completed, so nobody was told what it lost: `whowas repair` tells it",
        );
    }
    output::answer(&app.global, &json!({"commits": commits}), || format!("rebuilt from {commits} commits"))?;
    Ok(Exit::Done)
}
