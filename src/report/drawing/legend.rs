//! What the signs of a picture mean: those that it uses, and no others.

use super::{Lane, Shade, Strip};
use crate::report::axis::round;
use crate::report::marks::{Fill, Mark};

/// A sign and its meaning.
#[derive(Clone, Debug)]
pub struct Item {
    /// Where it begins.
    pub x: f64,
    /// The middle of its line.
    pub y: f64,
    /// The sign.
    pub sign: Sign,
    /// The meaning.
    pub text: &'static str,
}

/// A sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// A full bar.
    Held,
    /// A hatched bar.
    Edge,
    /// An arrow.
    Open,
    /// A box of someone who is gone.
    Gone,
    /// A grey column.
    Blind,
    /// A full mark.
    Certain,
    /// A pale mark.
    Assumed,
    /// A mark with stripes.
    Between,
    /// An empty mark.
    Nobody,
    /// An empty mark with a broken line.
    Unknown,
    /// A crossed mark.
    Expired,
    /// A high mark with a flag.
    Foreign,
}

/// The signs that these lanes use, set in lines below them; `height` grows with them.
pub fn of(lanes: &[Lane], strips: &[Strip], blind: &[Shade], height: &mut f64, width: f64) -> Vec<Item> {
    let bars = || lanes.iter().flat_map(|lane| &lane.bars);
    let any = |test: fn(&Mark) -> bool| strips.iter().flat_map(|strip| &strip.marks).any(|mark| test(&mark.mark));
    let used = [
        (Sign::Held, "held the name", bars().any(|bar| bar.solid.is_some())),
        (Sign::Edge, "began or ended somewhere in here", bars().any(|bar| !bar.bands.is_empty())),
        (
            Sign::Open,
            "goes on, or began earlier",
            bars().any(|bar| bar.opens_left.is_some() || bar.opens_right.is_some()),
        ),
        (Sign::Gone, "not in the directory", lanes.iter().any(|lane| !lane.gone.is_empty())),
        (Sign::Blind, "no sync covers this time", !blind.is_empty()),
        (Sign::Certain, "snapshot, owner certain", any(|mark| matches!(mark.fill, Fill::Certain(_)) && !mark.foreign)),
        (Sign::Foreign, "snapshot with someone else's mail", any(|mark| mark.foreign)),
        (Sign::Assumed, "owner assumed", any(|mark| matches!(mark.fill, Fill::Assumed(_)))),
        (Sign::Between, "one of these, cannot be known", any(|mark| matches!(mark.fill, Fill::Between(_)))),
        (Sign::Nobody, "nobody is known to have held the name", any(|mark| mark.fill == Fill::Nobody)),
        (Sign::Unknown, "owner unknown", any(|mark| mark.fill == Fill::Unknown)),
        (Sign::Expired, "no longer kept", any(|mark| mark.expired)),
    ];
    let mut items = Vec::new();
    let (mut x, mut y) = (12.0, *height + 6.0);
    for (sign, text, _) in used.into_iter().filter(|(_, _, used)| *used) {
        let room = text.chars().count() as f64 * 6.4 + 50.0;
        if x + room > width && x > 12.0 {
            (x, y) = (12.0, y + 22.0);
        }
        items.push(Item { x: round(x), y: round(y), sign, text });
        x += room;
    }
    if !items.is_empty() {
        *height = y + 16.0;
    }
    items
}
