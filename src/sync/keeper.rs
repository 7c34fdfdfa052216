//! Keeps tenants current: each at its own rhythm, several at once up to a limit, never twice at the same time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::run::{Stop, Wanted, run};
use super::schedule::{self, RUNS_READ, is_whole};
use super::{Context, Flights, SyncError, Ticket};
use crate::clock::Clock;
use crate::domain::id::TenantId;
use crate::domain::rhythm::{Past, Rhythm};
use crate::domain::time::Instant;
use crate::store::{Run, Trigger};

/// How long the keeper sleeps at most before it looks at the clock again, which may have been set.
const LOOK: Duration = Duration::from_secs(15);
/// The most entries that one run makes: of a run that was killed before it, of its round, and of its reconcile.
const ENTRIES_MAX: usize = 3;

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
    /// A run ended, well or not, and has this entry in the run log.
    Ended(&'a Run),
    /// A run failed.
    Failed {
        /// Why.
        error: &'a SyncError,
        /// Whether its entry was told of. There is none if it could not be written, or if our clock is ahead.
        is_logged: bool,
    },
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
    before: Log,
}

/// What the run log tells.
#[derive(PartialEq, Eq)]
struct Log {
    past: Past,
    /// The number of its newest entry; 0 if it has none.
    newest: u64,
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
            tasks.spawn(self.clone().keep_on(kept, Arc::clone(&gate)));
        }
        // Each ends by itself when the stop is asked for.
        while tasks.join_next().await.is_some() {}
    }

    /// Keeps a tenant, and begins anew after a defect of ours, so that one tenant's data never ends the syncs of the others.
    async fn keep_on(self, kept: Kept, gate: Arc<Semaphore>) {
        let mut defects = 0;
        while let Err(defect) = tokio::spawn(self.clone().keep_one(kept, Arc::clone(&gate))).await {
            defects += 1;
            (self.tell)(kept.tenant, Event::NotBegun(&format!("the run ended by a defect of the program: {defect}")));
            let (from, wait) = (self.clock.now(), kept.rhythm.wait(defects));
            if self.is_stopped_before(|now| if now < from { now } else { from.plus(wait) }).await {
                return;
            }
        }
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
                    let due = rhythm.due(tenant, &before.past, now);
                    if due.at > now {
                        // Somebody else has read the tenant in the meantime, or this process was started again at once.
                        past = Some(before.past);
                        continue;
                    }
                    let wanted = Wanted { full: false, reconcile: due.reconcile, trigger };
                    trigger = Trigger::Schedule;
                    let tell = |progress| ticket.tell(progress);
                    let done = run(&context, wanted, &self.stop, &tell).await;
                    // While the tenant is ours, what is new in the log is ours.
                    let ended = entries_after(&context, before.newest).await.unwrap_or_default();
                    drop(ticket);
                    ended.iter().for_each(|run| (self.tell)(tenant, Event::Ended(run)));
                    if let Err(error) = &done {
                        let is_logged = ended.last().is_some_and(|run| !is_whole(run));
                        (self.tell)(tenant, Event::Failed { error, is_logged });
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
                    past = Some(after.past);
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

/// The entries of the run log that are newer than the one of this number, in the order in which they were made.
///
/// # Errors
/// If the ledger cannot be read.
pub async fn entries_after(context: &Context, newest: u64) -> Result<Vec<Run>, SyncError> {
    let mut runs = context.blocking(|ledger, tenant| Ok(ledger.store().runs(tenant, ENTRIES_MAX)?)).await?;
    runs.retain(|run| run.run > newest);
    runs.reverse();
    Ok(runs)
}

async fn look_back(context: &Context) -> Result<Log, String> {
    let runs = context.blocking(|ledger, tenant| Ok(ledger.store().runs(tenant, RUNS_READ)?));
    let log = |runs: Vec<Run>| Log { past: schedule::past(&runs), newest: runs.first().map_or(0, |run| run.run) };
    runs.await.map(log).map_err(|error| super::with_causes(&error))
}
