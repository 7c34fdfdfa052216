//! Whose data snapshots hold: judged anew where, and only where, a commit's facts can change it.
//!
//! - A snapshot that the commit records, or that it brings a receipt for, is judged.
//! - Facts about an object can change who held its names, so the snapshots addressed by one of them are judged anew; the
//!   same for a name under which a read found nobody.
//! - A horizon proves what lies after the one before it, so the snapshots addressed by a name that end there are; so are
//!   those that it settles. One of the audit log lets readings since the one before it reach back to their object's last
//!   event, so those are too that it covers and that are not certain yet.
//! - New terms of attribution concern every snapshot that was addressed by a name.
//!
//! The last two may concern a whole catalogue, so a commit looks at a bounded number and leaves the rest to commits without
//! facts that follow at once.

use std::collections::{BTreeMap, BTreeSet};

use super::{SnapshotWork, Work};
use crate::domain::fact::Feed;
use crate::domain::id::{ChainId, ObjectId, SnapshotId};
use crate::domain::name::NameKey;
use crate::domain::time::Instant;
use crate::ledger::LedgerError;
use crate::ledger::chain::Attributor;
use crate::ledger::view::Pending;
use crate::store::{Proved, SnapshotRecord, Stint, Tally, TallyClass, TallyCount};

/// What a commit makes of a chain's counts.
pub(super) struct ChainWork {
    /// The counts after it, none of them empty.
    pub tallies: Vec<Tally>,
    /// The objects that own snapshots in it for the first time.
    pub gained: BTreeSet<ObjectId>,
    /// How snapshots are counted now that are still kept, and how each was before if it was kept then.
    pub moves: Moves,
}

/// Pairs of a class before and one after.
pub(super) type Moves = BTreeSet<(Option<TallyClass>, TallyClass)>;

/// By how many more snapshots a class counts, of all and of those still kept.
type Changes = BTreeMap<TallyClass, (i64, i64)>;

/// The chains that a commit touches.
pub(super) type Chains = BTreeMap<ChainId, ChainWork>;

/// How many snapshots are read at a time.
const PAGE: usize = 512;
/// How many snapshots one commit looks at because of horizons and terms, which may concern a whole catalogue.
const LOOKED_AT_MAX: usize = if cfg!(test) { 3 } else { 20_000 };

