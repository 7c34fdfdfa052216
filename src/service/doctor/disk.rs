//! Whether the ledger opens, and whether there is room to write it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Patient, Sheet};
use crate::domain::id::ObjectId;
use crate::domain::time::Instant;
use crate::store::StoreError;
use crate::store::sled::{FREE_BYTES_MIN, Inspection, InspectionKeys, inspect};
use crate::sync::with_causes;

pub(super) fn ledger_sheet(patient: &Patient<'_>) -> Sheet {
    let mut sheet = Sheet::new(None);
    let bytes = ledger(&mut sheet, patient);
    room(&mut sheet, patient.ledger, bytes);
    sheet
}

/// A short command that holds the ledger is waited for so often and so long.
const PATIENCE: (u32, Duration) = (10, Duration::from_millis(200));

/// Looks at the ledger; its size, if it could be looked at.
fn ledger(sheet: &mut Sheet, patient: &Patient<'_>) -> u64 {
    let (path, now) = (patient.ledger, patient.clock.now());
    let shown = path.display();
    let mut tries = 0;
    let found = loop {
        match look(path, now, &patient.keys) {
            Err(Fault { holder: Holder::Somebody, .. }) if tries < PATIENCE.0 => {
                tries += 1;
                std::thread::sleep(PATIENCE.1);
            }
            other => break other,
        }
    };
    match found {
        Ok(Inspection::Nothing) => {
            sheet.ok("ledger", format!("there is none at {shown} yet; `whowas sync` makes it"));
            0
        }
        Ok(Inspection::Whole { bytes, tenants, readable }) => {
            let commits: Vec<String> = tenants.iter().map(|(_, sequence)| sequence.to_string()).collect();
            let what =
                if commits.is_empty() { "empty".to_owned() } else { format!("at commit {}", commits.join(", ")) };
            sheet.ok("ledger", format!("{shown} opens, {what}, {bytes} bytes"));
            erasure(sheet, &readable);
            bytes
        }
        Ok(Inspection::TooLarge { bytes }) => {
            let why =
                format!("{shown} has {bytes} bytes, too many to look at a copy; `whowas verify` looks at all of it");
            sheet.skip("ledger", &why);
            bytes
        }
        // A service holds its ledger for as long as it runs.
        Err(Fault { said, cure, holder: Holder::Service }) => {
            sheet.warn("ledger", said, cure);
            0
        }
        Err(Fault { said, cure, .. }) => {
            sheet.fail("ledger", said, cure);
            0
        }
    }
}

/// How many of them are named.
const NAMED: usize = 5;

/// Tells of people whose names were erased and who have one that can be read.
fn erasure(sheet: &mut Sheet, readable: &[ObjectId]) {
    if readable.is_empty() {
        return;
    }
    let named: Vec<String> = readable.iter().take(NAMED).map(ToString::to_string).collect();
    let more = readable.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(", and for the {more} others") } else { String::new() };
    let said = format!(
        "{} objects whose names were erased have a name that can be read: it was known, or asked for, before it became theirs",
        readable.len()
    );
    sheet.warn("erasure", said, format!("run `whowas redact` again for {}{more}", named.join(" ")));
}

/// Why the ledger could not be looked at.
struct Fault {
    said: String,
    cure: String,
    holder: Holder,
}

/// Who has the ledger open.
enum Holder {
    Nobody,
    Somebody,
    Service,
}

fn look(path: &Path, now: Instant, keys: &InspectionKeys) -> Result<Inspection, Fault> {
    let workspace = tempfile::tempdir().map_err(|error| Fault {
        said: format!("make a copy of the ledger to look at: {error}"),
        cure: "set TMPDIR to a directory with room".to_owned(),
        holder: Holder::Nobody,
    })?;
    inspect(path, workspace.path(), now, keys.clone()).map_err(|error| {
        let holder = match &error {
            StoreError::Held { holder, .. } if holder.command == "serve" => Holder::Service,
            StoreError::Held { .. } | StoreError::HeldBySomeone { .. } => Holder::Somebody,
            _ => Holder::Nobody,
        };
        // What is wrong with the copy is wrong with the ledger.
        let (copy, own) = (workspace.path().display().to_string(), path.display().to_string());
        Fault { said: with_causes(&error).replace(&copy, &own), cure: cure(&error), holder }
    })
}

fn cure(error: &StoreError) -> String {
    let cure = match error {
        StoreError::NewerFormat { .. } => "upgrade whowas to the release that wrote it, or a later one",
        StoreError::NeedsRebuild { .. } | StoreError::OtherRules { .. } => "run `whowas rebuild`",
        StoreError::HeldBySomeone { .. } => "wait until the other process is done",
        StoreError::NotALedger { .. } => "correct path in [ledger] of whowas.toml, or --ledger",
        error => {
            let hint = error.hint();
            let usual = "see that this user may read and write the directory, and that --ledger names the right one";
            return hint.unwrap_or_else(|| usual.to_owned());
        }
    };
    cure.to_owned()
}

/// How much is written to see whether it can be. It is gone before it ever has a name.
const PROBE_BYTES: usize = 64 << 10;
/// How much room there should be at least, in bytes.
const ROOM_BYTES: u64 = 256 << 20;

fn room(sheet: &mut Sheet, path: &Path, bytes: u64) {
    let folder = existing(path);
    let shown = folder.display();
    if let Err(error) = probe(&folder) {
        let cure = match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                "free some space or move the ledger to a larger disk"
            }
            std::io::ErrorKind::ReadOnlyFilesystem => "mount the disk for writing, or move the ledger",
            _ => "let this user write to the directory, or name another with --ledger",
        };
        sheet.fail("disk", format!("nothing can be written to {shown}: {error}"), cure);
        return;
    }
    match fs4::available_space(&folder) {
        Ok(free) if free < FREE_BYTES_MIN => {
            let (free, least) = (mib(free), mib(FREE_BYTES_MIN));
            let said = format!("{free} MiB are free in {shown}, and a sync keeps {least} MiB free");
            sheet.fail("disk", said, "free some space or move the ledger to a larger disk");
        }
        // Verifying and rebuilding derive everything anew beside the ledger.
        Ok(free) if free < ROOM_BYTES.max(bytes) => {
            let free = mib(free);
            let said = format!("only {free} MiB are free in {shown}; `whowas verify` needs as much as the ledger has");
            sheet.warn("disk", said, "free some space or move the ledger to a larger disk");
        }
        Ok(free) => sheet.ok("disk", format!("{} MiB are free in {shown}, and it can be written to", mib(free))),
        Err(error) => {
            sheet.warn("disk", format!("the room in {shown} cannot be measured: {error}"), "see how full the disk is")
        }
    }
}

fn mib(bytes: u64) -> u64 {
    bytes >> 20
}

/// Writes to a file without a name, so nothing of it is ever seen.
fn probe(folder: &Path) -> std::io::Result<()> {
    let mut file = tempfile::tempfile_in(folder)?;
    file.write_all(&[0x77; PROBE_BYTES])?;
    file.sync_all()
}

/// The directory in which something would be written first: the ledger's own, or the nearest one above that is there.
fn existing(path: &Path) -> PathBuf {
    let found = path.ancestors().find(|folder| folder.is_dir());
    match found {
        Some(folder) => folder.to_owned(),
        // A relative path has the working directory above it.
        None => PathBuf::from("."),
    }
}
