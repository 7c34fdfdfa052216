//! Somebody's names are erased: nothing of them is left in any file, and the next holder is told apart as before.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::portable::killed;
use super::world::{Ran, World, full, ran};
use whowas::graph::emulator::NewUser;

/// The files below a folder in which a text stands, in any letter case.
fn grep(folder: &Path, text: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(grep(&path, text));
            continue;
        }
        let mut bytes = fs::read(&path).unwrap();
        bytes.make_ascii_lowercase();
        if bytes.windows(text.len()).any(|window| window == text.as_bytes()) {
            found.push(path);
        }
    }
    found
}

fn export(w: &World, name: &str) -> PathBuf {
    let file = w.file(name);
    w.run(&["export", file.to_str().unwrap()]).done();
    file
}

/// An export brought back into another ledger, with the key of what was erased: that ledger, and where its keys are.
fn brought_back(w: &World, file: &Path) -> (PathBuf, PathBuf) {
    let copy = w.file("copy");
    let keys = give_key(w, &copy);
    on(w, &copy, &["restore", file.to_str().unwrap()]).done();
    assert_eq!(on(w, &copy, &["verify"]).done(), w.run(&["verify"]).done());
    (copy, keys)
}

/// Gives another ledger the key of what was erased from this one. Says where its keys are.
fn give_key(w: &World, ledger: &Path) -> PathBuf {
    let keys_of =
        |ledger: &Path| ledger.with_file_name(format!("{}.keys", ledger.file_name().unwrap().to_str().unwrap()));
    let keys = keys_of(ledger);
    fs::create_dir_all(&keys).unwrap();
    fs::copy(keys_of(&w.ledger()).join("erasure.key"), keys.join("erasure.key")).unwrap();
    keys
}

fn on(w: &World, ledger: &Path, arguments: &[&str]) -> Ran {
    ran(w.command("json", &["--ledger", ledger.to_str().unwrap()]).args(arguments))
}

