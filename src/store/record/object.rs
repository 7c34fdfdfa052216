//! An object's record: its newest facts in one value, older ones in overflow parts.

use bincode::{Decode, Encode};

use super::fact::ObjectFactV1;
use crate::domain::fact::Fact;
use crate::domain::id::{ObjectId, Sequence};
use crate::store::Known;
use crate::store::codec::{Record, RecordError};

/// Part 0: read alone, it is the whole object unless there are older parts.
#[derive(Encode, Decode)]
pub(crate) struct ObjectV1 {
    /// How many overflow parts there are, numbered from 1.
    pub(crate) parts: u16,
    pub(crate) facts: Vec<KnownV1>,
}

/// A piece of older facts. Facts that are together too large for one value go on in the next part.
#[derive(Encode, Decode)]
pub(crate) struct PartV1 {
    pub(crate) goes_on: bool,
    pub(crate) piece: Vec<u8>,
}

/// The facts in one part, or in several that go on.
#[derive(Encode, Decode)]
pub(crate) struct BlockV1(pub(crate) Vec<KnownV1>);

#[derive(Encode, Decode)]
pub(crate) struct KnownV1 {
    sequence: u64,
    fact: ObjectFactV1,
}

impl Record for ObjectV1 {
    const VERSION: u8 = 1;
}

impl Record for PartV1 {
    const VERSION: u8 = 1;
}

impl Record for BlockV1 {
    const VERSION: u8 = 1;
}

impl KnownV1 {
    /// `None` if the fact is not about this object.
    pub(crate) fn of(object: ObjectId, sequence: Sequence, fact: &Fact) -> Option<Self> {
        let (about, fact) = ObjectFactV1::of(fact)?;
        (about == object).then_some(Self { sequence: sequence.0, fact })
    }

    pub(crate) fn read(self, object: ObjectId) -> Result<Known, RecordError> {
        Ok(Known { sequence: Sequence(self.sequence), fact: self.fact.read(object)? })
    }
}
