//! The verbs of a scenario: what follows the time of a line.

use super::clauses::Kind;
use super::known::Known;
use super::parse::{name, span};
use super::script::{Agent, AskPart, By, Crowd, Deed, Newcomer, Question, Reading, Subject, Verb};
use super::when::Calendar;
use super::words::{ParseError, Words};
use crate::domain::finding::FindingKind;
use crate::domain::id::{IdError, SnapshotId};
use crate::domain::link::Relation;
use crate::domain::name::{Name, NameKind};
use crate::graph::emulator::{Quirk, QuirkName};

/// Every verb there is.
const VERBS: &[&str] = &[
    "create",
    "group",
    "rename",
    "set-upn",
    "add-alias",
    "drop-alias",
    "delete",
    "restore",
    "purge",
    "license",
    "unlicense",
    "disable",
    "quirk",
    "no-quirks",
    "create-each",
    "move-each",
    "delete-each",
    "restore-each",
    "replace-each",
    "poll",
    "ask",
    "ask-each",
    "snapshot",
    "snapshot-each",
    "receipt",
    "expire",
    "who",
    "show",
    "history",
    "status",
    "verify",
    "findings",
    "plan",
    "restore-check",
    "reuse",
    "link",
    "unlink",
    "link-candidates",
    "import",
    "acknowledge",
    "resolve",
];

impl Verb {
    /// Whether it asks something, so that it means nothing without an expectation.
    pub(super) fn is_question(&self) -> bool {
        match self {
            Self::Directory(_) => false,
            Self::Sync(reading) => matches!(reading, Reading::Second),
            Self::Agent(agent) => matches!(agent, Agent::Ask(_) | Agent::AskEach { .. }),
            Self::Audit(question) => !matches!(
                question,
                Question::Link { .. } | Question::ImportAudits { .. } | Question::Review { .. } | Question::Verify
            ),
        }
    }
}

/// Reads a verb and what belongs to it, and tells how its answer is shaped.
pub(super) fn verb(words: &mut Words, known: &mut Known, calendar: &Calendar) -> Result<(Verb, Kind), ParseError> {
    let verb = words.choice("what happens or what is asked", VERBS).map_err(shorten)?;
    if let Some(deed) = deed(verb, words, known)? {
        return Ok((Verb::Directory(deed), Kind::Done));
    }
    if verb == "poll" {
        return poll(words);
    }
    if let Some((agent, kind)) = agent(verb, words, known, calendar)? {
        return Ok((Verb::Agent(agent), kind));
    }
    let (question, kind) = question(verb, words, known, calendar)?;
    Ok((Verb::Audit(question), kind))
}

/// The list of all verbs would hide the message.
fn shorten(error: ParseError) -> ParseError {
    let list = format!(" ({})", VERBS.join(", "));
    ParseError { why: error.why.replace(&list, ""), ..error }
}

/// `ann.lee@x.test [bare] [conflicting] [mail NAME] [alias NAME]… [employee-id E] [immutable-id I]`
pub(super) fn newcomer(words: &mut Words, symbol: String) -> Result<Newcomer, ParseError> {
    let upn = name(words, "a user principal name")?.spelling().to_owned();
    let mut new = Newcomer { symbol, upn, ..Newcomer::default() };
    loop {
        if words.take("bare") {
            new.bare = true;
        } else if words.take("conflicting") {
            new.conflicting = true;
        } else if words.take("mail") {
            new.mail = Some(name(words, "an address")?.spelling().to_owned());
        } else if words.take("alias") {
            new.aliases.push(name(words, "an address")?.spelling().to_owned());
        } else if words.take("employee-id") {
            new.employee_id = Some(words.word("an employee id")?.text);
        } else if words.take("immutable-id") {
            new.immutable_id = Some(words.word("an immutable id")?.text);
        } else if words.is_done() || words.is("=>") {
            return Ok(new);
        } else {
            let known = ["bare", "conflicting", "mail", "alias", "employee-id", "immutable-id"];
            return Err(words.expected("the end of the line or something about the user", &known));
        }
    }
}

/// `STAFF = 5000 users of old.test`
pub(super) fn crowd(words: &mut Words, known: &mut Known) -> Result<Crowd, ParseError> {
    let symbol = known.new_crowd(words)?;
    words.need("=")?;
    let column = words.column();
    let count = words.number("how many users")?;
    let count = usize::try_from(count).ok().filter(|count| (1..=100_000).contains(count));
    let count = count.ok_or_else(|| words.error_at(column, "a crowd has from 1 to 100000 users".to_owned()))?;
    words.need("users")?;
    words.need("of")?;
    let domain = words.word("a domain")?.text;
    Ok(Crowd { symbol, count, domain })
}

