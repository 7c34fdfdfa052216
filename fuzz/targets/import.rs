//! No file from elsewhere, in JSON or as a table, makes the reader panic or go on for ever; each entry has its place in the file.
//!
//! The first byte chooses what the file is said to hold.

use whowas::domain::time::Instant;
use whowas::import::{Reader, Said, What};

pub fn run(data: &[u8]) {
    let Some((kind, file)) = data.split_first() else { return };
    let what = [What::Snapshots, What::Profiles, What::Audits][usize::from(*kind) % 3];
    let Ok(mut reader) = Reader::open(what, file, Instant::from_micros(1_772_409_600_000_000)) else { return };
    let lines = file.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count() as u64 + 1;
    let mut entries = 0;
    while let Ok(Some(entry)) = reader.next_entry() {
        // Not always in order: what is wrong with a page as a whole is told after its items, with the line where it began.
        assert!((1..=lines).contains(&entry.line), "line {} of {lines}", entry.line);
        if let Said::Facts(facts) = &entry.said {
            assert!(!facts.is_empty());
        }
        entries += 1;
        assert!(entries <= file.len() + 1, "more entries than bytes");
    }
    assert!(reader.bytes() <= file.len() as u64);
}
