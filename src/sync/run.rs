//! A run: what was asked for, its progress, and its entry in the run log.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::watch;

use crate::domain::fact::Fact;
use crate::domain::guard::HeldPart;
use crate::domain::id::{Sequence, TenantId};
use crate::domain::time::Instant;
use crate::ledger::{Batch, Hold, Ledger, LedgerError, Summary};
use crate::store::{Cursor, Head, Link, Outcome, Run, RunKind, Trigger};

use super::stage::Stage;
use super::{Context, Progress, SyncError, addressees, audits, guard, reconcile, round, scope};

/// How many entries of the journal are read at a time.
const ENTRIES: u64 = 64;

/// Asks a run to stop, from wherever a clone of it is.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<watch::Sender<bool>>);

impl Stop {
    /// Asks.
    pub fn ask(&self) {
        self.0.send_replace(true);
    }

    /// Whether somebody has asked.
    pub fn is_asked(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until somebody asks.
    pub async fn asked(&self) {
        // It ends early only if every asker is gone, and this is one.
        let mut seen = self.0.subscribe();
        let _asked = seen.wait_for(|asked| *asked).await;
    }
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Enumerate every object anew, even though the feed is unbroken.
    pub full: bool,
    /// Also read the deleted items and a full listing, which show what the feed misses.
    pub reconcile: bool,
    /// Who asked.
    pub trigger: Trigger,
}

/// What a run has counted so far, and how it tells of it.
pub(super) struct Ticker<'a> {
    pub entry: Run,
    throttled_before: u64,
    requests_before: u64,
    tell: &'a (dyn Fn(Progress) + Send + Sync),
    stop: &'a Stop,
}

/// Does a run: a round of the delta feed, and then the reconcile if it is wanted. Returns the newest entry of the run log;
/// every run leaves one, also a run that fails, unless our own clock is ahead of the directory's.
///
/// `tell` is called after each page; when `stop` is asked for the run ends at once, also in the
/// middle of a wait: what is not committed is asked for again by the next run.
///
/// # Errors
/// What stopped the run. What it had committed stays, and the next run goes on there.
pub async fn run(
    context: &Context,
    wanted: Wanted,
    stop: &Stop,
    tell: &(dyn Fn(Progress) + Send + Sync),
) -> Result<Run, SyncError> {
    let head = context.blocking(|ledger, tenant| ledger.head(tenant)).await?;
    log_killed_run(context, &head).await?;
    let round = RunPart::Round { full: wanted.full };
    scope::begin(context).await?;
    let done = one(context, Job { part: round, accepted: None, trigger: wanted.trigger }, stop, tell).await?;
    if wanted.reconcile && done.outcome != Outcome::Held {
        let job = Job { part: RunPart::Reconcile, accepted: None, trigger: wanted.trigger };
        return one(context, job, stop, tell).await;
    }
    Ok(done)
}

/// Lets a held round pass: reads it again from where it began. The guard lets through what was held and as much more as it
/// would let through by itself. If the directory shows more than that by now, the round is held anew.
///
/// # Errors
/// If no such run is held, or what stopped the run.
pub async fn accept(
    context: &Context,
    held: u64,
    stop: &Stop,
    tell: &(dyn Fn(Progress) + Send + Sync),
) -> Result<Run, SyncError> {
    let head = context.blocking(|ledger, tenant| ledger.head(tenant)).await?;
    log_killed_run(context, &head).await?;
    let (hold, full) = guard::find(context, held).await?;
    let part = match hold.part {
        HeldPart::Reconcile => RunPart::Reconcile,
        HeldPart::Round => RunPart::Round { full },
    };
    one(context, Job { part, accepted: Some(hold), trigger: Trigger::Demand }, stop, tell).await
}

/// What a run does.
struct Job {
    part: RunPart,
    /// What an operator lets pass.
    accepted: Option<Hold>,
    trigger: Trigger,
}

