//! `whowas.toml`: what it may say, read strictly. An unknown key is an error that names the nearest known one.

mod error;
mod mapping;

pub use error::{ConfigError, Nearest};
pub use mapping::tables_of;

use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;

use crate::domain::attribution::Settling;
use crate::domain::domain_change::SuffixMap;
use crate::domain::fact::Widths;
use crate::domain::guard::{self, Limits};
use crate::domain::id::TenantId;
use crate::domain::mapping::Mapping;
use crate::domain::rhythm::Rhythm;
use crate::domain::verdict::Policy;
use crate::graph::auth::{Moments, Proof, SignIn};
use crate::graph::certificate::CertificateFiles;
use crate::graph::client::{ClientOptions, GraphClient};
use crate::graph::cloud::{Cloud, Endpoints};
use crate::graph::error::GraphError;
use crate::graph::retry::RetryPolicy;

use error::nearest;

/// The name of the file that is looked for.
pub const FILE_NAME: &str = "whowas.toml";

/// The whole configuration.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Config {
    /// Where the ledger is.
    pub ledger: LedgerConfig,
    /// The service; read by `serve`.
    pub server: ServerConfig,
    /// The tenants.
    #[serde(rename = "tenant")]
    pub tenants: Vec<TenantConfig>,
    /// The file that it was read from.
    #[serde(skip)]
    pub file: Option<PathBuf>,
}

/// Where the ledger is.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct LedgerConfig {
    /// The ledger's directory; relative to the configuration file.
    pub path: Option<PathBuf>,
    /// A database instead.
    pub url: Option<String>,
    /// The folder of the ledger's keys, relative to the configuration file; beside the ledger if nothing is said.
    pub keys: Option<PathBuf>,
    /// The file with the key of an encrypted ledger, relative to the configuration file.
    pub key_file: Option<PathBuf>,
    /// How many MiB the storage engine may keep in memory; it takes about twice as much.
    pub cache_mib: Option<u64>,
    /// How many MiB a service may take for copies of the records that questions read most.
    pub resident_mib: Option<u64>,
}

/// The most requests a second that can be told apart from no limit at all.
const PACE_MAX: u32 = 1_000_000;

/// How the service listens. Checked here so that one file serves all commands.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ServerConfig {
    /// The address.
    pub listen: Option<String>,
    /// The certificate chain.
    pub tls_cert: Option<PathBuf>,
    /// The private key.
    pub tls_key: Option<PathBuf>,
    /// `proxy` if TLS ends before the service.
    pub behind: Option<String>,
    /// How many requests a second a token may make in the long run.
    pub requests_per_second: Option<u32>,
    /// How many it may make at once.
    pub burst: Option<u32>,
}

/// One tenant.
#[derive(Debug, Deserialize)]
pub struct TenantConfig {
    /// The directory's id.
    pub id: TenantId,
    /// A short name for the command line.
    pub alias: Option<String>,
    /// Which Microsoft cloud.
    #[serde(default = "global")]
    pub cloud: String,
    /// The application's id.
    #[serde(default)]
    pub client_id: String,
    /// How it signs in.
    #[serde(default)]
    pub credential: Credential,
    /// Another Graph, without `/v1.0`.
    pub graph_url: Option<String>,
    /// Another sign-in.
    pub login_url: Option<String>,
    /// A PEM file with further root certificates. Files are relative to the configuration file, here and in the credential.
    pub ca_file: Option<PathBuf>,
    /// How often a round is scheduled; read by `serve`.
    pub sync_every: Option<Span>,
    /// How often a reconcile is scheduled; read by `serve`.
    pub reconcile_every: Option<Span>,
    /// How far the directory's replicas may trail.
    pub lag: Option<Span>,
    /// The width of a live read.
    pub read_lag: Option<Span>,
    /// How late the audit log may still speak.
    pub audit_lag: Option<Span>,
    /// How long a name may still open the mailbox of its former holder.
    pub propagation: Option<Span>,
    /// Whether the audit log is read.
    #[serde(default)]
    pub audits: bool,
    /// How old evidence an ask by name accepts.
    pub name_max_age: Option<Span>,
    /// How old a proof of life an ask by id accepts.
    pub id_max_age: Option<Span>,
    /// How far the directory's clock and ours may be apart.
    pub max_skew: Option<Span>,
    /// How often a request is made before it counts as failed, the first attempt included.
    pub retry_attempts: Option<u32>,
    /// The first wait between attempts where the server names none; it doubles from then on.
    pub retry_base: Option<Span>,
    /// When a round is held for a person to look at.
    pub guard: Option<Guard>,
    /// Changes of domain that were announced, like `old.example=new.example`: renames by them are not held.
    #[serde(default)]
    pub announce: Vec<Announced>,
    /// Who is protected.
    #[serde(default)]
    pub mapping: Vec<toml::Table>,
}

