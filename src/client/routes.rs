//! One method a route.

use std::time::Duration;

use futures_util::stream;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Body, Method};
use serde::Serialize;

use super::answer::{AccessPage, Answered, JournalEntry};
use super::items::Items;
use super::split::Layout;
use super::{Asked, Client, ClientError, Repeat};
use crate::domain::fact::{Addressed, Receipt, Snapshot};
use crate::domain::finding::{FindingId, FindingKind, FindingState, Severity};
use crate::domain::id::{ChainId, MailboxId, ObjectId, Sequence, SnapshotId};
use crate::domain::name::{Name, NameKind};
use crate::domain::time::Instant;
use crate::ledger::KnownAt;
use crate::service::check::{CheckAnswer, CheckRequest};
use crate::service::evidence::{CheckpointAnswer, ProofAnswer};
use crate::service::findings::{self, FindingAnswer, FindingList, Word};
use crate::service::history::{NameAnswer, ObjectAnswer};
use crate::service::parts::word_of;
use crate::service::plan::PlanAnswer;
use crate::service::restore::{Recipient, RestoreAnswer, RestoreRequest};
use crate::service::reuse::{self, ReuseList};
use crate::service::runs::{RunAnswer, RunList};
use crate::service::snapshot::{self, SnapshotAnswer, SnapshotList, Wanted};
use crate::service::status::{HoldStatus, StatusAnswer};
use crate::service::who::WhoAnswer;

/// How many asks are written in one piece of a streamed request.
const PIECE: usize = 64;

/// The routes of one tenant.
#[derive(Clone, Debug)]
pub struct Tenant<'c> {
    client: &'c Client,
    tenant: String,
}

/// How asks are judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asking {
    /// Read the directory now, before judging.
    pub verify: bool,
    /// Accept evidence by name this old, in place of what the service is configured to.
    pub max_age: Option<Duration>,
    /// Replay: judge by the commits up to this one.
    pub basis: Option<Sequence>,
    /// With it, judge as of this time: the clock in the answer's basis.
    pub basis_clock: Option<Instant>,
}

/// What kind of sync is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SyncWanted {
    /// Enumerate every object anew.
    pub full: bool,
    /// Also read the deleted items and a full listing.
    pub reconcile: bool,
    /// Let this held run pass.
    pub accept: Option<u64>,
    /// Changes of domain whose renames are not held, like `old.example=new.example`.
    pub announce: Vec<String>,
}

#[derive(Serialize)]
struct Rejection {
    reject: u64,
}

#[derive(Serialize)]
struct Taken<'a> {
    chain: &'a ChainId,
    snapshot: &'a SnapshotId,
    from: Instant,
    until: Instant,
    name: Option<&'a Name>,
    kind: Option<NameKind>,
    object: Option<ObjectId>,
    mailbox: Option<MailboxId>,
}

#[derive(Serialize)]
struct ReadParts {
    object: ObjectId,
    mailbox: Option<MailboxId>,
    object_end: Option<ObjectId>,
    mailbox_end: Option<MailboxId>,
}

#[derive(Serialize)]
struct Review<'a> {
    by: Option<&'a str>,
    note: Option<&'a str>,
}

#[derive(Serialize)]
struct RestoreBody<'a> {
    chain: &'a ChainId,
    snapshot: &'a SnapshotId,
    to: String,
    kind: NameKind,
}

impl Client {
    /// How current the ledger is, for each tenant that the token is for.
    ///
    /// # Errors
    /// If the service cannot be reached or says no; so with all routes.
    pub async fn status(&self) -> Result<StatusAnswer, ClientError> {
        self.ask(Asked::get(vec!["v1", "status"]), Repeat::Harmless).await
    }

    /// Who asked what, the newest first: with one token, about one name.
    ///
    /// # Errors
    /// As [`Self::status`].
    pub async fn access(
        &self,
        token: Option<&str>,
        name: Option<&Name>,
        cursor: Option<&str>,
        limit: Option<usize>,
    ) -> Result<AccessPage, ClientError> {
        let asked = Asked::get(vec!["v1", "access"]).with("token", token).with("name", name.map(Name::spelling));
        self.ask(asked.with("cursor", cursor).with("limit", limit), Repeat::Harmless).await
    }
}

#[expect(clippy::missing_errors_doc, reason = "all of them fail as `Client::status` does")]
impl<'c> Tenant<'c> {
    pub(super) fn new(client: &'c Client, tenant: String) -> Self {
        Self { client, tenant }
    }

