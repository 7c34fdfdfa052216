//! The rows of the page's tables.

use super::super::content::{
    AddressedRow, ChainRows, EvidenceRow, FindingRow, NameRow, NextRow, ObjectRow, PlanRows, SnapshotRow, StepRow,
};
use super::super::links::Links;
use super::super::people::{People, Person};
use super::super::stretches::act_words;
use super::super::text::{count, cut, edge, short, shown, time, word};
use super::super::when::{At, AtAfter, Edged, Ended};
use crate::domain::holder::HolderConfidence;
use crate::domain::id::ObjectId;
use crate::domain::timeline::Role;

/// How many ordinary rows of a chain the page shows; those that are not ordinary are always shown.
const ORDINARY_MAX: usize = 2_000;
/// How many facts stand behind a period on the page: the first and the last ones.
const FACTS_MAX: usize = 12;

pub struct ChainTable {
    pub name: String,
    pub note: String,
    pub rows: Vec<SnapshotLine>,
}

pub struct SnapshotLine {
    pub id: String,
    pub from: At,
    pub until: AtAfter,
    pub addressed: String,
    pub addressed_href: String,
    pub whose: Vec<Who>,
    pub foreign: Option<String>,
    pub confidence: String,
    pub settled: &'static str,
    pub receipt: String,
    pub expired: bool,
}

pub struct Who {
    pub letter: String,
    pub class: String,
    pub label: String,
    pub id: String,
    pub href: String,
}

#[derive(Clone)]
pub struct PersonTable {
    pub letter: String,
    pub class: String,
    pub label: String,
    pub id: String,
    pub href: String,
    pub state: String,
    pub names: Vec<NameLine>,
}

#[derive(Clone)]
pub struct NameLine {
    pub name: String,
    pub href: String,
    pub role: &'static str,
    pub from: Edged,
    pub until: Ended,
    pub contested: bool,
    pub evidence: Vec<String>,
}

pub struct FindingLine {
    pub severity: String,
    pub kind: String,
    pub id: String,
    pub href: String,
    pub state: String,
    pub summary: String,
    pub opened: String,
    pub changed: String,
}

pub struct PlanTable {
    pub chain: String,
    pub segments: Vec<SegmentLine>,
    pub next: Vec<String>,
    pub reasons: Vec<String>,
}

pub struct SegmentLine {
    pub act: String,
    pub snapshots: String,
    pub whose: String,
    pub confidence: String,
    pub to: String,
}

pub fn of_chain(chain: &ChainRows, people: &People, links: &dyn Links, left_out: &mut Vec<String>) -> ChainTable {
    let owner = chain.owner();
    let mut ordinary = 0;
    let mut hidden = 0;
    let mut rows = Vec::new();
    for row in &chain.snapshots {
        let is_ordinary = row.owner == owner && row.confidence == HolderConfidence::Certain;
        ordinary += usize::from(is_ordinary);
        if is_ordinary && ordinary > ORDINARY_MAX {
            hidden += 1;
        } else {
            rows.push(snapshot(chain, row, people, links));
        }
    }
    let name = cut(chain.chain.as_str(), 300);
    if hidden > 0 {
        let number = count(hidden, "ordinary snapshot", "ordinary snapshots");
        left_out.push(format!("{number} of chain {name}, all certainly its owner's: --format csv or json has them."));
    }
    ChainTable { name, note: note(chain, people), rows }
}

/// How many snapshots a chain has, and whose it is.
pub fn note(chain: &ChainRows, people: &People) -> String {
    let number = count(chain.snapshots.len(), "snapshot", "snapshots");
    match chain.owner() {
        Some(owner) if chain.is_bound() => format!("{number}; the chain's owner is {}", people.called(owner)),
        Some(owner) => format!("{number}; the chain's owner seems to be {}; nothing proves it", people.called(owner)),
        None => format!("{number}; no snapshot tells whose chain it is"),
    }
}

