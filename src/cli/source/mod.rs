//! Where answers come from: a ledger that is opened here, or a service that is asked. Commands are written once, against
//! this trait, and print what they get.

mod ledger;
mod service;

pub use service::Remote;

use super::error::CliError;
use super::open::{App, How};
use crate::domain::fact::{Receipt, Snapshot};
use crate::domain::finding::FindingId;
use crate::domain::id::{ChainId, ObjectId, Sequence, SnapshotId};
use crate::domain::name::{Name, NameKind};
use crate::domain::time::Instant;
use crate::domain::verdict::Ask;
use crate::ledger::KnownAt;
use crate::service::check::CheckAnswer;
use crate::service::evidence::{CheckpointAnswer, ProofAnswer};
use crate::service::findings::{self, Filter, FindingAnswer, FindingList, Word};
use crate::service::history::{NameAnswer, ObjectAnswer};
use crate::service::plan::PlanAnswer;
use crate::service::restore::{RestoreAnswer, RestoreRequest};
use crate::service::reuse::{self, ReuseList};
use crate::service::snapshot::{self, SnapshotAnswer, SnapshotList, Wanted};
use crate::service::status::StatusAnswer;
use crate::service::who::WhoAnswer;

/// How asks are judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asking {
    /// Read the directory now, before judging.
    pub verify: bool,
    /// Accept evidence by name this old.
    pub max_age: Option<std::time::Duration>,
    /// Judge by the commits up to this one.
    pub basis: Option<Sequence>,
    /// As of this time, if not now.
    pub basis_clock: Option<Instant>,
}

/// Judges asks, all of them alike.
pub trait Judge {
    /// The answers, in the order of the asks.
    fn judge(&self, asks: &[Ask]) -> Result<Vec<CheckAnswer>, CliError>;

    /// How many asks are best judged at once.
    fn together(&self) -> usize;
}

/// What commands ask.
pub trait Source {
    fn judge(&self, asking: Asking) -> Result<Box<dyn Judge + '_>, CliError>;

    fn who(&self, name: &Name, kind: NameKind, at: Option<Instant>, known_at: KnownAt) -> Result<WhoAnswer, CliError>;

    fn history_of_name(&self, name: &Name, known_at: KnownAt) -> Result<NameAnswer, CliError>;

    fn history_of_object(&self, object: ObjectId, known_at: KnownAt) -> Result<ObjectAnswer, CliError>;

    fn add_snapshot(&self, snapshot: Snapshot) -> Result<SnapshotAnswer, CliError>;

    fn receipt(&self, receipt: Receipt) -> Result<SnapshotAnswer, CliError>;

    fn expire(&self, chain: ChainId, snapshot: SnapshotId) -> Result<SnapshotAnswer, CliError>;

    fn snapshot(&self, chain: ChainId, snapshot: SnapshotId) -> Result<SnapshotAnswer, CliError>;

    fn snapshots(
        &self,
        wanted: &Wanted,
        cursor: Option<snapshot::Cursor>,
        limit: usize,
    ) -> Result<SnapshotList, CliError>;

    fn findings(
        &self,
        filter: &Filter,
        cursor: Option<findings::Cursor>,
        limit: usize,
    ) -> Result<FindingList, CliError>;

    fn finding(&self, id: FindingId) -> Result<FindingAnswer, CliError>;

    fn review(&self, id: FindingId, word: Word, by: String, note: Option<String>) -> Result<FindingAnswer, CliError>;

    fn plan(&self, chain: &ChainId) -> Result<PlanAnswer, CliError>;

    fn restore_check(&self, request: &RestoreRequest, verify: bool) -> Result<RestoreAnswer, CliError>;

    fn reuse(&self, cursor: Option<reuse::Cursor>, limit: usize) -> Result<ReuseList, CliError>;

    /// Where the log of commits stands, or stood after a commit.
    fn checkpoint(&self, at: Option<Sequence>) -> Result<CheckpointAnswer, CliError>;

    fn prove_consistency(&self, older: Sequence, at: Option<Sequence>) -> Result<ProofAnswer, CliError>;

    fn prove_snapshot(
        &self,
        chain: &ChainId,
        snapshot: &SnapshotId,
        older: Option<Sequence>,
    ) -> Result<ProofAnswer, CliError>;

    fn status(&self) -> Result<StatusAnswer, CliError>;
}

/// Whoever answers this command: the service that was named, else the ledger.
pub fn source<'a>(app: &'a App, command: &str, how: How) -> Result<Box<dyn Source + 'a>, CliError> {
    Ok(match Remote::of(app)? {
        Some(remote) => Box::new(remote),
        None => Box::new(ledger::Local::open(app, command, how)?),
    })
}
