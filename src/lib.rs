//! whowas
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "graph")]
pub mod clock;
#[cfg(feature = "cli")]
pub mod config;
pub mod domain;
#[cfg(feature = "graph")]
pub mod graph;
pub mod ledger;
#[cfg(feature = "graph")]
pub mod service;
pub mod store;
#[cfg(feature = "graph")]
pub mod sync;

// The generators in `store/testing.rs` are shared with the tests outside, where the crate has its own name.
#[cfg(test)]
extern crate self as whowas;
