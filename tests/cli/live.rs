//! The live reads of many asks together, at the library's own level: what is slow, and what time it is by then.

use std::time::Duration;

use whowas::domain::name::NameKind;
use whowas::domain::verdict::{Ask, Policy};
use whowas::graph::emulator::{Quirk, QuirkName};
use whowas::sync::read_live;

use super::world::World;

fn asks(names: &[&str]) -> Vec<Ask> {
    let ask = |name: &&str| Ask {
        name: Some(format!("{name}@x.test").parse().unwrap()),
        kind: NameKind::Smtp,
        ..Ask::default()
    };
    names.iter().map(ask).collect()
}

/// A contact that is slow to come is a failure of the ask that needs it, not of its neighbours.
#[test]
fn an_answer_that_is_slow_is_waited_for_only_so_long_and_by_those_who_need_it() {
    let mut w = World::new();
    w.create("ann");
    w.at("01:00");
    w.poll();
    w.at("01:10");
    let context = w.context();
    w.quirks([Quirk::new(QuirkName::SlowBody).path("/contacts").seconds(30.0)]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let patience = Duration::from_secs(3);
    let reads = runtime.block_on(read_live(&context, &asks(&["ann", "nobody"]), &Policy::default(), patience)).unwrap();
    assert!(reads[0].as_ref().unwrap().now() < w.now().plus(Duration::from_secs(30)));
    let failure = reads[1].as_ref().unwrap_err().to_string();
    assert!(failure.contains("did not answer within 3 s"), "{failure}");
}

/// Asks that wait for others of their night are judged by the time that it is then.
#[test]
fn a_live_read_grows_older() {
    let mut w = World::new();
    w.create("ann");
    w.at("01:00");
    w.poll();
    let context = w.context();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let patience = Duration::from_secs(30);
    let reads = runtime.block_on(read_live(&context, &asks(&["ann"]), &Policy::default(), patience)).unwrap();
    let read = reads[0].as_ref().unwrap();
    let before = read.now();
    std::thread::sleep(Duration::from_millis(2_100));
    assert!(read.now() >= before.plus(Duration::from_secs(2)));
}
