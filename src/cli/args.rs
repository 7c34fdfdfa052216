//! What may be typed.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

use crate::config::Span;
use crate::domain::domain_change::SuffixMap;
use crate::domain::finding::{FindingId, FindingKind, FindingState, Severity};
use crate::domain::id::{ChainId, MailboxId, ObjectId, SnapshotId};
use crate::domain::link::Relation;
use crate::domain::name::{Name, NameKind};
use crate::domain::time::Instant;
use crate::http::access::role::Role;

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
        /// Where to write it
        #[arg(default_value = crate::config::FILE_NAME)]
        file: PathBuf,
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

/// `redact`.
#[derive(Debug, ClapArgs)]
pub struct RedactOptions {
    /// Whose names
    #[arg(value_name = "OBJECT", required = true)]
    pub objects: Vec<ObjectId>,
    /// Why, kept in the journal
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
    /// Who decided it
    #[arg(long, value_name = "WHO")]
    pub by: Option<String>,
    /// Only say what would be replaced
    #[arg(long)]
    pub dry_run: bool,
}

/// `encrypt`.
#[derive(Debug, ClapArgs)]
pub struct EncryptOptions {
    /// From now on the key in this file opens the ledger, and the present one no longer
    #[arg(long, value_name = "FILE")]
    pub new_key_file: Option<PathBuf>,
    /// Write the ledger anew under a new data key, so that whoever had the old one cannot read what comes
    #[arg(long)]
    pub rekey: bool,
}

/// `export`.
#[derive(Debug, ClapArgs)]
pub struct ExportOptions {
    /// Where to write it; `-` is standard output
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Go on with an export that was interrupted, or add what was committed since
    #[arg(long)]
    pub resume: bool,
}

/// `restore`.
#[derive(Debug, ClapArgs)]
pub struct RestoreFileOptions {
    /// The export; `-` is standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// If the file is damaged or cut off, keep what stands before that
    #[arg(long)]
    pub until_damage: bool,
}

