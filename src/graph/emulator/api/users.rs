//! Single users: live reads, and the writes that let any Graph client drive the directory.

use serde_json::{Map, Value, json};

use super::lists::{render, selection};
use crate::domain::id::ObjectId;
use crate::graph::emulator::answer::Answer;
use crate::graph::emulator::quirks::QuirkName;
use crate::graph::emulator::refusal::Refusal;
use crate::graph::emulator::request::Request;
use crate::graph::emulator::user::{NewUser, User, UserType};
use crate::graph::emulator::world::World;

pub(super) fn get(world: &mut World, request: &Request, key: &str, base: &str) -> Answer {
    // Seen on the real service: this one property spoils a read by name.
    let by_name = key.parse::<ObjectId>().is_err();
    if by_name && request.option("$select").is_some_and(|select| select.contains("signInActivity")) {
        return Answer::error(400, "400", "Get By Key only supports UserId and the key has to be a valid Guid");
    }
    let id = match key.parse() {
        Ok(id) => Some(id),
        Err(_) => world.directory.user_by_upn(key).map(|user| user.id),
    };
    let user = id.filter(|id| !is_unknown_to_replica(world, request, *id)).and_then(|id| world.directory.user(id));
    entity(user, request, key, &format!("{base}/$metadata#users/$entity"))
}

/// Whether the replica that answers trails so far behind that it does not know the user yet.
fn is_unknown_to_replica(world: &mut World, request: &Request, id: ObjectId) -> bool {
    let Some(trails) = world.quirks.fires(QuirkName::ReplicaTrails, &request.path) else { return false };
    let since = world.directory.now().minus(trails.span(60.0));
    world.directory.user_log.changed_at(id).is_some_and(|at| at > since)
}

pub(super) fn deleted(world: &World, request: &Request, key: &str, base: &str) -> Answer {
    let user = key.parse().ok().and_then(|id| world.directory.deleted_user(id));
    entity(user, request, key, &format!("{base}/$metadata#directoryObjects/$entity"))
}

pub(super) fn create(world: &mut World, request: &Request, base: &str) -> Answer {
    let fields = match fields(request) {
        Ok(fields) => fields,
        Err(refusal) => return refusal,
    };
    for required in ["accountEnabled", "displayName", "mailNickname", "userPrincipalName"] {
        if fields.get(required).is_none_or(Value::is_null) {
            let message = format!("A required property is missing: {required}.");
            return Answer::bad_request(&message);
        }
    }
    let text = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
    let mail = text("mail");
    let new = NewUser {
        upn: text("userPrincipalName").unwrap_or_default(),
        proxies: mail.iter().map(|mail| format!("SMTP:{mail}")).collect(),
        licensed: mail.is_some(),
        mail,
        nickname: text("mailNickname"),
        display_name: text("displayName"),
        user_type: if text("userType").as_deref() == Some("Guest") { UserType::Guest } else { UserType::Member },
        disabled: fields.get("accountEnabled") == Some(&Value::Bool(false)),
        employee_id: text("employeeId"),
        immutable_id: text("onPremisesImmutableId"),
        attributes: std::collections::BTreeMap::new(),
    };
    match world.directory.create_user(new) {
        Ok(id) => {
            let context = format!("{base}/$metadata#users/$entity");
            let mut answer = entity(world.directory.user(id), request, &id.to_string(), &context);
            answer.status = 201;
            answer.header("Location", format!("{base}/users/{id}"))
        }
        Err(refusal) => refusal.into(),
    }
}

pub(super) fn patch(world: &mut World, request: &Request, key: &str) -> Answer {
    let fields = match fields(request) {
        Ok(fields) => fields,
        Err(refusal) => return refusal,
    };
    if fields.contains_key("proxyAddresses") {
        return Answer::bad_request("Property 'proxyAddresses' is read-only and cannot be set.");
    }
    let known = [
        "userPrincipalName",
        "mail",
        "mailNickname",
        "displayName",
        "accountEnabled",
        "employeeId",
        "userType",
        "onPremisesImmutableId",
    ];
    if let Some(unknown) = fields.keys().find(|name| !known.contains(&name.as_str())) {
        let message = format!("The emulator does not keep the property '{unknown}'.");
        return Answer::bad_request(&message);
    }
    let done = live_id(world, key).and_then(|id| world.directory.edit(id, |user| apply(user, &fields)));
    done.map_or_else(Answer::from, |()| Answer::no_content())
}

