//! Plain listings, in pages ordered by id, so that changes between two pages neither repeat nor hide anything else.

use serde_json::{Value, json};

use super::rounds::{expired_page, unknown_property};
use crate::domain::id::ObjectId;
use crate::graph::emulator::answer::Answer;
use crate::graph::emulator::directory::Directory;
use crate::graph::emulator::entity::{Entity, Select};
use crate::graph::emulator::group::{Contact, Group};
use crate::graph::emulator::quirks::QuirkName;
use crate::graph::emulator::request::{Request, equalities, from_token, to_token};
use crate::graph::emulator::user::User;
use crate::graph::emulator::world::World;

/// Largest page a listing gives.
pub(super) const TOP_MAX: usize = 999;
/// Most clauses of a filter.
const FILTER_CLAUSES_MAX: usize = 15;
/// What a filter by an address asks about, whatever it calls the address.
const ANY_PROXY: &str = "proxyAddresses/any";
/// The size of its pages if not asked for.
pub(super) const TOP: usize = 100;

pub(super) fn users(world: &mut World, request: &Request, base: &str) -> Answer {
    let path = format!("{base}/users");
    match request.option("$filter") {
        Some(filter) => filtered_users(world, request, filter, base),
        None => list(world, request, &path, base, |directory, id| directory.users_after(id)),
    }
}

pub(super) fn deleted(world: &mut World, request: &Request, base: &str) -> Answer {
    let path = format!("{base}/directory/deletedItems/microsoft.graph.user");
    if request.option("$orderby").is_some() && request.header("consistencylevel").is_none() {
        return Answer::unsupported_query("Sorting not supported for current query.");
    }
    list(world, request, &path, base, |directory, id| directory.deleted_after(id))
}

pub(super) fn groups(world: &mut World, request: &Request, base: &str) -> Answer {
    if world.quirks.fires(QuirkName::GroupsForbidden, &request.path).is_some() {
        return forbidden();
    }
    if let Some(filter) = request.option("$filter") {
        let groups = world.directory.groups_after(None);
        return filtered::<Group>(request, filter, base, groups, |group| &group.proxies);
    }
    let path = format!("{base}/groups");
    list::<Group, _>(world, request, &path, base, |directory, id| directory.groups_after(id))
}

pub(super) fn contacts(world: &mut World, request: &Request, base: &str) -> Answer {
    if world.quirks.fires(QuirkName::ContactsForbidden, &request.path).is_some() {
        return forbidden();
    }
    if let Some(filter) = request.option("$filter") {
        let contacts = world.directory.contacts_after(None);
        return filtered::<Contact>(request, filter, base, contacts, |contact| &contact.proxies);
    }
    let path = format!("{base}/contacts");
    list::<Contact, _>(world, request, &path, base, |directory, id| directory.contacts_after(id))
}

/// `$top`, or what stands for it.
pub(super) fn top(world: &World, request: &Request) -> Result<usize, Answer> {
    let Some(text) = request.option("$top") else {
        return Ok(request.preferred_page_size().unwrap_or_else(|| world.page_size.min(TOP)).min(TOP_MAX));
    };
    text.parse().ok().filter(|top| (1..=TOP_MAX).contains(top)).ok_or_else(|| {
        let message = format!("Invalid page size specified: '{text}'. Must be between 1 and 999 inclusive.");
        Answer::bad_request(&message)
    })
}

/// `$select`, for reads and listings.
pub(super) fn selection<T: Entity>(request: &Request) -> Result<Select, Answer> {
    match request.option("$select") {
        None => Ok(Select::by_default::<T>()),
        Some(select) => Select::parse::<T>(select).map_err(|name| unknown_property::<T>(&name)),
    }
}

/// An object with all of its selected properties, nulls included.
pub(super) fn render<T: Entity>(object: &T, select: Select) -> Value {
    let properties = select.properties::<T>().map(|property| (property.name.to_owned(), object.value(property.name)));
    Value::Object(properties.collect())
}

/// What a listing's skip token holds.
#[derive(serde::Serialize, serde::Deserialize)]
struct Position {
    after: ObjectId,
    top: usize,
    select: Select,
}

