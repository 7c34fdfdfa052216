//! Where the things that a report names have pages of their own. A file that stands alone has no such places.

use crate::domain::finding::FindingId;
use crate::domain::id::{ChainId, ObjectId};

/// The addresses of pages. An empty one is no link.
pub trait Links {
    /// Someone's page.
    fn person(&self, object: ObjectId) -> String;
    /// A chain's page.
    fn chain(&self, chain: &ChainId) -> String;
    /// A name's page.
    fn name(&self, name: &str) -> String;
    /// A finding's page.
    fn finding(&self, finding: FindingId) -> String;
}

/// No pages.
#[derive(Clone, Copy, Debug)]
pub struct NoLinks;

impl Links for NoLinks {
    fn person(&self, _: ObjectId) -> String {
        String::new()
    }

    fn chain(&self, _: &ChainId) -> String {
        String::new()
    }

    fn name(&self, _: &str) -> String {
        String::new()
    }

    fn finding(&self, _: FindingId) -> String {
        String::new()
    }
}
