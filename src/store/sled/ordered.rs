//! Reading encrypted records in the order of their true keys.
//!
//! Where a key has a text, the engine has a token, which tells nothing of its order. So records are taken in *groups*: all whose
//! stored keys are alike up to the first token. Between groups the engine's order is the true one; within a group the records are
//! decrypted and sorted. A group is mostly small: snapshots that end at the same instant, the chains of an object. One that
//! is not, such as all names of a tenant, is gone through text by text, each with a group of its own; its texts are collected
//! once, by one seek each, and kept in memory while they are among the last that were asked for.

use std::collections::{BTreeSet, VecDeque};
use std::ops::{Bound, ControlFlow};
use std::sync::atomic::{AtomicBool, Ordering as Atomic};
use std::sync::{Arc, Mutex, PoisonError};

use super::cipher::{Cipher, TOKEN_BYTES, field_end, fields_of};
use super::engine::Engine;
use crate::store::key::{FIELDS_AT, Field};
use crate::store::{Order, StoreError};

/// What is given each record.
pub(super) type Each<'a> = dyn FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, StoreError> + 'a;

/// Gives the records of a range of true keys to `each` in their order.
pub(super) fn scan(
    engine: &Engine,
    cipher: &Cipher,
    (start, end): (&[u8], Option<&[u8]>),
    order: Order,
    each: &mut Each<'_>,
) -> Result<(), StoreError> {
    Scan { engine, cipher, start, end, order, each }.all().map(drop)
}

/// The texts of large groups, by what the stored keys of a group have in common.
#[derive(Default)]
pub(super) struct Texts {
    groups: Mutex<VecDeque<(Vec<u8>, Arc<Group>)>>,
}

impl Texts {
    /// Notes the texts of a record that was just written. One whose last record goes stays, and leads to nothing.
    pub(super) fn note(&self, plain: &[u8], stored: &[u8]) {
        let groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        if groups.is_empty() {
            return;
        }
        let (mut at, mut stored_at) = (FIELDS_AT, FIELDS_AT);
        for field in fields_of(plain) {
            let Some(end) = field_end(plain, at, *field) else { return };
            if let Field::Plain(bytes) = field {
                stored_at += bytes;
            } else {
                let name = stored.get(..stored_at).unwrap_or_default();
                if let Some((_, group)) = groups.iter().find(|(known, _)| known == name) {
                    group.add([plain.get(at..end).unwrap_or_default().into()]);
                }
                stored_at += TOKEN_BYTES;
            }
            at = end;
        }
    }

    /// Whether a group's texts are all known.
    fn has(&self, name: &[u8]) -> bool {
        let groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        groups.iter().any(|(known, group)| known == name && group.is_whole.load(Atomic::Acquire))
    }

    fn group(&self, name: &[u8]) -> Arc<Group> {
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, group)) = groups.iter().find(|(known, _)| known == name) {
            return Arc::clone(group);
        }
        if groups.len() >= GROUPS_KEPT {
            groups.pop_front();
        }
        let group = Arc::<Group>::default();
        groups.push_back((name.to_owned(), Arc::clone(&group)));
        group
    }
}

#[derive(Default)]
struct Group {
    texts: Mutex<BTreeSet<Box<[u8]>>>,
    is_whole: AtomicBool,
}

impl Group {
    fn add(&self, texts: impl IntoIterator<Item = Box<[u8]>>) {
        self.texts.lock().unwrap_or_else(PoisonError::into_inner).extend(texts);
    }

    /// The first text within bounds, or the last.
    fn next(&self, bounds: (Bound<&[u8]>, Bound<&[u8]>), order: Order) -> Option<Box<[u8]>> {
        let texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut range = texts.range::<[u8], _>(bounds);
        match order {
            Order::Forward => range.next(),
            Order::Backward => range.next_back(),
        }
        .cloned()
    }
}

/// From how many records on a group is gone through text by text.
const CROWD: usize = if cfg!(test) { 3 } else { 1_000 };
/// The texts of so many groups are kept.
const GROUPS_KEPT: usize = 8;

type Flow = Result<ControlFlow<()>, StoreError>;

struct Scan<'a, 'b> {
    engine: &'a Engine,
    cipher: &'a Cipher,
    start: &'a [u8],
    end: Option<&'a [u8]>,
    order: Order,
    each: &'a mut Each<'b>,
}

/// The beginning that some keys have in common, whole fields, and the fields after it.
struct Level {
    plain: Vec<u8>,
    stored: Vec<u8>,
    fields: &'static [Field],
}

/// Records of one group.
#[derive(Default)]
struct Taken {
    name: Vec<u8>,
    count: usize,
    records: Vec<(Vec<u8>, Vec<u8>)>,
}

