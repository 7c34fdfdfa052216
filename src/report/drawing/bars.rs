//! The lanes of names and people: bars with hatched ends.

use super::span::Shown;
use crate::domain::interval::Edge;
use crate::domain::timeline::{Role, State};
use crate::report::axis::{Axis, round};
use crate::report::content::{NameRow, ObjectRow, Report};
use crate::report::people::{People, Person};
use crate::report::text::{self, count, cut, short, word};

/// How high a bar is, and how far apart the rows of a lane are.
const BAR: f64 = 20.0;
const ROW: f64 = 25.0;
/// How many rows a lane has at most.
const ROWS_MAX: usize = 6;
/// How wide a letter is, about.
const LETTER: f64 = 6.6;
/// A narrower edge is drawn as a sharp end.
const BAND_MIN: f64 = 1.5;

/// One lane.
#[derive(Clone, Debug)]
pub struct Lane {
    /// Its upper side.
    pub y: f64,
    /// Its height.
    pub height: f64,
    /// Its name.
    pub label: String,
    /// What stands beneath the name.
    pub note: String,
    /// Where the label's line is.
    pub label_y: f64,
    /// Where the note's line is.
    pub note_y: f64,
    /// Where both begin.
    pub label_x: f64,
    /// The whole of it, in words.
    pub title: String,
    /// The person's letter and class, if it is a person's lane.
    pub badge: Option<(String, String)>,
    /// The bars.
    pub bars: Vec<Bar>,
    /// The stretches during which the person was gone.
    pub gone: Vec<Gone>,
}

/// A period of a name.
#[derive(Clone, Debug)]
pub struct Bar {
    /// Its upper side.
    pub y: f64,
    /// Its height.
    pub height: f64,
    /// The class that carries its colour.
    pub class: String,
    /// The number of the colour.
    pub colour: usize,
    /// Where it begins and how wide it is, its edges included.
    pub extent: (f64, f64),
    /// The part that is sure.
    pub solid: Option<(f64, f64)>,
    /// The edges: it began or ended somewhere in them.
    pub bands: Vec<(f64, f64)>,
    /// It began before the picture, or nobody knows when.
    pub opens_left: Option<String>,
    /// It goes on, or nobody knows until when.
    pub opens_right: Option<String>,
    /// Its name.
    pub label: Option<BarLabel>,
    /// The whole of it, in words.
    pub title: String,
}

/// The text on a bar or beside it.
#[derive(Clone, Debug)]
pub struct BarLabel {
    /// Where.
    pub x: f64,
    /// On which line.
    pub y: f64,
    /// `on` the colour, `over` the hatching, or `beside` the bar.
    pub place: &'static str,
    /// What.
    pub text: String,
}

/// A stretch during which a person was gone.
#[derive(Clone, Debug)]
pub struct Gone {
    /// Its left side.
    pub x: f64,
    /// Its width.
    pub width: f64,
    /// Its upper side.
    pub y: f64,
    /// Its height.
    pub height: f64,
    /// Its name, if there is room.
    pub label: Option<String>,
    /// The whole of it, in words.
    pub title: String,
}

/// A period before it is placed.
struct Period {
    person: (usize, String),
    from: Edge,
    until: Option<Edge>,
    text: String,
    title: String,
}

/// The lane of a name: everyone who held it, each in their own colour.
pub fn of_name(report: &Report, people: &People, axis: &Axis, name: &Shown, y: &mut f64) -> Lane {
    let mut periods = Vec::new();
    for person in people.iter() {
        let Some(row) = report.object(person.object) else { continue };
        let own: Vec<NameRow> = row.names.iter().filter(|period| period.name == name.key).cloned().collect();
        for (period, roles) in merged(&own) {
            periods.push(Period {
                person: (person.place, person.class.clone()),
                from: period.from,
                until: period.until,
                text: format!("{} · {}", person.letter, short(person.object)),
                title: said(&period, &roles, &format!("{} was {}", name.spelling, people.called(person.object))),
            });
        }
    }
    let holders = people.iter().filter(|person| {
        report.object(person.object).is_some_and(|row| row.names.iter().any(|period| period.name == name.key))
    });
    let note = match holders.count() {
        0 => "never seen".to_owned(),
        1 => "one holder".to_owned(),
        number => format!("{number} holders"),
    };
    lane(axis, y, periods, cut(&name.spelling, 27), note, text::shown(&name.spelling).into_owned(), None)
}

