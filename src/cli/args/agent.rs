//! What an agent asks and tells.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

use crate::config::Span;
use crate::domain::id::{ChainId, MailboxId, ObjectId, SnapshotId};
use crate::domain::name::{Name, NameKind};
use crate::domain::time::Instant;

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
