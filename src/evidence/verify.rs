//! Checking a proof, by nothing but its text, a key, and perhaps a checkpoint that was kept.

use serde::Serialize;
use tlog_tiles::tlog::{EMPTY_HASH, Hash as LogHash, check_tree, record_hash};

use super::checkpoint::{Checkpoint, CheckpointError};
use super::cut;
use super::derive::attributed;
use super::key::{self, NoKey};
use super::proof::{Claim, NoProof, Proof, ShownCommit, SnapshotPart};
use crate::domain::fact::Known;
use crate::domain::id::{ChainId, Sequence, SnapshotId, TenantId};
use crate::domain::time::Instant;
use crate::store::Hash;
use crate::store::hash::{Header, HeaderVersion, commit_hash};

/// What a verifier brings along.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// The verifier key, as it was handed out. Without one the key in the proof is taken, and that is said.
    pub key: Option<String>,
    /// A checkpoint that was kept.
    pub kept: Option<String>,
}

/// What a proof shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// The tenant whose log it is about.
    pub tenant: TenantId,
    /// The key that signed.
    pub key: String,
    /// Whether the verifier brought the key along. Otherwise anybody could have made the proof.
    pub key_is_trusted: bool,
    /// The checkpoint that everything is traced to.
    pub checkpoint: Stand,
    /// The older checkpoint that it continues, if the proof has one.
    pub older: Option<Stand>,
    /// Whether the checkpoint that was kept is one of these two; `null` if none was kept.
    pub kept: Option<bool>,
    /// The snapshot that it is about, if it is about one, and whose data that holds.
    pub snapshot: Option<SnapshotShown>,
    /// What it does not show.
    pub limits: &'static str,
}

/// Whose data a snapshot holds, derived anew from the facts in the proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SnapshotShown {
    /// The chain.
    pub chain: ChainId,
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// The first instant of the read.
    pub from: Instant,
    /// The last.
    pub until: Instant,
    /// Whose data.
    pub attribution: Claim,
    /// How many facts are shown.
    pub facts: usize,
    /// Of how many commits.
    pub commits: usize,
}

/// Where a log stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Stand {
    /// How many commits it had.
    pub size: Sequence,
    /// The root over them.
    pub root: Hash,
    /// The newest one's hash.
    pub commit: Hash,
    /// When it was recorded.
    pub recorded: Instant,
}

/// Why a proof shows nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refuted {
    /// It cannot be read.
    #[error("it is no proof of whowas: {0}")]
    Unreadable(#[from] NoProof),
    /// The key cannot be read.
    #[error("the verifier key cannot be used: {0}")]
    Key(#[from] NoKey),
    /// It was made with another key.
    #[error("it was made with the key {found}, not with {wanted}")]
    OtherKey {
        /// The key in it.
        found: String,
        /// The key of the verifier.
        wanted: String,
    },
    /// A checkpoint cannot be believed.
    #[error("{which}: {why}")]
    Checkpoint {
        /// Which one.
        which: &'static str,
        /// Why.
        why: CheckpointError,
    },
    /// The older checkpoint is no beginning of the newer.
    #[error("the log of {older} commits is not the beginning of the log of {newer}: its history was written anew")]
    Rewritten {
        /// The size of the one.
        older: Sequence,
        /// The size of the other.
        newer: Sequence,
    },
    /// The kept checkpoint and that of the proof have one size and are not the same.
    #[error(
        "the checkpoint that was kept and that of the proof are both of {size} commits and differ: the history was written anew"
    )]
    TwoHistories {
        /// The size.
        size: Sequence,
    },
    /// A commit of it is not in the log.
    #[error(
        "its facts do not lead to the root of the checkpoint: one of them, or of the hashes beside them, was changed"
    )]
    NotInLog,
    /// What is shown of a commit does not fit together.
    #[error("commit {commit}: {why}")]
    Commit {
        /// Which one.
        commit: Sequence,
        /// What is wrong with it.
        why: String,
    },
    /// The snapshot is not among the facts.
    #[error("the snapshot is not among its facts")]
    NoSnapshot,
    /// From its facts another attribution follows.
    #[error("from its facts follows that the snapshot is {derived}, and it claims {claimed}")]
    Misattributed {
        /// What follows.
        derived: String,
        /// What is claimed.
        claimed: String,
    },
    /// The kept checkpoint is about something else.
    #[error(
        "the checkpoint that was kept is of {kept} commits, and the proof tells nothing of it; ask for one that is made with `--from` and that checkpoint"
    )]
    NotConnected {
        /// The size of the kept one.
        kept: Sequence,
    },
}

