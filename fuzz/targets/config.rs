//! No configuration makes its reader panic.

use whowas::config::Config;

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = Config::parse(text, std::path::Path::new("whowas.toml"));
}
