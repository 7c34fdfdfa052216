//! A name's timeline drawn in text: a lane for each holder, the time from left to right.
//!
//! `█` held, `▒` within an edge (it began or ended somewhere here), `·` not held.

use std::fmt::Write as _;

use crate::domain::id::ObjectId;
use crate::domain::interval::Edge;
use crate::domain::time::Instant;
use crate::service::history::{HolderPart, NameAnswer};

/// Draws the lanes, `width` characters wide; nothing if no bounded time is known.
pub fn draw(answer: &NameAnswer, width: usize) -> String {
    let bounds = |edge: Edge| [edge.after(), edge.by()];
    let times = answer
        .holders
        .iter()
        .flat_map(|holder| bounds(holder.from).into_iter().chain(holder.until.into_iter().flat_map(bounds)).flatten());
    let Some((first, last)) = times.fold(None, |range: Option<(Instant, Instant)>, at| {
        Some(range.map_or((at, at), |(first, last)| (first.min(at), last.max(at))))
    }) else {
        return String::new();
    };
    // A little room on both sides shows what went before and what goes on.
    let room = last.since(first) / 12 + std::time::Duration::from_secs(60);
    let (first, last) = (first.minus(room), last.plus(room));
    let step = last.since(first) / u32::try_from(width.max(1)).unwrap_or(1);
    let mut text = String::new();
    let mut lanes: Vec<(ObjectId, Vec<&HolderPart>)> = Vec::new();
    for holder in &answer.holders {
        match lanes.iter_mut().find(|(object, _)| *object == holder.object) {
            Some((_, periods)) => periods.push(holder),
            None => lanes.push((holder.object, vec![holder])),
        }
    }
    for (object, periods) in lanes {
        let marks = (0..width).map(|column| {
            let at = first.plus(step * u32::try_from(column).unwrap_or(0) + step / 2);
            periods.iter().map(|period| mark(period, at)).max_by_key(|mark| "·▒█".find(*mark)).unwrap_or('·')
        });
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {} {}", short(object), marks.collect::<String>());
    }
    let (left, right) = (first.to_string(), last.to_string());
    let (left, right) = (short_time(&left), short_time(&right));
    let _ = writeln!(text, "  {:8} {left}{right:>rest$}", "", rest = width.saturating_sub(left.len()));
    text
}

/// The first digits of an object id, enough to tell lanes apart.
pub fn short(object: ObjectId) -> String {
    object.to_string().chars().take(8).collect()
}

fn mark(period: &HolderPart, at: Instant) -> char {
    let (from, until) = (period.from, period.until);
    let begun = from.by().is_none_or(|by| by <= at);
    let may_have_begun = from.after().is_none_or(|after| after < at);
    let ended = until.is_some_and(|until| until.by().is_some_and(|by| by <= at));
    let may_have_ended = until.is_some_and(|until| until.after().is_none_or(|after| after < at));
    match (begun, may_have_begun, ended, may_have_ended) {
        (_, _, true, _) | (_, false, ..) => '·',
        (true, _, _, false) => '█',
        _ => '▒',
    }
}

fn short_time(text: &str) -> &str {
    text.get(..16).unwrap_or(text)
}
