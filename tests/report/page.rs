//! The report as a person sees it.

use whowas::domain::holder::HolderConfidence::{Assumed, Certain, Nobody, Unknown};
use whowas::domain::interval::Edge;
use whowas::domain::time::Instant;
use whowas::domain::timeline::Role;
use whowas::report::content::*;
use whowas::report::{self, Tone};

use super::content::{at, damaged, decade, empty, name, object, person, snapshot, unclear};
use super::xml;

/// The pages are left in the build directory, to be looked at.
fn kept(file: &str, html: String) -> String {
    std::fs::write(std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(file), &html).unwrap();
    html
}

#[test]
fn the_drawing_of_a_mixed_chain() {
    let svg = report::svg(&damaged()).unwrap();
    xml::tags(&svg).unwrap();
    insta::assert_snapshot!("mixed_chain", svg);
}

#[test]
fn a_mixed_chain_says_so_first_and_what_to_do_next() {
    let headline = report::headline(&damaged());
    assert_eq!(headline.tone, Tone::Critical);
    assert_eq!(
        headline.sentence,
        "Chain cA holds the mail of two people: snapshots 1–39 sam.old@x.test (A), snapshot 41 sam@x.test (B), \
         snapshot 42 sam.old@x.test (A); snapshot 40 cannot be attributed."
    );
    assert_eq!(
        headline.advice,
        [
            "Quarantine snapshot 41 of chain cA, which holds the mail of sam@x.test (B).",
            "Base the next incremental of sam.old@x.test (A) on snapshot 42 of chain cA, or on 39 if that is an increment on what is set \
             aside.",
            "Start a new chain for sam@x.test (B) with a full backup.",
        ]
    );
    let html = kept("mixed.html", report::html(&damaged()).unwrap());
    let (sentence, table) = (html.find("holds the mail of two people").unwrap(), html.find("<table").unwrap());
    assert!(sentence < html.find("<svg").unwrap() && html.find("<svg").unwrap() < table);
}

#[test]
fn a_page_is_well_formed_and_needs_nothing_from_outside() {
    for (file, content) in [("mixed.html", damaged()), ("decade.html", decade())] {
        let html = kept(file, report::html(&content).unwrap());
        let tags = xml::tags(&html).unwrap_or_else(|error| panic!("{file}: {error}"));
        let outside = ["script", "link", "img", "iframe", "object", "embed", "a", "base", "form", "image", "use"];
        assert!(tags.iter().all(|(tag, _)| !outside.contains(&tag.as_str())));
        for (tag, attributes) in &tags {
            for (name, value) in attributes {
                assert!(
                    !name.starts_with("on") && name != "style" && name != "src" && name != "href",
                    "{tag} {name}={value}"
                );
                assert!(!value.contains("url(") || value.starts_with("url(#f"), "{tag} {name}={value}");
            }
        }
        let ids: Vec<&str> =
            tags.iter().flat_map(|(_, a)| a).filter(|(n, _)| n == "id").map(|(_, v)| v.as_str()).collect();
        let unique: std::collections::BTreeSet<&str> = ids.iter().copied().collect();
        assert_eq!(ids.len(), unique.len(), "ids are unique over all figures");
        assert!(!html.contains("url(http") && !html.contains("@import"));
        assert!(html.contains("content=\"default-src 'none'; style-src 'unsafe-inline'\""));
        for (tag, attributes) in tags.iter().filter(|(tag, _)| tag == "svg") {
            assert!(attributes.iter().any(|(name, value)| name == "role" && value == "img"), "{tag}");
        }
        assert_eq!(html.matches("<svg").count(), html.matches("<desc").count());
    }
}

#[test]
fn the_basis_is_at_the_foot() {
    let html = report::html(&damaged()).unwrap();
    let foot = &html[html.find("<footer").unwrap()..];
    for part in [
        "b0f2a1c4-0000-4000-8000-000000000001",
        "42",
        &"00ff".repeat(16),
        "2026-03-05 12:00",
        "1.2.3",
        "15 min",
        "12 h",
    ] {
        assert!(foot.contains(part), "{part}");
    }
}

