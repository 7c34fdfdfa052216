//! The product as people run it: processes on one ledger, some of which are killed.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant as Moment};

use serde_json::Value;
use whowas::domain::time::Instant;
use whowas::graph::emulator::EmulatorOptions;
use whowas::ledger::Ledger;
use whowas::store::sled::{SledOptions, SledStore};

use super::dice::Dice;
use super::faults;
use super::foreign::Foreign;
use super::place::{Place, SECRET};
use super::tally::Tally;

/// The exit code of a sync whose tenant is being synced.
const RUNNING: i32 = 75;
const SIGKILL: i32 = 9;

pub struct Product {
    binary: PathBuf,
    folder: PathBuf,
}

impl Product {
    /// A ledger, yet to be made, that these tenants share.
    pub fn new(binary: &Path, folder: PathBuf, places: &[Place]) -> Self {
        fs::create_dir_all(&folder).unwrap();
        let tenants: Vec<String> = places.iter().map(|place| place.config(&place.hostile)).collect();
        let text = format!("[ledger]\npath = \"ledger\"\n\n{}", tenants.join("\n"));
        fs::write(folder.join("whowas.toml"), text).unwrap();
        Self { binary: binary.to_owned(), folder }
    }

    /// Every tenant is read at this time, one after the other, under faults, kills and races. A run that does not go well is
    /// sometimes tried once more, and otherwise left until the next time, whether it was struck or failed by itself.
    pub fn slot(&self, places: &[Place], now: Instant, dice: &mut Dice, foreign: &Foreign) -> Tally {
        let mut tally = Tally::default();
        let mut order: Vec<&Place> = places.iter().collect();
        dice.shuffle(&mut order);
        for place in order {
            let mut tries = if dice.chance(60) { 2 } else { 1 };
            while tries > 0 {
                faults::strike(&place.hostile, dice, foreign);
                let code = self.raced(place, places, now, dice, &mut tally);
                faults::calm(&place.hostile, &mut tally.faults);
                tries = if code == Some(0) { 0 } else { tries - 1 };
            }
        }
        tally
    }

    /// A scheduled sync, which may be killed, and perhaps another one that somebody asks for meanwhile. The exit code
    /// of the scheduled one, unless it was killed.
    fn raced(&self, place: &Place, places: &[Place], now: Instant, dice: &mut Dice, tally: &mut Tally) -> Option<i32> {
        let reconcile: &[&str] = if dice.chance(12) { &["--reconcile"] } else { &[] };
        let mut scheduled = self.start(Some(now), &place.alias, &[&["sync"], reconcile].concat(), tally);
        let race = dice.chance(35).then(|| milliseconds(dice, 5, 100));
        let rival = if dice.chance(75) { place } else { dice.pick(&places.iter().collect::<Vec<_>>()) };
        let kill = dice.chance(25).then(|| milliseconds(dice, 5, 200));
        let on_demand = race.map(|pause| {
            sleep(pause);
            tally.raced += 1;
            self.start(Some(now), &rival.alias, &["sync"], tally)
        });
        if let Some(pause) = kill {
            sleep(pause.saturating_sub(race.unwrap_or_default()));
            // It may have ended by itself; then there is nobody to kill.
            let _ended = scheduled.kill();
        }
        let code = self.ended(scheduled, tally);
        if let Some(child) = on_demand {
            self.ended(child, tally);
        }
        code
    }

    /// The service keeps the tenants for a while of real time, is killed and started again, and others ask it for syncs
    /// meanwhile, or find the ledger held.
    pub fn serve(&self, places: &[Place], span: Duration, dice: &mut Dice, foreign: &Foreign) -> Tally {
        let mut tally = Tally::default();
        let token = self.token();
        let began = Moment::now();
        while began.elapsed() < span {
            let (mut service, url) = self.service();
            tally.processes += 1;
            let life = milliseconds(dice, 700, 5_000);
            let started = Moment::now();
            while started.elapsed() < life && began.elapsed() < span {
                let place = dice.pick(&places.iter().collect::<Vec<_>>());
                faults::calm(&place.hostile, &mut tally.faults);
                faults::strike(&place.hostile, dice, foreign);
                if dice.chance(20) {
                    tally.raced += 1;
                    let there: &[&str] = if dice.chance(75) { &["--server", &url, "sync"] } else { &["sync"] };
                    let mut command = self.command(None, Some(&place.alias), there);
                    tally.processes += 1;
                    command.env("WHOWAS_TOKEN", &token).stdout(Stdio::piped()).stderr(Stdio::piped());
                    self.ended(command.spawn().unwrap(), &mut tally);
                }
                sleep(milliseconds(dice, 20, 200));
            }
            if service.try_wait().unwrap().is_some() {
                tally.problem("the service ended by itself".to_owned());
            } else if dice.chance(75) {
                service.kill().unwrap();
                tally.kills += 1;
                tally.services_killed += 1;
            } else {
                let asked = Command::new("kill").args(["-TERM", &service.id().to_string()]).status().unwrap();
                assert!(asked.success());
            }
            let status = service.wait().unwrap();
            if status.signal().is_none() && status.code() != Some(0) {
                tally.problem(format!("the service ended with {status}"));
            }
        }
        for place in places {
            faults::calm(&place.hostile, &mut tally.faults);
        }
        let said = fs::read_to_string(self.folder.join("serve.log")).unwrap_or_default();
        if said.contains("panicked") {
            tally.problem(format!("the service panicked: {said}"));
        }
        for told in ["@x.test", EmulatorOptions::SECRET, "emulator-access-token", token.as_str()] {
            if said.contains(told) {
                tally.problem(format!("the service's log has {told} in it"));
            }
        }
        tally
    }