/// How an application signs in: exactly one way.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Credential {
    /// The environment variable that holds the secret.
    pub secret_env: Option<String>,
    /// The file that holds the secret.
    pub secret_file: Option<PathBuf>,
    /// A certificate.
    pub certificate: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
    /// The file with another issuer's token.
    pub federated_token_file: Option<PathBuf>,
    /// The machine's own identity.
    pub managed_identity: bool,
}

/// More than so many in one round is held.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Guard {
    /// Objects removed.
    pub removals: Option<u64>,
    /// Objects renamed.
    pub renames: Option<u64>,
    /// New objects under old names.
    pub takeovers: Option<u64>,
    /// Share of all objects, in percent.
    pub percent: Option<u64>,
}

/// An announced change of domain: `old.example=new.example`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announced(pub SuffixMap);

/// A length of time as people write it: `15m`, `7d`, `0s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub Duration);

/// The keys of each table, by the table's last name.
const TABLES: &[(&str, &[&str])] = &[
    ("", &["ledger", "server", "tenant"]),
    ("ledger", &["path", "url", "keys", "key_file", "cache_mib", "resident_mib"]),
    ("server", &["listen", "tls_cert", "tls_key", "behind", "requests_per_second", "burst"]),
    (
        "tenant",
        &[
            "id",
            "alias",
            "cloud",
            "client_id",
            "credential",
            "graph_url",
            "login_url",
            "ca_file",
            "sync_every",
            "reconcile_every",
            "lag",
            "read_lag",
            "audit_lag",
            "propagation",
            "audits",
            "name_max_age",
            "id_max_age",
            "max_skew",
            "retry_attempts",
            "retry_base",
            "guard",
            "announce",
            "mapping",
        ],
    ),
    ("credential", &["secret_env", "secret_file", "certificate", "key", "federated_token_file", "managed_identity"]),
    ("guard", &["removals", "renames", "takeovers", "percent"]),
];

impl Config {
    /// Reads a configuration file.
    pub fn read(file: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(file)
            .map_err(|source| ConfigError::Unreadable { file: file.to_owned(), source })?;
        let mut config = Self::parse(&text, file)?;
        if let Some(folder) = file.parent() {
            config.tenants.iter_mut().for_each(|tenant| tenant.find_files(folder));
        }
        config.file = Some(file.to_owned());
        Ok(config)
    }

    /// Reads the text of a configuration file, `file` being its name in messages.
    pub fn parse(text: &str, file: &Path) -> Result<Self, ConfigError> {
        let invalid = |error: toml::de::Error| ConfigError::Invalid { file: file.to_owned(), why: error.to_string() };
        let mut unknown = None;
        let source = toml::Deserializer::parse(text).map_err(invalid)?;
        let config: Self = serde_ignored::deserialize(source, |path| {
            unknown.get_or_insert_with(|| path.to_string());
        })
        .map_err(invalid)?;
        if let Some(key) = unknown {
            let nearest = nearest_to(&key);
            return Err(ConfigError::UnknownKey { file: file.to_owned(), key, nearest });
        }
        let invalid = |why| ConfigError::Invalid { file: file.to_owned(), why };
        config.server.check().map_err(|why| invalid(format!("server: {why}")))?;
        for tenant in &config.tenants {
            mapping::parse(&tenant.mapping).map_err(|why| invalid(format!("tenant {}: {why}", tenant.label())))?;
        }
        Ok(config)
    }

    /// How a tenant is called: by its alias, else by its id.
    pub fn label_of(&self, tenant: TenantId) -> String {
        let configured = self.tenants.iter().find(|configured| configured.id == tenant);
        configured.map_or_else(|| tenant.to_string(), TenantConfig::label)
    }

