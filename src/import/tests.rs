//! Files in all their forms, and nasty ones.

use std::io::Cursor;

use proptest::prelude::*;

use super::*;
use crate::domain::coverage::Coverage;
use crate::domain::fact::{Addressed, Changed, Feed, Horizon, Known, Property, Removal, Source};
use crate::domain::id::Sequence;
use crate::domain::interval::Interval;
use crate::domain::name::{Name, NameKind};
use crate::domain::timeline::{Role, Timeline};
use crate::domain::track::Confidence;

const A: &str = "7e06b566-15f3-4013-8bf8-79874d52e68a";

fn entries(what: What, bytes: &[u8]) -> (Vec<Entry>, Vec<String>) {
    let now = "2026-06-01T00:00:00Z".parse().unwrap();
    let mut reader = Reader::open(what, Cursor::new(bytes), now).unwrap();
    let mut all = Vec::new();
    while let Some(entry) = reader.next_entry().unwrap() {
        all.push(entry);
    }
    assert_eq!(reader.bytes(), bytes.len() as u64);
    let notes = reader.notes();
    (all, notes)
}

fn facts(what: What, text: &str) -> Vec<Fact> {
    let all = entries(what, text.as_bytes()).0.into_iter();
    all.flat_map(|entry| match entry.said {
        Said::Facts(facts) => facts,
        other => panic!("line {}: {other:?} of {text}", entry.line),
    })
    .collect()
}

/// Why the only entry is refused.
fn fault(what: What, text: &str) -> String {
    match entries(what, text.as_bytes()).0.as_slice() {
        [Entry { said: Said::Fault(why), .. }] => why.clone(),
        other => panic!("{other:?} of {text}"),
    }
}

const LINE: &str =
    r#"{"chain":"cA","snapshot":"1","from":"2026-03-01T10:00:00Z","until":"2026-03-01T10:05:00Z","name":"Ann@x.test"}"#;

#[test]
fn a_catalogue_says_the_same_in_every_form() {
    let expected = facts(What::Snapshots, LINE);
    let Fact::SnapshotTaken(snapshot) = &expected[0] else { panic!() };
    assert_eq!(snapshot.addressed, Addressed::Name("ann@x.test".parse().unwrap(), NameKind::Any));
    assert_eq!((snapshot.chain.as_str(), snapshot.id.as_str()), ("cA", "1"));
    let utc = "2026-03-01T10:00:00Z";
    for text in [
        format!("\u{feff}{LINE}\r\n\r\n"),
        format!("\n  {LINE}"),
        format!("[{LINE}]"),
        LINE.replace(',', ",\n"),
        LINE.replace("\"1\"", "1"),
        LINE.replace('}', ",\"mailbox\":null,\"object\":null,\"kind\":\"any\"}"),
        LINE.replace(utc, "2026-03-01T12:00:00+02:00"),
        format!("chain,snapshot,from,until,name\ncA,1,{utc},2026-03-01T10:05:00Z,Ann@x.test\n"),
        format!(
            "\u{feff}Until;NAME;From; Snapshot ;chain\r\n2026-03-01T10:05:00Z;\"Ann@x.test\";{utc};1;cA\r\n;;;;\r\n"
        ),
        format!("sep=;\nuntil;name;object;from;snapshot;chain\n2026-03-01T10:05:00Z; Ann@x.test;;{utc};1;cA"),
        format!("chain\tsnapshot\tfrom\tuntil\tname\n\ncA\t1\t{utc}\t2026-03-01T10:05:00Z\tAnn@x.test"),
    ] {
        assert_eq!(facts(What::Snapshots, &text), expected, "{text}");
    }
}

