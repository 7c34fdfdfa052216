//! Instants: microseconds on the UTC time line. The domain never asks what time it is.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, SecondsFormat, Utc};

/// A point in time, in whole microseconds since 1970-01-01T00:00:00Z; finer digits are cut off.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(i64);

impl Instant {
    /// The earliest instant there is; in an interval it means "unbounded".
    pub const MIN: Self = Self(i64::MIN);
    /// The latest instant there is; in an interval it means "unbounded".
    pub const MAX: Self = Self(i64::MAX);

    /// The instant so many microseconds after the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds after the epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// This instant moved later. Saturates, and an unbounded instant stays unbounded.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        if self == Self::MIN { self } else { Self(self.0.saturating_add(micros(span))) }
    }

    /// This instant moved earlier. Saturates, and an unbounded instant stays unbounded.
    #[must_use]
    pub fn minus(self, span: Duration) -> Self {
        if self == Self::MAX { self } else { Self(self.0.saturating_sub(micros(span))) }
    }

    /// The last instant before this one.
    #[must_use]
    pub fn pred(self) -> Self {
        self.minus(Duration::from_micros(1))
    }

    /// The first instant after this one.
    #[must_use]
    pub fn succ(self) -> Self {
        self.plus(Duration::from_micros(1))
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// How far apart the two are, whichever comes first.
    pub fn distance(self, other: Self) -> Duration {
        self.since(other).max(other.since(self))
    }

    /// Parses what Graph and its neighbours print: RFC 3339 with any number of fraction digits, `Z` or an offset; or the
    /// same without a zone (taken as UTC), with a space for the `T`, as exports through other pipes have it.
    pub fn parse_lenient(text: &str) -> Result<Self, InstantError> {
        let text = text.trim();
        if let Ok(instant) = text.parse() {
            return Ok(instant);
        }
        ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"]
            .iter()
            .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
            .map(|naive| Self(naive.and_utc().timestamp_micros()))
            .ok_or_else(|| InstantError { given: text.chars().take(60).collect() })
    }

    /// The same instant in chrono's type.
    pub fn to_chrono(self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_micros(self.0)
    }
}

impl From<DateTime<Utc>> for Instant {
    fn from(time: DateTime<Utc>) -> Self {
        Self(time.timestamp_micros())
    }
}

impl FromStr for Instant {
    type Err = InstantError;

    fn from_str(text: &str) -> Result<Self, InstantError> {
        DateTime::parse_from_rfc3339(text)
            .map(|time| Self(time.timestamp_micros()))
            .map_err(|_| InstantError { given: text.chars().take(60).collect() })
    }
}

/// RFC 3339 in UTC with `Z`; a fraction only where there is one.
impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_chrono() {
            Some(time) => f.write_str(&time.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
            None => write!(f, "{} µs", self.0),
        }
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::MIN => f.write_str("-∞"),
            Self::MAX => f.write_str("+∞"),
            _ => fmt::Display::fmt(self, f),
        }
    }
}

impl serde::Serialize for Instant {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Instant {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Writes a length of time in seconds.
pub(crate) fn as_seconds<S: serde::Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(span.as_secs_f64())
}

/// The same where there may be none.
pub(crate) fn as_seconds_or_none<S: serde::Serializer>(
    span: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match span {
        Some(span) => as_seconds(span, serializer),
        None => serializer.serialize_none(),
    }
}

/// A text that is no instant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} is no time: write it as RFC 3339, for example 2026-03-01T09:30:00Z")]
pub struct InstantError {
    given: String,
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn graph_times_parse_with_any_fraction_and_either_utc_form() {
        for (text, printed) in [
            ("2022-01-27T07:44:05.7673032Z", "2022-01-27T07:44:05.767303Z"),
            ("2025-11-12T14:03:30.218714+00:00", "2025-11-12T14:03:30.218714Z"),
            ("2026-09-07T17:52:54", "2026-09-07T17:52:54Z"),
            ("2024-09-23 14:33:09.049661100", "2024-09-23T14:33:09.049661Z"),
            ("2026-01-01T02:00:00+02:00", "2026-01-01T00:00:00Z"),
        ] {
            assert_eq!(Instant::parse_lenient(text).unwrap().to_string(), printed, "{text}");
        }
    }

    #[test]
    fn templates_and_words_are_no_times() {
        for text in ["YYYY-MM-DD HH:MM:SSZ", "date-time", "", "2026-13-01T00:00:00Z", "9999999999"] {
            assert!(Instant::parse_lenient(text).is_err(), "{text}");
        }
    }

    #[test]
    fn unbounded_instants_stay_unbounded_when_moved() {
        let day = Duration::from_secs(86_400);
        assert_eq!(Instant::MIN.plus(day), Instant::MIN);
        assert_eq!(Instant::MAX.minus(day), Instant::MAX);
        assert_eq!(Instant::MAX.plus(day), Instant::MAX);
    }
}
