//! Signing in to Entra as an application: with a client secret, a certificate, another issuer's token, or as the machine's
//! own managed identity.
//!
//! Tokens come from `azure_identity`, which caches them and renews them five minutes early. It refuses an `http`
//! authority by design; the emulator's loopback sign-in is reached by rewriting the request under it, and so is its
//! stand-in for the machine's own endpoint. All of its requests go through one transport of ours, which keeps the last
//! refusal: the library parses Entra's refusals into borrowed text and so loses those that contain an escape, as real
//! ones do (`\r\n`).

mod assertion;
mod transport;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use azure_core::cloud::{CloudConfiguration, CustomConfiguration};
use azure_core::credentials::{Secret, TokenCredential};
use azure_core::http::{ClientOptions, Transport};
use azure_identity::{
    ClientAssertionCredential, ClientAssertionCredentialOptions, ClientSecretCredential, ClientSecretCredentialOptions,
    ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};

use self::assertion::Assertion;
use self::transport::{LastRefusal, SignInTransport, retries};
use super::certificate::{CertificateFiles, Moment};
use super::cloud::{Endpoints, host_of};
use super::error::{GraphError, MANAGED_IDENTITY};
use super::retry::{RetryPolicy, is_retryable};
use crate::domain::id::TenantId;

/// Who signs in, and where to.
#[derive(Clone)]
pub struct SignIn {
    /// The tenant.
    pub tenant: TenantId,
    /// The application (client) id. Of a managed identity that of a user-assigned one, or empty for the machine's own.
    pub client_id: String,
    /// What shows that it is this application.
    pub proof: Proof,
}

/// What an application shows of itself.
#[derive(Clone)]
pub enum Proof {
    /// A client secret.
    Secret(SecretString),
    /// A certificate whose key signs an assertion, and where the time of each assertion comes from.
    Certificate(CertificateFiles, Moments),
    /// The file in which a platform (Kubernetes, a CI) keeps the token that it issues to this workload and renews. Entra trusts
    /// the issuer by a federated credential of the application (entra-docs: workload-id/workload-identity-federation.md).
    FederatedTokenFile(PathBuf),
    /// The identity that Azure gave this machine, told by an endpoint that only it can reach (entra-docs:
    /// managed-identities-azure-resources/how-to-use-vm-token.md). No proxy may stand before it.
    ManagedIdentity,
}

/// Tells the time and gives random bytes.
pub type Moments = Arc<dyn Fn() -> Moment + Send + Sync>;

/// A source of tokens for one tenant.
pub(crate) struct Tokens {
    sign_in: SignIn,
    endpoints: Endpoints,
    scope: String,
    retry: RetryPolicy,
    http: reqwest::Client,
    refusal: LastRefusal,
    credential: Mutex<Arc<dyn TokenCredential>>,
}

impl Tokens {
    pub(crate) fn new(
        sign_in: SignIn,
        endpoints: Endpoints,
        retry: RetryPolicy,
        http: reqwest::Client,
    ) -> Result<Self, GraphError> {
        let refusal = LastRefusal::default();
        let credential = credential(&sign_in, &endpoints, retry, &http, &refusal)?;
        let scope = endpoints.scope();
        Ok(Self { sign_in, endpoints, scope, retry, http, refusal, credential: Mutex::new(credential) })
    }

    /// Who signs in.
    pub(crate) fn sign_in(&self) -> &SignIn {
        &self.sign_in
    }

    /// A token that is still good for some minutes.
    pub(crate) async fn get(&self) -> Result<SecretString, GraphError> {
        let credential = Arc::clone(&self.credential.lock().unwrap_or_else(PoisonError::into_inner));
        match credential.get_token(&[&self.scope], None).await {
            Ok(token) => {
                let token = SecretString::from(token.token.secret());
                self.check_home(&token)?;
                Ok(token)
            }
            Err(error) => Err(self.explain(&error)),
        }
    }

    /// Refuses a token by which another directory would be read. Every other way to sign in names the tenant; the endpoint of the
    /// machine is not told it, and gives a token for the one to which the identity belongs.
    fn check_home(&self, token: &SecretString) -> Result<(), GraphError> {
        let tenant = self.sign_in.tenant;
        match (&self.sign_in.proof, issued_for(token)) {
            (Proof::ManagedIdentity, home) if home != Some(tenant) => Err(GraphError::ForeignIdentity { home, tenant }),
            _ => Ok(()),
        }
    }

