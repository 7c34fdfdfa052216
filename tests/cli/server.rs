//! `--server`: the same words and the same answers, from a running service.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use whowas::domain::id::ObjectId;
use whowas::graph::emulator::{EmulatorOptions, Quirk, QuirkName};

use super::served::{Served, token};
use super::world::{Ran, World, bare, finished, full, ran, ran_with, wait_until};

/// Ann's name passed to Eve while a chain went by the name; Bob has a chain by his id; Dan is in the bin.
fn story() -> (World, [ObjectId; 4]) {
    let mut w = World::new();
    let people @ [ann, bob, dan] = ["ann", "bob", "dan"].map(|name| w.create(name));
    w.create("fay");
    w.at("00:00");
    w.poll();
    w.snapshot_by_name("by-name", "1", "ann");
    w.snapshot("of/bob ü", "1", bob);
    w.snapshot("of-dan", "1", dan);
    w.at("10:00");
    w.rename(ann, "ann.lee");
    let eve = w.create("ann");
    w.delete(dan);
    w.at("20:00");
    w.poll();
    w.snapshot_by_name("by-name", "2", "ann");
    for (snapshot, read) in [("1", ann), ("2", eve)] {
        let read = read.to_string();
        let receipt = ["snapshot", "receipt", "--chain", "by-name", "--snapshot", snapshot, "--object", &read];
        w.run(&[&receipt[..], &["--object-end", &read]].concat()).done();
    }
    w.at("20:30");
    (w, [people[0], people[1], people[2], eve])
}

/// The program with this world's settings, which asks the service.
fn asking(w: &World, served: &Served, token: &str, output: &str, arguments: &[&str]) -> Command {
    let mut command = w.command(output, &[&["--server", &served.url], arguments].concat());
    command.env("WHOWAS_TOKEN", token);
    command
}

fn asked(w: &World, served: &Served, token: &str, arguments: &[&str]) -> Ran {
    ran(&mut asking(w, served, token, "json", arguments))
}

/// What is so because one is the service and the other is not: when it reads next, and what it takes on the disk just now.
fn comparable(ran: &Ran) -> String {
    let keep =
        |line: &&str| !["\"next_sync\"", "\"bytes\"", "next sync:", "ledger:"].iter().any(|word| line.contains(word));
    let text: Vec<&str> = ran.stdout.lines().filter(keep).collect();
    // A line of JSON holds all of it.
    match serde_json::from_str::<Value>(&ran.stdout) {
        Ok(mut json) if json.get("ledger").is_some() => {
            json["ledger"]["bytes"] = Value::Null;
            json["tenants"].as_array_mut().unwrap().iter_mut().for_each(|tenant| tenant["next_sync"] = Value::Null);
            json.to_string()
        }
        _ if text.len() == ran.stdout.lines().count() => ran.stdout.clone(),
        _ => text.join("\n"),
    }
}

