//! A ledger with something to see on every page of the auditor's, and the directories behind it:
//! `cargo run --example auditor -- FOLDER`.
//!
//! It writes FOLDER/ledger and FOLDER/whowas.toml, prints one line of JSON, and then plays the directories until its
//! standard input ends, so that a service on the ledger can sync. The story ends at 2026-03-31T09:00:00Z:
//!
//!     whowas --config FOLDER/whowas.toml --now 2026-03-31T09:00:00Z serve --no-schedule --rehearsal
//!
//! In the tenant *contoso* a backup keyed by name went on under the name of somebody who married, and a colleague got the
//! name; in *fabrikam* a guard holds a round; *newco* was never synced.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a tool may stop at the first surprise"
)]

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use whowas::clock::Clock;
use whowas::config::Config;
use whowas::domain::fact::{Addressed, Fact, Receipt, Snapshot};
use whowas::domain::id::{ChainId, MailboxId, ObjectId, TenantId};
use whowas::domain::link::{Link, LinkEnd, Relation};
use whowas::domain::name::NameKind;
use whowas::domain::time::Instant;
use whowas::graph::emulator::{Directory, Emulator, EmulatorOptions, NewUser};
use whowas::ledger::{Batch, Ledger, Stamp};
use whowas::service::{Desk, directory, findings, snapshot};
use whowas::store::Trigger;
use whowas::store::sled::{SledOptions, SledStore};
use whowas::sync::{self, Stop, Wanted};

const CONTOSO: &str = "0e1d6a3e-58f4-4c1b-9d2e-7a5f0c9b8e11";
const FABRIKAM: &str = "1f2e7b4f-69a5-4d2c-8e3f-8b6a1d0c9f22";
const NEWCO: &str = "2a3f8c50-7ab6-4e3d-9f40-9c7b2e1dae33";
/// 2026-03-01T00:00:00Z.
const FIRST: Instant = Instant::from_micros(1_772_323_200_000_000);
const HOUR: u64 = 3_600;

fn main() {
    let folder = PathBuf::from(std::env::args().nth(1).expect("give a folder"));
    std::fs::create_dir_all(&folder).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let told = runtime.block_on(Story::tell(&folder));
    println!("{told}");
    // The directories are played as long as somebody holds the other end.
    let _ended = std::io::stdin().read_to_end(&mut Vec::new());
}

struct Story {
    emulator: Emulator,
    ledger: Ledger,
    config: Config,
    tenant: TenantId,
}

impl Story {
    async fn tell(folder: &Path) -> String {
        let play = |tenant: &str, directory: Directory| {
            let options = EmulatorOptions { tenant: tenant.to_owned(), directory, ..EmulatorOptions::default() };
            Emulator::start(options).unwrap()
        };
        let contoso = play(CONTOSO, Directory::new("contoso.onmicrosoft.com", FIRST, 1));
        let fabrikam = play(FABRIKAM, Directory::new("fabrikam.onmicrosoft.com", FIRST, 2));
        let newco = play(NEWCO, Directory::new("newco.onmicrosoft.com", FIRST, 3));
        let config = write_config(folder, &[("contoso", &contoso), ("fabrikam", &fabrikam), ("newco", &newco)]);
        // The program that serves reads the secret from its environment; here it stands in a file.
        let mut options = SledOptions::new("auditor", FIRST);
        options.create = true;
        let ledger = Ledger::new(SledStore::open(folder.join("ledger"), options).unwrap());
        let read = || Config::read(&config).unwrap();
        let first =
            Self { emulator: contoso, ledger: ledger.clone(), config: read(), tenant: CONTOSO.parse().unwrap() };
        let told = first.contoso().await;
        let second =
            Self { emulator: fabrikam, ledger: ledger.clone(), config: read(), tenant: FABRIKAM.parse().unwrap() };
        second.fabrikam().await;
        drop(ledger);
        // What holds the store must be gone before another process can open it; the directories stay.
        let (Self { emulator: first, .. }, Self { emulator: second, .. }) = (first, second);
        std::mem::forget((first, second, newco));
        told
    }

