//! Importing a file: another product's catalogue of snapshots, old exports of profiles, saved audit logs.
//!
//! The file is read twice. The first pass checks every line: that it can be read, that it contradicts neither the ledger nor
//! another line. Only if all are good, or the caller wants the good ones all the same, the second pass appends them, in
//! commits of bounded size. What the ledger knows already changes nothing, so an import that was stopped or killed is
//! completed by running it again.
//!
//! Memory is bounded but for one thing: to find two lines that give one snapshot different data, 32 bytes are kept for each
//! snapshot line that is new to the ledger, and up to an eighth more for room to grow: 180 MB for five million lines.

mod twins;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::{self, Read, Seek};
use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use super::Desk;
use crate::domain::fact::{Fact, Snapshot};
use crate::domain::id::ObjectId;
use crate::domain::name::NameKind;
use crate::domain::time::Instant;
use crate::import::{Entry as Line, Reader, Said, What};
use crate::ledger::{Batch, LedgerError, Stamp};

use twins::Twins;

/// Lines a commit.
pub const LINES_A_COMMIT: usize = 2_000;
/// Bytes of the file a commit. With [`LINES_A_COMMIT`] it keeps every commit far below the store's limits.
const BYTES_A_COMMIT: usize = 4 << 20;
/// Most bad lines that are named; all are counted.
pub const REJECTED_MAX: usize = 1_000;
/// How often the caller is told how far it is, in lines.
const LINES_A_TICK: u64 = 1_000;

/// A file: read from its beginning, twice.
pub trait File: Read + Seek {}

impl<T: Read + Seek> File for T {}

/// What an import did. An event, a row or a line counts as one line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct Imported {
    /// Lines that told the ledger something new.
    pub added: u64,
    /// Lines that it knew already, from before or from an earlier line.
    pub same: u64,
    /// The bad lines, in order; the first thousand of them.
    pub rejected: Vec<Rejected>,
    /// How many bad lines there are.
    pub rejected_count: u64,
    /// Audit events that say nothing about names or life.
    pub ignored: u64,
    /// How many for which reason.
    pub ignored_because: BTreeMap<String, u64>,
    /// Lines in the file, without blank ones.
    pub lines: u64,
    /// Commits made.
    pub commits: u64,
    /// Whether the lines were appended: not if one is bad and the good ones were not wanted all the same.
    pub applied: bool,
    /// Whether the caller stopped it before its end.
    pub stopped: bool,
    /// What else is worth knowing about the file.
    pub notes: Vec<String>,
}

/// A bad line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "http", schema(as = RejectedLine))]
pub struct Rejected {
    /// Its number, from 1. What is spread over several lines has the number of the first.
    pub line: u64,
    /// What is wrong with it and what to do.
    pub why: String,
}

/// How far an import is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Whether it is in its second pass, which appends.
    pub is_writing: bool,
    /// Lines read in this pass.
    pub lines: u64,
    /// Bytes of the file read in this pass.
    pub bytes: u64,
}

/// Why an import failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The file could not be read.
    #[error("read the file to import")]
    Read(#[source] io::Error),
    /// The file was another one in the second pass.
    #[error(
        "import the file: line {line} was good when it was checked and is not any more ({why}); import it again when nobody writes to it"
    )]
    Changed {
        /// Which line.
        line: u64,
        /// What is wrong with it now.
        why: String,
    },
    /// The ledger failed. Commits made before stay; the same import again completes it.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// How a file is imported. Where nothing else is to be said, `skip_bad` alone will do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct How {
    /// Append the good lines although others are bad.
    pub skip_bad: bool,
    /// What the names of snapshots are meant as, where a line does not say it.
    pub kind: NameKind,
}

impl From<bool> for How {
    fn from(skip_bad: bool) -> Self {
        Self { skip_bad, ..Self::default() }
    }
}

