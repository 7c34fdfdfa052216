//! `token add | list | revoke | prune`. They work on the files beside the ledger, whether a service holds it or not.

use std::fmt::Write as _;

use serde::Serialize;

use super::args::{TokenAction, TokenAdd};
use super::error::{CliError, Exit};
use super::open::App;
use super::output;
use crate::domain::id::TenantId;
use crate::domain::time::Instant;
use crate::http::access::folder_of;
use crate::http::access::role::Role;
use crate::http::access::tokens::{Token, Tokens, Wanted};

/// A token that was just given out.
#[derive(Serialize)]
struct Added {
    id: String,
    token: String,
    role: Role,
    tenant: Option<TenantId>,
    label: Option<String>,
    expires: Option<Instant>,
}

/// A token as it is listed.
#[derive(Serialize)]
struct Listed {
    id: String,
    label: Option<String>,
    role: Role,
    tenant: Option<TenantId>,
    created: Instant,
    expires: Option<Instant>,
    revoked: Option<Instant>,
}

#[derive(Serialize)]
struct List {
    items: Vec<Listed>,
    cursor: Option<String>,
}

pub fn token(app: &App, action: TokenAction) -> Result<Exit, CliError> {
    let tokens = Tokens::in_folder(folder_of(&app.ledger_path()?));
    match action {
        TokenAction::Add(wanted) => add(app, &tokens, wanted),
        TokenAction::List => list(app, &tokens),
        TokenAction::Revoke { id } => {
            let listed = Listed::from(tokens.revoke(&id, app.clock.now())?);
            output::answer(&app.global, &listed, || format!("token {} is refused from now on\n", listed.id))?;
            Ok(Exit::Done)
        }
        TokenAction::Prune { older_than } => {
            let gone = tokens.prune(older_than.0, app.clock.now())?;
            output::answer(&app.global, &serde_json::json!({ "removed": gone }), || format!("{gone} removed\n"))?;
            Ok(Exit::Done)
        }
    }
}

fn add(app: &App, tokens: &Tokens, wanted: TokenAdd) -> Result<Exit, CliError> {
    let TokenAdd { role, lasts, label } = wanted;
    let tenant = app.global.tenant.as_deref().map(|named| tenant(app, named)).transpose()?;
    let tenants = tenant.map(|tenant| vec![tenant]);
    let (token, text) = tokens.add(Wanted { label, role, tenants, lasts: lasts.map(|lasts| lasts.0) }, app.clock)?;
    let Token { id, label, expires, .. } = token;
    let added = Added { id, token: text, role, tenant, label, expires };
    output::answer(&app.global, &added, || {
        let of = added.tenant.map_or_else(|| "all tenants".to_owned(), |tenant| format!("tenant {tenant}"));
        let until = added.expires.map(|expires| format!(", until {expires}")).unwrap_or_default();
        format!(
            "{}\n  id {}, role {}, for {of}{until}\n  It is shown this once. Put it into WHOWAS_TOKEN, or send it as Authorization: Bearer …\n",
            added.token, added.id, added.role
        )
    })?;
    Ok(Exit::Done)
}

/// A tenant by alias or id. The ledger need not have it yet, and a service may hold the ledger.
fn tenant(app: &App, named: &str) -> Result<TenantId, CliError> {
    match app.config.tenant(Some(named))? {
        Some(configured) => Ok(configured.id),
        None => named.parse().map_err(|_| CliError::usage(format!("{named:?} is no tenant"))),
    }
}

fn list(app: &App, tokens: &Tokens) -> Result<Exit, CliError> {
    let items: Vec<Listed> = tokens.all()?.iter().cloned().map(Listed::from).collect();
    let list = List { items, cursor: None };
    output::list(&app.global, &list.items, &list, None, || {
        let mut text = String::new();
        for token in &list.items {
            let of = token.tenant.map_or_else(|| "all tenants".to_owned(), |tenant| tenant.to_string());
            let label = token.label.as_deref().map(|label| format!("  {label}")).unwrap_or_default();
            let state = match (token.revoked, token.expires) {
                (Some(revoked), _) => format!("revoked {revoked}"),
                (None, Some(expires)) if expires <= app.clock.now() => format!("expired {expires}"),
                (None, Some(expires)) => format!("until {expires}"),
                (None, None) => "for ever".to_owned(),
            };
            // Writing to a string cannot fail.
            let _ =
                writeln!(text, "{}  {:<7}  {of}  since {}, {state}{label}", token.id, token.role.word(), token.created);
        }
        if list.items.is_empty() {
            text.push_str("nobody may ask the service yet; `whowas token add --role agent` gives out a token\n");
        }
        text
    })?;
    Ok(Exit::Done)
}

impl From<Token> for Listed {
    fn from(token: Token) -> Self {
        let Token { id, label, role, tenants, created, expires, revoked, hash: _ } = token;
        // The file may name several, by somebody's hand; the first is shown, as `token add` gives at most one.
        let tenant = tenants.and_then(|tenants| tenants.first().copied());
        Self { id, label, role, tenant, created, expires, revoked }
    }
}
