//! Names in records: only the spelling is stored, and the comparison key is computed when it is read.

use bincode::{Decode, Encode};

use crate::domain::id::ObjectId;
use crate::domain::name::{Name, Proxy};
use crate::store::codec::RecordError;

/// A name beside a user principal name: most mail addresses are spelled like it.
#[derive(Encode, Decode)]
pub(crate) enum MailV1 {
    None,
    SameAsUpn,
    Text(String),
}

/// An entry of `proxyAddresses`.
#[derive(Encode, Decode)]
pub(crate) enum ProxyV1 {
    PrimarySameAsUpn,
    AliasSameAsUpn,
    Primary(String),
    Alias(String),
    Other(String),
}

pub(crate) fn spelling(name: &Name) -> String {
    name.spelling().to_owned()
}

pub(crate) fn name(spelling: &str) -> Result<Name, RecordError> {
    spelling.parse().map_err(|_| RecordError::Text("name"))
}

pub(crate) fn object(bytes: [u8; 16]) -> ObjectId {
    ObjectId::from_bytes(bytes)
}

impl MailV1 {
    pub(crate) fn of(mail: Option<&Name>, upn: Option<&Name>) -> Self {
        match mail {
            None => Self::None,
            Some(mail) if same_spelling(mail, upn) => Self::SameAsUpn,
            Some(mail) => Self::Text(spelling(mail)),
        }
    }

    pub(crate) fn read(self, upn: Option<&Name>) -> Result<Option<Name>, RecordError> {
        match self {
            Self::None => Ok(None),
            Self::SameAsUpn => the_upn(upn).map(Some),
            Self::Text(text) => name(&text).map(Some),
        }
    }
}

impl ProxyV1 {
    pub(crate) fn of(proxy: &Proxy, upn: Option<&Name>) -> Self {
        match proxy {
            Proxy::Primary(name) if same_spelling(name, upn) => Self::PrimarySameAsUpn,
            Proxy::Alias(name) if same_spelling(name, upn) => Self::AliasSameAsUpn,
            Proxy::Primary(name) => Self::Primary(spelling(name)),
            Proxy::Alias(name) => Self::Alias(spelling(name)),
            Proxy::Other(text) => Self::Other(text.clone()),
        }
    }

    pub(crate) fn read(self, upn: Option<&Name>) -> Result<Proxy, RecordError> {
        Ok(match self {
            Self::PrimarySameAsUpn => Proxy::Primary(the_upn(upn)?),
            Self::AliasSameAsUpn => Proxy::Alias(the_upn(upn)?),
            Self::Primary(text) => Proxy::Primary(name(&text)?),
            Self::Alias(text) => Proxy::Alias(name(&text)?),
            Self::Other(text) => Proxy::Other(text),
        })
    }
}

/// By spelling, not by key: `Ann@x` beside `ann@x` is stored in full, so that each comes back as it was seen.
fn same_spelling(name: &Name, upn: Option<&Name>) -> bool {
    upn.is_some_and(|upn| upn.spelling() == name.spelling())
}

fn the_upn(upn: Option<&Name>) -> Result<Name, RecordError> {
    upn.cloned().ok_or(RecordError::Text("name: it refers to a user principal name that is not there"))
}
