//! Memory for blocks, in large pages where the system has them.
//!
//! Copies are looked up all over, and a processor knows where some thousand pages are. Pages of 4 KiB make that a few megabytes, and for
//! whatever lies beyond it walks the page tables first; pages of 2 MiB make it all of the copies (`madvise(2)`, `MADV_HUGEPAGE`).
//! Blocks stand in regions, at places of as many units as they need. A place that is free again is given to a block of as many units, or
//! cut for one of fewer; and a region of which much is free can be emptied into the others.

use std::ops::Range;

use memmap2::MmapMut;

use super::BLOCK_BYTES;

/// The memory of some shelves.
#[derive(Default)]
pub(in crate::store::sled) struct Arena {
    regions: Vec<Option<Region>>,
    /// Places that are free again, by how many units they have.
    free: [Vec<Place>; UNITS_MAX + 1],
    /// What nobody has had yet of the newest region.
    fresh: Range<Place>,
    used_units: usize,
    /// What is in no region.
    apart_bytes: usize,
    /// No memory can be had for regions.
    #[cfg(test)]
    is_short: bool,
}

/// A block. Only the arena that it was put into can read it, and take it back.
#[derive(Debug)]
pub(in crate::store::sled) enum Block {
    Placed {
        at: Place,
        bytes: u16,
    },
    /// It is too large for a place, or there was no memory for a region.
    Apart(Box<[u8]>),
}

/// The number of a unit: of the region that it is in, and within that.
type Place = u32;

struct Region {
    memory: MmapMut,
    used_units: usize,
}

const UNIT_BYTES: usize = 128;
/// How many units a block may have in a region.
const UNITS_MAX: usize = BLOCK_BYTES.div_ceil(UNIT_BYTES);
/// A region is mapped at once, and takes memory where it is used. Tests have small ones, to have several.
const REGION_BYTES: usize = if cfg!(test) { 8 << 10 } else { 4 << 20 };
const REGION_UNITS: usize = REGION_BYTES / UNIT_BYTES;
/// A region is emptied when what is free is more than this, and more than the eighth part of what is used.
const SPARE_UNITS: usize = if cfg!(test) { 0 } else { REGION_UNITS };

impl Arena {
    /// About how many bytes of memory it takes.
    pub(in crate::store::sled) fn bytes(&self) -> usize {
        self.units() * UNIT_BYTES + self.apart_bytes
    }

    /// How many of them are in no block.
    pub(in crate::store::sled) fn free_bytes(&self) -> usize {
        (self.units() - self.used_units) * UNIT_BYTES
    }

    pub(super) fn put(&mut self, block: &[u8]) -> Block {
        let units = block.len().div_ceil(UNIT_BYTES);
        if let Ok(bytes) = u16::try_from(block.len())
            && let Some(at) = self.place(units)
            && let Some(region) = self.regions.get_mut(region_of(at)).and_then(Option::as_mut)
            && let Some(memory) = region.memory.get_mut(within(at, block.len()))
        {
            memory.copy_from_slice(block);
            region.used_units += units;
            self.used_units += units;
            return Block::Placed { at, bytes };
        }
        self.apart_bytes += block.len();
        Block::Apart(block.into())
    }

    /// A block as it was put; `None` if it was never put here, or was taken back.
    pub(super) fn get<'a>(&'a self, block: &'a Block) -> Option<&'a [u8]> {
        match block {
            Block::Placed { at, bytes } => {
                let region = self.regions.get(region_of(*at)).and_then(Option::as_ref);
                region.and_then(|region| region.memory.get(within(*at, usize::from(*bytes))))
            }
            Block::Apart(block) => Some(block),
        }
    }

    pub(super) fn take_back(&mut self, block: Block) {
        match block {
            Block::Placed { at, bytes } => {
                let units = usize::from(bytes).div_ceil(UNIT_BYTES);
                if let Some(region) = self.regions.get_mut(region_of(at)).and_then(Option::as_mut) {
                    region.used_units -= units;
                    self.used_units -= units;
                    self.set_free(at..at.saturating_add(Place::try_from(units).unwrap_or_default()));
                }
                if self.used_units == 0 {
                    *self = Self { apart_bytes: self.apart_bytes, ..Self::default() };
                }
            }
            Block::Apart(block) => self.apart_bytes -= block.len(),
        }
    }

