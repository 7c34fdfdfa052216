//! The login host: access tokens for client credentials, the discovery documents some clients ask for first, and the
//! endpoint by which a machine gets tokens of its managed identity.

mod assertion;
mod identity;

use serde_json::json;

use super::answer::Answer;
use super::api::busy;
use super::request::Request;
use super::world::World;

/// The answer, if this is a request to the login host.
pub(super) fn answer(world: &mut World, request: &Request, origin: &str) -> Option<Answer> {
    match (request.method.as_str(), request.route().as_slice()) {
        ("POST", [tenant, "oauth2", "v2.0", "token"]) => Some(match busy(world, request, true) {
            Some(busy) => busy,
            None => token(world, request, tenant, origin),
        }),
        ("GET", ["metadata", "identity", "oauth2", "token"]) => Some(match busy(world, request, true) {
            Some(busy) => busy,
            None => identity::token(world, request),
        }),
        ("GET", ["common", "discovery", "instance"]) => {
            let host = origin.split_once("://").map_or(origin, |(_, host)| host);
            Some(Answer::ok(json!({
                "tenant_discovery_endpoint":
                    format!("{origin}/{}/v2.0/.well-known/openid-configuration", world.application.tenant),
                "api-version": "1.1",
                "metadata": [{ "preferred_network": host, "preferred_cache": host, "aliases": [host] }],
            })))
        }
        ("GET", [tenant, "v2.0", ".well-known", "openid-configuration"]) => {
            if !known_tenant(world, tenant) {
                return Some(unknown_tenant(world, tenant));
            }
            Some(Answer::ok(json!({
                "token_endpoint": format!("{origin}/{tenant}/oauth2/v2.0/token"),
                "authorization_endpoint": format!("{origin}/{tenant}/oauth2/v2.0/authorize"),
                "issuer": format!("{origin}/{}/v2.0", world.application.tenant),
                "tenant_region_scope": null,
            })))
        }
        _ => None,
    }
}

/// Whether the request carries a token that this emulator issued. Tokens do not age: a client keeps them by its own
/// clock, and the directory's clock may jump over weeks.
pub(super) fn is_authorized(world: &World, request: &Request) -> bool {
    let token = request.header("authorization").and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    });
    // That of a managed identity stands where a signature would.
    let number = token.and_then(|token| token.rsplit('.').next()?.strip_prefix(TOKEN_PREFIX)?.parse::<u64>().ok());
    number.is_some_and(|number| (1..=world.tokens_issued).contains(&number))
}

const TOKEN_PREFIX: &str = "emulator-access-token-";

fn token(world: &mut World, request: &Request, tenant: &str, origin: &str) -> Answer {
    let form: Vec<(String, String)> = url::form_urlencoded::parse(&request.body).into_owned().collect();
    let field = |name: &str| form.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str());
    if !known_tenant(world, tenant) {
        return unknown_tenant(world, tenant);
    }
    if field("grant_type") != "client_credentials" {
        let text = format!("The app requested an unsupported grant type '{}'.", field("grant_type"));
        return refused(world, 400, "unsupported_grant_type", 70003, &text);
    }
    let client = field("client_id");
    if !client.eq_ignore_ascii_case(&world.application.client_id) {
        let text = format!(
            "Application with identifier '{client}' was not found in the directory '{tenant}'. This can happen if the \
             application has not been installed by the administrator of the tenant or consented to by any user in the \
             tenant. You may have sent your authentication request to the wrong tenant."
        );
        return refused(world, 400, "unauthorized_client", 700_016, &text);
    }
    if !field("scope").ends_with("/.default") {
        let text = format!(
            "The provided value for the input parameter 'scope' is not valid. The scope {} is not valid.",
            field("scope")
        );
        return refused(world, 400, "invalid_scope", 70011, &text);
    }
    let assertion = field("client_assertion");
    if !assertion.is_empty() {
        let audience = format!("{origin}/{tenant}/oauth2/v2.0/token");
        if let Err(refusal) = assertion::check(world, field("client_assertion_type"), assertion, &audience) {
            return refused(world, 401, "invalid_client", refusal.code, &refusal.text);
        }
    } else if field("client_secret") != world.application.secret {
        let text = "Invalid client secret provided. Ensure the secret being sent in the request is the client secret \
                    value, not the client secret ID, for a secret added to the app.";
        return refused(world, 401, "invalid_client", 7_000_215, text);
    }
    Answer::ok(json!({
        "token_type": "Bearer",
        "expires_in": 3599,
        "ext_expires_in": 3599,
        "access_token": issue(world),
    }))
    .header("Cache-Control", "no-store, no-cache")
}

fn issue(world: &mut World) -> String {
    world.tokens_issued = world.tokens_issued.saturating_add(1);
    format!("{TOKEN_PREFIX}{}", world.tokens_issued)
}

fn known_tenant(world: &World, tenant: &str) -> bool {
    tenant.eq_ignore_ascii_case(&world.application.tenant)
        || tenant.eq_ignore_ascii_case(world.directory.initial_domain())
}

fn unknown_tenant(world: &World, tenant: &str) -> Answer {
    let text = format!(
        "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the \
         correct cloud. Check with your subscription administrator, this may happen if there are no active \
         subscriptions for the tenant."
    );
    refused(world, 400, "invalid_request", 90002, &text)
}

fn refused(world: &World, status: u16, error: &str, code: u32, text: &str) -> Answer {
    const NOWHERE: &str = "00000000-0000-4000-8000-000000000000";
    let now = world.directory.now().to_chrono().unwrap_or_default().format("%Y-%m-%d %H:%M:%SZ").to_string();
    let description =
        format!("AADSTS{code}: {text}\r\nTrace ID: {NOWHERE}\r\nCorrelation ID: {NOWHERE}\r\nTimestamp: {now}");
    Answer::with_status(
        status,
        json!({
            "error": error,
            "error_description": description,
            "error_codes": [code],
            "timestamp": now,
            "trace_id": NOWHERE,
            "correlation_id": NOWHERE,
            "error_uri": format!("https://login.microsoftonline.com/error?code={code}"),
        }),
    )
}
