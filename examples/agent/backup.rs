//! A backup run of one mailbox.
//!
//! 1. What an earlier run wrote and could not tell is told.
//! 2. Graph says which mailbox answers at the object id; whowas says whether it may be appended to the chain.
//! 3. The mailbox is opened by object id, its changes are written, and Graph says once more which mailbox answered.
//! 4. When all of it is on the disk, and no sooner, the snapshot and its receipt are recorded.

use std::collections::BTreeMap;

use whowas::domain::id::ObjectId;
use whowas::domain::verdict::{Action, Outcome};

use super::Agent;
use super::graph::Seen;
use super::identity::{Answer, Ask, Read, Taken};
use super::repository::{FolderPart, Manifest, Unfinished};
use super::trouble::Trouble;

/// How a run ended.
#[derive(Clone, Debug)]
pub enum Run {
    /// A snapshot more.
    Took { verdict: Outcome, chain: String, snapshot: String, full: bool, items: usize },
    /// whowas said stop: nothing was read, and the chain stays as it is.
    Stopped { verdict: Outcome, reasons: Vec<String> },
    /// Nothing can be said yet. The next run asks again; nothing is lost, because incrementals go on from the stored links.
    Later { why: String },
}

/// Where a run writes.
struct Plan {
    verdict: Outcome,
    chain: String,
    /// The snapshot it builds on; without one everything is read.
    base: Option<Manifest>,
}

impl Agent {
    /// Finds whose mailbox a name opens now, proved by a read of the directory, when somebody is to be protected. From then
    /// on the agent knows the object id and forgets the name. What cannot be proved is said, and nobody is protected by it.
    pub async fn enrol(&self, name: &str) -> Result<Result<ObjectId, Run>, Trouble> {
        let ask = Ask { name: Some(name.to_owned()), at: Some((self.clock)()), ..Ask::default() };
        let Answer { verdict, action, object, reasons, .. } = self.identity.check(&ask, true).await?;
        Ok(match (action, object) {
            (Action::Full | Action::Incremental, Some(object)) => Ok(object),
            (Action::Refresh, _) => Err(Run::Later { why: reasons.join("; ") }),
            _ => Err(Run::Stopped { verdict, reasons }),
        })
    }

    /// Backs up one protected mailbox.
    pub async fn back_up(&self, object: ObjectId) -> Result<Run, Trouble> {
        self.catch_up().await?;
        let mut forgotten = false;
        loop {
            let from = (self.clock)();
            let seen = match self.graph.seen(object).await {
                Ok(seen) => Some(seen),
                // Whether that is a leaver, a licence or a directory that trails is not for the agent to guess.
                Err(Trouble::NoMailbox(_)) => None,
                Err(other) => return Err(other),
            };
            let chain = self.repository.chain_of(object)?;
            // A forgotten link may mean that another mailbox answers now, so the directory is read before the answer.
            let answer = self.ask(object, chain.as_deref(), seen, forgotten).await?;
            let plan = match self.plan(object, chain, &answer, from)? {
                Ok(plan) => plan,
                Err(ended) => return Ok(ended),
            };
            let Some(seen) = seen else {
                return Ok(Run::Later { why: format!("{:?}, and yet there is no mailbox to open", answer.verdict) });
            };
            match self.take(&plan, seen, from, forgotten).await {
                Err(Trouble::LinkForgotten) if !forgotten => forgotten = true,
                other => return other,
            }
        }
    }

    /// Tells whowas what lies on the disk and may be unknown to it: a run may have ended just there.
    async fn catch_up(&self) -> Result<(), Trouble> {
        for manifest in self.repository.unrecorded()? {
            self.record(&manifest).await?;
        }
        Ok(())
    }

    async fn ask(
        &self,
        object: ObjectId,
        chain: Option<&str>,
        seen: Option<Seen>,
        live: bool,
    ) -> Result<Answer, Trouble> {
        let ask = Ask {
            chain: chain.map(str::to_owned),
            name: None,
            object: Some(object),
            mailbox: seen.and_then(|seen| seen.mailbox),
            at: Some((self.clock)()),
        };
        let answer = self.identity.check(&ask, live).await?;
        match answer.action {
            Action::Refresh if !live => self.identity.check(&ask, true).await,
            _ => Ok(answer),
        }
    }

