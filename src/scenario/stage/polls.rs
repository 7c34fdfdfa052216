//! How the ledger reads the directory.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::Poll;

use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::{Stage, StageError, json as answer};
use crate::graph::emulator::{Quirk, QuirkName};
use crate::scenario::expect::Answer;
use crate::scenario::script::Reading;
use crate::store::sled::{SledOptions, SledStore};
use crate::store::{Run, Syncing, Trigger};
use crate::sync::with_causes;
use crate::sync::{self, Context, Progress, Stop, SyncError, Wanted};

const DELTA: Wanted = Wanted { full: false, reconcile: false, trigger: Trigger::Demand };

/// A run that stands still between two pages.
pub(super) struct Standing {
    gate: Arc<Gate>,
    run: JoinHandle<Result<Run, SyncError>>,
}

/// Holds a run up until it is opened.
#[derive(Default)]
struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
}

impl Stage {
    pub(super) async fn read(&mut self, tenant: usize, reading: &Reading) -> Result<Answer, StageError> {
        Ok(match reading {
            Reading::Poll { full, reconcile, announce } => {
                let wanted = Wanted { full: *full, reconcile: *reconcile, ..DELTA };
                let mut context = self.context(tenant);
                context.guard.announced.extend(announce.iter().cloned());
                ran(sync::run(&context, wanted, &Stop::default(), &|_| {}).await)
            }
            Reading::Accept => match self.held(tenant) {
                Ok(run) => ran(sync::accept(&self.context(tenant), run, &Stop::default(), &|_| {}).await),
                Err(why) => Err(why),
            },
            Reading::Reject => match self.held(tenant) {
                Ok(run) => match sync::reject(&self.context(tenant), run).await {
                    Ok(_) => Ok(Value::Null),
                    Err(error) => Err(with_causes(&error)),
                },
                Err(why) => Err(why),
            },
            Reading::Crash { pages } => {
                let died = self.crash(tenant, *pages).await;
                self.reopen()?;
                died
            }
            Reading::Begin { pages } => self.begin(tenant, *pages).await,
            Reading::GoOn => match self.standing.take() {
                Some(mut standing) => {
                    standing.gate.open();
                    match (&mut standing.run).await {
                        Ok(run) => ran(run),
                        Err(died) => Err(died.to_string()),
                    }
                }
                None => Err("no run stands still".to_owned()),
            },
            Reading::Second => match SledStore::open(self.ledger_path(), SledOptions::new("sync", self.now)) {
                Ok(_) => Ok(Value::Null),
                Err(error) => Err(with_causes(&error)),
            },
        })
    }

    /// The run that a guard holds.
    fn held(&self, tenant: usize) -> Result<u64, String> {
        let holds = self.opened().ledger.holds(self.tenant(tenant).tenant).map_err(|error| with_causes(&error))?;
        holds.last().map(|hold| hold.standstill.run).ok_or_else(|| "no run is held".to_owned())
    }

    /// A run that ends in the middle of a page's request, as if its process had been killed: nothing more is written.
    async fn crash(&self, tenant: usize, pages: u64) -> Answer {
        let (context, stop) = (self.context(tenant), Stop::default());
        let reached = AtomicBool::new(false);
        let tell = |progress: Progress| {
            if progress.pages >= pages {
                reached.store(true, Ordering::Relaxed);
            }
        };
        // The request after the page takes so long to answer that the run certainly waits there.
        let every = u32::try_from(pages).unwrap_or(u32::MAX).saturating_add(1);
        let slow = Quirk::new(QuirkName::SlowBody).path("/users/delta").every(every).times(1).seconds(60.0);
        let place = self.tenant(tenant);
        place.emulator.set_quirks(place.quirks.iter().cloned().chain([slow]));
        let mut run = std::pin::pin!(sync::run(&context, DELTA, &stop, &tell));
        // Looked at whenever the run waits, so that it gets no further than its first wait after the page.
        let ended = std::future::poll_fn(|task| match run.as_mut().poll(task) {
            Poll::Ready(ended) => Poll::Ready(Some(ended)),
            Poll::Pending if reached.load(Ordering::Relaxed) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        });
        let ended = ended.await;
        place.emulator.set_quirks(place.quirks.clone());
        match ended {
            None => Ok(Value::Null),
            Some(Ok(run)) => Err(format!("the run ended after {} pages, before it could be killed", run.pages)),
            Some(Err(error)) => Err(with_causes(&error)),
        }
    }

    async fn begin(&mut self, tenant: usize, pages: u64) -> Answer {
        let context: Context = self.context(tenant);
        let store = self.opened().store.clone();
        let (gate, reached) = (Arc::new(Gate::default()), Arc::new(Notify::new()));
        let (at_gate, told) = (Arc::clone(&gate), Arc::clone(&reached));
        let id = context.tenant;
        let run = tokio::spawn(async move {
            let tell = move |progress: Progress| {
                let _untold = store.set_syncing(vec![Syncing { tenant: id, progress: Some(json!(progress)) }]);
                if progress.pages == pages {
                    told.notify_one();
                    tokio::task::block_in_place(|| at_gate.wait());
                }
            };
            sync::run(&context, DELTA, &Stop::default(), &tell).await
        });
        let mut standing = Standing { gate, run };
        tokio::select! {
            biased;
            () = reached.notified() => {
                self.standing = Some(standing);
                Ok(Value::Null)
            }
            run = &mut standing.run => Err(match run {
                Ok(Ok(run)) => format!("the run ended after {} pages", run.pages),
                Ok(Err(error)) => with_causes(&error),
                Err(died) => died.to_string(),
            }),
        }
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        // A script may end while the run stands still; its thread must not wait for ever.
        self.gate.open();
    }
}

impl Gate {
    fn wait(&self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        while !*open {
            open = self.opened.wait(open).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn open(&self) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.opened.notify_all();
    }
}

fn ran(run: Result<Run, SyncError>) -> Answer {
    match run {
        Ok(run) => answer(&run),
        Err(error) => Err(with_causes(&error)),
    }
}
