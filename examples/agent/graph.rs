//! Mail in Graph. A mailbox is named by its user's object id and by nothing else: no function here takes a name.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Value, json};
use whowas::domain::id::{MailboxId, ObjectId};

use super::trouble::Trouble;

/// How often a request is sent before the agent gives up for this run.
const ATTEMPTS_MAX: u32 = 5;
/// The longest wait between two of them.
const WAIT_MAX: Duration = Duration::from_secs(300);
/// Most pages of one round or listing. A server that never ends one must not hold the agent for ever.
const PAGES_MAX: usize = 100_000;
/// Messages a page.
const PAGE_SIZE: &str = "odata.maxpagesize=50";

/// The application as which the agent signs in. It needs `Mail.ReadWrite` (or `Mail.Read` where it never restores) and
/// `User.Read.All`.
#[derive(Clone, Debug)]
pub struct SignIn {
    pub tenant: String,
    pub client_id: String,
    pub secret: String,
}

/// Graph, as far as mail goes.
pub struct Graph {
    client: Client,
    root: String,
    token_url: String,
    sign_in: SignIn,
    token: Mutex<Option<String>>,
}

/// Who answers at an object id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    pub object: ObjectId,
    /// `None` where Graph does not tell it, as in the national clouds.
    pub mailbox: Option<MailboxId>,
}

/// A folder of a mailbox.
#[derive(Clone, Debug)]
pub struct Folder {
    pub id: String,
    pub name: String,
}

impl Graph {
    /// `graph` and `login` are the two hosts, for example `https://graph.microsoft.com`.
    pub fn new(graph: &str, login: &str, sign_in: SignIn) -> Result<Self, Trouble> {
        // Redirects are not followed: they would carry the token to wherever they point.
        let client = Client::builder()
            .connect_timeout(Duration::from_secs(10))
            .timeout(Duration::from_secs(100))
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| Trouble::Graph(error.to_string()))?;
        let token_url = format!("{login}/{}/oauth2/v2.0/token", sign_in.tenant);
        Ok(Self { client, root: format!("{graph}/v1.0"), token_url, sign_in, token: Mutex::default() })
    }

    /// Reads who and which mailbox answers at an object id. Told at the start and at the end of a run, this is the receipt.
    pub async fn seen(&self, user: ObjectId) -> Result<Seen, Trouble> {
        let found = self.get(&format!("{}/users/{user}?$select=id", self.root)).await?;
        let object = found.get("id").and_then(Value::as_str).and_then(|id| id.parse().ok());
        let object = object.ok_or_else(|| Trouble::Graph("a user without an id".to_owned()))?;
        let settings = match self.get(&format!("{}/users/{user}/settings/exchange", self.root)).await {
            Ok(settings) => settings,
            // Not every cloud has this page. Only a mailbox that Graph calls missing is missing.
            Err(Trouble::Graph(_)) => return Ok(Seen { object, mailbox: None }),
            Err(other) => return Err(other),
        };
        // `MBX:{mailbox GUID}@{tenant}`
        let id = settings.get("primaryMailboxId").and_then(Value::as_str).and_then(|id| id.strip_prefix("MBX:"));
        let mailbox = id.and_then(|id| id.split('@').next()).and_then(|guid| guid.parse().ok());
        Ok(Seen { object, mailbox })
    }

    /// Every folder of a mailbox. Changes of messages are told folder by folder.
    pub async fn folders(&self, user: ObjectId) -> Result<Vec<Folder>, Trouble> {
        let mut folders = Vec::new();
        let first = format!("{}/users/{user}/mailFolders?$top=100", self.root);
        self.pages(&first, |_, items| {
            folders.extend(items.iter().filter_map(|item| {
                let text = |name: &str| item.get(name).and_then(Value::as_str).map(str::to_owned);
                Some(Folder { id: text("id")?, name: text("displayName")? })
            }));
            Ok(())
        })
        .await?;
        Ok(folders)
    }

    /// Walks the changes of a folder from a stored link, or all of it without one, and hands out its pages one by one.
    /// Gives the link for the next run, which repeats the object id with which the first one began.
    pub async fn changes(
        &self,
        user: ObjectId,
        folder: &str,
        link: Option<&str>,
        page: impl FnMut(usize, &[Value]) -> Result<(), Trouble>,
    ) -> Result<String, Trouble> {
        let first = format!("{}/users/{user}/mailFolders/{folder}/messages/delta", self.root);
        let end = self.pages(link.unwrap_or(&first), page).await?;
        end.ok_or_else(|| Trouble::Graph("a round that ends without a delta link".to_owned()))
    }

    /// The internet message ids in a mailbox, so that a restore adds only what is missing.
    pub async fn message_ids(&self, user: ObjectId) -> Result<BTreeSet<String>, Trouble> {
        let mut found = BTreeSet::new();
        let first = format!("{}/users/{user}/messages?$select=internetMessageId&$top=100", self.root);
        self.pages(&first, |_, items| {
            let ids = items.iter().filter_map(|item| item.get("internetMessageId").and_then(Value::as_str));
            found.extend(ids.map(str::to_owned));
            Ok(())
        })
        .await?;
        Ok(found)
    }

    /// Makes a message in a folder.
    pub async fn create(&self, user: ObjectId, folder: &str, message: &Value) -> Result<(), Trouble> {
        let url = format!("{}/users/{user}/mailFolders/{folder}/messages", self.root);
        self.send(Method::POST, &url, Some(message)).await.map(drop)
    }

    /// Hands out all pages from `first` on; the delta link, where there is one at the end.
    async fn pages(
        &self,
        first: &str,
        mut page: impl FnMut(usize, &[Value]) -> Result<(), Trouble>,
    ) -> Result<Option<String>, Trouble> {
        let mut link = first.to_owned();
        for number in 0..PAGES_MAX {
            let body = self.get(&link).await?;
            page(number, body.get("value").and_then(Value::as_array).map_or(&[][..], Vec::as_slice))?;
            let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
            match text("@odata.nextLink") {
                Some(next) => link = next,
                None => return Ok(text("@odata.deltaLink")),
            }
        }
        Err(Trouble::Graph(format!("no end after {PAGES_MAX} pages")))
    }

    async fn get(&self, url: &str) -> Result<Value, Trouble> {
        self.send(Method::GET, url, None).await
    }

    async fn send(&self, method: Method, url: &str, body: Option<&Value>) -> Result<Value, Trouble> {
        // A link carries the token along, so it is followed only to where the token belongs.
        if !url.strip_prefix(&self.root).is_some_and(|rest| rest.starts_with('/')) {
            return Err(Trouble::Graph("a link that leads to another host".to_owned()));
        }
        let mut attempt = 1;
        loop {
            let token = self.token().await?;
            let request = self.client.request(method.clone(), url).bearer_auth(token).header("Prefer", PAGE_SIZE);
            let request = match body {
                Some(body) => request.json(body),
                None => request,
            };
            let (why, wait) = match request.send().await {
                Ok(answer) if answer.status().is_success() => match answer.json().await {
                    Ok(body) => return Ok(body),
                    Err(error) => (error.without_url().to_string(), None),
                },
                Ok(answer) => {
                    let (status, wait) = (answer.status(), asked_to_wait(&answer));
                    let trouble = refused(answer).await;
                    match status {
                        StatusCode::UNAUTHORIZED => self.forget_token(),
                        StatusCode::TOO_MANY_REQUESTS
                        | StatusCode::SERVICE_UNAVAILABLE
                        | StatusCode::GATEWAY_TIMEOUT => {}
                        _ => return Err(trouble),
                    }
                    (trouble.to_string(), wait)
                }
                Err(error) => (error.without_url().to_string(), None),
            };
            // What a lost answer to a write did is not known; the restore that asked for it looks before it goes on.
            if attempt >= ATTEMPTS_MAX || (body.is_some() && wait.is_none()) {
                return Err(Trouble::Graph(format!("{why}; asked {attempt} times")));
            }
            tokio::time::sleep(wait.unwrap_or(Duration::from_millis(500) * 2u32.pow(attempt)).min(WAIT_MAX)).await;
            attempt += 1;
        }
    }

    fn forget_token(&self) {
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// A real agent would use a library here, and a certificate rather than a secret.
    async fn token(&self) -> Result<String, Trouble> {
        if let Some(token) = self.token.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            return Ok(token);
        }
        let scope = format!("{}/.default", self.root.trim_end_matches("/v1.0"));
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_id", &self.sign_in.client_id)
            .append_pair("client_secret", &self.sign_in.secret)
            .append_pair("scope", &scope)
            .finish();
        let request = self.client.post(&self.token_url).header("content-type", "application/x-www-form-urlencoded");
        let failed = |error: reqwest::Error| Trouble::Graph(format!("sign in: {}", error.without_url()));
        let answer = request.body(form).send().await.map_err(failed)?;
        let status = answer.status();
        let body: Value = answer.json().await.map_err(failed)?;
        let token = body.get("access_token").and_then(Value::as_str).map(str::to_owned);
        let token = token.ok_or_else(|| Trouble::Graph(format!("sign in: {status}")))?;
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = Some(token.clone());
        Ok(token)
    }
}

