//! A ledger leaves as a file and comes back, and is written anew in less space; also when the program is killed meanwhile.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::world::{Ran, World, bare, ran};

/// How often each command is killed. Each kill comes a little later than the one before.
const KILLS: u32 = 12;

/// Twenty users, two of whom each round renames: as many as the guard lets pass.
fn grown() -> World {
    let mut w = World::new();
    let users: Vec<_> = (0..20).map(|nth| w.create(&format!("user{nth}"))).collect();
    w.at("09:00");
    w.poll();
    for (hour, pair) in (10..14).zip(users.chunks(2)) {
        pair.iter().for_each(|user| w.rename(*user, &format!("hour{hour}.{}", &user.to_string()[..8])));
        w.at(&format!("{hour}:00"));
        w.poll();
    }
    w
}

fn on(w: &World, ledger: &str, arguments: &[&str]) -> Ran {
    let ledger = w.file(ledger);
    ran(w.command("json", &["--ledger", ledger.to_str().unwrap()]).args(arguments))
}

fn path(w: &World, name: &str) -> String {
    w.file(name).to_str().unwrap().to_owned()
}

/// The last line of an export: how far each tenant is, with its hash.
fn end(file: &Path) -> Value {
    let text = fs::read_to_string(file).unwrap();
    let mut end: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    end.as_object_mut().unwrap().remove("sum");
    end
}

#[test]
fn an_export_is_restored_into_a_new_ledger_that_says_the_same() {
    let w = grown();
    let file = path(&w, "out.jsonl");
    let exported = w.run(&["export", &file]).done();
    assert_eq!(exported["added"], exported["commits"]);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let restored = on(&w, "again", &["restore", &file]).done();
    assert_eq!(restored["commits"], exported["commits"]);
    assert_eq!(restored["tenants"], exported["tenants"]);
    assert_eq!(restored["damaged"], json!(null));
    assert_eq!(on(&w, "again", &["verify"]).done(), w.run(&["verify"]).done());
    let user = w.run(&["who", "user3@x.onmicrosoft.com"]);
    assert_eq!(on(&w, "again", &["who", "user3@x.onmicrosoft.com"]).stdout, user.stdout);
    // What was exported from the one and from the other is the same file.
    on(&w, "again", &["export", &path(&w, "again.jsonl")]).done();
    assert_eq!(fs::read(w.file("again.jsonl")).unwrap(), fs::read(&file).unwrap());
    // The copy syncs on, as the ledger would have.
    on(&w, "again", &["sync"]).done();
}

/// Its last step derives everything anew, for which there is a mark of its own.
#[test]
fn a_restore_that_ended_while_it_derived_goes_on() {
    let w = grown();
    let file = path(&w, "out.jsonl");
    w.run(&["export", &file]).done();
    on(&w, "again", &["restore", &file]).done();
    let mark = |name: &str, text: &str| fs::write(w.file("again").join(name), text).unwrap();
    let interrupt = || {
        mark("restore", "run `whowas restore FILE`\n");
        mark("rebuild", "a rebuild was begun; run `whowas rebuild`, and `whowas repair` if that fails\n");
    };
    interrupt();
    for command in ["status", "rebuild", "verify"] {
        on(&w, "again", &[command]).failed(1, &["has not been completed", "whowas restore FILE"]);
    }
    let said = on(&w, "again", &["doctor"]).stdout;
    assert!(said.contains("whowas restore FILE"), "{said}");
    // A repair helps as well, and says that the restore is still to be completed.
    let repaired = on(&w, "again", &["repair"]).done();
    assert_eq!((&repaired["lost"], &repaired["half_restored"]), (&json!(0), &json!(true)), "{repaired}");
    on(&w, "again", &["status"]).failed(1, &["whowas restore FILE"]);
    for _ in 0..2 {
        assert_eq!(on(&w, "again", &["restore", &file]).done()["added"], json!(0));
        assert_eq!(on(&w, "again", &["verify"]).done(), w.run(&["verify"]).done());
        interrupt();
    }
}

