//! Who asks: the token is found, its role looked at, and the request written into the log.

use std::num::NonZeroU32;

use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::log::{Entry, Looks};
use super::role::Right;
use super::tokens::{Refused, Token};
use crate::clock::Clock;
use crate::domain::id::TenantId;
use crate::http::problem::{Code, Problem};
use crate::http::service::{Limits, Service, Shared};

/// How many requests without a good token are logged a second in the long run, and at once. The others are only counted.
const STRANGERS: (u32, u32) = (5, 500);

/// Whoever asks, once that is known.
#[derive(Clone, Debug)]
pub struct Caller {
    /// With which token.
    pub token: Token,
    /// What time the request is made at.
    pub clock: Clock,
    /// Collects what the request is about.
    pub looks: Looks,
}

/// The id under which a request stands in the logs.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

/// How many requests each token makes.
pub struct Pace {
    limiter: DefaultKeyedRateLimiter<String>,
    /// Which of the requests without a good token are logged: whoever floods us must not fill the disk.
    strangers: DefaultDirectRateLimiter,
    clock: DefaultClock,
}

impl Pace {
    /// At most this many.
    pub fn of(limits: &Limits) -> Self {
        let at_least_one = |count| NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(at_least_one(limits.per_second)).allow_burst(at_least_one(limits.burst));
        let strangers = Quota::per_second(at_least_one(STRANGERS.0)).allow_burst(at_least_one(STRANGERS.1));
        Self {
            limiter: RateLimiter::keyed(quota),
            strangers: RateLimiter::direct(strangers),
            clock: DefaultClock::default(),
        }
    }

    /// Whether one more request without a good token is logged.
    pub fn logs_stranger(&self) -> bool {
        self.strangers.check().is_ok()
    }

    fn check(&self, token: &Token) -> Result<(), Problem> {
        self.limiter.check_key(&token.id).map_err(|not_until| {
            let wait = not_until.wait_time_from(self.clock.now());
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            let problem = Problem::new(Code::RateLimited, "this token has made more requests than it may");
            let problem = problem.with_hint("wait as long as Retry-After says; ask for many verdicts in one request");
            Problem { retry_after: Some(seconds.max(1)), ..problem }
        })
    }
}

/// Lets a request with a bearer token pass if the token's role has the right, and writes it into the log either way.
pub async fn by_token(State((service, right)): State<(Shared, Right)>, request: Request, next: Next) -> Response {
    let caller = bearer(request.headers()).and_then(|text| known(&service, text, request.headers()));
    admit(&service, caller, right, request, next).await
}

/// Lets a caller pass if the role has the right, and writes the request into the log either way.
pub async fn admit(
    service: &Shared,
    caller: Result<Caller, Problem>,
    right: Right,
    request: Request,
    next: Next,
) -> Response {
    // A task of its own, because whoever hangs up ends what is awaited for them, but not what is being written for them: the
    // work goes on to its end and so to its entry, whether or not somebody still waits for the answer.
    let admitted = tokio::spawn(admitted(service.clone(), caller, right, request, next));
    match admitted.await.map_err(tokio::task::JoinError::try_into_panic) {
        Ok(response) => response,
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        Err(Err(ended)) => Problem::internal(&ended).into_response(),
    }
}

async fn admitted(
    service: Shared,
    caller: Result<Caller, Problem>,
    right: Right,
    mut request: Request,
    next: Next,
) -> Response {
    let entry = Entry {
        at: service.clock.now(),
        request: request.extensions().get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default(),
        token: caller.as_ref().ok().map(|caller| caller.token.id.clone()),
        role: caller.as_ref().ok().map(|caller| caller.token.role),
        tenant: None,
        method: request.method().to_string(),
        route: request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned()).unwrap_or_default(),
        status: 0,
        subjects: Vec::new(),
        more: 0,
    };
    let looks = caller.as_ref().ok().map(|caller| caller.looks.clone());
    let unwritten = Unwritten { service: service.clone(), entry, looks, is_written: false };
    let response = match caller {
        Err(problem) => refuse(problem),
        Ok(caller) => match service.pace.check(&caller.token).and_then(|()| may(&caller.token, right)) {
            Err(problem) => refuse(problem),
            Ok(()) => {
                // For those whose answers are streamed, and so end after their entry was written.
                request.extensions_mut().insert(Logged(unwritten.entry.clone()));
                request.extensions_mut().insert(caller);
                let done = tokio::time::timeout(service.limits.patience, next.run(request)).await;
                done.unwrap_or_else(|_| out_of_time(&service).into_response())
            }
        },
    };
    match unwritten.write(response.status()) {
        Ok(()) => response,
        Err(problem) => problem.into_response(),
    }
}