    /// The tenant with this alias or id; without one, the only tenant there is.
    pub fn tenant(&self, wanted: Option<&str>) -> Result<Option<&TenantConfig>, ConfigError> {
        let known = || {
            let names: Vec<String> = self.tenants.iter().map(TenantConfig::label).collect();
            if names.is_empty() { "none is configured".to_owned() } else { format!("configured: {}", names.join(", ")) }
        };
        match (wanted, self.tenants.as_slice()) {
            (Some(wanted), tenants) => {
                let found = tenants.iter().find(|tenant| tenant.is_called(wanted));
                if found.is_none() && wanted.parse::<TenantId>().is_err() {
                    return Err(ConfigError::Tenant { why: format!("no tenant is called {wanted:?} ({})", known()) });
                }
                Ok(found)
            }
            (None, []) => Ok(None),
            (None, [only]) => Ok(Some(only)),
            (None, _) => Err(ConfigError::Tenant { why: format!("several are there, say --tenant ({})", known()) }),
        }
    }
}

impl ServerConfig {
    fn check(&self) -> Result<(), String> {
        for (key, value) in [("requests_per_second", self.requests_per_second), ("burst", self.burst)] {
            if value.is_some_and(|value| !(1..=PACE_MAX).contains(&value)) {
                return Err(format!("{key} is a number from 1 to {PACE_MAX}; leave it out for the default"));
            }
        }
        Ok(())
    }
}

impl TenantConfig {
    /// Takes relative paths as relative to this folder, so that they mean the same wherever a command is run.
    fn find_files(&mut self, folder: &Path) {
        let Credential { secret_file, certificate, key, federated_token_file, .. } = &mut self.credential;
        for file in [&mut self.ca_file, secret_file, certificate, key, federated_token_file].into_iter().flatten() {
            *file = folder.join(&*file);
        }
    }

    /// The alias, else the id.
    pub fn label(&self) -> String {
        self.alias.clone().unwrap_or_else(|| self.id.to_string())
    }

    /// How the directory's answers are dated.
    pub fn widths(&self) -> Widths {
        let or = |span: Option<Span>, default| span.map_or(default, |span| span.0);
        let default = Widths::default();
        Widths {
            lag: or(self.lag, default.lag),
            read_lag: or(self.read_lag, default.read_lag),
            max_skew: or(self.max_skew, default.max_skew),
        }
    }

    /// How old evidence may be.
    pub fn policy(&self) -> Policy {
        let default = Policy::default();
        let or = |span: Option<Span>, default| span.map_or(default, |span| span.0);
        let audit_lag = self.audits.then(|| or(self.audit_lag, Duration::from_secs(12 * 3_600)));
        Policy {
            name_max_age: or(self.name_max_age, default.name_max_age),
            id_max_age: or(self.id_max_age, default.id_max_age),
            live_max_age: or(self.read_lag, default.live_max_age),
            max_skew: or(self.max_skew, default.max_skew),
            settling: Settling { propagation: or(self.propagation, default.settling.propagation), audit_lag },
            ..default
        }
    }

    /// How often it is read.
    pub fn rhythm(&self) -> Rhythm {
        let or = |span: Option<Span>, default| span.map_or(default, |span| span.0);
        let default = Rhythm::default();
        Rhythm {
            // Less than a second would only wait for the directory's clock.
            sync_every: or(self.sync_every, default.sync_every).max(Duration::from_secs(1)),
            reconcile_every: or(self.reconcile_every, default.reconcile_every),
        }
    }

    /// When a round is held.
    pub fn guard(&self) -> guard::Guard {
        let (given, default) = (self.guard.unwrap_or_default(), Limits::default());
        let limits = Limits {
            removals: given.removals.unwrap_or(default.removals),
            renames: given.renames.unwrap_or(default.renames),
            takeovers: given.takeovers.unwrap_or(default.takeovers),
            percent: given.percent.unwrap_or(default.percent),
        };
        let announced = self.announce.iter().map(|announced| announced.0.clone()).collect();
        guard::Guard { limits, announced, ..guard::Guard::default() }
    }

    /// Who is protected: the rules, in order of priority; `None` if there are none, which leaves those that were applied.
    pub fn mapping(&self) -> Option<Mapping> {
        // The rules were looked at when the file was read.
        mapping::parse(&self.mapping).ok().filter(|mapping| !mapping.is_empty())
    }

    /// A client for the tenant's directory. `variable` looks an environment variable up; `moments` dates what is signed.
    pub fn client(
        &self,
        variable: impl Fn(&str) -> Option<String>,
        moments: Moments,
    ) -> Result<GraphClient, ConfigError> {
        self.client_with(variable, moments, self.client_options())
    }

