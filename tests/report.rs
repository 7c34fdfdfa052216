//! The auditor's report: its drawing, its words, and what it does with hostile content.
#![cfg(feature = "report")]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the helpers of a test fail it; clippy spares only the test functions themselves"
)]

#[path = "report/content.rs"]
mod content;
#[path = "report/hostile.rs"]
mod hostile;
#[path = "report/page.rs"]
mod page;
#[path = "report/properties.rs"]
mod properties;
#[path = "report/xml.rs"]
mod xml;
