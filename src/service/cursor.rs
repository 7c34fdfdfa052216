//! Places in lists, written so that they go through a shell and a URL unchanged: text as hexadecimal digits.

/// What is said of text that is no cursor.
pub const REFUSAL: &str = "this is no cursor of a list; take the one that the page before gave";

/// Writes the text of a place.
pub fn write(f: &mut std::fmt::Formatter<'_>, text: &str) -> std::fmt::Result {
    text.bytes().try_for_each(|byte| write!(f, "{byte:02x}"))
}

/// The text of a place; `None` if it was not written by [`write`].
pub fn read(cursor: &str) -> Option<String> {
    let digits = cursor.as_bytes().chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?;
        u8::from_str_radix(pair, 16).ok()
    });
    String::from_utf8(digits.collect::<Option<_>>()?).ok()
}
