//! The sentence at the top of a report: what matters most, and what to do about it.

use serde::Serialize;

use super::content::{ChainRows, FindingRow, PlanRows, Report, SnapshotRow, SummaryRows, Topic};
use super::people::People;
use super::text::{count, cut, edge, join, sentence, time, word};
use crate::domain::finding::{FindingState, Severity};
use crate::domain::holder::HolderConfidence;
use crate::domain::id::ObjectId;
use crate::domain::time::Instant;
use crate::domain::timeline::Role;

/// The longest list that a sentence spells out.
const SEGMENTS_MAX: usize = 5;

/// What matters most, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Headline {
    /// How bad it is.
    pub tone: Tone,
    /// One sentence.
    pub sentence: String,
    /// What else matters, a sentence each.
    pub also: Vec<String>,
    /// What to do, a sentence each.
    pub advice: Vec<String>,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    /// Nothing to do.
    Fine,
    /// Something cannot be known, or needs a look.
    Warning,
    /// Somebody's data is where it does not belong.
    Critical,
}

impl Tone {
    /// The word beside the sign.
    pub fn word(self) -> &'static str {
        match self {
            Self::Fine => "In order",
            Self::Warning => "Needs a look",
            Self::Critical => "Critical",
        }
    }
}

/// The headline of a report.
pub fn of(report: &Report, people: &People) -> Headline {
    let about_chains = report.chains.iter().filter_map(|chain| of_chain(chain, people));
    // The first of the worst leads.
    let mut said: Vec<(Tone, String)> = about_chains.collect();
    said.sort_by_key(|(tone, _)| std::cmp::Reverse(*tone));
    let topic = of_topic(report, people);
    match &report.subject {
        Topic::Chain(_) => said.extend(topic),
        _ => {
            let place = said.iter().position(|(tone, _)| *tone < Tone::Critical).unwrap_or(said.len());
            topic.into_iter().rev().for_each(|line| said.insert(place, line));
        }
    }
    let mut findings: Vec<&FindingRow> = report.findings.iter().filter(|row| is_pending(row)).collect();
    findings.sort_by_key(|row| std::cmp::Reverse(row.severity));
    let worst = findings.first().map_or(Tone::Fine, |row| tone_of(row.severity));
    if said.first().is_none_or(|(tone, _)| *tone < worst) {
        said.splice(0..0, findings.iter().take(1).map(|row| (worst, sentence(&row.summary))));
    }
    // What leads says what the report is about; how bad it is, the worst of all that is said tells.
    let tone = said.iter().map(|(tone, _)| *tone).max().unwrap_or(Tone::Fine);
    let mut said = said.into_iter().map(|(_, line)| line);
    let sentence = said.next().unwrap_or_else(|| "There is nothing to report.".to_owned());
    let advice = advice(report, people, tone);
    Headline { tone, sentence, also: said.take(4).collect(), advice }
}

fn of_topic(report: &Report, people: &People) -> Option<(Tone, String)> {
    match &report.subject {
        Topic::Chain(chain) if report.snapshots().next().is_none() => {
            Some((Tone::Fine, format!("Chain {} holds no snapshots.", cut(chain.as_str(), 60))))
        }
        Topic::Chain(_) => None,
        Topic::Name(name) => Some(of_name(report, people, name.key().as_str(), name.spelling())),
        Topic::Object(object) => Some(of_object(report, people, *object)),
        Topic::Tenant(tenant) => {
            let name = report.basis.alias.clone().unwrap_or_else(|| tenant.to_string());
            report.summary.as_ref().map(|summary| of_tenant(report, summary, &name))
        }
    }
}