#[test]
fn every_question_has_the_same_answer_and_exit_code_from_a_service_as_from_its_ledger() {
    let (w, [ann, bob, dan, eve]) = story();
    let token = token(&w, "admin", &[]);
    let [ann, bob, dan, eve] = [ann, bob, dan, eve].map(|id| id.to_string());
    let sequence = w.status()["sequence"].to_string();
    let found = w.run(&["findings"]).done()["items"].clone();
    assert!(found.as_array().unwrap().len() > 2, "{found:#}");
    let finding = found[0]["id"].as_str().unwrap().to_owned();
    w.run(&["finding", "ack", found[1]["id"].as_str().unwrap(), "--by", "ops"]).done();
    let nobody = "00000000-0000-4000-8000-00000000dead";
    let questions: Vec<(i32, Vec<&str>)> = vec![
        (0, vec!["status"]),
        (0, vec!["check", "--object", &bob, "--chain", "of/bob ü"]),
        (0, vec!["check", "--object", &ann]),
        (10, vec!["check", "--object", &eve]),
        (20, vec!["check", "--object", &dan, "--chain", "of-dan"]),
        (20, vec!["check", "--object", nobody]),
        (30, vec!["check", "--name", "fay@x.test"]),
        (0, vec!["check", "--name", "bob@x.test", "--chain", "of/bob ü", "--max-age", "2days 1ns"]),
        (0, vec!["check", "--name", "BOB@x.test", "--kind", "upn", "--chain", "of/bob ü", "--verify"]),
        (20, vec!["check", "--name", "ann@x.test", "--chain", "by-name", "--verify", "--at", "2026-03-02T21:00:00Z"]),
        (10, vec!["check", "--object", &bob, "--basis", "1"]),
        (1, vec!["check", "--object", &bob, "--basis", "9999"]),
        (2, vec!["check"]),
        (0, vec!["who", "ann@x.test"]),
        (0, vec!["who", "ann@x.test", "--at", "2026-03-02T09:00:00Z", "--known-at", &sequence, "--kind", "smtp"]),
        (0, vec!["who", "ann@x.test", "--known-at", "2026-03-02T12:00:00Z"]),
        (0, vec!["who", "nobody@x.test"]),
        (1, vec!["who", "ann@x.test", "--known-at", "9999"]),
        (2, vec!["who", "ann@x.test", "--known-at", "once"]),
        (0, vec!["history", "ann@x.test"]),
        (0, vec!["history", &eve]),
        (0, vec!["history", &ann, "--known-at", "1"]),
        (1, vec!["history", nobody]),
        (2, vec!["history", ""]),
        (0, vec!["snapshot", "show", "--chain", "of/bob ü", "--snapshot", "1"]),
        (1, vec!["snapshot", "show", "--chain", "of/bob ü", "--snapshot", "9"]),
        (0, vec!["snapshot", "list", "--chain", "by-name"]),
        (0, vec!["snapshot", "list", "--chain", "by-name", "--limit", "1"]),
        (0, vec!["snapshot", "list", "--object", &eve]),
        (0, vec!["snapshot", "list", "--name", "ann@x.test"]),
        (0, vec!["snapshot", "list", "--chain", "none"]),
        (2, vec!["snapshot", "list", "--chain", "by-name", "--cursor", "7"]),
        (0, vec!["findings"]),
        (40, vec!["findings", "--fail-on", "notice"]),
        (0, vec!["findings", "--severity", "critical", "--kind", "mixed_chain", "--state", "open", "--limit", "1"]),
        (0, vec!["findings", "--state", "withdrawn"]),
        (0, vec!["findings", "--state", "open", "--state", "resolved", "--state", "acknowledged"]),
        (0, vec!["findings", "--state", "acknowledged", "--state", "open", "--limit", "1"]),
        (0, vec!["findings", "--state", "resolved", "--state", "withdrawn"]),
        (0, vec!["finding", "show", &finding]),
        (1, vec!["finding", "show", "0123456789abcdef0123456789abcdef"]),
        (0, vec!["plan", "by-name"]),
        (1, vec!["plan", "none"]),
        (0, vec!["restore-check", "--chain", "of/bob ü", "--snapshot", "1", "--to", &bob]),
        (20, vec!["restore-check", "--chain", "of/bob ü", "--snapshot", "1", "--to", "ann@x.test", "--verify"]),
        (0, vec!["restore-check", "--chain", "by-name", "--snapshot", "2", "--to", "ann@x.test", "--kind", "upn"]),
        (1, vec!["restore-check", "--chain", "none", "--snapshot", "1", "--to", &bob]),
        (0, vec!["reuse"]),
        (0, vec!["reuse", "--limit", "1"]),
        (0, vec!["--tenant", "x", "who", "ann@x.test"]),
        (0, vec!["--tenant", EmulatorOptions::TENANT, "who", "ann@x.test"]),
        (2, vec!["--tenant", "y", "who", "ann@x.test"]),
        (2, vec!["--tenant", nobody, "who", "ann@x.test"]),
    ];
    let outputs = ["json", "human", "jsonl"];
    // What a live read shows is recorded; the second one of the same instant shows nothing new.
    w.run(&["check", "--name", "bob@x.test", "--verify"]);
    w.run(&["check", "--name", "ann@x.test", "--verify"]);
    w.run(&["restore-check", "--chain", "of/bob ü", "--snapshot", "1", "--to", "ann@x.test", "--verify"]);
    let served = Served::of(&w);
    let all = |ask: &dyn Fn(&str, &[&str]) -> Ran| -> Vec<Ran> {
        let each = |(_, question): &(i32, Vec<&str>)| outputs.map(|output| ask(output, question));
        questions.iter().flat_map(each).collect()
    };
    let there = all(&|output, question| ran(&mut asking(&w, &served, &token, output, question)));
    assert_eq!(served.stop().0, Some(0));
    let here = all(&|output, question| ran(&mut w.command(output, question)));
    let mut odd = Vec::new();
    for (place, (there, here)) in there.iter().zip(&here).enumerate() {
        let (code, question) = &questions[place / outputs.len()];
        let alike = (there.code, here.code) == (*code, *code)
            && comparable(there) == comparable(here)
            && there.stderr.is_empty() == here.stderr.is_empty()
            && (*code != 1 && *code != 2 || there.stdout.is_empty())
            && !there.stderr.contains(&token);
        if !alike {
            let output = outputs[place % outputs.len()];
            odd.push(format!("{} as {output}, {code} expected: {there:?}\n{here:?}", question.join(" ")));
        }
    }
    assert!(odd.is_empty(), "{}", odd.join("\n\n"));
}

