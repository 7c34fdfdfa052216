//! Every command: what it prints where, and how it ends.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use whowas::domain::id::ObjectId;
use whowas::graph::emulator::{Quirk, QuirkName};

use super::world::{World, bare, ran, ran_with};

const COMMANDS: [&[&str]; 22] = [
    &["demo"],
    &["init"],
    &["sync"],
    &["status"],
    &["check"],
    &["who"],
    &["history"],
    &["snapshot"],
    &["snapshot", "add"],
    &["snapshot", "receipt"],
    &["snapshot", "list"],
    &["snapshot", "expire"],
    &["import"],
    &["report"],
    &["verify"],
    &["rebuild"],
    &["export"],
    &["restore"],
    &["compact"],
    &["man"],
    &["emulate"],
    &["completions"],
];

/// One user, `ann`, synced at 09:00.
fn one() -> (World, ObjectId) {
    let mut w = World::new();
    let a = w.create("ann");
    w.at("09:00");
    w.poll();
    (w, a)
}

#[test]
fn every_command_has_help_and_wrong_usage_is_2() {
    let folder = tempfile::tempdir().unwrap();
    for command in COMMANDS {
        let help = ran(bare(folder.path()).args(command).arg("--help"));
        assert_eq!((help.code, help.stderr.as_str()), (0, ""), "{command:?}");
        assert!(help.stdout.contains("Usage: whowas"), "{command:?}: {help:?}");
        let wrong = ran(bare(folder.path()).args(command).arg("--no-such-flag"));
        assert_eq!((wrong.code, wrong.stdout.as_str()), (2, ""), "{command:?}");
        assert!(wrong.stderr.contains("--no-such-flag"), "{wrong:?}");
    }
    let version = ran(bare(folder.path()).arg("--version"));
    assert_eq!(version.stdout, format!("whowas {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(ran(bare(folder.path()).arg("frobnicate")).code, 2);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was made meanwhile");
}

#[test]
fn completions_for_every_shell() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = ran(bare(folder.path()).args(["completions", shell]));
        assert_eq!((script.code, script.stderr.as_str()), (0, ""), "{shell}");
        assert!(script.stdout.contains("whowas") && script.stdout.contains("snapshot"), "{shell}");
    }
    assert_eq!(ran(bare(folder.path()).args(["completions", "dos"])).code, 2);
}

/// A full disk behind standard output is a failure with a reason, and a reader that has gone away is none.
#[cfg(target_os = "linux")]
#[test]
fn scripts_and_pages_that_cannot_be_printed_are_a_clear_failure() {
    let folder = tempfile::tempdir().unwrap();
    for command in [&["completions", "bash"][..], &["man"]] {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let output = bare(folder.path()).args(command).stdout(full).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("write the answer: No space left on device"), "{said}");
    }
}

#[test]
fn init_writes_the_file_that_the_program_is_told_to_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.toml");
    let missing = ran(bare(folder.path()).args(["--config", "x.toml", "status"]));
    missing.failed(2, &["x.toml", "whowas init"]);
    let made = ran(bare(folder.path()).args(["--config", "x.toml", "-q", "init"]));
    assert_eq!((made.code, made.stderr.as_str()), (0, ""), "nothing but errors is said");
    assert!(fs::read_to_string(&file).unwrap().contains("[server]"));
    ran(bare(folder.path()).args(["--config", "x.toml", "status"])).failed(2, &["there is no ledger at"]);
    ran(bare(folder.path()).args(["init", "x.toml"])).failed(2, &["exists already"]);
    // What cannot be looked at is no missing ledger.
    ran(bare(folder.path()).args(["--ledger", "x.toml/ledger", "status"])).failed(1, &["x.toml/ledger"]);
}

#[test]
fn init_writes_a_configuration_once_and_the_rest_says_what_comes_next() {
    let folder = tempfile::tempdir().unwrap();
    let first = ran(bare(folder.path()).arg("init"));
    assert_eq!((first.code, first.stdout.as_str()), (0, ""));
    assert!(first.stderr.contains("client_id"), "{first:?}");
    let file = folder.path().join("whowas.toml");
    fs::write(&file, fs::read_to_string(&file).unwrap() + "# mine\n").unwrap();
    let again = ran(bare(folder.path()).arg("init"));
    again.failed(2, &["exists already and was left as it is"]);
    assert!(fs::read_to_string(&file).unwrap().ends_with("# mine\n"));

    for command in [&["status"][..], &["verify"], &["who", "ann@x.test"], &["check", "--name", "ann@x.test"]] {
        ran(bare(folder.path()).args(command)).failed(2, &["there is no ledger at", "whowas sync", "--ledger"]);
    }
    ran(bare(folder.path()).arg("sync")).failed(2, &["client_id is not set"]);
}

