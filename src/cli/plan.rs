//! `plan` and `restore-check`.

use std::fmt::Write as _;

use super::args::RestoreOptions;
use super::error::{CliError, Exit};
use super::open::{App, How};
use super::output::{self, word_of};
use super::people::{Called, holds};
use super::source::source;
use crate::domain::id::{ChainId, ObjectId, SnapshotId};
use crate::domain::plan::{Deed, NextAction};
use crate::domain::restore::RestoreAction;
use crate::domain::verdict::Action;
use crate::service::people::PersonPart;
use crate::service::plan::{NextPart, PlanAnswer, SegmentPart};
use crate::service::restore::{Recipient, RestoreAnswer, RestoreRequest};

/// How many snapshot ids are listed in a line before the rest is only counted.
const IDS_SHOWN: usize = 12;

pub fn plan(app: &App, chain: &ChainId) -> Result<Exit, CliError> {
    let answer = source(app, "plan", How::Existing)?.plan(chain)?;
    output::answer(&app.global, &answer, || say_plan(&answer))?;
    Ok(Exit::Done)
}

pub fn restore_check(app: &App, options: RestoreOptions) -> Result<Exit, CliError> {
    let RestoreOptions { key, to, kind, verify } = options;
    let to = match to.parse::<ObjectId>() {
        Ok(object) => Recipient::Object(object),
        Err(_) => {
            Recipient::Name(to.parse().map_err(|error| CliError::usage(format!("restore-check: {error}")))?, kind)
        }
    };
    let request = RestoreRequest { chain: key.chain, snapshot: key.snapshot, to };
    let answer = source(app, "restore-check", How::Existing)?.restore_check(&request, verify)?;
    output::answer(&app.global, &answer, || say_restore(&answer))?;
    Ok(match answer.action {
        RestoreAction::Proceed => Exit::Done,
        RestoreAction::Stop => Exit::Verdict(Action::Stop),
    })
}

/// A plan in words.
pub fn say_plan(answer: &PlanAnswer) -> String {
    let called = Called::of(&answer.people, answer.next.iter().map(|next| next.object));
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "chain {}: {}", answer.chain, if answer.needed { "repair needed" } else { "nothing to do" });
    for segment in &answer.segments {
        text.push_str(&say_segment(segment, &called));
    }
    if !answer.next.is_empty() {
        text.push_str("  then\n");
    }
    for next in &answer.next {
        let _ = writeln!(text, "    {}", say_next(next, &called));
    }
    text.push_str("  because\n");
    for reason in &answer.reasons {
        let _ = writeln!(text, "    - {}", called.reword(&called.reword_called(reason)));
    }
    text.push_str("  people\n");
    text.push_str(&called.legend());
    let _ = writeln!(text, "  basis {} at {}", answer.basis.sequence, answer.basis.clock);
    text
}

fn say_segment(segment: &SegmentPart, called: &Called<'_>) -> String {
    let deed = word_of(&segment.deed);
    let to = if segment.deed == Deed::Relabel { " to a new chain" } else { "" };
    let who = segment.object.map_or_else(|| "no single owner".to_owned(), |object| called.call(object));
    let confidence = word_of(&segment.confidence);
    let settled = if segment.settled { "" } else { ", provisional" };
    let mut text = format!("  {deed:<10} {}{to}: {who} ({confidence}{settled})\n", ids(&segment.snapshots));
    // What is kept needs no excuse.
    if segment.deed != Deed::Keep {
        let _ = writeln!(text, "             {}", called.reword(&segment.why));
    }
    for candidate in &segment.candidates {
        let _ = writeln!(text, "             it may be {}", called.call(*candidate));
    }
    text
}

fn say_next(next: &NextPart, called: &Called<'_>) -> String {
    let who = called.call(next.object);
    match (next.action, &next.chain, &next.base) {
        (NextAction::Incremental, Some(chain), Some(base)) => {
            format!("{who}: incremental in chain {chain}, built on snapshot {base}")
        }
        (NextAction::Incremental, ..) => format!("{who}: incremental"),
        (NextAction::Full, ..) => format!("{who}: full in a new chain"),
        (NextAction::Stop, Some(chain), _) => format!("{who}: nothing more; keep chain {chain}"),
        (NextAction::Stop, None, _) => format!("{who}: nothing, and it has no chain of its own"),
    }
}

fn ids(snapshots: &[SnapshotId]) -> String {
    let shown: Vec<&str> = snapshots.iter().take(IDS_SHOWN).map(SnapshotId::as_str).collect();
    let more = snapshots.len().saturating_sub(IDS_SHOWN);
    let last = snapshots.last().filter(|_| more > 0).map(|last| format!(" … {last} ({} in all)", snapshots.len()));
    format!("{}{}", shown.join(", "), last.unwrap_or_default())
}

fn say_restore(answer: &RestoreAnswer) -> String {
    let known_target = answer.target.object.zip(answer.target.state).map(|(object, state)| {
        let names = answer.target.names.as_ref();
        let name = names.and_then(|names| names.upn.as_ref().or(names.mail.as_ref()));
        PersonPart { object, called: name.map(|name| name.spelling().to_owned()), state }
    });
    let owner = answer.owner.as_ref().map(|owner| &owner.person);
    let is_other = owner.map(|owner| owner.object) != answer.target.object;
    let people = owner.into_iter().chain(known_target.as_ref().filter(|_| is_other)).chain(&answer.target.claimants);
    let called = Called::of(people, answer.target.object);
    let mut text = String::new();
    let (verdict, action) = (word_of(&answer.verdict), word_of(&answer.action));
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "{verdict} → {action}   snapshot {} of chain {}, taken {}",
        answer.snapshot.snapshot, answer.snapshot.chain, answer.snapshot.from
    );
    for reason in &answer.reasons {
        let _ = writeln!(text, "  - {reason}");
    }
    if let Some(owner) = &answer.owner {
        let _ = writeln!(text, "  owner {}", called.call(owner.person.object));
        // Who is who matters where they differ.
        if answer.action == RestoreAction::Stop {
            text.push_str(&holds(&owner.held));
        }
    }
    if let Some(target) = answer.target.object.filter(|_| is_other) {
        let _ = writeln!(text, "  target {}", called.call(target));
        text.push_str(&holds(&answer.target.held));
    }
    for claimant in &answer.target.claimants {
        let _ = writeln!(text, "  the target may be {}", called.call(claimant.object));
    }
    let _ = writeln!(text, "  basis {} at {}", answer.basis.sequence, answer.basis.clock);
    text
}
