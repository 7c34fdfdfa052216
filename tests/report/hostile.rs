//! Names and values that want to be something else.

use whowas::domain::interval::Edge;
use whowas::domain::timeline::Role;
use whowas::report::{self, content::*};

use super::content::{at, damaged, edge, name, object, person, snapshot};
use super::xml;

const HOSTILE: [&str; 8] = [
    "<script>alert(1)</script>@x.test",
    "\"onload=\"alert(1)\" x='@x.test",
    "a&b<!--]]></style><svg onload=alert(1)>@x.test",
    "\u{202e}tset.x@mas",
    "nul\u{0}esc\u{1b}[31m@x.test",
    "{{ 7*7 }}{% include \"x\" %}@x.test",
    "=cmd|' /C calc'!A0@x.test",
    "\u{ffff}\u{200b}\u{2028}@x.test",
];

/// A report in which every text is this one.
fn told(text: &str) -> Report {
    let mut content = damaged();
    for row in &mut content.objects {
        row.label = Some(text.to_owned());
        row.names.push(name(Role::Smtp, text, edge("01:00", "02:00"), Some(edge("20:00", "21:00"))));
        for name in &mut row.names {
            name.spelling = text.to_owned();
            name.evidence[0].reference = Some(text.to_owned());
        }
    }
    for row in &mut content.chains[0].snapshots {
        row.owner_name = Some(text.to_owned());
        let kind = whowas::domain::name::NameKind::Any;
        row.addressed = AddressedRow::Name { name: text.to_owned(), key: text.to_lowercase(), kind };
    }
    content.blind[0].why = text.to_owned();
    content.findings[0].summary = text.to_owned();
    content.findings[0].changed.by = Some(text.to_owned());
    content.plans[0].reasons = vec![text.to_owned()];
    content.plans[0].segments[0].act = text.to_owned();
    content.left_out = vec![text.to_owned()];
    content.basis.alias = Some(text.to_owned());
    content
}

#[test]
fn no_text_becomes_markup() {
    let harmless = xml::tags(&report::html(&told("ann@x.test")).unwrap()).unwrap();
    let harmless: std::collections::BTreeSet<String> = harmless.into_iter().map(|(tag, _)| tag).collect();
    for text in HOSTILE {
        let html = report::html(&told(text)).unwrap();
        let tags = xml::tags(&html).unwrap_or_else(|error| panic!("{text:?}: {error}"));
        assert!(tags.iter().all(|(tag, _)| harmless.contains(tag)), "{text:?}");
        assert!(tags.iter().flat_map(|(_, a)| a).all(|(name, _)| !name.starts_with("on")), "{text:?}");
        assert_eq!(html.matches("</style>").count(), 1, "{text:?}");
        assert!(!html.contains(['\u{202e}', '\u{0}', '\u{1b}', '\u{200b}', '\u{2028}']), "{text:?} is spelled out");
    }
    assert!(report::html(&told(HOSTILE[3])).unwrap().contains("⟨U+202E⟩"));
    assert!(report::html(&told(HOSTILE[5])).unwrap().contains("{{ 7*7 }}"), "a name is no template");
}

#[test]
fn a_name_of_three_hundred_letters_stays_within_the_drawing() {
    let long = format!("{}@x.test", "x".repeat(300));
    let svg = report::svg(&told(&long)).unwrap();
    for text in svg.split("<text").skip(1).map(|tail| tail.split("</text>").next().unwrap()) {
        assert!(text.split('>').next_back().unwrap().chars().count() < 200, "{text}");
    }
    assert!(report::html(&told(&long)).unwrap().contains(&long), "the table has all of it");
}

#[test]
fn chains_and_snapshots_with_hostile_ids_are_no_markup_either() {
    for id in ["<b>x</b>", "\"'&", "=1+1", "-1"] {
        let mut content = damaged();
        content.chains[0].chain = id.parse().unwrap();
        content.chains[0].snapshots[0] = snapshot(id, at("00:10"), object(0xaa));
        content.subject = Topic::Chain(id.parse().unwrap());
        let html = report::html(&content).unwrap();
        xml::tags(&html).unwrap_or_else(|error| panic!("{id}: {error}"));
        assert!(!html.contains("<b>"));
    }
}

