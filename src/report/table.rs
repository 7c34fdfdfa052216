//! The one table that an auditor loads into a spreadsheet.

use super::content::{AddressedRow, ChainRows, ReceiptRow, Report, SnapshotRow, SummaryRows, Topic};
use super::people::People;
use crate::domain::time::Instant;

/// What tells Excel that the text is UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The table of a report: of a chain its snapshots, of a name or an object the periods, of a tenant its findings and
/// the names that passed from hand to hand.
pub fn render(report: &Report) -> Result<Vec<u8>, csv::Error> {
    let mut bytes = BYTE_ORDER_MARK.to_vec();
    {
        let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(&mut bytes);
        let mut put = |cells: Vec<String>| writer.write_record(cells.iter().map(|cell| safe(cell)));
        match (&report.subject, &report.summary) {
            (Topic::Chain(_), _) => snapshots(report, &mut put)?,
            (Topic::Object(_) | Topic::Name(_), _) => periods(report, &mut put)?,
            (Topic::Tenant(_), summary) => tenant(report, summary.as_ref(), &mut put)?,
        }
        writer.flush()?;
    }
    Ok(bytes)
}

/// A cell that no spreadsheet takes for a formula.
pub fn safe(cell: &str) -> String {
    let begins = cell.trim_start_matches([' ', '\u{a0}', '\u{3000}']).chars().next();
    // Full-width signs are signs to some spreadsheets.
    let signs = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];
    if begins.is_some_and(|letter| signs.contains(&letter)) { format!("'{cell}") } else { cell.to_owned() }
}

type Put<'a> = dyn FnMut(Vec<String>) -> Result<(), csv::Error> + 'a;

fn snapshots(report: &Report, put: &mut Put<'_>) -> Result<(), csv::Error> {
    let people = People::of(report);
    put(words(&[
        "chain",
        "snapshot",
        "from",
        "until",
        "addressed_by",
        "addressed",
        "mailbox",
        "owner",
        "owner_letter",
        "owner_name",
        "foreign",
        "confidence",
        "settled",
        "candidates",
        "receipt_object",
        "receipt_object_end",
        "receipt_mailbox",
        "receipt_mailbox_end",
        "expired",
    ]))?;
    for chain in &report.chains {
        for row in &chain.snapshots {
            put(snapshot(chain, row, &people))?;
        }
    }
    Ok(())
}

fn snapshot(chain: &ChainRows, row: &SnapshotRow, people: &People) -> Vec<String> {
    let (by, addressed) = match &row.addressed {
        AddressedRow::Name { name, kind, .. } => (super::text::word(kind), name.clone()),
        AddressedRow::Object { object } => ("object".to_owned(), object.to_string()),
    };
    let candidates: Vec<String> = row.candidates.iter().map(ToString::to_string).collect();
    let receipt = |value: fn(&ReceiptRow) -> Option<String>| row.receipt.as_ref().and_then(value).unwrap_or_default();
    vec![
        chain.chain.to_string(),
        row.snapshot.to_string(),
        row.from.to_string(),
        row.until.to_string(),
        by,
        addressed,
        row.mailbox.map(|mailbox| mailbox.to_string()).unwrap_or_default(),
        row.owner.map(|owner| owner.to_string()).unwrap_or_default(),
        row.owner.map(|owner| people.letter(owner).to_owned()).unwrap_or_default(),
        row.owner_name.clone().unwrap_or_default(),
        yes(chain.is_foreign(row)),
        super::text::word(&row.confidence),
        yes(row.settled),
        candidates.join(" "),
        receipt(|receipt| Some(receipt.object.to_string())),
        receipt(|receipt| receipt.object_end.map(|object| object.to_string())),
        receipt(|receipt| receipt.mailbox.map(|mailbox| mailbox.to_string())),
        receipt(|receipt| receipt.mailbox_end.map(|mailbox| mailbox.to_string())),
        yes(row.expired),
    ]
}

fn periods(report: &Report, put: &mut Put<'_>) -> Result<(), csv::Error> {
    let people = People::of(report);
    put(words(&[
        "object",
        "letter",
        "kind",
        "name",
        "began_after",
        "began_by",
        "ended_after",
        "ended_by",
        "held_still",
        "contested",
        "evidence",
    ]))?;
    for person in people.iter() {
        let Some(row) = report.object(person.object) else { continue };
        for name in &row.names {
            if matches!(&report.subject, Topic::Name(asked) if asked.key().as_str() != name.name) {
                continue;
            }
            let evidence = name.evidence.iter().map(|fact| {
                let reference = fact.reference.as_ref().map(|text| format!(" {text}")).unwrap_or_default();
                format!("{} {} commit {}{reference}", super::text::word(&fact.source), fact.at, fact.sequence)
            });
            put(vec![
                row.object.to_string(),
                person.letter.clone(),
                super::text::word(&name.kind),
                name.spelling.clone(),
                bound(name.from.after()),
                bound(name.from.by()),
                bound(name.until.and_then(|until| until.after())),
                bound(name.until.and_then(|until| until.by())),
                yes(name.until.is_none()),
                yes(name.contested),
                evidence.collect::<Vec<_>>().join("; "),
            ])?;
        }
    }
    Ok(())
}

fn tenant(report: &Report, summary: Option<&SummaryRows>, put: &mut Put<'_>) -> Result<(), csv::Error> {
    put(words(&["what", "severity", "kind", "id", "state", "subject", "summary", "since"]))?;
    for row in &report.findings {
        put(vec![
            "finding".to_owned(),
            super::text::word(&row.severity),
            row.kind.word().to_owned(),
            row.id.to_string(),
            super::text::word(&row.state),
            row.subject.clone(),
            row.summary.clone(),
            row.opened.time.to_string(),
        ])?;
    }
    for row in summary.into_iter().flat_map(|summary| &summary.names) {
        let holders: Vec<String> = row.holders.iter().map(ToString::to_string).collect();
        let kind = if row.holders.len() > 1 { "reused" } else { "released" };
        let state = if row.hot { "hot" } else { "" };
        let cells = ["name", "", kind, "", state, &row.name, &holders.join(" "), ""];
        put(words(&cells))?;
    }
    Ok(())
}

fn bound(at: Option<Instant>) -> String {
    at.filter(|at| *at != Instant::MAX).map(|at| at.to_string()).unwrap_or_default()
}

fn yes(is: bool) -> String {
    if is { "yes" } else { "no" }.to_owned()
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}