    /// A token for whoever asks the service for a sync.
    fn token(&self) -> String {
        let output = self.command(None, None, &["token", "add", "--role", "sync"]).output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        told["token"].as_str().unwrap().to_owned()
    }

    /// A service that listens, and where. What it says goes to a file.
    fn service(&self) -> (Child, String) {
        let log = || OpenOptions::new().create(true).append(true).open(self.folder.join("serve.log")).unwrap();
        let mut command = self.command(None, None, &["serve", "--listen", "127.0.0.1:0"]);
        let mut service = command.stdout(log()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(service.stderr.take().unwrap());
        let mut file = log();
        let mut line = String::new();
        let url = loop {
            line.clear();
            assert!(stderr.read_line(&mut line).unwrap() > 0, "a service ended before it listened");
            file.write_all(line.as_bytes()).unwrap();
            if let Some(url) = line.trim().strip_prefix("listening on ") {
                break url.to_owned();
            }
        };
        // It ends with the service.
        std::thread::spawn(move || std::io::copy(&mut stderr, &mut file));
        (service, url)
    }

    /// With everything calm: a round and a reconcile of every tenant, which must succeed, and a look at every hash and every
    /// derived record.
    pub fn settle(&self, places: &[Place], now: Instant) -> Tally {
        let mut tally = Tally::default();
        for place in places {
            for arguments in [&["sync", "--reconcile"][..], &["verify"]] {
                let child = self.start(Some(now), &place.alias, arguments, &mut tally);
                let output = child.wait_with_output().unwrap();
                if output.status.code() != Some(0) {
                    tally.problem(format!("{}: {arguments:?} in the calm ended so: {}", place.alias, said(&output)));
                }
            }
        }
        tally
    }

    /// The ledger, when no process is left that holds it.
    pub fn open(&self, now: Instant) -> Ledger {
        Ledger::new(SledStore::open(self.folder.join("ledger"), SledOptions::new("soak", now)).unwrap())
    }

    fn command(&self, now: Option<Instant>, tenant: Option<&str>, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("WHOWAS_") {
                command.env_remove(name);
            }
        }
        command.env("HOME", &self.folder).env_remove("XDG_CONFIG_HOME").current_dir(&self.folder);
        command.env(SECRET, EmulatorOptions::SECRET).args(["--output", "json"]).stdin(Stdio::null());
        command.args(now.map(|now| format!("--now={now}")));
        command.args(tenant.map(|tenant| format!("--tenant={tenant}"))).args(arguments);
        command
    }

    fn start(&self, now: Option<Instant>, tenant: &str, arguments: &[&str], tally: &mut Tally) -> Child {
        tally.processes += 1;
        let mut command = self.command(now, Some(tenant), arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Waits for a sync and counts how it ended; its exit code, unless it was killed.
    fn ended(&self, child: Child, tally: &mut Tally) -> Option<i32> {
        let output = child.wait_with_output().unwrap();
        let text = said(&output);
        match (output.status.code(), output.status.signal()) {
            (None, Some(SIGKILL)) => tally.kills += 1,
            (Some(0), _) => {}
            (Some(RUNNING), _) => {
                tally.refused += 1;
                let told: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
                // A service that was asked tells the run; whoever found the ledger held tells by which process.
                let is_told = told["pid"].is_u64() && told["since"].is_string() || told["trigger"].is_string();
                if !is_told || told["outcome"] != "running" || !told["started"].is_string() {
                    tally.problem(format!("a refusal that does not say by whom and since when: {text}"));
                }
            }
            (Some(1), _) if text.contains("it is held by") => tally.waited_in_vain += 1,
            (Some(1), _) if !text.contains("panicked") => {}
            _ => tally.problem(format!("a sync ended so: {text}")),
        }
        output.status.code()
    }
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}: {}{}", output.status, text(&output.stdout), text(&output.stderr))
}

fn milliseconds(dice: &mut Dice, from: i64, to: i64) -> Duration {
    Duration::from_millis(dice.between(from, to).unsigned_abs())
}
