//! No audit event, in whatever encoding its values are, makes the reader panic.

use whowas::graph::audits::facts;
use whowas::graph::wire::audit::WireAudit;

pub fn run(body: &[u8]) {
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(body) else { return };
    if let Ok(event) = WireAudit::read(0, &value) {
        let _ = facts([&event]);
    }
}
