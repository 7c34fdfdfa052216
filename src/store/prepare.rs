//! What every store checks before it writes a commit, and the entry that the commit becomes.

use super::codec::{self, RecordError};
use super::hash::{Header, commit_hash};
use super::record::journal::PayloadV2;
use super::{Commit, Derived, Entry, Hash, Head, RawEntry, StoreError};
use crate::domain::fact::{Fact, Receipt, Snapshot};
use crate::domain::id::{ObjectId, Sequence, TenantId};

/// Largest payload of a commit, in bytes. A page of 1,000 users has about 300 KB.
pub const PAYLOAD_BYTES_MAX: usize = 16 << 20;
/// Most facts in a commit.
pub const FACTS_MAX: usize = 200_000;

/// A commit that may be written after a head.
pub(super) struct Prepared {
    pub(super) entry: Entry,
    pub(super) payload: Vec<u8>,
    pub(super) payload_hash: Hash,
}

/// Checks a commit against the head that it is to follow, and gives it its place in the chain.
pub(super) fn prepare(
    tenant: TenantId,
    head: &Head,
    expected: Sequence,
    commit: Commit,
    derived: &Derived,
) -> Result<Prepared, StoreError> {
    if head.sequence != expected {
        return Err(StoreError::Conflict { tenant, expected, found: head.sequence });
    }
    let sequence = expected.next();
    let what = || format!("commit {sequence} of tenant {tenant}");
    if let Some(newest) = head.recorded.filter(|newest| commit.recorded < *newest) {
        let why = format!("it is recorded at {}, before the newest commit at {newest}", commit.recorded);
        return Err(StoreError::Unsound { what: what(), why });
    }
    check_derived(tenant, sequence, derived)?;
    if commit.facts.len() > FACTS_MAX {
        let what = format!("{} (counted in facts)", what());
        return Err(StoreError::TooLarge { what, bytes: commit.facts.len(), limit: FACTS_MAX });
    }
    let unsound = |error: RecordError| StoreError::Unsound { what: what(), why: error.to_string() };
    let items = PayloadV2::of(&commit).map_err(unsound)?;
    let payload = codec::encode(&items).map_err(unsound)?;
    if payload.len() > PAYLOAD_BYTES_MAX {
        return Err(StoreError::TooLarge { what: what(), bytes: payload.len(), limit: PAYLOAD_BYTES_MAX });
    }
    let payload_hash = items.root(&commit.salt);
    let version = items.version();
    let header = Header { version, tenant, sequence, recorded: commit.recorded };
    let hash = commit_hash(&head.hash, &header, &payload_hash);
    Ok(Prepared {
        entry: Entry { sequence, previous: head.hash, hash, version, commit, forgotten: Vec::new() },
        payload,
        payload_hash,
    })
}

/// Checks that a commit that has its hash already is the next one after a head.
pub(super) fn prepare_raw(
    tenant: TenantId,
    head: &Head,
    raw: &RawEntry,
    derived: &Derived,
) -> Result<Prepared, StoreError> {
    raw.check_follows(tenant, head)?;
    check_derived(tenant, raw.sequence, derived)?;
    let entry = raw.open(tenant)?;
    Ok(Prepared { entry, payload: raw.payload.clone(), payload_hash: raw.payload_hash })
}

/// Checks that an entry is the next to be restored after a head.
pub(super) fn prepare_restore(
    tenant: TenantId,
    head: &Head,
    entry: &Entry,
    derived: &Derived,
) -> Result<(), StoreError> {
    let expected = head.sequence.next();
    if entry.sequence != expected {
        let what = format!("derived records of commit {} of tenant {tenant}", entry.sequence);
        return Err(StoreError::Unsound { what, why: format!("commit {expected} is to be restored next") });
    }
    check_derived(tenant, entry.sequence, derived)
}

/// The head after an entry.
pub(super) fn head_after(entry: &Entry, derived: &Derived) -> Head {
    Head {
        sequence: entry.sequence,
        hash: entry.hash,
        recorded: Some(entry.commit.recorded),
        state: derived.state.clone(),
    }
}

/// A store keeps an object's facts and a snapshot's receipts without repeating whose they are, so they must belong there.
fn check_derived(tenant: TenantId, sequence: Sequence, derived: &Derived) -> Result<(), StoreError> {
    let unsound = |why: String| {
        Err(StoreError::Unsound { what: format!("derived records of commit {sequence} of tenant {tenant}"), why })
    };
    let mut objects: Vec<ObjectId> = derived.objects.iter().map(|(object, _)| *object).collect();
    objects.sort_unstable();
    if let Some(twice) = objects.iter().zip(objects.iter().skip(1)).find_map(|(a, b)| (a == b).then_some(a)) {
        return unsound(format!("object {twice} stands in them twice"));
    }
    for (object, facts) in &derived.objects {
        if facts.iter().any(|fact| fact.object() != Some(*object)) {
            return unsound(format!("a fact in object {object}'s record is not about it"));
        }
    }
    for record in &derived.snapshots {
        let snapshot = &record.snapshot;
        let own = |(_, receipt): &(Sequence, _)| is_receipt_of(receipt, snapshot);
        if !record.receipts.iter().all(own) {
            return unsound("a snapshot has another's receipt".to_owned());
        }
    }
    let is_tenants = |fact: &Fact| {
        matches!(
            fact,
            Fact::Horizon(_)
                | Fact::RoundBegan(_)
                | Fact::Blind(_)
                | Fact::Settling(_)
                | Fact::Held(_)
                | Fact::HoldEnded(_)
                | Fact::HoldRejected(_)
                | Fact::DomainChanged(_)
                | Fact::MappingApplied(_)
                | Fact::GroupsListed(_)
                | Fact::FeedTells(_)
        )
    };
    if !derived.tenant.iter().all(is_tenants) {
        return unsound("a fact among the tenant's is not about the tenant".to_owned());
    }
    Ok(())
}

fn is_receipt_of(receipt: &Receipt, snapshot: &Snapshot) -> bool {
    receipt.chain == snapshot.chain && receipt.snapshot == snapshot.id
}