#[test]
fn status_before_and_after_the_first_sync() {
    let mut w = World::new();
    let a = w.create("ann");
    w.at("09:00");
    w.snapshot("cA", "1", a);
    let never = w.status();
    assert_eq!((&never["last_sync"], &never["horizon"], &never["alias"]), (&Value::Null, &Value::Null, &json!("x")));
    assert_eq!(never["snapshots"], json!(1));
    assert!(w.say(&["status"]).stdout.contains("never synced; run `whowas sync`"));
    w.ask(&["--object", &a.to_string(), "--chain", "cA"]).unknown();
    let run = w.poll();
    assert_eq!((&run["run"], &run["kind"], &run["trigger"]), (&json!(1), &json!("full"), &json!("demand")));
    let status = w.status();
    assert_eq!(status["last_sync"], run);
    assert_eq!(status["horizon"], json!("2026-03-02T08:55:00Z"));
    let said = w.say(&["status"]).stdout;
    assert!(said.contains("run 1 (full), completed") && said.contains("1 active"), "{said}");
    let known = |tenant: &str| w.run(&["status", "--tenant", tenant]).done()["tenants"].as_array().unwrap().len();
    assert_eq!((known("x"), known("00000000-0000-4000-8000-0000000000ff")), (1, 0));
    w.run(&["status", "--tenant", "nosuch"]).failed(2, &["nosuch", "x"]);
}

/// Names are personal data.
#[cfg(unix)]
#[test]
fn a_new_ledger_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let (w, _) = one();
    assert_eq!(fs::metadata(w.ledger()).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_batch_is_answered_in_order_line_by_line() {
    let (w, a) = one();
    let huge = format!("{{\"name\": \"{}@x.test\"}}", "a".repeat(100_000));
    let lines = [
        format!("{{\"object\": \"{a}\"}}"),
        String::new(),
        "no json".to_owned(),
        "{\"name\": \"ann@x.test\", \"nmae\": 1}".to_owned(),
        "{}".to_owned(),
        huge,
        "{\"name\": \"nobody@x.test\"}".to_owned(),
    ];
    let text = lines.join("\n");
    let answered = ran_with(&mut w.command("json", &["check", "--batch", "-"]), &text);
    answered.failed(1, &["line 3:", "line 4:", "nmae", "line 5:", "give a chain, a name or an object", "line 6:"]);
    let answers: Vec<Value> = answered.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), 6, "an answer for each line that is not empty");
    assert_eq!(answers[0]["verdict"], json!("baseline"));
    assert_eq!(answers.iter().filter_map(|answer| answer["line"].as_u64()).collect::<Vec<_>>(), [3, 4, 5, 6]);
    assert_eq!(answers[5]["verdict"], json!("unknown"));

    let many: String = (0..10_000).map(|n| format!("{{\"chain\": \"c{n}\", \"object\": \"{a}\"}}\n")).collect();
    fs::write(w.file("asks"), many).unwrap();
    let answered = w.run(&["check", "--batch", w.file("asks").to_str().unwrap()]);
    assert_eq!((answered.code, answered.stderr.as_str()), (0, ""));
    let mut lines = 0;
    for (n, line) in answered.stdout.lines().enumerate() {
        let answer: Value = serde_json::from_str(line).unwrap();
        assert_eq!((&answer["chain"], &answer["verdict"]), (&json!(format!("c{n}")), &json!("baseline")));
        lines += 1;
    }
    assert_eq!(lines, 10_000);
    let live = ran_with(&mut w.command("json", &["check", "--verify", "--batch", "-"]), "{\"name\": \"ann@x.test\"}\n");
    assert_eq!(live.done()["evidence"]["live"], json!(true));
    w.run(&["check", "--batch", "missing"]).failed(1, &["missing"]);
    w.run(&["check", "--batch", "-", "--chain", "c"]).failed(2, &["--chain"]);
}

