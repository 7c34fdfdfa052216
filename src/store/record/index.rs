//! The small records of the indexes.

use bincode::{Decode, Encode};

use super::fact::{VacantV1, instant};
use crate::domain::erase::{Erased, Token};
use crate::domain::id::ObjectId;
use crate::domain::name::Namespace;
use crate::domain::time::Instant;
use crate::store::Posting;
use crate::store::codec::Record;

/// In which namespaces an object ever held a name.
#[derive(Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub(crate) enum PostingV1 {
    Upn,
    Smtp,
    Both,
}

/// The reads of one commit that found nobody under one name.
#[derive(Encode, Decode)]
pub(crate) struct VacanciesV1(pub(crate) Vec<VacantV1>);

/// When a snapshot begins, which completes its key.
#[derive(Encode, Decode)]
pub(crate) struct PlaceV1(i64);

/// The nodes of the Merkle log that a commit completed, from its leaf upward.
#[derive(Encode, Decode)]
pub(crate) struct LogNodesV1(pub(crate) Vec<[u8; 32]>);

/// A record that says everything by its key.
#[derive(Encode, Decode)]
pub(crate) struct PresentV1;

/// One thing that was erased, which its key tells, and by which key its token was made.
#[derive(Encode, Decode)]
pub(crate) struct ErasedV1(pub(crate) [u8; 8]);

impl Record for ErasedV1 {
    const VERSION: u8 = 1;
}

impl Record for PostingV1 {
    const VERSION: u8 = 1;
}

impl Record for VacanciesV1 {
    const VERSION: u8 = 1;
}

impl Record for PlaceV1 {
    const VERSION: u8 = 1;
}

impl Record for LogNodesV1 {
    const VERSION: u8 = 1;
}

impl Record for PresentV1 {
    const VERSION: u8 = 1;
}

impl PostingV1 {
    pub(crate) fn of(namespace: Namespace) -> Self {
        match namespace {
            Namespace::Upn => Self::Upn,
            Namespace::Smtp => Self::Smtp,
        }
    }

    pub(crate) fn and(self, other: Self) -> Self {
        if self == other { self } else { Self::Both }
    }

    pub(crate) fn read(self, object: ObjectId) -> Posting {
        Posting { object, upn: self != Self::Smtp, smtp: self != Self::Upn }
    }
}

impl PlaceV1 {
    pub(crate) fn of(from: Instant) -> Self {
        Self(from.as_micros())
    }

    pub(crate) fn read(self) -> Instant {
        instant(self.0)
    }
}

/// What was erased, in a key: which kind of thing, and which one.
pub(crate) fn erased_key(erased: Erased) -> (u8, [u8; 16]) {
    match erased {
        Erased::Object(object) => (0, *object.as_bytes()),
        Erased::Name(token) => (1, token.0),
        Erased::Text(token) => (2, token.0),
    }
}

/// The same read back; `None` if there is no such kind of thing.
pub(crate) fn erased_of(what: u8, id: [u8; 16]) -> Option<Erased> {
    match what {
        0 => Some(Erased::Object(ObjectId::from_bytes(id))),
        1 => Some(Erased::Name(Token(id))),
        2 => Some(Erased::Text(Token(id))),
        _ => None,
    }
}
