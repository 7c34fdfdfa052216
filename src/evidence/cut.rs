//! A Merkle tree of which only some leaves are shown.
//!
//! The tree is walked from its root, left before right. Where no shown leaf is below a node, the node's hash stands in the
//! *rest*; else the walk goes on below it. So the rest has one hash for each largest part of which nothing is shown, from left
//! to right, and leads from any set of leaves to the root; for one leaf it is the audit path of RFC 6962 in another order.

use tlog_tiles::tlog::{Hash as LogHash, node_hash};

use crate::store::Hash;

/// The root of a tree of a size, from the shown leaves in ascending order and the rest. `None` if they do not fit together.
pub fn root(size: u64, shown: &[(u64, Hash)], rest: &[Hash]) -> Option<Hash> {
    let ascending = shown.iter().zip(shown.iter().skip(1)).all(|((a, _), (b, _))| a < b);
    let is_within = shown.last().is_some_and(|(place, _)| *place < size);
    if !ascending || !is_within {
        return None;
    }
    let mut rest = rest.iter().copied();
    let root = walk(0, size, shown, &mut |_, _| rest.next())?;
    rest.next().is_none().then_some(root)
}

/// The rest of a tree of a size in which the leaves at these places, in ascending order, are shown. `node` gives the hash over
/// the leaves from one place up to, and without, another.
///
/// # Errors
/// What `node` answers.
pub fn rest<E>(size: u64, shown: &[u64], mut node: impl FnMut(u64, u64) -> Result<Hash, E>) -> Result<Vec<Hash>, E> {
    let leaves: Vec<(u64, Hash)> = shown.iter().map(|place| (*place, Hash::default())).collect();
    let (mut rest, mut failure) = (Vec::new(), None);
    walk(0, size, &leaves, &mut |low, high| match node(low, high) {
        Ok(hash) => {
            rest.push(hash);
            Some(hash)
        }
        Err(error) => {
            failure = Some(error);
            None
        }
    });
    match failure {
        Some(error) => Err(error),
        None => Ok(rest),
    }
}

/// How many leaves the left part of a tree has: the largest power of two below its size, which is 2 or more.
pub fn left_of(size: u64) -> u64 {
    1 << (size - 1).ilog2()
}

/// The hash over the leaves from `low` up to `high`; there is at least one.
fn walk(low: u64, high: u64, shown: &[(u64, Hash)], hidden: &mut impl FnMut(u64, u64) -> Option<Hash>) -> Option<Hash> {
    if shown.is_empty() {
        return hidden(low, high);
    }
    if high - low == 1 {
        return shown.first().map(|(_, leaf)| *leaf);
    }
    let middle = low + left_of(high - low);
    let (left, right) = shown.split_at(shown.partition_point(|(place, _)| *place < middle));
    let left = walk(low, middle, left, hidden)?;
    let right = walk(middle, high, right, hidden)?;
    Some(Hash(node_hash(LogHash(left.0), LogHash(right.0)).0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::store::hash::items_root;

    fn leaves(size: u64) -> Vec<Hash> {
        (0..size).map(|n| Hash([n as u8; 32])).collect()
    }

    proptest! {
        #[test]
        fn any_leaves_and_the_rest_lead_to_the_root(size in 1u64..130, places in prop::collection::vec(any::<prop::sample::Index>(), 1..9)) {
            let all = leaves(size);
            let mut places: Vec<u64> = places.iter().map(|index| index.index(size as usize) as u64).collect();
            places.sort_unstable();
            places.dedup();
            let node = |low: u64, high: u64| Ok::<_, ()>(items_root(&all[low as usize..high as usize]));
            let hidden = rest(size, &places, node).unwrap();
            let shown: Vec<(u64, Hash)> = places.iter().map(|place| (*place, all[*place as usize])).collect();
            let whole = items_root(&all);
            prop_assert_eq!(root(size, &shown, &hidden), Some(whole));
            // Another leaf, another place, one hash more or fewer, another size: another root or none.
            let mut other = shown.clone();
            other[0].1.0[0] ^= 1;
            prop_assert_ne!(root(size, &other, &hidden), Some(whole));
            let more = [hidden.clone(), vec![Hash::default()]].concat();
            prop_assert_eq!(root(size, &shown, &more), None);
            if let Some((_, fewer)) = hidden.split_last() {
                prop_assert_eq!(root(size, &shown, fewer), None);
            }
        }
    }

    #[test]
    fn leaves_out_of_order_or_beyond_the_tree_lead_nowhere() {
        let leaf = Hash([1; 32]);
        assert_eq!(root(1, &[(0, leaf)], &[]), Some(leaf));
        assert_eq!(root(0, &[(0, leaf)], &[]), None);
        assert_eq!(root(2, &[(1, leaf), (0, leaf)], &[]), None);
        assert_eq!(root(2, &[(0, leaf), (0, leaf)], &[]), None);
        assert_eq!(root(2, &[(2, leaf)], &[leaf]), None);
        assert_eq!(root(2, &[], &[leaf]), None);
        // A size that no log has is no reason to work for ever.
        assert_eq!(root(u64::MAX, &[(5, leaf)], &[]), None);
    }
}
