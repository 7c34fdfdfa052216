//! `doctor`: what keeps whowas from working is named with its cure, and nothing is changed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use whowas::graph::emulator::{EmulatorOptions, Quirk, QuirkName};

use super::failures::Mounted;
use super::world::{Ran, SECRET, World, full, ran, wait_until};

const ALL: [&str; 12] = [
    "config",
    "login",
    "graph",
    "clock",
    "credential",
    "users",
    "deleted_items",
    "groups",
    "contacts",
    "audits",
    "ledger",
    "disk",
];

/// A directory of one user and a ledger that has seen it, with everything switched on.
fn well() -> World {
    let mut w = World::new();
    w.configure("audits = true");
    w.create("eve");
    w.at("00:10");
    w.poll();
    w
}

/// The checks by their names.
struct Found(BTreeMap<String, Value>);

impl Found {
    #[track_caller]
    fn of(ran: &Ran, code: i32) -> Self {
        let report = ran.ended(code);
        let mut found = BTreeMap::new();
        for check in report["checks"].as_array().unwrap() {
            let cure = &check["do"];
            let must_have = matches!(check["state"].as_str().unwrap(), "warning" | "failed");
            assert_eq!(cure.is_string(), must_have, "{check}");
            found.insert(check["check"].as_str().unwrap().to_owned(), check.clone());
        }
        assert!(!ran.stdout.contains(EmulatorOptions::SECRET) && !ran.stdout.contains("eve@"), "{}", ran.stdout);
        Self(found)
    }

    /// That check stands so, said this, and says to do that; it is taken out.
    #[track_caller]
    fn has(mut self, check: &str, state: &str, said: &[&str], cure: &str) -> Self {
        let found = self.0.remove(check).unwrap_or_else(|| panic!("no {check} in {:#?}", self.0));
        assert_eq!(found["state"], json!(state), "{found:#}");
        for words in said {
            assert!(found["said"].as_str().unwrap().contains(words), "{words:?} is not in {found:#}");
        }
        assert!(found["do"].as_str().unwrap_or_default().contains(cure), "{cure:?} is not in {found:#}");
        self
    }

    #[track_caller]
    fn skips(self, checks: &[&str], why: &str) -> Self {
        checks.iter().fold(self, |found, check| found.has(check, "skipped", &[why], ""))
    }

    /// All the other checks are well.
    #[track_caller]
    fn rest_is_well(self) {
        for (check, found) in self.0 {
            assert_eq!(found["state"], json!("ok"), "{check}: {found:#}");
        }
    }
}

#[track_caller]
fn examined(w: &World, code: i32) -> Found {
    Found::of(&w.run(&["doctor"]), code)
}

const READS: [&str; 5] = ["users", "deleted_items", "groups", "contacts", "audits"];

/// Every file below, with its content and when it was written.
fn tree(path: &Path) -> BTreeMap<PathBuf, (Vec<u8>, SystemTime)> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        let written = fs::metadata(&path).unwrap().modified().unwrap();
        if path.is_dir() {
            files.extend(tree(&path));
            files.insert(path, (Vec::new(), written));
        } else {
            files.insert(path.clone(), (fs::read(&path).unwrap(), written));
        }
    }
    files
}

#[test]
fn all_is_well_and_nothing_is_changed() {
    let w = well();
    let (before, asked) = (tree(&w.ledger()), w.requests().len());
    let found = examined(&w, 0);
    assert_eq!(found.0.len(), ALL.len());
    assert!(ALL.iter().all(|check| found.0.contains_key(*check)), "{:?}", found.0.keys());
    found.rest_is_well();
    assert_eq!(tree(&w.ledger()), before);
    assert!(
        w.requests().iter().skip(asked).all(|request| request.method == "GET" || request.target.contains("/token"))
    );
    w.poll();
    w.verify();
}

#[test]
fn before_the_first_sync_there_is_no_ledger_and_none_is_made() {
    let mut w = World::new();
    w.at("00:10");
    let found = examined(&w, 0).has("ledger", "ok", &["whowas sync"], "");
    found.skips(&["audits"], "not switched on").rest_is_well();
    assert!(!w.ledger().exists());
}