/// Without the seconds of the present: the clock goes on while a batch is read.
fn timeless(text: &str) -> String {
    let mut minutes = text.split("2026-03-02T20:30:");
    let first = minutes.next().unwrap().to_owned();
    minutes.fold(first, |text, rest| text + "the present" + rest.split_once('Z').unwrap().1)
}

#[test]
fn a_batch_is_answered_line_by_line_by_a_service_too() {
    let (w, [_, bob, ..]) = story();
    let token = token(&w, "agent", &[]);
    let mut lines = String::new();
    for number in 0..1_000 {
        lines += &match number % 100 {
            7 => "{\"chain\":".to_owned(),
            8 => "{}".to_owned(),
            9 => String::new(),
            n if n % 2 == 0 => json!({"object": bob, "chain": format!("c{number}")}).to_string(),
            _ => json!({"name": "ann@x.test", "chain": "by-name"}).to_string(),
        };
        lines += "\n";
    }
    fs::write(w.file("asks.jsonl"), &lines).unwrap();
    w.run(&["check", "--name", "ann@x.test", "--verify"]);
    w.run(&["check", "--object", &bob.to_string(), "--verify"]);
    let served = Served::of(&w);
    let ways = [&["check", "--batch", "asks.jsonl"][..], &["check", "--batch", "asks.jsonl", "--verify"]];
    let there = ways.map(|way| asked(&w, &served, &token, way));
    let piped = ran_with(&mut asking(&w, &served, &token, "json", &["check", "--batch", "-"]), &lines);
    served.stop();
    for (there, way) in there.iter().zip(ways) {
        let here = w.run(way);
        assert_eq!((there.code, timeless(&there.stdout), &there.stderr), (1, timeless(&here.stdout), &here.stderr));
        assert_eq!(there.stdout.lines().count(), 990);
    }
    assert_eq!((piped.code, timeless(&piped.stdout)), (1, timeless(&there[0].stdout)));
}

#[test]
fn a_list_longer_than_a_page_of_the_service_is_whole() {
    let (w, [_, bob, ..]) = story();
    let token = token(&w, "admin", &[]);
    let line =
        |n| json!({"chain": "long", "snapshot": format!("{n:05}"), "object": bob, "from": w.now(), "until": w.now()});
    let lines: Vec<String> = (0..2_100).map(|n| line(n).to_string()).collect();
    fs::write(w.file("long.jsonl"), lines.join("\n")).unwrap();
    w.run(&["import", "snapshots", "long.jsonl"]).done();
    let served = Served::of(&w);
    let limits = ["5000", "2100", "2099", "1000", "1"];
    let list = |limit| ["snapshot", "list", "--chain", "long", "--limit", limit];
    let there = limits.map(|limit| asked(&w, &served, &token, &list(limit)));
    served.stop();
    for (there, limit) in there.iter().zip(limits) {
        assert_eq!(there.stdout, w.run(&list(limit)).stdout, "{limit}");
    }
    assert_eq!(there[0].done()["items"].as_array().unwrap().len(), 2_100);
}

/// A copy of a world's ledger, as it is now.
fn copied(w: &World) -> String {
    let (from, to) = (w.ledger(), w.file("twin"));
    copy(&from, &to);
    to.to_str().unwrap().to_owned()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        match path.is_dir() {
            true => copy(&path, &target),
            false => assert!(fs::copy(&path, &target).is_ok()),
        }
    }
}

