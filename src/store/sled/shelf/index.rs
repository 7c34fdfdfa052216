//! Blocks in the order of what leads to them, made to be looked up in.
//!
//! What a look costs in memory is every line of it that is not at hand, and a tree of nodes has several a level. Here names stand in
//! parts of a hundred or so, as numbers one after the other: of each name the eight bytes behind what all names of the part begin with, and of
//! each part the first sixteen of its first name. The names themselves are looked at only where these numbers are alike.

use std::cmp::Ordering;

use smallvec::SmallVec;

use super::alike_at;
use super::arena::Block;

/// What leads to a block: most are short, and stand where they are, without a further access.
pub(super) type Name = SmallVec<[u8; 16]>;

/// Blocks by their names.
#[derive(Default)]
pub(super) struct Index {
    parts: Vec<Part>,
    /// The beginning of the first name of every part.
    firsts: Vec<u128>,
}

/// Where a block stands, until the next change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    part: usize,
    nth: usize,
}

/// Some blocks that follow each other; at least one.
#[derive(Default)]
struct Part {
    /// What all names begin with.
    shared: SmallVec<[u8; 32]>,
    /// What they go on with.
    heads: Vec<u64>,
    names: Vec<Name>,
    blocks: Vec<Block>,
}

/// How many blocks a part may have.
const PART_MAX: usize = 128;

impl Index {
    /// The last block whose name is not after a key.
    pub(super) fn last_through(&self, key: &[u8]) -> Option<Place> {
        self.last(key, |name| name <= key)
    }

    /// The last block whose name is before a key.
    pub(super) fn last_before(&self, key: &[u8]) -> Option<Place> {
        self.last(key, |name| name < key)
    }

    /// The first of all blocks.
    pub(super) fn first(&self) -> Option<Place> {
        (!self.parts.is_empty()).then_some(Place { part: 0, nth: 0 })
    }

    /// The last of all blocks.
    pub(super) fn end(&self) -> Option<Place> {
        let (part, last) = self.parts.iter().enumerate().next_back()?;
        Some(Place { part, nth: last.names.len().checked_sub(1)? })
    }

    /// The block after a place.
    pub(super) fn next(&self, place: Place) -> Option<Place> {
        let within = Place { nth: place.nth + 1, ..place };
        let beyond = Place { part: place.part + 1, nth: 0 };
        [within, beyond].into_iter().find(|place| self.get(*place).is_some())
    }

    /// The block before a place.
    pub(super) fn previous(&self, place: Place) -> Option<Place> {
        match place.nth.checked_sub(1) {
            Some(nth) => Some(Place { nth, ..place }),
            None => {
                let part = place.part.checked_sub(1)?;
                Some(Place { part, nth: self.parts.get(part)?.names.len().checked_sub(1)? })
            }
        }
    }

    /// A block, and what leads to it.
    pub(super) fn get(&self, place: Place) -> Option<(&[u8], &Block)> {
        let part = self.parts.get(place.part)?;
        Some((part.names.get(place.nth)?, part.blocks.get(place.nth)?))
    }

    /// All blocks in their order.
    pub(super) fn blocks_mut(&mut self) -> impl Iterator<Item = &mut Block> {
        self.parts.iter_mut().flat_map(|part| &mut part.blocks)
    }