/// Checks a proof.
///
/// # Errors
/// The first thing in it that does not hold.
pub fn verify(text: &str, trust: &Trust) -> Result<Verified, Refuted> {
    let proof = Proof::parse(text)?;
    let wanted = trust.key.as_deref().unwrap_or(&proof.key);
    if wanted != proof.key {
        return Err(Refuted::OtherKey { found: proof.key.clone(), wanted: wanted.to_owned() });
    }
    let verifier = key::verifier(wanted)?;
    let open = |which, note: &str| Checkpoint::open(note, &verifier).map_err(|why| Refuted::Checkpoint { which, why });
    let checkpoint = open("the checkpoint", &proof.checkpoint)?;
    let older = match &proof.older {
        Some(older) => {
            let stood = open("the older checkpoint", &older.checkpoint)?;
            must_continue(&stood, &checkpoint, &older.path)?;
            Some(stood)
        }
        None => None,
    };
    let kept = match &trust.kept {
        Some(kept) => Some(open("the checkpoint that was kept", kept)?),
        None => None,
    };
    if let Some(kept) = kept {
        let found = [Some(checkpoint), older].into_iter().flatten().find(|known| known.size == kept.size);
        match found {
            Some(same) if same == kept => {}
            Some(_) => return Err(Refuted::TwoHistories { size: kept.size }),
            None => return Err(Refuted::NotConnected { kept: kept.size }),
        }
    }
    let snapshot = proof.snapshot.as_ref().map(|shown| attribute(shown, &checkpoint)).transpose()?;
    Ok(Verified {
        tenant: checkpoint.tenant,
        key: proof.key,
        key_is_trusted: trust.key.is_some(),
        checkpoint: Stand::of(&checkpoint),
        older: older.as_ref().map(Stand::of),
        kept: kept.map(|_| true),
        limits: if snapshot.is_some() { LIMITS_OF_SNAPSHOT } else { LIMITS_OF_CONSISTENCY },
        snapshot,
    })
}

/// What two connected checkpoints do not show.
const LIMITS_OF_CONSISTENCY: &str = "no commit that was in the older log was changed or taken out, and what stands in the place of facts \
     that were erased since is not fixed by it; that its facts are true, or that everything was taken in, is not shown, and that nobody was \
     shown another log only by comparing checkpoints";

/// What a snapshot's attribution does not show.
const LIMITS_OF_SNAPSHOT: &str = "that no other fact was left out which would tell otherwise; the checkpoint fixes how many \
     commits there are and what is in them, so whoever reads the whole journal can look for one";

/// Traces the facts to the checkpoint, and derives from them anew whose data the snapshot holds.
fn attribute(part: &SnapshotPart, checkpoint: &Checkpoint) -> Result<SnapshotShown, Refuted> {
    let mut leaves = Vec::with_capacity(part.commits.len());
    let (mut hashes, mut facts) = (Vec::with_capacity(part.commits.len()), Vec::new());
    for commit in &part.commits {
        let no = |why: String| Refuted::Commit { commit: commit.sequence, why };
        let place = commit.sequence.0.checked_sub(1).ok_or_else(|| no("commits are counted from 1".to_owned()))?;
        let hash = hash_of(commit, checkpoint.tenant)
            .ok_or_else(|| no("its items and the hashes beside them do not fit together".to_owned()))?;
        leaves.push((place, Hash(record_hash(&hash.0).0)));
        hashes.push(hash);
        for item in &commit.shown {
            // Its bytes may happen to read as a fact's.
            if item.place.checked_add(1) == Some(commit.items) {
                return Err(no(format!("item {}: the last item of a commit is no fact", item.place)));
            }
            let fact = item.fact().map_err(|error| no(format!("item {}: {error}", item.place)))?;
            facts.push(Known { sequence: commit.sequence, fact });
        }
    }
    if cut::root(checkpoint.size.0, &leaves, &part.log) != Some(checkpoint.root) {
        return Err(Refuted::NotInLog);
    }
    let mut before = None;
    for (commit, hash) in part.commits.iter().zip(hashes) {
        let looked = must_follow(commit, hash, before, checkpoint);
        before = Some(looked.map_err(|why| Refuted::Commit { commit: commit.sequence, why: why.to_owned() })?);
    }
    let attributed = attributed(&part.chain, &part.snapshot, &facts).ok_or(Refuted::NoSnapshot)?;
    let derived = Claim::of(&attributed.attribution);
    if derived != part.claim {
        return Err(Refuted::Misattributed { derived: say(&derived), claimed: say(&part.claim) });
    }
    let (from, until) = (attributed.snapshot.from, attributed.snapshot.until);
    let (chain, snapshot, attribution) = (part.chain.clone(), part.snapshot.clone(), derived);
    Ok(SnapshotShown { chain, snapshot, from, until, attribution, facts: facts.len(), commits: part.commits.len() })
}