    /// The same, with other options than those of [`Self::client_options`].
    pub fn client_with(
        &self,
        variable: impl Fn(&str) -> Option<String>,
        moments: Moments,
        options: ClientOptions,
    ) -> Result<GraphClient, ConfigError> {
        let endpoints = self.endpoints()?;
        if self.client_id.is_empty() && !self.credential.managed_identity {
            return Err(self.bad_credential("client_id is not set; it is the application's id in Entra".to_owned()));
        }
        let proof = self.proof(variable, moments)?;
        let sign_in = SignIn { tenant: self.id, client_id: self.client_id.clone(), proof };
        Ok(GraphClient::new(endpoints, sign_in, options)?)
    }

    /// A client without a credential, who can see whether the hosts answer and nothing more.
    pub fn visitor(&self, options: ClientOptions) -> Result<GraphClient, ConfigError> {
        let client_id = if self.client_id.is_empty() { "nobody".to_owned() } else { self.client_id.clone() };
        let sign_in = SignIn { tenant: self.id, client_id, proof: Proof::Secret(SecretString::from("none")) };
        Ok(GraphClient::new(self.endpoints()?, sign_in, options)?)
    }

    /// Where sign-in and Graph are.
    pub fn endpoints(&self) -> Result<Endpoints, GraphError> {
        let cloud: Cloud = self.cloud.parse()?;
        Endpoints::new(cloud, self.graph_url.as_deref(), self.login_url.as_deref())
    }

    /// How the client is configured to behave.
    pub fn client_options(&self) -> ClientOptions {
        ClientOptions { ca_file: self.ca_file.clone(), retry: self.retry(), ..ClientOptions::default() }
    }

    fn retry(&self) -> RetryPolicy {
        let default = RetryPolicy::default();
        RetryPolicy {
            attempts: self.retry_attempts.unwrap_or(default.attempts),
            base: self.retry_base.map_or(default.base, |span| span.0),
            ..default
        }
    }

    fn proof(&self, variable: impl Fn(&str) -> Option<String>, moments: Moments) -> Result<Proof, ConfigError> {
        let credential = &self.credential;
        if let [first, second, ..] = credential.named().as_slice() {
            return Err(self.bad_credential(format!("{first} and {second} are both set; keep one")));
        }
        if credential.key.is_some() && credential.certificate.is_none() {
            return Err(
                self.bad_credential("key is set without certificate; name the certificate's file too".to_owned())
            );
        }
        if let Some(name) = &credential.secret_env {
            if !is_variable(name) {
                // Not shown: who mistook the field has put the secret itself there.
                return Err(self.bad_credential(
                    "secret_env holds something that is no name of an environment variable (letters, digits and _); write the \
                     variable's name there and put the secret into that variable. If it was the secret, take it out of this file"
                        .to_owned(),
                ));
            }
            let secret = variable(name).filter(|secret| !secret.is_empty());
            return secret.map(|secret| Proof::Secret(SecretString::from(secret))).ok_or_else(|| {
                self.bad_credential(format!("the environment variable {name} is not set; put the secret there"))
            });
        }
        if let Some(file) = &credential.secret_file {
            return self.secret_in(file);
        }
        if let Some(files) = credential.certificate_files() {
            return Ok(Proof::Certificate(files, moments));
        }
        if let Some(file) = &credential.federated_token_file {
            return Ok(Proof::FederatedTokenFile(file.clone()));
        }
        if credential.managed_identity {
            return Ok(Proof::ManagedIdentity);
        }
        Err(self.bad_credential(
            "no credential is set; write credential = { secret_env = \"VARIABLE\" }, or { certificate = \"FILE.pem\", key = \
             \"FILE.pem\" }, { federated_token_file = \"FILE\" }, { managed_identity = true }"
                .to_owned(),
        ))
    }

    fn secret_in(&self, file: &Path) -> Result<Proof, ConfigError> {
        let bad = |why: String| self.bad_credential(format!("secret_file {} {why}", file.display()));
        let text = std::fs::read_to_string(file).map_err(|error| bad(format!("cannot be read: {error}")))?;
        match text.trim() {
            "" => Err(bad("is empty; put the secret there".to_owned())),
            secret => Ok(Proof::Secret(SecretString::from(secret.to_owned()))),
        }
    }

    fn bad_credential(&self, why: String) -> ConfigError {
        ConfigError::Credential { tenant: self.id, why }
    }

    fn is_called(&self, wanted: &str) -> bool {
        self.alias.as_deref() == Some(wanted) || wanted.parse() == Ok(self.id)
    }
}

