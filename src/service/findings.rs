//! Findings: listing, showing, and an operator's word on them.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::explain::explain;
use super::people::PersonPart;
use super::{Desk, cursor};
use crate::domain::fact::Fact;
use crate::domain::finding::{Finding, FindingId, FindingKind, FindingState, Review, Severity, Step, Subject};
use crate::domain::id::{ChainId, ObjectId, Sequence, SnapshotId};
use crate::domain::name::NameKey;
use crate::domain::time::Instant;
use crate::ledger::{Basis, Batch, KnownAt, LedgerError, Stamp, View};
use crate::store::FindingCounts;

/// How many records are read at a time.
const PAGE: usize = 512;

/// Which findings are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this kind only.
    pub kind: Option<FindingKind>,
    /// Of this severity only.
    pub severity: Option<Severity>,
    /// In one of these states; none means all but withdrawn.
    pub states: Vec<FindingState>,
}

/// A finding, and what is behind it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct FindingAnswer {
    /// Its id.
    pub id: FindingId,
    /// What was found.
    pub kind: FindingKind,
    /// How bad it is.
    pub severity: Severity,
    /// Where it stands.
    pub state: FindingState,
    /// The chain it is about.
    pub chain: Option<ChainId>,
    /// The name it is about.
    pub name: Option<String>,
    /// The objects involved.
    pub objects: Vec<ObjectId>,
    /// The snapshots it is about.
    pub snapshots: Vec<SnapshotId>,
    /// When it was opened first.
    pub opened: OpenedPart,
    /// One sentence.
    pub summary: String,
    /// What shows it, as known now.
    pub evidence: Map<String, Value>,
    /// How much of it there is.
    pub weight: u64,
    /// The people named.
    pub people: Vec<PersonPart>,
    /// What happened to it, oldest first.
    pub history: Vec<StepPart>,
}

impl FindingAnswer {
    /// Whether it still waits for somebody to deal with it.
    pub fn is_pending(&self) -> bool {
        matches!(self.state, FindingState::Open | FindingState::Acknowledged)
    }

    /// The commit that changed its state last.
    pub fn newest(&self) -> Sequence {
        self.history.last().map_or(Sequence(0), |step| step.sequence)
    }
}

/// When a finding was opened first.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct OpenedPart {
    /// The commit.
    pub sequence: Sequence,
    /// When the ledger learnt it.
    pub time: Instant,
}

/// One change of a finding's state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct StepPart {
    /// The state from then on.
    pub state: FindingState,
    /// The commit.
    pub sequence: Sequence,
    /// When.
    pub time: Instant,
    /// Who; `null` is the ledger itself.
    pub by: Option<String>,
    /// Why.
    pub note: Option<String>,
}

/// A page of findings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct FindingList {
    /// The findings, the worst and newest first.
    pub items: Vec<FindingAnswer>,
    /// Where the next page begins.
    pub cursor: Option<String>,
    /// How many open ones there are of each severity, whatever the page shows.
    pub open: FindingCounts,
    /// What the answer rests on.
    pub basis: Basis,
}

/// What an operator says of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// It was seen.
    Acknowledge,
    /// It was dealt with.
    Resolve,
}

/// Why an operator's word was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FindingError {
    /// There is no such finding.
    #[error("find finding {0}: this tenant has none with that id; `whowas findings` lists them")]
    Unknown(FindingId),
    /// New evidence says that it never was so.
    #[error(
        "{word} finding {id}: it is withdrawn, because newer evidence says that it never was so; it opens by itself if that \
         changes"
    )]
    Withdrawn {
        /// Which.
        id: FindingId,
        /// What was wanted.
        word: &'static str,
    },
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// How many open findings there are of this severity or worse.
pub fn at_least(open: FindingCounts, severity: Severity) -> u64 {
    match severity {
        Severity::Critical => open.critical,
        Severity::Warning => open.critical + open.warning,
        Severity::Notice => open.critical + open.warning + open.notice,
    }
}

/// Where a finding stands in the list: the worst first, then the newest.
type Place = (Reverse<Severity>, Reverse<Sequence>, FindingId);

