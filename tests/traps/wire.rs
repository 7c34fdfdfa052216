//! Traps 24, 25 and 27: answers that want patience, that hold what they should not, and that lead elsewhere.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use whowas::graph::emulator::{Quirk, QuirkName};

use super::id;
use super::world::{World, full, ran_with};

#[test]
fn trap_24_a_wait_that_is_told_is_waited_also_in_fractions_and_inside_a_batch() {
    let mut w = World::paged(1);
    let (a, b, c) = (w.create("ann"), w.create("bob"), w.create("cyd"));
    w.at("00:00");
    w.poll();
    w.create("dan");
    // Our own waits are of 10 ms here, so whoever does not understand the answer is back long before.
    w.at("01:00");
    for style in ["fraction", "seconds"] {
        w.quirks([Quirk::new(QuirkName::Throttle).seconds(1.25).style(style).times(1).path("/users/delta")]);
        let begun = Instant::now();
        let run = w.poll();
        assert!(begun.elapsed() >= Duration::from_millis(1_250), "{style}: {run}");
        assert!(run["throttled_ms"].as_u64().unwrap() >= 1_250, "{style}: {run}");
    }
    // A batch is answered with 200, and two of its parts are to be asked for again.
    w.quirks([Quirk::new(QuirkName::Throttle).seconds(0.75).style("fraction").times(2).path("/users/")]);
    let asks: String = [a, b, c].iter().map(|object| format!("{{\"object\": \"{object}\"}}\n")).collect();
    let begun = Instant::now();
    let answered = ran_with(&mut w.command("json", &["check", "--verify", "--batch", "-"]), &asks);
    assert!(begun.elapsed() >= Duration::from_millis(750), "{answered:?}");
    let answers: Vec<Value> = answered.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), 3, "{answered:?}");
    for (answer, object) in answers.iter().zip([a, b, c]) {
        assert_eq!((&answer["verdict"], &answer["object"]), (&json!("baseline"), &json!(object)), "{answer:#}");
        assert_eq!(answer["evidence"]["live"], json!(true), "{answer:#}");
    }
    assert!(w.requests().iter().any(|request| request.target.contains("$batch")));
}

#[test]
fn trap_25_not_everything_in_a_list_of_users_is_a_user() {
    // Of what cannot be told whom it is about the whole page is refused, and read again later.
    for quirk in [QuirkName::ErrorInside200, QuirkName::ItemWithoutId, QuirkName::ItemWithBadId] {
        for path in ["/users/delta", "/deletedItems/", "/users"] {
            let mut w = World::new();
            let a = w.create("ann");
            w.at("00:00");
            w.poll();
            w.snapshot("cA", "1", a);
            w.create("new");
            w.at("01:00");
            w.quirks([Quirk::new(quirk).path(path).times(1)]);
            w.run(&["sync", "--reconcile"]).failed(1, &["nothing of the page was applied"]);
            w.no_quirks();
            w.reconcile();
            assert_eq!(w.status()["objects"], json!({"active": 2, "soft_deleted": 0, "purged": 0}), "{quirk:?} {path}");
            w.ask(&["--object", &id(a), "--chain", "cA"]).continues();
        }
    }
    // What says itself that it is something else is none of ours, and takes nothing from the rest of the page.
    let mut w = World::new();
    w.create("ann");
    w.quirks([
        Quirk::new(QuirkName::ItemOfOtherType).path("/users"),
        Quirk::new(QuirkName::ItemOfOtherType).path("/deletedItems/"),
    ]);
    w.at("00:00");
    w.reconcile();
    w.ask(&["--name", "everybody@emulator.invalid"]).unknown();
    assert_eq!(w.status()["objects"], json!({"active": 1, "soft_deleted": 0, "purged": 0}));
}

#[test]
fn trap_27_no_link_leads_the_token_to_another_host() {
    let foreign = |style: &str| Quirk::new(QuirkName::ForeignNextLink).style(style);
    let redirect = |path: &str| Quirk::new(QuirkName::Redirect).path(path);
    let refused = ["graph.foreign.invalid", "nothing was sent to the other host"];
    let not_followed = ["307"];
    let sync: &[&str] = &["sync"];
    let reconcile: &[&str] = &["sync", "--reconcile"];
    for (quirk, arguments, said) in [
        (foreign("next").path("/users/delta"), sync, &refused[..]),
        (foreign("delta").path("/users/delta"), sync, &refused[..]),
        (foreign("next").path("/contacts"), reconcile, &refused[..]),
        (redirect("/users/delta"), sync, &not_followed[..]),
        (redirect("$batch"), &["sync", "--full"], &not_followed[..]),
    ] {
        let mut w = World::paged(1);
        let (a, b) = (w.create("ann"), w.create("bob"));
        w.at("00:00");
        w.poll();
        w.snapshot("cA", "1", a);
        // Something for a second page of each kind, and one who is missing from a full round.
        w.at("01:00");
        w.create("cyd");
        w.create("dan");
        w.delete(b);
        if quirk.path.as_deref() == Some("/contacts") {
            for n in 0..1_000 {
                let address = full(&format!("contact{n}"));
                w.directory(|directory| directory.create_contact("Contact", &address)).unwrap();
            }
        }
        w.quirks([quirk]);
        let failed = w.run(arguments);
        failed.failed(1, said);
        w.no_quirks();
        w.poll();
        w.ask(&["--object", &id(a), "--chain", "cA"]).continues().on("1");
        w.verify();
    }
}
