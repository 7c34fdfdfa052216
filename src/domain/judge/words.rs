//! How a verdict's reasons say what an object, a change or an edge is.

use super::Case;
use crate::domain::fact::ObjectKind;
use crate::domain::id::ObjectId;
use crate::domain::interval::Edge;
use crate::domain::name::Name;
use crate::domain::timeline::{Gap, Names, Role, State, Timeline};
use crate::domain::verdict::{Change, ChangeKind};

/// What a holder is, if it is no person.
pub(super) fn now_what(case: &Case<'_>, holder: ObjectId) -> &'static str {
    match case.objects.get(&holder).map(Timeline::kind) {
        Some(ObjectKind::Group) => ", now a group",
        Some(ObjectKind::Contact) => ", now a contact",
        _ => "",
    }
}

pub(super) fn now_called(case: &Case<'_>, object: ObjectId) -> String {
    let Some(timeline) = case.objects.get(&object) else { return String::new() };
    let state = match timeline.state() {
        State::Active => "now",
        State::SoftDeleted => "soft-deleted, last",
        State::Purged => "gone for good, last",
        State::Unknown => "no longer found, last",
    };
    match main_name(&timeline.names()) {
        Some(name) => format!(" ({state} {name})"),
        None => format!(" ({state} without a name)"),
    }
}

fn main_name(names: &Names) -> Option<&Name> {
    names.upn.as_ref().or(names.mail.as_ref())
}

pub(super) fn say_change(change: &Change) -> String {
    let text = |name: &Option<Name>| name.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string);
    let what = match change.kind {
        ChangeKind::Upn => "user principal name",
        ChangeKind::Mail => "primary address",
    };
    format!("{what} changed from {} to {} {}", text(&change.from), text(&change.to), say_edge(change.edge))
}

pub(super) fn say_gap(gap: Gap) -> String {
    format!("the Exchange licence went {} and came back {}", say_edge(gap.lost), say_edge(gap.back))
}

pub(super) fn say_edge(edge: Edge) -> String {
    match (edge.as_point(), edge.after(), edge.by()) {
        (Some(at), ..) => format!("at {at}"),
        (None, Some(after), Some(by)) => format!("after {after} and by {by}"),
        (None, Some(after), None) => format!("after {after}"),
        (None, None, Some(by)) => format!("by {by}"),
        (None, None, None) => "at an unknown time".to_owned(),
    }
}

pub(super) fn end_of(timeline: &Timeline, role: Role, name: Option<&Name>) -> Option<Edge> {
    timeline.track(role, name?.key())?.periods().into_iter().rev().find_map(|period| period.until)
}

pub(super) fn start_of(timeline: &Timeline, role: Role, name: Option<&Name>) -> Option<Edge> {
    timeline.track(role, name?.key())?.periods().last().map(|period| period.from)
}