#[test]
fn who_and_history() {
    let (mut w, a) = one();
    let sequence = w.status()["sequence"].to_string();
    w.at("09:45");
    w.poll();
    w.at("10:00");
    w.rename(a, "eva");
    w.at("12:00");
    w.poll();
    let who = |more: &[&str]| {
        let mut all = vec!["who", "ann@x.test"];
        all.extend(more);
        w.run(&all).done()
    };
    let now = who(&[]);
    assert_eq!((&now["holder"], &now["kind"], &now["at"]), (&Value::Null, &json!("any"), &json!(w.now())));
    let between = who(&["--at", "2026-03-02T09:30:00Z", "--kind", "upn"]);
    assert_eq!((&between["holder"], &between["confidence"]), (&json!(a), &json!("certain")), "{between:#}");
    let before = who(&["--at", "2026-03-02T08:00:00Z", "--kind", "upn"]);
    assert_eq!((&before["holder"], &before["confidence"]), (&Value::Null, &json!("ambiguous")), "{before:#}");
    assert_eq!(before["candidates"][0]["object"], json!(a));
    assert_eq!(who(&["--known-at", &sequence])["basis"]["sequence"].to_string(), sequence);
    assert_eq!(who(&["--known-at", "2026-03-02T09:30:00Z"])["basis"]["sequence"].to_string(), sequence);
    assert_eq!(w.run(&["who", "never@x.test"]).done()["confidence"], json!("unknown"));
    w.run(&["who", "ann@x.test", "--known-at", "99"]).failed(1, &["commit 99", "the newest is"]);
    w.run(&["who", "ann@x.test", "--known-at", "soon"]).failed(2, &["soon", "2026-03-01T09:30:00Z"]);
    w.run(&["who", "ann@x.test", "--kind", "fax"]).failed(2, &["fax"]);
    w.run(&["who", "ann@x.test", "--at", "noon"]).failed(2, &["noon"]);

    let name = w.history("ann@x.test");
    assert_eq!(name["holders"][0]["until"], w.edge("09:40", "12:00:01"), "{name:#}");
    assert_eq!(w.history("never@x.test")["holders"], json!([]));
    let object = w.history(&a.to_string());
    assert_eq!((&object["state"], &object["now"]["upn"]), (&json!("active"), &json!("eva@x.test")));
    let then = w.run(&["history", &a.to_string(), "--known-at", &sequence]).done();
    assert_eq!(then["now"]["upn"], json!("ann@x.test"));
    w.run(&["history", "00000000-0000-0000-0000-00000000dead"]).failed(1, &["was never seen"]);

    let said = w.say(&["who", "ann@x.test"]).stdout;
    assert!(said.contains("ann@x.test") && said.contains("nobody"), "{said}");
    let said = w.say(&["history", "ann@x.test"]).stdout;
    assert!(
        said.contains(&a.to_string()) && said.contains("ended in (2026-03-02T09:40:00Z, 2026-03-02T12:00:01Z]"),
        "{said}"
    );
}

#[test]
fn a_snapshot_by_id_may_be_a_day_ahead_and_no_more() {
    let (w, a) = one();
    let (object, from) = (a.to_string(), w.time("08:00").to_string());
    let add = |id: &str, until: &str| {
        let key = ["snapshot", "add", "--chain", "cA", "--snapshot", id, "--from", &from, "--until", until];
        w.run(&[&key[..], &["--object", &object]].concat())
    };
    // A zone that was taken for another one; whose data it is does not depend on it.
    assert_eq!(add("1", "2026-03-03T08:59:00Z").done()["attribution"]["confidence"], json!("certain"));
    // As the base of the chain it would hide what happens to the mailbox until then.
    add("2", "2026-03-03T09:01:00Z")
        .failed(1, &["snapshot 2 of chain cA", "lies after the present, 2026-03-02T09:00:00Z"]);
    add("1", "2026-03-03T08:59:00Z").done();
}