    /// May this be appended to the chain, and whose mailbox is it?
    pub async fn check(&self, ask: &CheckRequest, asking: &Asking) -> Result<CheckAnswer, ClientError> {
        self.client.ask(asking.of(Asked::post(self.below(&["checks"]), ask)?), Repeat::Harmless).await
    }

    /// The same for several in one request, which the service may have repeated. The answers stand in the order of the asks.
    pub async fn check_all(&self, asks: &[CheckRequest], asking: &Asking) -> Result<Vec<Answered>, ClientError> {
        let asked = asking.of(Asked::post(self.below(&["checks"]), &asks)?);
        let answers: Vec<Answered> = self.client.ask(asked, Repeat::Harmless).await?;
        if answers.len() != asks.len() {
            let why = format!("{} asks have {} answers", asks.len(), answers.len());
            return Err(self.client.reading().odd(why));
        }
        Ok(answers)
    }

    /// The same for any number. The asks are written as they come and the answers read as they come, both in bounded memory;
    /// whoever stops reading makes the service stop as well. The asks are drawn on a thread of the runtime, so they should be
    /// there without a long wait. Nothing is repeated.
    pub async fn checks<I>(&self, asks: I, asking: &Asking) -> Result<Items<Answered>, ClientError>
    where
        I: IntoIterator<Item = CheckRequest>,
        I::IntoIter: Send + 'static,
    {
        let asked = asking.of(Asked::new(Method::POST, self.below(&["checks"])));
        let url = self.client.address.url(&asked.path, &asked.query)?;
        let body = Body::wrap_stream(stream::iter(Pieces::of(asks.into_iter())));
        let request = self.client.request(asked.method, url).header(CONTENT_TYPE, "application/json").body(body);
        let response = request.send().await.map_err(|error| self.client.reading().unreached(error))?;
        if !response.status().is_success() {
            return Err(self.client.reading().refusal(response).await);
        }
        Items::new(self.client.clone(), response, Layout::Array)
    }

    /// Who holds, or held, a name.
    pub async fn who(
        &self,
        name: &Name,
        kind: NameKind,
        at: Option<Instant>,
        known_at: KnownAt,
    ) -> Result<WhoAnswer, ClientError> {
        let asked = Asked::get(self.below(&["names", name.spelling()]));
        let asked = asked.with("kind", Some(word_of(&kind))).with("at", at).with("known_at", text(known_at));
        self.client.ask(asked, Repeat::Harmless).await
    }

    /// The timeline of a name.
    pub async fn name_history(&self, name: &Name, known_at: KnownAt) -> Result<NameAnswer, ClientError> {
        let asked = Asked::get(self.below(&["names", name.spelling(), "history"]));
        self.client.ask(asked.with("known_at", text(known_at)), Repeat::Harmless).await
    }

    /// The timeline of an object.
    pub async fn object_history(&self, object: ObjectId, known_at: KnownAt) -> Result<ObjectAnswer, ClientError> {
        let object = object.to_string();
        let asked = Asked::get(self.below(&["objects", &object]));
        self.client.ask(asked.with("known_at", text(known_at)), Repeat::Harmless).await
    }

    /// Records a snapshot. The same one again changes nothing.
    pub async fn add_snapshot(&self, snapshot: &Snapshot) -> Result<SnapshotAnswer, ClientError> {
        let asked = Asked::post(self.below(&["snapshots"]), &Taken::of(snapshot))?;
        self.client.ask(asked, Repeat::Harmless).await
    }

    /// Records several together, at most 1,000, or none of them.
    pub async fn add_snapshots(&self, snapshots: &[Snapshot]) -> Result<Vec<SnapshotAnswer>, ClientError> {
        let bodies: Vec<Taken<'_>> = snapshots.iter().map(Taken::of).collect();
        self.client.ask(Asked::post(self.below(&["snapshots"]), &bodies)?, Repeat::Harmless).await
    }

    /// Records what was really read for a snapshot.
    pub async fn receipt(&self, receipt: &Receipt) -> Result<SnapshotAnswer, ClientError> {
        let Receipt { chain, snapshot, object, mailbox, object_end, mailbox_end } = receipt;
        let (object, mailbox, object_end, mailbox_end) = (*object, *mailbox, *object_end, *mailbox_end);
        let body = ReadParts { object, mailbox, object_end, mailbox_end };
        let path = self.below(&["snapshots", chain.as_str(), snapshot.as_str(), "receipt"]);
        self.client.ask(Asked::post(path, &body)?, Repeat::Harmless).await
    }

