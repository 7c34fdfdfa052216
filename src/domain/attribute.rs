//! The attributes of a user, beside its names, that a mapping rule may look at.

use std::fmt;
use std::str::FromStr;

/// One attribute, as Graph calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attribute(u8);

/// The attributes by name. The place of each is its number in stored records: new ones go to the end.
const NAMES: [&str; 14] = [
    "accountEnabled",
    "city",
    "companyName",
    "country",
    "department",
    "employeeType",
    "jobTitle",
    "officeLocation",
    "onPremisesSyncEnabled",
    "onPremisesDomainName",
    "preferredLanguage",
    "state",
    "usageLocation",
    "creationType",
];
/// The numbers of `extensionAttribute1` to `15` follow this one.
const EXTENSION: u8 = 100;
const EXTENSIONS: u8 = 15;
/// The property that holds the extension attributes.
pub const EXTENSIONS_PROPERTY: &str = "onPremisesExtensionAttributes";

/// No attribute is called so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no attribute that a rule can look at")]
pub struct UnknownAttribute(pub String);

impl Attribute {
    /// All there are.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..=u8::MAX).filter_map(Self::from_number)
    }

    /// Its number in stored records.
    pub fn number(self) -> u8 {
        self.0
    }

    /// The attribute of a number.
    pub fn from_number(number: u8) -> Option<Self> {
        let is_named = usize::from(number) < NAMES.len();
        let is_extension = (1..=EXTENSIONS).contains(&number.wrapping_sub(EXTENSION));
        (is_named || is_extension).then_some(Self(number))
    }

    /// The property to be selected in order to be told it.
    pub fn property(self) -> &'static str {
        NAMES.get(usize::from(self.0)).copied().unwrap_or(EXTENSIONS_PROPERTY)
    }

    /// Whether it stands inside of its property, under its own name.
    pub fn is_nested(self) -> bool {
        self.0 > EXTENSION
    }

    /// What it counts as where it is not set: `onPremisesSyncEnabled` is true or null, hardly ever false.
    pub fn unset(self) -> Option<&'static str> {
        (self.property() == "onPremisesSyncEnabled").then_some("false")
    }
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.get(usize::from(self.0)) {
            Some(name) => f.write_str(name),
            None => write!(f, "extensionAttribute{}", self.0.saturating_sub(EXTENSION)),
        }
    }
}

/// Case does not matter.
impl FromStr for Attribute {
    type Err = UnknownAttribute;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::all()
            .find(|attribute| attribute.to_string().eq_ignore_ascii_case(text))
            .ok_or_else(|| UnknownAttribute(text.to_owned()))
    }
}

impl serde::Serialize for Attribute {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_attribute_is_read_back_by_name_and_by_number() {
        assert_eq!(Attribute::all().count(), NAMES.len() + 15);
        for attribute in Attribute::all() {
            assert_eq!(attribute.to_string().to_uppercase().parse(), Ok(attribute));
            assert_eq!(Attribute::from_number(attribute.number()), Some(attribute));
        }
        assert_eq!(Attribute::from_number(NAMES.len() as u8), None);
        assert_eq!((Attribute::from_number(100), Attribute::from_number(116)), (None, None));
        assert!("extensionAttribute16".parse::<Attribute>().is_err());
        // The number is what is stored.
        assert_eq!("department".parse::<Attribute>().unwrap().number(), 4);
        assert_eq!("extensionAttribute15".parse::<Attribute>().unwrap().number(), 115);
    }
}
