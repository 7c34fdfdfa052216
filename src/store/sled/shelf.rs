//! An ordered map of short byte strings that takes little more memory than they do.
//!
//! Neighbouring keys begin alike, so a key stands as what it has beyond the key before it (front coding; I. H. Witten, A. Moffat,
//! T. C. Bell, "Managing Gigabytes", 1999), in blocks of about two kilobytes that begin with a whole key. An index leads to the
//! blocks by as much of their first keys as tells them from the block before. A change packs its block anew.

mod arena;
mod index;

use std::cmp::Ordering;
use std::iter;

use smallvec::SmallVec;

pub(super) use self::arena::Arena;
use self::arena::Block;
use self::index::{Index, Name, Place};
use crate::store::Order;

/// A key, and the value that it has from now on; `None` if it is to go.
pub(super) type Change<'a> = (&'a [u8], Option<&'a [u8]>);

/// The map. Its blocks are in the memory of an arena, the same for whatever is done with it.
#[derive(Default)]
pub(super) struct Shelf {
    /// Blocks, by a text that is after all keys of the block before and not after their own.
    blocks: Index,
    /// What it takes in memory beside its blocks.
    bytes: usize,
}

/// Records of a shelf, copied out of it.
pub(super) struct Gathered {
    bytes: Vec<u8>,
    /// Where each key begins, its value, and what comes behind.
    places: SmallVec<[(usize, usize, usize); 4]>,
}

/// A block that should be there is not, so nobody knows what else there is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Lost;

impl Shelf {
    /// About how many bytes of memory it takes beside its arena.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The value of a key.
    pub(super) fn get<'a>(&'a self, arena: &'a Arena, key: &[u8]) -> Result<Option<&'a [u8]>, Lost> {
        let found = self.blocks.last_through(key).and_then(|place| self.blocks.get(place));
        // Without one it would be in a new block before all others.
        let Some((_, block)) = found else { return Ok(None) };
        let mut block = arena.get(block).ok_or(Lost)?;
        Ok(seek(&mut block, key).and_then(|(entry, is_it)| is_it.then_some(entry.value)))
    }

    /// Copies the first records of a range in an order, as many as wanted at most, each key with a beginning put before it. Says
    /// whether that were all.
    pub(super) fn gather(
        &self,
        arena: &Arena,
        (start, end): (&[u8], Option<&[u8]>),
        order: Order,
        limit: usize,
        beginning: &[u8],
        into: &mut Gathered,
    ) -> Result<bool, Lost> {
        if end.is_some_and(|end| end <= start) {
            return Ok(true);
        }
        match order {
            Order::Forward => self.gather_forward(arena, (start, end), limit, beginning, into),
            Order::Backward => self.gather_backward(arena, (start, end), limit, beginning, into),
        }
    }

    fn gather_forward(
        &self,
        arena: &Arena,
        (start, end): (&[u8], Option<&[u8]>),
        limit: usize,
        beginning: &[u8],
        into: &mut Gathered,
    ) -> Result<bool, Lost> {
        let first = self.blocks.last_through(start).or_else(|| self.blocks.first());
        let mut key = Vec::with_capacity(KEY_BYTES);
        let places = iter::successors(first, |place: &Place| self.blocks.next(*place));
        for (_, block) in places.filter_map(|place| self.blocks.get(place)) {
            let mut within = Within::of(arena.get(block).ok_or(Lost)?, start, end);
            while let Some(value) = within.next(&mut key) {
                if into.places.len() >= limit {
                    return Ok(false);
                }
                into.push(beginning, &key, value);
            }
            if within.is_ended {
                return Ok(true);
            }
        }
        Ok(true)
    }

    fn gather_backward(
        &self,
        arena: &Arena,
        (start, end): (&[u8], Option<&[u8]>),
        limit: usize,
        beginning: &[u8],
        into: &mut Gathered,
    ) -> Result<bool, Lost> {
        let last = end.map_or_else(|| self.blocks.end(), |end| self.blocks.last_before(end));
        let (mut key, mut found) = (Vec::with_capacity(KEY_BYTES), Gathered::default());
        let places = iter::successors(last, |place: &Place| self.blocks.previous(*place));
        for (name, block) in places.filter_map(|place| self.blocks.get(place)) {
            // A block can only be read forward.
            found.clear();
            let mut within = Within::of(arena.get(block).ok_or(Lost)?, start, end);
            while let Some(value) = within.next(&mut key) {
                found.push(&[], &key, value);
            }
            for (key, value) in found.iter().rev() {
                if into.places.len() >= limit {
                    return Ok(false);
                }
                into.push(beginning, key, value);
            }
            if name <= start {
                break;
            }
        }
        Ok(true)
    }

