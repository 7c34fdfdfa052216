//! `/auditLogs/directoryAudits`.

use serde_json::{Value, json};

use super::lists::top;
use super::rounds::expired_page;
use crate::domain::time::Instant;
use crate::graph::emulator::answer::Answer;
use crate::graph::emulator::audit::{Actor, AuditEvent, AuditManners, Encoding};
use crate::graph::emulator::quirks::QuirkName;
use crate::graph::emulator::request::{Request, from_token, to_token};
use crate::graph::emulator::world::World;

/// One condition of a filter; all of them must hold.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
enum Condition {
    Before { at: Instant, inclusive: bool },
    After { at: Instant, inclusive: bool },
    Target(String),
    Activity(String),
    Correlation(String),
    Service(String),
}

/// What a skip token holds: which events are listed was settled by the first request.
#[derive(serde::Serialize, serde::Deserialize)]
struct Listing {
    conditions: Vec<Condition>,
    oldest_first: bool,
    /// How many events of the log, from its start, the listing sees.
    visible: usize,
    /// How many of them were looked at already.
    done: usize,
    top: usize,
    hide_exchange: bool,
    manners: AuditManners,
}

pub(super) fn list(world: &mut World, request: &Request, base: &str) -> Answer {
    if let Some(forbidden) = forbidden(world, request) {
        return forbidden;
    }
    match listing(world, request) {
        Ok(listing) => page(world, &listing, base),
        Err(refusal) => refusal,
    }
}

pub(super) fn one(world: &mut World, id: &str, request: &Request) -> Answer {
    if let Some(forbidden) = forbidden(world, request) {
        return forbidden;
    }
    let event = world.directory.audits().iter().find(|event| event.id == id);
    event.map_or_else(|| Answer::not_found(id), |event| Answer::ok(event.to_json()))
}

fn forbidden(world: &mut World, request: &Request) -> Option<Answer> {
    world.quirks.fires(QuirkName::AuditForbidden, &request.path).map(|_| {
        let message = "Neither tenant is B2C or tenant doesn't have premium license";
        Answer::error(403, "Authentication_RequestFromNonPremiumTenantOrB2CTenant", message)
    })
}

fn listing(world: &mut World, request: &Request) -> Result<Listing, Answer> {
    if let Some(token) = request.option("$skiptoken") {
        if world.quirks.fires(QuirkName::PageTokenExpired, &request.path).is_some() {
            return Err(expired_page());
        }
        return from_token(token).ok_or_else(|| Answer::bad_request("Badly formed token."));
    }
    let lag = world.quirks.fires(QuirkName::AuditLag, &request.path).map(|quirk| quirk.span(300.0));
    let as_of = world.directory.now().minus(lag.unwrap_or_default());
    let conditions = request.option("$filter").map_or(Ok(Vec::new()), conditions)?;
    let oldest_first = match request.option("$orderby").map(str::to_ascii_lowercase).as_deref() {
        None | Some("activitydatetime desc") => false,
        Some("activitydatetime" | "activitydatetime asc") => true,
        Some(_) => return Err(invalid_filter()),
    };
    let mut shows = |name| world.quirks.fires(name, &request.path);
    let encodings = shows(QuirkName::AuditEncodings);
    let manners = AuditManners {
        encodings: encodings.map(|quirk| Encoding::chosen(quirk.style.as_deref())).unwrap_or_default(),
        failures: shows(QuirkName::AuditFailures).is_some(),
        twins: shows(QuirkName::AuditTwins).is_some(),
    };
    Ok(Listing {
        manners,
        conditions,
        oldest_first,
        visible: world.directory.audits().partition_point(|event| event.at <= as_of),
        done: 0,
        top: top(world, request)?,
        hide_exchange: world.quirks.fires(QuirkName::ExchangeUnaudited, &request.path).is_some(),
    })
}

fn page(world: &World, listing: &Listing, base: &str) -> Answer {
    let visible = world.directory.audits().get(..listing.visible).unwrap_or_default();
    let mut items: Vec<Value> = Vec::new();
    let mut next = None;
    for done in listing.done..visible.len() {
        let position = if listing.oldest_first { done } else { visible.len().saturating_sub(done).saturating_sub(1) };
        let Some(event) = visible.get(position) else { break };
        let hidden = listing.hide_exchange && event.actor == Actor::Exchange;
        if hidden || !listing.conditions.iter().all(|condition| condition.holds(event)) {
            continue;
        }
        if items.len() >= listing.top {
            let (conditions, manners) = (listing.conditions.clone(), listing.manners.clone());
            next = Some(Listing { done, conditions, manners, ..*listing });
            break;
        }
        items.extend(listing.manners.told(event, position));
    }
    let mut body = json!({ "@odata.context": format!("{base}/$metadata#auditLogs/directoryAudits") });
    if let Some(body) = body.as_object_mut() {
        if let Some(next) = next {
            let link = format!("{base}/auditLogs/directoryAudits?$skiptoken={}", to_token(&next));
            body.insert("@odata.nextLink".to_owned(), json!(link));
        }
        body.insert("value".to_owned(), Value::Array(items));
    }
    Answer::ok(body)
}

impl Condition {
    fn holds(&self, event: &AuditEvent) -> bool {
        match self {
            Self::Before { at, inclusive } => event.at < *at || (*inclusive && event.at == *at),
            Self::After { at, inclusive } => event.at > *at || (*inclusive && event.at == *at),
            Self::Target(id) => event.target.to_string().eq_ignore_ascii_case(id),
            Self::Activity(name) => event.activity.eq_ignore_ascii_case(name),
            Self::Correlation(id) => event.correlation_id.eq_ignore_ascii_case(id),
            Self::Service(name) => name == "Core Directory",
        }
    }
}

fn conditions(filter: &str) -> Result<Vec<Condition>, Answer> {
    filter.split(" and ").map(|clause| condition(clause.trim()).ok_or_else(invalid_filter)).collect()
}

fn condition(clause: &str) -> Option<Condition> {
    let clause = clause.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')).unwrap_or(clause);
    if let Some(inner) = clause.strip_prefix("targetResources/any(").and_then(|inner| inner.strip_suffix(')')) {
        let (variable, test) = inner.split_once(':')?;
        let rest = test.trim().strip_prefix(variable.trim())?.strip_prefix("/id eq ")?;
        return Some(Condition::Target(quoted(rest)?));
    }
    let mut words = clause.splitn(3, ' ');
    let (name, operator, value) = (words.next()?, words.next()?, words.next()?.trim());
    match (name, operator) {
        ("activityDateTime", "ge" | "gt") => {
            Some(Condition::After { at: Instant::parse_lenient(value).ok()?, inclusive: operator == "ge" })
        }
        ("activityDateTime", "le" | "lt") => {
            Some(Condition::Before { at: Instant::parse_lenient(value).ok()?, inclusive: operator == "le" })
        }
        ("activityDisplayName", "eq") => Some(Condition::Activity(quoted(value)?)),
        ("correlationId", "eq") => Some(Condition::Correlation(quoted(value)?)),
        ("loggedByService", "eq") => Some(Condition::Service(quoted(value)?)),
        _ => None,
    }
}

fn quoted(text: &str) -> Option<String> {
    Some(text.trim().strip_prefix('\'')?.strip_suffix('\'')?.replace("''", "'"))
}

fn invalid_filter() -> Answer {
    Answer::error(400, "BadRequest", "Invalid filter clause.")
}
