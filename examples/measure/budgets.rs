//! The budgets, each beside a baseline of the same run, as one table.

use std::collections::BTreeMap;

/// What every phase found, by name. A phase that runs several times gives a figure each time; the median counts.
#[derive(Default)]
pub struct Figures {
    numbers: BTreeMap<String, Vec<f64>>,
    missing: BTreeMap<String, String>,
}

/// What stands before the name of a figure, and of one that could not be measured, in what a phase prints.
const FIGURE: &str = "figure ";
const MISSING: &str = "missing ";

/// Tells the program that runs the phases a figure.
pub fn figure(name: &str, value: f64) {
    println!("{FIGURE}{name}={value}");
}

/// Tells it why there is none. One reason stands for all figures that begin with these words.
pub fn missing(names: &str, why: &str) {
    println!("{MISSING}{names}={}", why.replace('\n', " "));
}

impl Figures {
    /// Takes a line of a phase, if it is a figure.
    pub fn take(&mut self, name: &str, value: &str) -> bool {
        if let Some(name) = name.strip_prefix(FIGURE) {
            self.numbers.entry(name.to_owned()).or_default().push(value.parse().unwrap());
        } else if let Some(names) = name.strip_prefix(MISSING) {
            self.missing.insert(names.to_owned(), value.to_owned());
        } else {
            return false;
        }
        true
    }

    fn get(&self, name: &str) -> Result<f64, String> {
        if let Some(values) = self.numbers.get(name) {
            let mut values = values.clone();
            values.sort_by(f64::total_cmp);
            return Ok(values[values.len() / 2]);
        }
        let why = self.missing.iter().find(|(names, _)| name.starts_with(names.as_str()));
        Err(why.map_or_else(|| "no phase told it".to_owned(), |(_, why)| why.clone()))
    }
}

/// What must hold.
#[derive(Clone, Copy)]
enum Limit {
    /// The measured, whatever the baseline is.
    AtMost(f64),
    /// The measured as a multiple of the baseline.
    TimesAtMost(f64),
    TimesAtLeast(f64),
    /// Nothing: it stands there for comparison.
    None,
}

struct Budget {
    what: &'static str,
    unit: &'static str,
    measured: &'static str,
    baseline: (&'static str, &'static str),
    limit: Limit,
}

const fn budget(
    what: &'static str,
    unit: &'static str,
    measured: &'static str,
    baseline: (&'static str, &'static str),
    limit: Limit,
) -> Budget {
    Budget { what, unit, measured, baseline, limit }
}

use Limit::{AtMost, None as Nothing, TimesAtLeast, TimesAtMost};