#[test]
fn a_bad_snapshot_line_says_what_is_wrong_and_what_to_do() {
    for (from, to, said) in [
        ("\"name\"", "\"nmae\"", "did you mean \"name\"?"),
        ("\"name\"", "\"zzz\"", "known are chain, snapshot"),
        ("\"chain\":\"cA\",", "", "chain is missing"),
        ("\"cA\"", "\"\"", "chain is empty"),
        ("\"cA\"", "[\"cA\"]", "chain must be a text"),
        ("\"1\"", "1.5", "snapshot must be a text"),
        ("2026-03-01T10:00:00Z", "2026-03-01", "from: \"2026-03-01\" is a date without a time of day"),
        ("2026-03-01T10:05:00Z", "2026-03-01T10:05:00", "until: \"2026-03-01T10:05:00\" has no offset"),
        ("10:05:00Z", "09:05:00Z", "lies before from"),
        ("2026-03-01T10:05:00Z", "2026-06-01T00:05:01Z", "until: 2026-06-01T00:05:01Z lies after the present"),
        ("\"name\":\"Ann@x.test\"", "\"object\":\"7\"", "object: an object id cannot be"),
        (",\"name\":\"Ann@x.test\"", "", "name and object are both missing"),
        ("}", ",\"object\":\"7e06b566-15f3-4013-8bf8-79874d52e68a\"}", "it has a name and an object"),
        ("}", ",\"name\":\"b@x.test\"}", "name stands in it twice"),
        ("}", ",\"kind\":\"mail\"}", "a kind is any, upn or smtp"),
        ("}", ",\"mailbox\":\"g\"}", "mailbox: a mailbox GUID cannot be"),
        ("}", ",}", "no valid JSON"),
        ("}", "", "cut short"),
    ] {
        let why = fault(What::Snapshots, &LINE.replacen(from, to, 1));
        assert!(why.contains(said), "{said:?} is not in {why:?}");
    }
    for (text, said) in [
        ("chain,snapshot,from,until\n", "lacks name or object"),
        ("snapshot,snapshot\n", "twice"),
        ("chain,name\n", "lacks snapshot, from, until"),
        ("hello", "lacks chain"),
        ("chain,snapshot,from,until,name\na,b\n", "2 fields where the header has 5"),
        ("chain,snapshot,from,until,name\n\"a,b\n", "never closed"),
        ("chain,snapshot,from,until,name\n\"a\"b,,,,\n", "after its closing quote"),
        ("chain,snapshot,from,until,name\na,b,,,\n", "from is empty"),
    ] {
        let why = fault(What::Snapshots, text);
        assert!(why.contains(said), "{said:?} is not in {why:?}");
    }
}

#[test]
fn what_is_no_text_is_refused_once() {
    for (bytes, said) in [
        (&b"\xff\xfe{\0}\0"[..], "UTF-16"),
        (b"\x7fELF\0\0", "zero bytes"),
        (b"chain,snapshot,from,until,n\xe4me,name\n", "UTF-8"),
        (b"{\"chain\":\"\xe4\"}", "no valid JSON"),
    ] {
        let all = entries(What::Snapshots, bytes).0;
        let [Entry { line: 1, said: Said::Fault(why), .. }] = all.as_slice() else { panic!("{all:?}") };
        assert!(why.contains(said), "{why}");
    }
    assert!(fault(What::Audits, "id,activity").contains("audit events are JSON"));
    for empty in ["", "\n\r\n  ", "\u{feff}"] {
        assert_eq!(entries(What::Snapshots, empty.as_bytes()).0, []);
    }
}

#[test]
fn bad_lines_are_told_by_their_numbers_and_the_others_are_read() {
    let long = LINE.replace("cA", &"x".repeat(ROW_BYTES_MAX));
    let text = format!("{LINE}\n{{\"chain\"\n\nnonsense\n{LINE}\n{long}\n{LINE}\n");
    let all = entries(What::Snapshots, text.as_bytes()).0;
    let read: Vec<(u64, bool)> = all.iter().map(|entry| (entry.line, matches!(entry.said, Said::Facts(_)))).collect();
    assert_eq!(read, [(1, true), (2, false), (5, true), (6, false), (7, true)]);
    let head = "chain,snapshot,from,until,name";
    let good = "c,1,2026-03-01T10:00:00Z,2026-03-01T10:00:00Z,a@x";
    let bad = "c,1,2026-03-01,2026-03-01T10:00:00Z,\"a\n@x\"";
    let long = "x".repeat(ROW_BYTES_MAX + 1);
    let all = entries(What::Snapshots, format!("{head}\n{good}\n{bad}\n{long}\n{good}").as_bytes()).0;
    let read: Vec<(u64, bool)> = all.iter().map(|entry| (entry.line, matches!(entry.said, Said::Facts(_)))).collect();
    assert_eq!(read, [(2, true), (3, false), (4, false), (5, false), (6, true)]);
}

