//! Mailboxes: the stores behind users, which come with the licence, outlast a rename, and are never found by name here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::changes::{Change, ChangeLog};
use super::ids::mix;
use super::message::{Folder, Message, store_id};
use crate::domain::id::{MailboxId, ObjectId};
use crate::domain::time::Instant;

/// How long Exchange keeps the mailbox of somebody without a licence. Whoever gets one later gets an empty mailbox.
pub const LICENCE_GRACE: Duration = Duration::from_secs(30 * 86_400);

/// What a message is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewMessage {
    /// Subject, body, recipients and the like, by their names in Graph.
    pub content: Map<String, Value>,
    /// When it was received, if not now.
    pub received: Option<Instant>,
    /// When it was sent, if not now.
    pub sent: Option<Instant>,
    /// Whether it is a draft.
    pub draft: bool,
}

impl NewMessage {
    /// A message of plain text.
    pub fn text(subject: &str, body: &str, from: Option<&str>) -> Self {
        let mut content = Map::new();
        content.insert("subject".to_owned(), json!(subject));
        content.insert("body".to_owned(), json!({ "contentType": "text", "content": body }));
        if let Some(from) = from {
            let from = json!({ "emailAddress": { "name": from, "address": from } });
            content.insert("from".to_owned(), from.clone());
            content.insert("sender".to_owned(), from);
        }
        Self { content, ..Self::default() }
    }
}

/// The mailboxes of all users. One is made when somebody first looks at it, so that a large directory costs nothing.
#[derive(Clone, Debug)]
pub(super) struct Mailboxes {
    seed: u64,
    /// How many mailboxes a user had before the one of today.
    replaced: BTreeMap<ObjectId, u64>,
    stores: BTreeMap<ObjectId, Mailbox>,
}

/// One mailbox.
#[derive(Clone, Debug)]
pub(super) struct Mailbox {
    pub(super) id: MailboxId,
    messages: BTreeMap<String, Arc<Message>>,
    logs: BTreeMap<Folder, ChangeLog<Message>>,
    /// What a folder has in its log before anything happened in it.
    empty: ChangeLog<Message>,
    numbered: u64,
}

impl Mailboxes {
    pub(super) fn new(seed: u64) -> Self {
        // Its ids come from a row of their own, so that directories have the ids they had before there was mail.
        Self { seed: seed ^ 0x006d_6169_6c62_6f78, replaced: BTreeMap::new(), stores: BTreeMap::new() }
    }

    /// The GUID of the user's mailbox. Whether the user has one is not asked here.
    pub(super) fn id(&self, user: ObjectId) -> MailboxId {
        let replaced = self.replaced.get(&user).copied().unwrap_or(0);
        MailboxId::from_bytes(guid(mix(self.seed, replaced), user))
    }

    pub(super) fn open(&mut self, user: ObjectId) -> &mut Mailbox {
        let id = self.id(user);
        self.stores.entry(user).or_insert_with(|| Mailbox::new(id))
    }

    pub(super) fn get(&self, user: ObjectId) -> Option<&Mailbox> {
        self.stores.get(&user)
    }

    /// Gives the user another, empty mailbox from now on.
    pub(super) fn replace(&mut self, user: ObjectId) {
        let replaced = self.replaced.entry(user).or_default();
        *replaced = replaced.saturating_add(1);
        self.stores.remove(&user);
    }

    /// Forgets what a purged user had.
    pub(super) fn purge(&mut self, user: ObjectId) {
        self.stores.remove(&user);
        self.replaced.remove(&user);
    }
}

impl Mailbox {
    fn new(id: MailboxId) -> Self {
        Self { id, messages: BTreeMap::new(), logs: BTreeMap::new(), empty: ChangeLog::new(), numbered: 0 }
    }