    /// A chain that mixes two people, and what is around it.
    async fn contoso(&self) -> String {
        let create = |name: &str, department: &str| {
            let mut new = NewUser::mailbox(&format!("{name}@contoso.com"));
            new.attributes.insert("department".to_owned(), department.to_owned());
            self.emulator.with(|directory| directory.create_user(new)).unwrap()
        };
        for (number, name) in NAMES.iter().enumerate() {
            create(name, if number.is_multiple_of(3) { "Sales" } else { "Production" });
        }
        let sam = create("sam.hill", "Sales");
        let kim = create("kim.berg", "Sales");
        let leaver = create("jo.park", "Production");
        let ray = create("ray.cole", "Production");
        let mailbox: MailboxId = "5b1c6a3e-58f4-4c1b-9d2e-000000000107".parse().unwrap();
        let mut colleague = None;
        for day in 1..30 {
            self.at(day, 0);
            self.sync(false).await;
            self.at(day, 2);
            match day {
                1..22 => self.by_name("mailbox-0042", &format!("{day:02}"), "sam.hill@contoso.com"),
                _ => self.by_id("mailbox-0042", &format!("{day:02}"), sam, None),
            }
            self.by_id("mailbox-0107", &format!("{day:02}"), kim, Some(mailbox));
            match day {
                9 => self.emulator.with(|directory| directory.delete(leaver)).unwrap(),
                17 => {
                    self.at(day, 8);
                    self.emulator.with(|directory| directory.rename(sam, "sam.hill-jones@contoso.com", false)).unwrap();
                    self.at(day, 9);
                    colleague = Some(create("sam.hill", "Production"));
                    // In the weak window nobody can tell whose mailbox the name opens.
                    self.at(day, 10);
                    self.by_name("mailbox-0042", "17b", "sam.hill@contoso.com");
                }
                21 => {
                    self.at(day, 8);
                    self.emulator.with(|directory| directory.rename(ray, "raymond.cole@contoso.com", true)).unwrap();
                    create("jo.park", "Sales");
                }
                _ => {}
            }
        }
        self.at(30, 0);
        self.sync(true).await;
        let colleague = colleague.unwrap();
        // What the agent really read.
        self.by_id("archive/ray & co", "1", ray, None);
        self.receipt("archive/ray & co", "1", self.user("ben.ito@contoso.com"));
        self.by_id("archive/ray-2", "1", ray, None);
        self.by_id("<b>\"quoted\"</b> 'chain' \u{202e}reversed", "<script>alert(1)</script>", kim, None);
        snapshot::expire(&self.desk(), chain("mailbox-0107"), "01".parse().unwrap()).unwrap();
        self.fact(Fact::Linked(Link {
            from: leaver,
            to: LinkEnd { tenant: None, object: self.user("jo.park@contoso.com") },
            relation: Relation::RecreatedAs,
            by: Some("carol".to_owned()),
            note: Some("HR ticket 815".to_owned()),
        }));
        self.at(30, 9);
        self.sync(false).await;
        let open = findings::findings(&self.desk(), &findings::Filter::default(), None, 50).unwrap();
        let ids: Vec<String> = open.items.iter().map(|item| item.id.to_string()).collect();
        serde_json::json!({
            "now": "2026-03-31T09:00:00Z",
            "tenants": { "contoso": CONTOSO, "fabrikam": FABRIKAM, "newco": NEWCO },
            "sam": sam, "colleague": colleague, "leaver": leaver, "findings": ids,
            "secret": EmulatorOptions::SECRET,
        })
        .to_string()
    }

    /// A round that a guard holds, and a time that nothing covers.
    async fn fabrikam(&self) {
        let users: Vec<ObjectId> = self.emulator.with(|directory| directory.seed_users(40, "fabrikam.com")).unwrap();
        for day in [1, 2, 3] {
            self.at(day, 0);
            self.sync(false).await;
        }
        // A month later the token is too old.
        self.at(28, 0);
        self.emulator
            .set_quirks([
                serde_json::from_value(serde_json::json!({"name": "delta_token_expired", "style": "gone"})).unwrap()
            ]);
        let _begun_anew = self.try_sync().await;
        self.emulator.set_quirks([]);
        self.at(29, 0);
        self.sync(false).await;
        self.at(30, 0);
        for user in users.iter().take(12) {
            self.emulator.with(|directory| directory.delete(*user)).unwrap();
        }
        self.at(30, 9);
        let _held = self.try_sync().await;
    }

    fn at(&self, day: u64, hour: u64) {
        let at = FIRST.plus(Duration::from_secs(day * 24 * HOUR + hour * HOUR));
        // The story looks back now and then; a directory's clock does not.
        self.emulator.with(|directory| directory.set_now(at.max(directory.now()))).unwrap();
    }

    fn clock(&self) -> Clock {
        Clock::new(Some(self.emulator.with(|directory| directory.now())))
    }

    fn desk(&self) -> Desk {
        let policy = self.configured().policy();
        Desk { ledger: self.ledger.clone(), tenant: self.tenant, policy, clock: self.clock() }
    }

