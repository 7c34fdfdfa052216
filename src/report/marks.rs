//! A chain's snapshots as marks on a line. Neighbours that say the same and would touch become one run; a snapshot that
//! holds someone else's data always has a mark of its own.

use super::axis::{Axis, round};
use super::content::{ChainRows, SnapshotRow};
use super::people::People;
use super::text::{self, cut, word};
use crate::domain::holder::HolderConfidence;

/// The narrowest mark.
const WIDTH_MIN: f64 = 3.0;
/// Marks nearer than this touch.
const GAP: f64 = 1.5;
/// Flags nearer than this stand on one pole.
const FLAG_GAP: f64 = 22.0;

/// One snapshot, or a run of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// Its left side.
    pub x: f64,
    /// Its width.
    pub width: f64,
    /// How it is filled.
    pub fill: Fill,
    /// It holds data of someone other than the chain's owner.
    pub foreign: bool,
    /// The backup product no longer keeps it.
    pub expired: bool,
    /// How many snapshots.
    pub count: usize,
    /// What it is, in words.
    pub title: String,
}

/// How a mark is filled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fill {
    /// In the owner's colour, by its place.
    Certain(usize),
    /// In the owner's colour, paler.
    Assumed(usize),
    /// Hatched between these.
    Between(Vec<usize>),
    /// Empty: nobody held the name.
    Nobody,
    /// Empty with a broken line: unknown.
    Unknown,
}

/// A letter above foreign marks that stand close together.
#[derive(Clone, Debug, PartialEq)]
pub struct Flag {
    /// Where.
    pub x: f64,
    /// Whose colour.
    pub place: usize,
    /// `B` or `B ×3`.
    pub label: String,
    /// Half the width of the flag.
    pub half: f64,
}

/// The marks of a chain, foreign ones last so that they are drawn over the others.
pub fn of(chain: &ChainRows, people: &People, axis: &Axis) -> Vec<Mark> {
    let mut marks: Vec<(Mark, &SnapshotRow)> = Vec::new();
    let mut foreign = Vec::new();
    for row in chain.snapshots.iter().filter(|row| axis.shows(row.from) || axis.shows(row.until)) {
        let (from, until) = (axis.x(row.from.min(row.until)), axis.x(row.until.max(row.from)));
        let width = (until - from).max(WIDTH_MIN);
        let mark = Mark {
            x: round((from + until - width) / 2.0),
            width: round(width),
            fill: fill(row, people),
            foreign: chain.is_foreign(row),
            expired: row.expired,
            count: 1,
            title: title(row, people),
        };
        if mark.foreign {
            foreign.push(mark);
            continue;
        }
        match marks.last_mut() {
            Some((run, first)) if joins(run, &mark) => {
                run.width = round((mark.x + mark.width).max(run.x + run.width) - run.x);
                run.count += 1;
                run.title = run_title(run.count, first, row, people);
            }
            _ => marks.push((mark, row)),
        }
    }
    marks.into_iter().map(|(mark, _)| mark).chain(foreign).collect()
}

/// The flags over the foreign marks.
pub fn flags(marks: &[Mark], people: &People) -> Vec<Flag> {
    let mut groups: Vec<(f64, f64, usize, usize)> = Vec::new();
    let mut foreign: Vec<(f64, usize)> = marks
        .iter()
        .filter(|mark| mark.foreign)
        .filter_map(|mark| match mark.fill {
            Fill::Certain(place) | Fill::Assumed(place) => Some((mark.x + mark.width / 2.0, place)),
            _ => None,
        })
        .collect();
    foreign.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    for (x, place) in foreign {
        match groups.iter_mut().rev().find(|group| group.2 == place) {
            Some(group) if x - group.1 < FLAG_GAP => {
                group.1 = x;
                group.3 += 1;
            }
            _ => groups.push((x, x, place, 1)),
        }
    }
    let letters: Vec<&str> = people.iter().map(|person| person.letter.as_str()).collect();
    let mut flags = Vec::new();
    for (from, until, place, count) in groups {
        let letter = letters.get(place).copied().unwrap_or("?");
        let label = if count == 1 { letter.to_owned() } else { format!("{letter} ×{count}") };
        let half = round((label.chars().count() as f64 * 3.4 + 5.0).max(8.0));
        flags.push(Flag { x: round((from + until) / 2.0), place, label, half });
    }
    flags
}

fn joins(run: &Mark, next: &Mark) -> bool {
    run.fill == next.fill && run.expired == next.expired && next.x <= run.x + run.width + GAP
}

fn fill(row: &SnapshotRow, people: &People) -> Fill {
    let place = |object| people.get(object).map_or(0, |person| person.place);
    match (row.owner, row.confidence) {
        (Some(owner), HolderConfidence::Assumed) => Fill::Assumed(place(owner)),
        (Some(owner), _) => Fill::Certain(place(owner)),
        (None, HolderConfidence::Nobody) => Fill::Nobody,
        (None, _) if row.candidates.is_empty() => Fill::Unknown,
        (None, _) => {
            let mut between: Vec<usize> = row.candidates.iter().map(|object| place(*object)).collect();
            between.sort_unstable();
            between.dedup();
            between.truncate(4);
            Fill::Between(between)
        }
    }
}

/// One snapshot in words.
pub fn title(row: &SnapshotRow, people: &People) -> String {
    let whose = whose(row, people);
    let settled = if row.settled { "settled" } else { "provisional" };
    let expired = if row.expired { ", expired" } else { "" };
    format!(
        "Snapshot {}, {} to {} UTC: {whose} ({}, {settled}{expired})",
        cut(row.snapshot.as_str(), 80),
        text::time(row.from),
        text::time_after(row.from, row.until),
        word(&row.confidence),
    )
}

fn whose(row: &SnapshotRow, people: &People) -> String {
    match row.owner {
        Some(owner) => format!("mail of {}", people.called(owner)),
        None if row.candidates.is_empty() => "owner not known".to_owned(),
        None => {
            let mut named: Vec<String> = row.candidates.iter().take(4).map(|object| people.called(*object)).collect();
            named.sort();
            format!("mail of {}", named.join(" or "))
        }
    }
}

fn run_title(count: usize, first: &SnapshotRow, last: &SnapshotRow, people: &People) -> String {
    format!(
        "{count} snapshots, {} to {}, {} to {} UTC: {} ({})",
        cut(first.snapshot.as_str(), 60),
        cut(last.snapshot.as_str(), 60),
        text::time(first.from),
        text::time_after(first.from, last.until),
        whose(first, people),
        word(&first.confidence),
    )
}
