//! Mailboxes: their folders and messages, and the settings that name them.
//!
//! As on the real service a mailbox is addressed by its user, and the user by id or by user principal name. A name opens
//! whoever holds it at that moment, and links repeat it: a client that started by name goes on with somebody else's mail
//! once the name has passed on.

mod rounds;
mod writes;

use serde_json::{Value, json};

use super::lists::{render, selection};
use crate::domain::id::ObjectId;
use crate::graph::emulator::answer::Answer;
use crate::graph::emulator::entity::Select;
use crate::graph::emulator::mailbox::Mailbox;
use crate::graph::emulator::message::{Folder, Message};
use crate::graph::emulator::quirks::QuirkName;
use crate::graph::emulator::refusal::Refusal;
use crate::graph::emulator::request::Request;
use crate::graph::emulator::world::World;

/// The size of a page of messages if not asked for.
const TOP: usize = 10;
/// Largest page of messages.
const TOP_MAX: usize = 1_000;

/// What a request addresses below its user.
struct Place<'r> {
    /// The user as the request names them.
    key: &'r str,
    user: ObjectId,
    base: &'r str,
}

/// Answers a request below `/users/{key}`, if it is for a mailbox.
pub(super) fn answer(world: &mut World, request: &Request, key: &str, rest: &[&str], base: &str) -> Option<Answer> {
    let method = request.method.as_str();
    let lower: Vec<String> = rest.iter().map(|segment| segment.to_ascii_lowercase()).collect();
    let words: Vec<&str> = lower.iter().map(String::as_str).collect();
    let is_settings = matches!(words.as_slice(), ["settings", "exchange"]);
    if !is_settings && !matches!(words.first(), Some(&("messages" | "mailfolders"))) {
        return None;
    }
    // The settings need no permission for mail, only the one to read users.
    if !is_settings && let Some(refusal) = denied(world, request) {
        return Some(refusal);
    }
    let user = match owner(world, key) {
        Ok(user) => user,
        Err(refusal) => return Some(refusal),
    };
    let at = Place { key, user, base };
    let answer = match (method, words.as_slice(), rest) {
        ("GET", ["settings", "exchange"], _) => settings(world, &at),
        ("GET", ["messages"], _) => list(world, request, &at, None),
        ("POST", ["messages"], _) => writes::create(world, request, &at, Folder::Drafts),
        ("GET", ["messages", _], [_, id]) => one(world, request, &at, id),
        ("PATCH", ["messages", _], [_, id]) => writes::patch(world, request, &at, id),
        ("DELETE", ["messages", _], [_, id]) => writes::delete(world, &at, id),
        ("GET", ["mailfolders"], _) => folders(world, &at),
        (_, ["mailfolders", _, ..], [_, named, ..]) => {
            let mailbox = match open(world, &at) {
                Ok(mailbox) => mailbox,
                Err(refusal) => return Some(refusal),
            };
            let Some(folder) = mailbox.folder(named) else { return Some(no_item()) };
            match (method, words.get(2..).unwrap_or_default()) {
                ("GET", []) => Answer::ok(described(mailbox, folder)),
                ("GET", ["messages"]) => list(world, request, &at, Some(folder)),
                ("POST", ["messages"]) => writes::create(world, request, &at, folder),
                ("GET", ["messages", "delta" | "microsoft.graph.delta"]) => rounds::answer(world, request, &at, folder),
                _ => return None,
            }
        }
        _ => return None,
    };
    Some(answer)
}

/// The refusal that an application without the permission gets.
fn denied(world: &mut World, request: &Request) -> Option<Answer> {
    let mut shows = |name| world.quirks.fires(name, &request.path).is_some();
    let denied = shows(QuirkName::MailForbidden) || (request.method != "GET" && shows(QuirkName::MailReadOnly));
    denied.then(|| Answer::error(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again."))
}

/// The live user whom a request means, by id or by whatever user principal name they hold now.
fn owner(world: &World, key: &str) -> Result<ObjectId, Answer> {
    let id = match key.parse() {
        Ok(id) => Some(id),
        Err(_) => world.directory.user_by_upn(key).map(|user| user.id),
    };
    let live = id.filter(|id| world.directory.user(*id).is_some());
    live.ok_or_else(|| Answer::error(404, "ErrorInvalidUser", &format!("The requested user '{key}' is invalid.")))
}

fn open<'w>(world: &'w mut World, at: &Place) -> Result<&'w mut Mailbox, Answer> {
    world.directory.mailbox(at.user).map_err(Answer::from)
}

fn no_item() -> Answer {
    Refusal::NoMessage(String::new()).into()
}

/// The one place where Graph tells a mailbox's GUID.
fn settings(world: &mut World, at: &Place) -> Answer {
    let id = match open(world, at) {
        Ok(mailbox) => mailbox.id,
        Err(refusal) => return refusal,
    };
    Answer::ok(json!({
        "@odata.context": format!("{}/$metadata#users('{}')/settings/exchange/$entity", at.base, at.key),
        "primaryMailboxId": format!("MBX:{id}@{}", world.application.tenant),
    }))
}

