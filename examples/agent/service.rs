//! whowas over HTTP. Everything that the agent knows of its routes stands in this file.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url};
use serde::Serialize;
use serde_json::{Value, json};
use whowas::domain::id::ObjectId;

use super::identity::{Answer, Ask, Identity, Permit, Read, Taken};
use super::trouble::Trouble;

/// How often a request is sent before the agent gives up for this run.
const ATTEMPTS_MAX: u32 = 4;
/// The longest wait between two of them.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// A running `whowas serve`.
pub struct Service {
    client: Client,
    tenant: Url,
    token: String,
}

impl Service {
    /// `url` is the service, `tenant` the tenant's id or alias, `token` what `whowas token add --role agent` printed.
    pub fn new(url: &str, tenant: &str, token: String) -> Result<Self, Trouble> {
        let said = |error: &dyn std::fmt::Display| Trouble::Service(format!("{url}: {error}"));
        // A live read may take as long as the directory does; the connection itself may not.
        let client = Client::builder()
            .connect_timeout(Duration::from_secs(5))
            .timeout(Duration::from_secs(60))
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| said(&error))?;
        let root: Url = url.parse().map_err(|error| said(&error))?;
        let tenant = below(&root, &["v1", "tenants", tenant])?;
        Ok(Self { client, tenant, token })
    }

    /// Every route that the agent writes to takes the same thing twice, so a request whose answer was lost is sent again.
    async fn post(&self, path: &[&str], query: &[(&str, &str)], body: &impl Serialize) -> Result<Value, Trouble> {
        let url = below(&self.tenant, path)?;
        let request = || self.client.post(url.clone()).query(query).bearer_auth(&self.token).json(body);
        let answer = send(request).await?;
        answer.json().await.map_err(|error| Trouble::Service(error.without_url().to_string()))
    }
}

#[async_trait]
impl Identity for Service {
    async fn check(&self, ask: &Ask, verify: bool) -> Result<Answer, Trouble> {
        let query: &[(&str, &str)] = if verify { &[("verify", "true")] } else { &[] };
        read(self.post(&["checks"], query, ask).await?)
    }

    async fn record(&self, taken: &Taken) -> Result<(), Trouble> {
        self.post(&["snapshots"], &[], taken).await.map(drop)
    }

    async fn receipt(&self, chain: &str, snapshot: &str, seen: &Read) -> Result<(), Trouble> {
        self.post(&["snapshots", chain, snapshot, "receipt"], &[], seen).await.map(drop)
    }

    async fn may_restore(&self, chain: &str, snapshot: &str, to: ObjectId) -> Result<Permit, Trouble> {
        let ask = json!({ "chain": chain, "snapshot": snapshot, "to": to });
        // A restore is rare and writes into somebody's mailbox, so the directory is always read first.
        read(self.post(&["restore-checks"], &[("verify", "true")], &ask).await?)
    }
}

/// The ids of chains and snapshots may hold anything, so each is put into the path as one encoded segment.
fn below(root: &Url, path: &[&str]) -> Result<Url, Trouble> {
    let mut url = root.clone();
    let segments = url.path_segments_mut().map_err(|()| Trouble::Service(format!("{root} is no address of a service")));
    segments?.pop_if_empty().extend(path);
    Ok(url)
}

async fn send(request: impl Fn() -> RequestBuilder) -> Result<Response, Trouble> {
    let mut attempt = 1;
    loop {
        let (why, wait) = match request().send().await {
            Ok(answer) if answer.status().is_success() => return Ok(answer),
            Ok(answer) => {
                let (status, wait) = (answer.status(), asked_to_wait(&answer));
                let why = problem(answer).await;
                if !matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
                    return Err(Trouble::Service(why));
                }
                (why, wait)
            }
            // Addresses hold ids of chains, which may be names.
            Err(error) => (error.without_url().to_string(), None),
        };
        if attempt >= ATTEMPTS_MAX {
            return Err(Trouble::Service(format!("{why}; asked {attempt} times")));
        }
        tokio::time::sleep(wait.unwrap_or(Duration::from_millis(250) * 2u32.pow(attempt)).min(WAIT_MAX)).await;
        attempt += 1;
    }
}

fn asked_to_wait(answer: &Response) -> Option<Duration> {
    answer.headers().get("retry-after")?.to_str().ok()?.parse().ok().map(Duration::from_secs)
}

/// What a problem document says: its stable code first, for that is what a program may decide by.
async fn problem(answer: Response) -> String {
    let status = answer.status();
    let body: Value = answer.json().await.unwrap_or_default();
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    match (text("code"), text("detail").or(text("title"))) {
        (Some(code), Some(detail)) => format!("{code}: {detail}"),
        (Some(code), None) => code.to_owned(),
        _ => status.to_string(),
    }
}

fn read<T: serde::de::DeserializeOwned>(body: Value) -> Result<T, Trouble> {
    serde_json::from_value(body).map_err(|error| Trouble::Service(format!("its answer cannot be read: {error}")))
}
