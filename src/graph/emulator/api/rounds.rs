//! `/users/delta` and its like.

use serde_json::{Value, json};

use super::lists::forbidden;
use crate::domain::id::ObjectId;
use crate::domain::time::Instant;
use crate::graph::emulator::answer::Answer;
use crate::graph::emulator::changes::ChangeLog;
use crate::graph::emulator::delta::{Manners, Round, page};
use crate::graph::emulator::directory::Directory;
use crate::graph::emulator::entity::{Entity, Select};
use crate::graph::emulator::group::{Contact, Group};
use crate::graph::emulator::quirks::QuirkName;
use crate::graph::emulator::request::{Request, equalities, from_token, to_token};
use crate::graph::emulator::user::User;
use crate::graph::emulator::world::World;

/// Most ids that a delta `$filter` may name.
const FILTER_IDS_MAX: usize = 50;

/// An entity whose changes the directory tracks.
pub(super) trait Tracked: Entity {
    fn log(directory: &Directory) -> &ChangeLog<Self>;
}

impl Tracked for User {
    fn log(directory: &Directory) -> &ChangeLog<Self> {
        &directory.user_log
    }
}

impl Tracked for Group {
    fn log(directory: &Directory) -> &ChangeLog<Self> {
        &directory.group_log
    }
}

impl Tracked for Contact {
    fn log(directory: &Directory) -> &ChangeLog<Self> {
        &directory.contact_log
    }
}

pub(super) fn answer<T: Tracked>(world: &mut World, request: &Request, base: &str) -> Answer {
    let permission = match T::SET {
        "groups" => Some(QuirkName::GroupsForbidden),
        "contacts" => Some(QuirkName::ContactsForbidden),
        _ => None,
    };
    if permission.is_some_and(|quirk| world.quirks.fires(quirk, &request.path).is_some()) {
        return forbidden();
    }
    match round::<T>(world, request, base) {
        Ok(round) => tell::<T>(world, request, base, &round),
        Err(refusal) => refusal,
    }
}

/// The round, at the page this request asks for.
fn round<T: Tracked>(world: &mut World, request: &Request, base: &str) -> Result<Round, Answer> {
    if let Some(token) = request.option("$skiptoken") {
        if world.quirks.fires(QuirkName::PageTokenExpired, &request.path).is_some() {
            return Err(expired_page());
        }
        return known_round::<T>(token).ok_or_else(malformed_token);
    }
    match request.option("$deltatoken") {
        Some("latest") => {
            let first = first_round::<T>(world, request)?;
            let started = start::<T>(world, request, first);
            // Everything up to now counts as told.
            Ok(Round { at: started.to, from: started.to, manners: Manners::default(), ..started })
        }
        None | Some("") => {
            let first = first_round::<T>(world, request)?;
            Ok(start::<T>(world, request, first))
        }
        Some(token) => {
            let next = known_round::<T>(token).ok_or_else(malformed_token)?;
            let start_over = format!("{base}/{}/delta", T::SET);
            if let Some(refusal) = expired(world, request, &next, &start_over) {
                return Err(refusal);
            }
            Ok(start::<T>(world, request, next))
        }
    }
}

fn tell<T: Tracked>(world: &World, request: &Request, base: &str, round: &Round) -> Answer {
    let (items, next) = page(T::log(&world.directory), round);
    let (link, token) = match next {
        Some(next) => ("@odata.nextLink", format!("$skiptoken={}", to_token(&next))),
        None => ("@odata.deltaLink", format!("$deltatoken={}", to_token(&round.following()))),
    };
    let names: Vec<&str> = round.select.properties::<T>().map(|property| property.name).collect();
    let selected =
        if round.select == Select::by_default::<T>() { String::new() } else { format!("({})", names.join(",")) };
    let mut body = serde_json::Map::new();
    body.insert("@odata.context".to_owned(), json!(format!("{base}/$metadata#{}{selected}", T::SET)));
    body.insert(link.to_owned(), json!(format!("{base}/{}/delta?{token}", T::SET)));
    body.insert("value".to_owned(), Value::Array(items));
    let answer = Answer::ok(Value::Object(body));
    if request.prefers("return=minimal") { answer.header("Preference-Applied", "return=minimal") } else { answer }
}

