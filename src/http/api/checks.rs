//! `POST …/checks`: one ask or many. Many are read, judged and answered as they come, so that their number is bounded by
//! nothing but the caller's patience.

use std::io::{BufReader, Read};

use axum::extract::{Extension, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt};
use tokio::runtime::Handle;
use tokio_util::io::{StreamReader, SyncIoBridge};

use crate::clock::Clock;
use crate::config::Span;
use crate::domain::id::Sequence;
use crate::domain::time::Instant;
use crate::domain::verdict::Ask;
use crate::http::access::caller::{self, Logged};
use crate::http::access::log::Looks;
use crate::http::access::role::Right;
use crate::http::elements::{Element, Elements};
use crate::http::metrics;
use crate::http::pieces::{Pieces, pieces};
use crate::http::place::{Query, Tenant, answer, invalid, must_be_json};
use crate::http::problem::{Code, Problem};
use crate::http::service::{Shared, blocking};
use crate::http::streams::SLOWEST;
use crate::ledger::KnownAt;
use crate::service::check::{CheckAnswer, CheckRequest, check as judge, check_live_together};
use crate::service::{Desk, parallel};
use crate::sync::{Context, with_causes};

/// How many asks share their live reads, and stand in one entry of the access log. More would make the first of them wait, and
/// a live read counts as made now for half a minute only.
const TOGETHER_MAX: usize = 400;
/// Longest ask, in bytes.
const ASK_BYTES_MAX: usize = 64 * 1024;

/// One ask, or an array of them.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum Asks {
    /// One.
    One(Box<CheckRequest>),
    /// Several, answered in order.
    Several(Vec<CheckRequest>),
}

/// One verdict, or an array of them.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum Verdicts {
    /// One.
    One(Box<CheckAnswer>),
    /// Several, in the order of the asks.
    Several(Vec<CheckElement>),
}

/// What an element of an array is answered by.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum CheckElement {
    /// A verdict.
    Verdict(Box<CheckAnswer>),
    /// The element is no ask.
    Fault(CheckFault),
}

/// Why an element of an array is no ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CheckFault {
    /// Its place in the array, from 0.
    pub index: usize,
    /// What is wrong with it.
    pub error: String,
}

/// May this be appended to the chain, and whose mailbox is it?
///
/// An array is answered by an array, in order, as it is read; an element that is no ask is answered by `{"index", "error"}`.
/// With `verify=true` the directory is read first, which needs the role `agent` or `admin`.
#[utoipa::path(post, path = "/v1/tenants/{t}/checks", operation_id = "check", tag = "verdicts",
    params(
        ("t" = String, Path, description = "The tenant's id or alias"),
        ("verify" = Option<bool>, Query, description = "Read the directory now, before judging"),
        ("max_age" = Option<String>, Query, description = "Accept evidence by name this old, for example 1h"),
        ("basis" = Option<u64>, Query, description = "Replay: judge by the commits up to this one"),
        ("basis_clock" = Option<Instant>, Query, description = "With it, judge as of this time: the clock in the answer's basis"),
    ),
    request_body(content = Asks, description = "One ask, or an array of them", content_type = "application/json"),
    responses((status = 200, description = "One verdict, or an array of them in the order of the asks", body = Verdicts)))]
