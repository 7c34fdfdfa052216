//! `checkpoint`, `prove`, `verify-proof` and `check --replay`, as an operator and an auditor use them.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use whowas::graph::emulator::EmulatorOptions;

use super::served::{Served, T, token};
use super::world::{Ran, World, bare, full, ran};

/// An auditor's folder: no ledger, no configuration, nothing but files that were handed over.
struct Auditor(tempfile::TempDir);

impl Auditor {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn gets(&self, name: &str, text: &str) {
        fs::write(self.0.path().join(name), text).unwrap();
    }

    fn checks(&self, arguments: &[&str]) -> Ran {
        ran(bare(self.0.path()).args(["--output", "json", "verify-proof"]).args(arguments))
    }
}

/// Ann's name passed to Eve; both have a snapshot by it.
fn story() -> World {
    let mut w = World::new();
    let ann = w.create("ann");
    w.create("bob");
    w.at("00:00");
    w.poll();
    w.at("08:00");
    w.poll();
    w.at("08:10");
    w.snapshot_by_name("by-name", "1", "ann");
    w.at("09:00");
    w.poll();
    w.at("10:00");
    w.rename(ann, "ann.lee");
    w.create("ann");
    w.at("11:00");
    w.poll();
    w.at("12:00");
    w.snapshot_by_name("by-name", "2", "ann");
    w.at("13:00");
    w.poll();
    w
}

fn key_file(w: &World) -> std::path::PathBuf {
    w.file(&format!("ledger.keys/checkpoint-{}.pub", EmulatorOptions::TENANT))
}

#[test]
fn an_auditor_who_kept_a_checkpoint_is_shown_that_nothing_was_changed_since() {
    let mut w = World::new();
    w.create("ann");
    w.at("00:00");
    w.poll();
    let kept = w.say(&["checkpoint"]);
    assert_eq!(kept.code, 0, "{kept:?}");
    assert!(kept.stdout.starts_with(&format!("whowas/{}\n", EmulatorOptions::TENANT)), "{kept:?}");
    let again = w.run(&["checkpoint"]).done();
    assert_eq!(again["note"], kept.stdout, "the same each time");
    w.at("01:00");
    w.create("bob");
    w.poll();
    let newer = w.run(&["checkpoint"]).done();
    assert!(newer["size"].as_u64() > again["size"].as_u64());
    assert_eq!(newer["size"], newer["sequence"]);
    let at = again["size"].to_string();
    assert_eq!(w.run(&["checkpoint", "--at", &at]).done()["note"], kept.stdout);
    w.run(&["checkpoint", "--at", "99999"]).failed(1, &["99999"]);

    fs::write(w.file("kept.txt"), &kept.stdout).unwrap();
    let wrote = w.run(&["prove", "consistency", "--from", "kept.txt", "proof.txt"]).done();
    assert_eq!(wrote["sequence"], newer["sequence"]);
    let proof = fs::read_to_string(w.file("proof.txt")).unwrap();
    assert_eq!(w.say(&["prove", "consistency", "--from", "kept.txt"]).stdout, proof);

    let auditor = Auditor::new();
    auditor.gets("proof.txt", &proof);
    auditor.gets("kept.txt", &kept.stdout);
    let key = fs::read_to_string(key_file(&w)).unwrap();
    auditor.gets("key.pub", &key);
    let holds = auditor.checks(&["proof.txt", "--key", "key.pub", "--checkpoint", "kept.txt"]).done();
    assert_eq!((&holds["kept"], &holds["key_is_trusted"]), (&json!(true), &json!(true)), "{holds}");
    assert_eq!((&holds["older"]["size"], &holds["checkpoint"]["size"]), (&again["size"], &newer["size"]));
    auditor.checks(&["proof.txt", "--key", key.trim()]).done();
    assert_eq!(auditor.checks(&["proof.txt"]).done()["key_is_trusted"], false);
    let said = ran(bare(auditor.0.path()).args(["verify-proof", "proof.txt"]));
    assert!(said.stdout.contains("the proof holds") && said.stdout.contains("BUT that key"), "{said:?}");
    auditor.gets(
        "bad.txt",
        &proof.replacen("consistency 0", "consistency 1", 1).replacen("recorded 2026", "recorded 2027", 1),
    );
    auditor.checks(&["bad.txt", "--key", "key.pub"]).failed(1, &["does not hold"]);
    auditor.checks(&["kept.txt"]).failed(1, &["does not hold", "line 1"]);
    auditor.checks(&["none.txt"]).failed(1, &["none.txt"]);
    #[cfg(unix)]
    {
        let odd: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(b"p\xff.txt");
        let told = ran(w.command("json", &["prove", "consistency", "--from", "kept.txt"]).arg(odd)).done();
        assert_eq!(told["file"], "p\u{fffd}.txt");
    }
    w.run(&["prove", "consistency", "--from", "proof.txt"]).failed(2, &["no checkpoint"]);
    w.run(&["prove", "consistency", "--from", "kept.txt", "no/such/folder"]).failed(2, &["no directory"]);
    w.verify();
}