#[test]
fn an_erased_name_is_in_no_file_and_its_next_holder_is_a_mismatch() {
    let mut w = World::new();
    let ann = w.create("ann");
    let other = w.create("carl");
    w.at("09:00");
    w.poll();
    w.snapshot("cA", "s1", ann);
    w.snapshot_by_name("mailbox-ann@x.test", "s2", "ann");
    let note = "was Ann@X.test, then Carl";
    let (from, to) = (ann.to_string(), other.to_string());
    w.run(&["link", "add", "--from", &from, "--to", &to, "--as", "recreated-as", "--note", note]).done();
    w.rename(ann, "ann.lee");
    w.at("10:00");
    w.poll();
    let before = w.who("ann", "09:30");
    let checkpoint = w.run(&["verify"]).done();
    assert!(!grep(&w.ledger(), "ann@x.").is_empty(), "the search itself finds names");

    let object = ann.to_string();
    let foreseen = w.run(&["redact", &object, "--dry-run"]).done();
    assert!(!grep(&w.ledger(), "ann@x.").is_empty(), "a dry run changes nothing");
    let aside = w.ledger().join("engine.damaged-1");
    fs::create_dir(&aside).unwrap();
    w.run(&["redact", &object]).failed(1, &["engine.damaged-1", "nothing was changed"]);
    assert!(!grep(&w.ledger(), "ann@x.").is_empty(), "what a repair put aside is not left behind unnoticed");
    fs::remove_dir(&aside).unwrap();
    let done = w.run(&["redact", &object, "--by", "dpo", "--note", "asked for"]).done();
    assert_eq!((&foreseen["items"], &foreseen["commits"]), (&done["items"], &done["commits"]));
    assert!(done["items"].as_u64().unwrap() > 3, "{done}");

    export(&w, "after.jsonl");
    w.run(&["report", "--object", &object, w.file("report.html").to_str().unwrap()]).ended(0);
    w.run(&["report", "--chain", "cA", w.file("chain.html").to_str().unwrap()]).ended(0);
    let verified = w.run(&["verify"]).done();
    assert_eq!(verified["differing"], 0);
    assert_eq!(verified["forgotten"], done["items"]);
    assert!(verified["commits"].as_u64() > checkpoint["commits"].as_u64());
    for name in ["ann@x.", "ann.lee@x."] {
        assert_eq!(grep(&w.ledger(), name), Vec::<PathBuf>::new());
        for file in ["after.jsonl", "report.html", "chain.html"] {
            let text = fs::read_to_string(w.file(file)).unwrap().to_lowercase();
            assert!(!text.contains(name), "{file}");
        }
    }
    assert!(w.run(&["history", &object]).stdout.contains("@erased.invalid"));

    // Asked by the name, everything is as it was.
    let after = w.who("ann", "09:30");
    assert_eq!((&after["holder"], &after["confidence"]), (&before["holder"], &before["confidence"]));
    assert_eq!(
        w.run(&["snapshot", "list", "--chain", "mailbox-ann@x.test"]).done()["items"].as_array().unwrap().len(),
        1
    );

    // The directory still tells of her, and somebody else takes her name.
    w.rename(ann, "ann.third");
    w.at("11:00");
    w.poll();
    // What is erased as it comes was in no export.
    let resumed = w.run(&["export", "--resume", w.file("after.jsonl").to_str().unwrap()]).done();
    assert!(resumed["added"].as_u64().unwrap() > 0, "{resumed}");
    // An import may come twice.
    let line = r#"{"chain":"cB","snapshot":"b1","from":"2026-03-01T09:10:00Z","until":"2026-03-01T09:10:01Z","name":"Ann@x.test"}"#;
    fs::write(w.file("b.jsonl"), line).unwrap();
    for (added, same) in [(1, 0), (0, 1)] {
        let imported = w.run(&["import", "snapshots", w.file("b.jsonl").to_str().unwrap()]).done();
        assert_eq!((&imported["added"], &imported["same"]), (&json!(added), &json!(same)), "{imported}");
    }
    let namesake = w.create("ann");
    w.at("12:00");
    w.poll();
    assert_eq!(grep(&w.ledger(), "ann.third@x."), Vec::<PathBuf>::new());
    assert!(!grep(&w.ledger(), "ann@x.").is_empty(), "what the newcomer is called is readable");
    w.at("12:01");
    let caught = w.ask_live(&["--chain", "cA", "--name", &full("ann")]).mismatch();
    let reasons = &caught.json["reasons"];
    assert!(reasons.to_string().contains("the earlier holder's names were erased"), "{reasons}");
    let holder = w.who("ann", "12:01");
    assert_eq!(holder["holder"], namesake.to_string());
    w.verify();
    w.run(&["rebuild"]).done();
    w.verify();

    // An export brings it back, with the key; without the key it is refused.
    let file = export(&w, "later.jsonl");
    let (copy, keys) = brought_back(&w, &file);
    fs::remove_dir_all(&keys).unwrap();
    on(&w, &copy, &["who", &full("ann")]).failed(1, &["erasure.key", "backup"]);
}

/// A backup that calls its chains and snapshots by names goes on doing so after the erasure. What it writes then is found by another one.
#[test]
fn ids_with_an_erased_name_that_come_later_are_erased_by_the_next_erasure() {
    let mut w = World::new();
    let (ann, mary) = (w.create("ann"), w.create("mary-ann"));
    w.at("09:00");
    w.poll();
    w.run(&["redact", &ann.to_string()]).done();
    let [chain, first, second] = ["box-Ann@x.test-2", "ANN@x.test/1", "ann@x.test/2"];
    for _ in 0..2 {
        w.snapshot(chain, first, ann);
    }
    // The same snapshot id in two chains, an id with the name that the directory makes of hers at deletion, and one of somebody else.
    let mangled = format!("{}ann@x.test", ann.to_string().replace('-', ""));
    for other in ["cA", "cB", &mangled] {
        w.snapshot(other, second, ann);
    }
    w.snapshot("mary-ann@x.test", "mary-ann@x.test/1", mary);
    w.snapshot("mary-ann@x.test to ann@x.test", "m2", mary);
    w.run(&["snapshot", "expire", "--chain", chain, "--snapshot", first]).done();
    w.verify();
    let asked = |w: &World| w.ask(&["--chain", chain, "--object", &mary.to_string()]).mismatch();
    asked(&w);
    assert!(!grep(&w.ledger(), "ann@x.test/2").is_empty(), "as they were given, until then");

    let done = w.run(&["redact", &ann.to_string()]).done();
    assert_eq!((&done["names"], &done["texts"]), (&json!(0), &json!(5)), "{done}");
    for gone in ["box-ann@", "ann@x.test/2", &mangled, " ann@x.test"] {
        assert_eq!(grep(&w.ledger(), gone), Vec::<PathBuf>::new(), "{gone}");
    }
    assert!(!grep(&w.ledger(), "mary-ann@x.test/1").is_empty());
    w.at("10:00");
    w.poll();
    w.snapshot(chain, "s2", ann);
    let listed = |chain: &str| w.run(&["snapshot", "list", "--chain", chain]).done()["items"].as_array().unwrap().len();
    assert_eq!([chain, "cA", "cB", &mangled].map(listed), [2, 1, 1, 1]);
    asked(&w);
    w.at("10:01");
    w.ask_live(&["--chain", chain, "--name", &full("ann")]).continues().of_object(ann).on("s2");
    w.verify();
    w.run(&["rebuild"]).done();
    w.verify();
}