/// A message as Graph takes it, from one as Graph told it. Graph ignores when it says it was received and that it is no
/// draft; the MAPI properties behind these it takes.
pub fn restorable(message: &Value) -> Value {
    const KEPT: &[&str] = &[
        "subject",
        "body",
        "from",
        "sender",
        "toRecipients",
        "ccRecipients",
        "bccRecipients",
        "replyTo",
        "importance",
        "categories",
        "internetMessageId",
        "isRead",
    ];
    let fields = KEPT.iter().filter_map(|name| Some(((*name).to_owned(), message.get(name)?.clone())));
    let mut made: serde_json::Map<String, Value> = fields.filter(|(_, value)| !value.is_null()).collect();
    let mut mapi = Vec::new();
    if message.get("isDraft") != Some(&Value::Bool(true)) {
        mapi.push(json!({ "id": "Integer 0x0E07", "value": "1" }));
    }
    for (name, id) in [("receivedDateTime", "SystemTime 0x0E06"), ("sentDateTime", "SystemTime 0x0039")] {
        if let Some(time) = message.get(name).and_then(Value::as_str) {
            mapi.push(json!({ "id": id, "value": time }));
        }
    }
    made.insert("singleValueExtendedProperties".to_owned(), Value::Array(mapi));
    Value::Object(made)
}

fn asked_to_wait(answer: &Response) -> Option<Duration> {
    // Graph sends fractions, too.
    let seconds: f64 = answer.headers().get("retry-after")?.to_str().ok()?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

async fn refused(answer: Response) -> Trouble {
    let status = answer.status();
    let body: Value = answer.json().await.unwrap_or_default();
    let code = body.get("error").and_then(|error| error.get("code")).and_then(Value::as_str).unwrap_or_default();
    match status {
        StatusCode::GONE => Trouble::LinkForgotten,
        _ if code.eq_ignore_ascii_case("SyncStateNotFound") => Trouble::LinkForgotten,
        // Which of its codes a missing mailbox gets depends on the place that answers.
        StatusCode::NOT_FOUND => Trouble::NoMailbox(code.to_owned()),
        _ => Trouble::Graph(format!("{} {code}", status.as_u16())),
    }
}