    /// Puts blocks in the place of one, which it gives back, or before all others; their names must fit there.
    pub(super) fn replace(&mut self, place: Option<Place>, mut blocks: Vec<(Name, Block)>) -> Option<Block> {
        let Place { part: at, nth } = place.unwrap_or(Place { part: 0, nth: 0 });
        if self.parts.is_empty() {
            self.parts.push(Part::default());
        }
        let part = self.parts.get_mut(at)?;
        // Mostly a block is packed anew and keeps its name, so no name need be counted anew.
        if let ([(name, block)], Some(old)) = (blocks.as_mut_slice(), part.blocks.get_mut(nth))
            && place.is_some()
            && part.names.get(nth) == Some(name)
        {
            std::mem::swap(old, block);
            return blocks.pop().map(|(_, old)| old);
        }
        let old = nth..nth + usize::from(place.is_some());
        let (names, blocks): (Vec<Name>, Vec<Block>) = blocks.into_iter().unzip();
        part.names.splice(old.clone(), names);
        let old = part.blocks.splice(old, blocks).next();
        let cut = match part.names.len() {
            0 => Vec::new(),
            1..=PART_MAX => vec![std::mem::take(part).counted()],
            _ => std::mem::take(part).cut(),
        };
        let firsts: Vec<u128> = cut.iter().filter_map(|part| part.names.first()).map(|name| first(name)).collect();
        // A part that was just begun has no first yet.
        let known = at..(at + 1).min(self.firsts.len()).max(at);
        self.parts.splice(at..=at, cut);
        self.firsts.splice(known, firsts);
        old
    }

    /// The last block of which `is_led` holds, as it does for all names before the key and for none after it.
    fn last(&self, key: &[u8], is_led: impl Fn(&[u8]) -> bool) -> Option<Place> {
        let begins =
            |nth: usize| self.parts.get(nth).and_then(|part| part.names.first()).is_some_and(|name| is_led(name));
        let part = count(&self.firsts, first(key), begins).checked_sub(1)?;
        let within = self.parts.get(part)?;
        let (beginning, rest) = key.split_at(key.len().min(within.shared.len()));
        let count = match beginning.cmp(&within.shared) {
            Ordering::Less => 0,
            Ordering::Greater => within.names.len(),
            Ordering::Equal => {
                count(&within.heads, head(rest), |nth| within.names.get(nth).is_some_and(|name| is_led(name)))
            }
        };
        Some(Place { part, nth: count.checked_sub(1)? })
    }

    #[cfg(test)]
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Name, &Block)> {
        self.parts.iter().flat_map(|part| part.names.iter().zip(&part.blocks))
    }
}

impl Part {
    /// The same with the numbers of its names.
    fn counted(mut self) -> Self {
        let (first, last) = (self.names.first(), self.names.last());
        let shared = first.zip(last).map_or(0, |(first, last)| alike_at(first, last));
        self.shared = first.and_then(|name| name.get(..shared)).unwrap_or_default().into();
        self.heads.clear();
        self.heads.extend(self.names.iter().map(|name| head(name.get(shared..).unwrap_or_default())));
        self
    }

    /// The same in parts of half the size that one may have, or somewhat more.
    fn cut(mut self) -> Vec<Self> {
        let parts = self.names.len() / (PART_MAX / 2);
        let size = self.names.len().div_ceil(parts.max(1)).max(1);
        let mut cut = Vec::with_capacity(parts);
        while self.names.len() > size {
            let at = self.names.len() - size;
            let (names, blocks) = (self.names.split_off(at), self.blocks.split_off(at));
            cut.push(Self { names, blocks, ..Self::default() }.counted());
        }
        self.names.shrink_to_fit();
        self.blocks.shrink_to_fit();
        cut.push(self.counted());
        cut.iter_mut().for_each(|part| part.heads.shrink_to_fit());
        cut.reverse();
        cut
    }
}