/// What a chain's snapshots say about it.
fn of_chain(chain: &ChainRows, people: &People) -> Option<(Tone, String)> {
    let rows = &chain.snapshots;
    let name = cut(chain.chain.as_str(), 60);
    let owner = chain.owner();
    let unclear: Vec<&SnapshotRow> = rows.iter().filter(|row| row.owner.is_none()).collect();
    let segments = segments(rows);
    let mut owners: Vec<ObjectId> = Vec::new();
    for object in rows.iter().filter_map(|row| row.owner) {
        if !owners.contains(&object) {
            owners.push(object);
        }
    }
    if rows.is_empty() {
        return None;
    }
    if owners.len() > 1 {
        let parts: Vec<String> = if segments.len() <= SEGMENTS_MAX {
            let held = segments.iter().filter_map(|(object, rows)| Some(((*object)?, rows)));
            let part = |(object, rows): (ObjectId, &Vec<&SnapshotRow>)| {
                format!("{} {}{}", range(rows), people.called(object), doubt(rows))
            };
            held.map(part).collect()
        } else {
            let part = |object: &ObjectId| {
                let own: Vec<&SnapshotRow> = rows.iter().filter(|row| row.owner == Some(*object)).collect();
                let number = count(own.len(), "snapshot", "snapshots");
                format!("{number} {}{}", people.called(*object), doubt(&own))
            };
            let mut parts: Vec<String> = owners.iter().take(SEGMENTS_MAX).map(part).collect();
            if owners.len() > SEGMENTS_MAX {
                parts.push(format!("{} more", owners.len() - SEGMENTS_MAX));
            }
            parts
        };
        let open: Vec<String> =
            segments.iter().filter(|(object, _)| object.is_none()).map(|(_, rows)| range(rows)).collect();
        let unclear = match (unclear.len(), open.len()) {
            (0, _) => String::new(),
            (_, runs) if runs <= 2 => format!("; {} cannot be attributed", join(&open)),
            (number, _) => format!("; {number} more cannot be attributed"),
        };
        let people = if owners.len() == 2 { "two people".to_owned() } else { format!("{} people", owners.len()) };
        let proved = rows.iter().all(|row| row.confidence != HolderConfidence::Assumed || !chain.is_foreign(row));
        let holds = if proved { "holds" } else { "seems to hold" };
        return Some((
            Tone::Critical,
            format!("Chain {name} {holds} the mail of {people}: {}{unclear}.", parts.join(", ")),
        ));
    }
    if !unclear.is_empty() {
        let which = if unclear.len() <= 3 || segments.len() <= SEGMENTS_MAX {
            let open = segments.iter().filter(|(object, _)| object.is_none());
            join(&open.map(|(_, rows)| range(rows)).collect::<Vec<_>>())
        } else {
            count(unclear.len(), "snapshot", "snapshots")
        };
        let rest: Vec<&SnapshotRow> = rows.iter().filter(|row| row.owner.is_some()).collect();
        let rest = owner.map_or_else(String::new, |owner| {
            format!(" The other {} {}.", rest.len(), belongs(&rest, &people.called(owner)))
        });
        return Some((Tone::Warning, format!("In chain {name}, {}: {which}.{rest}", why_unclear(&unclear, people))));
    }
    let owner = people.called(owner?);
    let all = if rows.len() == 1 { "The only snapshot".to_owned() } else { format!("All {} snapshots", rows.len()) };
    let hold = if rows.len() == 1 { "holds" } else { "hold" };
    let assumed = rows.iter().filter(|row| row.confidence == HolderConfidence::Assumed).count();
    if assumed > 0 {
        let seems = if rows.len() == 1 { "seems to hold" } else { "seem to hold" };
        let proof = format!("nothing proves it for {}", count(assumed, "of them", "of them"));
        return Some((Tone::Warning, format!("{all} of chain {name} {seems} the mail of {owner}; {proof}.")));
    }
    let open = rows.iter().filter(|row| !row.settled).count();
    let open = match open {
        0 => String::new(),
        number => format!("; {} may still change with later evidence", count(number, "attribution", "attributions")),
    };
    Some((Tone::Fine, format!("{all} of chain {name} {hold} the mail of {owner}{open}.")))
}

/// Why snapshots have no single owner.
fn why_unclear(unclear: &[&SnapshotRow], people: &People) -> String {
    let all = |confidence| unclear.iter().all(|row| row.confidence == confidence);
    let number = count(unclear.len(), "snapshot", "snapshots");
    if all(HolderConfidence::Nobody) {
        let was = if unclear.len() == 1 { "was" } else { "were" };
        return format!("{number} {was} taken by a name that nobody is known to have held");
    }
    if all(HolderConfidence::Unknown) {
        return format!("nothing is known about the owner of {number}");
    }
    let mut candidates: Vec<ObjectId> = unclear.iter().flat_map(|row| row.candidates.iter().copied()).collect();
    candidates.sort();
    candidates.dedup();
    let mut called: Vec<(&str, String)> =
        candidates.iter().map(|object| (people.letter(*object), people.called(*object))).collect();
    called.sort();
    let called: Vec<String> = called.into_iter().map(|(_, called)| called).take(SEGMENTS_MAX).collect();
    match called.len() {
        0 => format!("nobody can tell whose mail {number} may hold"),
        _ => format!("it cannot be known whose mail {number} may hold: that of {}", called.join(" or ")),
    }
}

