//! What carved pieces prove: commits that have their own hashes, in one chain from the first on.

use std::collections::{BTreeMap, HashSet};

use super::carve::{Carved, Place, Whole};
use super::directory::Note;
use super::read::Pieces;
use crate::domain::id::{Sequence, TenantId};
use crate::store::key::Key;
use crate::store::record::journal::{JournalV1, PayloadKind};
use crate::store::{Hash, StoreError};

/// What is proved of a tenant's journal.
#[derive(Debug)]
pub(super) struct Proved {
    pub(super) tenant: TenantId,
    /// The commits from 1 on.
    pub(super) chain: Vec<Whole>,
    /// Whole commits beyond the chain's end, whose place in it cannot be proved.
    pub(super) stranded: Vec<(Sequence, Whole)>,
    /// The newest commit of which there is any trace.
    pub(super) newest: Sequence,
}

/// Proves what can be proved of a tenant. `progress` is given the commits looked at.
pub(super) fn prove(
    carved: &Carved,
    tenant: TenantId,
    note: Option<Note>,
    progress: &mut dyn FnMut(u64),
) -> Result<Proved, StoreError> {
    let noted = note.and_then(|note| note.newest).filter(|noted| noted.tenant == tenant);
    let mut layers: Vec<Vec<Whole>> = Vec::new();
    let mut stranded = Vec::new();
    let mut newest = carved.heads.get(&tenant).map_or(Sequence(0), |(sequence, _)| *sequence);
    newest = newest.max(noted.map_or(Sequence(0), |noted| noted.sequence));
    for (sequence, chunks) in carved.pieces.get(&tenant).into_iter().flatten() {
        let whole = commits(carved, tenant, *sequence, chunks)?;
        // What only looks like a piece is no trace of a commit.
        if !whole.is_empty() || chunks.values().flatten().any(|place| place.sound) {
            newest = newest.max(*sequence);
        }
        progress(1);
        if sequence.0 == layers.len() as u64 + 1 {
            let before: HashSet<[u8; 32]> = match layers.last() {
                Some(before) => before.iter().map(|commit| commit.hash.0).collect(),
                None => HashSet::from([Hash::default().0]),
            };
            let (follows, other): (Vec<_>, Vec<_>) =
                whole.into_iter().partition(|commit| before.contains(&commit.previous.0));
            if !follows.is_empty() {
                layers.push(follows);
                continue;
            }
            stranded.extend(other.into_iter().map(|commit| (*sequence, commit)));
        } else {
            stranded.extend(whole.into_iter().map(|commit| (*sequence, commit)));
        }
    }
    // Keys are put together from what pages tell, and may come out wrong. So pieces alone are no trace of a tenant of whom nothing else is known,
    // not even a header of a commit.
    let is_known = noted.is_some() || carved.heads.contains_key(&tenant) || !layers.is_empty() || !stranded.is_empty();
    if !is_known && !has_header(carved, tenant)? {
        newest = Sequence(0);
    }
    let wanted = noted.map(|noted| (noted.sequence, noted.hash));
    Ok(Proved { tenant, chain: choose(layers, wanted), stranded, newest })
}