fn deed(verb: &str, words: &mut Words, known: &mut Known) -> Result<Option<Deed>, ParseError> {
    let deed = match verb {
        "create" => {
            let symbol = known.new_object(words)?;
            Deed::Create(newcomer(words, symbol)?)
        }
        "group" => {
            let symbol = known.new_object(words)?;
            Deed::Group { symbol, mail: spelled(words, "the group's address")? }
        }
        "rename" | "set-upn" => {
            let mut changes = Vec::new();
            loop {
                let object = known.object(words)?;
                words.need("to")?;
                changes.push((object, spelled(words, "the new name")?));
                if !words.take(",") {
                    break;
                }
            }
            let keep_alias = verb == "rename" && words.take("keep-alias");
            Deed::Rename { changes, keep_alias, upn_only: verb == "set-upn" }
        }
        "add-alias" | "drop-alias" => {
            let object = known.object(words)?;
            Deed::Alias { object, name: spelled(words, "an address")?, add: verb == "add-alias" }
        }
        "delete" => Deed::Delete(known.object(words)?),
        "restore" => {
            let object = known.object(words)?;
            let upn = if words.take("as") { Some(spelled(words, "a user principal name")?) } else { None };
            Deed::Restore { object, upn }
        }
        "purge" => Deed::Purge(known.object(words)?),
        "license" | "unlicense" => Deed::License { object: known.object(words)?, licensed: verb == "license" },
        "disable" => Deed::Disable(known.object(words)?),
        "quirk" => Deed::Quirk(quirk(words)?),
        "no-quirks" => Deed::NoQuirks,
        "create-each" => Deed::CreateCrowd(crowd(words, known)?),
        "move-each" => {
            let crowd = known.crowd(words)?;
            words.need("to")?;
            let domain = words.word("a domain")?.text;
            let stay = if words.take("except") {
                words.need("last")?;
                usize::try_from(words.number("how many stay")?).unwrap_or(usize::MAX)
            } else {
                0
            };
            let keep_alias = !words.take("drop-alias");
            Deed::MoveCrowd { crowd, domain, stay, keep_alias }
        }
        "delete-each" => Deed::DeleteCrowd(known.crowd(words)?),
        "restore-each" => Deed::RestoreCrowd(known.crowd(words)?),
        "replace-each" => {
            let crowd = known.crowd(words)?;
            words.need("by")?;
            Deed::ReplaceCrowd { crowd, by: known.new_crowd(words)? }
        }
        _ => return Ok(None),
    };
    Ok(Some(deed))
}

fn quirk(words: &mut Words) -> Result<Quirk, ParseError> {
    let names: Vec<&'static str> = QuirkName::ALL.iter().map(|quirk| quirk.name()).collect();
    let word = words.choice("a quirk", &names)?;
    let found = QuirkName::ALL.iter().find(|quirk| quirk.name() == word).copied();
    let mut quirk = Quirk::new(found.unwrap_or(QuirkName::Replay));
    let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    loop {
        if words.take("every") {
            quirk = quirk.every(small(words.number("how often")?));
        } else if words.take("times") {
            quirk = quirk.times(small(words.number("how many times")?));
        } else if words.take("seconds") {
            quirk = quirk.seconds(f64::from(small(words.number("how many seconds")?)));
        } else if words.take("count") {
            quirk = quirk.count(small(words.number("how many")?));
        } else if words.take("path") {
            quirk = quirk.path(&words.word("a part of a path")?.text);
        } else if words.take("style") {
            quirk = quirk.style(&words.word("a style")?.text);
        } else if words.is_done() || words.is("=>") {
            return Ok(quirk);
        } else {
            let known = ["every", "times", "seconds", "count", "path", "style"];
            return Err(words.expected("the end of the line or a limit of the quirk", &known));
        }
    }
}

fn poll(words: &mut Words) -> Result<(Verb, Kind), ParseError> {
    let pages = |words: &mut Words| {
        let pages = words.number("how many pages")?;
        words.need("pages").map(|()| pages)
    };
    let reading = if words.take("crash") {
        words.need("after")?;
        Reading::Crash { pages: pages(words)? }
    } else if words.take("until") {
        Reading::Begin { pages: pages(words)? }
    } else if words.take("goes-on") {
        Reading::GoOn
    } else if words.take("elsewhere") {
        Reading::Second
    } else if words.take("accept") {
        Reading::Accept
    } else if words.take("reject") {
        Reading::Reject
    } else {
        let (mut full, mut reconcile, mut announce) = (false, false, Vec::new());
        loop {
            if words.take("full") {
                full = true;
            } else if words.take("reconcile") {
                reconcile = true;
            } else if words.take("announce") {
                let text = |map: &str| map.parse().map_err(|error| format!("{error}"));
                announce.push(words.parsed("a change of domain such as old.test=x.test", text)?);
            } else if words.is_done() || words.is("=>") {
                break;
            } else {
                let known =
                    ["full", "reconcile", "announce", "accept", "reject", "crash", "until", "goes-on", "elsewhere"];
                return Err(words.expected("the end of the line or how to poll", &known));
            }
        }
        Reading::Poll { full, reconcile, announce }
    };
    let kind = if matches!(reading, Reading::Crash { .. } | Reading::Begin { .. } | Reading::Reject) {
        Kind::Done
    } else {
        Kind::Run
    };
    Ok((Verb::Sync(reading), kind))
}

