//! Looks for whatever keeps whowas from working, from the configuration to the disk, and says what to do about it.
//!
//! It changes nothing, in the directory or in the ledger, and goes on after a check that failed; what depends on one that
//! failed is skipped and says so. What it says holds no secret and no name of a user.

mod access;
mod disk;
mod reach;
mod settings;

use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use self::reach::Reached;
use crate::clock::Clock;
use crate::config::{Config, ConfigError, TenantConfig};
use crate::domain::id::TenantId;
use crate::graph::client::{ClientOptions, GraphClient};
use crate::graph::error::GraphError;
use crate::graph::retry::RetryPolicy;
use crate::service::moments;
use crate::store::sled::InspectionKeys;
use crate::sync::with_causes;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Every check, those of a tenant together.
    pub checks: Vec<Check>,
    /// How many are well.
    pub ok: usize,
    /// How many work, but not as they should.
    pub warning: usize,
    /// How many keep whowas from working.
    pub failed: usize,
    /// How many could not be made.
    pub skipped: usize,
    /// Whether the configuration cannot be used as it stands.
    #[serde(skip)]
    pub unusable: bool,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The tenant that it is about; none for the ledger.
    pub tenant: Option<TenantId>,
    /// What was looked at, one word.
    pub check: &'static str,
    /// How it stands.
    pub state: State,
    /// What was found.
    pub said: String,
    /// What to do about it; none if nothing is to be done.
    #[serde(rename = "do")]
    pub cure: Option<String>,
}

/// How something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Well.
    Ok,
    /// It works, but not as it should.
    Warning,
    /// It does not work.
    Failed,
    /// It was not looked at.
    Skipped,
}

/// What is looked at, and with what.
pub struct Patient<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// The tenants of it that are meant.
    pub tenants: Vec<&'a TenantConfig>,
    /// The ledger's directory, whether it is there or not.
    pub ledger: &'a Path,
    /// The ledger's keys, as far as they are there.
    pub keys: InspectionKeys,
    /// What time it is.
    pub clock: Clock,
    /// Looks an environment variable up.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
}

impl Report {
    /// The report of a configuration that cannot even be read.
    pub fn unreadable(error: &ConfigError, cure: Option<String>) -> Self {
        let mut sheet = Sheet::new(None);
        let cure =
            cure.unwrap_or_else(|| "correct whowas.toml; `whowas init` writes one with every setting".to_owned());
        sheet.fail("config", with_causes(error), cure);
        sheet.unusable = true;
        Self::of([sheet])
    }

    fn of(sheets: impl IntoIterator<Item = Sheet>) -> Self {
        let mut report = Self::default();
        for sheet in sheets {
            report.unusable |= sheet.unusable;
            report.checks.extend(sheet.checks);
        }
        let count = |state| report.checks.iter().filter(|check| check.state == state).count();
        (report.ok, report.warning) = (count(State::Ok), count(State::Warning));
        (report.failed, report.skipped) = (count(State::Failed), count(State::Skipped));
        report
    }
}

/// Looks at every tenant that is meant, and at the ledger.
pub async fn examine(patient: &Patient<'_>) -> Report {
    let mut sheets = Vec::new();
    if patient.config.tenants.is_empty() {
        let mut sheet = Sheet::new(None);
        let file = patient.config.file.as_ref().map_or_else(
            || format!("there is no {}", crate::config::FILE_NAME),
            |file| format!("{} names no tenant", file.display()),
        );
        let cure = "write a [[tenant]] into whowas.toml; `whowas init` makes a file to fill in".to_owned();
        sheet.fail("config", format!("{file}, so no directory can be read"), cure);
        sheet.unusable = true;
        sheets.push(sheet);
    }
    for tenant in &patient.tenants {
        sheets.push(tenant_sheet(patient, tenant).await);
    }
    sheets.push(disk::ledger_sheet(patient));
    Report::of(sheets)
}

