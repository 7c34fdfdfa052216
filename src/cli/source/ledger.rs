//! Answers from a ledger that is opened here.

use tokio::runtime::Runtime;

use super::{Asking, Judge, Source};
use crate::cli::error::CliError;
use crate::cli::open::{App, How, Opened, runtime};
use crate::clock::Clock;
use crate::domain::fact::{Receipt, Snapshot};
use crate::domain::finding::FindingId;
use crate::domain::id::{ChainId, ObjectId, Sequence, SnapshotId};
use crate::domain::name::{Name, NameKind};
use crate::domain::time::Instant;
use crate::domain::verdict::Ask;
use crate::ledger::KnownAt;
use crate::service::Desk;
use crate::service::check::{self, CheckAnswer, check_live_together};
use crate::service::evidence::{self, CheckpointAnswer, ProofAnswer};
use crate::service::findings::{self, Filter, FindingAnswer, FindingError, FindingList, Word};
use crate::service::history::{self, NameAnswer, ObjectAnswer};
use crate::service::plan::{self, PlanAnswer};
use crate::service::restore::{self, RestoreAnswer, RestoreRequest};
use crate::service::reuse::{self, ReuseList};
use crate::service::snapshot::{self, SnapshotAnswer, SnapshotList, Wanted};
use crate::service::status::{self, Configured, StatusAnswer};
use crate::service::who::{self, WhoAnswer};
use crate::sync::{Context, Flights};

/// How many asks share their live reads at most. More would make the first of them wait, and a live read counts as made now
/// for half a minute only.
const TOGETHER_MAX: usize = 400;

/// An open ledger.
pub struct Local<'a> {
    app: &'a App,
    opened: Opened,
}

/// Judges by what the ledger knows, or by what it reads.
struct LocalJudge {
    desk: Desk,
    known_at: KnownAt,
    live: Option<(Runtime, Context)>,
}

impl<'a> Local<'a> {
    pub fn open(app: &'a App, command: &str, how: How) -> Result<Self, CliError> {
        Ok(Self { app, opened: app.open(command, how)? })
    }

    fn desk(&self) -> Result<Desk, CliError> {
        self.app.desk(&self.opened.ledger)
    }
}