/// Up to `limit` findings, from a cursor on. The counts are of all open findings of the kind wanted.
pub fn findings(
    desk: &Desk,
    filter: &Filter,
    cursor: Option<&Cursor>,
    limit: usize,
) -> Result<FindingList, LedgerError> {
    let view = desk.ledger.view(desk.tenant, KnownAt::Now)?;
    let mut open = FindingCounts::default();
    let mut wanted: Vec<(Place, Finding)> = Vec::new();
    each(desk, |finding| {
        if filter.kind.is_some_and(|kind| kind != finding.kind) {
            return;
        }
        if finding.state() == FindingState::Open {
            *open.of(finding.severity()) += 1;
        }
        let place = place(&finding);
        if filter.takes(&finding) && cursor.is_none_or(|cursor| place > cursor.0) {
            wanted.push((place, finding));
        }
    })?;
    wanted.sort_by_key(|(place, _)| *place);
    let is_more = wanted.len() > limit;
    wanted.truncate(limit);
    let cursor = wanted.last().filter(|_| is_more).map(|(place, _)| Cursor(*place).to_string());
    let items = wanted.into_iter().map(|(_, finding)| answer(desk, &view, finding)).collect::<Result<_, _>>()?;
    Ok(FindingList { items, cursor, open, basis: view.basis(desk.clock.now()) })
}

/// One finding.
pub fn show(desk: &Desk, id: FindingId) -> Result<FindingAnswer, FindingError> {
    found(desk, id)?.ok_or(FindingError::Unknown(id))
}

/// One finding, if there is one.
pub fn found(desk: &Desk, id: FindingId) -> Result<Option<FindingAnswer>, LedgerError> {
    let Some(finding) = desk.ledger.finding(desk.tenant, id)? else { return Ok(None) };
    let view = desk.ledger.view(desk.tenant, KnownAt::Now)?;
    answer(desk, &view, finding).map(Some)
}

/// What to do about a finding that no plan repairs, in one sentence; `None` if a plan says it, or there is nothing to do.
pub fn advice(finding: &FindingAnswer) -> Option<String> {
    if finding.kind != FindingKind::ReceiptMismatch {
        return None;
    }
    let call = |object: &Value| {
        let id = object.as_str()?;
        let person = finding.people.iter().find(|person| person.object.to_string() == id);
        Some(match person.and_then(|person| person.called.as_ref()) {
            Some(called) => format!("{called} (object {id})"),
            None => format!("object {id}"),
        })
    };
    let receipts = finding.evidence.get("receipts")?.as_array()?;
    // Another person is worse than another mailbox.
    let is_of_others = |part: &&Value| {
        let read = part.get("read").and_then(Value::as_array);
        read.into_iter().flatten().any(|object| Some(object) != part.get("wanted"))
    };
    let worst = receipts.iter().find(is_of_others);
    let first = worst.or(receipts.first())?;
    let snapshot = first.get("snapshot")?.as_str()?;
    let more = match receipts.len() - 1 {
        0 => String::new(),
        more => format!(", nor {more} more such"),
    };
    if worst.is_none() {
        let mailboxes = first.get("mailboxes")?.as_array()?.iter().filter_map(Value::as_str);
        return Some(format!(
            "snapshot {snapshot} is told to be of several mailboxes, {}: do not restore it as one mailbox's{more}; find out why \
             the agent read another mailbox than it was to",
            mailboxes.collect::<Vec<_>>().join(" and ")
        ));
    }
    let read: Vec<String> = first.get("read")?.as_array()?.iter().filter_map(call).collect();
    let whose = match first.get("wanted").and_then(call) {
        Some(wanted) if read.contains(&wanted) => format!("that of {wanted} alone"),
        Some(wanted) => format!("that of {wanted}"),
        None => "one person's".to_owned(),
    };
    Some(format!(
        "the data of snapshot {snapshot} is that of {}, by the agent's receipt: do not restore it as {whose}{more}; find out \
         why the agent read another mailbox than it was to",
        read.join(" and ")
    ))
}

/// Takes an operator's word. The same word of the same person again changes nothing; an acknowledgement of what is
/// resolved neither.
pub fn review(
    desk: &Desk,
    id: FindingId,
    word: Word,
    by: Option<String>,
    note: Option<String>,
) -> Result<FindingAnswer, FindingError> {
    let finding = desk.ledger.finding(desk.tenant, id)?.ok_or(FindingError::Unknown(id))?;
    let state = match word {
        Word::Acknowledge => FindingState::Acknowledged,
        Word::Resolve => FindingState::Resolved,
    };
    if finding.state() == FindingState::Withdrawn {
        let word = if word == Word::Resolve { "resolve" } else { "acknowledge" };
        return Err(FindingError::Withdrawn { id, word });
    }
    let is_said = finding.steps.last().is_some_and(|step| {
        step.state == state && step.by == by && (note.is_none() || step.note == note)
            || step.state == FindingState::Resolved && word == Word::Acknowledge
    });
    if !is_said {
        let review = Review { finding: id, at: desk.clock.now(), by, note };
        let fact = if word == Word::Resolve { Fact::Resolved(review) } else { Fact::Acknowledged(review) };
        let stamp = Stamp { now: desk.clock.now(), salt: desk.clock.salt() };
        desk.ledger.append(desk.tenant, Batch { facts: vec![fact], ..Batch::default() }, stamp)?;
    }
    show(desk, id)
}

