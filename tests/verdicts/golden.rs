//! A few whole verdicts as text, so that a change of behaviour shows as a change of prose.

use std::fmt::Write;

use whowas::domain::fact::{Addressed, Removal};
use whowas::domain::id::ObjectId;
use whowas::domain::time::Instant;
use whowas::domain::verdict::{Ask, Verdict};

use crate::harness::*;

/// Prints what a caller sees of a verdict, names in full.
fn print(title: &str, now: Instant, verdict: &Verdict) -> String {
    let mut text = format!("# {title}\n");
    let id = |object: &Option<ObjectId>| object.map_or_else(|| "none".to_owned(), |object| object.to_string());
    let chain = verdict.chain.as_ref().map_or("none", |chain| chain.as_str());
    let base = verdict.base.as_ref().map_or("none", |base| base.as_str());
    let json = |value| serde_json::to_string(&value).unwrap();
    writeln!(text, "asked at {now}: {:?}, {:?}", verdict.outcome, verdict.outcome.action()).unwrap();
    writeln!(text, "object {}, chain {chain}, base {base}", id(&verdict.object)).unwrap();
    if let Some(names) = &verdict.names {
        let aliases: Vec<&str> = names.aliases.iter().map(|name| name.spelling()).collect();
        let one = |name: &Option<whowas::domain::name::Name>| name.as_ref().map(|name| name.spelling().to_owned());
        writeln!(text, "names {:?} {:?} {aliases:?}", one(&names.upn), one(&names.mail)).unwrap();
    }
    for change in &verdict.changes {
        writeln!(text, "change {}", json(serde_json::to_value(change).unwrap())).unwrap();
    }
    if verdict.old_name_holder.is_some() {
        writeln!(text, "old name held by {}", id(&verdict.old_name_holder)).unwrap();
    }
    for instead in &verdict.instead {
        writeln!(text, "instead {}", json(serde_json::to_value(instead).unwrap())).unwrap();
    }
    for candidate in &verdict.candidates {
        writeln!(text, "candidate {} {:?}", candidate.object, candidate.confidence).unwrap();
    }
    writeln!(text, "evidence {}", json(serde_json::to_value(verdict.evidence).unwrap())).unwrap();
    for reason in &verdict.reasons {
        writeln!(text, "- {reason}").unwrap();
    }
    text
}

#[test]
fn whole_verdicts_read_as_they_always_did() {
    let mut book = Book::in_memory();
    let mut text = String::new();
    let mut ask = |book: &Book, title: &str, now: Instant, ask: Ask| {
        text.push_str(&print(title, now, &book.check(now, ask)));
        text.push('\n');
    };
    book.poll(t(0, "00:00"), &[is(A, &["sam"])]);
    book.snapshot_of("cA", "1", t(0, "00:10"), Addressed::Object(A), Some(M1));
    ask(&book, "By id, nothing changed", t(0, "01:00"), Ask { mailbox: Some(M1), ..by_id(A) });
    ask(&book, "By id, another mailbox", t(0, "01:00"), Ask { mailbox: Some(M2), ..by_id(A) });
    book.snapshot("cA", "2", t(0, "05:00"), named("sam"));
    ask(&book, "By name without a live read", t(0, "10:00"), in_chain("cA", by_name("sam")));
    book.live(t(0, "10:00"), &[is(B, &["sam"]), is(A, &["sam.old"])]);
    ask(&book, "By name, which passed to another person", t(0, "10:00"), in_chain("cA", by_name("sam")));
    ask(&book, "By name without a chain", t(0, "10:00"), by_name("sam"));
    book.poll(t(1, "00:00"), &[is(A, &["sam.old"]), is(B, &["sam"])]);
    ask(
        &book,
        "By id after the rename, the agent's clock ahead",
        t(1, "00:05"),
        Ask { at: Some(t(1, "03:00")), ..in_chain("cA", by_id(A)) },
    );
    book.snapshot("cA", "3", t(1, "01:00"), Addressed::Object(B));
    ask(&book, "A mixed chain", t(1, "02:00"), in_chain("cA", Ask::default()));
    book.snapshot("cX", "1", t(0, "06:00"), named("sam"));
    ask(&book, "A chain that nothing attributes", t(1, "02:00"), in_chain("cX", Ask::default()));
    book.poll(t(2, "00:00"), &[gone(A, Removal::Soft)]);
    ask(&book, "A deleted object", t(2, "00:05"), in_chain("cA", by_id(A)));
    ask(&book, "A stranger", t(2, "00:05"), by_name("nobody"));
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/verdicts/golden.txt");
    if std::env::var_os("WHOWAS_BLESS").is_some() {
        std::fs::write(golden, &text).unwrap();
    }
    let expected = std::fs::read_to_string(golden).unwrap_or_default();
    assert!(text == expected, "the verdicts changed; look at the difference after WHOWAS_BLESS=1:\n{text}");
}
