//! `GET …/names/{name}`, `…/names/{name}/history` and `…/objects/{id}`.

use axum::http::StatusCode;
use axum::response::Response;

use crate::domain::id::{ObjectId, TenantId};
use crate::domain::name::{Name, NameKind};
use crate::domain::time::Instant;
use crate::http::place::{Places, Query, Tenant, answer};
use crate::http::problem::{Code, Problem};
use crate::http::service::blocking;
use crate::service::history::{self, NameAnswer, ObjectAnswer};
use crate::service::who::{self, WhoAnswer};

/// Who holds, or held, a name.
#[utoipa::path(get, path = "/v1/tenants/{t}/names/{name}", operation_id = "who", tag = "people",
    params(
        ("t" = String, Path, description = "The tenant's id or alias"),
        ("name" = Name, Path, description = "The name"),
        ("at" = Option<Instant>, Query, description = "At this instant instead of now"),
        ("known_at" = Option<String>, Query, description = "As known at this commit (a number) or time"),
        ("kind" = Option<NameKind>, Query, description = "What the name is meant as"),
    ),
    responses((status = 200, description = "The holder, or whom the evidence allows", body = WhoAnswer)))]
pub async fn who(tenant: Tenant, places: Places, query: Query) -> Result<Response, Problem> {
    query.only(&["at", "known_at", "kind"])?;
    let name: Name = places.read("name")?;
    let (at, known_at) = (query.read::<Instant>("at")?, query.known_at()?);
    let kind = query.read::<NameKind>("kind")?.unwrap_or_default();
    tenant.looks.name(&name);
    let desk = tenant.desk;
    let found = blocking(move || Ok(who::who(&desk, &name, kind, at, known_at)?)).await?;
    answer(StatusCode::OK, &found)
}

/// The timeline of a name: everybody who held it.
#[utoipa::path(get, path = "/v1/tenants/{t}/names/{name}/history", operation_id = "name_history", tag = "people",
    params(
        ("t" = String, Path, description = "The tenant's id or alias"),
        ("name" = Name, Path, description = "The name"),
        ("known_at" = Option<String>, Query, description = "As known at this commit (a number) or time"),
    ),
    responses((status = 200, description = "Its holders in order of time; none if nobody ever held it", body = NameAnswer)))]
pub async fn history(tenant: Tenant, places: Places, query: Query) -> Result<Response, Problem> {
    query.only(&["known_at"])?;
    let (name, known_at) = (places.read::<Name>("name")?, query.known_at()?);
    tenant.looks.name(&name);
    let desk = tenant.desk;
    let found = blocking(move || Ok(history::of_name(&desk, &name, known_at)?)).await?;
    answer(StatusCode::OK, &found)
}

/// The timeline of an object: its names, states, mailboxes and snapshots.
#[utoipa::path(get, path = "/v1/tenants/{t}/objects/{id}", operation_id = "object_history", tag = "people",
    params(
        ("t" = String, Path, description = "The tenant's id or alias"),
        ("id" = ObjectId, Path, description = "The object"),
        ("known_at" = Option<String>, Query, description = "As known at this commit (a number) or time"),
    ),
    responses((status = 200, description = "The timeline", body = ObjectAnswer)))]
pub async fn object(tenant: Tenant, places: Places, query: Query) -> Result<Response, Problem> {
    query.only(&["known_at"])?;
    let (object, known_at) = (places.read::<ObjectId>("id")?, query.known_at()?);
    tenant.looks.object(object);
    let desk = tenant.desk;
    let id = desk.tenant;
    let found = blocking(move || Ok(history::of_object(&desk, object, known_at)?)).await?;
    answer(StatusCode::OK, &found.ok_or_else(|| no_object(id, object))?)
}

/// The problem that an object was never seen.
pub fn no_object(tenant: TenantId, object: ObjectId) -> Problem {
    Problem::new(Code::UnknownObject, format!("object {object} was never seen in tenant {tenant}"))
}
