//! What is behind a finding, as the ledger knows it now: who, which snapshots, and one sentence that a stranger
//! understands. A finding's record keeps none of it, so nothing of it can go stale.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::Desk;
use super::people::{People, PersonPart};
use crate::domain::attribution::{Told, held_against};
use crate::domain::fact::{Addressed, Fact};
use crate::domain::finding::{Finding, FindingKind, Subject};
use crate::domain::holder::{Claim, HolderConfidence, NameView};
use crate::domain::id::{ChainId, MailboxId, ObjectId, SnapshotId};
use crate::domain::link::{Anchor, AnchorKind};
use crate::domain::name::NameKey;
use crate::domain::time::Instant;
use crate::domain::verdict::Ask;
use crate::ledger::{KnownAt, LedgerError, SnapshotView, View};

/// How many of a chain's snapshots are looked at for its findings. A backup every hour for two years is less.
const LOOKED_AT_MAX: usize = 20_000;
/// How many snapshots a finding lists; how many there are is said beside.
const LISTED_MAX: usize = 1_000;
/// How many snapshots are read at a time.
const PAGE: usize = 250;
/// How many runs back a run is looked for.
const RUNS_MAX: usize = 1_000;

/// What is behind a finding.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Explained {
    /// The objects involved.
    pub people: Vec<PersonPart>,
    /// All of their ids, also of those never seen.
    pub objects: BTreeSet<ObjectId>,
    /// The snapshots it is about.
    pub snapshots: Vec<SnapshotId>,
    /// One sentence.
    pub summary: String,
    /// What shows it.
    pub evidence: Map<String, Value>,
}

/// Explains a finding.
pub fn explain(desk: &Desk, view: &View<'_>, finding: &Finding) -> Result<Explained, LedgerError> {
    let mut work = Work { desk, view, people: People::new(view), out: Explained::default() };
    work.out.summary = match &finding.subject {
        Subject::Chain(chain) => work.of_chain(finding.kind, chain)?,
        Subject::Name(name) => work.of_name(finding.kind, name)?,
        Subject::Object(object) => work.of_object(*object)?,
        Subject::Anchor(anchor) => work.of_anchor(anchor)?,
        Subject::Run(run) => work.of_run(finding.kind, *run, finding.weight)?,
    };
    let Work { mut people, mut out, .. } = work;
    out.people = people.all(out.objects.iter().copied())?;
    Ok(out)
}

/// What a chain holds.
struct Chained {
    /// The kept snapshots.
    found: Vec<SnapshotView>,
    /// The owner of the first certain snapshot, whether that is kept or not: so `plan` and `check` have it too.
    owner: Option<ObjectId>,
    /// Nothing was left out.
    is_all: bool,
}

/// A snapshot that was not read from what it was to be read from, or not from one mailbox.
struct Misread {
    snapshot: SnapshotId,
    wanted: Option<ObjectId>,
    read: BTreeSet<ObjectId>,
    mailboxes: BTreeSet<MailboxId>,
}

impl Misread {
    /// Whether the agent read somebody else.
    fn is_of_others(&self) -> bool {
        self.read.iter().any(|object| Some(*object) != self.wanted)
    }

    fn part(&self) -> Value {
        let Self { snapshot, wanted, read, mailboxes } = self;
        json!({"snapshot": snapshot, "wanted": wanted, "read": read, "mailboxes": mailboxes})
    }
}

struct Work<'w, 'a> {
    desk: &'w Desk,
    view: &'w View<'a>,
    people: People<'w, 'a>,
    out: Explained,
}

impl Work<'_, '_> {
    /// Someone in the words of a sentence.
    fn call(&mut self, object: ObjectId) -> Result<String, LedgerError> {
        self.out.objects.insert(object);
        Ok(match self.people.person(object)?.and_then(|person| person.called) {
            Some(called) => format!("{called} (object {object})"),
            None => format!("object {object}"),
        })
    }

