//! The auditor's pages: what each shows, gathered at a [`Desk`](crate::service::Desk) and written as HTML.
//!
//! Nothing here knows HTTP. A page is a function from a [`Frame`] (who looks, at which tenant, as of when), a desk and what
//! is asked, to text. The drawings and tables are those of the report.
//!
//! Reading order: the frame around every page; addresses; then the pages, one a file.

pub mod assets;
pub mod chain;
pub mod failure;
pub mod finding;
pub mod findings;
pub mod frame;
pub mod links;
pub mod mapping;
pub mod name;
pub mod overview;
pub mod person;
pub mod reuse;
pub mod runs;
pub mod search;
pub mod sign_in;
pub mod subject;
pub mod then;

pub use frame::Frame;

use crate::ledger::LedgerError;
use crate::report::ReportError;
use crate::service::report::NoReport;

/// Why a page cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// What is asked for is not there.
    #[error("{0}")]
    Missing(String),
    /// The ledger could not be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The page could not be laid out.
    #[error("lay out the page")]
    Template(#[from] askama::Error),
    /// The report could not be written.
    #[error(transparent)]
    Report(#[from] ReportError),
}

impl From<NoReport> for PageError {
    fn from(error: NoReport) -> Self {
        match error {
            NoReport::Ledger(error) => Self::Ledger(error),
            NoReport::Missing(why) => Self::Missing(why),
        }
    }
}
