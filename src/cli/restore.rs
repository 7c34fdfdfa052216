//! `restore FILE`.

use std::fs::File;
use std::io::{self, BufRead, BufReader};

use serde::Serialize;

use super::args::RestoreFileOptions;
use super::error::{CliError, Exit};
use super::open::{App, How};
use super::{output, repair};
use crate::ledger::Restated;
use crate::service::export::{BEGINNING, ExportError, Restored, restore as bring_back};

pub fn restore(app: &App, options: &RestoreFileOptions) -> Result<Exit, CliError> {
    if app.global.tenant.is_some() {
        return Err(CliError::usage(
            "restore: it brings back all that the file has; leave out --tenant and WHOWAS_TENANT",
        ));
    }
    let is_stdin = options.file.as_os_str() == "-";
    let shown = if is_stdin { "standard input".to_owned() } else { options.file.display().to_string() };
    // Nothing is made for a file that is not there, or is no export.
    let mut from: Box<dyn BufRead> = match is_stdin {
        true => Box::new(io::stdin().lock()),
        false => {
            let file = File::open(&options.file).map_err(CliError::io(format!("read {shown}")))?;
            Box::new(BufReader::with_capacity(1 << 20, file))
        }
    };
    let begins = from.fill_buf().map_err(CliError::io(format!("read {shown}")))?;
    if !begins.starts_with(BEGINNING) {
        return Err(CliError::failed(format!("read {shown}"), &NoExport));
    }
    let opened = app.open("restore", How::Restore)?;
    if opened.store.must_be_derived() {
        opened.ledger.rebuild(|_| ())?;
    }
    let bar = output::progress(&app.global, "{spinner} {pos} commits restored [{elapsed}]");
    let restored = bring_back(&opened.ledger, from, options.until_damage, &mut |added| bar.set_position(added));
    bar.finish_and_clear();
    let restored = restored.map_err(|error| failed(error, &shown))?;
    // What is missing may have said what was erased.
    let erasures = match restored.damaged {
        Some(_) => repair::restate(app, &opened)?,
        None => Restated::default(),
    };
    // What was said before something was erased was derived as if it were not.
    if opened.ledger.has_erasures()? {
        opened.ledger.rebuild(|_| ())?;
    }
    opened.store.end_restore()?;
    let answer = Answer { restored, erasures };
    output::answer(&app.global, &answer, || say(&answer, &shown))?;
    Ok(if answer.restored.damaged.is_some() { Exit::Partly } else { Exit::Done })
}

#[derive(Debug, thiserror::Error)]
#[error("it does not begin as an export does; `whowas export` writes one")]
struct NoExport;

#[derive(Serialize)]
struct Answer {
    #[serde(flatten)]
    restored: Restored,
    erasures: Restated,
}

fn say(Answer { restored, erasures }: &Answer, shown: &str) -> String {
    let Restored { commits, added, facts, tenants, damaged } = restored;
    let mut text = format!("{commits} commits of {} tenants are there again", tenants.len());
    if added < commits {
        text.push_str(&format!(", {added} of them brought back now"));
    }
    text.push_str(&format!("; {facts} facts derived anew\n"));
    if let Some(fault) = damaged {
        text.push_str(&format!("{shown}, {fault}; what stands from there on is missing\n"));
    }
    text.push_str(&repair::erasures_text(erasures));
    text
}

fn failed(error: ExportError, shown: &str) -> CliError {
    match error {
        ExportError::Fault(fault) => CliError::Failed(format!(
            "restore from {shown}: {fault}\n  hint: with a whole copy of the file run the same command again, and it goes on; \
             or keep what stands before that line with --until-damage"
        )),
        error => error.into(),
    }
}