/// One snapshot's line.
pub fn snapshot(chain: &ChainRows, row: &SnapshotRow, people: &People, links: &dyn Links) -> SnapshotLine {
    let whose = match (row.owner, row.candidates.as_slice()) {
        (Some(owner), _) => vec![who(owner, row.owner_name.as_deref(), people, links)],
        (None, []) => {
            let label = if row.confidence == HolderConfidence::Nobody { "nobody" } else { "not known" };
            let empty = String::new;
            vec![Who { letter: empty(), class: empty(), label: label.to_owned(), id: empty(), href: empty() }]
        }
        (None, candidates) => candidates.iter().map(|object| who(*object, None, people, links)).collect(),
    };
    let foreign = row.owner.filter(|_| chain.is_foreign(row)).and_then(|owner| people.get(owner));
    SnapshotLine {
        id: cut(row.snapshot.as_str(), 300),
        from: At(row.from),
        until: AtAfter(row.from, row.until),
        addressed_href: match &row.addressed {
            AddressedRow::Name { name, .. } => links.name(name),
            AddressedRow::Object { object } if Some(*object) == row.owner => String::new(),
            AddressedRow::Object { object } => links.person(*object),
        },
        addressed: match &row.addressed {
            AddressedRow::Name { name, .. } => format!("name {}", shown(name)),
            AddressedRow::Object { object } if Some(*object) == row.owner => "the owner's object id".to_owned(),
            AddressedRow::Object { object } => format!("object {object}"),
        },
        whose,
        foreign: foreign.map(|person| person.class.clone()),
        confidence: word(&row.confidence),
        settled: if row.settled { "settled" } else { "provisional" },
        receipt: row.receipt.as_ref().map_or_else(
            || "none".to_owned(),
            |receipt| match receipt.object_end {
                Some(end) if end == receipt.object && Some(end) == row.owner => "the owner".to_owned(),
                None => format!("{} at the start", receipt.object),
                Some(end) if end == receipt.object => format!("{end}"),
                Some(end) => format!("{} at the start, {end} at the end", receipt.object),
            },
        ),
        expired: row.expired,
    }
}

/// Someone, by the name given or else the newest.
pub fn who(object: ObjectId, name: Option<&str>, people: &People, links: &dyn Links) -> Who {
    let person = people.get(object);
    let label = name.map(|name| shown(name).into_owned()).or_else(|| person.map(|person| person.label.clone()));
    Who {
        letter: person.map_or_else(|| "?".to_owned(), |person| person.letter.clone()),
        class: person.map(|person| person.class.clone()).unwrap_or_default(),
        label: label.unwrap_or_else(|| format!("object {}", short(object))),
        id: object.to_string(),
        href: links.person(object),
    }
}

pub fn of_person(row: &ObjectRow, person: &Person, links: &dyn Links) -> PersonTable {
    let mut state = word(&row.state);
    if let Some(created) = row.created {
        state.push_str(&format!(" · created {}", time(created)));
    }
    for period in &row.states {
        let until = period.until.map_or_else(|| "still so".to_owned(), |until| format!("ended {}", edge(until)));
        if period.state != crate::domain::timeline::State::Active {
            state.push_str(&format!(" · {}: began {}, {until}", word(&period.state), edge(period.from)));
        }
    }
    for (what, ids) in [
        ("mailbox", row.mailboxes.iter().map(ToString::to_string).collect::<Vec<_>>()),
        ("chain", row.chains.iter().map(|chain| cut(chain.as_str(), 80)).collect()),
    ] {
        if !ids.is_empty() {
            state.push_str(&format!(" · {what} {}", ids.join(", ")));
        }
    }
    PersonTable {
        letter: person.letter.clone(),
        class: person.class.clone(),
        label: person.label.clone(),
        id: row.object.to_string(),
        href: links.person(row.object),
        state,
        names: row.names.iter().map(|row| name(row, links)).collect(),
    }
}