#[test]
fn what_is_recorded_through_a_service_is_recorded_as_by_hand() {
    let (w, [_, bob, _, eve]) = story();
    let token = token(&w, "admin", &["--label", "ops"]);
    let twin = copied(&w);
    let [bob, eve] = [bob, eve].map(|id| id.to_string());
    let finding = w.run(&["findings"]).done()["items"][0]["id"].as_str().unwrap().to_owned();
    let (now, later) = (w.time("20:00").to_string(), w.time("20:05").to_string());
    let key = ["--chain", "of/bob ü", "--snapshot", "2"];
    let add = [&["snapshot", "add"][..], &key, &["--object", &bob, "--from", &now, "--until", &later]].concat();
    let other = [&["snapshot", "add"][..], &key, &["--object", &eve, "--from", &now, "--until", &later]].concat();
    let backward = ["snapshot", "add", "--chain", "c", "--snapshot", "1", "--name", "bob@x.test", "--kind", "upn"];
    let deeds: Vec<(i32, Vec<&str>)> = vec![
        (0, add.clone()),
        (0, add),
        (1, other),
        (1, [&backward[..], &["--from", &later, "--until", &now]].concat()),
        (0, [&backward[..], &["--from", &now, "--until", &later, "--mailbox", &bob]].concat()),
        (
            0,
            [&["snapshot", "receipt"][..], &key, &["--object", &bob, "--mailbox", &eve, "--object-end", &bob]].concat(),
        ),
        (0, [&["snapshot", "expire"][..], &key].concat()),
        (1, vec!["snapshot", "expire", "--chain", "none", "--snapshot", "1"]),
        (0, vec!["finding", "ack", &finding, "--by", "ops", "--note", "seen"]),
        (0, vec!["finding", "resolve", &finding, "--by", "ops"]),
        (1, vec!["finding", "ack", "0123456789abcdef0123456789abcdef", "--by", "ops"]),
        (0, vec!["sync"]),
        (0, vec!["sync", "--reconcile"]),
        (0, vec!["sync", "--announce", "x.test=y.test"]),
        (1, vec!["sync", "--accept", "99"]),
        (1, vec!["sync", "--reject", "99"]),
    ];
    let served = Served::of(&w);
    let there: Vec<Ran> = deeds.iter().map(|(_, deed)| asked(&w, &served, &token, deed)).collect();
    served.stop();
    let id = w.run(&["token", "list"]).done()["items"][0]["id"].as_str().unwrap().to_owned();
    for ((code, deed), there) in deeds.iter().zip(&there) {
        let here = w.run(&[&["--ledger", &twin][..], deed].concat());
        assert_eq!((there.code, here.code), (*code, *code), "{deed:?}: {there:#?} {here:#?}");
        // Beside whoever says so stands the token that shows who it was.
        let told = there.stdout.replace(&format!("ops (token {id})"), "ops");
        assert_eq!(told, here.stdout, "{deed:?}");
    }
    w.verify();
}

#[test]
fn a_sync_by_a_service_is_waited_for_and_ends_as_one_by_hand() {
    let mut w = World::new();
    w.configure("guard = { removals = 2, renames = 1000, takeovers = 50, percent = 100 }");
    let all = ["ann", "bob", "cid", "dan", "eve"].map(|name| w.create(name));
    w.at("00:00");
    w.poll();
    let token = token(&w, "sync", &[]);
    w.at("10:00");
    all[..4].iter().for_each(|id| w.delete(*id));
    let twin = copied(&w);
    let served = Served::of(&w);
    let both = |deed: &[&str]| {
        let there = asked(&w, &served, &token, deed);
        let here = w.run(&[&["--ledger", &twin][..], deed].concat());
        assert_eq!((there.code, &there.stdout), (here.code, &here.stdout), "{deed:?}: {there:#?} {here:#?}");
        there
    };
    // Held by the guard, found wrong, and let pass.
    let held = both(&["sync"]);
    held.failed(1, &["held by the guard", "--accept"]);
    let run = held.ended(1)["run"].to_string();
    assert_eq!(both(&["sync", "--reject", &run]).done()["run"].to_string(), run);
    assert_eq!(both(&["sync", "--accept", &run]).done()["removed"], 4);
    // What fails there fails here.
    w.quirk(QuirkName::Forbidden);
    both(&["sync"]).failed(1, &["failed to", "403"]);
    w.no_quirks();

    // While one is under way, a second one is told of it, whether it asks the service or finds the ledger held.
    w.quirks([Quirk::new(QuirkName::SlowBody).path("/users/delta").times(1).seconds(2.0)]);
    let mut command = asking(&w, &served, &token, "json", &["sync"]);
    let first = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    wait_until("the run is under way", || {
        asked(&w, &served, &token, &["status"]).done()["tenants"][0]["running"]["run"].is_u64()
    });
    let second = asked(&w, &served, &token, &["sync"]);
    second.failed(75, &["already running"]);
    let running: Value = serde_json::from_str(&second.stdout).unwrap();
    assert_eq!((&running["outcome"], &running["trigger"]), (&json!("running"), &json!("demand")), "{running}");
    let third = w.run(&["sync"]);
    third.failed(75, &["already running", "whowas serve"]);
    let told: Value = serde_json::from_str(&third.stdout).unwrap();
    assert_eq!((&told["run"], &told["outcome"]), (&running["run"], &json!("running")), "{told}");
    let first = finished(first.wait_with_output().unwrap()).done();
    assert_eq!((&first["run"], &first["outcome"]), (&running["run"], &json!("completed")), "{first}");
    let other = w.run(&["sync"]);
    other.failed(1, &["it is held by", "whowas serve", "--server", &served.url]);
}

