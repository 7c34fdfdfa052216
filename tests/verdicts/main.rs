//! The verdict before each incremental, asked of whole ledgers in memory and on disk.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod findings;
mod golden;
mod harness;
mod licence;
mod mapping;
mod rules;
mod scenarios;
mod told;
