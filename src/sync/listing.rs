//! Where the reading of a listing stands, which begins anew if the directory no longer knows its page token.

use std::collections::HashSet;

use crate::graph::error::{Asked, GraphError};
use crate::graph::page::Page;
use crate::graph::wire::LinkUrl;

/// How often a listing begins anew because its page token expired.
const RESTARTS_MAX: u32 = 3;
/// Most pages of one listing. With a hundred objects a page it is ten million.
const PAGES_MAX: u64 = 100_000;

/// A listing under way.
#[derive(Debug, Default)]
pub(super) struct Listing {
    next: Option<LinkUrl>,
    restarts: u32,
    followed: HashSet<String>,
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
                self.followed.clear();
                Ok(None)
            }
            answer => answer.map(Some),
        }
    }

    /// Goes on to this page.
    ///
    /// # Errors
    /// If it was read already, or there were more pages than any directory has.
    pub fn follow(&mut self, asked: Asked, next: LinkUrl) -> Result<(), GraphError> {
        let pages = self.followed.len() as u64;
        if pages >= PAGES_MAX {
            return Err(GraphError::TooManyPages { asked, pages });
        }
        if !self.followed.insert(next.as_str().to_owned()) {
            return Err(GraphError::LinkLoop { asked, pages });
        }
        self.next = Some(next);
        Ok(())
    }

    /// Whether it never had to begin anew.
    pub fn is_in_one_go(&self) -> bool {
        self.restarts == 0
    }
}
