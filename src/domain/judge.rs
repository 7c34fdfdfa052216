//! Judging an ask: a pure function of the ask, the evidence gathered for it, the policy and the time.

mod named;
mod object;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use self::named::{by_name, last_shown, proof};
pub use self::object::changes_since;
use self::object::{by_object, frozen, licence_gap};
use self::words::{now_called, now_what};
use super::coverage::Coverage;
use super::guard::Standstill;
use super::holder::{Candidate, Holder, NameView};
use super::id::{ObjectId, TenantId};
use super::name::{Name, NameKey};
use super::scope::Scope;
use super::time::Instant;
use super::timeline::{State, Timeline};
use super::track::Confidence;
use super::verdict::{Action, Ask, ChainCase, Freshness, Instead, LastChain, Outcome, Policy, Verdict};

/// Everything that judging an ask looks at.
#[derive(Debug)]
pub struct Case<'a> {
    /// What was asked.
    pub ask: &'a Ask,
    /// How old evidence may be.
    pub policy: &'a Policy,
    /// The ledger's time.
    pub now: Instant,
    /// What time the feeds cover.
    pub coverage: &'a Coverage,
    /// Only some pages of a round are committed.
    pub round_open: bool,
    /// The rounds that a guard holds.
    pub holds: &'a [Standstill],
    /// Why the live read that was wanted could not be made.
    pub live_failure: Option<&'a str>,
    /// The claims to the name asked.
    pub view: Option<&'a NameView>,
    /// The newest live read that found nobody under the name.
    pub vacant_at: Option<Instant>,
    /// The timelines of every object that may be involved.
    pub objects: &'a BTreeMap<ObjectId, Timeline>,
    /// Whether the mapping protects them; who is not in it is protected, because there is no mapping.
    pub scopes: &'a BTreeMap<ObjectId, Scope>,
    /// As of when the group of the mapping that was not listed for the longest time was.
    pub groups_listed: Option<Instant>,
    /// The chain asked for, or the most recent one of the object asked for.
    pub chain: Option<&'a ChainCase>,
    /// Another tenant of the same ledger that has the chain asked for, where this one has no snapshot of it.
    pub chain_elsewhere: Option<TenantId>,
    /// The most recent chain of each object that may be involved.
    pub chains: &'a BTreeMap<ObjectId, LastChain>,
    /// The claims to names that the chain's object had before.
    pub old_names: &'a BTreeMap<NameKey, NameView>,
}

/// The object that the ask comes down to, as far as it names one: the id asked, else the holder of the name.
pub fn subject(ask: &Ask, view: Option<&NameView>) -> Option<ObjectId> {
    ask.object.or_else(|| match view?.holder(ask.kind) {
        Holder::One(object) => Some(object),
        _ => None,
    })
}

/// Judges an ask.
pub fn judge(case: &Case<'_>) -> Verdict {
    let mut verdict = match (case.chain_elsewhere, case.ask.object, &case.ask.name) {
        (Some(tenant), ..) => of_another_tenant(case, tenant),
        (None, Some(object), name) => by_id(case, object, name.as_ref()),
        (None, None, Some(name)) => by_name(case, name),
        (None, None, None) => by_chain(case),
    };
    if matches!(verdict.outcome.action(), Action::Incremental | Action::Full)
        && let Some(why) = why_not_now(case, verdict.object)
    {
        verdict = refresh(case, verdict.object, why);
    }
    match verdict.object.and_then(|object| case.scopes.get(&object)) {
        Some(Scope::In { rule, labels }) => {
            verdict.mapping = Some(rule.clone());
            verdict.labels.clone_from(labels);
        }
        Some(Scope::InOne { why }) => {
            verdict.reasons.push(format!("the mapping protects it, by which rule is not known: {why}"));
        }
        _ => {}
    }
    if let Some((object, hold)) = held(case) {
        verdict =
            refresh(case, verdict.object, format!("object {object} is named in a round that is held: {}", hold.say()));
    }
    if let Some(failure) = case.live_failure {
        verdict.reasons.push(format!("the live read failed: {failure}"));
    }
    if let Some(at) = case.ask.at
        && at.distance(case.now) > case.policy.max_skew
    {
        let apart = at.distance(case.now).as_secs();
        let way = if at > case.now { "ahead of" } else { "behind" };
        verdict.reasons.push(format!(
            "the agent's clock ({at}) is {apart} s {way} the ledger's ({}); judged at the ledger's time",
            case.now
        ));
    }
    verdict
}

