//! `GET /v1/status`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use crate::http::access::caller::Caller;
use crate::http::place::{Query, answer};
use crate::http::problem::Problem;
use crate::http::service::{Service, Shared, blocking};
use crate::ledger::LedgerError;
use crate::service::status::{self, StatusAnswer};

/// How current the ledger is, for each tenant that the token is for.
#[utoipa::path(get, path = "/v1/status", operation_id = "status", tag = "runs",
    responses((status = 200, description = "The status", body = StatusAnswer)))]
pub async fn status(State(service): State<Shared>, caller: Caller, query: Query) -> Result<Response, Problem> {
    query.only(&[])?;
    let found = blocking(move || Ok(of(&service, &caller)?)).await?;
    answer(StatusCode::OK, &found)
}

/// The status of the tenants that a caller may ask about.
pub fn of(service: &Service, caller: &Caller) -> Result<StatusAnswer, LedgerError> {
    let configured = service.all_configured();
    let mut found = status::status(&service.ledger, &configured, &service.flights, caller.clock.now())?;
    found.tenants.retain(|tenant| caller.token.reaches(tenant.tenant));
    if !service.has_schedule {
        found.tenants.iter_mut().for_each(|tenant| tenant.next_sync = None);
    }
    Ok(found)
}
