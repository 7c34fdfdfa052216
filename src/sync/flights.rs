//! Which tenants are being read in this process: one run of each at a time, whoever asked for it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::Progress;
use crate::domain::id::TenantId;
use crate::domain::time::Instant;
use crate::store::Trigger;

/// A run under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flight {
    /// Who asked for it.
    pub trigger: Trigger,
    /// Since when.
    pub since: Instant,
    /// How far it is; `None` until it has a number.
    pub progress: Option<Progress>,
}

/// The runs under way. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Flights(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    under_way: Mutex<BTreeMap<TenantId, Flight>>,
    /// The newest run of each tenant, if it could leave no entry in the run log.
    unlogged: Mutex<BTreeMap<TenantId, Unlogged>>,
    /// Counts what was begun, told and ended, for those who wait.
    changes: watch::Sender<u64>,
}

/// A run that failed and left no entry in the run log: it could not be begun, our clock is ahead, or nothing can be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unlogged {
    /// When it failed.
    pub at: Instant,
    /// Why.
    pub why: String,
}

/// The right to read a tenant. It ends when this is dropped.
#[derive(Debug)]
pub struct Ticket {
    flights: Flights,
    tenant: TenantId,
}

impl Flights {
    /// Begins a run.
    ///
    /// # Errors
    /// The run that is under way.
    pub fn begin(&self, tenant: TenantId, trigger: Trigger, since: Instant) -> Result<Ticket, Flight> {
        {
            let mut under_way = self.0.under_way.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(flight) = under_way.get(&tenant) {
                return Err(*flight);
            }
            under_way.insert(tenant, Flight { trigger, since, progress: None });
        }
        self.tell_all();
        Ok(Ticket { flights: self.clone(), tenant })
    }

    /// Begins a run as soon as no other one is under way.
    pub async fn wait(&self, tenant: TenantId, trigger: Trigger, since: impl Fn() -> Instant) -> Ticket {
        let mut changes = self.0.changes.subscribe();
        loop {
            if let Ok(ticket) = self.begin(tenant, trigger, since()) {
                return ticket;
            }
            // The sender lives as long as we do.
            let _changed = changes.changed().await;
        }
    }

    /// The run of this tenant that is under way.
    pub fn under_way(&self, tenant: TenantId) -> Option<Flight> {
        self.0.under_way.lock().unwrap_or_else(PoisonError::into_inner).get(&tenant).copied()
    }

    /// Keeps in mind that a run left no entry, until one does.
    pub fn keep_unlogged(&self, tenant: TenantId, at: Instant, why: String) {
        self.0.unlogged.lock().unwrap_or_else(PoisonError::into_inner).insert(tenant, Unlogged { at, why });
    }

    /// A run has its entry.
    pub fn forget_unlogged(&self, tenant: TenantId) {
        self.0.unlogged.lock().unwrap_or_else(PoisonError::into_inner).remove(&tenant);
    }

    /// The newest run of a tenant, if it left no entry.
    pub fn unlogged(&self, tenant: TenantId) -> Option<Unlogged> {
        self.0.unlogged.lock().unwrap_or_else(PoisonError::into_inner).get(&tenant).cloned()
    }

    /// All runs under way.
    pub fn all(&self) -> Vec<(TenantId, Flight)> {
        let under_way = self.0.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        under_way.iter().map(|(tenant, flight)| (*tenant, *flight)).collect()
    }

    /// Tells whenever a run is begun, goes on, or ends.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    /// Waits until the run of this tenant has a number, or none is under way any more.
    pub async fn numbered(&self, tenant: TenantId) -> Option<Flight> {
        let mut changes = self.0.changes.subscribe();
        loop {
            match self.under_way(tenant) {
                Some(flight) if flight.progress.is_none() => {
                    let _changed = changes.changed().await;
                }
                other => return other,
            }
        }
    }

    fn change(&self, work: impl FnOnce(&mut BTreeMap<TenantId, Flight>)) {
        work(&mut self.0.under_way.lock().unwrap_or_else(PoisonError::into_inner));
        self.tell_all();
    }

    fn tell_all(&self) {
        self.0.changes.send_modify(|count| *count = count.wrapping_add(1));
    }
}

impl Ticket {
    /// Tells how far the run is.
    pub fn tell(&self, progress: Progress) {
        self.flights.change(|under_way| {
            if let Some(flight) = under_way.get_mut(&self.tenant) {
                flight.progress = Some(progress);
            }
        });
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.flights.change(|under_way| {
            under_way.remove(&self.tenant);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::RunKind;

    const TENANT: TenantId = TenantId::from_bytes([1; 16]);

    fn now() -> Instant {
        Instant::from_micros(1)
    }

    #[test]
    fn a_run_without_an_entry_is_kept_in_mind_until_one_has_it() {
        let flights = Flights::default();
        flights.keep_unlogged(TENANT, now(), "the clock is ahead".to_owned());
        assert_eq!(flights.unlogged(TENANT).unwrap().why, "the clock is ahead");
        assert_eq!(flights.unlogged(TenantId::from_bytes([2; 16])), None);
        flights.forget_unlogged(TENANT);
        assert_eq!(flights.unlogged(TENANT), None);
    }

    #[tokio::test]
    async fn a_tenant_is_read_once_at_a_time_and_who_waits_comes_next() {
        let flights = Flights::default();
        let ticket = flights.begin(TENANT, Trigger::Schedule, now()).unwrap();
        assert_eq!(flights.begin(TENANT, Trigger::Demand, now()).unwrap_err().trigger, Trigger::Schedule);
        flights.begin(TenantId::from_bytes([2; 16]), Trigger::Demand, now()).unwrap();
        let waiting = tokio::spawn({
            let flights = flights.clone();
            async move { flights.wait(TENANT, Trigger::Demand, now).await }
        });
        let numbered = tokio::spawn({
            let flights = flights.clone();
            async move { flights.numbered(TENANT).await }
        });
        tokio::task::yield_now().await;
        ticket.tell(Progress { run: 7, kind: RunKind::Delta, started: now(), pages: 0, seen: 0 });
        assert_eq!(numbered.await.unwrap().unwrap().progress.unwrap().run, 7);
        drop(ticket);
        let next = waiting.await.unwrap();
        assert_eq!(flights.under_way(TENANT).unwrap().trigger, Trigger::Demand);
        drop(next);
        assert_eq!(flights.numbered(TENANT).await, None);
    }
}