#[test]
fn an_export_takes_up_what_was_committed_since() {
    let mut w = grown();
    let file = path(&w, "out.jsonl");
    let first = w.run(&["export", &file]).done();
    w.run(&["export", &file]).failed(2, &["is there already", "--resume"]);
    w.run(&["export", "--resume", &path(&w, "none.jsonl")]).failed(2, &["no", "leave out --resume"]);
    w.create("late");
    w.at("15:00");
    w.poll();
    let second = w.run(&["export", "--resume", &file]).done();
    assert_eq!(
        second["commits"].as_u64().unwrap(),
        first["commits"].as_u64().unwrap() + second["added"].as_u64().unwrap()
    );
    assert!(second["added"].as_u64().unwrap() > 0);
    on(&w, "again", &["restore", &file]).done();
    let standard = ran(w.command("json", &["export", "-"]).arg("-q"));
    assert_eq!(standard.code, 0);
    let last = standard.stdout.lines().last().unwrap();
    assert_eq!(serde_json::from_str::<Value>(last).unwrap()["tenants"], second["tenants"]);
    // Damage is told with its line, and what to do.
    let mut damaged = fs::read(&file).unwrap();
    let at = damaged.iter().position(|byte| *byte == b'\n').unwrap() + 200;
    damaged[at] ^= 1;
    fs::write(w.file("damaged.jsonl"), damaged).unwrap();
    let file = path(&w, "damaged.jsonl");
    w.run(&["export", "--resume", &file]).failed(1, &["line 2", "new file"]);
    on(&w, "bad", &["restore", &file]).failed(1, &["line 2", "--until-damage"]);
    on(&w, "bad", &["status"]).failed(1, &["has not been completed", "whowas restore FILE"]);
    let kept = on(&w, "bad", &["restore", "--until-damage", &file]).ended(1);
    assert_eq!((&kept["commits"], &kept["damaged"]["line"]), (&json!(0), &json!(2)));
    on(&w, "bad", &["verify"]).done();
}

/// A mistyped path must not cost the file its content.
#[test]
fn an_export_goes_on_with_no_file_that_is_something_else() {
    let w = grown();
    let file = path(&w, "other");
    let key = [0xa7; 32];
    let others: [&[u8]; 6] = [b"{\"users\":[]}", b"{\"line\":\"commit\"", b"s3cret", b"-----BEGIN\nx\n", &key, b" "];
    for other in others {
        fs::write(&file, other).unwrap();
        w.run(&["export", "--resume", &file]).failed(1, &["line 1", "does not begin as an export does", "new file"]);
        assert_eq!(fs::read(&file).unwrap(), other);
    }
    // What a crash leaves of a header is none of these.
    for begun in ["", "{", "{\"line\":\"hea", "{\"line\":\"header\",\"format\":1,"] {
        fs::write(&file, begun).unwrap();
        w.run(&["export", "--resume", &file]).done();
    }
}

#[test]
fn what_cannot_be_exported_or_restored_is_told_and_leaves_nothing() {
    let w = grown();
    let file = path(&w, "out.jsonl");
    w.run(&["export", &file]).done();
    w.run(&["restore", &file]).failed(1, &["commits of its own", "new directory"]);
    on(&w, "none", &["restore", &path(&w, "whowas.toml")]).failed(1, &["does not begin as an export does"]);
    on(&w, "none", &["restore", &path(&w, "nowhere")]).failed(1, &["nowhere"]);
    on(&w, "none", &["export", &path(&w, "x.jsonl")]).failed(2, &["no ledger"]);
    let stranger = "55555555-5555-4555-8555-555555555555";
    fs::remove_file(w.file("whowas.toml")).unwrap();
    w.run(&["--ledger", &path(&w, "ledger"), "--tenant", stranger, "export", &path(&w, "x.jsonl")])
        .failed(1, &[stranger, "no commit"]);
    assert!(!w.file("none").exists() && !w.file("x.jsonl").exists());
    let asked = ran(w.command("json", &["--server", "http://127.0.0.1:9", "export", "x.jsonl"]).arg("-q"));
    asked.failed(2, &["--server", "journal", "--resume"]);
}

