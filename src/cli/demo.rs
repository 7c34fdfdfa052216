//! `demo`: the whole story, for real, against the built-in emulator. Every figure and every verdict that it prints comes
//! from the run; nothing is written beforehand.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::args::DemoOptions;
use super::ask::say_check;
use super::error::{CliError, Exit};
use super::lanes;
use super::open::runtime;
use super::output::{self, word_of};
use super::plan::say_plan;
use super::report::write_page;
use crate::clock::Clock;
use crate::config::ConfigError;
use crate::domain::fact::{Addressed, Receipt, Snapshot};
use crate::domain::finding::Severity;
use crate::domain::id::{IdError, ObjectId, SnapshotId, TenantId};
use crate::domain::name::{Name, NameKind};
use crate::domain::time::Instant;
use crate::domain::verdict::{Ask, Policy};
use crate::graph::auth::{Proof, SignIn};
use crate::graph::client::{ClientOptions, GraphClient};
use crate::graph::cloud::{Cloud, Endpoints};
use crate::graph::emulator::{Directory, Emulator, EmulatorOptions, NewUser, Refusal};
use crate::graph::error::GraphError;
use crate::ledger::{KnownAt, Ledger};
use crate::service::check::{self, CheckAnswer};
use crate::service::findings::{self, Filter};
use crate::service::report::Of;
use crate::service::{Desk, history, plan, snapshot};
use crate::store::sled::{SledOptions, SledStore};
use crate::store::{Run, Trigger};
use crate::sync::{self, Context, Guard, Stop, Wanted, Widths};

/// How many users the demo's tenant has besides the one of the story.
const USERS: usize = 2_000;
/// How many with `--fast`.
const USERS_FAST: usize = 200;
/// The name that changes hands.
const NAME: &str = "sam.hill@x.test";
/// What its first holder is called afterwards.
const RENAMED: &str = "sam.hill-jones@x.test";
/// Where the report goes unless told otherwise.
const REPORT: &str = "whowas-demo.html";
/// The midnight at which the nightly poll runs: 2026-03-02T00:00:00Z.
const MIDNIGHT: Instant = Instant::from_micros(1_772_409_600_000_000);

pub fn demo(options: &DemoOptions) -> Result<Exit, CliError> {
    let users = if options.fast { USERS_FAST } else { USERS };
    let folder = Folder::create()?;
    let began = std::time::Instant::now();
    let told = runtime()?.block_on(async {
        let mut story = Story::begin(&folder.0, users).await?;
        story.tell().await?;
        story.settle(options.report.as_deref())?;
        Ok::<_, CliError>(story.text)
    })?;
    let seconds = began.elapsed().as_secs_f64();
    output::text(&format!("{told}\n{} users, {seconds:.1} s; the demo's ledger is gone again.", users + 1))?;
    output::note(
        "next: `whowas init`, fill in whowas.toml, `whowas sync`; or `whowas emulate` to try agents without a tenant",
    );
    Ok(Exit::Done)
}

struct Story {
    emulator: Emulator,
    ledger: Ledger,
    client: Arc<GraphClient>,
    tenant: TenantId,
    /// The person of the story.
    sam: ObjectId,
    /// Everyone who appears in it.
    people: Vec<ObjectId>,
    text: String,
}

/// A backup product that keys its chains by name: what it read, and whose mail that was.
struct NaiveBackup {
    read: Vec<(String, ObjectId)>,
}

