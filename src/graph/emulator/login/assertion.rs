//! Whether an assertion in place of a secret is accepted (entra-docs: identity-platform/certificate-credentials.md).

use jsonwebtoken::Algorithm;
use serde::Deserialize;

use crate::graph::certificate::{has_signed, thumbprint};
use crate::graph::emulator::world::World;
use crate::graph::wire::token::AssertionClaims;

/// A refusal, by its number after `AADSTS`.
pub(super) struct Refusal {
    pub code: u32,
    pub text: String,
}

/// The one claim of another issuer's token that is looked at.
#[derive(Deserialize)]
struct Subject {
    sub: String,
}

/// Checks an assertion that was sent to the token endpoint `audience`. One that names a certificate must be signed with the
/// key of a registered one; any other is another issuer's, which the emulator does not know.
pub(super) fn check(world: &World, kind: &str, assertion: &str, audience: &str) -> Result<(), Refusal> {
    if kind != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" || assertion.split('.').count() != 3 {
        return Err(refusal(700_027, "Client assertion failed signature validation."));
    }
    let header = jsonwebtoken::decode_header(assertion).ok();
    match header.as_ref().and_then(|header| header.x5t_s256.as_deref()) {
        Some(named) => {
            let is_pss = header.as_ref().is_some_and(|header| header.alg == Algorithm::PS256);
            signed(world, assertion, named, is_pss, audience)
        }
        None => federated(world, assertion),
    }
}

fn signed(world: &World, assertion: &str, named: &str, is_pss: bool, audience: &str) -> Result<(), Refusal> {
    let application = &world.application;
    let Some(certificate) = application.certificates.iter().find(|der| thumbprint(der) == named) else {
        return Err(refusal(
            700_027,
            &format!(
                "The certificate with identifier used to sign the client assertion is not registered on application. \
                 [Reason - The key was not found., Thumbprint of key used by client: '{named}']"
            ),
        ));
    };
    let is_signed = assertion
        .rsplit_once('.')
        .is_some_and(|(message, signature)| is_pss && has_signed(certificate, message.as_bytes(), signature));
    let claims = jsonwebtoken::dangerous::insecure_decode_claims::<AssertionClaims>(assertion);
    let Some(claims) = claims.ok().filter(|_| is_signed) else {
        return Err(refusal(
            700_027,
            "The certificate with identifier used to sign the client assertion is registered, but the signature is not \
             valid. [Reason - The key used is incorrect.]",
        ));
    };
    let own = |id: &str| id.eq_ignore_ascii_case(&application.client_id);
    if !own(&claims.iss) || !own(&claims.sub) {
        return Err(refusal(700_021, "Client assertion application identifier doesn't match 'client_id' parameter."));
    }
    if claims.aud != audience {
        return Err(refusal(700_023, "Client assertion audience claim does not match Realm issuer."));
    }
    let now = world.directory.now().as_micros().div_euclid(1_000_000);
    // Entra allows for clocks that differ by five minutes.
    if claims.nbf > now.saturating_add(SKEW_SECS) || claims.exp < now.saturating_sub(SKEW_SECS) {
        return Err(refusal(700_024, "Client assertion is not within its valid time range."));
    }
    Ok(())
}

fn federated(world: &World, assertion: &str) -> Result<(), Refusal> {
    let Some(wanted) = &world.application.federated_subject else { return Ok(()) };
    let told = jsonwebtoken::dangerous::insecure_decode_claims::<Subject>(assertion).ok();
    if told.as_ref().is_some_and(|told| told.sub == *wanted) {
        return Ok(());
    }
    let told = told.map(|told| told.sub).unwrap_or_default();
    Err(refusal(
        700_213,
        &format!(
            "No matching federated identity record found for presented assertion subject '{told}'. Please check your \
             federated identity credential Subject, Audience and Issuer against the presented assertion."
        ),
    ))
}

const SKEW_SECS: i64 = 300;

fn refusal(code: u32, text: &str) -> Refusal {
    Refusal { code, text: text.to_owned() }
}
