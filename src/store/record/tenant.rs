//! A tenant's head, its cursor and its run log.

use bincode::{Decode, Encode};

use super::fact::{HeldPartV1, ObjectKindV1, SettlingV1, instant, mirrored};
use crate::domain::coverage::{Coverage, Stretch};
use crate::domain::fact::Feed;
use crate::domain::id::Sequence;
use crate::domain::mapping::MappingState;
use crate::domain::time::Instant;
use crate::store::codec::{Record, RecordError};
use crate::store::{
    Counts, Cursor, FindingCounts, Hash, Head, Link, OpenHold, Outcome, Proved, Run, RunKind, Stint, TenantState,
    Trigger,
};

#[derive(Encode, Decode)]
pub(crate) struct HeadV1 {
    sequence: u64,
    hash: [u8; 32],
    recorded: Option<i64>,
    delta: Vec<(i64, i64)>,
    audit: Vec<(i64, i64)>,
    cursor: Option<CursorV1>,
    open_round: Option<i64>,
    holds: Vec<(u64, HeldPartV1)>,
    runs: u64,
    active: u64,
    soft_deleted: u64,
    purged: u64,
    snapshots: u64,
    named: u64,
    settling: SettlingV1,
    /// Open findings: critical, warning, notice.
    findings: [u64; 3],
    backlog: Vec<StintV1>,
}

#[derive(Encode, Decode)]
struct StintV1 {
    proved: ProvedV1,
    from: i64,
    through: i64,
    after: Option<(i64, String, String)>,
}

#[derive(Encode, Decode)]
pub(crate) struct CursorV1 {
    link: LinkV1,
    horizon: Option<i64>,
    beside: Vec<(ObjectKindV1, String)>,
}

#[derive(Encode, Decode)]
enum LinkV1 {
    Next { url: String, round_started: i64, began: Option<String> },
    Delta { url: String },
}

#[derive(Encode, Decode)]
pub(crate) struct RunV1 {
    run: u64,
    trigger: TriggerV1,
    kind: RunKindV1,
    started: i64,
    ended: Option<i64>,
    outcome: OutcomeV1,
    pages: u64,
    seen: u64,
    changed: u64,
    removed: u64,
    restored: u64,
    facts: u64,
    requests: u64,
    throttled_ms: u64,
    horizon: Option<i64>,
    error: Option<String>,
    note: Option<String>,
}

/// An entry of the run log and the commit that brought it.
#[derive(Encode, Decode)]
pub(crate) struct LoggedRunV1 {
    pub(crate) sequence: u64,
    pub(crate) run: RunV1,
}

mirrored!(ProvedV1 = Proved { Any, Not });
mirrored!(TriggerV1 = Trigger { Schedule, Demand, Startup });
mirrored!(RunKindV1 = RunKind { Full, Delta, Reconcile });
mirrored!(OutcomeV1 = Outcome { Completed, Failed, Held, Interrupted });

impl Record for HeadV1 {
    const VERSION: u8 = 1;
}

impl Record for LoggedRunV1 {
    const VERSION: u8 = 1;
}

impl HeadV1 {
    pub(crate) fn of(head: &Head) -> Self {
        // The mapping's state is a record of its own.
        let TenantState { coverage, cursor, open_round, holds, runs, counts, settling, findings, backlog, mapping: _ } =
            &head.state;
        Self {
            sequence: head.sequence.0,
            hash: head.hash.0,
            recorded: head.recorded.map(Instant::as_micros),
            delta: pairs(coverage.stretches(Feed::Delta)),
            audit: pairs(coverage.stretches(Feed::Audit)),
            cursor: cursor.as_ref().map(CursorV1::of),
            open_round: open_round.map(Instant::as_micros),
            holds: holds.iter().map(|hold| (hold.run, hold.part.into())).collect(),
            runs: *runs,
            active: counts.active,
            soft_deleted: counts.soft_deleted,
            purged: counts.purged,
            snapshots: counts.snapshots,
            named: counts.named,
            settling: SettlingV1::of(*settling),
            findings: [findings.critical, findings.warning, findings.notice],
            backlog: backlog.iter().map(StintV1::of).collect(),
        }
    }

