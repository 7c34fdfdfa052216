//! What auditors hold the service to: the journal, where it stands, and who asked what.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use crate::domain::id::{Sequence, TenantId};
use crate::domain::name::Name;
use crate::domain::time::Instant;
use crate::http::access::caller::Caller;
use crate::http::access::log::{Entry, Place};
use crate::http::pieces::pieces;
use crate::http::place::{Query, Tenant, answer};
use crate::http::problem::{Code, Problem};
use crate::http::service::{Shared, blocking};
use crate::service::journal::{self, EntryAnswer};
use crate::store::Hash;

/// How many entries are read at a time.
const ENTRIES: usize = 64;

/// Where the journal stands. Whoever keeps it notices a history that was written anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CheckpointAnswer {
    /// The tenant.
    pub tenant: TenantId,
    /// The newest commit.
    pub sequence: Sequence,
    /// Its hash, which follows from all before it.
    pub hash: Hash,
    /// When it was recorded.
    pub recorded: Option<Instant>,
}

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
    });
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response())
}

/// Where the journal stands.
#[utoipa::path(get, path = "/v1/tenants/{t}/checkpoint", operation_id = "checkpoint", tag = "evidence",
    params(("t" = String, Path, description = "The tenant's id or alias")),
    responses((status = 200, description = "The newest commit and its hash", body = CheckpointAnswer)))]
pub async fn checkpoint(tenant: Tenant, query: Query) -> Result<Response, Problem> {
    query.only(&[])?;
    let desk = tenant.desk;
    let found = blocking(move || {
        let head = desk.ledger.head(desk.tenant)?;
        Ok(CheckpointAnswer { tenant: desk.tenant, sequence: head.sequence, hash: head.hash, recorded: head.recorded })
    });
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
