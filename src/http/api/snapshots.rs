//! Snapshots: recording them, what was really read for them, that they are gone, and looking at them.

use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use crate::domain::fact::{Addressed, Receipt, Snapshot};
use crate::domain::id::{ChainId, MailboxId, ObjectId, SnapshotId};
use crate::domain::name::{Name, NameKind};
use crate::domain::time::Instant;
use crate::http::place::{Json, Places, Query, Tenant, answer};
use crate::http::problem::{Code, Problem};
use crate::http::service::blocking;
use crate::service::snapshot::{self, SnapshotAnswer, SnapshotList, Wanted};

/// How many snapshots one request records at most.
const TOGETHER_MAX: usize = 1_000;

/// A snapshot to be recorded, as an import line has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SnapshotRequest {
    /// The chain.
    pub chain: ChainId,
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// The first instant of the read.
    pub from: Instant,
    /// The last instant of the read.
    pub until: Instant,
    /// The name by which the mailbox was opened; this or `object`.
    #[serde(default)]
    pub name: Option<Name>,
    /// What the name was meant as.
    #[serde(default)]
    pub kind: Option<NameKind>,
    /// The object by whose id it was opened.
    #[serde(default)]
    pub object: Option<ObjectId>,
    /// The mailbox instance.
    #[serde(default)]
    pub mailbox: Option<MailboxId>,
}

/// One snapshot, or several that are recorded together or not at all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum SnapshotRequests {
    /// One.
    One(Box<SnapshotRequest>),
    /// Several.
    Several(Vec<SnapshotRequest>),
}

/// An untagged enum would not tell what is wrong with either.
impl<'de> Deserialize<'de> for SnapshotRequests {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::Array(items) => {
                let read = |(index, item)| {
                    serde_json::from_value(item)
                        .map_err(|error| D::Error::custom(format!("snapshot {index} of the array: {error}")))
                };
                items.into_iter().enumerate().map(read).collect::<Result<_, _>>().map(Self::Several)
            }
            one => serde_json::from_value(one).map(Self::One).map_err(D::Error::custom),
        }
    }
}

/// One recorded snapshot, or several in the order in which they were given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum SnapshotAnswers {
    /// One.
    One(Box<SnapshotAnswer>),
    /// Several.
    Several(Vec<SnapshotAnswer>),
}

/// What the agent really read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReceiptRequest {
    /// The object at the start.
    pub object: ObjectId,
    /// The mailbox at the start.
    #[serde(default)]
    pub mailbox: Option<MailboxId>,
    /// The object at the end.
    #[serde(default)]
    pub object_end: Option<ObjectId>,
    /// The mailbox at the end.
    #[serde(default)]
    pub mailbox_end: Option<MailboxId>,
}

/// Records a snapshot, or several together. The same one again changes nothing.
#[utoipa::path(post, path = "/v1/tenants/{t}/snapshots", operation_id = "snapshot_add", tag = "snapshots",
    params(("t" = String, Path, description = "The tenant's id or alias")),
    request_body(content = SnapshotRequests, description = "One snapshot, or an array of at most 1,000"),
    responses((status = 200, description = "What is recorded, and whose data it holds", body = SnapshotAnswers)))]
pub async fn add(tenant: Tenant, query: Query, Json(asked): Json<SnapshotRequests>) -> Result<Response, Problem> {
    query.only(&[])?;
    let (requests, is_one) = match asked {
        SnapshotRequests::One(one) => (vec![*one], true),
        SnapshotRequests::Several(several) => (several, false),
    };
    if requests.len() > TOGETHER_MAX {
        let detail = format!("{} snapshots in one request, and at most {TOGETHER_MAX} may be", requests.len());
        return Err(Problem::new(Code::BodyTooLarge, detail));
    }
    let mut snapshots = Vec::with_capacity(requests.len());
    for (index, request) in requests.into_iter().enumerate() {
        let snapshot = read(request).map_err(|why| match is_one {
            true => Problem::new(Code::InvalidBody, why),
            false => Problem::new(Code::InvalidBody, format!("snapshot {index} of the array: {why}")),
        })?;
        tenant.looks.chain(&snapshot.chain);
        snapshots.push(snapshot);
    }
    let desk = tenant.desk;
    let mut found = blocking(move || Ok(snapshot::add_all(&desk, snapshots)?)).await?;
    match (is_one, found.pop()) {
        (true, Some(one)) => answer(StatusCode::OK, &SnapshotAnswers::One(Box::new(one))),
        (_, last) => {
            found.extend(last);
            answer(StatusCode::OK, &SnapshotAnswers::Several(found))
        }
    }
}

/// Snapshots of a chain, an object or a name.
#[utoipa::path(get, path = "/v1/tenants/{t}/snapshots", operation_id = "snapshot_list", tag = "snapshots",
    params(
        ("t" = String, Path, description = "The tenant's id or alias"),
        ("chain" = Option<ChainId>, Query, description = "Of this chain; exactly one of chain, object and name is given"),
        ("object" = Option<ObjectId>, Query, description = "Addressed by this id, or receipted for it"),
        ("name" = Option<Name>, Query, description = "Addressed by this name"),
        ("cursor" = Option<String>, Query, description = "Where the page begins, as the page before tells"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "How many items, 100 if nothing is said, at most 1,000"),
    ),
    responses((status = 200, description = "A page of them, by chain and time", body = SnapshotList)))]
