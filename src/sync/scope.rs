//! What mapping rules look at, beside the rounds: the members of the groups that they name, and the rules themselves.
//!
//! Attributes come with the users' feed, whose first request selects them. A feed that was begun without one of them is begun
//! anew, which leaves a blind period back to the round before. Groups have no feed that tells of members of members, so each
//! one named is listed at every sync, and only what changed is kept.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::attribute::Attribute;
use crate::domain::fact::{Fact, Reading, Source};
use crate::domain::guard::SHARE_OBJECTS_MIN;
use crate::domain::id::{ObjectId, TenantId};
use crate::domain::mapping::{Mapping, MappingApplied, MappingState};
use crate::domain::scope::{Grouped, GroupsListed};
use crate::domain::time::Instant;
use crate::graph::error::{Asked, GraphError};
use crate::graph::facts::facts;
use crate::ledger::{Batch, Ledger, LedgerError, ReadAhead, ScopeChange};
use crate::store::Head;

use super::listing::Listing;
use super::run::{Ticker, with_causes};
use super::{COMMIT_FACTS, Context, SyncError, refuse_unreadable};

/// Most pages of one listing, at 999 items each.
const PAGES_MAX: u64 = 20_000;
/// After how many groups that could not be listed the others are left for the next run.
const FAILED_MAX: usize = 3;

/// Applies the configured rules to a ledger that knows nobody yet, so that nobody is protected by it for want of rules.
pub(super) async fn begin(context: &Context) -> Result<(), SyncError> {
    let Some(rules) = context.mapping.clone().filter(|rules| !rules.is_empty()) else { return Ok(()) };
    let head = context.blocking(|ledger, tenant| ledger.head(tenant)).await?;
    let counts = head.state.counts;
    let knows_nobody = counts.active == 0 && counts.snapshots == 0;
    if knows_nobody && head.state.mapping.applied.is_none() { commit(context, rules).await } else { Ok(()) }
}

/// Whether the feed does not tell everything that is asked for.
pub(super) fn lacks_attributes(context: &Context, state: &MappingState) -> bool {
    !context.client.attributes().is_subset(&state.told)
}

/// After a round: lists the groups, applies rules that were configured anew, and closes the run's entry with what is to be
/// said of it. Does nothing where there is no mapping.
pub(super) async fn keep(context: &Context, ticker: &mut Ticker<'_>) -> Result<(), SyncError> {
    let (head, in_force) = state(context).await?;
    let wanted = context.mapping.clone().unwrap_or_else(|| in_force.clone());
    if wanted.is_empty() && in_force.is_empty() || lacks_attributes(context, &head.state.mapping) {
        return Ok(());
    }
    let groups: BTreeSet<ObjectId> = wanted.groups().union(&in_force.groups()).copied().collect();
    let mut listed = ticker.unless_stopped(list_groups(context, &groups)).await??;
    for words in listed.say() {
        ticker.note(words);
    }
    let breach = breach_by_members(context, &in_force, &listed).await?;
    if let Some(why) = &breach {
        ticker.note(format!(
            "who left the groups of the mapping was not taken over: {why}; `whowas mapping preview FILE` with the same rules \
             shows whom, `whowas mapping apply FILE --yes` takes it over"
        ));
        // Whoever came in is protected all the same.
        listed.facts.retain(|fact| matches!(fact, Fact::Grouped(grouped) if grouped.is_member));
    }
    for chunk in listed.facts.chunks(COMMIT_FACTS) {
        let appended = context.append(Batch { facts: chunk.to_vec(), ..Batch::default() }).await?;
        ticker.committed(&appended.summary);
    }
    if breach.is_some() {
        return ticker.close(context, Vec::new(), None).await;
    }
    let last: Vec<Fact> = listed.listing.map(Fact::GroupsListed).into_iter().collect();
    if wanted == in_force {
        return ticker.close(context, last, None).await;
    }
    // What was listed counts before the rules that ask for it are looked at.
    context.append(Batch { facts: last, ..Batch::default() }).await?;
    let change = {
        let rules = wanted.clone();
        context.blocking(move |ledger, tenant| ledger.scope_change(tenant, &rules, &ReadAhead::default())).await?
    };
    match change.breach(context.guard.limits.percent) {
        Some(why) => ticker.note(format!(
            "the mapping of the configuration was not applied: {why}; `whowas mapping preview FILE` shows whom, `whowas \
             mapping apply FILE --yes` applies it"
        )),
        None => {
            commit(context, wanted).await?;
            ticker.note(format!("the mapping of the configuration was applied: {}", say(&change)));
        }
    }
    ticker.close(context, Vec::new(), None).await
}

