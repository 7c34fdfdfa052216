//! What all handlers share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::HeaderMap;
use tokio::sync::Semaphore;

use super::access::log::AccessLog;
use super::access::tokens::Tokens;
use super::problem::{Code, Problem};
use super::streams::Streams;
use crate::clock::Clock;
use crate::config::{Config, TenantConfig};
use crate::domain::attribute::Attribute;
use crate::domain::id::TenantId;
use crate::domain::verdict::Policy;
use crate::graph::client::GraphClient;
use crate::keyring::Keyring;
use crate::ledger::{Ledger, LedgerError};
use crate::service::status::Configured;
use crate::service::{Desk, directory};
use crate::store::{Residency, Run};
use crate::sync::{Context, Flights, Stop};

/// The header by which a rehearsal tells what time it is.
pub const NOW_HEADER: &str = "x-whowas-now";

/// Is told of a tenant's run that ended.
pub type Ended = dyn Fn(TenantId, &Run) + Send + Sync;

/// The service. Handlers get it in an [`Arc`].
pub struct Service {
    /// The ledger.
    pub ledger: Ledger,
    /// The configuration.
    pub config: Arc<Config>,
    /// What time it is, unless a rehearsal says otherwise.
    pub clock: Clock,
    /// Who may ask.
    pub tokens: Tokens,
    /// Who asked what.
    pub access_log: AccessLog,
    /// The ledger's keys.
    pub keys: Keyring,
    /// The runs under way.
    pub flights: Flights,
    /// Ends the runs when the service ends.
    pub stop: Stop,
    /// How many runs on demand are made at once.
    pub on_demand: Arc<Semaphore>,
    /// Whether tenants are read by a schedule.
    pub has_schedule: bool,
    /// Whether a request may say what time it is.
    pub is_rehearsal: bool,
    /// What bounds requests.
    pub limits: Limits,
    /// Whether TLS ends before the service, so that every caller seems to come from this machine.
    pub is_behind_proxy: bool,
    /// Whether what callers send is encrypted on its way.
    pub is_encrypted: bool,
    /// Whether the ledger can be written, or why not. It may block.
    pub health: Box<dyn Fn() -> Result<(), String> + Send + Sync>,
    /// What of the ledger is in memory.
    pub resident: Box<dyn Fn() -> Residency + Send + Sync>,
    /// Is told of every run that ended and has its entry, whoever asked for it.
    pub ended: Box<Ended>,
    /// How many arrays of asks are answered at once.
    pub streams: Streams,
    /// How many journals are given out at once. They count by themselves, so that who audits keeps no agent waiting.
    pub journals: Streams,
    /// How many requests each token makes.
    pub pace: super::access::caller::Pace,
    /// The clients for live reads.
    pub directories: Directories,
}

/// The service as handlers have it.
pub type Shared = Arc<Service>;

/// What bounds requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest body, in bytes, of a request that is not streamed.
    pub body_bytes: usize,
    /// How long a request may take, unless its answer is streamed.
    pub patience: std::time::Duration,
    /// How many requests a second a token may make in the long run.
    pub per_second: u32,
    /// How many it may make at once.
    pub burst: u32,
}

impl Default for Limits {
    fn default() -> Self {
        let patience = std::time::Duration::from_secs(60);
        Self { body_bytes: 1 << 20, patience, per_second: 1_000, burst: 4_000 }
    }
}

/// A tenant's client, for as long as the same attributes are asked for.
#[derive(Default)]
pub struct Directories(Mutex<BTreeMap<TenantId, Reached>>);

struct Reached {
    attributes: std::collections::BTreeSet<Attribute>,
    since: tokio::time::Instant,
    client: Arc<GraphClient>,
}

/// How long a client is used before the credential is read anew, so that a secret that was changed is taken up.
const CLIENT_LASTS: std::time::Duration = std::time::Duration::from_secs(300);

impl Service {
    /// What time a request is made at.
    ///
    /// # Errors
    /// If a header says what time it is and this is no rehearsal, or the header cannot be read.
    pub fn clock_of(&self, headers: &HeaderMap) -> Result<Clock, Problem> {
        let Some(told) = headers.get(NOW_HEADER) else { return Ok(self.clock) };
        if !self.is_rehearsal {
            let why = "only a service that was started with --rehearsal takes the time from a request";
            return Err(Problem::parameter("X-Whowas-Now", why));
        }
        let text = told.to_str().map_err(|_| Problem::parameter("X-Whowas-Now", "it is no text"))?;
        let now = text.parse().map_err(|error| Problem::parameter("X-Whowas-Now", error))?;
        Ok(Clock::new(Some(now)))
    }

