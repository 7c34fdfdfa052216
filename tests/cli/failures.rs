//! What can go wrong: each a clear message on standard error and exit code 1 or 2, with nothing lost and nothing half
//! applied afterwards.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use whowas::domain::id::ObjectId;
use whowas::graph::emulator::{Quirk, QuirkName};

use super::common;
use super::world::{Ran, SECRET, World, finished, ran, wait_until};

/// A directory of three users on three pages, one of them with a chain, and a completed sync of midnight.
fn synced() -> (World, ObjectId) {
    let mut w = World::paged(1);
    let a = w.create("eve");
    w.create("bob");
    w.create("cyd");
    w.at("00:00");
    w.poll();
    w.snapshot("cA", "1", a);
    (w, a)
}

/// The sync failed and said this; the ledger is as it was, and the next sync mends everything.
#[track_caller]
fn fails_and_mends(w: &mut World, a: ObjectId, failed: &Ran, said: &[&str]) {
    failed.failed(1, said);
    assert_eq!(failed.stdout, "");
    assert_eq!(w.status()["last_sync"]["outcome"], json!("failed"));
    assert_ne!(w.status()["last_sync"]["error"], Value::Null);
    w.ask(&["--object", &a.to_string(), "--chain", "cA"]).continues().on("1");
    w.verify();
    w.no_quirks();
    w.configure("");
    assert_eq!(w.poll()["outcome"], json!("completed"));
    assert_eq!(w.status()["last_sync"]["outcome"], json!("completed"));
    w.ask(&["--object", &a.to_string(), "--chain", "cA"]).continues().on("1");
    w.verify();
}

#[test]
fn a_wrong_secret_names_entras_code_and_what_to_copy() {
    let (mut w, a) = synced();
    w.at("01:00");
    let failed = ran(w.command("json", &["sync"]).env(SECRET, "wrong"));
    assert!(!failed.stderr.contains("wrong\""), "{failed:?}");
    fails_and_mends(&mut w, a, &failed, &["AADSTS7000215", "copy the secret's Value, not its ID"]);
    let unset = ran(w.command("json", &["sync"]).env_remove(SECRET));
    unset.failed(2, &[SECRET, "is not set"]);
}

#[test]
fn an_unreachable_host_is_named() {
    let (mut w, a) = synced();
    w.at("01:00");
    let text = fs::read_to_string(w.file("whowas.toml")).unwrap();
    let dead: Vec<String> = text
        .lines()
        .map(|line| {
            if line.starts_with("login_url") {
                "login_url = \"http://127.0.0.1:9\"".to_owned()
            } else {
                line.to_owned()
            }
        })
        .collect();
    fs::write(w.file("whowas.toml"), dead.join("\n")).unwrap();
    let failed = w.run(&["sync"]);
    w.ask_live(&["--name", "eve@x.test", "--chain", "cA"])
        .refresh()
        .because("the live read failed")
        .because("127.0.0.1");
    fails_and_mends(&mut w, a, &failed, &["127.0.0.1", "check that this machine can reach"]);
}

#[test]
fn a_link_to_another_host_is_not_followed() {
    let (mut w, a) = synced();
    w.at("01:00");
    w.quirk(QuirkName::ForeignNextLink);
    let before = w.requests().len();
    let failed = w.run(&["sync"]);
    let with_token = w.requests().into_iter().skip(before).filter(|request| request.had_token).count();
    assert_eq!(with_token, 1, "one page was read, and its link went nowhere");
    fails_and_mends(&mut w, a, &failed, &["graph.foreign.invalid", "nothing was sent to the other host"]);
}

#[test]
fn a_page_that_cannot_be_read_is_not_applied() {
    for (quirk, said) in [
        (QuirkName::Truncated, "read the users delta feed"),
        (QuirkName::ErrorInside200, "nothing of the page was applied"),
        (QuirkName::ItemWithoutId, "nothing of the page was applied"),
        (QuirkName::ItemWithBadId, "nothing of the page was applied"),
    ] {
        let (mut w, a) = synced();
        w.create("new");
        w.at("01:00");
        w.quirks([Quirk::new(quirk).path("/users/delta")]);
        let failed = w.run(&["sync"]);
        assert_eq!(w.status()["objects"]["active"], json!(3), "{quirk:?}");
        fails_and_mends(&mut w, a, &failed, &[said]);
        assert_eq!(w.status()["objects"]["active"], json!(4), "{quirk:?}");
    }
}