/// An object that the ask is about and that a held round would change.
fn held<'a>(case: &'a Case<'_>) -> Option<(ObjectId, &'a Standstill)> {
    let mut about: BTreeSet<ObjectId> = case.ask.object.into_iter().collect();
    about.extend(case.chain.and_then(|chain| chain.bound));
    match case.view.map(|view| view.holder(case.ask.kind)) {
        Some(Holder::One(holder)) => about.extend([holder]),
        Some(Holder::Several(several)) => about.extend(several),
        _ => {}
    }
    about.into_iter().find_map(|object| Some((object, case.holds.iter().find(|hold| hold.names(object))?)))
}

fn by_id(case: &Case<'_>, object: ObjectId, name: Option<&Name>) -> Verdict {
    let (Some(name), Some(view)) = (name, case.view) else { return by_object(case, object, None) };
    match view.holder(case.ask.kind) {
        Holder::One(holder) if holder == object => by_object(case, object, None),
        Holder::One(holder) => {
            let now = now_what(case, holder);
            let why = format!("{name} belongs to object {holder}{now}, not to object {object} that was asked for");
            mismatch(case, [object, holder], why)
        }
        Holder::Several(several) => {
            let why = format!(
                "{name} is claimed by {} objects; open object {object} by its id, without the name",
                several.len()
            );
            let mut answer = verdict(case, Outcome::Ambiguous, Some(object), vec![why]);
            answer.candidates = now_candidates(case, &several);
            answer
        }
        // A name that nobody is known to hold is no more than a label; it must not be opened.
        Holder::Nobody | Holder::NeverSeen => {
            let mut answer = by_object(case, object, None);
            answer.reasons.push(format!("{name} is not known to be a name of object {object} now; open it by id only"));
            answer
        }
    }
}

/// The chain is another tenant's. The same name there is another object, so nothing of this tenant ever goes into it.
fn of_another_tenant(case: &Case<'_>, tenant: TenantId) -> Verdict {
    let holder = case.view.map(|view| view.holder(case.ask.kind));
    let mut objects: Vec<ObjectId> = case.ask.object.into_iter().collect();
    if let Some(Holder::One(holder)) = holder
        && case.ask.object != Some(holder)
    {
        objects.push(holder);
    }
    let chain = case.ask.chain.as_ref().map_or_else(String::new, |chain| format!(" {chain}"));
    let owner = if case.policy.names_tenants { format!("tenant {tenant}") } else { "another tenant".to_owned() };
    let mut reasons = vec![format!(
        "chain{chain} belongs to {owner} and has no snapshot in this one; a chain never goes on in another tenant, \
         so begin a new chain under another id"
    )];
    let (known, unknown): (Vec<ObjectId>, Vec<ObjectId>) =
        objects.iter().partition(|object| case.objects.get(object).is_some_and(|timeline| !timeline.is_empty()));
    reasons.extend(unknown.iter().map(|object| format!("object {object} was never seen in this tenant")));
    let mut answer = verdict(case, Outcome::Mismatch, objects.first().copied(), reasons);
    answer.instead = known.iter().map(|object| instead(case, *object)).collect();
    if let Some(Holder::Several(several)) = holder {
        answer.candidates = now_candidates(case, &several);
    }
    answer.evidence.proved_at = objects.iter().find_map(|object| last_shown(case, *object));
    answer
}

