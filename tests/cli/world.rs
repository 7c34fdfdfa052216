//! A directory, a ledger and a program between them: what the scenarios are told with.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use whowas::clock::Clock;
use whowas::config::Config;
use whowas::domain::fact::Widths;
use whowas::domain::guard::Guard;
use whowas::domain::id::ObjectId;
use whowas::domain::time::Instant;
use whowas::graph::emulator::{
    Directory, Emulator, EmulatorOptions, NameChange, NewUser, Quirk, QuirkName, SeenRequest,
};
use whowas::http::access::tokens::PREFIX;
use whowas::ledger::Ledger;
use whowas::service::moments;
use whowas::store::sled::{SledOptions, SledStore};
use whowas::sync::Context;

/// The variable that holds the application's secret.
pub const SECRET: &str = "WHOWAS_TEST_SECRET";
/// 2026-03-02T00:00:00Z, the midnight with which day 0 of every scenario begins.
const MIDNIGHT: Instant = Instant::from_micros(1_772_409_600_000_000);

/// An emulated directory, a ledger that begins empty, and a configuration that leads from one to the other.
pub struct World {
    emulator: Emulator,
    _runtime: Runtime,
    folder: TempDir,
    day: u64,
    now: Instant,
}

/// What a run of the program left.
#[derive(Clone, Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl World {
    /// An empty directory at midnight of day 0.
    pub fn new() -> Self {
        Self::paged(200)
    }

    /// The same, with so many users on a delta page.
    pub fn paged(page_size: usize) -> Self {
        Self::with(EmulatorOptions { page_size, ..EmulatorOptions::default() })
    }

    /// The same, with whatever else is registered for the application.
    pub fn with(options: EmulatorOptions) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let emulator = {
            let _inside = runtime.enter();
            let before = MIDNIGHT.minus(Duration::from_secs(86_400));
            let directory = Directory::new("x.onmicrosoft.com", before, 1);
            Emulator::start(EmulatorOptions { directory, ..options }).unwrap()
        };
        let world = Self { emulator, _runtime: runtime, folder: tempfile::tempdir().unwrap(), day: 0, now: MIDNIGHT };
        world.configure("");
        world
    }

    /// Writes `whowas.toml`, with these lines added to the tenant's.
    pub fn configure(&self, more: &str) {
        self.configure_as(EmulatorOptions::CLIENT_ID, &format!("{{ secret_env = \"{SECRET}\" }}"), more);
    }

    /// The same for an application that signs in in another way.
    pub fn configure_as(&self, client: &str, credential: &str, more: &str) {
        let (url, tenant) = (self.emulator.url(), EmulatorOptions::TENANT);
        let text = format!(
            "[ledger]\npath = \"ledger\"\n\n[[tenant]]\nid = \"{tenant}\"\nalias = \"x\"\nclient_id = \"{client}\"\n\
             credential = {credential}\ngraph_url = \"{url}\"\nlogin_url = \"{url}\"\n\
             retry_attempts = 3\nretry_base = \"10ms\"\n{more}\n"
        );
        fs::write(self.file("whowas.toml"), text).unwrap();
    }

    // ---- time

    /// It is so late on the present day: `10:00`, also `24:00` and beyond.
    pub fn at(&mut self, clock: &str) {
        self.now = self.time(clock);
        self.emulator.set_now(self.now).unwrap();
    }

    /// It is so late on that day.
    pub fn on_day(&mut self, day: u64, clock: &str) {
        self.day = day;
        self.at(clock);
    }

    /// An instant of the present day, `10:00` or `10:00:01`.
    pub fn time(&self, clock: &str) -> Instant {
        let mut units = [3_600, 60, 1].into_iter();
        let seconds: u64 = clock.split(':').map(|part| part.parse::<u64>().unwrap() * units.next().unwrap()).sum();
        MIDNIGHT.plus(Duration::from_secs(self.day * 86_400 + seconds))
    }

    /// The program is told another time than the directory has.
    pub fn pretend(&mut self, now: Instant) {
        self.now = now;
    }

    /// What time it is.
    pub fn now(&self) -> Instant {
        self.now
    }

    // ---- the directory

    /// Whatever else is done to the directory.
    pub fn directory<R>(&self, act: impl FnOnce(&mut Directory) -> R) -> R {
        self.emulator.with(act)
    }

    pub fn create(&self, name: &str) -> ObjectId {
        self.directory(|directory| directory.create_user(NewUser::mailbox(&full(name)))).unwrap()
    }

    /// A rename in the admin centre that drops the old address.
    pub fn rename(&self, id: ObjectId, name: &str) {
        self.directory(|directory| directory.rename(id, &full(name), false)).unwrap();
    }

    /// The same, the old address staying as an alias.
    pub fn rename_keeping_alias(&self, id: ObjectId, name: &str) {
        self.directory(|directory| directory.rename(id, &full(name), true)).unwrap();
    }

    /// Several renames in one instant.
    pub fn rename_at_once(&self, changes: &[(ObjectId, &str)]) {
        let changes: Vec<NameChange> = changes
            .iter()
            .map(|(id, name)| NameChange { id: *id, upn: full(name), mail_follows: true, keep_alias: false })
            .collect();
        self.directory(|directory| directory.set_many(&changes)).unwrap();
    }

    pub fn delete(&self, id: ObjectId) {
        self.directory(|directory| directory.delete(id)).unwrap();
    }

    pub fn restore(&self, id: ObjectId, name: Option<&str>) {
        self.directory(|directory| directory.restore(id, name.map(full).as_deref(), true)).unwrap();
    }

    /// Gives or takes the licence for a mailbox.
    pub fn license(&self, id: ObjectId, licensed: bool) {
        self.directory(|directory| directory.set_licensed(id, licensed)).unwrap();
    }

    pub fn purge(&self, id: ObjectId) {
        self.directory(|directory| directory.purge(id)).unwrap();
    }

    /// From now on the service misbehaves so, and in no other way.
    pub fn quirks(&self, quirks: impl IntoIterator<Item = Quirk>) {
        self.emulator.set_quirks(quirks);
    }

    pub fn quirk(&self, name: QuirkName) {
        self.quirks([Quirk::new(name)]);
    }

    pub fn no_quirks(&self) {
        self.quirks([]);
    }

    /// What the directory was asked so far.
    pub fn requests(&self) -> Vec<SeenRequest> {
        self.emulator.requests().last.into()
    }

    // ---- the program

    /// A file beside `whowas.toml`.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn ledger(&self) -> PathBuf {
        self.file("ledger")
    }

    /// The program with nothing but this world around it, at the present time.
    pub fn command(&self, output: &str, arguments: &[&str]) -> Command {
        let mut command = bare(self.folder.path());
        command.env(SECRET, EmulatorOptions::SECRET);
        command.args(["--now", &self.now.to_string(), "--output", output]).args(arguments);
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        let ran = ran(&mut self.command("json", arguments));
        if arguments.contains(&"sync") {
            names_nobody(&ran.stderr);
        }
        ran
    }

    /// The same, printing for people.
    pub fn say(&self, arguments: &[&str]) -> Ran {
        ran(&mut self.command("human", arguments))
    }

    /// Runs the program in the background.
    pub fn start(&self, arguments: &[&str]) -> Child {
        self.command("json", arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// A completed sync.
    #[track_caller]
    pub fn poll(&self) -> Value {
        self.run(&["sync"]).done()
    }

    /// A completed sync with the reconcile after it.
    #[track_caller]
    pub fn reconcile(&self) -> Value {
        self.run(&["sync", "--reconcile"]).done()
    }

    /// The agent's question by what the ledger knows.
    #[track_caller]
    pub fn ask(&self, arguments: &[&str]) -> Verdict {
        let mut all = vec!["check"];
        all.extend(arguments);
        Verdict::of(&self.run(&all))
    }

    /// The agent's question with a live read.
    #[track_caller]
    pub fn ask_live(&self, arguments: &[&str]) -> Verdict {
        let mut all = vec!["check", "--verify"];
        all.extend(arguments);
        Verdict::of(&self.run(&all))
    }

    /// Records a snapshot of that object, taken now by its id.
    #[track_caller]
    pub fn snapshot(&self, chain: &str, snapshot: &str, object: ObjectId) -> Value {
        self.snapshot_of(chain, snapshot, &["--object", &object.to_string()])
    }

    /// Records a snapshot, taken now by a name.
    #[track_caller]
    pub fn snapshot_by_name(&self, chain: &str, snapshot: &str, name: &str) -> Value {
        self.snapshot_of(chain, snapshot, &["--name", &full(name)])
    }

    #[track_caller]
    fn snapshot_of(&self, chain: &str, snapshot: &str, of: &[&str]) -> Value {
        let now = self.now.to_string();
        let mut all =
            vec!["snapshot", "add", "--chain", chain, "--snapshot", snapshot, "--from", &now, "--until", &now];
        all.extend(of);
        self.run(&all).done()
    }

    #[track_caller]
    pub fn history(&self, of: &str) -> Value {
        self.run(&["history", of]).done()
    }

    /// Who held a name at a time of the present day, as known now.
    #[track_caller]
    pub fn who(&self, name: &str, clock: &str) -> Value {
        self.run(&["who", &full(name), "--at", &self.time(clock).to_string()]).done()
    }

    #[track_caller]
    pub fn status(&self) -> Value {
        self.run(&["status"]).done()["tenants"][0].clone()
    }

    /// The library's own way to the ledger and the directory, which keeps the ledger to itself.
    pub fn context(&self) -> Context {
        let config = Config::read(&self.file("whowas.toml")).unwrap();
        let tenant = &config.tenants[0];
        let clock = Clock::new(Some(self.now()));
        let client = tenant.client(|_| Some(EmulatorOptions::SECRET.to_owned()), moments(clock)).unwrap();
        Context {
            ledger: Ledger::new(SledStore::open(self.ledger(), SledOptions::new("test", self.now())).unwrap()),
            tenant: tenant.id,
            client: Arc::new(client),
            widths: Widths::default(),
            guard: Guard::default(),
            settling: tenant.policy().settling,
            mapping: None,
            clock,
        }
    }

    /// Nothing was lost or damaged.
    #[track_caller]
    pub fn verify(&self) {
        let report = self.run(&["verify"]).done();
        assert_eq!(report["differing"], 0, "{report}");
    }

    /// An edge as JSON has it, of two instants of the present day.
    pub fn edge(&self, after: &str, by: &str) -> Value {
        json!({"after": self.time(after), "by": self.time(by)})
    }
}

impl Ran {
    /// It did what it was asked; the answer.
    #[track_caller]
    pub fn done(&self) -> Value {
        self.ended(0)
    }

    /// It ended with this code; the answer.
    #[track_caller]
    pub fn ended(&self, code: i32) -> Value {
        assert_eq!(self.code, code, "{self:#?}");
        if self.stdout.is_empty() {
            return Value::Null;
        }
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// It failed with this code and said all of this, and no more than a person can read.
    #[track_caller]
    pub fn failed(&self, code: i32, said: &[&str]) {
        assert_eq!(self.code, code, "{self:#?}");
        for words in said {
            assert!(self.stderr.contains(words), "{words:?} is not in {self:#?}");
        }
        assert!(self.stderr.len() < 2_000, "{self:#?}");
    }
}

/// The answer to an ask.
#[derive(Clone, Debug)]
pub struct Verdict {
    pub json: Value,
}

impl Verdict {
    #[track_caller]
    fn of(ran: &Ran) -> Self {
        let json: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:#?}"));
        let (action, code) = (json["action"].as_str().unwrap(), ran.code);
        let expected = match action {
            "incremental" => 0,
            "full" => 10,
            "stop" => 20,
            "refresh" => 30,
            other => panic!("{other} is no action"),
        };
        assert_eq!(code, expected, "the exit code is the action's: {ran:#?}");
        assert!(!json["reasons"].as_array().unwrap().is_empty(), "a verdict without a reason: {ran:#?}");
        Self { json }
    }

    #[track_caller]
    fn says(self, outcome: &str, action: &str) -> Self {
        let both = (self.json["verdict"].as_str().unwrap(), self.json["action"].as_str().unwrap());
        assert_eq!(both, (outcome, action), "{:#}", self.json);
        self
    }

    #[track_caller]
    pub fn continues(self) -> Self {
        self.says("continue", "incremental")
    }

    #[track_caller]
    pub fn renamed(self) -> Self {
        self.says("renamed", "incremental")
    }

    #[track_caller]
    pub fn baseline(self) -> Self {
        self.says("baseline", "full")
    }

    #[track_caller]
    pub fn replaced(self) -> Self {
        self.says("mailbox_replaced", "full")
    }

    #[track_caller]
    pub fn mismatch(self) -> Self {
        self.says("mismatch", "stop")
    }

    #[track_caller]
    pub fn frozen(self) -> Self {
        self.says("frozen", "stop")
    }

    #[track_caller]
    pub fn ambiguous(self) -> Self {
        self.says("ambiguous", "stop")
    }

    #[track_caller]
    pub fn refresh(self) -> Self {
        self.says("refresh", "refresh")
    }

    #[track_caller]
    pub fn unknown(self) -> Self {
        self.says("unknown", "stop")
    }

    /// The object judged, and the path to open that no rename redirects.
    #[track_caller]
    pub fn of_object(self, object: ObjectId) -> Self {
        assert_eq!(self.json["object"], json!(object), "{:#}", self.json);
        let open = if self.json["verdict"] == "mismatch" { Value::Null } else { json!(format!("/users/{object}")) };
        self.has("open", open)
    }

    /// The snapshot to build on.
    #[track_caller]
    pub fn on(self, base: &str) -> Self {
        self.has("base", json!(base))
    }

    /// A field has this value.
    #[track_caller]
    pub fn has(self, field: &str, value: Value) -> Self {
        let found = self.json.pointer(&format!("/{}", field.replace('.', "/")));
        assert_eq!(found, Some(&value), "{field} of {:#}", self.json);
        self
    }

    /// What is to be done instead, for each object: action and chain.
    #[track_caller]
    pub fn instead(self, of: &[(ObjectId, &str, Option<&str>)]) -> Self {
        let all: Vec<Value> = of
            .iter()
            .map(|(object, action, chain)| json!({"object": object, "action": action, "chain": chain}))
            .collect();
        self.has("instead", json!(all))
    }

    /// One of the reasons contains these words.
    #[track_caller]
    pub fn because(self, words: &str) -> Self {
        let reasons = self.json["reasons"].as_array().unwrap();
        assert!(
            reasons.iter().any(|reason| reason.as_str().unwrap().contains(words)),
            "{words:?} is not among the reasons of {:#}",
            self.json
        );
        self
    }

    /// The only change of the user principal name.
    #[track_caller]
    pub fn upn_change(self, from: &str, to: &str, edge: Value) -> Self {
        let changes: Vec<&Value> =
            self.json["changes"].as_array().unwrap().iter().filter(|change| change["kind"] == "upn").collect();
        let expected = json!({"kind": "upn", "from": full(from), "to": full(to), "edge": edge});
        assert_eq!(changes, [&expected], "{:#}", self.json);
        self
    }
}

/// The program in a folder, with none of our own settings.
pub fn bare(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_whowas"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("WHOWAS_") {
            command.env_remove(name);
        }
    }
    command.env("HOME", folder).env_remove("XDG_CONFIG_HOME").env_remove("NO_COLOR").current_dir(folder);
    command
}

