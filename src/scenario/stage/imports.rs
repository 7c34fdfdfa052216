//! What comes in files: another product's catalogue, a saved audit log.

use std::io::Cursor;
use std::ops::ControlFlow;

use serde_json::json;

use super::{Stage, json as answer};
use crate::domain::fact::{Addressed, Snapshot};
use crate::domain::time::Instant;
use crate::import::What;
use crate::scenario::expect::Answer;
use crate::service::import::{Imported, import};
use crate::service::snapshot;
use crate::sync::with_causes;

impl Stage {
    /// A catalogue of one line; the answer is the snapshot.
    pub(super) fn import_snapshot(&self, tenant: usize, taken: &Snapshot) -> Answer {
        let Snapshot { chain, id, from, until, addressed, mailbox } = taken;
        let mut line = json!({"chain": chain, "snapshot": id, "from": from, "until": until, "mailbox": mailbox});
        if let Some(fields) = line.as_object_mut() {
            let (key, value) = match addressed {
                Addressed::Name(name, _) => ("name", json!(name)),
                Addressed::Object(object) => ("object", json!(object)),
            };
            fields.insert(key.to_owned(), value);
        }
        self.import(tenant, What::Snapshots, line.to_string())?;
        let shown = snapshot::show(&self.desk(tenant), chain.clone(), id.clone());
        answer(&shown.map_err(|error| with_causes(&error))?)
    }

    /// The directory's audit log of a time, as Graph prints it.
    pub(super) fn import_audits(&self, tenant: usize, since: Option<Instant>, until: Option<Instant>) -> Answer {
        let text = self.tenant(tenant).emulator.with(|directory| {
            let told = directory.audits().iter().filter(|event| {
                since.is_none_or(|since| event.at >= since) && until.is_none_or(|until| event.at <= until)
            });
            told.map(|event| event.to_json().to_string()).collect::<Vec<_>>().join("\n")
        });
        answer(&self.import(tenant, What::Audits, text)?)
    }

    fn import(&self, tenant: usize, what: What, text: String) -> Result<Imported, String> {
        let mut file = Cursor::new(text.into_bytes());
        let done = import(&self.desk(tenant), what, &mut file, false, &mut |_| ControlFlow::Continue(()));
        let imported = done.map_err(|error| with_causes(&error))?;
        match imported.rejected.first() {
            None => Ok(imported),
            Some(first) => Err(format!("line {}: {}", first.line, first.why)),
        }
    }
}
