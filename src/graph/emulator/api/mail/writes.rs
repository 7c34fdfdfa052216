//! Messages made, changed and deleted. This is where a backup product restores to.

use serde_json::{Map, Value};

use super::{Place, entity, no_item, open};
use crate::domain::time::Instant;
use crate::graph::emulator::answer::Answer;
use crate::graph::emulator::entity::{Entity, Select};
use crate::graph::emulator::mailbox::NewMessage;
use crate::graph::emulator::message::{Folder, Message};
use crate::graph::emulator::request::Request;
use crate::graph::emulator::world::World;

/// What a client may say of a message. Everything else that a message has is the server's to say.
const SETTABLE: &[&str] = &[
    "subject",
    "body",
    "from",
    "sender",
    "toRecipients",
    "ccRecipients",
    "bccRecipients",
    "replyTo",
    "importance",
    "categories",
    "internetMessageId",
    "isRead",
];
/// Where a client hands over what Graph itself ignores: the MAPI properties below, by type and number.
const EXTENDED: &str = "singleValueExtendedProperties";
/// `PR_MESSAGE_FLAGS`: a message made with a value that lacks the bit 8 is none that waits to be sent.
const FLAGS: &str = "integer 0x0e07";
const FLAG_UNSENT: i64 = 8;
/// `PR_MESSAGE_DELIVERY_TIME`.
const DELIVERED: &str = "systemtime 0x0e06";
/// `PR_CLIENT_SUBMIT_TIME`.
const SUBMITTED: &str = "systemtime 0x0039";

/// Makes a message: a draft of now, unless the extended properties say otherwise. `receivedDateTime` and its like are
/// ignored, as the real service ignores them.
pub(super) fn create(world: &mut World, request: &Request, at: &Place, folder: Folder) -> Answer {
    let new = match fields(request).and_then(|fields| message(&fields)) {
        Ok(new) => new,
        Err(refusal) => return refusal,
    };
    let now = world.directory.now();
    let mailbox = match open(world, at) {
        Ok(mailbox) => mailbox,
        Err(refusal) => return refusal,
    };
    let id = mailbox.add(folder, new, now);
    let Some(made) = mailbox.message(&id) else { return no_item() };
    let mut answer = entity(made, Select::by_default::<Message>(), at);
    answer.status = 201;
    answer
}

pub(super) fn patch(world: &mut World, request: &Request, at: &Place, id: &str) -> Answer {
    let content = match fields(request).map(settable) {
        Ok(content) => content,
        Err(refusal) => return refusal,
    };
    let now = world.directory.now();
    let mailbox = match open(world, at) {
        Ok(mailbox) => mailbox,
        Err(refusal) => return refusal,
    };
    if !mailbox.edit(id, content, now) {
        return no_item();
    }
    mailbox.message(id).map_or_else(no_item, |message| entity(message, Select::by_default::<Message>(), at))
}

pub(super) fn delete(world: &mut World, at: &Place, id: &str) -> Answer {
    let done = world.directory.delete_message(at.user, id);
    done.map_or_else(Answer::from, |()| Answer::no_content())
}

fn fields(request: &Request) -> Result<Map<String, Value>, Answer> {
    let Ok(Value::Object(fields)) = serde_json::from_slice::<Value>(&request.body) else {
        return Err(unreadable("The emulator takes messages as JSON objects only."));
    };
    let is_known = |name: &String| {
        name.starts_with('@') || name == EXTENDED || Message::PROPERTIES.iter().any(|known| known.name == *name)
    };
    match fields.keys().find(|name| !is_known(name)) {
        Some(unknown) => {
            Err(unreadable(&format!("The property '{unknown}' does not exist on type 'microsoft.graph.message'.")))
        }
        None => Ok(fields),
    }
}

fn settable(mut fields: Map<String, Value>) -> Map<String, Value> {
    fields.retain(|name, value| SETTABLE.contains(&name.as_str()) && !value.is_null());
    fields
}

fn message(fields: &Map<String, Value>) -> Result<NewMessage, Answer> {
    let mut new = NewMessage { content: settable(fields.clone()), draft: true, ..NewMessage::default() };
    for extended in fields.get(EXTENDED).and_then(Value::as_array).into_iter().flatten() {
        let text = |name: &str| extended.get(name).and_then(Value::as_str);
        let (Some(id), Some(value)) = (text("id"), text("value")) else {
            return Err(unreadable("An extended property has an id and a value, both of them text."));
        };
        let time = || value.parse::<Instant>().map_err(|_| unreadable(&format!("'{value}' is no time.")));
        match id.to_ascii_lowercase().as_str() {
            FLAGS => {
                let flags: i64 = value.parse().map_err(|_| unreadable(&format!("'{value}' is no integer.")))?;
                new.draft = flags & FLAG_UNSENT != 0;
            }
            DELIVERED => new.received = Some(time()?),
            SUBMITTED => new.sent = Some(time()?),
            _ => {}
        }
    }
    Ok(new)
}

fn unreadable(message: &str) -> Answer {
    Answer::error(400, "UnableToDeserializePostBody", message)
}