impl Credential {
    /// The certificate and its key, if that is the way.
    pub fn certificate_files(&self) -> Option<CertificateFiles> {
        let certificate = self.certificate.clone()?;
        Some(CertificateFiles { certificate, key: self.key.clone() })
    }

    /// The way to sign in, in words; `None` unless exactly one is set.
    pub fn kind(&self) -> Option<&'static str> {
        match self.named().as_slice() {
            ["secret_env" | "secret_file"] => Some("a client secret"),
            ["certificate"] => Some("a certificate"),
            ["federated_token_file"] => Some("a federated token"),
            ["managed_identity"] => Some("a managed identity"),
            _ => None,
        }
    }

    /// The ways to sign in that are set; exactly one should be.
    fn named(&self) -> Vec<&'static str> {
        let set = [
            ("secret_env", self.secret_env.is_some()),
            ("secret_file", self.secret_file.is_some()),
            ("certificate", self.certificate.is_some()),
            ("federated_token_file", self.federated_token_file.is_some()),
            ("managed_identity", self.managed_identity),
        ];
        set.into_iter().filter(|(_, is_set)| *is_set).map(|(name, _)| name).collect()
    }
}

impl<'de> Deserialize<'de> for Announced {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(serde::de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl std::str::FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        humantime::parse_duration(text)
            .map(Self)
            .map_err(|error| format!("{text:?} is no length of time ({error}); write it like 15m, 24h or 7d"))
    }
}

/// Reads mapping rules from the text of a file: `[[mapping]]` tables alone, or a whole configuration, of which those of this
/// tenant are taken. `mapping = []` means no rules, so that everyone is protected.
pub fn rules_in(text: &str, file: &Path, tenant: TenantId) -> Result<Mapping, ConfigError> {
    let invalid = |why: String| ConfigError::Invalid { file: file.to_owned(), why };
    let table: toml::Table = toml::from_str(text).map_err(|error| invalid(error.to_string()))?;
    if ["tenant", "ledger", "server"].into_iter().any(|key| table.contains_key(key)) {
        let config = Config::parse(text, file)?;
        let found = config.tenants.iter().find(|configured| configured.id == tenant);
        let found = found.ok_or_else(|| invalid(format!("it has no tenant {tenant}")))?;
        return found.mapping().ok_or_else(|| invalid(format!("tenant {} has no [[tenant.mapping]]", found.label())));
    }
    if let Some(key) = table.keys().find(|key| *key != "mapping") {
        let nearest = nearest(key, &["mapping"]);
        return Err(ConfigError::UnknownKey { file: file.to_owned(), key: key.clone(), nearest });
    }
    let shape = || invalid("mapping is to be a list of tables, [[mapping]]".to_owned());
    let tables = match table.get("mapping") {
        Some(toml::Value::Array(tables)) => tables,
        Some(_) => return Err(shape()),
        None => {
            return Err(invalid("it has no [[mapping]]; write mapping = [] to protect everyone".to_owned()));
        }
    };
    let tables: Option<Vec<toml::Table>> = tables.iter().map(|rule| rule.as_table().cloned()).collect();
    mapping::parse(&tables.ok_or_else(shape)?).map_err(invalid)
}

/// What may have been meant by a key that nothing reads, given with the tables around it: one of its table, or of the table where it belongs.
fn nearest_to(path: &str) -> Nearest {
    // Places in lists, and what may be left out, are no names.
    let mut names = path.split('.').filter(|name| *name != "?" && !name.bytes().all(|byte| byte.is_ascii_digit()));
    let key = names.next_back().unwrap_or(path);
    let table = names.next_back().unwrap_or_default();
    if let Some((place, _)) = TABLES.iter().find(|(_, keys)| keys.contains(&key)) {
        return Nearest::elsewhere(key, place);
    }
    let known = TABLES.iter().find(|(name, _)| *name == table);
    nearest(key, known.map_or(&[], |(_, keys)| keys))
}

fn global() -> String {
    "global".to_owned()
}

/// Whether this can be the name of an environment variable (POSIX, 8.1), in either case.
fn is_variable(name: &str) -> bool {
    let is_part = |byte: u8| byte == b'_' || byte.is_ascii_alphanumeric();
    name.bytes().all(is_part) && name.bytes().next().is_some_and(|first| !first.is_ascii_digit())
}

#[cfg(test)]
mod tests;