/// What a program reads is printed byte for byte, whatever a terminal would make of it.
#[test]
fn a_proof_of_ids_that_cannot_be_seen_is_the_same_on_standard_output() {
    let w = story();
    let ann = w.create("carl");
    let (chain, id) = ("c\u{200b}\u{202e}A", "s\u{ad}1");
    w.snapshot(chain, id, ann);
    let arguments = ["prove", "snapshot", "--chain", chain, "--snapshot", id];
    let printed = w.say(&arguments).stdout;
    w.run(&[&arguments[..], &["proof.txt"]].concat()).done();
    assert_eq!(printed, fs::read_to_string(w.file("proof.txt")).unwrap());
    let auditor = Auditor::new();
    auditor.gets("proof.txt", &printed);
    auditor.checks(&["proof.txt"]).done();
    let listed = w.say(&["snapshot", "list", "--chain", chain]).stdout;
    assert!(!listed.contains('\u{202e}') && listed.contains("s⟨U+00AD⟩1"), "{listed}");
}

#[test]
fn a_history_that_was_written_anew_is_noticed_by_who_kept_a_checkpoint() {
    let w = story();
    fs::write(w.file("kept.txt"), w.say(&["checkpoint"]).stdout).unwrap();
    let key = fs::read_to_string(key_file(&w)).unwrap();
    // The operator throws the ledger away and makes another one, with the same keys.
    fs::remove_dir_all(w.ledger()).unwrap();
    w.poll();
    for n in 0..12 {
        w.snapshot_by_name("forged", &n.to_string(), "bob");
    }
    let refused = w.run(&["prove", "consistency", "--from", "kept.txt", "proof.txt"]);
    refused.failed(1, &["history is not the one of the checkpoint"]);
    // A checkpoint of the forged history, as large as the kept one, does not pass for it.
    let kept = fs::read_to_string(w.file("kept.txt")).unwrap();
    let size = kept.lines().nth(1).unwrap();
    let forged = w.say(&["checkpoint", "--at", size]).stdout;
    fs::write(w.file("forged.txt"), &forged).unwrap();
    let proof = w.say(&["prove", "consistency", "--from", "forged.txt"]).stdout;
    let auditor = Auditor::new();
    auditor.gets("proof.txt", &proof);
    auditor.gets("kept.txt", &kept);
    auditor.checks(&["proof.txt", "--key", key.trim()]).done();
    let noticed = auditor.checks(&["proof.txt", "--key", key.trim(), "--checkpoint", "kept.txt"]);
    noticed.failed(1, &["written anew"]);
}

#[test]
fn an_auditor_derives_anew_whose_mail_a_snapshot_holds() {
    let w = story();
    fs::write(w.file("kept.txt"), w.say(&["checkpoint", "--at", "1"]).stdout).unwrap();
    let auditor = Auditor::new();
    auditor.gets("kept.txt", &fs::read_to_string(w.file("kept.txt")).unwrap());
    for snapshot in ["1", "2"] {
        let shown = w.run(&["snapshot", "show", "--chain", "by-name", "--snapshot", snapshot]).done();
        let prove =
            ["prove", "snapshot", "--chain", "by-name", "--snapshot", snapshot, "--from", "kept.txt", "proof.txt"];
        w.run(&prove).done();
        let proof = fs::read_to_string(w.file("proof.txt")).unwrap();
        auditor.gets("proof.txt", &proof);
        let key = fs::read_to_string(key_file(&w)).unwrap();
        let holds = auditor.checks(&["proof.txt", "--key", key.trim(), "--checkpoint", "kept.txt"]).done();
        let (told, derived) = (&shown["attribution"], &holds["snapshot"]["attribution"]);
        assert_eq!((&told["owner"], &told["confidence"]), (&derived["owner"], &derived["confidence"]), "{holds:#}");
        assert!(derived["owner"].is_string(), "{holds:#}");
        let owner = derived["owner"].as_str().unwrap();
        auditor.gets("bad.txt", &proof.replace(&format!("owner {owner}"), "owner -"));
        auditor.checks(&["bad.txt", "--key", key.trim()]).failed(1, &["it claims"]);
    }
    w.run(&["prove", "snapshot", "--chain", "by-name", "--snapshot", "9"]).failed(1, &["snapshot 9"]);
}