#[test]
fn passing_trouble_is_sat_out() {
    for quirk in [
        Quirk::new(QuirkName::Throttle).seconds(0.02).style("fraction").times(2),
        Quirk::new(QuirkName::Unavailable).seconds(0.02).style("none").times(2),
        Quirk::new(QuirkName::Reset).path("/users/delta").times(2),
        Quirk::new(QuirkName::Unauthorized).times(1),
        Quirk::new(QuirkName::PageTokenExpired).times(1),
    ] {
        let (mut w, a) = synced();
        for name in ["d", "e", "f"] {
            w.create(name);
        }
        w.at("01:00");
        let name = quirk.name;
        w.quirks([quirk]);
        let run = w.poll();
        assert_eq!((&run["outcome"], &run["kind"]), (&json!("completed"), &json!("delta")), "{name:?}");
        let waited = run["throttled_ms"].as_u64().unwrap() > 0;
        assert_eq!(waited, matches!(name, QuirkName::Throttle | QuirkName::Unavailable), "{name:?}: {run}");
        assert_eq!(w.status()["objects"]["active"], json!(6), "{name:?}");
        w.ask(&["--object", &a.to_string(), "--chain", "cA"]).continues();
        w.verify();
    }
}

#[test]
fn trouble_that_stays_is_an_error() {
    for (quirk, said) in [
        (Quirk::new(QuirkName::Throttle).seconds(0.02).style("fraction"), "429"),
        (Quirk::new(QuirkName::Unavailable).seconds(0.02).style("none"), "503"),
        (Quirk::new(QuirkName::Reset).path("/users/delta"), "127.0.0.1"),
        (Quirk::new(QuirkName::Unauthorized), "401"),
    ] {
        let (mut w, a) = synced();
        w.at("01:00");
        w.quirks([quirk]);
        let failed = w.run(&["sync"]);
        fails_and_mends(&mut w, a, &failed, &[said, "hint: "]);
    }
}

#[test]
fn clocks_that_differ_are_refused_with_both_times() {
    let (mut w, a) = synced();
    w.at("01:00");
    let right = w.now();
    w.pretend(right.plus(Duration::from_secs(301)));
    w.run(&["sync"]).failed(1, &["2026-03-02T01:00:00Z", "2026-03-02T01:05:01Z", "more than 300 s"]);
    w.pretend(right.minus(Duration::from_secs(301)));
    let failed = w.run(&["sync"]);
    w.pretend(right);
    fails_and_mends(&mut w, a, &failed, &["2026-03-02T01:00:00Z", "2026-03-02T00:54:59Z", "more than 300 s"]);
    w.pretend(right.plus(Duration::from_secs(299)));
    w.poll();
}

/// The core of scenario 22: the token expires, and a name is reused while nobody looks.
#[test]
fn an_expired_token_leaves_a_blind_period_and_finds_who_has_gone() {
    for style in ["gone", "bad_request", "unsupported"] {
        let (mut w, a) = synced();
        w.on_day(3, "10:00");
        w.delete(a);
        w.purge(a);
        w.on_day(5, "10:00");
        let b = w.create("eve");
        w.on_day(9, "00:00");
        w.ask(&["--name", "eve@x.test", "--chain", "cA"]).refresh();
        w.quirks([Quirk::new(QuirkName::DeltaTokenExpired).style(style)]);
        let run = w.poll();
        assert_eq!((&run["kind"], &run["outcome"]), (&json!("full"), &json!("completed")), "{style}: {run}");
        let status = w.status();
        assert_eq!(
            status["blind"],
            json!([{"from": "2026-03-01T23:55:00Z", "until": "2026-03-10T23:55:00Z", "why": "the sync token had expired"}])
        );
        assert_eq!(status["objects"]["active"], json!(3), "{status:#}");
        let gone = w.history(&a.to_string());
        assert_ne!(gone["state"], json!("active"));
        assert_eq!(gone["names"][0]["name"], json!("eve@x.test"), "its history is kept: {gone:#}");
        w.ask(&["--name", "eve@x.test", "--chain", "cA"])
            .mismatch()
            .of_object(a)
            .instead(&[(a, "stop", Some("cA")), (b, "full", None)]);
        w.ask(&["--object", &a.to_string(), "--chain", "cA"]).frozen();
        w.verify();
    }
}

#[test]
fn a_newer_format_is_refused_and_left_alone() {
    let (w, a) = synced();
    let file = w.ledger().join("format");
    let kept = fs::read(&file).unwrap();
    fs::write(&file, "99\n").unwrap();
    for command in [&["status"][..], &["sync"], &["rebuild"], &["verify"]] {
        w.run(command).failed(1, &["format 99", "upgrade whowas"]);
    }
    fs::write(&file, kept).unwrap();
    w.ask(&["--object", &a.to_string(), "--chain", "cA"]).continues();
    w.verify();
}