    fn calls(&mut self, objects: impl IntoIterator<Item = ObjectId>) -> Result<String, LedgerError> {
        let called = objects.into_iter().map(|object| self.call(object)).collect::<Result<Vec<String>, _>>()?;
        Ok(listed(&called))
    }

    fn of_chain(&mut self, kind: FindingKind, chain: &ChainId) -> Result<String, LedgerError> {
        let Chained { found, owner, is_all } = self.snapshots(chain)?;
        let (offending, sentence) = match kind {
            FindingKind::MixedChain => self.mixed(chain, owner, &found)?,
            FindingKind::MailboxChanged => self.mailbox_changed(chain, owner, &found)?,
            FindingKind::ReceiptMismatch => self.receipt_mismatch(chain, owner, &found)?,
            FindingKind::NobodyHeldName => {
                let offending = ids(found.iter().filter(|view| confidence(view) == HolderConfidence::Nobody));
                let sentence =
                    format!("chain {chain} has {} under a name that nobody is known to have held", count(&offending));
                (offending, sentence)
            }
            _ => self.unattributable(chain, owner, &found)?,
        };
        self.note("snapshots", json!(offending.len()));
        self.out.snapshots = offending.into_iter().take(LISTED_MAX).collect();
        Ok(if is_all {
            sentence
        } else {
            format!("{sentence}; only its first {LOOKED_AT_MAX} snapshots were looked at")
        })
    }

    /// A chain's kept snapshots, and whose it is. How many were looked at is noted as evidence.
    fn snapshots(&mut self, chain: &ChainId) -> Result<Chained, LedgerError> {
        let (ledger, tenant) = (&self.desk.ledger, self.desk.tenant);
        let mut found: Vec<SnapshotView> = Vec::new();
        let mut owner = None;
        let mut looked_at = 0;
        let mut after = None;
        let is_all = loop {
            let page = ledger.snapshots(tenant, chain, after.as_ref(), PAGE, self.desk.policy.settling)?;
            let Some(last) = page.last() else { break true };
            if looked_at >= LOOKED_AT_MAX {
                break false;
            }
            after = Some((last.record.snapshot.from, last.record.snapshot.id.clone()));
            looked_at += page.len();
            owner = owner.or_else(|| page.iter().find(|view| is_certain(view))?.attribution.owner);
            found.extend(page.into_iter().filter(|view| view.record.expired.is_none()));
        };
        self.note("looked_at", json!(looked_at));
        self.note("all_looked_at", json!(is_all));
        Ok(Chained { found, owner, is_all })
    }

    fn mixed(
        &mut self,
        chain: &ChainId,
        owner: Option<ObjectId>,
        found: &[SnapshotView],
    ) -> Result<(Vec<SnapshotId>, String), LedgerError> {
        let mut holds: BTreeMap<ObjectId, Vec<SnapshotId>> = BTreeMap::new();
        for view in found.iter().filter(|view| is_certain(view)) {
            let Some(object) = view.attribution.owner else { continue };
            holds.entry(object).or_default().push(view.record.snapshot.id.clone());
        }
        let parts = holds.iter().map(|(object, snapshots)| {
            json!({"object": object, "snapshots": snapshots.len(), "first": snapshots.first(), "last": snapshots.last()})
        });
        self.note("owner", json!(owner));
        self.note("holds", parts.collect());
        let foreign = || holds.iter().filter(|(object, _)| Some(**object) != owner);
        let offending: Vec<SnapshotId> =
            ids(found.iter().filter(|view| is_certain(view) && view.attribution.owner != owner));
        let others = self.calls(foreign().map(|(object, _)| *object).collect::<Vec<_>>())?;
        let whose = match owner {
            Some(owner) => format!("chain {chain} is the backup of {}", self.call(owner)?),
            None => format!("chain {chain} has no certain owner"),
        };
        let such = offending.first().map_or_else(String::new, |first| format!(", such as {first},"));
        let hold = if offending.len() == 1 { "holds" } else { "hold" };
        Ok((offending.clone(), format!("{whose}, but {}{such} {hold} the data of {others}", count(&offending))))
    }

