//! What of a ledger is in memory.

/// What is in memory of the records that questions read most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Residency {
    /// How much memory the copies take, in bytes.
    pub bytes: u64,
    /// Whether all that is told of objects and names is answered from them.
    pub names: bool,
    /// Whether it is so with the owners of chains.
    pub chains: bool,
    /// Whether it is so with snapshots.
    pub snapshots: bool,
    /// Whether they are being made.
    pub filling: bool,
    /// Whether something was left out, because it would have taken more than it may.
    pub too_large: bool,
}
