//! Finding the configuration, the tenant and the ledger.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::args::Global;
use super::copies;
use super::error::CliError;
use crate::clock::Clock;
use crate::config::{Config, ConfigError, FILE_NAME, TenantConfig};
use crate::domain::id::TenantId;
use crate::domain::verdict::Policy;
use crate::graph::client::GraphClient;
use crate::keyring::Keyring;
use crate::ledger::Ledger;
use crate::service::{Desk, directory};
use crate::store::sled::{SledOptions, SledStore};
use crate::store::{ErasureKey, StoreError};
use crate::sync::Context;

/// The name of the key by which erased names are recognised.
pub const ERASURE_KEY: &str = "erasure";
/// Where the ledger is if nothing says otherwise.
const LEDGER: &str = "whowas-data";

/// What a command works with.
pub struct App {
    /// The flags.
    pub global: Global,
    /// The configuration; empty if there is no file.
    pub config: Config,
    /// What time it is.
    pub clock: Clock,
}

/// An open ledger.
pub struct Opened {
    /// The ledger.
    pub ledger: Ledger,
    /// The store underneath, which tells others how far we are.
    pub store: Arc<SledStore>,
}

impl Opened {
    /// The store alone, for what only its one owner may do.
    pub fn into_store(self) -> Result<SledStore, CliError> {
        let Self { ledger, store } = self;
        drop(ledger);
        Arc::into_inner(store).ok_or_else(|| CliError::Failed("close the ledger: it is still in use".to_owned()))
    }
}

impl App {
    /// Reads the configuration that the flags and the place lead to.
    pub fn new(global: Global) -> Result<Self, CliError> {
        let config = match &global.config {
            Some(file) => Config::read(file)?,
            None => match default_files().into_iter().find(|file| file.is_file()) {
                Some(file) => Config::read(&file)?,
                None => Config::default(),
            },
        };
        let clock = Clock::new(global.now);
        Ok(Self { global, config, clock })
    }

    /// The ledger's directory.
    pub fn ledger_path(&self) -> Result<PathBuf, CliError> {
        let path = match (&self.global.ledger, &self.config.ledger.path, &self.config.ledger.url) {
            (Some(path), ..) => path.clone(),
            (None, Some(path), None) => match self.config.file.as_deref().and_then(Path::parent) {
                // A relative path means the same wherever the command is run.
                Some(folder) => folder.join(path),
                None => path.clone(),
            },
            (None, None, None) => PathBuf::from(LEDGER),
            (None, _, Some(_)) => {
                return Err(CliError::usage("[ledger] url: this release keeps ledgers in directories only; set path"));
            }
        };
        if path.to_str().is_some_and(|text| text.starts_with("postgres://") || text.starts_with("postgresql://")) {
            return Err(CliError::usage("--ledger: this release keeps ledgers in directories only; give a path"));
        }
        Ok(path)
    }

    /// The ledger's keys.
    pub fn keys(&self) -> Result<Keyring, CliError> {
        let folder = match (&self.config.ledger.keys, self.config.file.as_deref().and_then(Path::parent)) {
            (Some(folder), Some(base)) => base.join(folder),
            (Some(folder), None) => folder.clone(),
            (None, _) => Keyring::folder_of(&self.ledger_path()?),
        };
        Ok(Keyring::in_folder(folder, self.clock))
    }

    /// The key by which erased names are recognised, if there is one.
    pub fn erasure_key(&self) -> Result<Option<ErasureKey>, CliError> {
        Ok(self.keys()?.read_secret(ERASURE_KEY)?.map(ErasureKey::new))
    }

    /// Opens the ledger. Another short command that holds it is waited for; a sync or a service is not.
    pub fn open(&self, command: &str, how: How) -> Result<Opened, CliError> {
        self.open_for(command, how, None)
    }

    /// The same in order to sync a tenant, which is told from the first moment to whoever finds the ledger held.
    pub fn open_to_sync(&self, tenant: TenantId) -> Result<Opened, CliError> {
        self.open_for("sync", How::Create, Some(tenant))
    }

