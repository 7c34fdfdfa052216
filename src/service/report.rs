//! What an auditor's report says, gathered from the ledger.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::Desk;
use super::explain::explain;
use super::history::{self, NamePart, ObjectAnswer};
use super::parts::{EvidencePart, word_of};
use super::plan::{self, PlanAnswer};
use super::reuse::{self, ReusePart};
use super::snapshot::{self, AddressedPart, SnapshotAnswer, Wanted};
use crate::domain::fact::Fact;
use crate::domain::finding::{Finding, FindingId, FindingKind, FindingState, Step, Subject};
use crate::domain::id::{ChainId, MailboxId, ObjectId};
use crate::domain::name::{Name, NameKey};
use crate::domain::time::Instant;
use crate::domain::timeline::Role;
use crate::ledger::{Basis, KnownAt, LedgerError};
use crate::report::content::{
    AddressedRow, BasisRow, BlindRow, ChainRows, CountRows, EvidenceRow, FindingRow, NameRow, NextRow, NotableRow,
    ObjectRow, PlanRows, ReceiptRow, Report, SegmentRow, SnapshotRow, StateRow, StepRow, SummaryRows, SyncRow, Topic,
};

/// How much one report holds. What is beyond is left out and said.
const SNAPSHOTS_MAX: usize = 100_000;
const CHAINS_MAX: usize = 200;
const OBJECTS_MAX: usize = 200;
const SYNCS_MAX: usize = 20;
const FINDINGS_MAX: usize = 1_000;
const NAMES_MAX: usize = 500;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum NoReport {
    /// The ledger could not be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// There is nothing to report on.
    #[error("{0}")]
    Missing(String),
}

/// What a report is wanted of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Of {
    /// A chain.
    Chain(ChainId),
    /// An object.
    Object(ObjectId),
    /// A name.
    Name(Name),
    /// The tenant as a whole.
    Tenant,
}

/// Gathers a report. `alias` is the tenant's short name.
pub fn report(desk: &Desk, of: &Of, alias: Option<String>) -> Result<Report, NoReport> {
    let now = desk.clock.now();
    let view = desk.ledger.view(desk.tenant, KnownAt::Now)?;
    let mut gathered = Gathered::new(desk);
    let subject = match of {
        Of::Chain(chain) => {
            // Its findings stand under the id under which the ledger knows it.
            let known = desk.ledger.known_chain(desk.tenant, chain)?;
            gathered.chain(&known)?;
            if gathered.chains.is_empty() {
                return Err(missing(format!("chain {chain} has no snapshots in tenant {}", desk.tenant)));
            }
            Topic::Chain(known)
        }
        Of::Object(object) => {
            let Some(answer) = gathered.object(*object)? else {
                return Err(missing(format!("object {object} was never seen in tenant {}", desk.tenant)));
            };
            let mut chains: BTreeSet<ChainId> = answer.chains.into_iter().collect();
            chains.extend(gathered.addressed(&Wanted::Object(*object))?);
            for name in answer.names.iter().filter_map(|name| name.spelling.parse::<Name>().ok()) {
                chains.extend(gathered.addressed(&Wanted::Name(name))?);
            }
            gathered.several(chains)?;
            // A name that someone else held too may have opened their mailbox; their chains are not this object's.
            gathered.chains.retain(|chain| chain.snapshots.iter().any(|row| concerns(row, *object)));
            Topic::Object(*object)
        }
        Of::Name(name) => {
            let holders = history::of_name(desk, name, KnownAt::Now)?.holders;
            let chains = gathered.addressed(&Wanted::Name(name.clone()))?;
            if holders.is_empty() && chains.is_empty() {
                return Err(missing(format!("{name} was never seen in tenant {}", desk.tenant)));
            }
            gathered.several(chains)?;
            for holder in holders {
                gathered.object(holder.object)?;
            }
            // Rows have the key of an erased name's pseudonym, and the reader has the name that was asked.
            Topic::Name(desk.ledger.known_name(desk.tenant, name)?)
        }
        Of::Tenant => Topic::Tenant(desk.tenant),
    };
    gathered.people()?;
    gathered.name_owners();
    let summary = matches!(of, Of::Tenant).then(|| summary(desk, &mut gathered.left_out)).transpose()?;
    let scope = Scope::of(desk, of, &gathered)?;
    let findings = findings(desk, &scope, &mut gathered.left_out)?;
    let plans = plans(desk, &gathered.chains)?;
    Ok(Report {
        subject,
        findings,
        plans,
        summary,
        blind: if matches!(of, Of::Tenant) { Vec::new() } else { blind(desk, now)? },
        basis: basis(desk, view.basis(now), alias),
        objects: gathered.objects.into_values().collect(),
        chains: gathered.chains,
        left_out: gathered.left_out,
    })
}

