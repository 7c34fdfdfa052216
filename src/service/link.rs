//! Lineage links: approving, taking back, and candidates from anchors alone. A link never changes a verdict or whose data a
//! snapshot holds.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Desk;
use super::explain::anchor_words;
use super::people::{People, PersonPart};
use crate::domain::fact::Fact;
use crate::domain::finding::Subject;
use crate::domain::id::{ObjectId, Sequence, TenantId};
use crate::domain::link::{ANCHORED_MAX, Anchor, AnchorKind, Link, LinkEnd, Relation, Strength};
use crate::domain::time::Instant;
use crate::domain::timeline::State;
use crate::ledger::{Basis, Batch, KnownAt, LedgerError, Stamp, View};
use crate::store::LinkRecord;

/// How many records are read at a time.
const PAGE: usize = 512;

/// A link.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct LinkPart {
    /// The earlier object.
    pub from: ObjectId,
    /// The later one; `tenant` is `null` for the ledger's own.
    pub to: LinkEnd,
    /// What the earlier one is to the later one.
    #[serde(rename = "as")]
    pub relation: Relation,
    /// Who approved it.
    pub by: Option<String>,
    /// Why.
    pub note: Option<String>,
    /// Whether it is in force.
    pub in_force: bool,
    /// When it was approved and taken back, oldest first.
    pub history: Vec<LinkStep>,
}

/// One approval or undoing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct LinkStep {
    /// The commit.
    pub sequence: Sequence,
    /// Approved, or taken back.
    pub linked: bool,
}

/// What linking did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct LinkAnswer {
    /// The link as it is now.
    #[serde(flatten)]
    pub link: LinkPart,
    /// Whether this call changed anything.
    pub changed: bool,
    /// The people named, as far as they were seen.
    pub people: Vec<PersonPart>,
    /// What the answer rests on.
    pub basis: Basis,
}

/// A page of candidates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct CandidateList {
    /// The candidates, the strongest first.
    pub items: Vec<LinkCandidate>,
    /// Where the next page begins.
    pub cursor: Option<String>,
    /// What the answer rests on.
    pub basis: Basis,
}

/// Two objects that share an anchor and are not linked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct LinkCandidate {
    /// The earlier object, as far as that is known.
    pub from: CandidateEnd,
    /// The later one.
    pub to: CandidateEnd,
    /// What the one most likely is to the other; an operator decides.
    #[serde(rename = "as")]
    pub relation: Relation,
    /// How much the anchor says.
    pub strength: Strength,
    /// What they share.
    pub anchor: AnchorPart,
    /// One sentence.
    pub why: String,
}

/// One of the two objects.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct CandidateEnd {
    /// Its tenant; `null` is the ledger's own.
    pub tenant: Option<TenantId>,
    /// Who.
    #[serde(flatten)]
    pub person: PersonPart,
    /// When it was created.
    pub created: Option<Instant>,
}

/// What two objects share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct AnchorPart {
    /// Which.
    pub kind: AnchorKind,
    /// Its value.
    pub value: String,
}

/// Why a link was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// An end was never seen.
    #[error("link object {object}: it was never seen in tenant {tenant}; check the id, or sync first")]
    NeverSeen {
        /// The object.
        object: ObjectId,
        /// The tenant.
        tenant: TenantId,
    },
    /// The ledger refused it.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Approves a link, or takes it back. The same again changes nothing.
pub fn set(desk: &Desk, mut link: Link, on: bool) -> Result<LinkAnswer, LinkError> {
    link.to.tenant = link.to.tenant.filter(|tenant| *tenant != desk.tenant);
    let view = desk.ledger.view(desk.tenant, KnownAt::Now)?;
    let mut people = People::new(&view);
    let never_seen = |object, tenant| LinkError::NeverSeen { object, tenant };
    if on {
        if people.person(link.from)?.is_none() {
            return Err(never_seen(link.from, desk.tenant));
        }
        let to = link.to.object;
        match link.to.tenant {
            None if people.person(to)?.is_none() => return Err(never_seen(to, desk.tenant)),
            // Of a tenant that this ledger does not hold nothing can be looked up; the operator knows better.
            Some(tenant) if desk.ledger.tenants()?.contains(&tenant) => {
                let other = desk.ledger.view(tenant, KnownAt::Now)?;
                if People::new(&other).person(to)?.is_none() {
                    return Err(never_seen(to, tenant));
                }
            }
            _ => {}
        }
    }
    let fact = if on { Fact::Linked(link.clone()) } else { Fact::Unlinked(link.clone()) };
    let stamp = Stamp { now: desk.clock.now(), salt: desk.clock.salt() };
    let appended = desk.ledger.append(desk.tenant, Batch { facts: vec![fact], ..Batch::default() }, stamp)?;
    let view = desk.ledger.view(desk.tenant, KnownAt::Now)?;
    let records = desk.ledger.links(desk.tenant, link.from)?;
    let record = records.into_iter().find(|record| is_same(&record.link, &link));
    let record = record.unwrap_or_else(|| LinkRecord { link: link.clone(), steps: Vec::new() });
    let own = [Some(link.from), Some(link.to.object).filter(|_| link.to.tenant.is_none())];
    Ok(LinkAnswer {
        link: part(&record, view.through()),
        changed: appended.summary.facts > 0,
        people: People::new(&view).all(own.into_iter().flatten())?,
        basis: view.basis(desk.clock.now()),
    })
}

