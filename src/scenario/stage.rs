//! Where a scenario is played: emulated directories, a real ledger in a folder of its own, and what stands between them.

mod agents;
mod auditors;
mod deeds;
mod imports;
mod polls;
mod symbols;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::Clock;
use crate::config::{Config, ConfigError, TenantConfig};
use crate::domain::id::{IdError, MailboxId, TenantId};
use crate::domain::time::Instant;
use crate::graph::client::GraphClient;
use crate::graph::emulator::{Directory, Emulator, EmulatorOptions, Quirk, Refusal};
use crate::ledger::Ledger;
use crate::service::{Desk, moments};
use crate::store::StoreError;
use crate::store::sled::{SledOptions, SledStore};
use crate::sync::Context;

use super::expect::{Answer, Names};
use super::script::{Deed, Script, Step, TenantPart, Verb};
use polls::Standing;
use symbols::Symbols;

/// The variable by which the configuration names the emulator's secret.
const SECRET: &str = "SCENARIO_SECRET";

/// Why a scenario cannot be played at all, whatever it says.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// The operating system refused something.
    #[error("{step}")]
    Io {
        /// What was being done.
        step: String,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The head's configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The ledger cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The emulated directory refuses the cast.
    #[error("fill the emulated directory: {0}")]
    Cast(#[from] Refusal),
    /// The emulated directory refuses what happens.
    #[error("do what line {line} says: {why}")]
    Deed {
        /// The line.
        line: usize,
        /// Why it is refused.
        why: String,
    },
    /// An id that is none.
    #[error(transparent)]
    Id(#[from] IdError),
}

/// What was answered, a step each.
#[derive(Clone, Debug)]
pub struct Played {
    /// The answers, in the order of the steps.
    pub answers: Vec<Answer>,
    /// The file's names of the ids that occur in them.
    pub names: Names,
}

/// Plays a script from its beginning to its end.
///
/// # Errors
/// If it cannot be played at all. A step that is refused is an answer, not an error.
pub fn play(script: &Script) -> Result<Played, StageError> {
    let io = |source| StageError::Io { step: "start the runtime".to_owned(), source };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().map_err(io)?;
    let folder = Folder::create()?;
    runtime.block_on(async {
        let mut stage = Stage::set(script, &folder.0)?;
        let mut answers = Vec::with_capacity(script.steps.len());
        for step in &script.steps {
            answers.push(stage.act(step).await?);
        }
        Ok(Played { answers, names: stage.symbols.names })
    })
}

/// The first tenant's directory at the end of a script, with everything that happens in it done, and nothing else.
#[derive(Debug)]
pub struct Aftermath {
    /// The directory, at the time of the script's last line.
    pub directory: Directory,
    /// The quirks that are on.
    pub quirks: Vec<Quirk>,
    /// Users on a delta page.
    pub page_size: usize,
}

/// Does what a script says to happen in the first tenant's directory, in order. Polls and questions are skipped.
///
/// # Errors
/// If the directory refuses something that the script does not expect to be refused.
pub fn aftermath(script: &Script) -> Result<Aftermath, StageError> {
    let mut symbols = Symbols::default();
    let none = || ConfigError::Tenant { why: "the head has none".to_owned() };
    let part = script.tenants.first().ok_or_else(none)?;
    let (mut directory, mut quirks) = (peopled(script, part, 0, &mut symbols)?, Vec::new());
    for step in &script.steps {
        directory.set_now(step.at)?;
        let Verb::Directory(deed) = &step.verb else { continue };
        if step.tenant != 0 {
            continue;
        }
        match deed {
            Deed::Quirk(quirk) => quirks.push(quirk.clone()),
            Deed::NoQuirks => quirks.clear(),
            deed => {
                let done = deeds::act(&mut directory, deed, &mut symbols);
                if let Err(why) = done.or_else(|why| if step.checks.is_empty() { Err(why) } else { Ok(()) }) {
                    return Err(StageError::Deed { line: step.line, why: symbols.names.spoken(&why) });
                }
            }
        }
    }
    Ok(Aftermath { directory, quirks, page_size: part.page_size })
}

/// Emulated directories as a script has them, with their users in place, at the moment of its first step.
pub(crate) struct Stage {
    folder: PathBuf,
    /// `None` only while it is opened again.
    open: Option<Open>,
    tenants: Vec<Place>,
    symbols: Symbols,
    mailboxes: BTreeMap<String, MailboxId>,
    /// A run that stands still between two pages.
    standing: Option<Standing>,
    now: Instant,
}

/// The open ledger.
struct Open {
    ledger: Ledger,
    store: Arc<SledStore>,
}

/// One tenant's directory and how it is read.
struct Place {
    emulator: Emulator,
    tenant: TenantId,
    config: TenantConfig,
    client: Arc<GraphClient>,
    quirks: Vec<Quirk>,
}

impl Stage {
    fn set(script: &Script, folder: &Path) -> Result<Self, StageError> {
        let mut stage = Self {
            folder: folder.to_owned(),
            open: None,
            tenants: Vec::new(),
            symbols: Symbols::default(),
            mailboxes: BTreeMap::new(),
            standing: None,
            now: script.start,
        };
        for (number, name) in (1..).zip(&script.mailboxes) {
            let id: MailboxId = format!("5b0c0000-0000-4000-8000-{number:012x}").parse()?;
            stage.mailboxes.insert(name.clone(), id);
            stage.symbols.names.learn(name, id.to_string());
        }
        for (number, part) in (0..).zip(&script.tenants) {
            let place = stage.place(script, part, number)?;
            stage.tenants.push(place);
        }
        stage.reopen()?;
        Ok(stage)
    }

    /// A directory whose cast has been there for a day, and how it is read.
    fn place(&mut self, script: &Script, part: &TenantPart, number: u64) -> Result<Place, StageError> {
        let directory = peopled(script, part, number, &mut self.symbols)?;
        // The last digit tells the tenants apart.
        let tenant = format!("{}{number:x}", EmulatorOptions::TENANT.get(..35).unwrap_or_default());
        let options = EmulatorOptions { directory, page_size: part.page_size, tenant, ..EmulatorOptions::default() };
        let tenant: TenantId = options.tenant.parse()?;
        self.symbols.names.learn_tenant(&part.name, tenant.to_string());
        let (client_id, secret) = (options.client_id.clone(), options.secret.clone());
        let emulator = Emulator::start(options)
            .map_err(|source| StageError::Io { step: "start the emulator".to_owned(), source })?;
        let url = emulator.url();
        let text = format!(
            "[[tenant]]\nid = \"{tenant}\"\nalias = \"{}\"\nclient_id = \"{client_id}\"\n\
             credential = {{ secret_env = \"{SECRET}\" }}\ngraph_url = \"{url}\"\nlogin_url = \"{url}\"\n{}",
            part.name, part.settings
        );
        let config = Config::parse(&text, Path::new("the head's config"))?;
        let none = || ConfigError::Tenant { why: "the head has none".to_owned() };
        let config = config.tenants.into_iter().next().ok_or_else(none)?;
        let client = Arc::new(config.client(|_| Some(secret.clone()), moments(self.clock()))?);
        Ok(Place { emulator, tenant, config, client, quirks: Vec::new() })
    }

    /// Opens the ledger, anew if it is open. As a service does: it may answer while it syncs.
    fn reopen(&mut self) -> Result<(), StageError> {
        self.open = None;
        let mut options = SledOptions::new("serve", self.now);
        options.create = true;
        let store = Arc::new(SledStore::open(self.ledger_path(), options)?);
        self.open = Some(Open { ledger: Ledger::shared(store.clone()), store });
        Ok(())
    }

    async fn act(&mut self, step: &Step) -> Result<Answer, StageError> {
        self.now = step.at;
        for place in &self.tenants {
            place.emulator.set_now(step.at)?;
        }
        Ok(match &step.verb {
            Verb::Directory(deed) => self.deed(step.tenant, deed),
            Verb::Sync(reading) => self.read(step.tenant, reading).await?,
            Verb::Agent(agent) => self.agent(step.tenant, agent).await,
            Verb::Audit(question) => self.question(step.tenant, question).await,
        })
    }

    fn ledger_path(&self) -> PathBuf {
        self.folder.join("ledger")
    }

    fn opened(&self) -> &Open {
        self.open.as_ref().unwrap_or_else(|| unreachable!("the ledger is closed only while it is opened again"))
    }

    fn tenant(&self, tenant: usize) -> &Place {
        self.tenants.get(tenant).unwrap_or_else(|| unreachable!("the parser counts the tenants"))
    }

    fn clock(&self) -> Clock {
        Clock::new(Some(self.now))
    }

    fn desk(&self, tenant: usize) -> Desk {
        let place = self.tenant(tenant);
        let (ledger, policy) = (self.opened().ledger.clone(), place.config.policy());
        Desk { ledger, tenant: place.tenant, policy, clock: self.clock() }
    }

    fn context(&self, tenant: usize) -> Context {
        let place = self.tenant(tenant);
        let (ledger, client, widths) = (self.opened().ledger.clone(), place.client.clone(), place.config.widths());
        let (settling, guard) = (place.config.policy().settling, place.config.guard());
        let mapping = None;
        Context { ledger, tenant: place.tenant, client, widths, settling, guard, mapping, clock: self.clock() }
    }

    fn mailbox(&self, symbol: Option<&String>) -> Option<MailboxId> {
        symbol.and_then(|symbol| self.mailboxes.get(symbol)).copied()
    }
}

/// A tenant's directory with its cast and crowds, who have been there for a day before the scenario starts.
fn peopled(script: &Script, part: &TenantPart, number: u64, symbols: &mut Symbols) -> Result<Directory, Refusal> {
    let before = script.start.minus(Duration::from_secs(86_400));
    let initial = if number == 0 { "x".to_owned() } else { format!("x{number}") };
    let mut directory = Directory::new(&format!("{initial}.onmicrosoft.com"), before, number + 1);
    for newcomer in &part.cast {
        let id = deeds::create(&mut directory, newcomer)?;
        symbols.learn(&newcomer.symbol, id);
    }
    for crowd in &part.crowds {
        deeds::create_crowd(&mut directory, crowd, symbols)?;
    }
    Ok(directory)
}

/// An answer as everyone gets it.
fn json<T: serde::Serialize>(answer: &T) -> Answer {
    serde_json::to_value(answer).map_err(|error| error.to_string())
}

/// A folder that is gone when the scenario ends, however it ends.
struct Folder(PathBuf);

impl Folder {
    fn create() -> Result<Self, StageError> {
        // Several scenarios may be played at once in one process.
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("whowas-scenario-{}-{number}", std::process::id()));
        let io = |source| StageError::Io { step: format!("make {}", folder.display()), source };
        std::fs::create_dir_all(&folder).map_err(io)?;
        Ok(Self(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left behind in the temporary folder is small and has no one's data.
        let _left = std::fs::remove_dir_all(&self.0);
    }
}