/// The rows of a CSV as any reader takes them.
fn rows(csv: &[u8]) -> Vec<Vec<String>> {
    // Excel needs the mark to read UTF-8.
    let text = csv.strip_prefix(b"\xef\xbb\xbf").unwrap();
    let mut reader = csv_reader(text);
    reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

fn csv_reader(text: &[u8]) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new().has_headers(false).from_reader(text)
}

#[test]
fn no_cell_of_the_table_is_a_formula() {
    for text in [
        "=1+1@x.test",
        "+49@x.test",
        "-a@x.test",
        "@sum(a1)",
        "  =1+1",
        "\t=1+1",
        "\r\n=1",
        "\u{a0}=1",
        "＝1+1",
        "=\"a\",\"b\"",
    ] {
        let mut content = told(text);
        for subject in [content.subject.clone(), Topic::Object(object(0xaa)), Topic::Tenant(content.basis.tenant)] {
            content.subject = subject;
            let rows = rows(&report::csv(&content).unwrap());
            assert!(rows.len() > 1);
            assert!(rows.iter().flatten().any(|cell| *cell == format!("'{text}")), "{text:?} is there, harmless");
            for cell in rows.iter().flatten() {
                let first = cell.trim_start_matches([' ', '\u{a0}']).chars().next();
                assert!(!first.is_some_and(|c| "=+-@\t\r\n＝".contains(c)), "{cell:?}");
            }
        }
    }
}

#[test]
fn a_table_of_a_chain_has_every_snapshot_whole() {
    let mut content = damaged();
    content.chains[0].snapshots[0].owner_name = Some("a \"quoted\",\r\nname".to_owned());
    let bytes = report::csv(&content).unwrap();
    let rows = rows(&bytes);
    assert_eq!(rows.len(), 43, "a head and 42 snapshots");
    assert_eq!(rows[0][..4], ["chain", "snapshot", "from", "until"]);
    assert!(rows.iter().all(|row| row.len() == rows[0].len()));
    let column = |name: &str| rows[0].iter().position(|cell| cell == name).unwrap();
    assert_eq!(rows[1][column("owner_name")], "a \"quoted\",\r\nname");
    assert_eq!(rows[41][column("owner")], "bbbbbbbb-bbbb-bbbb-bbbb-bbbbbbbbbbbb");
    assert_eq!(rows[41][column("foreign")], "yes");
    assert_eq!(rows[40][column("candidates")].split(' ').count(), 2);
    assert!(bytes.windows(2).any(|pair| pair == b"\r\n"), "lines end as RFC 4180 wants");
}

#[test]
fn a_table_of_a_name_has_its_periods_only() {
    let mut content = damaged();
    content.subject = Topic::Name("sam@x.test".parse().unwrap());
    let rows = rows(&report::csv(&content).unwrap());
    assert_eq!(rows.len(), 4, "{rows:?}");
    assert!(rows[1..].iter().all(|row| row[3] == "sam@x.test"));
    assert!(rows[1].last().unwrap().contains("audit 2026-03-02T00:00:00Z commit 7 Directory_4711_event"), "{rows:?}");
    let open = name(Role::Upn, "sam@x.test", Edge::new(whowas::domain::time::Instant::MIN, at("01:00")), None);
    content.objects = vec![person(object(1), "sam@x.test", vec![open])];
    let rows = super::hostile::rows(&report::csv(&content).unwrap());
    assert_eq!(rows[1][4..9], ["", "2026-03-02T01:00:00Z", "", "", "yes"], "what is unbounded is empty");
}

#[test]
fn the_json_is_the_typed_content() {
    let json: serde_json::Value = serde_json::from_str(&report::json(&told(HOSTILE[0])).unwrap()).unwrap();
    assert_eq!(json["subject"], serde_json::json!({"kind": "chain", "id": "cA"}));
    assert_eq!(json["chains"][0]["snapshots"][40]["owner"], "bbbbbbbb-bbbb-bbbb-bbbb-bbbbbbbbbbbb");
    assert_eq!(json["objects"][0]["label"], HOSTILE[0]);
    assert_eq!(json["plans"][0]["segments"][1]["do"], "quarantine");
    assert_eq!(json["basis"]["sequence"], 42);
}
