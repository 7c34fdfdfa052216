//! The clock, and what the directory does by itself while it moves.

use std::time::Duration;

use super::Directory;
use crate::domain::id::ObjectId;
use crate::domain::time::Instant;
use crate::graph::emulator::audit::Actor;
use crate::graph::emulator::refusal::Refusal;

const HOUR_MICROS: i64 = 3_600_000_000;

impl Directory {
    /// Moves the clock forward to `instant`. On the way deleted users are purged 30 days after their deletion, and at
    /// every full hour conflicts that have ended are resolved, each at its own instant.
    pub fn set_now(&mut self, instant: Instant) -> Result<(), Refusal> {
        if instant < self.now {
            return Err(Refusal::ClockBack { now: self.now, asked: instant });
        }
        while let Some(due) = self.next_due(instant) {
            self.now = due;
            self.purge_due()?;
            self.resolve_conflicts();
        }
        self.now = instant;
        Ok(())
    }

    /// Moves the clock forward by `span`.
    pub fn advance(&mut self, span: Duration) {
        // Forward is the one direction in which the clock cannot refuse to go.
        let _ = self.set_now(self.now.plus(span));
    }

    /// The next instant after now, up to `until`, at which something is due.
    fn next_due(&self, until: Instant) -> Option<Instant> {
        let purge = self.purges_due.first().map(|(at, _)| *at);
        let hour = (!self.withheld.is_empty()).then(|| {
            let micros = self.now.as_micros();
            Instant::from_micros(micros.saturating_sub(micros.rem_euclid(HOUR_MICROS)).saturating_add(HOUR_MICROS))
        });
        [purge, hour].into_iter().flatten().min().filter(|due| *due <= until)
    }

    fn purge_due(&mut self) -> Result<(), Refusal> {
        while let Some((at, id)) = self.purges_due.first().copied() {
            if at > self.now {
                break;
            }
            self.purges_due.remove(&(at, id));
            self.purge_as(id, Actor::Service)?;
        }
        Ok(())
    }

    /// Hands the names over that were withheld and are free by now.
    fn resolve_conflicts(&mut self) {
        if self.now.as_micros().rem_euclid(HOUR_MICROS) != 0 {
            return;
        }
        let waiting: Vec<ObjectId> = self.withheld.keys().copied().collect();
        for id in waiting {
            let (Some(wanted), Ok(mut user)) = (self.withheld.get(&id).cloned(), self.live(id)) else { continue };
            user.upn = wanted.upn;
            user.mail = wanted.mail;
            user.proxies = wanted.proxies;
            if self.update(vec![user], Actor::Sync).is_ok() {
                self.withheld.remove(&id);
            }
        }
    }
}