#[test]
fn a_held_ledger_says_where_to_ask() {
    let (w, _) = story();
    let served = Served::of(&w);
    for command in [&["status"][..], &["check", "--name", "ann@x.test"]] {
        let held = w.run(command);
        held.failed(1, &["it is held by process", "whowas serve", &format!("--server {}", served.url), "WHOWAS_TOKEN"]);
        assert_eq!(held.stdout, "");
    }
    for command in
        [&["verify"][..], &["export", "x"], &["mapping", "show"], &["redact", "00000000-0000-0000-0000-000000000001"]]
    {
        let held = w.run(command);
        let itself = format!("`{}` works on the ledger itself", command[0]);
        held.failed(1, &["it is held by process", "whowas serve", &itself, "stop the service"]);
        assert_eq!(held.stdout, "");
    }
    // And so it does.
    let token = token(&w, "auditor", &[]);
    assert_eq!(asked(&w, &served, &token, &["who", "ann@x.test"]).code, 0);
}

#[test]
fn what_stands_in_the_way_of_a_service_is_said() {
    let (w, _) = story();
    let served = Served::of(&w);
    let agent = token(&w, "agent", &[]);
    let ask = |url: &str, token: Option<&str>, more: &[&str]| {
        let mut command = w.command("json", &[&["--server", url][..], more, &["who", "ann@x.test"]].concat());
        command.envs(token.map(|token| ("WHOWAS_TOKEN", token)));
        ran(&mut command)
    };
    ask(&served.url, None, &[]).failed(2, &["WHOWAS_TOKEN is not set", "whowas token add"]);
    ask(&served.url, Some(" \n"), &[]).failed(2, &["WHOWAS_TOKEN is not set"]);
    ask(&served.url, Some("two\nlines"), &[]).failed(2, &["use the token"]);
    ask(&served.url, Some("whowas_wrong"), &[])
        .failed(1, &["the service says no", "unauthenticated", "whowas token add"]);
    ask(&served.url, Some(&agent), &[]).failed(1, &["role_forbidden", "auditor or admin"]);
    ask("nowhere", Some(&agent), &[]).failed(2, &["use the service's URL", "https://"]);
    ask("http://whowas.example:8787", Some(&agent), &[]).failed(2, &["plain http", "https"]);
    ask("https://ann:geheim@whowas.example", Some(&agent), &[]).failed(2, &["must not contain a user name"]);
    ask(&served.url, Some(&agent), &["--server-ca", "missing.pem"]).failed(2, &["missing.pem"]);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    ask(&format!("http://{free}"), Some(&agent), &[]).failed(1, &["failed to reach the service", "whowas serve"]);
    // The directory answers, and is no service of ours.
    let config = fs::read_to_string(w.file("whowas.toml")).unwrap();
    let directory = config.split("graph_url = \"").nth(1).unwrap().split('"').next().unwrap();
    ask(directory, Some(&agent), &["--tenant", "x"]).failed(1, &["failed to understand what answers at", directory]);
    // Without a rehearsal nobody says what time it is.
    served.stop();
    let served = Served::with(&w, &["--no-schedule", "--rehearsal"]);
    let auditor = token(&w, "auditor", &[]);
    assert_eq!(ask(&served.url, Some(&auditor), &[]).code, 0);
    served.stop();
    let mut command = bare(w.file(".").as_path());
    let live = Served::start({
        command.env(super::world::SECRET, EmulatorOptions::SECRET);
        command.args(["serve", "--no-schedule", "--listen", "127.0.0.1:0"]);
        command
    });
    ask(&live.url, Some(&auditor), &[]).failed(2, &["X-Whowas-Now", "--rehearsal"]);
}

