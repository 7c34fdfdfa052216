//! `/users/{id}/mailFolders/{folder}/messages/delta`: what changed in one folder of one mailbox.

use serde_json::{Value, json};

use super::{Place, link, open, top};
use crate::graph::emulator::answer::Answer;
use crate::graph::emulator::api::lists::selection;
use crate::graph::emulator::api::rounds::{begin, expired, expired_page, malformed_token};
use crate::graph::emulator::delta::{Manners, Round, page};
use crate::graph::emulator::entity::Select;
use crate::graph::emulator::message::{Folder, Message};
use crate::graph::emulator::quirks::QuirkName;
use crate::graph::emulator::request::{Request, from_token, to_token};
use crate::graph::emulator::world::World;

/// What the token of every mailbox begins with, so that one of the directory is told from one of another mailbox.
const SET: &str = "mail/";

pub(super) fn answer(world: &mut World, request: &Request, at: &Place, folder: Folder) -> Answer {
    let set = match open(world, at) {
        Ok(mailbox) => format!("{SET}{}/{}", mailbox.id, folder.well_known()),
        Err(refusal) => return refusal,
    };
    match round(world, request, at, folder, &set) {
        Ok(round) => tell(world, request, at, folder, &round),
        Err(refusal) => refusal,
    }
}

fn round(world: &mut World, request: &Request, at: &Place, folder: Folder, set: &str) -> Result<Round, Answer> {
    let start = link(request, at);
    if let Some(token) = request.option("$skiptoken") {
        if world.quirks.fires(QuirkName::PageTokenExpired, &request.path).is_some() {
            return Err(expired_page());
        }
        return known(token, set, &start);
    }
    let round = match request.option("$deltatoken") {
        None | Some("") => first(world, request, set)?,
        Some(token) => {
            let next = known(token, set, &start)?;
            if let Some(refusal) = expired(world, request, &next, &start) {
                return Err(refusal);
            }
            next
        }
    };
    let beginning = begin(world, request, round);
    let log = world.directory.mail_log(at.user, folder);
    log.map(|log| beginning.round(log)).ok_or_else(super::no_item)
}

/// The round in a token. One of another mailbox does not fit here, which is how a client finds that the name in its link has
/// passed to somebody else, or that the user has another mailbox.
fn known(token: &str, set: &str, start: &str) -> Result<Round, Answer> {
    let round = from_token::<Round>(token).filter(|round| round.set.starts_with(SET)).ok_or_else(malformed_token)?;
    if round.set == set {
        return Ok(round);
    }
    let answer = Answer::error(410, "SyncStateNotFound", "The sync state generation is not found.");
    Err(answer.header("Location", format!("{start}?$deltatoken=")))
}

/// The round that a request without a token asks for, before it starts.
fn first(world: &World, request: &Request, set: &str) -> Result<Round, Answer> {
    for unsupported in ["$filter", "$orderby", "$search", "$expand", "$skip", "changetype"] {
        if request.option(unsupported).is_some() {
            let message = format!("The emulator does not know '{unsupported}' for changes of messages.");
            return Err(Answer::error(400, "ErrorInvalidUrlQuery", &message));
        }
    }
    Ok(Round {
        set: set.to_owned(),
        from: 0,
        to: 0,
        initial: true,
        select: selection::<Message>(request)?,
        minimal: false,
        page_size: top(request)?,
        ids: Vec::new(),
        page: 0,
        at: 0,
        repeat: None,
        withheld: None,
        owed: None,
        serial: world.requests.total,
        issued: world.directory.now(),
        manners: Manners::default(),
    })
}

fn tell(world: &World, request: &Request, at: &Place, folder: Folder, round: &Round) -> Answer {
    let Some(log) = world.directory.mail_log(at.user, folder) else { return super::no_item() };
    let (items, next) = page(log, round);
    let (name, token) = match next {
        Some(next) => ("@odata.nextLink", format!("$skiptoken={}", to_token(&next))),
        None => ("@odata.deltaLink", format!("$deltatoken={}", to_token(&round.following()))),
    };
    let names: Vec<&str> = round.select.properties::<Message>().map(|property| property.name).collect();
    let selected = match round.select == Select::by_default::<Message>() {
        true => String::new(),
        false => format!("({})", names.join(",")),
    };
    let mut body = serde_json::Map::new();
    body.insert("@odata.context".to_owned(), json!(format!("{}/$metadata#Collection(message){selected}", at.base)));
    body.insert(name.to_owned(), json!(format!("{}?{token}", link(request, at))));
    body.insert("value".to_owned(), items.into_iter().map(typed).collect());
    Answer::ok(Value::Object(body))
}

/// The item with its type, which changes of messages carry and lists do not.
fn typed(item: Value) -> Value {
    let mut item = super::tagged(item);
    if let Some(fields) = item.as_object_mut() {
        fields.insert("@odata.type".to_owned(), json!("#microsoft.graph.message"));
    }
    item
}
