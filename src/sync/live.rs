//! The live read: asks the directory at the moment of a question, and records what it says as facts.

use crate::domain::fact::{Fact, ObjectKind, Reading, Source, Vacant};
use crate::domain::id::ObjectId;
use crate::domain::name::{Name, NameKind};
use crate::domain::time::Instant;
use crate::domain::verdict::{Ask, Policy};
use crate::graph::client::UserKey;
use crate::graph::error::GraphError;
use crate::graph::facts::{self as graph, group_fact};
use crate::ledger::{Batch, KnownAt};

use super::absent::{read_deleted, read_groups};
use super::{Context, SyncError, refuse_unreadable};

/// What a live read found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveRead {
    /// The server's time of the read, by which the ask is judged.
    pub at: Instant,
    /// Facts that were new.
    pub facts: u64,
}

/// Whom a live read looks at.
#[derive(Default)]
struct Wanted {
    users: Vec<ObjectId>,
    groups: Vec<ObjectId>,
}

/// Reads the name asked, the object asked, the chain's object and everyone who may hold the name, and appends what the
/// directory says of them. If no user holds the name, the groups are asked for it too.
///
/// # Errors
/// If the directory cannot be reached or believed; nothing is then appended.
pub async fn read_live(context: &Context, ask: &Ask, policy: &Policy) -> Result<LiveRead, SyncError> {
    let wanted = wanted(context, ask, policy).await?;
    let name = ask.name.as_ref().filter(|name| name.spelling().contains('@'));
    let mut facts = Vec::new();
    // Only a user principal name is a key of the directory; an address is read through whoever may hold it.
    let upn = name.filter(|_| ask.kind != NameKind::Smtp);
    let mut latest = read_users(context, upn, &wanted.users, &mut facts).await?;
    let (at, groups) = read_groups(context, &wanted.groups, Source::Live).await?;
    latest = latest.max(at);
    facts.extend(groups);
    let is_held = facts.iter().any(|fact| fact.names().iter().any(|(_, held)| Some(*held) == name));
    if let Some(name) = name.filter(|_| ask.kind != NameKind::Upn && !is_held) {
        latest = latest.max(read_group_of(context, name, &mut facts).await?);
    }
    let appended = context.append(Batch { facts, ..Batch::default() }).await?;
    Ok(LiveRead { at: latest.unwrap_or_else(|| context.clock.now()), facts: appended.summary.facts })
}

async fn wanted(context: &Context, ask: &Ask, policy: &Policy) -> Result<Wanted, SyncError> {
    let (ask, policy) = (ask.clone(), *policy);
    let sort = move |ledger: &crate::ledger::Ledger, tenant| {
        let view = ledger.view(tenant, KnownAt::Now)?;
        let mut wanted = Wanted::default();
        for object in ledger.objects_to_read(tenant, &ask, &policy)? {
            match view.timeline(object)?.kind() {
                ObjectKind::User => wanted.users.push(object),
                ObjectKind::Group => wanted.groups.push(object),
                ObjectKind::Contact => {}
            }
        }
        Ok(wanted)
    };
    context.blocking(sort).await
}

/// Reads by name and by id. Returns the latest date of the answers.
async fn read_users(
    context: &Context,
    name: Option<&Name>,
    objects: &[ObjectId],
    facts: &mut Vec<Fact>,
) -> Result<Option<Instant>, SyncError> {
    let mut keys: Vec<UserKey<'_>> = name.iter().map(|name| UserKey::Upn(name.spelling())).collect();
    keys.extend(objects.iter().map(|object| UserKey::Id(*object)));
    let answers = match keys.as_slice() {
        [] => Vec::new(),
        [one] => vec![context.client.user(*one).await],
        several => context.client.batch_users(several).await?,
    };
    let mut latest = None;
    for (key, answer) in keys.iter().zip(answers) {
        let answer = answer?;
        context.check_skew(answer.at)?;
        latest = latest.max(Some(answer.at));
        let reading = reading(context, answer.at);
        match (answer.value, key, name) {
            (Some(user), ..) => facts.extend(graph::facts(&user, reading, context.client.attributes())),
            (None, UserKey::Id(object), _) => facts.push(read_deleted(context, *object, Source::Live).await?),
            (None, UserKey::Upn(_), Some(name)) => facts.push(Fact::Vacant(Vacant { name: name.clone(), reading })),
            (None, UserKey::Upn(_), None) => {}
        }
    }
    Ok(latest)
}

/// Reads the group that holds an address. Without the permission for groups nothing is learnt of them, as in a reconcile.
async fn read_group_of(context: &Context, name: &Name, facts: &mut Vec<Fact>) -> Result<Option<Instant>, SyncError> {
    let page = match context.client.groups_by_address(name.spelling()).await {
        Ok(page) => page,
        Err(GraphError::PermissionDenied { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    context.check_skew(page.at)?;
    refuse_unreadable(&page.rejected)?;
    let reading = reading(context, page.at);
    facts.extend(page.items.iter().map(|group| group_fact(group, reading)));
    Ok(Some(page.at))
}

fn reading(context: &Context, at: Instant) -> Reading {
    Reading { at, lag: context.widths.read_lag, source: Source::Live, unchanged_since: None }
}
