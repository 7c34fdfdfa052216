//! No text makes names, addresses, ids or times panic, and a name's key is stable.
#![no_main]

use libfuzzer_sys::fuzz_target;
use whowas::domain::id::{ChainId, ObjectId};
use whowas::domain::name::{Name, Proxy};
use whowas::domain::time::Instant;

fuzz_target!(|text: &str| {
    if let Ok(name) = text.parse::<Name>()
        && let Ok(again) = name.key().as_str().parse::<Name>()
    {
        assert_eq!(name.key(), again.key());
    }
    let _ = Proxy::parse(text);
    let _ = text.parse::<ChainId>();
    let _ = text.parse::<ObjectId>();
    let _ = Instant::parse_lenient(text);
});