/// It tells names, as the mail does.
#[cfg(unix)]
#[test]
fn a_proof_is_written_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let w = story();
    let proved = ["prove", "snapshot", "--chain", "by-name", "--snapshot", "1", "proof.txt"];
    let mode = || fs::metadata(w.file("proof.txt")).unwrap().permissions().mode() & 0o777;
    w.run(&proved).done();
    assert_eq!(mode(), 0o600);
    // Who has given it to others goes on giving it to them.
    fs::set_permissions(w.file("proof.txt"), fs::Permissions::from_mode(0o640)).unwrap();
    w.run(&proved).done();
    assert_eq!(mode(), 0o640);
}

#[cfg(unix)]
#[test]
fn a_key_that_others_may_read_is_not_used() {
    use std::os::unix::fs::PermissionsExt;
    let w = story();
    w.run(&["checkpoint"]).done();
    let key = w.file(&format!("ledger.keys/checkpoint-{}.key", EmulatorOptions::TENANT));
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    w.run(&["checkpoint"]).failed(1, &["checkpoint-", "chmod go="]);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&key, "nonsense\n").unwrap();
    w.run(&["checkpoint"]).failed(1, &["no signer key"]);
}

#[test]
fn keys_are_kept_where_the_settings_say_and_an_empty_tenant_signs_nothing() {
    let w = story();
    let text = fs::read_to_string(w.file("whowas.toml")).unwrap();
    fs::write(w.file("whowas.toml"), text.replace("path = \"ledger\"", "path = \"ledger\"\nkeys = \"elsewhere\""))
        .unwrap();
    w.run(&["checkpoint"]).done();
    assert!(w.file("elsewhere").is_dir() && !w.file("ledger.keys").exists());
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("x"), "").unwrap();
    let none = World::new();
    none.run(&["checkpoint"]).failed(2, &["no ledger"]);
}

// ---- replay

/// Asks everything that may be asked of the world as it is now, and keeps the answers.
fn ask_all(w: &World, answers: &mut Vec<String>) {
    for asked in [
        &["--chain", "by-name", "--name", "ann@x.test"][..],
        &["--chain", "by-name"],
        &["--name", "ann@x.test"],
        &["--name", "bob@x.test", "--kind", "smtp"],
        &["--name", "ann@x.test", "--chain", "by-name", "--verify"],
        &["--name", "bob@x.test", "--verify", "--at", "2026-03-02T00:30:00Z"],
    ] {
        answers.push(w.run(&[&["check"][..], asked].concat()).stdout);
    }
}

