//! A small backup agent for Exchange Online that asks whowas before every run. Read it in this order: `identity` (what it
//! asks), `backup` (a run), `restore`, `repository` (what a crash may leave), `graph`, `service`.

pub mod backup;
pub mod contents;
pub mod graph;
pub mod identity;
pub mod repository;
pub mod restore;
pub mod service;
pub mod story;
pub mod trouble;

use std::sync::Arc;

use graph::Graph;
use identity::Identity;
use repository::Repository;
use whowas::domain::time::Instant;

/// The agent: where mail comes from, who says whose it is, and where it is kept.
pub struct Agent {
    pub graph: Graph,
    pub identity: Box<dyn Identity>,
    pub repository: Repository,
    pub clock: Arc<dyn Fn() -> Instant + Send + Sync>,
}
