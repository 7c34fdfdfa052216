//! Findings, and an operator's word on them.

use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use crate::domain::finding::{FindingId, FindingKind, FindingState, Severity};
use crate::http::place::{JsonIfAny, Places, Query, Tenant, answer, word};
use crate::http::problem::{Code, Problem};
use crate::http::service::blocking;
use crate::service::findings::{self, Filter, FindingAnswer, FindingError, FindingList, Word};

/// Longest note, in bytes.
const NOTE_BYTES_MAX: usize = 4 * 1024;

/// An operator's word.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ReviewRequest {
    /// Who says so; the token's label or id if nothing is said. The token's id stands beside it in any case.
    pub by: Option<String>,
    /// What there is to say.
    pub note: Option<String>,
}

/// What an auditor or operator must look at, the worst and newest first.
#[utoipa::path(get, path = "/v1/tenants/{t}/findings", operation_id = "finding_list", tag = "findings",
    params(
        ("t" = String, Path, description = "The tenant's id or alias"),
        ("kind" = Option<FindingKind>, Query, description = "Of this kind only"),
        ("severity" = Option<Severity>, Query, description = "Of this severity only"),
        ("state" = Option<FindingState>, Query, description = "In this state only; all but withdrawn if nothing is said"),
        ("cursor" = Option<String>, Query, description = "Where the page begins, as the page before tells"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "How many items, 100 if nothing is said, at most 1,000"),
    ),
    responses((status = 200, description = "A page of them", body = FindingList)))]
pub async fn list(tenant: Tenant, query: Query) -> Result<Response, Problem> {
    query.only(&["kind", "severity", "state", "cursor", "limit"])?;
    let states = word::<FindingState>(&query, "state")?.into_iter().collect();
    let filter = Filter { kind: word(&query, "kind")?, severity: word(&query, "severity")?, states };
    let (cursor, limit) = (query.read("cursor")?, query.limit()?);
    let desk = tenant.desk;
    let found = blocking(move || Ok(findings::findings(&desk, &filter, cursor.as_ref(), limit)?)).await?;
    found.items.iter().flat_map(|finding| &finding.objects).for_each(|object| tenant.looks.object(*object));
    answer(StatusCode::OK, &found)
}

/// One finding, and what is behind it.
#[utoipa::path(get, path = "/v1/tenants/{t}/findings/{id}", operation_id = "finding_show", tag = "findings",
    params(
        ("t" = String, Path, description = "The tenant's id or alias"),
        ("id" = FindingId, Path, description = "The finding"),
    ),
    responses((status = 200, description = "The finding", body = FindingAnswer)))]
pub async fn show(tenant: Tenant, places: Places, query: Query) -> Result<Response, Problem> {
    query.only(&[])?;
    let id: FindingId = places.read("id")?;
    tenant.looks.finding(id);
    let desk = tenant.desk;
    let found = blocking(move || findings::show(&desk, id).map_err(problem)).await?;
    found.objects.iter().for_each(|object| tenant.looks.object(*object));
    answer(StatusCode::OK, &found)
}

/// Takes down that somebody has seen a finding.
#[utoipa::path(post, path = "/v1/tenants/{t}/findings/{id}/acknowledge", operation_id = "finding_acknowledge",
    tag = "findings",
    params(
        ("t" = String, Path, description = "The tenant's id or alias"),
        ("id" = FindingId, Path, description = "The finding"),
    ),
    request_body(content = ref("#/components/schemas/ReviewRequest"), description = "Who says so, and what; may be left out",
        content_type = "application/json"),
    responses((status = 200, description = "The finding", body = FindingAnswer)))]
pub async fn acknowledge(
    tenant: Tenant,
    places: Places,
    query: Query,
    JsonIfAny(said): JsonIfAny<ReviewRequest>,
) -> Result<Response, Problem> {
    query.only(&[])?;
    review(tenant, places.read("id")?, Word::Acknowledge, said).await
}

/// Takes down that a finding was dealt with.
#[utoipa::path(post, path = "/v1/tenants/{t}/findings/{id}/resolve", operation_id = "finding_resolve", tag = "findings",
    params(
        ("t" = String, Path, description = "The tenant's id or alias"),
        ("id" = FindingId, Path, description = "The finding"),
    ),
    request_body(content = ref("#/components/schemas/ReviewRequest"), description = "Who says so, and what; may be left out",
        content_type = "application/json"),
    responses((status = 200, description = "The finding", body = FindingAnswer)))]
pub async fn resolve(
    tenant: Tenant,
    places: Places,
    query: Query,
    JsonIfAny(said): JsonIfAny<ReviewRequest>,
) -> Result<Response, Problem> {
    query.only(&[])?;
    review(tenant, places.read("id")?, Word::Resolve, said).await
}

async fn review(tenant: Tenant, id: FindingId, word: Word, said: ReviewRequest) -> Result<Response, Problem> {
    let ReviewRequest { by, note } = said;
    for (what, text) in [("by", &by), ("note", &note)] {
        if text.as_ref().is_some_and(|text| text.len() > NOTE_BYTES_MAX) {
            return Err(Problem::new(Code::InvalidBody, format!("{what} is longer than {NOTE_BYTES_MAX} bytes")));
        }
    }
    tenant.looks.finding(id);
    let by = signed(&tenant, by);
    let desk = tenant.desk;
    answer(StatusCode::OK, &blocking(move || findings::review(&desk, id, word, Some(by), note).map_err(problem)).await?)
}

/// Whoever says so by their own word, with the token that shows who it was.
pub fn signed(tenant: &Tenant, by: Option<String>) -> String {
    let token = &tenant.caller.token;
    match by.filter(|by| !by.trim().is_empty()) {
        Some(by) => format!("{by} (token {})", token.id),
        None => token
            .label
            .as_ref()
            .map_or_else(|| format!("token {}", token.id), |label| format!("{label} (token {})", token.id)),
    }
}

/// Why a word was not taken.
pub fn problem(error: FindingError) -> Problem {
    match error {
        FindingError::Unknown(_) => Problem::new(Code::UnknownFinding, error.to_string()),
        FindingError::Withdrawn { .. } => Problem::new(Code::FindingWithdrawn, error.to_string()),
        FindingError::Ledger(error) => error.into(),
    }
}