    pub(crate) fn read(self) -> Result<Head, RecordError> {
        let [critical, warning, notice] = self.findings;
        Ok(Head {
            sequence: Sequence(self.sequence),
            hash: Hash(self.hash),
            recorded: self.recorded.map(instant),
            state: TenantState {
                coverage: Coverage::from_stretches(stretches(&self.delta), stretches(&self.audit)),
                cursor: self.cursor.map(CursorV1::read),
                open_round: self.open_round.map(instant),
                holds: self.holds.into_iter().map(|(run, part)| OpenHold { run, part: part.into() }).collect(),
                runs: self.runs,
                counts: Counts {
                    active: self.active,
                    soft_deleted: self.soft_deleted,
                    purged: self.purged,
                    snapshots: self.snapshots,
                    named: self.named,
                },
                settling: self.settling.read(),
                findings: FindingCounts { critical, warning, notice },
                backlog: self.backlog.into_iter().map(StintV1::read).collect::<Result<_, _>>()?,
                mapping: MappingState::default(),
            },
        })
    }
}

impl StintV1 {
    fn of(stint: &Stint) -> Self {
        let after = stint.after.as_ref();
        Self {
            proved: stint.proved.into(),
            from: stint.from.as_micros(),
            through: stint.through.as_micros(),
            after: after.map(|(until, chain, id)| (until.as_micros(), chain.to_string(), id.to_string())),
        }
    }

    fn read(self) -> Result<Stint, RecordError> {
        let after = self.after.map(|(until, chain, id)| {
            let chain = chain.parse().map_err(|_| RecordError::Text("chain id"))?;
            let id = id.parse().map_err(|_| RecordError::Text("snapshot id"))?;
            Ok((instant(until), chain, id))
        });
        Ok(Stint {
            proved: self.proved.into(),
            from: instant(self.from),
            through: instant(self.through),
            after: after.transpose()?,
        })
    }
}

impl CursorV1 {
    pub(crate) fn of(cursor: &Cursor) -> Self {
        let link = match &cursor.link {
            Link::Next { url, round_started, began } => {
                LinkV1::Next { url: url.clone(), round_started: round_started.as_micros(), began: began.clone() }
            }
            Link::Delta { url } => LinkV1::Delta { url: url.clone() },
        };
        let beside = cursor.beside.iter().map(|(kind, url)| (ObjectKindV1::from(*kind), url.clone())).collect();
        Self { link, horizon: cursor.horizon.map(Instant::as_micros), beside }
    }

    pub(crate) fn read(self) -> Cursor {
        let link = match self.link {
            LinkV1::Next { url, round_started, began } => {
                Link::Next { url, round_started: instant(round_started), began }
            }
            LinkV1::Delta { url } => Link::Delta { url },
        };
        let beside = self.beside.into_iter().map(|(kind, url)| (kind.into(), url)).collect();
        Cursor { link, horizon: self.horizon.map(instant), beside }
    }
}

impl RunV1 {
    /// What it says in words.
    pub(crate) fn texts(&mut self) -> impl Iterator<Item = &mut String> {
        [&mut self.error, &mut self.note].into_iter().flatten()
    }

    pub(crate) fn of(run: &Run) -> Self {
        Self {
            run: run.run,
            trigger: run.trigger.into(),
            kind: run.kind.into(),
            started: run.started.as_micros(),
            ended: run.ended.map(Instant::as_micros),
            outcome: run.outcome.into(),
            pages: run.pages,
            seen: run.seen,
            changed: run.changed,
            removed: run.removed,
            restored: run.restored,
            facts: run.facts,
            requests: run.requests,
            throttled_ms: run.throttled_ms,
            horizon: run.horizon.map(Instant::as_micros),
            error: run.error.clone(),
            note: run.note.clone(),
        }
    }

    pub(crate) fn read(self) -> Run {
        Run {
            run: self.run,
            trigger: self.trigger.into(),
            kind: self.kind.into(),
            started: instant(self.started),
            ended: self.ended.map(instant),
            outcome: self.outcome.into(),
            pages: self.pages,
            seen: self.seen,
            changed: self.changed,
            removed: self.removed,
            restored: self.restored,
            facts: self.facts,
            requests: self.requests,
            throttled_ms: self.throttled_ms,
            horizon: self.horizon.map(instant),
            error: self.error,
            note: self.note,
        }
    }
}

fn pairs(stretches: &[Stretch]) -> Vec<(i64, i64)> {
    stretches.iter().map(|stretch| (stretch.from.as_micros(), stretch.through.as_micros())).collect()
}

fn stretches(pairs: &[(i64, i64)]) -> Vec<Stretch> {
    pairs.iter().map(|(from, through)| Stretch { from: instant(*from), through: instant(*through) }).collect()
}