    fn mailbox_changed(
        &mut self,
        chain: &ChainId,
        owner: Option<ObjectId>,
        found: &[SnapshotView],
    ) -> Result<(Vec<SnapshotId>, String), LedgerError> {
        let told: Vec<(SnapshotId, MailboxId)> =
            found.iter().filter_map(|view| Some((view.record.snapshot.id.clone(), view.record.mailbox()?))).collect();
        let first = told.first().map(|(_, mailbox)| *mailbox);
        let offending: Vec<SnapshotId> =
            told.iter().filter(|(_, mailbox)| Some(*mailbox) != first).map(|(id, _)| id.clone()).collect();
        let mailboxes: BTreeSet<MailboxId> = told.iter().map(|(_, mailbox)| *mailbox).collect();
        self.note("mailboxes", json!(mailboxes));
        let whose = match owner {
            Some(owner) => format!("chain {chain} of {}", self.call(owner)?),
            None => format!("chain {chain}"),
        };
        let since =
            offending.first().map_or_else(String::new, |first| format!(": from snapshot {first} on another one"));
        Ok((offending, format!("{whose} holds {} different mailboxes{since}", mailboxes.len())))
    }

    fn receipt_mismatch(
        &mut self,
        chain: &ChainId,
        owner: Option<ObjectId>,
        found: &[SnapshotView],
    ) -> Result<(Vec<SnapshotId>, String), LedgerError> {
        let mut misread: Vec<Misread> = Vec::new();
        for view in found {
            // What was to be read: the object addressed, else the chain's owner.
            let wanted = match &view.record.snapshot.addressed {
                Addressed::Object(object) => Some(*object),
                Addressed::Name(..) => owner,
            };
            let receipts = view.record.receipts.iter().map(|(_, receipt)| receipt);
            let Told { objects: read, mailboxes } = Told::of(&view.record.snapshot, receipts);
            let found = Misread { snapshot: view.record.snapshot.id.clone(), wanted, read, mailboxes };
            if found.is_of_others() || found.mailboxes.len() > 1 {
                misread.push(found);
            }
        }
        for found in &misread {
            self.out.objects.extend(found.read.iter().copied().chain(found.wanted));
        }
        self.note("receipts", misread.iter().map(Misread::part).collect());
        let offending: Vec<SnapshotId> = misread.iter().map(|found| found.snapshot.clone()).collect();
        // Another person is worse than another mailbox.
        let worst = misread.iter().find(|found| found.is_of_others()).or(misread.first());
        let Some(worst) = worst else {
            return Ok((offending, format!("what an agent read for chain {chain} was not what it was to read")));
        };
        let id = &worst.snapshot;
        let what = match worst.wanted {
            Some(wanted) => format!("snapshot {id} of chain {chain} was to hold the data of {}", self.call(wanted)?),
            None => format!("snapshot {id} of chain {chain} was to hold one person's data"),
        };
        let more = match offending.len() - 1 {
            0 => String::new(),
            more => format!(", and so it is with {more} more"),
        };
        let read = match worst.is_of_others() {
            true => format!("the agent's receipt says that it read {}", self.calls(worst.read.iter().copied())?),
            false => {
                let mailboxes: Vec<String> = worst.mailboxes.iter().map(ToString::to_string).collect();
                format!("it is told to be of {} mailboxes, {}", mailboxes.len(), listed(&mailboxes))
            }
        };
        Ok((offending, format!("{what}, but {read}{more}")))
    }