/// What a report covers, by which its findings are chosen.
struct Scope {
    is_tenant: bool,
    subjects: Vec<Subject>,
}

impl Scope {
    /// Chains, objects and names of what was gathered.
    fn of(desk: &Desk, of: &Of, gathered: &Gathered<'_>) -> Result<Self, LedgerError> {
        let chains = gathered.chains.iter().map(|chain| Subject::Chain(chain.chain.clone()));
        let objects = gathered.objects.keys().map(|object| Subject::Object(*object));
        let mut keys: BTreeSet<NameKey> = BTreeSet::new();
        if let Of::Name(name) = of {
            keys.insert(desk.ledger.known_name(desk.tenant, name)?.key().clone());
        }
        let names = gathered.objects.values().flat_map(|row| &row.names);
        keys.extend(names.filter_map(|row| Some(row.name.parse::<Name>().ok()?.key().clone())));
        Ok(Self {
            is_tenant: matches!(of, Of::Tenant),
            subjects: chains.chain(objects).chain(keys.into_iter().map(Subject::Name)).collect(),
        })
    }
}

/// The findings about what the report covers, worst first; for a tenant all but those that were withdrawn.
fn findings(desk: &Desk, scope: &Scope, left_out: &mut Vec<String>) -> Result<Vec<FindingRow>, LedgerError> {
    let mut found = Vec::new();
    if scope.is_tenant {
        let mut after = None;
        loop {
            let page = desk.ledger.findings(desk.tenant, after, 256)?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            found.extend(page.into_iter().filter(|finding| finding.state() != FindingState::Withdrawn));
        }
    } else {
        // A finding's id follows from its kind and subject, so nothing has to be searched.
        for subject in &scope.subjects {
            for kind in FindingKind::ALL {
                found.extend(desk.ledger.finding(desk.tenant, FindingId::of(kind, subject))?);
            }
        }
    }
    found.sort_by_key(|finding| (Reverse(finding.severity()), finding.state(), finding.kind, finding.id));
    if found.len() > FINDINGS_MAX {
        let more = found.len() - FINDINGS_MAX;
        left_out.push(format!("{more} more findings, none of them worse than those listed; see whowas findings."));
        found.truncate(FINDINGS_MAX);
    }
    let view = desk.ledger.view(desk.tenant, KnownAt::Now)?;
    let mut rows = Vec::with_capacity(found.len());
    for finding in &found {
        let summary = explain(desk, &view, finding)?.summary;
        rows.extend(finding_row(finding, summary));
    }
    Ok(rows)
}

fn finding_row(finding: &Finding, summary: String) -> Option<FindingRow> {
    let step = |step: &Step| StepRow {
        sequence: step.sequence,
        time: step.time,
        by: step.by.clone(),
        note: step.note.clone(),
    };
    Some(FindingRow {
        id: finding.id,
        kind: finding.kind,
        severity: finding.severity(),
        state: finding.state(),
        summary,
        subject: subject_words(&finding.subject),
        opened: step(finding.steps.first()?),
        changed: step(finding.steps.last()?),
    })
}

fn subject_words(subject: &Subject) -> String {
    match subject {
        Subject::Chain(chain) => format!("chain {chain}"),
        Subject::Name(name) => name.as_str().to_owned(),
        Subject::Object(object) => format!("object {object}"),
        Subject::Anchor(anchor) => format!("the {} {}", word_of(&anchor.kind).replace('_', " "), anchor.value),
        Subject::Run(run) => format!("sync run {run}"),
    }
}

/// The repair plans of the chains in the report that need one.
fn plans(desk: &Desk, chains: &[ChainRows]) -> Result<Vec<PlanRows>, LedgerError> {
    let mut plans = Vec::new();
    for chain in chains {
        plans.extend(plan::plan(desk, &chain.chain)?.filter(|plan| plan.needed).map(plan_rows));
    }
    Ok(plans)
}

