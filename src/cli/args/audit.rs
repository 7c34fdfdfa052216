//! What an auditor or operator asks, and says of it.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand, ValueEnum};

use crate::domain::finding::{FindingId, FindingKind, FindingState, Severity};
use crate::domain::id::{ChainId, ObjectId};
use crate::domain::link::Relation;
use crate::domain::name::{Name, NameKind};
use crate::domain::time::Instant;

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
        #[arg(value_name = "ID", value_parser = crate::cli::findings::parse_id)]
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
    #[arg(value_name = "ID", value_parser = crate::cli::findings::parse_id)]
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
    #[arg(long = "as", value_name = "RELATION", value_parser = crate::cli::link::parse_relation)]
    pub relation: Relation,
    /// Why
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
    /// Who says so [default: the login name]
    #[arg(long, value_name = "WHO")]
    pub by: Option<String>,
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
