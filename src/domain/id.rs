//! Identifiers, a type per kind, so that a tenant id can never be passed where an object id is meant.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

macro_rules! uuid_kind {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// The id with these sixteen bytes, most significant first.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// The sixteen bytes, most significant first; their order is the order of the ids.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                // Graph prints ids hyphenated and in either case; other forms (braces, urn:, no hyphens) are no Graph ids.
                if text.len() != 36 {
                    return Err(IdError::not_a_uuid($what, text));
                }
                Uuid::try_parse(text).map(Self).map_err(|_| IdError::not_a_uuid($what, text))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0.hyphenated())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

uuid_kind!(
    /// An Entra directory (tenant).
    ///
    /// ```compile_fail
    /// let tenant: whowas::domain::id::TenantId = "b0f2a1c4-0000-4000-8000-000000000001".parse().unwrap();
    /// let object: whowas::domain::id::ObjectId = tenant; // a tenant is not an object
    /// ```
    TenantId,
    "a tenant id"
);
uuid_kind!(
    /// A directory object: a user, a group or a contact. Stable for the object's life, never reused.
    ObjectId,
    "an object id"
);
uuid_kind!(
    /// An Exchange mailbox instance (`ExchangeGuid`). One object can get another one.
    MailboxId,
    "a mailbox GUID"
);

macro_rules! text_kind {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The text as it was given.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// What stands for an erased id.
            pub(super) fn standing_for(token: super::erase::Token) -> Self {
                Self(token.as_text())
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                check_text($what, text)?;
                Ok(Self(text.to_owned()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({:?})", stringify!($name), self.0)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

text_kind!(
    /// A backup product's series of snapshots for one protected mailbox, by the product's own id.
    ChainId,
    "a chain id"
);
text_kind!(
    /// One restore point in a chain, by the product's own id.
    SnapshotId,
    "a snapshot id"
);

/// The number of a commit within its tenant. The first commit is 1; 0 is the empty ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Sequence(pub u64);

impl Sequence {
    /// The sequence of the commit after this one.
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A text that is no id of the kind asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} cannot be {given:?}: {why}")]
pub struct IdError {
    what: &'static str,
    given: String,
    why: &'static str,
}

impl IdError {
    fn not_a_uuid(what: &'static str, given: &str) -> Self {
        Self::new(what, given, "it must be a UUID such as 0d1c6a3e-58f4-4c1b-9d2e-7a5f0c9b8e11")
    }

    fn new(what: &'static str, given: &str, why: &'static str) -> Self {
        Self { what, given: given.chars().take(80).collect(), why }
    }
}

/// Longest chain or snapshot id, in bytes. It bounds the store's keys.
pub const TEXT_ID_BYTES_MAX: usize = 256;

fn check_text(what: &'static str, text: &str) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::new(what, text, "it is empty"));
    }
    if text.len() > TEXT_ID_BYTES_MAX {
        return Err(IdError::new(what, text, "it is longer than 256 bytes"));
    }
    if text.chars().any(char::is_control) {
        return Err(IdError::new(what, text, "it contains a control character"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_print_in_lower_case_whatever_case_they_came_in() {
        let id: ObjectId = "87D349ED-44D7-43E1-9A83-5F2406DEE5BD".parse().unwrap();
        assert_eq!(id.to_string(), "87d349ed-44d7-43e1-9a83-5f2406dee5bd");
    }

    #[test]
    fn texts_that_are_no_uuid_are_refused_with_the_kind_that_was_wanted() {
        for text in ["", "id", "87d349ed44d743e19a835f2406dee5bd", "{87d349ed-44d7-43e1-9a83-5f2406dee5bd}", "user1"] {
            let error = text.parse::<ObjectId>().unwrap_err().to_string();
            assert!(error.contains("an object id"), "{error}");
        }
    }

    #[test]
    fn chain_ids_refuse_what_would_break_keys_or_screens() {
        assert!("c\0A".parse::<ChainId>().is_err());
        assert!("".parse::<ChainId>().is_err());
        assert!("x".repeat(257).parse::<ChainId>().is_err());
        assert_eq!("c A/1".parse::<ChainId>().unwrap().as_str(), "c A/1");
    }
}
