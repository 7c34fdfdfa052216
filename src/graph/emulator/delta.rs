//! Delta rounds. A round's whole state travels in its links, so the server forgets nothing when a client crashes, and the
//! same link gives the same page again.

use serde_json::{Map, Value, json};

use super::changes::{Change, ChangeLog, Entry};
use super::entity::{Entity, Fields, Select};
use super::ids::mix;
use crate::domain::id::ObjectId;
use crate::domain::time::Instant;

/// What a skip token holds; a delta token holds the start of the next round.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Round {
    /// The entity set, so that a users link is refused for groups.
    pub(super) set: String,
    /// The round reports the changes from this position of the log …
    pub(super) from: usize,
    /// … up to and without this one, which is fixed when the round starts.
    pub(super) to: usize,
    pub(super) initial: bool,
    pub(super) select: Select,
    pub(super) minimal: bool,
    pub(super) page_size: usize,
    /// The ids that `$filter` names; empty for all.
    pub(super) ids: Vec<ObjectId>,
    pub(super) page: u64,
    /// Where the next page begins.
    pub(super) at: usize,
    /// An entry to repeat at the head of the next page.
    pub(super) repeat: Option<usize>,
    /// The entry that this round keeps back for the next one.
    #[serde(default)]
    pub(super) withheld: Option<usize>,
    /// The entry that the round before kept back, which this one begins with.
    #[serde(default)]
    pub(super) owed: Option<usize>,
    /// The number of the request that started the round; tells old tokens from new.
    pub(super) serial: u64,
    /// What the clock showed when the round started.
    pub(super) issued: Instant,
    pub(super) manners: Manners,
}

/// How a round misbehaves, settled at its start so that its pages can be replayed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub(super) struct Manners {
    pub(super) seed: u64,
    pub(super) duplicates: bool,
    pub(super) shuffled: bool,
    pub(super) empty_pages: bool,
    pub(super) uneven_pages: bool,
    /// How many older changes are told again.
    pub(super) replay: usize,
    pub(super) first_change_late: bool,
    pub(super) cleared_left_out: bool,
    pub(super) both_ways: bool,
    pub(super) unannounced_restore: bool,
    pub(super) removed_missing: bool,
    pub(super) deletions_unannounced: bool,
    pub(super) short_lived_invisible: bool,
    pub(super) removed_in_initial_round: bool,
}

impl Round {
    /// The round that reports what happens after this one.
    pub(super) fn following(&self) -> Self {
        Self {
            from: self.to,
            at: self.to,
            initial: false,
            page: 0,
            repeat: None,
            withheld: None,
            owed: self.withheld,
            manners: Manners::default(),
            ..self.clone()
        }
    }

    /// This round, started: told up to position `to` of the log, with the given manners.
    pub(super) fn started<T: Entity>(mut self, log: &ChangeLog<T>, to: usize, serial: u64, manners: Manners) -> Self {
        // Lag switched on between two rounds must not take back what was told already.
        self.to = to.max(self.from);
        self.serial = serial;
        self.manners = manners;
        self.page = 0;
        self.at = if manners.shuffled { 0 } else { self.start() };
        if manners.first_change_late && !self.initial {
            let mut told = (self.from..self.to).filter(|position| item(log, &self, *position).is_some());
            let (first, second) = (told.next(), told.next());
            self.withheld = first.filter(|_| second.is_some());
        }
        self
    }

    /// Where the changes to be told begin, replayed ones included.
    fn start(&self) -> usize {
        self.from.saturating_sub(self.manners.replay)
    }
}

/// One page of a round, and the state of the next page unless this was the last.
pub(super) fn page<T: Entity>(log: &ChangeLog<T>, round: &Round) -> (Vec<Value>, Option<Round>) {
    let mut next = Round { page: round.page.saturating_add(1), ..round.clone() };
    if round.manners.empty_pages && round.page.is_multiple_of(2) {
        return (Vec::new(), Some(next));
    }
    let (told, at, finished) = if round.manners.shuffled { shuffled(log, round) } else { in_order(log, round) };
    let repeated = round.repeat.and_then(|position| Some((position, item(log, round, position)?)));
    let owed = round.owed.and_then(|position| Some((position, owed(log, round, position)?)));
    let mut items = Vec::new();
    (next.repeat, next.owed) = (None, None);
    for (n, (position, item)) in owed.into_iter().chain(repeated).chain(told).enumerate() {
        if round.manners.duplicates {
            if n == 0 || mix(round.manners.seed, position as u64).is_multiple_of(3) {
                items.push(item.clone());
            }
            next.repeat = Some(position);
        }
        items.push(item);
        items.extend(opposite(log, round, position));
    }
    next.at = at;
    (items, (!finished).then_some(next))
}

type Told = (Vec<(usize, Value)>, usize, bool);

/// What the round before kept back, unless this one tells of a later change of the same object.
fn owed<T: Entity>(log: &ChangeLog<T>, round: &Round, position: usize) -> Option<Value> {
    let since = Round { from: position, manners: Manners { replay: 0, ..round.manners }, ..round.clone() };
    item(log, &since, position)
}