fn by_chain(case: &Case<'_>) -> Verdict {
    match case.chain {
        Some(ChainCase { bound: Some(object), .. }) => by_object(case, *object, None),
        Some(chain) if chain.has_snapshots => unattributable(case, chain),
        _ => {
            let why = match &case.ask.chain {
                Some(chain) => format!("chain {chain} has no snapshots and neither a name nor an object was given"),
                None => "nothing was asked: give a chain, a name or an object".to_owned(),
            };
            verdict(case, Outcome::Unknown, None, vec![why])
        }
    }
}

/// What was asked points to different objects. The verdict is about the chain's object, if the chain has one.
fn mismatch(case: &Case<'_>, between: [ObjectId; 2], why: String) -> Verdict {
    let mut reasons = vec![why];
    let bound = case.chain.and_then(|chain| chain.bound);
    if let (Some(chain), Some(bound)) = (case.chain, bound) {
        reasons.push(format!("chain {} belongs to object {bound}{}", chain.id, now_called(case, bound)));
    }
    let mut objects: Vec<ObjectId> = bound.into_iter().collect();
    objects.extend(between.into_iter().filter(|object| Some(*object) != bound));
    let mut answer = verdict(case, Outcome::Mismatch, objects.first().copied(), reasons);
    answer.instead = objects.iter().map(|object| instead(case, *object)).collect();
    match objects.iter().rev().find_map(|object| proof(case, Some(*object))) {
        Some(proof) => {
            answer.evidence.proved_at = Some(proof.at);
            answer.evidence.live = proof.live;
        }
        None => answer.evidence.proved_at = objects.iter().rev().find_map(|object| last_shown(case, *object)),
    }
    answer
}

fn instead(case: &Case<'_>, object: ObjectId) -> Instead {
    let own = case.chain.filter(|chain| chain.bound == Some(object) && chain.base.is_some());
    let own = own.map(|chain| LastChain { id: chain.id.clone(), goes_on: !chain.has_several_mailboxes() });
    let chain = own.or_else(|| case.chains.get(&object).cloned());
    let lives = case
        .objects
        .get(&object)
        .is_some_and(|timeline| timeline.state() == State::Active && frozen(case, object).is_none())
        && !matches!(case.scopes.get(&object), Some(Scope::Unknown { .. }));
    match (lives, chain) {
        // What an ask by its id would say as well.
        (true, chain) if must_be_asked(case, object) => {
            Instead { object, action: Action::Refresh, chain: chain.map(|chain| chain.id) }
        }
        (false, chain) => Instead { object, action: Action::Stop, chain: chain.map(|chain| chain.id) },
        (true, Some(chain)) if chain.goes_on => Instead { object, action: Action::Incremental, chain: Some(chain.id) },
        (true, _) => Instead { object, action: Action::Full, chain: None },
    }
}

/// Whether only another ask, by the object's id, can tell what is right for it.
fn must_be_asked(case: &Case<'_>, object: ObjectId) -> bool {
    let Some(timeline) = case.objects.get(&object) else { return true };
    let seen = timeline.last_seen_alive();
    if why_not_now(case, Some(object)).is_some() || seen.is_none_or(|at| case.now.since(at) > case.policy.id_max_age) {
        return true;
    }
    let own = case.chain.filter(|chain| chain.bound == Some(object)).and_then(|chain| chain.base.as_ref());
    own.is_some_and(|base| {
        let is_other = case.ask.mailbox.zip(base.mailbox).is_some_and(|(asked, before)| asked != before);
        is_other || licence_gap(timeline, base.until).is_some_and(|gap| gap.longest() > case.policy.mailbox_grace)
    })
}

fn refresh(case: &Case<'_>, object: Option<ObjectId>, why: String) -> Verdict {
    verdict(case, Outcome::Refresh, object, vec![why])
}