    fn configured(&self) -> &whowas::config::TenantConfig {
        self.config.tenants.iter().find(|configured| configured.id == self.tenant).unwrap()
    }

    async fn sync(&self, reconcile: bool) {
        let client = directory::client(self.configured(), self.clock()).unwrap();
        let context = directory::context(self.configured(), &self.ledger, client, self.clock()).unwrap();
        let wanted = Wanted { full: false, reconcile, trigger: Trigger::Schedule };
        sync::run(&context, wanted, &Stop::default(), &|_| {}).await.unwrap();
    }

    async fn try_sync(&self) -> Result<whowas::store::Run, sync::SyncError> {
        let client = directory::client(self.configured(), self.clock()).unwrap();
        let context = directory::context(self.configured(), &self.ledger, client, self.clock()).unwrap();
        let wanted = Wanted { full: false, reconcile: false, trigger: Trigger::Schedule };
        sync::run(&context, wanted, &Stop::default(), &|_| {}).await
    }

    fn user(&self, name: &str) -> ObjectId {
        self.emulator.with(|directory| directory.user_by_upn(name).map(|user| user.id)).unwrap()
    }

    fn by_name(&self, of: &str, id: &str, name: &str) {
        self.record(of, id, Addressed::Name(name.parse().unwrap(), NameKind::Any), None);
    }

    fn by_id(&self, of: &str, id: &str, object: ObjectId, mailbox: Option<MailboxId>) {
        self.record(of, id, Addressed::Object(object), mailbox);
    }

    fn record(&self, of: &str, id: &str, addressed: Addressed, mailbox: Option<MailboxId>) {
        let from = self.clock().now();
        let until = from.plus(Duration::from_secs(600));
        // A snapshot is recorded when it has been taken.
        self.emulator.with(|directory| directory.set_now(until)).unwrap();
        let taken = Snapshot { chain: chain(of), id: id.parse().unwrap(), from, until, addressed, mailbox };
        snapshot::add(&self.desk(), taken).unwrap();
    }

    fn receipt(&self, of: &str, id: &str, object: ObjectId) {
        let (snapshot, object_end) = (id.parse().unwrap(), Some(object));
        let read = Receipt { chain: chain(of), snapshot, object, mailbox: None, object_end, mailbox_end: None };
        snapshot::receipt(&self.desk(), read).unwrap();
    }

    fn fact(&self, fact: Fact) {
        let stamp = Stamp { now: self.clock().now(), salt: [1; 16] };
        self.ledger.append(self.tenant, Batch { facts: vec![fact], ..Batch::default() }, stamp).unwrap();
    }
}

fn chain(id: &str) -> ChainId {
    id.parse().unwrap()
}

fn write_config(folder: &Path, tenants: &[(&str, &Emulator)]) -> PathBuf {
    let ids = [CONTOSO, FABRIKAM, NEWCO];
    let mut text = "[ledger]\npath = \"ledger\"\n".to_owned();
    std::fs::write(folder.join("secret"), EmulatorOptions::SECRET).unwrap();
    let secret = folder.join("secret").display().to_string();
    for ((alias, emulator), id) in tenants.iter().zip(ids) {
        let url = emulator.url();
        let client = EmulatorOptions::CLIENT_ID;
        text += &format!(
            "\n[[tenant]]\nid = {id:?}\nalias = {alias:?}\nclient_id = {client:?}\ncredential = {{ secret_file = {secret:?} }}\n\
             graph_url = {url:?}\nlogin_url = {url:?}\nguard = {{ removals = 10 }}\n"
        );
        if *alias == "contoso" {
            text += RULES;
        }
    }
    let file = folder.join("whowas.toml");
    std::fs::write(&file, text).unwrap();
    file
}

const RULES: &str = r#"
[[tenant.mapping]]
name = "sales"
match = { attribute = "department", equals = "Sales" }
labels = { profile = "gold" }

[[tenant.mapping]]
name = "staff"
match = { domain = "contoso.com" }
labels = { profile = "bronze" }
"#;

const NAMES: [&str; 24] = [
    "ada.wong",
    "ben.ito",
    "cara.diaz",
    "dan.roth",
    "eve.lund",
    "fay.chen",
    "gus.mayer",
    "hana.sato",
    "ivan.petrov",
    "jane.doe",
    "karl.weiss",
    "lena.kraft",
    "milo.rossi",
    "nora.vik",
    "omar.haddad",
    "pia.lang",
    "quinn.fox",
    "rosa.silva",
    "seth.katz",
    "tara.singh",
    "uwe.brandt",
    "vera.novak",
    "will.ford",
    "zoe.martin",
];
