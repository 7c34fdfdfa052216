//! The agent of `examples/agent.rs`: its story, and what becomes of a run that breaks off at any point.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may stop at the first surprise")]
#![allow(dead_code, reason = "the example's program uses more of it")]

#[path = "../../examples/agent/mod.rs"]
mod agent;
mod local;
mod runs;
#[path = "../../examples/agent/stage.rs"]
mod stage;

/// The same story as in `runs`, beside a running service: the four questions go over HTTP, with a token.
#[test]
fn the_example_keeps_everybodys_mail_apart_beside_a_running_service() {
    let stage = stage::Stage::set(env!("CARGO_BIN_EXE_whowas").into(), None).unwrap();
    let ending = stage.play().unwrap();
    assert_eq!((ending.strayed, ending.missing), (0, 0), "{}", ending.told);
    assert!(agent::story::is_as_expected(&ending), "{:?}\n{}", ending.verdicts, ending.told);
}