fn of_name(report: &Report, people: &People, key: &str, spelling: &str) -> (Tone, String) {
    let name = cut(spelling, 80);
    let mut holders = Vec::new();
    for person in people.iter() {
        let Some(row) = report.object(person.object) else { continue };
        // The primary address is one of the SMTP addresses.
        let periods = || row.names.iter().filter(|period| period.name == key && period.kind != Role::Primary);
        let since = periods().map(|period| period.from.after()).min().flatten();
        let Some(last) = periods().max_by_key(|period| (period.until.is_none(), period.from.by())) else { continue };
        let (when, holds) = match last.until {
            None => (format!("since {}", begin_words(last.from)), true),
            Some(until) => (format!("until {}", end_words(until)), false),
        };
        holders.push((last.from.by(), person.object, when, holds, since));
    }
    holders.sort_by_key(|(begun, object, ..)| (*begun, *object));
    let says = |(_, object, when, ..): &(_, ObjectId, String, bool, _)| format!("{} {when}", people.called(*object));
    match holders.as_slice() {
        [] => (Tone::Warning, format!("{name} was never seen in the directory.")),
        [one] => {
            let uncovered = uncovered(report, one.4);
            // While nobody looked, somebody else may have held it.
            let tone = if one.3 && uncovered.is_empty() { Tone::Fine } else { Tone::Warning };
            let held = format!("only known to have been held by {}{uncovered}", says(one));
            match one.3 {
                true => (tone, format!("{name} is {held}.")),
                false => (tone, format!("Nobody is known to hold {name} now; it is {held}.")),
            }
        }
        several => {
            let parts: Vec<String> = several.iter().take(SEGMENTS_MAX).map(says).collect();
            let number = if several.len() == 2 { "two people".to_owned() } else { format!("{} people", several.len()) };
            (Tone::Warning, format!("{name} was held by {number}: {}.", parts.join(", ")))
        }
    }
}

/// How much of the time since an instant lies between two syncs that do not join, as the end of a sentence.
fn uncovered(report: &Report, since: Option<Instant>) -> String {
    let gaps = report.blind.iter().filter_map(|row| row.from.zip(row.until));
    let seconds: u64 = gaps
        .map(|(from, until)| (from.max(since.unwrap_or(Instant::MIN)), until))
        .filter(|(from, until)| from < until)
        .map(|(from, until)| until.since(from).as_secs())
        .sum();
    let in_units = |size: u64, one: &str, many: &str| {
        let number = usize::try_from(seconds / size).unwrap_or(usize::MAX);
        let verb = if number == 1 { "is" } else { "are" };
        format!("; {} {verb} covered by no sync", count(number, one, many))
    };
    match seconds {
        0 => String::new(),
        1..60 => in_units(1, "second", "seconds"),
        60..3_600 => in_units(60, "minute", "minutes"),
        3_600..86_400 => in_units(3_600, "hour", "hours"),
        _ => in_units(86_400, "day", "days"),
    }
}

fn begin_words(from: crate::domain::interval::Edge) -> String {
    match (from.as_point(), from.by()) {
        (Some(at), _) => time(at),
        (None, Some(by)) => format!("{} at the latest", time(by)),
        (None, None) => edge(from),
    }
}

fn end_words(until: crate::domain::interval::Edge) -> String {
    match (until.as_point(), until.after()) {
        (Some(at), _) => time(at),
        (None, Some(after)) => format!("{} at least", time(after)),
        (None, None) => edge(until),
    }
}

