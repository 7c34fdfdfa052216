//! What users, groups and contacts have in common: properties that can be selected, tracked and compared.

use serde_json::Value;

use crate::domain::id::ObjectId;
use crate::domain::time::Instant;

/// A kind of directory object that Graph lists and tracks.
pub(super) trait Entity: Clone {
    /// The entity set's name in paths and contexts.
    const SET: &'static str;
    /// The OData type's name, as error texts have it.
    const TYPE: &'static str;
    /// Every property that may be selected. At most 64, because a selection is a set of bits.
    const PROPERTIES: &'static [Property];

    fn id(&self) -> ObjectId;
    /// The value of one of `PROPERTIES`, null where there is none.
    fn value(&self, property: &str) -> Value;
    /// What was ever given a value: delta leaves out what never was.
    fn ever_set(&self) -> Fields;
    /// What differs between two states of one object.
    fn differences(&self, other: &Self) -> Fields;
}

/// One selectable property.
#[derive(Clone, Copy, Debug)]
pub(super) struct Property {
    pub(super) name: &'static str,
    /// The tracked field behind it; `Fields::NONE` for properties the emulator never fills.
    pub(super) field: Fields,
    /// Whether it comes without being selected.
    pub(super) default: bool,
}

/// A set of tracked fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Fields(pub(super) u32);

impl Fields {
    pub(super) const NONE: Self = Self(0);
    pub(super) const UPN: Self = Self(1);
    pub(super) const MAIL: Self = Self(1 << 1);
    pub(super) const PROXIES: Self = Self(1 << 2);
    pub(super) const NICKNAME: Self = Self(1 << 3);
    pub(super) const DISPLAY_NAME: Self = Self(1 << 4);
    pub(super) const CREATED: Self = Self(1 << 5);
    pub(super) const USER_TYPE: Self = Self(1 << 6);
    pub(super) const ENABLED: Self = Self(1 << 7);
    pub(super) const EMPLOYEE_ID: Self = Self(1 << 8);
    pub(super) const IMMUTABLE_ID: Self = Self(1 << 9);
    pub(super) const PLANS: Self = Self(1 << 10);
    pub(super) const DELETED: Self = Self(1 << 11);
    pub(super) const ATTRIBUTES: Self = Self(1 << 12);
    /// All of a message: Exchange tells of one that changed, whatever changed.
    pub(super) const MESSAGE: Self = Self(1 << 13);

    pub(super) fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// This set and `other` if `condition` holds.
    pub(super) fn with_if(self, condition: bool, other: Self) -> Self {
        if condition { self.with(other) } else { self }
    }

    pub(super) fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// The properties a request wants, as bits in the order of `PROPERTIES`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub(super) struct Select(u64);

impl Select {
    /// What comes without `$select`.
    pub(super) fn by_default<T: Entity>() -> Self {
        Self::gather::<T>(|property| property.default)
    }

    /// The properties named in a `$select`, or the first name that is none. `id` always comes.
    pub(super) fn parse<T: Entity>(text: &str) -> Result<Self, String> {
        let names: Vec<&str> = text.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
        for name in &names {
            if !T::PROPERTIES.iter().any(|property| property.name.eq_ignore_ascii_case(name)) {
                return Err((*name).to_owned());
            }
        }
        Ok(Self::gather::<T>(|property| {
            property.name == "id" || names.iter().any(|name| property.name.eq_ignore_ascii_case(name))
        }))
    }

    /// The selected properties.
    pub(super) fn properties<T: Entity>(self) -> impl Iterator<Item = &'static Property> {
        let bits = self.0;
        T::PROPERTIES.iter().enumerate().filter(move |(n, _)| bits >> n & 1 == 1).map(|(_, property)| property)
    }

    /// The tracked fields behind the selected properties.
    pub(super) fn fields<T: Entity>(self) -> Fields {
        self.properties::<T>().fold(Fields::NONE, |all, property| all.with(property.field))
    }

    fn gather<T: Entity>(wanted: impl Fn(&Property) -> bool) -> Self {
        let bits = T::PROPERTIES.iter().enumerate().filter(|(_, property)| wanted(property));
        Self(bits.fold(0, |bits, (n, _)| bits | 1 << n))
    }
}

/// An instant as Graph prints the directory's own times: in whole seconds.
pub(super) fn whole_seconds(instant: Instant) -> Instant {
    Instant::from_micros(instant.as_micros().saturating_sub(instant.as_micros().rem_euclid(1_000_000)))
}

pub(super) fn text_or_null(text: Option<&String>) -> Value {
    text.map_or(Value::Null, |text| Value::from(text.as_str()))
}

pub(super) fn time_or_null(instant: Option<Instant>) -> Value {
    instant.map_or(Value::Null, |instant| Value::from(whole_seconds(instant).to_string()))
}
