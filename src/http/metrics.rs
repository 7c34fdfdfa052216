//! What the service counts, for Prometheus. Labels are tenants, routes and outcomes, never names or objects.

use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use super::problem::{Code, Problem};
use super::service::Service;
use crate::domain::id::TenantId;
use crate::domain::time::Instant;
use crate::service::check::CheckAnswer;
use crate::service::parts::word_of;
use crate::service::status::status;
use crate::store::{Outcome, Run, RunKind};
use crate::sync::RUNS_READ;

/// The bounds of the buckets of times, in seconds.
const SECONDS: &[f64] = &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// The kind of a run that has none, because it left no entry.
const NO_KIND: &str = "none";
/// Why requests are turned away.
const REFUSALS: [Code; 5] =
    [Code::Unauthenticated, Code::TokenExpired, Code::TokenRevoked, Code::RoleForbidden, Code::TenantForbidden];

/// How often what was measured is put into its buckets.
const UPKEEP: Duration = Duration::from_secs(5);

/// Begins to count, once in a process. Returns what renders the counts; `None` if somebody else counts already.
pub fn install() -> Option<PrometheusHandle> {
    let seconds = Matcher::Suffix("_seconds".to_owned());
    let builder = PrometheusBuilder::new().set_buckets_for_metric(seconds, SECONDS).ok()?;
    let counted = builder.install_recorder().ok()?;
    metrics::describe_histogram!(
        "whowas_check_duration_seconds",
        "How long verdicts took. live=\"false\": each verdict from the ledger by itself. live=\"true\": each live read once, \
         with all verdicts of an array that share it."
    );
    Some(counted)
}

/// Puts what was measured into its buckets every now and then. Until that is done, or somebody renders the counts, each single
/// time is kept in memory, and a service that nobody scrapes would grow with every request.
pub async fn keep(counted: Option<PrometheusHandle>) {
    let Some(counted) = counted else { return };
    loop {
        tokio::time::sleep(UPKEEP).await;
        counted.run_upkeep();
    }
}

/// Measures how long something takes.
pub struct Timer(tokio::time::Instant);

impl Timer {
    /// From now on.
    pub fn start() -> Self {
        Self(tokio::time::Instant::now())
    }

    /// How long it is by now.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Looks at what is not counted but so: how old, how many, how large.
///
/// # Errors
/// If the ledger cannot be read.
pub fn look(service: &Service) -> Result<(), Problem> {
    let now = service.clock.now();
    let found = status(&service.ledger, &service.all_configured(), &service.flights, now)?;
    metrics::gauge!("whowas_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    metrics::gauge!("whowas_ledger_bytes").set(found.ledger.bytes as f64);
    let resident = (service.resident)();
    metrics::gauge!("whowas_resident_bytes").set(resident.bytes as f64);
    for (records, is_whole) in
        [("names", resident.names), ("chains", resident.chains), ("snapshots", resident.snapshots)]
    {
        metrics::gauge!("whowas_resident", "records" => records).set(if is_whole { 1.0 } else { 0.0 });
    }
    metrics::gauge!("whowas_ledger_writable").set(if (service.health)().is_ok() { 1.0 } else { 0.0 });
    for tenant in found.tenants {
        let called = service.config.label_of(tenant.tenant);
        let gauge = |name: &'static str| metrics::gauge!(name, "tenant" => called.clone());
        let age = |at: Instant| now.since(at).as_secs_f64();
        if let Some(completed) = last_completed(service, tenant.tenant)? {
            gauge("whowas_sync_age_seconds").set(age(completed));
        }
        if let Some(horizon) = tenant.horizon {
            gauge("whowas_horizon_age_seconds").set(age(horizon));
        }
        let blind = tenant
            .blind
            .iter()
            .map(|blind| blind.until.since(blind.from).as_secs_f64())
            .fold(0.0, |sum, seconds| sum + seconds);
        gauge("whowas_blind_seconds").set(blind.max(0.0));
        gauge("whowas_sync_running").set(if tenant.running.is_some() { 1.0 } else { 0.0 });
        gauge("whowas_held_runs").set(tenant.held.len() as f64);
        gauge("whowas_snapshots").set(tenant.snapshots as f64);
        let open = tenant.findings;
        for (severity, count) in [("critical", open.critical), ("warning", open.warning), ("notice", open.notice)] {
            metrics::gauge!("whowas_findings_open", "tenant" => called.clone(), "severity" => severity)
                .set(count as f64);
        }
        let objects = tenant.objects;
        let states = [("active", objects.active), ("soft_deleted", objects.soft_deleted), ("purged", objects.purged)];
        for (state, count) in states {
            metrics::gauge!("whowas_objects", "tenant" => called.clone(), "state" => state).set(count as f64);
        }
    }
    Ok(())
}

/// Tells of what was not counted yet that there was none of it. What a counter begins with counts as nothing for whoever looks at
/// how it grows, so the first trouble of a kind would be missed.
pub fn begin(service: &Service) {
    metrics::counter!("whowas_access_log_failures_total").increment(0);
    for code in REFUSALS {
        metrics::counter!("whowas_access_denied_total", "reason" => code.word()).increment(0);
    }
    let kinds = [RunKind::Full, RunKind::Delta, RunKind::Reconcile].map(|kind| word_of(&kind));
    for tenant in &service.config.tenants {
        for kind in kinds.iter().map(String::as_str).chain([NO_KIND]) {
            for outcome in [Outcome::Completed, Outcome::Failed] {
                runs(&tenant.label(), kind, &word_of(&outcome)).increment(0);
            }
        }
    }
}

/// Counts a run that ended without an entry in the run log, or that could not be begun, and keeps it in mind for the status.
pub fn left_no_entry(service: &Service, tenant: TenantId, at: Instant, why: String) {
    runs(&service.config.label_of(tenant), NO_KIND, &word_of(&Outcome::Failed)).increment(1);
    service.flights.keep_unlogged(tenant, at, why);
}

fn runs(called: &str, kind: &str, outcome: &str) -> metrics::Counter {
    let of = |text: &str| text.to_owned();
    metrics::counter!("whowas_sync_runs_total", "tenant" => of(called), "kind" => of(kind), "outcome" => of(outcome))
}

/// Counts a run that ended.
pub fn ran(called: &str, run: &Run) {
    let tenant = || called.to_owned();
    runs(called, &word_of(&run.kind), &word_of(&run.outcome)).increment(1);
    metrics::counter!("whowas_graph_requests_total", "tenant" => tenant()).increment(run.requests);
    metrics::counter!("whowas_graph_throttled_seconds_total", "tenant" => tenant()).increment(run.throttled_ms / 1_000);
}

/// Counts a verdict.
pub fn judged(service: &Service, answer: &CheckAnswer) {
    let (tenant, verdict) = (service.config.label_of(answer.tenant), word_of(&answer.verdict));
    metrics::counter!("whowas_checks_total", "tenant" => tenant, "verdict" => verdict).increment(1);
}

/// Records how long a verdict took that was answered from the ledger, or a live read with all verdicts that share it.
pub fn took(live: bool, timer: &Timer) {
    let live = if live { "true" } else { "false" };
    metrics::histogram!("whowas_check_duration_seconds", "live" => live).record(timer.elapsed().as_secs_f64());
}

/// When the newest run ended that reached its horizon.
fn last_completed(service: &Service, tenant: TenantId) -> Result<Option<Instant>, Problem> {
    let runs = service.ledger.store().runs(tenant, RUNS_READ).map_err(crate::ledger::LedgerError::from)?;
    Ok(runs.iter().find(|run| run.outcome == Outcome::Completed).and_then(|run| run.ended))
}
