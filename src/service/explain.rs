//! What is behind a finding, as the ledger knows it now: who, which snapshots, and one sentence that a stranger
//! understands. A finding's record keeps none of it, so nothing of it can go stale.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::Desk;
use super::people::{People, PersonPart};
use crate::domain::fact::{Addressed, Fact};
use crate::domain::finding::{Finding, FindingKind, Subject};
use crate::domain::holder::HolderConfidence;
use crate::domain::id::{ChainId, MailboxId, ObjectId, SnapshotId};
use crate::domain::link::{Anchor, AnchorKind};
use crate::domain::name::{NameKey, NameKind, Namespace};
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
            _ => self.unattributable(chain, &found)?,
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
        let mut parts = Vec::new();
        let mut offending = Vec::new();
        let mut first = None;
        for view in found {
            // What was to be read: the object addressed, else the chain's owner.
            let wanted = match &view.record.snapshot.addressed {
                Addressed::Object(object) => Some(*object),
                Addressed::Name(..) => owner,
            };
            let receipts = view.record.receipts.iter().map(|(_, receipt)| receipt);
            let read: BTreeSet<ObjectId> =
                receipts.flat_map(|receipt| [Some(receipt.object), receipt.object_end]).flatten().collect();
            if read.iter().all(|object| Some(*object) == wanted) {
                continue;
            }
            let id = view.record.snapshot.id.clone();
            parts.push(json!({"snapshot": id, "wanted": wanted, "read": read}));
            self.out.objects.extend(read.iter().copied().chain(wanted));
            first.get_or_insert((id.clone(), wanted, read));
            offending.push(id);
        }
        self.note("receipts", Value::Array(parts));
        let Some((id, wanted, read)) = first else {
            return Ok((offending, format!("what an agent read for chain {chain} was not what it was to read")));
        };
        let what = match wanted {
            Some(wanted) => format!("snapshot {id} of chain {chain} was to hold the data of {}", self.call(wanted)?),
            None => format!("snapshot {id} of chain {chain} was to hold one person's data"),
        };
        let more = match offending.len() - 1 {
            0 => String::new(),
            more => format!(", and so it is with {more} more"),
        };
        Ok((offending, format!("{what}, but the agent's receipt says that it read {}{more}", self.calls(read)?)))
    }

    fn unattributable(
        &mut self,
        chain: &ChainId,
        found: &[SnapshotView],
    ) -> Result<(Vec<SnapshotId>, String), LedgerError> {
        let doubtful =
            |view: &&SnapshotView| matches!(confidence(view), HolderConfidence::Ambiguous | HolderConfidence::Unknown);
        let mut offending = ids(found.iter().filter(doubtful));
        let candidates: BTreeSet<ObjectId> = found
            .iter()
            .filter(doubtful)
            .flat_map(|view| view.attribution.candidates.iter().map(|candidate| candidate.object))
            .collect();
        let assumed: BTreeSet<ObjectId> = found
            .iter()
            .filter(|view| confidence(view) == HolderConfidence::Assumed)
            .filter_map(|view| view.attribution.owner)
            .collect();
        self.note("candidates", json!(candidates));
        self.note("assumed_owners", json!(assumed));
        if offending.is_empty() {
            offending = ids(found.iter().filter(|view| confidence(view) == HolderConfidence::Assumed));
            if offending.is_empty() {
                return Ok((offending, format!("by now it is known whose data each snapshot of chain {chain} holds")));
            }
            let owners = self.calls(assumed)?;
            let sentence = format!(
                "nothing proves whose data {} of chain {chain} {}, and they seem to be of {owners}",
                count(&offending),
                if offending.len() == 1 { "holds" } else { "hold" },
            );
            return Ok((offending, sentence));
        }
        let maybe = if candidates.is_empty() {
            "nobody is known to have had the name".to_owned()
        } else {
            format!("it may be {}", self.calls(candidates)?.replace(" and ", " or "))
        };
        let such = offending.first().map_or_else(String::new, |first| format!(", such as {first},"));
        let hold = if offending.len() == 1 { "holds" } else { "hold" };
        let sentence =
            format!("nobody can tell whose data {}{such} of chain {chain} {hold}: {maybe}", count(&offending));
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
        if kind == FindingKind::AddressCollision {
            let of = |namespace| {
                let all = holders.iter().filter(move |(_, _, held, _)| *held == namespace);
                all.map(|(_, object, ..)| *object).collect::<BTreeSet<_>>()
            };
            let (upn, smtp) = (self.calls(of(Namespace::Upn))?, self.calls(of(Namespace::Smtp))?);
            return Ok(format!("{spelling} is the user principal name of {upn} and an address of {smtp}"));
        }
        if kind == FindingKind::NobodyHeldName {
            return Ok(format!("a snapshot was taken by the name {spelling} while nobody is known to have held it"));
        }
        let now = claims.objects(NameKind::Any).into_iter().find(|object| {
            claims.claims().iter().any(|claim| claim.object == *object && claim.track.is_present_last())
        });
        let before: Vec<ObjectId> = in_order.into_iter().filter(|object| Some(*object) != now).collect();
        let before = self.calls(before)?;
        Ok(match now {
            Some(now) => format!("{spelling} passed from {before} to {}", self.call(now)?),
            None => format!("{spelling} was held by {before} and is free now"),
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
            return Ok(match weight {
                0 => format!("a guard held sync run {run}{when}, and does not any more"),
                _ => format!("a guard holds sync run {run}{when}: it would bring {weight} changes at once"),
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
