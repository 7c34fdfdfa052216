//! Microsoft Graph: the client, its wire types, and how answers become facts.
//!
//! Pure, without I/O or clock: [`wire`], [`page`], [`delta`], [`facts`], [`audits`], [`cloud`]. Only [`auth`] and
//! [`client`] talk to the network. What Microsoft's side really does, and where that is written, stands beside each rule.

mod aadsts;
pub mod audits;
pub mod auth;
pub mod certificate;
pub mod client;
pub mod cloud;
pub mod delta;
#[cfg(feature = "emulator")]
pub mod emulator;
pub mod error;
pub mod facts;
pub mod page;
pub mod retry;
pub mod urls;
pub mod wire;