pub(super) fn delete(world: &mut World, key: &str) -> Answer {
    let done = live_id(world, key).and_then(|id| world.directory.delete(id));
    done.map_or_else(Answer::from, |()| Answer::no_content())
}

pub(super) fn restore(world: &mut World, request: &Request, key: &str, base: &str) -> Answer {
    let Ok(id) = key.parse::<ObjectId>() else { return Answer::not_found(key) };
    let fields = if request.body.is_empty() { Ok(Map::new()) } else { fields(request) };
    let fields = match fields {
        Ok(fields) => fields,
        Err(refusal) => return refusal,
    };
    let new_upn = fields.get("newUserPrincipalName").and_then(Value::as_str);
    let reconcile = fields.get("autoReconcileProxyConflict") == Some(&Value::Bool(true));
    match world.directory.restore(id, new_upn, reconcile) {
        Ok(()) => entity(world.directory.user(id), request, key, &format!("{base}/$metadata#users/$entity")),
        Err(refusal) => refusal.into(),
    }
}

pub(super) fn purge(world: &mut World, key: &str) -> Answer {
    let Ok(id) = key.parse::<ObjectId>() else { return Answer::not_found(key) };
    world.directory.purge(id).map_or_else(Answer::from, |()| Answer::no_content())
}

fn entity(user: Option<&User>, request: &Request, key: &str, context: &str) -> Answer {
    let select = match selection::<User>(request) {
        Ok(select) => select,
        Err(refusal) => return refusal,
    };
    let Some(user) = user else { return Answer::not_found(key) };
    let mut body = json!({ "@odata.context": context });
    if let (Some(body), Value::Object(properties)) = (body.as_object_mut(), render(user, select)) {
        body.extend(properties);
    }
    Answer::ok(body)
}

fn live_id(world: &World, key: &str) -> Result<ObjectId, Refusal> {
    let id = world.directory.find(key)?;
    world.directory.user(id).map(|user| user.id).ok_or(Refusal::NotFound(id))
}

fn fields(request: &Request) -> Result<Map<String, Value>, Answer> {
    match serde_json::from_slice(&request.body) {
        Ok(Value::Object(fields)) => Ok(fields),
        _ => Err(Answer::error(400, "BadRequest", "Unable to read JSON request payload.")),
    }
}

fn apply(user: &mut User, fields: &Map<String, Value>) {
    for (name, value) in fields {
        let text = value.as_str().map(str::to_owned);
        match (name.as_str(), text) {
            ("userPrincipalName", Some(upn)) => {
                // Exchange always keeps the UPN of a recipient among its addresses.
                if !user.proxies.is_empty() {
                    add_alias(user, &upn);
                }
                user.upn = upn;
            }
            ("mail", Some(mail)) => {
                make_primary(user, &mail);
                user.mail = Some(mail);
            }
            ("mail", None) => user.mail = None,
            ("mailNickname", Some(nickname)) => user.nickname = nickname,
            ("displayName", Some(display_name)) => user.display_name = display_name,
            ("employeeId", id) => user.employee_id = id,
            ("onPremisesImmutableId", id) => user.immutable_id = id,
            ("userType", Some(kind)) => {
                user.user_type = if kind == "Guest" { UserType::Guest } else { UserType::Member };
            }
            ("accountEnabled", _) => user.enabled = value.as_bool().unwrap_or(user.enabled),
            _ => {}
        }
    }
}

fn is_address(proxy: &str, address: &str) -> bool {
    proxy
        .split_once(':')
        .is_some_and(|(kind, known)| kind.eq_ignore_ascii_case("smtp") && known.eq_ignore_ascii_case(address))
}

fn add_alias(user: &mut User, address: &str) {
    if !user.proxies.iter().any(|proxy| is_address(proxy, address)) {
        user.proxies.push(format!("smtp:{address}"));
    }
}

fn make_primary(user: &mut User, address: &str) {
    user.proxies.retain(|proxy| !is_address(proxy, address));
    for proxy in &mut user.proxies {
        if let Some(former) = proxy.strip_prefix("SMTP:") {
            *proxy = format!("smtp:{former}");
        }
    }
    user.proxies.insert(0, format!("SMTP:{address}"));
}
