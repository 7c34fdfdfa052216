//! A sync now.

use axum::extract::State;
use axum::response::Response;

use super::form::Form;
use super::frame::Who;
use super::to;
use crate::http::api::syncs::{self, SyncRequest};
use crate::http::place::{Filled, JsonIfAny, Tenant};
use crate::http::problem::{Code, Problem};
use crate::http::service::Shared;

/// Begins a sync and shows the tenant's page, on which its progress stands. One that is under way is shown as well.
pub async fn begin(
    State(service): State<Shared>,
    tenant: Tenant,
    _who: Who,
    Filled(query): Filled,
    _form: Form,
) -> Result<Response, Problem> {
    let place = format!("/t/{}", tenant.desk.tenant);
    match syncs::begin(State(service), tenant, query, JsonIfAny(SyncRequest::default())).await {
        Ok(_) => to(&place),
        Err(problem) if problem.code == Code::SyncRunning => to(&place),
        Err(problem) => Err(problem),
    }
}
