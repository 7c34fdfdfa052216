//! What an auditor must look at, weighed anew for the chains, names, objects and anchors that a commit touches.
//!
//! A condition has two weights: over everything recorded, and over what is still kept. A finding opens when the kept weight
//! is not zero, and again when it grows after somebody acknowledged or resolved it, or is as much as before but of other snapshots or
//! somebody else's. It is resolved by itself when only snapshots that are no longer kept were at fault, and withdrawn when new evidence
//! says that it never was so.

use std::collections::{BTreeMap, BTreeSet};

use super::judging::{ChainWork, Chains};
use super::objects::Turned;
use super::{FindingWork, Work};
use crate::domain::attribution::held_against;
use crate::domain::finding::{Finding, FindingId, FindingKind, FindingState, Step, Subject};
use crate::domain::holder::{Holder, HolderConfidence, NameView};
use crate::domain::id::{ChainId, MailboxId, ObjectId};
use crate::domain::link::{ANCHORED_MAX, Anchor};
use crate::domain::name::{NameKey, NameKind};
use crate::ledger::LedgerError;
use crate::ledger::chain::Attributor;
use crate::ledger::findings::anchors_of;
use crate::ledger::view::View;
use crate::store::{self, LinkRecord, Order, SnapshotPlace, SnapshotRecord, TallyClass};

/// How much there is of something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Weight {
    /// In all that was ever recorded.
    all: u64,
    /// In what is still kept.
    kept: u64,
    /// Some of it was not so before the commit, or was somebody else's.
    is_news: bool,
}

impl Weight {
    fn new(all: u64, kept: u64) -> Self {
        Self { all, kept, is_news: false }
    }

    fn both(weight: u64) -> Self {
        Self::new(weight, weight)
    }
}