#[test]
fn people_read_a_line_a_check_with_its_cure_below() {
    let w = well();
    let said = ran(w.command("human", &["doctor"]).env(SECRET, "wrong"));
    assert_eq!(said.code, 1, "{said:#?}");
    let lines: Vec<&str> = said.stdout.lines().collect();
    assert_eq!(lines[0], "tenant x");
    let at = lines.iter().position(|line| line.starts_with("  failed  credential")).unwrap();
    assert!(lines[at].contains("AADSTS7000215") && lines[at + 1].starts_with("          do: "), "{said:#?}");
    assert!(lines.contains(&"here") && lines.last().unwrap().contains("1 failed, 5 skipped"), "{said:#?}");
    let whole = w.say(&["doctor"]);
    assert_eq!((whole.code, whole.stdout.matches("do: ").count()), (0, 0), "{whole:#?}");
}

#[test]
fn a_wrong_secret_is_named_and_the_rest_is_looked_at() {
    let w = well();
    let ran = ran(w.command("json", &["doctor"]).env(SECRET, "wrong"));
    Found::of(&ran, 1)
        .has("credential", "failed", &["AADSTS7000215"], "copy the secret's Value, not its ID")
        .skips(&READS, "needs a token")
        .rest_is_well();
}

#[test]
fn a_missing_permission_says_what_is_switched_off() {
    for (path, check, code, said, cure) in [
        ("/users/delta", "users", 1, "nothing can be read", "User.Read.All"),
        ("/directory/deletedItems", "deleted_items", 1, "the reconcile fails", "User.Read.All"),
        ("/groups", "groups", 0, "passed to a group", "GroupMember.Read.All"),
        ("/contacts", "contacts", 0, "passed to a contact", "OrgContact.Read.All"),
        ("/auditLogs", "audits", 1, "between two polls", "AuditLog.Read.All and Directory.Read.All"),
    ] {
        let w = well();
        w.quirks([Quirk::new(QuirkName::Forbidden).path(path)]);
        let state = if code == 0 { "warning" } else { "failed" };
        let found = examined(&w, code).has(check, state, &["permission denied", "403", said], cure);
        found.rest_is_well();
    }
    let w = well();
    w.quirk(QuirkName::AuditForbidden);
    examined(&w, 1).has("audits", "failed", &["403"], "Entra ID P1 or P2").rest_is_well();
}

#[test]
fn clocks_that_differ_are_told_with_both_times() {
    let mut w = well();
    let right = w.now();
    w.pretend(right.plus(Duration::from_secs(301)));
    examined(&w, 1)
        .has("clock", "failed", &["2026-03-02T00:10:00Z", "2026-03-02T00:15:01Z", "301 s apart"], "leave --now out")
        .rest_is_well();
    w.pretend(right.minus(Duration::from_secs(299)));
    examined(&w, 0).rest_is_well();
}

/// Replaces a line of the configuration.
fn set(w: &World, key: &str, value: &str) {
    let text = fs::read_to_string(w.file("whowas.toml")).unwrap();
    let lines = text.lines().map(|line| match line.split_once(" = ") {
        Some((known, _)) if known == key => format!("{key} = {value}"),
        _ => line.to_owned(),
    });
    fs::write(w.file("whowas.toml"), lines.collect::<Vec<_>>().join("\n")).unwrap();
}

#[test]
fn a_host_that_cannot_be_reached_is_named_with_why() {
    let w = well();
    set(&w, "login_url", "\"http://127.0.0.1:9\"");
    examined(&w, 1)
        .has("login", "failed", &["http://127.0.0.1:9", "refused"], "login_url")
        .skips(&["credential"], "needs the sign-in")
        .skips(&READS, "needs a token")
        .rest_is_well();
    w.configure("audits = true");
    set(&w, "graph_url", "\"http://127.0.0.1:9\"");
    examined(&w, 1)
        .has("graph", "failed", &["http://127.0.0.1:9", "refused"], "graph_url")
        .skips(&READS, "needs Graph")
        .rest_is_well();
    w.configure("audits = true");
    let plain = fs::read_to_string(w.file("whowas.toml")).unwrap();
    let url = plain.lines().find_map(|line| line.strip_prefix("graph_url = ")).unwrap().replace("http:", "https:");
    set(&w, "graph_url", &url);
    examined(&w, 1)
        .has("graph", "failed", &["https://127.0.0.1"], "does not speak TLS")
        .skips(&READS, "needs Graph")
        .rest_is_well();
    set(&w, "graph_url", "\"https://nowhere.invalid\"");
    examined(&w, 1)
        .has("graph", "failed", &["https://nowhere.invalid"], "cannot be resolved")
        .skips(&READS, "needs Graph");
}