/// The lane of a person: every name the person had.
pub fn of_person(person: &Person, row: &ObjectRow, axis: &Axis, y: &mut f64) -> Lane {
    let periods = merged(&row.names).into_iter().map(|(period, roles)| Period {
        person: (person.place, person.class.clone()),
        from: period.from,
        until: period.until,
        text: text::shown(&period.spelling).into_owned(),
        title: said(&period, &roles, &format!("{} was called {}", person.letter, period.spelling)),
    });
    let badge = Some((person.letter.clone(), person.class.clone()));
    let note = format!("{} · {}", short(row.object), word(&row.state));
    let title = format!("{}: object {}, {}", person.letter, row.object, word(&row.state));
    let top = *y;
    let mut lane = lane(axis, y, periods.collect(), cut(&person.label, 23), note, title, badge);
    for state in row.states.iter().filter(|state| state.state != State::Active) {
        lane.gone.extend(gone(state.state, state.from, state.until, axis, top + 3.0, lane.height - 7.0));
    }
    lane
}

/// The periods of names, the same one in several roles once, user principal names first.
fn merged(names: &[NameRow]) -> Vec<(NameRow, Vec<Role>)> {
    let mut periods: Vec<(NameRow, Vec<Role>)> = Vec::new();
    for name in names {
        let same = periods.iter_mut().find(|(other, _)| {
            other.name == name.name
                && (name.kind == Role::Primary && other.kind != Role::Upn
                    || (other.from, other.until) == (name.from, name.until))
        });
        match same {
            Some((_, roles)) if roles.contains(&name.kind) => {}
            Some((_, roles)) => roles.push(name.kind),
            None => periods.push((name.clone(), vec![name.kind])),
        }
    }
    periods.sort_by_key(|(period, roles)| (!roles.contains(&Role::Upn), period.from.by(), period.from.after()));
    periods
}

fn said(period: &NameRow, roles: &[Role], what: &str) -> String {
    let roles: Vec<&str> = roles
        .iter()
        .map(|role| match role {
            Role::Upn => "UPN",
            Role::Smtp => "SMTP address",
            Role::Primary => "primary address",
        })
        .collect();
    let until = period.until.map_or_else(|| "still so".to_owned(), |until| format!("ended {}", text::edge(until)));
    let contested = if period.contested { "; facts about it contradict each other" } else { "" };
    let what = text::shown(what);
    format!("{what} ({}): began {}, {until} (UTC){contested}", roles.join(", "), text::edge(period.from))
}

fn lane(
    axis: &Axis,
    y: &mut f64,
    periods: Vec<Period>,
    label: String,
    note: String,
    title: String,
    badge: Option<(String, String)>,
) -> Lane {
    let top = *y;
    // Each row is filled from left to right; a bar goes into the first row with room for it.
    let mut ends: Vec<f64> = Vec::new();
    let mut bars: Vec<(usize, Bar, String)> = Vec::new();
    let mut hidden = 0;
    for period in periods {
        let Some((bar, text)) = bar(period, axis) else { continue };
        let end = bar.extent.0 + bar.extent.1;
        let row = match ends.iter().position(|taken| *taken <= bar.extent.0 + 0.5) {
            Some(row) => row,
            None if ends.len() < ROWS_MAX => {
                ends.push(0.0);
                ends.len() - 1
            }
            None => {
                hidden += 1;
                continue;
            }
        };
        if let Some(taken) = ends.get_mut(row) {
            *taken = end;
        }
        bars.push((row, bar, text));
    }
    let height = (ends.len().max(1) as f64).mul_add(ROW, 6.0).max(38.0);
    *y += height;
    let starts: Vec<(usize, f64)> = bars.iter().map(|(row, bar, _)| (*row, bar.extent.0)).collect();
    let bars = bars.into_iter().map(|(row, mut bar, text)| {
        bar.y = top + 4.0 + row as f64 * ROW;
        let after = bar.extent.0 + bar.extent.1;
        let next = starts.iter().filter(|(other, x)| *other == row && *x >= after - 0.5).map(|(_, x)| *x);
        bar.label = place(&bar, &text, next.fold(axis.right(), f64::min));
        bar
    });
    let bars = bars.collect();
    let note = if hidden > 0 { format!("{note} · {} not drawn", count(hidden, "name", "names")) } else { note };
    Lane {
        y: top,
        height,
        label,
        note,
        label_y: top + 17.0,
        note_y: top + 31.0,
        label_x: if badge.is_some() { 42.0 } else { 12.0 },
        title,
        badge,
        bars,
        gone: Vec::new(),
    }
}

