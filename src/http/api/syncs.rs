//! Syncs: beginning one, and the run log.

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::{Deserialize, Serialize};

use crate::domain::domain_change::SuffixMap;
use crate::http::metrics;
use crate::http::place::{JsonIfAny, Places, Query, Tenant, answer};
use crate::http::problem::{Code, Problem};
use crate::http::service::{Shared, blocking};
use crate::service::Desk;
use crate::service::runs::{self, RunAnswer, RunList};
use crate::service::status::HoldStatus;
use crate::store::Trigger;
use crate::sync::{self, Flight, SyncError, Ticket, Wanted, is_whole, with_causes};

/// What kind of sync is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SyncRequest {
    /// Enumerate every object anew, even though the feed is unbroken.
    pub full: bool,
    /// Also read the deleted items and a full listing.
    pub reconcile: bool,
    /// Let this held run pass.
    pub accept: Option<u64>,
    /// Take down that this held run is wrong; nothing is read.
    pub reject: Option<u64>,
    /// Changes of domain that were announced, like `old.example=new.example`: renames by them are not held.
    pub announce: Vec<String>,
}

/// Begins a sync now, or lets a held run pass, or takes down that it is wrong.
#[utoipa::path(post, path = "/v1/tenants/{t}/syncs", operation_id = "sync", tag = "runs",
    params(("t" = String, Path, description = "The tenant's id or alias")),
    request_body(content = ref("#/components/schemas/SyncRequest"), description = "What kind of sync; may be left out",
        content_type = "application/json"),
    responses(
        (status = 202, description = "The run that was begun; GET …/syncs/{run} tells how far it is", body = RunAnswer),
        (status = 200, description = "The held run, rejected", body = HoldStatus),
    ))]
pub async fn begin(
    State(service): State<Shared>,
    tenant: Tenant,
    query: Query,
    JsonIfAny(asked): JsonIfAny<SyncRequest>,
) -> Result<Response, Problem> {
    query.only(&[])?;
    if service.stop.is_asked() {
        return Err(Problem::new(Code::Stopping, "the service is about to end"));
    }
    let one_of = [asked.accept.is_some(), asked.reject.is_some(), asked.full || asked.reconcile];
    if one_of.into_iter().filter(|given| *given).count() > 1 {
        let detail = "accept, reject, and full or reconcile exclude each other";
        return Err(Problem::new(Code::InvalidBody, detail));
    }
    let announced: Vec<SuffixMap> = asked
        .announce
        .iter()
        .map(|text| text.parse().map_err(|error| Problem::new(Code::InvalidBody, format!("announce: {error}"))))
        .collect::<Result<_, _>>()?;
    let (id, clock) = (tenant.desk.tenant, tenant.caller.clock);
    let mut context = {
        let service = service.clone();
        blocking(move || service.context(id, clock)).await?
    };
    context.guard.announced.extend(announced);
    if let Some(run) = asked.reject {
        tenant.looks.thing("run", run);
        let hold = sync::reject(&context, run).await?;
        return answer(StatusCode::OK, &HoldStatus::from(&hold));
    }
    if let Some(held) = asked.accept {
        let open: Vec<u64> = {
            let desk = tenant.desk.clone();
            blocking(move || Ok(desk.ledger.holds(desk.tenant)?))
                .await?
                .iter()
                .map(|hold| hold.standstill.run)
                .collect()
        };
        if !open.contains(&held) {
            return Err(SyncError::NotHeld { run: held, open }.into());
        }
    }
    let health = {
        let service = service.clone();
        blocking(move || Ok((service.health)())).await?
    };
    // A run that cannot be recorded is not begun.
    health.map_err(|why| Problem::new(Code::LedgerUnavailable, format!("the ledger cannot be written: {why}")))?;
    // Whose tenant is being read is told so, however many others are.
    let ticket = service.flights.begin(id, Trigger::Demand, clock.now()).map_err(|flight| running(&flight))?;
    let permit = service.on_demand.clone().try_acquire_owned().map_err(|_| {
        let problem = Problem::new(Code::RateLimited, "as many syncs on demand are running as may at once");
        Problem { retry_after: Some(5), ..problem }
    })?;
    let before = newest(&tenant.desk).await?.map_or(0, |run| run.run);
    let task = Task { service: service.clone(), context, asked, before };
    let ended = tokio::spawn(async move {
        let _permit = permit;
        task.run(ticket).await
    });
    // The run has its number before its first request.
    let begun = match service.flights.numbered(id).await {
        Some(flight) => RunAnswer::from(flight),
        // It was over before it could be looked at; its entry tells how it ended, if it has one.
        None => {
            let done = ended.await?;
            match newest(&tenant.desk).await?.filter(|run| run.run > before) {
                Some(run) => run,
                None => {
                    done?;
                    return Err(Problem::new(Code::Internal, "the run ended without an entry in the run log"));
                }
            }
        }
    };
    tenant.looks.thing("run", begun.run);
    let mut response = answer(StatusCode::ACCEPTED, &begun)?;
    if let Ok(place) = HeaderValue::from_str(&format!("/v1/tenants/{id}/syncs/{}", begun.run)) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

/// The runs that ended, the newest first.
#[utoipa::path(get, path = "/v1/tenants/{t}/syncs", operation_id = "sync_list", tag = "runs",
    params(
        ("t" = String, Path, description = "The tenant's id or alias"),
        ("cursor" = Option<String>, Query, description = "Where the page begins, as the page before tells"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "How many items, 100 if nothing is said, at most 1,000"),
    ),
    responses((status = 200, description = "A page of them", body = RunList)))]
