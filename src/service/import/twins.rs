//! Lines that speak of one snapshot: found by hashes, because the lines themselves would not fit into memory.

use sha2::{Digest, Sha256};

use crate::domain::fact::{Addressed, Snapshot};

/// What is kept of a line: 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Mark {
    /// Which snapshot: half of a SHA-256, so two that are not the same never meet by chance.
    key: [u64; 2],
    line: u64,
    /// Its data.
    data: u64,
}

/// The lines seen, in buckets by the first byte of their keys, so that growing and sorting need little room beside them.
#[derive(Default)]
pub(super) struct Twins {
    buckets: Vec<Vec<Mark>>,
    disputed: Vec<[u64; 2]>,
}

impl Twins {
    /// Remembers a line.
    pub fn add(&mut self, line: u64, snapshot: &Snapshot) {
        if self.buckets.is_empty() {
            self.buckets.resize_with(256, Vec::new);
        }
        let key = key(snapshot);
        let Some(bucket) = self.buckets.get_mut((key[0] >> 56) as usize) else { return };
        if bucket.len() == bucket.capacity() {
            bucket.reserve_exact(bucket.len() / 8 + 16);
        }
        bucket.push(Mark { key, line, data: data(snapshot) });
    }

    /// Names every line whose snapshot has other data on another line, with the first such line. Which of them is right is
    /// not known, so none is taken. What was remembered is dropped but for the snapshots in dispute.
    pub fn tell_apart(&mut self, mut tell: impl FnMut(u64, u64)) {
        for mut bucket in std::mem::take(&mut self.buckets) {
            bucket.sort_unstable();
            for marks in bucket.chunk_by(|a, b| a.key == b.key) {
                let Some(first) = marks.first() else { continue };
                let Some(other) = marks.iter().find(|mark| mark.data != first.data) else { continue };
                self.disputed.push(first.key);
                for mark in marks {
                    tell(mark.line, if mark.data == first.data { other.line } else { first.line });
                }
            }
        }
        self.disputed.sort_unstable();
    }

    /// Whether lines dispute about this snapshot.
    pub fn is_disputed(&self, snapshot: &Snapshot) -> bool {
        !self.disputed.is_empty() && self.disputed.binary_search(&key(snapshot)).is_ok()
    }
}

fn key(snapshot: &Snapshot) -> [u64; 2] {
    let (chain, id) = (snapshot.chain.as_str(), snapshot.id.as_str());
    let hash = Sha256::new().chain_update((chain.len() as u64).to_be_bytes()).chain_update(chain).chain_update(id);
    halves(hash)
}

fn data(snapshot: &Snapshot) -> u64 {
    let hash = Sha256::new()
        .chain_update(snapshot.from.as_micros().to_be_bytes())
        .chain_update(snapshot.until.as_micros().to_be_bytes());
    let hash = match &snapshot.mailbox {
        Some(mailbox) => hash.chain_update([1]).chain_update(mailbox.as_bytes()),
        None => hash.chain_update([0]),
    };
    let hash = match &snapshot.addressed {
        Addressed::Object(object) => hash.chain_update([0]).chain_update(object.as_bytes()),
        // Names are compared by their keys, so the same name in another spelling is the same data.
        Addressed::Name(name, kind) => hash.chain_update([1, *kind as u8]).chain_update(name.key().as_str()),
    };
    halves(hash)[0]
}

fn halves(hash: Sha256) -> [u64; 2] {
    let digest = hash.finalize();
    let mut halves = [0; 2];
    for (half, bytes) in halves.iter_mut().zip(digest.chunks(8)) {
        *half = bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    }
    halves
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(chain: &str, id: &str, name: &str) -> Snapshot {
        let at = "2026-03-01T08:00:00Z".parse().unwrap();
        let addressed = Addressed::Name(name.parse().unwrap(), crate::domain::name::NameKind::Any);
        let (chain, id) = (chain.parse().unwrap(), id.parse().unwrap());
        Snapshot { chain, id, from: at, until: at, addressed, mailbox: None }
    }

    #[test]
    fn only_other_data_for_one_snapshot_is_a_dispute() {
        let mut twins = Twins::default();
        for (line, (chain, id, name)) in [
            ("c", "1", "a@x"),
            ("c", "1", "A@X"),
            ("c", "2", "a@x"),
            ("c", "3", "a@x"),
            ("c", "3", "b@x"),
            ("c", "3", "a@x"),
            ("c1", "2", "b@x"),
            ("c", "12", "c@x"),
        ]
        .into_iter()
        .enumerate()
        {
            twins.add(line as u64 + 1, &snapshot(chain, id, name));
        }
        let mut told = Vec::new();
        twins.tell_apart(|line, other| told.push((line, other)));
        told.sort_unstable();
        assert_eq!(told, [(4, 5), (5, 4), (6, 5)]);
        assert!(twins.is_disputed(&snapshot("c", "3", "z@x")) && !twins.is_disputed(&snapshot("c", "1", "a@x")));
        assert_eq!(size_of::<Mark>(), 32);
    }
}
