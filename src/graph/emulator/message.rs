//! Messages, and the folders they lie in.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use serde_json::{Map, Value, json};

use super::entity::{Entity, Fields, Property, time_or_null};
use crate::domain::id::{MailboxId, ObjectId};
use crate::domain::time::Instant;

/// Longest `bodyPreview`, in characters.
const PREVIEW_CHARS_MAX: usize = 255;

/// The folders that every mailbox has. The emulator keeps no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Folder {
    /// Where mail arrives.
    Inbox,
    /// Where messages are made unless another folder is named.
    Drafts,
    /// What was sent.
    SentItems,
    /// What was deleted from another folder.
    DeletedItems,
}

/// A message in a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its id as Graph prints it, which holds the mailbox's GUID: the same message in another mailbox is another one.
    pub id: String,
    /// The mailbox it is in.
    pub mailbox: MailboxId,
    /// Where it lies there.
    pub folder: Folder,
    /// `createdDateTime`: when it came into this mailbox, whatever else it says of itself.
    pub created: Instant,
    /// `lastModifiedDateTime`.
    pub modified: Instant,
    /// `receivedDateTime`.
    pub received: Instant,
    /// `sentDateTime`.
    pub sent: Instant,
    /// `isDraft`.
    pub draft: bool,
    /// What whoever wrote it put in: subject, body, recipients and the like, by their names in Graph.
    pub content: Map<String, Value>,
    /// Its number among the mailbox's messages, in the form that the change log asks for.
    pub(super) key: ObjectId,
    /// How often it was changed.
    pub(super) version: u64,
}

impl Folder {
    /// All of them, in the order of their names, as Graph lists them.
    pub const ALL: [Self; 4] = [Self::DeletedItems, Self::Drafts, Self::Inbox, Self::SentItems];

    /// The name by which every mailbox has it.
    pub fn well_known(self) -> &'static str {
        match self {
            Self::Inbox => "inbox",
            Self::Drafts => "drafts",
            Self::SentItems => "sentitems",
            Self::DeletedItems => "deleteditems",
        }
    }

    pub(super) fn display_name(self) -> &'static str {
        match self {
            Self::Inbox => "Inbox",
            Self::Drafts => "Drafts",
            Self::SentItems => "Sent Items",
            Self::DeletedItems => "Deleted Items",
        }
    }

    /// Its id in one mailbox.
    pub(super) fn id(self, mailbox: MailboxId) -> String {
        store_id(mailbox, self.well_known().as_bytes())
    }
}

/// An id in the form that Exchange gives its own: whoever decodes one finds the mailbox's GUID in plain text.
pub(super) fn store_id(mailbox: MailboxId, rest: &[u8]) -> String {
    let mut bytes = vec![0, 3, 0x24, 0];
    bytes.extend(mailbox.to_string().into_bytes());
    bytes.extend([0, 0x46, 0, 0, 0, 0]);
    bytes.extend(rest);
    URL_SAFE.encode(bytes)
}

impl Message {
    fn preview(&self) -> String {
        let body = self.content.get("body").and_then(|body| body.get("content")).and_then(Value::as_str);
        body.unwrap_or_default().chars().take(PREVIEW_CHARS_MAX).collect()
    }
}

const fn property(name: &'static str) -> Property {
    Property { name, field: Fields::MESSAGE, default: true }
}

impl Entity for Message {
    const SET: &'static str = "messages";
    const TYPE: &'static str = "Microsoft.OutlookServices.Message";
    const PROPERTIES: &'static [Property] = &[
        property("id"),
        property("createdDateTime"),
        property("lastModifiedDateTime"),
        property("changeKey"),
        property("categories"),
        property("receivedDateTime"),
        property("sentDateTime"),
        property("hasAttachments"),
        property("internetMessageId"),
        property("subject"),
        property("bodyPreview"),
        property("importance"),
        property("parentFolderId"),
        property("conversationId"),
        property("isRead"),
        property("isDraft"),
        property("body"),
        property("sender"),
        property("from"),
        property("toRecipients"),
        property("ccRecipients"),
        property("bccRecipients"),
        property("replyTo"),
    ];

    fn id(&self) -> ObjectId {
        self.key
    }

    fn value(&self, property: &str) -> Value {
        let given = self.content.get(property).cloned();
        match property {
            "id" => json!(self.id),
            "createdDateTime" => time_or_null(Some(self.created)),
            "lastModifiedDateTime" => time_or_null(Some(self.modified)),
            "receivedDateTime" => time_or_null(Some(self.received)),
            "sentDateTime" => time_or_null(Some(self.sent)),
            "changeKey" => json!(URL_SAFE.encode(self.version.to_be_bytes())),
            "hasAttachments" => json!(false),
            "isDraft" => json!(self.draft),
            "bodyPreview" => json!(self.preview()),
            "parentFolderId" => json!(self.folder.id(self.mailbox)),
            "conversationId" => json!(URL_SAFE.encode(self.key.as_bytes())),
            "internetMessageId" => given.unwrap_or_else(|| json!(format!("<{}@emulator.invalid>", self.key))),
            "subject" => given.unwrap_or_else(|| json!("")),
            "importance" => given.unwrap_or_else(|| json!("normal")),
            "isRead" => given.unwrap_or(Value::Bool(false)),
            "body" => given.unwrap_or_else(|| json!({ "contentType": "text", "content": "" })),
            "categories" | "toRecipients" | "ccRecipients" | "bccRecipients" | "replyTo" => {
                given.unwrap_or_else(|| json!([]))
            }
            _ => given.unwrap_or(Value::Null),
        }
    }

    fn ever_set(&self) -> Fields {
        Fields::MESSAGE
    }

    fn differences(&self, other: &Self) -> Fields {
        Fields::NONE.with_if(self != other, Fields::MESSAGE)
    }
}