#[test]
fn a_stray_quote_costs_one_line_and_none_is_lost() {
    let time = "2026-03-01T10:00:00Z";
    let row = |n: u64| format!("c,{n},{time},{time},a@x");
    // The stray quote, what it meets before the end, and the line on which that stands.
    for meets in ["", "c,60,x,x,\"a\"@x", "c,60,x,x,\"a@x\"", "c,60,x,x,\"a@x", "\"\"\"", "c\",60,x,x,x"] {
        for stray in ["c,11,x,x,\"a@x", "\"c,11,x,x,a@x"] {
            let mut lines = vec!["chain,snapshot,from,until,name".to_owned()];
            lines.extend((2..=400).map(row));
            lines[11] = stray.to_owned();
            lines[59] = if meets.is_empty() { row(60) } else { meets.to_owned() };
            let all = entries(What::Snapshots, lines.join("\n").as_bytes()).0;
            let numbers: Vec<u64> = all.iter().map(|entry| entry.line).collect();
            assert_eq!(numbers, (2..=400).collect::<Vec<_>>(), "{stray} {meets}");
            let is_bad = |entry: &&Entry| matches!(entry.said, Said::Fault(_));
            let bad: Vec<u64> = all.iter().filter(is_bad).map(|entry| entry.line).collect();
            let expected = if meets.is_empty() { vec![12] } else { vec![12, 60] };
            assert_eq!(bad, expected, "{stray} {meets}");
            let Said::Fault(why) = &all[10].said else { panic!() };
            assert!(why.contains("a quote opened in it") && why.contains("read by themselves"), "{why}");
        }
    }
}

#[test]
fn rows_over_several_lines_are_noted() {
    let time = "2026-03-01T10:00:00Z";
    let text = format!("chain,snapshot,from,until,name,size\nc,1,{time},{time},a@x,\"5\nc,2,{time},{time},a@x,6\"\n");
    let (all, notes) = entries(What::Snapshots, text.as_bytes());
    assert_eq!(all.len(), 1);
    assert!(notes.iter().any(|note| note.contains("1 rows are spread") && note.contains("line 2")), "{notes:?}");
}

#[test]
fn many_stray_quotes_cost_no_more_than_a_second_reading() {
    let mut text = "chain,snapshot,from,until,name\n".to_owned();
    for n in 0..60_000 {
        text.push_str(if n % 90 == 0 { "c,\"\n" } else { "c,1,2026-03-01T10:00:00Z,2026-03-01T10:00:00Z,a@x\n" });
    }
    let begun = std::time::Instant::now();
    assert_eq!(entries(What::Snapshots, text.as_bytes()).0.len(), 60_000);
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
}

#[test]
fn lines_that_end_in_a_carriage_return_alone_are_refused() {
    let row = "c,1,2026-03-01T10:00:00Z,2026-03-01T10:00:00Z,a@x\r";
    for text in [format!("chain,snapshot,from,until,name\r{row}{row}"), format!("sep=,\rchain\r{}", row.repeat(2_000))]
    {
        let why = fault(What::Snapshots, &text);
        assert!(why.contains("carriage return alone"), "{why}");
    }
}

#[test]
fn unknown_columns_are_noted_and_no_fault() {
    let text = "chain,snapshot,from,until,name,size,nam\nc,1,2026-03-01T10:00:00Z,2026-03-01T10:00:00Z,a@x,9,\n";
    let (all, notes) = entries(What::Snapshots, text.as_bytes());
    assert!(matches!(all[0].said, Said::Facts(_)), "{all:?}");
    assert_eq!(notes.len(), 1);
    assert!(notes[0].contains("\"size\"") && notes[0].contains("did you mean name?"), "{notes:?}");
}

