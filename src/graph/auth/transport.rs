//! The one way by which `azure_identity` reaches the network: our client, with the last refusal kept.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use azure_core::http::{AsyncRawResponse, ExponentialRetryOptions, HttpClient, Request, RetryOptions, Url};

use crate::graph::retry::RetryPolicy;

/// Status and body of the last answer that was no success.
pub(super) type LastRefusal = Arc<Mutex<Option<(u16, Vec<u8>)>>>;

pub(super) fn retries(policy: RetryPolicy) -> RetryOptions {
    let time = |duration| azure_core::time::Duration::try_from(duration).unwrap_or(azure_core::time::Duration::MAX);
    RetryOptions::exponential(ExponentialRetryOptions {
        initial_delay: time(policy.base),
        max_retries: policy.attempts.saturating_sub(1),
        max_delay: time(policy.cap),
        ..ExponentialRetryOptions::default()
    })
}

/// Sends the library's requests on our client, bounds the answer, and keeps the body of a refusal.
pub(super) struct SignInTransport {
    pub(super) http: reqwest::Client,
    /// The loopback origin to go to in place of the authority.
    pub(super) rewrite: Option<Url>,
    pub(super) refusal: LastRefusal,
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