#[test]
fn commands_that_ask_no_service_say_where_to_run_them() {
    let w = World::new();
    let stopped = ["stop the service", "without --server"];
    for (command, words) in [
        (&["import", "snapshots", "x"][..], stopped),
        (&["report", "x.html"], stopped),
        (&["mapping", "show"], stopped),
        (&["link", "candidates"], stopped),
        (&["verify"], stopped),
        (&["rebuild"], stopped),
        (&["token", "list"], ["run it where the service runs", "goes on meanwhile"]),
        (&["doctor"], ["run it where the service runs", "goes on meanwhile"]),
        (&["serve"], ["the service itself", "WHOWAS_SERVER"]),
    ] {
        let refused = ran(w.command("json", command).env("WHOWAS_SERVER", "http://127.0.0.1:1"));
        refused.failed(2, &[&format!("`{}`", command[0]), words[0], words[1]]);
        assert_eq!(refused.stdout, "");
    }
    // What has nothing to do with any service says no to the flag, and heeds no variable that is meant for others.
    for command in
        [&["demo"][..], &["init", "new.toml"], &["scenario", "run", "x"], &["emulate"], &["verify-proof", "x"]]
    {
        let refused = ran(w.command("json", &["--server", "http://127.0.0.1:1"]).args(command));
        refused.failed(2, &[&format!("`{}` asks no service", command[0])]);
        let after = ran(w.command("json", command).args(["--server", "http://127.0.0.1:1"]));
        assert_eq!((after.code, after.stderr), (2, refused.stderr));
    }
    assert!(!w.file("new.toml").exists() && !w.ledger().exists());
    for (command, code) in [(&["completions", "bash"][..], 0), (&["init", "new.toml"], 0), (&["verify-proof", "x"], 1)]
    {
        let run = ran(w.command("json", command).env("WHOWAS_SERVER", "http://127.0.0.1:1"));
        assert_eq!(run.code, code, "{}", run.stderr);
    }
}

#[test]
fn the_tenant_is_the_only_one_that_the_token_reaches() {
    let (w, _) = story();
    let config = fs::read_to_string(w.file("whowas.toml")).unwrap();
    let other = "00000000-0000-0000-0000-000000000002";
    fs::write(w.file("whowas.toml"), format!("{config}\n[[tenant]]\nid = \"{other}\"\nalias = \"y\"\n")).unwrap();
    let everywhere = token(&w, "auditor", &[]);
    let of_one = token(&w, "auditor", &["--tenant", "x"]);
    let served = Served::of(&w);
    // An agent's machine knows the service and has no configuration.
    let folder = tempfile::tempdir().unwrap();
    let ask = |token: &str, more: &[&str]| {
        let mut command = bare(folder.path());
        command.env("WHOWAS_TOKEN", token).env("WHOWAS_SERVER", &served.url);
        ran(command.args(["--output", "json", "--now", &w.now().to_string()]).args(more).args(["who", &full("ann")]))
    };
    ask(&everywhere, &[]).failed(2, &["several tenants", "--tenant (y, x)"]);
    assert_eq!(ask(&everywhere, &["--tenant", "x"]).done(), ask(&of_one, &[]).done());
    ask(&everywhere, &["--tenant", "z"]).failed(2, &["unknown_tenant", "\"z\""]);
    ask(&of_one, &["--tenant", "y"]).failed(1, &["tenant_forbidden"]);
}

#[test]
fn a_service_with_a_certificate_of_its_own_is_known_by_it() {
    let (w, _) = story();
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
    fs::write(w.file("cert.pem"), certificate.pem()).unwrap();
    fs::write(w.file("key.pem"), key.serialize_pem()).unwrap();
    let config = fs::read_to_string(w.file("whowas.toml")).unwrap();
    fs::write(w.file("whowas.toml"), format!("[server]\ntls_cert = \"cert.pem\"\ntls_key = \"key.pem\"\n\n{config}"))
        .unwrap();
    let token = token(&w, "auditor", &[]);
    let served = Served::of(&w);
    assert!(served.url.starts_with("https://"), "{}", served.url);
    asked(&w, &served, &token, &["who", "ann@x.test"]).failed(1, &["failed to reach the service", "certificate"]);
    let known = asked(&w, &served, &token, &["--server-ca", "cert.pem", "who", "ann@x.test"]);
    assert_eq!(known.done()["name"], full("ann"));
}
