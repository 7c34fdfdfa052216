//! No text makes names, addresses, ids or times panic, and a name's key is stable.

use whowas::domain::id::{ChainId, ObjectId, SnapshotId};
use whowas::domain::name::{Name, Proxy};
use whowas::domain::time::Instant;

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(name) = text.parse::<Name>()
        && let Ok(again) = name.key().as_str().parse::<Name>()
    {
        assert_eq!(name.key(), again.key());
    }
    let _ = Proxy::parse(text);
    if let Ok(chain) = text.parse::<ChainId>() {
        assert_eq!(chain.as_str().parse(), Ok(chain));
    }
    let _ = text.parse::<SnapshotId>();
    let _ = text.parse::<ObjectId>();
    let _ = Instant::parse_lenient(text);
    if let Ok(at) = text.parse::<Instant>() {
        assert_eq!(at.to_string().parse(), Ok(at));
    }
}