impl Story {
    async fn begin(folder: &Path, users: usize) -> Result<Self, CliError> {
        let mut directory = Directory::new("contoso.onmicrosoft.com", MIDNIGHT.minus(hours(48)), 7);
        directory.seed_users(users, "x.test").map_err(refused)?;
        let sam = directory.create_user(NewUser::mailbox(NAME)).map_err(refused)?;
        directory.set_now(MIDNIGHT.minus(hours(4))).map_err(refused)?;
        let options = EmulatorOptions { directory, ..EmulatorOptions::default() };
        let (tenant, client_id, secret) = (options.tenant.clone(), options.client_id.clone(), options.secret.clone());
        let tenant: TenantId = tenant.parse().map_err(|error: IdError| CliError::usage(error.to_string()))?;
        let emulator = Emulator::start(options).map_err(CliError::io("start the emulator"))?;
        let url = emulator.url();
        let endpoints = Endpoints::new(Cloud::Global, Some(&url), Some(&url)).map_err(graph)?;
        let sign_in = SignIn { tenant, client_id, proof: Proof::Secret(secret.into()) };
        let client = Arc::new(GraphClient::new(endpoints, sign_in, ClientOptions::default()).map_err(graph)?);
        let mut sled = SledOptions::new("demo", MIDNIGHT);
        sled.create = true;
        let ledger = Ledger::new(SledStore::open(folder.join("ledger"), sled)?);
        Ok(Self { emulator, ledger, client, tenant, sam, people: vec![sam], text: String::new() })
    }

    async fn tell(&mut self) -> Result<(), CliError> {
        let mut naive = NaiveBackup { read: Vec::new() };
        let sam = self.sam;
        self.say(format!("{NAME} is object {}, the mailbox of one person.\n\n", lanes::short(sam)));

        let run = self.poll().await?;
        self.step(&format!("first sync: {} users in {} pages, {} facts", run.seen, run.pages, run.facts));
        self.at(-2)?;
        self.back_up(&mut naive, "40").await?;
        self.at(0)?;
        let run = self.poll().await?;
        self.step(&format!(
            "the nightly poll: {} changed; everything is proved through {}",
            run.changed,
            at(run.horizon)
        ));

        self.at(8)?;
        self.emulator.with(|directory| directory.rename(sam, RENAMED, false)).map_err(refused)?;
        self.step(&format!("the person marries: {NAME} becomes {RENAMED}, the old address is dropped"));
        self.at(9)?;
        let newcomer =
            self.emulator.with(|directory| directory.create_user(NewUser::mailbox(NAME))).map_err(refused)?;
        self.people.push(newcomer);
        self.step(&format!("a new colleague gets the free name: {NAME} is now object {}", lanes::short(newcomer)));

        self.at(10)?;
        self.step("the backup runs, 14 hours before the next poll:");
        self.naive_read(&mut naive);
        let by_name = Ask { chain: Some(self.chain("by-id")?), name: Some(self.name()?), ..Ask::default() };
        let stale = self.check(&by_name)?;
        self.verdict("ask by name, from the ledger alone", &stale);
        let live = self.check_live(&by_name).await?;
        self.verdict("the same, with a live read", &live);
        let by_id = Ask { chain: Some(self.chain("by-id")?), object: Some(sam), ..Ask::default() };
        let same = self.check(&by_id)?;
        self.verdict("ask by object id", &same);
        self.record("by-id", "41", Addressed::Object(sam))?;
        self.record("by-name", "41", Addressed::Name(self.name()?, NameKind::Any))?;

        self.at(24)?;
        let run = self.poll().await?;
        self.step(&format!("the nightly poll: {} users reported", run.seen));
        let after = self.check(&by_name)?;
        self.verdict("ask by name again, without a live read", &after);

        self.timeline()?;
        self.reckon(&naive)
    }

    /// Two backups of the same mailbox: one keyed by name, one by what whowas says to open.
    async fn back_up(&mut self, naive: &mut NaiveBackup, id: &str) -> Result<(), CliError> {
        let ask = Ask { name: Some(self.name()?), ..Ask::default() };
        let answer = self.check_live(&ask).await?;
        let open = answer.object.ok_or_else(|| CliError::usage("the first check named no object"))?;
        self.step(&format!("first backup: whowas says {}, open {}", word_of(&answer.verdict), lanes::short(open)));
        self.naive_read(naive);
        self.record("by-id", id, Addressed::Object(open))?;
        self.record("by-name", id, Addressed::Name(self.name()?, NameKind::Any))
    }

    /// A name-keyed backup opens whatever mailbox the name leads to at that moment.
    fn naive_read(&mut self, naive: &mut NaiveBackup) {
        let opened = self.emulator.with(|directory| directory.user_by_upn(NAME).map(|user| user.id));
        if let Some(object) = opened {
            naive.read.push((self.time(), object));
            let short = lanes::short(object);
            self.say(format!("              a backup keyed by name opens {NAME} and reads the mail of {short}\n"));
        }
    }