#[test]
fn a_ledger_path_that_is_none_is_refused() {
    let (w, _) = synced();
    fs::write(w.file("note.txt"), "not a ledger").unwrap();
    let file = w.file("note.txt").display().to_string();
    for command in ["sync", "status", "verify"] {
        w.run(&["--ledger", &file, command]).failed(1, &[&file, "it is a file, not a directory"]);
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "not a ledger");
    let folder = w.file(".").display().to_string();
    w.run(&["--ledger", &folder, "sync"]).failed(1, &["it has other files in it"]);
    w.run(&["--ledger", "/proc/ledger", "sync"]).failed(1, &["/proc/ledger"]);
    w.run(&["--ledger", "postgres://localhost/x", "sync"]).failed(2, &["give a path"]);
    w.verify();
}

#[test]
fn a_read_only_directory_is_named() {
    let (w, _) = synced();
    let folder = w.file("locked");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o555)).unwrap();
    if fs::write(folder.join("probe"), "").is_ok() {
        // This user may write everywhere; the read-only disk below stands for it.
        return;
    }
    let inside = folder.join("ledger").display().to_string();
    w.run(&["--ledger", &inside, "sync"]).failed(1, &[&inside, "ermission denied"]);
}

#[test]
fn a_full_disk_stops_writing_and_nothing_else() {
    let (w, a) = synced();
    let Some(disk) = Mounted::small(w.file("disk")) else { return };
    let disk = &disk.0;
    let ledger = disk.join("ledger").display().to_string();
    let on_disk = |arguments: &[&str]| {
        let mut all = vec!["--ledger", ledger.as_str()];
        all.extend(arguments);
        w.run(&all)
    };
    on_disk(&["sync"]).done();
    let filler = disk.join("filler");
    let free = fs4::available_space(disk.as_path()).unwrap();
    fs::write(&filler, vec![1; usize::try_from(free.saturating_sub(1 << 20)).unwrap()]).unwrap();
    on_disk(&["sync"]).failed(1, &["the disk has", "kept free", "nothing was lost"]);
    let object = a.to_string();
    assert_eq!(on_disk(&["check", "--object", &object]).code, 10, "reading goes on");
    // It derives everything anew beside the ledger, and that needs room.
    on_disk(&["verify"]).failed(1, &["the disk has"]);
    fs::remove_file(&filler).unwrap();
    on_disk(&["sync"]).done();
    on_disk(&["verify"]).done();
}

#[test]
fn a_ledger_on_a_read_only_disk_is_named() {
    let (w, a) = synced();
    let Some(disk) = Mounted::small(w.file("disk")) else { return };
    let ledger = disk.0.join("ledger").display().to_string();
    w.run(&["--ledger", &ledger, "sync"]).done();
    let remount = |mode: &str| {
        let done = Command::new("mount").args(["-o", &format!("remount,{mode}")]).arg(&disk.0).status();
        assert!(done.unwrap().success());
    };
    remount("ro");
    let object = a.to_string();
    for command in [&["sync"][..], &["status"], &["verify"], &["check", "--object", &object]] {
        let all: Vec<&str> = ["--ledger", &ledger].into_iter().chain(command.iter().copied()).collect();
        w.run(&all).failed(1, &[&ledger, "Read-only file system"]);
    }
    remount("rw");
    assert_eq!(w.run(&["--ledger", &ledger, "sync"]).done()["outcome"], json!("completed"));
    w.run(&["--ledger", &ledger, "verify"]).done();
}

/// A disk that is gone when the test ends.
pub struct Mounted(pub PathBuf);