#[test]
fn a_profile_is_a_wide_reading_of_an_import() {
    let json = format!(
        r#"{{"observed_at":"2026-03-01T00:00:00Z","object":"{A}","upn":"ann@x.test","mail":"ann@x.test",
        "proxies":["SMTP:ann@x.test","smtp:old@x.test","X500:/o=Org"],"created":"2020-01-01T00:00:00Z","deleted":null}}"#
    );
    let expected = facts(What::Profiles, &json);
    let Fact::Seen(seen) = &expected[0] else { panic!() };
    assert_eq!((seen.reading.source, seen.reading.lag), (Source::Import, PROFILE_WIDTH));
    assert_eq!(seen.profile.smtp().len(), 2);
    for mark in [";", "|", ","] {
        let text = format!(
            "object;observed_at;upn;mail;proxies;created\n{A};2026-03-01T00:00:00Z;ann@x.test;ann@x.test;\
             \"SMTP:ann@x.test{mark}smtp:old@x.test{mark}X500:/o=Org\";2020-01-01T00:00:00Z"
        );
        assert_eq!(facts(What::Profiles, &text), expected, "{text}");
    }
    let without = json.replace("\"proxies\":[\"SMTP:ann@x.test\",\"smtp:old@x.test\",\"X500:/o=Org\"],", "");
    let (all, notes) = entries(What::Profiles, without.as_bytes());
    assert!(matches!(all[0].said, Said::Facts(_)) && notes[0].contains("1 profiles do not tell"), "{all:?} {notes:?}");
}

