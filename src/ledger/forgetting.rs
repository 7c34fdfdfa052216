//! What was forgotten of a journal: each item of it must be named by the fact that erased it, with what stands there now.

use std::collections::BTreeMap;

use crate::domain::fact::Fact;
use crate::domain::id::Sequence;
use crate::store::Entry;

/// A commit, and the place of an item in it.
pub(super) type Place = (Sequence, u32);

/// What was forgotten, and what facts say stands there, as far as a journal was walked.
#[derive(Default)]
pub(super) struct Forgetting {
    found: BTreeMap<Place, [u8; 32]>,
    said: BTreeMap<Place, [u8; 32]>,
}

impl Forgetting {
    /// Takes the next entry in.
    pub fn look_at(&mut self, entry: &Entry) {
        self.found.extend(entry.forgotten.iter().map(|(place, digest)| ((entry.sequence, *place), *digest)));
        for fact in &entry.commit.facts {
            // What was erased twice stands as the newer fact says.
            if let Fact::Redacted(redacted) = fact {
                self.said.extend(redacted.items.iter().map(|item| ((item.sequence, item.place), item.digest)));
            }
        }
    }

    /// How many items were forgotten.
    pub fn items(&self) -> u64 {
        self.found.len() as u64
    }

    /// What was forgotten and is not named as it stands there, once the whole journal was walked.
    pub fn unnamed(&self) -> BTreeMap<Place, [u8; 32]> {
        let found = self.found.iter().filter(|(place, digest)| self.said.get(place) != Some(digest));
        found.map(|(place, digest)| (*place, *digest)).collect()
    }

    /// Where the two disagree, once the whole journal was walked.
    pub fn unsound(&self) -> impl Iterator<Item = (String, &'static str)> + '_ {
        let unnamed = self.found.iter().filter_map(|(place, digest)| match self.said.get(place) {
            None => Some((place, "it was forgotten, and no fact says so")),
            Some(said) if said != digest => {
                Some((place, "it was forgotten, and what stands there is not what the fact says"))
            }
            Some(_) => None,
        });
        let kept = self.said.keys().filter(|place| !self.found.contains_key(place));
        let kept = kept.map(|place| (place, "a fact says that it was forgotten, and it was not"));
        unnamed.chain(kept).map(|((sequence, place), why)| (format!("item {place} of commit {sequence}"), why))
    }
}