pub async fn list(tenant: Tenant, query: Query) -> Result<Response, Problem> {
    query.only(&["chain", "object", "name", "cursor", "limit"])?;
    let wanted = match (query.read("chain")?, query.read("object")?, query.read("name")?) {
        (Some(chain), None, None) => Wanted::Chain(chain),
        (None, Some(object), None) => Wanted::Object(object),
        (None, None, Some(name)) => Wanted::Name(name),
        _ => return Err(Problem::parameter("chain", "give exactly one of chain, object and name")),
    };
    match &wanted {
        Wanted::Chain(chain) => tenant.looks.chain(chain),
        Wanted::Object(object) => tenant.looks.object(*object),
        Wanted::Name(name) => tenant.looks.name(name),
    }
    let (cursor, limit) = (query.read("cursor")?, query.limit()?);
    let desk = tenant.desk;
    let found = blocking(move || Ok(snapshot::list(&desk, &wanted, cursor.as_ref(), limit)?)).await?;
    answer(StatusCode::OK, &found)
}

/// One snapshot, and whose data it holds.
#[utoipa::path(get, path = "/v1/tenants/{t}/snapshots/{chain}/{snapshot}", operation_id = "snapshot_show", tag = "snapshots",
    params(
        ("t" = String, Path, description = "The tenant's id or alias"),
        ("chain" = ChainId, Path, description = "The chain"),
        ("snapshot" = SnapshotId, Path, description = "The snapshot"),
    ),
    responses((status = 200, description = "The snapshot", body = SnapshotAnswer)))]
pub async fn show(tenant: Tenant, places: Places, query: Query) -> Result<Response, Problem> {
    query.only(&[])?;
    let (chain, id) = key(&tenant, &places)?;
    let desk = tenant.desk;
    answer(StatusCode::OK, &blocking(move || Ok(snapshot::show(&desk, chain, id)?)).await?)
}

/// Records what the agent really read for a snapshot, which decides over whatever a name would say.
#[utoipa::path(post, path = "/v1/tenants/{t}/snapshots/{chain}/{snapshot}/receipt", operation_id = "snapshot_receipt",
    tag = "snapshots",
    params(
        ("t" = String, Path, description = "The tenant's id or alias"),
        ("chain" = ChainId, Path, description = "The chain"),
        ("snapshot" = SnapshotId, Path, description = "The snapshot"),
    ),
    request_body(content = ReceiptRequest, description = "The object and mailbox at the start and at the end"),
    responses((status = 200, description = "The snapshot with its receipt", body = SnapshotAnswer)))]
pub async fn receipt(
    tenant: Tenant,
    places: Places,
    query: Query,
    Json(asked): Json<ReceiptRequest>,
) -> Result<Response, Problem> {
    query.only(&[])?;
    let (chain, snapshot) = key(&tenant, &places)?;
    let ReceiptRequest { object, mailbox, object_end, mailbox_end } = asked;
    tenant.looks.object(object);
    let receipt = Receipt { chain, snapshot, object, mailbox, object_end, mailbox_end };
    let desk = tenant.desk;
    answer(StatusCode::OK, &blocking(move || Ok(snapshot::receipt(&desk, receipt)?)).await?)
}

/// Records that the backup product no longer keeps a snapshot. What it was stays known.
#[utoipa::path(delete, path = "/v1/tenants/{t}/snapshots/{chain}/{snapshot}", operation_id = "snapshot_expire",
    tag = "snapshots",
    params(
        ("t" = String, Path, description = "The tenant's id or alias"),
        ("chain" = ChainId, Path, description = "The chain"),
        ("snapshot" = SnapshotId, Path, description = "The snapshot"),
    ),
    responses((status = 200, description = "The snapshot, expired", body = SnapshotAnswer)))]
pub async fn expire(tenant: Tenant, places: Places, query: Query) -> Result<Response, Problem> {
    query.only(&[])?;
    let (chain, id) = key(&tenant, &places)?;
    let desk = tenant.desk;
    answer(StatusCode::OK, &blocking(move || Ok(snapshot::expire(&desk, chain, id)?)).await?)
}

fn key(tenant: &Tenant, places: &Places) -> Result<(ChainId, SnapshotId), Problem> {
    let (chain, snapshot) = (places.read("chain")?, places.read("snapshot")?);
    tenant.looks.chain(&chain);
    Ok((chain, snapshot))
}

fn read(request: SnapshotRequest) -> Result<Snapshot, String> {
    let SnapshotRequest { chain, snapshot: id, from, until, name, kind, object, mailbox } = request;
    let addressed = match (name, object, kind) {
        (Some(name), None, kind) => Addressed::Name(name, kind.unwrap_or_default()),
        (None, Some(object), None) => Addressed::Object(object),
        (None, Some(_), Some(_)) => return Err("kind says what a name is meant as, and none is given".to_owned()),
        _ => return Err("give exactly one of name and object".to_owned()),
    };
    Ok(Snapshot { chain, id, from, until, addressed, mailbox })
}
