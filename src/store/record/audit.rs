//! What is kept for the auditor: judgements, tallies, findings, anchors, links.

use bincode::{Decode, Encode};
use sha2::{Digest, Sha256};

use super::fact::{LinkV1, instant, mirrored};
use super::name::object;
use crate::domain::attribution::Judgement;
use crate::domain::finding::{Finding, FindingId, FindingKind, FindingState, Step, Subject};
use crate::domain::holder::HolderConfidence;
use crate::domain::id::{MailboxId, Sequence};
use crate::domain::link::{Anchor, AnchorKind, Link};
use crate::domain::name::NameKey;
use crate::store::codec::{Record, RecordError};
use crate::store::{LinkRecord, Tally, TallyClass, TallyCount};

#[derive(Encode, Decode)]
pub(crate) struct JudgementV1 {
    owner: Option<[u8; 16]>,
    confidence: ConfidenceV1,
    settled: bool,
    receipted: bool,
    disputed: bool,
}

/// How many snapshots are of the class that the key tells.
#[derive(Encode, Decode)]
pub(crate) struct TallyV1 {
    all: u64,
    kept: u64,
    changed: u64,
    /// The class once more, because its key only orders it.
    judgement: JudgementV1,
    mailbox: Option<[u8; 16]>,
}

#[derive(Encode, Decode)]
pub(crate) struct FindingV1 {
    kind: FindingKindV1,
    subject: SubjectV1,
    weight: u64,
    steps: Vec<StepV1>,
}

#[derive(Encode, Decode)]
enum SubjectV1 {
    Chain(String),
    Name(String),
    Object([u8; 16]),
    Anchor(AnchorV1),
    Run(u64),
}

#[derive(Encode, Decode)]
struct StepV1 {
    state: FindingStateV1,
    sequence: u64,
    time: i64,
    by: Option<String>,
    note: Option<String>,
}

/// An anchor; its key has only a digest of the value, which may hold any character.
#[derive(Encode, Decode)]
pub(crate) struct AnchorV1 {
    kind: AnchorKindV1,
    value: String,
}

#[derive(Encode, Decode)]
pub(crate) struct LinkRecordV1 {
    link: LinkV1,
    steps: Vec<(u64, bool)>,
}

mirrored!(ConfidenceV1 = HolderConfidence { Certain, Assumed, Ambiguous, Nobody, Unknown });
mirrored!(FindingStateV1 = FindingState { Open, Acknowledged, Resolved, Withdrawn });
mirrored!(AnchorKindV1 = AnchorKind { Mailbox, ImmutableId, EmployeeId });
mirrored!(
    FindingKindV1 = FindingKind {
        MixedChain,
        MailboxChanged,
        ReceiptMismatch,
        Unattributable,
        NobodyHeldName,
        NameReused,
        AddressCollision,
        SplitOwner,
        MassChange,
        DomainChange,
        LinkCandidate
    }
);

impl Record for TallyV1 {
    const VERSION: u8 = 1;
}

impl Record for FindingV1 {
    const VERSION: u8 = 1;
}

impl Record for AnchorV1 {
    const VERSION: u8 = 1;
}

impl Record for LinkRecordV1 {
    const VERSION: u8 = 1;
}

impl JudgementV1 {
    pub(crate) fn of(judgement: Judgement) -> Self {
        let Judgement { object: owner, confidence, settled, receipted, disputed } = judgement;
        let owner = owner.map(|id| *id.as_bytes());
        Self { owner, confidence: confidence.into(), settled, receipted, disputed }
    }

    pub(crate) fn read(self) -> Judgement {
        Judgement {
            object: self.owner.map(object),
            confidence: self.confidence.into(),
            settled: self.settled,
            receipted: self.receipted,
            disputed: self.disputed,
        }
    }
}

impl TallyV1 {
    pub(crate) fn of(tally: &Tally) -> Self {
        Self {
            all: tally.count.all,
            kept: tally.count.kept,
            changed: tally.changed.0,
            judgement: JudgementV1::of(tally.class.judgement),
            mailbox: tally.class.mailbox.map(|id| *id.as_bytes()),
        }
    }

    pub(crate) fn read(self) -> Tally {
        let mailbox = self.mailbox.map(MailboxId::from_bytes);
        Tally {
            class: TallyClass { judgement: self.judgement.read(), mailbox },
            count: TallyCount { all: self.all, kept: self.kept },
            changed: Sequence(self.changed),
        }
    }
}

