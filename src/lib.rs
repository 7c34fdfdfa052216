//! Whose mail is this, how sure are we, and how do we know?
//!
//! whowas is a ledger of who held which name when, for backups of Microsoft 365. A backup agent asks it before each
//! incremental whether it may append to a chain, and whose mailbox to open; an auditor asks it who a name was on a date
//! and whose data a snapshot holds. It answers from facts, never from the name alone, and says when it cannot know.
//!
//! # A tour
//!
//! Facts go in: here one user as the directory showed it, a completed round (a *horizon*: nothing was missed through that
//! instant), and a snapshot that was taken of the user's mailbox. Time and randomness are the caller's.
//!
//! ```
//! use std::time::Duration;
//! use whowas::domain::fact::{Addressed, Fact, Feed, Horizon, Profile, Reading, Seen, Snapshot, Source};
//! use whowas::domain::id::{ObjectId, TenantId};
//! use whowas::domain::name::{Name, NameKind};
//! use whowas::domain::time::Instant;
//! use whowas::domain::verdict::{Ask, Outcome, Policy};
//! use whowas::ledger::{Batch, KnownAt, Ledger, Stamp};
//! use whowas::store::memory::MemoryStore;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let ledger = Ledger::new(MemoryStore::new()); // on disk: `store::sled::SledStore::open`
//! let tenant: TenantId = "b0f2a1c4-0000-4000-8000-000000000001".parse()?;
//! let ann: ObjectId = "7e06b566-15f3-4013-8bf8-79874d52e68a".parse()?;
//! let name: Name = "Ann@contoso.com".parse()?;
//! let noon: Instant = "2026-03-01T12:00:00Z".parse()?;
//! let lag = Duration::from_secs(300);
//!
//! let reading = Reading { at: noon, lag, source: Source::Delta, unchanged_since: None };
//! let profile = Profile { upn: Some(name.clone()), ..Profile::default() };
//! let taken = Snapshot {
//!     chain: "ann".parse()?,
//!     id: "rp-1".parse()?,
//!     from: noon,
//!     until: noon.plus(lag),
//!     addressed: Addressed::Object(ann),
//!     mailbox: None,
//! };
//! let facts = vec![
//!     Fact::Seen(Seen { object: ann, reading, profile }),
//!     Fact::Horizon(Horizon { feed: Feed::Delta, from: noon.minus(lag), through: noon.minus(lag) }),
//!     Fact::SnapshotTaken(taken),
//! ];
//! let salt = [7; 16]; // sixteen random bytes in earnest
//! ledger.append(tenant, Batch { facts, ..Batch::default() }, Stamp { now: noon, salt })?;
//!
//! // May I append to this chain? By object id a name cannot redirect the answer.
//! let later = noon.plus(Duration::from_secs(3600));
//! let ask = Ask { chain: Some("ann".parse()?), object: Some(ann), ..Ask::default() };
//! let checked = ledger.check(tenant, &ask, &Policy::default(), later, KnownAt::Now, None)?;
//! assert_eq!(checked.verdict.outcome, Outcome::Continue);
//! assert_eq!(checked.verdict.base, Some("rp-1".parse()?));
//!
//! // By name it wants a live read of the directory first: the name may have passed to someone else since.
//! let ask = Ask { chain: Some("ann".parse()?), name: Some(name.clone()), ..Ask::default() };
//! let checked = ledger.check(tenant, &ask, &Policy::default(), later, KnownAt::Now, None)?;
//! assert_eq!(checked.verdict.outcome, Outcome::Refresh);
//!
//! // Who was it? Case does not matter.
//! let who = ledger.who(tenant, &"ANN@contoso.com".parse()?, NameKind::Any, None, KnownAt::Now, later)?;
//! assert_eq!(who.standing.holder, Some(ann));
//! # Ok(())
//! # }
//! ```
//!
//! `examples/embed.rs` is the same on disk, with a rename and a name that passes to someone else.
//!
//! # Features
//!
//! Without default features there are [`domain`], [`store`] and [`ledger`], all of it synchronous, without HTTP and without
//! a command line. `graph` adds the client of Microsoft Graph and the sync, `emulator` a stand-in for Graph, `client` a client
//! of a running service, `cli` the program.

pub mod domain;

pub mod store;

pub mod ledger;

#[cfg(feature = "evidence")]
pub mod evidence;

#[cfg(feature = "evidence")]
pub mod keyring;

mod private;

#[cfg(feature = "graph")]
pub mod graph;

#[cfg(feature = "graph")]
pub mod import;

#[cfg(feature = "graph")]
pub mod sync;

#[cfg(feature = "graph")]
pub mod service;

#[cfg(feature = "report")]
pub mod report;

#[cfg(feature = "http")]
pub mod http;

#[cfg(feature = "http")]
pub mod ui;

#[cfg(feature = "client")]
pub mod client;

#[cfg(feature = "cli")]
pub mod scenario;

#[cfg(feature = "cli")]
pub mod cli;

#[cfg(any(feature = "graph", feature = "evidence"))]
pub mod clock;
#[cfg(feature = "http")]
pub mod config;

// The generators in `store/testing.rs` are shared with the tests outside, where the crate has its own name.
#[cfg(test)]
extern crate self as whowas;