/// A commit that was looked at.
#[derive(Clone, Copy)]
struct Looked {
    sequence: Sequence,
    recorded: Instant,
    hash: Hash,
}

/// Whether a commit fits to the one shown before it and to what the checkpoint says of the newest one. The log fixes what is in each; that
/// they follow on each other, and that time did, is said by the commits alone.
fn must_follow(
    commit: &ShownCommit,
    hash: Hash,
    before: Option<Looked>,
    checkpoint: &Checkpoint,
) -> Result<Looked, &'static str> {
    let looked = Looked { sequence: commit.sequence, recorded: Instant::from_micros(commit.recorded), hash };
    if let Some(before) = before {
        if before.sequence.next() == looked.sequence && before.hash != commit.previous {
            return Err("it does not follow on the commit before it, which is shown as well");
        }
        if before.recorded > looked.recorded {
            return Err("it was recorded before a commit that comes before it");
        }
    }
    if looked.sequence.0 == 1 && commit.previous != Hash::default() {
        return Err("it is the first one, and names another before it");
    }
    if looked.recorded > checkpoint.recorded {
        return Err("it was recorded after the newest commit, by what the checkpoint says of that");
    }
    let is_newest = looked.sequence == checkpoint.size;
    if is_newest && (looked.hash, looked.recorded) != (checkpoint.commit, checkpoint.recorded) {
        return Err("the checkpoint says something else of its newest commit");
    }
    Ok(looked)
}

/// The hash of a commit, computed from what is shown of it.
fn hash_of(commit: &ShownCommit, tenant: TenantId) -> Option<Hash> {
    let shown: Vec<(u64, Hash)> = commit.shown.iter().map(|item| (u64::from(item.place), item.leaf())).collect();
    let payload = cut::root(u64::from(commit.items), &shown, &commit.rest)?;
    let (version, recorded) = (HeaderVersion::Each { items: commit.items }, Instant::from_micros(commit.recorded));
    let header = Header { version, tenant, sequence: commit.sequence, recorded };
    Some(commit_hash(&commit.previous, &header, &payload))
}

fn say(claim: &Claim) -> String {
    let owner = claim.owner.map_or_else(|| "nobody's for certain".to_owned(), |owner| format!("object {owner}'s"));
    let settled = if claim.settled { "settled" } else { "not settled" };
    let candidates: Vec<String> =
        claim.candidates.iter().map(|(object, confidence)| format!("{object} ({confidence})")).collect();
    let candidates = if candidates.is_empty() { "none".to_owned() } else { candidates.join(", ") };
    format!("{owner} ({}, {settled}; candidates: {candidates})", claim.confidence)
}

fn must_continue(older: &Checkpoint, newer: &Checkpoint, path: &[Hash]) -> Result<(), Refuted> {
    let rewritten = || Refuted::Rewritten { older: older.size, newer: newer.size };
    if older.size.0 == 0 {
        return if path.is_empty() && older.root.0 == EMPTY_HASH.0 { Ok(()) } else { Err(rewritten()) };
    }
    if older.size == newer.size && older != newer {
        return Err(Refuted::TwoHistories { size: newer.size });
    }
    let path = path.iter().map(|hash| LogHash(hash.0)).collect();
    let (old, new) = (LogHash(older.root.0), LogHash(newer.root.0));
    check_tree(&path, newer.size.0, new, older.size.0, old).map_err(|_| rewritten())
}

