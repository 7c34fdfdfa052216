//! Places in lists, written so that they go through a shell and a URL unchanged: text as hexadecimal digits.

use data_encoding::HEXLOWER;

/// What is said of text that is no cursor.
pub const REFUSAL: &str = "this is no cursor of a list; take the one that the page before gave";

/// Writes the text of a place.
pub fn write(f: &mut std::fmt::Formatter<'_>, text: &str) -> std::fmt::Result {
    write!(f, "{}", HEXLOWER.encode_display(text.as_bytes()))
}

/// The text of a place; `None` if it was not written by [`write`].
pub fn read(cursor: &str) -> Option<String> {
    String::from_utf8(HEXLOWER.decode(cursor.as_bytes()).ok()?).ok()
}
