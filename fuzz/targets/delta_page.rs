//! No body of a delta page makes the reader panic, and no link leads anywhere but to the configured Graph.

use whowas::domain::fact::{Reading, Source};
use whowas::domain::time::Instant;
use whowas::graph::cloud::{Cloud, Endpoints};
use whowas::graph::delta::{DeltaLink, DeltaPage};
use whowas::graph::facts::fact;

pub fn run(body: &[u8]) {
    let endpoints = Endpoints::new(Cloud::Global, None, None).expect("the global cloud has endpoints");
    let at = Instant::from_micros(1_772_409_600_000_000);
    let Ok(page) = DeltaPage::parse(&endpoints, at, body) else { return };
    let (DeltaLink::Next(link) | DeltaLink::Delta(link)) = &page.link;
    assert!(endpoints.own(link.as_str()).is_ok());
    let reading =
        Reading { at, lag: std::time::Duration::from_secs(300), source: Source::Delta, unchanged_since: None };
    for user in &page.items {
        let _ = fact(user, reading);
    }
}
