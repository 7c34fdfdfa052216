//! Judging an ask: a pure function of the ask, the evidence gathered for it, the policy and the time.

use std::collections::{BTreeMap, BTreeSet};

use super::coverage::Coverage;
use super::fact::{MailboxState, ObjectKind};
use super::guard::Standstill;
use super::holder::{Candidate, Holder, NameView};
use super::id::{ObjectId, TenantId};
use super::interval::Edge;
use super::name::{Name, NameKey, NameKind};
use super::scope::Scope;
use super::time::Instant;
use super::timeline::{Gap, Names, Role, State, Timeline};
use super::track::Confidence;
use super::verdict::{
    Action, Ask, Base, ChainCase, Change, ChangeKind, Freshness, Instead, LastChain, Outcome, Policy, Verdict,
};

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

/// The names that changed between a chain's last snapshot and now. A move to a quarantine placeholder is no rename.
pub fn changes_since(timeline: &Timeline, last: Instant) -> Vec<Change> {
    let (then, now) = (timeline.names_at(last), timeline.names());
    let kinds =
        [(ChangeKind::Upn, Role::Upn, then.upn, now.upn), (ChangeKind::Mail, Role::Primary, then.mail, now.mail)];
    kinds
        .into_iter()
        .filter(|(_, _, from, to)| from != to && !to.as_ref().is_some_and(Name::is_quarantine_placeholder))
        .map(|(kind, role, from, to)| {
            let edge = end_of(timeline, role, from.as_ref()).or_else(|| start_of(timeline, role, to.as_ref()));
            Change { kind, from, to, edge: edge.unwrap_or_else(|| Edge::new(Instant::MIN, Instant::MAX)) }
        })
        .collect()
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

/// How a name's holder is proved at the time of the ask.
#[derive(Clone, Copy)]
struct Proof {
    at: Instant,
    live: bool,
}

impl Proof {
    /// The freshness of a verdict that rests on this proof.
    fn evidence(self, rest: Freshness) -> Freshness {
        let unproven_since = (!self.live).then_some(self.at);
        Freshness { proved_at: Some(self.at), live: self.live, unproven_since, ..rest }
    }
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

fn by_name(case: &Case<'_>, name: &Name) -> Verdict {
    let bound = case.chain.and_then(|chain| chain.bound);
    let holder = case.view.map_or(Holder::NeverSeen, |view| view.holder(case.ask.kind));
    match holder {
        Holder::One(holder) => held_by(case, name, holder),
        Holder::Several(several) => {
            if case.round_open && proof(case, None).is_none() {
                return refresh(case, bound, half_round());
            }
            let why = format!("{name} is claimed by {} objects", several.len());
            let mut answer = verdict(case, Outcome::Ambiguous, bound, vec![why]);
            answer.candidates = now_candidates(case, &several);
            answer
        }
        Holder::Nobody => match bound {
            Some(object) => released_by(case, name, object),
            None => released(case, name),
        },
        Holder::NeverSeen => {
            if bound.is_some() && proof(case, None).is_none() {
                let why = format!("{name} was never seen; it may be a new name that the next sync brings");
                return refresh(case, bound, why);
            }
            let why = format!("{name} was never seen in this tenant; a live read (--verify) or a sync may know it");
            verdict(case, Outcome::Unknown, bound, vec![why])
        }
    }
}

/// One object holds the name.
fn held_by(case: &Case<'_>, name: &Name, holder: ObjectId) -> Verdict {
    let proof = proof(case, Some(holder));
    if let Some(chain) = case.chain
        && chain.bound != Some(holder)
        && chain.has_snapshots
    {
        let Some(bound) = chain.bound else { return unattributable(case, chain) };
        if case.round_open && proof.is_none() {
            return refresh(case, Some(bound), half_round());
        }
        let why = format!("{name} belongs to object {holder}{}{}", since(case, name, holder), now_what(case, holder));
        return mismatch(case, [bound, holder], why);
    }
    match proof {
        Some(proof) => by_object(case, holder, Some(proof)),
        None => refresh(case, Some(holder), why_unproven(case, name)),
    }
}

/// Nobody holds the name any more, and the chain belongs to an object that may have held it.
fn released_by(case: &Case<'_>, name: &Name, bound: ObjectId) -> Verdict {
    if let Some(frozen) = frozen(case, bound) {
        return frozen;
    }
    let Some(proof) = proof(case, None) else { return refresh(case, Some(bound), why_unproven(case, name)) };
    // That nobody holds the name does not prove that the chain's object lives.
    let mut answer = by_object(case, bound, None);
    if matches!(answer.outcome.action(), Action::Incremental | Action::Full) {
        answer.evidence = proof.evidence(answer.evidence);
    }
    if answer.outcome == Outcome::Baseline {
        // A new chain needs the name's holder proved, and it has none; a chain without a base no longer stands in for it.
        let why = format!("nobody holds {name} now, and the chain keeps no snapshot to build on; ask by object id");
        return verdict(case, Outcome::Unknown, Some(bound), vec![why]);
    }
    if answer.outcome == Outcome::Continue {
        answer.outcome = Outcome::Renamed;
    }
    if answer.outcome == Outcome::Renamed {
        answer.reasons.push(format!("nobody holds {name} now; the chain's object lives under other names"));
        if !answer.changes.iter().any(|change| change.from.as_ref() == Some(name)) {
            answer.changes.extend(asked_change(case, name, bound));
        }
    }
    answer
}

/// Nobody holds the name any more, and there is no chain to go by.
fn released(case: &Case<'_>, name: &Name) -> Verdict {
    let former = case.view.map(|view| view.objects(case.ask.kind)).unwrap_or_default();
    let last = former.iter().next().filter(|_| former.len() == 1);
    let proof = proof(case, None);
    // Whoever has the name now, the last holder known gets no backup by it; without a proof that says nothing of the name.
    if let Some(frozen) = last.and_then(|object| frozen(case, *object)) {
        return proven(frozen, proof);
    }
    if proof.is_none() {
        return refresh(case, None, why_unproven(case, name));
    }
    let ids: Vec<String> = former.iter().map(ToString::to_string).collect();
    let why = format!("nobody holds {name} now; it was held by {}; ask by object id", ids.join(", "));
    verdict(case, Outcome::Unknown, None, vec![why])
}

/// The judgement of one object, however it was found.
fn by_object(case: &Case<'_>, object: ObjectId, proof: Option<Proof>) -> Verdict {
    let Some(timeline) = case.objects.get(&object).filter(|timeline| !timeline.is_empty()) else {
        let why = format!("object {object} was never seen in this tenant");
        return verdict(case, Outcome::Unknown, Some(object), vec![why]);
    };
    if let Some(chain) = case.chain.filter(|chain| chain.has_snapshots) {
        match chain.bound {
            None => return unattributable(case, chain),
            Some(bound) if bound != object => {
                let why = format!("object {object} was asked for");
                return mismatch(case, [bound, object], why);
            }
            Some(_) => {}
        }
    }
    if let Some(frozen) = frozen(case, object) {
        return proven(frozen, proof);
    }
    let proved = timeline.last_seen_alive().max(proof.map(|proof| proof.at));
    if proved.is_none_or(|at| case.now.since(at) > case.policy.id_max_age) {
        let last = proved.map_or_else(|| "never".to_owned(), |at| at.to_string());
        return refresh(case, Some(object), format!("nothing proves that object {object} still lives (last: {last})"));
    }
    let mut answer = match case.chain.and_then(|chain| chain.base.as_ref().map(|base| (chain, base))) {
        Some((chain, base)) => with_chain(case, timeline, chain, base),
        None => {
            let why = match case.chain.filter(|chain| chain.has_snapshots) {
                Some(chain) => format!("chain {} keeps no snapshot to build on", chain.id),
                None => no_chain_yet(case, object),
            };
            verdict(case, Outcome::Baseline, Some(object), vec![why])
        }
    };
    answer.evidence.proved_at = proved;
    answer.evidence.live = timeline.last_live_read().is_some_and(|at| case.policy.is_live(at, case.now));
    proven(answer, proof)
}

fn no_chain_yet(case: &Case<'_>, object: ObjectId) -> String {
    match (case.chain, case.chains.get(&object)) {
        (Some(chain), Some(own)) if own.id != chain.id => {
            format!("chain {} is new; object {object} has chain {} already", chain.id, own.id)
        }
        _ => format!("object {object} has no chain yet"),
    }
}

/// The verdict with what proves the name it was asked by, if anything does.
fn proven(mut answer: Verdict, proof: Option<Proof>) -> Verdict {
    if let Some(proof) = proof {
        answer.evidence = proof.evidence(answer.evidence);
    }
    answer
}

fn with_chain(case: &Case<'_>, timeline: &Timeline, chain: &ChainCase, base: &Base) -> Verdict {
    let object = timeline.object();
    if let (Some(asked), Some(before)) = (case.ask.mailbox, base.mailbox)
        && asked != before
    {
        let why = format!("the mailbox is {asked}, the chain's is {before}: same object, another mailbox");
        let mut answer = verdict(case, Outcome::MailboxReplaced, Some(object), vec![why]);
        // A full builds on nothing.
        answer.base = None;
        return answer;
    }
    if chain.has_several_mailboxes() {
        let why = format!(
            "chain {} holds snapshots of more than one mailbox of object {object}, and no incremental goes on over that; take \
             a full into a new chain (`plan {}` takes the old one apart)",
            chain.id, chain.id
        );
        let mut answer = verdict(case, Outcome::MailboxReplaced, Some(object), vec![why]);
        answer.base = None;
        return answer;
    }
    let verified = case.ask.mailbox.is_some() && case.ask.mailbox == base.mailbox;
    let gap = licence_gap(timeline, base.until);
    if let Some(gap) = gap.filter(|gap| !verified && gap.longest() > case.policy.mailbox_grace) {
        return after_long_gap(case, timeline, chain, gap);
    }
    let changes = changes_since(timeline, base.until);
    let outcome = if changes.is_empty() { Outcome::Continue } else { Outcome::Renamed };
    let mut reasons = match outcome {
        Outcome::Renamed => changes.iter().map(say_change).collect(),
        _ => vec![format!("chain {} belongs to object {object}, which is active under the same names", chain.id)],
    };
    reasons.extend(gap_since(timeline, base.until));
    reasons.extend(gap.map(|gap| format!("gap: {}", say_gap(gap))));
    if timeline.licence().is_some_and(|licence| matches!(licence, MailboxState::Suspended | MailboxState::LockedOut)) {
        reasons.push("the Exchange licence is suspended; the mailbox may refuse to be read".to_owned());
    }
    let mut answer = verdict(case, outcome, Some(object), reasons);
    answer.old_name_holder = changes.iter().find_map(|change| taken_over(case, change, object));
    if let Some(holder) = answer.old_name_holder {
        answer.reasons.push(format!("the old name now belongs to object {holder}"));
    }
    answer.changes = changes;
    answer.evidence.mailbox_verified = verified;
    if !verified {
        answer.reasons.push("the mailbox instance was not verified".to_owned());
    }
    answer
}

/// The longest licence gap that the chain's last snapshot may lie before.
fn licence_gap(timeline: &Timeline, last: Instant) -> Option<Gap> {
    let after = |gap: &Gap| gap.lost.by().is_none_or(|by| by > last);
    timeline.mailbox_gaps().into_iter().filter(after).max_by_key(|gap| gap.longest())
}

/// The licence was away for longer than a mailbox survives, and nothing shows that this is the same one. An incremental
/// against a new, empty mailbox would record everything as deleted.
fn after_long_gap(case: &Case<'_>, timeline: &Timeline, chain: &ChainCase, gap: Gap) -> Verdict {
    let object = timeline.object();
    let days = case.policy.mailbox_grace.as_secs() / 86_400;
    let why = format!("{}, which may be longer than the {days} days for which a mailbox survives", say_gap(gap));
    if !timeline.last_live_read().is_some_and(|at| case.policy.is_live(at, case.now)) {
        let what = "ask with the mailbox id, or with a live read (--verify) if it cannot be obtained";
        return refresh(case, Some(object), format!("{why}; {what}"));
    }
    let suspected =
        "the mailbox is suspected to be another one, because its id was not given or the chain's is not known";
    let keep = format!("keep chain {} as it is and take a full into a new chain", chain.id);
    let mut answer = verdict(case, Outcome::MailboxReplaced, Some(object), vec![why, suspected.to_owned(), keep]);
    answer.base = None;
    answer
}

fn say_gap(gap: Gap) -> String {
    format!("the Exchange licence went {} and came back {}", say_edge(gap.lost), say_edge(gap.back))
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
        (false, chain) => Instead { object, action: Action::Stop, chain: chain.map(|chain| chain.id) },
        (true, Some(chain)) if chain.goes_on => Instead { object, action: Action::Incremental, chain: Some(chain.id) },
        (true, _) => Instead { object, action: Action::Full, chain: None },
    }
}

fn frozen(case: &Case<'_>, object: ObjectId) -> Option<Verdict> {
    let timeline = case.objects.get(&object)?;
    let why = match timeline.state() {
        State::Active => match timeline.kind() {
            ObjectKind::User => match no_mailbox(timeline) {
                Some(why) => why,
                None => {
                    let why = out_of_scope(case, object)?;
                    if let Some(stale) = stale_groups(case) {
                        return Some(refresh(case, Some(object), stale));
                    }
                    why
                }
            },
            ObjectKind::Group => format!("object {object} is a group, which has no user's mailbox"),
            ObjectKind::Contact => format!("object {object} is a contact, which has no mailbox"),
        },
        State::SoftDeleted => format!("object {object} is soft-deleted and can still come back; keep the chain"),
        State::Purged => format!("object {object} is gone for good; keep the chain"),
        State::Unknown => format!("object {object} is not in the directory, neither live nor deleted; keep the chain"),
    };
    Some(verdict(case, Outcome::Frozen, Some(object), vec![why]))
}

/// Why an object that lives has no mailbox: its licence was seen, and then it went.
fn no_mailbox(timeline: &Timeline) -> Option<String> {
    let lost = say_edge(timeline.mailbox_lost()?);
    Some(format!(
        "object {} has no mailbox: its Exchange licence went {lost}; keep the chain (a mailbox that was made a shared one \
         lives on without a licence, which the directory does not tell)",
        timeline.object()
    ))
}

/// Why the mapping does not protect an object.
fn out_of_scope(case: &Case<'_>, object: ObjectId) -> Option<String> {
    let Scope::Out { excluded_by } = case.scopes.get(&object)? else { return None };
    let why = match excluded_by {
        Some(rule) => format!("rule {rule:?} excludes it and no rule after that matches"),
        None => "no rule matches it".to_owned(),
    };
    Some(format!("object {object} is out of the mapping's scope: {why}; keep the chain"))
}

/// Why nobody can be said to be out of the scope: groups of the mapping were not listed for too long.
fn stale_groups(case: &Case<'_>) -> Option<String> {
    let listed = case.groups_listed?;
    let age = case.now.since(listed);
    (age > case.policy.id_max_age).then(|| {
        format!(
            "the members of a group in the mapping were last read as of {listed}, {} h ago, so whether the mapping protects it \
             is not known; the run log says why",
            age.as_secs() / 3_600
        )
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

/// What proves, at the time of the ask, who holds the name asked: this object, or nobody.
fn proof(case: &Case<'_>, holder: Option<ObjectId>) -> Option<Proof> {
    let view = case.view;
    let (kind, now, policy) = (case.ask.kind, case.now, case.policy);
    let fresh = |at| policy.is_live(at, now);
    let live = match holder {
        Some(holder) => view.and_then(|view| view.live_proof(holder, kind, fresh)),
        None => case
            .vacant_at
            .filter(|at| fresh(*at))
            .filter(|_| view.is_none_or(|view| view.is_freshly_released(kind, now, fresh))),
    };
    if let Some(at) = live {
        return Some(Proof { at, live: true });
    }
    let horizon = case.coverage.horizon()?;
    let fresh = !policy.name_max_age.is_zero() && now.since(horizon) <= policy.name_max_age;
    let view = view?;
    if !fresh || case.round_open || !case.holds.is_empty() || view.is_hot(kind, now, policy.hot_window) {
        return None;
    }
    let mut claims = view.claims().iter().filter(|claim| kind.namespaces().contains(&claim.namespace)).peekable();
    let proved = match holder {
        Some(holder) => claims.any(|claim| claim.object == holder && claim.track.held().contains(horizon)),
        None => claims.peek().is_some() && claims.all(|claim| claim.track.absent().contains(horizon)),
    };
    proved.then_some(Proof { at: horizon, live: false })
}

fn why_unproven(case: &Case<'_>, name: &Name) -> String {
    let hot = case.view.is_some_and(|view| view.is_hot(case.ask.kind, case.now, case.policy.hot_window));
    if case.round_open {
        half_round()
    } else if let Some(hold) = case.holds.first() {
        format!("only a live read (--verify) can prove who holds {name} now: {}", hold.say())
    } else if case.ask.kind == NameKind::Smtp
        && case.view.is_some_and(|view| view.holder(NameKind::Smtp) == Holder::Nobody)
    {
        // The directory finds users by id and by user principal name alone, so whoever took the address stays unseen.
        format!(
            "nobody is known to hold {name} now, and no live read can show who took an address; sync, then ask by object id"
        )
    } else if hot {
        format!(
            "{name} had more than one holder or was released lately, so only a live read can prove who holds it now"
        )
    } else {
        let age = case.coverage.horizon().map_or_else(
            || "there is no completed sync".to_owned(),
            |horizon| format!("the last completed sync proves it only through {horizon}"),
        );
        format!("nothing proves who holds {name} now: {age}; ask with a live read (--verify) or by object id")
    }
}

fn half_round() -> String {
    "a sync round is only half committed, so who holds a name now is not known; finish the sync or ask with a live read"
        .to_owned()
}

fn since(case: &Case<'_>, name: &Name, holder: ObjectId) -> String {
    let claim = case.view.and_then(|view| {
        view.claims()
            .iter()
            .filter(|claim| case.ask.kind.namespaces().contains(&claim.namespace))
            .find(|claim| claim.object == holder && claim.track.is_present_last() && view.key() == name.key())
    });
    claim
        .and_then(|claim| claim.track.last_edge())
        .map(|edge| format!(", which took it {}", say_edge(edge)))
        .unwrap_or_default()
}

/// What a holder is, if it is no person.
fn now_what(case: &Case<'_>, holder: ObjectId) -> &'static str {
    match case.objects.get(&holder).map(Timeline::kind) {
        Some(ObjectKind::Group) => ", now a group",
        Some(ObjectKind::Contact) => ", now a contact",
        _ => "",
    }
}

/// The newest reading that showed this object under the name asked.
fn last_shown(case: &Case<'_>, holder: ObjectId) -> Option<Instant> {
    let claims = case.view?.claims().iter().filter(|claim| claim.object == holder && claim.track.is_present_last());
    claims.flat_map(|claim| claim.track.last_evidence()).map(|origin| origin.at).max()
}

fn now_called(case: &Case<'_>, object: ObjectId) -> String {
    let Some(timeline) = case.objects.get(&object) else { return String::new() };
    let state = match timeline.state() {
        State::Active => "now",
        State::SoftDeleted => "soft-deleted, last",
        State::Purged => "gone for good, last",
        State::Unknown => "no longer found, last",
    };
    match main_name(&timeline.names()) {
        Some(name) => format!(" ({state} {name})"),
        None => format!(" ({state} without a name)"),
    }
}

fn main_name(names: &Names) -> Option<&Name> {
    names.upn.as_ref().or(names.mail.as_ref())
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

fn asked_change(case: &Case<'_>, name: &Name, bound: ObjectId) -> Option<Change> {
    let timeline = case.objects.get(&bound)?;
    let names = timeline.names();
    let (kind, role, to) = if timeline.ever_had(Role::Upn, name.key()) {
        (ChangeKind::Upn, Role::Upn, names.upn)
    } else {
        (ChangeKind::Mail, Role::Smtp, names.mail)
    };
    Some(Change { kind, from: Some(name.clone()), to, edge: end_of(timeline, role, Some(name))? })
}

fn taken_over(case: &Case<'_>, change: &Change, object: ObjectId) -> Option<ObjectId> {
    let view = case.old_names.get(change.from.as_ref()?.key())?;
    match view.holder(case.ask.kind) {
        Holder::One(holder) if holder != object => Some(holder),
        Holder::Several(several) => several.into_iter().find(|holder| *holder != object),
        _ => None,
    }
}

fn gap_since(timeline: &Timeline, last: Instant) -> Option<String> {
    let gap = timeline.states().into_iter().find(|period| {
        period.state != State::Active && period.until.is_some_and(|until| until.by().is_none_or(|by| by > last))
    })?;
    let until = gap.until.map(say_edge).unwrap_or_default();
    Some(format!("gap: the object was deleted {} and came back {until}", say_edge(gap.from)))
}

fn end_of(timeline: &Timeline, role: Role, name: Option<&Name>) -> Option<Edge> {
    timeline.track(role, name?.key())?.periods().into_iter().rev().find_map(|period| period.until)
}

fn start_of(timeline: &Timeline, role: Role, name: Option<&Name>) -> Option<Edge> {
    timeline.track(role, name?.key())?.periods().last().map(|period| period.from)
}

fn say_change(change: &Change) -> String {
    let text = |name: &Option<Name>| name.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string);
    let what = match change.kind {
        ChangeKind::Upn => "user principal name",
        ChangeKind::Mail => "primary address",
    };
    format!("{what} changed from {} to {} {}", text(&change.from), text(&change.to), say_edge(change.edge))
}

fn say_edge(edge: Edge) -> String {
    match (edge.as_point(), edge.after(), edge.by()) {
        (Some(at), ..) => format!("at {at}"),
        (None, Some(after), Some(by)) => format!("after {after} and by {by}"),
        (None, Some(after), None) => format!("after {after}"),
        (None, None, Some(by)) => format!("by {by}"),
        (None, None, None) => "at an unknown time".to_owned(),
    }
}
