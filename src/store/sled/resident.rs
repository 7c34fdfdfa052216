//! Copies of records in memory, for a process that answers many questions.
//!
//! The engine keeps whole pages as it uses them, so a million users fit into its cache only at many times their bytes, and a
//! page that is not there is read and decoded anew for one record in it. What questions read most is therefore kept packed
//! ([`Shelf`]): objects and names, owners of chains, snapshots. Each of these *groups* is here whole, or not
//! at all, so that nobody reads one half of a commit here and the other from the engine.
//!
//! A copy never trails: whoever writes to the engine puts the same records here before anybody may know of them
//! ([`Resident::writing`]), and what is copied from the engine is read while nobody writes. After a failed write whole groups
//! stay as they were before it, which is what is acknowledged, and nothing more is copied. For a moment the engine is ahead of the
//! copies, so a record that the engine alone leads to is read there as well. Each record has a checksum with its key, which is compared
//! whenever it is read.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering as Atomic};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crossbeam_utils::sync::{ShardedLock, ShardedLockReadGuard, ShardedLockWriteGuard};

use super::engine::{Engine, Range, pass};
use super::read::{damaged, decode_key};
use super::shelf::{Arena, Change, Gathered, Lost, Shelf};
use crate::domain::id::TenantId;
use crate::store::codec::{self, RecordError};
use crate::store::key::{self, FIELDS_AT, Prefix};
use crate::store::{Order, Residency, StoreError};

/// The kinds of records in each group, in their order. What is first is worth most.
const GROUPS: [&[u8]; 3] = [
    &[key::OBJECT, key::POSTING, key::VACANCY],
    &[key::OBJECT_CHAIN, key::TALLY],
    &[key::SNAPSHOT, key::SNAPSHOT_PLACE, key::NAME_SNAPSHOT],
];

/// The copies.
#[derive(Default)]
pub(super) struct Resident {
    /// Whether there is any reason to look at the rest.
    is_on: AtomicBool,
    /// Every thread that reads has a lock of its own, so that they do not hinder one another.
    shelves: ShardedLock<Shelves>,
    /// Held by whoever writes to the engine, and by whoever copies from it.
    turn: Mutex<Filling>,
}

/// How far the copying is.
#[derive(Default)]
pub(super) struct Filling {
    /// The group that is copied, and the key as the engine has it from which on it is still to be done. `None` if nothing is.
    next: Option<(usize, Vec<u8>)>,
}

/// Records by their keys, in order. `None` if they are to go.
pub(super) type Records = Vec<(Vec<u8>, Option<Vec<u8>>)>;

impl Resident {
    /// Begins to keep copies, of so many bytes at most. They are made by [`Self::fill`].
    pub(super) fn begin(&self, bytes_max: u64) {
        let mut turn = self.turn();
        *self.shelves_mut() = Shelves::begun(usize::try_from(bytes_max).unwrap_or(usize::MAX));
        turn.next = Some((0, Vec::new()));
        self.is_on.store(true, Atomic::Release);
    }

    pub(super) fn residency(&self) -> Residency {
        let Some(shelves) = self.shelves() else { return Residency::default() };
        let [names, chains, snapshots] = shelves.groups.each_ref().map(|group| group.state);
        let any = |state| [names, chains, snapshots].contains(&state);
        Residency {
            bytes: u64::try_from(shelves.bytes()).unwrap_or(u64::MAX),
            names: names == State::Whole,
            chains: chains == State::Whole,
            snapshots: snapshots == State::Whole,
            filling: any(State::Filling),
            too_large: any(State::TooLarge),
        }
    }

    /// Copies some more records. Says whether there is more to do.
    ///
    /// # Errors
    /// What the engine cannot read; then no copy is kept any more.
    pub(super) fn fill(&self, engine: &Engine) -> Result<bool, StoreError> {
        let mut turn = self.turn();
        self.forget_half_changes(&mut turn);
        let Some((nth, from)) = turn.next.take() else { return Ok(false) };
        let copied = copied(engine, GROUPS.get(nth).copied().unwrap_or_default(), from);
        let (records, next) = copied.inspect_err(|_| self.forget(&mut turn))?;
        let records = checksummed(records);
        let mut shelves = self.shelves_mut();
        shelves.put(&records);
        turn.next = match next {
            Some(next) if shelves.is_filling(nth) => Some((nth, next)),
            _ => {
                shelves.end(nth);
                (nth + 1 < GROUPS.len()).then(|| (nth + 1, Vec::new()))
            }
        };
        Ok(turn.next.is_some())
    }

