//! What several test programs share.

use std::io::Write;

/// Says on the real standard error, which the test runner does not capture, what was not tried. CI skips nothing.
pub fn skip(what: &str) {
    assert!(std::env::var_os("CI").is_none(), "CI must not skip {what}");
    // A test whose complaint cannot be written is still skipped.
    let _unsaid = std::io::stderr().write_all(format!("\nSKIPPED {what}\n").as_bytes());
}