/// Reads what these rules look at and the ledger does not know yet. Nothing is appended.
///
/// # Errors
/// If the directory cannot be reached or believed.
pub async fn read_ahead(context: &Context, rules: &Mapping) -> Result<ReadAhead, SyncError> {
    let (head, _) = state(context).await?;
    let mut ahead = ReadAhead::default();
    if !lacking(rules, &head.state.mapping).is_empty() {
        ahead.facts = list_attributes(context).await?;
    }
    let mut listed = list_groups(context, &rules.groups()).await?;
    // What is known of a group from before stands where it cannot be read now.
    let is_unknown = |group: &ObjectId| !matches!(head.state.mapping.groups.0.get(group), Some(Some(_)));
    match listed.failed.iter().position(|(group, _)| is_unknown(group)) {
        Some(place) => Err(listed.failed.swap_remove(place).1),
        None => Ok(listed.ahead(ahead)),
    }
}

/// The attributes that these rules look at and the ledger does not know.
pub fn lacking(rules: &Mapping, state: &MappingState) -> BTreeSet<Attribute> {
    rules.attributes().difference(&state.told).copied().collect()
}

/// Makes these rules those in force: first what was read for them, in as many commits as it takes, then the rules, in one
/// commit of their own. Who left a group that rules in force name too is out of it from the first of these commits on.
///
/// # Errors
/// If the ledger cannot be written. The rules before are then still in force, or the new ones are.
pub async fn apply(context: &Context, rules: Mapping, ahead: ReadAhead) -> Result<(), SyncError> {
    let facts: Vec<Fact> = ahead.facts.into_values().flatten().collect();
    for chunk in facts.chunks(COMMIT_FACTS) {
        context.append(Batch { facts: chunk.to_vec(), ..Batch::default() }).await?;
    }
    if let Some(listing) = ahead.listing {
        context.append(Batch { facts: vec![Fact::GroupsListed(listing)], ..Batch::default() }).await?;
    }
    let (_, in_force) = state(context).await?;
    if rules == in_force { Ok(()) } else { commit(context, rules).await }
}

/// A change of the mapping in one line.
pub fn say(change: &ScopeChange) -> String {
    let unknown = match change.unknown.len() {
        0 => String::new(),
        several => format!(", {several} cannot be decided until what the rules look at is read"),
    };
    format!(
        "{} enter, {} leave, {} of them with chains, which freeze{unknown}",
        change.enter.len(),
        change.leave.len(),
        change.freeze().count()
    )
}

async fn state(context: &Context) -> Result<(Head, Mapping), SyncError> {
    context.blocking(|ledger, tenant| Ok((ledger.head(tenant)?, ledger.mapping(tenant)?))).await
}

async fn commit(context: &Context, mapping: Mapping) -> Result<(), SyncError> {
    let at = context.clock.now();
    let facts = vec![Fact::MappingApplied(MappingApplied { at, mapping })];
    context.append(Batch { facts, ..Batch::default() }).await.map(drop)
}

/// What listing groups brought.
#[derive(Default)]
struct Listed {
    /// Who is in a group, or no longer, and was not known so.
    facts: Vec<Fact>,
    /// The listing; `None` if no group was listed.
    listing: Option<GroupsListed>,
    /// The groups that could not be listed this time. What was known of them stays.
    failed: Vec<(ObjectId, SyncError)>,
    /// A group lost so many of its members that the guard must look at it.
    shrank: bool,
}

