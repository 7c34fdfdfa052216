//! Traps 19 to 21: the audit log, and doing without anybody's notice.

use serde_json::{Value, json};
use whowas::graph::emulator::{Quirk, QuirkName};

use super::world::{World, full};
use super::{digits, findings, holders, id, names_ever};

#[test]
fn trap_19_every_encoding_of_a_changed_value_is_read() {
    let styles = ["lines", "text", "plain", "twice", "list", "null", "empty", "absent"];
    for style in styles.into_iter().map(Some).chain([None]) {
        let mut w = World::new();
        w.configure("audits = true");
        let a = w.create("ann");
        w.at("00:00");
        w.poll();
        let mut quirk = Quirk::new(QuirkName::AuditEncodings);
        quirk.style = style.map(str::to_owned);
        w.quirks([quirk]);
        w.at("08:00");
        w.rename_keeping_alias(a, "ann.lee");
        w.at("10:00");
        let run = w.poll();
        assert_eq!(run["note"], Value::Null, "{style:?}: {run}");
        // An exact end for the name before and an exact beginning for the new one, also where only one of the two is told.
        let at = json!(w.time("08:00"));
        let (before, after) = (holders(&w, "ann", "upn"), holders(&w, "ann.lee", "upn"));
        assert_eq!(before[0]["until"]["by"], at, "{style:?}: {before:#?}");
        assert_eq!(after[0]["from"]["by"], at, "{style:?}: {after:#?}");
        assert_eq!(names_ever(&w, a, "upn"), [full("ann.lee"), full("ann")], "{style:?}");
        assert_eq!(names_ever(&w, a, "smtp"), [full("ann.lee"), full("ann")], "{style:?}");
    }
}

#[test]
fn trap_20_the_log_s_own_words_are_not_taken_for_what_happened() {
    let mut w = World::new();
    // Two renames are as many as may pass.
    w.configure("audits = true\nguard = { renames = 2, percent = 1 }");
    let (a, b, c) = (w.create("ann"), w.create("bob"), w.create("cyd"));
    w.at("00:00");
    w.poll();
    w.quirks([Quirk::new(QuirkName::AuditFailures), Quirk::new(QuirkName::AuditTwins)]);
    w.at("08:00");
    w.rename(a, "ann.lee");
    w.at("08:30");
    w.rename(b, "bob.lee");
    w.at("09:00");
    w.delete(c);
    w.at("10:00");
    let run = w.poll();
    assert_eq!((&run["outcome"], &run["note"]), (&json!("completed"), &Value::Null), "{run}");
    // The rename is an update like any other, and it is found. Of its failed attempt nothing is kept, and its second event,
    // which shares the correlation id, is no second rename.
    let held = holders(&w, "ann", "upn");
    assert_eq!((held.len(), &held[0]["until"]["by"]), (1, &json!(w.time("08:00"))), "{held:#?}");
    assert_eq!(names_ever(&w, a, "upn"), [full("ann.lee"), full("ann")]);
    assert_eq!(names_ever(&w, a, "smtp"), [full("ann.lee"), full("ann")]);
    w.ask(&["--name", "never@emulator.invalid"]).unknown();
    // A deletion's event has the name that the directory made of the old one.
    assert_eq!(names_ever(&w, c, "upn"), [full("cyd")]);
    let made = w.history(&format!("{}cyd@x.test", digits(c)));
    assert_eq!(made["holders"], json!([]), "{made:#}");
    w.ask(&["--object", &id(c)]).frozen();
    assert_eq!(findings(&w), [] as [&str; 0]);
}

#[test]
fn trap_21_changes_and_lost_days_are_found_without_anybody_s_notice() {
    let mut w = World::new();
    let (a, b, c) = (w.create("ann"), w.create("bob"), w.create("cyd"));
    w.at("00:00");
    w.poll();
    for (chain, object) in [("cA", a), ("cB", b), ("cC", c)] {
        w.snapshot(chain, "1", object);
    }
    // A notice would call all of this an update: a rename, a deletion, a restore, and a newcomer.
    w.at("08:00");
    w.rename(a, "ann.lee");
    w.delete(b);
    w.delete(c);
    let d = w.create("dan");
    w.at("09:00");
    w.restore(c, None);
    w.at("10:00");
    w.poll();
    w.ask(&["--object", &id(a), "--chain", "cA"]).renamed();
    w.ask(&["--object", &id(b), "--chain", "cB"]).frozen();
    w.ask(&["--object", &id(c), "--chain", "cC"]).continues();
    w.ask(&["--object", &id(d)]).baseline();

    // Then nobody listens for ten days, and no notice says what was missed. The next round does, and since when.
    w.on_day(3, "00:00");
    w.rename(d, "dan.lee");
    w.delete(a);
    w.on_day(11, "00:00");
    w.quirks([Quirk::new(QuirkName::DeltaTokenExpired).seconds(7.0 * 86_400.0)]);
    let run = w.poll();
    assert_eq!((&run["kind"], &run["outcome"]), (&json!("full"), &json!("completed")), "{run}");
    let blind = &w.status()["blind"];
    assert_eq!(blind[0]["from"], json!("2026-03-02T09:55:00Z"), "{blind:#}");
    assert_eq!(blind[0]["until"], json!("2026-03-12T23:55:00Z"), "{blind:#}");
    w.ask(&["--object", &id(a), "--chain", "cA"]).frozen();
    w.ask(&["--object", &id(d)]).baseline().has("names.upn", json!("dan.lee@x.test"));
    for request in w.requests() {
        assert!(!request.target.to_ascii_lowercase().contains("subscriptions"), "{request:?}");
        let asks = request.method == "GET" || request.target.contains("/token") || request.target.contains("$batch");
        assert!(asks, "it only ever asks: {request:?}");
    }
}