#[test]
fn a_mixed_chain_is_told_at_a_glance_with_what_to_do() {
    let html = report::html(&damaged()).unwrap();
    let glance = html.split("<ol class=\"stretches\"").nth(1).unwrap().split("</ol>").next().unwrap();
    let parts: Vec<&str> = glance.split("<li").skip(1).collect();
    assert_eq!(parts.len(), 4);
    for (part, said) in parts.iter().zip([
        ["class=\"p0 w4\"", "snapshots 1 – 39", "Keep"],
        ["class=\"whose w1\"", "snapshot 40", "cannot be known: A or B"],
        ["class=\"p1 w1 foreign\"", "not the chain's owner", "Quarantine"],
        ["class=\"p0 w1\"", "snapshot 42", "1 snapshot, certain"],
    ]) {
        said.iter().for_each(|said| assert!(part.contains(said), "{said}: {part}"));
    }
    let healthy = |content: &mut Report| content.chains[0].snapshots.truncate(39);
    let mut content = damaged();
    healthy(&mut content);
    assert!(!report::html(&content).unwrap().contains("<ol class=\"stretches\""), "one owner needs no telling apart");
}

#[test]
fn the_tables_have_full_ids_evidence_and_states() {
    let html = report::html(&damaged()).unwrap();
    for part in [
        "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa",
        "bbbbbbbb-bbbb-bbbb-bbbb-bbbbbbbbbbbb",
        "Directory_4711_event",
        "commit 7",
        "after 2026-03-02 08:00, by 10:00",
        "acknowledged",
        "by carol: ticket 7",
        "Quarantine",
        "<time datetime=\"2026-03-02T08:00:00Z\">",
        "provisional",
        "no longer kept",
        "the chain&#39;s owner",
    ] {
        assert!(html.contains(part), "{part}");
    }
}

#[test]
fn a_name_over_ten_years_names_every_holder_and_gets_a_close_up_of_its_chain() {
    let content = decade();
    let headline = report::headline(&content);
    assert_eq!(headline.tone, Tone::Critical, "{headline:?}");
    assert!(headline.also.iter().any(|line| line.contains("kim@x.test was held by 3 people")), "{headline:?}");
    let html = kept("decade.html", report::html(&content).unwrap());
    assert!(html.contains("gone for good"), "the leaver's lane says so");
    let svg = report::svg(&content).unwrap();
    assert_eq!(svg.matches("mark foreign").count(), 1, "one foreign night among 730 is drawn");
    assert!(svg.matches("class=\"mark").count() < 60, "and the others are drawn as runs");
}

#[test]
fn every_kind_of_chain_has_its_sentence() {
    let a = object(0xaa);
    let said = |rows: Vec<SnapshotRow>| {
        let mut content = empty(Topic::Chain("c".parse().unwrap()));
        content.objects = vec![person(a, "ann@x.test", vec![])];
        content.chains = vec![ChainRows { chain: "c".parse().unwrap(), snapshots: rows }];
        let headline = report::headline(&content);
        (headline.tone, headline.sentence)
    };
    let row = |id: &str, confidence| match confidence {
        Certain | Assumed => SnapshotRow { confidence, ..snapshot(id, at("01:00"), a) },
        _ => SnapshotRow { confidence, candidates: vec![], ..unclear(id, at("01:00"), &[]) },
    };
    assert_eq!(said(vec![]), (Tone::Fine, "Chain c holds no snapshots.".to_owned()));
    assert_eq!(
        said(vec![row("1", Certain)]),
        (Tone::Fine, "The only snapshot of chain c holds the mail of ann@x.test (A).".to_owned())
    );
    let (tone, sentence) = said(vec![row("1", Certain), row("2", Assumed)]);
    assert_eq!(
        (tone, sentence.contains("seem to hold the mail of ann@x.test (A)")),
        (Tone::Warning, true),
        "{sentence}"
    );
    let (tone, sentence) = said(vec![row("1", Certain), row("2", Nobody)]);
    assert_eq!((tone, sentence.contains("nobody is known to have held")), (Tone::Warning, true), "{sentence}");
    let (tone, sentence) = said(vec![row("1", Unknown)]);
    assert_eq!((tone, sentence.contains("nothing is known about the owner")), (Tone::Warning, true), "{sentence}");
}

