//! What a chain's snapshots say about whose it is, read from both ends.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::attribution::{Attribution, Settling, attribute, is_certainly};
use crate::domain::fact::{Addressed, Receipt};
use crate::domain::holder::{HolderConfidence, NameView};
use crate::domain::id::{ChainId, MailboxId, ObjectId};
use crate::domain::name::NameKey;
use crate::domain::timeline::Timeline;
use crate::domain::verdict::{Base, ChainCase};
use crate::store::{Order, SnapshotPlace, SnapshotRecord, Subject};

use super::{LedgerError, View};

/// Attributes snapshots, remembering the names it has looked at.
pub(super) struct Attributor<'a, 'v> {
    view: &'v View<'a>,
    settling: Settling,
    claims: BTreeMap<NameKey, NameView>,
    pub timelines: BTreeMap<ObjectId, Timeline>,
}

impl<'a, 'v> Attributor<'a, 'v> {
    pub fn new(view: &'v View<'a>, settling: Settling) -> Self {
        Self { view, settling, claims: BTreeMap::new(), timelines: BTreeMap::new() }
    }

    /// Whose data a snapshot holds, as known at the view.
    pub fn attribute(&mut self, record: &SnapshotRecord) -> Result<Attribution, LedgerError> {
        let through = self.view.through();
        let known = record.receipts.iter().filter(|(sequence, _)| *sequence <= through);
        let receipts: Vec<Receipt> = known.map(|(_, receipt)| receipt.clone()).collect();
        let claims = match &record.snapshot.addressed {
            // A receipt without an end leaves the rest of the read to the name.
            Addressed::Name(name, _) if receipts.iter().all(|receipt| receipt.object_end.is_none()) => {
                Some(self.claims(name.key())?)
            }
            _ => None,
        };
        let claims = claims.cloned();
        Ok(attribute(&record.snapshot, &receipts, claims.as_ref(), self.view.coverage(), self.settling))
    }

    /// All claims to a name.
    pub fn claims(&mut self, key: &NameKey) -> Result<&NameView, LedgerError> {
        if !self.claims.contains_key(key) {
            let claims = self.view.claims(key, &mut self.timelines)?;
            self.claims.insert(key.clone(), claims);
        }
        let missing = NameView::of(key, [], &[]);
        Ok(self.claims.entry(key.clone()).or_insert(missing))
    }

    /// The chain's owner, from its oldest snapshots, and what to build on, from its newest. Both ends are read only as far
    /// as needed: to the first certain snapshot from the front, and to the last one of the owner from the back.
    pub fn chain(&mut self, id: &ChainId) -> Result<ChainCase, LedgerError> {
        let mut case = ChainCase {
            id: id.clone(),
            has_snapshots: false,
            bound: None,
            base: None,
            others: Vec::new(),
            unattributed: Vec::new(),
            candidates: BTreeSet::new(),
        };
        let mut early = Vec::new();
        let mut first_mailbox = None;
        self.walk(id, Order::Forward, |record, attribution| {
            case.has_snapshots = true;
            case.bound = attribution.owner.filter(|_| attribution.confidence == HolderConfidence::Certain);
            if case.bound.is_none() {
                case.candidates.extend(attribution.candidates.iter().map(|candidate| candidate.object));
                early.push(record.snapshot.id.clone());
            }
            first_mailbox = mailbox_of(record);
            case.bound.is_some()
        })?;
        let Some(bound) = case.bound else {
            case.unattributed = early;
            return Ok(case);
        };
        self.walk(id, Order::Backward, |record, attribution| {
            if is_certainly(attribution, bound) {
                if record.expired.is_none() {
                    // A snapshot that does not tell its mailbox does not make the chain forget it.
                    let mailbox = mailbox_of(record).or(first_mailbox);
                    case.base = Some(Base { id: record.snapshot.id.clone(), until: record.snapshot.until, mailbox });
                }
                return case.base.is_some();
            }
            match attribution.owner.filter(|_| attribution.confidence == HolderConfidence::Certain) {
                Some(other) => case.others.push((other, record.snapshot.id.clone())),
                None => case.unattributed.push(record.snapshot.id.clone()),
            }
            false
        })?;
        for id in early {
            if !case.unattributed.contains(&id) {
                case.unattributed.push(id);
            }
        }
        case.others.reverse();
        Ok(case)
    }

    /// The chains whose owner this object is, with what is known of each.
    pub fn chains_of(&mut self, object: ObjectId) -> Result<Vec<ChainCase>, LedgerError> {
        let (store, tenant) = (self.view.store(), self.view.tenant());
        let mut ids: BTreeSet<ChainId> = store.chains(tenant, &Subject::Object(object))?.into_iter().collect();
        self.view.load([object], &mut self.timelines)?;
        let keys: BTreeSet<NameKey> = self
            .timelines
            .get(&object)
            .map(|timeline| timeline.presences().map(|(_, key, _)| key.clone()).collect())
            .unwrap_or_default();
        for key in keys {
            ids.extend(store.chains(tenant, &Subject::Name(key))?);
        }
        let mut cases = Vec::new();
        for id in ids {
            let case = self.chain(&id)?;
            if case.bound == Some(object) {
                cases.push(case);
            }
        }
        Ok(cases)
    }

    /// The chain of this object with the newest snapshot to build on.
    pub fn newest_chain_of(&mut self, object: ObjectId) -> Result<Option<ChainCase>, LedgerError> {
        let cases = self.chains_of(object)?;
        Ok(cases
            .into_iter()
            .filter(|case| case.base.is_some())
            .max_by_key(|case| case.base.as_ref().map(|base| base.until)))
    }

    /// Visits a chain's snapshots as known at the view until `visit` says that it has seen enough.
    fn walk(
        &mut self,
        id: &ChainId,
        order: Order,
        mut visit: impl FnMut(&SnapshotRecord, &Attribution) -> bool,
    ) -> Result<(), LedgerError> {
        let mut after: Option<SnapshotPlace> = None;
        // Nearly always the first snapshot is enough, so only one is read at first.
        let mut limit = 1;
        loop {
            let records = self.view.store().snapshots(self.view.tenant(), id, order, after.as_ref(), limit)?;
            let Some(last) = records.last() else { return Ok(()) };
            after = Some((last.snapshot.from, last.snapshot.id.clone()));
            for mut record in records {
                let through = self.view.through();
                if record.taken > through {
                    continue;
                }
                record.receipts.retain(|(sequence, _)| *sequence <= through);
                record.expired = record.expired.filter(|sequence| *sequence <= through);
                let attribution = self.attribute(&record)?;
                if visit(&record, &attribution) {
                    return Ok(());
                }
            }
            limit = 64;
        }
    }
}

/// The mailbox instance that a snapshot was read from, as its newest receipt that tells one has it, else as it was recorded.
fn mailbox_of(record: &SnapshotRecord) -> Option<MailboxId> {
    let receipts = record.receipts.iter().rev().map(|(_, receipt)| receipt);
    receipts
        .map(|receipt| receipt.mailbox_end.or(receipt.mailbox))
        .find(Option::is_some)
        .flatten()
        .or(record.snapshot.mailbox)
}
