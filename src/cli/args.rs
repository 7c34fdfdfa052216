//! What may be typed.

mod agent;
mod audit;
mod running;
mod upkeep;

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

use crate::domain::id::ChainId;
use crate::domain::time::Instant;

pub use self::agent::{CheckOptions, RestoreOptions, SnapshotAction, SnapshotAdd, SnapshotKey, SnapshotListing};
pub use self::audit::{
    FindingAction, FindingReview, FindingsOptions, HistoryOptions, LinkAction, LinkOptions, MappingAction, MappingFile,
    ReportFormat, ReportOptions, ReuseOptions, WhoOptions,
};
pub use self::running::{
    DemoOptions, EmulateOptions, ScenarioAction, ServeOptions, SyncOptions, TokenAction, TokenAdd,
};
pub use self::upkeep::{
    CheckpointOptions, EncryptOptions, ExportOptions, ImportKind, ImportOptions, ProveAction, RedactOptions,
    RepairOptions, RestoreFileOptions, VerifyProofOptions,
};

/// Identity ledger for Microsoft 365 backup: whose mail is this, how sure are we, and how do we know?
#[derive(Debug, Parser)]
#[command(name = "whowas", version, about, long_about = None, max_term_width = 110)]
pub struct Args {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// What every command understands.
#[derive(Clone, Debug, Default, ClapArgs)]
pub struct Global {
    /// The configuration file [default: whowas.toml here, else in the user's configuration folder]
    #[arg(long, global = true, value_name = "FILE", env = "WHOWAS_CONFIG")]
    pub config: Option<PathBuf>,
    /// The ledger's directory [default: the configured one, else whowas-data]
    #[arg(long, global = true, value_name = "PATH", env = "WHOWAS_LEDGER")]
    pub ledger: Option<PathBuf>,
    /// The file with the key of an encrypted ledger; the key itself may stand in WHOWAS_LEDGER_KEY
    #[arg(long, global = true, value_name = "FILE", env = "WHOWAS_KEY_FILE")]
    pub key_file: Option<PathBuf>,
    /// The tenant, by alias or id; needed only if there are several
    #[arg(long, global = true, value_name = "ID|ALIAS", env = "WHOWAS_TENANT")]
    pub tenant: Option<String>,
    /// Ask a running service instead of opening the ledger, with the token in WHOWAS_TOKEN
    #[arg(long, global = true, value_name = "URL", env = "WHOWAS_SERVER")]
    pub server: Option<String>,
    /// A PEM file with further root certificates by which the service is known, beside the system's
    #[arg(long, global = true, value_name = "FILE", env = "WHOWAS_SERVER_CA")]
    pub server_ca: Option<PathBuf>,
    /// How to print answers
    #[arg(long, global = true, value_enum, default_value_t, env = "WHOWAS_OUTPUT")]
    pub output: Output,
    /// How to say on standard error what happens
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORMAT", env = "WHOWAS_LOG")]
    pub log: LogFormat,
    /// Behave as if it were this time (RFC 3339)
    #[arg(long, global = true, value_name = "TIME", env = "WHOWAS_NOW")]
    pub now: Option<Instant>,
    /// Say more on standard error; twice for even more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Say nothing but errors on standard error
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
}

/// How to print answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    #[default]
    Human,
    /// One JSON document.
    Json,
    /// One JSON document a line; lists give a line an item.
    Jsonl,
}

/// How to say on standard error what happens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object a line: `timestamp` (RFC 3339), `level`, `message` and the event's fields.
    Json,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// The whole story against the built-in Graph emulator: sync, rename, reuse, check, verdict
    Demo(DemoOptions),
    /// Write a commented whowas.toml
    Init {
        /// Where to write it; without it the file of --config, else whowas.toml here
        file: Option<PathBuf>,
    },
    /// What keeps whowas from working, and what to do about it. Exit: 1 if a check failed, 2 if the configuration is unusable
    Doctor,
    /// One sync round now
    Sync(SyncOptions),
    /// Keep every tenant current, each at its rhythm, and answer over HTTP, until it is stopped
    Serve(ServeOptions),
    /// Who may ask the service; --tenant limits a new token to one tenant
    #[command(subcommand)]
    Token(TokenAction),
    /// Last sync, horizon, blind periods, counts
    Status,
    /// May I append to this chain, and whose mailbox is it? Exit: 0 incremental, 10 full, 20 stop, 30 refresh
    Check(CheckOptions),
    /// Who holds, or held, a name
    Who(WhoOptions),
    /// The timeline of a name or an object, with edges and evidence
    History(HistoryOptions),
    /// Record and look at snapshots
    #[command(subcommand)]
    Snapshot(SnapshotAction),
    /// What an auditor or operator must look at, the worst and newest first. Exit: 40 with --fail-on
    Findings(FindingsOptions),
    /// One finding, and an operator's word on it
    #[command(subcommand)]
    Finding(FindingAction),
    /// Every name with more than one holder, and names released lately
    Reuse(ReuseOptions),
    /// Two objects that are the same person, one after the other; never changes a verdict
    #[command(subcommand)]
    Link(LinkAction),
    /// Who is protected: the rules in force, what other rules would change, and making them so
    #[command(subcommand)]
    Mapping(MappingAction),
    /// How to repair a chain that holds more than one person's data, or why nothing is to be done
    Plan {
        /// The chain
        #[arg(value_name = "CHAIN")]
        chain: ChainId,
    },
    /// May this snapshot be restored to that person? Exit: 0 proceed, 20 stop
    RestoreCheck(RestoreOptions),
    /// Take in another product's catalogue, old exports or saved audit logs. Exit: 1 if a line is bad; nothing is imported then
    Import(ImportOptions),
    /// The auditor's report of a chain, an object, a name, or the whole tenant
    Report(ReportOptions),
    /// Check every hash, and every derived record against the journal. Exit: 40 if something differs
    Verify,
    /// Derive everything anew from the journal
    Rebuild,
    /// Write the whole journal, all tenants or --tenant's, into one file of JSON lines that `restore` brings a ledger back from
    Export(ExportOptions),
    /// Bring a ledger back from an export, with the same hashes, into a new or empty directory. Exit: 1 if the file is damaged
    Restore(RestoreFileOptions),
    /// Write the ledger anew in as little space as it needs, and leave nothing of its old files
    Compact,
    /// Erase the names of objects from the whole ledger. Its hashes stay, and so does what it knows of who held what
    Redact(RedactOptions),
    /// Encrypt the ledger with the key that is given, or change the key of one that is encrypted
    Encrypt(EncryptOptions),
    /// Write an encrypted ledger as it is without encryption
    Decrypt,
    /// Bring back what the journal of a damaged ledger still proves, and list what it cannot. Exit: 40 if a dry run finds damage
    Repair(RepairOptions),
    /// Where the ledger's log of commits stands, signed: keep it, and a history that is written anew can be noticed
    Checkpoint(CheckpointOptions),
    /// Write a proof that is checked without the ledger
    #[command(subcommand)]
    Prove(ProveAction),
    /// Check a proof. Needs no ledger, no configuration and no network. Exit: 1 if it does not hold
    VerifyProof(VerifyProofOptions),
    /// Replay scenario files: timelines with the answers that are right. Exit: 40 if something differs
    #[command(subcommand)]
    Scenario(ScenarioAction),
    /// The Graph emulator alone, for people who write agents
    Emulate(EmulateOptions),
    /// Print a completion script
    Completions {
        /// For which shell
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write all of them
    Man {
        /// Write a page a command into this directory
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
}
