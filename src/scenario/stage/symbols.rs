//! The objects that a file speaks of, by the names that it gives them.

use std::collections::BTreeMap;

use crate::domain::id::{ChainId, IdError, ObjectId};
use crate::scenario::expect::Names;

/// The objects that were created so far.
#[derive(Debug, Default)]
pub(super) struct Symbols {
    pub names: Names,
    objects: BTreeMap<String, ObjectId>,
    crowds: BTreeMap<String, Vec<ObjectId>>,
}

impl Symbols {
    pub fn learn(&mut self, symbol: &str, id: ObjectId) {
        self.objects.insert(symbol.to_owned(), id);
        self.names.learn(symbol, id.to_string());
    }

    pub fn learn_crowd(&mut self, symbol: &str, ids: Vec<ObjectId>) {
        for (number, id) in (1..).zip(&ids) {
            self.names.learn(&member(symbol, number), id.to_string());
        }
        self.crowds.insert(symbol.to_owned(), ids);
    }

    /// An object that was created; the words of a refusal if it was not, or not yet. `STAFF#7` is the seventh of a crowd.
    pub fn object(&self, symbol: &str) -> Result<ObjectId, String> {
        let alone = self.objects.get(symbol).copied();
        let of_crowd = || {
            let (crowd, number) = symbol.split_once('#')?;
            let place = number.parse::<usize>().ok()?.checked_sub(1)?;
            self.crowds.get(crowd)?.get(place).copied()
        };
        alone.or_else(of_crowd).ok_or_else(|| format!("{symbol} was not created"))
    }

    pub fn objects_of(&self, crowd: &str) -> Result<&[ObjectId], String> {
        self.crowds.get(crowd).map(Vec::as_slice).ok_or_else(|| format!("{crowd} was not created"))
    }
}

/// How the chain of a member of a crowd is called: like the member.
pub(super) fn chain_of(crowd: &str, number: usize) -> Result<ChainId, String> {
    member(crowd, number).parse().map_err(|error: IdError| error.to_string())
}

fn member(crowd: &str, number: usize) -> String {
    format!("{crowd}#{number}")
}
