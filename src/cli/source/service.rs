//! Answers from a running service.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::future::Future;

use tokio::runtime::Runtime;

use super::{Asking, Judge, Source};
use crate::cli::error::CliError;
use crate::cli::open::{App, runtime};
use crate::client::{self, Answered, Client, ClientError, ClientOptions, SyncWanted, Tenant};
use crate::domain::fact::{Receipt, Snapshot};
use crate::domain::finding::{FindingId, FindingKind, FindingState, Severity};
use crate::domain::id::{ChainId, ObjectId, Sequence, SnapshotId};
use crate::domain::name::{Name, NameKind};
use crate::domain::time::Instant;
use crate::domain::verdict::Ask;
use crate::ledger::KnownAt;
use crate::service::check::{CheckAnswer, CheckRequest};
use crate::service::evidence::{CheckpointAnswer, ProofAnswer};
use crate::service::findings::{self, Filter, FindingAnswer, FindingList, Word};
use crate::service::history::{NameAnswer, ObjectAnswer};
use crate::service::plan::PlanAnswer;
use crate::service::restore::{RestoreAnswer, RestoreRequest};
use crate::service::reuse::{self, ReuseList};
use crate::service::runs::RunAnswer;
use crate::service::snapshot::{self, SnapshotAnswer, SnapshotList, Wanted};
use crate::service::status::{HoldStatus, StatusAnswer, TenantStatus};
use crate::service::who::WhoAnswer;

/// The variable that holds the token. It is no flag, because flags stand in the list of processes for everybody to see.
const TOKEN: &str = "WHOWAS_TOKEN";
/// The largest page that a service gives.
const PAGE_MAX: usize = 1_000;
/// How many asks are sent in one request: as many as the service answers together.
const TOGETHER_MAX: usize = 400;

/// A service, and the tenant asked about.
pub struct Remote<'a> {
    app: &'a App,
    client: Client,
    runtime: Runtime,
    tenant: OnceCell<String>,
}

struct RemoteJudge<'r, 'a> {
    remote: &'r Remote<'a>,
    asking: client::Asking,
}

impl<'a> Remote<'a> {
    /// The service that the flags name, if they name one. Nothing is sent yet.
    pub fn of(app: &'a App) -> Result<Option<Self>, CliError> {
        let Some(url) = &app.global.server else { return Ok(None) };
        let token = std::env::var(TOKEN).ok().filter(|token| !token.trim().is_empty()).ok_or_else(|| {
            CliError::usage(format!(
                "--server: {TOKEN} is not set; put a token into it, which `whowas token add` gives out where the service runs"
            ))
        })?;
        let options =
            ClientOptions { ca_file: app.global.server_ca.clone(), now: app.global.now, ..ClientOptions::default() };
        let client = Client::new(url, &token, options)?;
        Ok(Some(Self { app, client, runtime: runtime()?, tenant: OnceCell::new() }))
    }

    /// Begins a sync, and gives the run or the one that stands in its way.
    pub fn sync(&self, wanted: &SyncWanted) -> Result<Result<RunAnswer, Box<client::Problem>>, CliError> {
        match self.ask(async |tenant| tenant.sync(wanted).await) {
            Err(CliError::Service(ClientError::Refused(problem))) if problem.code == "sync_running" => Ok(Err(problem)),
            other => other.map(Ok),
        }
    }

    /// How far a run is.
    pub fn run(&self, run: u64) -> Result<RunAnswer, CliError> {
        self.ask(async |tenant| tenant.run(run).await)
    }

    /// Takes down that a held run is wrong.
    pub fn reject(&self, run: u64) -> Result<HoldStatus, CliError> {
        self.ask(async |tenant| tenant.reject(run).await)
    }

    /// Whom the answer is about, as it was named or found.
    pub fn tenant(&self) -> Result<&str, CliError> {
        if let Some(known) = self.tenant.get() {
            return Ok(known);
        }
        let found = match &self.app.global.tenant {
            Some(named) => named.clone(),
            None => self.only_tenant()?,
        };
        Ok(self.tenant.get_or_init(|| found))
    }

    /// The only tenant that the token reaches.
    fn only_tenant(&self) -> Result<String, CliError> {
        let status = self.wait(self.client.status())?;
        match status.tenants.as_slice() {
            [only] => Ok(only.tenant.to_string()),
            [] => Err(CliError::usage("the service has no tenant for this token yet; say --tenant ID")),
            several => {
                let all: Vec<String> = several.iter().map(TenantStatus::label).collect();
                Err(CliError::usage(format!("the service has several tenants, say --tenant ({})", all.join(", "))))
            }
        }
    }

