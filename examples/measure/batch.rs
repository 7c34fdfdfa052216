//! An agent's batch of a thousand asks: in process, over HTTP, and put to SQLite and to PostgreSQL, which must answer alike.

use std::process::Command;
use std::time::{Duration, Instant as Clock};

use serde::Deserialize;
use whowas::domain::id::SnapshotId;
use whowas::domain::verdict::{Ask, Outcome, Policy};
use whowas::ledger::{KnownAt, Ledger};
use whowas::service::Desk;
use whowas::service::check::{CheckAnswer, CheckRequest, check, check_together};

use crate::budgets::{figure, missing};
use crate::postgres::{Postgres, Question};
use crate::running::Running;
use crate::world::sql::Sql;
use crate::world::{TENANT, World, ask_by_chain, ask_by_name};
use crate::{SERVING_BYTES, Settings, seconds, serving_in};

const ASKS: usize = 1_000;
const BATCHES: usize = 20;
/// How long a service may take to copy what it copies.
const COPIED_WITHIN: Duration = Duration::from_secs(300);
/// How old the evidence for a name may be; by default it must be read from the directory at once.
const NAME_MAX_AGE: Duration = Duration::from_secs(7_200);

type Answer = (Outcome, String);
type Batch = Vec<Ask>;

pub fn run(settings: &Settings, world: World) {
    let (now, horizon) = (World::now().as_micros(), World::horizon().as_micros());
    let batches = |seed, ask: fn(u64) -> Ask| -> Vec<Batch> {
        let users = world.asked(ASKS * BATCHES, seed);
        users.chunks(ASKS).map(|users| users.iter().copied().map(ask).collect()).collect()
    };
    let questions = [("chain", batches(12, ask_by_chain)), ("name", batches(13, ask_by_name))];
    let sql = Sql::open(&settings.dir.join("sqlite"), SERVING_BYTES);
    let desk = Desk {
        ledger: Ledger::new(serving_in(settings, &settings.dir.join("ledger"))),
        tenant: TENANT,
        policy: Policy { name_max_age: NAME_MAX_AGE, ..Policy::default() },
        clock: whowas::clock::Clock::new(Some(World::now())),
    };
    let postgres = Postgres::of(&settings.dir, &sql, SERVING_BYTES);
    let mut answers: Vec<Vec<Vec<Answer>>> = Vec::new();
    for (kind, batches) in &questions {
        let mut rates = Rates::default();
        let mut expected = Vec::new();
        for (nth, batch) in batches.iter().enumerate() {
            let ask_sqlite = |rates: &mut Rates| {
                rates.of("sqlite", || batch.iter().map(|ask| by_sqlite(&sql, ask, now, horizon)).collect())
            };
            // Whoever is asked first finds the processor's caches as others left them, so ours and SQLite are by turns.
            let before = (nth % 2 == 1).then(|| ask_sqlite(&mut rates));
            let ours = rates.of("whowas", || told(check_together(&desk, batch, KnownAt::Now).unwrap()));
            let theirs = before.unwrap_or_else(|| ask_sqlite(&mut rates));
            let alone = rates
                .of("one thread", || told(batch.iter().map(|ask| check(&desk, ask, KnownAt::Now).unwrap()).collect()));
            same(kind, "SQLite", batch, &ours, &theirs);
            same(kind, "one thread", batch, &ours, &alone);
            expected.push(ours);
        }
        // PostgreSQL is asked when nobody else is to be: where it answered a moment ago, the threads of one who comes next were
        // seen to be put on one processor, while the other one was idle.
        if let Ok(postgres) = &postgres {
            for (batch, ours) in batches.iter().zip(&expected) {
                let questions: Vec<Question> = batch.iter().map(|ask| question(ask, now)).collect();
                let theirs = rates.of("statements", || postgres.by_statements(&questions, now, horizon));
                same(kind, "PostgreSQL, by statements", batch, ours, &theirs);
                let theirs = rates.of("postgres", || postgres.one_by_one(&questions, now, horizon));
                same(kind, "PostgreSQL", batch, ours, &theirs);
                let theirs = rates.of("pipelined", || postgres.pipelined(&questions, now, horizon));
                same(kind, "PostgreSQL, pipelined", batch, ours, &theirs);
            }
        }
        rates.tell(kind);
        if let Err(why) = &postgres {
            missing(&format!("batch {kind}, statements"), why);
            missing(&format!("batch {kind}, postgres"), why);
            missing(&format!("batch {kind}, pipelined"), why);
        }
        answers.push(expected);
    }
    if let Ok(postgres) = postgres {
        postgres.end();
    }
    drop(desk);
    if let Err(why) = over_http(settings, &questions, &answers) {
        for names in ["batch chain, http", "batch name, http", "serving"] {
            missing(names, &why);
        }
    }
}

fn same(kind: &str, who: &str, asks: &[Ask], ours: &[Answer], theirs: &[Answer]) {
    for (ask, (ours, theirs)) in asks.iter().zip(ours.iter().zip(theirs)) {
        assert_eq!(ours, theirs, "{kind}, {who}: {ask:?}");
    }
    assert_eq!(ours.len(), theirs.len());
}