    /// Records that a snapshot is no longer kept.
    pub async fn expire(&self, chain: &ChainId, snapshot: &SnapshotId) -> Result<SnapshotAnswer, ClientError> {
        let path = self.below(&["snapshots", chain.as_str(), snapshot.as_str()]);
        self.client.ask(Asked::new(Method::DELETE, path), Repeat::Harmless).await
    }

    /// One snapshot, and whose data it holds.
    pub async fn snapshot(&self, chain: &ChainId, snapshot: &SnapshotId) -> Result<SnapshotAnswer, ClientError> {
        let path = self.below(&["snapshots", chain.as_str(), snapshot.as_str()]);
        self.client.ask(Asked::get(path), Repeat::Harmless).await
    }

    /// A page of the snapshots of a chain, an object or a name.
    pub async fn snapshots(
        &self,
        wanted: &Wanted,
        cursor: Option<&snapshot::Cursor>,
        limit: Option<usize>,
    ) -> Result<SnapshotList, ClientError> {
        let asked = Asked::get(self.below(&["snapshots"]));
        let asked = match wanted {
            Wanted::Chain(chain) => asked.with("chain", Some(chain)),
            Wanted::Object(object) => asked.with("object", Some(object)),
            Wanted::Name(name) => asked.with("name", Some(name.spelling())),
        };
        self.client.ask(asked.with("cursor", cursor).with("limit", limit), Repeat::Harmless).await
    }

    /// A page of the findings, the worst and newest first: in this state, or in all but withdrawn.
    pub async fn findings(
        &self,
        kind: Option<FindingKind>,
        severity: Option<Severity>,
        state: Option<FindingState>,
        cursor: Option<&findings::Cursor>,
        limit: Option<usize>,
    ) -> Result<FindingList, ClientError> {
        let asked = Asked::get(self.below(&["findings"]))
            .with("kind", kind.map(FindingKind::word))
            .with("severity", severity.as_ref().map(word_of))
            .with("state", state.as_ref().map(word_of));
        self.client.ask(asked.with("cursor", cursor).with("limit", limit), Repeat::Harmless).await
    }

    /// One finding.
    pub async fn finding(&self, id: FindingId) -> Result<FindingAnswer, ClientError> {
        let id = id.to_string();
        self.client.ask(Asked::get(self.below(&["findings", &id])), Repeat::Harmless).await
    }

    /// An operator's word on a finding.
    pub async fn review(
        &self,
        id: FindingId,
        said: Word,
        by: Option<&str>,
        note: Option<&str>,
    ) -> Result<FindingAnswer, ClientError> {
        let id = id.to_string();
        let verb = match said {
            Word::Acknowledge => "acknowledge",
            Word::Resolve => "resolve",
        };
        let asked = Asked::post(self.below(&["findings", &id, verb]), &Review { by, note })?;
        self.client.ask(asked, Repeat::Harmless).await
    }

    /// The repair plan of a chain.
    pub async fn plan(&self, chain: &ChainId) -> Result<PlanAnswer, ClientError> {
        self.client.ask(Asked::get(self.below(&["chains", chain.as_str(), "plan"])), Repeat::Harmless).await
    }

    /// May this snapshot be restored to that person?
    pub async fn restore_check(&self, request: &RestoreRequest, verify: bool) -> Result<RestoreAnswer, ClientError> {
        let RestoreRequest { chain, snapshot, to } = request;
        let (to, kind) = match to {
            Recipient::Object(object) => (object.to_string(), NameKind::Any),
            Recipient::Name(name, kind) => (name.spelling().to_owned(), *kind),
        };
        let asked = Asked::post(self.below(&["restore-checks"]), &RestoreBody { chain, snapshot, to, kind })?;
        self.client.ask(asked.with("verify", verify.then_some(true)), Repeat::Harmless).await
    }

    /// A page of the names with more than one holder, or released lately.
    pub async fn reuse(&self, cursor: Option<&reuse::Cursor>, limit: Option<usize>) -> Result<ReuseList, ClientError> {
        let asked = Asked::get(self.below(&["reuse"])).with("cursor", cursor).with("limit", limit);
        self.client.ask(asked, Repeat::Harmless).await
    }

    /// Begins a sync. It is begun once: a request whose answer was lost may have begun it.
    pub async fn sync(&self, wanted: &SyncWanted) -> Result<RunAnswer, ClientError> {
        self.client.ask(Asked::post(self.below(&["syncs"]), wanted)?, Repeat::No).await
    }

    /// Takes down that a held run is wrong.
    pub async fn reject(&self, run: u64) -> Result<HoldStatus, ClientError> {
        let asked = Asked::post(self.below(&["syncs"]), &Rejection { reject: run })?;
        self.client.ask(asked, Repeat::Harmless).await
    }