    /// Makes changes, which stand in the order of their keys, one a key.
    pub(super) fn apply(&mut self, arena: &mut Arena, mut changes: &[Change<'_>]) -> Result<(), Lost> {
        while let Some((first, _)) = changes.first() {
            let place = self.blocks.last_through(first);
            let found = place.and_then(|place| self.blocks.get(place));
            let (name, block) = match found {
                Some((name, block)) => (name, arena.get(block).ok_or(Lost)?),
                None => Default::default(),
            };
            let behind = place.map_or_else(|| self.blocks.first(), |place| self.blocks.next(place));
            let count = match behind.and_then(|behind| self.blocks.get(behind)) {
                Some((next, _)) => changes.partition_point(|(key, _)| *key < next),
                None => changes.len(),
            };
            let (own, others) = changes.split_at(count);
            changes = others;
            let packed = pack(name, block, own);
            self.bytes -= if place.is_some() { cost(name) } else { 0 };
            self.bytes += packed.iter().map(|(name, _)| cost(name)).sum::<usize>();
            let packed = packed.into_iter().map(|(name, block)| (name, arena.put(&block))).collect();
            // The old one goes last, so that an arena with no other is not empty in between and gives all its memory back.
            if let Some(old) = self.blocks.replace(place, packed) {
                arena.take_back(old);
            }
        }
        Ok(())
    }

    /// All blocks, which may be put elsewhere in their arena.
    pub(super) fn blocks_mut(&mut self) -> impl Iterator<Item = &mut Block> {
        self.blocks.blocks_mut()
    }
}

/// Room for the few records that most questions want.
impl Default for Gathered {
    fn default() -> Self {
        Self { bytes: Vec::with_capacity(1024), places: SmallVec::new() }
    }
}

impl Gathered {
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.places.clear();
    }

    /// The records in their order.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (&[u8], &[u8])> {
        self.places
            .iter()
            .filter_map(|(start, middle, end)| Some((self.bytes.get(*start..*middle)?, self.bytes.get(*middle..*end)?)))
    }

    fn push(&mut self, beginning: &[u8], key: &[u8], value: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(beginning);
        self.bytes.extend_from_slice(key);
        let middle = self.bytes.len();
        self.bytes.extend_from_slice(value);
        self.places.push((start, middle, self.bytes.len()));
    }
}

/// Room for most keys.
const KEY_BYTES: usize = 128;
/// How large a block may become, unless a single record is larger.
const BLOCK_BYTES: usize = 2048;
/// What the index takes for a block: a name with its first bytes as a number, and where the block is, and room for more.
const PLACE_BYTES: usize = 72;

/// What a block takes in memory beside its arena.
fn cost(name: &[u8]) -> usize {
    PLACE_BYTES + if name.len() > Name::new().inline_size() { name.len() } else { 0 }
}

/// A record in a block.
struct Packed<'a> {
    /// How much the key has of the key before it.
    shared: usize,
    rest: &'a [u8],
    value: &'a [u8],
}

impl Packed<'_> {
    /// Whether its key is after another one, by the key before it.
    fn is_after(&self, before: &[u8], other: &[u8]) -> bool {
        let (beginning, rest) = other.split_at(other.len().min(self.shared));
        let own = before.get(..self.shared).unwrap_or_default();
        own.cmp(beginning).then_with(|| self.rest.cmp(rest)).is_gt()
    }
}

/// The records of a block that are within a range.
struct Within<'a> {
    block: &'a [u8],
    start: &'a [u8],
    end: Option<&'a [u8]>,
    is_begun: bool,
    /// Whether there are records beyond the range, so that no later block has any within it.
    is_ended: bool,
}

impl<'a> Within<'a> {
    fn of(block: &'a [u8], start: &'a [u8], end: Option<&'a [u8]>) -> Self {
        Self { block, start, end, is_begun: false, is_ended: false }
    }

