//! The service's HTTP side: who may ask, the API and its document, and how it listens.
//!
//! Reading order: [`problem`] (failures), [`access`] (tokens, roles, the log of who asked), [`service`] (what all handlers
//! share), [`place`] (the tenant that a request is about), [`api`] (the routes), [`pages`] (for auditors), [`router`] (all of it in its layers),
//! [`server`] (listening, TLS, the graceful end).

pub mod access;
pub mod api;
mod connections;
mod elements;
pub mod metrics;
pub mod pages;
mod pieces;
pub mod place;
pub mod problem;
pub mod router;
mod schema;
pub mod server;
pub mod service;
pub mod streams;
pub mod systemd;
#[cfg(test)]
mod trial;
