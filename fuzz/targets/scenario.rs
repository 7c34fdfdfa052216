//! No text of a scenario makes its reader panic, and what is wrong has a line of the file.

use whowas::scenario::parse;

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = parse(text);
}