impl<'a> Scan<'a, '_> {
    fn all(&mut self) -> Flow {
        let common = self.start.get(..FIELDS_AT).filter(|kind| self.is_within(kind));
        if let Some(kind) = common {
            let level = self.common_level(kind);
            return self.walk(&level);
        }
        // Several kinds: one seek finds the next of them.
        let mut from = self.start.get(..FIELDS_AT).unwrap_or(self.start).to_vec();
        let mut until = match self.end {
            Some(end) if end.len() > FIELDS_AT => end.get(..FIELDS_AT).and_then(successor),
            end => end.map(<[u8]>::to_vec),
        };
        loop {
            let mut found = None;
            self.engine.scan_stored((from.clone(), until.clone()), self.order, |key, _| {
                found = Some(key.get(..FIELDS_AT).unwrap_or(key).to_vec());
                Ok(ControlFlow::Break(()))
            })?;
            let Some(kind) = found else { return Ok(ControlFlow::Continue(())) };
            let level = Level { plain: kind.clone(), stored: kind.clone(), fields: fields_of(&kind) };
            if self.walk(&level)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
            match self.beyond(kind) {
                Some((Order::Forward, next)) => from = next,
                Some((Order::Backward, next)) => until = Some(next),
                None => return Ok(ControlFlow::Continue(())),
            }
        }
    }

    /// The longest beginning of whole fields that all keys of the range have.
    fn common_level(&self, kind: &[u8]) -> Level {
        let (mut at, mut fields) = (FIELDS_AT, fields_of(kind));
        while let Some((field, rest)) = fields.split_first() {
            let end = field_end(self.start, at, *field);
            let Some(end) = end.filter(|end| self.start.get(..*end).is_some_and(|plain| self.is_within(plain))) else {
                break;
            };
            (at, fields) = (end, rest);
        }
        let plain = self.start.get(..at).unwrap_or_default().to_vec();
        let stored = self.cipher.key(&plain);
        Level { plain, stored, fields }
    }

    /// Whether all keys of the range that follow on a beginning of its start have it.
    fn is_within(&self, plain: &[u8]) -> bool {
        match (self.end, successor(plain)) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(end), Some(next)) => end <= next.as_slice(),
        }
    }

    fn walk(&mut self, level: &Level) -> Flow {
        let leading = level.fields.iter().take_while(|field| matches!(field, Field::Plain(_))).count();
        match level.fields.get(leading..) {
            Some(hidden) if !hidden.is_empty() => self.walk_groups(level, leading, hidden),
            _ => self.walk_plain(level),
        }
    }

    /// Records whose order is the engine's.
    fn walk_plain(&mut self, level: &Level) -> Flow {
        let Some((from, until)) = self.bounds(level, usize::MAX) else { return Ok(ControlFlow::Continue(())) };
        let mut flow = ControlFlow::Continue(());
        self.engine.scan_stored((from, until), self.order, |key, value| {
            let (plain, value) = self.cipher.open(key, value)?;
            flow = (self.each)(&plain, &value)?;
            Ok(flow)
        })?;
        Ok(flow)
    }

    /// Records in groups by the fields before the first hidden one.
    fn walk_groups(&mut self, level: &Level, leading: usize, hidden: &'static [Field]) -> Flow {
        let lead = level.fields.iter().take(leading).fold(0, |sum, field| match field {
            Field::Plain(bytes) => sum + bytes,
            _ => sum,
        });
        let Some((mut from, mut until)) = self.bounds(level, lead) else { return Ok(ControlFlow::Continue(())) };
        let width = level.stored.len() + lead;
        loop {
            let mut taken = Taken::default();
            let mut crowded = false;
            let mut flow = ControlFlow::Continue(());
            self.engine.scan_stored((from.clone(), until.clone()), self.order, |key, value| {
                let name = key.get(..width).unwrap_or(key);
                if taken.count == 0 || taken.name != name {
                    flow = self.tell(&mut taken)?;
                    if flow.is_break() {
                        return Ok(flow);
                    }
                    taken = Taken { name: name.to_vec(), ..Taken::default() };
                    crowded = self.engine.texts().has(name);
                }
                taken.count += 1;
                crowded |= taken.count > CROWD;
                if crowded {
                    return Ok(ControlFlow::Break(()));
                }
                let record = self.cipher.open(key, value)?;
                taken.records.extend(self.has(&record.0).then_some(record));
                Ok(ControlFlow::Continue(()))
            })?;
            if flow.is_break() {
                return Ok(flow);
            }
            if !crowded {
                return self.tell(&mut taken);
            }
            if self.walk_texts(level, &taken.name, hidden)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
            match self.beyond(taken.name) {
                Some((Order::Forward, next)) => from = next,
                Some((Order::Backward, next)) => until = Some(next),
                None => return Ok(ControlFlow::Continue(())),
            }
        }
    }

    /// A large group, text by text.
    fn walk_texts(&mut self, level: &Level, name: &[u8], hidden: &'static [Field]) -> Flow {
        let Some((field, fields)) = hidden.split_first() else { return Ok(ControlFlow::Continue(())) };
        let lead = name.get(level.stored.len()..).unwrap_or_default();
        let plain = [level.plain.as_slice(), lead].concat();
        let Some(low) = self.low(&plain) else { return Ok(ControlFlow::Continue(())) };
        let group = self.texts(name, plain.len(), *field)?;
        // A text that the start goes on from is its beginning up to the text's end.
        let low = low.get(..field_end(low, 0, *field).unwrap_or(low.len())).unwrap_or(low);
        let mut last: Option<Box<[u8]>> = None;
        loop {
            let bounds = match (&last, self.order) {
                (Some(last), Order::Forward) => (Bound::Excluded(&**last), Bound::Unbounded),
                (Some(last), Order::Backward) => (Bound::Included(low), Bound::Excluded(&**last)),
                (None, _) => (Bound::Included(low), Bound::Unbounded),
            };
            // Backward the bounds may meet; a set refuses to be asked so.
            let empty = matches!(bounds, (Bound::Included(low), Bound::Excluded(last)) if low >= last);
            let next = if empty { None } else { group.next(bounds, self.order) };
            let Some(text) = next else { return Ok(ControlFlow::Continue(())) };
            let plain = [plain.as_slice(), &text].concat();
            let is_beyond = self.end.is_some_and(|end| plain.as_slice() >= end);
            match (is_beyond, self.order) {
                (true, Order::Forward) => return Ok(ControlFlow::Continue(())),
                (true, Order::Backward) => {}
                (false, _) => {
                    let stored = [name, &self.cipher.token(&plain)].concat();
                    if self.walk(&Level { plain, stored, fields })?.is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                }
            }
            last = Some(text);
        }
    }

    /// All texts of a group, which begin in the true keys at a place.
    fn texts(&self, name: &[u8], at: usize, field: Field) -> Result<Arc<Group>, StoreError> {
        let group = self.engine.texts().group(name);
        if group.is_whole.load(Atomic::Acquire) {
            return Ok(group);
        }
        // What is written from now on is noted by its writer.
        let (mut found, mut from, until) = (Vec::new(), Some(name.to_vec()), successor(name));
        while let Some(start) = from.take() {
            self.engine.scan_stored((start, until.clone()), Order::Forward, |key, value| {
                let (plain, _) = self.cipher.open(key, value)?;
                let text = field_end(&plain, at, field).and_then(|end| plain.get(at..end));
                found.extend(text.map(Into::into));
                from = key.get(..name.len() + TOKEN_BYTES).and_then(successor);
                Ok(ControlFlow::Break(()))
            })?;
        }
        group.add(found);
        group.is_whole.store(true, Atomic::Release);
        Ok(group)
    }

    fn tell(&mut self, taken: &mut Taken) -> Flow {
        let mut records = std::mem::take(&mut taken.records);
        records.sort_unstable();
        if self.order == Order::Backward {
            records.reverse();
        }
        for (key, value) in records {
            if (self.each)(&key, &value)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn has(&self, plain: &[u8]) -> bool {
        plain >= self.start && self.end.is_none_or(|end| plain < end)
    }

    /// What is left of the range's start behind a beginning; `None` if no key with it is in the range.
    fn low(&self, plain: &[u8]) -> Option<&'a [u8]> {
        let start: &'a [u8] = self.start;
        match start.strip_prefix(plain) {
            Some(rest) => Some(rest),
            None => (start < plain).then_some(&[]),
        }
    }

    /// The stored keys of a level that are in the range, as far as so many bytes behind its beginning tell.
    fn bounds(&self, level: &Level, bytes: usize) -> Option<super::engine::Range> {
        let low = self.low(&level.plain)?;
        let low = low.get(..bytes).unwrap_or(low);
        let stored = |rest: &[u8]| [level.stored.as_slice(), rest].concat();
        let until = match self.end.map(|end| (end, end.strip_prefix(level.plain.as_slice()))) {
            None => successor(&level.stored),
            Some((_, Some(rest))) if rest.len() <= bytes => Some(stored(rest)),
            Some((_, Some(rest))) => successor(&stored(rest.get(..bytes).unwrap_or(rest))),
            Some((end, None)) if end > level.plain.as_slice() => successor(&level.stored),
            Some((_, None)) => return None,
        };
        Some((stored(low), until))
    }

    /// Where the walk goes on behind all keys with a beginning.
    fn beyond(&self, beginning: Vec<u8>) -> Option<(Order, Vec<u8>)> {
        match self.order {
            Order::Forward => successor(&beginning).map(|next| (Order::Forward, next)),
            Order::Backward => Some((Order::Backward, beginning)),
        }
    }
}

/// The first bytes after all that have a beginning.
fn successor(beginning: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = beginning.to_vec();
    while let Some(last) = bytes.pop() {
        if let Some(next) = last.checked_add(1) {
            bytes.push(next);
            return Some(bytes);
        }
    }
    None
}

#[cfg(test)]
mod tests;