/// Time to connect, and for one whole answer: whoever looks for a fault wants to know soon.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const TOTAL_TIMEOUT: Duration = Duration::from_secs(30);
/// A passing disturbance is no fault; one that comes twice is.
const ATTEMPTS: u32 = 2;

async fn tenant_sheet(patient: &Patient<'_>, tenant: &TenantConfig) -> Sheet {
    let mut sheet = Sheet::new(Some(tenant.id));
    let options = || {
        let options = tenant.client_options();
        ClientOptions {
            connect_timeout: CONNECT_TIMEOUT,
            total_timeout: TOTAL_TIMEOUT,
            retry: RetryPolicy { attempts: options.retry.attempts.min(ATTEMPTS), ..options.retry },
            ..options
        }
    };
    // Somebody without a credential can still see whether the hosts answer.
    let visitor = match tenant.visitor(options()) {
        Ok(visitor) => visitor,
        Err(error) => {
            sheet.unusable = true;
            sheet.fail("config", with_causes(&error), cure_of(&error));
            for check in ["login", "graph", "clock", "credential"] {
                sheet.skip(check, "needs a usable configuration");
            }
            access::skip_all(&mut sheet, "needs a usable configuration");
            return sheet;
        }
    };
    settings::check(&mut sheet, patient.config, tenant);
    let reached = reach::check(&mut sheet, patient, tenant, &visitor).await;
    let client = tenant.client_with(patient.variable, moments(patient.clock), options());
    let client = match client {
        Ok(client) => client,
        Err(error) => {
            sheet.unusable = true;
            sheet.fail("credential", with_causes(&error), cure_of(&error));
            access::skip_all(&mut sheet, "needs a token");
            return sheet;
        }
    };
    permissions(&mut sheet, patient, tenant, &client, reached).await;
    sheet
}

async fn permissions(
    sheet: &mut Sheet,
    patient: &Patient<'_>,
    tenant: &TenantConfig,
    client: &GraphClient,
    reached: Reached,
) {
    if !reached.login {
        sheet.skip("credential", "needs the sign-in to answer");
        access::skip_all(sheet, "needs a token");
    } else if !access::credential(sheet, patient, tenant, client).await {
        access::skip_all(sheet, "needs a token");
    } else if !reached.graph {
        access::skip_all(sheet, "needs Graph to answer");
    } else {
        access::permissions(sheet, tenant, client).await;
    }
}

fn cure_of(error: &ConfigError) -> String {
    match error {
        ConfigError::Graph(error) => error.hint(),
        _ => "put what is missing where whowas.toml says it is, or correct that file; `whowas init` writes one with every setting explained".to_owned(),
    }
}

/// What a failed request asks for, and its text with the causes.
fn told(error: &GraphError) -> String {
    with_causes(error)
}

/// The checks of one tenant, or of the ledger.
struct Sheet {
    tenant: Option<TenantId>,
    checks: Vec<Check>,
    unusable: bool,
}

impl Sheet {
    fn new(tenant: Option<TenantId>) -> Self {
        Self { tenant, checks: Vec::new(), unusable: false }
    }

    fn ok(&mut self, check: &'static str, said: impl Into<String>) {
        self.add(check, State::Ok, said.into(), None);
    }

    fn warn(&mut self, check: &'static str, said: impl Into<String>, cure: impl Into<String>) {
        self.add(check, State::Warning, said.into(), Some(cure.into()));
    }

    fn fail(&mut self, check: &'static str, said: impl Into<String>, cure: impl Into<String>) {
        self.add(check, State::Failed, said.into(), Some(cure.into()));
    }

    fn skip(&mut self, check: &'static str, why: &str) {
        self.add(check, State::Skipped, why.to_owned(), None);
    }

    fn add(&mut self, check: &'static str, state: State, said: String, cure: Option<String>) {
        self.checks.push(Check { tenant: self.tenant, check, state, said, cure });
    }
}
