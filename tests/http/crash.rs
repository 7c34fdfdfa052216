//! SIGKILL under load: what was acknowledged is there afterwards, and the service is ready again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use super::served::{Served, T, token};
use super::world::World;

const WRITERS: usize = 4;
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn nothing_that_was_acknowledged_is_lost_when_the_service_is_killed_under_load() {
    let mut world = World::new();
    world.at("8:00");
    let ann = world.create("ann").to_string();
    world.poll();
    let agent = token(&world, "agent", &[]);
    let mut known: Vec<String> = Vec::new();
    for round in 0..4 {
        let served = Served::of(&world);
        let (url, stopped) = (served.url.clone(), Arc::new(AtomicBool::new(false)));
        let some = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (url, agent, ann, stopped) = (url.clone(), agent.clone(), ann.clone(), Arc::clone(&stopped));
                let some = Arc::clone(&some);
                std::thread::spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                    let client = reqwest::Client::builder().no_proxy().build().unwrap();
                    let mut acknowledged = Vec::new();
                    for number in 0.. {
                        if stopped.load(Ordering::Relaxed) {
                            break;
                        }
                        let id = format!("{round}-{writer}-{number}");
                        let body = json!({"chain": format!("c{writer}"), "snapshot": id, "object": ann,
                            "from": "2026-03-02T08:00:00Z", "until": "2026-03-02T08:01:00Z"});
                        let sent = client.post(format!("{url}{T}/snapshots")).bearer_auth(&agent).json(&body).send();
                        match runtime.block_on(sent) {
                            Ok(answer) if answer.status() == 200 => {
                                acknowledged.push(format!("c{writer}/{id}"));
                                some.store(true, Ordering::Relaxed);
                            }
                            Ok(answer) => panic!("{answer:?}"),
                            Err(_) => break,
                        }
                    }
                    acknowledged
                })
            })
            .collect();
        // However busy the machine is, there is something to be lost.
        let began = Instant::now();
        while !some.load(Ordering::Relaxed) && began.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(10));
        }
        std::thread::sleep(Duration::from_millis(170 * round));
        served.kill();
        stopped.store(true, Ordering::Relaxed);
        let acknowledged = writers.into_iter().flat_map(|writer| writer.join().unwrap());
        let before = known.len();
        known.extend(acknowledged);
        assert!(known.len() > before, "nothing was acknowledged in round {round}");
        let served = Served::of(&world);
        served.ask(Method::GET, "/readyz", None, None);
        for snapshot in &known {
            served.ask(Method::GET, &format!("{T}/snapshots/{snapshot}"), Some(&agent), None).with(200);
        }
        assert_eq!(served.stop().0, Some(0));
    }
    world.verify();
}