#[test]
fn snapshots() {
    let (w, a) = one();
    let object = a.to_string();
    let add = |id: &str, from: &str, until: &str, more: &[&str]| {
        let (from, until) = (w.time(from).to_string(), w.time(until).to_string());
        let mut all = vec!["snapshot", "add", "--chain", "cA", "--snapshot", id, "--from", &from, "--until", &until];
        all.extend(more);
        w.run(&all)
    };
    let first = add("1", "08:00", "08:10", &["--object", &object]).done();
    assert_eq!((&first["attribution"]["owner"], &first["attribution"]["confidence"]), (&json!(a), &json!("certain")));
    let sequence = w.status()["sequence"].clone();
    assert_eq!(add("1", "08:00", "08:10", &["--object", &object]).done(), first);
    assert_eq!(w.status()["sequence"], sequence, "the same again changes nothing");
    add("1", "08:00", "08:20", &["--object", &object]).failed(1, &["snapshot 1 of chain cA", "other data"]);
    add("2", "08:30", "08:20", &["--object", &object]).failed(1, &["ends before it begins"]);
    // Who tells of a read that ends in the future has a wrong clock, and the name would be looked up at the wrong time.
    add("2", "23:00", "23:10", &["--name", "ann@x.test"]).failed(
        1,
        &["snapshot 2 of chain cA", "ends at 2026-03-02T23:10:00Z, which lies after the present, 2026-03-02T"],
    );
    add("2", "08:30", "08:40", &[]).failed(2, &["--name", "--object"]);
    add("2", "08:30", "08:40", &["--name", "ann@x.test", "--object", &object]).failed(2, &["cannot be used with"]);
    let second = add("2", "08:30", "08:40", &["--name", "ann@x.test", "--kind", "upn"]).done();
    assert_eq!(second["addressed"], json!({"name": "ann@x.test", "kind": "upn"}));

    let key = ["--chain", "cA", "--snapshot", "2"];
    let of = |action: &str, more: &[&str]| {
        let mut all = vec!["snapshot", action];
        all.extend(key);
        all.extend(more);
        w.run(&all)
    };
    assert_eq!(of("show", &[]).done(), second);
    let receipted = of("receipt", &["--object", &object]).done();
    assert_eq!(receipted["receipt"]["object"], json!(a));
    of("receipt", &[]).failed(2, &["--object"]);
    assert_eq!(of("expire", &[]).done()["expired"], json!(true));
    w.run(&["snapshot", "show", "--chain", "cA", "--snapshot", "9"])
        .failed(1, &["snapshot 9 of chain cA", "snapshot add"]);
    w.run(&["snapshot", "expire", "--chain", "cA", "--snapshot", "9"]).failed(1, &["snapshot 9 of chain cA"]);
    w.run(&["snapshot", "list"]).failed(2, &["--chain"]);

    let page = w.run(&["snapshot", "list", "--chain", "cA", "--limit", "1"]).done();
    assert_eq!(page["items"][0]["snapshot"], json!("1"));
    let cursor = page["cursor"].as_str().unwrap();
    let page = w.run(&["snapshot", "list", "--chain", "cA", "--cursor", cursor]).done();
    assert_eq!((&page["items"][0]["snapshot"], &page["cursor"]), (&json!("2"), &Value::Null));
    w.run(&["snapshot", "list", "--chain", "cA", "--cursor", "zz"]).failed(2, &["no cursor"]);
    let lines = ran(&mut w.command("jsonl", &["snapshot", "list", "--chain", "cA"])).stdout;
    let ids: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["snapshot"].clone()).collect();
    assert_eq!(ids, [json!("1"), json!("2")]);
    assert_eq!(w.run(&["snapshot", "list", "--object", &object]).done()["items"].as_array().unwrap().len(), 2);
    let said = w.say(&["snapshot", "show", "--chain", "cA", "--snapshot", "1"]).stdout;
    assert!(said.contains(&format!("owner {a}")) && said.contains("certain"), "{said}");
}

#[test]
fn a_verdict_replayed_from_its_basis_is_the_same_to_the_byte() {
    let (mut w, a) = one();
    w.snapshot("cA", "1", a);
    w.at("10:00");
    let plain = ["check", "--object", &a.to_string(), "--chain", "cA"].map(str::to_owned);
    let named = ["check", "--name", "ann@x.test", "--chain", "cA"].map(str::to_owned);
    let mut before = Vec::new();
    for (ask, live) in [(&plain, false), (&named, false), (&named, true)] {
        let mut all: Vec<&str> = ask.iter().map(String::as_str).collect();
        all.extend(live.then_some("--verify"));
        before.push((ask, w.run(&all)));
    }
    let then = w.now();
    w.at("11:00");
    w.rename(a, "eva");
    w.create("ann");
    w.at("12:00");
    w.poll();
    w.snapshot("cA", "2", a);
    w.pretend(then);
    for (ask, answer) in before {
        let sequence = serde_json::from_str::<Value>(&answer.stdout).unwrap()["basis"]["sequence"].to_string();
        let mut all: Vec<&str> = ask.iter().map(String::as_str).collect();
        all.extend(["--basis", &sequence]);
        let replayed = w.run(&all);
        assert_eq!((replayed.stdout, replayed.code), (answer.stdout, answer.code));
    }
    w.run(&["check", "--chain", "cA", "--basis", "99"]).failed(1, &["commit 99"]);
    w.run(&["check", "--chain", "cA", "--basis", "1", "--verify"]).failed(2, &["--verify"]);
    w.run(&["check"]).failed(2, &["--chain, --name or --object"]);
}

