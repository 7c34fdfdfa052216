//! A chain at a glance: its stretches of one owner, one after another, each with what to do about it.

use std::collections::BTreeMap;

use super::content::{ChainRows, PlanRows, SnapshotRow};
use super::headline::segments;
use super::links::Links;
use super::people::People;
use super::text::{count, cut, word};
use super::when::{At, AtAfter};
use crate::domain::holder::HolderConfidence;
use crate::domain::id::{ObjectId, SnapshotId};

/// How many stretches are shown; the table has all.
const STRETCHES_MAX: usize = 24;

/// The stretches of a chain.
#[derive(Clone, Debug)]
pub struct Stretches {
    /// What they are of.
    pub label: String,
    /// The stretches, in order of time.
    pub items: Vec<Stretch>,
    /// What is not shown.
    pub more: Option<String>,
}

/// Consecutive snapshots of one owner.
#[derive(Clone, Debug)]
pub struct Stretch {
    /// The owner's letter, `?` if there is none.
    pub letter: String,
    /// The class of the owner's colour.
    pub class: String,
    /// How much room it takes.
    pub room: &'static str,
    /// The owner.
    pub whose: String,
    /// The owner's page.
    pub href: String,
    /// Which snapshots.
    pub ids: String,
    /// How many, and how sure.
    pub note: String,
    /// When the first began.
    pub from: At,
    /// When the last ended.
    pub until: AtAfter,
    /// It holds the data of someone other than the chain's owner.
    pub foreign: bool,
    /// What to do, if there is a plan.
    pub act: String,
    /// The class of what to do.
    pub act_class: &'static str,
}

/// The stretches of a chain, if there is more than one owner to tell apart, or one that is not known.
pub fn of(chain: &ChainRows, plan: Option<&PlanRows>, people: &People, links: &dyn Links) -> Option<Stretches> {
    let segments = segments(&chain.snapshots);
    if !chain.snapshots.iter().any(|row| row.owner.is_none() || chain.is_foreign(row)) {
        return None;
    }
    let more = segments.len().saturating_sub(STRETCHES_MAX);
    let items = segments.into_iter().take(STRETCHES_MAX);
    let acts: BTreeMap<&SnapshotId, &str> = plan
        .into_iter()
        .flat_map(|plan| &plan.segments)
        .flat_map(|segment| segment.snapshots.iter().map(|snapshot| (snapshot, segment.act.as_str())))
        .collect();
    Some(Stretches {
        label: format!("Whose mail chain {} holds, in order of time", cut(chain.chain.as_str(), 80)),
        items: items.filter_map(|(owner, rows)| stretch(chain, &acts, people, links, owner, &rows)).collect(),
        more: (more > 0).then(|| format!("… and {} more; the table has all.", count(more, "stretch", "stretches"))),
    })
}

fn stretch(
    chain: &ChainRows,
    acts: &BTreeMap<&SnapshotId, &str>,
    people: &People,
    links: &dyn Links,
    owner: Option<ObjectId>,
    rows: &[&SnapshotRow],
) -> Option<Stretch> {
    let (first, last) = (rows.first()?, rows.last()?);
    let person = owner.and_then(|owner| people.get(owner));
    let whose = match (owner, person) {
        (_, Some(person)) => person.label.clone(),
        (Some(owner), None) => owner.to_string(),
        (None, _) => nobodys(rows, people),
    };
    let ids = match rows {
        [one] => format!("snapshot {}", cut(one.snapshot.as_str(), 24)),
        _ => format!("snapshots {} – {}", cut(first.snapshot.as_str(), 24), cut(last.snapshot.as_str(), 24)),
    };
    let mut sure: Vec<String> = Vec::new();
    for confidence in rows.iter().map(|row| word(&row.confidence)) {
        if !sure.contains(&confidence) {
            sure.push(confidence);
        }
    }
    let (act, act_class) = act(acts, rows);
    Some(Stretch {
        letter: person.map_or_else(|| "?".to_owned(), |person| person.letter.clone()),
        class: person.map_or_else(|| "whose".to_owned(), |person| person.class.clone()),
        room: room(rows.len()),
        whose,
        href: owner.map(|owner| links.person(owner)).unwrap_or_default(),
        ids,
        note: format!("{}, {}", count(rows.len(), "snapshot", "snapshots"), sure.join(" or ")),
        from: At(first.from),
        until: AtAfter(first.from, last.until),
        foreign: owner.is_some() && owner != chain.owner(),
        act,
        act_class,
    })
}

/// Who may own snapshots that have no owner.
fn nobodys(rows: &[&SnapshotRow], people: &People) -> String {
    if rows.iter().all(|row| row.confidence == HolderConfidence::Nobody) {
        return "nobody is known to have held the name".to_owned();
    }
    let mut letters: Vec<&str> =
        rows.iter().flat_map(|row| &row.candidates).map(|object| people.letter(*object)).collect();
    letters.sort_unstable();
    letters.dedup();
    match letters.as_slice() {
        [] => "owner not known".to_owned(),
        letters => format!("cannot be known: {}", letters.join(" or ")),
    }
}

/// What the plan does with these snapshots.
fn act(acts: &BTreeMap<&SnapshotId, &str>, rows: &[&SnapshotRow]) -> (String, &'static str) {
    if rows.iter().all(|row| row.expired) {
        return ("No longer kept".to_owned(), "kept");
    }
    let mut found: Vec<&str> = Vec::new();
    for act in rows.iter().filter_map(|row| acts.get(&row.snapshot)) {
        if !found.contains(act) {
            found.push(act);
        }
    }
    let class = if found.iter().all(|act| *act == "keep") { "kept" } else { "set-aside" };
    let words: Vec<String> = found.into_iter().map(act_words).collect();
    (words.join(" / "), class)
}

/// What is to be done with snapshots, as a heading.
pub fn act_words(act: &str) -> String {
    match act {
        "keep" => "Keep".to_owned(),
        "quarantine" => "Quarantine".to_owned(),
        "relabel" => "Move to a new chain".to_owned(),
        other => cut(other, 40),
    }
}

/// The more snapshots, the more room, but a single one can still be read beside a thousand.
fn room(snapshots: usize) -> &'static str {
    match snapshots {
        0..=1 => "w1",
        2..=5 => "w2",
        6..=20 => "w3",
        21..=100 => "w4",
        _ => "w5",
    }
}
