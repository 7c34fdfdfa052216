//! Who a name was.

use serde::{Deserialize, Serialize};

use super::Desk;
use super::parts::CandidatePart;
use crate::domain::holder::HolderConfidence;
use crate::domain::id::ObjectId;
use crate::domain::name::{Name, NameKind};
use crate::domain::time::Instant;
use crate::ledger::{Basis, KnownAt, LedgerError};

/// The holder of a name at an instant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct WhoAnswer {
    /// The name.
    pub name: Name,
    /// Which namespaces.
    pub kind: NameKind,
    /// When.
    pub at: Instant,
    /// How sure.
    pub confidence: HolderConfidence,
    /// Who, if it is one.
    pub holder: Option<ObjectId>,
    /// Whom the evidence allows.
    pub candidates: Vec<CandidatePart>,
    /// What the answer rests on.
    pub basis: Basis,
}

/// Who held a name; without an instant, who holds it by the newest evidence.
pub fn who(
    desk: &Desk,
    name: &Name,
    kind: NameKind,
    at: Option<Instant>,
    known_at: KnownAt,
) -> Result<WhoAnswer, LedgerError> {
    let who = desk.ledger.who(desk.tenant, name, kind, at, known_at, desk.clock.now())?;
    Ok(WhoAnswer {
        name: name.clone(),
        kind,
        at: who.at,
        confidence: who.standing.confidence,
        holder: who.standing.holder,
        candidates: who.standing.candidates.iter().map(CandidatePart::from).collect(),
        basis: who.basis,
    })
}