impl Listed {
    fn say(&self) -> Vec<String> {
        let refused: Vec<String> = self.listing.iter().flat_map(|of| &of.refused).map(ToString::to_string).collect();
        let refused = (!refused.is_empty()).then(|| {
            format!(
                "the members of {} could not be read: the application lacks the permission (GroupMember.Read.All), or there \
                 is no such group; whoever depends on it is answered `refresh`, not `frozen`",
                refused.join(", ")
            )
        });
        let failed = self.failed.iter().map(|(group, error)| {
            format!(
                "the members of group {group} could not be read: {}; who is known to be in it stays so, and the next run \
                 reads them",
                with_causes(error)
            )
        });
        refused.into_iter().chain(failed).collect()
    }

    /// The same beside what else was read ahead.
    fn ahead(self, mut ahead: ReadAhead) -> ReadAhead {
        for fact in self.facts {
            if let Some(object) = fact.object() {
                ahead.facts.entry(object).or_default().push(fact);
            }
        }
        if let Some(listing) = self.listing {
            ahead.groups.note(&listing);
            ahead.listing = Some(listing);
        }
        ahead
    }
}

/// Why the guard does not let pass what was listed, if it does not: a group that was emptied by a slip would stop the backups of
/// everybody in it without a word.
async fn breach_by_members(
    context: &Context,
    in_force: &Mapping,
    listed: &Listed,
) -> Result<Option<String>, SyncError> {
    if !listed.shrank {
        return Ok(None);
    }
    let percent = context.guard.limits.percent;
    let of = Listed { facts: listed.facts.clone(), listing: listed.listing.clone(), ..Listed::default() };
    let (rules, ahead) = (in_force.clone(), of.ahead(ReadAhead::default()));
    let change = context.blocking(move |ledger, tenant| ledger.scope_change(tenant, &rules, &ahead)).await?;
    let stopped = (change.freeze().count() + change.doubt().count()) as u64;
    // One user of a few is no share of anything.
    let is_asked = change.protected_with_chains >= SHARE_OBJECTS_MIN || stopped > 1;
    Ok(change.breach(percent).filter(|_| is_asked))
}

async fn list_groups(context: &Context, groups: &BTreeSet<ObjectId>) -> Result<Listed, SyncError> {
    let mut listed = Listed::default();
    let (mut whole, mut refused) = (Vec::new(), Vec::new());
    // Members whom the ledger has not seen are passed over, and only those who were there by the horizon are in it for certain. So a
    // listing tells of nobody who came later. Without a horizon it is older than any directory.
    let head = context.blocking(|ledger, tenant| ledger.head(tenant)).await?;
    let mut as_of = head.state.coverage.horizon().unwrap_or(Instant::from_micros(0));
    for group in groups {
        match list_members(context, *group).await {
            Ok((begun, members)) => {
                // A change within the lag before it may not be in the listing yet.
                let at = begun.minus(context.widths.lag);
                as_of = as_of.min(at);
                whole.push(*group);
                let (group, percent) = (*group, context.guard.limits.percent);
                let (news, shrank) =
                    context.blocking(move |ledger, tenant| moves(ledger, tenant, group, at, &members, percent)).await?;
                listed.facts.extend(news);
                listed.shrank |= shrank;
            }
            // Which of the two it is an application without the permission is not always told.
            Err(SyncError::Graph(GraphError::PermissionDenied { .. } | GraphError::NotFound { .. })) => {
                refused.push(*group);
                // Those who were in it could not be decided any more.
                let group = *group;
                let members =
                    context.blocking(move |ledger, tenant| Ok(ledger.store().members(tenant, group)?)).await?;
                listed.shrank |= !members.is_empty();
            }
            // Somebody who leads the token elsewhere is no trouble of one group.
            Err(error @ SyncError::Graph(GraphError::ForeignLink { .. })) => return Err(error),
            Err(error @ (SyncError::Graph(_) | SyncError::Rejected { .. })) => {
                listed.failed.push((*group, error));
                // One bad group says nothing of the others; several are a directory that does not answer.
                if listed.failed.len() >= FAILED_MAX {
                    break;
                }
            }
            Err(error) => return Err(error),
        }
    }
    if !whole.is_empty() || !refused.is_empty() {
        listed.listing = Some(GroupsListed { at: as_of, listed: whole, refused });
    }
    Ok(listed)
}

