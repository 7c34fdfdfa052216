//! Times as a scenario writes them: days counted from its start, and the clock.

use std::time::Duration;

use super::words::{ParseError, Words};
use crate::domain::time::Instant;

const DAY: u64 = 86_400;
/// How far from its start a scenario may go, in days.
const DAYS_MAX: i64 = 36_500;

/// Reads times; knows the day and the time of the line.
#[derive(Clone, Debug)]
pub(super) struct Calendar {
    start: Instant,
    /// Midnight of the present day.
    day: Instant,
    /// The time of the line, or of the one above.
    now: Option<Instant>,
}

impl Calendar {
    pub fn new(start: Instant) -> Self {
        Self { start, day: start, now: None }
    }

    /// Reads the time that begins a line: `day 2 09:00`, `2026-03-04 09:00`, `09:00`, or nothing at all if it is that of
    /// the line above. A day alone is a heading: what comes after it says its time.
    pub fn line(&mut self, words: &mut Words) -> Result<Option<Instant>, ParseError> {
        let new_day = self.take_day(words)?;
        if let Some(day) = new_day {
            self.day = day;
            self.now = None;
        }
        if let Some(clock) = take_clock(words)? {
            self.now = Some(self.day.plus(clock));
        }
        Ok(self.now)
    }

    /// Reads a time within a line: like those that begin one, on the line's own day where none is given, or RFC 3339.
    pub fn when(&self, words: &mut Words) -> Result<Instant, ParseError> {
        if let Some(word) = words.peek().filter(|word| word.contains('T'))
            && let Ok(instant) = word.parse()
        {
            let _read = words.word("a time")?;
            return Ok(instant);
        }
        let day = self.take_day(words)?.unwrap_or(self.day);
        match take_clock(words)? {
            Some(clock) => Ok(day.plus(clock)),
            None => Err(words.expected("a time such as 09:00, day 2 09:00 or 2026-03-04T09:00:00Z", &[])),
        }
    }

    fn take_day(&self, words: &mut Words) -> Result<Option<Instant>, ParseError> {
        if words.take("day") {
            let start = self.start;
            return words
                .parsed("the number of the day", |text| match text.parse::<i64>() {
                    Ok(day) if day.abs() <= DAYS_MAX => {
                        let span = Duration::from_secs(day.unsigned_abs() * DAY);
                        Ok(if day < 0 { start.minus(span) } else { start.plus(span) })
                    }
                    _ => Err(format!("`{text}` is no day; day 0 is the one at which the scenario starts")),
                })
                .map(Some);
        }
        let date = words.peek().and_then(|word| format!("{word}T00:00:00Z").parse::<Instant>().ok());
        if date.is_some() {
            let _read = words.word("a date")?;
        }
        Ok(date)
    }
}

/// Reads `9:00`, `09:00:01` or `08:59:59.999999`; also `24:00`, the midnight that ends the day.
fn take_clock(words: &mut Words) -> Result<Option<Duration>, ParseError> {
    let looks =
        |word: &str| word.starts_with(|c: char| c.is_ascii_digit()) && word.contains(':') && !word.contains('T');
    if !words.peek().is_some_and(looks) {
        return Ok(None);
    }
    words
        .parsed("a time such as 09:00", |text| {
            clock(text).ok_or_else(|| format!("`{text}` is no time of the day; write it like 09:00 or 09:00:01"))
        })
        .map(Some)
}

fn clock(text: &str) -> Option<Duration> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut parts = whole.split(':');
    let mut next = |limit: u64| -> Option<u64> {
        let part = parts.next()?;
        let digits = !part.is_empty() && part.len() <= 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse().ok().filter(|number| digits && *number < limit)
    };
    let (hours, minutes) = (next(25)?, next(60)?);
    let seconds = match whole.matches(':').count() {
        1 => 0,
        2 => next(60)?,
        _ => return None,
    };
    let micros = match fraction {
        "" if text.contains('.') => return None,
        "" => 0,
        digits if digits.len() <= 6 && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("{digits:0<6}").parse().ok()?
        }
        _ => return None,
    };
    Some(Duration::from_micros(((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_read_to_the_microsecond_and_nothing_else_is_one() {
        assert_eq!(clock("09:30"), Some(Duration::from_secs(34_200)));
        assert_eq!(clock("24:00"), Some(Duration::from_secs(86_400)));
        assert_eq!(clock("00:00:01.000001"), Some(Duration::from_micros(1_000_001)));
        for text in ["9", "25:00", "09:60", "09:00:60", "09:00.5.5", "+9:00", "09:00:00:00", "09:00.", "a:b"] {
            assert_eq!(clock(text), None, "{text}");
        }
    }
}
