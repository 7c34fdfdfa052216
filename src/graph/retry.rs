//! When to ask again, and how long to wait before.

use std::time::Duration;

use backon::ExponentialBuilder;
use chrono::DateTime;

/// How often and how patiently a request is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts in all, the first one included.
    pub attempts: u32,
    /// The first wait where the server names none; it doubles from then on, with jitter.
    pub base: Duration,
    /// The longest single wait where the server names none.
    pub cap: Duration,
}

/// The longest wait that is sat out when the server names it. Whoever asks earlier than told is throttled the longer.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { attempts: 8, base: Duration::from_secs(1), cap: Duration::from_secs(120) }
    }
}

impl RetryPolicy {
    pub(crate) fn backoff(&self) -> ExponentialBuilder {
        let retries = usize::try_from(self.attempts.saturating_sub(1)).unwrap_or(usize::MAX);
        ExponentialBuilder::new()
            .with_min_delay(self.base)
            .with_max_delay(self.cap)
            .with_max_times(retries)
            .with_jitter()
    }

    /// The wait before the next attempt: what the server said, which is never cut short, else the back-off up to the cap.
    pub(crate) fn wait(&self, retry_after: Option<Duration>, backoff: Duration) -> Duration {
        retry_after.unwrap_or_else(|| backoff.min(self.cap))
    }
}

/// Whether an answer with this status may be repeated.
pub(crate) fn is_retryable(status: u16) -> bool {
    matches!(status, 429 | 500 | 502 | 503 | 504)
}

/// The wait that the server names, if it is too long to be sat out.
pub(crate) fn too_long(retry_after: Option<Duration>) -> Option<Duration> {
    retry_after.filter(|wait| *wait > PATIENCE)
}

/// `Retry-After` as a wait: seconds, which Graph also sends with a fraction (`2.128`), or an HTTP date, counted from the
/// same answer's `Date` so that no clock of ours comes in. `None` if it is neither.
pub fn retry_after(value: &str, date: Option<&str>) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let until = DateTime::parse_from_rfc2822(value).ok()?;
    let now = DateTime::parse_from_rfc2822(date?.trim()).ok()?;
    Some((until - now).to_std().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_as_seconds_fractions_and_dates() {
        let date = Some("Mon, 02 Mar 2026 10:00:00 GMT");
        for (value, millis) in [
            ("3", Some(3_000)),
            ("2.128", Some(2_128)),
            (" 0 ", Some(0)),
            ("Mon, 02 Mar 2026 10:00:07 GMT", Some(7_000)),
            ("Mon, 02 Mar 2026 09:59:00 GMT", Some(0)),
            ("-1", None),
            ("NaN", None),
            ("inf", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(retry_after(value, date), millis.map(Duration::from_millis), "{value:?}");
        }
        assert_eq!(retry_after("Mon, 02 Mar 2026 10:00:07 GMT", None), None);
    }

    #[test]
    fn the_cap_bounds_our_own_waits_and_not_the_servers() {
        let policy = RetryPolicy { cap: Duration::from_secs(5), ..RetryPolicy::default() };
        let second = Duration::from_secs(1);
        let told = Duration::from_secs(900);
        assert_eq!((policy.wait(Some(told), second), too_long(Some(told))), (told, None));
        assert_eq!(too_long(Some(told + second)), Some(told + second));
        assert_eq!(too_long(None), None);
        assert_eq!(policy.wait(None, told), Duration::from_secs(5));
        assert_eq!(policy.wait(Some(Duration::ZERO), second), Duration::ZERO);
        assert_eq!(policy.wait(None, second), second);
    }
}