    /// Writes records to the engine, and puts them here as soon as they are in it.
    pub(super) fn writing(
        &self,
        records: Records,
        write: impl FnOnce() -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut turn = self.turn();
        // Nobody knows what of it is in the engine now, so what is not copied yet cannot be.
        write().inspect_err(|_| self.end_filling(&mut turn))?;
        self.forget_half_changes(&mut turn);
        if self.is_on() {
            let records = checksummed(records);
            self.shelves_mut().put(&records);
        }
        Ok(())
    }

    /// Writes to the engine what is not put here, after which no copy is kept any more.
    pub(super) fn overturning(&self, write: impl FnOnce() -> Result<(), StoreError>) -> Result<(), StoreError> {
        let mut turn = self.turn();
        self.forget(&mut turn);
        write()
    }

    /// What `read` makes of a record, if there is one; `None` if the engine must be asked.
    pub(super) fn get<T>(
        &self,
        key: &[u8],
        read: impl FnOnce(&[u8]) -> Result<T, RecordError>,
    ) -> Option<Result<Option<T>, RecordError>> {
        let shelves = self.shelves()?;
        let (group, beginning, rest) = shelves.whole(key)?;
        let found = match group.shelves.get(beginning) {
            Some(shelf) => shelf.get(&group.arena, rest).ok()?,
            None => None,
        };
        Some(found.map(|record| checked(key, record).and_then(read)).transpose())
    }

    /// Gives the records of a range to `each`, in order of their keys, until it breaks off. Gives back what of the range the
    /// engine must be asked for.
    pub(super) fn scan(
        &self,
        mut range: Range,
        order: Order,
        mut each: impl FnMut(&[u8], Result<&[u8], RecordError>) -> Result<ControlFlow<()>, StoreError>,
    ) -> Result<Option<Range>, StoreError> {
        let (mut some, mut limit) = (Gathered::default(), GATHERED_FIRST);
        loop {
            some.clear();
            // They are copied out, because `each` may read more, and whoever waits to write stands before further readers.
            let Some(is_all) = self.gather(&range, order, limit, &mut some) else { return Ok(Some(range)) };
            for (key, record) in some.iter() {
                if each(key, checked(key, record))?.is_break() {
                    return Ok(None);
                }
            }
            let Some((last, _)) = some.iter().next_back().filter(|_| !is_all) else { return Ok(None) };
            pass(&mut range, last, order);
            limit = (limit * 4).min(GATHERED_MAX);
        }
    }

    /// Whether nothing is in a range for sure.
    pub(super) fn lacks(&self, range: &Range) -> bool {
        let mut found = Gathered::default();
        self.gather(range, Order::Forward, 1, &mut found).is_some() && found.iter().next().is_none()
    }

    fn gather(&self, (start, end): &Range, order: Order, limit: usize, into: &mut Gathered) -> Option<bool> {
        let shelves = self.shelves()?;
        let (group, beginning, start) = shelves.whole(start)?;
        let end = match end.as_deref()?.strip_prefix(beginning.as_slice()) {
            Some(end) => Some(end),
            // Or else where the next kind begins.
            None if *end == Prefix::kind(beginning).end() => None,
            None => return None,
        };
        let Some(shelf) = group.shelves.get(beginning) else { return Some(true) };
        shelf.gather(&group.arena, (start, end), order, limit, beginning, into).ok()
    }

    /// Copies no more groups; those that are whole stay.
    fn end_filling(&self, turn: &mut Filling) {
        turn.next = None;
        let mut shelves = self.shelves_mut();
        for group in shelves.groups.iter_mut().filter(|group| group.state == State::Filling) {
            *group = Group::default();
        }
    }

    fn forget(&self, turn: &mut Filling) {
        turn.next = None;
        self.is_on.store(false, Atomic::Release);
        *self.shelves_mut() = Shelves::default();
    }

