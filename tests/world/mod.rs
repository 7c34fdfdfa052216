//! A world simulator: random tenants with perfect knowledge, and a ledger that is told only what Graph would have said.
//!
//! Used by `tests/worlds.rs` and, by path, by `examples/worlds.rs`. Reading order: `script` (what happens, from a seed),
//! `truth` (what is so), `feed` (what the directory says of it), `agents` (who backs up what), `oracle` (what the facts told
//! could show, worked out without the ledger), `score` (the ledger against the truth), `shrink`. `docs/WORLDS.md` says what
//! is modelled and how it is scored.

#![allow(dead_code, reason = "each program that includes this uses a part of it")]

pub mod agents;
pub mod dice;
pub mod feed;
pub mod oracle;
pub mod score;
pub mod script;
pub mod shrink;
pub mod sim;
pub mod tally;
pub mod truth;

pub use script::Script;
pub use sim::{Options, play};
pub use tally::Tally;
