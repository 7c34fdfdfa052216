//! What a chain's snapshots say about whose it is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::domain::attribution::{Attribution, Judgement, Settling, attribute};
use crate::domain::fact::{Addressed, Receipt};
use crate::domain::holder::NameView;
use crate::domain::id::{ChainId, MailboxId, ObjectId};
use crate::domain::name::{NameKey, NameKind};
use crate::domain::timeline::Timeline;
use crate::domain::verdict::{Base, ChainCase};
use crate::store::{Order, SnapshotPlace, SnapshotRecord, Subject, Tally};

use super::{LedgerError, View};

/// Attributes snapshots, remembering the names it has looked at.
pub(super) struct Attributor<'a, 'v> {
    view: &'v View<'a>,
    settling: Settling,
    claims: BTreeMap<NameKey, Arc<NameView>>,
    pub timelines: BTreeMap<ObjectId, Timeline>,
}

impl<'a, 'v> Attributor<'a, 'v> {
    pub fn new(view: &'v View<'a>, settling: Settling) -> Self {
        Self { view, settling, claims: BTreeMap::new(), timelines: BTreeMap::new() }
    }

    /// Whose data a snapshot holds, as known at the view.
    pub fn attribute(&mut self, record: &SnapshotRecord) -> Result<Attribution, LedgerError> {
        self.attribute_known(record).map(|(attribution, _)| attribution)
    }

    /// The same in few words.
    pub fn judge(&mut self, record: &SnapshotRecord) -> Result<Judgement, LedgerError> {
        // What is stored is what this would come to, unless it was made later or by other terms than the view's.
        if record.judged <= self.view.through() && self.settling == self.view.settling() && self.view.has_judgements() {
            return Ok(record.judgement);
        }
        let (attribution, receipts) = self.attribute_known(record)?;
        Ok(Judgement::of(&record.snapshot, &receipts, &attribution))
    }

    fn attribute_known(&mut self, record: &SnapshotRecord) -> Result<(Attribution, Vec<Receipt>), LedgerError> {
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
        let attribution =
            attribute(&record.snapshot, &receipts, claims.as_deref(), self.view.coverage(), self.settling);
        Ok((attribution, receipts))
    }

    /// All claims to a name.
    pub fn claims(&mut self, key: &NameKey) -> Result<Arc<NameView>, LedgerError> {
        if let Some(claims) = self.claims.get(key) {
            return Ok(claims.clone());
        }
        let claims = Arc::new(self.view.claims(key, &mut self.timelines)?);
        self.claims.insert(key.clone(), claims.clone());
        Ok(claims)
    }

    /// Whose a chain is, what to build on, and what else is in it.
    pub fn chain(&mut self, id: &ChainId) -> Result<ChainCase, LedgerError> {
        let tallies = self.view.store().tallies(self.view.tenant(), id)?;
        match self.plain_owner(&tallies) {
            Some(owner) => self.plain_chain(id, owner, &tallies),
            None => self.whole_chain(id),
        }
    }

    /// The one owner of all snapshots of a chain, by its tallies, if it has one and they are true of the view.
    fn plain_owner(&self, tallies: &[Tally]) -> Option<ObjectId> {
        let is_of_view = self.settling == self.view.settling()
            && self.view.has_judgements()
            && tallies.iter().all(|tally| tally.changed <= self.view.through());
        let owner = tallies.first()?.class.judgement.certain_owner()?;
        // A read under which the mailbox changed is counted by the one alone that it ended with.
        let is_of_owner = |judgement: Judgement| judgement.certain_owner() == Some(owner) && !judgement.disputed;
        let is_plain = tallies.iter().all(|tally| is_of_owner(tally.class.judgement));
        (is_of_view && is_plain).then_some(owner)
    }

    /// A chain of which every snapshot certainly belongs to one object: only its newest kept one is looked up.
    fn plain_chain(&mut self, id: &ChainId, owner: ObjectId, tallies: &[Tally]) -> Result<ChainCase, LedgerError> {
        let mailboxes: BTreeSet<MailboxId> = tallies.iter().filter_map(|tally| tally.class.mailbox).collect();
        if mailboxes.len() > 1 {
            return self.whole_chain(id);
        }
        let mut case = ChainCase { has_snapshots: true, bound: Some(owner), ..empty(id) };
        let mut after = None;
        // Nearly always the newest snapshot is kept, so only one is read at first.
        let mut limit = 1;
        while tallies.iter().any(|tally| tally.count.kept > 0) {
            let page = self.page(id, Order::Backward, &mut after, limit)?;
            if page.is_empty() {
                break;
            }
            if let Some((record, judgement)) = page.into_iter().flatten().find(|(record, _)| record.expired.is_none()) {
                // The tallies may have been read while a commit moved a snapshot from one to another.
                if judgement.certain_owner() != Some(owner) || read_from(&record).len() > 1 {
                    return self.whole_chain(id);
                }
                let mailbox = mailboxes.first().copied();
                case.mailboxes.extend(mailbox);
                case.base = Some(Base { id: record.snapshot.id, until: record.snapshot.until, mailbox });
                break;
            }
            limit = PAGE;
        }
        Ok(case)
    }