fn of_object(report: &Report, people: &People, object: ObjectId) -> (Tone, String) {
    let who = people.called(object);
    let Some(row) = report.object(object) else { return (Tone::Warning, format!("{who} was never seen.")) };
    let mut names: Vec<&str> = row.names.iter().map(|name| name.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let names = count(names.len(), "name", "names");
    (Tone::Fine, format!("{who} is {} and had {names}; {}.", word(&row.state), holds_of(report, object)))
}

/// How many snapshots hold someone's mail, as far as that is known.
fn holds_of(report: &Report, object: ObjectId) -> String {
    let is_certain = |row: &&SnapshotRow| row.confidence == HolderConfidence::Certain;
    let own = || report.snapshots().filter(|row| row.owner == Some(object));
    let certain = own().filter(is_certain).count();
    let assumed = own().count() - certain;
    let possible = report.snapshots().filter(|row| row.owner.is_none() && row.candidates.contains(&object)).count();
    let verb = |number: usize, one: &'static str, many: &'static str| if number == 1 { one } else { many };
    let snapshots = |number| count(number, "snapshot", "snapshots");
    let sure = match (certain, assumed) {
        (0, 0) => "no snapshot is known to hold its mail".to_owned(),
        (0, assumed) => format!("{} {} to hold its mail", snapshots(assumed), verb(assumed, "seems", "seem")),
        (certain, 0) => format!("{} {} its mail", snapshots(certain), verb(certain, "holds", "hold")),
        (certain, assumed) => format!(
            "{} {} its mail, {assumed} {} to",
            snapshots(certain),
            verb(certain, "holds", "hold"),
            verb(assumed, "seems", "seem")
        ),
    };
    match (possible, certain + assumed) {
        (0, _) => sure,
        (possible, 0) => format!("{sure}; {} may", snapshots(possible)),
        (possible, _) => format!("{sure}; {possible} more may"),
    }
}

fn of_tenant(report: &Report, summary: &SummaryRows, name: &str) -> (Tone, String) {
    let open = |severity| report.findings.iter().filter(|row| is_pending(row) && row.severity == severity).count();
    let (critical, warning, notice) = (open(Severity::Critical), open(Severity::Warning), open(Severity::Notice));
    let tone = match (critical, warning) {
        (0, 0) => Tone::Fine,
        (0, _) => Tone::Warning,
        _ => Tone::Critical,
    };
    let holds = summary.counts.map(|counts| {
        format!("{} and {}", count_u64(counts.active, "active object"), count_u64(counts.snapshots, "snapshot"))
    });
    let name = cut(name, 60);
    let sentence = match critical + warning + notice {
        0 => {
            let holds = holds.map(|holds| format!(", which has {holds}")).unwrap_or_default();
            format!("Nothing is open in tenant {name}{holds}.")
        }
        _ => {
            let parts = [(critical, "critical"), (warning, "warning"), (notice, "notice")];
            let parts = parts.iter().filter(|(number, _)| *number > 0).map(|(number, word)| match *word {
                "critical" => format!("{number} critical"),
                word => count(*number, word, &format!("{word}s")),
            });
            let findings = join(&parts.collect::<Vec<_>>());
            let holds = holds.map(|holds| format!(", among {holds}")).unwrap_or_default();
            format!("Tenant {name} has open findings: {findings}{holds}.")
        }
    };
    (tone, sentence)
}

fn advice(report: &Report, people: &People, tone: Tone) -> Vec<String> {
    let planned: Vec<String> = report.plans.iter().flat_map(|plan| planned(plan, people)).take(8).collect();
    if !planned.is_empty() {
        return planned;
    }
    let mut advice = Vec::new();
    for chain in &report.chains {
        let foreign: Vec<&SnapshotRow> = chain.snapshots.iter().filter(|row| chain.is_foreign(row)).collect();
        let holds = match (foreign.len(), unproved(&foreign)) {
            (0, _) => continue,
            (1, 0) => "one holds".to_owned(),
            (1, _) => "one seems to hold".to_owned(),
            (number, 0) => format!("{number} hold"),
            (number, _) => format!("{number} hold or seem to hold"),
        };
        advice.push(format!(
            "Before a restore from chain {} look at whose mail the snapshot holds: {holds} someone else's. Its next \
             incremental must build on a snapshot of its owner.",
            cut(chain.chain.as_str(), 60),
        ));
    }
    let unclear = report.snapshots().filter(|row| row.owner.is_none()).count();
    if advice.is_empty() && unclear > 0 {
        advice.push("Treat what cannot be attributed as nobody's: restore it to no one until a receipt, an audit log or an old export says whose it is.".to_owned());
    }
    if advice.is_empty() {
        advice.push(match tone {
            Tone::Fine => "Nothing needs to be done.".to_owned(),
            Tone::Warning => "Address mailboxes by object id, not by name, and look at the tables below.".to_owned(),
            Tone::Critical => "Look at the findings below, worst first.".to_owned(),
        });
    }
    advice.truncate(8);
    advice
}

/// The steps of a plan, a sentence each; what stays as it is goes without saying.
fn planned(plan: &PlanRows, people: &People) -> Vec<String> {
    let chain = cut(plan.chain.as_str(), 60);
    let segments = plan.segments.iter().filter(|segment| segment.act != "keep").map(|segment| {
        let which = ids(segment.snapshots.iter().map(crate::domain::id::SnapshotId::as_str).collect());
        let (is_one, is_sure) = (segment.snapshots.len() == 1, segment.confidence == word(&HolderConfidence::Certain));
        let holds = match (is_one, is_sure) {
            (true, true) => "holds",
            (false, true) => "hold",
            (true, false) => "seems to hold",
            (false, false) => "seem to hold",
        };
        let whose = segment.object.map(|object| format!(", which {holds} the mail of {}", people.called(object)));
        let target = segment.to_chain.as_ref().map(|to| format!(" to chain {}", cut(to.as_str(), 60)));
        let act = match segment.act.as_str() {
            "quarantine" => "Quarantine".to_owned(),
            "relabel" => "Relabel".to_owned(),
            other => cut(other, 30),
        };
        format!("{act} {which} of chain {chain}{}{}.", target.unwrap_or_default(), whose.unwrap_or_default())
    });
    let next = plan.next.iter().map(|next| {
        let who = people.called(next.object);
        let place =
            next.chain.as_ref().map_or("a new chain".to_owned(), |chain| format!("chain {}", cut(chain.as_str(), 60)));
        match (next.action.as_str(), &next.base) {
            ("incremental", Some(base)) => {
                let base = cut(base.as_str(), 60);
                let safe = next.safe_base.as_ref().map(|safe| {
                    format!(", or on {} if that is an increment on what is set aside", cut(safe.as_str(), 60))
                });
                format!("Base the next incremental of {who} on snapshot {base} of {place}{}.", safe.unwrap_or_default())
            }
            ("incremental", None) => format!("Go on with incrementals of {who} in {place}."),
            ("full", _) => format!("Start {place} for {who} with a full backup."),
            ("stop", _) if next.chain.is_none() => format!("Take no backup of {who} for now."),
            ("stop", _) => format!("Take no backup of {who} for now, and keep {place}."),
            (other, _) => format!("{}: {who} in {place}.", cut(other, 30)),
        }
    });
    segments.chain(next).collect()
}

/// Consecutive snapshots of one owner.
pub fn segments(rows: &[SnapshotRow]) -> Vec<(Option<ObjectId>, Vec<&SnapshotRow>)> {
    let mut segments: Vec<(Option<ObjectId>, Vec<&SnapshotRow>)> = Vec::new();
    for row in rows {
        match segments.last_mut() {
            Some((owner, run)) if *owner == row.owner => run.push(row),
            _ => segments.push((row.owner, vec![row])),
        }
    }
    segments
}

fn range(rows: &[&SnapshotRow]) -> String {
    ids(rows.iter().map(|row| row.snapshot.as_str()).collect())
}

/// `snapshot 41`, `snapshots 1–40`.
fn ids(ids: Vec<&str>) -> String {
    match ids.as_slice() {
        [] => "no snapshots".to_owned(),
        [one] => format!("snapshot {}", cut(one, 40)),
        [first, .., last] => format!("snapshots {}–{}", cut(first, 40), cut(last, 40)),
    }
}

/// What is said of a person's snapshots beside their number: how many of them nothing proves to be the person's.
fn doubt(rows: &[&SnapshotRow]) -> String {
    match unproved(rows) {
        0 => String::new(),
        assumed if assumed == rows.len() => " (assumed)".to_owned(),
        assumed => format!(" ({assumed} of them assumed)"),
    }
}

fn unproved(rows: &[&SnapshotRow]) -> usize {
    rows.iter().filter(|row| row.confidence == HolderConfidence::Assumed).count()
}

fn belongs(rows: &[&SnapshotRow], who: &str) -> String {
    match (rows.len(), unproved(rows)) {
        (1, 0) => format!("belongs to {who}"),
        (_, 0) => format!("belong to {who}"),
        (1, _) => format!("seems to belong to {who}; nothing proves it"),
        (_, assumed) => format!("seem to belong to {who}; nothing proves it for {assumed} of them"),
    }
}

fn count_u64(number: u64, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

fn is_pending(row: &FindingRow) -> bool {
    matches!(row.state, FindingState::Open | FindingState::Acknowledged)
}

fn tone_of(severity: Severity) -> Tone {
    match severity {
        Severity::Critical => Tone::Critical,
        Severity::Warning | Severity::Notice => Tone::Warning,
    }
}
