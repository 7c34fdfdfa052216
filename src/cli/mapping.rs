//! `mapping show | preview | apply`.

use std::fmt::Write as _;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use super::args::{MappingAction, MappingFile};
use super::error::{CliError, Exit};
use super::open::{App, How, Opened, runtime};
use super::output;
use crate::config::{self, TenantConfig};
use crate::domain::id::TenantId;
use crate::domain::mapping::Mapping;
use crate::domain::scope::Scope;
use crate::ledger::{KnownAt, ReadAhead};
use crate::service::Desk;
use crate::service::mapping::{self, InForce, MappingAnswer, MovePart};
use crate::sync::{self, Context};

/// How many users of a list are named to people; `--output json` has all.
const NAMED: usize = 20;
/// Longest file of rules that is read, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

pub fn mapping(app: &App, action: &MappingAction) -> Result<Exit, CliError> {
    let opened = app.open("mapping", How::Existing)?;
    let desk = app.desk(&opened.ledger)?;
    match action {
        MappingAction::Show => show(app, &desk),
        MappingAction::Preview { file, offline } => preview(app, &opened, &desk, file, *offline),
        MappingAction::Apply { file, yes } => apply(app, &opened, &desk, file, *yes),
    }
}

fn show(app: &App, desk: &Desk) -> Result<Exit, CliError> {
    let found = mapping::in_force(desk, KnownAt::Now)?;
    let rules = config::tables_of(&found.mapping);
    let whole = json!({ "since": found.since, "rules": rules, "basis": found.basis });
    output::answer(&app.global, &whole, || say_in_force(&found, &rules))?;
    Ok(Exit::Done)
}

fn preview(app: &App, opened: &Opened, desk: &Desk, file: &MappingFile, offline: bool) -> Result<Exit, CliError> {
    let rules = read(file, desk.tenant)?;
    let ahead = if !offline && mapping::must_read(desk, &rules)? {
        let context = context(app, opened, &rules)?;
        runtime()?.block_on(sync::read_ahead(&context, &rules))?
    } else {
        ReadAhead::default()
    };
    let answer = mapping::preview(desk, &rules, &ahead, percent(app, desk.tenant))?;
    output::answer(&app.global, &answer, || say(&answer))?;
    Ok(Exit::Done)
}

fn apply(app: &App, opened: &Opened, desk: &Desk, file: &MappingFile, yes: bool) -> Result<Exit, CliError> {
    let rules = read(file, desk.tenant)?;
    let context = context(app, opened, &rules)?;
    let configured = context.mapping.clone();
    let is_other = configured.is_some_and(|configured| configured != rules);
    let answer = runtime()?.block_on(async {
        let ahead = match mapping::must_read(desk, &rules)? {
            true => sync::read_ahead(&context, &rules).await?,
            false => ReadAhead::default(),
        };
        mapping::apply(desk, &context, rules, ahead, yes).await
    })?;
    output::answer(&app.global, &answer, || say(&answer))?;
    if let (false, Some(why)) = (answer.applied, &answer.breach) {
        output::complain(&format!("nothing was applied: {why}; --yes applies it all the same"));
        return Ok(Exit::Partly);
    }
    if is_other {
        output::note("note: the configuration has other rules, and the next sync applies those; change them there too");
    }
    Ok(Exit::Done)
}

/// What reading the directory for these rules needs, whatever else is in force.
fn context(app: &App, opened: &Opened, rules: &Mapping) -> Result<Context, CliError> {
    let context = app.context(&opened.ledger, app.client()?)?;
    let mut attributes = context.client.attributes().clone();
    attributes.extend(rules.attributes());
    let client = Arc::new(app.client()?.selecting(attributes));
    Ok(Context { client, ..context })
}

fn percent(app: &App, tenant: TenantId) -> u64 {
    let configured = app.config.tenants.iter().find(|configured| configured.id == tenant);
    configured.map(TenantConfig::guard).unwrap_or_default().limits.percent
}

fn read(file: &MappingFile, tenant: TenantId) -> Result<Mapping, CliError> {
    let name = file.file.display().to_string();
    let mut text = String::new();
    let step = || CliError::io(format!("read {name}"));
    if file.file == Path::new("-") {
        std::io::stdin().lock().take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(step())?;
    } else {
        let open = std::fs::File::open(&file.file).map_err(step())?;
        open.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(step())?;
    }
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(CliError::usage(format!("{name} has more than {FILE_BYTES_MAX} bytes, which no mapping needs")));
    }
    Ok(config::rules_in(&text, &file.file, tenant)?)
}

fn say_in_force(found: &InForce, rules: &[toml::Table]) -> String {
    let Some(since) = found.since else {
        return "no mapping is in force: everyone is protected\n".to_owned();
    };
    let table = toml::Table::from_iter([(
        "mapping".to_owned(),
        toml::Value::Array(rules.iter().cloned().map(toml::Value::Table).collect()),
    )]);
    format!("# in force since commit {since}, in order of priority\n{table}")
}

fn say(answer: &MappingAnswer) -> String {
    let mut text = match (answer.changed, answer.applied) {
        (false, _) => "these rules are in force already\n".to_owned(),
        (true, true) => {
            format!("applied: the rules, and who is in their groups, count since commit {}\n", answer.basis.sequence)
        }
        (true, false) => "nothing was written\n".to_owned(),
    };
    // Writing to a string cannot fail.
    let _ = writeln!(text, "  of {} live users", answer.users);
    if answer.rules.is_empty() {
        text.push_str("    all are protected: there is no rule\n");
    }
    for rule in &answer.rules {
        let _ = writeln!(text, "    {:?} protects {}", rule.rule, rule.protects);
    }
    if !answer.rules.is_empty() {
        let _ = writeln!(text, "    no rule protects {}", answer.out);
    }
    say_list(&mut text, "enter", &answer.enter);
    say_list(&mut text, "leave", &answer.leave);
    let of = format!("leave with a chain, which freezes (of {} protected with chains)", answer.protected_with_chains);
    say_list(&mut text, &of, &answer.freeze);
    say_list(&mut text, "cannot be decided with what was read, and are answered refresh", &answer.unknown);
    if let (Some(why), false) = (&answer.breach, answer.applied) {
        let _ = writeln!(text, "  the guard: {why}; `mapping apply` needs --yes");
    }
    text
}

fn say_list(text: &mut String, what: &str, moves: &[MovePart]) {
    let _ = writeln!(text, "  {} {what}", moves.len());
    for moved in moves.iter().take(NAMED) {
        let name = moved.name.as_ref().map_or_else(|| "without a name".to_owned(), ToString::to_string);
        let chains: Vec<&str> = moved.chains.iter().map(|chain| chain.as_str()).collect();
        let chains = if chains.is_empty() { String::new() } else { format!("; chain {}", chains.join(", ")) };
        let _ = writeln!(text, "    {name} (object {}): {}{chains}", moved.object, say_scope(&moved.to));
    }
    if moves.len() > NAMED {
        let _ = writeln!(text, "    and {} more; --output json names all", moves.len() - NAMED);
    }
}

/// A scope in a few words.
pub fn say_scope(scope: &Scope) -> String {
    match scope {
        Scope::Everyone => "everyone is protected".to_owned(),
        Scope::In { rule, .. } => format!("protected by {rule:?}"),
        Scope::InOne { why } => format!("protected, by which rule is not known: {why}"),
        Scope::Out { excluded_by: Some(rule) } => format!("excluded by {rule:?}"),
        Scope::Out { excluded_by: None } => "no rule matches".to_owned(),
        Scope::Unknown { why } => format!("not known: {why}"),
    }
}
