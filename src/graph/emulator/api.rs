//! The Graph host: which endpoint answers, and what all of them share.

mod audits;
mod batch;
mod lists;
mod mail;
mod members;
mod rounds;
mod users;

use serde_json::{Value, json};

use super::answer::Answer;
use super::group::{Contact, Group};
use super::login::is_authorized;
use super::quirks::{Quirk, QuirkName};
use super::request::Request;
use super::user::User;
use super::world::{World, http_date};

/// A host that is not this one, and that nobody can have.
const FOREIGN: &str = "https://graph.foreign.invalid";

/// Answers a request to Graph, from the outside or from within a batch.
pub(super) fn answer(world: &mut World, request: &Request, origin: &str) -> Answer {
    if !is_authorized(world, request) {
        let message = match request.header("authorization") {
            None => "Access token is empty.",
            Some(_) => "Access token validation failure.",
        };
        return unauthorized(message);
    }
    if world.quirks.fires(QuirkName::Unauthorized, &request.path).is_some() {
        return unauthorized("Lifetime validation failed, the token is expired.");
    }
    if world.quirks.fires(QuirkName::Redirect, &request.path).is_some() {
        let body = json!({ "error": { "code": "Redirect", "message": "" } });
        return Answer::with_status(307, body).header("Location", format!("{FOREIGN}{}", request.path));
    }
    let route = request.route();
    if request.method == "POST" && route.as_slice() == ["$batch"] {
        // The requests inside are throttled one by one.
        return batch::answer(world, request, origin);
    }
    if let Some(busy) = busy(world, request, false) {
        return busy;
    }
    if world.quirks.fires(QuirkName::Forbidden, &request.path).is_some() {
        return Answer::error(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.");
    }
    let base = format!("{origin}/v1.0");
    let mut answer = match (request.method.as_str(), route.as_slice()) {
        ("GET", ["users", "delta" | "microsoft.graph.delta"]) => rounds::answer::<User>(world, request, &base),
        ("GET", ["groups", "delta" | "microsoft.graph.delta"]) => rounds::answer::<Group>(world, request, &base),
        ("GET", ["contacts", "delta" | "microsoft.graph.delta"]) => rounds::answer::<Contact>(world, request, &base),
        ("GET", ["users"]) => lists::users(world, request, &base),
        ("GET", ["groups"]) => lists::groups(world, request, &base),
        ("GET", ["groups", id, "transitiveMembers"]) => members::list(world, request, id, false, &base),
        ("GET", ["groups", id, "transitiveMembers", "microsoft.graph.user"]) => {
            members::list(world, request, id, true, &base)
        }
        ("GET", ["contacts"]) => lists::contacts(world, request, &base),
        ("GET", ["directory", "deletedItems", "microsoft.graph.user"]) => lists::deleted(world, request, &base),
        (
            "GET",
            ["directory", "deletedItems", "microsoft.graph.user" | "microsoft.graph.User", id]
            | ["directory", "deletedItems", id],
        ) => users::deleted(world, request, id, &base),
        ("GET", ["auditLogs", "directoryAudits"]) => audits::list(world, request, &base),
        ("GET", ["auditLogs", "directoryAudits", id]) => audits::one(world, id, request),
        ("GET", ["organization"]) => organization(world, &base),
        ("GET", ["users", key]) => users::get(world, request, key, &base),
        ("POST", ["users"]) => users::create(world, request, &base),
        ("PATCH", ["users", key]) => users::patch(world, request, key),
        ("DELETE", ["users", key]) => users::delete(world, key),
        ("POST", ["directory", "deletedItems", id, "restore" | "microsoft.graph.restore"]) => {
            users::restore(world, request, id, &base)
        }
        ("DELETE", ["directory", "deletedItems", id]) => users::purge(world, id),
        (_, ["users", key, rest @ ..]) if !rest.is_empty() => match mail::answer(world, request, key, rest, &base) {
            Some(answer) => answer,
            None => no_segment(rest),
        },
        (_, segments) => no_segment(segments),
    };
    spoil(world, request, &mut answer);
    answer
}

fn no_segment(segments: &[&str]) -> Answer {
    let name = segments.last().copied().unwrap_or("");
    Answer::error(400, "BadRequest", &format!("Resource not found for the segment '{name}'."))
}

/// A refusal for reasons of load, if a quirk wants one. Token requests count only where the quirk names their path.
pub(super) fn busy(world: &mut World, request: &Request, login: bool) -> Option<Answer> {
    let quirks = &mut world.quirks;
    let mut shows = |name| match login {
        true => quirks.fires_if_named(name, &request.path),
        false => quirks.fires(name, &request.path),
    };
    if let Some(quirk) = shows(QuirkName::Throttle) {
        let body = json!({ "error": {
            "code": "TooManyRequests",
            "message": "Please retry again later.",
            "innerError": { "code": "429", "message": "Please retry after", "status": "429" },
        }});
        return Some(retry_after(world, &quirk, Answer::with_status(429, body)));
    }
    if let Some(quirk) = shows(QuirkName::Unavailable) {
        let answer = Answer::error(503, "serviceNotAvailable", "The service is temporarily unavailable.");
        return Some(retry_after(world, &quirk, answer));
    }
    None
}

fn retry_after(world: &World, quirk: &Quirk, answer: Answer) -> Answer {
    let span = quirk.span(1.0);
    let value = match quirk.style.as_deref() {
        Some("none") => return answer,
        Some("fraction") => format!("{:.3}", span.as_secs_f64()),
        Some("date") => http_date(world.directory.now().plus(span)),
        _ => format!("{:.0}", span.as_secs_f64().ceil()),
    };
    answer.header("Retry-After", value)
}

/// What quirks put into an answer that is right otherwise.
fn spoil(world: &mut World, request: &Request, answer: &mut Answer) {
    let (200, Some(body)) = (answer.status, answer.body.as_mut()) else { return };
    if request.method != "GET" {
        return;
    }
    let error = json!({ "error": { "code": "UnknownError", "message": "", "innerError": {} } });
    if let Some(items) = body.get_mut("value").and_then(Value::as_array_mut) {
        if world.quirks.fires(QuirkName::ErrorInside200, &request.path).is_some() {
            match items.first_mut() {
                Some(first) => *first = error,
                None => items.push(error),
            }
        }
        if world.quirks.fires(QuirkName::ItemOfOtherType, &request.path).is_some() {
            items.push(json!({
                "@odata.type": "#microsoft.graph.group",
                "id": "6f0d6c1e-0b61-4c55-8f0a-3f6d0b8f7e21",
                "displayName": "Everybody",
                "mail": "everybody@emulator.invalid",
                "proxyAddresses": ["SMTP:everybody@emulator.invalid"],
            }));
        }
        if world.quirks.fires(QuirkName::ItemWithoutId, &request.path).is_some() {
            items.push(json!({ "displayName": "Nobody", "userPrincipalName": "nobody@emulator.invalid" }));
        }
        if world.quirks.fires(QuirkName::ItemWithBadId, &request.path).is_some() {
            items.push(json!({ "id": "not-a-guid", "displayName": "Nobody" }));
        }
    } else if world.quirks.fires(QuirkName::ErrorInside200, &request.path).is_some() {
        *body = error;
    }
    for (style, link) in [("next", "@odata.nextLink"), ("delta", "@odata.deltaLink")] {
        let Some(Value::String(text)) = body.get_mut(link) else { continue };
        let Some(quirk) = world.quirks.fires(QuirkName::ForeignNextLink, &request.path) else { continue };
        let host = match quirk.style.as_deref() {
            None => FOREIGN,
            Some("next" | "delta") if quirk.style.as_deref() != Some(style) => continue,
            Some("next" | "delta") => FOREIGN,
            // A host that listens, so that a test sees whether anybody comes.
            Some(host) => host,
        };
        let path = text.split_once("/v1.0").map_or("", |(_, path)| path);
        *text = format!("{host}/v1.0{path}");
    }
}

fn unauthorized(message: &str) -> Answer {
    Answer::error(401, "InvalidAuthenticationToken", message).header("WWW-Authenticate", "Bearer realm=\"\"")
}

fn organization(world: &World, base: &str) -> Answer {
    Answer::ok(json!({
        "@odata.context": format!("{base}/$metadata#organization"),
        "value": [{
            "id": world.application.tenant,
            "displayName": "Emulator",
            "verifiedDomains": [{ "name": world.directory.initial_domain(), "isInitial": true, "isDefault": false }],
        }],
    }))
}
