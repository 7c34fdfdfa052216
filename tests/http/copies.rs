//! What a service keeps in memory of its ledger, and that it never trails.

use reqwest::Method;
use serde_json::json;

use super::served::{Served, T, token};
use super::world::{World, wait_until};

/// What a gauge shows.
fn shown(served: &Served, gauge: &str) -> f64 {
    let told = served.ask(Method::GET, "/metrics", None, None).text;
    let line = told.lines().find_map(|line| line.strip_prefix(gauge)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{gauge}: {told}")).parse().unwrap()
}

fn world() -> (World, whowas::domain::id::ObjectId) {
    let mut world = World::new();
    world.at("8:00");
    let ann = world.create("ann");
    world.poll();
    world.at("8:30");
    world.snapshot("c-1", "s-1", ann);
    world.at("9:00");
    (world, ann)
}

#[test]
fn what_is_recorded_and_read_while_copies_answer_is_told_at_once() {
    let (world, ann) = world();
    let served = Served::of(&world);
    let admin = token(&world, "admin", &[]);
    for records in ["names", "chains", "snapshots"] {
        let gauge = format!("whowas_resident{{records=\"{records}\"}}");
        wait_until("it is copied", || shown(&served, &gauge) == 1.0);
    }
    assert!(shown(&served, "whowas_resident_bytes") > 100.0);
    let ask = |chain: &str| {
        let ask = json!({"chain": chain, "object": ann});
        served.ask(Method::POST, &format!("{T}/checks"), Some(&admin), Some(&ask)).with(200)
    };
    assert_eq!((ask("c-1")["verdict"].clone(), ask("c-1")["base"].clone()), (json!("continue"), json!("s-1")));

    // A new snapshot and a new chain.
    for (chain, snapshot) in [("c-1", "s-2"), ("c-2", "t-1")] {
        let (from, until) = (world.time("8:50").to_string(), world.time("8:51").to_string());
        let body = json!({"chain": chain, "snapshot": snapshot, "object": ann, "from": from, "until": until});
        served.ask(Method::POST, &format!("{T}/snapshots"), Some(&admin), Some(&body)).with(200);
        assert_eq!(ask(chain)["base"], snapshot);
    }
    // A new name.
    world.rename(ann, "anna");
    served.ask(Method::POST, &format!("{T}/syncs"), Some(&admin), Some(&json!({}))).with(202);
    wait_until("the round is over", || ask("c-1")["verdict"] == "renamed");
    let who = served.ask(Method::GET, &format!("{T}/names/anna@x.test"), Some(&admin), None).with(200);
    assert!(who.to_string().contains(&ann.to_string()), "{who}");
    // The same with nothing copied, after a kill.
    let told = ask("c-1");
    served.kill();
    configure(&world, "resident_mib = 0");
    let served = Served::of(&world);
    let ask = json!({"chain": "c-1", "object": ann});
    let again = served.ask(Method::POST, &format!("{T}/checks"), Some(&admin), Some(&ask)).with(200);
    assert_eq!(again, told);
    assert_eq!(shown(&served, "whowas_resident_bytes"), 0.0);
    assert_eq!(shown(&served, "whowas_resident{records=\"names\"}"), 0.0);
    drop(served);
    world.verify();
}

#[test]
fn a_service_with_copies_ends_when_it_is_told_to() {
    let (world, _) = world();
    let (code, said) = Served::of(&world).stop();
    assert_eq!(code, Some(0), "{said}");
    world.verify();
}

fn configure(world: &World, line: &str) {
    let file = world.file("whowas.toml");
    let config = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, config.replace("[ledger]\n", &format!("[ledger]\n{line}\n"))).unwrap();
}
