//! `serve` as a process: several tenants at their rhythm on a real clock, and others who ask it in between.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use whowas::graph::emulator::{Clock, Directory, Emulator, EmulatorOptions, NewUser, Quirk, QuirkName};

use super::world::{Ran, SECRET, bare, finished, names_nobody, ran, wait_until};

const OTHER: &str = "0e1d6a3e-58f4-4c1b-9d2e-7a5f0c9b8e22";

/// Two directories whose clocks go, and a configuration that leads to both.
struct Place {
    emulators: [Emulator; 2],
    _runtime: Runtime,
    folder: TempDir,
}

impl Place {
    fn new(more: [&str; 2]) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let now = whowas::clock::Clock::default().now();
        let tenants = [EmulatorOptions::TENANT, OTHER];
        let emulators = {
            let _inside = runtime.enter();
            tenants.map(|tenant| {
                let mut directory = Directory::new("x.onmicrosoft.com", now, 1);
                directory.create_user(NewUser::mailbox("ann@x.test")).unwrap();
                let clock = Some(Clock::Ticking { from: now, base: std::time::Instant::now() });
                let options =
                    EmulatorOptions { tenant: tenant.to_owned(), directory, clock, ..EmulatorOptions::default() };
                Emulator::start(options).unwrap()
            })
        };
        let place = Self { emulators, _runtime: runtime, folder: tempfile::tempdir().unwrap() };
        let mut text = "[ledger]\npath = \"ledger\"\n\n[server]\nlisten = \"127.0.0.1:0\"\n".to_owned();
        for (tenant, (alias, (emulator, more))) in
            tenants.iter().zip(["one", "two"].into_iter().zip(place.emulators.iter().zip(more)))
        {
            let (url, client) = (emulator.url(), EmulatorOptions::CLIENT_ID);
            text += &format!(
                "\n[[tenant]]\nid = \"{tenant}\"\nalias = \"{alias}\"\nclient_id = \"{client}\"\n\
                 graph_url = \"{url}\"\nlogin_url = \"{url}\"\nretry_attempts = 2\nretry_base = \"10ms\"\n{more}\n"
            );
        }
        fs::write(place.folder.path().join("whowas.toml"), text).unwrap();
        place
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = bare(self.folder.path());
        command.env(SECRET, EmulatorOptions::SECRET).args(["--output", "jsonl"]).args(arguments);
        command
    }

    fn serve(&self) -> Serving {
        self.serve_with(&[])
    }

    /// With further flags. Where it listens is its first line, or the message of it.
    fn serve_with(&self, flags: &[&str]) -> Serving {
        let token = self.ask(&["token", "add", "--role", "admin"])["token"].as_str().unwrap().to_owned();
        let mut child = self
            .command(&[flags, &["serve"]].concat())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (send, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            stdout.lines().map_while(Result::ok).try_for_each(|line| send.send(serde_json::from_str(&line).unwrap()))
        });
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        let told =
            serde_json::from_str(&line).ok().and_then(|event: Value| event["message"].as_str().map(str::to_owned));
        let told = told.as_deref().unwrap_or(line.trim());
        let url = told.strip_prefix("listening on ").unwrap_or_else(|| panic!("{line}")).to_owned();
        let said = std::thread::spawn(move || {
            let mut said = String::new();
            stderr.read_to_string(&mut said).map(|_| said).unwrap()
        });
        Serving { child, lines, runs: Vec::new(), url, token, said }
    }

    /// An answer of another command on the ledger itself.
    fn ask(&self, arguments: &[&str]) -> Value {
        ran(&mut self.command(arguments)).done()
    }

    fn status(&self, alias: &str) -> Value {
        of_alias(&self.ask(&["status"]), alias)
    }

    /// The program, asking the service.
    fn there(&self, serving: &Serving, arguments: &[&str]) -> Ran {
        let mut command = self.command(&["--server", &serving.url]);
        ran(command.env("WHOWAS_TOKEN", &serving.token).args(arguments))
    }
}

