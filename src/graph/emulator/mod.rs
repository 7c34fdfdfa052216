//! A stateful stand-in for Microsoft Graph: a directory with a clock of its own behind the real endpoints.
//!
//! It is the demo's directory, the tests' directory, and a directory for people who write backup agents. The
//! [`Directory`] is pure: verbs change it at the instant its clock shows, and logs remember every state. [`Emulator`] puts
//! it behind a loopback socket; [`Quirks`] make the server misbehave in the ways that the real one does.
//!
//! ```
//! use whowas::graph::emulator::{Directory, NewUser};
//!
//! let mut directory = Directory::new("contoso.onmicrosoft.com", "2026-03-01T00:00:00Z".parse()?, 1);
//! let ann = directory.create_user(NewUser::mailbox("ann.lee@x.test"))?;
//! directory.set_now("2026-03-01T10:00:00Z".parse()?)?;
//! directory.rename(ann, "ann.roy@x.test", true)?;
//! assert_eq!(directory.user_by_upn("Ann.Roy@x.test").map(|user| user.id), Some(ann));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod answer;
mod api;
mod audit;
mod changes;
mod control;
mod delta;
mod directory;
mod entity;
mod group;
mod ids;
mod login;
mod mailbox;
mod message;
mod names;
mod quirks;
mod refusal;
mod request;
mod server;
mod tls;
mod user;
mod world;

pub use audit::{Actor, AuditEvent, Modified};
pub use control::{Act, UpnChange, parse_span};
pub use directory::{Directory, NameChange, RECYCLE_BIN};
pub use group::{Contact, Group};
pub use mailbox::{LICENCE_GRACE, NewMessage};
pub use message::{Folder, Message};
pub use quirks::{Quirk, QuirkName, Quirks, UnknownQuirk};
pub use refusal::Refusal;
pub use server::{Emulator, EmulatorOptions};
pub use user::{ExchangePlan, NewUser, User, UserType};
pub use world::{Clock, REQUESTS_KEPT_MAX, RequestLog, SeenRequest};

#[cfg(test)]
mod mail_tests;
#[cfg(test)]
mod tests;