#[derive(Clone, Copy)]
enum RunPart {
    Round { full: bool },
    Reconcile,
}

async fn one(
    context: &Context,
    job: Job,
    stop: &Stop,
    tell: &(dyn Fn(Progress) + Send + Sync),
) -> Result<Run, SyncError> {
    let Job { part, accepted, trigger } = job;
    let head = context.blocking(|ledger, tenant| ledger.head(tenant)).await?;
    let part = match part {
        // The feed's tokens have what its first request selected, so a mapping that looks at more needs another feed.
        RunPart::Round { full } => {
            RunPart::Round { full: full || scope::lacks_attributes(context, &head.state.mapping) }
        }
        RunPart::Reconcile => part,
    };
    let kind = match part {
        RunPart::Reconcile => RunKind::Reconcile,
        RunPart::Round { full } => round::kind(&head, full),
    };
    let entry = blank(&head, trigger, kind, context.clock.now());
    let mut ticker = Ticker {
        entry,
        throttled_before: context.client.throttled_ms(),
        requests_before: context.client.requests(),
        tell,
        stop,
    };
    ticker.tell();
    let stage = Stage::new(head.state.counts.active, accepted);
    let done = match part {
        RunPart::Round { full } => round::round(context, full, stage, &mut ticker).await,
        RunPart::Reconcile => reconcile::reconcile(context, stage, &mut ticker).await,
    };
    let done = match (done, part, context.settling.audit_lag) {
        (Ok(()), RunPart::Round { .. }, Some(audit_lag)) if ticker.entry.outcome == Outcome::Completed => {
            match ticker.entry.horizon {
                // The round has its entry already, whatever becomes of this.
                Some(shown) => Ok(audits::read(context, audit_lag, shown, &mut ticker).await?),
                None => Ok(()),
            }
        }
        (done, ..) => done,
    };
    let is_over = matches!(part, RunPart::Round { .. }) && ticker.entry.outcome == Outcome::Completed;
    let done = match done {
        // The round stands, whatever becomes of these; the entry then says that the run failed.
        Ok(()) if is_over => match addressees::follow(context, &mut ticker).await {
            Err(error @ SyncError::Stopped) => Err(error),
            followed => followed.and(scope::keep(context, &mut ticker).await),
        },
        done => done,
    };
    match done {
        Ok(()) => Ok(ticker.entry),
        // By a clock that is ahead an entry would date this commit, and all that follow it, in the future.
        Err(error @ SyncError::Skew { server, ours, .. }) if server < ours => Err(error),
        Err(error) => {
            let outcome = if matches!(error, SyncError::Stopped) { Outcome::Interrupted } else { Outcome::Failed };
            let failed = ticker.ended(context, outcome, Some(with_causes(&error)));
            // The run's own error matters more than a ledger that cannot even log it.
            let _unlogged = context.append(Batch { run: Some(failed), ..Batch::default() }).await;
            Err(error)
        }
    }
}

