//! Proving whose data a snapshot holds: the facts on which that rests are gathered, and traced to a signed checkpoint.

use std::collections::{BTreeMap, BTreeSet};

use super::ProofAnswer;
use super::make::{EvidenceError, older_part, signed};
use crate::domain::attribution::Settling;
use crate::domain::fact::{Addressed, Fact, Known, Snapshot};
use crate::domain::id::{ChainId, Sequence, SnapshotId, TenantId};
use crate::domain::time::Instant;
use crate::evidence::cut;
use crate::evidence::derive::attributed;
use crate::evidence::proof::{Claim, Proof, ShownCommit, SnapshotPart};
use crate::evidence::verify::{Trust, verify};
use crate::keyring::Keyring;
use crate::ledger::{KnownAt, Ledger, LedgerError, View};
use crate::service::Desk;
use crate::store::Hash;
use crate::store::hash::items_root;
use crate::store::open::OpenCommit;

/// Whose data a snapshot holds, as known now. With an older commit the proof also shows that the log continues that.
///
/// # Errors
/// If there is no such snapshot, its facts cannot be shown, or the ledger or the key cannot be read.
pub fn prove_snapshot(
    desk: &Desk,
    keys: &Keyring,
    chain: &ChainId,
    id: &SnapshotId,
    older: Option<Sequence>,
) -> Result<ProofAnswer, EvidenceError> {
    let tenant = desk.tenant;
    // What is gathered has the ids under which the ledger knows the snapshot.
    let (chain, id) = (&desk.ledger.known_chain(tenant, chain)?, &desk.ledger.known_snapshot(tenant, id)?);
    let view = desk.ledger.view(tenant, KnownAt::Now)?;
    let sequence = view.through();
    let all = gather(&view, chain, id)?;
    let found = attributed(chain, id, &all.facts).ok_or_else(|| no_snapshot(chain, id))?;
    let claim = Claim::of(&found.attribution);
    must_be_the_ledgers(desk, chain, id, sequence, all.settling, &claim)?;
    let facts = as_few_as_do(chain, id, all, &found.snapshot, &claim);
    let commits = show(&desk.ledger, tenant, &facts)?;
    let places: Vec<u64> = commits.iter().map(|commit| commit.sequence.0.saturating_sub(1)).collect();
    let log = cut::rest(sequence.0, &places, |low, high| desk.ledger.log_part(tenant, low, high))?;
    let signed = signed(desk, keys, sequence)?;
    let older = older.map(|older| older_part(desk, keys, older, sequence)).transpose()?;
    let part = SnapshotPart { chain: chain.clone(), snapshot: id.clone(), claim, commits, log };
    let proof = Proof { key: signed.key.clone(), checkpoint: signed.note, older, snapshot: Some(part) }.text();
    // Nothing is handed out that does not hold.
    verify(&proof, &Trust { key: Some(signed.key), kept: None }).map_err(|why| EvidenceError::Unprovable {
        chain: chain.clone(),
        snapshot: id.clone(),
        why: why.to_string(),
    })?;
    Ok(ProofAnswer { tenant, sequence, proof })
}

fn no_snapshot(chain: &ChainId, snapshot: &SnapshotId) -> LedgerError {
    LedgerError::NoSnapshot { chain: chain.clone(), snapshot: snapshot.clone() }
}

/// All facts on which an attribution can rest, in the order of their commits.
struct Gathered {
    facts: Vec<Known>,
    settling: Settling,
}

fn gather(view: &View<'_>, chain: &ChainId, id: &SnapshotId) -> Result<Gathered, LedgerError> {
    let (store, tenant, through) = (view.store(), view.tenant(), view.through());
    let record = store.snapshot(tenant, chain, id)?.filter(|record| record.taken <= through);
    let record = record.ok_or_else(|| no_snapshot(chain, id))?;
    let addressed = record.snapshot.addressed.clone();
    let mut facts = vec![Known { sequence: record.taken, fact: Fact::SnapshotTaken(record.snapshot) }];
    let receipts: Vec<_> = record.receipts.into_iter().filter(|(sequence, _)| *sequence <= through).collect();
    let is_whole = receipts.iter().any(|(_, receipt)| receipt.object_end.is_some());
    facts.extend(receipts.into_iter().map(|(sequence, receipt)| Known { sequence, fact: Fact::Receipt(receipt) }));
    let told = store.tenant_facts(tenant, through)?;
    // Of the terms only the last ones are in force.
    let terms = told.iter().rev().find(|known| matches!(known.fact, Fact::Settling(_))).cloned();
    facts.extend(terms);
    facts.extend(told.into_iter().filter(|known| matches!(known.fact, Fact::Horizon(_))));
    // A receipt of both ends, like an object id, decides over whatever is known of names.
    if let Addressed::Name(name, _) = addressed
        && !is_whole
    {
        for object in view.holders(name.key())? {
            facts.extend(view.facts(object)?.into_iter().filter(|known| !known.fact.is_about_scope()));
        }
        let vacancies = view.vacancies(name.key())?.into_iter();
        facts.extend(vacancies.map(|(sequence, vacant)| Known { sequence, fact: Fact::Vacant(vacant) }));
    }
    facts.sort_by_key(|known| known.sequence);
    Ok(Gathered { facts, settling: view.settling() })
}