    /// The findings in one state, or in all but withdrawn.
    fn findings_in(
        &self,
        kind: Option<FindingKind>,
        severity: Option<Severity>,
        state: Option<FindingState>,
        cursor: Option<findings::Cursor>,
        limit: usize,
    ) -> Result<FindingList, CliError> {
        let mut pages = Pages::new(cursor, limit);
        let mut whole: Option<FindingList> = None;
        while let Some((cursor, size)) = pages.next() {
            let page =
                self.ask(async |tenant| tenant.findings(kind, severity, state, cursor.as_ref(), Some(size)).await)?;
            pages.came(page.items.len(), page.cursor.as_deref())?;
            whole = Some(match whole {
                None => page,
                Some(FindingList { mut items, open, basis, .. }) => {
                    items.extend(page.items);
                    FindingList { items, cursor: page.cursor, open, basis }
                }
            });
        }
        whole.ok_or_else(nothing_asked)
    }

    fn ask<T>(&self, question: impl AsyncFnOnce(Tenant<'_>) -> Result<T, ClientError>) -> Result<T, CliError> {
        let tenant = self.tenant()?;
        self.wait(question(self.client.tenant(tenant)))
    }

    fn wait<T>(&self, answer: impl Future<Output = Result<T, ClientError>>) -> Result<T, CliError> {
        Ok(self.runtime.block_on(answer)?)
    }
}

impl Source for Remote<'_> {
    fn judge(&self, asking: Asking) -> Result<Box<dyn Judge + '_>, CliError> {
        let Asking { verify, max_age, basis, basis_clock } = asking;
        self.tenant()?;
        Ok(Box::new(RemoteJudge { remote: self, asking: client::Asking { verify, max_age, basis, basis_clock } }))
    }

    fn who(&self, name: &Name, kind: NameKind, at: Option<Instant>, known_at: KnownAt) -> Result<WhoAnswer, CliError> {
        self.ask(async |tenant| tenant.who(name, kind, at, known_at).await)
    }

    fn history_of_name(&self, name: &Name, known_at: KnownAt) -> Result<NameAnswer, CliError> {
        self.ask(async |tenant| tenant.name_history(name, known_at).await)
    }

    fn history_of_object(&self, object: ObjectId, known_at: KnownAt) -> Result<ObjectAnswer, CliError> {
        self.ask(async |tenant| tenant.object_history(object, known_at).await)
    }

    fn add_snapshot(&self, snapshot: Snapshot) -> Result<SnapshotAnswer, CliError> {
        self.ask(async |tenant| tenant.add_snapshot(&snapshot).await)
    }

    fn receipt(&self, receipt: Receipt) -> Result<SnapshotAnswer, CliError> {
        self.ask(async |tenant| tenant.receipt(&receipt).await)
    }

    fn expire(&self, chain: ChainId, snapshot: SnapshotId) -> Result<SnapshotAnswer, CliError> {
        self.ask(async |tenant| tenant.expire(&chain, &snapshot).await)
    }

    fn snapshot(&self, chain: ChainId, snapshot: SnapshotId) -> Result<SnapshotAnswer, CliError> {
        self.ask(async |tenant| tenant.snapshot(&chain, &snapshot).await)
    }

    fn snapshots(
        &self,
        wanted: &Wanted,
        cursor: Option<snapshot::Cursor>,
        limit: usize,
    ) -> Result<SnapshotList, CliError> {
        let mut pages = Pages::new(cursor, limit);
        let mut whole = SnapshotList { items: Vec::new(), cursor: None };
        while let Some((cursor, size)) = pages.next() {
            let page = self.ask(async |tenant| tenant.snapshots(wanted, cursor.as_ref(), Some(size)).await)?;
            pages.came(page.items.len(), page.cursor.as_deref())?;
            whole.items.extend(page.items);
            whole.cursor = page.cursor;
        }
        Ok(whole)
    }

    fn findings(
        &self,
        filter: &Filter,
        cursor: Option<findings::Cursor>,
        limit: usize,
    ) -> Result<FindingList, CliError> {
        let Filter { kind, severity, states } = filter;
        if let [] | [_] = states.as_slice() {
            return self.findings_in(*kind, *severity, states.first().copied(), cursor, limit);
        }
        // A service is asked about one state at a time; what it tells is put together in the order of the list.
        let states: BTreeSet<FindingState> = states.iter().copied().collect();
        let mut whole: Option<FindingList> = None;
        for state in states {
            let found = self.findings_in(*kind, *severity, Some(state), cursor, limit)?;
            whole = Some(match whole {
                None => found,
                Some(FindingList { mut items, cursor, open, basis }) => {
                    items.extend(found.items);
                    FindingList { items, cursor: cursor.or(found.cursor), open, basis }
                }
            });
        }
        let mut whole = whole.ok_or_else(nothing_asked)?;
        whole.items.sort_by_key(findings::Cursor::of);
        let is_more = whole.items.len() > limit || whole.cursor.is_some();
        whole.items.truncate(limit);
        let last = whole.items.last().filter(|_| is_more);
        whole.cursor = last.map(|last| findings::Cursor::of(last).to_string());
        Ok(whole)
    }

    fn finding(&self, id: FindingId) -> Result<FindingAnswer, CliError> {
        self.ask(async |tenant| tenant.finding(id).await)
    }

    fn review(&self, id: FindingId, word: Word, by: String, note: Option<String>) -> Result<FindingAnswer, CliError> {
        self.ask(async |tenant| tenant.review(id, word, Some(&by), note.as_deref()).await)
    }

    fn plan(&self, chain: &ChainId) -> Result<PlanAnswer, CliError> {
        self.ask(async |tenant| tenant.plan(chain).await)
    }

    fn restore_check(&self, request: &RestoreRequest, verify: bool) -> Result<RestoreAnswer, CliError> {
        self.ask(async |tenant| tenant.restore_check(request, verify).await)
    }

    fn reuse(&self, cursor: Option<reuse::Cursor>, limit: usize) -> Result<ReuseList, CliError> {
        let mut pages = Pages::new(cursor, limit);
        let mut whole: Option<ReuseList> = None;
        while let Some((cursor, size)) = pages.next() {
            let page = self.ask(async |tenant| tenant.reuse(cursor.as_ref(), Some(size)).await)?;
            pages.came(page.items.len(), page.cursor.as_deref())?;
            whole = Some(match whole {
                None => page,
                Some(ReuseList { mut items, basis, .. }) => {
                    items.extend(page.items);
                    ReuseList { items, cursor: page.cursor, basis }
                }
            });
        }
        whole.ok_or_else(nothing_asked)
    }

    fn checkpoint(&self, at: Option<Sequence>) -> Result<CheckpointAnswer, CliError> {
        self.ask(async |tenant| tenant.checkpoint(at).await)
    }

    fn prove_consistency(&self, older: Sequence, at: Option<Sequence>) -> Result<ProofAnswer, CliError> {
        self.ask(async |tenant| tenant.prove_consistency(older, at).await)
    }

    fn prove_snapshot(
        &self,
        chain: &ChainId,
        snapshot: &SnapshotId,
        older: Option<Sequence>,
    ) -> Result<ProofAnswer, CliError> {
        self.ask(async |tenant| tenant.prove_snapshot(chain, snapshot, older).await)
    }

    fn status(&self) -> Result<StatusAnswer, CliError> {
        self.wait(self.client.status())
    }
}

