//! What could not be shown, and what to do about it.

use askama::Template;

use super::PageError;

#[derive(Template)]
#[template(path = "ui/failure.html")]
struct Page<'a> {
    failure: &'a Failure<'a>,
}

/// Why a page could not be shown.
#[derive(Clone, Debug)]
pub struct Failure<'a> {
    /// The status as a number.
    pub status: u16,
    /// The code in words.
    pub title: &'a str,
    /// What happened, where.
    pub detail: &'a str,
    /// What to do.
    pub hint: Option<&'a str>,
    /// The same page as known now, if it is about what was known earlier.
    pub as_now: Option<&'a str>,
    /// The id under which the request stands in the service's log.
    pub request: &'a str,
}

/// The page.
///
/// # Errors
/// If it cannot be laid out.
pub fn page(failure: &Failure<'_>) -> Result<String, PageError> {
    Ok(Page { failure }.render()?)
}
