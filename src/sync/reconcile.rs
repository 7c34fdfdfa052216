//! The reconcile: the recycle bin and a full listing show what the delta feed misses, such as restores that were never
//! announced, purges and deletions without a mark.

use std::collections::HashSet;
use std::time::Duration;

use crate::domain::coverage::Coverage;
use crate::domain::fact::{Fact, Known, MailboxState, ObjectKind, Profile, Reading, Removal, Source};
use crate::domain::guard::HeldPart;
use crate::domain::id::ObjectId;
use crate::domain::scope::is_said_already;
use crate::domain::timeline::{State, Timeline};
use crate::graph::error::{Asked, GraphError};
use crate::graph::facts::{self, addressee_fact, deleted_fact};
use crate::graph::page::Page;
use crate::graph::wire::addressee::Collection;
use crate::ledger::{Batch, KnownAt};

use super::listing::Listing;
use super::run::{Ticker, with_causes};
use super::stage::{Ended, Stage};
use super::{Context, SyncError, absent, guard, refuse_unreadable};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Listed {
    Deleted,
    Live,
    Addressees(Collection),
}

impl Listed {
    fn asked(self) -> Asked {
        match self {
            Self::Deleted => Asked::DeletedUsers,
            Self::Live => Asked::Users,
            Self::Addressees(collection) => Asked::Addressees(collection),
        }
    }
}

/// Reads the listings and appends what the ledger did not know.
pub(super) async fn reconcile(context: &Context, mut stage: Stage, ticker: &mut Ticker<'_>) -> Result<(), SyncError> {
    loop {
        match read(context, &mut stage, ticker).await {
            Ok(()) => {}
            Err(Ended::Held(breach)) => return guard::hold(context, HeldPart::Reconcile, breach, ticker).await,
            Err(Ended::Failed(error)) => return Err(error),
        }
        if let Some(breach) = stage.examine(context, &[]).await? {
            return guard::hold(context, HeldPart::Reconcile, breach, ticker).await;
        }
        if !stage.must_read_again(ticker) {
            break;
        }
    }
    stage.commit(context, ticker).await?;
    let facts = guard::endings(context, HeldPart::Reconcile, ticker.entry.kind, stage.is_accepted()).await?;
    ticker.close(context, facts, None).await
}

/// Reads the listings into the stage, and what became of those that are not listed any more.
async fn read(context: &Context, stage: &mut Stage, ticker: &mut Ticker<'_>) -> Result<(), Ended> {
    let mut shown = HashSet::new();
    // Only a recycle bin that was listed in one go says that an object is no longer in it.
    let in_one_go = list(context, Listed::Deleted, &mut shown, stage, ticker).await?;
    list(context, Listed::Live, &mut shown, stage, ticker).await?;
    let missing = absent::missing_from(context, ObjectKind::User, shown).await?;
    let found = ticker.unless_stopped(absent::read_absent(context, &missing, in_one_go)).await??;
    stage.add(context, &found);
    for collection in Collection::ALL {
        addressees(context, collection, stage, ticker).await?;
    }
    Ok(())
}

