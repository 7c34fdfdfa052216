//! `import`: files from elsewhere, good and bad.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::world::{Ran, World, bare, full, ran, ran_with, wait_until};

const TENANT: &str = "b0f2a1c4-0000-4000-8000-000000000001";
const HEAD: &str = "\u{feff}Snapshot;Chain;Name;From;Until;Size\r\n";
/// After every collected event.
const NOW: &str = "2027-01-01T00:00:00Z";

/// The program in a folder with a ledger and no directory.
fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = bare(folder);
    command.args(["--ledger", "ledger", "--tenant", TENANT, "--now", NOW, "--output", "json"]);
    command.args(arguments);
    command
}

fn run(folder: &Path, arguments: &[&str]) -> Ran {
    ran(&mut command(folder, arguments))
}

fn line(id: u64, name: &str) -> String {
    let time = "2026-03-01T10:00:00Z";
    json!({"chain": "cA", "snapshot": id.to_string(), "from": time, "until": time, "name": full(name)}).to_string()
}

fn numbers(imported: &Value) -> (u64, u64, u64) {
    let number = |name: &str| imported[name].as_u64().unwrap();
    (number("added"), number("same"), imported["rejected"].as_array().unwrap().len() as u64)
}

#[test]
fn a_catalogue_is_imported_once_from_json_csv_and_standard_input() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::write(path.join("a.txt"), format!("{}\n{}\n", line(1, "ann"), line(2, "ann"))).unwrap();
    let time = "2026-03-01T10:00:00Z";
    let csv = format!("{HEAD}2;cA;\"ANN@x.test\";{time};{time};9\r\n3;cA;ann@x.test;{time};{time};\r\n");
    fs::write(path.join("b.json"), csv).unwrap();
    let first = run(path, &["import", "snapshots", "a.txt"]);
    assert!(first.stderr.contains("lines/s"), "{first:?}");
    assert_eq!(numbers(&first.done()), (2, 0, 0));
    let second = run(path, &["import", "snapshots", "b.json"]);
    assert!(second.stderr.contains("\"Size\""), "{second:?}");
    assert_eq!(numbers(&second.done()), (1, 1, 0));
    let again = ran_with(
        &mut command(path, &["import", "snapshots", "-"]),
        &format!("[{},{}]", line(1, "ann"), line(4, "ann")),
    );
    assert_eq!(numbers(&again.done()), (1, 1, 0));
    let listed = run(path, &["snapshot", "list", "--chain", "cA"]).done();
    assert_eq!(listed["items"].as_array().unwrap().len(), 4);
    assert_eq!(run(path, &["verify"]).done()["differing"], 0);
    let quiet = run(path, &["-q", "import", "snapshots", "a.txt"]);
    assert_eq!((quiet.code, quiet.stderr.as_str()), (0, ""));
    assert_eq!(numbers(&quiet.done()), (0, 2, 0));
}

#[test]
fn a_bad_line_stops_all_of_it_unless_it_may_be_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let text = [line(1, "ann"), line(2, "ann").replace("T10:00:00Z", ""), line(3, "ann")].join("\n");
    fs::write(path.join("f"), text).unwrap();
    let refused = run(path, &["import", "snapshots", "f"]);
    refused.failed(1, &["nothing was imported: 1 of 3 lines", "--skip-bad"]);
    let answer = refused.ended(1);
    assert_eq!((numbers(&answer), &answer["rejected"][0]["line"]), ((0, 0, 1), &json!(2)));
    assert!(answer["rejected"][0]["why"].as_str().unwrap().contains("date without a time of day"));
    assert_eq!(run(path, &["snapshot", "list", "--chain", "cA"]).done()["items"], json!([]));
    assert_eq!(numbers(&run(path, &["import", "snapshots", "f", "--skip-bad"]).ended(1)), (2, 0, 1));
    fs::write(path.join("g"), format!("{}\n{}", line(1, "bob"), line(9, "bob"))).unwrap();
    let conflict = run(path, &["import", "snapshots", "g"]).ended(1);
    assert_eq!(numbers(&conflict), (0, 0, 1));
    assert!(conflict["rejected"][0]["why"].as_str().unwrap().contains("in the ledger with another name"));
}

#[test]
fn what_is_no_file_of_lines_is_told_plainly() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    run(path, &["import", "snapshots", "nowhere"]).failed(1, &["failed to read nowhere"]);
    fs::create_dir(path.join("dir")).unwrap();
    run(path, &["import", "snapshots", "dir"]).failed(1, &["failed to read dir", "it is a directory"]);
    assert!(!path.join("ledger").exists(), "nothing is made for a file that cannot be read");
    fs::write(path.join("empty"), "").unwrap();
    let empty = run(path, &["import", "snapshots", "empty"]);
    assert!(empty.stderr.contains("holds no lines"), "{empty:?}");
    assert_eq!(numbers(&empty.done()), (0, 0, 0));
    let garbage: Vec<u8> = (0..5_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    fs::write(path.join("garbage"), garbage).unwrap();
    for what in ["snapshots", "profiles", "audits"] {
        let refused = run(path, &["import", what, "garbage"]);
        refused.failed(1, &["nothing was imported"]);
        assert_eq!(numbers(&refused.ended(1)), (0, 0, 1));
    }
    assert_eq!(run(path, &["import", "mailboxes", "empty"]).code, 2);
}

#[test]
fn a_stray_quote_costs_one_line_of_a_table() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let time = "2026-03-01T10:00:00Z";
    let row = |n: u64| format!("cA,{n},{}ann@x.test,{time},{time}\n", if n == 10 { "\"" } else { "" });
    let text: String = (0..150).map(row).collect();
    fs::write(path.join("f"), format!("chain,snapshot,name,from,until\n{text}")).unwrap();
    let imported = run(path, &["import", "snapshots", "f", "--skip-bad"]).ended(1);
    assert_eq!((numbers(&imported), &imported["lines"]), ((149, 0, 1), &json!(150)), "{imported}");
    assert_eq!(imported["rejected"][0]["line"], json!(12));
}

