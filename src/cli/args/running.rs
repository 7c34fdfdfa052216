//! What runs: syncs, the service and who may ask it, the demo, scenarios, the emulator.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

use crate::config::Span;
use crate::domain::domain_change::SuffixMap;
use crate::http::access::role::Role;

/// `sync`.
#[derive(Debug, ClapArgs)]
pub struct SyncOptions {
    /// Enumerate every object anew
    #[arg(long)]
    pub full: bool,
    /// Also read the deleted items and a full listing, which show what the delta feed misses
    #[arg(long)]
    pub reconcile: bool,
    /// Let a run that the guard holds pass: read it again from where it began, with the guard off
    #[arg(long, value_name = "RUN", conflicts_with_all = ["full", "reconcile", "reject"])]
    pub accept: Option<u64>,
    /// Say that a run that the guard holds is wrong. The hold stays until the directory changes back or it is accepted
    #[arg(long, value_name = "RUN", conflicts_with_all = ["full", "reconcile", "announce"])]
    pub reject: Option<u64>,
    /// A change of domain, whose renames the guard lets pass in this run; also `announce` in whowas.toml
    #[arg(long, value_name = "OLD=NEW")]
    pub announce: Vec<SuffixMap>,
}

/// `serve`.
#[derive(Debug, ClapArgs)]
pub struct ServeOptions {
    /// How many tenants are read at the same time
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub at_once: usize,
    /// Read no tenant by itself; syncs are made on demand
    #[arg(long)]
    pub no_schedule: bool,
    /// Take the time of a request from its header X-Whowas-Now; on this machine only
    #[arg(long)]
    pub rehearsal: bool,
    /// Where to listen; port 0 takes any that is free [default: the configured address, else 127.0.0.1:8787]
    #[arg(long, value_name = "ADDRESS", env = "WHOWAS_LISTEN")]
    pub listen: Option<String>,
}

/// `token …`.
#[derive(Debug, Subcommand)]
pub enum TokenAction {
    /// Give out a token. It is shown this once
    Add(TokenAdd),
    /// The tokens, without what they are
    List,
    /// Take a token back, at once
    Revoke {
        /// The token's id, which `token list` shows
        id: String,
    },
    /// Forget tokens that were revoked or expired long ago
    Prune {
        /// How long ago
        #[arg(long, value_name = "D", default_value = "30d")]
        older_than: Span,
    },
}

/// `token add`.
#[derive(Debug, ClapArgs)]
pub struct TokenAdd {
    /// What it may do: agent, sync, auditor or admin
    #[arg(long, value_name = "ROLE")]
    pub role: Role,
    /// How long it is good for; for ever if nothing is said
    #[arg(long, value_name = "D")]
    pub lasts: Option<Span>,
    /// What it is for, as it is shown to auditors
    #[arg(long, value_name = "TEXT")]
    pub label: Option<String>,
}

/// `demo`.
#[derive(Debug, ClapArgs)]
pub struct DemoOptions {
    /// With fewer users
    #[arg(long)]
    pub fast: bool,
    /// Where to write the auditor's report [default: whowas-demo.html among the temporary files]
    #[arg(long, value_name = "FILE.html")]
    pub report: Option<PathBuf>,
}

/// `scenario …`.
#[derive(Debug, Subcommand)]
pub enum ScenarioAction {
    /// Play files against the emulator and a ledger of their own, and print expected against got
    Run {
        /// The files
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
}

/// `emulate`.
#[derive(Debug, ClapArgs)]
pub struct EmulateOptions {
    /// Where to listen; loopback only
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8788")]
    pub listen: String,
    /// How many users to begin with
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub users: usize,
    /// Begin with the first tenant of a scenario file at its end, instead: everything that happens in the directory is done,
    /// polls and questions are skipped, and the clock goes on from the file's last line
    #[arg(long, value_name = "FILE", conflicts_with = "users")]
    pub scenario: Option<PathBuf>,
    /// Users a page [default: 200, or what the scenario says]
    #[arg(long, value_name = "N")]
    pub page_size: Option<usize>,
    /// Stop the clock at --now, or at the start, until it is moved
    #[arg(long)]
    pub frozen: bool,
    /// Register the certificates of a PEM file for the application, so that it may sign in with one of their keys
    #[arg(long, value_name = "FILE")]
    pub certificate: Option<PathBuf>,
    /// Serve https with the certificate and the private key of this PEM file
    #[arg(long, value_name = "FILE")]
    pub tls: Option<PathBuf>,
    /// Switch a quirk of the real service on, by name; may be repeated (see GET /_emulator/quirks)
    #[arg(long, value_name = "NAME")]
    pub quirk: Vec<String>,
}
