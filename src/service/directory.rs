//! How a configured tenant's directory is reached.

use std::sync::Arc;

use super::moments;
use crate::clock::Clock;
use crate::config::{ConfigError, TenantConfig};
use crate::domain::mapping::Mapping;
use crate::graph::client::GraphClient;
use crate::ledger::{Ledger, LedgerError};
use crate::sync::Context;

/// A client for a tenant's directory. Nothing is sent yet.
///
/// # Errors
/// If the configuration does not allow to sign in.
pub fn client(tenant: &TenantConfig, clock: Clock) -> Result<GraphClient, ConfigError> {
    tenant.client(|name| std::env::var(name).ok(), moments(clock))
}

/// What reading a tenant's directory into a ledger needs. The client asks for the attributes that the rules in force look at,
/// and those configured.
///
/// # Errors
/// If the ledger cannot be read.
pub fn context(
    tenant: &TenantConfig,
    ledger: &Ledger,
    client: GraphClient,
    clock: Clock,
) -> Result<Context, LedgerError> {
    let mapping = tenant.mapping();
    let mut attributes = ledger.mapping(tenant.id)?.attributes();
    attributes.extend(mapping.iter().flat_map(Mapping::attributes));
    Ok(context_with(tenant, ledger, Arc::new(client.selecting(attributes)), clock))
}

/// The same with a client that asks for the right attributes already.
pub fn context_with(tenant: &TenantConfig, ledger: &Ledger, client: Arc<GraphClient>, clock: Clock) -> Context {
    Context {
        ledger: ledger.clone(),
        tenant: tenant.id,
        client,
        widths: tenant.widths(),
        settling: tenant.policy().settling,
        guard: tenant.guard(),
        mapping: tenant.mapping(),
        clock,
    }
}