impl Mounted {
    /// A small disk in memory there, if this user may mount one.
    pub fn small(at: PathBuf) -> Option<Self> {
        fs::create_dir(&at).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=160m", "tmpfs"]).arg(&at).output();
        if mounted.is_ok_and(|mounted| mounted.status.success()) {
            return Some(Self(at));
        }
        common::skip("a full and a read-only disk: no small disk can be mounted here; run the tests as root");
        None
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // What stays mounted after all is in memory and in a folder of the test's own.
        let _left = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Sends a signal to that process only.
fn signal(name: &str, child: &std::process::Child) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn a_full_sync_in_the_second_of_another_waits_and_then_says_so() {
    let (mut w, a) = synced();
    let failed = w.run(&["sync", "--full"]);
    failed.failed(1, &["nothing was lost", "try again a second later", "2026-03-01T23:55:00Z"]);
    w.quirk(QuirkName::DeletionsUnannounced);
    w.delete(a);
    w.at("00:00:01");
    let run = w.run(&["sync", "--full"]).done();
    assert_eq!((&run["kind"], &run["removed"]), (&json!("full"), &json!(1)), "{run}");
    assert_eq!(
        w.status()["blind"],
        json!([{"from": "2026-03-01T23:55:00Z", "until": "2026-03-01T23:55:01Z", "why": "a full sync was asked for"}])
    );
    w.ask(&["--object", &a.to_string(), "--chain", "cA"]).frozen();
    w.verify();
}

#[test]
fn an_unannounced_purge_is_found() {
    for expired in [false, true] {
        let (mut w, a) = synced();
        w.at("01:00");
        w.delete(a);
        w.at("02:00");
        w.poll();
        assert_eq!(w.history(&a.to_string())["state"], json!("soft_deleted"));
        w.at("03:00");
        w.reconcile();
        assert_eq!(w.history(&a.to_string())["state"], json!("soft_deleted"), "it is in the list");
        w.purge(a);
        w.at("04:00");
        let quiet = Quirk::new(QuirkName::DeletionsUnannounced);
        if expired {
            w.quirks([quiet, Quirk::new(QuirkName::DeltaTokenExpired).times(1)]);
            assert_eq!(w.poll()["kind"], json!("full"));
        } else {
            w.quirks([quiet]);
            w.poll();
            assert_eq!(w.history(&a.to_string())["state"], json!("soft_deleted"), "nobody told");
            w.reconcile();
        }
        assert_eq!(w.history(&a.to_string())["state"], json!("purged"), "{expired}");
        w.verify();
    }
}

#[test]
fn a_wait_too_long_to_sit_out_is_told() {
    let (mut w, a) = synced();
    w.at("01:00");
    w.quirks([Quirk::new(QuirkName::Throttle).seconds(3_600.0)]);
    let failed = w.run(&["sync"]);
    fails_and_mends(&mut w, a, &failed, &["429", "3600 s"]);
}

#[test]
fn a_signal_ends_a_run_in_the_middle_of_a_wait() {
    for name in ["-TERM", "-INT"] {
        let (mut w, a) = synced();
        w.at("01:00");
        w.quirks([Quirk::new(QuirkName::Throttle).seconds(600.0)]);
        let before = w.requests().len();
        let child = w.start(&["sync"]);
        wait_until("a page was refused", || w.requests().len() > before + 1);
        let began = std::time::Instant::now();
        signal(name, &child);
        let left = finished(child.wait_with_output().unwrap());
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
        left.failed(1, &["asked to stop"]);
        assert_eq!(w.status()["last_sync"]["outcome"], json!("interrupted"), "{name}");
        w.no_quirks();
        assert_eq!(w.poll()["outcome"], json!("completed"));
        w.ask(&["--object", &a.to_string(), "--chain", "cA"]).continues();
        w.verify();
    }
}

#[test]
fn a_run_killed_right_after_another_is_in_the_run_log() {
    // Only the first enumeration commits each page as it comes; later rounds are looked at as a whole first.
    let mut w = World::paged(1);
    let a = w.create("a");
    for name in ["d", "e", "f"] {
        w.create(name);
    }
    w.at("00:01");
    for kill in 1_u64..=2 {
        // One page is committed; the next one hangs.
        w.quirks([Quirk::new(QuirkName::SlowBody).path("/users/delta").every(2).times(1).seconds(60.0)]);
        let mut child = w.start(&["sync"]);
        wait_until("a page is committed", || {
            let text = fs::read_to_string(w.ledger().join("holder.json")).unwrap_or_default();
            let holder: Value = serde_json::from_str(&text).unwrap_or_default();
            (&holder["pid"], &holder["progress"]["pages"]) == (&json!(child.id()), &json!(1))
        });
        child.kill().unwrap();
        child.wait().unwrap();
        w.no_quirks();
        // Somebody who takes a copy keeps writers away for a moment, and the note beside the lock is of the process that died.
        let lock = fs::File::open(w.ledger().join("lock")).unwrap();
        lock.lock_shared().unwrap();
        let copying = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(700));
            drop(lock);
        });
        assert_eq!(w.status()["half_round"], json!(true), "{kill}");
        copying.join().unwrap();
    }
    // The live read stands between the page that was left and the run that finds it.
    w.ask_live(&["--object", &a.to_string()]);
    let run = w.poll();
    // Two killed, and this one.
    assert_eq!((&run["run"], &run["outcome"]), (&json!(3), &json!("completed")), "{run}");
    assert_eq!(w.poll()["run"], json!(4), "nothing is logged twice");
    w.verify();
}

#[test]
fn a_clock_that_is_ahead_leaves_no_trace_that_would_date_what_follows() {
    let (mut w, a) = synced();
    let before = w.status();
    let right = w.time("01:00");
    w.at("01:00");
    w.pretend(right.plus(Duration::from_secs(90 * 86_400)));
    w.run(&["sync"]).failed(1, &["its clock says", "nothing was applied"]);
    w.pretend(right);
    assert_eq!(w.status()["last_sync"], before["last_sync"]);
    w.poll();
    let asked = w.run(&["who", "eve@x.test", "--known-at", &right.plus(Duration::from_secs(60)).to_string()]).done();
    assert_eq!(asked["holder"], json!(a), "what was learnt at one o'clock is known then: {asked:#}");
    w.verify();
}