    fn unattributable(
        &mut self,
        chain: &ChainId,
        bound: Option<ObjectId>,
        found: &[SnapshotView],
    ) -> Result<(Vec<SnapshotId>, String), LedgerError> {
        let doubtful =
            |view: &&SnapshotView| matches!(confidence(view), HolderConfidence::Ambiguous | HolderConfidence::Unknown);
        let candidates: BTreeSet<ObjectId> = found
            .iter()
            .filter(doubtful)
            .flat_map(|view| view.attribution.candidates.iter().map(|candidate| candidate.object))
            .collect();
        let assumed = || found.iter().filter(|view| confidence(view) == HolderConfidence::Assumed);
        let likely: BTreeSet<ObjectId> = assumed().filter_map(|view| view.attribution.owner).collect();
        self.note("candidates", json!(candidates));
        self.note("assumed_owners", json!(likely));
        // An assumed owner is held against whom the finding holds it against.
        let certain = found.iter().filter(|view| is_certain(view)).filter_map(|view| view.attribution.owner);
        let against = held_against(bound, &certain.collect());
        let differs = against.is_some() || likely.len() > 1;
        let others: Vec<&SnapshotView> =
            assumed().filter(|view| differs && view.attribution.settled && view.attribution.owner != against).collect();
        let unknown = ids(found.iter().filter(doubtful));
        let mut parts = Vec::new();
        if !unknown.is_empty() {
            let maybe = if candidates.is_empty() {
                "nobody is known to have had the name".to_owned()
            } else {
                format!("it may be {}", self.calls(candidates)?.replace(" and ", " or "))
            };
            let such = unknown.first().map_or_else(String::new, |first| format!(", such as {first},"));
            let hold = if unknown.len() == 1 { "holds" } else { "hold" };
            parts
                .push(format!("nobody can tell whose data {}{such} of chain {chain} {hold}: {maybe}", count(&unknown)));
        }
        if !others.is_empty() {
            let owners =
                self.calls(others.iter().filter_map(|view| view.attribution.owner).collect::<BTreeSet<_>>())?;
            let others = ids(others.iter().copied());
            let (hold, seem) = if others.len() == 1 { ("holds", "it seems") } else { ("hold", "they seem") };
            parts.push(format!(
                "nothing proves whose data {} of chain {chain} {hold}, and {seem} to be of {owners}",
                count(&others)
            ));
        }
        let mut offending = unknown;
        offending.extend(ids(others.iter().copied()));
        let sentence = match (parts.is_empty(), assumed().count()) {
            (false, _) => parts.join("; "),
            (true, 0) => format!("by now it is known whose data each snapshot of chain {chain} holds"),
            (true, _) => format!("by now nothing speaks for another owner of a snapshot of chain {chain}"),
        };
        Ok((offending, sentence))
    }

    fn of_name(&mut self, kind: FindingKind, key: &NameKey) -> Result<String, LedgerError> {
        let claims = self.view.claims(key, &mut BTreeMap::new())?;
        let mut holders = Vec::new();
        for claim in claims.claims() {
            holders.extend(claim.track.periods().into_iter().map(|period| {
                (
                    period.from.by(),
                    claim.object,
                    claim.namespace,
                    json!({
                        "object": claim.object, "kind": claim.namespace, "from": period.from, "until": period.until,
                    }),
                )
            }));
        }
        holders.sort_by_key(|(by, object, namespace, _)| (*by, *namespace, *object));
        self.note("holders", holders.iter().map(|(.., part)| part.clone()).collect());
        let spelling = claims.claims().first().map_or_else(|| key.as_str().to_owned(), |claim| claim.spelling.clone());
        let mut in_order: Vec<ObjectId> = Vec::new();
        for (_, object, ..) in &holders {
            if !in_order.contains(object) {
                in_order.push(*object);
            }
        }
        match kind {
            FindingKind::AddressCollision => self.collision(&claims, &spelling),
            FindingKind::NobodyHeldName => {
                Ok(format!("a snapshot was taken by the name {spelling} while nobody is known to have held it"))
            }
            _ => self.passed(&claims, &spelling),
        }
    }

