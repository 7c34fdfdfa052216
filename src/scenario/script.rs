//! What a scenario file says, once it is read.

use std::time::Duration;

use crate::domain::domain_change::SuffixMap;
use crate::domain::id::{ChainId, SnapshotId};
use crate::domain::link::Relation;
use crate::domain::name::{Name, NameKind};
use crate::domain::time::Instant;
use crate::graph::emulator::Quirk;

use super::expect::Check;

/// A timeline of directory events and questions with the answers that are right.
#[derive(Clone, Debug)]
pub struct Script {
    /// What it is called.
    pub title: String,
    /// The directories; the first is meant where none is named.
    pub tenants: Vec<TenantPart>,
    /// The mailbox instances that occur.
    pub mailboxes: Vec<String>,
    /// Midnight of day 0.
    pub start: Instant,
    /// What happens, in order of time.
    pub steps: Vec<Step>,
}

/// One directory.
#[derive(Clone, Debug)]
pub struct TenantPart {
    /// How the file calls it.
    pub name: String,
    /// Lines of `whowas.toml` for it.
    pub settings: String,
    /// Users on a delta page.
    pub page_size: usize,
    /// Who is there from the start.
    pub cast: Vec<Newcomer>,
    /// Users in numbers who are there from the start.
    pub crowds: Vec<Crowd>,
}

/// A user to be added.
#[derive(Clone, Debug, Default)]
pub struct Newcomer {
    /// How the file calls the object.
    pub symbol: String,
    /// The user principal name.
    pub upn: String,
    /// The primary address, if it is not the user principal name.
    pub mail: Option<String>,
    /// Further addresses.
    pub aliases: Vec<String>,
    /// Without a mailbox.
    pub bare: bool,
    /// Added by synchronisation, so that a name that is taken leaves a placeholder.
    pub conflicting: bool,
    /// `employeeId`.
    pub employee_id: Option<String>,
    /// `onPremisesImmutableId`.
    pub immutable_id: Option<String>,
}

/// Users in numbers.
#[derive(Clone, Debug)]
pub struct Crowd {
    /// How the file calls them.
    pub symbol: String,
    /// How many.
    pub count: usize,
    /// Their domain.
    pub domain: String,
}

/// A line with what happens or what is asked.
#[derive(Clone, Debug)]
pub struct Step {
    /// The line in the file.
    pub line: usize,
    /// As it is written, without time and expectations.
    pub text: String,
    /// When.
    pub at: Instant,
    /// Which tenant, by its place in the script.
    pub tenant: usize,
    /// What.
    pub verb: Verb,
    /// What is expected.
    pub checks: Vec<Check>,
}

/// What happens or what is asked.
#[derive(Clone, Debug)]
pub enum Verb {
    /// Something is done in the directory.
    Directory(Deed),
    /// The ledger reads the directory.
    Sync(Reading),
    /// A backup agent asks or reports.
    Agent(Agent),
    /// An auditor asks.
    Audit(Question),
}

/// Something done in the directory.
#[derive(Clone, Debug)]
pub enum Deed {
    /// A user is added.
    Create(Newcomer),
    /// A group with this address is added.
    Group {
        /// How the file calls it.
        symbol: String,
        /// Its address.
        mail: String,
    },
    /// Users get new names, all in one instant.
    Rename {
        /// Who gets which.
        changes: Vec<(String, String)>,
        /// Whether the former primary address stays as an alias.
        keep_alias: bool,
        /// Whether only the user principal name changes.
        upn_only: bool,
    },
    /// An address is added, or taken away.
    Alias {
        /// Whose.
        object: String,
        /// Which.
        name: String,
        /// Added.
        add: bool,
    },
    /// A user goes to the recycle bin.
    Delete(String),
    /// A user comes back.
    Restore {
        /// Who.
        object: String,
        /// Under another user principal name.
        upn: Option<String>,
    },
    /// A user goes for good.
    Purge(String),
    /// The licence comes or goes.
    License {
        /// Whose.
        object: String,
        /// It is there from now on.
        licensed: bool,
    },
    /// The account is disabled, as that of a shared mailbox.
    Disable(String),
    /// The service misbehaves from now on.
    Quirk(Quirk),
    /// The service behaves again.
    NoQuirks,
    /// A crowd gets names in another domain. Where the name is taken there a digit is added.
    MoveCrowd {
        /// Who.
        crowd: String,
        /// Whereto.
        domain: String,
        /// So many of the last stay.
        stay: usize,
        /// Whether the former addresses stay as aliases.
        keep_alias: bool,
    },
    /// Users in numbers are added.
    CreateCrowd(Crowd),
    /// A whole crowd is deleted.
    DeleteCrowd(String),
    /// A whole crowd comes back.
    RestoreCrowd(String),
    /// A whole crowd goes for good, and new objects get its names and its on-premises ids.
    ReplaceCrowd {
        /// Who goes.
        crowd: String,
        /// Who comes.
        by: String,
    },
}

