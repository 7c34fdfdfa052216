//! Which names and which time a picture shows.

use super::Focus;
use crate::domain::id::ChainId;
use crate::domain::interval::Edge;
use crate::domain::time::Instant;
use crate::domain::timeline::{Role, State};
use crate::report::axis::Axis;
use crate::report::content::{AddressedRow, NameRow, ObjectRow, Report, Topic};

use std::collections::BTreeMap;
use std::time::Duration;

/// A name with a lane of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The comparison key.
    pub key: String,
    /// The spelling seen.
    pub spelling: String,
}

/// The names that get a lane: the one asked about, those that opened a snapshot's mailbox, those with several holders.
pub fn names(report: &Report) -> Vec<Shown> {
    let mut held: BTreeMap<&str, (usize, &str)> = BTreeMap::new();
    for row in &report.objects {
        let mut own: Vec<&NameRow> = row.names.iter().filter(|name| name.kind != Role::Primary).collect();
        own.sort_by_key(|name| &name.name);
        own.dedup_by_key(|name| &name.name);
        for name in own {
            let entry = held.entry(&name.name).or_insert((0, &name.spelling));
            entry.0 += 1;
        }
    }
    let mut names: Vec<Shown> = Vec::new();
    let mut add = |key: &str, spelling: &str| {
        if !names.iter().any(|name| name.key == key) {
            names.push(Shown { key: key.to_owned(), spelling: spelling.to_owned() });
        }
    };
    if let Topic::Name(name) = &report.subject {
        add(name.key().as_str(), name.spelling());
    }
    for row in report.snapshots() {
        if let AddressedRow::Name { name, key, .. } = &row.addressed {
            add(key, name);
        }
    }
    held.iter().filter(|(_, (holders, _))| *holders > 1).for_each(|(key, (_, spelling))| add(key, spelling));
    names
}

/// The axis of a picture.
pub fn axis(report: &Report, names: &[Shown], focus: &Focus, left: f64, right: f64) -> Axis {
    match focus {
        Focus::Whole => Axis::over(times(report, names), left, right),
        Focus::Chain(chain) => Axis::over(close_up(report, chain), left, right),
    }
}

/// How much of the whole picture's width a chain's snapshots take.
pub fn share(report: &Report, chain: &ChainId, left: f64, right: f64) -> Option<f64> {
    let axis = axis(report, &names(report), &Focus::Whole, left, right);
    let (first, last) = range(snapshots(report, Some(chain)))?;
    (first < last).then(|| (axis.x(last) - axis.x(first)) / (right - left))
}

/// What happened to the people, and when snapshots were taken. Beginnings far before all that, such as the day on which an
/// account was made, do not squeeze the rest: the picture begins later and their bars run out of it.
fn times(report: &Report, names: &[Shown]) -> Vec<Instant> {
    let bounds = |edge: Edge| [edge.after(), edge.by()].into_iter().flatten();
    let mut core: Vec<Instant> = snapshots(report, None).collect();
    let mut begins: Vec<Instant> = Vec::new();
    for row in &report.objects {
        for name in &row.names {
            core.extend(name.until.into_iter().flat_map(bounds));
            let matters = names.iter().any(|shown| shown.key == name.name) && !is_first(row, name);
            if matters { core.extend(bounds(name.from)) } else { begins.extend(bounds(name.from)) }
        }
        for state in row.states.iter().filter(|state| state.state != State::Active) {
            core.extend(bounds(state.from).chain(state.until.into_iter().flat_map(bounds)));
        }
    }
    let bounded = |at: &Instant| *at != Instant::MIN && *at != Instant::MAX;
    core.retain(bounded);
    if core.is_empty() {
        core.append(&mut begins);
    }
    let Some((first, last)) = range(core.iter().copied()) else { return vec![report.basis.clock] };
    let room = (last.since(first) * 2 / 5).max(Duration::from_secs(3_600));
    let near = |at: &Instant| *at >= first.minus(room) && *at <= last.plus(room);
    let clock = Some(report.basis.clock).filter(near);
    core.extend(begins.into_iter().filter(near));
    core.extend(clock);
    core
}

fn is_first(row: &ObjectRow, name: &NameRow) -> bool {
    row.names.iter().all(|other| other.from.by() >= name.from.by())
}

/// A chain's snapshots and the edges that lie among them.
fn close_up(report: &Report, chain: &ChainId) -> Vec<Instant> {
    snapshots(report, Some(chain)).collect()
}

fn snapshots<'a>(report: &'a Report, only: Option<&'a ChainId>) -> impl Iterator<Item = Instant> + 'a {
    let chains = report.chains.iter().filter(move |chain| only.is_none_or(|only| *only == chain.chain));
    chains.flat_map(|chain| chain.snapshots.iter().flat_map(|row| [row.from, row.until]))
}

fn range(times: impl Iterator<Item = Instant>) -> Option<(Instant, Instant)> {
    let bounded = times.filter(|at| *at != Instant::MIN && *at != Instant::MAX);
    bounded.fold(None, |range, at| {
        Some(range.map_or((at, at), |(first, last): (Instant, Instant)| (first.min(at), last.max(at))))
    })
}
