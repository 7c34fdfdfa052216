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

use super::carve::{SEGMENT_HEADER_BYTES, SegmentHeader, Written, segment_bytes, written};
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
    let mut log = Log::default();
    let mut segment = vec![0; segment_bytes];
    let mut offset = 0u64;
    while read_at(&mut file, offset, segment.get_mut(..SEGMENT_HEADER_BYTES).unwrap_or_default())? > 0 {
        match SegmentHeader::read(&segment) {
            Some(header) if header.began.saturating_add(segment_bytes as u64) <= known => {}
            header => {
                let read = read_at(&mut file, offset, &mut segment)?;
                log.note(header, segment.get(..read).unwrap_or_default(), segment_bytes);
            }
        }
        offset = offset.saturating_add(segment_bytes as u64);
    }
    // A log that was closed ends with a whole segment, or one byte before. Another was cut off, or its last process died.
    let (bytes, segment_bytes) = (file.metadata()?.len(), segment_bytes as u64);
    let is_cut = ![0, segment_bytes - 1].contains(&(bytes % segment_bytes));
    let end = log.end(segment_bytes);
    Ok(if end == End::Clean && is_cut { End::Ragged } else { end })
}

/// How a log ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// With nothing behind it.
    Clean,
    /// With something behind it that is nothing of it: of an older use of the file, or torn, or damaged. Or it has gaps, as every log
    /// has whose older parts are no longer needed and were written over.
    Ragged,
    /// Before its end: it goes on behind a place that cannot be read, as after damage; or after the death of a process that wrote
    /// several parts of it at once, none of which was acknowledged.
    Hole,
}

impl End {
    /// Whether an engine of so many bytes is opened as a copy first, because sled may write over what stands behind the end. A large one that
    /// merely ends raggedly is not: most do whose file was used before.
    pub(super) fn wants_copy(self, bytes: u64) -> bool {
        match self {
            Self::Clean => false,
            Self::Ragged => bytes <= RAGGED_BYTES_MAX,
            Self::Hole => true,
        }
    }
}

/// The largest engine that is copied because its log ends raggedly, in bytes.
const RAGGED_BYTES_MAX: u64 = 32 << 20;

/// The part of a log that an opening reads.
#[derive(Default)]
struct Log {
    /// How far each segment is written, by the place where it begins.
    segments: BTreeMap<u64, Written>,
    /// Up to which all of it was on the disk once.
    stable: u64,
    /// Whether there is a segment whose header was destroyed.
    has_unreadable: bool,
}

impl Log {
    fn note(&mut self, header: Option<SegmentHeader>, segment: &[u8], segment_bytes: usize) {
        match header {
            Some(SegmentHeader { began, stable }) => {
                self.stable = self.stable.max(stable);
                self.segments.insert(began, written(segment, began, segment_bytes));
            }
            None => self.has_unreadable |= !is_given_up(segment),
        }
    }

    fn end(&self, segment_bytes: u64) -> End {
        if self.has_unreadable {
            return End::Hole;
        }
        let Some((last, written)) = self.segments.last_key_value() else { return End::Clean };
        // What was on the disk before is written over when it is no longer needed; what comes after it sled reads up to the first gap.
        let tail = self.stable.checked_div(segment_bytes).unwrap_or_default().saturating_mul(segment_bytes);
        let (mut has_hole, mut has_gap) = (*written == Written::WithHole, false);
        for (began, written) in self.segments.range(..last) {
            let goes_on = self.segments.contains_key(&began.saturating_add(segment_bytes));
            has_hole |= *written != Written::Full || (!goes_on && *began >= tail);
            has_gap |= !goes_on;
        }
        match (has_hole, has_gap || *written == Written::Ragged) {
            (true, _) => End::Hole,
            (false, true) => End::Ragged,
            (false, false) => End::Clean,
        }
    }
}

/// Whether a segment without a header is one that was never written, or that sled has given up: it puts zeros over the header alone.
fn is_given_up(segment: &[u8]) -> bool {
    let is_zero = |bytes: &[u8]| bytes.iter().all(|byte| *byte == 0);
    let (header, messages) = segment.split_at(SEGMENT_HEADER_BYTES.min(segment.len()));
    let first = messages.get(..GIVEN_UP_BYTES).unwrap_or(messages);
    is_zero(header) && (!is_zero(first) || is_zero(messages))
}

/// How many bytes of messages tell a header that sled has put zeros over from a page of the disk that was lost.
const GIVEN_UP_BYTES: usize = 512;

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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::engine::{Batch, Engine, EngineOptions, read_first};
    use super::*;

    /// Writes some keys once and others again and again, until the log has gaps where it was written over.
    fn churned(path: &Path) {
        let options = EngineOptions {
            cache_capacity_bytes: 1 << 20,
            patience: Duration::from_secs(60),
            fills: true,
            is_read: false,
            ready_after_bytes: usize::MAX,
        };
        let engine = Engine::open(path, options, None).unwrap();
        for round in 0..240u32 {
            let is_kept = round % 80 < 20;
            let mut batch = Batch::default();
            for key in 0..80u32 {
                let key = if is_kept { 1_000 + round * 80 + key } else { key };
                let value = (0..400u32).flat_map(|nth| nth.wrapping_mul(round).to_le_bytes()).collect();
                batch.insert(key.to_be_bytes().to_vec(), value);
            }
            engine.commit(batch, &[], None).unwrap();
        }
        engine.close().unwrap();
    }

    /// The places of the segments in the file, by where they begin in the log.
    fn segments(bytes: &[u8], segment_bytes: usize) -> BTreeMap<u64, usize> {
        let places = (0..bytes.len()).step_by(segment_bytes);
        places.filter_map(|at| Some((SegmentHeader::read(&bytes[at..])?.began, at))).collect()
    }

    #[test]
    fn a_log_that_was_written_over_has_gaps_and_a_damaged_one_a_hole() {
        let folder = tempfile::TempDir::new().unwrap();
        churned(folder.path());
        let data = folder.path().join(DATA_FILE);
        let sound = fs::read(&data).unwrap();
        let size = segment_bytes(folder.path());
        let places = segments(&sound, size);
        let (first, last) = (places.first_key_value().unwrap().0, places.last_key_value().unwrap().0);
        let full = (last - first) / size as u64 + 1;
        assert!(
            (places.len() as u64) < full,
            "{} of {full} segments are there, so nothing was written over",
            places.len()
        );
        assert_eq!(read_first(folder.path()).unwrap(), End::Ragged);

        let middle = *places.values().nth(places.len() / 2).unwrap();
        let newest = *places.last_key_value().unwrap().1;
        for (what, at, count, mask) in [
            ("a bit of a header", middle + 5, 1, 1u8),
            ("a page with a header", middle, 4096, 0),
            ("a bit of a message", middle + 1000, 1, 1),
            ("a page of messages", middle + 4096, 4096, 0),
            ("a bit of the newest header", newest + 5, 1, 1),
        ] {
            let mut damaged = sound.clone();
            for byte in &mut damaged[at..at + count] {
                *byte = if mask == 0 { 0 } else { *byte ^ mask };
            }
            fs::write(&data, damaged).unwrap();
            assert_eq!(read_first(folder.path()).unwrap(), End::Hole, "{what}");
        }
        // sled does so with a segment that it needs no more.
        let mut given_up = sound.clone();
        given_up[middle..middle + SEGMENT_HEADER_BYTES].fill(0);
        fs::write(&data, given_up).unwrap();
        assert_eq!(read_first(folder.path()).unwrap(), End::Ragged);
    }
}
