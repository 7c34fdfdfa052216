//! The traps of Microsoft's side, one test each, by their numbers in `docs/TRAPS.md`: the emulated directory plays the trap
//! on a real socket, the program reads it into a ledger on disk, and the answer shows that it did not fall into it.
//!
//! Each of these tests has been seen to fail without the line that handles its trap; `docs/TRAPS.md` says which line.
#![cfg(all(unix, feature = "cli"))]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "the helpers of a test fail it; clippy spares only the test functions themselves"
)]

mod feed;
mod identity;
mod life;
mod log;
mod names;
mod wire;
#[path = "../cli/world.rs"]
#[expect(dead_code, reason = "the other tests need more of it")]
mod world;

use serde_json::Value;
use whowas::domain::id::ObjectId;
use world::{World, full};

fn id(object: ObjectId) -> String {
    object.to_string()
}

/// The object's id as the directory puts it in front of a deleted user's name.
fn digits(object: ObjectId) -> String {
    id(object).replace('-', "")
}

/// The periods in which a name was held as this kind, in order of time.
#[track_caller]
fn holders(w: &World, name: &str, kind: &str) -> Vec<Value> {
    let history = w.history(&full(name));
    history["holders"].as_array().unwrap().iter().filter(|holder| holder["kind"] == kind).cloned().collect()
}

/// Every name that an object ever had as this kind, each once, sorted.
#[track_caller]
fn names_ever(w: &World, object: ObjectId, kind: &str) -> Vec<String> {
    let history = w.history(&id(object));
    let all = history["names"].as_array().unwrap().iter().filter(|name| name["kind"] == kind);
    let mut names: Vec<String> = all.map(|name| name["spelling"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names.dedup();
    names
}

/// The kinds of the open findings, sorted.
#[track_caller]
fn findings(w: &World) -> Vec<String> {
    let list = w.run(&["findings"]).done();
    let items = list["items"].as_array().unwrap().iter();
    let mut kinds: Vec<String> = items.map(|finding| finding["kind"].as_str().unwrap().to_owned()).collect();
    kinds.sort();
    kinds
}

/// Owner and confidence of a snapshot.
#[track_caller]
fn attribution(w: &World, chain: &str, snapshot: &str) -> (Value, Value) {
    let shown = w.run(&["snapshot", "show", "--chain", chain, "--snapshot", snapshot]).done();
    (shown["attribution"]["owner"].clone(), shown["attribution"]["confidence"].clone())
}
