//! The pure core: what facts mean. No I/O, no clock, no async; time is always an argument.
//!
//! Reading order: ids, names and time; facts; what time they cover; the track of one presence; an object's timeline;
//! who holds a name; whose data a snapshot holds; who is protected; the verdict; the repair plan and the
//! restore guard; what stands instead of whom was erased.

pub mod attribute;
pub mod attribution;
pub mod coverage;
pub mod domain_change;
pub mod erase;
pub mod fact;
pub mod finding;
pub mod guard;
pub mod holder;
pub mod id;
pub mod interval;
pub mod judge;
pub mod link;
pub mod mapping;
pub mod name;
pub mod plan;
mod readings;
mod reports;
pub mod restore;
pub mod rhythm;
pub mod scope;
pub mod time;
pub mod timeline;
pub mod track;
pub mod verdict;
