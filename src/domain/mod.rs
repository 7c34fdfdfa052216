//! The pure core: what facts mean. No I/O, no clock, no async; time is always an argument.

pub mod coverage;
pub mod fact;
pub mod id;
pub mod interval;
pub mod name;
pub mod time;