/// A class in bytes whose order is the order of the classes: owner, confidence, flags, mailbox as the domain orders them.
pub(crate) fn class_key(class: &TallyClass) -> [u8; 34] {
    let Judgement { object: owner, confidence, settled, receipted, disputed } = class.judgement;
    let flags = [owner.is_some(), class.mailbox.is_some(), settled, receipted, disputed];
    let flags = flags.into_iter().rev().enumerate().map(|(bit, set)| u8::from(set) << bit).sum();
    let mut key = [0; 34];
    let parts = [confidence as u8, flags].into_iter();
    let owner = owner.map_or([0; 16], |id| *id.as_bytes());
    let mailbox = class.mailbox.map_or([0; 16], |id| *id.as_bytes());
    for (place, byte) in key.iter_mut().zip(parts.chain(owner).chain(mailbox)) {
        *place = byte;
    }
    key
}

impl FindingV1 {
    pub(crate) fn of(finding: &Finding) -> Self {
        Self {
            kind: finding.kind.into(),
            subject: SubjectV1::of(&finding.subject),
            weight: finding.weight,
            steps: finding.steps.iter().map(StepV1::of).collect(),
        }
    }

    pub(crate) fn read(self, id: FindingId) -> Result<Finding, RecordError> {
        Ok(Finding {
            id,
            kind: self.kind.into(),
            subject: self.subject.read()?,
            weight: self.weight,
            steps: self.steps.into_iter().map(StepV1::read).collect(),
        })
    }
}

impl SubjectV1 {
    fn of(subject: &Subject) -> Self {
        match subject {
            Subject::Chain(chain) => Self::Chain(chain.to_string()),
            Subject::Name(name) => Self::Name(name.as_str().to_owned()),
            Subject::Object(object) => Self::Object(*object.as_bytes()),
            Subject::Anchor(anchor) => Self::Anchor(AnchorV1::of(anchor)),
            Subject::Run(run) => Self::Run(*run),
        }
    }

    fn read(self) -> Result<Subject, RecordError> {
        Ok(match self {
            Self::Chain(chain) => Subject::Chain(chain.parse().map_err(|_| RecordError::Text("chain id"))?),
            Self::Name(key) => Subject::Name(NameKey::from_text(&key)),
            Self::Object(id) => Subject::Object(object(id)),
            Self::Anchor(anchor) => Subject::Anchor(anchor.read()),
            Self::Run(run) => Subject::Run(run),
        })
    }
}

impl StepV1 {
    fn of(step: &Step) -> Self {
        Self {
            state: step.state.into(),
            sequence: step.sequence.0,
            time: step.time.as_micros(),
            by: step.by.clone(),
            note: step.note.clone(),
        }
    }

    fn read(self) -> Step {
        Step {
            state: self.state.into(),
            sequence: Sequence(self.sequence),
            time: instant(self.time),
            by: self.by,
            note: self.note,
        }
    }
}

impl AnchorV1 {
    pub(crate) fn of(anchor: &Anchor) -> Self {
        Self { kind: anchor.kind.into(), value: anchor.value.clone() }
    }

    pub(crate) fn read(self) -> Anchor {
        Anchor { kind: self.kind.into(), value: self.value }
    }
}

/// An anchor as it stands in keys: its kind, and the first bytes of the SHA-256 of its value.
pub(crate) fn anchor_key(anchor: &Anchor) -> (u8, [u8; 16]) {
    (anchor.kind as u8, digest(&[anchor.value.as_bytes()]))
}

impl LinkRecordV1 {
    pub(crate) fn of(record: &LinkRecord) -> Self {
        let steps = record.steps.iter().map(|(at, on)| (at.0, *on)).collect();
        Self { link: LinkV1::of(&record.link), steps }
    }

    pub(crate) fn read(self) -> LinkRecord {
        let steps = self.steps.into_iter().map(|(at, on)| (Sequence(at), on)).collect();
        LinkRecord { link: self.link.read(), steps }
    }
}

/// What tells one link of an object from its others: the ends and the relation.
pub(crate) fn link_key(link: &Link) -> [u8; 16] {
    let tenant = link.to.tenant.map(|tenant| *tenant.as_bytes());
    let tenant = tenant.as_ref().map_or(&[][..], |bytes| bytes.as_slice());
    digest(&[link.from.as_bytes(), tenant, link.to.object.as_bytes(), &[link.relation as u8]])
}

fn digest(parts: &[&[u8]]) -> [u8; 16] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let whole: [u8; 32] = hash.finalize().into();
    let mut first = [0; 16];
    first.copy_from_slice(whole.split_at(16).0);
    first
}
