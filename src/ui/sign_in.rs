//! Signing in with a token.

use askama::Template;

use super::PageError;

#[derive(Template)]
#[template(path = "ui/sign_in.html")]
struct Page<'a> {
    wrong: Option<&'a str>,
    next: &'a str,
    is_encrypted: bool,
    request: &'a str,
}

/// The page on which a token is given. `next` is the page that was wanted.
///
/// # Errors
/// If it cannot be laid out.
pub fn page(wrong: Option<&str>, next: &str, is_encrypted: bool, request: &str) -> Result<String, PageError> {
    Ok(Page { wrong, next, is_encrypted, request }.render()?)
}
