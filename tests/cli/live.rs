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

/// The directory is asked for a spelling. It has none of what stands for an erased name, and another form of an address than its own it may
/// not know: that it finds nobody then says nothing of the name.
#[test]
fn nobody_is_found_only_under_a_name_that_the_directory_can_know() {
    let mut w = World::new();
    let ann = w.create("ann");
    w.at("08:00");
    w.poll();
    w.rename(ann, "ann.lee");
    w.at("08:30");
    w.poll();
    w.run(&["redact", &ann.to_string()]).done();
    let history = w.history(&ann.to_string());
    let named = history["names"].as_array().unwrap().iter().map(|name| name["name"].as_str().unwrap());
    let erased: Vec<&str> = named.filter(|name| name.ends_with("@erased.invalid")).collect();
    assert!(!erased.is_empty(), "{history:#}");
    w.at("09:00");
    let bob = w.create("ann");
    w.at("10:05");
    let vacant = |w: &World, file: &str| {
        w.run(&["export", w.file(file).to_str().unwrap()]).done();
        std::fs::read_to_string(w.file(file)).unwrap().matches("\"vacant\"").count()
    };
    for name in erased {
        let before = w.requests().len();
        w.ask_live(&["--name", name]);
        w.ask_live(&["--name", &name.to_uppercase(), "--kind", "upn"]);
        let asked = w.requests().split_off(before);
        assert!(asked.iter().all(|request| !request.target.to_lowercase().contains("erased")), "{asked:?}");
    }
    for spelling in ["nobody@x.te\u{200b}st", "nobody@x.te\u{ad}st", "nobody@\u{ff58}.test", "nob\u{f3}dy@x.test"] {
        w.ask_live(&["--name", spelling]);
    }
    assert_eq!(vacant(&w, "before.jsonl"), 0);
    w.ask_live(&["--name", "NOBODY@x.test", "--kind", "upn"]).unknown();
    assert_eq!(vacant(&w, "after.jsonl"), 1, "of a name in plain letters it is told");
    w.snapshot_by_name("c", "s", "ann");
    w.at("12:00");
    w.poll();
    let snapshot = w.run(&["snapshot", "list", "--chain", "c"]).done()["items"][0]["attribution"].clone();
    assert_eq!(
        snapshot["confidence"], "ambiguous",
        "he may not have had it yet, and nothing says that nobody had: {snapshot}"
    );
    assert_eq!(snapshot["candidates"][0]["object"], bob.to_string());
    w.verify();
}