/// The ledger reads the directory.
#[derive(Clone, Debug)]
pub enum Reading {
    /// A run.
    Poll {
        /// Enumerate everything anew.
        full: bool,
        /// Also reconcile.
        reconcile: bool,
        /// Changes of domain that were announced.
        announce: Vec<SuffixMap>,
    },
    /// What a guard holds may pass.
    Accept,
    /// What a guard holds is wrong.
    Reject,
    /// A run dies after so many pages are committed; then the ledger is opened again.
    Crash {
        /// How many.
        pages: u64,
    },
    /// A run that stands still after so many pages are committed.
    Begin {
        /// How many.
        pages: u64,
    },
    /// The run that stood still goes on to its end.
    GoOn,
    /// Another process wants to run while one stands still.
    Second,
}

/// A backup agent asks or reports.
#[derive(Clone, Debug)]
pub enum Agent {
    /// May I append?
    Ask(AskPart),
    /// The same for each of a crowd.
    AskEach {
        /// Whom.
        crowd: String,
        /// By the name held now in the directory rather than by id.
        by_name: bool,
        /// With the chains that are called like this crowd, the first member with the first.
        chain: Option<String>,
        /// With a live read.
        verify: bool,
    },
    /// A snapshot was taken.
    Snapshot {
        /// The chain.
        chain: ChainId,
        /// The snapshot.
        id: SnapshotId,
        /// By what.
        by: By,
        /// The first instant; the step's time if not given.
        from: Option<Instant>,
        /// The last instant; the first if not given.
        until: Option<Instant>,
        /// The mailbox instance.
        mailbox: Option<String>,
        /// It comes in another product's catalogue rather than by the agent's own report.
        imported: bool,
    },
    /// A snapshot by id of each of a crowd, in a chain of the same name.
    SnapshotEach {
        /// Of whom.
        crowd: String,
        /// The snapshot's id.
        id: SnapshotId,
    },
    /// What was really read.
    Receipt {
        /// The chain.
        chain: ChainId,
        /// The snapshot.
        id: SnapshotId,
        /// At the start.
        object: String,
        /// The mailbox at the start.
        mailbox: Option<String>,
        /// At the end.
        object_end: Option<String>,
        /// The mailbox at the end.
        mailbox_end: Option<String>,
    },
    /// A snapshot is no longer kept.
    Expire {
        /// The chain.
        chain: ChainId,
        /// The snapshot.
        id: SnapshotId,
    },
}

/// The agent's question before an incremental.
#[derive(Clone, Debug, Default)]
pub struct AskPart {
    /// The name.
    pub name: Option<Name>,
    /// Which namespaces.
    pub kind: NameKind,
    /// The object.
    pub object: Option<String>,
    /// The chain.
    pub chain: Option<ChainId>,
    /// The mailbox instance.
    pub mailbox: Option<String>,
    /// What the agent's own clock shows.
    pub clock: Option<Instant>,
    /// With a live read.
    pub verify: bool,
    /// Accepting evidence this old.
    pub max_age: Option<Duration>,
    /// As known then.
    pub known_at: Option<Instant>,
}

/// By what a mailbox was opened.
#[derive(Clone, Debug)]
pub enum By {
    /// By a name.
    Name(Name, NameKind),
    /// By an object.
    Object(String),
}

/// A name or an object.
#[derive(Clone, Debug)]
pub enum Subject {
    /// A name.
    Name(Name),
    /// An object.
    Object(String),
}

/// An auditor asks, or an operator acts.
#[derive(Clone, Debug)]
pub enum Question {
    /// Who was it?
    Who {
        /// The name.
        name: Name,
        /// Which namespaces.
        kind: NameKind,
        /// When.
        at: Option<Instant>,
        /// As known then.
        known_at: Option<Instant>,
    },
    /// Whose data does it hold?
    Show {
        /// The chain.
        chain: ChainId,
        /// The snapshot.
        id: SnapshotId,
    },
    /// What happened?
    History {
        /// To what.
        of: Subject,
        /// As known then.
        known_at: Option<Instant>,
    },
    /// How current is the ledger?
    Status,
    /// Is the ledger whole?
    Verify,
    /// What must be looked at?
    Findings,
    /// How is a chain mended?
    Plan {
        /// Which.
        chain: ChainId,
    },
    /// May it be restored there?
    RestoreCheck {
        /// The chain.
        chain: ChainId,
        /// The snapshot.
        id: SnapshotId,
        /// Whereto.
        to: Subject,
        /// With a live read.
        verify: bool,
    },
    /// Which names had several holders?
    Reuse,
    /// A lineage link is approved or taken back.
    Link {
        /// The earlier object.
        from: String,
        /// What it is to the later one.
        relation: Relation,
        /// The later object.
        to: String,
        /// Its tenant, by its place in the script, if it is another one.
        tenant: Option<usize>,
        /// Approved.
        add: bool,
    },
    /// Which objects look like the same person?
    LinkCandidates,
    /// The directory's audit log is imported.
    ImportAudits {
        /// From then on.
        since: Option<Instant>,
        /// Up to then.
        until: Option<Instant>,
    },
    /// An operator has seen, or dealt with, the findings of this kind.
    Review {
        /// Dealt with.
        resolve: bool,
        /// Which kind.
        kind: String,
    },
}