fn plan_rows(answer: PlanAnswer) -> PlanRows {
    PlanRows {
        chain: answer.chain,
        segments: answer
            .segments
            .into_iter()
            .map(|segment| SegmentRow {
                object: segment.object,
                confidence: word_of(&segment.confidence),
                snapshots: segment.snapshots,
                act: word_of(&segment.deed),
                to_chain: segment.to_chain,
            })
            .collect(),
        next: answer
            .next
            .into_iter()
            .map(|next| NextRow {
                object: next.object,
                action: word_of(&next.action),
                chain: next.chain,
                base: next.base,
                safe_base: next.safe_base,
            })
            .collect(),
        reasons: answer.reasons,
    }
}

/// What has been gathered so far.
struct Gathered<'a> {
    desk: &'a Desk,
    chains: Vec<ChainRows>,
    objects: BTreeMap<ObjectId, ObjectRow>,
    snapshots: usize,
    left_out: Vec<String>,
}

impl<'a> Gathered<'a> {
    fn new(desk: &'a Desk) -> Self {
        Self { desk, chains: Vec::new(), objects: BTreeMap::new(), snapshots: 0, left_out: Vec::new() }
    }

    fn addressed(&self, wanted: &Wanted) -> Result<Vec<ChainId>, LedgerError> {
        let subject = match wanted {
            Wanted::Object(object) => crate::store::Subject::Object(*object),
            Wanted::Name(name) => crate::store::Subject::Name(name.key().clone()),
            Wanted::Chain(chain) => return Ok(vec![chain.clone()]),
        };
        self.desk.ledger.chains_addressed(self.desk.tenant, &subject)
    }

    fn several(&mut self, chains: impl IntoIterator<Item = ChainId>) -> Result<(), LedgerError> {
        for (index, chain) in chains.into_iter().enumerate() {
            if index == CHAINS_MAX {
                self.left_out.push(format!("Only the first {CHAINS_MAX} chains are in this report."));
                break;
            }
            self.chain(&chain)?;
        }
        Ok(())
    }

    fn chain(&mut self, chain: &ChainId) -> Result<(), LedgerError> {
        let left = SNAPSHOTS_MAX.saturating_sub(self.snapshots);
        let found = snapshot::list(self.desk, &Wanted::Chain(chain.clone()), None, left.saturating_add(1))?;
        let mut rows: Vec<SnapshotRow> = found.items.into_iter().map(row_of).collect();
        if rows.len() > left {
            rows.truncate(left);
            self.left_out.push(format!(
                "Chain {chain} has more snapshots than the {SNAPSHOTS_MAX} that one report holds; see whowas snapshot list."
            ));
        }
        self.snapshots += rows.len();
        if !rows.is_empty() {
            self.chains.push(ChainRows { chain: chain.clone(), snapshots: rows });
        }
        Ok(())
    }

    fn object(&mut self, object: ObjectId) -> Result<Option<ObjectAnswer>, LedgerError> {
        if self.objects.len() == OBJECTS_MAX && !self.objects.contains_key(&object) {
            let line = format!("Only the first {OBJECTS_MAX} objects are in this report.");
            if !self.left_out.contains(&line) {
                self.left_out.push(line);
            }
            return Ok(None);
        }
        let Some(answer) = history::of_object(self.desk, object, KnownAt::Now)? else { return Ok(None) };
        self.objects.entry(object).or_insert_with(|| object_row(&answer));
        Ok(Some(answer))
    }

    /// Everyone whom the snapshots name, and everyone who held a name that opened one.
    fn people(&mut self) -> Result<(), LedgerError> {
        let mut objects: BTreeSet<ObjectId> = BTreeSet::new();
        let mut names: BTreeMap<String, Name> = BTreeMap::new();
        for row in self.chains.iter().flat_map(|chain| &chain.snapshots) {
            objects.extend(row.owner);
            objects.extend(&row.candidates);
            objects.extend(row.receipt.iter().flat_map(|receipt| [Some(receipt.object), receipt.object_end]).flatten());
            match &row.addressed {
                AddressedRow::Object { object } => drop(objects.insert(*object)),
                AddressedRow::Name { name, .. } => {
                    if let Ok(name) = name.parse::<Name>() {
                        names.entry(name.key().as_str().to_owned()).or_insert(name);
                    }
                }
            }
        }
        for name in names.values() {
            let holders = history::of_name(self.desk, name, KnownAt::Now)?.holders;
            objects.extend(holders.iter().map(|holder| holder.object));
        }
        for object in objects {
            if !self.objects.contains_key(&object) {
                self.object(object)?;
            }
        }
        let mut contested: BTreeSet<(ObjectId, String)> = BTreeSet::new();
        let held: BTreeSet<&str> =
            self.objects.values().flat_map(|row| row.names.iter().map(|name| name.name.as_str())).collect();
        for name in held.into_iter().filter_map(|key| key.parse::<Name>().ok()) {
            let holders = history::of_name(self.desk, &name, KnownAt::Now)?.holders.into_iter();
            let key = name.key().as_str();
            contested.extend(holders.filter(|part| part.contested).map(|part| (part.object, key.to_owned())));
        }
        for (object, key) in contested {
            let rows = self.objects.get_mut(&object).into_iter().flat_map(|row| &mut row.names);
            rows.filter(|row| row.name == key).for_each(|row| row.contested = true);
        }
        Ok(())
    }