/// `repair`.
#[derive(Debug, ClapArgs)]
pub struct RepairOptions {
    /// Only tell what would be brought back and what not; nothing is changed
    #[arg(long)]
    pub dry_run: bool,
    /// Put a new engine in place even if the old one seems sound
    #[arg(long)]
    pub force: bool,
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

/// `checkpoint`.
#[derive(Debug, ClapArgs)]
pub struct CheckpointOptions {
    /// After this commit instead of the newest
    #[arg(long, value_name = "SEQ")]
    pub at: Option<u64>,
}

/// `prove …`.
#[derive(Debug, Subcommand)]
pub enum ProveAction {
    /// That the log continues what it was at a checkpoint that was kept
    Consistency {
        /// The checkpoint that was kept
        #[arg(long, value_name = "FILE")]
        from: PathBuf,
        /// Up to this commit instead of the newest
        #[arg(long, value_name = "SEQ")]
        at: Option<u64>,
        /// Where to write it; - is standard output
        #[arg(value_name = "FILE|-", default_value = "-")]
        file: PathBuf,
    },
    /// Whose data a snapshot holds, with the facts on which that rests. They tell names
    Snapshot {
        #[command(flatten)]
        key: SnapshotKey,
        /// A checkpoint that was kept, which the proof is to continue too
        #[arg(long, value_name = "FILE")]
        from: Option<PathBuf>,
        /// Where to write it; - is standard output
        #[arg(value_name = "FILE|-", default_value = "-")]
        file: PathBuf,
    },
}

/// `verify-proof`.
#[derive(Debug, ClapArgs)]
pub struct VerifyProofOptions {
    /// The proof; - is standard input
    #[arg(value_name = "FILE|-")]
    pub file: PathBuf,
    /// The verifier key that signed, as it was handed out, or a file with it [default: the one in the proof, which shows little]
    #[arg(long, value_name = "VKEY|FILE")]
    pub key: Option<String>,
    /// A checkpoint that was kept, which the proof must continue
    #[arg(long, value_name = "OLDER")]
    pub checkpoint: Option<PathBuf>,
}

/// `check`.
#[derive(Debug, ClapArgs)]
pub struct CheckOptions {
    /// The chain to append to
    #[arg(long, value_name = "C")]
    pub chain: Option<ChainId>,
    /// The name the agent would open
    #[arg(long, value_name = "N")]
    pub name: Option<Name>,
    /// What the name is meant as: any, upn or smtp
    #[arg(long, value_name = "K", default_value = "any")]
    pub kind: NameKind,
    /// The object the agent would open
    #[arg(long, value_name = "O")]
    pub object: Option<ObjectId>,
    /// The mailbox instance, if the agent knows it
    #[arg(long, value_name = "GUID")]
    pub mailbox: Option<MailboxId>,
    /// The time by the agent's own clock; the ask is judged at the ledger's
    #[arg(long, value_name = "T")]
    pub at: Option<Instant>,
    /// Read the directory now, before judging
    #[arg(long)]
    pub verify: bool,
    /// Accept evidence by name this old, for example 1h
    #[arg(long, value_name = "D")]
    pub max_age: Option<Span>,
    /// Replay: judge by the commits up to this one, as of the clock if it is told: a commit, SEQ@CLOCK, the basis of an answer
    /// in JSON, or a file with that or with the answer. A hash in it must be the commit's
    #[arg(long, value_name = "SEQ|SEQ@CLOCK|JSON|FILE", conflicts_with = "verify")]
    pub basis: Option<String>,
    /// The clock of the basis, which every answer tells
    #[arg(long, value_name = "T", requires = "basis")]
    pub basis_clock: Option<Instant>,
    /// Ask again what these saved answers were asked, by their bases, and say whether the answers are the same. Exit: 1 if not
    #[arg(long, value_name = "FILE|-", conflicts_with_all = ["chain", "name", "object", "mailbox", "at", "batch", "basis", "verify"])]
    pub replay: Option<PathBuf>,
    /// JSON lines {chain,name,object,mailbox}, answered a line each in order; - is standard input
    #[arg(long, value_name = "FILE|-", conflicts_with_all = ["chain", "name", "object", "mailbox", "at"])]
    pub batch: Option<PathBuf>,
}

/// `who`.
#[derive(Debug, ClapArgs)]
pub struct WhoOptions {
    /// The name
    pub name: Name,
    /// At this instant instead of now
    #[arg(long, value_name = "T")]
    pub at: Option<Instant>,
    /// As known at this commit or time
    #[arg(long, value_name = "SEQ|T")]
    pub known_at: Option<String>,
    /// What the name is meant as: any, upn or smtp
    #[arg(long, value_name = "K", default_value = "any")]
    pub kind: NameKind,
}

/// `history`.
#[derive(Debug, ClapArgs)]
pub struct HistoryOptions {
    /// A name or an object id
    #[arg(value_name = "NAME|OBJECT")]
    pub subject: String,
    /// As known at this commit or time
    #[arg(long, value_name = "SEQ|T")]
    pub known_at: Option<String>,
}

/// `mapping …`.
#[derive(Debug, Subcommand)]
pub enum MappingAction {
    /// The rules in force
    Show,
    /// Who would enter, who would leave, and whose chain would freeze. Nothing is written
    Preview {
        #[command(flatten)]
        file: MappingFile,
        /// By what the ledger knows alone: read nothing of the directory that the rules look at for the first time
        #[arg(long)]
        offline: bool,
    },
    /// Make these rules those in force. Exit: 1 if the guard does not let them pass
    Apply {
        #[command(flatten)]
        file: MappingFile,
        /// Even if more chains would freeze than the guard allows
        #[arg(long)]
        yes: bool,
    },
}

/// A file with rules.
#[derive(Debug, ClapArgs)]
pub struct MappingFile {
    /// [[mapping]] rules, or a whole whowas.toml; - is standard input
    #[arg(value_name = "FILE|-")]
    pub file: PathBuf,
}

/// `snapshot …`.
#[derive(Debug, Subcommand)]
pub enum SnapshotAction {
    /// Record a snapshot
    Add(SnapshotAdd),
    /// Record what the agent really read for it
    Receipt(SnapshotReceipt),
    /// Record that it is no longer kept
    Expire(SnapshotKey),
    /// One snapshot, and whose data it holds
    Show(SnapshotKey),
    /// Snapshots of a chain, an object or a name
    List(SnapshotListing),
}

/// Which snapshot.
#[derive(Clone, Debug, ClapArgs)]
pub struct SnapshotKey {
    /// The chain
    #[arg(long, value_name = "C")]
    pub chain: ChainId,
    /// The snapshot
    #[arg(long, value_name = "S")]
    pub snapshot: SnapshotId,
}

/// `snapshot add`.
#[derive(Debug, ClapArgs)]
#[command(group(clap::ArgGroup::new("addressed").required(true).args(["name", "object"])))]
pub struct SnapshotAdd {
    #[command(flatten)]
    pub key: SnapshotKey,
    /// The name by which the mailbox was opened
    #[arg(long, value_name = "N")]
    pub name: Option<Name>,
    /// What the name was meant as: any, upn or smtp
    #[arg(long, value_name = "K", default_value = "any", conflicts_with = "object")]
    pub kind: NameKind,
    /// The object id by which it was opened
    #[arg(long, value_name = "O")]
    pub object: Option<ObjectId>,
    /// The first instant of the read
    #[arg(long, value_name = "T")]
    pub from: Instant,
    /// The last instant of the read
    #[arg(long, value_name = "T")]
    pub until: Instant,
    /// The mailbox instance
    #[arg(long, value_name = "G")]
    pub mailbox: Option<MailboxId>,
}

/// `snapshot receipt`.
#[derive(Debug, ClapArgs)]
pub struct SnapshotReceipt {
    #[command(flatten)]
    pub key: SnapshotKey,
    /// The object read at the start
    #[arg(long, value_name = "O")]
    pub object: ObjectId,
    /// The mailbox read at the start
    #[arg(long, value_name = "G")]
    pub mailbox: Option<MailboxId>,
    /// The object read at the end
    #[arg(long, value_name = "O")]
    pub object_end: Option<ObjectId>,
    /// The mailbox read at the end
    #[arg(long, value_name = "G")]
    pub mailbox_end: Option<MailboxId>,
}

/// `snapshot list`.
#[derive(Debug, ClapArgs)]
#[command(group(clap::ArgGroup::new("of").required(true).args(["chain", "object", "name"])))]
pub struct SnapshotListing {
    /// Of this chain
    #[arg(long, value_name = "C")]
    pub chain: Option<ChainId>,
    /// Addressed by this object, or receipted for it
    #[arg(long, value_name = "O")]
    pub object: Option<ObjectId>,
    /// Addressed by this name
    #[arg(long, value_name = "N")]
    pub name: Option<Name>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    pub limit: usize,
    /// Go on where the page before ended
    #[arg(long, value_name = "CURSOR")]
    pub cursor: Option<String>,
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

/// `findings`.
#[derive(Debug, ClapArgs)]
pub struct FindingsOptions {
    /// Of this kind only, such as mixed_chain
    #[arg(long, value_name = "K", value_parser = finding_kind)]
    pub kind: Option<FindingKind>,
    /// Of this severity only
    #[arg(long, value_enum, value_name = "S")]
    pub severity: Option<SeverityWord>,
    /// In this state; may be repeated [default: all but withdrawn]
    #[arg(long, value_enum, value_name = "STATE")]
    pub state: Vec<StateWord>,
    /// Exit with 40 if a finding of this severity or worse is open; one that was acknowledged does not count
    #[arg(long, value_enum, value_name = "S")]
    pub fail_on: Option<SeverityWord>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub limit: usize,
    /// Go on where the page before ended
    #[arg(long, value_name = "CURSOR")]
    pub cursor: Option<String>,
}

/// `finding …`.
#[derive(Debug, Subcommand)]
pub enum FindingAction {
    /// One finding, what shows it, and what happened to it
    Show {
        /// Its id
        #[arg(value_name = "ID", value_parser = super::findings::parse_id)]
        id: FindingId,
    },
    /// Say that it was seen
    Ack(FindingReview),
    /// Say that it was dealt with; it opens again by itself if more of it appears
    Resolve(FindingReview),
}

/// An operator's word on a finding.
#[derive(Debug, ClapArgs)]
pub struct FindingReview {
    /// Its id
    #[arg(value_name = "ID", value_parser = super::findings::parse_id)]
    pub id: FindingId,
    /// Why
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
    /// Who says so [default: the login name; required where the environment tells none]
    #[arg(long, value_name = "WHO")]
    pub by: Option<String>,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SeverityWord {
    /// Somebody's data is, or is about to be, where it does not belong.
    Critical,
    /// Needs a look.
    Warning,
    /// Good to know.
    Notice,
}

/// Where a finding stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StateWord {
    /// Nobody has looked at it.
    Open,
    /// Somebody has.
    Acknowledged,
    /// It was dealt with.
    Resolved,
    /// New evidence says that it never was so.
    Withdrawn,
}

impl From<SeverityWord> for Severity {
    fn from(word: SeverityWord) -> Self {
        match word {
            SeverityWord::Critical => Self::Critical,
            SeverityWord::Warning => Self::Warning,
            SeverityWord::Notice => Self::Notice,
        }
    }
}

impl From<StateWord> for FindingState {
    fn from(word: StateWord) -> Self {
        match word {
            StateWord::Open => Self::Open,
            StateWord::Acknowledged => Self::Acknowledged,
            StateWord::Resolved => Self::Resolved,
            StateWord::Withdrawn => Self::Withdrawn,
        }
    }
}

fn finding_kind(text: &str) -> Result<FindingKind, String> {
    FindingKind::ALL.into_iter().find(|kind| kind.word() == text).ok_or_else(|| {
        let words: Vec<&str> = FindingKind::ALL.into_iter().map(FindingKind::word).collect();
        format!("there are these kinds: {}", words.join(", "))
    })
}

/// `reuse`.
#[derive(Debug, ClapArgs)]
pub struct ReuseOptions {
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub limit: usize,
    /// Go on where the page before ended
    #[arg(long, value_name = "CURSOR")]
    pub cursor: Option<String>,
}

/// `link …`.
#[derive(Debug, Subcommand)]
pub enum LinkAction {
    /// Approve a link
    Add(LinkOptions),
    /// Take a link back
    Remove(LinkOptions),
    /// Objects that share a mailbox GUID, an immutable id or an employee id, never a name alone
    Candidates {
        /// Of this object only
        #[arg(long, value_name = "O")]
        object: Option<ObjectId>,
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: usize,
        /// Go on where the page before ended
        #[arg(long, value_name = "CURSOR")]
        cursor: Option<String>,
    },
}

/// Which link.
#[derive(Debug, ClapArgs)]
pub struct LinkOptions {
    /// The earlier object
    #[arg(long, value_name = "O")]
    pub from: ObjectId,
    /// The later object
    #[arg(long, value_name = "O2")]
    pub to: ObjectId,
    /// The later object's tenant, if it is another one
    #[arg(long, value_name = "ID|ALIAS")]
    pub to_tenant: Option<String>,
    /// What the earlier is to the later: recreated-as, migrated-to, merged-into or recovered-from
    #[arg(long = "as", value_name = "RELATION", value_parser = super::link::parse_relation)]
    pub relation: Relation,
    /// Why
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
    /// Who says so [default: the login name]
    #[arg(long, value_name = "WHO")]
    pub by: Option<String>,
}

/// `restore-check`.
#[derive(Debug, ClapArgs)]
pub struct RestoreOptions {
    #[command(flatten)]
    pub key: SnapshotKey,
    /// To whom: an object id, or a name
    #[arg(long, value_name = "NAME|OBJECT")]
    pub to: String,
    /// What the name is meant as: any, upn or smtp
    #[arg(long, value_name = "K", default_value = "any")]
    pub kind: NameKind,
    /// Read the directory now, before judging
    #[arg(long)]
    pub verify: bool,
}

/// `import`.
#[derive(Debug, ClapArgs)]
pub struct ImportOptions {
    /// What the file holds
    #[arg(value_enum)]
    pub what: ImportKind,
    /// JSON lines or CSV, for audits JSON as Graph returns it; - is standard input
    #[arg(value_name = "FILE|-")]
    pub file: PathBuf,
    /// Import the good lines although others are bad
    #[arg(long)]
    pub skip_bad: bool,
    /// What a catalogue's names are meant as, on lines that do not say `kind`: upn, smtp or any [default: any]
    ///
    /// A name of kind any is certain only where the user principal name and the address prove the same holder. For a
    /// catalogue of addresses say smtp, for one of user principal names upn.
    #[arg(long, value_name = "KIND")]
    pub kind: Option<NameKind>,
}

/// What a file to import holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ImportKind {
    /// {chain,snapshot,from,until,name|object,mailbox,kind}
    Snapshots,
    /// {observed_at,object,upn,mail,proxies,created,deleted,employee_id,immutable_id,user_type,kind}; observed_at is when
    /// the export ended: a line tells what was so within the day before it
    Profiles,
    /// directoryAudit objects, one a line, in lists, or in pages
    Audits,
}

/// `report`.
#[derive(Debug, ClapArgs)]
#[command(group(clap::ArgGroup::new("topic").args(["chain", "object", "name"])))]
pub struct ReportOptions {
    /// Of a chain: its snapshots, whose mail they hold, and the names involved
    #[arg(long, value_name = "C")]
    pub chain: Option<ChainId>,
    /// Of an object: its names, states, mailboxes and chains
    #[arg(long, value_name = "O")]
    pub object: Option<ObjectId>,
    /// Of a name: everyone who ever held it, and all chains addressed by it
    #[arg(long, value_name = "N")]
    pub name: Option<Name>,
    /// How to write it [default: as the file's ending says]
    #[arg(long, value_enum, value_name = "F")]
    pub format: Option<ReportFormat>,
    /// Where to write it; - is standard output
    #[arg(value_name = "FILE|-")]
    pub file: PathBuf,
}

/// How a report is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// One page that needs nothing else, with the timeline drawn.
    Html,
    /// The main table for a spreadsheet.
    Csv,
    /// Everything, for programs.
    Json,
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