/// Imports a file. `watch` is told how far it is and can stop it.
pub fn import(
    desk: &Desk,
    what: What,
    file: &mut dyn File,
    how: impl Into<How>,
    watch: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Imported, ImportError> {
    let How { skip_bad, kind } = how.into();
    let now = desk.clock.now();
    let mut check = Check::new(desk)?;
    let mut imported = Imported::default();
    let mut reader = open(what, file, now)?.with_kind(kind);
    while let Some(entry) = reader.next_entry().map_err(ImportError::Read)? {
        imported.lines += 1;
        let line = entry.line;
        match entry.said {
            Said::Facts(facts) => {
                if let Err(why) = check.fits(line, &facts)? {
                    check.rejects.add(line, why);
                }
            }
            Said::Nothing(_) => {}
            Said::Fault(why) => check.rejects.add(line, why),
        }
        if is_stopped(watch, false, imported.lines, reader.bytes()) {
            imported.stopped = true;
            return Ok(imported);
        }
    }
    imported.notes = reader.notes();
    let (rejects, checked) = check.finish();
    imported.rejected_count = rejects.count;
    imported.rejected = rejects.named();
    if rejects.count > 0 && !skip_bad {
        return Ok(imported);
    }
    imported.applied = true;
    let skips = rejects.count > 0;
    write(desk, (what, kind), file, now, skips.then_some(&checked), &mut imported, watch)?;
    Ok(imported)
}

/// The second pass. `bad` is what tells bad lines, if there are any.
fn write(
    desk: &Desk,
    (what, kind): (What, NameKind),
    file: &mut dyn File,
    now: Instant,
    bad: Option<&Checked<'_>>,
    imported: &mut Imported,
    watch: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<(), ImportError> {
    let mut reader = open(what, file, now)?.with_kind(kind);
    let mut writer = Writer { desk, what, lines: Vec::new(), bytes: 0 };
    let mut lines = 0;
    while let Some(Line { line, bytes, said }) = reader.next_entry().map_err(ImportError::Read)? {
        lines += 1;
        match (said, bad) {
            (Said::Facts(facts), Some(bad)) if bad.is_bad(&facts)? => {}
            (Said::Facts(facts), _) => writer.lines.push(facts),
            (Said::Nothing(why), _) => {
                imported.ignored += 1;
                *imported.ignored_because.entry(why.to_string()).or_default() += 1;
            }
            (Said::Fault(_), Some(_)) => {}
            (Said::Fault(why), None) => return Err(ImportError::Changed { line, why }),
        }
        writer.bytes += bytes;
        if writer.is_full() {
            writer.commit(imported)?;
        }
        // Between two commits nothing is half done.
        if is_stopped(watch, true, lines, reader.bytes()) {
            imported.stopped = true;
            break;
        }
    }
    writer.commit(imported)
}

fn open(what: What, file: &mut dyn File, now: Instant) -> Result<Reader<&mut dyn File>, ImportError> {
    file.rewind().map_err(ImportError::Read)?;
    Reader::open(what, file, now).map_err(ImportError::Read)
}

fn is_stopped(watch: &mut dyn FnMut(Progress) -> ControlFlow<()>, is_writing: bool, lines: u64, bytes: u64) -> bool {
    lines.is_multiple_of(LINES_A_TICK) && watch(Progress { is_writing, lines, bytes }).is_break()
}

/// The first pass.
struct Check<'a> {
    desk: &'a Desk,
    /// Whether the ledger has snapshots at all.
    has_snapshots: bool,
    twins: Twins,
    rejects: Rejects,
}

/// What the first pass leaves for the second.
struct Checked<'a> {
    desk: &'a Desk,
    has_snapshots: bool,
    twins: Twins,
}

impl<'a> Check<'a> {
    fn new(desk: &'a Desk) -> Result<Self, ImportError> {
        let has_snapshots = desk.ledger.head(desk.tenant)?.state.counts.snapshots > 0;
        Ok(Self { desk, has_snapshots, twins: Twins::default(), rejects: Rejects::default() })
    }

    /// Whether the ledger can take a line's facts. Facts about objects never contradict each other beyond what a timeline
    /// bears; a snapshot has one truth.
    fn fits(&mut self, line: u64, facts: &[Fact]) -> Result<Result<(), String>, ImportError> {
        for fact in facts {
            let Fact::SnapshotTaken(snapshot) = fact else { continue };
            let known = if self.has_snapshots { compared(self.desk, snapshot)? } else { None };
            match known {
                // The ledger decides about all lines of a snapshot that it has.
                Some(difference) => {
                    if let Some(what) = difference {
                        let (chain, id) = (&snapshot.chain, &snapshot.id);
                        let why = format!(
                            "snapshot {id} of chain {chain} is in the ledger with {what}; leave the line out, or give \
                             it another snapshot id"
                        );
                        return Ok(Err(why));
                    }
                }
                None => self.twins.add(line, snapshot),
            }
        }
        Ok(Ok(()))
    }