#[test]
fn a_rebuild_is_asked_for_where_it_helps_and_mends() {
    let (mut w, a) = one();
    w.snapshot("cA", "1", a);
    w.verify();
    assert_eq!(w.run(&["rebuild"]).done()["commits"], json!(3));
    w.verify();
    fs::write(w.ledger().join("rebuild"), "").unwrap();
    for command in ["status", "verify", "sync"] {
        w.run(&[command]).failed(1, &["whowas rebuild"]);
    }
    w.run(&["rebuild"]).done();
    w.verify();

    // The engine comes back without the newest commit, as after a flipped bit in its log.
    let (engine, kept) = (w.ledger().join("engine"), w.file("kept"));
    copy(&engine, &kept);
    w.at("10:00");
    w.poll();
    fs::remove_dir_all(&engine).unwrap();
    copy(&kept, &engine);
    for command in ["status", "verify", "sync", "rebuild"] {
        w.run(&[command]).failed(1, &["2 of 5 that were acknowledged are gone", "backup", "whowas repair"]);
    }
    let repaired = w.run(&["repair"]).done();
    assert_eq!((&repaired["commits"], &repaired["lost"]), (&json!(3), &json!(2)), "{repaired}");
    w.verify();
    w.poll();
    w.ask(&["--object", &a.to_string(), "--chain", "cA"]).continues().on("1");
}

