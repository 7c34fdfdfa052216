//! whowas
pub mod domain;
pub mod ledger;
pub mod store;

// The generators in `store/testing.rs` are shared with the tests outside, where the crate has its own name.
#[cfg(test)]
extern crate self as whowas;