/// How many of some names lead to a key, by numbers that stand in their order; where one is the key's own, by the name itself.
fn count<N: Ord + Copy>(numbers: &[N], own: N, leads: impl Fn(usize) -> bool) -> usize {
    let through = numbers.partition_point(|other| *other <= own);
    let alike = numbers.get(..through).unwrap_or_default();
    if alike.last() != Some(&own) {
        return through;
    }
    let (mut low, mut high) = (alike.partition_point(|other| *other < own), through);
    while low < high {
        let middle = low.midpoint(high);
        if leads(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

/// The first bytes as a number. Of two texts the one that is not after the other has no larger one.
fn head(text: &[u8]) -> u64 {
    u64::from_be_bytes(padded(text))
}

/// The same of more bytes.
fn first(text: &[u8]) -> u128 {
    u128::from_be_bytes(padded(text))
}

fn padded<const N: usize>(text: &[u8]) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.iter_mut().zip(text).for_each(|(own, byte)| *own = *byte);
    bytes
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::ops::Bound;

    use proptest::prelude::*;

    use super::*;

    fn block(name: &[u8]) -> Block {
        Block::Apart([b"block of ", name].concat().into())
    }

    fn is_of(block: Option<&Block>, name: Option<&Vec<u8>>) -> bool {
        match (block, name.map(|name| self::block(name))) {
            (None, None) => true,
            (Some(Block::Apart(own)), Some(Block::Apart(other))) => *own == other,
            _ => false,
        }
    }

    fn found(index: &Index, place: Option<Place>) -> Option<Vec<u8>> {
        place.and_then(|place| index.get(place)).map(|(name, found)| {
            assert!(is_of(Some(found), Some(&name.to_vec())));
            name.to_vec()
        })
    }

    /// Names of which many are alike in their first bytes, or shorter than what is counted of them.
    fn names() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            prop::collection::vec(0_u8..3, 0..12),
            (0_u32..100_000).prop_map(|number| format!("somebody{number}").into_bytes()),
            (0_u32..100_000).prop_map(|number| format!("somebody of a long name, number {number}").into_bytes()),
            prop::collection::vec(any::<u8>(), 0..20),
        ]
    }

    proptest! {
        #[test]
        fn it_finds_what_a_plain_map_finds(
            all in prop::collection::btree_set(names(), 1..1_500),
            gone in prop::collection::vec(any::<prop::sample::Index>(), 0..600),
            asked in prop::collection::vec(names(), 60),
        ) {
            // As a shelf does it: now one block is cut into several, now one goes.
            let (mut index, mut twin) = (Index::default(), BTreeMap::new());
            let all: Vec<Vec<u8>> = all.into_iter().collect();
            let (now, later): (Vec<_>, Vec<_>) = all.iter().enumerate().partition(|(nth, _)| nth % 7 == 0);
            index.replace(None, now.iter().map(|(_, name)| (Name::from_slice(name), block(name))).collect());
            twin.extend(now.into_iter().map(|(_, name)| (name.clone(), ())));
            for (_, name) in later {
                let place = index.last_through(name);
                let mut both: Vec<_> = found(&index, place).into_iter().collect();
                both.push(name.clone());
                let old = index.replace(place, both.iter().map(|name| (Name::from_slice(name), block(name))).collect());
                prop_assert!(is_of(old.as_ref(), both.first().filter(|_| place.is_some())), "it gives back what it had");
                twin.insert(name.clone(), ());
            }
            for nth in gone {
                let name = nth.get(&all);
                if twin.remove(name).is_some() {
                    let old = index.replace(index.last_through(name), Vec::new());
                    prop_assert!(is_of(old.as_ref(), Some(name)));
                }
            }
            prop_assert!(index.parts.iter().all(|part| (1..=PART_MAX).contains(&part.names.len())));
            prop_assert_eq!(index.firsts.len(), index.parts.len());
            for key in asked.iter().chain(&all) {
                let before = twin.range::<[u8], _>((Bound::Unbounded, Bound::Excluded(key.as_slice()))).next_back();
                let through = twin.range::<[u8], _>((Bound::Unbounded, Bound::Included(key.as_slice()))).next_back();
                prop_assert_eq!(found(&index, index.last_before(key)), before.map(|(name, ())| name.clone()));
                prop_assert_eq!(found(&index, index.last_through(key)), through.map(|(name, ())| name.clone()));
            }
            let forward = std::iter::successors(index.first(), |place| index.next(*place));
            let forward: Vec<_> = forward.filter_map(|place| found(&index, Some(place))).collect();
            let backward = std::iter::successors(index.end(), |place| index.previous(*place));
            let mut backward: Vec<_> = backward.filter_map(|place| found(&index, Some(place))).collect();
            backward.reverse();
            prop_assert_eq!(&forward, &twin.keys().cloned().collect::<Vec<_>>());
            prop_assert_eq!(forward, backward);
        }
    }
}