pub async fn check(
    State(service): State<Shared>,
    tenant: Tenant,
    query: Query,
    Extension(logged): Extension<Logged>,
    request: Request,
) -> Result<Response, Problem> {
    query.only(&["verify", "max_age", "basis", "basis_clock"])?;
    let verify = query.flag("verify")?;
    let known_at = query.read("basis")?.map_or(KnownAt::Now, |number| KnownAt::Sequence(Sequence(number)));
    if verify {
        caller::may(&tenant.caller.token, Right::ReadLive)?;
        if known_at != KnownAt::Now {
            return Err(Problem::parameter("basis", "what is replayed is not read again; leave out verify"));
        }
    }
    let basis_clock = query.read::<Instant>("basis_clock")?;
    if basis_clock.is_some() && known_at == KnownAt::Now {
        return Err(Problem::parameter("basis_clock", "it belongs to a basis; give the sequence of the basis too"));
    }
    must_be_json(request.headers())?;
    let Tenant { mut desk, caller, looks } = tenant;
    if basis_clock.is_some() {
        desk.clock = Clock::new(basis_clock);
    }
    if let Some(age) = query.read::<Span>("max_age")? {
        desk.policy.name_max_age = age.0;
    }
    let context = if verify {
        let (service, tenant, clock) = (service.clone(), desk.tenant, caller.clock);
        Some(blocking(move || service.live_context(tenant, clock)).await?)
    } else {
        None
    };
    let body = request.into_body().into_data_stream().map_err(std::io::Error::other);
    let mut body = StreamReader::new(Box::pin(SLOWEST.of(body)));
    let token = caller.token.id;
    let judge = Judge { service, desk, token, context, known_at, looks, logged };
    match first_byte(&mut body).await? {
        Some(b'[') => judge.many(body).await,
        Some(_) => {
            let mut text = Vec::new();
            let read = (&mut body).take(ASK_BYTES_MAX as u64 + 1).read_to_end(&mut text).await;
            read.map_err(|error| broken(&error))?;
            if text.len() > ASK_BYTES_MAX {
                return Err(Problem::new(Code::BodyTooLarge, format!("an ask is at most {ASK_BYTES_MAX} bytes long")));
            }
            judge.one(&text).await
        }
        None => Err(Problem::new(Code::InvalidBody, "the body is empty; give an ask, or an array of asks")),
    }
}

/// What asks are judged with.
struct Judge {
    service: Shared,
    desk: Desk,
    token: String,
    context: Option<Context>,
    known_at: KnownAt,
    looks: Looks,
    logged: Logged,
}

impl Judge {
    async fn one(self, text: &[u8]) -> Result<Response, Problem> {
        let ask = read(text).map_err(|why| Problem::new(Code::InvalidBody, why))?;
        note(&self.looks, &ask);
        let timer = metrics::Timer::start();
        let found = match &self.context {
            Some(context) => {
                let asks = std::slice::from_ref(&ask);
                check_live_together(&self.desk, context, asks).await?.pop()
            }
            None => {
                let (desk, known_at) = (self.desk.clone(), self.known_at);
                Some(blocking(move || Ok(judge(&desk, &ask, known_at)?)).await?)
            }
        };
        // There is an answer for each ask.
        let found = found.ok_or_else(|| Problem::new(Code::Internal, "the ask was not answered"))?;
        metrics::judged(&self.service, &found);
        metrics::took(self.context.is_some(), &timer);
        answer(StatusCode::OK, &found)
    }