/// Why an ask cannot be answered with a backup at this time, whatever the ledger holds.
fn why_not_now(case: &Case<'_>, object: Option<ObjectId>) -> Option<String> {
    if case.live_failure.is_some() {
        return Some("a live read was wanted and could not be made".to_owned());
    }
    if let Some(Scope::Unknown { why }) = object.and_then(|object| case.scopes.get(&object)) {
        return Some(format!("whether the mapping protects it is not known: {why}"));
    }
    let seen = object.and_then(|object| case.objects.get(&object)).and_then(Timeline::last_seen_alive);
    let newest = seen.max(case.coverage.horizon())?;
    // A clock that runs behind makes all evidence look new, so no age can be told.
    (newest.since(case.now) > case.policy.max_skew).then(|| {
        format!("the ledger's evidence ({newest}) lies ahead of this clock ({}); set the clock right", case.now)
    })
}

fn unattributable(case: &Case<'_>, chain: &ChainCase) -> Verdict {
    let why = format!("no snapshot of chain {} can be attributed for certain, so it has no known owner", chain.id);
    let mut reasons = vec![why];
    if chain.by_any_name {
        let hint = "a name of any kind is certain only where user principal name and address agree; recording snapshots with \
                    --kind smtp or upn, or with receipts, can settle it";
        reasons.push(hint.to_owned());
    }
    let mut answer = verdict(case, Outcome::Ambiguous, None, reasons);
    answer.candidates = now_candidates(case, &chain.candidates);
    answer
}

/// A verdict with the parts that every outcome shares.
fn verdict(case: &Case<'_>, outcome: Outcome, object: Option<ObjectId>, mut reasons: Vec<String>) -> Verdict {
    if let Some(chain) = case.chain {
        reasons.extend(findings_of(chain));
    }
    let mine = case.chain.filter(|chain| chain.bound.is_some() && chain.bound == object);
    Verdict {
        outcome,
        chain: case.ask.chain.clone().or_else(|| case.chain.map(|chain| chain.id.clone())),
        object,
        base: mine.and_then(|chain| chain.base.as_ref()).map(|base| base.id.clone()),
        names: object.and_then(|object| case.objects.get(&object)).map(Timeline::names),
        changes: Vec::new(),
        old_name_holder: None,
        instead: Vec::new(),
        candidates: Vec::new(),
        evidence: Freshness { horizon: case.coverage.horizon(), ..Freshness::default() },
        mapping: None,
        labels: BTreeMap::new(),
        reasons,
    }
}

/// What a chain holds that an auditor must look at is named in every verdict about it.
fn findings_of(chain: &ChainCase) -> Vec<String> {
    let mut reasons: Vec<String> = chain
        .others
        .iter()
        .map(|(object, snapshot)| {
            format!("mixed_chain: snapshot {snapshot} of chain {} holds data of object {object}", chain.id)
        })
        .collect();
    if let (Some(first), Some(last)) = (chain.mailboxes.first(), chain.mailboxes.last())
        && chain.has_several_mailboxes()
    {
        let count = chain.mailboxes.len();
        reasons.push(format!(
            "mailbox_changed: chain {} holds snapshots of {count} mailboxes of its owner, first of {first} and later of {last}",
            chain.id
        ));
    }
    if let Some(first) = chain.unattributed.first() {
        let count = chain.unattributed.len();
        reasons.push(format!(
            "unattributable: {count} snapshot(s) of chain {}, such as {first}, may hold anybody's data",
            chain.id
        ));
    }
    reasons
}

fn now_candidates<'a>(case: &Case<'_>, objects: impl IntoIterator<Item = &'a ObjectId>) -> Vec<Candidate> {
    objects
        .into_iter()
        .map(|object| {
            let claims = case.view.map(NameView::claims).unwrap_or_default();
            let held = claims
                .iter()
                .filter(|claim| claim.object == *object)
                .flat_map(|claim| claim.track.periods().into_iter().map(|period| (claim.namespace, period)))
                .collect();
            Candidate { object: *object, confidence: Confidence::Possible, held }
        })
        .collect()
}
