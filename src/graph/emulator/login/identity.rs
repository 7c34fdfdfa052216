//! The machine's endpoint for tokens of its managed identity (entra-docs: managed-identities-azure-resources/
//! how-to-use-vm-token.md). This machine has an identity of its own, and the application as a user-assigned one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::issue;
use crate::graph::emulator::answer::Answer;
use crate::graph::emulator::request::Request;
use crate::graph::emulator::world::World;

/// 2100-01-01 in seconds after the epoch. Clients keep a token by their own clock, which may be far from the directory's.
const EXPIRES_ON: &str = "4102444800";

pub(super) fn token(world: &mut World, request: &Request) -> Answer {
    let refused =
        |text: &str| Answer::with_status(400, json!({ "error": "invalid_request", "error_description": text }));
    if request.header("metadata") != Some("true") {
        return refused("Required metadata header not specified");
    }
    if request.header("x-forwarded-for").is_some() {
        return refused("The request came through a proxy");
    }
    let Some(resource) = request.option("resource").filter(|resource| !resource.is_empty()) else {
        return refused("Required query variable 'resource' is missing");
    };
    if request.option("api-version").is_none() {
        return refused("Required query variable 'api-version' is missing");
    }
    let client = request.option("client_id");
    if client.is_some_and(|client| !client.eq_ignore_ascii_case(&world.application.client_id)) {
        return refused("Identity not found");
    }
    Answer::ok(json!({
        "access_token": token_of_home(world),
        "refresh_token": "",
        "expires_in": "86399",
        "expires_on": EXPIRES_ON,
        "not_before": "0",
        "resource": resource,
        "token_type": "Bearer",
    }))
}

/// A token in which a client can see which tenant it is for. The identity belongs to this one, whichever the client wants to read.
fn token_of_home(world: &mut World) -> String {
    let part = |claims: serde_json::Value| URL_SAFE_NO_PAD.encode(claims.to_string());
    let (head, claims) = (part(json!({ "typ": "JWT" })), part(json!({ "tid": world.application.tenant })));
    format!("{head}.{claims}.{}", issue(world))
}
