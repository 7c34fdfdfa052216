//! The Merkle log over a tenant's commits: its root at any commit, and the hashes that prove something of it.

use std::cell::RefCell;

use tlog_tiles::tlog::{
    EMPTY_HASH, Error as LogError, Hash as LogHash, HashReader, node_hash, prove_record, prove_tree,
    split_stored_hash_index, tree_hash,
};

use super::{Ledger, LedgerError};
use crate::domain::id::{Sequence, TenantId};
use crate::domain::time::Instant;
use crate::store::{Hash, LedgerStore, LogNode, StoreError};

/// Where a tenant's log stood after a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeHead {
    /// The commit, which is also the number of leaves.
    pub sequence: Sequence,
    /// The root of the tree over all commits up to it.
    pub root: Hash,
    /// The commit's hash; zeros if there is none.
    pub hash: Hash,
    /// When it was recorded.
    pub recorded: Option<Instant>,
}

impl Ledger {
    /// The log as it stood after a commit, or after the newest.
    ///
    /// # Errors
    /// If there is no such commit, or the ledger cannot be read.
    pub fn tree_head(&self, tenant: TenantId, at: Option<Sequence>) -> Result<TreeHead, LedgerError> {
        let head = self.store().head(tenant)?;
        let sequence = at.unwrap_or(head.sequence);
        self.must_have(tenant, sequence, head.sequence)?;
        let (hash, recorded) = match sequence == head.sequence {
            true => (head.hash, head.recorded),
            false => {
                let entry = self.entry(tenant, sequence)?;
                entry.map_or_else(Default::default, |entry| (entry.hash, Some(entry.commit.recorded)))
            }
        };
        let root = Reader::of(self.store(), tenant).answer(|reader| tree_hash(sequence.0, reader))?;
        Ok(TreeHead { sequence, root: Hash(root.0), hash, recorded })
    }

    /// The hashes that show a commit to be in the log of a size.
    ///
    /// # Errors
    /// If there is no such commit, or the ledger cannot be read.
    pub fn prove_commit(&self, tenant: TenantId, commit: Sequence, size: Sequence) -> Result<Vec<Hash>, LedgerError> {
        self.must_have(tenant, size, self.store().head(tenant)?.sequence)?;
        self.must_have(tenant, commit, size)?;
        let leaf = commit.0.checked_sub(1).ok_or(LedgerError::NoSuchCommit { tenant, asked: commit, newest: size })?;
        let proof = Reader::of(self.store(), tenant).answer(|reader| prove_record(size.0, leaf, reader))?;
        Ok(proof.into_iter().map(|hash| Hash(hash.0)).collect())
    }

    /// The hashes that show the log of one size to be the beginning of the log of another.
    ///
    /// # Errors
    /// If there are not so many commits, or the ledger cannot be read.
    pub fn prove_consistency(
        &self,
        tenant: TenantId,
        older: Sequence,
        newer: Sequence,
    ) -> Result<Vec<Hash>, LedgerError> {
        self.must_have(tenant, newer, self.store().head(tenant)?.sequence)?;
        self.must_have(tenant, older, newer)?;
        // Whatever there is begins with nothing.
        if older == Sequence(0) {
            return Ok(Vec::new());
        }
        let proof = Reader::of(self.store(), tenant).answer(|reader| prove_tree(newer.0, older.0, reader))?;
        Ok(proof.into_iter().map(|hash| Hash(hash.0)).collect())
    }

    /// The hash over a part of the log: the commits from one place (counted from 0) up to, and without, another. The part has
    /// to be one that the tree has.
    ///
    /// # Errors
    /// If there are not so many commits, or the ledger cannot be read.
    pub fn log_part(&self, tenant: TenantId, low: u64, high: u64) -> Result<Hash, LedgerError> {
        let mut nodes = Vec::new();
        let mut from = low;
        while from < high {
            // The largest whole subtree that begins here.
            let level = from.trailing_zeros().min((high - from).ilog2());
            nodes.push(LogNode { level: u8::try_from(level).unwrap_or(u8::MAX), number: from >> level });
            from += 1 << level;
        }
        let hashes = self.store().log_nodes(tenant, &nodes)?;
        let joined = hashes.into_iter().map(|hash| LogHash(hash.0)).rev().reduce(|right, left| node_hash(left, right));
        Ok(Hash(joined.unwrap_or(EMPTY_HASH).0))
    }

    fn must_have(&self, tenant: TenantId, asked: Sequence, newest: Sequence) -> Result<(), LedgerError> {
        if asked > newest { Err(LedgerError::NoSuchCommit { tenant, asked, newest }) } else { Ok(()) }
    }
}

/// Reads nodes for the algorithms of the log, and keeps the store's own words if that fails.
struct Reader<'s> {
    store: &'s dyn LedgerStore,
    tenant: TenantId,
    failure: RefCell<Option<StoreError>>,
}