#[test]
fn a_compacted_ledger_says_the_same() {
    let w = grown();
    let before = w.run(&["verify"]).done();
    let compacted = w.run(&["compact"]).done();
    assert_eq!(compacted["records"], json!(before["records"].as_u64().unwrap() + before["commits"].as_u64().unwrap()));
    // So small a ledger is one segment before and after.
    let bytes = |field: &str| compacted[field].as_u64().unwrap();
    assert!(bytes("bytes_after") < bytes("bytes_before") + 4_096, "{compacted}");
    assert_eq!(w.run(&["verify"]).done(), before);
    w.poll();
}

/// Runs a command and kills it after a while, a little later each time, and once lets it end.
pub fn killed(w: &World, arguments: &[&str], mut after: impl FnMut()) {
    let mut pause = Duration::from_millis(5);
    for _ in 0..KILLS {
        let mut child = w.start(arguments);
        std::thread::sleep(pause);
        child.kill().unwrap();
        child.wait().unwrap();
        after();
        pause += Duration::from_millis(9);
    }
}

#[test]
fn a_compaction_killed_at_any_time_leaves_the_ledger_whole() {
    let w = grown();
    let before = w.run(&["verify"]).done();
    killed(&w, &["compact"], || {
        assert_eq!(w.run(&["verify"]).done(), before);
        let names = fs::read_dir(w.ledger()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let left: Vec<_> = names.filter(|name| name.contains("engine.") || name == "compacted").collect();
        assert_eq!(left, Vec::<String>::new());
    });
    w.run(&["compact"]).done();
    assert_eq!(w.run(&["verify"]).done(), before);
}

#[test]
fn an_export_and_a_restore_killed_at_any_time_go_on() {
    let w = grown();
    let (file, ledger) = (path(&w, "out.jsonl"), path(&w, "again"));
    w.run(&["export", &path(&w, "whole.jsonl")]).done();
    let whole = end(&w.file("whole.jsonl"));
    fs::write(&file, "").unwrap();
    killed(&w, &["export", "--resume", &file], || ());
    w.run(&["export", "--resume", &file]).done();
    assert_eq!(end(w.file("out.jsonl").as_path()), whole);
    killed(&w, &["--ledger", &ledger, "restore", &file], || {
        if !w.file("again").exists() {
            return;
        }
        let verified = on(&w, "again", &["verify"]);
        // Either it is all there, or it is no ledger yet.
        let is_none_yet = verified.stderr.contains("has not been completed") || verified.stderr.contains("no ledger");
        assert!(verified.code == 0 || is_none_yet, "{verified:?}");
    });
    if on(&w, "again", &["verify"]).code != 0 {
        on(&w, "again", &["restore", &file]).done();
    }
    assert_eq!(on(&w, "again", &["verify"]).done(), w.run(&["verify"]).done());
}

#[test]
fn the_manual_has_a_page_for_every_command() {
    let folder = tempfile::tempdir().unwrap();
    let page = ran(bare(folder.path()).arg("man"));
    assert_eq!((page.code, page.stderr.as_str()), (0, ""));
    assert!(page.stdout.contains(".TH whowas 1") && page.stdout.contains("restore"), "{}", page.stdout);
    let written = ran(bare(folder.path()).args(["man", "--dir", "pages"]));
    assert_eq!((written.code, written.stdout.as_str()), (0, ""));
    for name in ["whowas.1", "whowas-export.1", "whowas-snapshot-add.1"] {
        let text = fs::read_to_string(folder.path().join("pages").join(name)).unwrap();
        assert!(text.contains(".SH SYNOPSIS"), "{name}");
    }
}