    fn timeline(&mut self) -> Result<(), CliError> {
        let history = history::of_name(&self.desk(), &self.name()?, KnownAt::Now)?;
        let lanes = lanes::draw(&history, 64);
        self.say(format!("\nwho held {NAME} (█ held, ▒ some time in here it began or ended, · not held)\n{lanes}"));
        Ok(())
    }

    fn reckon(&mut self, naive: &NaiveBackup) -> Result<(), CliError> {
        let (sam, desk) = (self.sam, self.desk());
        let mixed: Vec<&str> =
            naive.read.iter().filter(|(_, object)| *object != sam).map(|(time, _)| time.as_str()).collect();
        self.say(format!(
            "\nkeyed by name, without whowas: {} of {} snapshots hold another person's mail ({}), and nothing says so.\n\
             what whowas says of the same snapshots:\n",
            mixed.len(),
            naive.read.len(),
            mixed.join(", ")
        ));
        for (chain, how) in [("by-name", "opened by name"), ("by-id", "opened by id, as whowas said")] {
            let listed = snapshot::list(&desk, &snapshot::Wanted::Chain(self.chain(chain)?), None, 100)?;
            for item in listed.items {
                let confidence = word_of(&item.attribution.confidence);
                let whose = match item.attribution.owner {
                    Some(owner) => lanes::short(owner),
                    None => item
                        .attribution
                        .candidates
                        .iter()
                        .map(|c| lanes::short(c.object))
                        .collect::<Vec<_>>()
                        .join(" or "),
                };
                self.say(format!("  {how:28} snapshot {}: {whose} ({confidence})\n", item.snapshot));
            }
        }
        Ok(())
    }

    /// The damage is proved, and repaired: what the name-keyed product really read, the finding, the plan, the report.
    fn settle(&mut self, file: Option<&Path>) -> Result<(), CliError> {
        self.at(25)?;
        let newcomer = self.people.last().copied().unwrap_or(self.sam);
        let (chain, desk) = (self.chain("by-name")?, self.desk());
        let read = Receipt {
            chain: chain.clone(),
            snapshot: self.snapshot_id("41")?,
            object: newcomer,
            mailbox: None,
            object_end: Some(newcomer),
            mailbox_end: None,
        };
        snapshot::receipt(&desk, read)?;
        self.say("\n".to_owned());
        self.step("the product keyed by name reports which mailbox it really read for snapshot 41");
        let wanted = Filter { severity: Some(Severity::Critical), ..Filter::default() };
        let found = findings::findings(&desk, &wanted, None, 10)?;
        for finding in &found.items {
            let summary = self.shortened(&finding.summary);
            self.say(format!("              {}: {} ({summary})\n", word_of(&finding.severity), finding.kind.word()));
        }
        if let Some(plan) = plan::plan(&desk, &chain)? {
            let plan = self.shortened(&say_plan(&plan));
            let indented: Vec<String> = plan.lines().map(|line| format!("  {line}")).collect();
            self.say(format!("\nwhat to do, as `whowas plan by-name` says it:\n{}\n", indented.join("\n")));
        }
        let default = std::env::temp_dir().join(REPORT);
        // Everybody may put a link there, and where it leads nobody asked to write.
        if file.is_none() && default.is_symlink() {
            std::fs::remove_file(&default)
                .map_err(CliError::io(format!("take away the link {}", default.display())))?;
        }
        let page = write_page(&desk, &Of::Chain(chain), file.unwrap_or(&default))?;
        self.say(format!("\nthe auditor's report, to open in a browser: {}\n", page.display()));
        Ok(())
    }

    fn verdict(&mut self, what: &str, answer: &CheckAnswer) {
        let lines = self.shortened(&say_check(answer));
        let indented: Vec<String> = lines.lines().map(|line| format!("                {line}")).collect();
        self.say(format!("              {what}:\n{}\n", indented.join("\n")));
    }