fn agent(
    verb: &str,
    words: &mut Words,
    known: &mut Known,
    calendar: &Calendar,
) -> Result<Option<(Agent, Kind)>, ParseError> {
    Ok(Some(match verb {
        "ask" => (Agent::Ask(ask(words, known, calendar)?), Kind::Check),
        "ask-each" => {
            let crowd = known.crowd(words)?;
            let (mut by_name, mut chain, mut verify) = (false, None, false);
            loop {
                if words.take("by") {
                    by_name = words.choice("`name` or `id`", &["name", "id"])? == "name";
                } else if words.take("chain") {
                    chain = Some(if words.take("of") { known.crowd(words)? } else { crowd.clone() });
                } else if words.take("verify") {
                    verify = true;
                } else if words.is_done() || words.is("=>") {
                    break;
                } else {
                    return Err(words.expected("`=>` or how to ask", &["by", "chain", "verify"]));
                }
            }
            (Agent::AskEach { crowd, by_name, chain, verify }, Kind::Tally)
        }
        "snapshot" => (snapshot(words, known, calendar)?, Kind::Snapshot),
        "snapshot-each" => {
            let crowd = known.crowd(words)?;
            (Agent::SnapshotEach { crowd, id: snapshot_id(words)? }, Kind::Done)
        }
        "receipt" => {
            let (chain, id) = (known.chain(words)?, snapshot_id(words)?);
            let object = known.object(words)?;
            let mailbox = take_mailbox(words, known)?;
            let object_end = if words.take("end") { Some(known.object(words)?) } else { None };
            let mailbox_end = if object_end.is_some() { take_mailbox(words, known)? } else { None };
            (Agent::Receipt { chain, id, object, mailbox, object_end, mailbox_end }, Kind::Snapshot)
        }
        "expire" => (Agent::Expire { chain: known.chain(words)?, id: snapshot_id(words)? }, Kind::Snapshot),
        _ => return Ok(None),
    }))
}

fn ask(words: &mut Words, known: &mut Known, calendar: &Calendar) -> Result<AskPart, ParseError> {
    let mut ask = AskPart::default();
    loop {
        if words.take("chain") {
            ask.chain = Some(known.chain(words)?);
        } else if words.take("mailbox") {
            ask.mailbox = Some(known.mailbox(words)?);
        } else if words.take("as") {
            ask.kind = name_kind(words)?;
        } else if words.take("agent-clock") {
            ask.clock = Some(calendar.when(words)?);
        } else if words.take("max-age") {
            ask.max_age = Some(span(words, "an age such as 1h")?);
        } else if words.take("known-at") {
            ask.known_at = Some(calendar.when(words)?);
        } else if words.take("verify") {
            ask.verify = true;
        } else if words.peek().is_some_and(|word| word.contains('@')) {
            ask.name = Some(name(words, "a name")?);
        } else if known.is_object(words) {
            ask.object = Some(known.object(words)?);
        } else if words.is_done() || words.is("=>") {
            return Ok(ask);
        } else {
            let keys = ["chain", "mailbox", "as", "agent-clock", "max-age", "known-at", "verify"];
            return Err(words.expected("a name, an object of the cast, or how to ask", &keys));
        }
    }
}

fn snapshot(words: &mut Words, known: &mut Known, calendar: &Calendar) -> Result<Agent, ParseError> {
    let (chain, id) = (known.chain(words)?, snapshot_id(words)?);
    words.need("by")?;
    let by = match words.choice("`name` or `id`", &["name", "id"])? {
        "name" => {
            let name = name(words, "the name that was opened")?;
            let kind = if words.take("as") { name_kind(words)? } else { NameKind::Any };
            By::Name(name, kind)
        }
        _ => By::Object(known.object(words)?),
    };
    let (mut from, mut until, mut mailbox, mut imported) = (None, None, None, false);
    loop {
        if words.take("from") {
            from = Some(calendar.when(words)?);
        } else if words.take("until") {
            until = Some(calendar.when(words)?);
        } else if words.is("mailbox") {
            mailbox = take_mailbox(words, known)?;
        } else if words.take("imported") {
            imported = true;
        } else if words.is_done() || words.is("=>") {
            return Ok(Agent::Snapshot { chain, id, by, from, until, mailbox, imported });
        } else {
            let keys = ["from", "until", "mailbox", "imported"];
            return Err(words.expected("the end of the line or something about the snapshot", &keys));
        }
    }
}

