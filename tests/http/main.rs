//! The service over a real socket: a process `whowas serve` on a ledger of its own, asked as agents, schedulers and auditors do.
#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]
#![allow(dead_code, reason = "the world tells more stories elsewhere")]

mod access;
mod copies;
mod counts;
mod crash;
mod document;
mod held;
mod hostile;
mod served;
mod story;
mod streams;
mod tls;
#[path = "../cli/world.rs"]
mod world;