#[test]
fn a_tenant_without_trouble_says_so() {
    let mut content = empty(Topic::Tenant("b0f2a1c4-0000-4000-8000-000000000001".parse().unwrap()));
    content.summary =
        Some(SummaryRows { counts: Some(CountRows { active: 12, ..CountRows::default() }), ..SummaryRows::default() });
    let html = report::html(&content).unwrap();
    xml::tags(&html).unwrap();
    assert!(html.contains("Nothing is open in tenant contoso, which has 12 active objects and 0 snapshots."));
    // How much there was at an earlier time is not known, and so is not said.
    content.summary = Some(SummaryRows::default());
    let html = report::html(&content).unwrap();
    assert!(html.contains("Nothing is open in tenant contoso."), "{html}");
    assert!(!html.contains("<dt>Active</dt>") && !html.contains("<dt>Snapshots</dt>"), "{html}");
    let json: serde_json::Value = serde_json::from_str(&report::json(&content).unwrap()).unwrap();
    assert!(json["summary"].get("active").is_none() && json["summary"].get("snapshots").is_none(), "{json}");
    content.findings = damaged().findings;
    let headline = report::headline(&content);
    assert_eq!(headline.tone, Tone::Critical);
    assert!(headline.sentence.contains("open findings: 1 critical"), "{headline:?}");
}

#[test]
fn the_same_content_gives_the_same_report() {
    let (one, two) = (damaged(), {
        let mut turned = damaged();
        turned.objects.reverse();
        turned
    });
    assert_eq!(report::html(&one).unwrap(), report::html(&two).unwrap(), "whatever order the people come in");
}

#[test]
fn a_beginning_years_ago_does_not_squeeze_the_day_that_matters() {
    let mut content = damaged();
    let years_ago = Edge::point(at("00:00").minus(std::time::Duration::from_secs(86_400 * 3_650)));
    content.objects[1].names[0] = name(Role::Upn, "sam@x.test", years_ago, Some(Edge::new(at("08:00"), at("10:00"))));
    content.objects[1].names[1].from = years_ago;
    let svg = report::svg(&content).unwrap();
    assert!(svg.contains(">2 Mar 2026<") && !svg.contains(">2018<"), "the axis shows days, not years");
    assert!(content.objects[1].names[0].from.by() > Some(Instant::MIN));
}

#[test]
fn a_headline_is_as_grave_as_the_gravest_thing_it_says() {
    let a = object(0xaa);
    let mut content = empty(Topic::Object(a));
    content.objects =
        vec![person(a, "ann@x.test", vec![name(Role::Upn, "ann@x.test", Edge::point(at("00:00")), None)])];
    let mut rows: Vec<SnapshotRow> = (1..=16).map(|n: u32| snapshot(&n.to_string(), at("01:00"), a)).collect();
    let alone = |rows: &[SnapshotRow]| {
        let mut content = content.clone();
        content.chains = vec![ChainRows { chain: "c".parse().unwrap(), snapshots: rows.to_vec() }];
        report::headline(&content)
    };
    let headline = alone(&rows);
    assert_eq!(headline.tone, Tone::Fine);
    assert_eq!(headline.sentence, "ann@x.test (A) is active and had 1 name; 16 snapshots hold its mail.");
    assert!(alone(&[]).sentence.contains("; no snapshot is known to hold its mail."));
    rows.extend(
        (17..=18).map(|n: u32| SnapshotRow { confidence: Assumed, ..snapshot(&n.to_string(), at("02:00"), a) }),
    );
    rows.extend((19..=20).map(|n: u32| unclear(&n.to_string(), at("03:00"), &[a])));
    let headline = alone(&rows);
    assert_eq!(headline.tone, Tone::Warning, "its chain needs a look");
    assert!(headline.sentence.ends_with("; 16 snapshots hold its mail, 2 seem to; 2 more may."), "{headline:?}");
    assert!(!headline.advice.contains(&"Nothing needs to be done.".to_owned()), "{headline:?}");
}

