//! What the pages of a chain, a person and a name have in common: all is made from the report about it.

use crate::report::content::{PlanRows, Report};
use crate::report::headline::{self, Tone};
use crate::report::page::rows::{self, FindingLine, PersonTable, PlanTable};
use crate::report::page::{self, Figure};
use crate::report::people::People;
use crate::report::stretches::Stretches;
use crate::report::text::{cut, shown};

use super::PageError;
use super::links::Pages;

/// A report as a page shows it.
pub struct Subject {
    /// How bad it is, as a class.
    pub tone: &'static str,
    /// The sign beside it.
    pub sign: &'static str,
    /// How bad it is.
    pub word: &'static str,
    /// The sentence that matters most.
    pub sentence: String,
    /// What else matters.
    pub also: Vec<String>,
    /// What to do.
    pub advice: Vec<String>,
    /// The chains at a glance.
    pub stretches: Vec<Stretches>,
    /// The drawings.
    pub figures: Vec<Figure>,
    /// Everyone.
    pub people: Vec<PersonTable>,
    /// What must be looked at.
    pub findings: Vec<FindingLine>,
    /// The repair plans.
    pub plans: Vec<PlanTable>,
    /// What is not shown.
    pub left_out: Vec<String>,
    /// What it rests on.
    pub basis: String,
    /// The addresses of the report as files: its format and its address.
    pub files: Vec<(&'static str, String)>,
}

impl Subject {
    /// Lays out a report. `about` are the parameters of its page.
    pub fn of(report: &Report, people: &People, pages: &Pages, about: &[(&str, &str)]) -> Result<Self, PageError> {
        let headline = headline::of(report, people);
        let (tone, sign) = match headline.tone {
            Tone::Fine => ("fine", "✓"),
            Tone::Warning => ("warning", "!"),
            Tone::Critical => ("critical", "✕"),
        };
        let person = |person: &crate::report::people::Person| {
            Some(rows::of_person(report.object(person.object)?, person, pages))
        };
        Ok(Self {
            tone,
            sign,
            word: headline.tone.word(),
            sentence: headline.sentence,
            also: headline.also,
            advice: headline.advice,
            stretches: page::stretches(report, people, pages),
            figures: page::figures(report)?,
            people: people.iter().filter_map(person).collect(),
            findings: report.findings.iter().map(|row| rows::of_finding(row, pages)).collect(),
            plans: report.plans.iter().map(|plan: &PlanRows| rows::of_plan(plan, people)).collect(),
            left_out: report.left_out.iter().map(|line| shown(line).into_owned()).collect(),
            basis: format!("commit {}, {}", report.basis.sequence, cut(&report.basis.hash, 17)),
            files: [("HTML", "html"), ("CSV", "csv"), ("JSON", "json")]
                .map(|(word, format)| (word, pages.report(format, about)))
                .into(),
        })
    }
}
