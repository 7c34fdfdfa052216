//! The program as a process against an emulated directory on a real socket: the scenarios of the acceptance, every
//! command, and every failure that a person may meet.
#![cfg(all(unix, feature = "cli"))]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "the helpers of a test fail it; clippy spares only the test functions themselves"
)]

mod addressees;
mod audit;
mod commands;
#[path = "../common/mod.rs"]
mod common;
mod credentials;
mod doctor;
mod encrypt;
mod evidence;
mod failures;
mod guards;
mod imports;
mod live;
mod mapping;
mod portable;
mod redact;
mod repair;
mod report;
mod rounds;
mod scenarios;
mod serve;
#[path = "../http/served.rs"]
#[allow(dead_code, reason = "the service is asked in more ways elsewhere")]
mod served;
mod server;
mod world;
