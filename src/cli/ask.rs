//! `check`, `who` and `history`.

use std::fmt::Write as _;

use super::args::{CheckOptions, HistoryOptions, WhoOptions};
use super::batch;
use super::error::{CliError, Exit};
use super::lanes;
use super::link;
use super::mapping::say_scope;
use super::open::{App, How};
use super::output::{self, edge, word_of};
use super::replay::{self, ByBasis, GivenBasis};
use super::source::{Asking, Judge, source};
use crate::domain::holder::HolderConfidence;
use crate::domain::id::ObjectId;
use crate::domain::name::Name;
use crate::domain::verdict::{Action, Ask, Outcome};
use crate::ledger::KnownAt;
use crate::service::check::CheckAnswer;
use crate::service::history::{NameAnswer, ObjectAnswer};
use crate::service::who::WhoAnswer;

pub fn check(app: &App, options: &CheckOptions) -> Result<Exit, CliError> {
    if let Some(file) = &options.replay {
        return replay::replay(app, file, options.max_age.map(|age| age.0));
    }
    let basis = options.basis.as_deref().map(|text| GivenBasis::read(text, options.basis_clock)).transpose()?;
    let source = source(app, "check", How::Existing)?;
    let asking = Asking {
        verify: options.verify,
        max_age: options.max_age.map(|age| age.0),
        basis: basis.map(|basis| basis.sequence),
        basis_clock: basis.and_then(|basis| basis.clock),
    };
    let judge = source.judge(asking)?;
    let judge: Box<dyn Judge + '_> = match basis {
        Some(basis) => Box::new(ByBasis { judge, basis }),
        None => judge,
    };
    if let Some(file) = &options.batch {
        return batch::check_file(judge.as_ref(), file);
    }
    let ask = Ask {
        chain: options.chain.clone(),
        name: options.name.clone(),
        kind: options.kind,
        object: options.object,
        mailbox: options.mailbox,
        at: options.at,
    };
    if ask.chain.is_none() && ask.name.is_none() && ask.object.is_none() {
        return Err(CliError::usage("check: say what is asked with --chain, --name or --object, in any combination"));
    }
    let answer = judge.judge(std::slice::from_ref(&ask))?.pop();
    // There is an answer for each ask.
    let answer = answer.ok_or_else(|| CliError::Missing("the ask was not answered".to_owned()))?;
    output::answer(&app.global, &answer, || say_check(&answer))?;
    Ok(Exit::Verdict(answer.action))
}

pub fn who(app: &App, options: &WhoOptions) -> Result<Exit, CliError> {
    let source = source(app, "who", How::Existing)?;
    let known_at = known_at(options.known_at.as_deref())?;
    let answer = source.who(&options.name, options.kind, options.at, known_at)?;
    output::answer(&app.global, &answer, || say_who(&answer))?;
    Ok(Exit::Done)
}

pub fn history(app: &App, options: &HistoryOptions) -> Result<Exit, CliError> {
    let source = source(app, "history", How::Existing)?;
    let known_at = known_at(options.known_at.as_deref())?;
    if let Ok(object) = options.subject.parse::<ObjectId>() {
        let answer = source.history_of_object(object, known_at)?;
        output::answer(&app.global, &answer, || say_object(&answer))?;
    } else {
        let name: Name = options.subject.parse().map_err(|error| CliError::usage(format!("history: {error}")))?;
        let answer = source.history_of_name(&name, known_at)?;
        output::answer(&app.global, &answer, || say_name(&answer))?;
    }
    Ok(Exit::Done)
}

