//! `redact`.

use std::fmt::Write as _;
use std::sync::Arc;

use serde::Serialize;

use super::args::RedactOptions;
use super::error::{CliError, Exit};
use super::open::{App, ERASURE_KEY, How, Opened};
use super::output;
use crate::ledger::{RedactReport, RedactRequest, Stamp};
use crate::store::ErasureKey;

/// What no ledger can reach.
const BEYOND: [&str; 3] = [
    "exports, reports and access logs that were made before, and backups of the ledger and of the directory",
    "answers that agents and people were given",
    "blocks of the disk that held the old files and are not written over yet",
];

#[derive(Serialize)]
struct Answer {
    dry_run: bool,
    #[serde(flatten)]
    report: RedactReport,
    out_of_reach: [&'static str; 3],
}

pub fn redact(app: &App, options: &RedactOptions) -> Result<Exit, CliError> {
    let opened = app.open("redact", How::Existing)?;
    let tenant = app.tenant(&opened.ledger)?;
    if let Some(aside) = opened.store.set_aside()?.first().filter(|_| !options.dry_run) {
        let aside = aside.display();
        return Err(CliError::Failed(format!(
            "erase names: {aside} still has them, an engine that a repair has put aside; nothing was changed. Remove it, and run \
             the same command again"
        )));
    }
    let Key { key, new } = key(app, &opened)?;
    let objects = options.objects.iter().copied().collect();
    let request = RedactRequest { tenant, objects, by: options.by.clone(), note: options.note.clone() };
    let plan = opened.ledger.plan_redaction(request, key)?;
    let report = if options.dry_run {
        opened.ledger.preview_redaction(&plan)?
    } else {
        let bar = output::progress(&app.global, "{spinner} {pos} facts written anew [{elapsed}]");
        let draft = Arc::new(opened.store.draft()?);
        let stamp = Stamp { now: app.clock.now(), salt: app.clock.salt() };
        let report = opened.ledger.redact_into(&plan, draft.clone(), stamp, |facts| bar.inc(facts))?;
        // Only now: a key that is there for nothing would be taken for the one of an erasure whose record was lost.
        if let Some(new) = new
            && app.keys()?.secret(ERASURE_KEY, new)? != new
        {
            return Err(CliError::Failed(
                "erase names: another command has just made `erasure.key`; nothing was changed, run the same command again"
                    .to_owned(),
            ));
        }
        let draft = Arc::into_inner(draft)
            .ok_or_else(|| CliError::Failed("close the ledger written anew: it is still in use".to_owned()))?;
        opened.into_store()?.replace_with(draft, &mut |_| bar.tick())?;
        bar.finish_and_clear();
        report
    };
    let answer = Answer { dry_run: options.dry_run, report, out_of_reach: BEYOND };
    output::answer(&app.global, &answer, || say(&answer))?;
    Ok(Exit::Done)
}

/// By what names are erased.
struct Key {
    key: ErasureKey,
    /// Its bytes if something is erased for the first time: they are not kept yet.
    new: Option<[u8; 32]>,
}

/// The key, drawn when something is erased for the first time. Another one must never be made for a ledger with erasures, of which
/// the records may be lost while what was erased still stands there.
fn key(app: &App, opened: &Opened) -> Result<Key, CliError> {
    let kept = app.erasure_key()?;
    for tenant in opened.ledger.tenants()? {
        opened.ledger.store().erasure(tenant)?;
    }
    let unnamed = opened.ledger.unnamed_items(kept.as_ref())?;
    match kept {
        _ if unnamed > 0 => {
            let key = if kept.is_some() {
                ""
            } else {
                "put `erasure.key` of the ledger's keys ([ledger] keys) back from a backup, and "
            };
            Err(CliError::Failed(format!(
                "erase names: {unnamed} facts were erased before, and the record of that was lost; nothing was changed. First {key}run \
                 `whowas repair`, which names them anew"
            )))
        }
        Some(key) => Ok(Key { key, new: None }),
        None => {
            let new = app.clock.secret().map_err(CliError::io("draw random bytes for a key".to_owned()))?;
            Ok(Key { key: ErasureKey::new(new), new: Some(new) })
        }
    }
}

fn say(answer: &Answer) -> String {
    let RedactReport { names, texts, commits, items, still_readable, rules } = &answer.report;
    let (would, be) = if answer.dry_run { ("would be ", "") } else { ("", "; everything was checked") };
    // Writing to a string cannot fail.
    let mut text = format!(
        "{names} names, and {texts} ids and anchors with them, {would}erased: {items} facts of {commits} commits {would}replaced{be}\n"
    );
    if !still_readable.is_empty() {
        text.push_str("still readable, because somebody else is or was called so:\n");
        for name in still_readable {
            let _ = writeln!(text, "  {name}");
        }
    }
    if !rules.is_empty() {
        text.push_str(
            "still readable in rules of the mapping, as they are or once were in force; take the names out of the configuration and run \
             `whowas mapping apply`, and what was in force before stays in the journal:\n",
        );
        for rule in rules {
            let _ = writeln!(text, "  {rule}");
        }
    }
    text.push_str("out of reach:\n");
    for beyond in BEYOND {
        let _ = writeln!(text, "  {beyond}");
    }
    text
}