/// The users in a group, and when the listing began.
async fn list_members(context: &Context, group: ObjectId) -> Result<(Instant, BTreeSet<ObjectId>), SyncError> {
    let (mut begun, mut members) = (None, BTreeSet::new());
    let (mut listing, mut pages) = (Listing::default(), 0);
    loop {
        let answer = context.client.members_page(group, listing.link()).await;
        let Some(page) = listing.take(answer)? else {
            begun = None;
            members.clear();
            continue;
        };
        context.check_skew(page.at)?;
        refuse_unreadable(&page.rejected)?;
        pages += 1;
        let begun = *begun.get_or_insert(page.at);
        members.extend(page.items.iter().map(|user| user.id));
        match page.next {
            Some(_) if pages >= PAGES_MAX => {
                return Err(GraphError::TooManyPages { asked: Asked::Members(group), pages }.into());
            }
            Some(link) => listing.follow(Asked::Members(group), link)?,
            None => return Ok((begun, members)),
        }
    }
}

/// Who came into a group and who went, of those whom the ledger has seen, and whether more than so many percent of them went.
/// Whoever the ledger has not seen is found by a later listing.
fn moves(
    ledger: &Ledger,
    tenant: TenantId,
    group: ObjectId,
    at: Instant,
    members: &BTreeSet<ObjectId>,
    percent: u64,
) -> Result<(Vec<Fact>, bool), LedgerError> {
    let known: BTreeSet<ObjectId> = ledger.store().members(tenant, group)?.into_iter().collect();
    let went = known.difference(members).count() as u64;
    let shrank = went.saturating_mul(100) > (known.len() as u64).saturating_mul(percent);
    let fact = |object, is_member| Fact::Grouped(Grouped { object, group, at, is_member });
    let mut facts: Vec<Fact> = known.difference(members).map(|object| fact(*object, false)).collect();
    for object in members.difference(&known) {
        let seen = ledger.store().object(tenant, *object)?;
        if seen.iter().any(|known| matches!(known.fact, Fact::Seen(_))) {
            facts.push(fact(*object, true));
        }
    }
    Ok((facts, shrank))
}

/// The attributes of every live user that the ledger has seen.
async fn list_attributes(context: &Context) -> Result<BTreeMap<ObjectId, Vec<Fact>>, SyncError> {
    let mut described: BTreeMap<ObjectId, Vec<Fact>> = BTreeMap::new();
    let (mut listing, mut pages) = (Listing::default(), 0);
    loop {
        let answer = context.client.users_page(listing.link()).await;
        let Some(page) = listing.take(answer)? else { continue };
        context.check_skew(page.at)?;
        refuse_unreadable(&page.rejected)?;
        pages += 1;
        let (lag, source) = (context.widths.lag, Source::Reconcile);
        let reading = Reading { at: page.at, lag, source, unchanged_since: None };
        let told = page.items.iter().flat_map(|user| facts(user, reading, context.client.attributes()));
        let told: Vec<Fact> = told.filter(|fact| matches!(fact, Fact::Described(_))).collect();
        for fact in context.blocking(move |ledger, tenant| of_seen(ledger, tenant, told)).await? {
            if let Some(object) = fact.object() {
                described.insert(object, vec![fact]);
            }
        }
        match page.next {
            Some(_) if pages >= PAGES_MAX => {
                return Err(GraphError::TooManyPages { asked: Asked::Users, pages }.into());
            }
            Some(link) => listing.follow(Asked::Users, link)?,
            None => return Ok(described),
        }
    }
}

fn of_seen(ledger: &Ledger, tenant: TenantId, facts: Vec<Fact>) -> Result<Vec<Fact>, LedgerError> {
    let mut kept = Vec::with_capacity(facts.len());
    for fact in facts {
        if let Some(object) = fact.object()
            && !ledger.store().object(tenant, object)?.is_empty()
        {
            kept.push(fact);
        }
    }
    Ok(kept)
}