fn of_alias(status: &Value, alias: &str) -> Value {
    status["tenants"].as_array().unwrap().iter().find(|tenant| tenant["alias"] == alias).unwrap().clone()
}

/// A running service and the runs that it has told of.
struct Serving {
    child: Child,
    lines: Receiver<Value>,
    runs: Vec<Value>,
    url: String,
    token: String,
    said: JoinHandle<String>,
}

impl Serving {
    fn of(&mut self, tenant: &str) -> Vec<Value> {
        self.runs.extend(self.lines.try_iter());
        let of = self.runs.iter().filter(|line| line["tenant"] == tenant);
        of.map(|line| line["run"].clone()).collect()
    }

    /// Ends it as asked; how it ended, and what it said after where it listens.
    fn terminate(mut self) -> Ran {
        signal(&self.child);
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        let said = self.said.join().unwrap();
        names_nobody(&said);
        Ran { code, stdout: String::new(), stderr: said }
    }
}

fn signal(child: &Child) {
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
}

const SECRETLY: &str = "credential = { secret_env = \"WHOWAS_TEST_SECRET\" }\nsync_every = \"1s\"";

#[test]
fn every_tenant_is_read_at_its_rhythm_and_others_ask_in_between() {
    let place = Place::new([SECRETLY, SECRETLY]);
    let mut serving = place.serve();
    for tenant in [EmulatorOptions::TENANT, OTHER] {
        wait_until("three rounds and a reconcile", || serving.of(tenant).len() >= 4);
        let runs = serving.of(tenant);
        for (run, of) in runs.iter().zip([
            ("full", "startup"),
            ("reconcile", "startup"),
            ("delta", "schedule"),
            ("delta", "schedule"),
        ]) {
            assert_eq!((&run["kind"], &run["trigger"]), (&json!(of.0), &json!(of.1)), "{runs:#?}");
        }
        assert!(runs.iter().all(|run| run["outcome"] == "completed"), "{runs:#?}");
    }
    let bob = place.emulators[1].with(|directory| directory.create_user(NewUser::mailbox("bob@x.test"))).unwrap();
    let history = ["--tenant", "two", "history", &bob.to_string()];
    wait_until("the next rounds show a newcomer", || place.there(&serving, &history).code == 0);
    assert_eq!(place.there(&serving, &history).done()["state"], "active");
    let status = place.there(&serving, &["status"]).done();
    assert_ne!(of_alias(&status, "one")["next_sync"], Value::Null);
    // The ledger itself is the service's as long as it runs, between two rounds as well.
    for _ in 0..3 {
        let held = ran(&mut place.command(&["status"]));
        held.failed(
            1,
            &["it is held by process", "whowas serve", &format!("--server {}", serving.url), "WHOWAS_TOKEN"],
        );
        std::thread::sleep(Duration::from_millis(200));
    }
    let ended = serving.terminate();
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{ended:#?}");
    assert_eq!(ran(&mut place.command(&["--tenant", "one", "verify"])).code, 0);
}

#[test]
fn a_stop_in_the_middle_of_a_page_ends_the_run_at_once_and_the_next_goes_on() {
    let place = Place::new([SECRETLY, "credential = { secret_env = \"WHOWAS_TEST_SECRET\" }\nsync_every = \"1h\""]);
    let mut slow = Quirk::new(QuirkName::SlowBody);
    slow.seconds = Some(3_600.0);
    slow.path = Some("users/delta".to_owned());
    place.emulators[0].set_quirks([slow]);
    let mut serving = place.serve();
    wait_until("the other tenant is read", || !serving.of(OTHER).is_empty());
    wait_until("half a page", || place.emulators[0].requests().last.iter().any(|seen| seen.target.contains("delta")));
    // Whoever syncs the very tenant is told of that run, although others have ended since; the other tenant is the service's
    // to read.
    let sync = |alias| ran(&mut place.command(&["--tenant", alias, "sync"]));
    let busy = sync("one");
    busy.failed(75, &["already running", "whowas serve"]);
    let told: Value = serde_json::from_str(&busy.stdout).unwrap();
    assert_eq!((&told["outcome"], &told["trigger"], &told["run"]), (&json!("running"), &json!("startup"), &json!(1)));
    assert_eq!(place.there(&serving, &["--tenant", "one", "sync"]).code, 75);
    sync("two").failed(1, &["it is held by", &format!("--server {}", serving.url)]);
    assert_eq!(place.there(&serving, &["--tenant", "two", "sync"]).done()["trigger"], "demand");
    let ended = serving.terminate();
    assert_eq!(ended.code, 0, "{ended:#?}");
    assert_eq!(place.status("one")["last_sync"]["outcome"], json!("interrupted"));
    place.emulators[0].set_quirks([]);
    let mut serving = place.serve();
    wait_until("the run is made up for", || serving.of(EmulatorOptions::TENANT).len() > 1);
    assert!(serving.of(OTHER).is_empty(), "read an hour ago at most");
    serving.terminate();
}

#[test]
fn a_tenant_that_cannot_be_read_is_named_with_the_cure_and_does_not_stop_the_others() {
    let place = Place::new(["credential = { secret_env = \"WRONG\" }\nsync_every = \"1s\"", SECRETLY]);
    let mut child = place
        .command(&["serve"])
        .env("WRONG", "not the secret")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines();
    let (mut well, mut failed) = (0, 0);
    while well < 3 || failed == 0 {
        let run: Value = serde_json::from_str(&stdout.next().unwrap().unwrap()).unwrap();
        let is_well = run["run"]["outcome"] == "completed";
        assert_eq!(is_well, run["tenant"] == OTHER, "{run}");
        if is_well { well += 1 } else { failed += 1 }
    }
    signal(&child);
    let ended = finished(child.wait_with_output().unwrap());
    assert_eq!(ended.code, 0, "{ended:#?}");
    assert!(ended.stderr.contains("one: ") && ended.stderr.contains("AADSTS7000215"), "{ended:#?}");
    assert!(ended.stderr.contains("copy the secret's Value"), "{ended:#?}");
    assert!(!ended.stderr.contains("not the secret"), "{ended:#?}");
}

/// A collector gets objects alone, whoever says something: the log, a note, a run that failed, a command that ends with an error.
/// A disk that is full, a terminal that is closed: nobody reads what is said, and the service answers all the same.
#[cfg(target_os = "linux")]
#[test]
fn a_log_that_cannot_be_written_ends_no_answer_and_no_run() {
    let place = Place::new([SECRETLY, "sync_every = \"1h\"\ncredential = { secret_file = \"wrong\" }"]);
    fs::write(place.folder.path().join("wrong"), "not the secret").unwrap();
    let token = place.ask(&["token", "add", "--role", "admin"])["token"].as_str().unwrap().to_owned();
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let mut child = place.command(&["-v", "serve"]).stdout(Stdio::null()).stderr(full).spawn().unwrap();
    let holder = || -> Option<Value> {
        serde_json::from_str(&fs::read_to_string(place.folder.path().join("ledger/holder.json")).ok()?).ok()
    };
    wait_until("it listens", || holder().is_some_and(|holder| holder["url"].is_string()));
    let url = holder().unwrap()["url"].as_str().unwrap().to_owned();
    let (runtime, client) = (Runtime::new().unwrap(), reqwest::Client::builder().no_proxy().build().unwrap());
    let get = |path: &str| runtime.block_on(client.get(format!("{url}{path}")).send());
    wait_until("it answers at all", || std::net::TcpStream::connect(url.trim_start_matches("http://")).is_ok());
    for path in ["/healthz", "/v1/status", "/nowhere"] {
        let answer = get(path);
        assert!(answer.as_ref().is_ok_and(|answer| answer.status().as_u16() < 500), "{path}: {answer:?}");
    }
    // The first tenant is read, and that the second cannot be is told.
    let outcomes = || {
        let answer = runtime.block_on(async {
            client.get(format!("{url}/v1/status")).bearer_auth(&token).send().await.unwrap().text().await.unwrap()
        });
        let status: Value = serde_json::from_str(&answer).unwrap();
        ["one", "two"].map(|alias| of_alias(&status, alias)["last_sync"]["outcome"].clone())
    };
    wait_until("both were read", || outcomes() == ["completed", "failed"]);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_log_as_json_has_objects_alone_and_no_names() {
    let place = Place::new([SECRETLY, "sync_every = \"1s\"\ncredential = { secret_file = \"wrong\" }"]);
    fs::write(place.folder.path().join("wrong"), "not the secret").unwrap();
    let mut serving = place.serve_with(&["--log", "json", "-v"]);
    wait_until("it ran thrice", || serving.of(EmulatorOptions::TENANT).len() > 2);
    assert_eq!(place.there(&serving, &["--tenant", "one", "who", "ann@x.test"]).code, 0);
    let ended = serving.terminate();
    let events: Vec<Value> = ended.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for event in &events {
        let has = |key: &str| event[key].as_str().is_some_and(|text| !text.is_empty());
        assert!(has("timestamp") && has("level") && has("message"), "{event}");
        assert!(event["timestamp"].as_str().unwrap().parse::<whowas::domain::time::Instant>().is_ok(), "{event}");
        assert!(!event.to_string().contains("ann@x.test"), "{event}");
    }
    let of = |message: &str| events.iter().find(|event| event["message"].as_str().unwrap().contains(message));
    assert_eq!(of("AADSTS7000215").unwrap_or_else(|| panic!("{events:?}"))["level"], "WARN");
    let answered = of("answered").unwrap_or_else(|| panic!("{events:?}"));
    assert_eq!((&answered["level"], &answered["status"]), (&json!("INFO"), &json!(200)));
    assert!(answered["request"].is_string() && answered["route"].is_string(), "{answered}");

    let failed = ran(&mut place.command(&["--log", "json", "--tenant", "three", "who", "ann@x.test"]));
    let event: Value = serde_json::from_str(&failed.stderr).unwrap();
    assert_eq!((failed.code, &event["level"]), (2, &json!("ERROR")), "{event}");
    assert!(event["message"].as_str().unwrap().contains("three"), "{event}");
}

#[test]
fn what_could_never_run_is_refused_at_once() {
    let place = Place::new([SECRETLY, SECRETLY]);
    ran(&mut place.command(&["--now", "2026-03-01T00:00:00Z", "serve"])).failed(2, &["--now stands still"]);
    ran(&mut place.command(&["--tenant", "three", "serve"])).failed(2, &["three"]);
    ran(place.command(&["serve"]).env_remove(SECRET)).failed(2, &[SECRET, "is not set"]);
    fs::write(place.folder.path().join("whowas.toml"), "").unwrap();
    ran(&mut place.command(&["serve"])).failed(2, &["no tenant is configured"]);
    assert!(!place.folder.path().join("ledger").exists(), "nothing is left behind");
}

#[test]
fn a_service_started_again_and_again_does_not_ask_the_directory_each_time() {
    let hourly = "credential = { secret_env = \"WHOWAS_TEST_SECRET\" }\nsync_every = \"1h\"";
    let place = Place::new([hourly, hourly]);
    let mut serving = place.serve();
    wait_until("both are read", || [EmulatorOptions::TENANT, OTHER].iter().all(|t| !serving.of(t).is_empty()));
    serving.terminate();
    let asked = place.emulators[0].requests().total;
    for _ in 0..3 {
        let serving = place.serve();
        std::thread::sleep(Duration::from_millis(300));
        serving.terminate();
    }
    assert_eq!(place.emulators[0].requests().total, asked);
}