impl Ticker<'_> {
    /// Counts a page.
    pub fn page(&mut self, items: usize) {
        self.entry.pages += 1;
        self.entry.seen += items as u64;
    }

    /// Adds a remark to the run's entry.
    pub fn note(&mut self, words: String) {
        let before = self.entry.note.take();
        self.entry.note = Some(before.map_or_else(|| words.clone(), |before| format!("{before}; {words}")));
    }

    /// Counts what a commit changed, and tells how far the run is.
    pub fn committed(&mut self, summary: &Summary) {
        self.entry.facts += summary.facts;
        self.entry.changed += summary.changed;
        self.entry.removed += summary.removed;
        self.entry.restored += summary.restored;
        self.tell();
    }

    /// Tells how far the run is.
    pub fn tell(&self) {
        let Run { run, kind, started, pages, seen, .. } = self.entry;
        (self.tell)(Progress { run, kind, started, pages, seen });
    }

    /// The closing commit of a run that completed: its last facts, the cursor for the next one, and its entry. What the
    /// commit changes is known only after it; the entry therefore counts it from a dry derivation.
    pub async fn close(
        &mut self,
        context: &Context,
        facts: Vec<Fact>,
        cursor: Option<Cursor>,
    ) -> Result<(), SyncError> {
        let summary = {
            let facts = facts.clone();
            context.blocking(move |ledger, tenant| ledger.preview(tenant, facts)).await?
        };
        self.committed(&summary);
        let entry = self.ended(context, Outcome::Completed, None);
        context.append(Batch { facts, cursor, run: Some(entry.clone()), ..Batch::default() }).await?;
        self.entry = entry;
        Ok(())
    }

    /// The entry as it stands at its end.
    pub fn ended(&self, context: &Context, outcome: Outcome, error: Option<String>) -> Run {
        let throttled_ms = context.client.throttled_ms().saturating_sub(self.throttled_before);
        let requests = context.client.requests().saturating_sub(self.requests_before);
        Run { ended: Some(context.clock.now()), outcome, error, requests, throttled_ms, ..self.entry.clone() }
    }

    /// Does a part of the run that writes nothing, or ends the run if the program is asked to stop.
    pub async fn unless_stopped<T>(&self, part: impl Future<Output = T>) -> Result<T, SyncError> {
        tokio::select! {
            biased;
            () = self.stop.asked() => Err(SyncError::Stopped),
            done = part => Ok(done),
        }
    }
}

/// A round of which a page is committed, and after it no entry of the run log, was cut short by the death of its process.
/// It gets the entry that it could not write itself.
async fn log_killed_run(context: &Context, head: &Head) -> Result<(), SyncError> {
    let round_started = match head.state.cursor.as_ref().map(|cursor| &cursor.link) {
        Some(Link::Next { round_started, .. }) => Some(*round_started),
        Some(Link::Delta { .. }) => head.state.open_round,
        None => None,
    };
    let Some(round_started) = round_started else { return Ok(()) };
    if !context.blocking(ended_in_a_page).await? {
        return Ok(());
    }
    let kind = round::kind(head, false);
    let error = Some("the process ended in mid-round; its committed pages stay".to_owned());
    let entry = Run { outcome: Outcome::Interrupted, error, ..blank(head, Trigger::Demand, kind, round_started) };
    context.append(Batch { run: Some(entry), ..Batch::default() }).await.map(drop)
}

/// Whether the newest commit of any run is a page rather than an entry of the run log. Only commits count, not clocks:
/// the server's clock dates a round and ours dates a run. What others have appended since is passed over.
fn ended_in_a_page(ledger: &Ledger, tenant: TenantId) -> Result<bool, LedgerError> {
    let mut end = ledger.store().head(tenant)?.sequence.0;
    while end > 0 {
        let begin = end.saturating_sub(ENTRIES - 1).max(1);
        let limit = usize::try_from(end - begin + 1).unwrap_or(usize::MAX);
        for entry in ledger.store().journal(tenant, Sequence(begin), limit)?.iter().rev() {
            if entry.commit.run.is_some() {
                return Ok(false);
            }
            if entry.commit.cursor.is_some() || entry.commit.facts.iter().any(begins_round) {
                return Ok(true);
            }
        }
        end = begin - 1;
    }
    Ok(false)
}

fn begins_round(fact: &Fact) -> bool {
    matches!(fact, Fact::RoundBegan(_))
}

/// The entry of a run that has just begun.
fn blank(head: &Head, trigger: Trigger, kind: RunKind, started: Instant) -> Run {
    Run {
        run: head.state.runs + 1,
        trigger,
        kind,
        started,
        ended: None,
        outcome: Outcome::Completed,
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

/// An error and its causes in one line, each said once.
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let text = next.to_string();
        if !line.contains(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        cause = next.source();
    }
    line
}
