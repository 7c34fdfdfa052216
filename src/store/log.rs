//! The Merkle log over a tenant's commits, so that few hashes show that a commit is among them, or that one history is the
//! beginning of another.
//!
//! Leaf *n* (from 0) is commit *n + 1*, its data the commit's 32-byte hash; leaves and nodes are hashed as RFC 6962 does it
//! and C2SP's tlog formats have it. A node is kept from the commit on that completes its subtree, with the other nodes that
//! the same commit completes: one record a commit, with two hashes on average.

use tlog_tiles::tlog::{Hash as LogHash, node_hash, record_hash};

use super::{Hash, StoreError};
use crate::domain::id::{Sequence, TenantId};

/// A node of the log's tree whose subtree is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogNode {
    /// How many levels above the leaves.
    pub level: u8,
    /// Its place among the nodes of its level, from 0.
    pub number: u64,
}

impl LogNode {
    /// The commit that completes it; `None` if no ledger can have so many.
    pub fn completed_by(self) -> Option<Sequence> {
        let leaves = 1u64.checked_shl(u32::from(self.level))?;
        self.number.checked_add(1)?.checked_mul(leaves).map(Sequence)
    }

    /// The log of a tenant lacks it.
    pub(crate) fn missing(self, tenant: TenantId) -> StoreError {
        let Self { level, number } = self;
        let what = format!("node {number} of level {level} of the Merkle log of tenant {tenant}");
        StoreError::Damaged { what, why: "it is missing".to_owned() }
    }
}

/// The nodes that a commit completes, from its own leaf upward. `read` gives those that earlier ones completed.
pub(super) fn completed(
    sequence: Sequence,
    commit: &Hash,
    mut read: impl FnMut(LogNode) -> Result<Hash, StoreError>,
) -> Result<Vec<Hash>, StoreError> {
    let mut node = record_hash(&commit.0);
    let mut nodes = vec![Hash(node.0)];
    let (mut level, mut number) = (0, sequence.0.saturating_sub(1));
    // As long as it is a right child, its parent is complete as well.
    while number & 1 == 1 {
        let left = read(LogNode { level, number: number - 1 })?;
        node = node_hash(LogHash(left.0), node);
        nodes.push(Hash(node.0));
        (level, number) = (level + 1, number >> 1);
    }
    Ok(nodes)
}

/// Picks a node out of those that were kept with the commit that completed it.
pub(super) fn pick(tenant: TenantId, node: LogNode, kept: Option<&[Hash]>) -> Result<Hash, StoreError> {
    kept.and_then(|nodes| nodes.get(usize::from(node.level))).copied().ok_or_else(|| node.missing(tenant))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_nodes_of_a_commit_are_those_that_the_crate_stores() {
        struct Dense(Vec<LogHash>);
        impl tlog_tiles::tlog::HashReader for Dense {
            fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<LogHash>, tlog_tiles::tlog::Error> {
                Ok(indexes.iter().map(|index| self.0[*index as usize]).collect())
            }
        }
        let (mut dense, mut kept) = (Dense(Vec::new()), BTreeMap::<Sequence, Vec<Hash>>::new());
        for n in 0..70u64 {
            let (sequence, commit) = (Sequence(n + 1), Hash([n as u8; 32]));
            let tenant = TenantId::from_bytes([1; 16]);
            let read =
                |node: LogNode| pick(tenant, node, node.completed_by().and_then(|at| kept.get(&at)).map(Vec::as_slice));
            let nodes = completed(sequence, &commit, read).unwrap();
            let expected = tlog_tiles::tlog::stored_hashes(n, &commit.0, &dense).unwrap();
            assert_eq!(
                nodes.iter().map(|hash| hash.0).collect::<Vec<_>>(),
                expected.iter().map(|hash| hash.0).collect::<Vec<_>>()
            );
            dense.0.extend(expected);
            kept.insert(sequence, nodes);
        }
    }

    #[test]
    fn no_place_is_beyond_all_numbers() {
        let node = |level, number| LogNode { level, number }.completed_by();
        assert_eq!(node(0, 0), Some(Sequence(1)));
        assert_eq!(node(3, 1), Some(Sequence(16)));
        assert_eq!(node(63, 0), Some(Sequence(1 << 63)));
        assert_eq!((node(63, 1), node(64, 0), node(0, u64::MAX)), (None, None, None));
    }
}
