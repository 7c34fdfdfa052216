//! `snapshot add | receipt | expire | show | list`.

use std::fmt::Write as _;

use super::args::{SnapshotAction, SnapshotAdd, SnapshotListing};
use super::error::{CliError, Exit};
use super::open::{App, How};
use super::output::{self, word_of};
use super::source::source;
use crate::domain::fact::{Addressed, Receipt, Snapshot};
use crate::service::snapshot::{AddressedPart, SnapshotAnswer, Wanted};

pub fn snapshot(app: &App, action: SnapshotAction) -> Result<Exit, CliError> {
    let how = if matches!(action, SnapshotAction::Add(_)) { How::Create } else { How::Existing };
    let source = source(app, "snapshot", how)?;
    let answer = match action {
        SnapshotAction::Add(add) => source.add_snapshot(snapshot_of(add)?)?,
        SnapshotAction::Receipt(receipt) => source.receipt(Receipt {
            chain: receipt.key.chain,
            snapshot: receipt.key.snapshot,
            object: receipt.object,
            mailbox: receipt.mailbox,
            object_end: receipt.object_end,
            mailbox_end: receipt.mailbox_end,
        })?,
        SnapshotAction::Expire(key) => source.expire(key.chain, key.snapshot)?,
        SnapshotAction::Show(key) => source.snapshot(key.chain, key.snapshot)?,
        SnapshotAction::List(listing) => {
            let SnapshotListing { limit, ref cursor, .. } = listing;
            let cursor = cursor.as_deref().map(str::parse).transpose().map_err(CliError::Usage)?;
            let found = source.snapshots(&wanted(listing)?, cursor, limit.max(1))?;
            output::list(&app.global, &found.items, &found, found.cursor.as_deref(), || {
                let mut text: String = found.items.iter().map(say).collect();
                if found.items.is_empty() {
                    text.push_str("no snapshots\n");
                }
                if let Some(cursor) = &found.cursor {
                    // Writing to a string cannot fail.
                    let _ = writeln!(text, "more: --cursor {cursor}");
                }
                text
            })?;
            return Ok(Exit::Done);
        }
    };
    output::answer(&app.global, &answer, || say(&answer))?;
    Ok(Exit::Done)
}

fn snapshot_of(add: SnapshotAdd) -> Result<Snapshot, CliError> {
    let addressed = match (add.name, add.object) {
        (Some(name), None) => Addressed::Name(name, add.kind),
        (None, Some(object)) => Addressed::Object(object),
        _ => return Err(CliError::usage("snapshot add: give either --name or --object")),
    };
    Ok(Snapshot {
        chain: add.key.chain,
        id: add.key.snapshot,
        from: add.from,
        until: add.until,
        addressed,
        mailbox: add.mailbox,
    })
}

fn wanted(listing: SnapshotListing) -> Result<Wanted, CliError> {
    match (listing.chain, listing.object, listing.name) {
        (Some(chain), None, None) => Ok(Wanted::Chain(chain)),
        (None, Some(object), None) => Ok(Wanted::Object(object)),
        (None, None, Some(name)) => Ok(Wanted::Name(name)),
        _ => Err(CliError::usage("snapshot list: give one of --chain, --object and --name")),
    }
}

fn say(answer: &SnapshotAnswer) -> String {
    let addressed = match &answer.addressed {
        AddressedPart::Name { name, .. } => format!("by name {name}"),
        AddressedPart::Object { object } => format!("by object {object}"),
    };
    let owner = answer.attribution.owner.map_or_else(|| "no single owner".to_owned(), |owner| format!("owner {owner}"));
    let confidence = word_of(&answer.attribution.confidence);
    let settled = if answer.attribution.settled { "settled" } else { "provisional" };
    let expired = if answer.expired { ", expired" } else { "" };
    let mut text = format!(
        "{}/{} {} – {} {addressed}: {owner} ({confidence}, {settled}{expired})\n",
        answer.chain, answer.snapshot, answer.from, answer.until
    );
    if let Some(receipt) = &answer.receipt {
        let _ = match &receipt.object_end {
            Some(end) => writeln!(text, "  receipt: read {} at its start and {end} at its end", receipt.object),
            None => writeln!(
                text,
                "  receipt: read {} at its start; whose data the rest holds is left to the name until --object-end tells",
                receipt.object
            ),
        };
    }
    for candidate in answer.attribution.candidates.iter().filter(|_| answer.attribution.owner.is_none()) {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  candidate {} ({})", candidate.object, word_of(&candidate.confidence));
    }
    text
}
