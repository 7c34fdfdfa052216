//! Time from left to right: which stretch is drawn, where an instant lies, and which instants get a tick.

use chrono::{DateTime, Datelike, Months, TimeDelta, Utc};

use crate::domain::time::Instant;

/// A stretch of time over a stretch of the picture.
#[derive(Clone, Copy, Debug)]
pub struct Axis {
    from: i128,
    until: i128,
    left: f64,
    right: f64,
}

/// A tick and what it says.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    /// Where.
    pub x: f64,
    /// The finer part of the time.
    pub label: String,
    /// The coarser part, where it is another than the tick's before.
    pub above: Option<String>,
}

/// How far apart ticks lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Seconds(i64),
    Months(u32),
}

const MICROS: i128 = 1_000_000;
const DAY: i64 = 86_400;
const STEPS: &[Step] = &[
    Step::Seconds(1),
    Step::Seconds(5),
    Step::Seconds(15),
    Step::Seconds(60),
    Step::Seconds(300),
    Step::Seconds(900),
    Step::Seconds(1_800),
    Step::Seconds(3_600),
    Step::Seconds(2 * 3_600),
    Step::Seconds(4 * 3_600),
    Step::Seconds(6 * 3_600),
    Step::Seconds(12 * 3_600),
    Step::Seconds(DAY),
    Step::Seconds(2 * DAY),
    Step::Seconds(7 * DAY),
    Step::Seconds(14 * DAY),
    Step::Months(1),
    Step::Months(3),
    Step::Months(6),
    Step::Months(12),
    Step::Months(24),
    Step::Months(60),
    Step::Months(120),
    Step::Months(600),
    Step::Months(1_200),
    Step::Months(12_000),
    Step::Months(120_000),
    Step::Months(1_200_000),
];
/// How much room a tick's label wants.
const ROOM: f64 = 96.0;

impl Axis {
    /// The axis that shows all of these instants, with a little room on both sides. Unbounded instants are passed over.
    pub fn over(times: impl IntoIterator<Item = Instant>, left: f64, right: f64) -> Self {
        let bounded = times.into_iter().filter(|at| *at != Instant::MIN && *at != Instant::MAX);
        let range = bounded.fold(None, |range: Option<(i128, i128)>, at| {
            let at = i128::from(at.as_micros());
            Some(range.map_or((at, at), |(from, until)| (from.min(at), until.max(at))))
        });
        let (from, until) = range.unwrap_or((0, 0));
        let room = ((until - from) / 16).max(60 * MICROS);
        Self { from: from - room, until: until + room, left, right }
    }

    /// The left end of the picture.
    pub fn left(&self) -> f64 {
        self.left
    }

    /// The right end of the picture.
    pub fn right(&self) -> f64 {
        self.right
    }

    /// Where an instant lies; beyond the ends it lies on them.
    pub fn x(&self, at: Instant) -> f64 {
        let share = (i128::from(at.as_micros()) - self.from) as f64 / (self.until - self.from) as f64;
        round(self.left + share.clamp(0.0, 1.0) * (self.right - self.left))
    }

    /// Whether an instant lies within the picture.
    pub fn shows(&self, at: Instant) -> bool {
        (self.from..=self.until).contains(&i128::from(at.as_micros()))
    }

    /// Ticks at round times.
    pub fn ticks(&self) -> Vec<Tick> {
        let most = ((self.right - self.left) / ROOM).max(2.0);
        let seconds = (self.until - self.from) as f64 / MICROS as f64;
        let length = |step: &Step| match step {
            Step::Seconds(seconds) => *seconds as f64,
            Step::Months(months) => f64::from(*months) * 30.4 * DAY as f64,
        };
        let Some(step) = STEPS.iter().find(|step| seconds / length(step) <= most).or(STEPS.last()) else {
            return Vec::new();
        };
        let clock = |micros: i128| i64::try_from(micros).ok().and_then(DateTime::from_timestamp_micros);
        let mut ticks: Vec<Tick> = Vec::new();
        let mut coarse = String::new();
        let mut next = clock(self.from).and_then(|from| first(from, *step));
        while let Some(time) = next.filter(|_| ticks.len() < 64) {
            if i128::from(time.timestamp_micros()) > self.until {
                break;
            }
            if i128::from(time.timestamp_micros()) >= self.from {
                let (label, above) = labels(time, *step);
                let above = (above != coarse).then(|| std::mem::replace(&mut coarse, above.clone())).map(|_| above);
                ticks.push(Tick { x: self.x(time.into()), label, above: above.filter(|above| !above.is_empty()) });
            }
            next = after(time, *step);
        }
        ticks
    }
}

