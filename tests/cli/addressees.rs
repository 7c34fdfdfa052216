//! Groups and contacts between two reconciles: their own feeds, read after each round of the users'.

use serde_json::json;
use whowas::graph::emulator::{Quirk, QuirkName};

use super::world::{World, full};

/// Ann has a chain, and gives up an address by which it is asked for.
fn company() -> (World, whowas::domain::id::ObjectId) {
    let mut w = World::new();
    let ann = w.create("ann");
    w.create("bob");
    w.at("00:00");
    w.poll();
    w.snapshot("cA", "1", ann);
    w.at("01:00");
    w.rename(ann, "ann.married");
    w.poll();
    (w, ann)
}

fn holder(w: &World, name: &str) -> serde_json::Value {
    w.run(&["who", &full(name)]).done()["holder"].clone()
}

#[test]
fn an_address_that_passes_to_a_group_is_seen_by_the_next_round() {
    let (mut w, _) = company();
    let group = w.directory(|directory| directory.create_group("Ann's people", Some(&full("ann")))).unwrap();
    w.at("02:00");
    let run = w.poll();
    assert_eq!((&run["kind"], &run["note"]), (&json!("delta"), &json!(null)), "{run}");
    assert_eq!(holder(&w, "ann"), json!(group.to_string()));
    w.ask_live(&["--chain", "cA", "--name", &full("ann")]).mismatch();
    // It goes, and the address is free again.
    w.directory(|directory| directory.delete_group(group)).unwrap();
    w.at("03:00");
    w.poll();
    assert_eq!(holder(&w, "ann"), json!(null));
    w.verify();
}

#[test]
fn a_contact_s_address_is_seen_too_and_a_link_that_the_directory_forgot_is_begun_anew() {
    let (mut w, _) = company();
    w.quirks([Quirk::new(QuirkName::DeltaTokenExpired).path("/contacts/delta").times(1)]);
    let contact = w.directory(|directory| directory.create_contact("ann", &full("ann"))).unwrap();
    w.at("02:00");
    let run = w.poll();
    assert_eq!((&run["kind"], &run["note"]), (&json!("delta"), &json!(null)), "{run}");
    assert_eq!(holder(&w, "ann"), json!(contact.to_string()));
    w.verify();
}

/// It is by this code that the real service refuses a link that is too old. Whoever reads all of it anew is rid of the old links as well.
#[test]
fn a_link_that_is_too_old_is_begun_anew_and_a_full_sync_begins_without_links() {
    for anew in [false, true] {
        let (mut w, _) = company();
        w.quirks([Quirk::new(QuirkName::DeltaTokenExpired).style("unsupported")]);
        let group = w.directory(|directory| directory.create_group("Ann's people", Some(&full("ann")))).unwrap();
        w.at("02:00");
        let before = w.requests().len();
        let run = w.run(if anew { &["sync", "--full"] } else { &["sync"] }).done();
        assert_eq!((&run["kind"], &run["note"]), (&json!("full"), &json!(null)), "{run}");
        assert_eq!(holder(&w, "ann"), json!(group.to_string()));
        let asked = w.requests().split_off(before);
        let with_old_links = asked.iter().filter(|request| request.target.contains("$deltatoken=")).count();
        assert_eq!(with_old_links, if anew { 0 } else { 3 }, "one of each feed, or none");
        w.verify();
    }
}

/// Without the permission rounds go on and say nothing; the reconcile says it. With it later, everything is enumerated.
#[test]
fn without_the_permission_rounds_go_on() {
    let (mut w, _) = company();
    let group = w.directory(|directory| directory.create_group("Ann's people", Some(&full("ann")))).unwrap();
    w.quirks([Quirk::new(QuirkName::Forbidden).path("/groups"), Quirk::new(QuirkName::Forbidden).path("/contacts")]);
    w.at("02:00");
    assert_eq!(w.poll()["note"], json!(null));
    assert!(w.reconcile()["note"].as_str().unwrap().contains("GroupMember.Read.All"));
    w.no_quirks();
    w.at("03:00");
    w.poll();
    assert_eq!(holder(&w, "ann"), json!(group.to_string()));
    w.verify();
}

/// A feed that cannot be read is said so, keeps its place, and takes nothing from the users' round.
#[test]
fn a_feed_that_fails_is_read_by_the_next_round() {
    let (mut w, _) = company();
    let group = w.directory(|directory| directory.create_group("Ann's people", Some(&full("ann")))).unwrap();
    for quirk in [QuirkName::ItemWithoutId, QuirkName::Unavailable, QuirkName::ErrorInside200] {
        w.quirks([Quirk::new(quirk).path("/groups/delta")]);
        w.at("02:00");
        let run = w.poll();
        assert!(run["note"].as_str().unwrap().contains("the changes of the groups could not be read"), "{run}");
        assert_eq!(run["outcome"], json!("completed"));
        assert_eq!(holder(&w, "ann"), json!(null));
    }
    w.no_quirks();
    w.at("03:00");
    assert_eq!(w.poll()["note"], json!(null));
    assert_eq!(holder(&w, "ann"), json!(group.to_string()));
    w.verify();
}
