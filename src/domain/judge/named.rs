//! Asks by a name: who holds it now, and what proves that.

use super::object::{by_object, frozen};
use super::words::{end_of, now_what, say_edge};
use super::{Case, mismatch, now_candidates, refresh, unattributable, verdict};
use crate::domain::erase;
use crate::domain::holder::Holder;
use crate::domain::id::ObjectId;
use crate::domain::name::{Name, NameKind};
use crate::domain::time::Instant;
use crate::domain::timeline::Role;
use crate::domain::verdict::{Action, Change, ChangeKind, Freshness, Outcome, Verdict};

/// How a name's holder is proved at the time of the ask.
#[derive(Clone, Copy)]
pub(super) struct Proof {
    pub(super) at: Instant,
    pub(super) live: bool,
}

impl Proof {
    /// The freshness of a verdict that rests on this proof.
    fn evidence(self, rest: Freshness) -> Freshness {
        let unproven_since = (!self.live).then_some(self.at);
        Freshness { proved_at: Some(self.at), live: self.live, unproven_since, ..rest }
    }
}

pub(super) fn by_name(case: &Case<'_>, name: &Name) -> Verdict {
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
            let mut reasons = Vec::new();
            match proof(case, None).filter(|proof| proof.live) {
                Some(_) => {
                    reasons.push(format!("{name} was never seen in this tenant, and a live read finds nobody by it"));
                    reasons.extend(unseen(case));
                }
                None => reasons.push(format!(
                    "{name} was never seen in this tenant; a live read (--verify) or a sync may know it"
                )),
            }
            verdict(case, Outcome::Unknown, bound, reasons)
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
    // Both open the chain's object by its id, whoever has the name now.
    if matches!(answer.outcome, Outcome::Renamed | Outcome::MailboxReplaced) {
        answer.reasons.push(format!("nobody holds {name} now; the chain's object lives under other names"));
        if proof.live {
            answer.reasons.extend(unseen(case));
        }
    }
    if answer.outcome == Outcome::Renamed && !answer.changes.iter().any(|change| change.from.as_ref() == Some(name)) {
        answer.changes.extend(asked_change(case, name, bound));
    }
    answer
}

/// What a live read that finds nobody leaves open: the directory finds users by id and by user principal name alone.
fn unseen(case: &Case<'_>) -> Option<String> {
    let why = "whether a user has it as a further address since the last completed sync, no live read can show";
    (case.ask.kind != NameKind::Upn).then(|| why.to_owned())
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
    let Some(proof) = proof else { return refresh(case, None, why_unproven(case, name)) };
    let ids: Vec<String> = former.iter().map(ToString::to_string).collect();
    let why = format!("nobody holds {name} now; it was held by {}; ask by object id", ids.join(", "));
    let unseen = unseen(case).filter(|_| proof.live);
    verdict(case, Outcome::Unknown, None, std::iter::once(why).chain(unseen).collect())
}

/// The verdict with what proves the name it was asked by, if anything does.
pub(super) fn proven(mut answer: Verdict, proof: Option<Proof>) -> Verdict {
    if let Some(proof) = proof {
        answer.evidence = proof.evidence(answer.evidence);
    }
    answer
}

/// What proves, at the time of the ask, who holds the name asked: this object, or nobody.
pub(super) fn proof(case: &Case<'_>, holder: Option<ObjectId>) -> Option<Proof> {
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
    if erase::is_spelled(name) {
        format!(
            "{name} stands for an erased name, which the directory does not know it by; ask by the name itself or by object id"
        )
    } else if case.round_open {
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

/// The newest reading that showed this object under the name asked.
pub(super) fn last_shown(case: &Case<'_>, holder: ObjectId) -> Option<Instant> {
    let claims = case.view?.claims().iter().filter(|claim| claim.object == holder && claim.track.is_present_last());
    claims.flat_map(|claim| claim.track.last_evidence()).map(|origin| origin.at).max()
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
