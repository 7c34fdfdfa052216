//! The timeline as swim-lanes: a lane for each name that matters and for each person, and a line for each chain, over
//! one axis of time. Everything here is numbers and words; the template only writes them down.

mod bars;
mod chains;
mod legend;
mod span;

use askama::Template;

use super::axis::{Axis, Tick};
use super::content::{Report, Topic};
use super::marks::Fill;
use super::people::{COLOURS, People};
use super::text::{self, count, cut};
use crate::domain::id::ChainId;

pub use bars::Lane;
pub use chains::Strip;
pub use legend::{Item, Sign};

/// The picture's width; pages scale it.
const WIDTH: f64 = 1120.0;
/// Where time begins.
const LEFT: f64 = 212.0;
/// Where time ends.
const RIGHT: f64 = 1092.0;
/// How high the axis is.
const HEAD: f64 = 44.0;
/// How much is drawn; the tables have everything.
const NAMES_MAX: usize = 8;
const PEOPLE_MAX: usize = 16;
const CHAINS_MAX: usize = 12;

/// Which part of the time is drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Focus {
    /// All that matters.
    Whole,
    /// The time of one chain's snapshots.
    Chain(ChainId),
}

/// A whole picture.
#[derive(Clone, Debug)]
pub struct Drawing {
    /// What its ids begin with, so that two pictures fit on one page.
    pub id: String,
    /// What it shows, in a few words.
    pub title: String,
    /// What it shows, in some more.
    pub description: String,
    /// Its width.
    pub width: f64,
    /// Its height.
    pub height: f64,
    /// Where time begins.
    pub left: f64,
    /// Where time ends.
    pub right: f64,
    /// Where the lanes begin.
    pub top: f64,
    /// Where the lanes end.
    pub bottom: f64,
    /// The axis.
    pub ticks: Vec<Tick>,
    /// The time of the report, if it lies in the picture.
    pub now: Option<f64>,
    /// The times that nothing covers.
    pub blind: Vec<Shade>,
    /// What the groups of lanes are called.
    pub captions: Vec<Caption>,
    /// The lanes of names and people.
    pub lanes: Vec<Lane>,
    /// The lines of the chains.
    pub strips: Vec<Strip>,
    /// What the signs mean.
    pub legend: Vec<Item>,
    /// The classes of colours used, for the hatchings.
    pub colours: Vec<usize>,
    /// The mixtures of colours used.
    pub mixtures: Vec<Mixture>,
    /// What was not drawn.
    pub left_out: Vec<String>,
}

/// A grey column.
#[derive(Clone, Debug)]
pub struct Shade {
    /// Its left side.
    pub x: f64,
    /// Its width.
    pub width: f64,
    /// Its name, if it is wide enough.
    pub label: Option<&'static str>,
    /// What it is.
    pub title: String,
}

/// A line of text above a group.
#[derive(Clone, Debug)]
pub struct Caption {
    /// Where.
    pub y: f64,
    /// What.
    pub text: &'static str,
}

/// A hatching of several colours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mixture {
    /// The id within the picture.
    pub name: String,
    /// A stripe each: its colour's class and how far from the left it begins.
    pub stripes: Vec<(usize, usize)>,
    /// How wide all stripes are together.
    pub width: usize,
}

#[derive(Template)]
#[template(path = "report/drawing.svg", escape = "html")]
struct Alone<'a> {
    drawing: &'a Drawing,
    alone: bool,
}

/// The picture as an SVG document of its own.
pub fn render(drawing: &Drawing) -> Result<String, askama::Error> {
    Alone { drawing, alone: true }.render()
}

/// The picture as a part of a page, which brings the style.
pub fn render_within(drawing: &Drawing) -> Result<String, askama::Error> {
    Alone { drawing, alone: false }.render()
}

impl Drawing {
    /// The picture of a report.
    pub fn of(report: &Report, focus: &Focus, id: &str) -> Self {
        let people = People::of(report);
        let names = span::names(report);
        let axis = span::axis(report, &names, focus, LEFT, RIGHT);
        let mut lanes = Vec::new();
        let mut captions = Vec::new();
        let mut left_out = Vec::new();
        let mut y = HEAD + 8.0;
        let mut caption = |y: &mut f64, text: &'static str| {
            captions.push(Caption { y: *y + 12.0, text });
            *y += 22.0;
        };
        if !names.is_empty() {
            caption(&mut y, "Who held the name");
            for name in names.iter().take(NAMES_MAX) {
                lanes.push(bars::of_name(report, &people, &axis, name, &mut y));
            }
            left_out.extend(more(names.len(), NAMES_MAX, "name", "names"));
            y += 6.0;
        }
        let drawn: Vec<_> = people.iter().filter_map(|person| Some((person, report.object(person.object)?))).collect();
        if !drawn.is_empty() {
            caption(&mut y, "What each person was called");
            for (person, row) in drawn.iter().take(PEOPLE_MAX) {
                lanes.push(bars::of_person(person, row, &axis, &mut y));
            }
            left_out.extend(more(drawn.len(), PEOPLE_MAX, "person", "people"));
            y += 6.0;
        }
        let wanted =
            |chain: &ChainId| matches!(focus, Focus::Whole) || matches!(focus, Focus::Chain(only) if only == chain);
        let mut chains: Vec<_> = report.chains.iter().filter(|chain| wanted(&chain.chain)).collect();
        // A chain with someone else's data is drawn before one without.
        chains.sort_by_key(|chain| !chain.snapshots.iter().any(|row| chain.is_foreign(row)));
        let mut strips = Vec::new();
        if !chains.is_empty() {
            caption(&mut y, "Whose mail the snapshots hold");
            for chain in chains.iter().take(CHAINS_MAX) {
                strips.push(chains::of(chain, &people, &axis, &mut y));
            }
            left_out.extend(more(chains.len(), CHAINS_MAX, "chain", "chains"));
        }
        let blind = shades(report, &axis);
        let bottom = y + if blind.is_empty() { 4.0 } else { 20.0 };
        let colours = (0..people.iter().count().min(COLOURS)).collect();
        let mut height = bottom + 14.0;
        let legend = legend::of(&lanes, &strips, &blind, &mut height, WIDTH);
        let (title, description) = words(report, &people, focus, &strips);
        Self {
            id: id.to_owned(),
            title,
            description,
            width: WIDTH,
            height,
            left: axis.left(),
            right: axis.right(),
            top: HEAD,
            bottom,
            ticks: axis.ticks(),
            now: axis.shows(report.basis.clock).then(|| axis.x(report.basis.clock)),
            blind,
            captions,
            lanes,
            mixtures: mixtures(&strips),
            strips,
            legend,
            colours,
            left_out,
        }
    }
}