#[test]
fn who_alone_held_a_name_is_told_as_far_as_syncs_cover_the_time() {
    let a = object(0xaa);
    let said = |until: Option<Edge>, gap: Option<(&str, &str)>| {
        let mut content = empty(Topic::Name("ann@x.test".parse().unwrap()));
        let held = name(Role::Upn, "ann@x.test", Edge::point(at("00:00")), until);
        content.objects = vec![person(a, "ann@x.test", vec![held])];
        content.blind =
            vec![BlindRow { from: None, until: Some(at("00:00")), why: "before the first sync".to_owned() }];
        content.blind.extend(gap.map(|(from, until)| BlindRow {
            from: Some(at(from)),
            until: Some(at(until)),
            why: "no sync".to_owned(),
        }));
        let headline = report::headline(&content);
        (headline.tone, headline.sentence)
    };
    let since = "known to have been held by ann@x.test (A) since 2026-03-02 00:00";
    assert_eq!(said(None, None), (Tone::Fine, format!("ann@x.test is only {since}.")));
    let (tone, sentence) = said(None, Some(("1 00:00", "26 01:00")));
    assert_eq!(
        (tone, sentence),
        (Tone::Warning, format!("ann@x.test is only {since}; 25 days are covered by no sync."))
    );
    let (tone, sentence) = said(Some(Edge::point(at("2 00:00"))), Some(("1 00:00", "1 01:00")));
    assert_eq!(tone, Tone::Warning);
    assert!(
        sentence.starts_with("Nobody is known to hold ann@x.test now; it is only known to have been"),
        "{sentence}"
    );
    assert!(sentence.ends_with("until 2026-03-04 00:00; 1 hour is covered by no sync."), "{sentence}");
}

#[test]
fn what_is_only_assumed_is_never_told_as_a_fact() {
    let (a, b) = (object(0xaa), object(0xbb));
    let told = |rows: Vec<SnapshotRow>, plans: Vec<PlanRows>| {
        let mut content = empty(Topic::Chain("c".parse().unwrap()));
        content.objects = vec![person(a, "ann@x.test", vec![]), person(b, "bob@x.test", vec![])];
        content.chains = vec![ChainRows { chain: "c".parse().unwrap(), snapshots: rows }];
        content.plans = plans;
        report::headline(&content)
    };
    let of = |id: &str, who, confidence| SnapshotRow { confidence, ..snapshot(id, at("01:00"), who) };
    let open = |id: &str| unclear(id, at("01:00"), &[a, b]);

    let rows = || vec![of("1", a, Certain), of("2", a, Assumed), of("3", b, Certain)];
    assert_eq!(
        told(rows(), vec![]).sentence,
        "Chain c holds the mail of two people: snapshots 1–2 ann@x.test (A) (1 of them assumed), snapshot 3 bob@x.test (B)."
    );
    assert_eq!(
        told(vec![of("1", a, Certain), of("3", b, Assumed)], vec![]).sentence,
        "Chain c seems to hold the mail of two people: snapshot 1 ann@x.test (A), snapshot 3 bob@x.test (B) (assumed)."
    );
    let sentence = |rows| told(rows, vec![]).sentence;
    let tail = sentence(vec![of("1", a, Certain), of("2", a, Assumed), open("3")]);
    assert!(tail.ends_with("The other 2 seem to belong to ann@x.test (A); nothing proves it for 1 of them."), "{tail}");
    let tail = sentence(vec![of("1", a, Certain), of("2", a, Certain), open("3")]);
    assert!(tail.ends_with("The other 2 belong to ann@x.test (A)."), "{tail}");

    let segment = |confidence: &str, snapshots: &[&str]| PlanRows {
        chain: "c".parse().unwrap(),
        segments: vec![SegmentRow {
            object: Some(b),
            confidence: confidence.to_owned(),
            snapshots: snapshots.iter().map(|id| id.parse().unwrap()).collect(),
            act: "quarantine".to_owned(),
            to_chain: None,
        }],
        next: vec![NextRow { object: b, action: "stop".to_owned(), chain: None, base: None, safe_base: None }],
        reasons: vec![],
    };
    let quarantine = |confidence: &str, ids: &[&str]| told(rows(), vec![segment(confidence, ids)]).advice;
    assert_eq!(
        quarantine("assumed", &["3"]),
        [
            "Quarantine snapshot 3 of chain c, which seems to hold the mail of bob@x.test (B).",
            "Take no backup of bob@x.test (B) for now."
        ]
    );
    let advice = &quarantine("certain", &["3", "4"])[0];
    assert_eq!(advice, "Quarantine snapshots 3–4 of chain c, which hold the mail of bob@x.test (B).");
    let advice = told(vec![of("1", a, Certain), of("3", b, Assumed)], vec![]).advice;
    assert!(advice[0].contains("one seems to hold someone else's"), "{advice:?}");
}