/// An object's links in force as known at a commit.
pub fn links_of(desk: &Desk, object: ObjectId, through: Sequence) -> Result<Vec<LinkPart>, LedgerError> {
    let records = desk.ledger.links(desk.tenant, object)?;
    Ok(records.iter().filter(|record| record.is_on(through)).map(|record| part(record, through)).collect())
}

/// Up to `limit` candidates, beyond so many, for one object or for the whole tenant.
pub fn candidates(
    desk: &Desk,
    object: Option<ObjectId>,
    cursor: Option<Cursor>,
    limit: usize,
) -> Result<CandidateList, LedgerError> {
    let view = desk.ledger.view(desk.tenant, KnownAt::Now)?;
    let mut others = desk.ledger.tenants()?;
    others.retain(|tenant| *tenant != desk.tenant);
    let anchors = match object {
        Some(object) => desk.ledger.anchors(desk.tenant, object)?.into_iter().collect(),
        None => shared(desk, !others.is_empty())?,
    };
    let mut pairs = BTreeSet::new();
    for anchor in anchors {
        pairs.extend(pairs_of(desk, &anchor, object, &others)?);
    }
    let mut views: BTreeMap<TenantId, View<'_>> = BTreeMap::new();
    for tenant in others {
        views.insert(tenant, desk.ledger.view(tenant, KnownAt::Now)?);
    }
    let skip = cursor.map_or(0, |cursor| cursor.0);
    let mut found = Vec::new();
    for (anchor, one, other) in pairs {
        if !is_linked(desk, &view, one.object, other)? {
            found.push(candidate(&view, &views, anchor, one, other)?);
        }
    }
    let is_more = found.len() > skip.saturating_add(limit);
    let items: Vec<LinkCandidate> = found.into_iter().skip(skip).take(limit).collect();
    let cursor = is_more.then(|| Cursor(skip.saturating_add(limit)).to_string());
    Ok(CandidateList { items, cursor, basis: view.basis(desk.clock.now()) })
}

/// A place in the list of candidates; opaque to whoever hands it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor(usize);

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

impl std::str::FromStr for Cursor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        usize::from_str_radix(text, 16)
            .map(Self)
            .map_err(|_| "this is no cursor of a list; take the one that the page before gave".to_owned())
    }
}

fn is_same(a: &Link, b: &Link) -> bool {
    (a.from, a.to, a.relation) == (b.from, b.to, b.relation)
}

fn part(record: &LinkRecord, through: Sequence) -> LinkPart {
    let Link { from, to, relation, note, by } = record.link.clone();
    let steps = record.steps.iter().filter(|(sequence, _)| *sequence <= through);
    LinkPart {
        from,
        to,
        relation,
        by,
        note,
        in_force: record.is_on(through),
        history: steps.map(|(sequence, linked)| LinkStep { sequence: *sequence, linked: *linked }).collect(),
    }
}

/// The anchors that objects of the tenant share; with `mailboxes` also every mailbox, which another tenant may know.
fn shared(desk: &Desk, mailboxes: bool) -> Result<BTreeSet<Anchor>, LedgerError> {
    let mut anchors = BTreeSet::new();
    let mut after = None;
    loop {
        // A shared anchor is a finding, whatever became of the finding since.
        let page = desk.ledger.findings(desk.tenant, after, PAGE)?;
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        anchors.extend(page.into_iter().filter_map(|finding| match finding.subject {
            Subject::Anchor(anchor) => Some(anchor),
            _ => None,
        }));
    }
    if !mailboxes {
        return Ok(anchors);
    }
    let mut after = None;
    loop {
        let page = desk.ledger.store().object_ids(desk.tenant, after, PAGE)?;
        let Some(last) = page.last() else { return Ok(anchors) };
        after = Some(*last);
        for object in page {
            let own = desk.ledger.store().mailboxes(desk.tenant, object)?.into_iter();
            anchors.extend(own.map(|own| Anchor { kind: AnchorKind::Mailbox, value: own.to_string() }));
        }
    }
}

