//! Reading what is kept for the auditor.

use std::ops::ControlFlow;

use super::engine::Engine;
use super::read::{all, damaged, scan};
use crate::domain::finding::{Finding, FindingId};
use crate::domain::id::{ChainId, MailboxId, ObjectId, Sequence, TenantId};
use crate::domain::link::Anchor;
use crate::domain::name::NameKey;
use crate::store::key::{Key, Prefix};
use crate::store::record::audit::{AnchorV1, FindingV1, LinkRecordV1, anchor_key};
use crate::store::record::index::{PlaceV1, PresentV1};
use crate::store::{LinkRecord, Order, StoreError};

/// The chains that an object has in an index.
pub(super) fn chains_of(engine: &Engine, prefix: Prefix) -> Result<Vec<ChainId>, StoreError> {
    let mut chains = Vec::new();
    scan(engine, all(prefix), Order::Forward, |key, PresentV1| {
        if let Key::ObjectChain { chain, .. } | Key::Owned { chain, .. } = key {
            chains.push(chain);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(chains)
}

/// The members of a group that a mapping names.
pub(super) fn members_of(engine: &Engine, tenant: TenantId, group: ObjectId) -> Result<Vec<ObjectId>, StoreError> {
    let mut members = Vec::new();
    scan(engine, all(Prefix::members(tenant, group)), Order::Forward, |key, PresentV1| {
        members.extend(if let Key::Member { object, .. } = key { Some(object) } else { None });
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(members)
}

/// The chains with a snapshot addressed by a name: one seek a chain, however many snapshots it has.
pub(super) fn chains_named(engine: &Engine, tenant: TenantId, name: &NameKey) -> Result<Vec<ChainId>, StoreError> {
    let mut chains: Vec<ChainId> = Vec::new();
    let (mut start, end) = all(Prefix::name_snapshots(tenant, name.as_str()));
    loop {
        let before = chains.len();
        scan(engine, (start.clone(), end.clone()), Order::Forward, |key, _: PlaceV1| {
            if let Key::NameSnapshot { chain, .. } = key {
                chains.push(chain);
            }
            Ok(ControlFlow::Break(()))
        })?;
        let Some(last) = chains.last().filter(|_| chains.len() > before) else { return Ok(chains) };
        match Prefix::name_chain_snapshots(tenant, name.as_str(), last).end() {
            Some(next) => start = next,
            None => return Ok(chains),
        }
    }
}

/// A finding as it was after a commit; `None` if it was not yet opened.
pub(super) fn finding_as_of(finding: Option<Finding>, newest: Sequence) -> Option<Finding> {
    let mut finding = finding?;
    finding.steps.retain(|step| step.sequence <= newest);
    (!finding.steps.is_empty()).then_some(finding)
}

pub(super) fn findings(
    engine: &Engine,
    tenant: TenantId,
    after: Option<FindingId>,
    limit: usize,
    newest: Sequence,
) -> Result<Vec<Finding>, StoreError> {
    let mut found = Vec::new();
    if limit == 0 {
        return Ok(found);
    }
    let (mut start, end) = all(Prefix::findings(tenant));
    if let Some(after) = after {
        start = [Key::Finding { tenant, id: *after.as_bytes() }.encode().as_slice(), &[0]].concat();
    }
    scan(engine, (start, end), Order::Forward, |key, record: FindingV1| {
        if let Key::Finding { id, .. } = key {
            let finding = record.read(FindingId::from_bytes(id)).map_err(|error| damaged(&key, error.to_string()))?;
            found.extend(finding_as_of(Some(finding), newest));
        }
        Ok(if found.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })?;
    Ok(found)
}

pub(super) fn anchored(engine: &Engine, tenant: TenantId, anchor: &Anchor) -> Result<Vec<ObjectId>, StoreError> {
    let (kind, value) = anchor_key(anchor);
    let mut objects = Vec::new();
    scan(engine, all(Prefix::anchored(tenant, kind, &value)), Order::Forward, |key, record: AnchorV1| {
        if let Key::Anchor { object, .. } = key
            && record.read() == *anchor
        {
            objects.push(object);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(objects)
}

pub(super) fn mailboxes(engine: &Engine, tenant: TenantId, object: ObjectId) -> Result<Vec<MailboxId>, StoreError> {
    let mut found = Vec::new();
    scan(engine, all(Prefix::mailboxes(tenant, object)), Order::Forward, |key, PresentV1| {
        if let Key::Mailbox { mailbox, .. } = key {
            found.push(MailboxId::from_bytes(mailbox));
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(found)
}

pub(super) fn links(
    engine: &Engine,
    tenant: TenantId,
    object: ObjectId,
    newest: Sequence,
) -> Result<Vec<LinkRecord>, StoreError> {
    let mut found = Vec::new();
    scan(engine, all(Prefix::links(tenant, object)), Order::Forward, |_, record: LinkRecordV1| {
        let mut record = record.read();
        record.steps.retain(|(at, _)| *at <= newest);
        if !record.steps.is_empty() {
            found.push(record);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(found)
}

pub(super) fn notable(
    engine: &Engine,
    tenant: TenantId,
    after: Option<&NameKey>,
    limit: usize,
) -> Result<Vec<NameKey>, StoreError> {
    let mut names = Vec::new();
    if limit == 0 {
        return Ok(names);
    }
    let (mut start, end) = all(Prefix::notable(tenant));
    if let Some(after) = after {
        start = Key::Notable { tenant, name: after.as_str().to_owned() }.encode();
        start.push(0);
    }
    scan(engine, (start, end), Order::Forward, |key, PresentV1| {
        if let Key::Notable { name, .. } = key {
            names.push(NameKey::from_text(&name));
        }
        Ok(if names.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })?;
    Ok(names)
}