/// Whether any piece of a tenant's commits is a header of one.
fn has_header(carved: &Carved, tenant: TenantId) -> Result<bool, StoreError> {
    for (sequence, chunks) in carved.pieces.get(&tenant).into_iter().flatten() {
        for first in chunks.get(&0).into_iter().flatten() {
            if JournalV1::read(&carved.read(&Key::Journal { tenant, sequence: *sequence, chunk: 0 }, first)?).is_ok() {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Of the chains that end with the newest commit the one that holds the commit that was noted as acknowledged; else the one
/// that was written last. A second one is what a process left that died before its commit was whole on the disk.
fn choose(layers: Vec<Vec<Whole>>, wanted: Option<(Sequence, Hash)>) -> Vec<Whole> {
    let Some(mut tips) = layers.last().cloned() else { return Vec::new() };
    tips.sort_by_key(|tip| std::cmp::Reverse(tip.weight()));
    let mut chains = tips.into_iter().map(|tip| trace(&layers, tip)).collect::<Vec<_>>().into_iter();
    let Some(first) = chains.next() else { return Vec::new() };
    let Some((sequence, hash)) = wanted else { return first };
    let place = usize::try_from(sequence.0.saturating_sub(1)).unwrap_or(usize::MAX);
    let holds = |chain: &Vec<Whole>| chain.get(place).is_some_and(|commit| commit.hash == hash);
    if holds(&first) { first } else { chains.find(holds).unwrap_or(first) }
}

fn trace(layers: &[Vec<Whole>], tip: Whole) -> Vec<Whole> {
    let mut chain = vec![tip];
    for layer in layers.iter().rev().skip(1) {
        let Some(previous) = chain.last().map(|commit| commit.previous) else { break };
        // The same commit may stand there in two spellings, one with less in it, which is then the one that is meant.
        let before = layer.iter().filter(|commit| commit.hash == previous).max_by_key(|commit| commit.weight());
        chain.extend(before.cloned());
    }
    chain.reverse();
    chain
}

/// The commits of a number that have their hashes, one for each way of putting its pieces together that has.
fn commits(
    carved: &Carved,
    tenant: TenantId,
    sequence: Sequence,
    chunks: &BTreeMap<u16, Vec<Place>>,
) -> Result<Vec<Whole>, StoreError> {
    let mut found = Vec::new();
    // What has a checksum comes first, the latest before the others: nearly always the first way is the right one.
    let best_first = |places: &Vec<Place>| {
        let mut places = places.clone();
        places.sort_by_key(|place| std::cmp::Reverse((place.sound, place.written)));
        places
    };
    let rest: Vec<Vec<Place>> = (1..).map_while(|chunk| chunks.get(&chunk).map(best_first)).collect();
    let ways = rest.iter().try_fold(1usize, |ways, places| ways.checked_mul(places.len()));
    let ways = ways.unwrap_or(WAYS_MAX).min(WAYS_MAX);
    for first in &chunks.get(&0).map(best_first).unwrap_or_default() {
        let bytes = carved.read(&Key::Journal { tenant, sequence, chunk: 0 }, first)?;
        for way in 0..ways {
            let Ok((header, kind)) = JournalV1::read(&bytes) else { break };
            found.extend(put_together(carved, tenant, sequence, (header, kind), (first, &rest), way)?);
        }
    }
    Ok(found)
}

/// One way of putting pieces together: its number tells which of each chunk's places is taken.
fn put_together(
    carved: &Carved,
    tenant: TenantId,
    sequence: Sequence,
    (header, kind): (JournalV1, PayloadKind),
    (first, rest): (&Place, &[Vec<Place>]),
    mut way: usize,
) -> Result<Option<Whole>, StoreError> {
    let mut payload = header.first.clone();
    let mut pieces = vec![*first];
    for places in rest {
        if payload.len() as u64 >= header.payload_bytes {
            break;
        }
        let Some(place) = way.checked_rem(places.len()).and_then(|nth| places.get(nth)) else { return Ok(None) };
        way /= places.len();
        let chunk = u16::try_from(pieces.len()).unwrap_or(u16::MAX);
        payload.extend_from_slice(&carved.read(&Key::Journal { tenant, sequence, chunk }, place)?);
        pieces.push(*place);
    }
    let next = u16::try_from(pieces.len()).unwrap_or(u16::MAX);
    let forgotten = kind.forgotten(&payload);
    let entry = Pieces { sequence, next, header, kind, payload }.entry(tenant).ok();
    Ok(entry.map(|entry| Whole {
        previous: entry.previous,
        hash: entry.hash,
        recorded: entry.commit.recorded,
        pieces,
        forgotten,
    }))
}

/// How many ways of putting one commit's pieces together are tried. Nearly always there is one.
const WAYS_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sled::engine::{Batch, Engine, EngineOptions};

    /// Keys are put together from what the engine's pages tell, and may come out as those of nobody.
    #[test]
    fn what_only_looks_like_pieces_is_no_tenant() {
        let folder = tempfile::TempDir::new().unwrap();
        let engine = Engine::open(folder.path(), EngineOptions::TESTED, None).unwrap();
        let nobody = TenantId::from_bytes([8; 16]);
        let mut batch = Batch::default();
        for (number, chunk) in [(1, 0), (7_163_082_312_780_820_526, 3)] {
            let key = Key::Journal { tenant: nobody, sequence: Sequence(number), chunk }.encode();
            batch.insert(key, b"no header of a commit".to_vec());
        }
        engine.commit(batch, b"key", None).unwrap();
        engine.close().unwrap();
        let carved = Carved::of(folder.path(), None, &mut |_| ()).unwrap();
        assert!(carved.pieces.contains_key(&nobody));
        assert_eq!(prove(&carved, nobody, None, &mut |_| ()).unwrap().newest, Sequence(0));
    }
}