    /// The value of the next record, whose key is put in the place of the one before.
    fn next(&mut self, key: &mut Vec<u8>) -> Option<&'a [u8]> {
        let entry = if self.is_begun {
            take_entry(&mut self.block)?
        } else {
            let (entry, _) = seek(&mut self.block, self.start)?;
            self.is_begun = true;
            key.clear();
            key.extend_from_slice(self.start.get(..entry.shared).unwrap_or_default());
            entry
        };
        key.truncate(entry.shared);
        key.extend_from_slice(entry.rest);
        self.is_ended = self.end.is_some_and(|end| key.as_slice() >= end);
        (!self.is_ended).then_some(entry.value)
    }
}

/// The first record of a block whose key is not before a wanted one, and whether it is that. What its key shares with the one before
/// it, it has in common with the wanted one.
fn seek<'a>(block: &mut &'a [u8], wanted: &[u8]) -> Option<(Packed<'a>, bool)> {
    // How much of the wanted key the one before has, which is before it. So one that shares more with that than this is
    // before it too, and one that shares less is after it.
    let mut alike = 0;
    while let Some(entry) = take_entry(block) {
        match entry.shared.cmp(&alike) {
            Ordering::Greater => {}
            Ordering::Less => return Some((entry, false)),
            Ordering::Equal => {
                let left = wanted.get(alike..)?;
                let common = alike_at(entry.rest, left);
                match (entry.rest.get(common), left.get(common)) {
                    (None, None) => return Some((entry, true)),
                    (Some(_), None) => return Some((entry, false)),
                    (Some(found), Some(left)) if found > left => return Some((entry, false)),
                    _ => alike += common,
                }
            }
        }
    }
    None
}

fn take_entry<'a>(block: &mut &'a [u8]) -> Option<Packed<'a>> {
    let (shared, rest, value) = (take_number(block)?, take_number(block)?, take_number(block)?);
    Some(Packed { shared, rest: take(block, rest)?, value: take(block, value)? })
}

fn take<'a>(block: &mut &'a [u8], bytes: usize) -> Option<&'a [u8]> {
    let (taken, rest) = block.split_at_checked(bytes)?;
    *block = rest;
    Some(taken)
}

/// A number in groups of seven bits, the lowest first (LEB128).
fn take_number(block: &mut &[u8]) -> Option<usize> {
    let (mut number, mut shift) = (0, 0);
    loop {
        let (byte, rest) = block.split_first()?;
        *block = rest;
        number |= usize::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            return Some(number);
        }
        shift += 7;
    }
}

fn put_number(block: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        // Seven bits of it and a mark that more follow.
        block.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    block.push(number as u8);
}

/// How many bytes it takes.
fn number_bytes(number: usize) -> usize {
    let bits = usize::BITS - number.leading_zeros();
    bits.div_ceil(7).max(1) as usize
}

/// How many bytes two texts have in common at their beginning.
fn alike_at(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).take_while(|(one, other)| one == other).count()
}