#[test]
fn answers_given_over_a_history_are_the_same_byte_for_byte_at_its_end() {
    let mut w = World::new();
    let (ann, bob) = (w.create("ann"), w.create("bob"));
    let mut answers = Vec::new();
    for (hour, act) in ["", "snapshot", "rename", "", "delete", "reuse", "snapshot", "", "restore"].iter().enumerate() {
        w.at(&format!("{:02}:00", hour * 2));
        match *act {
            "snapshot" => drop(w.snapshot_by_name("by-name", &hour.to_string(), "ann")),
            "rename" => w.rename(ann, "ann.lee"),
            "delete" => w.delete(bob),
            "reuse" => drop(w.create("ann")),
            "restore" => w.restore(bob, None),
            _ => {}
        }
        if hour % 3 != 2 {
            w.poll();
        }
        // Not only right after a sync.
        w.at(&format!("{:02}:{:02}", hour * 2, 7 * hour));
        ask_all(&w, &mut answers);
    }
    w.on_day(3, "10:00");
    w.poll();
    let told = |answer: &str| serde_json::from_str::<Value>(answer).unwrap();
    let mut verdicts = std::collections::BTreeSet::new();
    for (place, answer) in answers.iter().enumerate() {
        let saved = told(answer);
        verdicts.insert(saved["verdict"].to_string());
        let file = format!("answer-{place}.json");
        fs::write(w.file(&file), answer).unwrap();
        let asked = &saved["asked"];
        let mut again = vec!["check".to_owned(), "--basis".to_owned(), file, "--at".to_owned()];
        again.push(asked["at"].as_str().unwrap().to_owned());
        for field in ["chain", "name", "kind", "object", "mailbox"] {
            if let Some(text) = asked[field].as_str() {
                again.extend([format!("--{field}"), text.to_owned()]);
            }
        }
        let again: Vec<&str> = again.iter().map(String::as_str).collect();
        assert_eq!(&w.run(&again).stdout, answer, "answer {place}");
    }
    assert!(verdicts.len() >= 4, "{verdicts:?}");
    fs::write(w.file("all.jsonl"), answers.iter().map(|answer| told(answer).to_string() + "\n").collect::<String>())
        .unwrap();
    let replayed = w.run(&["check", "--replay", "all.jsonl"]).done();
    assert_eq!((&replayed["same"], &replayed["different"]), (&json!(answers.len()), &json!(0)), "{replayed:#}");

    // An answer that was never given, a basis of another history, and a clock that is left out.
    let mut changed = told(&answers[0]);
    changed["verdict"] = json!("frozen");
    fs::write(w.file("changed.json"), changed.to_string()).unwrap();
    let found = w.run(&["check", "--replay", "changed.json"]).ended(1);
    assert_eq!(found["which"][0]["differs"], json!(["verdict"]), "{found:#}");
    let mut foreign = told(&answers[0]);
    foreign["basis"]["hash"] = json!("ab".repeat(32));
    fs::write(w.file("foreign.json"), foreign.to_string()).unwrap();
    w.run(&["check", "--name", "ann@x.test", "--basis", "foreign.json"]).failed(1, &["another ledger"]);
    let basis = &told(&answers[0])["basis"];
    let spelled = format!("{}@{}", basis["sequence"], basis["clock"].as_str().unwrap());
    assert_eq!(w.run(&["check", "--name", "ann@x.test", "--basis", &spelled]).ended(30)["basis"], *basis);
    let json = basis.to_string();
    assert_eq!(w.run(&["check", "--name", "ann@x.test", "--basis", &json]).ended(30)["basis"], *basis);
    w.run(&["check", "--name", "ann@x.test", "--basis-clock", "2026-03-02T00:00:00Z"]).failed(2, &["--basis"]);
    w.run(&["check", "--name", "ann@x.test", "--basis", "once"]).failed(2, &["no commit"]);
}

#[test]
fn a_service_signs_proves_and_replays_like_its_ledger() {
    let w = story();
    let ledgers = w.run(&["checkpoint"]).done();
    let answer = w.run(&["check", "--name", "ann@x.test", "--chain", "by-name"]).stdout;
    fs::write(w.file("answer.json"), &answer).unwrap();
    fs::write(w.file("kept.txt"), w.say(&["checkpoint", "--at", "2"]).stdout).unwrap();
    let token = token(&w, "admin", &[]);
    let ways: [&[&str]; 5] = [
        &["checkpoint"],
        &["checkpoint", "--at", "1"],
        &["prove", "consistency", "--from", "kept.txt"],
        &["prove", "snapshot", "--chain", "by-name", "--snapshot", "2", "--from", "kept.txt"],
        &["check", "--replay", "answer.json"],
    ];
    let served = Served::of(&w);
    let there = ways.map(|way| {
        let mut command = w.command("json", &[&["--server", &served.url], way].concat());
        ran(command.env("WHOWAS_TOKEN", &token))
    });
    let raw = served.ask(reqwest::Method::GET, &format!("{T}/checkpoint"), Some(&token), None).with(200);
    assert_eq!(raw, ledgers);
    let path = format!("{T}/proofs/consistency");
    served.ask(reqwest::Method::GET, &path, Some(&token), None).problem(400, "invalid_parameter");
    served.ask(reqwest::Method::GET, &format!("{path}?older=999"), Some(&token), None).problem(404, "unknown_commit");
    let path = format!("{T}/snapshots/by-name/9/proof");
    served.ask(reqwest::Method::GET, &path, Some(&token), None).problem(404, "unknown_snapshot");
    served.stop();
    for (there, way) in there.iter().zip(ways) {
        let here = w.run(way);
        assert_eq!((there.code, &there.stdout), (here.code, &here.stdout), "{way:?}: {there:?}");
        assert_eq!(here.code, 0, "{way:?}: {here:?}");
    }
    assert!(Path::new(&key_file(&w)).is_file() && full("ann") == "ann@x.test");
}
