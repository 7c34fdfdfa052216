//! What a round has read and not committed yet: a guard looks at all of it before anything is applied.

use crate::domain::fact::Fact;
use crate::domain::id::ObjectId;
use crate::ledger::{Assessment, Batch};

use super::guard::Breach;
use super::run::Ticker;
use super::{Context, SyncError};

/// The pages of a round that are not committed yet, and what the round would change so far.
pub(super) struct Stage {
    pages: Vec<Batch>,
    items: usize,
    /// Live objects before the round.
    active: u64,
    /// An operator lets the round pass, whatever it changes.
    lifted: bool,
    assessment: Assessment,
}

impl Stage {
    pub fn new(active: u64, lifted: bool) -> Self {
        Self { pages: Vec::new(), items: 0, active, lifted, assessment: Assessment::default() }
    }

    /// Whether an operator lets the round pass.
    pub fn is_lifted(&self) -> bool {
        self.lifted
    }

    /// What the round would change, as far as it was looked at.
    pub fn assessment(&self) -> &Assessment {
        &self.assessment
    }

    /// Forgets what is not committed, because the round begins anew.
    pub fn clear(&mut self) {
        self.pages.clear();
        self.items = 0;
    }

    /// The objects on pages that are not committed yet.
    pub fn objects(&self) -> impl Iterator<Item = ObjectId> {
        self.pages.iter().flat_map(|page| page.facts.iter().filter_map(Fact::object))
    }

    /// Takes a page in. If there are too many by now, they are looked at and committed; the breach if that may not be.
    pub async fn push(
        &mut self,
        context: &Context,
        page: Batch,
        ticker: &mut Ticker<'_>,
    ) -> Result<Option<Breach>, SyncError> {
        self.items += page.facts.len();
        self.pages.push(page);
        ticker.tell();
        if self.items <= context.guard.staged_max {
            return Ok(None);
        }
        if let Some(breach) = self.examine(context, &[]).await? {
            return Ok(Some(breach));
        }
        self.commit(context, ticker).await?;
        Ok(None)
    }

    /// Looks at what is not committed yet and at these last facts. The breach, if it is too much.
    pub async fn examine(&mut self, context: &Context, last: &[Fact]) -> Result<Option<Breach>, SyncError> {
        let facts: Vec<Fact> = self.pages.iter().flat_map(|page| &page.facts).chain(last).cloned().collect();
        let announced = context.guard.announced.clone();
        let found = context.blocking(move |ledger, tenant| ledger.assess(tenant, &facts, &announced)).await?;
        self.assessment.add(found);
        let impact = self.assessment.impact(self.active);
        let why = context.guard.limits.breach(&impact).filter(|_| !self.lifted);
        Ok(why.map(|why| Breach { why, impact, objects: self.assessment.objects() }))
    }

    /// Commits what is staged, page by page, each with its cursor.
    pub async fn commit(&mut self, context: &Context, ticker: &mut Ticker<'_>) -> Result<(), SyncError> {
        for page in std::mem::take(&mut self.pages) {
            let appended = context.append(page).await?;
            ticker.committed(&appended.summary);
        }
        self.items = 0;
        Ok(())
    }
}