/// The round that a request without a token asks for, before it starts.
fn first_round<T: Tracked>(world: &World, request: &Request) -> Result<Round, Answer> {
    for refused in ["$top", "$expand", "$orderby", "$search", "$skip"] {
        if request.option(refused).is_some() {
            let message = format!("The query parameter '{refused}' is not supported for change tracking.");
            return Err(Answer::unsupported_query(&message));
        }
    }
    Ok(Round {
        set: T::SET.to_owned(),
        from: 0,
        to: 0,
        initial: true,
        select: selection::<T>(request)?,
        minimal: request.prefers("return=minimal"),
        page_size: request.preferred_page_size().unwrap_or(world.page_size).min(999),
        ids: filter_ids(request)?,
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

fn start<T: Tracked>(world: &mut World, request: &Request, round: Round) -> Round {
    let beginning = begin(world, request, round);
    beginning.round(T::log(&world.directory))
}

/// A round about to start: all that it needs but the log that it tells of.
pub(super) struct Beginning {
    round: Round,
    /// It tells the log as it was then.
    as_of: Instant,
    serial: u64,
    manners: Manners,
}

impl Beginning {
    /// The round, with its end fixed.
    pub(super) fn round<T: Entity>(self, log: &ChangeLog<T>) -> Round {
        self.round.started(log, log.length_at(self.as_of), self.serial, self.manners)
    }
}

pub(super) fn begin(world: &mut World, request: &Request, round: Round) -> Beginning {
    let lag = world.quirks.fires(QuirkName::ReplicationLag, &request.path).map(|quirk| quirk.span(120.0));
    let issued = world.directory.now();
    let serial = world.requests.total;
    let manners = world.quirks.manners(&request.path, serial);
    // A client may ask for another page size or for minimal answers with each round.
    let page_size = request.preferred_page_size().unwrap_or(round.page_size).min(999);
    let minimal = round.minimal || request.prefers("return=minimal");
    let round = Round { page_size, minimal, issued, ..round };
    Beginning { round, as_of: issued.minus(lag.unwrap_or_default()), serial, manners }
}

/// `$select` for delta: what the directory store does not keep cannot be tracked.
fn selection<T: Tracked>(request: &Request) -> Result<Select, Answer> {
    let Some(select) = request.option("$select") else { return Ok(Select::by_default::<T>()) };
    let untracked = ["photo", "skills", "mailboxSettings", "aboutMe", "signInActivity", "birthday", "interests"];
    if select.split(',').any(|name| untracked.contains(&name.trim())) {
        return Err(Answer::error(501, "NotImplemented", "This operation target is not yet supported."));
    }
    Select::parse::<T>(select).map_err(|name| unknown_property::<T>(&name))
}

pub(super) fn unknown_property<T: Entity>(name: &str) -> Answer {
    let kind = T::TYPE;
    let message =
        format!("Parsing OData Select and Expand failed: Could not find a property named '{name}' on type '{kind}'.");
    Answer::error(400, "BadRequest", &message)
}

fn filter_ids(request: &Request) -> Result<Vec<ObjectId>, Answer> {
    let Some(filter) = request.option("$filter") else { return Ok(Vec::new()) };
    let ids: Option<Vec<ObjectId>> = equalities(filter)
        .filter(|(property, values)| property == "id" && values.len() <= FILTER_IDS_MAX)
        .and_then(|(_, values)| values.iter().map(|value| value.parse().ok()).collect());
    ids.ok_or_else(|| Answer::unsupported_query("Unsupported Query. Only up to 50 ids can be filtered."))
}

fn known_round<T: Tracked>(token: &str) -> Option<Round> {
    from_token::<Round>(token).filter(|round| round.set == T::SET)
}

/// The refusal of a delta token that a quirk calls too old; `start_over` is where a full round begins.
pub(super) fn expired(world: &mut World, request: &Request, round: &Round, start_over: &str) -> Option<Answer> {
    // Peeking first keeps a limited quirk from being used up by tokens too young for it.
    let quirk = world.quirks.active().iter().find(|quirk| quirk.name == QuirkName::DeltaTokenExpired)?;
    let old = match quirk.seconds {
        Some(_) => world.directory.now().since(round.issued) > quirk.span(0.0),
        // Without an age it is every token from before, so that the full round that follows ends with a good one.
        None => round.serial <= quirk.since(),
    };
    if !old {
        return None;
    }
    let quirk = world.quirks.fires(QuirkName::DeltaTokenExpired, &request.path)?;
    match quirk.style.as_deref() {
        Some("bad_request") => {
            return Some(Answer::error(400, "syncStateNotFound", "The sync state generation is not found."));
        }
        // What users/delta really says to a link that is too old.
        Some("unsupported") => {
            return Some(Answer::unsupported_query("DeltaLink older than 30 days is not supported."));
        }
        _ => {}
    }
    let location = format!("{start_over}?$deltatoken=");
    let answer = Answer::error(410, "SyncStateNotFound", "The sync state generation is not found; generation=605.");
    Some(answer.header("Location", location))
}

pub(super) fn malformed_token() -> Answer {
    Answer::bad_request("Badly formed token.")
}

pub(super) fn expired_page() -> Answer {
    let message = "The specified page token value has expired and can no longer be used.";
    Answer::error(400, "Directory_ExpiredPageToken", message)
}