fn folders(world: &mut World, at: &Place) -> Answer {
    match open(world, at) {
        Ok(mailbox) => Answer::ok(json!({
            "@odata.context": format!("{}/$metadata#users('{}')/mailFolders", at.base, at.key),
            "value": Folder::ALL.map(|folder| described(mailbox, folder)),
        })),
        Err(refusal) => refusal,
    }
}

fn described(mailbox: &Mailbox, folder: Folder) -> Value {
    let messages = mailbox.messages(Some(folder));
    let unread = messages.iter().filter(|message| message.content.get("isRead") != Some(&Value::Bool(true))).count();
    json!({
        "id": folder.id(mailbox.id),
        "displayName": folder.display_name(),
        "childFolderCount": 0,
        "unreadItemCount": unread,
        "totalItemCount": messages.len(),
        "isHidden": false,
    })
}

fn one(world: &mut World, request: &Request, at: &Place, id: &str) -> Answer {
    let select = match selection::<Message>(request) {
        Ok(select) => select,
        Err(refusal) => return refusal,
    };
    match open(world, at).map(|mailbox| mailbox.message(id)) {
        Ok(Some(message)) => entity(message, select, at),
        Ok(None) => no_item(),
        Err(refusal) => refusal,
    }
}

fn entity(message: &Message, select: Select, at: &Place) -> Answer {
    let mut body = json!({ "@odata.context": format!("{}/$metadata#users('{}')/messages/$entity", at.base, at.key) });
    if let (Some(body), Value::Object(properties)) = (body.as_object_mut(), render(message, select)) {
        body.extend(properties);
    }
    Answer::ok(body)
}

/// Messages in pages that count from the latest one, as the real service does it, so that mail that arrives in between
/// shifts them.
fn list(world: &mut World, request: &Request, at: &Place, folder: Option<Folder>) -> Answer {
    for unsupported in ["$filter", "$orderby", "$search", "$expand"] {
        if request.option(unsupported).is_some() {
            return Answer::error(
                400,
                "ErrorInvalidUrlQuery",
                &format!("The emulator does not know '{unsupported}' here."),
            );
        }
    }
    let skip = match request.option("$skip").map_or(Ok(0), str::parse::<usize>) {
        Ok(skip) => skip,
        Err(_) => return Answer::error(400, "ErrorInvalidUrlQuery", "Invalid value for '$skip'."),
    };
    let (top, select) = match (top(request), selection::<Message>(request)) {
        (Ok(top), Ok(select)) => (top, select),
        (Err(refusal), _) | (_, Err(refusal)) => return refusal,
    };
    let messages = match open(world, at) {
        Ok(mailbox) => mailbox.messages(folder),
        Err(refusal) => return refusal,
    };
    let page: Vec<Value> =
        messages.iter().skip(skip).take(top).map(|message| tagged(render(*message, select))).collect();
    let mut body = json!({ "@odata.context": format!("{}/$metadata#users('{}')/messages", at.base, at.key) });
    if let Some(body) = body.as_object_mut() {
        let next = skip.saturating_add(page.len());
        if next < messages.len() {
            let mut query = url::form_urlencoded::Serializer::new(String::new());
            for (name, value) in request.options.iter().filter(|(name, _)| name != "$skip") {
                query.append_pair(name, value);
            }
            let query = query.append_pair("$skip", &next.to_string()).finish();
            body.insert("@odata.nextLink".to_owned(), json!(format!("{}?{query}", link(request, at))));
        }
        body.insert("value".to_owned(), Value::Array(page));
    }
    Answer::ok(body)
}

/// The address of what a request asked for, as links repeat it: with the user as the request names them.
fn link(request: &Request, at: &Place) -> String {
    let path = request.path.as_str();
    let path = path.strip_prefix("/v1.0").or_else(|| path.strip_prefix("/beta")).unwrap_or(path);
    format!("{}{path}", at.base)
}

/// `$top`, or the page size that the client would like.
fn top(request: &Request) -> Result<usize, Answer> {
    let Some(text) = request.option("$top") else {
        return Ok(request.preferred_page_size().unwrap_or(TOP).min(TOP_MAX));
    };
    text.parse().ok().filter(|top| (1..=TOP_MAX).contains(top)).ok_or_else(|| {
        Answer::error(
            400,
            "ErrorInvalidUrlQuery",
            &format!("Invalid value for '$top': '{text}'. It is from 1 to 1000."),
        )
    })
}

/// The item with its version, as messages carry it in lists.
fn tagged(mut item: Value) -> Value {
    if let Some(fields) = item.as_object_mut()
        && let Some(Value::String(key)) = fields.get("changeKey")
    {
        let tag = json!(format!("W/\"{key}\""));
        fields.insert("@odata.etag".to_owned(), tag);
    }
    item
}
