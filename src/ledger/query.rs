//! The auditor's questions: who a name was, how an object's names ran, whose data a snapshot holds.

use std::collections::BTreeMap;

use crate::domain::attribution::{Attribution, Settling};
use crate::domain::fact::Receipt;
use crate::domain::holder::{Claim, Holder, HolderConfidence, NameView, Standing};
use crate::domain::id::{ChainId, ObjectId, SnapshotId, TenantId};
use crate::domain::interval::Interval;
use crate::domain::name::{Name, NameKey, NameKind};
use crate::domain::time::Instant;
use crate::domain::timeline::{Names, Role, State, StatePeriod, Timeline};
use crate::domain::track::{Period, Track};
use crate::store::{Order, SnapshotPlace, SnapshotRecord, Subject};

use super::chain::Attributor;
use super::scope::ScopePeriod;
use super::{Basis, KnownAt, Ledger, LedgerError};

/// Who held a name.
#[derive(Clone, Debug)]
pub struct Who {
    /// The instant asked about.
    pub at: Instant,
    /// The answer.
    pub standing: Standing,
    /// What it rests on.
    pub basis: Basis,
}

/// Everyone who ever held a name.
#[derive(Clone, Debug)]
pub struct NameHistory {
    /// The claims, by namespace and object.
    pub claims: Vec<Claim>,
    /// What it rests on.
    pub basis: Basis,
}

/// One object over time.
#[derive(Clone, Debug)]
pub struct ObjectHistory {
    /// Whose.
    pub object: ObjectId,
    /// Where it stands now.
    pub state: State,
    /// When it was created.
    pub created: Option<Instant>,
    /// Its names now, or the last it had.
    pub names: Names,
    /// Every name it ever held, with its periods.
    pub periods: Vec<(Role, Name, Period)>,
    /// Its states.
    pub states: Vec<StatePeriod>,
    /// The chains it owns.
    pub chains: Vec<ChainId>,
    /// Whether the mapping protected it, since when; empty if no rules were ever applied.
    pub scopes: Vec<ScopePeriod>,
    /// What it rests on.
    pub basis: Basis,
}

/// A snapshot and whose data it holds.
#[derive(Clone, Debug)]
pub struct SnapshotView {
    /// The snapshot, as known at the basis.
    pub record: SnapshotRecord,
    /// The newest receipt.
    pub receipt: Option<Receipt>,
    /// Whose data.
    pub attribution: Attribution,
}

impl Ledger {
    /// Who held a name at an instant; without one, who holds it by the newest evidence.
    pub fn who(
        &self,
        tenant: TenantId,
        name: &Name,
        kind: NameKind,
        at: Option<Instant>,
        known_at: KnownAt,
        now: Instant,
    ) -> Result<Who, LedgerError> {
        let view = self.view(tenant, known_at)?;
        let claims = view.claims(name.key(), &mut BTreeMap::new())?;
        let moment = at.unwrap_or(now);
        let instant = Interval::closed(moment, moment);
        let mut standing = match instant {
            Some(instant) => claims.standing(instant, kind, view.coverage()),
            None => Standing { confidence: HolderConfidence::Unknown, holder: None, candidates: Vec::new() },
        };
        if at.is_none() {
            carry_forward(&mut standing, &claims, kind);
        }
        Ok(Who { at: moment, standing, basis: view.basis(now) })
    }

    /// Everyone who ever held a name.
    pub fn name_history(
        &self,
        tenant: TenantId,
        key: &NameKey,
        known_at: KnownAt,
        now: Instant,
    ) -> Result<NameHistory, LedgerError> {
        let view = self.view(tenant, known_at)?;
        let claims = view.claims(key, &mut BTreeMap::new())?;
        Ok(NameHistory { claims: claims.claims().to_vec(), basis: view.basis(now) })
    }