/// What follows from the facts gathered has to be what the ledger itself says, or some were missed.
fn must_be_the_ledgers(
    desk: &Desk,
    chain: &ChainId,
    id: &SnapshotId,
    sequence: Sequence,
    settling: Settling,
    claim: &Claim,
) -> Result<(), EvidenceError> {
    let own = desk.ledger.snapshot(desk.tenant, chain, id, settling)?;
    // Somebody may have appended meanwhile, and then the ledger may say something else with good reason.
    let is_same_moment = desk.ledger.head(desk.tenant)?.sequence == sequence;
    match own.map(|own| Claim::of(&own.attribution)) {
        Some(own) if is_same_moment && own != *claim => Err(EvidenceError::Unprovable {
            chain: chain.clone(),
            snapshot: id.clone(),
            why: "the facts gathered do not give what the ledger says".to_owned(),
        }),
        _ => Ok(()),
    }
}

/// Horizons are many, one a sync, and most of them matter to nobody: as few of them as give the same attribution.
fn as_few_as_do(chain: &ChainId, id: &SnapshotId, all: Gathered, snapshot: &Snapshot, claim: &Claim) -> Vec<Known> {
    let Gathered { facts, settling } = all;
    let ends = snapshot.until.plus(settling.wait());
    let last = facts.iter().filter_map(through_of).filter(|through| *through >= ends).min().unwrap_or(Instant::MAX);
    let begins = snapshot.from.minus(settling.propagation);
    let seen = |known: &Known| match &known.fact {
        Fact::Seen(seen) => Some((seen.object, seen.reading.at.minus(seen.reading.lag))),
        _ => None,
    };
    let mut newest_before = BTreeMap::new();
    for (object, at) in facts.iter().filter_map(seen).filter(|(_, at)| *at <= begins) {
        let newest = newest_before.entry(object).or_insert(at);
        *newest = at.max(*newest);
    }
    let first = newest_before.into_values().min().unwrap_or(begins).min(begins);
    let stretches = [(Instant::MAX, Instant::MIN), (begins, last), (first, last), (Instant::MIN, last)];
    for (from, through) in stretches {
        let is_needed = |known: &&Known| match through_of(known) {
            Some(at) => from <= at && at <= through,
            None => true,
        };
        let fewer: Vec<Known> = facts.iter().filter(is_needed).cloned().collect();
        let found = attributed(chain, id, &fewer);
        if found.is_some_and(|found| Claim::of(&found.attribution) == *claim) {
            return fewer;
        }
    }
    facts
}

fn through_of(known: &Known) -> Option<Instant> {
    match &known.fact {
        Fact::Horizon(horizon) => Some(horizon.through),
        _ => None,
    }
}

/// The commits of these facts, each with those facts and the hashes that lead to its own.
fn show(ledger: &Ledger, tenant: TenantId, facts: &[Known]) -> Result<Vec<ShownCommit>, EvidenceError> {
    let mut by_commit: BTreeMap<Sequence, Vec<&Fact>> = BTreeMap::new();
    for known in facts {
        by_commit.entry(known.sequence).or_default().push(&known.fact);
    }
    by_commit.into_iter().map(|(sequence, facts)| show_commit(ledger, tenant, sequence, &facts)).collect()
}

fn show_commit(
    ledger: &Ledger,
    tenant: TenantId,
    sequence: Sequence,
    facts: &[&Fact],
) -> Result<ShownCommit, EvidenceError> {
    let hidden = |why: String| EvidenceError::Hidden { commit: sequence, why };
    let entry = ledger.entry(tenant, sequence)?;
    let entry = entry.ok_or_else(|| hidden("it is missing in the journal".to_owned()))?;
    let open = OpenCommit::of(tenant, &entry).map_err(|why| hidden(why.to_string()))?;
    let places: Option<BTreeSet<u32>> = facts.iter().map(|fact| open.place_of(fact)).collect();
    let places = places.ok_or_else(|| hidden("the journal does not have a fact of it as it is derived".to_owned()))?;
    let shown = places.iter().filter_map(|place| open.item(*place)).collect();
    let leaves = open.leaves();
    let count = u64::try_from(leaves.len()).unwrap_or(u64::MAX);
    let part = |low: u64, high: u64| -> Result<Hash, EvidenceError> {
        let range = usize::try_from(low).ok().zip(usize::try_from(high).ok());
        let part = range.and_then(|(low, high)| leaves.get(low..high));
        part.map(items_root).ok_or_else(|| hidden("its items cannot be counted".to_owned()))
    };
    let rest = cut::rest(count, &places.iter().copied().map(u64::from).collect::<Vec<u64>>(), part)?;
    let (previous, recorded) = (entry.previous, entry.commit.recorded.as_micros());
    let items = u32::try_from(count).map_err(|_| hidden("it has too many items".to_owned()))?;
    Ok(ShownCommit { sequence, previous, recorded, items, shown, rest })
}