    /// If much is free, empties the region that has most of it, and gives its memory back. It wants all blocks that were put.
    pub(in crate::store::sled) fn tidy<'a>(&mut self, blocks: impl Iterator<Item = &'a mut Block>) {
        if self.units() > self.used_units + self.used_units / 8 + SPARE_UNITS {
            self.empty_one(blocks);
        }
    }

    /// Does so if there is any use in it. Says whether it takes less memory now.
    pub(in crate::store::sled) fn squeeze<'a>(&mut self, blocks: impl Iterator<Item = &'a mut Block>) -> bool {
        let before = self.bytes();
        if self.units() > self.used_units + REGION_UNITS {
            self.empty_one(blocks);
        }
        self.bytes() < before
    }

    fn empty_one<'a>(&mut self, blocks: impl Iterator<Item = &'a mut Block>) {
        let regions = self.regions.iter().enumerate().filter_map(|(nth, region)| Some((nth, region.as_ref()?)));
        let emptiest = regions.max_by_key(|(nth, region)| self.given(*nth) - region.used_units).map(|(nth, _)| nth);
        let Some((nth, region)) = emptiest.and_then(|nth| Some((nth, self.regions.get_mut(nth)?.take()?))) else {
            return;
        };
        self.free.iter_mut().for_each(|free| free.retain(|at| region_of(*at) != nth));
        if region_of(self.fresh.start) == nth {
            self.fresh = 0..0;
        }
        self.used_units -= region.used_units;
        // A region that is begun meanwhile may get this one's number, but no block comes twice.
        for block in blocks {
            if let Block::Placed { at, bytes } = block
                && region_of(*at) == nth
                && let Some(bytes) = region.memory.get(within(*at, usize::from(*bytes)))
            {
                *block = self.put(bytes);
            }
        }
    }

    /// A place of so many units, if one may have so many and there is memory.
    fn place(&mut self, units: usize) -> Option<Place> {
        if units > UNITS_MAX {
            return None;
        }
        let larger = self.free.get_mut(units..)?.iter_mut().enumerate();
        let found = larger.filter_map(|(rest, free)| Some((rest, free.pop()?))).next();
        if let Some((rest, at)) = found {
            let behind = at + Place::try_from(units).ok()?;
            self.set_free(behind..behind + Place::try_from(rest).ok()?);
            return Some(at);
        }
        if self.fresh.len() < units {
            let rest = std::mem::take(&mut self.fresh);
            self.set_free(rest);
            self.fresh = self.begin_region()?;
        }
        let at = self.fresh.start;
        self.fresh.start += Place::try_from(units).ok()?;
        Some(at)
    }

    /// Keeps a place that nobody has for who wants one.
    fn set_free(&mut self, place: Range<Place>) {
        if let Some(free) = self.free.get_mut(place.len()).filter(|_| !place.is_empty()) {
            free.push(place.start);
        }
    }

    fn begin_region(&mut self) -> Option<Range<Place>> {
        #[cfg(test)]
        if self.is_short {
            return None;
        }
        let memory = MmapMut::map_anon(REGION_BYTES).ok()?;
        // Where the system has no large pages, or is told not to give any, small ones do.
        #[cfg(target_os = "linux")]
        let _ = memory.advise(memmap2::Advice::HugePage);
        let nth = self.regions.iter().position(Option::is_none).unwrap_or(self.regions.len());
        let start = Place::try_from(nth.checked_mul(REGION_UNITS)?).ok()?;
        let end = start.checked_add(Place::try_from(REGION_UNITS).ok()?)?;
        let region = Some(Region { memory, used_units: 0 });
        match self.regions.get_mut(nth) {
            Some(free) => *free = region,
            None => self.regions.push(region),
        }
        Some(start..end)
    }

    /// How many units blocks have or had.
    fn units(&self) -> usize {
        self.regions.iter().flatten().count() * REGION_UNITS - self.fresh.len()
    }

    /// The same of a region.
    fn given(&self, nth: usize) -> usize {
        REGION_UNITS - if region_of(self.fresh.start) == nth { self.fresh.len() } else { 0 }
    }
}

fn region_of(at: Place) -> usize {
    at as usize / REGION_UNITS
}

