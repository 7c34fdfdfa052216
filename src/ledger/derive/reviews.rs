//! What operators say: reviews of findings, and lineage links.

use super::{FindingWork, Work};
use crate::domain::finding::{FindingId, FindingState, Review, Step};
use crate::domain::id::ObjectId;
use crate::domain::link::Link;
use crate::ledger::LedgerError;
use crate::store::LinkRecord;

impl Work<'_> {
    /// Takes an operator's word on a finding in; false if it was given before.
    ///
    /// One that the journal has already changes nothing where its finding is not there. Which findings there are follows from rules that
    /// change from release to release, and names that a later commit tells to be erased give findings other ids; neither may keep
    /// a ledger from being derived.
    pub(super) fn take_review(&mut self, review: &Review, state: FindingState) -> Result<bool, LedgerError> {
        let (sequence, time, id) = (self.sequence, review.at, review.finding);
        let is_replay = self.is_replay;
        let work = match self.finding(id)? {
            None if is_replay => return Ok(true),
            None => return Err(LedgerError::NoFinding { finding: id }),
            Some(work) => work,
        };
        let step = Step { state, sequence, time, by: review.by.clone(), note: review.note.clone() };
        let is_same = |known: &Step| Step { sequence, ..known.clone() } == step;
        if work.finding.steps.iter().any(is_same) {
            return Ok(false);
        }
        if work.finding.state() == FindingState::Withdrawn {
            if is_replay {
                return Ok(true);
            }
            return Err(LedgerError::FindingWithdrawn { finding: id });
        }
        work.finding.steps.push(step);
        work.touched = true;
        Ok(true)
    }

    /// A finding as it is known so far in this commit.
    pub(super) fn finding(&mut self, id: FindingId) -> Result<Option<&mut FindingWork>, LedgerError> {
        if !self.findings.contains_key(&id)
            && let Some(finding) = self.store.finding(self.tenant, id)?
        {
            let before = Some(finding.state());
            self.findings.insert(id, FindingWork { finding, before, touched: false });
        }
        Ok(self.findings.get_mut(&id))
    }

    /// Takes a link in, or its undoing; false if it is so already.
    pub(super) fn take_link(&mut self, link: &Link, on: bool) -> Result<bool, LedgerError> {
        let to = (link.to.tenant.is_none_or(|tenant| tenant == self.tenant)).then_some(link.to.object);
        if to == Some(link.from) {
            return Err(LedgerError::LinkToSelf { object: link.from });
        }
        let sequence = self.sequence;
        let known = self.links_of(link.from)?.iter().find(|known| is_same(&known.link, link)).cloned();
        let is_on = known.as_ref().is_some_and(|known| known.steps.last().is_some_and(|(_, on)| *on));
        if is_on == on {
            // Taking back what was never there is a slip, taking it back twice is not.
            let never = !on && known.is_none();
            return if never { Err(LedgerError::NoLink { object: link.from }) } else { Ok(false) };
        }
        let mut record = known.unwrap_or_else(|| LinkRecord { link: link.clone(), steps: Vec::new() });
        if on {
            record.link = link.clone();
        }
        record.steps.push((sequence, on));
        for end in [Some(link.from), to].into_iter().flatten() {
            let links = self.links_of(end)?;
            links.retain(|known| !is_same(&known.link, link));
            links.push(record.clone());
            self.linked.insert(end);
        }
        Ok(true)
    }

    /// The links of an object as they are known so far in this commit.
    pub(super) fn links_of(&mut self, object: ObjectId) -> Result<&mut Vec<LinkRecord>, LedgerError> {
        let links = match self.links.remove(&object) {
            Some(links) => links,
            None => self.store.links(self.tenant, object)?,
        };
        Ok(self.links.entry(object).or_insert(links))
    }
}

fn is_same(a: &Link, b: &Link) -> bool {
    (a.from, a.to, a.relation) == (b.from, b.to, b.relation)
}