    /// What the answer obliges to: where to write, or how the run ends.
    fn plan(
        &self,
        object: ObjectId,
        chain: Option<String>,
        answer: &Answer,
        now: whowas::domain::time::Instant,
    ) -> Result<Result<Plan, Run>, Trouble> {
        let (verdict, reasons) = (answer.verdict, answer.reasons.clone());
        // What is opened is what the answer names, and that is the object asked about.
        let is_ours = answer.object == Some(object) && answer.open.as_deref() == Some(&format!("/users/{object}"));
        let new_chain = || format!("{object}.{}", now.to_string().replace(['-', ':'], ""));
        Ok(match answer.action {
            Action::Stop => Err(Run::Stopped { verdict, reasons }),
            Action::Refresh => Err(Run::Later { why: reasons.join("; ") }),
            Action::Incremental | Action::Full if !is_ours => Err(Run::Stopped { verdict, reasons }),
            Action::Full => Ok(Plan { verdict, chain: new_chain(), base: None }),
            Action::Incremental => {
                let base = match (&chain, &answer.base) {
                    (Some(chain), Some(base)) => self.repository.find(chain, base)?,
                    _ => None,
                };
                match (chain, base) {
                    (Some(chain), Some(base)) => Ok(Plan { verdict, chain, base: Some(base) }),
                    // The snapshot to build on is not on this disk. What whowas knows of the old chain stays true of it.
                    _ => Ok(Plan { verdict, chain: new_chain(), base: None }),
                }
            }
        })
    }

    async fn take(
        &self,
        plan: &Plan,
        seen: Seen,
        from: whowas::domain::time::Instant,
        anew: bool,
    ) -> Result<Run, Trouble> {
        let (snapshot, mut unfinished) = self.repository.begin(&plan.chain)?;
        let (folders, items) = match self.read(plan, seen.object, &mut unfinished, anew).await {
            Ok(read) => read,
            Err(trouble) => {
                unfinished.discard()?;
                return Err(trouble);
            }
        };
        let end = match self.graph.seen(seen.object).await {
            Ok(end) => Some(end),
            Err(Trouble::NoMailbox(_)) => None,
            Err(other) => return Err(other),
        };
        // The mailbox changed under the run: what was read may be of both, and belongs into no chain.
        if end != Some(seen) {
            unfinished.discard()?;
            return Ok(Run::Later { why: "another mailbox answered at the end than at the start".to_owned() });
        }
        let full = folders.values().all(|part| part.full);
        let manifest = Manifest {
            chain: plan.chain.clone(),
            snapshot,
            base: plan.base.as_ref().map(|base| base.snapshot.clone()),
            object: seen.object,
            mailbox: seen.mailbox,
            from,
            until: (self.clock)().max(from.succ()),
            folders,
        };
        unfinished.commit(&manifest)?;
        self.record(&manifest).await?;
        let Manifest { chain, snapshot, .. } = manifest;
        Ok(Run::Took { verdict: plan.verdict, chain, snapshot, full, items })
    }

    async fn read(
        &self,
        plan: &Plan,
        object: ObjectId,
        unfinished: &mut Unfinished,
        anew: bool,
    ) -> Result<(BTreeMap<String, FolderPart>, usize), Trouble> {
        let (mut parts, mut items) = (BTreeMap::new(), 0);
        for folder in self.graph.folders(object).await? {
            let base = plan.base.as_ref().filter(|_| !anew).and_then(|base| base.folders.get(&folder.id));
            let mut pages = Vec::new();
            let write = |_, page: &[serde_json::Value]| {
                items += page.len();
                if !page.is_empty() {
                    pages.push(unfinished.page(page)?);
                }
                Ok(())
            };
            let link = self.graph.changes(object, &folder.id, base.map(|base| base.link.as_str()), write).await?;
            parts.insert(folder.id, FolderPart { name: folder.name, full: base.is_none(), link, pages });
        }
        Ok((parts, items))
    }

    /// Both may be told again, and are, when the answer or the mark was lost.
    async fn record(&self, manifest: &Manifest) -> Result<(), Trouble> {
        let Manifest { chain, snapshot, object, mailbox, from, until, .. } = manifest.clone();
        let taken = Taken { chain, snapshot, from, until, object, mailbox };
        self.identity.record(&taken).await?;
        let read = Read { object, mailbox, object_end: object, mailbox_end: mailbox };
        self.identity.receipt(&taken.chain, &taken.snapshot, &read).await?;
        self.repository.mark_recorded(manifest)
    }
}