    /// What each snapshot's owner was called when it was taken, and which of its mailboxes were read.
    fn name_owners(&mut self) {
        for row in self.chains.iter_mut().flat_map(|chain| &mut chain.snapshots) {
            let Some(owner) = row.owner.and_then(|owner| self.objects.get_mut(&owner)) else { continue };
            row.owner_name = upn_at(owner, row.from);
            owner.mailboxes.extend(mailboxes_of(row, owner.object));
            owner.mailboxes.sort();
            owner.mailboxes.dedup();
        }
    }
}

/// The mailbox instances of its owner that a snapshot tells, as the owner's history has them.
fn mailboxes_of(row: &SnapshotRow, owner: ObjectId) -> impl Iterator<Item = MailboxId> + use<> {
    let is_opened = match row.addressed {
        AddressedRow::Object { object } => object == owner,
        AddressedRow::Name { .. } => row.receipt.is_none(),
    };
    let receipt = row.receipt.as_ref();
    let begun = receipt.filter(|receipt| receipt.object == owner).and_then(|receipt| receipt.mailbox);
    let ended = receipt.filter(|receipt| receipt.object_end == Some(owner)).and_then(|receipt| receipt.mailbox_end);
    [row.mailbox.filter(|_| is_opened), begun, ended].into_iter().flatten()
}

/// The user principal name at an instant, if the evidence allows a single one: of two the one may have been somebody else's by then.
fn upn_at(row: &ObjectRow, at: Instant) -> Option<String> {
    let upns = row.names.iter().filter(|name| name.kind == Role::Upn);
    let mut held = upns
        .filter(|name| name.from.after().is_none_or(|after| after < at))
        .filter(|name| name.until.and_then(|until| until.by()).is_none_or(|by| at < by));
    let first = held.next()?;
    held.all(|other| other.name == first.name).then(|| first.spelling.clone())
}

fn concerns(row: &SnapshotRow, object: ObjectId) -> bool {
    let receipt = row.receipt.as_ref();
    row.owner == Some(object)
        || row.candidates.contains(&object)
        || matches!(row.addressed, AddressedRow::Object { object: addressed } if addressed == object)
        || receipt.is_some_and(|receipt| receipt.object == object || receipt.object_end == Some(object))
}

fn row_of(answer: SnapshotAnswer) -> SnapshotRow {
    SnapshotRow {
        snapshot: answer.snapshot,
        from: answer.from,
        until: answer.until,
        addressed: match answer.addressed {
            AddressedPart::Name { name, kind } => {
                AddressedRow::Name { name: name.spelling().to_owned(), key: name.key().to_string(), kind }
            }
            AddressedPart::Object { object } => AddressedRow::Object { object },
        },
        mailbox: answer.mailbox,
        owner: answer.attribution.owner,
        confidence: answer.attribution.confidence,
        settled: answer.attribution.settled,
        candidates: answer.attribution.candidates.iter().map(|candidate| candidate.object).collect(),
        owner_name: None,
        receipt: answer.receipt.map(|receipt| ReceiptRow {
            object: receipt.object,
            mailbox: receipt.mailbox,
            object_end: receipt.object_end,
            mailbox_end: receipt.mailbox_end,
        }),
        expired: answer.expired,
    }
}

fn object_row(answer: &ObjectAnswer) -> ObjectRow {
    let now = &answer.now;
    let last = answer.names.iter().max_by_key(|name| (name.until.is_none(), name.from.by()));
    let label = now.upn.as_ref().or(now.mail.as_ref()).map(|name| name.spelling().to_owned());
    ObjectRow {
        object: answer.object,
        label: label.or_else(|| last.map(|name| name.spelling.clone())),
        state: answer.state,
        created: answer.created,
        names: answer.names.iter().map(name_row).collect(),
        states: answer
            .states
            .iter()
            .map(|part| StateRow { state: part.state, from: part.from, until: part.until })
            .collect(),
        mailboxes: answer.mailboxes.clone(),
        chains: answer.chains.clone(),
    }
}

