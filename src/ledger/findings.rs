//! What the auditor asks of the ledger: findings, tallies, anchors, links, notable names.

use std::collections::BTreeSet;

use crate::domain::fact::{Fact, Known};
use crate::domain::finding::{Finding, FindingId};
use crate::domain::id::{ChainId, MailboxId, ObjectId, TenantId};
use crate::domain::link::{Anchor, AnchorKind};
use crate::domain::name::NameKey;
use crate::store::{LedgerStore, LinkRecord, StoreError, Tally};

use super::{Ledger, LedgerError};

impl Ledger {
    /// Up to `limit` findings beyond `after`, those withdrawn included, in order of their ids.
    pub fn findings(
        &self,
        tenant: TenantId,
        after: Option<FindingId>,
        limit: usize,
    ) -> Result<Vec<Finding>, LedgerError> {
        Ok(self.store().findings(tenant, after, limit)?)
    }

    /// One finding.
    pub fn finding(&self, tenant: TenantId, id: FindingId) -> Result<Option<Finding>, LedgerError> {
        Ok(self.store().finding(tenant, id)?)
    }

    /// How many of a chain's snapshots are judged how.
    pub fn chain_tallies(&self, tenant: TenantId, chain: &ChainId) -> Result<Vec<Tally>, LedgerError> {
        Ok(self.store().tallies(tenant, chain)?)
    }

    /// The chains in which an object certainly owns a snapshot.
    pub fn owned_chains(&self, tenant: TenantId, object: ObjectId) -> Result<Vec<ChainId>, LedgerError> {
        Ok(self.store().owned(tenant, object)?)
    }

    /// The links of an object, those taken back included.
    pub fn links(&self, tenant: TenantId, object: ObjectId) -> Result<Vec<LinkRecord>, LedgerError> {
        Ok(self.store().links(tenant, object)?)
    }

    /// The objects that share an anchor.
    pub fn anchored(&self, tenant: TenantId, anchor: &Anchor) -> Result<Vec<ObjectId>, LedgerError> {
        Ok(self.store().anchored(tenant, anchor)?)
    }

    /// The anchors that an object has or had, the strongest first.
    pub fn anchors(&self, tenant: TenantId, object: ObjectId) -> Result<Vec<Anchor>, LedgerError> {
        Ok(anchors_of(self.store(), tenant, object)?.into_iter().collect())
    }

    /// The anchors that an object shares with others of its tenant, and all who share them, in order of their ids.
    pub fn shared_anchors(
        &self,
        tenant: TenantId,
        object: ObjectId,
    ) -> Result<Vec<(Anchor, Vec<ObjectId>)>, LedgerError> {
        let mut shared = Vec::new();
        for anchor in self.anchors(tenant, object)? {
            let objects = self.anchored(tenant, &anchor)?;
            if objects.len() > 1 {
                shared.push((anchor, objects));
            }
        }
        Ok(shared)
    }

    /// Up to `limit` names beyond `after` that had more than one holder or have none any more, in order of their keys.
    pub fn notable_names(
        &self,
        tenant: TenantId,
        after: Option<&NameKey>,
        limit: usize,
    ) -> Result<Vec<NameKey>, LedgerError> {
        Ok(self.store().notable(tenant, after, limit)?)
    }
}

/// The anchors that a store knows of an object.
pub(super) fn anchors_of(
    store: &dyn LedgerStore,
    tenant: TenantId,
    object: ObjectId,
) -> Result<BTreeSet<Anchor>, StoreError> {
    let mut anchors: BTreeSet<Anchor> = store.object(tenant, object)?.iter().flat_map(told_in).collect();
    anchors.extend(store.mailboxes(tenant, object)?.iter().map(mailbox_anchor));
    Ok(anchors)
}

/// A mailbox instance as an anchor.
pub(super) fn mailbox_anchor(mailbox: &MailboxId) -> Anchor {
    Anchor { kind: AnchorKind::Mailbox, value: mailbox.to_string() }
}

/// The anchors that a fact tells of its object.
pub(super) fn told_in(known: &Known) -> Vec<Anchor> {
    let Fact::Seen(seen) = &known.fact else { return Vec::new() };
    let profile = &seen.profile;
    [(AnchorKind::ImmutableId, &profile.immutable_id), (AnchorKind::EmployeeId, &profile.employee_id)]
        .into_iter()
        .filter_map(|(kind, value)| {
            let value = value.as_deref().map(str::trim).filter(|value| !value.is_empty())?;
            Some(Anchor { kind, value: value.to_owned() })
        })
        .collect()
}
