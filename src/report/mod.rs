//! The auditor's report: who held a name, whose data a chain holds, and how we know. Typed content in, text out.
//!
//! The content says everything once; the drawing, the sentence at the top, HTML, CSV and JSON are made from it and from
//! nothing else, so the same content gives the same report to the byte.
//!
//! Reading order: the content; the people in it and their colours; the sentence; a chain's stretches; time along the axis;
//! the snapshots' marks; the drawing; the page; the table.

pub mod content;

mod axis;
mod drawing;
pub(crate) mod headline;
pub(crate) mod links;
mod marks;
pub(crate) mod page;
pub(crate) mod people;
pub(crate) mod stretches;
mod table;
pub(crate) mod text;
pub(crate) mod when;

pub use content::Report;
pub use drawing::{Drawing, Focus};
pub use headline::{Headline, Tone};

/// Why a report cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The page.
    #[error("lay out the report")]
    Page(#[from] askama::Error),
    /// The table.
    #[error("write the report's table")]
    Table(#[from] csv::Error),
    /// The JSON.
    #[error("write the report as JSON")]
    Json(#[from] serde_json::Error),
}

/// The report as one HTML file that needs nothing else.
pub fn html(report: &Report) -> Result<String, ReportError> {
    let mut text = page::render(report)?;
    text.push('\n');
    Ok(text)
}

/// The timeline alone, as one SVG image.
pub fn svg(report: &Report) -> Result<String, ReportError> {
    Ok(drawing::render(&Drawing::of(report, &Focus::Whole, "f1"))?)
}

/// The report's main table for a spreadsheet: UTF-8 with a byte order mark, RFC 4180, safe against formulas.
pub fn csv(report: &Report) -> Result<Vec<u8>, ReportError> {
    Ok(table::render(report)?)
}

/// The typed content, for programs.
pub fn json(report: &Report) -> Result<String, ReportError> {
    let mut text = serde_json::to_string_pretty(report)?;
    text.push('\n');
    Ok(text)
}

/// The sentence that matters most, and what to do.
pub fn headline(report: &Report) -> Headline {
    headline::of(report, &people::People::of(report))
}