/// What snapshots were addressed by and what nobody had need not be the name itself to tell it.
#[test]
fn an_address_that_has_the_name_in_it_goes_with_it() {
    let mut w = World::new();
    let (ann, mary) = (w.create("ann"), w.create("mary-ann"));
    w.at("09:00");
    w.poll();
    w.delete(ann);
    w.at("10:00");
    w.poll();
    let id = ann.to_string();
    let mangled = format!("{}ann@x.test", id.replace('-', ""));
    let addressed = |chain: &str, name: &str| {
        let (at, of) = ("2026-03-01T09:30:00Z", ["--chain", chain, "--snapshot", "s1", "--name", name]);
        w.run(&[["snapshot", "add", "--from", at, "--until", at].as_slice(), &of].concat()).done();
    };
    let of_hers = [mangled.as_str(), "SMTP:ann@x.test", "Ann <Ann@x.test>"];
    for (chain, name) in ["c1", "c2", "c3"].into_iter().zip(of_hers) {
        addressed(chain, name);
    }
    addressed("cM", &full("mary-ann"));
    w.ask_live(&["--name", &mangled]);
    let note = format!("it was {mangled}");
    w.run(&["link", "add", "--from", &id, "--to", &mary.to_string(), "--as", "recreated-as", "--note", &note]).done();
    w.at("11:00");
    let listed = |w: &World, chain: &str| w.run(&["snapshot", "list", "--chain", chain]).done()["items"].clone();
    let judged = |w: &World| ["c1", "c2", "c3", "cM"].map(|chain| listed(w, chain)[0]["attribution"].clone());
    let before = judged(&w);
    assert!(before[0].is_object(), "{before:?}");

    let done = w.run(&["redact", &id]).done();
    assert_eq!(done["still_readable"], json!([]), "{done}");
    export(&w, "after.jsonl");
    let file = fs::read_to_string(w.file("after.jsonl")).unwrap().to_lowercase();
    for name in [mangled.as_str(), "smtp:ann@x", "<ann@x", " ann@x"] {
        assert_eq!(grep(&w.ledger(), name), Vec::<PathBuf>::new(), "{name}");
        assert!(!file.contains(name), "{name}");
    }
    assert!(!grep(&w.ledger(), "mary-ann@x").is_empty());
    assert_eq!(judged(&w), before);
    // Each stands for itself, and is found by what it was.
    for (chain, name) in ["c1", "c2", "c3"].into_iter().zip(of_hers) {
        let found = w.run(&["snapshot", "list", "--name", name]).done()["items"].clone();
        assert_eq!((&found[0]["chain"], found.as_array().unwrap().len()), (&json!(chain), 1), "{name}: {found}");
    }
    w.verify();
    w.run(&["rebuild"]).done();
    w.verify();
}

