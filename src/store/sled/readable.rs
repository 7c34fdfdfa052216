//! Reading what the engine will read, before it does.
//!
//! sled takes a part of its log that cannot be read for the end of it, and overwrites what comes after: a disk that fails a few
//! reads while a ledger is opened would cost it what was acknowledged. So all that the opening rests on is read here first, and
//! with one failure the engine is not opened at all. What was read stands in the operating system's memory, from where the
//! engine then has it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use super::carve::{SEGMENT_HEADER_BYTES, Written, segment_began, segment_bytes, written};
use super::engine::{CONFIG_FILE, DATA_FILE};

/// Reads the headers of all segments, all of those that are newer than the newest snapshot, that snapshot, and the configuration.
/// Says how the log ends.
pub(super) fn check_readable(engine: &Path) -> io::Result<End> {
    let mut file = match File::open(engine.join(DATA_FILE)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(End::Clean),
        file => file?,
    };
    match fs::read(engine.join(CONFIG_FILE)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let known = newest_snapshot(engine)?;
    let segment_bytes = segment_bytes(engine);
    let mut segment = vec![0; segment_bytes];
    let mut offset = 0u64;
    let mut newer: BTreeMap<u64, Written> = BTreeMap::new();
    while read_at(&mut file, offset, segment.get_mut(..SEGMENT_HEADER_BYTES).unwrap_or_default())? > 0 {
        let header = segment.get(..SEGMENT_HEADER_BYTES).unwrap_or_default();
        let began = segment_began(header);
        if let Some(began) = began.filter(|began| began.saturating_add(segment_bytes as u64) > known) {
            let read = read_at(&mut file, offset, &mut segment)?;
            newer.insert(began, written(segment.get(..read).unwrap_or_default(), began, segment_bytes));
        }
        offset = offset.saturating_add(segment_bytes as u64);
    }
    Ok(end_of(&newer, segment_bytes as u64))
}

/// How a log ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// With nothing behind it.
    Clean,
    /// With something behind it that is nothing of it: of an older use of the file, or torn, or damaged.
    Ragged,
    /// Before its end: it goes on behind a place that cannot be read, as after damage; or after the death of a process that wrote
    /// several parts of it at once, none of which was acknowledged.
    Hole,
}

fn end_of(newer: &BTreeMap<u64, Written>, segment_bytes: u64) -> End {
    let Some((last, written)) = newer.last_key_value() else { return End::Clean };
    let goes_on = |began: &u64| newer.contains_key(&began.saturating_add(segment_bytes));
    let is_whole = |(began, written): (&u64, &Written)| *written == Written::Full && goes_on(began);
    if *written == Written::WithHole || !newer.range(..last).all(is_whole) {
        return End::Hole;
    }
    if *written == Written::Ragged { End::Ragged } else { End::Clean }
}

/// How far the log is known to the engine's newest snapshot, which is read.
fn newest_snapshot(engine: &Path) -> io::Result<u64> {
    let mut newest: Option<(u64, std::path::PathBuf)> = None;
    for entry in fs::read_dir(engine)? {
        let entry = entry?;
        let known =
            entry.file_name().to_str().and_then(|name| u64::from_str_radix(name.strip_prefix("snap.")?, 16).ok());
        if let Some(known) = known
            && newest.as_ref().is_none_or(|(before, _)| *before < known)
        {
            newest = Some((known, entry.path()));
        }
    }
    let Some((known, path)) = newest else { return Ok(0) };
    fs::read(path).map(|_| known)
}

/// Reads as much as there is.
fn read_at(file: &mut File, offset: u64, bytes: &mut [u8]) -> io::Result<usize> {
    file.seek(SeekFrom::Start(offset))?;
    let mut read = 0;
    while let Some(rest) = bytes.get_mut(read..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}
