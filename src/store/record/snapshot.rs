//! A snapshot's record. Its chain, its id and its beginning stand in its key.

use bincode::{Decode, Encode};

use super::audit::JudgementV1;
use super::fact::{AddressedV1, ReadV1, instant};
use crate::domain::fact::Snapshot;
use crate::domain::id::{ChainId, MailboxId, Sequence, SnapshotId};
use crate::domain::time::Instant;
use crate::store::SnapshotRecord;
use crate::store::codec::{Record, RecordError};

#[derive(Encode, Decode)]
pub(crate) struct SnapshotRecordV1 {
    until: i64,
    addressed: AddressedV1,
    mailbox: Option<[u8; 16]>,
    taken: u64,
    receipts: Vec<(u64, ReadV1)>,
    expired: Option<u64>,
    judgement: JudgementV1,
    judged: u64,
}

impl Record for SnapshotRecordV1 {
    const VERSION: u8 = 1;
}

impl SnapshotRecordV1 {
    pub(crate) fn of(record: &SnapshotRecord) -> Self {
        Self {
            until: record.snapshot.until.as_micros(),
            addressed: AddressedV1::of(&record.snapshot.addressed),
            mailbox: record.snapshot.mailbox.map(|id| *id.as_bytes()),
            taken: record.taken.0,
            receipts: record.receipts.iter().map(|(at, receipt)| (at.0, ReadV1::of(receipt))).collect(),
            expired: record.expired.map(|at| at.0),
            judgement: JudgementV1::of(record.judgement),
            judged: record.judged.0,
        }
    }

    pub(crate) fn read(self, chain: ChainId, id: SnapshotId, from: Instant) -> Result<SnapshotRecord, RecordError> {
        let receipts = self.receipts.into_iter();
        Ok(SnapshotRecord {
            taken: Sequence(self.taken),
            receipts: receipts.map(|(at, read)| (Sequence(at), read.read(chain.clone(), id.clone()))).collect(),
            expired: self.expired.map(Sequence),
            judgement: self.judgement.read(),
            judged: Sequence(self.judged),
            snapshot: Snapshot {
                chain,
                id,
                from,
                until: instant(self.until),
                addressed: self.addressed.read()?,
                mailbox: self.mailbox.map(MailboxId::from_bytes),
            },
        })
    }
}