    /// Who had the name as a user principal name while it was another's address; of those who still do so only these.
    fn collision(&mut self, claims: &NameView, spelling: &str) -> Result<String, LedgerError> {
        let mut pairs = claims.collisions();
        let still = |(upn, smtp): &(&Claim, &Claim)| holds_still(upn) && holds_still(smtp);
        let is = if pairs.iter().any(still) { "is" } else { "was" };
        pairs.retain(|pair| is == "was" || still(pair));
        if pairs.is_empty() {
            return Ok(format!("{spelling} is not known to have been one's user principal name and another's address"));
        }
        let upn: BTreeSet<ObjectId> = pairs.iter().map(|(upn, _)| upn.object).collect();
        let smtp: BTreeSet<ObjectId> = pairs.iter().map(|(_, smtp)| smtp.object).collect();
        let (upn, smtp) = (self.calls(upn)?, self.calls(smtp)?);
        Ok(format!("{spelling} {is} the user principal name of {upn} and an address of {smtp}"))
    }

    /// From whom to whom a name passed. It passes within a namespace: whoever keeps as an alias what was the user principal name
    /// is not the one to whom that passed.
    fn passed(&mut self, claims: &NameView, spelling: &str) -> Result<String, LedgerError> {
        let namespaces = claims.passed_in();
        let is_passed = |claim: &&Claim| namespaces.is_empty() || namespaces.contains(&claim.namespace);
        let mut begun: Vec<(Option<Instant>, ObjectId, bool)> = Vec::new();
        for claim in claims.claims().iter().filter(is_passed) {
            let periods = claim.track.periods().into_iter();
            begun.extend(periods.map(|period| (period.from.by(), claim.object, period.until.is_none())));
        }
        begun.sort();
        let (mut before, mut now): (Vec<ObjectId>, Vec<ObjectId>) = (Vec::new(), Vec::new());
        for (_, object, is_still) in &begun {
            let part = if *is_still { &mut now } else { &mut before };
            if !part.contains(object) {
                part.push(*object);
            }
        }
        before.retain(|object| !now.contains(object));
        let elsewhere: BTreeSet<ObjectId> =
            claims.claims().iter().filter(|claim| holds_still(claim)).map(|claim| claim.object).collect();
        Ok(match (before.is_empty(), now.is_empty()) {
            (false, false) => format!("{spelling} passed from {} to {}", self.calls(before)?, self.calls(now)?),
            (true, _) => format!("{spelling} passed between {}", self.calls(now)?),
            (false, true) if elsewhere.is_empty() => {
                format!("{spelling} was held by {} and is free now", self.calls(before)?)
            }
            (false, true) => {
                format!("{spelling} passed between {}; now {} has it", self.calls(before)?, self.calls(elsewhere)?)
            }
        })
    }

    fn of_object(&mut self, object: ObjectId) -> Result<String, LedgerError> {
        let chains = self.desk.ledger.owned_chains(self.desk.tenant, object)?;
        // The verdict names the chain in which a backup of this object goes on.
        let ask = Ask { object: Some(object), ..Ask::default() };
        let (tenant, policy, now) = (self.desk.tenant, &self.desk.policy, self.desk.clock.now());
        let goes_on = self.desk.ledger.check(tenant, &ask, policy, now, KnownAt::Now, None)?.verdict.chain;
        self.note("chains", json!(chains));
        self.note("goes_on_in", json!(goes_on));
        let names: Vec<String> = chains.iter().map(ToString::to_string).collect();
        let goes_on = goes_on.map_or_else(String::new, |chain| format!("; backups go on in {chain}"));
        Ok(format!("the data of {} is in {} chains: {}{goes_on}", self.call(object)?, chains.len(), listed(&names)))
    }

