//! Erasure: what stands instead of a person's names, and how the ledger goes on working with it.
//!
//! A name that was erased is known by a *token* only, a keyed digest of its comparison key. Whoever has the key can tell that a
//! name given is the one that was erased; whoever has the ledger alone can neither read it nor try guesses. Everywhere in
//! the ledger the name is compared by its *pseudonym*, which is made of the token. Its next holder keeps the spelling
//! of it and has the pseudonym as its key, so that everything that goes by keys (who held it when, reuse, hot names) goes on
//! as if nothing had been erased.

mod mask;
mod needles;
mod veil;

use std::fmt;

use data_encoding::HEXLOWER;

use super::id::{ObjectId, Sequence};
use super::name::{Name, NameKey};
use super::time::Instant;

pub use self::mask::{Masker, address_said, anchor_texts, ids_said, names_said};
pub use self::needles::{Needles, names_around};
pub use self::veil::{Erasure, Tokens};

/// The domain of what stands for an erased name. Nobody can have it (RFC 2606).
pub const DOMAIN: &str = "erased.invalid";

/// The first half of `HMAC-SHA256(key, tenant ‖ what it is ‖ text)` of an erased text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub [u8; 16]);

/// What tells one key from others without telling the key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub [u8; 8]);

/// One thing that was erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Erased {
    /// An object: nothing that was or will be said about it tells its names.
    Object(ObjectId),
    /// A name, by the token of its comparison key.
    Name(Token),
    /// Another text, by its token: a chain's or snapshot's id with a name in it, or, with a token of another kind, an anchor's value.
    Text(Token),
}

/// An object's names were erased.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Redacted {
    /// Whose.
    pub object: ObjectId,
    /// When.
    pub at: Instant,
    /// The operator; `None` is the ledger itself, when the directory tells another name of somebody erased.
    pub by: Option<String>,
    /// Why, in the operator's words.
    pub note: Option<String>,
    /// By which key the tokens were made.
    pub key: Fingerprint,
    /// The names.
    pub names: Vec<Token>,
    /// Other texts that had to go.
    pub texts: Vec<Token>,
    /// What stands in the journal instead of what was said there.
    pub items: Vec<Instead>,
}

/// What stands in the journal instead of one item of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Instead {
    /// The commit.
    pub sequence: Sequence,
    /// The place of the item in it, from 0.
    pub place: u32,
    /// `HMAC-SHA256(key, tenant ‖ what it is ‖ SHA-256 of what stands there now)`; what older ledgers have is that SHA-256 itself. It stays
    /// when more of the same is erased, and must not allow guessing at what stood there in between.
    #[serde(serialize_with = "as_hex")]
    pub digest: [u8; 32],
}

impl Redacted {
    /// What it says was erased.
    pub fn marks(&self) -> impl Iterator<Item = Erased> + '_ {
        let names = self.names.iter().copied().map(Erased::Name);
        let texts = self.texts.iter().copied().map(Erased::Text);
        std::iter::once(Erased::Object(self.object)).chain(names).chain(texts)
    }
}

impl Token {
    /// What stands for a text.
    pub fn as_text(self) -> String {
        format!("{PREFIX}{self}")
    }

    /// What stands for a name. What tells a placeholder of the directory from a person's name is kept.
    pub fn as_name(self, is_placeholder: bool) -> NameKey {
        let marker = if is_placeholder { PLACEHOLDER } else { "" };
        NameKey::from_text(&format!("{PREFIX}{self}{marker}@{DOMAIN}"))
    }
}

/// The token of the name that this one stands for; `None` if it stands for itself.
pub fn stands_for(name: &str) -> Option<Token> {
    let local = name.strip_suffix(DOMAIN)?.strip_suffix('@')?;
    token_of(local.strip_suffix(PLACEHOLDER).unwrap_or(local))
}

/// Whether somebody spells what stands for a name, in whatever case, and not the name.
pub fn is_spelled(name: &Name) -> bool {
    stands_for(&name.spelling().to_ascii_lowercase()).is_some()
}

/// Whether what stands for a name is a part of a text.
pub fn stands_in(text: &str) -> bool {
    text.match_indices(PREFIX).any(|(at, _)| {
        let rest = text.get(at..).unwrap_or_default();
        let end = rest.find(DOMAIN).map(|domain| domain + DOMAIN.len());
        end.and_then(|end| stands_for(rest.get(..end)?)).is_some()
    })
}

/// The token of the text that this one stands for; `None` if it stands for itself.
pub fn token_of(text: &str) -> Option<Token> {
    let digits = text.strip_prefix(PREFIX)?;
    let is_token = digits.len() == 32 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    u128::from_str_radix(digits, 16).ok().filter(|_| is_token).map(|number| Token(number.to_be_bytes()))
}

const PREFIX: &str = "erased-";
const PLACEHOLDER: &str = "+0000";

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({self})")
    }
}

impl serde::Serialize for Token {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

impl serde::Serialize for Fingerprint {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

fn as_hex<S: serde::Serializer>(bytes: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&HEXLOWER.encode_display(bytes))
}

#[cfg(test)]
mod tests;