/// The last round time at or before this one.
fn first(from: DateTime<Utc>, step: Step) -> Option<DateTime<Utc>> {
    match step {
        Step::Seconds(seconds) => {
            // Weeks begin on Monday; the epoch was a Thursday.
            let shift = if seconds % (7 * DAY) == 0 { 4 * DAY } else { 0 };
            DateTime::from_timestamp((from.timestamp() - shift).div_euclid(seconds) * seconds + shift, 0)
        }
        Step::Months(months) => {
            let count = i64::from(from.year()) * 12 + i64::from(from.month0());
            let count = count.div_euclid(i64::from(months)) * i64::from(months);
            let year = i32::try_from(count.div_euclid(12)).ok()?;
            let month = u32::try_from(count.rem_euclid(12)).ok()? + 1;
            Some(chrono::NaiveDate::from_ymd_opt(year, month, 1)?.and_hms_opt(0, 0, 0)?.and_utc())
        }
    }
}

fn after(time: DateTime<Utc>, step: Step) -> Option<DateTime<Utc>> {
    match step {
        Step::Seconds(seconds) => time.checked_add_signed(TimeDelta::try_seconds(seconds)?),
        Step::Months(months) => time.checked_add_months(Months::new(months)),
    }
}

fn labels(time: DateTime<Utc>, step: Step) -> (String, String) {
    let (fine, coarse) = match step {
        Step::Seconds(seconds) if seconds < 60 => ("%H:%M:%S", "%-d %b %Y"),
        Step::Seconds(seconds) if seconds < DAY => ("%H:%M", "%-d %b %Y"),
        Step::Seconds(_) => ("%-d %b", "%Y"),
        Step::Months(months) if months < 12 => ("%b", "%Y"),
        Step::Months(_) => ("%Y", ""),
    };
    (time.format(fine).to_string(), time.format(coarse).to_string())
}

/// A coordinate to a tenth, so that the same picture has the same text everywhere.
pub fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Instant {
        text.parse().unwrap()
    }

    fn labels_over(from: &str, until: &str) -> Vec<String> {
        Axis::over([at(from), at(until)], 0.0, 900.0).ticks().into_iter().map(|tick| tick.label).collect()
    }

    #[test]
    fn ticks_are_round_from_minutes_to_years() {
        assert_eq!(labels_over("2026-03-02T08:00:00Z", "2026-03-02T08:20:00Z")[..2], ["08:00", "08:05"]);
        assert_eq!(labels_over("2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z")[..3], ["00:00", "04:00", "08:00"]);
        assert_eq!(labels_over("2026-03-02T00:00:00Z", "2026-04-30T00:00:00Z")[..2], ["2 Mar", "16 Mar"]);
        assert_eq!(labels_over("2016-03-02T00:00:00Z", "2026-04-30T00:00:00Z")[..2], ["2016", "2018"]);
    }

    #[test]
    fn the_ends_of_time_have_a_place_and_few_ticks() {
        for times in [
            vec![],
            vec![Instant::MIN, Instant::MAX],
            vec![Instant::MIN.succ(), Instant::MAX.pred()],
            vec![Instant::MIN.succ()],
            vec![Instant::MAX.pred()],
        ] {
            let axis = Axis::over(times.clone(), 0.0, 900.0);
            assert!(axis.ticks().len() <= 64);
            for at in [Instant::MIN, Instant::from_micros(0), Instant::MAX] {
                assert!((0.0..=900.0).contains(&axis.x(at)), "{times:?}");
            }
        }
    }

    #[test]
    fn a_day_is_said_once() {
        let ticks = Axis::over([at("2026-03-02T12:00:00Z"), at("2026-03-03T12:00:00Z")], 0.0, 900.0).ticks();
        let above: Vec<&str> = ticks.iter().filter_map(|tick| tick.above.as_deref()).collect();
        assert_eq!(above, ["2 Mar 2026", "3 Mar 2026"]);
    }
}