    /// Any chain, from all of its snapshots, in one pass: what comes before the first certain owner belongs to nobody yet.
    fn whole_chain(&mut self, id: &ChainId) -> Result<ChainCase, LedgerError> {
        let mut case = empty(id);
        let mut mailbox = None;
        // Whose chain it is, is not known before its first certain snapshot.
        let mut told: BTreeMap<ObjectId, Vec<MailboxId>> = BTreeMap::new();
        let mut after = None;
        loop {
            let page = self.page(id, Order::Forward, &mut after, PAGE)?;
            if page.is_empty() {
                break;
            }
            for (record, judgement) in page.into_iter().flatten() {
                case.has_snapshots = true;
                let owner = judgement.certain_owner();
                case.bound = case.bound.or(owner);
                let by_name = matches!(record.snapshot.addressed, Addressed::Name(_, NameKind::Any));
                case.by_any_name |= by_name && record.expired.is_none();
                if let Some(likely) = judgement.likely_owner() {
                    let known = told.entry(likely).or_default();
                    for mailbox in read_from(&record) {
                        if !known.contains(&mailbox) {
                            known.push(mailbox);
                        }
                    }
                }
                if owner.is_some() && owner == case.bound {
                    // A snapshot that does not tell its mailbox does not make the chain forget it.
                    mailbox = record.mailbox().or(mailbox);
                }
                if record.expired.is_some() {
                    continue;
                }
                match owner {
                    Some(_) if owner == case.bound => {
                        case.base = Some(Base { id: record.snapshot.id, until: record.snapshot.until, mailbox });
                    }
                    Some(other) if case.others.iter().any(|(known, _)| *known == other) => {}
                    Some(other) => case.others.push((other, record.snapshot.id)),
                    None => {
                        let candidates = self.attribute(&record)?.candidates;
                        case.candidates.extend(candidates.iter().map(|candidate| candidate.object));
                        case.unattributed.push(record.snapshot.id);
                    }
                }
            }
        }
        if let Some(base) = &mut case.base {
            base.mailbox = mailbox;
        }
        case.mailboxes = case.bound.and_then(|bound| told.remove(&bound)).unwrap_or_default();
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
            .map(|timeline| timeline.names_ever().map(|(_, key, _)| key.clone()).collect())
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

    /// The next snapshots of a chain after a place, each as known at the view (`None` if it was not yet), and where to go
    /// on. Empty at the end.
    pub fn page(
        &mut self,
        id: &ChainId,
        order: Order,
        after: &mut Option<SnapshotPlace>,
        limit: usize,
    ) -> Result<Vec<Option<(SnapshotRecord, Judgement)>>, LedgerError> {
        let records = self.view.store().snapshots(self.view.tenant(), id, order, after.as_ref(), limit)?;
        if let Some(last) = records.last() {
            *after = Some((last.snapshot.from, last.snapshot.id.clone()));
        }
        let through = self.view.through();
        let mut page = Vec::with_capacity(records.len());
        for mut record in records {
            if record.taken > through {
                page.push(None);
                continue;
            }
            record.receipts.retain(|(sequence, _)| *sequence <= through);
            record.expired = record.expired.filter(|sequence| *sequence <= through);
            let judgement = self.judge(&record)?;
            page.push(Some((record, judgement)));
        }
        Ok(page)
    }
}

/// How many snapshots are read at a time.
const PAGE: usize = 256;

/// The mailbox instances that a snapshot was read from.
fn read_from(record: &SnapshotRecord) -> Vec<MailboxId> {
    record.snapshot.read_from(record.receipts.iter().map(|(_, receipt)| receipt))
}

fn empty(id: &ChainId) -> ChainCase {
    ChainCase {
        id: id.clone(),
        has_snapshots: false,
        bound: None,
        base: None,
        others: Vec::new(),
        unattributed: Vec::new(),
        candidates: BTreeSet::new(),
        mailboxes: Vec::new(),
        by_any_name: false,
    }
}