    /// Whoever panics while changing the copies leaves half of a change, which is worth no memory.
    fn forget_half_changes(&self, turn: &mut Filling) {
        if self.shelves.is_poisoned() && self.is_on() {
            self.forget(turn);
        }
    }

    /// Whether the rest is worth a look.
    fn is_on(&self) -> bool {
        self.is_on.load(Atomic::Acquire)
    }

    pub(super) fn turn(&self) -> MutexGuard<'_, Filling> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is to be read of the copies; `None` if the engine must be asked. After a panic in the midst of a change that is so for good:
    /// half a change could say that there is no such record.
    fn shelves(&self) -> Option<ShardedLockReadGuard<'_, Shelves>> {
        if self.is_on() { self.shelves.read().ok() } else { None }
    }

    fn shelves_mut(&self) -> ShardedLockWriteGuard<'_, Shelves> {
        self.shelves.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many records are copied from the engine at a time, while writers wait.
const COPIED_AT_ONCE: usize = 512;
/// How many records of a range are copied out at first: most questions want one, and know by the second that it is all. Each
/// further time it is four times as many.
const GATHERED_FIRST: usize = 2;
const GATHERED_MAX: usize = 128;
const CHECKSUM_BYTES: usize = 4;

/// What is read by all and changed by one.
#[derive(Default)]
struct Shelves {
    groups: [Group; GROUPS.len()],
    bytes_max: usize,
}

#[derive(Default)]
struct Group {
    state: State,
    /// By the tenant and the kind, with which their keys begin.
    shelves: HashMap<[u8; FIELDS_AT], Shelf>,
    arena: Arena,
    /// What the shelves take in memory beside their arena.
    shelves_bytes: usize,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Off,
    Filling,
    Whole,
    TooLarge,
}

impl Shelves {
    fn begun(bytes_max: usize) -> Self {
        let group = || Group { state: State::Filling, ..Group::default() };
        Self { groups: std::array::from_fn(|_| group()), bytes_max }
    }

    fn bytes(&self) -> usize {
        self.groups.iter().map(|group| group.shelves_bytes + group.arena.bytes()).sum()
    }

    /// The group in which a key would be if it were there, what the key begins with, and the rest of it; `None` if not all of
    /// the group is there.
    fn whole<'a>(&self, key: &'a [u8]) -> Option<(&Group, &'a [u8; FIELDS_AT], &'a [u8])> {
        let (beginning, rest) = key.split_first_chunk()?;
        let group = self.groups.get(group_of(beginning)?)?;
        (group.state == State::Whole).then_some((group, beginning, rest))
    }

    fn is_filling(&self, nth: usize) -> bool {
        self.groups.get(nth).is_some_and(|group| group.state == State::Filling)
    }

    /// All of a group is there, unless it has become too large.
    fn end(&mut self, nth: usize) {
        if let Some(group) = self.groups.get_mut(nth).filter(|group| group.state == State::Filling) {
            group.state = State::Whole;
        }
    }

    /// Puts records on the shelves of their groups, if these are kept.
    fn put(&mut self, records: &Records) {
        for run in records.chunk_by(|(one, _), (other, _)| one.first_chunk::<FIELDS_AT>() == other.first_chunk()) {
            let Some(beginning) = run.first().and_then(|(key, _)| key.first_chunk()) else { continue };
            let Some(group) = group_of(beginning).and_then(|nth| self.groups.get_mut(nth)) else { continue };
            if matches!(group.state, State::Filling | State::Whole) {
                let rest = |key: &'_ Vec<u8>| key.len().min(FIELDS_AT);
                let changes: Vec<Change<'_>> =
                    run.iter().filter_map(|(key, value)| Some((key.get(rest(key)..)?, value.as_deref()))).collect();
                let shelf = group.shelves.entry(*beginning).or_default();
                group.shelves_bytes -= shelf.bytes();
                match shelf.apply(&mut group.arena, &changes) {
                    Ok(()) => group.shelves_bytes += shelf.bytes(),
                    // Nothing of it can be trusted.
                    Err(Lost) => *group = Group::default(),
                }
            }
        }
        for group in &mut self.groups {
            // Readers wait meanwhile, so it is one region a time.
            group.arena.tidy(group.shelves.values_mut().flat_map(Shelf::blocks_mut));
        }
        // Rather than going without copies, what is free in their memory is given back, if that will do; it too is one region a time.
        let free: usize = self.groups.iter().map(|group| group.arena.free_bytes()).sum();
        let is_enough = self.bytes() - free <= self.bytes_max;
        if self.bytes() > self.bytes_max && is_enough && self.groups.iter_mut().any(Group::squeeze) {
            return;
        }
        // What is worth least goes first.
        for nth in (0..self.groups.len()).rev() {
            let is_too_large = self.bytes() > self.bytes_max;
            if let Some(group) = self.groups.get_mut(nth).filter(|group| is_too_large && group.state != State::Off) {
                *group = Group { state: State::TooLarge, ..Group::default() };
            }
        }
    }
}