#[test]
fn the_kind_of_a_catalogues_names_can_be_said_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::write(path.join("f"), line(1, "ann")).unwrap();
    run(path, &["import", "snapshots", "f", "--kind", "smtp"]).done();
    let shown = run(path, &["snapshot", "show", "--chain", "cA", "--snapshot", "1"]).done();
    assert!(shown.to_string().contains("\"smtp\""), "{shown:#}");
    run(path, &["import", "profiles", "f", "--kind", "smtp"]).failed(2, &["--kind tells what the names of snapshots"]);
    assert_eq!(run(path, &["import", "snapshots", "f", "--kind", "mail"]).code, 2);
}

#[test]
fn a_killed_import_is_completed_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let count = 30_000u64;
    let text: Vec<String> = (0..count).map(|id| line(id, "ann")).collect();
    fs::write(path.join("f"), text.join("\n")).unwrap();
    let mut child = command(path, &["import", "snapshots", "f"]);
    let mut child = child.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // Killed once something is on disk, wherever in the file it then is.
    let size = || fs::metadata(path.join("ledger/db")).map(|data| data.len()).unwrap_or_default();
    wait_until("the import writes", || size() > 1_000_000 || child.try_wait().unwrap().is_some());
    let _ended = child.kill();
    child.wait().unwrap();
    let imported = run(path, &["import", "snapshots", "f"]).done();
    let (added, same, _) = numbers(&imported);
    assert_eq!(added + same, count, "{imported}");
    assert_eq!(numbers(&run(path, &["import", "snapshots", "f"]).done()), (0, count, 0));
    assert_eq!(run(path, &["verify"]).done()["differing"], 0);
}

#[test]
fn every_collected_audit_event_is_read_and_none_is_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/graph-samples/directory-audits");
    let mut read = 0;
    for sample in fs::read_dir(samples).unwrap() {
        let file = sample.unwrap().path();
        let imported = run(folder.path(), &["import", "audits", file.to_str().unwrap()]).done();
        assert!(imported["lines"].as_u64().unwrap() > 0, "{imported}");
        read += 1;
    }
    assert!(read > 10);
}

/// The directory's audit log, as Graph returns it.
fn save_audits(w: &World) {
    let events = w.directory(|directory| directory.audits().iter().map(|event| event.to_json()).collect::<Vec<_>>());
    let page = json!({"@odata.context": "https://graph.microsoft.com/v1.0/$metadata#auditLogs", "value": events});
    fs::write(w.file("audits.json"), serde_json::to_string_pretty(&page).unwrap()).unwrap();
}

fn attribution(w: &World, chain: &str) -> Value {
    w.run(&["snapshot", "show", "--chain", chain, "--snapshot", "1"]).done()["attribution"].clone()
}

#[test]
fn s12_the_audit_log_shows_there_and_back() {
    let mut w = World::new();
    let a = w.create("lou");
    w.at("08:00");
    w.poll();
    w.at("09:00");
    w.rename(a, "lou2");
    w.at("12:00");
    w.snapshot("cA", "1", a);
    w.at("17:00");
    w.rename(a, "lou");
    w.at("18:00");
    w.poll();
    assert_eq!(w.who("lou", "12:00")["confidence"], json!("assumed"));
    save_audits(&w);
    w.run(&["import", "audits", "audits.json"]).done();
    let then = w.who("lou2", "12:00");
    assert_eq!(then["holder"], json!(a), "{then:#}");
    let history = w.history(&a.to_string());
    let names = history["names"].as_array().unwrap();
    let found = names.iter().find(|name| name["name"] == json!(full("lou2")) && name["kind"] == "upn").unwrap();
    assert_eq!((&found["from"], &found["until"]), (&w.edge("09:00", "09:00"), &w.edge("17:00", "17:00")), "{found:#}");
    assert_eq!(attribution(&w, "cA")["confidence"], json!("certain"));
    let again = w.run(&["import", "audits", "audits.json"]).done();
    assert_eq!(again["added"], 0, "{again}");
    w.verify();
}

#[test]
fn s13_the_audit_log_shows_who_was_there_meanwhile() {
    let mut w = World::new();
    let a = w.create("lou");
    w.at("08:00");
    w.poll();
    w.at("09:00");
    w.rename(a, "lou2");
    w.at("10:00");
    let b = w.create("lou");
    w.at("12:00");
    w.snapshot("cA", "1", a);
    w.snapshot_by_name("cN", "1", "lou");
    w.at("16:00");
    w.delete(b);
    w.purge(b);
    w.at("17:00");
    w.rename(a, "lou");
    w.at("18:00");
    w.poll();
    assert_eq!(attribution(&w, "cN")["owner"], json!(a), "nothing tells of B yet");
    save_audits(&w);
    w.run(&["import", "audits", "audits.json"]).done();
    let by_name = attribution(&w, "cN");
    assert_ne!(by_name["owner"], json!(a), "{by_name:#}");
    let candidates = by_name["candidates"].as_array().unwrap();
    assert!(candidates.iter().any(|candidate| candidate["object"] == json!(b)), "{by_name:#}");
    assert_eq!((&attribution(&w, "cA")["owner"], &attribution(&w, "cA")["confidence"]), (&json!(a), &json!("certain")));
    assert_eq!(
        w.run(&["who", &full("lou"), "--kind", "upn", "--at", &w.time("12:00").to_string()]).done()["holder"],
        json!(b)
    );
}
