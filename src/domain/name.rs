//! Names: user principal names and SMTP addresses.
//!
//! A name keeps the spelling it was seen in and carries one comparison key, so that no caller ever folds case. Which
//! characters are equal is written down here and held by the golden table in the tests:
//!
//! - the local part is normalised to NFC and folded with Unicode *simple* case folding, independent of any locale.
//!   Simple folding keeps `ß` apart from `ss`, as the directory does; `K` (KELVIN SIGN) equals `k`; the Turkish dotted
//!   capital `İ` has no simple folding and equals only itself; full-width letters fold among themselves and never equal ASCII;
//! - the domain is mapped by UTS #46 to its ASCII form, so `bücher.example` equals `xn--bcher-kva.example`.
//!
//! Microsoft's synchronisation schema declares `userPrincipalName` and `proxyAddresses` as `caseExact: false`.

use std::fmt;
use std::str::FromStr;

use icu_casemap::CaseMapper;
use icu_normalizer::ComposingNormalizer;
use uuid::Uuid;
use uuid::fmt::Simple;

use super::erase;
use super::id::ObjectId;

/// Longest name accepted, in bytes of its spelling. A directory's names are far shorter (113 characters, 145 when
/// mangled at deletion); the bound keeps keys small.
pub const NAME_BYTES_MAX: usize = 512;

/// A UPN or an SMTP address without its prefix: the spelling seen and its comparison key.
///
/// Equality and order go by the key alone: `Ann@x.test` equals `ann@X.test`.
#[derive(Clone)]
pub struct Name {
    spelling: String,
    key: NameKey,
}

/// What names are compared by. Two names are the same name exactly if their keys are equal.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NameKey(String);

/// One of the two namespaces in which a name has at most one holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Namespace {
    /// User principal names.
    Upn,
    /// SMTP addresses, primary and alias.
    Smtp,
}

/// Which namespaces a question about a name looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum NameKind {
    /// Both; two different holders are then an ambiguity.
    #[default]
    Any,
    /// User principal names only.
    Upn,
    /// SMTP addresses only.
    Smtp,
}

/// One entry of `proxyAddresses`. The letter case of the prefix tells the role:
/// `SMTP:` is the primary address, any other spelling of it a secondary one.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Proxy {
    /// `SMTP:`, the address mail is sent from.
    Primary(Name),
    /// `smtp:`, an alias.
    Alias(Name),
    /// SIP, X500, X400, EUM, SPO, …: no mail address of the mailbox.
    Other(String),
}

impl Name {
    /// The spelling as it was seen.
    pub fn spelling(&self) -> &str {
        &self.spelling
    }

    /// The comparison key.
    pub fn key(&self) -> &NameKey {
        &self.key
    }

    /// The same spelling, compared by another key: that of an erased name.
    pub(super) fn known_as(&self, key: NameKey) -> Self {
        Self { spelling: self.spelling.clone(), key }
    }

    /// A name that stands for another one: it is spelled like its key.
    pub(super) fn standing_for(key: NameKey) -> Self {
        Self { spelling: key.0.clone(), key }
    }

    /// The user principal name as it was before the directory put the object's own id in front of it at deletion, or
    /// `None` if this name does not carry *this* object's id. Any other 32 hex digits belong to the name.
    pub fn unmangled(&self, object: ObjectId) -> Option<Self> {
        let mut digits = [0; Simple::LENGTH];
        let (head, rest) = self.spelling.split_at_checked(digits.len())?;
        let own = Uuid::from_bytes(*object.as_bytes()).simple().encode_lower(&mut digits);
        if !head.eq_ignore_ascii_case(own) {
            return None;
        }
        let plain: Self = rest.parse().ok()?;
        // The key of an erased name does not follow from its spelling.
        let key = self.key.0.get(digits.len()..).filter(|key| erase::stands_for(key).is_some());
        Some(key.map_or(plain.clone(), |key| plain.known_as(NameKey(key.to_owned()))))
    }

    /// Whether this is the placeholder that a synchronisation conflict leaves on the newcomer:
    /// `<prefix>+<4 digits>@<initial domain>`. `+` is not allowed in a UPN that a person chose.
    pub fn is_quarantine_placeholder(&self) -> bool {
        let key = self.key.as_str();
        let Some((local, domain)) = key.rsplit_once('@') else { return false };
        let Some((prefix, digits)) = local.rsplit_once('+') else { return false };
        // What stands for an erased placeholder is one as well.
        let initial = [".onmicrosoft.com", ".onmicrosoft.us", ".partner.onmschina.cn", erase::DOMAIN];
        !prefix.is_empty()
            && digits.len() == 4
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && initial.iter().any(|suffix| domain.ends_with(suffix))
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Name {}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key.cmp(&other.key)
    }
}

