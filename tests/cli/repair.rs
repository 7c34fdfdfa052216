//! `repair`: from damage to a ledger that holds what is still proved, as a person goes about it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::world::{World, full, ran};

/// A ledger of a few rounds, and the size of its engine's file.
fn company() -> World {
    let mut w = World::new();
    let ann = w.create("ann");
    w.at("00:00");
    w.poll();
    for hour in 1..6 {
        w.at(&format!("{hour:02}:00"));
        w.rename(ann, &format!("ann.{hour}"));
        w.poll();
        w.snapshot("cA", &hour.to_string(), ann);
    }
    w
}

/// Cuts the engine's file off until a commit is lost, and says what a repair would do. What the engine wrote last need be no commit.
fn cut_off(w: &World) -> Value {
    let db = w.ledger().join("engine/db");
    let bytes = fs::read(&db).unwrap();
    let written = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    let cut = |twentieths: usize| {
        let file = fs::OpenOptions::new().write(true).open(&db).unwrap();
        file.set_len(u64::try_from(written * twentieths / 20).unwrap()).unwrap();
        w.run(&["repair", "--dry-run"]).ended(40)
    };
    (1..20).rev().map(cut).find(|dry| dry["lost"].as_u64().unwrap() > 0).unwrap()
}

#[test]
fn a_sound_ledger_is_said_to_be_and_left_alone() {
    let w = company();
    let report = w.run(&["repair"]).done();
    assert_eq!((&report["outcome"], &report["lost"], &report["damage"]), (&json!("sound"), &json!(0), &json!(null)));
    let said = w.say(&["repair", "--dry-run"]).stdout;
    assert!(said.contains("the journal is whole") && said.contains("nothing was changed"), "{said}");
    w.verify();
}

/// The files below a folder, but for who had it open last.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        match path.is_dir() {
            true => found.append(&mut files(&path)),
            false if path.ends_with("holder.json") => {}
            false => drop(found.insert(path.clone(), fs::read(&path).unwrap())),
        }
    }
    found
}

#[test]
fn a_dry_run_writes_nothing_into_the_ledger() {
    let w = company();
    let before = files(&w.ledger());
    assert_eq!(w.run(&["repair", "--dry-run"]).done()["outcome"], json!("sound"));
    assert!(files(&w.ledger()) == before);
    // One of an earlier format stays one that its release can read.
    let old = w.file("old");
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/formats/1/ledger");
    for (from, bytes) in files(&kept) {
        let to = old.join(from.strip_prefix(&kept).unwrap());
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::write(to, bytes).unwrap();
    }
    let before = files(&old);
    let dry = ran(w.command("json", &["--ledger", old.to_str().unwrap()]).args(["repair", "--dry-run"])).done();
    assert_eq!((&dry["outcome"], &dry["commits"]), (&json!("sound"), &json!(11)), "{dry}");
    assert!(files(&old) == before);
}

#[test]
fn a_damaged_ledger_says_what_to_do_and_the_repair_says_what_is_lost() {
    let w = company();
    let db = w.ledger().join("engine/db");
    let bytes = fs::read(&db).unwrap();
    let written = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    // Everything written in the last third.
    fs::OpenOptions::new().write(true).open(&db).unwrap().set_len(u64::try_from(written * 2 / 3).unwrap()).unwrap();
    w.run(&["status"]).failed(1, &["damaged", "whowas repair --dry-run"]);

    let dry = w.run(&["repair", "--dry-run"]).ended(40);
    assert_eq!((&dry["outcome"], &dry["moved_to"]), (&json!("repairable"), &json!(null)), "{dry}");
    w.run(&["status"]).failed(1, &["damaged"]);

    let said = w.say(&["repair"]).stdout;
    let commits = dry["commits"].as_u64().unwrap();
    assert!(commits > 0 && said.contains(&format!("{commits} commits are brought back")), "{said}");
    if dry["lost"].as_u64().unwrap() > 0 {
        for words in ["lost: commits", "cannot be brought back", "checkpoint", "sync --full --reconcile"] {
            assert!(said.contains(words), "{words} in {said}");
        }
    }
    assert!(said.contains("engine.damaged-1"), "{said}");
    assert!(!said.contains("ann.") && !said.contains("scratch"), "a name in {said}");
    w.verify();
    assert_eq!(w.run(&["repair"]).done()["commits"], json!(commits));
    // It goes on from there.
    w.run(&["sync", "--full", "--reconcile"]).done();
    assert_ne!(w.run(&["who", &full("ann.5")]).done()["holder"], json!(null));
    w.verify();
}

