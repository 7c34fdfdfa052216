//! `report`: every topic and format, and what is refused.

use std::fs;

use serde_json::Value;
use whowas::domain::id::ObjectId;

use super::world::World;

/// A is sam and becomes sam.old; B becomes sam; B's mail is in A's chain.
fn mixed() -> (World, ObjectId, ObjectId) {
    let mut w = World::new();
    let a = w.create("sam");
    w.at("00:10");
    w.poll();
    for hour in 1..6 {
        w.at(&format!("{hour:02}:00"));
        w.snapshot("cA", &hour.to_string(), a);
    }
    w.at("08:00");
    w.rename(a, "sam.old");
    w.at("09:00");
    let b = w.create("sam");
    w.at("10:00");
    w.snapshot_by_name("cA", "41", "sam");
    w.run(&[
        "snapshot",
        "receipt",
        "--chain",
        "cA",
        "--snapshot",
        "41",
        "--object",
        &b.to_string(),
        "--object-end",
        &b.to_string(),
    ])
    .done();
    w.at("24:00");
    w.poll();
    (w, a, b)
}

#[test]
fn a_mixed_chain_is_reported_in_every_format() {
    let (w, a, b) = mixed();
    let file = w.file("report.html");
    let ran = w.say(&["report", "--chain", "cA", "--format", "html", file.to_str().unwrap()]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{ran:?}");
    assert!(ran.stderr.contains("wrote") && ran.stderr.contains("holds the mail of two people"), "{ran:?}");
    let html = fs::read_to_string(&file).unwrap();
    assert!(html.starts_with("<!DOCTYPE html>"), "{}", &html[..80]);
    for part in ["snapshots 1–5 sam.old@x.test (A)", "snapshot 41 sam@x.test (B)", &a.to_string(), &b.to_string()] {
        assert!(html.contains(part), "{part}");
    }
    assert!(html.contains("mixed chain"), "the finding is listed");

    let csv = w.say(&["report", "--chain", "cA", "--format", "csv", "-"]);
    assert_eq!(csv.stdout.lines().count(), 7, "{csv:?}");
    assert!(csv.stdout.starts_with("\u{feff}chain,snapshot,"));
    let json: Value = w.run(&["report", "--chain", "cA", "--format", "json", "-"]).done();
    assert_eq!(json["chains"][0]["snapshots"][5]["owner"], b.to_string());
    assert_eq!(json["basis"]["hash"].as_str().unwrap().len(), 64);
    // Two polls a day apart leave open whether A was sam.old already, and sam is B now.
    assert_eq!(json["chains"][0]["snapshots"][0]["owner_name"], Value::Null);
}

#[test]
fn a_name_an_object_and_the_tenant_have_reports_too() {
    let (w, a, b) = mixed();
    let report = |of: &[&str]| -> Value {
        let mut all = vec!["report"];
        all.extend(of);
        all.extend(["--format", "json", "-"]);
        w.run(&all).done()
    };
    let name = report(&["--name", "sam@x.test"]);
    let people: Vec<&str> =
        name["objects"].as_array().unwrap().iter().map(|row| row["object"].as_str().unwrap()).collect();
    assert!(people.contains(&a.to_string().as_str()) && people.contains(&b.to_string().as_str()), "{people:?}");
    assert_eq!(name["chains"][0]["chain"], "cA", "the chain addressed by it");
    let object = report(&["--object", &a.to_string()]);
    assert_eq!(object["subject"]["kind"], "object");
    assert_eq!(object["chains"][0]["chain"], "cA");
    let tenant = report(&[]);
    assert_eq!(tenant["summary"]["active"], 2);
    assert!(tenant["findings"].as_array().unwrap().iter().any(|row| row["kind"] == "mixed_chain"), "{tenant}");
    assert!(tenant["summary"]["names"].as_array().unwrap().iter().any(|row| row["name"] == "sam@x.test"), "{tenant}");
    assert!(!tenant["summary"]["syncs"].as_array().unwrap().is_empty());
    let html = w.say(&["report", "-", "--format", "html"]);
    assert!(html.stdout.ends_with("</html>\n") && html.stderr.contains("has open findings"), "{}", html.stderr);
}

#[test]
fn the_file_tells_the_format_and_is_replaced_whole() {
    let (w, a, _) = mixed();
    let file = w.file("out.csv");
    fs::write(&file, "old").unwrap();
    let ran = w.say(&["report", "--object", &a.to_string(), file.to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(fs::read_to_string(&file).unwrap().contains("began_after"));
    let left: Vec<String> = fs::read_dir(file.parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains(".part"))
        .collect();
    assert_eq!(left, Vec::<String>::new(), "nothing is left beside it");
}

#[test]
fn the_report_warns_of_what_the_next_incremental_may_stand_on() {
    let (mut w, a, _) = mixed();
    w.on_day(1, "01:00");
    w.snapshot("cA", "42", a);
    let json: Value = w.run(&["report", "--chain", "cA", "--format", "json", "-"]).done();
    let next = &json["plans"][0]["next"][0];
    assert_eq!((&next["base"], &next["safe_base"]), (&Value::from("42"), &Value::from("5")), "{next}");
    let html = w.say(&["report", "--chain", "cA", "--format", "html", "-"]).stdout;
    assert!(html.contains("or on 5 if that is an increment on what is set aside"), "in the advice");
    assert!(html.contains("(on 5 if that is an increment on what is set aside)"), "in the plan");
}

#[test]
fn a_new_report_may_be_read_as_other_new_files_and_one_replaced_as_before() {
    use std::os::unix::fs::PermissionsExt;

    let (w, ..) = mixed();
    let mode = |file: &std::path::Path| fs::metadata(file).unwrap().permissions().mode() & 0o777;
    let (file, other) = (w.file("new.html"), w.file("other"));
    fs::write(&other, "").unwrap();
    let write = || assert_eq!(w.say(&["report", "--chain", "cA", file.to_str().unwrap()]).code, 0);
    write();
    assert_eq!(mode(&file), mode(&other));
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    write();
    assert_eq!(mode(&file), 0o640);
}

#[test]
fn what_cannot_be_reported_or_written_is_refused() {
    let (w, a, _) = mixed();
    let folder = w.file("");
    let folder = folder.to_str().unwrap();
    w.say(&["report", "--chain", "cA", "--format", "html", folder]).failed(2, &["is a directory"]);
    w.say(&["report", "--chain", "cA", "--format", "html", "/dev/null"]).failed(2, &["no ordinary file"]);
    w.say(&["report", "--chain", "cA", "--format", "html", "no/such/folder/a.html"]).failed(2, &["no directory"]);
    w.say(&["report", "--chain", "cA", "report"]).failed(2, &["--format"]);
    w.say(&["report", "--chain", "cA", "--object", &a.to_string(), "a.html"]).failed(2, &["cannot be used with"]);
    w.say(&["report", "--chain", "cA", "--format", "pdf", "a.pdf"]).failed(2, &["pdf"]);
    w.say(&["report", "--chain", "none", "a.html"]).failed(1, &["chain none has no snapshots"]);
    w.say(&["report", "--name", "nobody@x.test", "a.html"]).failed(1, &["was never seen"]);
    let stranger = "99999999-9999-4999-8999-999999999999";
    w.say(&["report", "--object", stranger, "a.html"]).failed(1, &["was never seen"]);
    assert!(!w.file("a.html").exists());
}