/// Where the bytes of a block are in its region.
fn within(at: Place, bytes: usize) -> Range<usize> {
    let start = at as usize % REGION_UNITS * UNIT_BYTES;
    start..start + bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What happens to an arena: a block of so many bytes comes, of which all are alike; one goes; it is tidied; there is no memory for
    /// regions, or there is again.
    #[derive(Clone, Debug)]
    enum Step {
        Put(usize, u8),
        TakeBack(prop::sample::Index),
        Tidy,
        Squeeze,
        Short(bool),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let bytes = prop_oneof![8 => 0_usize..=BLOCK_BYTES, 1 => 0_usize..100_000];
        let step = prop_oneof![
            5 => (bytes, any::<u8>()).prop_map(|(bytes, byte)| Step::Put(bytes, byte)),
            4 => any::<prop::sample::Index>().prop_map(Step::TakeBack),
            1 => Just(Step::Tidy),
            1 => Just(Step::Squeeze),
            1 => any::<bool>().prop_map(Step::Short),
        ];
        prop::collection::vec(step, 0..400)
    }

    fn assert_same(arena: &Arena, blocks: &[Block], twin: &[Vec<u8>]) {
        assert_eq!(blocks.len(), twin.len());
        blocks.iter().zip(twin).for_each(|(block, own)| assert_eq!(arena.get(block), Some(own.as_slice())));
    }

    /// Every unit of its regions is in one place: a block's, a free one, or what nobody had.
    fn assert_all_told(arena: &Arena, blocks: &[Block]) {
        let placed = blocks.iter().filter_map(|block| match block {
            Block::Placed { at, bytes } => Some(*at..*at + u32::from(*bytes).div_ceil(UNIT_BYTES as u32)),
            Block::Apart(_) => None,
        });
        let free = (0..).zip(&arena.free).flat_map(|(units, places)| places.iter().map(move |at| *at..*at + units));
        let mut told: Vec<Place> = placed.chain(free).chain([arena.fresh.clone()]).flatten().collect();
        told.sort_unstable();
        let regions = arena.regions.iter().enumerate().filter(|(_, region)| region.is_some());
        let all: Vec<Place> = regions
            .flat_map(|(nth, _)| nth * REGION_UNITS..(nth + 1) * REGION_UNITS)
            .map(|unit| unit as Place)
            .collect();
        assert_eq!(told, all);
    }

    proptest! {
        #[test]
        fn blocks_stay_what_they_were(steps in steps()) {
            let (mut arena, mut blocks, mut twin) = (Arena::default(), Vec::new(), Vec::new());
            for step in steps {
                match step {
                    Step::Put(bytes, byte) => {
                        twin.push(vec![byte; bytes]);
                        blocks.push(arena.put(&vec![byte; bytes]));
                    }
                    Step::TakeBack(which) if !twin.is_empty() => {
                        let nth = which.index(twin.len());
                        twin.swap_remove(nth);
                        arena.take_back(blocks.swap_remove(nth));
                    }
                    Step::TakeBack(_) => {}
                    Step::Tidy => {
                        let before = arena.bytes();
                        arena.tidy(blocks.iter_mut());
                        // What is left of a region that was begun, and is too small, counts from then on.
                        prop_assert!(arena.is_short || arena.bytes() <= before + BLOCK_BYTES);
                    }
                    Step::Squeeze => {
                        let before = arena.bytes();
                        while arena.squeeze(blocks.iter_mut()) {}
                        prop_assert!(arena.is_short || arena.bytes() <= before + BLOCK_BYTES);
                    }
                    Step::Short(is_short) => arena.is_short = is_short,
                }
                assert_same(&arena, &blocks, &twin);
                assert_all_told(&arena, &blocks);
                prop_assert!(arena.bytes() >= twin.iter().map(Vec::len).sum());
            }
            blocks.into_iter().for_each(|block| arena.take_back(block));
            prop_assert_eq!(arena.bytes(), 0, "nothing is kept for nothing");
        }
    }

    #[test]
    fn a_place_is_used_again() {
        let mut arena = Arena::default();
        let (_kept, gone) = (arena.put(&[1; 300]), arena.put(&[2; 1_000]));
        let before = arena.bytes();
        arena.take_back(gone);
        let again = [arena.put(&[3; 500]), arena.put(&[4; 512])];
        assert_eq!(arena.bytes(), before, "a place of eight units is cut for two blocks of four");
        assert_eq!(again.each_ref().map(|block| arena.get(block).unwrap()[0]), [3, 4]);
    }

    #[test]
    fn what_is_mostly_free_is_given_back() {
        let (mut arena, mut blocks, mut twin) = (Arena::default(), Vec::new(), Vec::new());
        let many = 40 * REGION_BYTES / BLOCK_BYTES;
        for nth in 0..many {
            twin.push(nth.to_le_bytes().repeat(BLOCK_BYTES / 8));
            blocks.extend(twin.last().map(|block| arena.put(block)));
        }
        let full = arena.bytes();
        arena.tidy(blocks.iter_mut());
        assert_eq!(arena.bytes(), full, "what is full stays as it is");
        for nth in (0..many).rev().filter(|nth| nth % 10 != 0) {
            twin.swap_remove(nth);
            arena.take_back(blocks.swap_remove(nth));
        }
        assert_eq!(arena.bytes(), full);
        let mut before = usize::MAX;
        while arena.bytes() < before {
            before = arena.bytes();
            arena.tidy(blocks.iter_mut());
            assert_same(&arena, &blocks, &twin);
            assert_all_told(&arena, &blocks);
        }
        let used: usize = twin.iter().map(Vec::len).sum();
        assert!(arena.bytes() <= used + used / 8 + REGION_BYTES, "{} of {full} for {used}", arena.bytes());
    }
}