/// A place in the list; opaque to whoever hands it back. Places have the order of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor(Place);

impl Cursor {
    /// The place of a finding that was told.
    pub fn of(finding: &FindingAnswer) -> Self {
        let steps = finding.history.iter().map(|step| (step.state, step.sequence));
        Self((Reverse(finding.severity), Reverse(opened(steps)), finding.id))
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Reverse(severity), Reverse(sequence), id) = self.0;
        write!(f, "{}-{:x}-{id}", severity as u8, sequence.0)
    }
}

impl std::str::FromStr for Cursor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || cursor::REFUSAL.to_owned();
        let mut parts = text.splitn(3, '-');
        let mut next = || parts.next().ok_or_else(refuse);
        let (severity, sequence, id) = (next()?, next()?, next()?);
        let severity = [Severity::Notice, Severity::Warning, Severity::Critical]
            .into_iter()
            .find(|known| (*known as u8).to_string() == severity)
            .ok_or_else(refuse)?;
        let sequence = u64::from_str_radix(sequence, 16).map_err(|_| refuse())?;
        Ok(Self((Reverse(severity), Reverse(Sequence(sequence)), id.parse().map_err(|_| refuse())?)))
    }
}

impl Filter {
    fn takes(&self, finding: &Finding) -> bool {
        let state = finding.state();
        let in_state =
            if self.states.is_empty() { state != FindingState::Withdrawn } else { self.states.contains(&state) };
        in_state && self.severity.is_none_or(|severity| severity == finding.severity())
    }
}

fn each(desk: &Desk, mut visit: impl FnMut(Finding)) -> Result<(), LedgerError> {
    let mut after = None;
    loop {
        let page = desk.ledger.findings(desk.tenant, after, PAGE)?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.id);
        page.into_iter().for_each(&mut visit);
    }
}

fn place(finding: &Finding) -> Place {
    let steps = finding.steps.iter().map(|step| (step.state, step.sequence));
    (Reverse(finding.severity()), Reverse(opened(steps)), finding.id)
}

/// The commit that opened it last.
fn opened(mut steps: impl DoubleEndedIterator<Item = (FindingState, Sequence)> + Clone) -> Sequence {
    let newest = steps.clone().rev().find(|(state, _)| *state == FindingState::Open);
    newest.or(steps.next()).map_or(Sequence(0), |(_, sequence)| sequence)
}

fn answer(desk: &Desk, view: &View<'_>, finding: Finding) -> Result<FindingAnswer, LedgerError> {
    let explained = explain(desk, view, &finding)?;
    let (state, severity) = (finding.state(), finding.severity());
    let opened = finding.steps.first().map_or(OpenedPart { sequence: Sequence(0), time: Instant::MIN }, |step| {
        OpenedPart { sequence: step.sequence, time: step.time }
    });
    let chain = if let Subject::Chain(chain) = &finding.subject { Some(chain.clone()) } else { None };
    let name = if let Subject::Name(name) = &finding.subject { Some(spelling(view, name)?) } else { None };
    Ok(FindingAnswer {
        id: finding.id,
        kind: finding.kind,
        severity,
        state,
        chain,
        name,
        objects: explained.objects.into_iter().collect(),
        snapshots: explained.snapshots,
        opened,
        summary: explained.summary,
        evidence: explained.evidence,
        weight: finding.weight,
        people: explained.people,
        history: finding.steps.into_iter().map(StepPart::from).collect(),
    })
}

/// A name as it was seen last; the comparison key if nobody ever held it.
fn spelling(view: &View<'_>, key: &NameKey) -> Result<String, LedgerError> {
    let claims = view.claims(key, &mut std::collections::BTreeMap::new())?;
    Ok(claims.claims().first().map_or_else(|| key.as_str().to_owned(), |claim| claim.spelling.clone()))
}

impl From<Step> for StepPart {
    fn from(step: Step) -> Self {
        let Step { state, sequence, time, by, note } = step;
        Self { state, sequence, time, by, note }
    }
}
