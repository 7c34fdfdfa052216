//! Repair plans, the restore guard, and names that passed from hand to hand.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use crate::domain::id::{ChainId, SnapshotId};
use crate::domain::name::NameKind;
use crate::http::access::caller;
use crate::http::access::role::Right;
use crate::http::place::{Json, Places, Query, Tenant, answer};
use crate::http::problem::{Code, Problem};
use crate::http::service::{Shared, blocking};
use crate::service::plan::{self, PlanAnswer};
use crate::service::restore::{self, Recipient, RestoreAnswer, RestoreRequest};
use crate::service::reuse::{self, ReuseList};

/// What is to be restored, and to whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RestoreCheckRequest {
    /// The chain.
    pub chain: ChainId,
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// To whom: an object's id, or a name.
    pub to: String,
    /// What a name is meant as.
    #[serde(default)]
    pub kind: NameKind,
}

/// How to repair a chain that holds more than one person's data, or why nothing is to be done.
#[utoipa::path(get, path = "/v1/tenants/{t}/chains/{c}/plan", operation_id = "plan", tag = "findings",
    params(
        ("t" = String, Path, description = "The tenant's id or alias"),
        ("c" = ChainId, Path, description = "The chain"),
    ),
    responses((status = 200, description = "The plan", body = PlanAnswer)))]
pub async fn plan(tenant: Tenant, places: Places, query: Query) -> Result<Response, Problem> {
    query.only(&[])?;
    let chain: ChainId = places.read("c")?;
    tenant.looks.chain(&chain);
    let desk = tenant.desk;
    let found = blocking(move || {
        plan::plan(&desk, &chain)?.ok_or_else(|| {
            Problem::new(Code::UnknownChain, format!("chain {chain} has no snapshot in tenant {}", desk.tenant))
        })
    });
    answer(StatusCode::OK, &found.await?)
}

/// May this snapshot be restored to that person? With `verify=true` the directory is read first, which needs the role
/// `agent` or `admin`.
#[utoipa::path(post, path = "/v1/tenants/{t}/restore-checks", operation_id = "restore_check", tag = "verdicts",
    params(
        ("t" = String, Path, description = "The tenant's id or alias"),
        ("verify" = Option<bool>, Query, description = "Read the directory now, before judging"),
    ),
    request_body(content = RestoreCheckRequest, description = "Which snapshot, and to whom"),
    responses((status = 200, description = "The verdict", body = RestoreAnswer)))]
pub async fn restore_check(
    State(service): State<Shared>,
    tenant: Tenant,
    query: Query,
    Json(asked): Json<RestoreCheckRequest>,
) -> Result<Response, Problem> {
    query.only(&["verify"])?;
    let verify = query.flag("verify")?;
    if verify {
        caller::may(&tenant.caller.token, Right::ReadLive)?;
    }
    let RestoreCheckRequest { chain, snapshot, to, kind } = asked;
    tenant.looks.chain(&chain);
    let to = match to.parse() {
        Ok(object) => Recipient::Object(object),
        Err(_) => {
            Recipient::Name(to.parse().map_err(|error| Problem::new(Code::InvalidBody, format!("to: {error}")))?, kind)
        }
    };
    match &to {
        Recipient::Object(object) => tenant.looks.object(*object),
        Recipient::Name(name, _) => tenant.looks.name(name),
    }
    let request = RestoreRequest { chain, snapshot, to };
    let (desk, clock) = (tenant.desk, tenant.caller.clock);
    let found = if verify {
        let id = desk.tenant;
        let context = blocking(move || service.live_context(id, clock)).await?;
        restore::restore_check_live(&desk, &context, &request).await?
    } else {
        blocking(move || Ok(restore::restore_check(&desk, &request)?)).await?
    };
    answer(StatusCode::OK, &found)
}

/// Every name with more than one holder, and names released lately.
#[utoipa::path(get, path = "/v1/tenants/{t}/reuse", operation_id = "reuse", tag = "people",
    params(
        ("t" = String, Path, description = "The tenant's id or alias"),
        ("cursor" = Option<String>, Query, description = "Where the page begins, as the page before tells"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "How many items, 100 if nothing is said, at most 1,000"),
    ),
    responses((status = 200, description = "A page of them", body = ReuseList)))]
pub async fn reuse(tenant: Tenant, query: Query) -> Result<Response, Problem> {
    query.only(&["cursor", "limit"])?;
    let (cursor, limit) = (query.read("cursor")?, query.limit()?);
    let desk = tenant.desk;
    let found = blocking(move || Ok(reuse::reuse(&desk, cursor.as_ref(), limit)?)).await?;
    let holders = found.items.iter().flat_map(|item| &item.holders);
    holders.for_each(|holder| tenant.looks.object(holder.person.object));
    answer(StatusCode::OK, &found)
}
