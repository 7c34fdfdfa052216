//! What a run log tells of when the next run is due.

use crate::domain::rhythm::Past;
use crate::store::{Outcome, Run, RunKind};

/// How many entries of a run log tell what is due. With a round a minute that is two days, more than a reconcile takes to
/// come round.
pub const RUNS_READ: usize = 3_000;

/// What these entries tell, newest first.
pub fn past(runs: &[Run]) -> Past {
    let is_reconcile = |run: &&Run| run.kind == RunKind::Reconcile;
    let rounds = || runs.iter().filter(|run| !is_reconcile(run));
    let reconciles = || runs.iter().filter(is_reconcile);
    let count = |failed: usize| u32::try_from(failed).unwrap_or(u32::MAX);
    Past {
        started: rounds().next().map(|run| run.started),
        failures: count(rounds().take_while(|run| !is_whole(run)).count()),
        reconciled: reconciles().find(|run| is_whole(run)).map(|run| run.started),
        reconcile_failed: reconciles().take_while(|run| !is_whole(run)).next().map(|run| run.started),
        reconcile_failures: count(reconciles().take_while(|run| !is_whole(run)).count()),
    }
}

/// Whether a run read all that it was to read.
pub fn is_whole(run: &Run) -> bool {
    matches!(run.outcome, Outcome::Completed | Outcome::Held)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::TenantId;
    use crate::domain::rhythm::Rhythm;
    use crate::domain::time::Instant;
    use crate::store::Trigger;

    const MINUTE: u64 = 60_000_000;

    fn at(minute: u64) -> Instant {
        Instant::from_micros(i64::try_from(minute * MINUTE).unwrap())
    }

    fn tenant(number: u8) -> TenantId {
        TenantId::from_bytes([number; 16])
    }

    fn run(kind: RunKind, minute: u64, outcome: Outcome) -> Run {
        Run {
            run: minute,
            trigger: Trigger::Schedule,
            kind,
            started: at(minute),
            ended: None,
            outcome,
            pages: 0,
            seen: 0,
            changed: 0,
            removed: 0,
            restored: 0,
            facts: 0,
            requests: 0,
            throttled_ms: 0,
            horizon: None,
            error: None,
            note: None,
        }
    }

    #[test]
    fn the_run_log_tells_what_is_due() {
        use Outcome::{Completed, Failed, Held, Interrupted};
        use RunKind::{Delta, Full, Reconcile};
        let rhythm = Rhythm::default();
        for (runs, now, earliest, latest, reconcile) in [
            (vec![], 5, 5, 5, true),
            (vec![run(Reconcile, 11, Completed), run(Full, 10, Completed)], 12, 25, 27, false),
            (vec![run(Delta, 30, Completed), run(Reconcile, 11, Completed)], 31, 45, 47, false),
            (vec![run(Delta, 30, Held), run(Reconcile, 11, Completed)], 31, 45, 47, false),
            (vec![run(Delta, 1_440, Completed), run(Reconcile, 11, Completed)], 1_441, 1_455, 1_457, true),
            (vec![run(Delta, 30, Failed), run(Reconcile, 11, Completed)], 31, 31, 32, false),
            (vec![run(Delta, 31, Failed), run(Delta, 30, Interrupted), run(Reconcile, 11, Held)], 31, 33, 34, false),
            // A reconcile that failed is tried again with the next round, then with every second one, and so on.
            (vec![run(Reconcile, 31, Failed), run(Delta, 30, Completed)], 31, 45, 47, true),
            (
                vec![run(Reconcile, 31, Failed), run(Reconcile, 30, Failed), run(Delta, 30, Completed)],
                31,
                45,
                47,
                false,
            ),
            (vec![run(Reconcile, 31, Failed), run(Reconcile, 11, Failed), run(Delta, 40, Completed)], 41, 55, 57, true),
            (vec![run(Reconcile, 31, Interrupted), run(Reconcile, 11, Completed)], 41, 41, 41, false),
            (vec![run(Delta, 60, Failed), run(Reconcile, 31, Failed), run(Delta, 30, Completed)], 60, 61, 62, true),
            (vec![run(Delta, 90, Completed), run(Reconcile, 11, Completed)], 60, 60, 60, false),
        ] {
            let due = rhythm.due(tenant(1), &past(&runs), at(now));
            assert!(at(earliest) <= due.at && due.at <= at(latest), "{runs:?} at {now}: {due:?}");
            assert_eq!(due.reconcile, reconcile, "{runs:?} at {now}");
        }
    }
}
