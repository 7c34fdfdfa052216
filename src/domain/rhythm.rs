//! When a directory is to be read next: a pure function of what was read and of the time.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use super::id::TenantId;
use super::time::Instant;

/// How often a tenant is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rhythm {
    /// From the start of a round to the start of the next one.
    pub sync_every: Duration,
    /// How often a round is followed by a reconcile.
    pub reconcile_every: Duration,
}

/// What a run log tells of the past.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Past {
    /// When the newest round started.
    pub started: Option<Instant>,
    /// When the newest reconcile started that was read to its end.
    pub reconciled: Option<Instant>,
    /// How many rounds have failed or were cut short since one went well.
    pub failures: u32,
    /// When the newest reconcile started that was not read to its end, if none was since.
    pub reconcile_failed: Option<Instant>,
    /// How many reconciles have failed or were cut short since one went well.
    pub reconcile_failures: u32,
}

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// When.
    pub at: Instant,
    /// Whether the round is followed by a reconcile.
    pub reconcile: bool,
}

/// How soon after its start a failed run is tried again; twice as long after each further failure.
const RETRY: Duration = Duration::from_secs(60);
/// By which part of the wait tenants are spread, so that all of them do not ask the directory in the same second.
const SPREAD: u32 = 10;

impl Default for Rhythm {
    fn default() -> Self {
        Self { sync_every: Duration::from_secs(15 * 60), reconcile_every: Duration::from_secs(24 * 3_600) }
    }
}

impl Rhythm {
    /// How long after a run's start the next one starts, without the spread.
    pub fn wait(self, failures: u32) -> Duration {
        match failures.checked_sub(1) {
            None => self.sync_every,
            Some(doublings) => RETRY.saturating_mul(1 << doublings.min(16)).min(self.sync_every),
        }
    }

    /// What is due next, as seen at `now`.
    ///
    /// A run log from a clock that was ahead says that the last run is yet to come: the next one is then due at once, and sets
    /// that right. So however the clock jumps, the next run is never more than a wait and its spread away.
    pub fn due(self, tenant: TenantId, past: &Past, now: Instant) -> Due {
        let at = match past.started {
            Some(started) if started <= now => {
                let wait = self.wait(past.failures);
                started.plus(wait).plus(spread(tenant, started, wait / SPREAD))
            }
            _ => now,
        };
        let since = at.max(now);
        let is_past = |last: Instant, wait| last > since || since.since(last) >= wait;
        let again = self.reconcile_wait(past.reconcile_failures);
        let reconcile = past.reconciled.is_none_or(|last| is_past(last, self.reconcile_every))
            && past.reconcile_failed.is_none_or(|last| is_past(last, again));
        Due { at, reconcile }
    }

    /// How long after a failed reconcile the next one is tried: at the next round, and twice as long after each further
    /// failure. It reads everything, so a directory that refuses one part of it must not be asked for the rest each minute.
    fn reconcile_wait(self, failures: u32) -> Duration {
        match failures.checked_sub(2) {
            None => Duration::ZERO,
            Some(doublings) => self.sync_every.saturating_mul(1 << doublings.min(16)).min(self.reconcile_every),
        }
    }
}

/// A share of `most` that differs by tenant and run, and is the same for everyone who asks.
fn spread(tenant: TenantId, started: Instant, most: Duration) -> Duration {
    let mut hasher = DefaultHasher::new();
    (tenant, started).hash(&mut hasher);
    let micros = u64::try_from(most.as_micros()).unwrap_or(u64::MAX);
    Duration::from_micros(hasher.finish().checked_rem(micros).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(minute: u64) -> Instant {
        Instant::from_micros(i64::try_from(minute * 60_000_000).unwrap())
    }

    fn tenant(number: u8) -> TenantId {
        TenantId::from_bytes([number; 16])
    }

    #[test]
    fn tenants_that_started_together_drift_apart() {
        let past = Past { started: Some(at(0)), ..Past::default() };
        let times: std::collections::BTreeSet<Instant> =
            (0..50).map(|number| Rhythm::default().due(tenant(number), &past, at(0)).at).collect();
        assert_eq!(times.len(), 50);
    }

    proptest! {
        /// However the clock jumps and however many runs failed, nothing is put off for long, and what is due is due for whoever asks.
        #[test]
        fn the_next_run_is_never_farther_away_than_a_wait_and_its_spread(
            started in prop::option::of(0u64..100_000), reconciled in prop::option::of(0u64..100_000),
            failures in 0u32..40, now in 0u64..100_000, every in 1u64..500,
        ) {
            let rhythm = Rhythm { sync_every: Duration::from_secs(every * 60), ..Rhythm::default() };
            let past = Past { started: started.map(at), reconciled: reconciled.map(at), failures, ..Past::default() };
            let due = rhythm.due(tenant(1), &past, at(now));
            prop_assert!(due.at <= at(now).plus(rhythm.sync_every + rhythm.sync_every / SPREAD));
            prop_assert_eq!(due, rhythm.due(tenant(1), &past, at(now)));
            if started.is_some_and(|started| started + every * 11 / 10 < now) {
                prop_assert!(due.at <= at(now), "overdue");
            }
        }
    }
}