    /// A run, under way or ended.
    pub async fn run(&self, run: u64) -> Result<RunAnswer, ClientError> {
        let run = run.to_string();
        self.client.ask(Asked::get(self.below(&["syncs", &run])), Repeat::Harmless).await
    }

    /// A page of the runs that ended, the newest first.
    pub async fn runs(&self, cursor: Option<&str>, limit: Option<usize>) -> Result<RunList, ClientError> {
        let asked = Asked::get(self.below(&["syncs"])).with("cursor", cursor).with("limit", limit);
        self.client.ask(asked, Repeat::Harmless).await
    }

    /// The journal from a commit on.
    pub async fn journal(&self, from: Option<Sequence>) -> Result<Items<JournalEntry>, ClientError> {
        let asked = Asked::get(self.below(&["journal"])).with("from", from);
        let response = self.client.stream(asked).await?;
        Items::new(self.client.clone(), response, Layout::Lines)
    }

    /// Where the log of commits stands, or stood after a commit, signed.
    pub async fn checkpoint(&self, at: Option<Sequence>) -> Result<CheckpointAnswer, ClientError> {
        self.client.ask(Asked::get(self.below(&["checkpoint"])).with("at", at), Repeat::Harmless).await
    }

    /// That the log continues what it was after an older commit.
    pub async fn prove_consistency(&self, older: Sequence, at: Option<Sequence>) -> Result<ProofAnswer, ClientError> {
        let asked = Asked::get(self.below(&["proofs", "consistency"])).with("older", Some(older)).with("at", at);
        self.client.ask(asked, Repeat::Harmless).await
    }

    /// Whose data a snapshot holds, with the facts on which that rests; from an older commit on, if one is given.
    pub async fn prove_snapshot(
        &self,
        chain: &ChainId,
        snapshot: &SnapshotId,
        older: Option<Sequence>,
    ) -> Result<ProofAnswer, ClientError> {
        let path = self.below(&["snapshots", chain.as_str(), snapshot.as_str(), "proof"]);
        self.client.ask(Asked::get(path).with("older", older), Repeat::Harmless).await
    }

    fn below<'a>(&'a self, path: &[&'a str]) -> Vec<&'a str> {
        let mut whole = vec!["v1", "tenants", self.tenant.as_str()];
        whole.extend(path);
        whole
    }
}

impl Asking {
    fn of(self, asked: Asked<'_>) -> Asked<'_> {
        let Self { verify, max_age, basis, basis_clock } = self;
        asked
            .with("verify", verify.then_some(true))
            .with("max_age", max_age.map(|age| format!("{}s {}ns", age.as_secs(), age.subsec_nanos())))
            .with("basis", basis)
            .with("basis_clock", basis_clock)
    }
}

impl<'a> Taken<'a> {
    fn of(taken: &'a Snapshot) -> Self {
        let Snapshot { chain, id: snapshot, from, until, addressed, mailbox } = taken;
        let (name, kind, object) = match addressed {
            Addressed::Name(name, kind) => (Some(name), Some(*kind), None),
            Addressed::Object(object) => (None, None, Some(*object)),
        };
        Self { chain, snapshot, from: *from, until: *until, name, kind, object, mailbox: *mailbox }
    }
}

/// Writes asks as the pieces of one array.
struct Pieces<I> {
    asks: I,
    is_first: bool,
    is_over: bool,
}

impl<I: Iterator<Item = CheckRequest>> Pieces<I> {
    fn of(asks: I) -> Self {
        Self { asks, is_first: true, is_over: false }
    }
}

impl<I: Iterator<Item = CheckRequest>> Iterator for Pieces<I> {
    type Item = Result<Vec<u8>, serde_json::Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let mut piece = Vec::new();
        for _ in 0..PIECE {
            let Some(ask) = self.asks.next() else {
                self.is_over = true;
                break;
            };
            piece.push(if self.is_first { b'[' } else { b',' });
            self.is_first = false;
            if let Err(error) = serde_json::to_writer(&mut piece, &ask) {
                self.is_over = true;
                return Some(Err(error));
            }
        }
        if self.is_over {
            piece.extend(if self.is_first { &b"[]"[..] } else { &b"]"[..] });
        }
        Some(Ok(piece))
    }
}

/// As known when, as a parameter.
fn text(known_at: KnownAt) -> Option<String> {
    match known_at {
        KnownAt::Now => None,
        KnownAt::Sequence(sequence) => Some(sequence.to_string()),
        KnownAt::Time(at) => Some(at.to_string()),
    }
}