fn told(answers: Vec<CheckAnswer>) -> Vec<Answer> {
    let base = |base: Option<SnapshotId>| base.map(|base| base.to_string()).unwrap_or_default();
    answers.into_iter().map(|found| (found.verdict, base(found.base))).collect()
}

fn by_sqlite(sql: &Sql, ask: &Ask, now: i64, horizon: i64) -> Answer {
    match (&ask.chain, &ask.object, &ask.name) {
        (Some(chain), Some(object), _) => sql.check(chain.as_str(), object.as_bytes(), now),
        (_, _, Some(name)) => sql.check_name(name.key().as_str(), now, horizon),
        _ => panic!("there is no such ask"),
    }
}

fn question(ask: &Ask, now: i64) -> Question {
    match (&ask.chain, &ask.object, &ask.name) {
        (Some(chain), Some(object), _) => Question::Chain(chain.to_string(), object.as_bytes().to_vec()),
        (_, _, Some(name)) => Question::Name(name.key().as_str().to_owned(), now),
        _ => panic!("there is no such ask"),
    }
}

/// What an agent reads of an answer.
#[derive(Deserialize)]
struct Told {
    verdict: Outcome,
    base: Option<String>,
}

/// The same batches as arrays, over one connection to a service of its own.
fn over_http(
    settings: &Settings,
    questions: &[(&str, Vec<Batch>)],
    answers: &[Vec<Vec<Answer>>],
) -> Result<(), String> {
    if !settings.binary.is_file() {
        return Err(format!("there is no {}: run `cargo build --release --bin whowas`", settings.binary.display()));
    }
    let config = format!(
        "[ledger]\npath = \"ledger\"\n[server]\nrequests_per_second = 1000000\nburst = 1000000\n\
         [[tenant]]\nid = \"{TENANT}\"\nalias = \"measure\"\n"
    );
    std::fs::write(settings.dir.join("whowas.toml"), config).unwrap();
    let program = || {
        let mut command = Command::new(&settings.binary);
        command.current_dir(&settings.dir);
        command
    };
    let added = program().args(["--output", "json", "token", "add", "--role", "agent"]).output().unwrap();
    let added: serde_json::Value = serde_json::from_slice(&added.stdout).map_err(|error| error.to_string())?;
    let token = added["token"].as_str().ok_or("no token was made")?;
    let now = World::now().to_string();
    let words = ["--now", &now, "serve", "--no-schedule", "--rehearsal", "--listen", "127.0.0.1:0"];
    let served = Running::start(program().args(words));
    await_copies(&served.url);
    let url = format!("{}/v1/tenants/measure/checks?max_age={}s", served.url, NAME_MAX_AGE.as_secs());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = reqwest::Client::builder().no_proxy().http1_only().build().unwrap();
    for ((kind, batches), answers) in questions.iter().zip(answers) {
        let mut rates = Rates::default();
        for (batch, ours) in batches.iter().zip(answers) {
            let body: Vec<CheckRequest> = batch.iter().cloned().map(CheckRequest::from).collect();
            let body = serde_json::to_vec(&body).unwrap();
            let theirs = rates.of("http", || {
                let text = runtime.block_on(async {
                    let request = client.post(&url).bearer_auth(token).header("content-type", "application/json");
                    let answer = request.body(body.clone()).send().await.unwrap();
                    assert_eq!(answer.status(), 200);
                    answer.bytes().await.unwrap()
                });
                let told: Vec<Told> = serde_json::from_slice(&text).unwrap();
                told.into_iter().map(|told| (told.verdict, told.base.unwrap_or_default())).collect()
            });
            same(kind, "HTTP", batch, ours, &theirs);
        }
        rates.tell(kind);
    }
    figure("serving", served.resident_mib() as f64);
    Ok(())
}

/// Waits until the service has copied into memory what it copies. Whoever stands on the same machine may read its metrics.
fn await_copies(url: &str) {
    let begun = Clock::now();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let read = async || client.get(format!("{url}/metrics")).send().await.unwrap().text().await.unwrap();
    while begun.elapsed() < COPIED_WITHIN {
        if runtime.block_on(read()).contains("whowas_resident{records=\"snapshots\"} 1") {
            eprintln!("the service copied in {:.2} s", seconds(begun));
            return;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    panic!("the service has not copied what it copies");
}

/// Answers a second of each that was asked, batch by batch.
#[derive(Default)]
struct Rates(Vec<(&'static str, f64)>);

impl Rates {
    fn of(&mut self, who: &'static str, answer: impl FnOnce() -> Vec<Answer>) -> Vec<Answer> {
        let start = Clock::now();
        let answers = answer();
        self.0.push((who, answers.len() as f64 / seconds(start)));
        answers
    }

    /// One figure a batch; the median counts.
    fn tell(&self, kind: &str) {
        for (who, rate) in &self.0 {
            figure(&format!("batch {kind}, {who}"), *rate);
        }
    }
}