impl Group {
    /// Gives back a region of its memory if that is possible; whether it was.
    fn squeeze(&mut self) -> bool {
        self.arena.squeeze(self.shelves.values_mut().flat_map(Shelf::blocks_mut))
    }
}

/// Which group the records with such keys belong to.
fn group_of(beginning: &[u8; FIELDS_AT]) -> Option<usize> {
    let [.., kind] = beginning;
    GROUPS.iter().position(|kinds| kinds.contains(kind))
}

/// Some records of these kinds from a stored key on, and where to go on.
fn copied(engine: &Engine, kinds: &[u8], from: Vec<u8>) -> Result<(Records, Option<Vec<u8>>), StoreError> {
    let (mut records, mut next) = (Records::new(), Some(from));
    while records.len() < COPIED_AT_ONCE
        && let Some(start) = next.take()
    {
        engine.scan_stored((start, None), Order::Forward, |stored, sealed| {
            // The tenant and the kind stand in every key as they are.
            let Some(([tenant @ .., kind], _)) = stored.split_first_chunk::<FIELDS_AT>() else {
                return decode_key(stored).map(|_| ControlFlow::Break(()));
            };
            if !kinds.contains(kind) {
                next = match kinds.iter().find(|wanted| *wanted > kind) {
                    Some(wanted) => Some([tenant.as_slice(), &[*wanted]].concat()),
                    None => Prefix::tenant(TenantId::from_bytes(*tenant)).end(),
                };
                return Ok(ControlFlow::Break(()));
            }
            let (key, value) = engine.opened(stored, sealed)?;
            if let Err(error) = codec::check_seal(&key, &value) {
                return Err(damaged(&decode_key(&key)?, error.to_string()));
            }
            records.push((key, Some(value)));
            if records.len() < COPIED_AT_ONCE {
                return Ok(ControlFlow::Continue(()));
            }
            next = Some([stored, &[0]].concat());
            Ok(ControlFlow::Break(()))
        })?;
    }
    Ok((records, next))
}

/// Sealed records that are kept here, in order, one a key, with a checksum that costs less in the place of the seal's.
fn checksummed(mut records: Records) -> Records {
    records.retain(|(key, _)| key.first_chunk().and_then(group_of).is_some());
    records.sort_by(|(one, _), (other, _)| one.cmp(other));
    // Of several the last counts, as it does in the engine.
    records.dedup_by(|(later, value), (key, earlier)| {
        let is_same = later == key;
        if is_same {
            *earlier = value.take();
        }
        is_same
    });
    for (key, value) in &mut records {
        if let Some(value) = value {
            value.truncate(value.len().saturating_sub(codec::CHECKSUM_BYTES));
            let sum = checksum(key, value);
            value.extend_from_slice(&sum);
        }
    }
    records
}

/// The record without its checksum, which guards against decay and against a record under a key that is not its own.
fn checked<'a>(key: &[u8], record: &'a [u8]) -> Result<&'a [u8], RecordError> {
    let (record, sum) = record.split_last_chunk::<CHECKSUM_BYTES>().ok_or(RecordError::Empty)?;
    if *sum == checksum(key, record) { Ok(record) } else { Err(RecordError::Checksum) }
}

fn checksum(key: &[u8], record: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let mut sum = crc32fast::Hasher::new();
    sum.update(key);
    sum.update(record);
    sum.finalize().to_le_bytes()
}

#[cfg(test)]
mod tests;