/// An employee's number is erased, and the snapshots and chains that have it as their id are others'.
#[test]
fn an_erased_number_moves_nobodys_snapshots() {
    let mut w = World::new();
    let of = |upn: &str, number: &str| NewUser { employee_id: Some(number.to_owned()), ..NewUser::mailbox(upn) };
    let ann = w.directory(|directory| directory.create_user(of("ann@x.test", "41"))).unwrap();
    let bob = w.create("bob");
    w.at("09:00");
    w.poll();
    w.snapshot("41", "41", bob);
    w.run(&["redact", &ann.to_string()]).done();
    w.snapshot("42", "42", bob);
    let listed = |w: &World| w.run(&["snapshot", "list", "--object", &bob.to_string()]).stdout;
    let before = listed(&w);
    // She gets another number, which is erased as it comes.
    w.directory(|directory| directory.edit(ann, |user| user.employee_id = Some("42".to_owned()))).unwrap();
    w.at("10:00");
    w.poll();
    assert_eq!(listed(&w), before);
    for id in ["41", "42"] {
        w.ask(&["--chain", id, "--object", &bob.to_string()]).continues().on(id);
        w.ask(&["--chain", id, "--object", &ann.to_string()]).mismatch();
    }
    w.verify();
}

/// A name under which something is kept already cannot be erased as it comes. That is not passed over in silence.
#[test]
fn a_name_that_was_known_before_it_became_that_of_somebody_erased_is_told_of() {
    let mut w = World::new();
    let ann = w.create("ann");
    w.at("09:00");
    w.poll();
    let object = ann.to_string();
    let told = |w: &World| {
        let report = w.run(&["doctor"]);
        let report = serde_json::from_str::<serde_json::Value>(&report.stdout).unwrap();
        let mut checks = report["checks"].as_array().unwrap().clone().into_iter();
        checks.find(|check| check["check"] == "erasure")
    };
    w.run(&["redact", &object]).done();
    assert_eq!(told(&w), None);
    w.snapshot_by_name("cN", "s1", "ann.third");
    w.rename(ann, "ann.third");
    w.at("10:00");
    w.poll();
    assert!(!grep(&w.ledger(), "ann.third@x.").is_empty());
    let check = told(&w).unwrap();
    assert_eq!(check["state"], "warning", "{check}");
    assert!(check["do"].as_str().unwrap().contains(&object) && !check.to_string().contains("ann"), "{check}");
    w.run(&["redact", &object]).done();
    assert_eq!(told(&w), None);
    assert_eq!(grep(&w.ledger(), "ann.third@x."), Vec::<PathBuf>::new());
    w.verify();
}

/// Words on findings have the ids that those findings get when the names are erased, in commits before the one that tells so.
#[test]
fn a_ledger_with_reviews_and_an_erasure_is_restored_and_an_older_export_not_gone_on_with() {
    let mut w = World::new();
    let ann = w.create("ann");
    w.at("09:00");
    w.poll();
    w.snapshot_by_name("mailbox", "s1", "ann");
    w.rename(ann, "ann.lee");
    w.at("10:00");
    w.poll();
    w.create("ann");
    w.at("11:00");
    w.poll();
    let found = w.run(&["findings"]).done();
    let reused = found["items"].as_array().unwrap().iter().find(|found| found["kind"] == "name_reused").unwrap();
    let id = reused["id"].as_str().unwrap();
    w.run(&["finding", "ack", id, "--by", "me", "--note", "known"]).done();
    let older = export(&w, "older.jsonl");
    w.run(&["redact", &ann.to_string(), "--by", "dpo"]).done();
    let bytes = fs::read(&older).unwrap();
    w.run(&["export", "--resume", older.to_str().unwrap()]).failed(1, &["names were erased", "into a new file"]);
    assert!(fs::read(&older).unwrap() == bytes, "what is refused changes nothing");

    let file = export(&w, "later.jsonl");
    let (copy, _) = brought_back(&w, &file);
    assert_eq!(on(&w, &copy, &["findings"]).done(), w.run(&["findings"]).done());
}