impl<'s> Reader<'s> {
    fn of(store: &'s dyn LedgerStore, tenant: TenantId) -> Self {
        Self { store, tenant, failure: RefCell::default() }
    }

    fn answer<T>(self, question: impl FnOnce(&Self) -> Result<T, LogError>) -> Result<T, LedgerError> {
        question(&self).map_err(|error| {
            let unasked = || StoreError::Damaged {
                what: format!("the Merkle log of tenant {}", self.tenant),
                why: error.to_string(),
            };
            self.failure.take().unwrap_or_else(unasked).into()
        })
    }
}

impl HashReader for Reader<'_> {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<LogHash>, LogError> {
        let node = |index: &u64| {
            let (level, number) = split_stored_hash_index(*index);
            LogNode { level, number }
        };
        let nodes: Vec<LogNode> = indexes.iter().map(node).collect();
        match self.store.log_nodes(self.tenant, &nodes) {
            Ok(hashes) if hashes.len() == nodes.len() => Ok(hashes.into_iter().map(|hash| LogHash(hash.0)).collect()),
            Ok(_) => Err(LogError::BadMath),
            Err(error) => {
                self.failure.replace(Some(error));
                Err(LogError::IndexesNotInTree)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ct_merkle::mem_backed_tree::MemoryBackedTree;
    use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
    use sha2::Sha256;

    use super::*;
    use crate::domain::fact::{Fact, Feed, Horizon};
    use crate::ledger::{Batch, Stamp};
    use crate::store::memory::MemoryStore;

    const TENANT: TenantId = TenantId::from_bytes([7; 16]);

    fn ledger(commits: u64) -> Ledger {
        let ledger = Ledger::new(MemoryStore::new());
        for n in 0..commits {
            let now = Instant::from_micros(1_800_000_000_000_000 + i64::try_from(n).unwrap());
            let facts = vec![Fact::Horizon(Horizon { feed: Feed::Delta, from: now, through: now })];
            ledger.append(TENANT, Batch { facts, ..Batch::default() }, Stamp { now, salt: [1; 16] }).unwrap();
        }
        ledger
    }

    /// Another implementation of RFC 6962 has the same roots and accepts, and makes, the same proofs.
    #[test]
    fn roots_and_proofs_are_those_of_another_implementation() {
        let ledger = ledger(70);
        let entries = ledger.store().journal(TENANT, Sequence(1), 99).unwrap();
        let mut trees = vec![MemoryBackedTree::<Sha256, [u8; 32]>::new()];
        for entry in &entries {
            let mut next = trees.last().unwrap().clone();
            next.push(entry.hash.0);
            trees.push(next);
        }
        for (size, tree) in (0u64..).zip(&trees) {
            let head = ledger.tree_head(TENANT, Some(Sequence(size))).unwrap();
            let root = tree.root();
            assert_eq!(head.root.0, <[u8; 32]>::from(*root.as_bytes()), "{size}");
            for older in 1..size {
                let bytes: Vec<u8> = ledger
                    .prove_consistency(TENANT, Sequence(older), Sequence(size))
                    .unwrap()
                    .iter()
                    .flat_map(|hash| hash.0)
                    .collect();
                let theirs = tree.prove_consistency((size - older) as usize);
                assert_eq!(theirs.as_bytes(), bytes, "{older} to {size}");
                let proof = ConsistencyProof::<Sha256>::try_from_bytes(bytes).unwrap();
                root.verify_consistency(&trees[older as usize].root(), &proof).unwrap();
                let path: Vec<u8> = ledger
                    .prove_commit(TENANT, Sequence(older), Sequence(size))
                    .unwrap()
                    .iter()
                    .flat_map(|hash| hash.0)
                    .collect();
                let proof = InclusionProof::<Sha256>::try_from_bytes(path).unwrap();
                root.verify_inclusion(&entries[older as usize - 1].hash.0, older - 1, &proof).unwrap();
            }
        }
        let _: RootHash<Sha256> = trees[0].root();
    }

    #[test]
    fn what_is_not_there_is_not_proved() {
        let ledger = ledger(3);
        assert!(ledger.tree_head(TENANT, Some(Sequence(4))).is_err());
        assert!(ledger.prove_commit(TENANT, Sequence(0), Sequence(3)).is_err());
        assert!(ledger.prove_commit(TENANT, Sequence(3), Sequence(2)).is_err());
        assert!(ledger.prove_consistency(TENANT, Sequence(2), Sequence(4)).is_err());
        assert_eq!(ledger.prove_consistency(TENANT, Sequence(0), Sequence(3)).unwrap(), []);
        assert_eq!(ledger.prove_commit(TENANT, Sequence(1), Sequence(1)).unwrap(), []);
        let past = ledger.as_known(TENANT, crate::ledger::KnownAt::Sequence(Sequence(2))).unwrap();
        assert_eq!(past.tree_head(TENANT, None).unwrap(), ledger.tree_head(TENANT, Some(Sequence(2))).unwrap());
    }
}
