//! Who has a mailbox, and what comes into it.

use super::Directory;
use crate::domain::id::{MailboxId, ObjectId};
use crate::graph::emulator::changes::ChangeLog;
use crate::graph::emulator::mailbox::{LICENCE_GRACE, Mailbox, NewMessage};
use crate::graph::emulator::message::{Folder, Message};
use crate::graph::emulator::refusal::Refusal;
use crate::graph::emulator::user::{User, UserType};

impl Directory {
    /// The mailbox that a live user with a licence has. A renamed user keeps it, and so does a restored one; a licence that
    /// comes back after [`LICENCE_GRACE`] brings another, empty one.
    pub fn mailbox_id(&self, user: ObjectId) -> Option<MailboxId> {
        self.user(user).filter(|user| has_mailbox(user)).map(|user| self.mailboxes.id(user.id))
    }

    /// Lets a message arrive in a user's mailbox, and gives its id.
    pub fn deliver(&mut self, user: ObjectId, folder: Folder, message: NewMessage) -> Result<String, Refusal> {
        let now = self.now;
        Ok(self.mailbox(user)?.add(folder, message, now))
    }

    /// Deletes a message as its owner does: into the deleted items, or from there for good.
    pub fn delete_message(&mut self, user: ObjectId, message: &str) -> Result<(), Refusal> {
        let now = self.now;
        let deleted = self.mailbox(user)?.delete(message, now);
        if deleted { Ok(()) } else { Err(Refusal::NoMessage(message.to_owned())) }
    }

    /// The messages in a user's mailbox, the latest first.
    pub fn messages(&mut self, user: ObjectId) -> Result<Vec<&Message>, Refusal> {
        Ok(self.mailbox(user)?.messages(None))
    }

    pub(in crate::graph::emulator) fn mailbox(&mut self, user: ObjectId) -> Result<&mut Mailbox, Refusal> {
        match self.user(user) {
            None => Err(Refusal::NotFound(user)),
            Some(known) if !has_mailbox(known) => Err(Refusal::NoMailbox(user)),
            Some(_) => Ok(self.mailboxes.open(user)),
        }
    }

    /// What happened in a folder of a mailbox that somebody has opened.
    pub(in crate::graph::emulator) fn mail_log(&self, user: ObjectId, folder: Folder) -> Option<&ChangeLog<Message>> {
        self.mailboxes.get(user).map(|mailbox| mailbox.log(folder))
    }

    /// Looks at what a change of a user did to the licence.
    pub(super) fn follow_licence(&mut self, before: &User, after: &User) {
        let (Some(former), Some(plan)) = (before.exchange_plan, after.exchange_plan) else { return };
        if !former.enabled && plan.enabled && self.now.since(former.since) > LICENCE_GRACE {
            self.mailboxes.replace(after.id);
        }
    }
}

/// A licence gives a mailbox, and so does being a shared one, which never had a licence and has an address all the same.
fn has_mailbox(user: &User) -> bool {
    let is_shared = || user.mail.is_some() && user.user_type == UserType::Member;
    user.exchange_plan.map_or_else(is_shared, |plan| plan.enabled)
}