/// What the first erasure left readable, because it is somebody else's name too, a second one leaves as well.
#[test]
fn a_further_erasure_takes_nobody_elses_name() {
    let mut w = World::new();
    let ann = w.create("ann");
    let dora = w.create("dora");
    w.at("09:00");
    w.poll();
    w.rename(ann, "ann.lee");
    w.at("10:00");
    w.poll();
    w.create("ann");
    w.at("11:00");
    w.poll();
    w.snapshot_by_name("mailbox", "s1", "ann");
    let listed = || w.run(&["snapshot", "list", "--chain", "mailbox"]).done();
    let before = listed();
    assert!(before.to_string().contains("ann@x.test"), "{before}");
    for object in [ann, ann, dora] {
        let done = w.run(&["redact", &object.to_string()]).done();
        let readable = if object == ann { serde_json::json!(["ann@x.test"]) } else { serde_json::json!([]) };
        assert_eq!(done["still_readable"], readable, "{done}");
        assert_eq!(listed(), before);
    }
    w.verify();
}

#[test]
fn an_erasure_killed_at_any_time_leaves_all_the_names_or_none() {
    let mut w = World::new();
    let ann = w.create("ann");
    w.at("09:00");
    w.poll();
    w.rename(ann, "ann.lee");
    w.at("10:00");
    w.poll();
    let before = w.run(&["verify"]).done();
    let object = ann.to_string();
    let mut erased = 0;
    killed(&w, &["redact", &object], || {
        let verified = w.run(&["verify"]).done();
        let (old, new) = (grep(&w.ledger(), "ann@x."), grep(&w.ledger(), "ann.lee@x."));
        assert_eq!(old.is_empty(), new.is_empty(), "{old:?} {new:?}");
        match old.is_empty() {
            false => assert_eq!(verified, before),
            true => erased += 1,
        }
        let names = fs::read_dir(w.ledger()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        assert_eq!(names.filter(|name| name.contains("engine.")).collect::<Vec<_>>(), Vec::<String>::new());
    });
    if erased == 0 {
        w.run(&["redact", &object]).done();
    }
    assert_eq!(grep(&w.ledger(), "ann@x."), Vec::<PathBuf>::new());
    w.verify();
}

/// An export that lacks the newest commit and what comes after it.
fn export_without_the_newest(w: &World) -> PathBuf {
    let whole = fs::read_to_string(export(w, "whole.jsonl")).unwrap();
    // The header stands before the commits.
    let commits = whole.lines().filter(|line| line.starts_with("{\"line\":\"commit\"")).count();
    let file = w.file("cut.jsonl");
    fs::write(&file, whole.lines().take(commits).map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    file
}

/// The facts of an erasure stand in the newest commits, so they are what is lost first.
#[test]
fn an_erasure_whose_record_was_lost_is_named_anew_and_goes_on() {
    let mut w = World::new();
    let (ann, bea) = (w.create("ann"), w.create("bea"));
    w.at("09:00");
    w.poll();
    w.snapshot("cA", "s1", ann);
    w.snapshot_by_name("mailbox-ann@x.test", "s2", "ann");
    w.rename(ann, "ann.lee");
    w.at("10:00");
    w.poll();
    w.run(&["redact", &ann.to_string(), &bea.to_string()]).done();
    let file = export_without_the_newest(&w);

    // Without the key nothing can be named, and that is said.
    let copy = w.file("copy");
    let restore = ["restore", "--until-damage", file.to_str().unwrap()];
    let restored = on(&w, &copy, &restore).ended(1);
    assert_eq!(
        (&restored["erasures"]["named"], &restored["erasures"]["objects"]),
        (&json!(false), &json!(2)),
        "{restored}"
    );
    let unnamed = on(&w, &copy, &["verify"]).ended(40);
    assert_eq!(unnamed["unsound"], unnamed["differing"], "{unnamed}");
    let said = ran(w.command("human", &["--ledger", copy.to_str().unwrap()]).args(["repair"])).stdout;
    assert!(said.contains("erasure.key") && said.contains("BEFORE the next sync"), "{said}");

    // Nor is anything else erased: the key that this would be done with could never be told from the one that is missing.
    let key = w.file("copy.keys").join("erasure.key");
    for more in [["redact", &ann.to_string(), "--dry-run"].as_slice(), &["redact", &ann.to_string()]] {
        on(&w, &copy, more).failed(1, &["record of that was lost", "erasure.key", "whowas repair"]);
        assert!(!key.exists());
    }
    give_key(&w, &copy);
    on(&w, &copy, &["redact", &ann.to_string()]).failed(1, &["First run `whowas repair`"]);
    let repaired = on(&w, &copy, &["repair"]).done();
    assert_eq!((&repaired["outcome"], &repaired["erasures"]["named"]), (&json!("sound"), &json!(true)), "{repaired}");
    on(&w, &copy, &["verify"]).done();
    // What the directory says of them again is written without names.
    w.at("11:00");
    on(&w, &copy, &["sync", "--full", "--reconcile"]).done();
    for name in ["ann@x.", "ann.lee@x.", "bea@x."] {
        assert_eq!(grep(&copy, name), Vec::<PathBuf>::new(), "{name}");
    }
    assert_eq!(
        on(&w, &copy, &["who", &full("ann"), "--at", "2026-03-01T09:30:00Z"]).ended(0)["holder"],
        w.who("ann", "09:30")["holder"]
    );
    on(&w, &copy, &["redact", &ann.to_string()]).done();
    on(&w, &copy, &["verify"]).done();
    assert_eq!(on(&w, &copy, &["repair"]).done()["erasures"]["items"], json!(0));

    // With the key at hand it is done at once.
    let again = w.file("again");
    give_key(&w, &again);
    assert_eq!(on(&w, &again, &restore).ended(1)["erasures"]["named"], json!(true));
    on(&w, &again, &["verify"]).done();
}

/// Whether there is the finding that somebody had a word on, may follow from the names that were erased.
#[test]
fn an_erasure_whose_record_was_lost_is_named_anew_also_where_a_finding_rested_on_the_names() {
    let mut w = World::new();
    let ann = w.create("ann");
    w.at("00:00");
    w.poll();
    w.at("01:00");
    w.snapshot_by_name("cA", "s1", "ann");
    w.at("02:00");
    w.poll();
    w.rename(ann, "ann.lee");
    w.at("03:00");
    w.poll();
    w.create("ann");
    w.at("04:00");
    w.poll();
    w.at("05:00");
    w.snapshot_by_name("cA", "s2", "ann");
    w.at("06:00");
    w.poll();
    let found = w.run(&["findings"]).done();
    let mixed = found["items"].as_array().unwrap().iter().find(|found| found["kind"] == "mixed_chain").unwrap();
    w.run(&["finding", "ack", mixed["id"].as_str().unwrap(), "--by", "me", "--note", "known"]).done();
    w.run(&["redact", &ann.to_string()]).done();
    w.verify();
    let acknowledged = |ledger: &Path| on(&w, ledger, &["findings", "--state", "acknowledged"]).done()["items"].clone();
    let before = acknowledged(&w.ledger());
    assert_eq!(before[0]["kind"], "mixed_chain", "{before}");

    let file = export_without_the_newest(&w);
    let copy = w.file("copy");
    let restored = on(&w, &copy, &["restore", "--until-damage", file.to_str().unwrap()]).ended(1);
    assert_eq!(restored["erasures"]["named"], json!(false), "{restored}");
    assert_eq!(acknowledged(&copy), json!([]), "without what was erased nothing shows it");
    on(&w, &copy, &["verify"]).ended(40);
    on(&w, &copy, &["rebuild"]).done();

    give_key(&w, &copy);
    let repaired = on(&w, &copy, &["repair"]).done();
    assert_eq!((&repaired["outcome"], &repaired["erasures"]["named"]), (&json!("sound"), &json!(true)), "{repaired}");
    on(&w, &copy, &["verify"]).done();
    assert_eq!(acknowledged(&copy), before);
}

/// A question by the id that a chain had before the erasure is one by the id that it has now.
#[test]
fn a_chain_asked_by_its_old_id_is_as_bad_as_it_is() {
    let mut w = World::new();
    let (ann, bob) = (w.create("ann"), w.create("bob"));
    w.at("09:00");
    w.poll();
    let (chain, bob) = ("box-ann@x.test", bob.to_string());
    w.snapshot(chain, "ann@x.test/1", ann);
    let receipt = ["--object", &bob, "--object-end", &bob];
    let snapshot = ["snapshot", "receipt", "--chain", chain, "--snapshot", "ann@x.test/1"];
    w.run(&[snapshot.as_slice(), &receipt].concat()).done();
    w.at("10:00");
    w.poll();
    w.run(&["redact", &ann.to_string()]).done();
    let listed = w.run(&["snapshot", "list", "--chain", chain]).done()["items"][0].clone();
    let [token, snapshot] = ["chain", "snapshot"].map(|key| listed[key].as_str().unwrap().to_owned());
    assert_ne!((token.as_str(), snapshot.as_str()), (chain, "ann@x.test/1"));

    let report = |chain: &str| w.run(&["report", "--chain", chain, "--format", "json", "-"]).done();
    let told = report(chain);
    assert_eq!(told, report(&token));
    assert_eq!(told["findings"][0]["kind"], "receipt_mismatch", "{told}");
    let html = w.say(&["report", "--chain", chain, "--format", "html", "-"]).stdout;
    assert!(html.contains("receipt mismatch") && !html.contains("In order"), "the page");
    let plan = w.run(&["plan", chain]).done();
    assert_eq!(plan, w.run(&["plan", &token]).done());
    let reasons = plan["reasons"].to_string();
    assert!(reasons.contains("do not restore it") && !reasons.contains("not mixed"), "{reasons}");

    // A proof cannot show the commit any more, and says that of either id.
    let prove = |chain: &str, id: &str| w.run(&["prove", "snapshot", "--chain", chain, "--snapshot", id]);
    let (old, new) = (prove(chain, "ann@x.test/1"), prove(&token, &snapshot));
    assert_eq!((old.code, &old.stderr), (new.code, &new.stderr));
    assert!(!old.stderr.contains("unknown") && old.stderr.contains("commit"), "{old:?}");
}

/// Whoever asks by an erased name is told of everyone who had it, and so is a picture of what it opened.
#[test]
fn a_report_by_an_erased_name_tells_who_held_it() {
    let mut w = World::new();
    let ann = w.create("ann");
    w.at("09:00");
    w.poll();
    w.rename(ann, "ann.lee");
    w.at("10:00");
    w.poll();
    let next = w.create("ann");
    w.at("11:00");
    w.poll();
    w.at("12:00");
    w.snapshot_by_name("mailbox", "s1", "ann");
    w.at("13:00");
    w.poll();
    w.run(&["redact", &ann.to_string()]).done();

    let by_name = |format: &str| w.say(&["report", "--name", "Ann@x.test", "--format", format, "-"]).stdout;
    let html = by_name("html");
    assert!(html.contains("Ann@x.test was held by two people"), "{html}");
    assert!(!html.contains("never seen"), "{html}");
    let table = by_name("csv");
    assert!([ann, next].iter().all(|holder| table.contains(&holder.to_string())), "{table}");
    let chain = w.say(&["report", "--chain", "mailbox", "--format", "html", "-"]).stdout;
    assert!(chain.contains("ann@x.test was ann@x.test (A)") && !chain.contains("never seen"), "{chain}");
}

/// Whoever only has the number of somebody erased keeps the names.
#[test]
fn an_erasure_that_is_named_anew_is_nobody_elses_who_has_the_same_number() {
    let mut w = World::new();
    let of = |upn: &str| NewUser { employee_id: Some("41".to_owned()), ..NewUser::mailbox(upn) };
    let [ann, bob] =
        ["ann@x.test", "bob@x.test"].map(|upn| w.directory(|directory| directory.create_user(of(upn))).unwrap());
    w.at("09:00");
    w.poll();
    w.run(&["redact", &ann.to_string()]).done();
    let file = export_without_the_newest(&w);
    let copy = w.file("copy");
    give_key(&w, &copy);
    let restored = on(&w, &copy, &["restore", "--until-damage", file.to_str().unwrap()]).ended(1);
    assert_eq!(restored["erasures"]["objects"], json!(1), "{restored}");
    on(&w, &copy, &["verify"]).done();
    w.rename(ann, "ann.second");
    w.rename(bob, "bob.second");
    w.at("11:00");
    on(&w, &copy, &["sync", "--full", "--reconcile"]).done();
    assert!(!grep(&copy, "bob.second@x.").is_empty());
    assert_eq!(grep(&copy, "ann.second@x."), Vec::<PathBuf>::new());
    on(&w, &copy, &["verify"]).done();
}
