//! A running service, and whoever asks it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::Value;
use tokio::runtime::Runtime;

use super::world::{World, names_nobody};

/// The tenant as requests name it.
pub const T: &str = "/v1/tenants/x";

pub struct Served {
    pub url: String,
    child: Child,
    runtime: Runtime,
    pub client: reqwest::Client,
    /// All that the service said on standard error.
    pub said: Arc<Mutex<String>>,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Served {
    /// Serves a world's ledger, without a schedule, by the clock that each request tells.
    pub fn of(world: &World) -> Self {
        Self::with(world, &["--no-schedule", "--rehearsal"])
    }

    pub fn with(world: &World, options: &[&str]) -> Self {
        Self::start(world.command("json", &[&["-v", "serve", "--listen", "127.0.0.1:0"], options].concat()))
    }

    pub fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let said = Arc::new(Mutex::new(String::new()));
        let url = loop {
            let mut line = String::new();
            assert!(lines.read_line(&mut line).unwrap() > 0, "it ended: {}", said.lock().unwrap());
            said.lock().unwrap().push_str(&line);
            if let Some(url) = line.trim().strip_prefix("listening on ") {
                break url.to_owned();
            }
        };
        let heard = Arc::clone(&said);
        std::thread::spawn(move || {
            lines.lines().map_while(Result::ok).for_each(|line| *heard.lock().unwrap() += &format!("{line}\n"));
        });
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        // A connection each: one on which a body was refused in its middle is closed, and no good for the next request.
        let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).timeout(Duration::from_secs(60));
        // Whoever sends more than is taken in must be able to wait for longer than half a minute.
        #[cfg(target_os = "linux")]
        let client = client.tcp_user_timeout(None);
        let client = client.build().unwrap();
        Self { url, child, runtime, client, said }
    }

    pub fn ask(&self, method: Method, path: &str, token: Option<&str>, body: Option<&Value>) -> Answer {
        self.ask_at(None, method, path, token, body)
    }

    /// The same at a time of the world.
    pub fn ask_at(
        &self,
        now: Option<&str>,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<&Value>,
    ) -> Answer {
        let mut request = self.client.request(method, format!("{}{path}", self.url));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(now) = now {
            request = request.header("x-whowas-now", now);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        self.send(request)
    }

    pub fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        self.runtime.block_on(async {
            let response = request.send().await.unwrap();
            let (status, headers) = (response.status(), response.headers().clone());
            Answer { status, headers, text: response.text().await.unwrap() }
        })
    }

    pub fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and how it ended.
    pub fn stop(mut self) -> (Option<i32>, String) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let code = self.child.wait().unwrap().code();
        (code, self.said.lock().unwrap().clone())
    }

    pub fn address(&self) -> &str {
        self.url.split("://").nth(1).unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended already.
        let _ended = self.child.kill();
        let _ended = self.child.wait();
        if !std::thread::panicking() {
            names_nobody(&self.said.lock().unwrap());
        }
    }
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The answer, if it has this status.
    pub fn with(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.json()
    }

    /// The problem with this status and code.
    pub fn problem(&self, status: u16, code: &str) -> Value {
        let body = self.with(status);
        assert_eq!(body["code"], code, "{body}");
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert_eq!(body["type"], format!("urn:whowas:problem:{code}"));
        assert_eq!(body["status"], status);
        assert!(self.headers.contains_key("x-request-id"));
        body
    }
}

/// Gives out a token for a world's ledger.
pub fn token(world: &World, role: &str, more: &[&str]) -> String {
    world.run(&[&["token", "add", "--role", role], more].concat()).done()["token"].as_str().unwrap().to_owned()
}
