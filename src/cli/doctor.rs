//! `doctor`.

use std::fmt::Write as _;

use super::args::{Global, Output};
use super::error::{CliError, Exit};
use super::open::{App, runtime};
use super::output::{self, word_of};
use crate::config::TenantConfig;
use crate::service::doctor::{Patient, Report, examine};
use crate::store::sled::InspectionKeys;

pub fn doctor(global: Global) -> Result<Exit, CliError> {
    let app = match App::new(global.clone()) {
        Err(CliError::Config(error)) => {
            // The message is the same as everywhere; whoever reads JSON finds it in the answer too.
            let error = CliError::Config(error);
            if let (CliError::Config(config), false) = (&error, global.output == Output::Human) {
                let report = Report::unreadable(config, error.hint());
                output::answer(&global, &report, String::new)?;
            }
            return Err(error);
        }
        other => other?,
    };
    let tenants: Vec<&TenantConfig> = match &app.global.tenant {
        Some(_) => vec![app.configured()?],
        None => app.config.tenants.iter().collect(),
    };
    let ledger = app.ledger_path()?;
    // Whoever reads this may not know where it was run.
    let ledger = std::path::absolute(&ledger).unwrap_or(ledger);
    let keys = InspectionKeys { ledger: app.ledger_key()?, erasure: app.erasure_key()? };
    let variable = |name: &str| std::env::var(name).ok();
    let patient =
        Patient { config: &app.config, tenants, ledger: &ledger, keys, clock: app.clock, variable: &variable };
    let report = runtime()?.block_on(examine(&patient));
    output::list(&app.global, &report.checks, &report, None, || say(&app, &report))?;
    Ok(match (report.unusable, report.failed) {
        (true, _) => Exit::Unusable,
        (false, 0) => Exit::Done,
        _ => Exit::Partly,
    })
}

fn say(app: &App, report: &Report) -> String {
    let mut text = String::new();
    let mut about = None;
    // Writing to a string cannot fail.
    for check in &report.checks {
        if about != Some(check.tenant) {
            about = Some(check.tenant);
            let _ = match check.tenant {
                Some(tenant) => writeln!(text, "tenant {}", app.alias(tenant).unwrap_or_else(|| tenant.to_string())),
                None => writeln!(text, "here"),
            };
        }
        let _ = writeln!(text, "  {:<8}{:<14}{}", word_of(&check.state), check.check, check.said);
        if let Some(cure) = &check.cure {
            let _ = writeln!(text, "          do: {cure}");
        }
    }
    let _ = writeln!(
        text,
        "{} ok, {} warnings, {} failed, {} skipped",
        report.ok, report.warning, report.failed, report.skipped
    );
    text
}
