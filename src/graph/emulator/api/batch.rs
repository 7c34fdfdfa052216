//! `POST /$batch`.

use serde_json::{Value, json};

use crate::graph::emulator::answer::{Answer, JSON};
use crate::graph::emulator::ids::mix;
use crate::graph::emulator::request::Request;
use crate::graph::emulator::world::World;

/// Most requests in one batch.
const REQUESTS_MAX: usize = 20;

#[derive(serde::Deserialize)]
struct Batch {
    requests: Vec<Part>,
}

#[derive(serde::Deserialize)]
struct Part {
    id: String,
    method: String,
    url: String,
    #[serde(default)]
    headers: serde_json::Map<String, Value>,
    #[serde(default)]
    body: Value,
}

pub(super) fn answer(world: &mut World, request: &Request, origin: &str) -> Answer {
    let Ok(batch) = serde_json::from_slice::<Batch>(&request.body) else {
        return Answer::error(400, "BadRequest", "Invalid batch payload format.");
    };
    if batch.requests.len() > REQUESTS_MAX {
        let message = format!("Number of batch request steps exceeds the maximum value of {REQUESTS_MAX}.");
        return Answer::error(400, "BadRequest", &message);
    }
    let mut answers: Vec<Value> = Vec::new();
    for part in &batch.requests {
        answers.push(respond(world, request, part, origin));
    }
    // The real service answers in any order; sorting by a hash makes it a fixed one that is hardly ever that of the requests.
    let seed = world.quirks.seed();
    let mut numbered: Vec<(usize, Value)> = answers.into_iter().rev().enumerate().collect();
    numbered.sort_by_key(|(n, _)| mix(seed, *n as u64) % 3);
    let responses: Vec<Value> = numbered.into_iter().map(|(_, answer)| answer).collect();
    Answer::ok(json!({ "responses": responses }))
}

fn respond(world: &mut World, outer: &Request, part: &Part, origin: &str) -> Value {
    let mut headers: Vec<(String, String)> = Vec::new();
    for (name, value) in &part.headers {
        headers.push((name.to_ascii_lowercase(), value.as_str().unwrap_or_default().to_owned()));
    }
    // Each part acts with the batch's own token.
    headers.extend(outer.header("authorization").map(|value| ("authorization".to_owned(), value.to_owned())));
    let body = if part.body.is_null() { Vec::new() } else { part.body.to_string().into_bytes() };
    let url = if part.url.starts_with('/') { part.url.clone() } else { format!("/{}", part.url) };
    let inner = Request::new(&part.method.to_ascii_uppercase(), &url, headers, body);
    let answer = match inner.route().as_slice() {
        ["$batch"] => Answer::error(400, "BadRequest", "A batch cannot hold another batch."),
        _ => super::answer(world, &inner, origin),
    };
    let answer = world.finish(&inner, answer);
    let mut headers: serde_json::Map<String, Value> =
        answer.headers.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
    if answer.body.is_some() {
        // Microsoft's clients read a part's body by what it says of itself.
        headers.insert("Content-Type".to_owned(), json!(JSON));
    }
    json!({ "id": part.id, "status": answer.status, "headers": headers, "body": answer.body })
}
