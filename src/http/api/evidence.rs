//! What auditors hold the service to: the journal, where it stands, and who asked what.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use crate::domain::id::{ChainId, Sequence, SnapshotId};
use crate::domain::name::Name;
use crate::http::access::caller::Caller;
use crate::http::access::log::{Entry, Place};
use crate::http::pieces::pieces;
use crate::http::place::{Places, Query, Tenant, answer};
use crate::http::problem::{Code, Problem};
use crate::http::service::{Shared, blocking};
use crate::service::evidence::{self, CheckpointAnswer, ProofAnswer};
use crate::service::journal::{self, EntryAnswer};

/// How many entries are read at a time.
const ENTRIES: usize = 64;

/// A page of the log of who asked what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AccessList {
    /// The requests, newest first.
    pub items: Vec<Entry>,
    /// Where the next page begins.
    pub cursor: Option<String>,
}

/// The journal from a commit on, a JSON object a line.
#[utoipa::path(get, path = "/v1/tenants/{t}/journal", operation_id = "journal", tag = "evidence",
    params(
        ("t" = String, Path, description = "The tenant's id or alias"),
        ("from" = Option<Sequence>, Query, description = "The first commit wanted; 1 if nothing is said"),
    ),
    responses((status = 200, description = "Entries, one a line, up to the newest", body = EntryAnswer,
        content_type = "application/x-ndjson")))]
pub async fn journal(State(service): State<Shared>, tenant: Tenant, query: Query) -> Result<Response, Problem> {
    query.only(&["from"])?;
    let from = Sequence(query.read::<u64>("from")?.unwrap_or(1).max(1));
    // One that nobody reads holds a thread until it is given up.
    let leave = service.journals.begin(&tenant.caller.token.id).await?;
    tenant.looks.thing("journal", from);
    let desk = tenant.desk;
    let newest = {
        let desk = desk.clone();
        blocking(move || Ok(desk.ledger.head(desk.tenant)?.sequence)).await?
    };
    let (pieces, body) = pieces();
    tokio::task::spawn_blocking(move || {
        let _leave = leave;
        let mut next = from;
        while next <= newest {
            match journal::lines(&desk, next, newest, ENTRIES) {
                Ok((text, after)) => {
                    next = after;
                    if !pieces.give(text) {
                        return;
                    }
                }
                Err(error) => return pieces.break_off(std::io::Error::other(error)),
            }
        }
        pieces.finish();
    });
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response())
}

/// Where the log of commits stands, signed.
///
/// `note` is a checkpoint as C2SP's tlog-checkpoint has it. Keep it: `whowas prove consistency` then shows that what came later
/// continues it, and a history that was written anew cannot be shown to.
#[utoipa::path(get, path = "/v1/tenants/{t}/checkpoint", operation_id = "checkpoint", tag = "evidence",
    params(
        ("t" = String, Path, description = "The tenant's id or alias"),
        ("at" = Option<Sequence>, Query, description = "After this commit instead of the newest"),
    ),
    responses((status = 200, description = "The newest commit, its hash, and the signed root of the log", body = CheckpointAnswer)))]
pub async fn checkpoint(State(service): State<Shared>, tenant: Tenant, query: Query) -> Result<Response, Problem> {
    query.only(&["at"])?;
    let at = query.read::<u64>("at")?.map(Sequence);
    let desk = tenant.desk;
    let found = blocking(move || Ok(evidence::checkpoint(&desk, &service.keys, at)?));
    answer(StatusCode::OK, &found.await?)
}

/// That the log of commits continues what it was after an older commit, for whoever kept the checkpoint of then.
#[utoipa::path(get, path = "/v1/tenants/{t}/proofs/consistency", operation_id = "prove_consistency", tag = "evidence",
    params(
        ("t" = String, Path, description = "The tenant's id or alias"),
        ("older" = Sequence, Query, description = "The older commit: the size in the checkpoint that was kept"),
        ("at" = Option<Sequence>, Query, description = "Up to this commit instead of the newest"),
    ),
    responses((status = 200, description = "The proof; compare the older checkpoint in it with the one that was kept", body = ProofAnswer)))]
pub async fn prove_consistency(
    State(service): State<Shared>,
    tenant: Tenant,
    query: Query,
) -> Result<Response, Problem> {
    query.only(&["older", "at"])?;
    let older = query.read::<u64>("older")?.map(Sequence);
    let older = older.ok_or_else(|| Problem::parameter("older", "say the size of the checkpoint that was kept"))?;
    let at = query.read::<u64>("at")?.map(Sequence);
    let desk = tenant.desk;
    let found = blocking(move || Ok(evidence::prove_consistency(&desk, &service.keys, older, at)?));
    answer(StatusCode::OK, &found.await?)
}