/// Reads the groups or the contacts, because an address can pass to one without any trace in the users' feed, and what
/// became of those that are not listed any more.
async fn addressees(
    context: &Context,
    collection: Collection,
    stage: &mut Stage,
    ticker: &mut Ticker<'_>,
) -> Result<(), Ended> {
    let mut shown = HashSet::new();
    let listed = list(context, Listed::Addressees(collection), &mut shown, stage, ticker).await;
    let absent = match listed {
        Ok(_) => {
            let missing = absent::missing_from(context, collection.kind(), shown).await?;
            ticker.unless_stopped(absent::read_absent_addressees(context, collection, &missing)).await?
        }
        Err(Ended::Failed(error)) => Err(error),
        Err(held) => return Err(held),
    };
    let all = collection.segment();
    match absent {
        Ok(facts) => stage.add(context, &facts),
        Err(SyncError::Graph(GraphError::PermissionDenied { .. })) => ticker.note(format!(
            "the {all} could not be read: the application lacks the permission ({permission}); an address that passed to one \
             of them is not seen",
            permission = collection.permission()
        )),
        // Somebody who leads the token elsewhere is no trouble of one listing.
        Err(error @ SyncError::Graph(GraphError::ForeignLink { .. })) => return Err(error.into()),
        // What was read of the users stands by itself. The pages that were read tell of those whom they show and of nobody
        // else, so they stand too.
        Err(error @ (SyncError::Graph(_) | SyncError::Rejected { .. })) => ticker.note(format!(
            "the {all} could not be read to the end: {}; an address that passed to one of them since may not be seen before \
             the next reconcile",
            with_causes(&error)
        )),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// Reads one listing to its end. Returns whether it never had to begin anew.
async fn list(
    context: &Context,
    what: Listed,
    shown: &mut HashSet<ObjectId>,
    stage: &mut Stage,
    ticker: &mut Ticker<'_>,
) -> Result<bool, Ended> {
    let mut listing = Listing::default();
    loop {
        let answer = ticker.unless_stopped(page(context, what, listing.link())).await?;
        let Some(page) = listing.take(answer)? else { continue };
        context.check_skew(page.at)?;
        refuse_unreadable(&page.rejected)?;
        ticker.page(page.items.len());
        let facts: Vec<Fact> = page.items.into_iter().flatten().collect();
        shown.extend(facts.iter().filter_map(Fact::object));
        let facts = news(context, facts).await?;
        if let Some(breach) = stage.push(context, Batch { facts, ..Batch::default() }, ticker).await? {
            return Err(Ended::Held(breach));
        }
        match page.next {
            Some(link) => listing.follow(what.asked(), link)?,
            None => return Ok(listing.is_in_one_go()),
        }
    }
}

/// One page of a listing, as facts.
async fn page(context: &Context, listing: Listed, link: Option<&str>) -> Result<Page<Vec<Fact>>, GraphError> {
    let reading = |at| Reading { at, lag: context.widths.lag, source: Source::Reconcile, unchanged_since: None };
    Ok(match listing {
        Listed::Deleted => {
            context.client.deleted_users_page(link).await?.map(|at, user| vec![deleted_fact(user, reading(at))])
        }
        Listed::Live => {
            let told = context.client.attributes();
            context.client.users_page(link).await?.map(|at, user| facts::facts(user, reading(at), told))
        }
        Listed::Addressees(collection) => {
            let page = context.client.addressees_page(collection, link).await?;
            page.map(|at, addressee| vec![addressee_fact(addressee, reading(at))])
        }
    })
}

/// Those of a page's facts that say something the ledger does not know already.
pub(super) async fn news(context: &Context, mut facts: Vec<Fact>) -> Result<Vec<Fact>, SyncError> {
    context
        .blocking(move |ledger, tenant| {
            let view = ledger.view(tenant, KnownAt::Now)?;
            let mut news = Vec::new();
            for fact in facts.drain(..) {
                let Some(object) = fact.object() else { continue };
                if is_news(&fact, &view.facts(object)?, view.coverage()) {
                    news.push(fact);
                }
            }
            Ok(news)
        })
        .await
}

fn is_news(fact: &Fact, known: &[Known], coverage: &Coverage) -> bool {
    let newest = newest(known);
    match fact {
        Fact::Seen(seen) => {
            let timeline = Timeline::of(seen.object, known.to_vec(), coverage);
            let differs = |newest| differs(newest, &seen.profile, timeline.licence());
            is_stale(&timeline, coverage) || timeline.state() != State::Active || newest.is_none_or(differs)
        }
        Fact::Removed(removed) => {
            let same = known.iter().any(|known| {
                matches!(&known.fact, Fact::Removed(before) if before.deleted == removed.deleted && before.deleted.is_some())
            });
            let state = Timeline::of(removed.object, known.to_vec(), coverage).state();
            // A feed does not tell when; once it is known as gone in that way there is nothing more to learn.
            let is_known = match removed.removal {
                Removal::Soft if removed.deleted.is_some() => state == State::SoftDeleted && same,
                Removal::Soft => state == State::SoftDeleted,
                Removal::Purged => state == State::Purged,
                Removal::NotFound => false,
            };
            !is_known
        }
        _ => !is_said_already(fact, known.iter().map(|known| &known.fact)),
    }
}

/// The profile that the directory told last. What was committed last may be older, or an export from elsewhere.
fn newest(known: &[Known]) -> Option<&Profile> {
    let told = known.iter().filter_map(|known| match &known.fact {
        Fact::Seen(seen) if seen.reading.source != Source::Import => Some(seen),
        _ => None,
    });
    told.max_by_key(|seen| seen.reading.at).map(|seen| &seen.profile)
}

/// Whether the feed proves nothing of a user any more that it has told of, because two reports came too soon after one another, or it told
/// of a deletion and not of the return. Only such a reading says then that they still live. Groups and contacts have no feed that proves.
fn is_stale(timeline: &Timeline, coverage: &Coverage) -> bool {
    let seen = timeline.last_seen_alive().map(|at| at.plus(STALE_AFTER));
    timeline.kind() == ObjectKind::User && seen < coverage.horizon()
}

/// How long nothing is to be proved of a user before a reconcile keeps a reading that says nothing new. Several a day keep one, and one a
/// day keeps one each, for as long as the feed proves nothing.
const STALE_AFTER: Duration = Duration::from_secs(12 * 3_600);

/// Whether a profile says something that the newest known one does not. Delta leaves out what was never set where a
/// listing says that there is no licence, and a listing that does not tell of the licence takes nothing back.
fn differs(known: &Profile, told: &Profile, licence: Option<MailboxState>) -> bool {
    let is_told = told.mailbox.is_some() && told.mailbox != licence;
    let is_same_silence = told.mailbox == Some(MailboxState::Unlicensed) && licence.is_none();
    let without = |profile: &Profile| Profile { mailbox: None, ..profile.clone() };
    (is_told && !is_same_silence) || without(known) != without(told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fact::Feed;
    use crate::domain::fact::{Horizon, Seen};
    use crate::domain::id::{ObjectId, Sequence};
    use crate::domain::time::Instant;

    #[test]
    fn a_listing_is_compared_with_what_the_directory_told_last_not_with_what_was_committed_last() {
        let at = |hours: i64| Instant::from_micros(hours * 3_600_000_000);
        let seen = |hours, source, upn: &str| {
            let profile = Profile { upn: Some(upn.parse().unwrap()), ..Profile::default() };
            let reading = Reading { at: at(hours), lag: Duration::ZERO, source, unchanged_since: None };
            Fact::Seen(Seen { object: ObjectId::from_bytes([1; 16]), reading, profile })
        };
        let coverage = Coverage::of(&[Horizon { feed: Feed::Delta, from: at(10), through: at(11) }]);
        let fed = seen(10, Source::Delta, "new@x.test");
        for later in [
            seen(2, Source::Import, "old@x.test"),
            seen(12, Source::Import, "old@x.test"),
            seen(9, Source::Live, "old@x.test"),
        ] {
            let known = [fed.clone(), later.clone()];
            let known = known.into_iter().zip(1..).map(|(fact, n)| Known { sequence: Sequence(n), fact });
            let known: Vec<Known> = known.collect();
            let listed = |upn: &str| is_news(&seen(13, Source::Reconcile, upn), &known, &coverage);
            assert!(listed("old@x.test"), "it contradicts the feed: {later:?}");
            assert!(!listed("new@x.test"), "{later:?}");
        }
    }
}
