//! The files that pages need besides themselves: one style sheet, htmx, and an icon. Each has its content's hash in its
//! address, so that a browser keeps it for good and asks for the next release's by another one.

use std::borrow::Cow;
use std::sync::LazyLock;

use data_encoding::HEXLOWER;
use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};

/// A file.
#[derive(Clone, Debug)]
pub struct Asset {
    /// Its address.
    pub url: String,
    /// Its media type.
    pub media_type: &'static str,
    /// Its content.
    pub content: Cow<'static, [u8]>,
}

#[derive(RustEmbed)]
#[folder = "assets/"]
struct Embedded;

struct Assets {
    css: Asset,
    htmx: Asset,
    icon: Asset,
}

static ASSETS: LazyLock<Assets> = LazyLock::new(|| {
    // The drawing's colours and the glance at a chain are the report's own.
    let parts = [
        include_str!("../../templates/report/drawing.css"),
        include_str!("../../templates/report/stretches.css"),
        include_str!("../../templates/ui/ui.css"),
    ];
    Assets {
        css: asset("whowas.css", "text/css; charset=utf-8", Cow::Owned(parts.concat().into_bytes())),
        htmx: asset("htmx.js", "text/javascript; charset=utf-8", embedded("htmx-4.0.1.min.js")),
        icon: asset("icon.svg", "image/svg+xml", embedded("icon.svg")),
    }
});

/// The file at an address.
pub fn at(url: &str) -> Option<&'static Asset> {
    [&ASSETS.css, &ASSETS.htmx, &ASSETS.icon].into_iter().find(|asset| asset.url == url)
}

/// The style sheet's address.
pub fn css() -> &'static str {
    &ASSETS.css.url
}

/// The script's address.
pub fn htmx() -> &'static str {
    &ASSETS.htmx.url
}

/// The icon's address.
pub fn icon() -> &'static str {
    &ASSETS.icon.url
}

fn embedded(name: &str) -> Cow<'static, [u8]> {
    Embedded::get(name).map(|file| file.data).unwrap_or_default()
}

fn asset(name: &str, media_type: &'static str, content: Cow<'static, [u8]>) -> Asset {
    let hash: String = HEXLOWER.encode(&Sha256::digest(&content)).chars().take(16).collect();
    Asset { url: format!("/assets/{hash}/{name}"), media_type, content }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_asset_is_there_under_its_hash() {
        for url in [css(), htmx(), icon()] {
            let asset = at(url).unwrap();
            assert!(asset.content.len() > 100, "{url}");
        }
        assert!(at("/assets/0000000000000000/whowas.css").is_none());
        let css = String::from_utf8(at(css()).unwrap().content.to_vec()).unwrap();
        assert!(!css.contains("url(") && !css.contains("@import"), "a style sheet that loads nothing");
    }
}