/// Whose data a snapshot holds, with the facts on which that rests, for an auditor who does not trust the service.
#[utoipa::path(get, path = "/v1/tenants/{t}/snapshots/{chain}/{snapshot}/proof", operation_id = "prove_snapshot", tag = "evidence",
    params(
        ("t" = String, Path, description = "The tenant's id or alias"),
        ("chain" = ChainId, Path, description = "The chain"),
        ("snapshot" = SnapshotId, Path, description = "The snapshot"),
        ("older" = Option<Sequence>, Query, description = "Also show that the log continues what it was after this commit: the size in a checkpoint that was kept"),
    ),
    responses((status = 200, description = "The proof", body = ProofAnswer)))]
pub async fn prove_snapshot(
    State(service): State<Shared>,
    tenant: Tenant,
    places: Places,
    query: Query,
) -> Result<Response, Problem> {
    query.only(&["older"])?;
    let older = query.read::<u64>("older")?.map(Sequence);
    let (chain, snapshot) = (places.read::<ChainId>("chain")?, places.read::<SnapshotId>("snapshot")?);
    tenant.looks.chain(&chain);
    let desk = tenant.desk;
    let found = blocking(move || Ok(evidence::prove_snapshot(&desk, &service.keys, &chain, &snapshot, older)?));
    answer(StatusCode::OK, &found.await?)
}

/// Who asked what, the newest first. A token for some tenants sees what was asked about them.
#[utoipa::path(get, path = "/v1/access", operation_id = "access_list", tag = "evidence",
    params(
        ("token" = Option<String>, Query, description = "With this token only"),
        ("name" = Option<Name>, Query, description = "About this name only"),
        ("subject" = Option<String>, Query, description = "About this only, as an entry names it, for example object:ID"),
        ("cursor" = Option<String>, Query, description = "Where the page begins, as the page before tells"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "How many items, 100 if nothing is said, at most 1,000"),
    ),
    responses((status = 200, description = "A page of them", body = AccessList)))]
pub async fn access(State(service): State<Shared>, caller: Caller, query: Query) -> Result<Response, Problem> {
    query.only(&["token", "name", "subject", "cursor", "limit"])?;
    let (token, subject) = (query.read::<String>("token")?, query.read::<String>("subject")?);
    let name = query.read::<Name>("name")?.map(|name| service.access_log.digest_of_name(&name));
    let (before, limit) = (query.read::<Place>("cursor")?, query.limit()?);
    let found = blocking(move || {
        let is_wanted = |entry: &Entry| {
            let is_about =
                |wanted: &Option<String>| wanted.as_ref().is_none_or(|wanted| entry.subjects.contains(wanted));
            let reaches = match (&caller.token.tenants, entry.tenant) {
                (None, _) => true,
                (Some(_), Some(tenant)) => caller.token.reaches(tenant),
                (Some(_), None) => entry.token.as_ref() == Some(&caller.token.id),
            };
            reaches
                && is_about(&subject)
                && is_about(&name)
                && token.as_ref().is_none_or(|token| entry.token.as_ref() == Some(token))
        };
        let read = service.access_log.read(before.as_ref(), limit, is_wanted);
        read.map_err(|error| {
            tracing::error!(%error, "the access log cannot be read");
            Problem::new(Code::AccessLogUnavailable, "the access log cannot be read")
        })
    });
    let (items, rest) = found.await?;
    answer(StatusCode::OK, &AccessList { items, cursor: rest.map(|place| place.to_string()) })
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::http::Request;
    use tower::ServiceExt;

    use crate::domain::fact::{Fact, Feed, Horizon};
    use crate::domain::id::TenantId;
    use crate::http::access::role::Role;
    use crate::http::access::tokens::Wanted;
    use crate::http::service::Limits;
    use crate::http::{api, trial};
    use crate::ledger::{Batch, Stamp};

    #[tokio::test]
    async fn a_journal_that_nobody_reads_keeps_one_place_until_it_is_given_up_and_not_a_thread_each_time() {
        let folder = tempfile::tempdir().unwrap();
        // One journal at a time.
        let service = trial::service(folder.path(), Limits::default());
        let tenant = TenantId::from_bytes([7; 16]);
        // More than what waits for a reader.
        for second in 0..600 {
            let at = trial::NOW.plus(std::time::Duration::from_secs(second));
            let facts = vec![Fact::Horizon(Horizon { feed: Feed::Delta, from: at, through: at })];
            let batch = Batch { facts, ..Batch::default() };
            service.ledger.append(tenant, batch, Stamp { now: at, salt: [1; 16] }).unwrap();
        }
        let wanted = Wanted { label: None, role: Role::Auditor, tenants: None, lasts: None };
        let (_, token) = service.tokens.add(wanted, service.clock).unwrap();
        let router: Router = api::routes(&service).0.with_state(service.clone());
        let ask = async || {
            let request = Request::get(format!("/v1/tenants/{tenant}/journal"));
            let request = request.header("authorization", format!("Bearer {token}")).body(Body::empty()).unwrap();
            router.clone().oneshot(request).await.unwrap()
        };
        let unread = ask().await;
        assert_eq!(unread.status(), 200);
        assert_eq!(ask().await.status(), 429);
        drop(unread);
        for _ in 0..100 {
            if ask().await.status() == 200 {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("its place is not free again");
    }
}
