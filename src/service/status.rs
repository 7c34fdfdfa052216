//! How current the ledger is, and how much it holds.

use serde::{Deserialize, Serialize};

use super::runs::RunAnswer;
use crate::domain::fact::Fact;
use crate::domain::guard::{HeldPart, Impact};
use crate::domain::id::{Sequence, TenantId};
use crate::domain::rhythm::Rhythm;
use crate::domain::time::Instant;
use crate::ledger::{Hold, Ledger, LedgerError};
use crate::store::{Description, FindingCounts};
use crate::sync::{Flights, RUNS_READ, Unlogged, past};

/// The status of a ledger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct StatusAnswer {
    /// Its tenants.
    pub tenants: Vec<TenantStatus>,
    /// The ledger itself.
    pub ledger: LedgerStatus,
}

/// The status of a tenant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct TenantStatus {
    /// Which tenant.
    pub tenant: TenantId,
    /// Its short name.
    pub alias: Option<String>,
    /// The newest commit.
    pub sequence: Sequence,
    /// The newest run.
    pub last_sync: Option<RunAnswer>,
    /// The run after it, if that failed and could leave no entry in the run log. Only a service that runs knows of it.
    pub unlogged: Option<UnloggedPart>,
    /// The run under way.
    pub running: Option<RunAnswer>,
    /// When the next one is due, if a service keeps the tenant current.
    pub next_sync: Option<Instant>,
    /// The instant through which the feed proves everything.
    pub horizon: Option<Instant>,
    /// Whether only some pages of a round are committed.
    pub half_round: bool,
    /// What a guard holds.
    pub held: Vec<HoldStatus>,
    /// The times that nothing covers.
    pub blind: Vec<BlindPart>,
    /// How many objects.
    pub objects: ObjectCounts,
    /// How many snapshots.
    pub snapshots: u64,
    /// How many open findings.
    pub findings: FindingCounts,
}

/// A run that failed and left no entry in the run log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct UnloggedPart {
    /// When it failed.
    pub at: Instant,
    /// Why, and what can be done.
    pub why: String,
}

impl TenantStatus {
    /// Its short name, else its id.
    pub fn label(&self) -> String {
        self.alias.clone().unwrap_or_else(|| self.tenant.to_string())
    }
}

impl From<Unlogged> for UnloggedPart {
    fn from(Unlogged { at, why }: Unlogged) -> Self {
        Self { at, why }
    }
}

/// A round that a guard holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct HoldStatus {
    /// The run that was held, by which it is accepted or rejected.
    pub run: u64,
    /// A round of the feed, or a reconcile.
    pub part: HeldPart,
    /// Since when.
    pub since: Instant,
    /// How much it would change.
    pub impact: Impact,
    /// How many objects it names.
    pub objects: usize,
    /// Why it is held.
    pub why: String,
    /// When an operator found it wrong.
    pub rejected: Option<Instant>,
}

impl From<&Hold> for HoldStatus {
    fn from(hold: &Hold) -> Self {
        let standstill = &hold.standstill;
        Self {
            run: standstill.run,
            part: hold.part,
            since: hold.at,
            impact: hold.impact,
            objects: standstill.objects.len(),
            why: standstill.why.clone(),
            rejected: hold.rejected,
        }
    }
}

/// A time that no horizon covers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct BlindPart {
    /// The last horizon before it.
    pub from: Instant,
    /// The first one after it.
    pub until: Instant,
    /// Why.
    pub why: String,
}

/// How many objects in each state.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct ObjectCounts {
    /// Live.
    pub active: u64,
    /// In the recycle bin.
    pub soft_deleted: u64,
    /// Gone for good.
    pub purged: u64,
}

/// The ledger itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct LedgerStatus {
    /// What kind of store.
    pub store: String,
    /// Its format version.
    pub format: u32,
    /// Its size.
    pub bytes: u64,
    /// Whether it is encrypted at rest.
    #[serde(default)]
    pub encrypted: bool,
}

/// A tenant as it is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configured {
    /// Which tenant.
    pub tenant: TenantId,
    /// Its short name.
    pub alias: Option<String>,
    /// How often a service reads it.
    pub rhythm: Rhythm,
}

/// The status of every tenant at `now`, those that are configured and were never synced included. `flights` are the runs
/// under way in this process; no other one can make any while it holds the ledger.
pub fn status(
    ledger: &Ledger,
    configured: &[Configured],
    flights: &Flights,
    now: Instant,
) -> Result<StatusAnswer, LedgerError> {
    let mut ids = ledger.tenants()?;
    ids.extend(configured.iter().map(|configured| configured.tenant));
    ids.sort();
    ids.dedup();
    let mut tenants = Vec::new();
    for tenant in ids {
        let head = ledger.head(tenant)?;
        let state = head.state;
        let facts = ledger.store().tenant_facts(tenant, head.sequence)?;
        let blind = facts.into_iter().filter_map(|known| match known.fact {
            Fact::Blind(blind) => Some(BlindPart { from: blind.from, until: blind.until, why: blind.why }),
            _ => None,
        });
        let configured = configured.iter().find(|configured| configured.tenant == tenant);
        let runs = ledger.store().runs(tenant, RUNS_READ)?;
        let next = configured.map(|configured| configured.rhythm.due(tenant, &past(&runs), now).at);
        tenants.push(TenantStatus {
            tenant,
            alias: configured.and_then(|configured| configured.alias.clone()),
            sequence: head.sequence,
            last_sync: runs.into_iter().next().map(RunAnswer::from),
            unlogged: flights.unlogged(tenant).map(UnloggedPart::from),
            running: flights.under_way(tenant).map(RunAnswer::from),
            next_sync: next,
            horizon: state.coverage.horizon(),
            half_round: state.open_round.is_some(),
            held: ledger.holds(tenant)?.iter().map(HoldStatus::from).collect(),
            blind: blind.collect(),
            objects: ObjectCounts {
                active: state.counts.active,
                soft_deleted: state.counts.soft_deleted,
                purged: state.counts.purged,
            },
            snapshots: state.counts.snapshots,
            findings: state.findings,
        });
    }
    let Description { store, format, encrypted } = ledger.store().describe();
    Ok(StatusAnswer {
        tenants,
        ledger: LedgerStatus { store: store.to_owned(), format, bytes: ledger.store().bytes()?, encrypted },
    })
}
