//! The service's HTTP side.

mod schema;
