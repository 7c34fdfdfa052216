//! Proofs as files: whatever the history, they hold, and nothing that is changed in one or in the history goes unnoticed. Both
//! verifiers are asked: the program's own, and the one in Python that was written from the documentation.
#![cfg(feature = "cli")]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the helpers of a test fail it; clippy spares only the test functions themselves"
)]

mod consistency;
mod place;
mod python;
mod snapshot;
