//! A chain as a line with a mark for each snapshot.

use crate::report::axis::{Axis, round};
use crate::report::content::ChainRows;
use crate::report::headline::segments;
use crate::report::marks::{self, Fill, Flag, Mark};
use crate::report::people::{COLOURS, People};
use crate::report::text::{count, cut};

/// One chain's line.
#[derive(Clone, Debug)]
pub struct Strip {
    /// Its upper side.
    pub y: f64,
    /// Its height.
    pub height: f64,
    /// Where the line is.
    pub line: f64,
    /// The chain.
    pub label: String,
    /// What stands beneath it.
    pub note: String,
    /// The whole of it, in words.
    pub title: String,
    /// The marks.
    pub marks: Vec<Drawn>,
    /// Letters above foreign marks.
    pub flags: Vec<Flag>,
    /// Letters below the stretches of one owner.
    pub spans: Vec<Span>,
}

/// A mark in its place.
#[derive(Clone, Debug)]
pub struct Drawn {
    /// The mark.
    pub mark: Mark,
    /// Its upper side.
    pub y: f64,
    /// Its height.
    pub height: f64,
    /// Its classes.
    pub class: String,
    /// The hatching, where there is one.
    pub mixture: Option<String>,
}

/// The name of a stretch of one owner.
#[derive(Clone, Debug)]
pub struct Span {
    /// Its middle.
    pub x: f64,
    /// What.
    pub text: String,
}

/// The line of a chain.
pub fn of(chain: &ChainRows, people: &People, axis: &Axis, y: &mut f64) -> Strip {
    let top = *y;
    let line = top + 40.0;
    let height = 62.0;
    *y += height;
    let marks = marks::of(chain, people, axis);
    let flags = marks::flags(&marks, people);
    let foreign = chain.snapshots.iter().filter(|row| chain.is_foreign(row)).count();
    let number = count(chain.snapshots.len(), "snapshot", "snapshots");
    let note = if foreign > 0 { format!("{number}, {foreign} foreign") } else { number };
    let drawn = marks.into_iter().map(|mark| {
        let (y, height) = if mark.foreign { (line - 20.0, 22.0) } else { (line - 14.0, 14.0) };
        let (class, mixture) = match &mark.fill {
            Fill::Certain(place) => (format!("sure p{}", place % COLOURS), None),
            Fill::Assumed(place) => (format!("assumed p{}", place % COLOURS), None),
            Fill::Between(places) => ("between".to_owned(), Some(super::mixture(places))),
            Fill::Nobody => ("nobody".to_owned(), None),
            Fill::Unknown => ("unknown".to_owned(), None),
        };
        Drawn { mark, y, height, class, mixture }
    });
    Strip {
        y: top,
        height,
        line,
        label: cut(chain.chain.as_str(), 27),
        note,
        title: format!("Chain {}", cut(chain.chain.as_str(), 300)),
        marks: drawn.collect(),
        flags,
        spans: spans(chain, people, axis),
    }
}

fn spans(chain: &ChainRows, people: &People, axis: &Axis) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut taken = axis.left();
    for (owner, rows) in segments(&chain.snapshots) {
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else { continue };
        let letter = owner.map_or("?", |owner| people.letter(owner));
        let (from, until) = (axis.x(first.from), axis.x(last.until));
        let ids = match rows.len() {
            1 => cut(first.snapshot.as_str(), 12),
            _ => format!("{}–{}", cut(first.snapshot.as_str(), 12), cut(last.snapshot.as_str(), 12)),
        };
        let text = format!("{letter}: {ids}");
        let half = text.chars().count() as f64 * 3.3 + 4.0;
        let x = ((from + until) / 2.0).max(axis.left() + half).min(axis.right() - half);
        // A text that would run into the one before it is left out; the mark has it.
        if x - half >= taken {
            taken = x + half;
            spans.push(Span { x: round(x), text });
        }
    }
    spans
}