    /// Forgets the cached token: Graph no longer accepts it. The library has no such verb, so it is made anew.
    pub(crate) fn forget(&self) -> Result<(), GraphError> {
        let fresh = credential(&self.sign_in, &self.endpoints, self.retry, &self.http, &self.refusal)?;
        *self.credential.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    fn explain(&self, error: &azure_core::Error) -> GraphError {
        if let Some(fault) = assertion::fault(error) {
            return fault;
        }
        let refusal = self.refusal.lock().unwrap_or_else(PoisonError::into_inner).take();
        if matches!(self.sign_in.proof, Proof::ManagedIdentity) {
            return self.explain_identity(error, refusal);
        }
        let client_id = self.sign_in.client_id.clone();
        let host = host_of(self.endpoints.login());
        match refusal {
            Some((status, body)) => match GraphError::of_token_refusal(&client_id, &body) {
                Some(refused) => refused,
                // A gateway that answers for Entra for a while; the library's own repeats are over by then.
                None if is_retryable(status) => GraphError::Unreachable {
                    host,
                    asked: "a token".to_owned(),
                    source: format!("HTTP {status}").into(),
                },
                None => GraphError::TokenUnreadable { client_id, host },
            },
            None => match transport_cause(error) {
                Some(source) => GraphError::Unreachable { host, asked: "a token".to_owned(), source },
                None => GraphError::TokenUnreadable { client_id, host },
            },
        }
    }

    fn explain_identity(&self, error: &azure_core::Error, refusal: Option<(u16, Vec<u8>)>) -> GraphError {
        let unreachable = |source| GraphError::Unreachable {
            host: rewrite(&self.endpoints).map_or_else(|| IDENTITY_HOST.to_owned(), |local| host_of(&local)),
            asked: MANAGED_IDENTITY.to_owned(),
            source,
        };
        match refusal {
            // 404 and 410 too: the endpoint is being updated (how-to-use-vm-token.md, error handling).
            Some((status, _)) if is_retryable(status) || matches!(status, 404 | 410) => {
                unreachable(format!("HTTP {status}").into())
            }
            Some((status, body)) => {
                let said = GraphError::oauth_error(&body).unwrap_or_else(|| "no reason".to_owned());
                let whose = if self.sign_in.client_id.is_empty() { "of its own" } else { "with this client_id" };
                let what =
                    if status == 400 { format!("; this machine has no identity {whose}") } else { String::new() };
                GraphError::NoManagedIdentity { why: format!("refused with HTTP {status} ({said}){what}") }
            }
            None => match transport_cause(error) {
                Some(source) => unreachable(source),
                None => GraphError::NoManagedIdentity { why: "the answer is no token".to_owned() },
            },
        }
    }
}

impl fmt::Debug for SignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignIn")
            .field("tenant", &self.tenant)
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

/// The tenant that a token was issued for, by its claim `tid` (entra-docs: identity-platform/access-token-claims-reference.md). The
/// signature is Graph's to verify: what counts here is which directory Graph will show.
fn issued_for(token: &SecretString) -> Option<TenantId> {
    #[derive(serde::Deserialize)]
    struct Claims {
        tid: String,
    }
    let claims = token.expose_secret().split('.').nth(1)?;
    let claims: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    claims.tid.parse().ok()
}

/// Where the machine's own endpoint is.
const IDENTITY_HOST: &str = "http://169.254.169.254";

/// The loopback origin that stands for the sign-in, if one does.
fn rewrite(endpoints: &Endpoints) -> Option<url::Url> {
    let login = endpoints.login();
    (login.scheme() == "http").then(|| login.clone())
}

fn credential(
    sign_in: &SignIn,
    endpoints: &Endpoints,
    retry: RetryPolicy,
    http: &reqwest::Client,
    refusal: &LastRefusal,
) -> Result<Arc<dyn TokenCredential>, GraphError> {
    let rewrite = rewrite(endpoints);
    let mut cloud = CustomConfiguration::default();
    cloud.authority_host = match &rewrite {
        Some(_) => "https://login.emulator.invalid".to_owned(),
        None => endpoints.login().as_str().to_owned(),
    };
    let transport = SignInTransport { http: http.clone(), rewrite, refusal: Arc::clone(refusal) };
    let client_options = ClientOptions {
        cloud: Some(Arc::new(CloudConfiguration::Custom(cloud))),
        transport: Some(Transport::new(Arc::new(transport))),
        retry: retries(retry),
        ..ClientOptions::default()
    };
    let (tenant, client_id) = (sign_in.tenant.to_string(), sign_in.client_id.clone());
    let no_client = |step: &str| {
        let step = step.to_owned();
        |error: azure_core::Error| GraphError::NoClient { step, source: error.into() }
    };
    let assertion = match &sign_in.proof {
        Proof::Secret(secret) => {
            let options = ClientSecretCredentialOptions { client_options };
            let secret = Secret::new(secret.expose_secret().to_owned());
            return ClientSecretCredential::new(&tenant, client_id, secret, Some(options))
                .map(|credential| credential as Arc<dyn TokenCredential>)
                .map_err(no_client("set up the client secret credential"));
        }
        Proof::ManagedIdentity => {
            let user_assigned_id = (!client_id.is_empty()).then_some(UserAssignedId::ClientId(client_id));
            let options = ManagedIdentityCredentialOptions { user_assigned_id, client_options };
            return ManagedIdentityCredential::new(Some(options))
                .map(|credential| credential as Arc<dyn TokenCredential>)
                .map_err(|error| GraphError::NoManagedIdentity { why: error.to_string() });
        }
        Proof::Certificate(files, moments) => Assertion::signed(files.clone(), Arc::clone(moments), endpoints, sign_in),
        Proof::FederatedTokenFile(file) => Assertion::File(file.clone()),
    };
    // What is wrong with the files is said at once, not at the first request.
    assertion.make()?;
    let options = ClientAssertionCredentialOptions { client_options };
    ClientAssertionCredential::new(tenant, client_id, assertion, Some(options))
        .map(|credential| credential as Arc<dyn TokenCredential>)
        .map_err(no_client("set up the client assertion credential"))
}

/// The transport's own error in the library's chain, without its URL.
fn transport_cause(error: &azure_core::Error) -> Option<Box<dyn std::error::Error + Send + Sync>> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(current) = cause {
        if let Some(transport) = current.downcast_ref::<reqwest::Error>() {
            return Some(innermost(transport).into());
        }
        cause = current.source();
    }
    None
}

/// The last words of a chain, for example "connection refused".
pub(crate) fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut last = error;
    while let Some(next) = last.source() {
        last = next;
    }
    last.to_string()
}
