//! The line about the instant that is asked about.

use super::Frame;
use crate::domain::time::Instant;
use crate::ledger::LedgerError;
use crate::report::text::time;
use crate::service::Desk;

/// The instant that a line is about, and what must be said beside it.
pub struct Then {
    /// The instant; now, if the one that is asked about is still to come.
    pub at: Instant,
    before: String,
    after: String,
}

impl Then {
    /// What a page is asked about, if it is asked about an instant.
    ///
    /// # Errors
    /// If the ledger cannot be read.
    pub fn of(frame: &Frame, desk: &Desk) -> Result<Option<Self>, LedgerError> {
        let Some(asked) = frame.when.at else { return Ok(None) };
        let now = desk.clock.now();
        let at = asked.min(now);
        // Of what is still to come nothing can be known.
        let before = if asked > now {
            format!("{} UTC is still to come, so this is about now. ", time(asked))
        } else {
            String::new()
        };
        let after = match desk.ledger.head(desk.tenant)?.state.coverage.horizon() {
            Some(horizon) if at <= horizon => String::new(),
            Some(horizon) => format!(" No sync covers that time: the last one reaches to {} UTC.", time(horizon)),
            None => " No sync covers that time: none has gone through.".to_owned(),
        };
        Ok(Some(Self { at, before, after }))
    }

    /// The whole line; `what` goes on after the instant and ends with a full stop.
    pub fn say(&self, what: &str) -> String {
        format!("{}At {} UTC {what}{}", self.before, time(self.at), self.after)
    }
}