/// The problem that a request took too long.
pub fn out_of_time(service: &Service) -> Problem {
    Problem::new(Code::Timeout, format!("it was not done within {} s", service.limits.patience.as_secs()))
}

/// The entry of a request that is being answered. It is written at the latest when the request is given up, since what it
/// looked at or wrote until then was looked at and written.
struct Unwritten {
    service: Shared,
    entry: Entry,
    looks: Option<Looks>,
    is_written: bool,
}

impl Unwritten {
    fn write(mut self, status: StatusCode) -> Result<(), Problem> {
        self.put(status)
    }

    fn put(&mut self, status: StatusCode) -> Result<(), Problem> {
        self.is_written = true;
        if self.looks.is_none() && !self.service.pace.logs_stranger() {
            return Ok(());
        }
        let (subjects, more) = self.looks.as_ref().map(Looks::take).unwrap_or_default();
        let tenant = self.looks.as_ref().and_then(Looks::tenant_noted);
        write(&self.service, &Entry { tenant, status: status.as_u16(), subjects, more, ..self.entry.clone() })
    }
}

impl Drop for Unwritten {
    fn drop(&mut self) {
        if self.is_written {
            return;
        }
        // Either the handler panicked, or the service ends and waits no longer.
        let is_panic = std::thread::panicking();
        let status = if is_panic { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::SERVICE_UNAVAILABLE };
        // That it cannot be written is told and counted; nothing is shown in either case.
        let _told = self.put(status);
    }
}

/// Writes an entry, or says why nothing may be shown.
///
/// # Errors
/// If the log cannot be written.
pub fn write(service: &Service, entry: &Entry) -> Result<(), Problem> {
    service.access_log.write(entry).map_err(|error| {
        metrics::counter!("whowas_access_log_failures_total").increment(1);
        tracing::error!(%error, "the access log cannot be written");
        let problem =
            Problem::new(Code::AccessLogUnavailable, "what is looked at cannot be logged, so nothing is shown");
        let problem = problem.with_hint("tell the operator; most often the disk is full");
        Problem { retry_after: Some(30), ..problem }
    })
}

/// The beginning of a request's entry, for further entries of the same request.
#[derive(Clone, Debug)]
pub struct Logged(pub Entry);

impl Logged {
    /// A further entry about what was looked at since the last one.
    pub fn with(&self, tenant: TenantId, status: u16, looks: &Looks) -> Entry {
        let (subjects, more) = looks.take();
        Entry { tenant: Some(tenant), status, subjects, more, ..self.0.clone() }
    }
}

/// The caller whose token has this text.
///
/// # Errors
/// Why the token is refused.
pub fn known(service: &Service, text: &str, headers: &HeaderMap) -> Result<Caller, Problem> {
    let found = service.tokens.find(text, service.clock.now()).map_err(|error| Problem::internal(&error))?;
    let token = found.map_err(refused)?;
    Ok(Caller { token, clock: service.clock_of(headers)?, looks: service.access_log.looks() })
}

/// The problem of a token that is refused.
pub fn refused(why: Refused) -> Problem {
    let code = match why {
        Refused::Unknown => Code::Unauthenticated,
        Refused::Revoked => Code::TokenRevoked,
        Refused::Expired => Code::TokenExpired,
    };
    Problem::new(code, why.to_string()).with_hint("`whowas token add` gives out another one, where the service runs")
}

/// Whether a token's role has a right.
///
/// # Errors
/// If it has not.
pub fn may(token: &Token, right: Right) -> Result<(), Problem> {
    if token.role.has(right) {
        return Ok(());
    }
    let may: Vec<&str> =
        super::role::Role::ALL.into_iter().filter(|role| role.has(right)).map(super::role::Role::word).collect();
    let detail = format!("the token's role is {}; this needs {}", token.role, may.join(" or "));
    Err(Problem::new(Code::RoleForbidden, detail))
}

fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let missing = || {
        Problem::new(Code::Unauthenticated, "there is no token in the request")
            .with_hint("send the header Authorization: Bearer TOKEN")
    };
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(only), None) = (given.next(), given.next()) else { return Err(missing()) };
    let text = only.to_str().map_err(|_| missing())?;
    let (scheme, token) = text.split_once(' ').ok_or_else(missing)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(token.trim()) } else { Err(missing()) }
}

fn refuse(problem: Problem) -> Response {
    metrics::counter!("whowas_access_denied_total", "reason" => problem.code.word()).increment(1);
    problem.into_response()
}

/// The caller, for handlers.
impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        // Every route is guarded; one that is not has nobody to show anything to.
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Problem::new(Code::Unauthenticated, "nobody asks"))
    }
}