impl std::hash::Hash for Name {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.key.hash(state);
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let spelling = text.trim();
        let refuse = |why| Err(NameError { given: spelling.chars().take(80).collect(), why });
        if spelling.is_empty() {
            return refuse("it is empty");
        }
        if spelling.len() > NAME_BYTES_MAX {
            return refuse("it is longer than 512 bytes");
        }
        if spelling.chars().any(char::is_control) {
            return refuse("it contains a control character");
        }
        Ok(Self { spelling: spelling.to_owned(), key: NameKey::of(spelling) })
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.spelling)
    }
}

/// Names are personal data: `Debug`, which logs use, conceals them.
impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if cfg!(test) { write!(f, "Name({})", self.spelling) } else { f.write_str("Name(…)") }
    }
}

impl serde::Serialize for Name {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.spelling)
    }
}

impl<'de> serde::Deserialize<'de> for Name {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl NameKey {
    /// The key with this text, which `as_str` of a key gave.
    pub(crate) fn from_text(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The key's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the directory puts in front of an object's user principal name at its deletion.
    pub(super) fn mark_of(object: ObjectId) -> String {
        Uuid::from_bytes(*object.as_bytes()).simple().to_string()
    }

    /// This key with that in front.
    pub(super) fn mangled(&self, object: ObjectId) -> Self {
        Self(format!("{}{}", Self::mark_of(object), self.0))
    }

    fn of(spelling: &str) -> Self {
        // Nearly every name is ASCII, where all of the rules come down to lower case.
        if spelling.is_ascii() {
            return Self(spelling.to_ascii_lowercase());
        }
        match spelling.rsplit_once('@') {
            Some((local, domain)) => Self(format!("{}@{}", fold(local), fold_domain(domain))),
            None => Self(fold(spelling)),
        }
    }
}

impl fmt::Display for NameKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for NameKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if cfg!(test) { write!(f, "NameKey({})", self.0) } else { f.write_str("NameKey(…)") }
    }
}

impl Namespace {
    /// Both namespaces.
    pub const BOTH: [Self; 2] = [Self::Upn, Self::Smtp];
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Upn => "UPN",
            Self::Smtp => "SMTP address",
        })
    }
}

impl NameKind {
    /// The namespaces it stands for.
    pub fn namespaces(self) -> &'static [Namespace] {
        match self {
            Self::Any => &Namespace::BOTH,
            Self::Upn => &[Namespace::Upn],
            Self::Smtp => &[Namespace::Smtp],
        }
    }
}

impl FromStr for NameKind {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match text {
            "any" => Ok(Self::Any),
            "upn" => Ok(Self::Upn),
            "smtp" => Ok(Self::Smtp),
            _ => Err(NameError { given: text.chars().take(80).collect(), why: "a kind is any, upn or smtp" }),
        }
    }
}

impl Proxy {
    /// Reads one entry of `proxyAddresses`. An entry without a prefix is an address that Exchange treats as an alias.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let text = text.trim();
        match text.split_once(':') {
            Some(("SMTP", address)) => address.parse().map(Self::Primary),
            Some((prefix, address)) if prefix.eq_ignore_ascii_case("smtp") => address.parse().map(Self::Alias),
            Some(_) => Ok(Self::Other(text.to_owned())),
            None => text.parse().map(Self::Alias),
        }
    }

    /// The address, if this entry is a mail address.
    pub fn smtp(&self) -> Option<&Name> {
        match self {
            Self::Primary(name) | Self::Alias(name) => Some(name),
            Self::Other(_) => None,
        }
    }
}

/// A text that is no name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a name cannot be {given:?}: {why}")]
pub struct NameError {
    given: String,
    why: &'static str,
}

/// The text in the form in which texts compare without case.
pub(super) fn fold(text: &str) -> String {
    let normalizer = ComposingNormalizer::new_nfc();
    let mapper = CaseMapper::new();
    let folded: String = normalizer.normalize(text).chars().map(|c| mapper.simple_fold(c)).collect();
    // Folding one letter can leave a sequence that composes anew, so the result is normalised again.
    normalizer.normalize(&folded).into_owned()
}