    /// The tenant that a request names by id or alias, configured or in the ledger.
    ///
    /// # Errors
    /// If the ledger cannot be read. `None` if there is no such tenant.
    pub fn tenant(&self, named: &str) -> Result<Option<TenantId>, LedgerError> {
        if let Ok(Some(configured)) = self.config.tenant(Some(named)) {
            return Ok(Some(configured.id));
        }
        let Ok(id) = named.parse() else { return Ok(None) };
        Ok(self.ledger.tenants()?.contains(&id).then_some(id))
    }

    /// A tenant's entry in the configuration.
    pub fn configured(&self, tenant: TenantId) -> Option<&TenantConfig> {
        self.config.tenants.iter().find(|configured| configured.id == tenant)
    }

    /// The same, or the problem that there is none.
    ///
    /// # Errors
    /// If the tenant is not configured.
    pub fn must_be_configured(&self, tenant: TenantId) -> Result<&TenantConfig, Problem> {
        self.configured(tenant).ok_or_else(|| {
            let detail = format!("tenant {tenant} is not configured here, so there is no way to read its directory");
            Problem::new(Code::NotConfigured, detail).with_hint("write it into the service's whowas.toml")
        })
    }

    /// All configured tenants, each once.
    pub fn all_configured(&self) -> Vec<Configured> {
        let mut all: Vec<Configured> = Vec::new();
        for tenant in &self.config.tenants {
            if all.iter().all(|known| known.tenant != tenant.id) {
                let (alias, rhythm) = (tenant.alias.clone(), tenant.rhythm());
                all.push(Configured { tenant: tenant.id, alias, rhythm });
            }
        }
        all
    }

    /// A desk at which a tenant is asked about.
    pub fn desk(&self, tenant: TenantId, clock: Clock) -> Desk {
        let policy = self.configured(tenant).map_or_else(Policy::default, TenantConfig::policy);
        Desk { ledger: self.ledger.clone(), tenant, policy, clock }
    }

    /// What a live read or a run of a tenant works with. It may block.
    ///
    /// # Errors
    /// If the tenant is not configured, its credential cannot be used, or the ledger cannot be read.
    pub fn context(&self, tenant: TenantId, clock: Clock) -> Result<Context, Problem> {
        let configured = self.must_be_configured(tenant)?;
        let client = directory::client(configured, clock).map_err(|error| bad_credential(&error))?;
        Ok(directory::context(configured, &self.ledger, client, clock)?)
    }

    /// The same for live reads, which share a client and with it a token of the directory.
    ///
    /// # Errors
    /// As [`Self::context`].
    pub fn live_context(&self, tenant: TenantId, clock: Clock) -> Result<Context, Problem> {
        let attributes = self.ledger.mapping(tenant)?.attributes();
        let now = tokio::time::Instant::now();
        {
            let reached = self.directories.0.lock().unwrap_or_else(PoisonError::into_inner);
            let fresh = |reached: &&Reached| {
                reached.attributes == attributes && now.duration_since(reached.since) < CLIENT_LASTS
            };
            if let Some(reached) = reached.get(&tenant).filter(fresh) {
                let configured = self.must_be_configured(tenant)?;
                let client = Arc::clone(&reached.client);
                return Ok(directory::context_with(configured, &self.ledger, client, clock));
            }
        }
        let context = self.context(tenant, clock)?;
        let reached = Reached { attributes, since: now, client: Arc::clone(&context.client) };
        self.directories.0.lock().unwrap_or_else(PoisonError::into_inner).insert(tenant, reached);
        Ok(context)
    }
}

/// Does work of the ledger beside the asynchronous threads, because it blocks.
///
/// # Errors
/// What the work answers, or that it died.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await?
}

/// What is wrong with a credential is the operator's to know, not that of whoever asks.
fn bad_credential(error: &crate::config::ConfigError) -> Problem {
    tracing::error!(error = %crate::sync::with_causes(error), "a tenant's directory cannot be read");
    let detail = "the service cannot sign in to the tenant's directory as it is configured";
    Problem::new(Code::DirectoryUnreachable, detail).with_hint("run `whowas doctor` where the service runs")
}
