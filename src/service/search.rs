//! Looking for what a person types: names by how they begin, object ids by their first digits, chains by how their ids
//! begin, and one snapshot as `chain/snapshot`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Desk;
use super::people::{People, PersonPart};
use crate::domain::id::{ChainId, ObjectId, SnapshotId};
use crate::domain::name::{NAME_BYTES_MAX, Name, NameKind};
use crate::ledger::{Basis, KnownAt, LedgerError};
use crate::store::Tally;

/// An object id is looked for from so many of its digits on.
const DIGITS_MIN: usize = 4;
/// How many places to part chain and snapshot are tried.
const PARTINGS_MAX: usize = 8;

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct SearchAnswer {
    /// Names that begin so, in order.
    pub names: Vec<NameFound>,
    /// Objects whose ids begin so.
    pub objects: Vec<PersonPart>,
    /// Chains whose ids begin so, in order.
    pub chains: Vec<ChainFound>,
    /// The snapshot that is called so.
    pub snapshots: Vec<SnapshotFound>,
    /// Whether there is more of any kind than was listed.
    pub more: bool,
    /// What the answer rests on.
    pub basis: Basis,
}

/// A name that begins as asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct NameFound {
    /// The name, as it was seen.
    pub name: String,
    /// How many objects ever held it.
    pub holders_ever: usize,
    /// Who holds it by the newest evidence, if it is one.
    pub holder: Option<PersonPart>,
}

/// A chain whose id begins as asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct ChainFound {
    /// Which chain.
    pub chain: ChainId,
    /// How many snapshots it has; `null` where that was not kept.
    pub snapshots: Option<u64>,
    /// How many people's data its snapshots certainly hold; `null` where that was not kept.
    pub owners: Option<usize>,
}

/// A snapshot called as asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct SnapshotFound {
    /// Its chain.
    pub chain: ChainId,
    /// Its id.
    pub snapshot: SnapshotId,
}

/// What there is that begins with this text, up to `limit` of each kind. An empty text finds nothing.
pub fn search(desk: &Desk, text: &str, limit: usize) -> Result<SearchAnswer, LedgerError> {
    let view = desk.ledger.view(desk.tenant, KnownAt::Now)?;
    let mut answer = SearchAnswer {
        names: Vec::new(),
        objects: Vec::new(),
        chains: Vec::new(),
        snapshots: Vec::new(),
        more: false,
        basis: view.basis(desk.clock.now()),
    };
    let text = text.trim();
    if text.is_empty() || text.len() > NAME_BYTES_MAX || text.chars().any(char::is_control) {
        return Ok(answer);
    }
    let mut people = People::new(&view);
    answer.names = names(desk, &mut people, text, limit.saturating_add(1))?;
    for object in objects(desk, text, limit.saturating_add(1))? {
        answer.objects.extend(people.person(object)?);
    }
    for chain in desk.ledger.store().chains_from(desk.tenant, text, None, limit.saturating_add(1))? {
        answer.chains.push(chain_found(desk, chain)?);
    }
    answer.snapshots = snapshots(desk, text)?;
    answer.more = answer.names.len() > limit || answer.objects.len() > limit || answer.chains.len() > limit;
    answer.names.truncate(limit);
    answer.objects.truncate(limit);
    answer.chains.truncate(limit);
    Ok(answer)
}

fn names(desk: &Desk, people: &mut People<'_, '_>, text: &str, limit: usize) -> Result<Vec<NameFound>, LedgerError> {
    // The beginning of a name folds as a name does.
    let Ok(beginning) = text.parse::<Name>() else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for key in desk.ledger.store().names_from(desk.tenant, beginning.key().as_str(), None, limit)? {
        let view = desk.ledger.view(desk.tenant, KnownAt::Now)?;
        let claims = view.claims(&key, &mut BTreeMap::new())?;
        let holder = match claims.holder(NameKind::Any) {
            crate::domain::holder::Holder::One(holder) => people.person(holder)?,
            _ => None,
        };
        let spelling = claims.claims().last().map_or_else(|| key.as_str().to_owned(), |claim| claim.spelling.clone());
        found.push(NameFound { name: spelling, holders_ever: claims.objects(NameKind::Any).len(), holder });
    }
    Ok(found)
}

/// The objects whose ids begin with these digits; hyphens may stand anywhere.
fn objects(desk: &Desk, text: &str, limit: usize) -> Result<Vec<ObjectId>, LedgerError> {
    let digits: String =
        text.chars().filter(|letter| *letter != '-').map(|letter| letter.to_ascii_lowercase()).collect();
    let is_id = digits.len() >= DIGITS_MIN && digits.len() <= 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_id {
        return Ok(Vec::new());
    }
    let Ok(first) = u128::from_str_radix(&format!("{digits:0<32}"), 16) else { return Ok(Vec::new()) };
    // Ids are listed beyond one, so the walk begins one before the first that fits.
    let after = first.checked_sub(1).map(|before| ObjectId::from_bytes(before.to_be_bytes()));
    let listed = desk.ledger.store().object_ids(desk.tenant, after, limit)?;
    let begins = |object: &ObjectId| {
        let own: String = object.to_string().chars().filter(|letter| *letter != '-').collect();
        own.starts_with(&digits)
    };
    Ok(listed.into_iter().take_while(begins).collect())
}

fn chain_found(desk: &Desk, chain: ChainId) -> Result<ChainFound, LedgerError> {
    let tallies = desk.ledger.chain_tallies(desk.tenant, &chain)?;
    let mut owners: Vec<ObjectId> =
        tallies.iter().filter_map(|tally: &Tally| tally.class.judgement.certain_owner()).collect();
    owners.sort();
    owners.dedup();
    let is_kept = !tallies.is_empty();
    let snapshots = tallies.iter().map(|tally| tally.count.all).sum();
    Ok(ChainFound { chain, snapshots: is_kept.then_some(snapshots), owners: is_kept.then_some(owners.len()) })
}

/// The snapshot `chain/snapshot`; either id may have such a stroke itself.
fn snapshots(desk: &Desk, text: &str) -> Result<Vec<SnapshotFound>, LedgerError> {
    let mut found = Vec::new();
    for (place, _) in text.match_indices('/').take(PARTINGS_MAX) {
        let (Some(chain), Some(snapshot)) = (text.get(..place), text.get(place + 1..)) else { continue };
        let (Ok(chain), Ok(snapshot)) = (chain.parse::<ChainId>(), snapshot.parse::<SnapshotId>()) else { continue };
        if desk.ledger.store().snapshot(desk.tenant, &chain, &snapshot)?.is_some() {
            found.push(SnapshotFound { chain, snapshot });
        }
    }
    Ok(found)
}
