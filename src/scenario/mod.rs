//! Scenarios: timelines of directory events and questions with the answers that are right, as files that people read.
//!
//! A scenario is played against the built-in emulator, through the real client and sync, into a real ledger, and asked
//! through the same services as everyone asks. Nothing here knows an answer but the file.
//!
//! ```
//! let text = "title  A name is a label\n\
//!             cast   A = ann@x.test\n\
//!             chains cA\n\
//!             09:00  poll\n\
//!             09:00  snapshot cA 1 by id A\n\
//!             10:00  rename A to eve@x.test\n\
//!             11:00  ask A chain cA verify  => renamed, base 1, change upn ann@x.test -> eve@x.test\n";
//! let script = whowas::scenario::parse(text)?;
//! let played = whowas::scenario::play(&script)?;
//! assert!(whowas::scenario::differences(&script, &played).is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod clauses;
mod expect;
mod judge;
mod known;
mod parse;
mod script;
mod stage;
mod verbs;
mod when;
mod words;

pub use expect::{Answer, Check, Names, Row, Test, Want, show};
pub use judge::{Difference, differences};
pub use parse::parse;
pub use script::{
    Agent, AskPart, By, Crowd, Deed, Newcomer, Question, Reading, Script, Step, Subject, TenantPart, Verb,
};
pub use stage::{Aftermath, Played, StageError, aftermath, play};
pub use words::ParseError;
