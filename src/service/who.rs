//! Who a name was, and what somebody was called.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Desk;
use super::parts::CandidatePart;
use crate::domain::holder::HolderConfidence;
use crate::domain::id::ObjectId;
use crate::domain::interval::Interval;
use crate::domain::name::{Name, NameKind, Namespace};
use crate::domain::time::Instant;
use crate::domain::timeline::Role;
use crate::domain::track::Confidence;
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

/// The user principal names that the evidence allows an object at an instant, each with how sure it is.
pub fn called(desk: &Desk, object: ObjectId, at: Instant) -> Result<Vec<(Name, Confidence)>, LedgerError> {
    let view = desk.ledger.view(desk.tenant, KnownAt::Now)?;
    let timeline = view.timeline(object)?;
    let Some(instant) = Interval::closed(at, at) else { return Ok(Vec::new()) };
    let mut called = Vec::new();
    for (_, key, spelling) in timeline.names_ever().filter(|(role, ..)| *role == Role::Upn) {
        // Whoever else held the name then excludes this one.
        let claims = view.claims(key, &mut BTreeMap::new())?;
        let own = claims.claims().iter().find(|claim| claim.object == object && claim.namespace == Namespace::Upn);
        let confidence = own.map_or(Confidence::Possible, |claim| claim.track.confidence(instant));
        if confidence != Confidence::Impossible {
            called.push((spelling.clone(), confidence));
        }
    }
    Ok(called)
}