/// Runs it to its end. Whatever happens, the program never panics.
#[track_caller]
pub fn ran(command: &mut Command) -> Ran {
    finished(command.stdin(Stdio::null()).output().unwrap())
}

/// Runs it to its end with this on its standard input.
#[track_caller]
pub fn ran_with(command: &mut Command, input: &str) -> Ran {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let ran = finished(child.wait_with_output().unwrap());
    // A program that stops reading early is what some tests are about.
    let _gone = writer.join().unwrap();
    ran
}

/// What a run left.
#[track_caller]
pub fn finished(output: Output) -> Ran {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let ran =
        Ran { code: output.status.code().unwrap_or(-1), stdout: text(output.stdout), stderr: text(output.stderr) };
    assert!(!ran.stderr.contains("panicked"), "{ran:#?}");
    keeps_secrets(&ran.stderr);
    for secret in SECRETS {
        assert!(!ran.stdout.contains(secret), "an answer has {secret} in it: {ran:#?}");
    }
    ran
}

/// What of the directory's secrets can be told by sight: what the application signs in with, and what it is given for that.
const SECRETS: [&str; 2] = [EmulatorOptions::SECRET, "emulator-access-token"];

/// That nothing a program says beside its answers holds a secret. Every program that a test runs is held to it.
#[track_caller]
pub fn keeps_secrets(said: &str) {
    let is_token = |word: &str| word.strip_prefix(PREFIX).is_some_and(|rest| rest.len() >= 40);
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let found = said.split(|c| !is_word(c)).find(|word| is_token(word) || SECRETS.contains(word));
    let found = found.or_else(|| SECRETS.into_iter().find(|secret| said.contains(secret)));
    assert_eq!(found, None, "a secret is told: {said}");
}

/// That a log tells of runs and requests and of nobody by name.
#[track_caller]
pub fn names_nobody(log: &str) {
    keeps_secrets(log);
    let named = log.lines().find(|line| line.to_lowercase().contains("@x.test"));
    assert_eq!(named, None, "somebody is named: {log}");
}

/// The address in full; bare names are of `x.test`.
pub fn full(name: &str) -> String {
    if name.contains('@') { name.to_owned() } else { format!("{name}@x.test") }
}

/// Waits until something is so; half a minute is for ever on any machine.
#[track_caller]
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..1_500 {
        if is_so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("waited in vain: {what}");
}
