//! Where the reading of a listing stands, which begins anew if the directory no longer knows its page token.

use crate::graph::error::GraphError;
use crate::graph::page::Page;
use crate::graph::wire::LinkUrl;

/// How often a listing begins anew because its page token expired.
const RESTARTS_MAX: u32 = 3;

/// A listing under way.
#[derive(Debug, Default)]
pub(super) struct Listing {
    next: Option<LinkUrl>,
    restarts: u32,
}

impl Listing {
    /// The link of the next page; `None` for the first one.
    pub fn link(&self) -> Option<&str> {
        self.next.as_ref().map(LinkUrl::as_str)
    }

    /// Takes an answer in. `None`: the listing begins anew, from its first page.
    pub fn take<T>(&mut self, answer: Result<Page<T>, GraphError>) -> Result<Option<Page<T>>, GraphError> {
        match answer {
            Err(GraphError::PageExpired { .. }) if self.next.is_some() && self.restarts < RESTARTS_MAX => {
                self.restarts += 1;
                self.next = None;
                Ok(None)
            }
            answer => answer.map(Some),
        }
    }

    /// Goes on to this page.
    pub fn follow(&mut self, next: LinkUrl) {
        self.next = Some(next);
    }

    /// Whether it never had to begin anew.
    pub fn is_in_one_go(&self) -> bool {
        self.restarts == 0
    }
}
