//! The members of a group, those of groups inside of it included.

use serde_json::{Value, json};

use super::lists::top;
use super::rounds::expired_page;
use crate::domain::id::ObjectId;
use crate::graph::emulator::answer::Answer;
use crate::graph::emulator::entity::Entity;
use crate::graph::emulator::group::Group;
use crate::graph::emulator::quirks::QuirkName;
use crate::graph::emulator::request::{Request, from_token, to_token};
use crate::graph::emulator::user::User;
use crate::graph::emulator::world::World;

/// What a listing's skip token holds.
#[derive(serde::Serialize, serde::Deserialize)]
struct Position {
    after: ObjectId,
    top: usize,
}

/// `/groups/{id}/transitiveMembers`, with or without a cast to users. Only ids and types are told, as to an application that
/// may see no more of them.
pub(super) fn list(world: &mut World, request: &Request, id: &str, cast: bool, base: &str) -> Answer {
    if world.quirks.fires(QuirkName::GroupsForbidden, &request.path).is_some() {
        return Answer::error(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.");
    }
    // The cast is answered from the index behind advanced queries.
    if cast && (request.header("consistencylevel").is_none() || request.option("$count") != Some("true")) {
        return Answer::unsupported_query(
            "Request with a cast only works with 'ConsistencyLevel: eventual' and $count.",
        );
    }
    let (after, top) = match request.option("$skiptoken") {
        Some(token) => {
            if world.quirks.fires(QuirkName::PageTokenExpired, &request.path).is_some() {
                return expired_page();
            }
            match from_token::<Position>(token) {
                Some(position) => (Some(position.after), position.top),
                None => return Answer::bad_request("Badly formed token."),
            }
        }
        None => match top(world, request) {
            // How many come on a page is the service's choice; never more than were asked for.
            Ok(top) => (None, top.min(world.page_size)),
            Err(refusal) => return refusal,
        },
    };
    let found = id.parse().ok().and_then(|group| world.directory.transitive_members(group));
    let Some((users, groups)) = found else { return Answer::not_found(id) };
    let of = |kind: &'static str, ids: std::collections::BTreeSet<ObjectId>| ids.into_iter().map(move |id| (id, kind));
    let mut all: Vec<(ObjectId, &str)> = of(User::TYPE, users).collect();
    if !cast {
        all.extend(of(Group::TYPE, groups));
    }
    all.sort_unstable();
    all.retain(|(id, _)| after.is_none_or(|after| *id > after));
    let more = all.len() > top;
    all.truncate(top);
    let mut body = serde_json::Map::new();
    body.insert("@odata.context".to_owned(), json!(format!("{base}/$metadata#directoryObjects(id)")));
    if let (true, Some((last, _))) = (more, all.last()) {
        let token = to_token(&Position { after: *last, top });
        let link = format!("{base}/groups/{id}/transitiveMembers?$skiptoken={token}");
        body.insert("@odata.nextLink".to_owned(), json!(link));
    }
    let item = |(id, kind): &(ObjectId, &str)| json!({ "@odata.type": format!("#{kind}"), "id": id });
    body.insert("value".to_owned(), all.iter().map(item).collect::<Vec<Value>>().into());
    Answer::ok(Value::Object(body))
}