    /// Object ids are shown by their first digits, as in the lanes.
    fn shortened(&self, text: &str) -> String {
        self.people
            .iter()
            .fold(text.to_owned(), |text, object| text.replace(&object.to_string(), &lanes::short(*object)))
    }

    fn step(&mut self, text: &str) {
        let time = self.time();
        self.say(format!("{time}  {text}\n"));
    }

    /// The day and the time of the story.
    fn time(&self) -> String {
        let now = self.clock().now().to_string();
        now.get(5..16).unwrap_or(&now).replace('T', " ")
    }

    fn say(&mut self, text: String) {
        // Writing to a string cannot fail.
        let _ = write!(self.text, "{text}");
    }

    /// Moves the story to so many hours after midnight.
    fn at(&mut self, hour: i64) -> Result<(), CliError> {
        let moment = if hour < 0 {
            MIDNIGHT.minus(hours(hour.unsigned_abs()))
        } else {
            MIDNIGHT.plus(hours(hour.unsigned_abs()))
        };
        self.emulator.set_now(moment).map_err(refused)
    }

    fn clock(&self) -> Clock {
        Clock::new(Some(self.emulator.with(|directory| directory.now())))
    }

    fn context(&self) -> Context {
        let (ledger, client) = (self.ledger.clone(), self.client.clone());
        let (widths, settling, guard) = (Widths::default(), Policy::default().settling, Guard::default());
        let mapping = None;
        Context { ledger, tenant: self.tenant, client, widths, settling, guard, mapping, clock: self.clock() }
    }

    fn desk(&self) -> Desk {
        Desk { ledger: self.ledger.clone(), tenant: self.tenant, policy: Policy::default(), clock: self.clock() }
    }

    async fn poll(&self) -> Result<Run, CliError> {
        let wanted = Wanted { full: false, reconcile: false, trigger: Trigger::Demand };
        Ok(sync::run(&self.context(), wanted, &Stop::default(), &|_| {}).await?)
    }

    fn check(&self, ask: &Ask) -> Result<CheckAnswer, CliError> {
        Ok(check::check(&self.desk(), ask, KnownAt::Now)?)
    }

    async fn check_live(&self, ask: &Ask) -> Result<CheckAnswer, CliError> {
        Ok(check::check_live(&self.desk(), &self.context(), ask).await?)
    }

    fn record(&self, chain: &str, id: &str, addressed: Addressed) -> Result<(), CliError> {
        let from = self.clock().now();
        let until = from.plus(Duration::from_secs(300));
        let taken =
            Snapshot { chain: self.chain(chain)?, id: self.snapshot_id(id)?, from, until, addressed, mailbox: None };
        snapshot::add(&self.desk(), taken)?;
        Ok(())
    }

    fn chain(&self, chain: &str) -> Result<crate::domain::id::ChainId, CliError> {
        chain.parse().map_err(|error: IdError| CliError::usage(error.to_string()))
    }

    fn snapshot_id(&self, id: &str) -> Result<SnapshotId, CliError> {
        id.parse().map_err(|error: IdError| CliError::usage(error.to_string()))
    }

    fn name(&self) -> Result<Name, CliError> {
        NAME.parse().map_err(|error: crate::domain::name::NameError| CliError::usage(error.to_string()))
    }
}

/// A folder that is gone when the demo ends, however it ends.
struct Folder(PathBuf);

impl Folder {
    fn create() -> Result<Self, CliError> {
        let folder = std::env::temp_dir().join(format!("whowas-demo-{}", std::process::id()));
        std::fs::create_dir_all(&folder).map_err(CliError::io(format!("make {}", folder.display())))?;
        Ok(Self(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left behind in the temporary folder is small and has no one's data.
        let _left = std::fs::remove_dir_all(&self.0);
    }
}

fn hours(hours: u64) -> Duration {
    Duration::from_secs(hours * 3_600)
}

fn at(instant: Option<Instant>) -> String {
    instant.map_or_else(|| "nothing".to_owned(), |instant| instant.to_string())
}

fn refused(error: Refusal) -> CliError {
    CliError::usage(format!("the emulated directory refused: {error}"))
}

fn graph(error: GraphError) -> CliError {
    CliError::Config(ConfigError::Graph(error))
}
