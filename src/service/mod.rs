//! Use-cases, one a file, shared by the command line and whatever else asks: typed request in, typed answer out. The
//! answers serialise to the JSON of the outer contract.

pub mod check;
pub(crate) mod cursor;
#[cfg(feature = "http")]
pub mod directory;
#[cfg(feature = "cli")]
pub mod doctor;
pub mod evidence;
pub mod explain;
pub mod export;
pub mod findings;
pub mod history;
pub mod import;
pub mod journal;
pub mod link;
pub mod mapping;
pub mod mend;
pub mod parallel;
pub mod parts;
pub mod people;
pub mod plan;
#[cfg(feature = "report")]
pub mod report;
pub mod restore;
pub mod reuse;
pub mod runs;
pub mod search;
pub mod snapshot;
pub mod status;
pub mod who;

use std::sync::Arc;

use crate::clock::Clock;
use crate::domain::id::TenantId;
use crate::domain::verdict::Policy;
use crate::graph::auth::Moments;
use crate::graph::certificate::Moment;
use crate::ledger::Ledger;

/// One tenant of a ledger, with the policy and the clock by which it is asked.
#[derive(Clone)]
pub struct Desk {
    /// The ledger.
    pub ledger: Ledger,
    /// Whose.
    pub tenant: TenantId,
    /// How old evidence may be.
    pub policy: Policy,
    /// What time it is.
    pub clock: Clock,
}

/// What dates the assertions that are signed with a certificate.
pub fn moments(clock: Clock) -> Moments {
    Arc::new(move || Moment { now: clock.now(), salt: clock.salt() })
}
