//! An auditor's word on a finding.

use axum::response::Response;

use super::form::Form;
use super::frame::Who;
use super::to;
use crate::domain::finding::FindingId;
use crate::domain::id::Sequence;
use crate::http::api::findings::{problem, signed};
use crate::http::place::{Filled, Query, Tenant};
use crate::http::problem::Problem;
use crate::http::service::blocking;
use crate::service::findings::{self, Word};

/// Longest note, in bytes.
const NOTE_BYTES_MAX: usize = 2_000;

/// Somebody has seen it.
pub async fn acknowledge(tenant: Tenant, _who: Who, Filled(query): Filled, form: Form) -> Result<Response, Problem> {
    review(tenant, &query, &form, Word::Acknowledge, "acknowledged").await
}

/// It was dealt with.
pub async fn resolve(tenant: Tenant, _who: Who, Filled(query): Filled, form: Form) -> Result<Response, Problem> {
    review(tenant, &query, &form, Word::Resolve, "resolved").await
}

async fn review(
    tenant: Tenant,
    query: &Query,
    form: &Form,
    word: Word,
    said: &'static str,
) -> Result<Response, Problem> {
    query.only(&[])?;
    let id: FindingId = form.text("id").parse().map_err(|error| Problem::parameter("id", error))?;
    let note = form.short("note", NOTE_BYTES_MAX)?;
    tenant.looks.finding(id);
    let by = Some(signed(&tenant, None));
    let desk = tenant.desk;
    let seen = match form.text("seen") {
        "" => None,
        text => Some(Sequence(text.parse().map_err(|error| Problem::parameter("seen", error))?)),
    };
    let place = format!("/t/{}/finding?id={id}", desk.tenant);
    let said = blocking(move || {
        // Whoever looked at the page before it changed has not seen what their word would be about.
        if let Some(seen) = seen
            && findings::show(&desk, id).map_err(problem)?.newest() != seen
        {
            return Ok(format!("said=changed&seen={}", seen.0));
        }
        findings::review(&desk, id, word, by, note).map_err(problem)?;
        Ok(format!("said={said}"))
    })
    .await?;
    to(&format!("{place}&{said}"))
}