#[test]
fn a_tenant_that_the_sign_in_does_not_know_is_named() {
    let w = well();
    set(&w, "id", "\"00000000-0000-4000-8000-00000000dead\"");
    examined(&w, 1)
        .has("login", "failed", &["AADSTS90002"], "check the tenant id")
        .skips(&["credential"], "needs the sign-in")
        .skips(&READS, "needs a token")
        .rest_is_well();
}

#[test]
fn a_held_ledger_is_named_with_its_holder() {
    let w = well();
    w.quirks([Quirk::new(QuirkName::SlowBody).path("/users/delta").times(1).seconds(60.0)]);
    let before = w.requests().len();
    let mut child = w.start(&["sync"]);
    wait_until("the sync holds the ledger", || {
        let text = fs::read_to_string(w.ledger().join("holder.json")).unwrap_or_default();
        // It stays there once its own page is the slow one, and not one that the examination asks for.
        let is_stuck = w.requests()[before..].iter().any(|asked| asked.target.contains("/users/delta"));
        is_stuck && serde_json::from_str::<Value>(&text).unwrap_or_default()["pid"] == json!(child.id())
    });
    let held = examined(&w, 1);
    child.kill().unwrap();
    child.wait().unwrap();
    held.has("ledger", "failed", &["it is held by", "sync", &child.id().to_string()], "wait until it is done")
        .rest_is_well();
}

#[test]
fn a_ledger_that_cannot_be_opened_says_why() {
    let w = well();
    let format = w.ledger().join("format");
    let kept = fs::read(&format).unwrap();
    fs::write(&format, "99\n").unwrap();
    examined(&w, 1).has("ledger", "failed", &["format 99"], "upgrade whowas").rest_is_well();
    fs::write(&format, kept).unwrap();

    let mark = w.ledger().join("rebuild");
    fs::write(&mark, "").unwrap();
    examined(&w, 1).has("ledger", "failed", &["rebuild"], "whowas rebuild").rest_is_well();
    fs::remove_file(&mark).unwrap();

    // More commits were acknowledged than there are.
    let commits = w.ledger().join("commits");
    let kept = fs::read(&commits).unwrap();
    let more = u64::from_be_bytes(kept[..8].try_into().unwrap()) + 1;
    fs::write(&commits, [more.to_be_bytes(), (!more).to_be_bytes()].concat()).unwrap();
    examined(&w, 1)
        .has("ledger", "failed", &["1 of", "are gone", &w.ledger().display().to_string()], "backup")
        .rest_is_well();
    fs::write(&commits, kept).unwrap();

    let engine = w.ledger().join("engine/db");
    let kept = fs::read(&engine).unwrap();
    fs::write(&engine, vec![0; kept.len()]).unwrap();
    examined(&w, 1).has("ledger", "failed", &["damaged", &w.ledger().display().to_string()], "backup").rest_is_well();
    fs::write(&engine, kept).unwrap();

    let eve = w.run(&["who", &full("eve")]).done()["holder"].as_str().unwrap().to_owned();
    w.run(&["redact", &eve]).done();
    let key = w.ledger().with_file_name("ledger.keys").join("erasure.key");
    let aside = key.with_extension("aside");
    fs::rename(&key, &aside).unwrap();
    examined(&w, 1).has("ledger", "failed", &["names were erased"], "erasure.key").rest_is_well();
    fs::rename(&aside, &key).unwrap();
    examined(&w, 0).rest_is_well();

    fs::write(w.file("note.txt"), "not a ledger").unwrap();
    let file = w.file("note.txt").display().to_string();
    Found::of(&w.run(&["--ledger", &file, "doctor"]), 1)
        .has("ledger", "failed", &["it is a file"], "--ledger")
        .rest_is_well();
    examined(&w, 0).rest_is_well();
}

#[test]
fn a_place_that_cannot_be_written_to_is_named() {
    let w = well();
    Found::of(&w.run(&["--ledger", "/proc/ledger", "doctor"]), 1)
        .has("disk", "failed", &["nothing can be written to /proc"], "--ledger")
        .rest_is_well();
}