#[test]
fn damaged_files_are_an_error_and_never_an_answer() {
    let (w, a) = one();
    w.snapshot("cA", "1", a);
    let object = a.to_string();
    let answer = w.run(&["history", &object]).done();
    let file = w.ledger().join("engine").join("db");
    let whole = fs::read(&file).unwrap();
    let end = whole.iter().rposition(|byte| *byte != 0).unwrap();
    let mut refused = 0;
    for part in 1..8 {
        let mut bytes = whole.clone();
        bytes[end * part / 8] ^= 0x40;
        fs::write(&file, bytes).unwrap();
        let found = w.run(&["history", &object]);
        if found.code == 1 {
            refused += 1;
            found.failed(1, &["damaged", "backup"]);
            assert!(!found.stderr.contains('\u{1b}'), "no colour without a terminal: {found:?}");
        } else {
            assert_eq!(found.done(), answer, "the flipped bit was in nothing that counts");
        }
    }
    assert!(refused > 0, "none of the flipped bits was noticed");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn output_is_plain_and_parses() {
    let (w, a) = one();
    let object = a.to_string();
    for command in
        [&["status"][..], &["check", "--object", &object], &["who", "ann@x.test"], &["history", &object], &["sync"]]
    {
        let human = w.say(command);
        assert_eq!(human.stderr, "", "no progress without a terminal: {human:?}");
        assert!(!human.stdout.contains('\u{1b}') && !human.stdout.is_empty(), "{human:?}");
        assert!(serde_json::from_str::<Value>(&human.stdout).is_err());
        let line = ran(&mut w.command("jsonl", command)).stdout;
        assert_eq!(line.lines().count(), 1, "{line}");
        serde_json::from_str::<Value>(&line).unwrap();
        serde_json::from_str::<Value>(&w.run(command).stdout).unwrap();
    }
    let said = w.say(&["check", "--object", &object]).stdout;
    for words in ["baseline → full", &format!("open /users/{object}"), "now ann@x.test", "has no chain yet", "basis"]
    {
        assert!(said.contains(words), "{words:?} is not in {said}");
    }
}

#[test]
fn wrong_settings_say_what_is_right() {
    let (w, a) = one();
    w.configure("name_max_ago = \"1h\"");
    w.run(&["status"]).failed(2, &["name_max_ago", "did you mean \"name_max_age\"?"]);
    w.configure("lag = \"soon\"");
    w.run(&["status"]).failed(2, &["soon", "15m"]);
    w.configure("");
    let text = fs::read_to_string(w.file("whowas.toml")).unwrap();
    let again = ran(bare(w.file(".").as_path()).args(["--now", "noon", "status"]));
    again.failed(2, &["--now", "noon"]);
    w.run(&["--tenant", "y", "status"]);
    w.run(&["--tenant", "y", "who", "ann@x.test"]).failed(2, &["no tenant is called \"y\"", "configured: x"]);
    w.run(&["--config", "missing.toml", "status"]).failed(2, &["missing.toml", "whowas init"]);
    w.run(&["check", "--object", "ann"]).failed(2, &["ann"]);

    let other = "[[tenant]]\nid = \"00000000-0000-0000-0000-000000000002\"\nalias = \"y\"\n";
    fs::write(w.file("whowas.toml"), format!("{text}\n{other}")).unwrap();
    let object = a.to_string();
    for command in [&["check", "--object", &object][..], &["who", "ann@x.test"], &["sync"]] {
        w.run(command).failed(2, &["--tenant", "configured: x, y"]);
    }
    assert_eq!(w.run(&["--tenant", "x", "check", "--object", &object]).code, 10);
    assert_eq!(w.run(&["--tenant", "y", "check", "--object", &object]).code, 20, "tenants are apart");
    assert_eq!(w.run(&["status"]).done()["tenants"].as_array().unwrap().len(), 2);
}

/// What a round costs does not depend on how many users there are: a token, and a page each of the changes of users, groups
/// and contacts. A throttled request is
/// asked again, and nothing else is.
#[test]
fn a_quiet_round_costs_a_token_and_a_page_of_each_feed_however_many_users_there_are() {
    for users in [3, 1_500] {
        let mut w = World::new();
        for n in 0..users {
            w.create(&format!("p{n}"));
        }
        w.at("00:00");
        w.poll();
        let asked = |w: &World, kind: &[&str]| {
            let before = w.requests().len();
            let run = w.run(kind).done();
            assert_eq!(run["outcome"], json!("completed"), "{run}");
            let asked = w.requests().split_off(before);
            assert!(kind.len() > 1 || run["requests"] == json!(asked.len() - 1), "{run}");
            asked.into_iter().map(|request| request.target.split('?').next().unwrap().to_owned()).collect::<Vec<_>>()
        };
        w.at("00:15");
        let quiet = asked(&w, &["sync"]);
        let ends: Vec<&str> = quiet.iter().map(|target| target.rsplit_once('/').unwrap().1).collect();
        assert_eq!(ends, ["token", "delta", "delta", "delta"], "{users} users: {quiet:?}");
        // A reconcile lists everybody, the bin, the groups and the contacts, 999 to a page.
        w.at("00:30");
        let pages = usize::div_ceil(users, 999);
        assert_eq!(asked(&w, &["sync", "--reconcile"]).len(), 4 + pages + 3, "{users} users");
        w.configure("audits = true");
        w.at("00:45");
        w.poll();
        w.at("00:50");
        assert_eq!(asked(&w, &["sync"]).len(), 5, "{users} users: the audit log is one page more");
        let mut throttle = Quirk::new(QuirkName::Throttle);
        (throttle.times, throttle.seconds) = (Some(1), Some(0.0));
        w.quirks([throttle]);
        w.at("01:00");
        assert_eq!(asked(&w, &["sync"]).len(), 6, "{users} users: one request is asked again");
    }
}

/// A night's asks by name, of which some were renamed, some passed to others, some are gone and some were never there.
#[test]
fn a_nights_live_reads_share_their_requests_and_answer_what_each_alone_would() {
    let mut w = World::new();
    let people: Vec<ObjectId> = (0..90).map(|n| w.create(&format!("p{n}"))).collect();
    w.at("00:00");
    w.poll();
    for (n, person) in people.iter().enumerate() {
        w.snapshot(&format!("c{n}"), "1", *person);
    }
    w.at("08:00");
    for n in 0..10 {
        w.rename(people[n], &format!("new{n}"));
        w.create(&format!("p{n}"));
        w.rename_keeping_alias(people[n + 10], &format!("other{n}"));
        w.delete(people[n + 20]);
    }
    w.directory(|directory| directory.create_group("G", Some("p20@x.test"))).unwrap();
    w.at("22:00");
    let ask = |n: usize| format!("{{\"chain\": \"c{n}\", \"name\": \"p{n}@x.test\"}}\n");
    let mut text: String = (0..100).map(ask).collect();
    text.insert_str(0, "nonsense\n");
    text.push_str(&ask(5));

    let before = w.requests().len();
    let answered = ran_with(&mut w.command("json", &["check", "--verify", "--batch", "-"]), &text);
    answered.failed(1, &["line 1:"]);
    let answers: Vec<Value> = answered.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), 102);
    let asked: Vec<String> = w.requests().split_off(before).into_iter().map(|request| request.target).collect();
    let batches = asked.iter().filter(|target| target.contains("$batch")).count();
    // 100 names and 100 people, twenty to a request; each deletion is looked up in the bin, and a name without a user among the
    // groups and the contacts.
    assert_eq!(batches, 10, "{asked:#?}");
    assert!(asked.len() < 10 + 20 + 2 * 40 + 5, "{}: {asked:#?}", asked.len());

    let verdicts = |n: usize| answers[n + 1]["verdict"].as_str().unwrap().to_owned();
    let told: Vec<String> = [0, 10, 20, 21, 40, 95].into_iter().map(verdicts).collect();
    assert_eq!(told, ["mismatch", "renamed", "mismatch", "frozen", "continue", "unknown"]);
    assert_eq!(answers[101]["verdict"], answers[6]["verdict"], "asked twice, answered twice");
    for n in [0, 10, 20, 21, 40, 95] {
        let alone = w.run(&["check", "--verify", "--chain", &format!("c{n}"), "--name", &format!("p{n}@x.test")]);
        let mut alone: Value = serde_json::from_str(&alone.stdout).unwrap();
        let mut together = answers[n + 1].clone();
        for answer in [&mut alone, &mut together] {
            answer["basis"] = Value::Null;
            // The others took their time, too.
            answer["asked"]["at"] = Value::Null;
        }
        assert_eq!(alone, together);
    }

    // A part that stays throttled is its own ask's refresh and nobody else's.
    let mut throttle = Quirk::new(QuirkName::Throttle);
    throttle.path = Some("p40@x.test".to_owned());
    w.quirks([throttle]);
    let text = ask(40) + &ask(41);
    let answered = ran_with(&mut w.command("json", &["check", "--verify", "--batch", "-"]), &text);
    let answers: Vec<Value> = answered.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        (&answers[0]["verdict"], &answers[1]["verdict"]),
        (&json!("refresh"), &json!("continue")),
        "{answers:#?}"
    );
    w.verify();
}