/// The other report of an object that was deleted or restored in the round, if it comes both ways.
fn opposite<T: Entity>(log: &ChangeLog<T>, round: &Round, position: usize) -> Option<Value> {
    let entry = log.get(position).filter(|_| round.manners.both_ways)?;
    match entry.change {
        Change::Deleted => {
            let before = log.get(entry.previous?)?;
            Some(properties(&*before.state, round.select, |_, value| !is_empty(value)))
        }
        Change::Restored => Some(json!({ "id": entry.state.value("id"), "@removed": { "reason": "changed" } })),
        Change::Purged | Change::Created | Change::Updated => None,
    }
}

/// The next page's items in the order of the log, where the page after it begins, and whether there is none.
fn in_order<T: Entity>(log: &ChangeLog<T>, round: &Round) -> Told {
    let size = size(round);
    let mut told = Vec::new();
    for position in round.at..round.to {
        if let Some(item) = item(log, round, position) {
            if told.len() == size {
                return (told, position, false);
            }
            told.push((position, item));
        }
    }
    (told, round.to, true)
}

/// The same in an order that has nothing to do with the changes'. It sorts the whole round for every page, which is
/// why it is no way for a million users.
fn shuffled<T: Entity>(log: &ChangeLog<T>, round: &Round) -> Told {
    let mut positions: Vec<usize> = (round.start()..round.to).collect();
    positions.sort_by_key(|position| mix(round.manners.seed ^ 0x5bd1_e995, *position as u64));
    let size = size(round);
    let mut told = Vec::new();
    for (n, position) in positions.iter().copied().enumerate().skip(round.at) {
        if let Some(item) = item(log, round, position) {
            if told.len() == size {
                return (told, n, false);
            }
            told.push((position, item));
        }
    }
    (told, positions.len(), true)
}

fn size(round: &Round) -> usize {
    let size = round.page_size.max(1);
    if !round.manners.uneven_pages {
        return size;
    }
    let reduced = mix(round.manners.seed, round.page).checked_rem(size as u64).unwrap_or(0);
    size.saturating_sub(usize::try_from(reduced).unwrap_or(0)).max(1)
}

/// What an object went through within a round.
struct Story {
    fields: Fields,
    created: bool,
    restored: bool,
}

/// The item for the change at `position`, if it is the object's last one in the round and the round tells it.
fn item<T: Entity>(log: &ChangeLog<T>, round: &Round, position: usize) -> Option<Value> {
    let entry = log.get(position)?;
    if entry.next.is_some_and(|next| next < round.to) || round.withheld == Some(position) {
        return None;
    }
    if !round.ids.is_empty() && !round.ids.contains(&entry.state.id()) {
        return None;
    }
    let story = story(log, round, position, entry);
    match entry.change {
        Change::Deleted => removed(round, entry, &story, "changed"),
        Change::Purged => removed(round, entry, &story, "deleted"),
        Change::Created | Change::Updated | Change::Restored => present(round, entry, &story),
    }
}

fn story<T: Entity>(log: &ChangeLog<T>, round: &Round, position: usize, last: &Entry<T>) -> Story {
    let mut story = Story { fields: Fields::NONE, created: false, restored: false };
    let mut at = Some((position, last));
    while let Some((position, entry)) = at {
        if position < round.start() {
            break;
        }
        story.fields = story.fields.with(entry.fields);
        story.created |= entry.change == Change::Created;
        story.restored |= entry.change == Change::Restored;
        at = entry.previous.and_then(|previous| Some((previous, log.get(previous)?)));
    }
    story
}

fn removed<T: Entity>(round: &Round, entry: &Entry<T>, story: &Story, reason: &str) -> Option<Value> {
    let manners = round.manners;
    if round.initial && !manners.removed_in_initial_round {
        return None;
    }
    if manners.deletions_unannounced || (story.created && !round.initial && manners.short_lived_invisible) {
        return None;
    }
    if manners.removed_missing {
        return Some(properties(&*entry.state, round.select, |_, value| !is_empty(value)));
    }
    Some(json!({ "id": entry.state.value("id"), "@removed": { "reason": reason } }))
}

fn present<T: Entity>(round: &Round, entry: &Entry<T>, story: &Story) -> Option<Value> {
    let state = &*entry.state;
    if round.initial {
        return Some(properties(state, round.select, |_, value| !is_empty(value)));
    }
    let appeared = story.created || story.restored;
    if story.restored && !story.created && round.manners.unannounced_restore {
        return None;
    }
    if !appeared && !story.fields.meets(round.select.fields::<T>()) {
        return None;
    }
    if round.minimal && !appeared {
        return Some(properties(state, round.select, |field, _| field.meets(story.fields)));
    }
    let is_left_out = |value: &Value| round.manners.cleared_left_out && is_empty(value);
    Some(properties(state, round.select, |field, value| field.meets(state.ever_set()) && !is_left_out(value)))
}

/// The selected properties that `wanted` lets through; always the id.
fn properties<T: Entity>(state: &T, select: Select, wanted: impl Fn(Fields, &Value) -> bool) -> Value {
    let mut item = Map::new();
    for property in select.properties::<T>() {
        let value = state.value(property.name);
        if property.name == "id" || wanted(property.field, &value) {
            item.insert(property.name.to_owned(), value);
        }
    }
    Value::Object(item)
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_array().is_some_and(Vec::is_empty)
}