    /// The same for a service that answers at this URL as long as it holds the ledger.
    pub fn open_to_serve(&self, url: String) -> Result<Opened, CliError> {
        let mut options = self.store_options("serve")?;
        if self.config.ledger.cache_mib.is_none() {
            options.cache_capacity_bytes = copies::cache_capacity_bytes(&self.config.ledger);
        }
        self.open_with(How::Create, (None, Some(url)), options)
    }

    /// Opens a ledger that is not encrypted, whatever key is given.
    pub fn open_without_key(&self, command: &str, how: How) -> Result<Opened, CliError> {
        let options = SledOptions { key: None, ..self.store_options(command)? };
        self.open_with(how, (None, None), options)
    }

    fn open_for(&self, command: &str, how: How, syncing: Option<TenantId>) -> Result<Opened, CliError> {
        self.open_with(how, (syncing, None), self.store_options(command)?)
    }

    fn open_with(
        &self,
        how: How,
        (syncing, url): (Option<TenantId>, Option<String>),
        mut options: SledOptions,
    ) -> Result<Opened, CliError> {
        let path = self.existing_path(how)?;
        options.create = how.may_create();
        options.restore = how == How::Restore;
        // What is derived of a half of an export may be half as well.
        options.rebuild = matches!(how, How::Rebuild | How::Restore);
        options.tenant = syncing;
        options.url = url;
        let key = self.erasure_key()?;
        let store = Arc::new(SledStore::open_patiently(&path, &options, is_soon_over)?);
        if matches!(how, How::Existing | How::Create) && store.has_other_rules() {
            return Err(StoreError::OtherRules { path: path.display().to_string() }.into());
        }
        Ok(Opened { ledger: Ledger::with_key(store.clone(), key), store })
    }

    /// The ledger's directory, which must be there unless it may be made.
    pub fn existing_path(&self, how: How) -> Result<PathBuf, CliError> {
        let path = self.ledger_path()?;
        // A folder that may not be entered is no missing ledger.
        let is_there = path.try_exists().map_err(CliError::io(format!("look for the ledger {}", path.display())))?;
        if !how.may_create() && !is_there {
            let path = path.display();
            return Err(CliError::usage(format!(
                "there is no ledger at {path}; `whowas sync` makes one, --ledger names another"
            )));
        }
        if !is_there
            && !self.config.tenants.is_empty()
            && let Some(named) = &self.global.tenant
            && self.config.tenant(Some(named))?.is_none()
        {
            // Nothing is made for it either.
            return Err(self.stranger(named));
        }
        Ok(path)
    }

    /// How the ledger's store is opened for a command.
    pub fn store_options(&self, command: &str) -> Result<SledOptions, CliError> {
        let mut options = SledOptions::new(command, self.clock.now());
        options.key = self.ledger_key()?;
        if let Some(mib) = self.config.ledger.cache_mib {
            options.cache_capacity_bytes = mib.max(1).saturating_mul(1 << 20);
        }
        Ok(options)
    }

    /// The tenant's entry in the configuration.
    pub fn configured(&self) -> Result<&TenantConfig, CliError> {
        match self.config.tenant(self.global.tenant.as_deref())? {
            Some(tenant) => Ok(tenant),
            None => Err(CliError::usage(match &self.global.tenant {
                Some(tenant) => format!("tenant {tenant} is not in {FILE_NAME}, so there is no way to sign in to it"),
                None => format!("no tenant is configured; write one into {FILE_NAME} (`whowas init` makes it)"),
            })),
        }
    }