    fn finish(self) -> (Rejects, Checked<'a>) {
        let Self { desk, has_snapshots, mut twins, mut rejects } = self;
        twins.tell_apart(|line, other| {
            rejects.add(
                line,
                format!(
                    "line {other} gives the same snapshot of the same chain other data; keep the line that is right"
                ),
            );
        });
        (rejects, Checked { desk, has_snapshots, twins })
    }
}

impl Checked<'_> {
    fn is_bad(&self, facts: &[Fact]) -> Result<bool, ImportError> {
        for fact in facts {
            let Fact::SnapshotTaken(snapshot) = fact else { continue };
            if self.twins.is_disputed(snapshot) {
                return Ok(true);
            }
            if self.has_snapshots && compared(self.desk, snapshot)?.flatten().is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// In what a snapshot differs from the recorded one of the same id, if there is one. Names that were erased are compared as the ledger
/// knows them.
fn compared(desk: &Desk, snapshot: &Snapshot) -> Result<Option<Option<&'static str>>, ImportError> {
    let store = desk.ledger.store();
    let record = store.snapshot(desk.tenant, &snapshot.chain, &snapshot.id).map_err(LedgerError::from)?;
    let Some(known) = record.map(|record| record.snapshot) else { return Ok(None) };
    let mut told = snapshot.clone();
    if let Some(erasure) = store.erasure(desk.tenant).map_err(LedgerError::from)? {
        erasure.taken(&mut told);
    }
    Ok(Some(known.difference(&told)))
}

/// The bad lines: the first ones by name, all by count.
#[derive(Default)]
struct Rejects {
    named: BTreeMap<(u64, u64), String>,
    count: u64,
}

impl Rejects {
    fn add(&mut self, line: u64, why: String) {
        self.named.insert((line, self.count), why);
        self.count += 1;
        if self.named.len() > REJECTED_MAX {
            self.named.pop_last();
        }
    }

    fn named(&self) -> Vec<Rejected> {
        self.named.iter().map(|((line, _), why)| Rejected { line: *line, why: why.clone() }).collect()
    }
}

/// Gathers lines into commits.
struct Writer<'a> {
    desk: &'a Desk,
    what: What,
    lines: Vec<Vec<Fact>>,
    bytes: usize,
}

impl Writer<'_> {
    fn is_full(&self) -> bool {
        self.lines.len() >= LINES_A_COMMIT || self.bytes >= BYTES_A_COMMIT
    }

    fn commit(&mut self, imported: &mut Imported) -> Result<(), ImportError> {
        let lines = std::mem::take(&mut self.lines);
        self.bytes = 0;
        let count = lines.len() as u64;
        // An event may give several facts, so which lines are new is told before they are put together.
        let new = if self.what == What::Audits { Some(self.count_new(&lines)?) } else { None };
        let facts: Vec<Fact> = lines.into_iter().flatten().collect();
        if facts.is_empty() {
            return Ok(());
        }
        let Desk { ledger, tenant, clock, .. } = self.desk;
        let before = ledger.head(*tenant)?.sequence;
        let stamp = Stamp { now: clock.now(), salt: clock.salt() };
        let appended = ledger.append(*tenant, Batch { facts, ..Batch::default() }, stamp)?;
        let added = new.unwrap_or(appended.summary.facts);
        imported.added += added;
        imported.same += count.saturating_sub(added);
        imported.commits += u64::from(appended.head.sequence > before);
        Ok(())
    }

    /// How many lines tell something that neither the ledger nor a line before them does.
    fn count_new(&self, lines: &[Vec<Fact>]) -> Result<u64, ImportError> {
        let mut known: BTreeMap<ObjectId, Vec<Fact>> = BTreeMap::new();
        let mut new = 0;
        for facts in lines {
            let mut is_new = false;
            for fact in facts {
                let Some(object) = fact.object() else { continue };
                let of_object = match known.entry(object) {
                    Entry::Occupied(place) => place.into_mut(),
                    Entry::Vacant(place) => {
                        let facts = self.desk.ledger.store().object(self.desk.tenant, object);
                        let facts = facts.map_err(LedgerError::from)?.into_iter();
                        place.insert(facts.map(|known| known.fact).collect())
                    }
                };
                if !of_object.contains(fact) {
                    of_object.push(fact.clone());
                    is_new = true;
                }
            }
            new += u64::from(is_new);
        }
        Ok(new)
    }
}
