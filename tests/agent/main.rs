//! The agent of `examples/agent.rs`: its story, and what becomes of a run that breaks off at any point.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at the first surprise")]
#![allow(dead_code, reason = "the example's program uses more of it")]

#[path = "../../examples/agent/mod.rs"]
mod agent;
mod local;
mod runs;