    /// The tenant meant: the one named, else the only one configured, else the only one in the ledger.
    pub fn tenant(&self, ledger: &Ledger) -> Result<TenantId, CliError> {
        if let Some(tenant) = self.config.tenant(self.global.tenant.as_deref())? {
            return Ok(tenant.id);
        }
        if let Some(named) = &self.global.tenant {
            let tenant = named.parse().map_err(|_| CliError::usage(format!("{named:?} is no tenant")))?;
            if !self.config.tenants.is_empty() && !ledger.tenants()?.contains(&tenant) {
                return Err(self.stranger(named));
            }
            return Ok(tenant);
        }
        match ledger.tenants()?.as_slice() {
            [only] => Ok(*only),
            [] => Err(CliError::usage("the ledger is empty and no tenant is configured; say --tenant ID")),
            several => {
                let ids: Vec<String> = several.iter().map(ToString::to_string).collect();
                let why = format!("the ledger has several, say --tenant ({})", ids.join(", "));
                Err(ConfigError::Tenant { why }.into())
            }
        }
    }

    /// A tenant that is named and found nowhere is a slip of the pen, not a new tenant.
    fn stranger(&self, named: &str) -> CliError {
        let known: Vec<String> = self.config.tenants.iter().map(TenantConfig::label).collect();
        let known = known.join(", ");
        CliError::usage(format!("--tenant {named}: neither {FILE_NAME} nor the ledger has it; configured: {known}"))
    }

    /// A desk at which the tenant is asked about.
    pub fn desk(&self, ledger: &Ledger) -> Result<Desk, CliError> {
        let tenant = self.tenant(ledger)?;
        let configured = self.config.tenants.iter().find(|configured| configured.id == tenant);
        let policy = configured.map_or_else(Policy::default, TenantConfig::policy);
        Ok(Desk { ledger: ledger.clone(), tenant, policy, clock: self.clock })
    }

    /// A client for the tenant's directory. Nothing is sent yet.
    pub fn client(&self) -> Result<GraphClient, CliError> {
        Ok(directory::client(self.configured()?, self.clock)?)
    }

    /// What reading the tenant's directory into a ledger needs.
    pub fn context(&self, ledger: &Ledger, client: GraphClient) -> Result<Context, CliError> {
        Ok(directory::context(self.configured()?, ledger, client, self.clock)?)
    }

    /// The short name of a tenant.
    pub fn alias(&self, tenant: TenantId) -> Option<String> {
        self.config.tenants.iter().find(|configured| configured.id == tenant)?.alias.clone()
    }
}

/// How to open a ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It must exist.
    Existing,
    /// It must exist; by what is derived nobody is answered.
    Journal,
    /// Make it if it does not exist.
    Create,
    /// In order to derive everything anew.
    Rebuild,
    /// In order to bring it back from an export; make it if it does not exist.
    Restore,
}

impl How {
    fn may_create(self) -> bool {
        matches!(self, Self::Create | Self::Restore)
    }
}

/// The runtime on which asynchronous work is done.
pub fn runtime() -> Result<tokio::runtime::Runtime, CliError> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(CliError::io("start the runtime"))
}

/// Whether whoever holds the ledger lets it go soon.
fn is_soon_over(error: &StoreError) -> bool {
    match error {
        StoreError::Held { holder, .. } => {
            let command = holder.command.as_str();
            !matches!(
                command,
                "serve"
                    | "sync"
                    | "demo"
                    | "rebuild"
                    | "repair"
                    | "verify"
                    | "export"
                    | "restore"
                    | "compact"
                    | "redact"
                    | "encrypt"
                    | "decrypt"
            )
        }
        // Nobody says so who stays: this is somebody who is just opening or closing it, or takes a copy of it.
        StoreError::HeldBySomeone { .. } => true,
        _ => false,
    }
}

fn default_files() -> Vec<PathBuf> {
    // One that is set to nothing counts as not set (XDG Base Directory Specification).
    let variable = |name| std::env::var_os(name).filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let folder = variable("XDG_CONFIG_HOME")
        .or_else(|| variable("HOME").map(|home| home.join(".config")))
        .or_else(|| variable("APPDATA"));
    let mut files = vec![PathBuf::from(FILE_NAME)];
    files.extend(folder.map(|folder| folder.join("whowas").join(FILE_NAME)));
    files
}