/// Whether a chain's snapshots crowd into so small a part of the whole picture that they deserve one of their own.
pub fn wants_close_up(report: &Report, chain: &ChainId) -> bool {
    span::share(report, chain, LEFT, RIGHT).is_some_and(|share| share < 0.2)
}

/// The id of a mixture of these people's colours.
pub fn mixture(places: &[usize]) -> String {
    let classes: Vec<String> = places.iter().map(|place| (place % COLOURS).to_string()).collect();
    format!("m{}", classes.join("-"))
}

fn mixtures(strips: &[Strip]) -> Vec<Mixture> {
    let mut mixtures: Vec<Mixture> = Vec::new();
    let fills = strips.iter().flat_map(|strip| &strip.marks).map(|mark| &mark.mark.fill);
    for places in fills.filter_map(|fill| if let Fill::Between(places) = fill { Some(places) } else { None }) {
        let name = mixture(places);
        if mixtures.iter().any(|mixture| mixture.name == name) {
            continue;
        }
        let mut stripes: Vec<(usize, usize)> =
            places.iter().enumerate().map(|(index, place)| (place % COLOURS, index * 4)).collect();
        let mut width = stripes.len() * 4;
        if stripes.len() == 1 {
            width = 8;
        }
        stripes.truncate(4);
        mixtures.push(Mixture { name, stripes, width });
    }
    mixtures
}

fn shades(report: &Report, axis: &Axis) -> Vec<Shade> {
    let mut shades = Vec::new();
    for blind in &report.blind {
        let x = blind.from.map_or(axis.left(), |from| axis.x(from));
        let end = blind.until.map_or(axis.right(), |until| axis.x(until));
        let width = super::axis::round(end - x);
        if width < 0.5 {
            continue;
        }
        let bound = |at: Option<crate::domain::time::Instant>, open: &str| at.map_or(open.to_owned(), text::time);
        let title = format!(
            "Not covered, {} to {}: {}",
            bound(blind.from, "the beginning"),
            bound(blind.until, "now"),
            cut(&blind.why, 200)
        );
        shades.push(Shade { x, width, label: (width > 74.0).then_some("not covered"), title });
    }
    shades
}

fn words(report: &Report, people: &People, focus: &Focus, strips: &[Strip]) -> (String, String) {
    let about = match &report.subject {
        Topic::Chain(chain) => format!("chain {}", cut(chain.as_str(), 60)),
        Topic::Object(object) => people.called(*object),
        Topic::Name(name) => cut(name.spelling(), 60),
        Topic::Tenant(tenant) => format!("tenant {tenant}"),
    };
    let title = match focus {
        Focus::Whole => format!("Timeline of {about}"),
        Focus::Chain(chain) => format!("Close-up of chain {}", cut(chain.as_str(), 60)),
    };
    let snapshots: usize = strips.iter().flat_map(|strip| &strip.marks).map(|mark| mark.mark.count).sum();
    let foreign: Vec<&str> = strips
        .iter()
        .flat_map(|strip| &strip.marks)
        .filter(|mark| mark.mark.foreign)
        .map(|mark| mark.mark.title.as_str())
        .collect();
    let mut description = format!(
        "{}, {} and {}.",
        count(people.iter().count(), "person", "people"),
        count(strips.len(), "chain", "chains"),
        count(snapshots, "snapshot", "snapshots")
    );
    if !foreign.is_empty() {
        let number = count(foreign.len(), "snapshot", "snapshots");
        let named: Vec<&str> = foreign.into_iter().take(10).collect();
        description.push_str(&format!(" Not of the chain's owner: {number}. {}.", named.join(". ")));
    }
    (title, description)
}

fn more(number: usize, most: usize, one: &str, many: &str) -> Option<String> {
    (number > most).then(|| format!("{} not drawn; the tables have all.", count(number - most, one, many)))
}