/// A verdict for people.
pub fn say_check(answer: &CheckAnswer) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write!(text, "{} → {}", word_of(&answer.verdict), word_of(&answer.action));
    if let Some(chain) = &answer.chain {
        let _ = write!(text, "   chain {chain}");
    }
    text.push('\n');
    let goes_on = matches!(answer.action, Action::Incremental | Action::Full);
    if let Some(open) = answer.open.as_ref().filter(|_| goes_on) {
        let base = answer.base.as_ref().filter(|_| answer.action == Action::Incremental);
        let base = base.map(|base| format!(", build on snapshot {base}")).unwrap_or_default();
        let _ = writeln!(text, "  open {open}{base}");
    }
    if let Some(names) = answer.names.as_ref().filter(|_| answer.verdict != Outcome::Unknown) {
        let upn = names.upn.as_ref().map_or("no UPN", Name::spelling);
        let known = if goes_on { "now" } else { "last known as" };
        let _ = writeln!(text, "  {known} {upn}");
    }
    for reason in &answer.reasons {
        let _ = writeln!(text, "  - {reason}");
    }
    for instead in &answer.instead {
        let chain = instead.chain.as_ref().map_or_else(|| "a new chain".to_owned(), |chain| format!("chain {chain}"));
        let _ = writeln!(text, "  instead: object {}: {} in {chain}", instead.object, word_of(&instead.action));
    }
    for candidate in &answer.candidates {
        let _ = writeln!(text, "  candidate: object {} ({})", candidate.object, word_of(&candidate.confidence));
    }
    if let Some(rule) = &answer.mapping {
        let labels: Vec<String> = answer.labels.iter().map(|(key, value)| format!("{key} {value}")).collect();
        let labels = if labels.is_empty() { String::new() } else { format!(" ({})", labels.join(", ")) };
        let _ = writeln!(text, "  mapping: {rule}{labels}");
    }
    let proved = answer.evidence.proved_at.map_or_else(|| "not proved".to_owned(), |at| format!("proved at {at}"));
    let live = if answer.evidence.live { ", by a live read" } else { "" };
    let _ = writeln!(text, "  {proved}{live}; basis {} at {}", answer.basis.sequence, answer.basis.clock);
    text
}

fn say_who(answer: &WhoAnswer) -> String {
    let mut text = String::new();
    let holder = answer.holder.map_or_else(|| "no certain holder".to_owned(), |holder| format!("object {holder}"));
    let _ = writeln!(text, "{} at {}: {holder} ({})", answer.name, answer.at, word_of(&answer.confidence));
    for candidate in &answer.candidates {
        let _ = writeln!(text, "  {} {}", word_of(&candidate.confidence), candidate.object);
        for held in &candidate.held {
            let until = held.until.map_or_else(|| "still".to_owned(), |until| format!("ended {}", edge(until)));
            let _ = writeln!(text, "    as {}: began {}, {until}", held.kind, edge(held.from));
        }
    }
    let _ = writeln!(text, "  basis {}", answer.basis.sequence);
    text
}

fn say_name(answer: &NameAnswer) -> String {
    let mut text = format!("{}\n", answer.name);
    if answer.holders.is_empty() {
        text.push_str("  never seen\n");
    }
    text.push_str(&lanes::draw(answer, 60));
    for holder in &answer.holders {
        let until = holder.until.map_or_else(|| "still held".to_owned(), |until| format!("ended {}", edge(until)));
        let _ = writeln!(text, "  {} as {}: began {}, {until}", holder.object, holder.kind, edge(holder.from));
        if holder.contested {
            text.push_str("    facts about it contradict each other\n");
        }
        for evidence in &holder.evidence {
            let source = word_of(&evidence.source);
            let _ = writeln!(text, "    {source} at {} (commit {})", evidence.at, evidence.sequence);
        }
    }
    let _ = writeln!(text, "  basis {}", answer.basis.sequence);
    text
}

fn say_object(answer: &ObjectAnswer) -> String {
    let mut text = format!("object {} ({})\n", answer.object, word_of(&answer.state));
    if let Some(created) = answer.created {
        let _ = writeln!(text, "  created {created}");
    }
    for period in &answer.states {
        let until = period.until.map_or_else(|| "still".to_owned(), |until| format!("ended {}", edge(until)));
        let _ = writeln!(text, "  {}: began {}, {until}", word_of(&period.state), edge(period.from));
    }
    for name in &answer.names {
        let until = name.until.map_or_else(|| "still".to_owned(), |until| format!("ended {}", edge(until)));
        let _ = writeln!(text, "  {} {}: began {}, {until}", word_of(&name.kind), name.spelling, edge(name.from));
    }
    for chain in &answer.chains {
        let own = || answer.snapshots.iter().filter(|snapshot| snapshot.chain == *chain);
        let assumed = own().filter(|snapshot| snapshot.confidence != HolderConfidence::Certain).count();
        let doubt = if assumed > 0 { format!(", {assumed} of them assumed") } else { String::new() };
        let _ = writeln!(text, "  chain {chain}: {} snapshot(s){doubt}", own().count());
    }
    for period in &answer.scopes {
        let _ = writeln!(
            text,
            "  mapping: {} since {} (commit {})",
            say_scope(&period.scope),
            period.since,
            period.sequence
        );
    }
    for link in &answer.links {
        let _ = writeln!(text, "  link: {}", link::sentence(link));
    }
    let _ = writeln!(text, "  basis {}", answer.basis.sequence);
    text
}

fn known_at(text: Option<&str>) -> Result<KnownAt, CliError> {
    let Some(text) = text else { return Ok(KnownAt::Now) };
    text.parse().map_err(|error| CliError::usage(format!("--known-at: {error}")))
}
