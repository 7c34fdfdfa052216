//! What the service counts: also what goes wrong, from the first time on.

use reqwest::Method;
use serde_json::json;
use whowas::graph::emulator::QuirkName;

use super::served::{Served, token};
use super::world::{World, wait_until};

#[test]
fn a_run_that_fails_is_counted_and_what_never_was_is_counted_as_nothing() {
    let mut world = World::new();
    world.at("8:00");
    world.create("ann");
    world.poll();
    let served = Served::of(&world);
    let sync = token(&world, "sync", &[]);
    let counted = |outcome: &str, kind: &str| -> Option<u64> {
        let text = served.ask(Method::GET, "/metrics", None, None).text;
        let labels = [format!("outcome=\"{outcome}\""), format!("kind=\"{kind}\""), "tenant=\"x\"".to_owned()];
        let line = text.lines().find(|line| {
            line.starts_with("whowas_sync_runs_total{") && labels.iter().all(|label| line.contains(label))
        })?;
        line.rsplit(' ').next()?.parse().ok()
    };
    assert_eq!((counted("failed", "delta"), counted("failed", "none")), (Some(0), Some(0)));
    let text = served.ask(Method::GET, "/metrics", None, None).text;
    for nothing in ["whowas_access_log_failures_total 0", "whowas_access_denied_total{reason=\"token_revoked\"} 0"] {
        assert!(text.contains(nothing), "{nothing}: {text}");
    }
    let run = |body| served.ask(Method::POST, "/v1/tenants/x/syncs", Some(&sync), Some(&body)).with(202);
    run(json!({"reconcile": true}));
    wait_until("the round and the reconcile are counted", || {
        (counted("completed", "delta"), counted("completed", "reconcile")) == (Some(1), Some(1))
    });
    world.quirk(QuirkName::Forbidden);
    run(json!({}));
    wait_until("the failure is counted", || counted("failed", "delta") == Some(1));
}

/// An entry by a clock that is ahead would date all that follows it in the future, so there is none; whoever asked learns why.
#[test]
fn a_run_that_leaves_no_entry_is_told_of_until_one_does() {
    let mut world = World::new();
    world.at("8:00");
    world.create("ann");
    world.poll();
    let sync = token(&world, "sync", &[]);
    let right = world.now().to_string();
    world.pretend(world.time("9:00"));
    let served = Served::of(&world);
    let status = || served.ask(Method::GET, "/v1/status", Some(&sync), None).with(200)["tenants"][0].clone();
    let run = |body| served.ask_at(Some(&right), Method::POST, "/v1/tenants/x/syncs", Some(&sync), Some(&body));
    assert_eq!(status()["unlogged"], json!(null));
    served.ask(Method::POST, "/v1/tenants/x/syncs", Some(&sync), Some(&json!({})));
    wait_until("it is told", || status()["unlogged"]["why"].as_str().is_some_and(|why| why.contains("clock")));
    assert_eq!(status()["last_sync"]["run"], 1, "the run log has no other");
    run(json!({})).with(202);
    wait_until("the next one is as it should be", || {
        status()["unlogged"].is_null() && status()["last_sync"]["run"] == 2
    });
}