    fn of_anchor(&mut self, anchor: &Anchor) -> Result<String, LedgerError> {
        let objects = self.desk.ledger.anchored(self.desk.tenant, anchor)?;
        self.note("anchor", json!({"kind": anchor.kind, "value": anchor.value}));
        let what = anchor_words(anchor.kind);
        Ok(format!("{} have the same {what}, so they may be the same person", self.calls(objects)?))
    }

    fn of_run(&mut self, kind: FindingKind, run: u64, weight: u64) -> Result<String, LedgerError> {
        let runs = self.view.store().runs(self.desk.tenant, RUNS_MAX)?;
        let found = runs.into_iter().find(|candidate| candidate.run == run);
        let when = found.as_ref().map_or_else(String::new, |run| format!(" of {}", run.started));
        self.note("run", json!(found));
        if kind == FindingKind::MassChange {
            // What is held is told as of the view; the finding's weight is today's.
            let hold = self.view.holds()?.into_iter().find(|hold| hold.standstill.run == run);
            return Ok(match hold.map(|hold| hold.impact.total().max(1)) {
                None => format!("a guard held sync run {run}{when}, and does not any more"),
                Some(1) => format!("a guard holds sync run {run}{when}: it would bring 1 change at once"),
                Some(much) => format!("a guard holds sync run {run}{when}: it would bring {much} changes at once"),
            });
        }
        let facts = self.view.store().tenant_facts(self.desk.tenant, self.view.through())?;
        let changes = facts.iter().filter_map(|known| match &known.fact {
            Fact::DomainChanged(change) if change.run == run => Some(change),
            _ => None,
        });
        let mut parts = Vec::new();
        let mut said = Vec::new();
        for change in changes {
            let (from, to) = (&change.map.from, &change.map.to);
            let (renamed, exceptions, stragglers) = (change.renamed, change.exceptions, change.stragglers);
            said.push(format!(
                "{renamed} users moved from {from} to {to}, {exceptions} of them under another name before the @, and \
                 {stragglers} stayed"
            ));
            parts.push(json!({
                "from": from, "to": to, "renamed": renamed, "exceptions": exceptions, "stragglers": stragglers,
            }));
        }
        self.note("changes", Value::Array(parts));
        let said = if said.is_empty() { format!("{weight} users changed their domain") } else { said.join("; ") };
        Ok(format!("{said} (sync run {run}{when})"))
    }

    fn note(&mut self, key: &str, value: Value) {
        self.out.evidence.insert(key.to_owned(), value);
    }
}

/// What an anchor is called.
pub fn anchor_words(kind: AnchorKind) -> &'static str {
    match kind {
        AnchorKind::Mailbox => "mailbox GUID",
        AnchorKind::ImmutableId => "on-premises immutable id",
        AnchorKind::EmployeeId => "employee id",
    }
}

/// Whether the hold goes on, as far as known.
fn holds_still(claim: &Claim) -> bool {
    claim.track.is_present_last()
}

fn confidence(view: &SnapshotView) -> HolderConfidence {
    view.attribution.confidence
}

fn is_certain(view: &SnapshotView) -> bool {
    confidence(view) == HolderConfidence::Certain
}

fn ids<'v>(views: impl Iterator<Item = &'v SnapshotView>) -> Vec<SnapshotId> {
    views.map(|view| view.record.snapshot.id.clone()).collect()
}

fn count(snapshots: &[SnapshotId]) -> String {
    match snapshots.len() {
        1 => "1 snapshot".to_owned(),
        count => format!("{count} snapshots"),
    }
}

/// `a`, `a and b`, `a, b and c`; beyond five the rest is counted.
fn listed(parts: &[String]) -> String {
    match parts {
        [] => "nobody".to_owned(),
        [one] => one.clone(),
        [head @ .., last] if parts.len() <= 5 => format!("{} and {last}", head.join(", ")),
        _ => format!("{} and {} more", parts.iter().take(4).cloned().collect::<Vec<_>>().join(", "), parts.len() - 4),
    }
}