#[test]
fn a_batch_answers_each_line_before_it_waits_for_the_next() {
    use std::io::{BufRead, BufReader, Write};
    use std::process::Stdio;

    let (w, a) = one();
    let mut command = w.command("json", &["check", "--batch", "-"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut asks, mut answers) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    for _ in 0..3 {
        writeln!(asks, "{{\"object\": \"{a}\"}}\n").unwrap();
        let mut answer = String::new();
        answers.read_line(&mut answer).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&answer).unwrap()["object"], json!(a));
    }
    // Whoever asked goes away with a question open: that is no failure.
    drop(answers);
    writeln!(asks, "{{\"object\": \"{a}\"}}").unwrap();
    drop(asks);
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap().as_str()), (Some(0), ""));
}

#[test]
fn a_tenant_that_nothing_knows_is_refused_and_nothing_is_made_for_it() {
    let (w, a) = one();
    let other = "99999999-9999-4999-8999-999999999999";
    let (object, now) = (a.to_string(), w.now().to_string());
    let add = ["snapshot", "add", "--chain", "c", "--snapshot", "1", "--from", &now, "--until", &now];
    let mut all = add.to_vec();
    all.extend(["--object", &object, "--tenant", other]);
    w.run(&all).failed(2, &[other, "configured: x"]);
    let fresh = w.file("fresh");
    all.extend(["--ledger", fresh.to_str().unwrap()]);
    w.run(&all).failed(2, &[other, "configured: x"]);
    assert!(!fresh.exists());
}

#[test]
fn snapshots_are_listed_for_the_object_at_the_end_of_the_read_too() {
    let (w, a) = one();
    let b = w.create("bob");
    w.snapshot("cA", "1", a);
    let (start, end) = (a.to_string(), b.to_string());
    w.run(&["snapshot", "receipt", "--chain", "cA", "--snapshot", "1", "--object", &start, "--object-end", &end])
        .done();
    let listed = w.run(&["snapshot", "list", "--object", &end]).done();
    assert_eq!(listed["items"][0]["snapshot"], json!("1"));
}
