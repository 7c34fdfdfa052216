//! Where the story is played: an emulated Graph in this process, `whowas` in processes of its own, all on loopback.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use tempfile::TempDir;
use whowas::clock::Clock;
use whowas::graph::emulator::{self, Emulator, EmulatorOptions};

use super::agent::Agent;
use super::agent::graph::{Graph, SignIn};
use super::agent::repository::Repository;
use super::agent::service::Service;
use super::agent::story::{self, Ending, Meanwhile};
use super::agent::trouble::Trouble;

/// How the configuration calls the tenant.
const TENANT: &str = "contoso";
/// Where the secret of the application is read from.
const SECRET: &str = "WHOWAS_SECRET";
/// How long to wait for a process to say that it is there, and for a sync to end.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longer than the widths of `CONFIG`: what was read before is then surely over.
const NIGHT: Duration = Duration::from_secs(3);
/// A directory that is never late, because nobody wants to watch a story for the five minutes that a real one may be.
const CONFIG: &str = "lag = \"1s\"\nread_lag = \"1s\"\npropagation = \"1s\"\n";

/// A stage that is ready to play on.
pub struct Stage {
    runtime: tokio::runtime::Runtime,
    emulator: Arc<Emulator>,
    serving: Serving,
    agent_token: String,
    sync_token: String,
    keep: PathBuf,
    // Gone when everything else is.
    _folder: TempDir,
}

impl Stage {
    /// Starts the emulator and the service, and gives out the tokens.
    pub fn set(binary: PathBuf, keep: Option<PathBuf>) -> Result<Self, Trouble> {
        let folder = tempfile::tempdir().map_err(Trouble::disk("make a folder in", &std::env::temp_dir()))?;
        let said = |error: std::io::Error| Trouble::Graph(error.to_string());
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(said)?;
        let emulator = {
            let _inside = runtime.enter();
            let now = Clock::default().now();
            let directory = story::directory(now).map_err(|refusal| Trouble::Graph(refusal.to_string()))?;
            let clock = Some(emulator::Clock::Ticking { from: now, base: std::time::Instant::now() });
            let options = EmulatorOptions { directory, clock, ..EmulatorOptions::default() };
            Arc::new(Emulator::start(options).map_err(said)?)
        };
        let config = folder.path().join("whowas.toml");
        let (id, client, url) = (EmulatorOptions::TENANT, EmulatorOptions::CLIENT_ID, emulator.url());
        let text = format!(
            "[ledger]\npath = \"ledger\"\n\n[[tenant]]\nid = \"{id}\"\nalias = \"{TENANT}\"\nclient_id = \"{client}\"\n\
             credential = {{ secret_env = \"{SECRET}\" }}\ngraph_url = \"{url}\"\nlogin_url = \"{url}\"\n{CONFIG}"
        );
        std::fs::write(&config, text).map_err(Trouble::disk("write", &config))?;
        let program = Program { binary, folder: folder.path().to_owned() };
        // The ledger is made by the first sync. A service would make it, too; it holds the ledger from then on.
        program.run(&["sync"])?;
        let (agent_token, sync_token) = (program.token("agent")?, program.token("sync")?);
        let serving = program.serve()?;
        let keep = keep.unwrap_or_else(|| folder.path().join("repository"));
        Ok(Self { runtime, emulator, serving, agent_token, sync_token, keep, _folder: folder })
    }

    /// Plays the story.
    pub fn play(&self) -> Result<Ending, Trouble> {
        let url = self.emulator.url();
        let sign_in = SignIn {
            tenant: EmulatorOptions::TENANT.to_owned(),
            client_id: EmulatorOptions::CLIENT_ID.to_owned(),
            secret: EmulatorOptions::SECRET.to_owned(),
        };
        let agent = Agent {
            graph: Graph::new(&url, &url, sign_in)?,
            identity: Box::new(Service::new(&self.serving.url, TENANT, self.agent_token.clone())?),
            repository: Repository::open(&self.keep)?,
            clock: Arc::new(|| Clock::default().now()),
        };
        let scheduler = Scheduler { url: self.serving.url.clone(), token: self.sync_token.clone() };
        self.runtime.block_on(story::play(&agent, &self.emulator, &scheduler))
    }
}