#[test]
fn a_full_disk_is_named_and_nothing_is_lost() {
    let w = well();
    let Some(disk) = Mounted::small(w.file("disk")) else { return };
    let ledger = disk.0.join("ledger").display().to_string();
    w.run(&["--ledger", &ledger, "sync"]).done();
    let look = |code| Found::of(&w.run(&["--ledger", &ledger, "doctor"]), code);
    let fill = |left: u64| {
        let filler = disk.0.join("filler");
        let _there = fs::remove_file(&filler);
        let free = fs4::available_space(disk.0.as_path()).unwrap();
        fs::write(&filler, vec![1; usize::try_from(free.saturating_sub(left)).unwrap()]).unwrap();
    };
    look(0).has("disk", "warning", &["only", "MiB are free"], "free some space").rest_is_well();
    fill(1 << 20);
    look(1).has("disk", "failed", &["are free", "a sync keeps"], "free some space").rest_is_well();
    fill(0);
    look(1).has("disk", "failed", &["nothing can be written", "No space left"], "free some space").rest_is_well();
    fs::remove_file(disk.0.join("filler")).unwrap();
    w.run(&["--ledger", &ledger, "sync"]).done();
}

#[test]
fn every_configured_tenant_is_looked_at_unless_one_is_chosen() {
    let w = well();
    let other = "00000000-0000-4000-8000-00000000dead";
    let text = fs::read_to_string(w.file("whowas.toml")).unwrap();
    let urls: Vec<&str> = text.lines().filter(|line| line.contains("_url = ")).collect();
    let more =
        format!("audits = true\n[[tenant]]\nid = \"{other}\"\nalias = \"y\"\nclient_id = \"c\"\n{}", urls.join("\n"));
    w.configure(&more);
    let report = w.run(&["doctor"]).ended(2);
    let of =
        |tenant: &Value| report["checks"].as_array().unwrap().iter().filter(|check| check["tenant"] == *tenant).count();
    assert_eq!((of(&json!(EmulatorOptions::TENANT)), of(&json!(other)), of(&json!(null))), (10, 10, 2), "{report:#}");
    examined_as(&w, "x", 0).rest_is_well();
    w.run(&["--tenant", "nobody", "doctor"]).failed(2, &["nobody", "configured: x, y"]);
}

#[track_caller]
fn examined_as(w: &World, tenant: &str, code: i32) -> Found {
    Found::of(&w.run(&["--tenant", tenant, "doctor"]), code)
}

#[test]
fn a_configuration_that_cannot_be_used_is_two() {
    let w = well();
    let unset = ran(w.command("json", &["doctor"]).env_remove(SECRET));
    Found::of(&unset, 2)
        .has("credential", "failed", &[SECRET, "is not set"], "whowas.toml")
        .skips(&READS, "needs a token")
        .rest_is_well();
    set(&w, "graph_url", "\"http://graph.example\"");
    Found::of(&w.run(&["doctor"]), 2)
        .has("config", "failed", &["graph_url", "plain http"], "graph_url")
        .skips(&["login", "graph", "clock", "credential"], "usable configuration")
        .skips(&READS, "usable configuration")
        .rest_is_well();
    w.configure("lagg = \"5m\"");
    let unread = w.run(&["doctor"]);
    unread.failed(2, &["lagg", "did you mean \"lag\""]);
    Found::of(&unread, 2).has("config", "failed", &["lagg"], "whowas.toml").rest_is_well();
    fs::write(w.file("whowas.toml"), "[ledger]\npath = \"ledger\"\n").unwrap();
    Found::of(&w.run(&["doctor"]), 2).has("config", "failed", &["names no tenant"], "whowas init").rest_is_well();
}

#[test]
fn what_init_leaves_to_be_filled_in_is_told() {
    let w = World::new();
    fs::remove_file(w.file("whowas.toml")).unwrap();
    w.run(&["init"]).ended(0);
    set(&w, "graph_url", "\"http://127.0.0.1:9\"");
    let found = Found::of(&w.run(&["doctor"]), 2).has("config", "warning", &["all zeros"], "Tenant ID");
    found.has("credential", "failed", &["client_id is not set"], "whowas.toml");
}

#[test]
fn odd_settings_are_a_warning() {
    let w = well();
    w.configure("audits = true\nlag = \"5m\"\nsync_every = \"1m\"");
    examined(&w, 0).has("config", "warning", &["sync_every is shorter than lag"], "set sync_every").rest_is_well();
}

#[test]
fn a_managed_identity_needs_no_sign_in_host() {
    let w = well();
    w.configure_as("", "{ managed_identity = true }", "audits = true");
    examined(&w, 0).skips(&["login"], "at the machine itself").rest_is_well();
}