impl Work<'_> {
    /// Weighs everything that the commit touches and puts the findings in their new state.
    pub(super) fn finish_findings(
        &mut self,
        view: &View<'_>,
        attributor: &mut Attributor<'_, '_>,
        chains: &Chains,
        turned: &Turned,
    ) -> Result<(), LedgerError> {
        for (chain, work) in chains {
            self.weigh_chain(chain, work)?;
        }
        self.weigh_owners()?;
        self.weigh_names(view, attributor, chains, turned)?;
        self.weigh_anchors()?;
        for ((kind, run), (all, kept)) in std::mem::take(&mut self.runs) {
            self.weigh(kind, &Subject::Run(run), Weight::new(all, kept))?;
        }
        for work in std::mem::take(&mut self.findings).into_values().filter(|work| work.touched) {
            let counter = self.derived.state.findings.of(work.finding.severity());
            let was_open = work.before == Some(FindingState::Open);
            let is_open = work.finding.state() == FindingState::Open;
            *counter = counter.saturating_add(u64::from(is_open)).saturating_sub(u64::from(was_open));
            self.derived.findings.push(work.finding);
        }
        for (object, records) in std::mem::take(&mut self.links) {
            let sequence = self.sequence;
            let is_news = |record: &LinkRecord| record.steps.last().is_some_and(|(at, _)| *at == sequence);
            self.derived.links.extend(records.into_iter().filter(is_news).map(|record| (object, record)));
        }
        self.derived.anchors = std::mem::take(&mut self.anchors).into_iter().collect();
        Ok(())
    }

    fn weigh_chain(&mut self, chain: &ChainId, work: &ChainWork) -> Result<(), LedgerError> {
        let tallies = &work.tallies;
        let subject = Subject::Chain(chain.clone());
        let certain = |class: &TallyClass| class.judgement.certain_owner();
        let owners: BTreeSet<ObjectId> = tallies.iter().filter_map(|tally| certain(&tally.class)).collect();
        // The bound object matters only where there are several.
        let bound = if owners.len() > 1 { self.first_owner(chain)? } else { owners.first().copied() };
        let of = |is: &dyn Fn(&TallyClass) -> bool| {
            let is_as_before = |before: &TallyClass, after: &TallyClass| {
                let whose = |class: &TallyClass| (class.judgement.object, class.judgement.disputed);
                is(before) && whose(before) == whose(after)
            };
            let is_news = |(before, after): &(Option<TallyClass>, TallyClass)| {
                is(after) && !before.is_some_and(|before| is_as_before(&before, after))
            };
            let sum = Weight { is_news: work.moves.iter().any(is_news), ..Weight::default() };
            tallies.iter().filter(|tally| is(&tally.class)).fold(sum, |sum, tally| Weight {
                all: sum.all.saturating_add(tally.count.all),
                kept: sum.kept.saturating_add(tally.count.kept),
                ..sum
            })
        };
        let foreign = of(&|class| certain(class).is_some() && certain(class) != bound);
        let own = of(&|class| certain(class).is_some() && certain(class) == bound);
        // Where nothing of the bound object is kept any more, what is left belongs together if it is one object's.
        let kept_owners: BTreeSet<ObjectId> =
            tallies.iter().filter(|tally| tally.count.kept > 0).filter_map(|tally| certain(&tally.class)).collect();
        let kept = if kept_owners.len() > 1 { foreign.kept.max(u64::from(own.kept == 0)) } else { 0 };
        self.weigh(FindingKind::MixedChain, &subject, Weight { kept, ..foreign })?;

        let mailboxes = |kept: bool| -> BTreeSet<MailboxId> {
            let counted = tallies.iter().filter(|tally| !kept || tally.count.kept > 0);
            counted.filter_map(|tally| tally.class.mailbox).collect()
        };
        let beyond_one = |set: BTreeSet<MailboxId>| (set.len() as u64).saturating_sub(1);
        let weight = Weight::new(beyond_one(mailboxes(false)), beyond_one(mailboxes(true)));
        self.weigh(FindingKind::MailboxChanged, &subject, weight)?;

        // A receipt of the start alone leaves the rest of the read open, but that much was read.
        let is_other = |read: Option<ObjectId>| read.is_some() && bound.is_some() && read != bound;
        let disputed = of(&|class| class.judgement.disputed || is_other(class.judgement.read()));
        self.weigh(FindingKind::ReceiptMismatch, &subject, disputed)?;

        let settled =
            |class: &TallyClass, confidence| class.judgement.settled && class.judgement.confidence == confidence;
        let mut unsure = of(&|class| {
            // A dispute has a finding of its own, which says more.
            !class.judgement.disputed
                && (settled(class, HolderConfidence::Ambiguous) || settled(class, HolderConfidence::Unknown))
        });
        // Over everything recorded an assumed owner is held against the bound object.
        let held_against = held_against(bound, &kept_owners);
        let differing = |owner: Option<ObjectId>| {
            of(&|class| settled(class, HolderConfidence::Assumed) && class.judgement.likely_owner() != owner)
        };
        let assumed = tallies.iter().filter(|tally| settled(&tally.class, HolderConfidence::Assumed));
        let mut likely: BTreeSet<ObjectId> = assumed.filter_map(|tally| tally.class.judgement.likely_owner()).collect();
        likely.extend(bound);
        likely.extend(held_against);
        if likely.len() > 1 {
            unsure.all = unsure.all.saturating_add(differing(bound).all.max(differing(held_against).all));
            unsure.kept = unsure.kept.saturating_add(differing(held_against).kept);
            unsure.is_news |= differing(held_against).is_news;
        }
        self.weigh(FindingKind::Unattributable, &subject, unsure)?;
        let nobody = of(&|class| settled(class, HolderConfidence::Nobody));
        self.weigh(FindingKind::NobodyHeldName, &subject, nobody)
    }

    /// The owner of a chain's first certainly attributed snapshot, after this commit.
    fn first_owner(&self, chain: &ChainId) -> Result<Option<ObjectId>, LedgerError> {
        // They stand in the order of their chains.
        let all = self.derived.snapshots.as_slice();
        let start = all.partition_point(|record| record.snapshot.chain < *chain);
        let news = all.iter().skip(start).take_while(|record| record.snapshot.chain == *chain);
        let news: BTreeMap<SnapshotPlace, &SnapshotRecord> =
            news.map(|record| ((record.snapshot.from, record.snapshot.id.clone()), record)).collect();
        let certain = |record: &SnapshotRecord| record.judgement.certain_owner();
        let first_new = news.iter().find_map(|(place, record)| Some((place.clone(), certain(record)?)));
        let mut after: Option<SnapshotPlace> = None;
        let mut limit = 1;
        loop {
            let page = self.store.snapshots(self.tenant, chain, Order::Forward, after.as_ref(), limit)?;
            for record in &page {
                let place = (record.snapshot.from, record.snapshot.id.clone());
                if first_new.as_ref().is_some_and(|(first, _)| *first <= place) {
                    return Ok(first_new.map(|(_, owner)| owner));
                }
                if !news.contains_key(&place)
                    && let Some(owner) = certain(record)
                {
                    return Ok(Some(owner));
                }
                after = Some(place);
            }
            if page.len() < limit {
                return Ok(first_new.map(|(_, owner)| owner));
            }
            limit = 256;
        }
    }

    /// Objects that have come to own snapshots in a chain, or no longer do.
    fn weigh_owners(&mut self) -> Result<(), LedgerError> {
        let mut changed: BTreeMap<ObjectId, Vec<(ChainId, bool)>> = BTreeMap::new();
        for (object, chain, owns) in &self.derived.owned {
            changed.entry(*object).or_default().push((chain.clone(), *owns));
        }
        for (object, changes) in changed {
            let mut owned: BTreeSet<ChainId> = self.store.owned(self.tenant, object)?.into_iter().collect();
            for (chain, owns) in changes {
                if owns {
                    owned.insert(chain)
                } else {
                    owned.remove(&chain)
                };
            }
            let weight = if owned.len() > 1 { owned.len() as u64 } else { 0 };
            self.weigh(FindingKind::SplitOwner, &Subject::Object(object), Weight::both(weight))?;
        }
        Ok(())
    }

    /// Names that passed from one object to another, or collide between the namespaces.
    fn weigh_names(
        &mut self,
        view: &View<'_>,
        attributor: &mut Attributor<'_, '_>,
        chains: &Chains,
        turned: &Turned,
    ) -> Result<(), LedgerError> {
        let mut names: BTreeMap<NameKey, bool> = BTreeMap::new();
        for (name, turn) in turned {
            // Most names have one holder for good: nothing can be said of them, and nothing more is read.
            if turn.changed || view.holders(name)?.len() > 1 {
                names.insert(name.clone(), turn.changed || turn.new);
            }
        }
        // A read that found nobody may be all that shows a name's release.
        names.extend(self.derived.vacancies.iter().map(|vacant| (vacant.name.key().clone(), true)));
        // A name is protected from when a chain is opened by it, or belongs to one who held it.
        names
            .extend(self.addressed.iter().filter(|name| !turned.contains_key(*name)).map(|name| (name.clone(), false)));
        let mut protected: BTreeSet<ObjectId> = self.derived.subjects.iter().map(|(object, _)| *object).collect();
        protected.extend(chains.values().flat_map(|work| &work.gained));
        // It is no longer when its holder turns out to own nothing.
        protected.extend(self.derived.owned.iter().filter(|(_, _, owns)| !owns).map(|(object, ..)| *object));
        for object in protected {
            view.load([object], &mut attributor.timelines)?;
            let held = attributor.timelines.get(&object).into_iter().flat_map(|timeline| timeline.names_ever());
            let held: BTreeSet<NameKey> = held.map(|(_, name, _)| name.clone()).collect();
            for name in held.into_iter().filter(|name| !names.contains_key(name)).collect::<Vec<_>>() {
                if view.holders(&name)?.len() > 1 {
                    names.insert(name, false);
                }
            }
        }
        for (name, may_turn) in names {
            let claims = attributor.claims(&name)?;
            if claims.claims().is_empty() {
                continue;
            }
            let holders = claims.ever_held();
            if may_turn {
                let several = holders.values().flatten().collect::<BTreeSet<_>>().len() > 1;
                let is_notable = several || claims.holder(NameKind::Any) == Holder::Nobody;
                self.derived.notable.push((name.clone(), is_notable));
            }
            let passed = holders.values().map(BTreeSet::len).max().filter(|count| *count > 1).unwrap_or_default();
            let reused = if passed > 1 && self.is_protected(&name, &claims)? { passed as u64 } else { 0 };
            let subject = Subject::Name(name);
            self.weigh(FindingKind::NameReused, &subject, Weight::both(reused))?;
            self.weigh(FindingKind::AddressCollision, &subject, Weight::both(claims.collisions().len() as u64))?;
        }
        Ok(())
    }

    fn is_protected(&self, name: &NameKey, claims: &NameView) -> Result<bool, LedgerError> {
        let (store, tenant) = (self.store, self.tenant);
        if self.addressed.contains(name) || !store.chains(tenant, &store::Subject::Name(name.clone()))?.is_empty() {
            return Ok(true);
        }
        for object in claims.objects(NameKind::Any) {
            let is_new = self.derived.subjects.iter().any(|(subject, _)| *subject == object)
                || self.derived.owned.iter().any(|(owner, _, owns)| *owner == object && *owns);
            if is_new
                || !store.chains(tenant, &store::Subject::Object(object))?.is_empty()
                || self.owns_something(object)?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether the object certainly owns a snapshot, after this commit.
    fn owns_something(&self, object: ObjectId) -> Result<bool, LedgerError> {
        let lost = |chain: &ChainId| {
            self.derived.owned.iter().any(|(owner, lost, owns)| *owner == object && lost == chain && !owns)
        };
        Ok(self.store.owned(self.tenant, object)?.iter().any(|chain| !lost(chain)))
    }

    /// Objects that share an anchor and are not linked.
    fn weigh_anchors(&mut self) -> Result<(), LedgerError> {
        let mut anchors: BTreeSet<Anchor> = self.anchors.iter().map(|(anchor, _)| anchor.clone()).collect();
        for object in std::mem::take(&mut self.linked) {
            anchors.extend(anchors_of(self.store, self.tenant, object)?);
        }
        for anchor in anchors {
            let mut objects: BTreeSet<ObjectId> = self.store.anchored(self.tenant, &anchor)?.into_iter().collect();
            objects.extend(self.anchors.iter().filter(|(known, _)| *known == anchor).map(|(_, object)| *object));
            // A value that many share, such as a company's default, tells nobody apart.
            let shared = objects.len() > 1 && objects.len() <= ANCHORED_MAX;
            let weight = if shared && !self.are_linked(&objects)? { objects.len() as u64 } else { 0 };
            let all = if shared { objects.len() as u64 } else { 0 };
            self.weigh(FindingKind::LinkCandidate, &Subject::Anchor(anchor), Weight::new(all, weight))?;
        }
        Ok(())
    }

    /// Whether links in force lead from each of the objects to all others.
    fn are_linked(&mut self, objects: &BTreeSet<ObjectId>) -> Result<bool, LedgerError> {
        let Some(first) = objects.first() else { return Ok(true) };
        let mut reached = BTreeSet::from([*first]);
        let mut next = vec![*first];
        while let Some(object) = next.pop() {
            for record in self.links_of(object)?.iter().filter(|record| record.steps.last().is_some_and(|(_, on)| *on))
            {
                for end in [record.link.from, record.link.to.object] {
                    if objects.contains(&end) && reached.insert(end) {
                        next.push(end);
                    }
                }
            }
        }
        Ok(reached.len() == objects.len())
    }

    /// Puts one finding in the state that its weight calls for.
    fn weigh(&mut self, kind: FindingKind, subject: &Subject, weight: Weight) -> Result<(), LedgerError> {
        let id = FindingId::of(kind, subject);
        let (sequence, time) = (self.sequence, self.recorded);
        let step = |state, note: Option<&str>| Step { state, sequence, time, by: None, note: note.map(str::to_owned) };
        let Some(work) = self.finding(id)? else {
            if weight.kept > 0 {
                let steps = vec![step(FindingState::Open, None)];
                let finding = Finding { id, kind, subject: subject.clone(), weight: weight.kept, steps };
                self.findings.insert(id, FindingWork { finding, before: None, touched: true });
            }
            return Ok(());
        };
        let state = work.finding.state();
        let grew = weight.kept > work.finding.weight;
        let again = if grew { "there is more of it" } else { "it is of other snapshots, or somebody else's" };
        let next = match (state, weight.kept > 0) {
            (FindingState::Withdrawn, true) => Some(step(FindingState::Open, Some("new evidence shows it again"))),
            (FindingState::Acknowledged | FindingState::Resolved, true) if grew || weight.is_news => {
                Some(step(FindingState::Open, Some(again)))
            }
            (FindingState::Open | FindingState::Acknowledged, false) if weight.all > 0 => {
                let note = match kind {
                    FindingKind::LinkCandidate => "the objects are linked",
                    FindingKind::MassChange => "the round is no longer held",
                    _ => "what is still kept no longer shows it",
                };
                Some(step(FindingState::Resolved, Some(note)))
            }
            (FindingState::Open | FindingState::Acknowledged, false) => {
                Some(step(FindingState::Withdrawn, Some("new evidence shows otherwise")))
            }
            _ => None,
        };
        if next.is_some() || work.finding.weight != weight.kept {
            work.finding.weight = weight.kept;
            work.finding.steps.extend(next);
            work.touched = true;
        }
        Ok(())
    }
}