/// A bar without its place, and its text; `None` if it lies outside the picture.
fn bar(period: Period, axis: &Axis) -> Option<(Bar, String)> {
    let (left, right) = (axis.left(), axis.right());
    let at = |bound: Option<crate::domain::time::Instant>, open: f64| bound.map_or(open, |at| axis.x(at));
    let begin = (at(period.from.after(), left), at(period.from.by(), right));
    let end = match period.until {
        Some(until) => (at(until.after(), left), at(until.by(), right)),
        None => (right, right),
    };
    let (start, stop) = (begin.0, end.1.max(begin.0));
    let ended_before = period.until.and_then(Edge::by).is_some_and(|by| !axis.shows(by) && axis.x(by) <= left);
    let begins_after = period.from.after().is_some_and(|after| !axis.shows(after) && axis.x(after) >= right);
    if ended_before || begins_after {
        return None;
    }
    let mut bands = Vec::new();
    let solid = if begin.1 < end.0 {
        bands.extend([(begin.0, begin.1 - begin.0), (end.0, end.1 - end.0)]);
        Some((begin.1, round(end.0 - begin.1)))
    } else {
        // It is not sure for any instant of the picture.
        bands.push((start, stop - start));
        None
    };
    bands.retain(|(_, width)| *width >= BAND_MIN);
    let mut extent = (start, round(stop - start));
    let mut solid = solid;
    if bands.is_empty() && solid.is_none_or(|(_, width)| width < 3.0) {
        // Too short to be seen: a stroke says that it was.
        let x = start.min(right - 3.0);
        extent = (x, 3.0);
        solid = Some(extent);
    }
    let middle = BAR / 2.0;
    let begins_before = period.from.after().is_none_or(|after| !axis.shows(after)) && start <= left + 0.1;
    let ends_after = match period.until {
        None => true,
        Some(until) => until.by().is_none_or(|by| !axis.shows(by)) && stop >= right - 0.1,
    };
    let bar = Bar {
        y: 0.0,
        height: BAR,
        class: period.person.1,
        colour: period.person.0 % crate::report::people::COLOURS,
        extent,
        solid,
        bands: bands.into_iter().map(|(x, width)| (x, round(width))).collect(),
        opens_left: begins_before.then(|| format!("{left},0 {},{middle} {left},{BAR}", round(left - 9.0))),
        opens_right: ends_after.then(|| format!("{right},0 {},{middle} {right},{BAR}", round(right + 9.0))),
        label: None,
        title: period.title,
    };
    Some((bar, period.text))
}

/// Where a bar's text goes: on the colour if it fits, else over the whole bar, else beside it, else nowhere.
fn place(bar: &Bar, text: &str, next: f64) -> Option<BarLabel> {
    let y = round(bar.y + 14.5);
    let fits = |width: f64| ((width - 12.0) / LETTER).max(0.0) as usize;
    let needs = text.chars().count();
    let enough = needs.min(9);
    let solid = bar.solid.unwrap_or((0.0, 0.0));
    if fits(solid.1) >= enough {
        return Some(BarLabel { x: round(solid.0 + 6.0), y, place: "on", text: cut(text, fits(solid.1)) });
    }
    if fits(bar.extent.1) >= enough {
        return Some(BarLabel { x: round(bar.extent.0 + 6.0), y, place: "over", text: cut(text, fits(bar.extent.1)) });
    }
    let end = bar.extent.0 + bar.extent.1;
    let beside = fits(next - end);
    (beside >= enough).then(|| BarLabel { x: round(end + 5.0), y, place: "beside", text: cut(text, beside) })
}

fn gone(state: State, from: Edge, until: Option<Edge>, axis: &Axis, y: f64, height: f64) -> Option<Gone> {
    let x = from.by().map_or(axis.left(), |by| axis.x(by));
    let end = until.map_or(axis.right(), |until| until.after().map_or(axis.right(), |after| axis.x(after)));
    let width = round(end - x);
    if width < 0.5 {
        return None;
    }
    let (name, what) = match state {
        State::SoftDeleted => ("deleted", "Deleted; it can come back"),
        State::Purged => ("gone for good", "Gone for good"),
        State::Unknown | State::Active => ("not found", "Not found in the directory"),
    };
    let until = until.map_or_else(|| "still so".to_owned(), |until| format!("ended {}", text::edge(until)));
    let label = (width > name.len() as f64 * LETTER + 12.0).then(|| name.to_owned());
    Some(Gone { x, width, y, height, label, title: format!("{what}: began {}, {until} (UTC)", text::edge(from)) })
}