#[test]
fn a_deleted_profile_is_a_removal_with_its_unmangled_name() {
    for (upn, deleted) in [
        ("ann@x.test", "\"2026-02-01T10:00:00Z\""),
        ("7e06b56615f340138bf879874d52e68aann@x.test", "\"2026-02-01T10:00:00Z\""),
        ("7e06b56615f340138bf879874d52e68aann@x.test", "null"),
    ] {
        let line =
            format!(r#"{{"observed_at":"2026-03-01T00:00:00Z","object":"{A}","upn":"{upn}","deleted":{deleted}}}"#);
        let all = facts(What::Profiles, &line);
        let [Fact::Removed(removed)] = all.as_slice() else { panic!("{all:?}") };
        assert_eq!((removed.removal, removed.last_upn.as_ref().unwrap().spelling()), (Removal::Soft, "ann@x.test"));
    }
}

#[test]
fn a_bad_profile_line_says_what_is_wrong() {
    let line = |rest: &str| format!(r#"{{"observed_at":"2026-03-01T00:00:00Z","object":"{A}",{rest}}}"#);
    for (text, said) in [
        (line(r#""mail":"a@x""#), "upn is missing"),
        (
            line(r#""upn":"a@x","created":"2026-04-01T00:00:00Z""#),
            "created: 2026-04-01T00:00:00Z lies after observed_at",
        ),
        (line(r#""upn":"a@x","deleted":"2026-04-01T00:00:00Z""#), "lies after observed_at"),
        (line(r#""upn":"a@x","created":"2026-02-01T00:00:00Z","deleted":"2026-01-01T00:00:00Z""#), "before created"),
        (line(r#""upn":"a@x","proxies":["smtp:"]"#), "proxies: a name cannot be"),
        (line(r#""upn":"a@x","proxies":[7]"#), "list of texts"),
        (line(r#""upn":"a@x","kind":"robot""#), "none of user, group and contact"),
        (line(r#""upn":"a@x","proxy":["smtp:a@x"]"#), "did you mean \"proxies\"?"),
        (line(r#""upn":"a@x""#).replace("2026-03-01T", "2027-03-01T"), "lies after the present"),
    ] {
        let why = fault(What::Profiles, &text);
        assert!(why.contains(said), "{said:?} is not in {why:?}");
    }
    let never = line(r#""upn":"a@x","proxies":[],"created":"0001-01-01T00:00:00Z""#);
    let all = facts(What::Profiles, &never);
    assert!(matches!(&all[0], Fact::Seen(seen) if seen.profile.created.is_none()));
}

#[test]
fn audit_events_come_alone_in_lists_and_in_pages_and_what_says_nothing_is_no_fault() {
    let rename = format!(
        r#"{{"id":"e1","activityDisplayName":"Update user","activityDateTime":"2026-03-01T10:00:00.1234567Z","result":"success",
        "targetResources":[{{"id":"{A}","type":"User","modifiedProperties":[{{"displayName":"UserPrincipalName",
        "oldValue":"[\"a@x\"]","newValue":"[\"b@x\"]"}}]}}]}}"#
    );
    let flat = rename.replace('\n', " ");
    let expected = facts(What::Audits, &flat);
    assert!(matches!(expected.as_slice(), [Fact::Changed(_)]));
    let page = format!(r#"{{"@odata.context":"c","value":[{rename}],"@odata.nextLink":"https://x/y?z=]}}"}}"#);
    for text in [rename.clone(), format!("[{rename}]"), page.clone(), format!("\u{feff}\r\n{page}")] {
        assert_eq!(facts(What::Audits, &text), expected, "{text}");
    }
    assert_eq!(facts(What::Audits, &format!("{page}\n{page}{flat}")).len(), 3);
    let failed = flat.replace("success", "failure");
    assert!(matches!(entries(What::Audits, failed.as_bytes()).0[0].said, Said::Nothing(Why::Failed)));
    assert!(fault(What::Audits, r#"{"error":{"code":"Forbidden","message":"m"}}"#).contains("Forbidden"));
    assert!(fault(What::Audits, r#"{"value":[{"id":"1"}]}"#).contains("names no activity"));
}

/// A record of the Office 365 management activity, which is dated with whole seconds, in UTC and without saying so.
fn office(operation: &str, time: &str, old: &str, new: &str) -> String {
    let id = format!("{operation} {time}");
    let properties = format!(r#"[{{"Name":"UserPrincipalName","OldValue":"[\"{old}\"]","NewValue":"[\"{new}\"]"}}]"#);
    let target = format!(r#"[{{"ID":"User_{A}","Type":2}}]"#);
    format!(
        r#"{{"Id":"{id}","CreationTime":"{time}","Operation":"{operation}.","ResultStatus":"Success","ObjectId":"{new}","Target":{target},"ModifiedProperties":{properties}}}"#
    )
}

fn timeline(text: &str, more: Vec<Fact>, coverage: &Coverage) -> Timeline {
    let all = facts(What::Audits, text).into_iter().chain(more);
    let known = all.map(|fact| Known { sequence: Sequence(1), fact }).collect();
    Timeline::of(A.parse().unwrap(), known, coverage)
}

#[test]
fn an_event_of_a_whole_second_proves_nothing_within_that_second() {
    let start: Instant = "2026-03-01T10:00:00Z".parse().unwrap();
    let millis = |count: i64| Instant::from_micros(start.as_micros() + count * 1_000);
    let held = |timeline: &Timeline, name: &str, at: Instant| {
        let track = timeline.track(Role::Upn, name.parse::<Name>().unwrap().key()).unwrap();
        track.confidence(Interval::closed(at, at).unwrap())
    };
    let rename = office("Update user", "2026-03-01T10:00:00", "a@x", "b@x");
    let log = Horizon { feed: Feed::Audit, from: millis(-60_000), through: millis(60_000) };
    for coverage in [Coverage::default(), Coverage::of([&log])] {
        let told = timeline(&rename, Vec::new(), &coverage);
        assert_eq!(held(&told, "a@x", millis(0).pred()), Confidence::Certain);
        assert_eq!(held(&told, "b@x", millis(0).pred()), Confidence::Impossible);
        for at in [millis(0), millis(300), millis(999)] {
            for name in ["a@x", "b@x"] {
                let found = held(&told, name, at);
                assert!(!matches!(found, Confidence::Certain | Confidence::Impossible), "{name} at {at}: {found:?}");
            }
        }
        assert_eq!(held(&told, "a@x", millis(1_000)), Confidence::Impossible);
        assert_eq!(held(&told, "b@x", millis(1_000)), Confidence::Certain);
    }
    // Another event of that second, of which the instant is known, says nothing of the rest of it.
    let other = Fact::Changed(Changed {
        object: A.parse().unwrap(),
        at: millis(500),
        event: "other".to_owned(),
        property: Property::UserPrincipalName,
        old: Some(vec!["a@x".parse().unwrap()]),
        new: Some(vec!["c@x".parse().unwrap()]),
    });
    let told = timeline(&rename, vec![other], &Coverage::of([&log]));
    for at in [millis(499), millis(501), millis(700)] {
        assert!(!matches!(held(&told, "c@x", at), Confidence::Certain), "{at}");
        assert!(!matches!(held(&told, "a@x", at), Confidence::Certain), "{at}");
    }
    // With digits behind the second it is an instant, also in this form.
    let exact =
        timeline(&office("Update user", "2026-03-01T10:00:00.25", "a@x", "b@x"), Vec::new(), &Coverage::default());
    assert_eq!(held(&exact, "a@x", millis(250).pred()), Confidence::Certain);
    assert_eq!(held(&exact, "b@x", millis(250)), Confidence::Certain);
}

#[test]
fn a_life_of_whole_seconds_begins_and_ends_within_them() {
    let [created, deleted]: [Instant; 2] =
        ["2026-03-01T10:00:00Z", "2026-03-02T10:00:00Z"].map(|at| at.parse().unwrap());
    let text = [
        office("Add user", "2026-03-01T10:00:00", "", "a@x"),
        office("Delete user", "2026-03-02T10:00:00", "a@x", "a@x"),
        office("Hard Delete user", "2026-04-01T10:00:00", "", ""),
    ];
    let told = timeline(&text.concat(), Vec::new(), &Coverage::default());
    let alive = |at: Instant| told.life().confidence(Interval::closed(at, at).unwrap());
    let name = told.track(Role::Upn, "a@x".parse::<Name>().unwrap().key()).unwrap();
    let named = |at: Instant| name.confidence(Interval::closed(at, at).unwrap());
    let second = std::time::Duration::from_secs(1);
    assert_eq!((alive(created.pred()), named(created.pred())), (Confidence::Impossible, Confidence::Impossible));
    for open in [created, created.plus(second / 2), deleted, deleted.plus(second / 2)] {
        for found in [alive(open), named(open)] {
            assert!(!matches!(found, Confidence::Certain | Confidence::Impossible), "{open}: {found:?}");
        }
    }
    assert_eq!(named(created.plus(second)), Confidence::Certain);
    assert_eq!(named(deleted.pred()), Confidence::Certain);
    assert_eq!(
        (alive(deleted.plus(second)), named(deleted.plus(second))),
        (Confidence::Impossible, Confidence::Impossible)
    );
    let purged = told.states().last().unwrap().from;
    let at: Instant = "2026-04-01T10:00:00Z".parse().unwrap();
    assert_eq!((purged.after(), purged.by()), (Some(at.pred()), Some(at.plus(second))));
}

#[test]
fn an_audit_event_of_no_sure_instant_or_of_the_future_is_refused() {
    let event = |at: &str| {
        format!(
            r#"{{"id":"e1","activityDisplayName":"Add user","activityDateTime":"{at}","result":"success",
            "targetResources":[{{"id":"{A}","type":"User","userPrincipalName":"a@x"}}]}}"#
        )
    };
    for local in ["2026-03-01T10:00:00", "2026-03-01 10:00:00.1234567"] {
        let why = fault(What::Audits, &event(local));
        assert!(why.contains("has no offset") && why.contains("RFC 3339"), "{why}");
        // Of what says nothing anyway nothing depends on it.
        let idle = event(local).replace("Add user", "Change password");
        assert!(matches!(entries(What::Audits, idle.as_bytes()).0[0].said, Said::Nothing(_)));
    }
    assert_eq!(facts(What::Audits, &event("2026-03-01T10:00:00+01:00")).len(), 1);
    // The ledger's time is the first of June.
    for later in [event("2026-06-01T00:05:01Z"), office("Update user", "2026-06-01T00:05:01", "a@x", "b@x")] {
        let why = fault(What::Audits, &later);
        assert!(why.contains("lies after the present") && why.contains("2026-06-01T00:05:01Z"), "{why}");
    }
    assert_eq!(facts(What::Audits, &event("2026-06-01T00:05:00Z")).len(), 1, "clocks may differ by so much");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_panic_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for what in [What::Snapshots, What::Profiles, What::Audits] {
            entries(what, &bytes);
        }
    }

    /// Texts out of what the parsers look for reach deeper than random bytes.
    #[test]
    fn no_text_panics_the_reader(
        parts in prop::collection::vec(prop::sample::select(vec![
            "{", "}", "[", "]", ",", ":", "\"", "\\", "\n", "\r\n", ";", "\t", "\u{feff}", "null", "1", "é", " ", "value",
            "\"value\":[", "chain", "snapshot", "from", "until", "name", "object", "observed_at", "upn", "proxies",
            "\"chain\":", "\"proxies\":", "2026-03-01T10:00:00Z", "a@x", "smtp:a@x|b@x", "X400:C=US;A= ", A, "sep=",
            "chain,snapshot,from,until,name\n", "observed_at;object;upn;proxies\n", "\"targetResources\":",
            "\"activityDisplayName\":\"Add user\"",
        ]), 0..40),
    ) {
        for what in [What::Snapshots, What::Profiles, What::Audits] {
            entries(what, parts.concat().as_bytes());
        }
    }
}
