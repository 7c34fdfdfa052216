//! The live read: asks the directory at the moment of a question, and records what it says as facts.

use std::collections::BTreeSet;

use crate::domain::fact::{Fact, Reading, Source, Vacant};
use crate::domain::id::ObjectId;
use crate::domain::name::{Name, NameKind};
use crate::domain::time::Instant;
use crate::domain::verdict::{Ask, Policy};
use crate::graph::client::UserKey;
use crate::graph::facts::fact;
use crate::ledger::Batch;

use super::absent::read_deleted;
use super::{Context, SyncError};

/// What a live read found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveRead {
    /// The server's time of the read, by which the ask is judged.
    pub at: Instant,
    /// Facts that were new.
    pub facts: u64,
}

/// Reads the name asked, the object asked, the chain's object and everyone who may hold the name, and appends what the
/// directory says of them.
///
/// # Errors
/// If the directory cannot be reached or believed; nothing is then appended.
pub async fn read_live(context: &Context, ask: &Ask, policy: &Policy) -> Result<LiveRead, SyncError> {
    let objects = {
        let (ask, policy) = (ask.clone(), *policy);
        context.blocking(move |ledger, tenant| ledger.objects_to_read(tenant, &ask, &policy)).await?
    };
    // Only a user principal name is a key of the directory; an address is read through whoever may hold it.
    let name = ask.name.as_ref().filter(|name| ask.kind != NameKind::Smtp && name.spelling().contains('@'));
    let mut facts = Vec::new();
    let at = read(context, name, &objects, &mut facts).await?;
    let appended = context.append(Batch { facts, ..Batch::default() }).await?;
    Ok(LiveRead { at: at.unwrap_or_else(|| context.clock.now()), facts: appended.summary.facts })
}

/// Reads by name and by id. Returns the latest date of the answers.
async fn read(
    context: &Context,
    name: Option<&Name>,
    objects: &BTreeSet<ObjectId>,
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
        let reading =
            Reading { at: answer.at, lag: context.widths.read_lag, source: Source::Live, unchanged_since: None };
        match (answer.value, key, name) {
            (Some(user), ..) => facts.push(fact(&user, reading)),
            (None, UserKey::Id(object), _) => facts.push(read_deleted(context, *object, Source::Live).await?),
            (None, UserKey::Upn(_), Some(name)) => facts.push(Fact::Vacant(Vacant { name: name.clone(), reading })),
            (None, UserKey::Upn(_), None) => {}
        }
    }
    Ok(latest)
}