    /// One object over time; `None` if it was never seen.
    pub fn object_history(
        &self,
        tenant: TenantId,
        object: ObjectId,
        settling: Settling,
        known_at: KnownAt,
        now: Instant,
    ) -> Result<Option<ObjectHistory>, LedgerError> {
        let view = self.view(tenant, known_at)?;
        let timeline = view.timeline(object)?;
        if timeline.is_empty() {
            return Ok(None);
        }
        let mut attributor = Attributor::new(&view, settling);
        let mut periods = Vec::new();
        for (role, key, spelling) in timeline.names_ever() {
            let track = sharpened(&mut attributor, &timeline, role, key)?;
            periods.extend(track.periods().into_iter().map(|period| (role, spelling.clone(), period)));
        }
        periods.sort_by_key(|(role, _, period)| (*role, period.from.by(), period.from.after()));
        let chains = attributor.chains_of(object)?.into_iter().map(|case| case.id).collect();
        Ok(Some(ObjectHistory {
            object,
            state: timeline.state(),
            created: timeline.created(),
            names: timeline.names(),
            periods,
            states: timeline.states(),
            chains,
            scopes: view.scope_history(object)?,
            basis: view.basis(now),
        }))
    }

    /// One snapshot and whose data it holds.
    pub fn snapshot(
        &self,
        tenant: TenantId,
        chain: &ChainId,
        id: &SnapshotId,
        settling: Settling,
    ) -> Result<Option<SnapshotView>, LedgerError> {
        let Some(record) = self.store().snapshot(tenant, chain, id)? else { return Ok(None) };
        let view = self.view(tenant, KnownAt::Now)?;
        let mut attributor = Attributor::new(&view, settling);
        look(&mut attributor, record).map(Some)
    }

    /// Up to `limit` snapshots of a chain after a place, oldest first.
    pub fn snapshots(
        &self,
        tenant: TenantId,
        chain: &ChainId,
        after: Option<&SnapshotPlace>,
        limit: usize,
        settling: Settling,
    ) -> Result<Vec<SnapshotView>, LedgerError> {
        let view = self.view(tenant, KnownAt::Now)?;
        let mut attributor = Attributor::new(&view, settling);
        let records = self.store().snapshots(tenant, chain, Order::Forward, after, limit)?;
        records.into_iter().map(|record| look(&mut attributor, record)).collect()
    }

    /// The chains with snapshots addressed by an object id (or receipted for it) or by a name.
    pub fn chains_addressed(&self, tenant: TenantId, subject: &Subject) -> Result<Vec<ChainId>, LedgerError> {
        Ok(self.store().chains(tenant, subject)?)
    }
}

fn look(attributor: &mut Attributor<'_, '_>, record: SnapshotRecord) -> Result<SnapshotView, LedgerError> {
    let attribution = attributor.attribute(&record)?;
    let receipt = record.receipts.last().map(|(_, receipt)| receipt.clone());
    Ok(SnapshotView { record, receipt, attribution })
}

/// An object's own track of a name, sharpened by the holds of others where the role is a namespace.
fn sharpened(
    attributor: &mut Attributor<'_, '_>,
    timeline: &Timeline,
    role: Role,
    key: &NameKey,
) -> Result<Track, LedgerError> {
    if role != Role::Primary {
        let claims = attributor.claims(key)?;
        let mine =
            claims.claims().iter().find(|claim| claim.object == timeline.object() && Role::of(claim.namespace) == role);
        if let Some(claim) = mine {
            return Ok(claim.track.clone());
        }
    }
    Ok(timeline.track(role, key).unwrap_or_else(|| Track::of(&[])))
}

/// "Now" lies after every reading, inside the width of the newest ones; there the newest state is carried forward.
fn carry_forward(standing: &mut Standing, claims: &NameView, kind: NameKind) {
    if standing.confidence == HolderConfidence::Certain {
        return;
    }
    match claims.holder(kind) {
        Holder::One(holder) => {
            standing.confidence = HolderConfidence::Assumed;
            standing.holder = Some(holder);
            standing.candidates.retain(|candidate| candidate.object == holder);
        }
        Holder::Several(several) => {
            standing.confidence = HolderConfidence::Ambiguous;
            standing.holder = None;
            standing.candidates.retain(|candidate| several.contains(&candidate.object));
        }
        Holder::Nobody => {
            standing.confidence = HolderConfidence::Nobody;
            standing.holder = None;
            standing.candidates.clear();
        }
        Holder::NeverSeen => standing.confidence = HolderConfidence::Unknown,
    }
}
