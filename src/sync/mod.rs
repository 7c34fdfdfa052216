//! Keeping the ledger current: rounds of the delta feed, the reconcile beside it, and live reads.
//!
//! The pages of a round are read first and looked at by the guard; then each page is one commit together with the cursor, so
//! a crash repeats pages and loses nothing. A round with more than fits in memory is read twice for that. Only the very first enumeration has nothing to guard and
//! commits each page as it comes. A round ends with its horizon, and its entry in the run log, in the commit of its last
//! page.

mod absent;
mod addressees;
mod audits;
mod flights;
mod guard;
mod keeper;
mod listing;
mod live;
mod reconcile;
mod round;
mod run;
mod schedule;
mod scope;
mod stage;

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::domain::attribution::Settling;
use crate::domain::id::TenantId;
use crate::domain::mapping::Mapping;
use crate::domain::time::Instant;
use crate::graph::client::GraphClient;
use crate::graph::error::GraphError;
use crate::graph::wire::{Rejected, Rejection};
use crate::ledger::{Appended, Batch, Ledger, LedgerError, Stamp};
use crate::store::RunKind;

pub use crate::domain::fact::Widths;
pub use crate::domain::guard::Guard;
pub use flights::{Flight, Flights, Ticket, Unlogged};
pub use guard::reject;
pub use keeper::{Event, Keeper, Kept, entries_after};
pub use live::{LiveRead, LiveReads, read_live};
pub use run::{Stop, Wanted, accept, run, with_causes};
pub use schedule::{RUNS_READ, is_whole, past};
pub use scope::{apply, lacking, read_ahead, say};

/// Most facts that a commit is made of, where there is a choice: far fewer bytes than the store takes in one.
const COMMIT_FACTS: usize = 20_000;

/// What a run works with.
#[derive(Clone)]
pub struct Context {
    /// The ledger to keep current.
    pub ledger: Ledger,
    /// Whose directory.
    pub tenant: TenantId,
    /// How to read it.
    pub client: Arc<GraphClient>,
    /// How to date it.
    pub widths: Widths,
    /// By what terms snapshots are attributed.
    pub settling: Settling,
    /// When a round is held.
    pub guard: Guard,
    /// The rules that are configured; `None` leaves those in force as they are.
    pub mapping: Option<Mapping>,
    /// What time it is.
    pub clock: Clock,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Progress {
    /// The run's number.
    pub run: u64,
    /// What it reads.
    pub kind: RunKind,
    /// When it started.
    pub started: Instant,
    /// Pages read so far.
    pub pages: u64,
    /// Items read so far.
    pub seen: u64,
}

/// Why a run or a live read failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SyncError {
    /// The directory could not be read.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// The ledger could not be written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The clocks differ too much to date what was read.
    #[error("date the directory's answer: its clock says {server}, ours {ours}, more than {} s apart; set this machine's clock (or --now) right, nothing was applied", .allowed.as_secs())]
    Skew {
        /// The server's `Date`.
        server: Instant,
        /// Our time.
        ours: Instant,
        /// How much is allowed.
        allowed: Duration,
    },
    /// An item that is no user stands where a user should, so the page cannot prove anything.
    #[error("read a page of users: {rejected}; nothing of the page was applied")]
    Rejected {
        /// What it was.
        rejected: Rejected,
    },
    /// The directory was too slow for somebody who waits.
    #[error("read the directory for the ask: it did not answer within {} s", .patience.as_secs())]
    Unanswered {
        /// How long it had.
        patience: Duration,
    },
    /// The program was asked to stop.
    #[error(
        "go on with the run: the program was asked to stop; what was committed stays and the next run goes on there"
    )]
    Stopped,
    /// A full round would begin no later than the feed before it is proven through.
    #[error(
        "read the directory in full: its clock proves nothing after {through} yet, and {before} is proven already, so \
         what is deleted in between could be missed; nothing was lost, try again a second later"
    )]
    TooSoon {
        /// Through when the feed was proven before.
        before: Instant,
        /// The horizon that the full round would have.
        through: Instant,
    },
    /// No such run is held.
    #[error("find run {run} among what a guard holds: {}", say_held(.open))]
    NotHeld {
        /// The number given.
        run: u64,
        /// The runs that are held.
        open: Vec<u64>,
    },
    /// A thread died.
    #[error("wait for the ledger")]
    Thread(#[from] tokio::task::JoinError),
}

fn say_held(open: &[u64]) -> String {
    if open.is_empty() {
        return "nothing is held".to_owned();
    }
    let runs: Vec<String> = open.iter().map(ToString::to_string).collect();
    format!("held is run {}", runs.join(" and run "))
}

impl SyncError {
    /// The error with its causes, and on a line of its own what a person can do about it.
    pub fn with_hint(&self) -> String {
        let hint = self.hint().map(|hint| format!("\n  hint: {hint}")).unwrap_or_default();
        format!("{}{hint}", with_causes(self))
    }

    /// What a person can do about it, where that is not in the message.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Graph(error) => Some(error.hint()),
            Self::Unanswered { .. } => {
                Some("ask again, or fewer at once: the directory is slow, or throttles".to_owned())
            }
            Self::Rejected { .. } => Some(
                "run it again; if it stays, the directory holds an object that whowas cannot read: report it"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}

impl Context {
    /// Appends facts. The one place where asynchronous code reaches the blocking ledger to write.
    async fn append(&self, batch: Batch) -> Result<Appended, SyncError> {
        let (now, salt) = (self.clock.now(), self.clock.salt());
        let batch = Batch { settling: Some(self.settling), ..batch };
        self.blocking(move |ledger, tenant| ledger.append(tenant, batch, Stamp { now, salt })).await
    }

    /// In how many facts at a time what is larger than a page is committed.
    fn commit_facts(&self) -> usize {
        COMMIT_FACTS.min(self.guard.staged_max).max(2)
    }

    /// Runs blocking work of the ledger beside the asynchronous threads.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Ledger, TenantId) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, SyncError> {
        let (ledger, tenant) = (self.ledger.clone(), self.tenant);
        Ok(tokio::task::spawn_blocking(move || work(&ledger, tenant)).await??)
    }

    /// Refuses an answer whose date cannot be believed.
    fn check_skew(&self, server: Instant) -> Result<(), SyncError> {
        let (ours, allowed) = (self.clock.now(), self.widths.max_skew);
        if server.distance(ours) > allowed { Err(SyncError::Skew { server, ours, allowed }) } else { Ok(()) }
    }
}

/// An item that is no readable user leaves open whom it was about, and then "not reported" proves nothing: the page is
/// refused. Other kinds of objects are none of ours.
fn refuse_unreadable(rejected: &[Rejected]) -> Result<(), SyncError> {
    match rejected.iter().find(|item| !matches!(item.why, Rejection::OtherType { .. })) {
        Some(item) => Err(SyncError::Rejected { rejected: item.clone() }),
        None => Ok(()),
    }
}
