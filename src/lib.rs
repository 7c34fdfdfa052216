//! whowas
pub mod domain;
#[cfg(feature = "graph")]
pub mod graph;
pub mod store;