fn question(
    verb: &str,
    words: &mut Words,
    known: &mut Known,
    calendar: &Calendar,
) -> Result<(Question, Kind), ParseError> {
    Ok(match verb {
        "who" => {
            let name = name(words, "a name")?;
            let (mut kind, mut at, mut known_at) = (NameKind::Any, None, None);
            loop {
                if words.take("as") {
                    kind = name_kind(words)?;
                } else if words.take("at") {
                    at = Some(calendar.when(words)?);
                } else if words.take("known-at") {
                    known_at = Some(calendar.when(words)?);
                } else if words.is_done() || words.is("=>") {
                    break;
                } else {
                    return Err(words.expected("`=>` or when", &["at", "known-at", "as"]));
                }
            }
            (Question::Who { name, kind, at, known_at }, Kind::Who)
        }
        "show" => (Question::Show { chain: known.chain(words)?, id: snapshot_id(words)? }, Kind::Snapshot),
        "history" => {
            let of = subject(words, known)?;
            let known_at = if words.take("known-at") { Some(calendar.when(words)?) } else { None };
            let kind = if matches!(of, Subject::Name(_)) { Kind::NameHistory } else { Kind::ObjectHistory };
            (Question::History { of, known_at }, kind)
        }
        "status" => (Question::Status, Kind::Status),
        "verify" => (Question::Verify, Kind::Done),
        "findings" => (Question::Findings, Kind::Findings),
        "plan" => (Question::Plan { chain: known.chain(words)? }, Kind::Plan),
        "restore-check" => {
            let (chain, id) = (known.chain(words)?, snapshot_id(words)?);
            words.need("to")?;
            let to = subject(words, known)?;
            (Question::RestoreCheck { chain, id, to, verify: words.take("verify") }, Kind::Restore)
        }
        "reuse" => (Question::Reuse, Kind::Reuse),
        "link" | "unlink" => {
            let from = known.object(words)?;
            let word = words.choice("what the earlier object is to the later one", RELATIONS)?;
            let (relation, to) = (relation(word), known.object(words)?);
            let tenant = if words.take("in") { Some(known.tenant(words)?.0) } else { None };
            (Question::Link { from, relation, to, tenant, add: verb == "link" }, Kind::Done)
        }
        "link-candidates" => (Question::LinkCandidates, Kind::Links),
        "import" => {
            words.need("audits")?;
            let since = if words.take("since") { Some(calendar.when(words)?) } else { None };
            let until = if words.take("until") { Some(calendar.when(words)?) } else { None };
            (Question::ImportAudits { since, until }, Kind::Import)
        }
        // `acknowledge` and `resolve`.
        _ => {
            let kinds: Vec<&'static str> = FindingKind::ALL.iter().map(|kind| kind.word()).collect();
            let kind = words.choice("a kind of finding", &kinds)?.to_owned();
            (Question::Review { resolve: verb == "resolve", kind }, Kind::Done)
        }
    })
}

/// The words for what an earlier object is to a later one.
pub(super) const RELATIONS: &[&str] = &["recreated-as", "migrated-to", "merged-into", "recovered-from"];

fn relation(word: &str) -> Relation {
    match word {
        "migrated-to" => Relation::MigratedTo,
        "merged-into" => Relation::MergedInto,
        "recovered-from" => Relation::RecoveredFrom,
        _ => Relation::RecreatedAs,
    }
}

fn subject(words: &mut Words, known: &Known) -> Result<Subject, ParseError> {
    if words.peek().is_some_and(|word| word.contains('@')) {
        return Ok(Subject::Name(name(words, "a name")?));
    }
    known.object(words).map(Subject::Object)
}

fn take_mailbox(words: &mut Words, known: &Known) -> Result<Option<String>, ParseError> {
    if words.take("mailbox") { known.mailbox(words).map(Some) } else { Ok(None) }
}

pub(super) fn snapshot_id(words: &mut Words) -> Result<SnapshotId, ParseError> {
    words.parsed("a snapshot, such as 41", |text| text.parse().map_err(|error: IdError| error.to_string()))
}

fn name_kind(words: &mut Words) -> Result<NameKind, ParseError> {
    Ok(match words.choice("as what the name is meant", &["any", "upn", "smtp"])? {
        "upn" => NameKind::Upn,
        "smtp" => NameKind::Smtp,
        _ => NameKind::Any,
    })
}

fn spelled(words: &mut Words, what: &str) -> Result<String, ParseError> {
    name(words, what).map(|name: Name| name.spelling().to_owned())
}