/// Pages of the engine that are stale among others can be read, but sled may fail to write them, or take all memory.
#[test]
fn an_engine_whose_derived_records_are_not_the_journals_is_replaced() {
    let w = company();
    let engine = sled::open(w.ledger().join("engine")).unwrap();
    let posting = engine.iter().keys().map(Result::unwrap).find(|key| key.get(16) == Some(&4)).unwrap();
    engine.remove(&posting).unwrap();
    engine.flush().unwrap();
    drop(engine);
    assert_eq!(w.run(&["verify"]).ended(40)["differing"], json!(1));
    let dry = w.run(&["repair", "--dry-run"]).ended(40);
    assert_eq!((&dry["outcome"], &dry["lost"]), (&json!("repairable"), &json!(0)), "{dry}");
    assert_eq!(w.run(&["verify"]).ended(40)["differing"], json!(1));
    let report = w.run(&["repair"]).done();
    assert_eq!((&report["outcome"], &report["lost"]), (&json!("repaired"), &json!(0)), "{report}");
    assert!(report["damage"].as_str().unwrap().contains("not what its journal gives"), "{report}");
    w.verify();
    assert_eq!(w.run(&["repair"]).done()["outcome"], json!("sound"));
}

/// Whatever ended it may end the next one as well.
#[test]
fn after_a_rebuild_that_was_not_completed_a_repair_takes_a_new_engine() {
    let w = company();
    let begun = "a rebuild was begun; run `whowas rebuild`, and `whowas repair` if that fails\n";
    fs::write(w.ledger().join("rebuild"), begun).unwrap();
    w.run(&["status"]).failed(1, &["whowas rebuild"]);
    let report = w.run(&["repair"]).done();
    assert_eq!((&report["outcome"], &report["lost"]), (&json!("repaired"), &json!(0)), "{report}");
    assert!(report["damage"].as_str().unwrap().contains("not completed"), "{report}");
    w.verify();
}

/// A new engine is in place when what comes after it fails. What was lost with the old one is told by the repair that is completed.
#[test]
fn a_repair_that_could_not_be_completed_loses_nothing_of_its_report() {
    let mut w = company();
    let carl = w.create("carl");
    w.at("06:00");
    w.poll();
    w.run(&["redact", &carl.to_string()]).done();
    for hour in 7..12 {
        w.at(&format!("{hour:02}:00"));
        w.poll();
        w.snapshot("cB", &hour.to_string(), carl);
    }
    let dry = cut_off(&w);

    let keys = w.ledger().with_file_name(format!("{}.keys", w.ledger().file_name().unwrap().to_str().unwrap()));
    fs::rename(keys.join("erasure.key"), w.file("aside.key")).unwrap();
    for _ in 0..2 {
        w.run(&["repair"]).failed(1, &["erasure.key"]);
    }
    fs::rename(w.file("aside.key"), keys.join("erasure.key")).unwrap();
    let rebuilt = w.run(&["rebuild"]);
    assert!(rebuilt.stderr.contains("`whowas repair` tells it"), "{rebuilt:?}");
    let report = w.run(&["repair", "--dry-run"]).done();
    assert_eq!((&report["outcome"], &report["lost"]), (&json!("sound"), &dry["lost"]), "{report}");
    assert_eq!(report["earlier"].as_array().unwrap().len(), 2, "{report}");
    let said = w.say(&["repair"]).stdout;
    for words in ["an earlier repair", "cannot be brought back", "engine.damaged-1", "sync --full --reconcile"] {
        assert!(said.contains(words), "{words} in {said}");
    }
    w.verify();
    let after = w.run(&["repair"]).done();
    assert_eq!((&after["lost"], &after["earlier"]), (&json!(0), &json!(null)), "{after}");
}

/// Its report is kept until it was written.
#[test]
fn a_repair_whose_report_could_not_be_written_is_told_by_the_next() {
    let w = company();
    let dry = cut_off(&w);
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let ended = w.command("json", &["repair"]).stdout(full).output().unwrap();
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    let told = w.run(&["repair"]).done();
    assert_eq!((&told["outcome"], &told["lost"]), (&json!("sound"), &dry["lost"]), "{told}");
    assert_eq!(w.run(&["repair"]).done()["lost"], json!(0));
}

/// What is derived may rest on what another release took for certain.
#[test]
fn a_ledger_that_other_rules_derived_answers_nothing_before_it_is_derived_anew() {
    let w = company();
    let (rules, name) = (w.ledger().join("rules"), full("ann.5"));
    let ours = fs::read(&rules).unwrap();
    let before = w.run(&["who", &name]).done();
    for (other, cure) in [(None, "rebuild"), (Some("0\n"), "repair"), (Some("99999\n"), "rebuild")] {
        match other {
            Some(other) => fs::write(&rules, other).unwrap(),
            None => fs::remove_file(&rules).unwrap(),
        }
        for command in [&["who", &name][..], &["sync"], &["status"], &["findings"]] {
            w.run(command).failed(1, &["the journal is whole", "`whowas rebuild`"]);
        }
        assert!(w.run(&["doctor"]).stdout.contains("`whowas rebuild`"));
        // What goes by the journal alone works, and leaves it as it is.
        w.verify();
        w.run(&["export", w.file(&format!("{other:?}.jsonl")).to_str().unwrap()]).done();
        w.run(&["compact"]).done();
        w.run(&["repair", "--dry-run"]).done();
        w.run(&["who", &name]).failed(1, &["`whowas rebuild`"]);
        w.run(&[cure]).done();
        assert_eq!((fs::read(&rules).unwrap(), w.run(&["who", &name]).done()), (ours.clone(), before.clone()));
        w.verify();
    }
}