pub async fn list(tenant: Tenant, query: Query) -> Result<Response, Problem> {
    query.only(&["cursor", "limit"])?;
    let (before, limit) = (query.read("cursor")?, query.limit()?);
    let desk = tenant.desk;
    answer(StatusCode::OK, &blocking(move || Ok(runs::list(&desk, before, limit)?)).await?)
}

/// One run, under way or ended.
#[utoipa::path(get, path = "/v1/tenants/{t}/syncs/{run}", operation_id = "sync_show", tag = "runs",
    params(
        ("t" = String, Path, description = "The tenant's id or alias"),
        ("run" = u64, Path, description = "The run's number"),
    ),
    responses((status = 200, description = "The run", body = RunAnswer)))]
pub async fn show(
    State(service): State<Shared>,
    tenant: Tenant,
    places: Places,
    query: Query,
) -> Result<Response, Problem> {
    query.only(&[])?;
    let number: u64 = places.read("run")?;
    let desk = tenant.desk;
    let under_way = service.flights.under_way(desk.tenant).map(RunAnswer::from).filter(|run| run.run == number);
    if let Some(run) = under_way {
        return answer(StatusCode::OK, &run);
    }
    let found = blocking(move || Ok(runs::show(&desk, number)?)).await?;
    let missing = || Problem::new(Code::UnknownRun, format!("the run log has no run {number}"));
    answer(StatusCode::OK, &found.ok_or_else(missing)?)
}

/// The problem that a run is under way.
pub fn running(flight: &Flight) -> Problem {
    let detail = format!("a sync of this tenant is running since {}", flight.since);
    let running = serde_json::to_value(RunAnswer::from(*flight)).ok().map(Box::new);
    Problem { running, retry_after: Some(5), ..Problem::new(Code::SyncRunning, detail) }
}

/// The newest entry of the run log.
async fn newest(desk: &Desk) -> Result<Option<RunAnswer>, Problem> {
    let desk = desk.clone();
    blocking(move || Ok(runs::list(&desk, None, 1)?.items.pop())).await
}

/// A run on demand.
struct Task {
    service: Shared,
    context: sync::Context,
    asked: SyncRequest,
    /// The number of the newest entry of the run log before it.
    before: u64,
}

impl Task {
    async fn run(self, ticket: Ticket) -> Result<(), SyncError> {
        let Self { service, context, asked, before } = self;
        let tell = |progress| ticket.tell(progress);
        let wanted = Wanted { full: asked.full, reconcile: asked.reconcile, trigger: Trigger::Demand };
        let done = match asked.accept {
            Some(held) => sync::accept(&context, held, &service.stop, &tell).await,
            None => sync::run(&context, wanted, &service.stop, &tell).await,
        };
        // While the tenant is ours, what is new in the log is ours.
        let entries = sync::entries_after(&context, before).await.unwrap_or_default();
        drop(ticket);
        entries.iter().for_each(|run| (service.ended)(context.tenant, run));
        if let Err(error) = &done {
            if entries.last().is_none_or(is_whole) {
                metrics::left_no_entry(&service, context.tenant, context.clock.now(), error.with_hint());
            }
            tracing::warn!(tenant = %context.tenant, error = %with_causes(error), "a sync on demand failed");
        }
        done.map(|_| ())
    }
}