    async fn many<R: tokio::io::AsyncBufRead + Send + Unpin + 'static>(self, asked: R) -> Result<Response, Problem> {
        let leave = self.service.streams.begin(&self.token).await?;
        // A commit that is not there is told before anything is answered.
        let (desk, known_at) = (self.desk.clone(), self.known_at);
        blocking(move || Ok(desk.ledger.view(desk.tenant, known_at).map(drop)?)).await?;
        let (pieces, body) = pieces();
        let reader = SyncIoBridge::new(asked);
        tokio::task::spawn_blocking(move || {
            let _leave = leave;
            if let Err(error) = self.answer_all(BufReader::new(reader), &pieces) {
                tracing::warn!(%error, "an answer was broken off");
                pieces.break_off(error);
            }
        });
        Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
    }

    /// Answers the elements of an array, some together.
    fn answer_all<R: Read>(&self, mut body: BufReader<R>, pieces: &Pieces) -> std::io::Result<()> {
        let mut elements = Elements::new(ASK_BYTES_MAX);
        let (mut is_first, mut answered) = (true, 0);
        loop {
            let mut waiting: Vec<Result<Ask, String>> = Vec::new();
            while waiting.len() < TOGETHER_MAX {
                waiting.push(match elements.next(&mut body)? {
                    Some(Element::Value) => read(elements.value()),
                    Some(Element::TooLong) => Err(format!("it is longer than {ASK_BYTES_MAX} bytes")),
                    Some(Element::Broken(why)) => Err(format!("{why}; nothing after it was read")),
                    None => break,
                });
            }
            let is_last = waiting.len() < TOGETHER_MAX;
            let mut text = Vec::new();
            text.push(if is_first { b'[' } else { b',' });
            if waiting.is_empty() && !is_first {
                text.clear();
            }
            for (place, told) in self.answer_some(&waiting, answered, pieces.runtime())?.into_iter().enumerate() {
                if place > 0 {
                    text.push(b',');
                }
                text.extend(told);
            }
            is_first = false;
            answered += waiting.len();
            if is_last {
                text.push(b']');
            }
            if !pieces.give(text) {
                return Ok(());
            }
            if is_last {
                pieces.finish();
                return Ok(());
            }
        }
    }

    fn answer_some(
        &self,
        waiting: &[Result<Ask, String>],
        answered: usize,
        runtime: &Handle,
    ) -> std::io::Result<Vec<Vec<u8>>> {
        let asks: Vec<Ask> = waiting.iter().flatten().cloned().collect();
        asks.iter().for_each(|ask| note(&self.looks, ask));
        let failed = |error: &dyn std::error::Error| std::io::Error::other(with_causes(error));
        let told = |found: &CheckAnswer| {
            metrics::judged(&self.service, found);
            serde_json::to_vec(found).map_err(std::io::Error::other)
        };
        let answers: Vec<Vec<u8>> = match &self.context {
            Some(context) if !asks.is_empty() => {
                let timer = metrics::Timer::start();
                let found = runtime.block_on(check_live_together(&self.desk, context, &asks));
                metrics::took(true, &timer);
                found.map_err(|error| failed(&error))?.iter().map(told).collect::<Result<_, _>>()?
            }
            _ => parallel::each(&asks, |ask| {
                let timer = metrics::Timer::start();
                let found = judge(&self.desk, ask, self.known_at);
                metrics::took(false, &timer);
                told(&found.map_err(|error| failed(&error))?)
            })?,
        };
        if !asks.is_empty() {
            let entry = self.logged.with(self.desk.tenant, StatusCode::OK.as_u16(), &self.looks);
            caller::write(&self.service, &entry).map_err(|problem| std::io::Error::other(problem.detail))?;
        }
        let mut answers = answers.into_iter();
        waiting
            .iter()
            .enumerate()
            .map(|(index, asked)| match asked {
                // There is an answer for each ask.
                Ok(_) => Ok(answers.next().unwrap_or_else(|| b"null".to_vec())),
                Err(why) => Ok(serde_json::to_vec(&CheckFault { index: answered + index, error: why.clone() })?),
            })
            .collect()
    }
}

/// The first byte of a body that is no space. Nothing but spaces is taken from it.
async fn first_byte<R: tokio::io::AsyncBufRead + Unpin>(body: &mut R) -> Result<Option<u8>, Problem> {
    loop {
        let chunk = body.fill_buf().await.map_err(|error| broken(&error))?;
        if chunk.is_empty() {
            return Ok(None);
        }
        let spaces = chunk.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let first = chunk.get(spaces).copied();
        body.consume(spaces);
        if first.is_some() {
            return Ok(first);
        }
    }
}

fn broken(error: &std::io::Error) -> Problem {
    tracing::debug!(%error, "a body did not come in whole");
    Problem::new(Code::InvalidBody, "the body did not come in whole")
}

fn read(text: &[u8]) -> Result<Ask, String> {
    // A list would be taken for its fields in their order.
    if text.first() != Some(&b'{') {
        return Err("it is no JSON object".to_owned());
    }
    let request: CheckRequest = serde_json::from_slice(text).map_err(|error| invalid(&error).detail)?;
    let is_empty = request.chain.is_none() && request.name.is_none() && request.object.is_none();
    if is_empty { Err("give a chain, a name or an object".to_owned()) } else { Ok(request.into()) }
}

fn note(looks: &Looks, ask: &Ask) {
    ask.chain.iter().for_each(|chain| looks.chain(chain));
    ask.name.iter().for_each(|name| looks.name(name));
    ask.object.iter().for_each(|object| looks.object(*object));
}