impl Work<'_> {
    /// Judges, counts, and tells the chains whose counts changed.
    pub(super) fn finish_snapshots(
        &mut self,
        pending: &Pending,
        attributor: &mut Attributor<'_, '_>,
    ) -> Result<Chains, LedgerError> {
        for work in self.snapshots.values_mut().filter(|work| work.touched) {
            work.record.judgement = attributor.judge(&work.record)?;
            work.record.judged = self.sequence;
        }
        if self.before.counts.named > 0 {
            self.judge_named(pending, attributor)?;
            self.judge_ending(attributor)?;
        }
        let mut changes: BTreeMap<ChainId, (Changes, Moves)> = BTreeMap::new();
        for work in std::mem::take(&mut self.snapshots).into_values().filter(|work| work.touched) {
            let record = work.record;
            let (classes, moves) = changes.entry(record.snapshot.chain.clone()).or_default();
            let after = (record.class(), record.expired.is_none());
            if after.1 {
                moves.insert((work.before.filter(|(_, kept)| *kept).map(|(class, _)| class), after.0));
            }
            for ((class, kept), by) in work.before.into_iter().map(|before| (before, -1)).chain([(after, 1)]) {
                let (all, still) = classes.entry(class).or_default();
                *all += by;
                *still += if kept { by } else { 0 };
            }
            self.derived.snapshots.push(record);
        }
        let mut chains = Chains::new();
        for (chain, (classes, moves)) in changes {
            let work = self.count_chain(&chain, classes, moves)?;
            chains.insert(chain, work);
        }
        self.derived.subjects = std::mem::take(&mut self.subjects).into_iter().collect();
        Ok(chains)
    }

    fn judge_named(&mut self, pending: &Pending, attributor: &mut Attributor<'_, '_>) -> Result<(), LedgerError> {
        let mut names: BTreeSet<NameKey> = pending.vacancies.keys().cloned().collect();
        for facts in pending.objects.values() {
            names.extend(facts.iter().flat_map(|known| super::owned_names(&known.fact)).map(|(_, name)| name));
        }
        for name in names {
            let mut after = None;
            loop {
                let page = self.store.snapshots_named(self.tenant, &name, after.as_ref(), PAGE)?;
                let Some(last) = page.last().map(|record| &record.snapshot) else { break };
                after = Some((last.chain.clone(), last.until, last.id.clone()));
                self.judge_page(page, attributor)?;
            }
        }
        Ok(())
    }

    /// Judges what horizons and terms concern, as far as one commit goes; what is left is noted in the backlog, and the
    /// commits that follow go on with it.
    fn judge_ending(&mut self, attributor: &mut Attributor<'_, '_>) -> Result<(), LedgerError> {
        let mut left = LOOKED_AT_MAX;
        let mut backlog = Vec::new();
        for mut stint in self.stints() {
            while left > 0 {
                let limit = left.min(PAGE);
                let (from, through, after) = (stint.from, stint.through, stint.after.as_ref());
                let page = self.store.snapshots_ending(self.tenant, stint.proved, from, through, after, limit)?;
                let Some(last) = page.last().map(|record| &record.snapshot) else { break };
                stint.after = Some((last.until, last.chain.clone(), last.id.clone()));
                left -= page.len();
                self.judge_page(page, attributor)?;
            }
            if left == 0 {
                backlog.push(stint);
            }
        }
        self.derived.state.backlog = backlog;
        Ok(())
    }

    /// The stretches of snapshots that this commit concerns, after those that earlier ones left.
    fn stints(&self) -> Vec<Stint> {
        let (old, new) = (&self.before, &self.derived.state);
        let stint = |proved, from, through| Stint { proved, from, through, after: None };
        if new.settling != old.settling {
            return vec![stint(Proved::Any, Instant::MIN, Instant::MAX)];
        }
        let mut stints = old.backlog.clone();
        let (horizon, settled) = (old.coverage.horizon(), new.coverage.horizon());
        if let Some(settled) = settled.filter(|settled| Some(*settled) > horizon) {
            let wait = new.settling.wait();
            let from = horizon.map_or(Instant::MIN, |horizon| horizon.minus(wait));
            stints.push(stint(Proved::Any, from, settled.minus(wait)));
        }
        let audits = self.horizons.iter().filter(|proof| proof.feed == Feed::Audit);
        let reached = audits.filter_map(|proof| new.coverage.stretch_from(Feed::Audit, proof.through));
        stints.extend(reached.map(|stretch| stint(Proved::Not, stretch.from, stretch.through)));
        let proves = self.horizons.iter().map(|proof| match proof.feed {
            // What lay beyond the newest horizon was not held against it; now it may lie in a gap.
            Feed::Delta => horizon.map_or(proof.from, |horizon| proof.from.min(horizon)),
            Feed::Audit => proof.from,
        });
        stints.extend(proves.min().map(|first| stint(Proved::Any, first, Instant::MAX)));
        stints
    }

    /// Judges stored snapshots anew and keeps those of which something changed.
    fn judge_page(
        &mut self,
        page: Vec<SnapshotRecord>,
        attributor: &mut Attributor<'_, '_>,
    ) -> Result<(), LedgerError> {
        for record in page {
            let place: (ChainId, SnapshotId) = (record.snapshot.chain.clone(), record.snapshot.id.clone());
            if self.snapshots.get(&place).is_some_and(|work| work.touched) {
                continue;
            }
            let judgement = attributor.judge(&record)?;
            if judgement != record.judgement {
                let mut work = SnapshotWork::of(record);
                work.record.judgement = judgement;
                work.record.judged = self.sequence;
                work.touched = true;
                self.snapshots.insert(place, work);
            }
        }
        Ok(())
    }

    fn count_chain(&mut self, chain: &ChainId, classes: Changes, moves: Moves) -> Result<ChainWork, LedgerError> {
        let stored = self.store.tallies(self.tenant, chain)?;
        let mut tallies: BTreeMap<TallyClass, Tally> = stored.iter().map(|tally| (tally.class, *tally)).collect();
        for (class, (all, kept)) in classes.into_iter().filter(|(_, change)| *change != (0, 0)) {
            let empty = Tally { class, count: TallyCount::default(), changed: self.sequence };
            let tally = tallies.entry(class).or_insert(empty);
            tally.count.all = tally.count.all.saturating_add_signed(all);
            tally.count.kept = tally.count.kept.saturating_add_signed(kept);
            tally.changed = self.sequence;
            self.derived.tallies.push((chain.clone(), *tally));
        }
        tallies.retain(|_, tally| tally.count.all > 0);
        let tallies: Vec<Tally> = tallies.into_values().collect();
        let (before, after) = (owners(&stored), owners(&tallies));
        for lost in before.difference(&after) {
            self.derived.owned.push((*lost, chain.clone(), false));
        }
        let gained: BTreeSet<ObjectId> = after.difference(&before).copied().collect();
        self.derived.owned.extend(gained.iter().map(|object| (*object, chain.clone(), true)));
        Ok(ChainWork { tallies, gained, moves })
    }
}

/// The objects that certainly own a snapshot of a chain.
fn owners(tallies: &[Tally]) -> BTreeSet<ObjectId> {
    tallies.iter().filter_map(|tally| tally.class.judgement.certain_owner()).collect()
}