fn list<'w, T: Entity + 'w, I: Iterator<Item = &'w T>>(
    world: &'w mut World,
    request: &Request,
    path: &str,
    base: &str,
    objects: impl FnOnce(&'w Directory, Option<ObjectId>) -> I,
) -> Answer {
    let (after, top, select) = match request.option("$skiptoken") {
        Some(token) => {
            if world.quirks.fires(QuirkName::PageTokenExpired, &request.path).is_some() {
                return expired_page();
            }
            match from_token::<Position>(token) {
                Some(position) => (Some(position.after), position.top, position.select),
                None => return Answer::bad_request("Badly formed token."),
            }
        }
        None => match (top(world, request), selection::<T>(request)) {
            (Ok(top), Ok(select)) => (None, top, select),
            (Err(refusal), _) | (_, Err(refusal)) => return refusal,
        },
    };
    let mut rest = objects(&world.directory, after);
    let page: Vec<&T> = rest.by_ref().take(top).collect();
    let more = rest.next().is_some();
    let mut body = serde_json::Map::new();
    body.insert("@odata.context".to_owned(), json!(format!("{base}/$metadata#{}", T::SET)));
    if let (true, Some(last)) = (more, page.last()) {
        let token = to_token(&Position { after: last.id(), top, select });
        body.insert("@odata.nextLink".to_owned(), json!(format!("{path}?$skiptoken={token}")));
    }
    body.insert("value".to_owned(), page.iter().map(|object| render(*object, select)).collect());
    Answer::ok(Value::Object(body))
}

/// By id, or by an address with its prefix, which compares without case.
fn filtered<'w, T: Entity + 'w>(
    request: &Request,
    filter: &str,
    base: &str,
    all: impl Iterator<Item = &'w T>,
    proxies: impl Fn(&T) -> &Vec<String>,
) -> Answer {
    let select = match selection::<T>(request) {
        Ok(select) => select,
        Err(refusal) => return refusal,
    };
    let Some((property, values)) = equalities(filter).filter(|(_, values)| values.len() <= FILTER_CLAUSES_MAX) else {
        return Answer::unsupported_query("Unsupported or invalid query filter clause specified.");
    };
    let is_any = |text: &str| values.iter().any(|value| value.eq_ignore_ascii_case(text));
    let wanted = |object: &&T| match property.as_str() {
        "id" => is_any(&object.id().to_string()),
        _ => proxies(object).iter().any(|proxy| is_any(proxy)),
    };
    if property != "id" && property != ANY_PROXY {
        return Answer::unsupported_query("Unsupported or invalid query filter clause specified.");
    }
    let value: Vec<Value> = all.filter(wanted).map(|object| render(object, select)).collect();
    Answer::ok(json!({ "@odata.context": format!("{base}/$metadata#{}", T::SET), "value": value }))
}

pub(super) fn forbidden() -> Answer {
    Answer::error(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
}

fn filtered_users(world: &World, request: &Request, filter: &str, base: &str) -> Answer {
    let select = match selection::<User>(request) {
        Ok(select) => select,
        Err(refusal) => return refusal,
    };
    let Some((property, values)) = equalities(filter) else {
        return Answer::unsupported_query("Unsupported or invalid query filter clause specified.");
    };
    let directory = &world.directory;
    let found: Vec<&User> = match property.as_str() {
        "id" => values.iter().filter_map(|id| directory.user(id.parse().ok()?)).collect(),
        "userPrincipalName" => values.iter().filter_map(|upn| directory.user_by_upn(upn)).collect(),
        ANY_PROXY => {
            let is_any = |proxy: &String| values.iter().any(|value| value.eq_ignore_ascii_case(proxy));
            directory.users_after(None).filter(|user| user.proxies.iter().any(is_any)).collect()
        }
        "mail" => {
            let wanted = |user: &&User| {
                user.mail.as_ref().is_some_and(|mail| values.iter().any(|value| value.eq_ignore_ascii_case(mail)))
            };
            directory.users_after(None).filter(wanted).collect()
        }
        _ => return Answer::unsupported_query("Unsupported or invalid query filter clause specified."),
    };
    let value: Vec<Value> = found.into_iter().map(|user| render(user, select)).collect();
    Answer::ok(json!({ "@odata.context": format!("{base}/$metadata#users"), "value": value }))
}
