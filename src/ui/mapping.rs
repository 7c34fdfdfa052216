//! Who is protected: the rules in force, and what other rules would change.

use askama::Template;

use super::person::scope;
use super::{Frame, PageError};
use crate::report::links::Links;
use crate::report::text::{count, cut};
use crate::service::mapping::{MappingAnswer, MovePart};

/// How many users of a list a page names.
const NAMED: usize = 100;

#[derive(Template)]
#[template(path = "ui/mapping.html")]
struct Page<'a> {
    frame: &'a Frame,
    since: String,
    rules: String,
    wrong: Option<String>,
    preview: Option<Preview>,
    action: String,
    may_preview: bool,
}

struct Preview {
    said: String,
    tone: &'static str,
    breach: Option<String>,
    counts: Vec<(String, u64)>,
    lists: Vec<List>,
}

struct List {
    title: String,
    note: &'static str,
    items: Vec<Moved>,
    more: String,
}

struct Moved {
    name: String,
    href: String,
    from: String,
    to: String,
    chains: Vec<(String, String)>,
}

/// What is shown of the rules.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    /// The commit since which the rules are in force.
    pub since: Option<u64>,
    /// The rules in the field, as they are written in the configuration.
    pub rules: String,
    /// What is wrong with them.
    pub wrong: Option<String>,
    /// What they would change.
    pub answer: Option<MappingAnswer>,
}

/// The page of the mapping.
///
/// # Errors
/// If it cannot be laid out.
pub fn page(frame: &Frame, shown: Shown) -> Result<String, PageError> {
    let pages = frame.pages();
    let page = Page {
        frame,
        since: match shown.since {
            Some(since) => format!("These rules are in force since commit {since}, in order of priority."),
            None => "No rules are in force: everyone is protected.".to_owned(),
        },
        rules: shown.rules,
        wrong: shown.wrong,
        preview: shown.answer.map(|answer| preview(&answer, &pages)),
        action: pages.now("mapping", &[]),
        may_preview: frame.when.known.is_none(),
    };
    Ok(page.render()?)
}

fn preview(answer: &MappingAnswer, pages: &dyn Links) -> Preview {
    let users = |list: &[MovePart]| count(list.len(), "user", "users");
    let (said, tone) = if !answer.changed {
        ("These rules are in force already.".to_owned(), "fine")
    } else if answer.freeze.is_empty() {
        let said = format!(
            "{} would come in and {} would leave; no chain would freeze.",
            users(&answer.enter),
            users(&answer.leave)
        );
        (said, "fine")
    } else {
        let said = format!(
            "{} would come in and {} would leave; the chains of {} would freeze.",
            users(&answer.enter),
            users(&answer.leave),
            users(&answer.freeze)
        );
        (said, "warning")
    };
    let mut counts: Vec<(String, u64)> =
        answer.rules.iter().map(|part| (format!("protected by “{}”", cut(&part.rule, 80)), part.protects)).collect();
    counts.push(("not protected by any rule".to_owned(), answer.out));
    counts.push(("live users in all".to_owned(), answer.users));
    let list = |title: &str, note, moves: &[MovePart]| List {
        title: format!("{title} ({})", moves.len()),
        note,
        items: moves.iter().take(NAMED).map(|part| moved(part, pages)).collect(),
        more: match moves.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!("and {more} more; `whowas mapping preview --output json` names all"),
        },
    };
    Preview {
        said,
        tone,
        breach: answer.breach.as_ref().map(|why| cut(why, 300)),
        counts,
        lists: vec![
            list(
                "Chains that would freeze",
                "They leave and have chains, which would get no more incrementals.",
                &answer.freeze,
            ),
            list("Who would leave", "No rule would protect them any more.", &answer.leave),
            list("Who would come in", "They would come under protection.", &answer.enter),
            list(
                "Who cannot be decided",
                "What the rules look at was not read of them; they are answered “refresh”.",
                &answer.unknown,
            ),
        ]
        .into_iter()
        .filter(|list| !list.items.is_empty())
        .collect(),
    }
}

fn moved(part: &MovePart, pages: &dyn Links) -> Moved {
    Moved {
        name: part.name.as_ref().map_or_else(|| part.object.to_string(), |name| cut(name.spelling(), 120)),
        href: pages.person(part.object),
        from: scope(&part.from),
        to: scope(&part.to),
        chains: part.chains.iter().map(|chain| (cut(chain.as_str(), 60), pages.chain(chain))).collect(),
    }
}
