//! Signing in to Entra as an application, with a client secret or with another issuer's token.
//!
//! Tokens come from `azure_identity`, which caches them and renews them five minutes early. It refuses an `http`
//! authority by design; the emulator's loopback sign-in is reached by rewriting the request under it. All of its
//! requests go through one transport of ours, which keeps the last refusal: the library parses Entra's refusals into
//! borrowed text and so loses those that contain an escape, as real ones do (`\r\n`).

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use azure_core::cloud::{CloudConfiguration, CustomConfiguration};
use azure_core::credentials::{Secret, TokenCredential};
use azure_core::http::{
    AsyncRawResponse, ClientOptions, ExponentialRetryOptions, HttpClient, Request, RetryOptions, Transport, Url,
};
use azure_identity::{
    ClientAssertionCredentialOptions, ClientSecretCredential, ClientSecretCredentialOptions,
    WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};
use secrecy::{ExposeSecret, SecretString};

use super::cloud::{Endpoints, host_of};
use super::error::GraphError;
use super::retry::{RetryPolicy, is_retryable};
use crate::domain::id::TenantId;

/// Who signs in, and where to.
#[derive(Clone)]
pub struct SignIn {
    /// The tenant.
    pub tenant: TenantId,
    /// The application (client) id.
    pub client_id: String,
    /// What shows that it is this application.
    pub proof: Proof,
}

/// What an application shows of itself.
#[derive(Clone)]
pub enum Proof {
    /// A client secret.
    Secret(SecretString),
    /// The file in which a platform (Kubernetes, a CI) keeps the token that it issues to this workload and renews. Entra trusts
    /// the issuer by a federated credential of the application (entra-docs: workload-id/workload-identity-federation.md).
    FederatedTokenFile(PathBuf),
}

/// Status and body of the last answer that was no success.
type LastRefusal = Arc<Mutex<Option<(u16, Vec<u8>)>>>;

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

    /// A token that is still good for some minutes.
    pub(crate) async fn get(&self) -> Result<SecretString, GraphError> {
        let credential = Arc::clone(&self.credential.lock().unwrap_or_else(PoisonError::into_inner));
        match credential.get_token(&[&self.scope], None).await {
            Ok(token) => Ok(SecretString::from(token.token.secret())),
            Err(error) => Err(self.explain(error)),
        }
    }

    /// Forgets the cached token: Graph no longer accepts it. The library has no such verb, so it is made anew.
    pub(crate) fn forget(&self) -> Result<(), GraphError> {
        let fresh = credential(&self.sign_in, &self.endpoints, self.retry, &self.http, &self.refusal)?;
        *self.credential.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    fn explain(&self, error: azure_core::Error) -> GraphError {
        let client_id = self.sign_in.client_id.clone();
        let host = host_of(self.endpoints.login());
        let refusal = self.refusal.lock().unwrap_or_else(PoisonError::into_inner).take();
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
            None => match transport_cause(&error) {
                Some(source) => GraphError::Unreachable { host, asked: "a token".to_owned(), source },
                None => GraphError::TokenUnreadable { client_id, host },
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

fn credential(
    sign_in: &SignIn,
    endpoints: &Endpoints,
    retry: RetryPolicy,
    http: &reqwest::Client,
    refusal: &LastRefusal,
) -> Result<Arc<dyn TokenCredential>, GraphError> {
    let login = endpoints.login();
    let rewrite = (login.scheme() == "http").then(|| login.clone());
    let mut cloud = CustomConfiguration::default();
    cloud.authority_host = match &rewrite {
        Some(_) => "https://login.emulator.invalid".to_owned(),
        None => login.as_str().to_owned(),
    };
    let transport = SignInTransport { http: http.clone(), rewrite, refusal: Arc::clone(refusal) };
    let client_options = ClientOptions {
        cloud: Some(Arc::new(CloudConfiguration::Custom(cloud))),
        transport: Some(Transport::new(Arc::new(transport))),
        retry: retries(retry),
        ..ClientOptions::default()
    };
    let (tenant, client_id) = (sign_in.tenant.to_string(), sign_in.client_id.clone());
    let no_client = |step: String| |error: azure_core::Error| GraphError::NoClient { step, source: error.into() };
    match &sign_in.proof {
        Proof::Secret(secret) => {
            let options = ClientSecretCredentialOptions { client_options };
            let secret = Secret::new(secret.expose_secret().to_owned());
            ClientSecretCredential::new(&tenant, client_id, secret, Some(options))
                .map(|credential| credential as Arc<dyn TokenCredential>)
                .map_err(no_client("set up the client secret credential".to_owned()))
        }
        Proof::FederatedTokenFile(file) => {
            let options = WorkloadIdentityCredentialOptions {
                credential_options: ClientAssertionCredentialOptions { client_options },
                client_id: Some(client_id),
                tenant_id: Some(tenant),
                token_file_path: Some(file.clone()),
            };
            WorkloadIdentityCredential::new(Some(options))
                .map(|credential| credential as Arc<dyn TokenCredential>)
                .map_err(no_client(format!("sign in with the token in federated_token_file {}", file.display())))
        }
    }
}

fn retries(policy: RetryPolicy) -> RetryOptions {
    let time = |duration| azure_core::time::Duration::try_from(duration).unwrap_or(azure_core::time::Duration::MAX);
    RetryOptions::exponential(ExponentialRetryOptions {
        initial_delay: time(policy.base),
        max_retries: policy.attempts.saturating_sub(1),
        max_delay: time(policy.cap),
        ..ExponentialRetryOptions::default()
    })
}

/// Sends the library's requests on our client, bounds the answer, and keeps the body of a refusal.
struct SignInTransport {
    http: reqwest::Client,
    /// The loopback origin to go to in place of the authority.
    rewrite: Option<Url>,
    refusal: LastRefusal,
}

#[async_trait::async_trait]
impl HttpClient for SignInTransport {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        // A refusal of an earlier attempt must not explain the failure of a later one.
        self.keep(None);
        let mut request = request.clone();
        if let Some(to) = &self.rewrite {
            redirect_to(request.url_mut(), to);
        }
        let response = self.http.execute_request(&request).await?;
        let (status, headers, body) = (response.status(), response.headers().clone(), response.into_body());
        let bytes = body.collect().await?;
        if !status.is_success() {
            self.keep(Some((u16::from(status), bytes.to_vec())));
        }
        Ok(AsyncRawResponse::from_bytes(status, headers, bytes))
    }
}

impl SignInTransport {
    fn keep(&self, refusal: Option<(u16, Vec<u8>)>) {
        *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = refusal;
    }
}

impl fmt::Debug for SignInTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignInTransport")
    }
}

/// Scheme, host and port of `to`; path and query stay.
fn redirect_to(url: &mut Url, to: &Url) {
    let mut rewritten = to.clone();
    rewritten.set_path(url.path());
    rewritten.set_query(url.query());
    *url = rewritten;
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