impl Stand {
    fn of(checkpoint: &Checkpoint) -> Self {
        let Checkpoint { size, root, commit, recorded, .. } = *checkpoint;
        Self { size, root, commit, recorded }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fact::{Addressed, Fact, Snapshot};
    use crate::domain::id::ObjectId;
    use crate::store::memory::MemoryStore;
    use crate::store::open::OpenCommit;
    use crate::store::{Commit, Derived, LedgerStore};

    const TENANT: TenantId = TenantId::from_bytes([0x11; 16]);

    fn at(micros: i64) -> Instant {
        Instant::from_micros(micros)
    }

    /// A log of two commits, of which the first says that a snapshot of an object was taken, in the first of two items.
    fn log(change: impl FnOnce(&mut Vec<ShownCommit>)) -> (SnapshotPart, Checkpoint) {
        let object = ObjectId::from_bytes([1; 16]);
        let (chain, id): (ChainId, SnapshotId) = ("c".parse().unwrap(), "s".parse().unwrap());
        let addressed = Addressed::Object(object);
        let taken =
            Snapshot { chain: chain.clone(), id: id.clone(), from: at(1), until: at(2), addressed, mailbox: None };
        let (facts, salt) = (vec![Fact::SnapshotTaken(taken)], [9; 16]);
        let store = MemoryStore::new();
        let commit = Commit { recorded: at(11), salt, facts, cursor: None, run: None };
        store.append(TENANT, Sequence(0), commit, Derived::default()).unwrap();
        let item = OpenCommit::of(TENANT, &store.journal(TENANT, Sequence(1), 1).unwrap()[0]).unwrap().item(0).unwrap();
        let commit = |number: u64, previous| ShownCommit {
            sequence: Sequence(number),
            previous,
            recorded: 10 + i64::try_from(number).unwrap(),
            items: 2,
            shown: vec![item.clone()],
            rest: vec![Hash([7; 32])],
        };
        let first = commit(1, Hash([0; 32]));
        let second = commit(2, hash_of(&first, TENANT).unwrap());
        let mut commits = vec![first, second];
        change(&mut commits);
        let hashes: Vec<Hash> = commits.iter().map(|commit| hash_of(commit, TENANT).unwrap()).collect();
        let leaves: Vec<(u64, Hash)> = (0..).zip(hashes.iter().map(|hash| Hash(record_hash(&hash.0).0))).collect();
        let last = commits.last().unwrap();
        let checkpoint = Checkpoint {
            tenant: TENANT,
            size: last.sequence,
            root: cut::root(last.sequence.0, &leaves, &[]).unwrap(),
            commit: *hashes.last().unwrap(),
            recorded: at(last.recorded),
        };
        let claim = Claim {
            owner: Some(object),
            confidence: "certain".into(),
            settled: true,
            candidates: vec![(object, "certain".into())],
        };
        (SnapshotPart { chain, snapshot: id, claim, commits, log: Vec::new() }, checkpoint)
    }

    fn refused(part: &SnapshotPart, checkpoint: &Checkpoint, word: &str) {
        let refused = attribute(part, checkpoint).unwrap_err().to_string();
        assert!(refused.contains(word), "{word} in {refused}");
    }

    #[test]
    fn what_the_log_itself_would_bear_is_refused() {
        let (part, checkpoint) = log(|_| ());
        attribute(&part, &checkpoint).unwrap();

        // The last item is the sync's. What stands in it may happen to read as a fact.
        let (part, checkpoint) = log(|commits| {
            for commit in commits {
                (commit.items, commit.rest) = (1, Vec::new());
            }
        });
        refused(&part, &checkpoint, "no fact");
        let (part, checkpoint) = log(|commits| commits[1].previous = Hash([3; 32]));
        refused(&part, &checkpoint, "does not follow");
        let (part, checkpoint) = log(|commits| commits[1].recorded = 5);
        refused(&part, &Checkpoint { recorded: at(99), ..checkpoint }, "recorded before");
        let (part, checkpoint) = log(|_| ());
        refused(&part, &Checkpoint { commit: Hash([3; 32]), ..checkpoint }, "something else");
        refused(&part, &Checkpoint { recorded: at(11), ..checkpoint }, "recorded after");
        refused(&part, &Checkpoint { recorded: at(13), ..checkpoint }, "something else");
    }
}
