//! An audit event in any of the forms in which it travels.

use serde_json::Value;

use super::SKEW_MAX;
use super::Said;
use super::json::fault;
use crate::domain::time::Instant;
use crate::graph::audits;
use crate::graph::wire::audit::WireAudit;

/// What an event tells. It is a proof, so it must be sure which instant it speaks of, and that this has been.
pub(super) fn said(item: &[u8], now: Instant) -> Said {
    let event = match serde_json::from_slice::<Value>(item) {
        Ok(event) => event,
        Err(error) => return Said::Fault(fault(&error)),
    };
    let event = match WireAudit::read(0, &event) {
        Ok(event) => event,
        Err(refused) => {
            return Said::Fault(format!("it is no audit event: {}; give events as Graph returns them", refused.why));
        }
    };
    let told = audits::facts([&event]);
    match told.ignored.first() {
        Some(ignored) => Said::Nothing(ignored.why),
        None => check_time(&event, now).map_or_else(Said::Fault, |()| Said::Facts(told.facts)),
    }
}

fn check_time(event: &WireAudit, now: Instant) -> Result<(), String> {
    if event.is_local {
        return Err(
            "its time has no offset, so it is not known which instant it is; write it as RFC 3339, for example \
                    2026-03-01T09:30:00Z or 2026-03-01T10:30:00+01:00"
                .to_owned(),
        );
    }
    match event.at {
        Some(at) if at > now.plus(SKEW_MAX) => {
            Err(format!("its time, {at}, lies after the present, {now}; mend it, or check its offset"))
        }
        _ => Ok(()),
    }
}
