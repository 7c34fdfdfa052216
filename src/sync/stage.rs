//! What a round has read and not committed yet: a guard looks at all of it before anything is applied.
//!
//! A round that fits in memory is looked at when its last page is there, and then committed. A larger one is read twice: first
//! its pages are looked at and let go, and only if the whole of it may pass it is read again and committed in parts. So a
//! round that is too much is held before anything of it is applied, and a run that ends in mid-round leaves no more for the
//! next one than what was within the limits when all of it was looked at.

use std::collections::HashSet;

use crate::domain::fact::Fact;
use crate::domain::guard::Impact;
use crate::domain::id::ObjectId;
use crate::ledger::{Assessment, Batch, Hold};

use super::guard::Breach;
use super::run::Ticker;
use super::{Context, SyncError};

/// The pages of a round that are not committed yet, and what the round would change so far.
pub(super) struct Stage {
    pages: Vec<Batch>,
    items: usize,
    /// Live objects before the round.
    active: u64,
    /// What an operator lets pass: a hold, and what is not much more than it.
    accepted: Option<Hold>,
    assessment: Assessment,
    /// All of the round was looked at already; it is read for the second time.
    is_second: bool,
    /// Whether pages were looked at and let go, and who is on them.
    has_let_go: bool,
    let_go: HashSet<ObjectId>,
    /// Items that this run has committed.
    applied: usize,
}

/// What ends a reading into the stage before its end.
pub(super) enum Ended {
    /// A guard.
    Held(Breach),
    /// A failure.
    Failed(SyncError),
}

impl<E: Into<SyncError>> From<E> for Ended {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl Stage {
    pub fn new(active: u64, accepted: Option<Hold>) -> Self {
        Self {
            pages: Vec::new(),
            items: 0,
            active,
            accepted,
            assessment: Assessment::default(),
            is_second: false,
            has_let_go: false,
            let_go: HashSet::new(),
            applied: 0,
        }
    }

    /// Whether an operator lets the round pass.
    pub fn is_accepted(&self) -> bool {
        self.accepted.is_some()
    }

    /// What the round would change, as far as it was looked at.
    pub fn assessment(&self) -> &Assessment {
        &self.assessment
    }

    /// Forgets what is not committed, because the round begins anew.
    pub fn clear(&mut self) {
        self.pages.clear();
        self.items = 0;
        if !self.is_second {
            self.assessment = Assessment::default();
            self.has_let_go = false;
            self.let_go.clear();
        }
    }

    /// Whether the round, which is at its end and may pass, has to be read again because not all of it is in memory. If so
    /// all is forgotten: by then the directory may show something else.
    pub fn must_read_again(&mut self, ticker: &mut Ticker<'_>) -> bool {
        if !self.has_let_go {
            return false;
        }
        self.clear();
        self.is_second = true;
        ticker.entry.note.get_or_insert_with(|| {
            "there was more to read than is kept in memory: it was read once to be looked at and once to be applied"
                .to_owned()
        });
        true
    }

    /// The objects on pages that are not committed.
    pub fn objects(&self) -> impl Iterator<Item = ObjectId> {
        let staged = self.pages.iter().flat_map(|page| page.facts.iter().filter_map(Fact::object));
        staged.chain(self.let_go.iter().copied())
    }

    /// Takes a page in. If there are too many by now, they are looked at, and let go or, in the second reading, committed;
    /// the breach if that may not be.
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
        if self.is_second {
            self.commit(context, ticker).await?;
        } else {
            let shown: Vec<ObjectId> = self.objects().collect();
            self.let_go.extend(shown);
            self.has_let_go = true;
            self.pages.clear();
            self.items = 0;
        }
        Ok(None)
    }

    /// Takes in what became of objects that the pages did not show. It is committed after them, in as many commits as it takes: half of a
    /// large directory may have left at once.
    pub fn add(&mut self, context: &Context, facts: &[Fact]) {
        let parts = facts.chunks(context.commit_facts());
        self.pages.extend(parts.map(|facts| Batch { facts: facts.to_vec(), ..Batch::default() }));
    }

    /// Looks at what is not committed yet and at these last facts. The breach, if it is too much.
    pub async fn examine(&mut self, context: &Context, last: &[Fact]) -> Result<Option<Breach>, SyncError> {
        let facts: Vec<Fact> = self.pages.iter().flat_map(|page| &page.facts).chain(last).cloned().collect();
        let announced = context.guard.announced.clone();
        let found = context.blocking(move |ledger, tenant| ledger.assess(tenant, &facts, &announced)).await?;
        self.assessment.add(found);
        let impact = self.assessment.impact(self.active);
        let why = match &self.accepted {
            None => context.guard.limits.breach(&impact),
            Some(hold) => context.guard.limits.breach(&self.beyond(hold, &impact)).map(|why| {
                format!("the directory shows more than what was held as run {}, namely {why}", hold.standstill.run)
            }),
        };
        Ok(why.map(|why| Breach { why, impact, objects: self.assessment.objects(), applied: self.applied }))
    }

    /// By how much the round is larger than the hold that an operator accepted: as many more, or as many others.
    fn beyond(&self, hold: &Hold, impact: &Impact) -> Impact {
        let more = Impact {
            removals: impact.removals.saturating_sub(hold.impact.removals),
            renames: impact.renames.saturating_sub(hold.impact.renames),
            takeovers: impact.takeovers.saturating_sub(hold.impact.takeovers),
            active: impact.active,
        };
        if !hold.standstill.complete {
            return more;
        }
        let others = self.assessment.without(&hold.standstill.objects).impact(self.active);
        Impact {
            removals: more.removals.max(others.removals),
            renames: more.renames.max(others.renames),
            takeovers: more.takeovers.max(others.takeovers),
            active: more.active,
        }
    }

    /// Commits what is staged, page by page, each with its cursor.
    pub async fn commit(&mut self, context: &Context, ticker: &mut Ticker<'_>) -> Result<(), SyncError> {
        for page in std::mem::take(&mut self.pages) {
            self.applied += page.facts.iter().filter(|fact| fact.object().is_some() && !fact.is_about_scope()).count();
            let appended = context.append(page).await?;
            ticker.committed(&appended.summary);
        }
        self.items = 0;
        Ok(())
    }
}