impl Judge for RemoteJudge<'_, '_> {
    fn judge(&self, asks: &[Ask]) -> Result<Vec<CheckAnswer>, CliError> {
        let asks: Vec<CheckRequest> = asks.iter().cloned().map(CheckRequest::from).collect();
        if let [only] = asks.as_slice() {
            return Ok(vec![self.remote.ask(async |tenant| tenant.check(only, &self.asking).await)?]);
        }
        if asks.is_empty() {
            return Ok(Vec::new());
        }
        let answers = self.remote.ask(async |tenant| tenant.check_all(&asks, &self.asking).await)?;
        let answers = answers.into_iter().map(|answer| match answer {
            Answered::Verdict(verdict) => Ok(*verdict),
            // What is sent was read as an ask here.
            Answered::Refused { error, .. } => {
                Err(CliError::Missing(format!("the service could not read an ask: {error}")))
            }
        });
        answers.collect()
    }

    fn together(&self) -> usize {
        TOGETHER_MAX
    }
}

/// A list that is longer than the service's pages, read page by page.
struct Pages<C> {
    cursor: Option<C>,
    left: usize,
    is_over: bool,
}

impl<C: Clone + std::str::FromStr<Err = String>> Pages<C> {
    fn new(cursor: Option<C>, limit: usize) -> Self {
        Self { cursor, left: limit, is_over: false }
    }

    /// Where the next page begins, and how many items it may have.
    fn next(&self) -> Option<(Option<C>, usize)> {
        (!self.is_over && self.left > 0).then(|| (self.cursor.clone(), self.left.min(PAGE_MAX)))
    }

    /// A page with so many items came, and said where the next one begins.
    fn came(&mut self, items: usize, cursor: Option<&str>) -> Result<(), CliError> {
        self.left = self.left.saturating_sub(items);
        // A page that is empty and has a next one would be asked for for ever.
        self.is_over = cursor.is_none() || items == 0;
        self.cursor = cursor.map(str::parse).transpose().map_err(|why| {
            CliError::Missing(format!("the service's answer cannot be read: {why}; is it of another version?"))
        })?;
        Ok(())
    }
}

/// Limits are 1 or more, so something is always asked.
fn nothing_asked() -> CliError {
    CliError::usage("--limit is to be 1 or more")
}
