//! Keeps tenants current: each at its own rhythm, several at once up to a limit, never twice at the same time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::run::{Stop, Wanted, run};
use super::schedule::{self, RUNS_READ};
use super::{Context, Flights, SyncError, Ticket};
use crate::clock::Clock;
use crate::domain::id::TenantId;
use crate::domain::rhythm::{Past, Rhythm};
use crate::domain::time::Instant;
use crate::store::{Run, Trigger};

/// How long the keeper sleeps at most before it looks at the clock again, which may have been set.
const LOOK: Duration = Duration::from_secs(15);

/// A tenant to keep current.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Which tenant.
    pub tenant: TenantId,
    /// How often it is read.
    pub rhythm: Rhythm,
}

/// What the keeper has to say of a tenant.
#[derive(Debug)]
pub enum Event<'a> {
    /// The next run is due then.
    Next(Instant),
    /// A run was made.
    Ran(&'a Run),
    /// A run failed. It has its entry in the run log, unless that could not be written.
    Failed(&'a SyncError),
    /// A run could not be begun, because the ledger is held elsewhere or the credential cannot be used.
    NotBegun(&'a str),
}

/// Opens the ledger and the directory for a tenant's run. It may block.
pub type Open = dyn Fn(TenantId) -> Result<Context, String> + Send + Sync;

/// Is told what happens.
pub type Tell = dyn Fn(TenantId, Event<'_>) + Send + Sync;

/// A run that may begin.
struct Begun<'g> {
    /// Its place among those that are made at once.
    _permit: tokio::sync::SemaphorePermit<'g>,
    /// The right to read the tenant.
    ticket: Ticket,
    context: Context,
    /// What the run log told when the tenant was its own.
    before: Past,
}

/// The keeper.
#[derive(Clone)]
pub struct Keeper {
    /// How many tenants are read at once.
    pub at_once: usize,
    /// What time it is.
    pub clock: Clock,
    /// How a run comes by its ledger and directory.
    pub open: Arc<Open>,
    /// Who is told what happens.
    pub tell: Arc<Tell>,
    /// The runs under way in this process, those on demand included.
    pub flights: Flights,
    /// Ends all of it.
    pub stop: Stop,
}

impl Keeper {
    /// Keeps the tenants current until the stop is asked for. Runs under way then end at once, each with its entry in the run
    /// log, and go on from there the next time.
    pub async fn keep(self, tenants: Vec<Kept>) {
        let gate = Arc::new(Semaphore::new(self.at_once.max(1)));
        let mut tasks = JoinSet::new();
        for kept in tenants {
            tasks.spawn(self.clone().keep_one(kept, Arc::clone(&gate)));
        }
        tasks.join_all().await;
    }

    async fn keep_one(self, kept: Kept, gate: Arc<Semaphore>) {
        let Kept { tenant, rhythm } = kept;
        let mut past: Option<Past> = None;
        // Runs that left no entry in the run log, which therefore cannot tell when to try again.
        let mut unlogged = 0;
        let mut trigger = Trigger::Startup;
        loop {
            if let Some(past) = &past {
                (self.tell)(tenant, Event::Next(rhythm.due(tenant, past, self.clock.now()).at));
                if self.is_stopped_before(|now| rhythm.due(tenant, past, now).at).await {
                    return;
                }
            }
            let begun = tokio::select! {
                biased;
                () = self.stop.asked() => return,
                begun = self.begin(kept, &gate, trigger) => begun,
            };
            let outcome = match begun {
                Ok(Begun { _permit, ticket, context, before }) => {
                    let now = self.clock.now();
                    let due = rhythm.due(tenant, &before, now);
                    if due.at > now {
                        // Somebody else has read the tenant in the meantime, or this process was started again at once.
                        past = Some(before);
                        continue;
                    }
                    let wanted = Wanted { full: false, reconcile: due.reconcile, trigger };
                    trigger = Trigger::Schedule;
                    let tell = |progress| ticket.tell(progress);
                    let done = run(&context, wanted, &self.stop, &tell).await;
                    drop(ticket);
                    match &done {
                        Ok(run) => (self.tell)(tenant, Event::Ran(run)),
                        Err(error) => (self.tell)(tenant, Event::Failed(error)),
                    }
                    if matches!(done, Err(SyncError::Stopped)) {
                        return;
                    }
                    look_back(&context).await.map(|after| (before, after))
                }
                Err(why) => Err(why),
            };
            match outcome {
                Ok((before, after)) if after != before => {
                    unlogged = 0;
                    past = Some(after);
                }
                other => {
                    if let Err(why) = other {
                        (self.tell)(tenant, Event::NotBegun(&why));
                    }
                    unlogged += 1;
                    let from = self.clock.now();
                    let again = from.plus(rhythm.wait(unlogged));
                    (self.tell)(tenant, Event::Next(again));
                    // A clock that was set back must not make the wait as long as it was wrong.
                    if self.is_stopped_before(|now| if now < from { now } else { again }).await {
                        return;
                    }
                    past = None;
                }
            }
        }
    }

    /// Waits for its turn, and opens what a run needs.
    async fn begin<'g>(&self, kept: Kept, gate: &'g Semaphore, trigger: Trigger) -> Result<Begun<'g>, String> {
        let _permit = gate.acquire().await.map_err(|error| error.to_string())?;
        let ticket = self.flights.wait(kept.tenant, trigger, || self.clock.now()).await;
        let open = Arc::clone(&self.open);
        let context =
            tokio::task::spawn_blocking(move || open(kept.tenant)).await.map_err(|error| error.to_string())??;
        let before = look_back(&context).await?;
        Ok(Begun { _permit, ticket, context, before })
    }

    /// Sleeps until `due`, which is asked anew every now and then with what time it is. True if the stop was asked for first.
    async fn is_stopped_before(&self, due: impl Fn(Instant) -> Instant) -> bool {
        loop {
            let now = self.clock.now();
            let rest = due(now).since(now);
            if rest.is_zero() {
                return false;
            }
            tokio::select! {
                biased;
                () = self.stop.asked() => return true,
                () = tokio::time::sleep(rest.min(LOOK)) => {}
            }
        }
    }
}

async fn look_back(context: &Context) -> Result<Past, String> {
    let runs = context.blocking(|ledger, tenant| Ok(ledger.store().runs(tenant, RUNS_READ)?));
    runs.await.map(|runs| schedule::past(&runs)).map_err(|error| super::with_causes(&error))
}
