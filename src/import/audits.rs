//! An audit event in any of the forms in which it travels.

use serde_json::Value;

use super::Said;
use super::json::fault;
use crate::graph::audits;
use crate::graph::wire::audit::WireAudit;

/// What an event tells.
pub(super) fn said(item: &[u8]) -> Said {
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
        None => Said::Facts(told.facts),
    }
}
