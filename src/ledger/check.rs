//! The verdict: gathers what an ask may involve and has it judged.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::fact::Source;
use crate::domain::guard::Standstill;
use crate::domain::holder::NameView;
use crate::domain::id::{ChainId, ObjectId, TenantId};
use crate::domain::judge::{Case, changes_since, judge, subject};
use crate::domain::name::NameKey;
use crate::domain::time::Instant;
use crate::domain::verdict::{Ask, ChainCase, LastChain, Outcome, Policy, Verdict};

use super::chain::Attributor;
use super::{Basis, KnownAt, Ledger, LedgerError};

/// A verdict and what it rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// The verdict.
    pub verdict: Verdict,
    /// What it rests on.
    pub basis: Basis,
}

impl Ledger {
    /// Answers an ask: may I append to this chain, and whose mailbox is it? `live_failure` says why a live read that was
    /// wanted could not be made. The same basis, time and policy always give the same answer.
    pub fn check(
        &self,
        tenant: TenantId,
        ask: &Ask,
        policy: &Policy,
        now: Instant,
        known_at: KnownAt,
        live_failure: Option<&str>,
    ) -> Result<Checked, LedgerError> {
        let view = self.view(tenant, known_at)?;
        let ask = &self.known_ask(tenant, ask)?;
        let mut attributor = Attributor::new(&view, policy.settling);
        let claims = ask.name.as_ref().map(|name| attributor.claims(name.key())).transpose()?;
        let vacant_at = match &ask.name {
            Some(name) => newest_vacancy(&view.vacancies(name.key())?),
            None => None,
        };
        let asked = subject(ask, claims.as_deref());
        let chain = match (&ask.chain, asked) {
            (Some(id), _) => Some(attributor.chain(id)?),
            (None, Some(object)) => attributor.newest_chain_of(object)?,
            (None, None) => None,
        };
        let chain_elsewhere = match (&ask.chain, &chain) {
            (Some(id), Some(case)) if !case.has_snapshots => self.tenant_with(tenant, id, policy, now, known_at)?,
            _ => None,
        };
        let bound = chain.as_ref().and_then(|chain| chain.bound);
        let involved = involved(asked, claims.as_deref(), chain.as_ref());
        view.load(involved, &mut attributor.timelines)?;
        let holder = claims.as_ref().and_then(|claims| subject(&Ask { object: None, ..ask.clone() }, Some(claims)));
        let others: BTreeSet<ObjectId> = [asked, holder].into_iter().flatten().collect();
        let chains = other_chains(&mut attributor, others.into_iter().filter(|object| Some(*object) != bound))?;
        let old_names = old_names(&mut attributor, chain.as_ref())?;
        let holds: Vec<Standstill> = view.holds()?.into_iter().map(|hold| hold.standstill).collect();
        let mapping = view.mapping()?;
        let scopes = view.scopes(&mapping, attributor.timelines.values())?;
        let case = Case {
            ask,
            policy,
            now,
            coverage: view.coverage(),
            round_open: view.is_round_open(),
            holds: &holds,
            live_failure,
            view: claims.as_deref(),
            vacant_at,
            objects: &attributor.timelines,
            scopes: &scopes,
            groups_listed: view.groups_listed(&mapping),
            chain: chain.as_ref(),
            chain_elsewhere,
            chains: &chains,
            old_names: &old_names,
        };
        let mut verdict = judge(&case);
        if let (Outcome::Mismatch, Some(holder)) = (verdict.outcome, verdict.object)
            && self.is_erased(tenant, holder)?
        {
            verdict.reasons.push("the earlier holder's names were erased".to_owned());
        }
        Ok(Checked { verdict, basis: view.basis(now) })
    }

    /// Another tenant that has snapshots of a chain, as known when this one is looked at. Commits of different tenants have
    /// no common order but their time.
    fn tenant_with(
        &self,
        own: TenantId,
        chain: &ChainId,
        policy: &Policy,
        now: Instant,
        known_at: KnownAt,
    ) -> Result<Option<TenantId>, LedgerError> {
        let known_at = match known_at {
            KnownAt::Sequence(_) => KnownAt::Time(now),
            other => other,
        };
        for tenant in self.tenants()?.into_iter().filter(|tenant| *tenant != own) {
            // Nearly always no other tenant has it either, and its tallies tell so at once.
            if self.store().tallies(tenant, chain)?.is_empty() {
                continue;
            }
            let view = self.view(tenant, known_at)?;
            if Attributor::new(&view, policy.settling).chain(chain)?.has_snapshots {
                return Ok(Some(tenant));
            }
        }
        Ok(None)
    }

    /// The objects that a live read for this ask should look at besides the name itself: whoever may hold the name, the
    /// object asked for, and the chain's.
    pub fn objects_to_read(
        &self,
        tenant: TenantId,
        ask: &Ask,
        policy: &Policy,
    ) -> Result<BTreeSet<ObjectId>, LedgerError> {
        let view = self.view(tenant, KnownAt::Now)?;
        let ask = &self.known_ask(tenant, ask)?;
        let mut attributor = Attributor::new(&view, policy.settling);
        let claims = ask.name.as_ref().map(|name| attributor.claims(name.key())).transpose()?;
        let chain = ask.chain.as_ref().map(|id| attributor.chain(id)).transpose()?;
        Ok(involved(ask.object, claims.as_deref(), chain.as_ref()))
    }
}

fn newest_vacancy(vacancies: &[(crate::domain::id::Sequence, crate::domain::fact::Vacant)]) -> Option<Instant> {
    let live = vacancies.iter().filter(|(_, vacant)| vacant.reading.source == Source::Live);
    live.map(|(_, vacant)| vacant.reading.at).max()
}

fn involved(asked: Option<ObjectId>, claims: Option<&NameView>, chain: Option<&ChainCase>) -> BTreeSet<ObjectId> {
    let mut objects: BTreeSet<ObjectId> = asked.into_iter().collect();
    objects.extend(claims.into_iter().flat_map(|claims| claims.claims().iter().map(|claim| claim.object)));
    if let Some(chain) = chain {
        objects.extend(chain.bound);
        objects.extend(chain.others.iter().map(|(object, _)| *object));
        objects.extend(chain.candidates.iter().copied());
    }
    objects
}

fn other_chains(
    attributor: &mut Attributor<'_, '_>,
    objects: impl Iterator<Item = ObjectId>,
) -> Result<BTreeMap<ObjectId, LastChain>, LedgerError> {
    let mut chains = BTreeMap::new();
    for object in objects {
        if let Some(chain) = attributor.newest_chain_of(object)? {
            let goes_on = !chain.has_several_mailboxes();
            chains.insert(object, LastChain { id: chain.id, goes_on });
        }
    }
    Ok(chains)
}

fn old_names(
    attributor: &mut Attributor<'_, '_>,
    chain: Option<&ChainCase>,
) -> Result<BTreeMap<NameKey, NameView>, LedgerError> {
    let mut views = BTreeMap::new();
    let Some((bound, base)) = chain.and_then(|chain| Some((chain.bound?, chain.base.as_ref()?))) else {
        return Ok(views);
    };
    let changes = attributor.timelines.get(&bound).map(|timeline| changes_since(timeline, base.until));
    for name in changes.into_iter().flatten().filter_map(|change| change.from) {
        let claims = attributor.claims(name.key())?;
        views.insert(name.key().clone(), NameView::clone(&claims));
    }
    Ok(views)
}
