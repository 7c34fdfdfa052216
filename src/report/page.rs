//! The page: every word and number as the template writes it.

pub(crate) mod rows;

use askama::Template;

use super::content::{ChainRows, Report, SummaryRows, Topic};
use super::drawing::{self, Drawing, Focus};
use super::headline::{self, Tone};
use super::links::{Links, NoLinks};
use super::people::People;
use super::stretches::{self, Stretches};
use super::text::{count, cut, short, shown, span, time, word};

use rows::{ChainTable, FindingLine, PersonTable, PlanTable};

/// How many close-ups are drawn.
const CLOSE_UPS_MAX: usize = 4;

#[derive(Template)]
#[template(path = "report/page.html", escape = "html")]
struct Page {
    p: Content,
}

struct Content {
    title: String,
    topic: String,
    tenant: String,
    clock: String,
    tone_class: &'static str,
    tone_sign: &'static str,
    tone_word: &'static str,
    sentence: String,
    also: Vec<String>,
    advice: Vec<String>,
    stretches: Vec<Stretches>,
    figures: Vec<Figure>,
    summary: Option<Summary>,
    has_chains: bool,
    chains: Vec<ChainTable>,
    people: Vec<PersonTable>,
    findings: Vec<FindingLine>,
    plans: Vec<PlanTable>,
    left_out: Vec<String>,
    basis: Vec<(&'static str, String)>,
}

/// A drawing and what stands below it.
pub struct Figure {
    /// The drawing.
    pub svg: String,
    /// What it shows.
    pub caption: String,
}

struct Summary {
    facts: Vec<(&'static str, String)>,
    names: Vec<NotableLine>,
    syncs: Vec<SyncLine>,
}

struct NotableLine {
    name: String,
    holders: Vec<String>,
    hot: &'static str,
}

struct SyncLine {
    run: u64,
    kind: String,
    started: String,
    ended: String,
    outcome: String,
}

/// The page of a report.
pub fn render(report: &Report) -> Result<String, askama::Error> {
    let people = People::of(report);
    let headline = headline::of(report, &people);
    let basis = &report.basis;
    let (tone_class, tone_sign) = match headline.tone {
        Tone::Fine => ("fine", "✓"),
        Tone::Warning => ("warning", "!"),
        Tone::Critical => ("critical", "✕"),
    };
    let topic = topic(report, &people);
    let mut left_out: Vec<String> = report.left_out.iter().map(|line| shown(line).into_owned()).collect();
    let chains: Vec<ChainTable> =
        report.chains.iter().map(|chain| rows::of_chain(chain, &people, &NoLinks, &mut left_out)).collect();
    let content = Content {
        title: format!("whowas: {topic}"),
        topic,
        tenant: basis.alias.as_deref().map_or_else(|| basis.tenant.to_string(), |alias| cut(alias, 60)),
        clock: time(basis.clock),
        tone_class,
        tone_sign,
        tone_word: headline.tone.word(),
        sentence: headline.sentence,
        also: headline.also,
        advice: headline.advice,
        stretches: stretches(report, &people, &NoLinks),
        figures: figures(report)?,
        summary: report.summary.as_ref().map(summary),
        has_chains: !chains.is_empty(),
        chains,
        people: people
            .iter()
            .filter_map(|person| Some(rows::of_person(report.object(person.object)?, person, &NoLinks)))
            .collect(),
        findings: report.findings.iter().map(|row| rows::of_finding(row, &NoLinks)).collect(),
        plans: report.plans.iter().map(|plan| rows::of_plan(plan, &people)).collect(),
        left_out,
        basis: vec![
            ("Tenant", basis.tenant.to_string()),
            ("Commit", basis.sequence.to_string()),
            ("Hash", basis.hash.clone()),
            ("Clock", format!("{} UTC", time(basis.clock))),
            ("whowas", cut(&basis.version, 40)),
            (
                "Settling",
                format!(
                    "an old name may open the old mailbox for {}; {}",
                    span(basis.propagation_s),
                    basis.audit_lag_s.map_or_else(
                        || "no audit log is read".to_owned(),
                        |lag| format!("the audit log may speak {} late", span(lag))
                    )
                ),
            ),
        ],
    };
    Page { p: content }.render()
}

fn topic(report: &Report, people: &People) -> String {
    match &report.subject {
        Topic::Chain(chain) => format!("chain {}", cut(chain.as_str(), 80)),
        Topic::Object(object) => match people.get(*object) {
            Some(person) => format!("{} (object {})", person.label, short(*object)),
            None => format!("object {object}"),
        },
        Topic::Name(name) => format!("name {}", cut(name.spelling(), 80)),
        Topic::Tenant(_) => "summary".to_owned(),
    }
}

/// The chains that need a look, each at a glance.
pub fn stretches(report: &Report, people: &People, links: &dyn Links) -> Vec<Stretches> {
    let plan = |chain: &ChainRows| report.plans.iter().find(|plan| plan.chain == chain.chain);
    let of = |chain: &ChainRows| stretches::of(chain, plan(chain), people, links);
    report.chains.iter().filter_map(of).take(CLOSE_UPS_MAX).collect()
}

/// The drawings of a report: the whole of it, and a close-up of each chain that is too small in that.
pub fn figures(report: &Report) -> Result<Vec<Figure>, askama::Error> {
    if report.objects.is_empty() && report.chains.is_empty() {
        return Ok(Vec::new());
    }
    let wants = |chain: &&ChainRows| drawing::wants_close_up(report, &chain.chain);
    let close_ups = report.chains.iter().filter(wants).take(CLOSE_UPS_MAX);
    let focuses = std::iter::once(Focus::Whole).chain(close_ups.map(|chain| Focus::Chain(chain.chain.clone())));
    focuses
        .enumerate()
        .map(|(index, focus)| {
            let drawing = Drawing::of(report, &focus, &format!("f{}", index + 1));
            let mut caption = drawing.title.clone();
            caption.push_str(". Rest the pointer on anything to read what it is; the tables below say the same.");
            for line in &drawing.left_out {
                caption.push(' ');
                caption.push_str(line);
            }
            Ok(Figure { svg: drawing::render_within(&drawing)?, caption })
        })
        .collect()
}

fn summary(summary: &SummaryRows) -> Summary {
    let number = |number: u64| count(usize::try_from(number).unwrap_or(usize::MAX), "object", "objects");
    let counts = summary.counts.into_iter().flat_map(|counts| {
        [
            ("Active", number(counts.active)),
            ("Deleted", number(counts.soft_deleted)),
            ("Gone for good", number(counts.purged)),
            ("Snapshots", counts.snapshots.to_string()),
        ]
    });
    let horizon = summary.horizon.map_or_else(|| "nothing".to_owned(), |at| format!("{} UTC", time(at)));
    Summary {
        facts: counts.chain([("Proved through", horizon)]).collect(),
        names: summary
            .names
            .iter()
            .map(|row| NotableLine {
                name: shown(&row.name).into_owned(),
                holders: row.holders.iter().map(ToString::to_string).collect(),
                hot: if row.hot { "never without a live read" } else { "as the policy says" },
            })
            .collect(),
        syncs: summary
            .syncs
            .iter()
            .map(|row| SyncLine {
                run: row.run,
                kind: row.kind.clone(),
                started: time(row.started),
                ended: row.ended.map_or_else(|| "running".to_owned(), time),
                outcome: match &row.error {
                    Some(error) => format!("{}: {}", word(&row.outcome), cut(error, 300)),
                    None => word(&row.outcome),
                },
            })
            .collect(),
    }
}