/// The domain in the form in which domains compare.
pub(super) fn fold_domain(domain: &str) -> String {
    // A domain that UTS #46 refuses can still stand in an old export; it is then folded as text, so it stays findable.
    let mut folded = idna::domain_to_ascii(domain).unwrap_or_else(|_| fold(domain));
    // What UTS #46 leaves out, a soft hyphen for example, may have hidden spaces at the end from whoever trimmed the name.
    folded.truncate(folded.trim_end().len());
    folded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    /// The golden table: what is equal and what is not. A change here changes whose mail a name means.
    #[test]
    fn the_golden_table_of_equal_and_different_names() {
        let equal = [
            ("Ann.Lee@X.test", "ann.lee@x.TEST"),
            ("Müller@x.test", "mu\u{308}ller@x.test"),
            ("MÜLLER@x.test", "müller@x.test"),
            ("\u{212A}im@x.test", "kim@x.test"),
            ("STRAẞE@x.test", "straße@x.test"),
            ("ΣΊΣΥΦΟΣ@x.test", "σίσυφος@x.test"),
            ("ann@bücher.test", "ann@xn--bcher-kva.test"),
            ("ann@BÜCHER.test", "ann@bücher.test"),
            ("ＡＮＮ@x.test", "ａｎｎ@x.test"),
            ("Ǆordan@x.test", "ǆordan@x.test"),
            ("ann@x.test \u{200B}", "ann@x.test"),
        ];
        for (a, b) in equal {
            assert_eq!(name(a), name(b), "{a} {b}");
        }
        let different = [
            ("straße@x.test", "strasse@x.test"),
            ("ann@x.test", "ａｎｎ@x.test"),
            ("İrem@x.test", "irem@x.test"),
            ("ırem@x.test", "irem@x.test"),
            ("jose@x.test", "josé@x.test"),
            ("ann@x.test", "ann@y.test"),
            ("ann.lee@x.test", "annlee@x.test"),
            ("ﬁn@x.test", "fin@x.test"),
        ];
        for (a, b) in different {
            assert_ne!(name(a), name(b), "{a} {b}");
        }
    }

    proptest! {
        #[test]
        fn keys_are_stable_under_folding_again(text in "\\PC{1,20}(@\\PC{1,12})?") {
            if let Ok(name) = text.parse::<Name>()
                && let Ok(again) = name.key().as_str().parse::<Name>()
            {
                prop_assert_eq!(again.key(), name.key());
            }
        }

        #[test]
        fn parsing_never_panics(text in "\\PC*") {
            let _ = text.parse::<Name>();
            let _ = Proxy::parse(&text);
        }
    }

    #[test]
    fn the_prefix_case_tells_the_role_and_other_prefixes_are_no_addresses() {
        assert_eq!(Proxy::parse("SMTP:Ann@x.test").unwrap(), Proxy::Primary(name("ann@x.test")));
        assert_eq!(Proxy::parse("smtp:Ann@x.test").unwrap(), Proxy::Alias(name("ann@x.test")));
        assert_eq!(Proxy::parse("Smtp:Ann@x.test").unwrap(), Proxy::Alias(name("ann@x.test")));
        for other in
            ["SIP:ann@x.test", "sip:ann@x.test", "X500:/o=Org/cn=Ann", "x500:/o=Org", "SPO:SPO_1@SPO_2", "EUM:1;phone"]
        {
            assert_eq!(Proxy::parse(other).unwrap().smtp(), None, "{other}");
        }
    }

    #[test]
    fn a_deleted_name_is_unmangled_only_by_its_own_object_id() {
        let own: ObjectId = "7e06b566-15f3-4013-8bf8-79874d52e68a".parse().unwrap();
        let other: ObjectId = "7e06b566-15f3-4013-8bf8-79874d52e68b".parse().unwrap();
        let mangled = name("7e06b56615f340138bf879874d52e68ajohn@contoso.com");
        assert_eq!(mangled.unmangled(own), Some(name("john@contoso.com")));
        assert_eq!(mangled.unmangled(other), None);
        assert_eq!(name("john@contoso.com").unmangled(own), None);
        assert_eq!(name("é@x").unmangled(own), None);
    }

    #[test]
    fn only_four_digits_after_a_plus_on_an_initial_domain_is_a_placeholder() {
        for yes in ["tom+4711@contoso.onmicrosoft.com", "Tom+0001@Contoso.OnMicrosoft.com"] {
            assert!(name(yes).is_quarantine_placeholder(), "{yes}");
        }
        for no in [
            "tom+4711@x.test",
            "tom+471@contoso.onmicrosoft.com",
            "tom4711@contoso.onmicrosoft.com",
            "+4711@contoso.onmicrosoft.com",
            "tom+47a1@contoso.onmicrosoft.com",
            "tom",
        ] {
            assert!(!name(no).is_quarantine_placeholder(), "{no}");
        }
    }

    #[test]
    fn names_refuse_what_would_break_keys() {
        assert!("".parse::<Name>().is_err());
        assert!("  ".parse::<Name>().is_err());
        assert!("a\0b@x.test".parse::<Name>().is_err());
        assert!("x".repeat(513).parse::<Name>().is_err());
        assert_eq!(name(" ann@x.test ").spelling(), "ann@x.test");
    }
}
