//! The reconcile: the recycle bin and a full listing show what the delta feed misses, such as restores that were never
//! announced, purges and deletions without a mark.

use std::collections::HashSet;

use crate::domain::fact::{Fact, MailboxState, Profile, Reading, Source};
use crate::domain::id::ObjectId;
use crate::domain::time::Instant;
use crate::domain::timeline::{State, Timeline};
use crate::graph::error::GraphError;
use crate::graph::facts::{deleted_fact, fact};
use crate::graph::page::Page;
use crate::graph::wire::LinkUrl;
use crate::graph::wire::user::WireUser;
use crate::ledger::{Batch, KnownAt};

use super::run::Ticker;
use super::{Context, SyncError, absent, refuse_unreadable};

/// How often a listing begins anew because its page token expired.
const RESTARTS_MAX: u32 = 3;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Listing {
    Deleted,
    Live,
}

/// Reads both listings and appends what the ledger did not know.
pub(super) async fn reconcile(context: &Context, ticker: &mut Ticker<'_>) -> Result<(), SyncError> {
    let mut shown = HashSet::new();
    // Only a recycle bin that was listed in one go says that an object is no longer in it.
    let in_one_go = list(context, Listing::Deleted, &mut shown, ticker).await?;
    list(context, Listing::Live, &mut shown, ticker).await?;
    let missing = absent::missing_from(context, shown).await?;
    let facts = ticker.unless_stopped(absent::read_absent(context, &missing, in_one_go)).await??;
    ticker.close(context, facts, None).await
}

/// Reads one listing to its end. Returns whether it never had to begin anew.
async fn list(
    context: &Context,
    listing: Listing,
    shown: &mut HashSet<ObjectId>,
    ticker: &mut Ticker<'_>,
) -> Result<bool, SyncError> {
    let mut next: Option<LinkUrl> = None;
    let mut restarts = 0;
    loop {
        let link = next.as_ref().map(LinkUrl::as_str);
        let asked = async {
            match listing {
                Listing::Deleted => context.client.deleted_users_page(link).await,
                Listing::Live => context.client.users_page(link).await,
            }
        };
        let page = ticker.unless_stopped(asked).await?;
        let page = match page {
            Ok(page) => page,
            Err(GraphError::PageExpired { .. }) if next.is_some() && restarts < RESTARTS_MAX => {
                restarts += 1;
                next = None;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        context.check_skew(page.at)?;
        refuse_unreadable(&page.rejected)?;
        ticker.page(page.items.len());
        shown.extend(page.items.iter().map(|user| user.id));
        let Page { at, items, next: following, .. } = page;
        let facts = news(context, listing, at, items).await?;
        let appended = context.append(Batch { facts, ..Batch::default() }).await?;
        ticker.committed(&appended.summary);
        match following {
            Some(link) => next = Some(link),
            None => return Ok(restarts == 0),
        }
    }
}

/// The facts of a page that say something the ledger does not know already.
async fn news(context: &Context, listing: Listing, at: Instant, users: Vec<WireUser>) -> Result<Vec<Fact>, SyncError> {
    let reading = Reading { at, lag: context.widths.lag, source: Source::Reconcile, unchanged_since: None };
    context
        .blocking(move |ledger, tenant| {
            let view = ledger.view(tenant, KnownAt::Now)?;
            let mut facts = Vec::new();
            for user in &users {
                let fact = if listing == Listing::Deleted { deleted_fact(user, reading) } else { fact(user, reading) };
                let known = view.facts(user.id)?;
                let timeline = Timeline::of(user.id, &known, view.coverage());
                let (state, licence) = (timeline.state(), timeline.licence());
                let is_news = match &fact {
                    Fact::Seen(seen) => {
                        let newest = known.iter().rev().find_map(|known| match &known.fact {
                            Fact::Seen(seen) => Some(&seen.profile),
                            _ => None,
                        });
                        state != State::Active || newest.is_none_or(|newest| differs(newest, &seen.profile, licence))
                    }
                    Fact::Removed(removed) => {
                        let same = known.iter().any(|known| {
                            matches!(&known.fact, Fact::Removed(before) if before.deleted == removed.deleted && before.deleted.is_some())
                        });
                        state != State::SoftDeleted || !same
                    }
                    _ => true,
                };
                if is_news {
                    facts.push(fact);
                }
            }
            Ok(facts)
        })
        .await
}

/// Whether a profile says something that the newest known one does not. Delta leaves out what was never set where a
/// listing says that there is no licence, and a listing that does not tell of the licence takes nothing back.
fn differs(known: &Profile, told: &Profile, licence: Option<MailboxState>) -> bool {
    let is_told = told.mailbox.is_some() && told.mailbox != licence;
    let is_same_silence = told.mailbox == Some(MailboxState::Unlicensed) && licence.is_none();
    let without = |profile: &Profile| Profile { mailbox: None, ..profile.clone() };
    (is_told && !is_same_silence) || without(known) != without(told)
}
