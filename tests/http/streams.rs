//! A hundred thousand asks in one request, in bounded memory.

use bytes::Bytes;
use futures_util::{StreamExt, stream};

use super::served::{Served, T, token};
use super::world::World;

const ASKS: usize = 100_000;

#[test]
fn a_hundred_thousand_asks_are_answered_in_order_as_they_come_in_bounded_memory() {
    let mut world = World::new();
    world.at("8:00");
    let ann = world.create("ann").to_string();
    world.poll();
    let served = Served::of(&world);
    let agent = token(&world, "agent", &[]);
    let piece = move |number: usize| {
        let before = if number == 0 { "[" } else { "," };
        let after = if number + 1 == ASKS { "]" } else { "" };
        // Every thousandth is no ask.
        let ask = match number % 1_000 {
            999 => "{\"nam\":1}".to_owned(),
            _ => format!("{{\"chain\":\"chain-{number}\",\"object\":\"{ann}\"}}"),
        };
        Ok::<_, std::io::Error>(Bytes::from(format!("{before}{ask}{after}")))
    };
    let before = resident_bytes(served.pid());
    let (mut answer, mut most) = (Vec::new(), 0);
    served.block_on(async {
        let body = reqwest::Body::wrap_stream(stream::iter((0..ASKS).map(piece)));
        let request = served.client.post(format!("{}{T}/checks", served.url)).bearer_auth(&agent);
        let request = request.timeout(std::time::Duration::from_secs(600));
        let response = request.header("content-type", "application/json").body(body).send().await.unwrap();
        assert_eq!(response.status(), 200);
        let mut pieces = response.bytes_stream();
        while let Some(piece) = pieces.next().await {
            answer.extend_from_slice(&piece.unwrap());
            most = most.max(resident_bytes(served.pid()));
        }
    });
    let answer: Vec<serde_json::Value> = serde_json::from_slice(&answer).unwrap();
    assert_eq!(answer.len(), ASKS);
    for (number, found) in answer.iter().enumerate() {
        match number % 1_000 {
            999 => assert_eq!(found["index"], number, "{found}"),
            _ => assert_eq!(found["chain"], format!("chain-{number}"), "{found}"),
        }
    }
    // All answers together are far more than that.
    let grown = most.saturating_sub(before) >> 20;
    assert!(grown < 48, "it grew by {grown} MiB for {ASKS} asks");
}

fn resident_bytes(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/statm")).unwrap();
    text.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}