impl Source for Local<'_> {
    fn judge(&self, asking: Asking) -> Result<Box<dyn Judge + '_>, CliError> {
        let Asking { verify, max_age, basis, basis_clock } = asking;
        let mut desk = self.desk()?;
        if basis_clock.is_some() {
            desk.clock = Clock::new(basis_clock);
        }
        if let Some(age) = max_age {
            desk.policy.name_max_age = age;
        }
        let live = match verify {
            true => Some((runtime()?, self.app.context(&self.opened.ledger, self.app.client()?)?)),
            false => None,
        };
        Ok(Box::new(LocalJudge { desk, known_at: basis.map_or(KnownAt::Now, KnownAt::Sequence), live }))
    }

    fn who(&self, name: &Name, kind: NameKind, at: Option<Instant>, known_at: KnownAt) -> Result<WhoAnswer, CliError> {
        Ok(who::who(&self.desk()?, name, kind, at, known_at)?)
    }

    fn history_of_name(&self, name: &Name, known_at: KnownAt) -> Result<NameAnswer, CliError> {
        Ok(history::of_name(&self.desk()?, name, known_at)?)
    }

    fn history_of_object(&self, object: ObjectId, known_at: KnownAt) -> Result<ObjectAnswer, CliError> {
        let desk = self.desk()?;
        history::of_object(&desk, object, known_at)?
            .ok_or_else(|| CliError::Missing(format!("object {object} was never seen in tenant {}", desk.tenant)))
    }

    fn add_snapshot(&self, snapshot: Snapshot) -> Result<SnapshotAnswer, CliError> {
        Ok(snapshot::add(&self.desk()?, snapshot)?)
    }

    fn receipt(&self, receipt: Receipt) -> Result<SnapshotAnswer, CliError> {
        Ok(snapshot::receipt(&self.desk()?, receipt)?)
    }

    fn expire(&self, chain: ChainId, snapshot: SnapshotId) -> Result<SnapshotAnswer, CliError> {
        Ok(snapshot::expire(&self.desk()?, chain, snapshot)?)
    }

    fn snapshot(&self, chain: ChainId, snapshot: SnapshotId) -> Result<SnapshotAnswer, CliError> {
        Ok(snapshot::show(&self.desk()?, chain, snapshot)?)
    }

    fn snapshots(
        &self,
        wanted: &Wanted,
        cursor: Option<snapshot::Cursor>,
        limit: usize,
    ) -> Result<SnapshotList, CliError> {
        Ok(snapshot::list(&self.desk()?, wanted, cursor.as_ref(), limit)?)
    }

    fn findings(
        &self,
        filter: &Filter,
        cursor: Option<findings::Cursor>,
        limit: usize,
    ) -> Result<FindingList, CliError> {
        Ok(findings::findings(&self.desk()?, filter, cursor.as_ref(), limit)?)
    }

    fn finding(&self, id: FindingId) -> Result<FindingAnswer, CliError> {
        findings::show(&self.desk()?, id).map_err(not_found)
    }

    fn review(&self, id: FindingId, word: Word, by: String, note: Option<String>) -> Result<FindingAnswer, CliError> {
        findings::review(&self.desk()?, id, word, Some(by), note).map_err(not_found)
    }

    fn plan(&self, chain: &ChainId) -> Result<PlanAnswer, CliError> {
        let desk = self.desk()?;
        plan::plan(&desk, chain)?.ok_or_else(|| {
            CliError::Missing(format!(
                "chain {chain} has no snapshots in tenant {}; record them with `snapshot add`",
                desk.tenant
            ))
        })
    }

    fn restore_check(&self, request: &RestoreRequest, verify: bool) -> Result<RestoreAnswer, CliError> {
        let desk = self.desk()?;
        if !verify {
            return Ok(restore::restore_check(&desk, request)?);
        }
        let context = self.app.context(&self.opened.ledger, self.app.client()?)?;
        Ok(runtime()?.block_on(restore::restore_check_live(&desk, &context, request))?)
    }

    fn reuse(&self, cursor: Option<reuse::Cursor>, limit: usize) -> Result<ReuseList, CliError> {
        Ok(reuse::reuse(&self.desk()?, cursor.as_ref(), limit)?)
    }

    fn checkpoint(&self, at: Option<Sequence>) -> Result<CheckpointAnswer, CliError> {
        Ok(evidence::checkpoint(&self.desk()?, &self.app.keys()?, at)?)
    }

    fn prove_consistency(&self, older: Sequence, at: Option<Sequence>) -> Result<ProofAnswer, CliError> {
        Ok(evidence::prove_consistency(&self.desk()?, &self.app.keys()?, older, at)?)
    }

    fn prove_snapshot(
        &self,
        chain: &ChainId,
        snapshot: &SnapshotId,
        older: Option<Sequence>,
    ) -> Result<ProofAnswer, CliError> {
        Ok(evidence::prove_snapshot(&self.desk()?, &self.app.keys()?, chain, snapshot, older)?)
    }

    fn status(&self) -> Result<StatusAnswer, CliError> {
        let configured = self.app.config.tenants.iter();
        let configured = configured.map(|tenant| Configured {
            tenant: tenant.id,
            alias: tenant.alias.clone(),
            rhythm: tenant.rhythm(),
        });
        let configured: Vec<Configured> = configured.collect();
        Ok(status::status(&self.opened.ledger, &configured, &Flights::default(), self.app.clock.now())?)
    }
}

impl Judge for LocalJudge {
    fn judge(&self, asks: &[Ask]) -> Result<Vec<CheckAnswer>, CliError> {
        match &self.live {
            Some((runtime, context)) if !asks.is_empty() => {
                Ok(runtime.block_on(check_live_together(&self.desk, context, asks))?)
            }
            _ => Ok(check::check_together(&self.desk, asks, self.known_at)?),
        }
    }

    fn together(&self) -> usize {
        TOGETHER_MAX
    }
}

fn not_found(error: FindingError) -> CliError {
    match error {
        FindingError::Ledger(error) => CliError::Ledger(error),
        other => CliError::Missing(format!("failed to {other}")),
    }
}