fn name_row(part: &NamePart) -> NameRow {
    NameRow {
        kind: part.kind,
        name: part.name.clone(),
        spelling: part.spelling.clone(),
        from: part.from,
        until: part.until,
        contested: false,
        evidence: part.evidence.iter().map(evidence_row).collect(),
    }
}

fn evidence_row(part: &EvidencePart) -> EvidenceRow {
    EvidenceRow { source: part.source, at: part.at, sequence: part.sequence, reference: part.reference.clone() }
}

/// The times that no horizon covers: before the first sync, between syncs that do not join, after the last horizon.
pub fn blind(desk: &Desk, now: Instant) -> Result<Vec<BlindRow>, LedgerError> {
    let head = desk.ledger.head(desk.tenant)?;
    let facts = desk.ledger.store().tenant_facts(desk.tenant, head.sequence)?;
    let reasons: Vec<_> = facts
        .iter()
        .filter_map(|known| if let Fact::Blind(blind) = &known.fact { Some(blind) } else { None })
        .collect();
    let coverage = &head.state.coverage;
    let stretches = coverage.stretches(crate::domain::fact::Feed::Delta);
    let mut rows = Vec::new();
    match stretches.first() {
        None => rows.push(BlindRow { from: None, until: None, why: "the directory was never synced".to_owned() }),
        Some(first) => {
            let why = "before the first sync".to_owned();
            rows.push(BlindRow { from: None, until: Some(first.from), why });
        }
    }
    for (from, until) in coverage.gaps() {
        let why = reasons.iter().find(|blind| blind.from < until && from < blind.until);
        let why = why.map_or_else(|| "no sync reached over this time".to_owned(), |blind| blind.why.clone());
        rows.push(BlindRow { from: Some(from), until: Some(until), why });
    }
    if let Some(horizon) = coverage.horizon().filter(|horizon| *horizon < now) {
        let why = "after the last sync's horizon".to_owned();
        rows.push(BlindRow { from: Some(horizon), until: None, why });
    }
    Ok(rows)
}

fn summary(desk: &Desk, left_out: &mut Vec<String>) -> Result<SummaryRows, LedgerError> {
    let head = desk.ledger.head(desk.tenant)?;
    let counts = head.state.counts;
    let counts = CountRows {
        active: counts.active,
        soft_deleted: counts.soft_deleted,
        purged: counts.purged,
        snapshots: counts.snapshots,
    };
    let runs = desk.ledger.store().runs(desk.tenant, SYNCS_MAX)?;
    Ok(SummaryRows {
        counts: (!desk.ledger.is_past()).then_some(counts),
        horizon: head.state.coverage.horizon(),
        names: notable(desk, left_out)?,
        syncs: runs
            .into_iter()
            .map(|run| SyncRow {
                run: run.run,
                kind: word_of(&run.kind),
                started: run.started,
                ended: run.ended,
                outcome: word_of(&run.outcome),
                error: run.error,
            })
            .collect(),
    })
}

/// The names that passed from hand to hand, or were released lately: those that the list of them has.
fn notable(desk: &Desk, left_out: &mut Vec<String>) -> Result<Vec<NotableRow>, LedgerError> {
    let mut items = reuse::reuse(desk, None, NAMES_MAX + 1)?.items;
    if items.len() > NAMES_MAX {
        left_out.push(format!("Only the first {NAMES_MAX} names that passed from hand to hand are in this report."));
        items.truncate(NAMES_MAX);
    }
    let row = |item: ReusePart| {
        let mut holders: Vec<ObjectId> = Vec::new();
        for object in item.holders.iter().map(|holder| holder.person.object) {
            if !holders.contains(&object) {
                holders.push(object);
            }
        }
        NotableRow { name: item.name, holders, hot: item.hot }
    };
    Ok(items.into_iter().map(row).collect())
}

fn basis(desk: &Desk, basis: Basis, alias: Option<String>) -> BasisRow {
    let settling = desk.policy.settling;
    BasisRow {
        tenant: desk.tenant,
        alias,
        sequence: basis.sequence,
        hash: word_of(&basis.hash),
        clock: basis.clock,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        propagation_s: settling.propagation.as_secs(),
        audit_lag_s: settling.audit_lag.map(|lag| lag.as_secs()),
    }
}

fn missing(why: String) -> NoReport {
    NoReport::Missing(why)
}
