//! A restore: whowas is asked first, and what is missing is put back.

use whowas::domain::id::ObjectId;
use whowas::domain::restore::{RestoreAction, RestoreVerdict};

use super::Agent;
use super::contents;
use super::graph::restorable;
use super::trouble::Trouble;

/// How a restore ended.
#[derive(Clone, Debug)]
pub enum Restored {
    /// Done: so many messages made, and so many were there already.
    Done { made: usize, there: usize },
    /// whowas said that the snapshot does not certainly hold this person's own mail. Nothing was written.
    Refused { verdict: RestoreVerdict, reasons: Vec<String> },
}

impl Agent {
    /// Restores a snapshot into the mailbox of an object. A restore that broke off is simply done again.
    pub async fn restore(&self, chain: &str, snapshot: &str, to: ObjectId) -> Result<Restored, Trouble> {
        let permit = self.identity.may_restore(chain, snapshot, to).await?;
        if permit.action != RestoreAction::Proceed {
            return Ok(Restored::Refused { verdict: permit.verdict, reasons: permit.reasons });
        }
        let manifest = self.repository.manifest(chain, snapshot)?;
        let folders = self.graph.folders(to).await?;
        let already = self.graph.message_ids(to).await?;
        let (mut made, mut there) = (0, 0);
        for lost in contents::at(&self.repository, &manifest)? {
            let folder =
                folders.iter().find(|folder| folder.name == lost.name).map_or("inbox", |folder| folder.id.as_str());
            for message in lost.messages.values() {
                let id = message.get("internetMessageId").and_then(serde_json::Value::as_str).unwrap_or_default();
                if already.contains(id) {
                    there += 1;
                } else {
                    self.graph.create(to, folder, &restorable(message)).await?;
                    made += 1;
                }
            }
        }
        Ok(Restored::Done { made, there })
    }
}