const ENGINE: &str = "the engine alone";
const BUDGETS: [Budget; 34] = [
    budget("resident while serving", "MiB", "serving", ("SQLite after its load", "sqlite resident"), AtMost(600.0)),
    budget("open, clean stop", "s", "open", (ENGINE, "engine open"), AtMost(3.0)),
    budget(
        "open, clean stop, first time after the load",
        "s",
        "first open",
        (ENGINE, "engine first open"),
        AtMost(3.0),
    ),
    budget(
        "open after a kill at the end of a first sync",
        "s",
        "killed open",
        (ENGINE, "engine killed open"),
        AtMost(10.0),
    ),
    budget("disk after compact", "bytes/user", "compacted", ("keys and values", "record bytes"), TimesAtMost(2.0)),
    budget(
        "check by chain and object, p50",
        "µs",
        "check by chain and object, ledger",
        ("the engine's reads", "check by chain and object, engine"),
        TimesAtMost(3.0),
    ),
    budget(
        "check by object, p50",
        "µs",
        "check by object, ledger",
        ("the engine's reads", "check by object, engine"),
        TimesAtMost(3.0),
    ),
    budget(
        "first sync, pages durable",
        "users/s",
        "first sync",
        ("batches of the engine", "engine batches"),
        TimesAtLeast(0.7),
    ),
    budget("delta round of 100 changes, p50", "ms", "delta", ("at 10,000 users", "delta small"), TimesAtMost(1.5)),
    budget(
        "1,000 checks by chain and object",
        "answers/s",
        "batch chain, whowas",
        ("SQLite", "batch chain, sqlite"),
        TimesAtLeast(2.0),
    ),
    budget("… one thread", "answers/s", "batch chain, one thread", ("SQLite", "batch chain, sqlite"), Nothing),
    budget(
        "… in process",
        "answers/s",
        "batch chain, whowas",
        ("PostgreSQL, by the same statements", "batch chain, statements"),
        TimesAtLeast(20.0),
    ),
    budget(
        "… over HTTP",
        "answers/s",
        "batch chain, http",
        ("PostgreSQL, by the same statements", "batch chain, statements"),
        Nothing,
    ),
    budget(
        "… in process",
        "answers/s",
        "batch chain, whowas",
        ("PostgreSQL, a query an ask", "batch chain, postgres"),
        Nothing,
    ),
    budget(
        "… over HTTP",
        "answers/s",
        "batch chain, http",
        ("PostgreSQL, a query an ask", "batch chain, postgres"),
        Nothing,
    ),
    budget(
        "… in process",
        "answers/s",
        "batch chain, whowas",
        ("PostgreSQL, pipelined", "batch chain, pipelined"),
        Nothing,
    ),
    budget(
        "… over HTTP",
        "answers/s",
        "batch chain, http",
        ("PostgreSQL, pipelined", "batch chain, pipelined"),
        Nothing,
    ),
    budget(
        "1,000 checks by name",
        "answers/s",
        "batch name, whowas",
        ("SQLite", "batch name, sqlite"),
        TimesAtLeast(2.0),
    ),
    budget("… one thread", "answers/s", "batch name, one thread", ("SQLite", "batch name, sqlite"), Nothing),
    budget(
        "… in process",
        "answers/s",
        "batch name, whowas",
        ("PostgreSQL, by the same statements", "batch name, statements"),
        TimesAtLeast(20.0),
    ),
    budget(
        "… over HTTP",
        "answers/s",
        "batch name, http",
        ("PostgreSQL, by the same statements", "batch name, statements"),
        Nothing,
    ),
    budget(
        "… in process",
        "answers/s",
        "batch name, whowas",
        ("PostgreSQL, a query an ask", "batch name, postgres"),
        Nothing,
    ),
    budget(
        "… over HTTP",
        "answers/s",
        "batch name, http",
        ("PostgreSQL, a query an ask", "batch name, postgres"),
        Nothing,
    ),
    budget(
        "… in process",
        "answers/s",
        "batch name, whowas",
        ("PostgreSQL, pipelined", "batch name, pipelined"),
        Nothing,
    ),
    budget("… over HTTP", "answers/s", "batch name, http", ("PostgreSQL, pipelined", "batch name, pipelined"), Nothing),
    budget("a reader during a first sync, p99", "µs", "beside p99", ("quiet", "quiet p99"), TimesAtMost(10.0)),
    budget("… p50", "µs", "beside p50", ("quiet", "quiet p50"), Nothing),
    budget("… mean", "µs", "beside mean", ("quiet", "quiet mean"), Nothing),
    budget("… p99.9", "µs", "beside p99.9", ("quiet", "quiet p99.9"), Nothing),
    budget("… worst", "µs", "beside worst", ("quiet", "quiet worst"), Nothing),
    budget("the engine alone, p99", "µs", "engine beside p99", ("quiet", "engine quiet p99"), Nothing),
    budget("… mean", "µs", "engine beside mean", ("quiet", "engine quiet mean"), Nothing),
    budget("… p99.9", "µs", "engine beside p99.9", ("quiet", "engine quiet p99.9"), Nothing),
    budget("… worst", "µs", "engine beside worst", ("quiet", "engine quiet worst"), Nothing),
];

/// Prints the table and says whether every budget holds.
pub fn print(figures: &Figures) {
    println!("\nBudgets; each ratio is of the measured to the baseline of the same run\n");
    println!("| budget | measured | baseline | ratio | limit | |\n| --- | --- | --- | --- | --- | --- |");
    for budget in &BUDGETS {
        println!("{}", row(budget, figures));
    }
}

fn row(budget: &Budget, figures: &Figures) -> String {
    let Budget { what, unit, measured, baseline: (label, baseline), limit } = budget;
    let limited = match limit {
        AtMost(most) => format!("≤ {most} {unit}"),
        TimesAtMost(most) => format!("≤ {most} ×"),
        TimesAtLeast(least) => format!("≥ {least} ×"),
        Nothing => "–".to_owned(),
    };
    let (measured, baseline) = match (figures.get(measured), figures.get(baseline)) {
        (Ok(measured), Ok(baseline)) => (measured, baseline),
        (Err(why), _) | (_, Err(why)) => return format!("| {what} | NOT MEASURED: {why} | {label} | | {limited} | |"),
    };
    let ratio = measured / baseline;
    let holds = match *limit {
        AtMost(most) => Some(measured <= most),
        TimesAtMost(most) => Some(ratio <= most),
        TimesAtLeast(least) => Some(ratio >= least),
        Nothing => None,
    };
    let holds = holds.map_or("for comparison", |holds| if holds { "holds" } else { "DOES NOT HOLD" });
    let number = |value: f64| if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") };
    format!(
        "| {what} | {} {unit} | {label}: {} | {ratio:.2} | {limited} | {holds} |",
        number(measured),
        number(baseline)
    )
}