fn name(row: &NameRow, links: &dyn Links) -> NameLine {
    NameLine {
        href: links.name(&row.spelling),
        name: shown(&row.spelling).into_owned(),
        role: match row.kind {
            Role::Upn => "UPN",
            Role::Smtp => "SMTP address",
            Role::Primary => "primary address",
        },
        from: Edged(row.from),
        until: Ended(row.until),
        contested: row.contested,
        evidence: evidence(&row.evidence),
    }
}

/// The facts behind a period, the first and the last ones where there are many.
pub fn evidence(rows: &[EvidenceRow]) -> Vec<String> {
    let say = |row: &EvidenceRow| {
        let reference = row.reference.as_ref().map(|text| format!(", {}", cut(text, 120))).unwrap_or_default();
        format!("{}, {}, commit {}{reference}", word(&row.source), time(row.at), row.sequence)
    };
    if rows.len() <= FACTS_MAX {
        return rows.iter().map(say).collect();
    }
    let half = FACTS_MAX / 2;
    let hidden = format!("… {} more facts, in --format json", rows.len() - 2 * half);
    let (head, tail) = (rows.iter().take(half), rows.iter().skip(rows.len() - half));
    head.map(say).chain([hidden]).chain(tail.map(say)).collect()
}

pub fn of_finding(row: &FindingRow, links: &dyn Links) -> FindingLine {
    let step = |step: &StepRow| {
        let by = step.by.as_ref().map(|by| format!(", by {}", cut(by, 80))).unwrap_or_default();
        let note = step.note.as_ref().map(|note| format!(": {}", cut(note, 300))).unwrap_or_default();
        format!("{}, commit {}{by}{note}", time(step.time), step.sequence)
    };
    FindingLine {
        severity: word(&row.severity),
        kind: word(&row.kind),
        id: row.id.to_string(),
        href: links.finding(row.id),
        state: word(&row.state),
        summary: cut(&row.summary, 1_000),
        opened: step(&row.opened),
        changed: if row.changed == row.opened { "—".to_owned() } else { step(&row.changed) },
    }
}

pub fn of_plan(plan: &PlanRows, people: &People) -> PlanTable {
    let segments = plan.segments.iter().map(|segment| SegmentLine {
        act: act_words(&segment.act),
        snapshots: match segment.snapshots.as_slice() {
            [] => "—".to_owned(),
            [one] => cut(one.as_str(), 80),
            [first, .., last] => {
                let number = segment.snapshots.len();
                format!("{} – {} ({number})", cut(first.as_str(), 80), cut(last.as_str(), 80))
            }
        },
        whose: segment.object.map_or_else(|| "not known".to_owned(), |object| people.called(object)),
        confidence: cut(&segment.confidence, 40),
        to: segment.to_chain.as_ref().map_or_else(|| "—".to_owned(), |chain| cut(chain.as_str(), 80)),
    });
    let next = plan.next.iter().map(|row: &NextRow| {
        let place = match &row.chain {
            Some(chain) => format!(" in {}", cut(chain.as_str(), 80)),
            None if row.action == "stop" => String::new(),
            None => " in a new chain".to_owned(),
        };
        let base = row.base.as_ref().map(|base| format!(", built on {}", cut(base.as_str(), 80))).unwrap_or_default();
        let safe = row
            .safe_base
            .as_ref()
            .map(|safe| format!(" (on {} if that is an increment on what is set aside)", cut(safe.as_str(), 80)));
        let safe = safe.unwrap_or_default();
        format!("{}: {}{place}{base}{safe}", people.called(row.object), cut(&row.action, 40))
    });
    PlanTable {
        chain: cut(plan.chain.as_str(), 80),
        segments: segments.collect(),
        next: next.collect(),
        reasons: plan.reasons.iter().map(|reason| cut(reason, 500)).collect(),
    }
}
