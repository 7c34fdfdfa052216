//! What is stored: types of their own, one set a version, apart from the domain's types.
//!
//! The order of fields and of variants is the format. A released type never changes: a change is a new type with the
//! next version, beside the old one, whose golden test stays.

pub(crate) mod any;
pub(crate) mod audit;
pub(crate) mod fact;
pub(crate) mod index;
pub(crate) mod journal;
pub(crate) mod mapping;
pub(crate) mod name;
pub(crate) mod object;
pub(crate) mod snapshot;
pub(crate) mod tenant;

#[cfg(test)]
mod tests;