type Pair = (Anchor, LinkEnd, LinkEnd);

/// The pairs that an anchor makes, each once; the first of a pair is of this tenant.
fn pairs_of(
    desk: &Desk,
    anchor: &Anchor,
    object: Option<ObjectId>,
    others: &[TenantId],
) -> Result<Vec<Pair>, LedgerError> {
    let own = desk.ledger.anchored(desk.tenant, anchor)?;
    if own.len() > ANCHORED_MAX {
        // What so many share stands for no one person.
        return Ok(Vec::new());
    }
    let mine: Vec<ObjectId> = own.iter().copied().filter(|one| object.is_none_or(|object| object == *one)).collect();
    let end = |tenant, object| LinkEnd { tenant, object };
    let mut pairs = Vec::new();
    for one in &mine {
        // Without an object asked for each pair is met from both sides.
        let rest = own.iter().filter(|other| *other != one && (object.is_some() || *other > one));
        pairs.extend(rest.map(|other| (anchor.clone(), end(None, *one), end(None, *other))));
    }
    if anchor.kind == AnchorKind::Mailbox {
        // Employee numbers and immutable ids of different tenants are different numbers; a mailbox GUID goes along.
        for tenant in others {
            for other in desk.ledger.anchored(*tenant, anchor)? {
                pairs.extend(mine.iter().map(|one| (anchor.clone(), end(None, *one), end(Some(*tenant), other))));
            }
        }
    }
    Ok(pairs)
}

/// Whether a link in force joins the two, whichever tenant keeps it.
fn is_linked(desk: &Desk, view: &View<'_>, own: ObjectId, other: LinkEnd) -> Result<bool, LedgerError> {
    let from_here = desk.ledger.links(desk.tenant, own)?;
    let joins = |link: &Link| {
        let ends = (link.from, link.to.object);
        let of_the_two = ends == (own, other.object) || ends == (other.object, own);
        of_the_two && (link.to.tenant == other.tenant || link.to.tenant == Some(desk.tenant))
    };
    if from_here.iter().any(|record| record.is_on(view.through()) && joins(&record.link)) {
        return Ok(true);
    }
    let Some(tenant) = other.tenant else { return Ok(false) };
    let through = desk.ledger.head(tenant)?.sequence;
    let from_there = desk.ledger.links(tenant, other.object)?;
    Ok(from_there.iter().any(|record| record.is_on(through) && joins(&record.link)))
}

fn candidate(
    view: &View<'_>,
    views: &BTreeMap<TenantId, View<'_>>,
    anchor: Anchor,
    one: LinkEnd,
    other: LinkEnd,
) -> Result<LinkCandidate, LedgerError> {
    let one = candidate_end(view, one)?;
    let other = candidate_end(other.tenant.and_then(|tenant| views.get(&tenant)).unwrap_or(view), other)?;
    let lives = |end: &CandidateEnd| end.person.state == State::Active;
    let both_live = lives(&one) && lives(&other);
    // Who lives came after who does not; else the younger one did, where both ages are known.
    let is_turned = match (lives(&one), lives(&other)) {
        (true, false) => true,
        (false, true) => false,
        _ => matches!((one.created, other.created), (Some(one), Some(other)) if other < one),
    };
    let (from, to) = if is_turned { (other, one) } else { (one, other) };
    let other_tenant = from.tenant != to.tenant;
    let relation = Relation::likely(anchor.kind, other_tenant, both_live);
    let call = |end: &CandidateEnd| {
        let tenant = end.tenant.map(|tenant| format!(" of tenant {tenant}")).unwrap_or_default();
        match &end.person.called {
            Some(called) => format!("{called} (object {}){tenant}", end.person.object),
            None => format!("object {}{tenant}", end.person.object),
        }
    };
    let why = format!("{} and {} have the same {} {}", call(&from), call(&to), anchor_words(anchor.kind), anchor.value);
    let strength = anchor.kind.strength();
    let anchor = AnchorPart { kind: anchor.kind, value: anchor.value };
    Ok(LinkCandidate { from, to, relation, strength, anchor, why })
}

fn candidate_end(view: &View<'_>, end: LinkEnd) -> Result<CandidateEnd, LedgerError> {
    let mut people = People::new(view);
    let created = people.timeline(end.object)?.and_then(|timeline| timeline.created());
    let unseen = PersonPart { object: end.object, called: None, state: State::Unknown };
    Ok(CandidateEnd { tenant: end.tenant, person: people.person(end.object)?.unwrap_or(unseen), created })
}