/// Asks for a sync as a scheduler with a token of its own does, and waits until it is over.
struct Scheduler {
    url: String,
    token: String,
}

impl Scheduler {
    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Value, Trouble> {
        let said = |error: reqwest::Error| Trouble::Service(error.without_url().to_string());
        let answer = request.bearer_auth(&self.token).send().await.map_err(said)?;
        let status = answer.status();
        let body: Value = answer.json().await.map_err(said)?;
        if status.is_success() { Ok(body) } else { Err(Trouble::Service(format!("{status}: {body}"))) }
    }
}

#[async_trait]
impl Meanwhile for Scheduler {
    async fn night(&self) -> Result<(), Trouble> {
        let client = reqwest::Client::new();
        let syncs = format!("{}/v1/tenants/{TENANT}/syncs", self.url);
        let mut run = self.send(client.post(&syncs).json(&serde_json::json!({}))).await?;
        let one = format!("{syncs}/{}", run.get("run").cloned().unwrap_or_default());
        let began = tokio::time::Instant::now();
        while run.get("ended").is_none_or(Value::is_null) {
            if began.elapsed() > PATIENCE {
                return Err(Trouble::Service("the sync does not end".to_owned()));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            run = self.send(client.get(&one)).await?;
        }
        if run.get("outcome").and_then(Value::as_str) != Some("completed") {
            return Err(Trouble::Service(format!("the sync ended with {run}")));
        }
        tokio::time::sleep(NIGHT).await;
        Ok(())
    }
}

/// The program, and the folder that it works in.
struct Program {
    binary: PathBuf,
    folder: PathBuf,
}

impl Program {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        // Nothing that is set around the story may steer it.
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("WHOWAS_")) {
            command.env_remove(name);
        }
        command.current_dir(&self.folder).env(SECRET, EmulatorOptions::SECRET).stdin(Stdio::null());
        command.args(["--config", "whowas.toml"]).args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> Result<String, Trouble> {
        let done = self.command(arguments).output().map_err(Trouble::disk("run", &self.binary))?;
        if !done.status.success() {
            let said = String::from_utf8_lossy(&done.stderr).into_owned();
            return Err(Trouble::Service(format!("whowas {}: {said}", arguments.join(" "))));
        }
        Ok(String::from_utf8_lossy(&done.stdout).into_owned())
    }

    fn token(&self, role: &str) -> Result<String, Trouble> {
        let said = self.run(&["--output", "json", "--tenant", TENANT, "token", "add", "--role", role])?;
        let added: Value = serde_json::from_str(&said)
            .map_err(|error| Trouble::Service(format!("token add cannot be read: {error}")))?;
        let token = added.get("token").and_then(Value::as_str).map(str::to_owned);
        token.ok_or_else(|| Trouble::Service("token add gave no token".to_owned()))
    }

    fn serve(&self) -> Result<Serving, Trouble> {
        let mut child = self
            .command(&["serve", "--no-schedule", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(Trouble::disk("run", &self.binary))?;
        let lines = child.stderr.take().map(BufReader::new);
        let mut serving = Serving { child, url: String::new() };
        let (tell, told) = channel();
        // Read to its end: a service whose words nobody takes would stand still when the pipe is full.
        std::thread::spawn(move || {
            for line in lines.into_iter().flat_map(BufReader::lines).map_while(Result::ok) {
                // Nobody listens any more once the service has begun.
                let _unheard = tell.send(line);
            }
        });
        let mut said = Vec::new();
        while let Ok(line) = told.recv_timeout(PATIENCE) {
            if let Some((_, url)) = line.split_once("listening on ") {
                url.trim().clone_into(&mut serving.url);
                return Ok(serving);
            }
            said.push(line);
        }
        Err(Trouble::Service(format!("whowas serve did not begin: {}", said.join("; "))))
    }
}

/// The running service. It ends when this is dropped, and only this one does.
struct Serving {
    child: Child,
    url: String,
}

impl Drop for Serving {
    fn drop(&mut self) {
        // Both fail only for a process that has ended.
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}