/// A block with changes made in it, as one or several of about the same size; none if nothing is left.
fn pack(name: &[u8], block: &[u8], changes: &[Change<'_>]) -> Vec<(Name, Vec<u8>)> {
    let packed = pack_as(BLOCK_BYTES, name, block, changes);
    match packed.len() {
        0 | 1 => packed,
        count => {
            let bytes: usize = packed.iter().map(|(_, block)| block.len()).sum();
            pack_as(bytes.div_ceil(count), name, block, changes)
        }
    }
}

/// The same as blocks each of which ends with the record that fills it so far, or before one that it has no room for.
fn pack_as(enough: usize, name: &[u8], mut block: &[u8], changes: &[Change<'_>]) -> Vec<(Name, Vec<u8>)> {
    let mut packer = Packer::new(name, enough);
    let mut changes = changes.iter().peekable();
    let (mut key, mut last) = (Vec::with_capacity(KEY_BYTES), Last::Before { alike: 0 });
    loop {
        let whole = block;
        let Some(entry) = take_entry(&mut block) else { break };
        while let Some((new, value)) = changes.next_if(|(new, _)| entry.is_after(&key, new)) {
            last = packer.push_new(&key, last, new, *value);
        }
        key.truncate(entry.shared);
        key.extend_from_slice(entry.rest);
        let alike = match last {
            // What two keys have in common, all keys between them have.
            Last::Before { alike } => alike.min(entry.shared),
            Last::New(new) => alike_at(new, &key),
        };
        // Most records stay, and stand behind the same one as before.
        let packed = whole.get(..whole.len() - block.len()).filter(|_| alike == entry.shared);
        let change = changes.next_if(|(new, _)| *new == key.as_slice());
        let (value, packed) = match change {
            Some((_, value)) => (*value, None),
            None => (Some(entry.value), packed),
        };
        last = match value {
            Some(value) => {
                packer.push(alike, &key, value, packed);
                Last::Before { alike: key.len() }
            }
            None => Last::Before { alike },
        };
    }
    for (new, value) in changes {
        last = packer.push_new(&key, last, new, *value);
    }
    packer.end()
}

/// Which record was packed last, beside the key of the one that was taken last from the block before.
#[derive(Clone, Copy)]
enum Last<'a> {
    /// That one or one before it, or none, with so much in common.
    Before { alike: usize },
    /// One after it, which the block had not.
    New(&'a [u8]),
}

/// Packs records that come in the order of their keys.
struct Packer {
    /// From how many bytes on a block takes no more.
    enough: usize,
    packed: Vec<(Name, Vec<u8>)>,
    name: Name,
    block: Vec<u8>,
}

impl Packer {
    fn new(name: &[u8], enough: usize) -> Self {
        Self { enough, packed: Vec::new(), name: name.into(), block: Vec::with_capacity(BLOCK_BYTES) }
    }

    /// Packs a record that the block had not, if it is to be there.
    fn push_new<'a>(&mut self, key: &[u8], last: Last<'a>, new: &'a [u8], value: Option<&[u8]>) -> Last<'a> {
        let Some(value) = value else { return last };
        let alike = match last {
            Last::Before { alike } => alike.min(alike_at(key, new)),
            Last::New(last) => alike_at(last, new),
        };
        self.push(alike, new, value, None);
        Last::New(new)
    }

    /// Packs a record whose key has so much in common with the last one's. It may be packed already for such a place.
    fn push(&mut self, alike: usize, key: &[u8], value: &[u8], packed: Option<&[u8]>) {
        let rest = key.len().saturating_sub(alike);
        let bytes = [alike, rest, value.len()].into_iter().map(number_bytes).sum::<usize>() + rest + value.len();
        let is_full = self.block.len() >= self.enough || self.block.len() + bytes > BLOCK_BYTES;
        if !self.block.is_empty() && is_full {
            self.close();
            // It comes after the last one, so it has a byte more than what both have in common.
            self.name = key.get(..=alike).unwrap_or(key).into();
        }
        let shared = if self.block.is_empty() { 0 } else { alike };
        match packed.filter(|_| shared == alike) {
            Some(packed) => self.block.extend_from_slice(packed),
            None => {
                let rest = key.get(shared..).unwrap_or_default();
                [shared, rest.len(), value.len()].into_iter().for_each(|number| put_number(&mut self.block, number));
                self.block.extend_from_slice(rest);
                self.block.extend_from_slice(value);
            }
        }
    }

    fn close(&mut self) {
        let block = std::mem::replace(&mut self.block, Vec::with_capacity(BLOCK_BYTES));
        self.packed.push((std::mem::take(&mut self.name), block));
    }

    fn end(mut self) -> Vec<(Name, Vec<u8>)> {
        if !self.block.is_empty() {
            self.packed.push((self.name, self.block));
        }
        self.packed
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    type Twin = BTreeMap<Vec<u8>, Vec<u8>>;
    type Records = Vec<(Vec<u8>, Vec<u8>)>;

    /// Keys that often begin alike, of which some are the beginning of others.
    fn keys() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            prop::collection::vec(0_u8..3, 0..6),
            (0_u16..2_000).prop_map(|number| number.to_be_bytes().to_vec()),
            prop::collection::vec(prop_oneof![Just(0), Just(255)], 0..300),
        ]
    }

    fn values() -> impl Strategy<Value = Option<Vec<u8>>> {
        prop_oneof![
            3 => prop::collection::vec(any::<u8>(), 0..60).prop_map(Some),
            1 => (0_usize..20_000).prop_map(|bytes| Some(vec![7; bytes])),
            2 => Just(None),
        ]
    }

    fn batches() -> impl Strategy<Value = Vec<BTreeMap<Vec<u8>, Option<Vec<u8>>>>> {
        prop::collection::vec(prop::collection::btree_map(keys(), values(), 0..60), 0..20)
    }

    fn records_of(mut block: &[u8]) -> Vec<(usize, Vec<u8>)> {
        let (mut records, mut key) = (Vec::new(), Vec::new());
        while let Some(entry) = take_entry(&mut block) {
            key.truncate(entry.shared);
            key.extend_from_slice(entry.rest);
            records.push((entry.shared, key.clone()));
        }
        records
    }

    /// Whether each record of a block shares with the one before it all that both have in common, and the first one nothing.
    fn is_front_coded(block: &[u8]) -> bool {
        let records = records_of(block);
        let pairs = records.iter().zip(records.iter().skip(1));
        records.first().is_none_or(|(shared, _)| *shared == 0)
            && pairs.into_iter().all(|((_, before), (shared, key))| *shared == alike_at(before, key))
    }

    fn gathered(
        (shelf, arena): (&Shelf, &Arena),
        range: (&[u8], Option<&[u8]>),
        order: Order,
        limit: usize,
    ) -> (Records, bool) {
        let mut into = Gathered::default();
        let all = shelf.gather(arena, range, order, limit, b"at", &mut into).unwrap();
        let found = into.iter().map(|(key, value)| (key.strip_prefix(b"at").unwrap().to_vec(), value.to_vec()));
        (found.collect(), all)
    }

    proptest! {
        #[test]
        fn it_is_the_map_that_a_plain_one_is(
            batches in batches(),
            asked in prop::collection::vec(keys(), 20),
            ranges in prop::collection::vec((keys(), prop::option::of(keys()), 0_usize..200), 20),
        ) {
            // Another one has its blocks in the same arena, and is given half of every batch.
            let (mut shelf, mut other, mut arena) = (Shelf::default(), Shelf::default(), Arena::default());
            let (mut twin, mut other_twin) = (Twin::new(), Twin::new());
            for batch in &batches {
                let changes: Vec<Change<'_>> = batch.iter().map(|(key, value)| (key.as_slice(), value.as_deref())).collect();
                let half = changes.len() / 2;
                shelf.apply(&mut arena, &changes).unwrap();
                other.apply(&mut arena, &changes[..half]).unwrap();
                arena.tidy(shelf.blocks_mut().chain(other.blocks_mut()));
                for (nth, (key, value)) in batch.iter().enumerate() {
                    for twin in [Some(&mut twin), Some(&mut other_twin).filter(|_| nth < half)].into_iter().flatten() {
                        match value {
                            Some(value) => drop(twin.insert(key.clone(), value.clone())),
                            None => drop(twin.remove(key)),
                        }
                    }
                }
                for (shelf, twin) in [(&shelf, &twin), (&other, &other_twin)] {
                    let whole = gathered((shelf, &arena), (&[], None), Order::Forward, usize::MAX).0;
                    prop_assert_eq!(whole, twin.clone().into_iter().collect::<Vec<_>>());
                    let blocks = || shelf.blocks.iter().map(|(_, block)| arena.get(block).unwrap());
                    prop_assert!(blocks().all(is_front_coded));
                    prop_assert!(blocks().all(|block| block.len() <= BLOCK_BYTES || records_of(block).len() == 1));
                }
            }
            for key in asked.iter().chain(twin.keys()) {
                prop_assert_eq!(shelf.get(&arena, key), Ok(twin.get(key).map(Vec::as_slice)));
            }
            for (start, end, limit) in &ranges {
                let mut within: Vec<_> = twin.iter().filter(|(key, _)| *key >= start && end.as_ref().is_none_or(|end| *key < end)).collect();
                for order in [Order::Forward, Order::Backward] {
                    let (found, all) = gathered((&shelf, &arena), (start, end.as_deref()), order, *limit);
                    let expected: Vec<_> = within.iter().take(*limit).map(|(key, value)| ((*key).clone(), (*value).clone())).collect();
                    prop_assert_eq!(&found, &expected);
                    prop_assert_eq!(all, within.len() <= *limit);
                    within.reverse();
                }
            }
            let bytes: usize = shelf.blocks.iter().map(|(name, _)| cost(name)).sum();
            prop_assert_eq!(shelf.bytes(), bytes);
            // Nothing is kept for nothing, and no block is forgotten.
            for (shelf, twin) in [(&mut shelf, twin), (&mut other, other_twin)] {
                let all: Vec<Change<'_>> = twin.keys().map(|key| (key.as_slice(), None)).collect();
                shelf.apply(&mut arena, &all).unwrap();
                prop_assert_eq!(shelf.bytes(), 0);
            }
            prop_assert_eq!(arena.bytes(), 0);
        }
    }

    /// What is not where it should be is never taken for nothing.
    #[test]
    fn a_block_that_is_lost_is_said() {
        let (mut shelf, mut arena) = (Shelf::default(), Arena::default());
        shelf.apply(&mut arena, &[(b"anna", Some(b"one")), (b"berta", Some(b"two"))]).unwrap();
        let lost = Arena::default();
        assert_eq!(shelf.get(&arena, b"carl"), Ok(None));
        assert_eq!(shelf.get(&lost, b"anna"), Err(Lost));
        for order in [Order::Forward, Order::Backward] {
            let mut into = Gathered::default();
            assert_eq!(shelf.gather(&lost, (b"", None), order, 9, b"", &mut into), Err(Lost));
        }
        assert_eq!(shelf.apply(&mut Arena::default(), &[(b"anna", None)]), Err(Lost));
    }

    #[test]
    fn numbers_take_the_bytes_that_are_told() {
        for number in [0, 1, 127, 128, 300, 16_383, 16_384, 1 << 40, usize::MAX] {
            let mut block = Vec::new();
            put_number(&mut block, number);
            assert_eq!((block.len(), take_number(&mut block.as_slice())), (number_bytes(number), Some(number)));
        }
    }

    /// A block that is full, of which one record gets another value, is not cut for it.
    #[test]
    fn what_stays_as_large_stays_in_its_block() {
        let (mut shelf, mut arena) = (Shelf::default(), Arena::default());
        let records: Vec<[u8; 4]> = (0_u32..200).map(u32::to_be_bytes).collect();
        let all: Vec<Change<'_>> = records.iter().map(|key| (key.as_slice(), Some([1; 90].as_slice()))).collect();
        shelf.apply(&mut arena, &all).unwrap();
        let before = (shelf.blocks.iter().count(), arena.bytes());
        for key in &records {
            shelf.apply(&mut arena, &[(key, Some(&[2; 90]))]).unwrap();
        }
        assert_eq!(shelf.blocks.iter().count(), before.0);
        // The new block is there before the old one goes.
        assert!(arena.bytes() <= before.1 + 2 * BLOCK_BYTES, "{} after {}", arena.bytes(), before.1);
    }

    #[test]
    fn what_no_longer_fits_is_cut_in_halves() {
        let (mut shelf, mut arena) = (Shelf::default(), Arena::default());
        let bytes = |shelf: &Shelf, arena: &Arena| -> Vec<usize> {
            shelf.blocks.iter().map(|(_, block)| arena.get(block).unwrap().len()).collect()
        };
        for number in (0_u32..).map(|number| number.wrapping_mul(0x9e37_79b1)) {
            shelf.apply(&mut arena, &[(&number.to_be_bytes(), Some(&[1; 90]))]).unwrap();
            if shelf.blocks.iter().count() > 1 {
                break;
            }
        }
        let halves = bytes(&shelf, &arena);
        assert!(halves.len() == 2 && halves.iter().all(|half| (900..1_200).contains(half)), "{halves:?}");
    }

    #[test]
    fn what_comes_in_order_is_packed_closely() {
        let (mut shelf, mut arena, mut plain) = (Shelf::default(), Arena::default(), 0);
        let records: Vec<(Vec<u8>, Vec<u8>)> = (0_u32..20_000)
            .map(|number| ([b"someone".as_slice(), &(number * 77).to_be_bytes()].concat(), vec![1; 90]))
            .collect();
        for some in records.chunks(500) {
            let changes: Vec<Change<'_>> =
                some.iter().map(|(key, value)| (key.as_slice(), Some(value.as_slice()))).collect();
            shelf.apply(&mut arena, &changes).unwrap();
            plain += some.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>();
        }
        let bytes = shelf.bytes() + arena.bytes();
        assert!(bytes < plain + plain / 10, "{bytes} for {plain}");
        let last = gathered((&shelf, &arena), (&[], None), Order::Backward, 1);
        assert_eq!(last, (records.last().cloned().into_iter().collect(), false));
    }
}