    /// The folder that a request means: by its well-known name or by its id.
    pub(super) fn folder(&self, named: &str) -> Option<Folder> {
        let known = |folder: &Folder| folder.well_known().eq_ignore_ascii_case(named) || folder.id(self.id) == named;
        Folder::ALL.into_iter().find(known)
    }

    pub(super) fn log(&self, folder: Folder) -> &ChangeLog<Message> {
        self.logs.get(&folder).unwrap_or(&self.empty)
    }

    pub(super) fn message(&self, id: &str) -> Option<&Message> {
        self.messages.get(id).map(Arc::as_ref)
    }

    /// The messages of one folder or of all, the latest first, as Graph lists them.
    pub(super) fn messages(&self, folder: Option<Folder>) -> Vec<&Message> {
        let of_folder = |message: &&Message| folder.is_none_or(|folder| message.folder == folder);
        let mut found: Vec<&Message> = self.messages.values().map(Arc::as_ref).filter(of_folder).collect();
        found.sort_by(|a, b| b.received.cmp(&a.received).then_with(|| b.created.cmp(&a.created)).then(a.id.cmp(&b.id)));
        found
    }

    /// Puts a new message into a folder and gives its id.
    pub(super) fn add(&mut self, folder: Folder, new: NewMessage, now: Instant) -> String {
        self.numbered = self.numbered.saturating_add(1);
        let key =
            ObjectId::from_bytes(guid(mix(0x6d65_7373, self.numbered), ObjectId::from_bytes(*self.id.as_bytes())));
        let message = Message {
            id: store_id(self.id, key.as_bytes()),
            mailbox: self.id,
            folder,
            created: now,
            modified: now,
            received: new.received.unwrap_or(now),
            sent: new.sent.unwrap_or(now),
            draft: new.draft,
            content: new.content,
            key,
            version: 1,
        };
        let id = message.id.clone();
        self.keep(message, Change::Created, now);
        id
    }

    /// Changes what a message says; whether there is such a message.
    pub(super) fn edit(&mut self, id: &str, content: Map<String, Value>, now: Instant) -> bool {
        let Some(before) = self.messages.get(id) else { return false };
        let mut message = before.as_ref().clone();
        message.content.extend(content);
        if message.content != before.content {
            message.modified = now;
            message.version = message.version.saturating_add(1);
            self.keep(message, Change::Updated, now);
        }
        true
    }

    /// Moves a message to the deleted items, where it has another id, or out of them for good; whether there is such one.
    pub(super) fn delete(&mut self, id: &str, now: Instant) -> bool {
        let Some(message) = self.messages.remove(id) else { return false };
        if let Some(log) = self.logs.get_mut(&message.folder) {
            log.push(now, Change::Purged, Arc::clone(&message));
        }
        if message.folder != Folder::DeletedItems {
            let Message { received, sent, draft, content, .. } = message.as_ref().clone();
            self.add(
                Folder::DeletedItems,
                NewMessage { content, received: Some(received), sent: Some(sent), draft },
                now,
            );
        }
        true
    }

    fn keep(&mut self, message: Message, change: Change, now: Instant) {
        let message = Arc::new(message);
        self.messages.insert(message.id.clone(), Arc::clone(&message));
        self.logs.entry(message.folder).or_insert_with(ChangeLog::new).push(now, change, message);
    }
}

/// Sixteen bytes that look random, from two seeds, with the bits of a random UUID.
fn guid(seed: u64, of: ObjectId) -> [u8; 16] {
    let (mut high, mut low) = (0u64, 0u64);
    for (n, byte) in of.as_bytes().iter().enumerate() {
        high = mix(high ^ u64::from(*byte), seed.wrapping_add(n as u64));
        low = mix(low ^ u64::from(*byte), high);
    }
    let bits = (u128::from(high) << 64) | u128::from(low);
    let version = (bits & !(0xf << 76)) | (0x4 << 76);
    ((version & !(0x3 << 62)) | (0x2 << 62)).to_be_bytes()
}
